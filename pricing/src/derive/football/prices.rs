//! The prices of a whole event: fair probabilities with a margin, rounded for the house.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

use super::{
    fair::Fair,
    outcome::{Market, OUTCOMES, Outcome},
};
use crate::{BANDS_MAX, Ladder, Price, PricingError, Snap};

/// The margin of every market: by how much the inverse prices of its outcomes sum to more than
/// they do at fair ones, before rounding. 0.05 makes a book of 105 %.
///
/// Every outcome of a market bears it in proportion. Where two outcomes of it win (double chance),
/// the inverse prices sum to two and as much more.
///
/// With a margin m no outcome likelier than 1/(1 + m) has a price, while the others of its market
/// keep theirs: at 0.05 that is above 95.2 %. Late in a match most markets have such an outcome.
/// [`Margins::shortest`] offers it all the same.
#[derive(Clone, PartialEq, Debug)]
pub struct Margins {
    factors: [f64; OUTCOMES],
    shortest: Option<Price>,
}

impl Margins {
    /// Fair prices, but for rounding.
    pub const NONE: Margins = Margins { factors: [1.0; OUTCOMES], shortest: None };

    /// The same margin everywhere, from 0 to 1.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`].
    pub fn uniform(margin: f64) -> Result<Margins, PricingError> {
        Ok(Margins { factors: [1.0 + checked(margin)?; OUTCOMES], shortest: None })
    }

    /// The same, but for one market.
    ///
    /// # Errors
    ///
    /// [`PricingError::ParameterOutOfRange`] if the margin is not from 0 to 1, or if that market is not
    /// in [`Market::all`].
    pub fn with(mut self, market: Market, margin: f64) -> Result<Margins, PricingError> {
        let margin = checked(margin)?;
        let mut is_priced = false;
        for (outcome, factor) in Outcome::ALL.into_iter().zip(&mut self.factors) {
            if outcome.market() == market {
                *factor = 1.0 + margin;
                is_priced = true;
            }
        }
        if is_priced {
            Ok(self)
        } else {
            let allowed = "one of those that are always priced";
            Err(PricingError::ParameterOutOfRange { name: "market", allowed })
        }
    }

    /// The same, but what would be shorter than that price, or too short for any, is offered at it;
    /// on a ladder, at its first price that is not shorter. A ladder that ends before has none, and
    /// nothing changes.
    ///
    /// What is certain within 1e-12 has no price still, as what is decided. So wherever no outcome
    /// of a market is certain, all of it that can happen have prices. The others stay as they are.
    ///
    /// The house gives away what such a price is above the fair odds: at 1.01, up to one in a hundred
    /// of what is staked on it. And for as long as it does, a set of bets on several markets may win
    /// whatever happens.
    ///
    /// ```
    /// use betring_pricing::derive::football::{Fair, Margins, Outcome, Prices, Score, Winner};
    /// use betring_pricing::model::football::{Clock, GoalModel, ScoreGrid};
    /// use betring_pricing::price;
    ///
    /// // Three minutes to go at 1-0.
    /// let left = GoalModel::poisson(1.6, 1.1)?.remaining(Clock::new(5_220, Clock::FULL_TIME_S));
    /// let fair = Fair::of(&ScoreGrid::new(&left), Score::new(1, 0));
    /// let home = Outcome::Result(Winner::Home);
    /// let margins = Margins::uniform(0.05)?;
    /// assert_eq!(Prices::of(&fair, &margins).get(home), None);
    /// let margins = margins.shortest(price!(1.01));
    /// assert_eq!(Prices::of(&fair, &margins).get(home), Some(price!(1.01)));
    /// # Ok::<(), betring_pricing::PricingError>(())
    /// ```
    pub fn shortest(self, price: Price) -> Margins {
        Margins { shortest: Some(price), ..self }
    }
}

/// A margin in its range.
pub(super) fn checked(margin: f64) -> Result<f64, PricingError> {
    if (0.0..=1.0).contains(&margin) {
        Ok(margin + 0.0)
    } else {
        Err(PricingError::ParameterOutOfRange {
            name: "margin",
            allowed: "0 to 1, where 0.05 is 5 %",
        })
    }
}

/// The price of every outcome of [`Outcome::ALL`], at its index; none of what cannot be won, or is
/// so likely that there is no price below its fair odds: with a margin m, all that is likelier than
/// 1/(1 + m), unless [`Margins::shortest`] is set. The longest price is 100,000, [`Price::MAX`]: what
/// is less likely has that one too.
///
/// No price is above its fair odds, to the precision of the probability: 1 / (probability × (1 +
/// margin)), rounded down to a ten-thousandth and then, if asked for, down to a ladder. All are made
/// from one grid of scores, so no set of bets on them, on one market or several, can win whatever
/// happens. Only [`Margins::shortest`] makes exceptions from both, as it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prices([u32; OUTCOMES]);

/// Instead of a price where there is none.
const NO_PRICE: u32 = 0;

/// From here on a probability is one but for what sums and differences of floats have lost.
const CERTAIN: f64 = 1.0 - 1e-12;

impl Prices {
    /// In ten-thousandths.
    pub fn of(fair: &Fair, margins: &Margins) -> Prices {
        let mut prices = Prices([NO_PRICE; OUTCOMES]);
        prices.requote(fair, margins, None);
        prices
    }

    /// On a ladder: none below its first price, and its last instead of longer ones.
    pub fn on_ladder(fair: &Fair, margins: &Margins, ladder: &Ladder) -> Prices {
        let mut prices = Prices([NO_PRICE; OUTCOMES]);
        prices.requote(fair, margins, Some(ladder));
        prices
    }

    /// Writes over all of them: on a ladder if there is one, else in ten-thousandths.
    pub fn requote(&mut self, fair: &Fair, margins: &Margins, ladder: Option<&Ladder>) {
        for ((price, &probability), &factor) in
            self.0.iter_mut().zip(fair.probabilities()).zip(&margins.factors)
        {
            *price = e4(probability, factor);
        }
        if let Some(ladder) = ladder {
            snap_down(&mut self.0, ladder);
        }
        let shortest = margins.shortest.and_then(|price| match ladder {
            Some(ladder) => ladder.snap(price, Snap::Up),
            None => Some(price),
        });
        if let Some(shortest) = shortest {
            for (price, &probability) in self.0.iter_mut().zip(fair.probabilities()) {
                if 0.0 < probability && probability < CERTAIN {
                    *price = shortest.e4().max(*price);
                }
            }
        }
    }

    /// The price of an outcome; `None` if it has none or is not always priced.
    pub fn get(&self, outcome: Outcome) -> Option<Price> {
        self.at(outcome.index()?)
    }

    /// The price at an index of [`Outcome::ALL`].
    pub fn at(&self, index: usize) -> Option<Price> {
        self.0.get(index).and_then(|&e4| Price::from_e4(e4))
    }

    /// All outcomes and their prices, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, Option<Price>)> + '_ {
        Outcome::ALL.into_iter().zip(self.0.iter().map(|&e4| Price::from_e4(e4)))
    }

    /// The indices at which the price is another than before: what has to be published.
    pub fn changed<'a>(&'a self, before: &'a Prices) -> impl Iterator<Item = usize> + 'a {
        (0..OUTCOMES).filter(|&at| self.0[at] != before.0[at])
    }
}

/// Ten-thousandths of what one unit returns at a probability with a margin, rounded down.
pub(super) fn e4(probability: f64, factor: f64) -> u32 {
    let exact = 10_000.0 / (probability * factor);
    // What cannot happen is infinite here, and no price below.
    let exact = if exact < MOST { exact } else { MOST };
    // A float of this size has no room for a fraction, and its low bits are the whole number: as a
    // cast, but many at a time.
    let nearest = exact + NO_FRACTION;
    let down = if exact < nearest - NO_FRACTION { nearest - 1.0 } else { nearest };
    let priced = 0.0 < probability && LEAST + NO_FRACTION <= down;
    (if priced { down } else { NO_FRACTION }).to_bits() as u32
}

const LEAST: f64 = Price::MIN.e4() as f64;
const MOST: f64 = Price::MAX.e4() as f64;
/// 2^52.
const NO_FRACTION: f64 = 4_503_599_627_370_496.0;
const _: () = assert!(NO_FRACTION.to_bits() as u32 == NO_PRICE);

/// The same as [`Ladder::snap`] for every price: the bands that begin above it are counted for four
/// at a time, and what is divided by is known beforehand.
fn snap_down(prices: &mut [u32; OUTCOMES], ladder: &Ladder) {
    // From which price on, in which steps, and 2^60 over the step. Nothing is below the ladder.
    let mut bands = [(NO_PRICE, 0_u32, 0_u64); 2 * BANDS_MAX];
    // The same beginnings four times over and with signs, as a processor compares them.
    let mut froms = [[0_i32; 4]; BANDS_MAX];
    let mut used = 0;
    for ((place, fours), band) in bands[1..].iter_mut().zip(&mut froms).zip(ladder.bands()) {
        let (from, step) = (band.from.e4(), band.step_e4);
        *place = (from, step, (1_u64 << 60).div_ceil(u64::from(step)));
        *fours = [from as i32; 4];
        used += 1;
    }
    let last = ladder.last().e4() as i32;
    for four in prices.as_chunks_mut::<4>().0 {
        let capped = four.map(|price| last.min(price as i32));
        let mut above = [0_u32; 4];
        for from in &froms[..used] {
            for at in 0..4 {
                above[at] += u32::from(capped[at] < from[at]);
            }
        }
        for at in 0..4 {
            let (from, step, inverse) = bands[(used - above[at] as usize) % bands.len()];
            // Both are below 2^30, so that the quotient is exact but for what is cut off.
            let sixteenfold = u64::from(capped[at] as u32 - from) << 4;
            let steps = (u128::from(sixteenfold) * u128::from(inverse)) >> 64;
            four[at] = from + steps as u32 * step;
        }
    }
}

const _: () = assert!(OUTCOMES.is_multiple_of(4));
const _: () = assert!(Price::MAX.e4() < 1 << 30);
