//! Going over the frames of one segment, and telling a torn tail from damage.

use std::io;

use crate::frame::{
    FRAME_BYTES_MAX, FRAME_HEADER_BYTES, Fault, FrameHeader, PAGE, RecordCheck, Salt, Step,
    TRAILER_BYTES, Walk, all_zero, check_sealed, trailer_offset,
};
use crate::recovery::{Kept, Torn};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::store::StoreFile;

/// A window grows to this while a file is read in order.
const WINDOW_BYTES: usize = 1 << 20;
/// And begins with this, so that polling the end of a file is cheap.
const WINDOW_FIRST_BYTES: usize = 8 << 10;

/// A piece of a file, read ahead into one buffer that is used again and again.
#[derive(Debug)]
pub(crate) struct Window {
    buf: Vec<u8>,
    at: u64,
    have: usize,
    ahead: usize,
}

impl Window {
    pub(crate) fn new() -> Window {
        Window { buf: Vec::new(), at: 0, have: 0, ahead: WINDOW_FIRST_BYTES }
    }

    /// At least `want` bytes from `offset` on; fewer only where the file ends.
    pub(crate) fn get<F: StoreFile>(
        &mut self,
        file: &F,
        offset: u64,
        want: usize,
    ) -> io::Result<&[u8]> {
        let end = self.at + self.have as u64;
        if offset < self.at || end < offset + want as u64 {
            let len = want.max(self.ahead);
            if self.buf.len() < len {
                self.buf.resize(len, 0);
            }
            self.have = 0;
            self.have = file.read_at(offset, &mut self.buf[..len])?;
            self.at = offset;
            self.ahead = (self.ahead * 2).min(WINDOW_BYTES);
        }
        Ok(&self.buf[(offset - self.at) as usize..self.have])
    }

    /// Bytes that were got before, and are still here.
    pub(crate) fn held(&self, offset: u64, len: usize) -> &[u8] {
        let from = (offset - self.at) as usize;
        &self.buf[from..from + len]
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.have == 0
    }

    /// The file may have changed: the next `get` reads it again.
    pub(crate) fn forget(&mut self) {
        self.have = 0;
        self.ahead = WINDOW_FIRST_BYTES;
    }
}

/// What has to come next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expect {
    pub(crate) epoch: u32,
    pub(crate) next_seq: u64,
    pub(crate) chain: u64,
    pub(crate) salt: Salt,
}

/// What lies where a frame could begin.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A header of zeros.
    Nothing,
    /// A sealed frame, wholly in the window.
    Sealed { header: FrameHeader, walk: Walk, len: u64, chain: u64 },
    /// A frame that is open, torn or damaged. `walk` stands behind its last good record.
    Bad { header: Option<(FrameHeader, Walk)>, at: u64, fault: Fault },
}

/// Reads the frame at `offset` of a file of `file_len` bytes.
pub(crate) fn read_frame<F: StoreFile>(
    file: &F,
    file_len: u64,
    window: &mut Window,
    offset: u64,
    expect: &Expect,
    check: RecordCheck,
) -> io::Result<Seen> {
    let room = (file_len - offset).min(FRAME_BYTES_MAX);
    let bad = |fault| Ok(Seen::Bad { header: None, at: 0, fault });
    let mut bytes = window.get(file, offset, PAGE as usize)?;
    if bytes.len() < PAGE as usize {
        return bad(Fault::HeaderMagic);
    }
    if all_zero(&bytes[..FRAME_HEADER_BYTES as usize]) {
        return Ok(Seen::Nothing);
    }
    let header = match FrameHeader::decode(bytes, expect.salt) {
        Ok(header) => header,
        Err(fault) => return bad(fault),
    };
    if let Err(fault) = header.continues(expect.epoch, expect.next_seq, expect.chain) {
        return bad(fault);
    }
    let mut walk = Walk::new(&header, room);
    let bad = |walk, at, fault| Ok(Seen::Bad { header: Some((header, walk)), at, fault });
    loop {
        let needed = match walk.step(&bytes[walk.pos as usize..], check, expect.salt) {
            Step::Record { .. } => continue,
            Step::Fault(fault) => return bad(walk, walk.pos, fault),
            Step::Short(needed) => walk.pos + needed as u64,
            Step::End => {
                let len = trailer_offset(walk.pos) + TRAILER_BYTES;
                if len <= bytes.len() as u64 {
                    return match check_sealed(&bytes[..len as usize], &walk, expect.salt) {
                        Ok(chain) => Ok(Seen::Sealed { header, walk, len, chain }),
                        Err((at, fault)) => bad(walk, at, fault),
                    };
                }
                len
            }
        };
        if room < needed {
            return bad(walk, walk.pos, Fault::RecordLength);
        }
        // Twice as much each time, so that a large frame is not read once for every record.
        let want = needed.max(2 * bytes.len() as u64).min(room);
        bytes = window.get(file, offset, want as usize)?;
        if (bytes.len() as u64) < needed {
            return bad(walk, walk.pos, Fault::RecordLength);
        }
    }
}

/// A sealed frame that was checked in every byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedFrame {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) n_records: u32,
    pub(crate) header: FrameHeader,
    pub(crate) last_seq: u64,
    pub(crate) last_ts: i64,
    pub(crate) chain: u64,
}

/// Where something is wrong. `seq` is the first that cannot be trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Damage {
    pub(crate) offset: u64,
    pub(crate) seq: u64,
    pub(crate) fault: Fault,
}

/// The last frame of a segment, open or torn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    /// Where the frame begins.
    pub(crate) offset: u64,
    /// Where its good records end; `offset` if there are none.
    pub(crate) kept_end: u64,
    pub(crate) kept_records: u32,
    /// Behind the last byte that is not zero; not before `kept_end`.
    pub(crate) dirty_end: u64,
    pub(crate) header: Option<FrameHeader>,
    pub(crate) last_ts: i64,
    pub(crate) next_seq: u64,
    pub(crate) damage: Damage,
}

impl Tail {
    /// What is to be cut.
    pub(crate) fn torn(&self, segment: u64) -> Option<Torn> {
        (self.kept_end < self.dirty_end).then_some(Torn {
            segment,
            offset: self.kept_end,
            bytes: self.dirty_end - self.kept_end,
            last_kept_seq: self.next_seq - 1,
            fault: self.damage.fault,
        })
    }

    /// What is to be kept.
    pub(crate) fn kept(&self, segment: u64) -> Option<Kept> {
        self.header.map(|header| Kept {
            segment,
            offset: self.offset,
            records: self.kept_records,
            first_seq: header.first_seq,
            last_seq: self.next_seq - 1,
        })
    }
}

/// How a segment ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SegmentEnd {
    /// Good frames, then zeros.
    Clean,
    /// Good frames, then what could be a torn frame if no later segment says otherwise.
    Tail(Tail),
    /// A bad frame with a good one behind it, or bytes too far behind the last frame for any tear.
    Damaged { damage: Damage, resume: Option<(u64, FrameHeader)> },
}

/// How far a scan has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progressed {
    pub(crate) next_seq: u64,
    pub(crate) chain: u64,
    pub(crate) last_ts: i64,
}

/// Goes over all frames of a segment from `offset` on, checking every byte of it to its end.
pub(crate) fn scan_segment<F: StoreFile>(
    file: &F,
    segment: &SegmentHeader,
    mut offset: u64,
    salt: Salt,
    state: &mut Progressed,
    window: &mut Window,
    on_frame: &mut dyn FnMut(&SealedFrame),
) -> io::Result<SegmentEnd> {
    let file_len = segment.segment_bytes;
    assert!(SEGMENT_HEADER_BYTES <= offset, "frames come after the segment header");
    while offset + PAGE <= file_len {
        let (epoch, next_seq, chain) = (segment.epoch, state.next_seq, state.chain);
        let expect = Expect { epoch, next_seq, chain, salt };
        let seen = read_frame(file, file_len, window, offset, &expect, RecordCheck::Crc)?;
        let (header, at, fault) = match seen {
            Seen::Sealed { header, walk, len, chain } => {
                if 0 < walk.n_records {
                    state.last_ts = walk.last_ts;
                }
                state.next_seq = walk.next_seq;
                state.chain = chain;
                on_frame(&SealedFrame {
                    offset,
                    len,
                    n_records: walk.n_records,
                    header,
                    last_seq: walk.next_seq - 1,
                    last_ts: walk.last_ts,
                    chain,
                });
                offset += len;
                continue;
            }
            Seen::Nothing => (None, 0, Fault::Stray),
            Seen::Bad { header, at, fault } => (header, at, fault),
        };
        let rest = rest(file, file_len, offset, salt, window)?;
        let Some((first, dirty_end)) = rest.dirty else {
            return Ok(SegmentEnd::Clean);
        };
        let damage = Damage {
            offset: if fault == Fault::Stray { first } else { offset + at },
            seq: header.as_ref().map_or(next_seq, |(_, walk)| walk.next_seq),
            fault,
        };
        // A good header that is not the next one was not torn: no writer stored it there.
        let misplaced = matches!(
            fault,
            Fault::HeaderReserved
                | Fault::HeaderEpoch
                | Fault::HeaderSequence
                | Fault::HeaderChain
                | Fault::HeaderDurable
        );
        if rest.frame.is_some() || misplaced {
            return Ok(SegmentEnd::Damaged { damage, resume: rest.frame });
        }
        let kept = header.filter(|(_, walk)| 0 < walk.n_records);
        let kept_end = kept.as_ref().map_or(offset, |(_, walk)| offset + walk.pos);
        if offset + FRAME_BYTES_MAX < dirty_end {
            // Farther behind the last good frame than any frame reaches.
            let damage = Damage { offset: dirty_end - 1, seq: damage.seq, fault: Fault::Stray };
            return Ok(SegmentEnd::Damaged { damage, resume: None });
        }
        return Ok(SegmentEnd::Tail(Tail {
            offset,
            kept_end,
            kept_records: kept.as_ref().map_or(0, |(_, walk)| walk.n_records),
            dirty_end: dirty_end.max(kept_end),
            header: kept.as_ref().map(|(header, _)| *header),
            last_ts: kept.as_ref().map_or(state.last_ts, |(_, walk)| walk.last_ts),
            next_seq: kept.as_ref().map_or(next_seq, |(_, walk)| walk.next_seq),
            damage,
        }));
    }
    Ok(SegmentEnd::Clean)
}

/// What lies behind the last good frame of a segment.
pub(crate) struct Rest {
    /// The first byte that is not zero, and where the last such byte ends.
    pub(crate) dirty: Option<(u64, u64)>,
    /// The first page, other than the first one, on which a frame of this journal begins. It was
    /// written after the sync of everything before it had returned, so what is bad before it was
    /// good once.
    pub(crate) frame: Option<(u64, FrameHeader)>,
}

/// Reads a segment from `offset` (a page boundary) to its end.
pub(crate) fn rest<F: StoreFile>(
    file: &F,
    file_len: u64,
    offset: u64,
    salt: Salt,
    window: &mut Window,
) -> io::Result<Rest> {
    let mut rest = Rest { dirty: None, frame: None };
    let mut at = offset;
    while at < file_len {
        let bytes = window.get(file, at, PAGE as usize)?;
        if bytes.is_empty() {
            break;
        }
        for page in bytes.chunks(PAGE as usize) {
            if !all_zero(page) {
                let non_zero = |byte: &u8| *byte != 0;
                let first = page.iter().position(non_zero).unwrap_or(0) as u64;
                let last = page.iter().rposition(non_zero).unwrap_or(0) as u64;
                let begin = rest.dirty.map_or(at + first, |(begin, _)| begin);
                rest.dirty = Some((begin, at + last + 1));
                if at != offset
                    && rest.frame.is_none()
                    && let Ok(header) = FrameHeader::decode(page, salt)
                {
                    rest.frame = Some((at, header));
                }
            }
            at += page.len() as u64;
        }
    }
    Ok(rest)
}
