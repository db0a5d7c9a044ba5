//! How an engine is set up: safe defaults, and errors that say what to do instead.

use std::path::{Path, PathBuf};
use std::time::Duration;

use betring_core::answer::Reply;
use betring_core::command::{Capacities, Limits, PriceFailure, WINDOW_MAX};
use betring_core::time::Nanos;
use betring_core::wire::{Minor, SLOT};
use betring_journal::FRAME_BYTES_MAX;
use betring_pricing::{Money, RoundingMode, Stake};

use crate::admission::Intake;
use crate::clock::Clock;
use crate::dead_letters::FILE_MAX;
use crate::decide::{BETS_MAX, CONTROL_MAX};
use crate::error::Error;
use crate::output::EVENT_BYTES;

/// Which threads there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Two threads from three free cores on, else one.
    #[default]
    Auto,
    /// None: the caller turns the loop. Same state, same journal.
    Inline,
    /// One thread decides, records and syncs.
    OneThread,
    /// One thread decides and makes no system call; another one records and syncs.
    TwoThread,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Layout::Auto => "auto",
            Layout::Inline => "inline",
            Layout::OneThread => "one-thread",
            Layout::TwoThread => "two-thread",
        })
    }
}

/// How a thread waits for work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitStrategy {
    /// Spins where every thread has a core of its own, else gives way.
    #[default]
    Auto,
    /// Never lets go of its core: the lowest latency, ruinous with more threads than cores.
    Spin,
    /// Spins for a moment, then lets others run.
    SpinThenYield,
    /// Spins for a moment, gives way, then sleeps until somebody sends: up to a system call a send.
    Park,
}

impl std::fmt::Display for WaitStrategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            WaitStrategy::Auto => "auto",
            WaitStrategy::Spin => "spin",
            WaitStrategy::SpinThenYield => "spin-then-yield",
            WaitStrategy::Park => "park",
        })
    }
}

/// Which cores the threads run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cores {
    /// The last ones from three free cores on, else wherever the system puts them.
    #[default]
    Auto,
    /// Wherever the system puts them.
    Unpinned,
    /// These. One that this process may not use is left out with a warning in `health()`.
    Pinned {
        /// Core of the deciding thread.
        decide: usize,
        /// Core of the journal thread; used by the two-thread layout.
        journal: usize,
    },
}

/// What has to be true of a reply before anybody may see it. Belongs to each output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The device has it: it survives the machine. The level for money.
    #[default]
    Durable,
    /// The page cache has it: it survives this process, but **a power cut takes it back** after
    /// the customer was told.
    ProcessCrashOnly,
    /// It was decided, and nothing more: **a crash of this process takes it back** after the
    /// customer was told. For measuring.
    AppliedOnlyMayVanish,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Level::Durable => "durable",
            Level::ProcessCrashOnly => "process",
            Level::AppliedOnlyMayVanish => "applied",
        })
    }
}

impl std::str::FromStr for Level {
    type Err = ParseLevelError;

    fn from_str(text: &str) -> Result<Level, ParseLevelError> {
        match text {
            "durable" => Ok(Level::Durable),
            "process" => Ok(Level::ProcessCrashOnly),
            "applied" => Ok(Level::AppliedOnlyMayVanish),
            _ => Err(ParseLevelError { found: text.to_owned() }),
        }
    }
}

/// A text that names no level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseLevelError {
    found: String,
}

impl std::fmt::Display for ParseLevelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is no level: write durable, process or applied", self.found)
    }
}

impl std::error::Error for ParseLevelError {}

/// The largest credit of one client: its replies then take 8 MiB.
pub const CREDIT_MAX: usize = 1 << 16;
/// Seats for clients, at most.
pub const CLIENTS_MAX: u16 = 1024;
const RING_MIN: usize = 256;
const RING_MAX: usize = 1 << 22;
/// A segment holds several of the longest records, and their frames.
const SEGMENT_MIN: u64 = 1 << 20;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) path: PathBuf,
    pub(crate) layout: Layout,
    pub(crate) wait: WaitStrategy,
    pub(crate) cores: Cores,
    pub(crate) clock: Clock,
    pub(crate) capacities: Capacities,
    pub(crate) window: Nanos,
    pub(crate) age_bound: Nanos,
    pub(crate) offer_ttl: Nanos,
    pub(crate) price_failure: PriceFailure,
    pub(crate) rounding: RoundingMode,
    pub(crate) step_budget: u16,
    pub(crate) limits: Limits,
    pub(crate) secret: Option<[u8; 16]>,
    pub(crate) control_ring: usize,
    pub(crate) bet_ring: usize,
    pub(crate) clients: u16,
    pub(crate) credit_max: usize,
    pub(crate) segment_bytes: u64,
    pub(crate) segments_ahead: usize,
    pub(crate) events: usize,
    pub(crate) outputs_level: Level,
    pub(crate) answer_within: Duration,
    pub(crate) snapshot_every: u64,
    pub(crate) snapshot_at_stop: u64,
    pub(crate) archive: bool,
    pub(crate) intake: Intake,
    pub(crate) dead_letters: u64,
    pub(crate) counters_every: Nanos,
}

impl Config {
    /// An engine whose journal is in this directory, made if it is not there.
    pub fn at(path: impl AsRef<Path>) -> Config {
        Config {
            path: path.as_ref().to_path_buf(),
            layout: Layout::Auto,
            wait: WaitStrategy::Auto,
            cores: Cores::Auto,
            clock: Clock::wall(),
            capacities: Capacities {
                accounts: 1 << 16,
                markets: 1 << 12,
                selections: 1 << 16,
                bets: 1 << 18,
                keys: 1 << 18,
                feeds: 64,
                fixtures: 1 << 12,
                actors: 256,
                currencies: 8,
                quarantined: 64,
                // As many as bets, and half as many again: most bets are singles.
                legs: 3 << 17,
                groups: 64,
                limited: 1 << 12,
                orders: 1 << 16,
                positions: 1 << 14,
                stands: 1 << 17,
                levels: 1 << 17,
            },
            window: Nanos::from_secs(300),
            age_bound: Nanos::from_millis(1_500),
            offer_ttl: Nanos::from_secs(5),
            price_failure: PriceFailure::Refuse,
            rounding: RoundingMode::Down,
            step_budget: 32,
            limits: Limits {
                min_stake: Minor(10),
                max_stake: Minor(1_000_000),
                max_payout: Minor(100_000_000),
                max_liability: Minor(10_000_000_000),
                ..Limits::UNLIMITED
            },
            secret: None,
            control_ring: 1 << 12,
            bet_ring: 1 << 14,
            clients: 32,
            credit_max: 1 << 12,
            segment_bytes: 64 << 20,
            segments_ahead: 2,
            events: 1 << 14,
            outputs_level: Level::Durable,
            answer_within: Duration::from_secs(10),
            snapshot_every: 0,
            snapshot_at_stop: 100_000,
            archive: false,
            intake: Intake::default(),
            dead_letters: 16 << 20,
            counters_every: Nanos::from_millis(250),
        }
    }

    /// The journal's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which threads there are. Default: as many as the cores allow.
    pub fn layout(self, layout: Layout) -> Config {
        Config { layout, ..self }
    }

    /// How threads wait. Default: as the cores allow.
    pub fn wait(self, wait: WaitStrategy) -> Config {
        Config { wait, ..self }
    }

    /// Which cores the threads run on.
    pub fn cores(self, cores: Cores) -> Config {
        Config { cores, ..self }
    }

    /// The clock that stamps everything. Default: the wall's.
    pub fn clock(self, clock: Clock) -> Config {
        Config { clock, ..self }
    }

    /// How much may be kept. Of these and what the journal already has, the larger counts.
    pub fn capacities(self, capacities: Capacities) -> Config {
        Config { capacities, ..self }
    }

    /// How far ahead `valid_until` may be, and how long after it a key is kept; at most an hour.
    /// Default 5 minutes. Fixed when the journal is created, as are age bound, life of offers, price
    /// failure, rounding, step budget and first limits.
    pub fn window(self, window: Nanos) -> Config {
        Config { window, ..self }
    }

    /// How old a price may be in markets that do not say. Default 1.5 s.
    pub fn age_bound(self, age_bound: Nanos) -> Config {
        Config { age_bound, ..self }
    }

    /// How long an offer stands. Default 5 s.
    pub fn offer_ttl(self, offer_ttl: Nanos) -> Config {
        Config { offer_ttl, ..self }
    }

    /// What happens when a bet's price policy fails. Default: it is refused.
    pub fn price_failure(self, price_failure: PriceFailure) -> Config {
        Config { price_failure, ..self }
    }

    /// Who keeps the fraction of what a winner is paid. Default: the house.
    pub fn rounding(self, rounding: RoundingMode) -> Config {
        Config { rounding, ..self }
    }

    /// Units of long work in a turn, 1 to 64. Default 32: a unit takes about 2,600 instructions, and a turn has bets, too.
    pub fn step_budget(self, step_budget: u16) -> Config {
        Config { step_budget, ..self }
    }

    /// Limits of every currency until somebody sets its own.
    pub fn limits(self, limits: Limits) -> Config {
        Config { limits, ..self }
    }

    /// The secret under the digests of a new journal, instead of one from the system: for tests and
    /// for runs that are to be repeated byte by byte.
    pub fn secret(self, secret: [u8; 16]) -> Config {
        Config { secret: Some(secret), ..self }
    }

    /// Slots of the control ring: a power of two from 256. Default 4,096.
    pub fn control_ring(self, slots: usize) -> Config {
        Config { control_ring: slots, ..self }
    }

    /// Slots of the bet ring: a power of two from 256. Default 16,384.
    pub fn bet_ring(self, slots: usize) -> Config {
        Config { bet_ring: slots, ..self }
    }

    /// Seats for clients, controls and feeds, and the largest credit one of them may ask for (a power
    /// of two from 64). All their memory is taken at open. Default 32 seats of 4,096.
    pub fn clients(self, clients: u16, credit_max: usize) -> Config {
        Config { clients, credit_max, ..self }
    }

    /// Bytes of a journal segment. Default 64 MiB.
    pub fn segment_bytes(self, segment_bytes: u64) -> Config {
        Config { segment_bytes, ..self }
    }

    /// Segments that a helper thread keeps ready; 0: made when needed, by whoever appends. Default 2.
    pub fn segments_ahead(self, segments: usize) -> Config {
        Config { segments_ahead: segments, ..self }
    }

    /// Places of the event ring: a power of two from 64. Default 16,384.
    pub fn events(self, places: usize) -> Config {
        Config { events: places, ..self }
    }

    /// What has to be true of events, prices and exposures before their readers see them. Default
    /// [`Level::Durable`]; [`Level::AppliedOnlyMayVanish`] is not for them.
    pub fn outputs_level(self, level: Level) -> Config {
        Config { outputs_level: level, ..self }
    }

    /// The bound of every call that waits for its answer. Default 10 s.
    pub fn answer_within(self, within: Duration) -> Config {
        Config { answer_within: within, ..self }
    }

    /// A snapshot whenever so many records have come since the newest one, made by a replica on a
    /// thread of its own, which needs the memory of a second state and of its image while it makes one.
    /// 0, the default: only when [`crate::Engine::snapshot`] is called, and at a clean stop. Not with
    /// [`Layout::Inline`], which has no threads.
    pub fn snapshot_every(self, records: u64) -> Config {
        Config { snapshot_every: records, ..self }
    }

    /// A snapshot at a clean stop, of the state as it is then, if so many records have come since the
    /// newest one; 0: never. It is read back and compared, which needs the memory of its image and of
    /// the state once more. Default 100,000: fewer are soon decided again.
    pub fn snapshot_at_stop(self, records: u64) -> Config {
        Config { snapshot_at_stop: records, ..self }
    }

    /// After every snapshot, the segments behind the older of the newest two are moved to the
    /// directory `archive` beside them. Nothing is ever deleted. Default: they stay where they are.
    pub fn archive(self, archive: bool) -> Config {
        Config { archive, ..self }
    }

    /// Who is let in, and who is told to come back later. Default: shedding is automatic, one market may
    /// have half of the bet ring, nothing else is bounded.
    pub fn intake(self, intake: Intake) -> Config {
        Config { intake, ..self }
    }

    /// Bytes of commands that could not be read and were put aside, at most ([`crate::dead_letters`]);
    /// further ones are only counted. 0: none are kept. Default 16 MiB.
    pub fn dead_letters(self, bytes: u64) -> Config {
        Config { dead_letters: bytes, ..self }
    }

    /// How often a thread of its own writes what the engine counts into the file `counters` of its directory, for
    /// `betring top` and whoever else reads it ([`crate::counters`]): from 10 ms to 10 s, or [`Nanos::ZERO`] for
    /// never. Not with [`Layout::Inline`], which has no threads. Default 250 ms.
    pub fn counters_every(self, every: Nanos) -> Config {
        Config { counters_every: every, ..self }
    }

    /// The longest that a bet waits in its ring before it is decided, on a machine that decides so many
    /// single bets a second (as a bench of it says), if the journal keeps up: the ring is full, and every turn takes as
    /// many control commands and as much long work as it may. A control command counts as 25 bets, as all prices of a
    /// match in one do; a unit of work as half a bet (by the instructions that are counted of each).
    pub fn worst_sojourn(&self, decided_per_second: u32) -> Nanos {
        let turns = self.bet_ring.div_ceil(BETS_MAX as usize) as i64;
        let of_a_turn =
            i64::from(BETS_MAX + 25 * CONTROL_MAX) + i64::from(self.step_budget.div_ceil(2));
        Nanos(
            turns.saturating_mul(of_a_turn).saturating_mul(1_000_000_000)
                / i64::from(decided_per_second.max(1)),
        )
    }

    /// How much may be kept.
    pub fn room(&self) -> &Capacities {
        &self.capacities
    }

    /// The keys that have to be kept at so many requests a second, retries not counted: each stays until a window after
    /// its time limit, which may be a window ahead, and until a Step comes by after that, for which a sixty-fourth is added;
    /// and a sixteenth of them all is kept from customers.
    ///
    /// ```
    /// use betring::{Config, Nanos};
    ///
    /// // Two windows of five minutes, at 1,000 a second.
    /// let config = Config::at("book").window(Nanos::from_secs(300));
    /// assert_eq!(config.keys_for(1_000), 650_000);
    /// ```
    pub fn keys_for(&self, requests_per_second: u32) -> u64 {
        let kept = i128::from(requests_per_second) * 2 * i128::from(self.window.0.max(0));
        let kept = u64::try_from(kept / 1_000_000_000).unwrap_or(u64::MAX);
        kept.saturating_add(kept / 64).saturating_mul(16).div_ceil(15)
    }

    /// The bytes of memory that an engine set up like this takes when it opens, about, by what takes them: what may be
    /// kept, by the names of [`Capacities`]; `rings`, `replies` and `events` wait between threads; `segments` are the
    /// journal's files that are mapped. Nothing of it grows while the engine runs. A snapshot needs what may be kept
    /// once more while it is made, and its image beside it: `snapshot` is the former, where they are made
    /// [every so many records](Config::snapshot_every).
    pub fn memory(&self) -> Vec<(&'static str, u64)> {
        let take = |count: usize, each: usize| (count as u64).saturating_mul(each as u64);
        let slots = self.control_ring.saturating_add(self.bet_ring);
        let waiting = [
            ("rings", take(slots, SLOT).saturating_add(FRAME_BYTES_MAX)),
            ("replies", take(self.clients.into(), size_of::<Reply>() * self.credit_max)),
            ("events", take(self.events, EVENT_BYTES)),
            ("segments", self.segment_bytes.saturating_mul(self.segments_ahead as u64 + 1)),
        ];
        let kept = self.capacities.bytes();
        let again = kept.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
        let snapshot = (self.snapshot_every != 0).then_some(("snapshot", again));
        kept.into_iter().chain(waiting).chain(snapshot).collect()
    }

    /// Every requirement that opening an engine has of its set-up, asked before anything is touched.
    ///
    /// # Errors
    /// [`Error::Config`] for the first that is not met: what was asked for, and what to give instead. Whether there is
    /// memory and space for it is not asked here.
    pub fn check(&self) -> Result<(), Error> {
        let must = |good: bool, what: &str, instead: &str| {
            if good {
                Ok(())
            } else {
                Err(Error::Config { what: what.into(), instead: instead.into() })
            }
        };
        let ring = |slots: usize| slots.is_power_of_two() && (RING_MIN..=RING_MAX).contains(&slots);
        must(
            ring(self.control_ring) && ring(self.bet_ring),
            &format!("rings of {} and {} slots", self.control_ring, self.bet_ring),
            "give control_ring and bet_ring a power of two from 256 to 4194304",
        )?;
        must(
            (1..=CLIENTS_MAX).contains(&self.clients),
            &format!("seats for {} clients", self.clients),
            "give clients from 1 to 1024 seats",
        )?;
        must(
            self.credit_max.is_power_of_two() && (64..=CREDIT_MAX).contains(&self.credit_max),
            &format!("a credit of at most {}", self.credit_max),
            "give clients a largest credit that is a power of two from 64 to 65536",
        )?;
        must(
            self.events.is_power_of_two() && (64..=1 << 24).contains(&self.events),
            &format!("an event ring of {} places", self.events),
            "give events a power of two from 64 to 16777216",
        )?;
        must(
            self.outputs_level != Level::AppliedOnlyMayVanish,
            "outputs_level applied",
            "events, prices and exposures are published from the journal: use durable, or \
             process if a power cut may take them back",
        )?;
        must(
            SEGMENT_MIN <= self.segment_bytes
                && self.segment_bytes <= 1 << 30
                && self.segment_bytes.is_multiple_of(4096),
            &format!("segments of {} bytes", self.segment_bytes),
            "give segment_bytes a multiple of 4096 from 1 MiB to 1 GiB",
        )?;
        must(
            self.segments_ahead <= 16,
            &format!("{} segments ahead", self.segments_ahead),
            "keep at most 16 segments ready",
        )?;
        must(
            Nanos::ZERO < self.window && self.window <= WINDOW_MAX,
            &format!("a window of {}", self.window),
            "give window more than nothing and at most an hour",
        )?;
        let day = Nanos::from_secs(86_400);
        must(
            Nanos::ZERO < self.age_bound && self.age_bound <= day,
            &format!("an age bound of {}", self.age_bound),
            "give age_bound more than nothing and at most a day",
        )?;
        must(
            Nanos::ZERO < self.offer_ttl && self.offer_ttl <= day,
            &format!("offers that stand for {}", self.offer_ttl),
            "give offer_ttl more than nothing and at most a day",
        )?;
        must(
            (1..=64).contains(&self.step_budget),
            &format!("a step budget of {}", self.step_budget),
            "give step_budget from 1 to 64 units",
        )?;
        let limits = self.limits;
        must(
            0 < limits.min_stake.0
                && limits.min_stake <= limits.max_stake
                && limits.max_stake.0 <= Stake::MAX.minor()
                && 0 < limits.max_payout.0
                && limits.max_payout.0 <= Money::MAX.minor()
                && 0 < limits.max_liability.0
                && limits.max_liability.0 <= Money::MAX.minor(),
            "limits that leave nothing, or more than can be counted",
            "give limits from one minor unit up, min_stake at most max_stake",
        )?;
        must(
            self.dead_letters <= FILE_MAX,
            &format!("{} bytes of dead letters", self.dead_letters),
            "keep at most 1 GiB of them",
        )?;
        let every = self.counters_every;
        must(
            every == Nanos::ZERO
                || (Nanos::from_millis(10) <= every && every <= Nanos::from_secs(10)),
            &format!("counters every {every}"),
            "give counters_every from 10 ms to 10 s, or Nanos::ZERO to write none",
        )?;
        self.intake.check()?;
        let named = |name: &'static str, of: fn(&Capacities) -> u32| (name, of(&self.capacities));
        let counts = [
            named("accounts", |room| room.accounts),
            named("markets", |room| room.markets),
            named("selections", |room| room.selections),
            named("bets", |room| room.bets),
            named("keys", |room| room.keys),
            named("feeds", |room| room.feeds),
            named("fixtures", |room| room.fixtures),
            named("actors", |room| room.actors),
            named("currencies", |room| room.currencies),
            named("quarantined", |room| room.quarantined),
            named("legs", |room| room.legs),
            named("groups", |room| room.groups),
            named("limited", |room| room.limited),
            named("orders", |room| room.orders),
            named("positions", |room| room.positions),
            named("stands", |room| room.stands),
            named("levels", |room| room.levels),
        ];
        for (name, count) in counts {
            let most = match name {
                "feeds" => u32::from(u16::MAX) - 1,
                "currencies" => 16,
                _ => Capacities::MAX,
            };
            must(
                (1..=most).contains(&count),
                &format!("room for {count} {name}"),
                &format!("give {name} from 1 to {most}"),
            )?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, layout {}, waiting {}", self.path.display(), self.layout, self.wait)
    }
}
