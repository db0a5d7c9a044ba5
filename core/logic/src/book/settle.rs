//! What an account's bets on an exchange market come to: exact over all selections, rounded once.
//!
//! A selection that wins pays what was backed at its odds and takes the stakes; in a dead heat a part of the stake has
//! won and the rest has lost. Everything is counted in ten-thousandths of a minor unit until the end, for the whole
//! market: so the sum over all accounts is nought, and what is rounded off stays with the house, never more than a
//! unit an account. Commission is on the net winnings of a market, never across markets. (Rules: BETDAQ and Betfair,
//! as their help pages have them.)

use super::{E4, Side, Stand};
use betring_pricing::RoundingMode;

/// What became of a selection. Shares are parts of a whole that the result names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Bets on it are off.
    Void,
    /// So many parts of it have won: none, all, or in a dead heat some.
    Won(u32),
}

/// An account's net winnings of a market in minor units, below 0 if it lost, rounded down once. `whole` is how many
/// parts a selection that has won alone has.
///
/// # Panics
/// If `whole` is 0, or there are not as many outcomes as selections.
pub fn net(stands: &[Stand], outcomes: &[Outcome], whole: u32) -> i64 {
    let net = exact(stands, outcomes, whole).div_euclid(E4 * i128::from(whole));
    i64::try_from(net).expect("what is matched in a market fits")
}

/// The same not rounded, in ten-thousandths of a minor unit and parts of the whole.
///
/// # Panics
/// As [`net`].
pub fn exact(stands: &[Stand], outcomes: &[Outcome], whole: u32) -> i128 {
    assert!(whole != 0 && stands.len() == outcomes.len(), "a result is of every selection");
    let whole = i128::from(whole);
    let one = |(stand, outcome): (&Stand, &Outcome)| match outcome {
        Outcome::Void => 0,
        Outcome::Won(parts) => {
            let won = i128::from(*parts);
            stand.win_e4 * won + stand.lose_e4 * (whole - won)
        }
    };
    stands.iter().zip(outcomes).map(one).sum()
}

/// [`betring_pricing::reduced`], its parts rounded down for who backs and up for who lays.
///
/// # Panics
/// If the factor is more than the whole.
pub fn reduced(side: Side, stake: i64, returns_e4: i128, factor: u32) -> i128 {
    let mode = match side {
        Side::Back => RoundingMode::Down,
        Side::Lay => RoundingMode::Up,
    };
    betring_pricing::reduced(stake, returns_e4, factor, mode)
}

/// Whether a stake is fair at these odds: what it wins in whole minor units is not more than a fifth below what it
/// should win, and not more than a quarter above. (Rule: Betfair's error INVALID_PROFIT_RATIO.)
pub fn profit_is_fair(stake: i64, odds_e4: u32) -> bool {
    let exact = i128::from(stake) * (i128::from(odds_e4) - E4);
    let whole = (exact + E4 / 2).div_euclid(E4) * E4;
    4 * exact <= 5 * whole && 4 * whole <= 5 * exact
}

/// What a lay that is left would risk at the starting price: its liability stays what it was, in minor units, rounded
/// down; nothing if that is below the least.
pub fn lay_at_starting_price(left: i64, odds_e4: u32, least: i64) -> Option<i64> {
    let liability = i128::from(left) * (i128::from(odds_e4) - E4) / E4;
    i64::try_from(liability).ok().filter(|liability| least <= *liability)
}

#[cfg(test)]
mod tests {
    use super::super::exposure;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_dead_heat_pays_half_and_takes_half() {
        // 2.00 laid at 2.28, two winners instead of one: 1.00 loses 1.28 and 1.00 wins 1.00.
        let mut stands = [Stand::default(); 3];
        stands[0].matched(Side::Lay, 200, 22_800);
        let result = [Outcome::Won(1), Outcome::Won(1), Outcome::Won(0)];
        assert_eq!(net(&stands, &result, 2), -28);
    }

    #[test]
    fn a_withdrawal_cuts_the_odds_to_1_01_at_least() {
        // 10.00 at 8.0 less 25 % are 6.0; at 1.20 less 30 % they would be 0.84.
        assert_eq!(reduced(Side::Back, 1_000, 1_000 * 80_000, 2_500), 1_000 * 60_000);
        assert_eq!(reduced(Side::Back, 1_000, 1_000 * 12_000, 3_000), 1_000 * 10_100);
        // On a ladder of an operator's own: nobody gets more than before.
        assert_eq!(reduced(Side::Lay, 1_000, 1_000 * 10_010, 1_000), 1_000 * 10_010);
        // 0.01 at 1.0101 less 0.01 %: a part of a ten-thousandth goes to neither.
        let [back, lay] = [Side::Back, Side::Lay].map(|side| reduced(side, 1, 20_001, 1));
        assert_eq!((back, lay), (19_998, 19_999));
    }

    #[test]
    fn thirteen_pence_at_1_06_win_a_penny_and_should_win_less() {
        assert!(!profit_is_fair(13, 10_600) && !profit_is_fair(1, 17_000));
        assert!(profit_is_fair(200, 10_600) && profit_is_fair(1, 30_000));
    }

    #[test]
    fn what_is_left_of_a_lay_lapses_below_the_least_liability() {
        assert_eq!(lay_at_starting_price(1_000, 15_000, 1_000), None);
        assert_eq!(lay_at_starting_price(1_000, 25_000, 1_000), Some(1_500));
    }

    proptest! {
        /// Accounts that bet against each other: nothing is lost but what is rounded off.
        #[test]
        fn a_market_is_settled_to_nought(
            bets in prop::collection::vec(
                (0_usize..6, 0_usize..6, 0_usize..5, 1_i64..500_000, 10_100_u32..10_000_000), 1..80),
            winners in prop::collection::vec(0_u32..=6, 5),
            void in prop::option::of(0_usize..5),
        ) {
            let mut accounts = vec![[Stand::default(); 5]; 6];
            for (backer, layer, selection, stake, odds) in bets {
                accounts[backer][selection].matched(Side::Back, stake, odds);
                accounts[layer][selection].matched(Side::Lay, stake, odds);
            }
            let mut outcomes: Vec<Outcome> = winners.into_iter().map(Outcome::Won).collect();
            if let Some(void) = void {
                outcomes[void] = Outcome::Void;
            }
            let sum: i128 = accounts.iter().map(|stands| exact(stands, &outcomes, 6)).sum();
            prop_assert_eq!(sum, 0);
            let paid: i64 = accounts.iter().map(|stands| net(stands, &outcomes, 6)).sum();
            prop_assert!((-6..=0).contains(&paid), "{paid} with six accounts");
        }

        /// Nobody loses more than what was held for it.
        #[test]
        fn no_result_costs_more_than_the_exposure(
            bets in prop::collection::vec(
                (any::<bool>(), 0_usize..5, 1_i64..500_000, 10_100_u32..10_000_000), 1..40),
            winner in 0_usize..5,
            other in 0_usize..5,
        ) {
            let mut stands = [Stand::default(); 5];
            for (back, selection, stake, odds) in bets {
                let side = if back { Side::Back } else { Side::Lay };
                stands[selection].matched(side, stake, odds);
            }
            // One winner, or two that share.
            let mut outcomes = [Outcome::Won(0); 5];
            outcomes[winner] = Outcome::Won(if winner == other { 2 } else { 1 });
            if winner != other {
                outcomes[other] = Outcome::Won(1);
            }
            let net = net(&stands, &outcomes, 2);
            prop_assert!(-exposure(&stands, 1) <= i128::from(net), "{net}");
        }
    }
}
