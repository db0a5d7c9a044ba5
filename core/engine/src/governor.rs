//! Who acts within milliseconds when something is wrong: conditions that hold for a while become commands.
//!
//! The governor decides nothing about a bet. It looks at the instruments and does what a trader with
//! quick hands would do: stops cash-outs of a group whose feed is in doubt, lets the backup feed drive,
//! takes smaller bets on a market whose answers are slow, sheds load while the journal is behind. All of
//! it are commands of the actor `governor`, with the number of the rule as their reason, so who did what and
//! when stands in the journal.
//!
//! It gives way to everybody else, and releases only what it did itself, but that always. Its freezes
//! have an owner of their own. What somebody else has said of a feed that drives, a stake factor or shedding
//! since a rule wanted something of it stays until that rule has left; only a stricter cap goes below such
//! a factor, for as long as it holds. A word of the governor's that still waits then is not sent; one that
//! was sent and turns out to be decided after the other is followed by the other, said again. What is so
//! already by somebody else's word is not said, and not taken back. A word whose rule has left before it
//! was sent is not sent either.
//!
//! Two words that are decided between two looks are seen as one: that the other was there is not known
//! then. A trader's [`Shed::On`] that the governor's own came right behind stands as the governor's, and a
//! later run gives it back to the configuration.
//!
//! What a governor of an earlier run has done stands in the journal, and nobody else would undo it. Its
//! freezes are released at the first look where no rule wants them, whatever the rules are now. A stake
//! factor that is exactly the percent of a cap at the first look is taken for such a cap, of 100 percent,
//! and released once no rule wants it. Shedding that it has turned on is given back to the configuration
//! once no rule wants it, whatever the rules are now: what was said before it is not known.
//!
//! [`Governor`] is a function of what it is shown, of the time it is told and of what it hears of its
//! words, and can be tested with all of that made up. [`GovernorTask`] shows it the engine, on a thread of
//! its own or the caller's, never on the deciding one.
//!
//! A rule enters when its condition has held for `after_ms`, and leaves when it has not for `until_ms`:
//! what flickers does neither.
//!
//! ```toml
//! [[rule]]
//! name = "slow answers"
//! when = "accept-p99"        # of a market's bets, as its clients saw it, within a second
//! above = 250                # milliseconds
//! samples = 20               # of fewer bets nothing is said
//! after_ms = 5000
//! until_ms = 10000
//! then = "cap"               # the largest stake of that market
//! percent = 20               # of what it was
//! reason = 9003
//! ```
//!
//! | `when` | of a | `above` is in |
//! |---|---|---|
//! | `primary-down`: the primary is not up, and the backup is | group | |
//! | `trouble`: the feed that drives is not up or slow, or drifts from the other in an open market while both are up, or cannot be read | group | errors per million messages |
//! | `feed-down`, `feed-slow` | feed | |
//! | `parse-errors` | feed | errors per million messages |
//! | `accept-p99`, with `samples` | market | milliseconds |
//! | `bet-rate` | market | bets a second |
//! | `price-age` | market | milliseconds |
//! | `refused`, with `kind` ([`RefusedFor`]) | market | refusals a second |
//! | `lag` | engine | sequences that are decided and not durable |
//! | `ring` | engine | percent of the bet ring |
//!
//! | `then` | of a |
//! |---|---|
//! | `switch-feed` | group, with `primary-down` |
//! | `freeze-cash-out` | group, feed, market, engine |
//! | `cap`, with `percent` | feed, market, engine |
//! | `shed` | engine |

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use betring_core::command::{Drives, Shed};
use betring_core::event::FeedStatus;
use betring_core::id::{FeedId, GroupId, MarketId};
use betring_core::time::{Nanos, Timestamp};
use serde::Deserialize;

use crate::control::{Scope, StakeScope};
use crate::dials::RefusedFor;

use word::{Said, Word};

mod queue;
mod task;
mod word;

pub(crate) use task::Instruments;
pub use task::{Deed, GovernorTask, TURN, What};

/// Of fewer messages within a minute nothing is said: one of three is no rate.
const MESSAGES_MIN: u64 = 200;
/// More rules than anybody can follow.
const RULES_MAX: usize = 256;
/// The longest dwell: an hour.
const DWELL_MAX_MS: u64 = 3_600_000;

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A group's primary feed drives it and is not up, while its backup is. It ends when the primary is
    /// up again; at once, as far as `after_ms` goes, if the backup is not.
    PrimaryDown,
    /// The feed that drives a group is not up or slow, or drifts from the other one while both are up, or
    /// more of its messages than this, in parts per million, cannot be read.
    Trouble {
        /// Parts per million.
        error_ppm: u32,
    },
    /// A feed is not up.
    FeedDown,
    /// A feed's messages take longer than its bound.
    FeedSlow,
    /// More of a feed's messages within a minute cannot be read.
    ParseErrors {
        /// Parts per million.
        above: u32,
    },
    /// One in a hundred of a market's customers waits longer for an answer.
    AcceptP99 {
        /// Longer than this.
        above: Nanos,
        /// Of so many within a second, at least.
        samples: u32,
    },
    /// More bets a second are let in on a market.
    BetRate {
        /// A second.
        above: u32,
    },
    /// No price of a market was set or confirmed for longer.
    PriceAge {
        /// Longer than this.
        above: Nanos,
    },
    /// More bets a second on a market are refused for such reasons.
    Refused {
        /// Which reasons.
        kind: RefusedFor,
        /// A second.
        above: u32,
    },
    /// More sequences are decided and not durable.
    Lag {
        /// Sequences.
        above: u64,
    },
    /// The bet ring is fuller.
    Ring {
        /// Percent of its slots.
        above: u8,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Group,
    Feed,
    Market,
    Engine,
}

impl When {
    fn of(self) -> Of {
        match self {
            When::PrimaryDown | When::Trouble { .. } => Of::Group,
            When::FeedDown | When::FeedSlow | When::ParseErrors { .. } => Of::Feed,
            When::AcceptP99 { .. }
            | When::BetRate { .. }
            | When::PriceAge { .. }
            | When::Refused { .. } => Of::Market,
            When::Lag { .. } | When::Ring { .. } => Of::Engine,
        }
    }
}

/// What a rule does to what it looks at, while it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Lets the backup feed of the group drive.
    SwitchFeed,
    /// Stops cash-outs.
    FreezeCashOut,
    /// Takes only so much of the largest stake, in percent of what it was.
    Cap {
        /// Percent, below 100.
        percent: u32,
    },
    /// Sheds load.
    Shed,
}

/// A condition, how long it has to hold and to be gone, and what is done while it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it is called, in logs.
    pub name: String,
    /// The condition.
    pub when: When,
    /// It enters when the condition has held for so long.
    pub after: Nanos,
    /// It leaves when the condition has not held for so long.
    pub until: Nanos,
    /// What is done.
    pub then: Then,
    /// The reason that its commands give, a number of the operator's own.
    pub reason: u32,
}

/// What a governor goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
}

impl Default for Rules {
    /// The backup drives when the primary was not up for 2 s, and the primary again when it was up for a
    /// minute; cash-outs of a group stop at once when its feed is in doubt; bets on a market are capped
    /// to a fifth when its answers take longer than 250 ms for 5 s; load is shed while the journal is
    /// behind.
    fn default() -> Rules {
        let rule = |name: &str, when, (after, until), then, reason| Rule {
            name: name.to_owned(),
            when,
            after: Nanos::from_millis(after),
            until: Nanos::from_millis(until),
            then,
            reason,
        };
        let slow = When::AcceptP99 { above: Nanos::from_millis(250), samples: 20 };
        let doubt = When::Trouble { error_ppm: 5_000 };
        Rules {
            rules: vec![
                rule("doubt", doubt, (0, 2_000), Then::FreezeCashOut, 9_001),
                rule("backup", When::PrimaryDown, (2_000, 60_000), Then::SwitchFeed, 9_002),
                rule("slow answers", slow, (5_000, 10_000), Then::Cap { percent: 20 }, 9_003),
                rule("behind", When::Lag { above: 1 << 18 }, (0, 1_000), Then::Shed, 9_004),
            ],
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    when: String,
    above: Option<u64>,
    samples: Option<u32>,
    kind: Option<String>,
    #[serde(default)]
    after_ms: u64,
    #[serde(default)]
    until_ms: u64,
    then: String,
    percent: Option<u32>,
    reason: u32,
}

/// A file of rules that cannot be gone by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesError {
    rule: Option<String>,
    what: String,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "rule `{rule}`: {}", self.what),
            None => write!(f, "the governor's rules: {}", self.what.trim_end()),
        }
    }
}

impl std::error::Error for RulesError {}

impl Rules {
    /// No rules: a governor that only looks, and releases what an earlier run has frozen or shed.
    pub fn none() -> Rules {
        Rules { rules: Vec::new() }
    }

    /// These rules.
    ///
    /// # Errors
    /// [`RulesError`] for a rule that cannot be gone by.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Rules, RulesError> {
        let rules: Vec<Rule> = rules.into_iter().take(RULES_MAX + 1).collect();
        if RULES_MAX < rules.len() {
            let what = format!("more than {RULES_MAX}: nobody could say what they do together");
            return Err(RulesError { rule: None, what });
        }
        rules.iter().try_for_each(Rule::check)?;
        Ok(Rules { rules })
    }

    /// Reads rules as they are drawn above; they take the place of those built in.
    ///
    /// # Errors
    /// [`RulesError`]: where, and what to write instead.
    pub fn from_toml(text: &str) -> Result<Rules, RulesError> {
        let file: File =
            toml::from_str(text).map_err(|e| RulesError { rule: None, what: e.to_string() })?;
        let rules: Result<Vec<Rule>, RulesError> =
            file.rule.into_iter().map(Written::rule).collect();
        Rules::new(rules?)
    }

    /// The rules.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter()
    }
}

impl Written {
    fn rule(self) -> Result<Rule, RulesError> {
        let wrong = |what: String| RulesError { rule: Some(self.name.clone()), what };
        let above = |most: u64| match self.above {
            Some(above) if above <= most => Ok(above),
            Some(above) => Err(wrong(format!("above = {above}: at most {most}"))),
            None => Err(wrong(format!("when = \"{}\" needs a number: above = …", self.when))),
        };
        let small = || above(u64::from(u32::MAX)).map(|above| above as u32);
        let millis = || above(DWELL_MAX_MS).map(|above| Nanos::from_millis(above as i64));
        let mut used = (true, false, false);
        let when = match self.when.as_str() {
            "primary-down" => {
                used.0 = false;
                When::PrimaryDown
            }
            "trouble" => When::Trouble { error_ppm: small()? },
            "feed-down" => {
                used.0 = false;
                When::FeedDown
            }
            "feed-slow" => {
                used.0 = false;
                When::FeedSlow
            }
            "parse-errors" => When::ParseErrors { above: small()? },
            "accept-p99" => {
                used.1 = true;
                When::AcceptP99 { above: millis()?, samples: self.samples.unwrap_or(1).max(1) }
            }
            "bet-rate" => When::BetRate { above: small()? },
            "price-age" => When::PriceAge { above: millis()? },
            "refused" => {
                used.2 = true;
                let named = self.kind.as_deref().unwrap_or_default();
                let kind = RefusedFor::ALL.iter().find(|kind| kind.name() == named);
                let names = || RefusedFor::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>();
                let kind = kind.ok_or_else(|| {
                    wrong(format!("kind = \"{named}\": write one of {}", names().join(", ")))
                })?;
                When::Refused { kind: *kind, above: small()? }
            }
            "lag" => When::Lag { above: above(u64::MAX)? },
            "ring" => When::Ring { above: above(100)? as u8 },
            other => {
                return Err(wrong(format!(
                    "when = \"{other}\": write primary-down, trouble, feed-down, feed-slow, \
                     parse-errors, accept-p99, bet-rate, price-age, refused, lag or ring"
                )));
            }
        };
        let then = match (self.then.as_str(), self.percent) {
            ("switch-feed", _) => Then::SwitchFeed,
            ("freeze-cash-out", _) => Then::FreezeCashOut,
            ("cap", Some(percent)) => Then::Cap { percent },
            ("cap", None) => return Err(wrong("then = \"cap\" needs percent = …".into())),
            ("shed", _) => Then::Shed,
            (other, _) => {
                return Err(wrong(format!(
                    "then = \"{other}\": write switch-feed, freeze-cash-out, cap or shed"
                )));
            }
        };
        let unused = [
            ("above", self.above.is_some() && !used.0),
            ("samples", self.samples.is_some() && !used.1),
            ("kind", self.kind.is_some() && !used.2),
            ("percent", self.percent.is_some() && !matches!(then, Then::Cap { .. })),
        ];
        if let Some((field, _)) = unused.iter().find(|(_, unused)| *unused) {
            return Err(wrong(format!("{field} says nothing here: leave it out")));
        }
        let dwell = |name: &str, millis: u64| match millis <= DWELL_MAX_MS {
            true => Ok(Nanos::from_millis(millis as i64)),
            false => Err(wrong(format!("{name} = {millis}: at most an hour, {DWELL_MAX_MS}"))),
        };
        let (after, until) = (dwell("after_ms", self.after_ms)?, dwell("until_ms", self.until_ms)?);
        let Written { name, reason, .. } = self;
        Ok(Rule { name, when, after, until, then, reason })
    }
}

impl Rule {
    fn check(&self) -> Result<(), RulesError> {
        let wrong =
            |what: &str| Err(RulesError { rule: Some(self.name.clone()), what: what.to_owned() });
        match (self.then, self.when.of()) {
            (Then::SwitchFeed, _) if self.when != When::PrimaryDown => wrong(
                "a feed is switched when its group's primary is down: when = \"primary-down\"",
            ),
            (Then::Cap { percent }, _) if 100 <= percent => {
                wrong("a cap of 100 percent or more caps nothing")
            }
            (Then::Cap { .. }, Of::Group) => {
                wrong("stakes are not capped by group: cap them by feed or market")
            }
            (Then::Shed, of) if of != Of::Engine => {
                wrong("the engine finds the hottest markets itself: shed with lag or ring")
            }
            _ if self.after < Nanos::ZERO || self.until < Nanos::ZERO => {
                wrong("a dwell cannot be less than nothing")
            }
            _ => Ok(()),
        }
    }
}

/// A feed, as the governor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedSeen {
    /// Which.
    pub id: FeedId,
    /// Where it is.
    pub status: FeedStatus,
    /// Whether its prices may be bet on: up, and not silent for longer than its bound.
    pub is_up: bool,
    /// Whether its messages take longer than its bound.
    pub slow: bool,
    /// How long nothing was heard of it; `i64::MAX` if nothing ever was.
    pub silent_for: Nanos,
    /// Messages within a minute.
    pub recent: u64,
    /// How many of them could not be read, in parts per million.
    pub error_ppm: u32,
    /// The factor of the largest stake on its markets, in percent.
    pub stake_factor: u32,
    /// Whether a governor freezes the cash-outs of its markets, of this run or an earlier one.
    pub frozen: bool,
}

/// A group, as the governor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSeen {
    /// Which.
    pub id: GroupId,
    /// Its primary feed.
    pub primary: FeedId,
    /// Its backup feed.
    pub backup: FeedId,
    /// Which of them prices its markets.
    pub drives: Drives,
    /// Whether a governor switched it last, in this run.
    pub by_governor: bool,
    /// How many of its open markets drift.
    pub drifting: u32,
    /// Whether a governor freezes its cash-outs.
    pub frozen: bool,
}

/// A market, as the governor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketSeen {
    /// Which.
    pub id: MarketId,
    /// Bets a second that are let in.
    pub rate: u32,
    /// How long one in a hundred of its customers waited at least, within about a second.
    pub accept_p99: Nanos,
    /// Of how many.
    pub samples: u32,
    /// How long ago a price of it was set or confirmed.
    pub price_age: Nanos,
    /// Refusals a second, by kind.
    pub refused: [u32; RefusedFor::ALL.len()],
    /// The factor of its largest stake, in percent.
    pub stake_factor: u32,
    /// Whether a governor freezes its cash-outs.
    pub frozen: bool,
}

/// Shedding, as the governor sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShedSeen {
    /// When load is shed.
    pub mode: Shed,
    /// What was said of it last; none: it is as the configuration says.
    pub said: Option<Shed>,
    /// Whether a governor said so, of this run or an earlier one.
    pub by_governor: bool,
}

impl ShedSeen {
    fn said(self) -> Said<Option<Shed>> {
        Said { what: self.said, by_governor: self.by_governor }
    }

    /// On, and that is the governor's doing.
    fn on_by_governor(self) -> bool {
        self.by_governor && self.said == Some(Shed::On)
    }
}

/// Everything that a governor is shown at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// All feeds.
    pub feeds: Vec<FeedSeen>,
    /// All groups.
    pub groups: Vec<GroupSeen>,
    /// Markets; one that is left out is quiet.
    pub markets: Vec<MarketSeen>,
    /// Sequences that are decided and not durable.
    pub lag: u64,
    /// How full the bet ring is, in percent.
    pub ring_percent: u8,
    /// The factor of every largest stake, in percent.
    pub stake_factor: u32,
    /// Whether a governor freezes all cash-outs.
    pub frozen: bool,
    /// Shedding.
    pub shed: ShedSeen,
}

impl Observation {
    fn feed(&self, id: FeedId) -> Option<&FeedSeen> {
        self.feeds.iter().find(|feed| feed.id == id)
    }

    fn is_up(&self, id: FeedId) -> bool {
        self.feed(id).is_some_and(|feed| feed.is_up)
    }
}

/// What a rule looks at, one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Everything.
    Engine,
    /// A feed and the markets that it drives.
    Feed(FeedId),
    /// A group.
    Group(GroupId),
    /// A market.
    Market(MarketId),
}

impl Subject {
    pub(crate) fn scope(self) -> Scope {
        match self {
            Subject::Engine => Scope::Engine,
            Subject::Feed(feed) => Scope::Feed(feed),
            Subject::Group(group) => Scope::Group(group),
            Subject::Market(market) => Scope::Market(market),
        }
    }

    /// What its largest stakes are scaled by; not of a group, which [`Rule::check`] rules out.
    fn stakes(self) -> Option<StakeScope> {
        match self {
            Subject::Engine => Some(StakeScope::Engine),
            Subject::Feed(feed) => Some(StakeScope::Feed(feed)),
            Subject::Market(market) => Some(StakeScope::Market(market)),
            Subject::Group(_) => None,
        }
    }

    /// The same the other way.
    fn of(scope: StakeScope) -> Option<Subject> {
        match scope {
            StakeScope::Engine => Some(Subject::Engine),
            StakeScope::Feed(feed) => Some(Subject::Feed(feed)),
            StakeScope::Market(market) => Some(Subject::Market(market)),
            StakeScope::Fixture(_) | StakeScope::Tier(_) | StakeScope::Account(_) => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Engine => f.write_str("the engine"),
            Subject::Feed(feed) => feed.fmt(f),
            Subject::Group(group) => group.fmt(f),
            Subject::Market(market) => market.fmt(f),
        }
    }
}

/// Something that is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Cash-outs stop, or are allowed again, for the governor.
    FreezeCashOut {
        /// Where.
        at: Subject,
        /// Stop, or not any more.
        frozen: bool,
    },
    /// The other feed drives a group.
    SwitchFeed {
        /// Which.
        group: GroupId,
        /// To this one.
        to: Drives,
    },
    /// The largest stakes are scaled.
    SetStakeFactor {
        /// Which.
        scope: StakeScope,
        /// In percent.
        percent: u32,
    },
    /// Load is shed by this word; none: as the configuration says, again.
    Shed(Option<Shed>),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::FreezeCashOut { at, frozen: true } => write!(f, "freezes cash-outs of {at}"),
            Act::FreezeCashOut { at, frozen: false } => write!(f, "unfreezes cash-outs of {at}"),
            Act::SwitchFeed { group, to } => write!(f, "switches {group} to its {to}"),
            Act::SetStakeFactor { scope, percent } => {
                write!(f, "sets the stakes of {scope} to {percent} %")
            }
            Act::Shed(Some(mode)) => write!(f, "turns shedding {mode}"),
            Act::Shed(None) => f.write_str("gives shedding back to the configuration"),
        }
    }
}

/// What a governor wants done, by which rule, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub act: Act,
    /// The name of the rule; empty for what tidies up after an earlier run.
    pub rule: String,
    /// The reason that the command gives.
    pub reason: u32,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule.is_empty() {
            true => write!(f, "{} (of an earlier run)", self.act),
            false => write!(f, "{} ({}, reason {})", self.act, self.rule, self.reason),
        }
    }
}

/// How a rule and one of its subjects stand.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// Since when the condition holds, while it has not entered; since when it does not, while it has.
    since: Option<Timestamp>,
    /// Since when there is reason to leave sooner.
    sooner: Option<Timestamp>,
    entered: bool,
}

/// What an observation says of a rule and a subject.
#[derive(Clone, Copy, Debug, Default)]
struct Signal {
    enter: bool,
    leave: bool,
    leave_sooner: bool,
}

impl Signal {
    fn of(holds: bool) -> Signal {
        Signal { enter: holds, leave: !holds, leave_sooner: false }
    }
}

fn has_lasted(since: &mut Option<Timestamp>, holds: bool, now: Timestamp, dwell: Nanos) -> bool {
    if !holds {
        *since = None;
        return false;
    }
    let since = *since.get_or_insert(now);
    dwell <= now.since(since).or_zero()
}

impl Held {
    fn step(&mut self, now: Timestamp, rule: &Rule, signal: Signal) {
        let changed = if self.entered {
            let leaves = has_lasted(&mut self.since, signal.leave, now, rule.until);
            has_lasted(&mut self.sooner, signal.leave_sooner, now, rule.after) || leaves
        } else {
            has_lasted(&mut self.since, signal.enter, now, rule.after)
        };
        if changed {
            *self = Held { entered: !self.entered, ..Held::default() };
        }
    }

    fn is_idle(&self) -> bool {
        !self.entered && self.since.is_none()
    }
}

/// A stake factor that the governor has set.
#[derive(Clone, Debug)]
struct Capped {
    /// What it was when it was capped first: caps are percents of that.
    whole: u32,
    /// The cap that a rule wants, in percent.
    percent: u32,
    /// The cap that stood when somebody else has set the factor.
    known: u32,
    word: Word<u32>,
}

impl Capped {
    fn new(whole: u32, set: u32) -> Capped {
        let percent = 100;
        Capped { whole, percent, known: percent, word: Word::new(whole, Capped::said(set)) }
    }

    /// Nobody tells who has set a factor: one that the governor never asked for is somebody else's.
    fn said(what: u32) -> Said<u32> {
        Said { what, by_governor: true }
    }

    fn look(&mut self, factor: u32) {
        if self.word.look(Capped::said(factor)) {
            self.known = self.percent;
        }
    }

    /// What it is under a cap. Who set it by hand knew of the one that stood: only a lower one counts
    /// against that, and none raises it.
    fn under(&self, percent: u32) -> u32 {
        let capped = (u64::from(self.whole) * u64::from(percent) / 100) as u32;
        match self.word.by_hand {
            true if self.known <= percent => self.word.base,
            true => capped.min(self.word.base),
            false => capped,
        }
    }
}

/// Subjects for which something was done once. A place has one market at a time, and those before it
/// do not come back: so never more is kept than there are places.
#[derive(Clone, Debug, Default)]
struct Once {
    subjects: BTreeSet<Subject>,
    /// By place.
    markets: BTreeMap<u32, MarketId>,
}

impl Once {
    /// Whether it is the first time.
    fn insert(&mut self, subject: Subject) -> bool {
        let Subject::Market(id) = subject else { return self.subjects.insert(subject) };
        let last = self.markets.entry(id.index()).or_insert(MarketId::NONE);
        let first = *last < id;
        *last = id.max(*last);
        first
    }
}

/// Looks, waits, and says what to do.
#[derive(Clone, Debug)]
pub struct Governor {
    rules: Rules,
    held: BTreeMap<(usize, Subject), Held>,
    /// What it has done and not undone, and by which rule.
    frozen: BTreeMap<Subject, usize>,
    capped: BTreeMap<Subject, Capped>,
    switched: BTreeMap<GroupId, Word<Drives>>,
    shed: Option<Word<Option<Shed>>>,
    /// Whether it has looked for shedding that an earlier run has turned on.
    looked_at_shed: bool,
    /// Where what an earlier run may have left was tidied up.
    tidied: Once,
    /// Whose stake factors were looked at for what an earlier run may have left.
    looked_at: Once,
}

impl Governor {
    /// One that goes by these rules, and has done nothing yet.
    pub fn new(rules: Rules) -> Governor {
        Governor {
            rules,
            held: BTreeMap::new(),
            frozen: BTreeMap::new(),
            capped: BTreeMap::new(),
            switched: BTreeMap::new(),
            shed: None,
            looked_at_shed: false,
            tidied: Once::default(),
            looked_at: Once::default(),
        }
    }

    /// Its rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether the rule of this name has entered for something.
    pub fn holds(&self, name: &str) -> bool {
        let named = |at: usize| self.rules.rules.get(at).is_some_and(|rule| rule.name == name);
        self.held.iter().any(|((at, _), held)| held.entered && named(*at))
    }

    /// Looks, and says what is to be done: what closes something first. What becomes of it is to be
    /// [told](Governor::told) before it looks again, as far as that is known.
    pub fn observe(
        &mut self,
        now: Timestamp,
        seen: &Observation,
    ) -> impl Iterator<Item = Action> + use<> {
        for at in 0..self.rules.rules.len() {
            self.step(at, now, seen);
        }
        self.look(seen);
        let mut actions = Vec::new();
        self.freeze(&mut actions);
        self.switch(seen, &mut actions);
        self.cap(seen, &mut actions);
        self.shed(seen, &mut actions);
        self.release(seen, &mut actions);
        actions.into_iter()
    }

    /// Whether something that it has said and that was not sent yet is still to be said: not if no rule
    /// wants it any more, or somebody else has spoken of the same since.
    pub fn wants(&self, act: Act) -> bool {
        match act {
            // It has an owner of its own, and gives way to nobody.
            Act::FreezeCashOut { .. } => true,
            Act::SwitchFeed { group, to } => {
                self.switched.get(&group).is_some_and(|word| word.waits(to))
            }
            Act::SetStakeFactor { scope, percent } => {
                let capped = Subject::of(scope).and_then(|subject| self.capped.get(&subject));
                capped.is_some_and(|capped| capped.word.waits(percent))
            }
            Act::Shed(said) => self.shed.as_ref().is_some_and(|word| word.waits(said)),
        }
    }

    /// Hears what became of something that it has said: what is seen from here on is no older than that.
    pub fn told(&mut self, act: Act, became: What) {
        match act {
            // What was said last of it is the last to be done, whatever becomes of the rest.
            Act::FreezeCashOut { .. } => (),
            Act::SwitchFeed { group, to } => {
                if let Some(word) = self.switched.get_mut(&group) {
                    word.told(to, became);
                }
            }
            Act::SetStakeFactor { scope, percent } => {
                let Some(subject) = Subject::of(scope) else { return };
                match (self.capped.get_mut(&subject), became) {
                    // It is not there any more, and nothing is left of what was done to it.
                    (Some(_), What::Refused(_)) => drop(self.capped.remove(&subject)),
                    (Some(capped), became) => capped.word.told(percent, became),
                    (None, _) => (),
                }
            }
            Act::Shed(said) => {
                if let Some(word) = &mut self.shed {
                    word.told(said, became);
                }
            }
        }
    }

    /// What others have said of what it has spoken of, too.
    fn look(&mut self, seen: &Observation) {
        for group in &seen.groups {
            if let Some(word) = self.switched.get_mut(&group.id) {
                word.look(Said { what: group.drives, by_governor: group.by_governor });
            }
        }
        if let Some(word) = &mut self.shed {
            word.look(seen.shed.said());
        }
        if self.capped.is_empty() {
            return;
        }
        for (subject, factor) in factors(seen) {
            if let Some(capped) = self.capped.get_mut(&subject) {
                capped.look(factor);
            }
        }
    }

    fn step(&mut self, at: usize, now: Timestamp, seen: &Observation) {
        let Rules { rules } = &self.rules;
        let rule = &rules[at];
        let mut signals: BTreeMap<Subject, Signal> = match rule.when.of() {
            Of::Engine => BTreeMap::from([(Subject::Engine, engine(rule.when, seen))]),
            Of::Feed => {
                let all = seen.feeds.iter();
                all.map(|f| (Subject::Feed(f.id), feed(rule.when, f))).collect()
            }
            Of::Group => {
                let all = seen.groups.iter();
                all.map(|g| (Subject::Group(g.id), group(rule.when, g, seen))).collect()
            }
            Of::Market => {
                let all = seen.markets.iter();
                all.map(|m| (Subject::Market(m.id), market(rule.when, m))).collect()
            }
        };
        // What is not there any more, or is not shown because it is quiet, is well.
        for ((_, subject), _) in self.held.range((at, Subject::Engine)..(at + 1, Subject::Engine)) {
            signals.entry(*subject).or_insert(Signal::of(false));
        }
        for (subject, signal) in signals {
            let held = self.held.entry((at, subject)).or_default();
            held.step(now, rule, signal);
            if held.is_idle() {
                self.held.remove(&(at, subject));
            }
        }
    }

    /// Subjects for which a rule that does this has entered, the first such rule of each.
    fn wanted(&self, then: impl Fn(Then) -> bool) -> BTreeMap<Subject, usize> {
        let mut wanted = BTreeMap::new();
        for ((at, subject), held) in &self.held {
            if held.entered && then(self.rules.rules[*at].then) {
                wanted.entry(*subject).or_insert(*at);
            }
        }
        wanted
    }

    fn action(&self, rule: usize, act: Act) -> Action {
        let Rule { name, reason, .. } = &self.rules.rules[rule];
        Action { act, rule: name.clone(), reason: *reason }
    }

    fn freeze(&mut self, actions: &mut Vec<Action>) {
        for (at, rule) in self.wanted(|then| then == Then::FreezeCashOut) {
            self.tidied.insert(at);
            if self.frozen.insert(at, rule).is_none() {
                actions.push(self.action(rule, Act::FreezeCashOut { at, frozen: true }));
            }
        }
    }

    fn switch(&mut self, seen: &Observation, actions: &mut Vec<Action>) {
        for (subject, rule) in self.wanted(|then| then == Then::SwitchFeed) {
            let Some(group) = seen.groups.iter().find(|g| Subject::Group(g.id) == subject) else {
                continue;
            };
            let (id, what) = (group.id, group.drives);
            let word = self.switched.entry(id).or_insert_with(|| {
                let said = Said { what, by_governor: group.by_governor };
                Word::new(what, said).given(what == Drives::Backup)
            });
            word.rule = Some(rule);
            if let Some(to) = word.ask(Drives::Backup) {
                actions.push(self.action(rule, Act::SwitchFeed { group: id, to }));
            }
        }
    }

    /// The primary drives again where no rule wants the backup to, unless somebody else has had a hand in it.
    fn switch_back(&mut self, actions: &mut Vec<Action>) {
        let wanted = self.wanted(|then| then == Then::SwitchFeed);
        let mut back = Vec::new();
        self.switched.retain(|group, word| {
            if wanted.contains_key(&Subject::Group(*group)) {
                return true;
            }
            if let Some(to) = word.take_back() {
                back.push((word.rule, Act::SwitchFeed { group: *group, to }));
            }
            !word.is_over()
        });
        actions.extend(back.into_iter().map(|(rule, act)| self.undoing(rule, act)));
    }

    /// Of several caps of one subject the lowest holds.
    fn caps(&self) -> BTreeMap<Subject, (u32, usize)> {
        let mut caps: BTreeMap<Subject, (u32, usize)> = BTreeMap::new();
        for ((at, subject), held) in &self.held {
            if let (true, Then::Cap { percent }) = (held.entered, self.rules.rules[*at].then) {
                let lowest = caps.entry(*subject).or_insert((percent, *at));
                *lowest = (*lowest).min((percent, *at));
            }
        }
        caps
    }

    fn cap(&mut self, seen: &Observation, actions: &mut Vec<Action>) {
        self.find_caps(seen);
        for (subject, (percent, rule)) in self.caps() {
            let Some(scope) = subject.stakes() else { continue };
            let capped = match self.capped.entry(subject) {
                Entry::Occupied(capped) => capped.into_mut(),
                Entry::Vacant(place) => {
                    let Some((_, base)) = factors(seen).find(|(at, _)| *at == subject) else {
                        continue;
                    };
                    place.insert(Capped::new(base, base))
                }
            };
            (capped.percent, capped.word.rule) = (percent, Some(rule));
            if let Some(percent) = capped.word.say(capped.under(percent)) {
                actions.push(self.action(rule, Act::SetStakeFactor { scope, percent }));
            }
        }
    }

    /// Caps of an earlier run. What the factor was before is not known, and all of it is the likeliest:
    /// to cap or to keep what is capped already would take a fifth of a fifth, for ever.
    fn find_caps(&mut self, seen: &Observation) {
        let caps = |of: Of| {
            let rules = self.rules.rules.iter().filter(move |rule| rule.when.of() == of);
            let percents = rules.filter_map(|rule| match rule.then {
                Then::Cap { percent } => Some(percent),
                _ => None,
            });
            percents.collect::<BTreeSet<u32>>()
        };
        let (engine, feeds, markets) = (caps(Of::Engine), caps(Of::Feed), caps(Of::Market));
        for (subject, factor) in factors(seen) {
            let percents = match subject {
                Subject::Engine => &engine,
                Subject::Feed(_) => &feeds,
                Subject::Market(_) => &markets,
                Subject::Group(_) => continue,
            };
            if percents.is_empty() || !self.looked_at.insert(subject) {
                continue;
            }
            if percents.contains(&factor) {
                let capped = Capped { percent: factor, ..Capped::new(100, factor) };
                self.capped.entry(subject).or_insert(capped);
            }
        }
    }

    /// Whether the condition of a cap holds for something, be it not for long enough.
    fn may_be_capped(&self, subject: Subject) -> bool {
        self.held.keys().any(|(at, held)| {
            *held == subject && matches!(self.rules.rules[*at].then, Then::Cap { .. })
        })
    }

    fn shed(&mut self, seen: &Observation, actions: &mut Vec<Action>) {
        let shed = seen.shed;
        let on_by_governor = shed.on_by_governor();
        if !std::mem::replace(&mut self.looked_at_shed, true) && on_by_governor {
            self.shed = Some(Word::new(None, shed.said()));
        }
        let Some(rule) = self.wanted(|then| then == Then::Shed).into_values().next() else {
            return;
        };
        let word = self.shed.get_or_insert_with(|| {
            // On already, whoever wants that: there is nothing to say, and nothing to take back.
            let by_hand = shed.mode == Shed::On && !on_by_governor;
            Word::new(shed.said.filter(|_| !on_by_governor), shed.said()).given(by_hand)
        });
        word.rule = Some(rule);
        if let Some(said) = word.ask(Some(Shed::On)) {
            actions.push(self.action(rule, Act::Shed(said)));
        }
    }

    /// Gives shedding back, if no rule wants it any more. What an earlier run has turned on waits while
    /// the condition of one holds, be it not for long enough.
    fn unshed(&mut self, actions: &mut Vec<Action>) {
        let sheds = |at: usize| self.rules.rules[at].then == Then::Shed;
        let wanted = self.held.iter().any(|((at, _), held)| held.entered && sheds(*at));
        let may_be_wanted = self.held.keys().any(|(at, _)| sheds(*at));
        let Some(word) = &mut self.shed else { return };
        if wanted || word.rule.is_none() && may_be_wanted {
            return;
        }
        let (rule, back) = (word.rule, word.take_back());
        self.shed.take_if(|word| word.is_over());
        actions.extend(back.map(|said| self.undoing(rule, Act::Shed(said))));
    }

    /// What takes back something of a rule, or of an earlier run.
    fn undoing(&self, rule: Option<usize>, act: Act) -> Action {
        match rule {
            Some(rule) => self.action(rule, act),
            None => Action { act, rule: String::new(), reason: 0 },
        }
    }

    /// Takes back what no rule wants any more.
    fn release(&mut self, seen: &Observation, actions: &mut Vec<Action>) {
        self.switch_back(actions);

        self.uncap(actions);

        self.unshed(actions);

        let wanted = self.wanted(|then| then == Then::FreezeCashOut);
        let done: Vec<(Subject, usize)> = self.frozen.iter().map(|(s, r)| (*s, *r)).collect();
        for (at, rule) in done {
            if !wanted.contains_key(&at) {
                self.frozen.remove(&at);
                actions.push(self.action(rule, Act::FreezeCashOut { at, frozen: false }));
            }
        }
        self.tidy(seen, actions);
    }

    fn uncap(&mut self, actions: &mut Vec<Action>) {
        let caps = self.caps();
        let free: Vec<Subject> =
            self.capped.keys().filter(|subject| !caps.contains_key(subject)).copied().collect();
        for subject in free {
            let (Some(scope), Some(capped)) = (subject.stakes(), self.capped.get(&subject)) else {
                continue;
            };
            if capped.word.rule.is_none() && self.may_be_capped(subject) {
                continue;
            }
            let Some(capped) = self.capped.get_mut(&subject) else { continue };
            capped.percent = 100;
            let (rule, back) = (capped.word.rule, capped.word.take_back());
            // Until it is, a cap that comes again must not take the last one for what it was.
            if capped.word.is_over() {
                self.capped.remove(&subject);
            }
            let act = back.map(|percent| Act::SetStakeFactor { scope, percent });
            actions.extend(act.map(|act| self.undoing(rule, act)));
        }
    }

    /// What a governor of an earlier run has frozen stands in the journal, and nobody else would release
    /// it: where no rule wants that at the first look, it is released, whatever the rules are now.
    fn tidy(&mut self, seen: &Observation, actions: &mut Vec<Action>) {
        let engine = std::iter::once((Subject::Engine, seen.frozen));
        let groups = seen.groups.iter().map(|g| (Subject::Group(g.id), g.frozen));
        let feeds = seen.feeds.iter().map(|f| (Subject::Feed(f.id), f.frozen));
        let markets = seen.markets.iter().map(|m| (Subject::Market(m.id), m.frozen));
        for (at, frozen) in groups.chain(feeds).chain(markets).chain(engine) {
            if self.tidied.insert(at) && frozen {
                let act = Act::FreezeCashOut { at, frozen: false };
                actions.push(self.undoing(None, act));
            }
        }
    }
}

/// The stake factors of everything that can be capped, in percent.
fn factors(seen: &Observation) -> impl Iterator<Item = (Subject, u32)> {
    let feeds = seen.feeds.iter().map(|f| (Subject::Feed(f.id), f.stake_factor));
    let markets = seen.markets.iter().map(|m| (Subject::Market(m.id), m.stake_factor));
    std::iter::once((Subject::Engine, seen.stake_factor)).chain(feeds).chain(markets)
}

fn engine(when: When, seen: &Observation) -> Signal {
    Signal::of(match when {
        When::Lag { above } => above < seen.lag,
        When::Ring { above } => above < seen.ring_percent,
        _ => false,
    })
}

fn cannot_be_read(feed: &FeedSeen, above: u32) -> bool {
    MESSAGES_MIN <= feed.recent && above < feed.error_ppm
}

fn feed(when: When, feed: &FeedSeen) -> Signal {
    Signal::of(match when {
        When::FeedDown => !feed.is_up,
        When::FeedSlow => feed.slow,
        When::ParseErrors { above } => cannot_be_read(feed, above),
        _ => false,
    })
}

fn group(when: When, group: &GroupSeen, seen: &Observation) -> Signal {
    let (primary, backup) = (seen.is_up(group.primary), seen.is_up(group.backup));
    match when {
        When::PrimaryDown => Signal {
            enter: group.drives == Drives::Primary && !primary && backup,
            leave: primary,
            leave_sooner: primary && !backup,
        },
        When::Trouble { error_ppm } => {
            let driving = match group.drives {
                Drives::Primary => group.primary,
                Drives::Backup => group.backup,
            };
            let well = seen
                .feed(driving)
                .is_some_and(|feed| feed.is_up && !feed.slow && !cannot_be_read(feed, error_ppm));
            // A feed that is not up proves nothing against the other one.
            let drifts = 0 < group.drifting && primary && backup;
            Signal::of(!well || drifts)
        }
        _ => Signal::of(false),
    }
}

fn market(when: When, market: &MarketSeen) -> Signal {
    Signal::of(match when {
        When::AcceptP99 { above, samples } => {
            samples <= market.samples && above < market.accept_p99
        }
        When::BetRate { above } => above < market.rate,
        When::PriceAge { above } => above < market.price_age,
        When::Refused { kind, above } => above < market.refused[kind as usize],
        _ => false,
    })
}
