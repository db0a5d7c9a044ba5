//! What can go wrong with a journal: what, where, and what to do.

use std::fmt;
use std::io;

use crate::frame::Fault;
use crate::segment::FORMAT_VERSION;
use crate::store::Store;

/// Why the journal could not do what it was asked to. Printed, each is meant for the operator.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a call.
    Io {
        /// What was being done, as in "cannot ... FILE".
        doing: &'static str,
        /// The file or directory.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file system is full.
    NoSpace {
        /// The file that could not be written.
        place: String,
        /// Bytes a segment needs.
        needed: u64,
        /// Bytes that are free, if the system says.
        free: u64,
    },
    /// This user may not read or write the journal.
    Permission {
        /// The file or directory.
        place: String,
    },
    /// There is no journal.
    NotFound {
        /// The directory.
        place: String,
    },
    /// The directory can be written by others than its owner.
    DirectoryOpen {
        /// The directory.
        place: String,
        /// Its permission bits.
        mode: u32,
    },
    /// Another process has the journal open.
    Locked {
        /// The lock file.
        place: String,
    },
    /// There are segments and no MANIFEST, or one that cannot be read.
    Manifest {
        /// The file.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The journal was written in another format.
    FormatVersion {
        /// The file that says so.
        place: String,
        /// The version found.
        found: u32,
    },
    /// The payloads were written by a program with other layouts.
    SchemaHash {
        /// The file that says so.
        place: String,
        /// The hash found.
        found: u64,
        /// The hash of this program.
        expected: u64,
    },
    /// Bytes that were durable have changed.
    Corrupt {
        /// The segment's file.
        place: String,
        /// First sequence of the segment, which is its name.
        segment: u64,
        /// Offset in the file, in bytes.
        offset: u64,
        /// The first sequence which cannot be trusted; the one behind the frame's last if only its
        /// padding or its trailer is damaged.
        seq: u64,
        /// What is wrong there.
        fault: Fault,
    },
    /// The segment's header cannot be trusted, or does not fit between its neighbours.
    Segment {
        /// The segment's file.
        place: String,
        /// First sequence of the segment by its name.
        segment: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A segment is missing.
    SegmentMissing {
        /// The directory.
        place: String,
        /// The first sequence that is missing.
        seq: u64,
    },
    /// The first segments are not there, and no snapshot can be used in their place.
    NotCovered {
        /// The directory.
        place: String,
        /// The first sequence of the first segment that is there.
        first_seq: u64,
        /// What is wrong with each snapshot.
        why: String,
    },
    /// A snapshot was made of records that the journal does not have.
    SnapshotAhead {
        /// The directory.
        place: String,
        /// The sequence at which it was made, which was durable then.
        seq: u64,
        /// The journal's last.
        last_seq: u64,
    },
    /// A snapshot was made at a record that the journal does not have in this form.
    SnapshotElsewhere {
        /// The snapshot's file.
        place: String,
        /// The sequence at which it was made.
        seq: u64,
    },
    /// The last segment, which is to be written, is in the archive.
    LastArchived {
        /// The file.
        place: String,
        /// The directory where it belongs.
        directory: String,
        /// Its first sequence.
        seq: u64,
    },
    /// WITNESS cannot be read.
    Witness {
        /// The file.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The journal ends before a segment that was begun, as WITNESS says.
    WitnessAhead {
        /// The directory.
        place: String,
        /// The segment's name.
        segment: String,
        /// Its first sequence: everything before it was durable.
        seq: u64,
    },
    /// The record can never be written: it is longer than a record, or than a segment, can be.
    RecordTooLong {
        /// Payload bytes.
        len: usize,
        /// The longest possible here.
        max: usize,
    },
    /// The open frame has no room for this record: seal and sync it, then append again.
    FrameFull {
        /// Bytes the record takes.
        needed: u64,
        /// Bytes left.
        room: u64,
    },
    /// An earlier write or sync failed, and nothing after it can be trusted.
    Poisoned {
        /// The last sequence known to be durable.
        durable: u64,
    },
    /// The options cannot work.
    Options {
        /// What is wrong with them.
        what: &'static str,
    },
}

impl Error {
    /// Sorts a system error of a file of this store into the variant that says what to do.
    /// `needed` is how many bytes were to be written, if any.
    pub(crate) fn at<S: Store>(
        store: &S,
        name: &str,
        doing: &'static str,
        needed: u64,
    ) -> impl FnOnce(io::Error) -> Error {
        move |source| {
            let place = store.place(name);
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Error::NoSpace { place, needed, free: store.free_bytes().unwrap_or(0) }
                }
                _ => Error::io(doing, place, source),
            }
        }
    }

    /// The same where there is no store yet.
    pub(crate) fn io(doing: &'static str, place: String, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::PermissionDenied => Error::Permission { place },
            _ => Error::Io { doing, place, source },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { doing, place, source } => write!(
                f,
                "cannot {doing} {place}: {source}; see to the file system, then open the journal \
                 again"
            ),
            Error::NoSpace { place, needed, free } => write!(
                f,
                "no space for {place}: {needed} bytes needed, {free} free; free some space or move \
                 the journal to a larger file system, nothing written so far is lost"
            ),
            Error::Permission { place } => write!(
                f,
                "no permission for {place}: run as the owner of the journal, or give it to this \
                 user"
            ),
            Error::NotFound { place } => {
                write!(f, "there is no journal in {place}: check the directory's name")
            }
            Error::DirectoryOpen { place, mode } => write!(
                f,
                "{place} can be written by others than its owner (mode {mode:04o}): \
                 chmod 0700 {place}"
            ),
            Error::Locked { place } => write!(
                f,
                "{place} is locked: another process has this journal open; stop it, or use another \
                 directory"
            ),
            Error::Manifest { place, what } => write!(
                f,
                "{place}: {what}; nothing was changed: put the MANIFEST of this journal back from \
                 a copy, or use another directory"
            ),
            Error::FormatVersion { place, found } => write!(
                f,
                "{place} is of format version {found}, this program reads version \
                 {FORMAT_VERSION}: use the program that wrote it"
            ),
            Error::SchemaHash { place, found, expected } => write!(
                f,
                "{place} was written with record layouts {found:016x}, this program has \
                 {expected:016x}: use the program that wrote it"
            ),
            Error::Corrupt { place, segment, offset, seq, fault } => write!(
                f,
                "{place} is damaged at offset {offset}, sequence {seq} (segment {segment}): \
                 {fault}; these bytes were durable, so nothing was changed: put this file back \
                 from a copy"
            ),
            Error::Segment { place, segment, what } => write!(
                f,
                "{place}: {what} (segment {segment}); nothing was changed: put this file back from \
                 a copy"
            ),
            Error::SegmentMissing { place, seq } => write!(
                f,
                "the segment with sequence {seq} is missing from {place}; nothing was changed: put \
                 it back from a copy"
            ),
            Error::NotCovered { place, first_seq, why } => write!(
                f,
                "the segments before sequence {first_seq} are neither in {place} nor in its \
                 archive, and no snapshot can be used in their place ({why}); nothing was changed: \
                 put them back into {place}/archive, or a snapshot into {place}, from a copy"
            ),
            Error::SnapshotAhead { place, seq, last_seq } => write!(
                f,
                "the journal in {place} ends with sequence {last_seq}, but a snapshot was made at \
                 sequence {seq}, which was durable then; nothing was changed: put the segments \
                 back from a copy"
            ),
            Error::SnapshotElsewhere { place, seq } => write!(
                f,
                "{place} was made at sequence {seq} of another course of this journal: the frame \
                 there is another one; nothing was changed: put back from a copy whichever of the \
                 two does not belong here"
            ),
            Error::LastArchived { place, directory, .. } => write!(
                f,
                "{place} is the last segment, which does not belong in the archive; nothing was \
                 changed: move it back to {directory}"
            ),
            Error::Witness { place, what } => write!(
                f,
                "{place}: {what}; nothing was changed: put it back from a copy of the same moment, \
                 or, if `betring journal verify` finds nothing else wrong and nothing is missing, \
                 remove it"
            ),
            Error::WitnessAhead { place, segment, seq } => write!(
                f,
                "the journal in {place} ends before {segment}, which was begun, as WITNESS says: \
                 everything before sequence {seq} was durable then; nothing was changed: put the \
                 last segments back from a copy, or, if they are in {place}/archive, move them back"
            ),
            Error::RecordTooLong { len, max } => write!(
                f,
                "a record of {len} bytes is longer than the longest possible, {max} bytes: split \
                 it, or make the segments larger"
            ),
            Error::FrameFull { needed, room } => write!(
                f,
                "the record needs {needed} bytes and the open frame has {room} left: seal and sync \
                 the frame, then append again"
            ),
            Error::Poisoned { durable } => write!(
                f,
                "an earlier write or sync failed: everything up to sequence {durable} is durable, \
                 of what came after nobody knows; open the journal again"
            ),
            Error::Options { what } => write!(f, "journal options: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
