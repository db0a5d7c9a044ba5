//! Opening and closing: one process a directory, other programs' journals, threads and their cores.

use std::os::unix::fs::{FileExt, PermissionsExt};

use crate::disk::Failing;
use crate::table::*;
use betring::*;

#[test]
fn a_directory_is_opened_by_one_engine_at_a_time() {
    let dir = dir();
    let engine = Engine::open(small(&dir, Layout::OneThread)).expect("opened");
    let error = Engine::open(small(&dir, Layout::OneThread)).expect_err("it is in use");
    assert_eq!(
        error.to_string(),
        format!(
            "{} is locked: another process has this journal open; stop it, or use another directory",
            dir.path().join("book/LOCK").display()
        )
    );
    engine.shutdown().expect("in order");
    Engine::open(small(&dir, Layout::OneThread)).expect("free again");
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let dir = dir();
    let book = dir.path().join("book");
    std::fs::create_dir(&book).expect("made");
    std::fs::set_permissions(&book, std::fs::Permissions::from_mode(0o777)).expect("set");
    let error = Engine::open(small(&dir, Layout::Inline)).expect_err("others can write it");
    assert_eq!(
        error.to_string(),
        format!(
            "{0} can be written by others than its owner (mode 0777): chmod 0700 {0}",
            book.display()
        )
    );
}

#[derive(Clone)]
struct Others;

impl Rules for Others {
    const ID: u64 = 7;
    const VERSION: u32 = 3;
}

#[test]
fn a_journal_is_opened_under_its_own_rules_only() {
    let dir = dir();
    Engine::open(small(&dir, Layout::Inline)).expect("opened").shutdown().expect("in order");
    let error = Engine::open_with(small(&dir, Layout::Inline), Others, &mut |_| {});
    let Err(Error::OtherRules { epoch, found, expected }) = error else { panic!("refused") };
    assert_eq!((epoch, found, expected), (Epoch(1), (1, 1), (7, 3)));
}

#[test]
fn a_damaged_journal_refuses_to_open_and_says_where() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    table.place(10);
    table.engine.shutdown().expect("in order");
    let segment = dir.path().join("book/seg-00000000000000000001.jnl");
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&segment).expect("there");
    let mut byte = [0];
    file.read_exact_at(&mut byte, 4096 + 200).expect("read");
    file.write_all_at(&[byte[0] ^ 1], 4096 + 200).expect("written");
    let error = Engine::open(small(&dir, Layout::Inline)).expect_err("damaged");
    let text = error.to_string();
    assert!(text.starts_with(&format!("{} is damaged at offset", segment.display())), "{text}");
    assert!(text.contains("sequence"), "{text}");
}

#[test]
fn opening_tells_how_far_it_is() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    table.place(10);
    table.engine.shutdown().expect("in order");
    let mut told = Vec::new();
    let engine = Engine::open_with(small(&dir, Layout::Inline), HouseRules, &mut |p| told.push(p));
    engine.expect("opened");
    assert!(told.iter().any(|p| p.stage == Stage::Checking && 0 < p.total_bytes), "{told:?}");
}

#[test]
fn only_an_inline_engine_is_turned_by_its_caller() {
    let dir = dir();
    let engine = Engine::open(small(&dir, Layout::OneThread)).expect("opened");
    assert!(matches!(engine.turn(), Err(Error::NotInline)));
    assert!(matches!(engine.run_until_idle(), Err(Error::NotInline)));
}

#[test]
fn a_shutdown_decides_what_was_taken_and_refuses_what_comes_after() {
    for layout in LAYOUTS {
        let dir = dir();
        let mut table = set(small(&dir, layout));
        let tickets: Vec<_> = (0..100)
            .map(|n| {
                let ask = bet(table.account, &table.market, 10 + n);
                table.client.try_submit(ask).expect("taken")
            })
            .collect();
        let closed = table.engine.shutdown().expect("in order");
        for ticket in tickets {
            let outcome = table.client.wait(ticket, SECOND);
            assert!(matches!(outcome, Outcome::Accepted(_)), "{layout}: {outcome}");
        }
        let after = table.client.try_submit(bet(table.account, &table.market, 999));
        assert_eq!(after, Err(NotTaken::Closed), "{layout}");
        assert!(matches!(table.trader.open_market(&table.market), Err(Error::Closed)));
        assert!(table.client.has_ended() && table.client.take_unknown().is_empty());
        let text = closed.to_string();
        assert!(text.starts_with(&format!("closed at {}, state ", closed.last_seq)), "{text}");
    }
}

#[test]
fn cores_that_cannot_be_had_are_warnings_and_the_engine_serves() {
    let dir = dir();
    let cores = Cores::Pinned { decide: 4_000, journal: 4_001 };
    let mut table = set(small(&dir, Layout::TwoThread).cores(cores));
    table.place(10);
    let health = table.engine.health();
    assert_eq!(health.warnings.len(), 2, "{health}");
    assert_eq!((health.decide_core, health.journal_core), (None, None));
    assert!(health.to_string().contains("warning: the deciding thread is not pinned"), "{health}");
}

#[test]
fn a_thread_is_pinned_where_it_may_be_and_its_builder_is_not() {
    let dir = dir();
    let mine = core_affinity::get_core_ids().expect("a mask");
    let core = mine[0].id;
    let cores = Cores::Pinned { decide: core, journal: core };
    let mut table = set(small(&dir, Layout::OneThread).cores(cores));
    table.place(10);
    assert_eq!(table.engine.health().decide_core, Some(core));
    assert_eq!(core_affinity::get_core_ids().expect("a mask"), mine, "this thread is not pinned");
}

#[test]
fn health_says_how_the_engine_is() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::TwoThread));
    for n in 0..50 {
        table.place(10 + n);
    }
    let health = table.engine.health();
    assert_eq!(health.status, Status::Serving);
    assert_eq!((health.epoch, health.layout), (Epoch(1), Layout::TwoThread));
    assert_eq!(health.seats, (2, 8));
    assert!(health.lag <= health.seq.0 && 0 < health.counts.syncs);
    // Actor, market, prices, opening, account, deposit, and the bets; two came before any ring.
    assert_eq!(health.counts.commands, 56);
    assert_eq!(health.seq, Seq(58));
    let rings: Vec<_> = health.rings.iter().map(|r| (r.name, r.depth)).collect();
    assert_eq!(rings[..2], [("control", 0), ("bets", 0)]);
    assert_ne!(health.decide_thread, 0);
    let text = health.to_string();
    assert!(text.starts_with("serving, epoch e1, #58 decided, "), "{text}");
    assert!(text.contains("two-thread layout, waiting spin-then-yield, unpinned"), "{text}");
}

#[test]
fn a_parked_loop_wakes_for_whoever_sends() {
    for layout in [Layout::OneThread, Layout::TwoThread] {
        let dir = dir();
        let mut table = set(small(&dir, layout).wait(WaitStrategy::Park));
        for n in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(2));
            table.place(10 + n);
        }
        table.engine.shutdown().expect("in order");
    }
}

/// Whichever sync of an opening fails, the next opening finds everything, and begins a later run.
#[test]
fn an_opening_that_failed_anywhere_is_simply_done_again() {
    let dir = dir();
    let store = Failing::new();
    let config = small(&dir, Layout::Inline);
    let open = || Engine::open_on(store.clone(), config.clone(), HouseRules, &mut |_| {});
    let mut last = {
        let engine = open().expect("opened");
        let mut trader = engine.control("trader:anna").expect("registered");
        open_market(&mut trader, "ENG-SCO 1X2");
        engine.shutdown().expect("in order")
    };
    let mut epoch = Epoch(1);
    for n in 1.. {
        store.sync_fails_from(n);
        let failed = open().map(drop);
        store.works_again();
        let engine = open().unwrap_or_else(|e| panic!("after sync {n} failed: {e}"));
        let recovered = engine.recovered().clone();
        assert!(last.last_seq <= recovered.kept_seq, "sync {n}");
        assert!(epoch < recovered.epoch, "sync {n}: no run has the number of another");
        epoch = recovered.epoch;
        last = engine.shutdown().expect("in order");
        if failed.is_ok() {
            assert!(3 < n, "opening syncs more than that");
            return;
        }
    }
}

#[test]
fn a_run_that_was_killed_before_its_first_record_is_told_by_the_next() {
    let dir = dir();
    let store = Failing::new();
    let config = small(&dir, Layout::Inline);
    let open = || Engine::open_on(store.clone(), config.clone(), HouseRules, &mut |_| {});
    let last = open().expect("opened").shutdown().expect("in order");
    // As far as a kill lets it come: the segment is named and synced, no record is in it.
    let options = journal::Options { segment_bytes: 4 << 20, ..journal::Options::small(4 << 20) };
    let opened = journal::Journal::open(store.clone(), options, SCHEMA_HASH, &mut |_| {});
    let info = journal::EpochInfo { epoch: 2, logic_version: 1, rules_id: 1, rules_version: 1 };
    drop(opened.expect("sound").begin_epoch(info).expect("begun"));
    let engine = open().expect("opened");
    assert_eq!((engine.recovered().kept_seq, engine.recovered().epoch), (last.last_seq, Epoch(3)));
    let closed = engine.shutdown().expect("in order");
    assert_eq!(closed.last_seq.0, last.last_seq.0 + 2, "both runs have their record");
    assert_eq!(open().expect("opened").recovered().epoch, Epoch(4));
}

#[test]
fn a_full_disk_refuses_senders_and_goes_on_when_there_is_space() {
    for layout in [Layout::OneThread, Layout::TwoThread] {
        let dir = dir();
        let store = Failing::new();
        let config = small(&dir, layout).segment_bytes(1 << 20).answer_within(SECOND);
        let engine = Engine::open_on(store.clone(), config.clone(), HouseRules, &mut |_| {});
        let engine = engine.expect("opened");
        let mut trader = engine.control("trader:anna").expect("registered");
        let market = open_market(&mut trader, "ENG-SCO 1X2");
        let mut client = engine.client(1024).expect("a seat");
        let account = funded(&mut client, 1001);
        client.deposit(account, money!(100000.00), key(2)).expect("paid in");
        store.is_full(true);
        // A segment holds some 2,000 bets: the next one cannot be made.
        let (mut sent, mut accepted) = (0, 0);
        let mut replies = [Reply::default(); 256];
        let mut read = |client: &mut Client, accepted: &mut u128| {
            let count = client.poll(&mut replies);
            assert!(replies[..count].iter().all(|r| r.answer.kind() == AnswerKind::Accepted));
            *accepted += count as u128;
        };
        let start = std::time::Instant::now();
        while engine.health().counts.no_space == 0 {
            assert!(start.elapsed() < 6 * SECOND, "{layout}: {sent} bets fill a segment");
            sent += u128::from(client.try_submit(bet(account, &market, 100 + sent)).is_ok());
            read(&mut client, &mut accepted);
        }
        while client.try_submit(bet(account, &market, 100 + sent)).is_ok() {
            sent += 1;
        }
        let health = engine.health();
        assert_eq!(health.status, Status::Serving, "{layout}: {health}");
        assert!(health.warnings[0].starts_with("no space for "), "{:?}", health.warnings);
        assert_eq!(health.warnings.len(), 1, "however often it was tried: {:?}", health.warnings);
        store.is_full(false);
        while accepted < sent {
            assert!(start.elapsed() < 6 * SECOND, "{layout}: {accepted} of {sent}");
            read(&mut client, &mut accepted);
            std::thread::yield_now();
        }
        let closed = engine.shutdown().expect("in order");
        drop((trader, client));
        let engine = Engine::open_on(store, config, HouseRules, &mut |_| {}).expect("opened");
        assert_eq!(engine.recovered().digest, closed.digest, "{layout}");
    }
}
