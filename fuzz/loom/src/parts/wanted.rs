// What is waited for is synced: by replies, by whoever asked for a sequence, by readers of durable outputs.
// The sync that comes after a while all the same is left out: it would hide who is forgotten.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};

const FRAME_BYTES_MAX: u64 = 1 << 20;
const LAZY_SYNC: Duration = Duration::from_millis(100);
const COVER_AFTER: Duration = Duration::from_millis(5);

mod betring_journal {
    #[derive(Debug)]
    pub(super) struct Error;

    impl std::fmt::Display for Error {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Ok(())
        }
    }
}

/// The time, which stands still.
#[derive(Clone, Copy)]
struct Instant;

impl Instant {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Clone, Copy)]
struct Seq(u64);

#[derive(Clone, Copy)]
struct ClientId(u16);

#[derive(Clone, Copy)]
struct Reply {
    client: ClientId,
    as_of: Seq,
}

#[derive(Default)]
struct Count;

impl Count {
    fn set(&self, _: u64) {}
}

#[derive(Default)]
struct JournalCounts {
    frames: Count,
}

struct Clock;

impl Clock {
    fn discipline(&self) {}
}

struct Cursor(AtomicU64);

impl Cursor {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

struct Shared {
    durable: Cursor,
    replies_want: AtomicU64,
    others_want: AtomicU64,
    durable_readers: AtomicU64,
    journal_counts: JournalCounts,
    clock: Clock,
    /// The record ring: what was pushed, and whether no more will be.
    pushed: AtomicU64,
    ended: AtomicU64,
}

impl Shared {
    fn is_durable(&self, _client: ClientId) -> bool {
        true
    }

    fn is_poisoned(&self) -> bool {
        false
    }

    fn poison(&self, _why: String) {}

    fn wake(&self) {}
}

struct Seat;

impl Seat {
    fn send(&mut self, _reply: Reply) {}
}

struct Logic {
    shared: Arc<Shared>,
    seats: Vec<Seat>,
    replies_want: u64,
}

impl Logic {
    /// As `Logic::command`: the record is handed over, then the reply is sent.
    fn command(&mut self, seq: u64) {
        self.shared.pushed.store(seq, Ordering::Release);
        self.send(Reply { client: ClientId(0), as_of: Seq(seq) });
    }
}

struct Stats {
    frames: u64,
}

struct Writer {
    appended: u64,
    unsynced: u64,
}

impl Writer {
    fn unsynced_bytes(&self) -> u64 {
        self.unsynced
    }

    fn cover(&mut self) -> Result<(), betring_journal::Error> {
        Ok(())
    }

    fn stats(&self) -> Stats {
        Stats { frames: 0 }
    }
}

trait Store {}

struct NoStore;

impl Store for NoStore {}

struct Journaler<S: Store> {
    writer: Writer,
    shared: Arc<Shared>,
    since: Option<Instant>,
    last: Instant,
    covered: bool,
    store: std::marker::PhantomData<S>,
}

impl<S: Store> Journaler<S> {
    /// As far as this matters: what was appended is durable, and nothing is any more that is not.
    fn sync(&mut self) -> Result<(), betring_journal::Error> {
        self.shared.durable.0.store(self.writer.appended, Ordering::Release);
        self.writer.unsynced = 0;
        self.since = None;
        Ok(())
    }

    fn close(self) -> Result<(), betring_journal::Error> {
        Ok(())
    }
}

enum Took {
    Some,
    Nothing,
    End,
}

struct RecordInlet(Arc<Shared>);

impl RecordInlet {
    fn drain<S: Store>(
        &mut self,
        journaler: &mut Journaler<S>,
    ) -> Result<Took, betring_journal::Error> {
        let ended = self.0.ended.load(Ordering::Acquire);
        let pushed = self.0.pushed.load(Ordering::Acquire);
        if journaler.writer.appended < pushed {
            journaler.writer.unsynced += pushed - journaler.writer.appended;
            journaler.writer.appended = pushed;
            // As `Journaler::append`.
            journaler.covered = false;
            journaler.since = Some(Instant);
            return Ok(Took::Some);
        }
        Ok(if ended == 0 { Took::Nothing } else { Took::End })
    }
}

struct Idle;

impl Idle {
    fn reset(&mut self) {}

    fn nap(&mut self) {
        loom::thread::yield_now();
    }
}

/// The journal's thread, and all that the other side needs.
fn journal() -> (Arc<Shared>, Logic, impl FnOnce() + 'static) {
    let shared = Arc::new(Shared {
        durable: Cursor(AtomicU64::new(0)),
        replies_want: AtomicU64::new(0),
        others_want: AtomicU64::new(0),
        durable_readers: AtomicU64::new(0),
        journal_counts: JournalCounts::default(),
        clock: Clock,
        pushed: AtomicU64::new(0),
        ended: AtomicU64::new(0),
    });
    let logic = Logic { shared: shared.clone(), seats: vec![Seat], replies_want: 0 };
    let journaler = Journaler {
        writer: Writer { appended: 0, unsynced: 0 },
        shared: shared.clone(),
        since: None,
        last: Instant,
        covered: true,
        store: std::marker::PhantomData::<NoStore>,
    };
    let inlet = RecordInlet(shared.clone());
    let of = shared.clone();
    (shared, logic, move || work(inlet, journaler, &of, Idle))
}

impl Shared {
    /// Until it is durable; a model in which that never comes does not end, and loom says so.
    fn await_durable(&self, seq: u64) {
        while self.durable.get() < seq {
            loom::thread::yield_now();
        }
    }
}

pub(crate) fn a_reply_is_not_left_waiting(first: First) {
    let (shared, mut logic, journal) = journal();
    let deciding = move || {
        logic.command(1);
        shared.await_durable(1);
        shared.ended.store(1, Ordering::Release);
    };
    first.run(deciding, journal);
}

pub(crate) fn nobody_who_asked_is_forgotten_for_another(first: First) {
    let (shared, _, journal) = journal();
    let other = shared.clone();
    let asks = move || {
        let one = loom::thread::spawn(move || other.want(Seq(1)));
        // Asked for ahead: it is not there yet.
        shared.want(Seq(2));
        one.join().expect("loom reports a panic itself");
        shared.pushed.store(1, Ordering::Release);
        shared.await_durable(1);
        shared.pushed.store(2, Ordering::Release);
        shared.await_durable(2);
        shared.ended.store(1, Ordering::Release);
    };
    first.run(asks, journal);
}

pub(crate) fn a_reader_of_what_is_durable_sees_it(first: First) {
    let (shared, _, journal) = journal();
    let reads = move || {
        shared.pushed.store(1, Ordering::Release);
        // As a stream of durable events when it begins and ends.
        shared.durable_readers.fetch_add(1, Ordering::Relaxed);
        shared.await_durable(1);
        shared.durable_readers.fetch_sub(1, Ordering::Relaxed);
        shared.ended.store(1, Ordering::Release);
    };
    first.run(reads, journal);
}
