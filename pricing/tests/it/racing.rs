//! Races: who finishes where, bets on orders, multiples within one race, races from prices.

use betring_pricing::{
    PricingError,
    model::racing::{
        Discount, PLACES_MAX, RUNNERS_MAX, Race, RaceLeg, fit_discount, fit_race, normal,
    },
};
use proptest::prelude::*;

const SEVEN: [f64; 7] = [0.29, 0.27, 0.235, 0.073, 0.063, 0.055, 0.014];

/// Every order of the first `places` and its probability, the slow and obvious way.
fn orders(win: &[f64], powers: [f64; 4], places: usize) -> Vec<(Vec<usize>, f64)> {
    let mut orders = vec![(Vec::new(), 1.0)];
    for &power in &powers[..places] {
        let mut longer = Vec::new();
        for (order, probability) in orders {
            let left: Vec<usize> =
                (0..win.len()).filter(|at| win[*at] > 0.0 && !order.contains(at)).collect();
            if left.is_empty() {
                longer.push((order, probability));
                continue;
            }
            let total: f64 = left.iter().map(|&at| win[at].powf(power)).sum();
            for at in left {
                let mut order = order.clone();
                order.push(at);
                longer.push((order, probability * win[at].powf(power) / total));
            }
        }
        orders = longer;
    }
    orders
}

fn race(win: &[f64], powers: [f64; 4]) -> Race {
    Race::new(win, Discount::new(powers[1], powers[2], powers[3]).expect("powers")).expect("a race")
}

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-12, "{got} is not {expected}");
}

/// Scaled to sum to one. A weight of 0 does not run.
fn field(weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

fn fields(runners: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<f64>> {
    let weight = prop_oneof![8 => 0.001..1.0_f64, 1 => Just(0.0), 1 => 1e-6..1e-3_f64];
    prop::collection::vec(weight, runners)
        .prop_filter("at least two run", |all| all.iter().filter(|one| **one > 0.0).count() >= 2)
        .prop_map(|weights| field(&weights))
}

fn powers() -> impl Strategy<Value = [f64; 4]> {
    prop_oneof![
        Just([1.0; 4]),
        Just([1.0, 0.88, 0.81, 0.76]),
        Just([1.0, 0.7, 0.7, 0.7]),
        Just([1.0, 0.0, 1.5, 0.5]),
        (0.0..2.0, 0.0..2.0, 0.0..2.0).prop_map(|(two, three, four)| [1.0, two, three, four]),
    ]
}

#[test]
fn equal_runners_have_equal_chances_of_every_rank() {
    for runners in 2..=RUNNERS_MAX {
        let win = vec![1.0 / runners as f64; runners];
        let ranks = race(&win, [1.0, 0.88, 0.81, 0.76]).ranks(4).expect("ranks");
        for rank in 1..=PLACES_MAX.min(runners) {
            for &cell in ranks.rank(rank) {
                near(cell, 1.0 / runners as f64);
            }
        }
    }
}

#[test]
fn a_discount_is_one_minus_a_dilative_and_nothing_is_left_to_chance() {
    // A peer mixes each rank's probabilities with an even field instead, by a "dilative", and adds up
    // random races. Its model is a power of one minus the dilative, here by hand.
    let dilatives = [0.0, 0.1, 0.2, 0.3];
    let win = [0.4, 0.3, 0.2, 0.1];
    let race = race(&win, dilatives.map(|dilative| 1.0 - dilative));
    let second: f64 = (1..4)
        .map(|first| {
            let left: f64 =
                (0..4).filter(|&at| at != first).map(|at: usize| win[at].powf(0.9)).sum();
            win[first] * win[0].powf(0.9) / left
        })
        .sum();
    near(race.ranks(2).expect("ranks").rank(2)[0], second);
    // A thousand times the same bits.
    let once = race.ranks(4).expect("ranks");
    assert!((0..1_000).all(|_| race.ranks(4) == Ok(once)));
}

#[test]
fn who_does_not_run_has_no_rank_and_changes_nothing() {
    let with = race(&[0.5, 0.0, 0.3, 0.0, 0.2], [1.0, 0.0, 0.5, 0.9]);
    let without = race(&[0.5, 0.3, 0.2], [1.0, 0.0, 0.5, 0.9]);
    let (with_ranks, ranks) = (with.ranks(4).expect("ranks"), without.ranks(4).expect("ranks"));
    for rank in 1..=3 {
        let row = with_ranks.rank(rank);
        assert_eq!([row[1], row[3]], [0.0, 0.0]);
        for (with, without) in [row[0], row[2], row[4]].iter().zip(ranks.rank(rank)) {
            near(*with, *without);
        }
    }
    // Nobody comes fourth of three.
    assert_eq!(with_ranks.rank(4), [0.0; 5]);
    assert_eq!(
        with.exacta(0, 1),
        Err(PricingError::ParameterOutOfRange {
            name: "runner",
            allowed: "one that runs, counted from 0, and named once"
        }),
        "nobody may bet on who does not run"
    );
    let last = RaceLeg::Top { runner: 4, places: 4 };
    near(with.multiple(&[last]).expect("a leg"), 1.0);
    near(with.multiple(&[RaceLeg::Exact { runner: 4, rank: 4 }]).expect("a leg"), 0.0);
}

#[test]
fn a_favourite_that_is_nearly_certain_takes_no_digit_from_the_others() {
    let race = race(&[1.0 - 5e-12, 2e-12, 1e-12, 1e-12, 1e-12], [1.0; 4]);
    let ranks = race.ranks(4).expect("ranks");
    // As if the others ran among themselves, 2 : 1 : 1 : 1, for the ranks from the second on.
    let among = Race::new(&[0.4, 0.2, 0.2, 0.2], Discount::HARVILLE).expect("a race");
    let among_ranks = among.ranks(3).expect("ranks");
    let close = |got: f64, expected: f64| {
        assert!((got - expected).abs() < 1e-10, "{got} is not {expected}");
    };
    for rank in 1..=3 {
        for (cell, among) in ranks.rank(rank + 1)[1..].iter().zip(among_ranks.rank(rank)) {
            close(*cell, *among);
        }
    }
    close(race.exacta(0, 1).expect("runners"), 0.4);
    close(race.superfecta([0, 1, 2, 3]).expect("runners"), among.trifecta(0, 1, 2).expect("three"));
    for places in 2..=4 {
        let leg = RaceLeg::Top { runner: 1, places };
        close(race.multiple(&[leg]).expect("a leg"), among_ranks.top(places - 1, 0));
    }
}

#[test]
fn what_is_no_race_is_named() {
    let race = |win: &[f64]| Race::new(win, Discount::default()).map(|_| ());
    assert_eq!(race(&[]), Err(PricingError::TooFewOutcomes));
    assert_eq!(race(&[1.0, 0.0]), Err(PricingError::TooFewOutcomes));
    assert_eq!(race(&[0.025; 41]), Err(PricingError::TooManyOutcomes { most: 40 }));
    assert_eq!(race(&[0.5, f64::NAN]), Err(PricingError::NotFinite { index: 1 }));
    assert_eq!(race(&[0.5, f64::INFINITY]), Err(PricingError::NotFinite { index: 1 }));
    assert_eq!(race(&[1.5, -0.5]), Err(PricingError::ProbabilityOutOfRange { index: 0 }));
    assert_eq!(race(&[1.0, 1e-13]), Err(PricingError::ProbabilityOutOfRange { index: 1 }));
    assert_eq!(race(&[0.5, 0.4]), Err(PricingError::SumOffTarget));
    let three = Race::new(&[0.5, 0.3, 0.2], Discount::HARVILLE).expect("a race");
    let runner = PricingError::ParameterOutOfRange {
        name: "runner",
        allowed: "one that runs, counted from 0, and named once",
    };
    let places = PricingError::ParameterOutOfRange { name: "places", allowed: "1 to 4" };
    let legs = PricingError::ParameterOutOfRange {
        name: "legs",
        allowed: "8 at most, with 8 runners at most where one beats another",
    };
    assert_eq!(three.ranks(5), Err(places));
    assert_eq!(three.ranks(0), Err(places));
    assert_eq!(three.exacta(1, 1), Err(runner));
    assert_eq!(three.trifecta(0, 1, 3), Err(runner));
    assert_eq!(three.in_order(&[]), Err(places));
    assert_eq!(three.multiple(&[RaceLeg::Beats { winner: 1, loser: 1 }]), Err(runner));
    assert_eq!(three.multiple(&[RaceLeg::Top { runner: 1, places: 5 }]), Err(places));
    assert_eq!(three.multiple(&[RaceLeg::Top { runner: 1, places: 1 }; 9]), Err(legs));
}

#[test]
fn legs_that_contradict_each_other_never_hold() {
    let race = race(&SEVEN, [1.0, 0.88, 0.81, 0.76]);
    let holds = |legs: &[RaceLeg]| race.multiple(legs).expect("legs");
    let beats = |winner, loser| RaceLeg::Beats { winner, loser };
    assert_eq!(holds(&[beats(0, 1), beats(1, 0)]), 0.0);
    assert_eq!(holds(&[beats(0, 1), beats(1, 2), beats(2, 0)]), 0.0);
    let first = |runner| RaceLeg::Exact { runner, rank: 1 };
    assert_eq!(holds(&[first(0), first(1)]), 0.0);
    assert_eq!(holds(&[first(0), RaceLeg::Exact { runner: 0, rank: 2 }]), 0.0);
    assert_eq!(holds(&[first(0), beats(1, 0)]), 0.0);
    // Four cannot be among three.
    let top = [0, 1, 2, 3].map(|runner| RaceLeg::Top { runner, places: 3 });
    assert_eq!(holds(&top), 0.0);
    // And what follows from the rest costs nothing.
    near(holds(&[first(0), beats(0, 6)]), SEVEN[0]);
    near(holds(&[]), 1.0);
}

#[test]
fn one_of_two_beats_the_other() {
    let race = race(&SEVEN, [1.0, 0.76, 0.62, 0.5]);
    for (one, other) in [(0, 1), (0, 6), (4, 5)] {
        let beats =
            |winner, loser| race.multiple(&[RaceLeg::Beats { winner, loser }]).expect("one");
        near(beats(one, other) + beats(other, one), 1.0);
        assert!(beats(one, other) > 0.5, "the likelier winner is in front more often");
    }
    // Two pairs at once: the four ways sum to one.
    let ways: f64 = [(0, 1, 2, 3), (1, 0, 2, 3), (0, 1, 3, 2), (1, 0, 3, 2)]
        .iter()
        .map(|&(a, b, c, d)| {
            let legs =
                [RaceLeg::Beats { winner: a, loser: b }, RaceLeg::Beats { winner: c, loser: d }];
            race.multiple(&legs).expect("two legs")
        })
        .sum();
    near(ways, 1.0);
}

/// Whether the legs hold when this is the whole order.
fn hold(legs: &[RaceLeg], order: &[usize]) -> bool {
    let rank = |runner| order.iter().position(|&other| other == runner).expect("it runs");
    legs.iter().all(|&leg| match leg {
        RaceLeg::Top { runner, places } => rank(runner) < places,
        RaceLeg::Exact { runner, rank: exact } => rank(runner) + 1 == exact,
        RaceLeg::Beats { winner, loser } => rank(winner) < rank(loser),
    })
}

fn leg(runners: usize) -> impl Strategy<Value = RaceLeg> {
    prop_oneof![
        (0..runners, 1..=4_usize).prop_map(|(runner, places)| RaceLeg::Top { runner, places }),
        (0..runners, 1..=4_usize).prop_map(|(runner, rank)| RaceLeg::Exact { runner, rank }),
        (0..runners, 1..runners).prop_map(move |(winner, by)| RaceLeg::Beats {
            winner,
            loser: (winner + by) % runners
        }),
    ]
}

proptest! {
    #[test]
    fn ranks_are_what_all_orders_sum_to(win in fields(2..=8), powers in powers()) {
        let race = race(&win, powers);
        let ranks = race.ranks(4).expect("ranks");
        let mut slow = vec![[0.0; 4]; win.len()];
        for (order, probability) in orders(&win, powers, 4) {
            for (rank, &runner) in order.iter().enumerate() {
                slow[runner][rank] += probability;
            }
        }
        for (runner, slow) in slow.iter().enumerate() {
            for (rank, &slow) in slow.iter().enumerate() {
                near(ranks.rank(rank + 1)[runner], slow);
            }
        }
        // Fewer places are the same ranks.
        for places in 1..=3 {
            let fewer = race.ranks(places).expect("ranks");
            for rank in 1..=places {
                prop_assert_eq!(fewer.rank(rank), ranks.rank(rank));
            }
        }
    }

    #[test]
    fn everybody_finishes_somewhere_and_every_rank_is_taken(
        win in fields(2..=RUNNERS_MAX),
        powers in powers(),
    ) {
        let live = win.iter().filter(|win| **win > 0.0).count();
        let ranks = race(&win, powers).ranks(4).expect("ranks");
        for rank in 1..=PLACES_MAX.min(live) {
            near(ranks.rank(rank).iter().sum(), 1.0);
            near((0..win.len()).map(|runner| ranks.top(rank, runner)).sum(), rank as f64);
        }
        if live <= PLACES_MAX {
            for (runner, &win) in win.iter().enumerate() {
                near(ranks.top(4, runner), if win > 0.0 { 1.0 } else { 0.0 });
            }
        }
    }

    #[test]
    fn bets_on_orders_are_what_all_orders_say(win in fields(5..=7), powers in powers()) {
        let race = race(&win, powers);
        let mut any = [0.0; 5];
        for (order, probability) in orders(&win, powers, 4) {
            if order.len() == 4 {
                near(race.in_order(&order).expect("an order"), probability);
                let front: usize = order.iter().map(|runner| 1 << runner).sum();
                any[4] += if front == 0b1111 { probability } else { 0.0 };
            }
        }
        if win[..4].iter().all(|win| *win > 0.0) {
            near(race.in_any_order(&[0, 1, 2, 3]).expect("a box"), any[4]);
            let both = race.exacta(0, 1).expect("runners") + race.exacta(1, 0).expect("runners");
            near(race.quinella(1, 0).expect("runners"), both);
        }
    }

    #[test]
    fn a_multiple_is_what_all_orders_in_which_its_legs_hold_sum_to(
        (win, legs) in (4..=7_usize).prop_flat_map(|runners| {
            (
                prop::collection::vec(0.001..1.0_f64, runners).prop_map(|all| field(&all)),
                prop::collection::vec(leg(runners), 0..=4),
            )
        }),
        powers in powers(),
    ) {
        // To the last: from the fourth rank on the power stays.
        let mut all = powers.to_vec();
        all.resize(7, powers[3]);
        let slow: f64 = whole_orders(&win, &all)
            .iter()
            .filter(|(order, _)| hold(&legs, order))
            .map(|(_, probability)| probability)
            .sum();
        near(race(&win, powers).multiple(&legs).expect("legs"), slow);
    }

    #[test]
    fn no_float_makes_a_race_panic_or_say_nan(
        win in prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 0..=5),
        first in any::<u64>().prop_map(f64::from_bits),
        powers in prop::array::uniform3(any::<u64>().prop_map(f64::from_bits)),
    ) {
        let discount = Discount::new(powers[0], powers[1], powers[2]).unwrap_or_default();
        // As it is, and with what makes a sum of one of it.
        let filled: Vec<f64> = [first, 1.0 - first].into_iter().chain(win.clone()).collect();
        for win in [&win[..], &filled[..], &filled[..2]] {
            if let Ok(race) = Race::new(win, discount) {
                for rank in 1..=4 {
                    let ranks = race.ranks(4).expect("ranks");
                    prop_assert!(ranks.rank(rank).iter().all(|cell| (0.0..=1.0).contains(cell)));
                }
            }
            let _ = fit_discount(win, win, 2).map(|fit| assert!(fit.residual.is_finite()));
            let mut out = vec![0.0; win.len()];
            if normal::win(win, &mut out).is_ok() {
                prop_assert!(out.iter().all(|win| (0.0..=1.0 + 1e-12).contains(win)));
            }
            if normal::abilities(win, &mut out).is_ok() {
                prop_assert!(out.iter().all(|ability| ability.is_finite()));
            }
        }
    }

    #[test]
    fn a_race_that_was_priced_is_read_back_from_its_prices(
        win in prop::collection::vec(0.02..1.0_f64, 6..=12).prop_map(|all| field(&all)),
        strength in -1.0..3.0,
        places in 2..=4_usize,
    ) {
        let discount = Discount::of_strength(strength).expect("in range");
        let ranks = Race::new(&win, discount).and_then(|race| race.ranks(places)).expect("ranks");
        let place: Vec<f64> = (0..win.len()).map(|runner| ranks.top(places, runner)).collect();
        for fit in [fit_discount(&win, &place, places), fit_race(&win, &place, places)] {
            let fit = fit.expect("a fit");
            prop_assert!(fit.residual < 1e-10, "{fit:?}");
            let again = fit.race.ranks(places).expect("ranks");
            for (runner, place) in place.iter().enumerate() {
                prop_assert!((again.top(places, runner) - place).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn abilities_are_read_back_from_who_wins(
        abilities in prop::collection::vec(-1.5..1.5_f64, 2..=14),
    ) {
        let mut win = vec![0.0; abilities.len()];
        normal::win(&abilities, &mut win).expect("abilities");
        near(win.iter().sum(), 1.0);
        let mut again = vec![0.0; abilities.len()];
        normal::abilities(&win, &mut again).expect("a solution");
        let mean = abilities.iter().sum::<f64>() / abilities.len() as f64;
        for (again, ability) in again.iter().zip(&abilities) {
            prop_assert!((again - (ability - mean)).abs() < 1e-8, "{again} {ability} {mean}");
        }
    }
}

/// Every order of all runners, with one power for each rank.
fn whole_orders(win: &[f64], powers: &[f64]) -> Vec<(Vec<usize>, f64)> {
    let mut whole = vec![(Vec::new(), 1.0)];
    for &power in &powers[..win.len()] {
        let mut longer = Vec::new();
        for (order, probability) in whole {
            let left: Vec<usize> = (0..win.len()).filter(|at| !order.contains(at)).collect();
            let total: f64 = left.iter().map(|&at| win[at].powf(power)).sum();
            for at in left {
                let mut order: Vec<usize> = order.clone();
                order.push(at);
                longer.push((order, probability * win[at].powf(power) / total));
            }
        }
        whole = longer;
    }
    whole
}

#[test]
fn the_normal_model_agrees_with_itself() {
    let abilities = [-0.5, 0.0, 0.2, 0.3, 1.0];
    let mut win = [0.0; 5];
    normal::win(&abilities, &mut win).expect("abilities");
    // Who wins has somebody behind.
    for (first, win) in win.iter().enumerate() {
        let seconds = (0..5).filter(|&second| second != first);
        let sum: f64 =
            seconds.map(|second| normal::exacta(&abilities, first, second).expect("both")).sum();
        near(sum, *win);
    }
    // Only differences count.
    let mut moved = [0.0; 5];
    normal::win(&abilities.map(|ability| ability + 0.777), &mut moved).expect("abilities");
    for (moved, win) in moved.iter().zip(&win) {
        near(*moved, *win);
    }
    // Of two: the difference of the times has the deviation √2; Φ(1/√2) from a table.
    let mut two = [0.0; 2];
    normal::win(&[0.0, 1.0], &mut two).expect("abilities");
    near(two[0], 0.760_249_938_906_523_2);
}

#[test]
fn what_no_discount_explains_is_said() {
    let win = [0.4, 0.3, 0.2, 0.1];
    // Places as if the order of strength were turned round.
    let turned = [0.3, 0.4, 0.6, 0.7];
    assert_eq!(fit_discount(&win, &turned, 2).map(|_| ()), Err(PricingError::NoSolution));
    let places = |places: &[f64], k| fit_discount(&win, places, k).map(|_| ());
    assert_eq!(places(&[0.5; 3], 2), Err(PricingError::LengthsDiffer));
    assert_eq!(places(&[0.5; 4], 3), Err(PricingError::SumOffTarget));
    assert_eq!(
        places(&[0.5; 4], 4),
        Err(PricingError::ParameterOutOfRange {
            name: "places",
            allowed: "2 to 4 and fewer than run",
        }),
        "four of four are always placed"
    );
    assert_eq!(
        places(&[1.0, 0.5, 0.4, 0.1], 2),
        Err(PricingError::ProbabilityOutOfRange { index: 0 })
    );
    // Equal runners tell nothing of the discount; what is not told stays.
    let fit = fit_discount(&[0.25; 4], &[0.5; 4], 2).expect("a fit");
    assert_eq!((fit.race.discount(), fit.residual < 1e-15), (Discount::GAMMA, true));
}

#[test]
fn a_fit_of_both_gives_way_on_both_sides() {
    let race = Race::new(&SEVEN, Discount::of_strength(1.5).expect("in range")).expect("a race");
    let ranks = race.ranks(3).expect("ranks");
    let mut place: Vec<f64> = (0..7).map(|runner| ranks.top(3, runner)).collect();
    // The place market likes the last more than the win market does.
    place[6] += 0.05;
    place[0] -= 0.05;
    let (alone, both) = (fit_discount(&SEVEN, &place, 3), fit_race(&SEVEN, &place, 3));
    let (alone, both) = (alone.expect("a fit"), both.expect("a fit"));
    assert!(both.residual < alone.residual, "{both:?} {alone:?}");
    assert!(SEVEN[6] < both.race.win()[6], "the last is taken to be stronger");
}
