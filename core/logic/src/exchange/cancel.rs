//! Orders are cancelled, made smaller, placed again at other prices, or told what becomes of them in-play.

use super::{OrderRow, OrderState, Wanted, place::room_of};
use crate::answer::{Answer, AnswerKind};
use crate::book::profit_is_fair;
use crate::command::{
    CancelEntry, CancelOrders, Entries, LapseOrders, OrderKind, Persistence, ReplaceEntry,
    ReplaceOrders, UpdateEntry, UpdateOrders,
};
use crate::event::{Cut, Events, JobKind, OrderChanged};
use crate::id::{AccountId, MarketId, OrderId, SelectionIndex};
use crate::market::MarketStep;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::wire::{Header, Minor};

type Decided = Result<Answer, Answer>;

impl<R: Rules> State<R> {
    /// Each for itself; refused if none of them can be cancelled, by the first reason.
    pub(crate) fn cancel_orders(
        &mut self,
        header: &Header,
        body: &CancelOrders,
        orders: Entries<'_, CancelEntry>,
        events: &mut Events,
    ) -> Decided {
        let account = self.account_of(header)?;
        let index = self.may_change(body.market, orders.iter().map(|entry| entry.order))?;
        let (mut count, mut sum, mut refused) = (0, 0, None);
        if body.count == 0 {
            let own = self.exchange.find_position(account, index);
            let mut at =
                own.map_or(crate::bet::NONE, |at| self.exchange.positions[at as usize].waiting);
            while at != crate::bet::NONE {
                let row = self.exchange.rows[at as usize];
                if row.state == OrderState::Executable {
                    sum += row.left;
                    count += 1;
                    self.cancel(index, at, row.left, events);
                }
                at = row.before;
            }
        }
        for (number, entry) in (0_u8..).zip(orders.iter()) {
            match self.may_cancel(account, index, entry.order, entry.by.0) {
                Ok((at, by)) => {
                    sum += by;
                    count += 1;
                    self.cancel(index, at, by, events);
                }
                Err(answer) => {
                    refused.get_or_insert(Answer { detail: number, ..answer });
                }
            }
        }
        if count == 0 {
            return Err(refused.unwrap_or_else(|| self.no(Reject::NoActionRequired)));
        }
        self.hold_exposures(events);
        Ok(self.changed_orders(body.market, count, sum))
    }

    /// So many orders of a market are not as they were, and so much of them does not wait any more.
    fn changed_orders(&self, market: MarketId, count: i64, cancelled: i64) -> Answer {
        let (id, stake, amount) = (market.raw(), Minor(cancelled), Minor(count));
        Answer { id, stake, amount, ..Answer::of(AnswerKind::Changed, self.seq) }
    }

    /// Whoever may not bet may still take back what he asked for.
    fn account_of(&self, header: &Header) -> Result<u32, Answer> {
        let account = self.ledger.find(AccountId::from_raw(header.account));
        account.map(|(index, _)| index).ok_or_else(|| self.no(Reject::AccountUnknown))
    }

    /// A market whose orders may be changed now, and none of them is named twice.
    fn may_change(
        &mut self,
        market: MarketId,
        orders: impl Iterator<Item = OrderId>,
    ) -> Result<u32, Answer> {
        let index = self.find_exchange(market)?;
        self.is_at_rest(index)?;
        self.none_twice(orders)?;
        Ok(index)
    }

    fn none_twice(&mut self, orders: impl Iterator<Item = OrderId>) -> Result<(), Answer> {
        let named = &mut self.exchange.named;
        named.clear();
        named.extend(orders.map(OrderId::index));
        named.sort_unstable();
        let twice = named.windows(2).any(|pair| pair[0] == pair[1]);
        if twice { Err(self.no(Reject::DuplicateBetIds)) } else { Ok(()) }
    }

    /// An order of an account in a market of which something waits.
    fn own_order(&self, account: u32, index: u32, id: OrderId) -> Result<u32, Answer> {
        let Some(row) = self.exchange.find(id) else { return Err(self.no(Reject::InvalidBetId)) };
        let position = self.exchange.positions[row.position as usize];
        if position.account != account {
            return Err(self.no(Reject::InvalidBetId));
        }
        if position.market != index {
            return Err(self.no(Reject::InvalidMarketId));
        }
        match row.state {
            OrderState::Executable => Ok(id.index()),
            OrderState::Pending => Err(self.no(Reject::BetInProgress)),
            OrderState::Archived | OrderState::ExecutionComplete | OrderState::Expired => {
                Err(self.no(Reject::BetTakenOrLapsed))
            }
        }
    }

    /// Which order, and by how much it gets smaller: what would be left has to be an order, too.
    fn may_cancel(
        &self,
        account: u32,
        index: u32,
        id: OrderId,
        by: i64,
    ) -> Result<(u32, i64), Answer> {
        let at = self.own_order(account, index, id)?;
        let row = &self.exchange.rows[at as usize];
        if by == 0 || row.left <= by {
            return Ok((at, row.left));
        }
        let odds = self.exchange_of(index).odds_of(row);
        if !row.is_on_close() && !profit_is_fair(row.left - by, odds) {
            return Err(self.no(Reject::InvalidProfitRatio));
        }
        Ok((at, by))
    }

    fn cancel(&mut self, index: u32, at: u32, by: i64, events: &mut Events) {
        let row = self.exchange.rows[at as usize];
        if row.left == by {
            self.take_out(index, at);
            self.cut(index, at, Cut::Cancelled, events);
            return;
        }
        self.lessen(index, at, by);
        self.risk(index, row.position, &row, -by);
        let row = &mut self.exchange.rows[at as usize];
        row.left -= by;
        row.cancelled += by;
        let position = row.position;
        self.exchange.touch(position);
        self.tell_cut(at, by, Cut::Cancelled, events);
    }

    /// What was cancelled is placed again at other prices, all or none; refused if nothing can be cancelled.
    pub(crate) fn replace_orders(
        &mut self,
        header: &Header,
        body: &ReplaceOrders,
        orders: Entries<'_, ReplaceEntry>,
        events: &mut Events,
    ) -> Decided {
        let account = self.may_order(header)?;
        let index = self.find_exchange(body.market)?;
        self.is_at_rest(index)?;
        if self.exchange_version(index) < body.market_version {
            return Err(self.no(Reject::InvalidMarketVersion));
        }
        self.none_twice(orders.iter().map(|entry| entry.order))?;
        self.exchange.wanted.clear();
        let mut refused = None;
        for (number, entry) in (0_u8..).zip(orders.iter()) {
            match self.replaced(account, index, &entry) {
                Ok(row) => {
                    let row = OrderRow { version: body.market_version, ..row };
                    self.exchange.wanted.push(Wanted { row, number, id: OrderId::NONE });
                    let at = entry.order.index();
                    self.cancel(index, at, self.exchange.rows[at as usize].left, events);
                }
                Err(answer) => {
                    refused.get_or_insert(Answer { detail: number, ..answer });
                }
            }
        }
        if self.exchange.wanted.is_empty() {
            return Err(refused.unwrap_or_else(|| self.no(Reject::NoActionRequired)));
        }
        let placed =
            self.may_be_placed(index).and_then(|()| self.take_orders(account, index, events));
        self.hold_exposures(events);
        let Err(refused) = placed else { return placed };
        // The cancels stand: they were no refusal.
        let why = refused.reject;
        Ok(Answer { detail: why, ..Answer::of(AnswerKind::Ordered, self.seq) })
    }

    /// What is to be placed instead of an order.
    fn replaced(&self, account: u32, index: u32, entry: &ReplaceEntry) -> Result<OrderRow, Answer> {
        let at = self.own_order(account, index, entry.order)?;
        let row = self.exchange.rows[at as usize];
        let exchange = self.exchange_of(index);
        let Some(tick) = exchange.tick(row.selection, entry.limit_e4) else {
            return Err(self.no(Reject::InvalidOdds));
        };
        if row.kind == OrderKind::MarketOnClose || row.limit == tick.index() {
            return Err(self.no(Reject::InvalidPriceEdit));
        }
        if row.kind == OrderKind::Limit && !profit_is_fair(row.left, entry.limit_e4) {
            return Err(self.no(Reject::InvalidProfitRatio));
        }
        let placed = OrderRow {
            state: OrderState::Executable,
            kind: row.kind,
            side: row.side,
            persistence: row.persistence,
            self_match: row.self_match,
            flags: row.flags,
            selection: row.selection,
            limit: tick.index(),
            size: row.left,
            left: row.left,
            reference: row.reference,
            ..OrderRow::filler()
        };
        Ok(OrderRow { room: room_of(exchange, &placed), ..placed })
    }

    /// Whether the orders of this command may be placed, but for their account's money.
    fn may_be_placed(&self, index: u32) -> Result<(), Answer> {
        let market = self.market_id(index);
        self.exchange.wanted.iter().try_for_each(|Wanted { row, .. }| {
            self.open_for_bets(market, SelectionIndex(row.selection)).map(|_| ())
        })
    }

    /// All of them or none: what becomes of them in-play is nothing that costs more.
    pub(crate) fn update_orders(
        &mut self,
        header: &Header,
        body: &UpdateOrders,
        orders: Entries<'_, UpdateEntry>,
        events: &mut Events,
    ) -> Decided {
        let account = self.account_of(header)?;
        let index = self.may_change(body.market, orders.iter().map(|entry| entry.order))?;
        let starts = self.exchange_of(index).starts() && !self.markets[index as usize].in_play;
        let mut count = 0;
        for (number, entry) in (0_u8..).zip(orders.iter()) {
            let told = |answer: Answer| Answer { detail: number, ..answer };
            let at = self.own_order(account, index, entry.order).map_err(told)?;
            let row = &self.exchange.rows[at as usize];
            let to = Persistence::from_code(entry.persistence).expect("checked when it was read");
            if row.is_on_close() {
                return Err(told(self.no(Reject::UnexpectedPersistenceType)));
            }
            if to == Persistence::MarketOnClose && !starts {
                return Err(told(self.no(Reject::MarketNotOpenForBspBetting)));
            }
            count += i64::from(to != row.persistence);
        }
        if count == 0 {
            return Err(self.no(Reject::NoActionRequired));
        }
        for entry in orders.iter() {
            let at = entry.order.index();
            let to = Persistence::from_code(entry.persistence).expect("checked when it was read");
            if self.exchange.rows[at as usize].persistence != to {
                self.exchange.rows[at as usize].persistence = to;
                self.tell_change(at, events);
            }
        }
        Ok(self.changed_orders(body.market, count, 0))
    }

    pub(crate) fn tell_change(&self, at: u32, events: &mut Events) {
        let row = &self.exchange.rows[at as usize];
        events.push(&OrderChanged {
            order: row.id(at),
            account: AccountId::new(self.exchange.positions[row.position as usize].account, 1),
            left: Minor(row.left),
            kind: row.kind as u8,
            persistence: row.persistence as u8,
            zero: [0; 6],
        });
    }

    /// The orders of a market lapse, in steps: a trader says so when something material has happened.
    pub(crate) fn lapse_orders(&mut self, body: &LapseOrders, events: &mut Events) -> Decided {
        let index = self.find_exchange(body.market)?;
        let market = &self.markets[index as usize];
        if market.status.after(MarketStep::Close).is_none() || market.job.is_some() {
            return Err(self.no(Reject::NotAllowed));
        }
        let seq = self.seq;
        let exchange = self.exchange_of_mut(index);
        exchange.changed = seq;
        exchange.work.scope = body.scope;
        Ok(self.start_job(index, JobKind::Lapse, events))
    }
}
