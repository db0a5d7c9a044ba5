//! A journal decided again by the logic that wrote it, every event compared byte for byte.

use crate::describe::event_words;
use crate::fold::Entry;
use betring_core::command::{Command, EpochOpened, decode};
use betring_core::event::{EventReader, Events};
use betring_core::id::{Epoch, Seq};
use betring_core::{HouseRules, LOGIC_VERSION, Rules, Stamp, State};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Differences kept word by word; the others are counted.
const FIRST_MAX: usize = 20;

/// What the last run of a journal was decided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastRun {
    pub(crate) epoch: Epoch,
    pub(crate) logic_version: u32,
    pub(crate) rules_id: u64,
    pub(crate) rules_version: u32,
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub(crate) records: u64,
    pub(crate) last_seq: Seq,
    pub(crate) last_run: LastRun,
    pub(crate) differences: u64,
    pub(crate) first: Vec<(Seq, String)>,
    pub(crate) state_digest: String,
    pub(crate) money_digest: String,
}

impl Replayed {
    /// Whether every record was decided again as it is written.
    pub(crate) fn is_same(&self) -> bool {
        self.differences == 0
    }
}

/// A State that is given a journal's commands again.
pub(crate) struct Replay {
    state: State<HouseRules>,
    events: Events,
    ended: Replayed,
    /// Once the state and the journal have parted, nothing after it can be compared.
    stopped: bool,
}

impl Replay {
    pub(crate) fn new() -> Replay {
        let ended = Replayed {
            records: 0,
            last_seq: Seq(0),
            last_run: LastRun::default(),
            differences: 0,
            first: Vec::new(),
            state_digest: String::new(),
            money_digest: String::new(),
        };
        Replay { state: State::new(HouseRules), events: Events::new(), ended, stopped: false }
    }

    /// Decides the next record's command, and compares.
    pub(crate) fn take(&mut self, entry: &Entry<'_>) {
        if self.stopped {
            return;
        }
        let Some((command, events)) = entry.parts() else {
            return self.stop(entry.seq, "the record is shorter than its command".into());
        };
        if let Ok((_, Command::EpochOpened(run))) = decode(command)
            && let Err(what) = self.begin(&run)
        {
            return self.stop(entry.seq, what);
        }
        let stamp = Stamp { seq: entry.seq, at: entry.at };
        // An altered journal may lead where no journal of ours can: the logic's own assertions then
        // say so, and that is a finding, not the end of this program.
        let decided = quietly(|| {
            let replayed = self.state.replay(stamp, command, &mut self.events);
            replayed.map(|_| ()).map_err(|error| error.to_string())
        });
        match decided {
            Ok(()) => {
                self.ended.records += 1;
                self.ended.last_seq = entry.seq;
                if self.events.as_bytes() != events {
                    let what = difference(events, self.events.as_bytes());
                    self.differs(entry.seq, what);
                }
            }
            Err(what) => self.stop(entry.seq, what),
        }
    }

    /// After the last record: the state is whole.
    pub(crate) fn finish(mut self) -> Replayed {
        if !self.stopped
            && let Err(what) = quietly(|| self.state.check())
        {
            let seq = self.ended.last_seq;
            self.differs(seq, format!("the state is not whole: {what}"));
        }
        self.ended.state_digest = self.state.digest().to_string();
        self.ended.money_digest = self.state.money_digest().to_string();
        self.ended
    }

    fn begin(&mut self, run: &EpochOpened) -> Result<(), String> {
        let EpochOpened { epoch, logic_version, rules_id, rules_version, .. } = *run;
        self.ended.last_run = LastRun { epoch, logic_version, rules_id, rules_version };
        let ours = (LOGIC_VERSION, HouseRules::ID, HouseRules::VERSION);
        if (logic_version, rules_id, rules_version) == ours {
            return Ok(());
        }
        Err(format!(
            "run {epoch} was decided by logic {logic_version} and rules {rules_id} v{rules_version}, \
             this program has logic {} and rules {} v{}: replay it with the program that wrote it",
            ours.0, ours.1, ours.2
        ))
    }

    fn differs(&mut self, seq: Seq, what: String) {
        self.ended.differences += 1;
        if self.ended.first.len() < FIRST_MAX {
            self.ended.first.push((seq, what));
        }
    }

    fn stop(&mut self, seq: Seq, what: String) {
        self.stopped = true;
        self.differs(seq, format!("{what}; nothing after it could be replayed"));
    }
}

thread_local! {
    /// Whether an assertion on this thread is a finding, and not to be printed as a crash.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may assert, and says what it asserted.
fn quietly<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                before(panic);
            }
        }));
    });
    QUIET.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("a rule of the logic is broken: {}", text.unwrap_or("it does not say which")))
    })
}

/// The first event that is not the same.
fn difference(recorded: &[u8], decided: &[u8]) -> String {
    let (mut recorded, mut decided) = (EventReader::new(recorded), EventReader::new(decided));
    loop {
        let (a, b) = (recorded.next(), decided.next());
        let (Some(Ok(_)) | None, Some(Ok(_)) | None) = (&a, &b) else {
            return "the recorded events cannot be read".into();
        };
        if a == b && a.is_some() {
            continue;
        }
        let words = |event: &Option<Result<_, _>>| match event {
            Some(Ok(event)) => event_words(event),
            _ => "nothing".into(),
        };
        return match (a, b) {
            // Only bytes that no field reads differ.
            (None, None) => "the recorded events differ in unused bytes".into(),
            (a, b) => format!("recorded is `{}`, decided again it is `{}`", words(&a), words(&b)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_of_the_logic_is_a_finding() {
        let found: Result<(), String> = quietly(|| panic!("a bet is settled once"));
        assert_eq!(found, Err("a rule of the logic is broken: a bet is settled once".into()));
        let number = 7;
        let found: Result<(), String> = quietly(|| panic!("{number} bets are left"));
        assert_eq!(found, Err("a rule of the logic is broken: 7 bets are left".into()));
        assert_eq!(quietly(|| Ok(1)), Ok(1));
    }
}
