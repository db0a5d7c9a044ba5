//! Ratings: what two strengths say of a meeting, and the strengths that results or prices say.
//!
//! [`elo_expected`] and [`elo_update`] are Elo's (1978). [`bradley_terry`] is its other form, with
//! strengths instead of their logarithms. For draws there is [`davidson`] (1970), where a draw is most
//! likely between equals, and [`rao_kupper`] (1967), where it is a difference too small to be seen;
//! [`margin_over`] says by how much. [`fit_strengths`] reads strengths from results; what ends in
//! `_from` reads the parameters of one meeting from its prices, in closed form.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

mod fit;

pub use fit::{Advantage, Draws, Meeting, StrengthFit, fit_strengths};

use crate::{
    PricingError,
    math::{exp, ln, pow},
};

/// The greatest rating of Elo's kind, and minus it the least; so for an advantage.
pub const ELO_MAX: f64 = 10_000.0;

/// The greatest strength; the least is one through it.
pub const STRENGTH_MAX: f64 = 1e9;

/// The greatest weight in an update of Elo's, K.
pub const ELO_K_MAX: f64 = 1_000.0;

/// A range and how it reads.
type Allowed = (std::ops::RangeInclusive<f64>, &'static str);

fn within(value: f64, name: &'static str, allowed: Allowed) -> Result<(), PricingError> {
    let (range, allowed) = allowed;
    if range.contains(&value) {
        Ok(())
    } else {
        Err(PricingError::ParameterOutOfRange { name, allowed })
    }
}

fn check_strengths(strengths: [f64; 2]) -> Result<(), PricingError> {
    let check =
        |strength| within(strength, "strength", (1.0 / STRENGTH_MAX..=STRENGTH_MAX, "1e-9 to 1e9"));
    strengths.into_iter().try_for_each(check)
}

/// Three that are above 0 and sum to 1 within 1e-9.
fn check_three(probabilities: [f64; 3]) -> Result<(), PricingError> {
    for (index, probability) in probabilities.into_iter().enumerate() {
        if !probability.is_finite() {
            return Err(PricingError::NotFinite { index });
        }
        // So that no parameter is out of reach.
        if !(1e-9..1.0).contains(&probability) {
            return Err(PricingError::ProbabilityOutOfRange { index });
        }
    }
    let [home, draw, away] = probabilities;
    if 1e-9 < (home + draw + away - 1.0).abs() {
        return Err(PricingError::SumOffTarget);
    }
    Ok(())
}

/// The share of the points that the home side is expected to take: 1/(1 + 10^(-d/400)), d being
/// its rating and `advantage` less the other's.
///
/// Where there are no draws, the probability to win. 400 points are 10 to 1.
///
/// # Errors
///
/// [`PricingError::ParameterOutOfRange`] ("rating") beyond [`ELO_MAX`].
///
/// ```
/// use betring_pricing::model::rating::elo_expected;
///
/// assert_eq!(elo_expected(1500.0, 1500.0, 0.0)?, 0.5);
/// assert!((elo_expected(1900.0, 1500.0, 0.0)? - 10.0 / 11.0).abs() < 1e-15);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn elo_expected(home: f64, away: f64, advantage: f64) -> Result<f64, PricingError> {
    for rating in [home, away, advantage] {
        within(rating, "rating", (-ELO_MAX..=ELO_MAX, "-10,000 to 10,000"))?;
    }
    Ok(1.0 / (1.0 + pow(10.0, (away - home - advantage) / 400.0)))
}

/// The new rating of a side that took `scored` (1 won, 0.5 drawn, 0 lost) where `expected` was
/// expected: it moves by `k` times the difference. What one side gains, the other loses.
///
/// # Errors
///
/// [`PricingError::ParameterOutOfRange`]: "rating", "expected" or "scored" outside 0 to 1, "k" outside
/// 0 to [`ELO_K_MAX`].
///
/// ```
/// use betring_pricing::model::rating::elo_update;
///
/// assert_eq!(elo_update(1500.0, 0.5, 1.0, 20.0)?, 1510.0);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn elo_update(rating: f64, expected: f64, scored: f64, k: f64) -> Result<f64, PricingError> {
    within(rating, "rating", (-ELO_MAX..=ELO_MAX, "-10,000 to 10,000"))?;
    within(expected, "expected", (0.0..=1.0, "0 to 1"))?;
    within(scored, "scored", (0.0..=1.0, "0 to 1"))?;
    within(k, "k", (0.0..=ELO_K_MAX, "0 to 1,000"))?;
    Ok(rating + k * (scored - expected))
}

/// The probability that a side of the first strength beats one of the second: a/(a + b).
///
/// Strengths are from 1/[`STRENGTH_MAX`] to that; only their ratio counts. Elo's ratings are
/// 400 log₁₀ of them.
///
/// # Errors
///
/// [`PricingError::ParameterOutOfRange`] ("strength").
///
/// ```
/// use betring_pricing::model::rating::bradley_terry;
///
/// assert_eq!(bradley_terry(3.0, 1.0)?, 0.75);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn bradley_terry(a: f64, b: f64) -> Result<f64, PricingError> {
    check_strengths([a, b])?;
    Ok(a / (a + b))
}

/// Home win, draw and away win as the strengths, and `draw` times the root of their product, are to each
/// other. `draw` is 0 to [`STRENGTH_MAX`]; home advantage is a factor of the home side's strength.
///
/// # Errors
///
/// [`PricingError::ParameterOutOfRange`]: "strength", "draw".
///
/// ```
/// use betring_pricing::model::rating::davidson;
///
/// assert_eq!(davidson(2.0, 2.0, 1.0)?, [1.0 / 3.0; 3]);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn davidson(home: f64, away: f64, draw: f64) -> Result<[f64; 3], PricingError> {
    check_strengths([home, away])?;
    within(draw, "draw", (0.0..=STRENGTH_MAX, "0 to 1e9"))?;
    let drawn = draw * (home * away).sqrt();
    let all = home + drawn + away;
    Ok([home / all, drawn / all, away / all])
}

/// The ratio of strengths, home to away, and `draw` of [`davidson`] that give these probabilities of
/// home win, draw and away win.
///
/// # Errors
///
/// [`PricingError::NotFinite`], [`PricingError::ProbabilityOutOfRange`] (each is at least 1e-9),
/// [`PricingError::SumOffTarget`] unless they sum to 1 within 1e-9.
///
/// ```
/// use betring_pricing::model::rating::davidson_from;
///
/// assert_eq!(davidson_from([0.5, 0.25, 0.25])?.0, 2.0);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn davidson_from(probabilities: [f64; 3]) -> Result<(f64, f64), PricingError> {
    check_three(probabilities)?;
    let [home, draw, away] = probabilities;
    Ok((home / away, draw / (home * away).sqrt()))
}

/// Home win, draw and away win where a side wins only if it is `threshold` times as strong on the day:
/// h/(h + ta), a/(a + th), and the draw between. `threshold` is 1 (no draws) to [`STRENGTH_MAX`].
///
/// # Errors
///
/// [`PricingError::ParameterOutOfRange`]: "strength", "threshold".
///
/// ```
/// use betring_pricing::model::rating::rao_kupper;
///
/// let [home, draw, away] = rao_kupper(1.0, 1.0, 3.0)?;
/// assert_eq!([home, draw, away], [0.25, 0.5, 0.25]);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn rao_kupper(home: f64, away: f64, threshold: f64) -> Result<[f64; 3], PricingError> {
    check_strengths([home, away])?;
    within(threshold, "threshold", (1.0..=STRENGTH_MAX, "1 to 1e9"))?;
    let (by_home, by_away) = (home + threshold * away, away + threshold * home);
    // Not 1 less both: between very unequal sides no digit would be left of it.
    let draw = (threshold * threshold - 1.0) * (home / by_home) * (away / by_away);
    Ok([home / by_home, draw, away / by_away])
}

/// The ratio of strengths, home to away, and the threshold of [`rao_kupper`] that give these
/// probabilities of home win, draw and away win. Errors as for [`davidson_from`].
///
/// ```
/// use betring_pricing::model::rating::rao_kupper_from;
///
/// assert_eq!(rao_kupper_from([0.25, 0.5, 0.25])?, (1.0, 3.0));
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn rao_kupper_from(probabilities: [f64; 3]) -> Result<(f64, f64), PricingError> {
    check_three(probabilities)?;
    let [home, draw, away] = probabilities;
    // Odds against each, from the other two: no digit is lost near 1.
    let (against_home, against_away) = ((draw + away) / home, (home + draw) / away);
    let ratio = (against_away / against_home).sqrt();
    Ok((ratio, (against_home * against_away).sqrt().max(1.0)))
}

/// The probability that the margin (home less away) is above `line`, if it is logistic about `expected`
/// with this scale: 1/(1 + e^((line - expected)/scale)). Its deviation is 1.8 scales.
///
/// With the margin counted in scales this is [`rao_kupper`]: the ratio of strengths is e^expected, and a
/// margin within t of 0 is a draw of threshold e^t.
///
/// # Errors
///
/// [`PricingError::ParameterOutOfRange`]: "margin" for an expectation or a line beyond 10,000, "scale" outside
/// 1/1,000 to 10,000.
///
/// ```
/// use betring_pricing::model::rating::margin_over;
///
/// assert_eq!(margin_over(3.5, 7.0, 3.5)?, 0.5);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn margin_over(expected: f64, scale: f64, line: f64) -> Result<f64, PricingError> {
    within(expected, "margin", (-MARGIN_MAX..=MARGIN_MAX, "-10,000 to 10,000"))?;
    within(line, "margin", (-MARGIN_MAX..=MARGIN_MAX, "-10,000 to 10,000"))?;
    within(scale, "scale", (SCALE_MIN..=MARGIN_MAX, "0.001 to 10,000"))?;
    Ok(1.0 / (1.0 + exp((line - expected) / scale)))
}

const MARGIN_MAX: f64 = 10_000.0;
const SCALE_MIN: f64 = 0.001;

/// The expected margin and the scale of [`margin_over`] that give the first line its probability and the
/// second, which is higher, its lower one.
///
/// # Errors
///
/// [`PricingError::ParameterOutOfRange`] ("margin") for lines beyond 10,000,
/// [`PricingError::ProbabilityOutOfRange`] for what is not above 0 and below 1,
/// [`PricingError::NoSolution`] if the higher line is not the less likely one, or the
/// result is outside the range of [`margin_over`].
///
/// ```
/// use betring_pricing::model::rating::{margin_from, margin_over};
///
/// let (expected, scale) = margin_from([(-0.5, 0.6), (6.5, 0.4)])?;
/// assert!((expected - 3.0).abs() < 1e-12);
/// assert!((margin_over(expected, scale, 6.5)? - 0.4).abs() < 1e-15);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn margin_from(lines: [(f64, f64); 2]) -> Result<(f64, f64), PricingError> {
    let mut logits = [0.0; 2];
    for (index, (line, probability)) in lines.into_iter().enumerate() {
        within(line, "margin", (-MARGIN_MAX..=MARGIN_MAX, "-10,000 to 10,000"))?;
        if !(0.0 < probability && probability < 1.0) {
            return Err(PricingError::ProbabilityOutOfRange { index });
        }
        logits[index] = ln(probability / (1.0 - probability));
    }
    let [low, high] = lines.map(|(line, _)| line);
    if !(low < high && logits[1] < logits[0]) {
        return Err(PricingError::NoSolution);
    }
    let scale = (high - low) / (logits[0] - logits[1]);
    let expected = low + scale * logits[0];
    margin_over(expected, scale, low).map_err(|_| PricingError::NoSolution)?;
    Ok((expected, scale))
}
