//! Reads messages of a Sportradar-style unified feed, one XML document in, one typed [`Message`] out,
//! and turns them into commands.
//!
//! Along the data's path: [`read`] takes the bytes of one document, [`Message`] is what it says,
//! a [`MarketKey`] is which market it speaks of, and its [`name`](MarketKey::name) is what the book
//! calls that market; a [`Translator`] makes commands of messages. Numbers are read digit by digit: no float is between the text and the value.
//!
//! What messages exist, their elements, attributes and codes, is published in the schema
//! `UnifiedFeedAMQP.xsd` (in the feed's SDKs, for example github.com/sportradar/UnifiedOddsSdkNetCore,
//! folder `ext`), and what they mean at docs.sportradar.com/uof. Where this reader differs from the
//! schema, the place says so:
//!
//! * a `product` may be missing from a message about an event, because recorded ones lack it;
//! * attributes and elements that are not known are passed over, because schemas grow; an element
//!   that is known, at a place where it does not belong, is an error;
//! * a market named twice in one message, or an outcome twice in one market, is an error: two
//!   statements of one moment contradict each other.
//!
//! A message is read whole or not at all. [`Error`] says what is wrong, where, and what to do.
//!
//! Who drives a [`Translator`] sends what it gives in order, reports the handles that the replies
//! bring ([`made`](Translator::made), [`adopt`](Translator::adopt)), gives it a message again as long
//! as it [waits](Progress::Waits), says when a feed was [interrupted](Translator::interrupted) (when
//! the core reports `FeedChanged` with `Silence`, `Gap`, `Connection` or `Schema`, when the connection
//! was made anew, and at a new epoch), and under which number it asks for a
//! [recovery](Translator::recovering). Whoever counts errors by feed counts them by
//! [`Error::kind`] and [`TranslateError::kind`], one closed list. What the translator refuses ([`TranslateError`]) was not applied: somebody has to do
//! what the error says.
//!
//! ```
//! use betring_uof::{Message, read};
//!
//! let bytes = br#"<bet_stop product="1" event_id="sr:match:7" timestamp="1700000000000" groups="all"/>"#;
//! match read(bytes) {
//!     Ok(Message::BetStop(stop)) => assert!(stop.groups.is_all()),
//!     Ok(other) => println!("a {}", other.kind()),
//!     Err(error) => println!("{error}"),
//! }
//! let error = read(br#"<bet_stop product="1" event_id="sr:match:7" groups="all"/>"#).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "bet_stop, line 1, byte 0, <bet_stop> timestamp: the attribute is missing; nothing of the \
//!      message is applied: suspend its markets and ask the producer for a recovery"
//! );
//! ```
#![forbid(unsafe_code)]

mod error;
mod message;
mod name;
mod number;
mod read;
mod translate;
mod xml;

pub use error::{Error, ErrorKind, Reason};
pub use message::{
    Alive, BetCancel, BetSettlement, BetStop, CancelledMarket, CashoutStatus, Certainty,
    ChangeType, DescriptionKind, FixtureChange, Groups, Header, MarketStatus, Message, Odds,
    OddsChange, OddsMarket, OutcomeResult, PricedOutcome, Producer, ProductDown, RequestId,
    RollbackBetCancel, RollbackBetSettlement, SettledMarket, SettledOutcome, SnapshotComplete,
    TIMESTAMP_MS_MAX, Timestamp, VoidReason, Window,
};
pub use name::{
    EventId, Line, MarketId, MarketKey, NAME_BYTES_MAX, NameError, OutcomeId, SPECIFIERS_MAX,
    Specifiers, TEXT_BYTES_MAX,
};
pub use number::{Factor, NUMBER_BYTES_MAX, NumberError, TIED_MAX};
pub use read::{DOCUMENT_BYTES_MAX, MARKETS_MAX, OUTCOMES_MAX, read};
pub use translate::{
    Config, Expects, Given, Progress, Skipped, TranslateError, TranslateReason, Translator,
    Undefined,
};
pub use xml::{ATTRIBUTES_MAX, DEPTH_MAX};
