//! The lines of a ticket and what they return, exactly, rounded once.
//!
//! A ticket of legs with factors `nᵢ/dᵢ` has a line for every choice of `k` legs, `k` being one of
//! its folds. The sum of the lines of `k` legs is the coefficient of `xᵏ` in `∏(dᵢ + nᵢx)` over
//! `∏dᵢ`, so no line is ever looked at: a full-cover bet of 25 legs, 33 million lines, costs about
//! as much as multiplying out one polynomial. A banker is in every line, so it contributes `nᵢ`
//! alone. The numbers are as wide as these legs need, counted before (see [`WIDEST_BITS`]), so
//! nothing overflows and nothing is approximated.
//!
//! Only where the rule is to round every line, lines are enumerated, at most
//! [`LINES_ENUMERATED_MAX`] of them.

use std::fmt;

use ruint::Uint;

use crate::{
    Bonus, BonusTable, Factor, LegNumbers, Money, Part, Quoted, RoundingMode, Stake, div_round,
    leg::{FACTOR_DEN_BITS, FACTOR_NUM_BITS, gcd},
    rounding::money_of_ratio,
};

/// The most legs of a ticket. Operators take 8 to 20, a Sportradar ticket up to 63; 25 bounds what
/// one settlement costs.
pub const LEGS_MAX: usize = 25;

/// The most lines of a ticket whose lines are rounded one by one, counting win and place lines: all
/// lines of ten selections.
pub const LINES_ENUMERATED_MAX: u64 = 1_023;

/// How a ticket is staked on places too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum EachWay {
    /// To win only.
    #[default]
    No,
    /// The usual each-way bet: win lines of the win factors and as many place lines of the place
    /// factors. The lines double.
    WinToWin,
    /// The historical "each-way all each-way": what a leg returns, win and place together, goes on
    /// to the next leg in equal parts. The stake doubles as well, and the factor of a leg is the
    /// mean of its win and its place factor.
    EquallyDivided,
}

impl EachWay {
    const fn is_no(self) -> bool {
        matches!(self, EachWay::No)
    }
}

impl fmt::Display for EachWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            EachWay::No => "win only",
            EachWay::WinToWin => "each-way",
            EachWay::EquallyDivided => "each-way equally divided",
        })
    }
}

/// Which lines a ticket has: how many legs, in lines of how many, which of them in every line, and
/// whether each-way.
///
/// Every leg is in some line and every line can be formed, or there is no such shape.
///
/// ```
/// use betring_pricing::{EachWay, Shape};
///
/// let yankee = Shape::named("yankee").unwrap();
/// assert_eq!((yankee.legs(), yankee.lines()), (4, 11));
/// // Doubles and trebles of five selections, all of them with the first one.
/// let system = Shape::new(5, 0b110, 0b1, EachWay::No).unwrap();
/// assert_eq!(system.lines(), 4 + 6);
/// assert_eq!(Shape::new(2, 0b100, 0, EachWay::No).unwrap_err().to_string(),
///     "a line of 3 selections needs 3 legs and the ticket has 2: add legs or leave that fold out");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shape {
    legs: u8,
    folds: u32,
    bankers: u32,
    each_way: EachWay,
}

impl Shape {
    /// A shape of `legs` legs, from 1 to [`LEGS_MAX`]. Bit `k - 1` of `folds` asks for the lines of
    /// `k` selections, bankers counted; bit `i` of `bankers` puts leg `i`, from 0, into every line.
    ///
    /// # Errors
    ///
    /// If there are no legs or too many, no folds, a fold of more selections than there are legs or
    /// of fewer than there are bankers, a banker that is no leg, if every leg is a banker, or if
    /// every line consists of the bankers alone.
    pub const fn new(
        legs: u8,
        folds: u32,
        bankers: u32,
        each_way: EachWay,
    ) -> Result<Shape, ShapeError> {
        if legs == 0 {
            return Err(ShapeError::NoLegs);
        }
        if LEGS_MAX < legs as usize {
            return Err(ShapeError::TooManyLegs { legs });
        }
        if folds == 0 {
            return Err(ShapeError::NoFolds);
        }
        let (longest, shortest) = (32 - folds.leading_zeros(), folds.trailing_zeros() + 1);
        if (legs as u32) < longest {
            return Err(ShapeError::FoldBeyondLegs { fold: longest as u8, legs });
        }
        if bankers != 0 && legs as u32 <= 31 - bankers.leading_zeros() {
            let leg = (31 - bankers.leading_zeros()) as u8;
            return Err(ShapeError::BankerBeyondLegs { leg, legs });
        }
        let count = bankers.count_ones();
        if count == legs as u32 {
            return Err(ShapeError::OnlyBankers { legs });
        }
        if shortest < count {
            let (fold, bankers) = (shortest as u8, count as u8);
            return Err(ShapeError::FoldBelowBankers { fold, bankers });
        }
        if longest == count {
            return Err(ShapeError::IdleLegs { bankers: count as u8 });
        }
        Ok(Shape { legs, folds, bankers, each_way })
    }

    /// One leg, one line.
    pub const fn single() -> Shape {
        Shape { legs: 1, folds: 1, bankers: 0, each_way: EachWay::No }
    }

    /// The shape that has that name, win only: single, double, treble, trixie, patent, yankee,
    /// lucky15, canadian (or super-yankee), lucky31, heinz, lucky63, super-heinz, goliath; fourfold to
    /// eightfold for one line of all legs.
    ///
    /// Capitals, spaces, hyphens and underscores make no difference.
    ///
    /// ```
    /// use betring_pricing::Shape;
    ///
    /// assert_eq!(Shape::named("Lucky 15"), Shape::named("lucky15"));
    /// assert_eq!(Shape::named("four-fold").unwrap().lines(), 1);
    /// assert_eq!(Shape::named("lucky"), None);
    /// ```
    pub fn named(name: &str) -> Option<Shape> {
        let letters = |name: &'static str| name.bytes().filter(|byte| *byte != b'-');
        let is_named = |known| {
            let said = name.bytes().filter(|byte| !matches!(byte, b' ' | b'-' | b'_'));
            said.map(|byte| byte.to_ascii_lowercase()).eq(letters(known))
        };
        let &(_, legs, folds) = NAMED.iter().chain(&FOLDS).find(|(known, _, _)| is_named(known))?;
        Some(Shape { legs, folds, bankers: 0, each_way: EachWay::No })
    }

    /// The name of this shape, each-way or not, if it has one and no bankers.
    pub fn name(self) -> Option<&'static str> {
        NAMED
            .iter()
            .find(|&&(_, legs, folds)| (legs, folds, 0) == (self.legs, self.folds, self.bankers))
            .map(|&(name, _, _)| name)
    }

    /// The same legs and lines, staked each-way or not.
    pub const fn with_each_way(self, each_way: EachWay) -> Shape {
        Shape { each_way, ..self }
    }

    /// How many legs, from 1 to [`LEGS_MAX`].
    pub const fn legs(self) -> u8 {
        self.legs
    }

    /// Bit `k - 1`: whether the ticket has the lines of `k` selections.
    pub const fn folds(self) -> u32 {
        self.folds
    }

    /// Bit `i`: whether leg `i`, from 0, is in every line.
    pub const fn bankers(self) -> u32 {
        self.bankers
    }

    /// Whether it is staked each-way, and how.
    pub const fn each_way(self) -> EachWay {
        self.each_way
    }

    /// How many lines, from 1 to 2·(2^25 - 1): each-way doubles them. The stake of a line is the
    /// total stake over this.
    pub const fn lines(self) -> u64 {
        let lines = self.combinations();
        if self.each_way.is_no() { lines } else { 2 * lines }
    }

    /// How many choices of legs.
    const fn combinations(self) -> u64 {
        let mut sum = 0;
        let mut fold = 1;
        while fold <= self.legs as u32 {
            if self.has(fold) {
                sum += binomial(self.others(), fold - self.bankers.count_ones());
            }
            fold += 1;
        }
        sum
    }

    /// How many of those choices hold a leg that is no banker.
    const fn combinations_with_one(self) -> u64 {
        let bankers = self.bankers.count_ones();
        let mut sum = 0;
        let mut fold = bankers + 1;
        while fold <= self.legs as u32 {
            if self.has(fold) {
                sum += binomial(self.others() - 1, fold - bankers - 1);
            }
            fold += 1;
        }
        sum
    }

    /// Into how many equal stakes the total is divided: one for each product of factors. Equally
    /// divided, the win and the place line of a choice are one product.
    const fn stakes(self) -> u64 {
        match self.each_way {
            EachWay::No | EachWay::EquallyDivided => self.combinations(),
            EachWay::WinToWin => 2 * self.combinations(),
        }
    }

    /// How many products of factors each choice of legs has.
    const fn parts(self) -> usize {
        match self.each_way {
            EachWay::No | EachWay::EquallyDivided => 1,
            EachWay::WinToWin => 2,
        }
    }

    const fn has(self, fold: u32) -> bool {
        self.folds >> (fold - 1) & 1 == 1
    }

    const fn is_banker(self, leg: usize) -> bool {
        self.bankers >> leg & 1 == 1
    }

    /// How many legs are no bankers; at least 1.
    const fn others(self) -> u32 {
        self.legs as u32 - self.bankers.count_ones()
    }

    /// How many legs the shortest line has beside the bankers.
    const fn shortest_choice(self) -> usize {
        (self.folds.trailing_zeros() + 1 - self.bankers.count_ones()) as usize
    }

    /// How many legs the longest line has beside the bankers; at least 1.
    const fn longest_choice(self) -> usize {
        (32 - self.folds.leading_zeros() - self.bankers.count_ones()) as usize
    }

    /// The folds, as how many legs they choose beside the bankers.
    fn choices(self) -> impl Iterator<Item = usize> {
        let bankers = self.bankers.count_ones();
        (bankers.max(1)..=u32::from(self.legs))
            .filter(move |&fold| self.has(fold))
            .map(move |fold| (fold - bankers) as usize)
    }
}

impl fmt::Display for Shape {
    /// `yankee each-way`, or `5 legs in lines of 2, 3 with bankers 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, bits: u32| {
            let mut written = (0..32).filter(|at| bits >> at & 1 == 1).map(|at| at + 1);
            if let Some(first) = written.next() {
                write!(f, "{first}")?;
            }
            written.try_for_each(|next| write!(f, ", {next}"))
        };
        match self.name() {
            Some(name) => f.write_str(name)?,
            None => {
                write!(f, "{} legs in lines of ", self.legs)?;
                list(f, self.folds)?;
                if self.bankers != 0 {
                    f.write_str(" with bankers ")?;
                    list(f, self.bankers)?;
                }
            }
        }
        if self.each_way.is_no() { Ok(()) } else { write!(f, " {}", self.each_way) }
    }
}

/// Name, legs, folds; the first name of a shape is the one it is given back by.
const NAMED: [(&str, u8, u32); 14] = [
    ("single", 1, 0b1),
    ("double", 2, 0b10),
    ("treble", 3, 0b100),
    ("trixie", 3, 0b110),
    ("patent", 3, 0b111),
    ("yankee", 4, 0b1110),
    ("lucky15", 4, 0b1111),
    ("canadian", 5, 0b1_1110),
    ("super-yankee", 5, 0b1_1110),
    ("lucky31", 5, 0b1_1111),
    ("heinz", 6, 0b11_1110),
    ("lucky63", 6, 0b11_1111),
    ("super-heinz", 7, 0b111_1110),
    ("goliath", 8, 0b1111_1110),
];

/// Names that are read and not written: a shape of all its legs is as often called an accumulator.
const FOLDS: [(&str, u8, u32); 5] = [
    ("fourfold", 4, 0b1000),
    ("fivefold", 5, 0b1_0000),
    ("sixfold", 6, 0b10_0000),
    ("sevenfold", 7, 0b100_0000),
    ("eightfold", 8, 0b1000_0000),
];

/// How many ways there are to choose `k` of `n`, `n` being at most [`LEGS_MAX`].
const fn binomial(n: u32, k: u32) -> u64 {
    let mut ways = 1;
    let mut at = 0;
    while at < k && ways != 0 {
        ways = ways * (n - at) as u64 / (at + 1) as u64;
        at += 1;
    }
    ways
}

/// Why there is no such shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShapeError {
    /// A ticket without legs.
    NoLegs,
    /// More legs than [`LEGS_MAX`].
    TooManyLegs {
        /// How many there are.
        legs: u8,
    },
    /// A ticket without lines.
    NoFolds,
    /// A line would need more legs than there are.
    FoldBeyondLegs {
        /// How many selections a line would have.
        fold: u8,
        /// How many legs there are.
        legs: u8,
    },
    /// A line would have no room for all bankers.
    FoldBelowBankers {
        /// How many selections a line would have.
        fold: u8,
        /// How many bankers there are.
        bankers: u8,
    },
    /// A banker that is none of the legs.
    BankerBeyondLegs {
        /// Its place, from 0.
        leg: u8,
        /// How many legs there are.
        legs: u8,
    },
    /// Every leg is a banker, so there is nothing to choose.
    OnlyBankers {
        /// How many legs there are.
        legs: u8,
    },
    /// Every line is full of bankers, so the other legs are in none.
    IdleLegs {
        /// How many bankers there are.
        bankers: u8,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::NoLegs => f.write_str("a ticket has no legs: add at least one selection"),
            ShapeError::TooManyLegs { legs } => write!(
                f,
                "a ticket has at most {LEGS_MAX} legs, not {legs}: divide it into several tickets"
            ),
            ShapeError::NoFolds => {
                f.write_str("a ticket has no lines: say of how many selections its lines are")
            }
            ShapeError::FoldBeyondLegs { fold, legs } => write!(
                f,
                "a line of {fold} selections needs {fold} legs and the ticket has {legs}: add legs \
                 or leave that fold out"
            ),
            ShapeError::FoldBelowBankers { fold, bankers } => write!(
                f,
                "a line of {fold} has no room for {bankers} bankers: leave that fold out, or make \
                 fewer legs bankers"
            ),
            ShapeError::BankerBeyondLegs { leg, legs } => write!(
                f,
                "leg {} is a banker and the ticket has {legs} legs: bankers are legs of the ticket",
                u32::from(*leg) + 1
            ),
            ShapeError::OnlyBankers { legs } => write!(
                f,
                "every leg is a banker: leave the bankers out and ask for the line of {legs}"
            ),
            ShapeError::IdleLegs { bankers } => write!(
                f,
                "lines of {bankers} are full of bankers and the other legs are in none: ask for \
                 longer lines, or leave those legs out"
            ),
        }
    }
}

impl std::error::Error for ShapeError {}

/// What is rounded: an operator's policy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum RoundingPoint {
    /// The exact sum of all lines, once. The default.
    #[default]
    Bet,
    /// Every line by itself; the sum is then whole. Each line may lose a fraction, so with
    /// rounding down this never pays more than [`Bet`](RoundingPoint::Bet) does.
    Line,
}

impl fmt::Display for RoundingPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RoundingPoint::Bet => "bet",
            RoundingPoint::Line => "line",
        })
    }
}

/// Which way a fraction of a minor unit goes, and where there is one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Rounding {
    /// Who keeps the fraction.
    pub mode: RoundingMode,
    /// Of the bet or of each line.
    pub point: RoundingPoint,
}

/// Why a ticket has no amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TicketError {
    /// Its lines are to be rounded one by one, and there are more than [`LINES_ENUMERATED_MAX`].
    TooManyLines {
        /// How many there are.
        lines: u64,
    },
    /// It is more than [`Money::MAX`].
    TooLarge,
}

impl fmt::Display for TicketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TicketError::TooManyLines { lines } => write!(
                f,
                "at most {LINES_ENUMERATED_MAX} lines are rounded one by one and the ticket has \
                 {lines}: round the bet as a whole"
            ),
            TicketError::TooLarge => write!(
                f,
                "the ticket comes to more than {}: lower the stake or take fewer legs",
                Money::MAX
            ),
        }
    }
}

impl std::error::Error for TicketError {}

/// What a ticket returns, stake included: the sum of its lines, a line being its stake times the
/// factors of its legs.
///
/// `stake` is the total; the stake of a line is `stake / lines` exactly, and may be a fraction of a
/// minor unit. `win` and `place` are the factors of the legs, in the order of the shape's bankers;
/// `place` is not looked at without each-way and may be empty then. `keep_ppm` scales the exact
/// amount before it is rounded, in parts per million: 1,000,000 leaves it as it is, and 950,000
/// keeps a cash-out margin of 5 %. With [`RoundingPoint::Line`] each line is scaled and rounded;
/// equally divided, a line is one choice of legs with its double stake.
///
/// # Errors
///
/// [`TicketError::TooLarge`] above [`Money::MAX`]; [`TicketError::TooManyLines`] if more than
/// [`LINES_ENUMERATED_MAX`] lines were to be rounded one by one.
///
/// # Panics
///
/// If there are fewer factors than legs: the caller took both from one ticket.
///
/// ```
/// use betring_pricing::{Factor, LegNumbers, Part, Rounding, Shape, Stake, money, ticket};
///
/// // A Yankee of 11 lines at 1.00 each, the last leg lost.
/// let legs = [("2.00", true), ("3.50", true), ("4.00", true), ("1.50", false)];
/// let factors = legs.map(|(odds, won)| {
///     let numbers = if won { LegNumbers::WON } else { LegNumbers::LOST };
///     Factor::of(odds.parse().unwrap(), Part::Win, numbers)
/// });
/// let stake = Stake::from_money(money!(11.00)).unwrap();
/// let yankee = Shape::named("yankee").unwrap();
/// let paid = ticket::returns(yankee, stake, &factors, &[], 1_000_000, Rounding::default());
/// assert_eq!(paid, Ok(money!(57.00)));
/// ```
pub fn returns(
    shape: Shape,
    stake: Stake,
    win: &[Factor],
    place: &[Factor],
    keep_ppm: u32,
    rounding: Rounding,
) -> Result<Money, TicketError> {
    if RoundingPoint::Line == rounding.point && LINES_ENUMERATED_MAX < shape.lines() {
        return Err(TicketError::TooManyLines { lines: shape.lines() });
    }
    let scale = scale_of(keep_ppm);
    if shape == Shape::single()
        && let Some(ratio) = single_ratio(stake, win[0], scale)
    {
        let minor = div_round(ratio.0, ratio.1, rounding.mode);
        return Money::from_wide(minor).ok_or(TicketError::TooLarge);
    }
    many(shape, stake, win, place, scale, rounding)
}

/// What is kept, as a fraction, and of the smallest numbers where it is the whole.
const fn scale_of(keep_ppm: u32) -> (u32, u32) {
    if keep_ppm == PPM { (1, 1) } else { (keep_ppm, PPM) }
}

/// What a single returns, as a fraction of two numbers of 127 bits; `None` where they do not fit.
fn single_ratio(stake: Stake, factor: Factor, (keep, of): (u32, u32)) -> Option<(i128, i128)> {
    let num = i128::try_from(factor.num()).ok()?.checked_mul(stake.minor().into())?;
    let den = i128::try_from(factor.den()).ok()?;
    Some((num.checked_mul(keep.into())?, den.checked_mul(of.into())?))
}

/// A whole in parts per million.
const PPM: u32 = 1_000_000;

/// Bits beyond those of the legs: the stake (40) times the parts kept (32, with any of them) times
/// two parts (1), or times the number of lines (26), or the lines times a million (20).
const HEADROOM_BITS: usize = 80;

/// Bits of one leg over the denominator that its win and its place part share, in the mean.
const LEG_BITS: usize = FACTOR_NUM_BITS + FACTOR_DEN_BITS + 2;

/// The widest numbers, for 25 legs of the widest factors: an everyday ticket needs 256 bits.
pub const WIDEST_BITS: usize = 3_712;

const WIDEST_LIMBS: usize = WIDEST_BITS / 64;

// The widest ticket is known before the program runs.
const _: () = {
    const fn bits(value: u128) -> usize {
        (128 - value.leading_zeros()) as usize
    }
    let stake = bits(Stake::MAX.minor() as u128);
    let lines = bits(2 * ((1 << LEGS_MAX) - 1));
    assert!(stake + (u32::BITS as usize) < HEADROOM_BITS, "stake times the sum of both parts");
    assert!(stake + lines < HEADROOM_BITS, "the stakes of the lines that hold a leg");
    assert!(lines + bits(PPM as u128) <= HEADROOM_BITS, "the denominator");
    assert!(stake + bits(u8::MAX as u128) <= HEADROOM_BITS, "a percentage of the winnings");
    // n/dw and m/dp over dw·dp, and the mean of both over twice that; then n + d.
    assert!(FACTOR_DEN_BITS * 2 <= 128 && FACTOR_DEN_BITS <= FACTOR_NUM_BITS);
    assert!(FACTOR_NUM_BITS + FACTOR_DEN_BITS + 1 < LEG_BITS && LEG_BITS <= Leg::BITS);
    assert!(LEGS_MAX * LEG_BITS + HEADROOM_BITS <= WIDEST_BITS && WIDEST_BITS.is_multiple_of(64));
};

/// Calls a function of the least width that holds that many bits.
macro_rules! at_width {
    ($bits:expr, $function:ident($($argument:expr),*)) => {
        match $bits {
            0..=256 => $function::<256, 4>($($argument),*),
            257..=512 => $function::<512, 8>($($argument),*),
            513..=1_024 => $function::<1_024, 16>($($argument),*),
            _ => $function::<WIDEST_BITS, WIDEST_LIMBS>($($argument),*),
        }
    };
}

/// A number of one leg.
type Narrow = Uint<192, 3>;

/// The factors of one leg over one denominator.
#[derive(Clone, Copy)]
struct Leg {
    /// Numerators of the win and the place part; the mean and nothing when equally divided.
    parts: [Narrow; 2],
    den: Narrow,
}

impl Leg {
    const BITS: usize = Narrow::BITS;

    /// The factor of a ticket without a place part.
    fn plain(win: Factor) -> Leg {
        Leg { parts: [Narrow::from(win.num()), Narrow::ZERO], den: Narrow::from(win.den()) }
    }

    fn new(each_way: EachWay, win: Factor, place: Factor) -> Leg {
        let common = gcd(win.den(), place.den());
        let (to_win, to_place) = (place.den() / common, win.den() / common);
        // Each is below 2^64, so the common denominator is below 2^128.
        let den = Narrow::from(win.den() * to_win);
        let win = times(Narrow::from(win.num()), Narrow::from(to_win));
        let place = times(Narrow::from(place.num()), Narrow::from(to_place));
        match each_way {
            EachWay::No => Leg { parts: [win, Narrow::ZERO], den },
            EachWay::WinToWin => Leg { parts: [win, place], den },
            EachWay::EquallyDivided => {
                Leg { parts: [plus(win, place), Narrow::ZERO], den: plus(den, den) }
            }
        }
    }

    /// Bits of the greater part and the denominator together.
    fn bits(self) -> usize {
        let [win, place] = self.parts;
        plus(win.max(place), self.den).bit_len()
    }

    fn num<const BITS: usize, const LIMBS: usize>(self, part: usize) -> Uint<BITS, LIMBS> {
        Uint::from_limbs_slice(self.parts[part].as_limbs())
    }

    fn den<const BITS: usize, const LIMBS: usize>(self) -> Uint<BITS, LIMBS> {
        Uint::from_limbs_slice(self.den.as_limbs())
    }
}

/// The product of numbers whose bits were counted.
fn times<const BITS: usize, const LIMBS: usize>(
    a: Uint<BITS, LIMBS>,
    b: Uint<BITS, LIMBS>,
) -> Uint<BITS, LIMBS> {
    a.checked_mul(b).expect("the bits of every product of a ticket are counted before")
}

/// The sum of numbers whose bits were counted.
fn plus<const BITS: usize, const LIMBS: usize>(
    a: Uint<BITS, LIMBS>,
    b: Uint<BITS, LIMBS>,
) -> Uint<BITS, LIMBS> {
    a.checked_add(b).expect("the bits of every sum of a ticket are counted before")
}

/// The legs of a ticket, and how wide its numbers are.
///
/// Every sum of lines is at most `∏(nᵢ + dᵢ)`, and so is the product of the denominators; what they
/// are multiplied by has [`HEADROOM_BITS`].
struct Legs {
    legs: [Leg; LEGS_MAX],
    used: usize,
    bits: usize,
}

impl Legs {
    fn new(shape: Shape, win: &[Factor], place: &[Factor]) -> Legs {
        let mut legs =
            Legs { legs: [Leg::plain(Factor::ONE); LEGS_MAX], used: shape.legs.into(), bits: 0 };
        for at in 0..legs.used {
            legs.legs[at] = match shape.each_way {
                EachWay::No => Leg::plain(win[at]),
                each_way => Leg::new(each_way, win[at], place[at]),
            };
            legs.bits += legs.legs[at].bits();
        }
        legs.bits += HEADROOM_BITS;
        legs
    }

    fn all(&self) -> &[Leg] {
        &self.legs[..self.used]
    }

    /// The product of all denominators, which every sum of lines is over.
    fn den<const BITS: usize, const LIMBS: usize>(&self) -> Uint<BITS, LIMBS> {
        self.all().iter().fold(Uint::ONE, |den, leg| times(den, leg.den()))
    }
}

/// The coefficients of the polynomial of one part, up to the longest choice of legs.
struct Coefficients<const BITS: usize, const LIMBS: usize> {
    /// At `k`, over the product of all denominators: the sum over all choices of `k` legs beside
    /// the bankers.
    of: [Uint<BITS, LIMBS>; LEGS_MAX + 1],
}

impl<const BITS: usize, const LIMBS: usize> Coefficients<BITS, LIMBS> {
    /// The coefficients from that choice of legs up; those below it are of no meaning.
    fn new(shape: Shape, legs: &Legs, part: usize, from: usize) -> Coefficients<BITS, LIMBS> {
        let longest = shape.longest_choice();
        let mut of = [Uint::ZERO; LEGS_MAX + 1];
        of[0] = Uint::ONE;
        let mut degree = 0;
        let mut left = shape.others() as usize;
        for (at, leg) in legs.all().iter().enumerate() {
            let (num, den) = (leg.num(part), leg.den());
            if shape.is_banker(at) {
                for coefficient in &mut of[..=degree] {
                    *coefficient = times(*coefficient, num);
                }
                continue;
            }
            degree = longest.min(degree + 1);
            left -= 1;
            // With fewer legs than this now, the legs that are left do not suffice: an accumulator
            // is one product and not a polynomial.
            let least = from.saturating_sub(left);
            for k in (least.max(1)..=degree).rev() {
                of[k] = plus(times(of[k], den), times(of[k - 1], num));
            }
            if least == 0 {
                of[0] = times(of[0], den);
            }
        }
        Coefficients { of }
    }

    /// The sum of all lines.
    fn sum(&self, shape: Shape) -> Uint<BITS, LIMBS> {
        shape.choices().fold(Uint::ZERO, |sum, choice| plus(sum, self.of[choice]))
    }

    /// The sum of the lines that hold that leg, which is no banker.
    ///
    /// Without the leg the polynomial is the whole one divided by `d + nx`, so its coefficients
    /// follow from each other by exact divisions.
    fn sum_with(&self, shape: Shape, leg: Leg, part: usize) -> Uint<BITS, LIMBS> {
        let (num, den) = (leg.num(part), leg.den());
        let mut choices = shape.choices().peekable();
        choices.next_if_eq(&0);
        let (mut sum, mut without) = (Uint::ZERO, Uint::ZERO);
        for k in 0..shape.longest_choice() {
            let rest = self.of[k]
                .checked_sub(times(without, num))
                .expect("a coefficient holds the lines with the leg");
            let (quotient, remainder) = rest.div_rem(den);
            debug_assert!(remainder.is_zero(), "a leg divides the lines of its ticket");
            without = quotient;
            if choices.next_if_eq(&(k + 1)).is_some() {
                sum = plus(sum, without);
            }
        }
        times(sum, num)
    }
}

/// [`returns`] of any ticket, in the width that its legs need.
fn many(
    shape: Shape,
    stake: Stake,
    win: &[Factor],
    place: &[Factor],
    scale: (u32, u32),
    rounding: Rounding,
) -> Result<Money, TicketError> {
    let legs = Legs::new(shape, win, place);
    let amount = match rounding.point {
        RoundingPoint::Bet => {
            at_width!(legs.bits, whole(shape, stake, &legs, scale, rounding.mode))
        }
        RoundingPoint::Line => {
            at_width!(legs.bits, line_by_line(shape, stake, &legs, scale, rounding.mode))
        }
    };
    amount.ok_or(TicketError::TooLarge)
}

/// The exact sum of all lines, rounded once.
fn whole<const BITS: usize, const LIMBS: usize>(
    shape: Shape,
    stake: Stake,
    legs: &Legs,
    (keep, of): (u32, u32),
    mode: RoundingMode,
) -> Option<Money> {
    let mut sum: Uint<BITS, LIMBS> = Uint::ZERO;
    for part in 0..shape.parts() {
        let coefficients = Coefficients::new(shape, legs, part, shape.shortest_choice());
        sum = plus(sum, coefficients.sum(shape));
    }
    let num = times(sum, Uint::from(stake.minor() as u128 * u128::from(keep)));
    let den = times(legs.den(), Uint::from(u128::from(shape.stakes()) * u128::from(of)));
    money_of_ratio(num, den, mode)
}

/// The sum of all lines, each rounded.
fn line_by_line<const BITS: usize, const LIMBS: usize>(
    shape: Shape,
    stake: Stake,
    legs: &Legs,
    (keep, of): (u32, u32),
    mode: RoundingMode,
) -> Option<Money> {
    let mut bankers = [0; LEGS_MAX];
    let mut others = [0; LEGS_MAX];
    let (mut banker_count, mut other_count) = (0, 0);
    for at in 0..legs.used {
        if shape.is_banker(at) {
            bankers[banker_count] = at;
            banker_count += 1;
        } else {
            others[other_count] = at;
            other_count += 1;
        }
    }
    let mut sum = 0;
    for part in 0..shape.parts() {
        let mut num = Uint::<BITS, LIMBS>::from(stake.minor() as u128 * u128::from(keep));
        let mut den = Uint::from(u128::from(shape.stakes()) * u128::from(of));
        for &at in &bankers[..banker_count] {
            num = times(num, legs.legs[at].num(part));
            den = times(den, legs.legs[at].den());
        }
        for choice in shape.choices() {
            for chosen in subsets(other_count, choice) {
                let (mut num, mut den) = (num, den);
                for (bit, &at) in others[..other_count].iter().enumerate() {
                    if chosen >> bit & 1 == 1 {
                        num = times(num, legs.legs[at].num(part));
                        den = times(den, legs.legs[at].den());
                    }
                }
                sum += i128::from(money_of_ratio(num, den, mode)?.minor());
            }
        }
    }
    Money::from_wide(sum)
}

/// Every choice of `k` of `n` as a set of bits, ascending; `n` is at most [`LEGS_MAX`].
fn subsets(n: usize, k: usize) -> impl Iterator<Item = u32> {
    let first = (1_u32 << k) - 1;
    std::iter::successors(Some(first), |&set| {
        // The next greater number with as many ones: its lowest block of ones sends one up, and the
        // others fall to the bottom.
        let lowest = set & set.wrapping_neg();
        (set != 0).then(|| {
            let up = set + lowest;
            up | (((set ^ up) >> 2) / lowest)
        })
    })
    .take_while(move |&set| set >> n == 0)
}

/// For every leg, what its win can cost: the sum over the lines that hold it of return less stake,
/// rounded up, and never below zero.
///
/// With the greatest factors a leg can still have (and those that are decided) this bounds from
/// above what the house loses on these lines together, whatever happens to the other legs. Every
/// line that holds the leg counts, its stake too when another leg has killed it. `out` gets one
/// amount for each leg, in the order of the factors.
///
/// # Errors
///
/// [`TicketError::TooLarge`] above [`Money::MAX`]; `out` is then incomplete.
///
/// # Panics
///
/// If there are fewer factors or places in `out` than legs.
pub fn reach(
    shape: Shape,
    stake: Stake,
    win: &[Factor],
    place: &[Factor],
    out: &mut [Money],
) -> Result<(), TicketError> {
    let legs = Legs::new(shape, win, place);
    at_width!(legs.bits, reach_of(shape, stake, &legs, &mut out[..legs.used]))
        .ok_or(TicketError::TooLarge)
}

fn reach_of<const BITS: usize, const LIMBS: usize>(
    shape: Shape,
    stake: Stake,
    legs: &Legs,
    out: &mut [Money],
) -> Option<()> {
    let den: Uint<BITS, LIMBS> = legs.den();
    let stake = Uint::from(stake.minor() as u64);
    let stakes = times(den, Uint::from(shape.stakes()));
    // Of an accumulator every line holds every leg, as if all were bankers.
    let is_accumulator = shape.shortest_choice() == shape.others() as usize;
    let from = if is_accumulator { shape.shortest_choice() } else { 0 };
    let parts: [Option<Coefficients<BITS, LIMBS>>; 2] = [0, 1]
        .map(|part| (part < shape.parts()).then(|| Coefficients::new(shape, legs, part, from)));
    for (at, (&leg, out)) in legs.all().iter().zip(out).enumerate() {
        let in_every_line = is_accumulator || shape.is_banker(at);
        let lines =
            if in_every_line { shape.combinations() } else { shape.combinations_with_one() };
        let mut sum = Uint::ZERO;
        let mut staked = Uint::ZERO;
        for (part, coefficients) in parts.iter().flatten().enumerate() {
            let with = if in_every_line {
                coefficients.sum(shape)
            } else {
                coefficients.sum_with(shape, leg, part)
            };
            sum = plus(sum, with);
            staked = plus(staked, times(den, Uint::from(lines)));
        }
        let loss = sum.saturating_sub(staked);
        *out = money_of_ratio(times(loss, stake), stakes, RoundingMode::Up)?;
    }
    Some(())
}

/// Whether the ticket is lost whatever still happens: every line, of the win and of the place part,
/// contains a leg whose factor is zero already. `None` is a leg that is undecided.
///
/// `place` is not looked at without each-way. Equally divided, a leg is lost when both its factors
/// are zero.
///
/// # Panics
///
/// If there are fewer factors than legs.
///
/// ```
/// use betring_pricing::{Factor, Shape, is_dead};
///
/// let trixie = Shape::named("trixie").unwrap();
/// assert!(!is_dead(trixie, &[Some(Factor::ZERO), None, None], &[]));
/// assert!(is_dead(trixie, &[Some(Factor::ZERO), None, Some(Factor::ZERO)], &[]));
/// ```
pub fn is_dead(shape: Shape, win: &[Option<Factor>], place: &[Option<Factor>]) -> bool {
    let lost = |factor: Option<Factor>| factor.is_some_and(Factor::is_zero);
    match shape.each_way {
        EachWay::No => all_lines_lost(shape, |leg| lost(win[leg])),
        EachWay::WinToWin => {
            all_lines_lost(shape, |leg| lost(win[leg]))
                && all_lines_lost(shape, |leg| lost(place[leg]))
        }
        EachWay::EquallyDivided => all_lines_lost(shape, |leg| lost(win[leg]) && lost(place[leg])),
    }
}

/// A line lives if all bankers do and enough of the other legs to fill the shortest line.
fn all_lines_lost(shape: Shape, lost: impl Fn(usize) -> bool) -> bool {
    let mut living = 0;
    for leg in 0..usize::from(shape.legs) {
        match (shape.is_banker(leg), lost(leg)) {
            (true, true) => return true,
            (false, false) => living += 1,
            (true, false) | (false, true) => (),
        }
    }
    living < shape.shortest_choice()
}

/// The terms of a table that a shape has: [`Bonus::NONE`] where it is no Lucky 15, 31 or 63, or is staked
/// equally divided, which knows no win part.
pub fn bonus_terms(shape: Shape, table: &BonusTable) -> Bonus {
    match (shape.name(), shape.each_way) {
        (Some("lucky15"), EachWay::No | EachWay::WinToWin) => table.lucky15,
        (Some("lucky31"), EachWay::No | EachWay::WinToWin) => table.lucky31,
        (Some("lucky63"), EachWay::No | EachWay::WinToWin) => table.lucky63,
        _ => Bonus::NONE,
    }
}

/// The bonus of a Lucky bet, to be added to what it [`returns`]; rounded once by `mode`.
///
/// It is for the win part alone, and only if every selection ran: a leg that is void, or partly, and
/// there is none. The one winner (all others lost) is paid at multiplied odds, so the bonus is its
/// line's stake × share won × odds less 1, after Rule 4, × (multiplier - 1). When all won, it is the
/// percentage of the win part's returns less its stake, if that is above zero. A winner in a dead
/// heat counts as a winner.
///
/// Zero where the shape is no Lucky 15, 31 or 63, the table has none for it, or it is staked equally
/// divided, which knows no win part.
///
/// # Errors
///
/// [`TicketError::TooLarge`] above [`Money::MAX`].
///
/// # Panics
///
/// If there are fewer prices or numbers than legs.
///
/// ```
/// use betring_pricing::{BonusTable, LegNumbers, RoundingMode, Shape, Stake, bonus, money};
///
/// let prices = ["3/1", "1/1", "2/1", "5/1"].map(|odds| odds.parse().unwrap());
/// let numbers = [LegNumbers::WON, LegNumbers::LOST, LegNumbers::LOST, LegNumbers::PLACED];
/// let lucky15 = Shape::named("lucky15").unwrap();
/// let stake = Stake::from_money(money!(15.00)).unwrap();
/// let table = BonusTable::BETFRED;
/// // 3/1 becomes 9/1: 10.00 instead of 4.00.
/// let more = bonus(lucky15, stake, &prices, &numbers, &table, RoundingMode::Down);
/// assert_eq!(more, Ok(money!(6.00)));
/// ```
pub fn bonus(
    shape: Shape,
    stake: Stake,
    prices: &[Quoted],
    numbers: &[LegNumbers],
    table: &BonusTable,
    mode: RoundingMode,
) -> Result<Money, TicketError> {
    let used = usize::from(shape.legs);
    let (prices, numbers) = (&prices[..used], &numbers[..used]);
    let Bonus { one_winner, all_winners } = bonus_terms(shape, table);
    let nothing = all_winners == 0 && one_winner <= 1;
    if nothing || numbers.iter().any(|leg| !leg.void.is_none()) {
        return Ok(Money::ZERO);
    }
    let mut factors = [Factor::ZERO; LEGS_MAX];
    for (factor, (&price, &leg)) in factors.iter_mut().zip(prices.iter().zip(numbers)) {
        *factor = Factor::of(price, Part::Win, leg);
    }
    let winners = factors[..used].iter().filter(|factor| !factor.is_zero()).count();
    let amount = if winners == used && all_winners != 0 {
        let legs = Legs::new(shape.with_each_way(EachWay::No), &factors, &[]);
        at_width!(legs.bits, all_winners_bonus(shape, stake, &legs, all_winners, mode))
    } else if winners == 1 && 1 < one_winner {
        let winner = factors[..used].iter().position(|factor| !factor.is_zero());
        winner.and_then(|at| {
            let times = one_winner - 1;
            one_winner_bonus(shape, stake, factors[at], numbers[at], times, mode)
        })
    } else {
        Some(Money::ZERO)
    };
    amount.ok_or(TicketError::TooLarge)
}

/// The percentage of what the win lines gain.
fn all_winners_bonus<const BITS: usize, const LIMBS: usize>(
    shape: Shape,
    stake: Stake,
    legs: &Legs,
    percent: u8,
    mode: RoundingMode,
) -> Option<Money> {
    let den: Uint<BITS, LIMBS> = legs.den();
    let sum = Coefficients::new(shape, legs, 0, shape.shortest_choice()).sum(shape);
    let gained = sum.saturating_sub(times(den, Uint::from(shape.combinations())));
    let num = times(gained, Uint::from(stake.minor() as u64 * u64::from(percent)));
    money_of_ratio(num, times(den, Uint::from(shape.lines() * 100)), mode)
}

/// So many times what the single on the only winner gains. Its factor is the share won plus that
/// gain, because nothing of it is void.
fn one_winner_bonus(
    shape: Shape,
    stake: Stake,
    factor: Factor,
    numbers: LegNumbers,
    times: u8,
    mode: RoundingMode,
) -> Option<Money> {
    let (share, whole) = (u128::from(numbers.win.num()), u128::from(numbers.win.den()));
    // The denominator of the factor is below 2^64 and that of the share below 2^16.
    let gain = (factor.num() * whole).checked_sub(factor.den() * share)?;
    let num = Uint::<256, 4>::from(gain)
        .checked_mul(Uint::from(stake.minor() as u64 * u64::from(times)))?;
    let den = Uint::from(factor.den() * whole).checked_mul(Uint::from(shape.lines()))?;
    money_of_ratio(num, den, mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fraction, Pence, PlaceFraction, Price, Share, money, price};

    fn stake(minor: i64) -> Stake {
        Stake::from_minor(minor).expect("a stake of the test")
    }

    fn won(odds: &str) -> Factor {
        Factor::of(odds.parse().expect("odds of the test"), Part::Win, LegNumbers::WON)
    }

    #[test]
    fn every_named_bet_has_its_lines_and_each_way_doubles_them() {
        for (name, legs, lines) in [
            ("single", 1, 1),
            ("double", 2, 1),
            ("treble", 3, 1),
            ("trixie", 3, 4),
            ("patent", 3, 7),
            ("yankee", 4, 11),
            ("lucky15", 4, 15),
            ("canadian", 5, 26),
            ("super-yankee", 5, 26),
            ("lucky31", 5, 31),
            ("heinz", 6, 57),
            ("lucky63", 6, 63),
            ("super-heinz", 7, 120),
            ("goliath", 8, 247),
        ] {
            let shape = Shape::named(name).unwrap_or_else(|| panic!("no {name}"));
            assert_eq!((shape.legs(), shape.lines()), (legs, lines), "{name}");
            assert_eq!(shape.with_each_way(EachWay::WinToWin).lines(), 2 * lines, "{name}");
            assert_eq!(shape.with_each_way(EachWay::EquallyDivided).lines(), 2 * lines, "{name}");
            let built = Shape::new(legs, shape.folds(), 0, EachWay::No);
            assert_eq!(built, Ok(shape), "{name}");
            let known = if name == "super-yankee" { "canadian" } else { name };
            assert_eq!(shape.name(), Some(known));
        }
        assert_eq!(Shape::named("Yankee"), Shape::named("yankee"));
        assert_eq!(Shape::named("single"), Some(Shape::single()));
    }

    #[test]
    fn a_banker_is_in_every_line() {
        let shape = |folds, bankers| Shape::new(5, folds, bankers, EachWay::No).expect("a shape");
        assert_eq!(shape(0b10, 0).lines(), 10);
        assert_eq!(shape(0b10, 0b1).lines(), 4);
        // The bankers alone are one line.
        assert_eq!(shape(0b110, 0b11).lines(), 1 + 3);
        assert_eq!(shape(0b1_1111, 0).lines(), 31);
        assert_eq!(Shape::new(25, (1 << 25) - 1, 0, EachWay::No).unwrap().lines(), (1 << 25) - 1);
        // Doubles with a banker at 2.00 and others at 3.00 and 5.00: 6 + 10.
        let doubles = Shape::new(3, 0b10, 0b10, EachWay::No).expect("a shape");
        let factors = [won("3.00"), won("2.00"), won("5.00")];
        let paid =
            returns(doubles, stake(200), &factors, &[], PPM, Rounding::default()).expect("small");
        assert_eq!(paid, money!(16.00));
    }

    #[test]
    fn a_shape_is_written_by_its_name_or_by_its_lines() {
        let yankee = Shape::named("yankee").expect("a name");
        assert_eq!(yankee.to_string(), "yankee");
        assert_eq!(yankee.with_each_way(EachWay::WinToWin).to_string(), "yankee each-way");
        let system = Shape::new(5, 0b110, 0b1, EachWay::EquallyDivided).expect("a shape");
        assert_eq!(
            system.to_string(),
            "5 legs in lines of 2, 3 with bankers 1 each-way equally divided"
        );
        assert_eq!(system.name(), None);
        let banker = Shape::new(4, 0b1110, 0b1, EachWay::No).expect("a shape");
        assert_eq!(banker.name(), None, "a Yankee has no bankers");
    }

    #[test]
    fn lines_that_cannot_be_formed_are_refused_with_a_sentence() {
        let all = u32::MAX;
        for (legs, folds, bankers, sentence) in [
            (0, 1, 0, "a ticket has no legs: add at least one selection"),
            (26, 1, 0, "a ticket has at most 25 legs, not 26: divide it into several tickets"),
            (3, 0, 0, "a ticket has no lines: say of how many selections its lines are"),
            (
                3,
                0b1010,
                0,
                "a line of 4 selections needs 4 legs and the ticket has 3: add legs or leave that \
                 fold out",
            ),
            (
                3,
                all,
                0,
                "a line of 32 selections needs 32 legs and the ticket has 3: add legs or leave \
                 that fold out",
            ),
            (
                4,
                0b1010,
                0b111,
                "a line of 2 has no room for 3 bankers: leave that fold out, or make fewer legs \
                 bankers",
            ),
            (
                3,
                0b100,
                0b1000,
                "leg 4 is a banker and the ticket has 3 legs: bankers are legs of the ticket",
            ),
            (
                3,
                0b100,
                all,
                "leg 32 is a banker and the ticket has 3 legs: bankers are legs of the ticket",
            ),
            (
                3,
                0b100,
                0b111,
                "every leg is a banker: leave the bankers out and ask for the line of 3",
            ),
            (
                4,
                0b10,
                0b11,
                "lines of 2 are full of bankers and the other legs are in none: ask for longer \
                 lines, or leave those legs out",
            ),
        ] {
            let error = Shape::new(legs, folds, bankers, EachWay::No).unwrap_err();
            assert_eq!(error.to_string(), sentence);
        }
    }

    #[test]
    fn every_shape_of_few_legs_is_refused_or_has_the_lines_that_can_be_listed() {
        for legs in 0..=5_u8 {
            for folds in 0..=1 << (legs + 1) {
                for bankers in 0..=1 << (legs + 1) {
                    let is_line = |set: u32| {
                        set & bankers == bankers
                            && set != 0
                            && folds >> (set.count_ones() - 1) & 1 == 1
                    };
                    let lines: Vec<u32> = (0..1 << legs).filter(|&set| is_line(set)).collect();
                    let Ok(shape) = Shape::new(legs, folds, bankers, EachWay::No) else { continue };
                    assert_eq!(shape.lines(), lines.len() as u64, "{shape}");
                    let used = lines.iter().fold(0, |used, line| used | line);
                    assert_eq!(used, (1 << legs) - 1, "{shape}: every leg is in some line");
                }
            }
        }
    }

    #[test]
    fn a_choice_of_legs_is_listed_once() {
        for n in 0..=7 {
            for k in 0..=n {
                let listed: Vec<u32> = subsets(n, k).collect();
                let expected: Vec<u32> =
                    (0..1 << n).filter(|set: &u32| set.count_ones() as usize == k).collect();
                assert_eq!(listed, expected, "{k} of {n}");
            }
        }
        assert_eq!(subsets(LEGS_MAX, LEGS_MAX - 1).count(), 25);
    }

    #[test]
    fn a_single_is_the_same_on_the_short_way_and_on_the_long_one() {
        let share = |num, den| Share::new(num, den).expect("a share");
        let shares =
            [Share::NONE, Share::ALL, share(1, 2), share(8, 65_521), share(65_513, 65_519)];
        let prices = [
            Quoted::decimal(price!(2.50)),
            Quoted::decimal(Price::MAX),
            Quoted::decimal(price!(99999.9937)),
            Quoted::decimal(price!(1.0001)),
            Quoted::fractional(Fraction::new(10, 11).unwrap()),
            Quoted::fractional(Fraction::new(65_521, 65_519).unwrap()),
        ];
        let (mut short, mut wide) = (0, 0);
        for price in prices {
            for void in shares {
                for win in shares {
                    let rule4 = Pence::new(1).unwrap();
                    let numbers = LegNumbers { void, win, place: win, rule4 };
                    let most = PlaceFraction::new(251, 254).expect("below one");
                    let factor = Factor::of(price, Part::Place(most), numbers);
                    for minor in [1, 999, 1_000_000_007, Stake::MAX.minor()] {
                        for keep in [PPM, 950_001, 0] {
                            let scale = scale_of(keep);
                            match single_ratio(stake(minor), factor, scale) {
                                Some(_) => short += 1,
                                None => wide += 1,
                            }
                            for mode in RoundingMode::ALL {
                                for point in [RoundingPoint::Bet, RoundingPoint::Line] {
                                    let rounding = Rounding { mode, point };
                                    let single = Shape::single();
                                    assert_eq!(
                                        returns(
                                            single,
                                            stake(minor),
                                            &[factor],
                                            &[],
                                            keep,
                                            rounding
                                        ),
                                        many(single, stake(minor), &[factor], &[], scale, rounding),
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
        assert!(0 < short && 0 < wide, "both ways were taken: {short} and {wide}");
    }

    #[test]
    fn a_single_returns_what_a_bet_at_its_price_returns() {
        for odds in ["2.50", "10/11", "1.0001", "100000", "1000/1", "4/6"] {
            let quoted: Quoted = odds.parse().expect("odds of the test");
            for minor in [1, 125, 1_100, 999_999, Stake::MAX.minor()] {
                for mode in RoundingMode::ALL {
                    let rounding = Rounding { mode, point: RoundingPoint::Bet };
                    let paid =
                        returns(Shape::single(), stake(minor), &[won(odds)], &[], PPM, rounding);
                    let expected =
                        crate::returns(stake(minor), quoted.price(), quoted.fraction(), mode);
                    assert_eq!(paid, Ok(expected), "{minor} at {odds}");
                }
            }
        }
    }

    #[test]
    fn each_line_may_lose_its_own_fraction() {
        // Three doubles of a third of 1.00 at 9/4: 0.3333.. × 6.25.
        let (doubles, factors) = (Shape::new(3, 0b10, 0, EachWay::No).unwrap(), [won("2.50"); 3]);
        let paid = |mode, point| {
            returns(doubles, stake(100), &factors, &[], PPM, Rounding { mode, point })
        };
        assert_eq!(paid(RoundingMode::Down, RoundingPoint::Bet), Ok(money!(6.25)));
        assert_eq!(paid(RoundingMode::Down, RoundingPoint::Line), Ok(money!(6.24)));
        assert_eq!(paid(RoundingMode::Up, RoundingPoint::Line), Ok(money!(6.27)));
        assert_eq!(paid(RoundingMode::HalfUp, RoundingPoint::Line), Ok(money!(6.24)));
    }

    #[test]
    fn the_reach_of_a_leg_is_what_its_lines_can_cost() {
        let reach_of = |shape: Shape, total, factors: &[Factor]| {
            let mut out = [Money::ZERO; LEGS_MAX];
            reach(shape, stake(total), factors, factors, &mut out).expect("small");
            out
        };
        // A single of 10.00 at 3.00 costs 20.00.
        assert_eq!(reach_of(Shape::single(), 1_000, &[won("3.00")])[0], money!(20.00));
        // A Trixie of 4 × 1.00 at 2.00, 3.00, 4.00: the first is in 6, 8 and 24, on 3.00.
        let trixie = Shape::named("trixie").unwrap();
        let factors = [won("2.00"), won("3.00"), won("4.00")];
        let out = reach_of(trixie, 400, &factors);
        assert_eq!(out[..3], [money!(35.00), money!(39.00), money!(41.00)]);
        // With the last one lost the first is in 6, 0 and 0, still on 3.00.
        let factors = [won("2.00"), won("3.00"), Factor::ZERO];
        let out = reach_of(trixie, 400, &factors);
        assert_eq!(out[..3], [money!(3.00), money!(3.00), Money::ZERO]);
    }

    #[test]
    fn a_ticket_is_dead_when_no_line_is_left() {
        let (lost, won, open) = (Some(Factor::ZERO), Some(won("2.00")), None);
        let doubles = Shape::new(3, 0b10, 0b1, EachWay::No).unwrap();
        assert!(is_dead(doubles, &[lost, open, open], &[]), "the banker is lost");
        assert!(!is_dead(doubles, &[won, lost, open], &[]));
        assert!(is_dead(doubles, &[open, lost, lost], &[]), "nothing is left beside the banker");
        let each_way = Shape::named("double").unwrap().with_each_way(EachWay::WinToWin);
        assert!(!is_dead(each_way, &[lost, lost], &[won, open]), "the place line lives");
        assert!(is_dead(each_way, &[lost, open], &[open, lost]));
        let divided = each_way.with_each_way(EachWay::EquallyDivided);
        assert!(!is_dead(divided, &[lost, open], &[open, lost]), "each leg may still pay a part");
        assert!(is_dead(divided, &[lost, open], &[lost, open]));
    }

    #[test]
    fn a_bonus_needs_every_selection_to_run() {
        let lucky15 = Shape::named("lucky15").unwrap();
        let prices = ["4.00", "2.00", "2.00", "2.00"].map(|odds| odds.parse().unwrap());
        let (won, lost, void) = (LegNumbers::WON, LegNumbers::LOST, LegNumbers::VOID);
        let more = |shape: Shape, table: &BonusTable, numbers: [LegNumbers; 4]| {
            let total = 100 * shape.lines() as i64;
            bonus(shape, stake(total), &prices, &numbers, table, RoundingMode::Down)
        };
        let betfred = BonusTable::BETFRED;
        assert_eq!(more(lucky15, &betfred, [won, lost, lost, lost]), Ok(money!(6.00)));
        assert_eq!(more(lucky15, &betfred, [won, lost, lost, void]), Ok(Money::ZERO));
        assert_eq!(more(lucky15, &betfred, [won, won, lost, lost]), Ok(Money::ZERO));
        assert_eq!(more(lucky15, &betfred, [lost; 4]), Ok(Money::ZERO));
        // 5·3·3·3 - 1 = 134 comes back for 15.
        assert_eq!(more(lucky15, &betfred, [won; 4]), Ok(money!(11.90)));
        assert_eq!(more(lucky15, &BonusTable::NONE, [won; 4]), Ok(Money::ZERO));
        // The place part has none: the same for the same stake a line.
        let each_way = lucky15.with_each_way(EachWay::WinToWin);
        assert_eq!(more(each_way, &betfred, [won; 4]), Ok(money!(11.90)));
        let yankee = Shape::named("yankee").unwrap();
        assert_eq!(more(yankee, &betfred, [won; 4]), Ok(Money::ZERO));
    }

    #[test]
    fn what_cannot_be_paid_is_said_in_a_sentence() {
        assert_eq!(
            TicketError::TooManyLines { lines: 2_046 }.to_string(),
            "at most 1023 lines are rounded one by one and the ticket has 2046: round the bet as a \
             whole"
        );
        assert_eq!(
            TicketError::TooLarge.to_string(),
            "the ticket comes to more than 1000000000000000.00: lower the stake or take fewer legs"
        );
    }
}
