//! The journal read as a bookkeeper would: every bet's price, basis, money and settlement checked
//! against the records before it, by plain folding.
//!
//! It shares no code with the logic that decided: only the layouts of commands and events. Nothing
//! here knows a gate, a table or a job; what was in force is what the last record said.
//!
//! This file folds the world: feeds, levels, markets, prices. [`bets`] proves price and basis against
//! it, [`money`] every transfer and settlement, [`answers`] what customers were told.

mod answers;
mod bets;
mod money;
#[cfg(test)]
mod tests;

use betring_core::answer::AnswerKind;
use betring_core::command::{Command, Genesis, Level, SelectionOutcome, decode};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, SLOT, Slot, WirePrice};
use std::collections::HashMap;
use zerocopy::FromBytes;

macro_rules! rules {
    ($($name:ident: $sentence:literal,)*) => {
        /// What is proved. The order is that of the report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Rule { $($name,)* }

        impl Rule {
            pub(crate) const ALL: &'static [Rule] = &[$(Rule::$name,)*];

            /// The rule as a sentence.
            pub(crate) fn sentence(self) -> &'static str {
                match self { $(Rule::$name => $sentence,)* }
            }

            /// The rule as machines read it.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Rule::$name => stringify!($name),)* }
            }
        }
    };
}

rules! {
    Order: "records follow each other without a gap, time never goes back",
    Layout: "every record is a command and its events, read to the last byte",
    Answers: "every key has one answer, and it says what the record did",
    Prices: "every price in force stands in a command of its feed or of a person",
    Price: "every bet has the price and the version in force",
    Age: "every bet's price was confirmed within the bound of its market",
    Feed: "every bet's feed was up and not silent",
    Status: "every bet's market was open, its selection running, no level suspended",
    Policy: "every bet's price is one that its customer agreed to",
    Offer: "every offer was taken in time, as it was made, nothing suspended since",
    Returns: "every return is the stake at the exact price, rounded as the journal says",
    Ledger: "every transfer has its cause, every cause its transfers, each currency sums to zero",
    Escrow: "after every record the escrow holds the stakes of open and offered bets",
    Balance: "after every record no customer is below zero",
    Settlement: "every bet is settled once, as its selection came out, and paid what it returns",
}

/// A record of the journal, as the fold sees it.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
    pub(crate) kind: u16,
    /// The command's slots, then the events.
    pub(crate) payload: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The command's bytes and the events' bytes.
    pub(crate) fn parts(&self) -> Option<(&'a [u8], &'a [u8])> {
        let slot = Slot::read_from_prefix(self.payload).ok()?.0;
        let bytes = slot.slots() * SLOT;
        (SLOT <= bytes && bytes <= self.payload.len()).then(|| self.payload.split_at(bytes))
    }
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) seq: Seq,
    pub(crate) rule: Rule,
    pub(crate) text: String,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
    pub(crate) records: u64,
    pub(crate) accepted: u64,
    pub(crate) in_force: u64,
    pub(crate) from_offer: u64,
    pub(crate) offered: u64,
    pub(crate) settled: u64,
    pub(crate) paid: u64,
    pub(crate) keys: u64,
    pub(crate) transfers: u64,
    pub(crate) prices: u64,
    pub(crate) suspensions: u64,
    pub(crate) epochs: u64,
}

/// Findings kept word by word; the others are counted.
pub(crate) const FINDINGS_MAX: usize = 100;

/// A level that can be suspended: who holds it, and since when offers before it are dead.
#[derive(Clone, Copy, Default)]
struct Held {
    owners: u8,
    last: Seq,
}

struct Feed {
    up: bool,
    generation: u32,
    heard: Timestamp,
    heartbeat: Timestamp,
    silence_bound: Nanos,
    delay_bound: Nanos,
    held: Held,
}

impl Feed {
    fn new(silence_bound: Nanos, delay_bound: Nanos) -> Feed {
        let never = Timestamp::MIN;
        Feed {
            up: false,
            generation: 1,
            heard: never,
            heartbeat: never,
            silence_bound,
            delay_bound,
            held: Held::default(),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Quote {
    price: WirePrice,
    version: PriceVersion,
    received: Timestamp,
    as_of: Timestamp,
    delay: Nanos,
    generation: u32,
    withdrawn: bool,
    outcome: Option<SelectionOutcome>,
}

struct Market {
    feed: FeedId,
    fixture: FixtureId,
    age_bound: Nanos,
    status: MarketStatus,
    opened_in: Epoch,
    held: Held,
    version: PriceVersion,
    /// The record of its last change of version.
    changed: Seq,
    quotes: Vec<Quote>,
    unsettled: u64,
    settlement: u32,
    job: JobId,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Offered,
    Open,
    Ended,
    Settled(u32),
}

struct Bet {
    account: AccountId,
    market: MarketId,
    selection: SelectionIndex,
    currency: u16,
    stake: Minor,
    returns: Minor,
    price: WirePrice,
    version: PriceVersion,
    price_age: Nanos,
    asked: (WirePrice, PriceVersion, u8, u16),
    at: Timestamp,
    seq: Seq,
    until: Timestamp,
    life: Life,
}

/// Everything the records have said so far, and what of it does not hold.
pub(crate) struct Fold {
    genesis: Option<Genesis>,
    rules_id: u64,
    epoch: Epoch,
    seq: Seq,
    at: Timestamp,
    engine: Held,
    fixtures: HashMap<u64, Held>,
    feeds: HashMap<u16, Feed>,
    markets: HashMap<u64, Market>,
    bets: HashMap<u64, Bet>,
    balances: HashMap<u64, (u16, i128)>,
    stakes: HashMap<u16, i128>,
    /// By account and key: where it was answered, and until when it could execute.
    keys: HashMap<(u64, u128), (Seq, Timestamp)>,
    pub(crate) counts: Counts,
    pub(crate) findings: Vec<Finding>,
    pub(crate) broken: [u64; Rule::ALL.len()],
}

impl Fold {
    pub(crate) fn new() -> Fold {
        let manual = Feed { up: true, ..Feed::new(Nanos(i64::MAX), Nanos::ZERO) };
        Fold {
            genesis: None,
            rules_id: 0,
            epoch: Epoch(0),
            seq: Seq(0),
            at: Timestamp::MIN,
            engine: Held::default(),
            fixtures: HashMap::new(),
            feeds: HashMap::from([(FeedId::MANUAL.0, manual)]),
            markets: HashMap::new(),
            bets: HashMap::new(),
            balances: HashMap::new(),
            stakes: HashMap::new(),
            keys: HashMap::new(),
            counts: Counts::default(),
            findings: Vec::new(),
            broken: [0; Rule::ALL.len()],
        }
    }

    fn broken(&mut self, rule: Rule, text: impl FnOnce() -> String) {
        self.broken[rule as usize] += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { seq: self.seq, rule, text: text() });
        }
    }

    fn must(&mut self, rule: Rule, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.broken(rule, text);
        }
    }

    /// Takes the next record.
    pub(crate) fn take(&mut self, entry: Entry<'_>) {
        let (seq, at) = (self.seq.next(), self.at);
        self.seq = entry.seq;
        self.must(Rule::Order, entry.seq == seq, || format!("this record should be {seq}"));
        self.must(Rule::Order, at <= entry.at, || format!("its time is before {at}"));
        self.at = self.at.max(entry.at);
        self.counts.records += 1;

        let Some((bytes, events)) = entry.parts() else {
            return self.broken(Rule::Layout, || "the record is shorter than its command".into());
        };
        let (header, command) = match decode(bytes) {
            Ok(read) => read,
            Err(what) => return self.broken(Rule::Layout, || format!("not a command: {what}")),
        };
        self.must(Rule::Layout, entry.kind == u16::from(header.kind), || {
            format!("the record says kind {}, its command kind {}", entry.kind, header.kind)
        });
        let events = match EventReader::new(events).collect::<Result<Vec<Event>, _>>() {
            Ok(events) => events,
            Err(what) => return self.broken(Rule::Layout, || what.to_string()),
        };
        let mut due = Vec::new();
        self.command(&header, &command, &events, &mut due);
        for event in &events {
            self.event(&header, &command, event, &mut due);
        }
        self.answers(&events);
        self.money(&events, due);
    }

    /// What a command says by itself, whatever came of it.
    fn command(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        events: &[Event],
        due: &mut Vec<Transfer>,
    ) {
        let done = events.iter().any(
            |event| matches!(event, Event::Answered(a) if a.answer.kind() == AnswerKind::Done),
        );
        match command {
            Command::Deposit(body) if done => {
                due.extend(self.across(header.account, body.amount, TransferWhy::Deposit));
            }
            Command::Withdraw(body) if done => {
                due.extend(self.across(header.account, body.amount, TransferWhy::Withdraw));
            }
            Command::Genesis(genesis) => self.genesis = Some(*genesis),
            Command::EpochOpened(run) => self.rules_id = run.rules_id,
            Command::DefineFeed(body, _) => {
                for event in events {
                    if let Event::Named(named) = event {
                        let feed = Feed::new(body.silence_bound, body.delay_bound);
                        self.feeds.entry(named.id as u16).or_insert(feed);
                    }
                }
            }
            _ => (),
        }
    }

    /// When a message was received; never after its stamp.
    fn received(&self, header: &Header) -> Timestamp {
        if header.received.0 == 0 { self.at } else { header.received.min(self.at) }
    }

    /// A message of a feed left an event: the feed was heard. One that came late leaves none.
    fn hear(&mut self, feed: FeedId, header: &Header) -> Option<&mut Feed> {
        let received = self.received(header);
        let feed = self.feeds.get_mut(&feed.0)?;
        feed.heard = feed.heard.max(received);
        Some(feed)
    }

    fn event(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        event: &Event,
        due: &mut Vec<Transfer>,
    ) {
        match event {
            Event::RunBegan(run) => {
                self.counts.epochs += 1;
                self.epoch = run.epoch;
                // No offer outlives the run that made it.
                self.engine.last = self.seq;
                for (id, feed) in &mut self.feeds {
                    if *id != FeedId::MANUAL.0 {
                        // Every feed has to recover: what was missed meanwhile is not known.
                        feed.up = false;
                        feed.generation += 1;
                        feed.heartbeat = Timestamp::MIN;
                        feed.held.last = self.seq;
                    }
                }
            }
            Event::LevelSuspended(LevelSuspended { id, level, owners, .. }) => {
                self.counts.suspensions += 1;
                let seq = self.seq;
                if let Some(held) = self.level(*level, *id) {
                    *held = Held { owners: *owners, last: seq };
                }
            }
            Event::LevelReleased(LevelReleased { id, level, owners, .. }) => {
                if let Some(held) = self.level(*level, *id) {
                    held.owners = *owners;
                }
            }
            Event::FeedChanged(change) => {
                let (seq, received) = (self.seq, self.received(header));
                let Some(feed) = self.hear(change.feed, header) else { return };
                feed.up = change.status == FeedStatus::Up as u8;
                feed.generation = change.generation;
                if feed.up {
                    feed.heartbeat = feed.heartbeat.max(received);
                } else {
                    feed.heartbeat = Timestamp::MIN;
                    feed.held.last = seq;
                }
            }
            Event::FeedHeard(heard) => {
                if let Some(feed) = self.hear(heard.feed, header)
                    && feed.generation == heard.generation
                {
                    feed.heartbeat = feed.heartbeat.max(heard.heard);
                }
            }
            Event::MarketDefined(market) => {
                let MarketDefined { feed, fixture, age_bound, .. } = *market;
                let quotes = vec![Quote::default(); usize::from(market.selections)];
                let fold = Market {
                    feed,
                    fixture,
                    age_bound,
                    status: MarketStatus::Defined,
                    opened_in: Epoch(0),
                    held: Held::default(),
                    version: PriceVersion(0),
                    changed: Seq(0),
                    quotes,
                    unsettled: 0,
                    settlement: 0,
                    job: JobId(0),
                };
                self.markets.insert(market.market.raw(), fold);
            }
            Event::MarketChanged(change) => {
                let (epoch, seq) = (self.epoch, self.seq);
                if let Some(market) = self.markets.get_mut(&change.market.raw())
                    && let Some(status) = MarketStatus::from_code(change.status)
                {
                    market.status = status;
                    match status {
                        MarketStatus::Open => market.opened_in = epoch,
                        // What was offered before can no longer be taken, opened again or not.
                        _ => market.held.last = seq,
                    }
                }
            }
            Event::SelectionChanged(change) => {
                if let Some(quote) = self.quote(change.market, change.selection) {
                    quote.withdrawn = change.withdrawn != 0;
                }
                let seq = self.seq;
                if let Some(market) = self.markets.get_mut(&change.market.raw()) {
                    market.held.last = seq;
                }
            }
            Event::PriceSet(price) => self.price_set(header, command, price),
            Event::BetOpened(bet) => self.opened(header, command, bet, due),
            Event::BetOffered(bet) => self.offered(header, command, bet, due),
            Event::OfferEnded(end) => {
                match self.bets.get_mut(&end.bet.raw()) {
                    Some(bet) if bet.life == Life::Offered => bet.life = Life::Ended,
                    _ => {
                        let id = end.bet;
                        return self.broken(Rule::Offer, || format!("the offer {id} is not there"));
                    }
                }
                due.extend(self.transfer(end.bet, TransferWhy::Return));
                self.stake_leaves(end.bet);
            }
            Event::ResultRecorded(result) => {
                if let Some(market) = self.markets.get_mut(&result.market.raw()) {
                    market.settlement = result.settlement;
                    market.job = result.job;
                    if let Command::MarketResult(_, entries) = command {
                        for entry in entries.iter() {
                            if let Some(quote) =
                                market.quotes.get_mut(usize::from(entry.selection.0))
                            {
                                quote.outcome = Some(entry.outcome());
                            }
                        }
                    }
                }
            }
            Event::BetSettled(settled) => self.settled(settled, due),
            Event::JobEnded(job) if job.kind == JobKind::Settle as u8 => {
                let left = self.markets.get(&job.market.raw()).map_or(0, |m| m.unsettled);
                self.must(Rule::Settlement, left == 0, || {
                    format!("{} ended with {left} bets of {} unsettled", job.job, job.market)
                });
            }
            Event::AccountOpened(account) => {
                let ledger = LedgerAccount::customer(account.account).0;
                self.balances.entry(ledger).or_insert((account.currency, 0));
            }
            // Kept as evidence, proved by replay: they take part in no price and no money.
            Event::Answered(_) | Event::Transfer(_) | Event::AccountChanged(_) => (),
            Event::JobStarted(_) | Event::JobEnded(_) | Event::Named(_) => (),
            Event::LimitsChanged(_) | Event::KeysForgotten(_) => (),
            Event::QuarantineChanged(_) | Event::EventHash(_) => (),
        }
    }

    fn level(&mut self, level: u8, id: u64) -> Option<&mut Held> {
        match Level::from_code(level)? {
            Level::Engine => Some(&mut self.engine),
            Level::Feed => self.feeds.get_mut(&(id as u16)).map(|feed| &mut feed.held),
            Level::Fixture => Some(self.fixtures.entry(id).or_default()),
            Level::Market => self.markets.get_mut(&id).map(|market| &mut market.held),
        }
    }

    fn quote(&mut self, market: MarketId, selection: SelectionIndex) -> Option<&mut Quote> {
        self.markets.get_mut(&market.raw())?.quotes.get_mut(usize::from(selection.0))
    }

    fn price_set(&mut self, header: &Header, command: &Command<'_>, set: &PriceSet) {
        self.counts.prices += 1;
        let (seq, received) = (self.seq, self.received(header));
        self.hear(set.feed, header);
        let name = || format!("{} {}", set.market, set.selection);
        // The price has to stand in the command, for this market and selection, from its feed.
        let said = match command {
            Command::SetPrices(body, entries) => {
                (body.market, body.feed) == (set.market, set.feed)
                    && body.as_of.min(received) == set.as_of
                    && received == set.received
                    && entries.iter().any(|e| (e.selection, e.price) == (set.selection, set.price))
            }
            _ => false,
        };
        self.must(Rule::Prices, said, || format!("no command sets {} to {}", name(), set.price));
        let generation = self.feeds.get(&set.feed.0).map(|feed| feed.generation);
        let Some(market) = self.markets.get_mut(&set.market.raw()) else {
            return self.broken(Rule::Prices, || format!("{} has a price and is unknown", name()));
        };
        let known = (Some(set.feed), Some(set.generation)) == (Some(market.feed), generation);
        let Some(quote) = market.quotes.get_mut(usize::from(set.selection.0)) else {
            return self.broken(Rule::Prices, || format!("{} has a price and is unknown", name()));
        };
        // Whatever changes in one record has the market's next version; what does not keeps its own.
        let version = if quote.price == set.price {
            quote.version
        } else {
            if market.changed != seq {
                (market.changed, market.version.0) = (seq, market.version.0 + 1);
            }
            market.version
        };
        let PriceSet { price, received, as_of, delay, generation, .. } = *set;
        *quote = Quote { price, version, received, as_of, delay, generation, ..*quote };
        self.must(Rule::Prices, known, || format!("{} is not priced by this feed", name()));
        self.must(Rule::Prices, set.version == version, || {
            format!("{} is set as version {}, it is {version}", name(), set.version)
        });
    }
}
