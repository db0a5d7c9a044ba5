//! What once was wrong: each test is the program that showed it.

use crate::table::*;
use betring::*;

#[test]
fn two_handles_of_a_feed_in_two_threads_lose_no_price() {
    let dir = dir();
    let engine = Engine::open(small(&dir, Layout::OneThread)).expect("open");
    let mut trader = engine.control("trader:anna").expect("a seat");
    let mut feeds = [(); 2].map(|()| engine.feed("x", Nanos::from_secs(100)).expect("a seat"));
    let markets = ["first", "second"].map(|name| {
        let terms = MarketTerms::new(name, ["a", "b"]).feed(feeds[0].id());
        trader.define(terms).expect("defined").id()
    });
    let _ = feeds[0].recovered(Timestamp(0)).expect("taken");
    let one_pound = price!(1.01).e4();
    std::thread::scope(|threads| {
        for (feed, market) in feeds.iter_mut().zip(markets) {
            threads.spawn(move || {
                for step in 1..=500 {
                    let price = Price::from_e4(one_pound + step);
                    let prices = [(SelectionIndex(0), price)];
                    while feed.prices(market, &prices, Timestamp(0)).is_err() {
                        std::thread::yield_now();
                    }
                }
                feed.settle(SECOND).expect("answered");
                assert_eq!(feed.refused(), (0, None));
            });
        }
    });
    let view = engine.view().expect("a follower");
    let book = view.at_least(engine.watch().decided(), SECOND).expect("in time");
    for market in markets {
        let now = book.market(market).expect("there").selections[0].price;
        assert_eq!(now.e4, one_pound + 500, "the last price of {market} is in force");
    }
}

#[test]
fn digests_may_be_asked_for_in_many_threads() {
    let dir = dir();
    let engine = Engine::open(small(&dir, Layout::OneThread)).expect("open");
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let digests: Vec<_> = (0..20).map(|_| engine.digest().expect("answered")).collect();
                assert!(digests.iter().all(|digest| *digest == digests[0]), "nothing happened");
            });
        }
    });
}

#[test]
fn a_ticket_of_another_connection_is_not_answered_with_ones_own_bet() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let mut other = table.engine.client(16).expect("a seat");
    let england = table.market.selection("England");
    let place = |stake, n| Place::single(table.account, england, stake).any_price().key(key(n));
    // As many attempts on the other seat as here, so that the numbers of both would be the same.
    let mut own = None;
    let mut foreign = None;
    for n in 0..8 {
        own = Some(table.client.try_submit(place(money!(1.00), 100 + n)).expect("taken"));
        foreign = Some(other.try_submit(place(money!(2.00), 200 + n)).expect("taken"));
    }
    let (own, foreign) = (own.expect("eight"), foreign.expect("eight"));
    let mistaken = Ticket { token: own.token, request: foreign.request };
    assert!(matches!(table.client.wait(mistaken, SECOND), Outcome::Unknown(_)));
    let Outcome::Accepted(bet) = table.client.wait(own, SECOND) else { panic!("accepted") };
    assert_eq!(bet.stake, Minor(100));
}

#[test]
fn after_a_withdrawal_no_exposure_is_shown_that_is_not_so() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let england = table.market.selection("England");
    let place = Place::single(table.account, england, money!(10.00)).any_price().key(key(7));
    let ticket = table.client.try_submit(place).expect("taken");
    table.client.wait(ticket, SECOND);
    let exposures = table.engine.exposures();
    let market = table.market.id();
    table.engine.run_until_idle().expect("inline");
    let shown = |exposures: &Exposures| exposures.get(market, Currency::GBP.numeric());
    assert_eq!(shown(&exposures).expect("shown").worst, Minor(1100));
    table.trader.withdraw_selection(&table.market, SelectionIndex(1), true).expect("out");
    table.engine.run_until_idle().expect("inline");
    assert!(shown(&exposures).is_none(), "{:?}", shown(&exposures));
}

#[test]
fn removing_the_lock_file_lets_nobody_else_in() {
    let dir = dir();
    let engine = Engine::open(small(&dir, Layout::OneThread)).expect("open");
    std::fs::remove_file(dir.path().join("book/LOCK")).expect("somebody tidies up");
    let second = Engine::open(small(&dir, Layout::OneThread)).expect_err("locked");
    assert!(second.to_string().contains("another process"), "{second}");
    drop(engine);
}

/// A market of a feed of two handles that is up, with the price 2.50, and an account with money. Of the
/// largest credit a handle may have so many messages unanswered.
fn two_handles(dir: &tempfile::TempDir) -> (Engine, [Feed; 2], Market, Client, AccountId) {
    let config = small(dir, Layout::Inline).clients(8, CREDIT);
    let engine = Engine::open(config).expect("open");
    let mut trader = engine.control("trader:anna").expect("a seat");
    let mut feeds = [(); 2].map(|()| engine.feed("x", Nanos::from_secs(100)).expect("a seat"));
    let terms = MarketTerms::new("cup", ["England", "Draw"]).feed(feeds[0].id());
    let market = trader.define(terms).expect("defined");
    trader.open_market(&market).expect("open");
    let _ = feeds[0].recovered(Timestamp(0)).expect("taken");
    says(&mut feeds[0], &market, price!(2.50)).expect("taken");
    feeds[0].settle(SECOND).expect("answered");
    let mut client = engine.client(16).expect("a seat");
    let account = funded(&mut client, 1001);
    (engine, feeds, market, client, account)
}

const CREDIT: usize = 64;

fn says(feed: &mut Feed, market: &Market, price: Price) -> Result<(), NotTaken> {
    feed.prices(market.id(), &[(SelectionIndex(0), Some(price))], Timestamp(0)).map(drop)
}

/// Nothing is turned: the handle says the same price until its credit is used up, and loses the next one.
fn loses(feed: &mut Feed, market: &Market, price: Price) {
    for _ in 0..CREDIT {
        says(feed, market, price!(2.50)).expect("within its credit");
    }
    says(feed, market, price).expect_err("no credit is left");
}

fn answer(client: &mut Client, ask: Place) -> String {
    let ticket = client.try_submit(ask).expect("taken");
    client.wait(ticket, SECOND).to_string()
}

#[test]
fn a_price_that_one_handle_of_a_feed_lost_is_not_confirmed_by_another_ones_heartbeat() {
    let dir = dir();
    let (engine, [mut a, mut b], market, mut client, account) = two_handles(&dir);
    assert!(answer(&mut client, bet(account, &market, 10)).starts_with("B1 at 2.50"));
    loses(&mut a, &market, price!(1.80));
    b.heartbeat(Timestamp(0)).map(drop).expect("it has a credit of its own");
    b.settle(SECOND).expect("answered");
    assert_eq!(engine.health().feeds[0].status, FeedStatus::Down);
    let ticket = client.try_submit(bet(account, &market, 11)).expect("taken");
    let Outcome::Refused(no) = client.wait(ticket, SECOND) else { panic!("2.50 is gone") };
    assert_eq!(no.reject, Reject::FeedDown);
    // The handle that lost it says it again, too late: the feed has to recover.
    says(&mut a, &market, price!(1.80)).expect("taken");
    a.settle(SECOND).expect("answered");
    assert_eq!(engine.health().feeds[0].status, FeedStatus::Down);
}

#[test]
fn a_price_that_was_lost_leaves_its_hole_when_its_handle_is_gone() {
    let dir = dir();
    let (engine, [mut a, mut b], market, ..) = two_handles(&dir);
    loses(&mut a, &market, price!(1.80));
    drop(a);
    b.heartbeat(Timestamp(0)).map(drop).expect("taken");
    b.settle(SECOND).expect("answered");
    assert_eq!(engine.health().feeds[0].status, FeedStatus::Down);
}

#[test]
fn a_price_that_its_handle_says_again_at_once_was_not_lost() {
    let dir = dir();
    let (engine, [mut a, _b], market, mut client, account) = two_handles(&dir);
    loses(&mut a, &market, price!(1.80));
    a.settle(SECOND).expect("answered");
    says(&mut a, &market, price!(1.80)).expect("taken");
    a.settle(SECOND).expect("answered");
    assert_eq!(engine.health().feeds[0].status, FeedStatus::Up);
    assert!(answer(&mut client, bet(account, &market, 10)).starts_with("B1 at 1.80"));
}

#[test]
fn the_first_price_of_a_run_leaves_its_hole_too() {
    let dir = dir();
    let (engine, [a, b], market, client, _) = two_handles(&dir);
    drop((a, b, client));
    engine.shutdown().expect("in order");
    let config = small(&dir, Layout::Inline).clients(16, CREDIT).control_ring(256);
    let engine = Engine::open(config).expect("open");
    let mut trader = engine.control("trader:anna").expect("a seat");
    trader.open_market(&market).expect("open");
    let [mut feed, mut other] =
        [(); 2].map(|()| engine.feed("x", Nanos::from_secs(100)).expect("a seat"));
    // Another feed fills the ring: the first price of this one is not taken, in this run.
    let stadium = [(); 5].map(|()| engine.feed("y", Nanos::from_secs(100)).expect("a seat"));
    for mut stadium in stadium {
        while stadium.heartbeat(Timestamp(0)).is_ok() {}
    }
    says(&mut feed, &market, price!(1.80)).expect_err("the ring is full");
    // Nobody is turned, so what shows the hole is not taken either.
    other.recovered(Timestamp(0)).map(drop).expect_err("the ring is full");
    engine.run_until_idle().expect("decided");
    other.recovered(Timestamp(0)).map(drop).expect("taken");
    other.settle(SECOND).expect("answered");
    assert_eq!(
        engine.health().feeds[0].status,
        FeedStatus::Down,
        "1.80 is missing in what it sent"
    );
    says(&mut feed, &market, price!(1.80)).expect("taken");
    feed.recovered(Timestamp(0)).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    assert_eq!(engine.health().feeds[0].status, FeedStatus::Up);
    let mut client = engine.client(16).expect("a seat");
    let account = funded(&mut client, 1002);
    assert!(answer(&mut client, bet(account, &market, 10)).starts_with("B1 at 1.80"));
}
