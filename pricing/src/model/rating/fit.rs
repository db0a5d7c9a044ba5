//! Strengths from results: whose they are, what home is worth, and how often it is a draw.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::STRENGTH_MAX;
use crate::{
    PricingError,
    math::{exp, ln},
};

/// The most rounds. A league's season takes one or two hundred.
const ROUNDS_MAX: u32 = 20_000;

/// A round that changes no logarithm by more than this is the last.
const CHANGE_MIN: f64 = 1e-12;

/// The most results of one kind in a meeting.
const RESULTS_MAX: f64 = 1e9;

/// How often two sides met at the home of the first, and what came of it. Results may be
/// weighted, so that old ones count for less.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Meeting {
    /// Who was at home, by place among the strengths.
    pub home: usize,
    /// Who was not.
    pub away: usize,
    /// How often the home side won, it was a draw, and the away side won.
    pub results: [f64; 3],
}

/// Whether home is worth something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advantage {
    /// Nothing: neutral ground, or the order of sides means nothing.
    None,
    /// A factor of the home side's strength, the same for all.
    Home,
}

/// What a draw is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Draws {
    /// Half a win for each.
    HalfAWin,
    /// A result of its own: [`davidson`](super::davidson).
    Davidson,
}

/// What belongs to all meetings alike.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StrengthFit {
    /// The factor of the home side's strength; 1 for none.
    pub advantage: f64,
    /// `draw` of [`davidson`](super::davidson); 0 if draws are half wins.
    pub draw: f64,
    /// How many rounds it took.
    pub rounds: u32,
}

/// The strengths under which these results are likeliest. `strengths` gets one for each side,
/// their product being 1; `work` is room for twice as many.
///
/// Each round scales every strength by what its side took over what it was expected to take; no
/// round makes the results less likely (Hunter 2004 on such rounds, Davidson 1970 on draws).
///
/// # Errors
///
/// [`PricingError::TooFewOutcomes`] for fewer than two sides; [`PricingError::LengthsDiffer`];
/// [`PricingError::ParameterOutOfRange`]: "meetings" for a side that there is not, or that meets itself,
/// "results" for a number below 0 or above 1e9, NaN included; [`PricingError::NoSolution`] if there
/// are no likeliest strengths (a side that took all or nothing, groups that never met) or it takes too
/// many rounds.
///
/// ```
/// use betring_pricing::model::rating::{Advantage, Draws, Meeting, fit_strengths};
///
/// let meetings = [Meeting { home: 0, away: 1, results: [3.0, 0.0, 1.0] }];
/// let (mut strengths, mut work) = ([0.0; 2], [0.0; 4]);
/// fit_strengths(&meetings, Advantage::None, Draws::HalfAWin, &mut strengths, &mut work)?;
/// assert!((strengths[0] / strengths[1] - 3.0).abs() < 1e-9);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn fit_strengths(
    meetings: &[Meeting],
    advantage: Advantage,
    draws: Draws,
    strengths: &mut [f64],
    work: &mut [f64],
) -> Result<StrengthFit, PricingError> {
    check(meetings, strengths, work)?;
    let (took, expected) = work.split_at_mut(strengths.len());
    took.fill(0.0);
    let (mut home_took, mut drawn) = (0.0, 0.0);
    for meeting in meetings {
        let [home, draw, away] = meeting.results;
        took[meeting.home] += home + 0.5 * draw;
        took[meeting.away] += away + 0.5 * draw;
        home_took += home + 0.5 * draw;
        drawn += draw;
    }
    let mut fit = StrengthFit { advantage: 1.0, draw: 0.0, rounds: 0 };
    if draws == Draws::Davidson {
        fit.draw = if drawn == 0.0 { 0.0 } else { 1.0 };
    }
    strengths.fill(1.0);
    while fit.rounds < ROUNDS_MAX {
        fit.rounds += 1;
        let mut change = scale_strengths(meetings, fit, strengths, took, expected)?;
        if advantage == Advantage::Home {
            let expected = expect(meetings, fit, strengths, |[home, draw, _]| home + 0.5 * draw);
            change = f64::max(change, scale(&mut fit.advantage, home_took, expected)?);
        }
        if 0.0 < fit.draw {
            let expected = expect(meetings, fit, strengths, |[_, draw, _]| draw);
            change = f64::max(change, scale(&mut fit.draw, drawn, expected)?);
        }
        if change <= CHANGE_MIN {
            return Ok(fit);
        }
    }
    Err(PricingError::NoSolution)
}

fn check(meetings: &[Meeting], strengths: &[f64], work: &[f64]) -> Result<(), PricingError> {
    if strengths.len() < 2 {
        return Err(PricingError::TooFewOutcomes);
    }
    if work.len() != 2 * strengths.len() {
        return Err(PricingError::LengthsDiffer);
    }
    for meeting in meetings {
        if strengths.len() <= meeting.home.max(meeting.away) || meeting.home == meeting.away {
            return Err(PricingError::ParameterOutOfRange {
                name: "meetings",
                allowed: "between two different sides, counted from 0",
            });
        }
        if meeting.results.iter().any(|results| !(0.0..=RESULTS_MAX).contains(results)) {
            return Err(PricingError::ParameterOutOfRange { name: "results", allowed: "0 to 1e9" });
        }
    }
    Ok(())
}

/// Home win, draw and away win of one meeting.
fn three(meeting: &Meeting, fit: StrengthFit, strengths: &[f64]) -> [f64; 3] {
    let (home, away) = (fit.advantage * strengths[meeting.home], strengths[meeting.away]);
    let draw = fit.draw * (home * away).sqrt();
    let all = home + draw + away;
    [home / all, draw / all, away / all]
}

/// What is expected of all meetings together.
fn expect(
    meetings: &[Meeting],
    fit: StrengthFit,
    strengths: &[f64],
    of: impl Fn([f64; 3]) -> f64,
) -> f64 {
    let mut expected = 0.0;
    for meeting in meetings {
        let [home, draw, away] = meeting.results;
        expected += (home + draw + away) * of(three(meeting, fit, strengths));
    }
    expected
}

/// Scales a parameter by what came over what was expected; returns how far its logarithm moved.
fn scale(parameter: &mut f64, came: f64, expected: f64) -> Result<f64, PricingError> {
    let factor = came / expected;
    *parameter *= factor;
    if (1.0 / STRENGTH_MAX..=STRENGTH_MAX).contains(parameter) {
        Ok(ln(factor).abs())
    } else {
        // Nothing came, nothing was expected, or there is no end.
        Err(PricingError::NoSolution)
    }
}

/// One round over the strengths, by what each side took and what it is expected to; then their product
/// is 1 again.
fn scale_strengths(
    meetings: &[Meeting],
    fit: StrengthFit,
    strengths: &mut [f64],
    took: &[f64],
    expected: &mut [f64],
) -> Result<f64, PricingError> {
    expected.fill(0.0);
    for meeting in meetings {
        let [home, draw, away] = three(meeting, fit, strengths);
        let met = meeting.results[0] + meeting.results[1] + meeting.results[2];
        expected[meeting.home] += met * (home + 0.5 * draw);
        expected[meeting.away] += met * (away + 0.5 * draw);
    }
    let (mut change, mut logs) = (0.0, 0.0);
    for (strength, (took, expected)) in strengths.iter_mut().zip(took.iter().zip(&*expected)) {
        change = f64::max(change, scale(strength, *took, *expected)?);
        logs += ln(*strength);
    }
    let mean = exp(logs / strengths.len() as f64);
    for strength in strengths {
        *strength /= mean;
    }
    Ok(change)
}
