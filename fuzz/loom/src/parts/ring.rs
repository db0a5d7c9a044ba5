// The event ring, which its writer laps when a reader is slow.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};

const ENTRY_WORDS: usize = 3;
const LAST: u64 = 1 << 31;

#[derive(Default)]
struct CachePadded<T>(T);

impl<T> std::ops::Deref for CachePadded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seq(u64);

#[derive(Debug)]
struct Occurrence {
    seq: Seq,
    index: u32,
}

#[derive(Debug)]
struct Lapped {
    resume_after: Seq,
    ring_from: Seq,
}

struct EventStream {
    ring: Arc<EventRing>,
    interest: Interest,
    position: u64,
    after: u64,
}

/// How far a reader is, for dials: nobody waits for it.
struct Interest;

impl Interest {
    fn moved(&self, _position: u64) {}
}

fn occurrence(words: &[u64; ENTRY_WORDS]) -> Option<Occurrence> {
    assert_eq!(words[1], 10 * words[0], "one event, not a mixture");
    Some(Occurrence { seq: Seq(words[0]), index: (words[2] & (LAST - 1)) as u32 })
}

/// A ring of two places, with so many records of one event before both threads begin and one while
/// they run. In the wrong order the head moves before the event is there.
pub(crate) fn read_all(first: First, before: u64, in_order: bool) {
    let ring = Arc::new(EventRing {
        places: (0..2).map(|_| Cell::new()).collect(),
        head: CachePadded(AtomicU64::new(0)),
        complete: CachePadded(AtomicU64::new(0)),
    });
    (1..=before).for_each(|seq| publish(&ring, seq, true));
    let writer = {
        let ring = ring.clone();
        move || publish(&ring, before + 1, in_order)
    };
    let stream = EventStream { ring, interest: Interest, position: 0, after: 0 };
    // The reader, and the sequence that comes next.
    let place = Arc::new(loom::sync::Mutex::new((stream, 1)));
    let reader = {
        let place = place.clone();
        move || {
            let (stream, next) = &mut *place.lock().expect("nobody panicked");
            read_one(stream, next, before + 1);
        }
    };
    first.run(writer, reader);
    // Everything is there now: it is delivered to the end.
    let (stream, next) = &mut *place.lock().expect("nobody panicked");
    for _ in 0..before + 2 {
        read_one(stream, next, before + 1);
    }
    assert_eq!(*next, before + 2, "everything was delivered or told");
}

/// As `Outputs::publish`, for a record of one event.
fn publish(ring: &EventRing, seq: u64, in_order: bool) {
    let words = [seq, 10 * seq, LAST];
    let mut head = ring.head.load(Ordering::Relaxed);
    let (place, version) = ring.place(head);
    head += 1;
    if in_order {
        place.write(version, &words);
        ring.head.store(head, Ordering::Release);
    } else {
        ring.head.store(head, Ordering::Release);
        place.write(version, &words);
    }
    ring.complete.store(seq, Ordering::Release);
}

fn read_one(stream: &mut EventStream, next: &mut u64, records: u64) {
    match stream.next() {
        Ok(None) => (),
        Ok(Some(event)) => {
            assert_eq!(event.seq.0, *next, "the next event, neither again nor later");
            *next += 1;
        }
        Err(lapped) => {
            assert!(2 < records, "nothing was overwritten");
            assert_eq!(lapped.resume_after.0, *next - 1, "everything up to there was read");
            assert!(*next < lapped.ring_from.0, "what is told to be lost is lost");
            *next = lapped.ring_from.0;
        }
    }
}
