//! The life of one market: its status, who suspends it, what its selections keep.

use crate::bet::NONE;
use crate::command::{EachWayOffer, Owner, ResultEntry};
use crate::event::{JobKind, MarketStatus};
use crate::id::{Epoch, FeedId, FixtureId, GroupId, JobId, PriceVersion, Seq};
use crate::quote::FeedQuote;
use crate::time::{Nanos, Timestamp};
use crate::wire::WirePrice;
use betring_pricing::PlaceFraction;

/// Who suspends a level, and when it was last suspended by anyone.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Suspension {
    /// One bit per owner.
    pub(crate) owners: u8,
    /// The last suspension: offers made before it can no longer be taken.
    pub(crate) seq: Seq,
}

impl Suspension {
    pub(crate) fn suspend(&mut self, owner: Owner, seq: Seq) {
        self.owners |= 1 << owner as u8;
        self.seq = seq;
    }

    pub(crate) fn release(&mut self, owner: Owner) {
        self.owners &= !(1 << owner as u8);
    }

    pub(crate) fn holds(&self) -> bool {
        self.owners != 0
    }

    /// The same as if this owner never held it.
    pub(crate) fn without(self, owner: Owner) -> Suspension {
        Suspension { owners: self.owners & !(1 << owner as u8), seq: self.seq }
    }
}

/// What may be done with a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketStep {
    /// Open it.
    Open,
    /// Close it.
    Close,
    /// Its result is in.
    Result,
    /// Its result is taken back.
    Rollback,
    /// Its settlement has ended.
    SettleEnd,
    /// Let it leave memory.
    Archive,
    /// It has left memory.
    ArchiveEnd,
}

impl MarketStep {
    /// Every step.
    pub const ALL: &'static [MarketStep] = &[
        MarketStep::Open,
        MarketStep::Close,
        MarketStep::Result,
        MarketStep::Rollback,
        MarketStep::SettleEnd,
        MarketStep::Archive,
        MarketStep::ArchiveEnd,
    ];
}

impl MarketStatus {
    /// Where a step leads, if it is allowed here.
    pub const fn after(self, step: MarketStep) -> Option<MarketStatus> {
        use MarketStatus::*;
        match (self, step) {
            // Opening an open market says that its manual prices still hold after a start.
            (Defined | Open | Closed, MarketStep::Open) => Some(Open),
            (Defined | Open | Closed, MarketStep::Close) => Some(Closed),
            // Another result is the next version of the settlement.
            (Defined | Open | Closed | Settling | Settled, MarketStep::Result) => Some(Settling),
            (Settling | Settled, MarketStep::Rollback) => Some(Closed),
            (Settling, MarketStep::SettleEnd) => Some(Settled),
            (Settled, MarketStep::Archive) => Some(Archiving),
            (Archiving, MarketStep::ArchiveEnd) => Some(Archived),
            (Defined | Open | Closed | Settling | Settled | Archiving | Archived, _) => None,
        }
    }
}

/// A job on a market: at most one at a time.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) kind: JobKind,
    /// The next leg to handle, or of an exchange market the next order or position.
    pub(crate) cursor: u32,
    /// Legs handled so far.
    pub(crate) bets: u64,
    pub(crate) steps: u64,
}

/// A market.
#[derive(Clone, Copy)]
pub(crate) struct Market {
    pub(crate) generation: u32,
    pub(crate) status: MarketStatus,
    /// The feed it was defined with: of a market of a group, the group's primary.
    pub(crate) feed: FeedId,
    pub(crate) group: GroupId,
    pub(crate) tier: u8,
    pub(crate) winners: u16,
    pub(crate) fixture: FixtureId,
    pub(crate) suspension: Suspension,
    /// The run in which it was last opened: markets with manual prices wait for an open in each.
    pub(crate) opened_in: Epoch,
    /// Older prices are refused; 0 is no bound.
    pub(crate) age_bound: Nanos,
    pub(crate) version: PriceVersion,
    /// Where its selections are, and how many.
    pub(crate) first: u32,
    pub(crate) selections: u16,
    /// The legs of its bets, oldest first.
    pub(crate) head: u32,
    pub(crate) tail: u32,
    /// How many of these bets stand.
    pub(crate) open_bets: u32,
    /// How often its result changed.
    pub(crate) settlement: u32,
    pub(crate) job: Option<Job>,
    /// The job that begins when this one ends.
    pub(crate) queued: Option<(JobId, JobKind)>,
    pub(crate) in_play: bool,
    /// How long a bet waits before it is decided again.
    pub(crate) delay: Nanos,
    /// Who freezes its cash-outs.
    pub(crate) cash_out: Suspension,
    pub(crate) each_way: EachWayOffer,
    /// Its own each-way terms, if it has some.
    pub(crate) places: u8,
    pub(crate) fraction: Option<PlaceFraction>,
    /// Whether any withdrawal takes something from winnings.
    pub(crate) deducts: bool,
    /// Its cancelled windows.
    pub(crate) windows: u32,
    /// How certain its result is.
    pub(crate) certainty: u8,
    /// When the source of its result last spoke, on the source's clock.
    pub(crate) result_source: Timestamp,
    /// When it last took a result back: what it said before has no effect.
    pub(crate) rolled_back: Timestamp,
    /// Legs of bets that sell themselves: those to look at, and those looked at.
    pub(crate) auto_head: u32,
    pub(crate) auto_kept: u32,
    pub(crate) auto_queued: bool,
    pub(crate) auto_again: bool,
    /// Selections whose feeds were further apart than the tier's band when one of them last spoke, and
    /// since when there are any. None has a result.
    pub(crate) drifted: u16,
    pub(crate) drift_since: Timestamp,
    /// For probes only.
    pub(crate) canary: bool,
    /// Its bets meet each other, not the house.
    pub(crate) exchange: bool,
}

impl Market {
    /// Places that its selections take in the dense array.
    pub(crate) fn block(&self) -> u32 {
        u32::from(self.selections).next_power_of_two()
    }
}

/// A selection: what its feeds say, what a trader says over them, and what became of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Selection {
    /// Of the market's feed, and of its group's backup.
    pub(crate) quotes: [FeedQuote; 2],
    /// A trader's price, which outranks both; none if there is no such.
    pub(crate) pinned: WirePrice,
    pub(crate) pinned_version: PriceVersion,
    pub(crate) pinned_at: Timestamp,
    pub(crate) pinned_seq: Seq,
    pub(crate) suspension: Suspension,
    /// Bands of liability that its bets fill, as they were when that was last looked at.
    pub(crate) bands: u8,
    /// By how many of these its prices are shortened, and by how many ticks that is.
    pub(crate) steps: u8,
    pub(crate) ticks: u16,
    /// Whether its feeds were too far apart when one of them last spoke.
    pub(crate) drifted: bool,
    pub(crate) withdrawn: bool,
    /// Whether its withdrawal takes something from winnings of bets placed before it.
    pub(crate) deducts: bool,
    /// The sequence of its withdrawal, and the price that the deduction goes by.
    pub(crate) withdrawn_seq: Seq,
    pub(crate) withdrawn_at: WirePrice,
    /// What became of it, if that is known.
    pub(crate) result: Option<ResultEntry>,
}

impl Market {
    /// What fills places of markets that are not yet taken.
    pub(crate) fn filler() -> Market {
        Market {
            generation: 0,
            status: MarketStatus::Archived,
            feed: FeedId::MANUAL,
            group: GroupId::NONE,
            tier: 0,
            winners: 0,
            fixture: FixtureId::NONE,
            suspension: Suspension::default(),
            opened_in: Epoch(0),
            age_bound: Nanos::ZERO,
            version: PriceVersion(0),
            first: 0,
            selections: 0,
            head: NONE,
            tail: NONE,
            open_bets: 0,
            settlement: 0,
            job: None,
            queued: None,
            in_play: false,
            delay: Nanos::ZERO,
            cash_out: Suspension::default(),
            each_way: EachWayOffer::No,
            places: 0,
            fraction: None,
            deducts: false,
            windows: NONE,
            certainty: 0,
            result_source: Timestamp(0),
            rolled_back: Timestamp(0),
            auto_head: NONE,
            auto_kept: NONE,
            auto_queued: false,
            auto_again: false,
            drifted: 0,
            drift_since: Timestamp(0),
            canary: false,
            exchange: false,
        }
    }
}
