//! Poison: what panics, and what the device refuses, stops acceptance at once, and never loops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::Failing;
use crate::table::*;
use betring::journal::Store;
use betring::logic::{BetFacts, Ruling};
use betring::*;

/// House rules with a fault: a stake of 66.60 makes them panic.
#[derive(Clone)]
struct Fragile(Arc<AtomicBool>);

impl Fragile {
    fn new() -> Fragile {
        Fragile(Arc::new(AtomicBool::new(true)))
    }
}

impl Rules for Fragile {
    const ID: u64 = 99;
    const VERSION: u32 = 1;

    fn stake(&self, bet: &BetFacts) -> Ruling {
        assert!(
            bet.stake.minor() != 6_660 || !self.0.load(Ordering::Relaxed),
            "a fault in the operator's rules"
        );
        Ruling::Pass
    }
}

fn open(config: Config, rules: Fragile) -> Result<Engine, Error> {
    Engine::open_with(config, rules, &mut |_| {})
}

fn devil(account: AccountId, market: &Market) -> Place {
    Place::single(account, market.selection("England"), money!(66.60)).any_price().key(key(666))
}

#[test]
fn a_command_that_panics_stops_the_engine_and_is_in_quarantine_after_the_next_start() {
    for layout in LAYOUTS {
        let dir = dir();
        let rules = Fragile::new();
        let engine = open(small(&dir, layout), rules.clone()).expect("opened");
        let mut trader = engine.control("trader:anna").expect("registered");
        let market = open_market(&mut trader, "ENG-SCO 1X2");
        let mut client = engine.client(64).expect("a seat");
        let account = funded(&mut client, 1001);
        let good = client.try_submit(bet(account, &market, 5)).expect("taken");
        let Outcome::Accepted(good) = client.wait(good, SECOND) else { panic!("accepted") };

        let ticket = client.try_submit(devil(account, &market)).expect("taken");
        let outcome = client.wait(ticket, SECOND);
        assert_eq!(outcome, Outcome::Unknown(ticket.request), "{layout}: never a refusal");
        let refused = client.try_submit(bet(account, &market, 6));
        assert_eq!(refused, Err(NotTaken::Poisoned), "{layout}: acceptance has stopped");
        let Status::Poisoned { why } = engine.health().status else { panic!("{layout}: poisoned") };
        assert!(
            why.contains("deciding a customer's command for") && why.contains("a fault in the"),
            "{why}"
        );
        assert!(matches!(engine.control("x"), Err(Error::Poisoned { .. })));
        let seq = good.seq.next();
        let file = format!("book/poison-{:020}.cmd", seq.0);
        assert!(dir.path().join(&file).exists(), "{layout}: {file}");
        assert!(matches!(engine.shutdown(), Err(Error::Poisoned { .. })));
        assert!(!client.is_open() && client.has_ended());

        // The same rules, still at fault: the engine opens, and the request is refused unseen.
        let engine = open(small(&dir, layout), rules.clone()).expect("opened again");
        let recovered = engine.recovered().clone();
        assert_eq!(recovered.quarantined, [(account.raw(), key(666))], "{layout}");
        assert_eq!(recovered.kept_seq, good.seq, "{layout}: it left no trace in the journal");
        assert!(!dir.path().join(&file).exists(), "the file has done its work");
        let mut trader = engine.control("trader:anna").expect("registered");
        trader.open_market(&market).expect("open");
        let mut client = engine.client(64).expect("a seat");
        let ticket = client.try_submit(devil(account, &market)).expect("taken");
        assert_eq!(
            client.wait(ticket, SECOND).to_string(),
            "This request is being looked at; please contact us."
        );
        // The question about it is still answered: it was never placed.
        let resolved = client.resolve(ticket.request).expect("answered");
        assert_eq!(resolved, Resolved::NeverPlaced(ticket.request));
        trader.lift_quarantine(account.raw(), key(666)).expect("lifted");
        engine.shutdown().expect("in order");

        let engine = open(small(&dir, layout), rules.clone()).expect("opened");
        assert_eq!(engine.recovered().quarantined, [], "{layout}: once");
        engine.shutdown().expect("in order");
    }
}

#[test]
fn a_request_that_stopped_the_engine_finds_a_place_in_a_quarantine_that_is_full() {
    let dir = dir();
    let config = small(&dir, Layout::OneThread);
    let config = config.capacities(Capacities { quarantined: 1, ..capacities() });
    let mut table = None;
    for n in 0..4 {
        let engine = open(config.clone(), Fragile::new()).expect("opened");
        let recovered = engine.recovered().clone();
        let mut trader = engine.control("trader:anna").expect("registered");
        let mut client = engine.client(64).expect("a seat");
        let (account, market) = &*table.get_or_insert_with(|| {
            let market = open_market(&mut trader, "ENG-SCO 1X2");
            (funded(&mut client, 1001), market)
        });
        trader.open_market(market).expect("open");
        let held = if n == 0 { vec![] } else { vec![(account.raw(), key(665 + n))] };
        assert_eq!(recovered.quarantined, held, "start {n}");
        for known in 0..n {
            let ticket =
                client.try_submit(devil(*account, market).key(key(666 + known))).expect("taken");
            let outcome = client.wait(ticket, SECOND).to_string();
            assert_eq!(outcome, "This request is being looked at; please contact us.", "start {n}");
        }
        let ticket = client.try_submit(devil(*account, market).key(key(666 + n))).expect("taken");
        assert_eq!(client.wait(ticket, SECOND), Outcome::Unknown(ticket.request), "start {n}");
        assert!(matches!(engine.shutdown(), Err(Error::Poisoned { .. })));
    }
}

#[test]
fn a_disk_too_full_for_the_command_that_panicked_keeps_no_half_of_it_and_the_request_is_named() {
    let dir = dir();
    let store = Failing::new();
    let config = small(&dir, Layout::OneThread);
    let engine = Engine::open_on(store.clone(), config.clone(), Fragile::new(), &mut |_| {});
    let engine = engine.expect("opened");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = open_market(&mut trader, "ENG-SCO 1X2");
    let mut client = engine.client(64).expect("a seat");
    let account = funded(&mut client, 1001);
    store.is_full(true);
    let ticket = client.try_submit(devil(account, &market)).expect("taken");
    assert_eq!(client.wait(ticket, SECOND), Outcome::Unknown(ticket.request));
    let Status::Poisoned { why } = engine.health().status else { panic!("poisoned") };
    let keep = format!("keep request {account}:{} from being sent again", key(666));
    assert!(why.contains("cannot write") && why.ends_with(&keep), "{why}");
    drop((trader, client));
    assert!(matches!(engine.shutdown(), Err(Error::Poisoned { .. })));
    store.is_full(false);
    let files = store.list().expect("listed");
    assert!(!files.iter().any(|name| name.starts_with("poison-")), "{files:?}");
    let engine = Engine::open_on(store, config, Fragile::new(), &mut |_| {}).expect("opened again");
    assert_eq!(engine.recovered().quarantined, []);
}

#[test]
fn a_message_without_a_key_that_panicked_keeps_the_engine_shut_and_names_the_file() {
    let dir = dir();
    let engine = Engine::open(small(&dir, Layout::Inline)).expect("opened");
    engine.shutdown().expect("in order");
    // As the loop writes it aside: a Tick, which nobody can be refused by.
    let mut tick = [0; 128];
    (tick[0], tick[1], tick[4]) = (4, 1, 1);
    let file = dir.path().join("book/poison-00000000000000000003.cmd");
    std::fs::write(&file, tick).expect("written");
    let error = Engine::open(small(&dir, Layout::Inline)).expect_err("it would panic again");
    assert_eq!(
        error.to_string(),
        format!(
            "an earlier run panicked in a Tick which would have become sequence #3, and would again: \
             use a program in which this is repaired, then remove {}",
            file.display()
        )
    );
    std::fs::write(&file, b"?").expect("written");
    let error = Engine::open(small(&dir, Layout::Inline)).expect_err("unreadable");
    assert_eq!(
        error.to_string(),
        format!(
            "{} should hold the command that stopped an earlier run, but it does not begin with a \
             command's header: look at it, then remove it",
            file.display()
        )
    );
    std::fs::remove_file(&file).expect("removed");
    Engine::open(small(&dir, Layout::Inline)).expect("opened");
}

#[test]
fn a_journaled_command_that_panics_now_refuses_to_open_and_is_named() {
    let dir = dir();
    let rules = Fragile::new();
    rules.0.store(false, Ordering::Relaxed);
    let engine = open(small(&dir, Layout::Inline), rules.clone()).expect("opened");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = open_market(&mut trader, "ENG-SCO 1X2");
    let mut client = engine.client(64).expect("a seat");
    let account = funded(&mut client, 1001);
    let ticket = client.try_submit(devil(account, &market)).expect("taken");
    let Outcome::Accepted(bet) = client.wait(ticket, SECOND) else { panic!("accepted") };
    engine.shutdown().expect("in order");
    rules.0.store(true, Ordering::Relaxed);
    let error = open(small(&dir, Layout::Inline), rules).expect_err("the rules panic");
    assert_eq!(
        error.to_string(),
        format!(
            "replaying sequence {}, a Place (a fault in the operator's rules), panicked: nothing was \
             changed; use a program in which this is repaired",
            bet.seq
        )
    );
}

#[test]
fn a_sync_that_fails_leaves_every_unanswered_attempt_unknown_and_is_not_tried_again() {
    for layout in LAYOUTS {
        let dir = dir();
        let store = Failing::new();
        let config = small(&dir, layout);
        let engine = Engine::open_on(store.clone(), config.clone(), HouseRules, &mut |_| {})
            .expect("opened");
        let mut trader = engine.control("trader:anna").expect("registered");
        let market = open_market(&mut trader, "ENG-SCO 1X2");
        let mut client = engine.client(64).expect("a seat");
        let account = funded(&mut client, 1001);
        store.sync_fails_from(1);
        let tickets: Vec<_> =
            (0..5).filter_map(|n| client.try_submit(bet(account, &market, 10 + n)).ok()).collect();
        assert!(!tickets.is_empty());
        let first = client.wait(tickets[0], SECOND);
        assert_eq!(first, Outcome::Unknown(tickets[0].request), "{layout}");
        // The device is back, but nobody asks it again.
        store.works_again();
        while !client.has_ended() {
            std::thread::yield_now();
        }
        assert_eq!(client.poll(&mut [Reply::default(); 8]), 0, "{layout}");
        let unknown = client.take_unknown();
        let rest: Vec<_> = tickets[1..].iter().map(|t| t.request).collect();
        assert!(unknown.ends_with(&rest), "{layout}: {unknown:?}");
        assert_eq!(client.in_flight(), 0);
        let why = engine.health().status.to_string();
        assert!(why.starts_with("poisoned: the journal failed: cannot sync"), "{layout}: {why}");
        let Err(Error::Poisoned { .. }) = engine.shutdown() else { panic!("{layout}") };
        drop((trader, client));
        // What was answered is there; what was unknown can be asked about.
        let engine = Engine::open_on(store, config, HouseRules, &mut |_| {}).expect("opened again");
        let mut client = engine.client(64).expect("a seat");
        for ticket in tickets {
            client.resolve(ticket.request).expect("answered");
        }
    }
}
