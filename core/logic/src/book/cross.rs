//! What a cross-match would be: the price that all other selections together make for one, and whole stakes at
//! which the house cannot lose.
//!
//! With the best resting backs at odds b on the others, a taker who backs gets V = 1 / (1 − Σ 1/b), rounded down to
//! the ladder; with the best resting lays at odds l, one who lays gets V = 1 / (1 − Σ 1/l), rounded up. Every outcome
//! pays about the same, so the stake on each is that payout over its odds. In whole minor units a stake is rounded in
//! the house's favour, and all outcomes are added up; where the house would lose a part of a unit, another payout
//! close by is tried, then the price one tick worse for the taker. (Formula: Betfair's hub on cross-matching.)

use super::{Book, E4, Placed, Side, Taker};

/// Selections of a market in which the house may stand between them.
pub const CROSS_MAX: usize = 64;
/// A probability of 1. So small that 64 prices add up in 64 bits.
pub(super) const ONE: u64 = 1 << 57;
/// Ticks worse for the taker that are tried where whole units do not come out.
const WORSE_TICKS: u32 = 1;

/// What the house takes of another selection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    pub(super) selection: u16,
    pub(super) tick: u32,
    pub(super) stake: i64,
    /// What there is at that price.
    size: i64,
}

/// The cross-match that was found last. Kept, so that looking for one allocates nothing.
#[derive(Clone, Debug)]
pub(super) struct Crossing {
    pub(super) tick: u32,
    pub(super) stake: i64,
    pub(super) legs: Vec<Leg>,
}

impl Crossing {
    /// In place of one that is in use.
    const NONE: Crossing = Crossing { tick: 0, stake: 0, legs: Vec::new() };

    pub(super) fn with_capacity(selections: usize) -> Crossing {
        Crossing { tick: 0, stake: 0, legs: Vec::with_capacity(selections) }
    }
}

impl Book {
    /// Looks for a cross-match that is better for the taker than the best order there is. What it would be stays in
    /// `crossing`.
    pub(super) fn cross(&mut self, taker: &Taker, placed: &Placed, direct: Option<u32>) -> bool {
        let mut crossing = std::mem::replace(&mut self.crossing, Crossing::NONE);
        let found = self.find_cross(&mut crossing, taker, placed, direct);
        self.crossing = crossing;
        found
    }

    fn find_cross(
        &self,
        crossing: &mut Crossing,
        taker: &Taker,
        placed: &Placed,
        direct: Option<u32>,
    ) -> bool {
        let Some(first) = self.crossed_tick(crossing, taker.selection, taker.side) else {
            return false;
        };
        for worse in 0..=WORSE_TICKS {
            let tick = match taker.side {
                Side::Back => first.checked_sub(worse),
                Side::Lay => Some(first + worse).filter(|t| (*t as usize) < self.prices.e4.len()),
            };
            let Some(tick) = tick else { return false };
            if direct.is_some_and(|direct| !taker.side.prefers(tick, direct)) {
                return false;
            }
            let may = self.may_take(taker, placed, tick);
            if 0 < may && self.comes_out(crossing, taker.side, tick, may) {
                return true;
            }
        }
        false
    }

    /// The price that the others make for a selection: none if one of them has no orders. Their best levels are in
    /// `crossing` then.
    fn crossed_tick(&self, crossing: &mut Crossing, selection: u16, side: Side) -> Option<u32> {
        crossing.legs.clear();
        let mut sum = 0;
        for other in 0..self.sides.len() as u16 {
            if other == selection || !self.runs[usize::from(other)] {
                continue;
            }
            let tick = self.best_tick(other, side)?;
            let size = self.levels(other, side).at(tick).size;
            sum += self.prices.part[tick as usize];
            crossing.legs.push(Leg { selection: other, tick, stake: 0, size });
        }
        if crossing.legs.is_empty() {
            return None;
        }
        // Each part was rounded down: so many units below 1 may be 1. Whole stakes decide.
        let slack = crossing.legs.len() as u64 + 1;
        let parts = &self.prices.part;
        match side {
            Side::Back => {
                let up_to = parts.partition_point(|part| ONE <= part + sum + slack);
                (up_to as u32).checked_sub(1)
            }
            Side::Lay => {
                let from = parts.partition_point(|part| ONE < part + sum);
                (from < parts.len()).then_some(from as u32)
            }
        }
    }

    /// Whether there are whole stakes at which the house loses in no outcome, and the largest that these levels bear.
    fn comes_out(&self, crossing: &mut Crossing, side: Side, tick: u32, may: i64) -> bool {
        let odds = self.prices.e4(tick);
        let prices = &self.prices;
        let bears = crossing.legs.iter().map(|leg| i128::from(leg.size) * prices.e4(leg.tick) / E4);
        let bears = bears.min().unwrap_or(0);
        let stake = (bears * E4 / odds).min(i128::from(may));
        if stake < 1 {
            return false;
        }
        let returns = stake * odds;
        for near in 0..=crossing.legs.len() as i128 + 1 {
            let payout = match side {
                Side::Back => returns.div_euclid(E4) + i128::from(returns % E4 != 0) + near,
                Side::Lay => returns.div_euclid(E4) - near,
            };
            // What everybody staked, and the outcome in which the house would have the least, or get the least.
            let (mut staked, mut most, mut least) = (stake, returns, returns);
            let mut fits = true;
            for leg in &mut crossing.legs {
                let odds = prices.e4(leg.tick);
                let (whole, rest) = (payout * E4 / odds, payout * E4 % odds);
                let one = match side {
                    Side::Back => whole,
                    Side::Lay => whole + i128::from(rest != 0),
                };
                fits &= 1 <= one && one <= i128::from(leg.size);
                leg.stake = i64::try_from(one).unwrap_or(0);
                staked += one;
                most = most.max(one * odds);
                least = least.min(one * odds);
            }
            let gains = match side {
                Side::Back => most <= staked * E4,
                Side::Lay => staked * E4 <= least,
            };
            if fits && gains {
                crossing.tick = tick;
                crossing.stake = i64::try_from(stake).expect("not above what was asked for");
                return true;
            }
        }
        false
    }

    /// The price at which the others would meet an order on a selection, and the stake that they would bear; beside the
    /// orders that are there, and better than the best of them or not.
    pub fn virtual_price(
        &self,
        selection: u16,
        side: Side,
    ) -> Option<(betring_pricing::Tick, i64)> {
        if !self.crosses || !self.runs.get(usize::from(selection)).is_some_and(|runs| *runs) {
            return None;
        }
        let mut crossing = Crossing::with_capacity(self.sides.len());
        let first = self.crossed_tick(&mut crossing, selection, side)?;
        let last = self.prices.e4.len() as u32 - 1;
        let ticks = match side {
            Side::Back => [Some(first), first.checked_sub(1)],
            Side::Lay => [Some(first), Some(first + 1).filter(|tick| *tick <= last)],
        };
        let mut ticks = ticks.into_iter().flatten();
        let tick = ticks.find(|tick| self.comes_out(&mut crossing, side, *tick, i64::MAX))?;
        Some((betring_pricing::Tick::new(tick), crossing.stake))
    }
}
