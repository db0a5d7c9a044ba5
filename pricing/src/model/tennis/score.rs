//! The score of a match, and what the next point makes of it.

use crate::PricingError;

/// One of the two players.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Player {
    /// The one whose probabilities are given.
    A,
    /// The other.
    B,
}

impl Player {
    /// The other one.
    pub const fn other(self) -> Player {
        match self {
            Player::A => Player::B,
            Player::B => Player::A,
        }
    }

    /// 0 for A, 1 for B.
    pub(super) const fn index(self) -> usize {
        match self {
            Player::A => 0,
            Player::B => 1,
        }
    }
}

/// How the last possible set is decided, the fifth of five or the third of three.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LastSet {
    /// As all others: a tie-break to 7 at 6-6.
    TieBreak,
    /// A tie-break to 10 at 6-6, as at all majors since 2022.
    LongTieBreak,
    /// No tie-break: until somebody is two games ahead.
    Advantage,
    /// One tie-break to 10 instead of a set, as in most doubles. It counts as one game.
    MatchTieBreak,
}

/// The format of a match. All sets but the last have a tie-break to 7 at 6-6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Format {
    /// How many sets win the match: 2 or 3, or 1 for a single set.
    sets_to_win: u8,
    last: LastSet,
}

impl Format {
    /// The best of three sets.
    pub const fn best_of_3(last: LastSet) -> Format {
        Format { sets_to_win: 2, last }
    }

    /// The best of five sets.
    pub const fn best_of_5(last: LastSet) -> Format {
        Format { sets_to_win: 3, last }
    }

    /// One set, which is the last at once.
    pub const fn one_set(last: LastSet) -> Format {
        Format { sets_to_win: 1, last }
    }

    /// How many sets win the match.
    pub const fn sets_to_win(self) -> u8 {
        self.sets_to_win
    }

    /// How the set after these is played.
    pub(super) fn kind(self, sets: [u8; 2]) -> SetKind {
        if sets.map(|sets| sets + 1) != [self.sets_to_win; 2] {
            return SetKind::TieBreak(7);
        }
        match self.last {
            LastSet::TieBreak => SetKind::TieBreak(7),
            LastSet::LongTieBreak => SetKind::TieBreak(10),
            LastSet::Advantage => SetKind::Advantage,
            LastSet::MatchTieBreak => SetKind::MatchTieBreak,
        }
    }
}

/// How one set is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SetKind {
    /// With a tie-break to so many points at 6-6.
    TieBreak(u8),
    Advantage,
    MatchTieBreak,
}

impl SetKind {
    /// To how many points the tie-break goes that is played at these games; `None` if a game is.
    pub(super) fn tie_break_at(self, games: [u8; 2]) -> Option<u8> {
        match self {
            SetKind::TieBreak(to) if games == [6, 6] => Some(to),
            SetKind::MatchTieBreak => Some(10),
            SetKind::TieBreak(_) | SetKind::Advantage => None,
        }
    }

    /// Whether the set is won when these are the games.
    pub(super) fn is_won(self, games: [u8; 2]) -> bool {
        let [more, less] = [games[0].max(games[1]), games[0].min(games[1])];
        match self {
            SetKind::TieBreak(_) => more == 7 || (6 <= more && less + 2 <= more),
            SetKind::Advantage => 6 <= more && less + 2 <= more,
            SetKind::MatchTieBreak => more == 1,
        }
    }

    /// Whether a set can be at these games without being won.
    fn allows(self, games: [u8; 2]) -> bool {
        let [more, less] = [games[0].max(games[1]), games[0].min(games[1])];
        match self {
            SetKind::TieBreak(_) => more <= 5 || (more == 6 && 5 <= less),
            // From 6-6 on nobody is more than one ahead.
            SetKind::Advantage => more <= 5 || (more <= COUNT_MAX && more <= less + 1),
            SetKind::MatchTieBreak => more == 0,
        }
    }
}

/// The most games of one player in a set, and points in a game or tie-break: the longest set
/// ever was 70-68.
pub(super) const COUNT_MAX: u8 = 200;

/// A score at which the match goes on: sets, games of the set being played, points of the game or
/// tie-break being played, and who serves. Arrays have A's first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Score {
    format: Format,
    sets: [u8; 2],
    games: [u8; 2],
    points: [u8; 2],
    server: Player,
}

/// What a point leads to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Next {
    /// The match goes on.
    Score(Score),
    /// The match is won.
    Won(Player),
}

impl Score {
    /// Before the first point.
    pub const fn start(format: Format, server: Player) -> Score {
        Score { format, sets: [0; 2], games: [0; 2], points: [0; 2], server }
    }

    /// A score that can occur.
    ///
    /// `points` counts points won: 15, 30 and 40 are 1, 2 and 3, and from deuce (3-3) on one more is an
    /// advantage, however often it was deuce. In a tie-break they are its points. `server` serves the game
    /// that is being played; in a tie-break, whoever served its first point.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] ("sets", "games", "points") for what cannot be or
    /// is already won: 2-0 in the best of three, 6-4, 40 with two more.
    ///
    /// ```
    /// use betring_pricing::model::tennis::{Format, LastSet, Player, Score};
    ///
    /// let format = Format::best_of_3(LastSet::TieBreak);
    /// // 1-0 in sets, 5-4, 40-30.
    /// assert!(Score::new(format, [1, 0], [5, 4], [3, 2], Player::A).is_ok());
    /// // That is a set.
    /// assert!(Score::new(format, [1, 0], [6, 4], [0, 0], Player::B).is_err());
    /// ```
    pub fn new(
        format: Format,
        sets: [u8; 2],
        games: [u8; 2],
        points: [u8; 2],
        server: Player,
    ) -> Result<Score, PricingError> {
        let wrong = |name, allowed| Err(PricingError::ParameterOutOfRange { name, allowed });
        if sets.iter().any(|&sets| format.sets_to_win <= sets) {
            return wrong("sets", "fewer than win the match");
        }
        let kind = format.kind(sets);
        if !kind.allows(games) {
            return wrong("games", "those of a set that is not won yet");
        }
        let last = kind.tie_break_at(games).map_or(3, |to| to - 1);
        let [more, less] = [points[0].max(points[1]), points[0].min(points[1])];
        // Nobody has won the last point, or both are there and at most one ahead.
        if last < more && (COUNT_MAX < more || less < last || less + 1 < more) {
            return wrong("points", "those of a game or tie-break that is not won yet");
        }
        Ok(Score { format, sets, games, points, server })
    }

    /// The format of the match.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The sets that are won.
    pub fn sets(&self) -> [u8; 2] {
        self.sets
    }

    /// The games of the set that is being played.
    pub fn games(&self) -> [u8; 2] {
        self.games
    }

    /// The points of the game or tie-break that is being played.
    pub fn points(&self) -> [u8; 2] {
        self.points
    }

    /// Who serves the game; in a tie-break, who served its first point.
    pub fn server(&self) -> Player {
        self.server
    }

    /// Who serves the next point.
    pub fn serves_next(&self) -> Player {
        match self.tie_break() {
            Some(_) => {
                super::serves(self.server, u32::from(self.points[0]) + u32::from(self.points[1]))
            }
            None => self.server,
        }
    }

    /// The same with other sets.
    pub(super) const fn with_sets(self, sets: [u8; 2]) -> Score {
        Score { sets, ..self }
    }

    /// Who serves when the games of the set, or of the next one, are these.
    pub(super) fn server_after(&self, games: [usize; 2]) -> Player {
        let played = games[0] + games[1] + usize::from(self.games[0]) + usize::from(self.games[1]);
        if played.is_multiple_of(2) { self.server } else { self.server.other() }
    }

    /// The games, as many fewer of each as make no difference: without a tie-break, a set at 9-8 goes
    /// on as at 6-5.
    pub(super) fn reduced_games(&self) -> [usize; 2] {
        let later = match self.kind() {
            SetKind::Advantage => self.games[0].min(self.games[1]).saturating_sub(5),
            SetKind::TieBreak(_) | SetKind::MatchTieBreak => 0,
        };
        self.games.map(|games| usize::from(games - later))
    }

    pub(super) fn kind(&self) -> SetKind {
        self.format.kind(self.sets)
    }

    /// To how many points, if a tie-break is being played.
    pub(super) fn tie_break(&self) -> Option<u8> {
        self.kind().tie_break_at(self.games)
    }

    /// What a point for this player leads to.
    ///
    /// ```
    /// use betring_pricing::model::tennis::{Format, LastSet, Next, Player, Score};
    ///
    /// let format = Format::best_of_3(LastSet::TieBreak);
    /// let match_point = Score::new(format, [1, 1], [6, 6], [6, 5], Player::B)?;
    /// assert_eq!(match_point.after(Player::A), Next::Won(Player::A));
    /// # Ok::<(), betring_pricing::PricingError>(())
    /// ```
    pub fn after(&self, player: Player) -> Next {
        let winner = player.index();
        let mut next = *self;
        next.points[winner] += 1;
        let to = self.tie_break().unwrap_or(4);
        let [won, lost] = [next.points[winner], next.points[1 - winner]];
        if won < to || won < lost + 2 {
            // Scores that go on for ever are counted from deuce again, an even number of rounds back.
            if COUNT_MAX <= won && won == lost {
                next.points = [to + (won - to) % 2; 2];
            }
            return Next::Score(next);
        }
        next.points = [0; 2];
        next.games[winner] += 1;
        next.server = self.server.other();
        if !self.kind().is_won(next.games) {
            if COUNT_MAX <= next.games[0] && next.games[0] == next.games[1] {
                next.games = [6; 2];
            }
            return Next::Score(next);
        }
        next.games = [0; 2];
        next.sets[winner] += 1;
        if next.sets[winner] == self.format.sets_to_win {
            return Next::Won(player);
        }
        Next::Score(next)
    }
}
