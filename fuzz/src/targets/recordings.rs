//! Lines of a stream recording: read, added up, translated and checked.

use std::collections::BTreeMap;
use std::io::Cursor;

use betring_betfair::{
    Book, Decimal, FeedCheck, FileCheck, LEVELS_MAX, MarketChange, Merged, RUNNERS_MAX, Recording,
    RunnerBook, Sizes, Translator, Update,
};

/// Updates taken of one recording: heartbeats fill its gaps, which may be a year long.
const UPDATES_MAX: usize = 4_096;

/// Any bytes as the lines of a recording.
///
/// Every line is read or reported, in bounded memory; a change that a book refuses leaves it as it
/// was; its lists are in order, without empty places, within their bounds; time never falls in a
/// translation; and a number writes what it reads.
///
/// # Panics
/// If a rule is broken.
pub fn recordings(data: &[u8]) {
    let mut messages = 0;
    let mut books: BTreeMap<String, Book> = BTreeMap::new();
    let mut recording = recording(data);
    for line in recording.by_ref() {
        match line {
            Ok(message) => {
                messages += 1;
                for change in &message.changes {
                    assert!(!change.market_id.is_empty());
                    apply(books.entry(change.market_id.clone()).or_default(), change);
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let lines = data.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    assert!(recording.lines() <= lines, "no line is read that is not there");

    let check = FileCheck::read(self::recording(data));
    assert_eq!(check.messages, messages, "the check sees what the reader gives");
    assert!(check.unread_lines <= check.lines && check.lines <= lines);
    let json = FeedCheck { files: vec![check] }.to_json();
    assert!(json.starts_with('{') && json.ends_with('}'), "there is always a report");

    translate(data);
    if let Ok(text) = std::str::from_utf8(data) {
        text.split([',', '[', ']', ':', '\n']).take(64).for_each(number);
    }
}

fn recording(data: &[u8]) -> Recording {
    Recording::read("fuzz", Cursor::new(data.to_vec()))
}

fn apply(book: &mut Book, change: &MarketChange) {
    let before = book.clone();
    match book.apply(change) {
        Err(reason) => {
            assert!(!reason.to_string().is_empty());
            let same = format!("{before:?}") == format!("{book:?}");
            assert!(same, "a change is taken in whole or not at all: {reason}");
        }
        Ok(()) => {
            if let Some(definition) = &change.definition {
                assert_eq!(book.definition(), Some(definition), "the last definition is in force");
            }
            for named in &change.runners {
                assert!(book.runner(named.key()).is_some(), "what has changed is there");
            }
            let runners = book.runners().count();
            assert!(runners <= RUNNERS_MAX, "selections have a bound");
            let named = change.runners.len();
            assert!(!change.image || runners <= named, "an image is everything there is");
        }
    }
    for (key, runner) in book.runners() {
        check_runner(runner);
        assert_eq!(book.best_back(key), runner.best_back());
        assert_eq!(book.best_lay(key), runner.best_lay());
        assert!(!key.to_string().is_empty());
    }
}

fn check_runner(runner: &RunnerBook) {
    let lists = [
        runner.available_to_back(),
        runner.available_to_lay(),
        runner.traded(),
        runner.sp_back(),
        runner.sp_lay(),
    ];
    lists.into_iter().for_each(check_sizes);
    let best = runner.best_back();
    if let Some(highest) = runner.available_to_back().highest() {
        assert_eq!(best, Some(highest), "the best price to back is the highest");
    }
    if let Some(lowest) = runner.available_to_lay().lowest() {
        assert_eq!(runner.best_lay(), Some(lowest), "the best price to lay is the lowest");
    }
    // Which it is does not matter; that it can be told does.
    let _ = runner.is_crossed();
}

fn check_sizes(sizes: &Sizes) {
    let mut levels = 0;
    let mut before = None;
    for level in sizes.levels() {
        assert!(!level.size.is_zero() && !level.size.is_negative(), "a size is more than nothing");
        assert!(before.is_none_or(|price| price < level.price), "prices rise, each once");
        before = Some(level.price);
        levels += 1;
    }
    assert!(levels <= LEVELS_MAX, "prices have a bound");
    assert_eq!(sizes.lowest().is_none(), levels == 0);
    assert!(sizes.total().is_none_or(|total| !total.is_negative()));
}

fn translate(data: &[u8]) {
    let mut now = 0;
    let mut markets: Vec<usize> = Vec::new();
    for update in Translator::new(recording(data)).take(UPDATES_MAX) {
        let Ok(timed) = update else { continue };
        assert!(now <= timed.publish_time_ms, "time never falls");
        now = timed.publish_time_ms;
        let known = |market: usize, selections: &[usize]| {
            let count = markets.get(market).copied();
            let count = count.expect("a market is defined before anything is told of it");
            assert!(selections.iter().all(|s| *s < count), "a selection is defined before, too");
        };
        match timed.update {
            Update::Heartbeat => (),
            Update::Define(define) => {
                assert_eq!(define.market.index(), markets.len(), "markets are numbered in order");
                assert!(define.selections.len() <= RUNNERS_MAX);
                markets.push(define.selections.len());
            }
            Update::SelectionAdded { market, selection, .. } => {
                known(market.index(), &[]);
                let count = &mut markets[market.index()];
                assert_eq!(selection.index(), *count, "selections are numbered in order");
                *count += 1;
            }
            Update::Status { market, .. } => known(market.index(), &[]),
            Update::RunnerRemoved { market, selection, .. }
            | Update::StartingPrice { market, selection, .. } => {
                known(market.index(), &[selection.index()]);
            }
            Update::Prices { market, prices, .. } => {
                let selections: Vec<usize> = prices.iter().map(|(s, _)| s.index()).collect();
                assert!(selections.is_sorted_by(|a, b| a < b), "in order, each once");
                known(market.index(), &selections);
            }
            Update::Results { market, outcomes, .. } => {
                let selections: Vec<usize> = outcomes.iter().map(|(s, _)| s.index()).collect();
                assert!(selections.is_sorted_by(|a, b| a < b), "in order, each once");
                known(market.index(), &selections);
            }
        }
    }
    // Two halves of it at once, as two recordings of one night.
    let (one, other) = data.split_at(data.len() / 2);
    let merged = Merged::new(vec![recording(one), recording(other)]);
    merged.take(UPDATES_MAX).for_each(drop);
}

fn number(text: &str) {
    let Ok(number) = Decimal::parse(text) else { return };
    let written = number.to_string();
    let again = Decimal::parse(&written).expect("what is written reads");
    assert_eq!((again.mantissa(), again.scale()), (number.mantissa(), number.scale()));
    assert_eq!(again.is_zero(), number.mantissa() == 0);
    if let Some(e4) = number.to_e4() {
        assert!(number.is_zero() || 0 < e4, "a number of ten-thousandths is not lost");
    }
}

/// A small market's life in a few lines, whole and broken.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let define = |status: &str, runners: &str| {
        format!(
            r#"{{"status":"{status}","inPlay":false,"betDelay":0,"numberOfWinners":1,"marketType":"WIN","runners":[{runners}]}}"#
        )
    };
    let runner = |id: u32, status: &str| format!(r#"{{"id":{id},"status":"{status}"}}"#);
    let line =
        |pt: u32, change: &str| format!(r#"{{"op":"mcm","pt":{pt},"mc":[{change}]}}"#) + "\n";
    let opened = line(
        1_000,
        &format!(
            r#"{{"id":"1.5","img":true,"marketDefinition":{},"rc":[{{"id":7,"atb":[[2.5,10],[2.48,3]],"atl":[[2.6,4]],"ltp":2.5,"tv":12.5}},{{"id":8,"hc":-0.5,"batb":[[0,1.5,2]],"batl":[[0,1.6,1]]}}]}}"#,
            define("OPEN", &[runner(7, "ACTIVE"), runner(8, "ACTIVE")].join(","))
        ),
    );
    let changed = line(
        1_250,
        r#"{"id":"1.5","rc":[{"id":7,"atb":[[2.5,0],[2.46,1.5e1]],"trd":[[2.5,20]],"spn":"NaN","spf":3.1}]}"#,
    );
    let removed = line(
        2_400,
        &format!(
            r#"{{"id":"1.5","marketDefinition":{}}}"#,
            define(
                "SUSPENDED",
                &[
                    runner(7, "ACTIVE"),
                    r#"{"id":8,"status":"REMOVED","adjustmentFactor":12.5}"#.into(),
                    runner(9, "ACTIVE")
                ]
                .join(",")
            )
        ),
    );
    let closed = line(
        9_000,
        &format!(
            r#"{{"id":"1.5","marketDefinition":{}}}"#,
            define(
                "CLOSED",
                &[
                    r#"{"id":7,"status":"WINNER","bsp":2.62}"#.into(),
                    runner(8, "REMOVED"),
                    runner(9, "LOSER")
                ]
                .join(",")
            )
        ),
    );
    let life = [&opened[..], &changed, &removed, &closed].concat();
    let cut = life[..life.len() - 40].to_owned();
    let login = r#"{"op":"connection","connectionId":"1"}
{"op":"status","status":"SUCCESS","statusCode":200}
{"op":"mcm","pt":5,"clk":"AAA","status":503,"mc":null}

nonsense
{"op":"ocm","pt":6}
"#;
    vec![
        ("a-markets-life", life.clone().into_bytes()),
        ("opened", opened.clone().into_bytes()),
        ("cut-inside-a-line", cut.into_bytes()),
        ("other-messages", login.as_bytes().to_vec()),
        ("time-leaps", [line(1, ""), line(4_000_000_000, ""), line(7, "")].concat().into_bytes()),
        ("ladders", line(3, r#"{"id":"1.6","marketDefinition":{"status":"OPEN","priceLadderDefinition":{"type":"LINE_RANGE"},"runners":[]},"rc":[{"id":1,"bdatb":[[3,1.01,2],[0,1000,1]]}]}"#).into_bytes()),
        ("numbers", b"1.10,2e3,-0.5,1E-2,0,0.000,99999999999999999999".to_vec()),
    ]
}
