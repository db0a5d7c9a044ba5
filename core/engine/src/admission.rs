//! The door in front of the bet ring: who is let in, and who is told when to come back.
//!
//! Everything here runs on the caller's own thread, before a command is published: without a lock,
//! without an allocation, cheapest first. Size and shape, the client's credit, the rate of its session,
//! whether its bytes are a command at all; then, for what bets on a market, that market's door: whether
//! it is shed, how many of its bets are in flight, its rate. A ticket passes the door of each of its
//! legs, or none. What is asked about orders of an exchange market counts as a bet on it; but cancels
//! are let in at every market's door, and only counted: who wants less at risk never waits for those who
//! want more. What is refused here was never sequenced, and this attempt will never execute.
//!
//! The control ring has no door: what restricts or reports the world, the wallet's word and the feeds'
//! are never shed. Nor is a question about a request, which ends the retries of the others.
//!
//! **Shedding** is by market, hottest first. While the journal or the ring is behind, cash-outs are
//! refused, and a waterline falls from the rate of the hottest market: a market above it is held to it,
//! the others are not touched. It never falls below a floor, so no market is shut. When all is well
//! again it rises, and then cash-outs come back. When it is done at all is said by the configuration, and
//! over that by a command: the deciding thread tells the doors what the state has of it.
//!
//! ```text
//! in flight of a market = entered (counted up by callers) − left (counted up by the deciding thread)
//! ```
//! Two words on different cache lines: the deciding thread only stores, and waits for nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use betring_core::Shedding;
use betring_core::command::{Capacities, Kind, PlaceTicket, Shed};
use betring_core::id::{ActorId, MarketId};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, SLOT, Slot};
use zerocopy::IntoBytes;

use crate::error::Error;
use crate::shared::Shared;

/// So many a second on average, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// On average, from 1.
    pub per_second: u32,
    /// At once after a pause, from 1.
    pub burst: u32,
}

impl Rate {
    /// So many a second, and so many at once.
    pub const fn new(per_second: u32, burst: u32) -> Rate {
        Rate { per_second, burst }
    }

    fn is_valid(self) -> bool {
        0 < self.per_second && 0 < self.burst
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} a second, {} at once", self.per_second, self.burst)
    }
}

/// Who is let in. What is not said is not bounded, but for the in-flight bets of a market and shedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intake {
    pub(crate) session: Option<Rate>,
    pub(crate) retries: Option<Rate>,
    pub(crate) market: Option<Rate>,
    pub(crate) market_in_flight: Option<u32>,
    pub(crate) shed: Shed,
    pub(crate) lag: u64,
    pub(crate) behind: Nanos,
    pub(crate) ring_percent: u8,
    pub(crate) floor: u32,
}

impl Default for Intake {
    /// Shedding is automatic, and one market may have half of the bet ring.
    fn default() -> Intake {
        Intake {
            session: None,
            retries: None,
            market: None,
            market_in_flight: None,
            shed: Shed::Auto,
            // A lazy sync comes every 100 ms, and is no sign of trouble at a million a second.
            lag: 1 << 18,
            behind: Nanos::from_millis(250),
            ring_percent: 75,
            floor: 100,
        }
    }
}

impl Intake {
    /// The defaults.
    pub fn new() -> Intake {
        Intake::default()
    }

    /// A door that always stands open: only a full ring refuses.
    pub fn open() -> Intake {
        Intake { shed: Shed::Off, market_in_flight: Some(UNBOUNDED), ..Intake::default() }
    }

    /// What one client's connection may send, questions not counted. Default: what its credit allows.
    pub fn session(self, rate: Rate) -> Intake {
        Intake { session: Some(rate), ..self }
    }

    /// What one client's connection may send of retries, commands that say that they are not the first
    /// attempt; they count in its rate as well. Default: no bound of their own.
    pub fn retries(self, rate: Rate) -> Intake {
        Intake { retries: Some(rate), ..self }
    }

    /// Bets on one market, from all clients together. Default: no bound.
    pub fn market(self, rate: Rate) -> Intake {
        Intake { market: Some(rate), ..self }
    }

    /// Bets on one market that are published and not decided. Default: half of the bet ring, so that
    /// one market never keeps the others out.
    pub fn market_in_flight(self, bets: u32) -> Intake {
        Intake { market_in_flight: Some(bets), ..self }
    }

    /// When markets are shed, as long as no command says otherwise. Default: while the journal or the
    /// ring is behind.
    pub fn shed(self, shed: Shed) -> Intake {
        Intake { shed, ..self }
    }

    /// The journal is behind when so many decided sequences are not durable while somebody waits for
    /// them, or when nothing became durable for so long. Default: 262,144, and 250 ms.
    pub fn lag(self, sequences: u64, behind: Nanos) -> Intake {
        Intake { lag: sequences, behind, ..self }
    }

    /// The bet ring is behind when it is so full. Default: 75 percent.
    pub fn ring_percent(self, percent: u8) -> Intake {
        Intake { ring_percent: percent, ..self }
    }

    /// A market that is shed still gets so many bets a second in. Default: 100.
    pub fn floor(self, per_second: u32) -> Intake {
        Intake { floor: per_second, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong =
            |what: String, instead: &str| Err(Error::Config { what, instead: instead.to_owned() });
        for (of, rate) in
            [("a session", self.session), ("retries", self.retries), ("a market", self.market)]
        {
            if let Some(rate) = rate.filter(|rate| !rate.is_valid()) {
                let what = format!("a rate of {rate} for {of}");
                return wrong(what, "let in at least 1 a second and 1 at once, or leave it out");
            }
        }
        if self.market_in_flight.is_some_and(|most| !(1..=UNBOUNDED).contains(&most)) {
            let what = "no bet of a market in flight, or more than can be counted".to_owned();
            return wrong(
                what,
                "let in from 1 to 2147483647, or leave it out for half of the ring",
            );
        }
        if self.lag == 0 || self.behind <= Nanos::ZERO {
            let what = format!("a journal that is behind at {} or {}", self.lag, self.behind);
            return wrong(what, "give lag at least 1 sequence and some time");
        }
        if !(1..=100).contains(&self.ring_percent) {
            let what = format!("a ring that is behind at {} percent", self.ring_percent);
            return wrong(what, "give ring_percent from 1 to 100");
        }
        if !(1..=1_000_000).contains(&self.floor) {
            let what = format!("a floor of {} bets a second", self.floor);
            return wrong(what, "give floor from 1 to 1000000, so that no market is shut");
        }
        Ok(())
    }
}

macro_rules! whys {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $said:literal;)*) => {
        /// Why an attempt was not let in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum BusyWhy { $($(#[$doc])* $name,)* }

        impl BusyWhy {
            /// Every one.
            pub const ALL: &'static [BusyWhy] = &[$(BusyWhy::$name,)*];

            /// The name, as counters have it.
            pub const fn name(self) -> &'static str {
                match self { $(BusyWhy::$name => $text,)* }
            }

            const fn said(self) -> &'static str {
                match self { $(BusyWhy::$name => $said,)* }
            }
        }
    };
}

whys! {
    /// The ring has no room.
    RingFull = "ring-full", "the ring is full";
    /// The market is among the hottest, and the engine is behind.
    Shed = "shed", "the engine is behind and this market is among the hottest";
    /// Cash-outs wait until the engine is no longer behind.
    CashOut = "cash-out", "the engine is behind and takes no cash-outs";
    /// As many bets of the market are in flight as may be.
    InFlight = "in-flight", "as many bets of this market are undecided as may be";
    /// The market's rate.
    Market = "market-rate", "this market gets more bets than it may";
    /// The session's rate.
    Session = "session-rate", "the session sends faster than it may";
    /// The session's rate of retries.
    Retries = "retry-rate", "the session repeats more than it may";
}

impl std::fmt::Display for BusyWhy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// An attempt was not let in: why, and when to ask again, with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Why.
    pub why: BusyWhy,
    /// The market that was too busy; none if it was none.
    pub market: MarketId,
    /// Not before this long. Add jitter: all that were refused have been told about the same.
    pub retry_after: Nanos,
}

impl Busy {
    /// The ring has no room, or the queue of a gateway in front of it.
    pub const RING_FULL: Busy =
        Busy { why: BusyWhy::RingFull, market: MarketId::NONE, retry_after: Nanos::from_millis(5) };
}

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.why.said())?;
        if self.market != MarketId::NONE {
            write!(f, " ({})", self.market)?;
        }
        write!(f, "; repeat with the same key after {}, with jitter", self.retry_after)
    }
}

/// Times in here: sixteenths of a nanosecond since the engine was opened; they last 36 years.
type Moment = u64;

const UNITS: u64 = 16;
const SECOND: u64 = 1_000_000_000 * UNITS;

fn span(units: u64) -> Nanos {
    // At least something: "at once" would be the storm again.
    Nanos(i64::try_from(units.div_ceil(UNITS)).unwrap_or(i64::MAX).max(1_000_000))
}

/// A token bucket that keeps one word: the moment at which it will be full again (GCRA).
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// What one token takes to come back; rounded up, so that never more pass than the rate says.
    each: u64,
    /// How far ahead of now the word may be for one more to pass.
    ahead: u64,
}

impl Bucket {
    fn new(rate: Rate) -> Bucket {
        let each = SECOND.div_ceil(u64::from(rate.per_second.max(1)));
        Bucket { each, ahead: each.saturating_mul(u64::from(rate.burst.max(1)) - 1) }
    }

    /// The word after one more has passed at `now`, or how long until one can.
    fn pass(&self, word: u64, now: Moment) -> Result<u64, u64> {
        let wait = word.saturating_sub(now.saturating_add(self.ahead));
        if wait == 0 { Ok(word.max(now).saturating_add(self.each)) } else { Err(wait) }
    }

    /// The same for many callers at once.
    fn take(&self, word: &AtomicU64, now: Moment) -> Result<(), u64> {
        let mut before = word.load(Ordering::Relaxed);
        loop {
            let after = self.pass(before, now)?;
            match word.compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(found) => before = found,
            }
        }
    }
}

/// How many came lately, each worth [`ONE`], fading by a 32nd a tick: at a steady rate 32 ticks' worth.
/// In one word with the tick it was reckoned at.
const ONE: u32 = 256;
/// Nanoseconds of a tick, as a power of two: about a millisecond.
const TICK_BITS: u32 = 20;
/// A quarter fades between two looks, an eighth is what the waterline falls: a market that is shed comes
/// down to the line, and is not shut while the line passes it by.
const FADE: u64 = 32;

/// What is left of 1 << 32 after 1, 2, 4, 8 … ticks.
const FADED: [u64; 12] = {
    let mut table = [((FADE - 1) << 32) / FADE; 12];
    let mut at = 1;
    while at < table.len() {
        table[at] = (table[at - 1] * table[at - 1]) >> 32;
        at += 1;
    }
    table
};

fn faded(heat: u32, ticks: u32) -> u32 {
    if ticks >> FADED.len() != 0 {
        return 0;
    }
    let mut heat = u64::from(heat);
    for (bit, factor) in FADED.iter().enumerate() {
        if ticks >> bit & 1 == 1 {
            heat = (heat * factor) >> 32;
        }
    }
    heat as u32
}

fn heat_at(word: u64, tick: u32) -> u32 {
    faded(word as u32, tick.wrapping_sub((word >> 32) as u32).min(i32::MAX as u32))
}

/// The rate a second that keeps a market at this heat.
fn rate_of(heat: u32) -> u32 {
    let tick_ns = 1_u64 << TICK_BITS;
    (u64::from(heat) * 1_000_000_000 / (FADE * u64::from(ONE) * tick_ns)) as u32
}

fn heat_of(rate: u32) -> u32 {
    let tick_ns = 1_u64 << TICK_BITS;
    let heat = u64::from(rate) * FADE * u64::from(ONE) * tick_ns / 1_000_000_000;
    u32::try_from(heat).unwrap_or(u32::MAX).max(ONE)
}

/// What callers keep of a market, on a cache line of its own.
#[repr(align(64))]
#[derive(Debug, Default)]
struct Door {
    bucket: AtomicU64,
    heat: AtomicU64,
    entered: AtomicU32,
    turned_away: AtomicU32,
}

impl Door {
    /// Counts one more in, unless `cap` are in already. Counted first and looked at then: of two that
    /// come at once, the later one sees the earlier.
    fn enter(&self, left: &AtomicU32, cap: u32) -> bool {
        let before = self.entered.fetch_add(1, Ordering::Relaxed);
        // Below zero if some that came later have left already.
        let inside = before.wrapping_sub(left.load(Ordering::Relaxed)) as i32;
        let fits = inside < cap as i32;
        if !fits {
            self.back_out();
        }
        fits
    }

    /// Takes one back that was counted in and will not be published.
    fn back_out(&self) {
        self.entered.fetch_sub(1, Ordering::Relaxed);
    }

    /// One came at this tick: how hot that makes it.
    fn warm(&self, tick: u32) -> u32 {
        let mut before = self.heat.load(Ordering::Relaxed);
        loop {
            let heat = heat_at(before, tick).saturating_add(ONE);
            let after = u64::from(tick) << 32 | u64::from(heat);
            match self.heat.compare_exchange_weak(
                before,
                after,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return heat,
                Err(found) => before = found,
            }
        }
    }
}

/// One that was decided has left: only the deciding thread says so.
fn leave(left: &AtomicU32) {
    left.store(left.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The markets that a command bets on: by its bytes as they came, so that both ends count the same,
/// whatever else is wrong with them.
pub(crate) struct Bets<'a> {
    bytes: &'a [u8],
    at: usize,
    step: usize,
    left: usize,
}

/// Where the market of a single and of orders stands, and how many legs a ticket has; both are drawn in the logic's
/// `command.rs`, and a test compares.
const MARKET_AT: usize = 80;
const LEGS_AT: usize = 104;
const LEG: usize = 32;

pub(crate) fn bets(bytes: &[u8]) -> Bets<'_> {
    let (at, step, left) = match bytes.first().copied().and_then(Kind::from_code) {
        Some(
            Kind::Place
            | Kind::PlaceOrders
            | Kind::CancelOrders
            | Kind::ReplaceOrders
            | Kind::UpdateOrders,
        ) => (MARKET_AT, 0, 1),
        Some(Kind::PlaceTicket) => {
            let legs = bytes.get(LEGS_AT).map_or(0, |legs| usize::from(*legs));
            (SLOT, LEG, legs.min(betring_pricing::LEGS_MAX))
        }
        _ => (0, 0, 0),
    };
    Bets { bytes, at, step, left }
}

/// Whether a command only takes back what was asked for.
fn cancels(bytes: &[u8]) -> bool {
    bytes.first() == Some(&(Kind::CancelOrders as u8))
}

/// The place of the first market that a command bets on; of others one that there is not.
pub(crate) fn first_market(slots: &[Slot]) -> u32 {
    bets(slots.as_bytes()).next().map_or(u32::MAX, MarketId::index)
}

const _: () = assert!(size_of::<PlaceTicket>() == SLOT - MARKET_AT + 16);

impl Iterator for Bets<'_> {
    type Item = MarketId;

    fn next(&mut self) -> Option<MarketId> {
        self.left = self.left.checked_sub(1)?;
        let raw = self.bytes.get(self.at..self.at + 8)?;
        self.at += self.step;
        Some(MarketId::from_raw(raw.try_into().map_or(0, u64::from_le_bytes)))
    }
}

/// More than can be in flight.
const UNBOUNDED: u32 = u32::MAX >> 1;
/// Looks at the engine, this often, by whoever comes by.
const LOOK: u64 = SECOND / 100;
/// A waterline that no market reaches.
const DRY: u32 = u32::MAX;
/// Where in the word of what was said of shedding the actor's number begins.
const SAID_BY: u32 = 8;
// No actor's number is too long for its place.
const _: () = assert!((Capacities::MAX as u64) << SAID_BY >> SAID_BY == Capacities::MAX as u64);

/// What the door knows of one market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketDoor {
    /// The place of the market, as its handles have it.
    pub index: u32,
    /// Bets a second that were let in lately.
    pub rate: u32,
    /// Bets that are published and not decided, about.
    pub in_flight: u32,
    /// Bets that were refused here since the start.
    pub turned_away: u32,
}

/// The doors of one engine.
#[derive(Debug)]
pub(crate) struct Admission {
    rules: Intake,
    opened: Timestamp,
    bucket: Option<Bucket>,
    in_flight: u32,
    floor: u32,
    doors: Box<[Door]>,
    /// By market: how many were decided. Stored by the deciding thread only.
    left: Box<[AtomicU32]>,
    /// What was said last of shedding: the mode in the lowest byte, who said it above. Stored by the
    /// deciding thread only.
    said: AtomicU64,
    behind: AtomicBool,
    waterline: AtomicU32,
    /// Heat of the hottest market since the last look, of those that were refused too.
    hottest: AtomicU32,
    looked: AtomicU64,
    /// The durable sequence at the last look, and since when it has stood while somebody waited.
    stood_at: AtomicU64,
    stood_since: AtomicU64,
    refused: [AtomicU64; BusyWhy::ALL.len()],
    retries: AtomicU64,
}

impl Admission {
    pub(crate) fn new(
        rules: Intake,
        opened: Timestamp,
        markets: u32,
        bet_ring: usize,
    ) -> Admission {
        let half = u32::try_from(bet_ring / 2).unwrap_or(UNBOUNDED);
        Admission {
            rules,
            opened,
            bucket: rules.market.map(Bucket::new),
            in_flight: rules.market_in_flight.unwrap_or(half),
            floor: heat_of(rules.floor),
            doors: (0..markets).map(|_| Door::default()).collect(),
            left: (0..markets).map(|_| AtomicU32::new(0)).collect(),
            said: AtomicU64::new(0),
            behind: AtomicBool::new(false),
            waterline: AtomicU32::new(DRY),
            hottest: AtomicU32::new(0),
            looked: AtomicU64::new(0),
            stood_at: AtomicU64::new(0),
            stood_since: AtomicU64::new(0),
            refused: [const { AtomicU64::new(0) }; BusyWhy::ALL.len()],
            retries: AtomicU64::new(0),
        }
    }

    fn moment(&self, now: Timestamp) -> Moment {
        let since = now.0.saturating_sub(self.opened.0).max(0).unsigned_abs();
        since.saturating_mul(UNITS)
    }

    fn tick(now: Moment) -> u32 {
        ((now / UNITS) >> TICK_BITS) as u32
    }

    fn place(&self, market: MarketId) -> Option<(&Door, &AtomicU32)> {
        if market.generation() == 0 {
            return None;
        }
        let index = market.index() as usize;
        self.doors.get(index).zip(self.left.get(index))
    }

    #[cold]
    fn busy(&self, why: BusyWhy, market: MarketId, retry_after: Nanos) -> Busy {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
        if let Some((door, _)) = self.place(market) {
            door.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        Busy { why, market, retry_after }
    }

    /// Lets a whole command in, or says why not. What was let in and is not published has to
    /// [`Admission::back_out`].
    pub(crate) fn enter(&self, now: Timestamp, slots: &[Slot]) -> Result<(), Busy> {
        let bytes = slots.as_bytes();
        let moment = self.moment(now);
        let tick = Admission::tick(moment);
        let waterline = self.waterline.load(Ordering::Relaxed);
        let cancels = cancels(bytes);
        if !cancels && (waterline != DRY || self.behind.load(Ordering::Relaxed)) {
            self.shed(bytes, tick, waterline)?;
        }
        for (done, market) in bets(bytes).enumerate() {
            let Some((door, left)) = self.place(market) else { continue };
            let fits = door.enter(left, if cancels { UNBOUNDED } else { self.in_flight });
            let token = match &self.bucket {
                Some(bucket) if fits && !cancels => bucket.take(&door.bucket, moment),
                _ => Ok(()),
            };
            let refused = match token {
                _ if !fits => Some((BusyWhy::InFlight, Busy::RING_FULL.retry_after)),
                Err(wait) => {
                    door.back_out();
                    Some((BusyWhy::Market, span(wait)))
                }
                Ok(()) => None,
            };
            if let Some((why, retry_after)) = refused {
                // Tokens of the legs before are lost: less comes in than the rate allows, never more.
                bets(bytes).take(done).for_each(|market| self.out(market));
                return Err(self.busy(why, market, retry_after));
            }
        }
        for market in bets(bytes) {
            if let Some((door, _)) = self.place(market) {
                let heat = door.warm(tick);
                if self.hottest.load(Ordering::Relaxed) < heat {
                    self.hottest.fetch_max(heat, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn shed(&self, bytes: &[u8], tick: u32, waterline: u32) -> Result<(), Busy> {
        if bytes.first() == Some(&(Kind::CashOut as u8)) {
            let a_while = Nanos::from_millis(250);
            return Err(self.busy(BusyWhy::CashOut, MarketId::NONE, a_while));
        }
        for market in bets(bytes) {
            let Some((door, _)) = self.place(market) else { continue };
            let heat = heat_at(door.heat.load(Ordering::Relaxed), tick);
            if waterline <= heat {
                self.hottest.fetch_max(heat, Ordering::Relaxed);
                // So long until it has cooled to the line, at a 32nd a tick.
                let ticks = u64::from(heat - waterline) * FADE / u64::from(waterline.max(1));
                let wait = (ticks.min(FADE) << TICK_BITS) * UNITS;
                return Err(self.busy(BusyWhy::Shed, market, span(wait)));
            }
        }
        Ok(())
    }

    fn out(&self, market: MarketId) {
        if let Some((door, _)) = self.place(market) {
            door.back_out();
        }
    }

    /// What was let in was not published after all.
    #[cold]
    pub(crate) fn back_out(&self, slots: &[Slot]) {
        bets(slots.as_bytes()).for_each(|market| self.out(market));
    }

    /// A command was decided: on the deciding thread, of every command of the bet ring.
    #[inline]
    pub(crate) fn decided(&self, bytes: &[u8]) {
        for market in bets(bytes) {
            if let Some((_, left)) = self.place(market) {
                leave(left);
            }
        }
    }

    /// Looks whether the engine is behind, if nobody has lately; moves the waterline.
    #[inline]
    pub(crate) fn look(&self, now: Timestamp, shared: &Shared, ring: impl FnOnce() -> (u64, u64)) {
        let moment = self.moment(now);
        let looked = self.looked.load(Ordering::Relaxed);
        if moment < looked.saturating_add(LOOK) {
            return;
        }
        let mine =
            self.looked.compare_exchange(looked, moment, Ordering::Relaxed, Ordering::Relaxed);
        if mine.is_ok() {
            let behind = match self.mode() {
                Shed::Off => false,
                Shed::On => true,
                Shed::Auto => self.is_behind(moment, shared, ring()),
            };
            self.turn(behind);
        }
    }

    fn is_behind(&self, moment: Moment, shared: &Shared, (waiting, slots): (u64, u64)) -> bool {
        let durable = shared.durable.get();
        let wanted = shared.sync_wanted();
        if !wanted || self.stood_at.load(Ordering::Relaxed) != durable {
            self.stood_at.store(durable, Ordering::Relaxed);
            self.stood_since.store(moment, Ordering::Relaxed);
        }
        let stood = moment.saturating_sub(self.stood_since.load(Ordering::Relaxed)) / UNITS;
        let decided = shared.decided.load(Ordering::Acquire);
        let lag = decided.saturating_sub(durable);
        let full = slots * u64::from(self.rules.ring_percent) <= waiting * 100;
        full || wanted && (self.rules.lag <= lag || self.rules.behind.0.unsigned_abs() <= stood)
    }

    /// The waterline falls while the engine is behind, from the hottest market down, by an eighth; and
    /// rises by an eighth when it is not, until no market reaches it.
    fn turn(&self, behind: bool) {
        let hottest = self.hottest.swap(0, Ordering::Relaxed);
        let line = self.waterline.load(Ordering::Relaxed);
        self.behind.store(behind, Ordering::Relaxed);
        let next = match behind {
            // Nobody came: there is nothing to hold back.
            true if hottest == 0 => line,
            true => {
                let from = line.min(hottest);
                (from - from / 8).max(self.floor)
            }
            false if line == DRY => DRY,
            false => {
                let risen = line.saturating_add(line / 8).saturating_add(1);
                if hottest.max(self.floor).saturating_mul(2) < risen { DRY } else { risen }
            }
        };
        self.waterline.store(next, Ordering::Relaxed);
    }

    /// What was said last of shedding, and by whom.
    pub(crate) fn said(&self) -> Shedding {
        let word = self.said.load(Ordering::Relaxed);
        Shedding::from_code(word as u8, ActorId(word >> SAID_BY)).unwrap_or_default()
    }

    /// When markets are shed: as was said, or else as is configured.
    pub(crate) fn mode(&self) -> Shed {
        self.said().mode.unwrap_or(self.rules.shed)
    }

    /// Goes by what was said last of shedding: on the deciding thread, once that is applied, and before
    /// anybody comes.
    pub(crate) fn go_by(&self, said: Shedding) {
        let word = said.by.0 << SAID_BY | u64::from(said.code());
        self.said.store(word, Ordering::Relaxed);
        match self.mode() {
            Shed::On => self.behind.store(true, Ordering::Relaxed),
            Shed::Auto => (),
            Shed::Off => {
                self.behind.store(false, Ordering::Relaxed);
                self.waterline.store(DRY, Ordering::Relaxed);
            }
        }
        // The next one that comes looks again.
        self.looked.store(0, Ordering::Relaxed);
    }

    /// Whether cash-outs are refused here, as far as anybody has looked within a second.
    pub(crate) fn sheds(&self, now: Timestamp) -> bool {
        let seen = self.looked.load(Ordering::Relaxed).saturating_add(SECOND);
        self.mode() == Shed::On
            || self.moment(now) <= seen
                && (self.behind.load(Ordering::Relaxed)
                    || self.waterline.load(Ordering::Relaxed) != DRY)
    }

    /// A command that says it was asked before came.
    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> [(BusyWhy, u64); BusyWhy::ALL.len()] {
        std::array::from_fn(|at| (BusyWhy::ALL[at], self.refused[at].load(Ordering::Relaxed)))
    }

    pub(crate) fn ring_was_full(&self) -> Busy {
        self.busy(BusyWhy::RingFull, MarketId::NONE, Busy::RING_FULL.retry_after)
    }

    /// What the door knows of the market at this place.
    pub(crate) fn market(&self, index: u32, now: Timestamp) -> Option<MarketDoor> {
        let door = self.doors.get(index as usize)?;
        let left = self.left.get(index as usize)?.load(Ordering::Relaxed);
        let inside = door.entered.load(Ordering::Relaxed).wrapping_sub(left) as i32;
        let tick = Admission::tick(self.moment(now));
        Some(MarketDoor {
            index,
            rate: rate_of(heat_at(door.heat.load(Ordering::Relaxed), tick)),
            in_flight: inside.max(0).unsigned_abs(),
            turned_away: door.turned_away.load(Ordering::Relaxed),
        })
    }

    pub(crate) fn markets(&self) -> u32 {
        self.doors.len() as u32
    }
}

/// What one connection has used of its rates. Only its own thread looks at it.
#[derive(Debug)]
pub(crate) struct Session {
    all: Option<(Bucket, u64)>,
    retries: Option<(Bucket, u64)>,
    doors: Arc<Shared>,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Session {
        let rules = &shared.admission.rules;
        let bucket = |rate: Option<Rate>| rate.map(|rate| (Bucket::new(rate), 0));
        Session {
            all: bucket(rules.session),
            retries: bucket(rules.retries),
            doors: shared.clone(),
        }
    }

    /// One more command of it, if its rate has room.
    pub(crate) fn pass(&mut self, now: Timestamp, first: &Slot) -> Result<(), Busy> {
        let doors = &self.doors.admission;
        let retry = first.header().flags & Header::RETRY != 0;
        if retry {
            doors.retried();
        }
        if self.all.is_none() && !(retry && self.retries.is_some())
            || first.0[0] == Kind::Resolve as u8
        {
            return Ok(());
        }
        let moment = doors.moment(now);
        let mut next = (self.all, self.retries);
        if let Some((bucket, word)) = next.1.as_mut().filter(|_| retry) {
            *word = bucket
                .pass(*word, moment)
                .map_err(|wait| doors.busy(BusyWhy::Retries, MarketId::NONE, span(wait)))?;
        }
        if let Some((bucket, word)) = &mut next.0 {
            *word = bucket
                .pass(*word, moment)
                .map_err(|wait| doors.busy(BusyWhy::Session, MarketId::NONE, span(wait)))?;
        }
        (self.all, self.retries) = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use betring_core::command::{
        CancelEntry, CancelOrders, LegEntry, OrderEntry, Place, PlaceOrders, ReplaceEntry,
        ReplaceOrders, UpdateEntry, UpdateOrders, build,
    };
    use betring_core::id::{OrderId, PriceVersion, SelectionIndex};
    use betring_core::wire::{self, WirePrice};
    use proptest::prelude::*;

    fn market(index: u32) -> MarketId {
        MarketId::new(index, 1)
    }

    fn bet(index: u32) -> [Slot; 1] {
        let body = Place { market: market(index), ..Place::default() };
        [wire::slot(Header::default(), &body)]
    }

    fn ticket(markets: &[u32]) -> Vec<Slot> {
        let leg = |index: &u32| {
            LegEntry::new(market(*index), SelectionIndex(0), WirePrice::NONE, PriceVersion(0))
        };
        let legs: Vec<LegEntry> = markets.iter().map(leg).collect();
        build::place_ticket(Header::default(), PlaceTicket::default(), &legs).expect("legs")
    }

    fn cancel(index: u32) -> [Slot; 1] {
        let body = CancelOrders { market: market(index), ..CancelOrders::default() };
        [wire::slot(Header::default(), &body)]
    }

    fn admission(rules: Intake) -> Admission {
        Admission::new(rules, Timestamp(0), 8, 1024)
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp(micros * 1_000)
    }

    fn said(mode: Shed) -> Shedding {
        Shedding { mode: Some(mode), by: ActorId(7) }
    }

    #[test]
    fn what_was_said_of_shedding_outranks_the_configuration_until_it_is_taken_back() {
        for configured in Shed::ALL {
            let doors = admission(Intake::new().shed(*configured));
            assert_eq!((doors.said(), doors.mode()), (Shedding::default(), *configured));
            for mode in Shed::ALL {
                doors.go_by(said(*mode));
                assert_eq!((doors.said(), doors.mode()), (said(*mode), *mode));
                assert_eq!(doors.sheds(at(0)), *mode == Shed::On);
            }
            doors.go_by(Shedding { mode: None, by: ActorId(u64::from(Capacities::MAX)) });
            assert_eq!(doors.mode(), *configured);
            assert_eq!(doors.said().by, ActorId(u64::from(Capacities::MAX)));
        }
    }

    #[test]
    fn both_ends_find_the_markets_of_a_command_in_its_bytes() {
        let of = |slots: &[Slot]| bets(slots.as_bytes()).collect::<Vec<_>>();
        assert_eq!(of(&bet(3)), [market(3)]);
        let many: Vec<u32> = (0..25).map(|n| n % 8).collect();
        assert_eq!(of(&ticket(&many)), many.iter().map(|n| market(*n)).collect::<Vec<_>>());
        let other = wire::slot(Header::default(), &betring_core::command::Deposit::default());
        assert_eq!(of(&[other]), []);
        assert_eq!(first_market(&bet(5)), 5);
        assert_eq!(first_market(&[other]), u32::MAX);
        // Cut short, or with a count that lies: as much as there is, the same at both ends.
        let mut lies = ticket(&[1, 2]);
        lies[0].0[LEGS_AT] = 200;
        assert_eq!(of(&lies).len(), 4, "four places for legs in the one slot behind the first");
        assert_eq!(of(&lies[..1]), []);
    }

    #[test]
    fn what_is_asked_about_orders_counts_at_the_door_of_its_market() {
        let (header, market) = (Header::default(), market(3));
        let order = OrderId::new(1, 1);
        let place = PlaceOrders { market, ..PlaceOrders::default() };
        let cancel = CancelOrders { market, ..CancelOrders::default() };
        let replace = ReplaceOrders { market, ..ReplaceOrders::default() };
        let update = UpdateOrders { market, ..UpdateOrders::default() };
        let by = betring_core::wire::Minor(1);
        let all = [
            build::place_orders(header, place, &[OrderEntry::default(); 7]),
            build::cancel_orders(header, cancel, &[]),
            build::cancel_orders(header, cancel, &[CancelEntry { order, by }; 9]),
            build::replace_orders(
                header,
                replace,
                &[ReplaceEntry { order, limit_e4: 20_000, zero: 0 }; 5],
            ),
            build::update_orders(
                header,
                update,
                &[UpdateEntry { order, persistence: 1, zero: [0; 7] }; 6],
            ),
        ];
        for slots in all {
            let slots = slots.expect("not too many");
            assert_eq!(bets(slots.as_bytes()).collect::<Vec<_>>(), [market]);
        }
    }

    #[test]
    fn a_cancel_is_let_in_where_bets_are_not_and_counts_until_it_is_decided() {
        let rules = Intake::new().market_in_flight(2).market(Rate::new(1, 2)).floor(1);
        let doors = admission(rules);
        for _ in 0..2 {
            doors.enter(at(0), &bet(3)).expect("there is room");
        }
        let why = |slots: &[Slot], now| doors.enter(now, slots).map_err(|busy| busy.why);
        assert_eq!(why(&bet(3), at(0)), Err(BusyWhy::InFlight));
        assert_eq!(why(&cancel(3), at(0)), Ok(()));
        assert_eq!(doors.market(3, at(0)).expect("there").in_flight, 3);
        for slots in [&bet(3), &bet(3), &cancel(3)] {
            doors.decided(slots.as_bytes());
        }
        assert_eq!(doors.market(3, at(0)).expect("there").in_flight, 0);
        // The rate of the market is used up, and a cancel neither waits for it nor takes of it.
        assert_eq!(why(&bet(3), at(10)), Err(BusyWhy::Market));
        assert_eq!(why(&cancel(3), at(10)), Ok(()));
        // The market is as hot as any and the engine behind.
        doors.turn(true);
        assert_eq!(why(&bet(3), at(20)), Err(BusyWhy::Shed));
        assert_eq!(why(&cancel(3), at(20)), Ok(()));
    }

    proptest! {
        /// Any bytes: both ends stop where the bytes do.
        #[test]
        fn no_bytes_make_it_look_beyond_their_end(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(bets(&bytes).count() <= betring_pricing::LEGS_MAX);
        }

        /// In no span of any schedule do more pass than the burst and what the rate gives in it.
        #[test]
        fn never_more_pass_than_the_rate_says(
            per_second in 1_u32..2_000_000,
            burst in 1_u32..50,
            gaps in prop::collection::vec((0_u64..4, 0_u64..3_000_000), 1..300),
        ) {
            let bucket = Bucket::new(Rate::new(per_second, burst));
            let word = AtomicU64::new(0);
            let mut now = 0;
            let mut passed = Vec::new();
            for (scale, gap) in gaps {
                now += gap * UNITS / 1_000_u64.pow(scale as u32);
                if bucket.take(&word, now).is_ok() {
                    passed.push(now);
                }
            }
            for from in 0..passed.len() {
                for to in from..passed.len() {
                    let span = u128::from(passed[to] - passed[from]);
                    let most = u128::from(burst)
                        + span * u128::from(per_second) / u128::from(SECOND);
                    prop_assert!((to - from + 1) as u128 <= most);
                }
            }
        }

        /// Whatever came, after the time that was said one passes.
        #[test]
        fn whoever_comes_back_when_it_was_told_to_is_let_in(
            per_second in 1_u32..1_000_000,
            burst in 1_u32..20,
            before in 0_usize..60,
        ) {
            let bucket = Bucket::new(Rate::new(per_second, burst));
            let word = AtomicU64::new(0);
            for _ in 0..before {
                let _ = bucket.take(&word, 7);
            }
            if let Err(wait) = bucket.take(&word, 7) {
                prop_assert!(bucket.take(&word, 7 + wait - 1).is_err());
                prop_assert!(bucket.take(&word, 7 + wait).is_ok());
            }
        }

        /// What fades in two steps is what fades in one, but for what rounding takes.
        #[test]
        fn heat_fades_by_time_alone(heat in 0_u32..1 << 30, a in 0_u32..1_000, b in 0_u32..1_000) {
            let (twice, once) = (faded(faded(heat, a), b), faded(heat, a + b));
            prop_assert!(twice.abs_diff(once) <= 24, "{twice} {once}");
        }
    }

    #[test]
    fn threads_that_hurry_get_no_more_than_the_rate() {
        let bucket = Bucket::new(Rate::new(1_000, 10));
        let word = AtomicU64::new(0);
        let passed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..10_000_u64 {
                        // A second goes by, in each thread for itself.
                        if bucket.take(&word, n * SECOND / 10_000).is_ok() {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert!(passed.load(Ordering::Relaxed) <= 10 + 1_000);
    }

    #[test]
    fn a_market_that_is_full_refuses_and_the_others_are_not_touched() {
        let doors = admission(Intake::new().market_in_flight(2));
        assert_eq!(doors.enter(at(0), &bet(1)), Ok(()));
        assert_eq!(doors.enter(at(0), &bet(1)), Ok(()));
        let busy = doors.enter(at(0), &bet(1)).expect_err("two are in");
        assert_eq!((busy.why, busy.market), (BusyWhy::InFlight, market(1)));
        assert_eq!(doors.enter(at(0), &bet(2)), Ok(()));
        // A ticket passes all of its doors or none.
        assert!(doors.enter(at(0), &ticket(&[3, 1])).is_err());
        assert_eq!(doors.market(3, at(0)).map(|door| door.in_flight), Some(0));
        // One was decided, and one was not published after all.
        doors.decided(bet(1).as_bytes());
        assert_eq!(doors.enter(at(0), &ticket(&[3, 1])), Ok(()));
        doors.back_out(&ticket(&[3, 1]));
        assert_eq!(doors.enter(at(0), &bet(1)), Ok(()));
        let door = doors.market(1, at(0)).expect("it is there");
        assert_eq!((door.in_flight, door.turned_away), (2, 2));
        // A handle of nothing has no door, and the state says what is wrong with it.
        let forged = Place { market: MarketId::from_raw(1), ..Place::default() };
        assert_eq!(doors.enter(at(0), &[wire::slot(Header::default(), &forged)]), Ok(()));
        assert_eq!(doors.enter(at(0), &bet(4_000)), Ok(()));
    }

    #[test]
    fn a_market_has_its_own_rate() {
        let doors = admission(Intake::new().market(Rate::new(1_000, 2)));
        assert_eq!(doors.enter(at(0), &bet(1)), Ok(()));
        assert_eq!(doors.enter(at(0), &bet(1)), Ok(()));
        let busy = doors.enter(at(0), &bet(1)).expect_err("no token is left");
        assert_eq!((busy.why, busy.retry_after), (BusyWhy::Market, Nanos::from_millis(1)));
        assert_eq!(doors.market(1, at(0)).map(|door| door.in_flight), Some(2), "it did not enter");
        assert_eq!(doors.enter(at(0), &bet(2)), Ok(()));
        assert_eq!(doors.enter(at(1_000), &bet(1)), Ok(()), "a millisecond later one is back");
    }

    /// Sends so many bets a millisecond to each market; how many of each were let in.
    fn send(doors: &Admission, from_ms: i64, ms: i64, each: &[u32]) -> Vec<u32> {
        let mut passed = vec![0; each.len()];
        for now in from_ms..from_ms + ms {
            if now % 10 == 0 {
                doors.turn(doors.mode() == Shed::On);
            }
            for (index, count) in each.iter().enumerate() {
                for _ in 0..*count {
                    let slots = bet(index as u32);
                    if doors.enter(at(now * 1_000), &slots).is_ok() {
                        passed[index] += 1;
                        doors.decided(slots.as_bytes());
                    }
                }
            }
        }
        passed
    }

    #[test]
    fn the_hottest_market_is_shed_first_and_never_wholly() {
        let doors = admission(Intake::new());
        assert_eq!(send(&doors, 0, 400, &[40, 2, 2]), [16_000, 800, 800], "all is well");
        let hot = doors.market(0, at(400_000)).expect("it is there");
        assert!((36_000..44_000).contains(&hot.rate), "{hot:?} at 40,000 a second");
        doors.go_by(said(Shed::On));
        let passed = send(&doors, 400, 100, &[40, 2, 2]);
        assert!(passed[0] < 2_600, "{passed:?}: the hottest gets less");
        assert_eq!(passed[1..], [200, 200], "the others all they ask for");
        // It goes on falling until the cooler ones are the hottest, down to the floor and no further.
        let passed = send(&doors, 500, 2_000, &[40, 2, 2]);
        assert!(passed[0] < 8_000, "{passed:?}");
        let passed = send(&doors, 2_500, 1_000, &[40, 2, 2]);
        assert!(passed.iter().all(|passed| (90..130).contains(passed)), "{passed:?}: the floor");
        // When all is well again it rises, until nobody is held back.
        doors.go_by(said(Shed::Auto));
        send(&doors, 3_500, 3_000, &[40, 2, 2]);
        assert_eq!(send(&doors, 6_500, 100, &[40, 2, 2]), [4_000, 200, 200]);
    }

    #[test]
    fn cash_outs_are_shed_before_bets_and_nothing_else_is() {
        let doors = admission(Intake::new());
        let cash_out = wire::slot(Header::default(), &betring_core::command::CashOut::default());
        let accept = wire::slot(Header::default(), &betring_core::command::AcceptOffer::default());
        assert_eq!(doors.enter(at(0), &[cash_out]), Ok(()));
        doors.go_by(said(Shed::On));
        assert!(doors.sheds(at(0)));
        let busy = doors.enter(at(0), &[cash_out]).expect_err("at once");
        assert_eq!(busy.why, BusyWhy::CashOut);
        assert_eq!(doors.enter(at(0), &bet(1)), Ok(()), "no market is hot");
        assert_eq!(doors.enter(at(0), &[accept]), Ok(()));
        doors.go_by(said(Shed::Off));
        assert_eq!(doors.enter(at(0), &[cash_out]), Ok(()));
    }

    #[test]
    fn what_cannot_work_says_what_to_write_instead() {
        let says = |intake: Intake, text: &str| {
            assert_eq!(intake.check().expect_err("it cannot work").to_string(), text);
        };
        says(
            Intake::new().session(Rate::new(0, 5)),
            "a rate of 0 a second, 5 at once for a session cannot work: let in at least 1 a second and \
             1 at once, or leave it out",
        );
        says(
            Intake::new().ring_percent(0),
            "a ring that is behind at 0 percent cannot work: give ring_percent from 1 to 100",
        );
        says(
            Intake::new().floor(0),
            "a floor of 0 bets a second cannot work: give floor from 1 to 1000000, so that no market \
             is shut",
        );
        assert!(Intake::new().check().is_ok() && Intake::open().check().is_ok());
        assert!(Intake::new().market_in_flight(0).check().is_err());
        assert!(Intake::new().lag(0, Nanos(1)).check().is_err());
    }
}
