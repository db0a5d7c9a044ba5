//! A fixed stream of orders, 53 % that rest, 35 % that are cancelled, 12 % that meet others, and the book alone that plays it.

use betring_core::book::{
    Book, End, Improvement, Log, OrderIndex, Orders, Prices, SelfMatch, Side, Taker,
};
use betring_pricing::{Ladder, Tick};

/// The middle of the ladder, where backs and lays meet.
pub(super) const MIDDLE: u32 = 175;
pub(super) const ACCOUNTS: usize = 1_000;

/// Numbers that look random and follow from the seed (xorshift64*, S. Vigna, public domain).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(mixed) * u128::from(bound)) >> 64) as u64
    }
}

#[derive(Clone, Copy)]
pub(super) enum Op {
    Place(Taker),
    /// The order of this number, counted from 0: it rests.
    Cancel(u32),
}

pub(super) fn taker(random: &mut Random, crosses: bool) -> Taker {
    let side = if random.below(2) == 0 { Side::Back } else { Side::Lay };
    let away = 1 + random.below(30) as u32;
    // Backs rest above the middle, lays below; one that crosses goes the other way.
    let up = (side == Side::Back) != crosses;
    let limit = if up { MIDDLE + away } else { MIDDLE - away };
    Taker {
        account: random.below(ACCOUNTS as u64) as u32,
        selection: 0,
        side,
        limit: Tick::new(limit),
        size: 100 + 100 * random.below(if crosses { 160 } else { 100 }) as i64,
        kill: None,
        self_match: SelfMatch::Allow,
        improvement: Improvement::Take,
    }
}

/// A stream over a book in which about `live` orders rest: those that come first, and what is measured.
pub(super) struct Stream {
    pub(super) first: Vec<Op>,
    pub(super) ops: Vec<Op>,
}

/// What is cancelled rests: a book is played to know what does.
pub(super) fn stream(live: usize, ops: usize) -> Stream {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut shadow = Bare::new(live + ops);
    let first: Vec<Op> = (0..live).map(|_| Op::Place(taker(&mut random, false))).collect();
    let mut resting: Vec<u32> = Vec::new();
    for op in &first {
        let number = shadow.places.len() as u32;
        shadow.play(op);
        resting.push(number);
    }
    let mut stream = Vec::with_capacity(ops);
    while stream.len() < ops {
        let op = match random.below(100) {
            0..=52 => Op::Place(taker(&mut random, false)),
            53..=87 => {
                // Those that were matched meanwhile are passed over.
                let mut found = None;
                while found.is_none() && !resting.is_empty() {
                    let at = random.below(resting.len() as u64) as usize;
                    let number = resting.swap_remove(at);
                    found = shadow.rests(number).then_some(number);
                }
                let Some(number) = found else { continue };
                Op::Cancel(number)
            }
            _ => Op::Place(taker(&mut random, true)),
        };
        let number = shadow.places.len() as u32;
        shadow.play(&op);
        if matches!(op, Op::Place(_)) && shadow.rests(number) {
            resting.push(number);
        }
        stream.push(op);
    }
    Stream { first, ops: stream }
}

/// The book alone.
pub(super) struct Bare {
    pub(super) book: Book,
    pub(super) orders: Orders,
    pub(super) log: Log,
    /// Where each order rests, by its number.
    pub(super) places: Vec<Option<OrderIndex>>,
    pub(super) fills: u64,
    pub(super) stake: u64,
}

impl Bare {
    pub(super) fn new(orders: usize) -> Bare {
        Bare {
            book: Book::new(Prices::of(&Ladder::CLASSIC), 1, false),
            orders: Orders::with_capacity(orders as u32 + 1),
            log: Log::new(),
            places: Vec::with_capacity(orders),
            fills: 0,
            stake: 0,
        }
    }

    /// Whether the order of this number rests; its place may be another's by now.
    pub(super) fn rests(&self, number: u32) -> bool {
        let place = self.places[number as usize];
        let order = place.and_then(|place| self.orders.get(place));
        order.is_some_and(|order| order.number == number)
    }

    pub(super) fn play(&mut self, op: &Op) {
        match op {
            Op::Place(taker) => {
                let number = self.places.len() as u32;
                let placed =
                    self.book.place(&mut self.orders, taker, &mut self.log).expect("let in");
                self.fills += self.log.steps().len() as u64;
                self.stake += placed.matched as u64;
                self.book.finish(&mut self.orders, &mut self.log);
                self.places.push(match placed.end {
                    End::Rests(place) => {
                        self.orders.set_number(place, number);
                        Some(place)
                    }
                    End::Matched | End::Lapsed(_) => None,
                });
            }
            Op::Cancel(number) => {
                let place = self.places[*number as usize].expect("it rests");
                self.book.cancel(&mut self.orders, place).expect("it rests");
            }
        }
    }

    /// How many fills there were, what was matched, orders that rest.
    pub(super) fn figures(&self) -> (u64, u64, u32) {
        self.book.check(&self.orders).expect("sound");
        (self.fills, self.stake, self.orders.len())
    }
}
