//! What changes all orders of a market goes through them in turn, once or more, and then perhaps through the positions.
//!
//! Where a job is shows only when it tells something: what it passes over it says nothing of. So as long as nothing
//! else can change what there is to tell, it is taken to be behind what it told last. When something can, another
//! result or a discount, it may be at any place up to the next thing that it would have told, and all of them are
//! followed. Those that would have told something else than the record does are out.

use super::super::{Auditor, Checked, rule};
use super::starting::Shares;
use betring_core::OrderState;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;

/// What a walk goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Orders,
    Positions,
    /// Starting prices are made.
    Selections,
}

fn walks(kind: JobKind) -> &'static [Over] {
    use Over::*;
    match kind {
        JobKind::Turn => &[Orders, Selections, Orders, Orders],
        JobKind::Lapse => &[Orders],
        JobKind::NonRunner | JobKind::Settle | JobKind::Rollback | JobKind::Archive => {
            &[Orders, Positions]
        }
        JobKind::Cancel => &[],
    }
}

/// Where a job of an exchange market is, and what it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Walk {
    phase: usize,
    /// The next order or position.
    at: usize,
    /// Of a settlement: of how many parts a whole win is and what each selection won, if there is a result.
    pub(super) result: Option<super::clear::Result>,
    /// What all positions won together so far: exact, and as it was paid.
    pub(super) exact: i128,
    pub(super) paid: i128,
    /// Who takes part at the starting prices.
    pub(super) shares: Shares,
}

impl Walk {
    /// The order at this place has left memory.
    pub(super) fn steps_over(&mut self, kind: JobKind, place: usize) {
        let orders = matches!(walks(kind).get(self.phase), Some(Over::Orders));
        if orders && place < self.at {
            self.at -= 1;
        }
    }
}

impl Auditor {
    /// A job of a market begins.
    pub(in super::super) fn job_begins(&mut self, market: u64) {
        if let Some(trading) = self.exchange.markets.get_mut(&market) {
            trading.walks = vec![Walk::default()];
        }
    }

    pub(super) fn kind_of_job(&self, market: u64) -> Checked<JobKind> {
        let job = self.markets.get(&market).and_then(|market| market.job);
        job.map(|(_, kind)| kind).ok_or_else(|| format!("market {market:#x} has no job"))
    }

    /// Goes on until there is something to tell; false if the job is over.
    fn walk_on(&mut self, market: u64, walk: &mut Walk) -> Checked<bool> {
        let kind = self.kind_of_job(market)?;
        let told = self.told.len();
        while self.told.len() == told {
            if !self.takes_step(market, kind, walk) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One order, one position, or the next walk; false if there is none.
    fn takes_step(&mut self, market: u64, kind: JobKind, walk: &mut Walk) -> bool {
        let Some(over) = walks(kind).get(walk.phase).copied() else { return false };
        let trading = &self.exchange.markets[&market];
        let at = walk.at;
        // Whoever came last is first.
        let next = match over {
            Over::Orders => trading.orders.get(at).copied(),
            Over::Positions => trading.accounts.iter().rev().nth(at).copied(),
            Over::Selections => None,
        };
        let Some(id) = next else {
            (walk.phase, walk.at) = (walk.phase + 1, 0);
            match walks(kind).get(walk.phase) {
                None => return false,
                Some(Over::Positions) => walk.result = self.result_of(market),
                Some(_) => (),
            }
            if kind == JobKind::Turn && walk.phase == 2 {
                walk.shares = self.makes_starting_prices(market);
            }
            return true;
        };
        walk.at += 1;
        match (kind, over) {
            (JobKind::Turn, _) if walk.phase == 0 => self.converts(id),
            (JobKind::Turn, _) => self.closes(id, walk.phase == 2, &mut walk.shares),
            (JobKind::Lapse, _) => self.lapses(id),
            // Nobody's money moves before all of his orders are what they are now.
            (JobKind::NonRunner, Over::Orders) => {
                self.is_without_runner(id);
                self.exchange.touched.clear();
            }
            (JobKind::NonRunner, _) => self.touch(market, id),
            (JobKind::Archive, _) => (),
            (_, Over::Positions) => self.settles(market, id, walk),
            _ => self.ends(id, Cut::Result),
        }
        self.hold_exposures();
        true
    }

    /// The same of every market.
    pub(in super::super) fn jobs_may_have_passed(&mut self) {
        let all: Vec<u64> = self.exchange.markets.keys().copied().collect();
        all.into_iter().for_each(|market| self.job_may_have_passed(market));
    }

    /// Something is about to change that a job's next words may depend on: it may have passed over what it has
    /// nothing to say of already, or not yet.
    pub(in super::super) fn job_may_have_passed(&mut self, market: u64) {
        let Some(trading) = self.exchange.markets.get(&market) else { return };
        let Ok(kind) = self.kind_of_job(market) else { return };
        let mut all = Vec::new();
        for mut walk in trading.walks.clone() {
            let mut other = self.clone();
            other.told.clear();
            loop {
                if !all.contains(&walk) {
                    all.push(walk.clone());
                }
                let goes_on = other.takes_step(market, kind, &mut walk);
                if !goes_on || !other.told.is_empty() {
                    break;
                }
            }
        }
        self.trading(market).walks = all;
    }

    /// A job does the next thing of which it has something to tell: as the record says, where it may be at several
    /// places.
    pub(in super::super) fn job_does(&mut self, market: u64, record: &[Event]) -> Checked {
        let found = |told: &[Event]| record.get(..told.len()) == Some(told);
        let goes_on = |auditor: &mut Auditor, walk: &mut Walk| auditor.walk_on(market, walk);
        let wrong =
            |what| format!("{what}; the record has {:?}", record.get(..record.len().min(4)));
        self.follows(market, goes_on, found).map(|_| ()).map_err(wrong)
    }

    /// Where there are no records, a job is taken to have told all that there was to tell.
    pub(in super::super) fn exchange_job_is_done(&mut self, market: u64) -> Checked {
        let Some(trading) = self.exchange.markets.get(&market) else { return Ok(()) };
        let mut walks = trading.walks.clone();
        walks.truncate(1);
        for walk in &mut walks {
            while self.walk_on(market, walk)? {}
        }
        self.trading(market).walks = walks;
        Ok(())
    }

    /// A job is over: nothing that it passed over on the way to its end was to be told.
    pub(in super::super) fn exchange_job_ends(
        &mut self,
        market: u64,
        ended: &JobEnded,
        record: &[Event],
    ) -> Checked {
        let kind = self.kind_of_job(market)?;
        let trading = &self.exchange.markets[&market];
        let handled = |over: &Over| match over {
            Over::Orders => trading.orders.len(),
            Over::Positions => trading.accounts.len(),
            Over::Selections => 0,
        };
        let mut all = walks(kind).iter().map(handled).sum::<usize>();
        // Those who take part at the starting prices are counted on the way, too.
        all += if kind == JobKind::Turn { trading.orders.len() } else { 0 };
        let thinned = trading.thinned;
        rule(thinned || ended.bets == all as u64, || format!("{ended:?} handled {all}"))?;
        let found = |told: &[Event]| record.get(..told.len()) == Some(told);
        let over = |auditor: &mut Auditor, walk: &mut Walk| {
            let before = auditor.told.clone();
            let more = auditor.walk_on(market, walk)?;
            rule(!more, || {
                let more = &auditor.told[before.len()..];
                format!("a job of market {market:#x} ended, and {more:?} was left to do")
            })?;
            if matches!(kind, JobKind::Settle | JobKind::Rollback) {
                auditor.clears(market, ended.job, walk);
            }
            Ok(true)
        };
        self.follows(market, over, found)?;
        let trading = self.trading(market);
        trading.started |= kind == JobKind::Turn;
        trading.thinned = false;
        trading.walks.clear();
        Ok(())
    }

    /// Does something from each place where a job may be, and keeps those after which the record agrees.
    fn follows(
        &mut self,
        market: u64,
        mut act: impl FnMut(&mut Auditor, &mut Walk) -> Checked<bool>,
        agrees: impl Fn(&[Event]) -> bool,
    ) -> Checked<bool> {
        let mut all = std::mem::take(&mut self.trading(market).walks);
        if let [only] = &mut all[..] {
            let done = act(self, only);
            self.trading(market).walks = all;
            return done;
        }
        let mut good: Option<Auditor> = None;
        let (mut walks, mut wrong) = (Vec::new(), Vec::new());
        for mut walk in all {
            let mut other = self.clone();
            match act(&mut other, &mut walk) {
                Ok(true) if agrees(&other.told) => {
                    if !walks.contains(&walk) {
                        walks.push(walk);
                    }
                    good.get_or_insert(other);
                }
                Ok(_) => wrong.push(format!("the rules say {:?}", other.told)),
                Err(what) => wrong.push(what),
            }
        }
        match good {
            Some(other) => {
                *self = other;
                self.trading(market).walks = walks;
                Ok(true)
            }
            None => Err(format!("of a job of market {market:#x}, {}", wrong.join("; or "))),
        }
    }

    fn lapses(&mut self, id: u64) {
        let order = self.order(id);
        let stays = order.on_close() || order.persistence != Persistence::Lapse;
        let scope = self.exchange.markets[&order.market].scope;
        if scope == LapseScope::All as u8 || !stays {
            self.ends(id, Cut::Swept);
        }
    }

    /// The market that an event of a job is about.
    pub(in super::super) fn market_of_event(&self, event: &Event) -> Option<u64> {
        let of_order = |order: OrderId| self.exchange.orders.get(&order.raw()).map(|o| o.market);
        match event {
            Event::OrderCut(cut) => of_order(cut.order),
            Event::OrderChanged(changed) => of_order(changed.order),
            Event::OrderReduced(reduced) => of_order(reduced.order),
            Event::OrderMatched(matched) => Some(matched.market.raw()),
            Event::StartingPrice(price) => Some(price.market.raw()),
            Event::ExposureHeld(held) => Some(held.market.raw()),
            Event::PositionSettled(settled) => Some(settled.market.raw()),
            Event::PositionReversed(reversed) => Some(reversed.market.raw()),
            _ => None,
        }
        .filter(|market| self.exchange.markets.contains_key(market))
    }

    /// A market that is archived takes its orders and positions with it.
    pub(in super::super) fn exchange_leaves(&mut self, market: u64) -> Checked {
        let Some(trading) = self.exchange.markets.remove(&market) else { return Ok(()) };
        self.exchange.spent.retain(|id| !trading.orders.contains(id));
        for id in &trading.orders {
            let order = self.exchange.orders.remove(id);
            let state = order.map_or(OrderState::Archived, |order| order.state);
            rule(!state.waits(), || format!("order {id:#x} left memory, and something waits"))?;
        }
        for account in &trading.accounts {
            let gone = self.exchange.positions.remove(&(market, *account));
            let held = gone.map_or(0, |position| position.held);
            rule(held == 0, || format!("{held} is nobody's that was held of {account:#x}"))?;
        }
        let (selections, count) = (trading.runs.len(), trading.accounts.len());
        let [late, _] = &mut self.exchange.stands;
        late.give_back(selections, count);
        Ok(())
    }

    /// A market begins to leave memory: its positions may be gone from here on.
    pub(in super::super) fn exchange_is_leaving(&mut self, market: u64) {
        let Some(trading) = self.exchange.markets.get(&market) else { return };
        let (selections, count) = (trading.runs.len(), trading.accounts.len());
        let [_, early] = &mut self.exchange.stands;
        early.give_back(selections, count);
    }
}
