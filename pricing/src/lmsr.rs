//! A market maker that always has a price: the logarithmic scoring rule. (Hanson 2003)
//!
//! It sells shares that pay 1 if their outcome wins. With `qᵢ` sold of each, a share costs
//! `e^(qᵢ/B)/Σe^(q/B)`, and what all of them have cost is `B·ln Σe^(q/B)`. The liquidity `B` says how
//! fast prices move, and bounds what can be lost: `B·ln n`.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use crate::{
    OUTCOMES_MAX, PricingError,
    math::{exp, exp_m1, ln, ln_1p},
};

/// The rule with one liquidity, in shares. A share pays one unit of money.
///
/// ```
/// use betring_pricing::Lmsr;
///
/// let maker = Lmsr::new(100.0).unwrap();
/// assert_eq!(maker.price(&[0.0, 0.0], 0), Ok(0.5));
/// // Fifty shares move the price from 0.50 to 0.62, and cost 28.09 together.
/// assert_eq!(format!("{:.2}", maker.cost(&[0.0, 0.0], 0, 50.0).unwrap()), "28.09");
/// assert_eq!(format!("{:.2}", maker.price(&[50.0, 0.0], 0).unwrap()), "0.62");
/// assert_eq!(format!("{:.2}", maker.worst_loss(2)), "69.31");
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lmsr {
    liquidity: f64,
}

impl Lmsr {
    /// The rule of that liquidity.
    ///
    /// # Errors
    ///
    /// [`ParameterOutOfRange`](PricingError::ParameterOutOfRange) unless it is above 0 and finite.
    pub fn new(liquidity: f64) -> Result<Lmsr, PricingError> {
        if 0.0 < liquidity && liquidity.is_finite() {
            Ok(Lmsr { liquidity })
        } else {
            Err(PricingError::ParameterOutOfRange {
                name: "liquidity",
                allowed: "above 0 and finite",
            })
        }
    }

    /// What the market maker loses at most, of so many outcomes.
    pub fn worst_loss(self, outcomes: usize) -> f64 {
        self.liquidity * ln(outcomes.max(1) as f64)
    }

    /// The price of every outcome, which sum to 1, `sold` shares being out.
    ///
    /// # Errors
    ///
    /// Those of [`price`](Lmsr::price), and [`LengthsDiffer`](PricingError::LengthsDiffer).
    pub fn prices(self, sold: &[f64], prices: &mut [f64]) -> Result<(), PricingError> {
        if prices.len() != sold.len() {
            return Err(PricingError::LengthsDiffer);
        }
        let (most, sum) = self.sum(sold)?;
        for (price, sold) in prices.iter_mut().zip(sold) {
            *price = exp((sold - most) / self.liquidity) / sum;
        }
        Ok(())
    }

    /// The price of one outcome, from 0 to 1: its probability, as the market maker sees it.
    ///
    /// # Errors
    ///
    /// [`TooFewOutcomes`](PricingError::TooFewOutcomes) below two,
    /// [`TooManyOutcomes`](PricingError::TooManyOutcomes) above [`OUTCOMES_MAX`],
    /// [`NotFinite`](PricingError::NotFinite) shares, or
    /// [`ParameterOutOfRange`](PricingError::ParameterOutOfRange) for an outcome that is none.
    pub fn price(self, sold: &[f64], outcome: usize) -> Result<f64, PricingError> {
        let (most, sum) = self.sum(sold)?;
        let sold = sold.get(outcome).ok_or(PricingError::ParameterOutOfRange {
            name: "outcome",
            allowed: "the place of one, counted from 0",
        })?;
        Ok(exp((sold - most) / self.liquidity) / sum)
    }

    /// What so many more shares of an outcome cost; less than nothing if they are sold back.
    ///
    /// # Errors
    ///
    /// Those of [`price`](Lmsr::price), and
    /// [`ParameterOutOfRange`](PricingError::ParameterOutOfRange) for shares that are not finite.
    pub fn cost(self, sold: &[f64], outcome: usize, shares: f64) -> Result<f64, PricingError> {
        if !shares.is_finite() {
            return Err(PricingError::ParameterOutOfRange {
                name: "shares",
                allowed: "a finite number",
            });
        }
        let price = self.price(sold, outcome)?;
        let moved = shares / self.liquidity;
        // B·ln(1 + p(e^x − 1)) is the difference of two logarithms without their difference, which is
        // most of it after a small step; after a large one e^x may be no float, and the difference is.
        let cost = if moved.abs() <= 1.0 {
            self.liquidity * ln_1p(price * exp_m1(moved))
        } else {
            let (most, sum) = self.sum(sold)?;
            let with = sold[outcome] + shares;
            let others = || sold.iter().enumerate().filter(|(at, _)| *at != outcome);
            let most_then = others().fold(with, |most, (_, sold)| most.max(*sold));
            let sum_then = others()
                .fold(exp((with - most_then) / self.liquidity), |sum, (_, sold)| {
                    sum + exp((sold - most_then) / self.liquidity)
                });
            (most_then - most) + self.liquidity * (ln(sum_then) - ln(sum))
        };
        if cost.is_finite() { Ok(cost) } else { Err(PricingError::NoSolution) }
    }

    /// The greatest number of shares, and the sum of the exponentials over that one's.
    fn sum(self, sold: &[f64]) -> Result<(f64, f64), PricingError> {
        if sold.len() < 2 {
            return Err(PricingError::TooFewOutcomes);
        }
        if OUTCOMES_MAX < sold.len() {
            return Err(PricingError::TooManyOutcomes { most: OUTCOMES_MAX });
        }
        if let Some(index) = sold.iter().position(|sold| !sold.is_finite()) {
            return Err(PricingError::NotFinite { index });
        }
        let most = sold.iter().fold(f64::NEG_INFINITY, |most, &sold| most.max(sold));
        let sum = sold.iter().fold(0.0, |sum, sold| sum + exp((sold - most) / self.liquidity));
        Ok((most, sum))
    }
}
