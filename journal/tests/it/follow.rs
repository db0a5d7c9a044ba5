//! Following a journal while it is written.

use std::time::{Duration, Instant};

use betring_journal::{Error, MemStore, ReadLevel, Reader, Store};

use crate::support::*;

fn follow<S: Store>(store: &S, from: u64, level: ReadLevel) -> Reader<S> {
    Reader::open(store.clone(), from, level).unwrap()
}

/// Everything there is now, as sequences.
fn drain<S: Store>(reader: &mut Reader<S>) -> Vec<u64> {
    let mut seqs = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        assert_eq!(record.meta, meta(record.meta.seq));
        assert_eq!(record.payload, payload(record.meta.seq, record.payload.len()));
        seqs.push(record.meta.seq);
    }
    seqs
}

#[test]
fn a_reader_of_sealed_frames_sees_a_record_when_its_frame_is_sealed() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let mut reader = follow(&store, 1, ReadLevel::Sealed);
    assert_eq!(drain(&mut reader), []);
    append(&mut writer, 100).unwrap();
    append(&mut writer, 5000).unwrap();
    assert_eq!(drain(&mut reader), []);
    append(&mut writer, 100).unwrap();
    assert_eq!(drain(&mut reader), []);
    writer.seal_and_sync().unwrap();
    assert_eq!(drain(&mut reader), [1, 2, 3]);
    writer.cover().unwrap();
    assert_eq!(drain(&mut reader), []);
    append(&mut writer, 100).unwrap();
    writer.seal_and_sync().unwrap();
    assert_eq!(drain(&mut reader), [4]);
}

#[test]
fn a_reader_of_complete_records_sees_each_at_once_and_once() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let mut reader = follow(&store, 1, ReadLevel::Complete);
    for seq in 1..=200 {
        append_any(&mut writer, (seq as usize * 37) % 1500);
        assert_eq!(drain(&mut reader), [seq]);
        if seq % 9 == 0 {
            writer.seal_and_sync().unwrap();
            assert_eq!(drain(&mut reader), []);
        }
        if seq % 20 == 0 {
            writer.cover().unwrap();
        }
    }
    assert!(1 < writer.stats().rotations);
}

#[test]
fn a_reader_begins_at_any_sequence() {
    let store = MemStore::new();
    for _ in 0..2 {
        let mut writer = writer(&store);
        for _ in 0..30 {
            write_frames(&mut writer, &[1]);
            append(&mut writer, 3000).unwrap();
            append(&mut writer, 10).unwrap();
        }
        writer.close().unwrap();
    }
    for level in [ReadLevel::Sealed, ReadLevel::Complete] {
        for from in 0..=181 {
            let mut reader = follow(&store, from, level);
            assert_eq!(drain(&mut reader), (from.max(1)..=180).collect::<Vec<_>>());
            assert_eq!(reader.next_seq(), 181);
        }
    }
}

#[test]
fn a_follower_in_the_writers_process_stops_at_the_cursor() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let durable = writer.durable_seq();
    let mut reader = follow(&store, 1, ReadLevel::Complete);
    for _ in 0..5 {
        append(&mut writer, 100).unwrap();
    }
    assert!(reader.next_at_most(durable.get()).unwrap().is_none());
    assert_eq!(reader.next_at_most(2).unwrap().unwrap().meta.seq, 1);
    assert_eq!(reader.next_at_most(2).unwrap().unwrap().meta.seq, 2);
    assert!(reader.next_at_most(2).unwrap().is_none());
    writer.seal_and_sync().unwrap();
    for seq in 3..=5 {
        assert_eq!(reader.next_at_most(durable.get()).unwrap().unwrap().meta.seq, seq);
    }
    assert!(reader.next_at_most(durable.get()).unwrap().is_none());
}

#[test]
fn a_follower_lives_through_kills_repairs_and_new_epochs() {
    let store = MemStore::new();
    let mut sealed: Option<Reader<MemStore>> = None;
    let mut complete: Option<Reader<MemStore>> = None;
    let (mut seen_sealed, mut seen_complete) = (Vec::new(), Vec::new());
    for epoch in 0..12usize {
        let mut writer = writer(&store);
        let sealed = sealed.get_or_insert_with(|| follow(&store, 1, ReadLevel::Sealed));
        let complete = complete.get_or_insert_with(|| follow(&store, 1, ReadLevel::Complete));
        // Some epochs have no record at all, some end in an open frame.
        for commit in 0..epoch % 4 {
            seen_complete.extend(drain(complete));
            append(&mut writer, 900 * commit + 10).unwrap();
            append(&mut writer, 10).unwrap();
            seen_sealed.extend(drain(sealed));
            if commit != 2 {
                writer.seal_and_sync().unwrap();
            }
            seen_complete.extend(drain(complete));
        }
    }
    drop(open(&store));
    seen_sealed.extend(drain(&mut sealed.unwrap()));
    seen_complete.extend(drain(&mut complete.unwrap()));
    let all: Vec<u64> = (1..=3 * (2 + 4 + 6)).collect();
    assert_eq!(seen_sealed, all);
    assert_eq!(seen_complete, all);
}

#[test]
fn a_frame_that_a_repair_removed_is_forgotten() {
    let store = MemStore::new();
    let mut first = writer(&store);
    write_frames(&mut first, &[2]);
    append(&mut first, 100).unwrap();
    drop(first);
    // The process was killed when the frame's header was stored and its record was not.
    let mut bytes = store.contents(FIRST_SEGMENT);
    bytes[8192 + 64..].fill(0);
    store.set_contents(FIRST_SEGMENT, &bytes);
    let mut reader = follow(&store, 1, ReadLevel::Complete);
    assert_eq!(drain(&mut reader), [1, 2]);
    assert_eq!(drain(&mut reader), []);
    let mut second = writer(&store);
    assert_eq!(drain(&mut reader), []);
    append(&mut second, 50).unwrap();
    assert_eq!(drain(&mut reader), [3]);
}

#[test]
fn a_frame_written_while_the_reader_was_elsewhere_is_not_passed_over() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    // All but two pages of the segment, then a page of two records.
    append(&mut writer, 53_120).unwrap();
    writer.seal_and_sync().unwrap();
    append(&mut writer, 10).unwrap();
    append(&mut writer, 10).unwrap();
    writer.seal_and_sync().unwrap();
    let mut reader = follow(&store, 1, ReadLevel::Sealed);
    assert_eq!(reader.next().unwrap().unwrap().meta.seq, 1);
    assert_eq!(reader.next().unwrap().unwrap().meta.seq, 2);
    // It has read ahead to the end of the segment, where now an empty frame is written.
    writer.cover().unwrap();
    append(&mut writer, 10).unwrap();
    writer.seal_and_sync().unwrap();
    assert_eq!(writer.stats().rotations, 1);
    assert_eq!(drain(&mut reader), [3, 4]);
}

#[test]
fn damage_is_an_error_and_never_an_end() {
    let store = MemStore::new();
    for _ in 0..2 {
        let mut writer = writer(&store);
        write_frames(&mut writer, &[2, 2, 2]);
        writer.close().unwrap();
    }
    let good = store.contents(FIRST_SEGMENT);
    // Any byte of the frames of the first segment, the empty one included: a later segment proves
    // them all.
    for level in [ReadLevel::Sealed, ReadLevel::Complete] {
        for at in (4096..5 * 4096).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 4;
            store.set_contents(FIRST_SEGMENT, &bad);
            let mut reader = follow(&store, 1, level);
            let error = loop {
                match reader.next() {
                    Ok(Some(_)) => (),
                    Ok(None) => panic!("byte {at}: an end at {}", reader.next_seq()),
                    Err(e) => break e,
                }
            };
            let Error::Corrupt { offset, .. } = error else { panic!("byte {at}: {error}") };
            assert!(offset <= at as u64 && at as u64 / 4096 == offset / 4096, "byte {at}");
            assert!(reader.next().is_err(), "the reader does not go past it");
        }
    }
    store.set_contents(FIRST_SEGMENT, &good);
    let mut whole_page = good.clone();
    whole_page[2 * 4096..3 * 4096].fill(0);
    store.set_contents(FIRST_SEGMENT, &whole_page);
    let mut reader = follow(&store, 1, ReadLevel::Sealed);
    assert_eq!(reader.next().unwrap().unwrap().meta.seq, 1);
    reader.next().unwrap();
    assert!(matches!(reader.next(), Err(Error::Corrupt { offset: 8192, seq: 3, .. })));
    // The rest of the segment, its frames and what was never written.
    let mut cut = good.clone();
    cut[4 * 4096..].fill(0);
    store.set_contents(FIRST_SEGMENT, &cut);
    let mut reader = follow(&store, 1, ReadLevel::Complete);
    let error = loop {
        match reader.next() {
            Ok(record) => assert!(record.is_some(), "an end before the next segment"),
            Err(e) => break e,
        }
    };
    assert!(matches!(error, Error::Segment { segment: 7, .. }), "the chain is broken: {error}");
}

#[test]
fn a_missing_segment_is_an_error() {
    let store = MemStore::new();
    for _ in 0..3 {
        let mut writer = writer(&store);
        write_frames(&mut writer, &[1]);
        writer.close().unwrap();
    }
    store.lose("seg-00000000000000000002.jnl");
    let mut reader = follow(&store, 1, ReadLevel::Sealed);
    assert!(reader.next().unwrap().is_some());
    assert!(matches!(reader.next(), Err(Error::SegmentMissing { seq: 2, .. })));
    store.lose(FIRST_SEGMENT);
    let error = Reader::open(store.clone(), 1, ReadLevel::Sealed).unwrap_err();
    assert!(matches!(error, Error::SegmentMissing { seq: 1, .. }));
}

#[test]
fn a_follower_in_another_thread_sees_every_record_of_a_busy_writer() {
    const RECORDS: u64 = 3000;
    let (_dir, store) = temp_dir();
    let mut writer = writer(&store);
    let followers: Vec<_> = [ReadLevel::Sealed, ReadLevel::Complete]
        .into_iter()
        .map(|level| {
            let store = store.clone();
            std::thread::spawn(move || {
                let mut reader = follow(&store, 1, level);
                let mut next = 1;
                let deadline = Instant::now() + Duration::from_secs(60);
                while next <= RECORDS {
                    let seqs = drain(&mut reader);
                    if let Some(&first) = seqs.first() {
                        assert_eq!(seqs, (first..next + seqs.len() as u64).collect::<Vec<_>>());
                        assert_eq!(first, next);
                        next += seqs.len() as u64;
                    } else {
                        std::thread::yield_now();
                    }
                    assert!(Instant::now() < deadline, "stuck at {next}");
                }
            })
        })
        .collect();
    for seq in 1..=RECORDS {
        append_any(&mut writer, (seq as usize * 13) % 2000);
        if seq % 7 == 0 {
            writer.seal_and_sync().unwrap();
        }
    }
    writer.seal_and_sync().unwrap();
    for follower in followers {
        follower.join().unwrap();
    }
    assert!(10 < writer.stats().rotations);
}
