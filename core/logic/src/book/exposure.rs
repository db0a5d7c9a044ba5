//! What an account can lose on a market at worst, matched and unmatched, over every outcome.
//!
//! Of selection s: `win` is the matched profit if it wins, `lose` that if it does not. With exactly k winners W the
//! profit is Σ lose + Σ over W (win − lose), so the worst outcome is Σ lose plus the k smallest differences. What is
//! not matched counts where it hurts: backs on s if s does not win, lays if it does. An order is judged by what it
//! changes, so one that lowers the risk always passes.

use super::{E4, Side};

/// Winners of a market that are counted: the places of a race.
pub const WINNERS_MAX: usize = 64;

/// What an account has on one selection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// Matched profit if it wins, in ten-thousandths of a minor unit.
    pub win_e4: i128,
    /// Matched profit if it does not win, in ten-thousandths of a minor unit.
    pub lose_e4: i128,
    /// Stakes of backs that wait, in ten-thousandths of a minor unit.
    pub backs_e4: i128,
    /// Liabilities of lays that wait, stake × (odds − 1), in ten-thousandths of a minor unit.
    pub lays_e4: i128,
}

impl Stand {
    /// An order waits, or so much more of it. Below 0: less.
    #[inline]
    pub fn waits(&mut self, side: Side, stake: i64, odds_e4: u32) {
        let stake = i128::from(stake);
        match side {
            Side::Back => self.backs_e4 += stake * E4,
            Side::Lay => self.lays_e4 += stake * (i128::from(odds_e4) - E4),
        }
    }

    /// So much is at risk at a starting price: a back's stake, or a lay's liability. Below 0: so much less.
    #[inline]
    pub fn risks(&mut self, side: Side, amount: i64) {
        let amount = i128::from(amount) * E4;
        match side {
            Side::Back => self.backs_e4 += amount,
            Side::Lay => self.lays_e4 += amount,
        }
    }

    /// A bet that wins returns so much more, in ten-thousandths of a minor unit; below 0 less.
    #[inline]
    pub fn returns(&mut self, side: Side, more_e4: i128) {
        match side {
            Side::Back => self.win_e4 += more_e4,
            Side::Lay => self.win_e4 -= more_e4,
        }
    }

    /// So much was matched.
    #[inline]
    pub fn matched(&mut self, side: Side, stake: i64, odds_e4: u32) {
        let stake = i128::from(stake);
        let profit = stake * (i128::from(odds_e4) - E4);
        match side {
            Side::Back => {
                self.win_e4 += profit;
                self.lose_e4 -= stake * E4;
            }
            Side::Lay => {
                self.win_e4 -= profit;
                self.lose_e4 += stake * E4;
            }
        }
    }

    fn loses(&self) -> i128 {
        self.lose_e4 - self.backs_e4
    }

    fn wins(&self) -> i128 {
        self.win_e4 - self.lays_e4
    }
}

/// What can be lost at worst with exactly `winners` of these, in whole minor units, rounded up; 0 if nothing can.
/// Where the field is open, one more of them is the empty one; one that does not run any more is left out.
///
/// # Panics
/// If there are more winners than [`WINNERS_MAX`]; a market has no more.
pub fn exposure<'a>(stands: impl IntoIterator<Item = &'a Stand>, winners: usize) -> i128 {
    assert!(winners <= WINNERS_MAX, "a market has at most {WINNERS_MAX} winners");
    // Most markets have one winner, or the places of a race: room for 64 would be most of the work.
    match winners {
        0 | 1 => worst::<1>(stands, winners),
        2..=8 => worst::<8>(stands, winners),
        _ => worst::<WINNERS_MAX>(stands, winners),
    }
}

fn worst<'a, const MOST: usize>(
    stands: impl IntoIterator<Item = &'a Stand>,
    winners: usize,
) -> i128 {
    let (mut worst, mut count) = (0, 0);
    // The smallest differences so far, in order.
    let mut smallest = [i128::MAX; MOST];
    for stand in stands {
        let loses = stand.loses();
        worst += loses;
        count += 1;
        let mut one = stand.wins() - loses;
        for kept in &mut smallest[..winners] {
            if one < *kept {
                std::mem::swap(kept, &mut one);
            }
        }
    }
    worst += smallest[..winners.min(count)].iter().sum::<i128>();
    loss_of(worst)
}

/// What can be lost at worst with these lines, the lowest first, in whole minor units, rounded up; 0 if nothing can.
///
/// Every line below the result has lost and every other has won: so there is one outcome more than there are lines. A result
/// exactly on a line makes that one void. What was matched there is at even money and takes as much if it loses as it brings
/// if it wins: void, it is the mean of both, and all others are as they are just below and just above. So the worst is never
/// a result on a line.
pub fn exposure_of_lines<'a>(stands: impl IntoIterator<Item = &'a Stand>) -> i128 {
    // All have won; and how much worse it is if so many of the lowest have lost, so far and at worst.
    let (mut all_win, mut worse, mut worst) = (0, 0, 0);
    for stand in stands {
        all_win += stand.wins();
        worse += stand.loses() - stand.wins();
        worst = worse.min(worst);
    }
    loss_of(all_win + worst)
}

/// What is lost in the worst outcome in whole minor units, rounded up.
fn loss_of(worst: i128) -> i128 {
    let loss = (-worst).max(0);
    // As parts of 64 bits where it fits: a division of 128 is slow.
    match u64::try_from(loss) {
        Ok(loss) => i128::from(loss.div_ceil(E4 as u64)),
        Err(_) => loss.div_euclid(E4) + i128::from(loss % E4 != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_back_risks_its_stake_and_a_lay_the_winnings() {
        let mut stands = [Stand::default(); 3];
        stands[0].matched(Side::Back, 1_000, 25_000);
        assert_eq!(exposure(&stands, 1), 1_000);
        stands[0].matched(Side::Lay, 1_000, 20_000);
        // Backed at 2.5 and laid at 2.0: nothing can be lost, and 5.00 won.
        assert_eq!(exposure(&stands, 1), 0);
        stands[1].waits(Side::Lay, 300, 40_000);
        // 5.00 are not there if the second wins.
        assert_eq!(exposure(&stands, 1), 900);
    }

    #[test]
    fn three_lays_in_a_market_of_two_winners_risk_two_of_them() {
        let mut stands = [Stand::default(); 4];
        for stand in &mut stands[..3] {
            stand.matched(Side::Lay, 1_000, 50_000);
        }
        // Two win: 40.00 each, and 10.00 of the third.
        assert_eq!(exposure(&stands, 2), 7_000);
        assert_eq!(exposure(&stands, 1), 2_000);
    }

    #[test]
    fn part_of_a_unit_is_a_whole_one() {
        let mut stand = Stand::default();
        stand.matched(Side::Lay, 1, 10_101);
        assert_eq!(exposure(&[stand, Stand::default()], 1), 1);
    }

    /// Every choice of winners, one after the other.
    fn by_every_outcome(stands: &[Stand], winners: usize) -> i128 {
        let outcomes = (0_u32..1 << stands.len()).filter(|w| w.count_ones() as usize == winners);
        let profit = |outcome: u32| -> i128 {
            let one = |(at, stand): (usize, &Stand)| match outcome >> at & 1 {
                1 => stand.win_e4 - stand.lays_e4,
                _ => stand.lose_e4 - stand.backs_e4,
            };
            stands.iter().enumerate().map(one).sum()
        };
        let worst = outcomes.map(profit).min().unwrap_or(0);
        ((-worst).max(0) + 9_999) / 10_000
    }

    #[test]
    fn a_buy_at_one_line_and_a_sell_at_a_higher_one_win_both_between_them() {
        let mut stands = [Stand::default(); 4];
        stands[1].matched(Side::Lay, 1_000, 20_000);
        assert_eq!(exposure_of_lines(&stands), 1_000);
        // Wherever it ends, one of both wins.
        stands[3].matched(Side::Back, 1_000, 20_000);
        assert_eq!(exposure_of_lines(&stands), 0);
        // Between the two lowest the sell there has lost, and the buys have, too, if the one that waits is matched.
        stands[0].matched(Side::Back, 700, 20_000);
        stands[2].waits(Side::Lay, 500, 20_000);
        assert_eq!(exposure_of_lines(&stands), 700 + 500);
    }

    proptest! {
        #[test]
        fn the_worst_of_all_results_among_lines_is_found(
            orders in prop::collection::vec(
                (0_usize..8, any::<bool>(), any::<bool>(), 1_i64..1_000_000), 0..40),
            lines in 1_usize..=8,
        ) {
            let mut stands = vec![Stand::default(); lines];
            for (at, backs, waits, stake) in orders {
                let side = if backs { Side::Back } else { Side::Lay };
                let stand = &mut stands[at % lines];
                match waits {
                    true => stand.waits(side, stake, 20_000),
                    false => stand.matched(side, stake, 20_000),
                }
            }
            // Results at and between twice the lines' numbers: an odd one is between two, an even one on a line.
            let profit = |result: usize| -> i128 {
                let one = |(at, stand): (usize, &Stand)| match (2 * at + 2).cmp(&result) {
                    std::cmp::Ordering::Greater => stand.win_e4 - stand.lays_e4,
                    std::cmp::Ordering::Less => stand.lose_e4 - stand.backs_e4,
                    std::cmp::Ordering::Equal => 0,
                };
                stands.iter().enumerate().map(one).sum()
            };
            let worst = |results: &mut dyn Iterator<Item = usize>| {
                let worst = results.map(profit).min().unwrap_or(0);
                ((-worst).max(0) + 9_999) / 10_000
            };
            let between = worst(&mut (0..=lines).map(|j| 2 * j + 1));
            prop_assert_eq!(exposure_of_lines(&stands), between);
            let on_one = worst(&mut (0..lines).map(|j| 2 * j + 2));
            prop_assert!(on_one <= between);
        }

        #[test]
        fn the_worst_of_all_outcomes_is_found(
            orders in prop::collection::vec(
                (0_usize..8, any::<bool>(), any::<bool>(), 1_i64..1_000_000, 10_100_u32..10_000_000),
                0..60,
            ),
            selections in 1_usize..=8,
            winners in 1_usize..=3,
        ) {
            let mut stands = vec![Stand::default(); selections];
            for (at, backs, waits, stake, odds) in orders {
                let side = if backs { Side::Back } else { Side::Lay };
                let stand = &mut stands[at % selections];
                match waits {
                    true => stand.waits(side, stake, odds),
                    false => stand.matched(side, stake, odds),
                }
            }
            let winners = winners.min(selections);
            prop_assert_eq!(exposure(&stands, winners), by_every_outcome(&stands, winners));
        }
    }
}
