//! What became of one leg of a bet, as three numbers, and the factor it multiplies a line by.
//!
//! Every result there is (won, void, half lost, dead heat, placed, a withdrawn runner) is one
//! formula: of each unit of stake the share `v` is refunded, and of the rest the share `w` wins at
//! odds `O` whose winnings are reduced by Rule 4 by `r`, so a leg returns
//! `f = v + (1 - v)·w·(1 + (O - 1)(1 - r))`, and a line its stake times the product of its legs'
//! factors. They are the numbers of a Sportradar settlement: `v` is its `void_factor`, `w` its
//! `result` times its `dead_heat_factor`.

use std::fmt;

use crate::{Probability, Quoted, decimal::debug_as_displayed};

/// A part of a whole between nothing and all of it: 1/2 of a stake, 2 of 3 places.
///
/// Equality is by how it is written: 2/4 is not 1/2, though a leg pays the same by either.
///
/// ```
/// use betring_pricing::Share;
///
/// assert_eq!(Share::new(1, 2), Some(Share::HALF));
/// assert_eq!(Share::HALF.to_string(), "1/2");
/// assert_eq!(Share::new(3, 2), None);
/// assert!(Share::new(2, 2).unwrap().is_all());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Share {
    num: u16,
    den: u16,
}

impl Share {
    /// Nothing of it, 0/1.
    pub const NONE: Share = Share { num: 0, den: 1 };

    /// All of it, 1/1.
    pub const ALL: Share = Share { num: 1, den: 1 };

    /// One half, 1/2.
    pub const HALF: Share = Share { num: 1, den: 2 };

    /// `num` parts of `den`; `None` if `den` is zero or `num` is more than all of them.
    pub const fn new(num: u16, den: u16) -> Option<Share> {
        if den != 0 && num <= den { Some(Share { num, den }) } else { None }
    }

    /// How many parts, from 0 to [`den`](Share::den).
    pub const fn num(self) -> u16 {
        self.num
    }

    /// Of how many, at least 1.
    pub const fn den(self) -> u16 {
        self.den
    }

    /// Whether it is nothing, however it is written: 0/1 and 0/7.
    pub const fn is_none(self) -> bool {
        self.num == 0
    }

    /// Whether it is everything, however it is written: 1/1 and 7/7.
    pub const fn is_all(self) -> bool {
        self.num == self.den
    }

    /// Whether it is one half, however it is written.
    const fn is_half(self) -> bool {
        self.num as u32 * 2 == self.den as u32
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::decimal::pad(f, format_args!("{}/{}", self.num, self.den))
    }
}

debug_as_displayed!(Share);

/// A Rule 4 deduction: pence per pound of winnings, from 0 to 90.
///
/// It is a rate, so it is the same in every currency: 25 is 25 % of what would be won, and the
/// stake stays whole. 90 is the most that Tattersalls' Rule 4(c) takes for all withdrawals of a
/// race together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Pence(u8);

impl Pence {
    /// No deduction.
    pub const ZERO: Pence = Pence(0);

    /// The greatest deduction, 90p in the pound.
    pub const MAX: Pence = Pence(90);

    /// A deduction of that many pence; `None` above 90.
    pub const fn new(pence: u8) -> Option<Pence> {
        if pence <= Pence::MAX.0 { Some(Pence(pence)) } else { None }
    }

    /// How many pence of each pound of winnings.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Pence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::decimal::pad(f, format_args!("{}p", self.0))
    }
}

debug_as_displayed!(Pence);

/// What became of one leg, as the numbers that decide its money.
///
/// Any combination can be settled; [`LegNumbers::outcome`] names the ones that have a name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LegNumbers {
    /// The refunded share of the stake: all of it when the leg is void, half when it is half won or
    /// half lost.
    pub void: Share,
    /// The share of the rest that wins: all of it for a winner, places/tied in a dead heat.
    pub win: Share,
    /// The same for the place part of an each-way bet.
    pub place: Share,
    /// What Rule 4 takes of the winnings, of the win and of the place part.
    pub rule4: Pence,
}

impl LegNumbers {
    /// Won, and placed with it.
    pub const WON: LegNumbers = LegNumbers::plain(Share::NONE, Share::ALL, Share::ALL);

    /// Lost, and not placed either.
    pub const LOST: LegNumbers = LegNumbers::plain(Share::NONE, Share::NONE, Share::NONE);

    /// Void (a push, a non-runner): the stake comes back, as at odds of 1.
    pub const VOID: LegNumbers = LegNumbers::plain(Share::ALL, Share::NONE, Share::NONE);

    /// Half of the stake won and the other half refunded, as on a quarter line.
    pub const HALF_WON: LegNumbers = LegNumbers::plain(Share::HALF, Share::ALL, Share::ALL);

    /// Half of the stake lost and the other half refunded.
    pub const HALF_LOST: LegNumbers = LegNumbers::plain(Share::HALF, Share::NONE, Share::NONE);

    /// Placed but not the winner: only the place part of an each-way bet wins.
    pub const PLACED: LegNumbers = LegNumbers::plain(Share::NONE, Share::NONE, Share::ALL);

    const fn plain(void: Share, win: Share, place: Share) -> LegNumbers {
        LegNumbers { void, win, place, rule4: Pence::ZERO }
    }

    /// A winner that shares `places` winning places with all `tied` runners, itself included: the
    /// share places/tied of the stake wins at full odds and the rest loses (Betfair, BETDAQ). All
    /// of it wins if there are places enough. `None` if either is zero.
    ///
    /// The place part stays whole: a tie for first touches it only if it reaches beyond the last
    /// place; set [`place`](LegNumbers::place) then.
    pub const fn dead_heat(places: u16, tied: u16) -> Option<LegNumbers> {
        match tie(places, tied) {
            Some(win) => Some(LegNumbers::plain(Share::NONE, win, Share::ALL)),
            None => None,
        }
    }

    /// A runner that did not win and shares the last `places` places with all `tied` runners,
    /// itself included. `None` if either is zero.
    pub const fn placed_dead_heat(places: u16, tied: u16) -> Option<LegNumbers> {
        match tie(places, tied) {
            Some(place) => Some(LegNumbers::plain(Share::NONE, Share::NONE, place)),
            None => None,
        }
    }

    /// The same with that Rule 4 deduction in place of the one it had.
    pub const fn with_rule4(self, rule4: Pence) -> LegNumbers {
        LegNumbers { rule4, ..self }
    }

    /// What people call these numbers.
    pub const fn outcome(self) -> LegOutcome {
        let LegNumbers { void, win, place, rule4: _ } = self;
        if void.is_all() {
            LegOutcome::Void
        } else if void.is_none() {
            if win.is_all() {
                LegOutcome::Won
            } else if !win.is_none() {
                LegOutcome::DeadHeat
            } else if place.is_all() {
                LegOutcome::Placed
            } else if !place.is_none() {
                LegOutcome::DeadHeat
            } else {
                LegOutcome::Lost
            }
        } else if void.is_half() && win.is_all() {
            LegOutcome::HalfWon
        } else if void.is_half() && win.is_none() && place.is_none() {
            LegOutcome::HalfLost
        } else {
            LegOutcome::Partial
        }
    }
}

/// The share of a tie that is paid: `places` of `tied`, at most all of it.
const fn tie(places: u16, tied: u16) -> Option<Share> {
    if places == 0 || tied == 0 {
        None
    } else if tied <= places {
        Some(Share::ALL)
    } else {
        Share::new(places, tied)
    }
}

/// The name of a leg's result, derived from its numbers; it decides nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LegOutcome {
    /// All of the stake won.
    Won,
    /// All of it lost, and no place either.
    Lost,
    /// All of it refunded.
    Void,
    /// Half won, half refunded.
    HalfWon,
    /// Half lost, half refunded.
    HalfLost,
    /// Not the winner, but placed.
    Placed,
    /// A part won and the rest lost, of the win or of the place.
    DeadHeat,
    /// Anything else that is partly refunded.
    Partial,
}

impl LegOutcome {
    /// The numbers of an outcome that has no others: of a dead heat, or of what is partly refunded in another way,
    /// there are many.
    ///
    /// ```
    /// use betring_pricing::{LegNumbers, LegOutcome};
    ///
    /// assert_eq!(LegOutcome::HalfWon.numbers(), Some(LegNumbers::HALF_WON));
    /// assert_eq!(LegOutcome::DeadHeat.numbers(), None);
    /// ```
    pub const fn numbers(self) -> Option<LegNumbers> {
        Some(match self {
            LegOutcome::Won => LegNumbers::WON,
            LegOutcome::Lost => LegNumbers::LOST,
            LegOutcome::Void => LegNumbers::VOID,
            LegOutcome::HalfWon => LegNumbers::HALF_WON,
            LegOutcome::HalfLost => LegNumbers::HALF_LOST,
            LegOutcome::Placed => LegNumbers::PLACED,
            LegOutcome::DeadHeat | LegOutcome::Partial => return None,
        })
    }
}

impl fmt::Display for LegOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            LegOutcome::Won => "won",
            LegOutcome::Lost => "lost",
            LegOutcome::Void => "void",
            LegOutcome::HalfWon => "half won",
            LegOutcome::HalfLost => "half lost",
            LegOutcome::Placed => "placed",
            LegOutcome::DeadHeat => "dead heat",
            LegOutcome::Partial => "partly void",
        })
    }
}

/// The result of an Asian handicap.
///
/// `line_quarters` is the handicap of the side that was backed in quarter goals (-0.25 is -1, +1.5
/// is 6), `margin` the goals it scored less those it let in. A quarter line is two bets of half the
/// stake on the neighbouring lines, so one quarter to the good is half won.
///
/// ```
/// use betring_pricing::{LegNumbers, asian_handicap};
///
/// // -0.25 and a draw: half on 0 is refunded, half on -0.5 is lost.
/// assert_eq!(asian_handicap(-1, 0), LegNumbers::HALF_LOST);
/// assert_eq!(asian_handicap(8, -2), LegNumbers::VOID);
/// ```
pub const fn asian_handicap(line_quarters: i32, margin: i32) -> LegNumbers {
    by_quarters(line_quarters as i64 + 4 * margin as i64)
}

/// A side of a total.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// More than the line.
    Over,
    /// Fewer than the line.
    Under,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Side::Over => "over",
            Side::Under => "under",
        })
    }
}

/// The result of an Asian total: over 2.75 (11 quarter goals) is a handicap of -2.75 on the goals,
/// and under is one of +2.75 on minus the goals.
///
/// ```
/// use betring_pricing::{LegNumbers, Side, asian_total};
///
/// assert_eq!(asian_total(Side::Over, 11, 3), LegNumbers::HALF_WON);
/// assert_eq!(asian_total(Side::Under, 11, 3), LegNumbers::HALF_LOST);
/// ```
pub const fn asian_total(side: Side, line_quarters: i32, goals: u32) -> LegNumbers {
    let over = 4 * goals as i64 - line_quarters as i64;
    by_quarters(match side {
        Side::Over => over,
        Side::Under => -over,
    })
}

/// By how many quarter goals the side that was backed is ahead, its handicap included.
const fn by_quarters(ahead: i64) -> LegNumbers {
    match ahead {
        2.. => LegNumbers::WON,
        1 => LegNumbers::HALF_WON,
        0 => LegNumbers::VOID,
        -1 => LegNumbers::HALF_LOST,
        _ => LegNumbers::LOST,
    }
}

/// Which part of an each-way bet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// The win part, at the odds; also every bet that is not each-way.
    Win,
    /// The place part, at that fraction of the odds.
    Place(PlaceFraction),
}

/// The fraction of the odds that a place pays, such as 1/4 or 1/5: above zero and at most 1.
///
/// Equality is by how it is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlaceFraction {
    num: u8,
    den: u8,
}

impl PlaceFraction {
    /// 1/4 of the odds.
    pub const QUARTER: PlaceFraction = PlaceFraction { num: 1, den: 4 };

    /// 1/5 of the odds.
    pub const FIFTH: PlaceFraction = PlaceFraction { num: 1, den: 5 };

    /// `num`/`den` of the odds; `None` if either is zero or the fraction is above 1.
    pub const fn new(num: u8, den: u8) -> Option<PlaceFraction> {
        if num != 0 && num <= den { Some(PlaceFraction { num, den }) } else { None }
    }

    /// The upper number, at least 1.
    pub const fn num(self) -> u8 {
        self.num
    }

    /// The lower number, at least [`num`](PlaceFraction::num).
    pub const fn den(self) -> u8 {
        self.den
    }
}

impl fmt::Display for PlaceFraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::decimal::pad(f, format_args!("{}/{}", self.num, self.den))
    }
}

debug_as_displayed!(PlaceFraction);

/// What a line is multiplied by for one leg: an exact fraction, zero or more, in lowest terms.
///
/// Only a price and numbers make one, so it is bounded: below 100,001, its numerator below 2^78 and
/// its denominator below 2^64.
///
/// ```
/// use betring_pricing::{Factor, LegNumbers, Part, Pence, Quoted};
///
/// let eight_to_one: Quoted = "8/1".parse().unwrap();
/// assert_eq!(Factor::of(eight_to_one, Part::Win, LegNumbers::WON).to_string(), "9/1");
/// // 25p in the pound of the winnings: 1 + 8·0.75.
/// let reduced = LegNumbers::WON.with_rule4(Pence::new(25).unwrap());
/// assert_eq!(Factor::of(eight_to_one, Part::Win, reduced).to_string(), "7/1");
/// assert_eq!(Factor::of(eight_to_one, Part::Win, LegNumbers::VOID), Factor::ONE);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Factor {
    num: u128,
    den: u128,
}

/// Bits that hold the numerator of any factor; see the assertion below.
pub(crate) const FACTOR_NUM_BITS: usize = 78;

/// Bits that hold the denominator of any factor.
pub(crate) const FACTOR_DEN_BITS: usize = 64;

/// No factor is above this: the greatest price.
pub(crate) const FACTOR_MAX: u128 = 100_000;

impl Factor {
    /// A lost leg: nothing comes back from any line it is in.
    pub const ZERO: Factor = Factor { num: 0, den: 1 };

    /// A void leg: lines go on as if it were not there.
    pub const ONE: Factor = Factor { num: 1, den: 1 };

    /// The factor of a leg that was decided: `v + (1 - v)·w·(1 + (O - 1)(1 - r))`, `O` being the
    /// exact odds of that part and `w` its share.
    pub const fn of(price: Quoted, part: Part, numbers: LegNumbers) -> Factor {
        let (profit, base) = profit(price, part);
        let (void, rule4) = (numbers.void, numbers.rule4.get() as u128);
        let win = match part {
            Part::Win => numbers.win,
            Part::Place(_) => numbers.place,
        };
        let (profit, base) =
            if rule4 == 0 { (profit, base) } else { (profit * (100 - rule4), base * 100) };
        let whole = void.den as u128 * win.den as u128;
        let refunded = void.num as u128 * win.den as u128 * base;
        let winning = (void.den - void.num) as u128 * win.num as u128 * (base + profit);
        Factor::reduced(refunded + winning, whole * base)
    }

    /// What of one unit was staked on something that came back or won: `v + (1 - v)·w`. Of a free bet
    /// this is the part of what it returns that is not a gain.
    pub const fn of_stake(numbers: LegNumbers) -> Factor {
        let (void, win) = (numbers.void, numbers.win);
        let whole = void.den as u128 * win.den as u128;
        let refunded = void.num as u128 * win.den as u128;
        let winning = (void.den - void.num) as u128 * win.num as u128;
        Factor::reduced(refunded + winning, whole)
    }

    /// The factor of a leg that is still open, at its greatest: a full win at the odds of the part.
    pub const fn open(price: Quoted, part: Part) -> Factor {
        let (profit, base) = profit(price, part);
        Factor::reduced(base + profit, base)
    }

    /// What an undecided leg counts in a cash-out: the odds taken over the odds now, which is the
    /// fair value of one unit staked then. Above 1 if the price has shortened since. For a place
    /// part both are the odds of that part.
    pub const fn taken_over_now(taken: Quoted, now: Quoted, part: Part) -> Factor {
        let (taken_profit, taken_base) = profit(taken, part);
        let (now_profit, now_base) = profit(now, part);
        Factor::reduced(
            (taken_base + taken_profit) * now_base,
            taken_base * (now_base + now_profit),
        )
    }

    /// What an undecided leg counts by its probability: the odds taken times that. For a place part the
    /// odds are those of that part, and the probability is that of a place.
    pub const fn taken_by_chance(taken: Quoted, chance: Probability, part: Part) -> Factor {
        let (profit, base) = profit(taken, part);
        let whole = Probability::ONE.ppb() as u128;
        Factor::reduced((base + profit) * chance.ppb() as u128, base * whole)
    }

    /// Whether nothing comes back.
    pub const fn is_zero(self) -> bool {
        self.num == 0
    }

    /// The numerator of the factor in lowest terms.
    pub const fn num(self) -> u128 {
        self.num
    }

    /// The denominator of the factor in lowest terms, at least 1.
    pub const fn den(self) -> u128 {
        self.den
    }

    const fn reduced(num: u128, den: u128) -> Factor {
        let common = gcd(num, den);
        Factor { num: num / common, den: den / common }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::decimal::pad(f, format_args!("{}/{}", self.num, self.den))
    }
}

debug_as_displayed!(Factor);

/// What a part wins for each `.1` staked: the exact fraction where the price has one, else its
/// ten-thousandths, and of either the fraction that a place pays.
const fn profit(price: Quoted, part: Part) -> (u128, u128) {
    let (num, den) = match price.fraction() {
        Some(fraction) => (fraction.num() as u128, fraction.den() as u128),
        None => (price.price().e4() as u128 - 10_000, 10_000),
    };
    match part {
        Part::Win => (num, den),
        Part::Place(fraction) => (num * fraction.num as u128, den * fraction.den as u128),
    }
}

/// The greatest common divisor, at least 1 because a denominator is. Nearly every factor fits 64
/// bits, where a division is several times faster.
pub(crate) const fn gcd(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        if a <= u64::MAX as u128 && b <= u64::MAX as u128 {
            let (mut x, mut y) = (a as u64, b as u64);
            while y != 0 {
                (x, y) = (y, x % y);
            }
            return x as u128;
        }
        (a, b) = (b, a % b);
    }
    a
}

// The widest factors are known before the program runs.
const _: () = {
    let share = u16::MAX as u128;
    let profit = (crate::Price::MAX.e4() as u128 - 10_000) * u8::MAX as u128;
    let base = u16::MAX as u128 * u8::MAX as u128;
    let decided_den = share * share * base * 100;
    // `of` adds a refunded and a winning part, which together are at most one whole.
    let decided_num = share * share * (base + profit) * 100;
    let open = (base + profit) * base;
    assert!(decided_num < 1 << FACTOR_NUM_BITS && decided_den < 1 << FACTOR_DEN_BITS);
    // A price over another is bounded alike on both sides.
    assert!(open < 1 << FACTOR_DEN_BITS && FACTOR_DEN_BITS <= FACTOR_NUM_BITS);
    // A price times a probability.
    let whole = Probability::ONE.ppb() as u128;
    assert!((base + profit) * whole < 1 << FACTOR_NUM_BITS && base * whole < 1 << FACTOR_DEN_BITS);
    assert!(crate::Price::MAX.e4() as u128 == FACTOR_MAX * 10_000);
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price;

    fn quoted(text: &str) -> Quoted {
        text.parse().expect("odds of the test")
    }

    fn factor(text: &str, numbers: LegNumbers) -> String {
        Factor::of(quoted(text), Part::Win, numbers).to_string()
    }

    #[test]
    fn a_share_is_written_as_it_was_given_and_is_at_most_all() {
        assert_eq!(Share::new(0, 0), None);
        assert_eq!(Share::new(2, 1), None);
        assert_eq!(Share::new(2, 4).unwrap().to_string(), "2/4");
        assert_ne!(Share::new(2, 4), Some(Share::HALF));
        assert!(Share::new(0, 9).unwrap().is_none() && Share::new(9, 9).unwrap().is_all());
        assert_eq!(Share::new(u16::MAX, u16::MAX).map(Share::is_all), Some(true));
        assert_eq!(format!("{:?}", Share::HALF), "Share(1/2)");
    }

    #[test]
    fn a_deduction_is_at_most_ninety_pence_in_the_pound() {
        assert_eq!(Pence::new(90), Some(Pence::MAX));
        assert_eq!(Pence::new(91), None);
        assert_eq!(Pence::new(25).unwrap().to_string(), "25p");
    }

    #[test]
    fn every_result_has_its_factor() {
        assert_eq!(factor("5/2", LegNumbers::WON), "7/2");
        assert_eq!(factor("2.50", LegNumbers::WON), "5/2");
        assert_eq!(factor("5/2", LegNumbers::LOST), "0/1");
        assert_eq!(factor("5/2", LegNumbers::PLACED), "0/1");
        assert_eq!(factor("5/2", LegNumbers::VOID), "1/1");
        // Half back, half at 3.50: 0.5 + 0.5·3.5.
        assert_eq!(factor("5/2", LegNumbers::HALF_WON), "9/4");
        assert_eq!(factor("5/2", LegNumbers::HALF_LOST), "1/2");
        // Three tied for one place: a third of the stake at full odds.
        assert_eq!(factor("10/1", LegNumbers::dead_heat(1, 3).unwrap()), "11/3");
        // Halved first, then the deduction on the winnings: 0.5·(1 + 5·0.8).
        let both = LegNumbers::dead_heat(1, 2).unwrap().with_rule4(Pence::new(20).unwrap());
        assert_eq!(factor("5/1", both), "5/2");
    }

    #[test]
    fn a_place_pays_its_fraction_of_the_odds_and_rule_4_takes_of_it_too() {
        let fifth = Part::Place(PlaceFraction::FIFTH);
        let place = |numbers| Factor::of(quoted("20/1"), fifth, numbers).to_string();
        assert_eq!(place(LegNumbers::WON), "5/1");
        assert_eq!(place(LegNumbers::PLACED), "5/1");
        assert_eq!(place(LegNumbers::LOST), "0/1");
        assert_eq!(place(LegNumbers::VOID), "1/1");
        assert_eq!(place(LegNumbers::placed_dead_heat(1, 2).unwrap()), "5/2");
        assert_eq!(place(LegNumbers::PLACED.with_rule4(Pence::new(25).unwrap())), "4/1");
        assert_eq!(Factor::open(quoted("20/1"), fifth).to_string(), "5/1");
        assert_eq!(PlaceFraction::new(0, 5), None);
        assert_eq!(PlaceFraction::new(5, 4), None);
        assert_eq!(PlaceFraction::new(1, 1).map(|all| all.to_string()), Some("1/1".to_owned()));
    }

    #[test]
    fn a_factor_comes_from_the_exact_fraction_and_not_from_the_decimal_price() {
        assert_eq!(factor("10/11", LegNumbers::WON), "21/11");
        let decimal = Quoted::decimal(quoted("10/11").price());
        assert_eq!(Factor::open(decimal, Part::Win).to_string(), "1909/1000");
    }

    #[test]
    fn an_undecided_leg_counts_its_odds_taken_over_its_odds_now() {
        let value =
            |taken, now, part| Factor::taken_over_now(quoted(taken), quoted(now), part).to_string();
        assert_eq!(value("3.00", "1.50", Part::Win), "2/1");
        assert_eq!(value("3.00", "6.00", Part::Win), "1/2");
        assert_eq!(value("7/4", "2.75", Part::Win), "1/1");
        // 20/1 and 10/1 at a fifth: 5 over 3.
        assert_eq!(value("20/1", "10/1", Part::Place(PlaceFraction::FIFTH)), "5/3");
    }

    #[test]
    fn a_tie_with_places_enough_is_a_full_win_and_one_without_any_is_nonsense() {
        assert_eq!(LegNumbers::dead_heat(2, 4).map(|leg| leg.win), Share::new(2, 4));
        assert_eq!(LegNumbers::dead_heat(3, 2), Some(LegNumbers::WON));
        assert_eq!(LegNumbers::placed_dead_heat(2, 2), Some(LegNumbers::PLACED));
        assert_eq!(LegNumbers::dead_heat(0, 2), None);
        assert_eq!(LegNumbers::placed_dead_heat(1, 0), None);
    }

    #[test]
    fn a_quarter_line_is_half_a_result_when_one_of_its_halves_is_a_push() {
        use LegOutcome::{HalfLost, HalfWon, Lost, Void, Won};
        //  margin         -2    -1        0         1        2
        for (line, row) in [
            (-4, [Lost, Lost, Lost, Void, Won]),
            (-3, [Lost, Lost, Lost, HalfWon, Won]),
            (-2, [Lost, Lost, Lost, Won, Won]),
            (-1, [Lost, Lost, HalfLost, Won, Won]),
            (0, [Lost, Lost, Void, Won, Won]),
            (1, [Lost, Lost, HalfWon, Won, Won]),
            (2, [Lost, Lost, Won, Won, Won]),
            (3, [Lost, HalfLost, Won, Won, Won]),
            (4, [Lost, Void, Won, Won, Won]),
            (5, [Lost, HalfWon, Won, Won, Won]),
        ] {
            for (margin, outcome) in (-2..).zip(row) {
                assert_eq!(asian_handicap(line, margin).outcome(), outcome, "{line} {margin}");
            }
        }
    }

    #[test]
    fn a_total_is_a_handicap_on_the_goals_and_nothing_overflows() {
        for line in -2..=20 {
            for goals in 0..=6 {
                let over = asian_total(Side::Over, line, goals);
                assert_eq!(over, asian_handicap(-line, goals as i32));
                let under = asian_total(Side::Under, line, goals);
                assert_eq!(under, asian_handicap(line, -(goals as i32)));
            }
        }
        assert_eq!(asian_handicap(i32::MIN, i32::MIN), LegNumbers::LOST);
        assert_eq!(asian_handicap(i32::MAX, i32::MAX), LegNumbers::WON);
        assert_eq!(asian_total(Side::Over, i32::MIN, u32::MAX), LegNumbers::WON);
        assert_eq!(asian_total(Side::Under, i32::MIN, u32::MAX), LegNumbers::LOST);
    }

    #[test]
    fn numbers_have_the_name_that_people_give_them() {
        for (numbers, name) in [
            (LegNumbers::WON, "won"),
            (LegNumbers::WON.with_rule4(Pence::MAX), "won"),
            (LegNumbers::LOST, "lost"),
            (LegNumbers::VOID, "void"),
            (LegNumbers::HALF_WON, "half won"),
            (LegNumbers::HALF_LOST, "half lost"),
            (LegNumbers::PLACED, "placed"),
            (LegNumbers::dead_heat(1, 2).unwrap(), "dead heat"),
            (LegNumbers::placed_dead_heat(1, 2).unwrap(), "dead heat"),
            (LegNumbers { void: Share::new(1, 3).unwrap(), ..LegNumbers::WON }, "partly void"),
            (LegNumbers { void: Share::HALF, ..LegNumbers::PLACED }, "partly void"),
            (LegNumbers { void: Share::new(2, 4).unwrap(), ..LegNumbers::LOST }, "half lost"),
        ] {
            assert_eq!(numbers.outcome().to_string(), name);
        }
    }

    #[test]
    fn the_widest_factor_is_exact() {
        let odd = |num, den| Share::new(num, den).expect("a share");
        let numbers = LegNumbers {
            void: odd(1, 65_521),
            win: odd(65_518, 65_519),
            place: odd(65_518, 65_519),
            rule4: Pence::new(1).unwrap(),
        };
        let part = Part::Place(PlaceFraction::new(253, 254).unwrap());
        let factor = Factor::of(Quoted::decimal(price!(99999.9999)), part, numbers);
        let (profit, base) = (999_989_999_u128 * 253 * 99, 10_000_u128 * 254 * 100);
        let num = 65_519 * base + 65_520 * 65_518 * (base + profit);
        let den = 65_521 * 65_519 * base;
        assert_eq!(factor.num() * (den / factor.den()), num);
        assert_eq!(den % factor.den(), 0);
        assert!(factor.num() / factor.den() < FACTOR_MAX);
    }
}
