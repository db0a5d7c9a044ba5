//! What accounts won and lost in a market is paid: exact over all of an account's orders, rounded down once, less
//! commission. What all of them leave is the house's.

use super::super::settle::numbers_of;
use super::super::{Auditor, Side as Party, money};
use super::jobs::Walk;
use super::{Position, WHOLE};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_pricing::LegNumbers;

/// Parts of a whole win, at most.
const PARTS: u64 = 1 << 20;

/// Of how many parts a whole win is, and how many of them each selection won; none where bets are off.
pub(in super::super) type Result = (i128, Vec<Option<i128>>);

fn common(one: u64, other: u64) -> u64 {
    (1..).map(|times| times * one).find(|sum| sum % other == 0).unwrap_or(one)
}

/// A result in whole parts, if it is one for an exchange: nothing void in part, and exactly as much won as there are
/// winners, unless all is void; of lines, some result that makes them so. Each entry with whether its selection was withdrawn: then it is void, whatever the result
/// says of it.
pub(in super::super) fn in_parts(
    entries: impl Iterator<Item = (ResultEntry, bool)>,
    winners: usize,
    lines: bool,
) -> Option<Result> {
    let numbers = entries.map(|(entry, out)| match out {
        true => LegNumbers::VOID,
        false => numbers_of(&entry, winners, 0),
    });
    let numbers: Vec<LegNumbers> = numbers.collect();
    let mut whole = 1;
    for numbers in &numbers {
        whole = common(whole, u64::from(numbers.win.den().max(1)));
        let part_void = !numbers.void.is_all() && numbers.void.num() != 0;
        if PARTS < whole || part_void {
            return None;
        }
    }
    let won: Vec<Option<i128>> = numbers
        .iter()
        .map(|numbers| {
            let share = u64::from(numbers.win.num()) * whole / u64::from(numbers.win.den().max(1));
            (!numbers.void.is_all()).then_some(i128::from(share))
        })
        .collect();
    let sum: i128 = won.iter().flatten().sum();
    let good = match lines {
        true => (0..=2 * won.len()).any(|result| {
            let parts = |won: bool| if won { i128::from(whole) } else { 0 };
            lines_at(result, won.len()).map(|won| won.map(parts)).eq(won.iter().copied())
        }),
        false => sum == winners as i128 * i128::from(whole),
    };
    let good = good || won.iter().all(Option::is_none);
    good.then_some((i128::from(whole), won))
}

/// Which lines win, the lowest first, if the result is below the first (0), exactly on it (1), between it and the next (2),
/// and so on; none for the one that it is on.
pub(super) fn lines_at(result: usize, lines: usize) -> impl Iterator<Item = Option<bool>> {
    (0..lines).map(move |line| (result != 2 * line + 1).then_some(result <= 2 * line))
}

impl Auditor {
    /// What is known of a market now.
    pub(super) fn result_of(&self, market: u64) -> Option<Result> {
        let known = self.markets.get(&market)?;
        let entries: Option<Vec<(ResultEntry, bool)>> =
            known.runners.iter().map(|runner| Some((runner.result?, runner.out))).collect();
        in_parts(entries?.into_iter(), known.winners, self.has_lines(MarketId::from_raw(market)))
    }

    /// What an account won in a market: exact, in ten-thousandths and parts of a whole; rounded; and its commission.
    fn due_to(&self, market: u64, account: u64, (whole, won): &Result) -> (i128, i128, i128) {
        let one = |(selection, wins, loses): (usize, i128, i128)| match won[selection] {
            None => 0,
            Some(parts) => wins * parts + loses * (whole - parts),
        };
        let all = self.orders_of(market, account).flat_map(|(_, order)| order.brings());
        let exact: i128 = all.map(one).sum();
        let net = exact.div_euclid(WHOLE * whole);
        let discount = self.exchange.discounts.get(&account).copied().unwrap_or(0);
        let rate = i128::from(self.exchange.markets[&market].terms.commission);
        // In parts of 10^8; half of one is a whole one.
        let fee = net.max(0) * rate * (WHOLE - i128::from(discount));
        let fee = (fee + WHOLE * WHOLE / 2) / (WHOLE * WHOLE);
        (exact, net, fee)
    }

    /// A position is brought to what is known.
    pub(super) fn settles(&mut self, market: u64, account: u64, walk: &mut Walk) {
        let due = walk.result.as_ref().map(|result| self.due_to(market, account, result));
        if let Some((exact, net, _)) = due {
            walk.exact += exact;
            walk.paid += net;
        }
        let due = due.map(|(_, net, fee)| (net, fee));
        let posted = self.exchange.positions[&(market, account)].settled;
        if posted.is_some() && posted == due {
            return;
        }
        if let Some(posted) = posted {
            self.takes_back(market, account, posted);
        }
        match due {
            Some(due) => self.pays_position(market, account, due),
            None => self.touch(market, account),
        }
    }

    fn position(&mut self, market: u64, account: u64) -> &mut Position {
        self.exchange.positions.entry((market, account)).or_default()
    }

    fn job_of(&self, market: u64) -> JobId {
        let job = self.markets.get(&market).and_then(|market| market.job);
        JobId(job.map_or(0, |(job, _)| job))
    }

    fn pays_position(&mut self, market: u64, account: u64, (net, fee): (i128, i128)) {
        let currency = self.exchange.markets[&market].terms.currency;
        let held = std::mem::take(&mut self.position(market, account).held);
        self.counts_position(market, account, |counted, own, now| {
            counted.settles(own, held, (net, fee), now);
        });
        let (own, debtor) = (Party::Customer(account), Party::Debtor(account));
        let [escrow, clearing, fees] =
            [HouseAccount::Escrow, HouseAccount::Clearing, HouseAccount::Commission]
                .map(Party::House);
        let moves = [
            (escrow, own, held, TransferWhy::Exposure),
            (debtor, clearing, -net, TransferWhy::Net),
            (clearing, own, net, TransferWhy::Net),
            (debtor, fees, fee, TransferWhy::Commission),
        ];
        for (from, to, amount, why) in moves {
            if 0 < amount {
                self.transfer(currency, from, to, amount, why, 0);
            }
        }
        let position = self.position(market, account);
        position.settled = Some((net, fee));
        position.settlements += 1;
        let version = position.settlements;
        let settlement = self.markets[&market].settlement;
        self.told.push(Event::PositionSettled(PositionSettled {
            account: AccountId::from_raw(account),
            market: MarketId::from_raw(market),
            job: self.job_of(market),
            net: money(net),
            commission: money(fee),
            settlement,
            version,
        }));
    }

    fn takes_back(&mut self, market: u64, account: u64, (net, fee): (i128, i128)) {
        self.counts_position(market, account, |counted, own, now| counted.reverses(own, fee, now));
        let currency = self.exchange.markets[&market].terms.currency;
        let (own, debtor) = (Party::Customer(account), Party::Debtor(account));
        let [clearing, fees] = [HouseAccount::Clearing, HouseAccount::Commission].map(Party::House);
        let moves = [
            (fees, own, fee, TransferWhy::Commission),
            (debtor, clearing, net, TransferWhy::Reverse),
            (clearing, own, -net, TransferWhy::Net),
        ];
        for (from, to, amount, why) in moves {
            if 0 < amount {
                self.transfer(currency, from, to, amount, why, 0);
            }
        }
        let position = self.position(market, account);
        position.settled = None;
        let version = position.settlements;
        self.told.push(Event::PositionReversed(PositionReversed {
            account: AccountId::from_raw(account),
            market: MarketId::from_raw(market),
            job: self.job_of(market),
            net: money(net),
            commission: money(fee),
            version,
            zero: 0,
        }));
    }

    /// What all positions leave is the house's: what it won between selections, rounded down, and the rest.
    pub(super) fn clears(&mut self, market: u64, job: JobId, walk: &Walk) {
        let (crossing, residue) = match &walk.result {
            None => (0, 0),
            Some((whole, _)) => {
                let crossing = (-walk.exact).div_euclid(WHOLE * whole);
                (crossing, -walk.paid - crossing)
            }
        };
        let trading = self.trading(market);
        let before = (trading.crossing, trading.residue);
        if before == (crossing, residue) {
            return;
        }
        (trading.crossing, trading.residue) = (crossing, residue);
        let currency = trading.terms.currency;
        for (account, more) in [
            (HouseAccount::Crossing, crossing - before.0),
            (HouseAccount::Rounding, residue - before.1),
        ] {
            let (clearing, other) = (Party::House(HouseAccount::Clearing), Party::House(account));
            let (from, to) = if 0 < more { (clearing, other) } else { (other, clearing) };
            if more != 0 {
                self.transfer(currency, from, to, more.abs(), TransferWhy::Residue, 0);
            }
        }
        self.told.push(Event::ExchangeCleared(ExchangeCleared {
            market: MarketId::from_raw(market),
            job,
            crossing: money(crossing),
            residue: money(residue),
            currency,
            zero: [0; 6],
        }));
    }

    /// What is between those who lost and those who won in a currency: what has not been settled yet.
    pub(in super::super) fn between_winners_and_losers(&self, currency: u16) -> i128 {
        let own = |market: &u64| self.exchange.markets[market].terms.currency == currency;
        let positions = self.exchange.positions.iter().filter(|((market, _), _)| own(market));
        let paid: i128 = positions.filter_map(|(_, p)| p.settled).map(|(net, _)| net).sum();
        let markets = self.exchange.markets.values().filter(|m| m.terms.currency == currency);
        -paid - markets.map(|market| market.crossing + market.residue).sum::<i128>()
    }
}
