//! Amounts: money of either sign, and the stake of a bet.
//!
//! An amount is a whole number of minor units (pence, cents) and does not know its currency: an
//! account does (see [`Currency`](crate::Currency)), and there is no conversion anywhere.

use std::{fmt, str::FromStr};

use crate::decimal::{self, Fault, debug_as_displayed};

/// An amount in minor units, signed: 100.00 is `10_000`.
///
/// Text has two decimals, as in most currencies; [`Currency::format`](crate::Currency::format)
/// and [`Currency::parse_amount`](crate::Currency::parse_amount) know the ones that differ.
///
/// ```
/// use betring_pricing::{Money, money};
///
/// let balance = money!(100.00);
/// assert_eq!(balance.minor(), 10_000);
/// assert_eq!(balance.checked_sub(money!(100.05)).unwrap().to_string(), "-0.05");
/// assert_eq!("5_000".parse(), Ok(money!(5000.00)));
/// assert!("0.001".parse::<Money>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// The greatest amount, 10^17 minor units: what the greatest stake returns at the greatest
    /// price, so that no return is ever out of range (checked at compile time in `rounding.rs`).
    pub const MAX: Money = Money(100_000_000_000_000_000);

    /// The least amount, minus [`Money::MAX`].
    pub const MIN: Money = Money(-Money::MAX.0);

    /// The amount of that many minor units; `None` beyond [`Money::MIN`] or [`Money::MAX`].
    pub const fn from_minor(minor: i64) -> Option<Money> {
        if Money::MIN.0 <= minor && minor <= Money::MAX.0 { Some(Money(minor)) } else { None }
    }

    /// The same from a wide product or sum.
    pub(crate) const fn from_wide(minor: i128) -> Option<Money> {
        if Money::MIN.0 as i128 <= minor && minor <= Money::MAX.0 as i128 {
            Some(Money(minor as i64))
        } else {
            None
        }
    }

    /// How many minor units.
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The sum; `None` if it is out of range.
    pub const fn checked_add(self, other: Money) -> Option<Money> {
        match self.0.checked_add(other.0) {
            Some(minor) => Money::from_minor(minor),
            None => None,
        }
    }

    /// The difference; `None` if it is out of range.
    pub const fn checked_sub(self, other: Money) -> Option<Money> {
        match self.0.checked_sub(other.0) {
            Some(minor) => Money::from_minor(minor),
            None => None,
        }
    }

    /// The same amount with the other sign. `Some` for every amount, the range being symmetric; an
    /// `Option` like its neighbours, so that chains of checked steps read alike.
    pub const fn checked_neg(self) -> Option<Money> {
        Money::from_minor(-self.0)
    }

    /// Less than nothing.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Nothing at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads an amount with that many decimals. The one door for text, at compile time too.
    pub(crate) const fn parse(text: &str, places: u32) -> Result<Money, ParseMoneyError> {
        let decimal = match decimal::parse(text.as_bytes(), places) {
            Ok(decimal) => decimal,
            Err(Fault::Empty) => return Err(ParseMoneyError::Empty),
            Err(Fault::NotANumber { at }) => return Err(ParseMoneyError::NotANumber { at }),
            Err(Fault::TooManyDecimals) => {
                return Err(ParseMoneyError::TooManyDecimals { accepted: places as u8 });
            }
            Err(Fault::TooLarge) => return Err(ParseMoneyError::OutOfRange),
        };
        if decimal.magnitude > Money::MAX.0 as u64 {
            return Err(ParseMoneyError::OutOfRange);
        }
        let minor = decimal.magnitude as i64;
        Ok(Money(if decimal.negative { -minor } else { minor }))
    }

    /// What `money!` expands to; not meant to be called.
    #[doc(hidden)]
    pub const fn from_literal(text: &str) -> Money {
        match Money::parse(text, 2) {
            Ok(money) => money,
            Err(ParseMoneyError::TooManyDecimals { .. }) => {
                panic!("money! takes at most two decimals, like money!(100.00)")
            }
            Err(ParseMoneyError::OutOfRange) => panic!("money! is out of the range of Money"),
            Err(ParseMoneyError::Empty | ParseMoneyError::NotANumber { .. }) => {
                panic!(
                    "money! takes a plain number, like money!(100.00), money!(-0.05), money!(5_000)"
                )
            }
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0 < 0, self.0.unsigned_abs(), 2, 2)
    }
}

debug_as_displayed!(Money);

impl FromStr for Money {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Money, ParseMoneyError> {
        Money::parse(text, 2)
    }
}

/// An exact amount from a literal, at compile time: `money!(100.00)`, `money!(-0.05)`,
/// `money!(5_000)`.
///
/// It reads the text of the literal, so no float exists at any moment, and nonsense does not
/// compile:
///
/// ```compile_fail
/// let three_decimals = betring_pricing::money!(0.005);
/// ```
/// ```compile_fail
/// let exponent = betring_pricing::money!(1e5);
/// ```
#[macro_export]
macro_rules! money {
    ($amount:literal) => {
        const { $crate::Money::from_literal(stringify!($amount)) }
    };
}

/// The stake of a bet in minor units, from 1 to [`Stake::MAX`].
///
/// A stake of zero or less cannot be built, so a bet that stakes nothing cannot be written down.
///
/// ```
/// use betring_pricing::{Stake, money};
///
/// assert_eq!(Stake::from_money(money!(10.00)).unwrap().money(), money!(10.00));
/// assert_eq!(Stake::from_money(money!(0.00)), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Stake(i64);

impl Stake {
    /// The least stake: one minor unit.
    pub const MIN: Stake = Stake(1);

    /// The greatest stake, 10^12 minor units: far above any bet in any currency (it is ten thousand
    /// million pounds), and small enough that every return fits [`Money`].
    pub const MAX: Stake = Stake(1_000_000_000_000);

    /// A stake of that many minor units; `None` below 1 or beyond [`Stake::MAX`].
    pub const fn from_minor(minor: i64) -> Option<Stake> {
        if Stake::MIN.0 <= minor && minor <= Stake::MAX.0 { Some(Stake(minor)) } else { None }
    }

    /// That amount as a stake; `None` below one minor unit or beyond [`Stake::MAX`].
    pub const fn from_money(money: Money) -> Option<Stake> {
        Stake::from_minor(money.0)
    }

    /// How many minor units.
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The stake as an amount.
    pub const fn money(self) -> Money {
        Money(self.0)
    }
}

impl fmt::Display for Stake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.money(), f)
    }
}

debug_as_displayed!(Stake);

impl FromStr for Stake {
    type Err = ParseStakeError;

    fn from_str(text: &str) -> Result<Stake, ParseStakeError> {
        let money = text.parse().map_err(ParseStakeError::Amount)?;
        Stake::from_money(money).ok_or(ParseStakeError::OutOfRange)
    }
}

impl From<Stake> for Money {
    fn from(stake: Stake) -> Money {
        stake.money()
    }
}

/// Why a text is not an amount of money.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseMoneyError {
    /// There is no text.
    Empty,
    /// The character at this byte cannot stand there; the length of the text if it ends too early.
    NotANumber {
        /// Offset in bytes from the start of the text.
        at: usize,
    },
    /// More decimals than the currency has.
    TooManyDecimals {
        /// How many are accepted.
        accepted: u8,
    },
    /// Beyond [`Money::MIN`] or [`Money::MAX`].
    OutOfRange,
}

impl fmt::Display for ParseMoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseMoneyError::Empty => {
                f.write_str("an amount is missing: write it like 100.00, -0.05 or 5_000")
            }
            ParseMoneyError::NotANumber { at } => write!(
                f,
                "not an amount at character {}: write it like 100.00, -0.05 or 5_000",
                at + 1
            ),
            ParseMoneyError::TooManyDecimals { accepted: 0 } => {
                f.write_str("an amount of this currency has no decimals")
            }
            ParseMoneyError::TooManyDecimals { accepted } => {
                write!(
                    f,
                    "an amount has at most {accepted} decimals; nothing is rounded on reading"
                )
            }
            ParseMoneyError::OutOfRange => {
                write!(f, "an amount lies between {} and {}", Money::MIN, Money::MAX)
            }
        }
    }
}

impl std::error::Error for ParseMoneyError {}

/// Why a text is not a stake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseStakeError {
    /// It is not an amount of money at all.
    Amount(ParseMoneyError),
    /// An amount, but below one minor unit or beyond [`Stake::MAX`].
    OutOfRange,
}

impl fmt::Display for ParseStakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseStakeError::Amount(error) => fmt::Display::fmt(error, f),
            ParseStakeError::OutOfRange => {
                write!(f, "a stake lies between {} and {}", Stake::MIN, Stake::MAX)
            }
        }
    }
}

impl std::error::Error for ParseStakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ParseStakeError::Amount(error) => Some(error),
            ParseStakeError::OutOfRange => None,
        }
    }
}

const _: () = assert!(size_of::<Money>() == 8 && size_of::<Stake>() == 8);
// Two amounts add and subtract in 64 bits before the range is looked at.
const _: () = assert!(Money::MAX.0 <= i64::MAX / 2);
const _: () = assert!(Stake::MAX.0 <= Money::MAX.0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_with_two_decimals_and_without_separators() {
        assert_eq!(money!(100.00).to_string(), "100.00");
        assert_eq!(money!(-0.05).to_string(), "-0.05");
        assert_eq!(money!(1_234_567.89).to_string(), "1234567.89");
        assert_eq!(Money::ZERO.to_string(), "0.00");
        assert_eq!(format!("{:?}", money!(100.00)), "Money(100.00)");
        assert_eq!(
            format!("[{:>8}] [{:<8}] [{:+}]", money!(-1.50), money!(2), money!(3)),
            "[   -1.50] [2.00    ] [+3.00]"
        );
    }

    #[test]
    fn an_amount_is_read_with_up_to_two_decimals() {
        for (text, minor) in [
            ("100", 10_000),
            ("100.00", 10_000),
            ("100.5", 10_050),
            ("5_000", 500_000),
            ("-0.05", -5),
        ] {
            assert_eq!(text.parse::<Money>().map(Money::minor), Ok(minor), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused_with_a_sentence() {
        for (text, sentence) in [
            ("", "an amount is missing: write it like 100.00, -0.05 or 5_000"),
            ("1,000", "not an amount at character 2: write it like 100.00, -0.05 or 5_000"),
            ("12.", "not an amount at character 4: write it like 100.00, -0.05 or 5_000"),
            ("0.005", "an amount has at most 2 decimals; nothing is rounded on reading"),
            (
                "1000000000000000.01",
                "an amount lies between -1000000000000000.00 and 1000000000000000.00",
            ),
            (
                "99999999999999999999",
                "an amount lies between -1000000000000000.00 and 1000000000000000.00",
            ),
        ] {
            assert_eq!(text.parse::<Money>().unwrap_err().to_string(), sentence, "{text}");
        }
    }

    #[test]
    fn the_range_ends_where_it_says_and_nothing_wraps() {
        assert_eq!(Money::from_minor(Money::MAX.minor()), Some(Money::MAX));
        assert_eq!(Money::from_minor(Money::MAX.minor() + 1), None);
        assert_eq!(Money::from_minor(Money::MIN.minor() - 1), None);
        assert_eq!(Money::from_minor(i64::MIN), None);
        assert_eq!(Money::MAX.checked_add(money!(0.01)), None);
        assert_eq!(Money::MIN.checked_sub(money!(0.01)), None);
        assert_eq!(Money::MIN.checked_add(Money::MAX), Some(Money::ZERO));
        assert_eq!(Money::MIN.checked_neg(), Some(Money::MAX));
        assert!(money!(-0.01).is_negative() && !Money::ZERO.is_negative());
        assert!(Money::ZERO.is_zero() && !money!(-0.01).is_zero());
    }

    #[test]
    fn a_stake_is_at_least_one_minor_unit() {
        assert_eq!(Stake::from_money(Money::ZERO), None);
        assert_eq!(Stake::from_money(money!(-1.00)), None);
        assert_eq!(Stake::from_minor(1), Some(Stake::MIN));
        assert_eq!(Stake::from_minor(Stake::MAX.minor() + 1), None);
        assert_eq!("10.00".parse(), Ok(Stake::from_money(money!(10.00)).unwrap()));
    }

    #[test]
    fn what_is_not_a_stake_is_refused_with_a_sentence() {
        for (text, sentence) in [
            ("0", "a stake lies between 0.01 and 10000000000.00"),
            ("-1", "a stake lies between 0.01 and 10000000000.00"),
            ("10000000000.01", "a stake lies between 0.01 and 10000000000.00"),
            ("ten", "not an amount at character 1: write it like 100.00, -0.05 or 5_000"),
        ] {
            assert_eq!(text.parse::<Stake>().unwrap_err().to_string(), sentence, "{text}");
        }
    }
}
