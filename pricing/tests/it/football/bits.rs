//! The same bits everywhere.

use betring_pricing::{
    derive::football::{Fair, Margins, Outcome, Prices, Score, Winner},
    model::football::{
        Clock, GoalModel, ScoreGrid,
        fit::{self, AtMost},
    },
};

use super::{fair_of, under};

/// FNV-1a over the bytes of 64 bits at a time.
fn fnv(hash: u64, bits: u64) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bits.to_le_bytes().into_iter().fold(hash, mix)
}

#[test]
fn the_same_bits_come_out_at_every_optimisation_level_and_on_every_machine() {
    let (mut probabilities, mut prices, mut fits) = (FNV, FNV, FNV);
    for step in 0..40_u8 {
        let at = f64::from(step);
        let (home, away, rho) = (0.3 + 0.07 * at, 2.6 - 0.055 * at, 0.04 - 0.004 * at);
        let dixon_coles = GoalModel::dixon_coles(home, away, rho).unwrap();
        let bivariate = GoalModel::bivariate(home, away, 0.02 * at).unwrap();
        for model in [dixon_coles, bivariate] {
            let left = model.remaining(Clock::new(100 * u32::from(step), 5_700));
            let grid = ScoreGrid::new(&left);
            let fair = Fair::of(&grid, Score::new(step % 3, step % 2));
            for probability in fair.probabilities() {
                probabilities = fnv(probabilities, probability.to_bits());
            }
            for (_, price) in Prices::of(&fair, &Margins::uniform(0.05).unwrap()).iter() {
                prices = fnv(prices, price.map_or(0, |price| u64::from(price.e4())));
            }
            fits = fnv(fits, model.lost_mass().to_bits());
        }
        let fair = fair_of(dixon_coles);
        let p = |outcome| fair.probability(outcome).unwrap();
        let result = Winner::ALL.map(|winner| p(Outcome::Result(winner)));
        let total = AtMost { goals: 2, probability: p(under(10)) };
        let two = fit::from_result(result, rho, None).unwrap();
        let three = fit::from_result_and_total(result, total, None).unwrap();
        for fit in [two, three] {
            for float in [fit.model.home_mean(), fit.model.away_mean(), fit.model.rho()] {
                fits = fnv(fits, float.to_bits());
            }
        }
        fits = fnv(fits, fit::total_mean(total).unwrap().to_bits());
    }
    assert_eq!(probabilities, 0xf820_2982_5490_8fce, "{probabilities:#x}");
    assert_eq!(prices, 0x85f2_4b5b_b3c8_9875, "{prices:#x}");
    assert_eq!(fits, 0xaf40_ed8b_27c8_061f, "{fits:#x}");
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;
