//! Reads Betfair exchange stream recordings: a file's lines, the markets they add up to, and the
//! updates that a book is fed with.
//!
//! Along the data's path: [`Recording`] reads lines, [`MarketChangeMessage`] is what a line says,
//! [`Book`] is what the changes of a market add up to. Two readers stand at the path's end:
//! [`FeedCheck`] counts what recordings hold, [`Translator`] says what happened in one as a sequence
//! of [`Update`]s, and [`Merged`] in several at once. Numbers are exact [`Decimal`]s all the way.
//!
//! ```
//! use betring_betfair::{Recording, Translator};
//!
//! let lines = concat!(
//!     r#"{"op":"mcm","pt":1000,"mc":[{"id":"1.5","marketDefinition":{"status":"OPEN","#,
//!     r#""runners":[{"id":7,"status":"ACTIVE"}]},"rc":[{"id":7,"atb":[[2.5,10]]}]}]}"#, "\n",
//!     r#"{"op":"mcm","pt":1900,"mc":[{"id":"1.5","marketDefinition":{"status":"CLOSED","#,
//!     r#""runners":[{"id":7,"status":"WINNER"}]}}]}"#, "\n",
//! );
//! for update in Translator::new(Recording::read("two lines", lines.as_bytes())) {
//!     match update {
//!         Ok(timed) => println!("{}: {:?}", timed.publish_time_ms, timed.update),
//!         Err(error) => println!("{error}"),
//!     }
//! }
//! ```
#![forbid(unsafe_code)]

mod book;
mod check;
mod decimal;
mod error;
mod ladder;
mod merge;
mod message;
mod recording;
mod translate;

pub use book::{Book, LEVELS_MAX, RUNNERS_MAX, RunnerBook, Sizes};
pub use check::{
    ERRORS_SHOWN_MAX, EXAMPLES_MAX, FeedCheck, FileCheck, MARKETS_MAX, MarketReport, VERSIONS_MAX,
};
pub use decimal::{DIGITS_MAX, Decimal, DecimalError, SCALE_MAX};
pub use error::{Error, ErrorKind, LineError, Reason};
pub use merge::{Merged, MergedUpdate};
pub use message::{
    DepthPriceSize, ENTRIES_MAX, LadderKind, MarketChange, MarketChangeMessage, MarketDefinition,
    MarketStatus, PUBLISH_TIME_MS_MAX, PriceSize, RunnerChange, RunnerDefinition, RunnerStatus,
    SelectionKey, TEXT_BYTES_MAX,
};
pub use recording::{LEAP_MS_MAX, LINE_BYTES_MAX, Recording};
pub use translate::{
    Define, HEARTBEAT_MS, MarketIndex, Named, Outcome, SelectionIndex, Timed, Translator, Update,
};
