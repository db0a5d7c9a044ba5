//! An operator's policies as data: a numbered set of them is recorded on every bet.
//!
//! Set 0 is what the journal was born with. [`crate::command::PublishRules`] adds the next; a bet keeps
//! the set under which it was placed for all its life, so a change never touches a bet that stands.

use crate::command::{
    Genesis, HoldBind, PayoutCap, PriceFailure, RoundingPlace, rounding_code, rounding_mode,
};
use crate::reject::Malformed;
use crate::time::Nanos;
use crate::wire::Name;
use betring_pricing::{
    Bonus, BonusTable, PLACE_BANDS_MAX, Pence, PlaceFraction, PlaceTerms, PlaceTermsBand,
    PlaceTermsTable, Price, RULE4_BANDS_MAX, Rounding, RoundingMode, RoundingPoint, Rule4Band,
    Rule4Table,
};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Sets of rules that a journal may have.
pub const RULESETS_MAX: usize = 256;

/// One band of a table of deductions: `0 longest e4 u32, 4 pence u8, 5 zero [u8; 3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rule4Row {
    /// The longest decimal price of the withdrawn runner, in ten-thousandths; 0 in rows that are not used.
    pub longest: u32,
    /// Pence per pound of winnings.
    pub pence: u8,
    /// Zero.
    pub zero: [u8; 3],
}

/// One band of each-way terms: `0 from u16, 2 plain 3 × u8, 5 handicap 3 × u8`, each of these the places
/// that are paid and the part of the odds, numerator and denominator; zeros are win only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PlaceRow {
    /// From so many runners; 0 in rows that are not used.
    pub from: u16,
    /// The terms of races that are no handicaps.
    pub plain: [u8; 3],
    /// The terms of handicaps.
    pub handicap: [u8; 3],
}

/// A set of rules as it travels, 448 bytes.
///
/// ```text
///   0 name [u8; 64]     64 rounding u8      65 rounding_place u8  66 price_failure u8  67 payout_cap u8
///  68 certainty u8      69 rule4_cap u8     70 lucky 3 × 2 × u8   76 lines_max u32     80 legs_max u8
///  81 hold_bind u8      82 zero [u8; 2]     84 refer_percent u32
///  88 offer_ttl i64     96 refer_ttl i64   104 cash_out_age i64  112 cash_out_margin u32 (parts per million)
/// 116 zero [u8; 4]     120 rule4 20 × 8    280 places 16 × 8     408 hold_ttl i64
/// 416 zero [u8; 32]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ruleset {
    /// What people call it.
    pub name: Name,
    /// [`RoundingMode`] by [`rounding_code`].
    pub rounding: u8,
    /// [`RoundingPlace`].
    pub rounding_place: u8,
    /// [`PriceFailure`].
    pub price_failure: u8,
    /// [`PayoutCap`].
    pub payout_cap: u8,
    /// Results are settled from this certainty on: 1 as seen live, 2 only as confirmed. A market has one
    /// result for all its bets: what holds is the set in force when the result comes, whatever set a
    /// bet was placed under. A result that is not sure enough is noted, and closes nothing.
    pub certainty: u8,
    /// All deductions together take no more than this, in pence per pound.
    pub rule4_cap: u8,
    /// For lucky 15, 31 and 63: by how much the odds of a single winner are multiplied (0: not, at most
    /// 8, 16 and 32), and how many percent of the winnings are added when all win.
    pub lucky: [[u8; 2]; 3],
    /// The most lines of a ticket; rounded line by line, at most 1,023.
    pub lines_max: u32,
    /// The most legs of a ticket, 1 to 25.
    pub legs_max: u8,
    /// [`HoldBind`].
    pub hold_bind: u8,
    /// Zero.
    pub pad: [u8; 2],
    /// Stakes and liabilities up to so many percent of their limits are shown to a trader instead of
    /// being refused; 0 or 100: none is.
    pub refer_percent: u32,
    /// How long an offer stands.
    pub offer_ttl: Nanos,
    /// How long a trader has to answer.
    pub refer_ttl: Nanos,
    /// Prices older than this buy no bet back. At most a day.
    pub cash_out_age: Nanos,
    /// What the house keeps of a bet's fair value, in parts per million.
    pub cash_out_margin: u32,
    /// Zero.
    pub pad2: [u8; 4],
    /// What withdrawn runners take from winnings, by their prices, shortest first.
    pub rule4: [Rule4Row; RULE4_BANDS_MAX],
    /// Each-way terms by the number of runners.
    pub places: [PlaceRow; PLACE_BANDS_MAX],
    /// How long an external wallet has to confirm a stake, from 1 ns to a day.
    pub hold_ttl: Nanos,
    /// Zero.
    pub zero: [u8; 32],
}

const _: () =
    assert!(size_of::<Ruleset>() == 448 && RULE4_BANDS_MAX == 20 && PLACE_BANDS_MAX == 16);
/// All lines of the largest full cover bet, each way.
const LINES_MAX: u32 = 1 << 26;

impl Ruleset {
    /// The usual: rounded down once a bet, refused above the cap, settled as seen live, Tattersalls'
    /// deductions, the standard place terms, no bonuses, any lines of up to 25 legs, no referrals.
    pub fn standard(name: Name) -> Ruleset {
        let mut set = Ruleset {
            name,
            rounding: rounding_code(RoundingMode::Down),
            rounding_place: RoundingPlace::Bet as u8,
            price_failure: PriceFailure::Refuse as u8,
            payout_cap: PayoutCap::Refuse as u8,
            certainty: 1,
            rule4_cap: Pence::MAX.get(),
            lines_max: LINES_MAX,
            legs_max: 25,
            refer_percent: 0,
            offer_ttl: Nanos::from_secs(5),
            refer_ttl: Nanos::from_secs(30),
            cash_out_age: Nanos::from_millis(300),
            cash_out_margin: 0,
            hold_bind: HoldBind::AtConfirm as u8,
            hold_ttl: Nanos::from_secs(5),
            ..Ruleset::new_zeroed()
        };
        set.set_rule4(&Rule4Table::TATTERSALLS);
        set.set_places(&PlaceTermsTable::STANDARD);
        set
    }

    /// The standard set as far as the journal's birth does not say otherwise.
    pub(crate) fn of_genesis(genesis: &Genesis) -> Ruleset {
        Ruleset {
            rounding: genesis.rounding,
            price_failure: genesis.price_failure,
            offer_ttl: genesis.offer_ttl,
            ..Ruleset::standard(Name::new("genesis").expect("a name"))
        }
    }

    /// Takes a table of deductions, and its cap.
    pub fn set_rule4(&mut self, table: &Rule4Table) {
        self.rule4 = FromZeros::new_zeroed();
        self.rule4_cap = table.cap().get();
        for (row, band) in self.rule4.iter_mut().zip(table.bands()) {
            *row = Rule4Row { longest: band.longest.e4(), pence: band.pence.get(), zero: [0; 3] };
        }
    }

    /// Takes a table of each-way terms.
    pub fn set_places(&mut self, table: &PlaceTermsTable) {
        let row = |terms: Option<PlaceTerms>| match terms {
            Some(t) => [t.places, t.fraction.num(), t.fraction.den()],
            None => [0; 3],
        };
        self.places = FromZeros::new_zeroed();
        for (to, band) in self.places.iter_mut().zip(table.bands()) {
            let (plain, handicap) = (row(band.plain), row(band.handicap));
            *to = PlaceRow { from: band.from, plain, handicap };
        }
    }

    pub(crate) fn check(&self) -> Result<(), Malformed> {
        let is = |good: bool, otherwise| if good { Ok(()) } else { Err(otherwise) };
        self.name.text()?;
        let pads = [&self.pad[..], &self.pad2, &self.zero];
        is(pads.iter().all(|pad| pad.iter().all(|b| *b == 0)), Malformed::NotZero)?;
        is(self.rule4.iter().all(|row| row.zero == [0; 3]), Malformed::NotZero)?;
        is(RoundingPlace::from_code(self.rounding_place).is_some(), Malformed::Choice)?;
        is(PayoutCap::from_code(self.payout_cap).is_some(), Malformed::Choice)?;
        is(PriceFailure::from_code(self.price_failure).is_some(), Malformed::Choice)?;
        is((1..=2).contains(&self.certainty), Malformed::Range)?;
        is((1..=LINES_MAX).contains(&self.lines_max), Malformed::Range)?;
        is((1..=25).contains(&self.legs_max), Malformed::Range)?;
        is(self.refer_percent <= 100_000, Malformed::Range)?;
        is(self.cash_out_margin < 1_000_000, Malformed::Range)?;
        is(HoldBind::from_code(self.hold_bind).is_some(), Malformed::Choice)?;
        for span in [self.offer_ttl, self.refer_ttl, self.cash_out_age, self.hold_ttl] {
            is(Nanos::ZERO < span && span <= Nanos::from_secs(86_400), Malformed::Range)?;
        }
        is(self.rules().is_some(), Malformed::Range)
    }

    /// What is looked up while betting, made once.
    pub(crate) fn rules(&self) -> Option<HouseSet> {
        let rows = self.rule4.iter().take_while(|row| row.longest != 0);
        let band = |row: &Rule4Row| {
            Some(Rule4Band { longest: Price::from_e4(row.longest)?, pence: Pence::new(row.pence)? })
        };
        let used = rows.clone().count();
        let mut bands = [Rule4Band { longest: Price::MAX, pence: Pence::ZERO }; RULE4_BANDS_MAX];
        for (to, row) in bands.iter_mut().zip(rows) {
            *to = band(row)?;
        }
        let empty = Rule4Row::new_zeroed();
        if self.rule4[used..].iter().any(|row| *row != empty) {
            return None;
        }
        let rule4 = Rule4Table::new(&bands[..used], Pence::new(self.rule4_cap)?).ok()?;

        let rows = self.places.iter().take_while(|row| row.from != 0);
        let used = rows.clone().count();
        let terms = |[places, num, den]: [u8; 3]| match (places, num, den) {
            (0, 0, 0) => Some(None),
            _ => Some(Some(PlaceTerms { places, fraction: PlaceFraction::new(num, den)? })),
        };
        let mut bands = [PlaceTermsBand { from: 1, plain: None, handicap: None }; PLACE_BANDS_MAX];
        for (to, row) in bands.iter_mut().zip(rows) {
            let (plain, handicap) = (terms(row.plain)?, terms(row.handicap)?);
            *to = PlaceTermsBand { from: row.from, plain, handicap };
        }
        let empty = PlaceRow::new_zeroed();
        if self.places[used..].iter().any(|row| *row != empty) {
            return None;
        }
        let places = PlaceTermsTable::new(&bands[..used]).ok()?;

        // A single winner may never bring more than all of them: 2^(n−1) lines hold it.
        let most = [8, 16, 32];
        if self.lucky.iter().zip(most).any(|([one_winner, _], most)| most < *one_winner) {
            return None;
        }
        let lucky = |[one_winner, all_winners]: [u8; 2]| Bonus { one_winner, all_winners };
        let [lucky15, lucky31, lucky63] = self.lucky.map(lucky);
        let point = match RoundingPlace::from_code(self.rounding_place)? {
            RoundingPlace::Bet => RoundingPoint::Bet,
            RoundingPlace::Line => RoundingPoint::Line,
        };
        Some(HouseSet {
            rounding: Rounding { mode: rounding_mode(self.rounding)?, point },
            price_failure: PriceFailure::from_code(self.price_failure)?,
            payout_cap: PayoutCap::from_code(self.payout_cap)?,
            rule4,
            places,
            lucky: BonusTable { lucky15, lucky31, lucky63 },
        })
    }
}

/// A set of rules with its tables ready for use.
#[derive(Clone, Debug)]
pub(crate) struct HouseSet {
    pub(crate) rounding: Rounding,
    pub(crate) price_failure: PriceFailure,
    pub(crate) payout_cap: PayoutCap,
    pub(crate) rule4: Rule4Table,
    pub(crate) places: PlaceTermsTable,
    pub(crate) lucky: BonusTable,
}
