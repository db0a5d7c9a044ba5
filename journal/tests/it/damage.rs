//! Damage of the medium is detected, and never taken for a torn tail where something proves that
//! the bytes were durable.

use betring_journal::{Error, Fault, Journal, MemStore, Options, verify};

use crate::support::*;

/// Where frames with records end in a closed journal: the empty frame which covers them has its
/// own page.
fn covered_end(bytes: &[u8]) -> usize {
    (last_non_zero(bytes) + 1).next_multiple_of(4096) - 4096
}

#[test]
fn every_flipped_byte_of_a_closed_journal_is_found() {
    let damaged = closed_journal(&[1, 3, 2]);
    let good = damaged.contents(FIRST_SEGMENT);
    let cover = covered_end(&good);
    assert_eq!(cover, 4 * 4096, "a header and three frames of a page each");
    // Every byte that was written, and some of those that were not.
    for at in (0..cover + 4096).chain((cover + 4096..good.len()).step_by(53)) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        damaged.set_contents(FIRST_SEGMENT, &bad);
        let report = verify(&damaged, &mut |_| {}).unwrap();
        let opened = try_open(&damaged);
        if at < 4096 {
            assert!(
                matches!(opened, Err(Error::Segment { .. } | Error::FormatVersion { .. })),
                "byte {at}, of the segment's header"
            );
            assert_eq!(report.problems.len(), 1);
        } else if at < cover {
            let Err(Error::Corrupt { segment, offset, seq, .. }) = opened else {
                panic!("byte {at} was durable, so the journal refuses to open");
            };
            let problem = &report.problems[0];
            assert_eq!((problem.segment, problem.offset, problem.seq), (segment, offset, seq));
            assert_eq!((report.problems.len(), report.torn), (1, None), "byte {at}");
            // Never behind the damage, and in its frame.
            assert!(offset <= at as u64 && at as u64 / 4096 == offset / 4096, "byte {at}");
            let frame = at / 4096;
            assert!([1..=2, 2..=5, 5..=7][frame - 1].contains(&seq), "byte {at}: sequence {seq}");
            assert_eq!(damaged.contents(FIRST_SEGMENT), bad, "nothing was changed");
        } else {
            // The empty frame, and what was never written: both are the tail.
            let mut opened = opened.unwrap_or_else(|e| panic!("byte {at}: {e}"));
            let torn = opened.torn.unwrap_or_else(|| panic!("byte {at} is reported"));
            assert_eq!((torn.last_kept_seq, report.torn), (6, Some(torn)));
            assert_eq!(torn.fault == Fault::Stray, cover + 4096 + 64 <= at, "byte {at}");
            assert!(report.is_sound());
            assert_eq!(read_all(&mut opened), 6, "it held nothing");
            drop(opened);
            assert_eq!(last_non_zero(&damaged.contents(FIRST_SEGMENT)), {
                let kept = if cover + 4096 <= at { &good[..] } else { &good[..cover] };
                last_non_zero(kept)
            });
        }
    }
}

#[test]
fn every_flipped_byte_of_the_manifest_is_found() {
    let store = closed_journal(&[1]);
    let good = store.contents("MANIFEST");
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        store.set_contents("MANIFEST", &bad);
        assert!(
            matches!(
                try_open(&store),
                Err(Error::Manifest { .. }
                    | Error::FormatVersion { .. }
                    | Error::SchemaHash { .. })
            ),
            "bit {bit}"
        );
    }
}

#[test]
fn a_journal_cut_at_any_length_is_refused() {
    // Segments have their whole length before they have their name: no crash shortens one.
    let store = closed_journal(&[1, 3]);
    let good = store.contents(FIRST_SEGMENT);
    for len in (0..good.len()).step_by(61).chain([good.len() - 1]) {
        store.set_contents(FIRST_SEGMENT, &good[..len]);
        assert!(matches!(try_open(&store), Err(Error::Segment { .. })), "length {len}");
        assert_eq!(verify(&store, &mut |_| {}).unwrap().problems.len(), 1);
    }
    let longer = [&good[..], &[0]].concat();
    store.set_contents(FIRST_SEGMENT, &longer);
    assert!(matches!(try_open(&store), Err(Error::Segment { .. })));
}

#[test]
fn zeros_from_any_place_on_leave_the_records_before_it() {
    // What a disk that lost its latest writes would show. Nothing tells it from a torn tail.
    let store = closed_journal(&[1, 3, 2]);
    let good = store.contents(FIRST_SEGMENT);
    let end = last_non_zero(&good) + 1;
    // Where each record ends, header and payload without padding.
    let mut ends = vec![];
    let mut reader =
        betring_journal::Reader::open(store.clone(), 1, betring_journal::ReadLevel::Sealed)
            .unwrap();
    while let Some(record) = reader.next().unwrap() {
        ends.push(record.offset as usize + 32 + record.payload.len());
    }
    let cut = store.kill();
    for at in 4096..=end {
        let mut bytes = good.clone();
        bytes[at..].fill(0);
        cut.set_contents(FIRST_SEGMENT, &bytes);
        let mut opened = open(&cut);
        let whole = ends.iter().filter(|&&end| end <= at).count() as u64;
        let read = read_all(&mut opened);
        // A record whose last bytes happen to be zero is whole before its end.
        assert!(read == whole, "cut at {at}: {read} records, {whole} whole");
        drop(opened);
        let mut again = open(&cut);
        assert_eq!((read_all(&mut again), again.torn, again.kept), (read, None, None));
    }
}

#[test]
fn bytes_farther_behind_the_tail_than_any_frame_refuse() {
    let store = MemStore::new();
    let options = Options::small(8 << 20);
    let opened = Journal::open(store.clone(), options.clone(), SCHEMA, &mut |_| {});
    let mut writer = begin(opened.unwrap()).unwrap();
    write_frames(&mut writer, &[1]);
    writer.close().unwrap();
    let good = store.contents(FIRST_SEGMENT);
    // Header, frame, cover; a frame that begins there ends within 4 MiB.
    let reach = 3 * 4096 + (4 << 20);
    for (at, refused) in [(reach - 1, false), (reach, true), (good.len() - 1, true)] {
        let mut bad = good.clone();
        bad[at] = 1;
        let damaged = store.kill();
        damaged.set_contents(FIRST_SEGMENT, &bad);
        let report = verify(&damaged, &mut |_| {}).unwrap();
        assert_eq!((report.is_sound(), report.torn.is_some()), (!refused, !refused));
        let opened = Journal::open(damaged.clone(), options.clone(), SCHEMA, &mut |_| {});
        match opened {
            Err(Error::Corrupt { offset, fault: Fault::Stray, .. }) => {
                assert!(refused && offset == at as u64);
            }
            Ok(opened) => assert!(!refused && opened.torn.unwrap().offset <= at as u64),
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn frames_of_another_journal_never_count() {
    // The same records in another journal, whose bytes are already there: only the UUID differs.
    let old = closed_journal(&[1, 3, 2]);
    old.lose(FIRST_SEGMENT);
    old.lose("MANIFEST");
    old.lose("WITNESS");
    let new = old.kill();
    let mut writer = writer(&new);
    write_frames(&mut writer, &[1]);
    writer.close().unwrap();
    let mine = new.contents(FIRST_SEGMENT);
    let stale = closed_journal(&[1, 3, 2]).contents(FIRST_SEGMENT);
    assert_eq!(mine[4096 + 96..4096 + 136], stale[4096 + 96..4096 + 136], "the same payload");
    for page in 1..5 {
        for at in 2..6 {
            let mut mixed = mine.clone();
            mixed[at * 4096..(at + 1) * 4096]
                .copy_from_slice(&stale[page * 4096..(page + 1) * 4096]);
            let damaged = new.kill();
            damaged.set_contents(FIRST_SEGMENT, &mixed);
            let mut opened = open(&damaged);
            assert_eq!(read_all(&mut opened), 1, "page {page} of the old journal at page {at}");
        }
    }
    // A whole segment of the other journal.
    new.set_contents(FIRST_SEGMENT, &stale);
    assert!(matches!(try_open(&new), Err(Error::Segment { .. })));
}

#[test]
fn a_frame_in_the_wrong_place_is_damage() {
    let store = closed_journal(&[1, 3, 2]);
    let good = store.contents(FIRST_SEGMENT);
    let page = |n: usize| n * 4096..(n + 1) * 4096;
    for (from, to) in [(1, 2), (2, 1), (3, 2), (1, 5), (2, 7), (4, 1)] {
        let mut bad = good.clone();
        bad.copy_within(page(from), to * 4096);
        store.set_contents(FIRST_SEGMENT, &bad);
        let error = try_open(&store).map(|_| ());
        assert!(matches!(error, Err(Error::Corrupt { .. })), "page {from} at {to}: {error:?}");
    }
}

#[test]
fn in_a_segment_that_another_one_follows_nothing_is_a_torn_tail() {
    let store = closed_journal(&[2, 3]);
    writer(&store).close().unwrap();
    let good = store.contents(FIRST_SEGMENT);
    // A record of the last frame, the empty frame, and what was never written.
    for (at, offset, seq) in [(8192 + 200, 8192 + 144, 4), (12288, 12288, 6), (20000, 20000, 6)] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        store.set_contents(FIRST_SEGMENT, &bad);
        let error = try_open(&store).map(|_| ());
        let Err(Error::Corrupt { segment: 1, offset: found, seq: first, .. }) = error else {
            panic!("byte {at}: {error:?}");
        };
        assert_eq!((found, first), (offset, seq), "byte {at}");
        assert_eq!(store.contents(FIRST_SEGMENT), bad, "nothing was changed");
    }
}

#[test]
fn a_frame_of_a_copy_that_went_another_way_is_damage() {
    let journal = MemStore::new();
    drop(open(&journal));
    let write = |len| {
        let copy = journal.kill();
        let mut writer = writer(&copy);
        append(&mut writer, len).unwrap();
        writer.seal_and_sync().unwrap();
        append(&mut writer, 10).unwrap();
        writer.close().unwrap();
        copy
    };
    // Same UUID, epoch and sequences; only the first record differs.
    let (mine, other) = (write(10), write(11));
    let mut bytes = mine.contents(FIRST_SEGMENT);
    let second = 2 * 4096..3 * 4096;
    bytes[second.clone()].copy_from_slice(&other.contents(FIRST_SEGMENT)[second]);
    mine.set_contents(FIRST_SEGMENT, &bytes);
    let error = try_open(&mine).map(|_| ());
    assert!(
        matches!(error, Err(Error::Corrupt { offset: 8192, fault: Fault::HeaderChain, .. })),
        "{error:?}"
    );
}

#[test]
fn the_last_frame_uncovered_is_a_torn_tail_and_keeps_its_good_records() {
    // The limit of one copy: without a frame behind it, damage looks like a write cut short.
    let store = MemStore::new();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[2, 3]);
    drop(writer);
    let mut bytes = store.contents(FIRST_SEGMENT);
    // The second record of the second frame: headers 64 and 32, payload 40 padded to 48.
    bytes[2 * 4096 + 64 + 32 + 48 + 32] ^= 1;
    store.set_contents(FIRST_SEGMENT, &bytes);
    let mut opened = open(&store);
    let torn = opened.torn.unwrap();
    assert_eq!((torn.last_kept_seq, torn.fault), (3, Fault::RecordCrc));
    assert_eq!(opened.kept.unwrap().first_seq..=opened.kept.unwrap().last_seq, 3..=3);
    assert_eq!(read_all(&mut opened), 3);
}
