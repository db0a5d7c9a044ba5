//! What changes all orders of a market, in short steps: it turns in-play, they lapse, a runner is withdrawn, it is
//! settled, it leaves memory. Each job walks the orders, once or more, and then perhaps the positions. While it does, the
//! market takes no orders.

use super::starting::UNLIMITED;
use super::{OrderRow, OrderStep, Work};
use crate::bet::NONE;
use crate::command::{LapseScope, Persistence};
use crate::event::{Cut, Events, JobKind};
use crate::market::Job;
use crate::rules::Rules;
use crate::state::State;

/// What a walk of a job goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walk {
    Orders,
    Positions,
    Selections,
}

/// The walks of a job, in order.
const fn walks(kind: JobKind) -> &'static [Walk] {
    match kind {
        JobKind::Turn => {
            // What is to be matched at the starting price goes there, prices are made, who takes part is counted, and
            // those without a limit are matched before the others.
            &[Walk::Orders, Walk::Selections, Walk::Orders, Walk::Orders, Walk::Orders]
        }
        JobKind::Lapse => &[Walk::Orders],
        // What is held follows once all of an account's orders are what they are now.
        JobKind::NonRunner | JobKind::Settle | JobKind::Rollback | JobKind::Archive => {
            &[Walk::Orders, Walk::Positions]
        }
        // Windows of time are for bets against the house.
        JobKind::Cancel => &[],
    }
}

impl<R: Rules> State<R> {
    /// A job of an exchange market begins.
    pub(crate) fn begin_exchange_job(&mut self, index: u32, kind: JobKind) -> u32 {
        let exchange = self.exchange_of_mut(index);
        let Work { scope, selection, factor, .. } = exchange.work;
        exchange.work = Work { scope, selection, factor, ..Work::default() };
        match walks(kind).first() {
            Some(Walk::Orders) => exchange.head,
            _ => NONE,
        }
    }

    /// Does a part of a job: as many units of work as there are, or all of it. How many are left.
    pub(crate) fn work_on_exchange(
        &mut self,
        index: u32,
        job: &mut Job,
        budget: u32,
        events: &mut Events,
    ) -> u32 {
        let mut left = budget;
        while 0 < left {
            let phase = self.exchange_of(index).work.phase;
            if job.cursor == NONE {
                if !self.next_walk(index, job, events) {
                    break;
                }
                left -= 1;
                continue;
            }
            let at = job.cursor;
            let walk = walks(job.kind)[usize::from(phase)];
            job.cursor = match walk {
                Walk::Orders => self.exchange.rows[at as usize].next,
                Walk::Positions => self.exchange.positions[at as usize].next,
                Walk::Selections => {
                    let more = at + 1 < u32::from(self.markets[index as usize].selections);
                    if more { at + 1 } else { NONE }
                }
            };
            let units = match (job.kind, walk) {
                (JobKind::Turn, Walk::Selections) => self.make_starting_price(index, at),
                (JobKind::Turn, _) => self.turn_order(index, at, phase, events),
                (JobKind::Lapse, _) => self.lapse_order(index, at, events),
                (JobKind::NonRunner, Walk::Positions) => self.position_without_runner(at),
                (JobKind::NonRunner, _) => self.order_without_runner(index, at, events),
                (JobKind::Archive, Walk::Positions) => self.archive_position(index, at),
                (JobKind::Archive, _) => self.archive_order(index, at),
                (_, Walk::Positions) => self.settle_position(index, at, job, events),
                (_, _) => self.end_order(index, at, Cut::Result, events),
            };
            if walk != Walk::Selections {
                job.bets += 1;
            }
            match (job.kind, walk) {
                (JobKind::NonRunner, Walk::Orders) => self.exchange.untouch(),
                _ => self.hold_exposures(events),
            }
            left = left.saturating_sub(units);
        }
        left
    }

    /// The next walk of a job begins; false if there is none.
    fn next_walk(&mut self, index: u32, job: &mut Job, events: &mut Events) -> bool {
        let phase = self.exchange_of(index).work.phase + 1;
        let Some(walk) = walks(job.kind).get(usize::from(phase)) else { return false };
        self.exchange_of_mut(index).work.phase = phase;
        let (closes, head, positions) = {
            let exchange = self.exchange_of(index);
            (exchange.closes.len(), exchange.head, exchange.positions)
        };
        job.cursor = match walk {
            Walk::Orders => head,
            Walk::Positions => positions,
            Walk::Selections if closes == 0 => NONE,
            Walk::Selections => 0,
        };
        if *walk == Walk::Positions && matches!(job.kind, JobKind::Settle | JobKind::Rollback) {
            self.know_outcomes(index);
        }
        if job.kind == JobKind::Turn && phase == UNLIMITED {
            self.share_out(index, events);
        }
        true
    }

    /// Whether all walks of a job have been gone.
    pub(crate) fn exchange_is_done(&self, index: u32, job: &Job) -> bool {
        let phase = usize::from(self.exchange_of(index).work.phase);
        job.cursor == NONE && walks(job.kind).len() <= phase + 1
    }

    /// Whether a job that was stored is one that may go on.
    pub(crate) fn may_go_on(&self, index: u32) -> bool {
        let Some(job) = self.markets[index as usize].job else { return true };
        let Some(exchange) = self.exchange.market(index) else { return job.cursor == NONE };
        let cursor = job.cursor as usize;
        let within = |len: usize| job.cursor == NONE || cursor < len;
        match walks(job.kind).get(usize::from(exchange.work.phase)) {
            None => job.cursor == NONE,
            Some(Walk::Orders) => within(self.exchange.rows.len()),
            Some(Walk::Positions) => within(self.exchange.positions.len()),
            Some(Walk::Selections) => within(exchange.closes.len()),
        }
    }

    /// A job ends.
    pub(crate) fn end_exchange_job(&mut self, index: u32, job: &Job, events: &mut Events) {
        if matches!(job.kind, JobKind::Settle | JobKind::Rollback) {
            self.clear_market(index, job, events);
        }
        let exchange = self.exchange_of_mut(index);
        exchange.started |= job.kind == JobKind::Turn;
        exchange.work = Work::default();
    }

    /// A job that would come to an order goes on behind it: the order leaves memory.
    pub(crate) fn step_over(&mut self, index: u32, at: u32, next: u32) {
        let phase = self.exchange_of(index).work.phase;
        let Some(job) = &mut self.markets[index as usize].job else { return };
        let walks_orders = walks(job.kind).get(usize::from(phase)) == Some(&Walk::Orders);
        if walks_orders && job.cursor == at {
            job.cursor = next;
        }
    }

    /// What waits of an order is gone.
    pub(crate) fn end_order(&mut self, index: u32, at: u32, why: Cut, events: &mut Events) -> u32 {
        if self.exchange.rows[at as usize].state.waits() {
            self.take_out(index, at);
            self.cut(index, at, why, events);
        }
        1
    }

    fn lapse_order(&mut self, index: u32, at: u32, events: &mut Events) -> u32 {
        let row = &self.exchange.rows[at as usize];
        let lapses = match LapseScope::from_code(self.exchange_of(index).work.scope) {
            Some(LapseScope::NotPersistent) => {
                !row.is_on_close() && row.persistence == Persistence::Lapse
            }
            _ => true,
        };
        if lapses { self.end_order(index, at, Cut::Swept, events) } else { 1 }
    }

    /// An order leaves its market's list, and memory.
    pub(crate) fn archive_order(&mut self, index: u32, at: u32) -> u32 {
        let OrderRow { prev, next, .. } = self.exchange.rows[at as usize];
        match prev {
            NONE => self.exchange_of_mut(index).head = next,
            prev => self.exchange.rows[prev as usize].next = next,
        }
        match next {
            NONE => self.exchange_of_mut(index).tail = prev,
            next => self.exchange.rows[next as usize].prev = prev,
        }
        if self.exchange.rows[at as usize].is_spent() {
            self.exchange.unspend(at);
        }
        let row = &mut self.exchange.rows[at as usize];
        let over = row.state.after(OrderStep::Archive);
        row.state = over.expect("no order waits in a market that is settled");
        let position = self.exchange.positions[row.position as usize];
        self.ledger.accounts[position.account as usize].pending -= row.room;
        // A place whose generations are used up is never taken again: handles are never reused.
        if row.generation != u32::MAX {
            row.next = self.exchange.free_row;
            self.exchange.free_row = at;
        }
        self.exchange.live_rows -= 1;
        self.exchange.give_parts_back(at).div_ceil(8).max(1)
    }

    fn archive_position(&mut self, index: u32, at: u32) -> u32 {
        let position = self.exchange.positions[at as usize];
        assert!(position.held == 0, "what is settled has nothing in escrow");
        self.exchange_of_mut(index).positions = position.next;
        self.exchange.forget_position(at, self.markets[index as usize].selections);
        1
    }

    /// The book of a market that leaves memory is given back.
    pub(crate) fn forget_exchange(&mut self, index: u32) {
        if let Some(exchange) = self.exchange.markets[index as usize].take() {
            let levels = u64::from(exchange.ladder.len()) * exchange.outcomes.len() as u64;
            self.exchange.levels -= levels;
        }
    }
}
