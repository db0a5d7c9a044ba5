//! Holding a whole state against the auditor's books, and asking whether anything was left undone.

use super::liability::Liability;
use super::{Auditor, Checked, rule};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::{BetState, Rules, State};
use betring_pricing::Currency;

impl Auditor {
    /// Holds a whole state against the rules: money, bets, markets, prices and their ages, both liability
    /// figures, and what is kept of requests.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare<R: Rules>(&self, state: &State<R>) -> Checked {
        self.compare_money(state)?;
        self.compare_markets(state)?;
        self.compare_bets(state)?;
        self.compare_exchange(state)?;
        let said = state.shedding();
        rule((said.code(), said.by.0) == self.shedding, || {
            format!("{said:?} is said of shedding, and the rules say {:?}", self.shedding)
        })?;
        rule(state.seq().0 == self.seq && state.epoch().0 == self.epoch, || {
            format!("the state is at {} of {}", state.seq(), state.epoch())
        })
    }

    /// What is kept of every request, too: [`Auditor::compare`] leaves that out, because it takes long.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare_requests<R: Rules>(&self, state: &State<R>) -> Checked {
        for ((account, key), asked) in &self.asked {
            let kept = self.kept(*account, RequestKey(*key), self.now).is_some();
            let found = state.request(*account, RequestKey(*key));
            let good = match found {
                None => !kept,
                Some((answer, fate, amount)) => {
                    let fates = self.fates(&asked.answer);
                    kept && answer == asked.answer && fates.contains(&(fate, amount))
                }
            };
            rule(good, || {
                format!(
                    "request {account}:{key} has the state's answer {found:?}, and the rules say {:?} \
                     (kept: {kept})",
                    asked.answer
                )
            })?;
        }
        Ok(())
    }

    fn compare_money<R: Rules>(&self, state: &State<R>) -> Checked {
        let mut seen = 0;
        for view in state.accounts() {
            seen += 1;
            let Some(account) = self.accounts.get(&view.id.raw()) else {
                return Err(format!("{} is nobody's account", view.id));
            };
            let same = i128::from(view.balance.0) == account.balance
                && i128::from(view.bonus.0) == account.bonus
                && view.blocked == account.blocked
                && view.currency.numeric() == account.currency
                && view.reference == account.reference;
            rule(same, || format!("{view:?} is to be {account:?}"))?;
        }
        rule(seen == self.accounts.len(), || format!("there are {seen} accounts"))?;
        for number in &self.currencies {
            let Some(currency) = Currency::from_numeric(*number) else { continue };
            for house in HouseAccount::ALL {
                let (is, has_to_be) =
                    (state.house(*house, currency), self.house_balance(*number, *house));
                rule(is == has_to_be, || {
                    format!("{house} in {currency} is {is}, and the rules say {has_to_be}")
                })?;
            }
        }
        Ok(())
    }

    fn compare_markets<R: Rules>(&self, state: &State<R>) -> Checked {
        let mut seen = 0;
        for view in state.markets() {
            seen += 1;
            let Some(market) = self.markets.get(&view.id.raw()) else {
                return Err(format!("{} has no business in memory", view.id));
            };
            // While it leaves memory nobody outside can say which of its legs still count.
            let leaving = market.status == MarketStatus::Archiving;
            let open_bets = self
                .bets
                .values()
                .filter(|bet| bet.state.stands() || bet.is_bound())
                .flat_map(|bet| &bet.legs)
                .filter(|leg| leg.market == view.id.raw() && !leg.gone)
                .count();
            let same = view.status == market.status
                && view.version.0 == market.version
                && view.suspended == self.is_suspended(market, None)
                && view.feed_up == self.feed_is_up(self.driving(market))
                && view.feed.0 == self.driving(market)
                && (leaving || view.open_bets as usize == open_bets)
                && (view.in_play, view.delay.0) == (market.in_play, market.delay)
                && view.cash_out_frozen == self.is_frozen(market)
                && view.settlement == market.settlement
                && view.age_bound.0 == market.age_bound
                && view.selections.len() == market.runners.len();
            rule(same, || {
                format!(
                    "{view:?} is to be {market:?}, suspended {}, feed up {}, {open_bets} open bets",
                    self.is_suspended(market, None),
                    self.feed_is_up(self.driving(market))
                )
            })?;
            for (selection, runner) in view.selections.iter().zip(&market.runners) {
                let shown = self.on_show(market, runner);
                let same = selection.price == shown.price
                    && selection.version.0 == shown.version
                    && selection.withdrawn == runner.out
                    && selection.result == runner.result
                    && (shown.price.is_none() || selection.age.0 == shown.age);
                rule(same, || format!("{selection:?} is to be {runner:?}, shown {shown:?}"))?;
            }
            for number in &self.currencies {
                let Some(currency) = Currency::from_numeric(*number) else { continue };
                let Some(exposure) = state.exposure(view.id, currency) else { continue };
                let Liability { staked, returns, reach } = self.liability(view.id.raw(), *number);
                let worst = self.worst(market, staked, &returns);
                let same = exposure.staked == staked
                    && exposure.returns == returns
                    && (leaving || exposure.reach == reach)
                    && exposure.worst == worst;
                rule(same, || {
                    format!(
                        "{} in {currency} has {exposure:?}, and all open bets sum to staked {staked}, \
                         returns {returns:?}, reach {reach:?}, worst {worst}",
                        view.id
                    )
                })?;
            }
        }
        rule(seen == self.markets.len(), || {
            format!("there are {seen} markets, and the rules say {}", self.markets.len())
        })
    }

    fn compare_bets<R: Rules>(&self, state: &State<R>) -> Checked {
        let mut seen = 0;
        for view in state.bets() {
            seen += 1;
            let Some(bet) = self.bets.get(&view.id.raw()) else {
                return Err(format!("{} was never made", view.id));
            };
            let same = view.account.raw() == bet.account
                && view.state == bet.state
                && i128::from(view.stake.0) == bet.stake
                && i128::from(view.returns.0) == bet.returns
                && i128::from(view.paid.0) == bet.paid
                && i128::from(view.cashed.0) == bet.cashed
                && i128::from(view.auto.0) == bet.auto
                && usize::from(view.legs) == bet.legs.len()
                && view.cancelled == bet.cancelled
                && usize::from(view.ruleset) == bet.ruleset
                && view.settlements == bet.settlements
                && view.placed_seq.0 == bet.placed_seq
                && view.until.0 == bet.until;
            rule(same, || format!("{view:?} is to be {bet:?}"))?;
            for (view, leg) in state.legs(view.id).zip(&bet.legs) {
                let may_be_known = leg.known == view.numbers || leg.may_be.contains(&view.numbers);
                let same = view.market.raw() == leg.market
                    && usize::from(view.selection.0) == leg.selection
                    && view.price == leg.price
                    && view.version.0 == leg.version
                    && view.price_age.0 == leg.price_age
                    && view.requested == leg.requested
                    && view.settles_at == leg.settles_at
                    && view.places == leg.places
                    && i128::from(view.reach.0) == leg.reach
                    && may_be_known;
                rule(same, || format!("{view:?} is to be {leg:?}"))?;
            }
        }
        let ((least, most), _) = self.in_memory();
        rule((least..=most).contains(&seen), || {
            format!("{seen} bets are in memory, and the rules say {least} to {most}")
        })
    }

    /// Whether anything is left to do that should have been done: jobs that run, waits that are over.
    ///
    /// # Errors
    /// What is left.
    pub fn nothing_is_left(&self) -> Checked {
        let job = self.markets.iter().find(|(_, market)| market.job.is_some());
        rule(job.is_none(), || format!("a job never ended: {job:?}"))?;
        let waits = |bet: &super::Bet| bet.state.waits() || bet.state == BetState::CashingOut;
        let late =
            self.bets.iter().find(|(_, bet)| waits(bet) && super::waits::due(bet) <= self.now);
        rule(late.is_none(), || format!("a wait never ended: {late:?}"))?;
        let order = self.an_order_is_late();
        rule(order.is_none(), || format!("the delay of order {order:x?} never ended"))
    }
}
