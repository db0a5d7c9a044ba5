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
        let mut grid = ScoreGrid {
            cells: [[0.0; SIZE]; SIZE],
            home: Distribution::new(0),
            away: Distribution::new(0),
            total: Distribution::new(0),
            difference: Distribution::new(-(GOALS_MAX as i32)),
            home_next: 0.0,
        };
        grid.remake(model);
        grid
    }

    /// Makes it the grid of another model, in its place.
    pub fn remake(&mut self, model: &GoalModel) {
        match model.bond {
            Bond::DixonColes { rho } => self.make_from_sides(model, rho),
            Bond::Bivariate { .. } => self.make_from_cells(model),
        }
        self.home.accumulate();
        self.away.accumulate();
        self.total.accumulate();
        self.difference.accumulate();
        let (home_mean, away_mean) = (model.home_mean(), model.away_mean());
        let goals = home_mean + away_mean;
        self.home_next = if 0.0 < goals { home_mean / goals } else { 0.0 };
    }

    /// Where both sides score independently but for the four factors, which change the sum of no
    /// row and no column.
    fn make_from_sides(&mut self, model: &GoalModel, rho: f64) {
        let [home, away] = [model.home, model.away].map(|mean| normalised(poisson(mean)));
        let mut away_back = away;
        away_back.reverse();
        self.total.exactly = convolved(&home, &away);
        self.difference.exactly = convolved(&home, &away_back);
        multiply(&mut self.cells, &home, &away);
        for ([x, y], factor) in LOWEST.into_iter().zip(tau(model.home, model.away, rho)) {
            let before = self.cells[y][x];
            self.cells[y][x] = before * factor;
            let more = before * (factor - 1.0);
            self.total.exactly[x + y] += more;
            self.difference.exactly[GOALS_MAX + x - y] += more;
        }
        self.home.exactly = home;
        self.away.exactly = away;
    }

    fn make_from_cells(&mut self, model: &GoalModel) {
        self.cells = weights(model);
        let mut rows = [0.0; SIZE];
        for (row, all) in self.cells.iter().zip(&mut rows) {
            *all = sum(row);
        }
        let inverse = 1.0 / sum(&rows);
        self.home.exactly = [0.0; SIZE];
        self.away.exactly = [0.0; SIZE];
        self.total.exactly = [0.0; SUMS];
        self.difference.exactly = [0.0; SUMS];
        for (y, row) in self.cells.iter_mut().enumerate() {
            for (x, cell) in row.iter_mut().enumerate() {
                *cell *= inverse;
                self.home.exactly[x] += *cell;
                self.away.exactly[y] += *cell;
                self.total.exactly[x + y] += *cell;
                self.difference.exactly[GOALS_MAX + x - y] += *cell;
            }
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
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i32, i32, f64)> + '_ {
        let rows = (0..).zip(&self.cells);
        rows.flat_map(|(away, row)| (0..).zip(row).map(move |(home, &p)| (home, away, p)))
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
    fn new(lowest: i32) -> Distribution<N> {
        Distribution { lowest, exactly: [0.0; N], at_least: [0.0; N], at_most: [0.0; N] }
    }

    /// Each tail is summed from its far end, so that small ones are as exact as great ones.
    fn accumulate(&mut self) {
        let (mut below, mut above) = (0.0, 0.0);
        for at in 0..N {
            below += self.exactly[at];
            self.at_most[at] = below;
            above += self.exactly[N - 1 - at];
            self.at_least[N - 1 - at] = above;
        }
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
        let mut window = Distribution::new(lowest);
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

/// The scores that Dixon and Coles make more or less likely: 0-0, 0-1, 1-0, 1-1.
const LOWEST: [[usize; 2]; 4] = [[0, 0], [0, 1], [1, 0], [1, 1]];

/// The probability of every cell over that of no goals by independence.
pub(super) fn weights(model: &GoalModel) -> Cells {
    let mut cells = [[0.0; SIZE]; SIZE];
    let (home, away) = (poisson(model.home), poisson(model.away));
    match model.bond {
        Bond::DixonColes { rho } => {
            multiply(&mut cells, &home, &away);
            for ([x, y], factor) in LOWEST.into_iter().zip(tau(model.home, model.away, rho)) {
                cells[y][x] *= factor;
            }
        }
        // Every number of shared goals, and what both sides score by themselves beside them.
        Bond::Bivariate { shared } => {
            for (both, shared) in poisson(shared).into_iter().enumerate() {
                for (row, &away) in cells[both..].iter_mut().zip(&away) {
                    let weight = shared * away;
                    for (cell, &home) in row[both..].iter_mut().zip(&home) {
                        *cell += weight * home;
                    }
                }
            }
        }
    }
    cells
}

fn multiply(cells: &mut Cells, home: &[f64; SIZE], away: &[f64; SIZE]) {
    for (row, &away) in cells.iter_mut().zip(away) {
        *row = home.map(|home| home * away);
    }
}

/// For every sum of two indices, the products that have it, in the order of the second.
fn convolved(first: &[f64; SIZE], second: &[f64; SIZE]) -> [f64; SUMS] {
    // Zeros on both sides make all sums alike.
    let mut wide = [0.0; 3 * SIZE];
    wide[SIZE..2 * SIZE].copy_from_slice(first);
    let mut sums = [0.0; SUMS];
    for (block, sums) in sums.chunks_mut(BLOCK).enumerate() {
        let partial = partly_convolved(&wide, second, BLOCK * block);
        sums.copy_from_slice(&partial[..sums.len()]);
    }
    sums
}

/// So many sums at a time stay in registers.
const BLOCK: usize = 8;

/// The sums from that one on. Not inlined: unrolled together, the blocks would not stay there.
#[inline(never)]
fn partly_convolved(wide: &[f64; 3 * SIZE], second: &[f64; SIZE], from: usize) -> [f64; BLOCK] {
    let mut sums = [0.0; BLOCK];
    // Beyond these there are only zeros.
    for at in from.saturating_sub(GOALS_MAX)..SIZE.min(from + BLOCK) {
        let factor = second[at];
        if let Some(terms) = wide[SIZE + from - at..].first_chunk::<BLOCK>() {
            for (sum, term) in sums.iter_mut().zip(terms) {
                *sum += factor * term;
            }
        }
    }
    sums
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

/// The same, so that they sum to one.
pub(super) fn normalised(terms: [f64; SIZE]) -> [f64; SIZE] {
    let inverse = 1.0 / sum(&terms);
    terms.map(|term| term * inverse)
}
