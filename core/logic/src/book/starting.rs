//! The starting price of a selection: the one price at which the most is matched when the race is off.
//!
//! Who backs at the starting price says a stake, and perhaps the least odds; who lays says a liability, and perhaps
//! the most. At odds p the backs that will have it are all with a limit of at most p, and the stakes that the lays
//! cover are Σ liability / (p − 1) of all with a limit of at least p. The first grows with p and the second falls, so
//! there is one place where they meet. Orders that wait in the book take part at their own limits. Without them it is
//! the *far price*, 1 + liabilities / stakes where there are no limits, with them the *near price*, and at the off
//! the starting price. (Rule: Betfair's page on starting prices; the algorithm follows from it.)
//!
//! It is a whole number of ten-thousandths from the ladder's first price to its last, on the ladder or not. Of two
//! prices at which as much is matched the one counts that leaves less unmatched, and of those the one that is nearest to
//! where backs and lays meet: layers who want more than there is to lay give what their limits allow, and so do backers. Of
//! the two beside that place the shorter one.

use super::{Book, E4, Prices, Side};
use betring_pricing::Tick;

/// What is bet at the starting price of a selection, by limit: for every price of the ladder one sum a side, so that
/// no number of bets makes the reconciliation longer.
#[derive(Clone, Debug)]
pub struct Starting {
    /// Stakes in minor units, and without a limit.
    backs: Box<[i64]>,
    any_back: i64,
    /// Liabilities in minor units, and without a limit.
    lays: Box<[i64]>,
    any_lay: i64,
}

/// A starting price, and what is matched at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// The odds, in ten-thousandths.
    pub odds_e4: u32,
    /// Backers' stakes that want it, in minor units.
    pub backs: i128,
    /// Backers' stakes that the layers cover, in minor units, rounded down.
    pub lays: i128,
}

impl Reconciled {
    /// What is matched, in minor units of the backers' stakes.
    pub fn matched(&self) -> i128 {
        self.backs.min(self.lays)
    }
}

impl Starting {
    /// Without bets.
    pub fn new(prices: &Prices) -> Starting {
        let zeros: Box<[i64]> = vec![0; prices.e4.len()].into();
        Starting { backs: zeros.clone(), any_back: 0, lays: zeros, any_lay: 0 }
    }

    /// A bet comes: a back's stake, or a lay's liability, in minor units; below 0 it goes.
    ///
    /// # Panics
    /// If the limit is not on the ladder, or if more goes than came.
    pub fn add(&mut self, side: Side, limit: Option<Tick>, amount: i64) {
        let kept = match (side, limit) {
            (Side::Back, None) => &mut self.any_back,
            (Side::Lay, None) => &mut self.any_lay,
            (Side::Back, Some(tick)) => &mut self.backs[tick.index() as usize],
            (Side::Lay, Some(tick)) => &mut self.lays[tick.index() as usize],
        };
        *kept = kept.checked_add(amount).expect("what is staked in one market fits");
        assert!(0 <= *kept, "no more goes than came");
    }

    /// Whether nobody bets at the starting price.
    pub fn is_empty(&self) -> bool {
        let sums = self.backs.iter().chain(&*self.lays).chain([&self.any_back, &self.any_lay]);
        sums.into_iter().all(|sum| *sum == 0)
    }

    /// The price at which the most is matched, with the orders of a selection of a book or without: nothing if
    /// nothing can be.
    pub fn reconcile(&self, prices: &Prices, book: Option<(&Book, u16)>) -> Option<Reconciled> {
        let sums = Sums { starting: self, prices, book };
        let beside = sums.meet().into_iter().flatten().map(|odds| sums.at(odds));
        let (best, _) = beside.reduce(|best, one| {
            let less_left = one.1.is_less_than(&best.1);
            let (was, is) = (best.0.matched(), one.0.matched());
            if was < is || was == is && less_left { one } else { best }
        })?;
        (0 < best.matched()).then_some(best)
    }
}

/// What is left of the heavier side, as an exact fraction of a minor unit.
struct Left {
    parts: i128,
    of: i128,
}

impl Left {
    fn is_less_than(&self, other: &Left) -> bool {
        self.parts * other.of < other.parts * self.of
    }
}

/// What would be bet at each price.
struct Sums<'a> {
    starting: &'a Starting,
    prices: &'a Prices,
    book: Option<(&'a Book, u16)>,
}

impl Sums<'_> {
    fn waits(&self, side: Side, tick: usize) -> i128 {
        self.book.map_or(0, |(book, selection)| {
            i128::from(book.size(selection, side, Tick::new(tick as u32)))
        })
    }

    /// What is bet at these odds, and what is left.
    fn at(&self, odds_e4: u32) -> (Reconciled, Left) {
        let starting = self.starting;
        let mut backs = i128::from(starting.any_back);
        let (mut liability, mut lays) = (i128::from(starting.any_lay), 0);
        for (tick, price) in self.prices.e4.iter().enumerate() {
            if *price <= odds_e4 {
                backs += i128::from(starting.backs[tick]) + self.waits(Side::Back, tick);
            }
            if odds_e4 <= *price {
                liability += i128::from(starting.lays[tick]);
                lays += self.waits(Side::Lay, tick);
            }
        }
        let of = i128::from(odds_e4) - E4;
        let left = Left { parts: ((backs - lays) * of - liability * E4).abs(), of };
        let lays = lays + liability * E4 / of;
        (Reconciled { odds_e4, backs, lays }, left)
    }

    /// The odds beside the place where backs and lays meet, shortest first.
    fn meet(&self) -> [Option<u32>; 4] {
        let starting = self.starting;
        // Of the prices below this tick, and of this tick and those above it.
        let mut backs = i128::from(starting.any_back);
        let mut liability = i128::from(starting.any_lay);
        let mut lays = 0;
        for tick in 0..self.prices.e4.len() {
            liability += i128::from(starting.lays[tick]);
            lays += self.waits(Side::Lay, tick);
        }
        let mut shorter = None;
        for (tick, price) in self.prices.e4.iter().enumerate() {
            let (less, odds) = (backs, i128::from(*price));
            backs += i128::from(starting.backs[tick]) + self.waits(Side::Back, tick);
            // backs ≥ lays + liability / (odds − 1), without a division.
            if liability * E4 <= (backs - lays) * (odds - E4) {
                // Between the tick before and this one: less = lays + liability / (p − 1).
                let between = (lays < less).then(|| E4 + liability * E4 / (less - lays));
                // No price is shorter than the ladder's first.
                let low = shorter.map_or(odds, i128::from);
                let within = |p: i128| (low < p && p < odds).then_some(p as u32);
                let [down, up] = [0, 1].map(|more| between.and_then(|p| within(p + more)));
                return [shorter, down, up, Some(*price)];
            }
            liability -= i128::from(starting.lays[tick]);
            lays -= self.waits(Side::Lay, tick);
            shorter = Some(*price);
        }
        // Even at the longest price the lays cover more.
        [shorter, None, None, None]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Improvement, Log, Orders, SelfMatch, Taker};
    use super::*;
    use betring_pricing::{Ladder, Price};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn tick(ladder: &Ladder, price: &str) -> Tick {
        ladder.tick(price.parse::<Price>().expect("a price")).expect("on the ladder")
    }

    fn starting(prices: &Prices, bets: &[(Side, Option<Tick>, i64)]) -> Starting {
        let mut starting = Starting::new(prices);
        bets.iter().for_each(|(side, limit, amount)| starting.add(*side, *limit, *amount));
        starting
    }

    #[test]
    fn without_limits_the_far_price_is_liabilities_over_stakes_and_one() {
        let prices = Prices::of(&Ladder::CLASSIC);
        // A thousand backs six thousand, and six thousand backs a thousand: 7.0 and 1.1666….
        for (stake, liability, odds) in
            [(100_000, 600_000, 70_000), (600_000, 100_000, 11_666), (196_283, 357_103, 28_193)]
        {
            let bets = [(Side::Back, None, stake), (Side::Lay, None, liability)];
            let found = starting(&prices, &bets).reconcile(&prices, None).expect("both sides");
            assert_eq!(found.odds_e4, odds);
            assert!(stake - 70 <= found.matched() as i64, "{found:?}");
        }
    }

    #[test]
    fn a_back_with_a_limit_above_the_price_has_no_part_in_it() {
        let ladder = Ladder::CLASSIC;
        let prices = Prices::of(&ladder);
        let bets = [
            (Side::Back, None, 10_000),
            (Side::Back, Some(tick(&ladder, "6.0")), 50_000),
            (Side::Lay, None, 30_000),
        ];
        let found = starting(&prices, &bets).reconcile(&prices, None).expect("both sides");
        // 100.00 stakes against 300.00: 4.0; who wants 6.0 does not get it.
        assert_eq!((found.odds_e4, found.backs, found.lays), (40_000, 10_000, 10_000));
    }

    #[test]
    fn orders_that_wait_make_the_near_price() {
        let ladder = Ladder::CLASSIC;
        let prices = Prices::of(&ladder);
        let mut book = Book::new(Arc::clone(&prices), 2, false);
        let (mut orders, mut log) = (Orders::with_capacity(4), Log::new());
        let lay = Taker {
            account: 1,
            selection: 0,
            side: Side::Lay,
            limit: tick(&ladder, "5.0"),
            size: 10_000,
            kill: None,
            self_match: SelfMatch::Allow,
            improvement: Improvement::Take,
        };
        book.place(&mut orders, &lay, &mut log).expect("let in");
        let bets = [(Side::Back, None, 20_000), (Side::Lay, None, 30_000)];
        let starting = starting(&prices, &bets);
        let far = starting.reconcile(&prices, None).expect("both sides");
        assert_eq!(far.odds_e4, 25_000);
        // 100.00 more are laid at up to 5.0: at 4.0 the liabilities cover the other 100.00.
        let near = starting.reconcile(&prices, Some((&book, 0))).expect("both sides");
        assert_eq!((near.odds_e4, near.matched()), (40_000, 20_000));
    }

    #[test]
    fn with_one_side_only_there_is_no_starting_price() {
        let prices = Prices::of(&Ladder::CLASSIC);
        let backs = starting(&prices, &[(Side::Back, None, 1_000)]);
        assert_eq!(backs.reconcile(&prices, None), None);
        assert!(Starting::new(&prices).is_empty() && !backs.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Every price there is, one after the other.
        #[test]
        fn at_no_other_price_more_is_matched(
            bets in prop::collection::vec(
                (any::<bool>(), prop::option::of(0_u32..120), 1_i64..20_000), 1..12),
            waiting in prop::collection::vec((any::<bool>(), 0_u32..120, 1_i64..20_000), 0..6),
        ) {
            let ladder = Ladder::CLASSIC;
            let prices = Prices::of(&ladder);
            let side = |back: bool| if back { Side::Back } else { Side::Lay };
            let bets: Vec<_> = bets
                .into_iter()
                .map(|(back, limit, amount)| (side(back), limit.map(Tick::new), amount))
                .collect();
            let starting = starting(&prices, &bets);
            let mut book = Book::new(Arc::clone(&prices), 2, false);
            let (mut orders, mut log) = (Orders::with_capacity(8), Log::new());
            for (back, limit, size) in waiting {
                let limit = Tick::new(limit);
                let order = Taker {
                    account: 1, selection: 0, side: side(back), limit, size, kill: None,
                    self_match: SelfMatch::Allow, improvement: Improvement::Take,
                };
                book.place(&mut orders, &order, &mut log).expect("let in");
                book.finish(&mut orders, &mut log);
            }
            let sums = Sums { starting: &starting, prices: &prices, book: Some((&book, 0)) };
            let found = starting.reconcile(&prices, sums.book);
            // Beyond the last limit only liabilities shrink.
            let most = (10_100..=80_000).map(|odds| sums.at(odds).0.matched()).max().unwrap_or(0);
            let far = prices.e4.iter().filter(|e4| 80_000 < **e4);
            let most = far.map(|odds| sums.at(*odds).0.matched()).max().unwrap_or(0).max(most);
            // A whole unit may be lost where the best price lies between two ten-thousandths far out.
            let matched = found.map_or(0, |it| it.matched());
            prop_assert_eq!(matched, most, "{:?}", found);
        }
    }
}
