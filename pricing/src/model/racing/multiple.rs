//! Multiples within one race: exact, over all orders at the front that matter.
//!
//! The ranks are drawn one after the other. Runners that a leg names are followed one by one; of the
//! others only the weight that is left matters at the last rank, and at the one before it they are
//! summed in one pass. For three legs on 14 runners that is at most 182 passes over the others.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{
    PLACES_MAX, PLACES_OUT_OF_RANGE, RUNNER_OUT_OF_RANGE, RUNNERS_MAX, Race, all_but_each, sum,
};
use crate::PricingError;

/// The most legs of a multiple within one race.
pub const RACE_LEGS_MAX: usize = 8;

/// The most runners that [`RaceLeg::Beats`] legs name together: for each set of them there is a
/// number on the stack.
const BEATING_MAX: usize = 8;

/// The rank of all who are not placed, in the ranks that are open to a runner.
const UNPLACED: u8 = 1 << PLACES_MAX;

/// One leg of a multiple within one race. Places and ranks are 1 to [`PLACES_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RaceLeg {
    /// The runner finishes in one of the first so many places.
    Top {
        /// Who.
        runner: usize,
        /// The last rank that is a place.
        places: usize,
    },
    /// The runner finishes in exactly this rank.
    Exact {
        /// Who.
        runner: usize,
        /// 1 is the winner.
        rank: usize,
    },
    /// One runner finishes in front of another, wherever. From the fourth rank on the discount does
    /// not change, which settles who beats whom at the back.
    Beats {
        /// Who is in front.
        winner: usize,
        /// Who is behind.
        loser: usize,
    },
}

impl Race {
    /// The probability that all legs hold, exactly; 1 for no legs.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`]: "legs" for more than [`RACE_LEGS_MAX`], or more than 8
    /// runners in [`RaceLeg::Beats`] legs together; "places"; "runner" unless all run and differ
    /// within a leg.
    ///
    /// ```
    /// use betring_pricing::model::racing::{Discount, Race, RaceLeg};
    ///
    /// let race = Race::new(&[0.4, 0.3, 0.2, 0.1], Discount::HARVILLE)?;
    /// let beats = race.multiple(&[RaceLeg::Beats { winner: 1, loser: 2 }])?;
    /// assert!((beats - 0.3 / 0.5).abs() < 1e-15);
    /// let both = race.multiple(&[
    ///     RaceLeg::Beats { winner: 1, loser: 2 },
    ///     RaceLeg::Top { runner: 2, places: 2 },
    /// ])?;
    /// assert!((both - race.exacta(1, 2)?).abs() < 1e-15);
    /// # Ok::<(), betring_pricing::PricingError>(())
    /// ```
    pub fn multiple(&self, legs: &[RaceLeg]) -> Result<f64, PricingError> {
        let mut front = Front::new(self, legs)?;
        let mut others = [0.0; PLACES_MAX];
        for (others, weight) in others.iter_mut().zip(&front.others) {
            *others = sum(&weight[..front.others_count]);
        }
        let start = Placed { who: 0, beating: 0, missing: front.missing, others };
        Ok(front.holds(0, start).min(1.0))
    }
}

/// A runner that a leg names.
#[derive(Clone, Copy, Default)]
struct Named {
    runner: usize,
    weight: [f64; PLACES_MAX],
    /// The ranks that are open to it, a bit each.
    open: u8,
    /// Who must be in front of it, by places in `Front::named`.
    behind: u16,
    /// Its bit among those that beat or are beaten; 0 if it is none of them.
    beating: u8,
}

/// What has been placed so far.
#[derive(Clone, Copy)]
struct Placed {
    /// Which of the named.
    who: u16,
    /// The same among those that beat or are beaten.
    beating: u8,
    /// How many of the named still have to be placed.
    missing: usize,
    /// The weight of the other runners that are left, for each rank.
    others: [f64; PLACES_MAX],
}

/// The front of the race as far as the legs need it.
struct Front {
    /// How many ranks are drawn.
    depth: usize,
    named: [Named; 2 * RACE_LEGS_MAX],
    named_count: usize,
    /// How many of them must be placed.
    missing: usize,
    /// The weights of the other runners; 0 while they are placed.
    others: [[f64; RUNNERS_MAX]; PLACES_MAX],
    others_count: usize,
    /// That those behind the front finish as the legs say, by who of the beating is in it.
    back: [f64; 1 << BEATING_MAX],
}

/// More than there is room for.
const LEGS_OUT_OF_RANGE: PricingError = PricingError::ParameterOutOfRange {
    name: "legs",
    allowed: "8 at most, with 8 runners at most where one beats another",
};

impl Front {
    fn new(race: &Race, legs: &[RaceLeg]) -> Result<Front, PricingError> {
        if RACE_LEGS_MAX < legs.len() {
            return Err(LEGS_OUT_OF_RANGE);
        }
        let mut front = Front {
            depth: 0,
            named: [Named::default(); 2 * RACE_LEGS_MAX],
            named_count: 0,
            missing: 0,
            others: [[0.0; RUNNERS_MAX]; PLACES_MAX],
            others_count: 0,
            back: [0.0; 1 << BEATING_MAX],
        };
        let mut beating = 0;
        for &leg in legs {
            front.add(race, leg, &mut beating)?;
        }
        if 0 < beating {
            // The back is settled by one weight each: that needs all ranks before the last change.
            let power = race.discount().0;
            let changes = (1..PLACES_MAX).rev().find(|&rank| power[rank] != power[rank - 1]);
            front.depth = front.depth.max(changes.unwrap_or(0));
        }
        front.depth = front.depth.min(race.live);
        let named = &front.named[..front.named_count];
        front.missing = named.iter().filter(|named| named.open & UNPLACED == 0).count();
        for runner in 0..race.runners() {
            if named.iter().all(|named| named.runner != runner) {
                for (others, weight) in front.others.iter_mut().zip(&race.weight) {
                    others[front.others_count] = weight[runner];
                }
                front.others_count += 1;
            }
        }
        front.settle_back(beating);
        Ok(front)
    }

    fn add(&mut self, race: &Race, leg: RaceLeg, beating: &mut u32) -> Result<(), PricingError> {
        match leg {
            RaceLeg::Top { runner, places: rank } | RaceLeg::Exact { runner, rank } => {
                if !(1..=PLACES_MAX).contains(&rank) {
                    return Err(PLACES_OUT_OF_RANGE);
                }
                let top = matches!(leg, RaceLeg::Top { .. });
                let at = self.name(race, runner)?;
                self.named[at].open &= if top { (1 << rank) - 1 } else { 1 << (rank - 1) };
                self.depth = self.depth.max(rank);
            }
            RaceLeg::Beats { winner, loser } => {
                if winner == loser {
                    return Err(RUNNER_OUT_OF_RANGE);
                }
                let [winner, loser] = [self.name(race, winner)?, self.name(race, loser)?];
                self.named[loser].behind |= 1 << winner;
                for at in [winner, loser] {
                    if self.named[at].beating == 0 {
                        if BEATING_MAX as u32 <= *beating {
                            return Err(LEGS_OUT_OF_RANGE);
                        }
                        self.named[at].beating = 1 << *beating;
                        *beating += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// The place of a runner among the named.
    fn name(&mut self, race: &Race, runner: usize) -> Result<usize, PricingError> {
        race.check_runner(runner)?;
        let count = self.named_count;
        if let Some(at) = self.named[..count].iter().position(|named| named.runner == runner) {
            return Ok(at);
        }
        let mut weight = [0.0; PLACES_MAX];
        for (weight, all) in weight.iter_mut().zip(&race.weight) {
            *weight = all[runner];
        }
        let open = UNPLACED | (UNPLACED - 1);
        self.named[count] = Named { runner, weight, open, behind: 0, beating: 0 };
        self.named_count += 1;
        Ok(count)
    }

    /// The back of the race, from nobody being left in it to all: one weight each, so only those
    /// that beat or are beaten matter, whoever is between them.
    fn settle_back(&mut self, beating: u32) {
        let all = (1_usize << beating) - 1;
        self.back[all] = 1.0;
        for gone in (0..all).rev() {
            let (mut left, mut holds) = (0.0, 0.0);
            for named in &self.named[..self.named_count] {
                let bit = usize::from(named.beating);
                if bit == 0 || gone & bit != 0 {
                    continue;
                }
                let weight = named.weight[PLACES_MAX - 1];
                left += weight;
                if self.beating_of(named.behind) & !gone == 0 {
                    holds += weight * self.back[gone | bit];
                }
            }
            self.back[gone] = holds / left;
        }
    }

    /// The bits of some of the named among the beating.
    fn beating_of(&self, named: u16) -> usize {
        let mut bits = 0;
        for (at, one) in self.named[..self.named_count].iter().enumerate() {
            if named & 1 << at != 0 {
                bits |= usize::from(one.beating);
            }
        }
        bits
    }

    /// That the legs hold when these are placed and `rank` (from 0) is drawn next.
    fn holds(&mut self, rank: usize, placed: Placed) -> f64 {
        if self.depth < rank + placed.missing {
            return 0.0;
        }
        if rank == self.depth {
            return self.back[usize::from(placed.beating)];
        }
        let mut left = placed.others[rank];
        let mut holds = 0.0;
        for at in 0..self.named_count {
            if placed.who & 1 << at != 0 {
                continue;
            }
            let weight = self.named[at].weight[rank];
            left += weight;
            if let Some(after) = self.place(at, rank, placed) {
                holds += weight * self.holds(rank + 1, after);
            }
        }
        // Nothing is left only if nobody but runners without a chance is.
        (holds + self.others_hold(rank, placed)) / left
    }

    /// When this one of the named takes the rank; `None` if a leg forbids it.
    fn place(&self, at: usize, rank: usize, placed: Placed) -> Option<Placed> {
        let named = &self.named[at];
        if named.open & 1 << rank == 0 || named.behind & !placed.who != 0 {
            return None;
        }
        let missing = placed.missing - usize::from(named.open & UNPLACED == 0);
        let (who, beating) = (placed.who | 1 << at, placed.beating | named.beating);
        Some(Placed { who, beating, missing, ..placed })
    }

    /// The same where one of the others takes the rank, times its weight.
    fn others_hold(&mut self, rank: usize, placed: Placed) -> f64 {
        let back = if placed.missing == 0 { self.back[usize::from(placed.beating)] } else { 0.0 };
        if rank + 1 == self.depth {
            return placed.others[rank] * back;
        }
        if self.depth < rank + 1 + placed.missing {
            return 0.0;
        }
        let n = self.others_count;
        if rank + 2 == self.depth {
            let mut left = [0.0; RUNNERS_MAX];
            all_but_each(&self.others[rank + 1][..n], &mut left[..n]);
            return self.last_two(rank, placed, back, &left[..n]);
        }
        let deeper = rank + 1..self.depth;
        let mut left = [[0.0; RUNNERS_MAX]; PLACES_MAX];
        for (left, others) in left[deeper.clone()].iter_mut().zip(&self.others[deeper.clone()]) {
            all_but_each(&others[..n], &mut left[..n]);
        }
        let mut holds = 0.0;
        for other in 0..n {
            let weights = self.others.map(|weights| weights[other]);
            if weights[rank] == 0.0 {
                continue;
            }
            let mut after = placed;
            for rank in deeper.clone() {
                after.others[rank] = left[rank][other];
                self.others[rank][other] = 0.0;
            }
            holds += weights[rank] * self.holds(rank + 1, after);
            for (others, weight) in self.others.iter_mut().zip(weights) {
                others[other] = weight;
            }
        }
        holds
    }

    /// The last rank but one: whoever of the others takes it, the last rank differs only in the weight
    /// that is left.
    fn last_two(&self, rank: usize, placed: Placed, back: f64, left: &[f64]) -> f64 {
        let (mut named_left, mut named_hold) = (0.0, 0.0);
        for (at, named) in self.named[..self.named_count].iter().enumerate() {
            if placed.who & 1 << at != 0 {
                continue;
            }
            let weight = named.weight[rank + 1];
            named_left += weight;
            match self.place(at, rank + 1, placed) {
                Some(after) if after.missing == 0 => {
                    named_hold += weight * self.back[usize::from(after.beating)];
                }
                Some(_) | None => (),
            }
        }
        let mut terms = [0.0; RUNNERS_MAX];
        for ((term, weight), left) in terms.iter_mut().zip(&self.others[rank]).zip(left) {
            // Whoever has a weight here leaves somebody behind, or there would be no last rank.
            let all_left = (named_left + left).max(f64::MIN_POSITIVE);
            *term = weight * (named_hold + left * back) / all_left;
        }
        sum(&terms[..left.len()])
    }
}
