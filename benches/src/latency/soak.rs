//! A long run at one rate through everything that interrupts: segments that end, snapshots, a large settlement, a
//! client that stops reading. Markets are settled and leave memory all the time, as on a day.

use super::requests::{Asked, Requests};
use super::{
    Book, CREDIT, Mix, Plan, Run, Second, fail_unless_busy, fill, play, replies, set_prices,
};
use crate::error::Error;
use crate::machine;
use betring::{
    AccountId, Capacities, Client, Control, Engine, MarketId, Nanos, Reply, ResultTerms,
    SelectionOutcome,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The idempotency window of a soak: as many keys are live as in the last two minutes, at most.
const WINDOW: Nanos = Nanos::from_secs(60);
/// So long bets and keys stay at most: the window, the time a request may take, the turn of the markets.
const STAYS_S: u64 = 150;
/// Every market is settled and replaced within this time.
const TURN: Duration = Duration::from_secs(60);
/// Between the moment a market has another in its place and its result: what is on the way to it arrives.
const ARRIVES: Duration = Duration::from_secs(2);
/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_millis(20);
/// Requests of the client that stops reading, and for how long it does.
const STALLED: usize = 1_000;
const STALLS: Duration = Duration::from_secs(3);
/// Nothing that is begun takes longer.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is measured.
#[derive(Clone, Debug)]
pub struct Soak {
    /// The load; singles.
    pub plan: Plan,
    /// Bets of the one market that is settled on the way.
    pub settle: u32,
}

/// What interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A segment of the journal ended, and the next one began.
    Segment,
    /// A snapshot was made beside the engine.
    Snapshot,
    /// The large market was settled and left memory.
    Settlement,
    /// A client did not read.
    Stall,
}

impl What {
    /// All of them.
    pub const ALL: [What; 4] = [What::Segment, What::Snapshot, What::Settlement, What::Stall];
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            What::Segment => "segment",
            What::Snapshot => "snapshot",
            What::Settlement => "settlement",
            What::Stall => "client stall",
        })
    }
}

/// Something that interrupted, from when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What.
    pub what: What,
    /// Since the start.
    pub from: Duration,
    /// Since the start.
    pub until: Duration,
}

impl Mark {
    /// Whether it reaches into a second, counted from the start.
    pub fn touches(&self, second: u64) -> bool {
        self.from.as_secs() <= second && second <= self.until.as_secs()
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Soaked {
    /// The whole.
    pub run: Run,
    /// Second by second.
    pub seconds: Vec<Second>,
    /// What interrupted, by its beginning.
    pub marks: Vec<Mark>,
    /// Memory of the process by the second, in KiB.
    pub resident_kib: Vec<u64>,
    /// Markets that were settled and left memory, the large one included.
    pub settled: u64,
}

impl Soaked {
    /// The median of the p99s of seconds that something of `what` touches, of any if none is named; in nanoseconds.
    /// The first second is that of the warming up. None where there is no such second.
    pub fn marked_p99(&self, what: Option<What>) -> Option<u64> {
        self.median(|second| {
            let mut marks =
                self.marks.iter().filter(|mark| what.is_none_or(|what| mark.what == what));
            marks.any(|mark| mark.touches(second))
        })
    }

    /// The same of the seconds that nothing touches.
    pub fn unmarked_p99(&self) -> Option<u64> {
        self.median(|second| !self.marks.iter().any(|mark| mark.touches(second)))
    }

    fn median(&self, of: impl Fn(u64) -> bool) -> Option<u64> {
        let seconds = self.seconds.iter().filter(|second| 0 < second.at && of(second.at));
        let mut all: Vec<u64> = seconds.map(|second| second.latency.p99).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    }

    /// Memory at the end by memory after a tenth of the time: 1 is flat. None of a run of less than ten seconds.
    pub fn growth(&self) -> Option<f64> {
        let early = self.resident_kib.get(self.resident_kib.len() / 10).filter(|kib| 0 < **kib)?;
        let last = self.resident_kib.last()?;
        (10 <= self.resident_kib.len()).then(|| *last as f64 / *early as f64)
    }
}

impl Soak {
    fn stays(&self) -> u64 {
        let rate = self.plan.rate;
        let all = self.plan.requests();
        all.min(rate.saturating_mul(STAYS_S)) + u64::from(self.settle) + 2 * STALLED as u64
    }

    /// Requests of all, the large market included.
    pub fn requests(&self) -> u64 {
        self.plan.requests() + u64::from(self.settle) + STALLED as u64
    }

    /// Why this cannot be measured, if it cannot.
    pub fn impossible(&self) -> Option<String> {
        let most = u64::from(Capacities::MAX) / 2;
        (most < self.stays()).then(|| {
            format!("{} bets would be there at a time, and there is room for {most}", self.stays())
        })
    }
}

/// Measures once, in a directory that is made and left behind.
///
/// # Errors
/// [`Error::Wrong`] if the result does not hold, and those of the engine and its files.
pub fn soak(dir: &Path, soak: &Soak, tell: &mut dyn FnMut(Second)) -> Result<Soaked, Error> {
    let plan = Plan { mix: Mix::Singles, open_bets: 0, ..soak.plan.clone() };
    // Below `Capacities::MAX`: see `impossible`.
    let stays = u32::try_from(soak.stays()).unwrap_or(u32::MAX) + 10_000;
    let small = Plan { duration: Duration::ZERO, ..plan.clone() };
    let capacities = Capacities {
        bets: stays,
        legs: stays,
        keys: stays + stays / 15 + plan.accounts * 2 + plan.markets * 8,
        markets: plan.markets * 4 + 16,
        selections: plan.markets * 12 + 64,
        ..small.capacities()
    };
    let config = plan.config(dir).capacities(capacities).window(WINDOW);
    let mut book = Book::open(config, &plan)?;
    let mut trader = book.engine.control("trader")?;
    let large = market(&mut trader, "the large one")?;
    let places: Arc<[AtomicU64]> = [AtomicU64::new(large.raw())].into();
    let mut filling = Requests::new(Mix::Singles, 1, book.accounts.clone(), places);
    fill(&book.engine, &mut filling, soak.settle)?;
    let Book { engine, client, requests, accounts, markets, .. } = &mut book;
    let engine = &*engine;
    let over = &AtomicBool::new(false);
    let mut seconds = Vec::new();
    let (run, troubled) = std::thread::scope(|scope| {
        let stalling = engine.client_at(CREDIT, plan.level)?;
        let troubles = Troubles {
            engine,
            trader,
            markets: markets.clone(),
            began: Instant::now(),
            marks: Vec::new(),
            resident_kib: Vec::new(),
            named: 0,
            leaving: Vec::new(),
            settled: 0,
        };
        let (accounts, duration) = (accounts.clone(), plan.duration);
        let troubled = scope.spawn(move || troubles.run(duration, large, stalling, accounts, over));
        let each = &mut |second: Second| {
            tell(second);
            seconds.push(second);
        };
        let run = play(engine, client, requests, (None, markets), &plan, each);
        over.store(true, Ordering::Release);
        let troubled = match troubled.join() {
            Ok(troubled) => troubled,
            // What a thread of ours panicked with is ours to show.
            Err(panic) => std::panic::resume_unwind(panic),
        };
        Ok::<_, Error>((run?, troubled?))
    })?;
    let (mut marks, resident_kib, settled) = troubled;
    marks.sort_by_key(|mark: &Mark| mark.from);
    let run = book.close(dir, run)?;
    Ok(Soaked { run, seconds, marks, resident_kib, settled })
}

fn market(trader: &mut Control, name: &str) -> Result<MarketId, Error> {
    let market = trader.define_market(name, ["home", "draw", "away"])?;
    set_prices(trader, &market)?;
    trader.open_market(&market)?;
    Ok(market.id())
}

/// Whoever interrupts, on a thread of its own.
struct Troubles<'a> {
    engine: &'a Engine,
    trader: Control,
    markets: Arc<[AtomicU64]>,
    began: Instant,
    marks: Vec<Mark>,
    resident_kib: Vec<u64>,
    named: u64,
    /// Markets without new bets: since when, and whether the result is given.
    leaving: Vec<Leaving>,
    settled: u64,
}

struct Leaving {
    market: MarketId,
    since: Duration,
    has_result: bool,
    is_large: bool,
}

type Troubled = (Vec<Mark>, Vec<u64>, u64);

impl Troubles<'_> {
    /// Snapshots at a fifth and at four fifths of the time, the settlement at two, the stall at three.
    fn run(
        mut self,
        duration: Duration,
        large: MarketId,
        stalling: Client,
        accounts: Arc<[AccountId]>,
        over: &AtomicBool,
    ) -> Result<Troubled, Error> {
        let engine = self.engine;
        let part = |fifths: u32| duration * fifths / 5;
        let turn = TURN / u32::try_from(self.markets.len()).unwrap_or(u32::MAX).max(1);
        let (mut next_turn, mut next_place) = (turn, 0);
        let mut segments = engine.health().counts.segments;
        let mut snapshots = vec![part(4), part(1)];
        let mut large = Some(large);
        let mut stalling = Some(stalling);
        let places: Arc<[AtomicU64]> = self.markets.clone();
        std::thread::scope(|scope| {
            let mut beside: Vec<std::thread::ScopedJoinHandle<'_, Result<Mark, Error>>> =
                Vec::new();
            loop {
                // What a machine that stood still has left out comes at the end.
                let is_over = over.load(Ordering::Acquire);
                let now = self.began.elapsed();
                let now = if is_over { now.max(duration) } else { now };
                if is_over && snapshots.is_empty() && stalling.is_none() && large.is_none() {
                    break;
                }
                if self.resident_kib.len() as u64 <= now.as_secs() {
                    self.resident_kib.push(machine::resident_kib());
                }
                let seen = engine.health().counts.segments;
                if seen != segments {
                    segments = seen;
                    self.marks.push(Mark { what: What::Segment, from: now, until: now });
                }
                let began = self.began;
                if snapshots.last().is_some_and(|at| *at <= now) {
                    snapshots.pop();
                    beside.push(scope.spawn(move || {
                        engine.snapshot()?;
                        Ok(Mark { what: What::Snapshot, from: now, until: began.elapsed() })
                    }));
                }
                if part(3) <= now
                    && let Some(client) = stalling.take()
                {
                    let requests = Requests::new(Mix::Singles, 2, accounts.clone(), places.clone());
                    beside.push(scope.spawn(move || {
                        stall(client, requests, over)?;
                        Ok(Mark { what: What::Stall, from: now, until: began.elapsed() })
                    }));
                }
                if part(2) <= now
                    && let Some(market) = large.take()
                {
                    let since = now.saturating_sub(ARRIVES);
                    self.leaving.push(Leaving { market, since, has_result: false, is_large: true });
                }
                if next_turn <= now {
                    next_turn += turn;
                    self.replace(next_place, now)?;
                    next_place = (next_place + 1) % places.len();
                }
                self.let_leave(now)?;
                std::thread::sleep(LOOK);
            }
            for mark in beside {
                match mark.join() {
                    Ok(mark) => self.marks.push(mark?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok::<(), Error>(())
        })?;
        // What has begun to leave leaves, so that all of the large market is settled.
        let until = Instant::now() + PATIENCE;
        while self.leaving.iter().any(|leaving| leaving.is_large) {
            Error::unless(Instant::now() < until, || {
                "the large market is not settled ten minutes after the load".to_owned()
            })?;
            self.let_leave(self.began.elapsed())?;
            std::thread::sleep(LOOK);
        }
        Ok((self.marks, self.resident_kib, self.settled))
    }

    /// Another market takes the bets of this place.
    fn replace(&mut self, place: usize, now: Duration) -> Result<(), Error> {
        self.named += 1;
        let next = market(&mut self.trader, &format!("N{}", self.named))?;
        let before = self.markets[place].swap(next.raw(), Ordering::AcqRel);
        let market = MarketId::from_raw(before);
        self.leaving.push(Leaving { market, since: now, has_result: false, is_large: false });
        Ok(())
    }

    /// Gives results, and lets markets whose bets are settled leave memory.
    fn let_leave(&mut self, now: Duration) -> Result<(), Error> {
        let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
        let mut stay = Vec::new();
        for mut leaving in std::mem::take(&mut self.leaving) {
            if leaving.since + ARRIVES <= now && !leaving.has_result {
                let from = self.began.elapsed();
                self.trader.give_result(ResultTerms::new(leaving.market, [win, lose, lose]))?;
                leaving.has_result = true;
                leaving.since = from;
            } else if leaving.has_result {
                // Refused until every bet is settled.
                match self.trader.archive(leaving.market) {
                    Ok(_) => {
                        self.settled += 1;
                        if leaving.is_large {
                            let (from, until) = (leaving.since, self.began.elapsed());
                            self.marks.push(Mark { what: What::Settlement, from, until });
                        }
                        continue;
                    }
                    Err(betring::Error::Refused(_)) => (),
                    Err(error) => return Err(error.into()),
                }
            }
            stay.push(leaving);
        }
        self.leaving = stay;
        Ok(())
    }
}

/// A client sends, does not read for a while, and then has every reply.
fn stall(mut client: Client, mut requests: Requests, over: &AtomicBool) -> Result<(), Error> {
    let mut slots = Vec::with_capacity(STALLED);
    let mut asked = Vec::with_capacity(STALLED);
    for _ in 0..STALLED {
        asked.push(requests.push(client.now(), &mut slots)?);
    }
    let until = Instant::now() + PATIENCE;
    let mut sent = 0;
    while sent < slots.len() {
        let submitted = client.submit_batch(&slots[sent..]);
        fail_unless_busy(submitted.refused)?;
        sent += submitted.slots;
        patient(until, || format!("{sent} of {STALLED} requests of a client were taken"))?;
    }
    let again = Instant::now() + STALLS;
    while Instant::now() < again && !over.load(Ordering::Acquire) {
        std::thread::sleep(LOOK);
    }
    let mut all: std::slice::Iter<'_, Asked> = asked.iter();
    let mut read: Vec<Reply> = replies();
    while 0 < all.len() {
        let count = client.poll(&mut read);
        for reply in &read[..count] {
            let asked = all.next().ok_or_else(super::to_nothing)?;
            requests.answered(*asked, reply)?;
        }
        patient(until, || format!("{} replies to a client that did not read are lost", all.len()))?;
    }
    Ok(())
}

fn patient(until: Instant, what: impl FnOnce() -> String) -> Result<(), Error> {
    std::thread::yield_now();
    Error::unless(Instant::now() < until, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Quantiles;
    use betring::{Layout, Level};

    fn second(at: u64, p99: u64) -> Second {
        Second { at, latency: Quantiles { p99, ..Quantiles::default() } }
    }

    #[test]
    fn a_short_soak_meets_everything_and_all_of_it_is_settled() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let plan = Plan {
            layout: Layout::OneThread,
            accounts: 20,
            markets: 3,
            ..Plan::new(Level::ProcessCrashOnly, 500, Duration::from_secs(2))
        };
        let all = Soak { plan, settle: 400 };
        let soaked = soak(&dir.path().join("book"), &all, &mut |_| {}).expect("it holds");
        let of = |what: What| soaked.marks.iter().filter(|mark| mark.what == what).count();
        assert_eq!((of(What::Settlement), of(What::Stall)), (1, 1), "{:?}", soaked.marks);
        assert!((1..=2).contains(&of(What::Snapshot)), "{:?}", soaked.marks);
        assert_eq!(soaked.run.answered + soaked.run.refused, 1_000);
        assert!(1 <= soaked.settled, "the large one");
        // Its bets have left memory: those of the load and of the client that stalled are there, unless the machine stood
        // still until their markets had their turn.
        assert!(soaked.run.open == soaked.run.answered + 1_000 || 1 < soaked.settled);
        assert!(!soaked.seconds.is_empty() && !soaked.resident_kib.is_empty());
    }

    #[test]
    fn seconds_that_something_touches_are_compared_with_the_others() {
        let run = |seconds, marks, resident_kib| {
            let dir = tempfile::tempdir().expect("a directory for the test");
            let plan = Plan {
                accounts: 2,
                markets: 1,
                ..Plan::new(Level::ProcessCrashOnly, 100, Duration::from_millis(100))
            };
            let run = super::super::run(&dir.path().join("book"), &plan).expect("it holds");
            Soaked { run, seconds, marks, resident_kib, settled: 0 }
        };
        let seconds =
            vec![second(0, 900), second(1, 10), second(2, 40), second(3, 12), second(4, 11)];
        let at = |ms| Duration::from_millis(ms);
        let marks = vec![Mark { what: What::Snapshot, from: at(2_100), until: at(2_900) }];
        let memory = (0..20).map(|at| 1_000 + at).collect();
        let soaked = run(seconds, marks, memory);
        assert_eq!(soaked.marked_p99(None), Some(40));
        assert_eq!(soaked.marked_p99(Some(What::Snapshot)), Some(40));
        assert_eq!(soaked.marked_p99(Some(What::Stall)), None);
        assert_eq!(soaked.unmarked_p99(), Some(11), "the first second is not counted");
        assert!(soaked.growth().is_some_and(|growth| (1.0..1.02).contains(&growth)));
    }
}
