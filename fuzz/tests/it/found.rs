//! What the simulator and the auditor have found, as scripts and as the shortest stories of the disk.

use betring::{Clock, Config, Engine, Layout};
use betring_core::HouseRules;
use betring_core::command::*;
use betring_core::id::{MarketId, RequestKey};
use betring_core::reject::Reject;
use betring_core::script::{Desk, check};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Header};
use betring_fuzz::sim;
use betring_fuzz::world::{Disk, Failing};
use betring_journal::{EpochInfo, Journal, Options, RecordMeta};
use zerocopy::IntoBytes;

fn info(epoch: u32) -> EpochInfo {
    EpochInfo { epoch, logic_version: 1, rules_id: 1, rules_version: 1 }
}

fn meta(seq: u64) -> RecordMeta {
    RecordMeta { kind: 1, ver: 1, flags: 0, seq, ts: seq as i64 }
}

/// A sync failed and dropped what it had; the process ended; the next one found the frame in the page
/// cache, took it for durable and went on in a new segment. The next power cut took the frame away, and the
/// journal refused to open.
#[test]
fn a_frame_whose_sync_failed_is_not_built_upon() {
    for seed in 0..40 {
        let disk = Disk::new(seed);
        let open = |disk: &Disk| {
            Journal::open(disk.clone(), Options::small(16 << 10), 7, &mut |_| {}).unwrap()
        };
        let mut writer = open(&disk).begin_epoch(info(1)).unwrap();
        writer.append(meta(1), b"acknowledged").unwrap();
        writer.seal_and_sync().unwrap();
        writer.append(meta(2), b"never acknowledged").unwrap();
        disk.fail_after(1, Failing::SyncDrops);
        writer.seal_and_sync().unwrap_err();
        drop(writer);

        let disk = disk.kill(seed);
        let opened = open(&disk);
        let (epoch, next) = (opened.next_epoch(), opened.next_seq());
        let mut writer = opened.begin_epoch(info(epoch)).unwrap();
        writer.append(meta(next), b"acknowledged after the restart").unwrap();
        writer.seal_and_sync().unwrap();
        drop(writer);

        let mut opened = open(&disk.power_cut(seed));
        let mut records = Vec::new();
        while let Some(record) = opened.next_record().unwrap() {
            records.push(record.payload.to_vec());
        }
        assert_eq!(records.first().unwrap(), b"acknowledged");
        assert_eq!(records.last().unwrap(), b"acknowledged after the restart");
    }
}

/// Bets on a non-runner were kept out of what a market can lose, and then paid if the result named it a
/// winner.
#[test]
fn a_bet_on_a_non_runner_is_void_whatever_the_result_says() {
    check(
        "
        fund A1 100.00
        quote M1 3.00 2.00
        place R1 A1 M1/1 10.00 3.00          -> B1 at 3.00 returns 30.00
        place R2 A1 M1/2 10.00 2.00          -> B2 at 2.00 returns 20.00
        non-runner M1 1
        result M1 1
        bet B1                               -> Void 10.00
        bet B2                               -> Lost
        balance A1                           -> 90.00
        ",
    );
}

/// Limits for a market that was not named became the limits of every market.
#[test]
fn limits_of_no_market_are_refused() {
    let genesis = sim::setup_of(1).genesis;
    let capacities = Capacities { currencies: 2, ..sim::setup_of(1).capacities };
    let now = Timestamp(sim::START);
    let mut desk = Desk::open(HouseRules, now, genesis, capacities).unwrap();
    let valid_until = now.plus(Nanos::from_secs(1));
    let header = |key| Header { account: 1, key: RequestKey(key), ..Header::default() };
    let register = RegisterActor { valid_until, ..RegisterActor::default() };
    let slots =
        build::register_actor(Header { account: 0, ..header(1) }, register, "anna").unwrap();
    desk.ask(now, slots.as_bytes()).unwrap();
    let limits = SetLimits {
        valid_until,
        scope: LimitScope::Market as u8,
        currency: 826,
        market: MarketId::NONE,
        limits: genesis.limits,
        ..SetLimits::default()
    };
    let slots = wire::slots(header(2), &limits, &[]);
    let reply = desk.ask(now, slots.as_bytes()).unwrap();
    assert_eq!(reply.answer.reject(), Some(Reject::MarketUnknown));
}

/// A run that ended before its first record was durable had used up its number, and the next start was refused
/// for not being one more than the last run that had a record.
#[test]
fn an_engine_that_stops_anywhere_in_its_starts_can_be_started_again() {
    let config = || {
        Config::at("nowhere")
            .layout(Layout::Inline)
            .clock(Clock::manual(Timestamp(sim::START)))
            .secret([7; 16])
            .clients(2, 64)
            .segment_bytes(1 << 20)
            .segments_ahead(0)
            .capacities(sim::setup_of(1).capacities)
    };
    let start = |disk: &Disk| Engine::open_on(disk.clone(), config(), HouseRules, &mut |_| {});
    // Making a segment takes some 260 operations; what matters comes behind them.
    for dies in (1..20).chain(255..310).step_by(2) {
        let mut disk = Disk::new(dies);
        for _ in 0..2 {
            disk.die_after(dies);
            drop(start(&disk));
            disk.die();
            disk = disk.power_cut(dies);
        }
        let opened = start(&disk);
        assert!(opened.is_ok(), "stopped twice at operation {dies}: {}", opened.unwrap_err());
    }
}

/// A snapshot got its name, and the sync of the directory failed: nobody was told of it. The next one that was
/// asked for was the same, was there already, and was told of; the next power cut took its name.
#[test]
fn a_snapshot_that_was_there_already_is_durable_when_it_is_told_of() {
    let mut told = 0;
    for fails in 1..60 {
        let disk = Disk::new(fails);
        let config = Config::at("nowhere")
            .layout(Layout::Inline)
            .clock(Clock::manual(Timestamp(sim::START)))
            .secret([7; 16])
            .clients(2, 64)
            .segment_bytes(1 << 20)
            .segments_ahead(0)
            .capacities(sim::setup_of(1).capacities);
        let engine = Engine::open_on(disk.clone(), config, HouseRules, &mut |_| {}).unwrap();
        disk.fail_after(fails, Failing::Error);
        let first = engine.snapshot();
        disk.heal();
        let there = betring_journal::snapshots(&disk.aside()).unwrap();
        let second = engine.snapshot().unwrap();
        if first.is_ok() || there.is_empty() {
            continue;
        }
        told += 1;
        for seed in 0..10 {
            let left = betring_journal::snapshots(&disk.power_cut(seed)).unwrap();
            assert_eq!(left, [second.seq.0], "failed at operation {fails}, power cut {seed}");
        }
    }
    assert!(0 < told, "it failed once between the name and the sync of the directory");
}
