//! Odds out of probabilities: a margin put on, by the rule one believes in, within bounds.
//!
//! The inverse of [`devig`](mod@crate::devig), with the same [`Method`]s: the higher the margin, the shorter
//! every price. Where a price would pass a bound it stops there, and the others are moved until the
//! inverse odds still sum to what was asked for.
//!
//! A margin of 5 % where one outcome wins is written in three ways:
//!
//! | where | unit | 5 % |
//! |---|---|---|
//! | [`Margin::booksum`], [`Framed::booksum`], [`Devigged::booksum`](crate::Devigged::booksum) | what the inverse odds sum to | 1.05 |
//! | [`Margins`](crate::derive::football::Margins), [`Joint::price`](crate::derive::football::Joint::price) | what they sum to above one | 0.05 |
//! | [`cashout::value`](crate::cashout::value) | parts per million withheld of the value | 50,000 |
//!
//! Where `k` outcomes win, the booksum is `k` times 1.05, and the others stay.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use crate::{
    Ladder, Method, OUTCOMES_MAX, Price, PricingError, Probability, Snap,
    devig::{PROBABILITIES_ERROR, SUM_ERROR, moved, sum},
    math::{exp, ln},
};

/// How a margin is put on.
///
/// ```
/// use betring_pricing::{Margin, Method};
///
/// // 5 % on a book of four, no price above 8.
/// let margin = Margin { longest: 8.0, ..Margin::new(Method::Power, 1.05) };
/// let mut odds = [0.0; 4];
/// let framed = margin.frame(&[0.1, 0.2, 0.3, 0.4], &mut odds).unwrap();
/// assert_eq!(odds.map(|odds| format!("{odds:.3}")), ["8.000", "4.815", "3.240", "2.447"]);
/// assert_eq!(framed.bounded, 1);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Margin {
    /// How it is spread over the outcomes.
    pub method: Method,
    /// How many outcomes win, which is what the probabilities sum to: 1 of a match, 3 of a
    /// relegation.
    pub winners: f64,
    /// What the inverse odds are to sum to, from `winners` to below the number of outcomes: 1.05 is a
    /// margin of 5 % where one wins.
    pub booksum: f64,
    /// No odds are below this, which is above 1.
    pub shortest: f64,
    /// No odds are above this, which is not below `shortest`.
    pub longest: f64,
}

/// What was put on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Framed {
    /// What the inverse odds sum to.
    pub booksum: f64,
    /// The parameter of the [`Method`], as [`devig`](crate::devig()) would find it.
    pub parameter: f64,
    /// How often the sum was computed to find it.
    pub iterations: u32,
    /// How many outcomes stopped at a bound.
    pub bounded: usize,
}

/// How often a sum is computed at most: halving the widest range gets to neighbouring floats before.
const ITERATIONS_MAX: u32 = 200;

impl Margin {
    /// One winner, and every price that is a [`Price`].
    pub const fn new(method: Method, booksum: f64) -> Margin {
        Margin { method, winners: 1.0, booksum, shortest: 1.0001, longest: 100_000.0 }
    }

    /// The odds of these probabilities, whose inverses sum to the booksum.
    ///
    /// They do within 1e-13 for each outcome, and lie within the bounds, or an error comes out.
    /// Nothing is allocated. Without bounds in the way, taking the margin off again by
    /// [`devig`](crate::devig()) gives the probabilities back.
    ///
    /// # Errors
    ///
    /// [`LengthsDiffer`](PricingError::LengthsDiffer) from `odds`,
    /// [`TooFewOutcomes`](PricingError::TooFewOutcomes) below two,
    /// [`TooManyOutcomes`](PricingError::TooManyOutcomes) above [`OUTCOMES_MAX`];
    /// [`NotFinite`](PricingError::NotFinite) or
    /// [`ProbabilityOutOfRange`](PricingError::ProbabilityOutOfRange) for the first probability that
    /// is; [`SumOffTarget`](PricingError::SumOffTarget) if they do not sum to `winners` within 1e-9;
    /// [`ParameterOutOfRange`](PricingError::ParameterOutOfRange) for bounds that are none;
    /// [`WinnersOutOfRange`](PricingError::WinnersOutOfRange) for Shin's method below one winner;
    /// [`BooksumOutOfRange`](PricingError::BooksumOutOfRange) unless `booksum` is from `winners` to
    /// below the number of outcomes; and [`TargetOutOfReach`](PricingError::TargetOutOfReach) if no
    /// odds of that method within the bounds sum to it. After an error all of `odds` are zero.
    pub fn frame(&self, probabilities: &[f64], odds: &mut [f64]) -> Result<Framed, PricingError> {
        let framed = self.solve(probabilities, odds);
        if framed.is_err() {
            odds.fill(0.0);
        }
        framed
    }

    /// The prices of these probabilities on a ladder: [`frame`](Margin::frame), each snapped.
    ///
    /// The bounds are those prices of the ladder that lie within the margin's. Snapping down leaves
    /// the booksum a little above what was asked for, and up a little below; [`Framed`] has what it
    /// is then. Odds that miss a price by the last bits of a float are that price. Floats become
    /// probabilities that sum to the winners by
    /// [`probabilities_of_floats`](crate::probabilities_of_floats).
    ///
    /// # Errors
    ///
    /// Those of [`frame`](Margin::frame). `prices` are unchanged after one.
    ///
    /// ```
    /// use betring_pricing::{Ladder, Margin, Method, Probability, Snap, price};
    ///
    /// let probabilities = [500_000_000, 280_000_000, 220_000_000];
    /// let probabilities = probabilities.map(|ppb| Probability::from_ppb(ppb).unwrap());
    /// let mut prices = [price!(2.00); 3];
    /// let framed = Margin::new(Method::Shin, 1.05)
    ///     .quote(&probabilities, &Ladder::CLASSIC, Snap::Down, &mut prices)
    ///     .unwrap();
    /// assert_eq!(prices, [price!(1.92), price!(3.35), price!(4.20)]);
    /// assert_eq!(format!("{:.4}", framed.booksum), "1.0574");
    /// ```
    pub fn quote(
        &self,
        probabilities: &[Probability],
        ladder: &Ladder,
        snap: Snap,
        prices: &mut [Price],
    ) -> Result<Framed, PricingError> {
        let outcomes = probabilities.len();
        if prices.len() != outcomes {
            return Err(PricingError::LengthsDiffer);
        }
        if OUTCOMES_MAX < outcomes {
            return Err(PricingError::TooManyOutcomes { most: OUTCOMES_MAX });
        }
        self.check_bounds()?;
        let mut parts = [0.0; OUTCOMES_MAX];
        for (part, probability) in parts.iter_mut().zip(probabilities) {
            *part = f64::from(probability.ppb()) / 1e9;
        }
        let bounds = (
            price_of_odds(self.shortest, ladder, Snap::Up),
            price_of_odds(self.longest, ladder, Snap::Down),
        );
        let (Some(shortest), Some(longest)) = bounds else {
            return Err(PricingError::TargetOutOfReach);
        };
        if longest < shortest {
            return Err(PricingError::TargetOutOfReach);
        }
        let within = Margin { shortest: odds_of(shortest), longest: odds_of(longest), ..*self };
        let mut odds = [0.0; OUTCOMES_MAX];
        let mut framed = within.frame(&parts[..outcomes], &mut odds[..outcomes])?;
        framed.booksum = 0.0;
        for (price, odds) in prices.iter_mut().zip(odds) {
            *price = price_of_odds(odds, ladder, snap).unwrap_or(match snap {
                Snap::Down => shortest,
                Snap::Up | Snap::Nearest => longest,
            });
            framed.booksum += 1.0 / odds_of(*price);
        }
        Ok(framed)
    }

    fn check_bounds(&self) -> Result<(), PricingError> {
        if !(1.0 < self.shortest && self.shortest.is_finite()) {
            return Err(PricingError::ParameterOutOfRange {
                name: "shortest",
                allowed: "above 1 and finite",
            });
        }
        if !(self.shortest <= self.longest && self.longest.is_finite()) {
            return Err(PricingError::ParameterOutOfRange {
                name: "longest",
                allowed: "finite and not below the shortest",
            });
        }
        Ok(())
    }

    fn check(&self, probabilities: &[f64], odds: &[f64]) -> Result<(), PricingError> {
        if odds.len() != probabilities.len() {
            return Err(PricingError::LengthsDiffer);
        }
        if probabilities.len() < 2 {
            return Err(PricingError::TooFewOutcomes);
        }
        if OUTCOMES_MAX < probabilities.len() {
            return Err(PricingError::TooManyOutcomes { most: OUTCOMES_MAX });
        }
        let good = |p: f64| 0.0 < p && p < 1.0;
        if let Some(index) = probabilities.iter().position(|&p| !good(p)) {
            return Err(match probabilities[index].is_finite() {
                true => PricingError::ProbabilityOutOfRange { index },
                false => PricingError::NotFinite { index },
            });
        }
        self.check_bounds()?;
        let off = (sum(probabilities) - self.winners).abs();
        let is_near = off <= PROBABILITIES_ERROR;
        if is_near { Ok(()) } else { Err(PricingError::SumOffTarget) }
    }

    /// Finds the parameter at which the inverse odds, each held within the bounds, sum to the
    /// booksum.
    ///
    /// Each of them grows with the parameter, so their sum does, and there is one solution. Newton's
    /// steps are taken where they stay within what is known to hold it and get closer twice as fast
    /// as halving would be sure to; else that is halved.
    fn solve(&self, probabilities: &[f64], odds: &mut [f64]) -> Result<Framed, PricingError> {
        self.check(probabilities, odds)?;
        let outcomes = probabilities.len() as f64;
        if self.method == Method::Shin && self.winners < 1.0 {
            return Err(PricingError::WinnersOutOfRange { outcomes: probabilities.len() });
        }
        if !(self.winners <= self.booksum && self.booksum < outcomes) {
            return Err(PricingError::BooksumOutOfRange {
                winners_ppb: (self.winners * 1e9).round() as u64,
                outcomes: probabilities.len(),
            });
        }
        let mut curve = Curve::new(self, probabilities);
        let (mut low, mut high) = (self.method.neutral_step(), curve.last_step());
        let first = self.method.step_without_bounds(self.booksum, self.winners, outcomes);
        let (mut at, mut gap_before, mut iterations) = (first.min(high), f64::INFINITY, 0);
        let gap = loop {
            curve.step_to(at);
            iterations += 1;
            let (mut booksum, mut slope) = (0.0, 0.0);
            for (odds, p) in odds.iter_mut().zip(probabilities) {
                let (inverse, steepness) = curve.inverse(*p);
                *odds = inverse;
                booksum += inverse;
                slope += steepness;
            }
            let gap = self.booksum - booksum;
            if gap.abs() <= f64::EPSILON * outcomes || iterations == ITERATIONS_MAX {
                break gap;
            }
            if 0.0 < gap {
                low = at;
            } else {
                high = at;
            }
            let newton = at + gap / slope;
            let is_good = low < newton && newton < high && gap.abs() * 2.0 <= gap_before;
            let next = if is_good { newton } else { low + (high - low) / 2.0 };
            if !(low < next && next < high) {
                break gap;
            }
            (at, gap_before) = (next, gap.abs());
        };
        // Below the first sum and above the last one there is nothing to find.
        let is_met = gap.abs() <= SUM_ERROR * outcomes;
        if !is_met {
            return Err(PricingError::TargetOutOfReach);
        }
        let mut bounded = 0;
        for odds in odds {
            let inverse = *odds;
            *odds = if curve.most <= inverse {
                self.shortest
            } else if inverse <= curve.least {
                self.longest
            } else {
                (1.0 / inverse).clamp(self.shortest, self.longest)
            };
            bounded += usize::from(inverse <= curve.least || curve.most <= inverse);
        }
        let parameter = self.method.parameter(at);
        Ok(Framed { booksum: self.booksum - gap, parameter, iterations, bounded })
    }
}

impl Method {
    /// The step at which nothing is put on.
    const fn neutral_step(self) -> f64 {
        match self {
            Method::Multiplicative => 1.0,
            _ => 0.0,
        }
    }

    /// The step at which the inverse odds sum to the booksum if no bound is in the way, where that takes one division; else
    /// the neutral one.
    fn step_without_bounds(self, booksum: f64, winners: f64, outcomes: f64) -> f64 {
        match self {
            Method::Multiplicative => booksum / winners,
            Method::Additive => (booksum - winners) / outcomes,
            Method::BalancedBook => (booksum - winners) / (outcomes - winners),
            _ => self.neutral_step(),
        }
    }

    /// The parameter of a step. Two are counted so that all steps lie between 0 and 1: for a power
    /// `1 − 1/k`, for an odds ratio `1 − 1/c`.
    fn parameter(self, step: f64) -> f64 {
        match self {
            Method::Power | Method::OddsRatio => 1.0 / (1.0 - step),
            _ => step,
        }
    }
}

/// The inverse odds of an outcome, as a function of its probability and of a step of the method.
struct Curve<'a> {
    method: Method,
    probabilities: &'a [f64],
    winners: f64,
    /// What makes the probabilities sum to the winners: 1, but for nine decimals.
    scale: f64,
    least: f64,
    most: f64,
    at: f64,
    /// Shin's `√b`, the sum of `√(zp + (1 − z)p²)`, and how it grows with `z`.
    root: (f64, f64),
}

impl Curve<'_> {
    fn new<'a>(margin: &Margin, probabilities: &'a [f64]) -> Curve<'a> {
        Curve {
            method: margin.method,
            probabilities,
            winners: margin.winners,
            scale: margin.winners / sum(probabilities),
            least: 1.0 / margin.longest,
            most: 1.0 / margin.shortest,
            at: 0.0,
            root: (1.0, 0.0),
        }
    }

    /// The step from which on no outcome moves, or the method ends.
    fn last_step(&self) -> f64 {
        match self.method {
            Method::Multiplicative => {
                1.0 / self.probabilities.iter().fold(1.0, |least: f64, p| least.min(*p))
            }
            Method::Goto => 1.0 / (1.0 - self.most).sqrt(),
            // The distance of what cannot happen from what is certain is √ln 2.
            _ => 1.0,
        }
    }

    fn step_to(&mut self, step: f64) {
        self.at = step;
        if self.method == Method::Shin {
            self.root = self.probabilities.iter().fold((0.0, 0.0), |(root, slope), p| {
                let (y, steepness) = self.shin(*p);
                (root + y, slope + steepness)
            });
        }
    }

    /// `√(zp + (1 − z)p²)` of a share of one winner, and how it grows with `z`.
    fn shin(&self, p: f64) -> (f64, f64) {
        let p = p * self.scale / self.winners;
        let spread = p * (1.0 - p);
        let y = (p * p + self.at * spread).sqrt();
        (y, spread / (2.0 * y))
    }

    /// The inverse odds within the bounds, and how they grow with the step.
    fn inverse(&self, p: f64) -> (f64, f64) {
        let (inverse, slope) = self.unbounded(p);
        if self.most <= inverse {
            (self.most, 0.0)
        } else if inverse <= self.least {
            (self.least, 0.0)
        } else {
            (inverse, slope)
        }
    }

    fn unbounded(&self, p: f64) -> (f64, f64) {
        let step = self.at;
        let scaled = (p * self.scale).min(1.0 - f64::EPSILON);
        let (p, against) = (scaled, 1.0 - scaled);
        match self.method {
            Method::Multiplicative => (p * step, p),
            Method::Additive => (p + step, 1.0),
            Method::Power => {
                let l = ln(p);
                let inverse = exp(l * (1.0 - step));
                (inverse, -l * inverse)
            }
            Method::OddsRatio => {
                let over = p + against * (1.0 - step);
                (p / over, p * against / (over * over))
            }
            Method::Shin => {
                let ((root, root_slope), (y, slope)) = (self.root, self.shin(p / self.scale));
                (self.winners * y * root, self.winners * (slope * root + y * root_slope))
            }
            Method::BalancedBook => (p + step * against, against),
            Method::Goto => {
                // √(1 − r), from the square equation that it solves.
                let w = 2.0 * against / (step + (step * step + 4.0 * against).sqrt());
                (p + step * w, 2.0 * w * w / (2.0 * w + step))
            }
            Method::JensenShannon => moved(p, step),
        }
    }
}

/// A price as odds.
fn odds_of(price: Price) -> f64 {
    f64::from(price.e4()) / 10_000.0
}

/// The price of a ladder for odds; `None` if they are no odds of a price, or the ladder has none on
/// that side.
///
/// Odds within a hundredth of a ten-thousandth of a price are that price: what a float lost is not
/// worth a tick. See [`Ladder::snap`] for who keeps the difference.
///
/// ```
/// use betring_pricing::{Ladder, Snap, price, price_of_odds};
///
/// let down = |odds| price_of_odds(odds, &Ladder::CLASSIC, Snap::Down);
/// assert_eq!(down(3.3999999999999995), Some(price!(3.40)));
/// assert_eq!(down(3.3999), Some(price!(3.35)));
/// assert_eq!(down(f64::NAN), None);
/// ```
pub fn price_of_odds(odds: f64, ladder: &Ladder, snap: Snap) -> Option<Price> {
    let e4 = odds * 10_000.0;
    if !(1.0 <= odds && e4 <= f64::from(Price::MAX.e4()) + 0.5) {
        return None;
    }
    // Truncated, it rounds down.
    let (down, nearest) = (e4 as u32, (e4 + 0.5) as u32);
    let e4 = match snap {
        _ if (e4 - f64::from(nearest)).abs() <= 0.01 => nearest,
        Snap::Down => down,
        Snap::Up => down + 1,
        Snap::Nearest => nearest,
    };
    ladder.snap(Price::from_e4(e4)?, snap)
}
