//! How long is it from a feed's message about a match to all of the match's prices in force, and how many matches a
//! second does one core reprice?
//!
//! A feed says new means or a goal; the pricer prices 236 outcomes in 83 markets and publishes those that changed; the loop
//! takes them as one command, journals it and publishes them. Latency is open: it counts from when the message was to come
//! to the moment a reader sees a price of the market that is published last. The second figure is of one thread that does
//! all of it, the journal's page cache included, as fast as it can.

use crate::error::Error;
use crate::load::{Lateness, OpenLoop, Profile};
use crate::recorder::Recorder;
use betring::pricer::football::{Football, Match};
use betring::pricer::{Priced, Target};
use betring::pricing::derive::football::{Margins, Market, OUTCOMES, Outcome, Score};
use betring::pricing::model::football::GoalModel;
use betring::{
    Capacities, Clock, Config, Control, Engine, Feed, Layout, Level, MarketId, MarketTerms, Model,
    Nanos, Price, Pricer, SelectionIndex, Timestamp, WirePrice,
};
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

const MARGIN: f64 = 0.05;
/// The first tenth warms up and is not counted.
const WARM: u64 = 10;

/// What is measured in time.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// When prices are published.
    pub outputs: Level,
    /// Threads of the engine.
    pub layout: Layout,
    /// Matches, each repriced in its turn.
    pub matches: u32,
    /// Messages a second.
    pub rate: u64,
    /// For so long; the first tenth is not counted.
    pub duration: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct InTime {
    /// From the intended moment of a message to the last price of its match in force.
    pub latency: Recorder,
    /// Prices that changed and were published.
    pub prices: u64,
    /// Messages that another overtook before they were priced.
    pub overwritten: u64,
    /// How well the schedule was kept.
    pub kept: Lateness,
}

/// What repricing on one core came to.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// All of it, in nanoseconds.
    pub ns: u64,
    /// Of it outside of the kernel.
    pub program_ns: u64,
    /// Prices that were published.
    pub prices: u64,
    /// Bytes journaled.
    pub bytes: u64,
    /// Syncs.
    pub syncs: u64,
}

/// Measures once, in a directory that is made and left behind: every price has to be its model's in the end, and the
/// journal decided again gives the same state.
///
/// # Errors
/// [`Error::Wrong`] if the result does not hold, and those of the engine and its files.
pub fn in_time(dir: &Path, plan: &Plan) -> Result<InTime, Error> {
    let mut night = Night::open(dir, plan.layout, plan.outputs, plan.matches)?;
    let measured = night.in_time(plan)?;
    night.close(dir)?;
    Ok(measured)
}

/// Reprices so many times on this thread, as fast as it can, under the same checks.
///
/// # Errors
/// Those of [`in_time`].
pub fn on_one_core(dir: &Path, matches: u32, count: u32) -> Result<Spent, Error> {
    let mut night = Night::open(dir, Layout::Inline, Level::ProcessCrashOnly, matches)?;
    let spent = night.on_one_core(count)?;
    night.close(dir)?;
    Ok(spent)
}

/// What this thread has computed so far outside of the kernel, in nanoseconds; it is counted in hundredths of a second. 0 where the kernel does not say.
fn program_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    // The name is in brackets, and may contain anything.
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    let ticks: u64 = after.split(' ').nth(11).and_then(|ticks| ticks.parse().ok()).unwrap_or(0);
    ticks * 10_000_000
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
    fn open(dir: &Path, layout: Layout, outputs: Level, count: u32) -> Result<Night, Error> {
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
        feed.recovered(Timestamp(0)).map(drop).map_err(betring::Error::from)?;
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
            matches.push(pricer.add(id, &targets).map_err(|why| Error::Wrong(why.to_string()))?);
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

    /// So many messages a second.
    fn in_time(&mut self, plan: &Plan) -> Result<InTime, Error> {
        let duration_ns = u64::try_from(plan.duration.as_nanos()).unwrap_or(u64::MAX);
        let before = self.pricer.counts();
        let clock = self.engine.clock();
        let prices = self.engine.prices();
        let base = clock.now().plus(Nanos::from_millis(5));
        let mut load =
            OpenLoop::new(Profile::steady(plan.rate, duration_ns).times().map(|at| (at, ())));
        let mut latency = Recorder::new();
        let counted_from = i64::try_from(duration_ns / WARM).unwrap_or(i64::MAX);
        // Of each match the messages whose prices nobody has seen yet, by when they are due. One that is overtaken is
        // late until the prices of the newer one are in force.
        let mut unseen: Vec<VecDeque<i64>> = vec![VecDeque::new(); self.matches.len()];
        let mut counted = 0;
        let mut turn = 0;
        loop {
            let now = clock.now().since(base).0;
            while let Some((at_ns, ())) = load.due(u64::try_from(now).unwrap_or(0))
                && 0 <= now
            {
                let at = turn % self.matches.len();
                turn += 1;
                let at_ns = i64::try_from(at_ns).unwrap_or(i64::MAX);
                self.next(at, base.plus(Nanos(at_ns)));
                unseen[at].push_back(at_ns);
                counted += u64::from(counted_from <= at_ns);
            }
            self.pricer.turn()?;
            for (at, waits) in unseen.iter_mut().enumerate() {
                if waits.is_empty() {
                    continue;
                }
                let (market, selection) = self.last(at);
                let Some(seen) = prices.get(market, selection) else { continue };
                while let Some(due) =
                    waits.pop_front_if(|due| base.plus(Nanos(*due)) <= seen.received)
                {
                    if counted_from <= due {
                        latency.record(clock.now().since(base).0 - due);
                    }
                }
            }
            let waits = unseen.iter().any(|waits| !waits.is_empty());
            if load.next_ns().is_none() && !waits {
                break;
            }
            let end = i64::try_from(duration_ns).unwrap_or(i64::MAX);
            Error::unless(now < end.saturating_add(20_000_000_000), || {
                "prices are not in force twenty seconds after the last message".to_owned()
            })?;
        }
        Error::unless(latency.count() == counted, || {
            format!("of {counted} messages {} have their prices", latency.count())
        })?;
        let counts = self.pricer.counts();
        Ok(InTime {
            latency,
            prices: counts.prices - before.prices,
            overwritten: counts.overwritten - before.overwritten,
            kept: load.lateness(),
        })
    }

    /// All on this thread, as fast as it can.
    fn on_one_core(&mut self, count: u32) -> Result<Spent, Error> {
        let clock = self.engine.clock();
        let journal = self.engine.health().counts;
        let (before, program, began) = (self.pricer.counts(), program_ns(), clock.now());
        for done in 0..count as usize {
            self.next(done % self.matches.len(), clock.now());
            while self.pricer.turn()? != 0 {
                self.engine.turn()?;
            }
        }
        self.engine.run_until_idle()?;
        let (after, ended) = (self.pricer.counts(), clock.now());
        let published = after.published - before.published;
        Error::unless(published == u64::from(count), || {
            format!("{published} of {count} repricings were published")
        })?;
        let journaled = self.engine.health().counts;
        Ok(Spent {
            ns: u64::try_from(ended.since(began).0).unwrap_or(0),
            program_ns: program_ns() - program,
            prices: after.prices - before.prices,
            bytes: journaled.journal_bytes - journal.journal_bytes,
            syncs: journaled.syncs - journal.syncs,
        })
    }

    /// Quick and wrong would be no result: every price is its model's, none was refused, and a replay comes to the same.
    fn close(mut self, dir: &Path) -> Result<(), Error> {
        self.pricer.feed().settle(Duration::from_secs(20))?;
        let (refused, why) = self.pricer.feed().refused();
        Error::unless(refused == 0, || format!("{refused} prices were refused: {why:?}"))?;
        let (prices, mut model) = (self.engine.prices(), football());
        let until = Instant::now() + Duration::from_secs(20);
        let mut expected: Vec<Option<Price>> = vec![None; OUTCOMES];
        for (step, markets) in self.steps.iter().zip(&self.markets) {
            model
                .price(&known(*step), &mut expected)
                .map_err(|why| Error::Wrong(why.to_string()))?;
            for (market, places) in markets {
                for target in Target::all(*market, places.clone()) {
                    let right = expected[target.at].map(WirePrice::decimal);
                    let seen = || prices.get(*market, target.selection).map(|seen| seen.price);
                    // What is published follows what is answered.
                    while seen() != right && Instant::now() < until {
                        std::thread::yield_now();
                    }
                    Error::unless(seen() == right, || {
                        format!(
                            "{market} {} is {:?}, and its model says {right:?}",
                            target.selection,
                            seen()
                        )
                    })?;
                }
            }
        }
        drop(self.pricer);
        let closed = self.engine.shutdown()?;
        let replayed = betring::replay(dir, &mut |_| ())?;
        Error::unless(replayed.digest == closed.digest, || {
            format!("deciding the journal again gives another state: {}", replayed.digest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_repriced_in_time_and_on_one_core_and_every_price_is_its_models() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let plan = Plan {
            outputs: Level::ProcessCrashOnly,
            layout: Layout::OneThread,
            matches: 1,
            rate: 50,
            duration: Duration::from_millis(200),
        };
        let measured = in_time(&dir.path().join("in time"), &plan).expect("it holds");
        assert_eq!(measured.kept.sent, 10);
        assert!(0 < measured.prices && measured.latency.count() <= 9);
        let spent = on_one_core(&dir.path().join("one core"), 1, 3).expect("it holds");
        assert!(3 * 83 < spent.prices && 0 < spent.ns && 0 < spent.bytes);
    }
}
