//! The life of one market: its status, who suspends it, its quotes and how old they are.

use crate::command::{Owner, SelectionOutcome};
use crate::event::{JobKind, MarketStatus};
use crate::id::{Epoch, FeedId, FixtureId, JobId, PriceVersion, Seq};
use crate::time::{Nanos, Timestamp};
use crate::wire::WirePrice;

pub(crate) const NO_BET: u32 = u32::MAX;

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
            (Defined | Open | Closed, MarketStep::Result) => Some(Settling),
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
    /// The next bet to handle.
    pub(crate) cursor: u32,
    pub(crate) bets: u64,
    pub(crate) steps: u64,
}

/// A market.
#[derive(Clone, Copy)]
pub(crate) struct Market {
    pub(crate) generation: u32,
    pub(crate) status: MarketStatus,
    pub(crate) feed: FeedId,
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
    /// Its bets, oldest first.
    pub(crate) head: u32,
    pub(crate) tail: u32,
    pub(crate) open_bets: u32,
    pub(crate) settlement: u32,
    pub(crate) job: Option<Job>,
}

impl Market {
    /// Places that its selections take in the dense array.
    pub(crate) fn block(&self) -> u32 {
        u32::from(self.selections).next_power_of_two()
    }
}

/// A selection: the quote in force, and what became of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Selection {
    pub(crate) price: WirePrice,
    /// The market's version at its last change.
    pub(crate) version: PriceVersion,
    /// When the last update of it (a change or the same again) was received.
    pub(crate) received: Timestamp,
    /// For a derived price: when its oldest input was received; else 0.
    pub(crate) as_of: Timestamp,
    /// How much longer its last update took than its feed's quickest message.
    pub(crate) delay: Nanos,
    /// The feed's generation at its last update.
    pub(crate) generation: u32,
    pub(crate) withdrawn: bool,
    pub(crate) outcome: Option<SelectionOutcome>,
}

impl Market {
    /// What fills places of markets that are not yet taken.
    pub(crate) fn filler() -> Market {
        Market {
            generation: 0,
            status: MarketStatus::Archived,
            feed: FeedId::MANUAL,
            winners: 0,
            fixture: FixtureId::NONE,
            suspension: Suspension::default(),
            opened_in: Epoch(0),
            age_bound: Nanos::ZERO,
            version: PriceVersion(0),
            first: 0,
            selections: 0,
            head: NO_BET,
            tail: NO_BET,
            open_bets: 0,
            settlement: 0,
            job: None,
        }
    }
}
