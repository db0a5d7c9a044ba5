//! Every single bit flipped and every length cut, in every file of a small journal: each is found
//! with its place, or lies in the torn tail, which holds nothing, or nothing ever reads it. None is
//! silent. With `--nocapture` the counts are printed.

use std::fmt;
use std::num::NonZero;
use std::ops::AddAssign;

use betring_journal::{
    Error, Journal, MemStore, Opened, Options, Position, ReadLevel, Reader, SnapshotHeader, Store,
    manifest, record_bytes, snapshot_name, verify, verify_snapshot, write_snapshot,
};

use crate::support::*;

/// The smallest segments: a header, two frames of a page, and a page for the cover.
const LEAST: u64 = 16 << 10;
const SECOND_SEGMENT: &str = "seg-00000000000000000003.jnl";
/// A segment that was prepared and not used.
const READY: &str = "ready-00000001.tmp";
/// Records in all of two segments.
const RECORDS: u64 = 3;

/// What became of a change of the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// It was found, with its place, and nothing was built on it.
    Detected,
    /// It is behind everything that was ever durable: cut and told.
    Torn,
    /// Nothing reads it.
    Unread,
    /// It was taken for the truth.
    Silent,
}

/// How many changes became what.
#[derive(Clone, Copy, Default)]
struct Counts {
    detected: u64,
    torn: u64,
    unread: u64,
    silent: u64,
}

impl Counts {
    fn of(found: Found) -> Counts {
        Counts {
            detected: u64::from(found == Found::Detected),
            torn: u64::from(found == Found::Torn),
            unread: u64::from(found == Found::Unread),
            silent: u64::from(found == Found::Silent),
        }
    }

    fn all(&self) -> u64 {
        self.detected + self.torn + self.unread + self.silent
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.detected += other.detected;
        self.torn += other.torn;
        self.unread += other.unread;
        self.silent += other.silent;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { detected, torn, unread, silent } = self;
        write!(
            f,
            "{:>8} in all, {detected:>8} detected, {torn:>8} in the torn tail, {unread:>8} never \
             read, {silent} silent",
            self.all()
        )
    }
}

fn try_open_least<S: Store>(store: &S) -> Result<Opened<S>, Error> {
    Journal::open(store.clone(), Options::small(LEAST), SCHEMA, &mut |_| {})
}

/// A closed journal with so many frames of a record: two fill a segment.
fn frames(records: u64) -> MemStore {
    let store = MemStore::new();
    let mut writer = begin(try_open_least(&store).unwrap()).unwrap();
    write_frames(&mut writer, &vec![1; records as usize]);
    writer.close().unwrap();
    store
}

/// Where the second frame of a segment begins: behind the header and a frame of a page.
const SECOND_FRAME: usize = 8192;

/// A journal of two frames whose writer was killed before it covered the second, or before it sealed it.
fn killed(sealed: bool) -> MemStore {
    let store = MemStore::new();
    let mut writer = begin(try_open_least(&store).unwrap()).unwrap();
    write_frames(&mut writer, &[1]);
    append(&mut writer, 40).unwrap();
    append(&mut writer, 41).unwrap();
    if sealed {
        writer.seal_and_sync().unwrap();
    }
    store.kill()
}

/// A journal of two segments, and a snapshot at the first record and one at the second.
fn journal() -> MemStore {
    let store = frames(RECORDS);
    assert_eq!(segment_files(&store), [FIRST_SEGMENT, SECOND_SEGMENT]);
    let mut reader = Reader::open(store.clone(), 1, ReadLevel::Sealed).unwrap();
    for seq in 1..=2 {
        reader.next().unwrap();
        let payload = payload(seq, 40);
        let header = header(reader.position().unwrap(), payload.len());
        write_snapshot(&store, &reader.manifest(), &header, &payload).unwrap();
    }
    store
}

fn header(position: Position, payload_bytes: usize) -> SnapshotHeader {
    SnapshotHeader {
        position,
        payload_bytes: payload_bytes as u64,
        image_version: 4,
        logic_version: 1,
        rules_id: 2,
        rules_version: 3,
        digest: [position.seq as u8; 16],
    }
}

/// Judges so many changes, some threads a share each, every thread in a copy of its own.
fn each(
    store: &MemStore,
    changes: usize,
    judge: impl Fn(&MemStore, usize) -> Found + Sync,
) -> Counts {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let judge = &judge;
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let (mut counts, mut copy) = (Counts::default(), store.kill());
                    for (done, change) in (worker..changes).step_by(threads).enumerate() {
                        if done % 256 == 255 {
                            // What was removed and made again stays in a memory's list of files.
                            copy = store.kill();
                        }
                        counts += Counts::of(judge(&copy, change));
                    }
                    counts
                })
            })
            .collect();
        let mut counts = Counts::default();
        for worker in workers {
            counts += worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        counts
    })
}

/// Where frames with records end: the empty frame which covers them has its own page.
fn covered_end(bytes: &[u8]) -> usize {
    (last_non_zero(bytes) + 1).next_multiple_of(4096) - 4096
}

fn flipped(good: &[u8], bit: usize) -> Vec<u8> {
    let mut bad = good.to_vec();
    bad[bit / 8] ^= 1 << (bit % 8);
    bad
}

/// Whether a change of this bit is given to an opening, too, not to `verify` alone: in a build
/// without optimisation for one bit of every byte, so that all of it takes seconds. Both go over a
/// segment by the same scan.
fn opens(bit: usize) -> bool {
    !cfg!(debug_assertions) || bit % 8 == bit / 8 % 8
}

/// What is made of a segment in which something changed at `at`. If that is the tail, so many records are
/// kept, no fewer and no more.
fn judge_segment(store: &MemStore, name: &str, at: usize, kept: u64, opens: bool) -> Found {
    let first_seq: u64 = name[4..24].parse().unwrap();
    let report = verify(store, &mut |_| {}).unwrap();
    let opened = opens.then(|| try_open_least(store));
    if let Some(problem) = report.problems.first() {
        let refused = opened.is_none_or(|opened| opened.is_err());
        assert!(!report.is_sound() && refused, "{name}, byte {at}: {problem}");
        assert_eq!(problem.segment, first_seq, "{name}, byte {at}: {problem}");
        // Never behind the damage, and in its page: a header or a frame.
        let page = problem.offset..=(problem.offset / 4096 * 4096 + 4095);
        assert!(page.contains(&(at as u64)), "{name}, byte {at}: {problem}");
        return Found::Detected;
    }
    let Some(torn) = report.torn else { return Found::Silent };
    // From there on all is the tail, to its last byte that is not zero: the flip may be what cleared it.
    assert!(torn.segment == first_seq && torn.offset <= at as u64, "byte {at}: {torn}");
    assert_eq!(torn.last_kept_seq, kept, "byte {at}");
    if let Some(opened) = opened {
        let mut opened = opened.unwrap();
        assert_eq!((opened.torn, read_all(&mut opened)), (Some(torn), kept), "byte {at}");
    }
    Found::Torn
}

/// What is made of a segment that was cut.
fn judge_length(store: &MemStore, first_seq: u64) -> Found {
    let report = verify(store, &mut |_| {}).unwrap();
    let told = report.problems.first().is_some_and(|p| p.segment == first_seq);
    let refused = matches!(try_open_least(store), Err(Error::Segment { .. }));
    if told && refused { Found::Detected } else { Found::Silent }
}

fn judge_manifest(store: &MemStore) -> Found {
    let told = |error: Error| match error {
        Error::Manifest { place, .. }
        | Error::FormatVersion { place, .. }
        | Error::SchemaHash { place, .. } => !place.is_empty(),
        _ => false,
    };
    let verified = verify(store, &mut |_| {}).err().is_some_and(told);
    let opened = try_open_least(store).err().is_some_and(told);
    if verified && opened { Found::Detected } else { Found::Silent }
}

/// A damaged snapshot is named, and opening passes it over: with the other, or with every record.
fn judge_snapshot(store: &MemStore, seq: u64, at: usize, opens: bool) -> Found {
    let Err(bad) = verify_snapshot(store, &manifest(store).unwrap(), seq) else {
        return Found::Silent;
    };
    assert!(bad.seq == seq && bad.offset <= at as u64, "never behind the damage at {at}: {bad}");
    if !opens {
        return Found::Detected;
    }
    let report = verify(store, &mut |_| {}).unwrap();
    assert!(report.is_sound() && report.snapshots == 1 && report.bad_snapshots == [bad]);
    let mut from = 0;
    let opened = Journal::open_from(
        store.clone(),
        Options::small(LEAST),
        SCHEMA,
        &mut |_| {},
        &mut |header, image| {
            assert_eq!(image, payload(header.position.seq, 40), "only what was written is given");
            from = header.position.seq;
            Ok(())
        },
    );
    let mut opened = opened.unwrap();
    let mut next = from;
    while let Some(record) = opened.next_record().unwrap() {
        next += 1;
        assert_eq!((record.meta.seq, record.payload), (next, &payload(next, 40)[..]));
    }
    // The other one is good, so it is the one.
    if (from, next) == (3 - seq, RECORDS) { Found::Detected } else { Found::Silent }
}

fn none_silent(what: &str, changes: usize, counts: Counts) -> Counts {
    println!("{what:<52}{counts}");
    assert_eq!((counts.silent, counts.all()), (0, changes as u64), "{what}");
    counts
}

#[test]
fn no_flipped_bit_of_any_file_is_silent() {
    // Every bit of a journal of one segment. Of one with two, without optimisation, one bit of every
    // byte, in the next byte the next: their pages are made in the same way.
    let step = if cfg!(debug_assertions) { 9 } else { 1 };
    let mut all = Counts::default();
    let journals =
        [(2, FIRST_SEGMENT, 1), (RECORDS, FIRST_SEGMENT, step), (RECORDS, SECOND_SEGMENT, step)];
    for (records, name, step) in journals {
        let store = frames(records);
        let names = segment_files(&store);
        let good = store.contents(name);
        let end = covered_end(&good);
        let bits = (8 * good.len()).div_ceil(step);
        let counts = each(&store, bits, |store, n| {
            let bit = n * step;
            store.set_contents(name, &flipped(&good, bit));
            // Its tail held nothing: every record was there before it, and is there still.
            let found = judge_segment(store, name, bit / 8, records, step != 1 || opens(bit));
            // Its header and its frames with records; in the last one, all behind them is the tail.
            let is_tail = names.last().is_some_and(|last| last == name) && end <= bit / 8;
            assert_eq!(found == Found::Torn, is_tail, "bit {bit} of {name}");
            found
        });
        all += none_silent(&format!("bits of {name}, one of {}", names.len()), bits, counts);
    }
    let store = journal();
    let good = store.contents("MANIFEST");
    let counts = each(&store, 8 * good.len(), |store, bit| {
        store.set_contents("MANIFEST", &flipped(&good, bit));
        judge_manifest(store)
    });
    all += none_silent("bits of MANIFEST", 8 * good.len(), counts);
    for seq in 1..=2 {
        let name = snapshot_name(seq);
        let good = store.contents(&name);
        // The older one is made as the newer one is.
        let step = if seq == 1 { step } else { 1 };
        let bits = (8 * good.len()).div_ceil(step);
        let counts = each(&store, bits, |store, n| {
            let bit = n * step;
            store.set_contents(&name, &flipped(&good, bit));
            judge_snapshot(store, seq, bit / 8, step != 1 || opens(bit))
        });
        all += none_silent(&format!("bits of {name}"), bits, counts);
    }
    println!("{:<52}{all}", "flipped bits");
}

#[test]
fn no_length_of_any_file_is_silent() {
    let store = journal();
    let mut all = Counts::default();
    for (name, first_seq) in [(FIRST_SEGMENT, 1), (SECOND_SEGMENT, 3)] {
        let good = store.contents(name);
        let counts = each(&store, good.len(), |store, len| {
            store.set_contents(name, &good[..len]);
            judge_length(store, first_seq)
        });
        all += none_silent(&format!("lengths of {name}"), good.len(), counts);
    }
    let good = store.contents("MANIFEST");
    let counts = each(&store, good.len(), |store, len| {
        store.set_contents("MANIFEST", &good[..len]);
        judge_manifest(store)
    });
    all += none_silent("lengths of MANIFEST", good.len(), counts);
    for seq in 1..=2 {
        let name = snapshot_name(seq);
        let good = store.contents(&name);
        let counts = each(&store, good.len(), |store, len| {
            store.set_contents(&name, &good[..len]);
            // It ends at `len`: what is told is there, or before.
            judge_snapshot(store, seq, len, true)
        });
        all += none_silent(&format!("lengths of {name}"), good.len(), counts);
    }
    println!("{:<52}{all}", "lengths");
}

#[test]
fn in_a_journal_that_was_not_closed_nothing_is_silent_and_no_record_before_the_damage_is_lost() {
    let step = if cfg!(debug_assertions) { 9 } else { 1 };
    let mut all = Counts::default();
    for (sealed, what) in [(true, "its last frame uncovered"), (false, "its last frame open")] {
        let store = killed(sealed);
        assert_eq!(segment_files(&store), [FIRST_SEGMENT]);
        let good = store.contents(FIRST_SEGMENT);
        let durable_at_write = &good[SECOND_FRAME + 24..SECOND_FRAME + 32];
        let durable_at_write = u64::from_le_bytes(durable_at_write.try_into().unwrap());
        assert_eq!(durable_at_write, 1, "the first frame was durable before the second began");
        let first_end = SECOND_FRAME + 64 + record_bytes(40) as usize;
        let ends = [first_end, first_end + record_bytes(41) as usize];
        let bits = (8 * good.len()).div_ceil(step);
        let counts = each(&store, bits, |store, n| {
            let (bit, at) = (n * step, n * step / 8);
            store.set_contents(FIRST_SEGMENT, &flipped(&good, bit));
            // What the second frame says was durable, and of its own every record before the flip.
            let kept = durable_at_write + ends.iter().filter(|end| **end <= at).count() as u64;
            let found = judge_segment(store, FIRST_SEGMENT, at, kept, step != 1 || opens(bit));
            assert_eq!(found == Found::Torn, SECOND_FRAME <= at, "bit {bit}, {what}");
            found
        });
        all += none_silent(&format!("bits of a segment, {what}"), bits, counts);
        let counts = each(&store, good.len(), |store, len| {
            store.set_contents(FIRST_SEGMENT, &good[..len]);
            judge_length(store, 1)
        });
        all += none_silent(&format!("lengths of a segment, {what}"), good.len(), counts);
    }
    println!("{:<52}{all}", "journals that were not closed");
}

#[test]
fn nothing_that_stands_in_a_segment_prepared_by_an_earlier_process_is_ever_read() {
    let store = journal();
    // Opening asks as much of the disk as without it, and removes it: so nothing looks into it.
    let calls_of = |store: &MemStore| {
        let before = store.calls();
        let mut opened = try_open_least(store).unwrap();
        let calls = store.calls() - before;
        assert_eq!((opened.torn, opened.kept, read_all(&mut opened)), (None, None, RECORDS));
        calls
    };
    let without = calls_of(&store.kill());
    let judge = |store: &MemStore, ready: &[u8]| {
        store.set_contents(READY, ready);
        let is_unread = calls_of(store) == without + 1;
        let is_gone = !store.list().unwrap().iter().any(|name| name == READY);
        if is_unread && is_gone { Found::Unread } else { Found::Silent }
    };
    let zeros = vec![0; LEAST as usize];
    // A whole segment of this very journal does not count either, as long as it has no name.
    for whole in [store.contents(FIRST_SEGMENT), store.contents(SECOND_SEGMENT), zeros.clone()] {
        assert_eq!(judge(&store.kill(), &whole), Found::Unread);
    }
    let mut all = Counts::default();
    let step = if cfg!(debug_assertions) { 33 } else { 1 };
    let bits = (8 * zeros.len()).div_ceil(step);
    let counts = each(&store, bits, |store, n| judge(store, &flipped(&zeros, n * step)));
    all += none_silent("bits of a ready segment", bits, counts);
    let lengths = zeros.len().div_ceil(step);
    let counts = each(&store, lengths, |store, n| judge(store, &zeros[..n * step]));
    all += none_silent("lengths of a ready segment", lengths, counts);
    println!("{:<52}{all}", "ready segments");
}

#[test]
fn a_bit_that_flips_in_a_segment_made_ready_is_written_over_or_stands_in_the_journal_as_any_other()
{
    // Between being made ready and being written, every byte behind the header changes in one bit.
    let written = |flip: u8| {
        let store = MemStore::new();
        let mut writer = begin(try_open_least(&store).unwrap()).unwrap();
        let mut bytes = store.contents(FIRST_SEGMENT);
        bytes[4096..].iter_mut().for_each(|byte| *byte ^= flip);
        store.set_contents(FIRST_SEGMENT, &bytes);
        write_frames(&mut writer, &[1]);
        writer.close().unwrap();
        (store.contents(FIRST_SEGMENT), store)
    };
    let (clean, _) = written(0);
    let (mut over, mut stands) = (0, 0);
    for bit in 0..8 {
        let (bytes, store) = written(1 << bit);
        for (at, (is, was)) in bytes.iter().zip(&clean).enumerate() {
            // No byte depends on another one's flip: each is one of the two.
            let left = *is == was ^ (1 << bit);
            assert!(*is == *was || (left && 4096 <= at), "byte {at}, bit {bit}");
            over += u64::from(4096 <= at && !left);
            stands += u64::from(left);
        }
        // So one that stands is a flip in a written journal, of which none is silent.
        assert!(!verify(&store, &mut |_| {}).unwrap().is_sound(), "all of them are found");
    }
    println!("{over:>8} bits of a ready segment written over, {stands} left to be found");
    assert!(8 * 4 * 40 < over && 0 < stands, "{over} written over, {stands} stand");
}
