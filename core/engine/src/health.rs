//! How an engine is, on one page.

use std::fmt;

use betring_core::id::{Epoch, Seq};

use crate::clock::ClockHealth;
use crate::config::{Layout, WaitStrategy};
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

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
            "{} commands: {} sequenced, {} answered, {} malformed; {} steps, {} ticks, {} stalls",
            c.commands, c.sequenced, c.answered, c.malformed, c.steps, c.ticks, c.stalls
        )?;
        writeln!(
            f,
            "journal: {} records, {} frames, {} syncs, {} bytes, {} segments",
            c.records, c.frames, c.syncs, c.journal_bytes, c.segments
        )?;
        write!(f, "clock: {}", self.clock)?;
        for warning in &self.warnings {
            write!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}
