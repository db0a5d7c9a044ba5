//! Odds in every format people write, read as one price and the exact fraction behind it.

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::{
    Fraction, ParseFractionError, ParsePriceError, Price,
    decimal::{self, Fault},
    rounding,
};

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
        if 0 < self.0 {
            in_lowest_terms(self.0 as u32, 100)
        } else {
            in_lowest_terms(100, self.0.unsigned_abs())
        }
    }
}

/// `num`/`den` reduced; `None` if a part is beyond 16 bits even then.
const fn in_lowest_terms(num: u32, den: u32) -> Option<Fraction> {
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

/// Hong Kong odds: what one unit of stake wins, in ten-thousandths. 2.50 is 1.50, 1.85 is 0.85.
///
/// Always exactly the price less one. No text tells them from decimal odds, so whoever reads them
/// says so: `"0.85".parse::<HongKong>()`.
///
/// ```
/// use betring_pricing::{HongKong, price};
///
/// assert_eq!(price!(2.50).to_hong_kong().to_string(), "1.50");
/// assert_eq!("0.85".parse::<HongKong>().unwrap().quoted().price(), price!(1.85));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct HongKong(u32);

impl HongKong {
    /// Those odds in ten-thousandths; `None` at zero or above 99,999.
    pub const fn from_e4(e4: u32) -> Option<HongKong> {
        if 0 < e4 && e4 <= Price::MAX.e4() - ONE_E4 { Some(HongKong(e4)) } else { None }
    }

    pub(crate) const fn from_price(price: Price) -> HongKong {
        HongKong(price.e4() - ONE_E4)
    }

    /// How many ten-thousandths.
    pub const fn e4(self) -> u32 {
        self.0
    }

    /// The exact value.
    pub const fn quoted(self) -> Quoted {
        Quoted::decimal(of_profit(self.0))
    }
}

/// Malay odds: up to evens what one unit of stake wins, 1.85 being 0.85; beyond it, with a minus,
/// what is staked to win one unit, 2.50 being −0.6667. In ten-thousandths.
///
/// Their magnitude is at most 1. −1.00 is the same value as 1.00 and is built as 1.00. The order is
/// that of the price, which is not that of the number: −0.50 is longer than −0.90, and that longer
/// than 0.90.
///
/// ```
/// use betring_pricing::{Malay, price};
///
/// assert_eq!(price!(1.85).to_malay().to_string(), "0.85");
/// assert_eq!(price!(2.50).to_malay().to_string(), "-0.6667");
/// // Staking 0.80 wins one: 5/4.
/// assert_eq!("-0.80".parse::<Malay>().unwrap().quoted().to_string(), "5/4");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Malay(i32);

impl Malay {
    /// Those odds in ten-thousandths; `None` at zero or beyond one either way.
    pub const fn from_e4(e4: i32) -> Option<Malay> {
        match e4 {
            -10_000 => Some(Malay(10_000)),
            -9_999..=-1 | 1..=10_000 => Some(Malay(e4)),
            _ => None,
        }
    }

    pub(crate) const fn from_price(price: Price) -> Malay {
        Malay::from_e4(rounding::malay_of_price(price))
            .expect("what is won per unit, or staked per unit won, is at most one of the two")
    }

    /// How many ten-thousandths, with its sign.
    pub const fn e4(self) -> i32 {
        self.0
    }

    /// The exact value, with its fraction where the number has a minus.
    pub const fn quoted(self) -> Quoted {
        if 0 < self.0 {
            return Quoted::decimal(of_profit(self.0 as u32));
        }
        let fraction = in_lowest_terms(ONE_E4, self.0.unsigned_abs());
        Quoted::fractional(fraction.expect("both parts are at most 10,000"))
    }
}

impl Ord for Malay {
    fn cmp(&self, other: &Malay) -> Ordering {
        (self.0 < 0, self.0).cmp(&(other.0 < 0, other.0))
    }
}

impl PartialOrd for Malay {
    fn partial_cmp(&self, other: &Malay) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Indonesian odds: from evens up what one unit of stake wins, 2.50 being 1.50; below it, with a
/// minus, what is staked to win one unit, 1.85 being −1.1765. In ten-thousandths: American odds
/// divided by a hundred.
///
/// Their magnitude is at least 1. −1.00 is the same value as 1.00 and is built as 1.00. The order is
/// that of the price, which is also that of the number.
///
/// ```
/// use betring_pricing::{Indonesian, price};
///
/// assert_eq!(price!(2.50).to_indonesian().to_string(), "1.50");
/// assert_eq!(price!(1.85).to_indonesian().to_string(), "-1.1765");
/// // Staking 1.15 wins one: 20/23.
/// let quoted = "-1.15".parse::<Indonesian>().unwrap().quoted();
/// assert_eq!(quoted.unwrap().to_string(), "20/23");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Indonesian(i32);

impl Indonesian {
    /// Those odds in ten-thousandths; `None` between −1 and 1, below −10,000 or above 99,999.
    pub const fn from_e4(e4: i32) -> Option<Indonesian> {
        match e4 {
            -10_000 => Some(Indonesian(10_000)),
            -100_000_000..-10_000 | 10_000..=999_990_000 => Some(Indonesian(e4)),
            _ => None,
        }
    }

    pub(crate) const fn from_price(price: Price) -> Indonesian {
        Indonesian::from_e4(rounding::indonesian_of_price(price))
            .expect("what is won per unit, or staked per unit won, is at least one of the two")
    }

    /// How many ten-thousandths, with its sign.
    pub const fn e4(self) -> i32 {
        self.0
    }

    /// The exact value, with its fraction where the number has a minus; `None` if a part of that is
    /// beyond 65,535 in lowest terms, which can only happen below −6.5535.
    pub const fn quoted(self) -> Option<Quoted> {
        if 0 < self.0 {
            return Some(Quoted::decimal(of_profit(self.0 as u32)));
        }
        match in_lowest_terms(ONE_E4, self.0.unsigned_abs()) {
            Some(fraction) => Some(Quoted::fractional(fraction)),
            None => None,
        }
    }
}

/// One in ten-thousandths.
const ONE_E4: u32 = 10_000;

/// The price that wins so many ten-thousandths.
const fn of_profit(e4: u32) -> Price {
    Price::from_e4(ONE_E4 + e4).expect("odds of every format are within the range of a price")
}

impl fmt::Display for HongKong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, false, self.0.into(), 4, 2)
    }
}

impl fmt::Display for Malay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0 < 0, self.0.unsigned_abs().into(), 4, 2)
    }
}

impl fmt::Display for Indonesian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0 < 0, self.0.unsigned_abs().into(), 4, 2)
    }
}

decimal::debug_as_displayed!(HongKong);
decimal::debug_as_displayed!(Malay);
decimal::debug_as_displayed!(Indonesian);

impl FromStr for HongKong {
    type Err = ParseAsianError;

    fn from_str(text: &str) -> Result<HongKong, ParseAsianError> {
        let range = ParseAsianError::HongKongRange;
        u32::try_from(signed_e4(text, range)?).ok().and_then(HongKong::from_e4).ok_or(range)
    }
}

impl FromStr for Malay {
    type Err = ParseAsianError;

    fn from_str(text: &str) -> Result<Malay, ParseAsianError> {
        let range = ParseAsianError::MalayRange;
        Malay::from_e4(signed_e4(text, range)?).ok_or(range)
    }
}

impl FromStr for Indonesian {
    type Err = ParseAsianError;

    fn from_str(text: &str) -> Result<Indonesian, ParseAsianError> {
        let range = ParseAsianError::IndonesianRange;
        Indonesian::from_e4(signed_e4(text, range)?).ok_or(range)
    }
}

/// A decimal number in ten-thousandths; a plus may stand before it.
fn signed_e4(text: &str, range: ParseAsianError) -> Result<i32, ParseAsianError> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.len() < text.len() && digits.starts_with('-') {
        return Err(ParseAsianError::NotANumber);
    }
    let number = decimal::parse(digits.as_bytes(), 4).map_err(|fault| match fault {
        Fault::Empty | Fault::NotANumber { .. } => ParseAsianError::NotANumber,
        Fault::TooManyDecimals => ParseAsianError::TooManyDecimals,
        Fault::TooLarge => range,
    })?;
    let e4 = i32::try_from(number.magnitude).map_err(|_| range)?;
    Ok(if number.negative { -e4 } else { e4 })
}

/// Why a text is not Hong Kong, Malay or Indonesian odds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseAsianError {
    /// It is not a plain decimal number.
    NotANumber,
    /// More than four decimals.
    TooManyDecimals,
    /// Not within the range of [`HongKong`].
    HongKongRange,
    /// Not within the range of [`Malay`].
    MalayRange,
    /// Not within the range of [`Indonesian`].
    IndonesianRange,
}

impl fmt::Display for ParseAsianError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParseAsianError::NotANumber => "not odds: write a decimal number like 0.85 or -0.85",
            ParseAsianError::TooManyDecimals => {
                "odds have at most four decimals; nothing is rounded on reading"
            }
            ParseAsianError::HongKongRange => "Hong Kong odds lie between 0.0001 and 99999",
            ParseAsianError::MalayRange => {
                "Malay odds lie between 0.0001 and 1, or between -1 and -0.0001"
            }
            ParseAsianError::IndonesianRange => {
                "Indonesian odds lie between -10000 and -1, or between 1 and 99999"
            }
        })
    }
}

impl std::error::Error for ParseAsianError {}

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
    fn asian_odds_never_promise_more_than_the_price() {
        for (price, hong_kong, malay, indonesian) in [
            (price!(2.50), "1.50", "-0.6667", "1.50"),
            (price!(1.50), "0.50", "0.50", "-2.00"),
            (price!(2.00), "1.00", "1.00", "1.00"),
            (price!(1.01), "0.01", "0.01", "-100.00"),
            (price!(1.87), "0.87", "0.87", "-1.1495"),
            (price!(1.9999), "0.9999", "0.9999", "-1.0002"),
            // Staking 0.9999 to win one would be 2.0001: it is longer, so evens is shown.
            (price!(2.0001), "1.0001", "1.00", "1.0001"),
            (Price::MIN, "0.0001", "0.0001", "-10000.00"),
            (Price::MAX, "99999.00", "-0.0001", "99999.00"),
        ] {
            assert_eq!(price.to_hong_kong().to_string(), hong_kong, "{price}");
            assert_eq!(price.to_malay().to_string(), malay, "{price}");
            assert_eq!(price.to_indonesian().to_string(), indonesian, "{price}");
            assert_eq!(price.to_hong_kong().quoted(), Quoted::decimal(price));
            assert!(price.to_malay().quoted().price() <= price);
            assert!(price.to_indonesian().quoted().is_none_or(|quoted| quoted.price() <= price));
            assert_eq!(hong_kong.parse(), Ok(price.to_hong_kong()));
            assert_eq!(malay.parse(), Ok(price.to_malay()));
            assert_eq!(indonesian.parse(), Ok(price.to_indonesian()));
        }
        assert!(price!(1.90).to_malay() < price!(2.10).to_malay());
        assert!(price!(2.10).to_malay() < price!(3.00).to_malay());
        assert!(price!(1.50).to_indonesian() < price!(1.90).to_indonesian());
        assert!(price!(1.90).to_indonesian() < price!(2.10).to_indonesian());
        assert_eq!(format!("[{:>7}]", price!(2.50).to_malay()), "[-0.6667]");
    }

    #[test]
    fn evens_has_one_value_in_every_format_with_a_sign() {
        assert_eq!("-100".parse::<American>(), "+100".parse());
        assert_eq!("-1.00".parse::<Malay>(), "1".parse());
        assert_eq!("-1.00".parse::<Indonesian>(), "+1.00".parse());
        assert_eq!("-1".parse::<Malay>().unwrap().quoted().price(), price!(2.00));
    }

    #[test]
    fn what_is_staked_to_win_one_is_an_exact_fraction() {
        let malay = |text: &str| text.parse::<Malay>().unwrap().quoted();
        assert_eq!(malay("-0.65").to_string(), "20/13");
        assert_eq!(malay("-0.65").price(), price!(2.5384));
        assert_eq!(malay("0.65"), Quoted::decimal(price!(1.65)));
        let indonesian = |text: &str| text.parse::<Indonesian>().unwrap().quoted();
        assert_eq!(indonesian("-1.10").unwrap().to_string(), "10/11");
        assert_eq!(indonesian("1.10"), Some(Quoted::decimal(price!(2.10))));
        // 10,000/65,537 has no smaller parts.
        assert_eq!(indonesian("-6.5537"), None);
    }

    #[test]
    fn what_is_not_asian_odds_is_refused_with_a_sentence() {
        let number = "not odds: write a decimal number like 0.85 or -0.85";
        let decimals = "odds have at most four decimals; nothing is rounded on reading";
        let range = "Malay odds lie between 0.0001 and 1, or between -1 and -0.0001";
        for (text, sentence) in [
            ("", number),
            ("+", number),
            ("+-0.5", number),
            ("--0.5", number),
            ("0,85", number),
            ("NaN", number),
            ("0.85000", decimals),
            ("0", range),
            ("1.0001", range),
            ("-1.0001", range),
            ("99999999999999999999", range),
        ] {
            assert_eq!(text.parse::<Malay>().unwrap_err().to_string(), sentence, "{text}");
        }
        for text in ["0", "-0.5", "99999.0001", "214748.3648"] {
            assert_eq!(text.parse::<HongKong>(), Err(ParseAsianError::HongKongRange), "{text}");
        }
        for text in ["0", "0.9999", "-0.9999", "-10000.0001", "99999.0001"] {
            assert_eq!(text.parse::<Indonesian>(), Err(ParseAsianError::IndonesianRange), "{text}");
        }
    }

    #[test]
    fn a_quote_is_its_fraction_rounded_down_or_it_is_not_built() {
        let fraction = Fraction::new(10, 11);
        assert!(Quoted::new(price!(1.9090), fraction).is_some());
        assert!(Quoted::new(price!(1.9091), fraction).is_none());
        assert!(Quoted::new(price!(1.9089), fraction).is_none());
    }
}
