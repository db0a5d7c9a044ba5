//! What a bet that still runs is worth, and how to lay it off: exact, in integers.
//!
//! Of a bet bought back at the prices of now, an open leg counts as the odds taken over the odds now
//! ([`Factor::taken_over_now`]), and of one bought back by probabilities as the odds taken times the
//! probability ([`Factor::taken_by_chance`]). A leg that is decided counts as what it pays
//! ([`Factor::of`]). The rest is what any ticket is settled by, so multiples, systems and each-way
//! bets are worth what their lines are.
//!
//! All legs must be of one moment, and none of them suspended: whoever holds the prices knows.

use std::fmt;

use crate::{
    Factor, Money, Price, Rounding, RoundingMode, RoundingPoint, Shape, Stake, TicketError,
    div_round, liability_up, profit, ticket,
};

/// What a bet is bought back for: its fair value less a margin of it, rounded down once.
///
/// `win` and `place` are the factors of the legs, as for [`ticket::returns`]; `place` is not looked
/// at without each-way and may be empty then. The margin is in parts per million of the value.
///
/// # Errors
///
/// [`CashOutError::MarginTooLarge`] above the whole; else those of [`ticket::returns`].
///
/// # Panics
///
/// If there are fewer factors than legs.
///
/// ```
/// use betring_pricing::{Factor, LegNumbers, Part, Probability, Shape, Stake, cashout, money};
///
/// // A treble at 2.00, 1.80 and 2.50; two have won, and the third now has 62 %.
/// let won = |odds: &str| Factor::of(odds.parse().unwrap(), Part::Win, LegNumbers::WON);
/// let chance = Probability::from_ppb(620_000_000).unwrap();
/// let open = Factor::taken_by_chance("2.50".parse().unwrap(), chance, Part::Win);
/// let stake = Stake::from_money(money!(10.00)).unwrap();
/// let legs = [won("2.00"), won("1.80"), open];
/// let value = cashout::value(Shape::named("treble").unwrap(), stake, &legs, &[], 40_000);
/// // 10 · 2.00 · 1.80 · 2.50 · 0.62, less 4 %, is 53.568.
/// assert_eq!(value, Ok(money!(53.56)));
/// ```
pub fn value(
    shape: Shape,
    stake: Stake,
    win: &[Factor],
    place: &[Factor],
    margin_ppm: u32,
) -> Result<Money, CashOutError> {
    let keep_ppm = 1_000_000_u32.checked_sub(margin_ppm).ok_or(CashOutError::MarginTooLarge)?;
    let down = Rounding { mode: RoundingMode::Down, point: RoundingPoint::Bet };
    ticket::returns(shape, stake, win, place, keep_ppm, down).map_err(CashOutError::Ticket)
}

/// Why a bet has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CashOutError {
    /// A margin of more than 1,000,000 parts per million.
    MarginTooLarge,
    /// The ticket has no amount.
    Ticket(TicketError),
}

impl fmt::Display for CashOutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CashOutError::MarginTooLarge => {
                f.write_str("a margin is at most the whole, 1000000 parts per million")
            }
            CashOutError::Ticket(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for CashOutError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CashOutError::MarginTooLarge => None,
            CashOutError::Ticket(error) => Some(error),
        }
    }
}

/// A backed bet that was laid off, so that it comes to about the same whatever happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GreenUp {
    /// What to lay.
    pub lay: Stake,
    /// What the lay risks, rounded up.
    pub liability: Money,
    /// What both bets come to if the selection wins: at least this.
    pub if_wins: Money,
    /// What they come to if it loses.
    pub if_loses: Money,
}

/// Lays off a bet: the stake times the odds taken over the odds to lay at, rounded to the nearest
/// minor unit, halves up. Before commission.
///
/// `None` if that is less than a minor unit, or more than [`Stake::MAX`].
///
/// ```
/// use betring_pricing::{Stake, cashout, money, price};
///
/// let back = Stake::from_money(money!(50.00)).unwrap();
/// let green = cashout::green_up(back, price!(1.80), price!(1.50)).unwrap();
/// assert_eq!(green.lay.money(), money!(60.00));
/// assert_eq!((green.if_wins, green.if_loses), (money!(10.00), money!(10.00)));
/// ```
pub fn green_up(back: Stake, taken: Price, lay_at: Price) -> Option<GreenUp> {
    let returns = i128::from(back.minor()) * i128::from(taken.e4());
    let lay = div_round(returns, lay_at.e4().into(), RoundingMode::HalfUp);
    let lay = Stake::from_minor(i64::try_from(lay).ok()?)?;
    let liability = liability_up(lay, lay_at, None);
    let won = profit(back, taken, None, RoundingMode::Down);
    Some(GreenUp {
        lay,
        liability,
        if_wins: won.checked_sub(liability)?,
        if_loses: lay.money().checked_sub(back.money())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EachWay, LegNumbers, Part, PlaceFraction, Probability, Quoted, money, price};

    fn stake(minor: i64) -> Stake {
        Stake::from_minor(minor).expect("a stake of the test")
    }

    fn chance(ppb: u32) -> Probability {
        Probability::from_ppb(ppb).expect("a probability of the test")
    }

    #[test]
    fn a_bet_at_its_own_odds_is_worth_its_stake_less_the_margin() {
        let evens = Quoted::from(price!(2.00));
        let now = Factor::taken_over_now(evens, evens, Part::Win);
        let half = Factor::taken_by_chance(evens, chance(500_000_000), Part::Win);
        assert_eq!(now, half);
        let value = |margin| value(Shape::single(), stake(10_001), &[half], &[], margin);
        assert_eq!(value(0), Ok(money!(100.01)));
        // 95.0095: the house keeps the fraction.
        assert_eq!(value(50_000), Ok(money!(95.00)));
        assert_eq!(value(1_000_000), Ok(money!(0.00)));
        assert_eq!(value(1_000_001), Err(CashOutError::MarginTooLarge));
    }

    #[test]
    fn a_probability_counts_exactly_for_fractional_odds() {
        // 21/11 · 0.333333333 of 11.00 is 6.999999993.
        let taken: Quoted = "10/11".parse().expect("odds");
        let third = Factor::taken_by_chance(taken, chance(333_333_333), Part::Win);
        assert_eq!(value(Shape::single(), stake(1_100), &[third], &[], 0), Ok(money!(6.99)));
        let certain = Factor::taken_by_chance(taken, Probability::ONE, Part::Win);
        assert_eq!(value(Shape::single(), stake(1_100), &[certain], &[], 0), Ok(money!(21.00)));
        let lost = Factor::taken_by_chance(taken, Probability::ZERO, Part::Win);
        assert_eq!(value(Shape::single(), stake(1_100), &[lost], &[], 0), Ok(money!(0.00)));
    }

    #[test]
    fn an_each_way_bet_is_worth_its_win_part_and_its_place_part() {
        // 2 · 5.00 at 9.00, a quarter of the odds for a place: 3.00. Now 20 % to win, 50 % to place.
        let taken = Quoted::from(price!(9.00));
        let place = Part::Place(PlaceFraction::QUARTER);
        let win = Factor::taken_by_chance(taken, chance(200_000_000), Part::Win);
        let placed = Factor::taken_by_chance(taken, chance(500_000_000), place);
        let shape = Shape::single().with_each_way(EachWay::WinToWin);
        // 5 · 9 · 0.2 and 5 · 3 · 0.5.
        assert_eq!(value(shape, stake(1_000), &[win], &[placed], 0), Ok(money!(16.50)));
    }

    #[test]
    fn a_system_is_worth_what_its_lines_are() {
        let won = Factor::of(Quoted::from(price!(2.00)), Part::Win, LegNumbers::WON);
        let open =
            |ppb| Factor::taken_by_chance(Quoted::from(price!(3.00)), chance(ppb), Part::Win);
        let trixie = Shape::named("trixie").expect("a name");
        // Lines of 1.00: 2·1.5, 2·0.9, 1.5·0.9 and all three.
        let legs = [won, open(500_000_000), open(300_000_000)];
        assert_eq!(value(trixie, stake(400), &legs, &[], 0), Ok(money!(8.85)));
    }

    #[test]
    fn laying_off_never_promises_more_than_the_two_bets_pay() {
        for (back, taken, lay_at) in [
            (5_000, price!(1.80), price!(1.50)),
            (999, price!(3.35), price!(2.98)),
            (1, price!(1000), price!(1.01)),
            (1_000, price!(2.00), price!(4.00)),
        ] {
            let green = green_up(stake(back), taken, lay_at).expect("a lay");
            let apart = green.if_wins.minor() - green.if_loses.minor();
            // A lay that is off by half a unit shifts the win by half the odds; two roundings follow.
            let allowed = i64::from(lay_at.e4()) / 20_000 + 2;
            assert!(apart.abs() <= allowed, "{green:?}");
            let paid = profit(stake(back), taken, None, RoundingMode::Down);
            assert_eq!(paid.checked_sub(green.liability), Some(green.if_wins));
        }
        assert_eq!(green_up(stake(1), price!(1.01), price!(1000)), None);
        assert_eq!(green_up(Stake::MAX, price!(3.00), price!(2.00)), None);
    }
}
