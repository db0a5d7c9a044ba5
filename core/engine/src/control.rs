//! The handle of a person or a governor: defines, opens, suspends, prices and settles, and waits each time.

use std::sync::Arc;
use std::time::Duration;

use betring_core::answer::Reply;
use betring_core::command::{
    self, Level as Layer, LimitScope, Limits, MarketKind, Owner, PriceEntry, ResultEntry,
    SELECTIONS_MAX, SelectionOutcome, build,
};
use betring_core::id::{
    AccountId, ActorId, FeedId, FixtureId, JobId, MarketId, RequestKey, SelectionIndex,
};
use betring_core::reject::Malformed;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Slot, WirePrice};
use betring_pricing::{Currency, Price};

use crate::ask::Selection;
use crate::client::{Keys, ask_and_wait, default_for, receipt};
use crate::egress::Line;
use crate::error::{Error, NotTaken};
use crate::outcome::{Receipt, Ticket};

/// A market that was defined, with the names of its selections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    id: MarketId,
    name: Arc<str>,
    selections: Arc<[String]>,
}

impl Market {
    /// A market that was defined before, for its names.
    pub fn known(
        id: MarketId,
        name: &str,
        selections: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Market {
        let selections = selections.into_iter().map(|s| s.as_ref().to_owned()).collect();
        Market { id, name: name.into(), selections }
    }

    /// Its handle.
    pub fn id(&self) -> MarketId {
        self.id
    }

    /// Its external name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its selections, in order.
    pub fn selections(&self) -> &[String] {
        &self.selections
    }

    /// The selection of this name. A name that it does not have gives a selection that every command
    /// refuses as unknown: what becomes of a typing error is said in one place.
    pub fn selection(&self, name: &str) -> Selection {
        let at = self.selections.iter().position(|s| s == name);
        // A market has at most 250 selections, so this number is none of them.
        let index = at.and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX);
        self.at(SelectionIndex(index))
    }

    /// The selection at this position.
    pub fn at(&self, index: SelectionIndex) -> Selection {
        Selection { market: self.id, index }
    }
}

impl std::fmt::Display for Market {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.id)
    }
}

impl From<&Market> for MarketId {
    fn from(market: &Market) -> MarketId {
        market.id
    }
}

/// What a suspension covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Engine,
    /// All markets of a feed.
    Feed(FeedId),
    /// All markets of a fixture.
    Fixture(FixtureId),
    /// One market.
    Market(MarketId),
}

impl Scope {
    fn wire(self) -> (Layer, u64) {
        match self {
            Scope::Engine => (Layer::Engine, 0),
            Scope::Feed(feed) => (Layer::Feed, u64::from(feed.0)),
            Scope::Fixture(fixture) => (Layer::Fixture, fixture.raw()),
            Scope::Market(market) => (Layer::Market, market.raw()),
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scope::Engine => f.write_str("the engine"),
            Scope::Feed(feed) => feed.fmt(f),
            Scope::Fixture(fixture) => fixture.fmt(f),
            Scope::Market(market) => market.fmt(f),
        }
    }
}

impl From<FeedId> for Scope {
    fn from(feed: FeedId) -> Scope {
        Scope::Feed(feed)
    }
}

impl From<FixtureId> for Scope {
    fn from(fixture: FixtureId) -> Scope {
        Scope::Fixture(fixture)
    }
}

impl From<MarketId> for Scope {
    fn from(market: MarketId) -> Scope {
        Scope::Market(market)
    }
}

impl From<&Market> for Scope {
    fn from(market: &Market) -> Scope {
        Scope::Market(market.id)
    }
}

/// Everything that a market can be defined with.
#[derive(Clone, Debug)]
pub struct MarketTerms {
    name: String,
    selections: Vec<String>,
    feed: FeedId,
    fixture: FixtureId,
    winners: u16,
    age_bound: Nanos,
}

impl MarketTerms {
    /// A market priced by hand, with one winner, about no fixture.
    pub fn new(
        name: impl Into<String>,
        selections: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> MarketTerms {
        MarketTerms {
            name: name.into(),
            selections: selections.into_iter().map(|s| s.as_ref().to_owned()).collect(),
            feed: FeedId::MANUAL,
            fixture: FixtureId::NONE,
            winners: 1,
            age_bound: Nanos::ZERO,
        }
    }

    /// Which feed prices it.
    pub fn feed(self, feed: FeedId) -> MarketTerms {
        MarketTerms { feed, ..self }
    }

    /// The fixture it is about.
    pub fn fixture(self, fixture: FixtureId) -> MarketTerms {
        MarketTerms { fixture, ..self }
    }

    /// How many selections win.
    pub fn winners(self, winners: u16) -> MarketTerms {
        MarketTerms { winners, ..self }
    }

    /// How old its prices may be; 0 is the journal's default, or with manual prices no bound.
    pub fn age_bound(self, age_bound: Nanos) -> MarketTerms {
        MarketTerms { age_bound, ..self }
    }
}

/// The handle of an actor. Every call waits for its answer, for a bounded time; the keys are its own,
/// so nothing that it does is done twice.
#[derive(Debug)]
pub struct Control {
    line: Line,
    keys: Keys,
    actor: ActorId,
    name: String,
    reason: u32,
    within: Duration,
}

impl Control {
    /// Registers the actor by its name.
    pub(crate) fn register(
        mut line: Line,
        mut keys: Keys,
        name: &str,
        within: Duration,
    ) -> Result<Control, Error> {
        let valid_until = line.now().plus(default_for(line.shared.window));
        let header = Header { key: keys.next(), ..Header::default() };
        let body = command::RegisterActor { valid_until, ..command::RegisterActor::default() };
        let slots = build::register_actor(header, body, name).map_err(malformed)?;
        let reply = ask_and_wait(&mut line, &slots, within)?;
        let actor = ActorId(reply.answer.id);
        Ok(Control { line, keys, actor, name: name.to_owned(), reason: 0, within })
    }

    /// Who it is.
    pub fn actor(&self) -> ActorId {
        self.actor
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time on the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.line.now()
    }

    /// The reason that the following commands give, a number of the operator's own.
    pub fn because(&mut self, reason: u32) -> &mut Control {
        self.reason = reason;
        self
    }

    fn until(&self) -> Timestamp {
        self.line.now().plus(default_for(self.line.shared.window))
    }

    fn header(&mut self) -> Header {
        Header::control(self.actor, self.keys.next())
    }

    fn ask(&mut self, slots: &[Slot]) -> Result<Reply, Error> {
        ask_and_wait(&mut self.line, slots, self.within)
    }

    fn ask_one(&mut self, slot: Slot) -> Result<Receipt, Error> {
        self.ask(&[slot]).map(|reply| receipt(&reply))
    }

    /// Defines a source of prices, which has to report its recovery before its markets take bets.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NameTaken` names it in its answer), and those of a call that waits:
    /// [`Error::NotTaken`], [`Error::Unanswered`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn define_feed(
        &mut self,
        name: &str,
        silence_bound: Nanos,
        delay_bound: Nanos,
    ) -> Result<FeedId, Error> {
        let body = command::DefineFeed {
            valid_until: self.until(),
            reason: self.reason,
            silence_bound,
            delay_bound,
            ..command::DefineFeed::default()
        };
        let slots = build::define_feed(self.header(), body, name).map_err(malformed)?;
        let reply = self.ask(&slots)?;
        // The number of a feed has 16 bits; it came from there.
        Ok(FeedId(reply.answer.id as u16))
    }

    /// Defines a match or race; `starts` 0 if not known.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn define_fixture(&mut self, name: &str, starts: Timestamp) -> Result<FixtureId, Error> {
        let body = command::DefineFixture {
            valid_until: self.until(),
            reason: self.reason,
            starts,
            ..command::DefineFixture::default()
        };
        let slots = build::define_fixture(self.header(), body, name).map_err(malformed)?;
        Ok(FixtureId::from_raw(self.ask(&slots)?.answer.id))
    }

    /// Defines a market with manual prices and one winner.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NameTaken` names it in its answer), and those of a call that waits.
    pub fn define_market(
        &mut self,
        name: &str,
        selections: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Market, Error> {
        self.define(MarketTerms::new(name, selections))
    }

    /// Defines a market.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NameTaken` names it in its answer), and those of a call that waits.
    pub fn define(&mut self, terms: MarketTerms) -> Result<Market, Error> {
        let body = command::DefineMarket {
            valid_until: self.until(),
            reason: self.reason,
            feed: terms.feed,
            winners: terms.winners,
            fixture: terms.fixture,
            age_bound: terms.age_bound,
            kind: MarketKind::Fixed as u8,
            ..command::DefineMarket::default()
        };
        let names: Vec<&str> = terms.selections.iter().map(String::as_str).collect();
        let slots =
            build::define_market(self.header(), body, &terms.name, &names).map_err(malformed)?;
        let id = MarketId::from_raw(self.ask(&slots)?.answer.id);
        Ok(Market { id, name: terms.name.into(), selections: terms.selections.into() })
    }

    /// Sets the prices of all selections of a market by hand, in their order. For some of them, or by
    /// the market's handle alone, there is [`set_some`](Control::set_some).
    ///
    /// # Errors
    /// [`Error::PriceCount`] if there is not one price for each selection, [`Error::Refused`], and those
    /// of a call that waits.
    pub fn set_prices(
        &mut self,
        market: &Market,
        prices: impl IntoIterator<Item = Price>,
    ) -> Result<Receipt, Error> {
        // One more than a market can have is enough to tell that there are too many.
        let prices = (0..=u16::MAX).zip(prices).take(SELECTIONS_MAX + 1);
        let all: Vec<_> =
            prices.map(|(index, price)| (SelectionIndex(index), Some(price))).collect();
        if all.len() != market.selections.len() {
            return Err(Error::PriceCount {
                market: market.to_string(),
                prices: all.len(),
                selections: market.selections.len(),
            });
        }
        self.set_some(market, &all)
    }

    /// Sets the prices of some selections by hand, or takes them away.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_some(
        &mut self,
        market: impl Into<MarketId>,
        prices: &[(SelectionIndex, Option<Price>)],
    ) -> Result<Receipt, Error> {
        let body = command::SetPrices {
            valid_until: self.until(),
            reason: self.reason,
            market: market.into(),
            ..command::SetPrices::default()
        };
        let slots = build::set_prices(self.header(), body, &entries(prices)).map_err(malformed)?;
        Ok(receipt(&self.ask(&slots)?))
    }

    /// Opens a market.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn open_market(&mut self, market: impl Into<MarketId>) -> Result<Receipt, Error> {
        let body = command::OpenMarket {
            valid_until: self.until(),
            reason: self.reason,
            market: market.into(),
            ..command::OpenMarket::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Closes a market: no more bets, offers end.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn close_market(&mut self, market: impl Into<MarketId>) -> Result<Receipt, Error> {
        let body = command::CloseMarket {
            valid_until: self.until(),
            reason: self.reason,
            market: market.into(),
            ..command::CloseMarket::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Lets a settled market and its bets leave memory.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn archive(&mut self, market: impl Into<MarketId>) -> Result<Receipt, Error> {
        let body = command::ArchiveMarket {
            valid_until: self.until(),
            reason: self.reason,
            market: market.into(),
            ..command::ArchiveMarket::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Suspends a level for an owner.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn suspend(&mut self, scope: impl Into<Scope>, owner: Owner) -> Result<Receipt, Error> {
        let (level, id) = scope.into().wire();
        let body = command::Suspend {
            valid_until: self.until(),
            reason: self.reason,
            level: level as u8,
            owner: owner as u8,
            id,
            ..command::Suspend::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Takes an owner's suspension back; those of others stand.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn release(&mut self, scope: impl Into<Scope>, owner: Owner) -> Result<Receipt, Error> {
        let (level, id) = scope.into().wire();
        let body = command::Release {
            valid_until: self.until(),
            reason: self.reason,
            level: level as u8,
            owner: owner as u8,
            id,
            ..command::Release::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Takes a selection out of its market, or back in.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn withdraw_selection(
        &mut self,
        market: impl Into<MarketId>,
        selection: SelectionIndex,
        out: bool,
    ) -> Result<Receipt, Error> {
        let body = command::WithdrawSelection {
            valid_until: self.until(),
            reason: self.reason,
            selection,
            withdrawn: u8::from(out),
            market: market.into(),
            ..command::WithdrawSelection::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Gives the result of a market, one outcome a selection, in order: its settlement begins.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn result(
        &mut self,
        market: impl Into<MarketId>,
        outcomes: impl IntoIterator<Item = SelectionOutcome>,
    ) -> Result<JobId, Error> {
        let body = command::MarketResult {
            valid_until: self.until(),
            reason: self.reason,
            market: market.into(),
            ..command::MarketResult::default()
        };
        let entries: Vec<ResultEntry> = (0..=u16::MAX)
            .zip(outcomes)
            .take(SELECTIONS_MAX + 1)
            .map(|(index, outcome)| ResultEntry::new(SelectionIndex(index), outcome))
            .collect();
        let slots = build::result(self.header(), body, &entries).map_err(malformed)?;
        Ok(JobId(self.ask(&slots)?.answer.id))
    }

    /// Sets the limits of a currency in all markets.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_limits(&mut self, currency: Currency, limits: Limits) -> Result<Receipt, Error> {
        self.limits(LimitScope::Currency, MarketId::NONE, currency, limits)
    }

    /// Sets the limits of a currency in one market.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_market_limits(
        &mut self,
        market: impl Into<MarketId>,
        currency: Currency,
        limits: Limits,
    ) -> Result<Receipt, Error> {
        self.limits(LimitScope::Market, market.into(), currency, limits)
    }

    fn limits(
        &mut self,
        scope: LimitScope,
        market: MarketId,
        currency: Currency,
        limits: Limits,
    ) -> Result<Receipt, Error> {
        let body = command::SetLimits {
            valid_until: self.until(),
            reason: self.reason,
            scope: scope as u8,
            currency: currency.numeric(),
            market,
            limits,
            ..command::SetLimits::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Blocks an account, or lets it in again. Its open bets stand.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn block(&mut self, account: AccountId, blocked: bool) -> Result<Receipt, Error> {
        let body = command::BlockAccount {
            valid_until: self.until(),
            reason: self.reason,
            blocked: u8::from(blocked),
            account,
            ..command::BlockAccount::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Lets a request be asked again that stopped the engine once.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn lift_quarantine(&mut self, account: u64, key: RequestKey) -> Result<Receipt, Error> {
        let body = command::LiftQuarantine {
            valid_until: self.until(),
            reason: self.reason,
            account,
            key,
            ..command::LiftQuarantine::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Sends one command of any kind of the control ring, as it is. Never blocks.
    ///
    /// # Errors
    /// [`NotTaken`]: this attempt will never execute.
    pub fn try_submit(&mut self, command: &[Slot]) -> Result<Ticket, NotTaken> {
        self.line.try_submit(command)
    }

    /// Waits for the reply to what [`Control::try_submit`] sent.
    ///
    /// # Errors
    /// [`Error::Unanswered`], [`Error::Poisoned`].
    pub fn wait(&mut self, ticket: Ticket, timeout: Duration) -> Result<Reply, Error> {
        match self.line.wait(ticket, timeout) {
            Some(reply) => Ok(reply),
            None if self.line.shared.is_poisoned() => {
                Err(Error::Poisoned { why: self.line.shared.why() })
            }
            None => Err(Error::Unanswered { request: ticket.request, after: timeout }),
        }
    }

    /// Its connection and keys, for a handle built upon it.
    pub(crate) fn into_line(self) -> Line {
        self.line
    }
}

impl std::fmt::Display for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.actor)
    }
}

fn malformed(what: Malformed) -> Error {
    Error::NotTaken(NotTaken::Malformed(what))
}

pub(crate) fn entries(prices: &[(SelectionIndex, Option<Price>)]) -> Vec<PriceEntry> {
    let wire = |price: Option<Price>| price.map_or(WirePrice::NONE, WirePrice::decimal);
    prices.iter().map(|(index, price)| PriceEntry::new(*index, wire(*price))).collect()
}
