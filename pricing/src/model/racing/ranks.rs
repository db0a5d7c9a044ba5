//! Who finishes where: the ranks 1 to 4 of every runner.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{PLACES_MAX, RUNNERS_MAX, Race, all_but_each, sum};
use crate::PricingError;

/// The probability of each runner to finish exactly first, second, third and fourth, as far as asked.
///
/// Every rank sums to 1 over the runners, unless fewer run than there are ranks: a rank that nobody
/// can have is 0 for all.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ranks {
    runners: usize,
    places: usize,
    of: [[f64; RUNNERS_MAX]; PLACES_MAX],
}

impl Ranks {
    /// Who has this rank, 1 being the winner; empty for a rank that was not asked for.
    pub fn rank(&self, rank: usize) -> &[f64] {
        if (1..=self.places).contains(&rank) { &self.of[rank - 1][..self.runners] } else { &[] }
    }

    /// The probability that a runner finishes in one of the first so many places, all of which were
    /// asked for; 0 for a runner that there is not.
    pub fn top(&self, places: usize, runner: usize) -> f64 {
        if self.runners <= runner {
            return 0.0;
        }
        let places = places.min(self.places);
        // Sums of rounded parts may pass one in the last digit.
        self.of[..places].iter().fold(0.0, |sum, rank| sum + rank[runner]).min(1.0)
    }
}

impl Race {
    /// The ranks 1 to `places` (1 to [`PLACES_MAX`]) of all runners, exactly: n² steps for three
    /// ranks, n³ for four.
    ///
    /// The second rank of j is w(j) ∑ p(i)/(W - w(i)) over all i but j, and the third likewise
    /// over the pairs in front; those without one runner are n sums over the same pairs.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] ("places").
    ///
    /// ```
    /// use betring_pricing::model::racing::{Discount, Race};
    ///
    /// let race = Race::new(&[0.6, 0.3, 0.1], Discount::HARVILLE)?;
    /// let ranks = race.ranks(2)?;
    /// // Second behind 0.3 or behind 0.1.
    /// let second = 0.3 * 0.6 / 0.7 + 0.1 * 0.6 / 0.9;
    /// assert!((ranks.rank(2)[0] - second).abs() < 1e-15);
    /// assert!((ranks.top(2, 0) - (0.6 + second)).abs() < 1e-15);
    /// # Ok::<(), betring_pricing::PricingError>(())
    /// ```
    pub fn ranks(&self, places: usize) -> Result<Ranks, PricingError> {
        if !(1..=PLACES_MAX).contains(&places) {
            return Err(PricingError::ParameterOutOfRange { name: "places" });
        }
        let mut ranks =
            Ranks { runners: self.runners, places, of: [[0.0; RUNNERS_MAX]; PLACES_MAX] };
        ranks.of[0] = self.weight[0];
        // What nobody can reach stays 0, and what is divided by below is above 0.
        match places.min(self.live) {
            0 | 1 => (),
            2 => self.second_and_third(&mut ranks, false),
            3 => self.second_and_third(&mut ranks, true),
            _ => {
                self.second_and_third(&mut ranks, true);
                self.fourth(&mut ranks);
            }
        }
        Ok(ranks)
    }

    /// `led[i]`: that i wins, by all the weight that is left for the second rank then.
    fn led(&self) -> [f64; RUNNERS_MAX] {
        let n = self.runners;
        let mut led = [0.0; RUNNERS_MAX];
        all_but_each(self.weights(1), &mut led[..n]);
        for (led, win) in led.iter_mut().zip(self.weights(0)) {
            *led = win / *led;
        }
        led
    }

    fn second_and_third(&self, ranks: &mut Ranks, third: bool) {
        let n = self.runners;
        let led = self.led();
        all_but_each(&led[..n], &mut ranks.of[1][..n]);
        for (rank, weight) in ranks.of[1].iter_mut().zip(self.weights(1)) {
            *rank *= weight;
        }
        if third {
            let rows = Rows::new(self.weights(2));
            let mut pairs = Pairs::new();
            let mut row = [0.0; RUNNERS_MAX];
            for i in 0..n {
                self.led_by(i, &led, &rows, &mut row);
                pairs.add(i, &row[..n], &mut ranks.of[2][..n]);
            }
            pairs.end(&mut ranks.of[2][..n]);
            for (rank, weight) in ranks.of[2].iter_mut().zip(self.weights(2)) {
                *rank *= weight;
            }
        }
    }

    /// `row[j]` for j behind i in number: that these two are the first two in either order, by all the
    /// weight that is left for the third rank then.
    fn led_by(&self, i: usize, led: &[f64; RUNNERS_MAX], rows: &Rows, row: &mut [f64]) {
        let n = self.runners;
        rows.left(i, self.weights(2), row);
        let second = self.weights(1);
        for ((row, led_j), second_j) in row[..n].iter_mut().zip(led).zip(second).skip(i + 1) {
            *row = (led[i] * second_j + led_j * second[i]) / *row;
        }
    }

    /// As the third rank, over the triples in front: for each first of their numbers the pairs of
    /// the other two.
    fn fourth(&self, ranks: &mut Ranks) {
        let n = self.runners;
        let (led, third, fourth) = (self.led(), self.weights(2), self.weights(3));
        let rows = Rows::new(third);
        let mut front = [[0.0; RUNNERS_MAX]; RUNNERS_MAX];
        for (i, row) in front[..n].iter_mut().enumerate() {
            self.led_by(i, &led, &rows, row);
        }
        // Behind i in number there must be two more for a triple.
        let (mut without, mut row) = ([0.0; RUNNERS_MAX], [0.0; RUNNERS_MAX]);
        let mut weights = [0.0; RUNNERS_MAX];
        weights[..n].copy_from_slice(fourth);
        let mut total = [0.0; RUNNERS_MAX];
        for i in 0..n {
            weights[i] = 0.0;
            let rows = Rows::new(&weights[..n]);
            let mut pairs = Pairs::new();
            without[i..n].fill(0.0);
            for j in i + 1..n {
                rows.left(j, &weights[..n], &mut row);
                let front_ij = front[i][j];
                for k in j + 1..n {
                    let in_front =
                        front_ij * third[k] + front[i][k] * third[j] + front[j][k] * third[i];
                    row[k] = in_front / row[k];
                }
                pairs.add(j, &row[..n], &mut without[..n]);
                total[i] += sum(&row[j + 1..n]);
            }
            pairs.end_from(i + 1, &mut without[..n]);
            for (rank, without) in ranks.of[3][..n].iter_mut().zip(&without).skip(i + 1) {
                *rank += without;
            }
            weights[i] = fourth[i];
        }
        let mut behind = 0.0;
        for i in (0..n).rev() {
            ranks.of[3][i] = (ranks.of[3][i] + behind) * fourth[i];
            behind += total[i];
        }
    }
}

/// What is left of some weights when two are taken out, row by row.
struct Rows {
    before: [f64; RUNNERS_MAX],
    behind: [f64; RUNNERS_MAX],
}

impl Rows {
    fn new(weights: &[f64]) -> Rows {
        let mut rows = Rows { before: [0.0; RUNNERS_MAX], behind: [0.0; RUNNERS_MAX] };
        let mut sum = 0.0;
        for (before, weight) in rows.before.iter_mut().zip(weights) {
            *before = sum;
            sum += weight;
        }
        let mut sum = 0.0;
        for (behind, weight) in rows.behind.iter_mut().zip(weights).rev() {
            *behind = sum;
            sum += weight;
        }
        rows
    }

    /// `row[j]` for j behind i in number: the sum of all weights but these two.
    fn left(&self, i: usize, weights: &[f64], row: &mut [f64]) {
        let mut between = self.before[i];
        for ((row, weight), behind) in row.iter_mut().zip(weights).zip(&self.behind).skip(i + 1) {
            *row = between + behind;
            between += weight;
        }
    }
}

/// Sums over unordered pairs without one of all, while the pairs come row by row. Only added: see
/// [`all_but_each`].
struct Pairs {
    /// `with[j]`: the pairs so far that j is the second of.
    with: [f64; RUNNERS_MAX],
    /// The pairs that each is the first of.
    tails: [f64; RUNNERS_MAX],
    /// The pairs of two of which both have come.
    inside: f64,
}

impl Pairs {
    fn new() -> Pairs {
        Pairs { with: [0.0; RUNNERS_MAX], tails: [0.0; RUNNERS_MAX], inside: 0.0 }
    }

    /// The pairs (i, j) with i < j. `without[i]` gets what has come and i is no part of.
    fn add(&mut self, i: usize, row: &[f64], without: &mut [f64]) {
        let n = row.len();
        without[i] = self.inside + sum(&self.with[i + 1..n]);
        self.inside += self.with[i];
        for (with, pair) in self.with[..n].iter_mut().zip(row).skip(i + 1) {
            *with += pair;
        }
        self.tails[i] = sum(&row[i + 1..]);
    }

    fn end(&self, without: &mut [f64]) {
        self.end_from(0, without);
    }

    /// Adds the pairs that came later, of those from number `from` on.
    fn end_from(&self, from: usize, without: &mut [f64]) {
        let mut later = 0.0;
        for (without, tail) in without.iter_mut().zip(&self.tails).skip(from).rev() {
            *without += later;
            later += tail;
        }
    }
}
