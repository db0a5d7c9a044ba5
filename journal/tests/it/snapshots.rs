//! Snapshots and the archive: opening begins behind one, and nothing is ever lost by either.

use std::io::ErrorKind;

use betring_journal::{
    Error, Journal, Manifest, MemStore, Opened, Options, Position, ReadLevel, Reader,
    SnapshotHeader, Store, archive, drop_old_snapshots, inspect, read_snapshot, snapshot_name,
    snapshots, verify, verify_snapshot, write_snapshot,
};

use crate::support::*;

/// Segments of six pages, four of them for frames with records.
const TINY: u64 = 24 << 10;

/// A writer of tiny segments.
fn tiny<S: Store>(store: &S) -> betring_journal::Writer<S> {
    begin(Journal::open(store.clone(), Options::small(TINY), SCHEMA, &mut |_| {}).unwrap()).unwrap()
}

/// Twelve frames of a page, one record each, and their covers: segments begin with 1, 5 and 9.
fn twelve() -> MemStore {
    let store = MemStore::new();
    let mut writer = tiny(&store);
    write_frames(&mut writer, &[1; 12]);
    writer.close().unwrap();
    assert_eq!(segment_files(&store), [segment(1), segment(5), segment(9)]);
    store
}

fn segment(first_seq: u64) -> String {
    format!("seg-{first_seq:020}.jnl")
}

fn manifest<S: Store>(store: &S) -> Manifest {
    manifest_of(store).unwrap()
}

fn manifest_of<S: Store>(store: &S) -> Result<Manifest, Error> {
    Reader::open(store.clone(), 1, ReadLevel::Sealed).map(|reader| reader.manifest())
}

/// Where the journal was when it had this record last.
fn position<S: Store>(store: &S, seq: u64) -> Position {
    let mut reader = Reader::open(store.clone(), 1, ReadLevel::Sealed).unwrap();
    while reader.next_at_most(seq).unwrap().is_some() {}
    reader.position().expect("a frame ends there")
}

fn header(position: Position, payload: &[u8]) -> SnapshotHeader {
    SnapshotHeader {
        position,
        payload_bytes: payload.len() as u64,
        image_version: 4,
        logic_version: 1,
        rules_id: 2,
        rules_version: 3,
        digest: [position.seq as u8; 16],
    }
}

fn try_snapshot<S: Store>(store: &S, position: Position, len: usize) -> Result<(), Error> {
    let payload = payload(position.seq, len);
    write_snapshot(store, &manifest_of(store)?, &header(position, &payload), &payload)
}

/// A snapshot of this many bytes at this sequence.
fn snapshot<S: Store>(store: &S, seq: u64, len: usize) {
    try_snapshot(store, position(store, seq), len).unwrap();
}

/// Opens from the newest snapshot there is.
fn try_from<S: Store>(store: &S) -> Result<Opened<S>, Error> {
    Journal::open_from(store.clone(), Options::small(TINY), SCHEMA, &mut |_| {}, &mut |h, image| {
        assert_eq!(image, payload(h.position.seq, image.len()), "what was written");
        Ok(())
    })
}

fn open_from<S: Store>(store: &S) -> Opened<S> {
    try_from(store).unwrap_or_else(|e| panic!("the journal opens: {e}"))
}

/// The records that are to be replayed, each checked.
fn rest<S: Store>(opened: &mut Opened<S>) -> Vec<u64> {
    let mut seqs = Vec::new();
    while let Some(record) = opened.next_record().unwrap() {
        assert_eq!(record.meta, meta(record.meta.seq));
        assert_eq!(record.payload, payload(record.meta.seq, record.payload.len()));
        seqs.push(record.meta.seq);
    }
    seqs
}

#[track_caller]
fn says<T>(result: Result<T, Error>, text: &str) {
    match result {
        Ok(_) => panic!("expected: {text}"),
        Err(e) => assert_eq!(e.to_string(), text),
    }
}

#[test]
fn a_snapshot_reads_back_as_it_was_written() {
    let store = twelve();
    let manifest = manifest(&store);
    for (seq, len) in [(1, 0), (2, 1), (3, 1 << 20), (4, (5 << 20) / 2)] {
        snapshot(&store, seq, len);
        let (found, image) = read_snapshot(&store, &manifest, seq).unwrap();
        assert_eq!(image, payload(seq, len));
        assert_eq!(found, header(position(&store, seq), &image));
        assert_eq!(verify_snapshot(&store, &manifest, seq), Ok(found));
        assert_eq!(store.contents(&snapshot_name(seq)).len() as u64, found.file_bytes());
        let cut = store.crash(0, |_, _| false);
        assert_eq!(verify_snapshot(&cut, &manifest, seq), Ok(found), "durable when it returns");
    }
    assert_eq!(snapshots(&store).unwrap(), [4, 3, 2, 1]);
}

#[test]
fn the_bytes_of_a_snapshot_are_those_of_the_picture() {
    let store = twelve();
    snapshot(&store, 7, 10);
    let bytes = store.contents("snap-00000000000000000007.snp");
    let (at, manifest) = (position(&store, 7), manifest(&store));
    let salt = crc_fast::crc32_iscsi(&manifest.uuid);
    assert_eq!(bytes.len(), 4096 + 10 + 8 + 32);
    assert_eq!(&bytes[..8], b"btrsnap1");
    assert_eq!(bytes[8..16], [1, 0, 0, 0, 1, 0, 0, 0], "format and epoch");
    assert_eq!(bytes[16..32], manifest.uuid);
    assert_eq!(bytes[32..40], SCHEMA.to_le_bytes());
    assert_eq!(bytes[40..48], 7u64.to_le_bytes());
    assert_eq!(bytes[48..56], 7000i64.to_le_bytes());
    assert_eq!(bytes[56..64], at.chain.to_le_bytes());
    assert_eq!(bytes[64..72], 10u64.to_le_bytes());
    assert_eq!(bytes[72..80], [0, 0, 16, 0, 4, 0, 0, 0], "chunk and image version");
    assert_eq!(bytes[80..88], [1, 0, 0, 0, 3, 0, 0, 0], "versions of logic and rules");
    assert_eq!(bytes[88..96], 2u64.to_le_bytes());
    assert_eq!(bytes[96..112], [7; 16]);
    assert!(bytes[112..4092].iter().all(|byte| *byte == 0));
    let crc = |bytes: &[u8]| (crc_fast::crc32_iscsi(bytes) ^ salt).to_le_bytes();
    assert_eq!(bytes[4092..4096], crc(&bytes[..4092]));
    assert_eq!(bytes[4096..4106], payload(7, 10));
    assert_eq!(bytes[4106..4110], [0; 4], "the first chunk");
    let seq = 7u64.to_le_bytes();
    assert_eq!(bytes[4110..4114], crc(&[&seq[..], &bytes[4096..4110]].concat()));
    assert_eq!(&bytes[4114..4122], b"btrsnapZ");
    assert_eq!(bytes[4122..4130], 10u64.to_le_bytes());
    assert_eq!(bytes[4130..4138], crc_fast::crc64_nvme(&payload(7, 10)).to_le_bytes());
    assert_eq!(bytes[4138..4142], [1, 0, 0, 0], "chunks");
    assert_eq!(bytes[4142..], crc(&[&bytes[4092..4096], &bytes[4114..4142]].concat()));
}

#[test]
fn every_flipped_bit_and_every_length_of_a_snapshot_is_found_and_its_place_told() {
    let store = twelve();
    snapshot(&store, 12, 300);
    let (name, manifest) = (snapshot_name(12), manifest(&store));
    let good = store.contents(&name);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        store.set_contents(&name, &bad);
        let why = verify_snapshot(&store, &manifest, 12).unwrap_err();
        let part = [0, 4096, 4096 + 300 + 8].iter().rfind(|part| **part <= bit / 8);
        assert!(why.offset as usize <= bit / 8, "bit {bit}: {why}");
        // A flip in the header may change the length that it gives; everything else has its place.
        assert!(part == Some(&(why.offset as usize)) || bit / 8 < 4096, "bit {bit}: {why}");
        assert_eq!(read_snapshot(&store, &manifest, 12), Err(why));
    }
    for len in (0..good.len()).chain([good.len() + 1]) {
        let mut bad = good.clone();
        bad.resize(len, 0);
        store.set_contents(&name, &bad);
        let why = verify_snapshot(&store, &manifest, 12).unwrap_err();
        assert_eq!(why.seq, 12, "length {len}");
        let mut opened = open_from(&store);
        assert_eq!((opened.base, opened.passed_over.len()), (None, 1), "length {len}");
        assert_eq!(opened.passed_over, [why]);
        if len % 500 == 0 {
            assert_eq!(rest(&mut opened).len(), 12, "everything is read again");
        }
    }
}

#[test]
fn a_chunk_of_another_snapshot_never_counts() {
    let store = twelve();
    snapshot(&store, 8, 3 << 20);
    snapshot(&store, 12, 3 << 20);
    let (old, mut new) = (store.contents(&snapshot_name(8)), store.contents(&snapshot_name(12)));
    let chunk = |n: usize| 4096 + n * ((1 << 20) + 8)..4096 + (n + 1) * ((1 << 20) + 8);
    let good = new.clone();
    new[chunk(1)].copy_from_slice(&old[chunk(1)]);
    let swapped = [&good[..chunk(0).end], &good[chunk(2)], &good[chunk(1)], &good[chunk(2).end..]];
    for bad in [new, swapped.concat()] {
        store.set_contents(&snapshot_name(12), &bad);
        let why = verify_snapshot(&store, &manifest(&store), 12).unwrap_err();
        assert_eq!(
            why.to_string(),
            "memory/snap-00000000000000000012.snp cannot be used: the checksum of chunk 1 does not \
             match, at offset 1052680; nothing is lost by it"
        );
    }
}

#[test]
fn what_is_wrong_with_a_snapshot_is_said() {
    let store = twelve();
    snapshot(&store, 12, 300);
    let name = snapshot_name(12);
    let good = store.contents(&name);
    let other = {
        // Of another journal: made second in the same memory.
        let (first, second) = (MemStore::new(), MemStore::new());
        drop(first);
        let mut writer = tiny(&second);
        write_frames(&mut writer, &[1; 12]);
        writer.close().unwrap();
        let mut manifest = manifest(&second);
        manifest.uuid = [9; 16];
        let payload = payload(12, 300);
        let header = header(position(&second, 12), &payload);
        write_snapshot(&second, &manifest, &header, &payload).unwrap();
        second.contents(&name)
    };
    let version = [&good[..8], &[2], &good[9..]].concat();
    let cases = [
        (&good[..4000], 0, "it is too short for a snapshot"),
        (&good[1..], 0, "this is not a snapshot of a journal"),
        (&version[..], 0, "it is of format version 2, this program reads version 1"),
        (&other[..], 0, "it belongs to another journal"),
        (&good[..good.len() - 1], 4435, "it is shorter than it was made"),
    ];
    for (bytes, offset, what) in cases {
        store.set_contents(&name, bytes);
        let why = verify_snapshot(&store, &manifest(&store), 12).unwrap_err();
        assert_eq!((why.offset, why.what.as_str()), (offset, what));
    }
    store.set_contents(&snapshot_name(11), &good);
    let why = verify_snapshot(&store, &manifest(&store), 11).unwrap_err();
    assert_eq!(why.what, "its name does not say where it was made");
}

#[test]
fn opening_begins_behind_the_newest_snapshot_and_reads_nothing_before_its_segment() {
    let store = twelve();
    snapshot(&store, 3, 100);
    snapshot(&store, 6, 100);
    let mut opened = open_from(&store);
    assert_eq!(opened.base.map(|base| base.position), Some(position(&store, 6)));
    assert_eq!((opened.segments, opened.passed_over.len()), (2, 0));
    assert_eq!(rest(&mut opened), [7, 8, 9, 10, 11, 12]);
    assert_eq!(
        opened.last,
        Some(Position { chain: opened.last.unwrap().chain, ..position(&store, 12) })
    );
    drop(opened);
    // The same whether or not the first segment is there at all.
    store.lose(&segment(1));
    let mut opened = open_from(&store);
    assert_eq!(rest(&mut opened), [7, 8, 9, 10, 11, 12]);
    let mut writer = begin(opened).unwrap();
    write_frames(&mut writer, &[1]);
    writer.close().unwrap();
    assert_eq!(rest(&mut open_from(&store)), [7, 8, 9, 10, 11, 12, 13]);
    assert!(verify(&store, &mut |_| {}).unwrap().is_sound());
}

#[test]
fn a_snapshot_at_the_very_end_leaves_nothing_to_replay() {
    let store = twelve();
    snapshot(&store, 12, 100);
    let mut opened = open_from(&store);
    assert_eq!((rest(&mut opened), opened.next_seq(), opened.next_epoch()), (vec![], 13, 2));
    assert!(!opened.is_new);
    let mut writer = begin(opened).unwrap();
    write_frames(&mut writer, &[1]);
    writer.close().unwrap();
    assert_eq!(rest(&mut open_from(&store)), [13]);
    assert_eq!(read_all(&mut open(&store)), 13, "and the whole of it reads as before");
}

#[test]
fn a_damaged_snapshot_falls_back_to_the_older_and_then_to_every_record() {
    let store = twelve();
    snapshot(&store, 6, 100);
    snapshot(&store, 10, 100);
    for (seq, left) in [(10, vec![7, 8, 9, 10, 11, 12]), (6, (1..=12).collect())] {
        let mut bytes = store.contents(&snapshot_name(seq));
        bytes[4100] ^= 1;
        store.set_contents(&snapshot_name(seq), &bytes);
        let mut opened = open_from(&store);
        assert_eq!(opened.passed_over[0].seq, 10);
        assert_eq!(rest(&mut opened), left);
    }
    let report = verify(&store, &mut |_| {}).unwrap();
    assert!(report.is_sound(), "the journal opens all the same");
    assert_eq!((report.snapshots, report.bad_snapshots.len()), (0, 2));
    assert_eq!(
        report.to_string(),
        "12 records (sequences 1 to 12) in 13 frames in 3 segments, 73728 bytes\n\
         memory/snap-00000000000000000010.snp cannot be used: the checksum of chunk 0 does not \
         match, at offset 4096; nothing is lost by it\n\
         memory/snap-00000000000000000006.snp cannot be used: the checksum of chunk 0 does not \
         match, at offset 4096; nothing is lost by it\n\
         2 problems"
    );
}

#[test]
fn a_caller_may_refuse_a_snapshot_and_gets_the_older() {
    let store = twelve();
    snapshot(&store, 6, 100);
    snapshot(&store, 10, 100);
    let mut asked = Vec::new();
    let mut opened = Journal::open_from(
        store.clone(),
        Options::small(TINY),
        SCHEMA,
        &mut |_| {},
        &mut |header, _| {
            asked.push(header.position.seq);
            if header.position.seq == 10 { Err("its digest is another one".into()) } else { Ok(()) }
        },
    )
    .unwrap();
    assert_eq!(rest(&mut opened), [7, 8, 9, 10, 11, 12]);
    assert_eq!(
        opened.passed_over[0].to_string(),
        "memory/snap-00000000000000000010.snp cannot be used: its digest is another one, at offset \
         0; nothing is lost by it"
    );
    assert_eq!(asked, [10, 6]);
}

#[test]
fn a_system_that_cannot_read_a_snapshot_costs_no_more_than_the_snapshot() {
    let store = twelve();
    snapshot(&store, 6, 100);
    let calls = {
        let copy = store.kill();
        let before = copy.calls();
        drop(open_from(&copy));
        copy.calls() - before
    };
    let mut passed = 0;
    for k in 1..=calls {
        let copy = store.kill();
        copy.fail_at(copy.calls() + k, ErrorKind::Other);
        match try_from(&copy) {
            Ok(mut opened) if opened.base.is_none() => {
                passed += 1;
                let what = &opened.passed_over[0].what;
                assert_eq!(what, "the system cannot read it: other error");
                assert_eq!(rest(&mut opened).len(), 12);
            }
            Ok(opened) => assert_eq!(opened.base.unwrap().position.seq, 6),
            Err(Error::Io { .. }) => (),
            Err(e) => panic!("call {k}: {e}"),
        }
    }
    assert!(3 <= passed, "{passed} calls were reads of the snapshot");
}

#[test]
fn segments_behind_the_older_snapshot_go_to_the_archive_and_everything_reads_as_before() {
    let store = twelve();
    let manifest = manifest(&store);
    let before = inspect(&store, &mut |_| {}, &mut |_| {}).unwrap();
    let none = archive(&store, &manifest, false).unwrap();
    assert_eq!(
        none.to_string(),
        "nothing can go to the archive: there are fewer than two snapshots that are right in every \
         byte"
    );
    snapshot(&store, 9, 100);
    assert_eq!(archive(&store, &manifest, false).unwrap(), none);
    snapshot(&store, 12, 100);
    let dry = archive(&store, &manifest, true).unwrap();
    assert_eq!((dry.segments.as_slice(), dry.bytes), (&[segment(1), segment(5)][..], 2 * TINY));
    assert_eq!(segment_files(&store).len(), 3, "a dry run moves nothing");
    let moved = archive(&store, &manifest, false).unwrap();
    assert_eq!(moved, dry);
    assert_eq!(
        moved.to_string(),
        "2 segments, seg-00000000000000000001.jnl to seg-00000000000000000005.jnl, 49152 bytes, \
         before the snapshot at sequence 9"
    );
    assert_eq!(segment_files(&store), [segment(9)], "the segment with its record stays");
    assert_eq!(
        archive(&store, &manifest, false).unwrap().to_string(),
        "nothing can go to the archive before the snapshot at sequence 9"
    );

    let after = inspect(&store, &mut |_| {}, &mut |_| {}).unwrap();
    assert_eq!(after.report.records, before.report.records);
    assert_eq!(after.segments[0].name, "archive/seg-00000000000000000001.jnl");
    assert!(after.report.is_sound() && after.other_files.is_empty());
    let lines = after.to_string();
    assert!(lines.contains("snap-00000000000000000012.snp  epoch 1  sequence 12, 4236 bytes, "));
    assert!(lines.ends_with("2 snapshots, right in every byte\nevery byte is right"), "{lines}");
    for level in [ReadLevel::Sealed, ReadLevel::Complete] {
        for from in 1..=13 {
            let mut reader = Reader::open(store.clone(), from, level).unwrap();
            let mut seen = Vec::new();
            while let Some(record) = reader.next().unwrap() {
                seen.push(record.meta.seq);
            }
            assert_eq!(seen, (from..=12).collect::<Vec<_>>());
        }
    }
    assert_eq!(rest(&mut open_from(&store)), []);
    assert_eq!(read_all(&mut open(&store)), 12, "without snapshots it reads the archive");
}

#[test]
fn the_segment_with_the_older_snapshot_stays_wherever_in_it_that_is_and_what_moved_is_durable() {
    for (older, moved) in [(1, 0), (4, 0), (5, 1), (7, 1), (8, 1), (9, 2), (11, 2)] {
        let store = twelve();
        snapshot(&store, older, 100);
        snapshot(&store, 12, 100);
        let archived = archive(&store, &manifest(&store), false).unwrap();
        assert_eq!(archived.segments.len(), moved, "snapshot at {older}");
        let cut = store.crash(0, |_, _| false);
        assert_eq!(segment_files(&cut).len(), 3 - moved, "moved for good");
        let mut bytes = cut.contents(&snapshot_name(12));
        bytes[4100] ^= 1;
        cut.set_contents(&snapshot_name(12), &bytes);
        // The older one goes on without the archive.
        for name in cut.list().unwrap().iter().filter(|name| name.starts_with("archive/")) {
            cut.lose(name);
        }
        assert_eq!(rest(&mut open_from(&cut)), (older + 1..=12).collect::<Vec<_>>());
    }
}

#[test]
fn a_journal_whose_archive_is_elsewhere_opens_from_a_snapshot_or_says_what_is_missing() {
    let store = twelve();
    snapshot(&store, 9, 100);
    snapshot(&store, 12, 100);
    archive(&store, &manifest(&store), false).unwrap();
    store.lose("archive/seg-00000000000000000001.jnl");
    store.lose("archive/seg-00000000000000000005.jnl");
    assert_eq!(rest(&mut open_from(&store)), []);
    let report = verify(&store, &mut |_| {}).unwrap();
    assert!(report.is_sound() && report.first_seq == 9, "{report}");
    let missing = "the segment with sequence 1 is missing from memory; nothing was changed: put it \
                   back from a copy";
    says(open_all(&store), missing);
    says(Reader::open(store.clone(), 1, ReadLevel::Sealed), missing);
    says(
        Journal::open_from(
            store.clone(),
            Options::small(TINY),
            SCHEMA,
            &mut |_| {},
            &mut |_, _| Err("it was made under other rules".into()),
        ),
        "the segments before sequence 9 are neither in memory nor in its archive, and no snapshot \
         can be used in their place (memory/snap-00000000000000000012.snp cannot be used: it was \
         made under other rules, at offset 0; nothing is lost by it; \
         memory/snap-00000000000000000009.snp cannot be used: it was made under other rules, at \
         offset 0; nothing is lost by it); nothing was changed: put them back into memory/archive, \
         or a snapshot into memory, from a copy",
    );
    for seq in [9, 12] {
        store.lose(&snapshot_name(seq));
    }
    says(try_from(&store), missing);
    assert!(!verify(&store, &mut |_| {}).unwrap().is_sound());
}

fn open_all(store: &MemStore) -> Result<Opened<MemStore>, Error> {
    Journal::open(store.clone(), Options::small(TINY), SCHEMA, &mut |_| {})
}

#[test]
fn damage_in_the_archive_is_told_with_its_place() {
    let store = twelve();
    snapshot(&store, 9, 100);
    snapshot(&store, 12, 100);
    archive(&store, &manifest(&store), false).unwrap();
    let name = "archive/seg-00000000000000000005.jnl";
    let mut bytes = store.contents(name);
    bytes[4096 + 100] ^= 1;
    store.set_contents(name, &bytes);
    let said = "memory/archive/seg-00000000000000000005.jnl is damaged at offset 4160, sequence 5 \
                (segment 5): the record's checksum does not match; these bytes were durable, so \
                nothing was changed: put this file back from a copy";
    says(open_all(&store), said);
    assert_eq!(verify(&store, &mut |_| {}).unwrap().problems[0].to_string(), said);
    assert_eq!(rest(&mut open_from(&store)), [], "opening from a snapshot does not need it");
}

#[test]
fn a_journal_that_ends_before_a_snapshot_was_made_is_refused() {
    let store = twelve();
    snapshot(&store, 12, 100);
    let whole = store.contents(&segment(9));
    // The last two frames and the cover behind them, as if they had never been: nothing but the
    // snapshot knows of them.
    let mut bytes = whole.clone();
    bytes[3 * 4096..].fill(0);
    store.set_contents(&segment(9), &bytes);
    let said = "the journal in memory ends with sequence 10, but a snapshot was made at sequence \
                12, which was durable then; nothing was changed: put the segments back from a copy";
    says(try_from(&store), said);
    says(open_all(&store), said);
    assert_eq!(verify(&store, &mut |_| {}).unwrap().problems[0].to_string(), said);
    // What one copy alone would take for a torn tail is damage.
    let mut bytes = whole;
    bytes[5 * 4096..].fill(0);
    bytes[4 * 4096 + 100] ^= 1;
    store.set_contents(&segment(9), &bytes);
    let said = "memory/seg-00000000000000000009.jnl is damaged at offset 16448, sequence 12 \
                (segment 9): the record's checksum does not match; these bytes were durable, so \
                nothing was changed: put this file back from a copy";
    says(try_from(&store), said);
    says(open_all(&store), said);
    assert_eq!(verify(&store, &mut |_| {}).unwrap().problems[0].to_string(), said);
    store.lose(&snapshot_name(12));
    assert_eq!(open_all(&store).unwrap().torn.unwrap().last_kept_seq, 11);
}

#[test]
fn a_snapshot_of_another_course_of_the_journal_is_refused() {
    let fork = MemStore::new();
    drop(open_all(&fork));
    let run = |len| {
        let copy = fork.kill();
        let mut writer = tiny(&copy);
        append(&mut writer, len).unwrap();
        writer.seal_and_sync().unwrap();
        append(&mut writer, 10).unwrap();
        writer.close().unwrap();
        copy
    };
    // The same journal, continued twice: only the first record differs.
    let (mine, other) = (run(10), run(11));
    snapshot(&other, 2, 100);
    mine.set_contents(&snapshot_name(2), &other.contents(&snapshot_name(2)));
    let said = "memory/snap-00000000000000000002.snp was made at sequence 2 of another course of \
                this journal: the frame there is another one; nothing was changed: put back from a \
                copy whichever of the two does not belong here";
    says(try_from(&mine), said);
    says(open_all(&mine), said);
    assert_eq!(verify(&mine, &mut |_| {}).unwrap().problems[0].to_string(), said);
    snapshot(&other, 1, 100);
    mine.set_contents(&snapshot_name(1), &other.contents(&snapshot_name(1)));
    says(archive(&mine, &manifest(&mine), false), &said.replace('2', "1"));
}

#[test]
fn two_snapshots_are_kept_that_are_right_in_every_byte() {
    let store = twelve();
    let manifest = manifest(&store);
    for seq in [2, 4, 6, 8, 10] {
        snapshot(&store, seq, 100);
    }
    let mut bytes = store.contents(&snapshot_name(8));
    bytes[4097] ^= 1;
    store.set_contents(&snapshot_name(8), &bytes);
    assert_eq!(drop_old_snapshots(&store, &manifest).unwrap(), [4, 2]);
    assert_eq!(snapshots(&store).unwrap(), [10, 8, 6], "the damaged one goes with the next");
    snapshot(&store, 11, 100);
    assert_eq!(drop_old_snapshots(&store, &manifest).unwrap(), [8, 6]);
    assert_eq!(drop_old_snapshots(&store, &manifest).unwrap(), []);
}

#[test]
fn a_full_disk_has_no_snapshot_and_loses_nothing() {
    let store = twelve();
    let at = position(&store, 12);
    store.set_capacity(Some(3 * TINY + 2 * 64 + 5000));
    says(
        try_snapshot(&store, at, 1000),
        "no space for memory/snap-00000000000000000012.snp: 5136 bytes needed, 5000 free; free \
         some space or move the journal to a larger file system, nothing written so far is lost",
    );
    assert!(try_snapshot(&store, at, 800).is_ok());
    assert_eq!(rest(&mut open_from(&store)), []);
}

/// Two snapshots, and the archive behind the older; stops at the first error.
fn keep<S: Store>(store: &S, places: [Position; 2]) -> Result<(), Error> {
    for place in places {
        try_snapshot(store, place, 700)?;
        drop_old_snapshots(store, &manifest_of(store)?)?;
    }
    archive(store, &manifest_of(store)?, false).map(|_| ())
}

/// Whatever was interrupted: the journal opens in both ways, has every record, and goes on.
fn check_whole(store: &MemStore, what: &str) {
    let report = verify(store, &mut |_| {}).unwrap();
    assert!(report.is_sound() && report.records == 12, "{what}: {report}");
    assert!(report.bad_snapshots.is_empty(), "{what}: a snapshot has its name when it is whole");
    let mut opened = try_from(store).unwrap_or_else(|e| panic!("{what}: {e}"));
    let base = opened.base.map_or(0, |base| base.position.seq);
    assert_eq!(rest(&mut opened), (base + 1..=12).collect::<Vec<_>>(), "{what}");
    drop(opened);
    let names = store.list().unwrap();
    assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{what}: {names:?}");
    let mut opened = open_all(store).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(read_all(&mut opened), 12, "{what}");
    keep(store, [position(store, 9), position(store, 12)]).unwrap();
    assert_eq!(segment_files(store), [segment(9)], "{what}: it can be done again");
}

#[test]
fn a_crash_at_every_operation_of_a_snapshot_and_of_archiving_loses_nothing() {
    let ready = twelve();
    snapshot(&ready, 3, 500);
    let places = [position(&ready, 9), position(&ready, 12)];
    let ops = {
        let copy = ready.kill();
        let before = copy.ops();
        keep(&copy, places).unwrap();
        copy.ops() - before
    };
    assert!(40 < ops, "{ops} moments");
    for at in 0..=ops {
        let store = ready.kill();
        store.take_image_at(store.ops() + at);
        keep(&store, places).unwrap();
        let image = store.image();
        check_whole(&image.kill(), &format!("killed at {at}"));
        for names in 0..=image.pending_names() {
            for keep in [0, 1, 2, 3] {
                let cut = image.crash(names, |_, sector| keep & (1 << (sector % 2)) != 0);
                check_whole(&cut, &format!("power cut at {at}, {names} names, {keep}"));
            }
        }
    }
}

#[test]
fn an_error_at_any_call_of_a_snapshot_and_of_archiving_is_reported_and_loses_nothing() {
    let ready = twelve();
    let places = [position(&ready, 9), position(&ready, 12)];
    for k in 1.. {
        let store = ready.kill();
        let kind = if k % 2 == 0 { ErrorKind::Other } else { ErrorKind::StorageFull };
        let before = store.calls();
        store.fail_at(before + k, kind);
        let result = keep(&store, places);
        if store.calls() < before + k {
            result.unwrap();
            assert!(60 < k, "{k} calls");
            break;
        }
        check_whole(&store.kill(), &format!("call {k} failed, killed"));
        check_whole(&store.crash(0, |_, _| false), &format!("call {k} failed, power cut"));
    }
}

#[test]
fn a_reader_goes_on_through_segments_that_are_archived_under_it() {
    let store = twelve();
    snapshot(&store, 9, 100);
    snapshot(&store, 12, 100);
    for stop in 1..=12 {
        let copy = store.kill();
        let mut reader = Reader::open(copy.clone(), 1, ReadLevel::Sealed).unwrap();
        for seq in 1..=stop {
            assert_eq!(reader.next().unwrap().unwrap().meta.seq, seq);
        }
        archive(&copy, &reader.manifest(), false).unwrap();
        for seq in stop + 1..=12 {
            assert_eq!(reader.next().unwrap().unwrap().meta.seq, seq, "archived at {stop}");
        }
        assert!(reader.next().unwrap().is_none());
    }
}

#[test]
fn a_reader_says_where_a_frame_ends_and_only_there() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    let mut reader = Reader::open(store.clone(), 1, ReadLevel::Complete).unwrap();
    assert_eq!(reader.position(), None);
    for frame in 0..20u64 {
        for _ in 0..3 {
            append(&mut writer, 700).unwrap();
            assert!(reader.next().unwrap().is_some(), "frame {frame}");
            assert_eq!(reader.position(), None, "the frame is open");
        }
        writer.seal_and_sync().unwrap();
        if frame % 3 == 0 {
            writer.cover().unwrap();
        }
        assert!(reader.next().unwrap().is_none());
        let at = reader.position().expect("the frame is sealed");
        assert_eq!((at.seq, at.ts, at.epoch), (frame * 3 + 3, at.seq as i64 * 1000, 1));
        assert_eq!(position(&store, at.seq).chain, at.chain, "read from the beginning, too");
        let mut inside = Reader::open(store.clone(), 1, ReadLevel::Sealed).unwrap();
        while inside.next_at_most(at.seq - 1).unwrap().is_some() {}
        assert_eq!(inside.position(), None, "in the middle of a frame");
    }
}

#[test]
fn the_archive_of_a_directory_belongs_to_its_owner_alone() {
    use std::os::unix::fs::MetadataExt;
    let (dir, store) = temp_dir();
    let mut writer = tiny(&store);
    write_frames(&mut writer, &[1; 12]);
    writer.close().unwrap();
    snapshot(&store, 9, 100);
    snapshot(&store, 12, 2 << 20);
    let moved = archive(&store, &manifest(&store), false).unwrap();
    assert_eq!(moved.segments.len(), 2);
    let book = dir.path().join("book");
    let mode = |name: &str| std::fs::metadata(book.join(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("archive"), 0o700);
    assert_eq!(mode("archive/seg-00000000000000000001.jnl"), 0o600);
    assert_eq!(mode("snap-00000000000000000012.snp"), 0o600);
    let mut names = store.list().unwrap();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "LOCK",
            "MANIFEST",
            "WITNESS",
            "archive/seg-00000000000000000001.jnl",
            "archive/seg-00000000000000000005.jnl",
            "seg-00000000000000000009.jnl",
            "snap-00000000000000000009.snp",
            "snap-00000000000000000012.snp",
        ]
    );
    assert_eq!(rest(&mut open_from(&store)), []);
    assert_eq!(read_all(&mut open(&store)), 12);
}

#[test]
fn a_segment_that_is_damaged_does_not_go_to_the_archive() {
    let store = twelve();
    snapshot(&store, 9, 100);
    snapshot(&store, 12, 100);
    let name = "seg-00000000000000000001.jnl";
    let sound = store.contents(name);
    let mut bytes = sound.clone();
    bytes[4096 + 100] ^= 1;
    store.set_contents(name, &bytes);
    let error = archive(&store, &manifest(&store), false).unwrap_err();
    assert!(matches!(error, Error::Corrupt { segment: 1, .. }), "{error}");
    assert_eq!(store.contents(name), bytes, "it is where it was");
    store.set_contents(name, &sound);
    assert_eq!(archive(&store, &manifest(&store), false).unwrap().segments.len(), 2);
}

#[test]
fn what_is_in_the_archive_is_never_overwritten() {
    let store = twelve();
    snapshot(&store, 9, 100);
    snapshot(&store, 12, 100);
    let (first, second) = ("seg-00000000000000000001.jnl", "seg-00000000000000000005.jnl");
    let other = format!("archive/{first}");
    store.set_contents(&other, &store.contents(second));
    let error = archive(&store, &manifest(&store), false).unwrap_err().to_string();
    let why = format!("memory/{other}: it is another one than the segment here");
    assert!(error.starts_with(&why), "{error}");
    // The same one, copied back from the archive: one of the two is enough.
    store.set_contents(&other, &store.contents(first));
    assert_eq!(archive(&store, &manifest(&store), false).unwrap().segments, [first, second]);
    assert!(!store.list().unwrap().iter().any(|name| name == first));
    assert_eq!(read_all(&mut open(&store)), 12);
}

#[test]
fn snapshots_of_other_rules_are_kept_until_there_are_two_of_these() {
    let store = twelve();
    let make = |seq: u64, rules_id: u64| {
        let payload = payload(seq, 100);
        let header = SnapshotHeader { rules_id, ..header(position(&store, seq), &payload) };
        write_snapshot(&store, &manifest(&store), &header, &payload).unwrap();
        drop_old_snapshots(&store, &manifest(&store)).unwrap()
    };
    assert_eq!((make(3, 2), make(5, 2), make(9, 7)), (vec![], vec![], vec![]));
    let archived = archive(&store, &manifest(&store), false).unwrap();
    assert_eq!(archived.behind, None, "one of these is not enough to archive behind");
    assert_eq!(make(12, 7), [5, 3]);
}
