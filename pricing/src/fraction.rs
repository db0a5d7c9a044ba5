//! Fractional prices, kept as they were written: 6/4 is worth 3/2 and is still called 6/4.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use crate::{Price, Snap, decimal, rounding};

/// A fractional price: profit over stake, so 5/2 wins five for every two staked.
///
/// 10/11 and 4/6 are not finite decimals, so a bet at such a price is settled from the fraction.
/// Both parts are at least 1, and the fraction is at least 1/10,000, the least profit a [`Price`]
/// knows. Equality, order and hash are by value (6/4 equals 3/2); [`Fraction::is_written_as`]
/// compares the text.
///
/// ```
/// use betring_pricing::{Fraction, price};
///
/// let six_to_four: Fraction = "6/4".parse().unwrap();
/// assert_eq!(six_to_four.to_string(), "6/4");
/// assert_eq!(six_to_four, "3/2".parse().unwrap());
/// assert_eq!(six_to_four.price(), price!(2.50));
/// ```
#[derive(Clone, Copy)]
pub struct Fraction {
    num: u16,
    den: u16,
}

impl Fraction {
    /// 1/1, "evens".
    pub const EVENS: Fraction = Fraction { num: 1, den: 1 };

    /// `num`/`den` as written; `None` if either is zero or the value is below 1/10,000.
    pub const fn new(num: u16, den: u16) -> Option<Fraction> {
        if den != 0 && den as u32 <= num as u32 * 10_000 {
            Some(Fraction { num, den })
        } else {
            None
        }
    }

    /// What is won for every [`den`](Fraction::den) staked.
    pub const fn num(self) -> u16 {
        self.num
    }

    /// What is staked to win [`num`](Fraction::num).
    pub const fn den(self) -> u16 {
        self.den
    }

    /// The same value in lowest terms: 6/4 becomes 3/2.
    pub const fn reduced(self) -> Fraction {
        let (mut a, mut b) = (self.num, self.den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Fraction { num: self.num / a, den: self.den / a }
    }

    /// Whether both are written alike: 6/4 equals 3/2 but is not written as 3/2.
    pub const fn is_written_as(self, other: Fraction) -> bool {
        self.num == other.num && self.den == other.den
    }

    /// The decimal price, rounded down to 1/10,000: 10/11 is 1.909.
    pub const fn price(self) -> Price {
        rounding::price_of_fraction(self)
    }

    /// Whether the decimal price is the exact value of this fraction: 5/2 is 3.50, 10/11 has no
    /// end.
    pub const fn is_exact_decimal(self) -> bool {
        (self.num as u32 * 10_000).is_multiple_of(self.den as u32)
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Fraction) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Fraction) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Fraction) -> Ordering {
        let this = u32::from(self.num) * u32::from(other.den);
        let that = u32::from(other.num) * u32::from(self.den);
        this.cmp(&that)
    }
}

impl Hash for Fraction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Fraction { num, den } = self.reduced();
        (num, den).hash(state);
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::pad(f, format_args!("{}/{}", self.num, self.den))
    }
}

decimal::debug_as_displayed!(Fraction);

impl FromStr for Fraction {
    type Err = ParseFractionError;

    /// Reads "5/2", and "evens", "even" or "evs" in any case.
    fn from_str(text: &str) -> Result<Fraction, ParseFractionError> {
        if ["evens", "even", "evs"].iter().any(|name| text.eq_ignore_ascii_case(name)) {
            return Ok(Fraction::EVENS);
        }
        let (num, den) = text.split_once('/').ok_or(ParseFractionError::NotAFraction)?;
        Fraction::new(part(num)?, part(den)?).ok_or(ParseFractionError::OutOfRange)
    }
}

/// One side of a fraction: digits only, so that "+5/2" and "5 / 2" are not quietly accepted.
fn part(text: &str) -> Result<u16, ParseFractionError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseFractionError::NotAFraction);
    }
    text.parse().map_err(|_| ParseFractionError::OutOfRange)
}

/// Why a text is not a fractional price.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseFractionError {
    /// It is not two whole numbers with a slash between them.
    NotAFraction,
    /// A part is zero or above 65,535, or the value is below 1/10,000.
    OutOfRange,
}

impl fmt::Display for ParseFractionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParseFractionError::NotAFraction => {
                "not a fractional price: write it like 5/2, or evens, without spaces"
            }
            ParseFractionError::OutOfRange => {
                "a fractional price has parts from 1 to 65535 and is at least 1/10000"
            }
        })
    }
}

impl std::error::Error for ParseFractionError {}

/// The fractional prices that a board shows, ascending.
///
/// ```
/// use betring_pricing::{FractionalLadder, Snap, price};
///
/// let board = FractionalLadder::TRADITIONAL;
/// assert_eq!(price!(2.50).to_fractional(&board, Snap::Down).unwrap().to_string(), "6/4");
/// assert_eq!(price!(4.333).to_fractional(&board, Snap::Nearest).unwrap().to_string(), "100/30");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FractionalLadder {
    prices: &'static [Fraction],
}

impl FractionalLadder {
    /// The prices of a British racecourse board, from 1/100 to 1000/1, as they are called there:
    /// 4/6 and 6/4 are not reduced, and three and a third to one is 100/30.
    pub const TRADITIONAL: FractionalLadder = FractionalLadder { prices: TRADITIONAL };

    /// A ladder of an operator's own; `None` if it is empty or does not ascend strictly by value.
    pub const fn new(prices: &'static [Fraction]) -> Option<FractionalLadder> {
        if ascends(prices) { Some(FractionalLadder { prices }) } else { None }
    }

    /// The prices, ascending.
    pub const fn prices(&self) -> &'static [Fraction] {
        self.prices
    }

    /// The fraction shown for a price.
    ///
    /// `Down` is the longest that is not above the price (`None` below the ladder), so the house
    /// keeps the difference; `Up` the shortest that is not below it (`None` above the ladder), so
    /// the customer does; `Nearest` the closer of the two by value, the shorter if both are as
    /// close, and an end of the ladder for a price beyond it.
    pub fn snap(&self, price: Price, snap: Snap) -> Option<Fraction> {
        let (prices, profit_e4) = (self.prices, u64::from(price.e4() - 10_000));
        // Compared exactly: num/den <= profit_e4/10,000 without dividing.
        let not_above = |fraction: &Fraction| {
            u64::from(fraction.num) * 10_000 <= profit_e4 * u64::from(fraction.den)
        };
        let above = prices.partition_point(not_above);
        let down = above.checked_sub(1).map(|at| prices[at]);
        let up = match down {
            Some(down) if is_exactly(down, price) => Some(down),
            _ => prices.get(above).copied(),
        };
        match snap {
            Snap::Down => down,
            Snap::Up => up,
            Snap::Nearest => match (down, up) {
                (Some(down), Some(up)) => {
                    if is_closer(up, down, price) {
                        Some(up)
                    } else {
                        Some(down)
                    }
                }
                (only, None) | (None, only) => only,
            },
        }
    }
}

fn is_exactly(fraction: Fraction, price: Price) -> bool {
    u64::from(fraction.num) * 10_000 == u64::from(price.e4() - 10_000) * u64::from(fraction.den)
}

/// Whether `up` (not below the price) is strictly closer to it than `down` (not above it).
///
/// up + down < 2 × profit, over the common denominator; all terms stay below 2^63.
fn is_closer(up: Fraction, down: Fraction, price: Price) -> bool {
    let (up_num, up_den) = (u128::from(up.num), u128::from(up.den));
    let (down_num, down_den) = (u128::from(down.num), u128::from(down.den));
    let sum_e4 = (up_num * down_den + down_num * up_den) * 10_000;
    sum_e4 < 2 * u128::from(price.e4() - 10_000) * up_den * down_den
}

const fn ascends(prices: &[Fraction]) -> bool {
    let mut at = 1;
    while at < prices.len() {
        let (low, high) = (prices[at - 1], prices[at]);
        if high.num as u32 * low.den as u32 <= low.num as u32 * high.den as u32 {
            return false;
        }
        at += 1;
    }
    !prices.is_empty()
}

macro_rules! fractions {
    ($($num:literal / $den:literal),* $(,)?) => {
        &[$(Fraction { num: $num, den: $den }),*]
    };
}

#[rustfmt::skip]
const TRADITIONAL: &[Fraction] = fractions![
    1/100, 1/66, 1/50, 1/40, 1/33, 1/28, 1/25, 1/22, 1/20, 1/18, 1/16, 1/14, 1/12, 1/11, 1/10,
    1/9, 1/8, 2/15, 1/7, 2/13, 1/6, 2/11, 1/5, 2/9, 1/4, 2/7, 3/10, 1/3, 4/11, 2/5, 4/9, 1/2,
    8/15, 4/7, 8/13, 4/6, 8/11, 4/5, 5/6, 10/11, 20/21, 1/1, 21/20, 11/10, 6/5, 5/4, 11/8, 6/4,
    13/8, 7/4, 15/8, 2/1, 85/40, 9/4, 5/2, 11/4, 3/1, 100/30, 7/2, 4/1, 9/2, 5/1, 11/2, 6/1,
    13/2, 7/1, 15/2, 8/1, 17/2, 9/1, 10/1, 11/1, 12/1, 14/1, 16/1, 18/1, 20/1, 22/1, 25/1, 28/1,
    33/1, 40/1, 50/1, 66/1, 80/1, 100/1, 125/1, 150/1, 200/1, 250/1, 300/1, 400/1, 500/1, 1000/1,
];

const _: () = assert!(ascends(TRADITIONAL), "the traditional prices ascend by value");
const _: () = assert!(size_of::<Fraction>() == 4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price;

    fn fraction(text: &str) -> Fraction {
        text.parse().expect("a fractional price")
    }

    fn hash_of(fraction: Fraction) -> u64 {
        use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
        BuildHasherDefault::<DefaultHasher>::default().hash_one(fraction)
    }

    #[test]
    fn six_to_four_is_three_to_two_but_stays_written_as_six_to_four() {
        assert_eq!(fraction("6/4"), fraction("3/2"));
        assert_eq!(hash_of(fraction("6/4")), hash_of(fraction("3/2")));
        assert_eq!(fraction("6/4").to_string(), "6/4");
        assert!(!fraction("6/4").is_written_as(fraction("3/2")));
        assert!(fraction("6/4").reduced().is_written_as(fraction("3/2")));
        assert!(fraction("11/8") < fraction("6/4") && fraction("3/2") < fraction("13/8"));
    }

    #[test]
    fn the_decimal_of_a_fraction_never_promises_more() {
        for (text, e4, exact) in [
            ("10/11", 19_090, false),
            ("4/6", 16_666, false),
            ("100/30", 43_333, false),
            ("13/8", 26_250, true),
            ("evens", 20_000, true),
            ("1/10000", 10_001, true),
            ("65535/1", 655_360_000, true),
            ("65535/65534", 20_000, false),
        ] {
            assert_eq!(fraction(text).price().e4(), e4, "{text}");
            assert_eq!(fraction(text).is_exact_decimal(), exact, "{text}");
        }
    }

    #[test]
    fn evens_has_three_names_in_any_case() {
        for name in ["evens", "Evens", "EVS", "even", "1/1"] {
            assert_eq!(fraction(name), Fraction::EVENS);
        }
    }

    #[test]
    fn what_is_not_a_fraction_is_refused_with_a_sentence() {
        let form = "not a fractional price: write it like 5/2, or evens, without spaces";
        let range = "a fractional price has parts from 1 to 65535 and is at least 1/10000";
        for (text, sentence) in [
            ("", form),
            ("5", form),
            ("5/", form),
            ("/2", form),
            ("5 / 2", form),
            ("+5/2", form),
            ("-5/2", form),
            ("5/2/1", form),
            ("5.5/2", form),
            ("evenss", form),
            ("0/1", range),
            ("1/0", range),
            ("0/0", range),
            ("1/10001", range),
            ("65536/1", range),
        ] {
            assert_eq!(text.parse::<Fraction>().unwrap_err().to_string(), sentence, "{text}");
        }
    }

    #[test]
    fn a_board_shows_the_price_below_the_price_above_or_the_closer() {
        let board = FractionalLadder::TRADITIONAL;
        let shown = |price: Price, snap| board.snap(price, snap).map(|shown| shown.to_string());
        let written = |text: &str| Some(text.to_owned());
        // Between 6/4 (2.50) and 13/8 (2.625), whose middle is 2.5625.
        assert_eq!(shown(price!(2.60), Snap::Down), written("6/4"));
        assert_eq!(shown(price!(2.60), Snap::Up), written("13/8"));
        assert_eq!(shown(price!(2.5625), Snap::Nearest), written("6/4"));
        assert_eq!(shown(price!(2.5626), Snap::Nearest), written("13/8"));
        // The decimal of 10/11 is rounded down, so 10/11 itself is above it, and still the closest.
        assert_eq!(shown(price!(1.909), Snap::Down), written("5/6"));
        assert_eq!(shown(price!(1.909), Snap::Nearest), written("10/11"));
        assert_eq!(shown(price!(1.909), Snap::Up), written("10/11"));
        // On the board, every direction agrees.
        for snap in [Snap::Down, Snap::Up, Snap::Nearest] {
            assert_eq!(shown(price!(3.125), snap), written("85/40"));
        }
        // Beyond the board.
        assert_eq!(shown(Price::MIN, Snap::Down), None);
        assert_eq!(shown(Price::MIN, Snap::Up), written("1/100"));
        assert_eq!(shown(Price::MIN, Snap::Nearest), written("1/100"));
        assert_eq!(shown(Price::MAX, Snap::Down), written("1000/1"));
        assert_eq!(shown(Price::MAX, Snap::Up), None);
        assert_eq!(shown(Price::MAX, Snap::Nearest), written("1000/1"));
    }

    #[test]
    fn a_board_must_ascend() {
        const DOWNWARD: &[Fraction] = fractions![3 / 2, 6 / 4];
        const UPWARD: &[Fraction] = fractions![4 / 6, 6 / 4];
        assert!(FractionalLadder::new(DOWNWARD).is_none());
        assert!(FractionalLadder::new(&[]).is_none());
        assert_eq!(FractionalLadder::new(UPWARD).map(|board| board.prices().len()), Some(2));
    }
}
