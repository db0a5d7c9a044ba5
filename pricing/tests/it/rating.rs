//! Ratings: from strengths to results and back.

use betring_pricing::{
    PricingError,
    model::rating::{
        Advantage, Draws, Meeting, bradley_terry, davidson, davidson_from, elo_expected,
        elo_update, fit_strengths, margin_from, margin_over, rao_kupper, rao_kupper_from,
    },
};
use proptest::prelude::*;

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-9, "{got} is not {expected}");
}

/// Everybody at everybody's, with exactly the results that the strengths expect.
fn season(strengths: &[f64], advantage: f64, draw: f64) -> Vec<Meeting> {
    let mut meetings = Vec::new();
    for (home, home_strength) in strengths.iter().enumerate() {
        for (away, away_strength) in strengths.iter().enumerate() {
            if home != away {
                let results = davidson(advantage * home_strength, *away_strength, draw);
                meetings.push(Meeting { home, away, results: results.expect("strengths") });
            }
        }
    }
    meetings
}

#[test]
fn four_hundred_points_are_ten_to_one() {
    assert_eq!(elo_expected(1500.0, 1500.0, 0.0), Ok(0.5));
    near(elo_expected(1900.0, 1500.0, 0.0).expect("ratings"), 10.0 / 11.0);
    near(elo_expected(1500.0, 1600.0, 100.0).expect("ratings"), 0.5);
    // What one gains the other loses.
    let expected = elo_expected(1600.0, 1500.0, 0.0).expect("ratings");
    let winner = elo_update(1600.0, expected, 1.0, 32.0).expect("an update");
    let loser = elo_update(1500.0, 1.0 - expected, 0.0, 32.0).expect("an update");
    near(winner + loser, 3100.0);
    // Elo's points are 400 log₁₀ of strengths.
    near(bradley_terry(10.0_f64.powf(0.25), 1.0).expect("strengths"), expected);
}

#[test]
fn what_is_out_of_range_is_named() {
    let name = |error: PricingError| match error {
        PricingError::ParameterOutOfRange { name, .. } => name,
        other => other.name(),
    };
    assert_eq!(elo_expected(f64::NAN, 0.0, 0.0).map_err(name), Err("rating"));
    assert_eq!(elo_update(1500.0, 1.1, 1.0, 20.0).map_err(name), Err("expected"));
    assert_eq!(elo_update(1500.0, 0.5, 2.0, 20.0).map_err(name), Err("scored"));
    assert_eq!(elo_update(1500.0, 0.5, 1.0, -1.0).map_err(name), Err("k"));
    assert_eq!(bradley_terry(0.0, 1.0).map_err(name), Err("strength"));
    assert_eq!(davidson(1.0, 1.0, -0.1).map_err(name), Err("draw"));
    assert_eq!(rao_kupper(1.0, 1.0, 0.9).map_err(name), Err("threshold"));
    assert_eq!(davidson_from([0.5, 0.5, 0.5]).map_err(name), Err("sum_off_target"));
    assert_eq!(davidson_from([0.5, 0.0, 0.5]).map_err(name), Err("probability_out_of_range"));
    assert_eq!(margin_over(0.0, 0.0, 0.0).map_err(name), Err("scale"));
    // A higher line cannot be likelier.
    assert_eq!(margin_from([(0.0, 0.4), (1.0, 0.6)]).map_err(name), Err("no_solution"));
}

#[test]
fn a_side_that_took_all_has_no_likeliest_strength() {
    let fit = |meetings: &[Meeting], sides: usize| {
        let (mut strengths, mut work) = (vec![0.0; sides], vec![0.0; 2 * sides]);
        fit_strengths(meetings, Advantage::None, Draws::HalfAWin, &mut strengths, &mut work)
    };
    let met = |home, away, results| Meeting { home, away, results };
    assert_eq!(fit(&[met(0, 1, [3.0, 0.0, 0.0])], 2), Err(PricingError::NoSolution));
    // Nobody knows of the third.
    assert_eq!(fit(&[met(0, 1, [3.0, 0.0, 1.0])], 3), Err(PricingError::NoSolution));
    assert_eq!(fit(&[], 1), Err(PricingError::TooFewOutcomes));
    let meetings = PricingError::ParameterOutOfRange {
        name: "meetings",
        allowed: "between two different sides, counted from 0",
    };
    assert_eq!(fit(&[met(0, 2, [1.0; 3])], 2), Err(meetings));
    assert_eq!(fit(&[met(1, 1, [1.0; 3])], 2), Err(meetings));
    let results = PricingError::ParameterOutOfRange { name: "results", allowed: "0 to 1e9" };
    assert_eq!(fit(&[met(0, 1, [1.0, f64::NAN, 1.0])], 2), Err(results));
}

proptest! {
    #[test]
    fn strengths_are_read_back_from_the_results_that_they_expect(
        logs in prop::collection::vec(-1.5..1.5_f64, 2..=10),
        advantage in 0.5..2.5_f64,
        draw in 0.1..2.0_f64,
    ) {
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let strengths: Vec<f64> = logs.iter().map(|log| (log - mean).exp()).collect();
        let meetings = season(&strengths, advantage, draw);
        let (mut found, mut work) = (vec![0.0; logs.len()], vec![0.0; 2 * logs.len()]);
        let fit =
            fit_strengths(&meetings, Advantage::Home, Draws::Davidson, &mut found, &mut work)
                .expect("a fit");
        near(fit.advantage, advantage);
        near(fit.draw, draw);
        for (found, strength) in found.iter().zip(&strengths) {
            near(*found, *strength);
        }
        // Without draws and on neutral ground, draws being half wins.
        let meetings = season(&strengths, 1.0, 0.0);
        fit_strengths(&meetings, Advantage::None, Draws::HalfAWin, &mut found, &mut work)
            .expect("a fit");
        for (found, strength) in found.iter().zip(&strengths) {
            near(*found, *strength);
        }
    }

    #[test]
    fn prices_give_back_the_strengths_they_were_made_of(
        home in 0.05..20.0_f64,
        away in 0.05..20.0_f64,
        draw in 0.01..5.0_f64,
        threshold in 1.01..10.0_f64,
    ) {
        let (ratio, drawn) = davidson_from(davidson(home, away, draw).expect("strengths"))
            .expect("probabilities");
        near(ratio * away / home, 1.0);
        near(drawn, draw);
        let (ratio, found) = rao_kupper_from(rao_kupper(home, away, threshold).expect("strengths"))
            .expect("probabilities");
        near(ratio * away / home, 1.0);
        near(found, threshold);
        // The same said of margins.
        let (expected, within) = ((home / away).ln(), threshold.ln());
        let [wins, draws, _] = rao_kupper(home, away, threshold).expect("strengths");
        near(margin_over(expected, 1.0, within).expect("a margin"), wins);
        near(margin_over(expected, 1.0, -within).expect("a margin"), wins + draws);
    }

    #[test]
    fn no_float_makes_a_rating_panic_or_say_nan(
        bits in prop::array::uniform4(any::<u64>()),
        plain in prop::array::uniform4(0.0..2.0_f64),
        mask in 0..16_u8,
    ) {
        let x: Vec<f64> = (0..4)
            .map(|at| if mask & 1 << at == 0 { plain[at] } else { f64::from_bits(bits[at]) })
            .collect();
        let (a, b, c, d) = (x[0], x[1], x[2], x[3]);
        let mut got = Vec::new();
        got.extend(elo_expected(a, b, c));
        got.extend(elo_update(a, b, c, d));
        got.extend(bradley_terry(a, b));
        got.extend(davidson(a, b, c).into_iter().flatten());
        got.extend(rao_kupper(a, b, c).into_iter().flatten());
        got.extend(margin_over(a, b, c));
        for (one, two) in [
            davidson_from([a, b, c]),
            davidson_from([a, b, 1.0 - a - b]),
            rao_kupper_from([a, b, 1.0 - a - b]),
            margin_from([(a, b), (c, d)]),
        ]
        .into_iter()
        .flatten()
        {
            got.extend([one, two]);
        }
        prop_assert!(got.iter().all(|got| got.is_finite()), "{got:?}");
        let meetings = [
            Meeting { home: 0, away: 1, results: [a, b, c] },
            Meeting { home: 1, away: 0, results: [d, a, b] },
        ];
        let (mut strengths, mut work) = ([0.0; 2], [0.0; 4]);
        let fit =
            fit_strengths(&meetings, Advantage::Home, Draws::Davidson, &mut strengths, &mut work);
        if let Ok(fit) = fit {
            prop_assert!(strengths.iter().all(|strength| strength.is_finite()));
            prop_assert!(fit.advantage.is_finite() && fit.draw.is_finite());
        }
    }
}
