//! What the rings' crate leaves open, closed by ours: each trap, through the whole engine.

use std::time::{Duration, Instant};

use crate::disk::Failing;
use crate::table::*;
use betring::*;

/// The trap: a consumer that panics leaves a ring that is full for ever, and a publisher that spins.
#[test]
fn nobody_hangs_on_a_ring_that_nobody_reads_any_more() {
    let dir = dir();
    let table = set(small(&dir, Layout::OneThread));
    let mut other = table.engine.client(16).expect("a seat");
    drop(table.engine);
    let start = Instant::now();
    for n in 0..10_000 {
        let refused = other.try_submit(bet(table.account, &table.market, n + 10));
        assert_eq!(refused, Err(NotTaken::Closed));
    }
    assert!(start.elapsed() < Duration::from_secs(10));
    // And dropping a client of an engine that is gone neither waits nor panics.
    drop(other);
    drop(table.client);
}

/// The trap: a guard dropped early counts as read. A turn takes 64 bets; the rest waits, and all come.
#[test]
fn more_than_a_turn_takes_is_decided_in_the_next_turns_and_in_order() {
    let dir = dir();
    let table = set(small(&dir, Layout::Inline));
    let mut other = table.engine.client(1024).expect("a seat");
    let now = table.engine.now();
    let slots: Vec<_> =
        (0..500).map(|n| bet(table.account, &table.market, 100 + n).slot(now)).collect();
    assert_eq!(other.submit_batch(&slots).commands, 500);
    let mut turns = 0;
    let mut taken = 0;
    while taken < 500 {
        let turn = table.engine.turn().expect("a turn");
        assert!(turn.commands <= 64);
        taken += turn.commands;
        turns += 1;
    }
    assert_eq!(turns, 8);
    let mut replies = vec![Reply::default(); 500];
    table.engine.run_until_idle().expect("turns");
    assert_eq!(other.poll(&mut replies), 500);
    let seqs: Vec<_> = replies.iter().map(|r| r.answer.seq).collect();
    assert!(seqs.is_sorted() && seqs[499].0 == seqs[0].0 + 499, "in the order they were sent");
}

#[test]
fn what_restricts_the_world_waits_for_64_bets_at_most() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let mut other = table.engine.client(1024).expect("a seat");
    let now = table.engine.now();
    let slots: Vec<_> =
        (0..500).map(|n| bet(table.account, &table.market, 100 + n).slot(now)).collect();
    assert_eq!(other.submit_batch(&slots).commands, 500);
    // The suspension was sent last, and comes before all of them: the control ring is read first.
    table.trader.suspend(&table.market, Owner::Trader).expect("suspended");
    let mut replies = vec![Reply::default(); 500];
    table.engine.run_until_idle().expect("turns");
    assert_eq!(other.poll(&mut replies), 500);
    assert!(replies.iter().all(|r| r.answer.reject() == Some(Reject::MarketSuspended)));
}

/// The traps of long commands: claims at the end of the ring, and batches that cut them.
#[test]
fn the_longest_definition_goes_through_again_and_again() {
    for layout in LAYOUTS {
        let dir = dir();
        let engine = Engine::open(
            small(&dir, layout).capacities(Capacities { selections: 32 * 256, ..capacities() }),
        )
        .expect("opened");
        let mut trader = engine.control("trader:anna").expect("registered");
        let names: Vec<String> = (0..250).map(|n| format!("runner {n}")).collect();
        for n in 0..20 {
            let market = trader.define_market(&format!("race {n}"), &names).expect("defined");
            let prices = (0..250).map(|n| Price::from_e4(20_000 + n).expect("a price"));
            trader.set_prices(&market, prices).expect("priced");
            trader.open_market(&market).expect("open");
        }
        let view = engine.view().expect("a view");
        let book = view.at_least(engine.watch().decided(), SECOND).expect("in time");
        let market = book.market_named("race 19").expect("defined");
        let market = book.market(market).expect("defined");
        assert_eq!(market.selections.len(), 250, "{layout}");
        assert_eq!(market.selections[249].name, "runner 249");
        assert_eq!(market.selections[249].price.to_string(), "2.0249");
    }
}

/// The deciding thread takes nothing that the journal has no room for: while a sync does not return, it
/// goes on until the ring of records is full, then senders are refused; afterwards nothing is missing.
#[test]
fn a_journal_that_stands_still_holds_the_loop_back_and_loses_nothing() {
    let dir = dir();
    let store = Failing::new();
    let config = small(&dir, Layout::TwoThread).bet_ring(256).intake(Intake::open());
    let open = || Engine::open_on(store.clone(), config.clone(), HouseRules, &mut |_| {});
    let engine = open().expect("opened");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = open_market(&mut trader, "ENG-SCO 1X2");
    let mut durable = engine.client(16).expect("a seat");
    let account = funded(&mut durable, 1001);
    durable.deposit(account, money!(100000.00), key(2)).expect("paid in");
    let mut client = engine.client_at(1024, Level::AppliedOnlyMayVanish).expect("a seat");
    store.is_held(true);
    let ticket = durable.try_submit(bet(account, &market, 3)).expect("taken");
    let mut replies = vec![Reply::default(); 1024];
    let (mut sent, mut seen) = (0_u128, 0);
    let deadline = Instant::now() + Duration::from_secs(25);
    let mut send = |client: &mut Client, sent: &mut u128, seen: &mut u128| {
        let now = client.now();
        let slots: Vec<_> =
            (0..64).map(|n| bet(account, &market, 100 + *sent + n).slot(now)).collect();
        let done = client.submit_batch(&slots);
        *sent += done.commands as u128;
        *seen += client.poll(&mut replies) as u128;
        assert!(Instant::now() < deadline, "{seen} of {sent}");
        done.refused
    };
    // It goes on deciding while the journal stands still, up to the ring of records.
    loop {
        let refused = send(&mut client, &mut sent, &mut seen);
        let counts = engine.health().counts;
        if 0 < counts.stalls && refused == Some(NotTaken::Overloaded(Busy::RING_FULL)) {
            break;
        }
        std::thread::yield_now();
    }
    let health = engine.health();
    let records = health.rings.last().expect("three rings");
    assert!(records.slots - records.depth < 1_154, "{health}: less than one whole record is free");
    assert!(7_000 < health.lag, "{health}");
    assert_eq!(durable.wait(ticket, Duration::ZERO), Outcome::Unknown(ticket.request));
    store.is_held(false);
    while seen < sent {
        seen += client.poll(&mut [Reply::default(); 64]) as u128;
        assert!(Instant::now() < deadline, "{seen} of {sent}");
        std::thread::yield_now();
    }
    let closed = engine.shutdown().expect("in order");
    drop((trader, durable, client));
    assert_eq!(open().expect("opened").recovered().digest, closed.digest);
}
