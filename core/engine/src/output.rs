//! What everybody may read: events, prices and exposures, written by one thread and read by any number.
//!
//! These outputs never hold anybody up. The event ring may be lapped: a reader that is too slow learns
//! the sequence from which the journal goes on. Of prices and exposures the newest value of each wins.
//! All are arrays of atomic words under a sequence lock: a writer makes the version odd, stores, and makes
//! it even; a reader that saw the same even version before and after has read one value.
//!
//! They are published from what was recorded, by the thread that records, once it has reached their
//! level. So they cost the deciding thread nothing, and no reader sees what a power cut takes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use betring_core::command::{Capacities, SELECTIONS_MAX};
use betring_core::event::{EVENT_HEADER, Event, EventReader, MarketStatus};
use betring_core::id::{Epoch, MarketId, PriceVersion, SelectionIndex, Seq};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Minor, WirePrice};
use betring_core::{Rules, State};
use betring_journal::FRAME_BYTES_MAX;
use crossbeam_utils::CachePadded;

use crate::config::Level;
use crate::shared::{Consumer, Reads, Shared};

/// Words under a sequence lock. One thread writes.
struct Cell<const N: usize> {
    version: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Cell<N> {
    fn new() -> Cell<N> {
        Cell { version: AtomicU64::new(0), words: [const { AtomicU64::new(0) }; N] }
    }

    /// Stores a value under this even version, which is larger than the one before.
    fn write(&self, version: u64, words: &[u64]) {
        self.version.store(version - 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (to, word) in self.words.iter().zip(words) {
            to.store(*word, Ordering::Relaxed);
        }
        self.version.store(version, Ordering::Release);
    }

    fn write_next(&self, words: &[u64]) {
        self.write(self.version.load(Ordering::Relaxed) + 2, words);
    }

    /// The words and their version, or none if they were being written.
    fn try_read(&self) -> Option<([u64; N], u64)> {
        let version = self.version.load(Ordering::Acquire);
        let mut words = [0; N];
        for (word, from) in words.iter_mut().zip(&self.words) {
            *word = from.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        let same = version == self.version.load(Ordering::Relaxed);
        (version & 1 == 0 && same).then_some((words, version))
    }

    fn read(&self) -> ([u64; N], u64) {
        loop {
            if let Some(read) = self.try_read() {
                return read;
            }
            std::hint::spin_loop();
        }
    }
}

const fn event_bytes_max() -> usize {
    let mut max = 0;
    let mut at = 0;
    while at < Event::LAYOUTS.len() {
        if max < Event::LAYOUTS[at].2 {
            max = Event::LAYOUTS[at].2;
        }
        at += 1;
    }
    max
}

/// Words of the longest event.
const EVENT_WORDS: usize = event_bytes_max() / 8;
/// In front of it: sequence, time, epoch and index with the end mark, bytes.
const HEAD_WORDS: usize = 4;
const ENTRY_WORDS: usize = HEAD_WORDS + EVENT_WORDS;
/// What a place of the event ring takes.
pub(crate) const EVENT_BYTES: usize = size_of::<Cell<ENTRY_WORDS>>();
/// In the word of the index: this is the record's last event.
const LAST: u64 = 1 << 31;

struct EventRing {
    places: Box<[Cell<ENTRY_WORDS>]>,
    head: CachePadded<AtomicU64>,
    /// The newest sequence of which everything is in the ring, also if it had no events.
    complete: CachePadded<AtomicU64>,
}

impl EventRing {
    fn place(&self, position: u64) -> (&Cell<ENTRY_WORDS>, u64) {
        let size = self.places.len() as u64;
        (&self.places[(position & (size - 1)) as usize], 2 * (position / size + 1))
    }
}

/// Something that happened, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The sequence of the command that caused it.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// In which run.
    pub epoch: Epoch,
    /// Its place among the events of its command, from 0.
    pub index: u32,
    /// What.
    pub event: Event,
}

impl std::fmt::Display for Occurrence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} {}", self.seq, self.index, self.event.name())
    }
}

/// The reader was too slow: events were overwritten before it read them. They are in the journal,
/// after `resume_after` and before `ring_from`; the reader goes on at `ring_from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapped {
    /// Everything up to here was read. Where a record was read in part, it comes again as a whole:
    /// sequence and index tell what was there before.
    pub resume_after: Seq,
    /// The next sequence that this reader delivers.
    pub ring_from: Seq,
}

impl std::fmt::Display for Lapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "lapped: the events after {} and before {} are in the journal",
            self.resume_after, self.ring_from
        )
    }
}

impl std::error::Error for Lapped {}

/// Reads events as they happen. Clones read for themselves, from where the original stands.
#[derive(Clone)]
pub struct EventStream {
    ring: Arc<EventRing>,
    interest: Interest,
    position: u64,
    /// The last sequence read as a whole.
    after: u64,
}

/// While it lives, and its outputs show only what is durable, the journal is synced without pause.
struct Interest {
    shared: Arc<Shared>,
    durable: bool,
    /// How far it is, of readers that have a place.
    consumer: Option<Arc<Consumer>>,
}

impl Interest {
    fn new(shared: Arc<Shared>, level: Level) -> Interest {
        let durable = level == Level::Durable;
        if durable {
            shared.durable_readers.fetch_add(1, Ordering::Relaxed);
        }
        shared.wake();
        Interest { shared, durable, consumer: None }
    }

    /// The same of a reader at this place.
    fn at(shared: Arc<Shared>, level: Level, position: u64) -> Interest {
        let consumer = shared.consumers.join(Reads::Events, position);
        let mut interest = Interest::new(shared, level);
        interest.consumer = Some(consumer);
        interest
    }

    /// Its place is this now.
    #[inline]
    fn moved(&self, position: u64) {
        if let Some(consumer) = &self.consumer {
            consumer.at.store(position, Ordering::Relaxed);
        }
    }
}

impl Clone for Interest {
    fn clone(&self) -> Interest {
        if self.durable {
            self.shared.durable_readers.fetch_add(1, Ordering::Relaxed);
        }
        let again = |of: &Arc<Consumer>| {
            self.shared.consumers.join(of.reads, of.at.load(Ordering::Relaxed))
        };
        let consumer = self.consumer.as_ref().map(again);
        Interest { shared: self.shared.clone(), durable: self.durable, consumer }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        if self.durable {
            self.shared.durable_readers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl EventStream {
    /// The next event, or none if there is no more yet.
    ///
    /// # Errors
    /// [`Lapped`] if it was overwritten; the next call goes on with the oldest that is still safe.
    #[allow(clippy::should_implement_trait)] // an iterator could not say that it was lapped
    pub fn next(&mut self) -> Result<Option<Occurrence>, Lapped> {
        if self.position == self.ring.head.load(Ordering::Acquire) {
            return Ok(None);
        }
        let (place, version) = self.ring.place(self.position);
        match place.try_read() {
            Some((words, found)) if found == version => {
                self.position += 1;
                self.interest.moved(self.position);
                let last = words[2] & LAST != 0;
                let seq = Seq(words[0]);
                self.after = if last { seq.0 } else { seq.0 - 1 };
                match occurrence(&words) {
                    Some(occurrence) => Ok(Some(occurrence)),
                    // One value was read, so it is an event; a bug here would show as a gap.
                    None => Err(self.lapped()),
                }
            }
            _ => Err(self.lapped()),
        }
    }

    /// Goes on with the oldest record that has some way to go before it is overwritten.
    fn lapped(&mut self) -> Lapped {
        let lapped = self.go_on();
        self.interest.moved(self.position);
        lapped
    }

    fn go_on(&mut self) -> Lapped {
        let resume_after = Seq(self.after);
        let size = self.ring.places.len() as u64;
        loop {
            let head = self.ring.head.load(Ordering::Acquire);
            let mut position = head.saturating_sub(size / 2).max(self.position);
            while position < head {
                let (place, version) = self.ring.place(position);
                match place.try_read() {
                    // The first event of a record.
                    Some((words, found)) if found == version && words[2] & (LAST - 1) == 0 => {
                        self.position = position;
                        self.after = words[0] - 1;
                        return Lapped { resume_after, ring_from: Seq(words[0]) };
                    }
                    Some((_, found)) if found == version => position += 1,
                    _ => break,
                }
            }
            if position == head {
                // Nothing whole is left: go on with what comes next.
                self.position = head;
                self.after = self.ring.complete.load(Ordering::Acquire);
                return Lapped { resume_after, ring_from: Seq(self.after + 1) };
            }
        }
    }

    /// The last sequence that was read as a whole, or passed over.
    pub(crate) fn seq(&self) -> Seq {
        Seq(self.after)
    }

    /// Passes over everything that is there: the next event is one that happens from now on.
    pub fn skip(&mut self) {
        self.after = self.ring.complete.load(Ordering::Acquire);
        self.position = self.ring.head.load(Ordering::Acquire);
        self.interest.moved(self.position);
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader").field("after", &self.after).finish_non_exhaustive()
    }
}

fn occurrence(words: &[u64; ENTRY_WORDS]) -> Option<Occurrence> {
    let mut bytes = [0; EVENT_WORDS * 8];
    for (to, word) in bytes.chunks_exact_mut(8).zip(&words[HEAD_WORDS..]) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    let len = usize::try_from(words[3]).ok().filter(|len| *len <= bytes.len())?;
    let event = EventReader::new(&bytes[..len]).next()?.ok()?;
    Some(Occurrence {
        seq: Seq(words[0]),
        at: Timestamp(words[1] as i64),
        epoch: Epoch((words[2] >> 32) as u32),
        index: (words[2] & (LAST - 1)) as u32,
        event,
    })
}

/// A price in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceNow {
    /// The price.
    pub price: WirePrice,
    /// Its version.
    pub version: PriceVersion,
    /// When what last confirmed it was received; a heartbeat of its feed confirms it without being
    /// told here.
    pub received: Timestamp,
    /// The sequence that set it.
    pub seq: Seq,
}

impl std::fmt::Display for PriceNow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, {})", self.price, self.version, self.seq)
    }
}

/// What a market would lose in its worst outcome, in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExposureNow {
    /// The loss; below zero it wins in every outcome.
    pub worst: Minor,
    /// The sequence that changed it.
    pub seq: Seq,
}

impl std::fmt::Display for ExposureNow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at worst ({})", self.worst, self.seq)
    }
}

struct PriceTable {
    /// By place of the market: its generation and where its prices begin, how many there are.
    markets: Box<[Cell<3>]>,
    prices: Box<[Cell<4>]>,
}

/// Prices in force: of each selection the newest one. Clones read the same.
#[derive(Clone)]
pub struct Prices {
    table: Arc<PriceTable>,
    _interest: Interest,
}

impl Prices {
    /// The price of a selection; none if it has none, or the market is not known.
    pub fn get(&self, market: MarketId, selection: SelectionIndex) -> Option<PriceNow> {
        let place = self.table.markets.get(market.index() as usize)?;
        loop {
            let ([raw, base, count], version) = place.read();
            if raw != market.raw() || count <= u64::from(selection.0) {
                return None;
            }
            let at = usize::try_from(base).ok()? + usize::from(selection.0);
            let (words, _) = self.table.prices.get(at)?.read();
            // The place was this market's before and after, so it was while the price was read.
            if place.version.load(Ordering::Acquire) == version {
                let price = WirePrice {
                    e4: words[0] as u32,
                    num: (words[0] >> 32) as u16,
                    den: (words[0] >> 48) as u16,
                };
                let [_, version, received, seq] = words;
                return (!price.is_none()).then_some(PriceNow {
                    price,
                    version: PriceVersion(version),
                    received: Timestamp(received as i64),
                    seq: Seq(seq),
                });
            }
        }
    }
}

impl std::fmt::Debug for Prices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prices").field("markets", &self.table.markets.len()).finish_non_exhaustive()
    }
}

struct ExposureTable {
    currencies: usize,
    /// By place of the market, then by currency in the order of their appearance: market, currency,
    /// worst, sequence.
    cells: Box<[Cell<4>]>,
}

/// What markets would lose: of each the newest. Clones read the same.
#[derive(Clone)]
pub struct Exposures {
    table: Arc<ExposureTable>,
    _interest: Interest,
}

impl Exposures {
    /// What a market would lose in a currency (ISO 4217 number); none if it has taken no bet in it,
    /// or is settled.
    pub fn get(&self, market: MarketId, currency: u16) -> Option<ExposureNow> {
        let first = market.index() as usize * self.table.currencies;
        let cells = self.table.cells.get(first..first + self.table.currencies)?;
        cells.iter().map(|cell| cell.read().0).find_map(|[raw, of, worst, seq]| {
            let found = raw == market.raw() && of == u64::from(currency);
            found.then_some(ExposureNow { worst: Minor(worst as i64), seq: Seq(seq) })
        })
    }
}

impl std::fmt::Debug for Exposures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposures").field("cells", &self.table.cells.len()).finish_non_exhaustive()
    }
}

/// Runs of prices for markets: sizes are powers of two, what is given back is used again.
struct Runs {
    next: u32,
    end: u32,
    free: [Vec<u32>; 9],
    /// By place of the market: where its run begins, and its class.
    taken: Box<[Option<(u32, usize)>]>,
}

const _: () = assert!(SELECTIONS_MAX <= 1 << 8);

impl Runs {
    fn take(&mut self, market: usize, selections: u16) -> Option<u32> {
        self.give_back(market);
        let class = selections.max(1).next_power_of_two().trailing_zeros() as usize;
        let run = match self.free.get_mut(class)?.pop() {
            Some(run) => run,
            None => {
                let run = self.next;
                let end = run.checked_add(1 << class)?;
                if self.end < end {
                    return None;
                }
                self.next = end;
                run
            }
        };
        *self.taken.get_mut(market)? = Some((run, class));
        Some(run)
    }

    fn give_back(&mut self, market: usize) {
        if let Some((run, class)) = self.taken.get_mut(market).and_then(Option::take)
            && let Some(free) = self.free.get_mut(class)
        {
            free.push(run);
        }
    }
}

/// The writing end.
pub(crate) struct Outputs {
    ring: Arc<EventRing>,
    prices: Arc<PriceTable>,
    exposures: Arc<ExposureTable>,
    runs: Runs,
    level: Level,
    epoch: Epoch,
    /// Records that are not durable yet: sequence, time, bytes of events, events.
    pending: Vec<u8>,
    published: u64,
}

const PENDING_HEAD: usize = 24;

impl Outputs {
    pub(crate) fn new(
        places: usize,
        level: Level,
        capacities: &Capacities,
        epoch: Epoch,
    ) -> Outputs {
        let markets = capacities.markets as usize;
        let currencies = capacities.currencies as usize;
        // A frame's events, and the largest record more. Touched here, so that nothing faults later.
        let mut pending = vec![1; FRAME_BYTES_MAX as usize + (256 << 10)];
        pending.clear();
        Outputs {
            ring: Arc::new(EventRing {
                places: (0..places).map(|_| Cell::new()).collect(),
                head: CachePadded::default(),
                complete: CachePadded::default(),
            }),
            prices: Arc::new(PriceTable {
                markets: (0..markets).map(|_| Cell::new()).collect(),
                prices: (0..capacities.selections).map(|_| Cell::new()).collect(),
            }),
            exposures: Arc::new(ExposureTable {
                currencies,
                cells: (0..markets * currencies).map(|_| Cell::new()).collect(),
            }),
            runs: Runs {
                next: 0,
                end: capacities.selections,
                free: std::array::from_fn(|_| Vec::with_capacity(markets)),
                taken: vec![None; markets].into_boxed_slice(),
            },
            level,
            epoch,
            pending,
            published: 0,
        }
    }

    pub(crate) fn readers(&self) -> Readers {
        Readers {
            ring: self.ring.clone(),
            prices: self.prices.clone(),
            exposures: self.exposures.clone(),
            level: self.level,
        }
    }

    /// How many events were put into the ring.
    pub(crate) fn published(&self) -> u64 {
        self.published
    }

    /// What earlier runs left: prices and exposures of the markets there are. It is no news.
    pub(crate) fn prime<R: Rules>(&mut self, state: &State<R>) {
        let currencies: Vec<_> = state.currencies().collect();
        for market in state.markets() {
            self.define(market.id, market.selections.len() as u16);
            for selection in market.selections.iter().filter(|s| !s.price.is_none()) {
                let received = state.now().plus(Nanos(-selection.age.0));
                self.price(
                    state.seq(),
                    market.id,
                    selection.index,
                    selection.price,
                    selection.version,
                    received,
                );
            }
            for currency in &currencies {
                if let Some((worst, staked)) = state.worst_outcome(market.id, *currency)
                    && staked != 0
                {
                    let worst = i64::try_from(worst).unwrap_or(i64::MAX);
                    self.expose(state.seq(), market.id, currency.numeric(), Minor(worst));
                }
            }
        }
        self.ring.complete.store(state.seq().0, Ordering::Release);
    }

    /// A record was appended.
    pub(crate) fn recorded(&mut self, seq: Seq, at: Timestamp, events: &[u8]) {
        if self.level != Level::Durable {
            self.publish(seq, at, events);
            return;
        }
        assert!(
            self.pending.len() + PENDING_HEAD + events.len() <= self.pending.capacity(),
            "the events of one frame fit"
        );
        self.pending.extend_from_slice(&seq.0.to_le_bytes());
        self.pending.extend_from_slice(&at.0.to_le_bytes());
        self.pending.extend_from_slice(&(events.len() as u64).to_le_bytes());
        self.pending.extend_from_slice(events);
    }

    /// Everything recorded is durable.
    pub(crate) fn synced(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let mut rest = &pending[..];
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        while PENDING_HEAD <= rest.len() {
            let (head, after) = rest.split_at(PENDING_HEAD);
            let (seq, at) = (Seq(word(&head[..8])), Timestamp(word(&head[8..16]) as i64));
            let (events, after) = after.split_at(word(&head[16..]) as usize);
            self.publish(seq, at, events);
            rest = after;
        }
        self.pending = pending;
        self.pending.clear();
    }

    fn publish(&mut self, seq: Seq, at: Timestamp, events: &[u8]) {
        let mut head = self.ring.head.load(Ordering::Relaxed);
        let mut rest = events;
        let mut index = 0;
        while EVENT_HEADER <= rest.len() {
            // The length stands in the event's header.
            let bytes = usize::from(u16::from_le_bytes([rest[2], rest[3]]));
            let Some((event, after)) = rest.split_at_checked(bytes) else { break };
            if let Some(Ok(event)) = EventReader::new(event).next() {
                self.remember(seq, &event);
            }
            let mut words = [0; ENTRY_WORDS];
            words[0] = seq.0;
            words[1] = at.0 as u64;
            let last = if after.is_empty() { LAST } else { 0 };
            words[2] = u64::from(self.epoch.0) << 32 | last | index;
            words[3] = bytes as u64;
            for (to, from) in words[HEAD_WORDS..].iter_mut().zip(event.chunks_exact(8)) {
                *to = from.try_into().map_or(0, u64::from_le_bytes);
            }
            let (place, version) = self.ring.place(head);
            place.write(version, &words);
            head += 1;
            self.ring.head.store(head, Ordering::Release);
            self.published += 1;
            index += 1;
            rest = after;
        }
        self.ring.complete.store(seq.0, Ordering::Release);
    }

    fn remember(&mut self, seq: Seq, event: &Event) {
        match event {
            Event::MarketDefined(e) => self.define(e.market, e.selections),
            Event::PriceSet(e) => {
                self.price(seq, e.market, e.selection, e.price, e.version, e.received);
            }
            // What bets on it would cost is off the book; the next bet tells the rest.
            Event::SelectionChanged(e) => self.unexpose(e.market),
            Event::BetOpened(e) => self.expose(seq, e.market, e.currency, e.market_worst),
            Event::MarketChanged(e) => match MarketStatus::from_code(e.status) {
                Some(MarketStatus::Settled) => self.unexpose(e.market),
                Some(MarketStatus::Archived) => {
                    let place = e.market.index() as usize;
                    if let Some(cell) = self.prices.markets.get(place) {
                        cell.write_next(&[0, 0, 0]);
                    }
                    self.runs.give_back(place);
                    self.unexpose(e.market);
                }
                _ => (),
            },
            _ => (),
        }
    }

    fn define(&mut self, market: MarketId, selections: u16) {
        let place = market.index() as usize;
        let Some(cell) = self.prices.markets.get(place) else { return };
        // Nobody reads the run as this market's before the directory says so. The state keeps to the
        // same capacities, so its markets fit; one that did not would have no prices here.
        cell.write_next(&[0, 0, 0]);
        let Some(base) = self.runs.take(place, selections) else { return };
        for price in 0..u32::from(selections) {
            if let Some(price) = self.prices.prices.get((base + price) as usize) {
                price.write_next(&[0; 4]);
            }
        }
        cell.write_next(&[market.raw(), u64::from(base), u64::from(selections)]);
    }

    fn price(
        &mut self,
        seq: Seq,
        market: MarketId,
        selection: SelectionIndex,
        price: WirePrice,
        version: PriceVersion,
        received: Timestamp,
    ) {
        let Some(Some((base, _))) = self.runs.taken.get(market.index() as usize) else { return };
        let at = *base as usize + usize::from(selection.0);
        let price = u64::from(price.e4) | u64::from(price.num) << 32 | u64::from(price.den) << 48;
        if let Some(cell) = self.prices.prices.get(at) {
            cell.write_next(&[price, version.0, received.0 as u64, seq.0]);
        }
    }

    fn exposed(&self, market: MarketId) -> &[Cell<4>] {
        let first = market.index() as usize * self.exposures.currencies;
        let cells = self.exposures.cells.get(first..first + self.exposures.currencies);
        cells.unwrap_or_default()
    }

    fn expose(&self, seq: Seq, market: MarketId, currency: u16, worst: Minor) {
        let value = [market.raw(), u64::from(currency), worst.0 as u64, seq.0];
        let cells = self.exposed(market);
        // This currency's place, or the first that is free or an earlier market's.
        let own = |words: &[u64; 4]| words[0] == value[0] && words[1] == value[1];
        let mine = cells.iter().find(|cell| own(&cell.read().0));
        let place = mine.or_else(|| cells.iter().find(|cell| cell.read().0[0] != value[0]));
        if let Some(place) = place {
            place.write_next(&value);
        }
    }

    fn unexpose(&self, market: MarketId) {
        for cell in self.exposed(market) {
            cell.write_next(&[0; 4]);
        }
    }
}

impl std::fmt::Debug for Outputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outputs").field("level", &self.level).finish_non_exhaustive()
    }
}

/// Makes readers.
#[derive(Clone)]
pub(crate) struct Readers {
    ring: Arc<EventRing>,
    prices: Arc<PriceTable>,
    exposures: Arc<ExposureTable>,
    level: Level,
}

impl Readers {
    pub(crate) fn events(&self, shared: &Arc<Shared>) -> EventStream {
        let after = self.ring.complete.load(Ordering::Acquire);
        let position = self.ring.head.load(Ordering::Acquire);
        let interest = Interest::at(shared.clone(), self.level, position);
        EventStream { interest, after, position, ring: self.ring.clone() }
    }

    /// The last sequence whose events, prices and exposures are out.
    pub(crate) fn complete(&self) -> Seq {
        Seq(self.ring.complete.load(Ordering::Acquire))
    }

    /// How many events are in the event ring since the start, and how many it holds.
    pub(crate) fn event_ring(&self) -> (u64, u64) {
        (self.ring.head.load(Ordering::Acquire), self.ring.places.len() as u64)
    }

    /// What a market would lose at worst, of its currencies the one with the most minor units, and that
    /// currency; nothing waits for it to be durable.
    pub(crate) fn exposure(&self, market: MarketId) -> Option<(Minor, u16)> {
        let first = market.index() as usize * self.exposures.currencies;
        let cells = self.exposures.cells.get(first..first + self.exposures.currencies)?;
        let all = cells.iter().map(|cell| cell.read().0);
        let own = all.filter(|[raw, ..]| *raw == market.raw());
        let worst = own.map(|[_, currency, worst, _]| (Minor(worst as i64), currency as u16));
        worst.max_by_key(|(worst, _)| *worst)
    }

    pub(crate) fn prices(&self, shared: &Arc<Shared>) -> Prices {
        let _interest = Interest::new(shared.clone(), self.level);
        Prices { table: self.prices.clone(), _interest }
    }

    pub(crate) fn exposures(&self, shared: &Arc<Shared>) -> Exposures {
        let _interest = Interest::new(shared.clone(), self.level);
        Exposures { table: self.exposures.clone(), _interest }
    }
}
