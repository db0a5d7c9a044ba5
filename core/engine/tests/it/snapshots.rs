//! Snapshots: opening from one is the same as deciding everything again, and losing one loses nothing.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use betring::journal::MemStore;
use betring::*;

use crate::table::*;

fn book(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("book")
}

/// A damaged byte in the middle of a snapshot.
fn damage(book: &Path, seq: Seq) -> String {
    let path = book.join(format!("snap-{:020}.snp", seq.0));
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("there");
    let mut byte = [0];
    file.read_exact_at(&mut byte, 5000).expect("read");
    file.write_all_at(&[byte[0] ^ 1], 5000).expect("written");
    path.display().to_string()
}

#[test]
fn an_engine_opened_from_a_snapshot_is_the_one_that_decides_everything_again() {
    for layout in LAYOUTS {
        let dir = dir();
        let mut table = set(small(&dir, layout));
        for n in 0..60 {
            table.place(10 + n);
        }
        let first = table.engine.snapshot().expect("made");
        assert_eq!((first.from, first.replayed), (None, first.seq.0), "{layout}");
        for n in 60..80 {
            table.place(10 + n);
        }
        let second = table.engine.snapshot().expect("made");
        assert_eq!((second.from, second.replayed), (Some(first.seq), 20), "{layout}");
        assert_eq!(second.digest, table.engine.digest().expect("open"), "{layout}");
        let again = table.engine.snapshot().expect("there");
        assert_eq!((again.seq, again.replayed), (second.seq, 0), "{layout}");
        let text = format!(
            "the snapshot at {} is the newest there can be, {} bytes, state {}, read back",
            second.seq, second.bytes, second.digest
        );
        assert!(again.to_string().starts_with(&text), "{again}");
        let last = table.place(1000).seq;
        let closed = table.engine.shutdown().expect("in order");
        assert_eq!(closed.snapshot, None, "too few records for one at the end");

        let engine = Engine::open(small(&dir, layout)).expect("opened again");
        let recovered = engine.recovered().clone();
        assert_eq!(recovered.snapshot, Some(second.seq), "{layout}");
        assert_eq!((recovered.kept_seq, recovered.replayed), (last, 1), "{layout}");
        assert_eq!(recovered.digest, closed.digest, "{layout}");
        assert_eq!(recovered.money_digest, closed.money_digest, "{layout}");
        let text = format!(
            "kept everything up to {last}, 1 records replayed after the snapshot at {}, opened in ",
            second.seq
        );
        assert!(recovered.to_string().starts_with(&text), "{recovered}");
        // What was answered before the snapshot is answered the same after it.
        let mut client = engine.client(16).expect("a seat");
        let ticket = client.try_submit(bet(table.account, &table.market, 11)).expect("taken");
        let answer = client.wait(ticket, SECOND);
        let Outcome::Refused(refusal) = &answer else { panic!("{answer}") };
        assert_eq!(refusal.reject, Reject::RequestReused, "its time limit is another one");
        let view = engine.view().expect("a view");
        view.wait_for(engine.durable_seq(), SECOND).expect("in time");
        assert_eq!(view.now().digest(), engine.digest().expect("open"), "{layout}");
        let closed = engine.shutdown().expect("in order");
        let replayed = replay(&book(&dir), &mut |_| {}).expect("replayed from the first record");
        assert_eq!(replayed.digest, closed.digest, "{layout}");
        assert_eq!(replayed.records, replayed.last_seq.0, "{layout}");
    }
}

#[test]
fn a_damaged_snapshot_falls_back_to_the_older_and_then_to_the_whole_journal() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let mut made = Vec::new();
    for n in 0..3 {
        table.place(10 + n);
        made.push(table.engine.snapshot().expect("made").seq);
    }
    let mut digest = table.engine.shutdown().expect("in order").digest;
    assert!(!book(&dir).join(format!("snap-{:020}.snp", made[0].0)).exists(), "two are kept");
    let mut passed_over = Vec::new();
    for (used, damaged) in
        [(Some(made[2]), Some(made[2])), (Some(made[1]), Some(made[1])), (None, None)]
    {
        let engine = Engine::open(small(&dir, Layout::Inline)).expect("opened");
        let recovered = engine.recovered();
        assert_eq!((recovered.snapshot, recovered.digest), (used, digest));
        assert_eq!(recovered.passed_over, passed_over);
        assert!(passed_over.iter().all(|why| recovered.to_string().contains(why)));
        digest = engine.shutdown().expect("in order").digest;
        if let Some(seq) = damaged {
            let place = damage(&book(&dir), seq);
            passed_over.push(format!(
                "{place} cannot be used: the checksum of chunk 0 does not match, at offset 4096; \
                 nothing is lost by it"
            ));
        }
    }
}

#[test]
fn a_clean_stop_makes_a_snapshot_when_enough_has_come() {
    for layout in LAYOUTS {
        let dir = dir();
        let config = || small(&dir, layout).snapshot_at_stop(50);
        let mut table = set(config());
        for n in 0..50 {
            table.place(10 + n);
        }
        let closed = table.engine.shutdown().expect("in order");
        let text = closed.to_string();
        let Some(Ok(snapshot)) = &closed.snapshot else { panic!("{layout}: {text}") };
        assert_eq!((snapshot.seq, snapshot.digest), (closed.last_seq, closed.digest));
        assert!(text.contains("; snapshot at #"), "{text}");
        let engine = Engine::open(config()).expect("opened");
        let recovered = engine.recovered();
        assert_eq!((recovered.snapshot, recovered.replayed), (Some(closed.last_seq), 0));
        assert_eq!(recovered.digest, closed.digest);
        assert_eq!(engine.shutdown().expect("in order").snapshot, None, "only one record came");
    }
}

#[test]
fn snapshots_come_by_themselves_and_segments_behind_them_go_to_the_archive() {
    for layout in [Layout::OneThread, Layout::TwoThread] {
        let dir = dir();
        // A bet that is waited for is a frame of its own: 254 to a segment.
        let config =
            || small(&dir, layout).segment_bytes(1 << 20).snapshot_every(100).archive(true);
        let mut table = set(config());
        for n in 0..700 {
            table.place(10 + n);
        }
        let mut patience = 0;
        while table.engine.snapshots().newest < Some(Seq(600)) {
            std::thread::sleep(std::time::Duration::from_millis(5));
            patience += 1;
            assert!(patience < 2000, "{layout}: {}", table.engine.snapshots());
        }
        let health = table.engine.snapshots();
        assert!(2 <= health.made && health.failed == 0, "{health}");
        let closed = table.engine.shutdown().expect("in order");
        let archived = std::fs::read_dir(book(&dir).join("archive")).expect("made").count();
        assert!(1 <= archived, "{layout}");
        let engine = Engine::open(config()).expect("opened");
        assert_eq!(engine.recovered().digest, closed.digest, "{layout}");
        assert!(engine.recovered().replayed < 200, "{}", engine.recovered());
        let digest = engine.shutdown().expect("in order").digest;
        // What was archived is still read by whoever reads everything.
        let replayed = replay(&book(&dir), &mut |_| {}).expect("replayed");
        assert_eq!((replayed.digest, replayed.records), (digest, replayed.last_seq.0));
        // And is not needed for opening.
        std::fs::remove_dir_all(book(&dir).join("archive")).expect("moved to another machine");
        let engine = Engine::open(config()).expect("opened");
        assert_eq!(engine.recovered().digest, digest, "{layout}");
    }
}

#[test]
fn a_journal_that_nobody_has_open_gets_a_snapshot_too() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    table.place(10);
    let locked = snapshot(&book(&dir), false, &mut |_| {}).expect_err("it is in use");
    assert_eq!(
        locked.to_string(),
        format!(
            "{} is locked: another process has this journal open; stop it, or use another directory",
            book(&dir).join("LOCK").display()
        )
    );
    let closed = table.engine.shutdown().expect("in order");
    let mut told = Vec::new();
    let made = snapshot(&book(&dir), true, &mut |p| told.push(p.stage)).expect("made");
    assert_eq!((made.seq, made.digest), (closed.last_seq, closed.digest));
    assert_eq!(
        made.archived.expect("asked for").to_string(),
        "nothing can go to the archive: there are fewer than two snapshots that are right in every \
         byte"
    );
    assert!(told.contains(&Stage::Checking));
    let missing = dir.path().join("nothing");
    assert_eq!(
        snapshot(&missing, false, &mut |_| {}).expect_err("nothing").to_string(),
        format!("there is no journal in {}: check the directory's name", missing.display())
    );
}

/// An engine over files in memory.
fn in_memory(store: &MemStore, clock: &Clock) -> Result<Engine, Error> {
    let config = Config::at("memory")
        .layout(Layout::Inline)
        .clock(clock.clone())
        .capacities(capacities())
        .secret([7; 16])
        .clients(4, 256)
        .segment_bytes(1 << 20)
        .segments_ahead(0);
    Engine::open_on(store.clone(), config, HouseRules, &mut |_| {})
}

#[test]
fn a_full_disk_makes_no_snapshot_and_the_engine_goes_on() {
    let (store, clock) = (MemStore::new(), Clock::manual(Timestamp(1_000_000_000)));
    let engine = in_memory(&store, &clock).expect("opened");
    let mut client = engine.client(16).expect("a seat");
    let account = funded(&mut client, 1001);
    store.set_capacity(Some((1 << 20) + 2 * 64 + 1000));
    let error = engine.snapshot().expect_err("no space").to_string();
    let text = "no space for memory/snap-00000000000000000004.snp: ";
    assert!(error.starts_with(text) && error.contains("1000 free"), "{error}");
    let health = engine.snapshots();
    assert_eq!((health.made, health.failed, health.failure), (0, 1, Some(error)));
    client.deposit(account, money!(1.00), key(2)).expect("the engine goes on");
    store.set_capacity(None);
    assert_eq!(engine.snapshot().expect("made").seq, engine.durable_seq());
    let health = engine.snapshots().to_string();
    assert_eq!(health, "1 snapshots made, the newest at #5");
}

/// The whole way: at whatever operation of a snapshot the machine stops, nothing is lost.
#[test]
fn a_power_cut_at_any_moment_of_a_snapshot_leaves_the_state_as_it_was() {
    let (ready, clock) = (MemStore::new(), Clock::manual(Timestamp(1_000_000_000)));
    let digest = {
        let engine = in_memory(&ready, &clock).expect("opened");
        let mut client = engine.client(16).expect("a seat");
        let account = funded(&mut client, 1001);
        engine.snapshot().expect("made");
        client.deposit(account, money!(1.00), key(2)).expect("paid in");
        engine.shutdown().expect("in order").digest
    };
    let run = |store: &MemStore| {
        let engine = in_memory(store, &clock).expect("opened");
        let before = store.ops();
        engine.snapshot().expect("made");
        (before, store.ops())
    };
    let (from, to) = run(&ready.kill());
    assert!(10 < to - from, "{} moments", to - from);
    for at in from..=to {
        let store = ready.kill();
        store.take_image_at(at);
        run(&store);
        let image = store.image();
        // The journal's own tests try every way at every moment.
        let (names, all) = [(0, false), (9, false), (0, true), (9, true)][at as usize % 4];
        let left = image.crash(names, |_, sector| all || sector % 2 == 0);
        let engine = in_memory(&left, &clock).expect("opened");
        assert!(engine.recovered().passed_over.is_empty(), "{}", engine.recovered());
        assert!(engine.recovered().snapshot.is_some(), "{}", engine.recovered());
        // The run that was cut short began with one record.
        let closed = engine.shutdown().expect("in order");
        for seq in betring::journal::snapshots(&left).expect("listed") {
            left.lose(&betring::journal::snapshot_name(seq));
        }
        let engine = in_memory(&left, &clock).expect("opened");
        assert_eq!(engine.recovered().snapshot, None);
        assert_eq!(engine.recovered().digest, closed.digest, "at {at}");
    }
    let engine = in_memory(&ready, &clock).expect("opened");
    assert_eq!(engine.recovered().digest, digest);
}

#[derive(Clone)]
struct Others;

impl Rules for Others {
    const ID: u64 = 7;
    const VERSION: u32 = 3;
}

fn other_rules(dir: &tempfile::TempDir) -> Result<Engine, Error> {
    Engine::open_with(small(dir, Layout::Inline), Others, &mut |_| {})
}

#[test]
fn rules_are_changed_between_a_clean_stop_with_a_snapshot_and_the_next_start() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    table.place(10);
    let snapshot = table.engine.snapshot().expect("made");
    let (account, market) = (table.account, table.market.clone());
    drop((table.trader, table.client));
    table.engine.shutdown().expect("in order");
    // Twice: the run under the new rules is decided again under them.
    for (n, records) in [(11, 0), (12, 1)] {
        let engine = other_rules(&dir).expect("opened under other rules");
        let recovered = engine.recovered();
        assert_eq!(recovered.snapshot, Some(snapshot.seq));
        assert!(records <= recovered.replayed, "{recovered}");
        let mut trader = engine.control("trader:anna").expect("registered");
        trader.open_market(&market).expect("open");
        let mut client = engine.client(64).expect("a seat");
        let ticket = client.try_submit(bet(account, &market, n)).expect("taken");
        assert!(matches!(client.wait(ticket, SECOND), Outcome::Accepted(_)));
        engine.shutdown().expect("in order");
    }
    // And back, which needs a snapshot again.
    assert!(matches!(Engine::open(small(&dir, Layout::Inline)), Err(Error::OtherRules { .. })));
}

#[test]
fn what_other_rules_decided_after_the_snapshot_is_not_decided_again() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    table.place(10);
    table.engine.snapshot().expect("made");
    table.place(11);
    table.engine.shutdown().expect("in order");
    let error = other_rules(&dir).expect_err("a bet came after the snapshot").to_string();
    let to_do = "open it with the rules that it was written under, make a snapshot, stop in order, \
                 and then change the rules";
    assert!(error.contains(to_do), "{error}");
    // So it can be done: nothing was changed.
    let engine = Engine::open(small(&dir, Layout::Inline)).expect("opened");
    engine.snapshot().expect("made");
    engine.shutdown().expect("in order");
    other_rules(&dir).expect("opened under other rules");
}
