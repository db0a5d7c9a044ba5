//! What the deciding thread of the two-thread layout does not do, once it is warm: allocate, fault, or
//! call the system. A binary of its own, because its allocator counts.

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use betring::logic::{BetFacts, Ruling};
use betring::pricer::football::{Football, Match};
use betring::pricer::{Priced, Target};
use betring::pricing::derive::football;
use betring::pricing::model::football::GoalModel;
use betring::*;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread.
struct Counting;

fn count() {
    // While a thread is being torn down, its counter may be gone.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: every call is handed to the system's allocator as it came; the counter has no destructor and
// does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.alloc(memory) }
    }

    unsafe fn dealloc(&self, at: *mut u8, memory: Memory) {
        count();
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.dealloc(at, memory) }
    }

    unsafe fn realloc(&self, at: *mut u8, memory: Memory, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.realloc(at, memory, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and deallocations of the deciding thread, as it last said.
static DECIDING: AtomicU64 = AtomicU64::new(0);
/// Told to give up every system call but read and write.
static LOCK_UP: AtomicBool = AtomicBool::new(false);
static LOCKED_UP: AtomicBool = AtomicBool::new(false);

/// House rules that tell from inside what their thread has done: they run on the deciding thread.
#[derive(Clone)]
struct Inside;

impl Rules for Inside {
    const ID: u64 = 5;
    const VERSION: u32 = 1;

    fn account(&self, _bet: &BetFacts) -> Ruling {
        DECIDING.store(ALLOCATIONS.with(Cell::get), Ordering::Release);
        if LOCK_UP.swap(false, Ordering::AcqRel) {
            let strict = rustix::thread::SecureComputingMode::Strict;
            let done = rustix::thread::set_secure_computing_mode(strict);
            LOCKED_UP.store(done.is_ok(), Ordering::Release);
        }
        Ruling::Pass
    }
}

/// Faults of a thread: those that read from the disk, and those that did not.
fn faults(thread: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).expect("it lives");
    // The name is in brackets, and may contain anything.
    let after = stat.rsplit_once(") ").expect("its name").1;
    let fields: Vec<&str> = after.split(' ').collect();
    let number = |at: usize| fields[at].parse::<u64>().expect("a number");
    number(7) + number(9)
}

/// A match of football with all its markets.
struct Derby {
    pricer: Pricer<Football>,
    fixture: Priced,
}

impl Derby {
    fn open(engine: &Engine) -> Derby {
        let mut trader = engine.control("trader:anna").expect("registered");
        let mut feed = engine.feed("model", logic::time::Nanos::from_secs(60)).expect("a seat");
        feed.recovered(Timestamp(0)).map(drop).expect("taken");
        let id = trader.define_fixture("derby", Timestamp(0)).expect("defined");
        let mut targets = Vec::new();
        for (market, places) in football::Market::all() {
            let names = football::Outcome::ALL[places.clone()].iter().map(|o| o.to_string());
            let terms = MarketTerms::new(market.to_string(), names).feed(feed.id()).fixture(id);
            let market = trader.define(terms.winners(market.winners())).expect("defined");
            trader.open_market(&market).expect("open");
            targets.extend(Target::all(market.id(), places));
        }
        let margins = football::Margins::uniform(0.05).expect("a margin");
        let mut pricer = Pricer::new(feed, Football::new(margins, None), 1);
        let fixture = pricer.add(id, &targets).expect("priced");
        Derby { pricer, fixture }
    }

    /// Prices what is known by this step of the match, and waits until it is decided.
    fn reprice(&mut self, step: u32) {
        let left = 1.0 - f64::from(step % 64) / 100.0;
        let to_come = GoalModel::dixon_coles(1.6 * left, 1.1 * left, -0.08).expect("a model");
        let score = football::Score::new((step / 64) as u8, 0);
        let now = self.pricer.feed().now();
        self.pricer.input(self.fixture, Match { to_come, score }, now);
        assert_eq!(self.pricer.turn(), Ok(0));
        self.pricer.feed().settle(Duration::from_secs(10)).expect("answered");
    }
}

struct Bench {
    engine: Engine,
    client: Client,
    market: Market,
    race: Market,
    account: AccountId,
    other: AccountId,
    sent: u128,
}

impl Bench {
    fn open(dir: &std::path::Path, clock: Clock) -> Bench {
        let config = Config::at(dir.join("book"))
            .clock(clock)
            .layout(Layout::TwoThread)
            .wait(WaitStrategy::Spin)
            .cores(Cores::Unpinned)
            .capacities(Capacities {
                accounts: 64,
                markets: 128,
                selections: 512,
                bets: 1 << 17,
                keys: 1 << 17,
                feeds: 4,
                fixtures: 4,
                actors: 4,
                currencies: 2,
                quarantined: 4,
                legs: 1 << 17,
                groups: 4,
                limited: 4,
                orders: 1 << 15,
                positions: 64,
                stands: 256,
                levels: 1 << 12,
            })
            .limits(Limits {
                min_stake: Minor(1),
                max_stake: Minor(1_000_000),
                max_payout: Minor(100_000_000),
                max_liability: Minor(100_000_000_000),
                ..Limits::UNLIMITED
            })
            .segments_ahead(0)
            .clients(4, 4096);
        let engine = Engine::open_with(config, Inside, &mut |_| {}).expect("opened");
        let mut trader = engine.control("trader:anna").expect("registered");
        let market = trader.define_market("ENG-SCO", ["England", "Draw"]).expect("defined");
        trader.set_prices(&market, [price!(2.10), price!(1.90)]).expect("priced");
        trader.open_market(&market).expect("open");
        let race = MarketTerms::new("race", ["1", "2", "3", "4", "5", "6"]).exchange();
        let race = trader.define(race).expect("defined");
        let terms = ExchangeTerms::new(Currency::GBP).crosses().starting_prices();
        trader.set_exchange(&race, &terms).expect("has its book");
        trader.open_market(&race).expect("open");
        let mut client = engine.client_at(1024, Level::ProcessCrashOnly).expect("a seat");
        let [account, other] = [1, 2].map(|reference| {
            let account = client.open_account(Reference(reference), Currency::GBP).expect("opened");
            client.deposit(account, money!(10000000.00), key(1)).expect("paid in");
            account
        });
        Bench { engine, client, market, race, account, other, sent: 100 }
    }

    fn key(&mut self) -> RequestKey {
        self.sent += 1;
        key(self.sent)
    }

    fn order(&mut self, account: AccountId, orders: &[Order]) -> Ordered {
        let key = self.key();
        self.client.place_orders(account, key, orders).expect("placed")
    }

    /// Rounds of orders that rest at several prices, meet those that come, are crossed with those of all other
    /// selections, are replaced, made smaller and cancelled. How many orders that was, and how much was matched
    /// directly and crossed.
    fn trade(&mut self, rounds: u32) -> (u32, Minor, Minor) {
        let on = |at| self.race.at(SelectionIndex(at));
        let prices = [price!(5.50), price!(5.60), price!(5.70), price!(5.80)];
        let resting: Vec<_> = (0..5_u16)
            .flat_map(|at| prices.map(|price| Order::back(on(at), money!(20.00), price)))
            .collect();
        let crossed = [Order::back(on(5), money!(9.00), price!(10.50)).persist(); 3];
        let direct: Vec<_> =
            (0..5).map(|at| Order::lay(on(at), money!(25.00), price!(5.70))).collect();
        let (race, one, other) = (self.race.id(), self.account, self.other);
        let (mut orders, mut met, mut made) = (0, Minor(0), Minor(0));
        for _ in 0..rounds {
            let rests = self.order(one, &resting);
            assert_eq!(rests.matched, Minor(0), "they only rest");
            let crosses = self.order(other, &crossed);
            let meets = self.order(other, &direct);
            let nth = |nth: u32| OrderId::new(rests.first.index() + nth, 1);
            let moved = (0..5).map(|at| (nth(4 * at + 3), price!(5.90)));
            let key = self.key();
            let again = self.client.replace_orders(one, key, race, moved).expect("replaced");
            let key = self.key();
            let parts = [2, 6, 10].map(|at| Cancel::part(nth(at), money!(1.00)));
            self.client.cancel_orders(one, key, race, parts).expect("made smaller");
            let key = self.key();
            self.client.cancel_all(one, key, race).expect("cancelled");
            let key = self.key();
            // What was crossed in full leaves nothing.
            let _ = self.client.cancel_all(other, key, race);
            orders += rests.count + crosses.count + meets.count + again.count;
            met.0 += meets.matched.0;
            made.0 += crosses.matched.0;
        }
        (orders, met, made)
    }

    /// Places bets and reads their replies; how many of the caller's own allocations that took.
    fn place(&mut self, bets: u64) -> u64 {
        let mut replies = [Reply::default(); 64];
        let mut slots = [Slot::default(); 64];
        let before = ALLOCATIONS.with(Cell::get);
        let (mut sent, mut seen) = (0, 0);
        let deadline = Instant::now() + Duration::from_secs(60);
        while seen < bets {
            if sent < bets && self.client.in_flight() < 512 {
                let now = self.client.now();
                let some = slots.len().min((bets - sent) as usize);
                for slot in &mut slots[..some] {
                    let selection = self.market.at(SelectionIndex(0));
                    let place = Place::single(self.account, selection, money!(1.00)).any_price();
                    *slot = place.key(key(self.sent)).slot(now);
                    self.sent += 1;
                }
                let done = self.client.submit_batch(&slots[..some]);
                self.sent -= (some - done.commands) as u128;
                sent += done.commands as u64;
            }
            let count = self.client.poll(&mut replies);
            for reply in &replies[..count] {
                assert_eq!(reply.answer.kind(), AnswerKind::Accepted, "{reply}");
            }
            seen += count as u64;
            if count == 0 {
                assert!(Instant::now() < deadline, "{seen} of {bets} bets were answered");
                std::thread::yield_now();
            }
        }
        ALLOCATIONS.with(Cell::get) - before
    }
}

#[test]
fn a_warm_deciding_thread_neither_allocates_nor_faults() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut bench = Bench::open(dir.path(), Clock::wall());
    bench.place(20_000);
    let thread = bench.engine.health().decide_thread;
    let before = (DECIDING.load(Ordering::Acquire), faults(thread));
    let own = bench.place(20_000);
    let after = (DECIDING.load(Ordering::Acquire), faults(thread));
    println!(
        "20000 bets: {} allocations and {} faults of the deciding thread, {own} allocations of the \
         client",
        after.0 - before.0,
        after.1 - before.1
    );
    assert_eq!(after.0 - before.0, 0, "allocations of the deciding thread");
    assert_eq!(after.1 - before.1, 0, "faults of the deciding thread");
    assert_eq!(own, 0, "allocations of the client");
    let told = counters::read(dir.path().join("book")).expect("they were written meanwhile");
    assert!(Nanos::ZERO < told.busy);
    bench.engine.shutdown().expect("in order");
}

#[test]
fn a_warm_deciding_thread_neither_allocates_nor_faults_while_orders_are_matched_and_crossed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut bench = Bench::open(dir.path(), Clock::wall());
    bench.trade(150);
    // A bet tells what the deciding thread has done so far.
    bench.place(5_000);
    let thread = bench.engine.health().decide_thread;
    let before = (DECIDING.load(Ordering::Acquire), faults(thread));
    let (orders, met, made) = bench.trade(150);
    bench.place(1);
    let after = (DECIDING.load(Ordering::Acquire), faults(thread));
    println!(
        "{orders} orders, {met} matched directly and {made} crossed: {} allocations and {} faults of \
         the deciding thread",
        after.0 - before.0,
        after.1 - before.1
    );
    assert!(4_000 < orders && Minor(0) < met && Minor(0) < made);
    assert_eq!(after.0 - before.0, 0, "allocations of the deciding thread");
    assert_eq!(after.1 - before.1, 0, "faults of the deciding thread");
    bench.engine.shutdown().expect("in order");
}

#[test]
fn neither_a_pricer_nor_the_deciding_thread_allocates_while_a_whole_match_is_repriced() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut bench = Bench::open(dir.path(), Clock::wall());
    let mut derby = Derby::open(&bench.engine);
    for half in 0..3 {
        derby.reprice(half);
    }
    bench.place(5_000);
    let thread = bench.engine.health().decide_thread;
    let before = (DECIDING.load(Ordering::Acquire), faults(thread));
    let own = ALLOCATIONS.with(Cell::get);
    for half in 3..203 {
        derby.reprice(half);
    }
    let own = ALLOCATIONS.with(Cell::get) - own;
    bench.place(1);
    let after = (DECIDING.load(Ordering::Acquire), faults(thread));
    let counts = derby.pricer.counts();
    println!(
        "{} repricings, {} prices: {own} allocations of the pricer, {} allocations and {} faults of the deciding \
         thread",
        counts.published,
        counts.prices,
        after.0 - before.0,
        after.1 - before.1
    );
    assert_eq!((counts.published, counts.failed), (203, 0));
    assert!(203 * 180 < counts.prices, "the most of a match, each time");
    assert_eq!(derby.pricer.feed().refused(), (0, None));
    assert_eq!(own, 0, "allocations of the pricer");
    assert_eq!(after.0 - before.0, 0, "allocations of the deciding thread");
    assert_eq!(after.1 - before.1, 0, "faults of the deciding thread");
    bench.engine.shutdown().expect("in order");
}

/// A thread that may only read and write dies of any other system call, and then answers no bet. It can
/// never leave that state, so this happens in a process of its own.
#[test]
fn a_warm_deciding_thread_makes_no_system_call() {
    const CHILD: &str = "BETRING_TEST_WITHOUT_SYSTEM_CALLS";
    if std::env::var_os(CHILD).is_some() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // Strict mode takes the processor's counter away, too, which is no system call to read.
        let mut bench = Bench::open(dir.path(), Clock::manual(Timestamp(1)));
        bench.trade(50);
        bench.place(5_000);
        LOCK_UP.store(true, Ordering::Release);
        bench.place(1_000);
        if LOCKED_UP.load(Ordering::Acquire) {
            bench.place(20_000);
            println!("20000 bets decided without a system call");
            let (orders, ..) = bench.trade(100);
            assert!(3_000 < orders);
            println!("orders matched and crossed without a system call");
        } else {
            println!("SKIPPED: this kernel has no strict mode");
        }
        // The engine cannot end in order any more, and its directory is left to be removed first.
        drop(dir);
        std::process::exit(0);
    }
    let test = std::env::current_exe().expect("this binary");
    let child = std::process::Command::new(test)
        .args(["--exact", "a_warm_deciding_thread_makes_no_system_call", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&child.stdout);
    if child.status.success() && said.contains("SKIPPED") {
        println!("SKIPPED: whether the deciding thread calls the system, for want of strict mode");
        return;
    }
    assert!(
        child.status.success() && said.contains("orders matched and crossed without a system call"),
        "{}\n{said}\n{}",
        child.status,
        String::from_utf8_lossy(&child.stderr)
    );
}
