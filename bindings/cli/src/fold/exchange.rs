//! Exchange markets as their records tell them: terms, orders, positions.
//!
//! [`orders`] follows every order from its placing to its end, [`mod@matches`] proves both sides of every match,
//! [`positions`] what an account may lose and what it won, [`jobs`] what became of all of them when a market turned
//! in-play, lost a runner or had its result.

mod jobs;
mod matches;
mod orders;
mod positions;

use super::{Fold, Rule};
use betring_core::book::Side;
use betring_core::command::{
    Command, OrderKind, Persistence, ResultEntry, SetExchange, WithdrawSelection,
};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor};
use matches::{Close, Cross};
use positions::{Position, Stand};
#[cfg(test)]
pub(super) use positions::{worst_of, worst_of_lines};
use std::collections::HashMap;

const E4: i128 = 10_000;

/// An order, by what the records said of it.
#[derive(Clone, Copy)]
struct Order {
    account: AccountId,
    market: MarketId,
    selection: SelectionIndex,
    side: Side,
    kind: OrderKind,
    persistence: Persistence,
    /// In ten-thousandths; 0 without.
    limit_e4: u32,
    /// What was asked for, as its kind counts it; it is always the sum of what follows.
    size: i128,
    left: i128,
    matched: i128,
    /// Cancelled, or lapsed.
    cut: i128,
    /// What a winner returns of what was matched, in ten-thousandths of a minor unit.
    returns_e4: i128,
    /// What was matched is void.
    void: bool,
    /// A lay at the starting price that is counted by stakes: it risks nothing more.
    priced: bool,
    /// Until when it waits for its delay, if it does.
    until: Option<Timestamp>,
    min_fill: Minor,
    flags: u8,
    self_match: u8,
    reference: u128,
    placed: Seq,
    /// In which record less of it waits because it was cancelled, and by how much.
    cancelled: (Seq, i128),
    /// The withdrawal that last cut its returns.
    reduced: Seq,
}

impl Order {
    fn is_limit(&self) -> bool {
        self.kind == OrderKind::Limit
    }

    fn waits(&self) -> bool {
        0 < self.left
    }

    /// Whether this price is as good as its limit for its side, or better.
    fn is_content(&self, price_e4: u32) -> bool {
        match (self.limit_e4, self.side) {
            (0, _) => true,
            (limit, Side::Back) => limit <= price_e4,
            (limit, Side::Lay) => price_e4 <= limit,
        }
    }

    /// Whether this line is as good as its own for its side, or better; of a market without lines there is only its own.
    fn is_content_at(&self, line: SelectionIndex, lines: bool) -> bool {
        match self.side {
            _ if line == self.selection => true,
            Side::Back => lines && self.selection.0 < line.0,
            Side::Lay => lines && line.0 < self.selection.0,
        }
    }

    /// What it adds to its account's stand on its selection.
    fn stand(&self) -> Stand {
        let (staked, left) = (self.matched * E4, self.left * E4);
        let profit = self.returns_e4 - staked;
        let has = match (self.void, self.side) {
            (true, _) => Stand::default(),
            (false, Side::Back) => Stand { win_e4: profit, lose_e4: -staked, ..Stand::default() },
            (false, Side::Lay) => Stand { win_e4: -profit, lose_e4: staked, ..Stand::default() },
        };
        match self.side {
            Side::Back => Stand { backs_e4: left, ..has },
            Side::Lay if self.priced => has,
            // At the starting price a lay is its liability.
            Side::Lay if !self.is_limit() => Stand { lays_e4: left, ..has },
            Side::Lay => Stand { lays_e4: self.left * (i128::from(self.limit_e4) - E4), ..has },
        }
    }
}

/// An exchange market beside what every market has.
struct Place {
    terms: SetExchange,
    in_play: bool,
    delay: Nanos,
    closes: Vec<Close>,
    orders: Vec<OrderId>,
    accounts: Vec<AccountId>,
    crossing: Minor,
    residue: Minor,
    /// Which of its orders lapse by the job that is at work.
    scope: u8,
    /// Whether its orders are being cut after a withdrawal: what is held follows.
    reduces: bool,
    /// Its last withdrawal: where it stands, of which selection, by how much odds are cut.
    withdrawn: (Seq, SelectionIndex, u16),
    /// Its results since the job that is at work began.
    results: Vec<Option<Vec<ResultEntry>>>,
}

impl Place {
    /// Whether its selections are lines.
    fn has_lines(&self) -> bool {
        self.terms.flags & SetExchange::LINES != 0
    }
}

/// What is known of exchange markets.
#[derive(Default)]
pub(super) struct Exchange {
    places: HashMap<u64, Place>,
    orders: HashMap<u64, Order>,
    /// By market and account.
    positions: HashMap<(u64, u64), Position>,
    discounts: HashMap<u64, u16>,
    /// Positions that this record changed.
    touched: Vec<(MarketId, AccountId)>,
    /// What was matched at each price of the orders that were matched at several: stakes, and what they return.
    parts: HashMap<u64, Vec<(i128, i128)>>,
    /// Orders that this record placed, or whose delay it ended.
    new: Vec<OrderId>,
    /// Positions that this record takes back, with what they were settled as.
    reversed: Vec<(MarketId, AccountId, (Minor, Minor))>,
    /// The match between selections whose legs are being told.
    cross: Option<Cross>,
    /// The job that settled a market, whose clearing is being told.
    ended: Option<(MarketId, JobId)>,
    /// Accounts of which more is held by what became of a market: that may make a debt.
    pub(super) by_news: Vec<AccountId>,
}

impl Exchange {
    /// More of an order is matched, of which something was before.
    fn at_another_price(&mut self, id: OrderId, order: &Order, stake: i128, price_e4: u32) {
        let more = (stake, stake * i128::from(price_e4));
        let is_same = |(had, returns_e4): (i128, i128)| returns_e4 == had * i128::from(price_e4);
        let whole = (order.matched, order.returns_e4);
        if !self.parts.contains_key(&id.raw()) && is_same(whole) {
            return;
        }
        let parts = self.parts.entry(id.raw()).or_insert_with(|| vec![whole]);
        match parts.last_mut().filter(|last| is_same(**last)) {
            Some(last) => *last = (last.0 + more.0, last.1 + more.1),
            None => parts.push(more),
        }
    }
}

impl Fold {
    /// An event of an exchange market.
    pub(super) fn exchange_event(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        event: &Event,
        due: &mut Vec<Transfer>,
    ) {
        match event {
            Event::ExchangeSet(set) => self.exchange_set(command, set),
            Event::DiscountSet(set) => {
                let asked = matches!(command, Command::SetDiscount(body)
                    if (body.account, body.discount) == (set.account, set.discount));
                self.must(Rule::Positions, asked, || {
                    format!("nobody sets the discount of {}", set.account)
                });
                self.exchange.discounts.insert(set.account.raw(), set.discount);
            }
            Event::OrderPlaced(order) => self.order_placed(header, command, order),
            Event::OrderBegan(order) => self.order_began(order),
            Event::OrderMatched(matched) => self.order_matched(matched),
            Event::OrderCut(cut) => self.order_cut(header, command, cut),
            Event::OrderChanged(change) => self.order_changed(header, command, change),
            Event::OrderReduced(reduced) => self.order_reduced(reduced),
            Event::ExposureHeld(held) => self.exposure_held(header, command, held, due),
            Event::StartingPrice(price) => self.starting_price(price),
            Event::PositionSettled(settled) => self.position_settled(settled, due),
            Event::PositionReversed(reversed) => self.position_reversed(reversed, due),
            Event::ExchangeCleared(cleared) => self.exchange_cleared(cleared, due),
            _ => (),
        }
    }

    fn exchange_set(&mut self, command: &Command<'_>, set: &ExchangeSet) {
        let ExchangeSet { market, currency, commission, ladder, flags, .. } = *set;
        let terms = match command {
            Command::SetExchange(body, _) => *body,
            _ => SetExchange::default(),
        };
        let asked = (terms.market, terms.currency, terms.commission, terms.ladder, terms.flags);
        let known = self.markets.contains_key(&market.raw());
        let first = !self.exchange.places.contains_key(&market.raw());
        let right = known && first && asked == (market, currency, commission, ladder, flags);
        self.must(Rule::Orders, right, || format!("nobody gives {market} such terms"));
        let selections = self.selections_of(market);
        let place = Place {
            terms,
            in_play: false,
            delay: Nanos::ZERO,
            closes: vec![Close::default(); selections],
            orders: Vec::new(),
            accounts: Vec::new(),
            crossing: Minor(0),
            residue: Minor(0),
            scope: 0,
            reduces: false,
            withdrawn: (Seq(0), SelectionIndex(0), 0),
            results: Vec::new(),
        };
        self.exchange.places.insert(market.raw(), place);
    }

    fn selections_of(&self, market: MarketId) -> usize {
        self.markets.get(&market.raw()).map_or(0, |market| market.selections.len())
    }

    pub(super) fn place_turns(&mut self, play: &InPlayChanged) {
        if let Some(place) = self.exchange.places.get_mut(&play.market.raw()) {
            place.in_play = play.in_play == 1;
            place.delay = if place.in_play { play.delay } else { Nanos::ZERO };
        }
    }

    pub(super) fn place_loses(&mut self, command: &Command<'_>, change: &SelectionChanged) {
        let seq = self.seq;
        if let Some(place) = self.exchange.places.get_mut(&change.market.raw())
            && let Command::WithdrawSelection(WithdrawSelection { factor, .. }) = command
        {
            place.withdrawn = (seq, change.selection, *factor);
        }
    }

    /// The result of a market is another, or none any more.
    pub(super) fn place_has_result(&mut self, market: MarketId) {
        let result = self.result_of(market);
        if let Some(place) = self.exchange.places.get_mut(&market.raw()) {
            place.results.push(result);
        }
    }

    fn result_of(&self, market: MarketId) -> Option<Vec<ResultEntry>> {
        self.markets.get(&market.raw())?.selections.iter().map(|of| of.result).collect()
    }

    /// A market leaves memory, and all orders with it.
    pub(super) fn place_is_archived(&mut self, market: MarketId) {
        let Some(place) = self.exchange.places.remove(&market.raw()) else { return };
        for order in place.orders {
            self.exchange.orders.remove(&order.raw());
            self.exchange.parts.remove(&order.raw());
        }
        for account in place.accounts {
            self.exchange.positions.remove(&(market.raw(), account.raw()));
        }
    }

    /// What an order returns once a factor has cut its odds, or with places its winnings: each price by itself.
    fn cut_by(&self, id: OrderId, order: &Order, factor: u16, places: bool) -> i128 {
        let whole = [(order.matched, order.returns_e4)];
        let parts = self.exchange.parts.get(&id.raw()).map_or(&whole[..], |parts| parts);
        parts.iter().map(|part| jobs::cut_by(order.side, *part, factor, places)).sum()
    }

    /// Changes what is known of an order, and its account's stand with it.
    fn change(&mut self, id: OrderId, change: impl FnOnce(&mut Order)) {
        let Some(order) = self.exchange.orders.get_mut(&id.raw()) else { return };
        let before = order.stand();
        change(order);
        let (now, order) = (order.stand(), *order);
        let at = (order.market.raw(), order.account.raw());
        let position = self.exchange.positions.get_mut(&at);
        let stands = position.map(|position| &mut position.stands);
        if let Some(stand) = stands.and_then(|all| all.get_mut(usize::from(order.selection.0))) {
            stand.change(&before, &now);
        }
        self.exchange.touched.push((order.market, order.account));
    }

    /// So much of an order, which counts where its limit is, was matched at a better line.
    fn is_at_line(&mut self, order: &Order, line: SelectionIndex, stake: i128) {
        let part = Order { matched: stake, returns_e4: 2 * stake * E4, left: 0, ..*order }.stand();
        let at = (order.market.raw(), order.account.raw());
        let Some(position) = self.exchange.positions.get_mut(&at) else { return };
        let none = Stand::default();
        for (selection, before, now) in [(order.selection, &part, &none), (line, &none, &part)] {
            if let Some(stand) = position.stands.get_mut(usize::from(selection.0)) {
                stand.change(before, now);
            }
        }
    }

    /// After a record: what holds of everything that it changed on an exchange.
    pub(super) fn exchange_record(&mut self, command: &Command<'_>, events: &[Event]) {
        self.cross_ends();
        self.clearing_ends();
        self.new_orders();
        self.ordered(command, events);
        let mut touched = std::mem::take(&mut self.exchange.touched);
        touched.sort_unstable_by_key(|(market, account)| (market.raw(), account.raw()));
        touched.dedup();
        for (market, account) in touched.drain(..) {
            self.is_held(market, account);
        }
        self.exchange.touched = touched;
        self.positions_reversed();
        self.exchange.new.clear();
    }
}
