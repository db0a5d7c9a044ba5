//! How much the journal writes and syncs in a second, against a bare group commit of equal bytes: one write of as many
//! bytes to prepared pages, and a sync of them.

use crate::error::Error;
use crate::recorder::{Quantiles, Recorder};
use crate::written::Written;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// The file of the bare commits: it is written round and round.
pub const BARE_BYTES: u64 = 64 << 20;
/// A page: frames fill them.
const PAGE: u64 = 4_096;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of a record; a bet with its answer and its transfer has about 480.
    pub record_bytes: usize,
    /// Records of a sync.
    pub records: u64,
    /// For so long, and the bare commits once more.
    pub duration: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Records written.
    pub records: u64,
    /// How long they took, syncs included.
    pub took: Duration,
    /// Of one sync, the writing before it included.
    pub commit: Quantiles,
    /// Bytes that one bare commit writes: those of a full frame, in whole pages.
    pub bare_bytes: u64,
    /// Bare commits a second.
    pub bare_per_s: f64,
    /// Of one bare commit.
    pub bare: Quantiles,
    /// Records that were read back, each with its own bytes.
    pub read_back: u64,
}

impl Run {
    /// Records that are durable after a second.
    pub fn records_per_s(&self) -> f64 {
        self.records as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The journal's commits a second by the bare ones: 1 is as many.
    pub fn by_bare(&self, plan: &Plan) -> f64 {
        self.records_per_s() / plan.records as f64 / self.bare_per_s.max(f64::MIN_POSITIVE)
    }
}

/// Measures once, in a directory that is made and left behind: journal and bare commits in turns, so that both have the
/// same neighbours.
///
/// # Errors
/// [`Error::Wrong`] if what was written is not read back, and those of files.
pub fn run(dir: &Path, plan: &Plan) -> Result<Run, Error> {
    let payload: Vec<u8> = (0..plan.record_bytes).map(|i| i as u8).collect();
    let book = dir.join("journal");
    let mut journal = Written::open(&book)?;
    let framed = betring_journal::record_bytes(plan.record_bytes) * plan.records;
    Error::unless(framed <= BARE_BYTES, || {
        format!("a commit of {framed} bytes is more than the {BARE_BYTES} that it is compared with")
    })?;
    let bare_bytes = framed.div_ceil(PAGE) * PAGE;
    let path = dir.join("bare");
    let wrong = |source| Error::File { what: "cannot write", path: path.clone(), source };
    let file = prepared(&path).map_err(wrong)?;
    let bytes = vec![7; usize::try_from(bare_bytes).unwrap_or(0)];
    let (mut commits, mut bare) = (Recorder::new(), Recorder::new());
    let (mut took, mut records, mut bare_took, mut at) = (Duration::ZERO, 0, Duration::ZERO, 0);
    while took < plan.duration {
        let start = Instant::now();
        for _ in 0..plan.records {
            // Near the end of a segment a frame is smaller.
            if !journal.has_room(plan.record_bytes) {
                journal.sync()?;
            }
            journal.append(&payload)?;
        }
        journal.sync()?;
        let commit = start.elapsed();
        took += commit;
        records += plan.records;
        commits.record(nanos(commit));
        let start = Instant::now();
        file.write_all_at(&bytes, at).and_then(|()| file.sync_data()).map_err(wrong)?;
        let commit = start.elapsed();
        bare_took += commit;
        bare.record(nanos(commit));
        at += bare_bytes;
        if BARE_BYTES < at + bare_bytes {
            at = 0;
        }
    }
    let read_back = journal.read_back(&book, &payload)?;
    Error::unless(read_back == records, || {
        format!("{read_back} of {records} records were read back as they were written")
    })?;
    Ok(Run {
        records,
        took,
        commit: commits.quantiles(),
        bare_bytes,
        bare_per_s: bare.count() as f64 / bare_took.as_secs_f64().max(f64::MIN_POSITIVE),
        bare: bare.quantiles(),
        read_back,
    })
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// A file whose pages hold data already, as those of a prepared segment do.
fn prepared(path: &Path) -> std::io::Result<File> {
    let file = File::options().write(true).create_new(true).open(path)?;
    let some = vec![0; 1 << 20];
    for at in (0..BARE_BYTES).step_by(some.len()) {
        file.write_all_at(&some, at)?;
    }
    file.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_read_back_and_a_frame_has_the_bytes_of_a_bare_commit() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let plan = Plan { record_bytes: 480, records: 20, duration: Duration::from_millis(50) };
        let run = run(dir.path(), &plan).expect("it holds");
        assert!(0 < run.records && run.records.is_multiple_of(20));
        assert_eq!(run.read_back, run.records);
        assert_eq!(run.commit.count * 20, run.records);
        assert_eq!((run.bare.count, run.bare_bytes % PAGE), (run.commit.count, 0));
        assert!(480 * 20 <= run.bare_bytes && 0.0 < run.by_bare(&plan));
    }
}
