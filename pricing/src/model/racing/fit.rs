//! A race from its win and place prices: how its ranks are discounted, or that and who wins, too.
//!
//! Least squares by Levenberg and Marquardt: every probability counts alike, whoever's it is. The
//! derivatives are differences, a place matrix being a matter of a few hundred nanoseconds.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{
    Discount, PLACES_MAX, RUNNERS_MAX, Race, SUM_SLACK, WIN_MIN, check_win,
    linear::{Matrix, UNKNOWNS_MAX, solve},
    sum,
};
use crate::{
    PricingError,
    math::{exp, ln},
};

/// The most steps of a search. Those that end need about ten.
const STEPS_MAX: u32 = 60;

/// A step by less than this is the last: the next would change no probability by as much.
const STEP_MIN: f64 = 1e-9;

/// How far an unknown is moved to see what it does.
const NUDGE: f64 = 1e-7;

/// A race that was read from prices, and how well it explains them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RaceFit {
    /// The race.
    pub race: Race,
    /// The strength of its discount: see [`Discount::of_strength`].
    pub strength: f64,
    /// What is left unexplained: the root of the mean square over all the probabilities that were
    /// fitted. 0.01 is one in a hundred.
    pub residual: f64,
    /// How many steps it took.
    pub steps: u32,
}

/// The discount that explains the place probabilities best, the win probabilities being taken as they
/// are.
///
/// `win` as for [`Race::new`]. `place` has each runner's probability to be one of the first `places`
/// (2 to [`PLACES_MAX`], and fewer than run), without margin: they sum to `places` within 1e-9.
///
/// One number is sought, [`Discount::of_strength`]. Places up to the third would be explained by
/// other powers of the second and third rank nearly as well as by the right ones, to
/// 4 parts in 100,000 in one case: no market is that exact. If all runners are equal, no
/// discount is told from another, and that of [`Discount::GAMMA`] stays.
///
/// # Errors
///
/// As [`Race::new`]; [`PricingError::LengthsDiffer`],
/// [`PricingError::ParameterOutOfRange`] ("places"), [`PricingError::NotFinite`] and
/// [`PricingError::ProbabilityOutOfRange`] for a place that is not above 0 and below 1 (exactly 0 for who
/// does not run), [`PricingError::SumOffTarget`]; [`PricingError::NoSolution`] if the search ends at
/// the edge of its range or not at all.
///
/// ```
/// use betring_pricing::model::racing::{Discount, Race, fit_discount};
///
/// let win = [0.4, 0.3, 0.2, 0.1];
/// let ranks = Race::new(&win, Discount::of_strength(1.5)?)?.ranks(3)?;
/// let place = [0, 1, 2, 3].map(|runner| ranks.top(3, runner));
/// let fit = fit_discount(&win, &place, 3)?;
/// assert!((fit.strength - 1.5).abs() < 1e-9);
/// assert!(fit.residual < 1e-12);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn fit_discount(win: &[f64], place: &[f64], places: usize) -> Result<RaceFit, PricingError> {
    Search::new(win, place, places, false)?.run()
}

/// The probabilities to win and the discount that together explain the win and place probabilities
/// best.
///
/// Where the two markets disagree, both give way: `race.win()` is then not what was given.
/// Inputs and errors as for [`fit_discount`].
///
/// ```
/// use betring_pricing::model::racing::{Discount, Race, fit_race};
///
/// let win = [0.4, 0.3, 0.2, 0.1];
/// // The last is liked better for a place than to win.
/// let fit = fit_race(&win, &[0.66, 0.56, 0.44, 0.34], 2)?;
/// assert!(0.1 < fit.race.win()[3] && fit.residual < 0.02);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn fit_race(win: &[f64], place: &[f64], places: usize) -> Result<RaceFit, PricingError> {
    Search::new(win, place, places, true)?.run()
}

/// The discount's strength, then the logarithms of what each runner but the favourite wins, relative
/// to the favourite, if that is sought.
type Unknowns = [f64; UNKNOWNS_MAX];

/// What is left unexplained: places, then wins if these are sought.
type Residuals = [f64; 2 * RUNNERS_MAX];

struct Search<'a> {
    win: &'a [f64],
    place: &'a [f64],
    places: usize,
    /// Those whose wins are sought, by unknown; only the favourite and who does not run are not.
    sought: [usize; UNKNOWNS_MAX],
    /// How many unknowns there are.
    count: usize,
    /// What the favourite wins, as a logarithm.
    favourite: f64,
    /// How many residuals there are.
    used: usize,
}

impl<'a> Search<'a> {
    fn new(
        win: &'a [f64],
        place: &'a [f64],
        places: usize,
        wins: bool,
    ) -> Result<Search<'a>, PricingError> {
        let live = check_win(win)?;
        let n = win.len();
        if place.len() != n {
            return Err(PricingError::LengthsDiffer);
        }
        if !(2..=PLACES_MAX).contains(&places) || live <= places {
            return Err(PricingError::ParameterOutOfRange {
                name: "places",
                allowed: "2 to 4 and fewer than run",
            });
        }
        for (index, (&place, &win)) in place.iter().zip(win).enumerate() {
            if !place.is_finite() {
                return Err(PricingError::NotFinite { index });
            }
            let possible = if win == 0.0 { place == 0.0 } else { 0.0 < place && place < 1.0 };
            if !possible {
                return Err(PricingError::ProbabilityOutOfRange { index });
            }
        }
        if SUM_SLACK < (sum(place) - places as f64).abs() {
            return Err(PricingError::SumOffTarget);
        }
        let mut favourite = 0;
        for (runner, one) in win.iter().enumerate() {
            if win[favourite] < *one {
                favourite = runner;
            }
        }
        let (mut sought, mut count) = ([0; UNKNOWNS_MAX], 1);
        for (runner, win) in win.iter().enumerate() {
            if wins && *win != 0.0 && runner != favourite {
                sought[count] = runner;
                count += 1;
            }
        }
        let (favourite, used) = (ln(win[favourite]), if wins { 2 * n } else { n });
        Ok(Search { win, place, places, sought, count, favourite, used })
    }

    fn run(&self) -> Result<RaceFit, PricingError> {
        let mut x = [0.0; UNKNOWNS_MAX];
        x[0] = 1.0;
        for (x, &runner) in x[1..self.count].iter_mut().zip(&self.sought[1..]) {
            *x = ln(self.win[runner]) - self.favourite;
        }
        let mut race = Race::new(self.win, Discount::HARVILLE)?;
        let mut residuals = [0.0; 2 * RUNNERS_MAX];
        self.set(&mut race, &x)?;
        let mut error = self.residuals(&race, &mut residuals)?;
        let mut slopes = [[0.0; 2 * RUNNERS_MAX]; UNKNOWNS_MAX];
        let mut normal = [[0.0; UNKNOWNS_MAX]; UNKNOWNS_MAX];
        let mut damping = 1e-3;
        for steps in 1..=STEPS_MAX {
            self.slopes(&race, x[0], &residuals, &mut slopes)?;
            // Damps harder until a step helps. What no step helps any more has been reached.
            let moved = loop {
                let mut step = [0.0; UNKNOWNS_MAX];
                let step = &mut step[..self.count];
                self.equations(&slopes, &residuals, damping, &mut normal, step);
                if !solve(&mut normal, step) {
                    return Err(PricingError::NoSolution);
                }
                let (mut next, mut moved) = (x, 0.0_f64);
                for (next, step) in next.iter_mut().zip(&*step) {
                    *next -= step;
                    moved = moved.max(step.abs());
                }
                let (mut there, mut left) = (race, [0.0; 2 * RUNNERS_MAX]);
                let less = match self.set(&mut there, &next) {
                    Ok(()) => self.residuals(&there, &mut left)?,
                    Err(_) => f64::INFINITY,
                };
                if less < error {
                    (x, race, residuals, error) = (next, there, left, less);
                    damping *= 0.01;
                    break moved;
                } else if moved <= STEP_MIN {
                    // At the edge of the range every step leads out of it, however short.
                    if less == f64::INFINITY {
                        return Err(PricingError::NoSolution);
                    }
                    break moved;
                }
                damping = damping.max(1e-9) * 30.0;
            };
            if moved <= STEP_MIN {
                // Ranks that were not asked for have their weights, too.
                let race = Race::new(race.win(), race.discount())?;
                let fitted = self.used / self.win.len() * race.live;
                let residual = (error / fitted as f64).sqrt();
                return Ok(RaceFit { race, strength: x[0], residual, steps });
            }
        }
        Err(PricingError::NoSolution)
    }

    /// Makes the race that of these unknowns.
    fn set(&self, race: &mut Race, x: &Unknowns) -> Result<(), PricingError> {
        let n = self.win.len();
        race.discount = Discount::of_strength(x[0]).map_err(|_| PricingError::NoSolution)?;
        let mut logs = [f64::NEG_INFINITY; RUNNERS_MAX];
        if self.count == 1 {
            for (log, &win) in logs.iter_mut().zip(race.win()) {
                if win != 0.0 {
                    *log = ln(win);
                }
            }
        } else {
            for (log, &win) in logs.iter_mut().zip(self.win) {
                if win != 0.0 {
                    *log = 0.0;
                }
            }
            for (x, &runner) in x[1..self.count].iter().zip(&self.sought[1..]) {
                logs[runner] = *x;
            }
            for (win, &log) in race.weight[0][..n].iter_mut().zip(&logs) {
                *win = if log == f64::NEG_INFINITY { 0.0 } else { exp(log) };
            }
            let total = sum(race.win());
            for (win, log) in race.weight[0][..n].iter_mut().zip(&logs) {
                *win /= total;
                if *log != f64::NEG_INFINITY && !(WIN_MIN..=1.0).contains(win) {
                    return Err(PricingError::NoSolution);
                }
            }
        }
        // Ranks have weights, not probabilities: they need not be relative to the total.
        race.weigh(&logs[..n], self.places);
        Ok(())
    }

    /// What a race leaves unexplained; returns the sum of squares.
    fn residuals(&self, race: &Race, out: &mut Residuals) -> Result<f64, PricingError> {
        let n = self.win.len();
        let ranks = race.ranks(self.places)?;
        for (runner, (out, place)) in out.iter_mut().zip(self.place).enumerate() {
            *out = ranks.top(self.places, runner) - place;
        }
        if n < self.used {
            for (out, (now, win)) in out[n..].iter_mut().zip(race.win().iter().zip(self.win)) {
                *out = now - win;
            }
        }
        Ok(dot(&out[..self.used], &out[..self.used]))
    }

    /// What a small change of each unknown does to each residual.
    fn slopes(
        &self,
        race: &Race,
        strength: f64,
        residuals: &Residuals,
        slopes: &mut [Residuals; UNKNOWNS_MAX],
    ) -> Result<(), PricingError> {
        let n = self.win.len();
        // Towards none, which is within the range.
        let by = if strength < 0.0 { NUDGE } else { -NUDGE };
        let mut nudged = *race;
        let power = |rank: usize| race.discount.0[rank];
        nudged.discount =
            Discount::of_strength(strength + by).map_err(|_| PricingError::NoSolution)?;
        for rank in 1..self.places {
            // w^(power + by) is w^power e^(by ln w), and ln w is at hand for the first rank only.
            let more = nudged.discount.0[rank] - power(rank);
            for (weight, &win) in nudged.weight[rank][..n].iter_mut().zip(race.win()) {
                if win != 0.0 {
                    *weight *= exp(more * ln(win));
                }
            }
        }
        self.slope(&nudged, by, residuals, &mut slopes[0])?;
        // One runner's weights at a time; the others keep theirs.
        nudged = *race;
        let mut factor = [0.0; PLACES_MAX];
        for (rank, factor) in factor[..self.places].iter_mut().enumerate() {
            *factor = exp(power(rank) * NUDGE);
        }
        for (slope, &runner) in slopes[1..self.count].iter_mut().zip(&self.sought[1..]) {
            for (weight, factor) in nudged.weight[1..self.places].iter_mut().zip(&factor[1..]) {
                weight[runner] *= factor;
            }
            let scale = 1.0 / (1.0 + race.weight[0][runner] * (factor[0] - 1.0));
            for (nudged, win) in nudged.weight[0][..n].iter_mut().zip(race.win()) {
                *nudged = win * scale;
            }
            nudged.weight[0][runner] *= factor[0];
            self.slope(&nudged, NUDGE, residuals, slope)?;
            for (weight, old) in nudged.weight.iter_mut().zip(&race.weight) {
                weight[runner] = old[runner];
            }
        }
        Ok(())
    }

    /// The difference to a race in which one unknown was moved.
    fn slope(
        &self,
        nudged: &Race,
        by: f64,
        residuals: &Residuals,
        out: &mut Residuals,
    ) -> Result<(), PricingError> {
        self.residuals(nudged, out)?;
        for (slope, residual) in out[..self.used].iter_mut().zip(residuals) {
            *slope = (*slope - residual) / by;
        }
        Ok(())
    }

    /// The equations of least squares for the next step, each unknown damped by its own scale.
    fn equations(
        &self,
        slopes: &[Residuals; UNKNOWNS_MAX],
        residuals: &Residuals,
        damping: f64,
        normal: &mut Matrix,
        step: &mut [f64],
    ) {
        let used = self.used;
        for (i, row) in slopes[..self.count].iter().enumerate() {
            for (j, other) in slopes[..=i].iter().enumerate() {
                normal[i][j] = dot(&row[..used], &other[..used]);
            }
            // The least damping keeps solvable what the prices do not tell.
            normal[i][i] += normal[i][i] * damping + 1e-13;
            step[i] = dot(&row[..used], &residuals[..used]);
        }
    }
}

/// The sum of products, in the lanes of [`sum`].
fn dot(one: &[f64], other: &[f64]) -> f64 {
    let mut products = [0.0; 2 * RUNNERS_MAX];
    for (product, (one, other)) in products.iter_mut().zip(one.iter().zip(other)) {
        *product = one * other;
    }
    sum(&products[..one.len()])
}
