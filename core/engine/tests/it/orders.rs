//! Orders of exchange markets through the facade: what customers and traders ask, and what they are told.

use std::collections::BTreeMap;

use betring::*;
use proptest::prelude::*;

use crate::race::{Race, capacities, deed, in_memory, open_exchange, terms};
use crate::table::{SECOND, dir, small};

fn set(dir: &tempfile::TempDir, layout: Layout) -> Race {
    Race::set(Engine::open(small(dir, layout).capacities(capacities())).expect("opened"))
}

/// The order as it is.
fn seen(race: &Race, id: OrderId) -> OrderView {
    let view = race.engine.view().expect("a view");
    let book = view.at_least(race.engine.durable_seq(), SECOND).expect("in time");
    book.order(id).expect("it is in memory")
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("it should be refused: {other:?}"),
    }
}

#[test]
fn orders_are_placed_matched_cancelled_replaced_and_changed_and_each_says_what_became_of_it() {
    for layout in crate::table::LAYOUTS {
        let dir = dir();
        let mut race = set(&dir, layout);
        let [anna, ben, ..] = race.accounts;
        let desert = race.selection("Desert");
        let back = Order::back(desert, money!(10.00), price!(3.00));
        let placed = race.client.place_orders(anna, key(10), &[back.persist(), back]);
        let placed = placed.expect("placed");
        assert_eq!((placed.count, placed.matched, placed.not_placed), (2, Minor(0), None));
        assert_eq!(placed.to_string(), format!("{} and 1 more placed", placed.first));
        let lay = Order::lay(desert, money!(4.00), price!(3.50)).reference(77);
        let met = race.client.place_orders(ben, key(11), &[lay]).expect("placed");
        assert_eq!((met.matched, met.average), (Minor(400), WirePrice::decimal(price!(3.00))));
        let first = seen(&race, placed.first);
        assert_eq!((first.sizes.matched, first.sizes.remaining), (Minor(400), Minor(600)));
        assert_eq!(first.persistence, Persistence::Persist);
        assert_eq!(seen(&race, met.first).reference, 77);

        let market = race.market.clone();
        let part = Cancel::part(placed.first, money!(2.00));
        let cancelled = race.client.cancel_orders(anna, key(12), &market, [part]).expect("done");
        assert_eq!(cancelled.to_string(), "2.00 of 1 order cancelled");
        let changed = [(placed.first, Persistence::MarketOnClose)];
        let changed = race.client.update_orders(anna, key(13), &market, changed).expect("done");
        assert_eq!(changed.to_string(), "1 order changed");
        let dearer = [(placed.first, price!(3.20))];
        let again = race.client.replace_orders(anna, key(14), &market, dearer).expect("done");
        let new = seen(&race, again.first);
        assert_eq!((new.limit, new.sizes.remaining), (Some(price!(3.20)), Minor(400)));
        assert_eq!(seen(&race, placed.first).sizes.cancelled, Minor(600));
        let all = race.client.cancel_all(anna, key(15), &market).expect("done");
        assert_eq!((all.count, all.cancelled), (2, Minor(1_400)));
        let none = refused(race.client.cancel_all(anna, key(16), &market));
        assert_eq!(none.reject, Reject::NoActionRequired);
        // The same key is the same request.
        let repeated = race.client.cancel_all(anna, key(16), &market);
        assert!(repeated.is_err(), "another time limit");
        race.engine.shutdown().expect("in order");
    }
}

#[test]
fn a_request_without_orders_or_with_orders_of_two_markets_is_none_and_never_cancels_everything() {
    let dir = dir();
    let mut race = set(&dir, Layout::Inline);
    let [anna, ..] = race.accounts;
    let other = open_exchange(&mut race.trader, "another race", &terms());
    let of = |market: &Market| Order::back(market.selection("Red"), money!(2.00), price!(4.00));
    race.client.place_orders(anna, key(10), &[of(&race.market)]).expect("placed");
    let market = race.market.id();
    let malformed = |result: Result<(), Error>| match result {
        Err(Error::NotTaken(NotTaken::Malformed(what))) => what,
        other => panic!("it should not be taken: {other:?}"),
    };
    let client = &mut race.client;
    let both = [of(&race.market), of(&other)];
    let none = [
        client.place_orders(anna, key(11), &both).map(drop),
        client.place_orders(anna, key(11), &[]).map(drop),
        client.cancel_orders(anna, key(11), market, Vec::<OrderId>::new()).map(drop),
        client.replace_orders(anna, key(11), market, []).map(drop),
        client.update_orders(anna, key(11), market, []).map(drop),
        client.cancel_orders(anna, key(11), market, vec![OrderId::new(0, 1); 201]).map(drop),
        client.place_orders(anna, key(11), &[of(&race.market); 201]).map(drop),
    ];
    for result in none {
        assert_eq!(malformed(result), Malformed::Entries);
    }
    let all = client.cancel_all(anna, key(12), market).expect("done");
    assert_eq!((all.count, all.cancelled), (1, Minor(200)), "it waited all the time");
}

#[test]
fn every_word_of_an_order_reaches_it() {
    let dir = dir();
    let mut race = set(&dir, Layout::Inline);
    let [anna, ben, ..] = race.accounts;
    let (desert, red) = (race.selection("Desert"), race.selection("Red"));
    let client = &mut race.client;
    let mut place = |of, n: u128, order: Order| client.place_orders(of, key(n), &[order]);
    let back = |stake, price| Order::back(desert, stake, price);
    // 30.00 at 3.00 is a stake of 10.00, and so is a profit of 20.00.
    for (n, order) in [
        (10, back(money!(30.00), price!(3.00)).payout()),
        (11, back(money!(20.00), price!(3.00)).backers_profit()),
    ] {
        place(anna, n, order).expect("placed");
    }
    let lay = |stake| Order::lay(desert, stake, price!(3.00));
    assert_eq!(
        place(ben, 20, lay(money!(21.00)).fill_or_kill()).expect("decided").matched,
        Minor(0)
    );
    let some = place(ben, 21, lay(money!(21.00)).at_least(money!(19.00))).expect("decided");
    assert_eq!(some.matched, Minor(2_000));
    place(anna, 22, Order::back(red, money!(5.00), price!(4.00))).expect("placed");
    let own = Order::lay(red, money!(5.00), price!(4.00));
    assert_eq!(place(anna, 23, own).expect("decided").matched, Minor(0), "not with itself");
    let allowed = own.self_match(SelfMatch::Allow);
    assert_eq!(place(anna, 24, allowed).expect("decided").matched, Minor(500));
    place(anna, 25, Order::back(red, money!(5.00), price!(4.00))).expect("placed");
    let worse = Order::lay(red, money!(5.00), price!(5.00));
    assert_eq!(place(ben, 26, worse.refuse_improvement()).expect("decided").matched, Minor(0));
    let close = [
        Order::back_on_close(red, money!(6.00)),
        Order::lay_on_close(red, money!(7.00)),
        Order::back(red, money!(8.00), price!(2.50)).on_close(),
        Order::back(red, money!(9.00), price!(9.00)).at_start(),
    ];
    let placed = client.place_orders(ben, key(30), &close).expect("placed");
    let view = race.engine.view().expect("a view");
    let book = view.at_least(placed.seq, SECOND).expect("in time");
    let of = |order: &OrderView| (order.kind, order.side, order.persistence, order.sizes.size);
    let mut last: Vec<_> = book.orders().collect();
    let last = last.split_off(last.len() - close.len());
    let (limit, lapse) = (OrderKind::Limit, Persistence::Lapse);
    assert_eq!(
        last.iter().map(of).collect::<Vec<_>>(),
        [
            (OrderKind::MarketOnClose, Side::Back, lapse, Minor(600)),
            (OrderKind::MarketOnClose, Side::Lay, lapse, Minor(700)),
            (OrderKind::LimitOnClose, Side::Back, lapse, Minor(800)),
            (limit, Side::Back, Persistence::MarketOnClose, Minor(900)),
        ]
    );
}

#[test]
fn orders_that_saw_another_version_of_the_market_lapse() {
    let dir = dir();
    let mut race = set(&dir, Layout::Inline);
    let [anna, ..] = race.accounts;
    let order = Order::back(race.selection("Desert"), money!(5.00), price!(3.00));
    let seen_before = race.engine.watch().decided();
    race.trader.suspend(&race.market, Owner::Trader).expect("suspended");
    race.trader.release(&race.market, Owner::Trader).expect("released");
    let ask = PlaceOrders::new(anna, &[order]).seen_market(seen_before).key(key(10));
    let ticket = race.client.try_submit(ask).expect("taken");
    let Outcome::Ordered(placed) = race.client.wait(ticket, SECOND) else { panic!("decided") };
    assert_eq!(seen(&race, placed.first).sizes.lapsed, Minor(500));
}

#[test]
fn a_trader_lets_orders_lapse_withdraws_a_runner_and_gives_a_discount() {
    let dir = dir();
    let mut race = set(&dir, Layout::Inline);
    let [anna, ben, ..] = race.accounts;
    let (desert, golden) = (race.selection("Desert"), race.selection("Golden"));
    let orders = [
        Order::back(desert, money!(10.00), price!(4.00)).persist(),
        Order::back(golden, money!(10.00), price!(4.00)),
    ];
    let placed = race.client.place_orders(anna, key(10), &orders).expect("placed");
    let lay = [Order::lay(desert, money!(5.00), price!(4.00))];
    race.client.place_orders(ben, key(11), &lay).expect("met");
    let job = race.trader.lapse_orders(&race.market, LapseScope::NotPersistent).expect("begun");
    assert!(job.is_some());
    race.engine.run_until_idle().expect("turns");
    let second = OrderId::new(placed.first.index() + 1, 1);
    assert_eq!(seen(&race, second).sizes.lapsed, Minor(1_000));
    assert_eq!(seen(&race, placed.first).sizes.remaining, Minor(500), "it persists");
    // A quarter of what a winner returns beside the stake is not the rule: of all of it, 4.00 × 0.75 is 3.00.
    let job = race.trader.withdraw_by_factor(&race.market, golden.index, 2_500).expect("begun");
    assert!(job.is_some());
    race.engine.run_until_idle().expect("turns");
    assert_eq!(seen(&race, placed.first).average, Some(price!(3.00)));
    race.trader.set_discount(anna, 5_000).expect("given");
    race.trader.close_market(&race.market).expect("closed");
    let [win, lose, void] = [SelectionOutcome::Win, SelectionOutcome::Lose, SelectionOutcome::Void];
    race.trader.result(&race.market, [win, void, lose, lose]).expect("begun");
    race.engine.run_until_idle().expect("turns");
    let view = race.engine.view().expect("a view");
    let book = view.at_least(race.engine.durable_seq(), SECOND).expect("in time");
    // 5 % of 10.00, less one half.
    let position = book.position(anna, race.market.id()).expect("there");
    assert_eq!(position.settled, Some((Minor(1_000), Minor(25))));
    assert_eq!(book.account(anna).expect("there").balance, Minor(500_975));
}

#[test]
fn a_ladder_of_its_own_and_smallest_sizes_hold() {
    let dir = dir();
    let mut race = set(&dir, Layout::Inline);
    let [anna, ..] = race.accounts;
    let bands = [Band { from: price!(1.10), to: price!(3.00), step_e4: 1_000 }];
    let own = ExchangeTerms::new(Currency::GBP)
        .bands(&bands)
        .min_stake(money!(2.00))
        .min_payout(money!(5.00));
    let market = open_exchange(&mut race.trader, "own ladder", &own);
    let mut place = |n: u128, stake, price| {
        let order = Order::back(market.selection("Red"), stake, price);
        race.client.place_orders(anna, key(n), &[order])
    };
    place(10, money!(2.00), price!(2.10)).expect("placed");
    let off = refused(place(11, money!(2.00), price!(2.15)));
    assert_eq!(off.reject, Reject::InvalidOdds);
    let small = refused(place(12, money!(1.50), price!(2.00)));
    assert_eq!((small.reject, small.answer.amount), (Reject::InvalidBetSize, Minor(200)));
    place(13, money!(1.90), price!(2.80)).expect("it would pay 5.32");
    // Once a market has its terms, they stay.
    let again = refused(race.trader.set_exchange(&market, &own));
    assert_eq!(again.reject, Reject::NotAllowed);
}

#[test]
fn while_it_sheds_cancels_are_let_in() {
    let dir = dir();
    let config = small(&dir, Layout::Inline).capacities(capacities());
    let config = config.intake(Intake::new().market_in_flight(1));
    let mut race = Race::set(Engine::open(config).expect("opened"));
    let [anna, ..] = race.accounts;
    let order = [Order::back(race.selection("Desert"), money!(10.00), price!(3.00))];
    let placed = race.client.place_orders(anna, key(10), &order).expect("placed");
    // Nobody turns the loop: the first one stays in flight, and there is no room for a second.
    let place = |n| PlaceOrders::new(anna, &order).key(key(n));
    let first = race.client.try_submit(place(11)).expect("taken");
    let Err(NotTaken::Overloaded(busy)) = race.client.try_submit(place(12)) else { panic!("full") };
    assert_eq!((busy.why, busy.market), (BusyWhy::InFlight, race.market.id()));
    let cancel = CancelOrders::new(anna, &race.market, [placed.first]).key(key(13));
    let cancel = race.client.try_submit(cancel).expect("let in");
    let door = race.engine.market_health(race.market.id()).expect("there").door;
    assert_eq!(door.in_flight, 2);
    assert!(matches!(race.client.wait(first, SECOND), Outcome::Ordered(_)));
    let Outcome::Changed(gone) = race.client.wait(cancel, SECOND) else { panic!("decided") };
    assert_eq!(gone.count, 1);
    let door = race.engine.market_health(race.market.id()).expect("there").door;
    assert_eq!(door.in_flight, 0);
}

/// No bets against the house.
#[derive(Clone)]
struct NoBets;

impl Rules for NoBets {
    const ID: u64 = 11;
    const VERSION: u32 = 1;

    fn account(&self, _bet: &betring::BetFacts) -> Ruling {
        Ruling::Refuse(1)
    }
}

#[test]
fn under_other_rules_a_cancel_finds_the_order_that_was_meant() {
    let dir = dir();
    let mut race = set(&dir, Layout::Inline);
    let [anna, ben, ..] = race.accounts;
    let fixed = crate::table::open_market(&mut race.trader, "ENG-SCO 1X2");
    let bet = Place::single(anna, fixed.selection("Draw"), money!(4000.00)).any_price();
    let ticket = race.client.try_submit(bet.key(key(10))).expect("taken");
    assert!(matches!(race.client.wait(ticket, SECOND), Outcome::Accepted(_)));
    let order = |stake| [Order::back(race.market.selection("Red"), stake, price!(4.00))];
    let none = race.client.place_orders(anna, key(11), &order(money!(2000.00)));
    assert_eq!(refused(none).reject, Reject::FundsInsufficient);
    let own = race.client.place_orders(ben, key(12), &order(money!(5.00))).expect("placed").first;
    let part = Cancel::part(own, money!(2.00));
    race.client.cancel_orders(ben, key(13), &race.market, [part]).expect("cancelled");
    let dearer = [(own, price!(5.00))];
    race.client.replace_orders(ben, key(14), &race.market, dearer).expect("replaced");
    let path = race.engine.path().expect("a directory").to_path_buf();
    race.engine.shutdown().expect("in order");
    let mut kinds = Vec::new();
    let compared = betring::diff(HouseRules, NoBets, &path, &mut |_| {}, &mut |difference| {
        kinds.push(difference.kind.to_string());
    });
    // With the money that was not bet the order could be placed. What came after it is as it was.
    assert_eq!(kinds, ["Place", "PlaceOrders"]);
    let (_, journaled, otherwise) = compared.expect("compared").sums[0];
    assert_eq!((journaled.at_stake, otherwise.at_stake), (400_300, 200_300));
}

/// What somebody knows who was told every update.
type Known = BTreeMap<OrderId, OrderView>;

fn learn(known: &mut Known, updates: Vec<OrderUpdate>) {
    for update in updates {
        match update.order {
            Some(order) => drop(known.insert(update.id, order)),
            None => drop(known.remove(&update.id)),
        }
    }
}

#[test]
fn a_reader_forgets_orders_that_have_made_room_for_others() {
    let dir = dir();
    let mut race = set(&dir, Layout::Inline);
    let [anna, ..] = race.accounts;
    let view = race.engine.view().expect("a view");
    let mut reader = race.engine.order_updates(None);
    let (mut known, mut told) = (Known::new(), 0);
    let kill = Order::back(race.selection("Red"), money!(1.00), price!(3.00)).fill_or_kill();
    // 1,024 are in memory at most.
    for request in 0..60 {
        let placed = race.client.place_orders(anna, key(10 + request), &[kill; 200]);
        assert_eq!(placed.expect("placed").lapsed, Minor(20_000));
        race.engine.run_until_idle().expect("turns");
        let updates = reader.read(&view, SECOND).expect("in time");
        told += updates.iter().filter(|update| update.order.is_some()).count();
        learn(&mut known, updates);
        assert!(known.len() <= 2 * 1_024 + (1 << 12) + 400, "{}", known.len());
    }
    assert_eq!(told, 12_000);
}

#[test]
fn what_was_matched_on_a_void_selection_is_told_as_void_and_orders_leave_with_their_market() {
    let dir = dir();
    let mut race = set(&dir, Layout::Inline);
    let [anna, ben, ..] = race.accounts;
    let view = race.engine.view().expect("a view");
    let mut reader = race.engine.order_updates(Some(anna));
    let red = race.selection("Red");
    let back = [Order::back(red, money!(10.00), price!(3.00))];
    let placed = race.client.place_orders(anna, key(10), &back).expect("placed");
    let lay = [Order::lay(red, money!(10.00), price!(3.00))];
    race.client.place_orders(ben, key(11), &lay).expect("met");
    let mut told = |race: &Race| {
        race.engine.run_until_idle().expect("turns");
        reader.read(&view, SECOND).expect("in time")
    };
    let [update] = told(&race)[..] else { panic!("one order of hers") };
    assert_eq!(
        (update.id, update.order.map(|o| o.sizes.matched)),
        (placed.first, Some(Minor(1_000)))
    );
    assert_eq!(told(&race), []);
    let [win, lose, void] = [SelectionOutcome::Win, SelectionOutcome::Lose, SelectionOutcome::Void];
    race.trader.result(&race.market, [win, lose, void, lose]).expect("begun");
    let [update] = told(&race)[..] else { panic!("it is void now") };
    let sizes = update.order.expect("in memory").sizes;
    assert_eq!((sizes.matched, sizes.voided), (Minor(0), Minor(1_000)));
    race.trader.archive(&race.market).expect("begun");
    let [update] = told(&race)[..] else { panic!("it is gone now") };
    assert_eq!((update.id, update.order), (placed.first, None));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_told_every_update_knows_every_order_as_it_is(
        deeds in prop::collection::vec(deed(), 10..70),
        pace in 1_usize..9,
        small_ring in prop::bool::ANY,
    ) {
        let dir = dir();
        let clock = Clock::manual(Timestamp(1_000_000_000_000));
        let config = small(&dir, Layout::Inline).capacities(capacities()).clock(clock.clone());
        let config = config.events(if small_ring { 64 } else { 1 << 12 });
        let mut race = Race::set(Engine::open(config).expect("opened"));
        let view = race.engine.view().expect("a view");
        let of = race.accounts[1];
        let mut readers = [None, Some(of)].map(|of| (of, race.engine.order_updates(of), Known::new()));
        for (n, deed) in deeds.iter().enumerate() {
            race.does(deed);
            clock.advance(Nanos::from_millis(300));
            race.engine.run_until_idle().expect("turns");
            if n % pace != 0 && n + 1 != deeds.len() {
                continue;
            }
            let seq = race.engine.durable_seq();
            for (of, reader, known) in &mut readers {
                let updates = reader.read(&view, SECOND).expect("in time");
                let mut ids: Vec<_> = updates.iter().map(|update| update.id).collect();
                ids.dedup();
                prop_assert_eq!(ids.len(), updates.len(), "each order once");
                for update in &updates {
                    let before = known.get(&update.id);
                    prop_assert!(before != update.order.as_ref(), "something is another");
                    prop_assert!(update.as_of <= seq);
                }
                learn(known, updates);
                let book = view.at_least(seq, SECOND).expect("in time");
                let is = book.orders().filter(|order| of.is_none_or(|of| order.account == of));
                let is: Known = is.map(|order| (order.id, order)).collect();
                prop_assert_eq!(&is, &*known);
                for order in known.values() {
                    let Sizes { size, matched, remaining, lapsed, cancelled, voided } = order.sizes;
                    let sum = matched.0 + remaining.0 + lapsed.0 + cancelled.0 + voided.0;
                    prop_assert_eq!(size.0, sum, "{:?}", order);
                }
            }
        }
    }
}

#[test]
fn the_afternoons_that_are_drawn_have_something_of_everything() {
    use betring::journal::MemStore;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut done: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    for _ in 0..60 {
        let deeds = prop::collection::vec(deed(), 40..80).new_tree(&mut runner).expect("deeds");
        let mut race = Race::set(in_memory(&MemStore::new(), &Clock::manual(Timestamp(1))));
        for deed in deeds.current() {
            let text = format!("{deed:?}");
            let name = text.split('(').next().expect("a name");
            let counts = done.entry(name.to_owned()).or_default();
            counts[usize::from(race.does(&deed))] += 1;
            race.engine.run_until_idle().expect("turns");
        }
    }
    println!("refused and done: {done:?}");
    assert_eq!(done.len(), 15);
    assert!(done.values().all(|[_, did]| 0 < *did), "{done:?}");
}
