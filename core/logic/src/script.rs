//! The test language: what a trader would write down to check us, and the one runner for it.
#![doc = ""]
#![doc = include_str!("../../../docs/script.md")]

mod desk;
mod exchange;
mod feeds;
mod limits;
mod tickets;
mod verbs;
mod words;

pub use desk::{Desk, Record};

use crate::answer::{Answer, AnswerKind, Fate, Reply};
use crate::command::*;
use crate::id::*;
use crate::reject::{Malformed, Reject};
use crate::rules::{HouseRules, Rules};
use crate::state::State;
use crate::time::{Nanos, Timestamp};
use crate::wire::{self, Body, Header, Minor, Slot};
use betring_pricing::RoundingMode;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use words::{Line, Unreadable, When, Words};
use zerocopy::IntoBytes;

/// When every script starts: 2026-01-01 00:00 UTC.
pub const START: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// What came of a script that held.
#[derive(Debug)]
pub struct Report {
    /// Every line with its answer.
    pub transcript: String,
    /// Every reply, in order, also those of implicit set-up.
    pub replies: Vec<Reply>,
    /// Every refusal that was given.
    pub rejects: BTreeSet<Reject>,
    /// Every kind of malformed command that was told apart.
    pub malformed: BTreeSet<Malformed>,
    /// The records, as a journal would hold them.
    pub records: Vec<Record>,
    /// The state's digest at the end, in hex; the same after the replay.
    pub digest: String,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.transcript)?;
        let records = self.records.len();
        writeln!(f, "held: {records} records, replayed to the same digest {}", self.digest)
    }
}

/// The line at which a script did not hold, and why.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The line, from 1; one past the last if the replay at the end did not hold.
    pub line: usize,
    /// What stands on it.
    pub text: String,
    /// What is wrong.
    pub what: String,
    /// What was said before.
    pub transcript: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.transcript)?;
        writeln!(f, "line {}: {}", self.line, self.text)?;
        write!(f, "  {}", self.what.replace('\n', "\n  "))
    }
}

impl std::error::Error for Failure {}

/// Runs a script under the house's own rules.
///
/// # Errors
/// The first line that cannot be read or does not hold, with the transcript up to it.
pub fn run(text: &str) -> Result<Report, Failure> {
    run_with(HouseRules, text)
}

/// Runs a script under an operator's rules.
///
/// # Errors
/// The first line that cannot be read or does not hold, with the transcript up to it.
pub fn run_with<R: Rules>(rules: R, text: &str) -> Result<Report, Failure> {
    let mut runner = Runner::new(rules);
    for line in text.lines() {
        runner.line(line)?;
    }
    runner.finish()
}

/// Runs a script and insists that it holds.
///
/// # Panics
/// If it does not, with the transcript and the line.
pub fn check(text: &str) -> Report {
    match run(text) {
        Ok(report) => report,
        Err(failure) => panic!("the script does not hold\n{failure}"),
    }
}

/// Runs a script line by line.
pub struct Runner<R: Rules = HouseRules> {
    desk: Option<Desk<R>>,
    rules: R,
    genesis: Genesis,
    capacities: Capacities,
    now: Timestamp,
    auto: bool,
    line: usize,
    transcript: String,

    actors: BTreeMap<String, ActorId>,
    accounts: BTreeMap<String, AccountId>,
    markets: BTreeMap<String, MarketId>,
    feeds: BTreeMap<String, FeedId>,
    groups: BTreeMap<String, GroupId>,
    fixtures: BTreeMap<String, FixtureId>,
    bets: Vec<BetId>,
    orders: Vec<OrderId>,
    jobs: Vec<u64>,
    /// Of every market that the script defined: its feed and the names of its selections.
    shapes: BTreeMap<String, (FeedId, Vec<String>)>,
    /// The verb of the line, which says what a name that is taken is a name of.
    verb: String,
    /// By account or actor and key: the first `valid_until`.
    limits: BTreeMap<(u64, RequestKey), Timestamp>,
    /// By the label of the account or actor and that of the key: what was last sent.
    sent: BTreeMap<(String, String), Vec<u8>>,
    last_key: u128,
    last_token: u64,
    last_sequenced: bool,
}

/// What a line of a script came to.
enum Said {
    /// A command was answered.
    Reply(Reply),
    /// A question was answered.
    Text(String),
    /// Nothing to compare.
    Nothing,
}

/// Why a line does not hold, before its number is known.
type Stop = String;

impl From<Unreadable> for Stop {
    fn from(what: Unreadable) -> Stop {
        what.to_string()
    }
}

/// Everything that the words of a line say about the command's envelope.
struct Envelope {
    by: Option<String>,
    key: Option<String>,
    reason: u32,
    valid: Option<String>,
    waited: Nanos,
    synthetic: bool,
}

const TRADER: &str = "trader";
// Handles of labels that were never defined: far beyond any capacity of a script.
const NOWHERE: u32 = 900_000_000;
// Keys that the script does not name; labels are ASCII, so their first byte is below this.
const UNNAMED: u128 = 0xFF << 120;

impl<R: Rules> Runner<R> {
    /// A runner at the start of a script.
    pub fn new(rules: R) -> Runner<R> {
        Runner {
            desk: None,
            rules,
            genesis: Genesis {
                window: Nanos::from_secs(300),
                secret: *b"a script, seeded",
                age_bound: Nanos::from_millis(1_500),
                offer_ttl: Nanos::from_secs(5),
                price_failure: PriceFailure::Refuse as u8,
                rounding: rounding_code(RoundingMode::Down),
                step_budget: 64,
                limits: Limits {
                    min_stake: Minor(1),
                    max_stake: Minor(10_000_000),
                    max_payout: Minor(100_000_000),
                    max_liability: Minor(100_000_000),
                    ..Limits::UNLIMITED
                },
                ..Genesis::default()
            },
            capacities: Capacities {
                accounts: 64,
                markets: 32,
                selections: 256,
                bets: 1024,
                keys: 4096,
                feeds: 8,
                fixtures: 16,
                actors: 8,
                currencies: 4,
                groups: 8,
                limited: 16,
                orders: 512,
                positions: 64,
                stands: 512,
                levels: 1 << 17,
                quarantined: 8,
                legs: 4096,
            },
            now: START,
            auto: true,
            line: 0,
            transcript: String::new(),
            actors: BTreeMap::new(),
            accounts: BTreeMap::new(),
            markets: BTreeMap::new(),
            feeds: BTreeMap::new(),
            groups: BTreeMap::new(),
            fixtures: BTreeMap::new(),
            bets: Vec::new(),
            orders: Vec::new(),
            jobs: Vec::new(),
            shapes: BTreeMap::new(),
            verb: String::new(),
            limits: BTreeMap::new(),
            sent: BTreeMap::new(),
            last_key: UNNAMED,
            last_token: 0,
            last_sequenced: false,
        }
    }

    /// The state, once a line has needed it.
    pub fn state(&self) -> Option<&State<R>> {
        self.desk.as_ref().map(Desk::state)
    }

    /// Runs the next line. The reply, if it was a command.
    ///
    /// # Errors
    /// If it cannot be read or does not hold.
    pub fn line(&mut self, text: &str) -> Result<Option<Reply>, Failure> {
        self.line += 1;
        self.one(text).map_err(|what| self.failure(text.trim(), what))
    }

    /// Replays everything and compares.
    ///
    /// # Errors
    /// If the replay differs.
    pub fn finish(mut self) -> Result<Report, Failure> {
        self.line += 1;
        let text = "(the replay of all records)";
        self.desk().map(|_| ()).map_err(|what| self.failure(text, what))?;
        let desk = self.desk.as_ref().expect("just made");
        let digest = desk.compare_replay().map_err(|what| self.failure(text, what))?;
        let desk = self.desk.take().expect("just made");
        let rejects = desk.replies().iter().filter_map(|r| r.answer.reject()).collect();
        let malformed = desk
            .replies()
            .iter()
            .filter(|r| r.answer.reject() == Some(Reject::Malformed))
            .filter_map(|r| r.answer.malformation())
            .collect();
        let (records, replies) = desk.into_parts();
        Ok(Report { transcript: self.transcript, replies, rejects, malformed, records, digest })
    }

    fn failure(&self, text: &str, what: String) -> Failure {
        let transcript = self.transcript.clone();
        Failure { line: self.line, text: text.to_owned(), what, transcript }
    }

    fn one(&mut self, text: &str) -> Result<Option<Reply>, Stop> {
        let Some(line) = Line::read(text)? else { return Ok(None) };
        let Line { when, mut words, expected } = line;
        let now = match when {
            When::Now => self.now,
            When::At(span) => START.plus(span),
            When::Later(span) => self.now.plus(span),
        };
        if now < self.now {
            let from = self.now.since(START);
            return Err(format!("time runs forward: the line before was at @{from}"));
        }
        if now != self.now {
            self.advance(now)?;
        }
        if words.is_empty() {
            return match expected {
                None => Ok(None),
                Some(_) => Err(Unreadable::new("->", "a verb before it").into()),
            };
        }
        let verb = words.next("a verb")?;
        self.verb.clone_from(&verb);
        let said = self.verb(&verb, &mut words)?;
        let shown = match &said {
            Said::Reply(reply) => self.say(reply),
            Said::Text(text) => text.clone(),
            Said::Nothing => String::new(),
        };
        let plain = text.split("->").next().unwrap_or(text).trim();
        match shown.as_str() {
            "" => writeln!(self.transcript, "{plain}"),
            shown => writeln!(self.transcript, "{plain:<44} -> {shown}"),
        }
        .expect("a String takes everything");
        if self.auto {
            self.catch_up()?;
        }
        match said {
            Said::Reply(reply) => {
                self.compare(&reply, expected.as_deref())?;
                Ok(Some(reply))
            }
            Said::Text(said) => {
                let expected = expected.ok_or(
                    "a question needs an answer to compare with: `-> …`; `-> anything` takes any",
                )?;
                if said == expected || expected == "anything" {
                    return Ok(None);
                }
                Err(format!("expected  {expected}\nit is     {said}"))
            }
            Said::Nothing if expected.is_some() => Err("this line has no answer".to_owned()),
            Said::Nothing => Ok(None),
        }
    }

    /// Whether a reply is what was expected.
    fn compare(&self, reply: &Reply, expected: Option<&str>) -> Result<(), Stop> {
        let said = self.say(reply);
        let Some(expected) = expected else {
            return match reply.answer.reject() {
                None => Ok(()),
                Some(_) => Err(format!("refused, and the line does not expect it: {said}")),
            };
        };
        if expected == "anything" {
            return Ok(());
        }
        let wrong = Err(format!("expected  {expected}\nanswered  {said}"));
        let rest = match expected.strip_prefix("not sequenced: ") {
            Some(_) if self.last_sequenced => return wrong,
            Some(rest) => rest,
            None => expected,
        };
        let rest = match rest.strip_prefix("duplicate ") {
            Some(_) if !reply.is_duplicate() => return wrong,
            Some(rest) => rest,
            None => rest,
        };
        let (rest, fate) = match rest.split_once(", now ") {
            Some((rest, fate)) => (rest, Some(fate)),
            None => (rest, None),
        };
        let answer = self.say_answer(&reply.answer);
        let good = begins(&answer, rest) && fate.is_none_or(|fate| begins(&fate_of(reply), fate));
        if good { Ok(()) } else { wrong }
    }

    /// A reply as scripts write it.
    fn say(&self, reply: &Reply) -> String {
        let answer = self.say_answer(&reply.answer);
        match (reply.is_duplicate(), reply.fate()) {
            (false, _) => answer,
            (true, Fate::Nothing) => format!("duplicate {answer}"),
            (true, _) => format!("duplicate {answer}, now {}", fate_of(reply)),
        }
    }

    /// An answer as scripts write it: with the script's own labels.
    fn say_answer(&self, answer: &Answer) -> String {
        let bet = || match self.bets.iter().position(|b| b.raw() == answer.id) {
            Some(at) => format!("B{}", at + 1),
            None => BetId::from_raw(answer.id).to_string(),
        };
        match answer.kind() {
            AnswerKind::Accepted => {
                let basis = answer.basis().map(|b| b.to_string()).unwrap_or_default();
                let (price, returns) = (answer.price, answer.amount);
                let (age, version) = (answer.age(), answer.version);
                if price.is_none() {
                    return format!("{} returns {returns}, {age} old, {basis}", bet());
                }
                format!("{} at {price} returns {returns}, {age} old, {version}, {basis}", bet())
            }
            AnswerKind::Offered => {
                let until = answer.until().since(START);
                format!("offer {} at {} until @{until}, {}", bet(), answer.price, answer.version)
            }
            AnswerKind::Pending => {
                let why = answer.pending_why().map_or_else(String::new, |why| format!(", {why}"));
                format!("pending {} until @{}{why}", bet(), answer.until().since(START))
            }
            AnswerKind::Ordered => {
                let until = answer.until();
                let waits = until.0 != 0;
                let until =
                    if waits { format!(", until @{}", until.since(START)) } else { String::new() };
                let id = OrderId::from_raw(answer.id);
                let said = answer.to_string().replacen(&id.to_string(), &self.order_label(id), 1);
                format!("{said}{until}")
            }
            AnswerKind::Started => match self.jobs.iter().position(|j| *j == answer.id) {
                Some(at) => format!("started J{}", at + 1),
                None => answer.to_string(),
            },
            AnswerKind::Refused if answer.reject() == Some(Reject::PriceMoved) => {
                format!("{answer}, {}", answer.version)
            }
            AnswerKind::Refused if answer.reject() == Some(Reject::SelfExcluded) => {
                format!("SelfExcluded until {}", since_start(answer.until()))
            }
            AnswerKind::Refused if answer.reject() == Some(Reject::AccountExists) => {
                let label = self.accounts.iter().find(|(_, id)| id.raw() == answer.id);
                match label {
                    Some((label, _)) => format!("AccountExists {label}"),
                    None => answer.to_string(),
                }
            }
            AnswerKind::Refused if answer.reject() == Some(Reject::NameTaken) => {
                let has_it = |raw: u64| raw == answer.id;
                let label = match self.verb.as_str() {
                    "feed" => self.feeds.iter().find(|(_, id)| has_it(id.0.into())).map(|it| it.0),
                    "group" => self.groups.iter().find(|it| has_it(it.1.0.into())).map(|it| it.0),
                    "fixture" => self.fixtures.iter().find(|it| has_it(it.1.raw())).map(|it| it.0),
                    _ => self.markets.iter().find(|it| has_it(it.1.raw())).map(|it| it.0),
                };
                match label {
                    Some(label) => format!("NameTaken {label}"),
                    None => answer.to_string(),
                }
            }
            AnswerKind::Refused
            | AnswerKind::Done
            | AnswerKind::Changed
            | AnswerKind::NeverPlaced => answer.to_string(),
        }
    }

    // ---- the engine's part ----

    /// The desk; a journal is begun by the first line that needs one.
    fn desk(&mut self) -> Result<&mut Desk<R>, Stop> {
        if self.desk.is_none() {
            let desk = Desk::open(self.rules.clone(), self.now, self.genesis, self.capacities)?;
            self.desk = Some(desk);
            let header = Header { received: self.now, ..Header::default() };
            let key = self.fresh_key();
            let valid_until = self.now.plus(self.genesis.window);
            let body = RegisterActor { valid_until, ..RegisterActor::default() };
            let slots = build::register_actor(Header { key, ..header }, body, TRADER)
                .map_err(|what| what.to_string())?;
            let reply = self.submit(slots.as_bytes().to_vec())?;
            let id = ActorId(reply.answer.id);
            self.actors.insert(TRADER.to_owned(), id);
        }
        Ok(self.desk.as_mut().expect("just made"))
    }

    /// Lets time pass up to `now`; on the way everything that is due happens, unless the script does it.
    fn advance(&mut self, now: Timestamp) -> Result<(), Stop> {
        if self.auto
            && let Some(desk) = &mut self.desk
        {
            desk.run_until(now)?;
        }
        self.now = now;
        Ok(())
    }

    /// Does all work that is waiting.
    fn catch_up(&mut self) -> Result<(), Stop> {
        let now = self.now;
        match &mut self.desk {
            Some(desk) => desk.run_until(now),
            None => Ok(()),
        }
    }

    /// Sends a command; the attempt gets its number here.
    fn submit(&mut self, mut bytes: Vec<u8>) -> Result<Reply, Stop> {
        self.last_token += 1;
        bytes[72..80].copy_from_slice(&self.last_token.to_le_bytes());
        let now = self.now;
        let desk = self.desk()?;
        let before = desk.state().seq();
        let reply = desk.ask(now, &bytes)?;
        let sequenced = before != desk.state().seq();
        let last = desk.records().last().filter(|_| sequenced);
        let events = last.map(|record| record.events.clone()).unwrap_or_default();
        self.learn_orders(&events);
        self.last_sequenced = sequenced;
        let id = reply.answer.id;
        match reply.answer.kind() {
            AnswerKind::Accepted | AnswerKind::Offered | AnswerKind::Pending => {
                let bet = BetId::from_raw(id);
                if !self.bets.contains(&bet) {
                    self.bets.push(bet);
                }
            }
            AnswerKind::Started if !self.jobs.contains(&id) => self.jobs.push(id),
            _ => (),
        }
        Ok(reply)
    }

    fn fresh_key(&mut self) -> RequestKey {
        self.last_key += 1;
        RequestKey(self.last_key)
    }

    // ---- labels ----

    fn account_of(&self, label: &str) -> Result<AccountId, Unreadable> {
        let number = labelled(label, 'A', "an account like A7")?;
        let unknown = AccountId::new(NOWHERE + number, 1);
        Ok(self.accounts.get(label).copied().unwrap_or(unknown))
    }

    fn market_of(&self, label: &str) -> Result<MarketId, Unreadable> {
        let number = labelled(label, 'M', "a market like M1")?;
        let unknown = MarketId::new(NOWHERE + number, 1);
        Ok(self.markets.get(label).copied().unwrap_or(unknown))
    }

    fn fixture_of(&self, label: &str) -> Result<FixtureId, Unreadable> {
        let number = labelled(label, 'X', "a fixture like X1")?;
        let unknown = FixtureId::new(NOWHERE + number, 1);
        Ok(self.fixtures.get(label).copied().unwrap_or(unknown))
    }

    fn feed_of(&self, label: &str) -> Result<FeedId, Unreadable> {
        if label == "manual" {
            return Ok(FeedId::MANUAL);
        }
        let number = labelled(label, 'F', "a feed like F1, or manual")?;
        let unknown = FeedId(60_000 + u16::try_from(number % 5_000).expect("below 5,000"));
        Ok(self.feeds.get(label).copied().unwrap_or(unknown))
    }

    fn bet_of(&self, label: &str) -> Result<BetId, Unreadable> {
        let number = labelled(label, 'B', "a bet like B1")?;
        let at = (number as usize).checked_sub(1);
        let known = at.and_then(|at| self.bets.get(at)).copied();
        Ok(known.unwrap_or(BetId::new(NOWHERE + number, 1)))
    }

    /// The bet that a question is about: there has to be one.
    fn asked_bet(&self, words: &mut Words) -> Result<BetId, Stop> {
        let label = words.next("a bet like B1")?;
        let bet = self.bet_of(&label)?;
        if self.bets.contains(&bet) {
            return Ok(bet);
        }
        Err(match self.bets.len() {
            0 => format!("there is no bet {label}: no line has made one yet"),
            made => format!("there is no bet {label}: the last one so far is B{made}"),
        })
    }

    fn actor_of(&self, label: &str) -> ActorId {
        // An actor that was never registered is a number that no actor has.
        self.actors.get(label).copied().unwrap_or(ActorId(u64::MAX))
    }

    /// The position of a selection: by name, or counted from 1.
    fn selection_of(&self, market: &str, text: &str) -> Result<SelectionIndex, Unreadable> {
        let names = self.shapes.get(market).map_or(&[][..], |(_, names)| names.as_slice());
        if let Some(at) = names.iter().position(|n| n == text) {
            return Ok(SelectionIndex(at as u16));
        }
        let number: Option<u16> = text.parse().ok();
        number.and_then(|n| n.checked_sub(1)).map(SelectionIndex).ok_or_else(|| {
            Unreadable::new(text, format!("a selection of {market} by name, or its number from 1"))
        })
    }

    // ---- envelopes ----

    fn envelope(&self, words: &mut Words) -> Result<Envelope, Stop> {
        let reason = words.option("reason")?;
        let waited = words.option("waited")?;
        Ok(Envelope {
            by: words.option("by")?,
            key: words.option("key")?,
            reason: reason.map_or(Ok(0), |r| words::number(&r))?,
            valid: words.option("valid")?,
            waited: waited.map_or(Ok(Nanos::ZERO), |w| words::signed_span(&w))?,
            synthetic: words.flag("synthetic"),
        })
    }

    /// The header and time limit of a command under a key. The first use of a key sets its limit.
    fn keyed(
        &mut self,
        account: u64,
        key: Option<&str>,
        envelope: &Envelope,
    ) -> Result<(Header, Timestamp), Stop> {
        let key = match key {
            Some(label) => key_of(label)?,
            None => self.fresh_key(),
        };
        let usual = Nanos(self.genesis.window.0.min(10_000_000_000));
        let valid_until = match envelope.valid.as_deref() {
            Some("none") => Timestamp(0),
            Some(text) => match text.strip_prefix('@') {
                Some(at) => START.plus(words::span(at)?),
                None => self.now.plus(words::span(text)?),
            },
            None => match self.limits.get(&(account, key)) {
                Some(first) => *first,
                None => self.now.plus(usual),
            },
        };
        self.limits.entry((account, key)).or_insert(valid_until);
        let flags = if envelope.synthetic { Header::SYNTHETIC } else { 0 };
        let received = Timestamp(self.now.0 - envelope.waited.0);
        Ok((Header { account, key, flags, received, ..Header::default() }, valid_until))
    }

    /// Sends a command and remembers it for `retry`.
    fn send(&mut self, who: &str, key: Option<&str>, slots: &[Slot]) -> Result<Reply, Stop> {
        let bytes = slots.as_bytes().to_vec();
        if let Some(key) = key {
            self.sent.insert((who.to_owned(), key.to_owned()), bytes.clone());
        }
        self.submit(bytes)
    }

    /// A control command: who gives it, its header and time limit.
    fn control(&mut self, envelope: &Envelope) -> Result<(String, Header, Timestamp), Stop> {
        self.desk()?;
        let by = envelope.by.clone().unwrap_or_else(|| TRADER.to_owned());
        let actor = self.actor_of(&by);
        let (header, valid_until) = self.keyed(actor.0, envelope.key.as_deref(), envelope)?;
        Ok((by, header, valid_until))
    }

    fn plain<B: Body>(
        &mut self,
        who: &str,
        key: Option<&str>,
        header: Header,
        body: &B,
    ) -> Result<Said, Stop> {
        self.send(who, key, &wire::slots(header, body, &[])).map(Said::Reply)
    }
}

/// A moment as scripts write it.
fn since_start(at: Timestamp) -> String {
    if at == Timestamp::MAX { "forever".to_owned() } else { format!("@{}", at.since(START)) }
}

/// The number of a label.
fn labelled(label: &str, letter: char, expected: &str) -> Result<u32, Unreadable> {
    let number = label.strip_prefix(letter).and_then(|n| n.parse::<u32>().ok());
    number.filter(|n| *n < 1_000_000).ok_or_else(|| Unreadable::new(label, expected))
}

/// A key's number: its label's characters.
fn key_of(label: &str) -> Result<RequestKey, Unreadable> {
    if label == "none" {
        return Ok(RequestKey::NONE);
    }
    let good = label.len() <= 15 && label.bytes().all(|b| b.is_ascii_graphic());
    if !good {
        return Err(Unreadable::new(label, "a key of at most 15 letters and digits"));
    }
    Ok(RequestKey(label.bytes().fold(0, |key, b| key << 8 | u128::from(b))))
}

/// Whether `said` begins with `expected`, in whole words.
fn begins(said: &str, expected: &str) -> bool {
    said.strip_prefix(expected)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',', ':']))
}

/// What has become of it, as scripts write it.
fn fate_of(reply: &Reply) -> String {
    match reply.fate() {
        fate if fate.has_amount() => format!("{fate} {}", reply.fate_amount),
        fate => fate.to_string(),
    }
}

/// An amount of any size with two decimals.
fn money(minor: i128) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}
