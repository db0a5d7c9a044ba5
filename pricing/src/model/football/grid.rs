//! The probability of every number of goals to come, and of their sums and differences.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{
    GOALS_MAX, GoalModel, SIZE,
    parameters::{Bond, tau},
};

/// The probability of every number of goals to come, up to [`GOALS_MAX`] a side; all of them sum to
/// one, and [`GoalModel::lost_mass`] says what that leaves out.
///
/// It takes 4 KB on the stack of whoever makes it. Nothing but `+ - * /` makes it: e to the minus
/// mean is a common factor of what is made to sum to one.
///
/// ```
/// use betring_pricing::model::football::{GoalModel, ScoreGrid};
///
/// let grid = ScoreGrid::new(&GoalModel::dixon_coles(1.8, 0.9, -0.13)?);
/// assert!((grid.probability(0, 0) - 0.0813589937).abs() < 1e-10);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScoreGrid {
    cells: Cells,
    pub(crate) home: Distribution<SIZE>,
    pub(crate) away: Distribution<SIZE>,
    pub(crate) total: Distribution<SUMS>,
    /// Home less away.
    pub(crate) difference: Distribution<SUMS>,
    /// That the home side scores the next goal, if there is one.
    pub(crate) home_next: f64,
}

/// By the goals of the away side, then by those of the home side: sums and differences are then
/// made along the rows.
pub(super) type Cells = [[f64; SIZE]; SIZE];

/// How many sums, and how many differences, two numbers of goals may have.
pub(crate) const SUMS: usize = 2 * SIZE - 1;

impl ScoreGrid {
    /// The grid of a model.
    pub fn new(model: &GoalModel) -> ScoreGrid {
        let (cells, home, away) = normalised(model);
        let mut total = [0.0; SUMS];
        let mut difference = [0.0; SUMS];
        for (y, row) in cells.iter().enumerate() {
            for (sum, cell) in total[y..].iter_mut().zip(row) {
                *sum += cell;
            }
            for (sum, cell) in difference[GOALS_MAX - y..].iter_mut().zip(row) {
                *sum += cell;
            }
        }
        let (home_mean, away_mean) = (model.home_mean(), model.away_mean());
        let goals = home_mean + away_mean;
        ScoreGrid {
            cells,
            home: Distribution::new(0, home),
            away: Distribution::new(0, away),
            total: Distribution::new(0, total),
            difference: Distribution::new(-(GOALS_MAX as i32), difference),
            home_next: if 0.0 < goals { home_mean / goals } else { 0.0 },
        }
    }

    /// The probability that so many goals come; 0 beyond [`GOALS_MAX`].
    pub fn probability(&self, home: u8, away: u8) -> f64 {
        self.cell(i32::from(home), i32::from(away))
    }

    /// The same for any numbers: none comes that is negative.
    pub(crate) fn cell(&self, home: i32, away: i32) -> f64 {
        let size = 0..SIZE as i32;
        if size.contains(&home) && size.contains(&away) {
            self.cells[away as usize][home as usize]
        } else {
            0.0
        }
    }

    /// Home goals, away goals and their probability, in the order in which sums are made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let rows = self.cells.iter().enumerate();
        rows.flat_map(|(away, row)| row.iter().enumerate().map(move |(home, &p)| (home, away, p)))
    }
}

/// A number that is counted: the probability of each value, of it or more, and of it or less.
#[derive(Clone, Debug)]
pub(crate) struct Distribution<const N: usize> {
    lowest: i32,
    exactly: [f64; N],
    at_least: [f64; N],
    at_most: [f64; N],
}

impl<const N: usize> Distribution<N> {
    fn new(lowest: i32, exactly: [f64; N]) -> Distribution<N> {
        // Each tail is summed from its far end, so that the small ones are exact too.
        let (mut at_least, mut at_most) = ([0.0; N], [0.0; N]);
        let (mut above, mut below) = (0.0, 0.0);
        for (at, &probability) in exactly.iter().enumerate() {
            below += probability;
            at_most[at] = below;
        }
        for (at, &probability) in exactly.iter().enumerate().rev() {
            above += probability;
            at_least[at] = above;
        }
        Distribution { lowest, exactly, at_least, at_most }
    }

    pub(crate) fn exactly(&self, value: i32) -> f64 {
        self.exactly.get((value - self.lowest) as usize).copied().unwrap_or(0.0)
    }

    pub(crate) fn at_least(&self, value: i32) -> f64 {
        let at = value - self.lowest;
        if at <= 0 { 1.0 } else { self.at_least.get(at as usize).copied().unwrap_or(0.0) }
    }

    pub(crate) fn at_most(&self, value: i32) -> f64 {
        let at = value - self.lowest;
        if at < 0 { 0.0 } else { self.at_most.get(at as usize).copied().unwrap_or(1.0) }
    }
}

impl<const N: usize> Distribution<N> {
    /// K values of `now` more than what is counted here, from `lowest` on.
    pub(crate) fn window<const K: usize>(&self, lowest: i32, now: i32) -> Distribution<K> {
        let from = lowest - now;
        let mut window =
            Distribution { lowest, exactly: [0.0; K], at_least: [0.0; K], at_most: [0.0; K] };
        for at in 0..K {
            window.exactly[at] = self.exactly(from + at as i32);
            window.at_least[at] = self.at_least(from + at as i32);
            window.at_most[at] = self.at_most(from + at as i32);
        }
        window
    }

    /// That it is even, and that it is odd; of what is counted from 0.
    pub(crate) fn even_odd(&self) -> [f64; 2] {
        let mut sums = [0.0; 2];
        for (at, probability) in self.exactly.iter().enumerate() {
            sums[at % 2] += probability;
        }
        sums
    }
}

/// Cells that sum to one, and what each side scores.
fn normalised(model: &GoalModel) -> (Cells, [f64; SIZE], [f64; SIZE]) {
    let (mut home, mut away) = (poisson(model.home), poisson(model.away));
    match model.bond {
        // The four factors change the sum of no row and no column.
        Bond::DixonColes { rho } => {
            normalise(&mut home);
            normalise(&mut away);
            (dixon_coles(model, rho, &home, &away), home, away)
        }
        Bond::Bivariate { shared } => {
            let mut cells = bivariate(&home, &away, &poisson(shared));
            let mut all = 0.0;
            for row in &cells {
                all += sum(row);
            }
            let mut home = [0.0; SIZE];
            for (row, away) in cells.iter_mut().zip(&mut away) {
                scale(row, 1.0 / all);
                *away = sum(row);
                for (home, cell) in home.iter_mut().zip(row) {
                    *home += *cell;
                }
            }
            (cells, home, away)
        }
    }
}

/// The probability of every cell over that of no goals by independence.
pub(super) fn weights(model: &GoalModel) -> Cells {
    let (home, away) = (poisson(model.home), poisson(model.away));
    match model.bond {
        Bond::DixonColes { rho } => dixon_coles(model, rho, &home, &away),
        Bond::Bivariate { shared } => bivariate(&home, &away, &poisson(shared)),
    }
}

fn dixon_coles(model: &GoalModel, rho: f64, home: &[f64; SIZE], away: &[f64; SIZE]) -> Cells {
    let mut cells = [[0.0; SIZE]; SIZE];
    for (row, &away) in cells.iter_mut().zip(away) {
        for (cell, &home) in row.iter_mut().zip(home) {
            *cell = home * away;
        }
    }
    let [nil_nil, nil_one, one_nil, one_one] = tau(model.home, model.away, rho);
    cells[0][0] *= nil_nil;
    cells[1][0] *= nil_one;
    cells[0][1] *= one_nil;
    cells[1][1] *= one_one;
    cells
}

/// Each number of shared goals, and what both sides then still score by themselves.
fn bivariate(home: &[f64; SIZE], away: &[f64; SIZE], shared: &[f64; SIZE]) -> Cells {
    let mut cells = [[0.0; SIZE]; SIZE];
    for (both, &shared) in shared.iter().enumerate() {
        for (row, &away) in cells[both..].iter_mut().zip(away) {
            let weight = shared * away;
            for (cell, &home) in row[both..].iter_mut().zip(home) {
                *cell += weight * home;
            }
        }
    }
    cells
}

/// mean^k / k!: Poisson probabilities but for their common factor e^-mean.
pub(super) fn poisson(mean: f64) -> [f64; SIZE] {
    let mut weights = [1.0; SIZE];
    weights[1] = mean;
    weights[2] = mean * mean;
    weights[3] = weights[2] * mean;
    // Four powers at a time from the four before them.
    let fourth = weights[2] * weights[2];
    for at in 4..SIZE {
        weights[at] = weights[at - 4] * fourth;
    }
    for (weight, inverse) in weights.iter_mut().zip(&INVERSE_FACTORIALS) {
        *weight *= inverse;
    }
    weights
}

/// 1/k!. Every factorial up to 15! is a whole number that a float holds exactly.
const INVERSE_FACTORIALS: [f64; SIZE] = {
    let mut inverse = [1.0; SIZE];
    let mut factorial = 1.0;
    let mut at = 1;
    while at < SIZE {
        factorial *= at as f64;
        inverse[at] = 1.0 / factorial;
        at += 1;
    }
    inverse
};

/// In four strands, which is an order of its own: the same on every machine.
pub(super) fn sum(terms: &[f64; SIZE]) -> f64 {
    let mut strands = [0.0; 4];
    for four in terms.chunks_exact(4) {
        for (strand, term) in strands.iter_mut().zip(four) {
            *strand += term;
        }
    }
    (strands[0] + strands[1]) + (strands[2] + strands[3])
}

/// Makes them sum to one.
pub(super) fn normalise(terms: &mut [f64; SIZE]) {
    let inverse = 1.0 / sum(terms);
    scale(terms, inverse);
}

fn scale(terms: &mut [f64; SIZE], factor: f64) {
    for term in terms {
        *term *= factor;
    }
}
