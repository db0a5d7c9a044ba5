//! The probability of everything that is priced, in one pass.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::outcome::{OUTCOMES, Outcome, Score};
use crate::model::football::{Distribution, ScoreGrid};

/// The fair probability of every outcome of [`Outcome::ALL`], at its index.
///
/// Each is one over the fair odds, also those of draw no bet and of whole and quarter lines: where a stake may be returned, what is won (of half-won, half)
/// over what is won and lost. It is 0 if the bet cannot be won, and 1 if it cannot be lost; a bet
/// that is sure to be returned has 0.
///
/// A value is 1.9 KB and may be kept and written over. Nothing is allocated, and no step depends on
/// the score: a goal only moves where the same sums are looked up.
///
/// ```
/// use betring_pricing::Side;
/// use betring_pricing::derive::football::{Fair, Line, Outcome, Score};
/// use betring_pricing::model::football::{Clock, GoalModel, ScoreGrid};
///
/// // Half an hour to go at 1-0.
/// let left = GoalModel::poisson(1.6, 1.1)?.remaining(Clock::new(3_600, Clock::FULL_TIME_S));
/// let grid = ScoreGrid::new(&left);
/// let mut fair = Fair::of(&grid, Score::new(1, 0));
/// let over = Outcome::Total(Side::Over, Line::from_quarters(10));
/// assert!((fair.probability(over).unwrap() - 0.2275).abs() < 1e-4);
///
/// // They score again, and the grid is still that of the goals to come.
/// fair.reprice(&grid, Score::new(2, 0));
/// assert!((fair.probability(over).unwrap() - 0.5934).abs() < 1e-4);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Fair([f64; OUTCOMES]);

impl Fair {
    /// Of the goals to come, at that score.
    pub fn of(grid: &ScoreGrid, score: Score) -> Fair {
        let mut fair = Fair([0.0; OUTCOMES]);
        fair.reprice(grid, score);
        fair
    }

    /// Writes over all of it.
    pub fn reprice(&mut self, grid: &ScoreGrid, score: Score) {
        let mut put = Places(&mut self.0);
        let (home_now, away_now) = (i32::from(score.home), i32::from(score.away));
        // What is looked up is looked up once; from here on all of it is of the final score.
        let home = grid.home.window::<6>(0, home_now);
        let away = grid.away.window::<6>(0, away_now);
        let total = grid.total.window::<8>(0, score.total());
        let difference = grid.difference.window::<9>(-4, score.margin());
        let cell = |home: i32, away: i32| grid.cell(home - home_now, away - away_now);

        let [win, draw, loss] =
            [difference.at_least(1), difference.exactly(0), difference.at_most(-1)];
        put.next([win, draw, loss]);
        put.next([win + draw, win + loss, draw + loss]);
        put.next(over_under(&difference, 0));
        // A side wins and lets in none; nobody scores.
        let nil_nil = cell(0, 0);
        let win_to_nil = (away.exactly(0) - nil_nil).max(0.0);
        let loss_to_nil = (home.exactly(0) - nil_nil).max(0.0);
        let not_both = win_to_nil + loss_to_nil + nil_nil;
        put.next([1.0 - not_both, not_both]);
        let [even, odd] = grid.total.even_odd();
        put.next(if score.total() % 2 == 0 { [odd, even] } else { [even, odd] });

        for line in range(Outcome::TOTALS) {
            put.next(over_under(&total, line));
        }
        for goals in range(Outcome::TEAM_TOTALS) {
            put.next([home.at_least(goals + 1), home.at_most(goals)]);
        }
        for goals in range(Outcome::TEAM_TOTALS) {
            put.next([away.at_least(goals + 1), away.at_most(goals)]);
        }
        for line in range(Outcome::ASIANS) {
            put.next(over_under(&difference, -line));
        }
        for given in Outcome::EUROPEANS.map(i32::from) {
            let (level, won) = (difference.exactly(-given), difference.at_least(1 - given));
            put.next([won, level, difference.at_most(-1 - given)]);
        }

        let mut listed = [0.0; 3];
        for home in 0..=5 {
            let row = [0, 1, 2, 3, 4, 5].map(|away| cell(home, away));
            for (away, score) in (0..=5).zip(row) {
                listed[winner(home - away)] += score;
            }
            put.next(row);
        }
        put.next([win - listed[0], draw - listed[1], loss - listed[2]]);

        put.next([difference.at_least(4)]);
        put.next([3, 2, 1, 0, -1, -2, -3].map(|margin| difference.exactly(margin)));
        put.next([difference.at_most(-4)]);
        let none = grid.cell(0, 0);
        let some = 1.0 - none;
        put.next([grid.home_next * some, none, (1.0 - grid.home_next) * some]);
        put.next([win_to_nil, 1.0 - win_to_nil, loss_to_nil, 1.0 - loss_to_nil]);
        put.next([away.exactly(0), away.at_least(1), home.exactly(0), home.at_least(1)]);
        put.next([0, 1, 2, 3, 4, 5].map(|goals| total.exactly(goals)));
        put.next([total.at_least(6)]);
        for side in [&home, &away] {
            put.next([side.exactly(0), side.exactly(1), side.exactly(2), side.at_least(3)]);
        }
        let not_both = [win_to_nil, nil_nil, loss_to_nil];
        put.next([win - not_both[0], draw - not_both[1], loss - not_both[2]]);
        put.next(not_both);
        let under = [cell(1, 0) + cell(2, 0), nil_nil + cell(1, 1), cell(0, 1) + cell(0, 2)];
        put.next([win - under[0], draw - under[1], loss - under[2]]);
        put.next(under);
        assert!(put.0.is_empty(), "every index has a probability");
    }

    /// Of one of them; `None` if it is not always priced.
    pub fn probability(&self, outcome: Outcome) -> Option<f64> {
        outcome.index().map(|at| self.0[at])
    }

    /// All of them, in the order of [`Outcome::ALL`].
    pub fn probabilities(&self) -> &[f64; OUTCOMES] {
        &self.0
    }
}

/// The places that are still to be written.
struct Places<'a>(&'a mut [f64]);

impl Places<'_> {
    fn next<const N: usize>(&mut self, probabilities: [f64; N]) {
        let places = std::mem::take(&mut self.0);
        if let Some((place, rest)) = places.split_first_chunk_mut() {
            // What a difference of sums leaves below zero or above one is rounding.
            *place = probabilities.map(|probability| probability.clamp(0.0, 1.0));
            self.0 = rest;
        }
    }
}

// The lines above that are written out.
const _: () = assert!(Outcome::SCORE_MAX == 5 && Outcome::WITH_RESULT.quarters() == 10);
const _: () = assert!(Outcome::MARGIN_FROM == 4 && Outcome::GOALS_FROM == 6);
const _: () = assert!(Outcome::TEAM_GOALS_FROM == 3);

fn range([first, last]: [i8; 2]) -> std::ops::RangeInclusive<i32> {
    i32::from(first)..=i32::from(last)
}

fn winner(margin: i32) -> usize {
    match margin {
        1.. => 0,
        0 => 1,
        _ => 2,
    }
}

/// The fair probabilities of more and of less than a line in quarters.
///
/// A quarter line is half of the stake on each neighbour. So .25 over a whole number is half lost
/// by over and half won by under on that number, and .75 the other way round on the next one.
fn over_under<const N: usize>(number: &Distribution<N>, line: i32) -> [f64; 2] {
    let whole = line.div_euclid(4);
    match line.rem_euclid(4) {
        0 => of_decided(number.at_least(whole + 1), number.at_most(whole - 1)),
        1 => {
            let half = 0.5 * number.exactly(whole);
            of_decided(number.at_least(whole + 1), number.at_most(whole - 1) + half)
        }
        2 => [number.at_least(whole + 1), number.at_most(whole)],
        _ => {
            let half = 0.5 * number.exactly(whole + 1);
            of_decided(number.at_least(whole + 2) + half, number.at_most(whole))
        }
    }
}

/// What is won and what is lost as shares of both; none if neither can happen.
fn of_decided(won: f64, lost: f64) -> [f64; 2] {
    let decided = won + lost;
    let share = if f64::MIN_POSITIVE <= decided { 1.0 / decided } else { 0.0 };
    [won * share, lost * share]
}
