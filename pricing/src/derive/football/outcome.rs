//! What may be bet on in a football match, in a fixed order.

use crate::{LegOutcome, Side};

/// One of the two sides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Team {
    /// That plays at home, or is named first.
    Home,
    /// The other.
    Away,
}

impl Team {
    /// Both, the home side first.
    pub const BOTH: [Team; 2] = [Team::Home, Team::Away];

    /// As a winner.
    pub const fn wins(self) -> Winner {
        match self {
            Team::Home => Winner::Home,
            Team::Away => Winner::Away,
        }
    }
}

/// Who wins, if anybody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Winner {
    /// The home side.
    Home,
    /// Neither.
    Draw,
    /// The away side.
    Away,
}

impl Winner {
    /// In the order of a coupon: home, draw, away.
    pub const ALL: [Winner; 3] = [Winner::Home, Winner::Draw, Winner::Away];

    /// By the goals of the home side less those of the away side.
    const fn by(margin: i32) -> Winner {
        match margin {
            1.. => Winner::Home,
            0 => Winner::Draw,
            _ => Winner::Away,
        }
    }
}

/// A line of a handicap or a total in quarter goals: 2.5 is 10, -0.25 is -1.
///
/// ```
/// use betring_pricing::derive::football::Line;
///
/// assert_eq!("2.5".parse(), Ok(Line::from_quarters(10)));
/// assert_eq!("-0.25".parse(), Ok(Line::from_quarters(-1)));
/// assert_eq!(Line::from_halves(5), Some(Line::from_quarters(10)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Line(i8);

impl Line {
    /// So many quarter goals.
    pub const fn from_quarters(quarters: i8) -> Line {
        Line(quarters)
    }

    /// So many half goals: 2.5 is 5. `None` beyond 31.5.
    pub const fn from_halves(halves: i8) -> Option<Line> {
        match halves.checked_mul(2) {
            Some(quarters) => Some(Line(quarters)),
            None => None,
        }
    }

    /// How many quarter goals.
    pub const fn quarters(self) -> i8 {
        self.0
    }

    /// The same handicap from the other side: -0.25 is +0.25.
    const fn across(self) -> Line {
        Line(self.0.saturating_neg())
    }
}

/// A score.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Score {
    /// Goals of the home side.
    pub home: u8,
    /// Goals of the away side.
    pub away: u8,
}

impl Score {
    /// Before the match.
    pub const NIL_NIL: Score = Score { home: 0, away: 0 };

    /// That many goals.
    pub const fn new(home: u8, away: u8) -> Score {
        Score { home, away }
    }

    /// Home less away.
    pub(super) const fn margin(self) -> i32 {
        self.home as i32 - self.away as i32
    }

    /// Both together.
    pub(super) const fn total(self) -> i32 {
        self.home as i32 + self.away as i32
    }
}

/// Something that may be bet on. But for the next goal all of it is about the score at the end.
///
/// [`Outcome::ALL`] has those that are always priced; [`multiple`](super::multiple) takes any, with
/// other lines and scores too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Who wins, or a draw.
    Result(Winner),
    /// Two of the three results: all but this one.
    Not(Winner),
    /// That side wins; the stake is returned at a draw.
    DrawNoBet(Team),
    /// Both sides score, or not both.
    BothScore(bool),
    /// An odd number of goals.
    Odd,
    /// An even number of goals, none included.
    Even,
    /// Goals of both sides. On a whole line the stake may be returned, and a quarter line is half
    /// of the stake on each of its neighbours.
    Total(Side, Line),
    /// Goals of one side.
    TeamTotal(Team, Side, Line),
    /// That side wins with the handicap that it is given, by the same rules.
    Asian(Team, Line),
    /// The result if the home side is given so many goals.
    European(Winner, i8),
    /// Exactly that score.
    Score(Score),
    /// That result by a score that is not priced by itself: a side has more than
    /// [`Outcome::SCORE_MAX`] goals.
    OtherScore(Winner),
    /// Goals of the home side less those of the away side, exactly.
    Margin(i8),
    /// So many or more to the good; if negative, so many or fewer.
    MarginFrom(i8),
    /// Who scores next, or that nobody does.
    ///
    /// After every goal this place means another goal: close the market of the one that was scored, and
    /// price the next one as a new market.
    NextGoal(Option<Team>),
    /// That side wins and lets in no goal, or not so.
    ToNil(Team, bool),
    /// That side lets in no goal, or at least one.
    CleanSheet(Team, bool),
    /// Exactly that many goals.
    Goals(u8),
    /// That many goals or more.
    GoalsFrom(u8),
    /// Exactly that many goals of one side.
    TeamGoals(Team, u8),
    /// That many or more of one side.
    TeamGoalsFrom(Team, u8),
    /// A result, and both sides score or not both.
    ResultAndBothScore(Winner, bool),
    /// A result, and goals of both sides.
    ResultAndTotal(Winner, Side, Line),
}

/// Outcomes of which exactly one happens (of a double chance, two): they get their margin together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "each is named as the outcomes in it")]
pub enum Market {
    Result,
    DoubleChance,
    DrawNoBet,
    BothScore,
    OddEven,
    Total(Line),
    TeamTotal(Team, Line),
    /// By the handicap of the home side.
    Asian(Line),
    /// By the goals that the home side is given.
    European(i8),
    CorrectScore,
    WinningMargin,
    NextGoal,
    ToNil(Team),
    CleanSheet(Team),
    Goals,
    TeamGoals(Team),
    ResultAndBothScore,
    ResultAndTotal(Line),
}

impl Market {
    /// How many of its outcomes happen: two of a double chance, else one.
    pub const fn winners(self) -> u16 {
        match self {
            Market::DoubleChance => 2,
            _ => 1,
        }
    }

    /// The markets of [`Outcome::ALL`] in its order, each with the places of its outcomes there.
    ///
    /// ```
    /// use betring_pricing::derive::football::Market;
    ///
    /// assert_eq!(Market::all().next(), Some((Market::Result, 0..3)));
    /// assert_eq!(Market::all().count(), 83);
    /// ```
    pub fn all() -> impl Iterator<Item = (Market, std::ops::Range<usize>)> {
        let mut at = 0;
        Outcome::ALL.chunk_by(|a, b| a.market() == b.market()).map(move |outcomes| {
            let from = at;
            at += outcomes.len();
            (outcomes[0].market(), from..at)
        })
    }
}

/// How many outcomes are always priced.
pub const OUTCOMES: usize = 236;

impl Outcome {
    /// What is always priced, market by market. The order is a promise: a price index means the
    /// same for ever.
    ///
    /// | from | market |
    /// |---|---|
    /// | 0 | home, draw, away |
    /// | 3 | double chance: home or draw, home or away, draw or away |
    /// | 6 | draw no bet: home, away |
    /// | 8 | both score: yes, no |
    /// | 10 | odd, even |
    /// | 12 | totals from 0.5 to 6.5 in quarters: over, under |
    /// | 62 | goals of the home side, then of the away side, 0.5 to 4.5: over, under |
    /// | 82 | Asian handicaps of the home side from -3 to +3 in quarters: home, away |
    /// | 132 | European handicaps -3, -2, -1, +1, +2, +3: home, draw, away |
    /// | 150 | scores from 0-0 to 5-5, by the home side's goals; any other home win, draw, away win |
    /// | 189 | margins: home by 4 or more, 3, 2, 1, draw, away by 1, 2, 3, 4 or more |
    /// | 198 | next goal: home, none, away |
    /// | 201 | win to nil: home yes, no; away yes, no |
    /// | 205 | clean sheet: home yes, no; away yes, no |
    /// | 209 | goals: 0 to 5, 6 or more |
    /// | 216 | goals of the home side, then of the away side: 0, 1, 2, 3 or more |
    /// | 224 | result and both score: home, draw, away with yes, then with no |
    /// | 230 | result and total 2.5: home, draw, away with over, then with under |
    pub const ALL: [Outcome; OUTCOMES] = list();

    /// The totals that are always priced, as quarters.
    pub(super) const TOTALS: [i8; 2] = [2, 26];
    /// The goals of one side that are, in whole goals: each with a half.
    pub(super) const TEAM_TOTALS: [i8; 2] = [0, 4];
    /// The Asian handicaps that are, as quarters.
    pub(super) const ASIANS: [i8; 2] = [-12, 12];
    /// The European handicaps that are.
    pub(super) const EUROPEANS: [i8; 6] = [-3, -2, -1, 1, 2, 3];
    /// Each side's most goals of a score that is priced by itself.
    pub const SCORE_MAX: u8 = 5;
    /// From here on margins are one outcome.
    pub(super) const MARGIN_FROM: i8 = 4;
    /// From here on numbers of goals are.
    pub(super) const GOALS_FROM: u8 = 6;
    /// From here on those of one side are.
    pub(super) const TEAM_GOALS_FROM: u8 = 3;
    /// The total that is priced together with the result.
    pub(super) const WITH_RESULT: Line = Line(10);

    /// Its place in [`Outcome::ALL`]; `None` if it is not always priced.
    pub fn index(self) -> Option<usize> {
        Outcome::ALL.iter().position(|&outcome| outcome == self)
    }

    /// The market that it belongs to.
    pub const fn market(self) -> Market {
        match self {
            Outcome::Result(_) => Market::Result,
            Outcome::Not(_) => Market::DoubleChance,
            Outcome::DrawNoBet(_) => Market::DrawNoBet,
            Outcome::BothScore(_) => Market::BothScore,
            Outcome::Odd | Outcome::Even => Market::OddEven,
            Outcome::Total(_, line) => Market::Total(line),
            Outcome::TeamTotal(team, _, line) => Market::TeamTotal(team, line),
            Outcome::Asian(Team::Home, line) => Market::Asian(line),
            Outcome::Asian(Team::Away, line) => Market::Asian(line.across()),
            Outcome::European(_, given) => Market::European(given),
            Outcome::Score(_) | Outcome::OtherScore(_) => Market::CorrectScore,
            Outcome::Margin(_) | Outcome::MarginFrom(_) => Market::WinningMargin,
            Outcome::NextGoal(_) => Market::NextGoal,
            Outcome::ToNil(team, _) => Market::ToNil(team),
            Outcome::CleanSheet(team, _) => Market::CleanSheet(team),
            Outcome::Goals(_) | Outcome::GoalsFrom(_) => Market::Goals,
            Outcome::TeamGoals(team, _) | Outcome::TeamGoalsFrom(team, _) => {
                Market::TeamGoals(team)
            }
            Outcome::ResultAndBothScore(..) => Market::ResultAndBothScore,
            Outcome::ResultAndTotal(_, _, line) => Market::ResultAndTotal(line),
        }
    }

    /// What becomes of it at a final score: won, half won, void, half lost or lost. `None` for the
    /// next goal, which the score does not tell.
    ///
    /// ```
    /// use betring_pricing::LegOutcome;
    /// use betring_pricing::derive::football::{Line, Outcome, Score, Team};
    ///
    /// let quarter = Outcome::Asian(Team::Home, Line::from_quarters(-1));
    /// assert_eq!(quarter.settle(Score::new(2, 1)), Some(LegOutcome::Won));
    /// assert_eq!(quarter.settle(Score::new(1, 1)), Some(LegOutcome::HalfLost));
    /// ```
    pub const fn settle(self, score: Score) -> Option<LegOutcome> {
        self.settle_at(score.home as i32, score.away as i32)
    }

    /// The same for any number of goals.
    pub(super) const fn settle_at(self, home: i32, away: i32) -> Option<LegOutcome> {
        let (margin, total) = (home - away, home + away);
        let winner = Winner::by(margin);
        let both = 0 < home && 0 < away;
        let happened = match self {
            Outcome::Result(of) => winner as u8 == of as u8,
            Outcome::Not(of) => winner as u8 != of as u8,
            Outcome::DrawNoBet(Team::Home) => return Some(by_quarters(4 * margin)),
            Outcome::DrawNoBet(Team::Away) => return Some(by_quarters(-4 * margin)),
            Outcome::BothScore(yes) => both == yes,
            Outcome::Odd => total % 2 == 1,
            Outcome::Even => total % 2 == 0,
            Outcome::Total(side, line) => return Some(settle_total(side, line, total)),
            Outcome::TeamTotal(Team::Home, side, line) => {
                return Some(settle_total(side, line, home));
            }
            Outcome::TeamTotal(Team::Away, side, line) => {
                return Some(settle_total(side, line, away));
            }
            Outcome::Asian(Team::Home, line) => {
                return Some(by_quarters(line.0 as i32 + 4 * margin));
            }
            Outcome::Asian(Team::Away, line) => {
                return Some(by_quarters(line.0 as i32 - 4 * margin));
            }
            Outcome::European(of, given) => Winner::by(margin + given as i32) as u8 == of as u8,
            Outcome::Score(of) => home == of.home as i32 && away == of.away as i32,
            Outcome::OtherScore(of) => {
                let most = Outcome::SCORE_MAX as i32;
                !(home <= most && away <= most) && winner as u8 == of as u8
            }
            Outcome::Margin(of) => margin == of as i32,
            Outcome::MarginFrom(from @ ..0) => margin <= from as i32,
            Outcome::MarginFrom(from) => from as i32 <= margin,
            Outcome::ToNil(Team::Home, yes) => (0 < home && away == 0) == yes,
            Outcome::ToNil(Team::Away, yes) => (0 < away && home == 0) == yes,
            Outcome::CleanSheet(Team::Home, yes) => (away == 0) == yes,
            Outcome::CleanSheet(Team::Away, yes) => (home == 0) == yes,
            Outcome::Goals(of) => total == of as i32,
            Outcome::GoalsFrom(from) => from as i32 <= total,
            Outcome::TeamGoals(Team::Home, of) => home == of as i32,
            Outcome::TeamGoals(Team::Away, of) => away == of as i32,
            Outcome::TeamGoalsFrom(Team::Home, from) => from as i32 <= home,
            Outcome::TeamGoalsFrom(Team::Away, from) => from as i32 <= away,
            Outcome::ResultAndBothScore(of, yes) => winner as u8 == of as u8 && both == yes,
            Outcome::ResultAndTotal(of, side, line) => {
                if winner as u8 == of as u8 {
                    return Some(settle_total(side, line, total));
                }
                false
            }
            Outcome::NextGoal(_) => return None,
        };
        Some(if happened { LegOutcome::Won } else { LegOutcome::Lost })
    }
}

const fn settle_total(side: Side, line: Line, goals: i32) -> LegOutcome {
    let over = 4 * goals - line.0 as i32;
    by_quarters(match side {
        Side::Over => over,
        Side::Under => -over,
    })
}

/// By how many quarter goals a bet is ahead of its line.
const fn by_quarters(ahead: i32) -> LegOutcome {
    match ahead {
        2.. => LegOutcome::Won,
        1 => LegOutcome::HalfWon,
        0 => LegOutcome::Void,
        -1 => LegOutcome::HalfLost,
        _ => LegOutcome::Lost,
    }
}

/// The table of [`Outcome::ALL`] in code.
const fn list() -> [Outcome; OUTCOMES] {
    use Outcome::*;
    use Side::{Over, Under};

    let mut list = [Even; OUTCOMES];
    let mut at = 0;
    macro_rules! push {
        ($($outcome:expr),+ $(,)?) => {$(
            list[at] = $outcome;
            at += 1;
        )+};
    }
    const HOME: Winner = Winner::Home;
    const DRAW: Winner = Winner::Draw;
    const AWAY: Winner = Winner::Away;

    push!(Result(HOME), Result(DRAW), Result(AWAY));
    push!(Not(AWAY), Not(DRAW), Not(HOME));
    push!(DrawNoBet(Team::Home), DrawNoBet(Team::Away));
    push!(BothScore(true), BothScore(false));
    push!(Odd, Even);
    let mut line = Outcome::TOTALS[0];
    while line <= Outcome::TOTALS[1] {
        push!(Total(Over, Line(line)), Total(Under, Line(line)));
        line += 1;
    }
    let mut side = 0;
    while side < 2 {
        let mut goals = Outcome::TEAM_TOTALS[0];
        while goals <= Outcome::TEAM_TOTALS[1] {
            let line = Line(4 * goals + 2);
            push!(
                TeamTotal(Team::BOTH[side], Over, line),
                TeamTotal(Team::BOTH[side], Under, line)
            );
            goals += 1;
        }
        side += 1;
    }
    let mut line = Outcome::ASIANS[0];
    while line <= Outcome::ASIANS[1] {
        push!(Asian(Team::Home, Line(line)), Asian(Team::Away, Line(-line)));
        line += 1;
    }
    let mut given = 0;
    while given < Outcome::EUROPEANS.len() {
        let goals = Outcome::EUROPEANS[given];
        push!(European(HOME, goals), European(DRAW, goals), European(AWAY, goals));
        given += 1;
    }
    let mut home = 0;
    while home <= Outcome::SCORE_MAX {
        let mut away = 0;
        while away <= Outcome::SCORE_MAX {
            push!(Score(self::Score { home, away }));
            away += 1;
        }
        home += 1;
    }
    push!(OtherScore(HOME), OtherScore(DRAW), OtherScore(AWAY));
    push!(MarginFrom(Outcome::MARGIN_FROM));
    let mut margin = Outcome::MARGIN_FROM - 1;
    while -Outcome::MARGIN_FROM < margin {
        push!(Margin(margin));
        margin -= 1;
    }
    push!(MarginFrom(-Outcome::MARGIN_FROM));
    push!(NextGoal(Some(Team::Home)), NextGoal(None), NextGoal(Some(Team::Away)));
    push!(ToNil(Team::Home, true), ToNil(Team::Home, false));
    push!(ToNil(Team::Away, true), ToNil(Team::Away, false));
    push!(CleanSheet(Team::Home, true), CleanSheet(Team::Home, false));
    push!(CleanSheet(Team::Away, true), CleanSheet(Team::Away, false));
    let mut goals = 0;
    while goals < Outcome::GOALS_FROM {
        push!(Goals(goals));
        goals += 1;
    }
    push!(GoalsFrom(Outcome::GOALS_FROM));
    let mut side = 0;
    while side < 2 {
        let mut goals = 0;
        while goals < Outcome::TEAM_GOALS_FROM {
            push!(TeamGoals(Team::BOTH[side], goals));
            goals += 1;
        }
        push!(TeamGoalsFrom(Team::BOTH[side], Outcome::TEAM_GOALS_FROM));
        side += 1;
    }
    let mut yes = true;
    loop {
        push!(ResultAndBothScore(HOME, yes));
        push!(ResultAndBothScore(DRAW, yes));
        push!(ResultAndBothScore(AWAY, yes));
        if !yes {
            break;
        }
        yes = false;
    }
    let line = Outcome::WITH_RESULT;
    push!(ResultAndTotal(HOME, Over, line), ResultAndTotal(DRAW, Over, line));
    push!(ResultAndTotal(AWAY, Over, line), ResultAndTotal(HOME, Under, line));
    push!(ResultAndTotal(DRAW, Under, line), ResultAndTotal(AWAY, Under, line));
    assert!(at == OUTCOMES, "as many outcomes as there are indices");
    list
}
