//! From decided to durable: who appends, when it is synced, and how records get to the journal thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use betring_core::event::EVENTS_MAX;
use betring_core::id::Seq;
use betring_core::time::Timestamp;
use betring_core::wire::{SLOT, SLOTS_MAX};
use betring_journal::{FRAME_BYTES_MAX, RecordMeta, Store, Writer, record_bytes};
use crossbeam_utils::CachePadded;
use disruptor::{
    BusySpin, EventPoller, Polling, Producer, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_single_producer,
};

use crate::ask::nanos;
use crate::decide::message;
use crate::output::Outputs;
use crate::shared::{Idle, Shared};

/// Without a Durable output that waits, a frame is synced after this time at the latest.
const LAZY_SYNC: Duration = Duration::from_millis(100);
/// After this time without a record, the last frame is covered.
const COVER_AFTER: Duration = Duration::from_millis(5);
/// How often a full disk is tried again.
const NO_SPACE_RETRY: Duration = Duration::from_millis(100);

/// The longest payload: a whole record always fits what is free before a command is taken.
pub(crate) const PAYLOAD_MAX: usize = SLOTS_MAX * SLOT + EVENTS_MAX;

/// Appends records, syncs them, and publishes what they tell.
pub(crate) struct Journaler<S: Store> {
    writer: Writer<S>,
    outputs: Outputs,
    shared: Arc<Shared>,
    /// When the oldest record that is not durable was appended.
    since: Option<Instant>,
    last: Instant,
    covered: bool,
    /// Whether to wait for space on a full disk: a caller that turns the loop itself does not.
    patient: bool,
}

impl<S: Store> std::fmt::Debug for Journaler<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journaler").field("writer", &self.writer).finish_non_exhaustive()
    }
}

impl<S: Store> Journaler<S> {
    pub(crate) fn new(
        writer: Writer<S>,
        outputs: Outputs,
        shared: Arc<Shared>,
        patient: bool,
    ) -> Journaler<S> {
        Journaler {
            writer,
            outputs,
            shared,
            since: None,
            last: Instant::now(),
            covered: false,
            patient,
        }
    }

    /// Appends one record: a command and, behind it, what it caused.
    pub(crate) fn append(
        &mut self,
        meta: RecordMeta,
        command: &[u8],
        events: &[u8],
    ) -> Result<(), betring_journal::Error> {
        let needed = record_bytes(command.len() + events.len());
        if self.writer.has_open_frame() && self.writer.room() < needed {
            self.sync()?;
        }
        loop {
            match self.writer.append_parts(meta, &[command, events]) {
                Ok(()) => break,
                Err(e @ betring_journal::Error::NoSpace { .. }) => self.wait_for_space(e)?,
                Err(e) => return Err(e),
            }
        }
        self.shared.dials.saw(Timestamp(meta.ts), command, events);
        self.outputs.recorded(Seq(meta.seq), Timestamp(meta.ts), events);
        self.covered = false;
        if self.since.is_none() {
            self.since = Some(Instant::now());
            let waited = self.shared.clock.now().since(Timestamp(meta.ts));
            self.shared.journal_counts.written.beat_alone(waited);
        }
        Ok(())
    }

    /// Nothing was stored, and everything before is as good as it was: senders are refused while the
    /// rings fill, and it goes on as soon as somebody frees some space.
    #[cold]
    fn wait_for_space(&self, e: betring_journal::Error) -> Result<(), betring_journal::Error> {
        self.shared.warn_last("no space for ", e.to_string());
        self.shared.journal_counts.no_space.add(1);
        if !self.patient || self.shared.accepts().is_err() {
            return Err(e);
        }
        std::thread::sleep(NO_SPACE_RETRY);
        Ok(())
    }

    /// Group commit: everything appended becomes durable, and what waited for that is published.
    pub(crate) fn sync(&mut self) -> Result<(), betring_journal::Error> {
        let (began, bytes) = (Instant::now(), self.writer.unsynced_bytes());
        self.writer.seal_and_sync()?;
        let (counts, stats) = (&self.shared.journal_counts, self.writer.stats());
        let synced = Instant::now();
        if 0 < bytes {
            counts.synced(nanos(synced.duration_since(began)), bytes);
        }
        self.outputs.synced();
        self.since = None;
        self.last = synced;
        self.shared.clock.discipline();
        counts.records.set(stats.records);
        counts.frames.set(stats.frames);
        counts.syncs.set(stats.syncs);
        counts.bytes.set(stats.bytes);
        counts.segments.set(stats.rotations + 1);
        counts.events_published.set(self.outputs.published());
        Ok(())
    }

    /// Syncs, if somebody waits for it or it is time. To be called when everything there was is
    /// appended: the batch is what came during the last sync, so no timer is needed.
    pub(crate) fn commit(&mut self) -> Result<(), betring_journal::Error> {
        let Some(since) = self.since else { return Ok(()) };
        let long = LAZY_SYNC <= since.elapsed();
        // A frame is at its largest before the next record that does not fit seals it.
        let large = FRAME_BYTES_MAX * 7 / 8 <= self.writer.unsynced_bytes();
        if self.shared.sync_wanted() || long || large { self.sync() } else { Ok(()) }
    }

    /// Nothing came for a while: what is there is synced in its time, then covered.
    pub(crate) fn idle(&mut self) -> Result<(), betring_journal::Error> {
        self.commit()?;
        if self.since.is_none() && !self.covered && COVER_AFTER <= self.last.elapsed() {
            self.writer.cover()?;
            self.covered = true;
            self.shared.journal_counts.frames.set(self.writer.stats().frames);
        }
        self.shared.clock.discipline();
        Ok(())
    }

    /// Makes everything durable, covers it, and gives the directory back.
    pub(crate) fn close(mut self) -> Result<(), betring_journal::Error> {
        self.sync()?;
        self.writer.close()
    }
}

/// A cell of the record ring.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Chunk([u8; CHUNK]);

const CHUNK: usize = 128;
/// In front of every record: bytes of the payload u32, of its command u32, kind u16, version u8,
/// flags u8, zero u32, sequence u64, time i64.
const HEAD: usize = 32;
const CHUNKS_MAX: usize = (HEAD + PAYLOAD_MAX).div_ceil(CHUNK);
/// As much as the largest frame: what can come while one is synced.
const CHUNKS: usize = FRAME_BYTES_MAX as usize / CHUNK;
const _: () = assert!(CHUNKS.is_power_of_two() && 2 * CHUNKS_MAX <= CHUNKS);

/// The deciding thread's end of the record ring.
pub(crate) struct RecordOutlet {
    producer: SingleProducer<Chunk, SingleConsumerBarrier>,
    published: u64,
    seen: u64,
    taken: Arc<CachePadded<AtomicU64>>,
    depth: Arc<CachePadded<AtomicU64>>,
}

/// The journal thread's end.
pub(crate) struct RecordInlet {
    poller: EventPoller<Chunk, SingleProducerBarrier>,
    taken: Arc<CachePadded<AtomicU64>>,
    record: Box<[u8]>,
    have: usize,
}

/// What `health()` reads of the record ring.
#[derive(Clone, Debug)]
pub(crate) struct RecordDepth {
    published: Arc<CachePadded<AtomicU64>>,
    taken: Arc<CachePadded<AtomicU64>>,
}

impl RecordDepth {
    pub(crate) fn depth(&self) -> (u64, u64) {
        let taken = self.taken.load(Ordering::Relaxed);
        let published = self.published.load(Ordering::Relaxed);
        (published.saturating_sub(taken), CHUNKS as u64)
    }
}

pub(crate) fn record_ring() -> (RecordOutlet, RecordInlet, RecordDepth) {
    let builder = build_single_producer(CHUNKS, || Chunk([0; CHUNK]), BusySpin);
    let (poller, builder) = builder.new_event_poller();
    let taken = Arc::new(CachePadded::new(AtomicU64::new(0)));
    let published = Arc::new(CachePadded::new(AtomicU64::new(0)));
    let outlet = RecordOutlet {
        producer: builder.build(),
        published: 0,
        seen: 0,
        taken: taken.clone(),
        depth: published.clone(),
    };
    // Written once, so that its pages are there.
    let mut record = vec![1; CHUNKS_MAX * CHUNK].into_boxed_slice();
    record.fill(0);
    let inlet = RecordInlet { poller, taken: taken.clone(), record, have: 0 };
    (outlet, inlet, RecordDepth { published, taken })
}

impl RecordOutlet {
    /// Whether the longest record fits.
    #[inline]
    pub(crate) fn has_room(&mut self) -> bool {
        let fits =
            |taken: u64, published: u64| published - taken + CHUNKS_MAX as u64 <= CHUNKS as u64;
        if fits(self.seen, self.published) {
            return true;
        }
        self.seen = self.taken.load(Ordering::Acquire);
        fits(self.seen, self.published)
    }

    /// Hands a record over; there is room, [`RecordOutlet::has_room`] said so.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub(crate) fn push(&mut self, meta: RecordMeta, command: &[u8], events: &[u8]) {
        let len = command.len() + events.len();
        assert!(len <= PAYLOAD_MAX, "a record is bounded by its kind");
        let mut head = [0; HEAD];
        head[0..4].copy_from_slice(&(len as u32).to_le_bytes());
        head[4..8].copy_from_slice(&(command.len() as u32).to_le_bytes());
        head[8..10].copy_from_slice(&meta.kind.to_le_bytes());
        (head[10], head[11]) = (meta.ver, meta.flags);
        head[16..24].copy_from_slice(&meta.seq.to_le_bytes());
        head[24..32].copy_from_slice(&meta.ts.to_le_bytes());
        let chunks = (HEAD + len).div_ceil(CHUNK);
        let mut parts = Parts { parts: [&head, command, events], part: 0 };
        let sent = self.producer.try_batch_publish(chunks, |ring| {
            ring.for_each(|chunk| parts.fill(&mut chunk.0));
        });
        assert!(sent.is_ok(), "no command is taken before a whole record fits");
        self.published += chunks as u64;
        self.depth.store(self.published, Ordering::Relaxed);
    }
}

/// Slices read one behind the other.
struct Parts<'a> {
    parts: [&'a [u8]; 3],
    part: usize,
}

impl Parts<'_> {
    /// Cannot fail: it runs while the ring is held.
    #[inline]
    fn fill(&mut self, mut to: &mut [u8]) {
        while let Some(from) = self.parts.get_mut(self.part) {
            let len = from.len().min(to.len());
            let (now, later) = from.split_at(len);
            let (here, rest) = to.split_at_mut(len);
            here.copy_from_slice(now);
            *from = later;
            to = rest;
            if to.is_empty() {
                return;
            }
            self.part += 1;
        }
        to.fill(0);
    }
}

/// What the journal thread took.
pub(crate) enum Took {
    /// Records were appended.
    Some,
    /// There was nothing.
    Nothing,
    /// There is nothing, and never will be.
    End,
}

impl RecordInlet {
    /// Appends what is there.
    pub(crate) fn drain<S: Store>(
        &mut self,
        journaler: &mut Journaler<S>,
    ) -> Result<Took, betring_journal::Error> {
        // An eighth of the ring at a time, so that the deciding thread soon sees room again.
        let mut guard = match self.poller.take(CHUNKS as u64 / 8) {
            Ok(guard) => guard,
            Err(Polling::NoEvents) => return Ok(Took::Nothing),
            Err(Polling::Shutdown) => return Ok(Took::End),
        };
        let mut count = 0;
        let mut result = Ok(());
        for chunk in &mut guard {
            count += 1;
            // After an error the engine is poisoned: what follows is passed over, not lost by chance.
            if result.is_ok() {
                result = take_chunk(&mut self.record, &mut self.have, chunk, journaler);
            }
        }
        drop(guard);
        self.taken.fetch_add(count, Ordering::Release);
        result.map(|()| Took::Some)
    }
}

fn take_chunk<S: Store>(
    record: &mut [u8],
    have: &mut usize,
    chunk: &Chunk,
    journaler: &mut Journaler<S>,
) -> Result<(), betring_journal::Error> {
    record[*have..*have + CHUNK].copy_from_slice(&chunk.0);
    *have += CHUNK;
    let number = |at: usize| {
        u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]) as usize
    };
    let (len, command) = (number(0), number(4));
    if *have < HEAD + len {
        return Ok(());
    }
    *have = 0;
    let long = |at: usize| record[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
    let meta = RecordMeta {
        kind: u16::from_le_bytes([record[8], record[9]]),
        ver: record[10],
        flags: record[11],
        seq: long(16),
        ts: long(24) as i64,
    };
    let (command, events) = record[HEAD..HEAD + len].split_at(command);
    journaler.append(meta, command, events)
}

/// The life of the journal thread. When it returns, everything that was handed over is durable, or the
/// engine is poisoned.
pub(crate) fn run<S: Store>(
    inlet: RecordInlet,
    journaler: Journaler<S>,
    shared: &Shared,
    idle: Idle,
) {
    // Nothing that a panic could have left half done is used again.
    let work = AssertUnwindSafe(|| work(inlet, journaler, shared, idle));
    if let Err(panic) = catch_unwind(work) {
        shared.poison(format!("the journal thread panicked: {}", message(&*panic)));
    }
}

fn work<S: Store>(
    mut inlet: RecordInlet,
    mut journaler: Journaler<S>,
    shared: &Shared,
    mut idle: Idle,
) {
    let mut turn = || -> Result<bool, betring_journal::Error> {
        if shared.is_poisoned() {
            return Ok(false);
        }
        match inlet.drain(&mut journaler)? {
            Took::Some => {
                idle.reset();
                // What has come meanwhile goes into the same frame; then the sync, and again.
                while journaler.writer.unsynced_bytes() < FRAME_BYTES_MAX / 2
                    && matches!(inlet.drain(&mut journaler)?, Took::Some)
                {}
                journaler.commit()?;
            }
            Took::Nothing => {
                journaler.idle()?;
                idle.nap();
            }
            Took::End => return Ok(false),
        }
        Ok(true)
    };
    loop {
        match turn() {
            Ok(true) => (),
            Ok(false) => break,
            Err(e) => {
                shared.poison(format!("the journal failed: {e}"));
                return;
            }
        }
    }
    if !shared.is_poisoned()
        && let Err(e) = journaler.close()
    {
        shared.poison(format!("the journal could not be closed: {e}"));
    }
}
