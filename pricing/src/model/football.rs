//! Goals of a football match: means in, the probability of every score out.
//!
//! [`GoalModel`] is what is believed about the goals that are still to come, [`ScoreGrid`] the
//! probability of every number of them up to fifteen a side. During the match the model is that of
//! the [`remaining`](GoalModel::remaining) time; the score so far is added where prices are made of
//! the grid, in [`derive::football`](crate::derive::football). [`fit`](mod@fit) finds the model that
//! explains a market's prices.
//!
//! Sources: M. Maher, "Modelling association football scores" (1982) for independent goals;
//! M. Dixon and S. Coles, "Modelling association football scores and inefficiencies in the football
//! betting market" (1997) for their correction; D. Karlis and I. Ntzoufras, "Analysis of sports data
//! by using bivariate Poisson models" (2003).

pub mod fit;

mod grid;
mod in_play;
mod parameters;

pub use grid::ScoreGrid;
pub use in_play::{CardEffect, Clock, RedCards};
pub use parameters::GoalModel;

pub(crate) use grid::Distribution;

/// The most goals of one side that a grid has room for.
///
/// At a mean of 3.2 one match in 3.5 million has more; at [`MEAN_MAX`] one in 2,000.
pub const GOALS_MAX: usize = 15;

/// The greatest mean of one side's goals. Above it [`GOALS_MAX`] would leave too much out.
pub const MEAN_MAX: f64 = 6.0;

/// Numbers of goals from none to [`GOALS_MAX`].
const SIZE: usize = GOALS_MAX + 1;
