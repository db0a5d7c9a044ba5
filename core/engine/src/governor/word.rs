//! What the governor says of something that others speak of, too: whose word holds, and what is on its way.
//!
//! What others say stays, and what the governor says is taken back; so it has to know who spoke last.
//! Answers are read before the state is looked at, and are there no sooner than the state shows what they
//! answer. So a word that waits comes after everything that is seen, and is not said any more if somebody
//! else has spoken; one that was sent may come before or after what is seen; and one that was decided
//! comes before whatever else is seen from then on.

use super::What;

/// What was said of something, and whether a governor has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said<V> {
    pub(super) what: V,
    pub(super) by_governor: bool,
}

/// Something of which the governor wants, or has wanted, what others have not said.
#[derive(Clone, Debug)]
pub(super) struct Word<V> {
    /// What others have said last, and what is said again when no rule wants anything else.
    pub(super) base: V,
    /// Somebody else has spoken since, or had said the same before: that stays.
    pub(super) by_hand: bool,
    /// By which rule; none if it was one of an earlier run.
    pub(super) rule: Option<usize>,
    /// The last word as far as that is known.
    holds: Said<V>,
    /// What was sent and has no answer, in its order: at most as many as the seat has credit for.
    sent: Vec<V>,
    /// What was not sent yet.
    waiting: Option<V>,
    /// It only says what it would do: what it says is taken for done, and never seen.
    dry: bool,
}

impl<V: Copy + PartialEq> Word<V> {
    pub(super) fn new(base: V, holds: Said<V>) -> Word<V> {
        let (sent, waiting) = (Vec::new(), None);
        Word { base, by_hand: false, rule: None, holds, sent, waiting, dry: false }
    }

    /// With what is wanted being so already by somebody else's word, or not.
    pub(super) fn given(self, by_hand: bool) -> Word<V> {
        Word { by_hand, ..self }
    }

    /// Takes in what is seen, and whether that is news of somebody else's.
    pub(super) fn look(&mut self, seen: Said<V>) -> bool {
        let on_its_way = seen.by_governor && self.sent.contains(&seen.what);
        if self.dry || on_its_way || seen == self.holds {
            return false;
        }
        (self.holds, self.base, self.by_hand) = (seen, seen.what, true);
        true
    }

    /// What has to be said for this to hold; nothing if it does, or will. What waits and is not needed
    /// for it waits no longer.
    pub(super) fn say(&mut self, to: V) -> Option<V> {
        let last = self.sent.last().copied().unwrap_or(self.holds.what);
        // Who has spoken while something was on its way may have spoken before that, or after it.
        let is_open = self.by_hand && !self.sent.is_empty();
        let before = self.waiting.take();
        if !is_open && to != last {
            self.waiting = Some(to);
        }
        self.waiting.filter(|_| self.waiting != before)
    }

    /// The same, if nobody else has said otherwise.
    pub(super) fn ask(&mut self, to: V) -> Option<V> {
        self.say(if self.by_hand { self.base } else { to })
    }

    /// The same for what others have said last.
    pub(super) fn take_back(&mut self) -> Option<V> {
        self.say(self.base)
    }

    /// Whether this is still to be said.
    pub(super) fn waits(&self, what: V) -> bool {
        self.waiting == Some(what)
    }

    /// What became of something that was said.
    pub(super) fn told(&mut self, what: V, became: What) {
        let by_governor = true;
        match became {
            What::Sent => self.sent.extend(self.waiting.take_if(|waiting| *waiting == what)),
            What::Dry => {
                self.waiting = None;
                (self.holds, self.dry) = (Said { what, by_governor }, true);
            }
            What::Done | What::Refused(_) | What::Superseded | What::Waits => {
                let Some(at) = self.sent.iter().position(|sent| *sent == what) else { return };
                self.sent.remove(at);
                match became {
                    What::Done => self.holds = Said { what, by_governor },
                    What::Waits => self.waiting = Some(what),
                    _ => (),
                }
            }
            What::Withdrawn => (),
        }
    }

    /// Whether there is nothing left to take back, and nothing on its way.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_none() && self.sent.is_empty() && self.holds.what == self.base
    }
}
