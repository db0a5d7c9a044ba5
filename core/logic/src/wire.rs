//! The bytes of a command: the slot, its header, and how tails follow it.
//!
//! A command takes 1 to 128 slots of 128 bytes, one after the other. All numbers are little-endian.
//! A byte that has no meaning is zero, and checked to be.
//!
//! ```text
//! slot 0   0 kind u8        1 version u8    2 flags u16      4 slots u16     6 client u16
//!          8 account u64 (the customer's account; of a control command: the actor)
//!         16 key u128      32 trace [u8; 16]               48 span u64      56 received i64
//!         64 valid_until i64               72 token u64
//!         80 the rest of the body, 48 bytes, as drawn at each body in `command.rs`
//! slot 1.. 0 entries of the body, without gaps between them or at the borders of slots;
//!            zeros up to the end of the last slot
//! ```
//!
//! The three bodies of the engine itself that need more room ([`crate::command::Genesis`],
//! [`crate::command::EpochOpened`]) run on through slot 1.
//!
//! A price travels as 8 bytes: `e4 u32, numerator u16, denominator u16`; without an exact fraction
//! both halves of it are 0; no price at all is eight zeros.

use crate::id::{AccountId, ActorId, ClientId, RequestKey};
use crate::reject::Malformed;
use crate::time::Timestamp;
use betring_pricing::{Fraction, Money, Price, Stake};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

// The layouts are native structs: on a big-endian machine they would be other bytes.
const _: () = assert!(cfg!(target_endian = "little"), "betring's layouts are little-endian");

/// Bytes of one slot.
pub const SLOT: usize = 128;
/// Bytes of a header.
pub const HEADER: usize = 64;
/// Slots of the longest command: 16 KiB.
pub const SLOTS_MAX: usize = 128;

/// The command of a journal's record and, behind it, the events that it caused: the payload says of how many slots the
/// command is. None where that is no command: of no slot, of more than [`SLOTS_MAX`], or of more than there is.
///
/// ```
/// use betring_core::wire::{SLOT, SLOTS_MAX, record_parts};
///
/// let record = |slots: u8, bytes| {
///     let mut payload = vec![0; bytes];
///     payload[4] = slots;
///     record_parts(&payload).map(|(command, events)| (command.len(), events.len()))
/// };
/// assert_eq!(record(2, 2 * SLOT + 64), Some((2 * SLOT, 64)));
/// assert_eq!(record(1, SLOT), Some((SLOT, 0)));
/// assert_eq!(record(2, 2 * SLOT - 1), None);
/// assert_eq!(record(0, SLOT), None);
/// assert_eq!(record(SLOTS_MAX as u8 + 1, 200 * SLOT), None);
/// assert_eq!(record_parts(&[0; 5]), None);
/// ```
pub fn record_parts(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let slots = payload.get(4..6)?;
    let slots = usize::from(u16::from_le_bytes([slots[0], slots[1]]));
    if (1..=SLOTS_MAX).contains(&slots) { payload.split_at_checked(slots * SLOT) } else { None }
}
/// Bytes of a name as it travels, zero-padded.
pub const NAME: usize = 64;

/// One cell of the rings in: 128 bytes of a command.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub struct Slot(pub [u8; SLOT]);

impl Default for Slot {
    fn default() -> Slot {
        Slot([0; SLOT])
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slot(kind {}, slots {})", self.0[0], self.slots())
    }
}

impl Slot {
    /// How many slots the command that begins here says it takes.
    pub fn slots(&self) -> usize {
        usize::from(u16::from_le_bytes([self.0[4], self.0[5]]))
    }

    /// The header, as it is: nothing is checked.
    pub fn header(&self) -> Header {
        Header::read_from_prefix(&self.0).expect("a slot is longer than a header").0
    }

    /// The attempt's number, as it is.
    pub fn token(&self) -> crate::id::Token {
        let bytes = self.0[72..80].try_into().expect("eight bytes");
        crate::id::Token(u64::from_le_bytes(bytes))
    }

    /// Sets when the command was taken from its caller; the facade does this at publish.
    pub fn set_received(&mut self, at: Timestamp) {
        self.0[56..64].copy_from_slice(&at.0.to_le_bytes());
    }

    /// Sets where the reply goes; the facade does this at publish.
    pub fn set_client(&mut self, client: ClientId) {
        self.0[6..8].copy_from_slice(&client.0.to_le_bytes());
    }

    /// Sets the attempt's number; the facade does this when the caller leaves it to it.
    pub fn set_token(&mut self, token: crate::id::Token) {
        self.0[72..80].copy_from_slice(&token.0.to_le_bytes());
    }
}

/// What every command begins with.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Header {
    /// Which command: [`crate::command::Kind`].
    pub kind: u8,
    /// Version of the body's layout, 1 so far.
    pub version: u8,
    /// [`Header::SYNTHETIC`], [`Header::RETRY`].
    pub flags: u16,
    /// Slots that the command takes, this one included.
    pub slots: u16,
    /// The connection that asked.
    pub client: ClientId,
    /// The customer's account; of a control command the actor.
    pub account: u64,
    /// The caller's key; 0 only in feed messages and the engine's own commands.
    pub key: RequestKey,
    /// Trace context, carried and never looked at.
    pub trace: [u8; 16],
    /// Span of the caller, carried and never looked at.
    pub span: u64,
    /// When the facade took the command, on the engine's clock.
    pub received: Timestamp,
}

impl Header {
    /// A probe's command: kept out of money reports.
    pub const SYNTHETIC: u16 = 1;
    /// The caller says that this is not the first attempt.
    pub const RETRY: u16 = 2;
    const FLAGS: u16 = Self::SYNTHETIC | Self::RETRY;

    /// A header for a customer's command.
    pub fn customer(account: AccountId, key: RequestKey) -> Header {
        Header { account: account.raw(), key, ..Header::default() }
    }

    /// A header for a control command.
    pub fn control(actor: ActorId, key: RequestKey) -> Header {
        Header { account: actor.0, key, ..Header::default() }
    }

    pub(crate) fn check(&self) -> Result<(), Malformed> {
        if self.flags & !Self::FLAGS != 0 { Err(Malformed::Flags) } else { Ok(()) }
    }
}

/// A body of fixed layout, followed by [`Body::tail`] bytes of entries.
pub trait Body: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {
    /// The command it belongs to.
    const KIND: crate::command::Kind;

    /// How many bytes of entries follow.
    fn tail(&self) -> usize {
        0
    }

    /// Whether unused bytes are zero and every field is in its range.
    ///
    /// # Errors
    /// The first thing that is wrong.
    fn check(&self) -> Result<(), Malformed>;
}

/// How many slots a body of `body` bytes with `tail` bytes of entries takes.
pub const fn slots_for(body: usize, tail: usize) -> usize {
    (HEADER + body + tail).div_ceil(SLOT)
}

/// The one slot of a command without entries.
///
/// # Panics
/// If the body does not fit one slot: limits do not, nor do two of the engine's own.
pub fn slot<B: Body>(header: Header, body: &B) -> Slot {
    assert!(size_of::<B>() <= SLOT - HEADER, "a body of one slot");
    let mut slot = Slot::default();
    write_first(header, body, 1, &mut slot.0);
    slot
}

/// The slots of any command. `tail` holds its entries.
///
/// # Panics
/// If that is more than [`SLOTS_MAX`] slots: the builders of commands bound their entries.
pub fn slots<B: Body>(header: Header, body: &B, tail: &[u8]) -> Vec<Slot> {
    let mut slots = Vec::new();
    slots_into(&mut slots, header, body, tail);
    slots
}

/// The same into slots that are used again: nothing is allocated once they have had room for as much.
///
/// # Panics
/// If the command takes more slots than one may.
pub fn slots_into<B: Body>(slots: &mut Vec<Slot>, header: Header, body: &B, tail: &[u8]) {
    let needed = slots_for(size_of::<B>(), tail.len());
    assert!(needed <= SLOTS_MAX, "a command takes at most 128 slots");
    slots.clear();
    slots.resize(needed, Slot::default());
    let bytes = slots.as_mut_slice().as_mut_bytes();
    write_first(header, body, needed, bytes);
    let at = HEADER + size_of::<B>();
    bytes[at..at + tail.len()].copy_from_slice(tail);
}

fn write_first<B: Body>(header: Header, body: &B, slots: usize, out: &mut [u8]) {
    let slots = u16::try_from(slots).expect("at most 128");
    let header = Header { kind: B::KIND as u8, version: 1, slots, ..header };
    out[..HEADER].copy_from_slice(header.as_bytes());
    out[HEADER..HEADER + size_of::<B>()].copy_from_slice(body.as_bytes());
}

/// An amount as it travels: minor units, any number.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Minor(pub i64);

impl Minor {
    /// The money it is, if it is within bounds.
    pub fn money(self) -> Option<Money> {
        Money::from_minor(self.0)
    }

    /// The stake it is, if it is within bounds.
    pub fn stake(self) -> Option<Stake> {
        Stake::from_minor(self.0)
    }
}

impl From<Money> for Minor {
    fn from(money: Money) -> Minor {
        Minor(money.minor())
    }
}

impl From<Stake> for Minor {
    fn from(stake: Stake) -> Minor {
        Minor(stake.money().minor())
    }
}

impl std::fmt::Display for Minor {
    /// As money with two decimals where it is money, else the bare number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.money() {
            Some(money) => money.fmt(f),
            None => write!(f, "{} minor units", self.0),
        }
    }
}

/// A price as it travels, with its exact fraction where the source was fractional.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct WirePrice {
    /// Ten-thousandths; 0 is "no price".
    pub e4: u32,
    /// Profit of the fraction, 0 without one.
    pub num: u16,
    /// Stake of the fraction, 0 without one.
    pub den: u16,
}

impl WirePrice {
    /// No price.
    pub const NONE: WirePrice = WirePrice { e4: 0, num: 0, den: 0 };

    /// Whether there is none.
    pub const fn is_none(&self) -> bool {
        self.e4 == 0 && self.num == 0 && self.den == 0
    }

    /// A decimal price.
    pub const fn decimal(price: Price) -> WirePrice {
        WirePrice { e4: price.e4(), num: 0, den: 0 }
    }

    /// A price that was quoted as a fraction.
    pub fn fractional(fraction: Fraction) -> WirePrice {
        WirePrice { e4: fraction.price().e4(), num: fraction.num(), den: fraction.den() }
    }

    /// The price, if there is one and it is in range.
    pub fn price(&self) -> Option<Price> {
        Price::from_e4(self.e4)
    }

    /// The exact fraction, if the source had one.
    pub fn fraction(&self) -> Option<Fraction> {
        if self.den == 0 { None } else { Fraction::new(self.num, self.den) }
    }

    /// Whether it is a price: in range, and its fraction, if any, is that price rounded down.
    pub fn is_price(&self) -> bool {
        let Some(price) = self.price() else { return false };
        match (self.num, self.den) {
            (0, 0) => true,
            (num, den) => Fraction::new(num, den).map(|f| f.price()) == Some(price),
        }
    }
}

impl std::fmt::Display for WirePrice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.price(), self.fraction()) {
            (Some(price), None) => price.fmt(f),
            (Some(price), Some(fraction)) => write!(f, "{price} ({fraction})"),
            (None, _) => f.write_str("no price"),
        }
    }
}

/// A name as it travels: UTF-8, 1 to 64 bytes, zero-padded, no control characters.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Name([u8; NAME]);

impl Name {
    /// The name, if it may be one.
    ///
    /// # Errors
    /// [`Malformed::Name`] if it is empty, too long, or holds control characters.
    pub fn new(text: &str) -> Result<Name, Malformed> {
        if text.is_empty() || NAME < text.len() || text.chars().any(char::is_control) {
            return Err(Malformed::Name);
        }
        let mut bytes = [0; NAME];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Name(bytes))
    }

    /// What fills places of names that are not yet taken.
    pub(crate) const fn filler() -> Name {
        Name([0; NAME])
    }

    /// The text.
    ///
    /// # Errors
    /// [`Malformed::Name`] if the bytes are not a name.
    pub fn text(&self) -> Result<&str, Malformed> {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(NAME);
        let text = std::str::from_utf8(&self.0[..end]).map_err(|_| Malformed::Name)?;
        let padded = self.0[end..].iter().all(|b| *b == 0);
        if text.is_empty() || !padded || text.chars().any(char::is_control) {
            return Err(Malformed::Name);
        }
        Ok(text)
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

const _: () = assert!(size_of::<Slot>() == SLOT && size_of::<Header>() == HEADER);
const _: () = assert!(size_of::<WirePrice>() == 8 && size_of::<Name>() == NAME);
