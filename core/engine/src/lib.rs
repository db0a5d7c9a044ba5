//! The low-latency betting core: one pinned loop between lock-free rings and a memory-mapped journal.
//!
//! ```
//! use betring::*;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Error> {
//! # let book = std::env::temp_dir().join(format!("betring-doc-{}", std::process::id()));
//! let engine = Engine::open(Config::at(&book))?;                  // recovers, warms up; safe defaults
//! let mut trader = engine.control("trader:anna")?;                // the actor is on every record
//! let market = trader.define_market("ENG-SCO 1X2", ["England", "Draw", "Scotland"])?;
//! trader.set_prices(&market, [price!(2.10), price!(3.40), price!(3.75)])?;
//! trader.open_market(&market)?;
//!
//! let mut client = engine.client(1024)?;                          // credit: at most 1024 unanswered
//! let account = client.open_account(Reference(1001), Currency::GBP)?;
//! client.deposit(account, money!(100.00), key(1))?;
//! let ticket = client.try_submit(                                 // Err: this attempt never executes
//!     Place::single(account, market.selection("England"), money!(10.00))
//!         .seen_at(price!(2.10))
//!         .policy(PricePolicy::Better)
//!         .key(key(2)),
//! )?;
//! match client.wait(ticket, Duration::from_millis(250)) {
//!     Outcome::Accepted(bet) => println!(
//!         "{} at {} ({}, {} old), seq {}",
//!         bet.id, bet.price, bet.price_version, bet.price_age, bet.seq
//!     ),
//!     Outcome::Offered(offer) => println!("now {}, yours until {}", offer.price, offer.until),
//!     Outcome::Refused(why) => println!("{why}"),                 // a sentence that a customer can read
//!     Outcome::Pending(wait) => println!("{wait}"),               // its end comes as an event
//!     Outcome::Done(receipt) => println!("{receipt}"),            // of deposits and withdrawals
//!     Outcome::Ordered(orders) => println!("{orders}"),           // of an exchange market
//!     Outcome::Changed(orders) => println!("{orders}"),           // cancelled, or told what becomes of them
//!     Outcome::Unknown(request) => println!("{}", client.resolve(request)?),
//! }
//! println!("{}", engine.shutdown()?);                             // the last sequence and the digest
//! # let _ = std::fs::remove_dir_all(&book);
//! # Ok(())
//! # }
//! ```
//!
//! The path of a command, which is the order of the modules: what is asked ([`Ask`], [`Control`],
//! [`Feed`]) passes the door in front of its ring ([`Intake`]) or is told when to come back ([`Busy`]),
//! is stamped and published (`ingress`); the loop takes it, decides it and records it
//! (`decide`, `record`); the reply waits in the client's ring until the journal has reached it (`egress`);
//! events, prices and exposures follow (`output`).
//!
//! **Levels.** A reply is seen when its client's [`Level`] is reached. [`Level::Durable`], the default
//! everywhere: the device has it. The other two can take back what was told, and say so in their names.
//!
//! **When something fails**, the engine stops at once and says nothing about what it had not answered:
//! those attempts are [`Outcome::Unknown`], never refused. Opened again, [`Client::resolve`] closes the
//! question of each.
//!
//! **When there is too much**, or a feed fails, the door sheds the hottest markets first, and a
//! [`GovernorTask`] closes what is in doubt by sequenced commands ([`governor`]). Raw slots that are no
//! command are put aside ([`dead_letters`]). What the engine counts is in a file for others to read ([`counters`]).
//!
//! **An external wallet** is told of stakes to hold by events (`HoldRequested`), and answers with
//! [`Control::confirm_hold`] or [`Control::release_hold`]; until then a bet is [`Outcome::Pending`].
//!
//! **An exchange** is a market in which customers bet against each other: [`MarketTerms::exchange`] and
//! [`Control::set_exchange`] define it, [`Client::place_orders`] backs and lays. What there is at which price is
//! read from a [`View`] by a [`MarketReader`], what has become of orders by an [`OrderReader`].
//!
//! **Threads.** [`Layout::TwoThread`]: one thread decides and, once warm, neither allocates, faults nor
//! calls the system; another one records and syncs. [`Layout::OneThread`]: one thread does both.
//! [`Layout::Inline`]: none; the caller turns the loop, and every call that waits turns it, too.
#![forbid(unsafe_code)]

pub use betring_core as logic;
pub use betring_journal as journal;
pub use betring_pricing as pricing;

// What an engine is set up with, and what it is asked.
mod config;

mod ask;

mod slip;

pub mod orders;

// In.
mod admission;

pub mod dead_letters;

mod ingress;

mod clock;

// The loop.
mod decide;

mod record;

// Out.
mod egress;

mod output;

// Who is connected, and what they are told.
mod client;

mod control;

mod exchange;

mod feed;

pub mod pricer;

mod outcome;

mod error;

// Around the loop.
mod shared;

mod poison;

mod recover;

mod diff;

mod snapshot;

mod pin;

mod dials;

pub mod governor;

mod health;

pub mod counters;

mod view;

pub mod market_data;

pub mod order_updates;

mod engine;

pub use admission::{Busy, BusyWhy, Intake, MarketDoor, Rate};
pub use ask::{
    AcceptOffer, AccountTerms, Ask, CashOut, DeclineOffer, Deposit, ExcludeSelf, Place, Reference,
    Resolve, Selection, SetAutoCashOut, SetOwnLimit, VALID_FOR, Withdraw, key,
};
pub use client::Client;
pub use clock::{Clock, ClockHealth};
pub use config::{
    CLIENTS_MAX, CREDIT_MAX, Config, Cores, Layout, Level, ParseLevelError, WaitStrategy,
};
pub use control::{
    BetWindow, Certainty, Control, Group, Market, MarketTerms, ResultTerms, Scope, SelectionResult,
    StakeScope, TierTerms,
};
pub use decide::{Closed, Turn};
pub use dials::RefusedFor;
pub use diff::{AccountDifference, Compared, Difference, Sums, diff};
pub use engine::{Engine, SCHEMA_HASH};
pub use error::{Error, NotTaken};
pub use exchange::ExchangeTerms;
pub use feed::{Feed, FeedCounts, ParseError};
pub use governor::{Governor, GovernorTask};
pub use health::{
    Counts, FeedHealth, GroupHealth, Health, IntakeHealth, MarketHealth, RingHealth, Status,
};
pub use market_data::{
    Gap, MarketData, MarketDelta, MarketImage, MarketNow, MarketReader, PriceSize, SelectionDelta,
    SelectionImage, SelectionNow,
};
pub use order_updates::{OrderReader, OrderUpdate};
pub use orders::{Cancel, CancelOrders, Order, PlaceOrders, ReplaceOrders, UpdateOrders};
pub use outcome::{
    Bet, Changed, Liability, Offer, Ordered, Outcome, Receipt, Refusal, Request, Resolved,
    Submitted, Ticket, Waiting,
};
pub use output::{EventStream, ExposureNow, Exposures, Lapped, Occurrence, PriceNow, Prices};
pub use pricer::{Model, Pricer};
pub use recover::{Cut, Progress, Recovered, Replayed, Stage, replay, replay_with};
pub use shared::Watch;
pub use slip::{Leg, PlaceTicket, Slip};
pub use snapshot::{Snapshot, SnapshotHealth, snapshot, snapshot_with};
pub use view::{Book, View};

pub use betring_core::answer::{Answer, AnswerKind, Basis, Fate, Reply};
pub use betring_core::book::{SelfMatch, Side, Stand};
pub use betring_core::command::{
    Capacities, Drives, EachWayOffer, HoldBind, LadderKind, LapseScope, LiabilityAct, LimitKind,
    Limits, OrderKind, Owner, PayoutCap, Period, Persistence, PriceEntry, PriceFailure,
    PricePolicy, Purse, ReferralAnswer, ResultEntry, ResultForm, RoundingPlace, SelectionOutcome,
    Shed,
};
pub use betring_core::event::{BetOutcome, Event, FeedStatus, MarketStatus, PendingWhy};
pub use betring_core::id::{
    AccountId, ActorId, BetId, ClientId, Epoch, FeedId, FixtureId, GroupId, JobId, MarketId,
    OrderId, PriceVersion, RequestKey, SelectionIndex, Seq, Token,
};
pub use betring_core::reject::{Malformed, Reject};
pub use betring_core::ruleset::Ruleset;
pub use betring_core::time::{Nanos, Timestamp};
pub use betring_core::wire::{Minor, Name, Slot, WirePrice};
pub use betring_core::{AccountView, BetState, BetView, LegView, MarketView};
pub use betring_core::{BetFacts, Digest, HouseRules, Rules, Ruling, Shedding, Stamp, State};
pub use betring_core::{OrderState, OrderView, PositionView, Sizes};
pub use betring_pricing::{
    Band, Currency, Ladder, LegNumbers, Money, Pence, PlaceFraction, Price, RoundingMode, Share,
    Stake, money, price,
};

/// The README's program, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
