//! The same bits on every machine and at every level of optimisation.

use betring_pricing::model::{
    racing::{Discount, Race, RaceLeg, fit_discount, fit_race, normal},
    rating::{
        Advantage, Draws, Meeting, davidson, davidson_from, elo_expected, fit_strengths,
        margin_from, margin_over, rao_kupper, rao_kupper_from,
    },
    tennis::{Format, LastSet, Player, Score, Tennis, game, tie_break},
};

/// FNV-1a over the bits of all numbers.
struct Bits(u64);

impl Bits {
    fn add(&mut self, numbers: &[f64]) {
        for number in numbers {
            for byte in number.to_bits().to_le_bytes() {
                self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
}

/// What changes these changes the prices of everybody: it is for the changelog.
#[test]
fn races_tennis_and_ratings_have_the_same_bits_everywhere() {
    let checks = [races(), matches(), ratings()];
    let expected = [0xad8c_d6da_faec_7f47, 0xc21b_0f84_932a_9271, 0x7afd_d628_9585_3e6e];
    assert_eq!(checks, expected, "{checks:#x?}");
}

fn races() -> u64 {
    let mut bits = Bits(0xcbf2_9ce4_8422_2325);
    for runners in [2, 3, 7, 14, 20, 40_i32] {
        // Only arithmetic that is exact or rounded once goes into the inputs.
        let weights: Vec<f64> = (0..runners).map(|at| 1.0 / f64::from(at + 2)).collect();
        let total: f64 = weights.iter().sum();
        let win: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let race = Race::new(&win, Discount::GAMMA).expect("a race");
        let ranks = race.ranks(4).expect("ranks");
        for rank in 1..=4 {
            bits.add(ranks.rank(rank));
        }
        bits.add(&[race.exacta(0, 1).expect("two"), race.quinella(1, 0).expect("two")]);
        let legs = [
            RaceLeg::Top { runner: 0, places: 4 },
            RaceLeg::Beats { winner: 1, loser: 0 },
            RaceLeg::Exact { runner: 1, rank: 2 },
        ];
        for count in 0..=3 {
            bits.add(&[race.multiple(&legs[..count]).expect("legs")]);
        }
        let mut abilities = vec![0.0; win.len()];
        normal::abilities(&win, &mut abilities).expect("abilities");
        bits.add(&abilities);
        bits.add(&[normal::exacta(&abilities, 0, 1).expect("two")]);
        if runners > 3 {
            let mut place: Vec<f64> = (0..win.len()).map(|runner| ranks.top(3, runner)).collect();
            place[0] -= 0.01;
            place[1] += 0.01;
            for fit in [fit_discount(&win, &place, 3), fit_race(&win, &place, 3)] {
                let fit = fit.expect("a fit");
                bits.add(&[fit.strength, fit.residual, f64::from(fit.steps)]);
                bits.add(fit.race.win());
            }
        }
    }
    bits.0
}

fn matches() -> u64 {
    let mut bits = Bits(0xcbf2_9ce4_8422_2325);
    bits.add(&[game(0.63).expect("a serve")]);
    bits.add(&[tie_break([0.63, 0.7], Player::B, 10).expect("a serve")]);
    for last in
        [LastSet::TieBreak, LastSet::LongTieBreak, LastSet::Advantage, LastSet::MatchTieBreak]
    {
        let format = Format::best_of_5(last);
        let tennis = Tennis::new([0.67, 0.61], format).expect("a serve");
        for (sets, games, points) in [([0, 0], [0, 0], [0, 0]), ([1, 2], [4, 5], [2, 3])] {
            let score = Score::new(format, sets, games, points, Player::A).expect("a score");
            bits.add(&[
                tennis.wins(&score).expect("a score"),
                tennis.wins_set(&score).expect("a score"),
                tennis.wins_game(&score).expect("a score"),
                tennis.set_ends(&score, [6, 4]).expect("a score"),
            ]);
            let sets = tennis.set_scores(&score).expect("a score");
            bits.add(&[sets.at(3, 2), sets.at(2, 3), sets.handicap(-3).win]);
            let games = tennis.games(&score).expect("a score");
            for total in 0..=127 {
                bits.add(&[games.total(total)]);
            }
            for by in -18..=18 {
                bits.add(&[games.difference(by)]);
            }
        }
    }
    bits.0
}

fn ratings() -> u64 {
    let mut bits = Bits(0xcbf2_9ce4_8422_2325);
    bits.add(&[elo_expected(1613.0, 1571.0, 65.0).expect("ratings")]);
    bits.add(&[margin_over(3.1, 7.3, -2.5).expect("a margin")]);
    let (expected, scale) = margin_from([(-2.5, 0.61), (4.5, 0.37)]).expect("a margin");
    let (ratio, draw) = davidson_from([0.45, 0.27, 0.28]).expect("three");
    let (by, threshold) = rao_kupper_from([0.45, 0.27, 0.28]).expect("three");
    bits.add(&[expected, scale, ratio, draw, by, threshold]);
    bits.add(&davidson(1.3, 0.9, 0.8).expect("strengths"));
    bits.add(&rao_kupper(1.3, 0.9, 1.7).expect("strengths"));
    let meetings: Vec<Meeting> = (0..6_usize)
        .flat_map(|home| (0..6).map(move |away| (home, away)))
        .filter(|(home, away)| home != away)
        .map(|(home, away)| Meeting {
            home,
            away,
            results: [(3 + away) as f64, 2.0, (2 + home % 4) as f64],
        })
        .collect();
    let (mut strengths, mut work) = ([0.0; 6], [0.0; 12]);
    let fit = fit_strengths(&meetings, Advantage::Home, Draws::Davidson, &mut strengths, &mut work)
        .expect("a fit");
    bits.add(&strengths);
    bits.add(&[fit.advantage, fit.draw, f64::from(fit.rounds)]);
    bits.0
}
