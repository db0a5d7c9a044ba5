//! Margins taken off and put on: what must hold for every book, and what others got wrong.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use betring_pricing::{
    Devigged, Framed, Ladder, Margin, Method, OUTCOMES_MAX, Price, PricingError, Probability, Snap,
    devig, devig_prices, devig_winners, price, price_of_odds, probabilities_of_floats,
};
use proptest::prelude::*;

/// Probabilities of one winner, or why there are none.
fn fair(method: Method, odds: &[f64]) -> Result<(Vec<f64>, Devigged), PricingError> {
    of_winners(method, odds, 1.0)
}

fn of_winners(
    method: Method,
    odds: &[f64],
    target: f64,
) -> Result<(Vec<f64>, Devigged), PricingError> {
    let mut probabilities = vec![0.0; odds.len()];
    let devigged = devig(method, odds, target, &mut probabilities)?;
    Ok((probabilities, devigged))
}

fn framed(margin: &Margin, probabilities: &[f64]) -> Result<(Vec<f64>, Framed), PricingError> {
    let mut odds = vec![0.0; probabilities.len()];
    let framed = margin.frame(probabilities, &mut odds)?;
    Ok((odds, framed))
}

fn sum(terms: &[f64]) -> f64 {
    terms.iter().sum()
}

fn booksum(odds: &[f64]) -> f64 {
    odds.iter().map(|odds| 1.0 / odds).sum()
}

fn farthest(these: &[f64], those: &[f64]) -> f64 {
    assert_eq!(these.len(), those.len());
    these.iter().zip(those).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

const TWENTY: [f64; 20] = [
    6.0, 7.5, 9.0, 11.0, 11.0, 13.0, 15.0, 17.0, 17.0, 21.0, 21.0, 26.0, 26.0, 34.0, 34.0, 41.0,
    51.0, 67.0, 81.0, 101.0,
];

#[test]
fn every_method_agrees_that_a_fair_book_is_fair() {
    for method in Method::ALL {
        let (probabilities, taken) = fair(method, &[2.0, 4.0, 4.0]).expect("a fair book");
        assert_eq!(probabilities, [0.5, 0.25, 0.25], "{method}");
        assert_eq!(taken.iterations, 0, "{method}");
    }
}

#[test]
fn methods_differ_most_on_a_longshot() {
    // The fair odds of a 26.00 shot in a book of 103.8 %, by each belief.
    let odds = [1.50, 4.50, 9.00, 26.0];
    for (method, shown) in [
        (Method::Multiplicative, "27.00"),
        (Method::Shin, "31.36"),
        (Method::OddsRatio, "27.90"),
        (Method::Power, "29.69"),
    ] {
        let (probabilities, _) = fair(method, &odds).expect("probabilities");
        assert_eq!(format!("{:.2}", 1.0 / probabilities[3]), shown, "{method}");
    }
}

// What others got wrong, by what it was.

#[test]
fn a_book_without_overround_is_refused_and_never_summed_wrongly() {
    // A solver that does not end answers these with sums of 0.891 and 0.916, after 1,001 steps.
    for odds in [&[3.1, 3.1, 3.1][..], &[2.9, 3.1, 3.2], &[2.1, 2.1], &[1.9, 2.2]] {
        for method in Method::ALL {
            let refused = fair(method, odds).map_err(PricingError::name);
            assert_eq!(refused, Err("booksum_below_one"), "{method} {odds:?}");
        }
    }
}

#[test]
fn shin_takes_a_handful_of_steps_where_the_usual_iteration_takes_hundreds() {
    // Linear convergence needs 425 steps here, and most where all prices are alike.
    let (probabilities, shin) = fair(Method::Shin, &[2.6, 2.4, 4.3]).expect("probabilities");
    assert!(shin.iterations <= 5, "{shin:?}");
    assert!(
        farthest(
            &probabilities,
            &[0.372_994_060_332_24, 0.404_779_410_920_16, 0.222_226_528_747_61]
        ) < 1e-14
    );
    let (_, alike) = fair(Method::Shin, &[2.9, 2.9, 2.9]).expect("probabilities");
    assert!(alike.iterations <= 5, "{alike:?}");
}

#[test]
fn shin_is_solved_to_the_last_digits_and_not_to_a_hundred_thousandth() {
    // Stopping when z moves by less than the fourth root of the float's precision leaves 7e-5.
    for odds in [&[4.20, 3.70, 1.95][..], &[2.45, 3.70, 2.90], &TWENTY] {
        let (probabilities, shin) = fair(Method::Shin, odds).expect("probabilities");
        let z = shin.parameter;
        let again: Vec<f64> = odds
            .iter()
            .map(|odds| {
                let share = 1.0 / odds / odds / shin.booksum;
                ((z * z + 4.0 * (1.0 - z) * share).sqrt() - z) / (2.0 * (1.0 - z))
            })
            .collect();
        assert!(farthest(&probabilities, &again) <= 1e-14);
        assert!((sum(&again) - 1.0).abs() <= 1e-13);
    }
}

#[test]
fn solved_probabilities_sum_to_one_and_not_to_one_and_a_ten_thousandth() {
    // Accepting a squared residual of 1e-9 leaves sums off by 7e-5 to 1.7e-4.
    for odds in [&[2.3, 3.5, 3.0][..], &TWENTY] {
        for method in Method::ALL {
            let (probabilities, _) = fair(method, odds).expect("probabilities");
            let off = (sum(&probabilities) - 1.0).abs();
            assert!(off <= 1e-15 * odds.len() as f64, "{method}: {off:e}");
        }
    }
}

#[test]
fn methods_of_two_names_are_one() {
    for (name, method) in [
        ("wpo", Method::Additive),
        ("differential-margin-weighting", Method::Additive),
        ("logarithmic", Method::OddsRatio),
    ] {
        assert_eq!(name.parse(), Ok(method));
    }
    let odds = [1.95, 3.5, 3.9];
    let outcomes = odds.len() as f64;
    let (additive, taken) = fair(Method::Additive, &odds).expect("probabilities");
    let margin = taken.booksum - 1.0;
    let weighted = odds.map(|odds| (outcomes - margin * odds) / (outcomes * odds));
    assert!(farthest(&additive, &weighted) <= 1e-15);
    let (ratio, taken) = fair(Method::OddsRatio, &odds).expect("probabilities");
    let shifted = odds.map(|odds| {
        let logit = -(odds - 1.0_f64).ln() - taken.parameter.ln();
        1.0 / (1.0 + (-logit).exp())
    });
    assert!(farthest(&ratio, &shifted) <= 1e-15);
}

#[test]
fn goto_is_not_shin_where_there_are_more_than_two_outcomes() {
    let odds = [2.6, 2.4, 4.3];
    let (shin, _) = fair(Method::Shin, &odds).expect("probabilities");
    let (goto, _) = fair(Method::Goto, &odds).expect("probabilities");
    assert_eq!(
        shin.iter().map(|p| format!("{p:.4}")).collect::<Vec<_>>(),
        ["0.3730", "0.4048", "0.2222"]
    );
    assert!(1e-4 < farthest(&shin, &goto));
    // Of two, Shin's is the additive one.
    let (shin, _) = fair(Method::Shin, &[1.5, 2.74]).expect("probabilities");
    let (additive, _) = fair(Method::Additive, &[1.5, 2.74]).expect("probabilities");
    assert!(farthest(&shin, &additive) <= 1e-15);
}

#[test]
fn a_longshot_that_a_method_leaves_nothing_is_named() {
    let odds = [1.15, 5.0, 10.0, 25.0];
    for method in [Method::Additive, Method::BalancedBook, Method::Goto] {
        let refused = fair(method, &odds);
        assert_eq!(refused, Err(PricingError::NegativeProbability { index: 3 }), "{method}");
    }
    for method in [Method::Multiplicative, Method::Power, Method::OddsRatio, Method::Shin] {
        let (probabilities, _) = fair(method, &odds).expect("probabilities");
        assert!(probabilities.iter().all(|&p| 0.0 < p), "{method}");
    }
    // The fifth of these is nearer to nothing than the others must be moved.
    let six = fair(Method::JensenShannon, &[1.05, 5.0, 10.0, 20.0, 50.0, 1000.0]);
    assert_eq!(six, Err(PricingError::NegativeProbability { index: 4 }));
}

#[test]
fn what_is_no_book_is_refused_by_every_method_and_leaves_zeros() {
    for (odds, refused) in [
        (vec![], PricingError::TooFewOutcomes),
        (vec![1.5], PricingError::TooFewOutcomes),
        (vec![2.0; OUTCOMES_MAX + 1], PricingError::TooManyOutcomes { most: OUTCOMES_MAX }),
        (vec![2.0, f64::NAN], PricingError::NotFinite { index: 1 }),
        (vec![1.2, f64::INFINITY, 1.2], PricingError::NotFinite { index: 1 }),
        (vec![f64::NEG_INFINITY, 1.2], PricingError::NotFinite { index: 0 }),
        (vec![1.2, 1.0], PricingError::OddsAtOrBelowOne { index: 1 }),
        (vec![0.0, 1.2], PricingError::OddsAtOrBelowOne { index: 0 }),
        (vec![-3.0, 1.2], PricingError::OddsAtOrBelowOne { index: 0 }),
    ] {
        for method in Method::ALL {
            let mut probabilities = vec![9.0; odds.len()];
            assert_eq!(devig(method, &odds, 1.0, &mut probabilities), Err(refused), "{method}");
            assert!(probabilities.iter().all(|&p| p == 0.0), "{method} {odds:?}");
        }
    }
    let refused = devig(Method::Shin, &[1.5, 2.5], 1.0, &mut [0.0; 3]);
    assert_eq!(refused, Err(PricingError::LengthsDiffer));
}

#[test]
fn as_many_winners_as_outcomes_is_no_book() {
    let odds = [1.2, 1.3, 1.4];
    for method in Method::ALL {
        for target in [3.0, 4.0, f64::INFINITY, 0.0, -1.0, f64::NAN] {
            let refused = of_winners(method, &odds, target);
            let winners = PricingError::WinnersOutOfRange { outcomes: 3 };
            assert_eq!(refused, Err(winners), "{method} {target}");
        }
        let (probabilities, _) = of_winners(method, &odds, 2.0).expect("two of three");
        assert!((sum(&probabilities) - 2.0).abs() < 1e-13, "{method}");
    }
}

#[test]
fn odds_of_the_least_profit_are_odds() {
    // The inverse of the first is the greatest float below one: no power of it is far from one.
    for odds in [&[1.0 + f64::EPSILON, 1e4][..], &[1.0001, 100_000.0, 50.0], &[1.01; 512]] {
        for method in [Method::Multiplicative, Method::Power, Method::OddsRatio, Method::Shin] {
            match fair(method, odds) {
                Ok((probabilities, _)) => {
                    let off = (sum(&probabilities) - 1.0).abs();
                    assert!(off <= 1e-13 * odds.len() as f64, "{method} {odds:?}: {off:e}");
                }
                Err(error) => panic!("{method} {:?}: {error}", &odds[..2]),
            }
        }
    }
}

#[test]
fn probabilities_of_prices_sum_to_one_exactly() {
    let prices = [price!(2.60), price!(2.40), price!(4.30)];
    let mut probabilities = [Probability::ZERO; 3];
    devig_prices(Method::Shin, &prices, &mut probabilities).expect("probabilities");
    assert_eq!(probabilities.map(Probability::ppb), [372_994_060, 404_779_411, 222_226_529]);
    let refused = devig_prices(Method::Shin, &[price!(3.10); 3], &mut probabilities);
    // 3 / 3.10.
    let (booksum_ppb, winners_ppb) = (967_741_935, 1_000_000_000);
    assert_eq!(refused, Err(PricingError::BooksumBelowOne { booksum_ppb, winners_ppb }));
    assert_eq!(probabilities, [Probability::ZERO; 3]);
}

#[test]
fn places_of_any_number_of_runners_are_quoted_from_floats() {
    // Three are placed, the favourites more often.
    let margin = Margin { winners: 3.0, ..Margin::new(Method::Power, 3.3) };
    let quote = |probabilities: &[Probability]| {
        let mut prices = vec![Price::MIN; probabilities.len()];
        margin.quote(probabilities, &Ladder::CLASSIC, Snap::Down, &mut prices)
    };
    let mut refused = 0;
    for runners in 5..63_u16 {
        let weights: Vec<f64> = (0..runners).map(|at| 1.0 / f64::from(10 + at)).collect();
        let all = sum(&weights);
        let floats: Vec<f64> = weights.iter().map(|weight| 3.0 * weight / all).collect();
        let mut places = vec![Probability::ZERO; floats.len()];
        probabilities_of_floats(&floats, 3, &mut places).expect("places");
        let ppb: u64 = places.iter().map(|place| u64::from(place.ppb())).sum();
        assert_eq!(ppb, 3_000_000_000, "{runners} runners");
        for (float, place) in floats.iter().zip(&places) {
            assert!((float * 1e9 - f64::from(place.ppb())).abs() < 1.0, "{runners} runners");
        }
        quote(&places).expect("prices");
        // Rounding each by itself is not enough.
        let rounded = |float: &f64| Probability::from_ppb((float * 1e9).round() as u32);
        let rounded: Vec<_> = floats.iter().map(|float| rounded(float).expect("a part")).collect();
        match quote(&rounded) {
            Ok(_) => {}
            Err(PricingError::SumOffTarget) => refused += 1,
            Err(error) => panic!("{runners} runners: {error}"),
        }
    }
    assert_eq!(refused, 33, "of 58");
}

#[test]
fn probabilities_of_many_prices_of_many_winners_sum_to_them_exactly() {
    let prices = TWENTY.map(|odds| Price::from_e4((odds * 2_500.0) as u32).expect("a price"));
    let mut places = [Probability::ZERO; 20];
    for method in [Method::Multiplicative, Method::Power, Method::OddsRatio, Method::Shin] {
        devig_winners(method, &prices, 4, &mut places).expect("probabilities");
        assert_eq!(places.iter().map(|p| u64::from(p.ppb())).sum::<u64>(), 4_000_000_000);
    }
    let refused = devig_winners(Method::Power, &prices, 20, &mut places);
    assert_eq!(refused, Err(PricingError::WinnersOutOfRange { outcomes: 20 }));
    assert_eq!(places, [Probability::ZERO; 20]);
}

#[test]
fn floats_that_are_no_probabilities_of_winners_are_refused_and_change_nothing() {
    for (floats, winners, refused) in [
        (vec![1.0], 1, PricingError::TooFewOutcomes),
        (vec![0.5; OUTCOMES_MAX + 1], 1, PricingError::TooManyOutcomes { most: OUTCOMES_MAX }),
        (vec![0.5, f64::NAN], 1, PricingError::NotFinite { index: 1 }),
        (vec![1.1, -0.1], 1, PricingError::ProbabilityOutOfRange { index: 0 }),
        (vec![1.0, 1.0], 2, PricingError::WinnersOutOfRange { outcomes: 2 }),
        (vec![0.0, 0.0], 0, PricingError::WinnersOutOfRange { outcomes: 2 }),
        (vec![0.5, 0.4], 1, PricingError::SumOffTarget),
    ] {
        let mut probabilities = vec![Probability::ONE; floats.len()];
        let found = probabilities_of_floats(&floats, winners, &mut probabilities);
        assert_eq!(found, Err(refused), "{floats:?}");
        assert!(probabilities.iter().all(|&p| p == Probability::ONE), "{floats:?}");
    }
    assert_eq!(probabilities_of_floats(&[1.0], 1, &mut []), Err(PricingError::LengthsDiffer));
}

#[test]
fn a_margin_in_proportion_would_push_a_favourite_below_evens_and_stops_at_the_bound() {
    // 0.9 · 1.15 is odds of 0.966. At 1.01 the favourite holds 0.9901, and the others share the rest.
    let margin = Margin { shortest: 1.01, ..Margin::new(Method::Multiplicative, 1.15) };
    let (odds, set) = framed(&margin, &[0.9, 0.06, 0.04]).expect("odds");
    assert_eq!(odds[0], 1.01);
    assert_eq!(set.bounded, 1);
    assert!((booksum(&odds) - 1.15).abs() <= 1e-15);
    assert!((odds[2] / odds[1] - 1.5).abs() <= 1e-12);
}

#[test]
fn every_method_meets_the_booksum_within_the_bounds_or_refuses() {
    let probabilities = [0.7, 0.2, 0.05, 0.04, 0.0099, 0.0001];
    for method in Method::ALL {
        let margin = Margin { shortest: 1.3, longest: 50.0, ..Margin::new(method, 1.2) };
        let (odds, set) = framed(&margin, &probabilities).expect("odds");
        assert!((booksum(&odds) - 1.2).abs() <= 1e-14, "{method} {odds:?}");
        assert!((set.booksum - 1.2).abs() <= 1e-14, "{method}");
        assert!(odds.iter().all(|odds| (1.3..=50.0).contains(odds)), "{method} {odds:?}");
        assert_eq!(set.bounded, odds.iter().filter(|&&o| o == 1.3 || o == 50.0).count());
        // The bound of the longshots alone holds more than this.
        for booksum in [1.005, 4.7] {
            let refused = framed(&Margin { booksum, ..margin }, &probabilities);
            assert_eq!(refused, Err(PricingError::TargetOutOfReach), "{method} {booksum}");
        }
        let none = PricingError::BooksumOutOfRange { winners_ppb: 1_000_000_000, outcomes: 6 };
        for booksum in [0.99, 6.0] {
            let refused = framed(&Margin { booksum, ..margin }, &probabilities);
            assert_eq!(refused, Err(none), "{method} {booksum}");
        }
    }
}

#[test]
fn a_margin_beyond_shins_greatest_is_refused() {
    // With everybody an insider the longshot's inverse odds are √0.1·(√0.1 + √0.9) = 0.4, and the
    // favourite's stop at those of 1.0001.
    let probabilities = [0.9, 0.1];
    assert!(framed(&Margin::new(Method::Shin, 1.3998), &probabilities).is_ok());
    let refused = framed(&Margin::new(Method::Shin, 1.4), &probabilities);
    assert_eq!(refused, Err(PricingError::TargetOutOfReach));
}

#[test]
fn what_is_no_forecast_or_no_bound_is_refused() {
    let margin = Margin::new(Method::Power, 1.05);
    let nan = f64::NAN;
    for (probabilities, refused) in [
        (vec![1.0], PricingError::TooFewOutcomes),
        (vec![0.001; OUTCOMES_MAX + 1], PricingError::TooManyOutcomes { most: OUTCOMES_MAX }),
        (vec![0.5, nan], PricingError::NotFinite { index: 1 }),
        (vec![0.5, 0.5, 0.0], PricingError::ProbabilityOutOfRange { index: 2 }),
        (vec![1.0, 0.1], PricingError::ProbabilityOutOfRange { index: 0 }),
        (vec![0.5, -0.5], PricingError::ProbabilityOutOfRange { index: 1 }),
        // A match whose draw was forgotten.
        (vec![0.45, 0.28], PricingError::SumOffTarget),
    ] {
        assert_eq!(framed(&margin, &probabilities), Err(refused), "{probabilities:?}");
    }
    let half = [0.5, 0.5];
    let above_one = ("shortest", "above 1 and finite");
    let longer = ("longest", "finite and not below the shortest");
    for (margin, (name, allowed)) in [
        (Margin { shortest: 1.0, ..margin }, above_one),
        (Margin { shortest: nan, ..margin }, above_one),
        (Margin { longest: 1.00005, ..margin }, longer),
        (Margin { longest: f64::INFINITY, ..margin }, longer),
    ] {
        let refused = Err(PricingError::ParameterOutOfRange { name, allowed });
        assert_eq!(framed(&margin, &half), refused);
    }
    for booksum in [nan, f64::INFINITY, 0.0] {
        let refused = framed(&Margin { booksum, ..margin }, &half);
        let none = PricingError::BooksumOutOfRange { winners_ppb: 1_000_000_000, outcomes: 2 };
        assert_eq!(refused, Err(none));
    }
    let mut odds = [9.0; 2];
    assert!(margin.frame(&[0.45, 0.28], &mut odds).is_err());
    assert_eq!(odds, [0.0; 2]);
}

#[test]
fn a_quoted_price_never_passes_the_bounds_of_the_trader_or_of_the_ladder() {
    let thousandths = |parts: &[u32]| -> Vec<Probability> {
        parts.iter().map(|p| Probability::from_ppb(p * 1_000_000).expect("a part")).collect()
    };
    let probabilities = thousandths(&[985, 14, 1]);
    let margin = Margin { shortest: 1.015, longest: 505.0, ..Margin::new(Method::OddsRatio, 1.08) };
    for snap in [Snap::Down, Snap::Up, Snap::Nearest] {
        let mut prices = [Price::MIN; 3];
        margin.quote(&probabilities, &Ladder::CLASSIC, snap, &mut prices).expect("prices");
        assert!(price!(1.02) <= prices[0] && prices[2] <= price!(500), "{snap}: {prices:?}");
        assert!(prices.iter().all(|&price| Ladder::CLASSIC.contains(price)), "{snap}");
    }
    // No price of the ladder lies between these bounds.
    let between = Margin { shortest: 2.001, longest: 2.019, ..margin };
    let mut prices = [Price::MIN; 2];
    let refused =
        between.quote(&thousandths(&[500, 500]), &Ladder::CLASSIC, Snap::Down, &mut prices);
    assert_eq!(refused, Err(PricingError::TargetOutOfReach));
    assert_eq!(prices, [Price::MIN; 2]);
}

#[test]
fn the_last_bit_of_a_float_costs_no_tick() {
    for price in Ladder::CLASSIC.prices() {
        let odds = f64::from(price.e4()) / 10_000.0;
        for odds in [odds, odds.next_down(), odds.next_up(), 1.0 / (1.0 / odds)] {
            for snap in [Snap::Down, Snap::Up, Snap::Nearest] {
                assert_eq!(price_of_odds(odds, &Ladder::CLASSIC, snap), Some(price));
            }
        }
    }
    for odds in [f64::NAN, 0.0, -2.0, 0.9999, 1e6, f64::INFINITY] {
        assert_eq!(price_of_odds(odds, &Ladder::FINEST, Snap::Nearest), None, "{odds}");
    }
}

#[test]
fn a_method_is_read_back_by_its_name() {
    for method in Method::ALL {
        assert_eq!(method.to_string().parse(), Ok(method));
    }
    assert_eq!(
        "basic".parse::<Method>().unwrap_err().to_string(),
        "not a method: it is one of multiplicative, additive, power, odds-ratio, shin, \
         balanced-book, goto, jensen-shannon"
    );
}

#[test]
fn the_same_bits_come_out_at_every_optimisation_and_on_every_machine() {
    let mut checksum = 0_u64;
    let mut add = |values: &[f64]| {
        for value in values {
            checksum = (checksum ^ value.to_bits()).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
    };
    for odds in [&[2.3, 3.5, 3.0][..], &[1.5, 2.75], &[1.2, 7.5, 17.0, 51.0, 23.0], &TWENTY] {
        for method in Method::ALL {
            let Ok((probabilities, taken)) = fair(method, odds) else { continue };
            add(&probabilities);
            add(&[taken.parameter]);
            let margin = Margin { shortest: 1.25, longest: 60.0, ..Margin::new(method, 1.1) };
            let (odds, set) = framed(&margin, &probabilities).expect("odds");
            add(&odds);
            add(&[set.parameter]);
        }
    }
    assert_eq!(checksum, 0xfd6a_df0a_aaea_c17d, "{checksum:#x}");
}

// What must hold for every book.

fn method() -> impl Strategy<Value = Method> {
    prop::sample::select(Method::ALL.as_slice())
}

/// Probabilities of one winner: some alike, some far apart.
fn shares() -> impl Strategy<Value = Vec<f64>> {
    let weight = prop_oneof![1.0..1.2_f64, 0.01..1.0_f64, 1e-4..1.0_f64];
    prop::collection::vec(weight, 2..=24).prop_map(|weights| {
        let whole = sum(&weights);
        weights.into_iter().map(|weight| weight / whole).collect()
    })
}

/// A book of the trade: a forecast, and a margin in proportion.
fn book() -> impl Strategy<Value = Vec<f64>> {
    (shares(), 1.0..1.5_f64).prop_map(|(shares, margin)| {
        shares.into_iter().map(|p| (1.0 / (p * margin)).max(1.001)).collect()
    })
}

proptest! {
    #[test]
    fn floats_become_probabilities_of_exactly_the_winners(
        weights in prop::collection::vec(prop_oneof![0.01..1.0_f64, Just(0.0), Just(1.0)], 2..=60),
        spread in 0.0..1.0_f64,
    ) {
        // Between all and a part of each: as many winners as make it whole.
        let floats: Vec<f64> = weights.iter().map(|weight| weight * spread).collect();
        let winners = sum(&floats).floor();
        prop_assume!(1.0 <= winners);
        let floats: Vec<f64> = floats.iter().map(|float| float * winners / sum(&floats)).collect();
        let mut probabilities = vec![Probability::ZERO; floats.len()];
        probabilities_of_floats(&floats, winners as u16, &mut probabilities).expect("a sum");
        let ppb: u64 = probabilities.iter().map(|p| u64::from(p.ppb())).sum();
        prop_assert_eq!(ppb, winners as u64 * 1_000_000_000);
        for (float, probability) in floats.iter().zip(&probabilities) {
            prop_assert!((float * 1e9 - f64::from(probability.ppb())).abs() < 1.01);
            prop_assert!(0.0 < *float || *probability == Probability::ZERO);
        }
    }

    #[test]
    fn probabilities_sum_to_the_target_and_keep_the_order(method in method(), odds in book()) {
        match fair(method, &odds) {
            Ok((probabilities, taken)) => {
                prop_assert!((sum(&probabilities) - 1.0).abs() <= 1e-13 * odds.len() as f64);
                for (p, o) in probabilities.iter().zip(&odds) {
                    prop_assert!(0.0 < *p && *p <= (1.0 + 1e-14) / o);
                    for (q, u) in probabilities.iter().zip(&odds) {
                        prop_assert!(o >= u || p >= q);
                    }
                }
                prop_assert!(taken.iterations <= 30, "{:?}", taken);
            }
            // Only a book that was cut at the shortest odds has no margin left.
            Err(PricingError::BooksumBelowOne { .. }) => prop_assert!(booksum(&odds) < 1.0),
            Err(PricingError::NegativeProbability { .. }) => prop_assert!(matches!(
                method,
                Method::Additive | Method::BalancedBook | Method::Goto | Method::JensenShannon
            )),
            Err(error) => prop_assert!(false, "{method}: {error}"),
        }
    }

    #[test]
    fn a_margin_put_on_again_gives_the_odds_back(method in method(), odds in book()) {
        if let Ok((probabilities, taken)) = fair(method, &odds) {
            let margin = Margin::new(method, taken.booksum);
            let (again, set) = framed(&margin, &probabilities).expect("odds");
            for (odds, again) in odds.iter().zip(&again) {
                prop_assert!((odds / again - 1.0).abs() <= 1e-9, "{method}: {odds} {again}");
                let snapped = |odds| price_of_odds(odds, &Ladder::FINEST, Snap::Down);
                let (first, second) = (snapped(*odds), snapped(*again));
                let apart = first.zip(second).and_then(|(a, b)| Ladder::FINEST.ticks_between(a, b));
                prop_assert!(apart.is_none_or(|ticks| ticks.abs() <= 1));
            }
            prop_assert!((set.parameter - taken.parameter).abs() <= 1e-9 * taken.parameter.max(1.0));
        }
    }

    #[test]
    fn a_margin_taken_off_again_gives_the_probabilities_back(
        method in method(),
        shares in shares(),
        booksum in 1.0..1.4_f64,
    ) {
        if let Ok((odds, set)) = framed(&Margin::new(method, booksum), &shares)
            && set.bounded == 0
        {
            let (again, _) = fair(method, &odds).expect("probabilities");
            prop_assert!(farthest(&shares, &again) <= 1e-12, "{method}");
        }
    }

    #[test]
    fn the_higher_the_margin_the_shorter_every_price(
        method in method(),
        shares in shares(),
        low in 1.0..1.4_f64,
        more in 0.0..0.2_f64,
    ) {
        let bounds = Margin { shortest: 1.01, longest: 1000.0, ..Margin::new(method, low) };
        let lower = framed(&bounds, &shares);
        let higher = framed(&Margin { booksum: low + more, ..bounds }, &shares);
        if let (Ok((lower, _)), Ok((higher, set))) = (lower, higher) {
            for (lower, higher) in lower.iter().zip(&higher) {
                prop_assert!(*higher <= lower * (1.0 + 1e-12));
            }
            prop_assert!((booksum(&higher) - (low + more)).abs() <= 1e-12);
            prop_assert!(set.iterations <= 80, "{:?}", set);
        }
    }

    #[test]
    fn any_floats_make_probabilities_or_an_error_and_never_a_nan(
        method in method(),
        odds in prop::collection::vec(
            prop_oneof![
                any::<u64>().prop_map(f64::from_bits),
                1.0..3.0_f64,
                Just(f64::MAX),
                Just(1.0 + f64::EPSILON),
            ],
            0..8,
        ),
        target in prop_oneof![Just(1.0), any::<u64>().prop_map(f64::from_bits), 0.0..8.0_f64],
    ) {
        match of_winners(method, &odds, target) {
            Ok((probabilities, taken)) => {
                prop_assert!(probabilities.iter().all(|p| 0.0 < *p && *p <= 1.0));
                prop_assert!((sum(&probabilities) - target).abs() <= 1e-13 * odds.len() as f64);
                prop_assert!(taken.parameter.is_finite() && taken.booksum.is_finite());
            }
            Err(error) => prop_assert_ne!(error.to_string(), ""),
        }
    }

    #[test]
    fn any_floats_make_odds_or_an_error_and_never_a_nan(
        method in method(),
        shares in prop_oneof![
            shares(),
            prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 0..4),
            Just(vec![f64::MIN_POSITIVE, 1.0 - f64::EPSILON]),
            Just(vec![5e-324, 0.5, 0.5]),
        ],
        booksum in prop_oneof![1.0..3.0_f64, any::<u64>().prop_map(f64::from_bits)],
        longest in prop_oneof![1.0..1e5_f64, any::<u64>().prop_map(f64::from_bits)],
    ) {
        let margin = Margin { longest, ..Margin::new(method, booksum) };
        if let Ok((odds, set)) = framed(&margin, &shares) {
            prop_assert!(odds.iter().all(|odds| (1.0001..=longest).contains(odds)));
            prop_assert!((self::booksum(&odds) - booksum).abs() <= 1e-12 * odds.len() as f64);
            prop_assert!(set.parameter.is_finite());
        }
    }

    #[test]
    fn probabilities_of_any_prices_sum_to_one_exactly(
        method in method(),
        prices in prop::collection::vec(10_001..200_000_u32, 2..=24),
    ) {
        let prices: Vec<Price> =
            prices.into_iter().map(|e4| Price::from_e4(e4).expect("in range")).collect();
        let mut probabilities = vec![Probability::ONE; prices.len()];
        let whole = match devig_prices(method, &prices, &mut probabilities) {
            Ok(_) => 1_000_000_000,
            Err(_) => 0,
        };
        let parts: u64 = probabilities.iter().map(|p| u64::from(p.ppb())).sum();
        prop_assert_eq!(parts, whole);
    }
}
