//! How long is it from the moment a request was to be sent (t0) to the moment its client sees the reply (t6)?
//!
//! Journal, rings and threads included. The load is open: nothing waits for an answer, and what is sent late
//! counts from when it was to be sent. At weaker levels than durable no output waits for the device, so the
//! journal is synced every 100 ms or 4 MiB. Whoever measures a figure gets beside it what it is worth nothing
//! without: the stages, the age of the committed price, what was journaled and written, how full the state was.

mod requests;
mod soak;

use crate::error::Error;
use crate::load::{Lateness, OpenLoop, Profile};
use crate::machine;
use crate::recorder::{Quantiles, Recorder};
use betring::logic::command::{Command, OpenAccount, decode};
use betring::logic::wire::{self, Header};
use betring::{
    AccountId, AnswerKind, Capacities, Client, Clock, Config, Counts, Currency, Deposit, Engine,
    ExchangeTerms, Feed, FeedId, HouseRules, Layout, Level, Limits, Market, MarketId, MarketTerms,
    Minor, Nanos, NotTaken, Price, Reply, RequestKey, SelectionIndex, Slot, Timestamp, Watch,
    money, price,
};
use betring_pricing::Ladder;
use requests::{Asked, Requests};
pub use requests::{LEGS, Mix};
pub use soak::{Mark, Soak, Soaked, What, soak};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Unanswered requests of the load, at most.
pub const CREDIT: usize = 1 << 16;
/// Requests that are sent at once, and updates of prices between two looks at the replies.
const BATCH: usize = 64;
/// The first tenth warms up and is not counted.
const WARM: u64 = 10;
/// No run takes longer than this to answer what was sent.
const DRAIN_NS: i64 = 20_000_000_000;
/// Of so many requests one tells its stages.
pub const STAGED: u64 = 8;
/// Looks at the cursors that are remembered.
const LOOKS: usize = 1 << 16;
/// How long accounts and open bets may take to be there.
const PREPARED_WITHIN: Duration = Duration::from_secs(600);
/// How long the requests of the preparation may be decided.
const PREPARED_FOR: Nanos = Nanos::from_secs(60);
const SECOND_NS: u64 = 1_000_000_000;

/// Names of the stages, in order, and what each is.
pub const STAGES: [(&str, &str); 6] = [
    ("t0-t1", "waits for its sender: the generator was late"),
    ("t1-t2", "in the ring, until the loop stamps it"),
    ("t2-t3", "decided, and seen so by its client"),
    ("t3-t4", "recorded, in the page cache; 0 if both were seen in one look"),
    ("t4-t5", "synced"),
    ("t5-t6", "reply released and seen"),
];

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When customers may see a reply.
    pub level: Level,
    /// Threads of the engine; without any ([`Layout::Inline`]) there is nothing to wait for.
    pub layout: Layout,
    /// What is asked.
    pub mix: Mix,
    /// Requests a second.
    pub rate: u64,
    /// For so long; the first tenth is not counted.
    pub duration: Duration,
    /// Accounts, at least 1.
    pub accounts: u32,
    /// Markets, at least 1.
    pub markets: u32,
    /// Bets, or orders that rest, there before the measuring.
    pub open_bets: u32,
    /// Updates of prices of a burst, one a second, of [`Mix::Odds`].
    pub burst: u32,
    /// Whether the engine writes its file of counters, as it does unless somebody says otherwise.
    pub counters: bool,
}

impl Plan {
    /// A load of singles at the default sizes.
    pub fn new(level: Level, rate: u64, duration: Duration) -> Plan {
        Plan {
            level,
            layout: Layout::Auto,
            mix: Mix::Singles,
            rate,
            duration,
            accounts: 1_000,
            markets: 10,
            open_bets: 0,
            burst: 11_500,
            counters: true,
        }
    }

    fn duration_ns(&self) -> u64 {
        u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX)
    }

    /// How many requests there are at most, those before the measuring included.
    pub fn requests(&self) -> u64 {
        let load = u128::from(self.rate) * self.duration.as_nanos() / u128::from(SECOND_NS);
        u64::try_from(load).unwrap_or(u64::MAX).saturating_add(u64::from(self.open_bets))
    }

    /// Why this cannot be measured, if it cannot; said before anything is done.
    pub fn impossible(&self) -> Option<String> {
        let most = u64::from(Capacities::MAX);
        let legs = if self.mix == Mix::Accumulators { LEGS as u64 } else { 1 };
        let needed = self.requests().saturating_add(10_000).saturating_mul(legs);
        if most <= needed.saturating_add(needed / 15) {
            return Some(format!(
                "a rate of {} for {:?} with {} open before makes more than the {most} bets that a state has room for",
                self.rate, self.duration, self.open_bets
            ));
        }
        let places = u64::from(self.accounts) * u64::from(self.markets);
        let waiting = places.saturating_mul(requests::WAITING);
        if self.mix == Mix::Orders && waiting < u64::from(self.open_bets) {
            return Some(format!(
                "{} accounts in {} markets have at most {waiting} orders that rest, not {}",
                self.accounts, self.markets, self.open_bets
            ));
        }
        None
    }

    fn config(&self, dir: &Path) -> Config {
        // Events, prices and exposure come from the journal: they cannot be at applied.
        let outputs = self.level.min(Level::ProcessCrashOnly);
        let config = Config::at(dir);
        let config = if self.counters { config } else { config.counters_every(Nanos::ZERO) };
        config
            .layout(self.layout)
            .outputs_level(outputs)
            .clients(8, CREDIT)
            .bet_ring(1 << 16)
            .control_ring(1 << 15)
            // A machine that stands still for a while is to be measured, not to be refused.
            .age_bound(Nanos::from_secs(60))
            .snapshot_at_stop(0)
            .limits(Limits {
                min_stake: Minor(1),
                max_stake: Minor(1_000_000),
                max_payout: Minor(1_000_000_000),
                max_liability: Minor(1_000_000_000_000_000),
                ..Limits::UNLIMITED
            })
            .capacities(self.capacities())
    }

    fn capacities(&self) -> Capacities {
        // Both are below `Capacities::MAX`: see `impossible`.
        let asks = u32::try_from(self.requests()).unwrap_or(u32::MAX) + 10_000;
        let is_orders = self.mix == Mix::Orders;
        let (bets, orders) = if is_orders { (1_024, asks) } else { (asks, 1) };
        let legs = if self.mix == Mix::Accumulators { bets * LEGS as u32 } else { bets };
        let positions = if is_orders { self.accounts * self.markets } else { 1 };
        let keys = asks + self.accounts * 2 + self.markets * 4;
        Capacities {
            accounts: self.accounts + 16,
            markets: self.markets + 16,
            selections: self.markets * 3 + 64,
            bets,
            // A sixteenth is never a customer's.
            keys: keys + keys / 15 + 16,
            feeds: 2,
            fixtures: 1,
            actors: 8,
            currencies: 1,
            quarantined: 1,
            legs,
            groups: 1,
            limited: 1,
            orders,
            positions,
            stands: positions * 2,
            levels: if is_orders { self.markets * 4 * Ladder::CLASSIC.len() } else { 1 },
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// The threads that there were.
    pub layout: Layout,
    /// t6 − t0.
    pub latency: Recorder,
    /// Its parts, by [`STAGES`], of every eighth request.
    pub stages: [Recorder; STAGES.len()],
    /// How old the price was that a bet was bound to; of singles.
    pub price_age: Recorder,
    /// From the moment an update was to come to its place in the order: the next bet binds it.
    pub odds_to_effect: Option<Recorder>,
    /// How well the schedule was kept.
    pub kept: Lateness,
    /// Requests that were not taken: of credit, of a full ring.
    pub refused: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Of those, how many were refused in the order of things: what was to be cancelled was matched before.
    pub declined: u64,
    /// From the first intended moment to the last reply.
    pub took: Duration,
    /// The idempotency window.
    pub window: Nanos,
    /// Keys that were live at the end.
    pub live_keys: u64,
    /// Bets and orders open at the end.
    pub open: u64,
    /// Bytes journaled while it lasted.
    pub journal_bytes: u64,
    /// Bytes written to devices while it lasted, segments prepared included; none where the kernel does not count.
    pub device_bytes: Option<u64>,
    /// Syncs while it lasted.
    pub syncs: u64,
    /// Memory of the process at the end, in KiB.
    pub resident_kib: u64,
    /// Of a million nanoseconds of all cores, so many the hypervisor took.
    pub stolen_ppm: u64,
    /// What the engine warns of.
    pub warnings: Vec<String>,
    /// How the result was checked, a sentence.
    pub checked: String,
}

impl Run {
    /// Requests a second that were answered, until the last.
    pub fn answered_per_s(&self) -> u64 {
        let ns = self.took.as_nanos().max(1);
        u64::try_from(u128::from(self.answered) * u128::from(SECOND_NS) / ns).unwrap_or(u64::MAX)
    }

    /// Whether the load was carried as it was planned: nothing refused, and answered at the rate it was sent at.
    pub fn keeps_up(&self, rate: u64) -> bool {
        self.refused == 0 && rate.saturating_mul(95) / 100 <= self.answered_per_s()
    }
}

/// A second of a run, by intended moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Counted from the start.
    pub at: u64,
    /// t6 − t0.
    pub latency: Quantiles,
}

/// Measures once, in a directory that is made and left behind. The journal is decided again afterwards: its state has to
/// be the same and sound.
///
/// # Errors
/// [`Error::Wrong`] if the result does not hold, and those of the engine and its files.
pub fn run(dir: &Path, plan: &Plan) -> Result<Run, Error> {
    let mut book = Book::open(plan.config(dir), plan)?;
    fill(&book.engine, &mut book.requests, plan.open_bets)?;
    let run = book.play(plan, &mut |_| {})?;
    book.close(dir, run)
}

/// An engine with everything that the load needs.
struct Book {
    engine: Engine,
    client: Client,
    requests: Requests,
    accounts: Arc<[AccountId]>,
    markets: Arc<[AtomicU64]>,
    feed: Option<Feed>,
    feed_id: FeedId,
}

impl Book {
    fn open(config: Config, plan: &Plan) -> Result<Book, Error> {
        let engine = Engine::open(config)?;
        let mut trader = engine.control("trader")?;
        let mut feed = None;
        let mut from = FeedId::MANUAL;
        if plan.mix == Mix::Odds {
            let mut opened = engine.feed("odds", Nanos::from_secs(600))?;
            opened.recovered(Timestamp(0)).map(drop).map_err(betring::Error::from)?;
            from = opened.id();
            feed = Some(opened);
        }
        let mut ids = Vec::new();
        for place in 0..plan.markets {
            let name = format!("M{place}");
            let market: MarketId = if plan.mix == Mix::Orders {
                let market = trader.define(MarketTerms::new(name, ["it", "other"]).exchange())?;
                trader.set_exchange(&market, &ExchangeTerms::new(Currency::GBP))?;
                trader.open_market(&market)?;
                market.id()
            } else {
                let terms = MarketTerms::new(name, ["home", "draw", "away"]).feed(from);
                let market = trader.define(terms)?;
                match &mut feed {
                    Some(feed) => send_prices(feed, market.id(), 0, Timestamp(0))?,
                    None => set_prices(&mut trader, &market)?,
                }
                trader.open_market(&market)?;
                market.id()
            };
            ids.push(AtomicU64::new(market.raw()));
        }
        if let Some(feed) = &mut feed {
            feed.settle(PREPARED_WITHIN)?;
        }
        // A control handle asks for durable: gone, the level under test is the strongest.
        drop(trader);
        let mut preparing = engine.client_at(CREDIT, Level::ProcessCrashOnly)?;
        let accounts: Arc<[AccountId]> = open_accounts(&mut preparing, plan.accounts)?.into();
        drop(preparing);
        let client = engine.client_at(CREDIT, plan.level)?;
        let markets: Arc<[AtomicU64]> = ids.into();
        let requests = Requests::new(plan.mix, 0, accounts.clone(), markets.clone());
        Ok(Book { engine, client, requests, accounts, markets, feed, feed_id: from })
    }

    /// The load itself. `each` gets every second that is complete, in order.
    fn play(&mut self, plan: &Plan, each: &mut dyn FnMut(Second)) -> Result<Run, Error> {
        let Book { engine, client, requests, markets, feed, .. } = self;
        play(engine, client, requests, (feed.as_mut(), markets), plan, each)
    }

    /// Ends, and decides the journal again: quick and wrong would be no result.
    fn close(self, dir: &Path, run: Run) -> Result<Run, Error> {
        let Book { engine, client, feed, feed_id, .. } = self;
        let has_feed = feed.is_some();
        drop((client, feed));
        let closed = engine.shutdown()?;
        let mut effect = Recorder::new();
        let each = &mut |stamp: betring::Stamp,
                         command: &[u8],
                         _: &[u8],
                         _: &betring::State<HouseRules>| {
            if has_feed
                && let Ok((_, Command::SetPrices(body, _))) = decode(command)
                && body.feed == feed_id
                && body.source != Timestamp(0)
            {
                effect.record(stamp.at.since(body.source).0);
            }
        };
        let (replayed, state) = betring::replay_with(HouseRules, dir, &mut |_| {}, each)?;
        Error::unless(replayed.digest == closed.digest, || {
            format!("deciding the journal again gives another state: {}", replayed.digest)
        })?;
        state.check().map_err(Error::Wrong)?;
        let orders = state.orders().filter(|order| order.sizes.remaining.0 != 0).count();
        let bets = state.bets().filter(|bet| bet.state == betring::BetState::Open).count();
        let checked = format!(
            "{} requests answered, {} records decided again with the same state, ledger balanced",
            run.answered, replayed.records
        );
        Ok(Run {
            odds_to_effect: has_feed.then_some(effect),
            live_keys: u64::from(state.keys_kept()),
            open: (orders + bets) as u64,
            checked,
            ..run
        })
    }
}

/// Makes so many open bets, or orders that rest.
fn fill(engine: &Engine, requests: &mut Requests, count: u32) -> Result<(), Error> {
    let mut filling = engine.client_at(CREDIT, Level::ProcessCrashOnly)?;
    let (mut slots, mut replies) = (Vec::with_capacity(BATCH * requests::SLOTS), replies());
    let mut asked: VecDeque<Asked> = VecDeque::new();
    let (mut made, mut sent, mut answered) = (0, 0, 0);
    let until = Instant::now() + PREPARED_WITHIN;
    let mut waiting: VecDeque<(usize, Asked)> = VecDeque::new();
    while answered < count {
        while waiting.len() < BATCH && made < count {
            let before = slots.len();
            let request = requests.push_open(filling.now(), &mut slots)?;
            waiting.push_back((slots.len() - before, request));
            made += 1;
        }
        let submitted = filling.submit_batch(&slots);
        fail_unless_busy(submitted.refused)?;
        slots.drain(..submitted.slots);
        asked.extend(waiting.drain(..submitted.commands).map(|(_, request)| request));
        sent += submitted.commands as u32;
        let read = filling.poll(&mut replies);
        for reply in &replies[..read] {
            let request = asked.pop_front().ok_or_else(to_nothing)?;
            Error::unless(requests.answered(request, reply)?, || {
                format!("a bet before the measuring was refused: {reply}")
            })?;
            answered += 1;
        }
        if read == 0 {
            Error::unless(Instant::now() < until, || {
                format!("{} of {sent} bets before the measuring are not answered", sent - answered)
            })?;
            std::thread::yield_now();
        }
    }
    Ok(())
}

/// Waits until everything that was decided is durable: at the weaker levels that takes a moment.
fn journaled(engine: &Engine) -> Result<(), Error> {
    let until = Instant::now() + PREPARED_WITHIN;
    loop {
        let Counts { sequenced, records, .. } = engine.health().counts;
        if sequenced <= records {
            return Ok(());
        }
        Error::unless(Instant::now() < until, || {
            format!("{} records are not durable", sequenced - records)
        })?;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The load itself, from this thread.
fn play(
    engine: &Engine,
    client: &mut Client,
    requests: &mut Requests,
    (mut feed, markets): (Option<&mut Feed>, &Arc<[AtomicU64]>),
    plan: &Plan,
    each: &mut dyn FnMut(Second),
) -> Result<Run, Error> {
    // What was prepared is in the journal: else it would be counted among what is measured.
    journaled(engine)?;
    let before = engine.health().counts;
    let (device, stolen, began) = (machine::device_bytes(), machine::stolen_ns(), Instant::now());
    let clock = engine.clock();
    let base = clock.now().plus(Nanos::from_millis(5));
    let mut load = Load {
        base,
        clock,
        watch: engine.watch(),
        levels: match plan.level {
            Level::AppliedOnlyMayVanish => 1,
            Level::ProcessCrashOnly => 2,
            Level::Durable => 3,
        },
        counted_from: i64::try_from(plan.duration_ns() / WARM).unwrap_or(i64::MAX),
        waiting: VecDeque::new(),
        looks: VecDeque::new(),
        latency: Recorder::new(),
        stages: std::array::from_fn(|_| Recorder::new()),
        price_age: Recorder::new(),
        second: (0, Recorder::new()),
        declined: 0,
        answered: 0,
        last_ns: 0,
    };
    let mut odds = feed.as_deref_mut().map(|feed| Odds::new(feed, plan, markets));
    let (kept, refused) = load.play(plan, client, requests, odds.as_mut(), each)?;
    if let Some(feed) = feed {
        feed.settle(Duration::from_secs(20))?;
        let (count, why) = feed.refused();
        Error::unless(count == 0, || format!("{count} updates of prices were refused: {why:?}"))?;
    }
    journaled(engine)?;
    let health = engine.health();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let all_ns = began.elapsed().as_nanos().max(1) * cores as u128;
    let stolen = u128::from(machine::stolen_ns().saturating_sub(stolen));
    Ok(Run {
        layout: health.layout,
        latency: load.latency,
        stages: load.stages,
        price_age: load.price_age,
        odds_to_effect: None,
        kept,
        refused,
        answered: load.answered,
        declined: load.declined,
        took: Duration::from_nanos(u64::try_from(load.last_ns).unwrap_or(0)),
        window: engine.window(),
        live_keys: 0,
        open: 0,
        journal_bytes: health.counts.journal_bytes - before.journal_bytes,
        device_bytes: device
            .and_then(|before| Some(machine::device_bytes()?.saturating_sub(before))),
        syncs: health.counts.syncs - before.syncs,
        resident_kib: machine::resident_kib(),
        stolen_ppm: u64::try_from(stolen * 1_000_000 / all_ns).unwrap_or(u64::MAX),
        warnings: health.warnings,
        checked: String::new(),
    })
}

/// The load while it lasts.
struct Load {
    base: Timestamp,
    clock: Clock,
    watch: Watch,
    /// How many of the cursors a reply waits for.
    levels: usize,
    counted_from: i64,
    waiting: VecDeque<Waiting>,
    looks: VecDeque<Look>,
    latency: Recorder,
    stages: [Recorder; STAGES.len()],
    price_age: Recorder,
    /// The second that is being answered.
    second: (u64, Recorder),
    declined: u64,
    answered: u64,
    last_ns: i64,
}

/// A request that is not answered.
struct Waiting {
    t0: i64,
    t1: i64,
    asked: Asked,
}

/// How far the engine was seen to be: decided, in the page cache, durable.
struct Look {
    at_ns: i64,
    reached: [u64; 3],
}

impl Load {
    fn now_ns(&self) -> i64 {
        self.clock.now().since(self.base).0
    }

    fn play(
        &mut self,
        plan: &Plan,
        client: &mut Client,
        requests: &mut Requests,
        mut odds: Option<&mut Odds<'_>>,
        each: &mut dyn FnMut(Second),
    ) -> Result<(Lateness, u64), Error> {
        let times = Profile::steady(plan.rate, plan.duration_ns()).times().map(|at| (at, ()));
        let mut load = OpenLoop::new(times);
        let mut replies = replies();
        let mut slots: Vec<Slot> = Vec::with_capacity(BATCH * requests::SLOTS);
        let mut due: Vec<(i64, Asked)> = Vec::with_capacity(BATCH);
        let mut refused = 0;
        let end_ns = i64::try_from(plan.duration_ns()).unwrap_or(i64::MAX);
        loop {
            let now = self.now_ns();
            let updates = match &mut odds {
                Some(odds) => odds.send(now, self.base)?,
                None => 0,
            };
            while due.len() < BATCH
                && 0 <= now
                && let Some((at_ns, ())) = load.due(u64::try_from(now).unwrap_or(0))
            {
                let asked = requests.push(self.base.plus(Nanos(now)), &mut slots)?;
                due.push((i64::try_from(at_ns).unwrap_or(i64::MAX), asked));
            }
            let sent = due.len();
            if 0 < sent {
                let submitted = client.submit_batch(&slots);
                fail_unless_busy(submitted.refused)?;
                let t1 = self.now_ns();
                let waiting = |(t0, asked)| Waiting { t0, t1, asked };
                self.waiting.extend(due.drain(..submitted.commands).map(waiting));
                // What is not taken will never execute: it is counted, and not sent again.
                for (_, asked) in due.drain(..) {
                    refused += 1;
                    requests.not_taken(asked);
                }
                slots.clear();
            }
            self.look();
            let read = client.poll(&mut replies);
            if 0 < read {
                self.last_ns = self.now_ns();
            }
            for reply in &replies[..read] {
                self.answered(reply, requests, each)?;
            }
            let is_over =
                load.next_ns().is_none() && odds.as_mut().is_none_or(|odds| odds.is_over());
            if is_over && self.waiting.is_empty() {
                break;
            }
            Error::unless(now < end_ns.saturating_add(DRAIN_NS), || {
                format!("{} requests are not answered 20 s after the last", self.waiting.len())
            })?;
            if sent + read + updates == 0 {
                std::thread::yield_now();
            }
        }
        self.second_is_over(each);
        Ok((load.lateness(), refused))
    }

    fn look(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let reached = [self.watch.decided().0, self.watch.process().0, self.watch.durable().0];
        if self.looks.back().is_some_and(|last| last.reached == reached) {
            return;
        }
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(Look { at_ns: self.now_ns(), reached });
    }

    fn answered(
        &mut self,
        reply: &Reply,
        requests: &mut Requests,
        each: &mut dyn FnMut(Second),
    ) -> Result<(), Error> {
        let Waiting { t0, t1, asked } = self.waiting.pop_front().ok_or_else(to_nothing)?;
        let was_done = requests.answered(asked, reply)?;
        self.answered += 1;
        self.declined += u64::from(!was_done);
        let second = u64::try_from(t0).unwrap_or(0) / SECOND_NS;
        if second != self.second.0 {
            self.second_is_over(each);
            self.second.0 = second;
        }
        self.second.1.record(self.last_ns - t0);
        if t0 < self.counted_from {
            return Ok(());
        }
        self.latency.record(self.last_ns - t0);
        if reply.answer.kind() == AnswerKind::Accepted && !reply.answer.price.is_none() {
            self.price_age.record(reply.answer.age().0);
        }
        if self.answered.is_multiple_of(STAGED) {
            self.stages(t0, t1, reply);
        }
        Ok(())
    }

    fn stages(&mut self, t0: i64, t1: i64, reply: &Reply) {
        let t2 = reply.stamped.since(self.base).0;
        let seen = parts(&self.looks, self.levels, [t0, t1, t2, self.last_ns], reply.as_of.0);
        for (stage, part) in self.stages.iter_mut().zip(seen) {
            if let Some(ns) = part {
                stage.record(ns);
            }
        }
    }

    fn second_is_over(&mut self, each: &mut dyn FnMut(Second)) {
        let (at, recorder) = &mut self.second;
        if 0 < recorder.count() {
            each(Second { at: *at, latency: recorder.quantiles() });
            recorder.reset();
        }
    }
}

/// The parts of a request's way, by [`STAGES`]: of so many cursors as its reply waits for. What was not seen to be reached
/// when the reply was has no part in it.
fn parts(
    looks: &VecDeque<Look>,
    levels: usize,
    [t0, t1, t2, t6]: [i64; 4],
    seq: u64,
) -> [Option<i64>; STAGES.len()] {
    let mut parts = [Some(t1 - t0), Some(t2 - t1), None, None, None, None];
    let mut last = t2;
    for level in 0..levels {
        let behind = looks.partition_point(|look| look.reached[level] < seq);
        // Before all looks that are remembered, nobody knows when.
        let Some(look) = looks.get(behind).filter(|_| 0 < behind) else { break };
        // Two cursors are looked at one after the other: a later one may be seen first.
        let at = look.at_ns.clamp(last, t6.max(last));
        parts[2 + level] = Some(at - last);
        last = at;
    }
    parts[5] = Some(t6 - last);
    parts
}

/// The bursts of prices.
struct Odds<'a> {
    feed: &'a mut Feed,
    markets: Arc<[AtomicU64]>,
    load: OpenLoop<Box<dyn Iterator<Item = (u64, ())>>>,
    /// One that could not be taken yet: when it was to be sent.
    waits: Option<u64>,
    sent: u64,
}

impl<'a> Odds<'a> {
    fn new(feed: &'a mut Feed, plan: &Plan, markets: &Arc<[AtomicU64]>) -> Odds<'a> {
        let (burst, end) = (plan.burst as usize, plan.duration_ns());
        let first = SECOND_NS.min(end) / 4;
        let moments = (0..).map(move |second| first + second * SECOND_NS);
        let moments = moments.take_while(move |at| *at < end);
        let all = moments.flat_map(move |at| std::iter::repeat_n((at, ()), burst));
        let load = OpenLoop::new(Box::new(all) as Box<dyn Iterator<Item = (u64, ())>>);
        Odds { feed, markets: markets.clone(), load, waits: None, sent: 0 }
    }

    /// Some of those that are due; how many.
    fn send(&mut self, now: i64, base: Timestamp) -> Result<usize, Error> {
        let now = u64::try_from(now).unwrap_or(0);
        let mut count = 0;
        while count < BATCH {
            let due = self.waits.take().or_else(|| self.load.due(now).map(|(at_ns, ())| at_ns));
            let Some(at_ns) = due else { break };
            let market = (self.sent % self.markets.len() as u64) as usize;
            let market = MarketId::from_raw(self.markets[market].load(Ordering::Acquire));
            let source = base.plus(Nanos(i64::try_from(at_ns).unwrap_or(i64::MAX)));
            match self.feed.prices(market, &some_prices(self.sent), source) {
                Ok(_) => {
                    self.sent += 1;
                    count += 1;
                }
                // Said again, nothing is lost; it is late from its own moment on.
                Err(busy) => {
                    fail_unless_busy(Some(busy))?;
                    self.waits = Some(at_ns);
                    break;
                }
            }
        }
        Ok(count)
    }

    fn is_over(&mut self) -> bool {
        self.waits.is_none() && self.load.next_ns().is_none()
    }
}

/// Prices of three selections: no two updates of a market in a row have the same.
fn some_prices(number: u64) -> [(SelectionIndex, Option<Price>); 3] {
    let step = (number % 97) as u32 * 100;
    let price = |e4: u32| Price::from_e4(e4 + step);
    [
        (SelectionIndex(0), price(21_000)),
        (SelectionIndex(1), price(34_000)),
        (SelectionIndex(2), price(37_500)),
    ]
}

fn send_prices(
    feed: &mut Feed,
    market: MarketId,
    number: u64,
    source: Timestamp,
) -> Result<(), Error> {
    let sent = feed.prices(market, &some_prices(number), source);
    sent.map(drop).map_err(|why| betring::Error::from(why).into())
}

fn set_prices(trader: &mut betring::Control, market: &Market) -> Result<(), Error> {
    trader.set_prices(market, [price!(2.10), price!(3.40), price!(3.75)])?;
    Ok(())
}

/// Opens accounts, and pays in as much as no load can lose.
fn open_accounts(client: &mut Client, count: u32) -> Result<Vec<AccountId>, Error> {
    let valid_until = client.now().plus(PREPARED_FOR);
    let number = |reference: u64| RequestKey(u128::from(reference) | 1 << 100);
    let open = |reference: u64| {
        let currency = Currency::GBP.numeric();
        let body = OpenAccount { valid_until, reference, currency, ..OpenAccount::default() };
        wire::slot(Header { key: number(reference), ..Header::default() }, &body)
    };
    let slots: Vec<Slot> = (1..=u64::from(count)).map(open).collect();
    let replies = ask_all(client, &slots)?;
    let accounts: Vec<AccountId> =
        replies.iter().map(|reply| AccountId::from_raw(reply.answer.id)).collect();
    let deposit = |account: &AccountId| {
        Deposit::new(*account, money!(1000000000.00))
            .key(number(0))
            .valid_until(valid_until)
            .slot(client.now())
    };
    let slots: Vec<Slot> = accounts.iter().map(deposit).collect();
    ask_all(client, &slots)?;
    Ok(accounts)
}

/// Sends all and waits for all replies, which have to be good.
fn ask_all(client: &mut Client, slots: &[Slot]) -> Result<Vec<Reply>, Error> {
    let until = Instant::now() + PREPARED_WITHIN;
    let mut all = vec![Reply::default(); slots.len()];
    let (mut sent, mut read) = (0, 0);
    while read < all.len() {
        let submitted = client.submit_batch(&slots[sent..]);
        fail_unless_busy(submitted.refused)?;
        sent += submitted.commands;
        let got = client.poll(&mut all[read..]);
        for reply in &all[read..read + got] {
            Error::unless(reply.answer.kind() == AnswerKind::Done, || {
                format!("an account was refused before the measuring: {reply}")
            })?;
        }
        read += got;
        if got == 0 {
            Error::unless(Instant::now() < until, || {
                format!("{read} of {} requests before the measuring are answered", all.len())
            })?;
            std::thread::yield_now();
        }
    }
    Ok(all)
}

/// A door that is full for the moment is no error; an engine that has stopped is one.
fn fail_unless_busy(refused: Option<NotTaken>) -> Result<(), Error> {
    match refused {
        None | Some(NotTaken::TooManyInFlight { .. } | NotTaken::Overloaded(_)) => Ok(()),
        Some(why) => Err(betring::Error::from(why).into()),
    }
}

fn to_nothing() -> Error {
    Error::Wrong("a reply came to nothing that was asked".to_owned())
}

fn replies() -> Vec<Reply> {
    vec![Reply::default(); 1_024]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(mix: Mix) -> Plan {
        let duration = Duration::from_millis(200);
        Plan {
            mix,
            layout: Layout::OneThread,
            accounts: 20,
            markets: 5,
            open_bets: 300,
            burst: 150,
            ..Plan::new(Level::ProcessCrashOnly, 2_000, duration)
        }
    }

    fn measured(plan: &Plan) -> Run {
        let dir = tempfile::tempdir().expect("a directory for the test");
        run(&dir.path().join("book"), plan).expect("the result holds")
    }

    #[test]
    fn every_request_of_every_mix_is_answered_and_has_its_stages() {
        for mix in Mix::ALL {
            let plan = small(mix);
            let run = measured(&plan);
            assert_eq!((run.kept.sent, run.answered + run.refused), (400, 400), "{mix}");
            assert!(run.latency.count() <= 360, "{mix}: the first tenth is not counted");
            assert!(0 < run.latency.count() && run.open <= 700, "{mix}: {}", run.open);
            assert!(300 <= run.open, "{mix}: what was open before is still there");
            assert!(0 < run.stages[1].count() && 0 < run.stages[5].count(), "{mix}");
            assert_eq!(run.stages[4].count(), 0, "{mix}: at process nobody waits for a sync");
            assert!(run.live_keys >= run.answered + 300, "{mix}: {} keys", run.live_keys);
            assert!(100 * run.answered < run.journal_bytes, "{mix}");
            assert!(run.checked.contains("decided again with the same state"), "{}", run.checked);
            let updates = run.odds_to_effect.map(|effect| effect.count());
            assert_eq!(updates, (mix == Mix::Odds).then_some(150), "{mix}");
        }
    }

    #[test]
    fn a_request_has_the_parts_of_the_level_that_its_reply_waits_for_and_they_add_up() {
        let look = |at_ns, reached| Look { at_ns, reached };
        let looks = VecDeque::from([
            look(100, [1, 1, 1]),
            look(200, [9, 1, 1]),
            look(300, [9, 9, 1]),
            look(400, [9, 9, 9]),
        ]);
        let of = |levels| parts(&looks, levels, [0, 50, 150, 450], 5);
        let durable = [Some(50), Some(100), Some(50), Some(100), Some(100), Some(50)];
        assert_eq!(of(3), durable);
        assert_eq!(of(2), [Some(50), Some(100), Some(50), Some(100), None, Some(150)]);
        assert_eq!(of(1), [Some(50), Some(100), Some(50), None, None, Some(250)]);
        // What was reached before all looks: nobody saw when.
        assert_eq!(parts(&looks, 3, [0, 50, 150, 450], 1)[2..5], [None; 3]);
    }

    #[test]
    fn orders_rest_are_cancelled_and_meet_others() {
        let run = measured(&Plan { open_bets: 0, ..small(Mix::Orders) });
        // 53 of a hundred rest, 35 are cancelled: the rest is what is left.
        assert!((1..300).contains(&run.open), "{} rest", run.open);
    }

    #[test]
    fn at_durable_every_part_of_the_way_is_seen() {
        let plan = Plan { level: Level::Durable, open_bets: 0, ..small(Mix::Singles) };
        let run = measured(&plan);
        assert!(run.stages.iter().all(|stage| 0 < stage.count()));
        assert_eq!(run.price_age.count(), run.latency.count(), "a single has a price");
    }

    #[test]
    fn what_no_state_has_room_for_is_told_before() {
        let day = Duration::from_secs(86_400);
        let too_much = Plan::new(Level::Durable, 1_000_000, day).impossible().expect("too much");
        assert!(too_much.contains("more than the 1073741824 bets"), "{too_much}");
        let few = Plan { accounts: 1, markets: 1, ..small(Mix::Orders) };
        assert_eq!(
            few.impossible().as_deref(),
            Some("1 accounts in 1 markets have at most 100 orders that rest, not 300")
        );
        assert_eq!(small(Mix::Orders).impossible(), None);
    }

    #[test]
    fn a_load_keeps_up_if_nothing_is_refused_and_answers_come_at_its_rate() {
        let mut run = measured(&Plan { open_bets: 0, ..small(Mix::Singles) });
        (run.answered, run.took, run.refused) = (1_000, Duration::from_secs(1), 0);
        assert!(run.keeps_up(1_000) && !run.keeps_up(1_100));
        run.refused = 1;
        assert!(!run.keeps_up(1_000));
    }
}
