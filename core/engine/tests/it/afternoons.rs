//! Exchange markets over a restart: orders that rest, orders that wait for their delay, jobs that are half done.

use betring::journal::{MemStore, snapshot_name, snapshots};
use betring::logic::command::{SetInPlay, build};
use betring::logic::wire::Header;
use betring::*;
use proptest::prelude::*;

use crate::race::{Race, deed, in_memory, open_exchange};

fn morning() -> Clock {
    Clock::manual(Timestamp(1_000_000_000_000))
}

/// The same files without a snapshot.
fn without_snapshots(store: &MemStore) -> MemStore {
    let copy = store.kill();
    for seq in snapshots(&copy).expect("listed") {
        copy.lose(&snapshot_name(seq));
    }
    copy
}

/// An engine that is opened on what a kill left, in which everything is as it was.
fn again(store: &MemStore, clock: &Clock, was: (Seq, Digest, Digest)) -> Engine {
    let engine = in_memory(store, clock);
    let recovered = engine.recovered();
    assert_eq!((recovered.kept_seq, recovered.digest, recovered.money_digest), was, "{recovered}");
    engine
}

#[test]
fn after_a_restart_half_matched_orders_and_half_a_job_go_on_and_what_waits_for_its_delay_lapses() {
    let (store, clock) = (MemStore::new(), morning());
    let mut race = Race::set(in_memory(&store, &clock));
    let [anna, ben, ..] = race.accounts;
    // In this market orders wait for their delay.
    let running = open_exchange(&mut race.trader, "running", &ExchangeTerms::new(Currency::GBP));
    let red = running.selection("Red");
    let rests = Order::back(red, money!(10.00), price!(3.00)).persist();
    let rests = race.client.place_orders(anna, key(10), &[rests]).expect("placed").first;
    race.trader.in_play(&running, Nanos::from_secs(5)).expect("turned");
    race.engine.run_until_idle().expect("turns");
    let waits = Order::lay(red, money!(4.00), price!(3.00));
    let waits = race.client.place_orders(ben, key(11), &[waits]).expect("placed");
    assert_eq!(waits.until, clock.now().plus(Nanos::from_secs(5)));
    // This one turns in-play with so many orders that the job takes some turns.
    let desert = race.selection("Desert");
    let half = Order::back(desert, money!(9.00), price!(4.00)).persist();
    let lapses = Order::back(desert, money!(1.00), price!(5.00));
    let mut orders = vec![lapses; 150];
    orders[0] = half;
    let half = race.client.place_orders(anna, key(12), &orders).expect("placed").first;
    let lay = Order::lay(desert, money!(5.00), price!(4.00));
    let met = race.client.place_orders(ben, key(13), &[lay]).expect("placed");
    assert_eq!(met.matched, Minor(500));
    // Whoever waits for the answer turns the loop until nothing is left to do.
    let body = SetInPlay {
        valid_until: clock.now().plus(Nanos::from_secs(1)),
        in_play: 1,
        market: race.market.id(),
        delay: Nanos::from_secs(5),
        ..SetInPlay::default()
    };
    let slot = build::plain(Header::control(race.trader.actor(), key(900)), &body);
    let _unanswered = race.trader.try_submit(&[slot]).expect("taken");
    race.engine.turn().expect("a turn");
    race.engine.snapshot().expect("made");
    let was = race.engine.digests().expect("open");
    let at_work = store.kill();
    let steps = race.engine.health().counts.steps;
    race.engine.run_until_idle().expect("turns");
    assert!(steps + 2 < race.engine.health().counts.steps, "it was stopped within the job");

    let mut ends = Vec::new();
    for store in [at_work.kill(), without_snapshots(&at_work)] {
        let clock = Clock::manual(clock.now());
        let engine = again(&store, &clock, was);
        let mut trader = engine.control("trader:anna").expect("registered");
        let mut client = engine.client(16).expect("a seat");
        engine.run_until_idle().expect("turns");
        // Markets wait to be opened after a start; what may be taken back may be.
        let more = [Order::back(desert, money!(2.00), price!(4.00))];
        assert!(client.place_orders(anna, key(20), &more).is_err(), "not open yet");
        let market = race.market.id();
        let part = Cancel::part(half, money!(1.00));
        let cancelled = client.cancel_orders(anna, key(21), market, [part]).expect("taken back");
        assert_eq!((cancelled.count, cancelled.cancelled), (1, Minor(100)));
        for market in [&race.market, &running] {
            trader.open_market(market).expect("open");
        }
        clock.advance(Nanos::from_secs(5));
        engine.run_until_idle().expect("turns");
        let lay = [Order::lay(desert, money!(20.00), price!(4.00))];
        let placed = client.place_orders(ben, key(22), &lay).expect("placed");
        assert_eq!(placed.until, clock.now().plus(Nanos::from_secs(5)));
        clock.advance(Nanos::from_secs(5));
        engine.run_until_idle().expect("turns");
        let state = state(&store, engine);
        let sizes = |id| state.order(id).expect("in memory").sizes;
        let matched = |id| sizes(id).matched;
        // The market was opened again meanwhile: it is not what the customer saw.
        let (delayed, there) = (sizes(waits.first), sizes(rests));
        assert_eq!((delayed.lapsed, there.remaining), (Minor(400), Minor(1_000)));
        assert_eq!((matched(half), sizes(half).cancelled), (Minor(800), Minor(100)), "met again");
        assert_eq!(sizes(placed.first).remaining, Minor(1_700));
        let lapsed = state.orders().filter(|order| order.sizes.lapsed == Minor(100)).count();
        assert_eq!(lapsed, 149, "the job was finished");
        state.check().expect("every invariant holds");
        ends.push((state.seq(), state.digest(), state.money_digest()));
    }
    assert_eq!(ends[0], ends[1], "from a snapshot or from the first record");
}

/// The state that an engine leaves.
fn state(store: &MemStore, engine: Engine) -> State {
    use betring::journal::{ReadLevel, Reader};
    engine.shutdown().expect("in order");
    let mut reader = Reader::open(store.kill(), 1, ReadLevel::Sealed).expect("opened");
    let mut state = State::new(HouseRules);
    let mut events = betring::logic::event::Events::new();
    while let Some(record) = reader.next().expect("whole") {
        let slots = usize::from(u16::from_le_bytes([record.payload[4], record.payload[5]]));
        let stamp = Stamp { seq: Seq(record.meta.seq), at: Timestamp(record.meta.ts) };
        events.clear();
        state.replay(stamp, &record.payload[..slots * 128], &mut events).expect("as it was");
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn an_afternoon_that_is_interrupted_anywhere_goes_on_as_it_was(
        deeds in prop::collection::vec(deed(), 10..60),
        at in 0_usize..60,
        snapshot in 0_usize..60,
        turns in 0_u32..3,
    ) {
        let (store, clock) = (MemStore::new(), morning());
        let mut race = Race::set(in_memory(&store, &clock));
        let at = at % deeds.len();
        for (n, deed) in deeds[..at].iter().enumerate() {
            race.does(deed);
            clock.advance(Nanos::from_millis(300));
            if n == snapshot % deeds.len() {
                race.engine.snapshot().expect("made");
            }
            for _ in 0..turns {
                race.engine.turn().expect("a turn");
            }
        }
        let was = race.engine.digests().expect("open");
        let left = store.kill();
        let mut ends = Vec::new();
        for store in [left.kill(), without_snapshots(&left)] {
            let clock = Clock::manual(clock.now());
            let mut race = race.resumed(again(&store, &clock, was));
            for deed in &deeds[at..] {
                race.does(deed);
                clock.advance(Nanos::from_millis(300));
            }
            race.engine.run_until_idle().expect("turns");
            ends.push(race.engine.digests().expect("open"));
        }
        prop_assert_eq!(ends[0], ends[1]);
    }
}
