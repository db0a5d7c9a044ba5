//! Price ladders: which prices may be traded, and their places from the shortest up.

use std::{fmt, str::FromStr};

use crate::{Price, decimal::debug_as_displayed, price};

/// The place of a price on its ladder, from 0 for the shortest.
///
/// It says nothing without its ladder: tick 0 is 1.01 on all of the well-known ones. It has 32 bits
/// because [`Ladder::FINEST`] has 99,900 prices; on [`Ladder::CLASSIC`] it is below 350.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Tick(u32);

impl Tick {
    /// The tick of that index. Whether a ladder has it is the ladder's answer.
    pub const fn new(index: u32) -> Tick {
        Tick(index)
    }

    /// The index, from 0.
    pub const fn index(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

debug_as_displayed!(Tick);

impl FromStr for Tick {
    type Err = ParseTickError;

    fn from_str(text: &str) -> Result<Tick, ParseTickError> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseTickError);
        }
        text.parse().map(Tick).map_err(|_| ParseTickError)
    }
}

/// A text that is not a tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseTickError;

impl fmt::Display for ParseTickError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a tick: it is a whole number from 0, the place of a price on its ladder")
    }
}

impl std::error::Error for ParseTickError {}

/// Where a price between two prices of a ladder goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Snap {
    /// To the lower one: the house keeps the difference. The rule for prices offered to customers.
    Down,
    /// To the higher one: the customer keeps the difference.
    Up,
    /// To the closer one; to the lower one if both are as close.
    Nearest,
}

impl fmt::Display for Snap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Snap::Down => "down",
            Snap::Up => "up",
            Snap::Nearest => "nearest",
        })
    }
}

impl FromStr for Snap {
    type Err = ParseSnapError;

    fn from_str(text: &str) -> Result<Snap, ParseSnapError> {
        match text {
            "down" => Ok(Snap::Down),
            "up" => Ok(Snap::Up),
            "nearest" => Ok(Snap::Nearest),
            _ => Err(ParseSnapError),
        }
    }
}

/// A text that names no direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseSnapError;

impl fmt::Display for ParseSnapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a direction: it is one of down, up, nearest")
    }
}

impl std::error::Error for ParseSnapError {}

/// A stretch of a ladder with one step: from 1.01 to 2.00 by 0.01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Band {
    /// The first price.
    pub from: Price,
    /// The last price, which is also the first of the next band.
    pub to: Price,
    /// The distance between two prices in ten-thousandths: 0.01 is 100.
    pub step_e4: u32,
}

/// The most bands of a ladder. The well-known ones have at most ten; every look-up walks them.
pub const BANDS_MAX: usize = 16;

/// The prices that may be traded, as bands of equal steps.
///
/// ```
/// use betring_pricing::{Ladder, Snap, price};
///
/// let ladder = Ladder::CLASSIC;
/// assert_eq!(ladder.len(), 350);
/// assert_eq!(ladder.snap(price!(7.30), Snap::Down), Some(price!(7.20)));
/// assert_eq!(ladder.tick(price!(7.30)), None);
/// // 2.00 belongs to two bands: up by 0.02, down by 0.01.
/// assert_eq!(ladder.step(price!(2.00), 1), Some(price!(2.02)));
/// assert_eq!(ladder.step(price!(2.00), -1), Some(price!(1.99)));
/// assert_eq!(ladder.step(price!(1000), 1), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ladder {
    /// Unused ones are never looked at.
    bands: [Rung; BANDS_MAX],
    used: u8,
}

/// A band as it is searched.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Rung {
    from_e4: u32,
    to_e4: u32,
    step_e4: u32,
    /// The tick of `from_e4`.
    first: u32,
    /// The tick of `to_e4`, kept so that a look-up by tick does not divide.
    last: u32,
}

impl Ladder {
    /// The exchange's classic ladder: 350 prices from 1.01 to 1000.
    pub const CLASSIC: Ladder = Ladder::built(&[
        Band { from: price!(1.01), to: price!(2), step_e4: 100 },
        Band { from: price!(2), to: price!(3), step_e4: 200 },
        Band { from: price!(3), to: price!(4), step_e4: 500 },
        Band { from: price!(4), to: price!(6), step_e4: 1_000 },
        Band { from: price!(6), to: price!(10), step_e4: 2_000 },
        Band { from: price!(10), to: price!(20), step_e4: 5_000 },
        Band { from: price!(20), to: price!(30), step_e4: 10_000 },
        Band { from: price!(30), to: price!(50), step_e4: 20_000 },
        Band { from: price!(50), to: price!(100), step_e4: 50_000 },
        Band { from: price!(100), to: price!(1000), step_e4: 100_000 },
    ]);

    /// Hundredths all the way from 1.01 to 1000, as in Asian handicap markets: 99,900 prices.
    pub const FINEST: Ladder =
        Ladder::built(&[Band { from: price!(1.01), to: price!(1000), step_e4: 100 }]);

    /// The ladder of BETDAQ: from 1.01 to 1000, hundredths up to 3.
    pub const BETDAQ: Ladder = Ladder::built(&[
        Band { from: price!(1.01), to: price!(3), step_e4: 100 },
        Band { from: price!(3), to: price!(4), step_e4: 500 },
        Band { from: price!(4), to: price!(10), step_e4: 1_000 },
        Band { from: price!(10), to: price!(20), step_e4: 5_000 },
        Band { from: price!(20), to: price!(50), step_e4: 10_000 },
        Band { from: price!(50), to: price!(200), step_e4: 20_000 },
        Band { from: price!(200), to: price!(1000), step_e4: 50_000 },
    ]);

    /// The one price of a market whose lines are traded and not its odds: 2.00.
    pub const EVEN: Ladder = {
        let even = Rung { from_e4: 20_000, to_e4: 20_000, step_e4: 1, first: 0, last: 0 };
        Ladder { bands: [even; BANDS_MAX], used: 1 }
    };

    /// A ladder of an operator's own bands.
    ///
    /// # Errors
    ///
    /// If there is no band or more than [`BANDS_MAX`], if a band does not ascend, is not a whole
    /// number of its steps, or does not begin where the one before it ends.
    pub const fn new(bands: &[Band]) -> Result<Ladder, LadderError> {
        if bands.is_empty() {
            return Err(LadderError::NoBands);
        }
        if BANDS_MAX < bands.len() {
            return Err(LadderError::TooManyBands);
        }
        let unused = Rung {
            from_e4: bands[0].from.e4(),
            to_e4: bands[0].to.e4(),
            step_e4: bands[0].step_e4,
            first: 0,
            last: 0,
        };
        let mut rungs = [unused; BANDS_MAX];
        let mut first = 0;
        let mut at = 0;
        while at < bands.len() {
            let (from_e4, to_e4) = (bands[at].from.e4(), bands[at].to.e4());
            let step_e4 = bands[at].step_e4;
            if to_e4 <= from_e4 {
                return Err(LadderError::BandDoesNotAscend { band: at });
            }
            if step_e4 == 0 || !(to_e4 - from_e4).is_multiple_of(step_e4) {
                return Err(LadderError::UnevenSteps { band: at });
            }
            if 0 < at && bands[at - 1].to.e4() != from_e4 {
                return Err(LadderError::Gap { band: at });
            }
            let last = first + (to_e4 - from_e4) / step_e4;
            rungs[at] = Rung { from_e4, to_e4, step_e4, first, last };
            first = last;
            at += 1;
        }
        Ok(Ladder { bands: rungs, used: bands.len() as u8 })
    }

    const fn built(bands: &[Band]) -> Ladder {
        match Ladder::new(bands) {
            Ok(ladder) => ladder,
            Err(_) => panic!("a ladder of this crate is a valid one"),
        }
    }

    /// How many prices it has; at least two but for [`Ladder::EVEN`].
    // A ladder is never empty, so there is nothing for `is_empty` to tell.
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(&self) -> u32 {
        self.last_rung().last + 1
    }

    /// The shortest price.
    pub const fn first(&self) -> Price {
        Price::from_e4(self.bands[0].from_e4).expect("a band is built from prices")
    }

    /// The longest price.
    pub const fn last(&self) -> Price {
        Price::from_e4(self.last_rung().to_e4).expect("a band is built from prices")
    }

    /// The place of a price; `None` if it is not on the ladder.
    pub const fn tick(&self, price: Price) -> Option<Tick> {
        match self.place(price) {
            Some(place) if place.rest_e4 == 0 => Some(place.down),
            _ => None,
        }
    }

    /// Whether the price is on the ladder.
    pub const fn contains(&self, price: Price) -> bool {
        self.tick(price).is_some()
    }

    /// The price at a place; `None` beyond the last.
    pub const fn price(&self, tick: Tick) -> Option<Price> {
        let mut at = 0;
        while at < self.used as usize {
            let rung = &self.bands[at];
            // The first band that reaches a tick has it: the bands before it end below.
            if tick.0 <= rung.last {
                return Price::from_e4(rung.from_e4 + (tick.0 - rung.first) * rung.step_e4);
            }
            at += 1;
        }
        None
    }

    /// The price of the ladder for any price.
    ///
    /// `Down` is the highest that is not above it (`None` below the ladder), `Up` the lowest that
    /// is not below it (`None` above the ladder), `Nearest` the closer one, the lower if both are
    /// as close, and an end of the ladder for a price beyond it. A price on the ladder stays as it
    /// is.
    pub const fn snap(&self, price: Price, snap: Snap) -> Option<Price> {
        let e4 = price.e4();
        if e4 < self.first().e4() {
            return match snap {
                Snap::Down => None,
                Snap::Up | Snap::Nearest => Some(self.first()),
            };
        }
        let Some(place) = self.place(price) else {
            return match snap {
                Snap::Up => None,
                Snap::Down | Snap::Nearest => Some(self.last()),
            };
        };
        let up = match snap {
            Snap::Down => false,
            Snap::Up => 0 < place.rest_e4,
            Snap::Nearest => place.step_e4 - place.rest_e4 < place.rest_e4,
        };
        let down_e4 = e4 - place.rest_e4;
        Price::from_e4(if up { down_e4 + place.step_e4 } else { down_e4 })
    }

    /// The price `ticks` places away, upward if positive; `None` if the price is not on the ladder
    /// or the ladder ends before.
    pub const fn step(&self, price: Price, ticks: i32) -> Option<Price> {
        let Some(from) = self.tick(price) else { return None };
        match from.0.checked_add_signed(ticks) {
            Some(index) => self.price(Tick(index)),
            None => None,
        }
    }

    /// How many places `to` lies above `from`, negative if below; `None` if either is not on the
    /// ladder.
    pub const fn ticks_between(&self, from: Price, to: Price) -> Option<i32> {
        match (self.tick(from), self.tick(to)) {
            // Both are below 10^9, the greatest price in its smallest steps.
            (Some(from), Some(to)) => Some(to.0 as i32 - from.0 as i32),
            _ => None,
        }
    }

    /// Every price, ascending.
    pub fn prices(&self) -> impl Iterator<Item = Price> + '_ {
        (0..self.len()).filter_map(|index| self.price(Tick(index)))
    }

    /// Its bands, ascending.
    pub fn bands(&self) -> impl Iterator<Item = Band> + '_ {
        self.bands[..usize::from(self.used)].iter().filter_map(|rung| {
            Some(Band {
                from: Price::from_e4(rung.from_e4)?,
                to: Price::from_e4(rung.to_e4)?,
                step_e4: rung.step_e4,
            })
        })
    }

    const fn last_rung(&self) -> &Rung {
        &self.bands[self.used as usize - 1]
    }

    /// Where a price lies; `None` beyond either end.
    ///
    /// A price that ends one band and begins the next is found in the one it ends, with nothing
    /// left.
    const fn place(&self, price: Price) -> Option<Place> {
        let e4 = price.e4();
        if e4 < self.bands[0].from_e4 {
            return None;
        }
        let mut at = 0;
        while at < self.used as usize {
            let rung = &self.bands[at];
            if e4 <= rung.to_e4 {
                let above_e4 = e4 - rung.from_e4;
                let down = Tick(rung.first + above_e4 / rung.step_e4);
                let rest_e4 = above_e4 % rung.step_e4;
                return Some(Place { down, rest_e4, step_e4: rung.step_e4 });
            }
            at += 1;
        }
        None
    }
}

/// The tick at or below a price, how far the price is above it, and the step to the next.
struct Place {
    down: Tick,
    rest_e4: u32,
    step_e4: u32,
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} prices from {} to {}", self.len(), self.first(), self.last())
    }
}

debug_as_displayed!(Ladder);

/// Why bands are not a ladder. `band` counts from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LadderError {
    /// There is none.
    NoBands,
    /// More than [`BANDS_MAX`].
    TooManyBands,
    /// It ends at or before its beginning.
    BandDoesNotAscend {
        /// Which one.
        band: usize,
    },
    /// Its length is not a whole number of its steps, or the step is zero.
    UnevenSteps {
        /// Which one.
        band: usize,
    },
    /// It does not begin where the one before it ends.
    Gap {
        /// Which one.
        band: usize,
    },
}

impl fmt::Display for LadderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LadderError::NoBands => f.write_str("a ladder has at least one band"),
            LadderError::TooManyBands => write!(f, "a ladder has at most {BANDS_MAX} bands"),
            LadderError::BandDoesNotAscend { band } => {
                write!(f, "band {} must end above its first price", band + 1)
            }
            LadderError::UnevenSteps { band } => {
                write!(f, "band {} must be a whole number of steps long", band + 1)
            }
            LadderError::Gap { band } => {
                write!(f, "band {} must begin where the band before it ends", band + 1)
            }
        }
    }
}

impl std::error::Error for LadderError {}

const _: () = assert!(size_of::<Tick>() == 4);
const _: () = assert!(Ladder::CLASSIC.len() == 350, "counted by everybody who trades on it");
// Ticks of any ladder subtract as i32.
const _: () = assert!(Price::MAX.e4() <= i32::MAX as u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_ladders_have_their_counted_prices() {
        for (ladder, text) in [
            (Ladder::CLASSIC, "350 prices from 1.01 to 1000.00"),
            (Ladder::FINEST, "99900 prices from 1.01 to 1000.00"),
            (Ladder::BETDAQ, "565 prices from 1.01 to 1000.00"),
            (Ladder::EVEN, "1 prices from 2.00 to 2.00"),
        ] {
            assert_eq!(ladder.to_string(), text);
        }
    }

    #[test]
    fn every_price_of_every_ladder_has_its_own_tick() {
        for ladder in [Ladder::CLASSIC, Ladder::FINEST, Ladder::BETDAQ, Ladder::EVEN] {
            let mut last = None;
            for (index, price) in ladder.prices().enumerate() {
                let tick = Tick::new(index as u32);
                assert_eq!(ladder.tick(price), Some(tick), "{price}");
                assert_eq!(ladder.price(tick), Some(price));
                assert!(last < Some(price), "prices ascend");
                last = Some(price);
            }
            assert_eq!(last, Some(ladder.last()));
            assert_eq!(ladder.price(Tick::new(ladder.len())), None);
            assert_eq!(ladder.price(Tick::new(u32::MAX)), None);
        }
    }

    #[test]
    fn a_price_on_the_edge_of_two_bands_steps_up_by_one_and_down_by_the_other() {
        let ladder = Ladder::CLASSIC;
        for (below, edge, above) in [
            (price!(1.99), price!(2), price!(2.02)),
            (price!(2.98), price!(3), price!(3.05)),
            (price!(3.95), price!(4), price!(4.1)),
            (price!(5.9), price!(6), price!(6.2)),
            (price!(9.8), price!(10), price!(10.5)),
            (price!(19.5), price!(20), price!(21)),
            (price!(29), price!(30), price!(32)),
            (price!(48), price!(50), price!(55)),
            (price!(95), price!(100), price!(110)),
        ] {
            assert_eq!(ladder.step(edge, 1), Some(above));
            assert_eq!(ladder.step(edge, -1), Some(below));
            assert_eq!(ladder.ticks_between(above, below), Some(-2));
        }
    }

    #[test]
    fn the_ladder_ends_and_says_so() {
        let ladder = Ladder::CLASSIC;
        assert_eq!(ladder.step(price!(1000), 1), None);
        assert_eq!(ladder.step(price!(1.01), -1), None);
        assert_eq!(ladder.step(price!(1.01), i32::MIN), None);
        assert_eq!(ladder.step(price!(1.01), i32::MAX), None);
        assert_eq!(ladder.step(price!(1.01), 349), Some(price!(1000)));
        assert_eq!(ladder.step(price!(2.01), 1), None);
        assert_eq!(ladder.ticks_between(price!(2.01), price!(3)), None);
        for off in [Price::MIN, price!(1.015), price!(2.01), price!(101), price!(1010), Price::MAX]
        {
            assert!(!ladder.contains(off), "{off}");
        }
    }

    #[test]
    fn snapping_keeps_the_difference_where_it_says() {
        let ladder = Ladder::CLASSIC;
        for (raw, down, nearest, up) in [
            (price!(7.3), Some(price!(7.2)), price!(7.2), Some(price!(7.4))),
            (price!(7.3001), Some(price!(7.2)), price!(7.4), Some(price!(7.4))),
            (price!(2.01), Some(price!(2)), price!(2), Some(price!(2.02))),
            (price!(1.9951), Some(price!(1.99)), price!(2), Some(price!(2))),
            (price!(7.4), Some(price!(7.4)), price!(7.4), Some(price!(7.4))),
            (price!(1.004), None, price!(1.01), Some(price!(1.01))),
            (price!(1000.01), Some(price!(1000)), price!(1000), None),
        ] {
            assert_eq!(ladder.snap(raw, Snap::Down), down, "{raw} down");
            assert_eq!(ladder.snap(raw, Snap::Nearest), Some(nearest), "{raw} nearest");
            assert_eq!(ladder.snap(raw, Snap::Up), up, "{raw} up");
        }
    }

    #[test]
    fn bands_that_are_not_a_ladder_are_refused_with_a_sentence() {
        let band = |from, to, step_e4| Band { from, to, step_e4 };
        let good = band(price!(1.01), price!(2), 100);
        for (bands, sentence) in [
            (vec![], "a ladder has at least one band"),
            (vec![good; BANDS_MAX + 1], "a ladder has at most 16 bands"),
            (vec![band(price!(2), price!(2), 100)], "band 1 must end above its first price"),
            (
                vec![good, band(price!(2), price!(1.5), 100)],
                "band 2 must end above its first price",
            ),
            (vec![band(price!(2), price!(3), 300)], "band 1 must be a whole number of steps long"),
            (vec![band(price!(2), price!(3), 0)], "band 1 must be a whole number of steps long"),
            (
                vec![good, band(price!(2.02), price!(3), 200)],
                "band 2 must begin where the band before it ends",
            ),
        ] {
            assert_eq!(Ladder::new(&bands).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn an_operators_own_ladder_is_used_like_the_others() {
        let bands = [
            Band { from: price!(1.5), to: price!(2), step_e4: 2_500 },
            Band { from: price!(2), to: price!(4), step_e4: 10_000 },
        ];
        let ladder = Ladder::new(&bands).unwrap();
        let prices: Vec<_> = ladder.prices().map(|price| price.to_string()).collect();
        assert_eq!(prices, ["1.50", "1.75", "2.00", "3.00", "4.00"]);
        assert_eq!(ladder.bands().collect::<Vec<_>>(), bands);
        assert_eq!(Ladder::new(&Ladder::CLASSIC.bands().collect::<Vec<_>>()), Ok(Ladder::CLASSIC));
    }

    #[test]
    fn names_are_read_back() {
        for snap in [Snap::Down, Snap::Up, Snap::Nearest] {
            assert_eq!(snap.to_string().parse(), Ok(snap));
        }
        assert_eq!(
            "sideways".parse::<Snap>().unwrap_err().to_string(),
            "not a direction: it is one of down, up, nearest"
        );
        assert_eq!("349".parse(), Ok(Tick::new(349)));
        for text in ["", "-1", "+1", "1.5", "4294967296"] {
            assert_eq!(
                text.parse::<Tick>().unwrap_err().to_string(),
                "not a tick: it is a whole number from 0, the place of a price on its ladder"
            );
        }
    }
}
