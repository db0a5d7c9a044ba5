//! What multiples and systems are worth: their exact odds, and what they return in the mean.
//!
//! What a ticket returns is [`ticket`](mod@crate::ticket)'s to say, in integers. Here is what is asked
//! before: the odds of an accumulator, and by probabilities what a system is expected to return. The
//! legs are taken to be independent of each other, which those of one event are not.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use ruint::Uint;

use crate::{LEGS_MAX, Price, PricingError, Quoted, Shape};

/// The odds of all legs winning, rounded down once: the exact product of their exact odds.
///
/// `None` without legs, with more than [`LEGS_MAX`], or beyond [`Price::MAX`].
///
/// ```
/// use betring_pricing::{accumulator, price};
///
/// let legs = ["1.91", "1.91", "10/11"].map(|odds| odds.parse().unwrap());
/// // 1.91 · 1.91 · 21/11 is 6.96455...; rounding 21/11 to 1.909 first would give 6.9642.
/// assert_eq!(accumulator(&legs), Some(price!(6.9645)));
/// ```
pub fn accumulator(legs: &[Quoted]) -> Option<Price> {
    /// Room for 25 legs of 30 bits, and for ten-thousandths.
    type Wide = Uint<1024, 16>;
    const { assert!(LEGS_MAX * 30 + 14 <= 1024 && Price::MAX.e4() < 1 << 30) };
    if legs.is_empty() || LEGS_MAX < legs.len() {
        return None;
    }
    let (mut num, mut den) = (Wide::from(10_000), Wide::ONE);
    for leg in legs {
        let (over, under) = match leg.fraction() {
            Some(fraction) => {
                (u32::from(fraction.num()) + u32::from(fraction.den()), u32::from(fraction.den()))
            }
            None => (leg.price().e4(), 10_000),
        };
        num *= Wide::from(over);
        den *= Wide::from(under);
    }
    Price::from_e4(u32::try_from(num / den).ok()?)
}

/// The fair odds of all legs winning: one over the product of their probabilities.
///
/// # Errors
///
/// Those of probabilities that are not above 0 and at most 1; [`TooManyOutcomes`] above
/// [`LEGS_MAX`]; [`NoSolution`] if their product is too small for a float.
///
/// [`TooManyOutcomes`]: PricingError::TooManyOutcomes
/// [`NoSolution`]: PricingError::NoSolution
///
/// ```
/// use betring_pricing::fair_odds;
///
/// assert_eq!(fair_odds(&[0.5, 0.25, 0.8]), Ok(10.0));
/// ```
pub fn fair_odds(probabilities: &[f64]) -> Result<f64, PricingError> {
    check(probabilities, LEGS_MAX)?;
    if let Some(index) = probabilities.iter().position(|&p| p == 0.0) {
        return Err(PricingError::ProbabilityOutOfRange { index });
    }
    let odds = 1.0 / probabilities.iter().product::<f64>();
    if odds.is_finite() { Ok(odds) } else { Err(PricingError::NoSolution) }
}

/// What a system returns for each unit of its total stake, one value standing for each leg: the mean
/// over its lines of the product of their legs.
///
/// The value of a leg is its odds to see the price of the system, its probability times its odds to
/// see what it returns in the mean, 0 if it has lost and 1 if it is void. By elementary symmetric
/// polynomials, so that no line is looked at. Of an each-way shape the win lines alone: the
/// place lines have values of their own, and the system returns the mean of both.
///
/// # Errors
///
/// [`LengthsDiffer`](PricingError::LengthsDiffer) from the legs of the shape;
/// [`NotFinite`](PricingError::NotFinite) for the first value that is;
/// [`ParameterOutOfRange`](PricingError::ParameterOutOfRange) for values below 0 or above the
/// greatest price, 100,000.
///
/// ```
/// use betring_pricing::{Shape, system_return};
///
/// // A trixie at 2.50, 3.00 and 1.80, the last leg lost: one double of four lines won.
/// let trixie = Shape::named("trixie").unwrap();
/// assert_eq!(system_return(trixie, &[2.5, 3.0, 0.0]), Ok(7.5 / 4.0));
/// ```
pub fn system_return(shape: Shape, values: &[f64]) -> Result<f64, PricingError> {
    if values.len() != usize::from(shape.legs()) {
        return Err(PricingError::LengthsDiffer);
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(PricingError::NotFinite { index });
    }
    let greatest = f64::from(Price::MAX.e4()) / 10_000.0;
    if !values.iter().all(|value| (0.0..=greatest).contains(value)) {
        return Err(PricingError::ParameterOutOfRange { name: "values", allowed: "0 to 100,000" });
    }
    // At k, the sum over all choices of k legs beside the bankers.
    let mut sums = [0.0; LEGS_MAX + 1];
    sums[0] = 1.0;
    let (mut bankers, mut chosen) = (1.0, 0);
    for (leg, value) in values.iter().enumerate() {
        if shape.bankers() >> leg & 1 == 1 {
            bankers *= value;
            continue;
        }
        chosen += 1;
        for k in (1..=chosen).rev() {
            sums[k] += sums[k - 1] * value;
        }
    }
    let fewest = shape.bankers().count_ones();
    let mut sum = 0.0;
    for fold in fewest.max(1)..=u32::from(shape.legs()) {
        if shape.folds() >> (fold - 1) & 1 == 1 {
            sum += sums[(fold - fewest) as usize];
        }
    }
    let win_lines = shape.with_each_way(Default::default()).lines();
    Ok(bankers * sum / win_lines as f64)
}

/// What a system returns in the mean for each unit of its total stake: 1 if the odds are fair.
///
/// # Errors
///
/// Those of [`system_return`], and of probabilities that are not from 0 to 1 or not as many as odds.
///
/// ```
/// use betring_pricing::{Shape, expected_return};
///
/// // Singles lose 5 %, doubles nearly twice that.
/// let (p, odds) = ([0.5, 0.38], [1.9, 2.5]);
/// let double = Shape::named("double").unwrap();
/// assert_eq!(format!("{:.4}", expected_return(double, &p, &odds).unwrap()), "0.9025");
/// ```
pub fn expected_return(
    shape: Shape,
    probabilities: &[f64],
    odds: &[f64],
) -> Result<f64, PricingError> {
    if probabilities.len() != odds.len() {
        return Err(PricingError::LengthsDiffer);
    }
    check(probabilities, LEGS_MAX)?;
    let mut values = [0.0; LEGS_MAX];
    for (value, (p, odds)) in values.iter_mut().zip(probabilities.iter().zip(odds)) {
        *value = p * odds;
    }
    system_return(shape, &values[..odds.len()])
}

/// How likely it is that exactly so many legs win: `chances[k]` for `k` of them, from none to all.
///
/// # Errors
///
/// Those of probabilities that are not from 0 to 1; [`TooManyOutcomes`] above [`LEGS_MAX`];
/// [`LengthsDiffer`] unless there is one more chance than there are legs.
///
/// [`TooManyOutcomes`]: PricingError::TooManyOutcomes
/// [`LengthsDiffer`]: PricingError::LengthsDiffer
///
/// ```
/// use betring_pricing::winning_legs;
///
/// let mut chances = [0.0; 3];
/// winning_legs(&[0.5, 0.25], &mut chances).unwrap();
/// assert_eq!(chances, [0.375, 0.5, 0.125]);
/// ```
pub fn winning_legs(probabilities: &[f64], chances: &mut [f64]) -> Result<(), PricingError> {
    check(probabilities, LEGS_MAX)?;
    if chances.len() != probabilities.len() + 1 {
        return Err(PricingError::LengthsDiffer);
    }
    chances.fill(0.0);
    chances[0] = 1.0;
    for (before, p) in probabilities.iter().enumerate() {
        for won in (1..=before + 1).rev() {
            chances[won] = chances[won] * (1.0 - p) + chances[won - 1] * p;
        }
        chances[0] *= 1.0 - p;
    }
    Ok(())
}

/// At most so many, each from 0 to 1.
pub(crate) fn check(probabilities: &[f64], most: usize) -> Result<(), PricingError> {
    if most < probabilities.len() {
        return Err(PricingError::TooManyOutcomes { most });
    }
    match probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
        Some(index) if probabilities[index].is_finite() => {
            Err(PricingError::ProbabilityOutOfRange { index })
        }
        Some(index) => Err(PricingError::NotFinite { index }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price;

    #[test]
    fn the_odds_of_an_accumulator_are_rounded_once() {
        let legs = |odds: &[&str]| -> Vec<Quoted> {
            odds.iter().map(|odds| odds.parse().expect("odds")).collect()
        };
        assert_eq!(accumulator(&legs(&["1.5", "2.2", "3.1"])), Some(price!(10.23)));
        assert_eq!(accumulator(&legs(&["1.91"; 4])), Some(price!(13.3086)));
        // Three times evens and a third are 2.370370..., and not 1.3333³ = 2.3702.
        assert_eq!(accumulator(&legs(&["1/3"; 3])), Some(price!(2.3703)));
        assert_eq!(accumulator(&legs(&["1.0001"; 25])).map(Price::e4), Some(10_025));
        assert_eq!(accumulator(&[]), None);
        assert_eq!(accumulator(&legs(&["1.01"; 26])), None);
        assert_eq!(accumulator(&legs(&["1000", "101"])), None);
        assert_eq!(accumulator(&legs(&["1000", "100"])), Some(Price::MAX));
    }

    #[test]
    fn a_system_at_fair_odds_returns_its_stake_whatever_its_lines() {
        let p = [0.5, 0.25, 0.8, 0.4, 0.1];
        let fair = p.map(|p| 1.0 / p);
        for folds in 1_u32..32 {
            for bankers in 0..31 {
                if let Ok(shape) = Shape::new(5, folds, bankers, Default::default()) {
                    let back = expected_return(shape, &p, &fair).expect("a return");
                    assert!((back - 1.0).abs() < 1e-14, "{shape}: {back}");
                }
            }
        }
    }

    #[test]
    fn the_number_of_winning_legs_has_the_mean_of_the_legs() {
        let p = [0.5, 0.25, 0.8, 0.0, 1.0];
        let mut chances = [0.0; 6];
        winning_legs(&p, &mut chances).expect("chances");
        let (mut whole, mut mean) = (0.0, 0.0);
        for (won, chance) in (0_u8..).zip(chances) {
            whole += chance;
            mean += f64::from(won) * chance;
        }
        assert!((whole - 1.0_f64).abs() < 1e-15 && (mean - 2.55_f64).abs() < 1e-14);
        // One leg is certain and one has lost.
        assert_eq!((chances[0], chances[5]), (0.0, 0.0));
    }

    #[test]
    fn what_is_no_leg_is_refused() {
        let double = Shape::named("double").expect("a name");
        assert_eq!(system_return(double, &[2.0]), Err(PricingError::LengthsDiffer));
        assert_eq!(
            system_return(double, &[2.0, f64::NAN]),
            Err(PricingError::NotFinite { index: 1 })
        );
        assert_eq!(
            system_return(double, &[2.0, -1.0]),
            Err(PricingError::ParameterOutOfRange { name: "values", allowed: "0 to 100,000" })
        );
        assert_eq!(
            expected_return(double, &[0.5, 1.1], &[2.0, 2.0]),
            Err(PricingError::ProbabilityOutOfRange { index: 1 })
        );
        assert_eq!(fair_odds(&[0.5, 0.0]), Err(PricingError::ProbabilityOutOfRange { index: 1 }));
        assert_eq!(fair_odds(&[1e-300; 2]), Err(PricingError::NoSolution));
        assert_eq!(winning_legs(&[0.5], &mut [0.0]), Err(PricingError::LengthsDiffer));
    }
}
