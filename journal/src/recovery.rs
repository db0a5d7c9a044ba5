//! Opening a journal: what is there, what of it is sound, and what has to be repaired first.
//!
//! A bad frame with no good frame after it, in the last segment, is a *torn tail*: at most one
//! frame is ever on its way to the device, so nothing before it can be affected. Its longest run
//! of good records is kept and sealed, the rest is zeroed, both are synced, and the caller is told.
//! A bad frame with a good frame, or a good segment, behind it was durable once: that is *damage*,
//! and the journal refuses to open. Which of the two it is, for the very last frame, nobody can
//! know from one copy; the empty frame which follows it when the writer is idle or closes decides
//! it in nearly every case.

use std::fmt;
use std::io;

use crate::error::Error;
use crate::frame::{Fault, PAGE, Record, Salt, TRAILER_BYTES, chain_start, seal, trailer_offset};
use crate::prepare::Preparer;
use crate::reader::{ReadLevel, Reader};
use crate::scan::{Progressed, SealedFrame, SegmentEnd, Tail, Window, scan_segment};
use crate::segment::{
    MANIFEST, MANIFEST_BYTES, MANIFEST_TMP, Manifest, SEGMENT_HEADER_BYTES, SegmentHeader,
    Unreadable, archived_name, is_temporary, parse_archived_name, parse_segment_name, segment_name,
};
use crate::snapshot_file::{
    BadSnapshot, SnapshotHeader, read_snapshot, read_snapshot_header, snapshot_name, snapshots_of,
};
use crate::store::{Store, StoreFile};
use crate::witness::{WITNESS, Witness};
use crate::writer::Writer;

/// How a journal is kept. The defaults are what is measured best; tests use small segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Length of a segment's file: a multiple of 4096, at least 16 KiB, at most 1 GiB.
    pub segment_bytes: u64,
    /// How many segments are kept ready ahead of their use, by a thread of the journal's. With 0
    /// there is no thread, and a segment is prepared when it is needed, by whoever appends.
    pub ready_segments: usize,
    /// Frames begin and end at multiples of this many bytes. Only 4096 is supported.
    pub align: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: 64 << 20, ready_segments: 2, align: PAGE as u32 }
    }
}

impl Options {
    /// Small segments and no helper thread: for tests.
    pub fn small(segment_bytes: u64) -> Options {
        Options { segment_bytes, ready_segments: 0, ..Options::default() }
    }

    fn check(&self) -> Result<(), Error> {
        let what = if !self.segment_bytes.is_multiple_of(PAGE) {
            "segment_bytes is not a multiple of 4096"
        } else if !(16 << 10..=1 << 30).contains(&self.segment_bytes) {
            "segment_bytes is not between 16 KiB and 1 GiB"
        } else if self.align != PAGE as u32 {
            "align is not 4096, the only alignment supported"
        } else if 64 < self.ready_segments {
            "ready_segments is more than 64"
        } else {
            return Ok(());
        };
        Err(Error::Options { what })
    }
}

/// What the header of every segment of an epoch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochInfo {
    /// At least [`Opened::next_epoch`].
    pub epoch: u32,
    /// Version of the logic that decides in this epoch.
    pub logic_version: u32,
    /// The operator's rules,
    pub rules_id: u64,
    /// and their version.
    pub rules_version: u32,
}

/// How far opening has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The segment being checked, counted from 1.
    pub segment: usize,
    /// How many there are.
    pub segments: usize,
    /// Bytes checked.
    pub bytes_done: u64,
    /// Bytes there are.
    pub bytes_total: u64,
    /// Records found so far.
    pub records: u64,
}

/// The last record of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its sequence.
    pub seq: u64,
    /// Its time, nanoseconds UTC.
    pub ts: i64,
    /// Its epoch.
    pub epoch: u32,
    /// Chain value of the last frame.
    pub chain: u64,
}

/// Bytes behind the last good record, which were on their way to the device when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// First sequence of the segment, which is its name.
    pub segment: u64,
    /// Where they begin, in bytes from the start of the file.
    pub offset: u64,
    /// From there to the last byte that was not zero.
    pub bytes: u64,
    /// The last good record before them; 0 if there is none.
    pub last_kept_seq: u64,
    /// What is wrong with them.
    pub fault: Fault,
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Torn { segment, offset, bytes, last_kept_seq, fault } = self;
        write!(
            f,
            "torn tail in {} at offset {offset}, {bytes} bytes, after sequence {last_kept_seq}: \
             {fault}",
            segment_name(*segment)
        )
    }
}

/// Good records of a frame that was not sealed when the writer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// First sequence of the segment, which is its name.
    pub segment: u64,
    /// Where the frame begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many records.
    pub records: u32,
    /// Their first sequence.
    pub first_seq: u64,
    /// Their last sequence.
    pub last_seq: u64,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kept { segment, offset, records, first_seq, last_seq } = self;
        write!(
            f,
            "kept {records} records of the unsealed frame in {} at offset {offset}: sequences \
             {first_seq} to {last_seq}",
            segment_name(*segment)
        )
    }
}

/// Whether a caller can go on from a snapshot, given its header and its payload; if not, why.
pub type Accept<'a> = dyn FnMut(&SnapshotHeader, Vec<u8>) -> Result<(), String> + 'a;

/// The door of this crate.
#[derive(Debug)]
pub struct Journal;

impl Journal {
    /// Opens a journal for writing, or makes one: takes the directory's lock, checks every byte,
    /// repairs a torn tail. When it returns, everything it found is durable. Every record is read
    /// again, those of segments in `archive/` too; [`Journal::open_from`] can begin at a snapshot.
    ///
    /// `schema_hash` stands for the layouts of the payloads; a journal with another one is refused.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process writes it; [`Error::FormatVersion`] and
    /// [`Error::SchemaHash`] if another program wrote it; [`Error::Manifest`], [`Error::Segment`],
    /// [`Error::SegmentMissing`] and [`Error::Corrupt`] if it is damaged, and then nothing was
    /// changed; [`Error::SnapshotAhead`] and [`Error::SnapshotElsewhere`] if a snapshot proves that
    /// it was more, or another one; [`Error::WitnessAhead`] if its last segments are gone, and
    /// [`Error::Witness`]; [`Error::Options`]; [`Error::Permission`], [`Error::NoSpace`]
    /// and [`Error::Io`].
    pub fn open<S: Store>(
        store: S,
        options: Options,
        schema_hash: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Opened<S>, Error> {
        Journal::open_with(store, options, schema_hash, progress, None)
    }

    /// The same from the newest snapshot that is right in every byte and that `accept` says it can
    /// go on from: segments before it are not read, and need not be there. Without any, every
    /// record is read again.
    ///
    /// # Errors
    /// Those of [`Journal::open`]; [`Error::NotCovered`] if the first segments are neither here nor
    /// in `archive/`, and no snapshot can be used in their place.
    pub fn open_from<S: Store>(
        store: S,
        options: Options,
        schema_hash: u64,
        progress: &mut dyn FnMut(Progress),
        accept: &mut Accept<'_>,
    ) -> Result<Opened<S>, Error> {
        Journal::open_with(store, options, schema_hash, progress, Some(accept))
    }

    fn open_with<S: Store>(
        store: S,
        options: Options,
        schema_hash: u64,
        progress: &mut dyn FnMut(Progress),
        accept: Option<&mut Accept<'_>>,
    ) -> Result<Opened<S>, Error> {
        options.check()?;
        let lock = store.lock().map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => Error::Locked { place: store.place("LOCK") },
            _ => Error::at(&store, "LOCK", "lock", 0)(e),
        })?;
        let names = list(&store)?;
        let segments = segments_of(&names);
        let manifest = match read_manifest(&store)? {
            Some(manifest) => manifest,
            None if segments.is_empty() && !names.iter().any(|name| name == WITNESS) => {
                make_manifest(&store, &names, schema_hash)?
            }
            None => {
                let what = "it is missing, and there are segments";
                let what =
                    if segments.is_empty() { "it is missing, and WITNESS is there" } else { what };
                return Err(Error::Manifest { place: store.place(MANIFEST), what });
            }
        };
        if manifest.schema_hash != schema_hash {
            return Err(Error::SchemaHash {
                place: store.place(MANIFEST),
                found: manifest.schema_hash,
                expected: schema_hash,
            });
        }

        if let Some(&last) = segments.last() {
            last_is_here(&store, &names, last)?;
            trust_the_device(&store, last)?;
        }
        let mut passed_over = Vec::new();
        let anchors = anchors(&store, &manifest, &names, &mut passed_over);
        let base = match accept {
            Some(accept) => newest(&store, &manifest, &anchors, accept, &mut passed_over),
            None => None,
        };
        let begin = begin_at(&store, &segments, base.as_ref(), &passed_over)?;
        let segments = &segments[begin..];
        let checked =
            check_segments(&store, &manifest, segments, base.is_some(), &anchors, progress)?;
        if let Some(witness) = Witness::read(&store, &manifest)? {
            witness.check(&store, checked.last_segment.as_ref())?;
        }
        // Nothing is changed before everything was found sound.
        let (mut torn, mut kept) = (None, None);
        let mut chain = checked.state.chain;
        let mut state = checked.state;
        let mut last = checked.last;
        if let (Some(segment), Some(tail)) = (&checked.last_segment, &checked.tail) {
            chain = repair(&store, segment, tail, manifest.salt(), chain)?;
            state.next_seq = tail.next_seq;
            torn = tail.torn(segment.first_seq);
            kept = tail.kept(segment.first_seq);
            if let Some(header) = tail.header {
                let (seq, ts, epoch) = (tail.next_seq - 1, tail.last_ts, header.epoch);
                last = Some(Position { seq, ts, epoch, chain });
            }
        }
        if let Some(last) = &mut last {
            last.chain = chain;
        }
        state.chain = chain;
        make_durable(&store, checked.last_segment.as_ref().map(|header| header.first_seq))?;
        for name in names.iter().filter(|name| is_temporary(name)) {
            // MANIFEST.tmp may just have become MANIFEST.
            match store.remove(name) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::at(&store, name, "remove", 0)(e));
                }
                _ => (),
            }
        }
        Ok(Opened {
            last,
            torn,
            kept,
            is_new: last.is_none(),
            next_epoch: checked.last_segment.as_ref().map_or(1, |header| header.epoch + 1),
            segments: segments.len(),
            base,
            passed_over,
            last_segment: checked.last_segment,
            state,
            replay: None,
            store,
            options,
            manifest,
            lock,
        })
    }
}

/// A journal whose every byte that was read was found sound, locked, and not yet written to.
#[derive(Debug)]
pub struct Opened<S: Store> {
    /// Its last record; none if there is no record at all.
    pub last: Option<Position>,
    /// What was cut from its end.
    pub torn: Option<Torn>,
    /// What was kept of an unsealed frame at its end.
    pub kept: Option<Kept>,
    /// Whether there is no record, so that the first one is still to be written.
    pub is_new: bool,
    /// How many segments were checked: all, or those that a snapshot does not stand for.
    pub segments: usize,
    /// The snapshot that was accepted: the records behind it are to be replayed.
    pub base: Option<SnapshotHeader>,
    /// Snapshots that are damaged or were not accepted, and why.
    pub passed_over: Vec<BadSnapshot>,
    next_epoch: u32,
    last_segment: Option<SegmentHeader>,
    state: Progressed,
    replay: Option<Reader<S>>,
    store: S,
    options: Options,
    manifest: Manifest,
    lock: S::Lock,
}

impl<S: Store> Opened<S> {
    /// The epoch that [`Opened::begin_epoch`] has to begin, or any later one.
    pub fn next_epoch(&self) -> u32 {
        self.next_epoch
    }

    /// The sequence of the next record to be appended.
    pub fn next_seq(&self) -> u64 {
        self.state.next_seq
    }

    /// The journal's UUID and schema hash.
    pub fn manifest(&self) -> Manifest {
        self.manifest
    }

    /// The next record, from the first on, or from the first behind the snapshot that was accepted;
    /// none after the last.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Corrupt`] if the files changed since they were opened.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Error> {
        if self.last.is_none() {
            return Ok(None);
        }
        if self.replay.is_none() {
            let from = self.base.map_or(1, |base| base.position.seq + 1);
            self.replay = Some(Reader::open(self.store.clone(), from, ReadLevel::Sealed)?);
        }
        match &mut self.replay {
            Some(reader) => reader.next(),
            None => Ok(None),
        }
    }

    /// Begins to write: a new segment, named and synced, with the epoch in its header.
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::Permission`] or [`Error::Io`] if it cannot be made;
    /// [`Error::Segment`] if the epoch or the sequence is beyond the last that there can be.
    ///
    /// # Panics
    /// If the epoch is before [`Opened::next_epoch`].
    pub fn begin_epoch(self, info: EpochInfo) -> Result<Writer<S>, Error> {
        assert!(self.next_epoch <= info.epoch, "an epoch is never used twice");
        // A last segment without a record lends its name, number and place in the chain to the new
        // one, which replaces it: there is nothing in it.
        let (segment_no, prev_chain) = match &self.last_segment {
            None => (1, chain_start(&self.manifest.uuid)),
            Some(last) if last.first_seq == self.state.next_seq => {
                (last.segment_no, last.prev_chain)
            }
            Some(last) => (last.segment_no + 1, self.state.chain),
        };
        let header = SegmentHeader {
            epoch: info.epoch,
            segment_no,
            first_seq: self.state.next_seq,
            prev_chain,
            schema_hash: self.manifest.schema_hash,
            segment_bytes: self.options.segment_bytes,
            logic_version: info.logic_version,
            rules_id: info.rules_id,
            rules_version: info.rules_version,
        };
        let preparer = Preparer::new(self.store.clone(), self.options.segment_bytes);
        let last_ts = self.last.map_or(0, |last| last.ts);
        let ahead = self.options.ready_segments;
        Writer::begin(self.store, self.manifest, header, last_ts, preparer, ahead, self.lock)
    }
}

pub(crate) fn list<S: Store>(store: &S) -> Result<Vec<String>, Error> {
    store.list().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Error::NotFound { place: store.place("") },
        _ => Error::at(store, "", "list", 0)(e),
    })
}

/// The first sequences of the segments among these names, in order, those in the archive too.
pub(crate) fn segments_of(names: &[String]) -> Vec<u64> {
    let first_seq = |name: &String| parse_segment_name(name).or_else(|| parse_archived_name(name));
    let mut segments: Vec<u64> = names.iter().filter_map(first_seq).collect();
    segments.sort_unstable();
    // A crash may leave a segment under both names; it is the same file.
    segments.dedup();
    segments
}

/// Whether the last segment is where it is written.
pub(crate) fn last_is_here<S: Store>(store: &S, names: &[String], last: u64) -> Result<(), Error> {
    if names.contains(&segment_name(last)) {
        return Ok(());
    }
    let (place, directory) = (store.place(&archived_name(last)), store.place(""));
    Err(Error::LastArchived { place, directory, seq: last })
}

/// The headers of the snapshots among these names, newest first. Each says where a frame ended that
/// was durable, whatever else of it is damaged.
pub(crate) fn anchors<S: Store>(
    store: &S,
    manifest: &Manifest,
    names: &[String],
    bad: &mut Vec<BadSnapshot>,
) -> Vec<SnapshotHeader> {
    let mut anchors = Vec::new();
    for seq in snapshots_of(names) {
        match read_snapshot_header(store, manifest, seq) {
            Ok(header) => anchors.push(header),
            Err(why) => bad.push(why),
        }
    }
    anchors
}

/// The newest snapshot that is whole and that the caller can go on from.
fn newest<S: Store>(
    store: &S,
    manifest: &Manifest,
    anchors: &[SnapshotHeader],
    accept: &mut Accept<'_>,
    passed_over: &mut Vec<BadSnapshot>,
) -> Option<SnapshotHeader> {
    for anchor in anchors {
        let seq = anchor.position.seq;
        let (header, payload) = match read_snapshot(store, manifest, seq) {
            Ok(snapshot) => snapshot,
            Err(why) => {
                passed_over.push(why);
                continue;
            }
        };
        match accept(&header, payload) {
            Ok(()) => return Some(header),
            Err(what) => {
                let place = store.place(&snapshot_name(seq));
                passed_over.push(BadSnapshot { place, seq, offset: 0, what });
            }
        }
    }
    None
}

/// Which of the segments is the first that has to be there: the first of all, or the one with the record
/// at which the snapshot was made.
fn begin_at<S: Store>(
    store: &S,
    segments: &[u64],
    base: Option<&SnapshotHeader>,
    passed_over: &[BadSnapshot],
) -> Result<usize, Error> {
    match (base, segments.first()) {
        (Some(base), _) => {
            let seq = base.position.seq;
            let behind = segments.partition_point(|&first_seq| first_seq <= seq);
            let missing = || Error::SegmentMissing { place: store.place(""), seq };
            behind.checked_sub(1).ok_or_else(missing)
        }
        (None, Some(&first_seq)) if 1 < first_seq && !passed_over.is_empty() => {
            let why: Vec<String> = passed_over.iter().map(BadSnapshot::to_string).collect();
            let (place, why) = (store.place(""), why.join("; "));
            Err(Error::NotCovered { place, first_seq, why })
        }
        (None, _) => Ok(0),
    }
}

/// The MANIFEST, if there is one.
pub(crate) fn read_manifest<S: Store>(store: &S) -> Result<Option<Manifest>, Error> {
    let at = |doing| Error::at(store, MANIFEST, doing, 0);
    let file = match store.open_read(MANIFEST) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(at("open")(e)),
    };
    // One byte more than it should have, to see that it ends.
    let mut bytes = [0; MANIFEST_BYTES + 1];
    let len = file.read_at(0, &mut bytes).map_err(at("read"))?;
    match Manifest::decode(&bytes[..len]) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(why) => Err(match why {
            Unreadable::Version(found) => {
                Error::FormatVersion { place: store.place(MANIFEST), found }
            }
            Unreadable::What(what) => Error::Manifest { place: store.place(MANIFEST), what },
            Unreadable::Schema(_) => unreachable!("a manifest says which schema hash is right"),
        }),
    }
}

fn make_manifest<S: Store>(
    store: &S,
    names: &[String],
    schema_hash: u64,
) -> Result<Manifest, Error> {
    let at = |doing| Error::at(store, MANIFEST_TMP, doing, MANIFEST_BYTES as u64);
    if names.iter().any(|name| name == MANIFEST_TMP) {
        store.remove(MANIFEST_TMP).map_err(at("remove"))?;
    }
    let uuid = store.new_uuid().map_err(at("find a random number for"))?;
    let manifest = Manifest { uuid, schema_hash };
    let mut file = store.create_new(MANIFEST_TMP).map_err(at("create"))?;
    file.write_at(0, &manifest.encode()).map_err(at("write"))?;
    file.sync().map_err(at("sync"))?;
    // The name becomes durable with everything else, in `make_durable`, before opening returns.
    store.rename(MANIFEST_TMP, MANIFEST).map_err(at("rename"))?;
    Ok(manifest)
}

/// Opens a segment, wherever it is, and says under which name.
fn open_segment<S: Store>(store: &S, first_seq: u64) -> Result<(S::File, String), Error> {
    let name = segment_name(first_seq);
    let missing = match store.open_read(&name) {
        Ok(file) => return Ok((file, name)),
        Err(e) => e,
    };
    if missing.kind() == io::ErrorKind::NotFound {
        let archived = archived_name(first_seq);
        match store.open_read(&archived) {
            Ok(file) => return Ok((file, archived)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => (),
            Err(e) => return Err(Error::at(store, &archived, "open", 0)(e)),
        }
    }
    Err(Error::at(store, &name, "open", 0)(missing))
}

/// Under which name a segment is there: for messages.
pub(crate) fn name_of<S: Store>(store: &S, first_seq: u64) -> String {
    open_segment(store, first_seq).map_or_else(|_| segment_name(first_seq), |(_, name)| name)
}

/// Opens a segment, here or in the archive, and reads its header.
pub(crate) fn read_header<S: Store>(
    store: &S,
    manifest: &Manifest,
    first_seq: u64,
) -> Result<(S::File, SegmentHeader), Error> {
    let (file, name) = open_segment(store, first_seq)?;
    let at = |doing| Error::at(store, &name, doing, 0);
    let mut page = vec![0; SEGMENT_HEADER_BYTES as usize];
    let len = file.read_at(0, &mut page).map_err(at("read"))?;
    let place = store.place(&name);
    let what = match SegmentHeader::decode(&page[..len], manifest) {
        Ok(header) => {
            let file_len = file.len().map_err(at("read the length of"))?;
            if header.first_seq != first_seq {
                "its name does not say where it begins"
            } else if file_len < header.segment_bytes {
                "it is shorter than it was made"
            } else if header.segment_bytes < file_len {
                "it is longer than it was made"
            } else {
                return Ok((file, header));
            }
        }
        Err(Unreadable::Version(found)) => return Err(Error::FormatVersion { place, found }),
        Err(Unreadable::Schema(found)) => {
            return Err(Error::SchemaHash { place, found, expected: manifest.schema_hash });
        }
        Err(Unreadable::What(what)) => what,
    };
    Err(Error::Segment { place, segment: first_seq, what })
}

/// Whether a segment can stand behind the one before it.
pub(crate) fn check_link<S: Store>(
    store: &S,
    header: &SegmentHeader,
    before: Option<&SegmentHeader>,
    state: &Progressed,
) -> Result<(), Error> {
    let next_no = before.map_or(1, |before| before.segment_no + 1);
    if state.next_seq < header.first_seq {
        return Err(Error::SegmentMissing { place: store.place(""), seq: state.next_seq });
    }
    let what = if header.first_seq < state.next_seq {
        "it begins before the segment before it ends"
    } else if header.segment_no != next_no {
        "its number does not follow the segment before it"
    } else if header.prev_chain != state.chain {
        "it does not continue the chain of the segment before it"
    } else if before.is_some_and(|before| header.epoch < before.epoch) {
        "its epoch is before that of the segment before it"
    } else {
        return Ok(());
    };
    let place = store.place(&name_of(store, header.first_seq));
    Err(Error::Segment { place, segment: header.first_seq, what })
}

/// Where frames have to end, because snapshots were made there.
pub(crate) struct Anchored<'a> {
    anchors: &'a [SnapshotHeader],
    /// Those not met yet are before this place in `anchors`, which is newest first.
    left: usize,
    broken: Option<SnapshotHeader>,
}

impl<'a> Anchored<'a> {
    /// Of these, newest first, those at this sequence or behind it.
    pub(crate) fn new(anchors: &'a [SnapshotHeader], first_seq: u64) -> Anchored<'a> {
        let left = anchors.partition_point(|anchor| first_seq <= anchor.position.seq);
        Anchored { anchors, left, broken: None }
    }

    /// A good frame of the segment with this header.
    pub(crate) fn frame(&mut self, segment: &SegmentHeader, frame: &SealedFrame) {
        while let Some(at) = self.left.checked_sub(1)
            && self.anchors[at].position.seq <= frame.last_seq
        {
            let anchor = &self.anchors[at];
            // One in the gap that damage has left says nothing; the damage is told by itself.
            let in_frame = frame.header.first_seq <= anchor.position.seq;
            if in_frame && anchor.position != frame_position(segment, frame) {
                self.broken = self.broken.or(Some(*anchor));
            }
            self.left = at;
        }
    }

    /// What a snapshot says that the journal does not.
    pub(crate) fn broken<S: Store>(&self, store: &S) -> Result<(), Error> {
        self.broken.map_or(Ok(()), |anchor| {
            let seq = anchor.position.seq;
            Err(Error::SnapshotElsewhere { place: store.place(&snapshot_name(seq)), seq })
        })
    }

    /// At the end of the journal, whose last good frame was given.
    pub(crate) fn all_met<S: Store>(&self, store: &S, last_seq: u64) -> Result<(), Error> {
        if self.left == 0 {
            return Ok(());
        }
        let (place, seq) = (store.place(""), self.anchors[0].position.seq);
        Err(Error::SnapshotAhead { place, seq, last_seq })
    }

    /// Whether a snapshot was made behind the last frame given.
    pub(crate) fn goes_on(&self) -> bool {
        self.left != 0
    }
}

fn frame_position(segment: &SegmentHeader, frame: &SealedFrame) -> Position {
    Position { seq: frame.last_seq, ts: frame.last_ts, epoch: segment.epoch, chain: frame.chain }
}

struct Checked {
    state: Progressed,
    last: Option<Position>,
    last_segment: Option<SegmentHeader>,
    tail: Option<Tail>,
}

/// Checks every byte of these segments. `from_middle`: a snapshot stands for what is before the first.
fn check_segments<S: Store>(
    store: &S,
    manifest: &Manifest,
    segments: &[u64],
    from_middle: bool,
    anchors: &[SnapshotHeader],
    progress: &mut dyn FnMut(Progress),
) -> Result<Checked, Error> {
    let mut checked = Checked {
        state: Progressed { next_seq: 1, chain: chain_start(&manifest.uuid), last_ts: 0 },
        last: None,
        last_segment: None,
        tail: None,
    };
    let mut anchored = Anchored::new(anchors, segments.first().copied().unwrap_or(1));
    let mut window = Window::new();
    let mut bytes_before = 0;
    for (index, &first_seq) in segments.iter().enumerate() {
        let (file, header) = read_header(store, manifest, first_seq)?;
        if let (Some(tail), Some(before)) = (&checked.tail, &checked.last_segment) {
            // The header of a segment is written after everything before it was synced.
            return Err(corrupt(store, before.first_seq, &tail.damage));
        }
        match checked.last_segment.as_ref() {
            // What was before it is not read; the snapshot's place in it is.
            None if from_middle => {
                checked.state.next_seq = header.first_seq;
                checked.state.chain = header.prev_chain;
            }
            before => check_link(store, &header, before, &checked.state)?,
        }

        let mut report = Progress {
            segment: index + 1,
            segments: segments.len(),
            bytes_done: bytes_before,
            // Segments are of one size unless the option was changed between two openings.
            bytes_total: bytes_before + header.segment_bytes * (segments.len() - index) as u64,
            records: checked.state.next_seq - 1,
        };
        progress(report);
        let last = &mut checked.last;
        let mut reported = 0;
        let end = scan_segment(
            &file,
            &header,
            SEGMENT_HEADER_BYTES,
            manifest.salt(),
            &mut checked.state,
            &mut window,
            &mut |frame| {
                if 0 < frame.n_records {
                    *last = Some(frame_position(&header, frame));
                    anchored.frame(&header, frame);
                }
                if reported + (1 << 20) <= frame.offset {
                    reported = frame.offset;
                    report.bytes_done = bytes_before + frame.offset;
                    report.records = frame.last_seq;
                    progress(report);
                }
            },
        )
        .map_err(|e| Error::at(store, &name_of(store, first_seq), "read", 0)(e))?;
        window.forget();
        checked.tail = match end {
            SegmentEnd::Clean => None,
            SegmentEnd::Tail(tail) => Some(tail),
            SegmentEnd::Damaged { damage, .. } => return Err(corrupt(store, first_seq, &damage)),
        };
        bytes_before += header.segment_bytes;
        checked.last_segment = Some(header);
        report.bytes_done = bytes_before;
        report.records = checked.state.next_seq - 1;
        progress(report);
    }
    anchored.broken(store)?;
    if let (Some(tail), Some(segment)) = (&checked.tail, &checked.last_segment)
        && anchored.goes_on()
    {
        // Nobody makes a snapshot of what is not durable: this is no torn tail.
        return Err(corrupt(store, segment.first_seq, &tail.damage));
    }
    anchored.all_met(store, checked.state.next_seq - 1)?;
    Ok(checked)
}

pub(crate) fn corrupt<S: Store>(store: &S, segment: u64, damage: &crate::scan::Damage) -> Error {
    Error::Corrupt {
        place: store.place(&name_of(store, segment)),
        segment,
        offset: damage.offset,
        seq: damage.seq,
        fault: damage.fault,
    }
}

/// Zeroes what is cut, seals what is kept, and returns the chain value after it. A crash in between
/// leaves a torn tail with the same good records, and this is done again.
fn repair<S: Store>(
    store: &S,
    segment: &SegmentHeader,
    tail: &Tail,
    salt: Salt,
    chain: u64,
) -> Result<u64, Error> {
    let name = segment_name(segment.first_seq);
    let at = |doing| Error::at(store, &name, doing, 0);
    let mut file = store.open_write(&name).map_err(at("open for repair"))?;
    let zeros = vec![0; PAGE as usize];
    let mut done = tail.kept_end;
    while done < tail.dirty_end {
        // To the end of a page each time: one that is cut in the middle keeps its first part.
        let len = (PAGE - done % PAGE).min(tail.dirty_end - done);
        file.write_at(done, &zeros[..len as usize]).map_err(at("repair"))?;
        done += len;
    }
    if tail.header.is_none() {
        return Ok(chain);
    }
    let trailer_at = trailer_offset(tail.kept_end - tail.offset);
    assert!(
        tail.offset + trailer_at + TRAILER_BYTES <= segment.segment_bytes,
        "the walk over records leaves room for a trailer"
    );
    let mut unsealed = vec![0; trailer_at as usize];
    let len = file.read_at(tail.offset, &mut unsealed).map_err(at("read for repair"))?;
    if len < unsealed.len() {
        return Err(corrupt(store, segment.first_seq, &tail.damage));
    }
    let sealed = seal(&unsealed, tail.kept_records, tail.next_seq - 1, salt);
    file.write_at(tail.offset + trailer_at, &sealed.trailer).map_err(at("repair"))?;
    Ok(sealed.chain)
}

/// A sync that failed in an earlier run may have left pages of the last segment which the system
/// takes for written and the device never got. Whatever can still be written is written, and then
/// everything is read anew: so nothing is built on bytes that a power cut would take back. Segments
/// before the last need no such care: each was synced before the next one began.
fn trust_the_device<S: Store>(store: &S, last_segment: u64) -> Result<(), Error> {
    let name = segment_name(last_segment);
    let at = |doing| Error::at(store, &name, doing, 0);
    let mut file = store.open_write(&name).map_err(at("open"))?;
    file.sync().map_err(at("sync"))?;
    file.forget_cached().map_err(at("read anew"))
}

/// What was found may have been in the page cache only.
fn make_durable<S: Store>(store: &S, last_segment: Option<u64>) -> Result<(), Error> {
    if let Some(first_seq) = last_segment {
        let name = segment_name(first_seq);
        let at = |doing| Error::at(store, &name, doing, 0);
        let mut file = store.open_write(&name).map_err(at("open"))?;
        file.sync().map_err(at("sync"))?;
    }
    store.sync_dir().map_err(Error::at(store, "", "sync the directory", 0))
}
