//! Terms, discounts, and what happens to an exchange market as a whole.

use super::super::{Auditor, Decided};
use super::Trading;
use crate::naive_book::NaiveBook;
use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::reject::Reject;
use betring_pricing::Ladder;
use std::collections::BTreeMap;

/// Winners that an exchange market may have.
const WINNERS: usize = 64;
/// Selections between which the house may stand.
const CROSSED: usize = 64;

impl Auditor {
    pub(in super::super) fn set_exchange(
        &mut self,
        body: &SetExchange,
        bands: Entries<'_, BandEntry>,
    ) -> Decided {
        let id = body.market.raw();
        let Some(market) = self.markets.get(&id) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        if !market.exchange {
            return Err(self.no(Reject::InvalidMarketId));
        }
        let again = self.exchange.markets.contains_key(&id);
        let crosses = body.flags & SetExchange::CROSSES != 0;
        let may_cross = market.winners == 1 && market.runners.len() <= 64;
        let good = market.winners <= WINNERS && (may_cross || !crosses);
        let suspended = market.runners.iter().any(|runner| !runner.suspended.owners.is_empty());
        let lines = body.flags & SetExchange::LINES != 0;
        let good = good && !(lines && (suspended || market.winners != 1));
        if again || !good || market.status != MarketStatus::Defined {
            return Err(self.no(Reject::NotAllowed));
        }
        let room = self.currencies.len() < self.capacities.currencies as usize;
        if !self.currencies.contains(&body.currency) && !room {
            return Err(self.no(Reject::CurrencyUnknown));
        }
        let Some(ladder) = ladder_of(body, bands) else { return Err(self.no(Reject::NotAllowed)) };
        let selections = market.runners.len();
        let levels = self.exchange.markets.values().map(|m| m.prices.len() * m.runs.len());
        let levels: usize = levels.sum::<usize>() + ladder.len() as usize * selections;
        if (self.capacities.levels as usize) < levels {
            return Err(self.no(Reject::Full));
        }
        self.use_currency(body.currency);
        self.exchange.markets.insert(id, Trading::new(body, &ladder, selections));
        self.told.push(Event::ExchangeSet(ExchangeSet {
            market: body.market,
            levels: ladder.len(),
            currency: body.currency,
            commission: body.commission,
            ladder: body.ladder,
            flags: body.flags,
            zero: [0; 6],
        }));
        Ok(self.done(id))
    }

    pub(in super::super) fn set_discount(&mut self, body: &SetDiscount) -> Decided {
        let (account, discount) = (body.account, body.discount);
        if !self.accounts.contains_key(&account.raw()) {
            return Err(self.no(Reject::AccountUnknown));
        }
        // What jobs have passed over they have passed over at the discount that was.
        self.jobs_may_have_passed();
        self.exchange.discounts.insert(account.raw(), discount);
        self.told.push(Event::DiscountSet(DiscountSet { account, discount, zero: [0; 6] }));
        Ok(self.done(account.raw()))
    }

    pub(in super::super) fn lapse_orders(&mut self, body: &LapseOrders) -> Decided {
        use MarketStatus::*;
        let (market, _) = self.find_trading(body.market)?;
        if !matches!(market.status, Defined | Open | Closed) || market.job.is_some() {
            return Err(self.no(Reject::NotAllowed));
        }
        let seq = self.seq;
        let trading = self.trading(body.market.raw());
        (trading.changed, trading.scope) = (seq, body.scope);
        Ok(self.start_job(body.market, JobKind::Lapse))
    }

    /// Whether a runner may be withdrawn, as far as it is an exchange's: for good, and without a deduction from winnings.
    pub(in super::super) fn may_withdraw(&self, body: &WithdrawSelection) -> Result<(), Answer> {
        let id = body.market.raw();
        let Some(trading) = self.exchange.markets.get(&id) else {
            let fits = body.factor == 0 && !self.is_exchange(body.market);
            return if fits { Ok(()) } else { Err(self.no(Reject::InvalidMarketId)) };
        };
        let runs = trading.runs[usize::from(body.selection.0)] && !trading.has_lines();
        let good = body.withdrawn == 1 && body.deduct == 0 && runs && !self.has_job(id);
        if good { Ok(()) } else { Err(self.no(Reject::NotAllowed)) }
    }

    /// A runner of an exchange market is withdrawn: its orders follow in steps.
    pub(in super::super) fn runner_goes(&mut self, body: &WithdrawSelection) -> Option<Answer> {
        let seq = self.seq;
        let trading = self.exchange.markets.get_mut(&body.market.raw())?;
        trading.changed = seq;
        trading.runs[usize::from(body.selection.0)] = false;
        trading.book.withdraw(body.selection.0);
        trading.withdrawn = (usize::from(body.selection.0), body.factor);
        Some(self.start_job(body.market, JobKind::NonRunner))
    }

    /// An exchange market is told that it is in-play, or not: its orders follow in steps.
    pub(in super::super) fn turns_in_play(&mut self, body: &SetInPlay) {
        let seq = self.seq;
        let Some(trading) = self.exchange.markets.get_mut(&body.market.raw()) else { return };
        trading.changed = seq;
        let was = self.markets.get(&body.market.raw()).is_some_and(|market| market.in_play);
        if body.in_play == 1 && !was {
            self.start_job(body.market, JobKind::Turn);
        }
    }
}

impl Trading {
    fn new(terms: &SetExchange, ladder: &Ladder, selections: usize) -> Trading {
        let crosses = terms.flags & SetExchange::CROSSES != 0 && selections <= CROSSED;
        Trading {
            terms: *terms,
            prices: ladder.prices().map(|price| price.e4()).collect(),
            book: match terms.flags & SetExchange::LINES {
                0 => NaiveBook::new(ladder, selections as u16, crosses, usize::MAX),
                _ => NaiveBook::of_lines(selections as u32),
            },
            in_book: BTreeMap::new(),
            runs: vec![true; selections],
            traded: BTreeMap::new(),
            starting: vec![0; selections],
            started: false,
            changed: 0,
            orders: Vec::new(),
            accounts: Vec::new(),
            scope: 0,
            withdrawn: (0, 0),
            crossing: 0,
            residue: 0,
            walks: Vec::new(),
            thinned: false,
        }
    }
}
