//! Going on in the next segment.

use std::io::ErrorKind;

use betring_journal::{DirStore, Error, Journal, MemStore, Options, Store, verify};

use crate::support::*;

#[test]
fn many_small_segments_are_one_journal() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    for _ in 0..300 {
        append(&mut writer, 1500).unwrap();
        writer.seal_and_sync().unwrap();
    }
    // 14 pages a segment between header and last page.
    assert_eq!(writer.stats().rotations, 300 / 14);
    writer.close().unwrap();
    let mut opened = open(&store);
    assert_eq!(opened.segments, 300 / 14 + 1);
    assert_eq!(read_all(&mut opened), 300);
    let report = verify(&store, &mut |_| {}).unwrap();
    assert!(report.is_sound() && report.records == 300, "{report}");
}

#[test]
fn segments_are_ready_before_they_are_needed() {
    let (_dir, store) = temp_dir();
    let options = Options { ready_segments: 2, ..Options::small(SMALL) };
    let opened = Journal::open(store.clone(), options.clone(), SCHEMA, &mut |_| {}).unwrap();
    let mut writer = begin(opened).unwrap();
    for _ in 0..100 {
        append(&mut writer, 3000).unwrap();
        writer.seal_and_sync().unwrap();
    }
    assert_eq!(writer.stats().rotations, 7);
    // Both are ready in a moment; what is ahead is counted.
    let here = 14 * 4096 - 100 % 14 * 4096;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while writer.bytes_ahead() < here + 2 * 14 * 4096 {
        assert!(std::time::Instant::now() < deadline, "{} bytes ahead", writer.bytes_ahead());
        std::thread::yield_now();
    }
    writer.close().unwrap();
    let mut names = store.list().unwrap();
    names.retain(|name| name.ends_with(".tmp"));
    assert_eq!(names, [""; 0], "what was prepared and not used is removed");
    let mut opened = Journal::open(store, options, SCHEMA, &mut |_| {}).unwrap();
    assert_eq!(read_all(&mut opened), 100);
}

#[test]
fn prepared_segments_of_a_killed_writer_are_removed() {
    let (dir, store) = temp_dir();
    let book = dir.path().join("book");
    std::fs::write(book.join("ready-00000001.tmp"), b"half").unwrap();
    std::fs::write(book.join("MANIFEST.tmp"), b"half").unwrap();
    std::fs::write(book.join("notes.txt"), b"not ours").unwrap();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[1]);
    std::mem::forget(writer.process_seq());
    drop(writer);
    std::fs::write(book.join("ready-00000007.tmp"), b"half").unwrap();
    let mut opened = open(&DirStore::create(&book).unwrap());
    assert_eq!(read_all(&mut opened), 1);
    let mut names = store.list().unwrap();
    names.sort_unstable();
    assert_eq!(names, ["LOCK", "MANIFEST", "WITNESS", "notes.txt", FIRST_SEGMENT]);
}

#[test]
fn a_full_disk_stops_at_the_end_of_the_segment_and_goes_on_when_there_is_space() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    store.set_capacity(Some(SMALL + 10_000));
    let error = loop {
        match append(&mut writer, 3000) {
            Ok(_) => writer.seal_and_sync().unwrap(),
            Err(e) => break e,
        };
    };
    assert!(matches!(error, Error::NoSpace { needed: SMALL, .. }), "{error}");
    assert_eq!(writer.durable_seq().get(), 14, "the segment is full");
    assert!(!writer.is_poisoned());
    writer.cover().unwrap();
    assert!(matches!(append(&mut writer, 3000), Err(Error::NoSpace { .. })));
    assert!(append(&mut writer, 3000).is_err());
    let mut half = store.list().unwrap();
    half.retain(|name| name.ends_with(".tmp"));
    assert_eq!(half, [""; 0], "a segment that could not be made keeps no space");
    store.set_capacity(None);
    append(&mut writer, 3000).unwrap();
    writer.close().unwrap();
    assert_eq!(read_all(&mut open(&store)), 15);
}

#[test]
fn a_full_disk_is_the_same_with_segments_prepared_ahead() {
    let store = MemStore::new();
    let options = Options { ready_segments: 2, ..Options::small(SMALL) };
    let opened = Journal::open(store.clone(), options, SCHEMA, &mut |_| {}).unwrap();
    store.set_capacity(Some(2 * SMALL + 10_000));
    let mut writer = begin(opened).unwrap();
    let error = loop {
        match append(&mut writer, 3000) {
            Ok(_) => writer.seal_and_sync().unwrap(),
            Err(e) => break e,
        };
    };
    assert!(matches!(error, Error::NoSpace { .. }), "{error}");
    assert_eq!(writer.durable_seq().get(), 28, "two segments are full");
    store.set_capacity(None);
    append(&mut writer, 3000).unwrap();
    writer.close().unwrap();
    assert_eq!(read_all(&mut open(&store)), 29);
}

#[test]
fn a_rotation_that_fails_poisons() {
    let store = MemStore::new();
    let mut failed = 0;
    for k in 1.. {
        let store = store.kill();
        let mut writer = writer(&MemStore::clone(&store));
        for _ in 0..14 {
            append(&mut writer, 3000).unwrap();
            writer.seal_and_sync().unwrap();
        }
        let syncs = writer.stats().rotations;
        store.fail_at(store.calls() + k, ErrorKind::Other);
        match append(&mut writer, 3000) {
            Ok(_) => {
                assert_eq!(writer.stats().rotations, syncs + 1);
                break;
            }
            Err(_) => {
                failed += 1;
                assert!(writer.is_poisoned());
                assert!(matches!(append(&mut writer, 1), Err(Error::Poisoned { durable: 14 })));
            }
        }
        drop(writer);
        assert_eq!(read_all(&mut open(&store.kill())), 14);
        assert_eq!(read_all(&mut open(&store.crash(0, |_, _| false))), 14);
    }
    assert!(8 <= failed, "every step of a rotation was failed: {failed}");
}
