//! Rule 4: what is taken from winnings when a runner is withdrawn after bets were struck.

use std::fmt;

use crate::{Pence, Price, price};

/// The most bands of a table. Tattersalls' has 19; every look-up walks them.
pub const RULE4_BANDS_MAX: usize = 20;

/// One row of a table: up to that price of the withdrawn runner, that deduction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rule4Band {
    /// The longest price of the withdrawn runner that belongs to the band.
    pub longest: Price,
    /// What is taken from each pound of winnings.
    pub pence: Pence,
}

/// The deductions of an operator, as data: operators differ in bands and cap.
///
/// ```
/// use betring_pricing::{Pence, Rule4Table, price};
///
/// let table = Rule4Table::TATTERSALLS;
/// assert_eq!(table.deduction(price!(2.00)), Pence::new(45).unwrap());
/// assert_eq!(table.deduction(price!(15.01)), Pence::ZERO);
/// // Two withdrawals, 60p and 45p: together 90p and not 105p.
/// let both = [price!(1.60), price!(2.10)].map(|price| table.deduction(price));
/// assert_eq!(table.sum(both), Pence::MAX);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rule4Table {
    /// Unused ones are never looked at.
    bands: [Rule4Band; RULE4_BANDS_MAX],
    used: u8,
    cap: Pence,
}

impl Rule4Table {
    /// Tattersalls' scale by decimal prices, capped at 90p (the bands as published by Unibet, with
    /// 5.49 where it prints 5.40 and leaves a gap).
    ///
    /// A price between the printed end of one band and the printed start of the next belongs to the
    /// next, which takes less. So every price of the older fractional table has its deduction here
    /// too (1/3 is 1.3333 and takes 70p), except 2/17: 1.1176 is "1.12 or shorter", 90p and not
    /// 85p.
    pub const TATTERSALLS: Rule4Table = Rule4Table::built(
        &[
            band(price!(1.12), 90),
            band(price!(1.19), 85),
            band(price!(1.27), 80),
            band(price!(1.33), 75),
            band(price!(1.44), 70),
            band(price!(1.57), 65),
            band(price!(1.66), 60),
            band(price!(1.83), 55),
            band(price!(1.99), 50),
            band(price!(2.24), 45),
            band(price!(2.59), 40),
            band(price!(2.79), 35),
            band(price!(3.39), 30),
            band(price!(4.19), 25),
            band(price!(5.49), 20),
            band(price!(6.99), 15),
            band(price!(10.99), 10),
            band(price!(15), 5),
        ],
        Pence::MAX,
    );

    /// No deductions at all: for markets that are not races.
    pub const NONE: Rule4Table = Rule4Table::built(&[], Pence::ZERO);

    /// A table of an operator's own; without bands it deducts nothing.
    ///
    /// # Errors
    ///
    /// If there are more than [`RULE4_BANDS_MAX`] bands, if their prices do not ascend, or if a
    /// longer price takes more than a shorter one.
    pub const fn new(bands: &[Rule4Band], cap: Pence) -> Result<Rule4Table, Rule4Error> {
        if RULE4_BANDS_MAX < bands.len() {
            return Err(Rule4Error::TooManyBands { bands: bands.len() });
        }
        let unused = Rule4Band { longest: Price::MAX, pence: Pence::ZERO };
        let mut table = [unused; RULE4_BANDS_MAX];
        let mut at = 0;
        while at < bands.len() {
            if 0 < at {
                let (shorter, longer) = (bands[at - 1], bands[at]);
                if longer.longest.e4() <= shorter.longest.e4() {
                    return Err(Rule4Error::PricesDoNotAscend { band: at });
                }
                if shorter.pence.get() < longer.pence.get() {
                    return Err(Rule4Error::DeductionGrows { band: at });
                }
            }
            table[at] = bands[at];
            at += 1;
        }
        Ok(Rule4Table { bands: table, used: bands.len() as u8, cap })
    }

    const fn built(bands: &[Rule4Band], cap: Pence) -> Rule4Table {
        match Rule4Table::new(bands, cap) {
            Ok(table) => table,
            Err(_) => panic!("a table of this crate is a valid one"),
        }
    }

    /// The rows, from the shortest price on.
    pub fn bands(&self) -> &[Rule4Band] {
        &self.bands[..self.used as usize]
    }

    /// The most that is taken for all withdrawals of a race together.
    pub const fn cap(&self) -> Pence {
        self.cap
    }

    /// What one withdrawal takes, by the price of the withdrawn runner at that time; never more
    /// than the cap, and nothing if its price is longer than every band.
    pub const fn deduction(&self, withdrawn: Price) -> Pence {
        let mut at = 0;
        while at < self.used as usize {
            if withdrawn.e4() <= self.bands[at].longest.e4() {
                let pence = self.bands[at].pence;
                return if self.cap.get() < pence.get() { self.cap } else { pence };
            }
            at += 1;
        }
        Pence::ZERO
    }

    /// What several withdrawals take together: their sum, at most the cap (William Hill). A bet
    /// takes part only in the withdrawals after it was struck; which those are, the caller knows.
    pub fn sum(&self, deductions: impl IntoIterator<Item = Pence>) -> Pence {
        let mut sum = Pence::ZERO;
        for pence in deductions {
            // Two deductions are at most 180.
            match Pence::new(sum.get() + pence.get()) {
                Some(more) if more <= self.cap => sum = more,
                _ => return self.cap,
            }
        }
        sum
    }
}

const fn band(longest: Price, pence: u8) -> Rule4Band {
    Rule4Band { longest, pence: Pence::new(pence).expect("a deduction of the table") }
}

/// Why bands are not a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule4Error {
    /// More bands than [`RULE4_BANDS_MAX`].
    TooManyBands {
        /// How many there are.
        bands: usize,
    },
    /// The price of that band, counted from 0, is not longer than that of the band before it.
    PricesDoNotAscend {
        /// Its place, from 0.
        band: usize,
    },
    /// That band, counted from 0, takes more than the band before it, whose runners had the better
    /// chance.
    DeductionGrows {
        /// Its place, from 0.
        band: usize,
    },
}

impl fmt::Display for Rule4Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule4Error::TooManyBands { bands } => write!(
                f,
                "a Rule 4 table has at most {RULE4_BANDS_MAX} bands, not {bands}: join some"
            ),
            Rule4Error::PricesDoNotAscend { band } => write!(
                f,
                "band {} of a Rule 4 table does not end above the one before it: order them from \
                 the shortest price",
                band + 1
            ),
            Rule4Error::DeductionGrows { band } => write!(
                f,
                "band {} of a Rule 4 table takes more than the one before it: the shorter the \
                 withdrawn price, the larger the deduction",
                band + 1
            ),
        }
    }
}

impl std::error::Error for Rule4Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fraction;

    fn pence(pence: u8) -> Pence {
        Pence::new(pence).expect("a deduction of the test")
    }

    #[test]
    fn the_fractional_table_agrees_with_the_decimal_one_at_both_ends_of_every_band() {
        for (longer, shorter, taken) in [
            ("1/9", "1/20", 90),
            ("2/11", "1/8", 85),
            ("1/4", "1/5", 80),
            ("3/10", "2/7", 75),
            ("2/5", "1/3", 70),
            ("8/15", "4/9", 65),
            ("8/13", "4/7", 60),
            ("4/5", "4/6", 55),
            ("20/21", "5/6", 50),
            ("6/5", "evens", 45),
            ("6/4", "5/4", 40),
            ("7/4", "8/5", 35),
            ("9/4", "9/5", 30),
            ("3/1", "12/5", 25),
            ("4/1", "16/5", 20),
            ("11/2", "9/2", 15),
            ("9/1", "6/1", 10),
            ("14/1", "10/1", 5),
            ("1000/1", "16/1", 0),
        ] {
            for end in [longer, shorter] {
                let price = end.parse::<Fraction>().expect("a fraction of the table").price();
                assert_eq!(Rule4Table::TATTERSALLS.deduction(price), pence(taken), "{end}");
            }
        }
        let two_to_seventeen = Fraction::new(2, 17).unwrap().price();
        let taken = Rule4Table::TATTERSALLS.deduction(two_to_seventeen);
        assert_eq!(taken, pence(90), "the fractional table says 85p; the decimal one decides");
    }

    #[test]
    fn several_withdrawals_add_up_to_the_cap_and_no_further() {
        let table = Rule4Table::TATTERSALLS;
        assert_eq!(table.sum([]), Pence::ZERO);
        assert_eq!(table.sum([pence(25), pence(10), pence(5)]), pence(40));
        assert_eq!(table.sum([pence(60), pence(45)]), pence(90));
        assert_eq!(table.sum([Pence::MAX; 300]), pence(90));
        let capped = Rule4Table::new(table.bands(), pence(75)).unwrap();
        assert_eq!(capped.sum([pence(60), pence(45)]), pence(75));
        assert_eq!(capped.deduction(price!(1.05)), pence(75));
        assert_eq!(capped.cap(), pence(75));
    }

    #[test]
    fn a_market_without_rule_4_deducts_nothing() {
        assert_eq!(Rule4Table::NONE.deduction(Price::MIN), Pence::ZERO);
        assert_eq!(Rule4Table::NONE.sum([Pence::MAX]), Pence::ZERO);
        assert!(Rule4Table::NONE.bands().is_empty());
    }

    #[test]
    fn a_table_out_of_order_is_refused_with_a_sentence() {
        let bands = [band(price!(2), 40), band(price!(3), 20)];
        assert!(Rule4Table::new(&bands, Pence::MAX).is_ok());
        for (bands, sentence) in [
            (
                vec![band(price!(2), 40); RULE4_BANDS_MAX + 1],
                "a Rule 4 table has at most 20 bands, not 21: join some",
            ),
            (
                vec![bands[1], bands[0]],
                "band 2 of a Rule 4 table does not end above the one before it: order them from \
                 the shortest price",
            ),
            (
                vec![bands[0], band(price!(3), 41)],
                "band 2 of a Rule 4 table takes more than the one before it: the shorter the \
                 withdrawn price, the larger the deduction",
            ),
        ] {
            let error = Rule4Table::new(&bands, Pence::MAX).unwrap_err();
            assert_eq!(error.to_string(), sentence);
        }
    }
}
