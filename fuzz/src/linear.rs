//! Histories of concurrent callers, held against the auditor: real threads, call and return times, one order.
//!
//! A [`race`] runs the engine with its threads and rings, and lets several customers and a trader ask it
//! at once: bets, deposits and withdrawals, retries of each other's requests under the same key, questions
//! ([`Resolve`](betring::Resolve)) beside the originals, offers taken and declined twice, connections that
//! are dropped with answers on their way, bursts that fill the ring. Of every attempt it records what was
//! asked, when it was called and when it returned, and what the caller was told: a [`History`].
//!
//! [`History::check`] says whether the history is linearizable against the auditor, which is a second
//! implementation and shares only the layouts with the one that answered. No order has to be searched for:
//! the journal's own is the witness, and each [`Sentence`] is checked of it. An answer that has no record
//! carries the sequence at which it was looked up. Only refusals of the facade say nothing of their place;
//! for a full ring it is counted what can have been in it at any moment of the call. Now and then it is
//! looked what a crash would leave of the simulated disk below: everything that somebody was told before
//! has to be there.
//!
//! ```
//! let checked = betring_fuzz::linear::race().seed(42).customers(2).run(300);
//! assert!(0 < checked.decided);
//! ```
//!
//! Threads are the machine's own, so a seed repeats what is asked but not how it interleaves. What is told of
//! a failure is therefore the part of the history that shows it.

mod check;
mod picture;
mod play;

use crate::auditor::{Hits, OwnRules, Ring, Violation};
use betring::{Layout, Level, NotTaken};
use betring_core::answer::Reply;
use betring_core::id::{ClientId, Seq, Token};
use betring_core::time::Timestamp;
use betring_core::{HouseRules, Rules};

/// Customers of a race, at most: each is a thread.
pub const CUSTOMERS_MAX: usize = 8;

/// A race under the house's own rules: three customers and a trader.
pub fn race() -> Race<HouseRules> {
    Race { rules: HouseRules, own_rules: false, seed: 0x5eed, customers: 3, layout: None }
}

/// A race that is being set up. [`Race::run`] lets it run.
#[derive(Clone, Debug)]
pub struct Race<R: Rules> {
    rules: R,
    own_rules: bool,
    seed: u64,
    customers: usize,
    layout: Option<Layout>,
}

impl<R: Rules> Race<R> {
    /// Under an operator's own rules.
    pub fn rules<N: Rules>(self, rules: N) -> Race<N> {
        let Race { seed, customers, layout, .. } = self;
        Race { rules, own_rules: true, seed, customers, layout }
    }

    /// Decides what is asked, and how the engine is set up. Without it: always the same.
    pub fn seed(self, seed: u64) -> Race<R> {
        Race { seed, ..self }
    }

    /// So many customers ask at once, each on a thread of its own; 1 to [`CUSTOMERS_MAX`].
    pub fn customers(self, customers: usize) -> Race<R> {
        Race { customers: customers.clamp(1, CUSTOMERS_MAX), ..self }
    }

    /// With these threads in the engine, instead of a layout that the seed chooses. An engine without
    /// threads of its own is turned by whoever waits, and has no concurrent callers to show.
    pub fn layout(self, layout: Layout) -> Race<R> {
        Race { layout: Some(layout), ..self }
    }

    /// Lets all of them ask, about so many attempts together, and returns what was recorded.
    ///
    /// # Errors
    /// That the engine did not open, stopped, or left somebody without an answer.
    pub fn record(self, attempts: usize) -> Result<History, String> {
        play::record(self, attempts)
    }

    /// The same, and the history is checked.
    ///
    /// # Panics
    /// If it does not hold: with the seed, the sentence that broke, and the part of the history that shows it.
    pub fn run(self, attempts: usize) -> Checked {
        let seed = self.seed;
        let checked = self.record(attempts).map(|history| history.check());
        match checked {
            Ok(Ok(checked)) => checked,
            Ok(Err(broken)) => panic!("{broken}"),
            Err(what) => panic!("seed {seed:#x}: {what}"),
        }
    }
}

/// Everything that was asked in a race, what each caller was told, and the journal that it made.
#[derive(Clone, Debug)]
pub struct History {
    /// What it came from.
    pub seed: u64,
    /// The operator's own rules.
    pub own_rules: Option<OwnRules>,
    /// Slots of the bet ring.
    pub bet_slots: usize,
    /// Slots of the control ring.
    pub control_slots: usize,
    /// The last sequence of the preparations, whose callers are not in here.
    pub begun: Seq,
    /// Connections.
    pub lines: Vec<Line>,
    /// Attempts, by when they were called; those of one connection in its order.
    pub operations: Vec<Operation>,
    /// The whole journal.
    pub records: Vec<Record>,
    /// What crashes in the middle of it would have left.
    pub crashes: Vec<Crash>,
}

impl History {
    /// Whether it is linearizable against the auditor, in the journal's order.
    ///
    /// # Errors
    /// The first sentence that does not hold, and the part of the history that shows it.
    pub fn check(&self) -> Result<Checked, Box<Broken>> {
        check::check(self)
    }
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who sits there.
    pub who: String,
    /// The ring that it publishes on.
    pub ring: Ring,
    /// Its seat.
    pub client: ClientId,
    /// What has to be true of a reply before it sees it.
    pub level: Level,
    /// How many attempts it may have unanswered.
    pub credit: usize,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The connection, by its place in [`History::lines`].
    pub line: usize,
    /// What it asked, as the caller gave it.
    pub bytes: Vec<u8>,
    /// Just before the call: nanoseconds since the race began, on the machine's monotonic clock.
    pub called: u64,
    /// The same moment or one before it, on the engine's clock.
    pub asked_at: Timestamp,
    /// What its caller was told.
    pub said: Said,
}

/// What a caller was told of an attempt.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    /// It was not taken.
    NotTaken {
        /// Just after the return, as [`Operation::called`].
        returned: u64,
        /// Why.
        why: NotTaken,
    },
    /// It was taken, and the reply was seen.
    Replied {
        /// The number that the attempt was given.
        token: Token,
        /// Just after the reply was handed out.
        returned: u64,
        /// The same moment or one after it, on the engine's clock.
        told_at: Timestamp,
        /// The reply.
        reply: Reply,
        /// What was durable then, or a moment later.
        durable: Seq,
        /// What was in the page cache then, or a moment later.
        process: Seq,
    },
    /// It was taken, and its caller went without an answer.
    Nothing {
        /// The number that the attempt was given.
        token: Token,
    },
}

impl Operation {
    /// When its caller knew the end of it. None: never.
    pub fn returned(&self) -> Option<u64> {
        match self.said {
            Said::NotTaken { returned, .. } | Said::Replied { returned, .. } => Some(returned),
            Said::Nothing { .. } => None,
        }
    }

    /// The number that it was given. None: it was not taken.
    pub fn token(&self) -> Option<Token> {
        match self.said {
            Said::NotTaken { .. } => None,
            Said::Replied { token, .. } | Said::Nothing { token } => Some(token),
        }
    }

    /// The reply that its caller saw.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.said {
            Said::Replied { reply, .. } => Some(reply),
            Said::NotTaken { .. } | Said::Nothing { .. } => None,
        }
    }
}

/// One record of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its sequence.
    pub seq: Seq,
    /// Its moment.
    pub at: Timestamp,
    /// The command.
    pub command: Vec<u8>,
    /// What it caused.
    pub events: Vec<u8>,
}

/// What a crash at some moment of the race would have left: the disk is looked at as it is then, and the
/// engine goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Just before that, as [`Operation::called`].
    pub called: u64,
    /// Whether the machine's power fails, or only the process ends.
    pub power: bool,
    /// The last record that is found again, as it was, with all before it.
    pub kept: Seq,
}

/// What has to hold of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sentence {
    /// Nothing is in the journal that was not asked, or that its caller was told was not taken.
    OnceOrNever,
    /// The journal's order is one that the callers could have seen.
    RealTime,
    /// A connection's attempts are not overtaken by its later ones.
    LineOrder,
    /// The rules, applied in the journal's order, give what the journal says.
    Rules,
    /// What a caller was told is what the rules give at the attempt's place.
    Reply,
    /// An answer without a record was the right one when it was given.
    Between,
    /// Times of the engine are times of the world.
    Moment,
    /// Levels hold.
    Level,
    /// What the facade refuses, it had to refuse.
    NotTaken,
}

impl std::fmt::Display for Sentence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Sentence::OnceOrNever => {
                "an attempt that was taken is decided at most once, one that was not taken never"
            }
            Sentence::RealTime => {
                "what returned before another attempt was called comes before it in the journal"
            }
            Sentence::LineOrder => {
                "what one connection asks is decided in the order in which it asks"
            }
            Sentence::Rules => {
                "the rules, applied in the journal's order, give what the journal says"
            }
            Sentence::Reply => {
                "every caller saw the reply that the rules give at its attempt's place in the journal"
            }
            Sentence::Between => {
                "an answer without a record is the one that the rules give at some point between \
                 call and return"
            }
            Sentence::Moment => "an attempt is decided at a time between call and return",
            Sentence::Level => {
                "no reply is seen before the journal has reached its level, and what was seen is there \
                 after a crash"
            }
            Sentence::NotTaken => {
                "an attempt is not taken only if the ring is full, the credit is used up, or it is \
                 no command for that ring"
            }
        })
    }
}

/// What does not hold, and the part of the history that shows it.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Of the race.
    pub seed: u64,
    /// The sentence.
    pub sentence: Sentence,
    /// What was found instead.
    pub what: Violation,
    /// The attempts that show it, by their place in [`History::operations`]: those that contradict each
    /// other; of an answer that the rules do not give, those of the same request, or else the last ones
    /// before it on its account and market.
    pub operations: Vec<usize>,
    /// Those, a line each.
    pub picture: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {:#x}: it does not hold that {}:", self.seed, self.sentence)?;
        writeln!(f, "{}", self.what)?;
        f.write_str(&self.picture)
    }
}

impl std::error::Error for Broken {}

/// What a history that holds has seen.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Attempts.
    pub attempts: u64,
    /// Pairs of neighbours in the journal of which one returned before the other was called: where the order is
    /// not free.
    pub ordered: u64,
    /// Attempts that overlapped an attempt on another connection.
    pub overlapping: u64,
    /// Records, those of the engine itself too.
    pub records: u64,
    /// Moments at which it was looked what a crash would leave.
    pub crashes: u64,
    /// Replies to what was decided by its attempt.
    pub decided: u64,
    /// Replies that repeated an earlier answer.
    pub repeated: u64,
    /// Of those, to an attempt on another connection than the one that was decided.
    pub elsewhere: u64,
    /// Refusals of the loop without a record.
    pub refused: u64,
    /// Requests that a question closed as never placed.
    pub never_placed: u64,
    /// Attempts that found the ring full.
    pub overloaded: u64,
    /// Attempts that found their credit used up.
    pub no_credit: u64,
    /// Attempts that the facade found to be no command.
    pub malformed: u64,
    /// Attempts whose callers went without an answer.
    pub unknown: u64,
    /// Of those, decided all the same.
    pub unknown_decided: u64,
    /// What was done to bets and markets, and every refusal with a record.
    pub hits: Hits,
}

impl Checked {
    /// Adds another history's.
    pub fn add(&mut self, other: &Checked) {
        let Checked {
            attempts,
            ordered,
            overlapping,
            records,
            crashes,
            decided,
            repeated,
            elsewhere,
            refused,
            never_placed,
            overloaded,
            no_credit,
            malformed,
            unknown,
            unknown_decided,
            hits,
        } = other;
        self.attempts += attempts;
        self.ordered += ordered;
        self.overlapping += overlapping;
        self.records += records;
        self.crashes += crashes;
        self.decided += decided;
        self.repeated += repeated;
        self.elsewhere += elsewhere;
        self.refused += refused;
        self.never_placed += never_placed;
        self.overloaded += overloaded;
        self.no_credit += no_credit;
        self.malformed += malformed;
        self.unknown += unknown;
        self.unknown_decided += unknown_decided;
        self.hits.add(hits);
    }
}

impl std::fmt::Display for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} attempts ({} overlapping, {} in forced order), {} records, {} crashes: {} decided, {} repeated \
             ({} from another connection), {} refused without a record, {} never placed; not taken: {} \
             ring full, {} no credit, {} no command; {} without an answer ({} of them decided)",
            self.attempts,
            self.overlapping,
            self.ordered,
            self.records,
            self.crashes,
            self.decided,
            self.repeated,
            self.elsewhere,
            self.refused,
            self.never_placed,
            self.overloaded,
            self.no_credit,
            self.malformed,
            self.unknown,
            self.unknown_decided
        )
    }
}
