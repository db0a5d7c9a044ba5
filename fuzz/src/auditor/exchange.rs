//! Exchange markets as the rules have them: every order with what became of it, in the order in which they came, and the
//! [`NaiveBook`] of each market. What an account has, what it may lose and what it is paid is added up from its orders
//! each time.
//!
//! What a command does is predicted to the last event. So is what a job does with an order or a position, and in which
//! turn; only how far it gets in one Step is taken from the record. What a job passes over without a word it may have
//! passed over before something else was known: then each of the places where it may be is followed until the record
//! shows which it was ([`Walk`]).

mod change;
mod clear;
mod compare;
mod define;
mod jobs;
mod meet;
mod place;
mod starting;

use super::own_limits::Counted;
use super::{Account, Auditor, Checked, Market, Side as Party, money, rule};
use crate::naive_book::NaiveBook;
use betring_core::OrderState;
use betring_core::answer::{Answer, Fate};
use betring_core::book::Side;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::wire::{Header, Minor};
use std::collections::{BTreeMap, BTreeSet};
use zerocopy::IntoBytes;

pub(super) use clear::in_parts;
use jobs::Walk;

/// Ten-thousandths of a whole.
const WHOLE: i128 = 10_000;
/// Orders of an account that may wait in a market.
const WAITING_IN_A_MARKET: usize = 1_000;
/// Orders that may wait for a delay.
const TIMERS: usize = 1 << 20;

/// An order, from its placing until it leaves memory.
#[derive(Clone, Debug)]
pub(super) struct Order {
    account: u64,
    market: u64,
    selection: usize,
    side: Side,
    kind: OrderKind,
    persistence: Persistence,
    self_match: u8,
    flags: u8,
    /// In ten-thousandths; 0: none.
    limit: u32,
    size: i64,
    left: i64,
    matched: i64,
    cancelled: i64,
    lapsed: i64,
    returns: i128,
    /// What was matched of it and returns, each time that the price was another.
    prices: Vec<(i64, i128)>,
    /// In a line market what was matched of it, by line.
    lines: BTreeMap<usize, i64>,
    min_fill: i64,
    room: i128,
    reference: u128,
    version: u64,
    placed_seq: u64,
    placed_at: i64,
    until: i64,
    state: OrderState,
    /// Its runner was withdrawn.
    void: bool,
    /// Its number in the book, while it is there.
    number: Option<u64>,
}

impl Order {
    fn on_close(&self) -> bool {
        self.kind != OrderKind::Limit
    }

    fn is_stale(&self, version: u64) -> bool {
        self.version != 0 && self.version < version
    }

    /// What it brings if a selection wins, and what if not, in ten-thousandths of a minor unit: of what was matched there.
    fn brings(&self) -> Vec<(usize, i128, i128)> {
        if self.void {
            return Vec::new();
        }
        if !self.lines.is_empty() {
            let sign = if self.side == Side::Back { WHOLE } else { -WHOLE };
            let one = |(line, stake): (&usize, &i64)| {
                let stake = sign * i128::from(*stake);
                (*line, stake, -stake)
            };
            return self.lines.iter().map(one).collect();
        }
        let staked = i128::from(self.matched) * WHOLE;
        match self.side {
            Side::Back => vec![(self.selection, self.returns - staked, -staked)],
            Side::Lay => vec![(self.selection, staked - self.returns, staked)],
        }
    }

    /// What it may lose beside that if its selection wins, and if it does not: of what waits.
    fn risks(&self) -> (i128, i128) {
        let left = i128::from(self.left);
        match self.side {
            Side::Back => (0, left * WHOLE),
            Side::Lay if self.on_close() => (left * WHOLE, 0),
            Side::Lay => (left * (i128::from(self.limit) - WHOLE), 0),
        }
    }
}

/// What an account has in a market.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    held: i128,
    /// Net winnings and commission, once it is settled.
    settled: Option<(i128, i128)>,
    settlements: u32,
    counted: Counted,
}

/// An exchange market with its terms.
#[derive(Clone, Debug)]
pub(super) struct Trading {
    terms: SetExchange,
    /// In ten-thousandths, shortest first.
    prices: Vec<u32>,
    book: NaiveBook,
    /// The orders by their numbers in the book.
    in_book: BTreeMap<u64, u64>,
    runs: Vec<bool>,
    /// What was matched, by selection and price.
    traded: BTreeMap<(usize, u32), i128>,
    /// By selection, once the market has turned in-play; that is when they are made, and never again.
    starting: Vec<u32>,
    started: bool,
    /// When something material happened to it, beside suspensions.
    changed: u64,
    /// Oldest first.
    orders: Vec<u64>,
    /// Whose positions, oldest first.
    accounts: Vec<u64>,
    scope: u8,
    /// Which runner was withdrawn last, and its factor.
    withdrawn: (usize, u16),
    crossing: i128,
    residue: i128,
    /// Where its job may be.
    walks: Vec<Walk>,
    /// An order left memory while a job went over the others: how many that handles is not known.
    thinned: bool,
}

impl Trading {
    fn has(&self, flag: u8) -> bool {
        self.terms.flags & flag != 0
    }

    /// Whether there will be starting prices.
    fn starts(&self) -> bool {
        self.has(SetExchange::STARTING_PRICES) && !self.started
    }

    fn has_lines(&self) -> bool {
        self.has(SetExchange::LINES)
    }

    fn tick(&self, odds: u32) -> Option<usize> {
        self.prices.binary_search(&odds).ok()
    }
}

/// All exchange markets.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    markets: BTreeMap<u64, Trading>,
    orders: BTreeMap<u64, Order>,
    /// By market and account.
    positions: BTreeMap<(u64, u64), Position>,
    /// What is taken off commission, by account.
    discounts: BTreeMap<u64, u16>,
    /// Positions that this command changed, in turn.
    touched: Vec<(u64, u64)>,
    /// Ends of delays that may still have their places, by time and then by turn.
    timers: BTreeSet<(i64, u64, u64)>,
    turn: u64,
    /// Orders of which nothing was matched and nothing waits, in the order in which that came.
    spent: Vec<u64>,
    /// Blocks of stands: if a market that leaves memory gives back its own at its end, and if at its beginning.
    stands: [Blocks; 2],
}

/// Blocks of a power of two, which are given back but never split.
#[derive(Clone, Debug, Default)]
struct Blocks {
    taken: u32,
    free: BTreeMap<u32, u32>,
}

impl Blocks {
    fn has_room(&self, selections: usize, room: u32) -> bool {
        let size = (selections as u32).next_power_of_two();
        self.free.get(&size).is_some_and(|free| 0 < *free) || self.taken + size <= room
    }

    fn take(&mut self, selections: usize) {
        let size = (selections as u32).next_power_of_two();
        match self.free.get_mut(&size) {
            Some(free) if 0 < *free => *free -= 1,
            _ => self.taken += size,
        }
    }

    fn give_back(&mut self, selections: usize, count: usize) {
        *self.free.entry((selections as u32).next_power_of_two()).or_default() += count as u32;
    }
}

/// The worst of all outcomes with so many winners, by what each selection brings if it wins and if not.
fn worst_of(selections: &[(i128, i128)], winners: usize) -> i128 {
    let winners = winners.min(selections.len());
    // By how many have won so far.
    let mut worst: Vec<Option<i128>> = vec![None; winners + 1];
    worst[0] = Some(0);
    for (wins, loses) in selections {
        for won in (0..=winners).rev() {
            let not = worst[won].map(|sum| sum + loses);
            let does = won.checked_sub(1).and_then(|before| worst[before]).map(|sum| sum + wins);
            worst[won] = not.into_iter().chain(does).min();
        }
    }
    worst[winners].unwrap_or(0)
}

/// What lines bring at worst, the lowest first: wherever the result is, also exactly on one of them.
fn worst_of_lines(lines: &[(i128, i128)]) -> i128 {
    let at = |result: usize| -> i128 {
        let became = clear::lines_at(result, lines.len());
        let one = |((wins, loses), won): (&(i128, i128), Option<bool>)| match won {
            Some(true) => *wins,
            Some(false) => *loses,
            None => 0,
        };
        lines.iter().zip(became).map(one).sum()
    };
    (0..=2 * lines.len()).map(at).min().unwrap_or(0)
}

impl Auditor {
    /// Whether a market is defined as an exchange.
    pub(crate) fn is_exchange(&self, id: MarketId) -> bool {
        self.markets.get(&id.raw()).is_some_and(|market| market.exchange)
    }

    /// Why an exchange market takes no orders now on any of its selections; none if it does.
    pub(crate) fn why_no_orders(&self, id: MarketId) -> Option<Reject> {
        let open = || (0..self.selections(id)).map(|at| self.takes_bets(id, at).map(|_| ()));
        let any = open().find(Result::is_ok).or_else(|| open().next())?;
        self.find_trading(id).and(self.is_at_rest(id)).and(any).err().and_then(|no| no.reject())
    }

    /// Whether the selections of a market are lines.
    pub(crate) fn has_lines(&self, id: MarketId) -> bool {
        self.exchange.markets.get(&id.raw()).is_some_and(Trading::has_lines)
    }

    /// How many selections of a market win.
    pub(crate) fn winners(&self, id: MarketId) -> usize {
        self.markets.get(&id.raw()).map_or(1, |market| market.winners)
    }

    /// The selections of a market that were withdrawn.
    pub(crate) fn withdrawn(&self, id: MarketId) -> Vec<usize> {
        let runners = self.markets.get(&id.raw()).map_or(&[][..], |market| &market.runners);
        (0..runners.len()).filter(|at| runners[*at].out).collect()
    }

    /// The prices of an exchange market, shortest first, in ten-thousandths.
    pub(crate) fn exchange_prices(&self, id: MarketId) -> &[u32] {
        self.exchange.markets.get(&id.raw()).map_or(&[], |trading| &trading.prices)
    }

    /// The currency of an exchange market.
    pub(crate) fn exchange_currency(&self, id: MarketId) -> Option<u16> {
        self.exchange.markets.get(&id.raw()).map(|trading| trading.terms.currency)
    }

    /// An account's currency.
    pub(crate) fn currency(&self, id: AccountId) -> Option<u16> {
        self.accounts.get(&id.raw()).map(|account| account.currency)
    }

    /// Orders in memory: which, whose, in which market, and whether something of them waits.
    pub(crate) fn orders(&self) -> impl Iterator<Item = (OrderId, AccountId, MarketId, bool)> + '_ {
        self.exchange.orders.iter().map(|(id, order)| {
            let (account, market) = (AccountId::from_raw(order.account), order.market);
            let waits = order.state.waits();
            (OrderId::from_raw(*id), account, MarketId::from_raw(market), waits)
        })
    }

    /// The version of an exchange market, as a customer may have seen it.
    pub(crate) fn market_version(&self, id: MarketId) -> Seq {
        Seq(self.version_of(id.raw()))
    }

    fn trading(&mut self, market: u64) -> &mut Trading {
        self.exchange.markets.get_mut(&market).expect("an exchange market with its terms")
    }

    fn order(&self, id: u64) -> &Order {
        &self.exchange.orders[&id]
    }

    fn order_mut(&mut self, id: u64) -> &mut Order {
        self.exchange.orders.get_mut(&id).expect("an order that was placed")
    }

    /// When something material happened last: to the market itself, or to what suspends it.
    fn version_of(&self, id: u64) -> u64 {
        let changed = self.exchange.markets.get(&id).map_or(0, |trading| trading.changed);
        let market = self.markets.get(&id);
        changed.max(market.map_or(0, |market| self.last_suspended_as_market(market)))
    }

    fn orders_of(&self, market: u64, account: u64) -> impl Iterator<Item = (u64, &Order)> {
        let all = self.exchange.markets.get(&market).map_or(&[][..], |trading| &trading.orders);
        let all = all.iter().map(|id| (*id, self.order(*id)));
        all.filter(move |(_, order)| order.account == account)
    }

    /// What an account may lose in a market at worst, with some more orders that wait, in whole minor units.
    fn exposure<'a>(
        &'a self,
        market: u64,
        account: u64,
        more: impl Iterator<Item = &'a Order>,
    ) -> i128 {
        let Some(trading) = self.exchange.markets.get(&market) else { return 0 };
        let winners = self.markets.get(&market).map_or(1, |market| market.winners);
        let mut selections = vec![(0, 0); trading.runs.len()];
        let own = self.orders_of(market, account).map(|(_, order)| order);
        for order in own.chain(more) {
            let (if_won, if_lost) = order.risks();
            let sums = &mut selections[order.selection];
            *sums = (sums.0 - if_won, sums.1 - if_lost);
            for (selection, wins, loses) in order.brings() {
                let sums = &mut selections[selection];
                *sums = (sums.0 + wins, sums.1 + loses);
            }
        }
        let running = selections.into_iter().zip(&trading.runs).filter(|(_, runs)| **runs);
        let running: Vec<(i128, i128)> = running.map(|(sums, _)| sums).collect();
        let loss = match trading.has_lines() {
            true => -worst_of_lines(&running),
            false => -worst_of(&running, winners),
        };
        if loss <= 0 { 0 } else { (loss + WHOLE - 1) / WHOLE }
    }

    /// The position of an order is looked at once more when its command is over.
    fn touch(&mut self, market: u64, account: u64) {
        if !self.exchange.touched.contains(&(market, account)) {
            self.exchange.touched.push((market, account));
        }
    }

    /// What every account may lose goes into escrow, or comes back: the position that was changed last is first.
    fn hold_exposures(&mut self) {
        while let Some((market, account)) = self.exchange.touched.pop() {
            self.hold_exposure(market, account);
        }
    }

    fn hold_exposure(&mut self, market: u64, account: u64) {
        let worst = self.exposure(market, account, std::iter::empty());
        let position = self.exchange.positions.entry((market, account)).or_default();
        let more = worst - position.held;
        if position.settled.is_some() || more == 0 {
            return;
        }
        position.held = worst;
        let escrow = Party::House(HouseAccount::Escrow);
        // While a job runs it may be more than there is.
        let own = match self.has_job(market) {
            true => Party::Debtor(account),
            false => Party::Customer(account),
        };
        let (from, to) = match 0 < more {
            true => (own, escrow),
            false => (escrow, Party::Customer(account)),
        };
        let owed = matches!(from, Party::Debtor(_));
        self.counts_position(market, account, |counted, own, now| {
            counted.holds(own, more, owed, now);
        });
        let currency = self.exchange.markets[&market].terms.currency;
        self.transfer(currency, from, to, more.abs(), TransferWhy::Exposure, 0);
        self.told.push(Event::ExposureHeld(ExposureHeld {
            account: AccountId::from_raw(account),
            market: MarketId::from_raw(market),
            held: money(worst),
        }));
    }

    fn counts_position(
        &mut self,
        market: u64,
        account: u64,
        count: impl FnOnce(&mut Counted, &mut Account, i64),
    ) {
        let position = self.exchange.positions.get_mut(&(market, account));
        if let Some((position, own)) = position.zip(self.accounts.get_mut(&account)) {
            count(&mut position.counted, own, self.now);
        }
    }

    /// What is held in a currency for what may be lost in exchange markets.
    pub(super) fn held_on_exchanges(&self, currency: u16) -> i128 {
        let own = |(market, _): &(u64, u64)| {
            self.exchange.markets.get(market).is_some_and(|m| m.terms.currency == currency)
        };
        let positions = self.exchange.positions.iter().filter(|(key, _)| own(key));
        positions.map(|(_, position)| position.held).sum()
    }

    /// What the orders of an account may bring it: at most, and without those that may have left memory.
    pub(super) fn room_of_orders(&self, account: u64) -> (i128, i128) {
        let own = || self.exchange.orders.values().filter(|order| order.account == account);
        let stays = own().filter(|order| !self.is_archiving(order.market));
        (own().map(|order| order.room).sum(), stays.map(|order| order.room).sum())
    }

    /// Orders that take a place, at least and at most.
    pub(super) fn orders_in_memory(&self) -> (i64, i64) {
        let all = self.exchange.orders.values();
        let leaving = all.clone().filter(|order| self.is_archiving(order.market)).count();
        ((all.len() - leaving) as i64, all.len() as i64)
    }

    /// The same without those that make room for others.
    pub(super) fn orders_that_stay(&self) -> (i64, i64) {
        let (least, most) = self.orders_in_memory();
        let stay = |id: &&u64| !self.is_archiving(self.exchange.orders[*id].market);
        let leaving = self.exchange.spent.iter().filter(|id| !stay(id)).count() as i64;
        let staying = self.exchange.spent.len() as i64 - leaving;
        (least - staying, most - staying)
    }

    /// A new order has its place: if another has it still, that is the one that has been spent for longest.
    fn takes_place(&mut self, id: u64) -> Checked {
        let same = |other: &&u64| **other as u32 == id as u32;
        let Some(old) = self.exchange.orders.keys().find(same).copied() else { return Ok(()) };
        let market = self.exchange.orders[&old].market;
        if self.is_archiving(market) {
            return Ok(());
        }
        let full = self.exchange.orders.len() >= self.capacities.orders as usize;
        let stays = |other: &&u64| !self.is_archiving(self.exchange.orders[*other].market);
        let first = self.exchange.spent.iter().find(stays).copied();
        rule(full && first == Some(old), || {
            format!("order {id:#x} takes the place of {old:#x}, and {first:?} is to make room")
        })?;
        self.exchange.spent.retain(|other| *other != old);
        self.exchange.orders.remove(&old);
        let kind = self.kind_of_job(market);
        let trading = self.trading(market);
        let at = trading.orders.iter().position(|other| *other == old).unwrap_or(usize::MAX);
        trading.orders.retain(|other| *other != old);
        if let Ok(kind) = kind {
            trading.thinned = true;
            trading.walks.iter_mut().for_each(|walk| walk.steps_over(kind, at));
        }
        Ok(())
    }

    fn is_archiving(&self, market: u64) -> bool {
        let market = self.markets.get(&market);
        market.is_some_and(|market| market.status == MarketStatus::Archiving)
    }

    /// What may be said of an order whose request is repeated.
    pub(super) fn fates_of_order(&self, id: u64) -> Vec<(Fate, Minor)> {
        let gone = (Fate::Archived, Minor(0));
        let Some(order) = self.exchange.orders.get(&id) else { return vec![gone] };
        let fate = match order.state {
            OrderState::Pending => (Fate::Waiting, Minor(0)),
            OrderState::Executable => (Fate::Executable, Minor(0)),
            OrderState::ExecutionComplete => (Fate::ExecutionComplete, Minor(order.matched)),
            OrderState::Expired => (Fate::Expired, Minor(0)),
            OrderState::Archived => return vec![gone],
        };
        let leaves = self.is_archiving(order.market);
        std::iter::once(fate).chain(leaves.then_some(gone)).collect()
    }

    /// A market with a book.
    fn find_trading(&self, id: MarketId) -> Result<(&Market, &Trading), Answer> {
        let market = self.markets.get(&id.raw()).ok_or_else(|| self.no(Reject::MarketUnknown))?;
        let trading = self.exchange.markets.get(&id.raw());
        trading.map(|trading| (market, trading)).ok_or_else(|| self.no(Reject::InvalidMarketId))
    }

    /// While a job changes the orders of a market, nobody else does.
    fn is_at_rest(&self, id: MarketId) -> Result<(), Answer> {
        if self.has_job(id.raw()) { Err(self.no(Reject::MarketSuspended)) } else { Ok(()) }
    }

    fn account_that_orders(&self, header: &Header) -> Result<u64, Answer> {
        let account = self.accounts.get(&header.account);
        let account = account.ok_or_else(|| self.no(Reject::AccountUnknown))?;
        let probe = account.synthetic || header.flags & Header::SYNTHETIC != 0;
        if account.external || probe {
            return Err(self.no(Reject::AccountKind));
        }
        self.may_bet(header.account)?;
        Ok(header.account)
    }

    fn may_bet(&self, account: u64) -> Result<(), Answer> {
        let account = &self.accounts[&account];
        if account.blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        self.excluded(account)
    }
}

/// Words for what the auditor alone can say of a match in a line market.
const AT_ITS_LINE: &str = "matched at its line";
const AT_A_BETTER_LINE: &str = "matched at a better line";

/// What an event says of an order or a position, in a few words.
pub(super) fn word_of(event: &Event) -> Option<String> {
    Some(match event {
        Event::OrderMatched(matched) => format!("matched {}", Match::from_code(matched.how)?),
        Event::OrderCut(cut) => format!("cut {}", Cut::from_code(cut.why)?),
        Event::OrderPlaced(placed) => {
            let kind = OrderKind::from_code(placed.kind)?;
            format!("placed {kind}{}", if placed.until.0 == 0 { "" } else { " to wait" })
        }
        Event::OrderBegan(_) => "begun".to_owned(),
        Event::OrderChanged(changed) => format!("changed {}", OrderKind::from_code(changed.kind)?),
        Event::OrderReduced(reduced) if reduced.after_e4 == 0 => "void".to_owned(),
        Event::OrderReduced(_) => "reduced".to_owned(),
        Event::StartingPrice(price) if price.price_e4 == 0 => "no starting price".to_owned(),
        Event::StartingPrice(_) => "starting price".to_owned(),
        Event::PositionSettled(_) => "settled".to_owned(),
        Event::PositionReversed(_) => "reversed".to_owned(),
        Event::ExchangeCleared(_) => "cleared".to_owned(),
        _ => return None,
    })
}

/// All such words.
pub(super) fn words() -> Vec<String> {
    let matched = Match::ALL.iter().map(|how| format!("matched {how}"));
    let cut = Cut::ALL.iter().map(|why| format!("cut {why}"));
    let kinds = OrderKind::ALL.iter().map(|kind| format!("placed {kind}"));
    let others = [
        AT_ITS_LINE,
        AT_A_BETTER_LINE,
        "placed Limit to wait",
        "begun",
        "changed Limit",
        "changed MarketOnClose",
        "void",
        "reduced",
        "no starting price",
        "starting price",
        "settled",
        "reversed",
        "cleared",
    ];
    matched.chain(cut).chain(kinds).chain(others.map(str::to_owned)).collect()
}

/// An answer about one of several entries, or about orders that were not placed again.
fn detailed(mut answer: Answer, detail: u8) -> Answer {
    answer.as_mut_bytes()[3] = detail;
    answer
}

/// Whether what a stake wins in whole minor units is not more than a fifth below what it should win, and not more than
/// a quarter above.
fn is_fair(stake: i64, odds: u32) -> bool {
    let exact = i128::from(stake) * (i128::from(odds) - WHOLE);
    let whole = (2 * exact + WHOLE).div_euclid(2 * WHOLE) * WHOLE;
    exact * 4 <= whole * 5 && whole * 4 <= exact * 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_is_the_worst_of_all_choices_of_winners() {
        // Laid twice at 5.00, 10.00 each: with one winner 30.00 are lost, with two 80.00.
        let lays = [(-4_000, 1_000), (-4_000, 1_000), (0, 0)];
        assert_eq!(worst_of(&lays, 1), -3_000);
        assert_eq!(worst_of(&lays, 2), -8_000);
        // There are not more winners than selections.
        assert_eq!(worst_of(&lays[..1], 2), -4_000);
    }

    #[test]
    fn a_buy_and_a_sell_at_a_higher_line_are_worst_outside_of_both() {
        let (buys, sells) = ((-10, 10), (12, -12));
        assert_eq!(worst_of_lines(&[buys, (0, 0), sells]), -2);
        assert_eq!(worst_of_lines(&[sells, (0, 0), buys]), -22);
    }

    #[test]
    fn what_a_stake_wins_may_be_a_fifth_less_and_a_quarter_more() {
        // A penny at 1.50 wins half a penny, which is one: twice as much.
        assert!(!is_fair(1, 15_000));
        // 4 at 1.20 win 0.8, which is one: a quarter more. 5 at 1.25 win 1.25, which is one: a fifth less.
        assert!(is_fair(4, 12_000));
        assert!(is_fair(5, 12_500));
        assert!(!is_fair(4, 11_900));
    }
}
