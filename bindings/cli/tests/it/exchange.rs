//! Recordings rebuilt as orders.

use crate::book::*;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The markets of all these recordings, by their ids.
fn replayed(files: &[PathBuf], more: &[&str]) -> Vec<(String, Value)> {
    let args = ["exchange", "replay", "--json"].iter().chain(more).map(OsString::from);
    let said = betring(args.chain(files.iter().map(OsString::from)));
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    let report: Value = serde_json::from_str(&said.out).expect("JSON");
    let files = report["files"].as_array().expect("files").clone();
    let markets = |file: &Value| file["markets"].as_object().expect("markets").clone();
    files.iter().flat_map(markets).collect()
}

fn count(market: &Value, field: &str) -> u64 {
    market[field].as_u64().unwrap_or_else(|| panic!("{field} of {market}"))
}

/// After every message the orders make the depth that the recording has, and none met another for no reason.
fn is_the_recording(markets: &[(String, Value)]) {
    for (id, market) in markets {
        assert_eq!(count(market, "depth_same"), count(market, "messages"), "{id}: {market}");
        for wrong in ["depth_differs", "crossed", "off_ladder"] {
            assert_eq!(count(market, wrong), 0, "{id}, {wrong}: {market}");
        }
        assert!(0 < count(market, "placed"), "{id}");
    }
}

#[test]
fn the_orders_of_the_bundled_recording_make_its_depth_and_others_meet_them() {
    let file = root().join("bindings/betfair/recordings/derby.jsonl");
    let markets = replayed(std::slice::from_ref(&file), &["--every", "5", "--seed", "7"]);
    assert_eq!(markets.len(), 3);
    is_the_recording(&markets);
    for (id, market) in &markets {
        let ours = &market["ours"];
        let [asked, once, rest, lapsed] =
            ["asked", "matched_at_once", "matched_at_rest", "lapsed"].map(|it| count(ours, it));
        assert!(0 < count(ours, "orders") && 0 < once, "{id}: {ours}");
        assert!(once + rest + lapsed <= asked, "{id}: {ours}");
    }
    // The same seed meets the same orders.
    assert_eq!(markets, replayed(&[file], &["--every", "5", "--seed", "7"]));
}

#[test]
fn the_orders_of_every_recording_make_its_depth_after_every_message() {
    let data = root().join("../shared/data/betfair");
    let Ok(files) = std::fs::read_dir(&data) else {
        println!("SKIPPED: there are no recordings beside this tree");
        return;
    };
    let files = files.map(|entry| entry.expect("a file").path());
    let files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "bz2")).collect();
    let markets = replayed(&files, &["--every", "50"]);
    assert!(files.len() <= markets.len(), "each has a market");
    is_the_recording(&markets);
    // Where the exchange displayed its own prices, nearly all of them are ours.
    let sum = |field| markets.iter().map(|(_, market)| count(market, field)).sum::<u64>();
    let (shown, ours, raw) =
        (sum("shown_prices"), sum("shown_price_is_ours"), sum("shown_price_is_raw"));
    println!("{ours} of {shown} displayed prices are ours, {raw} those of the orders alone");
    assert!(1_900 < shown && 95 * shown < 100 * ours, "{ours} of {shown}");
}

#[test]
fn what_is_no_recording_or_has_no_definition_is_said_so() {
    let said = betring(["exchange", "replay", "/nowhere.bz2"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("cannot open the recording"), "{}", said.err);
    let book = Book::of("account A7");
    let line = r#"{"op":"mcm","pt":1000,"mc":[{"id":"1.5","rc":[{"id":7,"atb":[[2.5,10]]}]}]}"#;
    let file = book.file("headless.jsonl", &format!("{line}\n"));
    let said = betring_on(&["exchange", "replay"], &file);
    assert_eq!(said.code, Some(1), "{}", said.out);
    let what = "line 1, market 1.5: prices before the market's definition";
    assert!(said.out.contains(what), "{}", said.out);
}
