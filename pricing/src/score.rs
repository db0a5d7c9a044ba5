//! How good a forecast was, once the result is known. Less is better in all of them.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use std::f64::consts::LN_2;

use crate::{OUTCOMES_MAX, PricingError, math::ln, multiple::check};

/// The ranked probability score of outcomes that have an order, such as home, draw, away: from 0 for
/// who was certain and right to 1 for who was certain of the other end. (Epstein 1969)
///
/// The mean over all places to divide them of the squared error of the probability below it.
///
/// # Errors
///
/// [`TooFewOutcomes`](PricingError::TooFewOutcomes) below two,
/// [`TooManyOutcomes`](PricingError::TooManyOutcomes) above [`OUTCOMES_MAX`]; those of probabilities
/// that are not from 0 to 1; [`SumOffTarget`](PricingError::SumOffTarget) if they do not sum to 1
/// within 1e-9; [`ParameterOutOfRange`](PricingError::ParameterOutOfRange) for an outcome that is
/// none.
///
/// ```
/// use betring_pricing::score;
///
/// // A home win, forecast with 45 %; a draw would have been nearer to it than the away win.
/// let ranked = score::ranked_probability(&[0.45, 0.27, 0.28], 0).unwrap();
/// assert_eq!(format!("{ranked:.5}"), "0.19045");
/// ```
pub fn ranked_probability(probabilities: &[f64], outcome: usize) -> Result<f64, PricingError> {
    check_forecast(probabilities, outcome)?;
    let (_, all_but_last) = probabilities.split_last().ok_or(PricingError::TooFewOutcomes)?;
    let (mut below, mut sum) = (0.0, 0.0);
    for (at, p) in all_but_last.iter().enumerate() {
        below += p;
        let off = if outcome <= at { below - 1.0 } else { below };
        sum += off * off;
    }
    Ok(sum / all_but_last.len() as f64)
}

/// Brier's score: the squared errors of all outcomes, from 0 to 2. (Brier 1950)
///
/// # Errors
///
/// Those of [`ranked_probability`].
///
/// ```
/// use betring_pricing::score;
///
/// assert_eq!(format!("{:.4}", score::brier(&[0.45, 0.27, 0.28], 0).unwrap()), "0.4538");
/// ```
pub fn brier(probabilities: &[f64], outcome: usize) -> Result<f64, PricingError> {
    check_forecast(probabilities, outcome)?;
    let errors = probabilities.iter().enumerate().map(|(at, p)| {
        let off = if at == outcome { p - 1.0 } else { *p };
        off * off
    });
    Ok(errors.sum())
}

/// The surprise of a forecast in bits, `−log₂ p` of what happened: 1 for a coin, and without bound.
/// (Good 1952)
///
/// # Errors
///
/// Those of [`ranked_probability`], and
/// [`ProbabilityOutOfRange`](PricingError::ProbabilityOutOfRange) where what happened had been ruled
/// out: that surprise is infinite.
///
/// ```
/// use betring_pricing::score;
///
/// assert_eq!(format!("{:.3}", score::ignorance(&[0.45, 0.27, 0.28], 0).unwrap()), "1.152");
/// ```
pub fn ignorance(probabilities: &[f64], outcome: usize) -> Result<f64, PricingError> {
    check_forecast(probabilities, outcome)?;
    match probabilities[outcome] {
        0.0 => Err(PricingError::ProbabilityOutOfRange { index: outcome }),
        p => Ok(-ln(p) / LN_2),
    }
}

fn check_forecast(probabilities: &[f64], outcome: usize) -> Result<(), PricingError> {
    if probabilities.len() < 2 {
        return Err(PricingError::TooFewOutcomes);
    }
    check(probabilities, OUTCOMES_MAX)?;
    if 1e-9 < (probabilities.iter().sum::<f64>() - 1.0).abs() {
        return Err(PricingError::SumOffTarget);
    }
    match outcome < probabilities.len() {
        true => Ok(()),
        false => Err(PricingError::ParameterOutOfRange {
            name: "outcome",
            allowed: "the place of one, counted from 0",
        }),
    }
}
