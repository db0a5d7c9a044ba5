//! Several outcomes of one match as one bet.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{
    outcome::{Outcome, Score},
    prices::{checked, e4},
};
use crate::{LegOutcome, Price, PricingError, model::football::ScoreGrid};

/// What becomes of a stake on several outcomes of one match at once, on average: shares of it that
/// sum to one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Joint {
    /// Every leg is won.
    pub won: f64,
    /// No leg is lost, but one at least is void: that part of the stake is returned.
    pub returned: f64,
    /// A leg is lost.
    pub lost: f64,
}

/// Prices outcomes of one match as one bet, exactly: over every score that there may be, not as a
/// product of prices that hang together.
///
/// A leg on a quarter line is half of the stake on each of its neighbours, and a leg that is void
/// returns that part of the stake unless another leg is lost. No leg at all is won for certain:
/// exactly 1, at which there is no price.
/// Time is in proportion to the number of legs: 256 scores are settled for each.
///
/// # Errors
///
/// [`PricingError::NotOfTheScore`] with the index of a leg on the next goal, which the score at the
/// end does not tell.
///
/// ```
/// use betring_pricing::Side;
/// use betring_pricing::derive::football::{Line, Outcome, Score, Winner, multiple};
/// use betring_pricing::model::football::{GoalModel, ScoreGrid};
///
/// let grid = ScoreGrid::new(&GoalModel::dixon_coles(1.8, 1.1, -0.08)?);
/// let over = Outcome::Total(Side::Over, Line::from_quarters(10));
/// let legs = [Outcome::Result(Winner::Home), over];
/// let joint = multiple(&grid, Score::NIL_NIL, &legs)?;
/// // Whoever multiplied both would say 0.293.
/// assert!((joint.won - 0.3494).abs() < 1e-4);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn multiple(grid: &ScoreGrid, score: Score, legs: &[Outcome]) -> Result<Joint, PricingError> {
    if let Some(index) = legs.iter().position(|leg| matches!(leg, Outcome::NextGoal(_))) {
        return Err(PricingError::NotOfTheScore { index });
    }
    if legs.is_empty() {
        return Ok(Joint { won: 1.0, returned: 0.0, lost: 0.0 });
    }
    let mut joint = Joint { won: 0.0, returned: 0.0, lost: 0.0 };
    for (home, away, probability) in grid.iter() {
        let (home, away) = (i32::from(score.home) + home, i32::from(score.away) + away);
        // Of this score: the share on which every leg is won, and that on which none is lost.
        let (mut won, mut kept) = (probability, probability);
        for leg in legs {
            match leg.settle_at(home, away) {
                Some(LegOutcome::Won) => {}
                Some(LegOutcome::HalfWon) => won *= 0.5,
                Some(LegOutcome::Void) => won = 0.0,
                Some(LegOutcome::HalfLost) => {
                    won = 0.0;
                    kept *= 0.5;
                }
                _ => {
                    (won, kept) = (0.0, 0.0);
                    break;
                }
            }
        }
        joint.won += won;
        joint.returned += kept - won;
        joint.lost += probability - kept;
    }
    Ok(joint)
}

impl Joint {
    /// One over the fair odds: what is won over what is won and lost. 0 if neither can happen.
    pub fn probability(&self) -> f64 {
        let decided = self.won + self.lost;
        if 0.0 < decided { self.won / decided } else { 0.0 }
    }

    /// What one unit of stake returns if won, so that the house earns nothing; `None` if it cannot
    /// be won.
    pub fn fair_odds(&self) -> Option<f64> {
        if 0.0 < self.won { Some(1.0 + self.lost / self.won) } else { None }
    }

    /// The price with a margin from 0 to 1 in it, rounded down; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] if the margin is outside its range.
    pub fn price(&self, margin: f64) -> Result<Option<Price>, PricingError> {
        Ok(Price::from_e4(e4(self.probability(), 1.0 + checked(margin)?)))
    }

    /// What one unit of stake returns on average at a price.
    pub fn expected_return(&self, price: Price) -> f64 {
        self.won * (f64::from(price.e4()) / 10_000.0) + self.returned
    }
}
