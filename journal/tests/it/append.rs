//! Appending and group commit.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use betring_journal::{
    Error, FrameSink, Journal, MemStore, Options, Position, ReadLevel, Reader, RecordMeta,
    record_bytes,
};

use crate::support::*;

#[test]
fn what_was_appended_is_read_back() {
    let store = closed_journal(&[1, 3, 2, 25]);
    let mut opened = open(&store);
    assert_eq!((opened.torn, opened.kept, opened.is_new), (None, None, false));
    assert_eq!(read_all(&mut opened), 31);
    let last = opened.last.unwrap();
    assert_eq!((last.seq, last.ts, last.epoch), (31, 31_000, 1));
}

#[test]
fn a_commit_is_one_sync_however_many_records_it_has() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    for records in [1, 2, 10, 100] {
        let before = store.syncs();
        for _ in 0..records {
            append(&mut writer, 100).unwrap();
        }
        assert_eq!(store.syncs(), before, "appending syncs nothing");
        writer.seal_and_sync().unwrap();
        assert_eq!(store.syncs(), before + 1);
        writer.seal_and_sync().unwrap();
        assert_eq!(store.syncs(), before + 1, "nothing new, nothing to sync");
    }
    let stats = writer.stats();
    assert_eq!((stats.frames, stats.records, stats.rotations), (4, 113, 0));
    assert_eq!(stats.syncs, 5, "one for the segment's header");
    assert_eq!(stats.bytes % 4096, 0);
}

#[test]
fn a_segment_is_made_durable_in_pieces_so_that_no_commit_waits_for_all_of_it() {
    let syncs_of = |bytes: u64| {
        let store = MemStore::new();
        let options = Options::small(bytes);
        begin(Journal::open(store.clone(), options, SCHEMA, &mut |_| {}).unwrap()).unwrap();
        store.syncs()
    };
    // 256 KiB each.
    assert_eq!(syncs_of(8 << 20) - syncs_of(4 << 20), 16);
}

#[test]
fn cursors_say_what_is_in_the_page_cache_and_what_is_durable() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let (process, durable) = (writer.process_seq(), writer.durable_seq());
    assert_eq!((process.get(), durable.get()), (0, 0));
    append(&mut writer, 10).unwrap();
    append(&mut writer, 10).unwrap();
    assert_eq!((process.get(), durable.get()), (2, 0));
    assert!(writer.has_open_frame());
    assert_eq!(writer.unsynced_bytes(), 64 + 2 * record_bytes(10));
    assert_eq!(writer.seal_and_sync().unwrap(), 2);
    assert_eq!((process.get(), durable.get()), (2, 2));
    assert!(!writer.has_open_frame());
    assert_eq!(writer.unsynced_bytes(), 0);
}

#[test]
fn a_payload_in_parts_is_one_payload() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let whole = payload(1, 100);
    writer.append_parts(meta(1), &[&whole[..7], &[], &whole[7..64], &whole[64..]]).unwrap();
    writer.append_parts(meta(2), &[]).unwrap();
    writer.close().unwrap();
    let mut opened = open(&store);
    assert_eq!(opened.next_record().unwrap().unwrap().payload, &whole[..]);
    assert_eq!(opened.next_record().unwrap().unwrap().payload, b"");
    assert!(opened.next_record().unwrap().is_none());
}

#[test]
fn a_full_frame_refuses_and_takes_the_record_after_a_sync() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let mut appended = 0;
    let refused = loop {
        let room = writer.room();
        match append(&mut writer, 1000) {
            Ok(_) => appended += 1,
            Err(e) => {
                assert!(room < record_bytes(1000), "room says so before");
                break e;
            }
        }
        assert!(record_bytes(1000) <= room);
    };
    // 64 KiB less the segment's header, the page for covering, the frame's header and trailer.
    assert_eq!(appended, (65536 - 4096 - 4096 - 64 - 32) / record_bytes(1000));
    assert!(matches!(refused, Error::FrameFull { needed: 1040, .. }), "{refused}");
    writer.seal_and_sync().unwrap();
    append(&mut writer, 1000).unwrap();
    writer.close().unwrap();
    assert_eq!(read_all(&mut open(&store)), appended + 1);
}

#[test]
fn the_longest_record_fits_and_one_byte_more_never_does() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let max = writer.payload_bytes_max();
    assert!(max < 128 << 10, "a small segment has no room for 128 KiB");
    append(&mut writer, 10).unwrap();
    writer.seal_and_sync().unwrap();
    let long = vec![1; max + 1];
    let refused = writer.append(meta(2), &long).unwrap_err();
    assert!(matches!(refused, Error::RecordTooLong { .. }), "{refused}");
    writer.append(meta(2), &long[..max]).unwrap();
    assert_eq!(writer.room(), 0);
    let refused = writer.append(meta(3), &long).unwrap_err();
    assert!(matches!(refused, Error::RecordTooLong { .. }), "{refused}");
    writer.close().unwrap();
    let mut opened = open(&store);
    opened.next_record().unwrap();
    assert_eq!(opened.next_record().unwrap().unwrap().payload, &long[..max]);
    assert_eq!(opened.segments, 2, "it did not fit behind the first");
}

#[test]
fn frames_of_every_length_around_a_page_read_back() {
    // The records end just before, at, and behind the place of the trailer.
    let store = MemStore::new();
    let mut writer = writer(&store);
    for len in 3880..4100 {
        if writer.append(meta(writer.next_seq()), &payload(writer.next_seq(), len)).is_err() {
            panic!("a record of {len} bytes fits a frame of its own");
        }
        writer.seal_and_sync().unwrap();
    }
    writer.close().unwrap();
    assert_eq!(read_all(&mut open(&store)), 220);
}

#[test]
#[should_panic(expected = "records are appended in sequence")]
fn a_sequence_is_never_skipped() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let _ = writer.append(RecordMeta { kind: 0, ver: 0, flags: 0, seq: 2, ts: 0 }, b"");
}

#[test]
fn after_a_failed_sync_nothing_is_accepted_and_no_sync_is_tried_again() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[2]);
    append(&mut writer, 10).unwrap();
    store.fail_at(store.calls() + 1, ErrorKind::Other);
    let error = writer.seal_and_sync().unwrap_err();
    assert!(matches!(error, Error::Io { doing: "sync", .. }), "{error}");
    assert!(writer.is_poisoned());
    let syncs = store.syncs();
    for _ in 0..3 {
        assert!(matches!(writer.seal_and_sync(), Err(Error::Poisoned { durable: 2 })));
        assert!(matches!(append(&mut writer, 10), Err(Error::Poisoned { durable: 2 })));
        assert!(matches!(writer.cover(), Err(Error::Poisoned { durable: 2 })));
    }
    assert_eq!((writer.durable_seq().get(), store.syncs()), (2, syncs));
    assert!(matches!(writer.close(), Err(Error::Poisoned { durable: 2 })));
    // What the failed sync should have written never reached the device.
    assert_eq!(read_all(&mut open(&store.crash(9, |_, _| true))), 2);
}

#[test]
fn an_idle_writer_covers_its_last_frame_once() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    writer.cover().unwrap();
    assert_eq!(writer.stats().frames, 0, "the segment's header covers what is before it");
    write_frames(&mut writer, &[1]);
    writer.cover().unwrap();
    writer.cover().unwrap();
    assert_eq!(writer.stats().frames, 2);
    append(&mut writer, 10).unwrap();
    writer.cover().unwrap();
    assert_eq!(writer.stats().frames, 4, "what was open is sealed first, then covered");
    assert_eq!(writer.durable_seq().get(), 2);
    writer.close().unwrap();
    assert_eq!(read_all(&mut open(&store)), 2);
}

#[test]
fn a_segment_filled_to_its_last_page_can_still_be_covered() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    append(&mut writer, 10).unwrap();
    writer.seal_and_sync().unwrap();
    let max = writer.payload_bytes_max() - 4096;
    append(&mut writer, max).unwrap();
    writer.seal_and_sync().unwrap();
    assert_eq!(writer.stats().bytes, SMALL - 2 * 4096, "header and last page are left");
    writer.close().unwrap();
    let mut opened = open(&store);
    assert_eq!((read_all(&mut opened), opened.segments, opened.torn), (2, 1, None));
}

type Frames = Vec<(Position, Vec<u8>)>;

#[derive(Default, Clone)]
struct Copy {
    frames: Arc<Mutex<Frames>>,
}

impl FrameSink for Copy {
    fn sealed(&mut self, position: Position, frame: &[u8]) {
        self.frames.lock().unwrap().push((position, frame.to_vec()));
    }
}

#[test]
fn a_sink_gets_every_durable_frame_as_it_is_in_the_file() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let copy = Copy::default();
    writer.set_sink(Box::new(copy.clone()));
    write_frames(&mut writer, &[1, 200, 3]);
    writer.close().unwrap();
    let frames = copy.frames.lock().unwrap();
    let seqs: Vec<u64> = frames.iter().map(|(position, _)| position.seq).collect();
    assert_eq!(seqs, [1, 201, 204, 204], "the last one is empty");
    let joined: Vec<u8> = frames.iter().flat_map(|(_, frame)| frame.clone()).collect();
    let file = store.contents(FIRST_SEGMENT);
    assert!(file[4096..].starts_with(&joined));
    let opened = open(&store);
    assert_eq!(opened.last.unwrap().chain, frames[3].0.chain);
    drop(opened);
    let mut reader = Reader::open(store, 1, ReadLevel::Sealed).unwrap();
    assert!(reader.next().unwrap().is_some());
}

#[test]
fn a_writer_may_move_to_the_thread_that_journals() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let durable = writer.durable_seq();
    let thread = std::thread::spawn(move || {
        for _ in 0..100 {
            append(&mut writer, 100).unwrap();
            writer.seal_and_sync().unwrap();
        }
    });
    let mut seen = 0;
    while seen < 100 {
        let now = durable.get();
        assert!(seen <= now, "a cursor never goes back");
        seen = now;
        std::thread::yield_now();
    }
    thread.join().unwrap();
}
