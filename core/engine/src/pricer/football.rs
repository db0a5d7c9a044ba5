//! A football match as a [`Model`]: 236 prices from the means of both sides and the score.

use betring_pricing::derive::football::{Fair, Margins, OUTCOMES, Prices, Score};
use betring_pricing::model::football::{GoalModel, ScoreGrid};
use betring_pricing::{Ladder, Price, PricingError};

use super::Model;

/// What is known of a match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The goals that are still to come.
    pub to_come: GoalModel,
    /// The score now.
    pub score: Score,
}

/// Prices matches; places of prices are those of
/// [`Outcome::ALL`](betring_pricing::derive::football::Outcome::ALL).
#[derive(Clone, Debug)]
pub struct Football {
    margins: Margins,
    ladder: Option<Ladder>,
    /// The model that the grid is of: a goal changes the score only.
    of: GoalModel,
    grid: ScoreGrid,
    fair: Fair,
    prices: Prices,
}

impl Football {
    /// With these margins; prices are rounded down to a ladder if there is one, else to a ten-thousandth.
    pub fn new(margins: Margins, ladder: Option<Ladder>) -> Football {
        let of = GoalModel::poisson(1.0, 1.0).expect("a goal a side is within the range of means");
        let grid = ScoreGrid::new(&of);
        let fair = Fair::of(&grid, Score::NIL_NIL);
        let prices = Prices::of(&fair, &margins);
        Football { margins, ladder, of, grid, fair, prices }
    }
}

impl Model for Football {
    type Input = Match;
    const NAME: &'static str = "football";
    const VERSION: u32 = 1;
    const OUTCOMES: usize = OUTCOMES;

    fn price(&mut self, input: &Match, prices: &mut [Option<Price>]) -> Result<(), PricingError> {
        if input.to_come != self.of {
            self.grid.remake(&input.to_come);
            self.of = input.to_come;
        }
        self.fair.reprice(&self.grid, input.score);
        self.prices.requote(&self.fair, &self.margins, self.ladder.as_ref());
        for (at, price) in prices.iter_mut().enumerate() {
            *price = self.prices.at(at);
        }
        Ok(())
    }

    /// The bits of the means of what is to come, of what both sides score together and of rho; the goals of the home side and
    /// of the away side.
    fn parameters(&self, input: &Match) -> [u64; 6] {
        let Match { to_come, score } = input;
        let floats =
            [to_come.home_mean(), to_come.away_mean(), to_come.shared_mean(), to_come.rho()];
        let [home, away, shared, rho] = floats.map(f64::to_bits);
        [home, away, shared, rho, u64::from(score.home), u64::from(score.away)]
    }
}
