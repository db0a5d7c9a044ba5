//! Orders come, all of a request or none: the gates in their order, and what is written.

use super::super::{Auditor, Checked, Decided, and, money};
use super::{Order, TIMERS, Trading, WAITING_IN_A_MARKET, WHOLE, detailed, is_fair};
use betring_core::OrderState;
use betring_core::answer::{Answer, AnswerKind};
use betring_core::book::Side;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::Timestamp;
use betring_core::wire::{Header, Minor, WirePrice};
use betring_pricing::{Price, Stake};
use std::collections::BTreeMap;

/// Things that the orders of one request may do together.
const FILLS: usize = 512;

impl Auditor {
    pub(in super::super) fn place_orders(
        &mut self,
        header: &Header,
        body: &PlaceOrders,
        entries: Entries<'_, OrderEntry>,
    ) -> Checked<Decided> {
        let wanted = match self.wanted(header, body, entries) {
            Ok(wanted) => wanted,
            Err(no) => return Ok(Err(no)),
        };
        self.take_orders(header.account, body.market.raw(), wanted)
    }

    fn wanted(
        &self,
        header: &Header,
        body: &PlaceOrders,
        entries: Entries<'_, OrderEntry>,
    ) -> Result<Vec<(u8, Order)>, Answer> {
        let id = self.account_that_orders(header)?;
        let (_, trading) = self.find_trading(body.market)?;
        if self.accounts[&id].currency != trading.terms.currency {
            return Err(self.no(Reject::CurrencyUnknown));
        }
        self.is_at_rest(body.market)?;
        self.has_that_version(body.market, body.market_version)?;
        let mut wanted = Vec::new();
        for (number, entry) in (0..).zip(entries.iter()) {
            let selection = usize::from(entry.selection.0);
            let order = self
                .takes_bets(body.market, selection)
                .and_then(|_| self.order_to_be(id, body, trading, &entry))
                .map_err(|no| detailed(no, number))?;
            wanted.push((number, order));
        }
        Ok(wanted)
    }

    /// Nobody has seen what has not been yet.
    pub(super) fn has_that_version(&self, market: MarketId, version: Seq) -> Result<(), Answer> {
        let known = version.0 <= self.version_of(market.raw());
        if known { Ok(()) } else { Err(self.no(Reject::InvalidMarketVersion)) }
    }

    fn order_to_be(
        &self,
        account: u64,
        body: &PlaceOrders,
        trading: &Trading,
        entry: &OrderEntry,
    ) -> Result<Order, Answer> {
        let (side, kind) = (entry.side(), entry.kind());
        let persistence = Persistence::from_code(entry.persistence).unwrap_or(Persistence::Lapse);
        let kills = entry.flags & OrderEntry::FILL_OR_KILL != 0;
        let on_close = kind != OrderKind::Limit;
        let keeps = persistence != Persistence::Lapse;
        if kills && (on_close || keeps) {
            return Err(self.no(Reject::TimeInForceConflict));
        }
        if on_close && keeps {
            return Err(self.no(Reject::UnexpectedPersistenceType));
        }
        let starts = self.has_starting_prices(body.market.raw());
        if (on_close || persistence == Persistence::MarketOnClose) && !starts {
            return Err(self.no(Reject::MarketNotOpenForBspBetting));
        }
        if kind != OrderKind::MarketOnClose && trading.tick(entry.limit_e4).is_none() {
            return Err(self.no(Reject::InvalidOdds));
        }
        let size = self.size_to_be(trading, entry, side, kind)?;
        let min_fill = match entry.min_fill.0 {
            0 if kills => size,
            0 => 0,
            least if kills && least <= size => least,
            _ => return Err(self.no(Reject::InvalidMinFillSize)),
        };
        let order = Order {
            account,
            market: body.market.raw(),
            selection: usize::from(entry.selection.0),
            side,
            kind,
            persistence,
            self_match: entry.self_match,
            flags: entry.flags,
            limit: entry.limit_e4,
            size,
            left: size,
            matched: 0,
            cancelled: 0,
            lapsed: 0,
            returns: 0,
            prices: Vec::new(),
            lines: BTreeMap::new(),
            min_fill,
            room: 0,
            reference: entry.reference,
            version: body.market_version.0,
            placed_seq: self.seq,
            placed_at: self.now,
            until: 0,
            state: OrderState::Executable,
            void: false,
            number: None,
        };
        Ok(Order { room: room_of(trading, &order), ..order })
    }

    /// Whether an exchange market takes orders at the starting price now.
    pub(crate) fn has_starting_prices(&self, market: u64) -> bool {
        let trading = self.exchange.markets.get(&market);
        trading.is_some_and(|trading| trading.starts() && !self.markets[&market].in_play)
    }

    fn size_to_be(
        &self,
        trading: &Trading,
        entry: &OrderEntry,
        side: Side,
        kind: OrderKind,
    ) -> Result<i64, Answer> {
        let terms = &trading.terms;
        let too_small = |least: Minor| and(self.no(Reject::InvalidBetSize), |no| no.amount = least);
        let (asked, odds) = (i128::from(entry.size.0), i128::from(entry.limit_e4));
        let is_liability = kind != OrderKind::Limit && side == Side::Lay;
        let target = SizeTarget::from_code(entry.target).unwrap_or(SizeTarget::Stake);
        let of_target = target != SizeTarget::Stake;
        if of_target && (is_liability || odds == 0) {
            return Err(too_small(Minor(0)));
        }
        let size = match target {
            SizeTarget::Stake => asked,
            SizeTarget::Payout => asked * WHOLE / odds,
            SizeTarget::BackersProfit => asked * WHOLE / (odds - WHOLE),
        };
        if is_liability {
            let enough = terms.min_liability.0 <= entry.size.0;
            return if enough { Ok(entry.size.0) } else { Err(too_small(terms.min_liability)) };
        }
        let payout = i128::from(terms.min_payout.0);
        let pays = odds != 0 && payout != 0 && payout * WHOLE <= size * odds;
        let small = size < i128::from(terms.min_stake.0) && !pays;
        if small || size < 1 {
            return Err(too_small(terms.min_stake));
        }
        if i128::from(Stake::MAX.money().minor()) < size {
            return Err(too_small(Minor(0)));
        }
        let size = size as i64;
        if kind == OrderKind::Limit && !is_fair(size, entry.limit_e4) {
            return Err(self.no(Reject::InvalidProfitRatio));
        }
        Ok(size)
    }

    /// The orders of a request are placed if there is room and money for all of them.
    pub(super) fn take_orders(
        &mut self,
        account: u64,
        market: u64,
        wanted: Vec<(u8, Order)>,
    ) -> Checked<Decided> {
        if let Err(no) = self.may_take_orders(account, market, &wanted) {
            return Ok(Err(no));
        }
        self.takes_position(market, account);
        self.touch(market, account);
        let version = self.version_of(market);
        let mut used = 0;
        let mut placed = Vec::new();
        for (number, order) in wanted {
            let stale = order.is_stale(version);
            let size = order.size;
            let id = self.writes_order(order, number)?;
            placed.push((id, size));
            if stale {
                self.cut(id, Cut::Version);
            } else if self.order(id).state == OrderState::Executable {
                used += self.meet(id, FILLS - used);
            }
        }
        self.hold_exposures();
        let (mut matched, mut lapsed, mut returns, mut until) = (0, 0, 0, 0);
        for (id, size) in &placed {
            // One that ended with nothing may have had to make room for one behind it.
            let Some(order) = self.exchange.orders.get(id) else {
                lapsed += size;
                continue;
            };
            (matched, lapsed) = (matched + order.matched, lapsed + order.lapsed);
            (returns, until) = (returns + order.returns, until.max(order.until));
        }
        let average = match placed.len() {
            1 if 0 < matched => Price::from_e4((returns / i128::from(matched)) as u32),
            _ => None,
        };
        let mut answer = Answer::of(AnswerKind::Ordered, Seq(self.seq));
        answer.id = placed.first().map_or(0, |(id, _)| *id);
        answer.stake = Minor(matched);
        answer.amount = Minor(placed.len() as i64);
        answer.price = average.map_or(WirePrice::NONE, WirePrice::decimal);
        Ok(Ok(answer.with_until(Timestamp(until)).with_lapsed(Minor(lapsed))))
    }

    fn may_take_orders(
        &self,
        account: u64,
        market: u64,
        wanted: &[(u8, Order)],
    ) -> Result<(), Answer> {
        let delayed = self.delay_of(market).is_some();
        let wait = wanted.iter().filter(|(_, order)| delayed || order.min_fill == 0).count();
        let waiting = self.orders_of(market, account).filter(|(_, order)| order.state.waits());
        if WAITING_IN_A_MARKET < waiting.count() + wait {
            return Err(self.no(Reject::TooManyOrders));
        }
        if self.delay_of(market).is_some() && !self.has_timers_for(wanted.len()) {
            return Err(self.no(Reject::TooManyPending));
        }
        if !self.has_room_for_position(market, account) {
            return Err(self.no(Reject::Full));
        }
        let room = wanted.iter().map(|(_, order)| order.room).sum::<i128>();
        let fits = room <= i128::from(i64::MAX) && self.has_room_for(account, room);
        if !fits {
            return Err(self.no(Reject::BalanceLimit));
        }
        // What would be at risk with all of them waiting, those that are late already left out.
        let version = self.version_of(market);
        let counted = wanted.iter().map(|(_, order)| order).filter(|o| !o.is_stale(version));
        let worst = self.exposure(market, account, counted);
        let held = self.exchange.positions.get(&(market, account)).map_or(0, |own| own.held);
        let more = worst - held;
        let kept = &self.accounts[&account];
        if more <= 0 {
            return Ok(());
        }
        self.within_own(kept, &[LimitKind::Stake, LimitKind::Loss], more, 0)?;
        if kept.balance < more {
            return Err(self.no(Reject::FundsInsufficient));
        }
        Ok(())
    }

    /// Delays that have ended may have given their places back, or not yet.
    fn has_timers_for(&self, count: usize) -> bool {
        let room = TIMERS.min(self.capacities.orders as usize);
        let waits = |id: &u64| {
            self.exchange.orders.get(id).is_some_and(|order| order.state == OrderState::Pending)
        };
        let timers = self.exchange.timers.iter();
        let sure = timers.filter(|(due, _, id)| self.now < *due || waits(id)).count();
        let all = self.exchange.timers.len();
        all + count <= room || (sure + count <= room && !self.answered_with(Reject::TooManyPending))
    }

    /// Positions of a market that leaves memory may have given their places back, or not yet.
    fn has_room_for_position(&self, market: u64, account: u64) -> bool {
        let exchange = &self.exchange;
        if exchange.positions.contains_key(&(market, account)) {
            return true;
        }
        let selections = self.markets[&market].runners.len();
        let room = self.capacities.positions as usize;
        let all = exchange.positions.len();
        let leaving = exchange.positions.keys().filter(|(id, _)| self.is_archiving(*id)).count();
        let has = |count: usize, blocks: &super::Blocks| {
            count < room && blocks.has_room(selections, self.capacities.stands)
        };
        let [late, early] = &exchange.stands;
        has(all, late) || (has(all - leaving, early) && !self.answered_with(Reject::Full))
    }

    fn takes_position(&mut self, market: u64, account: u64) {
        if self.exchange.positions.contains_key(&(market, account)) {
            return;
        }
        self.exchange.positions.insert((market, account), super::Position::default());
        let selections = self.markets[&market].runners.len();
        self.exchange.stands.iter_mut().for_each(|blocks| blocks.take(selections));
        self.trading(market).accounts.push(account);
    }

    /// Writes an order down under the handle that the record gives it.
    fn writes_order(&mut self, mut order: Order, number: u8) -> Checked<u64> {
        let told = self.told.iter().filter(|event| matches!(event, Event::OrderPlaced(_))).count();
        let given = self.found.iter().filter_map(|event| match event {
            Event::OrderPlaced(placed) => Some(placed.order.raw()),
            _ => None,
        });
        let id = given.clone().nth(told).ok_or("an order was to be placed, and was not")?;
        self.fresh('O', id)?;
        self.takes_place(id)?;
        let delay = self.delay_of(order.market).filter(|_| self.has_to_wait(&order));
        self.exchange.turn += 1;
        if let Some(delay) = delay {
            order.until = self.now.saturating_add(delay);
            order.state = OrderState::Pending;
            self.exchange.timers.insert((order.until, self.exchange.turn, id));
        }
        self.told.push(Event::OrderPlaced(OrderPlaced {
            order: OrderId::from_raw(id),
            account: AccountId::from_raw(order.account),
            market: MarketId::from_raw(order.market),
            size: money(order.size.into()),
            until: Timestamp(order.until),
            min_fill: Minor(order.min_fill),
            reference: order.reference,
            limit_e4: order.limit,
            selection: SelectionIndex(order.selection as u16),
            side: order.side as u8,
            kind: order.kind as u8,
            persistence: order.persistence as u8,
            number,
            flags: order.flags,
            self_match: order.self_match,
            zero: [0; 4],
        }));
        self.trading(order.market).orders.push(id);
        self.exchange.orders.insert(id, order);
        Ok(id)
    }

    /// How long orders of a market wait, if they do.
    fn delay_of(&self, market: u64) -> Option<i64> {
        let market = &self.markets[&market];
        (market.in_play && 0 < market.delay).then_some(market.delay)
    }

    /// With a passive delay only what would be matched at once waits.
    fn has_to_wait(&self, order: &Order) -> bool {
        let trading = &self.exchange.markets[&order.market];
        let passive = trading.has(SetExchange::PASSIVE_DELAY);
        !passive || trading.book.would_match(&order.taker(trading))
    }
}

/// The most that an order may bring, which has to fit on its account.
pub(super) fn room_of(trading: &Trading, order: &Order) -> i128 {
    let [shortest, longest] = [trading.prices.first(), trading.prices.last()]
        .map(|price| price.map_or(WHOLE, |price| i128::from(*price)));
    let size = i128::from(order.size);
    let liable = |amount: i128| amount * WHOLE + amount * WHOLE / (shortest - WHOLE) * WHOLE;
    let limit = i128::from(order.limit);
    let most = match order.side {
        Side::Back => size * longest,
        Side::Lay if order.on_close() => liable(size),
        Side::Lay if trading.starts() => liable(size * (limit - WHOLE) / WHOLE).max(size * limit),
        Side::Lay => size * limit,
    };
    (most / WHOLE + 1).min(i64::MAX.into())
}
