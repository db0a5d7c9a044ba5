//! Each-way terms: how many places are paid, and at which fraction of the odds.

use std::fmt;

use crate::PlaceFraction;

/// The most bands of a table of place terms. The standard one has four.
pub const PLACE_BANDS_MAX: usize = 16;

/// How a place is paid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PlaceTerms {
    /// How many places are paid, at least 1.
    pub places: u8,
    /// The fraction of the odds they are paid at.
    pub fraction: PlaceFraction,
}

impl fmt::Display for PlaceTerms {
    /// As a bookmaker writes it: `1/4 1-2-3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.places {
            0 | 1 => write!(f, "{} 1", self.fraction),
            places => write!(f, "{} 1-{places}", self.fraction),
        }
    }
}

/// One row of a table: the terms from that many runners on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PlaceTermsBand {
    /// The fewest runners of the band.
    pub from: u16,
    /// The terms of races that are no handicaps; `None` is win only.
    pub plain: Option<PlaceTerms>,
    /// The terms of handicaps; `None` is win only.
    pub handicap: Option<PlaceTerms>,
}

/// The each-way terms of an operator by the size of the field, as data.
///
/// The terms that a bet has are those of the moment it was struck; a table only proposes them.
///
/// ```
/// use betring_pricing::PlaceTermsTable;
///
/// let table = PlaceTermsTable::STANDARD;
/// assert_eq!(table.terms(4, true), None);
/// assert_eq!(table.terms(16, true).unwrap().to_string(), "1/4 1-4");
/// assert_eq!(table.terms(16, false).unwrap().to_string(), "1/5 1-3");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PlaceTermsTable {
    /// Unused ones are never looked at.
    bands: [PlaceTermsBand; PLACE_BANDS_MAX],
    used: u8,
}

impl PlaceTermsTable {
    /// The standard terms of horse races (Betfair's developer documentation): up to 4 runners win
    /// only; 5 to 7, two places at 1/4; from 8 on, three at 1/5; handicaps of 12 to 15, three at
    /// 1/4, and of 16 and more, four at 1/4.
    pub const STANDARD: PlaceTermsTable = PlaceTermsTable::built(&[
        PlaceTermsBand {
            from: 5,
            plain: terms(2, PlaceFraction::QUARTER),
            handicap: terms(2, PlaceFraction::QUARTER),
        },
        PlaceTermsBand {
            from: 8,
            plain: terms(3, PlaceFraction::FIFTH),
            handicap: terms(3, PlaceFraction::FIFTH),
        },
        PlaceTermsBand {
            from: 12,
            plain: terms(3, PlaceFraction::FIFTH),
            handicap: terms(3, PlaceFraction::QUARTER),
        },
        PlaceTermsBand {
            from: 16,
            plain: terms(3, PlaceFraction::FIFTH),
            handicap: terms(4, PlaceFraction::QUARTER),
        },
    ]);

    /// Win only, whatever the field.
    pub const NONE: PlaceTermsTable = PlaceTermsTable::built(&[]);

    /// A table of an operator's own; without bands it is win only.
    ///
    /// # Errors
    ///
    /// If there are more than [`PLACE_BANDS_MAX`] bands, if they do not ascend by runners, if terms
    /// pay no place, or if they pay as many places as the smallest field of the band has runners.
    pub const fn new(bands: &[PlaceTermsBand]) -> Result<PlaceTermsTable, PlaceTermsError> {
        if PLACE_BANDS_MAX < bands.len() {
            return Err(PlaceTermsError::TooManyBands { bands: bands.len() });
        }
        let unused = PlaceTermsBand { from: u16::MAX, plain: None, handicap: None };
        let mut table = [unused; PLACE_BANDS_MAX];
        let mut at = 0;
        while at < bands.len() {
            let band = bands[at];
            if 0 < at && band.from <= bands[at - 1].from {
                return Err(PlaceTermsError::RunnersDoNotAscend { band: at });
            }
            if !leaves_losers(band.plain, band.from) || !leaves_losers(band.handicap, band.from) {
                return Err(PlaceTermsError::PlacesOutOfRange { band: at });
            }
            table[at] = band;
            at += 1;
        }
        Ok(PlaceTermsTable { bands: table, used: bands.len() as u8 })
    }

    const fn built(bands: &[PlaceTermsBand]) -> PlaceTermsTable {
        match PlaceTermsTable::new(bands) {
            Ok(table) => table,
            Err(_) => panic!("a table of this crate is a valid one"),
        }
    }

    /// The rows, from the smallest field on.
    pub fn bands(&self) -> &[PlaceTermsBand] {
        &self.bands[..self.used as usize]
    }

    /// The terms for that many runners; `None` is win only.
    pub const fn terms(&self, runners: u16, handicap: bool) -> Option<PlaceTerms> {
        let mut terms = None;
        let mut at = 0;
        while at < self.used as usize && self.bands[at].from <= runners {
            let band = self.bands[at];
            terms = if handicap { band.handicap } else { band.plain };
            at += 1;
        }
        terms
    }
}

const fn terms(places: u8, fraction: PlaceFraction) -> Option<PlaceTerms> {
    Some(PlaceTerms { places, fraction })
}

/// Whether at least one place is paid, and at least one runner can miss them all.
const fn leaves_losers(terms: Option<PlaceTerms>, runners: u16) -> bool {
    match terms {
        Some(terms) => 0 < terms.places && (terms.places as u16) < runners,
        None => true,
    }
}

/// Why bands are not a table of place terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlaceTermsError {
    /// More bands than [`PLACE_BANDS_MAX`].
    TooManyBands {
        /// How many there are.
        bands: usize,
    },
    /// That band, counted from 0, does not begin above the band before it.
    RunnersDoNotAscend {
        /// Its place, from 0.
        band: usize,
    },
    /// The terms of that band, counted from 0, pay no place, or every runner of its smallest field.
    PlacesOutOfRange {
        /// Its place, from 0.
        band: usize,
    },
}

impl fmt::Display for PlaceTermsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlaceTermsError::TooManyBands { bands } => write!(
                f,
                "a table of place terms has at most {PLACE_BANDS_MAX} bands, not {bands}: join some"
            ),
            PlaceTermsError::RunnersDoNotAscend { band } => write!(
                f,
                "band {} of the place terms does not begin above the one before it: order them \
                 from the fewest runners",
                band + 1
            ),
            PlaceTermsError::PlacesOutOfRange { band } => write!(
                f,
                "band {} of the place terms pays no place or every runner: pay at least one place, \
                 and fewer than the smallest field has runners",
                band + 1
            ),
        }
    }
}

impl std::error::Error for PlaceTermsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_terms_are_those_of_a_racecourse() {
        for (runners, handicap, written) in [
            (0, false, None),
            (4, true, None),
            (5, false, Some("1/4 1-2")),
            (7, true, Some("1/4 1-2")),
            (8, false, Some("1/5 1-3")),
            (8, true, Some("1/5 1-3")),
            (11, true, Some("1/5 1-3")),
            (12, false, Some("1/5 1-3")),
            (12, true, Some("1/4 1-3")),
            (15, true, Some("1/4 1-3")),
            (16, false, Some("1/5 1-3")),
            (16, true, Some("1/4 1-4")),
            (u16::MAX, true, Some("1/4 1-4")),
        ] {
            let terms = PlaceTermsTable::STANDARD.terms(runners, handicap);
            let terms = terms.map(|terms| terms.to_string());
            assert_eq!(terms.as_deref(), written, "{runners} runners, handicap: {handicap}");
        }
        assert_eq!(PlaceTermsTable::NONE.terms(20, true), None);
    }

    #[test]
    fn a_table_of_nonsense_is_refused_with_a_sentence() {
        let band = |from, places| PlaceTermsBand {
            from,
            plain: terms(places, PlaceFraction::FIFTH),
            handicap: None,
        };
        assert!(PlaceTermsTable::new(&[band(3, 2), band(5, 3)]).is_ok());
        let order = "band 2 of the place terms does not begin above the one before it: order them \
                     from the fewest runners";
        let places = "band 1 of the place terms pays no place or every runner: pay at least one \
                      place, and fewer than the smallest field has runners";
        for (bands, sentence) in [
            (
                vec![band(3, 2); PLACE_BANDS_MAX + 1],
                "a table of place terms has at most 16 bands, not 17: join some",
            ),
            (vec![band(5, 2), band(5, 2)], order),
            (vec![band(5, 0)], places),
            (vec![band(3, 3)], places),
        ] {
            assert_eq!(PlaceTermsTable::new(&bands).unwrap_err().to_string(), sentence);
        }
    }
}
