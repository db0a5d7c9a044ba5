// Credit: a client has no more attempts unanswered than its ring of replies has places.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};

const PLACES: u64 = 1;

/// Both rings as far as this matters: requests, replies, and how many replies were taken out.
struct Rings {
    requests: AtomicU64,
    replies: AtomicU64,
    consumed: AtomicU64,
}

pub(crate) fn within_credit(first: First, frees_first: bool, request: Ordering) {
    let rings = Arc::new(Rings {
        requests: AtomicU64::new(0),
        replies: AtomicU64::new(0),
        consumed: AtomicU64::new(0),
    });
    let engine = {
        let rings = rings.clone();
        move || {
            let mut sent = 0;
            for _ in 0..3 {
                if sent < rings.requests.load(Ordering::Acquire) {
                    // As `ReplyOutlet::send`.
                    let used = sent - rings.consumed.load(Ordering::Acquire);
                    assert!(used < PLACES, "no client has more unanswered attempts than places");
                    sent += 1;
                    rings.replies.store(sent, Ordering::Release);
                }
            }
        }
    };
    let client = move || {
    let (mut asked, mut answered) = (0, 0);
    for _ in 0..3 {
        if asked - answered < PLACES {
            asked += 1;
            rings.requests.store(asked, request);
        }
        // As `Line::collect`: the place is free when the guard is dropped, then credit is.
        let arrived = rings.replies.load(Ordering::Acquire);
        if answered < arrived {
            answered = arrived;
            if !frees_first && asked < 2 {
                asked += 1;
                rings.requests.store(asked, request);
            }
            rings.consumed.store(arrived, Ordering::Release);
        }
    }
    };
    first.run(client, engine);
}
