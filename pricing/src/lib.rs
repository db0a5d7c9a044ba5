//! What a price is: money, odds, stakes, ladders and every rounding, in integers.
//!
//! The modules in reading order: [`mod@money`] and its [`currency`], the [`mod@price`] of a bet and
//! the [`fraction`] it may have been quoted as, [`odds`] in every written format, the [`ladder`] of
//! prices that may be traded, the [`probability`] behind a price, and [`rounding`], where every
//! division is that loses something. Then what becomes of a bet: the numbers of one [`leg`], with
//! the deductions of [`rule4`], the places of [`eachway`] terms and the [`mod@bonus`] of Lucky
//! bets as tables, and the [`ticket`] that makes lines of legs and money of lines.
//!
//! No float exists in those modules: text is read and written digit by digit, and what is not a
//! whole number stays an exact fraction until it is rounded once, in a stated direction. All types
//! are small, `Copy`, and check their rule when they are built; nothing allocates but `String`s
//! made for people, and nothing panics on data from outside.
//!
//! The other half makes prices: the [`mod@model`]s of games and races. There floats propose, and
//! what they propose leaves as integers. The same bits come out at every optimisation level, and
//! should on every machine: only `+ - * /` and `sqrt`, [`libm`] in one version for the rest, sums in a
//! fixed order, no fused multiply-add; tests have the bits. What cannot be computed is a [`PricingError`], never a NaN.
//!
//! Between the two: [`mod@devig`] reads probabilities out of odds, [`margin`] makes odds of them, and
//! [`multiple`], [`cashout`], [`kelly`], [`lmsr`] and [`score`] say what follows from both.
//! [`mod@derive`] makes the prices of a whole event of them at once.
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

// What becomes of it: one leg, the tables of an operator, and the whole ticket.
pub mod leg;

pub mod rule4;

pub mod eachway;

pub mod bonus;

pub mod ticket;

// How a price is made: floats propose, integers decide.
pub mod error;

pub mod devig;

pub mod margin;

pub mod model;

pub mod derive;

// What follows from prices and probabilities.
pub mod multiple;

pub mod cashout;

pub mod kelly;

pub mod lmsr;

pub mod score;

mod math;

// How all of them are read and written.
mod decimal;

pub use bonus::{Bonus, BonusTable};
pub use cashout::{CashOutError, GreenUp};
pub use currency::{Amount, Currency, ParseCurrencyError};
pub use devig::{
    Devigged, Method, OUTCOMES_MAX, ParseMethodError, devig, devig_prices, devig_winners,
    probabilities_of_floats,
};
pub use eachway::{PLACE_BANDS_MAX, PlaceTerms, PlaceTermsBand, PlaceTermsError, PlaceTermsTable};
pub use error::PricingError;
pub use fraction::{Fraction, FractionalLadder, ParseFractionError};
pub use ladder::{
    BANDS_MAX, Band, Ladder, LadderError, ParseSnapError, ParseTickError, Snap, Tick,
};
pub use leg::{
    Factor, LegNumbers, LegOutcome, Part, Pence, PlaceFraction, Share, Side, asian_handicap,
    asian_total,
};
pub use lmsr::Lmsr;
pub use margin::{Framed, Margin, price_of_odds};
pub use money::{Money, ParseMoneyError, ParseStakeError, Stake};
pub use multiple::{accumulator, expected_return, fair_odds, system_return, winning_legs};
pub use odds::{
    American, HongKong, Indonesian, Malay, Odds, ParseAmericanError, ParseAsianError,
    ParseOddsError, Quoted,
};
pub use price::{ParsePriceError, Price, price_within};
pub use probability::{ParseProbabilityError, Probability, SHARES_MAX, ShareError};
pub use rounding::{
    ParseRoundingModeError, RoundingMode, commission, div_round, liability_up, profit,
    profit_ratio_ok, reduced, returns,
};
pub use rule4::{RULE4_BANDS_MAX, Rule4Band, Rule4Error, Rule4Table};
// `returns` of a ticket stays behind its module: `returns` here is that of a single bet.
pub use ticket::{
    EachWay, LEGS_MAX, LINES_ENUMERATED_MAX, Rounding, RoundingPoint, Shape, ShapeError,
    TicketError, bonus, bonus_terms, is_dead, reach,
};
