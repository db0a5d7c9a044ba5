//! A running engine is watched from outside, and one that does not run any more is told from it.

use crate::book::*;
use betring::counters::{self, Counters};
use betring::{
    Config, Currency, Engine, Layout, Nanos, Outcome, Place, Reference, key, money, price,
};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the counters have their process and their heartbeat.
const PID: usize = 32;
const HEARTBEAT: usize = 48;

fn watched(book: &Path) -> Config {
    small(book).layout(Layout::OneThread).counters_every(Nanos::from_millis(10))
}

/// An engine that has taken bets on a market and has told so.
fn with_bets(book: &Path) -> Engine {
    let engine = Engine::open(watched(book)).expect("it opens");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = trader.define_market("ENG-SCO 1X2", ["England", "Draw"]).expect("defined");
    trader.set_prices(&market, [price!(2.10), price!(1.90)]).expect("priced");
    trader.open_market(&market).expect("open");
    let mut client = engine.client(16).expect("a seat");
    let account = client.open_account(Reference(7), Currency::GBP).expect("opened");
    client.deposit(account, money!(100.00), key(1)).expect("paid in");
    for n in 2..12 {
        let place = Place::single(account, market.selection("England"), money!(1.00));
        let ticket = client.try_submit(place.any_price().key(key(n))).expect("taken");
        let outcome = client.wait(ticket, Duration::from_secs(60));
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    }
    let decided = engine.watch().decided();
    let began = Instant::now();
    let told = |told: Counters| decided <= told.durable && told.top().next().is_some();
    while !counters::read(book).is_ok_and(told) {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
    engine
}

fn top(book: &Path, more: &[&str]) -> Said {
    let args = [OsStr::new("top"), book.as_os_str()];
    betring(args.into_iter().chain(more.iter().map(OsStr::new)))
}

/// Two readings of an engine that lives, as they should be. The threads of a busy machine may stand still for
/// as long as this takes: then they are made again.
fn seen(book: &Path, more: &[&str], is_so: impl Fn(&Said) -> bool) -> Said {
    let args: Vec<&str> = ["--once", "--every", "0.3"].iter().chain(more).copied().collect();
    let mut said = top(book, &args);
    for _ in 0..50 {
        if said.code == Some(0) && is_so(&said) {
            break;
        }
        said = top(book, &args);
    }
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    said
}

fn book() -> (tempfile::TempDir, PathBuf) {
    let above = tempfile::tempdir().expect("a directory");
    let book = above.path().join("book");
    (above, book)
}

/// Changes the counters that an engine left: their checksum is right again afterwards.
fn altered(book: &Path, change: impl Fn(&mut [u8])) {
    let file = counters::file(book);
    let mut bytes = std::fs::read(&file).expect("counters");
    change(&mut bytes);
    let end = bytes.len() - 8;
    let crc = crc32c(&bytes[32..end]);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&file, bytes).expect("written");
}

/// As if the engine had been killed so long ago, in this process.
fn killed(book: &Path, pid: u32, ago: Nanos) {
    altered(book, |bytes| {
        let heartbeat = counters::wall().0 - ago.0;
        bytes[HEARTBEAT..HEARTBEAT + 8].copy_from_slice(&heartbeat.to_le_bytes());
        bytes[PID..PID + 4].copy_from_slice(&pid.to_le_bytes());
    });
}

#[test]
fn a_running_engine_is_shown_with_its_markets_and_its_rates() {
    let (_above, book) = book();
    let engine = with_bets(&book);
    let said = seen(&book, &[], |said| !said.out.contains("since the start"));
    assert!(!said.out.contains('\x1b'), "no colours but on a terminal");
    let pid = std::process::id();
    let first = format!("{}: serving, one-thread layout, process {pid}, epoch e1,", book.display());
    assert!(said.out.starts_with(&first), "{}", said.out);
    for beginning in ["commands   ", "deciding   busy ", "journal    ", "rings      control 0 of"] {
        assert!(said.out.lines().any(|line| line.starts_with(beginning)), "{}", said.out);
    }
    let market = said.out.lines().find(|line| line.contains("M1 ENG-SCO 1X2")).expect("on top");
    assert!(market.contains("GBP 11.00"), "ten bets of 1.00 at 2.10 lose 1.10 each: {market}");

    let said = seen(&book, &["--json"], |said| said.out.contains("\"since_start\":false"));
    let told: Value = serde_json::from_str(&said.out).expect("one object");
    assert_eq!(told["runs"], true);
    assert_eq!((&told["status"], &told["pid"]), (&"serving".into(), &pid.into()));
    assert_eq!(told["durable"], engine.watch().durable().0);
    assert_eq!(told["counts"]["sequenced"], engine.health().counts.sequenced);
    assert_eq!(told["top_markets"][0]["exposure_minor"], 1_100);
    assert_eq!(told["top_markets"][0]["currency"], "GBP");
    assert_eq!(told["rates"]["since_start"], false);
    assert_eq!(told["rates"]["commands_per_s"], 0, "nobody bets meanwhile");
    assert_eq!(told["behind"][0]["name"], "page cache");
    for span in ["queued", "written", "synced", "decided_to_seen", "answered", "answered_capped"] {
        assert!(told["window"][span]["p99_ns"].is_i64(), "{span}: {told}");
    }
}

#[test]
fn an_engine_that_was_closed_is_shown_at_once_and_is_no_success() {
    let (_above, book) = book();
    with_bets(&book).shutdown().expect("in order");
    // It would wait for an hour for another reading.
    let said = top(&book, &["--once", "--every", "3600"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.out.contains("closed, one-thread layout"), "{}", said.out);
    assert!(said.out.contains("! the engine was closed in order → start it"), "{}", said.out);
    assert!(said.out.contains("since the start, 00:00:"), "{}", said.out);
}

#[test]
fn an_engine_without_a_heartbeat_stands_still_or_is_gone() {
    let (_above, book) = book();
    drop(with_bets(&book));
    let running = |bytes: &mut [u8]| {
        // Its status, and that it has ended: behind the header, four moments and spans, a text and a number.
        let status = 32 + 40 + 16 + 4;
        assert_eq!(bytes[status..status + 3], [2, 1, 1], "closed, one thread, ended");
        (bytes[status], bytes[status + 2]) = (0, 0);
    };
    altered(&book, running);
    killed(&book, std::process::id(), Nanos::from_secs(3_600));
    let said = top(&book, &["--once", "--every", "0.1"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let expected = format!("s: process {} stands still → look what", std::process::id());
    assert!(said.out.contains("! no heartbeat for 3600"), "{}", said.out);
    assert!(said.out.contains(&expected), "{}", said.out);

    let mut child = std::process::Command::new("true").spawn().expect("a process");
    let pid = child.id();
    child.wait().expect("it ends");
    killed(&book, pid, Nanos::from_secs(3_600));
    let said = top(&book, &["--once", "--every", "0.1", "--json"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let told: Value = serde_json::from_str(&said.out).expect("one object");
    assert_eq!((&told["alive"], &told["ended"]), (&false.into(), &false.into()));
    let what = told["troubles"][0]["what"].as_str().expect("a trouble");
    assert!(what.ends_with(&format!("process {pid} is gone")), "{what}");
}

#[test]
fn counters_that_are_not_there_or_are_another_version_s_are_told_with_what_to_do() {
    let (above, book) = book();
    let said = top(&book, &["--once"]).at(above.path(), ".");
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.err,
        "error: there is no journal here\n  where: ./book\n  what to do: name the journal's directory\n"
    );
    drop(Engine::open(small(&book)).expect("an engine without threads"));
    let said = top(&book, &["--once"]).at(above.path(), ".");
    assert_eq!(said.code, Some(2));
    assert!(said.err.starts_with("error: there are no counters\n  where: ./book/counters\n"));
    drop(with_bets(&book));
    altered(&book, |bytes| bytes[8] = 9);
    let said = top(&book, &["--once"]).at(above.path(), ".");
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.err,
        "error: these counters are of version 9, this program reads version 1\n  where: \
         ./book/counters\n  what to do: use the program of the version that runs the engine\n"
    );
    let said = top(&book, &["--every", "0"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("give seconds from 0.1 to 3600, like 0.5"), "{}", said.err);
}

#[test]
fn the_counters_are_in_nobody_s_way() {
    let (_above, book) = book();
    drop(with_bets(&book));
    assert!(counters::file(&book).exists());
    let looks: [&[&str]; 4] =
        [&["journal", "verify"], &["audit"], &["journal", "replay"], &["drill", "restore"]];
    for command in looks {
        let said = betring_on(command, &book);
        assert_eq!(said.code, Some(0), "{command:?}: {}{}", said.out, said.err);
    }
    std::fs::write(counters::file(&book), "rubbish").expect("written");
    let engine = Engine::open(watched(&book)).expect("rubbish is no part of the journal");
    assert_eq!(counters::read(&book).expect("its own").epoch.0, 2);
    drop(engine);
}
