//! Who finishes where: the ranks 1 to 4 of every runner.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use std::mem;

use super::{PLACES_MAX, PLACES_OUT_OF_RANGE, RUNNERS_MAX, Race, all_but_each};
use crate::{PricingError, math::sum_lanes};

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
            return Err(PLACES_OUT_OF_RANGE);
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
    fn led(&self) -> Row {
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
            let mut pairs = Pairs::new();
            self.led_by_two(led, |i, row| pairs.add(i, row, n, &mut ranks.of[2]));
            pairs.end(0, &mut ranks.of[2][..n]);
            for (rank, weight) in ranks.of[2].iter_mut().zip(self.weights(2)) {
                *rank *= weight;
            }
        }
    }

    /// Calls `each` with i and `row[j]` for j behind i in number, 0 for the others: that these two are
    /// the first two in either order, by all the weight that is left for the third rank then.
    fn led_by_two(&self, mut led: Row, mut each: impl FnMut(usize, &Row)) {
        let n = self.runners;
        let (mut left, mut second) = (Left::new(self.weights(2)), self.weight[1]);
        let mut row = [0.0; RUNNERS_MAX];
        for i in 0..n {
            left.without(i, self.weights(2));
            // From here on these are not behind anybody.
            let (led_i, second_i) = (mem::take(&mut led[i]), mem::take(&mut second[i]));
            let of_others = fours(&led, i, n).iter().zip(fours(&second, i, n));
            let of_pairs = of_others.zip(fours(&left.row, i, n));
            for (row, ((led, second), left)) in fours_mut(&mut row, i, n).iter_mut().zip(of_pairs) {
                *row = (led_i * second + led * second_i) / left;
            }
            each(i, &row);
        }
    }

    /// As the third rank, over the triples in front: for the first of their numbers the pairs of the
    /// other two.
    fn fourth(&self, ranks: &mut Ranks) {
        let n = self.runners;
        let mut front = [[0.0; RUNNERS_MAX]; RUNNERS_MAX];
        // A row has what was before it in its first four.
        self.led_by_two(self.led(), |i, row| front[i][i + 1..].copy_from_slice(&row[i + 1..]));
        let mut weights = self.weight[3];
        let (mut row, mut without) = ([0.0; RUNNERS_MAX], [0.0; RUNNERS_MAX]);
        let mut totals = [0.0; RUNNERS_MAX];
        for i in 0..n {
            weights[i] = 0.0;
            let (mut left, mut pairs) = (Left::new(&weights[..n]), Pairs::new());
            let (mut front_i, mut third) = (front[i], self.weight[2]);
            let third_i = third[i];
            third[..=i].fill(0.0);
            for j in i + 1..n {
                left.without(j, &weights[..n]);
                let (front_ij, third_j) = (mem::take(&mut front_i[j]), mem::take(&mut third[j]));
                let of_others = fours(&front_i, j, n).iter().zip(fours(&third, j, n));
                let of_pairs = fours(&front[j], j, n).iter().zip(fours(&left.row, j, n));
                let of_all = of_others.zip(of_pairs);
                for (row, ((front_i, third), (front_j, left))) in
                    fours_mut(&mut row, j, n).iter_mut().zip(of_all)
                {
                    let in_front = front_ij * third + third_j * front_i;
                    *row = (in_front + third_i * front_j) / left;
                }
                pairs.add(j, &row, n, &mut without);
            }
            pairs.end(i + 1, &mut without[..n]);
            totals[i] = pairs.inside;
            for (rank, without) in ranks.of[3][i + 1..n].iter_mut().zip(&without[i + 1..]) {
                *rank += without;
            }
            weights[i] = self.weight[3][i];
        }
        // The triples of which all are behind in number.
        let mut behind = 0.0;
        for i in (0..n).rev() {
            ranks.of[3][i] = (ranks.of[3][i] + behind) * weights[i];
            behind += totals[i];
        }
    }
}

/// A number for each runner, and 0 where there is none.
type Row = [f64; RUNNERS_MAX];

/// A row in whole fours, from the one with number `from` to the one with the last of n. What is behind
/// n or before `from` is 0; loops over whole fours take less time than loops over what is needed.
fn fours(row: &Row, from: usize, n: usize) -> &[f64] {
    &row[from / 4 * 4..n.next_multiple_of(4)]
}

fn fours_mut(row: &mut Row, from: usize, n: usize) -> &mut [f64] {
    &mut row[from / 4 * 4..n.next_multiple_of(4)]
}

/// What is left of some weights when two are taken out.
struct Left {
    before: Row,
    behind: Row,
    /// Without the runner that was asked for and the one of each place behind it. Above 0 everywhere.
    row: Row,
}

impl Left {
    fn new(weights: &[f64]) -> Left {
        let (mut before, mut behind) = ([0.0; RUNNERS_MAX], [0.0; RUNNERS_MAX]);
        let mut sum = 0.0;
        for (before, weight) in before.iter_mut().zip(weights) {
            *before = sum;
            sum += weight;
        }
        let mut sum = 0.0;
        for (behind, weight) in behind.iter_mut().zip(weights).rev() {
            *behind = sum;
            sum += weight;
        }
        Left { before, behind, row: [1.0; RUNNERS_MAX] }
    }

    fn without(&mut self, i: usize, weights: &[f64]) {
        let n = weights.len();
        let mut between = self.before[i];
        let others = weights[i + 1..].iter().zip(&self.behind[i + 1..n]);
        for (left, (weight, behind)) in self.row[i + 1..n].iter_mut().zip(others) {
            *left = between + behind;
            between += weight;
        }
    }
}

/// Sums over unordered pairs without one of all, while the pairs come row by row. Only added: see
/// [`all_but_each`].
struct Pairs {
    /// `with[j]`: the pairs so far of which j is the second, 0 for those whose row has come.
    with: Row,
    /// The pairs of which each is the first.
    tails: Row,
    /// The pairs of two of which both rows have come.
    inside: f64,
}

impl Pairs {
    fn new() -> Pairs {
        Pairs { with: [0.0; RUNNERS_MAX], tails: [0.0; RUNNERS_MAX], inside: 0.0 }
    }

    /// The pairs (i, j) with i < j < n. `without[i]` gets what has come and i is no part of.
    fn add(&mut self, i: usize, row: &Row, n: usize, without: &mut Row) {
        let with_i = mem::take(&mut self.with[i]);
        let (mut came, mut tail) = ([0.0; 4], [0.0; 4]);
        let with = fours_mut(&mut self.with, i, n).as_chunks_mut::<4>().0;
        for (with, row) in with.iter_mut().zip(fours(row, i, n).as_chunks::<4>().0) {
            for at in 0..4 {
                came[at] += with[at];
                with[at] += row[at];
                tail[at] += row[at];
            }
        }
        without[i] = self.inside + sum_lanes(came);
        self.inside += with_i;
        self.tails[i] = sum_lanes(tail);
    }

    /// Adds the pairs that came later, of those from number `from` on. All rows have come.
    fn end(&self, from: usize, without: &mut [f64]) {
        let mut later = 0.0;
        for (without, tail) in without[from..].iter_mut().zip(&self.tails[from..]).rev() {
            *without += later;
            later += tail;
        }
    }
}
