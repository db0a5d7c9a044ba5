//! The life of one bet: its states, its steps, the table; its legs.

use crate::command::HoldBind;
use crate::event::BetOutcome;
use crate::id::{BetId, MarketId, PriceVersion, SelectionIndex, Seq};
use crate::time::{Nanos, Timestamp};
use crate::wire::WirePrice;
use betring_pricing::{EachWay, LegNumbers, Part, PlaceFraction, Quoted, Shape, Stake};

/// No leg, no bet: the end of a list.
pub(crate) const NONE: u32 = u32::MAX;

/// Where a bet is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BetState {
    /// Offered at another price or stake than asked for; its stake is in escrow.
    Offered = 1,
    /// Open: its price is bound, its stake is in escrow.
    Open = 2,
    /// The offer ended; it never was a bet. Its stake went back.
    OfferEnded = 3,
    /// Settled as won: the return, at least the stake, is paid.
    Won = 4,
    /// Settled as lost.
    Lost = 5,
    /// Settled as void: its stake went back.
    Void = 6,
    /// It has left memory.
    Archived = 7,
    /// It waits for the end of the in-play delay; its stake is in escrow.
    Delayed = 8,
    /// It waits for a trader; its stake is in escrow.
    Referred = 9,
    /// It waited and was refused; it never was a bet. Its stake went back.
    Rejected = 10,
    /// Open, and its cash-out waits for the end of the delay.
    CashingOut = 11,
    /// Sold back to the house, for good.
    CashedOut = 12,
    /// Settled with a return of less than the stake: half lost, placed.
    Partial = 13,
    /// It waits for an external wallet to hold its stake; nothing of it is here yet.
    Held = 14,
}

/// What may be done with a bet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BetStep {
    /// It opens: the customer takes the offer, the delay passed, the trader accepts.
    Accept,
    /// It is offered at other terms: the price moved meanwhile, the trader counters.
    Offer,
    /// The offer ends: declined, expired, withdrawn.
    EndOffer,
    /// It waited and is refused.
    Reject,
    /// Its stake is held, and it waits for the end of the in-play delay.
    Delay,
    /// Its stake is held, and it waits for a trader.
    Refer,
    /// Settled with a return of at least the stake.
    Win,
    /// Settled with nothing.
    Lose,
    /// Bets on all its selections are off.
    Void,
    /// Settled with less than the stake.
    Partial,
    /// A settlement is taken back.
    Reverse,
    /// Its cash-out begins to wait.
    AskCashOut,
    /// Its cash-out fails, or was of a part only: it stays open.
    KeepOpen,
    /// All of it is sold back.
    CashOut,
    /// It leaves memory with its markets.
    Archive,
}

impl BetState {
    /// Every state.
    pub const ALL: &'static [BetState] = &[
        BetState::Held,
        BetState::Delayed,
        BetState::Referred,
        BetState::Offered,
        BetState::Open,
        BetState::CashingOut,
        BetState::Rejected,
        BetState::OfferEnded,
        BetState::Won,
        BetState::Lost,
        BetState::Void,
        BetState::Partial,
        BetState::CashedOut,
        BetState::Archived,
    ];

    /// Where a step leads, if it is allowed here.
    pub const fn after(self, step: BetStep) -> Option<BetState> {
        use BetState::*;
        match (self, step) {
            (Held | Delayed | Referred | Offered, BetStep::Accept) => Some(Open),
            (Held | Delayed | Referred, BetStep::Offer) => Some(Offered),
            (Held | Delayed | Referred, BetStep::Reject) => Some(Rejected),
            (Held, BetStep::Delay) => Some(Delayed),
            (Held, BetStep::Refer) => Some(Referred),
            (Offered, BetStep::EndOffer) => Some(OfferEnded),
            (Open, BetStep::Win) => Some(Won),
            (Open, BetStep::Lose) => Some(Lost),
            (Open, BetStep::Void) => Some(Void),
            (Open, BetStep::Partial) => Some(Partial),
            (Won | Lost | Void | Partial, BetStep::Reverse) => Some(Open),
            (Open, BetStep::AskCashOut) => Some(CashingOut),
            (CashingOut, BetStep::KeepOpen) => Some(Open),
            (CashingOut, BetStep::CashOut) => Some(CashedOut),
            (Rejected | OfferEnded | Won | Lost | Void | Partial | CashedOut, BetStep::Archive) => {
                Some(Archived)
            }
            (
                Held | Delayed | Referred | Offered | Open | CashingOut | Rejected | OfferEnded
                | Won | Lost | Void | Partial | CashedOut | Archived,
                _,
            ) => None,
        }
    }

    /// How it came out, as events say it.
    pub const fn outcome(self) -> BetOutcome {
        match self {
            BetState::Won => BetOutcome::Won,
            BetState::Lost => BetOutcome::Lost,
            BetState::Void => BetOutcome::Void,
            BetState::Partial => BetOutcome::Partial,
            BetState::CashedOut => BetOutcome::CashedOut,
            BetState::Held
            | BetState::Delayed
            | BetState::Referred
            | BetState::Offered
            | BetState::Open
            | BetState::CashingOut
            | BetState::Rejected
            | BetState::OfferEnded
            | BetState::Archived => BetOutcome::None,
        }
    }

    /// Whether its stake is in escrow.
    pub const fn in_escrow(self) -> bool {
        matches!(
            self,
            BetState::Delayed
                | BetState::Referred
                | BetState::Offered
                | BetState::Open
                | BetState::CashingOut
        )
    }

    /// Whether it stands: its price is bound and it is neither settled nor sold.
    pub const fn stands(self) -> bool {
        matches!(self, BetState::Open | BetState::CashingOut)
    }

    /// Whether it is not yet a bet.
    pub const fn waits(self) -> bool {
        matches!(self, BetState::Held | BetState::Delayed | BetState::Referred | BetState::Offered)
    }

    /// Whether a settlement is posted for it.
    pub const fn is_settled(self) -> bool {
        matches!(self, BetState::Won | BetState::Lost | BetState::Void | BetState::Partial)
    }

    /// Whether it never was a bet, and never will be.
    pub const fn is_refused(self) -> bool {
        matches!(self, BetState::Rejected | BetState::OfferEnded)
    }

    /// The state with this number.
    pub fn from_code(code: u8) -> Option<BetState> {
        BetState::ALL.iter().copied().find(|state| *state as u8 == code)
    }
}

impl BetStep {
    /// Every step.
    pub const ALL: &'static [BetStep] = &[
        BetStep::Accept,
        BetStep::Offer,
        BetStep::EndOffer,
        BetStep::Reject,
        BetStep::Delay,
        BetStep::Refer,
        BetStep::Win,
        BetStep::Lose,
        BetStep::Void,
        BetStep::Partial,
        BetStep::Reverse,
        BetStep::AskCashOut,
        BetStep::KeepOpen,
        BetStep::CashOut,
        BetStep::Archive,
    ];
}

impl std::fmt::Display for BetState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

/// A bet, or what may become one.
#[derive(Clone, Copy)]
pub(crate) struct Bet {
    /// What it risks now: all lines together, less what was sold.
    pub(crate) stake: i64,
    /// The most that this returns.
    pub(crate) returns: i64,
    /// The cap on what it pays, where the house pays the cap; else the most of all money.
    pub(crate) cap: i64,
    /// What its settlement in force paid.
    pub(crate) paid: i64,
    /// What its cash-outs brought.
    pub(crate) cashed: i64,
    pub(crate) generation: u32,
    pub(crate) account: u32,
    /// Its first leg; in a free place, the next free place.
    pub(crate) first: u32,
    pub(crate) folds: u32,
    pub(crate) bankers: u32,
    pub(crate) legs: u8,
    pub(crate) each_way: EachWay,
    /// Legs of which nothing is known.
    pub(crate) undecided: u8,
    /// Legs whose markets are in memory.
    pub(crate) present: u8,
    pub(crate) state: BetState,
    /// Dense index of its currency.
    pub(crate) book: u8,
    pub(crate) policy: u8,
    pub(crate) basis: u8,
    pub(crate) synthetic: bool,
    /// A free bet.
    pub(crate) bonus: bool,
    /// Voided by itself.
    pub(crate) cancelled: bool,
    /// Placed by a command for singles: told as one.
    pub(crate) single: bool,
    pub(crate) slippage: u16,
    /// The set of rules that settles it.
    pub(crate) ruleset: u16,
    /// How many settlements it has had.
    pub(crate) settlements: u32,
    pub(crate) placed_seq: Seq,
    pub(crate) placed_at: Timestamp,
    /// When its stake counted for its account's own limits; the least of all moments if it never did.
    pub(crate) staked_at: Timestamp,
    /// The same of what its settlement in force paid.
    pub(crate) paid_at: Timestamp,
    /// Until when it waits: for its delay, a trader, the customer, or the delay of its cash-out.
    pub(crate) until: Timestamp,
    pub(crate) floor: u64,
    pub(crate) key: crate::id::RequestKey,
    /// The stake of a line, if the customer gave that; else 0.
    pub(crate) unit: i64,
    /// Of a waiting cash-out: how much of the stake, and what the customer agreed to.
    pub(crate) ask: Ask,
    /// The value at which it is sold by itself; 0 none.
    pub(crate) auto: i64,
    /// Of an external wallet: when it binds, and what the wallet said.
    pub(crate) hold: Hold,
}

/// How the stake of a bet is held in an external wallet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hold {
    /// When the bet binds to its price; none of a bet whose stake was here.
    pub(crate) bind: Option<HoldBind>,
    /// What the wallet confirmed; 0 if it did not.
    pub(crate) confirmed: i64,
    /// The wallet's own number of that.
    pub(crate) reference: u64,
}

/// What a customer agreed to when asking for a cash-out.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) take: i64,
    pub(crate) accept: i64,
    /// The sequence at which it was asked for.
    pub(crate) seq: Seq,
    pub(crate) policy: u8,
    pub(crate) slippage: u16,
    pub(crate) auto: bool,
}

impl Bet {
    pub(crate) fn id(&self, index: u32) -> BetId {
        BetId::new(index, self.generation)
    }

    /// Its lines.
    pub(crate) fn shape(&self) -> Shape {
        Shape::new(self.legs, self.folds, self.bankers, self.each_way)
            .expect("checked when the bet was placed")
    }

    /// One leg, one line, to win: what counts exactly in its market's profit and loss.
    pub(crate) fn is_plain(&self) -> bool {
        self.legs == 1 && matches!(self.each_way, EachWay::No)
    }

    /// Whether it waits for its wallet at a price that is bound already.
    pub(crate) fn is_bound(&self) -> bool {
        self.state == BetState::Held && self.hold.bind == Some(HoldBind::AtPlace)
    }

    /// Whether it counts in what its markets may cost: from when its price is bound until it is settled
    /// or sold. A probe's is counted as a bet, and costs nothing.
    pub(crate) fn counts(&self) -> bool {
        self.state.stands() || self.is_bound()
    }

    /// What it would win beyond its stake.
    pub(crate) fn may_win(&self) -> i128 {
        i128::from(self.returns) - i128::from(self.stake)
    }

    pub(crate) fn exact_stake(&self) -> Stake {
        Stake::from_minor(self.stake).expect("a bet has a stake")
    }

    /// What fills places of bets that are not yet taken.
    pub(crate) fn filler() -> Bet {
        Bet {
            stake: 0,
            returns: 0,
            cap: 0,
            paid: 0,
            cashed: 0,
            generation: 0,
            account: 0,
            first: NONE,
            folds: 1,
            bankers: 0,
            legs: 1,
            each_way: EachWay::No,
            undecided: 0,
            present: 0,
            state: BetState::Archived,
            book: 0,
            policy: 0,
            basis: 0,
            synthetic: false,
            bonus: false,
            cancelled: false,
            single: true,
            slippage: 0,
            ruleset: 0,
            settlements: 0,
            placed_seq: Seq(0),
            placed_at: Timestamp(0),
            staked_at: Timestamp::MIN,
            paid_at: Timestamp::MIN,
            until: Timestamp(0),
            floor: 0,
            key: crate::id::RequestKey::NONE,
            unit: 0,
            ask: Ask::default(),
            auto: 0,
            hold: Hold::default(),
        }
    }
}

/// One leg of a bet: a selection, the price it is bound to, and what became of it.
#[derive(Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) bet: u32,
    pub(crate) market: u32,
    /// The generation of its market.
    pub(crate) generation: u32,
    /// The next leg of the same bet; in a free place, the next free place.
    pub(crate) sibling: u32,
    /// The next leg in the same market.
    pub(crate) next: u32,
    /// The next leg in the same market whose bet is to be sold by itself; meaningless unless listed.
    pub(crate) auto_next: u32,
    pub(crate) auto_listed: bool,
    /// Whether its market is in memory.
    pub(crate) present: bool,
    /// Whether it counts among its market's bets, and unless it is a probe's in what that may cost.
    pub(crate) counted: bool,
    pub(crate) places: u8,
    pub(crate) fraction: Option<PlaceFraction>,
    pub(crate) selection: SelectionIndex,
    pub(crate) feed: crate::id::FeedId,
    pub(crate) requested: WirePrice,
    pub(crate) requested_version: PriceVersion,
    pub(crate) price: WirePrice,
    pub(crate) version: PriceVersion,
    pub(crate) price_age: Nanos,
    /// The price it settles at: the one it is bound to, unless that was an error.
    pub(crate) settles_at: WirePrice,
    /// What its ticket could win more if it wins, as counted; of a plain single 0.
    pub(crate) reach: i64,
    /// What became of it.
    pub(crate) numbers: Option<LegNumbers>,
}

impl Leg {
    /// The part of the odds that a place of it pays.
    pub(crate) fn place(&self) -> Part {
        match self.fraction {
            Some(fraction) => Part::Place(fraction),
            None => Part::Win,
        }
    }

    /// Its market, whether that is in memory or not.
    pub(crate) fn market_id(&self) -> MarketId {
        MarketId::new(self.market, self.generation)
    }

    /// The price it settles at, as exact odds.
    pub(crate) fn odds(&self) -> Quoted {
        quoted(self.settles_at)
    }

    /// What fills places of legs that are not yet taken.
    pub(crate) fn filler() -> Leg {
        Leg {
            bet: NONE,
            market: 0,
            generation: 0,
            sibling: NONE,
            next: NONE,
            auto_next: NONE,
            auto_listed: false,
            present: false,
            counted: false,
            places: 0,
            fraction: None,
            selection: SelectionIndex(0),
            feed: crate::id::FeedId(0),
            requested: WirePrice::NONE,
            requested_version: PriceVersion(0),
            price: WirePrice::NONE,
            version: PriceVersion(0),
            price_age: Nanos::ZERO,
            settles_at: WirePrice::NONE,
            reach: 0,
            numbers: None,
        }
    }
}

/// A price in force, as exact odds.
pub(crate) fn quoted(price: WirePrice) -> Quoted {
    let exact = price.price().expect("a price in force is a price");
    Quoted::new(exact, price.fraction()).expect("a price and its fraction agree")
}
