//! Views: reads at a stated sequence that never touch the loop. And feeds, whose effects they show.

use std::time::Duration;

use crate::table::*;
use betring::*;

#[test]
fn what_was_answered_can_be_read_at_its_sequence() {
    for layout in LAYOUTS {
        let dir = dir();
        let mut table = set(small(&dir, layout));
        let view = table.engine.view().expect("a view");
        let bet = table.place(10);
        let book = view.at_least(bet.seq, SECOND).expect("in time");
        let seen = book.bet(bet.id).expect("there");
        assert_eq!((seen.account, seen.market), (table.account, table.market.id()));
        assert_eq!(seen.price, bet.price);
        assert_eq!(book.account(table.account).expect("there").balance, Minor(99_900));
        assert!(bet.seq <= book.seq(), "{layout}");
        drop(book);
        assert_eq!(view.account_by_reference(1001), Some(table.account));
        assert_eq!(view.market_named("ENG-SCO 1X2"), Some(table.market.id()));
        let (answer, fate, _) = view.request(table.account.raw(), key(10)).expect("remembered");
        assert_eq!((answer.id, fate), (bet.id.raw(), Fate::Open));
        view.now().check().expect("every invariant holds");
        assert_eq!(view.now().digest(), table.engine.digest().expect("open"));
    }
}

#[test]
fn a_view_of_the_page_cache_is_ahead_of_the_device() {
    let dir = dir();
    let table = set(small(&dir, Layout::Inline));
    let mut process = table.engine.client_at(16, Level::ProcessCrashOnly).expect("a seat");
    let ahead = table.engine.view_at(Level::ProcessCrashOnly).expect("a view");
    let behind = table.engine.view().expect("a view");
    let _ticket = process.try_submit(bet(table.account, &table.market, 10)).expect("taken");
    table.engine.turn().expect("a turn");
    let seq = table.engine.process_seq();
    assert!(table.engine.durable_seq() < seq);
    assert_eq!(ahead.at_least(seq, SECOND).expect("in time").bets().count(), 1);
    assert_eq!(behind.now().bets().count(), 0, "nobody may be told yet");
    table.engine.run_until_idle().expect("turns");
    assert_eq!(behind.at_least(seq, SECOND).expect("in time").bets().count(), 1);
}

#[test]
fn a_view_that_cannot_get_there_says_so() {
    let dir = dir();
    let table = set(small(&dir, Layout::OneThread));
    let view = table.engine.view().expect("a view");
    let seq = table.engine.watch().decided();
    view.wait_for(seq, SECOND).expect("in time");
    let error = view.at_least(Seq(1_000_000), Duration::from_millis(20)).expect_err("not there");
    assert_eq!(
        error.to_string(),
        format!(
            "the view has reached {seq}, not yet #1000000: give it more time, or see health() for \
             why the journal stands"
        )
    );
    table.engine.shutdown().expect("in order");
    let error = view.at_least(Seq(1_000_000), SECOND).expect_err("never");
    assert_eq!(error.to_string(), "the view has ended: the engine has ended");
    // A journal that nobody has open is read as a whole.
    let offline = View::open(dir.path().join("book"), HouseRules).expect("read");
    assert_eq!(offline.seq(), seq);
    assert_eq!(offline.now().digest(), view.now().digest());
}

#[test]
fn a_feed_prices_its_market_and_a_lost_message_takes_it_down() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let config = small(&dir, Layout::Inline).clock(clock.clone());
    let mut table = set(config);
    let mut feed = table.engine.feed("betfair", Nanos::from_secs(5)).expect("defined");
    let terms = MarketTerms::new("1.185781277", ["A", "B"]).feed(feed.id());
    let market = table.trader.define(terms).expect("defined");
    table.trader.open_market(&market).expect("open");
    let prices = [(SelectionIndex(0), Some(price!(3.00))), (SelectionIndex(1), Some(price!(1.40)))];
    let place = |table: &mut Table, n: u128| {
        let ask = Place::single(table.account, market.selection("A"), money!(1.00));
        let ticket = table.client.try_submit(ask.any_price().key(key(n))).expect("taken");
        table.client.wait(ticket, SECOND).to_string()
    };
    assert_eq!(
        place(&mut table, 10),
        "This market is suspended; please try again in a moment.",
        "the feed has not reported its recovery"
    );
    feed.prices(&market, &prices, clock.now()).map(drop).expect("taken");
    feed.recovered(clock.now()).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    assert_eq!(place(&mut table, 11), "B1 at 3.00: 1.00 returns 3.00");
    // Older than the bound of 1.5 s, and then confirmed by a heartbeat.
    clock.advance(Nanos::from_millis(1_600));
    assert_eq!(place(&mut table, 12), "The price is being updated; please try again in a moment.");
    feed.heartbeat(clock.now()).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    assert_eq!(place(&mut table, 13), "B2 at 3.00: 1.00 returns 3.00");
    assert_eq!(feed.refused(), (0, None));

    // The control ring is full when new prices come: they are lost.
    let mut flood = table.engine.feed("flood", Nanos::from_secs(5)).expect("defined");
    while flood.heartbeat(clock.now()).is_ok() {}
    let lost = feed.prices(&market, &prices, clock.now());
    assert_eq!(lost, Err(NotTaken::Overloaded(Busy::RING_FULL)));
    table.engine.run_until_idle().expect("turns");
    // Said again at once, nothing is lost.
    feed.prices(&market, &prices, clock.now()).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    assert_eq!(place(&mut table, 14), "B3 at 3.00: 1.00 returns 3.00");
    // But if the adapter goes on without them, the next message shows the gap.
    flood.settle(SECOND).expect("answered");
    while flood.heartbeat(clock.now()).is_ok() {}
    assert!(feed.prices(&market, &prices, clock.now()).is_err());
    table.engine.run_until_idle().expect("turns");
    feed.heartbeat(clock.now()).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    assert_eq!(place(&mut table, 15), "This market is suspended; please try again in a moment.");
    // Another handle of the same feed counts on.
    let mut again = table.engine.feed("betfair", Nanos::from_secs(5)).expect("found");
    assert_eq!(again.id(), feed.id());
    again.prices(&market, &prices, clock.now()).map(drop).expect("taken");
    again.recovered(clock.now()).map(drop).expect("taken");
    again.settle(SECOND).expect("answered");
    assert_eq!(place(&mut table, 16), "B4 at 3.00: 1.00 returns 3.00");
}
