//! What is believed about the goals to come.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{MEAN_MAX, SIZE, grid};
use crate::{PricingError, math};

/// What is believed about the goals to come: how many each side scores on average, and how the two
/// numbers hang together. A value of this type can be priced: every parameter is in its range.
///
/// ```
/// use betring_pricing::model::football::GoalModel;
///
/// let model = GoalModel::dixon_coles(1.8, 0.9, -0.13)?;
/// assert_eq!((model.home_mean(), model.away_mean()), (1.8, 0.9));
/// // 1 - 1.8 * 0.9 * 0.7 is negative: nil-nil cannot be less likely than impossible.
/// assert!(GoalModel::dixon_coles(1.8, 0.9, 0.7).is_err());
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GoalModel {
    /// The means of what each side scores by itself.
    pub(super) home: f64,
    pub(super) away: f64,
    pub(super) bond: Bond,
}

/// How the goals of both sides hang together.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Bond {
    /// The four lowest scores are more or less likely than by themselves; not at all if zero.
    DixonColes { rho: f64 },
    /// Goals that both sides get together: their mean.
    Bivariate { shared: f64 },
}

impl GoalModel {
    /// Goals that are independent of each other (Poisson): each side's mean, from 0 to
    /// [`MEAN_MAX`].
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] if a mean is outside its range or not a number.
    pub fn poisson(home_mean: f64, away_mean: f64) -> Result<GoalModel, PricingError> {
        GoalModel::dixon_coles(home_mean, away_mean, 0.0)
    }

    /// The model of Dixon and Coles: with λ the mean of the home side and μ that of the away side,
    /// 0-0 is as likely as by independence times 1 - λμρ, 0-1 times 1 + λρ, 1-0 times 1 + μρ, and
    /// 1-1 times 1 - ρ. That takes from no score what it does not give to another: the
    /// probabilities still sum to one, and neither side's goals change by themselves. A negative ρ,
    /// which is what leagues show (about -0.1), makes draws more likely.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] if a mean is not from 0 to [`MEAN_MAX`], or if `rho`
    /// is not from max(-1/λ, -1/μ) to min(1/(λμ), 1), where one of the four would be negative.
    pub fn dixon_coles(
        home_mean: f64,
        away_mean: f64,
        rho: f64,
    ) -> Result<GoalModel, PricingError> {
        let home = mean(home_mean, "home mean")?;
        let away = mean(away_mean, "away mean")?;
        let model = GoalModel { home, away, bond: Bond::DixonColes { rho: rho + 0.0 } };
        if !rho.is_finite() || tau(home, away, rho).into_iter().any(|factor| factor < 0.0) {
            return Err(PricingError::ParameterOutOfRange {
                name: "rho",
                allowed: "max(-1/λ, -1/μ) to min(1/(λμ), 1)",
            });
        }
        Ok(model)
    }

    /// The bivariate Poisson model: what each side scores by itself, and goals that both get
    /// together, all three independent. The mean of a side is its own and the shared one.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] if a mean is negative or not a number, or if that of
    /// a side with the shared one is above [`MEAN_MAX`].
    pub fn bivariate(home: f64, away: f64, shared: f64) -> Result<GoalModel, PricingError> {
        let shared = mean(shared, "shared mean")?;
        let home = mean(home, "home mean")?;
        let away = mean(away, "away mean")?;
        let allowed = "0 to 6 with the shared one";
        within(home + shared, "home mean", allowed)?;
        within(away + shared, "away mean", allowed)?;
        Ok(GoalModel { home, away, bond: Bond::Bivariate { shared } })
    }

    /// How many goals the home side scores on average.
    pub fn home_mean(&self) -> f64 {
        self.home + self.shared_mean()
    }

    /// How many goals the away side scores on average.
    pub fn away_mean(&self) -> f64 {
        self.away + self.shared_mean()
    }

    /// How many goals both get together on average; 0 unless the model is bivariate.
    pub fn shared_mean(&self) -> f64 {
        match self.bond {
            Bond::DixonColes { .. } => 0.0,
            Bond::Bivariate { shared } => shared,
        }
    }

    /// The ρ of Dixon and Coles; 0 where there is none.
    pub fn rho(&self) -> f64 {
        match self.bond {
            Bond::DixonColes { rho } => rho,
            Bond::Bivariate { .. } => 0.0,
        }
    }

    /// The probability that so many goals are scored, of all there may be: nothing is cut off or
    /// made up for. 0 beyond [`GOALS_MAX`](super::GOALS_MAX).
    pub fn probability(&self, home: u8, away: u8) -> f64 {
        let (home, away) = (usize::from(home), usize::from(away));
        if SIZE <= home || SIZE <= away {
            return 0.0;
        }
        grid::weights(self)[away][home] * self.none()
    }

    /// How much of all probability lies beyond the grid: that either side scores more than
    /// [`GOALS_MAX`](super::GOALS_MAX). A grid is made to sum to one without it.
    ///
    /// ```
    /// use betring_pricing::model::football::GoalModel;
    ///
    /// let lost = |mean| GoalModel::poisson(mean, 1.0).unwrap().lost_mass();
    /// assert!(lost(1.8) < 2e-10);
    /// assert!((2e-7..4e-7).contains(&lost(3.2)));
    /// ```
    pub fn lost_mass(&self) -> f64 {
        match self.bond {
            // ρ moves nothing across the border.
            Bond::DixonColes { .. } => {
                let (home, away) = (beyond(self.home), beyond(self.away));
                home + away - home * away
            }
            Bond::Bivariate { .. } => {
                let kept: f64 = grid::weights(self).as_flattened().iter().sum();
                (1.0 - kept * self.none()).max(0.0)
            }
        }
    }

    /// The probability that no goal comes, as if ρ were 0.
    fn none(&self) -> f64 {
        math::exp(-(self.home + self.away + self.shared_mean()))
    }
}

/// By what Dixon and Coles multiply 0-0, 0-1, 1-0 and 1-1.
pub(super) fn tau(home: f64, away: f64, rho: f64) -> [f64; 4] {
    [1.0 - home * away * rho, 1.0 + home * rho, 1.0 + away * rho, 1.0 - rho]
}

fn mean(mean: f64, name: &'static str) -> Result<f64, PricingError> {
    within(mean, name, "0 to 6")
}

fn within(mean: f64, name: &'static str, allowed: &'static str) -> Result<f64, PricingError> {
    // No NaN lies in the range. A negative zero becomes a positive one.
    if (0.0..=MEAN_MAX).contains(&mean) {
        Ok(mean + 0.0)
    } else {
        Err(PricingError::ParameterOutOfRange { name, allowed })
    }
}

/// The probability of more goals than a grid has room for.
fn beyond(mean: f64) -> f64 {
    // e^-m m^k/k!, whose terms fall by two thirds each: forty of them are all there is.
    let mut term = math::exp(-mean);
    let mut beyond = 0.0;
    for goals in 1..SIZE + 40 {
        term = term * mean / goals as f64;
        if SIZE <= goals {
            beyond += term;
        }
    }
    beyond
}
