//! A runner is withdrawn: bets on it are void, the odds of what was matched on the others are cut, and what was laid on
//! them at odds that are no longer right lapses. (Rules: Betfair's on non-runners, as BETDAQ's and their clients' pages
//! have them: a factor below 2.5 % changes nothing in a market of one winner; unmatched lays lapse from 2.5 % on, in a
//! market of places from 4 % on.)

use crate::answer::Answer;
use crate::book::{E4, Side, reduced};
use crate::command::{SetExchange, WithdrawSelection};
use crate::event::{Cut, Events, JobKind, OrderReduced};
use crate::id::AccountId;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;

/// Factors below this change nothing in a market of one winner.
const FACTOR_LEAST: u16 = 250;
/// From this on unmatched lays lapse, in a market of places.
const FACTOR_OF_PLACES: u16 = 400;

impl<R: Rules> State<R> {
    /// What the withdrawal of a selection means for an exchange market that may take it: its orders follow in steps. It
    /// is for good.
    pub(crate) fn may_withdraw(&self, index: u32, body: &WithdrawSelection) -> Result<(), Answer> {
        let market = &self.markets[index as usize];
        let Some(exchange) = self.exchange.market(index) else {
            // Against the house, a deduction goes by the price; without a book there is nothing to cut.
            let fits = body.factor == 0 && !market.exchange;
            return if fits { Ok(()) } else { Err(self.no(Reject::InvalidMarketId)) };
        };
        let runs = exchange.book.runs(body.selection.0);
        // The result is below a line or it is not.
        let runs = runs && !exchange.has_lines();
        let good = body.withdrawn == 1 && body.deduct == 0 && runs && market.job.is_none();
        if good { Ok(()) } else { Err(self.no(Reject::NotAllowed)) }
    }

    pub(crate) fn withdraw_runner(
        &mut self,
        index: u32,
        body: &WithdrawSelection,
        events: &mut Events,
    ) -> Answer {
        let seq = self.seq;
        let exchange = self.exchange_of_mut(index);
        exchange.book.withdraw(body.selection.0);
        exchange.changed = seq;
        exchange.work.selection = body.selection.0;
        exchange.work.factor = body.factor;
        self.start_job(index, JobKind::NonRunner, events)
    }

    /// One order of a market whose runner was withdrawn.
    pub(crate) fn order_without_runner(&mut self, index: u32, at: u32, events: &mut Events) -> u32 {
        let exchange = self.exchange_of(index);
        let (selection, factor) = (exchange.work.selection, exchange.work.factor);
        let places = exchange.has(SetExchange::PLACES);
        let row = self.exchange.rows[at as usize];
        if row.selection == selection {
            self.end_order(index, at, Cut::Withdrawn, events);
            self.void_order(at, events);
            return 1;
        }
        let least = if places { FACTOR_OF_PLACES } else { FACTOR_LEAST };
        if least <= factor && row.side == Side::Lay && !row.is_on_close() {
            self.end_order(index, at, Cut::NonRunner, events);
        }
        if row.matched == 0 || row.void || (factor < FACTOR_LEAST && !places) {
            return 1;
        }
        let before = row.returns_e4;
        let cut = |stake: i64, returns_e4: i128| match places {
            // The stake comes back whole, the winnings are cut.
            true => {
                let stake = i128::from(stake) * E4;
                stake + reduced(row.side, 0, returns_e4 - stake, u32::from(factor))
            }
            false => reduced(row.side, stake, returns_e4, u32::from(factor)),
        };
        let units = self.exchange.cut_parts(at, cut).div_ceil(8);
        let after = self.exchange.rows[at as usize].returns_e4;
        if after == before {
            return units;
        }
        self.exchange.stand(row.position, row.selection).returns(row.side, after - before);
        self.exchange.touch(row.position);
        self.tell_reduction(at, before, after, events);
        units
    }

    /// One outcome less: also who has nothing on that runner may lose something else.
    pub(crate) fn position_without_runner(&mut self, at: u32) -> u32 {
        self.exchange.touch(at);
        1
    }

    /// What was matched on a runner that was withdrawn is void: nothing is won or lost by it.
    fn void_order(&mut self, at: u32, events: &mut Events) {
        let row = self.exchange.rows[at as usize];
        if row.matched == 0 || row.void {
            return;
        }
        self.exchange.rows[at as usize].void = true;
        let (stake, returns) = (row.matched, row.returns_e4);
        let stand = self.exchange.stand(row.position, row.selection);
        let staked = i128::from(stake) * E4;
        let sign = if row.side == Side::Back { 1 } else { -1 };
        stand.win_e4 -= sign * (returns - staked);
        stand.lose_e4 += sign * staked;
        self.exchange.touch(row.position);
        self.tell_reduction(at, returns, 0, events);
    }

    fn tell_reduction(&self, at: u32, before_e4: i128, after_e4: i128, events: &mut Events) {
        let row = &self.exchange.rows[at as usize];
        let account = self.exchange.positions[row.position as usize].account;
        let account = AccountId::new(account, 1);
        events.push(&OrderReduced { order: row.id(at), account, before_e4, after_e4 });
    }
}
