//! Prices of models as tables: the figures are those of the models, and what cannot be priced says why.

use crate::book::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The row of a table that begins so.
fn row(said: &Said, begins: &str) -> Vec<String> {
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    let found = said.out.lines().find(|line| line.starts_with(begins));
    let line = found.unwrap_or_else(|| panic!("no {begins} in {}", said.out));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[test]
fn odds_lose_their_margin_by_every_method_and_one_that_cannot_says_so_in_its_place() {
    // A published example of Shin's method.
    let said = betring(["price", "devig", "2.6", "2.4", "4.3", "--method", "shin"]);
    assert_eq!(row(&said, "shin"), ["shin", "1", "2.6", "37.30 %", "2.681"]);
    let said = betring(["price", "devig", "1.15", "5", "10", "25"]);
    assert_eq!(row(&said, "additive")[1], "negative_probability");
    assert_eq!(row(&said, "power").len(), 5);
    let said = betring(["price", "devig", "3.1", "3.1", "3.1"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("booksum_below_one"), "{}", said.err);
}

#[test]
fn a_football_match_is_priced_from_means_and_from_prices_and_in_play() {
    let said = betring(["price", "football", "--home", "1.8", "--away", "0.9", "--rho=-0.13"]);
    assert_eq!(row(&said, "home ")[1], "57.19 %");
    assert!(said.out.contains("236 prices"), "{}", said.out);
    let played = ["--home", "1.6", "--away", "1.1", "--minute", "60", "--score", "1-0"];
    let said = betring(["price", "football"].iter().chain(&played));
    assert_eq!(row(&said, "home ")[1], "80.29 %");
    assert_eq!(row(&said, "over 2.5 ")[1], "22.75 %");
    let said = betring(["price", "football", "--prices", "2.0,3.6,3.9", "--classic", "--json"]);
    let json: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(json["rows"].as_array().map(Vec::len), Some(236));
    let said = betring(["price", "football", "--home", "9", "--away", "1"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("parameter_out_of_range"), "{}", said.err);
}

#[test]
fn runners_are_placed_and_a_tennis_match_is_won_as_often_as_the_models_say() {
    let said = betring(["price", "racing", "--places", "2", "--harville", "4", "4", "4", "4"]);
    assert_eq!(row(&said, "1 ")[2..], ["25.00 %", "4.000", "50.00 %", "2.000"]);
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("match.html");
    let page_arg = page.to_str().expect("text").to_owned();
    let said = betring(["price", "tennis", "0.7", "0.6", "--report", &page_arg]);
    assert_eq!(row(&said, "A wins ")[1], "89.10 %");
    let html = std::fs::read_to_string(&page).expect("written");
    assert!(html.contains("<svg") && html.contains("89.1 %"), "{html}");
    let said = betring(["price", "tennis", "1.7", "0.6"]);
    assert_eq!(said.code, Some(2));
}

#[test]
fn a_real_season_says_which_method_forecasts_best_and_how_far_goals_are_from_the_market() {
    let file = root().join("../shared/data/football/E0-1415.csv");
    if !file.exists() {
        eprintln!("SKIPPED: no {}", file.display());
        return;
    }
    let said = betring_on(&["price", "season"], &file);
    assert!(said.out.starts_with("337 matches"), "{}", said.out);
    // All of them beat a forecast that knows nothing (1.0986, and 0.2222 or worse).
    for method in ["multiplicative", "power", "odds-ratio", "shin"] {
        let cells = row(&said, method);
        let [loss, ranked] =
            [&cells[1], &cells[2]].map(|cell| cell.parse::<f64>().expect("a number"));
        assert!(0.9 < loss && loss < 1.0 && 0.18 < ranked && ranked < 0.21, "{cells:?}");
    }
    let both = row(&said, "handicap from 1X2 and the total");
    assert!(both[1].parse::<f64>().expect("a number") < 0.03, "{both:?}");
    println!("{}", said.out);
}

#[test]
fn a_race_has_its_likeliest_exactas_and_trifectas() {
    let said = betring(["price", "racing", "--harville", "2", "4", "4"]);
    assert_eq!(row(&said, "1-2 "), ["1-2", "25.00 %", "4.000"]);
    assert_eq!(row(&said, "1-2-3 "), ["1-2-3", "25.00 %", "4.000"]);
    assert!(said.out.contains("the likeliest trifectas, 6 of 6"), "{}", said.out);
}

#[test]
fn prices_of_a_match_have_the_rho_of_leagues_unless_a_total_says_more() {
    let said = betring(["price", "football", "--prices", "2.10,3.40,3.75"]);
    let title = "rho -0.1 from 2.1, 3.4, 3.75 (overround 3.70 %), 0-0";
    assert!(said.out.contains(title), "{}", said.out);
    let with = ["--prices", "2.10,3.40,3.75", "--total", "2.5=2.10,2.10"];
    let said = betring(["price", "football"].iter().chain(&with));
    assert_eq!(said.code, Some(2), "two prices that leave no overround: {}", said.out);
    let with = ["--prices", "2.10,3.40,3.75", "--total", "2.5=1.95,1.95"];
    let said = betring(["price", "football"].iter().chain(&with));
    assert_eq!(row(&said, "over 2.5 ")[1], "50.00 %");
}

#[test]
fn a_season_takes_bookmakers_only_and_averages_of_either_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("season.csv");
    let header = "FTR,B365H,B365D,B365A,B365CH,B365CD,B365CA,MaxH,MaxD,MaxA,AvgH,AvgD,AvgA,Avg>2.5,Avg<2.5,AHh,AvgAHH,AvgAHA";
    let odds = "2.1,3.4,3.75,2.1,3.4,3.75,2.2,3.5,4.0,2.1,3.4,3.75,1.95,1.9,-0.5,2.1,1.8";
    std::fs::write(&file, format!("{header}\nH,{odds}\n")).expect("written");
    let said = betring_on(&["price", "season"], &file);
    assert!(
        said.out.starts_with("1 match, 1 book of home, draw and away from B365;"),
        "{}",
        said.out
    );
    assert_eq!(row(&said, "handicap from 1X2 alone")[2], "1");
    std::fs::write(&file, "FTR,B365H,B365D,B365A\nH,2.1,3.4,3.75\n").expect("written");
    let said = betring_on(&["price", "season"], &file);
    assert_eq!(row(&said, "rho that explains")[1..], ["-", "0"]);
    std::fs::write(&file, "Home,Away\n1,2\n").expect("written");
    let said = betring_on(&["price", "season"], &file);
    assert!(said.err.contains("no column FTR; there are Home, Away"), "{}", said.err);
}

#[test]
fn odds_are_given_with_commas_or_as_fractions_and_a_negative_one_is_out_of_range() {
    let said = betring(["price", "devig", "8/5,2.4,4.3", "--method", "Shin"]);
    assert_eq!(row(&said, "shin"), ["shin", "1", "2.6", "37.30 %", "2.681"]);
    let said = betring(["price", "devig", "2.6", "-2.4"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("what to do"), "{}", said.err);
}

#[test]
fn fair_odds_beyond_all_sense_are_not_shown_in_full() {
    let low = ["--home", "0.1", "--away", "0.1"];
    let said = betring(["price", "football"].iter().chain(&low));
    assert_eq!((said.code, said.out.contains(">100,000")), (Some(0), true), "{}", said.out);
}
