//! Races: from the probability of each runner to win, to every order at the front.
//!
//! Harville (1973): when the winner is out of the way, the others are as likely to win what is left
//! as they were to win it all, in proportion. That makes favourites come second and third too
//! often; so Lo and Bacon-Shone (1994) raise the win probabilities to a power below one for each rank after
//! the first, the [`Discount`]. Everything here is exact in that model: sums over orders, no
//! random numbers.
//!
//! [`Race`] is the model, [`Ranks`] says who finishes where, `exacta` to `superfecta` are bets on
//! an order, [`RaceLeg`] a leg of a multiple within one race. [`fit_race`] and [`fit_discount`] read the
//! model from win and place prices. [`normal`] is the other model: normally distributed running times.
//!
//! Runners are numbered from 0 as in the probabilities that were given. One that has been withdrawn
//! may keep its number with a probability of exactly 0: it has no rank, and no bet may name it.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

mod fit;
mod linear;
mod multiple;
pub mod normal;
mod orders;
mod ranks;

pub use fit::{RaceFit, fit_discount, fit_race};
pub use multiple::{RACE_LEGS_MAX, RaceLeg};
pub use ranks::Ranks;

use crate::{
    PricingError,
    math::{exp, ln, sum_lanes},
};

/// The most runners of a race: the Grand National had 40 until 2023. All work space is of that
/// size, on the stack.
pub const RUNNERS_MAX: usize = 40;

/// How many ranks at the front are told apart: more than four places are not paid on a race, nor
/// is there a bet on the order of more.
pub const PLACES_MAX: usize = 4;

/// The least probability to win of a runner that runs: a thousandth part of a part per billion. Its
/// weights then stay far from where floats lose digits.
pub const WIN_MIN: f64 = 1e-12;

/// Who does not run, or is named twice.
const RUNNER_OUT_OF_RANGE: PricingError = PricingError::ParameterOutOfRange {
    name: "runner",
    allowed: "one that runs, counted from 0, and named once",
};

/// Not one of [`PLACES_MAX`].
const PLACES_OUT_OF_RANGE: PricingError =
    PricingError::ParameterOutOfRange { name: "places", allowed: "1 to 4" };

/// How far the probabilities to win may sum from 1, and the places from their number.
const SUM_SLACK: f64 = 1e-9;

/// The powers to which win probabilities are raised for the ranks after the first.
///
/// 1 is Harville; below 1 the field is evened out, 0 makes all equal. "Dilatives" are 1 minus these.
/// From the fourth rank on they do not change.
///
/// ```
/// use betring_pricing::model::racing::Discount;
///
/// assert_eq!(Discount::default().of_rank(2), 0.88);
/// assert_eq!(Discount::HARVILLE.of_rank(3), 1.0);
/// assert!(Discount::new(0.76, 0.62, 5.0).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Discount([f64; PLACES_MAX]);

impl Discount {
    /// The greatest power.
    pub const MAX: f64 = 4.0;

    /// No discount.
    pub const HARVILLE: Discount = Discount([1.0; PLACES_MAX]);

    /// What Lo and Bacon-Shone give for running times of a gamma distribution with shape 4 (Stern
    /// 1990): 0.88 and 0.81. The fourth rank is 0.76 by the same reasoning: to first order, ten
    /// nearly equal runners of that kind have 0.881, 0.809 and 0.755.
    pub const GAMMA: Discount = Discount([1.0, 0.88, 0.81, 0.76]);

    /// The discount that is so many times as strong as [`Discount::GAMMA`], from -4 to 4: the powers are
    /// 1 - 0.12 s, 1 - 0.19 s and 1 - 0.24 s. At 2 they are 0.76 and 0.62, which Lo and Bacon-Shone give
    /// for normally distributed times; at 0 there is none, below 0 favourites gain. One number says
    /// how all ranks are discounted, since place prices do not tell more: see
    /// [`fit_discount`].
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] ("discount") for any other, NaN included.
    pub fn of_strength(strength: f64) -> Result<Discount, PricingError> {
        if !(-4.0..=4.0).contains(&strength) {
            return Err(PricingError::ParameterOutOfRange { name: "discount", allowed: "-4 to 4" });
        }
        Discount::new(1.0 - 0.12 * strength, 1.0 - 0.19 * strength, 1.0 - 0.24 * strength)
    }

    /// The powers for the second rank, the third, and the fourth and all behind it: each from 0 to
    /// [`Discount::MAX`].
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] ("discount") for any other, NaN included.
    pub fn new(second: f64, third: f64, fourth: f64) -> Result<Discount, PricingError> {
        if [second, third, fourth].iter().all(|power| (0.0..=Discount::MAX).contains(power)) {
            Ok(Discount([1.0, second, third, fourth]))
        } else {
            Err(PricingError::ParameterOutOfRange { name: "discount", allowed: "0 to 4" })
        }
    }

    /// The power of a rank, the first being 1.
    pub fn of_rank(self, rank: usize) -> f64 {
        self.0[rank.clamp(1, PLACES_MAX) - 1]
    }
}

impl Default for Discount {
    /// [`Discount::GAMMA`].
    fn default() -> Discount {
        Discount::GAMMA
    }
}

/// A race: who wins how likely, and how the ranks behind are discounted.
///
/// ```
/// use betring_pricing::model::racing::{Discount, Race};
///
/// let race = Race::new(&[0.5, 0.3, 0.2], Discount::HARVILLE)?;
/// // 0.5 to win, then 0.3 of the 0.5 that is left.
/// assert!((race.exacta(0, 1)? - 0.5 * 0.3 / 0.5).abs() < 1e-15);
/// assert!((race.quinella(0, 1)? - (0.3 + 0.3 * 0.5 / 0.7)).abs() < 1e-15);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Race {
    runners: usize,
    /// How many of them run.
    live: usize,
    discount: Discount,
    /// `weight[rank][runner]`: how the rank is drawn among those who are left. The first is the
    /// probability to win.
    weight: [[f64; RUNNERS_MAX]; PLACES_MAX],
}

impl Race {
    /// A race of 2 to [`RUNNERS_MAX`] runners from their probabilities to win, which sum to 1
    /// (within 1e-9; they are scaled to it). 0 is a runner that does not run.
    ///
    /// # Errors
    ///
    /// [`PricingError::TooFewOutcomes`] unless at least two run, [`PricingError::TooManyOutcomes`],
    /// [`PricingError::NotFinite`], [`PricingError::ProbabilityOutOfRange`] for what is neither 0
    /// nor from [`WIN_MIN`] to 1, [`PricingError::SumOffTarget`].
    pub fn new(win: &[f64], discount: Discount) -> Result<Race, PricingError> {
        let live = check_win(win)?;
        let total = sum(win);
        let mut race =
            Race { runners: win.len(), live, discount, weight: [[0.0; RUNNERS_MAX]; PLACES_MAX] };
        let mut logs = [0.0; RUNNERS_MAX];
        for (runner, &win) in win.iter().enumerate() {
            race.weight[0][runner] = win / total;
            logs[runner] = if win == 0.0 { f64::NEG_INFINITY } else { ln(win / total) };
        }
        race.weigh(&logs[..win.len()], PLACES_MAX);
        Ok(race)
    }

    /// The weights of the ranks 2 to `places` from the logarithms of those of the first.
    fn weigh(&mut self, logs: &[f64], places: usize) {
        for rank in 1..places {
            let power = self.discount.0[rank];
            let (done, rest) = self.weight.split_at_mut(rank);
            let weights = &mut rest[0];
            if let Some(same) = (0..rank).find(|&rank| self.discount.0[rank] == power) {
                *weights = done[same];
                continue;
            }
            for (weight, &log) in weights.iter_mut().zip(logs) {
                // Nobody who does not run has a weight, even where all weights are equal.
                *weight = if log == f64::NEG_INFINITY { 0.0 } else { exp(power * log) };
            }
        }
    }

    /// How many runners there are, those that do not run included.
    pub fn runners(&self) -> usize {
        self.runners
    }

    /// Who wins how likely.
    pub fn win(&self) -> &[f64] {
        &self.weight[0][..self.runners]
    }

    /// How the ranks behind are discounted.
    pub fn discount(&self) -> Discount {
        self.discount
    }

    /// The weights of a rank, from 0.
    fn weights(&self, rank: usize) -> &[f64] {
        &self.weight[rank][..self.runners]
    }

    /// A runner that a bet may name.
    fn check_runner(&self, runner: usize) -> Result<(), PricingError> {
        if self.win().get(runner).is_some_and(|&win| 0.0 < win) {
            Ok(())
        } else {
            Err(RUNNER_OUT_OF_RANGE)
        }
    }
}

/// Whether these are probabilities to win; how many of the runners run.
fn check_win(win: &[f64]) -> Result<usize, PricingError> {
    if RUNNERS_MAX < win.len() {
        return Err(PricingError::TooManyOutcomes { most: RUNNERS_MAX });
    }
    let mut live = 0;
    for (index, &win) in win.iter().enumerate() {
        if !win.is_finite() {
            return Err(PricingError::NotFinite { index });
        }
        if win != 0.0 && !(WIN_MIN..=1.0).contains(&win) {
            return Err(PricingError::ProbabilityOutOfRange { index });
        }
        live += usize::from(win != 0.0);
    }
    if live < 2 {
        return Err(PricingError::TooFewOutcomes);
    }
    if SUM_SLACK < (sum(win) - 1.0).abs() {
        return Err(PricingError::SumOffTarget);
    }
    Ok(live)
}

/// The sum in four lanes: every fourth together, then the lanes. The order is part of the result.
fn sum(terms: &[f64]) -> f64 {
    let (fours, rest) = terms.as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for four in fours {
        for (lane, term) in lanes.iter_mut().zip(four) {
            *lane += term;
        }
    }
    for (lane, term) in lanes.iter_mut().zip(rest) {
        *lane += term;
    }
    sum_lanes(lanes)
}

/// For each term the sum of all others. Added, not subtracted from the whole: where one runner is
/// nearly certain, what is left of the whole has no digits left.
fn all_but_each(terms: &[f64], sums: &mut [f64]) {
    let mut before = 0.0;
    for (term, sum) in terms.iter().zip(&mut *sums) {
        *sum = before;
        before += term;
    }
    let mut after = 0.0;
    for (term, sum) in terms.iter().zip(sums).rev() {
        *sum += after;
        after += term;
    }
}
