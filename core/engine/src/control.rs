//! The handle of a person or a governor: defines, opens, suspends, prices and settles, and waits each time.

use std::sync::Arc;
use std::time::Duration;

use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::{
    self, Drives, EachWayOffer, FactorScope, Level as Layer, LiabilityAct, LimitKind, LimitScope,
    Limits, MarketKind, Owner, Period, PriceEntry, ReferralAnswer, ResultEntry, SELECTIONS_MAX,
    SelectionOutcome, Shed, TraderPriceAct, build,
};
use betring_core::id::{
    AccountId, ActorId, BetId, FeedId, FixtureId, GroupId, JobId, MarketId, RequestKey,
    SelectionIndex,
};
use betring_core::reject::Malformed;
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Header, Minor, Slot, WirePrice};
use betring_pricing::{Currency, LegNumbers, Money, PlaceFraction, Price};

use crate::ask::Selection;
use crate::client::{Keys, ask_and_wait, default_for, receipt};
use crate::egress::{Line, Raw};
use crate::error::{Error, NotTaken};
use crate::governor::{Act, Action};
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
    /// All markets of a group.
    Group(GroupId),
    /// One selection of a market. Cash-outs are not frozen at it.
    Selection(Selection),
}

impl Scope {
    /// Level, number, and which selection of it.
    pub(crate) fn wire(self) -> (Layer, u64, SelectionIndex) {
        let all = SelectionIndex(0);
        match self {
            Scope::Engine => (Layer::Engine, 0, all),
            Scope::Feed(feed) => (Layer::Feed, u64::from(feed.0), all),
            Scope::Fixture(fixture) => (Layer::Fixture, fixture.raw(), all),
            Scope::Market(market) => (Layer::Market, market.raw(), all),
            Scope::Group(group) => (Layer::Group, u64::from(group.0), all),
            Scope::Selection(Selection { market, index }) => {
                (Layer::Selection, market.raw(), index)
            }
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
            Scope::Group(group) => group.fmt(f),
            Scope::Selection(selection) => selection.fmt(f),
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

impl From<GroupId> for Scope {
    fn from(group: GroupId) -> Scope {
        Scope::Group(group)
    }
}

impl From<Selection> for Scope {
    fn from(selection: Selection) -> Scope {
        Scope::Selection(selection)
    }
}

impl From<&Market> for Scope {
    fn from(market: &Market) -> Scope {
        Scope::Market(market.id)
    }
}

/// What a factor of the largest stake applies to. All that apply to a bet are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StakeScope {
    /// Every bet.
    Engine,
    /// Bets on markets that a feed drives.
    Feed(FeedId),
    /// Bets on a fixture.
    Fixture(FixtureId),
    /// Bets on a market.
    Market(MarketId),
    /// Bets on the markets of a tier.
    Tier(u8),
    /// Bets of an account.
    Account(AccountId),
}

impl StakeScope {
    pub(crate) fn wire(self) -> (FactorScope, u64) {
        match self {
            StakeScope::Engine => (FactorScope::Engine, 0),
            StakeScope::Feed(feed) => (FactorScope::Feed, u64::from(feed.0)),
            StakeScope::Fixture(fixture) => (FactorScope::Fixture, fixture.raw()),
            StakeScope::Market(market) => (FactorScope::Market, market.raw()),
            StakeScope::Tier(tier) => (FactorScope::Tier, u64::from(tier)),
            StakeScope::Account(account) => (FactorScope::Account, account.raw()),
        }
    }
}

impl std::fmt::Display for StakeScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StakeScope::Engine => f.write_str("every bet"),
            StakeScope::Feed(feed) => feed.fmt(f),
            StakeScope::Fixture(fixture) => fixture.fmt(f),
            StakeScope::Market(market) => market.fmt(f),
            StakeScope::Tier(tier) => write!(f, "tier {tier}"),
            StakeScope::Account(account) => account.fmt(f),
        }
    }
}

/// A group of markets that was defined, with the feeds that price it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// The feed that prices its markets at first.
    pub primary: FeedId,
    /// The feed that stands by.
    pub backup: FeedId,
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, backup {})", self.id, self.primary, self.backup)
    }
}

impl From<Group> for GroupId {
    fn from(group: Group) -> GroupId {
        group.id
    }
}

impl From<Group> for Scope {
    fn from(group: Group) -> Scope {
        Scope::Group(group.id)
    }
}

/// What holds for all markets of a tier. Without more: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TierTerms {
    body: command::SetTier,
}

impl TierTerms {
    /// Nothing is bounded.
    pub fn new() -> TierTerms {
        TierTerms::default()
    }

    /// Bets bind to no older prices, manual and pinned ones too.
    pub fn age_bound(mut self, bound: Nanos) -> TierTerms {
        self.body.age_bound = bound;
        self
    }

    /// Older prices buy no bet back.
    pub fn cash_out_age(mut self, bound: Nanos) -> TierTerms {
        self.body.cash_out_age = bound;
        self
    }

    /// A price that moves further at once, in parts per million of what it was, is held back until a
    /// trader takes it, the feed sends another, or the other feed vouches for it.
    pub fn price_band(mut self, ppm: u32) -> TierTerms {
        self.body.price_band = ppm;
        self
    }

    /// Feeds further apart than this, in parts per million, freeze cash-outs; for so long, bets too.
    pub fn drift(mut self, ppm: u32, dwell: Nanos) -> TierTerms {
        (self.body.drift_band, self.body.drift_dwell) = (ppm, dwell);
        self
    }

    /// Every so many percent of the market's liability limit, a selection's price gets so many ticks
    /// shorter; after so many steps the selection is suspended.
    pub fn step_prices(mut self, band_percent: u8, ticks: u8, steps: u8) -> TierTerms {
        self.body.act = LiabilityAct::Step as u8;
        (self.body.band, self.body.ticks, self.body.steps) = (band_percent, ticks, steps);
        self
    }

    /// At so many percent of the market's liability limit a selection is suspended.
    pub fn suspend_at(mut self, band_percent: u8) -> TierTerms {
        self.body.act = LiabilityAct::Suspend as u8;
        (self.body.band, self.body.ticks, self.body.steps) = (band_percent, 0, 0);
        self
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
    each_way: EachWayOffer,
    own: Option<(u8, PlaceFraction)>,
    group: GroupId,
    tier: u8,
    canary: bool,
    kind: MarketKind,
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
            each_way: EachWayOffer::No,
            own: None,
            group: GroupId::NONE,
            tier: 0,
            canary: false,
            kind: MarketKind::Fixed,
        }
    }

    /// Which feed prices it.
    pub fn feed(self, feed: FeedId) -> MarketTerms {
        MarketTerms { feed, ..self }
    }

    /// The group it belongs to: priced by its primary feed, with the backup standing by.
    pub fn group(self, group: Group) -> MarketTerms {
        MarketTerms { group: group.id, feed: group.primary, ..self }
    }

    /// The tier it is in; 0, the default, bounds nothing until it is set.
    pub fn tier(self, tier: u8) -> MarketTerms {
        MarketTerms { tier, ..self }
    }

    /// Bets of customers against each other: it gets its book with [`Control::set_exchange`].
    pub fn exchange(self) -> MarketTerms {
        MarketTerms { kind: MarketKind::Exchange, ..self }
    }

    /// For probes only: no money report counts it.
    pub fn canary(self) -> MarketTerms {
        MarketTerms { canary: true, ..self }
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

    /// Bets may be each way, at the terms of the rules in force for as many runners as there are.
    pub fn each_way(self) -> MarketTerms {
        MarketTerms { each_way: EachWayOffer::ByTable, ..self }
    }

    /// The same, of a handicap.
    pub fn each_way_handicap(self) -> MarketTerms {
        MarketTerms { each_way: EachWayOffer::Handicap, ..self }
    }

    /// Bets may be each way: so many places, at this part of the odds.
    pub fn places(self, places: u8, fraction: PlaceFraction) -> MarketTerms {
        MarketTerms { each_way: EachWayOffer::Own, own: Some((places, fraction)), ..self }
    }
}

/// How sure the source of a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Seen live: it may still be changed.
    Live,
    /// Confirmed.
    Confirmed,
}

/// What became of a selection. Places are paid of positions, and of shares that have a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionResult {
    /// It won, lost, or bets on it are off. What lost so was not placed either.
    Outcome(SelectionOutcome),
    /// As shares of won, placed and void, with a deduction: dead heats, half results.
    Shares(LegNumbers),
    /// Where it finished, from 1, and how many shared that position (1: it alone).
    Position {
        /// The position.
        position: u16,
        /// How many share it.
        tied: u16,
    },
}

impl SelectionResult {
    fn entry(self, selection: SelectionIndex) -> ResultEntry {
        match self {
            SelectionResult::Outcome(outcome) => ResultEntry::new(selection, outcome),
            SelectionResult::Shares(numbers) => ResultEntry::shares(selection, numbers),
            SelectionResult::Position { position, tied } => {
                ResultEntry::position(selection, position, tied)
            }
        }
    }
}

impl From<SelectionOutcome> for SelectionResult {
    fn from(outcome: SelectionOutcome) -> SelectionResult {
        SelectionResult::Outcome(outcome)
    }
}

impl From<LegNumbers> for SelectionResult {
    fn from(numbers: LegNumbers) -> SelectionResult {
        SelectionResult::Shares(numbers)
    }
}

/// Everything that a result can be given with.
#[derive(Clone, Debug)]
pub struct ResultTerms {
    market: MarketId,
    entries: Vec<ResultEntry>,
    certainty: u8,
    source: Timestamp,
}

impl ResultTerms {
    /// The result of a market, one a selection, in order.
    pub fn new(
        market: impl Into<MarketId>,
        results: impl IntoIterator<Item = impl Into<SelectionResult>>,
    ) -> ResultTerms {
        // One more than a market can have is enough to tell that there are too many.
        let results = (0..=u16::MAX).zip(results).take(SELECTIONS_MAX + 1);
        let entries = results.map(|(index, result)| result.into().entry(SelectionIndex(index)));
        ResultTerms {
            market: market.into(),
            entries: entries.collect(),
            certainty: 0,
            source: Timestamp(0),
        }
    }

    /// How sure the source is. Without: as good as confirmed.
    pub fn certainty(self, certainty: Certainty) -> ResultTerms {
        let certainty = match certainty {
            Certainty::Live => 1,
            Certainty::Confirmed => 2,
        };
        ResultTerms { certainty, ..self }
    }

    /// When the source said so, on its own clock: what it said earlier has no effect any more.
    pub fn source(self, source: Timestamp) -> ResultTerms {
        ResultTerms { source, ..self }
    }
}

/// The bets of a market that were placed in a window of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BetWindow {
    from: Timestamp,
    until: Timestamp,
    source: Timestamp,
}

impl BetWindow {
    /// All of them.
    pub fn all() -> BetWindow {
        BetWindow::default()
    }

    /// Only those placed at this moment or later.
    pub fn from(self, from: Timestamp) -> BetWindow {
        BetWindow { from, ..self }
    }

    /// Only those placed before this moment.
    pub fn until(self, until: Timestamp) -> BetWindow {
        BetWindow { until, ..self }
    }

    /// When the source said so, on its own clock: what it said of this window earlier has no effect any
    /// more.
    pub fn source(self, source: Timestamp) -> BetWindow {
        BetWindow { source, ..self }
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

    pub(crate) fn reason(&self) -> u32 {
        self.reason
    }

    pub(crate) fn until(&self) -> Timestamp {
        self.line.now().plus(default_for(self.line.shared.window))
    }

    pub(crate) fn header(&mut self) -> Header {
        Header::control(self.actor, self.keys.next())
    }

    pub(crate) fn ask(&mut self, slots: &[Slot]) -> Result<Reply, Error> {
        ask_and_wait(&mut self.line, slots, self.within)
    }

    pub(crate) fn ask_one(&mut self, slot: Slot) -> Result<Receipt, Error> {
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
            kind: terms.kind as u8,
            each_way: terms.each_way as u8,
            places: terms.own.map_or(0, |(places, _)| places),
            place_num: terms.own.map_or(0, |(_, fraction)| fraction.num()),
            place_den: terms.own.map_or(0, |(_, fraction)| fraction.den()),
            group: terms.group,
            tier: terms.tier,
            canary: u8::from(terms.canary),
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
        let (level, id, selection) = scope.into().wire();
        let body = command::Suspend {
            valid_until: self.until(),
            reason: self.reason,
            level: level as u8,
            owner: owner as u8,
            selection,
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
        let (level, id, selection) = scope.into().wire();
        let body = command::Release {
            valid_until: self.until(),
            reason: self.reason,
            level: level as u8,
            owner: owner as u8,
            selection,
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
        self.withdrawal(market.into(), selection, u8::from(out), 0, WirePrice::NONE)
    }

    /// Takes a runner out of its market: winnings of bets placed before are reduced by the table of their
    /// rules (Rule 4), by this price of it or, without one, by the price in force.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn withdraw_runner(
        &mut self,
        market: impl Into<MarketId>,
        selection: SelectionIndex,
        price: Option<Price>,
    ) -> Result<Receipt, Error> {
        let price = price.map_or(WirePrice::NONE, WirePrice::decimal);
        self.withdrawal(market.into(), selection, 1, 1, price)
    }

    fn withdrawal(
        &mut self,
        market: MarketId,
        selection: SelectionIndex,
        withdrawn: u8,
        deduct: u8,
        price: WirePrice,
    ) -> Result<Receipt, Error> {
        let body = command::WithdrawSelection {
            valid_until: self.until(),
            reason: self.reason,
            selection,
            withdrawn,
            deduct,
            market,
            price,
            ..command::WithdrawSelection::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Gives the result of a market, one outcome a selection, in order: its settlement begins, or, when
    /// there was another result, the next version of it. The job that does it; none if that result was
    /// known, or was only noted. By the market's handle alone there is
    /// [`give_result`](Control::give_result).
    ///
    /// A plain win or lose says nothing of places, so it pays none: each-way bets need positions, or
    /// shares with a place ([`SelectionResult`]).
    ///
    /// # Errors
    /// [`Error::ResultCount`] if there is not one outcome for each selection, [`Error::Refused`], and
    /// those of a call that waits.
    pub fn result(
        &mut self,
        market: &Market,
        results: impl IntoIterator<Item = impl Into<SelectionResult>>,
    ) -> Result<Option<JobId>, Error> {
        let terms = ResultTerms::new(market, results);
        if terms.entries.len() != market.selections.len() {
            return Err(Error::ResultCount {
                market: market.to_string(),
                results: terms.entries.len(),
                selections: market.selections.len(),
            });
        }
        self.give_result(terms)
    }

    /// The same with everything that a source may say of a result, by the market's handle.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn give_result(&mut self, terms: ResultTerms) -> Result<Option<JobId>, Error> {
        let body = command::MarketResult {
            valid_until: self.until(),
            reason: self.reason,
            market: terms.market,
            certainty: terms.certainty,
            source: terms.source,
            ..command::MarketResult::default()
        };
        let slots = build::result(self.header(), body, &terms.entries).map_err(malformed)?;
        Ok(job(&self.ask(&slots)?))
    }

    /// Takes a market's result back: its bets are open again. The job that does it; none if there was no
    /// result yet, which then must not arrive from this source any more.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn rollback_result(
        &mut self,
        market: impl Into<MarketId>,
        source: Option<Timestamp>,
    ) -> Result<Option<JobId>, Error> {
        let body = command::RollbackResult {
            valid_until: self.until(),
            reason: self.reason,
            market: market.into(),
            source: source.unwrap_or(Timestamp(0)),
            ..command::RollbackResult::default()
        };
        let slot = build::plain(self.header(), &body);
        Ok(job(&self.ask(&[slot])?))
    }

    /// Voids the bets of a market that were placed in a window. The job that does it; none if they were
    /// void already.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn cancel_bets(
        &mut self,
        market: impl Into<MarketId>,
        window: BetWindow,
    ) -> Result<Option<JobId>, Error> {
        self.window(market.into(), window, 1)
    }

    /// Takes the cancel of a window back. The job that does it; none if it was not in force.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn uncancel_bets(
        &mut self,
        market: impl Into<MarketId>,
        window: BetWindow,
    ) -> Result<Option<JobId>, Error> {
        self.window(market.into(), window, 0)
    }

    fn window(
        &mut self,
        market: MarketId,
        window: BetWindow,
        cancel: u8,
    ) -> Result<Option<JobId>, Error> {
        let body = command::CancelBets {
            valid_until: self.until(),
            reason: self.reason,
            cancel,
            market,
            from: window.from,
            until: window.until,
            source: window.source,
            ..command::CancelBets::default()
        };
        let slot = build::plain(self.header(), &body);
        Ok(job(&self.ask(&[slot])?))
    }

    /// Voids one bet, or takes that back.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn cancel_bet(&mut self, bet: BetId, void: bool) -> Result<Receipt, Error> {
        let body = command::CancelBet {
            valid_until: self.until(),
            reason: self.reason,
            cancel: u8::from(void),
            bet,
            ..command::CancelBet::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Settles a leg, from 0, at the price that was right when its bet was placed: a palpable error.
    /// Without a price at the one that it was bound to, again.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn correct_price(
        &mut self,
        bet: BetId,
        leg: u8,
        price: Option<Price>,
    ) -> Result<Receipt, Error> {
        let body = command::CorrectPrice {
            valid_until: self.until(),
            reason: self.reason,
            leg,
            bet,
            price: price.map_or(WirePrice::NONE, WirePrice::decimal),
            ..command::CorrectPrice::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Moves money between the house and an account, for a bet or for none: what can no longer be
    /// settled. Below zero it goes out of the account, which may come into debt.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn adjust(
        &mut self,
        account: AccountId,
        amount: Money,
        bet: Option<BetId>,
    ) -> Result<Receipt, Error> {
        let body = command::Adjust {
            valid_until: self.until(),
            reason: self.reason,
            account,
            amount: Minor::from(amount),
            bet: bet.unwrap_or(BetId::NONE),
            ..command::Adjust::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Gives an account money for free bets, or, below zero, takes back what it has not used.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn grant_bonus(&mut self, account: AccountId, amount: Money) -> Result<Receipt, Error> {
        let body = command::GrantBonus {
            valid_until: self.until(),
            reason: self.reason,
            account,
            amount: Minor::from(amount),
            ..command::GrantBonus::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Publishes a set of rules: it applies to every bet that is placed after it. Its number.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn publish_rules(&mut self, set: &Ruleset) -> Result<u16, Error> {
        let body = command::PublishRules {
            valid_until: self.until(),
            reason: self.reason,
            ..command::PublishRules::default()
        };
        let slots = build::publish_rules(self.header(), body, set);
        // There are at most 256 sets.
        Ok(self.ask(&slots)?.answer.id as u16)
    }

    /// Turns a market in-play: from here on its bets wait so long, and are decided at the price of then.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn in_play(&mut self, market: impl Into<MarketId>, delay: Nanos) -> Result<Receipt, Error> {
        self.play(market.into(), 1, delay)
    }

    /// Turns a market back: its bets do not wait any more.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn pre_match(&mut self, market: impl Into<MarketId>) -> Result<Receipt, Error> {
        self.play(market.into(), 0, Nanos::ZERO)
    }

    fn play(&mut self, market: MarketId, in_play: u8, delay: Nanos) -> Result<Receipt, Error> {
        let body = command::SetInPlay {
            valid_until: self.until(),
            reason: self.reason,
            in_play,
            market,
            delay,
            ..command::SetInPlay::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Answers a referred bet: with a stake only as a counter-offer, with prices of the trader's own for
    /// each leg or, where there are none, those in force.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn answer_referral(
        &mut self,
        bet: BetId,
        answer: ReferralAnswer,
        stake: Option<Money>,
        prices: &[Option<Price>],
    ) -> Result<Receipt, Error> {
        let body = command::AnswerReferral {
            valid_until: self.until(),
            reason: self.reason,
            answer: answer as u8,
            bet,
            stake: stake.map_or(Minor(0), Minor::from),
            ..command::AnswerReferral::default()
        };
        let legs: Vec<(SelectionIndex, Option<Price>)> =
            (0..=u16::MAX).map(SelectionIndex).zip(prices.iter().copied()).collect();
        let slots = build::answer_referral(self.header(), body, &entries(&legs));
        let reply = self.ask(&slots.map_err(malformed)?)?;
        Ok(receipt(&reply))
    }

    /// Stops cash-outs at a level for an owner.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn freeze_cash_out(
        &mut self,
        scope: impl Into<Scope>,
        owner: Owner,
    ) -> Result<Receipt, Error> {
        self.freeze(scope.into(), owner, 1)
    }

    /// Takes an owner's freeze of cash-outs back; those of others stand.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn unfreeze_cash_out(
        &mut self,
        scope: impl Into<Scope>,
        owner: Owner,
    ) -> Result<Receipt, Error> {
        self.freeze(scope.into(), owner, 0)
    }

    fn freeze(&mut self, scope: Scope, owner: Owner, frozen: u8) -> Result<Receipt, Error> {
        let (level, id, _) = scope.wire();
        let body = command::FreezeCashOut {
            valid_until: self.until(),
            reason: self.reason,
            level: level as u8,
            owner: owner as u8,
            frozen,
            id,
            ..command::FreezeCashOut::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
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
        // Seven limits are more than one slot holds.
        let slots = wire::slots(self.header(), &body, &[]);
        self.ask(&slots).map(|reply| receipt(&reply))
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

    /// Defines a group of markets: which feed prices them, and which one stands by.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NameTaken` names it in its answer), and those of a call that waits.
    pub fn define_group(
        &mut self,
        name: &str,
        primary: FeedId,
        backup: FeedId,
    ) -> Result<Group, Error> {
        let body = command::DefineGroup {
            valid_until: self.until(),
            reason: self.reason,
            primary,
            backup,
            ..command::DefineGroup::default()
        };
        let slots = build::define_group(self.header(), body, name).map_err(malformed)?;
        // The number of a group has 16 bits; it came from there.
        let id = GroupId(self.ask(&slots)?.answer.id as u16);
        Ok(Group { id, primary, backup })
    }

    /// Lets a group's markets be priced by its other feed, in one step: bets that wait or are offered
    /// are as if the group had been suspended. Also to a feed that is not up: its markets then refuse.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NotAllowed` if it drives already), and those of a call that waits.
    pub fn switch_feed(&mut self, group: impl Into<GroupId>, to: Drives) -> Result<Receipt, Error> {
        let body = command::SwitchFeed {
            valid_until: self.until(),
            reason: self.reason,
            group: group.into(),
            to: to as u8,
            ..command::SwitchFeed::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Sets what holds for all markets of a tier, from here on.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_tier(&mut self, tier: u8, terms: TierTerms) -> Result<Receipt, Error> {
        let body =
            command::SetTier { valid_until: self.until(), reason: self.reason, tier, ..terms.body };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Puts a market into a tier.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn assign_tier(&mut self, market: impl Into<MarketId>, tier: u8) -> Result<Receipt, Error> {
        let body = command::AssignTier {
            valid_until: self.until(),
            reason: self.reason,
            tier,
            market: market.into(),
            ..command::AssignTier::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Says which version of its messages a feed is to send; 0: any. A feed in quarantine has to
    /// recover then.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_feed_schema(&mut self, feed: FeedId, schema: u32) -> Result<Receipt, Error> {
        let body = command::SetFeedSchema {
            valid_until: self.until(),
            reason: self.reason,
            feed,
            schema,
            ..command::SetFeedSchema::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Pins a price: it is in force whatever the feeds say.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn pin_price(&mut self, selection: Selection, price: Price) -> Result<Receipt, Error> {
        self.trader_price(selection, TraderPriceAct::Pin, WirePrice::decimal(price))
    }

    /// Takes a pin away: the feed's price is in force again.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NotAllowed` if it is not pinned), and those of a call that waits.
    pub fn unpin_price(&mut self, selection: Selection) -> Result<Receipt, Error> {
        self.trader_price(selection, TraderPriceAct::Unpin, WirePrice::NONE)
    }

    /// Takes the price of the feed that was held back as not plausible.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NotAllowed` if none is held), and those of a call that waits.
    pub fn take_held_price(&mut self, selection: Selection) -> Result<Receipt, Error> {
        self.trader_price(selection, TraderPriceAct::TakeHeld, WirePrice::NONE)
    }

    fn trader_price(
        &mut self,
        selection: Selection,
        act: TraderPriceAct,
        price: WirePrice,
    ) -> Result<Receipt, Error> {
        let body = command::TraderPrice {
            valid_until: self.until(),
            reason: self.reason,
            selection: selection.index,
            act: act as u8,
            market: selection.market,
            price,
            ..command::TraderPrice::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Scales the largest stake, in percent: 100 is as it is, 0 takes nothing, at most 10,000.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_stake_factor(&mut self, scope: StakeScope, percent: u32) -> Result<Receipt, Error> {
        let (scope, id) = scope.wire();
        let body = command::SetStakeFactor {
            valid_until: self.until(),
            reason: self.reason,
            scope: scope as u8,
            id,
            percent,
            ..command::SetStakeFactor::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Says when markets are shed, from here on and in later runs, whatever the configuration says; none:
    /// as that says, again. It decides nothing: those who are refused were never sequenced.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_shedding(&mut self, mode: impl Into<Option<Shed>>) -> Result<Receipt, Error> {
        let body = command::SetShedding {
            valid_until: self.until(),
            reason: self.reason,
            mode: mode.into().map_or(0, |mode| mode as u8),
            ..command::SetShedding::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Sets one of an account's limits by a period of time, at once, also to more; none: no limit.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of a call that waits.
    pub fn set_account_limit(
        &mut self,
        account: AccountId,
        kind: LimitKind,
        period: Period,
        amount: Option<Money>,
    ) -> Result<Receipt, Error> {
        let body = command::SetAccountLimit {
            valid_until: self.until(),
            reason: self.reason,
            kind: kind as u8,
            period: period as u8,
            account,
            amount: amount.map_or(Minor(0), Minor::from),
            ..command::SetAccountLimit::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// Excludes an account: no bets, no deposits. That can be made longer, never shorter; until the
    /// end of time is for good.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NotAllowed` if it is no longer than what holds), and those of a call that
    /// waits.
    pub fn exclude_account(
        &mut self,
        account: AccountId,
        until: Timestamp,
    ) -> Result<Receipt, Error> {
        let body = command::ExcludeAccount {
            valid_until: self.until(),
            reason: self.reason,
            account,
            until,
            ..command::ExcludeAccount::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// The external wallet holds the stake of a bet, under a number of its own: what becomes of the bet
    /// is told by events, and by a question about it. Said again, it is done.
    ///
    /// That it is done does not say that the bet is open: one that binds its price only now goes through
    /// all gates again, and one that was bound may have met the result of its market. If it is refused
    /// then, its `HoldEnded` tells the wallet to let go of the money, and its fate is `Rejected`.
    ///
    /// # Errors
    /// [`Error::Refused`] (`HoldEnded`: it ended before, or was confirmed already under another reference
    /// or with another amount; let go of the hold that this call names, unless the bet stands under it;
    /// `HoldAmount`: the answer has the stake; `HoldUnknown`), and those of a call that waits.
    pub fn confirm_hold(
        &mut self,
        bet: BetId,
        amount: Money,
        reference: u64,
    ) -> Result<Receipt, Error> {
        let body = command::ConfirmHold {
            valid_until: self.until(),
            reason: self.reason,
            bet,
            amount: Minor::from(amount),
            reference,
            ..command::ConfirmHold::default()
        };
        let slot = build::plain(self.header(), &body);
        self.ask_one(slot)
    }

    /// The external wallet does not hold the stake of a bet, and will not: it is refused.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NotAllowed` of one that was confirmed), and those of a call that waits.
    pub fn release_hold(&mut self, bet: BetId) -> Result<Receipt, Error> {
        let body = command::ReleaseHold {
            valid_until: self.until(),
            reason: self.reason,
            bet,
            ..command::ReleaseHold::default()
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

    /// Sends one command of any kind of the control ring, as it is. What is no command is put aside
    /// ([`crate::dead_letters`]). Never blocks.
    ///
    /// # Errors
    /// [`NotTaken`]: this attempt will never execute.
    pub fn try_submit(&mut self, command: &[Slot]) -> Result<Ticket, NotTaken> {
        self.line.try_submit(command, Raw::Yes)
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

    /// The command of something that a governor wants.
    pub(crate) fn slot_of(&mut self, action: &Action) -> Slot {
        let (valid_until, reason) = (self.until(), action.reason);
        let header = self.header();
        match action.act {
            Act::FreezeCashOut { at, frozen } => {
                let (level, id, _) = at.scope().wire();
                build::plain(
                    header,
                    &command::FreezeCashOut {
                        valid_until,
                        reason,
                        level: level as u8,
                        owner: Owner::Governor as u8,
                        frozen: u8::from(frozen),
                        id,
                        ..command::FreezeCashOut::default()
                    },
                )
            }
            Act::SwitchFeed { group, to } => build::plain(
                header,
                &command::SwitchFeed {
                    valid_until,
                    reason,
                    group,
                    to: to as u8,
                    ..command::SwitchFeed::default()
                },
            ),
            Act::SetStakeFactor { scope, percent } => {
                let (scope, id) = scope.wire();
                build::plain(
                    header,
                    &command::SetStakeFactor {
                        valid_until,
                        reason,
                        scope: scope as u8,
                        id,
                        percent,
                        ..command::SetStakeFactor::default()
                    },
                )
            }
            Act::Shed(mode) => build::plain(
                header,
                &command::SetShedding {
                    valid_until,
                    reason,
                    mode: mode.map_or(0, |mode| mode as u8),
                    ..command::SetShedding::default()
                },
            ),
        }
    }

    pub(crate) fn send(&mut self, slot: &Slot) -> Result<Ticket, NotTaken> {
        self.line.try_submit(std::slice::from_ref(slot), Raw::No)
    }

    pub(crate) fn replies(&mut self, replies: &mut [Reply]) -> usize {
        self.line.poll(replies)
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

/// The job that a command started, if it did.
pub(crate) fn job(reply: &Reply) -> Option<JobId> {
    (reply.answer.kind() == AnswerKind::Started).then_some(JobId(reply.answer.id))
}

pub(crate) fn malformed(what: Malformed) -> Error {
    Error::NotTaken(NotTaken::Malformed(what))
}

pub(crate) fn entries(prices: &[(SelectionIndex, Option<Price>)]) -> Vec<PriceEntry> {
    let wire = |price: Option<Price>| price.map_or(WirePrice::NONE, WirePrice::decimal);
    prices.iter().map(|(index, price)| PriceEntry::new(*index, wire(*price))).collect()
}
