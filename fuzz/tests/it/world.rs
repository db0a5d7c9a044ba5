//! The disk lies as it says, and repeats every lie for the same seed.

use betring_fuzz::world::{Disk, Failing, Hurt, Lie, SECTOR};
use betring_journal::{Store, StoreFile, StoreMap};

fn written(disk: &Disk, name: &str, bytes: &[u8]) {
    let mut file = disk.create_new(name).unwrap();
    file.write_at(0, bytes).unwrap();
    file.sync().unwrap();
    disk.sync_dir().unwrap();
}

fn content(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    disk.files().into_iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes)
}

#[test]
fn what_was_synced_survives_every_power_cut() {
    let disk = Disk::new(1);
    written(&disk, "a", &[7; 4 * SECTOR]);
    let mut file = disk.open_write("a").unwrap();
    file.write_at(SECTOR as u64, &[9; SECTOR]).unwrap();
    let (mut old, mut new, mut torn) = (0, 0, 0);
    for seed in 0..300 {
        let after = content(&disk.power_cut(seed), "a").unwrap();
        assert_eq!(after[..SECTOR], [7; SECTOR], "seed {seed}: the sector before");
        assert_eq!(after[2 * SECTOR..], [7; 2 * SECTOR], "seed {seed}: those behind");
        match &after[SECTOR..2 * SECTOR] {
            sector if sector == [7; SECTOR] => old += 1,
            sector if sector == [9; SECTOR] => new += 1,
            _ => torn += 1,
        }
    }
    assert!(0 < old && 0 < new && 0 < torn, "{old} old, {new} new, {torn} garbage");
}

#[test]
fn a_name_without_a_sync_of_the_directory_may_be_gone_and_may_not() {
    let disk = Disk::new(1);
    written(&disk, "a", &[1; SECTOR]);
    disk.rename("a", "b").unwrap();
    let there = |seed, name| content(&disk.power_cut(seed), name).is_some();
    assert!((0..50).any(|seed| there(seed, "a")) && (0..50).any(|seed| there(seed, "b")));
    assert!((0..50).all(|seed| there(seed, "a") != there(seed, "b")), "one of both, never both");
    disk.sync_dir().unwrap();
    assert!((0..50).all(|seed| there(seed, "b")));
}

#[test]
fn a_sync_that_fails_once_drops_what_it_had_and_the_next_one_does_not_bring_it_back() {
    let disk = Disk::new(1);
    written(&disk, "a", &[7; SECTOR]);
    let mut map = disk.open_write("a").unwrap().map().unwrap();
    map.store(0, &[9; SECTOR]);
    disk.fail_after(1, Failing::SyncDrops);
    assert!(map.sync_range(0, SECTOR as u64).is_err());
    assert!(map.sync_range(0, SECTOR as u64).is_ok(), "and says that all is well");
    assert_eq!(map.bytes(), [9; SECTOR], "the program still sees it");
    for seed in 0..50 {
        assert_eq!(content(&disk.power_cut(seed), "a").unwrap(), [7; SECTOR], "seed {seed}");
    }
    disk.open_write("a").unwrap().forget_cached().unwrap();
    assert_eq!(content(&disk, "a").unwrap(), [7; SECTOR], "now the program sees what is there");
}

#[test]
fn after_the_machine_stopped_nothing_is_stored_and_every_call_fails() {
    let disk = Disk::new(1);
    written(&disk, "a", &[7; SECTOR]);
    let mut map = disk.open_write("a").unwrap().map().unwrap();
    disk.die_after(1);
    map.store(0, &[9; SECTOR]);
    map.store(0, &[5; SECTOR]);
    assert!(map.sync_range(0, SECTOR as u64).is_err() && disk.list().is_err());
    let after = content(&disk.kill(3), "a").unwrap();
    assert!(after.iter().all(|byte| *byte != 5), "what came later is nowhere");
}

#[test]
fn a_full_disk_refuses_what_needs_space_until_there_is_some() {
    let disk = Disk::new(1);
    written(&disk, "a", &[7; SECTOR]);
    disk.fail_after(1, Failing::NoSpace);
    let full = |e: std::io::Error| e.kind() == std::io::ErrorKind::StorageFull;
    assert!(disk.create_new("b").is_err_and(full));
    let mut file = disk.open_write("a").unwrap();
    assert!(file.write_at(0, &[8; SECTOR]).is_ok(), "what is there may be written again");
    assert!(file.write_at(SECTOR as u64, &[8]).is_err_and(full));
    disk.heal();
    assert!(disk.create_new("b").is_ok());
}

#[test]
fn dirty_sectors_are_written_back_though_nobody_asked() {
    let disk = Disk::new(1);
    written(&disk, "a", &[7; SECTOR]);
    disk.write_back(1_000);
    let mut map = disk.open_write("a").unwrap().map().unwrap();
    map.store(0, &[9; SECTOR]);
    // Any other operation is followed by a write-back.
    disk.list().unwrap();
    disk.write_back(0);
    assert!(0 < disk.counts().written_back);
    let kept = |seed| content(&disk.power_cut(seed), "a").unwrap() == [9; SECTOR];
    assert!((0..50).all(kept));
}

#[test]
fn every_lie_changes_what_is_read_and_the_same_seed_tells_the_same() {
    for lie in [Lie::Flip, Lie::Misdirected, Lie::Lost, Lie::Stale] {
        let told = |seed| {
            let disk = Disk::new(1);
            written(&disk, "a", &[7; 8 * SECTOR]);
            let mut file = disk.open_write("a").unwrap();
            file.write_at(0, &[9; 4 * SECTOR]).unwrap();
            file.sync().unwrap();
            let lied = disk.lie(lie, seed).expect("there is something to lie about");
            let mut read = vec![0; 8 * SECTOR];
            disk.open_read("a").unwrap().read_at(0, &mut read).unwrap();
            (lied, read)
        };
        let sound = [[9; 4 * SECTOR], [7; 4 * SECTOR]].concat();
        for seed in 0..20 {
            let (lied, read) = told(seed);
            assert_ne!(read, sound, "{lied}");
            assert_eq!((lied, read), told(seed), "seed {seed}");
        }
    }
}

#[test]
fn a_bit_may_flip_in_what_was_never_synced() {
    for seed in 0..50 {
        let disk = Disk::new(seed);
        let mut file = disk.create_new("a").unwrap();
        file.write_at(0, &[7; SECTOR]).unwrap();
        assert!(disk.lie(Lie::Flip, seed).is_some(), "seed {seed}");
        assert_ne!(content(&disk, "a").unwrap(), [7; SECTOR], "seed {seed}");
    }
}

#[test]
fn a_file_that_moves_to_another_directory_may_have_both_names_after_a_power_cut_and_never_none() {
    let disk = Disk::new(1);
    written(&disk, "a", &[1; SECTOR]);
    disk.rename("a", "archive/a").unwrap();
    let there = |seed, name| content(&disk.power_cut(seed), name).is_some();
    assert!((0..200).all(|seed| there(seed, "a") || there(seed, "archive/a")));
    let both = (0..200).find(|&seed| there(seed, "a") && there(seed, "archive/a"));
    let disk = disk.power_cut(both.expect("both in one of 200 power cuts"));
    disk.rename("a", "archive/a").unwrap();
    assert!(content(&disk, "a").is_some(), "two names of one file: nothing is done");
}

#[test]
fn what_is_hurt_at_rest_is_hurt_on_the_device_too() {
    let sound = [7; 2 * SECTOR];
    let at = SECTOR as u64;
    let zeroed = [[7; SECTOR], [0; SECTOR]].concat();
    let flipped = [[7; SECTOR].as_slice(), &[3], &[7; SECTOR - 1]].concat();
    let hurts = [
        (Hurt::Flip { at, bit: 2 }, Some(flipped)),
        (Hurt::Truncate(at), Some(vec![7; SECTOR])),
        (Hurt::Zero(at), Some(zeroed)),
        (Hurt::Content(vec![9]), Some(vec![9])),
        (Hurt::Gone, None),
    ];
    for (how, expected) in hurts {
        let disk = Disk::new(1);
        written(&disk, "a", &sound);
        disk.hurt("a", &how);
        assert_eq!(content(&disk, "a"), expected, "{how:?}");
        assert_eq!(content(&disk.power_cut(1), "a"), expected, "{how:?}, after a power cut");
    }
}

#[test]
fn the_machine_stops_inside_the_next_snapshot_and_not_before() {
    let disk = Disk::new(1);
    disk.die_in_snapshot(2);
    written(&disk, "a", &[7; SECTOR]);
    let mut file = disk.create_new("snap-1.tmp").unwrap();
    assert!(file.write_at(0, &[7; SECTOR]).is_ok());
    assert!(file.sync().is_err() && disk.is_dead(), "the second operation behind its beginning");
}
