//! A journal's directory after anything may have happened to its files.
//!
//! An input chooses a small journal and then does things to its files: flips bits, overwrites, moves
//! pages, cuts, loses and copies files, and forges, which is to write nonsense and put every checksum
//! right again. Damage that is not forged never changes a record that is read.

use std::cell::OnceCell;

use betring_journal::{
    EpochInfo, Error, Journal, MemStore, Opened, Options, ReadLevel, Reader, RecordMeta, Store,
    VerifyReport, inspect, verify,
};
use crc_fast::{CrcAlgorithm, Digest};

use crate::targets::tape::Tape;

const SCHEMA: u64 = 0x5eed;
const PAGE: usize = 4096;
/// Length of the segments: a header, a few frames, and the page kept for covering.
const SEGMENT_BYTES: u64 = 24 << 10;
/// What may be done to the files of one input.
const ACTS_MAX: u32 = 64;
/// No file gets longer than this.
const FILE_BYTES_MAX: usize = 64 << 10;
/// Nor are there more.
const FILES_MAX: usize = 8;
/// CRC-32C finds any three flipped bits in what a segment can hold; more could be made to match.
const HONEST_FLIPS_MAX: u32 = 3;

/// Opens, verifies and reads a directory of files to which anything may have happened.
///
/// Nothing panics; what opens was found sound, reads in sequence, verifies afterwards, and takes new
/// records; what is refused is left as it was; without forgery every record read is one that was
/// written.
///
/// # Panics
/// If a rule is broken.
pub fn journal(data: &[u8]) {
    let mut tape = Tape::new(data);
    let base = usize::from(tape.byte()) % BASES;
    let store = BASE.with(|made| made.get_or_init(bases)[base].kill());
    let mut acts = Acts { store, honest: true, flips: 0 };
    for _ in 0..ACTS_MAX {
        if tape.is_over() {
            break;
        }
        acts.act(&mut tape);
    }
    let written = acts.honest.then(|| written(base));
    check(&acts.store, written.as_deref());
}

/// A record as it was written: sequence and payload.
type Written = (u64, Vec<u8>);

fn check(store: &MemStore, written: Option<&[Written]>) {
    let before = files(store);
    let report = verify(store, &mut |_| {});
    if let Ok(found) = inspect(store, &mut |_| {}, &mut |frame| assert!(frame.segment != 0)) {
        assert!(!found.to_string().is_empty());
        assert_eq!(report.as_ref().ok(), Some(&found.report), "looking twice shows the same");
    }
    let sealed = read(store, ReadLevel::Sealed);
    let complete = read(store, ReadLevel::Complete);
    for records in [&sealed, &complete] {
        were_written(records, written);
    }
    assert_eq!(files(store), before, "looking changes nothing");

    match Journal::open(store.clone(), options(), SCHEMA, &mut |_| {}) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(files(store), before, "what is refused is left as it was: {error}");
            let other_schema = matches!(error, Error::SchemaHash { .. });
            let sound = report.as_ref().is_ok_and(VerifyReport::is_sound);
            assert!(!sound || other_schema, "sound, but it does not open: {error}");
        }
        Ok(opened) => {
            if let Ok(report) = &report {
                assert!(report.is_sound(), "it opens, but is not sound: {report}");
                assert_eq!((report.torn, report.kept), (opened.torn, opened.kept));
            }
            go_on(store, opened, &complete, written);
        }
    }
}

/// What opened reads the same again and takes new records.
fn go_on(
    store: &MemStore,
    mut opened: Opened<MemStore>,
    complete: &[Written],
    written: Option<&[Written]>,
) {
    let records = replay(&mut opened);
    were_written(&records, written);
    assert_eq!(complete, records, "a reader delivers what the opening keeps");
    let last = opened.last.map_or(0, |last| last.seq);
    drop(opened);
    let report = verify(store, &mut |_| {}).expect("what opened can be looked at");
    assert!(report.is_sound() && report.torn.is_none() && report.kept.is_none(), "{report}");
    assert_eq!((report.last_seq, report.records), (last, records.len() as u64));

    let mut again = open(store);
    assert_eq!(replay(&mut again), records, "a second opening reads the same");
    let (epoch, next) = (again.next_epoch(), again.next_seq());
    assert_eq!(next, last + 1);
    let info = EpochInfo { epoch, logic_version: 1, rules_id: 2, rules_version: 3 };
    let mut writer = match again.begin_epoch(info) {
        Ok(writer) => writer,
        // The last epoch or sequence that there can be: nothing more is written, nothing is lost.
        Err(error) => {
            assert!(written.is_none() && matches!(error, Error::Segment { .. }), "{error}");
            assert_eq!(replay(&mut open(store)), records);
            return;
        }
    };
    for seq in next..next + 2 {
        let ts = seq as i64;
        writer
            .append(RecordMeta { kind: 9, ver: 1, flags: 0, seq, ts }, b"behind the repair")
            .expect("there is room");
    }
    assert_eq!(writer.seal_and_sync().expect("nothing fails here"), next + 1);
    writer.close().expect("nothing fails here");
    let mut last = open(store);
    assert_eq!(replay(&mut last).len(), records.len() + 2, "new records come behind the old");
}

fn open(store: &MemStore) -> Opened<MemStore> {
    Journal::open(store.clone(), options(), SCHEMA, &mut |_| {}).expect("what opened opens again")
}

fn replay(opened: &mut Opened<MemStore>) -> Vec<Written> {
    let mut records: Vec<Written> = Vec::new();
    loop {
        let record = opened.next_record().expect("an opened journal reads to its end");
        let Some(record) = record else { break };
        assert_eq!(record.meta.seq, records.len() as u64 + 1, "records come in sequence");
        assert!(!record.to_string().is_empty());
        records.push((record.meta.seq, record.payload.to_vec()));
    }
    assert_eq!(opened.last.map_or(0, |last| last.seq), records.len() as u64);
    records
}

/// What a reader delivers before the end or an error.
fn read(store: &MemStore, level: ReadLevel) -> Vec<Written> {
    let mut records = Vec::new();
    let Ok(mut reader) = Reader::open(store.clone(), 1, level) else { return records };
    // More than all files could hold, asked twice at the end: a reader may be asked again.
    let bound = FILES_MAX * FILE_BYTES_MAX / 32;
    for _ in 0..bound {
        match reader.next() {
            Ok(Some(record)) => records.push((record.meta.seq, record.payload.to_vec())),
            Ok(None) => {
                assert!(matches!(reader.next(), Ok(None) | Err(_)), "the end stays the end");
                return records;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return records;
            }
        }
    }
    panic!("a reader delivers no more records than there is room for");
}

/// Without forgery, what is read is the beginning of what was written.
fn were_written(records: &[Written], written: Option<&[Written]>) {
    let Some(written) = written else { return };
    assert!(records.len() <= written.len(), "no record is made up");
    for (read, written) in records.iter().zip(written) {
        assert_eq!(read, written, "a record is what was written");
    }
}

fn files(store: &MemStore) -> Vec<(String, Vec<u8>)> {
    let mut names = store.list().expect("nothing fails here");
    names.sort_unstable();
    names.into_iter().map(|name| (name.clone(), store.contents(&name))).collect()
}

fn options() -> Options {
    Options::small(SEGMENT_BYTES)
}

const BASES: usize = 6;

thread_local! {
    static BASE: OnceCell<Vec<MemStore>> = const { OnceCell::new() };
}

/// Payload lengths of the frames of each run of each journal, and whether the run was closed.
type Run = (&'static [&'static [usize]], bool);

const RUNS: [&[Run]; BASES] = [
    // One run, closed: the last frame is covered by an empty one.
    &[(&[&[40], &[41, 0, 200], &[16, 17]], true)],
    // Ended in the middle: the last frame is open.
    &[(&[&[40, 41], &[100, 3000, 40]], false)],
    // Segments full of records, and two more runs.
    &[
        (&[&[3000, 3000], &[6000], &[5000], &[9000]], true),
        (&[&[40], &[8000, 3000]], true),
        (&[&[1, 2, 3]], false),
    ],
    // A run without a record, and one behind it.
    &[(&[], true), (&[&[64]], true)],
    // A run without a record.
    &[(&[], false)],
    // Nothing at all.
    &[],
];

/// The payload of a record: different for every sequence, never all zero.
fn payload(seq: u64, len: usize) -> Vec<u8> {
    (0..len).map(|at| (seq as u8).wrapping_mul(31).wrapping_add(at as u8) | 1).collect()
}

fn written(base: usize) -> Vec<Written> {
    let lens = RUNS[base].iter().flat_map(|(frames, _)| frames.iter()).flat_map(|f| f.iter());
    (1..).zip(lens).map(|(seq, len)| (seq, payload(seq, *len))).collect()
}

fn bases() -> Vec<MemStore> {
    RUNS.iter().map(|runs| base(runs)).collect()
}

fn base(runs: &[Run]) -> MemStore {
    let mut store = MemStore::new();
    for (frames, closed) in runs {
        let opened = open(&store);
        let epoch = opened.next_epoch();
        let info = EpochInfo { epoch, logic_version: 1, rules_id: 2, rules_version: 3 };
        let mut writer = opened.begin_epoch(info).expect("there is room");
        for (nth, frame) in frames.iter().enumerate() {
            for len in *frame {
                let seq = writer.next_seq();
                let meta = RecordMeta { kind: 1, ver: 1, flags: 0, seq, ts: seq as i64 * 1_000 };
                writer.append(meta, &payload(seq, *len)).expect("frames are chosen to fit");
            }
            if *closed || nth + 1 < frames.len() {
                writer.seal_and_sync().expect("nothing fails here");
            }
        }
        if *closed {
            writer.close().expect("nothing fails here");
        }
        // As a process leaves it that is gone.
        store = store.kill();
    }
    store
}

/// What happens to the files.
struct Acts {
    store: MemStore,
    /// Nothing was done that could put a checksum right.
    honest: bool,
    flips: u32,
}

impl Acts {
    fn act(&mut self, tape: &mut Tape<'_>) {
        let what = tape.byte() % 13;
        let names = self.names();
        let name = |choice: u8| names.get(usize::from(choice) % names.len().max(1)).cloned();
        let Some(file) = name(tape.byte()) else {
            return self.new_file(tape);
        };
        let mut bytes = self.store.contents(&file);
        match what {
            0 => {
                let at = tape.u16();
                let bit = tape.byte() % 8;
                if let Some(byte) = place(&mut bytes, at) {
                    *byte ^= 1 << bit;
                    self.flips += 1;
                    self.honest &= self.flips <= HONEST_FLIPS_MAX;
                }
            }
            1 => {
                let at = usize::from(tape.u16());
                let len = usize::from(tape.byte() % 64);
                for (byte, new) in bytes.iter_mut().skip(at).zip(tape.bytes(len)) {
                    *byte = *new;
                }
                self.honest = false;
            }
            2 => {
                let (at, len) = (usize::from(tape.u16()), usize::from(tape.u16()));
                bytes.iter_mut().skip(at).take(len).for_each(|byte| *byte = 0);
            }
            3 => {
                // A page of another file, or of this one, where it does not belong.
                let from = name(tape.byte()).map(|from| self.store.contents(&from));
                let (page, to) = (usize::from(tape.byte() % 8), usize::from(tape.byte() % 8));
                let from = from.unwrap_or_default();
                let from = from.get(page * PAGE..(page + 1) * PAGE);
                if let (Some(from), Some(to)) = (from, bytes.get_mut(to * PAGE..(to + 1) * PAGE)) {
                    to.copy_from_slice(from);
                }
            }
            4 => bytes.resize(usize::from(tape.u16()).min(FILE_BYTES_MAX), 0),
            5 => return self.store.lose(&file),
            6 => return self.new_file(tape),
            7 => return self.copy(&file, tape),
            8 => {
                // A number of a header, as large as it pleases, with its checksum.
                let at = usize::from(tape.byte() % 8) * PAGE + usize::from(tape.byte() % 32) * 4;
                let number = tape.u64().to_le_bytes();
                let len = if tape.byte().is_multiple_of(2) { 4 } else { 8 };
                for (byte, new) in bytes.iter_mut().skip(at).zip(&number[..len]) {
                    *byte = *new;
                }
                self.mend(&file, &mut bytes);
            }
            9 => self.mend(&file, &mut bytes),
            10 => self.relink(),
            11 => {
                // The file of the segment that a forged header claims to be.
                if let Some(seq) = number(&bytes, 40) {
                    let name = format!("seg-{seq:020}.jnl");
                    if names.len() < FILES_MAX {
                        self.store.set_contents(&name, &bytes);
                        self.honest = false;
                    }
                }
                return;
            }
            _ => {
                // Garbage behind everything, as a torn write leaves it.
                let at = usize::from(tape.u16());
                let garbage = tape.bytes(32);
                if bytes.iter().skip(at).all(|byte| *byte == 0) {
                    for (byte, new) in bytes.iter_mut().skip(at).zip(garbage) {
                        *byte = *new;
                    }
                    // Thirty-two bytes that could be a record without a payload, checksum and all.
                    self.honest = false;
                }
            }
        }
        if what != 10 {
            self.store.set_contents(&file, &bytes);
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.store.list().expect("nothing fails here");
        names.sort_unstable();
        names
    }

    fn new_file(&mut self, tape: &mut Tape<'_>) {
        const NAMES: [&str; 10] = [
            "MANIFEST",
            "MANIFEST.tmp",
            "LOCK",
            "ready-00000001.tmp",
            "seg-00000000000000000001.jnl",
            "seg-00000000000000000004.jnl",
            "seg-18446744073709551615.jnl",
            "seg-99999999999999999999.jnl",
            "seg-.jnl",
            "notes.txt",
        ];
        let name = NAMES[usize::from(tape.byte()) % NAMES.len()];
        let len = usize::from(tape.u16() % 256);
        if self.names().len() < FILES_MAX {
            self.store.set_contents(name, tape.bytes(len));
            self.honest = false;
        }
    }

    /// A copy of a file under the name of another segment.
    fn copy(&mut self, file: &str, tape: &mut Tape<'_>) {
        let seq = match tape.byte() {
            255 => tape.u64(),
            choice => u64::from(choice % 32),
        };
        if self.names().len() < FILES_MAX {
            let bytes = self.store.contents(file);
            self.store.set_contents(&format!("seg-{seq:020}.jnl"), &bytes);
        }
    }

    fn uuid(&self) -> [u8; 16] {
        let manifest = self.names().iter().any(|name| name == "MANIFEST");
        let bytes = if manifest { self.store.contents("MANIFEST") } else { Vec::new() };
        bytes.get(16..32).and_then(|uuid| uuid.try_into().ok()).unwrap_or_default()
    }

    /// Puts every checksum of a file right, whatever its numbers are.
    fn mend(&mut self, file: &str, bytes: &mut [u8]) {
        self.honest = false;
        if file == "MANIFEST" {
            if let Some((body, crc)) = bytes.split_at_mut_checked(60) {
                set(crc, 0, crc_fast::crc32_iscsi(body));
            }
            return;
        }
        let salt = crc_fast::crc32_iscsi(&self.uuid());
        if let Some(page) = bytes.get_mut(..PAGE) {
            let crc = crc_fast::crc32_iscsi(&page[..PAGE - 4]) ^ salt;
            set(page, PAGE - 4, crc);
        }
        let mut at = PAGE;
        while at + PAGE <= bytes.len() {
            let len = if bytes[at..].starts_with(b"btrF") {
                mend_frame(&mut bytes[at..], salt)
            } else {
                0
            };
            at += len.max(PAGE);
        }
    }

    /// Makes every segment continue the chain of the one before it, and every frame that of the
    /// frame before it, so that what was forged stands in a sound journal.
    fn relink(&mut self) {
        self.honest = false;
        let uuid = self.uuid();
        let salt = crc_fast::crc32_iscsi(&uuid);
        let mut chain = crc_fast::crc64_nvme(&uuid);
        for name in self.names() {
            if !name.starts_with("seg-") {
                continue;
            }
            let mut bytes = self.store.contents(&name);
            if bytes.len() < PAGE {
                continue;
            }
            bytes[48..56].copy_from_slice(&chain.to_le_bytes());
            let crc = crc_fast::crc32_iscsi(&bytes[..PAGE - 4]) ^ salt;
            set(&mut bytes, PAGE - 4, crc);
            let mut at = PAGE;
            while at + PAGE <= bytes.len() && bytes[at..].starts_with(b"btrF") {
                bytes[at + 16..at + 24].copy_from_slice(&chain.to_le_bytes());
                let len = mend_frame(&mut bytes[at..], salt);
                if len == 0 {
                    break;
                }
                chain = number(&bytes[at..], len - 16).unwrap_or(chain);
                at += len;
            }
            self.store.set_contents(&name, &bytes);
        }
    }
}

/// Puts the checksums of a frame right: header, records, trailer. Returns its length, or nought if
/// it has no trailer within a few pages.
fn mend_frame(bytes: &mut [u8], salt: u32) -> usize {
    let crc = crc_fast::crc32_iscsi(&bytes[..60]) ^ salt;
    set(bytes, 60, crc);
    let mut at = 64;
    while at + 32 <= bytes.len() {
        let len = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let end = at + 32 + len as usize;
        if FILE_BYTES_MAX < len as usize || bytes.len() < end || bytes[at..at + 16] == [0; 16] {
            break;
        }
        let mut crc = Digest::new(CrcAlgorithm::Crc32Iscsi);
        crc.update(&bytes[at..at + 28]);
        crc.update(&bytes[at + 32..end]);
        set(bytes, at + 28, crc.finalize() as u32 ^ salt);
        at = end.next_multiple_of(16);
    }
    let mut len = PAGE;
    while len <= bytes.len() {
        let trailer = len - 32;
        if bytes[trailer..].starts_with(b"btrT") {
            let mut chain = Digest::new(CrcAlgorithm::Crc64Nvme);
            chain.update(&bytes[..trailer + 12]);
            chain.update(&bytes[trailer + 24..len]);
            let chain = chain.finalize().to_le_bytes();
            bytes[trailer + 16..trailer + 24].copy_from_slice(&chain);
            let mut crc = Digest::new(CrcAlgorithm::Crc32Iscsi);
            crc.update(&bytes[..trailer + 12]);
            crc.update(&bytes[trailer + 16..len]);
            set(bytes, trailer + 12, crc.finalize() as u32 ^ salt);
            return len;
        }
        len += PAGE;
    }
    0
}

fn set(bytes: &mut [u8], at: usize, number: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

fn place(bytes: &mut [u8], at: u16) -> Option<&mut u8> {
    let len = bytes.len();
    bytes.get_mut(usize::from(at) % len.max(1))
}

/// Every journal untouched, and one act of each kind.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("closed", vec![0]),
        ("open-frame", vec![1]),
        ("three-runs", vec![2]),
        ("empty-run", vec![3]),
        ("no-record", vec![4]),
        ("nothing", vec![5]),
        // File 1 is the first segment; offsets are little-endian.
        ("flipped-in-a-payload", vec![0, 0, 1, 0x64, 0x10, 3]),
        ("flipped-in-a-trailer", vec![0, 0, 1, 0xe8, 0x1f, 3]),
        ("flipped-in-an-open-frame", vec![1, 0, 1, 0x70, 0x20, 3]),
        ("zeros-to-the-end", vec![2, 2, 2, 0x00, 0x20, 0xff, 0xff]),
        ("a-page-moved", vec![0, 3, 1, 1, 1, 2]),
        ("a-page-of-another-run", vec![2, 3, 3, 1, 1, 1]),
        ("cut", vec![0, 4, 1, 0x00, 0x20]),
        ("a-segment-lost", vec![2, 5, 2]),
        ("a-stranger", vec![0, 6, 0, 9, 4, 0, 1, 2, 3, 4]),
        ("a-copied-segment", vec![0, 7, 1, 7]),
        // The last epoch of all, in a sound journal.
        ("forged-epoch", vec![4, 8, 1, 0, 3, 0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0]),
        ("forged-record-length", vec![0, 8, 1, 1, 16, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 10, 1]),
        ("forged-sequence", vec![0, 8, 1, 1, 2, 9, 0, 0, 0, 0, 0, 0, 0, 1, 10, 1]),
        (
            "forged-last-sequence",
            vec![
                4, 8, 1, 0, 10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 11, 1, 5, 1, 10,
                0,
            ],
        ),
        ("torn-garbage", vec![1, 12, 1, 0x00, 0x38, 1, 2, 3, 4, 5, 6, 7, 8]),
    ]
}
