//! Digests that find two machines which no longer agree, and layouts of events that never change.

use crate::restart::{begun, first_two};
use crate::wire::{golden, hex};
use betring_core::command::{Step, Tick};
use betring_core::event::{Event, Events};
use betring_core::id::Seq;
use betring_core::time::Timestamp;
use betring_core::wire::{self, Header};
use betring_core::{HASH_EVERY, HouseRules, LOGIC_VERSION, Stamp, State, script};
use std::fmt::Write as _;
use zerocopy::IntoBytes;

/// A day at the races that touches everything which is in a digest.
pub(crate) const DAY: &str = "
    house on-failure offer ttl 5s budget 2
    actor anna
    feed F1 silence 10s delay 50ms schema 7
    feed F2 silence 10s
    recovering F1 seq 1 request 5 schema 7
    recovered F1 seq 2 request 5 schema 7
    recovered F2
    group G1 F1 F2
    tier 1 age 1s cash-out-age 300ms drift 2% dwell 1m band 50% liability step 25% 2 ticks 3 steps
    fixture X1 starts 1h
    market M1 cup Home Draw Away group G1 tier 1 fixture X1 bound 1s
    open M1 by anna reason 7
    fund A7 100.00
    fund A8 50.00 EUR
    limits M1 GBP max 60.00
    limits EUR max 40.00
    @10ms prices M1 2.50 10/11 4.00 seq 3 source 1ms schema 7
    prices M1 2.60 1.90 4.00 feed F2
    prices M1 Away 9.00 feed F2
    @20ms place R1 A7 M1 10.00 2.50 seen 1       -> B1
    @30ms place R2 A8 M1/Draw 11.00 any          -> B2
    @40ms place R3 A7 M1/Away 5.00 4.10          -> offer B3
    @50ms accept R4 A7 B3                        -> B3
    @60ms place R5 A7 M1/Away 5.00 4.10          -> offer B4
    suspend M1 governor
    place R6 A7 M1 1.00 any                      -> MarketSuspended
    release M1 governor
    @70ms decline R7 A7 B4
    resolve A8 R9                                -> NeverPlaced
    block A8
    @80ms quote M2 1.50
    account A9 probe
    fund A9 5.00
    place R8 A9 M2 2.00 1.40 better synthetic    -> B5
    factor X1 50%
    shedding on by anna reason 7
    own-limit K1 A9 stake day 20.00
    own-limit K2 A9 stake day 30.00
    exclude A8 until @1h
    account A12 wallet
    rules night hold place hold-ttl 1h on-failure offer
    place R9 A12 M2 2.00 any                     -> pending B6
    quarantine A8 R10
    lift A8 R10
    pin M1/Away 4.20
    suspend M1/Home backup
    @90ms prices M1 Away 4.10 seq 4 source 2ms schema 7
    assign M2 1
    gap F1 connection
    @1s heartbeat F1 seq 5 schema 8
    schema F1 0
    switch G1 backup
    take M1/Away
    non-runner M1 Away
    unpin M1/Away
    @2s restart
    @3s result M1 Home void Away
    @4s archive M1
    @11m open M2
";

#[test]
fn a_day_has_the_bytes_and_the_digest_it_always_had() {
    let report = script::check(DAY);
    let mut text = format!("logic version {LOGIC_VERSION}\nstate digest {}\n", report.digest);
    for record in &report.records {
        let kind = record.kind().unwrap();
        writeln!(text, "\n{} {kind} at {}", record.seq, record.at).unwrap();
        text += &hex(&record.events);
    }
    golden("day.hex", &text);
}

#[test]
fn every_event_has_the_layout_it_always_had() {
    let rows = Event::LAYOUTS.iter().map(|(name, code, bytes)| format!("{code} {name} {bytes}\n"));
    golden("events.txt", &rows.collect::<String>());
}

#[test]
fn every_line_of_a_day_changes_the_digest() {
    let whole = script::check(DAY).digest;
    let mut lines: Vec<&str> = DAY.trim().lines().map(str::trim).collect();
    let mut seen = vec![whole];
    // From the end: every shorter day is another state.
    while 1 < lines.len() {
        lines.pop();
        let digest = script::check(&lines.join("\n")).digest;
        assert!(!seen.contains(&digest), "after {}", lines.last().unwrap());
        seen.push(digest);
    }
}

#[test]
fn the_running_hash_stands_in_the_journal_every_so_often() {
    fn run(state: &mut State, other: bool) -> Vec<(u64, u64, u64)> {
        let mut events = Events::new();
        let tick = wire::slot(Header::default(), &Tick::default());
        let step = wire::slot(Header::default(), &Step { budget: 1, ..Step::default() });
        let mut hashes = Vec::new();
        for seq in 3..=2 * HASH_EVERY {
            let bytes = if other && seq == 5 { step.as_bytes() } else { tick.as_bytes() };
            let stamp = Stamp { seq: Seq(seq), at: Timestamp(seq as i64) };
            state.replay(stamp, bytes, &mut events).unwrap();
            for event in events.iter() {
                if let Ok(Event::EventHash(hash)) = event {
                    hashes.push((seq, hash.hash, hash.events));
                }
            }
        }
        hashes
    }
    let begin: fn() -> State<HouseRules> = || begun(&first_two());
    let hashes = run(&mut begin(), false);
    let at: Vec<u64> = hashes.iter().map(|(seq, ..)| *seq).collect();
    assert_eq!(at, [HASH_EVERY, 2 * HASH_EVERY]);
    assert!(hashes[0].1 != 0 && hashes[0].1 != hashes[1].1);
    assert_eq!(hashes, run(&mut begin(), false), "the same journal, the same hashes");
}
