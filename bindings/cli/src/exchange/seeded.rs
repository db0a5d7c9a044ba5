//! Orders of ours that meet a recording's, drawn from a seed.

use betring_betfair::{MarketDefinition, RunnerStatus, SelectionKey};
use betring_core::book::{Book, Improvement, OrderIndex, SelfMatch, Side, Taker};
use betring_fuzz::workload::Rng;
use betring_pricing::{Ladder, Tick};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Whose orders they are; those of the recording are of account 0.
pub(super) const OURS: u32 = 1;
/// How far from the best price of its own side an order may be.
const TICKS: u64 = 4;

/// What became of our orders. Money in minor units.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Ours {
    /// Orders.
    pub(super) orders: u64,
    /// Backers' stakes asked for.
    pub(super) asked: i64,
    /// Of these matched when they came.
    pub(super) matched_at_once: i64,
    /// Of these by the house, between selections.
    pub(super) matched_between_selections: i64,
    /// Matched while they rested.
    pub(super) matched_at_rest: i64,
    /// Lapsed when their market was suspended or closed.
    pub(super) lapsed: i64,
    /// Profit at the results that the recording ends with, in ten-thousandths of a minor unit; none if it ends
    /// without.
    pub(super) profit_e4: Option<i128>,
}

impl fmt::Display for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pounds = |minor: i64| format!("{}.{:02}", minor / 100, minor % 100);
        write!(
            f,
            "{} orders for {}: {} matched at once ({} of it between selections), {} matched later, {} lapsed",
            self.orders,
            pounds(self.asked),
            pounds(self.matched_at_once),
            pounds(self.matched_between_selections),
            pounds(self.matched_at_rest),
            pounds(self.lapsed),
        )?;
        if let Some(profit) = self.profit_e4 {
            write!(f, "; {:+.2} in the end", profit as f64 / 1_000_000.0)?;
        }
        Ok(())
    }
}

/// What was matched, and waits for its result.
struct Matched {
    selection: u16,
    side: Side,
    stake: i64,
    odds_e4: u32,
}

/// Draws orders, and keeps account of them.
pub(super) struct Seeded {
    every: u64,
    rng: Rng,
    seen: u64,
    /// Those that rest.
    pub(super) resting: BTreeSet<OrderIndex>,
    matched: Vec<Matched>,
    pub(super) told: Ours,
}

impl Seeded {
    pub(super) fn new(every: u64, seed: u64) -> Seeded {
        Seeded {
            every,
            rng: Rng::new(seed),
            seen: 0,
            resting: BTreeSet::new(),
            matched: Vec::new(),
            told: Ours::default(),
        }
    }

    /// An order, if it is time for one: about the best price of its side of a runner that has prices.
    pub(super) fn draw(&mut self, book: &Book, ladder: &Ladder, runners: u16) -> Option<Taker> {
        self.seen += 1;
        if !self.seen.is_multiple_of(self.every) || runners == 0 {
            return None;
        }
        let selection = self.rng.below(u64::from(runners)) as u16;
        let side = self.rng.pick(&[Side::Back, Side::Lay]);
        let best = book.best(selection, side).or(book.best(selection, side.other()))?;
        let tick = u64::from(best.index()) + self.rng.below(2 * TICKS + 1);
        let tick = tick.saturating_sub(TICKS).min(u64::from(ladder.len()) - 1) as u32;
        let size = 200 + 10 * self.rng.below(480) as i64;
        self.told.orders += 1;
        self.told.asked += size;
        Some(Taker {
            account: OURS,
            selection,
            side,
            limit: Tick::new(tick),
            size,
            kill: None,
            self_match: SelfMatch::RefuseTaker,
            improvement: Improvement::Take,
        })
    }

    /// So much of an order was matched.
    pub(super) fn fills(&mut self, selection: u16, side: Side, stake: i64, odds_e4: u32) {
        self.matched.push(Matched { selection, side, stake, odds_e4 });
    }

    /// The results are in.
    pub(super) fn settle(
        &mut self,
        definition: &MarketDefinition,
        places: &BTreeMap<SelectionKey, u16>,
    ) {
        let mut results = BTreeMap::new();
        for runner in &definition.runners {
            if let Some(place) = places.get(&runner.key()) {
                results.insert(*place, runner.status);
            }
        }
        let profit = |bet: &Matched| {
            let stake = i128::from(bet.stake);
            let back = match results.get(&bet.selection) {
                Some(RunnerStatus::Winner) => stake * (i128::from(bet.odds_e4) - 10_000),
                Some(RunnerStatus::Loser | RunnerStatus::Placed) => -stake * 10_000,
                _ => 0,
            };
            if bet.side == Side::Back { back } else { -back }
        };
        self.told.profit_e4 = Some(self.matched.iter().map(profit).sum());
    }
}
