//! Tennis: from a point to the match, from every score.

use std::collections::HashSet;

use betring_pricing::{
    PricingError,
    model::tennis::{Format, LastSet, Next, Player, Score, Tennis, game, tie_break},
};
use proptest::prelude::*;

const LAST_SETS: [LastSet; 4] =
    [LastSet::TieBreak, LastSet::LongTieBreak, LastSet::Advantage, LastSet::MatchTieBreak];

fn formats() -> Vec<Format> {
    LAST_SETS
        .into_iter()
        .flat_map(|last| [Format::one_set(last), Format::best_of_3(last), Format::best_of_5(last)])
        .collect()
}

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-12, "{got} is not {expected}");
}

/// That A wins the next point.
fn next_point(serve: [f64; 2], score: &Score) -> f64 {
    match score.serves_next() {
        Player::A => serve[0],
        Player::B => 1.0 - serve[1],
    }
}

/// Every score that can occur; deuces and games without end only for a few rounds.
fn all_scores(format: Format) -> Vec<Score> {
    let mut seen = HashSet::new();
    let mut open: Vec<Score> =
        [Player::A, Player::B].map(|server| Score::start(format, server)).to_vec();
    let mut all = Vec::new();
    while let Some(score) = open.pop() {
        if !seen.insert(score) {
            continue;
        }
        all.push(score);
        for player in [Player::A, Player::B] {
            match score.after(player) {
                Next::Score(next)
                    if next.points().iter().chain(&next.games()).all(|n| *n <= 12) =>
                {
                    open.push(next);
                }
                Next::Score(_) | Next::Won(_) => (),
            }
        }
    }
    all
}

#[test]
fn a_game_is_what_its_points_make_of_it() {
    for percent in 1..100 {
        let p = f64::from(percent) / 100.0;
        // Point by point; deuce is left to go on for a thousand points.
        let mut at = vec![vec![0.0; 520]; 520];
        at[0][0] = 1.0;
        let mut won = 0.0;
        for points in 0..1_000_usize {
            for i in 0..=points.min(519) {
                let j = points - i;
                if j > 518 || i > 518 || at[i][j] == 0.0 {
                    continue;
                }
                if i >= 4 && i >= j + 2 {
                    won += at[i][j];
                } else if !(j >= 4 && j >= i + 2) {
                    at[i + 1][j] += at[i][j] * p;
                    at[i][j + 1] += at[i][j] * (1.0 - p);
                }
            }
        }
        near(game(p).expect("a serve"), won);
    }
}

#[test]
fn equals_win_as_often_as_they_lose() {
    for p in [0.3, 0.5, 0.62, 0.9] {
        for to in [7, 10] {
            for first in [Player::A, Player::B] {
                near(tie_break([p, p], first, to).expect("a serve"), 0.5);
            }
        }
        for format in formats() {
            let tennis = Tennis::new([p, p], format).expect("a serve");
            for server in [Player::A, Player::B] {
                let start = Score::start(format, server);
                near(tennis.wins(&start).expect("a score"), 0.5);
                near(tennis.wins_set(&start).expect("a score"), 0.5);
                // The first server is a little ahead in games, whoever it is.
                let other = Score::start(format, server.other());
                let [games, other] =
                    [start, other].map(|score| tennis.games(&score).expect("a score"));
                near(games.handicap(0).win, other.handicap(0).lose);
            }
        }
    }
}

#[test]
fn who_serves_first_is_worth_nothing() {
    // Known of matches whose sets are won two ahead or by a tie-break.
    for format in formats() {
        let tennis = Tennis::new([0.68, 0.61], format).expect("a serve");
        let [a, b] = [Player::A, Player::B]
            .map(|server| tennis.wins(&Score::start(format, server)).expect("a score"));
        near(a, b);
    }
}

#[test]
fn the_next_point_is_a_fair_bet_at_every_score() {
    // With the ends of a match this says all: there is one answer that is fair at every score.
    for (serve, formats) in
        [([0.66, 0.58], formats()), ([0.35, 0.93], vec![Format::best_of_3(LastSet::Advantage)])]
    {
        for format in formats {
            let tennis = Tennis::new(serve, format).expect("a serve");
            for score in all_scores(format) {
                let p = next_point(serve, &score);
                let of = |of: &dyn Fn(&Score) -> f64, done: &dyn Fn(&Score, Player) -> bool| {
                    let next = [Player::A, Player::B].map(|player| match score.after(player) {
                        Next::Score(next) if !done(&next, player) => of(&next),
                        Next::Score(_) | Next::Won(_) if player == Player::A => 1.0,
                        Next::Score(_) | Next::Won(_) => 0.0,
                    });
                    near(of(&score), p * next[0] + (1.0 - p) * next[1]);
                };
                of(&|score| tennis.wins(score).expect("a score"), &|_, _| false);
                of(&|score| tennis.wins_set(score).expect("a score"), &|next, _| {
                    next.sets() != score.sets()
                });
                of(&|score| tennis.wins_game(score).expect("a score"), &|next, _| {
                    next.sets() != score.sets() || next.games() != score.games()
                });
            }
        }
    }
}

#[test]
fn games_and_sets_are_a_fair_bet_too() {
    for format in [Format::best_of_3(LastSet::TieBreak), Format::best_of_3(LastSet::MatchTieBreak)]
    {
        let serve = [0.66, 0.58];
        let tennis = Tennis::new(serve, format).expect("a serve");
        for score in all_scores(format).into_iter().step_by(7) {
            let p = next_point(serve, &score);
            let (Next::Score(won), Next::Score(lost)) =
                (score.after(Player::A), score.after(Player::B))
            else {
                continue;
            };
            let [now, won_sets, lost_sets] =
                [score, won, lost].map(|score| tennis.set_scores(&score).expect("a score"));
            for (a, b) in [(2, 0), (2, 1), (1, 2), (0, 2)] {
                near(now.at(a, b), p * won_sets.at(a, b) + (1.0 - p) * lost_sets.at(a, b));
            }
            if [won, lost].iter().any(|next| next.sets() != score.sets()) {
                continue;
            }
            let [now, won, lost] =
                [score, won, lost].map(|score| tennis.games(&score).expect("a score"));
            for games in 0..=40 {
                near(now.total(games), p * won.total(games) + (1.0 - p) * lost.total(games));
            }
            for by in -18..=18 {
                near(now.difference(by), p * won.difference(by) + (1.0 - p) * lost.difference(by));
            }
        }
    }
}

#[test]
fn all_markets_of_a_match_agree() {
    for format in formats() {
        let tennis = Tennis::new([0.7, 0.64], format).expect("a serve");
        for score in all_scores(format).into_iter().step_by(211) {
            let wins = tennis.wins(&score).expect("a score");
            let sets = tennis.set_scores(&score).expect("a score");
            near(sets.handicap(0).win, wins);
            near(sets.handicap(0).push, 0.0);
            let all: f64 = (0..=3)
                .flat_map(|a| (0..=3).map(move |b| (a, b)))
                .map(|(a, b)| sets.at(a, b))
                .sum();
            near(all, 1.0);
            let games = tennis.games(&score).expect("a score");
            near((0..=127).map(|total| games.total(total)).sum(), 1.0);
            near((-18..=18).map(|by| games.difference(by)).sum(), 1.0);
            let line = games.total_over(45);
            near(line.win + line.lose, 1.0);
            // Except for games that go on, the ends of the set being played are all in this square.
            let (mut ends, mut won) = (0.0, 0.0);
            for a in 0..=7 {
                for b in 0..=7 {
                    let end = tennis.set_ends(&score, [a, b]).expect("a score");
                    ends += end;
                    won += if b < a { end } else { 0.0 };
                }
            }
            let wins_set = tennis.wins_set(&score).expect("a score");
            if score.format() == Format::best_of_3(LastSet::Advantage) && score.sets() == [1, 1] {
                assert!(ends < 1.0 && won < wins_set, "{score:?}");
            } else if score.sets()[0] + score.sets()[1] + 1 < 2 * format.sets_to_win() - 1 {
                near(ends, 1.0);
                near(won, wins_set);
            }
        }
    }
}

#[test]
fn a_set_without_tie_break_ends_two_games_ahead() {
    let format = Format::one_set(LastSet::Advantage);
    let tennis = Tennis::new([0.65, 0.6], format).expect("a serve");
    let start = Score::start(format, Player::A);
    let ends = |score: &Score, games| tennis.set_ends(score, games).expect("a score");
    let [a, b] = [0.65, 0.6].map(|p| game(p).expect("a serve"));
    // Both hold or both are broken, and it goes on.
    let again = a * b + (1.0 - a) * (1.0 - b);
    near(ends(&start, [9, 7]), again * ends(&start, [8, 6]));
    assert_eq!(ends(&start, [7, 6]), 0.0);
    // At 30-30 in games it is as at 5-5.
    let [late, early] = [[30, 30], [5, 5]]
        .map(|games| Score::new(format, [0, 0], games, [1, 2], Player::B).expect("a score"));
    near(ends(&late, [32, 30]), ends(&early, [7, 5]));
    near(ends(&late, [31, 33]), ends(&early, [6, 8]));
    let wins = [late, early].map(|score| tennis.wins(&score).expect("a score"));
    assert_eq!(wins[0], wins[1]);
    let games = tennis.games(&late).expect("a score");
    near(games.total(62), ends(&early, [7, 5]) + ends(&early, [5, 7]));
}

#[test]
fn what_cannot_be_a_score_is_refused() {
    let format = Format::best_of_3(LastSet::Advantage);
    let score = |sets, games, points| {
        Score::new(format, sets, games, points, Player::A).map(|_| ()).map_err(PricingError::name)
    };
    let named = |sets, games, points| match Score::new(format, sets, games, points, Player::A) {
        Err(PricingError::ParameterOutOfRange { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    // Won already.
    assert_eq!(named([2, 0], [0, 0], [0, 0]), "sets");
    assert_eq!(named([0, 0], [6, 4], [0, 0]), "games");
    assert_eq!(named([0, 0], [7, 6], [0, 0]), "games");
    assert_eq!(named([0, 0], [0, 0], [4, 2]), "points");
    assert_eq!(named([0, 0], [6, 6], [7, 5]), "points");
    // Never was.
    assert_eq!(named([0, 0], [7, 7], [0, 0]), "games");
    assert_eq!(named([1, 1], [8, 5], [0, 0]), "games");
    assert_eq!(named([0, 0], [3, 3], [5, 2]), "points");
    assert_eq!(named([0, 0], [3, 3], [255, 255]), "points");
    // 7-6 in a last set without tie-break goes on, and so does 9-8 in a tie-break.
    assert_eq!(score([1, 1], [7, 6], [0, 0]), Ok(()));
    assert_eq!(score([1, 0], [6, 6], [9, 8]), Ok(()));
    // Another format is another match.
    let tennis = Tennis::new([0.6, 0.6], format).expect("a serve");
    let other = Score::start(Format::best_of_5(LastSet::Advantage), Player::A);
    assert_eq!(
        tennis.wins(&other),
        Err(PricingError::ParameterOutOfRange {
            name: "score",
            allowed: "one of the format of the match"
        })
    );
    let serve = PricingError::ParameterOutOfRange { name: "serve", allowed: "0.001 to 0.999" };
    assert_eq!(Tennis::new([0.6, 1.0], format).map(|_| ()), Err(serve));
    assert_eq!(game(f64::NAN), Err(serve));
    assert_eq!(
        tie_break([0.6, 0.6], Player::A, 8),
        Err(PricingError::ParameterOutOfRange { name: "to", allowed: "7 or 10" })
    );
}

#[test]
fn a_score_is_kept_point_by_point() {
    let format = Format::best_of_3(LastSet::MatchTieBreak);
    let mut score = Score::start(format, Player::A);
    let play = |score: &mut Score, player, points| {
        for _ in 0..points {
            match score.after(player) {
                Next::Score(next) => *score = next,
                Next::Won(_) => panic!("not yet"),
            }
        }
    };
    // Four games to love each change the server; the sixth game is the set.
    play(&mut score, Player::A, 23);
    assert_eq!((score.games(), score.points(), score.server()), ([5, 0], [3, 0], Player::B));
    play(&mut score, Player::A, 1);
    assert_eq!((score.sets(), score.games(), score.server()), ([1, 0], [0, 0], Player::A));
    play(&mut score, Player::B, 24);
    // One tie-break instead of the third set.
    assert_eq!((score.sets(), score.games()), ([1, 1], [0, 0]));
    play(&mut score, Player::B, 9);
    assert_eq!(score.points(), [0, 9]);
    assert_eq!(score.after(Player::B), Next::Won(Player::B));
    // First one point, then two each.
    let servers: Vec<Player> = (0..7)
        .map(|points| {
            let score = Score::new(format, [1, 1], [0, 0], [points, 0], Player::A);
            score.expect("a score").serves_next()
        })
        .collect();
    use Player::{A, B};
    assert_eq!(servers, [A, B, B, A, A, B, B]);
    // However long it lasts.
    let mut score = Score::new(format, [0, 0], [3, 3], [199, 199], Player::A).expect("a score");
    for _ in 0..500 {
        for player in [A, B] {
            play(&mut score, player, 1);
            let again =
                Score::new(format, score.sets(), score.games(), score.points(), score.server());
            assert_eq!(again, Ok(score));
        }
    }
}

fn last() -> impl Strategy<Value = Format> {
    prop::sample::select(formats())
}

fn player() -> impl Strategy<Value = Player> {
    prop::sample::select(vec![Player::A, Player::B])
}

fn serve() -> impl Strategy<Value = f64> {
    prop_oneof![0.3..0.95_f64, Just(0.001), Just(0.999), 0.001..0.999_f64]
}

proptest! {
    #[test]
    fn no_score_and_no_float_makes_a_match_panic_or_say_nan(
        format in last(),
        serves in prop::array::uniform2(any::<u64>().prop_map(f64::from_bits)),
        fine in prop::array::uniform2(serve()),
        sets in prop::array::uniform2(0..4_u8),
        games in prop::array::uniform2(prop_oneof![0..9_u8, any::<u8>()]),
        points in prop::array::uniform2(prop_oneof![0..12_u8, any::<u8>()]),
        server in player(),
    ) {
        for serve in [serves, fine, [fine[0], serves[1]]] {
            let Ok(tennis) = Tennis::new(serve, format) else { continue };
            let Ok(score) = Score::new(format, sets, games, points, server) else { continue };
            let sets = tennis.set_scores(&score).expect("a score");
            let games = tennis.games(&score).expect("a score");
            for got in [
                tennis.wins(&score).expect("a score"),
                tennis.wins_set(&score).expect("a score"),
                tennis.wins_game(&score).expect("a score"),
                sets.handicap(0).win,
                games.handicap(-3).win,
                games.total_over(45).win,
            ] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&got), "{got}");
            }
            let _ = [score.after(Player::A), score.after(Player::B)];
        }
    }

    #[test]
    fn a_better_serve_wins_more_from_every_score(
        format in last(),
        serves in prop::array::uniform2(0.3..0.9_f64),
        better in 0.0001..0.05_f64,
        points in prop::collection::vec(player(), 0..150),
        server in player(),
    ) {
        let mut score = Score::start(format, server);
        for point in points {
            match score.after(point) {
                Next::Score(next) => score = next,
                Next::Won(_) => break,
            }
        }
        let wins = |serve| Tennis::new(serve, format).and_then(|tennis| tennis.wins(&score));
        let before = wins(serves).expect("a score");
        let after = wins([serves[0] + better, serves[1]]).expect("a score");
        prop_assert!(before <= after + 1e-14, "{before} {after}");
        let against = wins([serves[0], serves[1] + better]).expect("a score");
        prop_assert!(against <= before + 1e-14, "{before} {against}");
    }

    #[test]
    fn both_players_see_the_same_match(
        format in last(),
        serves in prop::array::uniform2(0.3..0.9_f64),
        points in prop::collection::vec(player(), 0..100),
    ) {
        let (mut score, mut other) =
            (Score::start(format, Player::A), Score::start(format, Player::B));
        for point in points {
            match (score.after(point), other.after(point.other())) {
                (Next::Score(next), Next::Score(mirrored)) => (score, other) = (next, mirrored),
                (one, two) => {
                    let both_won = matches!((one, two), (Next::Won(_), Next::Won(_)));
                    prop_assert!(both_won);
                    break;
                }
            }
        }
        let here = Tennis::new(serves, format).and_then(|tennis| tennis.wins(&score));
        let there = Tennis::new([serves[1], serves[0]], format).and_then(|tennis| tennis.wins(&other));
        near(here.expect("a score"), 1.0 - there.expect("a score"));
    }
}
