//! What people call the outcomes and markets of a football match.

use std::{fmt, str::FromStr};

use super::outcome::{Line, Market, Outcome, Score, Team, Winner};
use crate::decimal;

impl fmt::Display for Line {
    /// In goals: 2.5, 2.25, -1, 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.quarters() < 0 { "-" } else { "" };
        let quarters = self.quarters().unsigned_abs();
        let part = ["", ".25", ".5", ".75"][usize::from(quarters % 4)];
        write!(f, "{sign}{}{part}", quarters / 4)
    }
}

impl FromStr for Line {
    type Err = ParseLineError;

    /// Reads goals as they are displayed, with a plus and with more noughts too: 2.5, -0.25, +1.50.
    fn from_str(text: &str) -> Result<Line, ParseLineError> {
        let unsigned = text.strip_prefix('+');
        let decimal = decimal::parse(unsigned.unwrap_or(text).as_bytes(), 2);
        let decimal = decimal.map_err(|_| ParseLineError)?;
        if decimal.magnitude % 25 != 0 || (unsigned.is_some() && decimal.negative) {
            return Err(ParseLineError);
        }
        let quarters = i8::try_from(decimal.magnitude / 25).map_err(|_| ParseLineError)?;
        Ok(Line::from_quarters(if decimal.negative { -quarters } else { quarters }))
    }
}

/// A text that is no line in quarter goals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseLineError;

impl fmt::Display for ParseLineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a line: write goals in quarters from -31.75 to 31.75, like 2.5 or -0.25")
    }
}

impl std::error::Error for ParseLineError {}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({self})")
    }
}

impl fmt::Display for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Team::Home => "home",
            Team::Away => "away",
        })
    }
}

impl fmt::Display for Winner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Winner::Home => "home",
            Winner::Draw => "draw",
            Winner::Away => "away",
        })
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.home, self.away)
    }
}

/// A handicap with its sign, as it is written beside a side: -0.25, +1.5, 0.
struct Given(Line);

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = if 0 < self.0.quarters() { "+" } else { "" };
        write!(f, "{plus}{}", self.0)
    }
}

impl fmt::Display for Outcome {
    /// As people call it: "over 2.5", "home -0.25", "2-1".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unless = |yes: bool| if yes { "" } else { "not " };
        match *self {
            Outcome::Result(winner) => write!(f, "{winner}"),
            Outcome::Not(Winner::Away) => f.write_str("home or draw"),
            Outcome::Not(Winner::Draw) => f.write_str("home or away"),
            Outcome::Not(Winner::Home) => f.write_str("draw or away"),
            Outcome::DrawNoBet(team) => write!(f, "{team}, draw no bet"),
            Outcome::BothScore(yes) => write!(f, "{}both score", unless(yes)),
            Outcome::Odd => f.write_str("odd goals"),
            Outcome::Even => f.write_str("even goals"),
            Outcome::Total(side, line) => write!(f, "{side} {line}"),
            Outcome::TeamTotal(team, side, line) => write!(f, "{team} {side} {line}"),
            Outcome::Asian(team, line) => write!(f, "{team} {}", Given(line)),
            Outcome::European(winner, given) => write!(f, "{winner}, home given {given:+}"),
            Outcome::Score(score) => write!(f, "{score}"),
            Outcome::OtherScore(winner) => write!(f, "any other {winner}"),
            Outcome::Margin(0) => f.write_str("margin draw"),
            Outcome::Margin(goals @ ..0) => write!(f, "away by {}", goals.unsigned_abs()),
            Outcome::Margin(goals) => write!(f, "home by {goals}"),
            Outcome::MarginFrom(goals @ ..0) => {
                write!(f, "away by {} or more", goals.unsigned_abs())
            }
            Outcome::MarginFrom(goals) => write!(f, "home by {goals} or more"),
            Outcome::NextGoal(Some(team)) => write!(f, "next goal {team}"),
            Outcome::NextGoal(None) => f.write_str("no more goals"),
            Outcome::ToNil(team, yes) => write!(f, "{}{team} to nil", unless(yes)),
            Outcome::CleanSheet(team, yes) => write!(f, "{}clean sheet {team}", unless(yes)),
            Outcome::Goals(1) => f.write_str("1 goal"),
            Outcome::Goals(goals) => write!(f, "{goals} goals"),
            Outcome::GoalsFrom(goals) => write!(f, "{goals} goals or more"),
            Outcome::TeamGoals(team, 1) => write!(f, "{team} 1 goal"),
            Outcome::TeamGoals(team, goals) => write!(f, "{team} {goals} goals"),
            Outcome::TeamGoalsFrom(team, goals) => write!(f, "{team} {goals} goals or more"),
            Outcome::ResultAndBothScore(winner, yes) => {
                write!(f, "{winner} and {}both score", unless(yes))
            }
            Outcome::ResultAndTotal(winner, side, line) => write!(f, "{winner} and {side} {line}"),
        }
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Market::Result => f.write_str("result"),
            Market::DoubleChance => f.write_str("double chance"),
            Market::DrawNoBet => f.write_str("draw no bet"),
            Market::BothScore => f.write_str("both score"),
            Market::OddEven => f.write_str("odd or even"),
            Market::Total(line) => write!(f, "total {line}"),
            Market::TeamTotal(team, line) => write!(f, "{team} total {line}"),
            Market::Asian(line) => write!(f, "asian handicap {}", Given(line)),
            Market::European(given) => write!(f, "european handicap {given:+}"),
            Market::CorrectScore => f.write_str("correct score"),
            Market::WinningMargin => f.write_str("winning margin"),
            Market::NextGoal => f.write_str("next goal"),
            Market::ToNil(team) => write!(f, "{team} to nil"),
            Market::CleanSheet(team) => write!(f, "clean sheet {team}"),
            Market::Goals => f.write_str("goals"),
            Market::TeamGoals(team) => write!(f, "goals of {team}"),
            Market::ResultAndBothScore => f.write_str("result and both score"),
            Market::ResultAndTotal(line) => write!(f, "result and total {line}"),
        }
    }
}
