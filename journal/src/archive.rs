//! Which segments opening no longer needs, and moving them to `archive/`: never deleting.

use std::fmt;
use std::io;

use crate::error::Error;
use crate::recovery::{Anchored, check_link, corrupt, list, name_of, read_header};
use crate::scan::{Progressed, SegmentEnd, Window, scan_segment};
use crate::segment::segment_name;
use crate::segment::{Manifest, SEGMENT_HEADER_BYTES, archived_name, parse_segment_name};
use crate::snapshot_file::{SNAPSHOTS_KEPT, SnapshotHeader, newest_usable};
use crate::store::{Store, StoreFile};

/// What [`archive`] moved, or would move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// The older of the two snapshots: segments before the one with its record can go. None if there
    /// are fewer than two that are right in every byte.
    pub behind: Option<SnapshotHeader>,
    /// Names of the segments, in order.
    pub segments: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
}

impl fmt::Display for Archived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(behind) = &self.behind else {
            return write!(
                f,
                "nothing can go to the archive: there are fewer than two snapshots that are right \
                 in every byte"
            );
        };
        let seq = behind.position.seq;
        match self.segments.as_slice() {
            [] => write!(f, "nothing can go to the archive before the snapshot at sequence {seq}"),
            [one] => {
                write!(f, "{one}, {} bytes, before the snapshot at sequence {seq}", self.bytes)
            }
            [first, .., last] => write!(
                f,
                "{} segments, {first} to {last}, {} bytes, before the snapshot at sequence {seq}",
                self.segments.len(),
                self.bytes
            ),
        }
    }
}

/// Moves the segments behind the older of the newest two snapshots to `archive/`, and makes that
/// durable. Both snapshots are checked in every byte, and that the older belongs to this journal. The
/// segment in which its record lies stays, and so does everything after it. Each segment is checked in
/// every byte before it is moved, and none replaces another one that is in the archive. With `dry_run` nothing
/// is moved.
///
/// Only whoever holds the journal's lock, by an open journal or by [`Store::lock`], may move.
///
/// # Errors
/// [`Error::SnapshotElsewhere`] if the snapshot is not one of this journal's course;
/// [`Error::Corrupt`], [`Error::Segment`] and [`Error::SegmentMissing`] if the segment it was made
/// in, or one to be moved, is damaged or not there, or another one of its name is in the archive;
/// [`Error::NotFound`], [`Error::Permission`] and [`Error::Io`].
pub fn archive<S: Store>(store: &S, manifest: &Manifest, dry_run: bool) -> Result<Archived, Error> {
    let kept = newest_usable(store, manifest)?;
    let Some(behind) = kept.get(SNAPSHOTS_KEPT - 1) else { return Ok(Archived::default()) };
    let seq = behind.position.seq;
    let mut here: Vec<u64> = list(store)?.iter().filter_map(|n| parse_segment_name(n)).collect();
    here.sort_unstable();
    let with_record = here.partition_point(|&first_seq| first_seq <= seq);
    let Some(with_record) = with_record.checked_sub(1) else {
        return Err(Error::SegmentMissing { place: store.place(""), seq });
    };
    check_place(store, manifest, here[with_record], behind)?;

    let mut archived = Archived { behind: Some(*behind), ..Archived::default() };
    for &first_seq in &here[..with_record] {
        let name = segment_name(first_seq);
        let at = |doing| Error::at(store, &name, doing, 0);
        let file = store.open_read(&name).map_err(at("open"))?;
        archived.bytes += file.len().map_err(at("read the length of"))?;
        check_segment(store, manifest, first_seq, &here)?;
        let there = archived_name(first_seq);
        match store.open_read(&there) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if !dry_run {
                    store.rename(&name, &there).map_err(at("archive"))?;
                }
            }
            Err(e) => return Err(Error::at(store, &there, "open", 0)(e)),
            // A crash, or whoever copied it back, may have left it in both places.
            Ok(other) if are_equal(&file, &other).map_err(at("compare"))? => {
                if !dry_run {
                    store.remove(&name).map_err(at("remove"))?;
                }
            }
            Ok(_) => {
                let (place, what) =
                    (store.place(&there), "it is another one than the segment here");
                return Err(Error::Segment { place, segment: first_seq, what });
            }
        }
        archived.segments.push(name);
    }
    if !dry_run && !archived.segments.is_empty() {
        store.sync_dir().map_err(Error::at(store, "", "sync the directory", 0))?;
    }
    Ok(archived)
}

/// Whether a segment that is to be moved is right in every byte and goes on to the next one: in the archive
/// nobody looks at it until it is needed.
fn check_segment<S: Store>(
    store: &S,
    manifest: &Manifest,
    first_seq: u64,
    here: &[u64],
) -> Result<(), Error> {
    let (file, header) = read_header(store, manifest, first_seq)?;
    let mut state = Progressed { next_seq: first_seq, chain: header.prev_chain, last_ts: 0 };
    let (salt, from) = (manifest.salt(), SEGMENT_HEADER_BYTES);
    let end = scan_segment(&file, &header, from, salt, &mut state, &mut Window::new(), &mut |_| {})
        .map_err(|e| Error::at(store, &name_of(store, first_seq), "read", 0)(e))?;
    match end {
        SegmentEnd::Clean => (),
        SegmentEnd::Damaged { damage, .. } => return Err(corrupt(store, first_seq, &damage)),
        SegmentEnd::Tail(tail) => return Err(corrupt(store, first_seq, &tail.damage)),
    }
    let Some(&next) = here.iter().find(|&&next| first_seq < next) else { return Ok(()) };
    let (_, next) = read_header(store, manifest, next)?;
    check_link(store, &next, Some(&header), &state)
}

/// Whether two files have the same bytes.
fn are_equal<F: StoreFile>(one: &F, other: &F) -> io::Result<bool> {
    if one.len()? != other.len()? {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut offset = 0;
    loop {
        let (read, other) = (one.read_at(offset, &mut a)?, other.read_at(offset, &mut b)?);
        if a[..read] != b[..other] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
        offset += read as u64;
    }
}

/// Whether the frame at which a snapshot was made is in this segment.
fn check_place<S: Store>(
    store: &S,
    manifest: &Manifest,
    first_seq: u64,
    snapshot: &SnapshotHeader,
) -> Result<(), Error> {
    let (file, header) = read_header(store, manifest, first_seq)?;
    let only = std::slice::from_ref(snapshot);
    let mut anchored = Anchored::new(only, first_seq);
    let mut state = Progressed { next_seq: first_seq, chain: header.prev_chain, last_ts: 0 };
    let end = scan_segment(
        &file,
        &header,
        SEGMENT_HEADER_BYTES,
        manifest.salt(),
        &mut state,
        &mut Window::new(),
        &mut |frame| {
            if 0 < frame.n_records {
                anchored.frame(&header, frame);
            }
        },
    )
    .map_err(|e| Error::at(store, &name_of(store, first_seq), "read", 0)(e))?;
    anchored.broken(store)?;
    match end {
        SegmentEnd::Damaged { damage, .. } if anchored.goes_on() => {
            Err(corrupt(store, first_seq, &damage))
        }
        _ => anchored.all_met(store, state.next_seq - 1),
    }
}
