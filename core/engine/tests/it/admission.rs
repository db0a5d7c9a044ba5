//! Who is let in: what is refused at the door was never sequenced, and what was let in leaves again.

use crate::table::*;
use betring::*;

fn busy(refused: Result<Ticket, NotTaken>) -> Busy {
    match refused {
        Err(NotTaken::Overloaded(busy) | NotTaken::RateLimited(busy)) => busy,
        other => panic!("it should be refused at the door: {other:?}"),
    }
}

fn in_flight(table: &Table) -> u32 {
    table.engine.market_health(table.market.id()).expect("it is there").door.in_flight
}

fn refused_for(table: &Table, why: BusyWhy) -> u64 {
    table.engine.health().intake.busy[why as usize].1
}

#[test]
fn by_default_one_market_has_half_of_the_ring_and_the_rest_is_for_the_others() {
    let dir = dir();
    // Nobody turns the loop: what is sent stays in the ring of 1,024.
    let mut table = set(small(&dir, Layout::Inline));
    let other = open_market(&mut table.trader, "ITA-FRA 1X2");
    let before = table.engine.digests().expect("open");
    let mut client = table.engine.client(1024).expect("a seat");
    let now = client.now();
    let fill: Vec<_> =
        (0..1024_u128).map(|n| bet(table.account, &table.market, 100 + n).slot(now)).collect();
    let done = client.submit_batch(&fill);
    assert_eq!(done.commands, 512);
    let why = done.refused.expect("the rest is refused");
    assert_eq!(why.reject(), Some(Reject::Overloaded));
    assert_eq!(in_flight(&table), 512);
    assert_eq!(refused_for(&table, BusyWhy::InFlight), 1);
    // Another market's bets, and a question, are let in.
    let ticket = client.try_submit(bet(table.account, &other, 5_000)).expect("taken");
    let asked = Request { account: table.account.raw(), key: key(9_999), valid_until: now };
    assert!(client.try_submit(Resolve::of(asked)).is_ok());
    let nothing = (before.0, before.1);
    assert_eq!(table.engine.watch().decided(), nothing.0, "nothing is sequenced yet");
    table.engine.run_until_idle().expect("turns");
    assert!(matches!(client.wait(ticket, SECOND), Outcome::Accepted(_)));
    assert_eq!(in_flight(&table), 0, "whatever was decided has left");
    let book = table.engine.view().expect("a view");
    let book = book.at_least(table.engine.durable_seq(), SECOND).expect("in time");
    assert_eq!(book.request(table.account.raw(), key(100 + 512)), None, "it never executed");
}

#[test]
fn whatever_becomes_of_a_bet_it_leaves_the_door() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread).intake(Intake::new().market_in_flight(4)));
    let england = table.market.selection("England");
    for n in 0..40_u128 {
        let place = Place::single(table.account, england, money!(1.00)).key(key(10 + n));
        let ask = match n % 4 {
            // Accepted; the same again; refused; without a price, which is no command.
            0 => place.any_price().valid_until(Timestamp(table.engine.now().0 + 1_000_000_000)),
            1 => bet(table.account, &table.market, 10),
            2 => place.seen_at(price!(900.00)).policy(PricePolicy::Exact),
            _ => place,
        };
        let ticket = table.client.try_submit(ask).expect("one at a time is let in");
        let outcome = table.client.wait(ticket, SECOND);
        assert!(!matches!(outcome, Outcome::Unknown(_)), "{outcome}");
    }
    assert_eq!(in_flight(&table), 0);
    let health = table.engine.health();
    assert!(health.refused.contains(&(Reject::PriceMoved, 10)), "{:?}", health.refused);
    let market = table.engine.market_health(table.market.id()).expect("it is there");
    assert_eq!(market.refused[RefusedFor::Moved as usize], (RefusedFor::Moved, 10));
    assert_eq!(health.busiest[0].id, table.market.id());
}

#[test]
fn a_session_has_a_rate_retries_have_one_of_their_own_and_questions_have_none() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let intake = Intake::new().session(Rate::new(100, 5)).retries(Rate::new(10, 2));
    let config = small(&dir, Layout::Inline).clock(clock.clone()).intake(intake);
    let table = set(config);
    let mut client = table.engine.client(256).expect("a seat");
    let ask = |n: u128| bet(table.account, &table.market, n);
    for n in 0..2 {
        client.try_submit(ask(10 + n).retry()).map(drop).expect("a retry");
    }
    let no = busy(client.try_submit(ask(12).retry()));
    assert_eq!((no.why, no.retry_after), (BusyWhy::Retries, Nanos::from_millis(100)));
    for n in 0..3 {
        client.try_submit(ask(20 + n)).map(drop).expect("a first attempt");
    }
    let refused = client.try_submit(ask(30));
    assert_eq!(refused.map(drop), Err(NotTaken::RateLimited(busy(refused))));
    assert_eq!(busy(refused).why, BusyWhy::Session);
    assert_eq!(busy(refused).retry_after, Nanos::from_millis(10));
    let request = Request { account: table.account.raw(), key: key(30), valid_until: clock.now() };
    client.try_submit(Resolve::of(request)).map(drop).expect("a question is always let in");
    clock.advance(Nanos::from_millis(10));
    client.try_submit(ask(31)).map(drop).expect("told to come back after 10 ms, and let in");
    // Another connection has a rate of its own.
    let mut other = table.engine.client(256).expect("a seat");
    other.try_submit(ask(40)).map(drop).expect("let in");
    let intake = table.engine.health().intake;
    assert_eq!(intake.retries, 3);
    assert_eq!(
        intake.to_string(),
        "intake: shedding Auto, 3 retries, 1 session-rate, 1 retry-rate"
    );
}

#[test]
fn while_it_sheds_cash_outs_are_refused_and_not_even_shown() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let bet = table.place(10);
    let view = table.engine.view().expect("a view");
    view.wait_for(bet.seq, SECOND).expect("in time");
    assert!(view.cash_out_value(bet.id, None).is_ok());
    table.trader.set_shedding(Shed::On).expect("said");
    assert_eq!(table.engine.shedding(), Shed::On);
    let cash_out = || CashOut::new(table.account, bet.id).any_value().key(key(20));
    let no = busy(table.client.try_submit(cash_out()));
    assert_eq!(no.why, BusyWhy::CashOut);
    let shown = view.cash_out_value(bet.id, None).expect_err("frozen");
    assert_eq!(shown.reject, Reject::CashOutFrozen);
    // Traders, the wallet and the feeds have no door.
    table.trader.suspend(&table.market, Owner::Trader).expect("suspended");
    table.trader.release(&table.market, Owner::Trader).expect("released");
    table.trader.set_shedding(Shed::Auto).expect("said");
    // Whoever comes by looks whether all is well, and the waterline rises step by step.
    let deadline = std::time::Instant::now() + SECOND;
    while view.cash_out_value(bet.id, None).is_err() {
        assert!(std::time::Instant::now() < deadline, "{}", table.engine.health());
        let request = Request { account: 1, key: key(1), valid_until: table.client.now() };
        let ticket = table.client.try_submit(Resolve::of(request)).expect("always let in");
        let _ = table.client.wait(ticket, SECOND);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let ticket = table.client.try_submit(cash_out()).expect("the same key, later");
    assert!(matches!(table.client.wait(ticket, SECOND), Outcome::Done(_)));
    table.trader.set_shedding(Shed::Off).expect("said");
    assert_eq!(table.engine.shedding(), Shed::Off);
    table.trader.set_shedding(None).expect("taken back");
    assert_eq!(table.engine.shedding(), Shed::Auto, "as the configuration says");
}

/// The journal stands still while somebody waits for it: load is shed before the ring is full.
#[test]
fn a_journal_that_stands_still_sheds_load_and_takes_it_again_afterwards() {
    use crate::disk::Failing;
    use std::time::{Duration, Instant};

    let dir = dir();
    let store = Failing::new();
    let intake = Intake::new().lag(1 << 30, Nanos::from_millis(50)).floor(10);
    let config = small(&dir, Layout::TwoThread).intake(intake);
    let engine = Engine::open_on(store.clone(), config, HouseRules, &mut |_| {}).expect("opened");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = open_market(&mut trader, "ENG-SCO 1X2");
    let mut client = engine.client(1024).expect("a seat");
    let account = funded(&mut client, 1001);
    store.is_held(true);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut n = 100;
    let busy = loop {
        match client.try_submit(bet(account, &market, n)) {
            Ok(_) => n += 1,
            Err(NotTaken::Overloaded(busy)) => break busy,
            Err(other) => panic!("{other}"),
        }
        assert!(Instant::now() < deadline, "it sheds");
        std::thread::sleep(Duration::from_micros(500));
    };
    assert_eq!((busy.why, busy.market), (BusyWhy::Shed, market.id()));
    assert!(engine.health().intake.sheds);
    store.is_held(false);
    loop {
        if client.try_submit(bet(account, &market, n)).is_ok() && !engine.health().intake.sheds {
            break;
        }
        n += 1;
        client.poll(&mut [Reply::default(); 64]);
        assert!(Instant::now() < deadline, "it recovers: {}", engine.health());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_worst_wait_in_the_ring_is_told_for_a_machine() {
    let dir = dir();
    let config = small(&dir, Layout::Inline);
    // 16 turns of 64 bets, 16 control commands and 32 units of long work, at a million a second.
    assert_eq!(config.worst_sojourn(1_000_000), Nanos(16 * (64 + 25 * 16 + 16) * 1_000));
    let wrong = Engine::open(config.intake(Intake::new().floor(0)));
    assert!(matches!(wrong, Err(Error::Config { .. })));
}
