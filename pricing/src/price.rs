//! Decimal prices: what one unit of stake returns, in ten-thousandths.

use std::{fmt, str::FromStr};

use crate::{
    American, Fraction, FractionalLadder, HongKong, Indonesian, Malay, Snap,
    decimal::{self, Fault, debug_as_displayed},
};

/// What one unit of stake returns if the selection wins, in ten-thousandths: 2.50 is `25_000`.
///
/// A price at or below 1.0 would return no more than the stake, so no such value can be built.
///
/// ```
/// use betring_pricing::{Price, price};
///
/// assert_eq!(price!(2.10).e4(), 21_000);
/// assert_eq!("1.909".parse::<Price>().unwrap().to_string(), "1.909");
/// assert_eq!(price!(1000).to_string(), "1000.00");
/// assert_eq!(Price::from_e4(10_000), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Price(u32);

impl Price {
    /// The least price, 1.0001.
    pub const MIN: Price = Price(10_001);

    /// The greatest price, 100,000.
    pub const MAX: Price = Price(1_000_000_000);

    /// The price of that many ten-thousandths; `None` below [`Price::MIN`] or above [`Price::MAX`].
    pub const fn from_e4(e4: u32) -> Option<Price> {
        if Price::MIN.0 <= e4 && e4 <= Price::MAX.0 { Some(Price(e4)) } else { None }
    }

    /// How many ten-thousandths.
    pub const fn e4(self) -> u32 {
        self.0
    }

    /// The price as decimal odds: at least two decimals, and more only where they are not zero.
    /// This is exact, and the same as `Display`.
    pub fn to_decimal(self) -> String {
        self.to_string()
    }

    /// The price as a fraction of that ladder; see [`FractionalLadder::snap`] for who keeps the
    /// difference.
    pub fn to_fractional(self, ladder: &FractionalLadder, snap: Snap) -> Option<Fraction> {
        ladder.snap(self, snap)
    }

    /// The price as American odds, a whole number rounded toward the shorter price, so that they
    /// never promise more than the price does: 2.50 is +150, 1.87 is -115, 2.00 is +100.
    pub const fn to_american(self) -> American {
        American::from_price(self)
    }

    /// The price as Hong Kong odds, exactly: 2.50 is 1.50, 1.85 is 0.85.
    pub const fn to_hong_kong(self) -> HongKong {
        HongKong::from_price(self)
    }

    /// The price as Malay odds, rounded toward the shorter price: 1.85 is 0.85, 2.50 is -0.6667.
    pub const fn to_malay(self) -> Malay {
        Malay::from_price(self)
    }

    /// The price as Indonesian odds, rounded toward the shorter price: 2.50 is 1.50, 1.85 is
    /// -1.1765.
    pub const fn to_indonesian(self) -> Indonesian {
        Indonesian::from_price(self)
    }

    const fn parse(text: &str) -> Result<Price, ParsePriceError> {
        let decimal = match decimal::parse(text.as_bytes(), 4) {
            Ok(decimal) => decimal,
            Err(Fault::Empty) => return Err(ParsePriceError::Empty),
            Err(Fault::NotANumber { at }) => return Err(ParsePriceError::NotANumber { at }),
            Err(Fault::TooManyDecimals) => return Err(ParsePriceError::TooManyDecimals),
            Err(Fault::TooLarge) => return Err(ParsePriceError::OutOfRange),
        };
        if decimal.negative || (Price::MAX.0 as u64) < decimal.magnitude {
            return Err(ParsePriceError::OutOfRange);
        }
        match Price::from_e4(decimal.magnitude as u32) {
            Some(price) => Ok(price),
            None => Err(ParsePriceError::OutOfRange),
        }
    }

    /// What `price!` expands to; not meant to be called.
    #[doc(hidden)]
    pub const fn from_literal(text: &str) -> Price {
        match Price::parse(text) {
            Ok(price) => price,
            Err(ParsePriceError::TooManyDecimals) => {
                panic!("price! takes at most four decimals, like price!(2.10)")
            }
            Err(ParsePriceError::OutOfRange) => panic!("price! lies between 1.0001 and 100000"),
            Err(ParsePriceError::Empty | ParsePriceError::NotANumber { .. }) => {
                panic!("price! takes a plain number, like price!(2.10)")
            }
        }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, false, u64::from(self.0), 4, 2)
    }
}

debug_as_displayed!(Price);

impl FromStr for Price {
    type Err = ParsePriceError;

    /// Reads decimal odds, exactly. [`Odds::parse`](crate::Odds::parse) reads the other formats
    /// too.
    fn from_str(text: &str) -> Result<Price, ParsePriceError> {
        Price::parse(text)
    }
}

/// An exact price from a literal, at compile time: `price!(2.10)`.
///
/// It reads the text of the literal, so no float exists at any moment, and nonsense does not
/// compile:
///
/// ```compile_fail
/// let no_profit = betring_pricing::price!(1.00);
/// ```
/// ```compile_fail
/// let five_decimals = betring_pricing::price!(2.00001);
/// ```
#[macro_export]
macro_rules! price {
    ($price:literal) => {
        const { $crate::Price::from_literal(stringify!($price)) }
    };
}

/// Whether a bet asked for at `requested` may be bound at `current`: at a higher price always, at a
/// lower one if it is lower by at most `slippage_bp` ten-thousandths of the requested price.
///
/// Compared exactly, without dividing. At 10,000 and above every price passes.
///
/// ```
/// use betring_pricing::{price, price_within};
///
/// // 2 % of 2.50 is 0.05.
/// assert!(price_within(price!(2.50), price!(2.45), 200));
/// assert!(!price_within(price!(2.50), price!(2.4499), 200));
/// assert!(price_within(price!(2.50), price!(9.00), 0));
/// ```
pub const fn price_within(requested: Price, current: Price, slippage_bp: u16) -> bool {
    let kept_bp = 10_000_u64.saturating_sub(slippage_bp as u64);
    requested.0 as u64 * kept_bp <= current.0 as u64 * 10_000
}

/// Why a text is not a decimal price.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParsePriceError {
    /// There is no text.
    Empty,
    /// The character at this byte cannot stand there; the length of the text if it ends too early.
    NotANumber {
        /// Offset in bytes from the start of the text.
        at: usize,
    },
    /// More than four decimals.
    TooManyDecimals,
    /// Below [`Price::MIN`] or above [`Price::MAX`].
    OutOfRange,
}

impl fmt::Display for ParsePriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParsePriceError::Empty => {
                f.write_str("a price is missing: write decimal odds like 2.50")
            }
            ParsePriceError::NotANumber { at } => {
                write!(f, "not a price at character {}: write decimal odds like 2.50", at + 1)
            }
            ParsePriceError::TooManyDecimals => {
                f.write_str("a price has at most four decimals; nothing is rounded on reading")
            }
            ParsePriceError::OutOfRange => {
                write!(f, "a price lies between {} and {}", Price::MIN, Price::MAX)
            }
        }
    }
}

impl std::error::Error for ParsePriceError {}

const _: () = assert!(size_of::<Price>() == 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_written_with_at_least_two_decimals_and_no_more_than_it_needs() {
        for (e4, text) in [
            (25_000, "2.50"),
            (19_090, "1.909"),
            (16_667, "1.6667"),
            (10_000_000, "1000.00"),
            (10_001, "1.0001"),
            (1_000_000_000, "100000.00"),
        ] {
            let price = Price::from_e4(e4).unwrap();
            assert_eq!(price.to_string(), text);
            assert_eq!(price.to_decimal(), text);
        }
        assert_eq!(format!("{:?} [{:>7}]", price!(2.5), price!(2.5)), "Price(2.50) [   2.50]");
    }

    #[test]
    fn what_is_not_a_price_is_refused_with_a_sentence() {
        for (text, sentence) in [
            ("", "a price is missing: write decimal odds like 2.50"),
            ("5/2", "not a price at character 2: write decimal odds like 2.50"),
            ("2.5O", "not a price at character 4: write decimal odds like 2.50"),
            ("NaN", "not a price at character 1: write decimal odds like 2.50"),
            ("2.50000", "a price has at most four decimals; nothing is rounded on reading"),
            ("1", "a price lies between 1.0001 and 100000.00"),
            ("0", "a price lies between 1.0001 and 100000.00"),
            ("-2.5", "a price lies between 1.0001 and 100000.00"),
            ("100000.0001", "a price lies between 1.0001 and 100000.00"),
            // 2^32 ten-thousandths and 2.5 more: cut to 32 bits it would be 2.50.
            ("429499.2296", "a price lies between 1.0001 and 100000.00"),
        ] {
            assert_eq!(text.parse::<Price>().unwrap_err().to_string(), sentence, "{text}");
        }
    }

    #[test]
    fn slippage_is_a_share_of_the_requested_price_and_its_bound_is_included() {
        // 5 % of 2.00 is 0.10.
        assert!(price_within(price!(2.00), price!(1.90), 500));
        assert!(!price_within(price!(2.00), price!(1.8999), 500));
        // A better price is always within; the same price needs no slippage.
        assert!(price_within(price!(2.00), price!(100000), 0));
        assert!(price_within(price!(2.00), price!(2.00), 0));
        assert!(!price_within(price!(2.00), price!(1.9999), 0));
        // One basis point of 1.3333 is 0.00013333: 1.3332 is within, 1.3331 is not.
        assert!(price_within(price!(1.3333), price!(1.3332), 1));
        assert!(!price_within(price!(1.3333), price!(1.3331), 1));
        // Everything and more than everything.
        assert!(price_within(Price::MAX, Price::MIN, 10_000));
        assert!(price_within(Price::MAX, Price::MIN, u16::MAX));
        assert!(!price_within(Price::MAX, Price::MIN, 9_999));
    }
}
