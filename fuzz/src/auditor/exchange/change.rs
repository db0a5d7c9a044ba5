//! Orders are cancelled, made smaller, placed again at other prices, or told what becomes of them in-play.

use super::super::{Auditor, Checked, Decided};
use super::place::room_of;
use super::{Order, detailed, is_fair};
use betring_core::OrderState;
use betring_core::answer::{Answer, AnswerKind};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::wire::{Header, Minor};
use std::collections::{BTreeMap, BTreeSet};

impl Auditor {
    pub(in super::super) fn cancel_orders(
        &mut self,
        header: &Header,
        body: &CancelOrders,
        entries: Entries<'_, CancelEntry>,
    ) -> Decided {
        let account = header.account;
        self.may_change(account, body.market)?;
        self.are_different(entries.iter().map(|entry| entry.order))?;
        let (mut count, mut sum, mut refused) = (0, 0, None);
        if body.count == 0 {
            let mut own: Vec<u64> =
                self.orders_of(body.market.raw(), account).map(|(id, _)| id).collect();
            own.reverse();
            for id in own {
                if self.order(id).state == OrderState::Executable {
                    sum += self.order(id).left;
                    count += 1;
                    self.cancels(id, self.order(id).left);
                }
            }
        }
        for (number, entry) in (0..).zip(entries.iter()) {
            match self.may_cancel(account, body.market, &entry) {
                Ok(by) => {
                    sum += by;
                    count += 1;
                    self.cancels(entry.order.raw(), by);
                }
                Err(no) => refused = refused.or(Some(detailed(no, number))),
            }
        }
        if count == 0 {
            return Err(refused.unwrap_or_else(|| self.no(Reject::NoActionRequired)));
        }
        self.hold_exposures();
        Ok(self.changed(body.market, count, sum))
    }

    fn changed(&self, market: MarketId, count: i64, cancelled: i64) -> Answer {
        let mut answer = Answer::of(AnswerKind::Changed, Seq(self.seq));
        answer.id = market.raw();
        (answer.stake, answer.amount) = (Minor(cancelled), Minor(count));
        answer
    }

    /// Whoever may not bet may still take back what he asked for.
    fn may_change(&self, account: u64, market: MarketId) -> Result<(), Answer> {
        if !self.accounts.contains_key(&account) {
            return Err(self.no(Reject::AccountUnknown));
        }
        self.find_trading(market)?;
        self.is_at_rest(market)
    }

    /// No order is named twice; of one place there is only one.
    fn are_different(&self, orders: impl Iterator<Item = OrderId>) -> Result<(), Answer> {
        let mut places = BTreeSet::new();
        let all = orders.map(OrderId::index).all(|place| places.insert(place));
        if all { Ok(()) } else { Err(self.no(Reject::DuplicateBetIds)) }
    }

    fn own_order(&self, account: u64, market: MarketId, id: OrderId) -> Result<&Order, Answer> {
        let unknown = || self.no(Reject::InvalidBetId);
        let order = self.exchange.orders.get(&id.raw()).ok_or_else(unknown)?;
        let elsewhere = order.market != market.raw();
        // One whose market leaves memory may have left it.
        let left = elsewhere && self.is_archiving(order.market);
        if order.account != account || (left && self.answered_with(Reject::InvalidBetId)) {
            return Err(unknown());
        }
        if elsewhere {
            return Err(self.no(Reject::InvalidMarketId));
        }
        match order.state {
            OrderState::Executable => Ok(order),
            OrderState::Pending => Err(self.no(Reject::BetInProgress)),
            _ => Err(self.no(Reject::BetTakenOrLapsed)),
        }
    }

    fn may_cancel(
        &self,
        account: u64,
        market: MarketId,
        entry: &CancelEntry,
    ) -> Result<i64, Answer> {
        let order = self.own_order(account, market, entry.order)?;
        let by = entry.by.0;
        if by == 0 || order.left <= by {
            return Ok(order.left);
        }
        // What is left has to be an order, too.
        if !order.on_close() && !is_fair(order.left - by, order.limit) {
            return Err(self.no(Reject::InvalidProfitRatio));
        }
        Ok(by)
    }

    fn cancels(&mut self, id: u64, by: i64) {
        if self.order(id).left == by {
            return self.ends(id, Cut::Cancelled);
        }
        self.gets_smaller(id, by);
        let order = self.order_mut(id);
        order.left -= by;
        order.cancelled += by;
        let (market, account) = (order.market, order.account);
        self.touch(market, account);
        self.tell_cut(id, by, Cut::Cancelled);
    }

    /// So much less of an order is in the book: it keeps its place.
    pub(super) fn gets_smaller(&mut self, id: u64, by: i64) {
        let (market, number) = (self.order(id).market, self.order(id).number);
        if let Some(number) = number {
            self.trading(market).book.reduce(number, by);
        }
    }

    pub(in super::super) fn replace_orders(
        &mut self,
        header: &Header,
        body: &ReplaceOrders,
        entries: Entries<'_, ReplaceEntry>,
    ) -> Checked<Decided> {
        let account = header.account;
        let may = self
            .account_that_orders(header)
            .and_then(|_| self.find_trading(body.market).map(|_| ()))
            .and_then(|()| self.is_at_rest(body.market))
            .and_then(|()| self.has_that_version(body.market, body.market_version))
            .and_then(|()| self.are_different(entries.iter().map(|entry| entry.order)));
        if let Err(no) = may {
            return Ok(Err(no));
        }
        let (mut wanted, mut refused) = (Vec::new(), None);
        for (number, entry) in (0..).zip(entries.iter()) {
            match self.replacement(account, body, &entry) {
                Ok(order) => {
                    wanted.push((number, order));
                    self.ends(entry.order.raw(), Cut::Cancelled);
                }
                Err(no) => refused = refused.or(Some(detailed(no, number))),
            }
        }
        if wanted.is_empty() {
            return Ok(Err(refused.unwrap_or_else(|| self.no(Reject::NoActionRequired))));
        }
        let mut selections = wanted.iter().map(|(_, order)| order.selection);
        let open = selections.try_for_each(|at| self.takes_bets(body.market, at).map(|_| ()));
        let placed = match open {
            Ok(()) => self.take_orders(account, body.market.raw(), wanted)?,
            Err(no) => Err(no),
        };
        // The cancels stand, whatever becomes of what was to be placed instead.
        self.hold_exposures();
        Ok(Ok(placed.unwrap_or_else(|no| {
            let why = no.reject().map_or(0, Reject::code);
            detailed(Answer::of(AnswerKind::Ordered, Seq(self.seq)), why)
        })))
    }

    fn replacement(
        &self,
        account: u64,
        body: &ReplaceOrders,
        entry: &ReplaceEntry,
    ) -> Result<Order, Answer> {
        let order = self.own_order(account, body.market, entry.order)?;
        let trading = &self.exchange.markets[&body.market.raw()];
        if trading.tick(entry.limit_e4).is_none() {
            return Err(self.no(Reject::InvalidOdds));
        }
        if order.kind == OrderKind::MarketOnClose || order.limit == entry.limit_e4 {
            return Err(self.no(Reject::InvalidPriceEdit));
        }
        if !order.on_close() && !is_fair(order.left, entry.limit_e4) {
            return Err(self.no(Reject::InvalidProfitRatio));
        }
        let placed = Order {
            limit: entry.limit_e4,
            size: order.left,
            matched: 0,
            cancelled: 0,
            lapsed: 0,
            returns: 0,
            prices: Vec::new(),
            lines: BTreeMap::new(),
            min_fill: 0,
            version: body.market_version.0,
            placed_seq: self.seq,
            placed_at: self.now,
            until: 0,
            number: None,
            ..order.clone()
        };
        Ok(Order { room: room_of(trading, &placed), ..placed })
    }

    pub(in super::super) fn update_orders(
        &mut self,
        header: &Header,
        body: &UpdateOrders,
        entries: Entries<'_, UpdateEntry>,
    ) -> Decided {
        self.may_change(header.account, body.market)?;
        self.are_different(entries.iter().map(|entry| entry.order))?;
        let mut changes = Vec::new();
        for (number, entry) in (0..).zip(entries.iter()) {
            let to = Persistence::from_code(entry.persistence).unwrap_or(Persistence::Lapse);
            let order = self.may_update(header.account, body.market, entry.order, to);
            let order = order.map_err(|no| detailed(no, number))?;
            if order.persistence != to {
                changes.push((entry.order.raw(), to));
            }
        }
        if changes.is_empty() {
            return Err(self.no(Reject::NoActionRequired));
        }
        for (id, to) in &changes {
            self.order_mut(*id).persistence = *to;
            self.tell_change(*id);
        }
        Ok(self.changed(body.market, changes.len() as i64, 0))
    }

    fn may_update(
        &self,
        account: u64,
        market: MarketId,
        id: OrderId,
        to: Persistence,
    ) -> Result<&Order, Answer> {
        let order = self.own_order(account, market, id)?;
        if order.on_close() {
            return Err(self.no(Reject::UnexpectedPersistenceType));
        }
        if to == Persistence::MarketOnClose && !self.has_starting_prices(market.raw()) {
            return Err(self.no(Reject::MarketNotOpenForBspBetting));
        }
        Ok(order)
    }

    pub(super) fn tell_change(&mut self, id: u64) {
        let order = self.order(id);
        self.told.push(Event::OrderChanged(OrderChanged {
            order: OrderId::from_raw(id),
            account: AccountId::from_raw(order.account),
            left: Minor(order.left),
            kind: order.kind as u8,
            persistence: order.persistence as u8,
            zero: [0; 6],
        }));
    }
}
