//! One bet's whole life in plain words: what was asked, what it was bound to and why, who suspended
//! what around it, how it came out, where its money went. And an order's.

pub(crate) mod orders;

use crate::describe::{self, Names, Told, basis, bet_of, currency, owners, span, utc, wish};
use crate::error::{CliError, program};
use crate::source::Source;
use betring_core::BetState;
use betring_core::answer::Basis;
use betring_core::command::{Command, Level, Owner, StakeKind};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::Timestamp;
use betring_core::wire::Minor;
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::path::Path;

/// How many prices, and how many changes of levels, are told from before the bet was asked for.
const BEFORE_MAX: usize = 3;
/// How many prices from after it: they bind it no more.
const PRICES_AFTER_MAX: usize = 2;
/// How many changes of levels from after it.
const LEVELS_AFTER_MAX: usize = 10;

/// A line of the story.
#[derive(Clone, Debug)]
struct Line {
    seq: Seq,
    /// Within a record: what happened around the bet, then the bet, then its money.
    rank: u8,
    at: Timestamp,
    text: String,
}

/// The story of one bet, or of one order.
pub(crate) struct Life {
    what: &'static str,
    id: String,
    title: String,
    asked_at: Timestamp,
    lines: Vec<Line>,
    /// What was left out between them.
    left_out: u64,
}

/// What a bet is about, found before its story is told.
struct About {
    account: AccountId,
    legs: Vec<(MarketId, SelectionIndex)>,
    seq: Seq,
    at: Timestamp,
}

impl About {
    fn has(&self, market: MarketId) -> bool {
        self.legs.iter().any(|(of, _)| *of == market)
    }
}

/// Tells a bet's life from a journal.
pub(crate) fn of(dir: &Path, bet: BetId) -> Result<Life, CliError> {
    let about = find(dir, bet)?;
    let mut teller = Teller {
        bet,
        names: Names::default(),
        on: HashMap::new(),
        groups: HashMap::new(),
        code: String::new(),
        reference: None,
        set_at: vec![VecDeque::new(); about.legs.len()],
        prices: about.legs.iter().map(|_| Around::new(PRICES_AFTER_MAX)).collect(),
        levels: Around::new(LEVELS_AFTER_MAX),
        own: Vec::new(),
        over: false,
        about,
    };
    let mut source = Source::open(dir, 1, "telling")?;
    while let Some((_, entry)) = source.next()? {
        // What cannot be read cannot be told; the audit names it.
        if let Ok(told) = Told::read(&entry) {
            teller.record(&told);
        }
    }
    Ok(teller.life())
}

fn find(dir: &Path, bet: BetId) -> Result<About, CliError> {
    let mut source = Source::open(dir, 1, "looking")?;
    while let Some((_, entry)) = source.next()? {
        let Ok(told) = Told::read(&entry) else { continue };
        let (seq, at) = (told.seq, told.at);
        let account = told.events.iter().find_map(|event| match event {
            Event::BetOpened(e) if e.bet == bet => Some(e.account),
            Event::TicketOpened(e) if e.bet == bet => Some(e.account),
            Event::BetOffered(e) if e.bet == bet => Some(e.account),
            Event::BetPending(e) if e.bet == bet => Some(e.account),
            _ => None,
        });
        // What was asked for is what the bet is about, whatever came of it.
        let legs = match &told.command {
            Command::Place(body) => vec![(body.market, body.selection)],
            Command::PlaceTicket(_, legs) => {
                legs.iter().map(|leg| (leg.market, leg.selection)).collect()
            }
            _ => continue,
        };
        if let Some(account) = account {
            return Ok(About { account, legs, seq, at });
        }
    }
    Err(CliError::new(
        format_args!("there is no bet {bet} in this journal"),
        dir.display(),
        format_args!(
            "see which bets there are: {} journal tail {} --kind Place --kind PlaceTicket",
            program(),
            dir.display()
        ),
    ))
}

/// What a market is on, and who prices it.
#[derive(Clone, Copy)]
struct On {
    fixture: FixtureId,
    group: GroupId,
    feeds: [FeedId; 2],
    tier: u8,
}

/// Lines around the moment at which the bet was asked for: the last before it, the first after it.
struct Around {
    before: VecDeque<Line>,
    after: Vec<Line>,
    after_max: usize,
    left_out: u64,
}

impl Around {
    fn new(after_max: usize) -> Around {
        Around { before: VecDeque::new(), after: Vec::new(), after_max, left_out: 0 }
    }

    fn push(&mut self, asked: Seq, line: Line) {
        if asked < line.seq {
            if self.after.len() < self.after_max {
                self.after.push(line);
            } else {
                self.left_out += 1;
            }
            return;
        }
        if self.before.len() == BEFORE_MAX {
            self.before.pop_front();
            self.left_out += 1;
        }
        self.before.push_back(line);
    }
}

struct Teller {
    bet: BetId,
    about: About,
    names: Names,
    /// What each of its markets is on.
    on: HashMap<u64, On>,
    /// The feeds of the groups so far, and which of them prices.
    groups: HashMap<u16, [FeedId; 2]>,
    code: String,
    reference: Option<u64>,
    /// Of each leg: the versions of its last prices, and the records that set them. With two feeds
    /// and a trader there may be three that matter.
    set_at: Vec<VecDeque<(PriceVersion, Seq)>>,
    prices: Vec<Around>,
    levels: Around,
    own: Vec<Line>,
    /// The bet is settled or its offer has ended: what comes later is not its life.
    over: bool,
}

impl Teller {
    fn record(&mut self, told: &Told<'_>) {
        self.names.learn(told);
        for event in &told.events {
            self.event(told, event);
        }
    }

    fn line(told: &Told<'_>, text: String) -> Line {
        Line { seq: told.seq, rank: 0, at: told.at, text }
    }

    fn say(&mut self, told: &Told<'_>, text: String) {
        self.own.push(Line { rank: 1, ..Self::line(told, text) });
    }

    fn event(&mut self, told: &Told<'_>, event: &Event) {
        let (account, asked) = (self.about.account, self.about.seq);
        match event {
            Event::AccountOpened(e) if e.account == account => {
                self.reference = Some(e.reference);
                self.code = currency(e.currency);
            }
            Event::MarketDefined(e) if self.about.has(e.market) => {
                let feeds = self.groups.get(&e.group.0).copied().unwrap_or([e.feed; 2]);
                let (fixture, group, tier) = (e.fixture, e.group, e.tier);
                self.on.insert(e.market.raw(), On { fixture, group, feeds, tier });
                let bound = match e.age_bound.0 {
                    0 => "prices of any age".into(),
                    _ => format!("no price older than {}", span(e.age_bound)),
                };
                let on = match e.fixture {
                    FixtureId::NONE => String::new(),
                    fixture => format!(" on {}", self.names.fixture(fixture)),
                };
                let (market, feed) = (self.names.market(e.market), self.names.feed(e.feed));
                let mut by = match e.group {
                    GroupId::NONE => String::new(),
                    group => format!(" for {}", self.names.group(group)),
                };
                if e.tier != 0 {
                    by.push_str(&format!(", tier {}", e.tier));
                }
                let text = format!("{market}{on} is defined: priced by {feed}{by}, {bound}");
                self.levels.push(asked, Self::line(told, text));
            }
            Event::MarketChanged(e) if self.about.has(e.market) && !self.over => {
                let status = MarketStatus::from_code(e.status);
                let status = status.map_or("changed".into(), |s| s.to_string().to_lowercase());
                let text = format!("{} is {status}", self.names.market(e.market));
                self.levels.push(asked, Self::line(told, text));
            }
            Event::PriceSet(e) if !self.over => {
                let Some(at) = self.leg_of(e.market, e.selection) else { return };
                let who = match &told.command {
                    Command::SetPrices(body, _) if body.feed == FeedId::MANUAL => {
                        self.names.actor(told.header.account)
                    }
                    Command::Reprice(body, _) => {
                        let feed = self.names.feed(e.feed);
                        format!("{feed} by {} {}", body.model_name(), body.model_version)
                    }
                    _ => self.names.feed(e.feed),
                };
                let name = self.leg(at);
                let by = if e.drives == 1 { "" } else { ", which does not price it now" };
                let known = self.set_at[at].iter().any(|(version, _)| *version == e.version);
                let text = if e.held == 1 {
                    format!("{who} sends {} for {name}: it is held back as not plausible", e.quoted)
                } else if known {
                    format!("{who}{by} confirms {name} at {} ({})", e.price, e.version)
                } else {
                    self.set(at, e.version, told.seq);
                    let less = match e.steps {
                        0 => String::new(),
                        _ => format!(", shortened from {} for liability", e.quoted),
                    };
                    format!("{who}{by} sets {name} to {} ({}){less}", e.price, e.version)
                };
                self.prices[at].push(asked, Self::line(told, text));
            }
            Event::PricePinned(e) if !self.over => {
                let Some(at) = self.leg_of(e.market, e.selection) else { return };
                let (who, name) = (self.names.actor(told.header.account), self.leg(at));
                let text = match e.pinned {
                    1 => {
                        self.set(at, e.version, told.seq);
                        format!("{who} pins {name} at {} ({})", e.price, e.version)
                    }
                    _ => {
                        format!("{who} gives {name} back to its feed: {} ({})", e.price, e.version)
                    }
                };
                self.prices[at].push(asked, Self::line(told, text));
            }
            Event::PriceStepped(e) if !self.over => {
                let Some(at) = self.leg_of(e.market, e.selection) else { return };
                self.set(at, e.version, told.seq);
                let (name, by) = (self.leg(at), describe::counted(e.steps.into(), "band"));
                let text = format!("{name} is at {} ({}) by {by} of liability", e.price, e.version);
                self.prices[at].push(asked, Self::line(told, text));
            }
            Event::DriftChanged(e) if self.about.has(e.market) && !self.over => {
                self.levels.push(asked, Self::line(told, describe::event_words(event)));
            }
            Event::GroupDefined(e) => {
                self.groups.insert(e.group.0, [e.primary, e.backup]);
            }
            Event::FeedSwitched(e) if self.is_on(|on| on.group == e.group) && !self.over => {
                let who = self.names.actor(told.header.account);
                let (feed, group) = (self.names.feed(e.feed), self.names.group(e.group));
                let text = format!("{who} lets {feed} price {group}");
                self.levels.push(asked, Self::line(told, text));
            }
            Event::TierAssigned(e) if self.about.has(e.market) => {
                if let Some(on) = self.on.get_mut(&e.market.raw()) {
                    on.tier = e.tier;
                }
                let text = format!("{} is in tier {}", self.names.market(e.market), e.tier);
                self.levels.push(asked, Self::line(told, text));
            }
            Event::TierSet(e) if self.is_on(|on| on.tier == e.tier) && !self.over => {
                self.levels.push(asked, Self::line(told, told.sentence()));
            }
            Event::LevelSuspended(e) if self.covers(e.level, e.id, e.selection) && !self.over => {
                let level = (e.level, e.id, e.selection);
                let text = self.suspension(told, "suspends", level, e.owner, e.owners);
                self.levels.push(asked, Self::line(told, text));
            }
            Event::LevelReleased(e) if self.covers(e.level, e.id, e.selection) && !self.over => {
                let level = (e.level, e.id, e.selection);
                let text = self.suspension(told, "releases", level, e.owner, e.owners);
                self.levels.push(asked, Self::line(told, text));
            }
            Event::FeedChanged(e) if self.is_on(|on| on.feeds.contains(&e.feed)) && !self.over => {
                let feed = self.names.feed(e.feed);
                let counts =
                    if e.status == FeedStatus::Up as u8 { "count" } else { "do not count" };
                let why = describe::feed_why(e.why);
                let text = format!("{feed} {why}, its prices {counts}");
                self.levels.push(asked, Self::line(told, text));
            }
            Event::SelectionChanged(e) if self.about.has(e.market) => {
                let leg = (e.market, e.selection);
                let own = self.about.legs.contains(&leg);
                // Another one counts only where it takes something from the winnings.
                if own || e.deducts == 1 {
                    let selection = self.names.selection(e.market, e.selection);
                    let what = if e.withdrawn == 1 { "withdrawn" } else { "back" };
                    let less = match e.deducts {
                        1 => format!(", winnings are reduced by its price {}", e.price),
                        _ => String::new(),
                    };
                    let market = self.names.market(e.market);
                    let text = format!("{selection} in {market} is {what}{less}");
                    self.levels.push(asked, Self::line(told, text));
                }
            }
            Event::InPlayChanged(e) if self.about.has(e.market) && !self.over => {
                let what = if e.in_play == 1 { "in-play" } else { "not in-play" };
                let market = self.names.market(e.market);
                let text = format!("{market} is {what}: bets wait {}", span(e.delay));
                self.levels.push(asked, Self::line(told, text));
            }
            Event::CashOutFrozen(e)
                if self.covers(e.level, e.id, SelectionIndex(0)) && !self.over =>
            {
                self.levels.push(asked, Self::line(told, describe::event_words(event)));
            }
            // While load is shed, cash-outs are refused before they are sequenced: no record tells of them.
            Event::SheddingSet(e) if !self.over => {
                let who = self.names.actor(told.header.account);
                let text = format!("{who} {}", describe::shedding(e.mode));
                self.levels.push(asked, Self::line(told, text));
            }
            Event::RunBegan(e) if !self.over => {
                let text = format!("the engine starts, run {}: every feed has to recover", e.epoch);
                self.levels.push(asked, Self::line(told, text));
            }
            Event::ResultRecorded(e) if self.about.has(e.market) => {
                let who = self.names.actor(told.header.account);
                let Command::MarketResult(_, entries) = &told.command else { return };
                for at in 0..self.about.legs.len() {
                    let (market, selection) = self.about.legs[at];
                    let result = entries.iter().find(|entry| entry.selection == selection);
                    if market == e.market
                        && let Some(result) = result
                    {
                        let (leg, result) = (self.leg(at), describe::result(&result));
                        self.say(told, format!("{who} gives the result: {leg}: {result}"));
                    }
                }
            }
            Event::ResultRolledBack(e) if self.about.has(e.market) => {
                let who = self.names.actor(told.header.account);
                let market = self.names.market(e.market);
                self.say(told, format!("{who} takes the result of {market} back"));
            }
            Event::WindowChanged(e)
                if self.about.has(e.market)
                    && e.from <= self.about.at
                    && self.about.at < e.until =>
            {
                let who = self.names.actor(told.header.account);
                let what = if e.cancelled == 1 { "voids" } else { "no longer voids" };
                let market = self.names.market(e.market);
                self.say(told, format!("{who} {what} the bets of {market} of this time"));
            }
            _ if bet_of(event) == Some(self.bet) => self.of_the_bet(told, event),
            _ => (),
        }
    }

    fn leg_of(&self, market: MarketId, selection: SelectionIndex) -> Option<usize> {
        self.about.legs.iter().position(|leg| *leg == (market, selection))
    }

    fn is_on(&self, is: impl Fn(&On) -> bool) -> bool {
        self.on.values().any(is)
    }

    fn set(&mut self, at: usize, version: PriceVersion, seq: Seq) {
        const VERSIONS_KEPT: usize = 64;
        if self.set_at[at].len() == VERSIONS_KEPT {
            self.set_at[at].pop_front();
        }
        self.set_at[at].push_back((version, seq));
    }

    /// Since which record a version of a leg's price has been there.
    fn since(&self, at: usize, version: PriceVersion) -> String {
        let known = self.set_at[at].iter().rev().find(|(of, _)| *of == version);
        known.map_or_else(|| "long before".to_owned(), |(_, seq)| seq.to_string())
    }

    /// A leg by the names of its selection and market.
    fn leg(&self, at: usize) -> String {
        let (market, selection) = self.about.legs[at];
        let selection = self.names.selection(market, selection);
        format!("{selection} in {}", self.names.market(market))
    }

    /// What was asked for.
    fn ask(&mut self, told: &Told<'_>) {
        let (account, code) = (self.about.account, self.code.clone());
        match &told.command {
            Command::Place(body) => {
                let wish = wish(body.price, body.policy, body.slippage);
                let (seen, name) = (seen(body.version), self.leg(0));
                let text =
                    format!("{account} asks for {} {code} on {name} {wish}{seen}", body.stake);
                self.say(told, text);
            }
            Command::PlaceTicket(body, legs) => {
                let of = if body.bonus == 1 { " of bonus money" } else { "" };
                let each = if body.stake_kind == StakeKind::Unit as u8 { " a line" } else { "" };
                let kind = describe::lines(body);
                self.say(
                    told,
                    format!("{account} asks for {} {code}{each}{of} on a {kind}", body.stake),
                );
                for (at, leg) in legs.iter().enumerate().take(self.about.legs.len()) {
                    let wish = wish(leg.price, body.policy, body.slippage);
                    let (seen, name) = (seen(leg.version), self.leg(at));
                    self.say(told, format!("  leg {}: {name} {wish}{seen}", at + 1));
                }
            }
            _ => (),
        }
    }

    fn of_the_bet(&mut self, told: &Told<'_>, event: &Event) {
        let account = self.about.account;
        match event {
            Event::BetOffered(e) => {
                if e.leg == 0 {
                    self.ask(told);
                }
                let leg =
                    if e.legs == 1 { String::new() } else { format!(" of leg {}", 1 + e.leg) };
                let text = if e.version == PriceVersion(0) {
                    let until = utc(e.until);
                    let who = match &told.command {
                        Command::AnswerReferral(..) => self.names.actor(told.header.account),
                        _ => "the trader".to_owned(),
                    };
                    format!("{who} gives {}{leg}: {} is offered until {until}", e.price, e.stake)
                } else {
                    format!(
                        "the price in force{leg} is {} ({}), {} old: it is offered until {}",
                        e.price,
                        e.version,
                        span(e.price_age),
                        utc(e.until)
                    )
                };
                self.say(told, text);
            }
            Event::HoldEnded(_) => {
                self.say(told, describe::event_words(event));
                self.over = true;
            }
            Event::BetPending(_) => {
                self.ask(told);
                self.say(told, describe::event_words(event));
            }
            Event::TicketOpened(e) => {
                if e.from == BetState::Offered as u8 && e.placed_seq != told.seq {
                    self.say(told, format!("{account} takes the offer"));
                }
                self.ask(told);
                let text = format!(
                    "accepted, {}: {} in {}; returns {} {} at most",
                    basis(e.basis),
                    e.stake,
                    describe::counted(e.lines.into(), "line"),
                    e.returns,
                    self.code
                );
                self.say(told, text);
            }
            Event::LegBound(e) => {
                let at = usize::from(e.leg).min(self.about.legs.len() - 1);
                let since = match e.version {
                    PriceVersion(0) => "given by the trader".into(),
                    version => format!(
                        "{version}, in force since {}, last confirmed {} before",
                        self.since(at, version),
                        span(e.price_age)
                    ),
                };
                let places = match e.places {
                    0 => String::new(),
                    places => {
                        format!("; {places} places at {}/{} of the odds", e.place_num, e.place_den)
                    }
                };
                let text = format!(
                    "  leg {}: {} at {} ({since}){places}",
                    1 + e.leg,
                    self.leg(at),
                    e.price
                );
                self.say(told, text);
            }
            Event::BetReversed(_) => {
                self.over = false;
                self.say(told, describe::event_words(event));
            }
            Event::BetRejected(_) => {
                self.say(told, describe::event_words(event));
                self.over = true;
            }
            Event::BetCashedOut(e) => {
                self.say(told, describe::event_words(event));
                self.over = e.left == Minor(0);
            }
            Event::BetOpened(e) => {
                match BetState::from_code(e.from) {
                    Some(BetState::Held) => (),
                    Some(BetState::Delayed) => self.say(told, "the delay has passed".into()),
                    Some(BetState::Referred) => {
                        let who = self.names.actor(told.header.account);
                        self.say(told, format!("{who} accepts"));
                    }
                    _ if e.placed_seq == told.seq => self.ask(told),
                    _ => self.say(told, format!("{account} takes the offer")),
                }
                let why = match Basis::from_code(e.basis) {
                    Some(Basis::InForce) => format!(
                        "in force since {}, last confirmed {} before",
                        self.since(0, e.version),
                        span(e.price_age)
                    ),
                    Some(Basis::Offer) => format!("as offered at {}", e.placed_seq),
                    Some(Basis::Held) => format!(
                        "in force since {}, {} old, and held by the wallet",
                        self.since(0, e.version),
                        span(e.price_age)
                    ),
                    _ => basis(e.basis),
                };
                let text = format!(
                    "accepted at {} ({}), {why}; returns {} {} if it wins",
                    e.price, e.version, e.returns, self.code
                );
                self.say(told, text);
            }
            Event::OfferEnded(e) => {
                let why = match OfferEnd::from_code(e.why) {
                    Some(OfferEnd::Declined) => "the customer declines the offer",
                    Some(OfferEnd::Expired) => "the offer's time is over",
                    Some(OfferEnd::Withdrawn) => "the offer is withdrawn: something was suspended",
                    None => "the offer ends",
                };
                self.say(told, why.into());
                self.over = true;
            }
            Event::BetSettled(e) => {
                let text = match BetOutcome::from_code(e.outcome) {
                    Some(BetOutcome::Won) => format!("won: {} {} are due", e.paid, self.code),
                    Some(BetOutcome::Lost) => "lost: nothing is due".into(),
                    Some(BetOutcome::Void) => format!("void: the stake {} goes back", e.paid),
                    Some(BetOutcome::Partial) => {
                        format!("won in part: {} {} are due", e.paid, self.code)
                    }
                    Some(BetOutcome::None | BetOutcome::CashedOut) | None => "settled".into(),
                };
                let again = match e.version {
                    0 | 1 => String::new(),
                    version => format!(", the bet's {version}"),
                };
                self.say(
                    told,
                    format!("{text} (settlement {}{again}, job {})", e.settlement, e.job),
                );
                self.over = true;
            }
            Event::Transfer(e) => {
                let wallet = [TransferWhy::WalletIn as u8, TransferWhy::WalletOut as u8];
                let wallet = wallet.contains(&e.why);
                let place = |account: LedgerAccount| match account.owner() {
                    Ok(_) => account.to_string(),
                    Err(Some(HouseAccount::Escrow)) => "escrow".into(),
                    Err(Some(HouseAccount::House)) => "the house".into(),
                    Err(Some(HouseAccount::World)) if wallet => "its wallet".into(),
                    Err(_) => account.to_string(),
                };
                let (from, to) = (place(e.from), place(e.to));
                let text = format!("{} {} go from {from} to {to}", e.amount, currency(e.currency));
                self.own.push(Line { rank: 2, ..Self::line(told, text) });
            }
            other => self.say(told, describe::event_words(other)),
        }
    }

    fn covers(&self, level: u8, id: u64, selection: SelectionIndex) -> bool {
        match Level::from_code(level) {
            Some(Level::Engine) => true,
            Some(Level::Feed) => self.is_on(|on| on.feeds.iter().any(|f| id == u64::from(f.0))),
            Some(Level::Fixture) => {
                self.is_on(|on| on.fixture != FixtureId::NONE && id == on.fixture.raw())
            }
            Some(Level::Group) => {
                self.is_on(|on| on.group != GroupId::NONE && id == u64::from(on.group.0))
            }
            Some(Level::Market) => self.about.has(MarketId::from_raw(id)),
            Some(Level::Selection) => self.leg_of(MarketId::from_raw(id), selection).is_some(),
            None => false,
        }
    }

    fn suspension(
        &self,
        told: &Told<'_>,
        verb: &str,
        (level, id, selection): (u8, u64, SelectionIndex),
        owner: u8,
        held: u8,
    ) -> String {
        let market = MarketId::from_raw(id);
        let what = match Level::from_code(level) {
            Some(Level::Engine) | None => "everything".into(),
            Some(Level::Feed) => format!("all markets of {}", self.names.feed(FeedId(id as u16))),
            Some(Level::Fixture) => {
                format!("all markets on {}", self.names.fixture(FixtureId::from_raw(id)))
            }
            Some(Level::Group) => {
                format!("all markets of {}", self.names.group(GroupId(id as u16)))
            }
            Some(Level::Market) => self.names.market(market),
            Some(Level::Selection) => {
                let selection = self.names.selection(market, selection);
                format!("{selection} in {}", self.names.market(market))
            }
        };
        let owner = Owner::from_code(owner);
        if owner == Some(Owner::Engine) {
            // It does so by itself, whoever's command brought it to that.
            return format!("the engine {verb} {what} for liability; held by {}", owners(held));
        }
        let who = self.names.actor(told.header.account);
        let owner = owner.map_or("somebody".into(), |owner| owner.to_string().to_lowercase());
        format!("{who} {verb} {what} for the {owner}; held by {}", owners(held))
    }

    fn life(self) -> Life {
        let (account, at) = (self.about.account, self.about.at);
        let customer = match self.reference {
            Some(reference) => format!("{account} (customer {reference})"),
            None => account.to_string(),
        };
        let legs: Vec<String> = (0..self.about.legs.len()).map(|at| self.leg(at)).collect();
        let title = format!("{}: {customer} on {}", self.bet, legs.join(", "));
        let around = || self.prices.iter().chain([&self.levels]);
        let left_out = around().map(|around| around.left_out).sum();
        let mut lines: Vec<Line> = self
            .prices
            .into_iter()
            .chain([self.levels])
            .flat_map(|around| around.before.into_iter().chain(around.after))
            .collect();
        lines.extend(self.own);
        // Stable: what was asked stays before what came of it.
        lines.sort_by_key(|line| (line.seq, line.rank));
        Life { what: "bet", id: self.bet.to_string(), title, asked_at: at, lines, left_out }
    }
}

fn seen(version: PriceVersion) -> String {
    if version == PriceVersion(0) { String::new() } else { format!(", having seen {version}") }
}

impl Life {
    /// The story as lines of text: date, distance from the moment the bet was asked for, what was.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.title.clone()];
        let mut last = None;
        for line in &self.lines {
            // Lines of one record share its place.
            let place = if last == Some(line.seq) {
                String::new()
            } else {
                let after = line.at.since(self.asked_at);
                let sign = if 0 <= after.0 { "+" } else { "" };
                format!("{} {} {sign}{}", line.seq, utc(line.at), span(after))
            };
            last = Some(line.seq);
            lines.push(format!("  {place:<52} {}", line.text));
        }
        if 0 < self.left_out {
            lines.push(match self.what {
                "bet" => format!(
                    "  left out, further away: {} of prices or levels",
                    describe::counted(self.left_out, "change")
                ),
                _ => format!("  left out: {}", describe::counted(self.left_out, "event")),
            });
        }
        lines
    }

    /// The story for machines.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                json!({"seq": line.seq.0, "at_ns": line.at.0, "at": utc(line.at), "says": line.text})
            })
            .collect();
        json!({self.what: self.id, "title": self.title, "left_out": self.left_out, "lines": lines})
    }
}
