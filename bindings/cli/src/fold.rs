//! The journal read as a bookkeeper would: every bet's price, basis, money and settlement checked
//! against the records before it, by plain folding.
//!
//! It shares no code with the logic that decided: only the layouts of commands and events. Nothing
//! here knows a gate, a table or a job; what was in force is what the last record said.
//!
//! This file folds the world: feeds, levels, markets, prices. [`bets`] proves price and basis against
//! it, [`waiting`] what was decided later, [`settled`] every settlement and what was taken back,
//! [`sold`] every cash-out, [`money`] every transfer, [`answers`] what customers were told.
//! [`tickets`] counts what lines return.

mod answers;
mod bets;
#[cfg(test)]
mod book;
mod money;
mod settled;
mod sold;
#[cfg(test)]
mod tests;
mod tickets;
mod waiting;

use self::tickets::{Lines, Numbers};
use betring_core::answer::AnswerKind;
use betring_core::command::{
    Command, DefineMarket, Genesis, Level, LimitScope, Limits, ResultEntry, decode,
};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, Name, SLOT, Slot, WirePrice};
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
    Waiting: "every bet that waited was decided after its delay, or by a trader in time",
    Returns: "every return is the stake at the exact prices, rounded as its rules say",
    Ledger: "every transfer has its cause, every cause its transfers, each currency sums to zero",
    Escrow: "after every record the escrow holds the stakes of all bets that stand or wait",
    Balance: "no bet and no withdrawal takes a customer below zero, every debt is told",
    Settlement: "every bet is settled as its legs came out, and paid once what it returns",
    Reversal: "every settlement that is taken back gives back what it paid, for another reason",
    CashOut: "every cash-out is paid once, what it is worth, and its customer agreed to it",
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
    pub(crate) tickets: u64,
    pub(crate) waited: u64,
    pub(crate) rejected: u64,
    pub(crate) by_trader: u64,
    pub(crate) settled: u64,
    pub(crate) reversed: u64,
    pub(crate) paid: u64,
    pub(crate) sold: u64,
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
    /// Of a withdrawal that reduces winnings: when it was, and by which price.
    deducts: Option<(Seq, WirePrice)>,
    result: Option<ResultEntry>,
}

struct Market {
    feed: FeedId,
    fixture: FixtureId,
    age_bound: Nanos,
    /// Its each-way terms, as it was defined.
    terms: DefineMarket,
    status: MarketStatus,
    opened_in: Epoch,
    held: Held,
    frozen: u8,
    /// How long its bets wait.
    wait: Nanos,
    version: PriceVersion,
    /// The record of its last change of version.
    changed: Seq,
    quotes: Vec<Quote>,
    /// Bets of these moments are void.
    windows: Vec<(Timestamp, Timestamp)>,
    /// Its bets.
    bets: Vec<BetId>,
    settlement: u32,
    /// The job that is at work, and the last that was announced.
    running: Option<JobId>,
    announced: JobId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Waits(PendingWhy),
    Offered,
    Open,
    Selling,
    Ended,
    Settled,
    Sold,
}

/// One leg: what was asked for, what it is bound to, what became of it.
#[derive(Clone, Copy)]
struct Leg {
    market: MarketId,
    selection: SelectionIndex,
    asked: (WirePrice, PriceVersion),
    price: WirePrice,
    version: PriceVersion,
    age: Nanos,
    feed: FeedId,
    places: u8,
    part: Option<(u8, u8)>,
    settles_at: WirePrice,
    numbers: Option<Numbers>,
    /// At which price it is being bought back, in this record.
    now: Option<WirePrice>,
}

/// What a customer agreed to, of a bet or of a cash-out.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Agreed {
    policy: u8,
    slippage: u16,
}

/// What was asked for when a bet is being sold.
#[derive(Clone, Copy)]
struct Ask {
    take: Minor,
    accept: Minor,
    agreed: Agreed,
    auto: bool,
    seq: Seq,
    until: Timestamp,
}

#[derive(Clone)]
struct Bet {
    account: AccountId,
    currency: u16,
    bonus: bool,
    single: bool,
    lines: Lines,
    legs: Vec<Leg>,
    stake: Minor,
    floor: u64,
    agreed: Agreed,
    /// The most that it pays, if its rules pay a cap.
    cap: Option<i128>,
    ruleset: u32,
    at: Timestamp,
    seq: Seq,
    key: RequestKey,
    until: Timestamp,
    by_trader: bool,
    life: Life,
    cancelled: bool,
    /// The settlement in force: how it came out and what it paid; and how many there were.
    posted: Option<(BetOutcome, Minor)>,
    settlements: u32,
    ask: Option<Ask>,
    auto: Minor,
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
    rules: Vec<Ruleset>,
    /// By market (none: every market) and currency.
    limits: HashMap<(u64, u16), Limits>,
    /// Who froze cash-outs: of the engine, of fixtures, of feeds.
    frozen: HashMap<(u8, u64), u8>,
    /// Settlements that this record takes back.
    reversed: Vec<(BetId, (BetOutcome, Minor))>,
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
            rules: Vec::new(),
            limits: HashMap::new(),
            frozen: HashMap::new(),
            reversed: Vec::new(),
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
        let mut rest = &events[..];
        while let Some((event, behind)) = rest.split_first() {
            // The legs of a bet are told behind it, and taken with it.
            let legs = self.event(&header, &command, event, behind, &mut due);
            rest = &behind[legs..];
        }
        self.reversals();
        self.answers(&command, &events);
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
            Command::Adjust(body) if done => {
                due.extend(self.adjusted(body.account, body.amount, body.bet));
            }
            Command::GrantBonus(body) if done => {
                due.extend(self.granted(body.account, body.amount));
            }
            Command::Genesis(genesis) => {
                self.genesis = Some(*genesis);
                // The first set of rules is the usual, as far as the journal's birth says nothing else.
                let name = Name::new("genesis").expect("a name");
                self.rules = vec![Ruleset {
                    rounding: genesis.rounding,
                    price_failure: genesis.price_failure,
                    offer_ttl: genesis.offer_ttl,
                    ..Ruleset::standard(name)
                }];
            }
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
        behind: &[Event],
        due: &mut Vec<Transfer>,
    ) -> usize {
        match event {
            Event::BetOffered(_) => return self.offered(header, command, event, behind, due),
            Event::TicketOpened(bet) => {
                let legs = usize::from(bet.legs);
                self.ticket_opened(header, command, bet, behind, due);
                return legs.min(behind.len());
            }
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
                let Some(feed) = self.hear(change.feed, header) else { return 0 };
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
                let terms = match command {
                    Command::DefineMarket(body, _) => *body,
                    _ => DefineMarket { winners: market.winners, ..DefineMarket::default() },
                };
                let quotes = vec![Quote::default(); usize::from(market.selections)];
                let fold = Market {
                    feed,
                    fixture,
                    age_bound,
                    terms,
                    status: MarketStatus::Defined,
                    opened_in: Epoch(0),
                    held: Held::default(),
                    frozen: 0,
                    wait: Nanos::ZERO,
                    version: PriceVersion(0),
                    changed: Seq(0),
                    quotes,
                    windows: Vec::new(),
                    bets: Vec::new(),
                    settlement: 0,
                    running: None,
                    announced: JobId(0),
                };
                self.markets.insert(market.market.raw(), fold);
            }
            Event::MarketChanged(change) => {
                let (epoch, seq) = (self.epoch, self.seq);
                if let Some(market) = self.markets.get_mut(&change.market.raw())
                    && let Some(status) = MarketStatus::from_code(change.status)
                {
                    market.status = status;
                    if status == MarketStatus::Archived {
                        // What became of its bets is known for good.
                        market.bets = Vec::new();
                    }
                    match status {
                        MarketStatus::Open => market.opened_in = epoch,
                        // What was offered before can no longer be taken, opened again or not.
                        _ => market.held.last = seq,
                    }
                }
            }
            Event::SelectionChanged(change) => {
                let seq = self.seq;
                if let Some(quote) = self.quote(change.market, change.selection) {
                    quote.withdrawn = change.withdrawn != 0;
                    quote.deducts = (change.deducts != 0).then_some((seq, change.price));
                }
                if let Some(market) = self.markets.get_mut(&change.market.raw()) {
                    market.held.last = seq;
                }
            }
            Event::PriceSet(price) => self.price_set(header, command, price),
            Event::BetOpened(bet) => self.opened(header, command, bet, due),
            Event::OfferEnded(end) => self.ended(end.bet, Life::Offered, Rule::Offer, due),
            Event::BetPending(bet) => self.waits(header, command, bet, due),
            Event::BetRejected(bet) => self.rejected(command, bet, due),
            Event::ResultRecorded(result) => {
                if let Some(market) = self.markets.get_mut(&result.market.raw()) {
                    market.settlement = result.settlement;
                    market.announced = result.job;
                    if let Command::MarketResult(_, entries) = command {
                        for entry in entries.iter() {
                            let at = usize::from(entry.selection.0);
                            if let Some(quote) = market.quotes.get_mut(at) {
                                quote.result = Some(entry);
                            }
                        }
                    }
                }
            }
            Event::ResultRolledBack(result) => {
                if let Some(market) = self.markets.get_mut(&result.market.raw()) {
                    market.settlement = result.settlement;
                    market.announced = result.job;
                    market.quotes.iter_mut().for_each(|quote| quote.result = None);
                }
            }
            Event::WindowChanged(window) => {
                let seq = self.seq;
                if let Some(market) = self.markets.get_mut(&window.market.raw()) {
                    market.announced = window.job;
                    let span = (window.from, window.until);
                    market.windows.retain(|known| *known != span);
                    if window.cancelled == 1 {
                        market.windows.push(span);
                        market.held.last = seq;
                    }
                }
            }
            Event::BetSettled(settled) => self.settled(settled, due),
            Event::BetReversed(reversed) => self.reversed(reversed, due),
            Event::LegDecided(leg) => self.leg_decided(leg),
            Event::BetCancelled(cancel) => {
                let asked = matches!(command, Command::CancelBet(body) if body.bet == cancel.bet);
                self.must(Rule::Settlement, asked, || format!("nobody voids {}", cancel.bet));
                if let Some(bet) = self.bets.get_mut(&cancel.bet.raw()) {
                    bet.cancelled = cancel.cancelled == 1;
                }
            }
            Event::PriceCorrected(correction) => self.corrected(command, correction),
            Event::JobStarted(job) => {
                if let Some(market) = self.markets.get_mut(&job.market.raw()) {
                    market.running = Some(job.job);
                }
            }
            Event::JobEnded(job) => self.job_ended(job),
            Event::CashOutPending(sale) => self.sale_waits(header, command, sale),
            Event::CashOutFailed(sale) => self.sale_failed(sale),
            Event::CashOutLeg(leg) => self.bought_back_at(leg),
            Event::BetCashedOut(sale) => self.sold(header, command, sale, due),
            Event::AutoCashOutSet(auto) => {
                if let Some(bet) = self.bets.get_mut(&auto.bet.raw()) {
                    bet.auto = auto.value;
                }
            }
            Event::CashOutFrozen(CashOutFrozen { id, level, owners, .. }) => {
                match (Level::from_code(*level), self.markets.get_mut(id)) {
                    (Some(Level::Market), Some(market)) => market.frozen = *owners,
                    _ => drop(self.frozen.insert((*level, *id), *owners)),
                }
            }
            Event::InPlayChanged(play) => {
                if let Some(market) = self.markets.get_mut(&play.market.raw()) {
                    market.wait = play.delay;
                }
            }
            Event::RulesPublished(_) => {
                if let Command::PublishRules(_, sets) = command {
                    self.rules.extend(sets.iter());
                }
            }
            Event::LimitsChanged(_) => {
                if let Command::SetLimits(body) = command {
                    let currency = body.scope == LimitScope::Currency as u8;
                    let market = if currency { 0 } else { body.market.raw() };
                    self.limits.insert((market, body.currency), body.limits);
                }
            }
            Event::AccountOpened(account) => {
                for ledger in [
                    LedgerAccount::customer(account.account),
                    LedgerAccount::bonus(account.account),
                ] {
                    self.balances.entry(ledger.0).or_insert((account.currency, 0));
                }
            }
            Event::LegBound(leg) => {
                self.broken(Rule::Layout, || format!("a leg of {} without its ticket", leg.bet));
            }
            // Kept as evidence, proved by replay: they take part in no price and no money.
            Event::Answered(_) | Event::Transfer(_) | Event::AccountChanged(_) => (),
            Event::Named(_) | Event::KeysForgotten(_) | Event::ResultNoted(_) => (),
            Event::QuarantineChanged(_) | Event::EventHash(_) | Event::DebtChanged(_) => (),
        }
        0
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
