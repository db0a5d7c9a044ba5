//! How far the journal is: a sequence that one thread stores and others watch.

use std::sync::atomic::{AtomicU64, Ordering};

/// A sequence on a cache line of its own (128 bytes: the prefetcher fetches pairs of 64).
///
/// Whoever has loaded a sequence sees everything the journal's thread did before it stored it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Cursor(AtomicU64);

impl Cursor {
    /// A cursor that stands at this sequence.
    pub fn new(seq: u64) -> Cursor {
        Cursor(AtomicU64::new(seq))
    }

    /// The sequence it stands at; 0 before the first record.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Moves it forward. Only the journal's thread does this.
    #[inline]
    pub(crate) fn advance(&self, seq: u64) {
        debug_assert!(self.0.load(Ordering::Relaxed) <= seq, "a cursor never goes back");
        self.0.store(seq, Ordering::Release);
    }
}
