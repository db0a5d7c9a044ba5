//! Several recordings as one sequence, as if all of them had begun at the same moment.

use crate::error::LineError;
use crate::recording::Recording;
use crate::translate::{Timed, Translator, Update};

/// Nanoseconds in a millisecond.
const NS_PER_MS: u64 = 1_000_000;

/// An update of one of several recordings.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedUpdate {
    /// Nanoseconds since its recording began; never falls. It stays at `u64::MAX` once a recording
    /// is longer than 584 years.
    pub since_start_ns: u64,
    /// Which recording: its place in the list that was given. Market numbers are within it.
    pub source: usize,
    /// When the exchange published it, in milliseconds since 1970.
    pub publish_time_ms: i64,
    /// What happened.
    pub update: Update,
}

/// The updates of several recordings in the order of time since each one's beginning; at the same
/// moment, those of the recording given first come first. Every recording has its own heartbeats,
/// until it ends.
#[derive(Debug)]
pub struct Merged {
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    translator: Translator,
    /// The next of it; `None` once it has ended.
    next: Option<Result<Timed, LineError>>,
    start_ms: Option<i64>,
}

impl Merged {
    /// Merges `recordings`, each from where it stands.
    pub fn new(recordings: Vec<Recording>) -> Merged {
        let source = |recording| {
            let mut translator = Translator::new(recording);
            let next = translator.next();
            Source { translator, next, start_ms: None }
        };
        Merged { sources: recordings.into_iter().map(source).collect() }
    }

    /// The recordings, for their names and how far they are read.
    pub fn recordings(&self) -> impl Iterator<Item = &Recording> {
        self.sources.iter().map(|source| source.translator.recording())
    }
}

impl Source {
    /// When its next is due. An error has no time: it is told at once.
    fn due_ns(&mut self) -> Option<u64> {
        match self.next.as_ref()? {
            Ok(timed) => {
                let start_ms = *self.start_ms.get_or_insert(timed.publish_time_ms);
                // A translator's time never falls, so it is never before the start.
                let since_ms = timed.publish_time_ms.saturating_sub(start_ms).unsigned_abs();
                Some(since_ms.saturating_mul(NS_PER_MS))
            }
            Err(_) => Some(0),
        }
    }
}

impl Iterator for Merged {
    type Item = Result<MergedUpdate, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let due = |(index, source): (usize, &mut Source)| Some((source.due_ns()?, index));
        let (since_start_ns, index) = self.sources.iter_mut().enumerate().filter_map(due).min()?;
        let source = &mut self.sources[index];
        let next = std::mem::replace(&mut source.next, source.translator.next())?;
        Some(next.map(|timed| MergedUpdate {
            since_start_ns,
            source: index,
            publish_time_ms: timed.publish_time_ms,
            update: timed.update,
        }))
    }
}
