// A market's door: never more in than may be, and its bucket: never more tokens than there are.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};

type Moment = u64;

const CAP: u32 = 1;

struct Door {
    entered: AtomicU32,
}

struct Market {
    door: Door,
    left: AtomicU32,
    /// How many are really in: published and not decided.
    inside: AtomicU32,
}

impl Market {
    /// As `Admission::enter`, then publishing.
    fn come(&self) {
        if self.door.enter(&self.left, CAP) {
            let inside = 1 + self.inside.fetch_add(1, Ordering::AcqRel);
            assert!(inside <= CAP, "as many bets are undecided as may be");
        }
    }

    /// As `Logic::command`: decided first, then it has left.
    fn decide(&self, decided_first: bool) {
        if !decided_first {
            leave(&self.left);
        }
        if 0 < self.inside.load(Ordering::Acquire) {
            self.inside.fetch_sub(1, Ordering::AcqRel);
            if decided_first {
                leave(&self.left);
            }
        }
    }
}

pub(crate) fn never_more_in_than_may_be(first: First, decided_first: bool) {
    let market = Arc::new(Market {
        door: Door { entered: AtomicU32::new(0) },
        left: AtomicU32::new(0),
        inside: AtomicU32::new(0),
    });
    let other = market.clone();
    let one = move || {
        other.come();
        other.come();
    };
    let two = move || {
        market.come();
        market.decide(decided_first);
        market.come();
        market.decide(decided_first);
    };
    first.run(one, two);
}

pub(crate) fn one_token_is_taken_once(first: First) {
    let word = Arc::new(AtomicU64::new(0));
    let taken = Arc::new(AtomicU32::new(0));
    let caller = |word: Arc<AtomicU64>, taken: Arc<AtomicU32>| {
        move || {
            let bucket = Bucket { each: 10, ahead: 0 };
            for now in [100, 105] {
                if bucket.take(&word, now).is_ok() {
                    let before = taken.fetch_add(1, Ordering::Relaxed);
                    assert!(before == 0, "one token, and half of the time until the next");
                }
            }
        }
    };
    first.run(caller(word.clone(), taken.clone()), caller(word, taken));
}
