//! Tickets against an enumeration of every line, which is slow, obvious, and shares no code.

use std::cmp::Ordering;

use betring_pricing::{
    BonusTable, EachWay, Factor, Fraction, LINES_ENUMERATED_MAX, LegNumbers, Money, Part, Pence,
    PlaceFraction, Price, Quoted, Rounding, RoundingMode, RoundingPoint, Shape, Share, Stake,
    TicketError, bonus, is_dead, money, reach, ticket,
};
use proptest::prelude::*;
use ruint::Uint;

/// Wide enough for 25 unreduced legs of both parts.
type Wide = Uint<8_192, 128>;

const ALL_KEPT: u32 = 1_000_000;

#[derive(Clone, Copy, Debug)]
struct Leg {
    price: Quoted,
    numbers: LegNumbers,
    fraction: PlaceFraction,
}

impl Leg {
    fn win(&self) -> Factor {
        Factor::of(self.price, Part::Win, self.numbers)
    }

    fn place(&self) -> Factor {
        Factor::of(self.price, Part::Place(self.fraction), self.numbers)
    }
}

fn factors(legs: &[Leg]) -> (Vec<Factor>, Vec<Factor>) {
    (legs.iter().map(Leg::win).collect(), legs.iter().map(Leg::place).collect())
}

// The second implementation.

/// What a leg returns of one unit, unreduced: the refunded share, and the winning share of the rest
/// at odds reduced to the place's fraction and by Rule 4.
fn slow_factor(leg: &Leg, is_place: bool) -> (u128, u128) {
    let share = |share: Share| (u128::from(share.num()), u128::from(share.den()));
    let plus = |(a, b): (u128, u128), (c, d): (u128, u128)| (a * d + c * b, b * d);
    let times = |(a, b): (u128, u128), (c, d): (u128, u128)| (a * c, b * d);
    let odds_less_one = match leg.price.fraction() {
        Some(fraction) => (u128::from(fraction.num()), u128::from(fraction.den())),
        None => (u128::from(leg.price.price().e4()) - 10_000, 10_000),
    };
    let (won, fraction) = if is_place {
        let fraction = (u128::from(leg.fraction.num()), u128::from(leg.fraction.den()));
        (share(leg.numbers.place), fraction)
    } else {
        (share(leg.numbers.win), (1, 1))
    };
    let void = share(leg.numbers.void);
    let kept = (100 - u128::from(leg.numbers.rule4.get()), 100);
    let winnings = times(times(odds_less_one, fraction), kept);
    let rest = (void.1 - void.0, void.1);
    let returned = plus((1, 1), winnings);
    let won = times(times(rest, won), returned);
    // Over the denominator of the winning part, which the refunded part's divides.
    (void.0 * (won.1 / void.1) + won.0, won.1)
}

/// Calls `line` with every choice of legs that is a line of the shape, as a set of bits.
fn for_each_line(shape: Shape, line: &mut impl FnMut(u32)) {
    fn choose(shape: Shape, at: u32, chosen: u32, line: &mut impl FnMut(u32)) {
        let (count, left) = (chosen.count_ones(), u32::from(shape.legs()) - at);
        // No line lies this way.
        if (count..=count + left).all(|fold| fold == 0 || shape.folds() >> (fold - 1) & 1 == 0) {
            return;
        }
        if left == 0 {
            if chosen & shape.bankers() == shape.bankers() {
                line(chosen);
            }
            return;
        }
        if shape.bankers() >> at & 1 == 0 {
            choose(shape, at + 1, chosen, line);
        }
        choose(shape, at + 1, chosen | 1 << at, line);
    }
    choose(shape, 0, 0, line);
}

/// The factors of one part of a ticket.
struct SlowPart {
    factors: Vec<(Wide, Wide)>,
}

struct Slow {
    shape: Shape,
    parts: Vec<SlowPart>,
    /// Into how many stakes the total is divided.
    stakes: u64,
}

impl Slow {
    fn new(shape: Shape, legs: &[Leg]) -> Slow {
        let wide = |(num, den): (u128, u128)| (Wide::from(num), Wide::from(den));
        let part = |is_place| SlowPart {
            factors: legs.iter().map(|leg| wide(slow_factor(leg, is_place))).collect(),
        };
        let parts = match shape.each_way() {
            EachWay::No => vec![part(false)],
            EachWay::WinToWin => vec![part(false), part(true)],
            EachWay::EquallyDivided => {
                let (win, place) = (part(false), part(true));
                let mean = |(&(a, b), &(c, d)): (&(Wide, Wide), &(Wide, Wide))| {
                    (a * d + c * b, b * d * Wide::from(2))
                };
                vec![SlowPart {
                    factors: win.factors.iter().zip(&place.factors).map(mean).collect(),
                }]
            }
        };
        let mut choices = 0;
        for_each_line(shape, &mut |_| choices += 1);
        Slow { shape, stakes: choices * parts.len() as u64, parts }
    }

    /// The product of a line's factors, over the product of all denominators of the part.
    fn line(part: &SlowPart, chosen: u32) -> Wide {
        let mut product = Wide::from(1);
        for (at, &(num, den)) in part.factors.iter().enumerate() {
            product *= if chosen >> at & 1 == 1 { num } else { den };
        }
        product
    }

    fn den(part: &SlowPart) -> Wide {
        part.factors.iter().fold(Wide::from(1), |product, &(_, den)| product * den)
    }

    /// The sum of the lines that the filter takes, of one unit staked on each.
    fn sum(&self, filter: impl Fn(u32) -> bool) -> (Wide, Wide) {
        let (mut num, mut den) = (Wide::ZERO, Wide::from(1));
        for part in &self.parts {
            let mut sum = Wide::ZERO;
            for_each_line(self.shape, &mut |chosen| {
                if filter(chosen) {
                    sum += Slow::line(part, chosen);
                }
            });
            let part_den = Slow::den(part);
            num = num * part_den + sum * den;
            den *= part_den;
        }
        (num, den)
    }

    /// What comes back in minor units, exactly.
    fn returns(&self, stake: Stake, keep_ppm: u32) -> (Wide, Wide) {
        let (num, den) = self.sum(|_| true);
        let scale = Wide::from(stake.minor() as u64) * Wide::from(keep_ppm);
        (num * scale, den * Wide::from(self.stakes) * Wide::from(ALL_KEPT))
    }

    /// The sum of the lines, each rounded: by every mode.
    fn returns_by_line(&self, stake: Stake, keep_ppm: u32) -> [Option<i128>; 4] {
        let scale = Wide::from(stake.minor() as u64) * Wide::from(keep_ppm);
        let mut sums = [Some(0); 4];
        for part in &self.parts {
            let den = Slow::den(part) * Wide::from(self.stakes) * Wide::from(ALL_KEPT);
            for_each_line(self.shape, &mut |chosen| {
                let line = Slow::line(part, chosen) * scale;
                for (sum, mode) in sums.iter_mut().zip(RoundingMode::ALL) {
                    *sum = sum.zip(round(line, den, mode)).map(|(sum, line)| sum + line);
                }
            });
        }
        sums
    }

    /// For each leg, what the lines that hold it pay more than was staked on them.
    fn reach(&self, stake: Stake) -> Vec<Option<i128>> {
        let legs = usize::from(self.shape.legs());
        let mut sums = vec![Wide::ZERO; legs];
        let mut lines = vec![0_u64; legs];
        let dens: Vec<Wide> = self.parts.iter().map(Slow::den).collect();
        let den = dens.iter().fold(Wide::from(1), |product, &den| product * den);
        for (part, &part_den) in self.parts.iter().zip(&dens) {
            for_each_line(self.shape, &mut |chosen| {
                let line = Slow::line(part, chosen) * (den / part_den);
                for leg in (0..legs).filter(|leg| chosen >> leg & 1 == 1) {
                    sums[leg] += line;
                    lines[leg] += 1;
                }
            });
        }
        let loss = |(sum, lines): (Wide, u64)| {
            let loss = sum.saturating_sub(den * Wide::from(lines));
            let stake = Wide::from(stake.minor() as u64);
            round(loss * stake, den * Wide::from(self.stakes), RoundingMode::Up)
        };
        sums.into_iter().zip(lines).map(loss).collect()
    }
}

/// `num / den` by comparing twice the rest with the denominator; `None` if it is not money.
fn round(num: Wide, den: Wide, mode: RoundingMode) -> Option<i128> {
    let (whole, rest) = (num / den, num % den);
    let whole = i128::from(u64::try_from(whole).ok()?);
    let half = (rest + rest).cmp(&den);
    let up = match mode {
        RoundingMode::Down => false,
        RoundingMode::Up => rest != Wide::ZERO,
        RoundingMode::HalfUp => half != Ordering::Less,
        RoundingMode::HalfEven => {
            half == Ordering::Greater || (half == Ordering::Equal && whole % 2 == 1)
        }
    };
    Some(whole + i128::from(up)).filter(|&minor| minor <= Money::MAX.minor().into())
}

// What the tickets are made of.

fn price() -> impl Strategy<Value = Quoted> {
    let decimal = |e4| Quoted::decimal(Price::from_e4(e4).expect("in range"));
    prop_oneof![
        6 => (101..=1_500_u32).prop_map(move |cents| decimal(cents * 100)),
        4 => (1..=40_u16, 1..=11_u16).prop_map(|(num, den)| fractional(num, den)),
        1 => (10_001..=Price::MAX.e4()).prop_map(decimal),
        1 => (1..=u16::MAX, 7..=u16::MAX)
            .prop_filter_map("at least 1/10,000", |(num, den)| Fraction::new(num, den))
            .prop_map(Quoted::fractional),
    ]
}

fn fractional(num: u16, den: u16) -> Quoted {
    Quoted::fractional(Fraction::new(num, den).expect("a common fraction"))
}

fn share() -> impl Strategy<Value = Share> {
    prop_oneof![
        2 => Just((0, 1)),
        2 => Just((1, 1)),
        2 => (1..=4_u16).prop_flat_map(|den| (0..=den, Just(den))),
        1 => (1..=u16::MAX).prop_flat_map(|den| (0..=den, Just(den))),
    ]
    .prop_map(|(num, den)| Share::new(num, den).expect("a share"))
}

fn numbers() -> impl Strategy<Value = LegNumbers> {
    let usual = prop::sample::select(vec![
        LegNumbers::WON,
        LegNumbers::WON,
        LegNumbers::WON,
        LegNumbers::WON,
        LegNumbers::WON,
        LegNumbers::WON,
        LegNumbers::LOST,
        LegNumbers::VOID,
        LegNumbers::PLACED,
        LegNumbers::HALF_WON,
        LegNumbers::HALF_LOST,
        LegNumbers::dead_heat(1, 2).expect("a tie"),
        LegNumbers::placed_dead_heat(2, 3).expect("a tie"),
    ]);
    let any = (share(), share(), share()).prop_map(|(void, win, place)| LegNumbers {
        void,
        win,
        place,
        rule4: Pence::ZERO,
    });
    let rule4 = prop_oneof![4 => Just(0), 1 => 0..=90_u8];
    (prop_oneof![8 => usual, 1 => any], rule4)
        .prop_map(|(numbers, rule4)| numbers.with_rule4(Pence::new(rule4).expect("at most 90")))
}

fn leg() -> impl Strategy<Value = Leg> {
    let fraction = prop_oneof![
        Just((1, 4)),
        Just((1, 5)),
        (1..=u8::MAX).prop_flat_map(|den| (1..=den, Just(den)))
    ];
    (price(), numbers(), fraction).prop_map(|(price, numbers, (num, den))| Leg {
        price,
        numbers,
        fraction: PlaceFraction::new(num, den).expect("at most all"),
    })
}

fn each_way() -> impl Strategy<Value = EachWay> {
    prop_oneof![
        2 => Just(EachWay::No),
        1 => Just(EachWay::WinToWin),
        1 => Just(EachWay::EquallyDivided),
    ]
}

/// Shapes of so many legs and at most so many lines; those of many legs have few folds.
fn shape(
    legs: std::ops::RangeInclusive<u8>,
    lines: std::ops::RangeInclusive<u64>,
) -> impl Strategy<Value = Shape> {
    let bankers = prop_oneof![3 => Just(0_u32), 1 => any::<u32>(), 1 => any::<(u32, u32)>()
        .prop_map(|(a, b)| a & b)];
    let folds = prop_oneof![
        any::<u32>(),
        prop::collection::vec(0..25_u32, 1..=3)
            .prop_map(|folds| folds.iter().fold(0, |bits, fold| bits | 1 << fold)),
    ];
    (legs, folds, bankers, each_way()).prop_filter_map(
        "a shape of at most so many lines",
        move |(legs, folds, bankers, each_way)| {
            let mask = (1_u32 << legs) - 1;
            let bankers = bankers & mask;
            // Folds from the bankers up, so that many of them are possible.
            let folds = (folds << bankers.count_ones()) & mask;
            let shape = Shape::new(legs, folds, bankers, each_way).ok()?;
            lines.contains(&shape.lines()).then_some(shape)
        },
    )
}

/// Legs of any price and any numbers: their factors are wide, and near 1 as often as not.
fn wild_leg() -> impl Strategy<Value = Leg> {
    let price = (10_001..=Price::MAX.e4()).prop_map(|e4| Price::from_e4(e4).expect("in range"));
    let any_share = || {
        (1..=u16::MAX)
            .prop_flat_map(|den| (0..=den, Just(den)))
            .prop_map(|(num, den)| Share::new(num, den).expect("a share"))
    };
    let small_share = (1..=3_u16, 60_000..=u16::MAX)
        .prop_map(|(num, den)| Share::new(num, den).expect("a share"));
    (price, any_share(), small_share, any_share(), leg()).prop_map(
        |(price, void, win, place, leg)| {
            let numbers = LegNumbers { void, win, place, rule4: leg.numbers.rule4 };
            Leg { price: Quoted::decimal(price), numbers, fraction: leg.fraction }
        },
    )
}

fn with_legs(shape: impl Strategy<Value = Shape>) -> impl Strategy<Value = (Shape, Vec<Leg>)> {
    shape.prop_flat_map(|shape| {
        let count = usize::from(shape.legs());
        let legs = prop_oneof![
            4 => prop::collection::vec(leg(), count),
            1 => prop::collection::vec(wild_leg(), count),
        ];
        (Just(shape), legs)
    })
}

fn stake() -> impl Strategy<Value = Stake> {
    prop_oneof![4 => 1..=100_000_i64, 1 => 1..=Stake::MAX.minor(), 1 => Just(1)]
        .prop_map(|minor| Stake::from_minor(minor).expect("in range"))
}

fn keep_ppm() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(ALL_KEPT), 1 => 0..=ALL_KEPT, 1 => Just(950_000)]
}

fn paid(
    shape: Shape,
    stake: Stake,
    legs: &[Leg],
    keep_ppm: u32,
    mode: RoundingMode,
    point: RoundingPoint,
) -> Result<Money, TicketError> {
    let (win, place) = factors(legs);
    ticket::returns(shape, stake, &win, &place, keep_ppm, Rounding { mode, point })
}

/// The whole ticket, all kept.
fn by_bet(shape: Shape, stake: Stake, legs: &[Leg], mode: RoundingMode) -> Money {
    paid(shape, stake, legs, ALL_KEPT, mode, RoundingPoint::Bet).expect("in range")
}

fn amount(minor: Option<i128>) -> Result<Money, TicketError> {
    let minor = minor.ok_or(TicketError::TooLarge)?;
    i64::try_from(minor).ok().and_then(Money::from_minor).ok_or(TicketError::TooLarge)
}

fn check_against_every_line(
    shape: Shape,
    legs: &[Leg],
    stake: Stake,
    keep_ppm: u32,
) -> Result<(), TestCaseError> {
    let (num, den) = Slow::new(shape, legs).returns(stake, keep_ppm);
    for mode in RoundingMode::ALL {
        let fast = paid(shape, stake, legs, keep_ppm, mode, RoundingPoint::Bet);
        prop_assert_eq!(fast, amount(round(num, den, mode)), "{}", mode);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_ticket_returns_the_sum_of_its_lines_in_every_rounding(
        (shape, legs) in with_legs(shape(1..=25, 1..=400)), stake in stake(), keep in keep_ppm(),
    ) {
        check_against_every_line(shape, &legs, stake, keep)?;
    }

    #[test]
    fn a_ticket_rounded_line_by_line_is_the_sum_of_its_rounded_lines(
        (shape, legs) in with_legs(shape(1..=25, 1..=200)), stake in stake(), keep in keep_ppm(),
    ) {
        let slow = Slow::new(shape, &legs);
        let expected = slow.returns_by_line(stake, keep);
        for (mode, expected) in RoundingMode::ALL.into_iter().zip(expected) {
            let fast = paid(shape, stake, &legs, keep, mode, RoundingPoint::Line);
            prop_assert_eq!(fast, amount(expected), "{}", mode);
        }
        let whole = paid(shape, stake, &legs, keep, RoundingMode::Down, RoundingPoint::Bet);
        let lines = paid(shape, stake, &legs, keep, RoundingMode::Down, RoundingPoint::Line);
        if let (Ok(whole), Ok(lines)) = (whole, lines) {
            prop_assert!(lines <= whole, "each line loses its own fraction");
        }
    }

    #[test]
    fn the_reach_of_a_leg_is_what_its_lines_can_cost_and_no_more_than_the_ticket_pays(
        (shape, legs) in with_legs(shape(1..=25, 1..=150)), stake in stake(),
    ) {
        let (win, place) = factors(&legs);
        let mut out = [Money::ZERO; 25];
        let slow = Slow::new(shape, &legs);
        let expected: Vec<_> = slow.reach(stake).into_iter().map(amount).collect();
        match reach(shape, stake, &win, &place, &mut out) {
            Ok(()) => {
                let reached: Vec<_> = out[..legs.len()].iter().copied().map(Ok).collect();
                prop_assert_eq!(&reached, &expected);
                if let Ok(total) =
                    paid(shape, stake, &legs, ALL_KEPT, RoundingMode::Up, RoundingPoint::Bet)
                {
                    prop_assert!(out[..legs.len()].iter().all(|&reach| reach <= total));
                }
            }
            Err(error) => prop_assert!(expected.contains(&Err(error))),
        }
    }

    #[test]
    fn the_order_of_the_legs_is_irrelevant(
        (shape, legs) in with_legs(shape(2..=25, 1..=1_000_000)), stake in stake(),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8),
    ) {
        let mut order: Vec<usize> = (0..legs.len()).collect();
        for (a, b) in swaps {
            order.swap(a.index(legs.len()), b.index(legs.len()));
        }
        let moved: Vec<Leg> = order.iter().map(|&leg| legs[leg]).collect();
        let bankers = (0..).zip(&order).map(|(at, &leg)| (shape.bankers() >> leg & 1) << at).sum();
        let reordered =
            Shape::new(shape.legs(), shape.folds(), bankers, shape.each_way()).expect("the same");
        for mode in RoundingMode::ALL {
            let before = paid(shape, stake, &legs, ALL_KEPT, mode, RoundingPoint::Bet);
            let after = paid(reordered, stake, &moved, ALL_KEPT, mode, RoundingPoint::Bet);
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn a_better_factor_never_returns_less(
        (shape, legs) in with_legs(shape(1..=25, 1..=1_000_000)), stake in stake(),
        at in any::<prop::sample::Index>(), other in leg(), mode in 0..4_usize,
    ) {
        let at = at.index(legs.len());
        let (mut win, mut place) = factors(&legs);
        let rounding = Rounding { mode: RoundingMode::ALL[mode], point: RoundingPoint::Bet };
        let less = |a: Factor, b: Factor| {
            Wide::from(a.num()) * Wide::from(b.den()) <= Wide::from(b.num()) * Wide::from(a.den())
        };
        let before = ticket::returns(shape, stake, &win, &place, ALL_KEPT, rounding);
        let (other_win, other_place) = (other.win(), other.place());
        if less(win[at], other_win) {
            win[at] = other_win;
        }
        if less(place[at], other_place) {
            place[at] = other_place;
        }
        match (before, ticket::returns(shape, stake, &win, &place, ALL_KEPT, rounding)) {
            (Ok(before), Ok(after)) => prop_assert!(before <= after),
            (Err(_), Ok(_)) => prop_assert!(false, "what was too large stays so"),
            (_, Err(error)) => prop_assert_eq!(error, TicketError::TooLarge),
        }
    }

    #[test]
    fn a_void_leg_is_a_leg_at_odds_of_one(
        (shape, mut legs) in with_legs(shape(2..=12, 1..=400)), stake in stake(),
    ) {
        // An accumulator with a void leg is the accumulator without it.
        let count = shape.legs();
        legs[0].numbers = LegNumbers::VOID.with_rule4(legs[0].numbers.rule4);
        prop_assert_eq!((legs[0].win(), legs[0].place()), (Factor::ONE, Factor::ONE));
        let line = |legs| {
            Shape::new(legs, 1 << (legs - 1), 0, shape.each_way()).expect("one line of all legs")
        };
        for mode in RoundingMode::ALL {
            let with = paid(line(count), stake, &legs, ALL_KEPT, mode, RoundingPoint::Bet);
            let without =
                paid(line(count - 1), stake, &legs[1..], ALL_KEPT, mode, RoundingPoint::Bet);
            prop_assert_eq!(with, without);
        }
    }

    #[test]
    fn an_each_way_bet_is_a_win_bet_and_a_place_bet(
        (shape, legs) in with_legs(shape(1..=25, 1..=1_000_000)), stake in 1..=100_000_i64,
    ) {
        let (win, place) = factors(&legs);
        let whole = shape.with_each_way(EachWay::WinToWin);
        let half = shape.with_each_way(EachWay::No);
        let [both, one] = [2 * stake, stake].map(|minor| Stake::from_minor(minor).expect("small"));
        let rounding = Rounding::default();
        let paid = |shape, stake, win: &[Factor]| {
            ticket::returns(shape, stake, win, &place, ALL_KEPT, rounding).map(Money::minor)
        };
        if let (Ok(both), Ok(win), Ok(place)) =
            (paid(whole, both, &win), paid(half, one, &win), paid(half, one, &place))
        {
            // Each of the two bets loses its own fraction of a minor unit.
            prop_assert!(win + place <= both && both <= win + place + 1);
        }
    }

    #[test]
    fn a_lucky_15_is_four_singles_and_a_yankee(
        halves in prop::collection::vec(1..=60_u16, 4), numbers in prop::collection::vec(
            prop::sample::select(vec![LegNumbers::WON, LegNumbers::LOST, LegNumbers::VOID,
                LegNumbers::HALF_WON, LegNumbers::HALF_LOST]), 4),
        unit in 1..=100_i64, each_way in each_way(),
    ) {
        // Odds of whole halves, results of whole halves, and places of all the odds: 4^-4 is the
        // smallest part of a line's stake, 8^-4 that of a mean, so nothing is rounded.
        let legs: Vec<Leg> = halves.iter().zip(numbers).map(|(&num, numbers)| Leg {
            price: fractional(num, 2),
            numbers,
            fraction: PlaceFraction::new(1, 1).expect("all"),
        }).collect();
        let of = |shape: Shape, legs: &[Leg]| {
            let shape = shape.with_each_way(each_way);
            let stake = unit * 4_096 * shape.lines() as i64;
            let modes = RoundingMode::ALL
                .map(|mode| by_bet(shape, Stake::from_minor(stake).expect("small"), legs, mode));
            assert!(modes.iter().all(|&amount| amount == modes[0]), "nothing is rounded");
            modes[0].minor()
        };
        let [lucky15, yankee] =
            ["lucky15", "yankee"].map(|name| of(Shape::named(name).expect("a name"), &legs));
        let singles: i64 = legs.iter().map(|&leg| of(Shape::single(), &[leg])).sum();
        let folded = of(Shape::new(4, 1, 0, EachWay::No).expect("singles"), &legs);
        prop_assert_eq!(folded, singles);
        prop_assert_eq!(lucky15, singles + yankee);
    }

    #[test]
    fn a_ticket_is_dead_exactly_when_the_best_of_the_rest_returns_nothing(
        (shape, legs) in with_legs(shape(1..=12, 1..=2_000)), stake in stake(),
        states in prop::collection::vec((0..3_u8, any::<bool>(), any::<bool>()), 12),
    ) {
        // A part of a leg is undecided, lost, or as its numbers say; the parts of a leg apart too.
        let part = |place: bool| -> Vec<Option<Factor>> {
            legs.iter().zip(&states).map(|(leg, &(state, win_lost, place_lost))| match state {
                0 => None,
                1 => Some(if place { leg.place() } else { leg.win() }),
                _ if (place && place_lost) || (!place && win_lost) => Some(Factor::ZERO),
                _ => None,
            }).collect()
        };
        let (win, place) = (part(false), part(true));
        let best = |known: &[Option<Factor>], place: bool| -> Vec<Factor> {
            known.iter().zip(&legs).map(|(known, leg)| {
                let part = if place { Part::Place(leg.fraction) } else { Part::Win };
                known.unwrap_or(Factor::open(leg.price, part))
            }).collect()
        };
        // Rounded up, it is zero only if nothing at all comes back.
        let rounding = Rounding { mode: RoundingMode::Up, point: RoundingPoint::Bet };
        let (best_win, best_place) = (best(&win, false), best(&place, true));
        let left = ticket::returns(shape, stake, &best_win, &best_place, ALL_KEPT, rounding);
        prop_assert_eq!(is_dead(shape, &win, &place), left == Ok(Money::ZERO));
        prop_assert!(!is_dead(shape, &vec![None; legs.len()], &vec![None; legs.len()]));
    }

    #[test]
    fn a_bonus_is_what_the_better_odds_and_the_percentage_add(
        legs in prop::collection::vec(leg(), 6), kind in 0..3_usize, stake in stake(),
        all_win in any::<bool>(), one_wins in any::<bool>(), is_each_way in any::<bool>(),
        mode in 0..4_usize,
    ) {
        let mode = RoundingMode::ALL[mode];
        let (name, count, multiplier, percent) =
            [("lucky15", 4, 3, 10), ("lucky31", 5, 4, 20), ("lucky63", 6, 5, 25)][kind];
        let mut legs = legs[..count].to_vec();
        for (at, leg) in legs.iter_mut().enumerate() {
            let rule4 = leg.numbers.rule4;
            match (all_win, one_wins) {
                (true, _) if leg.numbers.win.is_none() || !leg.numbers.void.is_none() =>
                    leg.numbers = LegNumbers::WON.with_rule4(rule4),
                (false, true) if at == 0 => leg.numbers = LegNumbers::WON.with_rule4(rule4),
                (false, true) => leg.numbers = LegNumbers::LOST,
                _ => (),
            }
        }
        let each_way = if is_each_way { EachWay::WinToWin } else { EachWay::No };
        let shape = Shape::named(name).expect("a name").with_each_way(each_way);
        let prices: Vec<Quoted> = legs.iter().map(|leg| leg.price).collect();
        let numbers: Vec<LegNumbers> = legs.iter().map(|leg| leg.numbers).collect();
        let more = bonus(shape, stake, &prices, &numbers, &BonusTable::BETFRED, mode);
        // By hand: over the lines of the win part, each of the stake over all lines.
        let win_part = Slow::new(shape.with_each_way(EachWay::No), &legs);
        let all_ran = numbers.iter().all(|leg| leg.void.is_none());
        let winners: Vec<usize> =
            (0..count).filter(|&at| !numbers[at].win.is_none()).collect();
        let minor = Wide::from(stake.minor() as u64);
        let lines = Wide::from(shape.lines());
        let expected = match winners[..] {
            _ if !all_ran => Some(0),
            [at] => {
                // What the win share gains at the odds, that many times more.
                let (num, den) = slow_factor(&legs[at], false);
                let share = numbers[at].win;
                let gain = Wide::from(num) * Wide::from(share.den())
                    - Wide::from(den) * Wide::from(share.num());
                let den = Wide::from(den) * Wide::from(share.den());
                round(gain * Wide::from(multiplier - 1) * minor, den * lines, mode)
            }
            _ if winners.len() == count => {
                let (num, den) = win_part.sum(|_| true);
                let staked = den * Wide::from(win_part.stakes);
                let gain = num.saturating_sub(staked);
                round(gain * Wide::from(percent) * minor, den * lines * Wide::from(100), mode)
            }
            _ => Some(0),
        };
        prop_assert_eq!(more, amount(expected));
        let none = bonus(shape, stake, &prices, &numbers, &BonusTable::NONE, mode);
        prop_assert_eq!(none, Ok(Money::ZERO));
        let divided = shape.with_each_way(EachWay::EquallyDivided);
        let none = bonus(divided, stake, &prices, &numbers, &BonusTable::BETFRED, mode);
        prop_assert_eq!(none, Ok(Money::ZERO));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn a_ticket_of_many_lines_returns_their_sum_too(
        (shape, legs) in with_legs(shape(8..=25, 2_000..=100_000)), stake in stake(),
    ) {
        check_against_every_line(shape, &legs, stake, ALL_KEPT)?;
    }

    #[test]
    fn a_ticket_of_as_many_lines_as_are_enumerated_is_rounded_line_by_line_too(
        (shape, legs) in with_legs(shape(8..=25, 400..=LINES_ENUMERATED_MAX)), stake in stake(),
    ) {
        let slow = Slow::new(shape, &legs);
        let expected = slow.returns_by_line(stake, ALL_KEPT);
        for (mode, expected) in RoundingMode::ALL.into_iter().zip(expected) {
            let fast = paid(shape, stake, &legs, ALL_KEPT, mode, RoundingPoint::Line);
            prop_assert_eq!(fast, amount(expected), "{}", mode);
        }
    }
}

#[test]
fn more_lines_than_can_be_enumerated_are_refused_before_any_is_looked_at() {
    let legs =
        [Leg { price: fractional(1, 1), numbers: LegNumbers::WON, fraction: PlaceFraction::FIFTH };
            25];
    let down = RoundingMode::Down;
    let stake = Stake::from_money(money!(1.00)).expect("a stake");
    let full = |legs: u8, each_way| {
        Shape::new(legs, (1 << legs) - 1, 0, each_way).expect("all lines of so many legs")
    };
    let by_line = |shape| paid(shape, stake, &legs, ALL_KEPT, down, RoundingPoint::Line);
    assert!(by_line(full(10, EachWay::No)).is_ok());
    for each_way in [EachWay::WinToWin, EachWay::EquallyDivided] {
        let refused = by_line(full(10, each_way));
        assert_eq!(refused, Err(TicketError::TooManyLines { lines: 2_046 }));
    }
    assert_eq!(
        by_line(full(25, EachWay::No)),
        Err(TicketError::TooManyLines { lines: (1 << 25) - 1 })
    );
    // As one bet it is no work at all: every factor is 2, so 3^25 - 1 line stakes come back.
    let paid = by_bet(full(25, EachWay::No), stake, &legs, down);
    assert_eq!(paid.minor(), (3_i64.pow(25) - 1) * 100 / ((1 << 25) - 1));
}

/// 25 legs whose unreduced factors are as wide as they get, and small: shares of primes near 2^16,
/// the longest decimals, odd place fractions, a deduction.
fn widest_legs() -> Vec<Leg> {
    let primes = [65_521, 65_519, 65_497, 65_479, 65_449, 65_447, 65_437, 65_423, 65_419];
    (0..25_u16)
        .map(|at| {
            let [void, win, place] =
                [0, 3, 7].map(|offset| primes[(usize::from(at) + offset) % primes.len()]);
            let numbers = LegNumbers {
                void: Share::new(void - 2 - at, void).expect("a share"),
                win: Share::new(1 + at % 3, win).expect("a share"),
                place: Share::new(2 + at % 3, place).expect("a share"),
                rule4: Pence::new(1 + at as u8).expect("at most 90"),
            };
            Leg {
                price: Quoted::decimal(Price::from_e4(999_999_937 - u32::from(at)).expect("long")),
                numbers,
                fraction: PlaceFraction::new(251, 254 - at as u8 % 3).expect("below one"),
            }
        })
        .collect()
}

#[test]
fn the_widest_ticket_is_exact_to_the_last_minor_unit() {
    let legs = widest_legs();
    for each_way in [EachWay::No, EachWay::WinToWin, EachWay::EquallyDivided] {
        let shape = Shape::new(25, (1 << 25) - 1, 0, each_way).expect("all lines");
        // All lines with singles are ∏(1 + f) - 1 (BETTING: closed forms), here over ∏d.
        let slow = Slow::new(Shape::new(25, 1 << 24, 0, each_way).expect("one line"), &legs);
        let (mut num, mut den) = (Wide::ZERO, Wide::from(1));
        for part in &slow.parts {
            let part_den = Slow::den(part);
            let all = part.factors.iter().fold(Wide::from(1), |all, &(num, den)| all * (num + den));
            num = num * part_den + (all - part_den) * den;
            den *= part_den;
        }
        let stakes = ((1_u64 << 25) - 1) * slow.parts.len() as u64;
        for minor in [1, 1_000_003, Stake::MAX.minor()] {
            let stake = Stake::from_minor(minor).expect("a stake");
            for (mode, keep) in RoundingMode::ALL.into_iter().zip([1_000_000, 999_983, 1, 0]) {
                let expected = round(
                    num * Wide::from(minor as u64) * Wide::from(keep),
                    den * Wide::from(stakes) * Wide::from(ALL_KEPT),
                    mode,
                );
                let fast = paid(shape, stake, &legs, keep, mode, RoundingPoint::Bet);
                assert_eq!(fast, amount(expected), "{each_way} {minor} {mode}");
            }
        }
        let (win, place) = factors(&legs);
        let mut out = [Money::ZERO; 25];
        assert_eq!(reach(shape, Stake::MAX, &win, &place, &mut out), Ok(()));
    }
}

#[test]
fn a_return_beyond_all_money_is_an_error_and_not_a_panic() {
    let leg = Leg {
        price: Quoted::decimal(Price::MAX),
        numbers: LegNumbers::WON,
        fraction: PlaceFraction::new(1, 1).expect("all"),
    };
    for each_way in [EachWay::No, EachWay::WinToWin, EachWay::EquallyDivided] {
        let single = Shape::single().with_each_way(each_way);
        assert_eq!(by_bet(single, Stake::MAX, &[leg], RoundingMode::Up), Money::MAX);
        let (legs, mut out) = ([leg; 25], [Money::ZERO; 25]);
        let (win, place) = factors(&legs);
        for shape in [
            Shape::new(2, 0b10, 0, each_way).expect("a double"),
            Shape::new(25, 1 << 24, 0, each_way).expect("one line"),
            Shape::new(25, (1 << 25) - 1, 0, each_way).expect("all lines"),
        ] {
            let refused =
                paid(shape, Stake::MAX, &legs, ALL_KEPT, RoundingMode::Down, RoundingPoint::Bet);
            assert_eq!(refused, Err(TicketError::TooLarge));
            let refused = reach(shape, Stake::MAX, &win, &place, &mut out);
            assert_eq!(refused, Err(TicketError::TooLarge));
        }
    }
    // More is kept than there was: also only an error.
    let more =
        paid(Shape::single(), Stake::MAX, &[leg], u32::MAX, RoundingMode::Down, RoundingPoint::Bet);
    assert_eq!(more, Err(TicketError::TooLarge));
}

#[test]
fn a_cash_out_counts_open_legs_at_their_odds_taken_over_their_odds_now() {
    let quoted = |text: &str| text.parse::<Quoted>().expect("odds");
    let won = |odds| Factor::of(quoted(odds), Part::Win, LegNumbers::WON);
    let open = |taken, now| Factor::taken_over_now(quoted(taken), quoted(now), Part::Win);
    let treble = Shape::named("treble").expect("a name");
    let offer = |shape, stake: Money, factors: &[Factor], keep| {
        let stake = Stake::from_money(stake).expect("a stake");
        ticket::returns(shape, stake, factors, &[], keep, Rounding::default())
    };
    let legs = [won("4.0"), won("3.5"), open("5.0", "1.25")];
    assert_eq!(offer(treble, money!(10.00), &legs, ALL_KEPT), Ok(money!(560.00)));
    let margin = offer(Shape::single(), money!(10.00), &[open("4.0", "8.0")], 950_000);
    assert_eq!(margin, Ok(money!(4.75)));
    let margin = offer(Shape::single(), money!(25.00), &[open("2.75", "1.42")], 970_000);
    assert_eq!(margin, Ok(money!(46.96)));
}
