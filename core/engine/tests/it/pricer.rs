//! A model's prices: all of a fixture at once, the newest only, and none that it did not make.

use crate::table::*;
use betring::pricer::{NotPriced, Priced, Target};
use betring::pricing::PricingError;
use betring::*;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Prices 4 outcomes at so many hundredths above 1.50; refuses what is not below 100.
struct Steps;

impl Model for Steps {
    type Input = u32;
    const NAME: &'static str = "steps";
    const VERSION: u32 = 3;
    const OUTCOMES: usize = 4;

    fn price(&mut self, input: &u32, prices: &mut [Option<Price>]) -> Result<(), PricingError> {
        if 100 <= *input {
            return Err(PricingError::NoSolution);
        }
        // The first two move, the last two do not.
        prices[0] = Price::from_e4(15_000 + 100 * input);
        prices[1] = Price::from_e4(30_000 - 100 * input);
        prices[2] = Price::from_e4(20_000);
        prices[3] = Price::from_e4(18_000);
        Ok(())
    }

    fn parameters(&self, input: &u32) -> [u64; 6] {
        [u64::from(*input), 0, 0, 0, 0, 0]
    }
}

struct Derby {
    table: Table,
    pricer: Pricer<Steps>,
    fixture: Priced,
    result: Market,
    goals: Market,
}

fn derby(config: Config) -> Derby {
    let mut table = set(config);
    let trader = &mut table.trader;
    let minute = logic::time::Nanos::from_secs(60);
    let mut feed = table.engine.feed("model", minute).expect("a seat");
    feed.recovered(Timestamp(0)).map(drop).expect("taken");
    feed.settle(SECOND).expect("answered");
    let id = feed.id();
    let fixture = trader.define_fixture("derby", Timestamp(0)).expect("defined");
    let market = |trader: &mut Control, name: &str, selections: [&str; 2]| {
        let market = MarketTerms::new(name, selections).feed(id).fixture(fixture);
        let market = trader.define(market).expect("defined");
        trader.open_market(&market).expect("open");
        market
    };
    let result = market(trader, "to qualify", ["Home", "Away"]);
    let goals = market(trader, "goals", ["Over", "Under"]);
    let mut pricer = Pricer::new(feed, Steps, 2);
    let outcome = |at, market: &Market, selection| Target {
        at,
        market: market.id(),
        selection: SelectionIndex(selection),
    };
    let outcomes = [
        outcome(2, &goals, 0),
        outcome(3, &goals, 1),
        outcome(0, &result, 0),
        outcome(1, &result, 1),
    ];
    let fixture = pricer.add(fixture, &outcomes).expect("priced");
    Derby { table, pricer, fixture, result, goals }
}

impl Derby {
    fn price(&mut self, input: u32) {
        let now = self.pricer.feed().now();
        self.pricer.input(self.fixture, input, now);
        assert_eq!(self.pricer.turn(), Ok(0));
        self.pricer.feed().settle(SECOND).expect("answered");
    }

    /// Waits until the published price is this one: outputs follow the loop.
    fn shows(&self, market: &Market, selection: u16, expected: Option<&str>) {
        let prices = self.table.engine.prices();
        let deadline = Instant::now() + SECOND;
        loop {
            let now = prices.get(market.id(), SelectionIndex(selection));
            let now = now.map(|now| now.price.to_string());
            if now.as_deref() == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{now:?} is not {expected:?}");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_fixture_is_priced_by_one_command_and_then_only_by_what_changed() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    derby.price(10);
    assert_eq!(derby.pricer.counts().prices, 4);
    derby.shows(&derby.result, 0, Some("1.60"));
    derby.shows(&derby.goals, 1, Some("1.80"));
    derby.price(11);
    let counts = derby.pricer.counts();
    assert_eq!((counts.published, counts.prices), (2, 6), "two of four changed");
    derby.price(11);
    assert_eq!(derby.pricer.counts().published, 2, "nothing changed, so nothing is said");
    assert_eq!(derby.pricer.feed().refused(), (0, None));
}

#[test]
fn what_does_not_change_is_said_again_before_it_is_too_old() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    derby.price(10);
    let later = derby.pricer.feed().now().plus(logic::time::Nanos::from_millis(250));
    derby.pricer.input(derby.fixture, 10, later);
    assert_eq!(derby.pricer.turn(), Ok(0));
    let counts = derby.pricer.counts();
    assert_eq!((counts.published, counts.prices), (2, 8));
}

#[test]
fn what_the_model_cannot_price_has_no_price() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    derby.price(10);
    derby.shows(&derby.result, 0, Some("1.60"));
    derby.price(100);
    derby.shows(&derby.result, 0, None);
    derby.shows(&derby.goals, 0, None);
    assert_eq!(derby.pricer.counts().failed, 1);
    assert_eq!(derby.pricer.last_failure(), Some(PricingError::NoSolution));
}

#[test]
fn while_the_engine_is_behind_only_the_newest_input_of_a_fixture_waits() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::Inline));
    let now = derby.pricer.feed().now();
    // Nobody turns the loop: 128 commands of two slots fit its ring, and then no more.
    for turn in 0..400 {
        derby.pricer.input(derby.fixture, turn % 100, now);
        let left = derby.pricer.turn().expect("the engine is only behind");
        assert!(left <= 1, "one fixture, so one at most waits");
    }
    let before = derby.pricer.counts();
    assert!(200 < before.overwritten && before.published <= 128, "{before:?}");
    while derby.pricer.turn().expect("taken") != 0 {
        derby.table.engine.run_until_idle().expect("decided");
    }
    derby.table.engine.run_until_idle().expect("decided");
    assert_eq!(derby.pricer.counts().published, before.published + 1, "the newest, once");
    derby.shows(&derby.result, 0, Some("2.49"));
    assert_eq!(derby.pricer.feed().refused(), (0, None));
}

#[test]
fn a_price_that_a_trader_pinned_stands_whatever_the_model_says() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    derby.price(10);
    let home = derby.result.selection("Home");
    derby.table.trader.pin_price(home, price!(1.95)).expect("pinned");
    derby.price(20);
    let account = derby.table.account;
    let place = Place::single(account, home, money!(1.00)).any_price().key(key(900));
    let ticket = derby.table.client.try_submit(place).expect("taken");
    match derby.table.client.wait(ticket, SECOND) {
        Outcome::Accepted(bet) => assert_eq!(bet.price.to_string(), "1.95"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_pricer_on_its_own_thread_prices_what_it_is_given_and_its_owner_lets_the_feed_speak() {
    let dir = dir();
    let Derby { table, mut pricer, fixture, result, goals } = derby(small(&dir, Layout::OneThread));
    let now = pricer.feed().now();
    let inputs = pricer.inputs();
    let (beats, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, is_last) = (Arc::clone(&beats), Arc::clone(&last));
    let thread = std::thread::spawn(move || {
        pricer.run(Duration::from_millis(1), |pricer| {
            let now = pricer.feed().now();
            pricer.feed().heartbeat(now).map(drop).expect("taken");
            counted.fetch_add(1, Ordering::Relaxed);
            match is_last.load(Ordering::Acquire) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
    });
    for input in 0..50 {
        assert!(inputs.give(fixture, input, now));
    }
    while inputs.health().counts.inputs == 0 || inputs.health().counts.prices == 0 {
        std::thread::yield_now();
    }
    let silent = beats.load(Ordering::Relaxed) + 3;
    while beats.load(Ordering::Relaxed) < silent {
        std::thread::yield_now();
    }
    last.store(true, Ordering::Release);
    let mut pricer = thread.join().expect("no panic").expect("published");
    pricer.feed().settle(SECOND).expect("answered");
    let counts = pricer.counts();
    assert_eq!(counts.inputs + counts.overwritten, 50, "{counts:?}");
    let mut derby = Derby { table, pricer, fixture, result, goals };
    derby.shows(&derby.result, 0, Some("1.99"));
    assert_eq!(derby.pricer.feed().refused(), (0, None));
    drop(derby.pricer);
    assert!(!inputs.give(fixture, 1, now), "nobody prices it any more");
    assert!(inputs.health().is_over);
}

#[test]
fn the_newest_input_is_priced_however_many_were_given_before_it() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    let (inputs, now) = (derby.pricer.inputs(), derby.pricer.feed().now());
    for input in 0..100 {
        assert!(inputs.give(derby.fixture, input, now));
    }
    assert_eq!(derby.pricer.turn(), Ok(0));
    let counts = derby.pricer.counts();
    assert_eq!((counts.overwritten, counts.priced, counts.published), (99, 1, 1));
    derby.pricer.feed().settle(SECOND).expect("answered");
    derby.shows(&derby.result, 0, Some("2.49"));
}

#[test]
fn a_market_of_another_feed_refuses_the_fixture_and_whoever_gives_inputs_sees_it() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    let by_hand = derby.table.market.id();
    let wrong = Target { at: 0, market: by_hand, selection: SelectionIndex(0) };
    derby.pricer.remove(derby.fixture);
    let right = Target { market: derby.goals.id(), ..wrong };
    let id = FixtureId::new(0, 1);
    let fixture = derby.pricer.add(id, &[right, wrong]).expect("it cannot know");
    let (inputs, now) = (derby.pricer.inputs(), derby.pricer.feed().now());
    assert!(inputs.give(fixture, 10, now));
    assert_eq!(derby.pricer.turn(), Ok(0));
    derby.pricer.feed().settle(SECOND).expect("answered");
    derby.shows(&derby.goals, 0, None);
    assert_eq!(derby.pricer.turn(), Ok(0));
    let health = inputs.health();
    assert_eq!((health.counts.refused, health.last_refusal), (1, Some(Reject::InvalidMarketId)));
}

#[test]
fn outcomes_that_the_model_has_not_or_that_come_twice_are_refused() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    let id = FixtureId::new(0, 1);
    let one = Target { at: 0, market: derby.goals.id(), selection: SelectionIndex(0) };
    assert_eq!(derby.pricer.add(id, &[]), Err(NotPriced::Targets));
    assert_eq!(derby.pricer.add(id, &[one, one]), Err(NotPriced::Target(one)));
    let beyond = Target { at: 4, ..one };
    assert_eq!(derby.pricer.add(id, &[beyond]), Err(NotPriced::Target(beyond)));
    let nowhere = Target { selection: SelectionIndex(250), ..one };
    assert_eq!(derby.pricer.add(id, &[nowhere]), Err(NotPriced::Target(nowhere)));
    assert!(derby.pricer.add(id, &[one]).is_ok());
    assert_eq!(derby.pricer.add(id, &[one]), Err(NotPriced::Full));
}

#[test]
fn a_goal_reprices_a_whole_football_match_at_once_and_a_replay_needs_no_model() {
    use betring::pricer::football::{Football, Match};
    use betring::pricing::derive::football::{Margins, Outcome as Bet, Score, Winner};
    use betring::pricing::model::football::GoalModel;

    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let minute = logic::time::Nanos::from_secs(60);
    let mut feed = table.engine.feed("model", minute).expect("a seat");
    feed.recovered(Timestamp(0)).map(drop).expect("taken");
    let id = table.trader.define_fixture("derby", Timestamp(0)).expect("defined");
    let mut outcomes = Vec::new();
    let mut market = |name: &str, from: usize, names: &[String]| {
        let terms = MarketTerms::new(name, names).feed(feed.id()).fixture(id);
        let market = table.trader.define(terms).expect("defined");
        table.trader.open_market(&market).expect("open");
        outcomes.extend(Target::all(market.id(), from..from + names.len()));
        market
    };
    let names = |from: usize, to: usize| -> Vec<String> {
        Bet::ALL[from..to].iter().map(Bet::to_string).collect()
    };
    let result = market("result", 0, &names(0, 3));
    market("correct score", 150, &names(150, 189));
    market("margin", 189, &names(189, 198));
    let margins = Margins::uniform(0.05).expect("a margin");
    let model = Football::new(margins, Some(pricing::Ladder::CLASSIC));
    let mut pricer = Pricer::new(feed, model, 1);
    let fixture = pricer.add(id, &outcomes).expect("priced");
    let to_come = GoalModel::dixon_coles(1.45, 1.15, -0.08).expect("a model");
    let prices = table.engine.prices();
    let mut shown = Vec::new();
    for score in [Score::NIL_NIL, Score::new(1, 0)] {
        let now = pricer.feed().now();
        pricer.input(fixture, Match { to_come, score }, now);
        assert_eq!(pricer.turn(), Ok(0));
        pricer.feed().settle(SECOND).expect("answered");
        let deadline = Instant::now() + SECOND;
        let home = loop {
            let home = prices.get(result.id(), SelectionIndex(0)).map(|now| now.price.to_string());
            if home.is_some() && home != shown.last().cloned().flatten() {
                break home;
            }
            assert!(Instant::now() < deadline, "the price changes");
            std::thread::yield_now();
        };
        shown.push(home);
    }
    assert_eq!(Bet::ALL[0], Bet::Result(Winner::Home));
    // Home wins with 0.4299 and, one up, with 0.7101: 1 / (p × 1.05), down to the next price of the ladder.
    assert_eq!(shown, [Some("2.20".to_owned()), Some("1.34".to_owned())]);
    assert_eq!(pricer.feed().refused(), (0, None));
    assert_eq!(pricer.counts().published, 2, "two commands for two times fifty-one prices");
    let digest = table.engine.shutdown().expect("in order").digest;
    let again = replay(&dir.path().join("book"), &mut |_| {}).expect("replayed");
    assert_eq!(again.digest, digest);
}

#[test]
fn after_a_refusal_everything_is_said_again() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    derby.price(10);
    // Another handle of the feed sends what no market of this feed can be.
    let other = derby.table.market.id();
    let wrong = logic::command::RepriceEntry::new(other, SelectionIndex(0), WirePrice::NONE);
    let fixture = FixtureId::new(0, 1);
    let model = logic::command::Reprice::named("wrong").expect("a name");
    let body = logic::command::Reprice { fixture, model, ..Default::default() };
    derby.pricer.feed().reprice(body, &[wrong]).map(drop).expect("taken");
    derby.pricer.feed().settle(SECOND).expect("answered");
    assert_eq!(derby.pricer.feed().refused(), (1, Some(Reject::InvalidMarketId)));
    assert_eq!(derby.pricer.turn(), Ok(0));
    assert_eq!(derby.pricer.counts().prices, 8, "four prices, twice");
}

#[test]
fn a_fixture_that_is_over_makes_room_and_what_still_comes_for_it_prices_no_other() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    derby.price(10);
    let over = derby.fixture;
    let now = derby.pricer.feed().now();
    derby.pricer.input(over, 20, now);
    derby.pricer.remove(over);
    assert_eq!(derby.pricer.turn(), Ok(0), "what waited is gone with it");
    derby.shows(&derby.result, 0, Some("1.60"));
    let id = FixtureId::new(0, 1);
    let one = Target { at: 0, market: derby.goals.id(), selection: SelectionIndex(0) };
    let next = derby.pricer.add(id, &[one]).expect("its place is free");
    derby.pricer.input(over, 30, now);
    derby.pricer.remove(over);
    derby.pricer.input(next, 40, now);
    assert_eq!(derby.pricer.turn(), Ok(0));
    derby.pricer.feed().settle(SECOND).expect("answered");
    derby.shows(&derby.goals, 0, Some("1.90"));
    derby.shows(&derby.result, 0, Some("1.60"));
    let counts = derby.pricer.counts();
    assert_eq!((counts.removed, counts.prices), (1, 5));
    let second = derby.pricer.add(id, &[one]).expect("two have room");
    assert_ne!(second, next);
    assert_eq!(derby.pricer.add(id, &[one]), Err(NotPriced::Full));
}

#[test]
fn what_is_refused_every_time_does_not_make_all_others_be_said_all_the_time() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    derby.price(10);
    // A fixture that the engine does not know.
    let one = Target { at: 0, market: derby.goals.id(), selection: SelectionIndex(0) };
    let gone = derby.pricer.add(FixtureId::new(9, 1), &[one]).expect("two have room");
    let (began, now) = (Instant::now(), derby.pricer.feed().now());
    derby.pricer.input(gone, 10, now);
    for _ in 0..200 {
        assert_eq!(derby.pricer.turn(), Ok(0));
        derby.pricer.feed().settle(SECOND).expect("answered");
    }
    let quarters = began.elapsed().as_millis() as u64 / 250 + 1;
    let published = derby.pricer.counts().published;
    assert!((3..=2 + 2 * quarters).contains(&published), "{published} in {quarters} quarters");
    assert_eq!(derby.pricer.feed().refused().1, Some(Reject::FixtureUnknown));
}

#[test]
fn an_input_of_no_known_time_makes_prices_older_than_any_bound() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    let (feed, fixture) = (derby.pricer.feed().id(), FixtureId::new(0, 1));
    let hour = logic::time::Nanos::from_secs(3_600);
    let terms = MarketTerms::new("aged", ["A", "B"]).feed(feed).fixture(fixture).age_bound(hour);
    let market = derby.table.trader.define(terms).expect("defined");
    derby.table.trader.open_market(&market).expect("open");
    let target = Target { at: 0, market: market.id(), selection: SelectionIndex(0) };
    let priced = derby.pricer.add(fixture, &[target]).expect("two have room");
    for (number, as_of) in [Timestamp(0), Timestamp(-1), Timestamp::MIN].into_iter().enumerate() {
        derby.pricer.input(priced, 10, as_of);
        assert_eq!(derby.pricer.turn(), Ok(0));
        derby.pricer.feed().heartbeat(Timestamp(0)).map(drop).expect("taken");
        derby.pricer.feed().settle(SECOND).expect("answered");
        assert_eq!(derby.pricer.feed().refused(), (0, None));
        let place = Place::single(derby.table.account, market.selection("A"), money!(1.00));
        let place = place.any_price().key(key(900 + number as u128));
        let ticket = derby.table.client.try_submit(place).expect("taken");
        match derby.table.client.wait(ticket, SECOND) {
            Outcome::Refused(refusal) => assert_eq!(refusal.reject, Reject::StalePrice),
            other => panic!("{other}"),
        }
    }
}

/// Prices the one of two outcomes that its input names, and leaves the other as it is.
struct One;

impl Model for One {
    type Input = usize;
    const NAME: &'static str = "one";
    const VERSION: u32 = 1;
    const OUTCOMES: usize = 2;

    fn price(&mut self, input: &usize, prices: &mut [Option<Price>]) -> Result<(), PricingError> {
        prices[*input] = Some(price!(1.50));
        Ok(())
    }

    fn parameters(&self, _: &usize) -> [u64; 6] {
        [0; 6]
    }
}

#[test]
fn what_a_model_leaves_out_has_no_price_whatever_was_priced_before() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let minute = logic::time::Nanos::from_secs(60);
    let mut feed = table.engine.feed("model", minute).expect("a seat");
    feed.recovered(Timestamp(0)).map(drop).expect("taken");
    let id = table.trader.define_fixture("derby", Timestamp(0)).expect("defined");
    let terms = MarketTerms::new("goals", ["Over", "Under"]).feed(feed.id()).fixture(id);
    let market = table.trader.define(terms).expect("defined");
    table.trader.open_market(&market).expect("open");
    let mut pricer = Pricer::new(feed, One, 1);
    let targets: Vec<Target> = Target::all(market.id(), 0..2).collect();
    let fixture = pricer.add(id, &targets).expect("priced");
    for (input, prices) in [(0, 2), (1, 4)] {
        let now = pricer.feed().now();
        pricer.input(fixture, input, now);
        assert_eq!(pricer.turn(), Ok(0));
        assert_eq!(pricer.counts().prices, prices, "one comes and the other goes");
    }
}

#[test]
fn what_is_for_a_fixture_of_another_pricer_is_passed_over() {
    let dir = dir();
    let mut derby = derby(small(&dir, Layout::OneThread));
    let minute = logic::time::Nanos::from_secs(60);
    let feed = derby.table.engine.feed("model", minute).expect("a seat");
    let mut second = Pricer::new(feed, Steps, 1);
    let one = Target { at: 0, market: derby.goals.id(), selection: SelectionIndex(0) };
    second.add(FixtureId::new(0, 1), &[one]).expect("one has room");
    let now = second.feed().now();
    second.input(derby.fixture, 20, now);
    assert_eq!(second.turn(), Ok(0));
    let counts = second.counts();
    assert_eq!((counts.removed, counts.published), (1, 0));
    derby.price(10);
    assert_eq!(derby.pricer.counts().published, 1);
}
