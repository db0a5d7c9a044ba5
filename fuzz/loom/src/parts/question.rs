// A question that the deciding thread answers between two turns.

use std::sync::PoisonError;

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};

struct Shared {
    asked: AtomicBool,
}

struct State {
    seq: u64,
}

impl State {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn digest(&self) -> u64 {
        0
    }

    fn money_digest(&self) -> u64 {
        0
    }
}

struct Logic {
    shared: Arc<Shared>,
    state: State,
}

struct Core {
    logic: Logic,
    questions: Arc<Mutex<Option<Sender>>>,
}

/// Where the answer goes.
struct Sender(Arc<AtomicU64>);

impl Sender {
    fn try_send(&self, _answer: (u64, u64, u64)) -> Result<(), ()> {
        self.0.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

pub(crate) fn answered(first: First) {
    let shared = Arc::new(Shared { asked: AtomicBool::new(false) });
    let questions = Arc::new(Mutex::new(None));
    let logic = Logic { shared: shared.clone(), state: State { seq: 1 } };
    let core = Core { logic, questions: questions.clone() };
    let answers = Arc::new(AtomicU64::new(0));
    let count = Arc::new(AtomicU64::new(0));
    let asker = {
        let answers = answers.clone();
        let count = count.clone();
        move || {
            for asked in 1..=2 {
                // As `Engine::digests`.
                *questions.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Sender(answers.clone()));
                shared.asked.store(true, Ordering::Release);
                count.store(asked, Ordering::Release);
                if answers.load(Ordering::Acquire) < asked {
                    return;
                }
            }
        }
    };
    let core = Arc::new(core);
    let turns = {
        let core = core.clone();
        move || (0..2).for_each(|_| core.answer_questions())
    };
    first.run(asker, turns);
    core.answer_questions();
    let asked = count.load(Ordering::Acquire);
    assert_eq!(answers.load(Ordering::Acquire), asked, "every question is answered once");
}
