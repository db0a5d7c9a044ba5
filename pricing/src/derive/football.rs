//! All prices of a football match from one grid of scores.
//!
//! [`Outcome::ALL`] is the list of what is priced, in an order that never changes. [`Fair`] has the
//! probability of each, [`Prices`] the prices with [`Margins`] in them, and [`multiple`] prices any
//! of them together, exactly.
//!
//! ```
//! use betring_pricing::derive::football::{Fair, Line, Margins, Outcome, Prices, Score, Team};
//! use betring_pricing::model::football::{GoalModel, ScoreGrid};
//! use betring_pricing::price;
//!
//! let grid = ScoreGrid::new(&GoalModel::poisson(1.45, 1.15)?);
//! let fair = Fair::of(&grid, Score::NIL_NIL);
//! let level = Outcome::Asian(Team::Home, Line::from_quarters(-1));
//! assert_eq!(level.to_string(), "home -0.25");
//!
//! let prices = Prices::of(&fair, &Margins::NONE);
//! assert_eq!(prices.get(level), Some(price!(1.9776)));
//! let prices = Prices::of(&fair, &Margins::uniform(0.05)?);
//! assert_eq!(prices.get(level), Some(price!(1.8834)));
//! # Ok::<(), betring_pricing::PricingError>(())
//! ```

mod fair;
mod multiple;
mod names;
mod outcome;
mod prices;
mod split;

pub use fair::Fair;
pub use multiple::{Joint, multiple};
pub use names::ParseLineError;
pub use outcome::{Line, Market, OUTCOMES, Outcome, Score, Team, Winner};
pub use prices::{Margins, Prices};
pub use split::Split;
