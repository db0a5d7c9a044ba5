//! The life of one bet: its states, its steps, the table.

use crate::event::BetOutcome;
use crate::id::{BetId, PriceVersion, SelectionIndex, Seq};
use crate::risk::BetAt;
use crate::time::{Nanos, Timestamp};
use crate::wire::WirePrice;

/// Where a bet is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BetState {
    /// Offered at another price than asked for; its stake is in escrow.
    Offered = 1,
    /// Open: its price is bound, its stake is in escrow.
    Open = 2,
    /// The offer ended; it never was a bet. Its stake went back.
    OfferEnded = 3,
    /// Settled as won: the return is paid.
    Won = 4,
    /// Settled as lost.
    Lost = 5,
    /// Settled as void: its stake went back.
    Void = 6,
    /// It has left memory.
    Archived = 7,
}

/// What may be done with a bet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BetStep {
    /// The customer takes the offer.
    Accept,
    /// The offer ends: declined, expired, withdrawn.
    EndOffer,
    /// Its selection won.
    Win,
    /// Its selection lost.
    Lose,
    /// Bets on its selection are off.
    Void,
    /// It leaves memory with its market.
    Archive,
}

impl BetState {
    /// Every state.
    pub const ALL: &'static [BetState] = &[
        BetState::Offered,
        BetState::Open,
        BetState::OfferEnded,
        BetState::Won,
        BetState::Lost,
        BetState::Void,
        BetState::Archived,
    ];

    /// Where a step leads, if it is allowed here.
    pub const fn after(self, step: BetStep) -> Option<BetState> {
        use BetState::*;
        match (self, step) {
            (Offered, BetStep::Accept) => Some(Open),
            (Offered, BetStep::EndOffer) => Some(OfferEnded),
            (Open, BetStep::Win) => Some(Won),
            (Open, BetStep::Lose) => Some(Lost),
            (Open, BetStep::Void) => Some(Void),
            (OfferEnded | Won | Lost | Void, BetStep::Archive) => Some(Archived),
            (Offered | Open | OfferEnded | Won | Lost | Void | Archived, _) => None,
        }
    }

    /// How it came out, as events say it.
    pub const fn outcome(self) -> BetOutcome {
        match self {
            BetState::Won => BetOutcome::Won,
            BetState::Lost => BetOutcome::Lost,
            BetState::Void => BetOutcome::Void,
            BetState::Offered | BetState::Open | BetState::OfferEnded | BetState::Archived => {
                BetOutcome::None
            }
        }
    }
}

impl BetStep {
    /// Every step.
    pub const ALL: &'static [BetStep] = &[
        BetStep::Accept,
        BetStep::EndOffer,
        BetStep::Win,
        BetStep::Lose,
        BetStep::Void,
        BetStep::Archive,
    ];
}

impl std::fmt::Display for BetState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

/// A bet, or an offer of one.
#[derive(Clone, Copy)]
pub(crate) struct Bet {
    pub(crate) stake: i64,
    pub(crate) returns: i64,
    pub(crate) price: WirePrice,
    pub(crate) version: PriceVersion,
    pub(crate) generation: u32,
    pub(crate) account: u32,
    pub(crate) market: u32,
    /// The next bet of its market; in a free place, the next free place.
    pub(crate) next: u32,
    pub(crate) selection: SelectionIndex,
    pub(crate) state: BetState,
    /// Dense index of its currency.
    pub(crate) book: u8,
    pub(crate) policy: u8,
    pub(crate) basis: u8,
    pub(crate) synthetic: bool,
    pub(crate) slippage: u16,
    pub(crate) placed_seq: Seq,
    pub(crate) placed_at: Timestamp,
    /// The last moment at which an offer may be taken.
    pub(crate) until: Timestamp,
    pub(crate) requested: WirePrice,
    pub(crate) requested_version: PriceVersion,
    pub(crate) price_age: Nanos,
    pub(crate) paid: i64,
}

impl Bet {
    pub(crate) fn id(&self, index: u32) -> BetId {
        BetId::new(index, self.generation)
    }

    /// Where its stake and returns count, its selection being at `place` of the dense array.
    pub(crate) fn at(&self, place: u32) -> BetAt {
        BetAt {
            book: self.book,
            market: self.market,
            place,
            stake: self.stake,
            returns: self.returns,
        }
    }
}

impl Bet {
    /// What fills places of bets that are not yet taken.
    pub(crate) fn filler() -> Bet {
        Bet {
            stake: 0,
            returns: 0,
            price: WirePrice::NONE,
            version: PriceVersion(0),
            generation: 0,
            account: 0,
            market: 0,
            next: u32::MAX,
            selection: SelectionIndex(0),
            state: BetState::Archived,
            book: 0,
            policy: 0,
            basis: 0,
            synthetic: false,
            slippage: 0,
            placed_seq: Seq(0),
            placed_at: Timestamp(0),
            until: Timestamp(0),
            requested: WirePrice::NONE,
            requested_version: PriceVersion(0),
            price_age: Nanos::ZERO,
            paid: 0,
        }
    }
}
