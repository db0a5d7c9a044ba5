//! What accounts won and lost in an exchange market is paid: exact over all of an account's selections, rounded down
//! once, less commission. What is left over is the house's: what it won between selections, and what rounding left.
//!
//! As with bets against the house, the settlement of a position is a function of what is known at the moment; a job brings
//! every position to it. If a settlement in force says otherwise it is reversed and the next one posted.

use super::Position;
use crate::book::{E4, Outcome, commission, exact};
use crate::command::{ResultEntry, SelectionOutcome};
use crate::event::{
    Events, ExchangeCleared, HouseAccount, PositionReversed, PositionSettled, TransferWhy,
};
use crate::id::{AccountId, BetId};
use crate::ledger::Side as Party;
use crate::limits::PositionMoved;
use crate::market::Job;
use crate::rules::Rules;
use crate::settlement::numbers_of;
use crate::state::State;
use crate::wire::Minor;

/// Parts of a whole win, at most: shares of a result have a common denominator below this.
const WHOLE_MAX: u32 = 1 << 20;

/// The smallest number of parts in which all shares of a result are whole, and the result in such parts; none if it has
/// too many, if part of a bet is void, or if not exactly as much is won as there are winners, unless all is void. Of lines:
/// if they are not those of one number.
pub(crate) fn outcomes_of(
    entries: impl Iterator<Item = ResultEntry> + Clone,
    winners: u16,
    lines: bool,
) -> Option<(u32, impl Iterator<Item = Outcome>)> {
    let numbers = entries.map(move |entry| numbers_of(&entry, winners, 0));
    let mut whole = 1_u32;
    for numbers in numbers.clone() {
        let den = u32::from(numbers.win.den().max(1));
        whole = whole.checked_mul(den / gcd(whole, den)).filter(|whole| *whole <= WHOLE_MAX)?;
        if !numbers.void.is_all() && numbers.void.num() != 0 {
            return None;
        }
    }
    let outcome = move |numbers: betring_pricing::LegNumbers| match numbers.void.is_all() {
        true => Outcome::Void,
        false => {
            let den = u32::from(numbers.win.den().max(1));
            Outcome::Won(u32::from(numbers.win.num()) * (whole / den))
        }
    };
    let outcomes = numbers.map(outcome);
    let won = |outcome| match outcome {
        Outcome::Void => 0,
        Outcome::Won(parts) => u64::from(parts),
    };
    let sum = outcomes.clone().map(won).sum::<u64>();
    let void = outcomes.clone().all(|outcome| outcome == Outcome::Void);
    let exactly = match lines {
        true => are_of_one_number(outcomes.clone(), whole),
        false => sum == u64::from(winners) * u64::from(whole),
    };
    (exactly || void).then_some((whole, outcomes))
}

/// Whether these are what becomes of lines, the lowest first: those below the result lost, the one that it is exactly on is
/// void, and those above it won.
fn are_of_one_number(outcomes: impl Iterator<Item = Outcome>, whole: u32) -> bool {
    let place = |outcome| match outcome {
        Outcome::Won(0) => Some(0),
        Outcome::Void => Some(1),
        Outcome::Won(parts) if parts == whole => Some(2),
        // A share of a line.
        Outcome::Won(_) => None,
    };
    let mut last = 0;
    outcomes.map(place).all(|now| {
        let before = std::mem::replace(&mut last, now.unwrap_or(0));
        now.is_some_and(|now| before < now || (before == now && now != 1))
    })
}

/// Bets on what does not run are off, whatever a result says of it.
pub(crate) fn running(entry: ResultEntry, withdrawn: bool) -> ResultEntry {
    if withdrawn { ResultEntry::new(entry.selection, SelectionOutcome::Void) } else { entry }
}

fn gcd(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { gcd(other, one % other) }
}

impl<R: Rules> State<R> {
    /// What became of the selections, for the settlement that goes over the positions now.
    pub(crate) fn know_outcomes(&mut self, index: u32) {
        let known = self.has_result(index);
        let market = self.markets[index as usize];
        let exchange = self.exchange.markets[index as usize].as_deref_mut().expect("it has a book");
        (exchange.work.known, exchange.work.whole) = (known, 1);
        if !known {
            return;
        }
        let block = &self.selections[market.first as usize..][..usize::from(market.selections)];
        let entries = block.iter().map(|selection| {
            let entry = selection.result.expect("all have one");
            running(entry, selection.withdrawn)
        });
        let found = outcomes_of(entries, market.winners, exchange.has_lines());
        let (whole, outcomes) = found.expect("checked when the result came");
        exchange.work.whole = whole;
        for (to, outcome) in exchange.outcomes.iter_mut().zip(outcomes) {
            *to = outcome;
        }
    }

    /// What a position comes to by what is known: net winnings, and commission on them. And the same exact.
    fn due_of(&self, at: u32) -> (i64, i64, i128) {
        let position = &self.exchange.positions[at as usize];
        let exchange = self.exchange_of(position.market);
        let stands = &self.exchange.stands[position.first as usize..][..exchange.outcomes.len()];
        let whole = exchange.work.whole;
        let exact = exact(stands, &exchange.outcomes, whole);
        let net = exact.div_euclid(E4 * i128::from(whole));
        let net = i64::try_from(net).expect("what is matched in a market fits");
        let discount = self.ledger.accounts[position.account as usize].discount;
        let rate = u32::from(exchange.terms.commission);
        (net, commission(net, rate, u32::from(discount)), exact)
    }

    /// A position is brought to what is known.
    pub(crate) fn settle_position(
        &mut self,
        index: u32,
        at: u32,
        job: &Job,
        events: &mut Events,
    ) -> u32 {
        let known = self.exchange_of(index).work.known;
        let due = known.then(|| self.due_of(at));
        if let Some((net, _, exact)) = due {
            let work = &mut self.exchange_of_mut(index).work;
            work.exact += exact;
            work.paid += i128::from(net);
        }
        let position = self.exchange.positions[at as usize];
        let posted = (position.net, position.commission);
        if position.settled {
            if due.is_some_and(|(net, fee, _)| (net, fee) == posted) {
                return 1;
            }
            self.reverse_position(at, job, events);
        }
        match due {
            Some((net, fee, _)) => self.post_position(at, net, fee, job, events),
            // Open again: what may be lost is held again when this turn's positions are looked at.
            None => self.exchange.touch(at),
        }
        1 + u32::from(self.markets[index as usize].selections) / 32
    }

    fn post_position(&mut self, at: u32, net: i64, fee: i64, job: &Job, events: &mut Events) {
        let Position { account, market, held, .. } = self.exchange.positions[at as usize];
        let own = Party::Customer(account);
        let [escrow, clearing, fees] =
            [HouseAccount::Escrow, HouseAccount::Clearing, HouseAccount::Commission]
                .map(Party::House);
        let none = BetId::NONE;
        self.count_position(at, PositionMoved::Settled { held, net, fee });
        if 0 < held {
            self.transfer(account, escrow, own, held, TransferWhy::Exposure, none, events);
        }
        if net < 0 {
            // Not more than was held, but for what a withdrawn runner or a void selection made worse.
            let from = Party::Debtor(account);
            self.transfer(account, from, clearing, -net, TransferWhy::Net, none, events);
        }
        if 0 < net {
            self.transfer(account, clearing, own, net, TransferWhy::Net, none, events);
        }
        if 0 < fee {
            let from = Party::Debtor(account);
            self.transfer(account, from, fees, fee, TransferWhy::Commission, none, events);
        }
        let settlement = self.markets[market as usize].settlement;
        let position = &mut self.exchange.positions[at as usize];
        position.held = 0;
        position.settled = true;
        (position.net, position.commission) = (net, fee);
        position.settlements += 1;
        let version = position.settlements;
        events.push(&PositionSettled {
            account: AccountId::new(account, 1),
            market: self.market_id(market),
            job: job.id,
            net: Minor(net),
            commission: Minor(fee),
            settlement,
            version,
        });
    }

    /// A settlement is taken back: what the customer has not any more is owed.
    fn reverse_position(&mut self, at: u32, job: &Job, events: &mut Events) {
        let position = self.exchange.positions[at as usize];
        let Position { account, market, net, commission: fee, .. } = position;
        let own = Party::Customer(account);
        let [clearing, fees] = [HouseAccount::Clearing, HouseAccount::Commission].map(Party::House);
        self.count_position(at, PositionMoved::Reversed { net, fee });
        let (none, why) = (BetId::NONE, TransferWhy::Reverse);
        if 0 < fee {
            self.transfer(account, fees, own, fee, TransferWhy::Commission, none, events);
        }
        if 0 < net {
            self.transfer(account, Party::Debtor(account), clearing, net, why, none, events);
        }
        if net < 0 {
            self.transfer(account, clearing, own, -net, TransferWhy::Net, none, events);
        }
        events.push(&PositionReversed {
            account: AccountId::new(account, 1),
            market: self.market_id(market),
            job: job.id,
            net: Minor(net),
            commission: Minor(fee),
            version: position.settlements,
            zero: 0,
        });
        let position = &mut self.exchange.positions[at as usize];
        position.settled = false;
        (position.net, position.commission) = (0, 0);
    }

    /// All positions are settled, or open again: what is left over goes where it belongs.
    pub(crate) fn clear_market(&mut self, index: u32, job: &Job, events: &mut Events) {
        let exchange = self.exchange_of(index);
        let work = exchange.work;
        let due = |amount: i128| i64::try_from(amount).expect("what is matched in a market fits");
        let crossing = (-work.exact).div_euclid(E4 * i128::from(work.whole.max(1)));
        let residue = -work.paid - crossing;
        let (crossing, residue) = if work.known { (due(crossing), due(residue)) } else { (0, 0) };
        let before = (exchange.crossing, exchange.residue);
        if before == (crossing, residue) {
            return;
        }
        let currency = exchange.terms.currency;
        let book = self.ledger.book_of(currency).expect("its currency is in use");
        let moves = [
            (HouseAccount::Crossing, crossing - before.0),
            (HouseAccount::Rounding, residue - before.1),
        ];
        for (account, more) in moves {
            let (clearing, other) = (Party::House(HouseAccount::Clearing), Party::House(account));
            let (from, to) = if 0 < more { (clearing, other) } else { (other, clearing) };
            if more != 0 {
                self.ledger.post_between(book, from, to, more.abs(), TransferWhy::Residue, events);
            }
        }
        let exchange = self.exchange_of_mut(index);
        (exchange.crossing, exchange.residue) = (crossing, residue);
        events.push(&ExchangeCleared {
            market: self.market_id(index),
            job: job.id,
            crossing: Minor(crossing),
            residue: Minor(residue),
            currency,
            zero: [0; 6],
        });
    }
}
