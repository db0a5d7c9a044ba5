//! An operator's own rules: they may refuse or reduce, each at its gate, and nothing else.

use betring_core::script::{self, Report};
use betring_core::{BetFacts, Rules, Ruling};
use betring_pricing::Stake;

/// Refuses at a gate when the stake's pennies name it; reduces for synthetic bets.
#[derive(Clone)]
struct ByPennies;

fn ruling(bet: &BetFacts, gate: i64) -> Ruling {
    let pennies = bet.stake.minor() % 100;
    if pennies == gate {
        return Ruling::Refuse(100 + gate as u32);
    }
    if pennies == gate + 50 {
        return Ruling::Reduce(Stake::from_minor(gate * 100).expect("a few pounds"));
    }
    Ruling::Pass
}

impl Rules for ByPennies {
    const ID: u64 = 77;
    const VERSION: u32 = 3;

    fn account(&self, bet: &BetFacts) -> Ruling {
        assert!(bet.price.is_none(), "no price is known at this gate");
        ruling(bet, 1)
    }

    fn market(&self, bet: &BetFacts) -> Ruling {
        ruling(bet, 2)
    }

    fn price(&self, bet: &BetFacts) -> Ruling {
        assert!(bet.price.is_some(), "the price is known at this gate");
        ruling(bet, 3)
    }

    fn stake(&self, bet: &BetFacts) -> Ruling {
        ruling(bet, 4)
    }

    fn liability(&self, bet: &BetFacts) -> Ruling {
        ruling(bet, 5)
    }
}

const SCRIPTS: &[&str] = &[
    // Each gate answers in its place among the house's own.
    "
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 1.01 any   -> Policy 101
        place R2 A7 M1 1.02 any   -> Policy 102
        place R3 A7 M1 1.03 any   -> Policy 103
        place R4 A7 M1 1.04 any   -> Policy 104
        place R5 A7 M1 1.05 any   -> Policy 105
        place R6 A7 M1 1.06 any   -> B1
        # The account's rule before the market, the market's before the price, and so on.
        place R7 A7 M9 1.01 any   -> Policy 101
        place R8 A7 M9 1.02 any   -> MarketUnknown
        place R9 A7 M1 1.02 2.60  -> Policy 102
        place R10 A7 M1 1.03 2.60 -> PriceMoved
        place R11 A9 M1 1.01 any  -> AccountUnknown
        limits M1 GBP max 1.00
        place R12 A7 M1 1.04 any  -> Policy 104
        place R13 A7 M1 1.05 any  -> StakeTooLarge
        retry A7 R12              -> duplicate Policy 104
    ",
    // A reduced stake is what the bet has, pays and counts.
    "
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 20.54 any  -> B1 at 2.50 returns 10.00
        balance A7                -> 96.00
        place R2 A7 M1 20.55 any  -> B2 at 2.50 returns 12.50
        balance A7                -> 91.00
        exposure M1 GBP           -> 13.50
        # Never below what the house takes, and never above what was asked for.
        place R3 A7 M1 0.55 any   -> B3 at 2.50 returns 1.37
        limits M1 GBP min 10.00
        place R4 A7 M1 20.54 any  -> StakeTooSmall min 10.00
        place R5 A7 M1 20.55 any  -> StakeTooSmall min 10.00
        result M1 1
        balance A7                -> 114.32
    ",
];

/// The reports of this file's scripts, for those who look at all scripts together.
pub(crate) fn reports() -> Vec<Report> {
    let run = |text: &&str| script::run_with(ByPennies, text);
    SCRIPTS.iter().map(|text| run(text).unwrap_or_else(|failure| panic!("{failure}"))).collect()
}

#[test]
fn rules_refuse_and_reduce_at_their_gates() {
    assert_eq!(reports().len(), SCRIPTS.len());
}
