//! How an engine is, on one page.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use betring_core::command::{Drives, Shed};
use betring_core::event::FeedStatus;
use betring_core::id::{Epoch, FeedId, GroupId, MarketId, Seq};
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use crossbeam_utils::CachePadded;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::admission::{BusyWhy, MarketDoor};
use crate::clock::ClockHealth;
use crate::config::{Layout, WaitStrategy};
use crate::dead_letters::LettersHealth;
use crate::dials::{FeedNow, GroupNow, RefusedFor};
use crate::egress::Seats;
use crate::engine::Desks;
use crate::feed::FeedCounts;
use crate::ingress::Ring;
use crate::record::RecordDepth;
use crate::shared::Shared;
pub use crate::shared::Status;

/// A ring and what waits in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingHealth {
    /// `control`, `bets` or `records`.
    pub name: &'static str,
    /// What waits, about: both ends move while it is read.
    pub depth: u64,
    /// What fits.
    pub slots: u64,
}

/// The rings in, and the one to the journal thread.
#[derive(Clone)]
pub(crate) struct Rings {
    pub(crate) seats: Arc<Seats>,
    /// Slots taken so far of the control and the bet ring, and how many there are.
    pub(crate) taken: [Arc<CachePadded<AtomicU64>>; 2],
    pub(crate) slots: [usize; 2],
    pub(crate) records: Option<RecordDepth>,
}

impl Rings {
    pub(crate) fn health(&self) -> impl Iterator<Item = RingHealth> {
        let ring = |at: usize, ring, name| {
            let taken = self.taken[at].load(Ordering::Relaxed);
            let depth = self.seats.published(ring).saturating_sub(taken);
            RingHealth { name, depth, slots: self.slots[at] as u64 }
        };
        let records = self.records.as_ref().map(|records| {
            let (depth, slots) = records.depth();
            RingHealth { name: "records", depth, slots }
        });
        [ring(0, Ring::Control, "control"), ring(1, Ring::Bets, "bets")].into_iter().chain(records)
    }
}

/// What has been counted since the start.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Counts {
    /// Turns that did something.
    pub turns: u64,
    /// Commands taken from the rings.
    pub commands: u64,
    /// Commands that got a sequence, those of the engine itself included.
    pub sequenced: u64,
    /// Commands answered without one: duplicates, and attempts that never execute.
    pub answered: u64,
    /// Commands that could not be read.
    pub malformed: u64,
    /// Steps of long work.
    pub steps: u64,
    /// Ticks.
    pub ticks: u64,
    /// Turns that ended early because the journal had to catch up.
    pub stalls: u64,
    /// Records that are durable.
    pub records: u64,
    /// Frames sealed.
    pub frames: u64,
    /// Syncs.
    pub syncs: u64,
    /// Bytes of frames.
    pub journal_bytes: u64,
    /// Segments written to.
    pub segments: u64,
    /// How often a full disk was met.
    pub no_space: u64,
    /// Events put into the event ring.
    pub events: u64,
}

impl Counts {
    pub(crate) fn of(shared: &Shared) -> Counts {
        let (l, j) = (&shared.loop_counts, &shared.journal_counts);
        Counts {
            turns: l.turns.get(),
            commands: l.commands.get(),
            sequenced: l.sequenced.get(),
            answered: l.answered.get(),
            malformed: l.malformed.get(),
            steps: l.steps.get(),
            ticks: l.ticks.get(),
            stalls: l.stalls.get(),
            records: j.records.get(),
            frames: j.frames.get(),
            syncs: j.syncs.get(),
            journal_bytes: j.bytes.get(),
            segments: j.segments.get(),
            no_space: j.no_space.get(),
            events: j.events_published.get(),
        }
    }
}

/// A feed, as its instruments show it. They are read off the records before those are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedHealth {
    /// Which.
    pub id: FeedId,
    /// Where it is.
    pub status: FeedStatus,
    /// Whether its prices may be bet on: up, and not silent for longer than its bound.
    pub is_up: bool,
    /// Whether its messages take longer than its bound.
    pub slow: bool,
    /// How long nothing was heard of it; `i64::MAX` if nothing ever was.
    pub silent_for: Nanos,
    /// How often it had to recover, plus one.
    pub generation: u32,
    /// The factor of the largest stake on markets that it drives, in percent.
    pub stake_factor: u32,
    /// What its handles in this run have counted.
    pub counts: FeedCounts,
}

impl FeedHealth {
    pub(crate) fn all(shared: &Shared, desks: &Desks, now: Timestamp) -> Vec<FeedHealth> {
        let desks = desks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let counts = |id: &FeedId| {
            let desk = desks.get(id)?.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Some(desk.counts(now))
        };
        let feeds = shared.dials.feeds(now).map(|(id, feed)| FeedHealth {
            id,
            status: feed.status,
            is_up: feed.is_up,
            slow: feed.slow,
            silent_for: feed.silent_for,
            generation: feed.generation,
            stake_factor: feed.factor,
            counts: counts(&id).unwrap_or_default(),
        });
        feeds.collect()
    }
}

impl fmt::Display for FeedHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let up = if self.is_up { "up" } else { "not up" };
        write!(f, "feed {}: {up} ({}), ", self.id, self.status)?;
        match self.silent_for {
            FeedNow::NEVER_HEARD => f.write_str("never heard")?,
            silent_for => write!(f, "silent for {silent_for}")?,
        }
        f.write_str(if self.slow { ", slow" } else { "" })?;
        let FeedCounts { recent, recent_errors, .. } = self.counts;
        if 0 < recent_errors {
            write!(f, ", {recent_errors} of {recent} recent messages could not be read")?;
        }
        Ok(())
    }
}

/// A group, as its instruments show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupHealth {
    /// Which.
    pub id: GroupId,
    /// Its primary feed.
    pub primary: FeedId,
    /// Its backup feed.
    pub backup: FeedId,
    /// Which of them prices its markets.
    pub drives: Drives,
    /// How many of its open markets have feeds that are further apart than their tier's band.
    pub drifting: u32,
}

impl From<GroupNow> for GroupHealth {
    fn from(now: GroupNow) -> GroupHealth {
        let GroupNow { id, primary, backup, drives, drifting, .. } = now;
        GroupHealth { id, primary, backup, drives, drifting }
    }
}

impl fmt::Display for GroupHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GroupHealth { id, primary, backup, drives, drifting } = self;
        write!(f, "group {id}: {primary} with {backup} behind it, driven by its {drives}")?;
        if 0 < *drifting { write!(f, ", {drifting} markets drift") } else { Ok(()) }
    }
}

/// A market, as its instruments show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketHealth {
    /// Which.
    pub id: MarketId,
    /// The feed that prices it.
    pub feed: FeedId,
    /// Its group, if any.
    pub group: GroupId,
    /// What comes in.
    pub door: MarketDoor,
    /// How long ago a price of it was set or a heartbeat confirmed them all.
    pub price_age: Nanos,
    /// The factor of its largest stake, in percent.
    pub stake_factor: u32,
    /// Bets on it that were refused in this run, by kind.
    pub refused: [(RefusedFor, u32); RefusedFor::ALL.len()],
}

impl MarketHealth {
    pub(crate) fn of(shared: &Shared, index: u32, now: Timestamp) -> Option<MarketHealth> {
        let market = shared.dials.market(index)?;
        let confirmed = shared.dials.feed(market.feed, now).filter(|feed| feed.is_up);
        let confirmed = confirmed.map_or(Timestamp::MIN, |feed| feed.heartbeat);
        let refused = shared.dials.refusals_of(index);
        Some(MarketHealth {
            id: market.id,
            feed: market.feed,
            group: market.group,
            door: shared.admission.market(index, now)?,
            price_age: now.since(market.received.max(confirmed)).or_zero(),
            stake_factor: market.factor,
            refused: std::array::from_fn(|at| (RefusedFor::ALL[at], refused[at])),
        })
    }

    /// Those with the most bets a second, the busiest first.
    pub(crate) fn busiest(shared: &Shared, most: usize, now: Timestamp) -> Vec<MarketHealth> {
        let doors =
            (0..shared.admission.markets()).filter_map(|at| shared.admission.market(at, now));
        let mut doors: Vec<MarketDoor> =
            doors.filter(|door| 0 < door.rate || 0 < door.in_flight).collect();
        doors.sort_by_key(|door| std::cmp::Reverse((door.rate, door.in_flight)));
        doors.truncate(most);
        doors.iter().filter_map(|door| MarketHealth::of(shared, door.index, now)).collect()
    }
}

impl fmt::Display for MarketHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MarketDoor { rate, in_flight, turned_away, .. } = self.door;
        write!(
            f,
            "market {}: {rate} bets a second, {in_flight} in flight, {turned_away} turned away,              prices {} old",
            self.id, self.price_age
        )?;
        if self.stake_factor == 100 {
            return Ok(());
        }
        write!(f, ", stakes at {} %", self.stake_factor)
    }
}

/// The door in front of the rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeHealth {
    /// When markets are shed.
    pub shed: Shed,
    /// Whether they are now.
    pub sheds: bool,
    /// Attempts that were not let in, by reason.
    pub busy: [(BusyWhy, u64); BusyWhy::ALL.len()],
    /// Attempts that said that they were not the first.
    pub retries: u64,
}

impl IntakeHealth {
    pub(crate) fn of(shared: &Shared, now: Timestamp) -> IntakeHealth {
        IntakeHealth {
            shed: shared.admission.mode(),
            sheds: shared.admission.sheds(now),
            busy: shared.admission.refused(),
            retries: shared.admission.retries(),
        }
    }
}

impl fmt::Display for IntakeHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "intake: shedding {}", self.shed)?;
        f.write_str(if self.sheds { ", and sheds" } else { "" })?;
        write!(f, ", {} retries", self.retries)?;
        let busy = self.busy.iter().filter(|(_, count)| 0 < *count);
        busy.into_iter().try_for_each(|(why, count)| write!(f, ", {count} {why}"))
    }
}

/// Markets that are told of by name, the busiest.
pub(crate) const BUSIEST: usize = 5;

/// How an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it serves.
    pub status: Status,
    /// The run.
    pub epoch: Epoch,
    /// The last sequence decided.
    pub seq: Seq,
    /// The last sequence in the page cache.
    pub process_seq: Seq,
    /// The last durable sequence.
    pub durable_seq: Seq,
    /// How many sequences are decided and not durable.
    pub lag: u64,
    /// The rings.
    pub rings: Vec<RingHealth>,
    /// Seats taken, and all.
    pub seats: (usize, usize),
    /// Which threads there are.
    pub layout: Layout,
    /// How they wait.
    pub wait: WaitStrategy,
    /// The core of the deciding thread, if it is pinned.
    pub decide_core: Option<usize>,
    /// The core of the journal thread, if it is pinned.
    pub journal_core: Option<usize>,
    /// The system's number of the deciding thread, for its tools; 0 without one.
    pub decide_thread: i32,
    /// The system's number of the journal thread; 0 without one.
    pub journal_thread: i32,
    /// What an operator should know and what stops nothing.
    pub warnings: Vec<String>,
    /// The clock.
    pub clock: ClockHealth,
    /// Counts.
    pub counts: Counts,
    /// The door in front of the rings.
    pub intake: IntakeHealth,
    /// Feeds, the manual one not counted.
    pub feeds: Vec<FeedHealth>,
    /// Groups.
    pub groups: Vec<GroupHealth>,
    /// The markets with the most bets a second, the busiest first.
    pub busiest: Vec<MarketHealth>,
    /// Decided refusals in this run, by reason; those that were none are left out.
    pub refused: Vec<(Reject, u64)>,
    /// Commands that could not be read, and were put aside.
    pub dead_letters: LettersHealth,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, epoch {}, {} decided, {} process, {} durable (lag {})",
            self.status, self.epoch, self.seq, self.process_seq, self.durable_seq, self.lag
        )?;
        write!(f, "{} layout, waiting {}", self.layout, self.wait)?;
        match (self.decide_core, self.journal_core) {
            (None, None) => f.write_str(", unpinned")?,
            (decide, journal) => {
                decide.map_or(Ok(()), |core| write!(f, ", decides on core {core}"))?;
                journal.map_or(Ok(()), |core| write!(f, ", writes on core {core}"))?;
            }
        }
        writeln!(f, ", {} of {} seats taken", self.seats.0, self.seats.1)?;
        for ring in &self.rings {
            writeln!(f, "ring {}: {} of {}", ring.name, ring.depth, ring.slots)?;
        }
        let c = &self.counts;
        writeln!(
            f,
            "{} commands: {} sequenced, {} answered without a sequence, {} malformed in the rings; {} steps, {} \
             ticks, {} stalls",
            c.commands, c.sequenced, c.answered, c.malformed, c.steps, c.ticks, c.stalls
        )?;
        writeln!(
            f,
            "journal: {} records, {} frames, {} syncs, {} bytes, {} segments",
            c.records, c.frames, c.syncs, c.journal_bytes, c.segments
        )?;
        writeln!(f, "{}", self.intake)?;
        self.feeds.iter().try_for_each(|feed| writeln!(f, "{feed}"))?;
        self.groups.iter().try_for_each(|group| writeln!(f, "{group}"))?;
        self.busiest.iter().try_for_each(|market| writeln!(f, "{market}"))?;
        if let Some(((first, count), rest)) = self.refused.split_first() {
            write!(f, "refused: {count} {first}")?;
            rest.iter().try_for_each(|(reject, count)| write!(f, ", {count} {reject}"))?;
            writeln!(f)?;
        }
        if self.dead_letters.kept + self.dead_letters.dropped != 0 {
            writeln!(f, "{}", self.dead_letters)?;
        }
        write!(f, "clock: {}", self.clock)?;
        for warning in &self.warnings {
            write!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}
