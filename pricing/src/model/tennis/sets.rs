//! Games to sets, sets to the match, from any score.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{
    Format, Line, Player, Score, check_serve, game_from, hold,
    score::{COUNT_MAX, SetKind},
    tie_break_from, two_ahead,
};
use crate::PricingError;

/// The most sets that a player wins.
const SETS_MAX: usize = 3;

/// A match between two players whose serves are known.
///
/// ```
/// use betring_pricing::model::tennis::{Format, LastSet, Player, Score, Tennis};
///
/// let format = Format::best_of_3(LastSet::TieBreak);
/// let tennis = Tennis::new([0.65, 0.60], format)?;
/// let before = tennis.wins(&Score::start(format, Player::A))?;
/// assert!((before - 0.7365).abs() < 1e-4);
/// // A set and a break ahead.
/// let ahead = Score::new(format, [1, 0], [3, 1], [0, 0], Player::B)?;
/// assert!(0.9 < tennis.wins(&ahead)?);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tennis {
    serve: [f64; 2],
    pub(super) format: Format,
    /// That each holds serve.
    hold: [f64; 2],
    /// How a set ends that begins, by who serves first: one that is not the last, and the last.
    sets: [[SetEnds; 2]; 2],
    /// That A wins the match when a set begins: by sets of A and of B, and who serves.
    wins: [[[f64; 2]; SETS_MAX]; SETS_MAX],
}

impl Tennis {
    /// The match of two players by their probabilities to win a point on their own serve, each from
    /// [`SERVE_MIN`](super::SERVE_MIN) to 1 minus it.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] ("serve").
    pub fn new(serve: [f64; 2], format: Format) -> Result<Tennis, PricingError> {
        serve.into_iter().try_for_each(check_serve)?;
        let mut tennis = Tennis {
            serve,
            format,
            hold: serve.map(hold),
            sets: [[SetEnds::NONE; 2]; 2],
            wins: [[[0.0; 2]; SETS_MAX]; SETS_MAX],
        };
        let before_last = format.sets_to_win() - 1;
        for server in [Player::A, Player::B] {
            let start = Score::start(format, server);
            tennis.sets[0][server.index()] = tennis.ends(&start);
            tennis.sets[1][server.index()] = tennis.ends(&start.with_sets([before_last; 2]));
        }
        let to_win = usize::from(format.sets_to_win());
        for a in (0..to_win).rev() {
            for b in (0..to_win).rev() {
                for server in [Player::A, Player::B] {
                    let score = Score::start(format, server).with_sets([a as u8, b as u8]);
                    let ends = tennis.fresh(&score);
                    tennis.wins[a][b][server.index()] = tennis.after_set(&score, ends);
                }
            }
        }
        Ok(tennis)
    }

    /// The probability that A wins the match from this score, its first point included.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] ("score") for one of another format.
    pub fn wins(&self, score: &Score) -> Result<f64, PricingError> {
        self.check(score)?;
        Ok(self.after_set(score, &self.ends(score)))
    }

    /// The probability that A wins the set that is being played. Errors as for [`Tennis::wins`].
    pub fn wins_set(&self, score: &Score) -> Result<f64, PricingError> {
        self.check(score)?;
        let mut wins = 0.0;
        self.each_end(score, &self.ends(score), |games, probability| {
            wins += if games[1] < games[0] { probability } else { 0.0 };
        });
        Ok(wins)
    }

    /// The probability that A wins the game or tie-break that is being played. Errors as for
    /// [`Tennis::wins`].
    pub fn wins_game(&self, score: &Score) -> Result<f64, PricingError> {
        self.check(score)?;
        Ok(self.game(score))
    }

    /// The probability that the set being played ends with these games, A's first. Errors as for
    /// [`Tennis::wins`].
    ///
    /// ```
    /// use betring_pricing::model::tennis::{Format, LastSet, Player, Score, Tennis};
    ///
    /// let format = Format::best_of_3(LastSet::TieBreak);
    /// let tennis = Tennis::new([0.65, 0.60], format)?;
    /// let start = Score::start(format, Player::A);
    /// assert!(tennis.set_ends(&start, [6, 0])? < tennis.set_ends(&start, [6, 4])?);
    /// assert_eq!(tennis.set_ends(&start, [6, 5])?, 0.0);
    /// # Ok::<(), betring_pricing::PricingError>(())
    /// ```
    pub fn set_ends(&self, score: &Score, games: [u8; 2]) -> Result<f64, PricingError> {
        self.check(score)?;
        let mut found = 0.0;
        self.each_end(score, &self.ends(score), |end, probability| {
            found += if end == games.map(usize::from) { probability } else { 0.0 };
        });
        Ok(found)
    }

    /// The probabilities of all final scores in sets. Errors as for [`Tennis::wins`].
    pub fn set_scores(&self, score: &Score) -> Result<SetScores, PricingError> {
        self.check(score)?;
        let to_win = usize::from(self.format.sets_to_win());
        let mut ends = [[0.0; SETS_MAX + 1]; SETS_MAX + 1];
        // By sets and who serves the next.
        let mut mass = [[[0.0; 2]; SETS_MAX + 1]; SETS_MAX + 1];
        let [a, b] = score.sets().map(usize::from);
        mass[a][b][score.server().index()] = 1.0;
        for a in a..to_win {
            for b in b..to_win {
                for server in [Player::A, Player::B] {
                    let here = mass[a][b][server.index()];
                    if here == 0.0 {
                        continue;
                    }
                    let (now, set) = self.set_at(score, [a, b], server);
                    self.each_end(&now, &set, |games, probability| {
                        let won = games[1] < games[0];
                        let to = [a + usize::from(won), b + usize::from(!won)];
                        let next = now.server_after(games).index();
                        mass[to[0]][to[1]][next] += here * probability;
                    });
                }
            }
        }
        for (a, row) in mass.iter().enumerate() {
            for (b, by_server) in row.iter().enumerate() {
                if a == to_win || b == to_win {
                    ends[a][b] = by_server[0] + by_server[1];
                }
            }
        }
        Ok(SetScores { ends })
    }

    pub(super) fn check(&self, score: &Score) -> Result<(), PricingError> {
        if score.format() == self.format {
            Ok(())
        } else {
            Err(PricingError::ParameterOutOfRange {
                name: "score",
                allowed: "one of the format of the match",
            })
        }
    }

    /// The score when the sets are these, and how that set ends: the set being played, or one that
    /// begins later.
    pub(super) fn set_at(
        &self,
        score: &Score,
        sets: [usize; 2],
        server: Player,
    ) -> (Score, SetEnds) {
        if sets == score.sets().map(usize::from) {
            return (*score, self.ends(score));
        }
        let now = Score::start(self.format, server).with_sets(sets.map(|sets| sets as u8));
        (now, *self.fresh(&now))
    }

    /// How a set ends that begins at this score.
    fn fresh(&self, score: &Score) -> &SetEnds {
        let last = score.sets() == [self.format.sets_to_win() - 1; 2];
        &self.sets[usize::from(last)][score.server().index()]
    }

    /// That A wins the match when the set being played ends like this.
    fn after_set(&self, score: &Score, ends: &SetEnds) -> f64 {
        let to_win = usize::from(self.format.sets_to_win());
        let [a, b] = score.sets().map(usize::from);
        let mut wins = 0.0;
        self.each_end(score, ends, |games, probability| {
            let next = score.server_after(games).index();
            wins += probability
                * match games[1] < games[0] {
                    true if a + 1 == to_win => 1.0,
                    true => self.wins[a + 1][b][next],
                    false if b + 1 == to_win => 0.0,
                    false => self.wins[a][b + 1][next],
                };
        });
        wins
    }

    /// That A wins the game or tie-break being played.
    fn game(&self, score: &Score) -> f64 {
        let [a, b] = score.points();
        match (score.tie_break(), score.server()) {
            (Some(to), first) => tie_break_from(self.serve, first, to, [a, b]),
            (None, Player::A) => game_from(self.serve[0], [a, b]),
            (None, Player::B) => 1.0 - game_from(self.serve[1], [b, a]),
        }
    }

    /// That A wins a game that this player serves.
    fn game_on_serve(&self, server: Player) -> f64 {
        match server {
            Player::A => self.hold[0],
            Player::B => 1.0 - self.hold[1],
        }
    }

    /// How the set being played ends, forward from its games.
    fn ends(&self, score: &Score) -> SetEnds {
        let kind = score.kind();
        let start = score.reduced_games();
        let mut mass = [[0.0; 8]; 8];
        mass[start[0]][start[1]] = 1.0;
        for a in start[0]..=6 {
            for b in start[1]..=6 {
                let games = [a as u8, b as u8];
                if kind.is_won(games) || (kind == SetKind::Advantage && [a, b] == [6, 6]) {
                    continue;
                }
                let server = score.server_after([a, b]);
                let p = match kind.tie_break_at(games) {
                    _ if [a, b] == start => self.game(score),
                    Some(to) => tie_break_from(self.serve, server, to, [0, 0]),
                    None => self.game_on_serve(server),
                };
                let here = std::mem::take(&mut mass[a][b]);
                mass[a + 1][b] += here * p;
                mass[a][b + 1] += here * (1.0 - p);
            }
        }
        SetEnds { mass }
    }

    /// Calls `each` with the games of every end of the set being played, and its probability.
    pub(super) fn each_end(
        &self,
        score: &Score,
        ends: &SetEnds,
        mut each: impl FnMut([usize; 2], f64),
    ) {
        let later = usize::from(score.games()[0]) - score.reduced_games()[0];
        for (a, row) in ends.mass.iter().enumerate() {
            for (b, &probability) in row.iter().enumerate() {
                if probability != 0.0 && [a, b] != [6, 6] {
                    each([a + later, b + later], probability);
                }
            }
        }
        let mut here = ends.mass[6][6];
        if here != 0.0 {
            // Two games from level win, or lead back to it.
            let [a, b] = [self.hold[0], 1.0 - self.hold[1]];
            let (won, lost) = (a * b, (1.0 - a) * (1.0 - b));
            for at in 6 + later..usize::from(COUNT_MAX) {
                each([at + 2, at], here * won);
                each([at, at + 2], here * lost);
                here *= 1.0 - won - lost;
            }
            // The rest of the sum at once: longer sets than any that was.
            let (at, wins) = (usize::from(COUNT_MAX), two_ahead(a, b));
            each([at + 2, at], here * wins);
            each([at, at + 2], here * (1.0 - wins));
        }
    }
}

/// How a set ends: the probability of each number of games, and of 6-6 if there is no tie-break.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct SetEnds {
    mass: [[f64; 8]; 8],
}

impl SetEnds {
    const NONE: SetEnds = SetEnds { mass: [[0.0; 8]; 8] };
}

/// The probabilities of the final scores in sets.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SetScores {
    ends: [[f64; SETS_MAX + 1]; SETS_MAX + 1],
}

impl SetScores {
    /// The probability that the match ends with these sets, A's first; 0 for what is no end.
    pub fn at(&self, a: usize, b: usize) -> f64 {
        self.ends.get(a).and_then(|row| row.get(b)).copied().unwrap_or(0.0)
    }

    /// A with a start of so many half sets (-3 is -1.5): A's sets and the start against B's sets.
    pub fn handicap(&self, halves: i32) -> Line {
        self.line(|a, b| 2 * (a - b) + halves)
    }

    /// More sets in all than so many half sets (5 is 2.5).
    pub fn total_over(&self, halves: i32) -> Line {
        self.line(|a, b| 2 * (a + b) - halves)
    }

    fn line(&self, margin: impl Fn(i32, i32) -> i32) -> Line {
        let mut line = Line::default();
        for (a, row) in (0..).zip(&self.ends) {
            for (b, &probability) in (0..).zip(row) {
                line.add(margin(a, b), probability);
            }
        }
        line
    }
}
