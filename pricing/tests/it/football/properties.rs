//! What holds for the prices of every football match.

use betring_pricing::{
    Band, Ladder, Price, Side, Snap,
    derive::football::{
        Fair, Margins, Market, OUTCOMES, Outcome, Prices, Score, Split, Team, Winner, multiple,
    },
    model::football::{
        CardEffect, Clock, GOALS_MAX, GoalModel, MEAN_MAX, RedCards, ScoreGrid,
        fit::{self, AtMost},
    },
    price,
};
use proptest::prelude::*;

use super::{line, over, under};

/// Models of every kind, those with the greatest and without any goals too.
fn model() -> impl Strategy<Value = GoalModel> {
    let mean = || prop_oneof![4 => 0.05..3.5, 1 => 0.0..=MEAN_MAX, 1 => Just(0.0)];
    prop_oneof![
        (mean(), mean(), -0.3..0.3)
            .prop_filter_map("a rho within its bounds", |(home, away, rho)| {
                GoalModel::dixon_coles(home, away, rho).ok()
            }),
        (mean(), mean(), 0.0..1.0)
            .prop_filter_map("means within bounds", |(home, away, shared)| {
                GoalModel::bivariate(home, away, shared).ok()
            }),
    ]
}

fn score() -> impl Strategy<Value = Score> {
    let goals = || prop_oneof![4 => 0..4_u8, 1 => any::<u8>()];
    (goals(), goals()).prop_map(|(home, away)| Score::new(home, away))
}

/// Anything that the score at the end settles, with lines and scores that are not always priced.
fn leg() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (0..OUTCOMES).prop_map(|at| Outcome::ALL[at]),
        any::<i8>().prop_map(over),
        any::<i8>().prop_map(|quarters| Outcome::Asian(Team::Away, line(quarters))),
        (0..9_u8, 0..9_u8).prop_map(|(home, away)| Outcome::Score(Score::new(home, away))),
    ]
    .prop_filter("settled by the score", |leg| leg.settle(Score::NIL_NIL).is_some())
}

proptest! {
    #[test]
    fn every_probability_is_that_of_the_scores_which_win(model in model(), score in score()) {
        let grid = ScoreGrid::new(&model);
        let fair = Fair::of(&grid, score);
        for (outcome, &probability) in Outcome::ALL.iter().zip(fair.probabilities()) {
            if let Some(split) = Split::of(&grid, score, *outcome) {
                let won = split.won + 0.5 * split.half_won;
                let decided = won + split.lost + 0.5 * split.half_lost;
                let expected = if 0.0 < decided { won / decided } else { 0.0 };
                // What is hardly ever decided is a quotient of small numbers.
                let tolerance = 1e-14 + 1e-15 / decided.max(1e-300);
                prop_assert!((probability - expected).abs() <= tolerance, "{outcome}: {split:?}");
                let joint = multiple(&grid, score, &[*outcome]).unwrap();
                prop_assert!((joint.won - won).abs() < 1e-14);
                let all = split.won + split.half_won + split.void + split.half_lost + split.lost;
                prop_assert!((all - 1.0).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn one_bet_under_two_names_has_one_price(model in model(), score in score()) {
        let fair = Fair::of(&ScoreGrid::new(&model), score);
        let p = |outcome: Outcome| fair.probability(outcome).unwrap().to_bits();
        let asian = |team, quarters| Outcome::Asian(team, line(quarters));
        let [home, draw, away] = Winner::ALL;
        for (one, other) in [
            (asian(Team::Home, -2), Outcome::Result(home)),
            (asian(Team::Away, -2), Outcome::Result(away)),
            (asian(Team::Home, 0), Outcome::DrawNoBet(Team::Home)),
            (asian(Team::Away, 0), Outcome::DrawNoBet(Team::Away)),
            (asian(Team::Home, -6), Outcome::European(home, -1)),
            (Outcome::European(draw, -2), Outcome::Margin(2)),
            (Outcome::Margin(0), Outcome::Result(draw)),
            (Outcome::MarginFrom(-4), Outcome::European(away, 3)),
            (under(2), Outcome::Goals(0)),
            (over(22), Outcome::GoalsFrom(6)),
            (Outcome::TeamTotal(Team::Away, Side::Over, line(10)),
                Outcome::TeamGoalsFrom(Team::Away, 3)),
            (Outcome::CleanSheet(Team::Home, true), Outcome::TeamGoals(Team::Away, 0)),
        ] {
            prop_assert_eq!(p(one), p(other), "{} and {}", one, other);
        }
        let (win, loss) = (p(Outcome::Result(home)), p(Outcome::Result(away)));
        let (win, loss) = (f64::from_bits(win), f64::from_bits(loss));
        if 1e-9 < win + loss {
            let no_bet = f64::from_bits(p(Outcome::DrawNoBet(Team::Home)));
            prop_assert!((no_bet - win / (win + loss)).abs() < 1e-15);
        }
    }

    #[test]
    fn the_probabilities_of_a_market_sum_to_one(model in model(), score in score()) {
        let fair = Fair::of(&ScoreGrid::new(&model), score);
        let mut at = 0;
        while at < OUTCOMES {
            let market = Outcome::ALL[at].market();
            let mut sum = 0.0;
            while at < OUTCOMES && Outcome::ALL[at].market() == market {
                sum += fair.probabilities()[at];
                at += 1;
            }
            let expected = if market == Market::DoubleChance { 2.0 } else { 1.0 };
            // Or all of it is returned.
            let returned = matches!(market, Market::DrawNoBet | Market::Total(_) | Market::Asian(_));
            prop_assert!(
                (sum - expected).abs() < 1e-13 || (returned && sum == 0.0),
                "{} sums to {}", market, sum
            );
        }
    }

    #[test]
    fn no_price_is_above_what_it_is_worth_and_none_grows_with_the_margin(
        model in model(), score in score(), margins in (0.0..=0.3_f64, 0.0..=0.3_f64),
    ) {
        let grid = ScoreGrid::new(&model);
        let fair = Fair::of(&grid, score);
        let (low, high) = (margins.0.min(margins.1), margins.0.max(margins.1));
        let all = [0.0, low, high].map(|margin| {
            Prices::of(&fair, &Margins::uniform(margin).unwrap())
        });
        let ladder = Prices::on_ladder(&fair, &Margins::uniform(low).unwrap(), &Ladder::CLASSIC);
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            let e4 = |prices: &Prices| prices.at(at).map_or(0, Price::e4);
            let [none, low, high] = [0, 1, 2].map(|margin| e4(&all[margin]));
            prop_assert!(high <= low && low <= none, "{}: {} {} {}", outcome, none, low, high);
            prop_assert!(e4(&ladder) <= low);
            // A unit on it comes back once at most, on average over one and the same grid: so no
            // set of such bets wins whatever happens.
            if let (Some(price), Ok(joint)) = (all[0].at(at), multiple(&grid, score, &[outcome])) {
                prop_assert!(joint.expected_return(price) <= 1.0 + 1e-12, "{}: {}", outcome, price);
            }
        }
        // What is likelier is never longer.
        let prices = &all[1];
        let mut order: Vec<usize> = (0..OUTCOMES).filter(|&at| prices.at(at).is_some()).collect();
        order.sort_by(|&a, &b| fair.probabilities()[a].total_cmp(&fair.probabilities()[b]));
        prop_assert!(order.is_sorted_by_key(|&at| std::cmp::Reverse(prices.at(at).unwrap())));
    }

    #[test]
    fn a_price_on_a_ladder_is_the_highest_that_is_not_above_the_fine_one(
        model in model(), score in score(), margin in 0.0..=1.0_f64,
    ) {
        let fair = Fair::of(&ScoreGrid::new(&model), score);
        let margins = Margins::uniform(margin).unwrap();
        let fine = Prices::of(&fair, &margins);
        let whole = Band { from: Price::MIN, to: Price::MAX, step_e4: 1 };
        let halves = Band { from: price!(1.5), to: price!(9.5), step_e4: 5_000 };
        for ladder in [
            Ladder::CLASSIC, Ladder::FINEST, Ladder::BETDAQ,
            Ladder::new(&[whole]).unwrap(), Ladder::new(&[halves]).unwrap(),
        ] {
            let snapped = Prices::on_ladder(&fair, &margins, &ladder);
            for (at, (outcome, price)) in fine.iter().enumerate() {
                let expected = price.and_then(|price| ladder.snap(price, Snap::Down));
                prop_assert_eq!(snapped.at(at), expected, "{} on {}", outcome, ladder);
            }
        }
    }

    #[test]
    fn with_a_shortest_price_all_that_is_open_and_can_happen_has_one(
        model in model(), score in score(), margin in 0.0..=1.0_f64, shortest in 10_001..30_000_u32,
    ) {
        let fair = Fair::of(&ScoreGrid::new(&model), score);
        let before = Margins::uniform(margin).unwrap();
        let shortest = Price::from_e4(shortest).unwrap();
        let margins = before.clone().shortest(shortest);
        let halves = Band { from: price!(1.5), to: price!(9.5), step_e4: 5_000 };
        for ladder in [None, Some(Ladder::CLASSIC), Some(Ladder::new(&[halves]).unwrap())] {
            let of = |margins| match &ladder {
                Some(ladder) => Prices::on_ladder(&fair, margins, ladder),
                None => Prices::of(&fair, margins),
            };
            let first = ladder.map_or(Some(shortest), |ladder| ladder.snap(shortest, Snap::Up));
            let (before, after) = (of(&before), of(&margins));
            for (market, places) in Market::all() {
                let certain = |p: f64| 1.0 - 1e-12 <= p;
                let is_open = !fair.probabilities()[places.clone()].iter().any(|&p| certain(p));
                for at in places {
                    let p = fair.probabilities()[at];
                    let (before, after) = (before.at(at), after.at(at));
                    // No price that was long enough moves, and no other is above the shortest.
                    let expected = if p == 0.0 || certain(p) { before } else { before.max(first) };
                    prop_assert_eq!(after, expected, "{} at {}", market, p);
                    prop_assert!(!is_open || after.is_some() == (0.0 < p), "{} at {}", market, p);
                }
            }
        }
    }

    #[test]
    fn no_two_markets_together_win_whatever_happens(model in model(), score in score()) {
        let fair = Fair::of(&ScoreGrid::new(&model), score);
        let prices = Prices::of(&fair, &Margins::NONE);
        let [home, draw, away] = Winner::ALL;
        let (asian, result) = (|quarters| Outcome::Asian(Team::Home, line(quarters)), Outcome::Result);
        for outcomes in [
            vec![result(home), Outcome::Not(home)],
            vec![asian(-2), result(draw), Outcome::Asian(Team::Away, line(-2))],
            vec![Outcome::Score(Score::NIL_NIL), over(2)],
            vec![under(10), Outcome::Goals(3), Outcome::Goals(4), over(18)],
            vec![Outcome::BothScore(true), Outcome::CleanSheet(Team::Home, true),
                Outcome::ToNil(Team::Home, false)],
            vec![Outcome::ResultAndBothScore(home, true), Outcome::ToNil(Team::Home, true),
                Outcome::Not(home)],
            vec![Outcome::European(home, -1), Outcome::Margin(1), Outcome::Not(home)],
            vec![Outcome::Odd, Outcome::Even],
            vec![Outcome::ResultAndTotal(away, Side::Over, line(10)),
                Outcome::ResultAndTotal(away, Side::Under, line(10)), Outcome::Not(away)],
        ] {
            // Backing all of them so that each returns one costs one at least.
            let cost: Option<f64> = outcomes.iter().map(|&outcome| {
                Some(10_000.0 / f64::from(prices.get(outcome)?.e4()))
            }).sum();
            prop_assert!(cost.is_none_or(|cost| 1.0 - 1e-12 <= cost), "{:?}: {:?}", outcomes, cost);
        }
    }

    #[test]
    fn more_legs_win_no_more_often(
        model in model(), score in score(), legs in prop::collection::vec(leg(), 1..6),
    ) {
        let grid = ScoreGrid::new(&model);
        let all = multiple(&grid, score, &legs).unwrap();
        prop_assert!((all.won + all.returned + all.lost - 1.0).abs() < 1e-13);
        for leg in &legs {
            let one = multiple(&grid, score, &[*leg]).unwrap();
            prop_assert!(all.won <= one.won + 1e-15 && one.lost <= all.lost + 1e-15);
        }
        // Together with each of the results it is what it is alone.
        let parts = Winner::ALL.map(|winner| {
            let legs: Vec<_> = legs.iter().copied().chain([Outcome::Result(winner)]).collect();
            multiple(&grid, score, &legs).unwrap().won
        });
        prop_assert!((parts.iter().sum::<f64>() - all.won).abs() < 1e-13);
    }

    #[test]
    fn a_grid_keeps_its_mass_and_the_next_goal_is_somebodys_or_none(model in model()) {
        let grid = ScoreGrid::new(&model);
        let mut all = 0.0;
        for home in 0..=GOALS_MAX as u8 {
            for away in 0..=GOALS_MAX as u8 {
                all += grid.probability(home, away);
                prop_assert!(0.0 <= grid.probability(home, away));
                let exact = model.probability(home, away) / (1.0 - model.lost_mass());
                prop_assert!((exact - grid.probability(home, away)).abs() < 1e-14);
            }
        }
        prop_assert!((all - 1.0).abs() < 1e-14, "{}", all);
        let fair = Fair::of(&grid, Score::NIL_NIL);
        let next = [Some(Team::Home), None, Some(Team::Away)]
            .map(|team| fair.probability(Outcome::NextGoal(team)).unwrap());
        prop_assert!((next.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        prop_assert_eq!(next[1], grid.probability(0, 0));
        // The same grid in the place of another.
        let mut remade = ScoreGrid::new(&GoalModel::bivariate(0.4, 2.0, 0.2).unwrap());
        remade.remake(&model);
        prop_assert_eq!(Fair::of(&remade, Score::NIL_NIL), fair);
    }

    #[test]
    fn no_bits_of_any_float_make_a_nan(
        bits in prop::array::uniform4(prop_oneof![
            any::<u64>(),
            any::<f64>().prop_map(f64::to_bits),
            (0.0..7.0_f64).prop_map(f64::to_bits),
            (0.0..1e-300_f64).prop_map(f64::to_bits),
        ]),
        clock in (any::<u32>(), any::<u32>()), score in (any::<u8>(), any::<u8>()), goals in any::<u8>(),
    ) {
        let [a, b, c, d] = bits.map(f64::from_bits);
        let clock = Clock::new(clock.0, clock.1);
        for model in [GoalModel::dixon_coles(a, b, c), GoalModel::bivariate(a, b, c)] {
            let Ok(model) = model else { continue };
            prop_assert!((0.0..=1.0).contains(&model.lost_mass()));
            for model in [model, model.remaining(clock)] {
                let grid = ScoreGrid::new(&model);
                let fair = Fair::of(&grid, Score::new(score.0, score.1));
                prop_assert!(fair.probabilities().iter().all(|p| (0.0..=1.0).contains(p)), "{:?}", model);
                if let Ok(margins) = Margins::uniform(d) {
                    let prices = Prices::of(&fair, &margins);
                    prop_assert!(prices.iter().flat_map(|(_, price)| price).all(|price| price <= Price::MAX));
                }
            }
        }
        if let Ok(effect) = CardEffect::new(a, b) {
            let model = GoalModel::poisson(1.0, 1.0).unwrap();
            let _ = model.with(RedCards { home: goals, away: 1 }, effect);
        }
        let near = GoalModel::dixon_coles(a, b, d).ok();
        let rest = 1.0 - a - b;
        for fit in [
            fit::from_result([a, b, c], d, near.as_ref()),
            fit::from_result([a, b, rest], d, near.as_ref()),
            fit::from_result_and_total([a, b, rest], AtMost { goals, probability: d }, near.as_ref()),
        ].into_iter().flatten() {
            prop_assert!(fit.residual <= 1e-10 && fit.model.home_mean().is_finite());
        }
        if let Ok(mean) = fit::total_mean(AtMost { goals, probability: a }) {
            prop_assert!(mean.is_finite());
        }
    }
}
