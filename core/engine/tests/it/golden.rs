//! Journals and snapshots of every version: what was written once is read for ever.
//!
//! `tests/golden/` has a file for each version of logic and image: all files of a small journal, in
//! rows of 32 bytes, those of zeros left out. The newest is renewed by
//! `BETRING_BLESS=1 cargo test -p betring --test it golden`; from the first tagged release on none of
//! them may change.

use std::fmt::Write as _;
use std::path::PathBuf;

use betring::journal::{MemStore, ReadLevel, Reader, Store, read_snapshot, snapshots, verify};
use betring::logic::{IMAGE_VERSION, LOGIC_VERSION};
use betring::*;

use crate::table::*;

const ROW: usize = 32;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn version() -> String {
    format!("logic-{LOGIC_VERSION}-image-{IMAGE_VERSION}")
}

fn open(store: &MemStore, clock: &Clock) -> Engine {
    let capacities = Capacities {
        accounts: 4,
        markets: 4,
        selections: 16,
        bets: 64,
        keys: 128,
        feeds: 2,
        fixtures: 2,
        actors: 4,
        currencies: 2,
        quarantined: 2,
        legs: 96,
        groups: 2,
        limited: 2,
        orders: 32,
        positions: 8,
        stands: 32,
        levels: 1 << 11,
    };
    let config = Config::at("golden")
        .layout(Layout::Inline)
        .clock(clock.clone())
        .capacities(capacities)
        .price_failure(PriceFailure::Offer)
        .secret(*b"golden secret 16")
        .clients(8, 64)
        .segment_bytes(1 << 20)
        .segments_ahead(0);
    Engine::open_on(store.clone(), config, HouseRules, &mut |_| {}).expect("opened")
}

/// A short night in three runs: what waits for time, what is remembered, what is settled, orders of an exchange
/// market that are matched, crossed and started; two snapshots, a segment in the archive, and records behind both.
fn night() -> (MemStore, Closed) {
    let (store, clock) = (MemStore::new(), Clock::manual(Timestamp(1_000_000_000_000)));
    let later = || clock.advance(Nanos::from_millis(100));
    let engine = open(&store, &clock);
    let mut trader = engine.control("trader:anna").expect("registered");
    let mut feed = engine.feed("feed", Nanos::from_secs(60)).expect("defined");
    let fixture = trader.define_fixture("ENG-SCO", clock.now()).expect("defined");
    let terms = MarketTerms::new("1X2", ["England", "Draw", "Scotland"]);
    let fed = trader.define(terms.fixture(fixture).feed(feed.id())).expect("defined");
    let manual = open_market(&mut trader, "manual");
    trader.open_market(&fed).expect("open");
    let said = |feed: &mut Feed| {
        let _answered = feed.recovered(clock.now()).expect("taken");
        let prices = [(SelectionIndex(0), Some(price!(2.50))), (SelectionIndex(1), None)];
        let _answered = feed.prices(&fed, &prices, clock.now()).expect("taken");
        feed.settle(SECOND).expect("answered");
    };
    said(&mut feed);
    let mut client = engine.client(16).expect("a seat");
    let account = funded(&mut client, 1001);
    let asks = [
        Place::single(account, fed.selection("England"), money!(10.00)).any_price().key(key(10)),
        Place::single(account, manual.selection("Draw"), money!(5.00))
            .seen_at(price!(3.50))
            .key(key(11)),
        Place::single(account, manual.selection("England"), money!(2.00)).any_price().key(key(12)),
    ];
    let tickets: Vec<_> = asks.iter().map(|ask| client.try_submit(*ask).expect("taken")).collect();
    let told: Vec<_> = tickets.into_iter().map(|t| client.wait(t, SECOND)).collect();
    assert!(matches!(told[..], [Outcome::Accepted(_), Outcome::Offered(_), Outcome::Accepted(_)]));
    let race = MarketTerms::new("race", ["Red", "Rum", "Dawn"]).exchange();
    let race = trader.define(race).expect("defined");
    let terms = ExchangeTerms::new(Currency::GBP).crosses().starting_prices().commission(500);
    trader.set_exchange(&race, &terms).expect("has its book");
    trader.open_market(&race).expect("open");
    let other = funded(&mut client, 1002);
    let orders = [
        Order::back(race.selection("Red"), money!(10.00), price!(3.00)).persist(),
        Order::back(race.selection("Rum"), money!(10.00), price!(3.00)),
        Order::back_on_close(race.selection("Dawn"), money!(4.00)),
    ];
    let placed = client.place_orders(account, key(13), &orders).expect("placed");
    let meets = [
        Order::lay(race.selection("Red"), money!(4.00), price!(3.00)),
        Order::back(race.selection("Dawn"), money!(2.00), price!(2.80)),
        Order::lay_on_close(race.selection("Dawn"), money!(6.00)),
    ];
    let met = client.place_orders(other, key(14), &meets).expect("placed");
    assert_eq!(met.matched, Minor(600), "one directly, one crossed");
    let part = Cancel::part(placed.first, money!(1.00));
    client.cancel_orders(account, key(15), &race, [part]).expect("cancelled");
    engine.shutdown().expect("in order");

    later();
    let engine = open(&store, &clock);
    let mut trader = engine.control("trader:anna").expect("registered");
    trader.suspend(fixture, Owner::Trader).expect("suspended");
    trader.open_market(&manual).expect("open");
    trader.in_play(&race, Nanos::from_secs(5)).expect("turned");
    engine.run_until_idle().expect("turns");
    engine.snapshot().expect("made");
    engine.shutdown().expect("in order");

    later();
    let engine = open(&store, &clock);
    let mut trader = engine.control("trader:anna").expect("registered");
    let mut client = engine.client(16).expect("a seat");
    client.deposit(account, money!(1.00), key(20)).expect("paid in");
    engine.snapshot().expect("made");
    let manifest = betring::journal::manifest(&store).expect("there");
    betring::journal::archive(&store, &manifest, false).expect("moved");
    trader.open_market(&race).expect("open");
    let waits = [Order::lay(race.selection("Red"), money!(1.00), price!(3.00))];
    let waits = client.place_orders(other, key(21), &waits).expect("placed");
    assert_eq!(waits.until, clock.now().plus(Nanos::from_secs(5)), "for its delay");
    let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
    trader.result(&manual, [win, lose, lose]).expect("started");
    engine.run_until_idle().expect("turns");
    let closed = engine.shutdown().expect("in order");
    (store, closed)
}

/// All files as text.
fn dump(store: &MemStore, closed: &Closed) -> String {
    let (seq, state, money) = (closed.last_seq, closed.digest, closed.money_digest);
    let mut text = format!("sequence {seq}\nstate {state}\nmoney {money}\n");
    let mut names = store.list().expect("listed");
    names.sort_unstable();
    for name in names {
        let bytes = store.contents(&name);
        writeln!(text, "file {name} {}", bytes.len()).expect("text");
        for (row, bytes) in bytes.chunks(ROW).enumerate() {
            if bytes.iter().any(|byte| *byte != 0) {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(text, "{:06x} {hex}", row * ROW).expect("text");
            }
        }
    }
    text
}

/// What the text says that the journal comes to, and its files.
fn read(text: &str) -> ([String; 3], MemStore) {
    let (store, mut said) = (MemStore::new(), Vec::new());
    let mut file: Option<(String, Vec<u8>)> = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["sequence" | "state" | "money", what] => said.push(what.to_owned()),
            ["file", name, len] => {
                let bytes = vec![0; len.parse().expect("a length")];
                if let Some((name, bytes)) = file.replace((name.to_owned(), bytes)) {
                    store.set_contents(&name, &bytes);
                }
            }
            [offset, hex] => {
                let at = usize::from_str_radix(offset, 16).expect("an offset");
                let (_, bytes) = file.as_mut().expect("rows are of a file");
                for (n, byte) in (0..hex.len()).step_by(2).enumerate() {
                    bytes[at + n] = u8::from_str_radix(&hex[byte..byte + 2], 16).expect("hex");
                }
            }
            _ => panic!("no line of a golden file: {line}"),
        }
    }
    if let Some((name, bytes)) = file {
        store.set_contents(&name, &bytes);
    }
    (said.try_into().expect("sequence, state and money"), store)
}

#[test]
fn what_is_written_today_is_what_was_always_written() {
    let (store, closed) = night();
    let text = dump(&store, &closed);
    let path = directory().join(format!("{}.hex", version()));
    if std::env::var_os("BETRING_BLESS").is_some() {
        std::fs::create_dir_all(directory()).expect("made");
        std::fs::write(&path, &text).expect("written");
    }
    let golden = std::fs::read_to_string(&path).expect("a golden journal of this version");
    let line = text.lines().zip(golden.lines()).position(|(now, then)| now != then);
    assert!(
        text == golden,
        "{} is another one from line {:?} on; if that is meant, it is another version of logic or \
         image: BETRING_BLESS=1 writes its file",
        path.display(),
        line.map(|line| line + 1)
    );
}

#[test]
fn every_golden_journal_is_read_and_comes_to_the_same_state_from_each_of_its_snapshots() {
    let mut versions = 0;
    for entry in std::fs::read_dir(directory()).expect("golden journals") {
        let path = entry.expect("listed").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let ([seq, state, money], store) = read(&std::fs::read_to_string(&path).expect("text"));
        versions += 1;
        let report = verify(&store, &mut |_| {}).expect("readable");
        assert!(report.is_sound() && report.bad_snapshots.is_empty(), "{name}: {report}");
        let mut reader = Reader::open(store.clone(), 1, ReadLevel::Sealed).expect("opened");
        let mut records = 0;
        while let Some(record) = reader.next().expect("whole") {
            let slots = record.payload.len().min(usize::from(record.payload[4]) * 128);
            betring::logic::command::decode(&record.payload[..slots]).expect("a command");
            records += 1;
        }
        assert_eq!(format!("#{records}"), seq, "{name}");
        let made = snapshots(&store).expect("listed");
        assert_eq!(made.len(), 2, "{name}");
        for &seq in &made {
            let (header, image) = read_snapshot(&store, &reader.manifest(), seq).expect("whole");
            let digest = Digest(u128::from_le_bytes(header.digest));
            State::from_image(HouseRules, &image, digest).expect("every later version reads it");
        }
        // Decided again it is only by the logic that decided it.
        if !name.starts_with(&format!("logic-{LOGIC_VERSION}-")) {
            continue;
        }
        for left in (0..=made.len()).rev() {
            let copy = store.kill();
            for &seq in &made[left..] {
                copy.lose(&betring::journal::snapshot_name(seq));
            }
            for &seq in &made[..made.len().min(left).saturating_sub(1)] {
                copy.lose(&betring::journal::snapshot_name(seq));
            }
            let engine = open(&copy, &Clock::manual(Timestamp(1_001_000_000_000)));
            let recovered = engine.recovered();
            assert_eq!(recovered.snapshot, left.checked_sub(1).map(|at| Seq(made[at])), "{name}");
            assert_eq!(recovered.digest.to_string(), state, "{name}: {recovered}");
            assert_eq!(recovered.money_digest.to_string(), money, "{name}");
            assert_eq!(recovered.kept_seq.to_string(), seq, "{name}");
        }
    }
    assert!(1 <= versions);
}
