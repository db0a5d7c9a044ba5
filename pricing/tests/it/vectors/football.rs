//! Goals, in play and from prices.

use betring_pricing::{
    Side,
    derive::football::{Fair, Line, Outcome, Score, Split, Team, Winner},
    model::football::{
        Clock, GoalModel, ScoreGrid,
        fit::{self, AtMost},
    },
};
use serde_json::Value;

use super::{assert_close, float, floats, integer, text};

/// `false` if the example is not checked.
pub(super) fn check(vector: &Value) -> bool {
    let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
    let close = |found: f64, field: &str| assert_close(found, &expected[field], vector);
    match text(vector, "method") {
        "bivariate_poisson_pmf" => {
            let [home, away, shared] =
                ["lambda1", "lambda2", "lambda3"].map(|name| float(&inputs[name]));
            let model = GoalModel::bivariate(home, away, shared).expect("a model");
            let [home, away] = ["i", "j"].map(|name| integer(inputs, name) as u8);
            close(model.probability(home, away), "p");
        }
        "draw_no_bet" => {
            // Of three probabilities alone: 1 + loss / win.
            let [win, _, loss] = three(&inputs["probs_1x2"]);
            for (at, (win, lost)) in [(win, loss), (loss, win)].into_iter().enumerate() {
                let split = Split { won: win, lost, ..Split::default() };
                assert_close(split.fair_odds().expect("odds"), &expected["odds"][at], vector);
            }
        }
        "1x2_to_poisson_means" => {
            let fit = fit::from_result(three(&inputs["probs"]), 0.0, None).expect("a fit");
            assert!(fit.residual <= 1e-10, "{vector}: {fit:?}");
            close(fit.model.home_mean(), "lambda_home");
            close(fit.model.away_mean(), "lambda_away");
        }
        "under_prob_to_total_mean" => {
            let goals = (float(&inputs["line"]) - 0.5) as u8;
            let under = AtMost { goals, probability: float(&inputs["p_under"]) };
            close(fit::total_mean(under).expect("a mean"), "total_mean");
        }
        "1x2_given_score" => {
            let played_s = 60 * integer(inputs, "minute") as u32;
            let model = model(inputs).remaining(Clock::new(played_s, Clock::FULL_TIME_S));
            let [home, away] = [0, 1].map(|at| inputs["score"][at].as_u64().expect("goals") as u8);
            let grid = ScoreGrid::new(&model);
            let fair = Fair::of(&grid, Score::new(home, away));
            let close = |outcome: Outcome, field: &str| {
                close(fair.probability(outcome).expect("always priced"), field);
            };
            for (winner, expected) in Winner::ALL.into_iter().zip(floats(&expected["probs"])) {
                let found = fair.probability(Outcome::Result(winner)).expect("always priced");
                assert_close(found, &Value::from(expected), vector);
            }
            close(Outcome::Total(Side::Over, line("2.5")), "over_2.5");
            close(Outcome::BothScore(true), "btts");
            close(Outcome::NextGoal(Some(Team::Home)), "next_goal_home");
            close(Outcome::NextGoal(None), "no_more_goals");
        }
        method => return check_event(method, vector),
    }
    true
}

/// Examples of one market before the match.
fn check_event(method: &str, vector: &Value) -> bool {
    let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
    let grid = ScoreGrid::new(&model(inputs));
    let fair = Fair::of(&grid, Score::NIL_NIL);
    let found = |outcome: Outcome| fair.probability(outcome).expect("always priced");
    let close = |found: f64, field: &str| assert_close(found, &expected[field], vector);
    match method {
        "1x2" => {
            for (at, winner) in Winner::ALL.into_iter().enumerate() {
                let probability = found(Outcome::Result(winner));
                assert_close(probability, &expected["probs"][at], vector);
                if let Some(odds) = expected["fair_odds"].get(at) {
                    assert_close(1.0 / probability, odds, vector);
                }
            }
        }
        "btts" => {
            close(found(Outcome::BothScore(true)), "yes");
            close(found(Outcome::BothScore(false)), "no");
        }
        "double_chance_dnb" => {
            close(found(Outcome::Not(Winner::Away)), "1x");
            close(found(Outcome::Not(Winner::Draw)), "12");
            close(found(Outcome::Not(Winner::Home)), "x2");
            close(1.0 / found(Outcome::DrawNoBet(Team::Home)), "dnb_home_fair_odds");
            close(1.0 / found(Outcome::DrawNoBet(Team::Away)), "dnb_away_fair_odds");
        }
        "total_goals" => {
            let line = line(text(inputs, "line"));
            let [over, under] = [Side::Over, Side::Under].map(|side| Outcome::Total(side, line));
            close(1.0 / found(over), "over_fair");
            close(1.0 / found(under), "under_fair");
            // A half win counts half as won and half as returned.
            let split = Split::of(&grid, Score::NIL_NIL, over).expect("a total");
            close(split.won + 0.5 * split.half_won, "over");
            close(split.void + 0.5 * (split.half_won + split.half_lost), "push");
            close(split.lost + 0.5 * split.half_lost, "under");
        }
        "asian_handicap_home" => {
            let outcome = Outcome::Asian(Team::Home, line(text(inputs, "line")));
            close(1.0 / found(outcome), "fair_odds");
            let split = Split::of(&grid, Score::NIL_NIL, outcome).expect("a handicap");
            close(split.fair_odds().expect("odds"), "fair_odds");
            close(split.won, "full_win");
            close(split.half_won, "half_win");
            close(split.void, "push");
            close(split.half_lost, "half_lose");
            close(split.lost, "lose");
        }
        "correct_score" => {
            for (score, expected) in expected.as_object().expect("a table") {
                let (home, away) = score.split_once('-').expect("a score");
                let score = Score::new(home.parse().expect("goals"), away.parse().expect("goals"));
                assert_close(found(Outcome::Score(score)), expected, vector);
            }
        }
        "odd_even_margin_cs" => {
            close(found(Outcome::Odd), "odd");
            close(found(Outcome::Even), "even");
            for (at, margin) in (-3..=3).enumerate() {
                let expected = &expected["margin_minus3..3"][at];
                assert_close(found(Outcome::Margin(margin)), expected, vector);
            }
            close(found(Outcome::CleanSheet(Team::Home, true)), "clean_sheet_home");
            close(found(Outcome::ToNil(Team::Home, true)), "win_to_nil_home");
            close(found(Outcome::ToNil(Team::Away, true)), "win_to_nil_away");
            close(found(Outcome::TeamTotal(Team::Home, Side::Over, line("1.5"))), "home_over_1.5");
        }
        _ => return false,
    }
    true
}

fn model(inputs: &Value) -> GoalModel {
    let [home, away] = ["lambda_home", "lambda_away"].map(|name| float(&inputs[name]));
    let rho = if inputs["rho"].is_null() { 0.0 } else { float(&inputs["rho"]) };
    GoalModel::dixon_coles(home, away, rho).expect("a model")
}

fn three(values: &Value) -> [f64; 3] {
    floats(values).try_into().expect("three probabilities")
}

fn line(goals: &str) -> Line {
    Line::from_quarters((4.0 * goals.parse::<f64>().expect("a line")) as i8)
}
