//! Numbers as a feed writes them, read digit by digit: `2.5`, `0.0032518534`, `8.97094E-4`.

use std::fmt;

use betring_pricing::{Price, Probability, Quoted};

use crate::message::Odds;

/// Bytes that a number may have: a binary float prints at most 17 significant digits, a sign, a
/// point and an exponent of five characters. With 32 digits a mantissa fits a `u128`.
pub const NUMBER_BYTES_MAX: usize = 32;

/// The most outcomes that share places in a dead heat whose factor was written with an end that it
/// does not have (0.3333333333333333). The widest field of an outright has about 200.
pub const TIED_MAX: u16 = 255;

/// A share between nought and one, as an exact fraction in lowest terms.
///
/// ```
/// use betring_uof::Factor;
///
/// assert_eq!(Factor::parse("0.5").unwrap().to_string(), "1/2");
/// assert_eq!(Factor::parse("0.3333").unwrap().to_string(), "3333/10000");
/// // What a float prints of one third is read as the third that it was.
/// assert_eq!(Factor::parse("0.3333333333333333").unwrap().to_string(), "1/3");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Factor {
    num: u16,
    den: u16,
}

impl Factor {
    /// Nothing of it.
    pub const ZERO: Factor = Factor { num: 0, den: 1 };
    /// Half of it.
    pub const HALF: Factor = Factor { num: 1, den: 2 };
    /// All of it.
    pub const ONE: Factor = Factor { num: 1, den: 1 };

    /// `num`/`den` in lowest terms; `None` above one or with nought below the line.
    pub const fn new(num: u16, den: u16) -> Option<Factor> {
        if den == 0 || den < num {
            return None;
        }
        let divisor = common_divisor(num as u128, den as u128) as u16;
        Some(Factor { num: num / divisor, den: den / divisor })
    }

    /// The fraction that a decimal number is.
    ///
    /// It is exact where both parts fit 16 bits. A number with more digits than that is the rest
    /// of a division: it is read as the fraction of at most [`TIED_MAX`] parts, the fewest, that
    /// lies less than one unit of its last digit away.
    ///
    /// # Errors
    /// [`NumberError`] when it is no number, above one, below nought, or no such fraction.
    pub fn parse(text: &str) -> Result<Factor, NumberError> {
        let decimal = Decimal::parse(text)?;
        let (num, den) = decimal.fraction().ok_or(NumberError::OutOfRange)?;
        if decimal.negative && num != 0 {
            return Err(NumberError::OutOfRange);
        }
        if den < num {
            return Err(NumberError::OutOfRange);
        }
        let divisor = common_divisor(num, den);
        if let (Ok(num), Ok(den)) = (u16::try_from(num / divisor), u16::try_from(den / divisor)) {
            return Ok(Factor { num, den });
        }
        for parts in 1..=u128::from(TIED_MAX) {
            // Below 255 * 10^32, so nothing here can overflow.
            let nearest = (num * parts + den / 2) / den;
            if (nearest * den).abs_diff(num * parts) < parts {
                let nearest = u16::try_from(nearest).map_err(|_| NumberError::OutOfRange)?;
                let parts = u16::try_from(parts).map_err(|_| NumberError::OutOfRange)?;
                return Factor::new(nearest, parts).ok_or(NumberError::OutOfRange);
            }
        }
        Err(NumberError::NoFraction)
    }

    /// The part above the line.
    pub const fn num(self) -> u16 {
        self.num
    }

    /// The part below the line; never nought, never below [`num`](Factor::num).
    pub const fn den(self) -> u16 {
        self.den
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

impl fmt::Debug for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Factor({self})")
    }
}

/// Why a text is not a number of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// It is not digits with at most one point and at most one exponent.
    NotANumber,
    /// It is longer than [`NUMBER_BYTES_MAX`].
    TooLong,
    /// It is below the least or above the greatest value.
    OutOfRange,
    /// It is not the decimal of any fraction of 16-bit numbers.
    NoFraction,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NumberError::NotANumber => f.write_str("not a decimal number"),
            NumberError::TooLong => {
                write!(f, "longer than the {NUMBER_BYTES_MAX} bytes of a number")
            }
            NumberError::OutOfRange => f.write_str("outside the range of the number"),
            NumberError::NoFraction => write!(
                f,
                "not a fraction of 16-bit numbers, nor the decimal of one with at most {TIED_MAX} parts"
            ),
        }
    }
}

impl std::error::Error for NumberError {}

/// The greatest of the numbers that divide both; the other one where one is nought.
const fn common_divisor(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A number as it was written: `digits / 10^scale`.
#[derive(Clone, Copy, Debug)]
struct Decimal {
    negative: bool,
    digits: u128,
    scale: i32,
}

impl Decimal {
    fn parse(text: &str) -> Result<Decimal, NumberError> {
        let text = text.trim_matches(crate::xml::is_space);
        if NUMBER_BYTES_MAX < text.len() {
            return Err(NumberError::TooLong);
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = 0_u128;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(NumberError::NotANumber);
            }
            digits = digits * 10 + u128::from(byte - b'0');
        }
        if whole.is_empty() && fraction.is_empty() {
            return Err(NumberError::NotANumber);
        }
        // At most 32 digits and an exponent below 1,000.
        Ok(Decimal { negative, digits, scale: fraction.len() as i32 - exponent })
    }

    /// The number as a fraction; `None` where a part has more than 32 digits.
    fn fraction(self) -> Option<(u128, u128)> {
        if self.digits == 0 {
            return Some((0, 1));
        }
        if 0 <= self.scale {
            return Some((self.digits, power(self.scale)?));
        }
        Some((self.digits.checked_mul(power(-self.scale)?)?, 1))
    }

    /// How many parts of 10^-`places` it is, and what is left over of how much; `None` beyond 128
    /// bits. A sign is not looked at.
    fn parts(self, places: i32) -> Option<(u128, u128, u128)> {
        let shift = self.scale - places;
        if self.digits == 0 {
            return Some((0, 0, 1));
        }
        if shift <= 0 {
            return Some((self.digits.checked_mul(power(-shift)?)?, 0, 1));
        }
        match power(shift) {
            Some(unit) => Some((self.digits / unit, self.digits % unit, unit)),
            // All digits lie far behind the last place.
            None => Some((0, 0, 1)),
        }
    }
}

/// 10^`exponent`, up to 10^32.
fn power(exponent: i32) -> Option<u128> {
    if (0..=32).contains(&exponent) { 10_u128.checked_pow(exponent.unsigned_abs()) } else { None }
}

/// The number behind an `E`: at most three digits.
fn parse_exponent(text: &str) -> Result<i32, NumberError> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NumberError::NotANumber);
    }
    if 3 < digits.len() {
        return Err(NumberError::OutOfRange);
    }
    Ok(sign * digits.iter().fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0')))
}

/// Decimal odds. A digit behind the fourth decimal is dropped: what is shown never promises more
/// than what was quoted.
pub(crate) fn odds(text: &str) -> Result<Odds, NumberError> {
    let decimal = Decimal::parse(text)?;
    if decimal.negative {
        return Err(NumberError::OutOfRange);
    }
    let e4 = decimal.parts(4).and_then(|(parts, _, _)| u32::try_from(parts).ok());
    Ok(match e4.and_then(Price::from_e4) {
        Some(price) => Odds::At(Quoted::decimal(price)),
        None => Odds::OutOfRange,
    })
}

/// A probability, to the nearest part per billion; exactly half goes up, as in `betring_pricing`.
pub(crate) fn probability(text: &str) -> Result<Probability, NumberError> {
    let decimal = Decimal::parse(text)?;
    let (parts, rest, unit) = decimal.parts(9).ok_or(NumberError::OutOfRange)?;
    let nearest = parts + u128::from(unit - rest <= rest);
    if decimal.negative && nearest != 0 {
        return Err(NumberError::OutOfRange);
    }
    let ppb = u32::try_from(nearest).map_err(|_| NumberError::OutOfRange)?;
    Probability::from_ppb(ppb).ok_or(NumberError::OutOfRange)
}

/// A whole number.
pub(crate) fn whole(text: &str) -> Option<i64> {
    let text = text.trim_matches(crate::xml::is_space);
    let digits = text.strip_prefix('-').unwrap_or(text);
    // 19 digits hold every 64-bit number; one that does not fit is refused by `parse`.
    let fits = (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}
