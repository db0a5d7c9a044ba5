//! What was matched of an order, by price: a withdrawn runner cuts each price by itself, to 1.01 at least, so that who
//! backed at a price and who laid at it have the same afterwards. An order that was matched at one price only, as nearly
//! all are, has no parts.
//!
//! In a line market: what of an order was matched at better lines than its own, by line. What is in none of its parts
//! was matched at its own.

use super::{Exchange, OrderRow};
use crate::bet::NONE;
use crate::book::EVEN_E4;

/// What of an order was matched at one price.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Minor units of the backer's stake.
    pub(crate) stake: i64,
    /// What a winner returns of them, in ten-thousandths of a minor unit.
    pub(crate) returns_e4: i128,
    /// Where: the order's selection, or a line.
    pub(crate) selection: u16,
    /// The order's next part, matched before it; in a free place the next free one.
    pub(crate) next: u32,
}

impl Part {
    pub(crate) const FILLER: Part = Part { stake: 0, returns_e4: 0, selection: 0, next: NONE };

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
        let OrderRow { matched, returns_e4, parts, selection, .. } = self.rows[at as usize];
        let mut whole = Part { stake: matched, returns_e4, selection, next: NONE };
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
                let mut part = Part { next: head, selection, ..Part::FILLER };
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

    /// So much more of an order was matched at a line. There is room for a part.
    pub(crate) fn add_line(&mut self, at: u32, line: u16, stake: i64) {
        let OrderRow { selection, parts, .. } = self.rows[at as usize];
        if line != selection {
            let last = self.parts.get_mut(parts as usize).filter(|part| part.selection == line);
            if let Some(part) = last {
                part.add(stake, EVEN_E4);
            } else {
                let mut part = Part { selection: line, next: parts, ..Part::FILLER };
                part.add(stake, EVEN_E4);
                let new = self.take_part(part);
                assert!(new != NONE, "an order goes no further than there is room for its parts");
                self.rows[at as usize].parts = new;
            }
        }
        let row = &mut self.rows[at as usize];
        row.matched += stake;
        row.returns_e4 += i128::from(stake) * i128::from(EVEN_E4);
    }

    /// How many parts there is room for.
    pub(crate) fn parts_left(&self) -> usize {
        self.parts_max - self.live_parts
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
    pub(crate) fn parts_of_order(&self, row: &OrderRow) -> impl Iterator<Item = Part> + Clone + '_ {
        parts_of_order(&self.parts, row)
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
        self.live_parts -= count as usize;
        count
    }

    /// A place for a part; none if there is none.
    fn take_part(&mut self, part: Part) -> u32 {
        let at = self.free_part;
        if at != NONE {
            self.free_part = self.parts[at as usize].next;
            self.parts[at as usize] = part;
            self.live_parts += 1;
            return at;
        }
        if self.parts.len() == self.parts_max {
            return NONE;
        }
        self.parts.push(part);
        self.live_parts += 1;
        self.parts.len() as u32 - 1
    }

    /// Counts the parts of what was stored; none if one is not an order's or free, once, or if an order has more in parts
    /// than was matched of it.
    pub(crate) fn count_parts(&self) -> Option<usize> {
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
        for row in self.rows.iter().filter(|row| row.parts != NONE) {
            let (stake, returns) = walk(row.parts)?;
            (stake <= row.matched && returns <= row.returns_e4).then_some(())?;
        }
        walk(self.free_part)?;
        (left == 0).then(|| self.parts.len() - self.free_parts())
    }

    fn free_parts(&self) -> usize {
        let of = |at: u32| self.parts.get(at as usize);
        std::iter::successors(of(self.free_part), |part| of(part.next)).count()
    }
}

/// The parts of an order, the last one first.
fn parts_of_order<'a>(
    parts: &'a [Part],
    row: &OrderRow,
) -> impl Iterator<Item = Part> + Clone + 'a {
    let of = |at: u32| parts.get(at as usize).copied();
    std::iter::successors(of(row.parts), move |part| of(part.next))
}

/// What was matched of an order, by selection: stakes, and what a winner returns of them. But for lines that is its own.
pub(crate) fn matched_of<'a>(
    parts: &'a [Part],
    row: &OrderRow,
) -> impl Iterator<Item = (u16, i64, i128)> + 'a {
    let parts = parts_of_order(parts, row);
    let (stake, returns) =
        parts.clone().fold((0, 0), |sum, part| (sum.0 + part.stake, sum.1 + part.returns_e4));
    let own = (row.selection, row.matched - stake, row.returns_e4 - returns);
    parts.map(|part| (part.selection, part.stake, part.returns_e4)).chain([own])
}
