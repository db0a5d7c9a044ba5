//! What the instruments show of feeds, groups and markets: for health and the governor.
//!
//! Nobody waits for them and nothing is decided by them. What happened to feeds, groups and markets is
//! read off the records by the thread that writes them, before they are durable: whoever has to close
//! something should not wait for the disk first. How long customers waited is told by those who waited.
//! Every dial is one word or a few that need not agree with each other.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use betring_core::command::{Capacities, Command, Drives, FactorScope, Kind, Level, Owner, decode};
use betring_core::event::{EVENT_HEADER, Event, EventReader, FeedStatus, FeedWhy, MarketStatus};
use betring_core::id::{ActorId, FeedId, GroupId, MarketId};
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::NAME;
use betring_core::{Rules, State};

use crate::shared::Count;

/// A stake factor that changes nothing, in percent.
pub(crate) const WHOLE: u32 = 100;

#[derive(Debug, Default)]
struct FeedDial {
    status: AtomicU8,
    slow: AtomicU8,
    generation: AtomicU32,
    heard: AtomicI64,
    heartbeat: AtomicI64,
    silence: AtomicI64,
    factor: AtomicU32,
    /// Who freezes the cash-outs of its markets, a bit each.
    frozen: AtomicU8,
}

#[derive(Debug, Default)]
struct GroupDial {
    primary: AtomicU16,
    backup: AtomicU16,
    /// Which of them drives; above [`SWITCHED_BY`], who switched it last in this run, 0 if nobody did.
    drives: AtomicU64,
    /// How many of its open markets are further apart than their band.
    drifting: AtomicU32,
    /// Who freezes its cash-outs, a bit each.
    frozen: AtomicU8,
}

/// Where in a group's word on who drives it the actor is.
const SWITCHED_BY: u32 = 8;
/// Of a market, in its dial: its feeds are further apart than its band.
const DRIFTS: u8 = 1;
/// Of a market, in its dial: it is open.
const OPEN: u8 = 2;
/// Of a market, in its dial: a governor freezes its cash-outs.
const FROZEN: u8 = 4;

#[derive(Debug, Default)]
struct MarketDial {
    raw: AtomicU64,
    feed: AtomicU16,
    group: AtomicU16,
    /// [`DRIFTS`] and [`OPEN`]: its group counts it while it is both. [`FROZEN`].
    state: AtomicU8,
    /// When a price of it was last received.
    received: AtomicI64,
    /// Less 100, so that nothing has to be stored for one that was never set.
    factor: AtomicU32,
    /// Its name, for people.
    name: [AtomicU64; NAME / 8],
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What decided refusals have in common, for those who watch a market.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RefusedFor { $($(#[$doc])* $name,)* }

        impl RefusedFor {
            /// Every one.
            pub const ALL: &'static [RefusedFor] = &[$(RefusedFor::$name,)*];

            /// The name, as counters have it.
            pub const fn name(self) -> &'static str {
                match self { $(RefusedFor::$name => $text,)* }
            }
        }

        impl std::fmt::Display for RefusedFor {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

refusals! {
    /// There is no price, or it is old, late, held back or doubted.
    Price = "price";
    /// The feed is not up, or sends another version.
    Feed = "feed";
    /// Suspended, closed, not open, frozen.
    Suspended = "suspended";
    /// The price moved, and the customer did not agree to that.
    Moved = "moved";
    /// Stake, payout, liability, or the customer's own limit.
    Limit = "limit";
    /// The customer's money or account.
    Account = "account";
    /// Everything else.
    Other = "other";
}

impl RefusedFor {
    /// The kind that a refusal is of.
    pub const fn of(reject: Reject) -> RefusedFor {
        use Reject as R;
        match reject {
            R::NoPrice | R::PriceHeld | R::StalePrice | R::PriceDelayed | R::PriceDrifted => {
                RefusedFor::Price
            }
            R::FeedDown | R::FeedQuarantined => RefusedFor::Feed,
            R::MarketNotOpen
            | R::MarketClosed
            | R::MarketSuspended
            | R::SelectionWithdrawn
            | R::MarketNotOpenForBspBetting
            | R::CashOutFrozen => RefusedFor::Suspended,
            R::PriceMoved | R::CashOutMoved => RefusedFor::Moved,
            R::StakeTooSmall
            | R::StakeTooLarge
            | R::PayoutLimit
            | R::LiabilityLimit
            | R::InvalidBetSize
            | R::TooManyOrders
            | R::CustomerLimit => RefusedFor::Limit,
            R::AccountUnknown
            | R::AccountBlocked
            | R::SelfExcluded
            | R::AccountKind
            | R::FundsInsufficient
            | R::BalanceLimit => RefusedFor::Account,
            _ => RefusedFor::Other,
        }
    }
}

const GROUPS: usize = RefusedFor::ALL.len();

/// Four buckets an octave from about a microsecond to about a second, and one for what took longer.
const BUCKETS: usize = 4 * 20 + 1;
const FIRST_OCTAVE: u32 = 10;

fn bucket_of(took: Nanos) -> usize {
    let ns = took.or_zero().0.unsigned_abs().max(1 << FIRST_OCTAVE);
    let octave = ns.ilog2();
    let quarter = ns >> (octave - 2) & 3;
    ((octave - FIRST_OCTAVE) as usize * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The upper end of a bucket: what is said of a wait is never less than it was.
fn upper(bucket: usize) -> Nanos {
    let (octave, quarter) = (bucket as u32 / 4 + FIRST_OCTAVE, bucket as i64 % 4);
    Nanos((1 << octave) + ((quarter + 1) << (octave - 2)))
}

/// How long something took, how often: the waits of one market's customers, as their clients saw them, or
/// those of one stage.
#[derive(Debug)]
pub(crate) struct Pulse([AtomicU32; BUCKETS]);

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse::new()
    }
}

impl Pulse {
    pub(crate) const fn new() -> Pulse {
        Pulse([const { AtomicU32::new(0) }; BUCKETS])
    }

    /// One more, where several threads tell.
    #[inline]
    fn beat(&self, took: Nanos) {
        self.0[bucket_of(took)].fetch_add(1, Ordering::Relaxed);
    }

    /// The same where only one thread does.
    #[inline]
    pub(crate) fn beat_alone(&self, took: Nanos) {
        let count = &self.0[bucket_of(took)];
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Beats {
        Beats(std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed)))
    }
}

/// The counts of a pulse at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beats([u32; BUCKETS]);

impl Beats {
    pub(crate) const NONE: Beats = Beats([0; BUCKETS]);

    /// What came after an earlier moment.
    pub(crate) fn after(&self, earlier: &Beats) -> Spread {
        Spread(std::array::from_fn(|at| u64::from(self.0[at].wrapping_sub(earlier.0[at]))))
    }

    /// What came after an earlier moment: how many, and the 99th percentile, from above.
    pub(crate) fn since(&self, earlier: &Beats) -> (u32, Nanos) {
        let spread = self.after(earlier);
        (spread.count() as u32, spread.at(990))
    }

    /// Several pulses as one.
    pub(crate) fn plus(&self, other: &Beats) -> Beats {
        Beats(std::array::from_fn(|at| self.0[at].wrapping_add(other.0[at])))
    }
}

/// How many of each length there were, or how much they weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread([u64; BUCKETS]);

impl Spread {
    pub(crate) const NONE: Spread = Spread([0; BUCKETS]);

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The longest but of so many in a thousand, from above; nothing of none.
    pub(crate) fn at(&self, per_mille: u64) -> Nanos {
        let count = self.count();
        let (mut above, mut at) = (0, BUCKETS);
        while 0 < at {
            above += self.0[at - 1];
            if count * (1_000 - per_mille) < above * 1_000 {
                return upper(at - 1);
            }
            at -= 1;
        }
        Nanos::ZERO
    }

    pub(crate) fn longest(&self) -> Nanos {
        self.0.iter().rposition(|count| *count != 0).map_or(Nanos::ZERO, upper)
    }

    pub(crate) fn add(&mut self, other: &Spread) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    /// How many a sum of capped ones counts as.
    pub(crate) fn capped_count(&self) -> u64 {
        self.count().div_ceil(SHARE)
    }

    /// Adds another one that weighs as if it had `most` at most: a bucket has its share of those.
    pub(crate) fn add_capped(&mut self, other: &Spread, most: u64) {
        let of = other.count().max(most).max(1);
        let weigh = |count: u64| u128::from(count) * u128::from(most * SHARE) / u128::from(of);
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += weigh(more) as u64);
    }
}

/// What one of a capped spread weighs: shares of it are exact enough.
const SHARE: u64 = 1 << 16;

fn is_of_governor(owners: u8) -> bool {
    owners & 1 << Owner::Governor as u8 != 0
}

/// When the facade took a command, as the state has it: never after its stamp.
fn received(stamp: Timestamp, command: &[u8]) -> Timestamp {
    match decode(command) {
        Ok((header, _)) if header.received.0 != 0 => header.received.min(stamp),
        _ => stamp,
    }
}

/// The instruments of one engine.
#[derive(Debug)]
pub(crate) struct Dials {
    feeds: Box<[FeedDial]>,
    groups: Box<[GroupDial]>,
    markets: Box<[MarketDial]>,
    factor: AtomicU32,
    /// Who freezes all cash-outs, a bit each.
    frozen: AtomicU8,
    pulses: Box<[Pulse]>,
    /// Decided refusals by code; by market and kind. Stored by the deciding thread only.
    refused: [Count; 256],
    refused_of: Box<[[AtomicU32; GROUPS]]>,
}

/// A feed, as its dial shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedNow {
    pub(crate) status: FeedStatus,
    pub(crate) slow: bool,
    pub(crate) generation: u32,
    pub(crate) silent_for: Nanos,
    pub(crate) is_up: bool,
    /// When it last confirmed all its prices.
    pub(crate) heartbeat: Timestamp,
    pub(crate) factor: u32,
}

impl FeedNow {
    /// How long a feed was silent that was never heard from.
    pub(crate) const NEVER_HEARD: Nanos = Nanos(i64::MAX);
}

/// A group, as its dial shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupNow {
    pub(crate) id: GroupId,
    pub(crate) primary: FeedId,
    pub(crate) backup: FeedId,
    pub(crate) drives: Drives,
    /// Who switched it last in this run.
    pub(crate) switched_by: Option<ActorId>,
    pub(crate) drifting: u32,
}

impl GroupNow {
    /// The feed that prices its markets.
    pub(crate) fn driving(&self) -> FeedId {
        match self.drives {
            Drives::Primary => self.primary,
            Drives::Backup => self.backup,
        }
    }
}

/// A market, as its dial shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MarketNow {
    pub(crate) id: MarketId,
    pub(crate) feed: FeedId,
    pub(crate) group: GroupId,
    pub(crate) received: Timestamp,
    pub(crate) factor: u32,
}

impl Dials {
    pub(crate) fn new(capacities: &Capacities) -> Dials {
        let markets = 0..capacities.markets;
        Dials {
            feeds: (0..=capacities.feeds).map(|_| FeedDial::default()).collect(),
            groups: (0..=capacities.groups).map(|_| GroupDial::default()).collect(),
            factor: AtomicU32::new(0),
            frozen: AtomicU8::new(0),
            markets: markets.clone().map(|_| MarketDial::default()).collect(),
            pulses: markets.clone().map(|_| Pulse::new()).collect(),
            refused: [const { Count::new() }; 256],
            refused_of: markets.map(|_| [const { AtomicU32::new(0) }; GROUPS]).collect(),
        }
    }

    /// What earlier runs left.
    pub(crate) fn prime<R: Rules>(&self, state: &State<R>) {
        for number in 1..self.feeds.len() {
            let id = FeedId(number as u16);
            let Some(feed) = state.feed(id) else { break };
            let dial = &self.feeds[number];
            dial.status.store(feed.status as u8, Ordering::Relaxed);
            dial.generation.store(feed.generation, Ordering::Relaxed);
            dial.heard.store(feed.heard.0, Ordering::Relaxed);
            dial.silence.store(feed.silence_bound.0, Ordering::Relaxed);
            dial.slow.store(u8::from(feed.slow), Ordering::Relaxed);
            let factor = state.stake_factor(FactorScope::Feed, id.0.into()).unwrap_or(WHOLE);
            dial.factor.store(factor.wrapping_sub(WHOLE), Ordering::Relaxed);
            let frozen = state.cash_outs_frozen_by(Level::Feed, id.0.into());
            dial.frozen.store(frozen, Ordering::Relaxed);
        }
        for group in state.groups() {
            if let Some(dial) = self.groups.get(usize::from(group.id.0)) {
                dial.backup.store(group.backup.0, Ordering::Relaxed);
                dial.drives.store(group.drives as u64, Ordering::Relaxed);
                let frozen = state.cash_outs_frozen_by(Level::Group, group.id.0.into());
                dial.frozen.store(frozen, Ordering::Relaxed);
                dial.primary.store(group.primary.0, Ordering::Release);
            }
        }
        for market in state.markets() {
            self.define(market.id, market.feed, market.group, market.name);
            if let Some(dial) = self.markets.get(market.id.index() as usize) {
                let scope = FactorScope::Market;
                let factor = state.stake_factor(scope, market.id.raw()).unwrap_or(WHOLE);
                dial.factor.store(factor.wrapping_sub(WHOLE), Ordering::Relaxed);
                self.mark(dial, DRIFTS, market.drifted_since.is_some());
                self.mark(dial, OPEN, market.status == MarketStatus::Open);
                let frozen = state.cash_outs_frozen_by(Level::Market, market.id.raw());
                self.mark(dial, FROZEN, is_of_governor(frozen));
            }
        }
        self.frozen.store(state.cash_outs_frozen_by(Level::Engine, 0), Ordering::Relaxed);
        let factor = state.stake_factor(FactorScope::Engine, 0).unwrap_or(WHOLE);
        self.factor.store(factor.wrapping_sub(WHOLE), Ordering::Relaxed);
    }

    fn define(&self, market: MarketId, feed: FeedId, group: GroupId, name: &str) {
        if let Some(dial) = self.markets.get(market.index() as usize) {
            let mut bytes = [0; NAME];
            bytes.iter_mut().zip(name.bytes()).for_each(|(to, byte)| *to = byte);
            for (word, from) in dial.name.iter().zip(bytes.chunks_exact(8)) {
                word.store(from.try_into().map_or(0, u64::from_le_bytes), Ordering::Relaxed);
            }
            dial.feed.store(feed.0, Ordering::Relaxed);
            dial.group.store(group.0, Ordering::Relaxed);
            dial.state.store(0, Ordering::Relaxed);
            dial.received.store(0, Ordering::Relaxed);
            dial.factor.store(0, Ordering::Relaxed);
            dial.raw.store(market.raw(), Ordering::Relaxed);
        }
    }

    /// A record with this stamp is written: on the thread that writes it.
    pub(crate) fn saw(&self, stamp: Timestamp, command: &[u8], events: &[u8]) {
        let mut rest = events;
        while EVENT_HEADER <= rest.len() {
            let bytes = usize::from(u16::from_le_bytes([rest[2], rest[3]]));
            let Some((event, after)) = rest.split_at_checked(bytes) else { break };
            if let Some(Ok(event)) = EventReader::new(event).next() {
                self.note(stamp, command, &event);
            }
            rest = after;
        }
    }

    fn note(&self, stamp: Timestamp, command: &[u8], event: &Event) {
        match event {
            Event::Named(e) if e.kind == Kind::DefineFeed as u8 => {
                let bound = command.get(88..96).and_then(|bytes| bytes.try_into().ok());
                let bound = bound.map_or(0, i64::from_le_bytes);
                if let Some(dial) = self.feeds.get(e.id as usize) {
                    dial.status.store(FeedStatus::Recovering as u8, Ordering::Relaxed);
                    dial.silence.store(bound, Ordering::Relaxed);
                }
            }
            Event::FeedChanged(e) => {
                let Some(dial) = self.feeds.get(usize::from(e.feed.0)) else { return };
                match FeedWhy::from_code(e.why) {
                    Some(FeedWhy::Slow) => dial.slow.store(1, Ordering::Relaxed),
                    Some(FeedWhy::InTime) => dial.slow.store(0, Ordering::Relaxed),
                    _ => (),
                }
                dial.status.store(e.status, Ordering::Relaxed);
                dial.generation.store(e.generation, Ordering::Relaxed);
                dial.heard.fetch_max(e.heard.0, Ordering::Relaxed);
            }
            Event::FeedHeard(e) => {
                if let Some(dial) = self.feeds.get(usize::from(e.feed.0)) {
                    // One that is late or doubted confirms no price, and was heard all the same.
                    dial.heard.fetch_max(received(stamp, command).0, Ordering::Relaxed);
                    dial.heartbeat.fetch_max(e.heard.0, Ordering::Relaxed);
                }
            }
            Event::GroupDefined(e) => {
                if let Some(dial) = self.groups.get(usize::from(e.group.0)) {
                    dial.backup.store(e.backup.0, Ordering::Relaxed);
                    dial.drives.store(Drives::Primary as u64, Ordering::Relaxed);
                    dial.primary.store(e.primary.0, Ordering::Release);
                }
            }
            Event::FeedSwitched(e) => {
                if let Some(dial) = self.groups.get(usize::from(e.group.0)) {
                    let by = decode(command).map_or(0, |(header, _)| header.account);
                    dial.drives.store(by << SWITCHED_BY | u64::from(e.to), Ordering::Relaxed);
                }
            }
            Event::MarketDefined(e) => {
                let name = match decode(command) {
                    Ok((_, Command::DefineMarket(_, names))) => names.first(),
                    _ => "",
                };
                self.define(e.market, e.feed, e.group, name);
            }
            Event::MarketChanged(e) => {
                if let Some(dial) = self.markets.get(e.market.index() as usize) {
                    self.mark(dial, OPEN, e.status == MarketStatus::Open as u8);
                    if e.status == MarketStatus::Archived as u8 {
                        dial.raw.store(0, Ordering::Relaxed);
                    }
                }
            }
            Event::PriceSet(e) => {
                let at = e.received.0;
                if let Some(dial) = self.feeds.get(usize::from(e.feed.0)) {
                    dial.heard.fetch_max(at, Ordering::Relaxed);
                }
                if let Some(dial) = self.markets.get(e.market.index() as usize)
                    && e.drives == 1
                {
                    dial.received.store(at, Ordering::Relaxed);
                }
            }
            Event::DriftChanged(e) => {
                if let Some(dial) = self.markets.get(e.market.index() as usize) {
                    self.mark(dial, DRIFTS, e.over == 1);
                }
            }
            Event::CashOutFrozen(e) => match Level::from_code(e.level) {
                Some(Level::Engine) => self.frozen.store(e.owners, Ordering::Relaxed),
                Some(Level::Feed) => {
                    if let Some(dial) = self.feeds.get(e.id as usize) {
                        dial.frozen.store(e.owners, Ordering::Relaxed);
                    }
                }
                Some(Level::Group) => {
                    if let Some(dial) = self.groups.get(e.id as usize) {
                        dial.frozen.store(e.owners, Ordering::Relaxed);
                    }
                }
                Some(Level::Market) => {
                    let index = MarketId::from_raw(e.id).index() as usize;
                    if let Some(dial) = self.markets.get(index) {
                        self.mark(dial, FROZEN, is_of_governor(e.owners));
                    }
                }
                Some(Level::Fixture | Level::Selection) | None => (),
            },
            Event::StakeFactorChanged(e) => {
                let dial = match FactorScope::from_code(e.scope) {
                    Some(FactorScope::Engine) => Some(&self.factor),
                    Some(FactorScope::Feed) => {
                        self.feeds.get(e.id as usize).map(|dial| &dial.factor)
                    }
                    Some(FactorScope::Market) => {
                        let index = MarketId::from_raw(e.id).index() as usize;
                        self.markets.get(index).map(|dial| &dial.factor)
                    }
                    _ => None,
                };
                if let Some(dial) = dial {
                    dial.store(e.percent.wrapping_sub(WHOLE), Ordering::Relaxed);
                }
            }
            _ => (),
        }
    }

    /// Something of a market holds, or does not any more. Only the thread that writes the records says so.
    fn mark(&self, market: &MarketDial, what: u8, holds: bool) {
        let was = market.state.load(Ordering::Relaxed);
        let now = if holds { was | what } else { was & !what };
        market.state.store(now, Ordering::Relaxed);
        let Some(group) = self.groups.get(usize::from(market.group.load(Ordering::Relaxed))) else {
            return;
        };
        let counts = |state: u8| state & (DRIFTS | OPEN) == DRIFTS | OPEN;
        match (counts(was), counts(now)) {
            (false, true) => drop(group.drifting.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(group.drifting.fetch_sub(1, Ordering::Relaxed)),
            _ => (),
        }
    }

    /// A decided refusal: on the deciding thread.
    pub(crate) fn refused(&self, reject: Reject, markets: impl Iterator<Item = MarketId>) {
        self.refused[usize::from(reject.code())].add(1);
        let kind = RefusedFor::of(reject) as usize;
        for market in markets {
            if let Some(counts) = self.refused_of.get(market.index() as usize) {
                let count = &counts[kind];
                count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            }
        }
    }

    /// A customer of this market has its answer; false if there is no such place.
    #[inline]
    pub(crate) fn answered(&self, market: u32, took: Nanos) -> bool {
        let pulse = self.pulses.get(market as usize);
        pulse.is_some_and(|pulse| {
            pulse.beat(took);
            true
        })
    }

    pub(crate) fn refusals(&self) -> impl Iterator<Item = (Reject, u64)> {
        let count = |reject: &Reject| (*reject, self.refused[usize::from(reject.code())].get());
        Reject::ALL.iter().map(count).filter(|(_, count)| 0 < *count)
    }

    pub(crate) fn refusals_of(&self, market: u32) -> [u32; GROUPS] {
        let counts = self.refused_of.get(market as usize);
        counts.map_or([0; GROUPS], |counts| {
            std::array::from_fn(|at| counts[at].load(Ordering::Relaxed))
        })
    }

    pub(crate) fn beats(&self, market: u32) -> Beats {
        self.pulses.get(market as usize).map_or(Beats::NONE, Pulse::now)
    }

    /// The name of the market at a place, zero-padded; that of an earlier one while it is being defined.
    pub(crate) fn name(&self, market: u32) -> [u8; NAME] {
        let mut name = [0; NAME];
        if let Some(dial) = self.markets.get(market as usize) {
            for (to, word) in name.chunks_exact_mut(8).zip(&dial.name) {
                to.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
            }
        }
        name
    }

    /// A feed, if it is defined.
    pub(crate) fn feed(&self, id: FeedId, now: Timestamp) -> Option<FeedNow> {
        let dial = self.feeds.get(usize::from(id.0))?;
        let status = FeedStatus::from_code(dial.status.load(Ordering::Relaxed))?;
        let silent_for = match dial.heard.load(Ordering::Relaxed) {
            0 => FeedNow::NEVER_HEARD,
            heard => now.since(Timestamp(heard)).or_zero(),
        };
        let bound = Nanos(dial.silence.load(Ordering::Relaxed));
        let is_up = status == FeedStatus::Up && silent_for <= bound;
        let slow = dial.slow.load(Ordering::Relaxed) == 1;
        let generation = dial.generation.load(Ordering::Relaxed);
        let heartbeat = Timestamp(dial.heartbeat.load(Ordering::Relaxed));
        let factor = dial.factor.load(Ordering::Relaxed).wrapping_add(WHOLE);
        Some(FeedNow { status, slow, generation, silent_for, is_up, heartbeat, factor })
    }

    /// All feeds that are defined, the manual one not counted.
    pub(crate) fn feeds(&self, now: Timestamp) -> impl Iterator<Item = (FeedId, FeedNow)> {
        let ids = (1..self.feeds.len()).map(|number| FeedId(number as u16));
        ids.map_while(move |id| self.feed(id, now).map(|feed| (id, feed)))
    }

    /// The factor of every largest stake, in percent.
    pub(crate) fn factor(&self) -> u32 {
        self.factor.load(Ordering::Relaxed).wrapping_add(WHOLE)
    }

    /// Whether a governor freezes the cash-outs of something.
    pub(crate) fn governor_freezes(&self, level: Level, id: u64) -> bool {
        let owners = match level {
            Level::Engine => Some(&self.frozen),
            Level::Feed => self.feeds.get(id as usize).map(|dial| &dial.frozen),
            Level::Group => self.groups.get(id as usize).map(|dial| &dial.frozen),
            Level::Market => {
                let dial = self.markets.get(MarketId::from_raw(id).index() as usize);
                return dial.is_some_and(|dial| dial.state.load(Ordering::Relaxed) & FROZEN != 0);
            }
            Level::Fixture | Level::Selection => None,
        };
        owners.is_some_and(|owners| is_of_governor(owners.load(Ordering::Relaxed)))
    }

    /// A group, if it is defined.
    pub(crate) fn group(&self, id: GroupId) -> Option<GroupNow> {
        let dial = self.groups.get(usize::from(id.0))?;
        let primary = FeedId(dial.primary.load(Ordering::Acquire));
        if primary == FeedId::MANUAL {
            return None;
        }
        let word = dial.drives.load(Ordering::Relaxed);
        let (drives, by) = (Drives::from_code(word as u8), word >> SWITCHED_BY);
        Some(GroupNow {
            id,
            primary,
            backup: FeedId(dial.backup.load(Ordering::Relaxed)),
            drives: drives.unwrap_or(Drives::Primary),
            switched_by: (by != 0).then_some(ActorId(by)),
            drifting: dial.drifting.load(Ordering::Relaxed),
        })
    }

    /// All groups that are defined.
    pub(crate) fn groups(&self) -> impl Iterator<Item = GroupNow> {
        (1..self.groups.len()).map_while(|number| self.group(GroupId(number as u16)))
    }

    /// The market at a place, if there is one.
    pub(crate) fn market(&self, index: u32) -> Option<MarketNow> {
        let dial = self.markets.get(index as usize)?;
        let raw = dial.raw.load(Ordering::Relaxed);
        if raw == 0 {
            return None;
        }
        let group = GroupId(dial.group.load(Ordering::Relaxed));
        let driving = self.group(group).map(|group| group.driving());
        Some(MarketNow {
            id: MarketId::from_raw(raw),
            feed: driving.unwrap_or(FeedId(dial.feed.load(Ordering::Relaxed))),
            group,
            received: Timestamp(dial.received.load(Ordering::Relaxed)),
            factor: dial.factor.load(Ordering::Relaxed).wrapping_add(WHOLE),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(waits: impl IntoIterator<Item = (i64, u64)>) -> Spread {
        let mut spread = Spread::NONE;
        waits.into_iter().for_each(|(ns, count)| spread.0[bucket_of(Nanos(ns))] += count);
        spread
    }

    const FAST: i64 = 50_000;
    const SLOW: i64 = 40_000_000;

    #[test]
    fn percentiles_are_told_from_above_and_by_less_than_a_quarter_of_an_octave() {
        let all = spread((1..=1_000).map(|us| (us * 1_000, 1)));
        for (per_mille, us) in [(500, 500), (900, 900), (990, 990)] {
            let told = all.at(per_mille).0;
            assert!(us * 1_000 <= told && told <= us * 1_250, "{per_mille}: {told}");
        }
        assert_eq!(all.count(), 1_000);
        assert!(1_000_000 <= all.longest().0);
        assert_eq!(Spread::NONE.at(500), Nanos::ZERO);
    }

    #[test]
    fn one_hot_market_hides_no_other() {
        let hot = spread([(FAST, 1_000_000)]);
        let slow = spread([(SLOW, 10)]);
        let (mut all, mut capped) = (hot, Spread::NONE);
        capped.add_capped(&hot, 100);
        for _ in 0..5 {
            all.add(&slow);
            capped.add_capped(&slow, 100);
        }
        assert!(all.at(990).0 < 2 * FAST, "counted one by one nobody sees them");
        assert!(SLOW <= capped.at(900).0, "a third of what is counted is theirs");
        assert!(capped.at(500).0 < 2 * FAST);
        assert_eq!(capped.capped_count(), 150);
    }

    #[test]
    fn a_capped_market_keeps_the_shape_of_its_waits() {
        let mut capped = Spread::NONE;
        capped.add_capped(&spread([(FAST, 980_000), (SLOW, 20_000)]), 100);
        assert!(capped.at(900).0 < 2 * FAST && SLOW <= capped.at(990).0);
    }
}
