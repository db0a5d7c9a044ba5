//! The race itself: the engine with its threads, customers and a trader who ask it at once, and what they write
//! down about it.

use super::{Crash, History, Line, Operation, Race, Record, Said};
use crate::auditor::{OwnRules, Ring};
use crate::sim::house::split;
use crate::workload::Rng;
use crate::world::Disk;
use betring::{
    Client, Config, Control, Engine, Error, Intake, Layout, Level, NotTaken, Status, Ticket,
    WaitStrategy, Watch,
};
use betring_core::Rules;
use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::{Level as Layer, *};
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Body, Header, Minor, Slot, WirePrice};
use betring_journal::{Journal, Options, ReadLevel, Reader};
use betring_pricing::Price;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

/// How long anybody waits for an answer before the race is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Slots of each ring: the fewest there can be, so that a burst fills it.
const RING_SLOTS: usize = 256;
const SEATS: u16 = 16;
const CREDIT_MAX: usize = 256;
/// Requests that anybody may ask again: the youngest.
const RECENT_MAX: usize = 24;
/// Crashes of a race, at most: each is a copy of the disk.
const CRASHES_MAX: usize = 3;
const SEGMENT: u64 = 1 << 20;
const MARKETS: usize = 3;
const SELECTIONS: usize = 3;
const ACCOUNTS: u64 = 4;
const GBP: u16 = 826;
const FEED: FeedId = FeedId(1);
/// Keys of the first customer begin here, those of the second at twice this; those of the trader count from 1.
const KEYS_EACH: u64 = 1_000_000;

/// A market as customers see it.
#[derive(Default)]
struct Seen {
    id: AtomicU64,
    prices: [AtomicU32; SELECTIONS],
}

/// What everybody in a race shares.
struct Floor<'a> {
    engine: &'a Engine,
    watch: Watch,
    began: Instant,
    window: Nanos,
    accounts: Vec<AccountId>,
    markets: [Seen; MARKETS],
    /// What was asked lately, by anybody: to be asked again from another connection.
    recent: Mutex<VecDeque<Slot>>,
    offers: Mutex<VecDeque<(AccountId, BetId)>>,
    /// How often everybody has bet at once: what fills a ring.
    rushes: AtomicU64,
    lines: Mutex<Vec<Line>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Floor<'_> {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn sit_down(&self, line: Line) -> usize {
        let mut lines = lock(&self.lines);
        lines.push(line);
        lines.len() - 1
    }

    /// Whether it is worth waiting any longer.
    fn goes_on(&self, until: Instant, for_what: &str) -> Result<(), String> {
        if let Status::Poisoned { why } = self.watch.status() {
            return Err(format!("the engine stopped: {why}"));
        }
        if until < Instant::now() {
            return Err(format!("{for_what} did not come within {PATIENCE:?}"));
        }
        Ok(())
    }
}

/// One thread's record of what it asked.
struct Log<'a> {
    floor: &'a Floor<'a>,
    line: usize,
    operations: Vec<Operation>,
    /// Attempts that were taken and have no reply yet, in their order.
    waiting: VecDeque<usize>,
}

impl<'a> Log<'a> {
    fn new(floor: &'a Floor<'a>) -> Log<'a> {
        Log { floor, line: 0, operations: Vec::new(), waiting: VecDeque::new() }
    }

    fn taken(&mut self, bytes: &[u8], (called, asked_at): (u64, Timestamp), token: Token) {
        self.waiting.push_back(self.operations.len());
        let (line, said) = (self.line, Said::Nothing { token });
        self.operations.push(Operation { line, bytes: bytes.to_vec(), called, asked_at, said });
    }

    fn not_taken(
        &mut self,
        bytes: &[u8],
        (called, asked_at): (u64, Timestamp),
        returned: u64,
        why: NotTaken,
    ) -> Result<(), String> {
        if let NotTaken::Poisoned | NotTaken::Closed = why {
            return Err(format!("the engine takes no more: {why}"));
        }
        let (line, said) = (self.line, Said::NotTaken { returned, why });
        self.operations.push(Operation { line, bytes: bytes.to_vec(), called, asked_at, said });
        Ok(())
    }

    /// Replies were handed out: what was true right after.
    fn replied(
        &mut self,
        replies: &[Reply],
        told_at: impl Fn() -> Timestamp,
    ) -> Result<(), String> {
        let (durable, process) = (self.floor.watch.durable(), self.floor.watch.process());
        let (returned, told_at) = (self.floor.elapsed(), told_at());
        for reply in replies {
            let Some(at) = self.waiting.pop_front() else {
                return Err(format!("a reply to nothing: {reply:?} to {}", reply.token));
            };
            let operation = &mut self.operations[at];
            if let Said::Nothing { token } = operation.said {
                let reply = *reply;
                operation.said =
                    Said::Replied { token, returned, told_at, reply, durable, process };
            }
        }
        Ok(())
    }
}

// ---- customers ----

struct Customer<'a> {
    floor: &'a Floor<'a>,
    number: usize,
    client: Client,
    log: Log<'a>,
    rng: Rng,
    keys: u64,
    /// Rushes that it has joined.
    rushes: u64,
}

impl<'a> Customer<'a> {
    fn new(floor: &'a Floor<'a>, number: usize, seed: u64) -> Result<Customer<'a>, String> {
        let mut rng = Rng::new(seed ^ (number as u64 + 1) << 32);
        let mut log = Log::new(floor);
        let client = Self::connect(floor, number, &mut rng, &mut log)?;
        Ok(Customer { floor, number, client, log, rng, keys: 0, rushes: 0 })
    }

    fn connect(
        floor: &Floor<'_>,
        number: usize,
        rng: &mut Rng,
        log: &mut Log<'_>,
    ) -> Result<Client, String> {
        let level = match number % 3 {
            2 => Level::ProcessCrashOnly,
            _ => Level::Durable,
        };
        let credit = rng.pick(&[8, 128, CREDIT_MAX, CREDIT_MAX]);
        let until = Instant::now() + PATIENCE;
        let client = loop {
            match floor.engine.client_at(credit, level) {
                Ok(client) => break client,
                // Seats that were left have to be answered first.
                Err(Error::NoSeat { .. }) => floor.goes_on(until, "a seat")?,
                Err(e) => return Err(format!("customer {number} has no connection: {e}")),
            }
            std::thread::yield_now();
        };
        let who = format!("customer {}", number + 1);
        log.line =
            floor.sit_down(Line { who, ring: Ring::Bets, client: client.id(), level, credit });
        Ok(client)
    }

    fn play(mut self, attempts: usize) -> Result<Vec<Operation>, String> {
        while self.log.operations.len() < attempts {
            let asks = self.next();
            self.send(&asks)?;
            match self.rng.below(10) {
                0..=3 => self.settle()?,
                4..=7 => {
                    self.poll()?;
                }
                _ => (),
            }
            if self.rng.permille(8) {
                self.hang_up()?;
            }
        }
        if self.rng.permille(700) {
            self.settle()?;
        }
        Ok(self.log.operations)
    }

    fn send(&mut self, asks: &[Slot]) -> Result<(), String> {
        {
            // Known to the others before it is sent: theirs may come first.
            let mut recent = lock(&self.floor.recent);
            recent.extend(asks.iter().take(4).copied());
            while RECENT_MAX < recent.len() {
                recent.pop_front();
            }
        }
        let asked_at = self.client.now();
        let called = (self.floor.elapsed(), asked_at);
        let done = self.client.submit_batch(asks);
        let returned = self.floor.elapsed();
        for (n, ask) in asks.iter().enumerate() {
            if n < done.commands {
                self.log.taken(&ask.0, called, Token(done.first.0 + n as u64));
            } else if let (true, Some(why)) = (n == done.commands, done.refused) {
                self.log.not_taken(&ask.0, called, returned, why)?;
            }
        }
        match done.refused {
            // Whoever is refused for want of room reads first.
            Some(NotTaken::TooManyInFlight { .. } | NotTaken::Overloaded(_)) => {
                if self.rng.permille(500) { self.poll().map(|_| ()) } else { self.settle() }
            }
            _ => Ok(()),
        }
    }

    fn poll(&mut self) -> Result<usize, String> {
        let mut replies = [Reply::default(); 16];
        let count = self.client.poll(&mut replies);
        let client = &self.client;
        self.log.replied(&replies[..count], || client.now())?;
        for reply in &replies[..count] {
            if reply.answer.kind() == AnswerKind::Offered {
                let mut offers = lock(&self.floor.offers);
                offers.push_back((
                    AccountId::from_raw(reply.account),
                    BetId::from_raw(reply.answer.id),
                ));
                while RECENT_MAX < offers.len() {
                    offers.pop_front();
                }
            }
        }
        Ok(count)
    }

    fn settle(&mut self) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        while !self.log.waiting.is_empty() {
            if self.poll()? == 0 {
                self.floor.goes_on(until, "an answer")?;
                std::thread::yield_now();
            }
        }
        Ok(())
    }

    /// The connection is gone, and with it the answers on their way.
    fn hang_up(&mut self) -> Result<(), String> {
        self.log.waiting.clear();
        self.client = Self::connect(self.floor, self.number, &mut self.rng, &mut self.log)?;
        Ok(())
    }

    // ---- what is asked ----

    fn next(&mut self) -> Vec<Slot> {
        if self.rng.permille(5) {
            self.floor.rushes.fetch_add(1, Ordering::Relaxed);
        }
        let rushes = self.floor.rushes.load(Ordering::Relaxed);
        if self.rushes != rushes {
            self.rushes = rushes;
            let bets = 64 + self.rng.below(190);
            return (0..bets).map(|_| self.fresh()).collect();
        }
        if self.rng.permille(300)
            && let Some(ask) = self.again()
        {
            return vec![ask];
        }
        if self.rng.permille(60) {
            // The question and its subject at once, in either order.
            let ask = self.fresh();
            let question = resolve(&ask);
            return if self.rng.permille(500) { vec![ask, question] } else { vec![question, ask] };
        }
        vec![self.fresh()]
    }

    /// What somebody asked lately: again, altered, or what became of it.
    fn again(&mut self) -> Option<Slot> {
        let mut ask = {
            let recent = lock(&self.floor.recent);
            let at = self.rng.below(recent.len() as u64) as usize;
            *recent.get(at)?
        };
        match self.rng.below(10) {
            0..=4 => ask.0[2] |= Header::RETRY as u8,
            5..=8 => ask = resolve(&ask),
            // The stake or the amount: the same key asks for something else.
            _ => ask.0[80] ^= 1,
        }
        Some(ask)
    }

    fn header(&mut self) -> Header {
        self.keys += 1;
        let key = RequestKey(u128::from((self.number as u64 + 1) * KEYS_EACH + self.keys));
        let stranger = self.rng.permille(5);
        let account =
            if stranger { AccountId::new(99, 1) } else { self.rng.pick(&self.floor.accounts) };
        Header::customer(account, key)
    }

    fn until(&mut self) -> Timestamp {
        let now = self.client.now();
        let window = self.floor.window.0;
        match self.rng.below(100) {
            0 => Timestamp(0),
            1 => now.plus(Nanos(window + 50_000_000)),
            2..=3 => Timestamp(now.0 - 1 - self.rng.below(1_000_000) as i64),
            // So short that it may be over before the loop gets to it.
            4..=14 => now.plus(Nanos(1 + self.rng.below(300_000) as i64)),
            _ => now.plus(Nanos(1 + self.rng.below(window as u64 / 2) as i64)),
        }
    }

    fn fresh(&mut self) -> Slot {
        let (header, valid_until) = (self.header(), self.until());
        match self.rng.below(100) {
            0..=11 => {
                let amount = Minor(1 + self.rng.below(9_000) as i64);
                wire::slot(header, &Deposit { valid_until, amount, ..Deposit::default() })
            }
            12..=21 => {
                let amount = Minor(1 + self.rng.below(3_000) as i64);
                wire::slot(header, &Withdraw { valid_until, amount, ..Withdraw::default() })
            }
            22..=30 => {
                let offer = {
                    let offers = lock(&self.floor.offers);
                    let at = self.rng.below(offers.len() as u64) as usize;
                    offers.get(at).copied()
                };
                let Some((owner, bet)) = offer else { return self.bet(header, valid_until) };
                let header = Header { account: owner.raw(), ..header };
                if self.rng.permille(700) {
                    wire::slot(header, &AcceptOffer { valid_until, bet, ..AcceptOffer::default() })
                } else {
                    wire::slot(
                        header,
                        &DeclineOffer { valid_until, bet, ..DeclineOffer::default() },
                    )
                }
            }
            31 => {
                // No command, or none for this ring.
                let amount = Minor(self.rng.pick(&[0, -1]));
                if self.rng.permille(500) {
                    wire::slot(header, &Deposit { valid_until, amount, ..Deposit::default() })
                } else {
                    wire::slot(header, &CloseMarket { valid_until, ..CloseMarket::default() })
                }
            }
            32 => {
                let body = OpenAccount {
                    valid_until,
                    reference: 1 + self.rng.below(ACCOUNTS + 4),
                    currency: GBP,
                    ..OpenAccount::default()
                };
                wire::slot(Header { account: 0, ..header }, &body)
            }
            _ => self.bet(header, valid_until),
        }
    }

    fn bet(&mut self, header: Header, valid_until: Timestamp) -> Slot {
        let seen = &self.floor.markets[self.rng.below(MARKETS as u64) as usize];
        let selection = self.rng.below(SELECTIONS as u64) as usize;
        let e4 = seen.prices[selection].load(Ordering::Relaxed);
        let asked = e4 + self.rng.pick(&[0, 0, 0, 500]);
        let price = Price::from_e4(asked).map_or(WirePrice::NONE, WirePrice::decimal);
        let policy = if price.is_none() {
            PricePolicy::Any
        } else {
            self.rng.pick(&[PricePolicy::Exact, PricePolicy::Better, PricePolicy::Any])
        };
        let body = Place {
            valid_until,
            market: MarketId::from_raw(seen.id.load(Ordering::Acquire)),
            selection: SelectionIndex(selection as u16),
            stake: Minor(50 + self.rng.below(900) as i64),
            price,
            policy: policy as u8,
            ..Place::default()
        };
        wire::slot(header, &body)
    }
}

/// The question what became of a request.
fn resolve(ask: &Slot) -> Slot {
    let header = ask.header();
    let valid_until = ask.0[64..72].try_into().map_or(0, i64::from_le_bytes);
    let header = Header { account: header.account, key: header.key, ..Header::default() };
    let valid_until = Timestamp(valid_until);
    wire::slot(header, &Resolve { valid_until, ..Resolve::default() })
}

// ---- the trader, and the feed ----

struct Trader<'a> {
    floor: &'a Floor<'a>,
    control: &'a mut Control,
    log: Log<'a>,
    tickets: VecDeque<Ticket>,
    rng: Rng,
    desk: Desk,
}

/// What makes a trader's commands.
struct Desk {
    actor: ActorId,
    keys: u64,
    names: u64,
    /// The number of the feed's last message.
    message: u64,
}

impl Desk {
    fn header(&mut self) -> Header {
        self.keys += 1;
        Header::control(self.actor, RequestKey(u128::from(self.keys)))
    }

    fn define_feed(&mut self, valid_until: Timestamp) -> Vec<Slot> {
        let silence_bound = Nanos::from_secs(1);
        let body = DefineFeed { valid_until, silence_bound, ..DefineFeed::default() };
        build::define_feed(self.header(), body, "feed").unwrap_or_default()
    }

    fn define_market(&mut self, at: usize, valid_until: Timestamp) -> Vec<Slot> {
        self.names += 1;
        let name = format!("market {}", self.names);
        // The last one is the feed's, and its prices age quickly.
        let by_feed = at + 1 == MARKETS;
        let feed = if by_feed { FEED } else { FeedId::MANUAL };
        let age_bound = Nanos::from_millis(if by_feed { 2 } else { 0 });
        let body = DefineMarket {
            valid_until,
            feed,
            winners: 1,
            age_bound,
            kind: MarketKind::Fixed as u8,
            ..DefineMarket::default()
        };
        build::define_market(self.header(), body, &name, &["1", "X", "2"]).unwrap_or_default()
    }

    fn one<B: Body>(&mut self, body: &B) -> Vec<Slot> {
        wire::slots(self.header(), body, &[])
    }

    /// Of the feed, without a key.
    fn says<B: Body>(&mut self, body: impl FnOnce(u64) -> B) -> Vec<Slot> {
        self.message += 1;
        let header = Header::control(self.actor, RequestKey::NONE);
        vec![wire::slot(header, &body(self.message))]
    }

    fn prices(
        &mut self,
        at: usize,
        market: MarketId,
        prices: [Price; SELECTIONS],
        valid_until: Timestamp,
    ) -> Vec<Slot> {
        let entries: Vec<PriceEntry> = (0..)
            .zip(prices)
            .map(|(n, price)| PriceEntry::new(SelectionIndex(n), WirePrice::decimal(price)))
            .collect();
        let body = SetPrices { market, ..SetPrices::default() };
        let (header, body) = if at + 1 == MARKETS {
            self.message += 1;
            let header = Header::control(self.actor, RequestKey::NONE);
            (header, SetPrices { feed: FEED, feed_seq: self.message, ..body })
        } else {
            (self.header(), SetPrices { valid_until, ..body })
        };
        build::set_prices(header, body, &entries).unwrap_or_default()
    }
}

fn prices_of(rng: &mut Rng) -> [Price; SELECTIONS] {
    std::array::from_fn(|_| {
        let e4 = 11_000 + 500 * rng.below(60) as u32;
        Price::from_e4(e4).unwrap_or(Price::MIN)
    })
}

impl Trader<'_> {
    fn until(&mut self) -> Timestamp {
        let most = self.floor.window.0 as u64 / 2;
        let short = self.rng.permille(40);
        self.control.now().plus(Nanos(if short { 50_000 } else { most as i64 }))
    }

    fn play(mut self, attempts: usize) -> Result<Vec<Operation>, String> {
        let mut last: Vec<Vec<Slot>> = Vec::new();
        while self.log.operations.len() < attempts {
            let at = self.rng.below(MARKETS as u64) as usize;
            let slots = match last.is_empty() || !self.rng.permille(60) {
                true => self.next(at)?,
                // Whoever is not sure says it once more.
                false => last[self.rng.below(last.len() as u64) as usize].clone(),
            };
            if last.len() < 16 {
                last.push(slots.clone());
            } else {
                last[self.rng.below(16) as usize] = slots.clone();
            }
            self.send(&slots)?;
            if self.rng.permille(600) {
                self.settle()?;
            }
            // Fewer commands than a customer's, over as long a time.
            if self.rng.permille(300) {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        self.settle()?;
        Ok(self.log.operations)
    }

    fn send(&mut self, slots: &[Slot]) -> Result<(), String> {
        let asked_at = self.control.now();
        let called = (self.floor.elapsed(), asked_at);
        let taken = self.control.try_submit(slots);
        let returned = self.floor.elapsed();
        match taken {
            Ok(ticket) => {
                self.tickets.push_back(ticket);
                self.log.taken(slots.as_bytes(), called, ticket.token);
                Ok(())
            }
            Err(why) => {
                self.log.not_taken(slots.as_bytes(), called, returned, why)?;
                self.settle()
            }
        }
    }

    fn settle(&mut self) -> Result<(), String> {
        while let Some(ticket) = self.tickets.pop_front() {
            let reply = self.control.wait(ticket, PATIENCE).map_err(|e| e.to_string())?;
            let control = &self.control;
            self.log.replied(&[reply], || control.now())?;
        }
        Ok(())
    }

    fn market(&self, at: usize) -> MarketId {
        MarketId::from_raw(self.floor.markets[at].id.load(Ordering::Relaxed))
    }

    fn next(&mut self, at: usize) -> Result<Vec<Slot>, String> {
        let (market, valid_until) = (self.market(at), self.until());
        let source = Timestamp(0);
        let feed = FEED;
        Ok(match self.rng.below(100) {
            0..=34 => {
                let prices = prices_of(&mut self.rng);
                for (seen, price) in self.floor.markets[at].prices.iter().zip(prices) {
                    seen.store(price.e4(), Ordering::Relaxed);
                }
                self.desk.prices(at, market, prices, valid_until)
            }
            35..=54 => self.desk.says(|feed_seq| FeedHeartbeat {
                feed,
                feed_seq,
                source,
                ..FeedHeartbeat::default()
            }),
            55..=56 => {
                self.desk.says(|feed_seq| FeedGap { feed, feed_seq, source, ..FeedGap::default() })
            }
            57..=61 => self.desk.says(|feed_seq| FeedRecovered {
                feed,
                feed_seq,
                source,
                ..FeedRecovered::default()
            }),
            62..=67 => {
                let (level, id) = self.scope(market);
                let owner = Owner::Trader as u8;
                self.desk.one(&Suspend { valid_until, level, owner, id, ..Suspend::default() })
            }
            68..=82 => {
                let (level, id) = self.scope(market);
                let owner = Owner::Trader as u8;
                self.desk.one(&Release { valid_until, level, owner, id, ..Release::default() })
            }
            83..=84 => {
                self.desk.one(&CloseMarket { valid_until, market, ..CloseMarket::default() })
            }
            85..=89 => self.desk.one(&OpenMarket { valid_until, market, ..OpenMarket::default() }),
            90..=92 => {
                let account = self.rng.pick(&self.floor.accounts);
                let blocked = u8::from(self.rng.permille(300));
                self.desk.one(&BlockAccount {
                    valid_until,
                    account,
                    blocked,
                    ..BlockAccount::default()
                })
            }
            93..=95 => {
                let most = 500 + self.rng.below(100_000) as i64;
                let limits = Limits {
                    min_stake: Minor(1 + self.rng.below(100) as i64),
                    max_stake: Minor(most),
                    max_payout: Minor(most * 20),
                    max_liability: Minor(most * 10),
                    ..Limits::UNLIMITED
                };
                let (scope, currency) = (LimitScope::Market as u8, GBP);
                self.desk.one(&SetLimits {
                    valid_until,
                    scope,
                    currency,
                    market,
                    limits,
                    ..SetLimits::default()
                })
            }
            _ => return self.renew(at),
        })
    }

    fn scope(&mut self, market: MarketId) -> (u8, u64) {
        match self.rng.below(6) {
            0 => (Layer::Engine as u8, 0),
            1 => (Layer::Feed as u8, u64::from(FEED.0)),
            _ => (Layer::Market as u8, market.raw()),
        }
    }

    /// A market is over, and another one takes its place. The last of the commands is the caller's to send.
    fn renew(&mut self, at: usize) -> Result<Vec<Slot>, String> {
        let (old, valid_until) = (self.market(at), self.until());
        let winner = self.rng.below(SELECTIONS as u64 + 1) as u16;
        let entries: Vec<ResultEntry> = (0..SELECTIONS as u16)
            .map(|n| {
                let outcome = match n {
                    _ if winner == SELECTIONS as u16 => SelectionOutcome::Void,
                    _ if n == winner => SelectionOutcome::Win,
                    _ => SelectionOutcome::Lose,
                };
                ResultEntry::new(SelectionIndex(n), outcome)
            })
            .collect();
        let body = MarketResult { valid_until, market: old, ..MarketResult::default() };
        let result = build::result(self.desk.header(), body, &entries).unwrap_or_default();
        self.send(&result)?;
        let define = self.desk.define_market(at, valid_until);
        self.send(&define)?;
        self.settle()?;
        let defined = self.log.operations.last().and_then(Operation::reply).copied();
        let Some(market) =
            defined.filter(|r| r.answer.kind() == AnswerKind::Done).map(|r| r.answer.id)
        else {
            return Ok(define);
        };
        self.floor.markets[at].id.store(market, Ordering::Release);
        let market = MarketId::from_raw(market);
        let prices = prices_of(&mut self.rng);
        let prices = self.desk.prices(at, market, prices, valid_until);
        self.send(&prices)?;
        let open = self.desk.one(&OpenMarket { valid_until, market, ..OpenMarket::default() });
        self.send(&open)?;
        Ok(self.desk.one(&ArchiveMarket { valid_until, market: old, ..ArchiveMarket::default() }))
    }
}

// ---- the race ----

fn config(seed: u64, layout: Option<Layout>) -> (Config, Nanos) {
    let mut rng = Rng::new(seed ^ 0x11ea);
    let window = Nanos::from_millis(rng.pick(&[250, 1_000, 5_000]));
    let by_seed = rng.pick(&[Layout::OneThread, Layout::TwoThread]);
    let tight = rng.permille(250);
    let config = Config::at("nowhere")
        .layout(layout.unwrap_or(by_seed))
        .wait(WaitStrategy::Park)
        // Only a full ring refuses: that is what the history is checked for.
        .intake(Intake::open())
        .capacities(Capacities {
            accounts: 6,
            markets: 16,
            selections: 64,
            bets: if tight { 64 } else { 4_096 },
            keys: if tight { 256 } else { 16_384 },
            feeds: 2,
            fixtures: 2,
            actors: 4,
            currencies: 2,
            quarantined: 2,
            legs: if tight { 64 } else { 4_096 },
            groups: 1,
            limited: 2,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        })
        .window(window)
        .age_bound(Nanos::from_secs(1))
        .offer_ttl(Nanos::from_millis(rng.pick(&[1, 20])))
        .price_failure(rng.pick(&[PriceFailure::Refuse, PriceFailure::Offer]))
        .step_budget(rng.pick(&[2, 8, 64]))
        .limits(Limits {
            min_stake: Minor(60),
            max_stake: Minor(900),
            max_payout: Minor(20_000),
            max_liability: Minor(60_000),
            ..Limits::UNLIMITED
        })
        .secret(std::array::from_fn(|_| rng.next() as u8))
        .control_ring(RING_SLOTS)
        .bet_ring(RING_SLOTS)
        .clients(SEATS, CREDIT_MAX)
        .segment_bytes(SEGMENT)
        .segments_ahead(1)
        .events(64);
    (config, window)
}

/// Asks until it is done: a busy machine may let a time limit pass.
fn insist(
    control: &mut Control,
    mut ask: impl FnMut(Timestamp) -> Vec<Slot>,
) -> Result<Reply, String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let valid_until = control.now().plus(Nanos::from_millis(200));
        let ticket = control.try_submit(&ask(valid_until)).map_err(|e| e.to_string())?;
        let reply = control.wait(ticket, PATIENCE).map_err(|e| e.to_string())?;
        match reply.answer.reject() {
            None => return Ok(reply),
            Some(Reject::Expired) if Instant::now() < until => (),
            Some(_) => return Err(format!("the preparations failed: {reply:?}")),
        }
    }
}

/// See [`Race::record`].
pub(super) fn record<R: Rules>(race: Race<R>, attempts: usize) -> Result<History, String> {
    let Race { rules, own_rules, seed, customers, layout } = race;
    let own_rules = own_rules.then(|| OwnRules::of(rules.clone()));
    let disk = Disk::new(seed);
    let (config, window) = config(seed, layout);
    let engine =
        Engine::open_on(disk.clone(), config, rules, &mut |_| {}).map_err(|e| e.to_string())?;
    let until = Instant::now() + PATIENCE;
    let mut control = loop {
        match engine.control("anna") {
            Ok(control) => break control,
            Err(e) if until < Instant::now() => return Err(e.to_string()),
            Err(_) => (),
        }
    };
    let mut rng = Rng::new(seed);
    let mut desk = Desk { actor: control.actor(), keys: 0, names: 0, message: 0 };
    insist(&mut control, |until| desk.define_feed(until))?;
    let floor = Floor {
        engine: &engine,
        watch: engine.watch(),
        began: Instant::now(),
        window,
        accounts: accounts(&engine)?,
        markets: Default::default(),
        recent: Mutex::default(),
        offers: Mutex::default(),
        rushes: AtomicU64::new(0),
        lines: Mutex::default(),
    };
    insist(&mut control, |_| {
        desk.says(|feed_seq| FeedRecovered { feed: FEED, feed_seq, ..FeedRecovered::default() })
    })?;
    let mut seat = ClientId::default();
    for (at, seen) in floor.markets.iter().enumerate() {
        let market = insist(&mut control, |until| desk.define_market(at, until))?.answer.id;
        let (market, prices) = (MarketId::from_raw(market), prices_of(&mut rng));
        insist(&mut control, |until| desk.prices(at, market, prices, until))?;
        let opened = insist(&mut control, |valid_until| {
            desk.one(&OpenMarket { valid_until, market, ..OpenMarket::default() })
        })?;
        seen.id.store(market.raw(), Ordering::Relaxed);
        for (seen, price) in seen.prices.iter().zip(prices) {
            seen.store(price.e4(), Ordering::Relaxed);
        }
        seat = opened.client;
    }
    let (begun, ..) = engine.digests().map_err(|e| e.to_string())?;

    let mut trader = Trader {
        floor: &floor,
        control: &mut control,
        log: Log::new(&floor),
        tickets: VecDeque::new(),
        rng: Rng::new(seed ^ 0x7ade),
        desk,
    };
    trader.log.line = floor.sit_down(Line {
        who: "trader".to_owned(),
        ring: Ring::Control,
        client: seat,
        level: Level::Durable,
        credit: 64,
    });
    let each = attempts.div_ceil(customers + 1);
    let finished = AtomicBool::new(false);
    let (mut logs, crashed) = std::thread::scope(|scope| {
        let crashing = scope.spawn(|| crashes(&floor, &disk, seed, &finished));
        let (floor, trading) = (&floor, scope.spawn(move || trader.play(each / 2)));
        let asking: Vec<_> = (0..customers)
            .map(|number| {
                scope.spawn(move || {
                    Customer::new(floor, number, seed).and_then(|customer| customer.play(each))
                })
            })
            .collect();
        let all = std::iter::once(trading).chain(asking);
        let joined = |log: std::thread::ScopedJoinHandle<'_, _>| {
            log.join().unwrap_or_else(|_| Err("a thread of the race panicked".to_owned()))
        };
        let logs = all.map(joined).collect::<Result<Vec<Vec<Operation>>, String>>();
        finished.store(true, Ordering::Release);
        let crashed = crashing.join().map_err(|_| "the thread that looks at the disk panicked");
        Ok::<_, String>((logs?, crashed?))
    })?;
    let lines = std::mem::take(&mut *lock(&floor.lines));
    drop(floor);
    drop(control);
    engine.shutdown().map_err(|e| e.to_string())?;

    // Those of one connection stay in its order, also where the clock did not move between two calls.
    let mut operations: Vec<Operation> = logs.drain(..).flatten().collect();
    operations.sort_by_key(|operation| operation.called);
    let records = records(&disk)?;
    let mut crashes = Vec::new();
    for (called, power, left) in crashed {
        crashes.push(Crash { called, power, kept: kept(left, &records)? });
    }
    Ok(History {
        seed,
        own_rules,
        bet_slots: RING_SLOTS,
        control_slots: RING_SLOTS,
        begun,
        lines,
        operations,
        records,
        crashes,
    })
}

/// Looks at the disk now and then, as a crash at that moment would leave it.
fn crashes(
    floor: &Floor<'_>,
    disk: &Disk,
    seed: u64,
    finished: &AtomicBool,
) -> Vec<(u64, bool, Disk)> {
    let mut rng = Rng::new(seed ^ 0xc4a5);
    let mut crashed = Vec::new();
    while crashed.len() < CRASHES_MAX && !finished.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_micros(3_000 + rng.below(25_000)));
        let (power, seed) = (rng.permille(700), rng.next());
        let called = floor.elapsed();
        crashed.push((called, power, if power { disk.power_cut(seed) } else { disk.kill(seed) }));
    }
    crashed
}

/// The last record that opening the journal finds again after a crash, as it was.
fn kept(left: Disk, records: &[Record]) -> Result<Seq, String> {
    let wrong = |e: betring_journal::Error| format!("the journal does not open after a crash: {e}");
    let options = Options { segment_bytes: SEGMENT, ready_segments: 0, ..Options::default() };
    let mut opened =
        Journal::open(left, options, betring::SCHEMA_HASH, &mut |_| {}).map_err(wrong)?;
    let mut kept = Seq(0);
    while let Some(found) = opened.next_record().map_err(wrong)? {
        let same = records.get(kept.0 as usize).is_some_and(|record| {
            let payload = split(found.payload);
            (found.meta.seq, found.meta.ts) == (record.seq.0, record.at.0)
                && payload == Some((record.command.as_slice(), record.events.as_slice()))
        });
        if !same {
            break;
        }
        kept = Seq(found.meta.seq);
    }
    Ok(kept)
}

fn accounts(engine: &Engine) -> Result<Vec<AccountId>, String> {
    let mut client = engine.client(16).map_err(|e| e.to_string())?;
    let mut accounts = Vec::new();
    for n in 1..=ACCOUNTS {
        let currency = betring_pricing::Currency::GBP;
        let id = loop {
            match client.open_account(betring::Reference(n), currency) {
                Ok(id) => break id,
                // A busy machine may let the time limit pass.
                Err(Error::Refused(refusal)) if refusal.reject == Reject::Expired => (),
                Err(e) => return Err(e.to_string()),
            }
        };
        accounts.push(id);
    }
    Ok(accounts)
}

fn records(disk: &Disk) -> Result<Vec<Record>, String> {
    let wrong = |e: betring_journal::Error| format!("the journal cannot be read: {e}");
    let mut reader = Reader::open(disk.aside(), 1, ReadLevel::Complete).map_err(wrong)?;
    let mut records = Vec::new();
    while let Some(record) = reader.next().map_err(wrong)? {
        let Some((command, events)) = split(record.payload) else {
            return Err(format!("#{} holds no command", record.meta.seq));
        };
        records.push(Record {
            seq: Seq(record.meta.seq),
            at: Timestamp(record.meta.ts),
            command: command.to_vec(),
            events: events.to_vec(),
        });
    }
    Ok(records)
}
