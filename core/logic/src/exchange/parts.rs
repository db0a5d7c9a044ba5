//! What was matched of an order, by price: a withdrawn runner cuts each price by itself, to 1.01 at least, so that who
//! backed at a price and who laid at it have the same afterwards. An order that was matched at one price only, as nearly
//! all are, has no parts.

use super::{Exchange, OrderRow};
use crate::bet::NONE;

/// What of an order was matched at one price.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Minor units of the backer's stake.
    pub(crate) stake: i64,
    /// What a winner returns of them, in ten-thousandths of a minor unit.
    pub(crate) returns_e4: i128,
    /// The order's next part, matched before it; in a free place the next free one.
    pub(crate) next: u32,
}

impl Part {
    pub(crate) const FILLER: Part = Part { stake: 0, returns_e4: 0, next: NONE };

    /// Whether nothing else was matched than at these odds.
    fn is_at(&self, odds_e4: u32) -> bool {
        self.returns_e4 == i128::from(self.stake) * i128::from(odds_e4)
    }

    fn add(&mut self, stake: i64, odds_e4: u32) {
        self.stake += stake;
        self.returns_e4 += i128::from(stake) * i128::from(odds_e4);
    }
}

/// Parts for so many orders: an order that goes through several prices fills others on its way.
pub(crate) const fn parts_of(orders: u32) -> usize {
    2 * orders as usize
}

impl Exchange {
    /// So much more of an order was matched. Where there is no room for another part, it has an average with the last.
    pub(crate) fn add_match(&mut self, at: u32, odds_e4: u32, stake: i64) {
        let OrderRow { matched, returns_e4, parts, .. } = self.rows[at as usize];
        let mut whole = Part { stake: matched, returns_e4, next: NONE };
        let one_price = parts == NONE && whole.is_at(odds_e4);
        let head = match parts {
            NONE if one_price => NONE,
            NONE => self.take_part(whole),
            head => head,
        };
        let head = match self.parts.get_mut(head as usize) {
            None => NONE,
            Some(part) if part.is_at(odds_e4) => {
                part.add(stake, odds_e4);
                head
            }
            Some(_) => {
                let mut part = Part { next: head, ..Part::FILLER };
                part.add(stake, odds_e4);
                match self.take_part(part) {
                    NONE => {
                        self.parts[head as usize].add(stake, odds_e4);
                        head
                    }
                    new => new,
                }
            }
        };
        whole.add(stake, odds_e4);
        let row = &mut self.rows[at as usize];
        (row.matched, row.returns_e4, row.parts) = (whole.stake, whole.returns_e4, head);
    }

    /// Every price at which an order was matched is cut by itself: what a stake and its returns become. How many there
    /// are.
    pub(crate) fn cut_parts(&mut self, at: u32, cut: impl Fn(i64, i128) -> i128) -> u32 {
        let row = &mut self.rows[at as usize];
        if row.parts == NONE {
            row.returns_e4 = cut(row.matched, row.returns_e4);
            return 1;
        }
        let (mut part, mut sum, mut count) = (row.parts, 0, 0);
        while let Some(one) = self.parts.get_mut(part as usize) {
            one.returns_e4 = cut(one.stake, one.returns_e4);
            sum += one.returns_e4;
            count += 1;
            part = one.next;
        }
        self.rows[at as usize].returns_e4 = sum;
        count
    }

    /// The parts of an order, the last one first.
    pub(crate) fn parts_of_order(&self, row: &OrderRow) -> impl Iterator<Item = Part> + '_ {
        let of = |at: u32| self.parts.get(at as usize).copied();
        std::iter::successors(of(row.parts), move |part| of(part.next))
    }

    /// An order leaves memory. How many parts it had.
    pub(crate) fn give_parts_back(&mut self, at: u32) -> u32 {
        let mut part = std::mem::replace(&mut self.rows[at as usize].parts, NONE);
        let mut count = 0;
        while let Some(one) = self.parts.get_mut(part as usize) {
            let next = std::mem::replace(&mut one.next, self.free_part);
            self.free_part = part;
            part = next;
            count += 1;
        }
        count
    }

    /// A place for a part; none if there is none.
    fn take_part(&mut self, part: Part) -> u32 {
        let at = self.free_part;
        if at != NONE {
            self.free_part = self.parts[at as usize].next;
            self.parts[at as usize] = part;
            return at;
        }
        if self.parts.len() == self.parts_max {
            return NONE;
        }
        self.parts.push(part);
        self.parts.len() as u32 - 1
    }

    /// Whether every part is an order's or free, once, and what an order has in parts is what was matched of it: of what was
    /// stored.
    pub(crate) fn has_sound_parts(&self) -> bool {
        let mut left = self.parts.len();
        let mut walk = |first: u32| {
            let (mut at, mut stake, mut returns) = (first, 0_i64, 0_i128);
            while at != NONE {
                let part = self.parts.get(at as usize).filter(|_| 0 < left)?;
                left -= 1;
                stake = stake.checked_add(part.stake)?;
                returns = returns.checked_add(part.returns_e4)?;
                at = part.next;
            }
            Some((stake, returns))
        };
        let with_parts = self.rows.iter().filter(|row| row.parts != NONE);
        let whole = |row: &OrderRow| (row.matched, row.returns_e4);
        let mut all = with_parts.map(|row| (row.parts, Some(whole(row))));
        all.all(|(first, whole)| walk(first) == whole)
            && walk(self.free_part).is_some()
            && left == 0
    }
}
