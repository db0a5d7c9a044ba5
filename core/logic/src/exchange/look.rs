//! What may be read of exchange markets: plain copies, for replies, views, tools and tests.

use super::parts::matched_of;
use super::{ExchangeMarket, OrderRow, OrderState};
use crate::bet::NONE;
use crate::book::{Side, Stand};
use crate::command::{OrderKind, Persistence, SetExchange};
use crate::id::{AccountId, MarketId, OrderId, SelectionIndex, Seq};
use crate::rules::Rules;
use crate::state::State;
use crate::time::Timestamp;
use crate::wire::Minor;
use betring_pricing::{Ladder, Price, Tick};

/// What became of an order's size; `size` is always the sum of the others. (Names: s, sm, sr, sl, sc, sv of the order
/// stream.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// What was asked for: the backer's stake; of a lay at the starting price the liability until it has one, from then
    /// on the stakes that it covers.
    pub size: Minor,
    /// Matched.
    pub matched: Minor,
    /// Waiting.
    pub remaining: Minor,
    /// Lapsed.
    pub lapsed: Minor,
    /// Cancelled.
    pub cancelled: Minor,
    /// Matched, and void: the selection was withdrawn, or its bets are off.
    pub voided: Minor,
}

/// An order, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// The order.
    pub id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// In which market.
    pub market: MarketId,
    /// On which selection.
    pub selection: SelectionIndex,
    /// Which way.
    pub side: Side,
    /// At which price it is to be matched.
    pub kind: OrderKind,
    /// What becomes of it in-play.
    pub persistence: Persistence,
    /// Where it is in its life.
    pub state: OrderState,
    /// Its limit; none without.
    pub limit: Option<Price>,
    /// What became of its size.
    pub sizes: Sizes,
    /// What a winner returns of what was matched, in ten-thousandths of a minor unit.
    pub returns_e4: i128,
    /// The average price of that, rounded down.
    pub average: Option<Price>,
    /// The customer's own number.
    pub reference: u128,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The end of its delay; 0: it had none.
    pub until: Timestamp,
}

/// What an account has in an exchange market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionView<'a> {
    /// Whose.
    pub account: AccountId,
    /// In which market.
    pub market: MarketId,
    /// By selection.
    pub stands: &'a [Stand],
    /// What is in escrow for it.
    pub held: Minor,
    /// Orders that wait.
    pub waiting: u32,
    /// Net winnings and commission, once it is settled.
    pub settled: Option<(Minor, Minor)>,
}

impl<R: Rules> State<R> {
    fn order_view(&self, at: u32, row: &OrderRow) -> OrderView {
        let position = &self.exchange.positions[row.position as usize];
        let exchange = self.exchange_of(position.market);
        let void = |(at, ..): &(u16, i64, i128)| row.void || self.is_void(position.market, *at);
        let voided = matched_of(&self.exchange.parts, row).filter(void);
        let voided = voided.map(|(_, stake, _)| stake).sum::<i64>();
        let average = row.returns_e4.checked_div(i128::from(row.matched));
        OrderView {
            id: row.id(at),
            account: AccountId::new(position.account, 1),
            market: self.market_id(position.market),
            selection: SelectionIndex(row.selection),
            side: row.side,
            kind: row.kind,
            persistence: row.persistence,
            state: row.state,
            limit: Price::from_e4(exchange.odds_of(row)),
            sizes: Sizes {
                size: Minor(row.size),
                matched: Minor(row.matched - voided),
                remaining: Minor(row.left),
                lapsed: Minor(row.lapsed),
                cancelled: Minor(row.cancelled),
                voided: Minor(voided),
            },
            returns_e4: if row.void { 0 } else { row.returns_e4 },
            average: average.and_then(|e4| Price::from_e4(e4 as u32)),
            reference: row.reference,
            placed_at: row.placed_at,
            until: row.until,
        }
    }

    fn is_void(&self, index: u32, selection: u16) -> bool {
        let first = self.markets[index as usize].first as usize;
        let result = self.selections[first + usize::from(selection)].result;
        result.is_some_and(|entry| crate::settlement::numbers_of(&entry, 1, 0).void.is_all())
    }

    /// An order in memory.
    pub fn order(&self, id: OrderId) -> Option<OrderView> {
        self.exchange.find(id).map(|row| self.order_view(id.index(), row))
    }

    /// Every order in memory, by place.
    pub fn orders(&self) -> impl Iterator<Item = OrderView> + '_ {
        let rows = (0..).zip(&self.exchange.rows);
        rows.filter(|(_, row)| row.state != OrderState::Archived)
            .map(|(at, row)| self.order_view(at, row))
    }

    /// What an account has in a market; nothing if it never placed an order there.
    pub fn position(&self, account: AccountId, market: MarketId) -> Option<PositionView<'_>> {
        let (account_index, _) = self.ledger.find(account)?;
        let (index, _) = self.find_market(market)?;
        self.exchange.find_position(account_index, index).map(|at| self.position_view(at))
    }

    fn position_view(&self, at: u32) -> PositionView<'_> {
        let position = &self.exchange.positions[at as usize];
        let count = usize::from(self.markets[position.market as usize].selections);
        PositionView {
            account: AccountId::new(position.account, 1),
            market: self.market_id(position.market),
            stands: &self.exchange.stands[position.first as usize..][..count],
            held: Minor(position.held),
            waiting: position.count,
            settled: position.settled.then_some((Minor(position.net), Minor(position.commission))),
        }
    }

    /// Every position in memory, by place.
    pub fn positions(&self) -> impl Iterator<Item = PositionView<'_>> + '_ {
        let kept = (0..).zip(&self.exchange.positions);
        kept.filter(|(_, position)| position.account != NONE).map(|(at, _)| self.position_view(at))
    }

    fn known_exchange(&self, market: MarketId) -> Option<&ExchangeMarket> {
        self.find_market(market).and_then(|(index, _)| self.exchange.market(index))
    }

    /// The terms of an exchange market.
    pub fn exchange_terms(&self, market: MarketId) -> Option<SetExchange> {
        self.known_exchange(market).map(|exchange| exchange.terms)
    }

    /// The ladder of an exchange market.
    pub fn exchange_ladder(&self, market: MarketId) -> Option<Ladder> {
        self.known_exchange(market).map(|exchange| exchange.ladder)
    }

    /// The version of an exchange market, as requests may name it: when something material happened to it last.
    pub fn market_version(&self, market: MarketId) -> Option<Seq> {
        let (index, _) = self.find_market(market)?;
        self.exchange.market(index).map(|_| self.exchange_version(index))
    }

    /// Prices and sizes of the orders that rest on a side of a selection, best first; nothing if there is no such book.
    pub fn depth(
        &self,
        market: MarketId,
        selection: SelectionIndex,
        side: Side,
    ) -> impl Iterator<Item = (Price, Minor)> + '_ {
        let exchange = self.known_exchange(market);
        let exchange = exchange.filter(|e| usize::from(selection.0) < e.outcomes.len());
        exchange.into_iter().flat_map(move |exchange| {
            let depth = exchange.book.depth(exchange.shelf(selection.0), side);
            depth.filter_map(move |(tick, size)| {
                let (at, place) = exchange.spot(selection.0, tick.index());
                let price = exchange.ladder.price(Tick::new(place))?;
                (at == selection.0).then_some((price, Minor(size)))
            })
        })
    }

    /// Backers' stakes that were matched on a selection by price, from the shortest up.
    pub fn traded(
        &self,
        market: MarketId,
        selection: SelectionIndex,
    ) -> impl Iterator<Item = (Price, Minor)> + '_ {
        let exchange = self.known_exchange(market);
        exchange.into_iter().flat_map(move |exchange| {
            let prices = exchange.traded.get(usize::from(selection.0));
            let sums = prices.into_iter().flat_map(|prices| (0..).zip(prices.iter()));
            let sums = sums.filter(|(_, sum)| **sum != 0);
            sums.filter_map(|(tick, sum)| {
                Some((exchange.ladder.price(Tick::new(tick))?, Minor(*sum)))
            })
        })
    }

    /// The starting price of a selection, if it has one.
    pub fn starting_price(&self, market: MarketId, selection: SelectionIndex) -> Option<Price> {
        let exchange = self.known_exchange(market)?;
        Price::from_e4(exchange.closes.get(usize::from(selection.0))?.odds_e4)
    }

    /// What the starting price of a selection would be now: of the bets at it alone, and with the orders that rest.
    pub fn far_and_near(
        &self,
        market: MarketId,
        selection: SelectionIndex,
    ) -> Option<(Option<Price>, Option<Price>)> {
        let exchange = self.known_exchange(market)?;
        let starting = exchange.starting.get(usize::from(selection.0))?;
        let of = |book| {
            let found = starting.reconcile(&exchange.prices, book)?;
            Price::from_e4(found.odds_e4)
        };
        Some((of(None), of(Some((&exchange.book, selection.0)))))
    }

    /// The price at which the orders on all other selections would meet one on this, and how much of it; beside the
    /// orders that are there. `side` is that of the order that would come.
    pub fn virtual_price(
        &self,
        market: MarketId,
        selection: SelectionIndex,
        side: Side,
    ) -> Option<(Price, Minor)> {
        let exchange = self.known_exchange(market)?;
        let (tick, size) = exchange.book.virtual_price(selection.0, side)?;
        Some((exchange.ladder.price(tick)?, Minor(size)))
    }

    /// What the house has of an exchange market: by standing between selections, and of what rounding left.
    pub fn cleared(&self, market: MarketId) -> Option<(Minor, Minor)> {
        let exchange = self.known_exchange(market)?;
        Some((Minor(exchange.crossing), Minor(exchange.residue)))
    }
}
