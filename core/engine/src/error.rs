//! What can go wrong around the loop: what, where, and what to do. Refusals are not here; those are answers.

use std::fmt;
use std::time::Duration;

use betring_core::id::{Epoch, Seq};
use betring_core::reject::{Malformed, Reject};
use betring_core::time::Nanos;

use crate::admission::{Busy, BusyWhy};
use crate::outcome::{Refusal, Request};

/// Why a command was not taken. This attempt will never execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// As many attempts are unanswered as the client has credit.
    TooManyInFlight {
        /// That many.
        credit: usize,
    },
    /// The ring is full, or the engine or the market is too busy: ask again later, with the same key.
    Overloaded(Busy),
    /// The client's connection sends, or repeats, faster than it may.
    RateLimited(Busy),
    /// It is no command, or not one for this handle.
    Malformed(Malformed),
    /// The engine stopped at once.
    Poisoned,
    /// The engine has ended, or is about to.
    Closed,
}

impl NotTaken {
    /// When to ask again, of what is only refused for now.
    pub fn retry_after(&self) -> Option<Nanos> {
        match self {
            NotTaken::Overloaded(busy) | NotTaken::RateLimited(busy) => Some(busy.retry_after),
            _ => None,
        }
    }

    /// The refusal it is, of those that a reply could also carry.
    pub fn reject(&self) -> Option<Reject> {
        match self {
            NotTaken::TooManyInFlight { .. } => Some(Reject::TooManyInFlight),
            NotTaken::Overloaded(_) => Some(Reject::Overloaded),
            NotTaken::RateLimited(_) => Some(Reject::RateLimited),
            NotTaken::Malformed(_) => Some(Reject::Malformed),
            NotTaken::Poisoned | NotTaken::Closed => None,
        }
    }
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotTaken::TooManyInFlight { credit } => write!(
                f,
                "TooManyInFlight: {credit} attempts are unanswered, which is the client's credit; \
                 read its replies before sending more"
            ),
            NotTaken::Overloaded(busy) => write!(f, "Overloaded: {busy}"),
            NotTaken::RateLimited(busy) => write!(f, "RateLimited: {busy}"),
            NotTaken::Malformed(what) => {
                write!(f, "Malformed: {what}; asking again changes nothing")
            }
            NotTaken::Poisoned => f.write_str(
                "the engine has stopped because of a failure: see health(), then open it again",
            ),
            NotTaken::Closed => f.write_str("the engine is closed: open it again"),
        }
    }
}

impl std::error::Error for NotTaken {}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot work.
    Config {
        /// What is wrong with it.
        what: String,
        /// What to write instead.
        instead: String,
    },
    /// The journal says no.
    Journal(betring_journal::Error),
    /// The system gave no random bytes for a new journal's secret.
    NoSecret {
        /// What it said.
        source: std::io::Error,
    },
    /// A thread could not be started.
    Thread {
        /// Which.
        name: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The journal was decided by another version of the logic.
    OtherLogic {
        /// In this epoch.
        epoch: Epoch,
        /// By this version.
        found: u32,
        /// This program has this one.
        expected: u32,
    },
    /// The journal was decided under other rules.
    OtherRules {
        /// In this epoch.
        epoch: Epoch,
        /// Rules and version found.
        found: (u64, u32),
        /// Those of this program.
        expected: (u64, u32),
    },
    /// Deciding a journaled command again gives something else.
    NotReproduced {
        /// Which.
        seq: Seq,
        /// What is different.
        what: String,
    },
    /// Deciding a journaled command again panics.
    ReplayPanicked {
        /// Which.
        seq: Seq,
        /// What it was.
        kind: String,
    },
    /// An earlier run panicked in something that cannot be set aside.
    PoisonPill {
        /// The sequence that it would have got.
        seq: Seq,
        /// What it was.
        kind: String,
        /// The file with its bytes.
        file: String,
    },
    /// A file with the command that stopped an earlier run cannot be read.
    PoisonFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// A snapshot could not be made, or not believed.
    NoSnapshot {
        /// Why.
        what: String,
    },
    /// The engine stopped because of a failure.
    Poisoned {
        /// What happened.
        why: String,
    },
    /// The engine has ended.
    Closed,
    /// Every seat is taken.
    NoSeat {
        /// How many there are.
        seats: usize,
    },
    /// The credit is nothing, or more than a seat has places.
    Credit {
        /// Asked for.
        asked: usize,
        /// Places of a seat.
        max: usize,
    },
    /// The engine has threads of its own.
    NotInline,
    /// Prices for another number of selections than the market has; nothing was sent.
    PriceCount {
        /// The market's name.
        market: String,
        /// Prices given; one more than the most that a market can have stands for all beyond it.
        prices: usize,
        /// Selections of the market.
        selections: usize,
    },
    /// Outcomes for another number of selections than the market has; nothing was sent.
    ResultCount {
        /// The market's name.
        market: String,
        /// Outcomes given; one more than the most that a market can have stands for all beyond it.
        results: usize,
        /// Selections of the market.
        selections: usize,
    },
    /// A command was refused.
    Refused(Refusal),
    /// A command was not taken.
    NotTaken(NotTaken),
    /// No answer came in time. The request may still be decided.
    Unanswered {
        /// Which.
        request: Request,
        /// The time that was waited.
        after: Duration,
    },
    /// A view did not get there in time.
    Behind {
        /// Asked for.
        wanted: Seq,
        /// Reached.
        reached: Seq,
    },
    /// A view has ended.
    ViewEnded {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config { what, instead } => write!(f, "{what} cannot work: {instead}"),
            Error::Journal(e) => e.fmt(f),
            Error::NoSecret { source } => write!(
                f,
                "the system gave no random bytes for the journal's secret: {source}; give one with \
                 Config::secret"
            ),
            Error::Thread { name, source } => write!(
                f,
                "cannot start the thread {name}: {source}; raise the limit on threads, or use \
                 Layout::Inline"
            ),
            Error::OtherLogic { epoch, found, expected } => write!(
                f,
                "epoch {epoch} of this journal was decided by version {found} of the logic, this \
                 program has version {expected}: use the program that wrote it"
            ),
            Error::OtherRules { epoch, found, expected } => write!(
                f,
                "epoch {epoch} of this journal was decided under rules {} version {}, this program \
                 has rules {} version {}, and no snapshot stands for it: open it with the rules that \
                 it was written under, make a snapshot, stop in order, and then change the rules",
                found.0, found.1, expected.0, expected.1
            ),
            Error::NotReproduced { seq, what } => write!(
                f,
                "sequence {seq} cannot be reproduced: {what}; the journal was altered, or this \
                 program decides otherwise than the one that wrote it; nothing was changed: run \
                 `betring journal verify`, and use the program that wrote it"
            ),
            Error::ReplayPanicked { seq, kind } => write!(
                f,
                "replaying sequence {seq}, a {kind}, panicked: nothing was changed; use a program \
                 in which this is repaired"
            ),
            Error::PoisonPill { seq, kind, file } => write!(
                f,
                "an earlier run panicked in a {kind} which would have become sequence {seq}, and \
                 would again: use a program in which this is repaired, then remove {file}"
            ),
            Error::PoisonFile { file, what } => write!(
                f,
                "{file} should hold the command that stopped an earlier run, but {what}: look at \
                 it, then remove it"
            ),
            Error::NoSnapshot { what } => write!(
                f,
                "no snapshot was made: {what}; nothing is lost by it, the journal has every record"
            ),
            Error::Poisoned { why } => write!(
                f,
                "the engine has stopped: {why}; what was not answered is unknown: open the engine \
                 again and resolve it by its keys"
            ),
            Error::Closed => f.write_str("the engine is closed: open it again"),
            Error::NoSeat { seats } => {
                write!(f, "all {seats} seats are taken: drop a client, or raise Config::clients")
            }
            Error::Credit { asked, max } => write!(
                f,
                "a credit of {asked} cannot be given: ask for 1 to {max}, or raise Config::clients"
            ),
            Error::NotInline => {
                f.write_str("this engine turns itself: only Layout::Inline is turned by its caller")
            }
            Error::PriceCount { market, prices, selections } => write!(
                f,
                "{prices} prices for the {selections} selections of {market}: give one for each, or \
                 name the selections with set_some"
            ),
            Error::ResultCount { market, results, selections } => write!(
                f,
                "{results} outcomes for the {selections} selections of {market}: give one for each, \
                 those that lost too"
            ),
            Error::Refused(refusal) => write!(f, "refused: {}", refusal.to_operator()),
            Error::NotTaken(not_taken) => write!(f, "not taken: {not_taken}"),
            Error::Unanswered { request, after } => write!(
                f,
                "no answer to {request} within {after:?}: it may still be decided; resolve it, or \
                 ask again with the same key and valid_until"
            ),
            Error::Behind { wanted, reached } => write!(
                f,
                "the view has reached {reached}, not yet {wanted}: give it more time, or see \
                 health() for why the journal stands"
            ),
            Error::ViewEnded { why } => write!(f, "the view has ended: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Journal(e) => Some(e),
            Error::NoSecret { source } | Error::Thread { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<betring_journal::Error> for Error {
    fn from(e: betring_journal::Error) -> Error {
        Error::Journal(e)
    }
}

impl From<Busy> for NotTaken {
    fn from(busy: Busy) -> NotTaken {
        match busy.why {
            BusyWhy::Session | BusyWhy::Retries => NotTaken::RateLimited(busy),
            _ => NotTaken::Overloaded(busy),
        }
    }
}

impl From<NotTaken> for Error {
    fn from(not_taken: NotTaken) -> Error {
        match not_taken {
            NotTaken::Closed => Error::Closed,
            other => Error::NotTaken(other),
        }
    }
}
