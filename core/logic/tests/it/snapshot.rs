//! A state taken as bytes in the middle of a night decides the rest of it as the one that was never
//! taken.

use crate::model::{any_line, night};
use betring_core::event::Events;
use betring_core::script::{self, Record};
use betring_core::{HouseRules, Stamp, State};
use proptest::prelude::*;

/// Decides records again, and compares what each causes byte for byte.
fn go_on(state: &mut State, records: &[Record]) -> Result<(), String> {
    let mut events = Events::new();
    for record in records {
        let stamp = Stamp { seq: record.seq, at: record.at };
        let reply = state.replay(stamp, &record.command, &mut events);
        reply.map_err(|e| format!("{}: {e}", record.seq))?;
        if events.as_bytes() != record.events {
            return Err(format!("{}: other events", record.seq));
        }
    }
    state.check()
}

/// Takes the state after so many records, and goes on from its bytes.
fn taken_at(records: &[Record], cut: usize, whole: &str) -> Result<(), String> {
    let mut state = State::new(HouseRules);
    go_on(&mut state, &records[..cut])?;
    let image = state.image().map_err(|e| e.to_string())?;
    let back = State::from_image(HouseRules, &image, state.digest());
    let mut back = back.map_err(|e| format!("after {cut}: {e}"))?;
    back.check()?;
    let again = back.image().map_err(|e| e.to_string())?;
    if again.as_slice() != image.as_slice() {
        return Err(format!("after {cut}: its image is another one"));
    }
    go_on(&mut back, &records[cut..]).map_err(|e| format!("taken after {cut}: {e}"))?;
    if back.digest().to_string() != whole {
        return Err(format!("taken after {cut}: another state at the end"));
    }
    // And what was taken of is as it was.
    go_on(&mut state, &records[cut..])?;
    let same = state.digest().to_string() == whole;
    same.then_some(()).ok_or_else(|| format!("taking it after {cut} changed it"))
}

#[test]
fn a_day_goes_on_from_a_snapshot_after_every_single_record() {
    let report = script::check(crate::digests::DAY);
    for cut in 0..=report.records.len() {
        // Before Genesis there is nothing to take.
        if 0 < cut {
            taken_at(&report.records, cut, &report.digest).unwrap();
        }
    }
}

/// Every script of these tests, each taken in three places.
#[test]
fn every_script_goes_on_from_a_snapshot() {
    let all = crate::coverage::every_script();
    assert!(100 < all.len(), "{} scripts", all.len());
    for (name, text) in all {
        let report = script::check(text);
        let n = report.records.len();
        for cut in [n / 3, n / 2, n - 1] {
            let taken = taken_at(&report.records, cut.max(1), &report.digest);
            taken.unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::cases(96),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_random_night_goes_on_from_a_snapshot_taken_anywhere(
        lines in prop::collection::vec(any_line(), 1..120),
        on_failure in prop::sample::select(vec!["refuse", "offer"]),
        place in any::<prop::sample::Index>(),
    ) {
        let report = night(&lines, on_failure);
        let report = report.map_err(|failure| TestCaseError::fail(failure.to_string()))?;
        let cut = 1 + place.index(report.records.len());
        taken_at(&report.records, cut, &report.digest).map_err(TestCaseError::fail)?;
    }
}
