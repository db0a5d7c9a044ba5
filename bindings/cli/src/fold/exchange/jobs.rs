//! What changes all orders of a market: at its end nothing is as it may not be.

use super::super::{Fold, Rule};
use super::{E4, Order};
use betring_core::book::Side;
use betring_core::command::{Command, LapseScope, Persistence, SetExchange};
use betring_core::event::*;
use betring_core::id::*;

/// The shortest odds to which a withdrawal may bring a bet.
const SHORTEST_E4: i128 = 10_100;
/// Factors below this cut nothing, but in a market of places.
const FACTOR_LEAST: u16 = 250;

/// What a matched order returns after a withdrawal: its odds are cut, in a market of places its winnings. A part of a
/// ten-thousandth goes to neither side.
pub(super) fn cut_by(side: Side, part: (i128, i128), factor: u16, places: bool) -> i128 {
    let (matched, returns_e4) = part;
    if factor < FACTOR_LEAST && !places {
        return returns_e4;
    }
    let staked = matched * E4;
    let cut = |returns: i128| {
        let parts = returns * (E4 - i128::from(factor));
        match side {
            Side::Back => parts.div_euclid(E4),
            Side::Lay => (parts + E4 - 1).div_euclid(E4),
        }
    };
    match places {
        true => staked + cut(returns_e4 - staked),
        // What was shorter before stays what it was.
        false => cut(returns_e4).max((matched * SHORTEST_E4).min(returns_e4)),
    }
}

impl Fold {
    pub(in super::super) fn exchange_job_started(
        &mut self,
        command: &Command<'_>,
        job: &JobStarted,
    ) {
        self.clearing_ends();
        if let Some(place) = self.exchange.places.get_mut(&job.market.raw()) {
            place.reduces = job.kind == JobKind::NonRunner as u8;
        }
        let result = self.result_of(job.market);
        let Some(place) = self.exchange.places.get_mut(&job.market.raw()) else { return };
        place.results = vec![result];
        if let Command::LapseOrders(body) = command {
            place.scope = body.scope;
        }
    }

    pub(super) fn order_reduced(&mut self, reduced: &OrderReduced) {
        let Some(order) = self.known(reduced.order, reduced.account) else { return };
        let id = reduced.order;
        let Some(place) = self.exchange.places.get(&order.market.raw()) else { return };
        let (seq, selection, factor) = place.withdrawn;
        let places = place.terms.flags & SetExchange::PLACES != 0;
        let void = order.selection == selection;
        let after = if void { 0 } else { self.cut_by(id, &order, factor, places) };
        let once = order.reduced < seq && !order.void && order.matched != 0;
        let told = (reduced.before_e4, reduced.after_e4) == (order.returns_e4, after);
        self.must(Rule::Orders, once && told, || {
            format!("{id} returns {} ten-thousandths, it should return {after}", reduced.after_e4)
        });
        let parts = self.exchange.parts.get_mut(&id.raw());
        for part in parts.into_iter().flatten() {
            part.1 = if void { 0 } else { cut_by(order.side, *part, factor, places) };
        }
        let after = reduced.after_e4;
        self.change(id, |order| {
            order.reduced = seq;
            order.void = void;
            order.returns_e4 = after;
        });
    }

    pub(in super::super) fn exchange_job_ended(&mut self, job: &JobEnded) {
        let market = job.market;
        let Some(place) = self.exchange.places.get(&market.raw()) else { return };
        let kind = JobKind::from_code(job.kind);
        let (seq, selection, factor) = place.withdrawn;
        let places = place.terms.flags & SetExchange::PLACES != 0;
        let all = LapseScope::from_code(place.scope) != Some(LapseScope::NotPersistent);
        let left = |order: &Order| match kind {
            Some(JobKind::Turn) => {
                !order.is_limit()
                    || order.persistence != Persistence::Persist
                    || order.until.is_some()
            }
            Some(JobKind::Lapse) => {
                all || (order.is_limit() && order.persistence == Persistence::Lapse)
            }
            Some(JobKind::NonRunner) => order.selection == selection,
            Some(JobKind::Settle | JobKind::Rollback | JobKind::Archive) => true,
            Some(JobKind::Cancel) | None => false,
        };
        let missed = |id: &OrderId, order: &Order| {
            let due = self.cut_by(*id, order, factor, places);
            let cut =
                order.reduced == seq || (order.selection != selection && due == order.returns_e4);
            kind == Some(JobKind::NonRunner) && order.matched != 0 && !order.void && !cut
        };
        let orders = place.orders.iter();
        let orders = orders.filter_map(|id| Some((*id, self.exchange.orders.get(&id.raw())?)));
        let mut orders =
            orders.filter(|(id, order)| (order.waits() && left(order)) || missed(id, order));
        let first = orders.next().map(|(id, _)| id);
        let uneven = place.closes.iter().position(|close| !close.is_even());
        self.must(Rule::Orders, first.is_none(), || {
            format!("{} ended, and {} is as it was before", job.job, first.unwrap_or(OrderId::NONE))
        });
        if kind == Some(JobKind::Turn) {
            self.must(Rule::Starting, uneven.is_none(), || {
                let selection = uneven.unwrap_or_default();
                format!("{market} s{selection}: backs, lays and what was told are not as much")
            });
        }
        if kind == Some(JobKind::NonRunner) {
            self.exchange.places.entry(market.raw()).and_modify(|place| place.reduces = false);
            // What does not run cannot win: that changes what every position may lose.
            let accounts = self.exchange.places.get(&market.raw()).map(|place| &place.accounts);
            let all = accounts.into_iter().flatten().map(|account| (market, *account));
            self.exchange.touched.extend(all);
        }
        let last = self.markets.get(&market.raw()).is_some_and(|of| of.announced == job.job);
        if matches!(kind, Some(JobKind::Settle | JobKind::Rollback)) {
            if last {
                self.all_settled(market);
            }
            self.clearing_ends();
            self.exchange.ended = Some((market, job.job));
        }
    }

    /// The last news of a market have reached its positions: each is as the result says, or open without one.
    fn all_settled(&mut self, market: MarketId) {
        let shares = self.result_of(market).and_then(|result| self.shares(market, &result));
        let accounts = self.exchange.places.get(&market.raw()).map(|place| &place.accounts);
        let wrong = accounts.into_iter().flatten().find(|account| {
            let position = self.exchange.positions.get(&(market.raw(), account.raw()));
            let posted = position.and_then(|position| position.posted);
            let due = shares.as_ref().and_then(|shares| self.net(market, **account, shares));
            posted.map(|(net, _)| i128::from(net.0)) != due
        });
        let wrong = wrong.copied();
        self.must(Rule::Positions, wrong.is_none(), || {
            let account = wrong.unwrap_or(AccountId::NONE);
            format!("{account} is not settled in {market} as the result says")
        });
    }
}
