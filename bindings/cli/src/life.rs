//! One bet's whole life in plain words: what was asked, what it was bound to and why, who suspended
//! what around it, how it came out, where its money went.

use crate::describe::{self, Names, Told, basis, bet_of, currency, owners, span, utc, wish};
use crate::error::{CliError, program};
use crate::source::Source;
use betring_core::answer::Basis;
use betring_core::command::{Command, Level, Owner};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::Timestamp;
use serde_json::json;
use std::collections::VecDeque;
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

/// The story of one bet.
pub(crate) struct Life {
    bet: BetId,
    title: String,
    asked_at: Timestamp,
    lines: Vec<Line>,
    /// What was left out between them.
    left_out: u64,
}

/// What a bet is about, found before its story is told.
struct About {
    account: AccountId,
    market: MarketId,
    selection: SelectionIndex,
    seq: Seq,
    at: Timestamp,
}

/// Tells a bet's life from a journal.
pub(crate) fn of(dir: &Path, bet: BetId) -> Result<Life, CliError> {
    let about = find(dir, bet)?;
    let mut teller = Teller {
        bet,
        names: Names::default(),
        fixture: FixtureId::NONE,
        feed: FeedId::MANUAL,
        code: String::new(),
        reference: None,
        set_at: (PriceVersion(0), Seq(0)),
        prices: Around::new(PRICES_AFTER_MAX),
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
        for event in &told.events {
            let (account, market, selection) = match event {
                Event::BetOpened(e) if e.bet == bet => (e.account, e.market, e.selection),
                Event::BetOffered(e) if e.bet == bet => (e.account, e.market, e.selection),
                _ => continue,
            };
            return Ok(About { account, market, selection, seq, at });
        }
    }
    Err(CliError::new(
        format_args!("there is no bet {bet} in this journal"),
        dir.display(),
        format_args!(
            "see which bets there are: {} journal tail {} --kind Place",
            program(),
            dir.display()
        ),
    ))
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
    fixture: FixtureId,
    feed: FeedId,
    code: String,
    reference: Option<u64>,
    /// The version of the price in force, and the record that set it.
    set_at: (PriceVersion, Seq),
    prices: Around,
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
        let About { account, market, selection, seq: asked, .. } = self.about;
        let name = |teller: &Teller| {
            let selection = teller.names.selection(market, selection);
            format!("{selection} in {}", teller.names.market(market))
        };
        match event {
            Event::AccountOpened(e) if e.account == account => {
                self.reference = Some(e.reference);
                self.code = currency(e.currency);
            }
            Event::MarketDefined(e) if e.market == market => {
                (self.fixture, self.feed) = (e.fixture, e.feed);
                let bound = match e.age_bound.0 {
                    0 => "prices of any age".into(),
                    _ => format!("no price older than {}", span(e.age_bound)),
                };
                let on = match e.fixture {
                    FixtureId::NONE => String::new(),
                    fixture => format!(" on {}", self.names.fixture(fixture)),
                };
                let (market, feed) = (self.names.market(market), self.names.feed(e.feed));
                let text = format!("{market}{on} is defined: priced by {feed}, {bound}");
                self.levels.push(asked, Self::line(told, text));
            }
            Event::MarketChanged(e) if e.market == market && !self.over => {
                let status = MarketStatus::from_code(e.status);
                let status = status.map_or("changed".into(), |s| s.to_string().to_lowercase());
                let text = format!("{} is {status}", self.names.market(market));
                self.levels.push(asked, Self::line(told, text));
            }
            Event::PriceSet(e) if (e.market, e.selection) == (market, selection) && !self.over => {
                let who = match &told.command {
                    Command::SetPrices(body, _) if body.feed == FeedId::MANUAL => {
                        self.names.actor(told.header.account)
                    }
                    _ => self.names.feed(e.feed),
                };
                let text = if self.set_at.0 == e.version {
                    format!("{who} confirms {} at {} ({})", name(self), e.price, e.version)
                } else {
                    self.set_at = (e.version, told.seq);
                    format!("{who} sets {} to {} ({})", name(self), e.price, e.version)
                };
                self.prices.push(asked, Self::line(told, text));
            }
            Event::LevelSuspended(e) if self.covers(e.level, e.id) && !self.over => {
                let text = self.suspension(told, "suspends", e.level, e.id, e.owner, e.owners);
                self.levels.push(asked, Self::line(told, text));
            }
            Event::LevelReleased(e) if self.covers(e.level, e.id) && !self.over => {
                let text = self.suspension(told, "releases", e.level, e.id, e.owner, e.owners);
                self.levels.push(asked, Self::line(told, text));
            }
            Event::FeedChanged(e) if e.feed == self.feed && !self.over => {
                let feed = self.names.feed(e.feed);
                let why = match FeedWhy::from_code(e.why) {
                    Some(FeedWhy::Silence) => "was silent for too long, its prices do not count",
                    Some(FeedWhy::Gap) => "has missed something, its prices do not count",
                    Some(FeedWhy::Recovered) => "has sent everything again, its prices count",
                    Some(FeedWhy::Start) | None => "has to send everything again",
                };
                self.levels.push(asked, Self::line(told, format!("{feed} {why}")));
            }
            Event::SelectionChanged(e) if (e.market, e.selection) == (market, selection) => {
                let what = if e.withdrawn == 1 { "withdrawn" } else { "back" };
                let text = format!("{} is {what}", name(self));
                self.levels.push(asked, Self::line(told, text));
            }
            Event::RunBegan(e) if !self.over => {
                let text = format!("the engine starts, run {}: every feed has to recover", e.epoch);
                self.levels.push(asked, Self::line(told, text));
            }
            Event::ResultRecorded(e) if e.market == market && !self.over => {
                let result = match &told.command {
                    Command::MarketResult(_, entries) => {
                        entries.iter().find(|entry| entry.selection == selection)
                    }
                    _ => None,
                };
                let result = result
                    .map_or("unknown".into(), |entry| entry.outcome().to_string().to_lowercase());
                let who = self.names.actor(told.header.account);
                let text = format!("{who} gives the result: {}: {result}", name(self));
                self.say(told, text);
            }
            _ if bet_of(event) == Some(self.bet) => self.of_the_bet(told, event, &name(self)),
            _ => (),
        }
    }

    fn of_the_bet(&mut self, told: &Told<'_>, event: &Event, name: &str) {
        let account = self.about.account;
        match event {
            Event::BetOffered(e) => {
                let wish = wish(e.requested, e.policy, e.slippage);
                let seen = seen(e.requested_version);
                let code = &self.code;
                let text = format!("{account} asks for {} {code} on {name} {wish}{seen}", e.stake);
                self.say(told, text);
                let text = format!(
                    "the price in force is {} ({}), {} old: it is offered until {}",
                    e.price,
                    e.version,
                    span(e.price_age),
                    utc(e.until)
                );
                self.say(told, text);
            }
            Event::BetOpened(e) => {
                if e.placed_seq == told.seq {
                    let wish = wish(e.requested, e.policy, e.slippage);
                    let (code, seen) = (&self.code, seen(e.requested_version));
                    let text =
                        format!("{account} asks for {} {code} on {name} {wish}{seen}", e.stake);
                    self.say(told, text);
                } else {
                    self.say(told, format!("{account} takes the offer"));
                }
                let why = match Basis::from_code(e.basis) {
                    Some(Basis::InForce) => format!(
                        "in force since {}, last confirmed {} before",
                        self.set_at.1,
                        span(e.price_age)
                    ),
                    Some(Basis::Offer) => format!("as offered at {}", e.placed_seq),
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
                    Some(BetOutcome::None) | None => "settled".into(),
                };
                self.say(told, format!("{text} (settlement {}, job {})", e.settlement, e.job));
                self.over = true;
            }
            Event::Transfer(e) => {
                let place = |account: LedgerAccount| match account.owner() {
                    Ok(account) => account.to_string(),
                    Err(Some(HouseAccount::Escrow)) => "escrow".into(),
                    Err(Some(HouseAccount::House)) => "the house".into(),
                    Err(_) => account.to_string(),
                };
                let (from, to) = (place(e.from), place(e.to));
                let text = format!("{} {} go from {from} to {to}", e.amount, currency(e.currency));
                self.own.push(Line { rank: 2, ..Self::line(told, text) });
            }
            other => self.say(told, describe::event_words(other)),
        }
    }

    fn covers(&self, level: u8, id: u64) -> bool {
        match Level::from_code(level) {
            Some(Level::Engine) => true,
            Some(Level::Feed) => id == u64::from(self.feed.0),
            Some(Level::Fixture) => self.fixture != FixtureId::NONE && id == self.fixture.raw(),
            Some(Level::Market) => id == self.about.market.raw(),
            None => false,
        }
    }

    fn suspension(
        &self,
        told: &Told<'_>,
        verb: &str,
        level: u8,
        id: u64,
        owner: u8,
        held: u8,
    ) -> String {
        let who = self.names.actor(told.header.account);
        let what = match Level::from_code(level) {
            Some(Level::Engine) | None => "everything".into(),
            Some(Level::Feed) => format!("all markets of {}", self.names.feed(FeedId(id as u16))),
            Some(Level::Fixture) => {
                format!("all markets on {}", self.names.fixture(FixtureId::from_raw(id)))
            }
            Some(Level::Market) => self.names.market(MarketId::from_raw(id)),
        };
        let owner = Owner::from_code(owner);
        let owner = owner.map_or("somebody".into(), |owner| owner.to_string().to_lowercase());
        format!("{who} {verb} {what} for the {owner}; held by {}", owners(held))
    }

    fn life(self) -> Life {
        let About { account, market, selection, at, .. } = self.about;
        let customer = match self.reference {
            Some(reference) => format!("{account} (customer {reference})"),
            None => account.to_string(),
        };
        let title = format!(
            "{}: {customer} on {} in {}",
            self.bet,
            self.names.selection(market, selection),
            self.names.market(market)
        );
        let left_out = self.prices.left_out + self.levels.left_out;
        let mut lines: Vec<Line> = [self.prices, self.levels]
            .into_iter()
            .flat_map(|around| around.before.into_iter().chain(around.after))
            .collect();
        lines.extend(self.own);
        // Stable: what was asked stays before what came of it.
        lines.sort_by_key(|line| (line.seq, line.rank));
        Life { bet: self.bet, title, asked_at: at, lines, left_out }
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
            lines.push(format!(
                "  left out, further away: {} of prices or levels",
                describe::counted(self.left_out, "change")
            ));
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
        json!({"bet": self.bet.to_string(), "title": self.title, "left_out": self.left_out, "lines": lines})
    }
}
