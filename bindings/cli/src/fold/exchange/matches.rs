//! Matches: two sides of each, at a price that is good enough for both.

use super::super::{Fold, Rule};
use super::{E4, Order};
use betring_core::book::Side;
use betring_core::command::{OrderEntry, SetExchange};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::Nanos;
use betring_core::wire::Minor;

/// An order that was matched between selections, with all its legs: what the house has by them.
pub(super) struct Cross {
    taker: OrderId,
    market: MarketId,
    selection: SelectionIndex,
    side: Side,
    /// All stakes, in minor units.
    staked: i128,
    /// What winners return, in ten-thousandths of a minor unit, by selection.
    returns_e4: Vec<i128>,
}

/// The starting price of a selection, and what was matched at it.
#[derive(Clone, Copy, Default)]
pub(super) struct Close {
    pub(super) price_e4: u32,
    /// What each side should have matched.
    due: i128,
    backed: i128,
    laid: i128,
}

impl Close {
    /// Both sides are what was told.
    pub(super) fn is_even(&self) -> bool {
        (self.backed, self.laid) == (self.due, self.due)
    }
}

impl Fold {
    pub(super) fn order_matched(&mut self, matched: &OrderMatched) {
        let how = Match::from_code(matched.how);
        if how != Some(Match::Leg) {
            self.cross_ends();
        }
        let (id, price, stake) = (matched.order, matched.price_e4, i128::from(matched.stake.0));
        let Some(order) = self.known(id, matched.account) else { return };
        let same = (matched.market, matched.selection, matched.side)
            == (order.market, order.selection, order.side as u8);
        self.must(Rule::Orders, same, || format!("{id} is matched as another order"));
        let left = order.left - stake;
        let told = (0 < stake, i128::from(matched.left.0)) == (true, left);
        self.must(Rule::Orders, told, || {
            format!(
                "{} of {id} is matched, and {} left; {} waited",
                matched.stake, matched.left, order.left
            )
        });
        self.counts.matches += 1;
        match how {
            Some(Match::Direct) => self.met(matched, &order),
            Some(Match::Crossed) => self.crossed(matched, &order),
            Some(Match::Leg) => self.leg(matched, &order),
            Some(Match::Starting) => self.at_start(matched, &order),
            None => self.broken(Rule::Layout, || format!("{id} is matched in no known way")),
        }
        self.fill(id, stake, price, matched.selection);
    }

    /// So much more of an order is matched.
    fn fill(&mut self, id: OrderId, stake: i128, price_e4: u32, selection: SelectionIndex) {
        let of = self.exchange.orders.get(&id.raw()).copied();
        let fits = of.is_some_and(|order| stake <= order.left && order.until.is_none());
        self.must(Rule::Orders, fits, || format!("more of {id} is matched than waits"));
        if let Some(order) = of.filter(|order| order.matched != 0) {
            self.exchange.at_another_price(id, &order, stake, price_e4);
        }
        self.change(id, |order| {
            order.left -= stake;
            order.matched += stake;
            order.returns_e4 += stake * i128::from(price_e4);
        });
        if let Some(order) = of.filter(|order| order.selection != selection) {
            self.is_at_line(&order, selection, stake);
        }
    }

    /// An order that was there is matched at its own price.
    fn was_there(&mut self, matched: &OrderMatched, order: &Order) {
        let (id, price) = (matched.order, matched.price_e4);
        let (customer, at) = (self.customer(order.account), self.at);
        self.must(Rule::Customer, customer.may_bet(at), || {
            format!("{id} is matched, and {} was blocked or excluded", order.account)
        });
        let rests = order.is_limit() && price == order.limit_e4;
        self.must(Rule::Orders, rests, || {
            format!("{id} is matched at {price} ten-thousandths, its limit is {}", order.limit_e4)
        });
    }

    /// An order that comes is matched at its limit or better; what has to be filled at once on average.
    fn comes(&mut self, id: OrderId, order: &Order, price: u32) {
        let kills = order.flags & OrderEntry::FILL_OR_KILL != 0;
        let exact = order.flags & OrderEntry::REFUSE_IMPROVEMENT == 0 || price == order.limit_e4;
        let content = order.is_limit() && (kills || order.is_content(price)) && exact;
        self.must(Rule::Orders, content, || {
            format!("{id} is matched at {price} ten-thousandths, its limit is {}", order.limit_e4)
        });
        let place = self.exchange.places.get(&order.market.raw());
        let waits = place.is_some_and(|place| place.delay != Nanos::ZERO);
        let at_once = waits && order.placed == self.seq;
        let new = self.exchange.new.contains(&id);
        self.must(Rule::Waiting, new && !at_once, || {
            format!("{id} is matched before its delay is over, or it did not come")
        });
    }

    /// One order meets another.
    fn met(&mut self, matched: &OrderMatched, maker: &Order) {
        self.was_there(matched, maker);
        let Some(taker) = self.exchange.orders.get(&matched.taker.raw()).copied() else {
            return self.broken(Rule::Matches, || format!("{} meets nobody", matched.order));
        };
        let other = taker.side != maker.side;
        let place = self.exchange.places.get(&maker.market.raw());
        let lines = place.is_some_and(|place| place.has_lines());
        let same = taker.market == maker.market && taker.is_content_at(maker.selection, lines);
        let refuses = taker.flags & OrderEntry::REFUSE_IMPROVEMENT != 0;
        let same = same && (!refuses || taker.selection == maker.selection);
        self.must(Rule::Matches, other && same, || {
            format!("{} meets {}, which is not its other side", matched.order, matched.taker)
        });
        self.comes(matched.taker, &taker, matched.price_e4);
        let stake = matched.stake.0.into();
        self.fill(matched.taker, stake, matched.price_e4, maker.selection);
    }

    /// The house meets an order that comes: legs follow.
    fn crossed(&mut self, matched: &OrderMatched, order: &Order) {
        let id = matched.order;
        self.comes(id, order, matched.price_e4);
        let place = self.exchange.places.get(&order.market.raw());
        let crosses = place.is_some_and(|place| place.terms.flags & SetExchange::CROSSES != 0);
        self.must(Rule::Matches, crosses && matched.taker == OrderId::NONE, || {
            format!("{id} is matched between selections of {}, which does not", order.market)
        });
        self.counts.crossed += 1;
        let mut cross = Cross {
            taker: id,
            market: order.market,
            selection: order.selection,
            side: order.side,
            staked: 0,
            returns_e4: vec![0; self.selections_of(order.market)],
        };
        cross.add(matched);
        self.exchange.cross = Some(cross);
    }

    fn leg(&mut self, matched: &OrderMatched, order: &Order) {
        self.was_there(matched, order);
        let id = matched.order;
        let of = self.exchange.cross.as_mut().filter(|cross| {
            cross.taker == matched.taker
                && (cross.market, cross.side) == (order.market, order.side)
                && cross.selection != order.selection
        });
        let follows = of.map(|cross| cross.add(matched)).is_some();
        self.must(Rule::Matches, follows, || {
            format!("{id} is a leg for {}, which is not being matched", matched.taker)
        });
    }

    /// All legs of a match between selections are told: whoever wins, the house loses nothing.
    pub(super) fn cross_ends(&mut self) {
        let Some(cross) = self.exchange.cross.take() else { return };
        let staked = cross.staked * E4;
        let runs = self.markets.get(&cross.market.raw()).map(|market| &market.selections);
        let outcomes = cross.returns_e4.iter().zip(runs.into_iter().flatten());
        let outcomes = outcomes.filter(|(_, selection)| !selection.withdrawn);
        // The house is on the other side of all of them.
        let worst = outcomes.map(|(returns, _)| match cross.side {
            Side::Back => staked - returns,
            Side::Lay => returns - staked,
        });
        let worst = worst.min().unwrap_or(0);
        self.must(Rule::Matches, 0 <= worst, || {
            let (taker, loses) = (cross.taker, -worst);
            format!("the house may lose {loses} ten-thousandths of a minor unit for {taker}")
        });
    }

    pub(super) fn starting_price(&mut self, price: &StartingPrice) {
        let (market, selection) = (price.market, price.selection);
        let of = self.exchange.places.get_mut(&market.raw());
        let starts = of.filter(|place| place.terms.flags & SetExchange::STARTING_PRICES != 0);
        let close = starts.and_then(|place| place.closes.get_mut(usize::from(selection.0)));
        let right = match close {
            Some(close) => {
                let first = close.price_e4 == 0;
                let due = i128::from(price.matched.0);
                *close = Close { price_e4: price.price_e4, due, backed: 0, laid: 0 };
                first && (price.price_e4 != 0 || price.matched == Minor(0))
            }
            None => false,
        };
        self.must(Rule::Starting, right, || {
            format!("{market} {selection} has no starting price, or had one")
        });
    }

    fn at_start(&mut self, matched: &OrderMatched, order: &Order) {
        let (id, price) = (matched.order, matched.price_e4);
        let place = self.exchange.places.get_mut(&order.market.raw());
        let close = place.and_then(|place| place.closes.get_mut(usize::from(order.selection.0)));
        let told = match close {
            Some(close) => {
                let sum =
                    if order.side == Side::Back { &mut close.backed } else { &mut close.laid };
                *sum += i128::from(matched.stake.0);
                close.price_e4 == price && price != 0
            }
            None => false,
        };
        self.must(Rule::Starting, told && matched.taker == OrderId::NONE, || {
            format!("{id} is matched at {price} ten-thousandths, no starting price")
        });
        let counted = order.is_limit() || order.side == Side::Back || order.priced;
        self.must(Rule::Orders, order.is_content(price) && counted, || {
            format!("{id} is matched at a starting price that is worse than its limit")
        });
    }
}

impl Cross {
    fn add(&mut self, matched: &OrderMatched) {
        let stake = i128::from(matched.stake.0);
        self.staked += stake;
        if let Some(returns) = self.returns_e4.get_mut(usize::from(matched.selection.0)) {
            *returns += stake * i128::from(matched.price_e4);
        }
    }
}
