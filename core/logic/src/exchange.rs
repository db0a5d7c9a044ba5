//! Exchange markets in the state: orders as accounts see them, what each account has in a market, and the money
//! that is held for what it may lose there.
//!
//! The [`book`](crate::book) knows prices and places. Here an order has an owner and a history, which it keeps until its
//! market is archived: what was matched of it, cancelled, what lapsed. All of an account's orders in a market make its
//! *position*: by selection a [`Stand`], together an exposure, which is in escrow to the penny between any two commands.
//! What the house has by standing between selections is kept nowhere: it is what all positions together leave.

mod cancel;
mod check;
mod clear;
mod define;
mod image;
mod jobs;
mod look;
mod meet;
mod parts;
mod place;
mod starting;
mod withdrawn;

pub(crate) use clear::{outcomes_of, running};
pub(crate) use image::ExchangeImage;
pub use look::{OrderView, PositionView, Sizes};

use crate::bet::NONE;
use crate::book::{Book, Log, OrderIndex, Orders, Outcome, Prices, Side, Stand, Starting};
use crate::command::{Capacities, OrderKind, Persistence, SetExchange};
use crate::grid::reserve_touched;
use crate::id::{OrderId, Seq};
use crate::table::Table;
use crate::time::Timestamp;
use betring_pricing::{Ladder, Tick};
use parts::{Part, parts_of};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Orders of an account that may wait in one market: cancelling all of them is one command.
pub const ORDERS_WAITING_MAX: u32 = 1_000;

/// Where an order is in its life. (Names: Betfair's OrderStatus.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrderState {
    /// It has left memory, or was never there.
    Archived = 0,
    /// It waits for the end of the bet delay.
    Pending = 1,
    /// Something of it waits, in the book or for the starting price.
    Executable = 2,
    /// Nothing of it waits any more.
    ExecutionComplete = 3,
    /// It was to be filled at once, and was not.
    Expired = 4,
}

/// What may happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStep {
    /// Its delay is over: it meets what is there, and the rest waits.
    Begin,
    /// All of it is matched, cancelled or lapsed.
    Complete,
    /// So much was not to be had at once.
    Kill,
    /// It leaves memory with its market.
    Archive,
}

impl OrderStep {
    /// Every step.
    pub const ALL: &'static [OrderStep] =
        &[OrderStep::Begin, OrderStep::Complete, OrderStep::Kill, OrderStep::Archive];
}

impl OrderState {
    /// Every state.
    pub const ALL: &'static [OrderState] = &[
        OrderState::Archived,
        OrderState::Pending,
        OrderState::Executable,
        OrderState::ExecutionComplete,
        OrderState::Expired,
    ];

    /// The state with this number.
    pub const fn from_code(code: u8) -> Option<OrderState> {
        match code {
            0 => Some(OrderState::Archived),
            1 => Some(OrderState::Pending),
            2 => Some(OrderState::Executable),
            3 => Some(OrderState::ExecutionComplete),
            4 => Some(OrderState::Expired),
            _ => None,
        }
    }

    /// Where a step leads, if it is allowed here.
    pub const fn after(self, step: OrderStep) -> Option<OrderState> {
        use OrderState::*;
        match (self, step) {
            (Pending, OrderStep::Begin) => Some(Executable),
            (Pending | Executable, OrderStep::Complete) => Some(ExecutionComplete),
            (Pending | Executable, OrderStep::Kill) => Some(Expired),
            (ExecutionComplete | Expired, OrderStep::Archive) => Some(Archived),
            (Archived | Pending | Executable | ExecutionComplete | Expired, _) => None,
        }
    }

    /// Whether something of the order waits.
    pub const fn waits(self) -> bool {
        matches!(self, OrderState::Pending | OrderState::Executable)
    }
}

/// An order from its placing until its market is archived.
#[derive(Clone, Copy)]
pub(crate) struct OrderRow {
    pub(crate) generation: u32,
    pub(crate) state: OrderState,
    pub(crate) kind: OrderKind,
    pub(crate) side: Side,
    pub(crate) persistence: Persistence,
    /// As in the entry that placed it.
    pub(crate) self_match: u8,
    pub(crate) flags: u8,
    /// Its selection was withdrawn: what was matched is void.
    pub(crate) void: bool,
    pub(crate) selection: u16,
    /// Its limit, a place on the market's ladder, or its line; none without.
    pub(crate) limit: u32,
    pub(crate) position: u32,
    /// What was asked for: the backer's stake; of a lay at the starting price the liability, until there is one.
    pub(crate) size: i64,
    /// What waits, counted as the size is.
    pub(crate) left: i64,
    /// Backers' stakes.
    pub(crate) matched: i64,
    pub(crate) cancelled: i64,
    pub(crate) lapsed: i64,
    /// What a winner returns of what was matched, in ten-thousandths of a minor unit.
    pub(crate) returns_e4: i128,
    /// With fill or kill: at least so much at once.
    pub(crate) min_fill: i64,
    /// The most that it may bring its account, which has room for it.
    pub(crate) room: i64,
    pub(crate) reference: u128,
    /// The version of the market that its customer saw; 0: any.
    pub(crate) version: Seq,
    pub(crate) placed_seq: Seq,
    pub(crate) placed_at: Timestamp,
    /// Its turn among those of its price: who waits for longer has the smaller one.
    pub(crate) turn: u64,
    /// The end of its delay; 0: it does not wait for one.
    pub(crate) until: Timestamp,
    /// The market's order before it, and the next; in a free place the next free one.
    pub(crate) prev: u32,
    pub(crate) next: u32,
    /// The other orders of its position that wait; of an order that is spent the other ones that are.
    pub(crate) before: u32,
    pub(crate) behind: u32,
    /// Its place in the book, while it is there.
    pub(crate) place: OrderIndex,
    /// What was matched of it at each price; none if that was one.
    pub(crate) parts: u32,
}

impl OrderRow {
    pub(crate) fn filler() -> OrderRow {
        OrderRow {
            generation: 0,
            state: OrderState::Archived,
            kind: OrderKind::Limit,
            side: Side::Back,
            persistence: Persistence::Lapse,
            self_match: 0,
            flags: 0,
            void: false,
            selection: 0,
            limit: NONE,
            position: NONE,
            size: 0,
            left: 0,
            matched: 0,
            cancelled: 0,
            lapsed: 0,
            returns_e4: 0,
            min_fill: 0,
            room: 0,
            reference: 0,
            version: Seq(0),
            placed_seq: Seq(0),
            placed_at: Timestamp(0),
            turn: 0,
            until: Timestamp(0),
            prev: NONE,
            next: NONE,
            before: NONE,
            behind: NONE,
            place: OrderIndex(NONE),
            parts: NONE,
        }
    }

    pub(crate) fn id(&self, index: u32) -> OrderId {
        OrderId::new(index, self.generation)
    }

    /// Whether nothing was matched of it and nothing waits: its place may be another's once there is no other.
    pub(crate) fn is_spent(&self) -> bool {
        let over = matches!(self.state, OrderState::ExecutionComplete | OrderState::Expired);
        over && self.matched == 0 && self.generation != u32::MAX
    }

    /// Its limit, if it has one.
    pub(crate) fn tick(&self) -> Option<Tick> {
        (self.limit != NONE).then_some(Tick::new(self.limit))
    }

    /// Whether it is in the book of its market.
    pub(crate) fn rests(&self) -> bool {
        self.place.0 != NONE
    }

    /// Whether it waits for the starting price.
    pub(crate) fn is_on_close(&self) -> bool {
        self.kind != OrderKind::Limit
    }

    /// What waits of it is at risk in its stand, or not any more.
    pub(crate) fn wait(&self, stand: &mut Stand, prices: &Prices, amount: i64) {
        match self.is_on_close() {
            true => stand.risks(self.side, amount),
            false => stand.waits(self.side, amount, prices.odds_e4(Tick::new(self.limit))),
        }
    }
}

/// What an account has in a market.
#[derive(Clone, Copy)]
pub(crate) struct Position {
    pub(crate) account: u32,
    pub(crate) market: u32,
    /// The market's next position; in a free place the next free one.
    pub(crate) next: u32,
    /// Its stands.
    pub(crate) first: u32,
    /// Its orders that wait, the last one first, and how many there are.
    pub(crate) waiting: u32,
    pub(crate) count: u32,
    /// What is in escrow for it.
    pub(crate) held: i64,
    /// Whether it is settled, and as what.
    pub(crate) settled: bool,
    pub(crate) net: i64,
    pub(crate) commission: i64,
    /// How often it was settled.
    pub(crate) settlements: u32,
    /// What counts as lost of it in the present day, week and month for its customer's own limits, and when that was.
    pub(crate) counted: [i64; 3],
    pub(crate) counted_at: Timestamp,
    /// Whether this command changed it.
    pub(crate) touched: bool,
}

impl Position {
    pub(crate) fn filler() -> Position {
        Position {
            account: NONE,
            market: NONE,
            next: NONE,
            first: 0,
            waiting: NONE,
            count: 0,
            held: 0,
            settled: false,
            net: 0,
            commission: 0,
            settlements: 0,
            counted: [0; 3],
            counted_at: Timestamp(0),
            touched: false,
        }
    }
}

/// How far the job of a market is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Which walk of the job, from 0.
    pub(crate) phase: u8,
    /// What the job is about: which orders lapse, or which selection was withdrawn.
    pub(crate) scope: u8,
    pub(crate) selection: u16,
    pub(crate) factor: u16,
    /// Of a settlement: whether there was a result when it began, and of how many parts a whole win is.
    pub(crate) known: bool,
    pub(crate) whole: u32,
    /// What all positions won together so far, in ten-thousandths of a minor unit and parts of the whole.
    pub(crate) exact: i128,
    /// The same as it was paid, in minor units.
    pub(crate) paid: i128,
}

/// The starting price of a selection, and who is matched at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Close {
    /// In ten-thousandths; 0: none.
    pub(crate) odds_e4: u32,
    /// Backers' stakes that take part, by side: first what wants to, then what still may.
    pub(crate) open: [i64; 2],
}

/// What a market has beyond those against the house.
#[derive(Clone)]
pub(crate) struct ExchangeMarket {
    pub(crate) terms: SetExchange,
    pub(crate) ladder: Ladder,
    pub(crate) prices: Arc<Prices>,
    pub(crate) book: Book,
    /// By selection; empty without starting prices.
    pub(crate) starting: Box<[Starting]>,
    pub(crate) closes: Box<[Close]>,
    /// Whether it has turned in-play once: starting prices are made then and never again.
    pub(crate) started: bool,
    /// Backers' stakes that were matched at each price of the ladder, by selection; in a line market where they were matched.
    pub(crate) traded: Box<[Box<[i64]>]>,
    /// When something material happened to it last, beside suspensions.
    pub(crate) changed: Seq,
    /// Its orders, oldest first, and its positions.
    pub(crate) head: u32,
    pub(crate) tail: u32,
    pub(crate) positions: u32,
    pub(crate) work: Work,
    /// What became of the selections, while a settlement goes on.
    pub(crate) outcomes: Box<[Outcome]>,
    /// What the house has of it.
    pub(crate) crossing: i64,
    pub(crate) residue: i64,
}

impl ExchangeMarket {
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.terms.flags & flag != 0
    }

    /// Whether it takes orders at the starting price before it turns in-play.
    pub(crate) fn starts(&self) -> bool {
        self.has(SetExchange::STARTING_PRICES) && !self.started
    }

    /// Whether its selections are lines: they are the places of one book.
    pub(crate) fn has_lines(&self) -> bool {
        self.has(SetExchange::LINES)
    }

    /// The place of a limit in the book, if the market has these odds.
    pub(crate) fn tick(&self, selection: u16, odds_e4: u32) -> Option<Tick> {
        let tick = self.ladder.tick(betring_pricing::Price::from_e4(odds_e4)?)?;
        Some(if self.has_lines() { Tick::new(selection.into()) } else { tick })
    }

    /// The selection that a place in the book of one is about, and the place on the ladder.
    pub(crate) fn spot(&self, selection: u16, tick: u32) -> (u16, u32) {
        if self.has_lines() { (tick as u16, 0) } else { (selection, tick) }
    }

    /// The place in the book of what is bet on a selection.
    pub(crate) fn shelf(&self, selection: u16) -> u16 {
        if self.has_lines() { 0 } else { selection }
    }

    /// Whether a selection runs; a line always does.
    pub(crate) fn runs(&self, selection: u16) -> bool {
        self.book.runs(self.shelf(selection))
    }

    /// What can be lost with these at worst, in minor units.
    pub(crate) fn exposure(&self, stands: &[Stand], winners: u16) -> i128 {
        if self.has_lines() {
            return crate::book::exposure_of_lines(stands);
        }
        let runs = stands.iter().enumerate().filter(|(at, _)| self.book.runs(*at as u16));
        crate::book::exposure(runs.map(|(_, stand)| stand), usize::from(winners))
    }

    pub(crate) fn odds_of(&self, row: &OrderRow) -> u32 {
        if row.limit == NONE { 0 } else { self.prices.odds_e4(Tick::new(row.limit)) }
    }
}

/// The end of an order's delay, by time and then by turn.
pub(crate) type OrderTimer = Reverse<(Timestamp, u64, OrderId)>;

/// An order to be, as it was found good.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) row: OrderRow,
    /// Its place in the request.
    pub(crate) number: u8,
    /// What it became; none until then.
    pub(crate) id: OrderId,
}

/// All exchange markets.
#[derive(Clone)]
pub(crate) struct Exchange {
    /// By the place of the market.
    pub(crate) markets: Vec<Option<Box<ExchangeMarket>>>,
    pub(crate) rows: Vec<OrderRow>,
    pub(crate) free_row: u32,
    pub(crate) live_rows: u32,
    /// Orders that are spent, the oldest first, and how many there are.
    pub(crate) spent_head: u32,
    pub(crate) spent_tail: u32,
    pub(crate) spent: u32,
    pub(crate) orders: Orders,
    pub(crate) parts: Vec<Part>,
    pub(crate) parts_max: usize,
    pub(crate) free_part: u32,
    /// Parts that are an order's.
    pub(crate) live_parts: usize,
    pub(crate) positions: Vec<Position>,
    pub(crate) free_position: u32,
    pub(crate) live_positions: u32,
    /// Positions by account and market.
    pub(crate) table: Table,
    pub(crate) stands: Vec<Stand>,
    pub(crate) free_stands: [Vec<u32>; 9],
    /// Prices of all ladders that are in use.
    pub(crate) levels: u64,
    pub(crate) timers: BinaryHeap<OrderTimer>,
    /// The next turn of an order among those of its price.
    pub(crate) turn: u64,
    pub(crate) log: Log,
    /// Positions that this command changed.
    pub(crate) touched: Vec<u32>,
    /// Orders of this command.
    pub(crate) wanted: Vec<Wanted>,
    /// Orders that a command names.
    pub(crate) named: Vec<u32>,
}

impl Exchange {
    pub(crate) fn new() -> Exchange {
        Exchange {
            markets: Vec::new(),
            rows: Vec::new(),
            free_row: NONE,
            live_rows: 0,
            spent_head: NONE,
            spent_tail: NONE,
            spent: 0,
            orders: Orders::with_capacity(0),
            parts: Vec::new(),
            parts_max: 0,
            free_part: NONE,
            live_parts: 0,
            positions: Vec::new(),
            free_position: NONE,
            live_positions: 0,
            table: Table::default(),
            stands: Vec::new(),
            free_stands: Default::default(),
            levels: 0,
            timers: BinaryHeap::new(),
            turn: 1,
            log: Log::new(),
            touched: Vec::new(),
            wanted: Vec::new(),
            named: Vec::new(),
        }
    }

    pub(crate) fn grow(&mut self, to: &Capacities) {
        use crate::command::INSTRUCTIONS_MAX;
        self.markets.resize_with(to.markets as usize, || None);
        reserve_touched(&mut self.rows, to.orders as usize, OrderRow::filler());
        self.orders.grow(to.orders);
        self.parts_max = parts_of(to.orders);
        reserve_touched(&mut self.parts, self.parts_max, Part::FILLER);
        reserve_touched(&mut self.positions, to.positions as usize, Position::filler());
        self.table = Table::with_capacity(to.positions);
        for (index, position) in self.positions.iter().enumerate() {
            if position.account != NONE {
                self.table.insert(hash(position.account, position.market), index as u32);
            }
        }
        reserve_touched(&mut self.stands, to.stands as usize, Stand::default());
        for (power, blocks) in self.free_stands.iter_mut().enumerate() {
            reserve_touched(blocks, to.stands as usize >> power, 0);
        }
        let timers = crate::state::WAITING_MAX.min(to.orders as usize);
        self.timers.reserve_exact(timers.saturating_sub(self.timers.len()));
        // A command touches its own position, and one for each thing that it did; a turn one for each unit.
        reserve_touched(&mut self.touched, 2 * crate::book::FILLS_MAX, 0);
        let none = Wanted { row: OrderRow::filler(), number: 0, id: OrderId::NONE };
        reserve_touched(&mut self.wanted, INSTRUCTIONS_MAX, none);
        reserve_touched(&mut self.named, INSTRUCTIONS_MAX, 0);
    }

    pub(crate) fn market(&self, index: u32) -> Option<&ExchangeMarket> {
        self.markets.get(index as usize)?.as_deref()
    }

    pub(crate) fn find_position(&self, account: u32, market: u32) -> Option<u32> {
        self.table.find(hash(account, market), |at| {
            let position = &self.positions[at as usize];
            (position.account, position.market) == (account, market)
        })
    }

    /// The position's stand of a selection.
    pub(crate) fn stand(&mut self, position: u32, selection: u16) -> &mut Stand {
        let first = self.positions[position as usize].first;
        &mut self.stands[first as usize + usize::from(selection)]
    }

    /// A position is looked at once more when the command is over.
    pub(crate) fn touch(&mut self, position: u32) {
        let kept = &mut self.positions[position as usize];
        if !kept.touched {
            kept.touched = true;
            self.touched.push(position);
        }
    }

    /// What this command changed is looked at later.
    pub(crate) fn untouch(&mut self) {
        while let Some(position) = self.touched.pop() {
            self.positions[position as usize].touched = false;
        }
    }

    /// Whether an account may have a position more, of so many selections.
    pub(crate) fn has_room_for(&self, capacities: &Capacities, selections: u16) -> bool {
        let size = u32::from(selections).next_power_of_two();
        let stands = !self.free_stands[size.ilog2() as usize].is_empty()
            || self.stands.len() + size as usize <= capacities.stands as usize;
        self.live_positions < capacities.positions && stands
    }

    /// The position of an account in a market, which is made if it is not there; there is room for it.
    pub(crate) fn position_for(&mut self, account: u32, market: u32, selections: u16) -> u32 {
        if let Some(at) = self.find_position(account, market) {
            return at;
        }
        let size = u32::from(selections).next_power_of_two();
        let first = self.free_stands[size.ilog2() as usize].pop().unwrap_or_else(|| {
            let first = self.stands.len();
            self.stands.resize(first + size as usize, Stand::default());
            first as u32
        });
        self.stands[first as usize..][..size as usize].fill(Stand::default());
        let exchange = self.markets[market as usize].as_mut().expect("it has a book");
        let next = std::mem::replace(&mut exchange.positions, NONE);
        let position = Position { account, market, next, first, ..Position::filler() };
        let at = if self.free_position == NONE {
            self.positions.push(position);
            self.positions.len() as u32 - 1
        } else {
            let at = self.free_position;
            self.free_position = self.positions[at as usize].next;
            self.positions[at as usize] = position;
            at
        };
        self.live_positions += 1;
        self.table.insert(hash(account, market), at);
        let exchange = self.markets[market as usize].as_mut().expect("it has a book");
        exchange.positions = at;
        at
    }

    /// A position leaves memory with its market.
    pub(crate) fn forget_position(&mut self, at: u32, selections: u16) {
        let position = self.positions[at as usize];
        self.table.remove(hash(position.account, position.market), at);
        let size = u32::from(selections).next_power_of_two();
        self.free_stands[size.ilog2() as usize].push(position.first);
        self.positions[at as usize] = Position { next: self.free_position, ..Position::filler() };
        self.free_position = at;
        self.live_positions -= 1;
    }

    /// What a position can lose at worst, in minor units.
    pub(crate) fn exposure(&self, position: u32, winners: u16) -> i64 {
        let kept = &self.positions[position as usize];
        let market = self.market(kept.market).expect("it has a book");
        let block = &self.stands[kept.first as usize..][..market.outcomes.len()];
        let worst = market.exposure(block, winners);
        i64::try_from(worst).expect("what an account may lose fits: its orders were let in")
    }

    /// An order waits: it is the last of its position.
    pub(crate) fn link(&mut self, at: u32) {
        let position = self.rows[at as usize].position as usize;
        let last = std::mem::replace(&mut self.positions[position].waiting, at);
        self.positions[position].count += 1;
        (self.rows[at as usize].before, self.rows[at as usize].behind) = (last, NONE);
        if last != NONE {
            self.rows[last as usize].behind = at;
        }
    }

    /// It does not wait any more.
    pub(crate) fn unlink(&mut self, at: u32) {
        let OrderRow { position, before, behind, .. } = self.rows[at as usize];
        if behind == NONE {
            self.positions[position as usize].waiting = before;
        } else {
            self.rows[behind as usize].before = before;
        }
        if before != NONE {
            self.rows[before as usize].behind = behind;
        }
        self.positions[position as usize].count -= 1;
        (self.rows[at as usize].before, self.rows[at as usize].behind) = (NONE, NONE);
    }

    /// An order is spent: the last of those that are.
    pub(crate) fn spend(&mut self, at: u32) {
        let last = std::mem::replace(&mut self.spent_tail, at);
        (self.rows[at as usize].before, self.rows[at as usize].behind) = (last, NONE);
        if last == NONE {
            self.spent_head = at;
        } else {
            self.rows[last as usize].behind = at;
        }
        self.spent += 1;
    }

    /// An order that was spent leaves memory.
    pub(crate) fn unspend(&mut self, at: u32) {
        let OrderRow { before, behind, .. } = self.rows[at as usize];
        if before == NONE {
            self.spent_head = behind;
        } else {
            self.rows[before as usize].behind = behind;
        }
        if behind == NONE {
            self.spent_tail = before;
        } else {
            self.rows[behind as usize].before = before;
        }
        (self.rows[at as usize].before, self.rows[at as usize].behind) = (NONE, NONE);
        self.spent -= 1;
    }

    /// An order in memory.
    pub(crate) fn find(&self, id: OrderId) -> Option<&OrderRow> {
        let row = self.rows.get(id.index() as usize)?;
        (row.generation == id.generation() && row.state != OrderState::Archived).then_some(row)
    }
}

/// Both numbers are dense and given by the engine: nobody can choose them so that they collide.
pub(crate) fn hash(account: u32, market: u32) -> u64 {
    let both = u64::from(account) << 32 | u64::from(market);
    both.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}
