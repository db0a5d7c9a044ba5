//! From a directory to a state that may serve: what was kept, what was cut, and what every record says again.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use betring_core::answer::{Answer, AnswerKind};
use betring_core::command::{Command, Kind, decode};
use betring_core::event::Events;
use betring_core::id::{Epoch, RequestKey, Seq};
use betring_core::time::Timestamp;
use betring_core::wire::record_parts;
use betring_core::{Digest, HouseRules, LOGIC_VERSION, Rules, Stamp, State};
use betring_journal::{DirStore, ReadLevel, Reader, Record};

use crate::decide::message;
use crate::error::Error;

/// What opening is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Every byte of the journal is checked.
    Checking,
    /// Every command is decided again, and compared.
    Replaying,
}

/// How far opening, or a replay, has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is at.
    pub stage: Stage,
    /// Records so far.
    pub records: u64,
    /// Bytes checked; 0 while replaying.
    pub bytes: u64,
    /// Bytes to be checked; 0 while replaying.
    pub total_bytes: u64,
    /// The last sequence replayed; 0 while checking.
    pub seq: Seq,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage {
            Stage::Checking => {
                write!(f, "checked {} of {} bytes", self.bytes, self.total_bytes)
            }
            Stage::Replaying => write!(f, "replayed {} records, at {}", self.records, self.seq),
        }
    }
}

/// What was cut from the end of a journal: it never finished being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// First sequence of the segment.
    pub segment: Seq,
    /// Where in it, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// What an engine found when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Whether the journal was made.
    pub created: bool,
    /// The last sequence that was kept; 0 in a new journal.
    pub kept_seq: Seq,
    /// What was cut from its end, if anything.
    pub cut: Option<Cut>,
    /// The snapshot that it went on from; none if every record was decided again.
    pub snapshot: Option<Seq>,
    /// Snapshots that could not be used, and why.
    pub passed_over: Vec<String>,
    /// How many records were decided again, each with the same events.
    pub replayed: u64,
    /// How long all of it took.
    pub took: Duration,
    /// The digest of the state as it was replayed, before this run began.
    pub digest: Digest,
    /// The digest of its money.
    pub money_digest: Digest,
    /// The run that began.
    pub epoch: Epoch,
    /// Requests that this start set aside, because they had stopped an earlier run.
    pub quarantined: Vec<(u64, RequestKey)>,
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.created {
            return write!(f, "a new journal, epoch {}", self.epoch);
        }
        write!(f, "kept everything up to {}, {} records replayed", self.kept_seq, self.replayed)?;
        if let Some(seq) = self.snapshot {
            write!(f, " after the snapshot at {seq}")?;
        }
        let took = self.took.as_secs_f64();
        write!(f, ", opened in {took:.3} s, state {}, epoch {}", self.digest, self.epoch)?;
        for why in &self.passed_over {
            write!(f, "; {why}")?;
        }
        if let Some(cut) = self.cut {
            write!(
                f,
                "; cut {} bytes that never finished being written, at offset {} of segment {}",
                cut.bytes, cut.offset, cut.segment
            )?;
        }
        for (account, key) in &self.quarantined {
            let account = betring_core::id::AccountId::from_raw(*account);
            write!(f, "; {account}:{key} had stopped the engine and is in quarantine")?;
        }
        Ok(())
    }
}

/// The command and the events of a record's payload.
///
/// # Errors
/// [`Error::NotReproduced`] if it is not a record of ours.
pub(crate) fn parts(seq: Seq, payload: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    record_parts(payload)
        .ok_or_else(|| Error::NotReproduced { seq, what: "it holds no command".into() })
}

/// Decides a journal again, record by record.
pub(crate) struct Replayer<R: Rules> {
    pub(crate) state: State<R>,
    pub(crate) records: u64,
    pub(crate) epochs: u32,
    /// Of the last record.
    pub(crate) answer: Answer,
    /// The version of the logic that decided the run in which it stands.
    logic: u32,
    /// The rules under which it was decided, and their version.
    rules: (u64, u32),
    events: Events,
}

impl<R: Rules> Replayer<R> {
    pub(crate) fn new(rules: R) -> Replayer<R> {
        Replayer::of(State::new(rules), LOGIC_VERSION, (R::ID, R::VERSION))
    }

    /// One that goes on from a state which this version of the logic has come to, under these rules.
    pub(crate) fn of(state: State<R>, logic: u32, rules: (u64, u32)) -> Replayer<R> {
        let answer = Answer::of(AnswerKind::Done, state.seq());
        Replayer { state, records: 0, epochs: 0, answer, logic, rules, events: Events::new() }
    }

    /// Decides one record again, and compares what it causes with what was recorded. The stamp, the
    /// command and its events.
    pub(crate) fn apply<'a>(
        &mut self,
        record: &Record<'a>,
    ) -> Result<(Stamp, &'a [u8], &'a [u8]), Error> {
        let seq = Seq(record.meta.seq);
        let stamp = Stamp { seq, at: Timestamp(record.meta.ts) };
        let (command, recorded) = parts(seq, record.payload)?;
        if record.meta.kind != u16::from(command[0]) {
            let what = "its kind is not that of its command".into();
            return Err(Error::NotReproduced { seq, what });
        }
        if command[0] == Kind::EpochOpened as u8 {
            check_versions::<R>(seq, command)?;
            self.epochs += 1;
            (self.logic, self.rules) = (LOGIC_VERSION, (R::ID, R::VERSION));
        } else if self.rules != (R::ID, R::VERSION) {
            let (epoch, found, expected) = (self.state.epoch(), self.rules, (R::ID, R::VERSION));
            return Err(Error::OtherRules { epoch, found, expected });
        } else if self.logic != LOGIC_VERSION {
            // The rest of the run in which a snapshot was made by another version.
            let (epoch, found) = (self.state.epoch(), self.logic);
            return Err(Error::OtherLogic { epoch, found, expected: LOGIC_VERSION });
        }
        let (state, events) = (&mut self.state, &mut self.events);
        let decided = catch_unwind(AssertUnwindSafe(|| state.replay(stamp, command, events)));
        match decided {
            Ok(Ok(reply)) => self.answer = reply.answer,
            Ok(Err(e)) => return Err(Error::NotReproduced { seq, what: e.to_string() }),
            Err(panic) => {
                let kind = Kind::from_code(command[0]).map_or("record", Kind::name);
                let kind = format!("{kind} ({})", message(&*panic));
                return Err(Error::ReplayPanicked { seq, kind });
            }
        }
        if self.events.as_bytes() != recorded {
            return Err(Error::NotReproduced { seq, what: difference(&self.events, recorded) });
        }
        self.records += 1;
        Ok((stamp, command, recorded))
    }
}

fn check_versions<R: Rules>(seq: Seq, command: &[u8]) -> Result<(), Error> {
    let Ok((_, Command::EpochOpened(body))) = decode(command) else {
        let what = "its EpochOpened cannot be read".into();
        return Err(Error::NotReproduced { seq, what });
    };
    if body.logic_version != LOGIC_VERSION {
        return Err(Error::OtherLogic {
            epoch: body.epoch,
            found: body.logic_version,
            expected: LOGIC_VERSION,
        });
    }
    let (found, expected) = ((body.rules_id, body.rules_version), (R::ID, R::VERSION));
    if found != expected {
        return Err(Error::OtherRules { epoch: body.epoch, found, expected });
    }
    Ok(())
}

/// Which event is the first that differs.
fn difference(decided: &Events, recorded: &[u8]) -> String {
    let recorded = betring_core::event::EventReader::new(recorded);
    let mut both = decided.iter().zip(recorded.clone()).enumerate();
    if let Some((at, (now, then))) = both.find(|(_, (now, then))| now != then) {
        let now = now.map_or("no event", |e| e.name());
        let then = then.map_or("no event", |e| e.name());
        return format!("event {at} was recorded as {then} and is now {now} or has other fields");
    }
    format!("{} events were recorded, and now there are {}", recorded.count(), decided.count())
}

/// What a replay of a whole journal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The last sequence.
    pub last_seq: Seq,
    /// How many records, each with the same events as recorded.
    pub records: u64,
    /// How many runs.
    pub epochs: u32,
    /// The digest of the whole state.
    pub digest: Digest,
    /// The digest of balances and bets.
    pub money_digest: Digest,
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records in {} epochs, up to {}: state {}, money {}",
            self.records, self.epochs, self.last_seq, self.digest, self.money_digest
        )
    }
}

/// Records between two reports of progress.
pub(crate) const REPORT_EVERY: u64 = 1 << 16;

/// Replays a journal that no engine needs to have open, under the house's rules.
///
/// # Errors
/// Those of reading the journal, [`Error::NotReproduced`], [`Error::ReplayPanicked`],
/// [`Error::OtherLogic`], [`Error::OtherRules`].
pub fn replay(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Replayed, Error> {
    replay_with(HouseRules, path, progress, &mut |_, _, _, _| {}).map(|(replayed, _)| replayed)
}

/// The same under other rules. `each` sees every record after it was applied: its stamp, command and
/// events, and the state. The state at the end comes with the result.
///
/// # Errors
/// Those of [`replay`].
#[allow(clippy::type_complexity)] // a callback with a name would have to be looked up
pub fn replay_with<R: Rules>(
    rules: R,
    path: &Path,
    progress: &mut dyn FnMut(Progress),
    each: &mut dyn FnMut(Stamp, &[u8], &[u8], &State<R>),
) -> Result<(Replayed, State<R>), Error> {
    let mut reader = Reader::open(DirStore::existing(path)?, 1, ReadLevel::Complete)?;
    let mut replayer = Replayer::new(rules);
    while let Some(record) = reader.next()? {
        let (stamp, command, events) = replayer.apply(&record)?;
        each(stamp, command, events, &replayer.state);
        if replayer.records.is_multiple_of(REPORT_EVERY) {
            progress(Progress {
                stage: Stage::Replaying,
                records: replayer.records,
                bytes: 0,
                total_bytes: 0,
                seq: stamp.seq,
            });
        }
    }
    let replayed = Replayed {
        last_seq: replayer.state.seq(),
        records: replayer.records,
        epochs: replayer.epochs,
        digest: replayer.state.digest(),
        money_digest: replayer.state.money_digest(),
    };
    Ok((replayed, replayer.state))
}
