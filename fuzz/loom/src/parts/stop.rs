// The stop: whatever was published before it is decided before the loop ends.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU8, AtomicU64, Ordering};

const SERVING: u8 = 0;
const STOPPING: u8 = 1;
const POISONED: u8 = 3;

struct Shared {
    status: AtomicU8,
}

impl Shared {
    fn sleeps_here(&self) {}

    fn wake(&self) {}
}

/// A ring as far as this matters: its cursor, and how far it was read.
struct Inlet {
    published: Arc<AtomicU64>,
    taken: u64,
}

impl Inlet {
    fn has_waiting(&self) -> bool {
        self.taken < self.published.load(Ordering::Acquire)
    }

    fn take(&mut self) -> u32 {
        let count = self.published.load(Ordering::Acquire) - self.taken;
        self.taken += count;
        count as u32
    }
}

struct Logic {
    shared: Arc<Shared>,
}

struct Turn {
    commands: u32,
    stalled: bool,
}

impl Turn {
    fn is_idle(&self) -> bool {
        self.commands == 0
    }
}

struct Core {
    logic: Logic,
    control: Inlet,
    bets: Inlet,
    /// Turns in which the journal has no room, so that nothing is taken.
    stalls: u32,
}

impl Core {
    fn guarded<T>(&mut self, part: impl FnOnce(&mut Self) -> T) -> Option<T> {
        Some(part(self))
    }

    fn cycle(&mut self) -> Turn {
        if 0 < self.stalls {
            self.stalls -= 1;
            return Turn { commands: 0, stalled: true };
        }
        Turn { commands: self.control.take() + self.bets.take(), stalled: false }
    }

    fn finish(self) -> Option<Closed> {
        Some((self.control.taken, self.bets.taken))
    }
}

/// How many were decided of each ring.
type Closed = (u64, u64);

struct Idle;

impl Idle {
    fn reset(&mut self) {}

    fn wait(&mut self, _shared: &Shared, nothing_to_do: impl Fn() -> bool) {
        if nothing_to_do() {
            loom::thread::yield_now();
        }
    }

    fn nap(&mut self) {
        loom::thread::yield_now();
    }
}

pub(crate) fn everything_before_it_is_decided(first: First, stalls: u32) {
    let shared = Arc::new(Shared { status: AtomicU8::new(SERVING) });
    let [control, bets] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    let inlet = |published: &Arc<AtomicU64>| Inlet { published: published.clone(), taken: 0 };
    let core = Core {
        logic: Logic { shared: shared.clone() },
        control: inlet(&control),
        bets: inlet(&bets),
        stalls,
    };
    let client = move || {
        // As the disruptor's `try_publish`; then `Engine::shutdown`.
        control.store(1, Ordering::Release);
        bets.store(1, Ordering::Release);
        shared.stop();
    };
    first.run(client, move || {
        let decided = core.run(Idle);
        assert_eq!(decided, Some((1, 1)), "what was published before the stop is decided");
    });
}
