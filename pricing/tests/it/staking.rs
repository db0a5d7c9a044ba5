//! How much to stake, a market maker's prices, and scores of forecasts.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use betring_pricing::{Lmsr, PricingError, kelly, score};
use proptest::prelude::*;

fn near(this: f64, that: f64) -> bool {
    (this - that).abs() <= 1e-12
}

/// What the logarithm of a bankroll gains in the mean by these stakes.
fn growth(odds: &[f64], probabilities: &[f64], stakes: &[f64]) -> f64 {
    let staked: f64 = stakes.iter().sum();
    let rest = 1.0 - probabilities.iter().sum::<f64>();
    let mut growth = if rest <= 1e-12 { 0.0 } else { rest * (1.0 - staked).ln() };
    for ((odds, p), stake) in odds.iter().zip(probabilities).zip(stakes) {
        growth += if *p == 0.0 { 0.0 } else { p * (1.0 - staked + stake * odds).ln() };
    }
    growth
}

#[test]
fn nothing_is_staked_on_a_bet_that_is_not_worth_more_than_it_costs() {
    for (odds, p) in [(2.0, 0.5), (2.0, 0.4), (1.01, 0.99), (100.0, 0.0)] {
        let bet = kelly::single(odds, p, 1.0).expect("a bet");
        assert_eq!((bet.stake, bet.growth), (0.0, 0.0), "{odds} {p}");
    }
}

#[test]
fn half_of_kelly_has_three_quarters_of_the_growth() {
    let (whole, half) = (kelly::single(2.1, 0.49, 1.0), kelly::single(2.1, 0.49, 0.5));
    let ratio = half.expect("a bet").growth / whole.expect("a bet").growth;
    assert!((ratio - 0.75).abs() < 0.01, "{ratio}");
}

#[test]
fn exclusive_stakes_are_the_best_and_not_capped_by_a_search() {
    // A search with caps of half a bet and 0.99 in all finds 0.01283 of this.
    let (odds, p) = ([2.1, 3.6, 4.2], [0.52, 0.28, 0.20]);
    let mut stakes = [0.0; 3];
    let bets = kelly::exclusive(&odds, &p, 1.0, &mut stakes).expect("stakes");
    assert!(0.013126 < bets.growth && bets.growth < 0.013127, "{bets:?}");
    assert!(near(bets.growth, growth(&odds, &p, &stakes)));
    // Everything is staked, so any other stakes move some of it, or keep it.
    for from in 0..3 {
        for to in 0..3 {
            let mut other = stakes;
            other[from] -= 1e-4;
            assert!(growth(&odds, &p, &other) < bets.growth, "{from}");
            other[to] += 1e-4;
            assert!(from == to || growth(&odds, &p, &other) < bets.growth, "{from} {to}");
        }
    }
}

#[test]
fn one_exclusive_bet_is_a_single_one() {
    let mut stakes = [0.0];
    let bets = kelly::exclusive(&[2.1], &[0.55], 0.5, &mut stakes).expect("a stake");
    let bet = kelly::single(2.1, 0.55, 0.5).expect("a stake");
    assert!(near(stakes[0], bet.stake) && near(bets.growth, bet.growth));
}

#[test]
fn where_every_result_pays_nothing_is_kept() {
    // 2.10 on both sides: whatever wins, what was staked by belief grows.
    let mut stakes = [0.0; 2];
    let bets = kelly::exclusive(&[2.1, 2.1], &[0.5, 0.5], 1.0, &mut stakes).expect("stakes");
    assert_eq!((stakes, bets.reserve), ([0.5, 0.5], 0.0));
    assert!(near(bets.growth, 1.05_f64.ln()));
}

#[test]
fn what_is_certain_is_staked_on_in_full() {
    for (odds, fraction) in [(2.0, 1.0), (1.01, 1.0), (3.0, 0.5)] {
        let bet = kelly::single(odds, 1.0, fraction).expect("a bet");
        let mut stakes = [0.0];
        let bets = kelly::exclusive(&[odds], &[1.0], fraction, &mut stakes).expect("a bet");
        assert_eq!((bet.stake, stakes[0]), (fraction, fraction));
        assert!(near(bet.growth, (1.0 + fraction * (odds - 1.0)).ln()));
        assert!(near(bet.growth, bets.growth));
    }
}

#[test]
fn what_is_no_bet_is_refused() {
    let fraction = Err(PricingError::ParameterOutOfRange {
        name: "fraction",
        allowed: "above 0 and at most 1",
    });
    assert_eq!(kelly::single(2.0, 0.6, 0.0), fraction);
    assert_eq!(kelly::single(2.0, 0.6, f64::NAN), fraction);
    assert_eq!(kelly::single(1.0, 0.6, 1.0), Err(PricingError::OddsAtOrBelowOne { index: 0 }));
    assert_eq!(kelly::single(2.0, 1.1, 1.0), Err(PricingError::ProbabilityOutOfRange { index: 0 }));
    let exclusive = |p: &[f64]| kelly::exclusive(&[2.0, 3.0], p, 1.0, &mut [0.0; 2]);
    assert_eq!(exclusive(&[0.6, 0.5]), Err(PricingError::SumOffTarget));
    assert_eq!(exclusive(&[0.6]), Err(PricingError::LengthsDiffer));
    assert_eq!(exclusive(&[0.6, f64::NAN]), Err(PricingError::NotFinite { index: 1 }));
    assert_eq!(kelly::exclusive(&[], &[], 1.0, &mut []), Err(PricingError::TooFewOutcomes));
}

#[test]
fn a_market_maker_loses_no_more_than_it_says() {
    let maker = Lmsr::new(100.0).expect("a liquidity");
    let mut sold = [0.0; 3];
    let mut paid = 0.0;
    for _ in 0..200 {
        paid += maker.cost(&sold, 1, 25.0).expect("a cost");
        sold[1] += 25.0;
    }
    let lost = sold[1] - paid;
    assert!(lost <= maker.worst_loss(3) + 1e-9, "{lost}");
    assert!((lost - maker.worst_loss(3)).abs() < 1e-6, "{lost}");
    assert_eq!(format!("{:.3}", maker.worst_loss(3)), "109.861");
}

#[test]
fn shares_sold_back_bring_what_they_cost() {
    let maker = Lmsr::new(1000.0).expect("a liquidity");
    let bought = maker.cost(&[200.0, -50.0, 0.0], 1, 5000.0).expect("a cost");
    let back = maker.cost(&[200.0, 4950.0, 0.0], 1, -5000.0).expect("a cost");
    assert!((bought + back).abs() < 1e-9, "{bought} {back}");
}

#[test]
fn far_up_a_share_costs_what_it_pays() {
    // A million shares where ten move the price: e^100000 is no float, and is not computed.
    let maker = Lmsr::new(10.0).expect("a liquidity");
    let cost = maker.cost(&[0.0, 0.0], 0, 1e6).expect("a cost");
    assert!((cost - (1e6 - 10.0 * 2.0_f64.ln())).abs() < 1e-9, "{cost}");
    let back = maker.cost(&[1e6, 0.0], 0, -1e6).expect("a cost");
    assert!((cost + back).abs() < 1e-6, "{back}");
}

#[test]
fn a_market_maker_refuses_what_has_no_price() {
    let maker = Lmsr::new(10.0).expect("a liquidity");
    let range = |name, allowed| PricingError::ParameterOutOfRange { name, allowed };
    for liquidity in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Lmsr::new(liquidity), Err(range("liquidity", "above 0 and finite")));
    }
    assert_eq!(maker.price(&[0.0], 0), Err(PricingError::TooFewOutcomes));
    assert_eq!(
        maker.price(&[0.0, 0.0], 2),
        Err(range("outcome", "the place of one, counted from 0"))
    );
    assert_eq!(maker.price(&[0.0, f64::NAN], 0), Err(PricingError::NotFinite { index: 1 }));
    assert_eq!(maker.cost(&[0.0, 0.0], 0, f64::INFINITY), Err(range("shares", "a finite number")));
    assert_eq!(maker.prices(&[0.0, 0.0], &mut [0.0; 3]), Err(PricingError::LengthsDiffer));
}

#[test]
fn a_forecast_is_scored_by_how_far_off_it_was() {
    // Certain and right, certain and next to it, certain and at the other end.
    let ranked = |outcome| score::ranked_probability(&[1.0, 0.0, 0.0], outcome);
    assert_eq!([ranked(0), ranked(1), ranked(2)], [Ok(0.0), Ok(0.5), Ok(1.0)]);
    // Brier's score sees no order.
    let brier = |outcome| score::brier(&[1.0, 0.0, 0.0], outcome);
    assert_eq!([brier(0), brier(1), brier(2)], [Ok(0.0), Ok(2.0), Ok(2.0)]);
    assert_eq!(score::ignorance(&[0.5, 0.5], 1), Ok(1.0));
    assert_eq!(score::ignorance(&[0.25, 0.75], 0), Ok(2.0));
    // Of two outcomes the first two are one, but for a factor of two.
    let (ranked, brier) = (score::ranked_probability(&[0.3, 0.7], 1), score::brier(&[0.3, 0.7], 1));
    assert!(near(2.0 * ranked.expect("a score"), brier.expect("a score")));
}

#[test]
fn what_is_no_forecast_is_not_scored() {
    for score in [score::ranked_probability, score::brier, score::ignorance] {
        assert_eq!(score(&[1.0], 0), Err(PricingError::TooFewOutcomes));
        assert_eq!(score(&[0.5, 0.4], 0), Err(PricingError::SumOffTarget));
        assert_eq!(score(&[0.5, f64::NAN], 0), Err(PricingError::NotFinite { index: 1 }));
        assert_eq!(score(&[1.5, -0.5], 0), Err(PricingError::ProbabilityOutOfRange { index: 0 }));
        let refused = Err(PricingError::ParameterOutOfRange {
            name: "outcome",
            allowed: "the place of one, counted from 0",
        });
        assert_eq!(score(&[0.5, 0.5], 2), refused);
    }
    let ruled_out = score::ignorance(&[0.0, 1.0], 0);
    assert_eq!(ruled_out, Err(PricingError::ProbabilityOutOfRange { index: 0 }));
}

proptest! {
    #[test]
    fn no_other_exclusive_stakes_grow_faster(
        outcomes in prop::collection::vec((1.05..20.0_f64, 0.01..1.0_f64, 0.0..0.2_f64), 1..=6),
        certain in any::<bool>(),
    ) {
        let odds: Vec<f64> = outcomes.iter().map(|outcome| outcome.0).collect();
        let whole: f64 = outcomes.iter().map(|outcome| outcome.1).sum();
        let share = if certain && 1 < outcomes.len() { 1.0 } else { 0.9 };
        let p: Vec<f64> = outcomes.iter().map(|outcome| outcome.1 / whole * share).collect();
        let mut stakes = vec![0.0; odds.len()];
        let bets = kelly::exclusive(&odds, &p, 1.0, &mut stakes).expect("stakes");
        prop_assert!(bets.growth.is_finite() && 0.0 <= bets.growth + 1e-15);
        prop_assert!(stakes.iter().all(|stake| (0.0..=1.0).contains(stake)));
        let kept = 1.0 - stakes.iter().sum::<f64>();
        prop_assert!((kept - bets.reserve).abs() <= 1e-9, "{kept} {}", bets.reserve);
        // Any other stakes: these, moved part of the way to arbitrary ones.
        let other: Vec<f64> = stakes
            .iter()
            .zip(&outcomes)
            .map(|(stake, outcome)| 0.9 * stake + 0.1 * outcome.2 / odds.len() as f64)
            .collect();
        prop_assert!(growth(&odds, &p, &other) <= bets.growth + 1e-12);
    }

    #[test]
    fn a_market_makers_prices_sum_to_one_and_its_cost_is_between_them(
        sold in prop::collection::vec(-1e3..1e3_f64, 2..=8),
        liquidity in 10.0..1e3_f64,
        shares in 1e-6..1e4_f64,
    ) {
        let maker = Lmsr::new(liquidity).expect("a liquidity");
        let mut prices = vec![0.0; sold.len()];
        maker.prices(&sold, &mut prices).expect("prices");
        prop_assert!((prices.iter().sum::<f64>() - 1.0).abs() <= 1e-14);
        let cost = maker.cost(&sold, 0, shares).expect("a cost");
        let mut after = sold;
        after[0] += shares;
        let later = maker.price(&after, 0).expect("a price");
        let error = 1e-9 * shares;
        prop_assert!(prices[0] * shares <= cost + error && cost <= later * shares + error);
    }
}
