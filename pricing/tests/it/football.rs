//! What a football match is worth, by example and for every match.

mod bits;
mod properties;

use std::collections::HashSet;

use betring_pricing::{
    Ladder, LegOutcome, Price, PricingError, Side, asian_handicap, asian_total,
    derive::football::{
        Fair, Line, Margins, Market, OUTCOMES, Outcome, Prices, Score, Team, Winner, multiple,
    },
    model::football::{
        CardEffect, Clock, GoalModel, RedCards, ScoreGrid,
        fit::{self, AtMost},
    },
    price,
};

fn line(quarters: i8) -> Line {
    Line::from_quarters(quarters)
}

fn over(quarters: i8) -> Outcome {
    Outcome::Total(Side::Over, line(quarters))
}

fn under(quarters: i8) -> Outcome {
    Outcome::Total(Side::Under, line(quarters))
}

fn fair_of(model: GoalModel) -> Fair {
    Fair::of(&ScoreGrid::new(&model), Score::NIL_NIL)
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

#[test]
fn nil_one_gets_the_mean_of_the_home_side_and_one_nil_that_of_the_away_side() {
    let model = GoalModel::dixon_coles(1.8, 0.9, -0.13).unwrap();
    let plain = GoalModel::poisson(1.8, 0.9).unwrap();
    let factor = |home, away| model.probability(home, away) / plain.probability(home, away);
    close(factor(0, 0), 1.0 + 1.8 * 0.9 * 0.13, 1e-14);
    close(factor(0, 1), 1.0 - 1.8 * 0.13, 1e-14);
    close(factor(1, 0), 1.0 - 0.9 * 0.13, 1e-14);
    close(factor(1, 1), 1.13, 1e-14);
    close(fair_of(model).probability(Outcome::Result(Winner::Home)).unwrap(), 0.5719, 5e-5);

    // With both the other way round the home side would have 0.5617, and probability would be lost.
    let swapped = |home: u8, away: u8| {
        let factor = match (home, away) {
            (0, 1) => factor(1, 0),
            (1, 0) => factor(0, 1),
            _ => factor(home, away),
        };
        plain.probability(home, away) * factor
    };
    let (mut all, mut wins) = (0.0, 0.0);
    for home in 0..=15 {
        for away in 0..=15 {
            all += swapped(home, away);
            wins += if away < home { swapped(home, away) } else { 0.0 };
        }
    }
    close(wins / all, 0.5617, 5e-5);
    close(all - 1.0, -0.13 * 0.9 * 0.9 * (-2.7_f64).exp(), 1e-9);
}

#[test]
fn a_rho_that_would_make_a_score_less_than_impossible_is_refused() {
    let refused = Err(PricingError::ParameterOutOfRange {
        name: "rho",
        allowed: "max(-1/λ, -1/μ) to min(1/(λμ), 1)",
    });
    let rho = |rho| GoalModel::dixon_coles(2.0, 0.5, rho).map(|_| ());
    // From -1/2 to 1/(2 * 0.5).
    assert_eq!([rho(-0.5), rho(1.0)], [Ok(()), Ok(())]);
    assert_eq!([rho(-0.5001), rho(1.0001), rho(f64::NAN)], [refused, refused, refused]);
    // Without any goals only 1-1 is bounded.
    assert!(GoalModel::dixon_coles(0.0, 0.0, -3.0).is_ok());
    assert!(GoalModel::dixon_coles(0.0, 0.0, f64::NEG_INFINITY).is_err());
    for mean in [-0.1, 6.1, f64::NAN, f64::INFINITY] {
        let refused =
            Err(PricingError::ParameterOutOfRange { name: "away mean", allowed: "0 to 6" });
        assert_eq!(GoalModel::poisson(1.0, mean), refused);
        assert_eq!(GoalModel::bivariate(1.0, mean, 0.1), refused);
    }
    // The mean of a side is its own and the shared one.
    assert!(GoalModel::bivariate(5.0, 1.0, 1.5).is_err());
}

#[test]
fn what_a_grid_leaves_out_is_said() {
    let lost = |home, away| GoalModel::poisson(home, away).unwrap().lost_mass();
    close(lost(1.45, 1.15), 0.0, 1e-10);
    close(lost(3.2, 0.0), 2.9e-7, 0.1e-7);
    close(lost(6.0, 0.0), 5.09e-4, 0.01e-4);
    assert_eq!(lost(0.0, 0.0), 0.0);
    let bivariate = GoalModel::bivariate(2.2, 0.0, 1.0).unwrap().lost_mass();
    // As both are more often great together, a little less.
    close(bivariate, lost(3.2, 1.0), 2e-14);
}

#[test]
fn shared_goals_come_to_both_sides() {
    let model = GoalModel::bivariate(1.0, 0.7, 0.3).unwrap();
    let grid = ScoreGrid::new(&model);
    let (mut home_mean, mut away_mean, mut product) = (0.0, 0.0, 0.0);
    for home in 0..=15 {
        for away in 0..=15 {
            let p = grid.probability(home, away);
            home_mean += p * f64::from(home);
            away_mean += p * f64::from(away);
            product += p * f64::from(home) * f64::from(away);
        }
    }
    close(home_mean, 1.3, 1e-9);
    close(away_mean, 1.0, 1e-9);
    // Their covariance is the shared mean.
    close(product - home_mean * away_mean, 0.3, 1e-9);

    let alone = fair_of(GoalModel::bivariate(1.3, 1.0, 0.0).unwrap());
    let poisson = fair_of(GoalModel::poisson(1.3, 1.0).unwrap());
    for (alone, poisson) in alone.probabilities().iter().zip(poisson.probabilities()) {
        close(*alone, *poisson, 1e-14);
    }
}

#[test]
fn a_price_index_means_the_same_for_ever() {
    for (index, name) in [
        (0, "home"),
        (3, "home or draw"),
        (6, "home, draw no bet"),
        (8, "both score"),
        (10, "odd goals"),
        (12, "over 0.5"),
        (20, "over 1.5"),
        (28, "over 2.5"),
        (29, "under 2.5"),
        (31, "under 2.75"),
        (61, "under 6.5"),
        (62, "home over 0.5"),
        (81, "away under 4.5"),
        (82, "home -3"),
        (104, "home -0.25"),
        (105, "away +0.25"),
        (106, "home 0"),
        (131, "away -3"),
        (132, "home, home given -3"),
        (149, "away, home given +3"),
        (150, "0-0"),
        (163, "2-1"),
        (185, "5-5"),
        (186, "any other home"),
        (189, "home by 4 or more"),
        (193, "margin draw"),
        (197, "away by 4 or more"),
        (199, "no more goals"),
        (201, "home to nil"),
        (208, "not clean sheet away"),
        (210, "1 goal"),
        (215, "6 goals or more"),
        (223, "away 3 goals or more"),
        (227, "home and not both score"),
        (235, "away and under 2.5"),
    ] {
        assert_eq!(Outcome::ALL[index].to_string(), name, "{index}");
    }
    let names: HashSet<String> = Outcome::ALL.iter().map(Outcome::to_string).collect();
    assert_eq!(names.len(), OUTCOMES, "no two have the same name");
    for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
        assert_eq!(outcome.index(), Some(index));
    }
    assert_eq!(over(-2).index(), None);
    // Every market is in one piece.
    let mut markets: Vec<Market> = Outcome::ALL.into_iter().map(Outcome::market).collect();
    markets.dedup();
    let together = markets.len();
    let named: HashSet<String> = markets.iter().map(Market::to_string).collect();
    assert_eq!(named.len(), together);
}

#[test]
fn a_line_is_settled_as_a_ticket_settles_it() {
    for quarters in -40..=40 {
        for home in 0..=9 {
            for away in 0..=9 {
                let score = Score::new(home, away);
                let margin = i32::from(home) - i32::from(away);
                let asian = Outcome::Asian(Team::Home, line(quarters)).settle(score);
                assert_eq!(asian, Some(asian_handicap(quarters.into(), margin).outcome()));
                let total = Outcome::Total(Side::Under, line(quarters)).settle(score);
                let goals = u32::from(home) + u32::from(away);
                let ticket = asian_total(Side::Under, quarters.into(), goals).outcome();
                assert_eq!(total, Some(ticket));
            }
        }
    }
}

#[test]
fn when_it_is_over_everything_has_happened_or_has_not() {
    let full_time = Clock::new(5_400, Clock::FULL_TIME_S);
    for model in [GoalModel::dixon_coles(1.8, 0.9, -0.13), GoalModel::bivariate(1.2, 0.9, 0.1)] {
        let grid = ScoreGrid::new(&model.unwrap().remaining(full_time));
        for score in [Score::NIL_NIL, Score::new(2, 1), Score::new(0, 6), Score::new(255, 255)] {
            let fair = Fair::of(&grid, score);
            for (outcome, &probability) in Outcome::ALL.iter().zip(fair.probabilities()) {
                let happened = match outcome.settle(score) {
                    Some(LegOutcome::Won | LegOutcome::HalfWon) => 1.0,
                    Some(_) => 0.0,
                    None => f64::from(u8::from(*outcome == Outcome::NextGoal(None))),
                };
                assert_eq!(probability, happened, "{outcome} at {score}");
            }
            // Nobody can be offered what has happened or cannot happen any more.
            let prices = Prices::of(&fair, &Margins::NONE);
            assert_eq!(prices.iter().filter_map(|(_, price)| price).count(), 0);
        }
    }
}

#[test]
fn a_red_card_changes_both_means_and_time_takes_its_share() {
    let model = GoalModel::dixon_coles(1.5, 1.2, -0.1).unwrap();
    let effect = CardEffect::new(0.5, 1.25).unwrap();
    let later = model.remaining(Clock::new(2_700, 5_400));
    assert_eq!((later.home_mean(), later.away_mean(), later.rho()), (0.75, 0.6, -0.1));
    let ten = later.with(RedCards { home: 0, away: 2 }, effect).unwrap();
    assert_eq!((ten.home_mean(), ten.away_mean()), (0.75 * 1.25 * 1.25, 0.6 * 0.25));
    let too_many = RedCards { home: 5, away: 0 };
    assert!(model.with(too_many, effect).is_err());
    let boost = CardEffect::new(1.0, 10.0).unwrap();
    assert!(model.with(RedCards { home: 1, away: 0 }, boost).is_err(), "a mean of 12");
    assert!(CardEffect::new(f64::NAN, 1.0).is_err());
    assert_eq!(Clock::new(0, 0).left(), 0.0);
}

#[test]
fn margins_are_per_market_and_prices_are_rounded_for_the_house() {
    let fair = fair_of(GoalModel::poisson(1.45, 1.15).unwrap());
    let margins = Margins::uniform(0.04).unwrap();
    let margins = margins.with(Market::Total(line(10)), 0.08).unwrap();
    let prices = Prices::of(&fair, &margins);
    let booksum = |outcomes: &[Outcome]| -> f64 {
        let price = |&outcome| f64::from(prices.get(outcome).unwrap().e4()) / 10_000.0;
        outcomes.iter().map(|outcome| 1.0 / price(outcome)).sum()
    };
    close(booksum(&Winner::ALL.map(Outcome::Result)), 1.04, 1e-4);
    close(booksum(&Winner::ALL.map(Outcome::Not)), 2.08, 1e-4);
    close(booksum(&[over(10), under(10)]), 1.08, 1e-4);
    close(booksum(&[over(11), under(11)]), 1.04, 1e-4);
    // 4.6815 and 3.4228 on the ladder of the exchange; 1.0802 is 1.08.
    let on_ladder = Prices::on_ladder(&fair, &Margins::NONE, &Ladder::CLASSIC);
    let e4 = |outcome| on_ladder.get(outcome).map(Price::e4);
    assert_eq!(e4(Outcome::Asian(Team::Home, line(-6))), Some(46_000));
    assert_eq!(e4(over(2)), Some(10_800));
    for margin in [-0.01, 1.01, f64::NAN] {
        assert!(Margins::uniform(margin).is_err());
        assert!(Margins::NONE.with(Market::Result, margin).is_err());
    }
    let changed: Vec<_> = prices.changed(&Prices::of(&fair, &Margins::NONE)).collect();
    assert!(changed.len() > 200 && prices.changed(&prices).next().is_none());
}

#[test]
fn legs_that_hang_together_are_not_multiplied() {
    let grid = ScoreGrid::new(&GoalModel::dixon_coles(1.8, 1.1, -0.08).unwrap());
    let priced = |legs: &[Outcome]| multiple(&grid, Score::NIL_NIL, legs).unwrap();
    let home = Outcome::Result(Winner::Home);
    close(priced(&[home, over(10)]).won, 0.3494, 5e-5);
    close(priced(&[home]).won * priced(&[over(10)]).won, 0.2930, 5e-5);
    // A leg that says nothing new changes nothing; one that contradicts leaves nothing.
    assert_eq!(priced(&[home, Outcome::Not(Winner::Draw)]), priced(&[home]));
    assert_eq!(priced(&[home, Outcome::Result(Winner::Draw)]).fair_odds(), None);
    let next = Outcome::NextGoal(None);
    let refused = Err(PricingError::NotOfTheScore { index: 1 });
    assert_eq!(multiple(&grid, Score::NIL_NIL, &[home, next]), refused);

    // Home -0.25 and over 2.25 at 1-1: of four quarters of the stake two have a void leg and the
    // half goal loses the others.
    let legs = [Outcome::Asian(Team::Home, line(-1)), over(9)];
    let one_one = ScoreGrid::new(&GoalModel::poisson(0.0, 0.0).unwrap());
    let joint = multiple(&one_one, Score::new(1, 1), &legs).unwrap();
    assert_eq!((joint.won, joint.returned, joint.lost), (0.0, 0.25, 0.75));
    let price = priced(&legs).price(0.0).unwrap().unwrap();
    close(priced(&legs).expected_return(price), 1.0, 1e-4);
    assert!(priced(&legs).price(-0.1).is_err());
}

#[test]
fn a_fit_finds_the_model_that_made_the_prices() {
    let means = [0.1, 0.4, 0.9, 1.4, 2.1, 3.3, 5.0];
    let mut most = 0;
    for home in means {
        for away in means {
            for rho in [-0.12, 0.0, 0.03] {
                let model = GoalModel::dixon_coles(home, away, rho).unwrap();
                let fair = fair_of(model);
                let p = |outcome| fair.probability(outcome).unwrap();
                let result = Winner::ALL.map(|winner| p(Outcome::Result(winner)));

                let two = fit::from_result(result, rho, None).unwrap();
                let total = AtMost { goals: 2, probability: p(under(10)) };
                let three = fit::from_result_and_total(result, total, None).unwrap();
                for fit in [two, three] {
                    assert!(fit.residual <= 1e-10, "{model:?}: {fit:?}");
                    close(fit.model.home_mean(), home, 1e-6);
                    close(fit.model.away_mean(), away, 1e-6);
                    close(fit.model.rho(), rho, 1e-5);
                    let again = fair_of(fit.model);
                    for (winner, result) in Winner::ALL.into_iter().zip(result) {
                        let found = again.probability(Outcome::Result(winner)).unwrap();
                        close(found, result, 1e-10);
                    }
                    most = most.max(fit.iterations);
                }
                let warm = fit::from_result(result, rho, Some(&model)).unwrap();
                assert!(warm.iterations <= 1, "{warm:?}");
            }
        }
    }
    assert!(most <= 15, "{most} steps");
}

#[test]
fn prices_that_no_model_explains_are_refused() {
    let total = |goals, probability| AtMost { goals, probability };
    let out = |index| Err(PricingError::ProbabilityOutOfRange { index });
    assert_eq!(fit::from_result([0.49, 0.02, 0.49], 0.0, None), Err(PricingError::NoSolution));
    assert_eq!(fit::from_result([0.5, 0.3, 0.3], 0.0, None), Err(PricingError::SumOffTarget));
    assert_eq!(fit::from_result([0.7, 0.3, 0.0], 0.0, None), out(2));
    assert_eq!(fit::from_result([f64::NAN, 0.3, 0.7], 0.0, None), out(0));
    assert!(fit::from_result([0.4, 0.3, 0.3], f64::NAN, None).is_err());
    // So many draws at so many goals: no rho is great enough.
    let many = fit::from_result_and_total([0.25, 0.5, 0.25], total(2, 0.3), None);
    assert_eq!(many, Err(PricingError::NoSolution));
    assert_eq!(fit::from_result_and_total([0.4, 0.3, 0.3], total(2, 1.0), None), out(3));
    assert!(fit::total_mean(total(15, 0.5)).is_err());
    assert_eq!(fit::total_mean(total(2, 1e-9)), Err(PricingError::NoSolution));
}

#[test]
fn the_mean_of_a_total_explains_its_line() {
    for goals in 0..=14 {
        for mean in [0.05, 0.5, 1.0, 2.7, 4.0, 7.5, 11.5] {
            let mut term = f64::exp(-mean);
            let mut probability = term;
            for k in 1..=goals {
                term *= mean / f64::from(k);
                probability += term;
            }
            // Where it is all but certain the mean cannot be seen in it.
            if probability < 1.0 - 1e-6 {
                let found = fit::total_mean(AtMost { goals, probability }).unwrap();
                close(found, mean, 1e-8);
            }
        }
    }
}

#[test]
fn who_all_but_never_scores_is_not_offered_at_the_longest_price_with_the_stake_returned() {
    let least = f64::from_bits(1);
    let grid = ScoreGrid::new(&GoalModel::poisson(least, least).unwrap());
    let prices = Prices::of(&Fair::of(&grid, Score::NIL_NIL), &Margins::NONE);
    // Both at 100,000, and returned if nobody scores, would win whatever happens.
    for team in [Team::Home, Team::Away] {
        assert_eq!(prices.get(Outcome::DrawNoBet(team)), None);
    }
}

#[test]
fn late_in_a_match_no_market_is_one_sided_with_a_shortest_price() {
    let left = GoalModel::poisson(1.6, 1.1).unwrap().remaining(Clock::new(5_220, 5_700));
    let fair = Fair::of(&ScoreGrid::new(&left), Score::new(1, 0));
    // Markets in which somebody may win and another outcome that may happen has no price.
    let one_sided = |margins: &Margins| {
        let prices = Prices::of(&fair, margins);
        let is_one_sided = |places: std::ops::Range<usize>| {
            let missing =
                places.clone().any(|at| 0.0 < fair.probabilities()[at] && prices.at(at).is_none());
            missing && places.into_iter().any(|at| prices.at(at).is_some())
        };
        Market::all().filter(|(_, places)| is_one_sided(places.clone())).count()
    };
    let margins = Margins::uniform(0.05).unwrap();
    assert_eq!(one_sided(&margins), 51);
    assert_eq!(one_sided(&margins.shortest(price!(1.0001))), 0);
}

#[test]
fn the_result_alone_tells_neither_rho_nor_the_total() {
    // The same result under four beliefs, and the fair probability of over 2.5 that follows.
    let over_by_rho = [-0.15, -0.1, 0.0, 0.1].map(|rho| {
        let fit = fit::from_result([0.45, 0.28, 0.27], rho, None).unwrap();
        fair_of(fit.model).probability(over(10)).unwrap()
    });
    assert_eq!(over_by_rho.map(|p| format!("{p:.3}")), ["0.539", "0.492", "0.395", "0.312"]);
    // A total that does not go with the result is explained by a rho that no league shows.
    let under = AtMost { goals: 2, probability: 0.9 };
    let fit = fit::from_result_and_total([0.45, 0.28, 0.27], under, None).unwrap();
    assert_eq!(format!("{:.2}", fit.rho()), "0.81");
}

#[test]
fn a_negative_rho_holds_the_score_as_it_is_in_play() {
    // A quarter of an hour to go at 1-0: a draw becomes less likely, since no goal becomes likelier.
    let at = |rho| {
        let model = GoalModel::dixon_coles(1.6, 1.1, rho).unwrap();
        let left = model.remaining(Clock::new(75 * 60, Clock::FULL_TIME_S));
        let fair = Fair::of(&ScoreGrid::new(&left), Score::new(1, 0));
        [Outcome::NextGoal(None), Outcome::Result(Winner::Home), Outcome::Result(Winner::Draw)]
            .map(|outcome| fair.probability(outcome).unwrap())
    };
    let (with, without) = (at(-0.1), at(0.0));
    assert!(without[0] < with[0] && without[1] < with[1] && with[2] < without[2]);
    assert_eq!(with.map(|p| format!("{p:.4}")), ["0.6407", "0.8718", "0.1167"]);
    assert_eq!(without.map(|p| format!("{p:.4}")), ["0.6376", "0.8686", "0.1198"]);
}

#[test]
fn a_line_is_read_as_it_is_written() {
    for quarters in -127..=127 {
        assert_eq!(line(quarters).to_string().parse(), Ok(line(quarters)));
    }
    assert_eq!("+1.50".parse(), Ok(line(6)));
    assert_eq!(Line::from_halves(-5), Some(line(-10)));
    assert_eq!(Line::from_halves(64), None);
    for text in ["", "+", "-", "+-1", "2.3", "2.125", "32", "1e1", "two"] {
        let refused = text.parse::<Line>().map_err(|error| error.to_string());
        let sentence =
            "not a line: write goals in quarters from -31.75 to 31.75, like 2.5 or -0.25";
        assert_eq!(refused, Err(sentence.to_string()), "{text}");
    }
}

#[test]
fn a_market_that_is_not_priced_has_no_margin_and_no_leg_is_certain() {
    let refused = Margins::NONE.with(Market::Total(line(30)), 0.05).unwrap_err();
    assert_eq!(refused.to_string(), "market must be one of those that are always priced");
    let grid = ScoreGrid::new(&GoalModel::poisson(1.45, 1.15).unwrap());
    let none = multiple(&grid, Score::NIL_NIL, &[]).unwrap();
    assert_eq!((none.won, none.returned, none.lost), (1.0, 0.0, 0.0));
    assert_eq!(none.price(0.0), Ok(None));
}
