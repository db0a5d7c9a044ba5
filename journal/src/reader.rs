//! Reading a journal in order, while it is written or afterwards, from this process or another.
//!
//! A reader takes no lock and maps nothing: it sees the same page cache as the writer, through
//! `pread`. It delivers the records of sealed frames, and, if asked to, the complete records of
//! the open one. At the end of what there is it returns nothing, and may be asked again later.
//! Damage is an error, never an end: where bytes are bad, the reader looks whether anything good
//! lies behind them, because then they cannot be a frame that is just being written.

use std::io;

use crate::error::Error;
use crate::frame::{
    FRAME_HEADER_BYTES, Fault, PAGE, RECORD_HEADER_BYTES, Record, RecordCheck, RecordMeta, Step,
    TRAILER_BYTES, Walk, all_zero, looks_sealed, trailer_offset,
};
use crate::recovery::{
    Position, check_link, corrupt, list, name_of, read_header, read_manifest, segments_of,
};
use crate::scan::{Damage, Expect, Progressed, Seen, Window, read_frame, rest};
use crate::segment::{MANIFEST, Manifest, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::store::Store;
use crate::witness::Witness;

/// Which records a reader delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLevel {
    /// Those of sealed frames. Sealed is not yet durable: the sync may still be running. A reader
    /// in the writer's process limits itself by its durable cursor ([`Reader::next_at_most`]).
    Sealed,
    /// Also complete records of the open frame. They survive the writer's process; after a power
    /// cut they may never have been.
    Complete,
}

/// Reads records in order.
#[derive(Debug)]
pub struct Reader<S: Store> {
    store: S,
    manifest: Manifest,
    level: ReadLevel,
    /// The next record to be delivered; those before it are passed over.
    next_seq: u64,
    current: Option<Current<S>>,
    window: Window,
    found: Found,
}

/// Where in which segment a reader is.
#[derive(Debug)]
struct Current<S: Store> {
    file: S::File,
    header: SegmentHeader,
    /// Where the current frame begins, and what is expected of it.
    frame_at: u64,
    state: Progressed,
    at: At,
    /// Whether it was looked behind the last good frame for others.
    looked_behind: bool,
    /// How often in a row there was nothing new.
    idle_polls: u32,
    /// The last record of the last sealed frame that had any, and the chain value of that frame.
    ended: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// At the beginning of a frame.
    Frame,
    /// In a frame that was not sealed when it was last looked at.
    Live(Walk),
    /// In a sealed frame, checked as a whole, all of it in the window; `end` walked over all of it.
    Sealed { walk: Walk, end: Walk, len: u64, chain: u64 },
}

/// The record found last. Its payload is in the window.
#[derive(Clone, Copy, Debug)]
struct Found {
    meta: RecordMeta,
    epoch: u32,
    segment: u64,
    offset: u64,
    payload_len: usize,
}

/// After so many polls without anything new, and after every doubling of them, the reader looks
/// again whether what it waits for is damaged: a wait of some time costs one reading of a segment.
const IDLE_POLLS: u32 = 64;

impl<S: Store> Reader<S> {
    /// A reader that delivers from `from_seq` on (0 and 1 are the first record).
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no journal, [`Error::SegmentMissing`] if `from_seq` lies
    /// before the first segment, [`Error::WitnessAhead`] if the last segments are gone,
    /// [`Error::Witness`], [`Error::Manifest`], [`Error::FormatVersion`], [`Error::Io`],
    /// [`Error::Permission`].
    pub fn open(store: S, from_seq: u64, level: ReadLevel) -> Result<Reader<S>, Error> {
        let manifest = manifest(&store)?;
        let mut reader = Reader {
            store,
            manifest,
            level,
            next_seq: from_seq.max(1),
            current: None,
            window: Window::new(),
            found: Found {
                meta: RecordMeta { kind: 0, ver: 0, flags: 0, seq: 0, ts: 0 },
                epoch: 0,
                segment: 0,
                offset: 0,
                payload_len: 0,
            },
        };
        reader.find_first_segment()?;
        Ok(reader)
    }

    /// The journal's UUID and schema hash.
    pub fn manifest(&self) -> Manifest {
        self.manifest
    }

    /// The sequence of the next record to be delivered.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The record delivered last, if a sealed frame ends with it.
    pub fn position(&self) -> Option<Position> {
        let Found { meta, epoch, .. } = self.found;
        let current = self.current.as_ref()?;
        let (seq, chain) = match &current.at {
            At::Sealed { end, chain, .. } if 0 < end.n_records => (end.next_seq - 1, *chain),
            At::Sealed { .. } | At::Frame | At::Live(_) => current.ended,
        };
        let is_here = 0 < seq && seq == meta.seq && seq + 1 == self.next_seq;
        is_here.then_some(Position { seq, ts: meta.ts, epoch, chain })
    }

    /// The next record, or none if there is no more yet.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Segment`] and [`Error::SegmentMissing`] if the journal is
    /// damaged here; the reader stays where it is. [`Error::Io`], [`Error::Permission`].
    #[allow(clippy::should_implement_trait)] // It lends its buffer, which `Iterator` cannot.
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Error> {
        self.next_at_most(u64::MAX)
    }

    /// The next record if its sequence is not beyond `limit`: for a follower in the writer's
    /// process, which goes as far as a [`crate::Cursor`] says.
    ///
    /// # Errors
    /// Those of [`Reader::next`].
    pub fn next_at_most(&mut self, limit: u64) -> Result<Option<Record<'_>>, Error> {
        if limit < self.next_seq || !self.advance()? {
            return Ok(None);
        }
        let Found { meta, epoch, segment, offset, payload_len } = self.found;
        self.next_seq = meta.seq + 1;
        let payload = self.window.held(offset + RECORD_HEADER_BYTES, payload_len);
        Ok(Some(Record { meta, epoch, segment, offset, payload }))
    }

    /// Goes on behind damage, for whoever looks at a broken journal: to the next frame of this segment,
    /// or to the next segment. False if there is neither; what was passed over is not delivered. How
    /// the records behind it are linked to those before is not checked.
    ///
    /// # Errors
    /// Those of [`Reader::next`].
    pub fn pass_damage(&mut self) -> Result<bool, Error> {
        self.window.forget();
        let Some(current) = &mut self.current else { return Ok(false) };
        let first_seq = current.header.first_seq;
        let file_len = current.header.segment_bytes;
        let from = current.frame_at.min(file_len);
        let behind = rest(&current.file, file_len, from, self.manifest.salt(), &mut self.window);
        let behind = behind
            .map_err(|e| Error::at(&self.store, &name_of(&self.store, first_seq), "read", 0)(e))?;
        self.window.forget();
        if let Some((frame_at, header)) = behind.frame {
            current.frame_at = frame_at;
            current.state.next_seq = header.first_seq;
            current.state.chain = header.prev_chain;
            current.at = At::Frame;
            current.looked_behind = false;
            return Ok(true);
        }
        let segments = segments_of(&list(&self.store)?);
        let Some(&next) = segments.iter().find(|&&next| first_seq < next) else { return Ok(false) };
        let (file, header) = read_header(&self.store, &self.manifest, next)?;
        self.enter(file, header);
        Ok(true)
    }

    fn find_first_segment(&mut self) -> Result<(), Error> {
        // Read before the segments are listed: a writer may begin one meanwhile.
        let witness = Witness::read(&self.store, &self.manifest)?;
        let segments = segments_of(&list(&self.store)?);
        if let Some(witness) = witness {
            match segments.last().map(|&last| read_header(&self.store, &self.manifest, last)) {
                None => witness.check(&self.store, None)?,
                Some(Ok((_, last))) => witness.check(&self.store, Some(&last))?,
                // Whoever reads that far is told.
                Some(Err(_)) => (),
            }
        }
        if segments.is_empty() {
            return Ok(());
        }
        let behind = segments.partition_point(|&first_seq| first_seq <= self.next_seq);
        if behind == 0 {
            let place = self.store.place("");
            return Err(Error::SegmentMissing { place, seq: self.next_seq });
        }
        let (file, header) = read_header(&self.store, &self.manifest, segments[behind - 1])?;
        self.enter(file, header);
        Ok(())
    }

    fn enter(&mut self, file: S::File, header: SegmentHeader) {
        let state = Progressed { next_seq: header.first_seq, chain: header.prev_chain, last_ts: 0 };
        let ended = self.current.as_ref().map_or((0, 0), |current| current.ended);
        self.window.forget();
        self.current = Some(Current {
            file,
            header,
            frame_at: SEGMENT_HEADER_BYTES,
            state,
            at: At::Frame,
            looked_behind: false,
            idle_polls: 0,
            ended,
        });
    }

    /// Finds the next record to be delivered; false if there is none yet.
    fn advance(&mut self) -> Result<bool, Error> {
        if self.current.is_none() {
            self.find_first_segment()?;
        }
        // What is in the window was read at an earlier call; there may be more in the file now.
        let mut stale = !self.window.is_empty();
        loop {
            let Some(current) = &mut self.current else { return Ok(false) };
            let segment = current.header.first_seq;
            let met = match current.at {
                At::Sealed { .. } => Ok(current.in_sealed(&self.window, self.next_seq)),
                At::Live(_) => current.in_live(&mut self.window, &self.manifest, self.next_seq),
                At::Frame => current.at_frame(&mut self.window, &self.manifest),
            };
            let met = met.map_err(|e| {
                Error::at(&self.store, &name_of(&self.store, segment), "read", 0)(e)
            })?;
            let moved = match met {
                Met::Record(found) => {
                    // What is in an open frame is walked over, and delivered only if asked for.
                    let open = matches!(current.at, At::Live(_));
                    if open && self.level == ReadLevel::Sealed {
                        continue;
                    }
                    current.idle_polls = 0;
                    self.found = found;
                    return Ok(true);
                }
                Met::Moved => true,
                Met::Zeros | Met::Unfinished if std::mem::take(&mut stale) => {
                    self.window.forget();
                    true
                }
                Met::Zeros => self.enter_next_segment()? || self.is_damaged_here()?,
                Met::Unfinished => self.is_damaged_here()?,
            };
            if !moved {
                self.window.forget();
                return Ok(false);
            }
        }
    }

    /// Goes on to the segment behind this one, if there is one, here or in the archive.
    fn enter_next_segment(&mut self) -> Result<bool, Error> {
        let Some(current) = &mut self.current else { return Ok(false) };
        let next_seq = current.state.next_seq;
        let (file, header) = match read_header(&self.store, &self.manifest, next_seq) {
            Ok(next) => next,
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(false);
            }
            Err(e) => return Err(e),
        };
        if next_seq == current.header.first_seq {
            // The name of the segment we are in, which has no record: an opening of the journal
            // replaces such a segment by one of its own epoch.
            let replaced = current.header.epoch < header.epoch;
            if replaced {
                self.enter(file, header);
            }
            return Ok(replaced);
        }
        // The writer was done with this segment before it began the next: what is behind our
        // place is final now, and may have been written since we looked.
        self.window.forget();
        let first_seq = current.header.first_seq;
        let has_frame = current.has_frame_here(&mut self.window);
        if has_frame
            .map_err(|e| Error::at(&self.store, &name_of(&self.store, first_seq), "read", 0)(e))?
        {
            return Ok(true);
        }
        check_link(&self.store, &header, Some(&current.header), &current.state)?;
        self.enter(file, header);
        Ok(true)
    }

    /// There is no good record where one would come next. If nothing good lies behind it, that is
    /// the end so far (false). If something does, it is read once more, since it may have been
    /// finished meanwhile (true), and is damage if it is still bad.
    fn is_damaged_here(&mut self) -> Result<bool, Error> {
        let Some(current) = &mut self.current else { return Ok(false) };
        let file_len = current.header.segment_bytes;
        current.idle_polls = current.idle_polls.saturating_add(1);
        let again = IDLE_POLLS <= current.idle_polls && current.idle_polls.is_power_of_two();
        if current.looked_behind && !again {
            return Ok(false);
        }
        let first_seq = current.header.first_seq;
        let at = |doing| {
            let store = &self.store;
            move |e| Error::at(store, &name_of(store, first_seq), doing, 0)(e)
        };
        let salt = self.manifest.salt();
        self.window.forget();
        let from = current.frame_at.min(file_len);
        let behind =
            rest(&current.file, file_len, from, salt, &mut self.window).map_err(at("read"))?;
        let segments = segments_of(&list(&self.store)?);
        let later = segments.iter().find(|&&first_seq| current.header.first_seq < first_seq);
        if behind.frame.is_none() && later.is_none() {
            current.looked_behind = true;
            return Ok(false);
        }
        self.window.forget();
        if file_len < current.frame_at + PAGE {
            return current.or_missing(&self.store, later);
        }
        let expect = current.expect(&self.manifest);
        let seen = read_frame(
            &current.file,
            file_len,
            &mut self.window,
            current.frame_at,
            &expect,
            RecordCheck::Crc,
        )
        .map_err(at("read"))?;
        match seen {
            Seen::Sealed { header, walk: end, len, chain } => {
                current.at = At::Sealed { walk: Walk::new(&header, len), end, len, chain };
                Ok(true)
            }
            Seen::Nothing => match behind.frame {
                Some(_) => {
                    let (offset, seq) = (current.frame_at, current.state.next_seq);
                    let damage = Damage { offset, seq, fault: Fault::HeaderMagic };
                    Err(corrupt(&self.store, current.header.first_seq, &damage))
                }
                None => {
                    current.at = At::Frame;
                    current.or_missing(&self.store, later)
                }
            },
            Seen::Bad { header, at, fault } => {
                let damage = Damage {
                    offset: current.frame_at + at,
                    seq: header.map_or(current.state.next_seq, |(_, walk)| walk.next_seq),
                    fault,
                };
                Err(corrupt(&self.store, current.header.first_seq, &damage))
            }
        }
    }
}

/// What a reader met where it stands.
enum Met {
    Record(Found),
    /// It stands somewhere else now.
    Moved,
    /// Zeros where a frame would begin, or the end of the file.
    Zeros,
    /// Something that is no good record or frame, or not yet.
    Unfinished,
}

impl<S: Store> Current<S> {
    fn expect(&self, manifest: &Manifest) -> Expect {
        Expect {
            epoch: self.header.epoch,
            next_seq: self.state.next_seq,
            chain: self.state.chain,
            salt: manifest.salt(),
        }
    }

    fn found(&self, meta: RecordMeta, offset: u64, payload_len: usize) -> Found {
        let (epoch, segment) = (self.header.epoch, self.header.first_seq);
        Found { meta, epoch, segment, offset, payload_len }
    }

    fn in_sealed(&mut self, window: &Window, next_seq: u64) -> Met {
        let At::Sealed { walk, len, chain, .. } = &mut self.at else { return Met::Unfinished };
        loop {
            let pos = walk.pos;
            let bytes = window.held(self.frame_at + pos, (*len - pos) as usize);
            match walk.step_checked(bytes) {
                Some((meta, _)) if meta.seq < next_seq => (),
                Some((meta, payload_len)) => {
                    let offset = self.frame_at + pos;
                    return Met::Record(self.found(meta, offset, payload_len));
                }
                // The frame was checked as a whole, so this is its end.
                None => {
                    if 0 < walk.n_records {
                        self.ended = (walk.next_seq - 1, *chain);
                    }
                    self.state.next_seq = walk.next_seq;
                    self.state.chain = *chain;
                    self.frame_at += *len;
                    self.at = At::Frame;
                    return Met::Moved;
                }
            }
        }
    }

    fn at_frame(&mut self, window: &mut Window, manifest: &Manifest) -> io::Result<Met> {
        let file_len = self.header.segment_bytes;
        if file_len < self.frame_at + PAGE {
            return Ok(Met::Zeros);
        }
        let expect = self.expect(manifest);
        let check = RecordCheck::Structure;
        match read_frame(&self.file, file_len, window, self.frame_at, &expect, check)? {
            Seen::Nothing => Ok(Met::Zeros),
            Seen::Sealed { header, walk: end, len, chain } => {
                self.at = At::Sealed { walk: Walk::new(&header, len), end, len, chain };
                Ok(Met::Moved)
            }
            Seen::Bad { header: Some((header, _)), .. } => {
                self.at = At::Live(Walk::new(&header, file_len - self.frame_at));
                Ok(Met::Moved)
            }
            Seen::Bad { header: None, .. } => Ok(Met::Unfinished),
        }
    }

    fn in_live(
        &mut self,
        window: &mut Window,
        manifest: &Manifest,
        next_seq: u64,
    ) -> io::Result<Met> {
        let At::Live(walk) = &mut self.at else { return Ok(Met::Unfinished) };
        let mut want = RECORD_HEADER_BYTES as usize;
        loop {
            let offset = self.frame_at + walk.pos;
            let bytes = window.get(&self.file, offset, want)?;
            let held = bytes.len();
            match walk.step(bytes, RecordCheck::Crc, manifest.salt()) {
                Step::Short(more) if want < more && want <= held => want = more,
                Step::Record { meta, .. } if meta.seq < next_seq => {
                    want = RECORD_HEADER_BYTES as usize;
                }
                Step::Record { meta, payload_len, .. } => {
                    return Ok(Met::Record(self.found(meta, offset, payload_len)));
                }
                Step::End => break,
                Step::Short(_) | Step::Fault(_) => return Ok(Met::Unfinished),
            }
        }
        let trailer_at = self.frame_at + trailer_offset(walk.pos);
        let trailer = window.get(&self.file, trailer_at, TRAILER_BYTES as usize)?;
        if looks_sealed(trailer) {
            // Sealed since: read as a whole. If it is not good yet, the walk over its records
            // begins again, which happens only while the trailer is being stored.
            window.forget();
            let file_len = self.header.segment_bytes;
            let expect = self.expect(manifest);
            let check = RecordCheck::Structure;
            let seen = read_frame(&self.file, file_len, window, self.frame_at, &expect, check)?;
            if let Seen::Sealed { header, walk: end, len, chain } = seen {
                self.at = At::Sealed { walk: Walk::new(&header, len), end, len, chain };
                return Ok(Met::Moved);
            }
        } else if walk.n_records == 0 {
            // Without a record it may be gone after a repair: look from its beginning next time.
            self.at = At::Frame;
        }
        Ok(Met::Unfinished)
    }

    fn has_frame_here(&self, window: &mut Window) -> io::Result<bool> {
        if self.header.segment_bytes < self.frame_at + PAGE {
            return Ok(false);
        }
        let bytes = window.get(&self.file, self.frame_at, FRAME_HEADER_BYTES as usize)?;
        Ok(!all_zero(&bytes[..bytes.len().min(FRAME_HEADER_BYTES as usize)]))
    }

    /// This segment ends here, and there is a later one: is it the next?
    fn or_missing(&self, store: &S, later: Option<&u64>) -> Result<bool, Error> {
        match later {
            // It came after we looked for it.
            Some(&first_seq) if first_seq == self.state.next_seq => Ok(true),
            Some(_) => {
                let place = store.place("");
                Err(Error::SegmentMissing { place, seq: self.state.next_seq })
            }
            None => Ok(false),
        }
    }
}

/// The UUID and the schema hash of a journal that has to be there.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Manifest`], [`Error::FormatVersion`], [`Error::Permission`] and
/// [`Error::Io`].
pub fn manifest<S: Store>(store: &S) -> Result<Manifest, Error> {
    let names = list(store)?;
    match read_manifest(store)? {
        Some(manifest) => Ok(manifest),
        None if segments_of(&names).is_empty() => Err(Error::NotFound { place: store.place("") }),
        None => {
            let what = "it is missing, and there are segments";
            Err(Error::Manifest { place: store.place(MANIFEST), what })
        }
    }
}
