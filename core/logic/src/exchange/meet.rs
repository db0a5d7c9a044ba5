//! An order meets what is there, and what it risked becomes what it has.

use super::{Exchange, OrderRow, OrderState, OrderStep, Position};
use crate::bet::NONE;
use crate::book::{End, Improvement, Lapse, OrderIndex, SelfMatch, Step, Taker};
use crate::command::OrderEntry;
use crate::event::{
    Cut, Events, ExposureHeld, HouseAccount, Match, OrderBegan, OrderCut, OrderMatched, TransferWhy,
};
use crate::id::{AccountId, BetId, OrderId, SelectionIndex};
use crate::ledger::Side as Party;
use crate::limits::PositionMoved;
use crate::rules::Rules;
use crate::state::State;
use crate::wire::Minor;
use betring_pricing::Tick;
use std::cmp::Reverse;

impl<R: Rules> State<R> {
    pub(crate) fn taker_of(&self, position: u32, row: &OrderRow) -> Taker {
        let refuses = row.flags & OrderEntry::REFUSE_IMPROVEMENT != 0;
        let Position { account, market, .. } = self.exchange.positions[position as usize];
        let selection = self.exchange_of(market).shelf(row.selection);
        Taker {
            account,
            selection,
            side: row.side,
            limit: Tick::new(row.limit),
            size: row.left,
            kill: (row.min_fill != 0).then_some(row.min_fill),
            self_match: SelfMatch::from_code(row.self_match).unwrap_or_default(),
            improvement: if refuses { Improvement::Refuse } else { Improvement::Take },
        }
    }

    /// An order meets what is there, by at most so many fills; one for the starting price waits for that. How many
    /// fills that were.
    pub(crate) fn meet(&mut self, index: u32, at: u32, most: usize, events: &mut Events) -> usize {
        let row = self.exchange.rows[at as usize];
        if row.is_on_close() {
            let exchange = self.exchange_of_mut(index);
            exchange.starting[usize::from(row.selection)].add(row.side, row.tick(), row.left);
            return 0;
        }
        let taker = self.taker_of(row.position, &row);
        // Each better line that it is matched at is a part of it.
        let lines = self.exchange_of(index).has_lines();
        let most = if lines { most.min(self.exchange.parts_left()) } else { most };
        let Exchange { markets, orders, log, .. } = &mut self.exchange;
        let book = &mut markets[index as usize].as_mut().expect("it has a book").book;
        log.allow(most);
        let (accounts, now) = (&self.ledger.accounts, self.now);
        let barred = |account: u32| !accounts[account as usize].may_bet(now);
        let placed = book.place_unless(orders, &taker, log, barred);
        let placed = placed.expect("it was looked at before");
        let used = log.steps().len();
        for step in 0..used {
            match self.exchange.log.steps()[step] {
                Step::Fill { maker, tick, stake, left, .. } => {
                    let maker = self.exchange.orders.number(maker);
                    self.matched(index, maker, at, Match::Direct, tick, stake, left, events);
                    self.took(index, at, tick, stake);
                }
                Step::Cross { tick, stake, .. } => {
                    let left = self.exchange.rows[at as usize].left - stake;
                    let none = OrderId::NONE;
                    self.tell_match(index, at, none, Match::Crossed, tick, stake, left, events);
                    self.took(index, at, tick, stake);
                }
                Step::Leg { maker, tick, stake, left, .. } => {
                    let maker = self.exchange.orders.number(maker);
                    self.matched(index, maker, at, Match::Leg, tick, stake, left, events);
                }
                Step::Cancelled { maker, .. } => {
                    let maker = self.exchange.orders.number(maker);
                    self.exchange.rows[maker as usize].place = OrderIndex(NONE);
                    let own = self.exchange.rows[maker as usize].position == row.position;
                    let why = if own { Cut::SelfMatch } else { Cut::Barred };
                    self.cut(index, maker, why, events);
                }
            }
        }
        let Exchange { markets, orders, log, .. } = &mut self.exchange;
        let book = &mut markets[index as usize].as_mut().expect("it has a book").book;
        book.finish(orders, log);
        match placed.end {
            End::Rests(place) => {
                orders.set_number(place, at);
                self.exchange.rows[at as usize].place = place;
            }
            End::Matched => self.complete(at, OrderStep::Complete),
            End::Lapsed(why) => self.cut(index, at, cut_of(why), events),
        }
        used
    }

    /// An order that was there was matched.
    #[expect(clippy::too_many_arguments, reason = "who, with whom, how, at what, how much")]
    fn matched(
        &mut self,
        index: u32,
        maker: u32,
        taker: u32,
        how: Match,
        tick: u32,
        stake: i64,
        left: i64,
        events: &mut Events,
    ) {
        let taker = self.exchange.rows[taker as usize].id(taker);
        self.tell_match(index, maker, taker, how, tick, stake, left, events);
        self.took(index, maker, tick, stake);
        if left == 0 {
            self.exchange.rows[maker as usize].place = OrderIndex(NONE);
            self.complete(maker, OrderStep::Complete);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an event has as many fields")]
    fn tell_match(
        &mut self,
        index: u32,
        at: u32,
        taker: OrderId,
        how: Match,
        tick: u32,
        stake: i64,
        left: i64,
        events: &mut Events,
    ) {
        let row = &self.exchange.rows[at as usize];
        let exchange = self.exchange_of(index);
        let (selection, place) = exchange.spot(row.selection, tick);
        events.push(&OrderMatched {
            order: row.id(at),
            taker,
            market: self.market_id(index),
            stake: Minor(stake),
            left: Minor(left),
            price_e4: exchange.prices.odds_e4(Tick::new(tick)),
            selection: SelectionIndex(selection),
            side: row.side as u8,
            how: how as u8,
            account: AccountId::new(self.exchange.positions[row.position as usize].account, 1),
        });
        // Two orders that met are one trade; what the house met is one for itself.
        let traded = &mut self.exchange_of_mut(index).traded[usize::from(selection)];
        traded[place as usize] += stake;
    }

    /// So much of an order that waited is matched at a place of its book.
    fn took(&mut self, index: u32, at: u32, tick: u32, stake: i64) {
        let exchange = self.exchange_of(index);
        let odds = exchange.prices.odds_e4(Tick::new(tick));
        if !exchange.has_lines() {
            return self.took_at(index, at, odds, stake);
        }
        let line = tick as u16;
        self.exchange.add_line(at, line, stake);
        self.has_now(index, at, line, odds, stake);
    }

    /// So much of an order that waited is matched on its selection, at any odds.
    pub(crate) fn took_at(&mut self, index: u32, at: u32, odds_e4: u32, stake: i64) {
        self.exchange.add_match(at, odds_e4, stake);
        let selection = self.exchange.rows[at as usize].selection;
        self.has_now(index, at, selection, odds_e4, stake);
    }

    /// What an order risked is what it has, perhaps at a better line than its own.
    fn has_now(&mut self, index: u32, at: u32, selection: u16, odds_e4: u32, stake: i64) {
        self.exchange.rows[at as usize].left -= stake;
        let row = self.exchange.rows[at as usize];
        self.risk(index, row.position, &row, -stake);
        self.exchange.stand(row.position, selection).matched(row.side, stake, odds_e4);
        self.exchange.touch(row.position);
    }

    /// Nothing of an order waits any more.
    pub(crate) fn complete(&mut self, at: u32, step: OrderStep) {
        self.exchange.unlink(at);
        let row = &mut self.exchange.rows[at as usize];
        row.state = row.state.after(step).expect("what waits can end");
        if row.is_spent() {
            self.exchange.spend(at);
        }
    }

    /// What waits of an order is gone; it is in no book any more.
    pub(crate) fn cut(&mut self, index: u32, at: u32, why: Cut, events: &mut Events) {
        let row = self.exchange.rows[at as usize];
        self.risk(index, row.position, &row, -row.left);
        self.cut_without_risk(at, why, events);
    }

    /// The same for one that was never counted as waiting.
    pub(crate) fn cut_without_risk(&mut self, at: u32, why: Cut, events: &mut Events) {
        let row = &mut self.exchange.rows[at as usize];
        let by = std::mem::take(&mut row.left);
        match why {
            Cut::Cancelled => row.cancelled += by,
            _ => row.lapsed += by,
        }
        let row = *row;
        self.exchange.touch(row.position);
        self.tell_cut(at, by, why, events);
        let killed = why == Cut::Killed && row.matched == 0;
        self.complete(at, if killed { OrderStep::Kill } else { OrderStep::Complete });
    }

    pub(crate) fn tell_cut(&self, at: u32, by: i64, why: Cut, events: &mut Events) {
        let row = &self.exchange.rows[at as usize];
        events.push(&OrderCut {
            order: row.id(at),
            account: AccountId::new(self.exchange.positions[row.position as usize].account, 1),
            by: Minor(by),
            why: why as u8,
            zero: [0; 7],
        });
    }

    /// An order leaves the book, or the sums of the starting price; it still waits.
    pub(crate) fn take_out(&mut self, index: u32, at: u32) {
        let row = self.exchange.rows[at as usize];
        if row.rests() {
            let Exchange { markets, orders, .. } = &mut self.exchange;
            let book = &mut markets[index as usize].as_mut().expect("it has a book").book;
            book.cancel(orders, row.place);
            self.exchange.rows[at as usize].place = OrderIndex(NONE);
        } else if row.is_on_close() && row.state == OrderState::Executable {
            let exchange = self.exchange_of_mut(index);
            exchange.starting[usize::from(row.selection)].add(row.side, row.tick(), -row.left);
        }
    }

    /// Every position that this command changed has in escrow what it may lose.
    pub(crate) fn hold_exposures(&mut self, events: &mut Events) {
        while let Some(at) = self.exchange.touched.pop() {
            self.exchange.positions[at as usize].touched = false;
            self.hold_exposure(at, events);
        }
    }

    fn hold_exposure(&mut self, at: u32, events: &mut Events) {
        let position = self.exchange.positions[at as usize];
        if position.settled {
            return;
        }
        let market = &self.markets[position.market as usize];
        let worst = self.exchange.exposure(at, market.winners);
        let more = worst - position.held;
        if more == 0 {
            return;
        }
        self.exchange.positions[at as usize].held = worst;
        let escrow = Party::House(HouseAccount::Escrow);
        let own = Party::Customer(position.account);
        let (from, to) = match (0 < more, market.job) {
            (false, _) => (escrow, own),
            (true, None) => (own, escrow),
            // News may make it more than there is: a runner is withdrawn, a result taken back.
            (true, Some(_)) => (Party::Debtor(position.account), escrow),
        };
        let owed = matches!(from, Party::Debtor(_));
        let moved =
            if more < 0 { PositionMoved::Back(-more) } else { PositionMoved::Held { more, owed } };
        self.count_position(at, moved);
        let (amount, why) = (more.abs(), TransferWhy::Exposure);
        self.transfer(position.account, from, to, amount, why, BetId::NONE, events);
        events.push(&ExposureHeld {
            account: AccountId::new(position.account, 1),
            market: self.market_id(position.market),
            held: Minor(worst),
        });
    }

    /// Whether the end of an order's delay has come.
    pub(crate) fn order_is_due(&self) -> bool {
        let first = self.exchange.timers.peek();
        first.is_some_and(|Reverse((due, ..))| *due <= self.now)
    }

    /// Delays that are over end, in turn. How many units of work that was.
    pub(crate) fn end_delays(&mut self, budget: u32, events: &mut Events) -> u32 {
        let mut left = budget;
        while 0 < left && self.order_is_due() {
            let Some(Reverse((_, _, id))) = self.exchange.timers.pop() else { break };
            left = left.saturating_sub(self.end_delay(id, events));
        }
        budget - left
    }

    /// The delay of an order is over: it is looked at as if it came now, and meets what is there.
    fn end_delay(&mut self, id: OrderId, events: &mut Events) -> u32 {
        // It may have lapsed meanwhile.
        let pending = self.exchange.find(id).is_some_and(|row| row.state == OrderState::Pending);
        if !pending {
            return 1;
        }
        let at = id.index();
        let row = self.exchange.rows[at as usize];
        let position = self.exchange.positions[row.position as usize];
        let index = position.market;
        let selection = SelectionIndex(row.selection);
        let open = self.open_for_bets(self.market_id(index), selection).is_ok();
        let since = self.exchange_version(index);
        let stale = row.version.0 != 0 && row.version < since;
        // What a selection alone was under is no news of the market, but of this order.
        let first = self.markets[index as usize].first as usize;
        let own = self.selections[first + usize::from(row.selection)].suspension.seq;
        let suspended = row.placed_seq < since.max(own) || !open;
        let barred = self.may_bet(position.account).is_err();
        let mut units = 1;
        if stale || suspended || barred {
            let why = match (stale, suspended) {
                (true, _) => Cut::Version,
                (_, true) => Cut::Suspended,
                _ => Cut::Barred,
            };
            self.cut(index, at, why, events);
        } else {
            let row = &mut self.exchange.rows[at as usize];
            row.state = row.state.after(OrderStep::Begin).expect("what is pending begins");
            // Its turn is now: who came meanwhile and waits for nothing was before it.
            row.turn = self.exchange.turn;
            self.exchange.turn += 1;
            events.push(&OrderBegan { order: id, account: AccountId::new(position.account, 1) });
            units += self.meet(index, at, DELAYED_FILLS_MAX, events) as u32 / 4;
        }
        self.hold_exposures(events);
        units
    }
}

/// Fills of an order whose delay has ended: several may end in one turn.
pub(crate) const DELAYED_FILLS_MAX: usize = 128;

pub(crate) fn cut_of(why: Lapse) -> Cut {
    match why {
        Lapse::FillLimit => Cut::FillLimit,
        Lapse::SelfMatch => Cut::SelfMatch,
        Lapse::Improvement => Cut::Improvement,
        Lapse::Killed | Lapse::Filled => Cut::Killed,
    }
}
