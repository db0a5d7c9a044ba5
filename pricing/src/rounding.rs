//! Every rounding of the project: what is divided, which way, and who keeps the fraction.
//!
//! Amounts are seen from the customer's side: positive is paid to the customer. So rounding
//! [`Down`](RoundingMode::Down), toward minus infinity, always leaves the fraction with the house:
//! a return gets smaller, and what a customer owes (a negative amount) gets larger.

use std::{fmt, str::FromStr};

use ruint::Uint;

use crate::{Fraction, Money, Price, Probability, Stake};

/// Which way a fraction of a unit goes. An operator's policy; the default is `Down`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum RoundingMode {
    /// Toward minus infinity: the house keeps the fraction. 4.375 pays 4.37, and −4.375 is −4.38.
    #[default]
    Down,
    /// Toward plus infinity: the customer keeps the fraction. 4.371 pays 4.38.
    Up,
    /// To the nearest; exactly half goes to the customer. 4.375 pays 4.38, 4.374 pays 4.37.
    HalfUp,
    /// To the nearest; exactly half goes to the even neighbour, so neither side gains over many
    /// bets. 4.375 pays 4.38 and 4.365 pays 4.36.
    HalfEven,
}

impl RoundingMode {
    /// Every mode.
    pub const ALL: [RoundingMode; 4] =
        [RoundingMode::Down, RoundingMode::Up, RoundingMode::HalfUp, RoundingMode::HalfEven];
}

impl fmt::Display for RoundingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RoundingMode::Down => "down",
            RoundingMode::Up => "up",
            RoundingMode::HalfUp => "half-up",
            RoundingMode::HalfEven => "half-even",
        })
    }
}

impl FromStr for RoundingMode {
    type Err = ParseRoundingModeError;

    fn from_str(text: &str) -> Result<RoundingMode, ParseRoundingModeError> {
        match text {
            "down" => Ok(RoundingMode::Down),
            "up" => Ok(RoundingMode::Up),
            "half-up" => Ok(RoundingMode::HalfUp),
            "half-even" => Ok(RoundingMode::HalfEven),
            _ => Err(ParseRoundingModeError),
        }
    }
}

/// A text that names no rounding mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseRoundingModeError;

impl fmt::Display for ParseRoundingModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a rounding mode: it is one of down, up, half-up, half-even")
    }
}

impl std::error::Error for ParseRoundingModeError {}

/// `num / den` as a whole number, rounded by `mode`, for either sign of `num`.
///
/// `Down` is toward minus infinity and `Up` toward plus infinity (not toward and away from zero),
/// so adding a whole number before or after makes no difference. In `HalfUp` exactly half goes
/// toward plus infinity.
///
/// # Panics
///
/// If `den` is not positive: a denominator is ours, never a customer's.
///
/// ```
/// use betring_pricing::{RoundingMode::*, div_round};
///
/// assert_eq!([Down, Up, HalfUp, HalfEven].map(|mode| div_round(5, 2, mode)), [2, 3, 3, 2]);
/// assert_eq!([Down, Up, HalfUp, HalfEven].map(|mode| div_round(-5, 2, mode)), [-3, -2, -2, -2]);
/// ```
pub const fn div_round(num: i128, den: i128, mode: RoundingMode) -> i128 {
    assert!(0 < den, "a denominator is positive");
    let (floor, rest) = floor_and_rest(num, den);
    let up = match mode {
        RoundingMode::Down => false,
        RoundingMode::Up => 0 < rest,
        // `rest >= den / 2` without the division and without doubling, which could overflow.
        RoundingMode::HalfUp => den - rest <= rest,
        RoundingMode::HalfEven => den - rest < rest || (den - rest == rest && floor % 2 != 0),
    };
    if up { floor + 1 } else { floor }
}

/// Ten-thousandths in a whole.
const E4: i128 = 10_000;

/// The shortest odds to which a reduction may bring a bet, in ten-thousandths.
const SHORTEST_E4: i128 = 10_100;

/// An exchange's commission on an account's net winnings of a market, in minor units, rounded to the nearest and
/// halves up: `rate` and `discount` in ten-thousandths. None on a loss. (Rule: Betfair's charges.)
///
/// ```
/// // 400.00 at 5 %, less a discount of 40 %.
/// assert_eq!(betring_pricing::commission(400_00, 500, 4_000), 12_00);
/// ```
///
/// # Panics
/// If the rate or the discount is more than the whole.
pub fn commission(net: i64, rate: u32, discount: u32) -> i64 {
    let whole = 10_000;
    assert!(rate <= whole && discount <= whole, "rates are ten-thousandths");
    let parts = i128::from(net.max(0)) * i128::from(rate) * i128::from(whole - discount);
    let commission = div_round(parts, E4 * E4, RoundingMode::HalfUp);
    i64::try_from(commission).expect("not more than the winnings")
}

/// What a bet matched on an exchange returns if it wins after a runner was withdrawn, whose reduction factor is in
/// ten-thousandths: its odds are cut by that, to 1.01 at least; shorter ones stay. The stake in minor units, what is
/// returned (stake × odds) in ten-thousandths of one; `mode` says who keeps a part of that. (Rule: Betfair's rules of
/// racing, 13.7.)
///
/// ```
/// use betring_pricing::{RoundingMode, reduced};
///
/// // 10.00 at 8.60, less 16.2 %: at 7.2068.
/// assert_eq!(reduced(1_000, 1_000 * 86_000, 1_620, RoundingMode::Down), 1_000 * 72_068);
/// ```
///
/// # Panics
/// If the factor is more than the whole.
pub fn reduced(stake: i64, returns_e4: i128, factor: u32, mode: RoundingMode) -> i128 {
    assert!(factor <= 10_000, "a factor is a part of the whole");
    let cut = div_round(returns_e4 * (E4 - i128::from(factor)), E4, mode);
    // What an operator's own ladder has below that stays what it was.
    cut.max((i128::from(stake) * SHORTEST_E4).min(returns_e4))
}

/// The quotient toward minus infinity and what is left, `0 <= rest < den`.
///
/// Nearly every bet fits 64 bits, where the division is several times faster.
const fn floor_and_rest(num: i128, den: i128) -> (i128, i128) {
    if 0 <= num && num <= u64::MAX as i128 && den <= u64::MAX as i128 {
        let (num, den) = (num as u64, den as u64);
        ((num / den) as i128, (num % den) as i128)
    } else {
        (num.div_euclid(den), num.rem_euclid(den))
    }
}

/// `num / den` as an amount, rounded by `mode`; `None` beyond [`Money::MAX`]. The one rounding of a
/// ticket, whose exact returns are wider than 128 bits. `den` is a product of denominators and
/// numbers of lines, so it is never zero.
pub(crate) fn money_of_ratio<const BITS: usize, const LIMBS: usize>(
    num: Uint<BITS, LIMBS>,
    den: Uint<BITS, LIMBS>,
    mode: RoundingMode,
) -> Option<Money> {
    let (floor, rest) = num.div_rem(den);
    // The rest is below the denominator, so comparing the two distances cannot overflow.
    let up = match mode {
        RoundingMode::Down => false,
        RoundingMode::Up => !rest.is_zero(),
        RoundingMode::HalfUp => den - rest <= rest,
        RoundingMode::HalfEven => den - rest < rest || (den - rest == rest && floor.bit(0)),
    };
    let floor: u64 = u64::try_from(floor).ok()?;
    Money::from_wide(i128::from(floor) + i128::from(up))
}

/// What a winner is paid, stake included.
///
/// Computed from the exact fraction where the price was quoted as one, else from the decimal price,
/// as an exact rational that is rounded once. `Down` (the usual rule): the house keeps the fraction
/// of a minor unit. `Up`: the customer does. Never less than the stake, in any mode.
///
/// ```
/// use betring_pricing::{RoundingMode, Stake, Quoted, money, returns};
///
/// let stake = Stake::from_money(money!(11.00)).unwrap();
/// let quoted: Quoted = "10/11".parse().unwrap();
/// let (price, fraction) = (quoted.price(), quoted.fraction());
/// assert_eq!(returns(stake, price, fraction, RoundingMode::Down), money!(21.00));
/// // The decimal price 1.909 alone would pay less.
/// assert_eq!(returns(stake, price, None, RoundingMode::Down), money!(20.99));
/// ```
pub const fn returns(
    stake: Stake,
    price: Price,
    fraction: Option<Fraction>,
    mode: RoundingMode,
) -> Money {
    let stake_minor = stake.minor() as i128;
    let returns = match fraction {
        Some(fraction) => {
            let (num, den) = (fraction.num() as i128, fraction.den() as i128);
            div_round(stake_minor * (num + den), den, mode)
        }
        None => div_round(stake_minor * price.e4() as i128, 10_000, mode),
    };
    assert!(stake_minor <= returns, "a winner never gets back less than the stake");
    Money::from_wide(returns).expect("bounded by Stake::MAX and Price::MAX, see below")
}

// The widest products are known before the program runs: every return is within the range of Money.
const _: () = {
    let by_price = Stake::MAX.minor() as i128 * Price::MAX.e4() as i128;
    assert!(by_price / 10_000 <= Money::MAX.minor() as i128);
    let by_fraction = Stake::MAX.minor() as i128 * (u16::MAX as i128 + u16::MAX as i128);
    assert!(by_price <= i128::MAX / 2 && by_fraction <= i128::MAX / 2);
    let greatest_fraction = Stake::MAX.minor() as i128 * (u16::MAX as i128 + 1);
    assert!(greatest_fraction <= Money::MAX.minor() as i128);
};

/// What a winner gains: the return less the stake.
///
/// Defined as that difference, so that profit and return of one bet always agree to the minor unit;
/// who keeps the fraction is what [`returns`] says.
pub const fn profit(
    stake: Stake,
    price: Price,
    fraction: Option<Fraction>,
    mode: RoundingMode,
) -> Money {
    returns(stake, price, fraction, mode)
        .checked_sub(stake.money())
        .expect("a return is at least the stake")
}

/// What must be reserved against a bet: stake × (price − 1), any fraction rounded up.
///
/// The fraction goes to the reserve, so that what is reserved always covers what will be paid.
pub const fn liability_up(stake: Stake, price: Price, fraction: Option<Fraction>) -> Money {
    profit(stake, price, fraction, RoundingMode::Up)
}

/// Whether rounding a bet's profit to whole minor units leaves it near enough to the exact profit.
///
/// The exchange's rule (INVALID_PROFIT_RATIO): profit is rounded to the nearest minor unit, and a
/// bet is refused if that is 20 % less, or 25 % more, than the exact profit, the bounds themselves
/// included. Nobody keeps a fraction here: it decides whether such a bet may exist.
pub const fn profit_ratio_ok(stake: Stake, price: Price) -> bool {
    let exact_e4 = stake.minor() as i128 * (price.e4() as i128 - 10_000);
    let rounded_e4 = div_round(exact_e4, 10_000, RoundingMode::HalfUp) * 10_000;
    exact_e4 * 80 < rounded_e4 * 100 && rounded_e4 * 100 < exact_e4 * 125
}

/// The decimal price of a fraction, rounded down to 1/10,000: what is shown never promises more
/// than what is paid, which is computed from the fraction itself.
pub(crate) const fn price_of_fraction(fraction: Fraction) -> Price {
    let (num, den) = (fraction.num() as i128, fraction.den() as i128);
    let e4 = div_round((num + den) * 10_000, den, RoundingMode::Down);
    Price::from_e4(e4 as u32).expect("a Fraction is not below 1/10,000 and not above 65,535/1")
}

/// The American odds of a price, rounded toward the shorter price: they never promise more than the
/// price does, so the house keeps the fraction. 2.3456 is +134, 1.87 is −115 (exactly −114.94).
pub(crate) const fn american_of_price(price: Price) -> i32 {
    let profit_e4 = price.e4() as i128 - 10_000;
    if 10_000 <= profit_e4 {
        div_round(profit_e4, 100, RoundingMode::Down) as i32
    } else {
        -(div_round(1_000_000, profit_e4, RoundingMode::Up) as i32)
    }
}

/// The Malay odds of a price in ten-thousandths, exact up to evens and beyond it rounded toward the
/// shorter price: what is to be staked to win one is rounded up, so the house keeps the fraction.
pub(crate) const fn malay_of_price(price: Price) -> i32 {
    let profit_e4 = price.e4() as i128 - 10_000;
    if profit_e4 <= 10_000 {
        profit_e4 as i32
    } else {
        -(div_round(100_000_000, profit_e4, RoundingMode::Up) as i32)
    }
}

/// The Indonesian odds of a price in ten-thousandths, exact from evens up and below it rounded
/// toward the shorter price, like Malay odds beyond evens.
pub(crate) const fn indonesian_of_price(price: Price) -> i32 {
    let profit_e4 = price.e4() as i128 - 10_000;
    if 10_000 <= profit_e4 {
        profit_e4 as i32
    } else {
        -(div_round(100_000_000, profit_e4, RoundingMode::Up) as i32)
    }
}

/// 1/price in parts per billion, to the nearest, exactly half up: a probability belongs to nobody,
/// so the smallest error is the fairest.
pub(crate) const fn probability_of_price(price: Price) -> Probability {
    let ppb = div_round(10_000_000_000_000, price.e4() as i128, RoundingMode::HalfUp);
    Probability::from_ppb(ppb as u32).expect("a price is above 1, so its inverse is below 1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{money, price};

    fn stake(minor: i64) -> Stake {
        Stake::from_minor(minor).expect("a stake of the test")
    }

    fn rounded(num: i128, den: i128) -> [i128; 4] {
        RoundingMode::ALL.map(|mode| div_round(num, den, mode))
    }

    #[test]
    fn commission_is_on_what_was_won_in_the_market() {
        assert_eq!(commission(40_000, 500, 4_000), 1_200);
        assert_eq!(commission(-1, 500, 0), 0);
        // 10 units are half a unit at 5 %.
        assert_eq!((commission(9, 500, 0), commission(10, 500, 0)), (0, 1));
    }

    #[test]
    fn each_mode_keeps_its_word_for_either_sign() {
        //                               down  up  half-up half-even
        assert_eq!(rounded(4375, 10), [437, 438, 438, 438]);
        assert_eq!(rounded(4365, 10), [436, 437, 437, 436]);
        assert_eq!(rounded(4374, 10), [437, 438, 437, 437]);
        assert_eq!(rounded(4376, 10), [437, 438, 438, 438]);
        assert_eq!(rounded(-4375, 10), [-438, -437, -437, -438]);
        assert_eq!(rounded(-4365, 10), [-437, -436, -436, -436]);
        assert_eq!(rounded(-4374, 10), [-438, -437, -437, -437]);
        assert_eq!(rounded(-4376, 10), [-438, -437, -438, -438]);
        assert_eq!(rounded(40, 10), [4, 4, 4, 4]);
        assert_eq!(rounded(-40, 10), [-4, -4, -4, -4]);
        assert_eq!(rounded(0, 7), [0, 0, 0, 0]);
        // An odd denominator has no exact half.
        assert_eq!(rounded(1, 3), [0, 1, 0, 0]);
        assert_eq!(rounded(-1, 3), [-1, 0, 0, 0]);
    }

    #[test]
    fn the_widest_numbers_do_not_overflow() {
        assert_eq!(rounded(i128::MIN, 1), [i128::MIN; 4]);
        assert_eq!(rounded(i128::MAX, 1), [i128::MAX; 4]);
        assert_eq!(rounded(i128::MAX - 1, i128::MAX), [0, 1, 1, 1]);
        assert_eq!(rounded(i128::MIN, i128::MAX), [-2, -1, -1, -1]);
        // On both sides of where the division changes its width.
        for num in [u64::MAX as i128 - 1, u64::MAX as i128, u64::MAX as i128 + 1] {
            assert_eq!(rounded(num * 10 + 5, 10), [num, num + 1, num + 1, num + num % 2]);
        }
    }

    #[test]
    #[should_panic(expected = "a denominator is positive")]
    fn a_denominator_of_zero_is_our_mistake() {
        div_round(1, 0, RoundingMode::Down);
    }

    #[test]
    fn a_winner_is_paid_stake_times_price_and_the_policy_says_who_keeps_the_penny() {
        // 1.25 at 3.50 is exactly 4.375.
        let paid = |mode| returns(stake(125), price!(3.50), None, mode);
        assert_eq!(paid(RoundingMode::Down), money!(4.37));
        assert_eq!(paid(RoundingMode::Up), money!(4.38));
        assert_eq!(paid(RoundingMode::HalfUp), money!(4.38));
        assert_eq!(paid(RoundingMode::HalfEven), money!(4.38));
        let gained = |mode| profit(stake(125), price!(3.50), None, mode);
        assert_eq!(gained(RoundingMode::Down), money!(3.12));
        assert_eq!(gained(RoundingMode::Up), money!(3.13));
        assert_eq!(gained(RoundingMode::HalfUp), money!(3.13));
        // 3.125 alone would go to the even 3.12; the return of 4.38 decides.
        assert_eq!(gained(RoundingMode::HalfEven), money!(3.13));
    }

    #[test]
    fn a_fractional_bet_is_settled_from_the_fraction_and_not_from_its_decimal() {
        let ten_to_eleven = Fraction::new(10, 11);
        let price = ten_to_eleven.unwrap().price();
        assert_eq!(returns(stake(1_100), price, ten_to_eleven, RoundingMode::Down), money!(21.00));
        assert_eq!(returns(stake(1_100), price, None, RoundingMode::Down), money!(20.99));
        assert_eq!(liability_up(stake(1_100), price, ten_to_eleven), money!(10.00));
        assert_eq!(liability_up(stake(1_101), price, ten_to_eleven), money!(10.01));
    }

    #[test]
    fn the_least_and_the_greatest_bet_are_in_range() {
        assert_eq!(returns(Stake::MIN, Price::MIN, None, RoundingMode::Down), money!(0.01));
        assert_eq!(profit(Stake::MIN, Price::MIN, None, RoundingMode::Down), Money::ZERO);
        assert_eq!(liability_up(Stake::MIN, Price::MIN, None), money!(0.01));
        for mode in RoundingMode::ALL {
            assert_eq!(returns(Stake::MAX, Price::MAX, None, mode), Money::MAX);
        }
        let longest = Fraction::new(u16::MAX, 1);
        let paid = returns(Stake::MAX, price!(65536), longest, RoundingMode::Up);
        assert_eq!(paid, money!(655_360_000_000_000.00));
    }

    #[test]
    fn a_bet_whose_profit_rounding_distorts_is_refused() {
        for (minor, price, ok) in [
            (13, price!(1.06), false),
            (200, price!(1.06), true),
            (1, price!(1.7), false),
            (2, price!(1.65), false),
            // Rounded to nothing.
            (1, price!(1.01), false),
            // Exactly 20 % less: 1.25 becomes 1. Just inside: 1.24 becomes 1.
            (5, price!(1.25), false),
            (4, price!(1.31), true),
            // Exactly 25 % more: 0.80 becomes 1. Just inside: 0.81 becomes 1.
            (8, price!(1.10), false),
            (9, price!(1.09), true),
            (1, price!(2.00), true),
        ] {
            assert_eq!(profit_ratio_ok(stake(minor), price), ok, "{minor} at {price}");
        }
        assert!(profit_ratio_ok(Stake::MAX, Price::MAX));
    }

    #[test]
    fn a_mode_is_read_back_by_its_name() {
        for mode in RoundingMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!(
            "banker".parse::<RoundingMode>().unwrap_err().to_string(),
            "not a rounding mode: it is one of down, up, half-up, half-even"
        );
        assert_eq!(RoundingMode::default(), RoundingMode::Down, "the house keeps the fraction");
    }
}
