//! What the deciding thread of the two-thread layout does not do, once it is warm: allocate, fault, or
//! call the system. A binary of its own, because its allocator counts.

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use betring::logic::{BetFacts, Ruling};
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

struct Bench {
    engine: Engine,
    client: Client,
    market: Market,
    account: AccountId,
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
                markets: 8,
                selections: 64,
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
        let mut client = engine.client_at(1024, Level::ProcessCrashOnly).expect("a seat");
        let account = client.open_account(Reference(1), Currency::GBP).expect("opened");
        client.deposit(account, money!(10000000.00), key(1)).expect("paid in");
        Bench { engine, client, market, account, sent: 100 }
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
        bench.place(5_000);
        LOCK_UP.store(true, Ordering::Release);
        bench.place(1_000);
        if LOCKED_UP.load(Ordering::Acquire) {
            bench.place(20_000);
            println!("20000 bets decided without a system call");
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
        child.status.success() && said.contains("20000 bets decided without a system call"),
        "{}\n{said}\n{}",
        child.status,
        String::from_utf8_lossy(&child.stderr)
    );
}
