//! What a price is: money, odds, stakes, ladders and every rounding, in integers.
//!
//! The modules in reading order: [`mod@money`] and its [`currency`], the [`mod@price`] of a bet and
//! the [`fraction`] it may have been quoted as, [`odds`] in every written format, the [`ladder`] of
//! prices that may be traded, the [`probability`] behind a price, and [`rounding`], where every
//! division is.
//!
//! No float exists in these modules: text is read and written digit by digit, and what is not a
//! whole number stays an exact fraction until it is rounded once, in a stated direction. All types
//! are small, `Copy`, and check their rule when they are built; nothing allocates but `String`s
//! made for people, and nothing panics on data from outside.
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic)]

// What is staked and paid.
pub mod money;

pub mod currency;

// What it is staked at.
pub mod price;

pub mod fraction;

pub mod odds;

pub mod ladder;

pub mod probability;

// What both come to, in whole units.
pub mod rounding;

// How all of them are read and written.
mod decimal;

pub use currency::{Amount, Currency, ParseCurrencyError};
pub use fraction::{Fraction, FractionalLadder, ParseFractionError};
pub use ladder::{
    BANDS_MAX, Band, Ladder, LadderError, ParseSnapError, ParseTickError, Snap, Tick,
};
pub use money::{Money, ParseMoneyError, ParseStakeError, Stake};
pub use odds::{American, Odds, ParseAmericanError, ParseOddsError, Quoted};
pub use price::{ParsePriceError, Price, price_within};
pub use probability::{ParseProbabilityError, Probability, SHARES_MAX, ShareError};
pub use rounding::{
    ParseRoundingModeError, RoundingMode, div_round, liability_up, profit, profit_ratio_ok, returns,
};
