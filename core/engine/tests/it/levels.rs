//! Levels: what has to be true before a reply is seen.

use std::time::Duration;

use crate::disk::Failing;
use crate::table::*;
use betring::*;

#[test]
fn a_durable_reply_is_seen_only_when_the_device_has_it() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let mut applied = table.engine.client_at(16, Level::AppliedOnlyMayVanish).expect("a seat");
    let mut process = table.engine.client_at(16, Level::ProcessCrashOnly).expect("a seat");
    let before = table.engine.durable_seq();
    for (n, client) in [&mut applied, &mut process].into_iter().enumerate() {
        let ask = bet(table.account, &table.market, 50 + n as u128);
        let _ticket = client.try_submit(ask).expect("taken");
    }
    // One turn decides and appends; nobody durable waits, so nothing is synced.
    table.engine.turn().expect("a turn");
    assert_eq!(table.engine.durable_seq(), before);
    assert_eq!(table.engine.process_seq().0, before.0 + 2);
    let mut replies = [Reply::default(); 4];
    assert_eq!(applied.poll(&mut replies), 1);
    assert_eq!(process.poll(&mut replies), 1);
    let ticket = table.client.try_submit(bet(table.account, &table.market, 60)).expect("taken");
    assert_eq!(table.client.poll(&mut replies), 0, "not yet decided");
    table.engine.turn().expect("a turn");
    assert_eq!(table.engine.durable_seq().0, before.0 + 3, "a durable output waited");
    assert_eq!(table.client.poll(&mut replies), 1);
    assert_eq!(replies[0].token, ticket.token);
}

/// While a sync does not return: who may know of a bet, and who may not.
#[test]
fn while_the_device_is_at_work_only_the_weaker_levels_are_told() {
    let dir = dir();
    let store = Failing::new();
    let config = small(&dir, Layout::TwoThread);
    let engine = Engine::open_on(store.clone(), config, HouseRules, &mut |_| {}).expect("opened");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = open_market(&mut trader, "ENG-SCO 1X2");
    let mut durable = engine.client(16).expect("a seat");
    let mut events = engine.events();
    let account = funded(&mut durable, 1001);
    let mut applied = engine.client_at(16, Level::AppliedOnlyMayVanish).expect("a seat");
    // Replies may be ahead of events: the deposit's have to be out before the device is held.
    let is_deposits = |o: &Occurrence| matches!(o.event, Event::Transfer(_));
    while !events.next().expect("not lapped").as_ref().is_some_and(is_deposits) {}
    while !matches!(events.next().expect("not lapped"), Some(o) if matches!(o.event, Event::Answered(_)))
    {
    }
    let exposures = engine.exposures();
    let pounds = Currency::GBP.numeric();
    store.is_held(true);
    let waits = durable.try_submit(bet(account, &market, 10)).expect("taken");
    let told = applied.try_submit(bet(account, &market, 11)).expect("taken");
    let Outcome::Accepted(told) = applied.wait(told, SECOND) else { panic!("told at once") };
    assert_eq!(durable.poll(&mut [Reply::default(); 4]), 0);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(durable.poll(&mut [Reply::default(); 4]), 0, "decided, appended, and not told");
    assert!(engine.durable_seq() < told.seq);
    assert_eq!(events.next(), Ok(None), "no reader of events is told either");
    assert_eq!(exposures.get(market.id(), pounds), None);
    store.is_held(false);
    let Outcome::Accepted(waited) = durable.wait(waits, SECOND) else { panic!("told now") };
    assert!(waited.seq <= engine.durable_seq());
    let event = loop {
        match events.next().expect("not lapped") {
            Some(event) => break event,
            None => std::thread::yield_now(),
        }
    };
    assert!(event.seq <= engine.durable_seq() && event.seq <= told.seq);
    // Exposures come a moment after events.
    while exposures.get(market.id(), pounds).is_none() {
        std::thread::yield_now();
    }
}

#[test]
fn a_retry_is_seen_no_sooner_than_the_answer_it_repeats() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let mut process = table.engine.client_at(16, Level::ProcessCrashOnly).expect("a seat");
    let until = table.engine.now().plus(Nanos::from_secs(20));
    let ask = bet(table.account, &table.market, 50).valid_until(until);
    let _first = process.try_submit(ask).expect("taken");
    table.engine.turn().expect("a turn");
    let mut replies = [Reply::default(); 4];
    assert_eq!(process.poll(&mut replies), 1);
    let (told, durable) = (replies[0].answer.seq, table.engine.durable_seq());
    assert!(durable < told, "not yet synced");
    // The durable client's retry takes no sequence, but it makes the journal sync what it tells.
    let _retry = table.client.try_submit(ask).expect("taken");
    table.engine.turn().expect("a turn");
    assert_eq!(table.client.poll(&mut replies), 1);
    assert!(replies[0].is_duplicate() && replies[0].answer.seq == told);
    assert!(told <= table.engine.durable_seq());
}

#[test]
fn without_a_durable_output_that_waits_a_sync_comes_after_100_ms() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let mut process = table.engine.client_at(16, Level::ProcessCrashOnly).expect("a seat");
    // What the durable ones waited for is synced, and covered 5 ms later.
    std::thread::sleep(Duration::from_millis(30));
    let syncs = table.engine.health().counts.syncs;
    for n in 0..20 {
        let ask = bet(table.account, &table.market, 50 + n);
        let ticket = process.try_submit(ask).expect("taken");
        let Outcome::Accepted(bet) = process.wait(ticket, SECOND) else { panic!("accepted") };
        assert!(bet.seq <= table.engine.process_seq());
    }
    let durable = table.engine.health();
    let lazy = durable.counts.syncs - syncs;
    assert!(lazy <= 10, "20 bets, {lazy} syncs: one a tenth of a second at most");
    let wanted = table.engine.process_seq();
    let mut waited = 0;
    while table.engine.durable_seq() < wanted {
        std::thread::sleep(Duration::from_millis(5));
        waited += 1;
        assert!(waited < 2_000, "it comes by itself");
    }
    table.place(100);
    assert_eq!(table.client.level().to_string(), "durable");
    assert_eq!("process".parse::<Level>().expect("a level"), Level::ProcessCrashOnly);
    assert_eq!(
        "safe".parse::<Level>().expect_err("no level").to_string(),
        "`safe` is no level: write durable, process or applied"
    );
}
