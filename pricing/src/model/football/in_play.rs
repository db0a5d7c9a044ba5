//! What is left of a model while the match is on.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{GoalModel, parameters::Bond};
use crate::PricingError;

/// How much of a match has been played.
///
/// ```
/// use betring_pricing::model::football::Clock;
///
/// // An hour of ninety minutes, or of ninety-six with the stoppages that are expected.
/// assert_eq!(Clock::new(3_600, Clock::FULL_TIME_S).left(), 1.0 / 3.0);
/// assert_eq!(Clock::new(3_600, 5_760).left(), 0.375);
/// assert_eq!(Clock::new(5_500, Clock::FULL_TIME_S).left(), 0.0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    played_s: u32,
    length_s: u32,
}

impl Clock {
    /// Ninety minutes in seconds.
    pub const FULL_TIME_S: u32 = 90 * 60;

    /// So many seconds played of so many; what goes on beyond its length has nothing left. Who
    /// expects stoppages makes the length as much longer.
    pub const fn new(played_s: u32, length_s: u32) -> Clock {
        Clock { played_s, length_s }
    }

    /// The share of the match that is left, from 0 to 1. Goals come evenly over its length.
    pub fn left(self) -> f64 {
        if self.length_s <= self.played_s {
            return 0.0;
        }
        f64::from(self.length_s - self.played_s) / f64::from(self.length_s)
    }
}

/// Players sent off, of each side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RedCards {
    /// Of the home side.
    pub home: u8,
    /// Of the away side.
    pub away: u8,
}

impl RedCards {
    /// The most of one side: with fewer than seven players left it does not play on.
    pub const MAX: u8 = 4;
}

/// What one player sent off does to the goals to come. There is no default: it is an estimate, and
/// the operator's own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CardEffect {
    own: f64,
    other: f64,
}

impl CardEffect {
    /// By what the mean of the side that lost a player and that of the other side are multiplied,
    /// both from 0 to 10.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`].
    pub fn new(own: f64, other: f64) -> Result<CardEffect, PricingError> {
        for factor in [own, other] {
            if !(0.0..=10.0).contains(&factor) {
                return Err(PricingError::ParameterOutOfRange {
                    name: "card effect",
                    allowed: "0 to 10",
                });
            }
        }
        Ok(CardEffect { own, other })
    }
}

impl GoalModel {
    /// The model of the goals that are still to come, of this as the model of a whole match: every
    /// mean times the share of it that is left.
    ///
    /// A ρ stays as it is, and acts on the goals still to come: a negative one makes it likelier that
    /// none comes, so that the score stays as it is. Only while it is level does that favour the draw: at
    /// 1-0 it favours the side that leads. Who no longer wants a ρ makes the model of the remaining
    /// means.
    ///
    /// ```
    /// use betring_pricing::model::football::{Clock, GoalModel};
    ///
    /// let match_day = GoalModel::poisson(1.6, 1.1)?;
    /// let left = match_day.remaining(Clock::new(75 * 60, Clock::FULL_TIME_S));
    /// assert!((left.home_mean() - 1.6 / 6.0).abs() < 1e-15);
    /// # Ok::<(), betring_pricing::PricingError>(())
    /// ```
    pub fn remaining(&self, clock: Clock) -> GoalModel {
        // Shorter means leave every parameter in its range: the bounds of ρ only widen.
        let left = clock.left();
        GoalModel {
            home: self.home * left,
            away: self.away * left,
            bond: match self.bond {
                Bond::DixonColes { rho } => Bond::DixonColes { rho },
                Bond::Bivariate { shared } => Bond::Bivariate { shared: shared * left },
            },
        }
    }

    /// The model after players have been sent off: what a side scores by itself, times the factor
    /// of each card. Shared goals stay as they are.
    ///
    /// ```
    /// use betring_pricing::model::football::{CardEffect, GoalModel, RedCards};
    ///
    /// let effect = CardEffect::new(0.7, 1.25)?;
    /// let ten_men = GoalModel::poisson(1.0, 0.8)?.with(RedCards { home: 1, away: 0 }, effect)?;
    /// assert_eq!((ten_men.home_mean(), ten_men.away_mean()), (0.7, 1.0));
    /// # Ok::<(), betring_pricing::PricingError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] if there are more cards than [`RedCards::MAX`], or if
    /// a mean or ρ leaves its range.
    pub fn with(&self, cards: RedCards, effect: CardEffect) -> Result<GoalModel, PricingError> {
        if RedCards::MAX < cards.home || RedCards::MAX < cards.away {
            return Err(PricingError::ParameterOutOfRange {
                name: "red cards",
                allowed: "0 to 4 a side",
            });
        }
        let (mut home, mut away) = (self.home, self.away);
        for _ in 0..cards.home {
            home *= effect.own;
            away *= effect.other;
        }
        for _ in 0..cards.away {
            home *= effect.other;
            away *= effect.own;
        }
        match self.bond {
            Bond::DixonColes { rho } => GoalModel::dixon_coles(home, away, rho),
            Bond::Bivariate { shared } => GoalModel::bivariate(home, away, shared),
        }
    }
}
