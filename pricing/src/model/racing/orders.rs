//! Bets on the first two, three or four, in order or in any.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{PLACES_MAX, PLACES_OUT_OF_RANGE, RUNNER_OUT_OF_RANGE, Race};
use crate::PricingError;

impl Race {
    /// The probability that these are the first two to four in this order.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] ("runner") unless all of them run and they differ,
    /// ("places") for fewer than one or more than [`PLACES_MAX`].
    pub fn in_order(&self, runners: &[usize]) -> Result<f64, PricingError> {
        self.check_front(runners)?;
        let mut probability = 1.0;
        for (rank, &runner) in runners.iter().enumerate() {
            probability *= self.weight[rank][runner] / self.left(rank, &runners[..rank]);
        }
        Ok(probability)
    }

    /// The probability that these are the first two to four in any order.
    ///
    /// # Errors
    ///
    /// As for [`Race::in_order`].
    pub fn in_any_order(&self, runners: &[usize]) -> Result<f64, PricingError> {
        self.check_front(runners)?;
        let mut front = [0; PLACES_MAX];
        front[..runners.len()].copy_from_slice(runners);
        Ok(self.orders(&mut front[..runners.len()], 0))
    }

    /// First and second: exacta, or straight forecast. Errors as for [`Race::in_order`].
    pub fn exacta(&self, first: usize, second: usize) -> Result<f64, PricingError> {
        self.in_order(&[first, second])
    }

    /// The first two in either order: quinella, or reverse forecast. Errors as for
    /// [`Race::in_order`].
    pub fn quinella(&self, one: usize, other: usize) -> Result<f64, PricingError> {
        self.in_any_order(&[one, other])
    }

    /// The first three in order: trifecta, or tricast. Errors as for [`Race::in_order`].
    pub fn trifecta(&self, first: usize, second: usize, third: usize) -> Result<f64, PricingError> {
        self.in_order(&[first, second, third])
    }

    /// The first three in any order: trio, or combination tricast. Errors as for
    /// [`Race::in_order`].
    pub fn trio(&self, runners: [usize; 3]) -> Result<f64, PricingError> {
        self.in_any_order(&runners)
    }

    /// The first four in order: superfecta, or first four. Errors as for [`Race::in_order`].
    pub fn superfecta(&self, runners: [usize; 4]) -> Result<f64, PricingError> {
        self.in_order(&runners)
    }

    /// That the runners from `rank` on follow in any order on those before it, which are placed.
    fn orders(&self, front: &mut [usize], rank: usize) -> f64 {
        if rank == front.len() {
            return 1.0;
        }
        let left = self.left(rank, &front[..rank]);
        let mut probability = 0.0;
        for next in rank..front.len() {
            front.swap(rank, next);
            let weight = self.weight[rank][front[rank]];
            probability += weight / left * self.orders(front, rank + 1);
            front.swap(rank, next);
        }
        probability
    }

    /// The weight that is left for a rank when these are in front.
    fn left(&self, rank: usize, placed: &[usize]) -> f64 {
        let mut left = 0.0;
        for (runner, weight) in self.weights(rank).iter().enumerate() {
            if !placed.contains(&runner) {
                left += weight;
            }
        }
        left
    }

    fn check_front(&self, runners: &[usize]) -> Result<(), PricingError> {
        if !(1..=PLACES_MAX).contains(&runners.len()) {
            return Err(PLACES_OUT_OF_RANGE);
        }
        for (at, &runner) in runners.iter().enumerate() {
            self.check_runner(runner)?;
            if runners[..at].contains(&runner) {
                return Err(RUNNER_OUT_OF_RANGE);
            }
        }
        Ok(())
    }
}
