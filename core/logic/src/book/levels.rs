//! One side of a selection: a level for every price of the ladder, and a bit for each that has orders.

/// No order.
pub(super) const NONE: u32 = u32::MAX;

/// The orders of one price, oldest first, and what they want together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) head: u32,
    pub(super) tail: u32,
    /// Minor units, the backers' stakes.
    pub(super) size: i64,
}

impl Level {
    const EMPTY: Level = Level { head: NONE, tail: NONE, size: 0 };
}

/// Levels by tick. Which of them have orders is in the bits of words, which words have any in those of a summary:
/// the best one is two steps away, also on a ladder of 99,900 prices.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    levels: Box<[Level]>,
    words: Box<[u64]>,
    summary: Box<[u64]>,
}

impl Levels {
    pub(super) fn new(len: u32) -> Levels {
        let words = (len as usize).div_ceil(64);
        Levels {
            levels: vec![Level::EMPTY; len as usize].into(),
            words: vec![0; words].into(),
            summary: vec![0; words.div_ceil(64)].into(),
        }
    }

    #[inline]
    pub(super) fn at(&self, tick: u32) -> &Level {
        &self.levels[tick as usize]
    }

    #[inline]
    pub(super) fn at_mut(&mut self, tick: u32) -> &mut Level {
        &mut self.levels[tick as usize]
    }

    /// There are orders at this price from here on.
    #[inline]
    pub(super) fn fill(&mut self, tick: u32) {
        let word = (tick / 64) as usize;
        self.words[word] |= 1 << (tick % 64);
        self.summary[word / 64] |= 1 << (word % 64);
    }

    /// There are none at this price any more.
    #[inline]
    pub(super) fn empty(&mut self, tick: u32) {
        let word = (tick / 64) as usize;
        self.words[word] &= !(1 << (tick % 64));
        if self.words[word] == 0 {
            self.summary[word / 64] &= !(1 << (word % 64));
        }
        self.levels[tick as usize] = Level::EMPTY;
    }

    /// The shortest price with orders.
    #[inline]
    pub(super) fn lowest(&self) -> Option<u32> {
        let (at, bits) = self.summary.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        let word = at * 64 + bits.trailing_zeros() as usize;
        Some(word as u32 * 64 + self.words[word].trailing_zeros())
    }

    /// The longest price with orders.
    #[inline]
    pub(super) fn highest(&self) -> Option<u32> {
        let (at, bits) = self.summary.iter().enumerate().rfind(|(_, bits)| **bits != 0)?;
        let word = at * 64 + 63 - bits.leading_zeros() as usize;
        Some(word as u32 * 64 + 63 - self.words[word].leading_zeros())
    }

    /// Every price with orders, from the shortest up.
    pub(super) fn filled(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(word, bits)| {
            let bits = *bits;
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word as u32 * 64 + bit)
        })
    }
}
