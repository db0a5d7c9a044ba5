//! One fixed stream of orders for every book: 48 % rest, 30 % are cancelled, 10 % get another price, 12 % meet others.
//!
//! Prices are places on a ladder of 350, sizes whole hundreds, orders numbered by the command that made them, counted from
//! 0: nothing that a book would have to round or look up first. A replaced order keeps its number and what it still wants, and goes behind those of its new
//! price; it never meets one at once, because not every book says what was traded then. An order that meets others never wants
//! more than there is within its limit: [`Stream::limited`] tells who holds to one.

use std::io::{self, Write};

use betring_core::book::{
    Book, End, Improvement, Log, OrderIndex, Orders, Prices, SelfMatch, Side, Step, Taker,
};
use betring_pricing::{Ladder, Tick};

/// Where backs and lays meet on the ladder.
const MIDDLE: u32 = 175;
/// Orders rest at most so many places from the middle.
const AWAY_MAX: u64 = 30;
/// Whose orders they are, in turns.
pub const ACCOUNTS: u32 = 1_000;

/// What is asked of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A new order.
    Add(Order),
    /// This order, which rests, is cancelled.
    Cancel {
        /// Its number.
        order: u32,
    },
    /// An order that rests gets this price; its size here is what it still wants.
    Replace(Order),
}

impl Command {
    fn bytes(&self) -> [u8; 12] {
        let (kind, order) = match *self {
            Command::Add(order) => (0, order),
            Command::Cancel { order } => (1, Order { order, side: Side::Back, price: 0, size: 0 }),
            Command::Replace(order) => (2, order),
        };
        let mut bytes = [0; 12];
        bytes[0] = kind;
        bytes[1] = u8::from(order.side == Side::Lay);
        bytes[2..4].copy_from_slice(&(order.price as u16).to_le_bytes());
        bytes[4..8].copy_from_slice(&order.order.to_le_bytes());
        bytes[8..].copy_from_slice(&order.size.to_le_bytes());
        bytes
    }
}

/// An order: its number, and what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The place in the stream of the command that made it.
    pub order: u32,
    /// A back sells at its price or above, a lay buys at its price or below.
    pub side: Side,
    /// A place on the ladder.
    pub price: u32,
    /// Of the backer's stake.
    pub size: u32,
}

impl Order {
    /// As our book takes it.
    pub fn taker(&self) -> Taker {
        Taker {
            account: self.order % ACCOUNTS,
            selection: 0,
            side: self.side,
            limit: Tick::new(self.price),
            size: i64::from(self.size),
            kill: None,
            self_match: SelfMatch::Allow,
            improvement: Improvement::Take,
        }
    }
}

/// Orders that rest at first, and what is measured.
pub struct Stream {
    /// The orders that rest at first.
    pub first: Vec<Command>,
    /// What is measured.
    pub then: Vec<Command>,
}

impl Stream {
    /// The stream over a book in which about `live` orders rest. The same numbers, the same stream.
    pub fn new(live: usize, commands: usize) -> Stream {
        Maker::new(live + commands).stream(live, commands)
    }

    /// Two backs, and a lay that wants both but has a limit at the better one.
    pub fn limited() -> Stream {
        let order = |order, side, price, size| Command::Add(Order { order, side, price, size });
        let backs = [(0, MIDDLE + 1), (1, MIDDLE + 2)];
        Stream {
            first: backs.map(|(at, price)| order(at, Side::Back, price, 100)).to_vec(),
            then: vec![order(2, Side::Lay, MIDDLE + 1, 200)],
        }
    }

    /// Writes it for a peer of another language. A header, then 12 bytes a command, all little-endian:
    ///
    /// ```text
    /// header   0  u32  commands of `first`     4  u32  commands of `then`
    /// command  0  u8   0 add, 1 cancel, 2 replace      1  u8   0 back, 1 lay      2  u16  price
    ///          4  u32  the order's number              8  u32  size; side, price and size of a cancel are 0
    /// ```
    ///
    /// # Errors
    /// If `to` cannot be written to.
    ///
    /// # Panics
    /// If it has 2^32 commands or more.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        for part in [&self.first, &self.then] {
            let commands = u32::try_from(part.len()).expect("fewer than orders can be numbered");
            to.write_all(&commands.to_le_bytes())?;
        }
        self.all().try_for_each(|command| to.write_all(&command.bytes()))
    }

    /// All of it, in order.
    pub fn all(&self) -> impl Iterator<Item = &Command> {
        self.first.iter().chain(&self.then)
    }

    /// Commands in all.
    pub fn len(&self) -> usize {
        self.first.len() + self.then.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Numbers that look random and follow from the seed (xorshift64*, S. Vigna, public domain).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(mixed) * u128::from(bound)) >> 64) as u64
    }
}

/// Makes the stream; what is cancelled rests, so a book is played to know what does.
struct Maker {
    random: Random,
    ours: Ours,
    resting: Vec<u32>,
    made: Vec<Command>,
}

impl Maker {
    fn new(commands: usize) -> Maker {
        let random = Random(0x9e37_79b9_7f4a_7c15);
        let made = Vec::with_capacity(commands);
        Maker { random, ours: Ours::new(commands), resting: Vec::new(), made }
    }

    fn stream(mut self, live: usize, commands: usize) -> Stream {
        (0..live).for_each(|_| self.add(false));
        while self.made.len() < live + commands {
            match self.random.below(100) {
                0..48 => self.add(false),
                48..78 => self.cancel(),
                78..88 => self.replace(),
                _ => self.add(true),
            }
        }
        let then = self.made.split_off(live);
        Stream { first: self.made, then }
    }

    fn away(&mut self) -> u32 {
        1 + self.random.below(AWAY_MAX) as u32
    }

    fn make(&mut self, command: Command) {
        self.ours.play(&command, &mut Fills::default());
        self.made.push(command);
    }

    fn add(&mut self, meets: bool) {
        let side = if self.random.below(2) == 0 { Side::Back } else { Side::Lay };
        // Backs rest above the middle, lays below; one that meets others goes the other way.
        let above = (side == Side::Back) != meets;
        let away = self.away();
        let price = if above { MIDDLE + away } else { MIDDLE - away };
        let mut size = 100 + 100 * self.random.below(if meets { 160 } else { 100 }) as u32;
        if meets {
            size = size.min(self.ours.within(side, price));
            if size == 0 {
                return;
            }
        }
        let order = self.made.len() as u32;
        self.make(Command::Add(Order { order, side, price, size }));
        if self.ours.wants(order).is_some() {
            self.resting.push(order);
        }
    }

    /// One that rests, taken from those that are remembered; those that were matched meanwhile are forgotten.
    fn take(&mut self) -> Option<Order> {
        while !self.resting.is_empty() {
            let at = self.random.below(self.resting.len() as u64) as usize;
            let order = self.ours.wants(self.resting.swap_remove(at));
            if order.is_some() {
                return order;
            }
        }
        None
    }

    fn cancel(&mut self) {
        if let Some(order) = self.take() {
            self.make(Command::Cancel { order: order.order });
        }
    }

    fn replace(&mut self) {
        let Some(order) = self.take() else { return };
        self.resting.push(order.order);
        let away = self.away();
        let price = if order.side == Side::Back { MIDDLE + away } else { MIDDLE - away };
        let priced = Order { price, ..order };
        if price != order.price && !self.ours.book.would_match(&priced.taker()) {
            self.make(Command::Replace(priced));
        }
    }
}

/// What was traded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fills {
    /// Trades.
    pub count: u64,
    /// All of their sizes.
    pub size: u64,
    /// Of who met whom, how much, at what price, in what order.
    pub digest: u64,
}

impl Fills {
    /// `value` is size times price.
    #[inline]
    pub fn add(&mut self, taker: u32, maker: u32, size: u64, value: u64) {
        self.count += 1;
        self.size += size;
        let orders = u64::from(taker) << 32 | u64::from(maker);
        for word in [orders, size, value] {
            self.digest = (self.digest.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
}

/// Our book alone.
pub struct Ours {
    /// The book.
    pub book: Book,
    /// Its orders.
    pub orders: Orders,
    /// What the last order did.
    pub log: Log,
    /// Where each order rests or did, by its number: nothing is hashed, as where the engine gives orders their numbers.
    pub places: Vec<OrderIndex>,
}

impl Ours {
    /// With room for the orders of a stream of so many commands.
    ///
    /// # Panics
    /// If that is 2^32 - 2 or more.
    pub fn new(commands: usize) -> Ours {
        let room = u32::try_from(commands + 1).expect("no more than can be numbered");
        Ours {
            book: Book::new(Prices::of(&Ladder::CLASSIC), 1, false),
            orders: Orders::with_capacity(room),
            log: Log::new(),
            places: vec![OrderIndex(0); commands],
        }
    }

    /// What an order still wants, if it rests; its place may be another's by now.
    fn wants(&self, order: u32) -> Option<Order> {
        let resting = self.orders.get(self.places[order as usize])?;
        let size = resting.remaining as u32;
        let wanted = Order { order, side: resting.side, price: resting.tick, size };
        (resting.number == order).then_some(wanted)
    }

    /// What an order of this side could have at this price or a better one.
    fn within(&self, side: Side, price: u32) -> u32 {
        let depth = self.book.depth(0, side.other());
        let within = depth.filter(|(tick, _)| !side.prefers(price, tick.index()));
        within.map(|(_, size)| size as u32).sum()
    }

    /// Plays one command of a stream.
    ///
    /// # Panics
    /// If it is of no stream, or of another place in it.
    #[inline]
    pub fn play(&mut self, command: &Command, fills: &mut Fills) {
        match command {
            Command::Add(order) => self.place(order, fills),
            Command::Cancel { order } => self.cancel(*order),
            Command::Replace(order) => {
                self.cancel(order.order);
                self.place(order, fills);
            }
        }
    }

    fn cancel(&mut self, order: u32) {
        let place = self.places[order as usize];
        self.book.cancel(&mut self.orders, place).expect("it rests");
    }

    fn place(&mut self, order: &Order, fills: &mut Fills) {
        let placed = self.book.place(&mut self.orders, &order.taker(), &mut self.log);
        let placed = placed.expect("there is room, and the price is on the ladder");
        for step in self.log.steps() {
            if let Step::Fill { maker, tick, stake, .. } = *step {
                let (maker, size) = (self.orders.number(maker), stake as u64);
                fills.add(order.order, maker, size, size * u64::from(tick));
            }
        }
        self.book.finish(&mut self.orders, &mut self.log);
        if let End::Rests(place) = placed.end {
            self.orders.set_number(place, order.order);
            self.places[order.order as usize] = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_command_comes_in_its_share_and_orders_meet() {
        let stream = Stream::new(1_000, 20_000);
        let share = |of: fn(&Command) -> bool| {
            stream.then.iter().filter(|command| of(command)).count() as f64 / 20_000.0
        };
        assert!((share(|c| matches!(c, Command::Add(_))) - 0.60).abs() < 0.02);
        assert!((share(|c| matches!(c, Command::Cancel { .. })) - 0.30).abs() < 0.02);
        assert!((share(|c| matches!(c, Command::Replace(_))) - 0.10).abs() < 0.02);
        let mut ours = Ours::new(stream.len());
        let mut fills = Fills::default();
        stream.all().for_each(|command| ours.play(command, &mut fills));
        ours.book.check(&ours.orders).expect("sound");
        assert!(2_000 < fills.count && 500 < ours.orders.len(), "{fills:?}, {}", ours.orders.len());
    }

    #[test]
    fn a_stream_is_written_as_it_is_drawn() {
        let order = Order { order: 0x0102_0304, side: Side::Lay, price: 0x0506, size: 0x0708_090a };
        let first = vec![Command::Add(order)];
        let then = vec![Command::Cancel { order: order.order }, Command::Replace(order)];
        let mut bytes = Vec::new();
        Stream { first, then }.write(&mut bytes).expect("a vector takes all");
        let expected = [
            1, 0, 0, 0, 2, 0, 0, 0, // header
            0, 1, 6, 5, 4, 3, 2, 1, 10, 9, 8, 7, // add
            1, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, // cancel
            2, 1, 6, 5, 4, 3, 2, 1, 10, 9, 8, 7, // replace
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_limit_is_held_by_ours() {
        let (mut ours, mut fills) = (Ours::new(3), Fills::default());
        Stream::limited().all().for_each(|command| ours.play(command, &mut fills));
        assert_eq!((fills.count, fills.size), (1, 100));
    }

    #[test]
    fn who_met_whom_and_in_what_order_is_in_the_digest() {
        let digest = |fills: &[(u32, u32, u64, u64)]| {
            let mut all = Fills::default();
            fills
                .iter()
                .for_each(|&(taker, maker, size, value)| all.add(taker, maker, size, value));
            all.digest
        };
        let two = digest(&[(1, 2, 100, 300), (1, 3, 100, 300)]);
        assert_ne!(two, digest(&[(1, 3, 100, 300), (1, 2, 100, 300)]));
        assert_ne!(two, digest(&[(1, 2, 100, 300), (1, 3, 100, 400)]));
        assert_eq!(two, digest(&[(1, 2, 100, 300), (1, 3, 100, 300)]));
    }
}
