//! Odds in every format people write, read as one price and the exact fraction behind it.

use std::{fmt, str::FromStr};

use crate::{Fraction, ParseFractionError, ParsePriceError, Price, decimal, rounding};

/// A price as its source quoted it: the decimal price, and the exact fraction if the source had
/// one.
///
/// The price is always the fraction's value rounded down to 1/10,000: what is shown never promises
/// more than what is paid, and what is paid comes from the fraction (see
/// [`returns`](crate::returns)).
///
/// Equality compares the price and the value of the fraction, not how the fraction was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Quoted {
    price: Price,
    fraction: Option<Fraction>,
}

impl Quoted {
    /// A price and the fraction it came from; `None` if the price is not that fraction rounded
    /// down.
    pub const fn new(price: Price, fraction: Option<Fraction>) -> Option<Quoted> {
        match fraction {
            Some(fraction) if fraction.price().e4() != price.e4() => None,
            _ => Some(Quoted { price, fraction }),
        }
    }

    /// A price that was quoted as a decimal.
    pub const fn decimal(price: Price) -> Quoted {
        Quoted { price, fraction: None }
    }

    /// A price that was quoted as a fraction.
    pub const fn fractional(fraction: Fraction) -> Quoted {
        Quoted { price: fraction.price(), fraction: Some(fraction) }
    }

    /// The decimal price.
    pub const fn price(self) -> Price {
        self.price
    }

    /// The exact fraction, if the source was fractional or American.
    pub const fn fraction(self) -> Option<Fraction> {
        self.fraction
    }
}

impl From<Price> for Quoted {
    fn from(price: Price) -> Quoted {
        Quoted::decimal(price)
    }
}

impl From<Fraction> for Quoted {
    fn from(fraction: Fraction) -> Quoted {
        Quoted::fractional(fraction)
    }
}

impl fmt::Display for Quoted {
    /// The fraction if there is one, else the decimal price.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fraction {
            Some(fraction) => fmt::Display::fmt(&fraction, f),
            None => fmt::Display::fmt(&self.price, f),
        }
    }
}

impl FromStr for Quoted {
    type Err = ParseOddsError;

    fn from_str(text: &str) -> Result<Quoted, ParseOddsError> {
        Odds::parse(text)
    }
}

/// The reader of all formats.
#[derive(Clone, Copy, Debug)]
pub enum Odds {}

impl Odds {
    /// Reads "2.50" (decimal), "5/2" or "evens" or "EVS" (fractional), "+150" or "-115" (American).
    ///
    /// The format is told by the text alone: a slash or a letter is fractional, a sign is American,
    /// anything else is decimal (so "150" is one hundred and fifty, not plus 150).
    ///
    /// # Errors
    ///
    /// The error of the format the text seems to be in, which says what that format accepts.
    ///
    /// ```
    /// use betring_pricing::{Odds, price};
    ///
    /// let shorter = Odds::parse("-115").unwrap();
    /// assert_eq!(shorter.price(), price!(1.8695));
    /// assert_eq!(shorter.fraction().unwrap().to_string(), "20/23");
    /// assert_eq!(Odds::parse("EVS").unwrap().price(), price!(2.00));
    /// assert_eq!(Odds::parse("2.50").unwrap().fraction(), None);
    /// ```
    pub fn parse(text: &str) -> Result<Quoted, ParseOddsError> {
        let first = text.bytes().next().ok_or(ParseOddsError::Empty)?;
        if first.is_ascii_alphabetic() || text.contains('/') {
            let fraction: Fraction = text.parse().map_err(ParseOddsError::Fractional)?;
            Ok(Quoted::fractional(fraction))
        } else if first == b'+' || first == b'-' {
            let american: American = text.parse().map_err(ParseOddsError::American)?;
            let fraction = american.fraction().ok_or(ParseOddsError::NoFraction)?;
            Ok(Quoted::fractional(fraction))
        } else {
            let price = text.parse().map_err(ParseOddsError::Decimal)?;
            Ok(Quoted::decimal(price))
        }
    }
}

/// American odds: +150 wins 150 for 100 staked, -115 stakes 115 to win 100.
///
/// The magnitude is at least 100 (between −100 and +100 there are no such odds), and within what a
/// [`Price`] can be. −100 is the same value as +100 and is built as +100. The order is that of the
/// price, which is also that of the number: −200 is shorter than −115, and −115 than +100.
///
/// ```
/// use betring_pricing::{American, price};
///
/// assert_eq!(price!(1.87).to_american().to_string(), "-115");
/// assert_eq!("+150".parse::<American>().unwrap().value(), 150);
/// assert_eq!("-100".parse::<American>(), "+100".parse());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct American(i32);

impl American {
    /// The shortest: 1.0001, one to win for ten thousand staked.
    pub const SHORTEST: American = American(-1_000_000);

    /// The longest: 100,000.
    pub const LONGEST: American = American(9_999_900);

    /// Those odds; `None` between −100 and +100 or beyond the shortest or the longest.
    pub const fn from_value(value: i32) -> Option<American> {
        if value == -100 {
            Some(American(100))
        } else if (American::SHORTEST.0 <= value && value < -100)
            || (100 <= value && value <= American::LONGEST.0)
        {
            Some(American(value))
        } else {
            None
        }
    }

    pub(crate) const fn from_price(price: Price) -> American {
        American::from_value(rounding::american_of_price(price))
            .expect("every price between 1.0001 and 100,000 has American odds")
    }

    /// The number with its sign.
    pub const fn value(self) -> i32 {
        self.0
    }

    /// The exact value in lowest terms, +150 as 3/2 and −115 as 20/23; `None` if a part is beyond
    /// 65,535, which can only happen below −65,535 or above +65,535.
    pub const fn fraction(self) -> Option<Fraction> {
        let (num, den) =
            if 0 < self.0 { (self.0 as u32, 100) } else { (100, self.0.unsigned_abs()) };
        let (mut a, mut b) = (num, den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let (num, den) = (num / a, den / a);
        if num <= u16::MAX as u32 && den <= u16::MAX as u32 {
            Fraction::new(num as u16, den as u16)
        } else {
            None
        }
    }
}

impl fmt::Display for American {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::pad(f, format_args!("{:+}", self.0))
    }
}

decimal::debug_as_displayed!(American);

impl FromStr for American {
    type Err = ParseAmericanError;

    fn from_str(text: &str) -> Result<American, ParseAmericanError> {
        let digits = text.strip_prefix(['+', '-']).ok_or(ParseAmericanError::NotAmerican)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseAmericanError::NotAmerican);
        }
        let value = text.parse().map_err(|_| ParseAmericanError::OutOfRange)?;
        American::from_value(value).ok_or(ParseAmericanError::OutOfRange)
    }
}

/// Why a text is not American odds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseAmericanError {
    /// It is not a sign followed by a whole number.
    NotAmerican,
    /// Between −100 and +100, or beyond the range of a price.
    OutOfRange,
}

impl fmt::Display for ParseAmericanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseAmericanError::NotAmerican => {
                f.write_str("not American odds: write a sign and a whole number, like +150 or -115")
            }
            ParseAmericanError::OutOfRange => write!(
                f,
                "American odds lie between {} and -100, or between +100 and {}",
                American::SHORTEST,
                American::LONGEST
            ),
        }
    }
}

impl std::error::Error for ParseAmericanError {}

/// Why a text is not odds in any format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseOddsError {
    /// There is no text.
    Empty,
    /// It looks decimal.
    Decimal(ParsePriceError),
    /// It looks fractional.
    Fractional(ParseFractionError),
    /// It looks American.
    American(ParseAmericanError),
    /// American odds so long or so short that no fraction of two 16-bit numbers is exact. Reading
    /// them as a rounded price would pay something else than what was quoted.
    NoFraction,
}

impl fmt::Display for ParseOddsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseOddsError::Empty => {
                f.write_str("odds are missing: write them like 2.50, 5/2, evens, +150 or -115")
            }
            ParseOddsError::Decimal(error) => fmt::Display::fmt(error, f),
            ParseOddsError::Fractional(error) => fmt::Display::fmt(error, f),
            ParseOddsError::American(error) => fmt::Display::fmt(error, f),
            ParseOddsError::NoFraction => {
                f.write_str("American odds of this size have no exact fraction: write decimal odds")
            }
        }
    }
}

impl std::error::Error for ParseOddsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ParseOddsError::Decimal(error) => Some(error),
            ParseOddsError::Fractional(error) => Some(error),
            ParseOddsError::American(error) => Some(error),
            ParseOddsError::Empty | ParseOddsError::NoFraction => None,
        }
    }
}

const _: () = assert!(size_of::<American>() == 4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price;

    #[test]
    fn odds_are_read_in_every_format() {
        for (text, e4, fraction) in [
            ("2.50", 25_000, None),
            ("2", 20_000, None),
            ("150", 1_500_000, None),
            ("5/2", 35_000, Some("5/2")),
            ("6/4", 25_000, Some("6/4")),
            ("evens", 20_000, Some("1/1")),
            ("EVS", 20_000, Some("1/1")),
            ("+150", 25_000, Some("3/2")),
            ("-115", 18_695, Some("20/23")),
            ("-110", 19_090, Some("10/11")),
            ("+100", 20_000, Some("1/1")),
            ("-100", 20_000, Some("1/1")),
            ("-10000", 10_100, Some("1/100")),
        ] {
            let quoted = Odds::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(quoted.price().e4(), e4, "{text}");
            assert_eq!(quoted.fraction().map(|f| f.to_string()).as_deref(), fraction, "{text}");
            assert_eq!(Quoted::new(quoted.price(), quoted.fraction()), Some(quoted));
            assert_eq!(quoted.to_string().parse(), Ok(quoted));
        }
    }

    #[test]
    fn what_is_not_odds_is_refused_in_the_terms_of_its_format() {
        for (text, sentence) in [
            ("", "odds are missing: write them like 2.50, 5/2, evens, +150 or -115"),
            ("2,50", "not a price at character 2: write decimal odds like 2.50"),
            ("1.00", "a price lies between 1.0001 and 100000.00"),
            ("SP", "not a fractional price: write it like 5/2, or evens, without spaces"),
            ("5/0", "a fractional price has parts from 1 to 65535 and is at least 1/10000"),
            ("+5/2", "not a fractional price: write it like 5/2, or evens, without spaces"),
            ("+1.5", "not American odds: write a sign and a whole number, like +150 or -115"),
            ("-", "not American odds: write a sign and a whole number, like +150 or -115"),
            ("--115", "not American odds: write a sign and a whole number, like +150 or -115"),
            ("+99", "American odds lie between -1000000 and -100, or between +100 and +9999900"),
            (
                "-99999999999",
                "American odds lie between -1000000 and -100, or between +100 and +9999900",
            ),
            ("-65537", "American odds of this size have no exact fraction: write decimal odds"),
        ] {
            assert_eq!(Odds::parse(text).unwrap_err().to_string(), sentence, "{text}");
        }
    }

    #[test]
    fn american_odds_never_promise_more_than_the_price() {
        for (price, american) in [
            (price!(2.50), "+150"),
            (price!(1.50), "-200"),
            (price!(2.00), "+100"),
            (price!(1.01), "-10000"),
            (price!(1.87), "-115"),
            (price!(2.3456), "+134"),
            (price!(1.9999), "-101"),
            (Price::MIN, "-1000000"),
            (Price::MAX, "+9999900"),
        ] {
            assert_eq!(price.to_american().to_string(), american, "{price}");
        }
        assert_eq!(format!("[{:>6}]", price!(2.50).to_american()), "[  +150]");
        assert!(price!(1.50).to_american() < price!(1.87).to_american());
        assert!(price!(1.87).to_american() < price!(2.50).to_american());
    }

    #[test]
    fn a_quote_is_its_fraction_rounded_down_or_it_is_not_built() {
        let fraction = Fraction::new(10, 11);
        assert!(Quoted::new(price!(1.9090), fraction).is_some());
        assert!(Quoted::new(price!(1.9091), fraction).is_none());
        assert!(Quoted::new(price!(1.9089), fraction).is_none());
    }
}
