//! Which records take long every time? The same journal is decided twice; a gap that comes at the same sequence both times
//! is the logic's, all others are the machine's.

use crate::error::Error;
use betring::HouseRules;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than this is a gap.
pub const GAP: Duration = Duration::from_micros(10);
/// Gaps of the first time that are remembered: beyond, the whole is slow, and no single record.
const GAPS_MAX: usize = 1 << 20;

/// A record that took long both times, its reading included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Which.
    pub seq: u64,
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
/// [`Error::Wrong`] if both do not come to the same state, and those of a replay.
pub fn twice(dir: &Path) -> Result<Twice, Error> {
    let mut first = Vec::new();
    let mut gaps = [0, 0];
    let once = decide(dir, &mut |seq, took| {
        gaps[0] += 1;
        if first.len() < GAPS_MAX {
            first.push((seq, took));
        }
    })?;
    let mut repeated = Vec::new();
    let again = decide(dir, &mut |seq, took| {
        gaps[1] += 1;
        if let Ok(at) = first.binary_search_by_key(&seq, |(seq, _)| *seq) {
            repeated.push(Gap { seq, took: [first[at].1, took] });
        }
    })?;
    Error::unless(once == again, || {
        format!("the same journal gave state {} and then {}", once.digest, again.digest)
    })?;
    Ok(Twice { records: once.records, gaps, repeated })
}

fn decide(dir: &Path, gap: &mut dyn FnMut(u64, Duration)) -> Result<betring::Replayed, Error> {
    let mut last: Option<Instant> = None;
    let each = &mut |stamp: betring::Stamp, _: &[u8], _: &[u8], _: &betring::State<HouseRules>| {
        let now = Instant::now();
        if let Some(took) = last.map(|last| now.duration_since(last))
            && GAP < took
        {
            gap(stamp.seq.0, took);
        }
        last = Some(Instant::now());
    };
    Ok(betring::replay_with(HouseRules, dir, &mut |_| {}, each)?.0)
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
