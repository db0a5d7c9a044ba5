//! The program of the README, in every layout.

use crate::table::*;
use betring::*;

#[test]
fn prices_for_another_number_of_selections_are_not_sent() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let few = table.trader.set_prices(&table.market, [price!(2.00), price!(3.00)]);
    let few = few.expect_err("one is missing");
    assert_eq!(
        few.to_string(),
        format!(
            "2 prices for the 3 selections of {}: give one for each, or name the selections with \
             set_some",
            table.market
        )
    );
    let many = table.trader.set_prices(&table.market, [price!(2.00); 4]);
    assert!(matches!(many, Err(Error::PriceCount { prices: 4, selections: 3, .. })));
    assert_eq!(table.place(2).price.to_string(), "2.10", "the price is what it was");
}

#[test]
fn an_operator_is_told_which_field_of_a_request_is_wrong() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let england = table.market.selection("England");
    let good = Place::single(table.account, england, money!(1.00)).any_price().key(key(2));
    let no_price = Place::single(table.account, england, money!(1.00)).key(key(3));
    let no_key = Place::single(table.account, england, money!(1.00)).any_price();
    let no_stake = Place::single(table.account, england, Money::ZERO).any_price().key(key(4));
    let mut answer = |place: Place| {
        let ticket = table.client.try_submit(place).expect("taken");
        match table.client.wait(ticket, SECOND) {
            Outcome::Refused(refusal) => refusal.to_operator(),
            other => other.to_string(),
        }
    };
    for (place, text) in [
        (no_price, "Malformed: there is no price: give the one that the customer saw"),
        (no_key, "Malformed: the request key is missing"),
        (no_stake, "Malformed: the stake is not between one minor unit and the largest stake"),
    ] {
        let told = answer(place);
        assert!(told.starts_with(text), "{told}");
        assert!(told.ends_with("; asking again changes nothing"), "{told}");
    }
    assert!(answer(good).starts_with("B1 at 2.10"));
}

/// The README's lines on batches.
#[test]
fn a_batch_goes_through_slots_replies_and_outcomes() {
    let dir = dir();
    let Table { engine: _engine, mut client, market, account, .. } =
        set(small(&dir, Layout::OneThread));
    let bets = [bet(account, &market, 2), bet(account, &market, 3)];
    let now = client.now();
    let slots: Vec<Slot> = bets.iter().map(|place| place.slot(now)).collect();
    let sent = client.submit_batch(&slots);
    assert_eq!((sent.commands, sent.refused), (2, None));
    let mut replies = [Reply::default(); 64];
    let (mut accepted, until) = (Vec::new(), std::time::Instant::now() + SECOND);
    while accepted.len() < 2 && std::time::Instant::now() < until {
        let read = client.poll(&mut replies);
        for reply in &replies[..read] {
            match Outcome::of(reply) {
                Outcome::Accepted(bet) => accepted.push((reply.key, bet.id.to_string())),
                other => panic!("{}: {other}", reply.key),
            }
        }
    }
    assert_eq!(accepted, [(key(2), "B1".to_owned()), (key(3), "B2".to_owned())]);
}

#[test]
fn a_bet_goes_the_whole_way_in_every_layout() {
    for layout in LAYOUTS {
        let dir = dir();
        let mut table = set(small(&dir, layout));
        let england = table.market.selection("England");
        let ticket = table
            .client
            .try_submit(
                Place::single(table.account, england, money!(10.00))
                    .seen_at(price!(2.10))
                    .policy(PricePolicy::Better)
                    .key(key(2)),
            )
            .expect("taken");
        let Outcome::Accepted(bet) = table.client.wait(ticket, SECOND) else {
            panic!("{layout}: accepted");
        };
        assert_eq!(bet.to_string(), "B1 at 2.10: 10.00 returns 21.00", "{layout}");
        assert_eq!(bet.price_version, PriceVersion(1));
        assert!(bet.seq <= table.engine.durable_seq(), "{layout}: told when durable");

        // The same key again is the same bet; the question about it has the same answer.
        let again = Place::single(table.account, england, money!(10.00))
            .seen_at(price!(2.10))
            .key(key(2))
            .valid_until(ticket.request.valid_until);
        let retry = table.client.try_submit(again).expect("taken");
        let Outcome::Accepted(same) = table.client.wait(retry, SECOND) else {
            panic!("{layout}: the same answer");
        };
        assert!(same.duplicate && same.id == bet.id && same.seq == bet.seq);
        let resolved = table.client.resolve(ticket.request).expect("answered");
        assert_eq!(resolved.to_string(), "B1 at 2.10: 10.00 returns 21.00, open", "{layout}");

        let closed = table.engine.shutdown().expect("in order");
        assert_eq!(closed.last_seq, bet.seq, "{layout}: retry and question took no sequence");
    }
}

#[test]
fn a_refusal_is_a_sentence_for_the_customer_and_one_for_the_operator() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let england = table.market.selection("England");
    let place = Place::single(table.account, england, money!(10.00));
    let ticket = table.client.try_submit(place.seen_at(price!(2.20)).key(key(5))).expect("taken");
    let Outcome::Refused(refusal) = table.client.wait(ticket, SECOND) else { panic!("refused") };
    assert_eq!(refusal.to_string(), "The price has changed. It is now 2.10.");
    assert_eq!(
        refusal.to_operator(),
        "PriceMoved now 2.10: the price in force fails the bet's price policy: the answer carries it"
    );
}

#[test]
fn a_name_that_the_market_does_not_have_is_refused_as_a_selection() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let wales = table.market.selection("Wales");
    let place = Place::single(table.account, wales, money!(10.00)).any_price().key(key(5));
    let ticket = table.client.try_submit(place).expect("taken");
    let outcome = table.client.wait(ticket, SECOND);
    assert_eq!(outcome.to_string(), "We do not know this selection.");
}

#[test]
fn bad_input_is_a_typed_refusal_and_changes_nothing() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let england = table.market.selection("England");
    let before = table.engine.digests().expect("open");
    let place = |stake| Place::single(table.account, england, stake).any_price();
    let now = table.engine.now();
    let far = now.plus(table.engine.window()).plus(Nanos(1_000_000_000));
    let bad = [
        (place(money!(0.00)).key(key(5)), Malformed::Stake),
        (place(money!(-1.00)).key(key(5)), Malformed::Stake),
        (place(money!(1.00)), Malformed::Key),
        (place(money!(1.00)).key(key(5)).valid_until(Timestamp(0)), Malformed::ValidUntil),
        (place(money!(1.00)).key(key(5)).valid_until(far), Malformed::ValidUntil),
        (place(money!(1.00)).key(key(5)).slippage(5), Malformed::Slippage),
        (Place::single(table.account, england, money!(1.00)).key(key(5)), Malformed::PriceMissing),
    ];
    for (place, what) in bad {
        let ticket = table.client.try_submit(place).expect("taken");
        let Outcome::Refused(refusal) = table.client.wait(ticket, SECOND) else {
            panic!("{what}: refused");
        };
        assert_eq!(refusal.answer.malformation(), Some(what));
    }
    let late = place(money!(1.00)).key(key(5)).valid_until(now.plus(Nanos(-1)));
    let ticket = table.client.try_submit(late).expect("taken");
    assert_eq!(table.client.wait(ticket, SECOND).to_string(), "This request came too late.");
    // No kind, a kind of the engine's own, one of the other ring, a command cut short: not even taken.
    let slots = |kind: u8| {
        let mut slot = place(money!(1.00)).key(key(5)).slot(now);
        slot.0[0] = kind;
        slot
    };
    for (slot, what) in [
        (slots(0), Malformed::Kind),
        (slots(3), Malformed::EngineOnly),
        (slots(20), Malformed::WrongRing),
    ] {
        assert_eq!(table.client.try_submit(slot), Err(NotTaken::Malformed(what)));
    }
    assert_eq!(table.engine.digests().expect("open"), before, "nothing of that was sequenced");
}

#[test]
fn a_definition_made_twice_names_the_first() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let again = table.trader.define_market("ENG-SCO 1X2", ["A", "B"]);
    let Err(Error::Refused(refusal)) = again else { panic!("refused") };
    assert_eq!(refusal.reject, Reject::NameTaken);
    assert_eq!(refusal.answer.id, table.market.id().raw());
    assert!(refusal.to_operator().starts_with("NameTaken M1 or X1: "), "{}", refusal.to_operator());
    let again = table.trader.define_feed("odds", Nanos::from_secs(5), Nanos::ZERO);
    let feed = again.expect("defined");
    let again = table.trader.define_feed("odds", Nanos::from_secs(5), Nanos::ZERO);
    let Err(Error::Refused(refusal)) = again else { panic!("refused") };
    assert!(refusal.to_operator().starts_with(&format!("NameTaken {feed}: ")), "{refusal:?}");
    let again = table.client.open_account(Reference(1001), Currency::GBP);
    let Err(Error::Refused(refusal)) = again else { panic!("refused") };
    assert_eq!(refusal.reject, Reject::AccountExists);
    assert_eq!(refusal.answer.id, table.account.raw());
    // An actor is the same one, however often it comes.
    let actor = table.trader.actor();
    assert_eq!(table.engine.control("trader:anna").expect("a seat").actor(), actor);
}

#[test]
fn traders_define_suspend_settle_and_archive_and_everything_waits_for_its_answer() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let won = table.place(10);
    let trader = &mut table.trader;
    trader.because(42).suspend(&table.market, Owner::Trader).expect("suspended");
    let ticket = table.client.try_submit(bet(table.account, &table.market, 11)).expect("taken");
    assert_eq!(
        table.client.wait(ticket, SECOND).to_string(),
        "This market is suspended; please try again in a moment."
    );
    trader.release(&table.market, Owner::Trader).expect("released");
    trader.suspend(Scope::Engine, Owner::Governor).expect("suspended");
    trader.release(Scope::Engine, Owner::Governor).expect("released");
    trader.withdraw_selection(&table.market, SelectionIndex(2), true).expect("out");
    trader
        .set_limits(
            Currency::GBP,
            Limits {
                min_stake: Minor(50),
                max_stake: Minor(5_000),
                max_payout: Minor(100_000),
                max_liability: Minor(1_000_000),
                ..Limits::UNLIMITED
            },
        )
        .expect("limits");
    trader.block(table.account, true).expect("blocked");
    trader.block(table.account, false).expect("let in");
    trader.define_fixture("ENG-SCO", Timestamp(0)).expect("defined");
    trader.close_market(&table.market).expect("closed");
    use SelectionOutcome::{Lose, Void, Win};
    let few = trader.result(&table.market, [Win]);
    assert!(matches!(few, Err(Error::ResultCount { results: 1, selections: 3, .. })));
    trader.result(&table.market, [Win, Lose, Void]).expect("settling");
    let mut events = table.engine.events();
    let view = table.engine.view().expect("a view");
    let deadline = std::time::Instant::now() + SECOND;
    loop {
        let seq = table.engine.watch().decided();
        let book = view.at_least(seq, SECOND).expect("in time");
        if book.account(table.account).expect("known").balance == Minor(100_000 - 100 + 210) {
            break;
        }
        drop(book);
        assert!(std::time::Instant::now() < deadline, "the winner is paid");
        std::thread::yield_now();
    }
    // A retry of the bet says what has become of it.
    let resolved = table.client.resolve(Request {
        account: table.account.raw(),
        key: key(10),
        valid_until: table.engine.now(),
    });
    assert_eq!(
        resolved.expect("answered").to_string(),
        format!("{} at 2.10: 1.00 returns 2.10, won 2.10", won.id)
    );
    trader.archive(&table.market).expect("archiving");
    while events.next().expect("not lapped").is_some() {}
}
