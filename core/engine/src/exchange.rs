//! What traders say of exchange markets: their terms, what waits in them, who does not run.

use betring_core::command::{self, BandEntry, LadderKind, LapseScope, SetExchange, build};
use betring_core::id::{AccountId, JobId, MarketId, SelectionIndex};
use betring_core::wire::Minor;
use betring_pricing::{Band, Currency, Money};

use crate::client::receipt;
use crate::control::{Control, job, malformed};
use crate::error::Error;
use crate::outcome::Receipt;

/// Everything that an exchange market can be set up with.
#[derive(Clone, Debug)]
pub struct ExchangeTerms {
    body: SetExchange,
    bands: Vec<BandEntry>,
}

impl ExchangeTerms {
    /// Orders in this currency at the prices of [`betring_pricing::Ladder::CLASSIC`], from one minor unit up, without
    /// commission. Nobody stands between selections, and there are no starting prices.
    pub fn new(currency: Currency) -> ExchangeTerms {
        let body = SetExchange {
            currency: currency.numeric(),
            ladder: LadderKind::Classic as u8,
            min_stake: Minor(1),
            min_liability: Minor(1),
            ..SetExchange::default()
        };
        ExchangeTerms { body, bands: Vec::new() }
    }

    /// Another ladder that is known by name.
    pub fn ladder(mut self, ladder: LadderKind) -> ExchangeTerms {
        self.body.ladder = ladder as u8;
        self.bands.clear();
        self
    }

    /// A ladder of these bands, each beginning where the one before ends.
    pub fn bands(mut self, bands: &[Band]) -> ExchangeTerms {
        let entry = |band: &Band| BandEntry {
            from_e4: band.from.e4(),
            to_e4: band.to.e4(),
            step_e4: band.step_e4,
        };
        self.body.ladder = LadderKind::Own as u8;
        self.bands = bands.iter().map(entry).collect();
        self
    }

    /// What is taken of net winnings, in ten-thousandths: 500 is 5 %.
    pub fn commission(mut self, basis_points: u16) -> ExchangeTerms {
        self.body.commission = basis_points;
        self
    }

    /// The smallest stake of an order.
    pub fn min_stake(mut self, stake: Money) -> ExchangeTerms {
        self.body.min_stake = Minor::from(stake);
        self
    }

    /// A smaller stake will do if it would pay so much, stake included.
    pub fn min_payout(mut self, payout: Money) -> ExchangeTerms {
        self.body.min_payout = Minor::from(payout);
        self
    }

    /// The smallest liability of a lay at the starting price.
    pub fn min_liability(mut self, liability: Money) -> ExchangeTerms {
        self.body.min_liability = Minor::from(liability);
        self
    }

    fn flag(mut self, flag: u8) -> ExchangeTerms {
        self.body.flags |= flag;
        self
    }

    /// The house stands between selections where that makes a better price; only with one winner.
    pub fn crosses(self) -> ExchangeTerms {
        self.flag(SetExchange::CROSSES)
    }

    /// There are starting prices.
    pub fn starting_prices(self) -> ExchangeTerms {
        self.flag(SetExchange::STARTING_PRICES)
    }

    /// In play only an order that would be matched at once waits for the delay.
    pub fn passive_delay(self) -> ExchangeTerms {
        self.flag(SetExchange::PASSIVE_DELAY)
    }

    /// A line market: its selections are lines, the lowest first, and whoever backs one wins if the result is below it. All
    /// orders are at 2.00; it has one winner, and of the other terms a ladder, [`crosses`](ExchangeTerms::crosses),
    /// [`starting_prices`](ExchangeTerms::starting_prices) and [`places`](ExchangeTerms::places) do not go with it.
    pub fn lines(self) -> ExchangeTerms {
        self.flag(SetExchange::LINES)
    }

    /// A market of places: reduction factors apply to winnings, not to odds, and to small ones too.
    pub fn places(self) -> ExchangeTerms {
        self.flag(SetExchange::PLACES)
    }
}

impl Control {
    /// Gives a market that was defined as an exchange's ([`MarketTerms::exchange`](crate::MarketTerms::exchange)) its
    /// terms and its book: once, before it opens.
    ///
    /// # Errors
    /// [`Error::Refused`] (`Full`: raise capacities.levels), and those of a call that waits: [`Error::NotTaken`],
    /// [`Error::Unanswered`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn set_exchange(
        &mut self,
        market: impl Into<MarketId>,
        terms: &ExchangeTerms,
    ) -> Result<Receipt, Error> {
        let body = SetExchange {
            valid_until: self.until(),
            reason: self.reason(),
            market: market.into(),
            ..terms.body
        };
        let slots = build::set_exchange(self.header(), body, &terms.bands).map_err(malformed)?;
        self.ask(&slots).map(|reply| receipt(&reply))
    }

    /// Takes so much off an account's commission, in ten-thousandths of it, from its next settlement on.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_discount(
        &mut self,
        account: AccountId,
        basis_points: u16,
    ) -> Result<Receipt, Error> {
        let body = command::SetDiscount {
            valid_until: self.until(),
            reason: self.reason(),
            discount: basis_points,
            account,
            ..command::SetDiscount::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Lets what waits in an exchange market lapse: something material has happened. The job that does it; the market
    /// takes no orders meanwhile.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NotAllowed` while another job goes on), and those of a call that waits.
    pub fn lapse_orders(
        &mut self,
        market: impl Into<MarketId>,
        scope: LapseScope,
    ) -> Result<Option<JobId>, Error> {
        let body = command::LapseOrders {
            valid_until: self.until(),
            reason: self.reason(),
            scope: scope as u8,
            market: market.into(),
            ..command::LapseOrders::default()
        };
        let slot = build::plain(self.header(), &body);
        Ok(job(&self.ask(&[slot])?))
    }

    /// Takes a runner out of an exchange market, for good: what was matched on it is void, and what was matched on the
    /// others is reduced by this factor, in ten-thousandths. The job that does it; the market takes no orders meanwhile.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NotAllowed` while another job goes on), and those of a call that waits.
    pub fn withdraw_by_factor(
        &mut self,
        market: impl Into<MarketId>,
        selection: SelectionIndex,
        factor: u16,
    ) -> Result<Option<JobId>, Error> {
        let body = command::WithdrawSelection {
            valid_until: self.until(),
            reason: self.reason(),
            selection,
            withdrawn: 1,
            market: market.into(),
            factor,
            ..command::WithdrawSelection::default()
        };
        let slot = build::plain(self.header(), &body);
        Ok(job(&self.ask(&[slot])?))
    }
}
