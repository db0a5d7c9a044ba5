//! Restarts: the same state, the same answers, one bet a key whatever happens.

use crate::disk::Failing;
use crate::table::*;
use betring::*;

#[test]
fn a_restart_finds_the_same_state_and_goes_on() {
    for layout in LAYOUTS {
        let dir = dir();
        let mut table = set(small(&dir, layout));
        for n in 0..200 {
            table.place(10 + n);
        }
        let closed = table.engine.shutdown().expect("in order");
        let engine = Engine::open(small(&dir, layout)).expect("opened again");
        let recovered = engine.recovered();
        assert_eq!(recovered.digest, closed.digest, "{layout}");
        assert_eq!(recovered.money_digest, closed.money_digest, "{layout}");
        assert_eq!(recovered.kept_seq, closed.last_seq, "{layout}");
        assert_eq!(recovered.replayed, closed.last_seq.0, "{layout}");
        assert_eq!((recovered.epoch, recovered.cut), (Epoch(2), None));
        assert!(recovered.to_string().starts_with("kept everything up to #"), "{recovered}");
        // Manual markets wait for an operator after a start.
        let mut client = engine.client(16).expect("a seat");
        let ticket = client.try_submit(bet(table.account, &table.market, 999)).expect("taken");
        let outcome = client.wait(ticket, SECOND).to_string();
        assert_eq!(outcome, "This market is not open yet.", "{layout}");
        let mut trader = engine.control("trader:anna").expect("registered");
        assert_eq!(trader.actor(), table.trader.actor(), "a name keeps its number");
        trader.open_market(&table.market).expect("open");
        let ticket = client.try_submit(bet(table.account, &table.market, 1000)).expect("taken");
        let Outcome::Accepted(bet) = client.wait(ticket, SECOND) else { panic!("accepted") };
        assert_eq!(bet.id.to_string(), "B201", "bet ids are never used again");
        engine.shutdown().expect("in order");
    }
}

#[test]
fn a_journal_replays_to_the_digest_it_was_closed_with() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::TwoThread));
    for n in 0..100 {
        table.place(10 + n);
    }
    let path = table.engine.path().expect("a directory").to_path_buf();
    let closed = table.engine.shutdown().expect("in order");
    let replayed = replay(&path, &mut |_| {}).expect("replayed");
    assert_eq!(replayed.digest, closed.digest);
    assert_eq!(replayed.money_digest, closed.money_digest);
    assert_eq!((replayed.last_seq, replayed.epochs), (closed.last_seq, 1));
    assert_eq!(replayed.records, closed.last_seq.0);
}

#[test]
fn an_engine_that_was_dropped_has_shut_down_and_one_that_was_killed_lost_nothing_it_told() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let last = table.place(10).seq;
    drop(table.engine);
    // As a kill leaves it: a copy of the directory while the engine is still at work.
    let mut table = {
        let engine = Engine::open(small(&dir, Layout::OneThread)).expect("opened again");
        assert_eq!(engine.recovered().kept_seq, last);
        let mut trader = engine.control("trader:anna").expect("registered");
        trader.open_market(&table.market).expect("open");
        let client = engine.client(256).expect("a seat");
        Table { engine, trader, client, ..table }
    };
    let told: Vec<_> = (0..50).map(|n| table.place(100 + n)).collect();
    let copy = dir.path().join("copy");
    std::fs::create_dir(&copy).expect("made");
    for entry in std::fs::read_dir(dir.path().join("book")).expect("listed") {
        let entry = entry.expect("listed");
        std::fs::copy(entry.path(), copy.join(entry.file_name())).expect("copied");
    }
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o700)).expect("set");
    let digest = table.engine.digest().expect("open");
    let other = Config::at(&copy).layout(Layout::Inline).capacities(capacities());
    let engine = Engine::open(other).expect("the copy opens");
    assert!(told.last().expect("fifty").seq <= engine.recovered().kept_seq);
    assert_eq!(engine.recovered().digest, digest);
}

/// Must show: a retry just inside the window, just outside, and long after, before and after a restart.
#[test]
fn a_retry_is_one_bet_just_inside_the_window_just_outside_and_ten_windows_later() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let config = || small(&dir, Layout::Inline).clock(clock.clone()).window(Nanos::from_secs(60));
    let window = Nanos::from_secs(60);
    let Table { mut engine, trader, mut client, market, account } = set(config());
    drop(trader);
    let start = clock.now();
    let place = |n: u128| bet(account, &market, n).valid_until(start.plus(window));
    let keys = [10, 11, 12];
    for n in keys {
        let ticket = client.try_submit(place(n)).expect("taken");
        let Outcome::Accepted(_) = client.wait(ticket, SECOND) else { panic!("accepted") };
    }
    let moments = [
        // Still valid: the same answer.
        (window.0 - 1, 10, true),
        // Past valid_until, but remembered: the same answer.
        (window.0 + 1, 10, true),
        (2 * window.0 - 1, 11, true),
        // Forgotten, and so old that it can never execute.
        (2 * window.0 + 1, 12, false),
        (10 * window.0, 12, false),
    ];
    for (after, n, remembered) in moments {
        clock.set(start.plus(Nanos(after)));
        for restart in [false, true] {
            if restart {
                drop(client);
                engine.shutdown().expect("in order");
                engine = Engine::open(config()).expect("opened again");
                let mut trader = engine.control("trader:anna").expect("registered");
                trader.open_market(&market).expect("open");
                client = engine.client(64).expect("a seat");
            }
            let ticket = client.try_submit(place(n)).expect("taken");
            match client.wait(ticket, SECOND) {
                Outcome::Accepted(bet) => assert!(bet.duplicate && remembered, "{after}: {bet}"),
                Outcome::Refused(refusal) => {
                    assert_eq!(refusal.reject, Reject::Expired, "{after}");
                    assert!(!remembered, "{after} ns: {refusal}");
                }
                other => panic!("{after}: {other}"),
            }
        }
    }
    let view = engine.view().expect("a view");
    let book = view.at_least(engine.durable_seq(), SECOND).expect("in time");
    assert_eq!(book.bets().count(), keys.len(), "one bet a key");
}

#[test]
fn a_tick_comes_when_something_is_due_and_forgets_keys_that_can_no_longer_execute() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let config = small(&dir, Layout::Inline).clock(clock.clone()).window(Nanos::from_secs(10));
    let mut table = set(config);
    for n in 0..200 {
        table.place(10 + n);
    }
    let before = table.engine.health().counts;
    table.engine.run_until_idle().expect("turns");
    assert_eq!(table.engine.health().counts.ticks, before.ticks, "nothing is due yet");
    clock.advance(Nanos::from_secs(25));
    table.engine.run_until_idle().expect("turns");
    let after = table.engine.health().counts;
    assert_eq!(after.ticks, before.ticks + 1);
    // 200 and some keys, at most 64 units of work a step.
    assert!(before.steps + 4 <= after.steps, "{} steps", after.steps - before.steps);
    let view = table.engine.view().expect("a view");
    let book = view.at_least(table.engine.durable_seq(), SECOND).expect("in time");
    assert_eq!(book.keys_kept(), 0);
}

#[test]
fn capacities_grow_at_a_start_and_never_shrink() {
    let dir = dir();
    let table = set(small(&dir, Layout::Inline));
    table.engine.shutdown().expect("in order");
    let larger = Capacities { accounts: 1000, bets: 100, ..capacities() };
    let engine = Engine::open(small(&dir, Layout::Inline).capacities(larger)).expect("opened");
    let view = engine.view().expect("a view");
    let book = view.at_least(engine.durable_seq(), SECOND).expect("in time");
    assert_eq!(book.capacities().accounts, 1000);
    assert_eq!(book.capacities().bets, capacities().bets);
}

/// Somebody alters a committed event and makes every checksum right again: the bytes are sound, and yet
/// deciding the command again gives something else.
#[test]
fn a_journal_whose_events_were_altered_refuses_to_open_and_names_the_sequence() {
    use betring::journal::{EpochInfo, Journal, Options};
    let dir = dir();
    let config = small(&dir, Layout::Inline);
    let open =
        |store: &Failing| Engine::open_on(store.clone(), config.clone(), HouseRules, &mut |_| {});
    let (honest, altered) = (Failing::new(), Failing::new());
    let engine = open(&honest).expect("opened");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = open_market(&mut trader, "ENG-SCO 1X2");
    let mut client = engine.client(16).expect("a seat");
    let account = funded(&mut client, 1001);
    let ticket = client.try_submit(bet(account, &market, 10)).expect("taken");
    let Outcome::Accepted(bet) = client.wait(ticket, SECOND) else { panic!("accepted") };
    engine.shutdown().expect("in order");

    let options = || Options::small(4 << 20);
    let mut from = Journal::open(honest, options(), SCHEMA_HASH, &mut |_| {}).expect("sound");
    let to = Journal::open(altered.clone(), options(), SCHEMA_HASH, &mut |_| {}).expect("new");
    let info = EpochInfo { epoch: 1, logic_version: 1, rules_id: 1, rules_version: 1 };
    let mut to = to.begin_epoch(info).expect("begun");
    while let Some(record) = from.next_record().expect("sound") {
        let mut payload = record.payload.to_vec();
        if record.meta.seq == bet.seq.0 {
            // The bet's own event: what it returns, one pound more.
            let returns = 210_i64.to_le_bytes();
            let at = payload[128..].windows(8).position(|w| w == returns).expect("it is there");
            payload[128 + at..][..8].copy_from_slice(&310_i64.to_le_bytes());
        }
        to.append(record.meta, &payload).expect("appended");
    }
    to.close().expect("closed");
    let Err(Error::NotReproduced { seq, what }) = open(&altered) else { panic!("it refuses") };
    assert_eq!(seq, bet.seq);
    assert!(what.contains("was recorded as") && what.contains("or has other fields"), "{what}");
}
