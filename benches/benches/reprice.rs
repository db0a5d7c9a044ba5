//! How long is it from a feed's message about a match to all of the match's prices in force, and how many matches a
//! second does one core reprice?
//!
//! A feed says new means or a goal; the pricer prices 236 outcomes in 83 markets and publishes those that changed; the loop
//! takes them as one command, journals it and publishes them. Latency is open: it counts from when the message was to come
//! to the moment a reader sees a price of the market that is published last. The second figure is of one thread that does all of it, the
//! journal's page cache included, as fast as it can.
//!
//! `cargo bench -p betring-benches --bench reprice -- [--seconds S] [--rate N]`

use betring::pricer::football::{Football, Match};
use betring::pricer::{Priced, Target};
use betring::pricing::derive::football::{Margins, Market, OUTCOMES, Outcome, Score};
use betring::pricing::model::football::GoalModel;
use betring::{
    Capacities, Clock, Config, Control, Engine, Feed, Layout, Level, MarketId, MarketTerms, Model,
    Nanos, Price, Pricer, SelectionIndex, Timestamp, WirePrice,
};
use betring_benches::load::{OpenLoop, Profile};
use betring_benches::machine::Machine;
use betring_benches::recorder::{Count, Recorder, Span, Table};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

const MARGIN: f64 = 0.05;
/// The first tenth warms up and is not counted.
const WARM: u64 = 10;

struct Options {
    rates: Vec<u64>,
    duration_ns: u64,
    matches: u32,
    /// Repricings on one core.
    count: u32,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        rates: vec![100, 1_000, 4_000],
        duration_ns: 3_000_000_000,
        matches: 50,
        count: 50_000,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = |most: u64| words.next()?.parse().ok().filter(|n| (1..=most).contains(n));
        match word.as_str() {
            // What cargo says to every bench.
            "--bench" => (),
            "--test" => {
                options =
                    Options { rates: vec![200], duration_ns: 200_000_000, matches: 2, count: 4 }
            }
            "--seconds" => {
                let seconds = number(60).ok_or("--seconds takes 1 to 60")?;
                options.duration_ns = seconds * 1_000_000_000;
            }
            "--rate" => {
                options.rates = vec![number(100_000).ok_or("--rate takes 1 to 100000 a second")?];
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let above = tempfile::Builder::new()
        .prefix("betring-reprice-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{}", Machine::measure(above.path()));
    let dir = above.path().join("book");
    let mut table = Table::new([
        "outputs",
        "matches",
        "prices",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "late",
        "overwritten",
    ]);
    for level in [Level::ProcessCrashOnly, Level::Durable] {
        for rate in &options.rates {
            let mut night = Night::open(&dir, Layout::Auto, level, options.matches)?;
            let cells = night.in_time(*rate, options.duration_ns)?;
            table.row([format!("{level}")].into_iter().chain(cells));
            night.close(&dir)?;
        }
    }
    let layout = Layout::Auto;
    let seconds = options.duration_ns as f64 / 1e9;
    println!(
        "from a feed's message to all prices of a match, layout {layout}, {} matches of {OUTCOMES} prices, {seconds} \
         s a row, the first tenth not counted",
        options.matches
    );
    print!("{table}");

    let mut night = Night::open(&dir, Layout::Inline, Level::ProcessCrashOnly, options.matches)?;
    let spent = night.on_one_core(options.count)?;
    night.close(&dir)?;
    let (count, each) = (u64::from(options.count), |n: u64| spent.ns / n.max(1));
    println!(
        "one core, pricer, loop and journal: {} matches a second ({} each, {} of it in the program), {} prices a second ({} \
         each); {} journaled of a match, {} syncs",
        Count(1_000_000_000 / each(count).max(1)),
        Span(each(count)),
        Span(spent.program_ns / count.max(1)),
        Count(1_000_000_000 / each(spent.prices).max(1)),
        Span(each(spent.prices)),
        Count(spent.bytes / count.max(1)),
        Count(spent.syncs),
    );
    Ok(())
}

/// What repricing on one core came to.
struct Spent {
    ns: u64,
    /// Of it outside of the kernel.
    program_ns: u64,
    prices: u64,
    bytes: u64,
    syncs: u64,
}

/// What this thread has computed so far outside of the kernel, in nanoseconds; it is counted in hundredths of a second.
fn program_ns() -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/stat")?;
    // The name is in brackets, and may contain anything.
    let after = stat.rsplit_once(") ").ok_or("a thread has a name")?.1;
    let ticks: u64 = after.split(' ').nth(11).ok_or("a thread has a time")?.parse()?;
    Ok(ticks * 10_000_000)
}

/// A running engine with matches, all of them priced.
struct Night {
    engine: Engine,
    pricer: Pricer<Football>,
    matches: Vec<Priced>,
    /// The markets of each match, with the places of their prices.
    markets: Vec<Vec<(MarketId, std::ops::Range<usize>)>>,
    /// How often each match was repriced.
    steps: Vec<u32>,
}

/// What is known of a match at a step: nothing stays as it was.
fn known(step: u32) -> Match {
    let left = 1.0 - f64::from(step % 50) / 100.0;
    let to_come = GoalModel::dixon_coles(1.6 * left, 1.1 * left, -0.08).expect("a model");
    Match { to_come, score: Score::new((step / 50 % 2) as u8, 0) }
}

fn football() -> Football {
    Football::new(Margins::uniform(MARGIN).expect("a margin"), None)
}

impl Night {
    fn open(
        dir: &Path,
        layout: Layout,
        outputs: Level,
        count: u32,
    ) -> Result<Night, Box<dyn Error>> {
        let markets = 84 * count;
        let config = Config::at(dir)
            .layout(layout)
            .clock(Clock::wall())
            .outputs_level(outputs)
            .control_ring(1 << 14)
            .clients(8, 1 << 12)
            .capacities(Capacities {
                accounts: 16,
                markets,
                selections: markets * 4,
                bets: 1_024,
                keys: 1 << 16,
                feeds: 2,
                fixtures: count,
                actors: 8,
                currencies: 1,
                quarantined: 1,
                legs: 1_024,
                groups: 1,
                limited: 1,
                orders: 1,
                positions: 1,
                stands: 1,
                levels: 1,
            });
        let engine = Engine::open(config)?;
        let mut trader = engine.control("trader")?;
        let mut feed: Feed = engine.feed("model", Nanos::from_secs(600))?;
        feed.recovered(Timestamp(0)).map(drop)?;
        let from = feed.id();
        let mut pricer = Pricer::new(feed, football(), count as usize);
        let (mut matches, mut markets) = (Vec::new(), Vec::new());
        for number in 0..count {
            let id = trader.define_fixture(&format!("match {number}"), Timestamp(0))?;
            let define = |control: &mut Control, bets: Market, outcomes: &[Outcome]| {
                let names = outcomes.iter().map(Outcome::to_string);
                let terms = MarketTerms::new(format!("{number} {bets}"), names)
                    .winners(bets.winners())
                    .feed(from)
                    .fixture(id);
                let market = control.define(terms)?.id();
                control.open_market(market)?;
                Ok::<MarketId, betring::Error>(market)
            };
            let mut of_match = Vec::new();
            for (bets, places) in Market::all() {
                of_match.push((define(&mut trader, bets, &Outcome::ALL[places.clone()])?, places));
            }
            let targets: Vec<Target> = of_match
                .iter()
                .flat_map(|(market, places)| Target::all(*market, places.clone()))
                .collect();
            matches.push(pricer.add(id, &targets)?);
            markets.push(of_match);
        }
        let steps = vec![0; matches.len()];
        let mut night = Night { engine, pricer, matches, markets, steps };
        // Everything is priced once before anything is measured.
        let now = night.engine.clock().now();
        for at in 0..night.matches.len() {
            night.next(at, now);
        }
        while night.pricer.turn()? != 0 {
            if layout == Layout::Inline {
                night.engine.turn()?;
            }
        }
        night.pricer.feed().settle(Duration::from_secs(20))?;
        Ok(night)
    }

    /// A price of a match that changes with every step, in the market that is published last.
    fn last(&self, at: usize) -> (MarketId, SelectionIndex) {
        let (market, _) = self.markets[at].last().expect("a match has markets");
        (*market, SelectionIndex(0))
    }

    fn next(&mut self, at: usize, as_of: Timestamp) {
        self.steps[at] += 1;
        self.pricer.input(self.matches[at], known(self.steps[at]), as_of);
    }

    /// So many messages a second; the cells of a row.
    fn in_time(&mut self, rate: u64, duration_ns: u64) -> Result<Vec<String>, Box<dyn Error>> {
        let before = self.pricer.counts();
        let clock = self.engine.clock();
        let prices = self.engine.prices();
        let base = clock.now().plus(Nanos::from_millis(5));
        let mut load = OpenLoop::new(Profile::steady(rate, duration_ns).times().map(|at| (at, ())));
        let mut latency = Recorder::new();
        let counted_from = i64::try_from(duration_ns / WARM)?;
        // Matches whose prices nobody has seen yet, and since when they are due.
        let mut unseen: Vec<Option<i64>> = vec![None; self.matches.len()];
        let mut turn = 0;
        loop {
            let now = clock.now().since(base).0;
            while let Some((at_ns, ())) = load.due(u64::try_from(now).unwrap_or(0))
                && 0 <= now
            {
                let at = turn % self.matches.len();
                turn += 1;
                let at_ns = i64::try_from(at_ns)?;
                self.next(at, base.plus(Nanos(at_ns)));
                // Overwritten, it is late from the first time on.
                unseen[at].get_or_insert(at_ns);
            }
            self.pricer.turn()?;
            for (at, waits) in unseen.iter_mut().enumerate() {
                let Some(due) = *waits else { continue };
                let (market, selection) = self.last(at);
                let seen = prices.get(market, selection);
                if seen.is_some_and(|seen| base.plus(Nanos(due)) <= seen.received) {
                    if counted_from <= due {
                        latency.record(clock.now().since(base).0 - due);
                    }
                    *waits = None;
                }
            }
            let waits = unseen.iter().any(Option::is_some);
            if load.next_ns().is_none() && !waits {
                break;
            }
            if i64::try_from(duration_ns)? + 20_000_000_000 < now {
                return Err("prices are not in force twenty seconds after the last message".into());
            }
        }
        let (q, counts, kept) = (latency.quantiles(), self.pricer.counts(), load.lateness());
        let mut cells =
            vec![format!("{}/s", Count(rate)), Count(counts.prices - before.prices).to_string()];
        cells.extend([q.p50, q.p90, q.p99, q.p999, q.max].map(|ns| Span(ns).to_string()));
        cells.push(format!("{:.1} %", kept.late as f64 * 100.0 / kept.sent.max(1) as f64));
        cells.push(Count(counts.overwritten - before.overwritten).to_string());
        Ok(cells)
    }

    /// All on this thread, as fast as it can.
    fn on_one_core(&mut self, count: u32) -> Result<Spent, Box<dyn Error>> {
        let clock = self.engine.clock();
        let journal = self.engine.health().counts;
        let (before, program, began) = (self.pricer.counts(), program_ns()?, clock.now());
        for done in 0..count as usize {
            self.next(done % self.matches.len(), clock.now());
            while self.pricer.turn()? != 0 {
                self.engine.turn()?;
            }
        }
        self.engine.run_until_idle()?;
        let (after, ended) = (self.pricer.counts(), clock.now());
        assert_eq!(after.published - before.published, u64::from(count), "nothing was left out");
        let journaled = self.engine.health().counts;
        Ok(Spent {
            ns: u64::try_from(ended.since(began).0)?,
            program_ns: program_ns()? - program,
            prices: after.prices - before.prices,
            bytes: journaled.journal_bytes - journal.journal_bytes,
            syncs: journaled.syncs - journal.syncs,
        })
    }

    /// Quick and wrong would be no result: every price is its model's, none was refused, and a replay comes to the same.
    fn close(mut self, dir: &Path) -> Result<(), Box<dyn Error>> {
        self.pricer.feed().settle(Duration::from_secs(20))?;
        assert_eq!(self.pricer.feed().refused(), (0, None), "every price of this load is good");
        let (prices, mut model) = (self.engine.prices(), football());
        let until = Instant::now() + Duration::from_secs(20);
        let mut expected: Vec<Option<Price>> = vec![None; OUTCOMES];
        for (step, markets) in self.steps.iter().zip(&self.markets) {
            model.price(&known(*step), &mut expected)?;
            for (market, places) in markets {
                for target in Target::all(*market, places.clone()) {
                    let right = expected[target.at].map(WirePrice::decimal);
                    let seen = || prices.get(*market, target.selection).map(|seen| seen.price);
                    // What is published follows what is answered.
                    while seen() != right && Instant::now() < until {
                        std::thread::yield_now();
                    }
                    assert_eq!(seen(), right, "{market} {}", target.selection);
                }
            }
        }
        drop(self.pricer);
        let closed = self.engine.shutdown()?;
        let replayed = betring::replay(dir, &mut |_| ())?;
        assert_eq!(replayed.digest, closed.digest, "a replay comes to the same state");
        std::fs::remove_dir_all(dir)?;
        Ok(())
    }
}
