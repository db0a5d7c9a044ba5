//! What holds over the whole range of the numbers.

use betring_pricing::{
    American, Band, Fraction, FractionalLadder, Ladder, Money, Odds, Price, Probability, Quoted,
    RoundingMode, Snap, Stake, Tick, div_round, liability_up, price_within, profit, returns,
};
use proptest::prelude::*;

/// Prices of every size: short ones, which are the common ones, as often as the rest of the range.
fn price() -> impl Strategy<Value = Price> {
    prop_oneof![
        Price::MIN.e4()..=200_000,
        200_000..=10_000_000_u32,
        Price::MIN.e4()..=Price::MAX.e4(),
        Just(Price::MIN.e4()),
        Just(Price::MAX.e4()),
    ]
    .prop_map(|e4| Price::from_e4(e4).expect("in range"))
}

fn stake() -> impl Strategy<Value = Stake> {
    prop_oneof![1..=100_000_i64, 1..=Stake::MAX.minor(), Just(1), Just(Stake::MAX.minor())]
        .prop_map(|minor| Stake::from_minor(minor).expect("in range"))
}

fn fraction() -> impl Strategy<Value = Fraction> {
    prop_oneof![(1..=100_u16, 1..=100_u16), (1..=u16::MAX, 1..=u16::MAX)]
        .prop_filter_map("at least 1/10,000", |(num, den)| Fraction::new(num, den))
}

fn mode() -> impl Strategy<Value = RoundingMode> {
    prop::sample::select(RoundingMode::ALL.as_slice())
}

fn ladder() -> impl Strategy<Value = Ladder> {
    // Bands that end where their steps take them, from any price on.
    let custom =
        (10_001..=50_000_u32, prop::collection::vec((1..=50_000_u32, 1..=300_u32), 1..=16))
            .prop_map(|(from_e4, bands)| {
                let mut from_e4 = from_e4;
                let bands: Vec<Band> = bands
                    .into_iter()
                    .map(|(step_e4, steps)| {
                        let from = Price::from_e4(from_e4).expect("in range");
                        from_e4 += step_e4 * steps;
                        let to = Price::from_e4(from_e4).expect("in range");
                        Band { from, to, step_e4 }
                    })
                    .collect();
                Ladder::new(&bands).expect("whole steps without gaps")
            });
    prop_oneof![Just(Ladder::CLASSIC), Just(Ladder::FINEST), Just(Ladder::BETDAQ), custom]
}

/// Whether `value` is `num/den` rounded by `mode`, said by comparing and without dividing.
fn is_rounded(value: i128, num: i128, den: i128, mode: RoundingMode) -> bool {
    let exact = num;
    let twice_off = 2 * (value * den - exact);
    match mode {
        RoundingMode::Down => -2 * den < twice_off && twice_off <= 0,
        RoundingMode::Up => 0 <= twice_off && twice_off < 2 * den,
        RoundingMode::HalfUp => -den < twice_off && twice_off <= den,
        RoundingMode::HalfEven => {
            (-den < twice_off && twice_off < den) || (twice_off.abs() == den && value % 2 == 0)
        }
    }
}

proptest! {
    #[test]
    fn every_division_is_within_one_unit_in_the_stated_direction(
        num in -1_000_000_000_000_000_000_000_i128..=1_000_000_000_000_000_000_000,
        small in -1_000_i128..=1_000,
        den in 1..=1_000_000_000_i128,
        small_den in 1..=20_i128,
        mode in mode(),
    ) {
        for (num, den) in [(num, den), (num, small_den), (small, small_den), (small, den)] {
            prop_assert!(is_rounded(div_round(num, den, mode), num, den, mode), "{num}/{den}");
        }
    }

    #[test]
    fn a_return_is_within_one_minor_unit_of_exact_in_the_stated_direction(
        stake in stake(), price in price(), fraction in fraction(), mode in mode(),
    ) {
        let s = i128::from(stake.minor());
        let paid = returns(stake, price, None, mode);
        prop_assert!(is_rounded(paid.minor().into(), s * i128::from(price.e4()), 10_000, mode));
        prop_assert!(stake.money() <= paid);
        let (num, den) = (i128::from(fraction.num()), i128::from(fraction.den()));
        let paid = returns(stake, fraction.price(), Some(fraction), mode);
        prop_assert!(is_rounded(paid.minor().into(), s * (num + den), den, mode));
        prop_assert!(stake.money() <= paid);
    }

    #[test]
    fn profit_and_stake_are_the_return_and_the_reserve_covers_every_mode(
        stake in stake(), price in price(), mode in mode(),
        fraction in prop::option::of(fraction()),
    ) {
        let gained = profit(stake, price, fraction, mode);
        let paid = returns(stake, price, fraction, mode);
        prop_assert_eq!(gained.checked_add(stake.money()), Some(paid));
        prop_assert!(gained <= liability_up(stake, price, fraction));
    }

    #[test]
    fn a_better_price_or_a_greater_stake_never_pays_less(
        stake in stake(), more in stake(), price in price(), better in price(), mode in mode(),
    ) {
        let (stake, more) = (stake.min(more), stake.max(more));
        let (price, better) = (price.min(better), price.max(better));
        prop_assert!(returns(stake, price, None, mode) <= returns(stake, better, None, mode));
        prop_assert!(returns(stake, price, None, mode) <= returns(more, price, None, mode));
    }

    #[test]
    fn a_decimal_price_never_pays_more_than_the_fraction_it_came_from(
        stake in stake(), fraction in fraction(),
    ) {
        let exact = returns(stake, fraction.price(), Some(fraction), RoundingMode::Down);
        let shown = returns(stake, fraction.price(), None, RoundingMode::Down);
        prop_assert!(shown <= exact);
        if fraction.is_exact_decimal() {
            prop_assert_eq!(shown, exact);
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        minor in Money::MIN.minor()..=Money::MAX.minor(), cents in -100_000..=100_000_i64,
        stake in stake(), price in price(), fraction in fraction(), ppb in 0..=1_000_000_000_u32,
        index in any::<u32>(),
    ) {
        for minor in [minor, cents] {
            let money = Money::from_minor(minor).expect("in range");
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }
        prop_assert_eq!(stake.to_string().parse(), Ok(stake));
        prop_assert_eq!(price.to_string().parse(), Ok(price));
        prop_assert_eq!(Odds::parse(&price.to_string()), Ok(Quoted::decimal(price)));
        let read: Fraction = fraction.to_string().parse().expect("was written by us");
        prop_assert!(read.is_written_as(fraction));
        let american = price.to_american();
        prop_assert_eq!(american.to_string().parse::<American>(), Ok(american));
        let probability = Probability::from_ppb(ppb).expect("in range");
        prop_assert_eq!(probability.to_string().parse(), Ok(probability));
        prop_assert_eq!(Tick::new(index).to_string().parse(), Ok(Tick::new(index)));
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC{0,24}", digits in "[-+]?[0-9_./]{0,24}") {
        for text in [text.as_str(), digits.as_str()] {
            let _ = (text.parse::<Money>(), text.parse::<Stake>(), text.parse::<Price>());
            let _ = (text.parse::<Fraction>(), text.parse::<American>(), Odds::parse(text));
            let _ = (text.parse::<Probability>(), text.parse::<Tick>());
        }
    }

    #[test]
    fn american_odds_of_a_price_never_promise_more_and_lose_less_than_one(price in price()) {
        let value = i128::from(price.to_american().value());
        // Exact profit per stake of American odds: v/100, or 100/-v.
        let profit_of = |value: i128| if 0 < value { (value, 100) } else { (100, -value) };
        let profit_e4 = i128::from(price.e4()) - 10_000;
        let (num, den) = profit_of(value);
        prop_assert!(num * 10_000 <= profit_e4 * den, "not above the price");
        let next = if value == -101 { 100 } else { value + 1 };
        let (num, den) = profit_of(next);
        prop_assert!(profit_e4 * den < num * 10_000, "the next longer odds are above the price");
    }

    #[test]
    fn a_fraction_is_its_value_however_it_is_written(a in fraction(), b in fraction()) {
        prop_assert_eq!(a.reduced(), a);
        let left = u64::from(a.num()) * u64::from(b.den());
        let right = u64::from(b.num()) * u64::from(a.den());
        prop_assert_eq!(a.cmp(&b), left.cmp(&right));
        prop_assert!(b < a || a.price() <= b.price(), "the decimals keep the order");
    }

    #[test]
    fn a_board_price_is_on_the_right_side_and_nothing_lies_between(price in price()) {
        let board = FractionalLadder::TRADITIONAL;
        let profit_e4 = u64::from(price.e4()) - 10_000;
        let at_most = |f: &&Fraction| u64::from(f.num()) * 10_000 <= profit_e4 * u64::from(f.den());
        let at_least =
            |f: &&Fraction| profit_e4 * u64::from(f.den()) <= u64::from(f.num()) * 10_000;
        let down = board.prices().iter().rfind(at_most).copied();
        let up = board.prices().iter().find(at_least).copied();
        prop_assert_eq!(board.snap(price, Snap::Down), down);
        prop_assert_eq!(board.snap(price, Snap::Up), up);
        let nearest = board.snap(price, Snap::Nearest);
        prop_assert!(nearest.is_some() && (nearest == down || nearest == up));
    }

    #[test]
    fn snapping_finds_the_neighbours_on_any_ladder(ladder in ladder(), price in price()) {
        let down = ladder.snap(price, Snap::Down);
        let up = ladder.snap(price, Snap::Up);
        prop_assert_eq!(down.is_none(), price < ladder.first());
        prop_assert_eq!(up.is_none(), ladder.last() < price);
        if let (Some(down), Some(up)) = (down, up) {
            prop_assert!(down <= price && price <= up);
            let apart = ladder.ticks_between(down, up);
            prop_assert_eq!(apart, Some(if ladder.contains(price) { 0 } else { 1 }));
            let nearest = ladder.snap(price, Snap::Nearest).expect("there is always a nearest");
            let (to_down, to_up) = (price.e4() - down.e4(), up.e4() - price.e4());
            prop_assert_eq!(nearest, if to_up < to_down { up } else { down });
        }
        // Snapping what was snapped changes nothing.
        for snapped in [down, up, ladder.snap(price, Snap::Nearest)].into_iter().flatten() {
            for snap in [Snap::Down, Snap::Up, Snap::Nearest] {
                prop_assert_eq!(ladder.snap(snapped, snap), Some(snapped));
            }
        }
    }

    #[test]
    fn ticks_and_prices_of_any_ladder_are_each_others_inverse(
        ladder in ladder(), index in any::<prop::sample::Index>(), ticks in -500..=500_i32,
    ) {
        let tick = Tick::new(index.index(ladder.len() as usize) as u32);
        let price = ladder.price(tick).expect("below the length");
        prop_assert_eq!(ladder.tick(price), Some(tick));
        match ladder.step(price, ticks) {
            Some(there) => {
                prop_assert_eq!(ladder.ticks_between(price, there), Some(ticks));
                prop_assert_eq!(ladder.step(there, -ticks), Some(price));
            }
            None => {
                let index = i64::from(tick.index()) + i64::from(ticks);
                prop_assert!(index < 0 || i64::from(ladder.len()) <= index);
            }
        }
    }

    #[test]
    fn shares_sum_to_exactly_one_and_each_is_within_one_part_of_exact(
        weights in prop::collection::vec(
            prop_oneof![Just(0), 0..=1_000_u64, 0..=u64::MAX / 64], 1..=40),
    ) {
        let mut shares = vec![Probability::ZERO; weights.len()];
        let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        prop_assume!(0 < total);
        Probability::share_out(&weights, &mut shares).expect("there is something to share");
        let sum: u64 = shares.iter().map(|share| u64::from(share.ppb())).sum();
        prop_assert_eq!(sum, 1_000_000_000);
        for (&weight, share) in weights.iter().zip(&shares) {
            let exact = u128::from(weight) * 1_000_000_000;
            prop_assert!((u128::from(share.ppb()) * total).abs_diff(exact) < total);
            prop_assert!(0 < weight || share.ppb() == 0);
        }
        for (a, b) in weights.iter().zip(&shares) {
            for (c, d) in weights.iter().zip(&shares) {
                prop_assert!(a >= c || b <= d, "a smaller weight never gets the larger share");
            }
        }
    }

    #[test]
    fn an_implied_probability_is_the_nearest(price in price()) {
        let ppb = i128::from(Probability::of_price(price).ppb());
        let nearest = is_rounded(ppb, 10_000_000_000_000, price.e4().into(), RoundingMode::HalfUp);
        prop_assert!(nearest);
    }

    #[test]
    fn slippage_bounds_the_loss_exactly(
        requested in price(), current in price(), bp in 0..=10_000_u16,
    ) {
        let (requested_e4, current_e4) = (i128::from(requested.e4()), i128::from(current.e4()));
        let lower_by = requested_e4 - current_e4;
        let within = lower_by * 10_000 <= requested_e4 * i128::from(bp);
        prop_assert_eq!(price_within(requested, current, bp), within);
        // At the last price that passes, and one below it.
        let kept = requested_e4 * (10_000 - i128::from(bp));
        let last = div_round(kept, 10_000, RoundingMode::Up);
        if let Some(last) = u32::try_from(last).ok().and_then(Price::from_e4) {
            prop_assert!(price_within(requested, last, bp));
            if let Some(below) = Price::from_e4(last.e4() - 1) {
                prop_assert!(!price_within(requested, below, bp));
            }
        }
    }
}
