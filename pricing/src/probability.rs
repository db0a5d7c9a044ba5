//! Probabilities in parts per billion, and shares that sum exactly to one.

use std::{fmt, str::FromStr};

use crate::{
    Price,
    decimal::{self, Fault, debug_as_displayed},
    rounding,
};

/// A probability in parts per billion, from 0 to 1,000,000,000.
///
/// ```
/// use betring_pricing::{Probability, price};
///
/// assert_eq!(Probability::of_price(price!(2.50)).ppb(), 400_000_000);
/// assert_eq!(Probability::of_price(price!(3.00)).to_string(), "0.333333333");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Probability(u32);

/// The most outcomes that [`Probability::share_out`] divides one among: a command carries at most
/// 300 prices, and the work space (16 bytes each) stays on the stack.
pub const SHARES_MAX: usize = 512;

impl Probability {
    /// It cannot happen.
    pub const ZERO: Probability = Probability(0);

    /// It is certain.
    pub const ONE: Probability = Probability(1_000_000_000);

    /// The probability of that many parts per billion; `None` above one.
    pub const fn from_ppb(ppb: u32) -> Option<Probability> {
        if ppb <= Probability::ONE.0 { Some(Probability(ppb)) } else { None }
    }

    /// How many parts per billion.
    pub const fn ppb(self) -> u32 {
        self.0
    }

    /// What a price implies, 1/price, rounded to the nearest part per billion (exactly half goes
    /// up). The margin is still in it: the probabilities of a book sum to more than one.
    pub const fn of_price(price: Price) -> Probability {
        rounding::probability_of_price(price)
    }

    /// Shares one out in proportion to the weights, so that the shares sum to exactly one.
    ///
    /// By largest remainder: every outcome gets its share rounded down, and the parts that are left
    /// go one each to those that lost most by rounding, the earlier outcome first if two lost
    /// alike. A weight of zero gets zero. Nothing is allocated.
    ///
    /// # Errors
    ///
    /// If the slices differ in length, there is nothing to share among, there are more than
    /// [`SHARES_MAX`] outcomes, all weights are zero, or their sum exceeds 64 bits. `shares` is
    /// then unchanged.
    ///
    /// ```
    /// use betring_pricing::Probability;
    ///
    /// let mut shares = [Probability::ZERO; 3];
    /// Probability::share_out(&[1, 1, 1], &mut shares).unwrap();
    /// assert_eq!(shares.map(Probability::ppb), [333_333_334, 333_333_333, 333_333_333]);
    /// ```
    pub fn share_out(weights: &[u64], shares: &mut [Probability]) -> Result<(), ShareError> {
        let outcomes = weights.len();
        if shares.len() != outcomes {
            return Err(ShareError::LengthsDiffer);
        }
        if SHARES_MAX < outcomes {
            return Err(ShareError::TooMany);
        }
        let total = weights
            .iter()
            .try_fold(0_u64, |sum, &weight| sum.checked_add(weight))
            .ok_or(ShareError::SumTooLarge)?;
        if total == 0 {
            return Err(ShareError::NothingToShare);
        }

        share_winners(weights, total, 1, shares);
        Ok(())
    }
}

/// Shares so many winners out in proportion to the weights of that total, by largest remainder. None
/// gets more than one, nor a weight of zero anything.
///
/// There are as many shares as weights, from one to [`SHARES_MAX`], and no fewer of
/// them above zero than winners.
pub(crate) fn share_winners(weights: &[u64], total: u64, winners: u16, shares: &mut [Probability]) {
    // (lost by rounding down, outcome), and what is left over.
    let mut lost = [(0_u64, 0_usize); SHARES_MAX];
    let lost = &mut lost[..weights.len()];
    let parts = u64::from(winners) * u64::from(Probability::ONE.0);
    let mut left = parts;
    for (at, &weight) in weights.iter().enumerate() {
        let scaled = u128::from(weight) * u128::from(parts);
        let share = (scaled / u128::from(total)).min(u128::from(Probability::ONE.0)) as u32;
        lost[at] = ((scaled % u128::from(total)) as u64, at);
        shares[at] = Probability(share);
        left -= u64::from(share);
    }
    // The remainders sum to `left` totals and each is below one total, so more than `left`
    // outcomes have one, or nothing is left. Only what was cut off at one is given to others.
    lost.sort_unstable_by_key(|&(remainder, at)| (u64::MAX - remainder, at));
    let takers = lost.iter().map(|&(_, at)| at).filter(|&at| 0 < weights[at]).cycle();
    for at in takers {
        if left == 0 {
            break;
        }
        if shares[at] < Probability::ONE {
            shares[at].0 += 1;
            left -= 1;
        }
    }
}

impl fmt::Display for Probability {
    /// As a decimal between 0 and 1 with at least two decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, false, u64::from(self.0), 9, 2)
    }
}

debug_as_displayed!(Probability);

impl FromStr for Probability {
    type Err = ParseProbabilityError;

    /// Reads a decimal between 0 and 1 with at most nine decimals.
    fn from_str(text: &str) -> Result<Probability, ParseProbabilityError> {
        let decimal = decimal::parse(text.as_bytes(), 9).map_err(|fault| match fault {
            Fault::Empty | Fault::NotANumber { .. } => ParseProbabilityError::NotANumber,
            Fault::TooManyDecimals => ParseProbabilityError::TooManyDecimals,
            Fault::TooLarge => ParseProbabilityError::OutOfRange,
        })?;
        match u32::try_from(decimal.magnitude) {
            Ok(ppb) if !decimal.negative => {
                Probability::from_ppb(ppb).ok_or(ParseProbabilityError::OutOfRange)
            }
            _ => Err(ParseProbabilityError::OutOfRange),
        }
    }
}

/// Why one could not be shared out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShareError {
    /// As many shares as weights are needed.
    LengthsDiffer,
    /// More than [`SHARES_MAX`] outcomes.
    TooMany,
    /// There is no weight above zero.
    NothingToShare,
    /// The sum of the weights exceeds 64 bits.
    SumTooLarge,
}

impl fmt::Display for ShareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShareError::LengthsDiffer => f.write_str("there must be as many shares as weights"),
            ShareError::TooMany => write!(f, "there may be at most {SHARES_MAX} outcomes"),
            ShareError::NothingToShare => f.write_str("at least one weight must be above zero"),
            ShareError::SumTooLarge => {
                f.write_str("the sum of the weights must fit 64 bits: scale them down")
            }
        }
    }
}

impl std::error::Error for ShareError {}

/// Why a text is not a probability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseProbabilityError {
    /// It is not a plain decimal number.
    NotANumber,
    /// More than nine decimals.
    TooManyDecimals,
    /// Below zero or above one.
    OutOfRange,
}

impl fmt::Display for ParseProbabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParseProbabilityError::NotANumber => "not a probability: write it like 0.25",
            ParseProbabilityError::TooManyDecimals => {
                "a probability has at most nine decimals; nothing is rounded on reading"
            }
            ParseProbabilityError::OutOfRange => "a probability lies between 0 and 1",
        })
    }
}

impl std::error::Error for ParseProbabilityError {}

const _: () = assert!(size_of::<Probability>() == 4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price;

    fn shared(weights: &[u64]) -> Result<Vec<u32>, ShareError> {
        let mut shares = vec![Probability::ZERO; weights.len()];
        Probability::share_out(weights, &mut shares)?;
        Ok(shares.into_iter().map(Probability::ppb).collect())
    }

    #[test]
    fn a_price_implies_its_inverse_to_the_nearest_part() {
        assert_eq!(Probability::of_price(price!(2.00)).ppb(), 500_000_000);
        assert_eq!(Probability::of_price(price!(3.00)).ppb(), 333_333_333);
        assert_eq!(Probability::of_price(price!(1.50)).ppb(), 666_666_667);
        assert_eq!(Probability::of_price(Price::MIN).ppb(), 999_900_010);
        assert_eq!(Probability::of_price(Price::MAX).ppb(), 10_000);
    }

    #[test]
    fn what_is_left_over_goes_to_those_who_lost_most_by_rounding() {
        assert_eq!(shared(&[1, 1, 1]), Ok(vec![333_333_334, 333_333_333, 333_333_333]));
        // Sevenths: rounding down loses 0.86, 0.71 and 0.43 of a part, and two parts are left.
        assert_eq!(shared(&[1, 2, 4]), Ok(vec![142_857_143, 285_714_286, 571_428_571]));
        assert_eq!(shared(&[4, 2, 1]), Ok(vec![571_428_571, 285_714_286, 142_857_143]));
        assert_eq!(shared(&[0, 5, 0]), Ok(vec![0, 1_000_000_000, 0]));
        assert_eq!(shared(&[u64::MAX]), Ok(vec![1_000_000_000]));
        // As many as there may be: each 1,953,125, which is exact.
        assert_eq!(shared(&[1; SHARES_MAX]), Ok(vec![1_953_125; SHARES_MAX]));
    }

    #[test]
    fn what_cannot_be_shared_is_refused_and_changes_nothing() {
        for (weights, sentence) in [
            (vec![], "at least one weight must be above zero"),
            (vec![0, 0], "at least one weight must be above zero"),
            (vec![u64::MAX, 1], "the sum of the weights must fit 64 bits: scale them down"),
            (vec![1; SHARES_MAX + 1], "there may be at most 512 outcomes"),
        ] {
            let mut shares = vec![Probability::ONE; weights.len()];
            let refused = Probability::share_out(&weights, &mut shares).unwrap_err();
            assert_eq!(refused.to_string(), sentence);
            assert!(shares.iter().all(|&share| share == Probability::ONE));
        }
        let refused = Probability::share_out(&[1], &mut []).unwrap_err();
        assert_eq!(refused.to_string(), "there must be as many shares as weights");
    }

    #[test]
    fn a_probability_is_a_decimal_between_nought_and_one() {
        for (ppb, text) in [
            (0, "0.00"),
            (400_000_000, "0.40"),
            (333_333_333, "0.333333333"),
            (1_000_000_000, "1.00"),
        ] {
            let probability = Probability::from_ppb(ppb).unwrap();
            assert_eq!(probability.to_string(), text);
            assert_eq!(text.parse(), Ok(probability));
        }
        assert_eq!(Probability::from_ppb(1_000_000_001), None);
        for (text, sentence) in [
            ("", "not a probability: write it like 0.25"),
            ("40%", "not a probability: write it like 0.25"),
            (
                "0.0000000001",
                "a probability has at most nine decimals; nothing is rounded on reading",
            ),
            ("1.01", "a probability lies between 0 and 1"),
            ("-0.01", "a probability lies between 0 and 1"),
            ("99999999999999999999", "a probability lies between 0 and 1"),
        ] {
            assert_eq!(text.parse::<Probability>().unwrap_err().to_string(), sentence, "{text}");
        }
    }
}
