//! Room that is made when a run begins and never in the loop: grids by currency and place, and vectors
//! whose every page has been touched.

/// A grid of cells, by currency and then by place: one currency's of a market lie together.
#[derive(Clone)]
pub(crate) struct Grid<T> {
    cells: Vec<T>,
    width: usize,
}

impl<T: Copy> Grid<T> {
    pub(crate) fn new() -> Grid<T> {
        Grid { cells: Vec::new(), width: 0 }
    }

    /// Makes room, keeping what is there; every new cell holds `empty`.
    pub(crate) fn grow(&mut self, currencies: u32, width: u32, empty: T) {
        let width = width as usize;
        let mut cells = Vec::new();
        reserve_touched(&mut cells, width * currencies as usize, empty);
        cells.resize(width * currencies as usize, empty);
        if self.width != 0 {
            for (old, new) in self.cells.chunks(self.width).zip(cells.chunks_mut(width)) {
                new[..old.len()].copy_from_slice(old);
            }
        }
        *self = Grid { cells, width };
    }

    pub(crate) fn at(&self, book: u8, place: u32) -> &T {
        &self.cells[usize::from(book) * self.width + place as usize]
    }

    pub(crate) fn at_mut(&mut self, book: u8, place: u32) -> &mut T {
        &mut self.cells[usize::from(book) * self.width + place as usize]
    }

    pub(crate) fn range(&self, book: u8, first: u32, len: u16) -> &[T] {
        let at = usize::from(book) * self.width + first as usize;
        &self.cells[at..at + usize::from(len)]
    }
}

/// Gives a vector room for `capacity` and writes to all of it once, so that no page of it is touched
/// for the first time in the loop.
pub(crate) fn reserve_touched<T: Clone>(vec: &mut Vec<T>, capacity: usize, filler: T) {
    let len = vec.len();
    vec.reserve_exact(capacity - len);
    vec.resize(capacity, filler);
    vec.truncate(len);
}
