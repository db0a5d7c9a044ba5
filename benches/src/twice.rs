//! Which commands take long every time? The same journal is decided twice; a gap that comes at the same sequence both times
//! is the logic's, all others are the machine's. Reading the journal is not counted: an engine does not.

use crate::error::Error;
use betring::{Digest, HouseRules, Stamp, State, Timestamp};
use betring_core::command::Kind;
use betring_core::event::Events;
use betring_core::id::Seq;
use betring_core::wire::record_parts;
use betring_journal::{DirStore, ReadLevel, Reader};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than this is a gap.
pub const GAP: Duration = Duration::from_micros(10);
/// Gaps of the first time that are remembered: beyond, the whole is slow, and no single record.
const GAPS_MAX: usize = 1 << 20;

/// A command that took long both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Which.
    pub seq: u64,
    /// What it asks for.
    pub kind: &'static str,
    /// How long it took, first and then.
    pub took: [Duration; 2],
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Twice {
    /// Records that were decided, each time.
    pub records: u64,
    /// Gaps of each time.
    pub gaps: [u64; 2],
    /// Those that came at the same sequence, in order.
    pub repeated: Vec<Gap>,
}

/// Decides a journal twice, which no engine has open.
///
/// # Errors
/// [`Error::Wrong`] if both do not come to the same state or a record is not decided as it was, and those of reading.
pub fn twice(dir: &Path) -> Result<Twice, Error> {
    let mut first = Vec::new();
    let mut gaps = [0, 0];
    let once = decide(dir, &mut |seq, _, took| {
        gaps[0] += 1;
        if first.len() < GAPS_MAX {
            first.push((seq, took));
        }
    })?;
    let mut repeated = Vec::new();
    let again = decide(dir, &mut |seq, kind, took| {
        gaps[1] += 1;
        if let Ok(at) = first.binary_search_by_key(&seq, |(seq, _)| *seq) {
            repeated.push(Gap { seq, kind, took: [first[at].1, took] });
        }
    })?;
    Error::unless(once == again, || {
        format!("the same journal gave state {} and then {}", once.1, again.1)
    })?;
    Ok(Twice { records: once.0, gaps, repeated })
}

/// How many records there are, and what state they come to.
fn decide(
    dir: &Path,
    gap: &mut dyn FnMut(u64, &'static str, Duration),
) -> Result<(u64, Digest), Error> {
    let mut reader = Reader::open(DirStore::existing(dir)?, 1, ReadLevel::Complete)?;
    let (mut state, mut events) = (State::new(HouseRules), Events::new());
    let mut records = 0;
    while let Some(record) = reader.next()? {
        let stamp = Stamp { seq: Seq(record.meta.seq), at: Timestamp(record.meta.ts) };
        let (command, recorded) = record_parts(record.payload)
            .ok_or_else(|| Error::Wrong(format!("record {} is no command", stamp.seq)))?;
        let begun = Instant::now();
        let decided = state.replay(stamp, command, &mut events);
        let took = begun.elapsed();
        decided.map_err(|why| Error::Wrong(why.to_string()))?;
        Error::unless(events.as_bytes() == recorded, || {
            format!("record {} causes something else than it did", stamp.seq)
        })?;
        records += 1;
        if GAP < took {
            gap(stamp.seq.0, Kind::from_code(command[0]).map_or("?", Kind::name), took);
        }
    }
    Ok((records, state.digest()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::{Plan, run};
    use betring::Level;

    #[test]
    fn a_journal_is_decided_twice_and_only_gaps_of_both_times_are_repeated() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let book = dir.path().join("book");
        let length = Duration::from_millis(100);
        let small = Plan::new(Level::ProcessCrashOnly, 2_000, length);
        let run = run(&book, &Plan { accounts: 5, markets: 2, ..small }).expect("it holds");
        let twice = twice(&book).expect("the same state");
        assert!(run.answered < twice.records);
        assert!(twice.repeated.len() as u64 <= twice.gaps[0].min(twice.gaps[1]));
        assert!(twice.repeated.iter().all(|gap| gap.took.iter().all(|took| GAP < *took)));
        assert!(twice.repeated.is_sorted_by_key(|gap| gap.seq));
    }
}
