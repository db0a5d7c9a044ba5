//! A journal whose end is gone is neither a shorter one nor a new one.

use betring_journal::{Error, MemStore, ReadLevel, Reader, Store, verify};

use crate::support::*;

/// Three segments in two epochs, closed in order.
fn journal() -> MemStore {
    let store = MemStore::new();
    for frames in [20, 3] {
        let mut writer = writer(&store);
        for _ in 0..frames {
            append(&mut writer, 1500).unwrap();
            writer.seal_and_sync().unwrap();
        }
        writer.close().unwrap();
    }
    assert_eq!(segment_files(&store).len(), 3);
    store
}

fn refused(store: &MemStore, why: &str) {
    let error = try_open(store).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
    assert!(Reader::open(store.clone(), 1, ReadLevel::Complete).is_err());
    let report = verify(store, &mut |_| {}).unwrap();
    assert!(!report.is_sound(), "{report}");
    assert!(report.problems.iter().any(|problem| problem.what.contains(why)), "{report}");
}

#[test]
fn a_journal_whose_segments_are_all_gone_is_not_a_new_one() {
    let store = journal();
    for name in segment_files(&store) {
        store.lose(&name);
    }
    refused(
        &store,
        "the journal in memory ends before seg-00000000000000000021.jnl, which was begun",
    );
    store.lose("MANIFEST");
    let error = try_open(&store).unwrap_err();
    assert!(matches!(error, Error::Manifest { .. }), "{error}");
}

#[test]
fn a_journal_whose_last_segment_is_gone_is_not_a_shorter_one() {
    let store = journal();
    let last = segment_files(&store).pop().unwrap();
    let contents = store.contents(&last);
    store.lose(&last);
    refused(&store, "everything before sequence 21 was durable then; nothing was changed");
    store.set_contents(&last, &contents);
    assert_eq!(read_all(&mut open(&store)), 23, "put back, it is whole");
}

#[test]
fn a_last_segment_in_the_archive_is_to_be_moved_back() {
    let store = journal();
    let last = segment_files(&store).pop().unwrap();
    let archived = format!("archive/{last}");
    store.rename(&last, &archived).unwrap();
    let why =
        format!("memory/{archived} is the last segment, which does not belong in the archive");
    let error = try_open(&store).unwrap_err().to_string();
    assert!(error.starts_with(&why) && error.ends_with("move it back to memory"), "{error}");
    let report = verify(&store, &mut |_| {}).unwrap();
    assert!(report.problems.iter().any(|problem| problem.what == error), "{report}");
    store.rename(&archived, &last).unwrap();
    assert_eq!(read_all(&mut open(&store)), 23);
}

#[test]
fn a_witness_that_is_damaged_is_noticed_and_one_that_is_not_there_is_made() {
    let store = journal();
    let mut bytes = store.contents("WITNESS");
    bytes[33] ^= 4;
    store.set_contents("WITNESS", &bytes);
    refused(&store, "memory/WITNESS: it is damaged; nothing was changed");
    store.lose("WITNESS");
    assert_eq!(read_all(&mut open(&store)), 23);
    assert!(verify(&store, &mut |_| {}).unwrap().is_sound());
    writer(&store).close().unwrap();
    assert_eq!(store.contents("WITNESS").len(), 64);
    assert_eq!(read_all(&mut open(&store)), 23);
}

#[test]
fn no_power_cut_while_segments_begin_makes_a_witness_of_what_is_not_durable() {
    let run = |store: &MemStore| {
        for _ in 0..2 {
            let mut writer = writer(store);
            for _ in 0..16 {
                append(&mut writer, 1500).unwrap();
                writer.seal_and_sync().unwrap();
            }
            drop(writer);
        }
    };
    let whole = MemStore::new();
    run(&whole);
    for op in 0..whole.ops() {
        let store = MemStore::new();
        store.take_image_at(op);
        run(&store);
        let image = store.image();
        for names in 0..=image.pending_names() {
            for kept in [false, true] {
                let crashed = image.crash(names, |_, _| kept);
                if crashed.list().unwrap().is_empty() {
                    continue;
                }
                let mut opened = open(&crashed);
                read_all(&mut opened);
                begin(opened).unwrap();
            }
        }
    }
}

#[test]
fn a_disk_too_full_for_a_witness_stops_nothing_and_the_next_segment_has_one() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    for _ in 0..14 {
        append(&mut writer, 1500).unwrap();
        writer.seal_and_sync().unwrap();
    }
    // Room for one segment, and for nothing beside it.
    store.set_capacity(Some(2 * SMALL + 128));
    append(&mut writer, 1500).unwrap();
    assert!(!writer.is_poisoned());
    let old = store.contents("WITNESS");
    assert!(!store.list().unwrap().iter().any(|name| name == "WITNESS.tmp"));
    store.set_capacity(None);
    for _ in 0..20 {
        append(&mut writer, 1500).unwrap();
        writer.seal_and_sync().unwrap();
    }
    assert_ne!(store.contents("WITNESS"), old);
    writer.close().unwrap();
    assert_eq!(read_all(&mut open(&store)), 35);
}
