//! Orders come: all of a request or none.

use super::{ExchangeMarket, ORDERS_WAITING_MAX, OrderRow, OrderState, Position, Wanted};
use crate::answer::{Answer, AnswerKind};
use crate::bet::NONE;
use crate::book::{E4, FILLS_MAX, Side, profit_is_fair};
use crate::command::{
    Entries, LimitKind, OrderEntry, OrderKind, Persistence, PlaceOrders, SetExchange, SizeTarget,
};
use crate::event::{Cut, Events, OrderPlaced};
use crate::id::{AccountId, MarketId, OrderId, SelectionIndex, Seq};
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::time::{Nanos, Timestamp};
use crate::wire::{Header, Minor, WirePrice};
use betring_pricing::{Price, Stake};
use std::cmp::Reverse;

type Decided = Result<Answer, Answer>;

impl<R: Rules> State<R> {
    pub(crate) fn place_orders(
        &mut self,
        header: &Header,
        body: &PlaceOrders,
        orders: Entries<'_, OrderEntry>,
        events: &mut Events,
    ) -> Decided {
        let account = self.may_order(header)?;
        let index = self.may_take_orders(account, body.market)?;
        let version = self.exchange_version(index);
        if version < body.market_version {
            return Err(self.no(Reject::InvalidMarketVersion));
        }
        self.exchange.wanted.clear();
        for (number, entry) in (0_u8..).zip(orders.iter()) {
            let told = |answer: Answer| Answer { detail: number, ..answer };
            self.open_for_bets(body.market, entry.selection).map_err(told)?;
            let row = self.order_of(index, &entry).map_err(told)?;
            let row = OrderRow { version: body.market_version, ..row };
            self.exchange.wanted.push(Wanted { row, number, id: OrderId::NONE });
        }
        self.take_orders(account, index, events)
    }

    /// The account of a request about orders, if it may make any.
    pub(crate) fn may_order(&self, header: &Header) -> Result<u32, Answer> {
        let Some((index, account)) = self.ledger.find(AccountId::from_raw(header.account)) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        // Money of an external wallet is not here, and a probe has nobody to bet against.
        let other = account.external || account.synthetic;
        if other || header.flags & Header::SYNTHETIC != 0 {
            return Err(self.no(Reject::AccountKind));
        }
        self.may_bet(index)?;
        Ok(index)
    }

    /// A market that takes orders of an account.
    fn may_take_orders(&self, account: u32, id: MarketId) -> Result<u32, Answer> {
        let index = self.find_exchange(id)?;
        let currency =
            self.ledger.books[usize::from(self.ledger.accounts[account as usize].currency)];
        if currency.currency.numeric() != self.exchange_of(index).terms.currency {
            return Err(self.no(Reject::CurrencyUnknown));
        }
        self.is_at_rest(index)?;
        Ok(index)
    }

    /// While a job changes its orders, nobody else does.
    pub(crate) fn is_at_rest(&self, index: u32) -> Result<(), Answer> {
        match self.markets[index as usize].job {
            Some(_) => Err(self.no(Reject::MarketSuspended)),
            None => Ok(()),
        }
    }

    /// An entry as an order that may be placed, but for its account's money.
    fn order_of(&self, index: u32, entry: &OrderEntry) -> Result<OrderRow, Answer> {
        let market = &self.markets[index as usize];
        let exchange = self.exchange_of(index);
        let (side, kind) = (Side::from_code(entry.side), entry.kind());
        let side = side.expect("checked when it was read");
        let persistence = Persistence::from_code(entry.persistence);
        let persistence = persistence.expect("checked when it was read");
        let kills = entry.flags & OrderEntry::FILL_OR_KILL != 0;
        let on_close = kind != OrderKind::Limit;
        if kills && (on_close || persistence != Persistence::Lapse) {
            return Err(self.no(Reject::TimeInForceConflict));
        }
        if on_close && persistence != Persistence::Lapse {
            return Err(self.no(Reject::UnexpectedPersistenceType));
        }
        let starts = exchange.starts() && !market.in_play;
        if (on_close || persistence == Persistence::MarketOnClose) && !starts {
            return Err(self.no(Reject::MarketNotOpenForBspBetting));
        }
        let limit = match kind {
            OrderKind::MarketOnClose => NONE,
            OrderKind::Limit | OrderKind::LimitOnClose => {
                match exchange.tick(entry.selection.0, entry.limit_e4) {
                    Some(tick) => tick.index(),
                    None => return Err(self.no(Reject::InvalidOdds)),
                }
            }
        };
        let size = self.size_of(exchange, entry, side, kind)?;
        let min_fill = match (kills, entry.min_fill.0) {
            (false, 0) => 0,
            (true, 0) => size,
            (true, least) if least <= size => least,
            _ => return Err(self.no(Reject::InvalidMinFillSize)),
        };
        let row = OrderRow {
            state: OrderState::Executable,
            kind,
            side,
            persistence,
            self_match: entry.self_match,
            flags: entry.flags,
            selection: entry.selection.0,
            limit,
            size,
            left: size,
            min_fill,
            reference: entry.reference,
            ..OrderRow::filler()
        };
        Ok(OrderRow { room: room_of(exchange, &row), ..row })
    }

    /// What an order is in minor units, if the market takes so little and so much.
    fn size_of(
        &self,
        exchange: &ExchangeMarket,
        entry: &OrderEntry,
        side: Side,
        kind: OrderKind,
    ) -> Result<i64, Answer> {
        let terms = &exchange.terms;
        let least = |amount| Answer { amount, ..self.no(Reject::InvalidBetSize) };
        let (asked, odds) = (i128::from(entry.size.0), i128::from(entry.limit_e4));
        let by_liability = kind != OrderKind::Limit && side == Side::Lay;
        let size = match SizeTarget::from_code(entry.target).expect("checked when it was read") {
            SizeTarget::Stake => asked,
            _ if by_liability || odds == 0 => return Err(least(Minor(0))),
            SizeTarget::Payout => asked * E4 / odds,
            SizeTarget::BackersProfit => asked * E4 / (odds - E4),
        };
        if by_liability {
            let enough = i128::from(terms.min_liability.0) <= size;
            return if enough { Ok(entry.size.0) } else { Err(least(terms.min_liability)) };
        }
        let pays = odds != 0 && terms.min_payout.0 != 0;
        let pays = pays && i128::from(terms.min_payout.0) * E4 <= size * odds;
        if size < i128::from(terms.min_stake.0) && !pays {
            return Err(least(terms.min_stake));
        }
        let stake = i64::try_from(size).ok().filter(|size| Stake::from_minor(*size).is_some());
        let Some(stake) = stake else { return Err(least(Minor(0))) };
        if kind == OrderKind::Limit && !profit_is_fair(stake, entry.limit_e4) {
            return Err(self.no(Reject::InvalidProfitRatio));
        }
        Ok(stake)
    }

    /// The orders of this command are placed if there is room and money for all of them.
    pub(crate) fn take_orders(&mut self, account: u32, index: u32, events: &mut Events) -> Decided {
        let market = self.markets[index as usize];
        let count = self.exchange.wanted.len();
        let delay = self.delay_of(index);
        let waits = |w: &Wanted| w.row.min_fill == 0 || delay.is_some();
        let waiting = self.exchange.wanted.iter().filter(|w| waits(w)).count() as u32;
        let own = self.exchange.find_position(account, index);
        let own_waiting = own.map_or(0, |at| self.exchange.positions[at as usize].count);
        if ORDERS_WAITING_MAX < own_waiting + waiting {
            return Err(self.no(Reject::TooManyOrders));
        }
        if delay.is_some() && self.timers_left() < count {
            return Err(self.no(Reject::TooManyPending));
        }
        if own.is_none() && !self.exchange.has_room_for(&self.capacities, market.selections) {
            return Err(self.no(Reject::Full));
        }
        let room =
            self.exchange.wanted.iter().map(|w| w.row.room).try_fold(0_i64, i64::checked_add);
        let fits = |room| self.ledger.accounts[account as usize].has_room_for(room);
        let Some(room) = room.filter(|room| fits(*room)) else {
            return Err(self.no(Reject::BalanceLimit));
        };
        let version = self.exchange_version(index);
        let stale = |row: &OrderRow| row.version != Seq(0) && row.version < version;

        // What it would risk with all of them waiting: nothing that they meet makes that more.
        let position = self.exchange.position_for(account, index, market.selections);
        self.risk_wanted(index, position, 1, stale);
        let worst = self.exchange.exposure(position, market.winners);
        let more = worst - self.exchange.positions[position as usize].held;
        let limits = [LimitKind::Stake, LimitKind::Loss];
        let afforded = match more {
            // What costs nothing more always may be.
            ..=0 => Ok(()),
            _ => self.within_own_limits(account, &limits, more).and_then(|()| {
                let enough = more <= self.ledger.accounts[account as usize].balance;
                if enough { Ok(()) } else { Err(self.no(Reject::FundsInsufficient)) }
            }),
        };
        if let Err(answer) = afforded {
            self.risk_wanted(index, position, -1, stale);
            if own.is_none() {
                self.forget_new_position(position);
            }
            return Err(answer);
        }

        // From here on nothing can fail.
        self.ledger.accounts[account as usize].pending += room;
        self.exchange.touch(position);
        let mut used = 0;
        for at in 0..count {
            let Wanted { row, number, .. } = self.exchange.wanted[at];
            let order = self.write_order(index, position, row, number, events);
            self.exchange.wanted[at].id = self.exchange.rows[order as usize].id(order);
            if stale(&row) {
                self.cut_without_risk(order, Cut::Version, events);
            } else if self.exchange.rows[order as usize].state == OrderState::Executable {
                used += self.meet(index, order, FILLS_MAX - used, events);
            }
        }
        self.hold_exposures(events);
        Ok(self.placed_orders())
    }

    /// What became of the orders of this command, once all are placed: a later one may have met one before it.
    fn placed_orders(&self) -> Answer {
        let wanted = &self.exchange.wanted;
        let (mut matched, mut lapsed, mut returns, mut until) = (0, 0, 0, Timestamp(0));
        for Wanted { row, id, .. } in wanted {
            let Some(row) = self.exchange.find(*id) else {
                // Nothing of it was matched or waited, and one behind it has its place.
                lapsed += row.size;
                continue;
            };
            matched += row.matched;
            lapsed += row.lapsed;
            returns += row.returns_e4;
            until = until.max(row.until);
        }
        let average = match (wanted.len(), matched) {
            (1, 1..) => Price::from_e4((returns / i128::from(matched)) as u32),
            _ => None,
        };
        let answer = Answer {
            id: wanted.first().map_or(OrderId::NONE, |first| first.id).raw(),
            stake: Minor(matched),
            amount: Minor(wanted.len() as i64),
            price: average.map_or(WirePrice::NONE, WirePrice::decimal),
            ..Answer::of(AnswerKind::Ordered, self.seq)
        };
        answer.with_until(until).with_lapsed(Minor(lapsed))
    }

    /// The orders of this command count as waiting, or do not any more.
    fn risk_wanted(
        &mut self,
        index: u32,
        position: u32,
        sign: i64,
        stale: impl Fn(&OrderRow) -> bool,
    ) {
        for at in 0..self.exchange.wanted.len() {
            let row = self.exchange.wanted[at].row;
            if !stale(&row) {
                self.risk(index, position, &row, sign * row.left);
            }
        }
    }

    /// So much more of an order waits, or less.
    pub(crate) fn risk(&mut self, index: u32, position: u32, row: &OrderRow, amount: i64) {
        let first = self.exchange.positions[position as usize].first as usize;
        let exchange = self.exchange.markets[index as usize].as_deref().expect("it has a book");
        let stand = &mut self.exchange.stands[first + usize::from(row.selection)];
        row.wait(stand, &exchange.prices, amount);
    }

    /// A position that was made for a request that is refused is not there.
    fn forget_new_position(&mut self, position: u32) {
        let Position { market, next, .. } = self.exchange.positions[position as usize];
        let selections = self.markets[market as usize].selections;
        self.exchange_of_mut(market).positions = next;
        self.exchange.forget_position(position, selections);
    }

    fn write_order(
        &mut self,
        index: u32,
        position: u32,
        row: OrderRow,
        number: u8,
        events: &mut Events,
    ) -> u32 {
        let delay = self.delay_of(index).filter(|_| self.has_to_wait(index, position, &row));
        let until = delay.map_or(Timestamp(0), |delay| self.now.plus(delay));
        let (at, generation) = self.place_for_order();
        let turn = self.exchange.turn;
        self.exchange.turn += 1;
        let written = OrderRow {
            generation,
            state: if delay.is_some() { OrderState::Pending } else { OrderState::Executable },
            position,
            placed_seq: self.seq,
            placed_at: self.now,
            turn,
            until,
            ..row
        };
        self.exchange.rows[at as usize] = written;
        self.exchange.live_rows += 1;
        self.exchange.link(at);
        let exchange = self.exchange_of_mut(index);
        let last = std::mem::replace(&mut exchange.tail, at);
        if last == NONE {
            exchange.head = at;
        } else {
            self.exchange.rows[last as usize].next = at;
            self.exchange.rows[at as usize].prev = last;
        }
        if delay.is_some() {
            self.exchange.timers.push(Reverse((until, turn, written.id(at))));
        }
        let limit_e4 = self.exchange_of(index).odds_of(&written);
        events.push(&OrderPlaced {
            order: written.id(at),
            account: AccountId::new(self.exchange.positions[position as usize].account, 1),
            market: self.market_id(index),
            size: Minor(row.size),
            until,
            min_fill: Minor(row.min_fill),
            reference: row.reference,
            limit_e4,
            selection: SelectionIndex(row.selection),
            side: row.side as u8,
            kind: row.kind as u8,
            persistence: row.persistence as u8,
            number,
            flags: row.flags,
            self_match: row.self_match,
            zero: [0; 4],
        });
        at
    }

    /// A place for an order, and its generation: a free one, a new one, or that of the order that has been spent for
    /// longest. There is one: it was looked at before the command was let in.
    fn place_for_order(&mut self) -> (u32, u32) {
        let full = self.exchange.rows.len() == self.capacities.orders as usize;
        if self.exchange.free_row == NONE && full {
            self.forget_spent(self.exchange.spent_head);
        }
        let at = self.exchange.free_row;
        if at == NONE {
            self.exchange.rows.push(OrderRow::filler());
            return (self.exchange.rows.len() as u32 - 1, 1);
        }
        let free = &self.exchange.rows[at as usize];
        let generation = free.generation + 1;
        self.exchange.free_row = free.next;
        (at, generation)
    }

    /// An order of which nothing was matched leaves memory before its market does.
    fn forget_spent(&mut self, at: u32) {
        let row = self.exchange.rows[at as usize];
        let index = self.exchange.positions[row.position as usize].market;
        self.step_over(index, at, row.next);
        self.archive_order(index, at);
    }

    /// How long an order of this market waits, if it has to.
    fn delay_of(&self, index: u32) -> Option<Nanos> {
        let market = &self.markets[index as usize];
        (market.in_play && Nanos::ZERO < market.delay).then_some(market.delay)
    }

    /// With a passive delay only what would be matched at once waits.
    fn has_to_wait(&mut self, index: u32, position: u32, row: &OrderRow) -> bool {
        if !self.exchange_of(index).has(SetExchange::PASSIVE_DELAY) {
            return true;
        }
        let taker = self.taker_of(position, row);
        self.exchange_of_mut(index).book.would_match(&taker)
    }

    fn timers_left(&self) -> usize {
        let most = crate::state::WAITING_MAX.min(self.capacities.orders as usize);
        most.saturating_sub(self.exchange.timers.len())
    }
}

/// The most that an order may bring: so much has room in its account, whatever becomes of it.
pub(crate) fn room_of(exchange: &ExchangeMarket, row: &OrderRow) -> i64 {
    let longest = i128::from(exchange.ladder.last().e4());
    let shortest = i128::from(exchange.ladder.first().e4());
    let size = i128::from(row.size);
    // A liability, and the stake that it covers at the shortest price.
    let at_shortest = |liability: i128| liability * E4 + liability * E4 / (shortest - E4) * E4;
    let room = match (row.side, row.is_on_close()) {
        // Matched at whatever is better than its limit.
        (Side::Back, _) => size * longest,
        (Side::Lay, true) => at_shortest(size),
        // It may yet go to the starting price.
        (Side::Lay, false) if exchange.starts() => {
            let odds = i128::from(exchange.odds_of(row));
            at_shortest(size * (odds - E4) / E4).max(size * odds)
        }
        (Side::Lay, false) => size * i128::from(exchange.odds_of(row)),
    };
    i64::try_from(room / E4 + 1).unwrap_or(i64::MAX)
}
