//! How many games are played, and by how many they are won.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{Player, Score, Tennis};
use crate::PricingError;

/// From so many games on they are not told apart. Five sets with tie-breaks have at most 65.
pub const GAMES_MAX: usize = 127;

/// Nobody wins three sets by more than 6-0 each.
const DIFFERENCE_MAX: usize = 18;

/// How a bet on a line stands: won, returned, lost. The three sum to 1.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Line {
    /// Above the line.
    pub win: f64,
    /// Exactly on it.
    pub push: f64,
    /// Below it.
    pub lose: f64,
}

impl Line {
    /// Counts what is this much above or below the line.
    pub(super) fn add(&mut self, margin: i32, probability: f64) {
        match margin.signum() {
            1 => self.win += probability,
            0 => self.push += probability,
            _ => self.lose += probability,
        }
    }
}

/// The games of a match from the set being played on: how many, and A's less B's.
///
/// The games of the set being played count from its beginning; those of earlier sets, which a [`Score`]
/// does not know, are for the caller to take off a line.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Games {
    total: [f64; GAMES_MAX + 1],
    difference: [f64; 2 * DIFFERENCE_MAX + 1],
}

impl Games {
    /// The probability of so many games in all; [`GAMES_MAX`] stands for that many or more.
    pub fn total(&self, games: usize) -> f64 {
        self.total.get(games).copied().unwrap_or(0.0)
    }

    /// The probability that A wins so many games more than B (fewer, if negative).
    pub fn difference(&self, games: i32) -> f64 {
        let at = usize::try_from(i64::from(games) + DIFFERENCE_MAX as i64);
        at.ok().and_then(|at| self.difference.get(at)).copied().unwrap_or(0.0)
    }

    /// More games in all than so many half games: 45 is 22.5.
    pub fn total_over(&self, halves: i32) -> Line {
        let mut line = Line::default();
        for (games, &probability) in (0_i32..).zip(&self.total) {
            line.add((2 * games).saturating_sub(halves), probability);
        }
        line
    }

    /// A with a start of so many half games: -7 is -3.5, which A has to win by four.
    pub fn handicap(&self, halves: i32) -> Line {
        let mut line = Line::default();
        for (games, &probability) in (-(DIFFERENCE_MAX as i32)..).zip(&self.difference) {
            line.add((2 * games).saturating_add(halves), probability);
        }
        line
    }
}

impl Tennis {
    /// How many games there will be, and who wins how many more. Errors as for
    /// [`Tennis::wins`].
    ///
    /// ```
    /// use betring_pricing::model::tennis::{Format, LastSet, Player, Score, Tennis};
    ///
    /// let format = Format::best_of_3(LastSet::TieBreak);
    /// let tennis = Tennis::new([0.65, 0.60], format)?;
    /// let games = tennis.games(&Score::start(format, Player::A))?;
    /// // A is to win by more than two and a half, in more than 22.5 games.
    /// assert!(games.handicap(-5).win < tennis.wins(&Score::start(format, Player::A))?);
    /// assert!(0.5 < games.total_over(45).win);
    /// // Three tie-breaks are 39 games.
    /// assert_eq!(games.total_over(78).win, 0.0);
    /// # Ok::<(), betring_pricing::PricingError>(())
    /// ```
    pub fn games(&self, score: &Score) -> Result<Games, PricingError> {
        self.check(score)?;
        let total = self.spread(score, 0, |[a, b]| a as isize + b as isize);
        let difference = self.spread(score, DIFFERENCE_MAX, |[a, b]| a as isize - b as isize);
        Ok(Games { total, difference })
    }

    /// What the ends of all sets sum to: each moves by `shift` from where those before it led, the first
    /// from `from`. What would move out of the range stays at its edge.
    fn spread<const N: usize>(
        &self,
        score: &Score,
        from: usize,
        shift: impl Fn([usize; 2]) -> isize,
    ) -> [f64; N] {
        let to_win = usize::from(self.format.sets_to_win());
        let [first_a, first_b] = score.sets().map(usize::from);
        let mut over = [0.0; N];
        // By A's sets and who serves the next set, of those after as many sets.
        let mut now = [[[0.0; N]; 2]; 3];
        now[first_a][score.server().index()][from] = 1.0;
        for played in first_a + first_b..2 * to_win - 1 {
            let mut next = [[[0.0; N]; 2]; 3];
            for a in first_a..to_win.min(played + 1) {
                let b = played - a;
                if b < first_b || to_win <= b {
                    continue;
                }
                for server in [Player::A, Player::B] {
                    let here = &now[a][server.index()];
                    if here.iter().all(|&probability| probability == 0.0) {
                        continue;
                    }
                    let (set, ends) = self.set_at(score, [a, b], server);
                    self.each_end(&set, &ends, |games, probability| {
                        let server = set.server_after(games).index();
                        let to = match games[1] < games[0] {
                            true if a + 1 == to_win => &mut over,
                            true => &mut next[a + 1][server],
                            false if b + 1 == to_win => &mut over,
                            false => &mut next[a][server],
                        };
                        let by = shift(games);
                        for (at, &here) in here.iter().enumerate() {
                            if here != 0.0 {
                                to[at.saturating_add_signed(by).min(N - 1)] += here * probability;
                            }
                        }
                    });
                }
            }
            now = next;
        }
        over
    }
}
