//! What all threads of an engine see of each other: how far each is, and whether to go on.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU8, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};

use betring_core::id::{ClientId, Seq};
use betring_core::time::{Nanos, Timestamp};
use betring_journal::Cursor;
use crossbeam_utils::CachePadded;

use crate::admission::Admission;
use crate::clock::Clock;
use crate::config::{Level, WaitStrategy};
use crate::dead_letters::LetterBox;
use crate::dials::{Dials, Pulse};

const SERVING: u8 = 0;
const STOPPING: u8 = 1;
const CLOSED: u8 = 2;
const POISONED: u8 = 3;

/// Warnings kept for `health()`; more are only counted.
const WARNINGS_MAX: usize = 64;

/// A count that one thread raises and others read.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) const fn new() -> Count {
        Count(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn add(&self, n: u64) {
        // One writer: no read-modify-write is needed.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts of the deciding thread.
#[derive(Debug, Default)]
pub(crate) struct LoopCounts {
    pub(crate) turns: Count,
    pub(crate) commands: Count,
    pub(crate) sequenced: Count,
    pub(crate) answered: Count,
    pub(crate) malformed: Count,
    pub(crate) steps: Count,
    pub(crate) ticks: Count,
    pub(crate) stalls: Count,
    /// Nanoseconds of the times in which there was something to do, as far as those are over.
    pub(crate) busy: Count,
    /// When the present one began; 0 while there is nothing to do.
    pub(crate) busy_since: AtomicI64,
    /// The stamp of the last turn that did something.
    pub(crate) turned: AtomicI64,
    /// The longest turn since [`LoopCounts::take_longest`], in nanoseconds.
    longest: AtomicI64,
}

impl LoopCounts {
    /// A turn was so long: on the deciding thread.
    #[inline]
    pub(crate) fn took(&self, turn: Nanos) {
        if self.longest.load(Ordering::Relaxed) < turn.0 {
            self.longest.store(turn.0, Ordering::Relaxed);
        }
    }

    /// The longest turn since this was asked last, by the one who asks.
    pub(crate) fn take_longest(&self) -> Nanos {
        Nanos(self.longest.swap(0, Ordering::Relaxed))
    }
}

/// Counts of the thread that writes the journal.
#[derive(Debug, Default)]
pub(crate) struct JournalCounts {
    pub(crate) records: Count,
    pub(crate) frames: Count,
    pub(crate) syncs: Count,
    pub(crate) bytes: Count,
    pub(crate) segments: Count,
    pub(crate) no_space: Count,
    pub(crate) events_published: Count,
    /// From the stamp of a frame's first record until that was in the page cache (t2 to t4).
    pub(crate) written: Pulse,
    /// Syncs of frames (t4 to t5).
    pub(crate) synced: Pulse,
    pub(crate) last_sync: AtomicI64,
    longest_sync: AtomicI64,
    largest_frame: AtomicU64,
}

impl JournalCounts {
    /// A frame of so many bytes was synced: on the thread that does it.
    pub(crate) fn synced(&self, took: Nanos, bytes: u64) {
        self.synced.beat_alone(took);
        self.last_sync.store(took.0, Ordering::Relaxed);
        self.longest_sync.fetch_max(took.0, Ordering::Relaxed);
        self.largest_frame.fetch_max(bytes, Ordering::Relaxed);
    }

    /// The longest sync and the bytes of the largest frame since this was asked last, by the one who asks.
    pub(crate) fn take_longest(&self) -> (Nanos, u64) {
        let longest = self.longest_sync.swap(0, Ordering::Relaxed);
        (Nanos(longest), self.largest_frame.swap(0, Ordering::Relaxed))
    }
}

/// What a consumer of its own pace reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// The journal, by sequences.
    Journal,
    /// The event ring, by its places.
    Events,
}

/// A reader that somebody has, and how far it is.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) number: u64,
    pub(crate) reads: Reads,
    pub(crate) at: AtomicU64,
}

/// The readers that there are.
#[derive(Debug, Default)]
pub(crate) struct Consumers(Mutex<(u64, Vec<Weak<Consumer>>)>);

impl Consumers {
    /// One more, at this place.
    pub(crate) fn join(&self, reads: Reads, at: u64) -> Arc<Consumer> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 += 1;
        let consumer = Arc::new(Consumer { number: all.0, reads, at: AtomicU64::new(at) });
        all.1.retain(|known| known.strong_count() != 0);
        all.1.push(Arc::downgrade(&consumer));
        consumer
    }

    pub(crate) fn all(&self) -> Vec<Arc<Consumer>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.1.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Two records more than a thread needs to be found by the system's tools.
#[derive(Debug, Default)]
pub(crate) struct ThreadIds {
    pub(crate) decide: AtomicI32,
    pub(crate) journal: AtomicI32,
}

/// Where the parts of one engine meet.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) window: Nanos,
    pub(crate) process: Arc<Cursor>,
    pub(crate) durable: Arc<Cursor>,
    /// The last sequence decided; stored by the deciding thread once a turn.
    pub(crate) decided: CachePadded<AtomicU64>,
    /// The last sequence that a reply to a Durable client waits for; stored by the deciding thread.
    pub(crate) replies_want: CachePadded<AtomicU64>,
    /// The last sequence that anybody else waits for.
    pub(crate) others_want: CachePadded<AtomicU64>,
    /// Readers of outputs that show only what is durable: while there are any, everything is wanted.
    pub(crate) durable_readers: CachePadded<AtomicU64>,
    status: CachePadded<AtomicU8>,
    /// Somebody wants something of the deciding thread between two turns.
    pub(crate) asked: AtomicBool,
    ended: AtomicBool,
    why: OnceLock<String>,
    warnings: Mutex<Vec<String>>,
    pub(crate) loop_counts: CachePadded<LoopCounts>,
    pub(crate) journal_counts: CachePadded<JournalCounts>,
    pub(crate) threads: ThreadIds,
    pub(crate) consumers: Consumers,
    pub(crate) admission: Admission,
    pub(crate) dials: Dials,
    pub(crate) letters: LetterBox,
    levels: Box<[AtomicU8]>,
    parks: bool,
    asleep: CachePadded<AtomicBool>,
    sleeper: OnceLock<Thread>,
}

impl Shared {
    pub(crate) fn new(
        clock: Clock,
        window: Nanos,
        process: Arc<Cursor>,
        durable: Arc<Cursor>,
        clients: u16,
        wait: WaitStrategy,
        (admission, dials, letters): (Admission, Dials, LetterBox),
    ) -> Shared {
        let decided = process.get();
        Shared {
            clock,
            window,
            process,
            durable,
            decided: CachePadded::new(AtomicU64::new(decided)),
            replies_want: CachePadded::default(),
            others_want: CachePadded::default(),
            durable_readers: CachePadded::default(),
            status: CachePadded::new(AtomicU8::new(SERVING)),
            asked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            why: OnceLock::new(),
            warnings: Mutex::new(Vec::new()),
            loop_counts: CachePadded::default(),
            journal_counts: CachePadded::default(),
            threads: ThreadIds::default(),
            consumers: Consumers::default(),
            admission,
            dials,
            letters,
            levels: (0..clients).map(|_| AtomicU8::new(0)).collect(),
            parks: wait == WaitStrategy::Park,
            asleep: CachePadded::new(AtomicBool::new(false)),
            sleeper: OnceLock::new(),
        }
    }

    /// How the engine is; the reason stands beside it once it is poisoned.
    pub(crate) fn status(&self) -> Status {
        match self.status.load(Ordering::Acquire) {
            SERVING => Status::Serving,
            STOPPING => Status::Stopping,
            CLOSED => Status::Closed,
            _ => Status::Poisoned { why: self.why() },
        }
    }

    /// Why it is poisoned.
    pub(crate) fn why(&self) -> String {
        self.why.get().cloned().unwrap_or_else(|| "the reason was not recorded".into())
    }

    /// Whether new commands are taken; else whether that is poison (true) or the end (false).
    #[inline]
    pub(crate) fn accepts(&self) -> Result<(), bool> {
        match self.status.load(Ordering::Acquire) {
            SERVING => Ok(()),
            POISONED => Err(true),
            _ => Err(false),
        }
    }

    #[inline]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.status.load(Ordering::Acquire) == POISONED
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.status.load(Ordering::Acquire) == STOPPING
    }

    /// Asks the loop to finish what it has and to close.
    pub(crate) fn stop(&self) {
        let from_serving = (SERVING, STOPPING);
        let _ = self.status.compare_exchange(
            from_serving.0,
            from_serving.1,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        self.wake();
    }

    /// Stops acceptance at once. The first reason stands.
    pub(crate) fn poison(&self, why: String) {
        let _ = self.why.set(why);
        self.status.store(POISONED, Ordering::Release);
        self.wake();
    }

    /// Everything is closed, in order; a poisoned engine stays poisoned.
    pub(crate) fn closed(&self) {
        let _ = self.status.compare_exchange(STOPPING, CLOSED, Ordering::AcqRel, Ordering::Acquire);
    }

    /// No thread of the engine will say anything more.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether no reply will come any more that has not come yet.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The last sequence that an output of this level may show.
    #[inline]
    pub(crate) fn released(&self, level: Level) -> u64 {
        match level {
            Level::Durable => self.durable.get(),
            Level::ProcessCrashOnly => self.process.get(),
            Level::AppliedOnlyMayVanish => u64::MAX,
        }
    }

    /// Tells the journal that somebody waits until this sequence is durable.
    pub(crate) fn want(&self, seq: Seq) {
        self.others_want.fetch_max(seq.0, Ordering::AcqRel);
        self.wake();
    }

    /// Whether somebody waits for more to be durable than is.
    #[inline]
    pub(crate) fn sync_wanted(&self) -> bool {
        let want =
            self.replies_want.load(Ordering::Relaxed).max(self.others_want.load(Ordering::Relaxed));
        self.durable.get() < want || 0 < self.durable_readers.load(Ordering::Relaxed)
    }

    /// The level of a client's replies.
    #[inline]
    pub(crate) fn is_durable(&self, client: ClientId) -> bool {
        let level = self.levels.get(usize::from(client.0));
        level.is_some_and(|level| level.load(Ordering::Relaxed) == Level::Durable as u8)
    }

    pub(crate) fn set_level(&self, client: ClientId, level: Level) {
        if let Some(place) = self.levels.get(usize::from(client.0)) {
            place.store(level as u8, Ordering::Relaxed);
        }
    }

    /// Something that an operator should know and that stops nothing.
    pub(crate) fn warn(&self, warning: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.len() < WARNINGS_MAX && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// What was warned of is over.
    pub(crate) fn take_back(&self, kind: &str) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.retain(|known| !known.starts_with(kind));
    }

    /// The same of something that comes again and again with other figures: the last one is kept.
    pub(crate) fn warn_last(&self, kind: &str, warning: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = warnings.iter_mut().find(|known| known.starts_with(kind)) {
            *known = warning;
        } else if warnings.len() < WARNINGS_MAX {
            warnings.push(warning);
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This thread is the one that [`Shared::wake`] wakes.
    pub(crate) fn sleeps_here(&self) {
        let _ = self.sleeper.set(std::thread::current());
    }

    /// Wakes the deciding thread if it sleeps.
    #[inline]
    pub(crate) fn wake(&self) {
        if !self.parks {
            return;
        }
        // Pairs with the fence in `park`: either it sees what was published, or we see it asleep.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed)
            && let Some(thread) = self.sleeper.get()
        {
            thread.unpark();
        }
    }

    fn park(&self, nothing_to_do: impl Fn() -> bool) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if nothing_to_do() {
            // Bounded, so that timers fall due and an idle frame is covered.
            std::thread::park_timeout(Duration::from_millis(1));
        }
        self.asleep.store(false, Ordering::Relaxed);
    }
}

/// How an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It takes commands.
    Serving,
    /// It takes no new commands, and finishes what it has.
    Stopping,
    /// It has ended in order.
    Closed,
    /// It stopped at once, and says nothing about what it had not answered.
    Poisoned {
        /// What happened.
        why: String,
    },
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Status::Serving => f.write_str("serving"),
            Status::Stopping => f.write_str("stopping"),
            Status::Closed => f.write_str("closed"),
            Status::Poisoned { why } => write!(f, "poisoned: {why}"),
        }
    }
}

/// How a thread of the engine waits when it has nothing to do.
pub(crate) struct Idle {
    strategy: WaitStrategy,
    rounds: u32,
}

impl Idle {
    pub(crate) fn new(strategy: WaitStrategy) -> Idle {
        Idle { strategy, rounds: 0 }
    }

    #[inline]
    pub(crate) fn reset(&mut self) {
        self.rounds = 0;
    }

    /// Waits a little, longer the longer there was nothing. `nothing_to_do` is asked before sleeping.
    #[inline]
    pub(crate) fn wait(&mut self, shared: &Shared, nothing_to_do: impl Fn() -> bool) {
        self.rounds = self.rounds.saturating_add(1);
        match self.strategy {
            WaitStrategy::Spin => std::hint::spin_loop(),
            _ if self.rounds < 32 => std::hint::spin_loop(),
            WaitStrategy::Auto | WaitStrategy::SpinThenYield => std::thread::yield_now(),
            WaitStrategy::Park if self.rounds < 64 => std::thread::yield_now(),
            WaitStrategy::Park => shared.park(nothing_to_do),
        }
    }

    /// The same for a thread that nobody wakes.
    pub(crate) fn nap(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        match self.strategy {
            WaitStrategy::Spin => std::hint::spin_loop(),
            _ if self.rounds < 32 => std::hint::spin_loop(),
            WaitStrategy::Auto | WaitStrategy::SpinThenYield => std::thread::yield_now(),
            WaitStrategy::Park if self.rounds < 64 => std::thread::yield_now(),
            WaitStrategy::Park => std::thread::sleep(Duration::from_micros(100)),
        }
    }
}

/// How a caller waits for something with a bound: it spins, gives way, then sleeps a little, so that
/// on two cores it does not take the time that its answer needs.
pub(crate) struct Patience {
    until: Instant,
    rounds: u32,
}

impl Patience {
    pub(crate) fn new(timeout: Duration) -> Patience {
        let now = Instant::now();
        // A bound beyond the clock's end is a day.
        let day = Duration::from_secs(86_400);
        Patience { until: now.checked_add(timeout).unwrap_or(now + day), rounds: 0 }
    }

    /// Waits a little; false once the time is over.
    pub(crate) fn wait(&mut self) -> bool {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds < 16 {
            std::hint::spin_loop();
            return true;
        }
        if self.until <= Instant::now() {
            return false;
        }
        if self.rounds < 500 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_micros(50));
        }
        true
    }
}

/// How far an engine is, for any thread to watch.
#[derive(Clone, Debug)]
pub struct Watch(pub(crate) Arc<Shared>);

impl Watch {
    /// The last sequence decided.
    pub fn decided(&self) -> Seq {
        Seq(self.0.decided.load(Ordering::Acquire))
    }

    /// The last sequence in the page cache: it survives the process.
    pub fn process(&self) -> Seq {
        Seq(self.0.process.get())
    }

    /// The last durable sequence: it survives the machine.
    pub fn durable(&self) -> Seq {
        Seq(self.0.durable.get())
    }

    /// How the engine is.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// The time on the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

impl std::fmt::Display for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "decided {}, process {}, durable {}",
            self.decided(),
            self.process(),
            self.durable()
        )
    }
}
