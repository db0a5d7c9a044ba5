//! Races, tennis and ratings.

use betring_pricing::model::{
    racing::{Discount, Race, RaceLeg, Ranks, normal},
    rating,
    tennis::{self, Format, LastSet, Player, Score, Tennis},
};
use serde_json::Value;

use super::{assert_close, float, floats};

/// `false` if the example is not checked.
pub(super) fn check(vector: &Value) -> bool {
    let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
    let near = |found: f64, what: &str| assert_close(found, &expected[what], vector);
    let near_all = |found: &[f64], expected: &Value| {
        let expected = expected.as_array().expect("a list");
        assert_eq!(found.len(), expected.len(), "{vector}");
        for (found, expected) in found.iter().zip(expected) {
            assert_close(*found, expected, vector);
        }
    };
    match vector["method"].as_str().expect("a method") {
        "harville_rank_matrix" | "discount_rank_matrix" | "place_check_equal" => {
            let rows = expected["matrix"].as_array().expect("rows");
            let ranks = race(inputs).ranks(rows.len()).expect("ranks");
            for (rank, row) in rows.iter().enumerate() {
                near_all(ranks.rank(rank + 1), row);
            }
        }
        "place_top2_top3" => {
            let race = race(inputs);
            let ranks = race.ranks(3).expect("ranks");
            near_all(&tops(&race, &ranks, 2), &expected["top2"]);
            near_all(&tops(&race, &ranks, 3), &expected["top3"]);
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
            let abilities = floats(&inputs["abilities_mean_time"]);
            for (first, second) in [(0, 1), (1, 0), (3, 2)] {
                let exacta = normal::exacta(&abilities, first, second).expect("runners");
                near(exacta, &format!("exacta_{first}_{second}"));
            }
        }
        "elo_expected" => {
            let of = |field: &str| float(&inputs[field]);
            let share = rating::elo_expected(of("home"), of("away"), of("hfa"));
            near(share.expect("ratings"), "expected");
        }
        "game" => near(tennis::game(float(&inputs["p_serve"])).expect("a serve"), "p_hold"),
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
    ["p_serve_a", "p_serve_b"].map(|field| float(&inputs[field]))
}

/// That A wins from the start.
fn wins(inputs: &Value, format: Format) -> f64 {
    let tennis = Tennis::new(serve(inputs), format).expect("a serve");
    tennis.wins(&Score::start(format, Player::A)).expect("a score")
}

fn race(inputs: &Value) -> Race {
    let mut powers = [1.0; 4];
    if !inputs["exponents"].is_null() {
        for (power, given) in powers.iter_mut().zip(floats(&inputs["exponents"])) {
            *power = given;
        }
    }
    let discount = Discount::new(powers[1], powers[2], powers[3]).expect("powers");
    Race::new(&floats(&inputs["win_probs"]), discount).expect("a race")
}

fn tops(race: &Race, ranks: &Ranks, places: usize) -> Vec<f64> {
    (0..race.runners()).map(|runner| ranks.top(places, runner)).collect()
}
