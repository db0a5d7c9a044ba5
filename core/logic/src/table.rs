//! The one hash table: fixed capacity, linear probing, deletion by shifting back, never iterated.
//!
//! It maps a hash to an index into a dense array which holds the real key; the caller compares.
//! It never grows in the loop: capacities change only when a run begins, and then it is built anew.

#[derive(Clone, Copy, Default)]
struct Place {
    hash: u32,
    /// Index + 1; 0 is empty.
    index: u32,
}

/// Hash to dense index.
#[derive(Clone, Default)]
pub(crate) struct Table {
    places: Vec<Place>,
    mask: usize,
    len: usize,
}

impl Table {
    /// Room for `capacity` entries at half load.
    pub(crate) fn with_capacity(capacity: u32) -> Table {
        let places = (capacity as usize * 2).next_power_of_two().max(8);
        Table { places: vec![Place::default(); places], mask: places - 1, len: 0 }
    }

    /// The index with this hash for which `is` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        if self.places.is_empty() {
            return None;
        }
        let hash = hash as u32;
        let mut at = hash as usize & self.mask;
        loop {
            let place = self.places[at];
            if place.index == 0 {
                return None;
            }
            if place.hash == hash && is(place.index - 1) {
                return Some(place.index - 1);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Adds an index that is not there.
    ///
    /// # Panics
    /// Past half load: every caller checks its own capacity first.
    pub(crate) fn insert(&mut self, hash: u64, index: u32) {
        assert!(self.len * 2 < self.places.len(), "a table is never filled past its capacity");
        let hash = hash as u32;
        let mut at = hash as usize & self.mask;
        while self.places[at].index != 0 {
            at = (at + 1) & self.mask;
        }
        self.places[at] = Place { hash, index: index + 1 };
        self.len += 1;
    }

    /// Removes an index that is there.
    ///
    /// # Panics
    /// If it is not: the dense array and the table went apart.
    pub(crate) fn remove(&mut self, hash: u64, index: u32) {
        let mut hole = hash as usize & self.mask;
        while self.places[hole].index != index + 1 {
            assert!(self.places[hole].index != 0, "what is removed from a table was in it");
            hole = (hole + 1) & self.mask;
        }
        // Whatever follows without a gap moves back, unless that would put it before its home.
        let mut next = hole;
        loop {
            next = (next + 1) & self.mask;
            let place = self.places[next];
            if place.index == 0 {
                break;
            }
            let home = place.hash as usize & self.mask;
            if (next.wrapping_sub(home) & self.mask) >= (next.wrapping_sub(hole) & self.mask) {
                self.places[hole] = place;
                hole = next;
            }
        }
        self.places[hole] = Place::default();
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Against a plain map, with hashes that collide on purpose.
        #[test]
        fn a_table_finds_what_a_plain_map_finds(
            steps in prop::collection::vec((any::<bool>(), 0u32..64), 1..400),
            spread in 1u64..9,
        ) {
            let hash = |index: u32| u64::from(index) % spread + (1 << 32);
            let mut table = Table::with_capacity(64);
            let mut plain = BTreeMap::new();
            for (add, index) in steps {
                match (add, plain.contains_key(&index)) {
                    (true, false) => {
                        table.insert(hash(index), index);
                        plain.insert(index, ());
                    }
                    (false, true) => {
                        table.remove(hash(index), index);
                        plain.remove(&index);
                    }
                    _ => (),
                }
                for i in 0..64 {
                    let found = table.find(hash(i), |found| found == i);
                    prop_assert_eq!(found, plain.get(&i).map(|()| i));
                }
            }
        }
    }
}
