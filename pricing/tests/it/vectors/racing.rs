//! Races, tennis and ratings.

use betring_pricing::model::{
    racing::{Discount, Race, RaceLeg, Ranks, normal},
    rating,
    tennis::{self, Format, LastSet, Player, Score, Tennis},
};
use serde_json::Value;

/// `false` if the example is not checked.
pub(super) fn check(vector: &Value) -> bool {
    let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
    let tolerance = number(&vector["tolerance"]);
    let id = vector["id"].as_str().expect("an id");
    let near = |got: f64, what: &str| {
        let expected = number(&expected[what]);
        assert!((got - expected).abs() <= tolerance, "{id}: {what} is {got}, not {expected}");
    };
    let near_all = |got: &[f64], expected: &Value, what: &str| {
        let expected = numbers(expected);
        assert_eq!(got.len(), expected.len(), "{id}: {what}");
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() <= tolerance, "{id}: {what} has {got}, not {expected}");
        }
    };
    match vector["method"].as_str().expect("a method") {
        "harville_rank_matrix" | "discount_rank_matrix" | "place_check_equal" => {
            let rows = expected["matrix"].as_array().expect("rows");
            let ranks = race(inputs).ranks(rows.len()).expect("ranks");
            for (rank, row) in rows.iter().enumerate() {
                near_all(ranks.rank(rank + 1), row, "a rank");
            }
        }
        "place_top2_top3" => {
            let race = race(inputs);
            let ranks = race.ranks(3).expect("ranks");
            near_all(&tops(&race, &ranks, 2), &expected["top2"], "top2");
            near_all(&tops(&race, &ranks, 3), &expected["top3"], "top3");
        }
        "exacta_trifecta_quinella" => {
            let race = race(inputs);
            let both = [0, 1].map(|runner| RaceLeg::Top { runner, places: 3 });
            near(race.exacta(0, 1).expect("runners"), "exacta_0_1");
            near(race.exacta(2, 0).expect("runners"), "exacta_2_0");
            near(race.quinella(0, 1).expect("runners"), "quinella_0_1");
            near(race.trifecta(0, 1, 2).expect("runners"), "trifecta_0_1_2");
            near(race.trio([0, 1, 2]).expect("runners"), "trio_0_1_2");
            near(race.multiple(&both).expect("legs"), "both_0_1_in_top3");
        }
        "henery_normal_exacta" => {
            let abilities = numbers(&inputs["abilities_mean_time"]);
            for (first, second) in [(0, 1), (1, 0), (3, 2)] {
                let exacta = normal::exacta(&abilities, first, second).expect("runners");
                near(exacta, &format!("exacta_{first}_{second}"));
            }
        }
        "elo_expected" => {
            let of = |field: &str| number(&inputs[field]);
            let share = rating::elo_expected(of("home"), of("away"), of("hfa"));
            near(share.expect("ratings"), "expected");
        }
        "game" => near(tennis::game(number(&inputs["p_serve"])).expect("a serve"), "p_hold"),
        "tiebreak_7" | "tiebreak_10" => {
            let to = if vector["method"] == "tiebreak_7" { 7 } else { 10 };
            near(tennis::tie_break(serve(inputs), Player::A, to).expect("a serve"), "p_a");
        }
        "tiebreak_set" => near(wins(inputs, Format::one_set(LastSet::TieBreak)), "p_a"),
        "advantage_set" => near(wins(inputs, Format::one_set(LastSet::Advantage)), "p_a"),
        "match" => {
            near(wins(inputs, Format::best_of_3(LastSet::TieBreak)), "best_of_3");
            near(wins(inputs, Format::best_of_5(LastSet::TieBreak)), "best_of_5");
        }
        _ => return false,
    }
    true
}

fn serve(inputs: &Value) -> [f64; 2] {
    assert_eq!(inputs["first_server"], "A");
    ["p_serve_a", "p_serve_b"].map(|field| number(&inputs[field]))
}

/// That A wins from the start.
fn wins(inputs: &Value, format: Format) -> f64 {
    let tennis = Tennis::new(serve(inputs), format).expect("a serve");
    tennis.wins(&Score::start(format, Player::A)).expect("a score")
}

fn number(value: &Value) -> f64 {
    let parsed = value.as_str().map(|text| text.parse().expect("digits"));
    parsed.or(value.as_f64()).unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn race(inputs: &Value) -> Race {
    let mut powers = [1.0; 4];
    if !inputs["exponents"].is_null() {
        for (power, given) in powers.iter_mut().zip(numbers(&inputs["exponents"])) {
            *power = given;
        }
    }
    let discount = Discount::new(powers[1], powers[2], powers[3]).expect("powers");
    Race::new(&numbers(&inputs["win_probs"]), discount).expect("a race")
}

fn tops(race: &Race, ranks: &Ranks, places: usize) -> Vec<f64> {
    (0..race.runners()).map(|runner| ranks.top(places, runner)).collect()
}
