//! Probabilities out of odds: the overround taken off, by the rule one believes in.
//!
//! A bookmaker's odds `oᵢ` imply `rᵢ = 1/oᵢ`, which sum to the booksum `b`, more than the target `T`
//! that the probabilities `pᵢ` have: 1 where one outcome wins, `k` where `k` do. How the surplus was
//! spread over the outcomes nobody says; each [`Method`] is one answer. All keep the order of the
//! outcomes, take something off every one of them, and agree where there is nothing to take.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use std::{fmt, str::FromStr};

use crate::{
    Price, PricingError, Probability, SHARES_MAX,
    math::{exp, ln, ln_1p, sum_lanes},
    probability::share_winners,
};

/// The most outcomes of a book: it bounds what one call costs, and is the most that
/// [`Probability::share_out`] divides one among.
pub const OUTCOMES_MAX: usize = SHARES_MAX;

/// How the overround was spread over the outcomes, `T` being the target and `n` their number.
///
/// [`devig`] says what it solved for: the parameter that each variant names. Longshots lose most by
/// `Additive` and `Goto`, which may leave them nothing, and least by `Multiplicative`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Method {
    /// In proportion: `p = r/f`. The parameter is the factor `f = b/T`.
    Multiplicative,
    /// The same off each: `p = r − a`, `a = (b − T)/n`. Also called differential margin weighting, or
    /// "wpo": the same numbers by another formula. Longshots may fall below zero.
    Additive,
    /// A power: `p = rᵏ`. The parameter is `k`, 1 or more.
    Power,
    /// The odds against divided by the same number, so that `r/(1 − r) = c·p/(1 − p)`. The parameter
    /// is `c`, 1 or more. Also called logarithmic, with `ln c` for the parameter. (Cheung 2015)
    OddsRatio,
    /// A share `z` of what is staked comes from people who know the winner, and the odds are set
    /// against them: `r = √(zp + (1 − z)p²)·√b`. The parameter is `z`, from 0 to below 1. (Shin 1993)
    ///
    /// Of a target above 1 the odds are read as one book `T` times; a target below 1 has none.
    Shin,
    /// A share `z` of every outcome is won by the bookmaker: `p = (r − z)/(1 − z)`,
    /// `z = (b − T)/(n − T)`. Longshots may fall below zero. (Fingleton and Waldron 1999)
    BalancedBook,
    /// As many standard errors off each: `p = r − s√(1 − r)`. The parameter is `s`. Longshots may
    /// fall below zero. (Goto 2023)
    Goto,
    /// The same distance for each, by Jensen and Shannon: of the coin that shows heads with
    /// probability `p` from the one that does with `r`, in natural units, its root taken. The
    /// parameter is that distance. Longshots may be nearer to zero than that.
    JensenShannon,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 8] = [
        Method::Multiplicative,
        Method::Additive,
        Method::Power,
        Method::OddsRatio,
        Method::Shin,
        Method::BalancedBook,
        Method::Goto,
        Method::JensenShannon,
    ];

    /// What the parameter is where there is nothing to take off or to put on.
    const fn neutral(self) -> f64 {
        match self {
            Method::Multiplicative | Method::Power | Method::OddsRatio => 1.0,
            Method::Additive
            | Method::Shin
            | Method::BalancedBook
            | Method::Goto
            | Method::JensenShannon => 0.0,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Method::Multiplicative => "multiplicative",
            Method::Additive => "additive",
            Method::Power => "power",
            Method::OddsRatio => "odds-ratio",
            Method::Shin => "shin",
            Method::BalancedBook => "balanced-book",
            Method::Goto => "goto",
            Method::JensenShannon => "jensen-shannon",
        })
    }
}

impl FromStr for Method {
    type Err = ParseMethodError;

    /// Reads the name that it is displayed by, and for two methods the other names they go by:
    /// "differential-margin-weighting" and "wpo", and "logarithmic".
    fn from_str(text: &str) -> Result<Method, ParseMethodError> {
        match text {
            "multiplicative" => Ok(Method::Multiplicative),
            "additive" | "differential-margin-weighting" | "wpo" => Ok(Method::Additive),
            "power" => Ok(Method::Power),
            "odds-ratio" | "logarithmic" => Ok(Method::OddsRatio),
            "shin" => Ok(Method::Shin),
            "balanced-book" => Ok(Method::BalancedBook),
            "goto" => Ok(Method::Goto),
            "jensen-shannon" => Ok(Method::JensenShannon),
            _ => Err(ParseMethodError),
        }
    }
}

/// A text that names no method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseMethodError;

impl fmt::Display for ParseMethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a method: it is one of ")?;
        let (last, others) = Method::ALL.split_last().expect("there are methods");
        others.iter().try_for_each(|method| write!(f, "{method}, "))?;
        write!(f, "{last}")
    }
}

impl std::error::Error for ParseMethodError {}

/// What was taken off.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Devigged {
    /// The sum of the inverse odds: 1.05 is a margin of 5 %.
    pub booksum: f64,
    /// What the [`Method`] solved for.
    pub parameter: f64,
    /// How often the sum was computed anew to solve it; 0 where a formula says it.
    pub iterations: u32,
}

/// Probabilities that sum to `target`, out of decimal odds above 1.
///
/// `target` is how many outcomes win: 1 of a match, 3 of a relegation. What comes out is above zero,
/// not above the inverse of the odds, and sums to `target` within 1e-13 for each outcome, or an
/// error comes out. Nothing is allocated.
///
/// A booksum that is less than `target` is refused, by the methods that could scale it up as well:
/// who sees one has read a stale price, or owes it to nobody's margin. Within the last bits of
/// `target` it is fair.
///
/// # Errors
///
/// [`LengthsDiffer`](PricingError::LengthsDiffer) from `probabilities`,
/// [`TooFewOutcomes`](PricingError::TooFewOutcomes) below two,
/// [`TooManyOutcomes`](PricingError::TooManyOutcomes) above [`OUTCOMES_MAX`];
/// [`NotFinite`](PricingError::NotFinite) or [`OddsAtOrBelowOne`](PricingError::OddsAtOrBelowOne)
/// for the first odds that are; [`WinnersOutOfRange`](PricingError::WinnersOutOfRange) unless `target`
/// is above 0 (for Shin, not below 1) and below the number of outcomes;
/// [`BooksumBelowOne`](PricingError::BooksumBelowOne) of a book that has no overround; and
/// [`NegativeProbability`](PricingError::NegativeProbability) for the first outcome that the method
/// leaves nothing. After an error all of `probabilities` are zero.
///
/// ```
/// use betring_pricing::{Method, devig};
///
/// let mut probabilities = [0.0; 3];
/// let taken = devig(Method::Shin, &[2.6, 2.4, 4.3], 1.0, &mut probabilities).unwrap();
/// assert_eq!(probabilities.map(|p| format!("{p:.4}")), ["0.3730", "0.4048", "0.2222"]);
/// // 3.4 % of overround, explained by 1.7 % of the stakes coming from insiders.
/// assert_eq!(format!("{:.4} {:.4}", taken.booksum, taken.parameter), "1.0338 0.0169");
/// ```
pub fn devig(
    method: Method,
    odds: &[f64],
    target: f64,
    probabilities: &mut [f64],
) -> Result<Devigged, PricingError> {
    let devigged = solve(method, odds, target, probabilities);
    if devigged.is_err() {
        probabilities.fill(0.0);
    }
    devigged
}

/// Probabilities that sum to exactly one, out of prices: [`devig`] for a target of 1, its results
/// rounded by largest remainder.
///
/// An outcome of less than half a part per billion may get zero.
///
/// # Errors
///
/// Those of [`devig`]. After one all of `probabilities` are zero.
///
/// ```
/// use betring_pricing::{Method, Probability, devig_prices, price};
///
/// let prices = [price!(2.30), price!(3.50), price!(3.00)];
/// let mut probabilities = [Probability::ZERO; 3];
/// devig_prices(Method::Multiplicative, &prices, &mut probabilities).unwrap();
/// assert_eq!(probabilities.map(Probability::ppb), [412_573_674, 271_119_843, 316_306_483]);
/// ```
pub fn devig_prices(
    method: Method,
    prices: &[Price],
    probabilities: &mut [Probability],
) -> Result<Devigged, PricingError> {
    devig_winners(method, prices, 1, probabilities)
}

/// Probabilities that sum to exactly so many winners, out of prices: the places of a race, or who is
/// relegated. [`devig_prices`] is the same of one winner.
///
/// # Errors
///
/// Those of [`devig`], for a target of `winners`. After one all of `probabilities` are zero.
///
/// ```
/// use betring_pricing::{Method, Probability, devig_winners, price};
///
/// // Two of four are placed.
/// let prices = [price!(1.40), price!(1.60), price!(2.00), price!(3.00)];
/// let mut places = [Probability::ZERO; 4];
/// devig_winners(Method::Power, &prices, 2, &mut places).unwrap();
/// assert_eq!(places.map(Probability::ppb).iter().sum::<u32>(), 2_000_000_000);
/// ```
pub fn devig_winners(
    method: Method,
    prices: &[Price],
    winners: u16,
    probabilities: &mut [Probability],
) -> Result<Devigged, PricingError> {
    probabilities.fill(Probability::ZERO);
    let outcomes = prices.len();
    if probabilities.len() != outcomes {
        return Err(PricingError::LengthsDiffer);
    }
    if OUTCOMES_MAX < outcomes {
        return Err(PricingError::TooManyOutcomes { most: OUTCOMES_MAX });
    }
    let mut odds = [0.0; OUTCOMES_MAX];
    let mut shares = [0.0; OUTCOMES_MAX];
    for (odds, price) in odds.iter_mut().zip(prices) {
        *odds = f64::from(price.e4()) / 10_000.0;
    }
    let target = f64::from(winners);
    let devigged = devig(method, &odds[..outcomes], target, &mut shares[..outcomes])?;
    probabilities_of_floats(&shares[..outcomes], winners, probabilities)?;
    Ok(devigged)
}

/// Floats as probabilities that sum to exactly so many winners: rounded to parts per billion by
/// largest remainder, as [`Probability::share_out`] does for one.
///
/// Each float rounded by itself leaves a sum that is off by some parts, which
/// [`Margin::quote`](crate::Margin::quote) refuses. An outcome of less than a part per billion may get
/// zero, and one that is nearly certain may get one: no price can be made of either.
///
/// # Errors
///
/// [`LengthsDiffer`](PricingError::LengthsDiffer) from `probabilities`,
/// [`TooFewOutcomes`](PricingError::TooFewOutcomes) below two,
/// [`TooManyOutcomes`](PricingError::TooManyOutcomes) above [`OUTCOMES_MAX`];
/// [`NotFinite`](PricingError::NotFinite) or
/// [`ProbabilityOutOfRange`](PricingError::ProbabilityOutOfRange) for the first float that is not
/// from 0 to 1; [`WinnersOutOfRange`](PricingError::WinnersOutOfRange) unless there is a winner and
/// more outcomes than winners; [`SumOffTarget`](PricingError::SumOffTarget) if they do not sum to
/// `winners` within 1e-9. `probabilities` are unchanged after an error.
///
/// ```
/// use betring_pricing::{Probability, probabilities_of_floats};
///
/// // Two of three are placed.
/// let mut places = [Probability::ZERO; 3];
/// probabilities_of_floats(&[2.0 / 3.0; 3], 2, &mut places).unwrap();
/// assert_eq!(places.map(Probability::ppb), [666_666_667, 666_666_667, 666_666_666]);
/// ```
pub fn probabilities_of_floats(
    floats: &[f64],
    winners: u16,
    probabilities: &mut [Probability],
) -> Result<(), PricingError> {
    let outcomes = floats.len();
    if probabilities.len() != outcomes {
        return Err(PricingError::LengthsDiffer);
    }
    if outcomes < 2 {
        return Err(PricingError::TooFewOutcomes);
    }
    crate::multiple::check(floats, OUTCOMES_MAX)?;
    if winners == 0 || outcomes <= usize::from(winners) {
        return Err(PricingError::WinnersOutOfRange { outcomes });
    }
    let target = f64::from(winners);
    let is_near = (sum(floats) - target).abs() <= PROBABILITIES_ERROR;
    if !is_near {
        return Err(PricingError::SumOffTarget);
    }
    // Weights of 10^18 in all: finer than a float near one, and far from overflowing.
    let (mut weights, mut total) = ([0; OUTCOMES_MAX], 0);
    for (weight, float) in weights.iter_mut().zip(floats) {
        *weight = (float * (1e18 / target)) as u64;
        total += *weight;
    }
    share_winners(&weights[..outcomes], total, winners, probabilities);
    Ok(())
}

/// How far from what they are to sum to probabilities may be, so that those of nine decimals are good.
pub(crate) const PROBABILITIES_ERROR: f64 = 1e-9;

/// How much a sum may be off for each of its terms.
pub(crate) const SUM_ERROR: f64 = 1e-13;

/// How often a sum is computed anew at most. Books of the trade need 2 to 6 times, and the steps
/// stay monotone beyond them.
const ITERATIONS_MAX: u32 = 200;

fn solve(
    method: Method,
    odds: &[f64],
    target: f64,
    probabilities: &mut [f64],
) -> Result<Devigged, PricingError> {
    if probabilities.len() != odds.len() {
        return Err(PricingError::LengthsDiffer);
    }
    if odds.len() < 2 {
        return Err(PricingError::TooFewOutcomes);
    }
    if OUTCOMES_MAX < odds.len() {
        return Err(PricingError::TooManyOutcomes { most: OUTCOMES_MAX });
    }
    let booksum = invert(odds, probabilities)?;
    let outcomes = odds.len() as f64;
    let least = match method {
        Method::Shin => 1.0,
        _ => f64::MIN_POSITIVE,
    };
    if !(least <= target && target < outcomes) {
        return Err(PricingError::WinnersOutOfRange { outcomes: odds.len() });
    }
    let surplus = booksum - target;
    // What rounding alone may have left.
    let fair = 4.0 * f64::EPSILON * outcomes * target;
    if surplus < -fair {
        return Err(PricingError::BooksumBelowOne {
            booksum_ppb: (booksum * 1e9) as u64,
            winners_ppb: (target * 1e9).ceil() as u64,
        });
    }
    let (parameter, iterations) = match method {
        _ if surplus <= fair => {
            scale(probabilities, target / booksum);
            (method.neutral(), 0)
        }
        Method::Multiplicative => {
            let parameter = booksum / target;
            scale(probabilities, target / booksum);
            // It sums by construction; only a target near zero could leave an outcome nothing.
            if 1.0 <= target {
                return Ok(Devigged { booksum, parameter, iterations: 0 });
            }
            (parameter, 0)
        }
        Method::Additive => {
            let each = surplus / outcomes;
            probabilities.iter_mut().for_each(|p| *p -= each);
            (each, 0)
        }
        Method::Power => power(odds, booksum, target, probabilities)?,
        Method::OddsRatio => odds_ratio(odds, booksum, target, probabilities)?,
        Method::Shin => shin(booksum, target, probabilities)?,
        Method::BalancedBook => {
            let z = surplus / (outcomes - target);
            probabilities.iter_mut().for_each(|p| *p = (*p - z) / (1.0 - z));
            (z, 0)
        }
        Method::Goto => {
            let [errors] = sums(probabilities, |r| [(1.0 - r).sqrt()]);
            let s = surplus / errors;
            probabilities.iter_mut().for_each(|p| *p -= s * (1.0 - *p).sqrt());
            (s, 0)
        }
        Method::JensenShannon => jensen_shannon(surplus, target, probabilities)?,
    };
    check(probabilities, target)?;
    Ok(Devigged { booksum, parameter, iterations })
}

/// The inverses of the odds, and their sum in the order of [`sums`]. Whether the odds are odds is
/// gathered on the way, in as many lanes, and asked once.
fn invert(odds: &[f64], inverses: &mut [f64]) -> Result<f64, PricingError> {
    let good = |odds: f64| (1.0 < odds) & (odds <= f64::MAX);
    let (fours, rest) = odds.as_chunks::<4>();
    let (inverse_fours, inverse_rest) = inverses.as_chunks_mut::<4>();
    let (mut lanes, mut all_good) = ([0.0; 4], [true; 4]);
    for (inverses, odds) in inverse_fours.iter_mut().zip(fours) {
        for at in 0..4 {
            inverses[at] = 1.0 / odds[at];
            lanes[at] += inverses[at];
            all_good[at] &= good(odds[at]);
        }
    }
    let (mut sum, mut all_good) = (sum_lanes(lanes), all_good.into_iter().all(|good| good));
    for (inverse, &odds) in inverse_rest.iter_mut().zip(rest) {
        *inverse = 1.0 / odds;
        sum += *inverse;
        all_good &= good(odds);
    }
    if all_good { Ok(sum) } else { Err(bad_odds(odds)) }
}

/// What is wrong with the first odds that are none.
#[cold]
fn bad_odds(odds: &[f64]) -> PricingError {
    let good = |odds: f64| 1.0 < odds && odds.is_finite();
    match odds.iter().position(|&odds| !good(odds)) {
        Some(index) if odds[index].is_finite() => PricingError::OddsAtOrBelowOne { index },
        Some(index) => PricingError::NotFinite { index },
        None => PricingError::NoSolution,
    }
}

/// The sum in a fixed order, see [`sums`].
pub(crate) fn sum(terms: &[f64]) -> f64 {
    let [sum] = sums(terms, |term| [term]);
    sum
}

/// Sums over the same terms in a fixed order: every fourth by itself, then those four, then what is
/// left over. A processor adds some at a time so, and the bits are the same whether it does or not.
fn sums<const N: usize>(terms: &[f64], of: impl Fn(f64) -> [f64; N]) -> [f64; N] {
    let (fours, rest) = terms.as_chunks::<4>();
    let mut lanes = [[0.0; 4]; N];
    for four in fours {
        for at in 0..4 {
            let parts = of(four[at]);
            for sum in 0..N {
                lanes[sum][at] += parts[sum];
            }
        }
    }
    let mut sums = lanes.map(sum_lanes);
    for &term in rest {
        for (sum, part) in sums.iter_mut().zip(of(term)) {
            *sum += part;
        }
    }
    sums
}

fn scale(values: &mut [f64], factor: f64) {
    let (fours, rest) = values.as_chunks_mut::<4>();
    fours.as_flattened_mut().iter_mut().for_each(|value| *value *= factor);
    rest.iter_mut().for_each(|value| *value *= factor);
}

/// Whatever was solved, and however: the result is what was promised.
fn check(probabilities: &[f64], target: f64) -> Result<(), PricingError> {
    let positive = probabilities.iter().fold(true, |all, &p| all & (0.0 < p));
    if !positive && let Some(index) = probabilities.iter().position(|&p| p <= 0.0) {
        return Err(PricingError::NegativeProbability { index });
    }
    let off = (sum(probabilities) - target).abs();
    // A NaN anywhere makes the sum one, and that is not near anything.
    if off <= SUM_ERROR * probabilities.len() as f64 {
        Ok(())
    } else {
        Err(PricingError::NoSolution)
    }
}

/// Solves `ln Σ exp(k·l) = ln T` for `k`, `l` being the logarithm of an inverse.
///
/// The left side is convex in `k` and falls, so Newton's steps from 1 come up to the solution and
/// never pass it. What a step leaves is less than half the step squared times the greatest `|l|`,
/// so a step of 1e-8 over that is the last.
fn power(
    odds: &[f64],
    booksum: f64,
    target: f64,
    probabilities: &mut [f64],
) -> Result<(f64, u32), PricingError> {
    let (mut slope, mut deepest) = (0.0, 0.0_f64);
    for (p, odds) in probabilities.iter_mut().zip(odds) {
        let l = -ln(*odds);
        slope += *p * l;
        deepest = deepest.min(l);
        *p = l;
    }
    let (mut k, mut sum) = (1.0, booksum);
    for iterations in 0..ITERATIONS_MAX {
        let step = -ln(sum / target) * sum / slope;
        k += step;
        if step * -deepest <= 1e-8 {
            probabilities.iter_mut().for_each(|p| *p = exp(k * *p));
            return Ok((k, iterations));
        }
        [sum, slope] = sums(probabilities, |l| {
            let p = exp(k * l);
            [p, p * l]
        });
    }
    Err(PricingError::NoSolution)
}

/// Solves `1/S(c) = 1/T` for `c`, where `S = Σ 1/(1 + c(o − 1))`.
///
/// `1/S` is a harmonic mean of lines in `c`: it rises, is concave, and nearly a line itself. So
/// Newton's steps from 1 come up to the solution and never pass it, and there are few. What a step
/// leaves is less than its square over `c`.
fn odds_ratio(
    odds: &[f64],
    booksum: f64,
    target: f64,
    probabilities: &mut [f64],
) -> Result<(f64, u32), PricingError> {
    let slope_at_one =
        odds.iter().zip(&*probabilities).fold(0.0, |slope, (odds, p)| slope + (odds - 1.0) * p * p);
    let (mut c, mut sum, mut slope) = (1.0, booksum, slope_at_one);
    for iterations in 0..ITERATIONS_MAX {
        let step = sum * (sum - target) / (target * slope);
        c += step;
        if step <= 1e-8 * c {
            for (p, odds) in probabilities.iter_mut().zip(odds) {
                *p = 1.0 / (1.0 + c * (odds - 1.0));
            }
            return Ok((c, iterations));
        }
        [sum, slope] = sums(odds, |odds| {
            let p = 1.0 / (1.0 + c * (odds - 1.0));
            [p, (odds - 1.0) * p * p]
        });
    }
    Err(PricingError::NoSolution)
}

/// Solves `Σ s = 2 + (n − 2)z` for `z`, where `s = √(z² + (1 − z)c)` and `c = 4r²/b` for a target of
/// 1; of another one `r` and `b` are over it.
///
/// The left side less the right one is convex, as `c` is below 4. It is above zero at 0, and zero
/// at 1 in every book, which is not the solution looked for: Newton's steps from 0 come up to the
/// smaller one and never pass it. The first step
/// needs no roots, nor that of `b` if it is put at no more than the mean of `b` and 1. From then on Halley's are taken,
/// which are longer by what the second derivative says; where they pass, the next leads back, but
/// not behind where Newton's would have ended.
fn shin(booksum: f64, target: f64, probabilities: &mut [f64]) -> Result<(f64, u32), PricingError> {
    let book = booksum / target;
    if let &mut [ref mut first, ref mut second] = probabilities {
        // With two outcomes the equation is a square one.
        let (each, apart) = ((book - 1.0) / 2.0, (*first - *second) / target);
        *first -= each * target;
        *second -= each * target;
        let squared = apart * apart;
        return Ok(((book - 1.0) * (squared - book) / (book * (squared - 1.0)), 0));
    }
    let outcomes = probabilities.len() as f64;
    let scale = 4.0 / (booksum * target);
    probabilities.iter_mut().for_each(|p| *p = *p * *p * scale);
    let mut z =
        4.0 * (book - 1.0) / (2.0 * (book + outcomes - 2.0) + (outcomes - 1.0) * (book + 1.0));
    let mut below = z;
    for iterations in 1..=ITERATIONS_MAX {
        let [roots, slopes, bends] = sums(probabilities, |c| {
            let s = (z * z + (1.0 - z) * c).sqrt();
            let inverse = 1.0 / s;
            [s, (z - 0.5 * c) * inverse, c * (4.0 - c) * inverse * inverse * inverse]
        });
        let slope = slopes - (outcomes - 2.0);
        let inverse = -1.0 / slope;
        let newton = (roots - 2.0 - (outcomes - 2.0) * z) * inverse;
        // Half of the second derivative, which is a quarter of the bends, by the slope.
        let bend = (0.125 * newton * bends * inverse).min(0.5);
        if 0.0 <= newton {
            below = z + newton;
        }
        // The slope is below zero up to the least value, which is behind the solution.
        let next = if slope < 0.0 { below.max(z + newton / (1.0 - bend)) } else { below };
        let (step, bend) = ((next - z).abs(), bend.abs());
        z = next;
        // What a step leaves is of third order: the bend squared or, as the bends themselves change by
        // no more than their triple over z(1 − z), the bend times the step. A share of z is the
        // same share of the least probability at most.
        let room = z * (1.0 - z);
        if step * bend * (bend * room + step) <= 1e-16 * room * room {
            // (s − z)/(2(1 − z)) without subtracting what may be nearly alike.
            for p in probabilities {
                *p = target * *p / (2.0 * (z + (z * z + (1.0 - z) * *p).sqrt()));
            }
            return Ok((z, iterations));
        }
    }
    Err(PricingError::NoSolution)
}

/// Newton's steps for the distance `d` at which the outcomes, each moved down by it, sum to the
/// target. Nearly a line: moved by little, each moves by `d√(8r(1 − r))`.
fn jensen_shannon(
    surplus: f64,
    target: f64,
    probabilities: &mut [f64],
) -> Result<(f64, u32), PricingError> {
    let slope: f64 = probabilities.iter().map(|r| (8.0 * r * (1.0 - r)).sqrt()).sum();
    let mut distance = surplus / slope;
    for iterations in 1..=ITERATIONS_MAX {
        let [sum, slope] = sums(probabilities, |r| moved(r, -distance).into());
        let step = (sum - target) / slope;
        distance += step;
        if step.abs() <= 1e-9 * distance {
            probabilities.iter_mut().for_each(|p| *p = moved(*p, -distance).0);
            return Ok((distance, iterations));
        }
    }
    Err(PricingError::NoSolution)
}

/// The probability whose coin is at that distance from the one of `from`, above it or, for a
/// negative distance, below it, and how much it moves with the distance. If there is none that far,
/// it is 1 or 0 and does not move.
pub(crate) fn moved(from: f64, distance: f64) -> (f64, f64) {
    let end = if distance < 0.0 { 0.0 } else { 1.0 };
    if jensen_shannon_distance(from, end).0.abs() <= distance.abs() {
        return (end, 0.0);
    }
    let within = |old: f64, new: f64| new.max(old / 16.0).min(1.0 - (1.0 - old) / 16.0);
    let mut to = within(from, from + distance * (8.0 * from * (1.0 - from)).sqrt());
    for _ in 0..ITERATIONS_MAX {
        let (there, slope) = jensen_shannon_distance(from, to);
        let next = within(to, to + (distance - there) / slope);
        let last = (next - to).abs() <= 1e-9 * next.min(1.0 - next);
        to = next;
        if last {
            return (to, 1.0 / slope);
        }
    }
    (to, 1.0 / jensen_shannon_distance(from, to).1)
}

/// The distance of two coins, negative if the second one shows heads less often, and how much it
/// grows with the second one.
fn jensen_shannon_distance(from: f64, to: f64) -> (f64, f64) {
    let (mean, half) = ((from + to) / 2.0, (to - from) / 2.0);
    let (heads, tails) = (half / mean, half / (1.0 - mean));
    // Where x·ln x is to be nothing, x is zero and the logarithm is not a number to multiply by.
    let times_ln = |x: f64, ln: f64| if x == 0.0 { 0.0 } else { x * ln };
    let (up, down) = (ln_1p(heads), ln_1p(-tails));
    let divergence = if heads.abs().max(tails.abs()) < 1e-4 {
        // The logarithms cancel all but the squares, so those are written down.
        let square = |x: f64| x * x / 2.0 * (1.0 + x * x / 6.0);
        mean * square(heads) + (1.0 - mean) * square(tails)
    } else {
        let from = times_ln(from, ln_1p(-heads)) + times_ln(1.0 - from, ln_1p(tails));
        0.5 * (times_ln(to, up) + times_ln(1.0 - to, down) + from)
    };
    let distance = divergence.max(0.0).sqrt();
    if distance == 0.0 {
        return (0.0, 1.0 / (8.0 * from * (1.0 - from)).sqrt());
    }
    let slope = ((up - down) / (4.0 * distance)).abs();
    (if half < 0.0 { -distance } else { distance }, slope)
}
