//! What becomes of a bet: the decision logic of betring.
//!
//! **State is a pure function of the journal.** Order and time are inputs; nothing else is: no clock,
//! no thread, no random number, no hash order, no float. So a replay gives the same bytes on any
//! machine, and whoever holds the journal holds the truth.
//!
//! The path of a command through this crate: its bytes ([`wire`]) are read into a [`command`];
//! [`State::admit`] answers what needs no sequence; [`State::apply`] decides the rest, changes the
//! state, and tells every [`event`] it caused; the [`answer`] goes back.
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::iter_over_hash_type)]

pub mod answer;
pub mod book;
pub mod command;
pub mod event;
pub mod id;
pub mod reject;
pub mod rules;
pub mod ruleset;
pub mod time;
pub mod wire;

mod bet;
mod calendar;
mod cashout;
mod check;
mod define;
mod digest;
mod exchange;
mod factors;
mod feed;
mod grid;
mod group;
mod hold;
mod idempotency;
mod ledger;
mod level;
mod liability;
mod limits;
mod market;
mod place;
mod purse;
mod quote;
mod read;
mod results;
mod risk;
mod room;
mod settlement;
mod shed;
mod shorten;
mod snapshot;
mod state;
mod table;
mod tier;
mod waiting;

pub use bet::{BetState, BetStep};
pub use digest::Digest;
pub use exchange::{ORDERS_WAITING_MAX, OrderState, OrderStep, OrderView, PositionView, Sizes};
pub use limits::OwnLimitView;
pub use market::MarketStep;
pub use read::{
    AccountView, BetView, Exposure, FeedView, GroupView, LegView, MarketView, QuoteView,
    SelectionView,
};
pub use rules::{BetFacts, HouseRules, Rules, Ruling};
pub use shed::Shedding;
pub use snapshot::{IMAGE_VERSION, ImageError};
pub use state::{
    Admission, Admitted, HASH_EVERY, LOGIC_VERSION, ReplayError, ReplayWhat, Stamp, State,
    WAITING_MAX,
};

#[cfg(feature = "script")]
pub mod script;
