//! How much of a bankroll to stake so that it grows fastest.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use crate::{
    OUTCOMES_MAX, PricingError,
    math::{ln, ln_1p},
    multiple::check,
};

/// A stake on one outcome.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Kelly {
    /// What to stake, as a share of the bankroll; 0 if the bet is not worth more than it costs.
    pub stake: f64,
    /// What the bet gains in the mean for each unit staked: `p·o − 1`.
    pub edge: f64,
    /// What the logarithm of the bankroll gains in the mean.
    pub growth: f64,
}

/// Stakes on outcomes of which one wins at most.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Exclusive {
    /// What of the bankroll is kept by who stakes in full, and the least `p·o` worth staking on.
    pub reserve: f64,
    /// What the logarithm of the bankroll gains in the mean.
    pub growth: f64,
}

/// The stake on one outcome: `(p·o − 1)/(o − 1)` of the bankroll, times `fraction`. (Kelly 1956)
///
/// `probability` is what the outcome is believed to have, from 0 to 1: what is certain is staked on in
/// full, as by [`exclusive`], of which this is one outcome; `fraction` is above 0
/// and at most 1: half of it gives three quarters of the growth for half of the swing.
///
/// # Errors
///
/// [`NotFinite`](PricingError::NotFinite) or
/// [`OddsAtOrBelowOne`](PricingError::OddsAtOrBelowOne) for the odds,
/// [`ProbabilityOutOfRange`](PricingError::ProbabilityOutOfRange) for the probability,
/// [`ParameterOutOfRange`](PricingError::ParameterOutOfRange) for the fraction.
///
/// ```
/// use betring_pricing::kelly;
///
/// let bet = kelly::single(2.10, 0.55, 0.5).unwrap();
/// assert_eq!(format!("{:.4} {:.3} {:.5}", bet.stake, bet.edge, bet.growth), "0.0705 0.155 0.00818");
/// assert_eq!(kelly::single(2.10, 0.45, 1.0).unwrap().stake, 0.0);
/// ```
pub fn single(odds: f64, probability: f64, fraction: f64) -> Result<Kelly, PricingError> {
    check_odds(&[odds])?;
    check(&[probability], 1)?;
    check_fraction(fraction)?;
    let edge = probability * odds - 1.0;
    if edge <= 0.0 {
        return Ok(Kelly { stake: 0.0, edge, growth: 0.0 });
    }
    let stake = fraction * edge / (odds - 1.0);
    let mut growth = probability * ln_1p(stake * (odds - 1.0));
    // What is certain cannot lose, and the whole may be staked on it.
    if probability < 1.0 {
        growth += (1.0 - probability) * ln_1p(-stake);
    }
    Ok(Kelly { stake, edge, growth })
}

/// The stakes on outcomes of one event, of which one wins at most: `p − R/o` of the bankroll on each
/// whose `p·o` is above the reserve `R`, times `fraction`. (Smoczynski and Tomkins 2010)
///
/// Outcomes are taken in the order of `p·o` while it is above `R = (1 − Σp)/(1 − Σ1/o)` of those
/// taken: so it may pay to stake on one that by itself does not. The probabilities sum to 1 at most.
/// If the odds are so long that every result can be backed for less than it pays, nothing is kept.
///
/// # Errors
///
/// [`LengthsDiffer`](PricingError::LengthsDiffer);
/// [`TooFewOutcomes`](PricingError::TooFewOutcomes) without any,
/// [`TooManyOutcomes`](PricingError::TooManyOutcomes) above [`OUTCOMES_MAX`]; those of [`single`] for
/// the first outcome that has one;
/// [`SumOffTarget`](PricingError::SumOffTarget) for probabilities of more than 1 in all. After an
/// error all of `stakes` are zero.
///
/// ```
/// use betring_pricing::kelly;
///
/// let mut stakes = [0.0; 3];
/// let bets = kelly::exclusive(&[2.5, 3.2, 2.8], &[0.45, 0.30, 0.25], 1.0, &mut stakes).unwrap();
/// // The second one would lose 4 % by itself, and insures the first.
/// assert_eq!(stakes.map(|stake| format!("{stake:.4}")), ["0.1022", "0.0283", "0.0000"]);
/// assert_eq!(format!("{:.4}", bets.reserve), "0.8696");
/// ```
pub fn exclusive(
    odds: &[f64],
    probabilities: &[f64],
    fraction: f64,
    stakes: &mut [f64],
) -> Result<Exclusive, PricingError> {
    stakes.fill(0.0);
    let outcomes = odds.len();
    if probabilities.len() != outcomes || stakes.len() != outcomes {
        return Err(PricingError::LengthsDiffer);
    }
    if outcomes == 0 {
        return Err(PricingError::TooFewOutcomes);
    }
    check(probabilities, OUTCOMES_MAX)?;
    check_odds(odds)?;
    check_fraction(fraction)?;
    // What rounding may have left of probabilities that sum to one.
    if 1.0 + 1e-9 < probabilities.iter().sum::<f64>() {
        return Err(PricingError::SumOffTarget);
    }

    let worth = |at: u16| probabilities[usize::from(at)] * odds[usize::from(at)];
    let mut order: [u16; OUTCOMES_MAX] = std::array::from_fn(|at| at as u16);
    let order = &mut order[..outcomes];
    order.sort_unstable_by(|&a, &b| worth(b).total_cmp(&worth(a)).then(a.cmp(&b)));
    // What is left of one when what is staked on has been taken off: of the probabilities, and of the
    // inverse odds.
    let (mut chance, mut price, mut reserve) = (1.0, 1.0, 1.0);
    let mut taken = 0;
    for &at in &*order {
        let (p, inverse) = (probabilities[usize::from(at)], 1.0 / odds[usize::from(at)]);
        if worth(at) <= reserve || price <= inverse {
            break;
        }
        chance = f64::max(chance - p, 0.0);
        price -= inverse;
        reserve = chance / price;
        taken += 1;
    }
    let mut staked = 0.0;
    for &at in &order[..taken] {
        let at = usize::from(at);
        stakes[at] = fraction * f64::max(probabilities[at] - reserve / odds[at], 0.0);
        staked += stakes[at];
    }
    let (mut growth, mut rest) = (0.0, 1.0);
    for &at in &order[..taken] {
        let at = usize::from(at);
        growth += probabilities[at] * ln_1p(stakes[at] * odds[at] - staked);
        rest -= probabilities[at];
    }
    // Where every result is staked on, nobody is left to lose.
    if 1e-15 < rest && staked < 1.0 {
        growth += rest * ln(1.0 - staked);
    }
    Ok(Exclusive { reserve, growth })
}

fn check_odds(odds: &[f64]) -> Result<(), PricingError> {
    match odds.iter().position(|&odds| !(1.0 < odds && odds.is_finite())) {
        Some(index) if odds[index].is_finite() => Err(PricingError::OddsAtOrBelowOne { index }),
        Some(index) => Err(PricingError::NotFinite { index }),
        None => Ok(()),
    }
}

fn check_fraction(fraction: f64) -> Result<(), PricingError> {
    if 0.0 < fraction && fraction <= 1.0 {
        Ok(())
    } else {
        Err(PricingError::ParameterOutOfRange {
            name: "fraction",
            allowed: "above 0 and at most 1",
        })
    }
}
