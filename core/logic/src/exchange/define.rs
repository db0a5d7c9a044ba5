//! The terms of an exchange market, and what its customers pay.

use super::{Close, ExchangeMarket, Work};
use crate::answer::Answer;
use crate::bet::NONE;
use crate::book::{Book, CROSS_MAX, Outcome, Prices, Starting, WINNERS_MAX};
use crate::command::{BandEntry, Entries, SetDiscount, SetExchange, ladder_of};
use crate::event::{DiscountSet, Events, ExchangeSet, MarketStatus};
use crate::id::{MarketId, Seq};
use crate::market::Market;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use betring_pricing::Ladder;

type Decided = Result<Answer, Answer>;

impl ExchangeMarket {
    /// Without orders, by these terms.
    pub(crate) fn new(market: &Market, terms: &SetExchange, ladder: Ladder) -> ExchangeMarket {
        let lines = terms.flags & SetExchange::LINES != 0;
        let (prices, shelves) = match lines {
            true => (Prices::lines(market.selections), 1),
            false => (Prices::of(&ladder), market.selections),
        };
        let count = usize::from(market.selections);
        let crosses = terms.flags & SetExchange::CROSSES != 0;
        let closes = if terms.flags & SetExchange::STARTING_PRICES != 0 { count } else { 0 };
        ExchangeMarket {
            terms: *terms,
            ladder,
            book: Book::new(std::sync::Arc::clone(&prices), shelves, crosses),
            starting: (0..closes).map(|_| Starting::new(&prices)).collect(),
            started: false,
            closes: vec![Close::default(); closes].into(),
            traded: (0..count).map(|_| vec![0; ladder.len() as usize].into()).collect(),
            prices,
            changed: Seq(0),
            head: NONE,
            tail: NONE,
            positions: NONE,
            work: Work::default(),
            outcomes: vec![Outcome::Void; count].into(),
            crossing: 0,
            residue: 0,
        }
    }
}

impl<R: Rules> State<R> {
    /// A market that was defined as one gets its terms, once.
    pub(crate) fn set_exchange(
        &mut self,
        body: &SetExchange,
        bands: Entries<'_, BandEntry>,
        events: &mut Events,
    ) -> Decided {
        let Some((index, market)) = self.find_market(body.market) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        if !market.exchange {
            return Err(self.no(Reject::InvalidMarketId));
        }
        let first = self.exchange.market(index).is_none();
        let winners = usize::from(market.winners) <= WINNERS_MAX;
        let may_cross = market.winners == 1 && usize::from(market.selections) <= CROSS_MAX;
        let crosses = body.flags & SetExchange::CROSSES == 0 || may_cross;
        // Which lines win is one number's, and they are suspended together.
        let block = &self.selections[market.first as usize..][..usize::from(market.selections)];
        let together = market.winners == 1 && !block.iter().any(|line| line.suspension.holds());
        let lines = body.flags & SetExchange::LINES == 0 || together;
        if !first || !winners || !crosses || !lines || market.status != MarketStatus::Defined {
            return Err(self.no(Reject::NotAllowed));
        }
        if !self.ledger.has_room_for(body.currency) {
            return Err(self.no(Reject::CurrencyUnknown));
        }
        let ladder = ladder_of(body, bands).expect("checked when it was read");
        let levels = u64::from(ladder.len()) * u64::from(market.selections);
        if u64::from(self.capacities.levels) < self.exchange.levels + levels {
            return Err(self.no(Reject::Full));
        }
        // From here on nothing can fail.
        self.ledger.book_for(body.currency).expect("there is room for it");
        let made = ExchangeMarket::new(&self.markets[index as usize], body, ladder);
        self.exchange.levels += levels;
        self.exchange.markets[index as usize] = Some(Box::new(made));
        events.push(&ExchangeSet {
            market: body.market,
            levels: ladder.len(),
            currency: body.currency,
            commission: body.commission,
            ladder: body.ladder,
            flags: body.flags,
            zero: [0; 6],
        });
        Ok(Answer::done(self.seq, body.market.raw()))
    }

    /// What is taken off an account's commission, from its next settlement on.
    pub(crate) fn set_discount(&mut self, body: &SetDiscount, events: &mut Events) -> Decided {
        let Some((index, _)) = self.ledger.find(body.account) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        self.ledger.accounts[index as usize].discount = body.discount;
        let (account, discount) = (body.account, body.discount);
        events.push(&DiscountSet { account, discount, zero: [0; 6] });
        Ok(Answer::done(self.seq, body.account.raw()))
    }

    /// A market with a book.
    pub(crate) fn find_exchange(&self, id: MarketId) -> Result<u32, Answer> {
        match self.find_market(id) {
            None => Err(self.no(Reject::MarketUnknown)),
            Some((index, _)) if self.exchange.market(index).is_some() => Ok(index),
            Some(_) => Err(self.no(Reject::InvalidMarketId)),
        }
    }

    /// The version of an exchange market: when something material happened to it last, as a sequence. What a customer saw
    /// before that is not what there is.
    pub(crate) fn exchange_version(&self, index: u32) -> Seq {
        let changed = self.exchange.market(index).map_or(Seq(0), |exchange| exchange.changed);
        self.levels(index).iter().fold(changed, |last, level| last.max(level.seq))
    }

    /// Whether the selections of a market are lines.
    pub(crate) fn has_lines(&self, index: u32) -> bool {
        self.exchange.market(index).is_some_and(ExchangeMarket::has_lines)
    }

    pub(crate) fn exchange_of(&self, index: u32) -> &ExchangeMarket {
        self.exchange.market(index).expect("it has a book")
    }

    pub(crate) fn exchange_of_mut(&mut self, index: u32) -> &mut ExchangeMarket {
        self.exchange.markets[index as usize].as_deref_mut().expect("it has a book")
    }
}
