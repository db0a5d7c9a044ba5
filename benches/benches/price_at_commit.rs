//! How long is it from the moment a bet was to be sent (t0) to the moment its client sees the reply
//! (t6), at 10 thousand, 100 thousand and 1 million bets a second, for each level of reply?
//!
//! Journal, rings and threads included. The load is open: nothing waits for an answer, and what is
//! sent late counts from when it was to be sent. `Process` and `Applied` run without any output at
//! `Durable`, so the journal is synced every 100 ms or 4 MiB.
//!
//! `cargo bench -p betring-benches --bench price_at_commit -- [--seconds S] [--layout auto|one|two]`

use betring::logic::command::{self, PricePolicy};
use betring::logic::wire::{self, Header, Minor, Slot, WirePrice};
use betring::{
    AccountId, AnswerKind, Capacities, Client, Config, Currency, Engine, Layout, Level, Limits,
    MarketId, Nanos, Reference, Reply, RequestKey, SelectionIndex, Timestamp, money, price,
};
use betring_benches::load::{OpenLoop, Profile};
use betring_benches::machine::Machine;
use betring_benches::recorder::{Count, Quantiles, Recorder, Span, Table};
use std::collections::VecDeque;
use std::error::Error;
use std::path::Path;

const RATES: [u64; 3] = [10_000, 100_000, 1_000_000];
const LEVELS: [Level; 3] = [Level::AppliedOnlyMayVanish, Level::ProcessCrashOnly, Level::Durable];
const ACCOUNTS: u64 = 1_000;
const MARKETS: usize = 10;
const CREDIT: usize = 1 << 16;
const BATCH: usize = 64;
/// The first tenth warms up and is not counted.
const WARM: u64 = 10;
/// No run takes longer than this to answer what was sent.
const DRAIN_NS: i64 = 20_000_000_000;

struct Options {
    rates: Vec<u64>,
    accounts: u64,
    duration_ns: u64,
    layout: Layout,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        rates: RATES.to_vec(),
        accounts: ACCOUNTS,
        duration_ns: 2_000_000_000,
        layout: Layout::Auto,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            // What cargo says to every bench.
            "--bench" => (),
            "--test" => {
                options.rates = vec![2_000];
                options.accounts = 20;
                options.duration_ns = 200_000_000;
            }
            "--seconds" => {
                let seconds = words.next().and_then(|s| s.parse::<u64>().ok());
                let seconds = seconds.filter(|s| (1..=60).contains(s));
                options.duration_ns = seconds.ok_or("--seconds takes 1 to 60")? * 1_000_000_000;
            }
            "--layout" => {
                options.layout = match words.next().as_deref() {
                    Some("auto") => Layout::Auto,
                    Some("one") => Layout::OneThread,
                    Some("two") => Layout::TwoThread,
                    _ => return Err("--layout takes auto, one or two".to_owned()),
                }
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(options)
}

/// One run at one rate and level.
struct Run {
    layout: String,
    latency: Quantiles,
    sent: u64,
    refused: u64,
    late: u64,
    answered: u64,
    /// Bets a second that were answered while the load lasted, and after it until the last.
    answered_per_s: u64,
    bytes_per_bet: u64,
    syncs: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let above = tempfile::Builder::new()
        .prefix("betring-price-at-commit-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{}", Machine::measure(above.path()));
    let mut table = Table::new([
        "level",
        "rate",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "answered",
        "refused",
        "late",
        "syncs",
        "bytes/bet",
    ]);
    let mut layout = String::new();
    for level in LEVELS {
        for rate in &options.rates {
            let dir = above.path().join("book");
            let run = run(&dir, level, *rate, &options)?;
            std::fs::remove_dir_all(&dir)?;
            let q = run.latency;
            let mut cells = vec![level.to_string(), format!("{}/s", Count(*rate))];
            cells.extend([q.p50, q.p90, q.p99, q.p999, q.max].map(|ns| Span(ns).to_string()));
            cells.push(format!("{}/s", Count(run.answered_per_s)));
            cells.push(Count(run.refused).to_string());
            cells.push(format!("{:.1} %", run.late as f64 * 100.0 / run.sent.max(1) as f64));
            cells.push(Count(run.syncs).to_string());
            cells.push(run.bytes_per_bet.to_string());
            table.row(cells);
            layout = run.layout;
        }
    }
    let seconds = options.duration_ns as f64 / 1e9;
    println!(
        "t6 - t0, layout {layout}, window 5 min, {} accounts, {MARKETS} markets, {seconds} s \
         a row, the first tenth not counted",
        options.accounts,
    );
    print!("{table}");
    Ok(())
}

fn run(dir: &Path, level: Level, rate: u64, options: &Options) -> Result<Run, Box<dyn Error>> {
    let bets = u32::try_from(rate * options.duration_ns / 1_000_000_000)? + 10_000;
    // Events, prices and exposure come from the journal: they cannot be at Applied.
    let outputs = match level {
        Level::Durable => Level::Durable,
        Level::ProcessCrashOnly | Level::AppliedOnlyMayVanish => Level::ProcessCrashOnly,
    };
    let config = Config::at(dir)
        .layout(options.layout)
        .outputs_level(outputs)
        .clients(8, CREDIT)
        .bet_ring(1 << 16)
        .limits(Limits {
            min_stake: Minor(1),
            max_stake: Minor(1_000_000),
            max_payout: Minor(1_000_000_000),
            max_liability: Minor(1_000_000_000_000_000),
            ..Limits::UNLIMITED
        })
        .capacities(Capacities {
            accounts: 2_048,
            markets: 16,
            selections: 64,
            bets,
            // A sixteenth is never a customer's.
            keys: bets + bets / 15,
            feeds: 1,
            fixtures: 1,
            actors: 4,
            currencies: 1,
            quarantined: 1,
            legs: bets,
            groups: 1,
            limited: 1,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        });
    let engine = Engine::open(config)?;
    let layout = engine.health().layout.to_string();
    let mut trader = engine.control("trader")?;
    let mut markets = Vec::new();
    for place in 0..MARKETS {
        let market = trader.define_market(&format!("M{place}"), ["home", "draw", "away"])?;
        trader.set_prices(&market, [price!(2.10), price!(3.40), price!(3.75)])?;
        trader.open_market(&market)?;
        markets.push(market.id());
    }
    // A control handle asks for Durable: gone, the level under test is the strongest.
    drop(trader);
    let mut client = engine.client_at(CREDIT, level)?;
    let mut accounts = Vec::new();
    for reference in 1..=options.accounts {
        let account = client.open_account(Reference(reference), Currency::GBP)?;
        client.deposit(account, money!(10000000.00), RequestKey(u128::from(reference)))?;
        accounts.push(account);
    }
    let before = engine.health().counts;
    let mut load =
        Load { client: &mut client, accounts, markets, dice: 1, waiting: VecDeque::new() };
    let run = load.play(&engine, rate, options.duration_ns)?;
    let after = engine.health().counts;
    let bets = run.latency.count.max(1);
    drop(client);
    let closed = engine.shutdown()?;
    if bets < 100_000 {
        // Quick and wrong would be no result: a replay comes to the same state.
        let replayed = betring::replay(dir, &mut |_| ())?;
        assert_eq!(replayed.digest, closed.digest, "a replay comes to the same state");
    }
    Ok(Run {
        layout,
        bytes_per_bet: (after.journal_bytes - before.journal_bytes) / run.answered.max(1),
        syncs: after.syncs - before.syncs,
        ..run
    })
}

struct Load<'a> {
    client: &'a mut Client,
    accounts: Vec<AccountId>,
    markets: Vec<MarketId>,
    dice: u64,
    /// When each of the bets in flight was to be sent.
    waiting: VecDeque<i64>,
}

impl Load<'_> {
    fn play(
        &mut self,
        engine: &Engine,
        rate: u64,
        duration_ns: u64,
    ) -> Result<Run, Box<dyn Error>> {
        let clock = engine.clock();
        let base = clock.now().plus(Nanos::from_millis(5));
        let now_ns = || clock.now().since(base).0;
        let mut load = OpenLoop::new(Profile::steady(rate, duration_ns).times().map(|at| (at, ())));
        let mut latency = Recorder::new();
        let mut replies = vec![Reply::default(); 1_024];
        let mut slots: Vec<Slot> = Vec::with_capacity(BATCH);
        let mut intended: Vec<i64> = Vec::with_capacity(BATCH);
        let (mut refused, mut answered, mut last_ns) = (0, 0u64, 0);
        let counted_from = i64::try_from(duration_ns / WARM)?;
        loop {
            let now = now_ns();
            while slots.len() < BATCH
                && let Some((at_ns, ())) = load.due(u64::try_from(now).unwrap_or(0))
                && 0 <= now
            {
                slots.push(self.bet(base.plus(Nanos(now))));
                intended.push(i64::try_from(at_ns)?);
            }
            let sent = slots.len();
            if 0 < sent {
                let submitted = self.client.submit_batch(&slots);
                self.waiting.extend(&intended[..submitted.commands]);
                refused += (sent - submitted.commands) as u64;
                slots.clear();
                intended.clear();
            }
            let read = self.client.poll(&mut replies);
            if 0 < read {
                last_ns = now_ns();
            }
            for reply in &replies[..read] {
                let at_ns = self.waiting.pop_front().ok_or("a reply to nothing")?;
                if reply.answer.kind() != AnswerKind::Accepted {
                    return Err(format!("every bet of this load is good: {reply}").into());
                }
                answered += 1;
                if counted_from <= at_ns {
                    latency.record(last_ns - at_ns);
                }
            }
            if load.next_ns().is_none() && slots.is_empty() && self.waiting.is_empty() {
                break;
            }
            if i64::try_from(duration_ns)? + DRAIN_NS < now {
                return Err(format!("{} bets are not answered", self.waiting.len()).into());
            }
            if sent == 0 && read == 0 {
                std::thread::yield_now();
            }
        }
        let kept = load.lateness();
        Ok(Run {
            layout: String::new(),
            latency: latency.quantiles(),
            sent: kept.sent,
            refused,
            late: kept.late,
            answered,
            answered_per_s: u64::try_from(
                u128::from(answered) * 1_000_000_000 / u128::try_from(last_ns.max(1))?,
            )?,
            bytes_per_bet: 0,
            syncs: 0,
        })
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(self.dice) * u128::from(bound)) >> 64) as u64
    }

    fn bet(&mut self, now: Timestamp) -> Slot {
        let (account, market) =
            (self.below(self.accounts.len() as u64) as usize, self.below(MARKETS as u64) as usize);
        let (account, market) = (self.accounts[account], self.markets[market]);
        let body = command::Place {
            valid_until: now.plus(Nanos::from_secs(30)),
            market,
            stake: Minor(100),
            price: WirePrice::decimal(price!(2.10)),
            selection: SelectionIndex(self.below(3) as u16),
            policy: PricePolicy::Better as u8,
            ..Default::default()
        };
        let key = RequestKey((u128::from(self.dice) << 64) | 1);
        wire::slot(Header::customer(account, key), &body)
    }
}
