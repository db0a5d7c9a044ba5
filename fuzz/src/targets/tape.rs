//! Bytes as a tape of decisions: what is not on it any more is nought.

use arbitrary::Unstructured;

/// Reads an input from its front, so that a change of one byte changes one decision.
pub(crate) struct Tape<'a>(Unstructured<'a>);

impl<'a> Tape<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Tape<'a> {
        Tape(Unstructured::new(bytes))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or(0)
    }

    pub(crate) fn u16(&mut self) -> u16 {
        self.0.arbitrary().unwrap_or(0)
    }

    pub(crate) fn u64(&mut self) -> u64 {
        self.0.arbitrary().unwrap_or(0)
    }

    pub(crate) fn i64(&mut self) -> i64 {
        self.0.arbitrary().unwrap_or(0)
    }

    /// Up to so many bytes; fewer when the tape ends.
    pub(crate) fn bytes(&mut self, max: usize) -> &'a [u8] {
        let len = max.min(self.0.len());
        self.0.bytes(len).unwrap_or(&[])
    }

    /// One of a list by a byte of the tape; the last byte value asks for eight bytes more: anything.
    pub(crate) fn of(&mut self, byte: u8, list: &[i64]) -> i64 {
        if byte == ANYTHING { self.i64() } else { list[usize::from(byte) % list.len()] }
    }
}

/// The byte that asks for a number which is on no list.
pub(crate) const ANYTHING: u8 = 255;
