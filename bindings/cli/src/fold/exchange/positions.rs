//! Positions: what an account may lose in a market, which is in escrow, and what it won there in the end.

use super::super::tickets::Numbers;
use super::super::{Fold, Rule};
use super::E4;
use betring_core::command::{Command, LimitKind, ResultEntry};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::wire::{Header, Minor};

/// What an account has on a selection, in ten-thousandths of a minor unit.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stand {
    /// What was matched brings so much if it wins, and so much if it does not.
    pub(super) win_e4: i128,
    pub(super) lose_e4: i128,
    /// What waits may cost so much: backs if it does not win, lays if it does.
    pub(super) backs_e4: i128,
    pub(super) lays_e4: i128,
}

impl Stand {
    pub(super) fn change(&mut self, before: &Stand, now: &Stand) {
        self.win_e4 += now.win_e4 - before.win_e4;
        self.lose_e4 += now.lose_e4 - before.lose_e4;
        self.backs_e4 += now.backs_e4 - before.backs_e4;
        self.lays_e4 += now.lays_e4 - before.lays_e4;
    }
}

/// What an account has in a market.
pub(super) struct Position {
    pub(super) stands: Vec<Stand>,
    pub(super) held: i128,
    /// Net winnings and commission, while it is settled.
    pub(super) posted: Option<(Minor, Minor)>,
    pub(super) settlements: u32,
}

impl Position {
    pub(super) fn new(selections: usize) -> Position {
        let stands = vec![Stand::default(); selections];
        Position { stands, held: 0, posted: None, settlements: 0 }
    }
}

/// The most that can be lost with so many winners among selections that bring so much if they win and if they do not, in
/// whole minor units.
pub(in super::super) fn worst_of(stands: &[[i128; 2]], winners: usize) -> i128 {
    let if_none = stands.iter().map(|[_, loses]| loses).sum::<i128>();
    let mut more: Vec<i128> = stands.iter().map(|[wins, loses]| wins - loses).collect();
    more.sort_unstable();
    let least = if_none + more.iter().take(winners).sum::<i128>();
    (E4 - 1 - least).div_euclid(E4).max(0)
}

/// The same of lines, the lowest first: those below the result have lost, all others have won.
pub(in super::super) fn worst_of_lines(stands: &[[i128; 2]]) -> i128 {
    let of = |first: usize| -> i128 {
        let (lost, won) = stands.split_at(first);
        let lost = lost.iter().map(|[_, loses]| loses).sum::<i128>();
        lost + won.iter().map(|[wins, _]| wins).sum::<i128>()
    };
    let least = (0..=stands.len()).map(of).min().unwrap_or(0);
    (E4 - 1 - least).div_euclid(E4).max(0)
}

/// Parts of a whole win, at most, in which all shares of a result are whole.
const WHOLE_MAX: i128 = 1 << 20;

/// What became of the selections of a market: of how many parts a whole win is, and how many each has won; none if its
/// bets are off.
pub(super) struct Shares {
    whole: i128,
    parts: Vec<Option<i128>>,
}

impl Shares {
    /// Of all selections with what a result says of them, none of those that do not run; none if there are too many
    /// parts.
    fn of(results: impl Iterator<Item = Option<ResultEntry>>, winners: u16) -> Option<Shares> {
        let share = |entry: ResultEntry| {
            let numbers = Numbers::of(&entry, winners, 0);
            let (won, den) = numbers.win();
            (!numbers.is_void()).then_some((i128::from(won), i128::from(den)))
        };
        let shares: Vec<_> = results.map(|entry| entry.and_then(share)).collect();
        let mut whole = 1;
        for (_, den) in shares.iter().flatten() {
            whole = whole * den / gcd(whole, *den);
            if !(1..=WHOLE_MAX).contains(&whole) {
                return None;
            }
        }
        let parts = |share: &Option<(i128, i128)>| share.map(|(won, den)| won * (whole / den));
        let parts = shares.iter().map(parts).collect();
        Some(Shares { whole, parts })
    }

    /// What stands come to, in ten-thousandths of a minor unit and parts of the whole.
    fn exact(&self, stands: &[Stand]) -> i128 {
        let one = |(stand, parts): (&Stand, &Option<i128>)| match parts {
            None => 0,
            Some(won) => stand.win_e4 * won + stand.lose_e4 * (self.whole - won),
        };
        stands.iter().zip(&self.parts).map(one).sum()
    }

    /// So much in whole minor units, rounded down.
    fn floor(&self, exact: i128) -> i128 {
        exact.div_euclid(self.whole * E4)
    }
}

fn gcd(one: i128, other: i128) -> i128 {
    if other == 0 { one } else { gcd(other, one % other) }
}

impl Fold {
    /// What a position may lose at worst; what does not run any more cannot win.
    fn may_lose(&self, market: MarketId, account: AccountId) -> Option<i128> {
        let position = self.exchange.positions.get(&(market.raw(), account.raw()))?;
        let kept = self.markets.get(&market.raw())?;
        let running = position.stands.iter().zip(&kept.selections);
        let running = running.filter(|(_, selection)| !selection.withdrawn);
        // What waits counts where it hurts.
        let at_worst = |(stand, _): (&Stand, _)| {
            [stand.win_e4 - stand.lays_e4, stand.lose_e4 - stand.backs_e4]
        };
        let stands: Vec<[i128; 2]> = running.map(at_worst).collect();
        let place = self.exchange.places.get(&market.raw())?;
        Some(match place.has_lines() {
            true => worst_of_lines(&stands),
            false => worst_of(&stands, usize::from(kept.terms.winners)),
        })
    }

    pub(super) fn exposure_held(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        held: &ExposureHeld,
        due: &mut Vec<Transfer>,
    ) {
        let (account, market) = (held.account, held.market);
        let worst = self.may_lose(market, account);
        let place = self.exchange.places.get(&market.raw());
        let position = self.exchange.positions.get_mut(&(market.raw(), account.raw()));
        let Some((place, position)) = place.zip(position) else {
            return self.broken(Rule::Exposure, || format!("{account} has nothing in {market}"));
        };
        let (now, currency) = (i128::from(held.held.0), place.terms.currency);
        let more = now - std::mem::replace(&mut position.held, now);
        let open = position.posted.is_none();
        self.must(Rule::Exposure, open && worst == Some(now) && more != 0, || {
            let worst = worst.unwrap_or(0);
            format!("{} is held for {account} in {market}, it may lose {worst}", held.held)
        });
        *self.stakes.entry(currency).or_default() += more;
        due.push(exposure(account, currency, more));
        let at_work = self.markets.get(&market.raw()).is_some_and(|of| of.running.is_some());
        if more <= 0 {
            return;
        }
        if at_work {
            self.exchange.by_news.push(account);
            return;
        }
        let own = header.account == account.raw();
        let orders = matches!(command, Command::PlaceOrders(..) | Command::ReplaceOrders(..));
        self.must(Rule::Exposure, own && orders, || {
            format!("more is held for {account} in {market}, and it did not order")
        });
        let amount = Minor(i64::try_from(more).unwrap_or(i64::MAX));
        for kind in [LimitKind::Stake, LimitKind::Loss] {
            self.within(kind, account, amount, &|| format!("what is held in {market}"));
        }
    }

    /// After a record that changed a position: what it may lose is in escrow.
    pub(super) fn is_held(&mut self, market: MarketId, account: AccountId) {
        if self.exchange.places.get(&market.raw()).is_some_and(|place| place.reduces) {
            return;
        }
        let worst = self.may_lose(market, account).unwrap_or(0);
        let position = self.exchange.positions.get(&(market.raw(), account.raw()));
        let Some(position) = position.filter(|position| position.posted.is_none()) else { return };
        let held = position.held;
        self.must(Rule::Exposure, held == worst, || {
            format!("{held} is held for {account} in {market}, it may lose {worst}")
        });
    }

    /// What became of each selection by a result.
    pub(super) fn shares(&self, market: MarketId, result: &[ResultEntry]) -> Option<Shares> {
        let market = self.markets.get(&market.raw())?;
        let of = market.selections.iter().zip(result);
        let running = of.map(|(selection, entry)| (!selection.withdrawn).then_some(*entry));
        Shares::of(running, market.terms.winners)
    }

    /// What a position comes to by a result: net winnings, rounded down once.
    pub(super) fn net(
        &self,
        market: MarketId,
        account: AccountId,
        shares: &Shares,
    ) -> Option<i128> {
        let position = self.exchange.positions.get(&(market.raw(), account.raw()))?;
        Some(shares.floor(shares.exact(&position.stands)))
    }

    /// What standing between selections brought the house by a result: all positions lost so much together.
    fn between(&self, market: MarketId, shares: &Shares) -> i128 {
        let accounts = self.exchange.places.get(&market.raw()).map(|place| &place.accounts);
        let of = |account: &AccountId| self.exchange.positions.get(&(market.raw(), account.raw()));
        let positions = accounts.into_iter().flatten().filter_map(of);
        let won = positions.map(|position| shares.exact(&position.stands)).sum::<i128>();
        shares.floor(-won)
    }

    /// Commission on what was won in a market, to the nearest minor unit and halves up.
    fn commission(&self, market: MarketId, account: AccountId, net: i128) -> i128 {
        let rate = self.exchange.places.get(&market.raw()).map_or(0, |of| of.terms.commission);
        let discount = self.exchange.discounts.get(&account.raw()).copied().unwrap_or(0);
        let parts = net.max(0) * i128::from(rate) * (E4 - i128::from(discount));
        (parts + E4 * E4 / 2).div_euclid(E4 * E4)
    }

    pub(super) fn position_settled(&mut self, settled: &PositionSettled, due: &mut Vec<Transfer>) {
        let (market, account) = (settled.market, settled.account);
        let at = (market.raw(), account.raw());
        let results = self.exchange.places.get(&market.raw()).map(|place| &place.results);
        let results = results.into_iter().flatten().flatten();
        let (net, fee) = (i128::from(settled.net.0), i128::from(settled.commission.0));
        // A result that came while the job was at work is for the next one.
        let right = results.filter_map(|result| self.shares(market, result)).any(|shares| {
            let due = self.net(market, account, &shares);
            due == Some(net) && self.commission(market, account, net) == fee
        });
        self.must(Rule::Positions, right, || {
            format!(
                "{account} is settled in {market} at {} less {}, its orders came out otherwise",
                settled.net, settled.commission
            )
        });
        let kept = self.markets.get(&market.raw());
        let by_job = kept.is_some_and(|market| {
            (market.running, market.settlement) == (Some(settled.job), settled.settlement)
        });
        let currency = self.exchange.places.get(&market.raw()).map_or(0, |of| of.terms.currency);
        let Some(position) = self.exchange.positions.get_mut(&at) else {
            return self.broken(Rule::Positions, || format!("{account} has nothing in {market}"));
        };
        position.settlements += 1;
        let told = (settled.net, settled.commission);
        let once = position.posted.replace(told).is_none();
        let version = settled.version == position.settlements;
        let held = std::mem::take(&mut position.held);
        self.must(Rule::Positions, once && version && by_job, || {
            format!("{account} is settled in {market} again, or by another job or version")
        });
        self.counts.positions += 1;
        *self.stakes.entry(currency).or_default() -= held;
        if held != 0 {
            due.push(exposure(account, currency, -held));
        }
        let clearing = HouseAccount::Clearing;
        due.extend(between(account, currency, clearing, net, TransferWhy::Net));
        let fees = HouseAccount::Commission;
        due.extend(between(account, currency, fees, -fee, TransferWhy::Commission));
    }

    pub(super) fn position_reversed(
        &mut self,
        reversed: &PositionReversed,
        due: &mut Vec<Transfer>,
    ) {
        let (market, account) = (reversed.market, reversed.account);
        let running = self.markets.get(&market.raw()).and_then(|market| market.running);
        let currency = self.exchange.places.get(&market.raw()).map_or(0, |of| of.terms.currency);
        let position = self.exchange.positions.get_mut(&(market.raw(), account.raw()));
        let posted = position.and_then(|position| {
            let version = position.settlements;
            position.posted.take().map(|posted| (posted, version))
        });
        let Some(((net, fee), version)) = posted else {
            return self.broken(Rule::Reversal, || {
                format!("{account} has no settlement in {market} to take back")
            });
        };
        let same = (reversed.net, reversed.commission, reversed.version) == (net, fee, version);
        self.must(Rule::Reversal, same && running == Some(reversed.job), || {
            format!("{account} in {market}: what is taken back is not what was settled last")
        });
        self.counts.reversed += 1;
        let why = if Minor(0) < net { TransferWhy::Reverse } else { TransferWhy::Net };
        let (clearing, fees) = (HouseAccount::Clearing, HouseAccount::Commission);
        due.extend(between(account, currency, clearing, -i128::from(net.0), why));
        due.extend(between(account, currency, fees, fee.0.into(), TransferWhy::Commission));
        self.exchange.reversed.push((market, account, (net, fee)));
    }

    /// After a record: what it took back came out otherwise, or is open without a result.
    pub(super) fn positions_reversed(&mut self) {
        for (market, account, before) in std::mem::take(&mut self.exchange.reversed) {
            let position = self.exchange.positions.get(&(market.raw(), account.raw()));
            let place = self.exchange.places.get(&market.raw());
            let results = place.map(|place| &place.results).into_iter().flatten();
            let right = match position.and_then(|position| position.posted) {
                Some(posted) => posted != before,
                None => results.into_iter().any(Option::is_none),
            };
            self.must(Rule::Reversal, right, || {
                format!("{account} in {market}: nothing came out otherwise")
            });
            self.is_held(market, account);
        }
    }

    pub(super) fn exchange_cleared(&mut self, cleared: &ExchangeCleared, due: &mut Vec<Transfer>) {
        let market = cleared.market;
        let by_job = self.exchange.ended == Some((market, cleared.job));
        let told = (cleared.crossing, cleared.residue);
        let Some(place) = self.exchange.places.get_mut(&market.raw()) else {
            return self.broken(Rule::Positions, || format!("{market} is no exchange"));
        };
        let currency = place.terms.currency;
        let before = (place.crossing, place.residue);
        (place.crossing, place.residue) = told;
        let right = told != before && by_job && cleared.currency == currency;
        self.must(Rule::Positions, right, || format!("{market} is cleared again, or by no job"));
        let moves = [
            (HouseAccount::Crossing, i128::from(told.0.0) - i128::from(before.0.0)),
            (HouseAccount::Rounding, i128::from(told.1.0) - i128::from(before.1.0)),
        ];
        for (to, more) in moves.into_iter().filter(|(_, more)| *more != 0) {
            let house = |which| LedgerAccount::house(which, currency);
            let (from, to) = (house(HouseAccount::Clearing), house(to));
            let (from, to) = if 0 < more { (from, to) } else { (to, from) };
            due.push(moved(from, to, more, currency, TransferWhy::Residue));
        }
    }

    /// A job that settled a market is over: what the house has of it is what all positions in it lost.
    pub(super) fn clearing_ends(&mut self) {
        let Some((market, _)) = self.exchange.ended.take() else { return };
        let Some(place) = self.exchange.places.get(&market.raw()) else { return };
        let (crossing, residue) = (i128::from(place.crossing.0), i128::from(place.residue.0));
        let of = |account: &AccountId| {
            self.exchange.positions.get(&(market.raw(), account.raw()))?.posted
        };
        let posted: Vec<(Minor, Minor)> = place.accounts.iter().filter_map(of).collect();
        let paid = posted.iter().map(|(net, _)| i128::from(net.0)).sum::<i128>();
        let whole = crossing + residue == -paid && (0..=posted.len() as i128).contains(&residue);
        let results = place.results.iter().flatten();
        let shares = results.filter_map(|result| self.shares(market, result));
        let mut between = shares.map(|shares| self.between(market, &shares));
        let exact = posted.is_empty() || between.any(|between| between == crossing);
        self.must(Rule::Positions, whole && exact, || {
            format!("{market} leaves {crossing} and {residue}, all positions won {paid}")
        });
    }
}

/// So much more is held, below zero less.
fn exposure(account: AccountId, currency: u16, more: i128) -> Transfer {
    let (own, escrow) =
        (LedgerAccount::customer(account), LedgerAccount::house(HouseAccount::Escrow, currency));
    let (from, to) = if 0 < more { (own, escrow) } else { (escrow, own) };
    moved(from, to, more, currency, TransferWhy::Exposure)
}

/// So much goes from the house to an account, below zero the other way; nothing moves nothing.
fn between(
    account: AccountId,
    currency: u16,
    house: HouseAccount,
    amount: i128,
    why: TransferWhy,
) -> Option<Transfer> {
    let (own, house) = (LedgerAccount::customer(account), LedgerAccount::house(house, currency));
    let (from, to) = if 0 < amount { (house, own) } else { (own, house) };
    (amount != 0).then(|| moved(from, to, amount, currency, why))
}

fn moved(
    from: LedgerAccount,
    to: LedgerAccount,
    amount: i128,
    currency: u16,
    why: TransferWhy,
) -> Transfer {
    let amount = Minor(i64::try_from(amount.abs()).unwrap_or(i64::MAX));
    Transfer { from, to, amount, bet: BetId::NONE, currency, why: why as u8, zero: [0; 5] }
}
