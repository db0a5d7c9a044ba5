//! Orders of all books, in places that were there from the start.

use super::levels::NONE;
use super::{OrderIndex, Side};

/// An order that rests, or did until this command.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Whose it is: the account's place.
    pub account: u32,
    /// Its price, a place on the market's ladder.
    pub tick: u32,
    /// What is not matched, in minor units of the backer's stake.
    pub remaining: i64,
    /// What was matched so far, in minor units of the backer's stake.
    pub matched: i64,
    /// The selection.
    pub selection: u16,
    /// Which way it bets.
    pub side: Side,
    /// Its number elsewhere; 2^32 - 1: none was given.
    pub number: u32,
    pub(super) live: bool,
    /// Towards the older ones of its price.
    pub(super) prev: u32,
    /// Towards the younger ones of its price; of a free place the next free one.
    pub(super) next: u32,
}

/// The orders. Places are taken and given back; none is ever made.
#[derive(Clone, Debug)]
pub struct Orders {
    places: Box<[Order]>,
    free: u32,
    live: u32,
}

impl Orders {
    /// Room for so many.
    ///
    /// # Panics
    /// If that is 2^32 - 1 or more: the last number says "none".
    pub fn with_capacity(capacity: u32) -> Orders {
        assert!(capacity < NONE, "the last number says that there is none");
        let place = |at: u32| Order {
            account: 0,
            tick: 0,
            remaining: 0,
            matched: 0,
            selection: 0,
            side: Side::Back,
            number: NONE,
            live: false,
            prev: NONE,
            next: if at + 1 < capacity { at + 1 } else { NONE },
        };
        let free = if capacity == 0 { NONE } else { 0 };
        Orders { places: (0..capacity).map(place).collect(), free, live: 0 }
    }

    /// Orders that rest.
    pub fn len(&self) -> u32 {
        self.live
    }

    /// Whether none rests.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether no more can rest.
    pub fn is_full(&self) -> bool {
        self.free == NONE
    }

    /// An order that rests.
    #[inline]
    pub fn get(&self, index: OrderIndex) -> Option<&Order> {
        self.places.get(index.0 as usize).filter(|order| order.live)
    }

    /// The number elsewhere of an order that rests, or did until this command.
    #[inline]
    pub fn number(&self, index: OrderIndex) -> u32 {
        self.at(index.0).number
    }

    /// Gives an order that rests its number elsewhere.
    #[inline]
    pub fn set_number(&mut self, index: OrderIndex, number: u32) {
        self.at_mut(index.0).number = number;
    }

    /// Room for more.
    pub(crate) fn grow(&mut self, capacity: u32) {
        let had = self.places.len() as u32;
        if capacity <= had {
            return;
        }
        let more = Orders::with_capacity(capacity);
        let mut places = more.places;
        places[..had as usize].copy_from_slice(&self.places);
        // The new places follow each other already; those that were free come first.
        let mut last = self.free;
        if last == NONE {
            self.free = had;
        } else {
            while places[last as usize].next != NONE {
                last = places[last as usize].next;
            }
            places[last as usize].next = had;
        }
        self.places = places;
    }

    #[inline]
    pub(super) fn at(&self, index: u32) -> &Order {
        &self.places[index as usize]
    }

    #[inline]
    pub(super) fn at_mut(&mut self, index: u32) -> &mut Order {
        &mut self.places[index as usize]
    }

    #[inline]
    pub(super) fn take(&mut self, order: Order) -> Option<u32> {
        let index = self.free;
        let place = self.places.get_mut(index as usize)?;
        self.free = place.next;
        *place = Order { live: true, ..order };
        self.live += 1;
        Some(index)
    }

    #[inline]
    pub(super) fn give_back(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        debug_assert!(place.live, "a place is given back once");
        place.live = false;
        place.next = self.free;
        self.free = index;
        self.live -= 1;
    }
}
