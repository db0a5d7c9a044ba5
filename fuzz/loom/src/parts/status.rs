// Poison, the end, and sleep: what `Shared` promises.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};

const SERVING: u8 = 0;
const STOPPING: u8 = 1;
const CLOSED: u8 = 2;
const POISONED: u8 = 3;

/// As std's: who sets it makes others wait that set it, and `get` synchronizes with the first.
struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: AtomicBool,
    setting: loom::sync::Mutex<()>,
}

impl<T> OnceLock<T> {
    fn new() -> OnceLock<T> {
        let (value, is_set) = (std::sync::OnceLock::new(), AtomicBool::new(false));
        OnceLock { value, is_set, setting: loom::sync::Mutex::new(()) }
    }

    fn set(&self, value: T) -> Result<(), T> {
        let _one_at_a_time = self.setting.lock().unwrap();
        self.value.set(value)?;
        self.is_set.store(true, Ordering::Release);
        Ok(())
    }

    fn get(&self) -> Option<&T> {
        if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
    }
}

/// The thread that sleeps.
struct Thread {
    woken: AtomicBool,
}

impl Thread {
    fn unpark(&self) {
        self.woken.store(true, Ordering::Relaxed);
    }
}

struct Shared {
    status: AtomicU8,
    why: OnceLock<String>,
    ended: AtomicBool,
    parks: bool,
    asleep: AtomicBool,
    sleeper: OnceLock<Thread>,
    /// It has come to the place where it sleeps.
    sleeps: AtomicBool,
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared {
        status: AtomicU8::new(SERVING),
        why: OnceLock::new(),
        ended: AtomicBool::new(false),
        parks: true,
        asleep: AtomicBool::new(false),
        sleeper: OnceLock::new(),
        sleeps: AtomicBool::new(false),
    })
}

pub(crate) fn poison_has_its_reason(first: First) {
    let shared = shared();
    let poisoners = {
        let shared = shared.clone();
        move || {
            let other = shared.clone();
            let other = loom::thread::spawn(move || other.poison("other".into()));
            shared.poison("one".into());
            other.join().expect("loom reports a panic itself");
            assert!(shared.is_poisoned());
        }
    };
    first.run(poisoners, move || {
        if shared.accepts() == Err(true) {
            let why = shared.why();
            assert!(why == "one" || why == "other", "{why}");
        }
    });
}

pub(crate) fn poison_stays(first: First) {
    let shared = shared();
    let (journal, closer) = (shared.clone(), shared.clone());
    // An orderly end, asked for and come to at the same time.
    first.run(
        move || journal.poison("the disk".into()),
        move || {
            closer.stop();
            closer.closed();
        },
    );
    // Read as part of a change: that is the last value for certain.
    let last = shared.status.fetch_or(0, Ordering::AcqRel);
    assert_eq!(last, POISONED, "a poisoned engine stays poisoned");
}

pub(crate) fn replies_before_the_end_are_found(first: First) {
    let shared = shared();
    let ring = Arc::new(AtomicU64::new(0));
    let engine = {
        let (shared, ring) = (shared.clone(), ring.clone());
        move || {
            ring.store(1, Ordering::Release);
            shared.end();
        }
    };
    first.run(engine, move || {
        // In the order of `Line::wait`.
        let ended = shared.has_ended();
        let found = ring.load(Ordering::Acquire);
        assert!(!ended || found == 1, "it ended, and the reply that came before is not there");
    });
}

/// Whoever goes to sleep while there is work was woken: the two flags would both be missed otherwise.
/// Where the engine sleeps for a millisecond at most, the model's thread ends: it sleeps for ever.
pub(crate) fn nobody_sleeps_through_work(first: First) {
    let shared = shared();
    assert!(shared.sleeper.set(Thread { woken: AtomicBool::new(false) }).is_ok());
    let work = Arc::new(AtomicBool::new(false));
    let client = {
        let (shared, work) = (shared.clone(), work.clone());
        move || {
            work.store(true, Ordering::Release);
            shared.wake();
        }
    };
    let sleeper = shared.clone();
    first.run(client, move || sleeper.park(|| !work.load(Ordering::Acquire)));
    let sleeps = shared.sleeps.load(Ordering::Relaxed);
    let woken = shared.sleeper.get().is_some_and(|thread| thread.woken.load(Ordering::Relaxed));
    assert!(!sleeps || woken, "it sleeps, there is work, and nobody wakes it");
}
