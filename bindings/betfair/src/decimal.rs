//! Exact decimal numbers, as they are written in a recording: never a binary float in between.

use std::cmp::Ordering;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Digits that a number may have. A binary float prints at most 17 significant ones; the rest is
/// room for sums. With 36 digits a mantissa stays below 10^36 and fits an `i128`.
pub const DIGITS_MAX: usize = 36;

/// Digits that a number may have behind the point. Two fractions widened to this scale and added
/// stay far below `i128::MAX`.
pub const SCALE_MAX: u8 = 30;

/// An exact decimal: `mantissa / 10^scale`.
///
/// The digits behind the point are kept as they were written, so a number written without an
/// exponent prints as the very text it was read from: `2.0` stays `2.0`, `17` stays `17`. A number
/// with an exponent (`1.5e2`) prints in plain digits (`150`). Equality and order are those of the
/// value: `2.0` equals `2`.
#[derive(Clone, Copy, Default)]
pub struct Decimal {
    mantissa: i128,
    scale: u8,
}

/// Why a text is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// It does not follow JSON's grammar of a number.
    NotANumber,
    /// It needs more than [`DIGITS_MAX`] digits, or more than [`SCALE_MAX`] behind the point.
    OutOfBounds,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecimalError::NotANumber => f.write_str("is not a number"),
            DecimalError::OutOfBounds => write!(
                f,
                "is beyond the bounds of a number here ({DIGITS_MAX} digits, {SCALE_MAX} behind the point)"
            ),
        }
    }
}

impl std::error::Error for DecimalError {}

impl Decimal {
    /// Nought.
    pub const ZERO: Decimal = Decimal { mantissa: 0, scale: 0 };

    /// The whole number `value`.
    pub const fn whole(value: i64) -> Decimal {
        Decimal { mantissa: value as i128, scale: 0 }
    }

    /// The number that `text` writes, in JSON's grammar of a number.
    ///
    /// # Errors
    /// [`DecimalError`] when it is no number, or one with more digits than are kept.
    pub fn parse(text: &str) -> Result<Decimal, DecimalError> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (digits, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], exponent(&unsigned[at + 1..])?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(DecimalError::NotANumber),
            Some(parts) => parts,
            None => (digits, ""),
        };
        if whole.is_empty() || (1 < whole.len() && whole.starts_with('0')) {
            return Err(DecimalError::NotANumber);
        }
        if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(DecimalError::NotANumber);
        }
        if DIGITS_MAX < whole.len() + fraction.len() {
            return Err(DecimalError::OutOfBounds);
        }
        let mantissa = whole
            .bytes()
            .chain(fraction.bytes())
            .fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
        let mantissa = if negative { -mantissa } else { mantissa };
        // The text is at most 36 digits here, so its length fits any integer.
        Decimal::scaled(mantissa, fraction.len() as i32 - exponent)
    }

    /// `mantissa / 10^scale`, where a negative scale multiplies.
    fn scaled(mantissa: i128, scale: i32) -> Result<Decimal, DecimalError> {
        if scale < 0 {
            let widened = 10_i128
                .checked_pow(scale.unsigned_abs())
                .and_then(|factor| mantissa.checked_mul(factor))
                .or(if mantissa == 0 { Some(0) } else { None })
                .filter(|widened| widened.unsigned_abs() < 10_u128.pow(DIGITS_MAX as u32))
                .ok_or(DecimalError::OutOfBounds)?;
            return Ok(Decimal { mantissa: widened, scale: 0 });
        }
        match u8::try_from(scale) {
            Ok(scale) if scale <= SCALE_MAX => Ok(Decimal { mantissa, scale }),
            _ => Err(DecimalError::OutOfBounds),
        }
    }

    /// All digits, without the point. Between -10^36 and 10^36, both excluded.
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many of the digits stand behind the point: 0 to [`SCALE_MAX`].
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Whether it is nought, however many digits were written.
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Whether it is below nought.
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// The number in ten-thousandths, when it is a whole number of them and fits.
    pub fn to_e4(self) -> Option<u32> {
        let e4 = if self.scale <= 4 {
            self.mantissa.checked_mul(power(4 - self.scale))?
        } else {
            let unit = power(self.scale - 4);
            if self.mantissa % unit != 0 {
                return None;
            }
            self.mantissa / unit
        };
        u32::try_from(e4).ok()
    }

    /// The exact sum, in the scale of the wider addend; `None` beyond [`DIGITS_MAX`] digits.
    pub fn checked_add(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let widen = |number: Decimal| number.mantissa.checked_mul(power(scale - number.scale));
        let mantissa = widen(self)?.checked_add(widen(other)?)?;
        let fits = mantissa.unsigned_abs() < 10_u128.pow(DIGITS_MAX as u32);
        fits.then_some(Decimal { mantissa, scale })
    }
}

/// 10^`exponent`; every caller stays at or below [`SCALE_MAX`].
fn power(exponent: u8) -> i128 {
    10_i128.pow(u32::from(exponent))
}

/// The number behind an `e`: at most four digits, so no sum with it can overflow.
fn exponent(text: &str) -> Result<i32, DecimalError> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', ..] => (-1, &text[1..]),
        [b'+', ..] => (1, &text[1..]),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::NotANumber);
    }
    if 4 < digits.len() {
        return Err(DecimalError::OutOfBounds);
    }
    Ok(sign * digits.bytes().fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0')))
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        // Whole parts first, then the fractions at a common scale: no product can overflow.
        let (mine, theirs) = (power(self.scale), power(other.scale));
        let scale = self.scale.max(other.scale);
        let whole = (self.mantissa / mine).cmp(&(other.mantissa / theirs));
        whole.then_with(|| {
            let my_fraction = self.mantissa % mine * power(scale - self.scale);
            let their_fraction = other.mantissa % theirs * power(scale - other.scale);
            my_fraction.cmp(&their_fraction)
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        let unit = power(self.scale).unsigned_abs();
        let digits = self.mantissa.unsigned_abs();
        if self.scale == 0 {
            return f.pad(&format!("{sign}{digits}"));
        }
        let width = usize::from(self.scale);
        f.pad(&format!("{sign}{}.{:0width$}", digits / unit, digits % unit))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Decimal::parse(raw.get())
            .map_err(|why| de::Error::custom(format_args!("{} {why}", shown(raw.get()))))
    }
}

/// Bytes of somebody else's text that an error repeats.
const SHOWN_MAX: usize = 40;

/// `text` as an error shows it: in backquotes, cut when long.
pub(crate) fn shown(text: &str) -> String {
    if text.len() <= SHOWN_MAX {
        return format!("`{text}`");
    }
    let end = (0..=SHOWN_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("`{}...`", &text[..end])
}
