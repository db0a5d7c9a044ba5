//! What messages do to a book: translated, applied to a state, and looked at there.

use std::collections::BTreeSet;

use betring_core::answer::Reply;
use betring_core::command::{self, *};
use betring_core::event::{Event, Events, FeedWhy, MarketStatus as BookStatus};
use betring_core::id::{
    AccountId, ActorId, BetId, Epoch, FeedId, GroupId, MarketId as BookMarket, RequestKey,
    SelectionIndex,
};
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp as Moment};
use betring_core::wire::{self, Header as Head, Minor, Slot, WirePrice};
use betring_core::{
    Admission, BetState, Digest, HouseRules, LOGIC_VERSION, MarketView, Stamp, State,
};
use betring_pricing::{Currency, Price, RoundingMode, price};
use betring_uof::{
    Config, ErrorKind, Expects, Given, MarketId, MarketKey, Message, Producer, Progress, RequestId,
    SettledOutcome, TranslateReason, Translator, Undefined, Window,
};
use proptest::prelude::*;

use crate::recorded::recorded;
use crate::{at, event, line, message};

const TRADER: ActorId = ActorId(1);
const CUSTOMER: AccountId = AccountId::new(0, 1);
const FUNDS: i64 = 1_000_000_000;
const STAKE: i64 = 1_000;
/// When the tests' own messages were made.
const START: i64 = 1_700_000_000_000;

/// Why a feed has to be asked for everything again.
const INTERRUPTIONS: [FeedWhy; 4] =
    [FeedWhy::Silence, FeedWhy::Gap, FeedWhy::Connection, FeedWhy::Schema];

/// A book, a feed's translator, and a trader.
struct Book {
    state: State<HouseRules>,
    translator: Translator,
    events: Events,
    now: Moment,
    key: u128,
}

impl Book {
    fn open() -> Book {
        Book::opened(START, Config::new(TRADER))
    }

    fn opened(at_ms: i64, config: Config) -> Book {
        let mut book = Book {
            state: State::new(HouseRules),
            translator: Translator::new(config),
            events: Events::new(),
            now: Moment(at_ms * 1_000_000),
            key: 0,
        };
        let genesis = Genesis {
            window: Nanos::from_secs(300),
            secret: *b"sixteen secrets!",
            age_bound: Nanos::from_secs(60),
            offer_ttl: Nanos::from_secs(5),
            price_failure: PriceFailure::Refuse as u8,
            rounding: rounding_code(RoundingMode::Down),
            step_budget: 64,
            limits: Limits {
                min_stake: Minor(1),
                max_stake: Minor(100_000_000),
                max_payout: Minor(100_000_000_000),
                max_liability: Minor(100_000_000_000),
                ..Limits::UNLIMITED
            },
            ..Genesis::default()
        };
        book.done(&wire::slots(Head::default(), &genesis, &[]));
        let capacities = Capacities {
            accounts: 2,
            markets: 16,
            selections: 512,
            bets: 256,
            keys: 1_024,
            feeds: 4,
            fixtures: 8,
            actors: 2,
            currencies: 1,
            quarantined: 1,
            legs: 256,
            groups: 2,
            limited: 1,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        };
        let epoch = EpochOpened {
            epoch: Epoch(1),
            logic_version: LOGIC_VERSION,
            rules_id: 1,
            rules_version: 1,
            capacities,
            ..EpochOpened::default()
        };
        book.done(&wire::slots(Head::default(), &epoch, &[]));
        let (head, valid_until) = book.ask();
        let body = RegisterActor { valid_until, ..RegisterActor::default() };
        book.done(&build::register_actor(head, body, "trader").unwrap());
        let (head, valid_until) = book.ask();
        let body = OpenAccount {
            valid_until,
            reference: 1,
            currency: Currency::GBP.numeric(),
            ..OpenAccount::default()
        };
        book.done(&[build::plain(Head { account: 0, ..head }, &body)]);
        let (head, valid_until) = book.ask();
        let body = Deposit { valid_until, amount: Minor(FUNDS), ..Deposit::default() };
        book.done(&[build::plain(Head { account: CUSTOMER.raw(), ..head }, &body)]);
        book
    }

    /// A header of the trader's, and a time limit.
    fn ask(&mut self) -> (Head, Moment) {
        self.key += 1;
        (Head::control(TRADER, RequestKey(self.key)), self.now.plus(Nanos::from_secs(1)))
    }

    fn answer(&mut self, slots: &[Slot]) -> Reply {
        let bytes: Vec<u8> = slots.iter().flat_map(|slot| slot.0).collect();
        let (header, command) = command::decode(&bytes).expect("a command that can be read");
        match self.state.admit(self.now, &header, &command, &bytes) {
            Admission::Answer(reply) => reply,
            Admission::Sequence(admitted) => {
                let stamp = Stamp { seq: self.state.seq().next(), at: self.now };
                let reply = self.state.apply(stamp, &header, &command, admitted, &mut self.events);
                self.tell_interruptions();
                reply
            }
        }
    }

    /// What a driver owes the translator when the core says that a feed has missed something.
    fn tell_interruptions(&mut self) {
        for event in self.events.iter() {
            if let Event::FeedChanged(it) = event.expect("an event that can be read")
                && INTERRUPTIONS.contains(&FeedWhy::from_code(it.why).expect("a reason"))
            {
                self.translator.interrupted(it.feed);
            }
        }
    }

    fn done(&mut self, slots: &[Slot]) -> u64 {
        let reply = self.answer(slots);
        assert_eq!(reply.answer.reject(), None, "{reply}");
        reply.answer.id
    }

    fn work(&mut self) {
        while self.state.has_work() {
            let body = Step { budget: 64, ..Step::default() };
            self.done(&[build::plain(Head::default(), &body)]);
        }
        self.state.check().unwrap();
    }

    fn wait_until(&mut self, ms: i64) {
        self.now = Moment(ms * 1_000_000);
    }

    /// Applies a message to its end; the commands by name, with the refusal of each that was refused.
    fn hear(&mut self, message: &Message) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let mut given = Vec::new();
            let progress = self.translator.translate(message, self.now, &mut given);
            let progress = progress.unwrap_or_else(|error| panic!("{error}"));
            for Given { slots, expects } in given {
                let kind = Kind::from_code(slots[0].header().kind).expect("a kind of command");
                let reply = self.answer(&slots);
                match reply.answer.reject() {
                    Some(reject) => told.push(format!("{kind} {reject:?}")),
                    None => told.push(kind.to_string()),
                }
                self.translator.made(&expects, reply.answer.id);
                self.work();
            }
            match progress {
                Progress::Done => return told,
                Progress::Waits => assert!(told.len() < 50, "it ends: {told:?}"),
            }
        }
    }

    fn refuses(&mut self, message: &Message) -> String {
        let mut given = Vec::new();
        let error = self.translator.translate(message, self.now, &mut given).unwrap_err();
        assert_eq!(given, [], "nothing of it was translated");
        error.to_string()
    }

    /// A market with prices of a trader, open and adopted.
    fn adopt(&mut self, key: &MarketKey, names: &[String]) -> BookMarket {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (head, valid_until) = self.ask();
        let kind = MarketKind::Fixed as u8;
        let body = DefineMarket { valid_until, winners: 1, kind, ..DefineMarket::default() };
        let id = self.done(&build::define_market(head, body, &key.name(), &names).unwrap());
        let market = BookMarket::from_raw(id);
        let (head, valid_until) = self.ask();
        let body = OpenMarket { valid_until, market, ..OpenMarket::default() };
        self.done(&[build::plain(head, &body)]);
        let entries: Vec<PriceEntry> = (0..names.len() as u16)
            .map(|at| PriceEntry::new(SelectionIndex(at), WirePrice::decimal(priced(at))))
            .collect();
        let (head, valid_until) = self.ask();
        let body = SetPrices { valid_until, market, ..SetPrices::default() };
        self.done(&build::set_prices(head, body, &entries).unwrap());
        self.translator.adopt(key.clone(), market, FeedId::MANUAL, names).unwrap();
        market
    }

    /// A feed that has sent everything.
    fn feed(&mut self, producer: u32) -> FeedId {
        let (head, valid_until) = self.ask();
        let silence_bound = Nanos::from_secs(20);
        let body = DefineFeed { valid_until, silence_bound, ..DefineFeed::default() };
        let id = self.done(&build::define_feed(head, body, &format!("uof {producer}")).unwrap());
        let feed = FeedId(u16::try_from(id).unwrap());
        self.translator.feed(Producer(producer), feed);
        self.recovering(producer, 1);
        let whole = self.hear(&complete(producer, START));
        assert_eq!(whole, ["FeedRecovered"]);
        feed
    }

    /// The driver asks a producer for everything again.
    fn recovering(&mut self, producer: u32, request: i64) {
        let asked = self.translator.recovering(Producer(producer), RequestId(request));
        self.done(&asked.expect("a feed stands for it").slots);
    }

    fn bet(&mut self, market: BookMarket, selection: u16) -> Result<BetId, Reject> {
        let (head, valid_until) = self.ask();
        let body = Place {
            valid_until,
            market,
            stake: Minor(STAKE),
            selection: SelectionIndex(selection),
            policy: PricePolicy::Any as u8,
            ..Place::default()
        };
        let reply = self.answer(&[build::plain(Head { account: CUSTOMER.raw(), ..head }, &body)]);
        match reply.answer.reject() {
            Some(reject) => Err(reject),
            None => Ok(BetId::from_raw(reply.answer.id)),
        }
    }

    fn market(&self, market: BookMarket) -> MarketView<'_> {
        self.state.market(market).expect("a market in memory")
    }

    fn named(&self, market: u32, specifiers: &str) -> BookMarket {
        let key = line(market, specifiers).of(&event("sr:match:7"));
        self.state.market_named(&key.name()).expect("a market of that name")
    }

    fn states(&self, bets: &[BetId]) -> Vec<BetState> {
        bets.iter().map(|bet| self.state.bet(*bet).expect("a bet in memory").state).collect()
    }

    fn paid(&self, bet: BetId) -> i64 {
        self.state.bet(bet).expect("a bet in memory").paid.0
    }

    fn money(&self) -> Digest {
        self.state.money_digest()
    }
}

/// The price of a selection in the markets of a trader: all are different.
fn priced(at: u16) -> Price {
    Price::from_e4(20_000 + 1_234 * u32::from(at)).expect("a price")
}

fn complete(producer: u32, ms: i64) -> Message {
    message(&format!(
        r#"<snapshot_complete product="{producer}" timestamp="{ms}" request_id="1"/>"#
    ))
}

fn alive(producer: u32, ms: i64, subscribed: u8) -> Message {
    message(&format!(r#"<alive product="{producer}" timestamp="{ms}" subscribed="{subscribed}"/>"#))
}

/// A message about the event of these tests.
fn told(root: &str, ms: i64, attributes: &str, inner: &str) -> Message {
    message(&format!(
        r#"<{root} product="1" event_id="sr:match:7" timestamp="{ms}" {attributes}>{inner}</{root}>"#
    ))
}

fn odds(ms: i64, markets: &str) -> Message {
    told("odds_change", ms, "", &format!("<odds>{markets}</odds>"))
}

/// The market 1 with three outcomes, at a status.
fn three_way(ms: i64, status: i8) -> Message {
    odds(
        ms,
        &format!(
            r#"<market id="1" status="{status}"><outcome id="3" odds="3.5"/><outcome id="1" odds="2.1"/>
            <outcome id="2" odds="3.2"/></market>"#
        ),
    )
}

fn stop(ms: i64, groups: &str) -> Message {
    told("bet_stop", ms, &format!(r#"groups="{groups}""#), "")
}

/// The result of market 1: attributes of each of its three outcomes.
fn result(ms: i64, certainty: u8, outcomes: [&str; 3]) -> Message {
    let outcomes: String =
        (1..).zip(outcomes).map(|(id, it)| format!(r#"<outcome id="{id}" {it}/>"#)).collect();
    let market = format!(r#"<outcomes><market id="1">{outcomes}</market></outcomes>"#);
    told("bet_settlement", ms, &format!(r#"certainty="{certainty}""#), &market)
}

const FIRST: [&str; 3] = [r#"result="1""#, r#"result="0""#, r#"result="0""#];
const SECOND: [&str; 3] = [r#"result="0""#, r#"result="1""#, r#"result="0""#];

fn rollback(ms: i64) -> Message {
    told("rollback_bet_settlement", ms, "", r#"<market id="1"/>"#)
}

fn cancel(ms: i64, window: &str) -> Message {
    told("bet_cancel", ms, window, r#"<market id="1"/>"#)
}

fn uncancel(ms: i64, window: &str) -> Message {
    told("rollback_bet_cancel", ms, window, r#"<market id="1"/>"#)
}

fn one_to_three() -> Vec<String> {
    ["1", "2", "3"].map(str::to_owned).to_vec()
}

fn three_way_key() -> MarketKey {
    line(1, "").of(&event("sr:match:7"))
}

/// A book with market 1, and a bet on each of its outcomes, one second after the other.
fn with_bets() -> (Book, BookMarket, Vec<BetId>) {
    let mut book = Book::open();
    let market = book.adopt(&three_way_key(), &one_to_three());
    let mut bets = Vec::new();
    for second in 0..3 {
        book.wait_until(START + 1_000 * i64::from(second));
        bets.push(book.bet(market, second).unwrap());
    }
    (book, market, bets)
}

/// What a stake of [`STAKE`] returns, computed apart: v + (1 - v) · w · O of it.
fn returns(outcome: &SettledOutcome, price: Price) -> i64 {
    let (v, w) = (outcome.refunded(), outcome.winning().expect("it is decided"));
    let (vn, vd) = (i64::from(v.num()), i64::from(v.den()));
    let (wn, wd) = (i64::from(w.num()), i64::from(w.den()));
    STAKE * (vn * wd * 10_000 + (vd - vn) * wn * i64::from(price.e4())) / (vd * wd * 10_000)
}

#[test]
fn the_recorded_settlement_pays_every_bet_what_it_says() {
    let Some(bytes) = recorded("bet_settlement.xml") else { return };
    let right = betring_uof::read(&bytes).unwrap();
    let Message::BetSettlement(settlement) = &right else { panic!("a settlement") };
    let start = settlement.header.timestamp.ms() - 60_000;
    let open = || {
        let mut book = Book::opened(start, Config::new(TRADER));
        let mut bets = Vec::new();
        for market in &settlement.markets {
            let key = market.line.of(&settlement.header.event);
            let mut outcomes: Vec<&SettledOutcome> = market.outcomes.iter().collect();
            outcomes.sort_by(|a, b| a.id.cmp(&b.id));
            let names: Vec<String> = outcomes.iter().map(|it| it.id.name()).collect();
            let id = book.adopt(&key, &names);
            for (at, outcome) in (0..).zip(outcomes) {
                bets.push((book.bet(id, at).unwrap(), returns(outcome, priced(at))));
            }
        }
        (book, bets)
    };
    let (mut book, bets) = open();
    assert_eq!(bets.len(), 45);
    let before = book.money();
    assert_eq!(book.hear(&right), ["MarketResult"; 5]);
    for (bet, returns) in &bets {
        assert_eq!(book.paid(*bet), *returns, "{bet}");
    }
    // Among them one that is refunded and one that is half lost.
    for back in [STAKE, STAKE / 2] {
        assert!(bets.iter().any(|(_, returns)| *returns == back));
    }
    let settled = book.money();

    // The same again changes nothing.
    assert_eq!(book.hear(&right), ["MarketResult"; 5]);
    assert_eq!(book.money(), settled);

    // Taken back, all bets are open again.
    let mut lines = String::new();
    for market in &settlement.markets {
        let (id, specifiers) = (market.line.market, &market.line.specifiers);
        lines += &format!(r#"<market id="{id}" specifiers="{specifiers}"/>"#);
    }
    let (event, ms) = (&settlement.header.event, settlement.header.timestamp.ms() + 1_000);
    let back = message(&format!(
        r#"<rollback_bet_settlement product="3" event_id="{event}" timestamp="{ms}">{lines}</rollback_bet_settlement>"#
    ));
    book.wait_until(ms);
    assert_eq!(book.hear(&back), ["RollbackResult"; 5]);
    assert_eq!(book.money(), before);
    assert!(bets.iter().all(|(bet, _)| book.states(&[*bet]) == [BetState::Open]));

    // Settled otherwise first, and then right, is settled right.
    let mut otherwise = settlement.clone();
    for market in &mut otherwise.markets {
        let mut turned = market.outcomes.clone();
        turned.rotate_left(1);
        for (outcome, other) in market.outcomes.iter_mut().zip(turned) {
            *outcome = SettledOutcome { id: outcome.id.clone(), ..other };
        }
    }
    otherwise.header.timestamp = at(settlement.header.timestamp.ms() - 1_000);
    let (mut book, _) = open();
    book.hear(&Message::BetSettlement(otherwise));
    assert_ne!(book.money(), settled);
    book.hear(&right);
    assert_eq!(book.money(), settled);
}

#[test]
fn the_recorded_cancel_voids_the_bets_placed_in_its_window_and_no_other() {
    let Some(bytes) = recorded("bet_cancel.xml") else { return };
    let void = betring_uof::read(&bytes).unwrap();
    let Message::BetCancel(told) = &void else { panic!("a cancel") };
    let (start, end) = (told.window.start().unwrap().ms(), told.window.end().unwrap().ms());
    let mut book = Book::opened(start - 60_000, Config::new(TRADER));
    let key = told.markets[0].line.of(&told.header.event);
    let market = book.adopt(&key, &one_to_three());
    let mut bets = Vec::new();
    for moment in [start - 1, start, start + 1, end - 1, end, end + 1] {
        book.wait_until(moment);
        bets.push(book.bet(market, 0).unwrap());
    }
    let before = book.money();
    book.wait_until(told.header.timestamp.ms());
    assert_eq!(book.hear(&void), ["CancelBets"]);
    let (open, voided) = (BetState::Open, BetState::Void);
    assert_eq!(book.states(&bets), [open, voided, voided, voided, open, open]);
    assert_eq!(
        book.market(market).status,
        BookStatus::Open,
        "a cancel leaves the market as it was"
    );

    let mut back = betring_uof::RollbackBetCancel {
        header: told.header.clone(),
        window: told.window,
        markets: vec![told.markets[0].line.clone()],
    };
    back.header.timestamp = at(told.header.timestamp.ms() + 1);
    assert_eq!(book.hear(&Message::RollbackBetCancel(back)), ["CancelBets"]);
    assert_eq!(book.money(), before);
}

#[test]
fn the_recorded_rollback_of_a_cancel_that_never_came_changes_nothing() {
    let Some(bytes) = recorded("rollback_bet_cancel.xml") else { return };
    let back = betring_uof::read(&bytes).unwrap();
    let Message::RollbackBetCancel(told) = &back else { panic!("a rollback") };
    let mut book = Book::open();
    let market = book.adopt(&told.markets[0].of(&told.header.event), &one_to_three());
    book.bet(market, 0).unwrap();
    let before = book.money();
    assert_eq!(book.hear(&back), ["CancelBets"]);
    assert_eq!(book.money(), before);
}

#[test]
fn the_recorded_odds_change_opens_what_is_active_with_its_prices() {
    let Some(bytes) = recorded("odds_change-0.xml") else { return };
    let change = betring_uof::read(&bytes).unwrap();
    let mut book = Book::open();
    book.feed(2);
    let commands = book.hear(&change);
    let count = |kind: &str| commands.iter().filter(|it| *it == kind).count();
    // Of nine markets one is inactive without outcomes, and one is cancelled.
    let kinds = ["DefineFixture", "DefineMarket", "SetPrices", "OpenMarket", "Release", "Suspend"];
    assert_eq!(kinds.map(count), [1, 7, 7, 6, 6, 1], "{commands:?}");
    assert_eq!(commands.len(), 28);
    assert_eq!(book.translator.skipped().dormant, 2);
    let key = line(899, "").of(&event("sr:match:123"));
    let market = book.market(book.state.market_named(&key.name()).unwrap());
    assert_eq!(market.selections.len(), 36);
    assert_eq!(market.selections.iter().filter(|it| !it.price.is_none()).count(), 22);
    assert_eq!(market.status, BookStatus::Open);
}

#[test]
fn halves_and_shared_places_are_paid_by_their_shares() {
    let cases: [([&str; 3], [i64; 3]); 4] = [
        (FIRST, [2_000, 0, 0]),
        (
            [r#"result="1" void_factor="0.5""#, r#"result="0" void_factor="0.5""#, r#"result="0""#],
            [1_500, 500, 0],
        ),
        (
            [
                r#"result="1" dead_heat_factor="0.5""#,
                r#"result="1" dead_heat_factor="0.5""#,
                r#"result="0""#,
            ],
            [1_000, 1_061, 0],
        ),
        // A refund takes no winner's place, whatever its result says.
        ([r#"result="1" void_factor="1""#, r#"result="1""#, r#"result="0""#], [1_000, 2_123, 0]),
    ];
    for (outcomes, paid) in cases {
        let (mut book, market, bets) = with_bets();
        assert_eq!(book.hear(&result(START + 9_000, 2, outcomes)), ["MarketResult"]);
        assert_eq!([0, 1, 2].map(|at| book.paid(bets[at])), paid, "{outcomes:?}");
        assert_eq!(book.market(market).status, BookStatus::Settled);
    }
}

#[test]
fn settled_twice_is_settled_once_and_a_detour_ends_in_the_same_money() {
    let (mut book, market, bets) = with_bets();
    let open = book.money();
    book.hear(&result(START + 9_000, 2, FIRST));
    let right = book.money();
    assert_eq!(book.hear(&result(START + 9_500, 2, FIRST)), ["MarketResult"]);
    assert_eq!(book.money(), right);
    assert_eq!(book.market(market).settlement, 1, "the same result is no other settlement");

    book.hear(&rollback(START + 10_000));
    assert_eq!(book.money(), open);
    assert_eq!(book.states(&bets), [BetState::Open; 3]);
    book.hear(&result(START + 11_000, 2, SECOND));
    assert_ne!(book.money(), right);
    book.hear(&result(START + 12_000, 2, FIRST));
    assert_eq!(book.money(), right);
}

#[test]
fn windows_without_a_side_reach_to_the_first_or_the_last_bet() {
    let (open, void) = (BetState::Open, BetState::Void);
    let second = START + 1_000;
    let cases = [
        (String::new(), [void; 3]),
        (format!(r#"start_time="{second}""#), [open, void, void]),
        (format!(r#"end_time="{second}""#), [void, open, open]),
        (format!(r#"start_time="{second}" end_time="{}""#, second + 1), [open, void, open]),
        (format!(r#"start_time="{second}" end_time="{second}""#), [open; 3]),
        (r#"end_time="0""#.to_owned(), [open; 3]),
    ];
    for (window, states) in cases {
        let (mut book, _, bets) = with_bets();
        let before = book.money();
        book.hear(&cancel(START + 9_000, &window));
        assert_eq!(book.states(&bets), states, "{window}");
        assert_eq!(book.translator.skipped().empty_windows, u64::from(states == [open; 3]));
        book.hear(&uncancel(START + 9_500, &window));
        assert_eq!(book.money(), before, "{window}");
    }
}

#[test]
fn an_odds_change_defines_prices_opens_and_suspends_a_market() {
    let mut book = Book::open();
    let feed = book.feed(1);
    let new = ["DefineFixture", "DefineMarket", "SetPrices", "OpenMarket", "Release"];
    assert_eq!(book.hear(&three_way(START + 1, 1)), new);
    let id = book.named(1, "");
    let market = book.market(id);
    assert_eq!((market.feed, market.winners), (feed, 1));
    assert_eq!(Some(market.fixture), book.state.fixture_named("sr:match:7"));
    let selections: Vec<(&str, Option<Price>)> =
        market.selections.iter().map(|it| (it.name, it.price.price())).collect();
    let prices = [("1", price!(2.1)), ("2", price!(3.2)), ("3", price!(3.5))];
    assert_eq!(selections, prices.map(|(name, price)| (name, Some(price))));
    book.bet(id, 0).unwrap();

    // Nothing but prices follows while the status is the same.
    assert_eq!(book.hear(&three_way(START + 2, 1)), ["SetPrices"]);
    assert_eq!(book.hear(&three_way(START + 3, -1)), ["Suspend", "SetPrices"]);
    assert_eq!(book.bet(id, 0), Err(Reject::MarketSuspended));
    assert_eq!(book.hear(&three_way(START + 4, 1)), ["SetPrices", "Release"]);
    book.bet(id, 0).unwrap();
    for status in [0, -2] {
        book.hear(&three_way(START + 5, status));
        assert_eq!(book.bet(id, 0), Err(Reject::MarketSuspended));
    }
    assert_eq!(book.hear(&three_way(START + 6, -4)), ["CloseMarket"]);
    assert_eq!(book.bet(id, 0), Err(Reject::MarketClosed));
    assert_eq!(book.hear(&three_way(START + 7, 1)), ["SetPrices", "OpenMarket", "Release"]);
    book.bet(id, 0).unwrap();
}

#[test]
fn an_outcome_that_takes_no_bets_loses_its_price() {
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    let id = book.named(1, "");
    // Not active, out of range, and not listed.
    let worse = r#"<market id="1"><outcome id="1" odds="2.1" active="0"/><outcome id="2" odds="1.0"/>
        <outcome id="9" odds="4.0"/></market>"#;
    assert_eq!(book.hear(&odds(START + 2, worse)), ["SetPrices"]);
    assert_eq!([0, 1, 2].map(|at| book.bet(id, at)), [Err(Reject::NoPrice); 3]);
    assert_eq!(book.translator.skipped().outcomes, 1);
    // A status alone says nothing of prices.
    book.hear(&three_way(START + 3, 1));
    assert_eq!(book.hear(&odds(START + 4, r#"<market id="1" status="-1"/>"#)), ["Suspend"]);
}

#[test]
fn a_bet_stop_suspends_the_active_markets_of_its_groups_until_an_odds_change() {
    let mut config = Config::new(TRADER);
    let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    config.groups.insert(MarketId(1), groups(&["score", "regular_play"]));
    config.groups.insert(MarketId(18), groups(&["cards"]));
    let mut book = Book::opened(START, config);
    book.feed(1);
    let two = |id: u32, status: i8| {
        format!(
            r#"<market id="{id}" status="{status}"><outcome id="1" odds="2.0"/><outcome id="2" odds="2.0"/></market>"#
        )
    };
    let all = [two(1, 1), two(18, 1), two(29, 1), two(30, -1)].concat();
    book.hear(&odds(START + 1, &all));
    let suspended =
        |book: &Book| [1, 18, 29, 30].map(|id| book.market(book.named(id, "")).suspended);
    assert_eq!(suspended(&book), [false, false, false, true]);

    // The market whose groups nobody configured stops too; what is suspended is told so again.
    assert_eq!(book.hear(&stop(START + 2, "score|corners")), ["Suspend"; 3]);
    assert_eq!(suspended(&book), [true, false, true, true]);
    assert_eq!(book.hear(&stop(START + 3, "all")), ["Suspend"; 4]);
    assert_eq!(suspended(&book), [true; 4]);
    assert_eq!(book.hear(&stop(START + 4, "all")), ["Suspend"; 4]);
    // An odds change from before the last stop opens nothing, though that stop found all suspended.
    assert_eq!(book.hear(&odds(START + 3, &two(18, 1))), [""; 0]);
    assert_eq!(book.hear(&odds(START + 5, &two(18, 1))), ["SetPrices", "Release"]);
    assert_eq!(suspended(&book), [true, false, true, true]);
    // The stop comes again: it is late for the market that was released since.
    assert_eq!(book.hear(&stop(START + 4, "all")), ["Suspend"; 3]);
    assert_eq!(suspended(&book), [true, false, true, true]);
    assert_eq!(book.translator.skipped().late, 2);
}

#[test]
fn a_bet_stop_closes_bets_on_a_market_of_which_the_feed_has_said_nothing() {
    let (mut book, market, _) = with_bets();
    assert_eq!(book.hear(&stop(START + 9_000, "all")), ["Suspend"]);
    assert_eq!(book.bet(market, 0), Err(Reject::MarketSuspended));
}

#[test]
fn a_silent_producer_takes_no_bets_until_it_has_recovered() {
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    let id = book.named(1, "");
    for second in [10, 20, 30] {
        book.wait_until(START + second * 1_000);
        assert_eq!(book.hear(&alive(1, START + second * 1_000, 1)), ["FeedHeartbeat"]);
    }
    book.bet(id, 0).unwrap();
    book.wait_until(START + 51_000);
    assert_eq!(book.bet(id, 0), Err(Reject::FeedDown));
    // Back again, it has missed something: only its recovery helps, and new prices.
    book.hear(&alive(1, START + 51_000, 1));
    assert_eq!(book.bet(id, 0), Err(Reject::FeedDown));
    book.recovering(1, 1);
    assert_eq!(book.bet(id, 0), Err(Reject::FeedDown));
    book.hear(&complete(1, START + 51_000));
    book.hear(&three_way(START + 51_000, 1));
    book.bet(id, 0).unwrap();
    // It says itself that it was started anew, or is down.
    let down = message(r#"<product_down product="1" timestamp="1700000052000"/>"#);
    for message in [alive(1, START + 52_000, 0), down] {
        assert_eq!(book.hear(&message), ["FeedGap"]);
        assert_eq!(book.bet(id, 0), Err(Reject::FeedDown));
        book.recovering(1, 1);
        assert_eq!(book.hear(&complete(1, START + 52_000)), ["FeedRecovered"]);
        book.hear(&three_way(START + 52_000, 1));
        book.bet(id, 0).unwrap();
    }
    assert_eq!(book.hear(&alive(9, START, 1)), [""; 0]);
    assert_eq!(book.translator.skipped().producers, 1);
}

#[test]
fn only_the_end_of_the_recovery_that_was_asked_for_last_counts() {
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    let id = book.named(1, "");
    book.bet(id, 0).unwrap();
    let ended = |request: i64| {
        let at = START + 3;
        message(&format!(
            r#"<snapshot_complete product="1" timestamp="{at}" request_id="{request}"/>"#
        ))
    };
    // It asks, something is missing meanwhile, it asks again: the first answer lacks what came between.
    book.recovering(1, 7);
    assert_eq!(book.bet(id, 0), Err(Reject::FeedDown));
    assert_eq!(book.hear(&alive(1, START + 2, 0)), ["FeedGap"]);
    book.recovering(1, 8);
    assert_eq!(book.hear(&ended(7)), [""; 0]);
    assert_eq!(book.translator.skipped().recoveries, 1);
    assert_eq!(book.bet(id, 0), Err(Reject::FeedDown));
    assert_eq!(book.hear(&ended(8)), ["FeedRecovered"]);
    book.hear(&three_way(START + 4, 1));
    book.bet(id, 0).unwrap();
    // A translator that was started anew and asked for nothing yet is not believed by the core either.
    book.hear(&alive(1, START + 5, 0));
    let feed = FeedId(1);
    book.translator = Translator::new(Config::new(TRADER));
    book.translator.feed(Producer(1), feed);
    assert_eq!(book.hear(&ended(8)), ["FeedRecovered"]);
    assert_eq!(book.bet(id, 0), Err(Reject::FeedDown));
    // A lost connection is a gap of its own kind.
    let lost = book.translator.lost_connection(feed);
    book.done(&lost.slots);
    assert_eq!(book.bet(id, 0), Err(Reject::FeedDown));
}

fn ended(producer: u32, request: i64) -> Message {
    message(&format!(
        r#"<snapshot_complete product="{producer}" timestamp="{START}" request_id="{request}"/>"#
    ))
}

/// How many commands a message gives, without a book.
fn count(translator: &mut Translator, message: &Message) -> usize {
    let mut given = Vec::new();
    let progress = translator.translate(message, Moment(START * 1_000_000), &mut given);
    assert_eq!(progress, Ok(Progress::Done));
    given.len()
}

/// A recovery that was asked for before an interruption lacks what was sent while nobody listened: its end
/// is not passed on.
#[test]
fn after_an_interruption_the_end_of_a_recovery_asked_for_before_it_does_not_count() {
    let feed = FeedId(1);
    let mut translator = Translator::new(Config::new(TRADER));
    translator.feed(Producer(1), feed);
    translator.recovering(Producer(1), RequestId(7)).unwrap();
    translator.interrupted(feed);
    assert_eq!(count(&mut translator, &ended(1, 7)), 0, "FeedRecovered of a request before it");
    assert_eq!(translator.skipped().recoveries, 1);
    translator.recovering(Producer(1), RequestId(8)).unwrap();
    assert_eq!(count(&mut translator, &ended(1, 7)), 0);
    assert_eq!(count(&mut translator, &ended(1, 8)), 1);
}

/// Of two producers that share a feed, one has been asked again after a gap and one not yet: the late end
/// of the other's earlier recovery does not make the feed whole.
#[test]
fn a_feed_is_not_whole_while_one_of_its_producers_has_only_ended_a_recovery_from_before_the_gap() {
    let feed = FeedId(1);
    let mut translator = Translator::new(Config::new(TRADER));
    translator.feed(Producer(1), feed);
    translator.feed(Producer(3), feed);
    translator.recovering(Producer(1), RequestId(1)).unwrap();
    translator.recovering(Producer(3), RequestId(2)).unwrap();
    let _gap = translator.lost_connection(feed);
    translator.recovering(Producer(1), RequestId(3)).unwrap();
    assert_eq!(count(&mut translator, &ended(3, 2)), 0);
    assert_eq!(count(&mut translator, &ended(1, 3)), 0, "FeedRecovered, and producer 3 has a hole");
    translator.recovering(Producer(3), RequestId(4)).unwrap();
    assert_eq!(count(&mut translator, &ended(3, 4)), 1);
}

#[test]
fn a_backup_prices_and_suspends_what_the_primary_has_defined_and_nothing_else() {
    let mut config = Config::new(TRADER);
    config.undefined = Undefined::PassOver;
    config.schema = 3;
    let mut translator = Translator::new(config);
    let (feed, group) = (FeedId(2), GroupId(1));
    translator.feed(Producer(1), feed);
    translator.member(feed, group, Drives::Backup);
    let now = Moment(START * 1_000_000);
    let given = |translator: &mut Translator, message: &Message| {
        let mut given = Vec::new();
        assert_eq!(translator.translate(message, now, &mut given), Ok(Progress::Done));
        let slots = given.into_iter().map(|it| it.slots).collect::<Vec<Vec<Slot>>>();
        slots.concat()
    };
    let kinds = |slots: &[Slot]| -> Vec<Kind> {
        let first = slots.iter().filter(|slot| slot.slots() != 0 && slot.0[1] == 1);
        first.filter_map(|slot| Kind::from_code(slot.0[0])).collect()
    };
    // Nobody has defined the market: the backup does not.
    assert_eq!(given(&mut translator, &three_way(START + 1, 1)), []);
    let key = line(1, "").of(&event("sr:match:7"));
    let names = ["1", "2", "3"];
    translator.adopt(key, BookMarket::new(0, 1), feed, names).unwrap();
    let priced = given(&mut translator, &three_way(START + 2, 1));
    let bytes: Vec<u8> = priced[..priced[0].slots()].iter().flat_map(|slot| slot.0).collect();
    let (_, Command::SetPrices(prices, _)) = command::decode(&bytes).unwrap() else { panic!() };
    assert_eq!((prices.feed, prices.schema), (feed, 3));
    assert!(kinds(&priced).contains(&Kind::Release) && !kinds(&priced).contains(&Kind::OpenMarket));
    // It stops, or says that all is over: no bet at its prices, by its own word, and nothing closed.
    for message in [stop(START + 3, "all"), three_way(START + 4, -3)] {
        let [slot] = given(&mut translator, &message)[..] else { panic!("one command") };
        let (_, Command::Suspend(suspend)) = command::decode(&slot.0).unwrap() else { panic!() };
        assert_eq!(suspend.owner, Owner::Backup as u8);
    }
    let result = message(&format!(
        r#"<bet_settlement certainty="2" product="1" event_id="sr:match:7" timestamp="{}"><outcomes>
        <market id="1"><outcome id="1" result="1"/><outcome id="2" result="0"/>
        <outcome id="3" result="0"/></market></outcomes></bet_settlement>"#,
        START + 5
    ));
    assert_eq!(given(&mut translator, &result), []);
    let skipped = translator.skipped();
    assert_eq!((skipped.standby, skipped.undefined), (1, 1));
}

#[test]
fn errors_are_counted_by_a_closed_list_of_kinds() {
    let names: BTreeSet<&str> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), ErrorKind::ALL.len(), "each has a name of its own");
    let kind = |text: &str| betring_uof::read(text.as_bytes()).unwrap_err().kind();
    assert_eq!(kind(""), ErrorKind::Cut);
    assert_eq!(kind("<odds_change x=1/>"), ErrorKind::NotXml);
    assert_eq!(kind("<weather/>"), ErrorKind::UnknownMessage);
    assert_eq!(kind(r#"<product_down timestamp="1"/>"#), ErrorKind::Missing);
    assert_eq!(kind(r#"<product_down product="x" timestamp="1"/>"#), ErrorKind::Value);
    assert_eq!(TranslateReason::MarketUndefined.kind(), ErrorKind::Book);
}

#[test]
fn producers_that_share_a_feed_are_alive_and_whole_together() {
    let mut book = Book::open();
    let feed = book.feed(3);
    book.translator.feed(Producer(1), feed);
    assert_eq!(book.hear(&alive(3, START, 1)), [""; 0]);
    assert_eq!(book.hear(&alive(3, START + 1, 1)), [""; 0]);
    assert_eq!(book.hear(&alive(1, START + 2, 1)), ["FeedHeartbeat"]);
    assert_eq!(book.hear(&alive(1, START + 3, 1)), [""; 0]);
    assert_eq!(book.hear(&alive(3, START + 4, 0)), ["FeedGap"]);
    book.recovering(3, 1);
    book.recovering(1, 1);
    assert_eq!(book.hear(&complete(3, START + 5)), [""; 0]);
    assert_eq!(book.hear(&complete(1, START + 6)), ["FeedRecovered"]);
    // After a reconnection neither speaks for the other, and what was said before it counts for nothing.
    assert_eq!(book.hear(&alive(1, START + 7, 1)), [""; 0]);
    book.translator.interrupted(feed);
    assert_eq!(book.hear(&alive(3, START + 8, 1)), [""; 0]);
    book.recovering(1, 1);
    book.recovering(3, 1);
    assert_eq!(book.hear(&complete(1, START + 9)), [""; 0]);
    assert_eq!(book.hear(&complete(3, START + 10)), ["FeedRecovered"]);
    // One that is down takes the others along, even before the core has said so.
    let mut given = Vec::new();
    for message in [alive(3, START + 11, 0), complete(3, START + 12)] {
        let progress = book.translator.translate(&message, book.now, &mut given);
        assert_eq!(progress, Ok(Progress::Done));
    }
    assert_eq!(given.len(), 1, "a gap, and no recovery: {given:?}");
}

#[test]
fn cash_outs_freeze_and_thaw_as_the_feed_says() {
    let (mut book, market, _) = with_bets();
    let told =
        |ms, status| odds(ms, &format!(r#"<market id="1" status="1" cashout_status="{status}"/>"#));
    assert_eq!(book.hear(&told(START + 9_001, -1)), ["Release", "FreezeCashOut"]);
    assert!(book.market(market).cash_out_frozen);
    // A freeze is given again, because the first may have been lost; a thaw is not.
    assert_eq!(book.hear(&told(START + 9_002, -2)), ["FreezeCashOut"]);
    assert_eq!(book.hear(&told(START + 9_003, 1)), ["FreezeCashOut"]);
    assert!(!book.market(market).cash_out_frozen);
    assert_eq!(book.hear(&told(START + 9_004, 1)), [""; 0]);
    for status in [-1, 1, -1] {
        book.hear(&told(START + 9_005, status));
    }
    assert!(book.market(market).cash_out_frozen, "the last of one millisecond is in force");
}

#[test]
fn a_market_whose_result_was_taken_back_opens_with_the_next_odds_change() {
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    let id = book.named(1, "");
    let bet = book.bet(id, 0).unwrap();
    book.hear(&result(START + 2, 2, FIRST));
    assert_eq!(book.hear(&three_way(START + 3, -3)), ["CloseMarket NotAllowed"]);
    assert_eq!(book.hear(&rollback(START + 4)), ["RollbackResult"]);
    assert_eq!(book.states(&[bet]), [BetState::Open]);
    assert_eq!(book.market(id).status, BookStatus::Closed);
    // What was said before the rollback opens nothing.
    assert_eq!(book.hear(&three_way(START + 3, 1)), [""; 0]);
    assert_eq!(book.hear(&three_way(START + 5, 1)), ["SetPrices", "OpenMarket", "Release"]);
    book.bet(id, 0).unwrap();
}

#[test]
fn a_message_that_comes_twice_asks_under_the_same_keys() {
    let keys = |given: &[Given]| -> Vec<RequestKey> {
        given.iter().map(|it| it.slots[0].header().key).collect()
    };
    let market = r#"<market id="1" cashout_status="-1"><outcome id="1" odds="2"/><outcome id="2" odds="3"/><outcome id="3" odds="3"/></market>"#;
    let messages = [
        odds(START + 1, market),
        three_way(START + 2, -1),
        three_way(START + 3, 1),
        stop(START + 4, "all"),
        result(START + 5, 1, FIRST),
        rollback(START + 6),
        cancel(START + 7, r#"start_time="5""#),
        uncancel(START + 8, r#"start_time="5""#),
        three_way(START + 9, -4),
        // Of one millisecond, and each says the contrary of the one before.
        three_way(START + 9, 1),
        three_way(START + 9, -4),
        alive(1, START + 10, 1),
    ];
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START, -1));
    let mut seen = BTreeSet::new();
    for message in &messages {
        let (mut first, mut second, mut later) = (Vec::new(), Vec::new(), Vec::new());
        let now = book.now;
        for (given, now) in
            [(&mut first, now), (&mut second, now), (&mut later, now.plus(Nanos::from_secs(1)))]
        {
            assert_eq!(book.translator.translate(message, now, given), Ok(Progress::Done));
        }
        assert!(!first.is_empty(), "{message:?}");
        assert_eq!(first, second);
        assert_eq!(keys(&first), keys(&later));
        let named = keys(&first).into_iter().filter(|key| *key != RequestKey::NONE);
        assert!(named.clone().all(|key| seen.insert(key)), "each key is asked under once");
        assert_eq!(named.count() == 0, message.kind() == "alive", "{}", message.kind());
    }
    // A definition is one of a message as well, within its time limit.
    let mut fresh = Translator::new(Config::new(TRADER));
    fresh.feed(Producer(1), FeedId(1));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for given in [&mut first, &mut second] {
        assert_eq!(fresh.translate(&messages[0], book.now, given), Ok(Progress::Waits));
    }
    assert_eq!(first, second);
    assert_eq!(first[0].expects, Expects::Fixture(event("sr:match:7")));
}

#[test]
fn a_book_that_knew_the_market_before_is_adopted_by_its_names() {
    let mut book = Book::open();
    let feed = book.feed(1);
    book.hear(&three_way(START + 1, 1));
    // A translator that was started anew.
    book.translator = Translator::new(Config::new(TRADER));
    book.translator.feed(Producer(1), feed);
    let mut given = Vec::new();
    let change = three_way(START + 2, -1);
    for expected in ["DefineFixture", "DefineMarket"] {
        given.clear();
        let progress = book.translator.translate(&change, book.now, &mut given);
        assert_eq!(progress, Ok(Progress::Waits), "{expected}");
        let reply = book.answer(&given[0].slots);
        assert_eq!(reply.answer.reject(), Some(Reject::NameTaken));
        let Expects::Market(key) = &given[0].expects else {
            book.translator.made(&given[0].expects, reply.answer.id);
            continue;
        };
        let market = BookMarket::from_raw(reply.answer.id);
        let view = book.state.market(market).unwrap();
        let names = view.selections.iter().map(|it| it.name);
        book.translator.adopt(key.clone(), market, view.feed, names).unwrap();
        assert_eq!(book.translator.market(key), Some(market));
    }
    assert_eq!(book.hear(&change), ["Suspend", "SetPrices"]);
    book.translator.forget(&event("sr:match:7"));
    assert_eq!(book.translator.market(&three_way_key()), None);
}

#[test]
fn news_of_a_market_that_was_never_defined_are_refused_passed_over_or_define_it() {
    let news = [
        result(START + 1, 2, FIRST),
        rollback(START + 2),
        cancel(START + 3, ""),
        uncancel(START + 4, ""),
    ];
    let mut book = Book::open();
    book.feed(1);
    for message in &news {
        assert_eq!(
            book.refuses(message),
            format!(
                "{}, market sr:match:7/1: the market was never defined; adopt the market if the \
                 book has it, else pass undefined markets over; then translate the message again",
                message.kind()
            )
        );
    }
    for (undefined, passed) in [(Undefined::PassOver, 4), (Undefined::Define, 0)] {
        let config = Config { undefined, ..Config::new(TRADER) };
        let mut book = Book::opened(START, config);
        book.feed(1);
        let commands: Vec<String> = news.iter().flat_map(|it| book.hear(it)).collect();
        assert_eq!(book.translator.skipped().undefined, passed);
        let expected: &[&str] = match undefined {
            Undefined::Define => &[
                "DefineFixture",
                "DefineMarket",
                "MarketResult",
                "RollbackResult",
                "CancelBets",
                "CancelBets",
            ],
            Undefined::Refuse | Undefined::PassOver => &[],
        };
        assert_eq!(commands, expected);
    }
}

#[test]
fn errors_name_message_market_and_outcome_and_say_what_to_do() {
    let (mut book, _, bets) = with_bets();
    let missing = told(
        "bet_settlement",
        START + 9_000,
        r#"certainty="2""#,
        r#"<outcomes><market id="1"><outcome id="1" result="1"/><outcome id="3" result="0"/></market></outcomes>"#,
    );
    assert_eq!(
        book.refuses(&missing),
        "bet_settlement, market sr:match:7/1, outcome 2: the outcome is not listed; its bets stay \
         open: settle the market by hand, or adopt it with the selections that it has"
    );
    assert_eq!(book.states(&bets), [BetState::Open; 3]);

    let two = r#"<market id="10"><outcome id="9" odds="2"/><outcome id="10" odds="3"/></market>"#;
    let mut strange = Book::open();
    assert_eq!(
        strange.refuses(&odds(START, two)),
        "odds_change: no feed stands for producer 1; report the producer's feed, then translate \
         the message again"
    );
    let mut config = Config::new(TRADER);
    config.winners.insert(MarketId(10), 2);
    let mut strange = Book::opened(START, config);
    strange.feed(1);
    assert_eq!(
        strange.refuses(&odds(START, two)),
        "odds_change, market sr:match:7/10: 2 winners are configured, and there are no more \
         outcomes; configure fewer winners for this kind of market"
    );
    let nobody = message(&format!(
        r#"<odds_change event_id="sr:match:7" timestamp="1"><odds>{}</odds></odds_change>"#,
        two.replace("10\">", "1\">")
    ));
    assert!(strange.refuses(&nobody).contains("names no producer; nothing of it is applied"));
    strange.hear(&three_way(START, 1));
    strange.feed(3);
    let other = message(&format!(
        r#"<odds_change product="3" event_id="sr:match:7" timestamp="1"><odds>{}</odds></odds_change>"#,
        r#"<market id="1"/>"#
    ));
    assert!(strange.refuses(&other).contains("report one feed for all producers"));
    let late = rollback(9_300_000_000_000);
    assert!(strange.refuses(&late).contains("lies beyond the year 2262"));

    let mut adopt = |names: &[&str]| {
        let names = names.iter().copied();
        strange.translator.adopt(three_way_key(), BookMarket::NONE, FeedId(1), names).unwrap_err()
    };
    assert_eq!(adopt(&["1"]).reason, TranslateReason::Outcomes(1));
    assert_eq!(
        adopt(&["1", "1"]).to_string(),
        "adoption, market sr:match:7/1, outcome 1: two selections have this name; adopt the market \
         with the selections that the book has, each by its name there"
    );
}

#[test]
fn two_winners_are_paid_where_two_are_configured() {
    let mut config = Config::new(TRADER);
    config.winners.insert(MarketId(1), 2);
    let mut book = Book::opened(START, config);
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    let id = book.named(1, "");
    assert_eq!(book.market(id).winners, 2);
    let bets = [0, 1, 2].map(|at| book.bet(id, at).unwrap());
    book.hear(&result(START + 2, 2, [r#"result="1""#, r#"result="1""#, r#"result="0""#]));
    assert_eq!(bets.map(|bet| book.paid(bet)), [2_100, 3_200, 0]);
}

#[test]
fn what_asks_for_nothing_is_counted() {
    let (mut book, market, _) = with_bets();
    book.hear(&message(
        r#"<fixture_change product="1" event_id="sr:match:7" timestamp="5" start_time="6"/>"#,
    ));
    book.hear(&message("<venue_summary/>"));
    let undecided = [r#"result="1""#, r#"result="-1""#, r#"result="0""#];
    assert_eq!(book.hear(&result(START + 9_000, 1, undecided)), [""; 0]);
    book.hear(&odds(START + 9_001, r#"<market id="4"><outcome id="1" odds="2"/></market>"#));
    assert_eq!(book.hear(&three_way(START + 9_002, 1)), ["Release"], "a person sets its prices");
    let skipped = book.translator.skipped();
    assert_eq!((skipped.fixture_changes, skipped.descriptions), (1, 1));
    assert_eq!((skipped.undecided, skipped.unfit, skipped.manual), (1, 1, 1));
    assert_eq!(book.market(market).status, BookStatus::Open);
}

/// A message of the kind, made at that moment.
fn any_message(kind: u8, ms: i64) -> Message {
    let half = [r#"result="1" void_factor="0.5""#, r#"result="0""#, r#"result="0""#];
    let void = [r#"result="0" void_factor="1""#; 3];
    let early = format!(r#"end_time="{}""#, START + 1_000);
    let late = format!(r#"start_time="{}""#, START + 1_000);
    match kind {
        0 => result(ms, 2, FIRST),
        1 => result(ms, 2, SECOND),
        2 => result(ms, 2, half),
        3 => result(ms, 2, void),
        4 | 5 => rollback(ms),
        6 => cancel(ms, ""),
        7 => cancel(ms, &early),
        8 => cancel(ms, &late),
        9 => uncancel(ms, ""),
        10 => uncancel(ms, &early),
        11 => uncancel(ms, &late),
        12 => three_way(ms, 1),
        13 => three_way(ms, -1),
        14 => three_way(ms, -3),
        _ => stop(ms, "all"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_in_any_order_end_in_the_money_of_the_right_order(
        (kinds, order) in proptest::collection::vec(0..16_u8, 1..8).prop_flat_map(|kinds| {
            let order: Vec<usize> = (0..kinds.len()).collect();
            (Just(kinds), Just(order).prop_shuffle())
        }),
        twice in any::<bool>(),
    ) {
        let made: Vec<Message> = (1..)
            .zip(&kinds)
            .map(|(at, kind)| any_message(*kind, START + 9_000 + at))
            .collect();
        let (mut right, ..) = with_bets();
        for message in &made {
            right.hear(message);
        }
        let (mut book, ..) = with_bets();
        for place in order {
            book.hear(&made[place]);
            if twice {
                book.hear(&made[place]);
            }
        }
        prop_assert_eq!(book.money(), right.money(), "{:?}", kinds);
    }
}

#[test]
fn a_window_covers_for_the_feed_what_it_covers_for_the_book() {
    let window = Window::new(Some(at(START + 1_000)), Some(at(START + 2_000))).unwrap();
    let (mut book, _, bets) = with_bets();
    let text = format!(r#"start_time="{}" end_time="{}""#, START + 1_000, START + 2_000);
    book.hear(&cancel(START + 9_000, &text));
    for (second, bet) in (0..).zip(bets) {
        let void = book.states(&[bet]) == [BetState::Void];
        assert_eq!(void, window.covers(at(START + 1_000 * second)));
    }
}

#[test]
fn a_stop_after_a_message_from_the_far_future_still_stops() {
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    // The year 2200.
    assert_eq!(
        book.refuses(&three_way(7_258_118_400_000, 1)),
        "odds_change: it was made 5558118400s ahead of now, and 60s is the bound; nothing of it is \
         applied: suspend the event, set the clock that is wrong, here or at the producer, and ask \
         for a recovery of the event"
    );
    book.wait_until(START + 1_000);
    book.hear(&stop(START + 1_000, "all"));
    let id = book.named(1, "");
    assert_eq!(book.bet(id, 0), Err(Reject::MarketSuspended));
}

#[test]
fn a_rollback_from_the_far_future_does_not_keep_a_market_from_settling() {
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    let id = book.named(1, "");
    let bet = book.bet(id, 0).unwrap();
    assert!(book.refuses(&rollback(7_258_118_400_000)).contains("and 60s is the bound"));
    book.hear(&result(START + 2, 2, FIRST));
    assert_eq!(book.paid(bet), 2_100);
}

#[test]
fn a_message_may_be_as_far_ahead_as_the_bound_says_and_no_further() {
    let config = Config { ahead_bound: Nanos::from_secs(2), ..Config::new(TRADER) };
    let mut book = Book::opened(START, config);
    book.feed(1);
    book.hear(&three_way(START + 2_000, 1));
    assert!(book.refuses(&stop(START + 2_001, "all")).contains("2.001s ahead of now, and 2s is"));
    // A moment later it is no longer ahead.
    book.wait_until(START + 1);
    assert_eq!(book.hear(&stop(START + 2_001, "all")), ["Suspend"]);
}

#[test]
fn a_market_that_cannot_be_keeps_no_other_from_being_paid() {
    let mut config = Config { undefined: Undefined::Define, ..Config::new(TRADER) };
    config.winners.insert(MarketId(10), 2);
    let mut book = Book::opened(START, config);
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    let id = book.named(1, "");
    let bet = book.bet(id, 0).unwrap();
    let message = told(
        "bet_settlement",
        START + 2,
        r#"certainty="2""#,
        r#"<outcomes><market id="1"><outcome id="1" result="1"/><outcome id="2" result="0"/><outcome id="3" result="0"/></market>
        <market id="99"><outcome id="1" result="1"/></market>
        <market id="10"><outcome id="9" result="1"/><outcome id="10" result="1"/></market></outcomes>"#,
    );
    assert_eq!(book.hear(&message), ["MarketResult"]);
    assert_eq!(book.paid(bet), 2_100);
    // One outcome makes no market, and two winners of two outcomes make none.
    let skipped = book.translator.skipped();
    assert_eq!((skipped.unfit, skipped.undefined), (2, 0));
}

#[test]
fn producers_that_fell_silent_together_are_whole_only_together() {
    let mut book = Book::open();
    let feed = book.feed(1);
    book.translator.feed(Producer(3), feed);
    book.hear(&complete(3, START));
    book.hear(&complete(1, START));
    book.hear(&three_way(START + 1, 1));
    let id = book.named(1, "");
    assert!(book.bet(id, 0).is_ok());
    // Nothing for half a minute (the bound is 20 s), then both send again; 3 has recovered, 1 not yet.
    book.wait_until(START + 30_000);
    book.hear(&alive(1, START + 30_000, 1));
    book.hear(&alive(3, START + 30_000, 1));
    assert_eq!(book.bet(id, 0), Err(Reject::FeedDown));
    book.recovering(1, 1);
    book.recovering(3, 1);
    book.hear(&complete(3, START + 30_001));
    assert_eq!(book.bet(id, 0), Err(Reject::FeedDown), "producer 1 has not recovered");
    assert_eq!(book.hear(&complete(1, START + 30_002)), ["FeedRecovered"]);
}

#[test]
fn a_known_market_gets_prices_of_a_message_that_names_no_producer() {
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    let nobody = message(&format!(
        r#"<odds_change event_id="sr:match:7" timestamp="{}"><odds><market id="1"><outcome id="1" odds="99"/></market></odds></odds_change>"#,
        START + 2
    ));
    assert_eq!(book.hear(&nobody), ["SetPrices"]);
    let market = book.market(book.named(1, ""));
    assert_eq!(market.selections[0].price.price(), Some(price!(99)));
}

#[test]
fn a_bet_stop_opens_nothing_even_if_it_says_active() {
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    book.hear(&three_way(START + 2, -1));
    let id = book.named(1, "");
    assert_eq!(book.bet(id, 0), Err(Reject::MarketSuspended));
    let odd = told("bet_stop", START + 2, r#"groups="all" market_status="1""#, "");
    assert_eq!(book.hear(&odd), ["Suspend"]);
    assert_eq!(book.bet(id, 0), Err(Reject::MarketSuspended));
}

#[test]
fn a_bet_stop_opens_nothing_that_was_adopted() {
    let (mut book, id, _) = with_bets();
    // The feed's suspension by another tool, the translator does not know of it.
    let (head, valid_until) = book.ask();
    let body = Suspend {
        valid_until,
        level: Level::Market as u8,
        owner: Owner::Feed as u8,
        id: id.raw(),
        ..Suspend::default()
    };
    book.done(&[build::plain(head, &body)]);
    let odd = told("bet_stop", START + 5_000, r#"groups="all" market_status="1""#, "");
    book.hear(&odd);
    assert_eq!(book.bet(id, 0), Err(Reject::MarketSuspended));
}

#[test]
fn three_messages_of_one_millisecond_end_as_the_last_says() {
    let mut book = Book::open();
    book.feed(1);
    book.hear(&three_way(START + 1, 1));
    let id = book.named(1, "");
    for (ms, status, refused) in
        [(START + 2, -1, Reject::MarketSuspended), (START + 4, -4, Reject::MarketClosed)]
    {
        for status in [status, 1, status] {
            book.hear(&three_way(ms, status));
        }
        assert_eq!(book.bet(id, 0), Err(refused));
        for status in [1, status, 1] {
            book.hear(&three_way(ms + 1, status));
        }
        book.bet(id, 0).unwrap();
    }
}

#[test]
fn a_market_that_opens_again_in_the_millisecond_of_its_result_is_open() {
    let mut book = Book::open();
    book.feed(1);
    for message in [
        three_way(START + 1, 1),
        result(START + 1, 2, FIRST),
        rollback(START + 1),
        three_way(START + 1, 1),
    ] {
        book.hear(&message);
    }
    book.bet(book.named(1, ""), 0).unwrap();
}

#[test]
fn a_refused_suspension_is_asked_for_again_by_the_next_message() {
    for (first, next, reject) in [
        (stop(START + 2, "all"), stop(START + 3, "all"), Reject::MarketSuspended),
        (stop(START + 2, "all"), three_way(START + 3, -1), Reject::MarketSuspended),
        (three_way(START + 2, -4), three_way(START + 3, -4), Reject::MarketClosed),
        (three_way(START + 2, -4), stop(START + 3, "all"), Reject::MarketClosed),
    ] {
        let mut book = Book::open();
        book.feed(1);
        book.hear(&three_way(START + 1, 1));
        let id = book.named(1, "");
        // The commands of the first are lost, or come too late.
        let mut lost = Vec::new();
        let progress = book.translator.translate(&first, book.now, &mut lost);
        assert_eq!((progress, lost.len()), (Ok(Progress::Done), 1));
        book.bet(id, 0).unwrap();
        book.hear(&next);
        assert_eq!(book.bet(id, 0), Err(reject), "{next:?}");
    }
}
