//! Appending records, and making them durable: one frame at a time, one sync a frame.
//!
//! `append` opens a frame if none is open and copies a record into it. `seal_and_sync` closes the
//! frame and returns when the device has it. Because both take the writer by exclusive reference,
//! no byte of a frame can be stored before the sync of the frame before it has returned: at most
//! one frame can ever be torn.

use std::sync::Arc;

use crate::error::Error;
use crate::frame::{
    FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameHeader, PAGE, PAYLOAD_BYTES_MAX, RECORD_HEADER_BYTES,
    RecordMeta, Salt, TRAILER_BYTES, encode_record, record_bytes, seal, trailer_offset,
};
use crate::prepare::{MapOf, Preparer, Ready};
use crate::recovery::Position;
use crate::segment::{Manifest, SEGMENT_HEADER_BYTES, SegmentHeader, segment_name};
use crate::store::{Store, StoreMap};
use crate::sync::Cursor;
use crate::witness;

/// Gets every frame once it is sealed and durable, in order, on the writer's thread: the seam for a
/// log on other machines.
pub trait FrameSink: Send {
    /// One frame, header and trailer included. `position` is its last record, or the one before it
    /// if the frame is empty.
    fn sealed(&mut self, position: Position, frame: &[u8]);
}

/// What a writer has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames sealed and synced, empty ones included.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of them, padding included.
    pub bytes: u64,
    /// Syncs of frames and of segment headers.
    pub syncs: u64,
    /// Segments begun after the first.
    pub rotations: u64,
}

/// The one who appends. Any error of the system poisons it: after that nothing but
/// [`Error::Poisoned`] comes back, and no failed sync is ever tried again, because the system may
/// have dropped what could not be written and would report success.
pub struct Writer<S: Store> {
    preparer: Preparer<S>,
    map: MapOf<S>,
    store: S,
    manifest: Manifest,
    salt: Salt,
    header: SegmentHeader,
    /// Where the open frame, or the next one, begins.
    frame_at: u64,
    /// Where the next record goes, from the start of the frame; 0 if no frame is open.
    pos: u64,
    n_records: u32,
    next_seq: u64,
    last_ts: i64,
    chain: u64,
    /// Whether the last synced frame has something behind it that proves it was synced.
    covered: bool,
    poisoned: bool,
    process: Arc<Cursor>,
    durable: Arc<Cursor>,
    stats: Stats,
    sink: Option<Box<dyn FrameSink>>,
    /// Last: dropped after the helper thread has ended.
    _lock: S::Lock,
}

impl<S: Store> std::fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("place", &self.store.place(""))
            .field("segment", &self.header.first_seq)
            .field("frame_at", &self.frame_at)
            .field("next_seq", &self.next_seq)
            .field("durable_seq", &self.durable.get())
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

impl<S: Store> Writer<S> {
    pub(crate) fn begin(
        store: S,
        manifest: Manifest,
        header: SegmentHeader,
        last_ts: i64,
        mut preparer: Preparer<S>,
        ahead: usize,
        lock: S::Lock,
    ) -> Result<Writer<S>, Error> {
        let ready = preparer.take()?;
        let map = name_segment(&store, &manifest, &header, ready)?;
        if 0 < ahead {
            preparer.start_helper(ahead)?;
        }
        let last_seq = header.first_seq - 1;
        Ok(Writer {
            preparer,
            map,
            store,
            manifest,
            salt: manifest.salt(),
            header,
            frame_at: SEGMENT_HEADER_BYTES,
            pos: 0,
            n_records: 0,
            next_seq: header.first_seq,
            last_ts,
            chain: header.prev_chain,
            covered: true,
            poisoned: false,
            process: Arc::new(Cursor::new(last_seq)),
            durable: Arc::new(Cursor::new(last_seq)),
            stats: Stats { syncs: 1, ..Stats::default() },
            sink: None,
            _lock: lock,
        })
    }

    /// Adds one record to the open frame, opening one if needed. When it returns, the record is in
    /// the page cache and survives this process; [`Writer::seal_and_sync`] makes it durable.
    ///
    /// # Errors
    /// [`Error::FrameFull`] if the open frame has no room: seal, and append again.
    /// [`Error::RecordTooLong`] if it can never fit. [`Error::NoSpace`] if the segment is full and
    /// no other can be made: nothing was stored, and the call may be repeated once there is space.
    /// [`Error::Poisoned`], and what poisons: [`Error::Io`].
    ///
    /// # Panics
    /// If the sequence is not the next one.
    #[inline]
    pub fn append(&mut self, meta: RecordMeta, payload: &[u8]) -> Result<(), Error> {
        self.append_parts(meta, &[payload])
    }

    /// [`Writer::append`] of a payload in several parts, which are written one behind the other.
    ///
    /// # Errors
    /// Those of [`Writer::append`].
    ///
    /// # Panics
    /// If the sequence is not the next one.
    pub fn append_parts(&mut self, meta: RecordMeta, payload: &[&[u8]]) -> Result<(), Error> {
        if self.poisoned {
            return Err(self.poisoned_error());
        }
        assert!(meta.seq == self.next_seq, "records are appended in sequence");
        let len = payload.iter().map(|part| part.len()).sum();
        let needed = record_bytes(len);
        if self.pos == 0 {
            self.open_frame(len, needed, meta.ts)?;
        } else if self.room() < needed {
            return self.refuse(len, needed);
        }

        // The payload first: a header is there only when the whole record is.
        let at = self.frame_at + self.pos;
        let mut end = at + RECORD_HEADER_BYTES;
        for part in payload {
            self.map.store(end, part);
            end += part.len() as u64;
        }
        let header = encode_record(&meta, self.header.epoch, len, payload, self.salt);
        for (word, at) in header.iter().zip((at..).step_by(8)) {
            self.map.store(at, word);
        }

        self.pos += needed;
        self.n_records += 1;
        self.next_seq += 1;
        self.last_ts = meta.ts;
        self.process.advance(meta.seq);
        Ok(())
    }

    /// Bytes ([`record_bytes`] of the payload) that the next record may take without
    /// [`Error::FrameFull`]. If no frame is open: what a new frame offers.
    #[inline]
    pub fn room(&self) -> u64 {
        if self.pos == 0 {
            self.frame_room_max()
        } else {
            let end = self.records_end().min(self.frame_at + FRAME_BYTES_MAX);
            end - TRAILER_BYTES - (self.frame_at + self.pos)
        }
    }

    /// The longest payload that can be appended at all: 128 KiB, or less in small segments.
    pub fn payload_bytes_max(&self) -> usize {
        let room = self.frame_room_max() - RECORD_HEADER_BYTES;
        PAYLOAD_BYTES_MAX.min(room as usize / 16 * 16)
    }

    /// Bytes for frames that are surely there: what is left of this segment, and the segments that
    /// are ready. When it nears zero, the helper cannot make segments fast enough, or at all. (With
    /// no segments prepared ahead it nears zero at the end of every segment.)
    pub fn bytes_ahead(&self) -> u64 {
        let segment = self.header.segment_bytes - SEGMENT_HEADER_BYTES - PAGE;
        let here = self.records_end().saturating_sub(self.frame_at + self.pos);
        here + self.preparer.ready() as u64 * segment
    }

    /// Seals the open frame and waits until the device has it: group commit. Everything appended is
    /// durable when it returns. Does nothing if nothing is open.
    ///
    /// Returns the last durable sequence; 0 before the first record.
    ///
    /// # Errors
    /// [`Error::Io`] if the sync fails, which poisons; [`Error::Poisoned`].
    pub fn seal_and_sync(&mut self) -> Result<u64, Error> {
        if self.poisoned {
            return Err(self.poisoned_error());
        }
        if self.pos == 0 {
            return Ok(self.next_seq - 1);
        }
        let last_seq = self.next_seq - 1;
        let trailer_at = trailer_offset(self.pos);
        let (start, len) = (self.frame_at, trailer_at + TRAILER_BYTES);
        let body = &self.map.bytes()[start as usize..(start + trailer_at) as usize];
        let sealed = seal(body, self.n_records, last_seq, self.salt);
        self.map.store(start + trailer_at, &sealed.trailer);
        if let Err(e) = self.map.sync_range(start, len) {
            return Err(self.poison("sync", e));
        }
        self.stats.syncs += 1;
        self.stats.frames += 1;
        self.stats.records += u64::from(self.n_records);
        self.stats.bytes += len;
        self.covered = self.n_records == 0;
        self.chain = sealed.chain;
        self.frame_at += len;
        self.pos = 0;
        self.n_records = 0;
        self.durable.advance(last_seq);
        if let Some(sink) = &mut self.sink {
            let (ts, epoch) = (self.last_ts, self.header.epoch);
            let position = Position { seq: last_seq, ts, epoch, chain: self.chain };
            sink.sealed(position, &self.map.bytes()[start as usize..(start + len) as usize]);
        }
        Ok(last_seq)
    }

    /// Writes an empty frame behind the last one, so that damage to that one can be told from a
    /// torn tail. To be called after 5 ms without a record. Seals and syncs first what is open;
    /// does nothing if the last frame has something behind it.
    ///
    /// # Errors
    /// Those of [`Writer::seal_and_sync`].
    pub fn cover(&mut self) -> Result<(), Error> {
        self.seal_and_sync()?;
        if self.covered {
            return Ok(());
        }
        // Frames with records leave the last page of every segment free for this.
        assert!(
            self.frame_at + PAGE <= self.header.segment_bytes,
            "the last page is kept for covering"
        );
        self.store_frame_header(self.last_ts);
        self.seal_and_sync()?;
        Ok(())
    }

    /// Covers the last frame, stops the helper, removes what it prepared, and gives the lock back.
    /// A writer that is dropped instead leaves the same to the next opening.
    ///
    /// # Errors
    /// Those of [`Writer::cover`], and [`Error::Io`] if a prepared file cannot be removed.
    pub fn close(mut self) -> Result<(), Error> {
        self.cover()?;
        self.preparer.close()
    }

    /// The sequence of the last record in the page cache, for any thread to watch.
    pub fn process_seq(&self) -> Arc<Cursor> {
        self.process.clone()
    }

    /// The sequence of the last durable record, for any thread to watch.
    pub fn durable_seq(&self) -> Arc<Cursor> {
        self.durable.clone()
    }

    /// The sequence that the next record must have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The epoch being written.
    pub fn epoch(&self) -> u32 {
        self.header.epoch
    }

    /// Bytes of the open frame: what the next sync has to write, before padding.
    pub fn unsynced_bytes(&self) -> u64 {
        self.pos
    }

    /// Whether there are records that are not durable.
    pub fn has_open_frame(&self) -> bool {
        self.pos != 0
    }

    /// Whether an error has ended this writer.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// From now on this gets every sealed frame.
    pub fn set_sink(&mut self, sink: Box<dyn FrameSink>) {
        self.sink = Some(sink);
    }

    /// Where frames with records end at the latest: before the page kept for covering.
    fn records_end(&self) -> u64 {
        self.header.segment_bytes - PAGE
    }

    /// Room for records in the largest frame that a fresh segment can hold.
    fn frame_room_max(&self) -> u64 {
        let frame = (self.records_end() - SEGMENT_HEADER_BYTES).min(FRAME_BYTES_MAX);
        frame - FRAME_HEADER_BYTES - TRAILER_BYTES
    }

    #[cold]
    fn refuse(&self, len: usize, needed: u64) -> Result<(), Error> {
        let max = self.payload_bytes_max();
        if max < len {
            return Err(Error::RecordTooLong { len, max });
        }
        Err(Error::FrameFull { needed, room: self.room() })
    }

    fn open_frame(&mut self, len: usize, needed: u64, ts: i64) -> Result<(), Error> {
        let max = self.payload_bytes_max();
        if max < len {
            return Err(Error::RecordTooLong { len, max });
        }
        let frame = FRAME_HEADER_BYTES + needed + TRAILER_BYTES;
        if self.records_end() < self.frame_at + frame {
            self.rotate()?;
        }
        self.store_frame_header(ts);
        Ok(())
    }

    fn store_frame_header(&mut self, ts: i64) {
        assert!(self.pos == 0, "one frame is open at a time");
        let header = FrameHeader {
            epoch: self.header.epoch,
            first_seq: self.next_seq,
            prev_chain: self.chain,
            durable: self.durable.get(),
            ts,
        };
        self.map.store(self.frame_at, &header.encode(self.salt));
        self.pos = FRAME_HEADER_BYTES;
    }

    /// Goes on in a new segment. Everything in this one is synced, since no frame is open.
    #[cold]
    fn rotate(&mut self) -> Result<(), Error> {
        let header = SegmentHeader {
            segment_no: self.header.segment_no + 1,
            first_seq: self.next_seq,
            prev_chain: self.chain,
            ..self.header
        };
        let ready = match self.preparer.take() {
            Ok(ready) => ready,
            // Nothing was stored, and what is there is as good as before.
            Err(e @ Error::NoSpace { .. }) => return Err(e),
            Err(e) => {
                self.poisoned = true;
                return Err(e);
            }
        };
        match name_segment(&self.store, &self.manifest, &header, ready) {
            Ok(map) => {
                let retired = std::mem::replace(&mut self.map, map);
                self.preparer.retire(retired);
            }
            Err(e) => {
                self.poisoned = true;
                return Err(e);
            }
        }
        self.header = header;
        self.frame_at = SEGMENT_HEADER_BYTES;
        self.covered = true;
        self.stats.syncs += 1;
        self.stats.rotations += 1;
        Ok(())
    }

    #[cold]
    fn poisoned_error(&self) -> Error {
        Error::Poisoned { durable: self.durable.get() }
    }

    #[cold]
    fn poison(&mut self, doing: &'static str, e: std::io::Error) -> Error {
        self.poisoned = true;
        let place = self.store.place(&segment_name(self.header.first_seq));
        Error::io(doing, place, e)
    }
}

/// Writes and syncs the header of a prepared segment, then gives it its name, then notes that it was
/// begun. In this order no file with a segment's name ever lacks its header, and nothing is witnessed
/// that is not durable.
fn name_segment<S: Store>(
    store: &S,
    manifest: &Manifest,
    header: &SegmentHeader,
    ready: Ready<S>,
) -> Result<MapOf<S>, Error> {
    if let Some(what) = header.out_of_range() {
        let place = store.place(&segment_name(header.first_seq));
        return Err(Error::Segment { place, segment: header.first_seq, what });
    }
    let Ready { name, mut map } = ready;
    let at = |doing| Error::at(store, &name, doing, 0);
    map.store(0, &header.encode(manifest)[..]);
    map.sync_range(0, SEGMENT_HEADER_BYTES).map_err(at("sync"))?;
    store.rename(&name, &segment_name(header.first_seq)).map_err(at("rename"))?;
    store.sync_dir().map_err(at("sync the directory of"))?;
    witness::note(store, manifest, header)?;
    Ok(map)
}
