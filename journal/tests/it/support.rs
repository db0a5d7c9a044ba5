//! Writing small journals and reading them back.

use betring_journal::{
    DirStore, EpochInfo, Error, Journal, MemStore, Opened, Options, RecordMeta, Store, Writer,
    record_bytes,
};

pub(crate) const SCHEMA: u64 = 0x5eed;
pub(crate) const SMALL: u64 = 64 << 10;

/// The payload of a record, different for every sequence and never all zero.
pub(crate) fn payload(seq: u64, len: usize) -> Vec<u8> {
    (0..len).map(|i| (seq as u8).wrapping_mul(31).wrapping_add(i as u8) | 1).collect()
}

pub(crate) fn meta(seq: u64) -> RecordMeta {
    RecordMeta { kind: (seq % 7) as u16, ver: 1, flags: 0, seq, ts: seq as i64 * 1000 }
}

pub(crate) fn try_open<S: Store>(store: &S) -> Result<Opened<S>, Error> {
    Journal::open(store.clone(), Options::small(SMALL), SCHEMA, &mut |_| {})
}

pub(crate) fn open<S: Store>(store: &S) -> Opened<S> {
    try_open(store).unwrap_or_else(|e| panic!("the journal opens: {e}"))
}

pub(crate) fn begin<S: Store>(opened: Opened<S>) -> Result<Writer<S>, Error> {
    let epoch = opened.next_epoch();
    opened.begin_epoch(EpochInfo { epoch, logic_version: 1, rules_id: 2, rules_version: 3 })
}

pub(crate) fn writer<S: Store>(store: &S) -> Writer<S> {
    begin(open(store)).unwrap_or_else(|e| panic!("an epoch begins: {e}"))
}

/// Appends the next record with a payload of this length.
pub(crate) fn append<S: Store>(writer: &mut Writer<S>, len: usize) -> Result<u64, Error> {
    let seq = writer.next_seq();
    writer.append(meta(seq), &payload(seq, len))?;
    Ok(seq)
}

/// The same, after a commit if the open frame has no room for it.
pub(crate) fn append_any<S: Store>(writer: &mut Writer<S>, len: usize) -> u64 {
    if writer.room() < record_bytes(len) {
        writer.seal_and_sync().unwrap();
    }
    append(writer, len).unwrap()
}

/// Writes one frame for every element: as many records, of 40, 41, 42, … bytes.
pub(crate) fn write_frames<S: Store>(writer: &mut Writer<S>, frames: &[usize]) {
    for &records in frames {
        for i in 0..records {
            append(writer, 40 + i).unwrap();
        }
        writer.seal_and_sync().unwrap();
    }
}

/// A closed journal of one epoch with these frames, and the empty one that covers them.
pub(crate) fn closed_journal(frames: &[usize]) -> MemStore {
    let store = MemStore::new();
    let options = Options::small(32 << 10);
    let opened = Journal::open(store.clone(), options, SCHEMA, &mut |_| {}).unwrap();
    let mut writer = begin(opened).unwrap();
    write_frames(&mut writer, frames);
    writer.close().unwrap();
    store
}

/// Every record, checked against what was written, and how many.
pub(crate) fn read_all<S: Store>(opened: &mut Opened<S>) -> u64 {
    let mut count = 0;
    while let Some(record) = opened.next_record().unwrap() {
        count += 1;
        assert_eq!(record.meta, meta(count), "records come in sequence, as they were written");
        assert_eq!(record.payload, payload(count, record.payload.len()));
    }
    assert_eq!(opened.last.map_or(0, |last| last.seq), count);
    count
}

/// The names of the segments, in order.
pub(crate) fn segment_files<S: Store>(store: &S) -> Vec<String> {
    let mut names = store.list().unwrap();
    names.retain(|name| name.starts_with("seg-"));
    names.sort_unstable();
    names
}

pub(crate) const FIRST_SEGMENT: &str = "seg-00000000000000000001.jnl";

/// A directory that is removed at the end of the test.
pub(crate) fn temp_dir() -> (tempfile::TempDir, DirStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = DirStore::create(dir.path().join("book")).unwrap();
    (dir, store)
}

/// Where the last byte that is not zero lies.
pub(crate) fn last_non_zero(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0)
}
