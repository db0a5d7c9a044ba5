//! How a stake on one outcome is settled, on average.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::outcome::{Outcome, Score};
use crate::{LegOutcome, model::football::ScoreGrid};

/// The probabilities of the five ways in which a bet on a line may end; they sum to one.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Split {
    /// All of the stake is won.
    pub won: f64,
    /// Half of it is won, the rest returned.
    pub half_won: f64,
    /// It is returned.
    pub void: f64,
    /// Half of it is lost, the rest returned.
    pub half_lost: f64,
    /// All of it is lost.
    pub lost: f64,
}

impl Split {
    /// Of an outcome, with the goals to come added to that score; `None` for the next goal, which
    /// the score at the end does not tell.
    ///
    /// ```
    /// use betring_pricing::derive::football::{Line, Outcome, Score, Split, Team};
    /// use betring_pricing::model::football::{GoalModel, ScoreGrid};
    ///
    /// let grid = ScoreGrid::new(&GoalModel::poisson(1.45, 1.15)?);
    /// let outcome = Outcome::Asian(Team::Home, Line::from_quarters(-3));
    /// let split = Split::of(&grid, Score::NIL_NIL, outcome).unwrap();
    /// // One goal is enough for half of the stake.
    /// assert!((split.half_won - 0.2262170386).abs() < 1e-9);
    /// assert!((split.fair_odds().unwrap() - 2.7145814469).abs() < 1e-9);
    /// # Ok::<(), betring_pricing::PricingError>(())
    /// ```
    pub fn of(grid: &ScoreGrid, score: Score, outcome: Outcome) -> Option<Split> {
        let mut split = Split::default();
        for (home, away, probability) in grid.iter() {
            let part = match outcome
                .settle_at(i32::from(score.home) + home, i32::from(score.away) + away)?
            {
                LegOutcome::Won => &mut split.won,
                LegOutcome::HalfWon => &mut split.half_won,
                LegOutcome::Void => &mut split.void,
                LegOutcome::HalfLost => &mut split.half_lost,
                _ => &mut split.lost,
            };
            *part += probability;
        }
        Some(split)
    }

    /// What one unit of stake returns if won, so that the house earns nothing: 1 + (lost + half of
    /// half lost) / (won + half of half won). `None` if it cannot be won.
    pub fn fair_odds(&self) -> Option<f64> {
        let won = self.won + 0.5 * self.half_won;
        let lost = self.lost + 0.5 * self.half_lost;
        if 0.0 < won { Some(1.0 + lost / won) } else { None }
    }
}
