//! What customers ask with several legs: the legs, the lines made of them, the stake, the terms.
//!
//! ```
//! # use betring::*;
//! # fn slip(account: AccountId, cup: &Market, league: &Market) -> PlaceTicket {
//! let legs = [
//!     cup.selection("England").seen_at(price!(2.10)),
//!     league.selection("Arsenal").seen_at(price!(1.80)),
//! ];
//! Place::ticket(account, Slip::double(legs), money!(10.00)).policy(PricePolicy::Better).key(key(2))
//! # }
//! ```

use std::time::Duration;

use betring_core::command::{self, EachWayKind, LegEntry, PricePolicy, StakeKind, build};
use betring_core::id::{AccountId, PriceVersion, RequestKey};
use betring_core::reject::Malformed;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, Slot, WirePrice};
use betring_pricing::{Fraction, Money, Price};

use crate::ask::{Ask, Place, Selection, Terms, VALID_FOR, terms};

/// One leg of a ticket: a selection, and the price that the customer saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    selection: Selection,
    price: WirePrice,
    version: PriceVersion,
}

impl Leg {
    /// On this selection. It needs a price, or a ticket at any price.
    pub fn on(selection: Selection) -> Leg {
        Leg { selection, price: WirePrice::NONE, version: PriceVersion(0) }
    }

    /// The price that the customer saw and asks for.
    pub fn seen_at(self, price: Price) -> Leg {
        Leg { price: WirePrice::decimal(price), ..self }
    }

    /// The same, quoted as a fraction.
    pub fn seen_at_fraction(self, fraction: Fraction) -> Leg {
        Leg { price: WirePrice::fractional(fraction), ..self }
    }

    /// The version of the price that the customer saw: kept as evidence.
    pub fn seen_version(self, version: PriceVersion) -> Leg {
        Leg { version, ..self }
    }

    fn entry(&self) -> LegEntry {
        LegEntry::new(self.selection.market, self.selection.index, self.price, self.version)
    }
}

impl From<Selection> for Leg {
    fn from(selection: Selection) -> Leg {
        Leg::on(selection)
    }
}

impl Selection {
    /// A leg on it, at the price that the customer saw.
    pub fn seen_at(self, price: Price) -> Leg {
        Leg::on(self).seen_at(price)
    }
}

/// Legs and the lines made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    legs: Vec<Leg>,
    /// Bit k − 1: lines of k legs.
    folds: u32,
    bankers: u32,
}

/// Lines of every size from `from` legs to `to`.
const fn sizes(from: u32, to: u32) -> u32 {
    (1 << to) - (1 << (from - 1))
}

macro_rules! named {
    ($($(#[$doc:meta])* $name:ident($legs:literal) = $folds:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(legs: [impl Into<Leg>; $legs]) -> Slip {
            Slip::of(legs, $folds)
        }
    )*};
}

impl Slip {
    fn of(legs: impl IntoIterator<Item = impl Into<Leg>>, folds: u32) -> Slip {
        Slip { legs: legs.into_iter().map(Into::into).collect(), folds, bankers: 0 }
    }

    named! {
        /// One leg: what may be each way, or a free bet.
        single(1) = sizes(1, 1);
        /// Two legs, one line: both have to win.
        double(2) = sizes(2, 2);
        /// Three legs, one line.
        treble(3) = sizes(3, 3);
        /// Three doubles and a treble.
        trixie(3) = sizes(2, 3);
        /// A trixie with its singles, seven lines.
        patent(3) = sizes(1, 3);
        /// Doubles and more of four legs, 11 lines.
        yankee(4) = sizes(2, 4);
        /// Singles and more of four legs, 15 lines.
        lucky15(4) = sizes(1, 4);
        /// Doubles and more of five legs, 26 lines; also called super yankee.
        canadian(5) = sizes(2, 5);
        /// Singles and more of five legs, 31 lines.
        lucky31(5) = sizes(1, 5);
        /// Doubles and more of six legs, 57 lines.
        heinz(6) = sizes(2, 6);
        /// Singles and more of six legs, 63 lines.
        lucky63(6) = sizes(1, 6);
        /// Doubles and more of seven legs, 120 lines.
        super_heinz(7) = sizes(2, 7);
        /// Doubles and more of eight legs, 247 lines.
        goliath(8) = sizes(2, 8);
    }

    /// All legs in one line.
    pub fn acca(legs: impl IntoIterator<Item = impl Into<Leg>>) -> Slip {
        let mut slip = Slip::of(legs, 0);
        slip.folds = Slip::size(slip.legs.len());
        slip
    }

    /// All lines of so many legs: `[2]` is every double, `[2, 3]` every double and treble. With
    /// bankers, which count in the size, a line has all of them.
    pub fn system(sizes: &[u8], legs: impl IntoIterator<Item = impl Into<Leg>>) -> Slip {
        let folds = sizes.iter().fold(0, |folds, size| folds | Slip::size(usize::from(*size)));
        Slip::of(legs, folds)
    }

    // A size that cannot be is no bit at all, which every command refuses.
    fn size(legs: usize) -> u32 {
        legs.checked_sub(1).and_then(|bit| 1_u32.checked_shl(bit as u32)).unwrap_or(0)
    }

    /// The leg at this position, from 0, is in every line.
    pub fn banker(mut self, leg: u8) -> Slip {
        self.bankers |= 1_u32.checked_shl(leg.into()).unwrap_or(0);
        self
    }

    /// Its legs.
    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }
}

/// A bet of several legs, lines or parts.
#[derive(Clone, Debug)]
pub struct PlaceTicket {
    account: AccountId,
    slip: Slip,
    body: command::PlaceTicket,
    terms: Terms,
}

terms!(PlaceTicket);

impl Place {
    /// A ticket: `stake` is that of all its lines together, unless [`PlaceTicket::per_line`] says that it
    /// is of each. (In the test language, `docs/script.md`, it is of each line unless it says `total`.)
    /// It needs a key, and prices that the customer saw or [`PlaceTicket::any_price`].
    pub fn ticket(account: AccountId, slip: Slip, stake: Money) -> PlaceTicket {
        let body = command::PlaceTicket {
            stake: Minor::from(stake),
            folds: slip.folds,
            bankers: slip.bankers,
            stake_kind: StakeKind::Total as u8,
            policy: PricePolicy::Better as u8,
            ..command::PlaceTicket::default()
        };
        PlaceTicket { account, slip, body, terms: Terms::default() }
    }
}

impl PlaceTicket {
    /// The stake is that of each line, as customers of full cover bets give it.
    pub fn per_line(mut self) -> PlaceTicket {
        self.body.stake_kind = StakeKind::Unit as u8;
        self
    }

    /// Every line on the win and once more on the place.
    pub fn each_way(mut self) -> PlaceTicket {
        self.body.each_way = EachWayKind::WinToWin as u8;
        self
    }

    /// Each way, where what a leg returns goes in halves on win and place of the next.
    pub fn equally_divided(mut self) -> PlaceTicket {
        self.body.each_way = EachWayKind::EquallyDivided as u8;
        self
    }

    /// What the customer agrees to when the price of a leg has moved. Without: that price or a better one.
    pub fn policy(mut self, policy: PricePolicy) -> PlaceTicket {
        self.body.policy = policy as u8;
        self
    }

    /// With [`PricePolicy::Within`]: by how many ten-thousandths a leg's price may be lower.
    pub fn slippage(mut self, basis_points: u16) -> PlaceTicket {
        self.body.slippage = basis_points;
        self
    }

    /// Whatever prices are in force.
    pub fn any_price(self) -> PlaceTicket {
        self.policy(PricePolicy::Any)
    }

    /// The least that the prices of all legs may come to together.
    pub fn floor(mut self, product: Price) -> PlaceTicket {
        self.body.floor = u64::from(product.e4());
        self
    }

    /// From the account's bonus money; what it wins is paid without the stake.
    pub fn free_bet(mut self) -> PlaceTicket {
        self.body.bonus = 1;
        self
    }

    /// The slots of this request, sent at `now`: for batches.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for no leg or more than 25.
    pub fn slots(&self, now: Timestamp) -> Result<Vec<Slot>, Malformed> {
        self.slots_at(now, VALID_FOR)
    }
}

impl Ask for PlaceTicket {
    type Slots = Vec<Slot>;

    fn slots_at(&self, now: Timestamp, default_for: Nanos) -> Result<Vec<Slot>, Malformed> {
        let valid_until = self.terms.until(now, default_for);
        let body = command::PlaceTicket { valid_until, ..self.body };
        let legs: Vec<LegEntry> = self.slip.legs.iter().map(Leg::entry).collect();
        build::place_ticket(self.terms.header(self.account.raw()), body, &legs)
    }
}
