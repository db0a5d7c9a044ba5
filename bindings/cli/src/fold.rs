//! The journal read as a bookkeeper would: every bet's price, basis, money and settlement checked
//! against the records before it, by plain folding.
//!
//! It shares no code with the logic that decided: only the layouts of commands and events. Nothing
//! here knows a gate, a table or a job; what was in force is what the last record said.
//!
//! This file folds what happens into the [`world`]: feeds, levels, markets; [`prices`] every price of
//! them. [`bets`] proves price and basis against it, [`waiting`] what was decided later, [`holds`] what
//! an external wallet confirmed, [`customer`] what an account may, [`settled`] every settlement and what
//! was taken back, [`sold`] every cash-out, [`money`] every transfer, [`answers`] what customers were
//! told. [`tickets`] counts what lines return. [`exchange`] is all of that for exchange markets.

mod answers;
mod bets;
#[cfg(test)]
mod book;
mod customer;
mod exchange;
mod holds;
mod money;
mod prices;
mod settled;
mod sold;
#[cfg(test)]
mod tests;
mod tickets;
mod waiting;
mod world;

use self::customer::Customer;
use self::exchange::Exchange;
use self::holds::Hold;
use self::tickets::{Lines, Numbers};
use self::world::{Feed, Group, Held, Market, Selection};
use betring_core::answer::AnswerKind;
use betring_core::command::{
    Command, DefineMarket, Genesis, Level, LimitScope, Limits, SetTier, decode,
};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, Name, WirePrice, record_parts};
use std::collections::HashMap;

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
    Prices: "every price in force stands in a command of its feed or of a person, shortened as its tier says; a model's of a fixture all at once",
    Band: "no price that leaps out of its tier's band is in force unless the other feed or a trader says so, too",
    Price: "every bet has the price and the version in force",
    Age: "every bet's price was confirmed within the bounds of its market and its tier",
    Feed: "every bet's feed drove its market, was up and not silent, and of the version that is expected",
    Drift: "no bet was made while primary and backup were too far apart for too long",
    Status: "every bet's market was open, its selection running, no level suspended",
    Policy: "every bet's price is one that its customer agreed to",
    Offer: "every offer was taken in time, as it was made, nothing suspended since",
    Waiting: "every bet that waited was decided after its delay, or by a trader in time",
    Wallet: "every stake of an external wallet was held whole and in time, and nothing of it stays here",
    Stake: "no stake is above the largest, whatever scales that",
    Customer: "no stake and no deposit passes its account's own limits, none is of a blocked or excluded account",
    Probes: "probes bet as probes, only they bet on canaries, their money meets no other",
    Returns: "every return is the stake at the exact prices, rounded as its rules say",
    Ledger: "every transfer has its cause, every cause its transfers, each currency sums to zero",
    Escrow: "after every record the escrow holds the stakes of all bets that stand or wait",
    Balance: "no bet and no withdrawal takes a customer below zero, every debt is told",
    Settlement: "every bet is settled as its legs came out, and paid once what it returns",
    Reversal: "every settlement that is taken back gives back what it paid, for another reason",
    CashOut: "every cash-out is paid once, what it is worth, and its customer agreed to it",
    Orders: "every order is one that was asked for, matched at its limit or better, and never for more than its size",
    Matches: "every match has two sides, and whoever wins, the house loses nothing between selections",
    Starting: "at a starting price as much is backed as laid, all of it at the price that was told",
    Exposure: "what an account may lose in an exchange market is in escrow, no more and no less",
    Positions: "every position is settled as its orders came out, less its commission, and the rest is the house's",
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
        record_parts(self.payload)
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
    pub(crate) held: u64,
    pub(crate) settled: u64,
    pub(crate) reversed: u64,
    pub(crate) paid: u64,
    pub(crate) sold: u64,
    pub(crate) keys: u64,
    pub(crate) transfers: u64,
    pub(crate) prices: u64,
    pub(crate) suspensions: u64,
    pub(crate) epochs: u64,
    /// Bets of probes: no number of bets above counts them.
    pub(crate) synthetic: u64,
    pub(crate) orders: u64,
    pub(crate) matches: u64,
    pub(crate) crossed: u64,
    pub(crate) cut: u64,
    pub(crate) positions: u64,
}

/// Findings kept word by word; the others are counted.
pub(crate) const FINDINGS_MAX: usize = 100;

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
    /// A probe's.
    synthetic: bool,
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
    /// What an external wallet was asked for.
    hold: Option<Hold>,
    cancelled: bool,
    /// The settlement in force: how it came out and what it paid; and how many there were.
    posted: Option<(BetOutcome, Minor)>,
    settlements: u32,
    /// When its stake counted for its account's own limits, if it did.
    staked: Option<Timestamp>,
    /// When what it brought counted there last.
    brought: Option<Timestamp>,
    /// The last record that took back a void of it.
    unvoided: Seq,
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
    groups: HashMap<u16, Group>,
    tiers: HashMap<u8, SetTier>,
    markets: HashMap<u64, Market>,
    bets: HashMap<u64, Bet>,
    rules: Vec<Ruleset>,
    /// By market (none: every market) and currency.
    limits: HashMap<(u64, u16), Limits>,
    /// By scope and what it is.
    factors: HashMap<(u8, u64), u32>,
    /// Who froze cash-outs: of the engine, of fixtures, of feeds, of groups.
    frozen: HashMap<(u8, u64), u8>,
    /// Settlements that this record takes back.
    reversed: Vec<(BetId, (BetOutcome, Minor))>,
    /// Markets whose feeds this record brought too far apart, or back, and has not told yet.
    drifted: Vec<DriftChanged>,
    customers: HashMap<u64, Customer>,
    balances: HashMap<u64, (u16, i128)>,
    stakes: HashMap<u16, i128>,
    exchange: Exchange,
    /// By account and key: where it was answered, and until when it could execute.
    keys: HashMap<(u64, u128), (Seq, Timestamp)>,
    pub(crate) counts: Counts,
    pub(crate) findings: Vec<Finding>,
    pub(crate) broken: [u64; Rule::ALL.len()],
}

impl Fold {
    pub(crate) fn new() -> Fold {
        Fold {
            genesis: None,
            rules_id: 0,
            epoch: Epoch(0),
            seq: Seq(0),
            at: Timestamp::MIN,
            engine: Held::default(),
            fixtures: HashMap::new(),
            feeds: HashMap::from([(FeedId::MANUAL.0, Feed::manual())]),
            groups: HashMap::new(),
            tiers: HashMap::new(),
            markets: HashMap::new(),
            bets: HashMap::new(),
            rules: Vec::new(),
            limits: HashMap::new(),
            factors: HashMap::new(),
            frozen: HashMap::new(),
            reversed: Vec::new(),
            drifted: Vec::new(),
            customers: HashMap::new(),
            balances: HashMap::new(),
            stakes: HashMap::new(),
            exchange: Exchange::default(),
            keys: HashMap::new(),
            counts: Counts::default(),
            findings: Vec::new(),
            broken: [0; Rule::ALL.len()],
        }
    }

    /// Counts what is not a probe's.
    fn count(&mut self, synthetic: bool, count: impl FnOnce(&mut Counts)) {
        if !synthetic {
            count(&mut self.counts);
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
        self.heard(&header, &command, &events);
        self.command(&header, &command, &events, &mut due);
        let mut rest = &events[..];
        while let Some((event, behind)) = rest.split_first() {
            // The legs of a bet are told behind it, and taken with it.
            let legs = self.event(&header, &command, event, behind, &mut due);
            rest = &behind[legs..];
        }
        self.exchange_record(&command, &events);
        self.repriced(&command, &events);
        self.reversals();
        self.drift_told();
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
                self.pays_in(header.account, body.amount);
                due.extend(self.across(header.account, body.amount, TransferWhy::Deposit));
            }
            Command::Withdraw(body) if done => {
                due.extend(self.across(header.account, body.amount, TransferWhy::Withdraw));
            }
            Command::SetOwnLimit(body) if done => self.own_limit_asked(header.account, body),
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
                        let feed = Feed::new(body.silence_bound, body.delay_bound, body.schema);
                        self.feeds.entry(named.id as u16).or_insert(feed);
                    }
                }
            }
            Command::SetFeedSchema(body) if done => {
                if let Some(feed) = self.feeds.get_mut(&body.feed.0) {
                    feed.schema = body.schema;
                }
            }
            _ => (),
        }
    }

    /// When a message was received; never after its stamp.
    fn received(&self, header: &Header) -> Timestamp {
        if header.received.0 == 0 { self.at } else { header.received.min(self.at) }
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
                        // A start looks into no quarantine.
                        if feed.status != FeedStatus::Quarantined {
                            feed.status = FeedStatus::Recovering;
                        }
                        feed.number = 0;
                        feed.goes_down(feed.generation + 1, self.seq);
                    }
                }
            }
            Event::LevelSuspended(LevelSuspended { id, level, owners, selection, .. }) => {
                self.counts.suspensions += 1;
                let seq = self.seq;
                if let Some(held) = self.level(*level, *id, *selection) {
                    held.set(*owners, seq);
                    held.last = seq;
                }
            }
            Event::LevelReleased(LevelReleased { id, level, owners, selection, .. }) => {
                let seq = self.seq;
                if let Some(held) = self.level(*level, *id, *selection) {
                    held.set(*owners, seq);
                }
            }
            Event::FeedChanged(change) => self.feed_changed(header, command, change),
            Event::GroupDefined(group) => {
                let feeds = [group.primary, group.backup];
                let group_of = Group { feeds, drives: 0, held: Held::default() };
                self.groups.insert(group.group.0, group_of);
            }
            Event::FeedSwitched(switch) => self.feed_switched(command, switch),
            Event::TierSet(tier) => match command {
                Command::SetTier(body) if body.tier == tier.tier => {
                    self.tiers.insert(tier.tier, *body);
                }
                _ => self.broken(Rule::Prices, || format!("nobody sets tier {}", tier.tier)),
            },
            Event::TierAssigned(assigned) => {
                if let Some(market) = self.markets.get_mut(&assigned.market.raw()) {
                    market.tier = assigned.tier;
                    for index in 0..market.selections.len() as u16 {
                        self.compare(assigned.market, SelectionIndex(index));
                    }
                }
            }
            Event::PricePinned(pin) => self.pinned(command, pin),
            Event::PriceStepped(step) => self.stepped(step),
            Event::DriftChanged(change) => self.drift_changed(change),
            Event::StakeFactorChanged(factor) => {
                self.factors.insert((factor.scope, factor.id), factor.percent);
            }
            Event::AccountLimitChanged(limit) => self.own_limit(header, command, limit),
            Event::AccountExcluded(excluded) => self.excluded(header, command, excluded),
            Event::AccountChanged(change) => {
                self.customers.entry(change.account.raw()).or_default().blocked =
                    change.blocked == 1;
            }
            Event::HoldRequested(hold) => self.hold_requested(command, hold),
            Event::HoldConfirmed(hold) => self.hold_confirmed(command, hold, due),
            Event::HoldEnded(hold) => self.hold_ended(hold),
            Event::FeedHeard(heard) => {
                if let Some(feed) = self.feeds.get_mut(&heard.feed.0)
                    && feed.generation == heard.generation
                {
                    feed.heartbeat = feed.heartbeat.max(heard.heard);
                }
            }
            Event::MarketDefined(market) => {
                let MarketDefined { feed, fixture, age_bound, group, tier, canary, .. } = *market;
                let terms = match command {
                    Command::DefineMarket(body, _) => *body,
                    _ => DefineMarket { winners: market.winners, ..DefineMarket::default() },
                };
                let selections = vec![Selection::default(); usize::from(market.selections)];
                let fold = Market {
                    feed,
                    group,
                    tier,
                    canary: canary == 1,
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
                    selections,
                    apart_since: None,
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
                    let priced = world::is_priced(market.status);
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
                    // With a result its prices are not compared any more, without it they are again.
                    if priced != world::is_priced(status) {
                        for at in 0..market.selections.len() {
                            self.compare(change.market, SelectionIndex(at as u16));
                        }
                    }
                    if status == MarketStatus::Archived {
                        self.place_is_archived(change.market);
                    }
                }
            }
            Event::SelectionChanged(change) => {
                let seq = self.seq;
                if let Some(selection) = self.selection(change.market, change.selection) {
                    let withdrawn = change.withdrawn != 0;
                    // Said again, it happened when it was first said.
                    if selection.withdrawn != withdrawn {
                        (selection.withdrawn, selection.since) = (withdrawn, seq);
                    }
                    let since = selection.since;
                    selection.deducts = (change.deducts != 0).then_some((since, change.price));
                }
                if let Some(market) = self.markets.get_mut(&change.market.raw()) {
                    market.held.last = seq;
                }
                // What does not run is in no feed's prices any more.
                self.compare(change.market, change.selection);
                self.place_loses(command, change);
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
                            if let Some(selection) = market.selections.get_mut(at) {
                                selection.result = Some(entry);
                            }
                        }
                    }
                }
                self.place_has_result(result.market);
            }
            Event::ResultRolledBack(result) => {
                if let Some(market) = self.markets.get_mut(&result.market.raw()) {
                    market.settlement = result.settlement;
                    market.announced = result.job;
                    market.selections.iter_mut().for_each(|of| of.result = None);
                }
                self.place_has_result(result.market);
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
                self.exchange_job_started(command, job);
            }
            Event::JobEnded(job) => {
                self.exchange_job_ended(job);
                self.job_ended(job);
            }
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
                self.place_turns(play);
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
                self.customers.insert(account.account.raw(), Customer::opened(account));
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
            Event::ExchangeSet(_)
            | Event::DiscountSet(_)
            | Event::OrderPlaced(_)
            | Event::OrderBegan(_)
            | Event::OrderMatched(_)
            | Event::OrderCut(_)
            | Event::OrderChanged(_)
            | Event::ExposureHeld(_)
            | Event::StartingPrice(_)
            | Event::OrderReduced(_)
            | Event::PositionSettled(_)
            | Event::PositionReversed(_)
            | Event::ExchangeCleared(_) => self.exchange_event(header, command, event, due),
            // Kept as evidence, proved by replay: they take part in no price and no money.
            Event::Answered(_) | Event::Transfer(_) | Event::SheddingSet(_) => (),
            Event::Named(_) | Event::KeysForgotten(_) | Event::ResultNoted(_) => (),
            Event::QuarantineChanged(_) | Event::EventHash(_) | Event::DebtChanged(_) => (),
        }
        0
    }
}
