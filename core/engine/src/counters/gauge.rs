//! The thread that gathers an engine's counters and writes them.

use std::cmp::Reverse;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use betring_core::LOGIC_VERSION;
use betring_core::id::Epoch;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::Minor;
use zerocopy::IntoBytes;

use crate::ask::nanos;
use crate::config::Layout;
use crate::counters::{
    CAP, Counters, Image, Lag, MARKETS, RingDepth, SlowMarket, Text, Took, TopMarket, file, wall,
};
use crate::dials::{Beats, Spread};
use crate::health::{Counts, MarketHealth, RingHealth, Rings};
use crate::output::Readers;
use crate::shared::{Reads, Shared, Status};
use crate::snapshot::Snapshots;

/// How long a window is, at least.
const WINDOW: Duration = Duration::from_secs(1);

/// What counters are read off.
pub(crate) struct Sources {
    pub(crate) shared: Arc<Shared>,
    pub(crate) rings: Rings,
    pub(crate) readers: Readers,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) epoch: Epoch,
    pub(crate) layout: Layout,
}

/// How the warning begins that the file could not be written.
const WARNING: &str = "the counters ";

/// What was counted when the window began.
struct Before {
    began: Instant,
    written: Beats,
    synced: Beats,
    queued: Beats,
    decided: Beats,
    /// By place, of markets that had answers before.
    markets: Box<[Option<Box<Beats>>]>,
}

/// Gathers and writes.
pub(crate) struct Gauge {
    sources: Sources,
    path: PathBuf,
    file: Option<File>,
    /// Whether a warning says that the last writing failed.
    is_warned: bool,
    image: Box<Image>,
    every: Duration,
    before: Before,
}

impl Gauge {
    pub(crate) fn new(sources: Sources, journal: &Path, every: Nanos) -> Gauge {
        let mut image = Box::new(Image::new());
        let counters = &mut image.counters;
        counters.pid = std::process::id();
        counters.epoch = sources.epoch;
        counters.started = wall();
        counters.every = every;
        counters.program = Text::of(env!("CARGO_PKG_VERSION"));
        counters.logic = LOGIC_VERSION;
        counters.set_layout(sources.layout);
        let markets = sources.shared.admission.markets();
        Gauge {
            path: file(journal),
            file: None,
            is_warned: false,
            image,
            every: Duration::from_nanos(every.0.unsigned_abs()),
            before: Before {
                began: Instant::now(),
                written: Beats::NONE,
                synced: Beats::NONE,
                queued: Beats::NONE,
                decided: Beats::NONE,
                markets: (0..markets).map(|_| None).collect(),
            },
            sources,
        }
    }

    /// The life of the thread: until it is told that everything else has ended.
    pub(crate) fn run(mut self, stop: &AtomicBool) {
        let mut next = Instant::now();
        loop {
            next = (next + self.every).max(Instant::now());
            while !stop.load(Ordering::Acquire) {
                match next.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => std::thread::park_timeout(left),
                    _ => break,
                }
            }
            if stop.load(Ordering::Acquire) {
                self.image.counters.ended = 1;
                self.tell();
                return;
            }
            self.tell();
        }
    }

    /// Gathers what there is, and writes it. What cannot be written stops nothing.
    pub(crate) fn tell(&mut self) {
        let now = self.sources.shared.clock.now();
        self.sources.gather(&mut self.image.counters, now);
        let window = self.before.began.elapsed();
        if WINDOW.max(self.every) <= window {
            self.sources.close(&mut self.before, &mut self.image.counters);
            self.image.counters.window = nanos(window);
            self.before.began = Instant::now();
            self.look_whether_it_is_there();
        }
        self.image.counters.heartbeat = wall();
        self.image.seal();
        if let Err(e) = self.write() {
            self.file = None;
            self.image.counters.failures += 1;
            let warning = format!("the counters could not be written: {e}");
            self.sources.shared.warn_last(WARNING, warning);
            self.is_warned = true;
        } else if std::mem::take(&mut self.is_warned) {
            self.sources.shared.take_back(WARNING);
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            return file.write_all_at(self.image.as_bytes(), 0);
        }
        // Once it has ended, the directory may be another engine's.
        if self.image.counters.ended == 0 {
            self.file = Some(create(&self.path, self.image.as_bytes())?);
        }
        Ok(())
    }

    /// A file that was removed is written anew, as long as the directory is surely this engine's.
    fn look_whether_it_is_there(&mut self) {
        let gone = |file: &File| file.metadata().is_ok_and(|found| found.nlink() == 0);
        let serves = self.sources.shared.status() == Status::Serving;
        if serves && self.file.as_ref().is_some_and(gone) {
            self.file = None;
        }
    }
}

/// Puts a file that is whole in the place of whatever was there. A reader of that one keeps what it has.
fn create(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let new = path.with_extension("tmp");
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => (),
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let done = file.write_all_at(bytes, 0).and_then(|()| std::fs::rename(&new, path));
    if done.is_err() {
        // What went wrong is told, whether this goes or stays.
        let _ = std::fs::remove_file(&new);
    }
    done.map(|()| file)
}

/// Buckets are told by their upper ends: the longest may be known better.
fn took(spread: &Spread, longest: Nanos) -> Took {
    let at = |per_mille| spread.at(per_mille).min(longest);
    Took { count: spread.count(), p50: at(500), p90: at(900), p99: at(990), longest }
}

impl Sources {
    /// What is as of now.
    fn gather(&self, to: &mut Counters, now: Timestamp) {
        let shared = &*self.shared;
        to.set_status(&shared.status());
        to.durable.0 = shared.durable.get();
        to.process.0 = shared.process.get();
        to.decided.0 = shared.decided.load(Ordering::Acquire);
        to.counts = Counts::of(shared);
        let counts = &shared.loop_counts;
        let moment = |at: &AtomicI64| match at.load(Ordering::Relaxed) {
            0 => Nanos::ZERO,
            at => now.since(Timestamp(at)).or_zero(),
        };
        let present = moment(&counts.busy_since);
        to.busy = Nanos((counts.busy.get() as i64).saturating_add(present.0));
        to.turn = if present == Nanos::ZERO { present } else { moment(&counts.turned) };
        to.last_sync = Nanos(shared.journal_counts.last_sync.load(Ordering::Relaxed));
        let depth = |ring: RingHealth| RingDepth {
            name: Text::of(ring.name),
            depth: ring.depth,
            slots: ring.slots,
        };
        fill(&mut to.rings, self.rings.health().map(depth));
        self.lags(to);
        fill(&mut to.top, self.top(now));
        to.refused = shared.dials.refusals().map(|(_, count)| count).sum();
        to.turned_away = shared.admission.refused().iter().map(|(_, count)| count).sum();
        let letters = shared.letters.health();
        to.dead_letters = letters.kept + letters.dropped;
        let feeds = shared.dials.feeds(now);
        (to.feeds, to.feeds_up) =
            feeds.fold((0, 0), |(all, up), (_, feed)| (all + 1, up + u32::from(feed.is_up)));
        to.drifting = shared.dials.groups().map(|group| group.drifting).sum();
        let of_clock = u32::from(shared.clock.health().warning().is_some());
        to.warnings = shared.warnings().len() as u32 + of_clock;
        let (taken, seats) = self.rings.seats.usage();
        (to.seats_taken, to.seats) = (taken as u32, seats as u32);
        to.set_shedding(shared.admission.mode(), shared.admission.sheds(now));
    }

    fn lags(&self, to: &mut Counters) {
        let decided = to.decided.0;
        let lag = |name: &str, behind: u64, most: u64| Lag { name: Text::of(name), behind, most };
        let until = |seq: u64| decided.saturating_sub(seq);
        let own = [
            lag("page cache", until(to.process.0), 0),
            lag("durable", until(to.durable.0), 0),
            lag("outputs", until(self.readers.complete().0), 0),
            lag("snapshot", self.snapshots.behind(to.decided), 0),
        ];
        let (head, places) = self.readers.event_ring();
        let mut others: Vec<Lag> = (self.shared.consumers.all().iter())
            .map(|consumer| {
                let (at, number) = (consumer.at.load(Ordering::Relaxed), consumer.number);
                match consumer.reads {
                    Reads::Journal => lag(&format!("view {number}"), until(at), 0),
                    Reads::Events => {
                        lag(&format!("events {number}"), head.saturating_sub(at), places)
                    }
                }
            })
            .collect();
        others.sort_by_key(|lag| Reverse(lag.behind));
        fill(&mut to.lags, own.into_iter().chain(others));
    }

    /// The markets on which most may be lost to old prices.
    fn top(&self, now: Timestamp) -> impl Iterator<Item = TopMarket> {
        let mut top: Vec<TopMarket> = Vec::with_capacity(MARKETS + 1);
        let rank = |market: &TopMarket| Reverse((market.score(), market.exposure, market.rate));
        for index in 0..self.shared.admission.markets() {
            let Some(known) = self.shared.dials.market(index) else { continue };
            let Some(door) = self.shared.admission.market(index, now) else { continue };
            let (exposure, currency) = self.readers.exposure(known.id).unwrap_or((Minor(0), 0));
            if door.rate == 0 && exposure == Minor(0) {
                continue;
            }
            let Some(health) = MarketHealth::of(&self.shared, index, now) else { continue };
            let market = TopMarket {
                market: known.id.raw(),
                name: Text(self.shared.dials.name(index)),
                exposure,
                price_age: match known.received {
                    // No price in this run: then no heartbeat has confirmed one.
                    Timestamp(0) => Nanos(i64::MAX),
                    _ => health.price_age,
                },
                rate: door.rate,
                in_flight: door.in_flight,
                turned_away: door.turned_away,
                stake_factor: health.stake_factor,
                currency,
                feed: health.feed,
                zero: 0,
            };
            let place = top.partition_point(|better| rank(better) <= rank(&market));
            top.insert(place, market);
            top.truncate(MARKETS);
        }
        top.into_iter()
    }

    /// A window is over: what took how long in it.
    fn close(&self, before: &mut Before, to: &mut Counters) {
        let shared = &*self.shared;
        let since = |before: &mut Beats, now: Beats| {
            let spread = now.after(before);
            *before = now;
            spread
        };
        let counts = &shared.journal_counts;
        // Counted first: of a sync between the two lines the length is told a window too early, and not a length of nothing.
        let synced = since(&mut before.synced, counts.synced.now());
        let (longest_sync, largest_frame) = counts.take_longest();
        to.longest_turn = shared.loop_counts.take_longest();
        to.longest_turn_ever = to.longest_turn_ever.max(to.longest_turn);
        to.longest_sync_ever = to.longest_sync_ever.max(longest_sync);
        to.largest_frame = largest_frame;
        let written = since(&mut before.written, counts.written.now());
        to.written = took(&written, written.longest());
        to.synced = took(&synced, longest_sync);
        let (queued, decided) = self.rings.seats.waits();
        let queued = since(&mut before.queued, queued);
        to.queued = took(&queued, queued.longest());
        let decided = since(&mut before.decided, decided);
        to.decided_to_seen = took(&decided, decided.longest());

        let (mut all, mut capped) = (Spread::NONE, Spread::NONE);
        let mut markets = Vec::new();
        for (index, before) in before.markets.iter_mut().enumerate() {
            let index = index as u32;
            let now = shared.dials.beats(index);
            if now == before.as_deref().copied().unwrap_or(Beats::NONE) {
                continue;
            }
            let spread = since(before.get_or_insert_with(|| Box::new(Beats::NONE)), now);
            all.add(&spread);
            capped.add_capped(&spread, CAP);
            markets.push((spread.at(990), spread.count(), index));
        }
        to.answered = took(&all, all.longest());
        to.capped = took(&capped, capped.longest());
        to.capped.count = capped.capped_count();
        to.answered_markets = markets.len() as u64;
        markets.sort_by_key(|(p99, count, _)| (Reverse(*p99), Reverse(*count)));
        to.median_p99 =
            markets.get(markets.len().saturating_sub(1) / 2).map_or(Nanos::ZERO, |(p99, ..)| *p99);
        let slow = markets.iter().filter_map(|(p99, count, index)| {
            let market = shared.dials.market(*index)?.id.raw();
            let name = Text(shared.dials.name(*index));
            Some(SlowMarket { market, name, count: *count, p99: *p99 })
        });
        fill(&mut to.slowest, slow);
        to.resident_bytes = resident().unwrap_or(0);
    }
}

/// As many as there is room for; the rest is zero.
fn fill<T: Copy + zerocopy::FromZeros>(to: &mut [T], from: impl Iterator<Item = T>) {
    let mut from = from;
    for place in to {
        *place = from.next().unwrap_or_else(T::new_zeroed);
    }
}

/// Memory of this process that is there, where the system says so in a file.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1_024)
}
