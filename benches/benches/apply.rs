//! How long does the decision take, of a single bet with all gates and of a change of prices, at
//! 10,000 accounts, 100 markets and 100,000 live keys? Without rings, threads and journal.
//!
//! `place` includes reading the command's bytes, the look-up of its key, every gate, the ledger's
//! transfers and the events; forgetting old keys (Steps) is measured apart, as `forget 64 keys`.

#[path = "shared/decide.rs"]
mod decide;

use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::{self, Capacities, Limits, PriceEntry, PricePolicy, build};
use betring_core::event::Events;
use betring_core::id::{
    AccountId, ActorId, Epoch, FeedId, MarketId, RequestKey, SelectionIndex, Token,
};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Header, Minor, Slot, WirePrice};
use betring_core::{HouseRules, LOGIC_VERSION, State};
use betring_pricing::{Currency, Price, RoundingMode};
use criterion::{Criterion, criterion_group, criterion_main};
use decide::decide;
use std::hint::black_box;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

const ACCOUNTS: u64 = 10_000;
const MARKETS: usize = 100;
const SELECTIONS: u16 = 3;
/// Keys that are live while the bench runs: one bet a 10 us of journal time, each kept for a second.
const KEYS: u64 = 100_000;
const EVERY: i64 = 10_000;
const WINDOW: Nanos = Nanos(500_000_000);
/// The feed's pulse.
const BEAT: Nanos = Nanos::from_millis(10);
/// Bets between two copies of the warm book: it must not fill up.
const ROUND: u64 = 200_000;
/// Measured together: what reading the clock costs does not count then.
const AT_A_TIME: u64 = 250;

struct Book {
    state: State<HouseRules>,
    events: Events,
    at: Timestamp,
    accounts: Vec<AccountId>,
    markets: Vec<MarketId>,
    feed: FeedId,
    feed_seq: u64,
    beat_at: Timestamp,
    requests: u64,
    dice: u64,
}

impl Clone for Book {
    fn clone(&self) -> Book {
        Book {
            state: self.state.clone(),
            events: Events::new(),
            accounts: self.accounts.clone(),
            markets: self.markets.clone(),
            ..*self
        }
    }
}

impl Book {
    /// A book in the middle of its day.
    fn warm() -> Book {
        let mut book = Book {
            state: State::new(HouseRules),
            events: Events::new(),
            at: Timestamp(1_760_000_000_000_000_000),
            accounts: Vec::new(),
            markets: Vec::new(),
            feed: FeedId::MANUAL,
            feed_seq: 0,
            beat_at: Timestamp::MIN,
            requests: 0,
            dice: 1,
        };
        book.begin();
        let actor = book.actor();
        book.define(actor);
        for reference in 1..=ACCOUNTS {
            let body = command::OpenAccount {
                valid_until: book.limit(),
                reference,
                currency: Currency::GBP.numeric(),
                ..Default::default()
            };
            let key = book.key();
            let account = book.sequence(&[wire::slot(Header { key, ..Header::default() }, &body)]);
            let account = AccountId::from_raw(account);
            let amount = Minor(10_000_000_000);
            let body = command::Deposit { valid_until: book.limit(), amount, ..Default::default() };
            let key = book.key();
            book.sequence(&[wire::slot(Header::customer(account, key), &body)]);
            book.accounts.push(account);
        }
        for _ in 0..KEYS {
            let slot = book.bet();
            book.sequence(&[slot]);
            book.beat();
            book.work();
        }
        book
    }

    fn begin(&mut self) {
        let genesis = command::Genesis {
            window: WINDOW,
            secret: [7; 16],
            age_bound: Nanos::from_millis(1_500),
            offer_ttl: Nanos::from_secs(2),
            price_failure: command::PriceFailure::Refuse as u8,
            rounding: command::rounding_code(RoundingMode::Down),
            step_budget: 64,
            limits: Limits {
                min_stake: Minor(1),
                max_stake: Minor(1_000_000_000),
                max_payout: Minor(100_000_000_000),
                max_liability: Minor(10_000_000_000_000_000),
                ..Limits::UNLIMITED
            },
            ..Default::default()
        };
        self.sequence(&wire::slots(Header::default(), &genesis, &[]));
        self.open();
    }

    /// A run begins: every table has its room, touched, as in an engine that was just started.
    fn open(&mut self) {
        let most = u32::try_from(KEYS + 2 * ROUND).expect("a small number") * 2;
        let capacities = Capacities {
            accounts: 16_384,
            markets: 128,
            selections: 512,
            bets: most,
            keys: most,
            feeds: 4,
            fixtures: 4,
            actors: 4,
            currencies: 1,
            quarantined: 1,
            legs: most,
            groups: 1,
            limited: 1,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        };
        let opened = command::EpochOpened {
            epoch: Epoch(self.state.epoch().0 + 1),
            logic_version: LOGIC_VERSION,
            rules_id: <HouseRules as betring_core::Rules>::ID,
            rules_version: <HouseRules as betring_core::Rules>::VERSION,
            capacities,
            ..Default::default()
        };
        self.sequence(&wire::slots(Header::default(), &opened, &[]));
    }

    /// A copy of the warm book, started again: a copied table has no room to grow, a started one has.
    fn started(&self) -> Book {
        let mut book = self.clone();
        book.open();
        book.recover();
        for _ in 0..AT_A_TIME {
            let slot = book.bet();
            book.sequence(&[slot]);
        }
        book.work();
        book
    }

    /// The feed says everything again.
    fn recover(&mut self) {
        for market in 0..self.markets.len() {
            let prices = self.prices(market);
            self.sequence(&prices);
        }
        self.feed_seq += 1;
        let (feed, feed_seq) = (self.feed, self.feed_seq);
        let body = command::FeedRecovered { feed, feed_seq, ..Default::default() };
        let header = self.heard();
        self.sequence(&[wire::slot(header, &body)]);
    }

    fn actor(&mut self) -> ActorId {
        let body = command::RegisterActor { valid_until: self.limit(), ..Default::default() };
        let key = self.key();
        let header = Header { key, ..Header::default() };
        let slots = build::register_actor(header, body, "bench").expect("a good name");
        ActorId(self.sequence(&slots))
    }

    fn define(&mut self, actor: ActorId) {
        let body = command::DefineFeed {
            valid_until: self.limit(),
            silence_bound: Nanos::from_secs(60),
            ..Default::default()
        };
        let slots = build::define_feed(Header::control(actor, self.key()), body, "feed");
        let feed = self.sequence(&slots.expect("a good name"));
        self.feed = FeedId(u16::try_from(feed).expect("the first feed"));
        for market in 0..MARKETS {
            let body = command::DefineMarket {
                valid_until: self.limit(),
                feed: self.feed,
                winners: 1,
                kind: command::MarketKind::Fixed as u8,
                ..Default::default()
            };
            let header = Header::control(actor, self.key());
            let names = ["home", "draw", "away"];
            let slots = build::define_market(header, body, &format!("M{market}"), &names);
            let market = MarketId::from_raw(self.sequence(&slots.expect("good names")));
            self.markets.push(market);
            let body =
                command::OpenMarket { valid_until: self.limit(), market, ..Default::default() };
            let header = Header::control(actor, self.key());
            self.sequence(&[wire::slot(header, &body)]);
        }
        self.recover();
    }

    fn key(&mut self) -> RequestKey {
        self.requests += 1;
        RequestKey(u128::from(self.requests))
    }

    fn limit(&self) -> Timestamp {
        self.at.plus(WINDOW)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(self.dice) * u128::from(bound)) >> 64) as u64
    }

    /// A bet of anybody on anything.
    fn bet(&mut self) -> Slot {
        self.at = self.at.plus(Nanos(EVERY));
        let (account, market) = (self.below(ACCOUNTS), self.below(MARKETS as u64));
        let body = command::Place {
            valid_until: self.limit(),
            token: Token(self.requests),
            market: self.markets[market as usize],
            stake: Minor(100 + self.below(1_000) as i64),
            price: WirePrice::decimal(Price::from_e4(15_000).expect("a price")),
            selection: SelectionIndex(self.below(u64::from(SELECTIONS)) as u16),
            policy: PricePolicy::Better as u8,
            ..Default::default()
        };
        let key = self.key();
        wire::slot(Header::customer(self.accounts[account as usize], key), &body)
    }

    fn prices(&mut self, market: usize) -> Vec<Slot> {
        self.feed_seq += 1;
        let body = command::SetPrices {
            feed: self.feed,
            market: self.markets[market],
            feed_seq: self.feed_seq,
            ..Default::default()
        };
        let price = 20_000 + 100 * u32::try_from(self.feed_seq % 50).expect("below 50");
        let entry = |selection| {
            let price = Price::from_e4(price + u32::from(selection) * 1_000).expect("a price");
            PriceEntry::new(SelectionIndex(selection), WirePrice::decimal(price))
        };
        let entries: Vec<PriceEntry> = (0..SELECTIONS).map(entry).collect();
        build::set_prices(self.heard(), body, &entries).expect("three prices")
    }

    /// A header of the feed's, received now.
    fn heard(&self) -> Header {
        Header { account: 1, received: self.at, ..Header::default() }
    }

    /// The feed is alive.
    fn beat(&mut self) {
        if self.at.since(self.beat_at) < BEAT {
            return;
        }
        self.beat_at = self.at;
        self.feed_seq += 1;
        let (feed, feed_seq) = (self.feed, self.feed_seq);
        let body = command::FeedHeartbeat { feed, feed_seq, ..Default::default() };
        let header = self.heard();
        self.sequence(&[wire::slot(header, &body)]);
    }

    /// Forgets keys that are over, until nothing is left to do.
    fn work(&mut self) {
        while self.state.has_work() {
            let step = command::Step { budget: 64, ..Default::default() };
            self.sequence(&[wire::slot(Header::default(), &step)]);
        }
    }

    /// Sequences one command; the handle that it made.
    fn sequence(&mut self, slots: &[Slot]) -> u64 {
        let reply = self.decide(slots.as_bytes());
        let kind = reply.answer.kind();
        let good = matches!(kind, AnswerKind::Done | AnswerKind::Accepted);
        assert!(good, "the bench's own commands are good: {reply}");
        reply.answer.id
    }

    #[inline]
    fn decide(&mut self, bytes: &[u8]) -> Reply {
        let before = self.state.seq();
        let reply = decide(&mut self.state, &mut self.events, self.at, bytes);
        assert!(before < self.state.seq(), "the bench asks nothing twice: {reply}");
        reply
    }
}

fn apply(c: &mut Criterion) {
    let warm = Book::warm();
    let digest = warm.state.digest();
    println!("apply: {} keys live, state digest {digest}", warm.state.keys_kept());

    c.bench_function("apply/place", |b| {
        b.iter_custom(|iters| {
            timed(&warm, iters, |book, count| {
                let slots: Vec<Slot> = (0..count).map(|_| book.bet()).collect();
                let start = Instant::now();
                for slot in &slots {
                    let reply = book.decide(black_box(slot.as_bytes()));
                    assert!(reply.answer.kind() == AnswerKind::Accepted, "{reply}");
                }
                let took = start.elapsed();
                book.beat();
                book.work();
                took
            })
        });
    });
    c.bench_function("apply/set 3 prices", |b| {
        b.iter_custom(|iters| {
            timed(&warm, iters, |book, count| {
                let any = |book: &mut Book| {
                    let market = book.below(MARKETS as u64) as usize;
                    book.prices(market)
                };
                let updates: Vec<Vec<Slot>> = (0..count).map(|_| any(book)).collect();
                let start = Instant::now();
                for slots in &updates {
                    black_box(book.decide(black_box(slots.as_bytes())));
                }
                start.elapsed()
            })
        });
    });
    c.bench_function("apply/forget 64 keys", |b| {
        b.iter_custom(|iters| {
            timed(&warm, iters, |book, count| {
                let mut took = Duration::ZERO;
                let body = command::Step { budget: 64, ..Default::default() };
                let step = wire::slot(Header::default(), &body);
                for _ in 0..count {
                    for _ in 0..64 {
                        let slot = book.bet();
                        book.sequence(&[slot]);
                    }
                    book.beat();
                    let start = Instant::now();
                    black_box(book.decide(black_box(step.as_bytes())));
                    took += start.elapsed();
                }
                took
            })
        });
    });

    // A claim about speed is one about correct decisions: two runs agree, and the whole state holds.
    let run = |mut book: Book| {
        for _ in 0..1_000 {
            let slot = book.bet();
            book.sequence(&[slot]);
            book.beat();
            book.work();
        }
        assert_eq!(book.state.check(), Ok(()));
        book.state.digest()
    };
    let (one, two) = (run(warm.clone()), run(warm.clone()));
    assert!(one == two && one != digest, "two runs decide the same");
    println!("apply: state digest after 1,000 more bets {one}");
}

/// The sum of what `each` measured for so many of its kind at a time; begins again with a copy of the
/// warm book before it could fill up.
fn timed(warm: &Book, iters: u64, mut each: impl FnMut(&mut Book, u64) -> Duration) -> Duration {
    let (mut took, mut left) = (Duration::ZERO, iters);
    while 0 < left {
        let mut book = warm.started();
        let mut round = left.min(ROUND / 64);
        left -= round;
        while 0 < round {
            let count = round.min(AT_A_TIME);
            took += each(&mut book, count);
            round -= count;
        }
    }
    took
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = apply
}
criterion_main!(benches);
