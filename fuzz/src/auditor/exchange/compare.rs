//! Holding a state's exchange markets against the auditor's.

use super::super::{Auditor, Checked, rule};
use super::Order;
use betring_core::book::{Side, Stand};
use betring_core::event::{JobKind, MarketStatus};
use betring_core::id::*;
use betring_core::{OrderView, Rules, State};
use betring_pricing::Price;

impl Auditor {
    pub(in super::super) fn compare_exchange<R: Rules>(&self, state: &State<R>) -> Checked {
        let mut seen = 0;
        for view in state.orders() {
            seen += 1;
            let Some(order) = self.exchange.orders.get(&view.id.raw()) else {
                return Err(format!("{} was never placed", view.id));
            };
            rule(self.is_same(&view, order), || format!("{view:?} is to be {order:?}"))?;
        }
        let (least, most) = self.orders_in_memory();
        rule((least..=most).contains(&seen), || {
            format!("{seen} orders are in memory, and the rules say {least} to {most}")
        })?;
        for view in state.positions() {
            let (market, account) = (view.market.raw(), view.account.raw());
            let Some(position) = self.exchange.positions.get(&(market, account)) else {
                return Err(format!("{} has nothing in {}", view.account, view.market));
            };
            let settled = position.settled;
            let same = i128::from(view.held.0) == position.held
                && view.settled.map(|(net, fee)| (net.0.into(), fee.0.into())) == settled;
            rule(same, || format!("{view:?} is to be {position:?}"))?;
            // While it leaves memory nobody outside can say which of its orders are still there.
            if self.is_archiving(market) {
                continue;
            }
            let mut stands = vec![Stand::default(); view.stands.len()];
            let mut waiting = 0;
            for (_, order) in self.orders_of(market, account) {
                for (selection, wins, loses) in order.brings() {
                    stands[selection].win_e4 += wins;
                    stands[selection].lose_e4 += loses;
                }
                let (if_won, if_lost) = order.risks();
                let stand = &mut stands[order.selection];
                stand.lays_e4 += if_won;
                stand.backs_e4 += if_lost;
                waiting += u32::from(order.state.waits());
            }
            rule(view.stands == stands && view.waiting == waiting, || {
                format!("{view:?} is to be {stands:?}, {waiting} waiting")
            })?;
        }
        self.exchange.markets.keys().try_for_each(|id| self.compare_trading(state, *id))
    }

    fn is_same(&self, view: &OrderView, order: &Order) -> bool {
        let market = &self.markets[&order.market];
        let off = |selection: usize| {
            let result = market.runners[selection].result;
            result.is_some_and(|entry| super::super::settle::numbers_of(&entry, 1, 0).void.is_all())
        };
        let sizes = view.sizes;
        let own = order.lines.is_empty() && (order.void || off(order.selection));
        let on_lines = order.lines.iter().filter(|(line, _)| off(**line)).map(|(_, stake)| stake);
        let voided = if own { order.matched } else { on_lines.sum() };
        let matched = (order.matched - voided, voided);
        (view.account.raw(), view.market.raw()) == (order.account, order.market)
            && usize::from(view.selection.0) == order.selection
            && (view.side, view.kind, view.persistence)
                == (order.side, order.kind, order.persistence)
            && view.state == order.state
            && view.limit == Price::from_e4(order.limit)
            && (sizes.size.0, sizes.remaining.0) == (order.size, order.left)
            && (sizes.cancelled.0, sizes.lapsed.0) == (order.cancelled, order.lapsed)
            && (sizes.matched.0, sizes.voided.0) == matched
            && view.returns_e4 == if order.void { 0 } else { order.returns }
            && view.reference == order.reference
            && (view.placed_at.0, view.until.0) == (order.placed_at, order.until)
    }

    fn compare_trading<R: Rules>(&self, state: &State<R>, market: u64) -> Checked {
        let (id, trading) = (MarketId::from_raw(market), &self.exchange.markets[&market]);
        let version = self.version_of(market);
        let same = state.exchange_terms(id) == Some(trading.terms)
            && state.market_version(id) == Some(Seq(version))
            && state.cleared(id).map(|(crossing, residue)| (crossing.0.into(), residue.0.into()))
                == Some((trading.crossing, trading.residue));
        rule(same, || {
            format!(
                "{id} has version {:?}, {:?}; and the rules say {version}, {trading:?}",
                state.market_version(id),
                state.cleared(id)
            )
        })?;
        let job = self.markets[&market].job.map(|(_, kind)| kind);
        let leaving = self.markets[&market].status == MarketStatus::Archiving;
        for selection in 0..trading.runs.len() {
            let at = SelectionIndex(selection as u16);
            for side in [Side::Back, Side::Lay] {
                let depth: Vec<(Price, i64)> =
                    state.depth(id, at, side).map(|(price, size)| (price, size.0)).collect();
                let lines = trading.has_lines();
                let own = trading.book.depth(if lines { 0 } else { at.0 }, side).into_iter();
                let own = own.filter(|(tick, _)| !lines || tick.index() as usize == selection);
                let odds = |tick: usize| trading.prices[if lines { 0 } else { tick }];
                let own: Vec<(Price, i64)> = own
                    .filter_map(|(tick, size)| {
                        Some((Price::from_e4(odds(tick.index() as usize))?, size))
                    })
                    .collect();
                rule(depth == own, || format!("{id} {at:?} {side:?}: {depth:?} is to be {own:?}"))?;
            }
            let traded: Vec<(u32, i128)> =
                state.traded(id, at).map(|(price, sum)| (price.e4(), sum.0.into())).collect();
            let own = trading.traded.iter().filter(|((at, _), _)| *at == selection);
            let own: Vec<(u32, i128)> = own.map(|((_, odds), sum)| (*odds, *sum)).collect();
            rule(traded == own, || format!("{id} {at:?} traded {traded:?}, to be {own:?}"))?;
            // Prices are made before they are told.
            let starting = state.starting_price(id, at).map_or(0, Price::e4);
            let known = job != Some(JobKind::Turn) && !leaving;
            rule(!known || starting == trading.starting[selection], || {
                format!("{id} {at:?} starts at {starting}, to be {}", trading.starting[selection])
            })?;
        }
        Ok(())
    }
}
