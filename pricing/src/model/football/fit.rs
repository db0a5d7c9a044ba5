//! The model that explains the prices of a market.
//!
//! What goes in are fair probabilities, without a margin. Newton's method on the logarithms of the
//! means, with derivatives in closed form: of a probability p of k goals, made to sum to one, the
//! derivative by the logarithm of the mean is p × (k - the mean of the grid). The four factors of
//! Dixon and Coles all move the same t = ρλμ P(0) Q(0) from 0-0 and 1-1 to 1-0 and 0-1, so that the
//! results of a model are those of independent goals, with t more for either side.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{
    GoalModel, MEAN_MAX, SIZE,
    grid::{normalised, poisson, sum},
};
use crate::{PricingError, math};

/// A model that explains what it was asked to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fit {
    /// It.
    pub model: GoalModel,
    /// How many steps were needed; none if the search began at the solution.
    pub iterations: u32,
    /// By how much its probabilities differ from those asked for at most: 1e-10 or less.
    pub residual: f64,
}

impl Fit {
    /// The ρ that was given or found. Found, it says how well result and total go together: far from
    /// -0.1, one of the two prices is likelier to be wrong than the league to be different.
    pub fn rho(&self) -> f64 {
        self.model.rho()
    }
}

/// The fair probability of at most so many goals of both sides: under 2.5 is at most 2.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AtMost {
    /// From 0 to 14.
    pub goals: u8,
    /// Above 0 and below 1.
    pub probability: f64,
}

/// The greatest difference of a fit from what it explains.
const RESIDUAL_MAX: f64 = 1e-10;
/// What is not worth another step.
const RESIDUAL_GOAL: f64 = 1e-13;
/// So many steps have no solution in sight: searches that succeed take a dozen when begun cold.
const STEPS_MAX: u32 = 60;
/// A step that does not help is halved so often.
const HALVINGS_MAX: u32 = 30;
/// How far the logarithm of a mean moves at once: by a factor of e.
const STRIDE_MAX: f64 = 1.0;
/// The mean at which a search begins is not below this: none is left of a side without any.
const START_MIN: f64 = 0.01;
/// On its way a search may pass means that no model may have.
const SEARCH_MAX: f64 = 2.0 * MEAN_MAX;
/// How far the probabilities of a market may be from summing to one.
const SUM_TOLERANCE: f64 = 1e-9;

/// The two means that explain the fair probabilities of home, draw and away, with a given ρ (0 for
/// independent goals).
///
/// The result alone does not tell ρ, nor the total: whatever ρ is given, some means explain the same
/// three probabilities, and the total moves with it. At 45 %, 28 % and 27 % over 2.5 has 49.2 % for
/// ρ = -0.1, 39.5 % for 0 and 31.2 % for 0.1: about ten points for each 0.1. Who has the price of a
/// total finds ρ by [`from_result_and_total`].
///
/// `near` is where the search begins, such as the model of the prices before. Without one it begins
/// at means guessed from the probabilities.
///
/// ```
/// use betring_pricing::model::football::fit;
///
/// let cold = fit::from_result([0.45, 0.27, 0.28], 0.0, None)?;
/// assert!((cold.model.home_mean() - 1.3862333822).abs() < 1e-9);
/// assert!((cold.model.away_mean() - 1.0326542396).abs() < 1e-9);
/// // The market moves a little.
/// let warm = fit::from_result([0.46, 0.27, 0.27], 0.0, Some(&cold.model))?;
/// assert!(warm.iterations <= 4);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
///
/// # Errors
///
/// [`PricingError::ProbabilityOutOfRange`] for what is not above 0 and below 1,
/// [`PricingError::SumOffTarget`] for three that do not sum to one within 1e-9,
/// [`PricingError::ParameterOutOfRange`] for a ρ that is not finite, and
/// [`PricingError::NoSolution`] if no model explains them: an even match that is drawn once in
/// twenty would need more than [`MEAN_MAX`] goals a side.
pub fn from_result(
    fair: [f64; 3],
    rho: f64,
    near: Option<&GoalModel>,
) -> Result<Fit, PricingError> {
    let [home, draw, away] = checked(fair)?;
    if !rho.is_finite() {
        return Err(PricingError::ParameterOutOfRange { name: "rho", allowed: "a finite number" });
    }
    solve(start([home, draw, away], rho, near), &Target { home, away, at_most: None })
}

/// The means and the ρ that explain the fair probabilities of home, draw and away, and that of a
/// total.
///
/// A total that does not go with the result is explained all the same, by a ρ that no league shows:
/// to 45 %, 28 % and 27 % with under 2.5 at 90 % it is 0.81, where leagues have about -0.1. The caller
/// checks [`Fit::rho`] against what it believes.
///
/// ```
/// use betring_pricing::model::football::fit::{self, AtMost};
///
/// let under = AtMost { goals: 2, probability: 0.52 };
/// let fit = fit::from_result_and_total([0.45, 0.28, 0.27], under, None)?;
/// assert!(fit.residual <= 1e-10);
/// // More draws than independent goals would bring at that total.
/// assert!((-0.2..0.0).contains(&fit.rho()));
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
///
/// # Errors
///
/// As [`from_result`], where the probability of the total is number 3, and
/// [`PricingError::ParameterOutOfRange`] for more than 14 goals.
pub fn from_result_and_total(
    fair: [f64; 3],
    total: AtMost,
    near: Option<&GoalModel>,
) -> Result<Fit, PricingError> {
    let [home, draw, away] = checked(fair)?;
    check_total(total, 3)?;
    let rho = near.map_or(0.0, GoalModel::rho);
    solve(start([home, draw, away], rho, near), &Target { home, away, at_most: Some(total) })
}

/// The mean of a Poisson number of goals that is at most so many with that probability; up to
/// twice [`MEAN_MAX`].
///
/// ```
/// use betring_pricing::model::football::fit::{self, AtMost};
///
/// let mean = fit::total_mean(AtMost { goals: 2, probability: 0.5 })?;
/// assert!((mean - 2.6740603137).abs() < 1e-9);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
///
/// # Errors
///
/// [`PricingError::ProbabilityOutOfRange`] and [`PricingError::ParameterOutOfRange`] as for
/// [`from_result_and_total`], [`PricingError::NoSolution`] if the mean would be greater.
pub fn total_mean(total: AtMost) -> Result<f64, PricingError> {
    check_total(total, 0)?;
    let most = usize::from(total.goals);
    // The probability falls with the mean, and it bends at a mean of `most`: from there Newton's
    // steps lead to the solution without ever passing it.
    let bend = most as f64;
    let mut mean = bend;
    let mut before = 0.0;
    for _ in 0..TOTAL_STEPS_MAX {
        let mut term = math::exp(-mean);
        let mut at_most = term;
        for goals in 1..=most {
            term = term * mean / goals as f64;
            at_most += term;
        }
        // The last term is what the probability loses by a greater mean.
        let step = (at_most - total.probability) / term;
        // Only rounding leads back: the solution is known as well as the probability tells it.
        if step * before < 0.0 || mean + step == mean {
            return if mean <= 2.0 * MEAN_MAX { Ok(mean) } else { Err(PricingError::NoSolution) };
        }
        (mean, before) = (mean + step, step);
        if !(0.0..=bend.max(2.0 * MEAN_MAX)).contains(&mean) {
            break;
        }
    }
    Err(PricingError::NoSolution)
}

/// Far from the bend a step covers a sixteenth of the way: so many are enough.
const TOTAL_STEPS_MAX: u32 = 200;

/// Three probabilities that sum to one.
fn checked(fair: [f64; 3]) -> Result<[f64; 3], PricingError> {
    for (index, probability) in fair.into_iter().enumerate() {
        check_probability(probability, index)?;
    }
    let sum = fair[0] + fair[1] + fair[2];
    if SUM_TOLERANCE < (sum - 1.0).abs() {
        return Err(PricingError::SumOffTarget);
    }
    Ok(fair.map(|probability| probability / sum))
}

fn check_probability(probability: f64, index: usize) -> Result<(), PricingError> {
    // No NaN is between them.
    if 0.0 < probability && probability < 1.0 {
        Ok(())
    } else {
        Err(PricingError::ProbabilityOutOfRange { index })
    }
}

fn check_total(total: AtMost, index: usize) -> Result<(), PricingError> {
    if SIZE <= usize::from(total.goals) + 1 {
        return Err(PricingError::ParameterOutOfRange { name: "total", allowed: "0 to 14 goals" });
    }
    check_probability(total.probability, index)
}

#[derive(Clone, Copy)]
struct Point {
    home_mean: f64,
    away_mean: f64,
    rho: f64,
}

/// Where a search begins.
fn start([home, draw, away]: [f64; 3], rho: f64, near: Option<&GoalModel>) -> Point {
    let mean = |mean: f64| mean.clamp(START_MIN, MEAN_MAX);
    let (home_mean, away_mean) = match near {
        Some(model) => (model.home_mean(), model.away_mean()),
        None => {
            // 1.3 goals each, more or less by the side that is better.
            let better = (home + 0.5 * draw) / (away + 0.5 * draw);
            let ratio = better.sqrt();
            (1.3 * ratio, 1.3 / ratio)
        }
    };
    Point { home_mean: mean(home_mean), away_mean: mean(away_mean), rho }
}

/// What is to be explained.
struct Target {
    home: f64,
    away: f64,
    /// Without it ρ is not looked for.
    at_most: Option<AtMost>,
}

/// What is missing to the target at a point, and by how much it changes with the logarithms of the
/// means and with ρ.
struct Miss {
    by: [f64; 3],
    slopes: [[f64; 3]; 3],
}

impl Miss {
    fn residual(&self) -> f64 {
        let [home, away, third] = self.by.map(f64::abs);
        home.max(away).max(third)
    }

    /// Newton's step; `None` if the slopes do not lead anywhere.
    fn step(&self) -> Option<[f64; 3]> {
        let [a, b, c] = self.slopes;
        let columns = [cross(b, c), cross(c, a), cross(a, b)];
        let determinant = dot(a, columns[0]);
        let inverse = 1.0 / determinant;
        let step = [0, 1, 2].map(|at| {
            let [x, y, z] = columns.map(|column| column[at]);
            -dot([x, y, z], self.by) * inverse
        });
        step.iter().all(|part| part.is_finite()).then_some(step)
    }
}

fn cross([a, b, c]: [f64; 3], [x, y, z]: [f64; 3]) -> [f64; 3] {
    [b * z - c * y, c * x - a * z, a * y - b * x]
}

fn dot([a, b, c]: [f64; 3], [x, y, z]: [f64; 3]) -> f64 {
    a * x + b * y + c * z
}

fn solve(mut at: Point, target: &Target) -> Result<Fit, PricingError> {
    let mut miss = target.miss(at);
    let mut iterations = 0;
    while RESIDUAL_GOAL < miss.residual() && iterations < STEPS_MAX {
        let Some(step) = miss.step() else { break };
        let Some((there, closer)) = advance(at, &miss, step, target) else { break };
        (at, miss) = (there, closer);
        iterations += 1;
    }
    let residual = miss.residual();
    if residual <= RESIDUAL_MAX {
        // A ρ outside its bounds explains nothing: a score would have a negative probability.
        let model = GoalModel::dixon_coles(at.home_mean, at.away_mean, at.rho);
        model.map_or(Err(PricingError::NoSolution), |model| Ok(Fit { model, iterations, residual }))
    } else {
        Err(PricingError::NoSolution)
    }
}

/// The step, or as much of it as leads closer; `None` if nothing of it does.
fn advance(at: Point, miss: &Miss, step: [f64; 3], target: &Target) -> Option<(Point, Miss)> {
    let stride = step.map(f64::abs);
    let longest = stride[0].max(stride[1]).max(stride[2]);
    let mut share = if STRIDE_MAX < longest { STRIDE_MAX / longest } else { 1.0 };
    for _ in 0..HALVINGS_MAX {
        let there = Point {
            home_mean: at.home_mean * math::exp(share * step[0]),
            away_mean: at.away_mean * math::exp(share * step[1]),
            rho: at.rho + share * step[2],
        };
        if there.home_mean <= SEARCH_MAX && there.away_mean <= SEARCH_MAX {
            let closer = target.miss(there);
            if closer.residual() < miss.residual() {
                return Some((there, closer));
            }
        }
        share *= 0.5;
    }
    None
}

impl Target {
    fn miss(&self, at: Point) -> Miss {
        let (home, away) = (Goals::new(at.home_mean), Goals::new(at.away_mean));
        // [value, slope by the home side's mean, slope by the away side's]
        let mut win = [0.0; 3];
        let mut loss = [0.0; 3];
        for goals in 1..SIZE {
            let fewer = goals - 1;
            win[0] += home.exactly[goals] * away.at_most[fewer];
            win[1] += home.exactly_slope[goals] * away.at_most[fewer];
            win[2] += home.exactly[goals] * away.at_most_slope[fewer];
            loss[0] += away.exactly[goals] * home.at_most[fewer];
            loss[1] += away.exactly[goals] * home.at_most_slope[fewer];
            loss[2] += away.exactly_slope[goals] * home.at_most[fewer];
        }
        // What Dixon and Coles move, and its slopes.
        let moved = at.home_mean * at.away_mean * home.exactly[0] * away.exactly[0];
        let more = moved * at.rho;
        let bond = [more, more * (1.0 - home.mean), more * (1.0 - away.mean), moved];
        let mut miss = Miss {
            by: [win[0] + bond[0] - self.home, loss[0] + bond[0] - self.away, 0.0],
            slopes: [
                [win[1] + bond[1], win[2] + bond[2], bond[3]],
                [loss[1] + bond[1], loss[2] + bond[2], bond[3]],
                [0.0, 0.0, 1.0],
            ],
        };
        if let Some(AtMost { goals: most, probability }) = self.at_most {
            let most = usize::from(most);
            let mut few = [0.0; 3];
            for goals in 0..=most {
                few[0] += home.exactly[goals] * away.at_most[most - goals];
                few[1] += home.exactly_slope[goals] * away.at_most[most - goals];
                few[2] += home.exactly[goals] * away.at_most_slope[most - goals];
            }
            // From 0-0 to 1-0 and 0-1, from 1-1 to the same two.
            let times = match most {
                0 => -1.0,
                1 => 1.0,
                _ => 0.0,
            };
            miss.by[2] = few[0] + times * bond[0] - probability;
            miss.slopes[2] = [few[1] + times * bond[1], few[2] + times * bond[2], times * bond[3]];
        }
        if self.at_most.is_none() {
            // Without a third equation ρ stays where it is.
            miss.slopes[0][2] = 0.0;
            miss.slopes[1][2] = 0.0;
        }
        miss
    }
}

/// The goals of one side, as the grid has them, with slopes by the logarithm of the mean.
struct Goals {
    exactly: [f64; SIZE],
    exactly_slope: [f64; SIZE],
    at_most: [f64; SIZE],
    at_most_slope: [f64; SIZE],
    /// Of the grid: a little below that of the model.
    mean: f64,
}

impl Goals {
    fn new(mean: f64) -> Goals {
        let exactly = normalised(poisson(mean));
        let mut counted = exactly;
        for (goals, probability) in counted.iter_mut().enumerate() {
            *probability *= goals as f64;
        }
        let mean = sum(&counted);
        let mut exactly_slope = exactly;
        for (goals, slope) in exactly_slope.iter_mut().enumerate() {
            *slope *= goals as f64 - mean;
        }
        Goals {
            exactly,
            exactly_slope,
            at_most: running(&exactly),
            at_most_slope: running(&exactly_slope),
            mean,
        }
    }
}

fn running(terms: &[f64; SIZE]) -> [f64; SIZE] {
    let mut sum = 0.0;
    terms.map(|term| {
        sum += term;
        sum
    })
}
