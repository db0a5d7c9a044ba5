//! `cargo sim [SEED] [--runs N] [--steps N] [--wallets]`: nights of crashes, each decided by one number.

use betring_fuzz::linear;
use betring_fuzz::minimize;
use betring_fuzz::sim::{self, Counts, Failure};
use clap::Parser;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Of so many nights one is played with the whole engine.
const WHOLE: u64 = 8;
/// How often it is said how far it has come, in seconds.
const SAYS_EVERY: u64 = 10;

/// Plays nights of betting with crashes, lying disks, retries and late results, and checks everything against
/// a second implementation of the rules.
#[derive(Parser)]
struct Args {
    /// The first night's number, decimal or 0x…; the others follow. Without it: the clock's, printed.
    seed: Option<String>,
    /// How many nights.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// How much happens in one.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Tell everything that led to a violation; of nights with the bare loop.
    #[arg(long, conflicts_with = "engine")]
    trace: bool,
    /// Play with the whole engine, not with the bare loop: slower, and with its rings and handles.
    #[arg(long)]
    engine: bool,
    /// Play with the bare loop only.
    #[arg(long, conflicts_with = "engine")]
    bare: bool,
    /// Nights in which most money is in external wallets, whose answers are slow, lost, doubled and late.
    #[arg(long)]
    wallets: bool,
    /// Print how often which step of the life cycles was taken.
    #[arg(long)]
    tables: bool,
    /// Do not shorten a violation.
    #[arg(long)]
    quick: bool,
    /// How many threads play.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    threads: u64,
    /// No nights: callers race each other on the engine's threads, and the history of their calls and returns
    /// has to be that of one order. `--steps` is how often they ask.
    #[arg(long, conflicts_with_all = ["engine", "bare", "wallets", "tables", "trace", "quick", "threads"])]
    race: bool,
}

/// Races of callers, one after the other: each has threads of its own.
fn race(seed: u64, runs: u64, attempts: usize) -> ExitCode {
    let mut all = linear::Checked::default();
    for run in 0..runs {
        let seed = seed.wrapping_add(run);
        let history = linear::race().seed(seed).record(attempts);
        let checked = history.and_then(|history| history.check().map_err(|e| e.to_string()));
        match checked {
            Ok(checked) => {
                println!("{seed:#x}: {checked}");
                all.add(&checked);
            }
            Err(what) => {
                println!("VIOLATION\n{what}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{runs} races: {all}\n0 violations");
    ExitCode::SUCCESS
}

fn main() -> ExitCode {
    let args = Args::parse();
    let steps = args.steps as usize;
    let seed = match args.seed.as_deref().map(seed_of) {
        Some(Some(seed)) => seed,
        Some(None) => {
            eprintln!("the seed is a number like 24301 or 0x5eed");
            return ExitCode::from(2);
        }
        None => {
            let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            clock.map_or(1, |since| since.as_nanos() as u64)
        }
    };
    if args.race {
        println!("seed {seed:#x}, {} races of {} attempts", args.runs, args.steps);
        return race(seed, args.runs, steps);
    }
    println!("seed {seed:#x}, {} nights of {} inputs", args.runs, args.steps);
    // A broken assertion is told as a violation, once.
    std::panic::set_hook(Box::new(|_| ()));
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let all: Mutex<Counts> = Mutex::default();
    let broken: Mutex<Option<Failure>> = Mutex::new(None);
    let (played, says) = (AtomicU64::new(0), AtomicU64::new(SAYS_EVERY));
    std::thread::scope(|scope| {
        for _ in 0..args.threads.max(1) {
            scope.spawn(|| {
                let mut counts = Counts::default();
                while !stop.load(Ordering::Relaxed) {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    if args.runs <= run {
                        break;
                    }
                    let seed = seed.wrapping_add(run);
                    let night = if args.engine || (!args.bare && run % WHOLE == WHOLE - 1) {
                        sim::whole::night_of(seed, steps, args.wallets)
                    } else {
                        sim::night_of(seed, steps, args.wallets)
                    };
                    match night {
                        Ok(night) => counts.add(&night),
                        Err(failure) => {
                            println!("VIOLATION\n{failure}");
                            stop.store(true, Ordering::Relaxed);
                            let mut first = broken.lock().unwrap_or_else(PoisonError::into_inner);
                            first.get_or_insert(*failure);
                        }
                    }
                    let (played, at) =
                        (1 + played.fetch_add(1, Ordering::Relaxed), began.elapsed().as_secs());
                    let due = says.load(Ordering::Relaxed);
                    let next = at + SAYS_EVERY;
                    let order = Ordering::Relaxed;
                    if due <= at && says.compare_exchange(due, next, order, order).is_ok() {
                        println!("{at} s: {played} of {} nights", args.runs);
                    }
                }
                all.lock().unwrap_or_else(PoisonError::into_inner).add(&counts);
            });
        }
    });
    let counts = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{counts}");
    let took = began.elapsed().as_secs_f64();
    println!("{took:.1} s, {:.0} crashes a second", counts.crashes as f64 / took);
    if args.tables {
        println!("{}", counts.hits);
    }
    match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => {
            println!("0 violations");
            ExitCode::SUCCESS
        }
        Some(failure) => {
            if args.trace && !failure.whole {
                trace(&failure);
            }
            if !args.quick {
                let short = minimize::shorten(&failure);
                println!(
                    "\nas short as was found, {} inputs: {}\n\n{}",
                    short.inputs.len(),
                    short.what,
                    minimize::script(&short)
                );
            }
            ExitCode::FAILURE
        }
    }
}

/// Every input, and the records that came of it.
fn trace(failure: &Failure) {
    let mut machine = sim::Machine::new(failure.seed);
    for (at, input) in failure.inputs.iter().enumerate() {
        let from = machine.auditor().seq();
        println!("{at:>5}  {input}");
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| machine.act(input)));
        let seq = machine.auditor().seq();
        if seq < from {
            println!("       everything behind #{seq} is gone");
        }
        machine.records(from.min(seq)).for_each(|record| println!("       {record}"));
        if !matches!(done, Ok(Ok(()))) {
            break;
        }
    }
}

fn seed_of(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}
