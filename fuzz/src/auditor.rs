//! A second implementation of the rules, slow and obvious, to hold the first one against.
//!
//! It is written from what the rules say (life cycles, gates in their order, the age of a price, who
//! may be paid what) and shares with the core only the words: the layouts of commands, answers and
//! events. It keeps plain maps, recomputes every figure from all bets, and does its own arithmetic.
//!
//! It reads what a journal says: [`Auditor::sequenced`] takes a record, decides the command itself, and
//! compares answer and events. [`Auditor::unsequenced`] checks what was said without a record.
//! [`Auditor::compare`] holds a whole state against it. What it cannot know (which free place a new
//! handle takes, how much work fits one Step) it takes from the record, and checks that it is allowed.

mod compare;
mod feeds;
mod judge;
mod place;
mod steps;

use betring_core::BetState;
use betring_core::answer::{Answer, AnswerKind, Fate, Reply};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::{Malformed, Reject};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, SLOT, Slot, WirePrice};
use betring_pricing::Money;
use std::collections::{BTreeMap, BTreeSet};

use feeds::Says;
pub use judge::OpenBet;

/// Which ring brought a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// What restricts or reports the world.
    Control,
    /// What customers ask.
    Bets,
}

/// What a second implementation says against the first: a sentence with figures.
pub type Violation = String;

type Checked<T = ()> = Result<T, Violation>;
/// A decision: the answer, or the answer that refuses.
type Decided = Result<Answer, Answer>;

/// Who suspends a level, and the sequence of its last suspension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Suspended {
    owners: BTreeSet<u8>,
    last: u64,
}

#[derive(Clone, Debug)]
struct Feed {
    up: bool,
    generation: u32,
    last_number: u64,
    heard: Option<i64>,
    heartbeat: Option<i64>,
    silence_bound: i64,
    delay_bound: i64,
    quickest: Option<i64>,
    suspended: Suspended,
}

#[derive(Clone, Debug)]
struct Fixture {
    suspended: Suspended,
}

#[derive(Clone, Debug)]
struct Account {
    reference: u64,
    currency: u16,
    balance: i128,
    blocked: bool,
}

#[derive(Clone, Debug, Default)]
struct Runner {
    price: WirePrice,
    version: u64,
    received: i64,
    as_of: i64,
    delay: i64,
    generation: u32,
    out: bool,
    outcome: Option<SelectionOutcome>,
}

#[derive(Clone, Debug)]
struct Market {
    name: String,
    status: MarketStatus,
    feed: u16,
    fixture: u64,
    winners: usize,
    age_bound: i64,
    version: u64,
    opened_in: u32,
    settlement: u32,
    job: Option<(u64, JobKind)>,
    /// What the job has handled so far: bets settled in this settlement.
    handled: u64,
    suspended: Suspended,
    runners: Vec<Runner>,
    limits: BTreeMap<u16, Limits>,
}

#[derive(Clone, Debug)]
struct Bet {
    account: u64,
    market: u64,
    selection: usize,
    currency: u16,
    stake: i128,
    returns: i128,
    price: WirePrice,
    version: u64,
    price_age: i64,
    requested: WirePrice,
    requested_version: u64,
    policy: u8,
    slippage: u16,
    synthetic: bool,
    placed_seq: u64,
    placed_at: i64,
    until: i64,
    state: BetState,
    paid: i128,
}

/// A request that has its answer.
#[derive(Clone, Debug)]
struct Asked {
    /// Everything of it that can change its decision.
    content: Vec<u8>,
    valid_until: i64,
    answer: Answer,
    sealed: bool,
}

/// How often something was done in which state of a life cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// By the state and the step's name: of bets.
    pub bets: BTreeMap<(String, String), u64>,
    /// Of markets.
    pub markets: BTreeMap<(String, String), u64>,
    /// Every refusal that was given.
    pub refusals: BTreeMap<String, u64>,
}

/// Every step that a bet may take, by the state in which it takes it.
const BET_STEPS: &[(&str, &str)] = &[
    ("-", "place"),
    ("-", "offer"),
    ("Offered", "accept"),
    ("Offered", "decline"),
    ("Offered", "end offer"),
    ("Open", "win"),
    ("Open", "lose"),
    ("Open", "void"),
    ("OfferEnded", "archive"),
    ("Won", "archive"),
    ("Lost", "archive"),
    ("Void", "archive"),
];

/// Every step that a market may take, by the status in which it takes it.
const MARKET_STEPS: &[(&str, &str)] = &[
    ("Defined", "open"),
    ("Defined", "close"),
    ("Defined", "result"),
    ("Open", "open"),
    ("Open", "close"),
    ("Open", "result"),
    ("Closed", "open"),
    ("Closed", "close"),
    ("Closed", "result"),
    ("Settling", "settle end"),
    ("Settled", "archive"),
    ("Archiving", "archive end"),
];

impl Hits {
    /// The steps that were allowed and never taken.
    pub fn never(&self) -> Vec<String> {
        let mut never = Vec::new();
        for (what, steps, hits) in
            [("bet", BET_STEPS, &self.bets), ("market", MARKET_STEPS, &self.markets)]
        {
            for (from, step) in steps {
                if !hits.contains_key(&((*from).to_owned(), (*step).to_owned())) {
                    never.push(format!("{what}: {from} -> {step}"));
                }
            }
        }
        never
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Hits) {
        for (mine, theirs) in [(&mut self.bets, &other.bets), (&mut self.markets, &other.markets)] {
            for (cell, hits) in theirs {
                *mine.entry(cell.clone()).or_default() += hits;
            }
        }
        for (name, hits) in &other.refusals {
            *self.refusals.entry(name.clone()).or_default() += hits;
        }
    }
}

impl std::fmt::Display for Hits {
    /// Both tables with their counts, what is not allowed and was tried too; then the refusals.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (what, steps, hits) in
            [("bet", BET_STEPS, &self.bets), ("market", MARKET_STEPS, &self.markets)]
        {
            writeln!(f, "{what:<11}{:<14}{:>10}", "step", "times")?;
            for ((from, step), times) in hits {
                let allowed = steps.contains(&(from.as_str(), step.as_str()));
                let note = if allowed { "" } else { "  (not allowed: refused)" };
                writeln!(f, "{from:<11}{step:<14}{times:>10}{note}")?;
            }
        }
        for never in self.never() {
            writeln!(f, "never: {never}")?;
        }
        let refusals: Vec<String> =
            self.refusals.iter().map(|(name, times)| format!("{name} {times}")).collect();
        write!(f, "refusals: {}", refusals.join(", "))
    }
}

/// The second implementation.
#[derive(Clone)]
pub struct Auditor {
    seq: u64,
    now: i64,
    epoch: u32,
    genesis: Option<Genesis>,
    capacities: Capacities,
    /// Whether the operator has rules of its own, which may refuse a bet or reduce its stake.
    own_rules: bool,
    rules_version: u32,
    actors: Vec<String>,
    feeds: Vec<Feed>,
    feed_names: Vec<String>,
    fixtures: BTreeMap<u64, Fixture>,
    fixture_names: BTreeMap<String, u64>,
    accounts: BTreeMap<u64, Account>,
    markets: BTreeMap<u64, Market>,
    /// Places of selections ever taken, and blocks that were given back, by size.
    places: u32,
    free_blocks: BTreeMap<u32, u32>,
    bets: BTreeMap<u64, Bet>,
    /// Handles of markets and bets: none is given twice.
    given: BTreeSet<(char, u64)>,
    asked: BTreeMap<(u64, u128), Asked>,
    /// How many requests take a place, at least and at most: those that time has forgotten keep theirs
    /// until a Step takes it.
    places_taken: (i64, i64),
    quarantined: BTreeSet<(u64, u128)>,
    currencies: Vec<u16>,
    currency_limits: BTreeMap<u16, Limits>,
    house: BTreeMap<(u16, u8), i128>,
    everything: Suspended,
    hits: Hits,
    /// What the command being decided has to have told.
    told: Vec<Event>,
}

fn rule(holds: bool, sentence: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(sentence()) }
}

/// An answer with something added.
fn and(mut answer: Answer, add: impl FnOnce(&mut Answer)) -> Answer {
    add(&mut answer);
    answer
}

fn money(minor: i128) -> Minor {
    Minor(i64::try_from(minor).unwrap_or(i64::MAX))
}

impl Default for Auditor {
    fn default() -> Auditor {
        Auditor::new()
    }
}

impl Auditor {
    /// At the beginning of a journal, under the house's rules.
    pub fn new() -> Auditor {
        Auditor {
            seq: 0,
            now: i64::MIN,
            epoch: 0,
            genesis: None,
            capacities: Capacities::default(),
            own_rules: false,
            rules_version: 0,
            actors: Vec::new(),
            feeds: vec![Feed {
                up: true,
                generation: 1,
                last_number: 0,
                heard: None,
                heartbeat: None,
                silence_bound: i64::MAX,
                delay_bound: 0,
                quickest: None,
                suspended: Suspended::default(),
            }],
            feed_names: Vec::new(),
            fixtures: BTreeMap::new(),
            fixture_names: BTreeMap::new(),
            accounts: BTreeMap::new(),
            markets: BTreeMap::new(),
            places: 0,
            free_blocks: BTreeMap::new(),
            bets: BTreeMap::new(),
            given: BTreeSet::new(),
            asked: BTreeMap::new(),
            places_taken: (0, 0),
            quarantined: BTreeSet::new(),
            currencies: Vec::new(),
            currency_limits: BTreeMap::new(),
            house: BTreeMap::new(),
            everything: Suspended::default(),
            hits: Hits::default(),
            told: Vec::new(),
        }
    }

    /// The operator has rules of its own: a bet may be refused by `Policy`, or its stake reduced, and
    /// nothing else.
    pub fn with_own_rules(self) -> Auditor {
        Auditor { own_rules: true, ..self }
    }

    /// The last sequence it has seen.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The moment of that.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// What the rules would have answered to the last record's command.
    pub fn expected(&self) -> Option<Answer> {
        self.told.iter().find_map(|event| match event {
            Event::Answered(answered) => Some(answered.answer),
            _ => None,
        })
    }

    /// How often what was done.
    pub fn hits(&self) -> &Hits {
        &self.hits
    }

    /// The customers' accounts.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.accounts.keys().map(|id| AccountId::from_raw(*id))
    }

    /// What is on an account.
    pub fn balance(&self, account: AccountId) -> Option<i128> {
        self.accounts.get(&account.raw()).map(|account| account.balance)
    }

    /// The markets that have not left memory, and where they are in their life.
    pub fn markets(&self) -> impl Iterator<Item = (MarketId, MarketStatus)> + '_ {
        self.markets.iter().map(|(id, market)| (MarketId::from_raw(*id), market.status))
    }

    /// How many selections a market has.
    pub fn selections(&self, market: MarketId) -> usize {
        self.markets.get(&market.raw()).map_or(0, |market| market.runners.len())
    }

    /// The feed of a market.
    pub fn feed_of(&self, market: MarketId) -> Option<FeedId> {
        self.markets.get(&market.raw()).map(|market| FeedId(market.feed))
    }

    /// The price in force.
    pub fn price(&self, market: MarketId, selection: usize) -> Option<WirePrice> {
        let runner = self.markets.get(&market.raw())?.runners.get(selection)?;
        (!runner.price.is_none()).then_some(runner.price)
    }

    /// The bets that are in a state.
    pub fn bets_in(&self, state: BetState) -> impl Iterator<Item = (BetId, AccountId)> + '_ {
        self.bets
            .iter()
            .filter(move |(_, bet)| bet.state == state)
            .map(|(id, bet)| (BetId::from_raw(*id), AccountId::from_raw(bet.account)))
    }

    /// The feeds, the manual one not counted.
    pub fn feeds(&self) -> impl Iterator<Item = (FeedId, u64)> + '_ {
        let numbers = self.feeds.iter().enumerate().skip(1);
        numbers.map(|(at, feed)| (FeedId(at as u16), feed.last_number))
    }

    /// The fixtures.
    pub fn fixtures(&self) -> impl Iterator<Item = FixtureId> + '_ {
        self.fixtures.keys().map(|id| FixtureId::from_raw(*id))
    }

    /// The actors.
    pub fn actors(&self) -> u64 {
        self.actors.len() as u64
    }

    /// The answer of a key that is kept at `at`.
    pub fn answer(&self, account: u64, key: RequestKey, at: Timestamp) -> Option<Answer> {
        self.kept(account, key, at.0).map(|asked| asked.answer)
    }

    fn window(&self) -> i64 {
        self.genesis.map_or(0, |genesis| genesis.window.0)
    }

    // ---- without a sequence ----

    /// Checks a reply that no record stands behind: to an attempt at `reply.stamped`, when this was the
    /// last sequence.
    ///
    /// # Errors
    /// What the rules say against it.
    pub fn unsequenced(&self, ring: Ring, bytes: &[u8], reply: &Reply) -> Checked {
        rule(reply.as_of.0 == self.seq, || {
            format!("a reply as of {} was looked up at #{}", reply.as_of, self.seq)
        })?;
        let at = reply.stamped.0;
        let said = reply.answer;
        let expected = self.before_sequencing(ring, at, bytes);
        let good = match &expected {
            Before::Sequence => false,
            Before::Refuse(answer) => said == *answer && !reply.is_duplicate(),
            Before::RefuseOrSequence(answer) => said == *answer && !reply.is_duplicate(),
            Before::Repeat(answer, fates) => {
                let fate = (reply.fate(), reply.fate_amount);
                said == *answer && reply.is_duplicate() && fates.contains(&fate)
            }
        };
        rule(good, || {
            let fate = (reply.fate(), reply.fate_amount);
            let duplicate = reply.is_duplicate();
            format!(
                "{} was answered without a record: {said:?} (duplicate {duplicate}, {fate:?}, seq {}), and \
                 the rules say {expected}",
                describe(bytes),
                said.seq
            )
        })
    }

    /// Whether this attempt may have a record.
    fn may_sequence(&self, ring: Option<Ring>, at: i64, bytes: &[u8]) -> Checked {
        let before = match ring {
            Some(ring) => self.before_sequencing(ring, at, bytes),
            None => self.of_the_engine(bytes),
        };
        match before {
            Before::Sequence | Before::RefuseOrSequence(_) => Ok(()),
            other => Err(format!("{} has a record, and the rules say {other}", describe(bytes))),
        }
    }

    fn of_the_engine(&self, bytes: &[u8]) -> Before {
        let read = decode(bytes);
        let Ok((header, command)) = read else {
            return Before::Refuse(Answer::malformed(Malformed::EngineOnly));
        };
        let in_order = match command {
            Command::Genesis(_) => self.seq == 0,
            // A run whose first record was never durable leaves a gap in the numbers.
            Command::EpochOpened(body) => self.seq != 0 && self.epoch < body.epoch.0,
            Command::Step(_) | Command::Tick(_) | Command::Quarantine(_) => self.epoch != 0,
            _ => false,
        };
        if in_order && header.key == RequestKey::NONE {
            Before::Sequence
        } else {
            Before::Refuse(Answer::malformed(Malformed::EngineOnly))
        }
    }

    fn before_sequencing(&self, ring: Ring, at: i64, bytes: &[u8]) -> Before {
        let malformed = |what| Before::Refuse(Answer::malformed(what));
        let refuse = |reject| Before::Refuse(Answer::refused(reject, Seq(0)));
        let (header, command) = match decode(bytes) {
            Ok(read) => read,
            Err(what) => return malformed(what),
        };
        let Some(kind) = Kind::from_code(header.kind) else { return malformed(Malformed::Kind) };
        match (kind.lane(), ring) {
            (Lane::Engine, _) => return malformed(Malformed::EngineOnly),
            (Lane::Customer, Ring::Bets) | (Lane::Control | Lane::Feed, Ring::Control) => (),
            _ => return malformed(Malformed::WrongRing),
        }
        let valid_until = valid_until(bytes);
        let has_key = header.key != RequestKey::NONE;
        if kind.lane() == Lane::Feed {
            let by_hand =
                matches!(command, Command::SetPrices(body, _) if body.feed == FeedId::MANUAL);
            // A person's prices are under the key rules, a feed's messages carry no key and no limit.
            if by_hand != has_key {
                return malformed(Malformed::Key);
            }
            if !by_hand {
                return if valid_until == 0 {
                    Before::Sequence
                } else {
                    malformed(Malformed::ValidUntil)
                };
            }
        }
        if !has_key {
            return malformed(Malformed::Key);
        }
        let ahead = i128::from(valid_until) - i128::from(at);
        if valid_until <= 0 || i128::from(self.window()) < ahead {
            return malformed(Malformed::ValidUntil);
        }
        let resolve = kind == Kind::Resolve;
        if !resolve && self.quarantined.contains(&(header.account, header.key.0)) {
            return refuse(Reject::Quarantined);
        }
        // The key is looked up before the time limit.
        if let Some(asked) = self.kept(header.account, header.key, at) {
            if !resolve && asked.sealed {
                return refuse(Reject::Sealed);
            }
            if !resolve && asked.content != content(bytes) {
                return refuse(Reject::RequestReused);
            }
            return Before::Repeat(asked.answer, self.fates(&asked.answer));
        }
        if resolve && i128::from(self.window()) < -ahead {
            return refuse(Reject::TooOld);
        }
        if !resolve && ahead < 0 {
            return refuse(Reject::Expired);
        }
        let full = |(least, most): (i64, i64), room: u32| {
            (i64::from(room) <= least, i64::from(room) <= most)
        };
        // A sixteenth is kept for whoever restricts the world.
        let room = match kind.lane() {
            Lane::Customer => self.capacities.keys - self.capacities.keys / 16,
            Lane::Engine | Lane::Control | Lane::Feed => self.capacities.keys,
        };
        let keys = full(self.places_taken, room);
        let bets = if kind == Kind::Place {
            full(self.bets_in_memory(), self.capacities.bets)
        } else {
            (false, false)
        };
        if keys.0 || bets.0 {
            refuse(Reject::Overloaded)
        } else if keys.1 || bets.1 {
            Before::RefuseOrSequence(Answer::refused(Reject::Overloaded, Seq(0)))
        } else {
            Before::Sequence
        }
    }

    /// Bets that take a place, at least and at most: while a market is being archived nobody can say
    /// which of its bets have left.
    fn bets_in_memory(&self) -> (i64, i64) {
        let leaving = |bet: &&Bet| {
            let market = self.markets.get(&bet.market);
            market.is_some_and(|market| market.status == MarketStatus::Archiving)
        };
        let here = self.bets.values().filter(|bet| bet.state != BetState::Archived);
        let most = here.clone().count() as i64;
        (most - here.filter(leaving).count() as i64, most)
    }

    fn kept(&self, account: u64, key: RequestKey, at: i64) -> Option<&Asked> {
        let asked = self.asked.get(&(account, key.0))?;
        let forgotten_after = i128::from(asked.valid_until) + i128::from(self.window());
        (i128::from(at) <= forgotten_after).then_some(asked)
    }

    /// What may be said of what an answer was about.
    fn fates(&self, answer: &Answer) -> Vec<(Fate, Minor)> {
        match answer.kind() {
            AnswerKind::Accepted | AnswerKind::Offered | AnswerKind::Pending => {
                let gone = (Fate::Archived, Minor(0));
                let Some(bet) = self.bets.get(&answer.id) else { return vec![gone] };
                let fate = match bet.state {
                    BetState::Offered => Fate::Offered,
                    BetState::Open => Fate::Open,
                    BetState::OfferEnded => Fate::OfferEnded,
                    BetState::Won => Fate::Won,
                    BetState::Lost => Fate::Lost,
                    BetState::Void => Fate::Void,
                    BetState::Archived => return vec![gone],
                };
                let mut fates = vec![(fate, money(bet.paid))];
                let leaving = self.markets.get(&bet.market);
                if leaving.is_some_and(|m| m.status == MarketStatus::Archiving) {
                    fates.push(gone);
                }
                fates
            }
            AnswerKind::Started => {
                let market = self.markets.get(&answer.job_market().raw());
                let job = market.and_then(|market| market.job);
                let runs = job.is_some_and(|(id, _)| id == answer.id);
                vec![(if runs { Fate::JobRunning } else { Fate::JobEnded }, Minor(0))]
            }
            AnswerKind::Refused | AnswerKind::Done | AnswerKind::NeverPlaced => {
                vec![(Fate::Nothing, Minor(0))]
            }
        }
    }

    // ---- records ----

    /// Decides a record's command, and checks what the record says came of it. The answer that was
    /// to be given.
    ///
    /// # Errors
    /// What the rules say against it. The auditor is of no use afterwards.
    pub fn sequenced(
        &mut self,
        seq: Seq,
        at: Timestamp,
        bytes: &[u8],
        events: &[u8],
    ) -> Checked<Answer> {
        let found: Vec<Event> = EventReader::new(events)
            .collect::<Result<_, _>>()
            .map_err(|e| format!("the events of {seq} cannot be read: {e}"))?;
        let (header, command) = decode(bytes).map_err(|e| format!("{seq} is no command: {e}"))?;
        rule(seq.0 == self.seq + 1, || format!("{seq} follows #{}", self.seq))?;
        rule(self.now <= at.0, || format!("time went back at {seq}"))?;
        let kind = Kind::from_code(header.kind).ok_or("a command without a kind")?;
        let ring = match kind.lane() {
            Lane::Engine => None,
            Lane::Control | Lane::Feed => Some(Ring::Control),
            Lane::Customer => Some(Ring::Bets),
        };
        self.may_sequence(ring, at.0, bytes).map_err(|what| format!("{seq}: {what}"))?;
        self.seq = seq.0;
        self.now = at.0;
        self.told.clear();
        let answered = found.iter().find_map(|event| match event {
            Event::Answered(answered) => Some(*answered),
            _ => None,
        });
        let wrong = |what: String| format!("{seq} {}: {what}", describe(bytes));

        if matches!(command, Command::Step(_)) {
            self.step(&command, &found).map_err(wrong)?;
            return Ok(Answer::done(seq, 0));
        }
        let given = answered.map_or(0, |answered| answered.answer.id);
        let money_before = self.all_money();
        let decided = self.decide(&header, &command, given, answered.map(|a| a.answer));
        let answer = match decided {
            Ok(Ok(answer)) => answer,
            Ok(Err(refusal)) => {
                // Check everything, then change everything: a refusal changes nothing but its key.
                let name = refusal.reject().map_or("?", Reject::name);
                *self.hits.refusals.entry(name.to_owned()).or_default() += 1;
                // (A feed's message that is refused was heard all the same.)
                let heard = |event: &Event| matches!(event, Event::FeedChanged(_));
                let nothing = self.told.iter().all(heard) && money_before == self.all_money();
                rule(nothing, || {
                    wrong(format!("the auditor changed something before it refused with {refusal}"))
                })?;
                refusal
            }
            Err(what) => return Err(wrong(what)),
        };
        if header.key != RequestKey::NONE {
            let sealed = kind == Kind::Resolve;
            self.keep(&header, bytes, answer, sealed);
            self.told.push(Event::Answered(Answered {
                account: header.account,
                digest: answered.map_or(0, |answered| answered.digest),
                key: header.key,
                valid_until: Timestamp(valid_until(bytes)),
                answer,
                sealed: u64::from(sealed),
            }));
        }
        let found: Vec<Event> =
            found.into_iter().filter(|event| !matches!(event, Event::EventHash(_))).collect();
        if found != self.told {
            let at = found.iter().zip(&self.told).take_while(|(a, b)| a == b).count();
            return Err(wrong(format!(
                "the record says\n  {}\nand the rules say\n  {}",
                found.get(at).map_or("nothing".to_owned(), |event| format!("{event:?}")),
                self.told.get(at).map_or("nothing".to_owned(), |event| format!("{event:?}")),
            )));
        }
        self.invariants().map_err(wrong)?;
        Ok(answer)
    }

    fn keep(&mut self, header: &Header, bytes: &[u8], answer: Answer, sealed: bool) {
        let asked =
            Asked { content: content(bytes), valid_until: valid_until(bytes), answer, sealed };
        let before = self.asked.insert((header.account, header.key.0), asked);
        // One that time had forgotten may still have had its place.
        if before.is_none() {
            self.places_taken.0 += 1;
        }
        self.places_taken.1 += 1;
    }

    fn all_money(&self) -> (Vec<i128>, BTreeMap<(u16, u8), i128>, usize) {
        let balances = self.accounts.values().map(|account| account.balance).collect();
        (balances, self.house.clone(), self.bets.len())
    }

    /// What must hold of the auditor's own books, whatever was decided.
    fn invariants(&self) -> Checked {
        for currency in &self.currencies {
            let customers: i128 = self
                .accounts
                .values()
                .filter(|account| account.currency == *currency)
                .map(|account| account.balance)
                .sum();
            let house: i128 = self
                .house
                .iter()
                .filter(|((of, _), _)| of == currency)
                .map(|(_, balance)| balance)
                .sum();
            rule(customers + house == 0, || {
                format!("money is conserved: currency {currency} sums to {}", customers + house)
            })?;
            let stakes: i128 = self
                .bets
                .values()
                .filter(|bet| bet.currency == *currency)
                .filter(|bet| matches!(bet.state, BetState::Open | BetState::Offered))
                .map(|bet| bet.stake)
                .sum();
            let escrow = self.house_balance(*currency, HouseAccount::Escrow);
            rule(stakes == escrow, || {
                format!("escrow {escrow} is the stakes {stakes} of open and offered bets")
            })?;
        }
        let overdrawn = self.accounts.iter().find(|(_, account)| account.balance < 0);
        rule(overdrawn.is_none(), || format!("{overdrawn:?} is overdrawn"))
    }

    fn house_balance(&self, currency: u16, account: HouseAccount) -> i128 {
        self.house.get(&(currency, account as u8)).copied().unwrap_or(0)
    }

    fn no(&self, reject: Reject) -> Answer {
        Answer::refused(reject, Seq(self.seq))
    }

    fn done(&self, id: u64) -> Answer {
        Answer::done(Seq(self.seq), id)
    }

    /// A new handle: never given before.
    fn fresh(&mut self, letter: char, id: u64) -> Checked {
        rule(id >> 32 != 0, || format!("{letter} {id:#x} has no generation"))?;
        rule(self.given.insert((letter, id)), || format!("{letter} {id:#x} was given twice"))
    }

    fn transfer(
        &mut self,
        currency: u16,
        from: Side,
        to: Side,
        amount: i128,
        why: TransferWhy,
        bet: u64,
    ) {
        let mut post = |side: Side, amount: i128| match side {
            Side::Customer(id) => {
                self.accounts.entry(id).and_modify(|account| account.balance += amount);
                LedgerAccount::customer(AccountId::from_raw(id))
            }
            Side::House(account) => {
                *self.house.entry((currency, account as u8)).or_default() += amount;
                LedgerAccount::house(account, currency)
            }
        };
        let (from, to) = (post(from, -amount), post(to, amount));
        self.told.push(Event::Transfer(Transfer {
            from,
            to,
            amount: money(amount),
            bet: BetId::from_raw(bet),
            currency,
            why: why as u8,
            zero: [0; 5],
        }));
    }

    fn use_currency(&mut self, currency: u16) -> bool {
        if self.currencies.contains(&currency) {
            return true;
        }
        let room = self.currencies.len() < self.capacities.currencies as usize;
        if room {
            self.currencies.push(currency);
        }
        room
    }

    fn decide(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        given: u64,
        answered: Option<Answer>,
    ) -> Checked<Decided> {
        let lane = Kind::from_code(header.kind).map(Kind::lane);
        let registers = matches!(command, Command::RegisterActor(..));
        if matches!(lane, Some(Lane::Control | Lane::Feed))
            && !registers
            && !(1..=self.actors.len() as u64).contains(&header.account)
        {
            return Ok(Err(self.no(Reject::ActorUnknown)));
        }
        Ok(match command {
            Command::Genesis(body) => {
                self.genesis = Some(*body);
                Ok(self.done(0))
            }
            Command::EpochOpened(body) => Ok(self.run_begins(body)),
            Command::Tick(_) | Command::Step(_) => Ok(self.done(0)),
            Command::Quarantine(body) => self.quarantine(body),
            Command::RegisterActor(_, names) => self.register_actor(names.first()),
            Command::DefineFeed(body, names) => self.define_feed(body, names.first()),
            Command::DefineFixture(_, names) => {
                return self.define_fixture(names.first(), given);
            }
            Command::DefineMarket(body, names) => return self.define_market(body, *names, given),
            Command::OpenMarket(body) => self.open(body.market),
            Command::CloseMarket(body) => self.close(body.market),
            Command::Suspend(body) => self.suspend(body.level, body.id, body.owner, true),
            Command::Release(body) => self.suspend(body.level, body.id, body.owner, false),
            Command::WithdrawSelection(body) => self.take_out(body),
            Command::MarketResult(body, entries) => self.result(body, *entries),
            Command::ArchiveMarket(body) => self.archive(body.market),
            Command::SetLimits(body) => self.set_limits(body),
            Command::BlockAccount(body) => self.block(body),
            Command::LiftQuarantine(body) => {
                if self.quarantined.remove(&(body.account, body.key.0)) {
                    self.told.push(Event::QuarantineChanged(QuarantineChanged {
                        account: body.account,
                        held: 0,
                        key: body.key,
                    }));
                    Ok(self.done(0))
                } else {
                    Err(self.no(Reject::NotAllowed))
                }
            }
            Command::SetPrices(body, entries) => self.set_prices(header, body, *entries),
            Command::FeedHeartbeat(body) => {
                self.feed_says(header, body.feed, body.feed_seq, body.source, Says::Alive)
            }
            Command::FeedGap(body) => {
                self.feed_says(header, body.feed, body.feed_seq, body.source, Says::Gap)
            }
            Command::FeedRecovered(body) => {
                self.feed_says(header, body.feed, body.feed_seq, body.source, Says::Recovered)
            }
            Command::OpenAccount(body) => return self.open_account(header, body, given),
            Command::Deposit(body) => self.deposit(header, body.amount),
            Command::Withdraw(body) => self.withdraw(header, body.amount),
            Command::Place(body) => return self.place(header, body, given, answered),
            Command::AcceptOffer(body) => self.accept(header, body.bet.raw(), answered),
            Command::DeclineOffer(body) => self.decline(header, body.bet.raw(), answered),
            Command::Resolve(_) => Ok(Answer::of(AnswerKind::NeverPlaced, Seq(self.seq))),
        })
    }

    fn run_begins(&mut self, body: &EpochOpened) -> Answer {
        self.epoch = body.epoch.0;
        self.rules_version = body.rules_version;
        self.capacities = self.capacities.grown(body.capacities);
        // Nobody knows what was missed: offers can no longer be taken, feeds have to recover.
        self.everything.last = self.seq;
        for feed in self.feeds.iter_mut().skip(1) {
            feed.goes_down(self.seq);
            feed.last_number = 0;
        }
        self.told.push(Event::RunBegan(RunBegan { epoch: body.epoch, zero: 0 }));
        self.done(u64::from(body.epoch.0))
    }

    fn quarantine(&mut self, body: &Quarantine) -> Decided {
        let request = (body.account, body.key.0);
        let room = self.quarantined.len() < self.capacities.quarantined as usize;
        if !self.quarantined.contains(&request) && !room {
            return Err(self.no(Reject::Full));
        }
        self.quarantined.insert(request);
        let (account, key) = (body.account, body.key);
        self.told.push(Event::QuarantineChanged(QuarantineChanged { account, held: 1, key }));
        Ok(self.done(0))
    }

    fn register_actor(&mut self, name: &str) -> Decided {
        if let Some(at) = self.actors.iter().position(|known| known == name) {
            return Ok(self.done(at as u64 + 1));
        }
        if self.actors.len() == self.capacities.actors as usize {
            return Err(self.no(Reject::Full));
        }
        self.actors.push(name.to_owned());
        let id = self.actors.len() as u64;
        let kind = Kind::RegisterActor as u8;
        self.told.push(Event::Named(Named { id, kind, zero: [0; 7] }));
        Ok(self.done(id))
    }

    fn define_feed(&mut self, body: &DefineFeed, name: &str) -> Decided {
        if let Some(at) = self.feed_names.iter().position(|known| known == name) {
            return Err(and(self.no(Reject::NameTaken), |no| no.id = at as u64 + 1));
        }
        if self.feed_names.len() == self.capacities.feeds as usize {
            return Err(self.no(Reject::Full));
        }
        self.feed_names.push(name.to_owned());
        self.feeds.push(Feed {
            up: false,
            generation: 1,
            last_number: 0,
            heard: None,
            heartbeat: None,
            silence_bound: body.silence_bound.0,
            delay_bound: body.delay_bound.0,
            quickest: None,
            suspended: Suspended::default(),
        });
        let id = self.feed_names.len() as u64;
        let kind = Kind::DefineFeed as u8;
        self.told.push(Event::Named(Named { id, kind, zero: [0; 7] }));
        Ok(self.done(id))
    }

    fn define_fixture(&mut self, name: &str, given: u64) -> Checked<Decided> {
        if let Some(id) = self.fixture_names.get(name) {
            return Ok(Err(and(self.no(Reject::NameTaken), |no| no.id = *id)));
        }
        if self.fixtures.len() == self.capacities.fixtures as usize {
            return Ok(Err(self.no(Reject::Full)));
        }
        self.fresh('X', given)?;
        self.fixture_names.insert(name.to_owned(), given);
        self.fixtures.insert(given, Fixture { suspended: Suspended::default() });
        let kind = Kind::DefineFixture as u8;
        self.told.push(Event::Named(Named { id: given, kind, zero: [0; 7] }));
        Ok(Ok(self.done(given)))
    }

    fn define_market(
        &mut self,
        body: &DefineMarket,
        names: Names<'_>,
        given: u64,
    ) -> Checked<Decided> {
        let name = names.first();
        if let Some((id, _)) = self.markets.iter().find(|(_, market)| market.name == name) {
            return Ok(Err(and(self.no(Reject::NameTaken), |no| no.id = *id)));
        }
        let fixture = body.fixture.raw();
        if fixture != 0 && !self.fixtures.contains_key(&fixture) {
            return Ok(Err(self.no(Reject::FixtureUnknown)));
        }
        if self.feeds.len() <= usize::from(body.feed.0) {
            return Ok(Err(self.no(Reject::FeedUnknown)));
        }
        if body.kind != MarketKind::Fixed as u8 {
            return Ok(Err(self.no(Reject::NotAllowed)));
        }
        if self.markets.len() == self.capacities.markets as usize {
            return Ok(Err(self.no(Reject::Full)));
        }
        // Selections take blocks of a power of two, which are given back but never split.
        let block = u32::from(body.selections).next_power_of_two();
        let free = self.free_blocks.entry(block).or_default();
        if 0 < *free {
            *free -= 1;
        } else if self.places + block <= self.capacities.selections {
            self.places += block;
        } else {
            return Ok(Err(self.no(Reject::Full)));
        }
        self.fresh('M', given)?;
        let by_hand = body.feed == FeedId::MANUAL;
        let default = self.genesis.map_or(0, |genesis| genesis.age_bound.0);
        let age_bound = match (body.age_bound.0, by_hand) {
            (0, true) => 0,
            (0, false) => default,
            (own, _) => own,
        };
        self.markets.insert(
            given,
            Market {
                name: name.to_owned(),
                status: MarketStatus::Defined,
                feed: body.feed.0,
                fixture,
                winners: usize::from(body.winners),
                age_bound,
                version: 0,
                opened_in: 0,
                settlement: 0,
                job: None,
                handled: 0,
                suspended: Suspended::default(),
                runners: vec![Runner::default(); usize::from(body.selections)],
                limits: BTreeMap::new(),
            },
        );
        self.told.push(Event::MarketDefined(MarketDefined {
            market: MarketId::from_raw(given),
            fixture: body.fixture,
            age_bound: Nanos(age_bound),
            feed: body.feed,
            selections: body.selections,
            winners: body.winners,
            zero: 0,
        }));
        Ok(Ok(self.done(given)))
    }

    /// A step in a market's life: where it leads, as the traders' table says.
    fn market_step(&mut self, id: MarketId, step: &str) -> Result<MarketStatus, Answer> {
        use MarketStatus::*;
        let Some(market) = self.markets.get(&id.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let from = market.status;
        let before_result = matches!(from, Defined | Open | Closed);
        let to = match step {
            "open" if before_result => Some(Open),
            "close" if before_result => Some(Closed),
            "result" if before_result => Some(Settling),
            "archive" if from == Settled => Some(Archiving),
            _ => None,
        };
        *self.hits.markets.entry((from.to_string(), step.to_owned())).or_default() += 1;
        to.ok_or_else(|| self.no(Reject::NotAllowed))
    }

    fn market_goes_to(&mut self, id: MarketId, status: MarketStatus) {
        if let Some(market) = self.markets.get_mut(&id.raw()) {
            market.status = status;
        }
        let change = MarketChanged { market: id, status: status as u8, zero: [0; 7] };
        self.told.push(Event::MarketChanged(change));
    }

    fn open(&mut self, id: MarketId) -> Decided {
        let to = self.market_step(id, "open")?;
        let epoch = self.epoch;
        self.markets.entry(id.raw()).and_modify(|market| market.opened_in = epoch);
        self.market_goes_to(id, to);
        Ok(self.done(id.raw()))
    }

    fn close(&mut self, id: MarketId) -> Decided {
        let to = self.market_step(id, "close")?;
        self.ends_offers(id);
        self.market_goes_to(id, to);
        Ok(self.done(id.raw()))
    }

    /// What was offered before this can no longer be taken.
    fn ends_offers(&mut self, id: MarketId) {
        let seq = self.seq;
        self.markets.entry(id.raw()).and_modify(|market| market.suspended.last = seq);
    }

    fn result(&mut self, body: &MarketResult, entries: Entries<'_, ResultEntry>) -> Decided {
        let Some(market) = self.markets.get(&body.market.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let named: BTreeSet<usize> =
            entries.iter().map(|entry| usize::from(entry.selection.0)).collect();
        let all: BTreeSet<usize> = (0..market.runners.len()).collect();
        if named != all {
            return Err(self.no(Reject::SelectionUnknown));
        }
        let winners = market.winners;
        let to = self.market_step(body.market, "result")?;
        if winners < entries.iter().filter(|e| e.outcome() == SelectionOutcome::Win).count() {
            return Err(self.no(Reject::TooManyWinners));
        }
        let seq = self.seq;
        let mut settlement = 0;
        if let Some(market) = self.markets.get_mut(&body.market.raw()) {
            for entry in entries.iter() {
                market.runners[usize::from(entry.selection.0)].outcome = Some(entry.outcome());
            }
            market.settlement += 1;
            market.handled = 0;
            settlement = market.settlement;
        }
        self.ends_offers(body.market);
        self.market_goes_to(body.market, to);
        let (market, job) = (body.market, JobId(seq));
        self.told.push(Event::ResultRecorded(ResultRecorded { market, job, settlement, zero: 0 }));
        Ok(self.start_job(market, JobKind::Settle))
    }

    fn start_job(&mut self, market: MarketId, kind: JobKind) -> Answer {
        let seq = self.seq;
        self.markets.entry(market.raw()).and_modify(|market| market.job = Some((seq, kind)));
        let started = JobStarted { job: JobId(seq), market, kind: kind as u8, zero: [0; 7] };
        self.told.push(Event::JobStarted(started));
        Answer::started(Seq(seq), market)
    }

    fn archive(&mut self, id: MarketId) -> Decided {
        let to = self.market_step(id, "archive")?;
        self.market_goes_to(id, to);
        Ok(self.start_job(id, JobKind::Archive))
    }

    fn suspend(&mut self, level: u8, id: u64, owner: u8, on: bool) -> Decided {
        let unknown = |reject| Answer::refused(reject, Seq(self.seq));
        let seq = self.seq;
        let suspended = match Level::from_code(level) {
            Some(Level::Engine) => &mut self.everything,
            Some(Level::Feed) => {
                let at = usize::try_from(id).unwrap_or(usize::MAX);
                match self.feeds.get_mut(at) {
                    Some(feed) if at != 0 => &mut feed.suspended,
                    _ => return Err(unknown(Reject::FeedUnknown)),
                }
            }
            Some(Level::Fixture) => match self.fixtures.get_mut(&id) {
                Some(fixture) => &mut fixture.suspended,
                None => return Err(unknown(Reject::FixtureUnknown)),
            },
            Some(Level::Market) | None => match self.markets.get_mut(&id) {
                Some(market) => &mut market.suspended,
                None => return Err(unknown(Reject::MarketUnknown)),
            },
        };
        if on {
            suspended.owners.insert(owner);
            suspended.last = seq;
        } else {
            suspended.owners.remove(&owner);
        }
        let owners = suspended.owners.iter().fold(0, |bits, owner| bits | 1 << owner);
        self.told.push(if on {
            Event::LevelSuspended(LevelSuspended { id, level, owner, owners, zero: [0; 5] })
        } else {
            Event::LevelReleased(LevelReleased { id, level, owner, owners, zero: [0; 5] })
        });
        Ok(self.done(id))
    }

    fn take_out(&mut self, body: &WithdrawSelection) -> Decided {
        use MarketStatus::*;
        let Some(market) = self.markets.get_mut(&body.market.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let Some(runner) = market.runners.get_mut(usize::from(body.selection.0)) else {
            return Err(self.no(Reject::SelectionUnknown));
        };
        if !matches!(market.status, Defined | Open | Closed) {
            return Err(self.no(Reject::NotAllowed));
        }
        runner.out = body.withdrawn == 1;
        self.ends_offers(body.market);
        self.told.push(Event::SelectionChanged(SelectionChanged {
            market: body.market,
            selection: body.selection,
            withdrawn: body.withdrawn,
            zero: [0; 5],
        }));
        Ok(self.done(body.market.raw()))
    }

    fn set_limits(&mut self, body: &SetLimits) -> Decided {
        let of_market = body.scope == LimitScope::Market as u8;
        if of_market && !self.markets.contains_key(&body.market.raw()) {
            return Err(self.no(Reject::MarketUnknown));
        }
        if !self.use_currency(body.currency) {
            return Err(self.no(Reject::CurrencyUnknown));
        }
        let (currency, limits) = (body.currency, body.limits);
        if of_market {
            self.markets.entry(body.market.raw()).and_modify(|market| {
                market.limits.insert(currency, limits);
            });
        } else {
            self.currency_limits.insert(currency, limits);
        }
        let change = LimitsChanged { market: body.market, currency, zero: [0; 6] };
        self.told.push(Event::LimitsChanged(change));
        Ok(self.done(0))
    }

    fn block(&mut self, body: &BlockAccount) -> Decided {
        let Some(account) = self.accounts.get_mut(&body.account.raw()) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        account.blocked = body.blocked == 1;
        let (account, blocked) = (body.account, body.blocked);
        self.told.push(Event::AccountChanged(AccountChanged { account, blocked, zero: [0; 7] }));
        Ok(self.done(account.raw()))
    }

    // ---- customers' money ----

    fn open_account(
        &mut self,
        header: &Header,
        body: &OpenAccount,
        given: u64,
    ) -> Checked<Decided> {
        if header.account != 0 {
            return Ok(Err(self.no(Reject::AccountUnknown)));
        }
        let same = self.accounts.iter().find(|(_, account)| account.reference == body.reference);
        if let Some((id, _)) = same {
            return Ok(Err(and(self.no(Reject::AccountExists), |no| no.id = *id)));
        }
        let room = self.currencies.len() < self.capacities.currencies as usize;
        if !self.currencies.contains(&body.currency) && !room {
            return Ok(Err(self.no(Reject::CurrencyUnknown)));
        }
        if self.accounts.len() == self.capacities.accounts as usize {
            return Ok(Err(self.no(Reject::Full)));
        }
        self.use_currency(body.currency);
        self.fresh('A', given)?;
        let (reference, currency) = (body.reference, body.currency);
        self.accounts.insert(given, Account { reference, currency, balance: 0, blocked: false });
        self.told.push(Event::AccountOpened(AccountOpened {
            account: AccountId::from_raw(given),
            reference,
            currency,
            zero: [0; 6],
        }));
        Ok(Ok(self.done(given)))
    }

    fn deposit(&mut self, header: &Header, amount: Minor) -> Decided {
        let Some(account) = self.accounts.get(&header.account) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        if account.blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        let too_much = i128::from(Money::MAX.minor()) < account.balance + i128::from(amount.0);
        if too_much || !self.has_room_for(header.account, i128::from(amount.0)) {
            return Err(self.no(Reject::BalanceLimit));
        }
        let (world, customer) = (Side::House(HouseAccount::World), Side::Customer(header.account));
        let currency = account.currency;
        let amount_wide = i128::from(amount.0);
        self.transfer(currency, world, customer, amount_wide, TransferWhy::Deposit, 0);
        Ok(and(self.done(header.account), |done| done.amount = amount))
    }

    /// Whether everything that may yet be won still fits beside the balance.
    fn has_room_for(&self, id: u64, more: i128) -> bool {
        let waits = |bet: &&Bet| {
            bet.account == id && matches!(bet.state, BetState::Open | BetState::Offered)
        };
        let won: i128 = self.bets.values().filter(waits).map(|bet| bet.returns).sum();
        let balance = self.accounts.get(&id).map_or(0, |account| account.balance);
        balance + won + more <= i128::from(i64::MAX)
    }

    fn withdraw(&mut self, header: &Header, amount: Minor) -> Decided {
        let Some(account) = self.accounts.get(&header.account) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        if account.blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        if account.balance < i128::from(amount.0) {
            return Err(self.no(Reject::FundsInsufficient));
        }
        let (world, customer) = (Side::House(HouseAccount::World), Side::Customer(header.account));
        let currency = account.currency;
        let amount_wide = i128::from(amount.0);
        self.transfer(currency, customer, world, amount_wide, TransferWhy::Withdraw, 0);
        Ok(and(self.done(header.account), |done| done.amount = amount))
    }
}

#[derive(Clone, Copy)]
enum Side {
    Customer(u64),
    House(HouseAccount),
}

/// What is to be said of an attempt before it is given a sequence.
enum Before {
    Sequence,
    Refuse(Answer),
    /// Both are right: nobody outside can know whether a place is free already.
    RefuseOrSequence(Answer),
    Repeat(Answer, Vec<(Fate, Minor)>),
}

impl std::fmt::Display for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Before::Sequence => f.write_str("that it has to be decided"),
            Before::Refuse(answer) => write!(f, "{answer}, without a record"),
            Before::RefuseOrSequence(answer) => write!(f, "{answer}, or that it is decided"),
            Before::Repeat(answer, fates) => {
                write!(f, "that it repeats {answer} (seq {}), {fates:?}", answer.seq)
            }
        }
    }
}

fn valid_until(bytes: &[u8]) -> i64 {
    bytes.get(64..72).and_then(|b| b.try_into().ok()).map_or(0, i64::from_le_bytes)
}

/// Everything of a request that can change its decision: not where its reply goes, not which attempt
/// it is, nor whether it says that it is a retry, nor when it was received, nor its trace.
fn content(bytes: &[u8]) -> Vec<u8> {
    let mut content = bytes.to_vec();
    content[2] &= !(Header::RETRY as u8);
    content[6..8].fill(0);
    content[32..64].fill(0);
    content[72..80].fill(0);
    content
}

/// A command in a few words.
pub fn describe(bytes: &[u8]) -> String {
    match decode(bytes) {
        Err(what) => format!("bytes that are no command ({what})"),
        Ok((header, command)) => {
            let kind = Kind::from_code(header.kind).map_or("?", Kind::name);
            let token = bytes.first_chunk::<SLOT>().map(|bytes| Slot(*bytes).token().0);
            let body = format!("{command:?}").chars().take(400).collect::<String>();
            format!(
                "{kind} of {:#x} under {} (token {:?}, client {}): {body}",
                header.account,
                header.key,
                token.unwrap_or(0),
                header.client
            )
        }
    }
}
