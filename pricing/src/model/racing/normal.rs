//! The normal model: every runner has a running time, normally distributed about its own mean.
//!
//! Henery (1981), after Thurstone. A runner's ability is its mean time in standard deviations,
//! lower being faster; only differences count. Who wins is an integral over the winner's time, summed on a
//! fixed lattice of times: for functions this smooth the sum over equal steps is the integral
//! to all digits.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{
    RUNNER_OUT_OF_RANGE, RUNNERS_MAX,
    linear::{Matrix, UNKNOWNS_MAX, solve},
};
use crate::{
    PricingError,
    math::{exp, ln, normal_above},
};

/// The greatest ability, and minus it the least.
pub const ABILITY_MAX: f64 = 8.0;

/// The step of the lattice is an eighth, and it reaches as far behind the abilities as the normal
/// distribution has anything that counts.
const STEPS_PER_UNIT: i32 = 8;
const STEP: f64 = 0.125;
const REACH: f64 = 8.5;
const LATTICE_END: i32 = (ABILITY_MAX as i32 + 9) * STEPS_PER_UNIT;

/// 1/√(2π).
const DENSITY_AT_MEAN: f64 = 0.398_942_280_401_432_7;

/// What the logarithms of the probabilities are met to.
const LOG_ERROR_MAX: f64 = 1e-11;

/// The most steps of Newton; usual races need about six.
const STEPS_MAX: usize = 60;

/// At one time of the lattice: how likely each runner comes then, and later.
struct Moment {
    now: [f64; RUNNERS_MAX],
    later: [f64; RUNNERS_MAX],
}

/// Calls `each` for every time of the lattice that counts, in their order.
fn lattice(abilities: &[f64], mut each: impl FnMut(&Moment)) {
    let (mut fastest, mut slowest) = (f64::INFINITY, f64::NEG_INFINITY);
    for &ability in abilities {
        fastest = fastest.min(ability);
        slowest = slowest.max(ability);
    }
    let mut moment = Moment { now: [0.0; RUNNERS_MAX], later: [0.0; RUNNERS_MAX] };
    for step in -LATTICE_END..=LATTICE_END {
        let time = f64::from(step) * STEP;
        if time < fastest - REACH || slowest + REACH < time {
            continue;
        }
        for (runner, ability) in abilities.iter().enumerate() {
            let off = time - ability;
            moment.now[runner] = exp(-0.5 * off * off) * (DENSITY_AT_MEAN * STEP);
            moment.later[runner] = normal_above(off);
        }
        each(&moment);
    }
}

/// For each runner that all others come later: products without division, as later may be never.
fn others_later(later: &[f64], out: &mut [f64]) {
    let mut product = 1.0;
    for (later, out) in later.iter().zip(&mut *out) {
        *out = product;
        product *= later;
    }
    let mut product = 1.0;
    for (later, out) in later.iter().zip(out).rev() {
        *out *= product;
        product *= later;
    }
}

fn check_abilities(abilities: &[f64]) -> Result<(), PricingError> {
    if abilities.len() < 2 {
        return Err(PricingError::TooFewOutcomes);
    }
    if RUNNERS_MAX < abilities.len() {
        return Err(PricingError::TooManyOutcomes { most: RUNNERS_MAX });
    }
    for (index, ability) in abilities.iter().enumerate() {
        if !ability.is_finite() {
            return Err(PricingError::NotFinite { index });
        }
        if ABILITY_MAX < ability.abs() {
            return Err(PricingError::ParameterOutOfRange {
                name: "abilities",
                allowed: "-8 to 8",
            });
        }
    }
    Ok(())
}

/// The probability of each runner to win, from their abilities (lower is faster). `win` gets as many.
///
/// # Errors
///
/// [`PricingError::TooFewOutcomes`], [`PricingError::TooManyOutcomes`],
/// [`PricingError::LengthsDiffer`], [`PricingError::NotFinite`],
/// [`PricingError::ParameterOutOfRange`] ("abilities") beyond [`ABILITY_MAX`].
///
/// ```
/// use betring_pricing::model::racing::normal;
///
/// let mut win = [0.0; 2];
/// normal::win(&[0.0, 1.0], &mut win)?;
/// // The difference of the times has the deviation √2.
/// assert!((win[0] - 0.760_249_938_906_523).abs() < 1e-12);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn win(abilities: &[f64], win: &mut [f64]) -> Result<(), PricingError> {
    check_abilities(abilities)?;
    if win.len() != abilities.len() {
        return Err(PricingError::LengthsDiffer);
    }
    win.fill(0.0);
    let n = abilities.len();
    let mut others = [0.0; RUNNERS_MAX];
    lattice(abilities, |moment| {
        others_later(&moment.later[..n], &mut others[..n]);
        for ((win, now), others) in win.iter_mut().zip(&moment.now).zip(&others) {
            *win += now * others;
        }
    });
    Ok(())
}

/// The probability that these two are first and second in this order.
///
/// # Errors
///
/// As [`win`]; [`PricingError::ParameterOutOfRange`] ("runner") unless both run and differ.
pub fn exacta(abilities: &[f64], first: usize, second: usize) -> Result<f64, PricingError> {
    check_abilities(abilities)?;
    if abilities.len() <= first.max(second) || first == second {
        return Err(RUNNER_OUT_OF_RANGE);
    }
    let mut probability = 0.0;
    lattice(abilities, |moment| {
        // Over the time of the second: the first has come, all others have not.
        let mut product = moment.now[second] * (1.0 - moment.later[first]);
        for (runner, later) in moment.later[..abilities.len()].iter().enumerate() {
            if runner != first && runner != second {
                product *= later;
            }
        }
        probability += product;
    });
    Ok(probability)
}

/// The abilities, with a mean of 0, that give these probabilities to win. `abilities` gets as many.
///
/// Newton's method on the logarithms, in halved steps where a whole one would not help. The
/// probabilities are met to 1e-11 of each.
///
/// # Errors
///
/// [`PricingError::TooFewOutcomes`], [`PricingError::TooManyOutcomes`],
/// [`PricingError::LengthsDiffer`], [`PricingError::NotFinite`],
/// [`PricingError::ProbabilityOutOfRange`] for what is not above 0 and below 1 (who does not run
/// has no ability: leave it out), [`PricingError::SumOffTarget`] if they do not sum to 1 within
/// 1e-9; [`PricingError::NoSolution`] if an ability would be beyond [`ABILITY_MAX`], or the search
/// does not end.
///
/// ```
/// use betring_pricing::model::racing::normal;
///
/// let mut abilities = [0.0; 3];
/// normal::abilities(&[0.5, 0.3, 0.2], &mut abilities)?;
/// let mut win = [0.0; 3];
/// normal::win(&abilities, &mut win)?;
/// assert!((win[1] - 0.3).abs() < 1e-10);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn abilities(win: &[f64], abilities: &mut [f64]) -> Result<(), PricingError> {
    if abilities.len() != win.len() {
        return Err(PricingError::LengthsDiffer);
    }
    super::check_win(win)?;
    if let Some(index) = win.iter().position(|&win| win == 0.0) {
        return Err(PricingError::ProbabilityOutOfRange { index });
    }
    let n = win.len();
    let total = super::sum(win);
    let (mut logs, mut found) = ([0.0; RUNNERS_MAX], [0.0; RUNNERS_MAX]);
    let (logs, found) = (&mut logs[..n], &mut found[..n]);
    let mut favourite = 0;
    for (runner, &one) in win.iter().enumerate() {
        logs[runner] = ln(one / total);
        // About right in fields of all sizes.
        found[runner] = -0.5 * logs[runner];
        if win[favourite] < one {
            favourite = runner;
        }
    }
    // The last stays, since only differences count, and wins what the others leave. That is the
    // favourite, whose share changes least.
    logs.swap(favourite, n - 1);
    found.swap(favourite, n - 1);
    centre(found)?;
    let (mut now, mut matrix) = ([0.0; RUNNERS_MAX], [[0.0; UNKNOWNS_MAX]; UNKNOWNS_MAX]);
    let mut error = wins_and_slopes(found, logs, &mut now, &mut matrix);
    for _ in 0..STEPS_MAX {
        if error < LOG_ERROR_MAX {
            found.swap(favourite, n - 1);
            abilities.copy_from_slice(found);
            return Ok(());
        }
        let mut step = [0.0; UNKNOWNS_MAX];
        for ((step, now), log) in step.iter_mut().zip(&now).zip(&logs[..n - 1]) {
            *step = now * (ln(*now) - log);
        }
        if !solve(&mut matrix, &mut step[..n - 1]) {
            return Err(PricingError::NoSolution);
        }
        let mut size = 1.0;
        loop {
            let mut next = [0.0; RUNNERS_MAX];
            let next = &mut next[..n];
            for ((next, found), step) in next.iter_mut().zip(&*found).zip(&step) {
                *next = found + size * step;
            }
            let there = match centre(next) {
                Ok(()) => wins_and_slopes(next, logs, &mut now, &mut matrix),
                Err(_) => f64::INFINITY,
            };
            if there < error {
                found.copy_from_slice(next);
                error = there;
                break;
            }
            size *= 0.5;
            if size < 1e-6 {
                return Err(PricingError::NoSolution);
            }
        }
    }
    Err(PricingError::NoSolution)
}

/// Moves the abilities to a mean of 0.
fn centre(abilities: &mut [f64]) -> Result<(), PricingError> {
    let mean = super::sum(abilities) / abilities.len() as f64;
    for ability in &mut *abilities {
        *ability -= mean;
    }
    check_abilities(abilities).map_err(|_| PricingError::NoSolution)
}

/// Who wins, and minus what that changes by with each ability (a symmetric matrix without the last
/// runner). Returns the greatest error of a logarithm but the last.
fn wins_and_slopes(
    abilities: &[f64],
    logs: &[f64],
    win: &mut [f64; RUNNERS_MAX],
    matrix: &mut Matrix,
) -> f64 {
    let n = abilities.len();
    win.fill(0.0);
    for row in matrix[..n].iter_mut() {
        row[..n].fill(0.0);
    }
    let mut others = [0.0; RUNNERS_MAX];
    lattice(abilities, |moment| {
        others_later(&moment.later[..n], &mut others[..n]);
        for ((win, now), others) in win.iter_mut().zip(&moment.now).zip(&others) {
            *win += now * others;
        }
        for i in 0..n {
            // Both come now and nobody has come before. Each has the step in it; once is enough.
            let together = moment.now[i] * others[i] / STEP;
            for (slope, (now, later)) in
                matrix[i][..i].iter_mut().zip(moment.now.iter().zip(&moment.later))
            {
                // So late that nobody is left, nothing counts.
                *slope += if 1e-300 < *later { together * (now / later) } else { 0.0 };
            }
        }
    });
    // A slower runner loses what the others gain.
    for i in 0..n {
        let mut own = 0.0;
        for slope in &matrix[i][..i] {
            own += slope;
        }
        for row in &matrix[i + 1..n] {
            own += row[i];
        }
        matrix[i][i] = own;
        for slope in matrix[i][..i].iter_mut() {
            *slope = -*slope;
        }
    }
    let errors = win[..n - 1].iter().zip(logs).map(|(win, log)| (ln(*win) - log).abs());
    errors.fold(0.0, f64::max)
}
