//! Our book: alone, and with what accounts risk and an event for everything that happens.

use std::sync::Arc;

use betring_core::book::{End, Prices, Side, Stand, Step, exposure};
use betring_peers::stream::{ACCOUNTS, Command, Fills, Order, Ours, Stream};
use betring_pricing::{Ladder, Tick};

use crate::Plays;

impl Plays for Ours {
    type Command = Command;

    fn commands(stream: &Stream) -> Vec<Command> {
        stream.all().copied().collect()
    }

    fn new(commands: usize) -> Ours {
        Ours::new(commands)
    }

    fn play(&mut self, command: &Command, fills: &mut Fills) {
        Ours::play(self, command, fills);
    }
}

/// The same with exposure, as the state keeps it, and as many bytes of events as the state writes.
pub(crate) struct Risked {
    ours: Ours,
    prices: Arc<Prices>,
    /// By account: on the selection, and on another that has no bets.
    stands: Vec<[Stand; 2]>,
    held: Vec<i64>,
    events: Vec<u8>,
}

impl Risked {
    fn tell<const BYTES: usize>(&mut self, first: u64, second: i64) {
        let mut event = [0; BYTES];
        event[..8].copy_from_slice(&first.to_le_bytes());
        event[8..16].copy_from_slice(&second.to_le_bytes());
        self.events.extend_from_slice(&event);
    }

    fn hold(&mut self, account: u32) {
        let worst = exposure(&self.stands[account as usize], 1) as i64;
        if self.held[account as usize] != worst {
            self.held[account as usize] = worst;
            self.tell::<32>(u64::from(account), worst);
        }
    }

    fn place(&mut self, order: &Order, fills: &mut Fills) {
        let taker = order.taker();
        let limit = self.prices.odds_e4(taker.limit);
        self.stands[taker.account as usize][0].waits(taker.side, taker.size, limit);
        self.hold(taker.account);
        let Ours { book, orders, log, .. } = &mut self.ours;
        let placed = book.place(orders, &taker, log).expect("there is room");
        self.tell::<88>(u64::from(order.order), taker.size);
        for at in 0..self.ours.log.steps().len() {
            let Step::Fill { maker, account, tick, stake, .. } = self.ours.log.steps()[at] else {
                continue;
            };
            let number = self.ours.orders.number(maker);
            fills.add(order.order, number, stake as u64, stake as u64 * u64::from(tick));
            let odds = self.prices.odds_e4(Tick::new(tick));
            let theirs = &mut self.stands[account as usize][0];
            theirs.waits(taker.side.other(), -stake, odds);
            theirs.matched(taker.side.other(), stake, odds);
            let own = &mut self.stands[taker.account as usize][0];
            own.waits(taker.side, -stake, limit);
            own.matched(taker.side, stake, odds);
            self.tell::<64>(u64::from(number), stake);
            self.hold(account);
        }
        self.hold(taker.account);
        let Ours { book, orders, log, places } = &mut self.ours;
        book.finish(orders, log);
        if let End::Rests(place) = placed.end {
            orders.set_number(place, order.order);
            places[order.order as usize] = place;
        }
    }

    fn cancel(&mut self, number: u32) {
        let Ours { book, orders, places, .. } = &mut self.ours;
        let place = places[number as usize];
        let order = *orders.get(place).expect("it rests");
        book.cancel(orders, place).expect("it rests");
        let odds = self.prices.odds_e4(Tick::new(order.tick));
        let stand = &mut self.stands[order.account as usize][0];
        stand.waits(order.side, -order.remaining, odds);
        self.tell::<40>(u64::from(number), order.remaining);
        self.hold(order.account);
    }
}

impl Plays for Risked {
    type Command = Command;

    fn commands(stream: &Stream) -> Vec<Command> {
        stream.all().copied().collect()
    }

    fn new(commands: usize) -> Risked {
        Risked {
            ours: Ours::new(commands),
            prices: Prices::of(&Ladder::CLASSIC),
            stands: vec![[Stand::default(); 2]; ACCOUNTS as usize],
            held: vec![0; ACCOUNTS as usize],
            events: Vec::with_capacity(1 << 16),
        }
    }

    fn play(&mut self, command: &Command, fills: &mut Fills) {
        self.events.clear();
        match command {
            Command::Add(order) => self.place(order, fills),
            Command::Cancel { order } => self.cancel(*order),
            Command::Replace(order) => {
                self.cancel(order.order);
                self.place(order, fills);
            }
        }
        std::hint::black_box(&self.events);
    }
}

/// A back sells, a lay buys: whether this one buys.
pub(crate) fn buys(order: &Order) -> bool {
    order.side == Side::Lay
}
