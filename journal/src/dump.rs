//! Looking at a journal without writing it: what is in it, and whether every byte is right.
//!
//! Nothing here takes the lock, so a journal may be looked at while it is written; what is on its
//! way then shows as an unsealed frame.

use std::fmt;

use crate::error::Error;
use crate::frame::{Record, chain_start};
use crate::reader::manifest;
use crate::recovery::{
    Anchored, Kept, Progress, Torn, anchors, check_link, corrupt, last_is_here, list, name_of,
    read_header, segments_of,
};
use crate::scan::{Progressed, SealedFrame, SegmentEnd, Tail, Window, scan_segment};
use crate::segment::{
    MANIFEST, Manifest, SEGMENT_HEADER_BYTES, SegmentHeader, parse_archived_name,
    parse_segment_name,
};
use crate::snapshot_file::{BadSnapshot, SnapshotHeader, parse_snapshot_name, verify_snapshot};
use crate::store::Store;
use crate::witness::{WITNESS, Witness};

/// Something that is wrong with a journal. With one of these it does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// First sequence of the segment, which is its name.
    pub segment: u64,
    /// Offset in the segment's file, in bytes.
    pub offset: u64,
    /// The first sequence that cannot be trusted.
    pub seq: u64,
    /// What is wrong, where, and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments found, those in the archive too.
    pub segments: usize,
    /// Sealed frames that are right in every byte, empty ones included.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// The first record's sequence; 0 if there is none. More than 1 if the segments before it were
    /// taken away from the archive, and a snapshot stands for them.
    pub first_seq: u64,
    /// The last record's sequence, in a sealed frame; 0 if there is none.
    pub last_seq: u64,
    /// Bytes read: all of them.
    pub bytes: u64,
    /// Bytes that the next opening will cut from the end.
    pub torn: Option<Torn>,
    /// Good records of an unsealed frame at the end, which the next opening will keep, or which are
    /// being written now.
    pub kept: Option<Kept>,
    /// Everything that is wrong, in order.
    pub problems: Vec<Problem>,
    /// Snapshots in which every byte is right.
    pub snapshots: usize,
    /// Those that opening will pass over.
    pub bad_snapshots: Vec<BadSnapshot>,
}

impl VerifyReport {
    /// Whether the journal would open: a torn tail is no damage, and a snapshot that cannot be used is
    /// passed over.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} records (sequences {} to {}) in {} frames in {} segments, {} bytes",
            self.records, self.first_seq, self.last_seq, self.frames, self.segments, self.bytes
        )?;
        if let Some(kept) = &self.kept {
            writeln!(f, "{kept}")?;
        }
        if let Some(torn) = &self.torn {
            writeln!(f, "{torn}")?;
        }
        if 0 < self.snapshots {
            writeln!(f, "{} snapshots, right in every byte", self.snapshots)?;
        }
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        for bad in &self.bad_snapshots {
            writeln!(f, "{bad}")?;
        }
        match self.problems.len() + self.bad_snapshots.len() {
            0 => write!(f, "every byte is right"),
            1 => write!(f, "1 problem"),
            n => write!(f, "{n} problems"),
        }
    }
}

/// A sealed frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameInfo {
    /// First sequence of the segment, which is its name.
    pub segment: u64,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// Header, records, padding and trailer, in bytes.
    pub len: u64,
    /// The epoch in which it was written.
    pub epoch: u32,
    /// The first record's sequence; that of the next one if the frame is empty.
    pub first_seq: u64,
    /// The last record's sequence; `first_seq - 1` if the frame is empty.
    pub last_seq: u64,
    /// Number of records.
    pub records: u32,
    /// Everything up to here was durable before the frame was begun.
    pub durable_seq_at_write: u64,
    /// Time of the first record; of the last one before it if the frame is empty.
    pub ts: i64,
    /// The chain value.
    pub chain: u64,
}

impl FrameInfo {
    fn of(segment: &SegmentHeader, frame: &SealedFrame) -> FrameInfo {
        FrameInfo {
            segment: segment.first_seq,
            offset: frame.offset,
            len: frame.len,
            epoch: segment.epoch,
            first_seq: frame.header.first_seq,
            last_seq: frame.last_seq,
            records: frame.n_records,
            durable_seq_at_write: frame.header.durable,
            ts: frame.header.ts,
            chain: frame.chain,
        }
    }
}

impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame at {:>10}  {:>8} bytes  ", self.offset, self.len)?;
        if self.records == 0 {
            write!(f, "empty, covers {:<12}", self.last_seq)?;
        } else {
            write!(f, "{} records, {}..={}", self.records, self.first_seq, self.last_seq)?;
        }
        write!(f, "  epoch {}  chain {:016x}", self.epoch, self.chain)
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seq {}  ts {}  epoch {}  kind {} v{} flags {:#04x}  {} bytes  at {}:{}",
            self.meta.seq,
            self.meta.ts,
            self.epoch,
            self.meta.kind,
            self.meta.ver,
            self.meta.flags,
            self.payload.len(),
            self.segment,
            self.offset
        )
    }
}

/// A segment whose header could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The file's name, with `archive/` before it if it was moved there.
    pub name: String,
    /// What its header says.
    pub header: SegmentHeader,
    /// Sealed frames, empty ones included.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// The last record's sequence; `first_seq - 1` if there is none.
    pub last_seq: u64,
    /// Bytes up to the end of the last good frame, header included.
    pub bytes_used: u64,
}

impl fmt::Display for SegmentInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = &self.header;
        write!(
            f,
            "{}  no {}  epoch {}  {} records in {} frames, sequences {}..={}, {} of {} bytes used, \
             logic {}, rules {:016x} v{}",
            self.name,
            header.segment_no,
            header.epoch,
            self.records,
            self.frames,
            header.first_seq,
            self.last_seq,
            self.bytes_used,
            header.segment_bytes,
            header.logic_version,
            header.rules_id,
            header.rules_version
        )
    }
}

/// What is in a journal's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// UUID and schema hash.
    pub manifest: Manifest,
    /// The segments, in order, those in the archive too.
    pub segments: Vec<SegmentInfo>,
    /// The snapshots that can be used, newest first.
    pub snapshots: Vec<SnapshotHeader>,
    /// Files that hold nothing of the journal: prepared segments, the lock, strangers.
    pub other_files: Vec<String>,
    /// Whether every byte is right.
    pub report: VerifyReport,
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal ")?;
        for byte in self.manifest.uuid {
            write!(f, "{byte:02x}")?;
        }
        writeln!(f, "  schema {:016x}", self.manifest.schema_hash)?;
        for segment in &self.segments {
            writeln!(f, "{segment}")?;
        }
        for snapshot in &self.snapshots {
            writeln!(f, "{snapshot}")?;
        }
        if !self.other_files.is_empty() {
            writeln!(f, "also here: {}", self.other_files.join(", "))?;
        }
        write!(f, "{}", self.report)
    }
}

/// Checks every byte of a journal, and goes on behind damage to find all of it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Manifest`], [`Error::FormatVersion`], [`Error::Io`],
/// [`Error::Permission`]: when there is nothing to check against. Damage is no error here.
pub fn verify<S: Store>(
    store: &S,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, Error> {
    Ok(inspect(store, progress, &mut |_| {})?.report)
}

/// What is in a journal; every sealed frame is given to `on_frame`, in order.
///
/// # Errors
/// Those of [`verify`].
pub fn inspect<S: Store>(
    store: &S,
    progress: &mut dyn FnMut(Progress),
    on_frame: &mut dyn FnMut(&FrameInfo),
) -> Result<Inspection, Error> {
    let manifest = manifest(store)?;
    // Before the segments are listed: one that is begun meanwhile is then at most not witnessed yet.
    let witness = Witness::read(store, &manifest);
    let mut names = list(store)?;
    names.sort_unstable();
    let segments = segments_of(&names);
    let mut bad_snapshots = Vec::new();
    let anchors = anchors(store, &manifest, &names, &mut bad_snapshots);
    let mut snapshots = Vec::new();
    for anchor in &anchors {
        match verify_snapshot(store, &manifest, anchor.position.seq) {
            Ok(header) => snapshots.push(header),
            Err(why) => bad_snapshots.push(why),
        }
    }
    let last_is_here = segments.last().map_or(Ok(()), |last| last_is_here(store, &names, *last));
    names.retain(|name| {
        let ours = parse_segment_name(name).or(parse_archived_name(name));
        ours.or(parse_snapshot_name(name)).is_none() && name != MANIFEST && name != WITNESS
    });
    let first_seq = segments.first().copied().unwrap_or(1);
    let covered = snapshots.iter().any(|snapshot| first_seq <= snapshot.position.seq);
    let mut look = Look {
        store,
        manifest,
        window: Window::new(),
        state: Progressed { next_seq: 1, chain: chain_start(&manifest.uuid), last_ts: 0 },
        // What is before the first segment may be elsewhere, if a snapshot stands for it.
        trusted: first_seq == 1 || !covered,
        anchored: Anchored::new(&anchors, first_seq),
        before: None,
        open_tail: None,
        segments: Vec::new(),
        report: VerifyReport {
            segments: segments.len(),
            snapshots: snapshots.len(),
            bad_snapshots,
            ..VerifyReport::default()
        },
    };
    for (index, &first_seq) in segments.iter().enumerate() {
        look.segment(first_seq, on_frame)?;
        let done = index + 1;
        progress(Progress {
            segment: done,
            segments: segments.len(),
            bytes_done: look.report.bytes,
            bytes_total: look.report.bytes / done as u64 * segments.len() as u64,
            records: look.report.records,
        });
    }
    look.tail()?;
    look.witness(witness)?;
    last_is_here.or_else(|e| look.problem(e))?;
    let Look { segments, report, .. } = look;
    Ok(Inspection { manifest, segments, snapshots, other_files: names, report })
}

/// A look over all segments.
struct Look<'a, S: Store> {
    store: &'a S,
    manifest: Manifest,
    window: Window,
    state: Progressed,
    /// Whether `state` was read, not lost to damage: then the next segment has to link to it.
    trusted: bool,
    anchored: Anchored<'a>,
    before: Option<SegmentHeader>,
    /// The open or torn frame at the end of the segment before: damage, if another one follows.
    open_tail: Option<(u64, Tail)>,
    segments: Vec<SegmentInfo>,
    report: VerifyReport,
}

impl<S: Store> Look<'_, S> {
    fn segment(
        &mut self,
        first_seq: u64,
        on_frame: &mut dyn FnMut(&FrameInfo),
    ) -> Result<(), Error> {
        if let Some((segment, tail)) = self.open_tail.take() {
            self.problem(corrupt(self.store, segment, &tail.damage))?;
            self.trusted = false;
        }
        let (file, header) = match read_header(self.store, &self.manifest, first_seq) {
            Ok(segment) => segment,
            Err(e) => {
                self.trusted = false;
                return self.problem(e);
            }
        };
        if self.trusted
            && let Err(e) = check_link(self.store, &header, self.before.as_ref(), &self.state)
        {
            self.problem(e)?;
        }
        let next_seq = header.first_seq;
        self.state = Progressed { next_seq, chain: header.prev_chain, ..self.state };
        self.trusted = true;
        self.before = Some(header);

        let mut info = SegmentInfo {
            name: name_of(self.store, first_seq),
            header,
            frames: 0,
            records: 0,
            last_seq: first_seq - 1,
            bytes_used: SEGMENT_HEADER_BYTES,
        };
        let mut from = SEGMENT_HEADER_BYTES;
        self.window.forget();
        loop {
            let end = scan_segment(
                &file,
                &header,
                from,
                self.manifest.salt(),
                &mut self.state,
                &mut self.window,
                &mut |frame| {
                    info.frames += 1;
                    info.records += u64::from(frame.n_records);
                    info.last_seq = frame.last_seq;
                    info.bytes_used = frame.offset + frame.len;
                    if 0 < frame.n_records {
                        self.anchored.frame(&header, frame);
                    }
                    on_frame(&FrameInfo::of(&header, frame));
                },
            )
            .map_err(Error::at(self.store, &info.name, "read", 0))?;
            match end {
                SegmentEnd::Clean => break,
                SegmentEnd::Tail(tail) => {
                    self.open_tail = Some((first_seq, tail));
                    break;
                }
                SegmentEnd::Damaged { damage, resume } => {
                    self.problem(corrupt(self.store, first_seq, &damage))?;
                    let Some((offset, frame)) = resume else {
                        self.trusted = false;
                        break;
                    };
                    self.state.next_seq = frame.first_seq;
                    self.state.chain = frame.prev_chain;
                    from = offset;
                }
            }
        }
        self.report.frames += info.frames;
        self.report.records += info.records;
        self.report.bytes += header.segment_bytes;
        if 0 < info.records {
            if self.report.first_seq == 0 {
                self.report.first_seq = info.header.first_seq;
            }
            self.report.last_seq = info.last_seq;
        }
        self.segments.push(info);
        Ok(())
    }

    /// What the last segment ends with, and whether snapshots say that there was more.
    fn tail(&mut self) -> Result<(), Error> {
        if let Err(e) = self.anchored.broken(self.store) {
            self.problem(e)?;
        }
        match self.open_tail.take() {
            Some((segment, tail)) if self.anchored.goes_on() => {
                self.problem(corrupt(self.store, segment, &tail.damage))
            }
            Some((segment, tail)) => {
                self.report.torn = tail.torn(segment);
                self.report.kept = tail.kept(segment);
                Ok(())
            }
            None if self.trusted => {
                let last_seq = self.state.next_seq - 1;
                self.anchored.all_met(self.store, last_seq).or_else(|e| self.problem(e))
            }
            // Where it ends is lost to damage, which is told.
            None => Ok(()),
        }
    }

    /// Whether the last segment that was begun is there.
    fn witness(&mut self, witness: Result<Option<Witness>, Error>) -> Result<(), Error> {
        match witness {
            // Where the last segment is damaged nobody knows what it was, and that is told.
            Ok(Some(_)) if self.before.is_none() && 0 < self.report.segments => Ok(()),
            Ok(Some(witness)) => {
                let last = self.before;
                witness.check(self.store, last.as_ref()).or_else(|e| self.problem(e))
            }
            Ok(None) => Ok(()),
            Err(e) => self.problem(e),
        }
    }

    /// Damage goes into the report; anything else ends the look.
    fn problem(&mut self, error: Error) -> Result<(), Error> {
        let (segment, offset, seq) = match &error {
            Error::Corrupt { segment, offset, seq, .. } => (*segment, *offset, *seq),
            Error::Segment { segment, .. } => (*segment, 0, *segment),
            Error::SegmentMissing { seq, .. }
            | Error::WitnessAhead { seq, .. }
            | Error::LastArchived { seq, .. }
            | Error::SnapshotAhead { seq, .. }
            | Error::SnapshotElsewhere { seq, .. } => (*seq, 0, *seq),
            Error::FormatVersion { .. } | Error::SchemaHash { .. } | Error::Witness { .. } => {
                (self.state.next_seq, 0, self.state.next_seq)
            }
            _ => return Err(error),
        };
        self.report.problems.push(Problem { segment, offset, seq, what: error.to_string() });
        Ok(())
    }
}
