//! How a decimal number is read from text and written as text, exactly and without a float.

use std::fmt;

/// Why a text is not a decimal number of the wanted kind. Each public type says it in its own
/// words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// There is no character at all.
    Empty,
    /// The byte at this offset cannot stand there; the length of the text if it ended too early.
    NotANumber { at: usize },
    /// More decimals than the type keeps.
    TooManyDecimals,
    /// More than 64 bits.
    TooLarge,
}

/// A decimal number as it was written: its sign, and its digits as an integer of the smallest part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    pub(crate) magnitude: u64,
}

/// Reads `[-]digits[.digits]`, with single underscores allowed between digits of the whole part.
///
/// The result counts parts of 10^-`places`: "2.5" with four places is 25,000.
pub(crate) const fn parse(text: &[u8], places: u32) -> Result<Decimal, Fault> {
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    let negative = text[0] == b'-';
    let mut at = if negative { 1 } else { 0 };
    let mut magnitude: u64 = 0;
    let mut digits_before = 0;
    let mut decimals: Option<u32> = None;
    let mut after_digit = false;
    while at < text.len() {
        match text[at] {
            digit @ b'0'..=b'9' => {
                if let Some(count) = decimals {
                    if count == places {
                        return Err(trailing_fault(text, at));
                    }
                    decimals = Some(count + 1);
                } else {
                    digits_before += 1;
                }
                magnitude = match push_digit(magnitude, digit - b'0') {
                    Some(magnitude) => magnitude,
                    None => return Err(Fault::TooLarge),
                };
                after_digit = true;
            }
            b'_' if after_digit && decimals.is_none() => after_digit = false,
            b'.' if after_digit && decimals.is_none() => {
                decimals = Some(0);
                after_digit = false;
            }
            _ => return Err(Fault::NotANumber { at }),
        }
        at += 1;
    }
    if !after_digit || digits_before == 0 {
        return Err(Fault::NotANumber { at });
    }
    let mut missing = match decimals {
        Some(count) => places - count,
        None => places,
    };
    while missing > 0 {
        magnitude = match push_digit(magnitude, 0) {
            Some(magnitude) => magnitude,
            None => return Err(Fault::TooLarge),
        };
        missing -= 1;
    }
    Ok(Decimal { negative, magnitude })
}

const fn push_digit(magnitude: u64, digit: u8) -> Option<u64> {
    match magnitude.checked_mul(10) {
        Some(tens) => tens.checked_add(digit as u64),
        None => None,
    }
}

/// Too many digits, unless what follows is not a digit at all: then that is the better answer.
const fn trailing_fault(text: &[u8], from: usize) -> Fault {
    let mut at = from;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            return Fault::NotANumber { at };
        }
        at += 1;
    }
    Fault::TooManyDecimals
}

/// Writes an integer of parts of 10^-`places` as a decimal number.
///
/// Zeros at the end are left away down to `keep` decimals. Width, fill, alignment and `+` of the
/// format string are honoured; a precision is not, because cutting digits would round.
pub(crate) fn write(
    f: &mut fmt::Formatter<'_>,
    negative: bool,
    magnitude: u64,
    places: u32,
    keep: u32,
) -> fmt::Result {
    // 20 digits of a u64, a point, and a zero before the point.
    let mut text = [0_u8; 24];
    let mut start = text.len();
    let mut rest = magnitude;
    let mut place = 0;
    let mut trimming = true;
    while place < places {
        let digit = (rest % 10) as u8;
        rest /= 10;
        trimming = trimming && digit == 0 && keep < places - place;
        if !trimming {
            start -= 1;
            text[start] = b'0' + digit;
        }
        place += 1;
    }
    if start < text.len() {
        start -= 1;
        text[start] = b'.';
    }
    loop {
        start -= 1;
        text[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let digits = str::from_utf8(&text[start..]).map_err(|_| fmt::Error)?;
    f.pad_integral(!negative, "", digits)
}

/// Writes a text of at most 40 bytes at the width that the format string asks for.
pub(crate) fn pad(f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
    let mut short = Short { bytes: [0; 40], len: 0 };
    fmt::Write::write_fmt(&mut short, text)?;
    f.pad(str::from_utf8(&short.bytes[..short.len]).map_err(|_| fmt::Error)?)
}

struct Short {
    bytes: [u8; 40],
    len: usize,
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// `Debug` that shows the value as people write it: `Price(2.50)`, not `Price(25000)`.
macro_rules! debug_as_displayed {
    ($type:ident) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }
    };
}
pub(crate) use debug_as_displayed;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, places: u32) -> Result<u64, Fault> {
        parse(text.as_bytes(), places).map(|decimal| decimal.magnitude)
    }

    #[test]
    fn missing_decimals_are_zeros() {
        assert_eq!(parsed("2", 4), Ok(20_000));
        assert_eq!(parsed("2.5", 4), Ok(25_000));
        assert_eq!(parsed("2.0001", 4), Ok(20_001));
        assert_eq!(parsed("0.05", 2), Ok(5));
        assert_eq!(parsed("7", 0), Ok(7));
    }

    #[test]
    fn a_decimal_too_many_is_refused_even_if_it_is_zero() {
        assert_eq!(parsed("2.50000", 4), Err(Fault::TooManyDecimals));
        assert_eq!(parsed("100.5", 0), Err(Fault::TooManyDecimals));
    }

    #[test]
    fn underscores_stand_between_digits_of_the_whole_part_only() {
        assert_eq!(parsed("5_000.25", 2), Ok(500_025));
        assert_eq!(parsed("_5", 2), Err(Fault::NotANumber { at: 0 }));
        assert_eq!(parsed("5__0", 2), Err(Fault::NotANumber { at: 2 }));
        assert_eq!(parsed("5_", 2), Err(Fault::NotANumber { at: 2 }));
        assert_eq!(parsed("5_.0", 2), Err(Fault::NotANumber { at: 2 }));
        assert_eq!(parsed("5.1_0", 2), Err(Fault::NotANumber { at: 3 }));
    }

    #[test]
    fn what_is_not_a_number_is_named_by_its_place() {
        assert_eq!(parsed("", 2), Err(Fault::Empty));
        assert_eq!(parsed("-", 2), Err(Fault::NotANumber { at: 1 }));
        assert_eq!(parsed(".5", 2), Err(Fault::NotANumber { at: 0 }));
        assert_eq!(parsed("5.", 2), Err(Fault::NotANumber { at: 2 }));
        assert_eq!(parsed("+5", 2), Err(Fault::NotANumber { at: 0 }));
        assert_eq!(parsed("1e5", 2), Err(Fault::NotANumber { at: 1 }));
        assert_eq!(parsed("1.005x", 2), Err(Fault::NotANumber { at: 5 }));
        assert_eq!(parsed("1,000", 2), Err(Fault::NotANumber { at: 1 }));
        assert_eq!(parsed(" 1", 2), Err(Fault::NotANumber { at: 0 }));
        assert_eq!(parsed("--1", 2), Err(Fault::NotANumber { at: 1 }));
    }

    #[test]
    fn more_than_64_bits_are_refused_and_never_wrap() {
        assert_eq!(parsed("18446744073709551615", 0), Ok(u64::MAX));
        assert_eq!(parsed("18446744073709551616", 0), Err(Fault::TooLarge));
        assert_eq!(parsed("18446744073709551615", 1), Err(Fault::TooLarge));
    }
}
