//! A journal's records, one after the other, with a bar that shows how far it has got.

use crate::error::CliError;
use crate::fold::Entry;
use betring_core::id::{Epoch, Seq};
use betring_core::time::Timestamp;
use betring_journal::{DirLock, DirStore, Error, ReadLevel, Reader, Store};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;

/// Records between two moves of the bar.
const BAR_EVERY: u64 = 4_096;

const BAR: &str = "{msg} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// Reads a journal in order. It takes no lock: a journal may be read while it is written.
pub(crate) struct Source {
    reader: Reader<DirStore>,
    bar: Bar,
    read: u64,
}

impl Source {
    /// Everything from `from` on, complete records of the open frame too: they survive the process.
    pub(crate) fn open(dir: &Path, from: u64, doing: &'static str) -> Result<Source, CliError> {
        let store = DirStore::existing(dir)?;
        let reader = Reader::open(store, from, ReadLevel::Complete)?;
        Ok(Source { reader, bar: Bar::over(dir, from, doing)?, read: 0 })
    }

    /// Goes on behind the damage that [`Source::next`] met; false if nothing is there.
    pub(crate) fn pass_damage(&mut self) -> Result<bool, CliError> {
        Ok(self.reader.pass_damage()?)
    }

    /// Gives every record to `take` until that has seen enough, those behind damage too.
    pub(crate) fn each(
        &mut self,
        take: &mut dyn FnMut(&Entry<'_>) -> bool,
    ) -> Result<(), CliError> {
        loop {
            match self.next() {
                Ok(Some((_, entry))) if take(&entry) => (),
                Ok(_) => return Ok(()),
                Err(_) => {
                    if !self.pass_damage()? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The next record with its run; none at the end of what there is.
    pub(crate) fn next(&mut self) -> Result<Option<(Epoch, Entry<'_>)>, CliError> {
        self.read += 1;
        let Some(record) = self.reader.next()? else { return Ok(None) };
        if self.read.is_multiple_of(BAR_EVERY) {
            self.bar.at(record.segment, record.offset);
        }
        let entry = Entry {
            seq: Seq(record.meta.seq),
            at: Timestamp(record.meta.ts),
            kind: record.meta.kind,
            payload: record.payload,
        };
        Ok(Some((Epoch(record.epoch), entry)))
    }
}

/// What a snapshot that is right in every byte proves to have been durable: the journal has to go as
/// far. Ask before the journal is read, for it may grow meanwhile.
pub(crate) struct Proved(Option<u64>);

impl Proved {
    /// By the newest snapshot of which that can be said.
    pub(crate) fn of(dir: &Path) -> Result<Proved, CliError> {
        let store = DirStore::existing(dir)?;
        let manifest = betring_journal::manifest(&store)?;
        let whole = |seq: &u64| betring_journal::verify_snapshot(&store, &manifest, *seq).is_ok();
        Ok(Proved(betring_journal::snapshots(&store)?.into_iter().find(whole)))
    }

    /// What is missing in a journal that ends here, in a sentence.
    pub(crate) fn missing(&self, last: Seq) -> Option<String> {
        let seq = self.0.filter(|seq| last.0 < *seq)?;
        Some(format!(
            "the journal ends with {last}, but a snapshot was made at #{seq}, which was durable then: \
             records are lost, and no engine opens this"
        ))
    }
}

/// A bar over the bytes of a journal; on a terminal only, and gone when dropped.
pub(crate) struct Bar {
    bar: ProgressBar,
    /// First sequence of each segment, and the bytes before it.
    segments: Vec<(u64, u64)>,
}

impl Bar {
    /// A bar over what lies from sequence `from` on.
    fn over(dir: &Path, from: u64, doing: &'static str) -> Result<Bar, CliError> {
        let mut found = segments(dir)?;
        let first = found.partition_point(|(seq, _)| *seq <= from).saturating_sub(1);
        found.drain(..first.min(found.len()));
        let mut total = 0;
        for (_, bytes) in &mut found {
            total += std::mem::replace(bytes, total);
        }
        Ok(Bar { bar: bar(total, doing), segments: found })
    }

    fn at(&self, segment: u64, offset: u64) {
        let index = self.segments.partition_point(|(seq, _)| *seq <= segment);
        // A segment that was made after the bar has no place in it.
        if let Some((_, before)) = index.checked_sub(1).and_then(|i| self.segments.get(i)) {
            self.bar.set_position(before + offset);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The lock of a journal that has to be at rest.
pub(crate) fn lock(store: &DirStore, dir: &Path) -> Result<DirLock, CliError> {
    store.lock().map_err(|e| match e.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked { place: store.place("LOCK") }.into(),
        _ => CliError::io("cannot lock the journal", dir, &e),
    })
}

/// A bar over so many bytes.
pub(crate) fn bar(total: u64, doing: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(doing);
    // A test reads the template; without it the bar would only be plainer.
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// First sequence and bytes of every segment, in order, those in the archive too.
pub(crate) fn segments(dir: &Path) -> Result<Vec<(u64, u64)>, CliError> {
    let mut found = segments_in(dir)?;
    let archive = dir.join("archive");
    if archive.is_dir() {
        found.extend(segments_in(&archive)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn segments_in(dir: &Path) -> Result<Vec<(u64, u64)>, CliError> {
    let wrong = |e| CliError::io("cannot read the journal's directory", dir, &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name();
        let first = name.to_str().and_then(|name| name.strip_prefix("seg-")?.strip_suffix(".jnl"));
        if let Some(first) = first.and_then(|digits| digits.parse::<u64>().ok()) {
            found.push((first, entry.metadata().map_err(wrong)?.len()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_s_template_is_one() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
