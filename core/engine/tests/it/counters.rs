//! What an engine counts is in a file that others read, and nothing depends on it.

use crate::table::*;
use betring::counters::{self, Counters, CountersError, Life};
use betring::logic::{BetFacts, Ruling};
use betring::*;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// As often as it may be.
const OFTEN: Nanos = Nanos::from_millis(10);

fn telling(dir: &tempfile::TempDir, layout: Layout) -> Config {
    small(dir, layout).counters_every(OFTEN)
}

fn book(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("book")
}

/// Reads until it is so; how long that takes is the machine's affair.
fn read_until(book: &Path, is_so: impl Fn(&Counters) -> bool) -> Counters {
    let began = Instant::now();
    let mut last = None;
    while began.elapsed() < Duration::from_secs(60) {
        if let Ok(read) = counters::read(book) {
            if is_so(&read) {
                return read;
            }
            last = Some(read);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it never came, the last that was read is {last:?}");
}

/// Places bets, and waits for each.
fn place(table: &mut Table, keys: std::ops::Range<u128>) {
    for n in keys {
        let ticket = table.client.try_submit(bet(table.account, &table.market, n)).expect("taken");
        let outcome = table.client.wait(ticket, SECOND);
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    }
}

#[test]
fn a_reader_sees_what_an_engine_did() {
    for layout in [Layout::OneThread, Layout::TwoThread] {
        let dir = dir();
        let mut table = set(telling(&dir, layout));
        let first = counters::read(book(&dir)).expect("there as soon as the engine is open");
        assert_eq!(first.pid, std::process::id());
        assert_eq!((first.status(), first.layout()), (Status::Serving, layout));
        assert_eq!((first.epoch, first.every), (Epoch(1), OFTEN));
        assert_eq!(first.program.text(), env!("CARGO_PKG_VERSION"));
        assert_eq!(first.life(first.heartbeat), Life::Beats);

        place(&mut table, 100..140);
        let decided = table.engine.watch().decided();
        // The first window is over then.
        let seen = read_until(&book(&dir), |seen| {
            decided <= seen.durable && Nanos::ZERO < seen.longest_sync_ever
        });
        let counts = table.engine.health().counts;
        assert_eq!(seen.counts.sequenced, counts.sequenced);
        assert_eq!(seen.decided, decided);
        assert!(0 < seen.counts.syncs && 0 < seen.counts.journal_bytes);
        assert!(first.heartbeat < seen.heartbeat && Nanos::ZERO < seen.uptime());
        assert!(Nanos::ZERO < seen.busy && seen.busy <= seen.uptime());
        assert!(Nanos::ZERO < seen.longest_turn_ever && Nanos::ZERO < seen.longest_sync_ever);
        assert!(Nanos::ZERO < seen.last_sync && seen.last_sync <= seen.longest_sync_ever);
        let rings: Vec<_> = seen.rings().map(|ring| (ring.name.text(), ring.slots)).collect();
        let expected = [("control", 256), ("bets", 1024), ("records", 32_768)];
        assert_eq!(rings, expected[..if layout == Layout::TwoThread { 3 } else { 2 }]);
        let lags: Vec<_> = seen.lags().map(|lag| (lag.name.text(), lag.behind)).collect();
        assert_eq!(lags[..3], [("page cache", 0), ("durable", 0), ("outputs", 0)]);
        assert_eq!(lags[3], ("snapshot", decided.0));
        assert!(0 < seen.seats_taken && seen.seats == 8);

        let top = seen.top().next().expect("the one market there is");
        assert_eq!((top.id(), top.name.text()), (table.market.id(), "ENG-SCO 1X2"));
        // 40 bets of 1.00 at 2.10: 1.10 each to lose.
        assert_eq!((top.exposure, top.currency), (Minor(4_400), 826));
        assert!(Nanos::ZERO < top.price_age && top.price_age < Nanos(i64::MAX));
        assert_eq!(seen.top().count(), 1);

        // What took how long stands until the next window is over: bets come in each.
        let mut next = 1_000;
        let mut answered = seen;
        let began = Instant::now();
        while answered.answered.count == 0 || answered.queued.count == 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "{answered:?}");
            place(&mut table, next..next + 1);
            next += 1;
            std::thread::sleep(Duration::from_millis(5));
            answered = counters::read(book(&dir)).expect("the engine runs");
        }
        assert_eq!(answered.answered_markets, 1);
        let slow = answered.slowest().next().expect("the one with answers");
        assert_eq!((slow.id(), slow.count), (table.market.id(), answered.answered.count));
        assert_eq!(slow.p99, answered.answered.p99);
        assert_eq!(answered.median_p99, slow.p99);
        let within = |took: counters::Took| took.p50 <= took.p99 && took.p99 <= took.longest;
        assert!(within(answered.answered) && within(answered.capped) && within(answered.queued));
        assert!(0 < answered.written.count && 0 < answered.synced.count);
        drop(table);
    }
}

#[test]
fn a_rate_is_that_of_the_door_and_a_market_that_nobody_bets_on_is_not_on_top() {
    let dir = dir();
    let mut table = set(telling(&dir, Layout::OneThread));
    open_market(&mut table.trader, "quiet");
    place(&mut table, 100..120);
    let seen = read_until(&book(&dir), |seen| seen.top().next().is_some());
    let names: Vec<_> = seen.top().map(|market| market.name.text()).collect();
    assert_eq!(names, ["ENG-SCO 1X2"]);
    let top = seen.top().next().expect("it is there");
    let age_ms = top.price_age.0 as u128 / 1_000_000;
    assert_eq!(top.score(), top.exposure.0 as u128 * u128::from(top.rate) * age_ms);
}

#[test]
fn an_engine_that_was_closed_says_so_and_the_next_run_writes_its_own() {
    let dir = dir();
    let table = set(telling(&dir, Layout::OneThread));
    let Table { engine, trader, client, .. } = table;
    drop((trader, client));
    let closed = engine.shutdown().expect("in order");
    let seen = counters::read(book(&dir)).expect("it is left");
    assert!(seen.has_ended());
    assert_eq!(seen.status(), Status::Closed);
    assert_eq!((seen.decided, seen.durable), (closed.last_seq, closed.last_seq));
    assert_eq!(seen.life(counters::wall()), Life::Ended);

    let engine = Engine::open(telling(&dir, Layout::OneThread)).expect("opened again");
    assert_eq!(engine.recovered().kept_seq, closed.last_seq);
    let seen = counters::read(book(&dir)).expect("a new one");
    assert!(!seen.has_ended());
    assert_eq!((seen.epoch, seen.status()), (Epoch(2), Status::Serving));
}

/// House rules that panic at every bet.
#[derive(Clone)]
struct Broken;

impl Rules for Broken {
    const ID: u64 = 98;
    const VERSION: u32 = 1;

    fn stake(&self, _bet: &BetFacts) -> Ruling {
        panic!("a fault in the operator's rules")
    }
}

#[test]
fn an_engine_that_was_poisoned_says_why() {
    let dir = dir();
    let config = telling(&dir, Layout::TwoThread);
    let engine = Engine::open_with(config, Broken, &mut |_| {}).expect("opened");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = open_market(&mut trader, "ENG-SCO 1X2");
    let mut client = engine.client(64).expect("a seat");
    let account = funded(&mut client, 1001);
    let ticket = client.try_submit(bet(account, &market, 5)).expect("taken");
    assert!(matches!(client.wait(ticket, SECOND), Outcome::Unknown(_)));
    let is_poisoned = |seen: &Counters| matches!(seen.status(), Status::Poisoned { why } if why.contains("panicked"));
    let seen = read_until(&book(&dir), is_poisoned);
    assert!(!seen.has_ended(), "its owner has not closed it");
    drop((trader, client));
    engine.shutdown().expect_err("poisoned");
    let seen = counters::read(book(&dir)).expect("it is left");
    assert!(seen.has_ended() && is_poisoned(&seen));
}

#[test]
fn without_threads_or_when_told_so_an_engine_writes_none() {
    for config in [
        |dir: &tempfile::TempDir| telling(dir, Layout::Inline),
        |dir: &tempfile::TempDir| small(dir, Layout::OneThread).counters_every(Nanos::ZERO),
    ] {
        let dir = dir();
        let engine = Engine::open(config(&dir)).expect("opened");
        let error = counters::read(book(&dir)).expect_err("there are none");
        assert!(matches!(error, CountersError::Missing { .. }));
        let said = error.to_string().replace(&dir.path().display().to_string(), ".");
        assert_eq!(
            said,
            "there are no counters\n  where: ./book/counters\n  what to do: name the directory of a \
             journal whose engine runs, with threads of its own and with Config::counters_every"
        );
        drop(engine);
    }
}

#[test]
fn an_interval_out_of_range_is_refused() {
    for every in [Nanos::from_millis(9), Nanos::from_secs(11), Nanos(-1)] {
        let dir = dir();
        let refused = Engine::open(small(&dir, Layout::OneThread).counters_every(every));
        let said = refused.expect_err("out of range").to_string();
        assert!(said.contains("give counters_every from 10 ms to 10 s"), "{said}");
    }
}

#[test]
fn whatever_lies_in_its_place_is_replaced() {
    let dir = dir();
    drop(set(telling(&dir, Layout::OneThread)));
    let file = counters::file(book(&dir));
    let elsewhere = dir.path().join("elsewhere");
    std::fs::write(&elsewhere, "not to be touched").expect("written");
    std::fs::remove_file(&file).expect("it was there");
    std::os::unix::fs::symlink(&elsewhere, &file).expect("linked");
    // What a run left that was killed while it wrote the first one.
    std::fs::write(file.with_extension("tmp"), "half").expect("written");
    let engine = Engine::open(telling(&dir, Layout::OneThread)).expect("opened");
    assert_eq!(counters::read(book(&dir)).expect("whole").epoch, Epoch(2));
    assert!(!file.with_extension("tmp").exists());
    drop(engine);
    assert_eq!(std::fs::read_to_string(elsewhere).expect("there"), "not to be touched");
}

#[test]
fn what_is_no_counters_is_told_from_them() {
    let dir = dir();
    for (bytes, len) in [("", 0), ("a note of somebody's, longer than a header", 42)] {
        assert_eq!(bytes.len(), len);
        std::fs::write(counters::file(dir.path()), bytes).expect("written");
        let error = counters::read(dir.path()).expect_err("no counters");
        assert!(matches!(error, CountersError::NotCounters { .. }), "{error}");
    }
}

#[test]
fn counters_that_cannot_be_written_stop_nothing_and_come_when_they_can() {
    let dir = dir();
    let file = counters::file(book(&dir));
    std::fs::create_dir_all(file.join("in the way")).expect("made");
    let mut table = set(telling(&dir, Layout::OneThread));
    place(&mut table, 100..110);
    let warnings = table.engine.health().warnings;
    let told = warnings.iter().any(|said| said.starts_with("the counters could not be written: "));
    assert!(told, "{warnings:?}");
    assert!(matches!(counters::read(book(&dir)), Err(CountersError::Io { .. })));
    std::fs::remove_dir_all(&file).expect("removed");
    let seen = read_until(&book(&dir), |_| true);
    assert!(0 < seen.failures && 0 < seen.warnings);
    assert!(10 <= seen.counts.sequenced);
}

#[test]
fn counters_that_somebody_removed_are_written_anew() {
    let dir = dir();
    let _table = set(telling(&dir, Layout::OneThread));
    std::fs::remove_file(counters::file(book(&dir))).expect("it was there");
    read_until(&book(&dir), |seen| seen.status() == Status::Serving);
}

#[test]
fn readers_that_somebody_has_are_told_with_what_they_have_not_read() {
    let dir = dir();
    let mut table = set(telling(&dir, Layout::OneThread));
    let view = table.engine.view().expect("a view");
    let mut events = table.engine.events();
    let ahead = events.clone();
    place(&mut table, 100..110);
    let lag = |seen: &Counters, name: &str| {
        seen.lags().find(|lag| lag.name.text() == name).map(|lag| (lag.behind, lag.most))
    };
    let decided = table.engine.watch().decided();
    let behind = |seen: &Counters| lag(seen, "events 2").map_or(0, |(behind, _)| behind);
    let seen = read_until(&book(&dir), |seen| {
        decided <= seen.durable && 10 < behind(seen) && lag(seen, "view 1") == Some((0, 0))
    });
    assert_eq!(lag(&seen, "events 2").map(|(_, most)| most), Some(1 << 10));
    assert_eq!(lag(&seen, "events 2"), lag(&seen, "events 3"), "a clone reads for itself");
    while events.next().expect("not lapped").is_some() {}
    let seen = read_until(&book(&dir), |seen| lag(seen, "events 2") == Some((0, 1 << 10)));
    assert!(10 < lag(&seen, "events 3").expect("it has read nothing").0);
    drop((view, events, ahead));
    let gone = |seen: &Counters| lag(seen, "view 1").is_none() && lag(seen, "events 3").is_none();
    read_until(&book(&dir), gone);
}
