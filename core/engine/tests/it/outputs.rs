//! Events, prices and exposures: many readers, none in the way, and what is overwritten is in the journal.

use std::time::{Duration, Instant};

use crate::table::*;
use betring::logic::event::BetOutcome;
use betring::*;

/// Waits for a reader to find something.
fn within<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "in time");
        std::thread::yield_now();
    }
}

#[test]
fn events_come_once_each_in_order_and_only_when_durable() {
    for layout in LAYOUTS {
        let dir = dir();
        let mut table = set(small(&dir, layout));
        let mut events = table.engine.events();
        let bets: Vec<_> = (0..20).map(|n| table.place(10 + n)).collect();
        let mut opened = Vec::new();
        let mut last = (Seq(0), 0);
        while opened.len() < bets.len() {
            let event = within(|| events.next().expect("not lapped"));
            assert!(event.seq <= table.engine.durable_seq(), "{layout}: {event}");
            assert!(last < (event.seq, event.index) || last.0 == Seq(0), "{layout}: {event}");
            last = (event.seq, event.index);
            assert_eq!(event.epoch, Epoch(1));
            if let Event::BetOpened(e) = event.event {
                opened.push((e.bet, event.seq));
            }
        }
        let told: Vec<_> = bets.iter().map(|b| (b.id, b.seq)).collect();
        assert_eq!(opened, told, "{layout}");
    }
}

#[test]
fn a_reader_that_was_lapped_goes_on_from_the_journal_and_misses_nothing() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline).events(64));
    let mut events = table.engine.events();
    let first = table.place(10).seq;
    let opened = within(|| events.next().expect("not lapped"));
    assert_eq!(opened.seq, first);
    // Three events a bet, 64 places: it is lapped.
    let mut last = first;
    for n in 0..100 {
        last = table.place(100 + n).seq;
    }
    let lapped = loop {
        match events.next() {
            Ok(Some(_)) => (),
            Ok(None) => panic!("100 bets are more than the ring holds"),
            Err(lapped) => break lapped,
        }
    };
    assert!(lapped.resume_after < lapped.ring_from);
    // What the ring lost is in the journal, without a hole.
    let store = journal::DirStore::existing(dir.path().join("book")).expect("there");
    let after = lapped.resume_after.next().0;
    let mut reader =
        journal::Reader::open(store, after, journal::ReadLevel::Sealed).expect("there");
    let mut seen = lapped.resume_after;
    while seen.next() < lapped.ring_from {
        let record = reader.next().expect("sound").expect("there");
        assert_eq!(record.meta.seq, seen.next().0);
        seen = seen.next();
    }
    let next = events.next().expect("not lapped").expect("there");
    assert_eq!((next.seq, next.index), (lapped.ring_from, 0));
    while let Some(event) = events.next().expect("not lapped again") {
        seen = event.seq;
    }
    assert_eq!(seen, last);
    events.skip();
    assert_eq!(events.next(), Ok(None));
}

#[test]
fn the_newest_price_of_a_selection_wins_and_outlives_a_restart() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let prices = table.engine.prices();
    let (england, draw) = (SelectionIndex(0), SelectionIndex(1));
    let id = table.market.id();
    for e4 in [21_100, 21_200, 21_300] {
        let price = Price::from_e4(e4).expect("a price");
        table.trader.set_some(&table.market, &[(england, Some(price))]).expect("priced");
    }
    let now = within(|| prices.get(id, england).filter(|p| p.price.to_string() == "2.13"));
    assert_eq!(now.version, PriceVersion(4));
    assert_eq!(prices.get(id, draw).expect("priced").price.to_string(), "3.40");
    table.trader.set_some(&table.market, &[(draw, None)]).expect("taken away");
    within(|| prices.get(id, draw).is_none().then_some(()));
    assert_eq!(prices.get(id, SelectionIndex(3)), None, "there are three");
    assert_eq!(prices.get(MarketId::new(5, 1), england), None);
    table.place(10);
    let exposures = table.engine.exposures();
    let pounds = Currency::GBP.numeric();
    let worst = within(|| exposures.get(id, pounds)).worst;
    assert_eq!(worst, Minor(113), "1.00 at 2.13 loses 1.13");
    table.engine.shutdown().expect("in order");

    let engine = Engine::open(small(&dir, Layout::OneThread)).expect("opened again");
    assert_eq!(engine.prices().get(id, england).expect("kept").price.to_string(), "2.13");
    assert_eq!(engine.prices().get(id, draw), None);
    assert_eq!(engine.exposures().get(id, pounds).expect("kept").worst, Minor(113));
}

#[test]
fn a_settled_market_has_no_exposure_and_an_archived_one_no_prices() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    table.place(10);
    let (prices, exposures) = (table.engine.prices(), table.engine.exposures());
    let mut events = table.engine.events();
    let (id, pounds) = (table.market.id(), Currency::GBP.numeric());
    table.engine.run_until_idle().expect("turns");
    assert!(exposures.get(id, pounds).is_some());
    use SelectionOutcome::{Lose, Win};
    table.trader.result(&table.market, [Lose, Win, Lose]).expect("settling");
    table.engine.run_until_idle().expect("turns");
    assert_eq!(exposures.get(id, pounds), None);
    let lost = within(|| match events.next().expect("not lapped")?.event {
        Event::BetSettled(e) => Some(e),
        _ => None,
    });
    assert_eq!((lost.outcome, lost.paid), (BetOutcome::Lost as u8, Minor(0)));
    assert!(prices.get(id, SelectionIndex(0)).is_some());
    table.trader.archive(&table.market).expect("archiving");
    table.engine.run_until_idle().expect("turns");
    assert_eq!(prices.get(id, SelectionIndex(0)), None);
    // The next market in its place has its own.
    let market = open_market(&mut table.trader, "FRA-ITA 1X2");
    table.engine.run_until_idle().expect("turns");
    assert_eq!(
        prices.get(market.id(), SelectionIndex(2)).expect("priced").price.to_string(),
        "3.75"
    );
    assert_eq!(prices.get(id, SelectionIndex(2)), None);
}

#[test]
fn many_readers_read_whole_events_while_they_are_written() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::TwoThread).events(64));
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (mut events, done) = (table.engine.events(), done.clone());
            std::thread::spawn(move || {
                let (mut last, mut read, mut lapped) = (Seq(0), 0, 0);
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    match events.next() {
                        Ok(Some(event)) => {
                            assert!(last <= event.seq, "never back");
                            if let Event::BetOpened(e) = event.event {
                                // Torn bytes would not fit together.
                                assert_eq!(e.returns, Minor(e.stake.0 * 21 / 10));
                                assert_eq!(e.placed_seq, event.seq);
                            }
                            (last, read) = (event.seq, read + 1);
                        }
                        Ok(None) => std::thread::yield_now(),
                        Err(from) => {
                            assert!(last <= from.ring_from);
                            lapped += 1;
                        }
                    }
                }
                read + lapped
            })
        })
        .collect();
    for n in 0..500 {
        table.place(10 + n);
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    for reader in readers {
        assert!(0 < reader.join().expect("a reader does not panic"));
    }
}
