//! The words of a live night, as an embedder says them: wallets, own limits, tiers, pins, groups, feeds.

use crate::table::*;
use betring::*;

fn says(outcome: Outcome) -> String {
    outcome.to_string()
}

fn ask(table: &mut Table, ask: impl Ask) -> Outcome {
    let ticket = table.client.try_submit(ask).expect("taken");
    table.client.wait(ticket, SECOND)
}

fn refused(done: Result<Receipt, Error>) -> Reject {
    match done {
        Err(Error::Refused(refusal)) => refusal.reject,
        other => panic!("it should be refused: {other:?}"),
    }
}

#[test]
fn an_external_wallet_is_asked_for_the_stake_and_says_what_became_of_it() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let terms = AccountTerms::new(Reference(2), Currency::GBP).external_wallet();
    let account = table.client.open(terms).expect("opened");
    let mut events = table.engine.events();
    let england = table.market.selection("England");
    let place = |n: u128| Place::single(account, england, money!(2.00)).any_price().key(key(n));
    let held = |table: &mut Table, n: u128| {
        let ticket = table.client.try_submit(place(n)).expect("taken");
        match table.client.wait(ticket, SECOND) {
            Outcome::Pending(waiting) => {
                let text = format!("{} waits for the wallet to hold its stake", waiting.id);
                assert!(waiting.to_string().starts_with(&text), "{waiting}");
                (waiting.id, ticket.request)
            }
            other => panic!("it should wait for the wallet: {other}"),
        }
    };
    let (bet, request) = held(&mut table, 10);
    let deadline = std::time::Instant::now() + SECOND;
    let asked = loop {
        match events.next().expect("not lapped") {
            Some(Occurrence { event: Event::HoldRequested(e), .. }) => break e,
            _ => assert!(std::time::Instant::now() < deadline),
        }
    };
    assert_eq!((asked.bet, asked.account, asked.amount), (bet, account, Minor(200)));
    let resolved = table.client.resolve(request).expect("answered").to_string();
    assert!(resolved.ends_with("still waiting for the wallet"), "{resolved}");
    assert_eq!(refused(table.trader.confirm_hold(bet, money!(1.99), 77)), Reject::HoldAmount);
    table.trader.confirm_hold(bet, money!(2.00), 77).expect("confirmed");
    table.trader.confirm_hold(bet, money!(2.00), 77).expect("said again, nothing happens");
    let resolved = table.client.resolve(request).expect("answered").to_string();
    assert!(resolved.ends_with(": open"), "{resolved}");

    let (bet, request) = held(&mut table, 11);
    table.trader.release_hold(bet).expect("released");
    assert_eq!(refused(table.trader.confirm_hold(bet, money!(2.00), 78)), Reject::HoldEnded);
    let resolved = table.client.resolve(request).expect("answered").to_string();
    assert!(resolved.ends_with("refused after its wait"), "{resolved}");
    let deposit = table.client.deposit(account, money!(1.00), key(12));
    assert_eq!(refused(deposit), Reject::AccountKind);
}

#[test]
fn a_customers_own_limits_and_exclusion_are_told_in_its_words() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000_000_000));
    let mut table = set(small(&dir, Layout::OneThread).clock(clock.clone()));
    let account = table.account;
    let (stake, day) = (LimitKind::Stake, Period::Day);
    let limit = Some(money!(5.00));
    table.client.set_own_limit(account, stake, day, limit, key(20)).expect("at once");
    let england = table.market.selection("England");
    let place = |n: u128, stake| Place::single(account, england, stake).any_price().key(key(n));
    assert!(matches!(ask(&mut table, place(21, money!(2.00))), Outcome::Accepted(_)));
    let Outcome::Refused(no) = ask(&mut table, place(22, money!(4.00))) else { panic!("refused") };
    assert_eq!(no.own_limit(), Some((stake, day)));
    assert_eq!(
        no.to_string(),
        "This would pass the limit that is set for your account. You have 3.00 left for stakes today."
    );
    // More only after a day; an operator's word is at once.
    table.client.set_own_limit(account, stake, day, Some(money!(50.00)), key(23)).expect("noted");
    assert!(matches!(ask(&mut table, place(24, money!(4.00))), Outcome::Refused(_)));
    table.trader.set_account_limit(account, stake, day, None).expect("at once");
    assert!(matches!(ask(&mut table, place(25, money!(4.00))), Outcome::Accepted(_)));

    let until = clock.now().plus(Nanos::from_secs(3_600));
    table.client.exclude_self(account, until, key(26)).expect("at once");
    let no = says(ask(&mut table, place(27, money!(1.00))));
    assert_eq!(no, format!("Your account is excluded at present. It is until {until}."));
    assert_eq!(refused(table.trader.exclude_account(account, until)), Reject::NotAllowed);
    table.trader.exclude_account(account, Timestamp(i64::MAX)).expect("for good");
    let no = says(ask(&mut table, place(28, money!(1.00))));
    assert_eq!(no, "Your account is excluded at present.");
}

#[test]
fn traders_pin_prices_scale_stakes_set_tiers_and_suspend_a_selection() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let england = table.market.selection("England");
    let account = table.account;
    let place = |n: u128, stake| Place::single(account, england, stake).any_price().key(key(n));
    table.trader.pin_price(england, price!(2.50)).expect("pinned");
    assert!(says(ask(&mut table, place(10, money!(1.00)))).starts_with("B1 at 2.50"));
    table.trader.unpin_price(england).expect("unpinned");
    assert_eq!(refused(table.trader.unpin_price(england)), Reject::NotAllowed);
    assert_eq!(refused(table.trader.take_held_price(england)), Reject::NotAllowed);
    assert!(says(ask(&mut table, place(11, money!(1.00)))).starts_with("B2 at 2.10"));

    let market = StakeScope::Market(table.market.id());
    table.trader.set_stake_factor(market, 0).expect("nothing any more");
    let Outcome::Refused(no) = ask(&mut table, place(12, money!(1.00))) else { panic!("refused") };
    assert_eq!(no.reject, Reject::StakeTooLarge);
    table.trader.set_stake_factor(market, 100).expect("as it was");

    table.trader.suspend(england, Owner::Trader).expect("suspended");
    let Outcome::Refused(no) = ask(&mut table, place(13, money!(1.00))) else { panic!("refused") };
    assert_eq!(no.reject, Reject::MarketSuspended);
    let draw = Place::single(account, table.market.selection("Draw"), money!(1.00));
    assert!(matches!(ask(&mut table, draw.any_price().key(key(14))), Outcome::Accepted(_)));
    table.trader.release(england, Owner::Trader).expect("released");

    let tier = TierTerms::new().age_bound(Nanos(1)).price_band(200_000).step_prices(10, 1, 3);
    table.trader.set_tier(7, tier).expect("set");
    table.trader.assign_tier(&table.market, 7).expect("assigned");
    let Outcome::Refused(no) = ask(&mut table, place(15, money!(1.00))) else { panic!("refused") };
    assert_eq!(no.reject, Reject::StalePrice, "manual prices, too, are bounded by the tier");
    let canary = MarketTerms::new("canary", ["a", "b"]).tier(7).canary();
    table.trader.define(canary).map(drop).expect("defined");
}

#[test]
fn a_feed_says_its_version_its_requests_and_that_its_connection_is_lost() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let mut feed = table.engine.feed("live", Nanos::from_secs(60)).expect("defined").schema(3);
    let (id, zero) = (feed.id(), Timestamp(0));
    let now = |table: &Table| table.engine.health().feeds[0];
    feed.recovered(zero).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    assert!(now(&table).is_up);
    feed.lost_connection(zero).map(drop).expect("taken");
    feed.recovering(41, zero).map(drop).expect("taken");
    feed.recovered_for(40, zero).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    assert_eq!(now(&table).status, FeedStatus::Recovering, "the end of another request");
    feed.recovered_for(41, zero).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    assert_eq!(now(&table).status, FeedStatus::Up);
    // A parser of another version than the operator expects.
    table.trader.set_feed_schema(id, 4).expect("set");
    feed.heartbeat(zero).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    assert_eq!(now(&table).status, FeedStatus::Quarantined);
    table.trader.set_feed_schema(id, 3).expect("set");
    assert_eq!(now(&table).status, FeedStatus::Down);
    feed.recovered(zero).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    feed.parse_error(ParseError::Syntax);
    let counts = feed.counts();
    assert_eq!((counts.messages, counts.recent_errors), (7, 1));
    assert_eq!(now(&table).counts, counts);
    assert_eq!(
        now(&table).to_string().split(", ").last(),
        Some("1 of 8 recent messages could not be read")
    );
}

#[test]
fn a_later_run_shows_groups_and_factors_as_an_earlier_one_left_them() {
    let dir = dir();
    let config = || small(&dir, Layout::OneThread);
    let mut table = set(config());
    let up = |name: &str| table.engine.feed(name, Nanos::from_secs(60)).expect("defined").id();
    let group = table.trader.define_group("ENG", up("one"), up("two")).expect("defined");
    table.trader.switch_feed(group, Drives::Backup).expect("switched");
    assert_eq!(refused(table.trader.switch_feed(group, Drives::Backup)), Reject::NotAllowed);
    let scope = StakeScope::Market(table.market.id());
    table.trader.set_stake_factor(scope, 20).expect("set");
    table.trader.set_stake_factor(StakeScope::Feed(group.backup), 30).expect("set");
    table.trader.freeze_cash_out(group, Owner::Governor).expect("frozen");
    let market = table.market.id();
    let seen = |engine: &Engine| {
        let health = engine.health();
        let factor = engine.market_health(market).map(|market| market.stake_factor);
        (health.groups, factor, health.feeds.iter().map(|f| f.stake_factor).collect::<Vec<_>>())
    };
    let before = seen(&table.engine);
    assert_eq!((before.1, &before.2[..]), (Some(20), &[100, 30][..]));
    let Table { engine, .. } = table;
    engine.shutdown().expect("in order");
    let engine = Engine::open(config()).expect("opened");
    assert_eq!(seen(&engine), before);
    let feeds = engine.health().feeds;
    assert!(feeds.iter().all(|feed| feed.status == FeedStatus::Recovering && !feed.is_up));
}
