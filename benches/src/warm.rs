//! A state in the middle of its day: accounts with money, markets with prices, bets that are open, keys that are live. In
//! memory only, without rings, threads and journal, so that what a decision takes can be measured by itself.

use crate::decide::decide;
use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::{self, Capacities, Limits, PriceEntry, PricePolicy, build};
use betring_core::event::Events;
use betring_core::id::{
    AccountId, ActorId, Epoch, FeedId, MarketId, RequestKey, SelectionIndex, Token,
};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Header, Minor, Slot, WirePrice};
use betring_core::{Digest, HouseRules, LOGIC_VERSION, State};
use betring_pricing::{Currency, Price, RoundingMode};
use zerocopy::IntoBytes;

const SELECTIONS: u16 = 3;
/// Journal time between two requests.
const EVERY: i64 = 10_000;
const WINDOW: Nanos = Nanos(500_000_000);
/// The feed's pulse.
const BEAT: Nanos = Nanos::from_millis(10);
/// A key is kept for a window after its time limit, which is a window ahead, and a little longer until a Step comes by.
const KEYS: u64 = 2 * WINDOW.0 as u64 / EVERY as u64;
/// Decided together between two looks at what else there is to do: what reading the clock costs does not count then.
pub const AT_A_TIME: u64 = 250;

/// The first record of a journal that is measured: what every bench has the same.
pub(crate) fn genesis(window: Nanos, limits: Limits) -> command::Genesis {
    command::Genesis {
        window,
        secret: [7; 16],
        age_bound: Nanos::from_millis(1_500),
        offer_ttl: Nanos::from_secs(2),
        price_failure: command::PriceFailure::Refuse as u8,
        rounding: command::rounding_code(RoundingMode::Down),
        step_budget: 64,
        limits,
        ..Default::default()
    }
}

/// Limits that no bet of a bench meets.
pub(crate) const WIDE: Limits = Limits {
    min_stake: Minor(1),
    max_stake: Minor(1_000_000_000),
    max_payout: Minor(100_000_000_000),
    max_liability: Minor(10_000_000_000_000_000),
    ..Limits::UNLIMITED
};

/// How large a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Accounts, each with money.
    pub accounts: u32,
    /// Open markets of three selections, each with prices.
    pub markets: u32,
    /// Bets that are open on them.
    pub open_bets: u32,
}

/// A state, and whoever asks it.
pub struct Book {
    size: Size,
    /// Room for so many more bets.
    more: u32,
    state: State<HouseRules>,
    events: Events,
    at: Timestamp,
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
            markets: self.markets.clone(),
            ..*self
        }
    }
}

impl Book {
    /// A book in the middle of its day, with room for so many more bets.
    ///
    /// `told` is called now and then with how many of its accounts, markets and bets are there.
    ///
    /// # Panics
    /// If the size has no accounts or no markets: then there is nobody to bet, or nothing to bet on.
    pub fn warm(size: Size, more: u32, told: &mut dyn FnMut(u64)) -> Book {
        assert!(size.accounts != 0 && size.markets != 0, "somebody bets on something");
        let mut book = Book {
            state: State::new(HouseRules),
            events: Events::new(),
            at: Timestamp(1_760_000_000_000_000_000),
            size,
            more,
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
        for reference in 1..=u64::from(size.accounts) {
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
            book.beat();
            if reference.is_multiple_of(AT_A_TIME) {
                book.work();
                told(u64::from(size.markets) + reference);
            }
        }
        let before = u64::from(size.markets) + u64::from(size.accounts);
        for number in 0..u64::from(size.open_bets) {
            let slot = book.bet();
            book.sequence(&[slot]);
            book.beat();
            if number.is_multiple_of(AT_A_TIME) {
                book.work();
                told(before + number);
            }
        }
        // As many keys are live whatever the size: requests that are refused have keys, too.
        for number in 0..KEYS.saturating_sub(size.open_bets.into()) {
            let slot = book.request(1_000_000);
            let reply = book.decide(slot.as_bytes());
            assert_eq!(reply.answer.kind(), AnswerKind::Refused, "nobody offers such odds");
            book.beat();
            if number.is_multiple_of(AT_A_TIME) {
                book.work();
            }
        }
        book.work();
        book
    }

    /// The state.
    pub fn state(&self) -> &State<HouseRules> {
        &self.state
    }

    /// How large it was made.
    pub fn size(&self) -> Size {
        self.size
    }

    /// A digest of everything, once the whole state is found to hold.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn checked(&self) -> Result<Digest, String> {
        self.state.check().map(|()| self.state.digest())
    }

    fn begin(&mut self) {
        let genesis = genesis(WINDOW, WIDE);
        self.sequence(&wire::slots(Header::default(), &genesis, &[]));
        self.open();
    }

    /// A run begins: every table has its room, touched, as in an engine that was just started.
    fn open(&mut self) {
        let capacities = self.capacities();
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

    /// What it may keep.
    pub fn capacities(&self) -> Capacities {
        let Size { accounts, markets, open_bets } = self.size;
        let most = open_bets + 2 * self.more + KEYS as u32;
        Capacities {
            accounts,
            markets,
            selections: markets * u32::from(SELECTIONS).next_power_of_two(),
            bets: most,
            // A batch of new keys may come before a Step forgets as many; a sixteenth is kept from customers.
            keys: 2 * KEYS as u32,
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
        }
    }

    /// A copy of the warm book, started again: a copied table has no room to grow, a started one has.
    pub fn started(&self) -> Book {
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
        for market in 0..self.size.markets {
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
            if u64::from(market.index()).is_multiple_of(AT_A_TIME) {
                self.work();
            }
        }
        self.recover();
    }

    /// The next key; some time has passed since the last, so that not more than [`KEYS`] are live.
    fn key(&mut self) -> RequestKey {
        self.at = self.at.plus(Nanos(EVERY));
        self.requests += 1;
        RequestKey(u128::from(self.requests))
    }

    fn limit(&self) -> Timestamp {
        self.at.plus(WINDOW)
    }

    /// A random number below this one.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(self.dice) * u128::from(bound)) >> 64) as u64
    }

    /// A bet of anybody on anything, that is taken.
    pub fn bet(&mut self) -> Slot {
        self.request(15_000)
    }

    /// A bet of anybody on anything, at such odds or better, in ten-thousandths.
    fn request(&mut self, least_e4: u32) -> Slot {
        let (account, market) =
            (self.below(self.size.accounts.into()), self.below(self.size.markets.into()));
        let body = command::Place {
            valid_until: self.limit(),
            token: Token(self.requests),
            market: self.markets[market as usize],
            stake: Minor(100 + self.below(1_000) as i64),
            price: WirePrice::decimal(Price::from_e4(least_e4).expect("a price")),
            selection: SelectionIndex(self.below(u64::from(SELECTIONS)) as u16),
            policy: PricePolicy::Better as u8,
            ..Default::default()
        };
        let key = self.key();
        let account = AccountId::new(account as u32, 1);
        wire::slot(Header::customer(account, key), &body)
    }

    /// New prices of all selections of a market.
    pub fn prices(&mut self, market: usize) -> Vec<Slot> {
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
    pub fn beat(&mut self) {
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
    pub fn work(&mut self) {
        while self.state.has_work() {
            let step = command::Step { budget: 64, ..Default::default() };
            self.sequence(&[wire::slot(Header::default(), &step)]);
        }
    }

    /// Sequences one command; the handle that it made.
    ///
    /// # Panics
    /// If it is refused: whoever measures asks for what can be had.
    pub fn sequence(&mut self, slots: &[Slot]) -> u64 {
        let reply = self.decide(slots.as_bytes());
        let kind = reply.answer.kind();
        let good = matches!(kind, AnswerKind::Done | AnswerKind::Accepted);
        assert!(good, "the bench's own commands are good: {reply}");
        reply.answer.id
    }

    /// Decides one command that was not asked before.
    ///
    /// # Panics
    /// If it was.
    #[inline]
    pub fn decide(&mut self, bytes: &[u8]) -> Reply {
        let before = self.state.seq();
        let reply = decide(&mut self.state, &mut self.events, self.at, bytes);
        assert!(before < self.state.seq(), "the bench asks nothing twice: {reply}");
        reply
    }
}
