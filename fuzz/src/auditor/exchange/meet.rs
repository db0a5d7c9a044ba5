//! An order meets what is there, and what it risked becomes what it has; and the ends of delays.

use super::super::{Auditor, Checked, rule};
use super::{AT_A_BETTER_LINE, AT_ITS_LINE, Order, Trading, WHOLE};
use crate::naive_book::Did;
use betring_core::OrderState;
use betring_core::book::{Improvement, Lapse, SelfMatch, Side, Taker};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::wire::Minor;
use betring_pricing::Tick;

/// Things that an order does whose delay has ended.
const DELAYED_FILLS: usize = 128;

impl Order {
    pub(super) fn taker(&self, trading: &Trading) -> Taker {
        let refuses = self.flags & OrderEntry::REFUSE_IMPROVEMENT != 0;
        let tick = trading.tick(self.limit).unwrap_or_default();
        // All lines are in one book, as its prices.
        let (selection, tick) =
            if trading.has_lines() { (0, self.selection) } else { (self.selection, tick) };
        Taker {
            account: AccountId::from_raw(self.account).index(),
            selection: selection as u16,
            side: self.side,
            limit: Tick::new(tick as u32),
            size: self.left,
            kill: (self.min_fill != 0).then_some(self.min_fill),
            self_match: SelfMatch::from_code(self.self_match).unwrap_or_default(),
            improvement: if refuses { Improvement::Refuse } else { Improvement::Take },
        }
    }
}

impl Auditor {
    /// An order meets what is there, or waits for the starting price. How many things it did.
    pub(super) fn meet(&mut self, id: u64, most: usize) -> usize {
        let order = self.order(id).clone();
        if order.on_close() {
            return 0;
        }
        let may_not = |account: &&u64| self.may_bet(**account).is_err();
        let barred = self.accounts.keys().filter(may_not);
        let barred = barred.map(|account| AccountId::from_raw(*account).index()).collect();
        let trading = self.trading(order.market);
        let taker = order.taker(trading);
        trading.book.allow(most);
        trading.book.barred = barred;
        let Ok((became, did)) = trading.book.place(&taker) else { return 0 };
        let in_book = trading.in_book.clone();
        let (prices, lines) = (trading.prices.clone(), trading.has_lines());
        // After a crossing its legs follow.
        let mut legs = 0;
        for one in &did {
            match *one {
                Did::Met(number, selection, tick, stake, _) => {
                    let maker = in_book.get(&number).copied().unwrap_or_default();
                    let (at, odds) = match lines {
                        true => (tick as usize, prices[0]),
                        false => (usize::from(selection), prices[tick as usize]),
                    };
                    let leg = 0 < legs;
                    legs -= i32::from(leg);
                    let how = if leg { Match::Leg } else { Match::Direct };
                    self.is_matched(maker, id, how, (at, odds), stake);
                    if self.order(maker).left == 0 {
                        self.leaves_book(maker);
                        self.order_mut(maker).state = OrderState::ExecutionComplete;
                    }
                    if !leg {
                        self.is_filled(id, (at, odds), stake);
                    }
                }
                Did::Crossed(tick, stake, count) => {
                    legs = count as i32;
                    let spot = (order.selection, prices[tick as usize]);
                    self.is_matched(id, 0, Match::Crossed, spot, stake);
                }
                Did::Cancelled(number, _) => {
                    let maker = in_book.get(&number).copied().unwrap_or_default();
                    self.leaves_book(maker);
                    let own = self.order(maker).account == order.account;
                    self.cut(maker, if own { Cut::SelfMatch } else { Cut::Barred });
                }
            }
        }
        match (became.waits, became.lapse) {
            (Some(number), _) => {
                self.order_mut(id).number = Some(number);
                self.trading(order.market).in_book.insert(number, id);
            }
            (None, None) => self.order_mut(id).state = OrderState::ExecutionComplete,
            (None, Some(lapse)) => self.cut(
                id,
                match lapse {
                    Lapse::FillLimit => Cut::FillLimit,
                    Lapse::SelfMatch => Cut::SelfMatch,
                    Lapse::Improvement => Cut::Improvement,
                    Lapse::Killed | Lapse::Filled => Cut::Killed,
                },
            ),
        }
        did.len()
    }

    /// An order is in the book no more.
    pub(super) fn leaves_book(&mut self, id: u64) {
        let order = self.order_mut(id);
        let market = order.market;
        if let Some(number) = order.number.take() {
            let trading = self.trading(market);
            trading.book.cancel(number);
            trading.in_book.remove(&number);
        }
    }

    /// So much of an order is matched, and that is told.
    pub(super) fn is_matched(
        &mut self,
        id: u64,
        taker: u64,
        how: Match,
        (selection, odds): (usize, u32),
        stake: i64,
    ) {
        self.is_filled(id, (selection, odds), stake);
        let order = self.order(id);
        let market = order.market;
        self.told.push(Event::OrderMatched(OrderMatched {
            order: OrderId::from_raw(id),
            taker: OrderId::from_raw(taker),
            market: MarketId::from_raw(market),
            stake: Minor(stake),
            left: Minor(order.left),
            price_e4: odds,
            selection: SelectionIndex(selection as u16),
            side: order.side as u8,
            how: how as u8,
            account: AccountId::from_raw(order.account),
        }));
        if how != Match::Starting {
            let traded = &mut self.trading(market).traded;
            *traded.entry((selection, odds)).or_default() += i128::from(stake);
        }
    }

    fn is_filled(&mut self, id: u64, (selection, odds): (usize, u32), stake: i64) {
        let order = self.order(id);
        let word = if selection == order.selection { AT_ITS_LINE } else { AT_A_BETTER_LINE };
        if self.has_lines(MarketId::from_raw(order.market)) {
            *self.hits.exchange.entry(word.to_owned()).or_default() += 1;
            *self.order_mut(id).lines.entry(selection).or_default() += stake;
        }
        let order = self.order_mut(id);
        order.left -= stake;
        order.matched += stake;
        order.returns += i128::from(stake) * i128::from(odds);
        let all = |stake: i64| i128::from(stake) * i128::from(odds);
        match order.prices.last_mut().filter(|(had, returns)| *returns == all(*had)) {
            Some((had, returns)) => (*had, *returns) = (*had + stake, *returns + all(stake)),
            None => order.prices.push((stake, all(stake))),
        }
        let (market, account) = (order.market, order.account);
        self.touch(market, account);
    }

    /// What waits of an order is gone.
    pub(super) fn cut(&mut self, id: u64, why: Cut) {
        let order = self.order_mut(id);
        let by = std::mem::take(&mut order.left);
        match why {
            Cut::Cancelled => order.cancelled += by,
            _ => order.lapsed += by,
        }
        let killed = why == Cut::Killed && order.matched == 0;
        order.state = if killed { OrderState::Expired } else { OrderState::ExecutionComplete };
        let (market, account, spent) = (order.market, order.account, order.matched == 0);
        if spent {
            self.exchange.spent.push(id);
        }
        self.touch(market, account);
        self.tell_cut(id, by, why);
    }

    pub(super) fn tell_cut(&mut self, id: u64, by: i64, why: Cut) {
        let account = AccountId::from_raw(self.order(id).account);
        let order = OrderId::from_raw(id);
        let by = Minor(by);
        self.told.push(Event::OrderCut(OrderCut {
            order,
            account,
            by,
            why: why as u8,
            zero: [0; 7],
        }));
    }

    /// What waits of an order goes, wherever it waits.
    pub(super) fn ends(&mut self, id: u64, why: Cut) {
        if self.order(id).state.waits() {
            self.leaves_book(id);
            self.cut(id, why);
        }
    }

    /// The delay of an order is over, and no other order that waits was to begin before it.
    pub(in super::super) fn delay_ends(&mut self, id: u64) -> Checked {
        let waits = |id: &u64| {
            self.exchange.orders.get(id).is_some_and(|order| order.state == OrderState::Pending)
        };
        let timers = self.exchange.timers.iter();
        let first = timers.copied().find(|(.., id)| waits(id));
        let due = first.filter(|(due, ..)| *due <= self.now);
        rule(due.is_some_and(|(.., due)| due == id), || {
            format!("the delay of order {id:#x} ended, and {first:?} is the first to end")
        })?;
        // Whose delay ended before, and who did not wait any more, gave its place back, too.
        if let Some(due) = due {
            self.exchange.timers.retain(|timer| due < *timer);
        }
        let order = self.order(id).clone();
        let version = self.version_of(order.market);
        let market = MarketId::from_raw(order.market);
        let closed = self.takes_bets(market, order.selection).is_err();
        let own = self.markets[&order.market].runners[order.selection].suspended.last;
        let suspended = closed || order.placed_seq < version.max(own);
        let barred = self.may_bet(order.account).is_err();
        let stale = order.is_stale(version);
        if stale || suspended || barred {
            let why = if suspended { Cut::Suspended } else { Cut::Barred };
            self.cut(id, if stale { Cut::Version } else { why });
        } else {
            self.order_mut(id).state = OrderState::Executable;
            let account = AccountId::from_raw(order.account);
            let order = OrderId::from_raw(id);
            self.told.push(Event::OrderBegan(OrderBegan { order, account }));
            self.meet(id, DELAYED_FILLS);
        }
        self.hold_exposures();
        Ok(())
    }

    /// Whether an order waits for its delay, which is over.
    pub(in super::super) fn waits_for_its_delay(&self, id: OrderId) -> bool {
        let order = self.exchange.orders.get(&id.raw());
        order.is_some_and(|o| o.state == OrderState::Pending && o.until <= self.now)
    }

    /// Whether an order's delay ended and nothing became of it.
    pub(in super::super) fn an_order_is_late(&self) -> Option<u64> {
        let late = |order: &Order| order.state == OrderState::Pending && order.until <= self.now;
        self.exchange.orders.iter().find(|(_, order)| late(order)).map(|(id, _)| *id)
    }
}

/// What stakes a liability covers at these odds.
pub(super) fn covered(liability: i64, odds: u32) -> i128 {
    i128::from(liability) * WHOLE / (i128::from(odds) - WHOLE)
}

/// The other way round.
pub(super) fn liability_of(stake: i64, odds: u32) -> i128 {
    i128::from(stake) * (i128::from(odds) - WHOLE) / WHOLE
}

/// Whether an order would take these odds.
pub(super) fn is_content(side: Side, limit: u32, odds: u32) -> bool {
    match side {
        _ if limit == 0 => true,
        Side::Back => limit <= odds,
        Side::Lay => odds <= limit,
    }
}
