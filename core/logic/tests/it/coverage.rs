//! Everything that may be said or told is said and told by some script.

use betring_core::event::{Event, EventReader};
use betring_core::reject::Reject;
use betring_core::script::{self, Report};
use std::collections::BTreeSet;

/// The name and the text of every script that holds.
pub(crate) fn every_script() -> Vec<(&'static str, &'static str)> {
    let files = [
        crate::archive::ALL,
        crate::capacity::ALL,
        crate::cash_outs::ALL,
        crate::corrections::ALL,
        crate::factors::ALL,
        crate::feeds::ALL,
        crate::funds::ALL,
        crate::groups::ALL,
        crate::holds::ALL,
        crate::in_play::ALL,
        crate::keys::ALL,
        crate::liability::ALL,
        crate::limits::ALL,
        crate::lines::ALL,
        crate::mended::ALL,
        crate::night_prices::ALL,
        crate::offers::ALL,
        crate::orders::ALL,
        crate::own_limits::ALL,
        crate::price_at_commit::ALL,
        crate::probes::ALL,
        crate::resolve::ALL,
        crate::restart::ALL,
        crate::settlement::ALL,
        crate::shedding::ALL,
        crate::suspension::ALL,
        crate::tickets::ALL,
        crate::tiers::ALL,
        crate::waits::ALL,
    ];
    files.concat()
}

fn reports() -> Vec<Report> {
    let scripts = every_script().into_iter().map(|(_, text)| script::check(text));
    scripts.chain(crate::rules::reports()).collect()
}

#[test]
fn every_refusal_and_every_event_is_produced_by_some_script() {
    let reports = reports();
    let mut said: BTreeSet<Reject> = reports.iter().flat_map(|r| r.rejects.clone()).collect();
    // These are the engine's: State never leads, never has credit, and counts no rates.
    said.extend([Reject::NotLeader, Reject::TooManyInFlight, Reject::RateLimited]);
    // This one comes before the first run: restart.rs.
    said.insert(Reject::Recovering);
    // What waited is refused in an event: its key was answered before.
    for record in reports.iter().flat_map(|report| &report.records) {
        for event in EventReader::new(&record.events) {
            if let Event::BetRejected(event) = event.unwrap() {
                said.extend(Reject::from_code(event.reject));
            }
        }
    }
    // As many as may wait are more than a script wants to write down: waits.rs.
    said.insert(Reject::TooManyPending);
    // And as many orders: orders.rs.
    said.insert(Reject::TooManyOrders);
    let missing: Vec<_> = Reject::ALL.iter().filter(|r| !said.contains(r)).collect();
    assert!(missing.is_empty(), "no script is refused {missing:?}");

    let mut told = BTreeSet::new();
    for record in reports.iter().flat_map(|report| &report.records) {
        for event in EventReader::new(&record.events) {
            told.insert(event.unwrap().name());
        }
    }
    // Every 65,536 sequences: digests.rs.
    told.insert("EventHash");
    let names = Event::LAYOUTS.iter().map(|(name, ..)| *name);
    let missing: Vec<_> = names.filter(|name| !told.contains(name)).collect();
    assert!(missing.is_empty(), "no script causes {missing:?}");
}
