//! Tennis: from the probability to win a point on serve, to games, sets and the match.
//!
//! Points are independent, and each player wins a point on the own serve with a probability that
//! does not change (Barnett and Clarke 2005, O'Malley 2008). Everything else is counting, and exact: what has
//! no end (deuce, a tie-break at 6-6, a set without tie-break) is a cycle of two with a closed sum.
//!
//! [`Tennis`] knows both serves and the [`Format`] of the match, and answers for every [`Score`] that can
//! occur, 0-0 included. Player A is the one whose probabilities are given.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

mod games;
mod score;
mod sets;

pub use games::{GAMES_MAX, Games, Line};
pub use score::{Format, LastSet, Next, Player, Score};
pub use sets::{SetScores, Tennis};

use crate::PricingError;

/// The least probability to win a point on serve, and 1 minus the greatest. Beyond it games
/// differ from certain by less than floats can tell.
pub const SERVE_MIN: f64 = 0.001;

/// The probability to hold serve, from that of winning a point: `p` from [`SERVE_MIN`] to 1 minus it.
///
/// p⁴(1 + 4q + 10q²) to win to 0, 15 or 30, and 20p³q³ to come to deuce, which is won with
/// p²/(p² + q²).
///
/// # Errors
///
/// [`PricingError::ParameterOutOfRange`] ("serve").
///
/// ```
/// use betring_pricing::model::tennis::game;
///
/// assert_eq!(game(0.75)?, 0.94921875);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn game(p: f64) -> Result<f64, PricingError> {
    check_serve(p)?;
    Ok(hold(p))
}

/// The probability that A wins a tie-break to `to` points (7 or 10), two ahead; `first` serves the
/// first point, then each player serves two.
///
/// # Errors
///
/// [`PricingError::ParameterOutOfRange`] ("serve", or "to" unless 7 or 10).
///
/// ```
/// use betring_pricing::model::tennis::{Player, tie_break};
///
/// assert!((tie_break([0.6, 0.6], Player::A, 7)? - 0.5).abs() < 1e-15);
/// # Ok::<(), betring_pricing::PricingError>(())
/// ```
pub fn tie_break(serve: [f64; 2], first: Player, to: u8) -> Result<f64, PricingError> {
    serve.into_iter().try_for_each(check_serve)?;
    if to != 7 && to != 10 {
        return Err(PricingError::ParameterOutOfRange { name: "to", allowed: "7 or 10" });
    }
    Ok(tie_break_from(serve, first, to, [0, 0]))
}

/// Also refuses what is not a number.
fn check_serve(p: f64) -> Result<(), PricingError> {
    if (SERVE_MIN..=1.0 - SERVE_MIN).contains(&p) {
        Ok(())
    } else {
        Err(PricingError::ParameterOutOfRange { name: "serve", allowed: "0.001 to 0.999" })
    }
}

fn hold(p: f64) -> f64 {
    let q = 1.0 - p;
    let (p2, q2) = (p * p, q * q);
    p2 * p2 * (1.0 + 4.0 * q + 10.0 * q2) + 20.0 * (p2 * p) * (q2 * q) * two_ahead(p, p)
}

/// That somebody is two ahead first who wins one of each two points with p, the other with r.
fn two_ahead(p: f64, r: f64) -> f64 {
    let (won, lost) = (p * r, (1.0 - p) * (1.0 - r));
    won / (won + lost)
}

/// That the server wins the game from these points (the server's, the receiver's), who wins each with p.
fn game_from(p: f64, points: [u8; 2]) -> f64 {
    let deuce = two_ahead(p, p);
    // From 3-3 on only the difference counts.
    let level = points[0].min(points[1]).saturating_sub(3);
    let [won, lost] = points.map(|points| usize::from(points - level));
    // `from[i][j]`, backwards from 4 points; 3-3 is deuce, 4-3 and 3-4 an advantage.
    let mut from = [[0.0; 5]; 5];
    for i in (0..=4).rev() {
        for j in (0..=4).rev() {
            from[i][j] = match (i, j) {
                (3, 3) | (4, 4) => deuce,
                (4, 3) => p + (1.0 - p) * deuce,
                (3, 4) => p * deuce,
                (4, _) => 1.0,
                (_, 4) => 0.0,
                _ => p * from[i + 1][j] + (1.0 - p) * from[i][j + 1],
            };
        }
    }
    from[won][lost]
}

/// Who serves point number `n` (from 0) of a tie-break.
fn serves(first: Player, n: u32) -> Player {
    if matches!(n % 4, 0 | 3) { first } else { first.other() }
}

/// That A wins a tie-break from these points.
fn tie_break_from(serve: [f64; 2], first: Player, to: u8, points: [u8; 2]) -> f64 {
    // A wins a point by number.
    let wins = |n: usize| match serves(first, n as u32) {
        Player::A => serve[0],
        Player::B => 1.0 - serve[1],
    };
    let level = two_ahead(serve[0], 1.0 - serve[1]);
    let [a, b] = points.map(usize::from);
    let last = usize::from(to) - 1;
    if last <= a.min(b) {
        // Level or one ahead: two points more, one served by each, decide or lead back.
        let p = wins(a + b);
        return match (a, b) {
            _ if a == b => level,
            _ if b < a => p + (1.0 - p) * level,
            _ => p * level,
        };
    }
    let mut from = [[0.0; TIE_BREAK_MAX + 1]; TIE_BREAK_MAX + 1];
    for i in (a..=last + 1).rev() {
        for j in (b..=last + 1).rev() {
            from[i][j] = if i == j && last <= i {
                level
            } else if last < i {
                1.0
            } else if last < j {
                0.0
            } else {
                let p = wins(i + j);
                p * from[i + 1][j] + (1.0 - p) * from[i][j + 1]
            };
        }
    }
    from[a][b]
}

/// The longest tie-break, in points to win it.
const TIE_BREAK_MAX: usize = 10;
