// The record ring between deciding and journaling: its room is asked for before a command is taken.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};

const CHUNKS: usize = 2;
const CHUNKS_MAX: usize = 1;

struct RecordOutlet {
    published: u64,
    seen: u64,
    taken: Arc<AtomicU64>,
}

/// The disruptor's ring, as far as this matters: a cursor of each side.
struct Ring {
    published: AtomicU64,
    consumed: AtomicU64,
}

pub(crate) fn room_is_there(first: First, gives_back_first: bool) {
    let ring = Arc::new(Ring { published: AtomicU64::new(0), consumed: AtomicU64::new(0) });
    let taken = Arc::new(AtomicU64::new(0));
    let journal = {
        let (ring, taken) = (ring.clone(), taken.clone());
        move || {
            let mut at = 0;
            for _ in 0..2 {
                let count = ring.published.load(Ordering::Acquire) - at;
                at += count;
                if count == 0 {
                    continue;
                }
                // As `RecordInlet::drain`: the guard is dropped, then the count goes up.
                if gives_back_first {
                    ring.consumed.store(at, Ordering::Release);
                    taken.fetch_add(count, Ordering::Release);
                } else {
                    taken.fetch_add(count, Ordering::Release);
                    ring.consumed.store(at, Ordering::Release);
                }
            }
        }
    };
    let mut outlet = RecordOutlet { published: 0, seen: 0, taken };
    let deciding = move || {
        for _ in 0..4 {
            if outlet.has_room() {
                let used = outlet.published - ring.consumed.load(Ordering::Acquire);
                assert!(used < CHUNKS as u64, "no command is taken before a whole record fits");
                outlet.published += 1;
                ring.published.store(outlet.published, Ordering::Release);
            }
        }
    };
    first.run(deciding, journal);
}
