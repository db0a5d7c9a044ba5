//! The book of an exchange market: orders to back and to lay, matched by price, then by time.
//!
//! A backer wants odds of at least the limit, a layer of at most it. An incoming order meets the best opposite one
//! first and gets the price of whoever was there before, never a worse one. Sizes are the backer's stake in whole
//! minor units; a layer risks stake × (odds − 1). Nothing in here knows accounts' money: who may bet so much is
//! decided before.
//!
//! **Cross-matching** (one winner): to back one selection is to lay all the others. The house stands between: it lays
//! every selection at the resting backs' prices and at the taker's, or backs them all, and cannot lose in any
//! outcome. That is checked in whole minor units for every outcome before anything changes. Only orders that are there
//! feed such a price, never another one of its kind.
//!
//! Each operation takes constant time but for what it fills, and none allocates. What an order did is in a [`Log`],
//! in order; until [`Book::finish`] all of it can be taken back, which is what fill-or-kill does.

mod cross;
mod exposure;
mod levels;
mod orders;
mod settle;
mod starting;

pub use betring_pricing::commission;
pub use cross::CROSS_MAX;
pub use exposure::{Stand, WINNERS_MAX, exposure, exposure_of_lines};
pub use orders::{Order, Orders};
pub use settle::{Outcome, exact, lay_at_starting_price, net, profit_is_fair, reduced};
pub use starting::{Reconciled, Starting};

use crate::command::choice;
use betring_pricing::{Ladder, Tick};
use cross::Crossing;
use levels::{Levels, NONE};

/// Ten-thousandths in a whole: what prices are counted in, and all money that is not rounded yet.
pub(crate) const E4: i128 = 10_000;
/// The odds of every bet on a line.
pub(crate) const EVEN_E4: u32 = 20_000;
/// Bytes of a level.
pub(crate) const LEVEL_BYTES: usize = size_of::<levels::Level>();

use std::sync::Arc;

/// Fills of one command: what would go on lapses ([`Lapse::FillLimit`]).
pub const FILLS_MAX: usize = 512;

choice! {
    /// Which way an order bets.
    Side {
        /// That the selection wins.
        Back = 1,
        /// That it does not.
        Lay = 2,
    }
}

impl Side {
    /// Its place where there is one for each.
    pub(crate) const fn place(self) -> usize {
        self as usize - 1
    }

    /// Who meets it.
    pub const fn other(self) -> Side {
        match self {
            Side::Back => Side::Lay,
            Side::Lay => Side::Back,
        }
    }

    /// Whether it gets more at one price than at another.
    pub const fn prefers(self, one: u32, other: u32) -> bool {
        match self {
            Side::Back => other < one,
            Side::Lay => one < other,
        }
    }
}

/// The place of an order that rests. Given again when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderIndex(pub u32);

choice! {
    /// What happens when an order meets one of its own account.
    SelfMatch {
        /// What is left of the incoming one lapses.
        RefuseTaker = 1,
        /// The one that rests is cancelled.
        CancelMaker = 2,
        /// Both.
        CancelBoth = 3,
        /// They match.
        Allow = 4,
    }
}

impl Default for SelfMatch {
    /// Of an order that says nothing.
    fn default() -> SelfMatch {
        SelfMatch::RefuseTaker
    }
}

/// What happens when a better price than the limit is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Improvement {
    /// It is taken.
    #[default]
    Take,
    /// The order lapses.
    Refuse,
}

/// An order that comes in.
#[derive(Clone, Copy, Debug)]
pub struct Taker {
    /// Whose it is: the account's place.
    pub account: u32,
    /// The selection.
    pub selection: u16,
    /// Which way it bets.
    pub side: Side,
    /// The worst price that will do. With `kill`: the worst average.
    pub limit: Tick,
    /// Minor units of the backer's stake, above 0.
    pub size: i64,
    /// Fill or kill: at least so much at once at an average within the limit, or nothing; the rest lapses.
    pub kill: Option<i64>,
    /// What happens when it meets one of its own account.
    pub self_match: SelfMatch,
    /// What happens when there is a better price.
    pub improvement: Improvement,
}

/// Why what was left of an order did not rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// It had [`FILLS_MAX`] fills and would have had more.
    FillLimit,
    /// It met an order of its own account.
    SelfMatch,
    /// There was a better price, which it did not want.
    Improvement,
    /// Fill or kill, and so much was not to be had: nothing was filled.
    Killed,
    /// Fill or kill, filled as far as it went.
    Filled,
}

/// What became of an order that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Matched in full.
    Matched,
    /// The rest waits here.
    Rests(OrderIndex),
    /// The rest is gone.
    Lapsed(Lapse),
}

/// What an order came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Minor units of the backer's stake that were matched.
    pub matched: i64,
    /// The sum of stake × odds of all that was matched, in ten-thousandths of a minor unit.
    pub returns_e4: i128,
    /// Minor units that were not matched.
    pub left: i64,
    /// What became of those.
    pub end: End,
}

/// Why an order was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPlaced {
    /// No more orders can rest anywhere.
    Full,
    /// The price is not on the ladder.
    OffLadder,
    /// No such selection, or it does not run any more.
    NoSuchSelection,
    /// Nothing, or less, is wanted; or more must be filled at once than is wanted.
    Size,
}

/// One thing that an order did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It met an order at that order's price.
    Fill {
        /// The order that was there.
        maker: OrderIndex,
        /// Its account.
        account: u32,
        /// The price.
        tick: u32,
        /// Minor units of the backer's stake.
        stake: i64,
        /// What that order still wants.
        left: i64,
    },
    /// It met the house, which meets every other selection by the legs that follow.
    Cross {
        /// The price that it got.
        tick: u32,
        /// Minor units of the backer's stake.
        stake: i64,
        /// Legs that follow.
        legs: u32,
    },
    /// The house met an order at that order's price.
    Leg {
        /// The order that was there.
        maker: OrderIndex,
        /// Its account.
        account: u32,
        /// The selection.
        selection: u16,
        /// The price.
        tick: u32,
        /// Minor units of the backer's stake.
        stake: i64,
        /// What that order still wants.
        left: i64,
    },
    /// An order of the same account was cancelled, or one of an account that may not bet any more.
    Cancelled {
        /// That order.
        maker: OrderIndex,
        /// What it still wanted.
        left: i64,
    },
}

/// What an order did, in order. Made once with all of its room.
#[derive(Clone, Debug)]
pub struct Log {
    steps: Vec<Step>,
    most: usize,
}

impl Log {
    /// With room for everything that one order can do.
    pub fn new() -> Log {
        Log { steps: Vec::with_capacity(2 * FILLS_MAX), most: FILLS_MAX }
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// From here on an order does at most so many things, and never more than [`FILLS_MAX`].
    pub fn allow(&mut self, most: usize) {
        self.most = most.min(FILLS_MAX);
    }

    fn has_room_for(&self, steps: usize) -> bool {
        self.steps.len() + steps <= self.most
    }
}

impl Default for Log {
    fn default() -> Log {
        Log::new()
    }
}

/// Prices of a ladder by their place, and what they are worth in a sum of probabilities.
#[derive(Debug)]
pub struct Prices {
    /// Ten-thousandths.
    e4: Box<[u32]>,
    /// [`cross::ONE`] / price, rounded down.
    part: Box<[u64]>,
}

impl Prices {
    /// Those of a ladder; books share them.
    pub fn of(ladder: &Ladder) -> Arc<Prices> {
        Prices::new(ladder.prices().map(|price| price.e4()).collect())
    }

    /// So many lines, the lowest first, each at even money: a backer wants a line as high as a price, and a layer one as
    /// low.
    pub fn lines(lines: u16) -> Arc<Prices> {
        Prices::new(vec![EVEN_E4; usize::from(lines)].into())
    }

    fn new(e4: Box<[u32]>) -> Arc<Prices> {
        let part = |e4: &u32| (u128::from(cross::ONE) * 10_000 / u128::from(*e4)) as u64;
        let part = e4.iter().map(part).collect();
        Arc::new(Prices { e4, part })
    }

    fn e4(&self, tick: u32) -> i128 {
        i128::from(self.e4[tick as usize])
    }

    /// The odds of a price, in ten-thousandths.
    ///
    /// # Panics
    /// If the ladder has no such price.
    pub fn odds_e4(&self, tick: Tick) -> u32 {
        self.e4[tick.index() as usize]
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.e4.len() as u32
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.e4.is_empty()
    }
}

/// The orders of one market.
#[derive(Clone, Debug)]
pub struct Book {
    prices: Arc<Prices>,
    /// By selection, then by side.
    sides: Box<[[Levels; 2]]>,
    /// Selections that run.
    runs: Box<[bool]>,
    crosses: bool,
    crossing: Crossing,
}

impl Book {
    /// An empty book. `crosses`: see [`Book::set_crosses`].
    pub fn new(prices: Arc<Prices>, selections: u16, crosses: bool) -> Book {
        let len = prices.e4.len() as u32;
        let count = usize::from(selections);
        let sides = (0..count).map(|_| [Levels::new(len), Levels::new(len)]).collect();
        let crossing = Crossing::with_capacity(count);
        let runs = vec![true; count].into();
        let mut book = Book { prices, sides, runs, crosses: false, crossing };
        book.set_crosses(crosses);
        book
    }

    /// Whether the house may stand between selections from here on: in a market of one winner, and of 2 to
    /// [`CROSS_MAX`] selections.
    pub fn set_crosses(&mut self, crosses: bool) {
        self.crosses = crosses && (2..=CROSS_MAX).contains(&self.sides.len());
    }

    /// A selection does not run any more: nothing is placed on it, and it has no part in a cross-match.
    pub fn withdraw(&mut self, selection: u16) {
        if let Some(runs) = self.runs.get_mut(usize::from(selection)) {
            *runs = false;
        }
    }

    /// Whether a selection runs.
    pub fn runs(&self, selection: u16) -> bool {
        self.runs.get(usize::from(selection)).is_some_and(|runs| *runs)
    }

    #[inline]
    fn levels(&self, selection: u16, side: Side) -> &Levels {
        &self.sides[usize::from(selection)][side.place()]
    }

    #[inline]
    fn levels_mut(&mut self, selection: u16, side: Side) -> &mut Levels {
        &mut self.sides[usize::from(selection)][side.place()]
    }

    /// The best price of the orders that rest on a side: the lowest backs, the highest lays.
    pub fn best(&self, selection: u16, side: Side) -> Option<Tick> {
        self.best_tick(selection, side).map(Tick::new)
    }

    #[inline]
    fn best_tick(&self, selection: u16, side: Side) -> Option<u32> {
        match side {
            Side::Back => self.levels(selection, side).lowest(),
            Side::Lay => self.levels(selection, side).highest(),
        }
    }

    /// What rests at a price, in minor units of the backers' stakes.
    pub fn size(&self, selection: u16, side: Side, tick: Tick) -> i64 {
        self.levels(selection, side).at(tick.index()).size
    }

    /// Every price of a side with what rests there, best first.
    pub fn depth(&self, selection: u16, side: Side) -> impl Iterator<Item = (Tick, i64)> + '_ {
        let levels = self.levels(selection, side);
        let mut up = levels.filled();
        let next = move || match side {
            Side::Back => up.next(),
            Side::Lay => up.next_back(),
        };
        std::iter::from_fn(next).map(|tick| (Tick::new(tick), levels.at(tick).size))
    }

    /// Matches an order as far as it goes; what is left rests, if it may. All of it is in `log`, whose steps before are
    /// forgotten. [`Book::finish`] is called when it has been read.
    ///
    /// # Errors
    /// Why it was not let in: nothing has changed.
    pub fn place(
        &mut self,
        orders: &mut Orders,
        taker: &Taker,
        log: &mut Log,
    ) -> Result<Placed, NotPlaced> {
        self.place_unless(orders, taker, log, |_| false)
    }

    /// The same; an order of an account that is `barred` is cancelled when it is met.
    ///
    /// # Errors
    /// Why it was not let in: nothing has changed.
    pub fn place_unless(
        &mut self,
        orders: &mut Orders,
        taker: &Taker,
        log: &mut Log,
        barred: impl Fn(u32) -> bool,
    ) -> Result<Placed, NotPlaced> {
        log.steps.clear();
        if self.prices.e4.len() <= taker.limit.index() as usize {
            return Err(NotPlaced::OffLadder);
        }
        if !self.runs.get(usize::from(taker.selection)).is_some_and(|runs| *runs) {
            return Err(NotPlaced::NoSuchSelection);
        }
        if taker.size <= 0 || taker.kill.is_some_and(|least| least <= 0 || taker.size < least) {
            return Err(NotPlaced::Size);
        }
        if orders.is_full() {
            return Err(NotPlaced::Full);
        }
        let mut placed = Placed { matched: 0, returns_e4: 0, left: taker.size, end: End::Matched };
        let lapse = self.match_all(orders, taker, log, &mut placed, &barred);
        if let Some(least) = taker.kill {
            if placed.matched < least {
                self.take_back(orders, log);
                let end = End::Lapsed(Lapse::Killed);
                return Ok(Placed { matched: 0, returns_e4: 0, left: taker.size, end });
            }
            if 0 < placed.left {
                placed.end = End::Lapsed(lapse.unwrap_or(Lapse::Filled));
            }
        } else if let Some(why) = lapse {
            placed.end = End::Lapsed(why);
        } else if 0 < placed.left {
            placed.end = End::Rests(self.rest(orders, taker, placed.left, placed.matched));
        }
        Ok(placed)
    }

    /// An order waits that was here before: `taker` as it came, of which so much was matched and so much is left. Those
    /// that were before it are there already. Nothing if there is no place for it.
    pub fn put_back(
        &mut self,
        orders: &mut Orders,
        taker: &Taker,
        left: i64,
        matched: i64,
    ) -> Option<OrderIndex> {
        let side = self.sides.get(usize::from(taker.selection)).is_some();
        let fits = side && taker.limit.index() < self.prices.len() && 0 < left && !orders.is_full();
        fits.then(|| self.rest(orders, taker, left, matched))
    }

    /// Whether an order would be matched at once, in part at least: what waits for no delay does not.
    pub fn would_match(&mut self, taker: &Taker) -> bool {
        let whole = Placed { matched: 0, returns_e4: 0, left: taker.size, end: End::Matched };
        let direct = self.best_tick(taker.selection, taker.side.other());
        let direct = direct.filter(|tick| 0 < self.may_take(taker, &whole, *tick));
        direct.is_some() || self.crosses && self.cross(taker, &whole, None)
    }

    /// Gives back the places of what was filled or cancelled.
    pub fn finish(&mut self, orders: &mut Orders, log: &mut Log) {
        for step in log.steps.drain(..) {
            match step {
                Step::Fill { maker, left: 0, .. }
                | Step::Leg { maker, left: 0, .. }
                | Step::Cancelled { maker, .. } => orders.give_back(maker.0),
                Step::Fill { .. } | Step::Leg { .. } | Step::Cross { .. } => (),
            }
        }
    }

    /// Takes an order out. What it still wanted.
    pub fn cancel(&mut self, orders: &mut Orders, index: OrderIndex) -> Option<i64> {
        let left = orders.get(index)?.remaining;
        self.unlink(orders, index.0);
        orders.give_back(index.0);
        Some(left)
    }

    /// Makes an order smaller; it keeps its place. By how much: not by more than it wants, and then it is out.
    pub fn reduce(&mut self, orders: &mut Orders, index: OrderIndex, by: i64) -> Option<i64> {
        let order = *orders.get(index)?;
        if by <= 0 {
            return None;
        }
        if order.remaining <= by {
            return self.cancel(orders, index);
        }
        orders.at_mut(index.0).remaining -= by;
        self.levels_mut(order.selection, order.side).at_mut(order.tick).size -= by;
        Some(by)
    }

    /// Why it went no further, where it does not rest.
    fn match_all(
        &mut self,
        orders: &mut Orders,
        taker: &Taker,
        log: &mut Log,
        placed: &mut Placed,
        barred: &impl Fn(u32) -> bool,
    ) -> Option<Lapse> {
        let (side, limit) = (taker.side, taker.limit.index());
        while 0 < placed.left {
            let direct = self.best_tick(taker.selection, side.other());
            let direct = direct.filter(|tick| 0 < self.may_take(taker, placed, *tick));
            let crossed = self.crosses && self.cross(taker, placed, direct);
            let best = if crossed { Some(self.crossing.tick) } else { direct };
            let Some(best) = best else { break };
            if taker.improvement == Improvement::Refuse && side.prefers(best, limit) {
                return Some(Lapse::Improvement);
            }
            let why = if crossed {
                self.take_crossed(orders, taker, log, placed, barred)
            } else {
                self.take_direct(orders, taker, log, placed, best, barred)
            };
            if why.is_some() {
                return why;
            }
        }
        None
    }

    /// How much it may take at a price: all that is left within its limit; of fill-or-kill so much that the average
    /// stays within it.
    #[inline]
    fn may_take(&self, taker: &Taker, placed: &Placed, tick: u32) -> i64 {
        let limit = taker.limit.index();
        if !taker.side.prefers(limit, tick) {
            return placed.left;
        }
        if taker.kill.is_none() {
            return 0;
        }
        let (limit, price) = (self.prices.e4(limit), self.prices.e4(tick));
        let even = limit * i128::from(placed.matched);
        let (spare, each) = match taker.side {
            Side::Back => (placed.returns_e4 - even, limit - price),
            Side::Lay => (even - placed.returns_e4, price - limit),
        };
        // Lines are all at one price: a worse one than the limit is never made good by another.
        let may = spare.checked_div(each).unwrap_or(0);
        i64::try_from(may).unwrap_or(i64::MAX).min(placed.left)
    }

    #[inline]
    fn take_direct(
        &mut self,
        orders: &mut Orders,
        taker: &Taker,
        log: &mut Log,
        placed: &mut Placed,
        tick: u32,
        barred: &impl Fn(u32) -> bool,
    ) -> Option<Lapse> {
        if !log.has_room_for(1) {
            return Some(Lapse::FillLimit);
        }
        let head = self.levels(taker.selection, taker.side.other()).at(tick).head;
        if let Some(end) = self.must_go(orders, taker, log, head, barred) {
            return end;
        }
        let may = self.may_take(taker, placed, tick);
        let stake = orders.at(head).remaining.min(may);
        let (account, left) = self.fill(orders, head, stake);
        log.steps.push(Step::Fill { maker: OrderIndex(head), account, tick, stake, left });
        self.took(placed, tick, stake);
        None
    }

    /// If the order there is of the same account and that is not allowed, or its account may not bet any more: what
    /// follows, `Some(None)` being that the order is gone and it goes on.
    #[inline]
    fn must_go(
        &mut self,
        orders: &mut Orders,
        taker: &Taker,
        log: &mut Log,
        maker: u32,
        barred: &impl Fn(u32) -> bool,
    ) -> Option<Option<Lapse>> {
        let account = orders.at(maker).account;
        let barred = barred(account);
        let meets_itself = account == taker.account && taker.self_match != SelfMatch::Allow;
        if !barred && !meets_itself {
            return None;
        }
        if barred || taker.self_match != SelfMatch::RefuseTaker {
            let left = orders.at(maker).remaining;
            self.unlink(orders, maker);
            log.steps.push(Step::Cancelled { maker: OrderIndex(maker), left });
        }
        let goes_on = barred || taker.self_match == SelfMatch::CancelMaker;
        Some(if goes_on { None } else { Some(Lapse::SelfMatch) })
    }

    /// The house meets the taker and every leg that was found.
    fn take_crossed(
        &mut self,
        orders: &mut Orders,
        taker: &Taker,
        log: &mut Log,
        placed: &mut Placed,
        barred: &impl Fn(u32) -> bool,
    ) -> Option<Lapse> {
        // First everything is looked at: a cross-match is whole or not at all.
        let mut legs = 0_usize;
        for at in 0..self.crossing.legs.len() {
            let leg = self.crossing.legs[at];
            let mut maker = self.levels(leg.selection, taker.side).at(leg.tick).head;
            let mut left = leg.stake;
            while 0 < left {
                if !log.has_room_for(legs + 2) {
                    return Some(Lapse::FillLimit);
                }
                if let Some(end) = self.must_go(orders, taker, log, maker, barred) {
                    return end;
                }
                legs += 1;
                left -= orders.at(maker).remaining;
                maker = orders.at(maker).next;
            }
        }
        let (tick, stake) = (self.crossing.tick, self.crossing.stake);
        log.steps.push(Step::Cross { tick, stake, legs: legs as u32 });
        for at in 0..self.crossing.legs.len() {
            let leg = self.crossing.legs[at];
            let mut left = leg.stake;
            while 0 < left {
                let maker = self.levels(leg.selection, taker.side).at(leg.tick).head;
                let stake = orders.at(maker).remaining.min(left);
                let (account, remains) = self.fill(orders, maker, stake);
                log.steps.push(Step::Leg {
                    maker: OrderIndex(maker),
                    account,
                    selection: leg.selection,
                    tick: leg.tick,
                    stake,
                    left: remains,
                });
                left -= stake;
            }
        }
        self.took(placed, tick, stake);
        None
    }

    #[inline]
    fn took(&self, placed: &mut Placed, tick: u32, stake: i64) {
        placed.matched += stake;
        placed.left -= stake;
        placed.returns_e4 += i128::from(stake) * self.prices.e4(tick);
    }

    /// Whose it was, and what it still wants.
    #[inline]
    fn fill(&mut self, orders: &mut Orders, index: u32, stake: i64) -> (u32, i64) {
        let order = orders.at_mut(index);
        if order.remaining == stake {
            let account = order.account;
            self.unlink(orders, index);
            let order = orders.at_mut(index);
            order.matched += stake;
            order.remaining = 0;
            return (account, 0);
        }
        order.remaining -= stake;
        order.matched += stake;
        let order = *order;
        self.levels_mut(order.selection, order.side).at_mut(order.tick).size -= stake;
        (order.account, order.remaining)
    }

    /// What is left waits behind everybody who was there before.
    #[inline]
    fn rest(&mut self, orders: &mut Orders, taker: &Taker, left: i64, matched: i64) -> OrderIndex {
        let tick = taker.limit.index();
        let tail = self.levels(taker.selection, taker.side).at(tick).tail;
        let index = orders
            .take(Order {
                account: taker.account,
                tick,
                remaining: left,
                matched,
                number: NONE,
                selection: taker.selection,
                side: taker.side,
                live: true,
                prev: tail,
                next: NONE,
            })
            .expect("there is a place: it was looked at before, and none was taken since");
        if tail != NONE {
            orders.at_mut(tail).next = index;
        }
        let levels = self.levels_mut(taker.selection, taker.side);
        let level = levels.at_mut(tick);
        if tail == NONE {
            level.head = index;
        }
        level.tail = index;
        level.size += left;
        levels.fill(tick);
        OrderIndex(index)
    }

    /// Takes an order out of its level; its place stays taken.
    #[inline]
    fn unlink(&mut self, orders: &mut Orders, index: u32) {
        let order = *orders.at(index);
        let levels = self.levels_mut(order.selection, order.side);
        let level = levels.at_mut(order.tick);
        level.size -= order.remaining;
        match (order.prev, order.next) {
            (NONE, NONE) => return levels.empty(order.tick),
            (NONE, next) => level.head = next,
            (prev, NONE) => level.tail = prev,
            _ => (),
        }
        if order.prev != NONE {
            orders.at_mut(order.prev).next = order.next;
        }
        if order.next != NONE {
            orders.at_mut(order.next).prev = order.prev;
        }
    }

    /// Undoes all that is in the log, last first.
    fn take_back(&mut self, orders: &mut Orders, log: &mut Log) {
        while let Some(step) = log.steps.pop() {
            match step {
                Step::Fill { maker, stake, left, .. } | Step::Leg { maker, stake, left, .. } => {
                    let order = orders.at_mut(maker.0);
                    order.matched -= stake;
                    order.remaining += stake;
                    let order = *order;
                    if left == 0 {
                        self.link_again(orders, maker.0);
                    } else {
                        self.levels_mut(order.selection, order.side).at_mut(order.tick).size +=
                            stake;
                    }
                }
                Step::Cancelled { maker, .. } => self.link_again(orders, maker.0),
                Step::Cross { .. } => (),
            }
        }
    }

    /// Puts an order back between those that were beside it when it was taken out.
    fn link_again(&mut self, orders: &mut Orders, index: u32) {
        let order = *orders.at(index);
        if order.prev != NONE {
            orders.at_mut(order.prev).next = index;
        }
        if order.next != NONE {
            orders.at_mut(order.next).prev = index;
        }
        let levels = self.levels_mut(order.selection, order.side);
        let level = levels.at_mut(order.tick);
        level.size += order.remaining;
        if order.prev == NONE {
            level.head = index;
        }
        if order.next == NONE {
            level.tail = index;
        }
        levels.fill(order.tick);
    }

    /// Whether everything that is kept twice says the same.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self, orders: &Orders) -> Result<(), String> {
        for selection in 0..self.sides.len() as u16 {
            for side in [Side::Back, Side::Lay] {
                let levels = self.levels(selection, side);
                let filled: Vec<u32> = levels.filled().collect();
                let all =
                    (0..self.prices.e4.len() as u32).filter(|tick| levels.at(*tick).size != 0);
                if !all.eq(filled.iter().copied()) {
                    return Err(format!("{side:?} of {selection}: bits {filled:?}"));
                }
                let ends = (levels.lowest(), levels.highest());
                if ends != (filled.first().copied(), filled.last().copied()) {
                    return Err(format!("{side:?} of {selection}: ends {ends:?} of {filled:?}"));
                }
                for tick in filled {
                    self.check_level(orders, selection, side, tick)?;
                }
            }
        }
        Ok(())
    }

    fn check_level(
        &self,
        orders: &Orders,
        selection: u16,
        side: Side,
        tick: u32,
    ) -> Result<(), String> {
        let level = self.levels(selection, side).at(tick);
        let (mut at, mut before, mut size) = (level.head, NONE, 0);
        while at != NONE {
            let order = orders.at(at);
            let here = (order.selection, order.side, order.tick) == (selection, side, tick);
            if !order.live || !here || order.prev != before || order.remaining <= 0 {
                return Err(format!(
                    "{order:?} at {tick} of {side:?} {selection}, behind {before}"
                ));
            }
            size += order.remaining;
            (before, at) = (at, order.next);
        }
        if (level.tail, level.size) != (before, size) {
            return Err(format!("{level:?} at {tick} of {side:?} {selection} holds {size}"));
        }
        Ok(())
    }
}
