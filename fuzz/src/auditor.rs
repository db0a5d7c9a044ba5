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

mod bands;
mod cash;
mod compare;
mod exchange;
mod feeds;
mod groups;
mod holds;
mod judge;
mod liability;
mod lines;
mod own_limits;
mod place;
mod prices;
mod rules;
mod settle;
mod steps;
mod waits;

use betring_core::BetState;
use betring_core::answer::{Answer, AnswerKind, Fate, Reply};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::{Malformed, Reject};
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, Name, SLOT, Slot, WirePrice};
use betring_pricing::{LegNumbers, Money};
use std::collections::{BTreeMap, BTreeSet};

use exchange::Exchange;
use feeds::{Message, Says};
use groups::Group;
use holds::Hold;
pub use judge::OpenBet;
use lines::{ALL_ODDS, Lines, OfOdds};
use own_limits::OwnLimits;
use prices::{Pin, Quote};
pub use rules::OwnRules;

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
    status: FeedStatus,
    /// The adapter's number of its request to send everything, since the feed last was up or went down.
    request: u64,
    /// The version that its messages have to say; 0: any.
    schema: u32,
    /// Whether its messages take longer than they may.
    slow: bool,
    generation: u32,
    last_number: u64,
    heard: Option<i64>,
    heartbeat: Option<i64>,
    silence_bound: i64,
    delay_bound: i64,
    quickest: Option<i64>,
    /// How long the last message with a time was on its way, if nobody believed that.
    odd: Option<i64>,
    suspended: Suspended,
    frozen: Suspended,
}

#[derive(Clone, Debug)]
struct Fixture {
    starts: i64,
    suspended: Suspended,
    frozen: Suspended,
}

#[derive(Clone, Debug)]
struct Account {
    reference: u64,
    currency: u16,
    balance: i128,
    bonus: i128,
    blocked: bool,
    external: bool,
    synthetic: bool,
    excluded_until: i64,
    own: Option<OwnLimits>,
}

#[derive(Clone, Debug, Default)]
struct Runner {
    /// Of the market's feed, and of the one that stands by.
    quotes: [Quote; 2],
    pin: Option<Pin>,
    /// Whether the feeds are further apart on it than they may be.
    over: bool,
    /// The band that its liability is in, and by how many its prices are shortened.
    band: u8,
    steps: u8,
    suspended: Suspended,
    out: bool,
    /// Whether its withdrawal takes something from winnings, since when, and by which price.
    deducts: bool,
    withdrawn_seq: u64,
    withdrawn_at: WirePrice,
    result: Option<ResultEntry>,
}

/// A window of a market's bets that was cancelled, or not any more.
#[derive(Clone, Debug)]
struct Window {
    from: i64,
    until: i64,
    source: i64,
    active: bool,
}

#[derive(Clone, Debug)]
struct Market {
    name: String,
    status: MarketStatus,
    feed: u16,
    /// 0: none.
    group: u16,
    tier: u8,
    canary: bool,
    /// Since when its feeds are further apart than its tier allows.
    drift_since: i64,
    fixture: u64,
    winners: usize,
    age_bound: i64,
    version: u64,
    opened_in: u32,
    settlement: u32,
    job: Option<(u64, JobKind)>,
    /// The job that begins when that one ends.
    queued: Option<(u64, JobKind)>,
    in_play: bool,
    delay: i64,
    each_way: u8,
    places: u8,
    part: OfOdds,
    /// Whether any withdrawal took something from winnings.
    deducts: bool,
    windows: Vec<Window>,
    certainty: u8,
    result_source: i64,
    rolled_back: i64,
    suspended: Suspended,
    frozen: Suspended,
    runners: Vec<Runner>,
    limits: BTreeMap<u16, Limits>,
    /// Its bets meet each other, not the house.
    exchange: bool,
}

/// One leg of a bet.
#[derive(Clone, Debug)]
struct Leg {
    market: u64,
    selection: usize,
    requested: WirePrice,
    requested_version: u64,
    price: WirePrice,
    version: u64,
    price_age: i64,
    settles_at: WirePrice,
    places: u8,
    part: OfOdds,
    reach: i128,
    feed: u16,
    /// What was brought to it of its market's result.
    known: Option<LegNumbers>,
    /// Of a single, while a job runs: what may have been brought to it without a word.
    may_be: Vec<Option<LegNumbers>>,
    /// Its market has left memory.
    gone: bool,
}

/// What a customer agreed to when asking for a cash-out.
#[derive(Clone, Copy, Debug)]
struct Ask {
    take: i128,
    accept: i128,
    seq: u64,
    policy: u8,
    slippage: u16,
    auto: bool,
}

#[derive(Clone, Debug)]
struct Bet {
    account: u64,
    currency: u16,
    stake: i128,
    returns: i128,
    /// The most that it pays, where the house pays a cap.
    cap: Option<i128>,
    paid: i128,
    cashed: i128,
    legs: Vec<Leg>,
    lines: Lines,
    /// Placed by the command for singles.
    single: bool,
    bonus: bool,
    cancelled: bool,
    policy: u8,
    slippage: u16,
    floor: u64,
    unit: i128,
    synthetic: bool,
    ruleset: usize,
    basis: u8,
    settlements: u32,
    placed_seq: u64,
    placed_at: i64,
    /// When its stake was taken from a customer who had limits of its own.
    taken_at: Option<i64>,
    /// When it was last paid to such a customer.
    paid_on: Option<i64>,
    until: i64,
    state: BetState,
    key: RequestKey,
    ask: Option<Ask>,
    auto: i128,
    hold: Option<Hold>,
}

impl Bet {
    /// Where its stake came from.
    fn money_from(&self) -> Side {
        if self.bonus { Side::Bonus(self.account) } else { Side::Customer(self.account) }
    }
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
    /// What was told of orders and positions.
    pub exchange: BTreeMap<String, u64>,
}

/// Every step that a bet may take, by the state in which it takes it.
const BET_STEPS: &[(&str, &str)] = &[
    ("-", "place"),
    ("-", "offer"),
    ("-", "delay"),
    ("-", "refer"),
    ("-", "hold"),
    ("Held", "accept"),
    ("Held", "offer"),
    ("Held", "reject"),
    ("Held", "delay"),
    ("Held", "refer"),
    ("Delayed", "accept"),
    ("Delayed", "offer"),
    ("Delayed", "reject"),
    ("Referred", "trader accepts"),
    ("Referred", "trader counters"),
    ("Referred", "trader declines"),
    ("Referred", "reject"),
    ("Offered", "accept"),
    ("Offered", "decline"),
    ("Offered", "end offer"),
    ("Open", "win"),
    ("Open", "lose"),
    ("Open", "void"),
    ("Open", "partial"),
    ("Open", "cash out"),
    ("CashingOut", "keep open"),
    ("CashingOut", "sold"),
    ("Won", "reverse"),
    ("Lost", "reverse"),
    ("Void", "reverse"),
    ("Partial", "reverse"),
    ("Rejected", "archive"),
    ("OfferEnded", "archive"),
    ("Won", "archive"),
    ("Lost", "archive"),
    ("Void", "archive"),
    ("Partial", "archive"),
    ("CashedOut", "archive"),
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
    ("Settling", "result"),
    ("Settling", "rollback"),
    ("Settling", "settle end"),
    ("Settled", "result"),
    ("Settled", "rollback"),
    ("Settled", "archive"),
    ("Archiving", "archive end"),
];

impl Hits {
    /// The steps that were allowed and never taken.
    pub fn never(&self) -> Vec<String> {
        self.missing(|_, _| true)
    }

    /// Those of an engine that is asked one thing at a time: between two questions it has settled all there
    /// is. One that is asked for singles alone makes nothing wait, buys nothing back, and takes no result back.
    pub(crate) fn never_in_turn(&self, singles: bool) -> Vec<String> {
        self.missing(|from, step| {
            let many =
                ["Held", "Delayed", "Referred", "CashingOut", "CashedOut", "Partial", "Rejected"];
            let more = ["hold", "delay", "refer", "partial", "cash out", "rollback"];
            let settles = from == "Settling" && step != "settle end";
            !settles && !(singles && (many.contains(&from) || more.contains(&step)))
        })
    }

    /// What is told of orders and positions, and never was.
    pub fn never_on_exchanges(&self) -> Vec<String> {
        let all = exchange::words();
        all.into_iter().filter(|word| !self.exchange.contains_key(word)).collect()
    }

    fn missing(&self, is_wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let mut missing = Vec::new();
        for (what, steps, hits) in
            [("bet", BET_STEPS, &self.bets), ("market", MARKET_STEPS, &self.markets)]
        {
            for (from, step) in steps {
                let taken = hits.contains_key(&((*from).to_owned(), (*step).to_owned()));
                if !taken && is_wanted(from, step) {
                    missing.push(format!("{what}: {from} -> {step}"));
                }
            }
        }
        missing
    }

    /// Bets that were placed, offered at another price, or made to wait.
    pub fn placed(&self) -> u64 {
        let times = |step: &str| self.bets.get(&("-".to_owned(), step.to_owned())).copied();
        ["place", "offer", "delay", "refer", "hold"].into_iter().filter_map(times).sum()
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
        for (word, hits) in &other.exchange {
            *self.exchange.entry(word.clone()).or_default() += hits;
        }
    }
}

impl std::fmt::Display for Hits {
    /// Both tables with their counts, what is not allowed and was tried too; then the refusals.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (what, steps, hits) in
            [("bet", BET_STEPS, &self.bets), ("market", MARKET_STEPS, &self.markets)]
        {
            writeln!(f, "{what:<11}{:<16}{:>10}", "step", "times")?;
            for ((from, step), times) in hits {
                let allowed = steps.contains(&(from.as_str(), step.as_str()));
                let note = if allowed { "" } else { "  (not allowed: refused)" };
                writeln!(f, "{from:<11}{step:<16}{times:>10}{note}")?;
            }
        }
        for never in self.never() {
            writeln!(f, "never: {never}")?;
        }
        for (word, times) in &self.exchange {
            writeln!(f, "{word:<27}{times:>10}")?;
        }
        for never in self.never_on_exchanges() {
            writeln!(f, "never: {never}")?;
        }
        let refusals: Vec<String> =
            self.refusals.iter().map(|(name, times)| format!("{name} {times}")).collect();
        write!(f, "refusals: {}", refusals.join(", "))
    }
}

/// Every account's balance and bonus money, what is on the house's accounts, and how many bets there are.
type AllMoney = (Vec<(i128, i128)>, BTreeMap<(u16, u8), i128>, usize);

/// The second implementation.
#[derive(Clone)]
pub struct Auditor {
    seq: u64,
    now: i64,
    epoch: u32,
    genesis: Option<Genesis>,
    capacities: Capacities,
    /// The operator's own, which may refuse a bet or reduce its stake.
    rules: Option<OwnRules>,
    rules_version: u32,
    actors: Vec<String>,
    feeds: Vec<Feed>,
    feed_names: Vec<String>,
    groups: Vec<Group>,
    tiers: BTreeMap<u8, SetTier>,
    /// By scope and number: what the largest stake is scaled by, in percent.
    factors: BTreeMap<(u8, u64), u32>,
    /// What was said last of shedding: 0, as the configuration says, or by which word; and by whom.
    shedding: (u8, u64),
    fixtures: BTreeMap<u64, Fixture>,
    fixture_names: BTreeMap<String, u64>,
    accounts: BTreeMap<u64, Account>,
    markets: BTreeMap<u64, Market>,
    /// Places of selections ever taken, and blocks that were given back, by size.
    places: u32,
    free_blocks: BTreeMap<u32, u32>,
    bets: BTreeMap<u64, Bet>,
    exchange: Exchange,
    /// Handles of markets, bets and orders: none is given twice.
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
    all_frozen: Suspended,
    /// Every set of rules that was published; the first is the journal's own.
    rulesets: Vec<Ruleset>,
    /// Waits that may still have their places: when they are due, since when, whose.
    timers: BTreeSet<(i64, u64, u64)>,
    /// Whoever was overdrawn by something that may not do so.
    overdrawn: Option<u64>,
    /// Whether what moves comes in and goes on at once.
    passes_through: bool,
    /// The amount that the answer to be checked names.
    said: Option<Minor>,
    hits: Hits,
    /// What the command being decided has to have told.
    told: Vec<Event>,
    /// What its record says.
    found: Vec<Event>,
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
            rules: None,
            rules_version: 0,
            actors: Vec::new(),
            feeds: vec![Feed {
                status: FeedStatus::Up,
                request: 0,
                schema: 0,
                slow: false,
                generation: 1,
                last_number: 0,
                heard: None,
                heartbeat: None,
                silence_bound: i64::MAX,
                delay_bound: 0,
                quickest: None,
                odd: None,
                suspended: Suspended::default(),
                frozen: Suspended::default(),
            }],
            feed_names: Vec::new(),
            groups: Vec::new(),
            tiers: BTreeMap::new(),
            factors: BTreeMap::new(),
            shedding: (0, 0),
            fixtures: BTreeMap::new(),
            fixture_names: BTreeMap::new(),
            accounts: BTreeMap::new(),
            markets: BTreeMap::new(),
            places: 0,
            free_blocks: BTreeMap::new(),
            bets: BTreeMap::new(),
            exchange: Exchange::default(),
            given: BTreeSet::new(),
            asked: BTreeMap::new(),
            places_taken: (0, 0),
            quarantined: BTreeSet::new(),
            currencies: Vec::new(),
            currency_limits: BTreeMap::new(),
            house: BTreeMap::new(),
            everything: Suspended::default(),
            all_frozen: Suspended::default(),
            rulesets: Vec::new(),
            timers: BTreeSet::new(),
            overdrawn: None,
            passes_through: false,
            said: None,
            hits: Hits::default(),
            told: Vec::new(),
            found: Vec::new(),
        }
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

    /// When load is shed, if somebody has said so.
    pub(crate) fn sheds(&self) -> Option<Shed> {
        Shed::from_code(self.shedding.0)
    }

    /// How often what was done.
    pub fn hits(&self) -> &Hits {
        &self.hits
    }

    /// The customers' accounts.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.accounts.keys().map(|id| AccountId::from_raw(*id))
    }

    /// Whether an account is blocked.
    pub fn is_blocked(&self, account: AccountId) -> bool {
        self.accounts.get(&account.raw()).is_some_and(|account| account.blocked)
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
        self.markets.get(&market.raw()).map(|market| FeedId(self.driving(market)))
    }

    /// The price in force.
    pub fn price(&self, market: MarketId, selection: usize) -> Option<WirePrice> {
        let market = self.markets.get(&market.raw())?;
        let shown = self.on_show(market, market.runners.get(selection)?);
        (!shown.price.is_none()).then_some(shown.price)
    }

    /// The bets that are in a state.
    pub fn bets_in(&self, state: BetState) -> impl Iterator<Item = (BetId, AccountId)> + '_ {
        self.bets
            .iter()
            .filter(move |(_, bet)| bet.state == state)
            .map(|(id, bet)| (BetId::from_raw(*id), AccountId::from_raw(bet.account)))
    }

    /// The market of a bet's first leg.
    pub(crate) fn market_of(&self, bet: BetId) -> Option<MarketId> {
        let bet = self.bets.get(&bet.raw())?;
        bet.legs.first().map(|leg| MarketId::from_raw(leg.market))
    }

    /// How many legs a bet has.
    pub fn legs(&self, bet: BetId) -> usize {
        self.bets.get(&bet.raw()).map_or(0, |bet| bet.legs.len())
    }

    /// What a bet risks, and what all of it would be bought back for now.
    pub fn worth(&self, bet: BetId) -> Option<(Minor, Minor)> {
        let bet = self.bets.get(&bet.raw())?;
        let value = self.value(bet, bet.stake).ok()?;
        Some((money(bet.stake), money(value)))
    }

    /// The feeds, the manual one not counted.
    pub fn feeds(&self) -> impl Iterator<Item = (FeedId, u64)> + '_ {
        let numbers = self.feeds.iter().enumerate().skip(1);
        numbers.map(|(at, feed)| (FeedId(at as u16), feed.last_number))
    }

    /// Where a feed is, the number with which it was last asked to send everything, the version that its
    /// messages have to say.
    pub fn feed(&self, feed: FeedId) -> Option<(FeedStatus, u64, u32)> {
        let feed = self.feeds.get(usize::from(feed.0))?;
        Some((feed.status, feed.request, feed.schema))
    }

    /// The groups, with their primary and their backup, and which of them drives.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, [FeedId; 2], Drives)> + '_ {
        self.groups.iter().zip(1..).map(|(group, number)| {
            let drives = if group.by_backup { Drives::Backup } else { Drives::Primary };
            (GroupId(number), [FeedId(group.primary), FeedId(group.backup)], drives)
        })
    }

    /// The feeds that may set a market's prices.
    pub fn feeds_of(&self, market: MarketId) -> Vec<FeedId> {
        let Some(market) = self.markets.get(&market.raw()) else { return Vec::new() };
        let backup = self.group(market).map(|group| FeedId(group.backup));
        std::iter::once(FeedId(market.feed)).chain(backup).collect()
    }

    /// What a feed sent of a selection, and whether what it sent last is held back.
    pub fn quoted(
        &self,
        market: MarketId,
        selection: usize,
        feed: FeedId,
    ) -> Option<(WirePrice, bool)> {
        let market = self.markets.get(&market.raw())?;
        let slot = self.slot_of(market, feed.0)?;
        let quote = &market.runners.get(selection)?.quotes[slot];
        Some((quote.quoted, quote.held.is_some()))
    }

    /// Whether a trader has pinned the price of a selection.
    pub fn is_pinned(&self, market: MarketId, selection: usize) -> bool {
        let runner = self.markets.get(&market.raw()).and_then(|m| m.runners.get(selection));
        runner.is_some_and(|runner| runner.pin.is_some())
    }

    /// Whether an account is a probe's.
    pub fn is_probe(&self, account: AccountId) -> bool {
        self.accounts.get(&account.raw()).is_some_and(|account| account.synthetic)
    }

    /// The fixtures.
    pub fn fixtures(&self) -> impl Iterator<Item = FixtureId> + '_ {
        self.fixtures.keys().map(|id| FixtureId::from_raw(*id))
    }

    /// The fixture of a market; none if it has none.
    pub fn fixture_of(&self, market: MarketId) -> FixtureId {
        let fixture = self.markets.get(&market.raw()).map_or(0, |market| market.fixture);
        FixtureId::from_raw(fixture)
    }

    /// When the fixture of a market starts; 0 if that is not known.
    fn starts(&self, market: u64) -> Timestamp {
        let fixture = self.markets.get(&market).and_then(|m| self.fixtures.get(&m.fixture));
        Timestamp(fixture.map_or(0, |fixture| fixture.starts))
    }

    /// Why a selection takes no bets now; none if it does.
    pub fn why_no_bets(&self, market: MarketId, selection: usize) -> Option<Reject> {
        let priced = self
            .takes_bets(market, selection)
            .and_then(|market| self.in_force(market, selection).map(|_| ()));
        priced.err().and_then(|no| no.reject())
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
        let legs = match &command {
            Command::Place(_) => 1,
            Command::PlaceTicket(body, _) => i64::from(body.legs),
            _ => 0,
        };
        let ((bets_least, bets_most), (legs_least, legs_most)) = self.in_memory();
        let is_full = |bets: i64, kept: i64| {
            let (bets_room, legs_room) = (self.capacities.bets, self.capacities.legs);
            legs != 0 && (i64::from(bets_room) <= bets || i64::from(legs_room) < kept + legs)
        };
        let bets = (is_full(bets_least, legs_least), is_full(bets_most, legs_most));
        let count = match &command {
            Command::PlaceOrders(body, _) => body.count,
            Command::ReplaceOrders(body, _) => body.count,
            _ => 0,
        };
        let is_beyond =
            |live: i64| count != 0 && i64::from(self.capacities.orders) < live + i64::from(count);
        let (orders_least, orders_most) = self.orders_that_stay();
        if keys.0 || bets.0 || is_beyond(orders_least) {
            refuse(Reject::Overloaded)
        } else if keys.1 || bets.1 || is_beyond(orders_most) {
            Before::RefuseOrSequence(Answer::refused(Reject::Overloaded, Seq(0)))
        } else {
            Before::Sequence
        }
    }

    /// Bets and legs that take a place, at least and at most: while a market is being archived nobody can say
    /// which of its bets have left.
    fn in_memory(&self) -> ((i64, i64), (i64, i64)) {
        let (mut bets, mut legs) = ((0, 0), (0, 0));
        for bet in self.bets.values().filter(|bet| bet.state != BetState::Archived) {
            let stays = i64::from(!self.is_leaving(bet));
            let own = bet.legs.len() as i64;
            bets = (bets.0 + stays, bets.1 + 1);
            legs = (legs.0 + stays * own, legs.1 + own);
        }
        (bets, legs)
    }

    /// Whether a bet may have left memory, or not yet: all its markets have, or are about to.
    fn is_leaving(&self, bet: &Bet) -> bool {
        bet.legs.iter().all(|leg| {
            let market = self.markets.get(&leg.market).filter(|_| !leg.gone);
            market.is_none_or(|market| market.status == MarketStatus::Archiving)
        })
    }

    /// Whether the record refuses so, where nobody outside can know what is right.
    fn answered_with(&self, reject: Reject) -> bool {
        self.found.iter().any(|event| match event {
            Event::Answered(answered) => answered.answer.reject() == Some(reject),
            Event::BetRejected(rejected) => rejected.reject == reject.code(),
            Event::CashOutFailed(failed) => failed.reject == reject.code(),
            _ => false,
        })
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
                    BetState::Held => Fate::Held,
                    BetState::Delayed | BetState::Referred => Fate::Waiting,
                    BetState::Rejected => Fate::Rejected,
                    BetState::CashingOut => Fate::CashingOut,
                    BetState::CashedOut => Fate::CashedOut,
                    BetState::Partial => Fate::Partial,
                    BetState::Offered => Fate::Offered,
                    BetState::Open => Fate::Open,
                    BetState::OfferEnded => Fate::OfferEnded,
                    BetState::Won => Fate::Won,
                    BetState::Lost => Fate::Lost,
                    BetState::Void => Fate::Void,
                    BetState::Archived => return vec![gone],
                };
                let sold = bet.state == BetState::CashedOut;
                let mut fates = vec![(fate, money(if sold { bet.cashed } else { bet.paid }))];
                if self.is_leaving(bet) {
                    fates.push(gone);
                }
                fates
            }
            AnswerKind::Started => {
                let market = self.markets.get(&answer.job_market().raw());
                let jobs = market.map_or([None; 2], |market| [market.job, market.queued]);
                let runs = jobs.into_iter().flatten().any(|(id, _)| id == answer.id);
                vec![(if runs { Fate::JobRunning } else { Fate::JobEnded }, Minor(0))]
            }
            AnswerKind::Ordered => self.fates_of_order(answer.id),
            AnswerKind::Refused
            | AnswerKind::Done
            | AnswerKind::Changed
            | AnswerKind::NeverPlaced => {
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
        self.found.clone_from(&found);
        self.found.retain(|event| !matches!(event, Event::EventHash(_)));
        let answered = found.iter().find_map(|event| match event {
            Event::Answered(answered) => Some(*answered),
            _ => None,
        });
        let wrong = |what: String| format!("{seq} {}: {what}", describe(bytes));
        for word in found.iter().filter_map(exchange::word_of) {
            *self.hits.exchange.entry(word).or_default() += 1;
        }

        if matches!(command, Command::Step(_)) {
            self.step(&command, &found).map_err(wrong)?;
            return Ok(Answer::done(seq, 0));
        }
        let given = answered.map_or(0, |answered| answered.answer.id);
        self.said = answered.map(|answered| answered.answer.amount);
        let money_before = self.all_money();
        let decided = self.decide(&header, &command, given);
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
                valid_until: Timestamp(self.counts_until(bytes, sealed)),
                answer,
                sealed: u64::from(sealed),
            }));
        }
        let found = std::mem::take(&mut self.found);
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

    /// A seal counts until no copy made before the question can execute, whatever limit that named.
    fn counts_until(&self, bytes: &[u8], sealed: bool) -> i64 {
        let latest = self.now.saturating_add(self.window());
        if sealed { valid_until(bytes).max(latest) } else { valid_until(bytes) }
    }

    fn keep(&mut self, header: &Header, bytes: &[u8], answer: Answer, sealed: bool) {
        let valid_until = self.counts_until(bytes, sealed);
        let asked = Asked { content: content(bytes), valid_until, answer, sealed };
        let before = self.asked.insert((header.account, header.key.0), asked);
        // One that time had forgotten may still have had its place.
        if before.is_none() {
            self.places_taken.0 += 1;
        }
        self.places_taken.1 += 1;
    }

    fn all_money(&self) -> AllMoney {
        let balances = self.accounts.values().map(|a| (a.balance, a.bonus)).collect();
        (balances, self.house.clone(), self.bets.len())
    }

    /// What must hold of the auditor's own books, whatever was decided.
    fn invariants(&self) -> Checked {
        for currency in &self.currencies {
            let customers: i128 = self
                .accounts
                .values()
                .filter(|account| account.currency == *currency)
                .map(|account| account.balance + account.bonus)
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
                .filter(|bet| !bet.synthetic && bet.state.in_escrow())
                .map(|bet| bet.stake)
                .sum();
            let escrow = self.house_balance(*currency, HouseAccount::Escrow);
            let held = self.held_on_exchanges(*currency);
            rule(stakes + held == escrow, || {
                format!(
                    "escrow {escrow} is the stakes {stakes} of bets that stand or wait, and {held} that may \
                     be lost on exchanges"
                )
            })?;
            let between = self.house_balance(*currency, HouseAccount::Clearing);
            let due = self.between_winners_and_losers(*currency);
            rule(between == due, || {
                format!("{between} is between who lost and who won, and {due} is not settled yet")
            })?;
        }
        let bonus = self.accounts.iter().find(|(_, account)| account.bonus < 0);
        rule(bonus.is_none(), || format!("{bonus:?} has used more for free bets than it had"))?;
        self.wallets_are_empty()?;
        rule(self.overdrawn.is_none(), || {
            format!("{:?} is overdrawn, and not by a reversal", self.overdrawn)
        })
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
        // What probes do has one other side, and of that nothing needs to move. Whose money it is says whether
        // it is theirs: a correction may name a bet of somebody else.
        let within = [from, to].iter().all(|side| matches!(side, Side::House(_)));
        let probes = [from, to].iter().any(|side| self.is_synthetic(*side))
            || (within && self.bets.get(&bet).is_some_and(|bet| bet.synthetic));
        // Of what is taken back, only the stake of a void comes from the customer to escrow.
        let into_escrow = matches!(to, Side::House(HouseAccount::Escrow));
        let of_house = |side: Side| match side {
            Side::House(_) if probes => Side::House(HouseAccount::Probes),
            side => side,
        };
        let (from, to) = (of_house(from), of_house(to));
        if let (Side::House(one), Side::House(other)) = (from, to)
            && one == other
        {
            return;
        }
        let (owed_by_one, owed_by_other) = (self.owed(from), self.owed(to));
        let through = self.passes_through;
        let sides = [(from, owed_by_one), (to, owed_by_other)];
        let now = self.now;
        let moments = self.bets.get(&bet).map(|bet| [bet.taken_at, bet.paid_on]);
        for (side, came) in [(from, -amount), (to, amount)] {
            if let Side::Customer(id) | Side::Debtor(id) = side {
                self.accounts
                    .entry(id)
                    .and_modify(|account| account.counts(why, came, now, moments, into_escrow));
                let limited = self.accounts.get(&id).is_some_and(|account| account.own.is_some());
                if why == TransferWhy::Stake && limited {
                    self.bets.entry(bet).and_modify(|bet| bet.taken_at = Some(now));
                }
                if why == TransferWhy::Pay && limited {
                    self.bets.entry(bet).and_modify(|bet| bet.paid_on = Some(now));
                }
            }
        }
        let (from, to) = (self.post(currency, from, -amount), self.post(currency, to, amount));
        self.told.push(Event::Transfer(Transfer {
            from,
            to,
            amount: money(amount),
            bet: BetId::from_raw(bet),
            currency,
            why: why as u8,
            zero: [0; 5],
        }));
        for (side, before) in sides {
            let after = self.owed(side);
            if let (Some((account, debt)), Some((_, was))) = (after, before)
                && debt != was
                && !through
            {
                let account = AccountId::from_raw(account);
                let debt = money(debt);
                self.told.push(Event::DebtChanged(DebtChanged {
                    account,
                    debt,
                    currency,
                    zero: [0; 6],
                }));
            }
        }
        if let Side::Customer(id) | Side::Debtor(id) = sides[1].0
            && why != TransferWhy::WalletIn
            && !through
        {
            self.sweeps(currency, id, bet);
        }
    }

    fn is_synthetic(&self, side: Side) -> bool {
        match side {
            Side::Customer(id) | Side::Debtor(id) | Side::Bonus(id) => {
                self.accounts.get(&id).is_some_and(|account| account.synthetic)
            }
            Side::House(_) => false,
        }
    }

    /// What a customer owes.
    fn owed(&self, side: Side) -> Option<(u64, i128)> {
        match side {
            Side::Customer(id) | Side::Debtor(id) => {
                self.accounts.get(&id).map(|account| (id, -account.balance.min(0)))
            }
            Side::Bonus(_) | Side::House(_) => None,
        }
    }

    fn post(&mut self, currency: u16, side: Side, amount: i128) -> LedgerAccount {
        match side {
            Side::Customer(id) | Side::Debtor(id) => {
                if let Some(account) = self.accounts.get_mut(&id) {
                    account.balance += amount;
                    // Only a reversal or a correction by hand may take what is not there.
                    // What a wallet holds pays no debt: it is staked, or goes back there.
                    let owes = account.balance < 0 && amount < 0 && !account.external;
                    if owes && matches!(side, Side::Customer(_)) {
                        self.overdrawn = Some(id);
                    }
                }
                LedgerAccount::customer(AccountId::from_raw(id))
            }
            Side::Bonus(id) => {
                self.accounts.entry(id).and_modify(|account| account.bonus += amount);
                LedgerAccount::bonus(AccountId::from_raw(id))
            }
            Side::House(account) => {
                *self.house.entry((currency, account as u8)).or_default() += amount;
                LedgerAccount::house(account, currency)
            }
        }
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

    fn decide(&mut self, header: &Header, command: &Command<'_>, given: u64) -> Checked<Decided> {
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
                self.is_born(*body);
                Ok(self.done(0))
            }
            Command::EpochOpened(body) => Ok(self.run_begins(body)),
            Command::Tick(_) | Command::Step(_) => Ok(self.done(0)),
            Command::Quarantine(body) => self.quarantine(body),
            Command::RegisterActor(_, names) => self.register_actor(names.first()),
            Command::DefineFeed(body, names) => self.define_feed(body, names.first()),
            Command::DefineFixture(body, names) => {
                return self.define_fixture(body, names.first(), given);
            }
            Command::DefineMarket(body, names) => return self.define_market(body, *names, given),
            Command::OpenMarket(body) => self.open(body.market),
            Command::CloseMarket(body) => self.close(body.market),
            Command::Suspend(body) => self.suspend(body, true),
            Command::Release(body) => {
                let Release { valid_until, reason, level, owner, selection, id, .. } = *body;
                let same = Suspend {
                    valid_until,
                    reason,
                    level,
                    owner,
                    selection,
                    id,
                    ..Suspend::default()
                };
                self.suspend(&same, false)
            }
            Command::WithdrawSelection(body) => self.take_out(body),
            Command::MarketResult(body, entries) => self.result(body, *entries),
            Command::PublishRules(_, sets) => match sets.iter().next() {
                Some(set) => self.publish_rules(set),
                None => return Err("rules without a set".to_owned()),
            },
            Command::SetInPlay(body) => self.set_in_play(body),
            Command::AnswerReferral(body, prices) => self.answer_referral(body, *prices),
            Command::FreezeCashOut(body) => self.freeze(body),
            Command::CancelBets(body) => self.cancel_bets(body),
            Command::RollbackResult(body) => self.rollback(body),
            Command::CancelBet(body) => self.cancel_bet(body),
            Command::CorrectPrice(body) => self.correct_price(body),
            Command::Adjust(body) => self.adjust(body),
            Command::GrantBonus(body) => self.grant_bonus(body),
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
            Command::Reprice(body, entries) => self.reprice(header, body, *entries),
            Command::FeedHeartbeat(body) => {
                let FeedHeartbeat { feed, feed_seq: number, source, schema, .. } = *body;
                self.feed_says(header, &Message { feed, number, source, schema }, Says::Alive)
            }
            Command::FeedGap(body) => {
                let FeedGap { feed, feed_seq: number, source, schema, .. } = *body;
                let says = Says::Gap { connection: body.connection == 1 };
                self.feed_says(header, &Message { feed, number, source, schema }, says)
            }
            Command::FeedRecovered(body) => {
                let FeedRecovered { feed, feed_seq: number, source, schema, request, .. } = *body;
                let message = Message { feed, number, source, schema };
                self.feed_says(header, &message, Says::Recovered { request })
            }
            Command::FeedRecovering(body) => {
                let FeedRecovering { feed, feed_seq: number, source, schema, request, .. } = *body;
                let message = Message { feed, number, source, schema };
                self.feed_says(header, &message, Says::Recovering { request })
            }
            Command::OpenAccount(body) => return self.open_account(header, body, given),
            Command::Deposit(body) => self.deposit(header, body.amount),
            Command::Withdraw(body) => self.withdraw(header, body.amount),
            Command::Place(body) => return self.place(header, body, given),
            Command::PlaceTicket(body, legs) => {
                return self.place_ticket(header, body, *legs, given);
            }
            Command::CashOut(body) => self.cash_out(header, body),
            Command::SetAutoCashOut(body) => self.set_auto(header, body),
            Command::AcceptOffer(body) => self.accept(header, body.bet.raw()),
            Command::DeclineOffer(body) => self.decline(header, body.bet.raw()),
            Command::Resolve(_) => Ok(Answer::of(AnswerKind::NeverPlaced, Seq(self.seq))),
            Command::DefineGroup(body, names) => self.define_group(body, names.first()),
            Command::SwitchFeed(body) => self.switch(body),
            Command::SetTier(body) => self.set_tier(body),
            Command::AssignTier(body) => self.assign_tier(body),
            Command::SetFeedSchema(body) => self.set_schema(body),
            Command::TraderPrice(body) => self.trader_price(body),
            Command::SetStakeFactor(body) => self.set_factor(body),
            Command::SetShedding(body) => self.set_shedding(header, body),
            Command::SetAccountLimit(body) => {
                let of = (body.kind, body.period, body.amount);
                self.set_own_limit(body.account.raw(), of, false)
            }
            Command::SetOwnLimit(body) => {
                let of = (body.kind, body.period, body.amount);
                self.set_own_limit(header.account, of, true)
            }
            Command::ExcludeAccount(body) => self.exclude(body.account.raw(), body.until),
            Command::ExcludeSelf(body) => self.exclude(header.account, body.until),
            Command::SetExchange(body, bands) => self.set_exchange(body, *bands),
            Command::SetDiscount(body) => self.set_discount(body),
            Command::LapseOrders(body) => self.lapse_orders(body),
            Command::PlaceOrders(body, orders) => return self.place_orders(header, body, *orders),
            Command::CancelOrders(body, orders) => self.cancel_orders(header, body, *orders),
            Command::ReplaceOrders(body, orders) => {
                return self.replace_orders(header, body, *orders);
            }
            Command::UpdateOrders(body, orders) => self.update_orders(header, body, *orders),
            Command::ConfirmHold(body) => self.confirm_hold(body),
            Command::ReleaseHold(body) => self.release_hold(body),
        })
    }

    fn is_born(&mut self, genesis: Genesis) {
        self.genesis = Some(genesis);
        let name = Name::new("genesis").expect("a name");
        self.rulesets = vec![Ruleset {
            rounding: genesis.rounding,
            price_failure: genesis.price_failure,
            offer_ttl: genesis.offer_ttl,
            ..Ruleset::standard(name)
        }];
    }

    fn run_begins(&mut self, body: &EpochOpened) -> Answer {
        self.epoch = body.epoch.0;
        self.rules_version = body.rules_version;
        self.capacities = self.capacities.grown(body.capacities);
        // Nobody knows what was missed: offers can no longer be taken, feeds have to recover.
        self.everything.last = self.seq;
        for feed in self.feeds.iter_mut().skip(1) {
            // What is sent in a version that nobody knows is not known after a start either.
            let aside = feed.status == FeedStatus::Quarantined;
            let status = if aside { feed.status } else { FeedStatus::Recovering };
            feed.goes_down(status, self.seq);
            feed.last_number = 0;
        }
        self.told.push(Event::RunBegan(RunBegan { epoch: body.epoch, zero: 0 }));
        self.done(u64::from(body.epoch.0))
    }

    /// It is kept and told, and nothing is decided by it.
    fn set_shedding(&mut self, header: &Header, body: &SetShedding) -> Decided {
        self.shedding = (body.mode, header.account);
        self.told.push(Event::SheddingSet(SheddingSet { mode: body.mode, zero: [0; 7] }));
        Ok(self.done(body.mode.into()))
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
            status: FeedStatus::Recovering,
            request: 0,
            schema: body.schema,
            slow: false,
            generation: 1,
            last_number: 0,
            heard: None,
            heartbeat: None,
            silence_bound: body.silence_bound.0,
            delay_bound: body.delay_bound.0,
            quickest: None,
            odd: None,
            suspended: Suspended::default(),
            frozen: Suspended::default(),
        });
        let id = self.feed_names.len() as u64;
        let kind = Kind::DefineFeed as u8;
        self.told.push(Event::Named(Named { id, kind, zero: [0; 7] }));
        Ok(self.done(id))
    }

    fn define_fixture(&mut self, body: &DefineFixture, name: &str, given: u64) -> Checked<Decided> {
        if let Some(id) = self.fixture_names.get(name) {
            return Ok(Err(and(self.no(Reject::NameTaken), |no| no.id = *id)));
        }
        if self.fixtures.len() == self.capacities.fixtures as usize {
            return Ok(Err(self.no(Reject::Full)));
        }
        self.fresh('X', given)?;
        self.fixture_names.insert(name.to_owned(), given);
        let fixture = Fixture {
            starts: body.starts.0,
            suspended: Suspended::default(),
            frozen: Suspended::default(),
        };
        self.fixtures.insert(given, fixture);
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
        if body.group != GroupId::NONE {
            let Some(group) = self.groups.get(usize::from(body.group.0) - 1) else {
                return Ok(Err(self.no(Reject::GroupUnknown)));
            };
            if group.primary != body.feed.0 {
                return Ok(Err(self.no(Reject::FeedMismatch)));
            }
        }
        let exchange = body.kind == MarketKind::Exchange as u8;
        if exchange && (body.each_way != EachWayOffer::No as u8 || body.canary == 1) {
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
                group: body.group.0,
                tier: body.tier,
                canary: body.canary == 1,
                drift_since: 0,
                fixture,
                winners: usize::from(body.winners),
                age_bound,
                version: 0,
                opened_in: 0,
                settlement: 0,
                job: None,
                queued: None,
                in_play: false,
                delay: 0,
                each_way: body.each_way,
                places: body.places,
                part: if body.places == 0 { ALL_ODDS } else { (body.place_num, body.place_den) },
                deducts: false,
                windows: Vec::new(),
                certainty: 0,
                result_source: 0,
                rolled_back: 0,
                suspended: Suspended::default(),
                frozen: Suspended::default(),
                runners: vec![Runner::default(); usize::from(body.selections)],
                limits: BTreeMap::new(),
                exchange,
            },
        );
        self.told.push(Event::MarketDefined(MarketDefined {
            market: MarketId::from_raw(given),
            fixture: body.fixture,
            age_bound: Nanos(age_bound),
            feed: body.feed,
            selections: body.selections,
            winners: body.winners,
            group: body.group,
            tier: body.tier,
            canary: body.canary,
            zero: [0; 6],
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
            "result" if before_result || matches!(from, Settling | Settled) => Some(Settling),
            "rollback" if matches!(from, Settling | Settled) => Some(Closed),
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
        // Without terms there is no book.
        if self.is_exchange(id) && self.exchange_prices(id).is_empty() {
            return Err(self.no(Reject::InvalidMarketId));
        }
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

    fn archive(&mut self, id: MarketId) -> Decided {
        let to = self.market_step(id, "archive")?;
        // One job works and one waits: there is no room for a third.
        if self.markets.get(&id.raw()).is_some_and(|market| market.queued.is_some()) {
            return Err(self.no(Reject::NotAllowed));
        }
        self.exchange_is_leaving(id.raw());
        self.market_goes_to(id, to);
        Ok(self.start_job(id, JobKind::Archive))
    }

    fn take_out(&mut self, body: &WithdrawSelection) -> Decided {
        use MarketStatus::*;
        let shown = self.price(body.market, usize::from(body.selection.0)).unwrap_or_default();
        let Some(market) = self.markets.get(&body.market.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        if market.runners.len() <= usize::from(body.selection.0) {
            return Err(self.no(Reject::SelectionUnknown));
        }
        if !matches!(market.status, Defined | Open | Closed) {
            return Err(self.no(Reject::NotAllowed));
        }
        self.may_withdraw(body)?;
        let Some(market) = self.markets.get_mut(&body.market.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let runner = &mut market.runners[usize::from(body.selection.0)];
        let again = runner.out == (body.withdrawn == 1);
        let before = if again { runner.withdrawn_at } else { shown };
        if body.deduct == 1 && body.price.is_none() && before.is_none() {
            return Err(self.no(Reject::NoPrice));
        }
        runner.out = body.withdrawn == 1;
        runner.deducts = body.deduct == 1;
        if !again {
            runner.withdrawn_seq = self.seq;
        }
        if !body.price.is_none() {
            runner.withdrawn_at = body.price;
        } else if !again {
            runner.withdrawn_at = shown;
        }
        let price = runner.withdrawn_at;
        market.deducts |= body.deduct == 1;
        self.ends_offers(body.market);
        self.told.push(Event::SelectionChanged(SelectionChanged {
            market: body.market,
            selection: body.selection,
            withdrawn: body.withdrawn,
            deducts: body.deduct,
            zero: [0; 4],
            price,
        }));
        // What does not run is in no feed's prices any more.
        self.compares_feeds(body.market, usize::from(body.selection.0));
        let started = self.runner_goes(body);
        Ok(started.unwrap_or_else(|| self.done(body.market.raw())))
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
        if !self.accounts.contains_key(&body.account.raw()) {
            return Err(self.no(Reject::AccountUnknown));
        }
        // Orders that a market's turn has passed over were those of somebody who might bet, or might not.
        self.jobs_may_have_passed();
        let blocked = body.blocked == 1;
        self.accounts.entry(body.account.raw()).and_modify(|account| account.blocked = blocked);
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
        let account = Account {
            reference,
            currency,
            balance: 0,
            bonus: 0,
            blocked: false,
            external: body.purse == Purse::External as u8,
            synthetic: body.synthetic == 1,
            excluded_until: i64::MIN,
            own: None,
        };
        self.accounts.insert(given, account);
        self.told.push(Event::AccountOpened(AccountOpened {
            account: AccountId::from_raw(given),
            reference,
            currency,
            purse: body.purse,
            synthetic: body.synthetic,
            zero: [0; 4],
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
        self.excluded(account)?;
        if account.external {
            return Err(self.no(Reject::AccountKind));
        }
        self.within_own(account, &[LimitKind::Deposit], i128::from(amount.0), 0)?;
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

    /// Whether everything that may be won, or settled otherwise, still fits beside the balance.
    fn has_room_for(&self, id: u64, more: i128) -> bool {
        let counts = |bet: &&Bet| {
            bet.account == id && bet.state != BetState::Archived && !bet.state.is_refused()
        };
        let own = || self.bets.values().filter(counts);
        let most: i128 = own().map(|bet| bet.returns).sum();
        let least: i128 = own().filter(|bet| !self.is_leaving(bet)).map(|bet| bet.returns).sum();
        let (most_ordered, least_ordered) = self.room_of_orders(id);
        let (most, least) = (most + most_ordered, least + least_ordered);
        let balance = self.accounts.get(&id).map_or(0, |account| account.balance);
        let fits = |won: i128| balance + won + more <= i128::from(i64::MAX);
        fits(most) || (fits(least) && !self.answered_with(Reject::BalanceLimit))
    }

    fn withdraw(&mut self, header: &Header, amount: Minor) -> Decided {
        let Some(account) = self.accounts.get(&header.account) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        if account.blocked {
            return Err(self.no(Reject::AccountBlocked));
        }
        if account.external {
            return Err(self.no(Reject::AccountKind));
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
    /// A customer who gives back what was paid, and may owe it.
    Debtor(u64),
    /// A customer's money for free bets.
    Bonus(u64),
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

#[cfg(test)]
mod tests {
    use super::*;
    use betring_core::{BetStep, MarketStep};

    #[test]
    fn the_steps_that_have_to_be_taken_are_those_that_the_tables_of_the_core_allow() {
        let mut bets: BTreeSet<(String, &str)> =
            ["place", "offer", "delay", "refer", "hold"].map(|step| ("-".to_owned(), step)).into();
        for state in BetState::ALL {
            for step in BetStep::ALL.iter().filter(|step| state.after(**step).is_some()) {
                let names: &[&str] = match step {
                    BetStep::Accept if *state == BetState::Referred => &["trader accepts"],
                    BetStep::Accept => &["accept"],
                    BetStep::Offer if *state == BetState::Referred => &["trader counters"],
                    BetStep::Offer => &["offer"],
                    BetStep::Reject if *state == BetState::Referred => {
                        &["trader declines", "reject"]
                    }
                    BetStep::Reject => &["reject"],
                    // By its customer, or by itself.
                    BetStep::EndOffer => &["decline", "end offer"],
                    BetStep::Win => &["win"],
                    BetStep::Lose => &["lose"],
                    BetStep::Void => &["void"],
                    BetStep::Partial => &["partial"],
                    BetStep::Reverse => &["reverse"],
                    BetStep::AskCashOut => &["cash out"],
                    BetStep::KeepOpen => &["keep open"],
                    BetStep::CashOut => &["sold"],
                    BetStep::Delay => &["delay"],
                    BetStep::Refer => &["refer"],
                    BetStep::Archive => &["archive"],
                };
                bets.extend(names.iter().map(|name| (state.to_string(), *name)));
            }
        }
        assert_eq!(bets, named(BET_STEPS));

        let mut markets: BTreeSet<(String, &str)> = BTreeSet::new();
        for status in MarketStatus::ALL {
            for step in MarketStep::ALL.iter().filter(|step| status.after(**step).is_some()) {
                let name = match step {
                    MarketStep::Open => "open",
                    MarketStep::Close => "close",
                    MarketStep::Result => "result",
                    MarketStep::Rollback => "rollback",
                    MarketStep::SettleEnd => "settle end",
                    MarketStep::Archive => "archive",
                    MarketStep::ArchiveEnd => "archive end",
                };
                markets.insert((status.to_string(), name));
            }
        }
        assert_eq!(markets, named(MARKET_STEPS));
    }

    fn named<'a>(steps: &[(&str, &'a str)]) -> BTreeSet<(String, &'a str)> {
        steps.iter().map(|(from, step)| ((*from).to_owned(), *step)).collect()
    }
}
