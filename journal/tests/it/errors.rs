//! Every error says what, where, and what to do.

use std::io::ErrorKind;

use betring_journal::{DirStore, Error, Journal, MemStore, Options, ReadLevel, Reader};

use crate::support::*;

#[track_caller]
fn says<T>(result: Result<T, Error>, text: &str) {
    match result {
        Ok(_) => panic!("expected: {text}"),
        Err(e) => assert_eq!(e.to_string(), text),
    }
}

#[test]
fn a_journal_in_use() {
    let store = MemStore::new();
    let _writer = writer(&store);
    says(
        try_open(&store),
        "memory/LOCK is locked: another process has this journal open; stop it, or use another \
         directory",
    );
}

#[test]
fn a_journal_of_another_version() {
    let store = closed_journal(&[1]);
    let mut manifest = store.contents("MANIFEST");
    manifest[8] = 2;
    store.set_contents("MANIFEST", &manifest);
    says(
        try_open(&store),
        "memory/MANIFEST is of format version 2, this program reads version 1: use the program \
         that wrote it",
    );
}

#[test]
fn a_journal_of_another_schema() {
    let store = closed_journal(&[1]);
    says(
        Journal::open(store, Options::small(SMALL), 0xabc, &mut |_| {}),
        "memory/MANIFEST was written with record layouts 0000000000005eed, this program has \
         0000000000000abc: use the program that wrote it",
    );
}

#[test]
fn a_manifest_lost_or_damaged() {
    let store = closed_journal(&[1]);
    let mut manifest = store.contents("MANIFEST");
    store.lose("MANIFEST");
    let missing = "memory/MANIFEST: it is missing, and there are segments; nothing was changed: \
                   put the MANIFEST of this journal back from a copy, or use another directory";
    says(try_open(&store), missing);
    says(Reader::open(store.clone(), 1, ReadLevel::Sealed), missing);
    manifest[20] ^= 1;
    store.set_contents("MANIFEST", &manifest);
    says(
        try_open(&store),
        "memory/MANIFEST: its checksum does not match; nothing was changed: put the MANIFEST of \
         this journal back from a copy, or use another directory",
    );
}

#[test]
fn damage() {
    let store = closed_journal(&[3]);
    let mut bytes = store.contents(FIRST_SEGMENT);
    // The second record: behind the frame's header and the first record's 32 + 48 bytes.
    bytes[4096 + 64 + 80 + 5] ^= 1;
    store.set_contents(FIRST_SEGMENT, &bytes);
    says(
        try_open(&store),
        "memory/seg-00000000000000000001.jnl is damaged at offset 4240, sequence 2 (segment 1): \
         the record's checksum does not match; these bytes were durable, so nothing was changed: \
         put this file back from a copy",
    );
}

#[test]
fn a_segment_that_does_not_fit() {
    let store = closed_journal(&[1]);
    let bytes = store.contents(FIRST_SEGMENT);
    store.set_contents(FIRST_SEGMENT, &bytes[..bytes.len() - 1]);
    says(
        try_open(&store),
        "memory/seg-00000000000000000001.jnl: it is shorter than it was made (segment 1); nothing \
         was changed: put this file back from a copy",
    );
}

#[test]
fn a_segment_missing() {
    let store = closed_journal(&[1]);
    let mut writer = writer(&store);
    write_frames(&mut writer, &[1]);
    writer.close().unwrap();
    store.lose(FIRST_SEGMENT);
    says(
        try_open(&store),
        "the segment with sequence 1 is missing from memory; nothing was changed: put it back \
         from a copy",
    );
}

#[test]
fn no_journal() {
    says(
        Reader::open(MemStore::new(), 1, ReadLevel::Sealed),
        "there is no journal in memory: check the directory's name",
    );
    says(
        DirStore::existing("no/such/place"),
        "there is no journal in no/such/place: check the directory's name",
    );
}

#[test]
fn no_space() {
    let store = MemStore::new();
    store.set_capacity(Some(10_000));
    says(
        begin(open(&store)),
        "no space for memory/ready-00000001.tmp: 65536 bytes needed, 9936 free; free some space \
         or move the journal to a larger file system, nothing written so far is lost",
    );
}

#[test]
fn no_permission() {
    let store = MemStore::new();
    store.fail_at(3, ErrorKind::PermissionDenied);
    says(
        try_open(&store),
        "no permission for memory/MANIFEST: run as the owner of the journal, or give it to this \
         user",
    );
}

#[test]
fn a_failing_device() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[2]);
    append(&mut writer, 10).unwrap();
    store.fail_at(store.calls() + 1, ErrorKind::TimedOut);
    says(
        writer.seal_and_sync(),
        "cannot sync memory/seg-00000000000000000001.jnl: timed out; see to the file system, then \
         open the journal again",
    );
    says(
        writer.seal_and_sync(),
        "an earlier write or sync failed: everything up to sequence 2 is durable, of what came \
         after nobody knows; open the journal again",
    );
}

#[test]
fn a_record_too_long_or_a_frame_full() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let long = vec![0; 128 << 10];
    says(
        writer.append(meta(1), &long),
        "a record of 131072 bytes is longer than the longest possible, 57216 bytes: split it, or \
         make the segments larger",
    );
    writer.append(meta(1), &long[..50_000]).unwrap();
    says(
        writer.append(meta(2), &long[..10_000]),
        "the record needs 10032 bytes and the open frame has 7216 left: seal and sync the frame, \
         then append again",
    );
}

#[test]
fn options_that_cannot_work() {
    for (options, text) in [
        (Options::small(20_000), "journal options: segment_bytes is not a multiple of 4096"),
        (Options::small(8192), "journal options: segment_bytes is not between 16 KiB and 1 GiB"),
        (Options::small(2 << 30), "journal options: segment_bytes is not between 16 KiB and 1 GiB"),
        (
            Options { align: 512, ..Options::default() },
            "journal options: align is not 4096, the only alignment supported",
        ),
        (
            Options { ready_segments: 65, ..Options::default() },
            "journal options: ready_segments is more than 64",
        ),
    ] {
        says(Journal::open(MemStore::new(), options, SCHEMA, &mut |_| {}), text);
    }
}
