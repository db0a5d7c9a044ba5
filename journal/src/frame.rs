//! The bytes of a frame: its header, its records, its trailer, and how each is checked.
//!
//! All numbers are little-endian; every byte not named is zero, and checked to be zero.
//!
//! ```text
//! frame: begins on a 4 KiB boundary, at most 4 MiB, never across segments
//!
//!   0        64                                              len-32      len
//!   ├─header─┼─record─┬─record─┬─ … ─┬─record─┬─zero padding─┼─trailer────┤   len = k × 4096
//!
//! header, 64 bytes, final when written; a frame with a header and no trailer is open
//!   0   u32  magic                 "btrF"
//!   4   u32  epoch                 the segment's
//!   8   u64  first_seq             of the first record; of the next one if the frame is empty
//!   16  u64  prev_frame_chain      chain of the frame before it (or of the segment header)
//!   24  u64  durable_seq_at_write  everything up to here was synced before this byte was stored
//!   32  i64  ts                    of the first record; of the last one if the frame is empty
//!   40  u8×20  zero
//!   60  u32  crc                   CRC-32C of bytes 0..60, salted
//!
//! record, 32 bytes + payload, padded with zeros to a multiple of 16
//!   0   u32  len                   payload bytes, without padding, at most 128 KiB
//!   4   u16  kind                  what the payload is: not our business
//!   6   u8   ver
//!   7   u8   flags
//!   8   u64  seq                   one more than the record before it
//!   16  i64  ts
//!   24  u32  epoch
//!   28  u32  crc                   CRC-32C of bytes 0..28 and of the payload, salted
//!   32  len  payload, then zeros
//!   16 zero bytes where a record could begin: the records end here (no sequence is 0; not 32,
//!   because the trailer may begin 16 bytes behind the last record)
//!
//! trailer, the last 32 bytes of the frame's last page; with it the frame is sealed
//!   0   u32  magic                 "btrT"
//!   4   u32  n_records
//!   8   u32  frame_len             header, records, padding and trailer
//!   12  u32  crc                   CRC-32C of the frame without these four bytes, salted
//!   16  u64  chain                 CRC-64/NVME of the frame up to here without crc, then last_seq
//!   24  u64  last_seq              first_seq - 1 if the frame is empty
//! ```
//!
//! *Salted* means exclusive-or with a number made from the journal's UUID. For bytes of equal
//! length this is the same as feeding the UUID in first, and it costs nothing. With epoch and
//! sequence under the same checksum, no byte of another journal, or of another time, is taken
//! for one of ours. The chain covers the header, and so the chain of the frame before it.

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Frames begin and end at multiples of this, so that no synced byte is ever written again, not
/// even as part of a page which the device could tear.
pub const PAGE: u64 = 4096;

/// The largest frame. Also how far behind the last good frame torn bytes can lie.
pub const FRAME_BYTES_MAX: u64 = 4 << 20;

/// The largest payload of one record; more than that is a job for several records.
pub const PAYLOAD_BYTES_MAX: usize = 128 << 10;

pub(crate) const FRAME_HEADER_BYTES: u64 = 64;
pub(crate) const RECORD_HEADER_BYTES: u64 = 32;
pub(crate) const TRAILER_BYTES: u64 = 32;

const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"btrF");
const TRAILER_MAGIC: u32 = u32::from_le_bytes(*b"btrT");

// The walk over records tells a trailer from a record by this.
const _: () = assert!(PAYLOAD_BYTES_MAX < TRAILER_MAGIC as usize);
const _: () = assert!(PAYLOAD_BYTES_MAX as u64 + 4 * PAGE <= FRAME_BYTES_MAX);

/// Bytes that a record with a payload of `payload_len` bytes takes in a frame.
pub const fn record_bytes(payload_len: usize) -> u64 {
    RECORD_HEADER_BYTES + (payload_len as u64).next_multiple_of(16)
}

/// What the caller says of a record; the journal adds length, epoch and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    /// What the payload is. The journal does not look at it.
    pub kind: u16,
    /// Version of the payload's layout.
    pub ver: u8,
    /// The caller's flags.
    pub flags: u8,
    /// Sequence: exactly one more than that of the record before it; the first is 1.
    pub seq: u64,
    /// Nanoseconds UTC, as the caller stamped it.
    pub ts: i64,
}

/// A record as it was read, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Kind, version, flags, sequence and time.
    pub meta: RecordMeta,
    /// The epoch in which it was written.
    pub epoch: u32,
    /// First sequence of the segment in which it lies, which is the segment's name.
    pub segment: u64,
    /// Offset of the record's header in the segment's file, in bytes.
    pub offset: u64,
    /// The payload, without padding.
    pub payload: &'a [u8],
}

/// What is wrong with bytes that should have been a part of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No frame begins where one should.
    HeaderMagic,
    /// The frame header's checksum does not match.
    HeaderCrc,
    /// The frame belongs to another epoch than its segment.
    HeaderEpoch,
    /// The frame does not begin with the next sequence.
    HeaderSequence,
    /// The frame does not continue the chain.
    HeaderChain,
    /// The frame claims more to have been durable than was written before it.
    HeaderDurable,
    /// Reserved bytes of the frame header are not zero.
    HeaderReserved,
    /// The record's length leads out of its frame.
    RecordLength,
    /// The record's checksum does not match.
    RecordCrc,
    /// The record belongs to another epoch than its frame.
    RecordEpoch,
    /// The record does not have the next sequence.
    RecordSequence,
    /// The bytes after the payload are not zero.
    RecordPadding,
    /// The bytes between the last record and the trailer are not zero.
    FramePadding,
    /// The frame was never sealed.
    Unsealed,
    /// Count, length, last sequence, chain or checksum of the trailer do not match.
    Trailer,
    /// Bytes that are not zero where nothing was ever written.
    Stray,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::HeaderMagic => "no frame begins where one should",
            Fault::HeaderCrc => "the frame header's checksum does not match",
            Fault::HeaderEpoch => "the frame belongs to another epoch than its segment",
            Fault::HeaderSequence => "the frame does not begin with the next sequence",
            Fault::HeaderChain => "the frame does not continue the chain",
            Fault::HeaderDurable => "the frame claims more to be durable than was written",
            Fault::HeaderReserved => "reserved bytes of the frame header are not zero",
            Fault::RecordLength => "the record's length leads out of its frame",
            Fault::RecordCrc => "the record's checksum does not match",
            Fault::RecordEpoch => "the record belongs to another epoch than its frame",
            Fault::RecordSequence => "the record does not have the next sequence",
            Fault::RecordPadding => "the bytes after the payload are not zero",
            Fault::FramePadding => "the bytes between last record and trailer are not zero",
            Fault::Unsealed => "the frame was never sealed",
            Fault::Trailer => "the frame's trailer does not match the frame",
            Fault::Stray => "there are bytes where nothing was ever written",
        })
    }
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FrameHeaderBytes {
    magic: U32,
    epoch: U32,
    first_seq: U64,
    prev_frame_chain: U64,
    durable_seq_at_write: U64,
    ts: I64,
    zero: [u8; 20],
    crc: U32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RecordHeaderBytes {
    len: U32,
    kind: U16,
    ver: u8,
    flags: u8,
    seq: U64,
    ts: I64,
    epoch: U32,
    crc: U32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct TrailerBytes {
    magic: U32,
    n_records: U32,
    frame_len: U32,
    crc: U32,
    chain: U64,
    last_seq: U64,
}

const _: () = assert!(size_of::<FrameHeaderBytes>() as u64 == FRAME_HEADER_BYTES);
const _: () = assert!(size_of::<RecordHeaderBytes>() as u64 == RECORD_HEADER_BYTES);
const _: () = assert!(size_of::<TrailerBytes>() as u64 == TRAILER_BYTES);

/// Where the crc of a trailer lies, counted from the end of the frame.
const CRC_FROM_END: usize = 20;

/// What binds every checksum to one journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Salt(u32);

impl Salt {
    pub(crate) fn of(uuid: &[u8; 16]) -> Salt {
        Salt(crc_fast::crc32_iscsi(uuid))
    }

    pub(crate) fn crc(self, bytes: &[u8]) -> u32 {
        crc_fast::crc32_iscsi(bytes) ^ self.0
    }

    fn crc_of_two(self, first: &[u8], second: &[u8]) -> u32 {
        self.crc_of_parts(&[first, second])
    }

    pub(crate) fn crc_of_parts(self, parts: &[&[u8]]) -> u32 {
        let mut crc = Digest::new(CrcAlgorithm::Crc32Iscsi);
        for part in parts {
            crc.update(part);
        }
        low32(crc.finalize()) ^ self.0
    }
}

/// A 32-bit checksum comes back in the low half of 64 bits.
fn low32(checksum: u64) -> u32 {
    (checksum & u64::from(u32::MAX)) as u32
}

/// The chain value before the first frame of a journal.
pub(crate) fn chain_start(uuid: &[u8; 16]) -> u64 {
    crc_fast::crc64_nvme(uuid)
}

/// A frame header whose checksum matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) epoch: u32,
    pub(crate) first_seq: u64,
    pub(crate) prev_chain: u64,
    pub(crate) durable: u64,
    pub(crate) ts: i64,
}

impl FrameHeader {
    pub(crate) fn encode(&self, salt: Salt) -> [u8; FRAME_HEADER_BYTES as usize] {
        let mut bytes = FrameHeaderBytes {
            magic: FRAME_MAGIC.into(),
            epoch: self.epoch.into(),
            first_seq: self.first_seq.into(),
            prev_frame_chain: self.prev_chain.into(),
            durable_seq_at_write: self.durable.into(),
            ts: self.ts.into(),
            zero: [0; 20],
            crc: 0.into(),
        };
        bytes.crc = salt.crc(&bytes.as_bytes()[..60]).into();
        zerocopy::transmute!(bytes)
    }

    /// Reads a header that some frame of this journal could have, wherever it belongs.
    pub(crate) fn decode(bytes: &[u8], salt: Salt) -> Result<FrameHeader, Fault> {
        let Ok((header, _)) = FrameHeaderBytes::ref_from_prefix(bytes) else {
            return Err(Fault::HeaderMagic);
        };
        if header.magic.get() != FRAME_MAGIC {
            return Err(Fault::HeaderMagic);
        }
        if header.crc.get() != salt.crc(&header.as_bytes()[..60]) {
            return Err(Fault::HeaderCrc);
        }
        if header.zero != [0; 20] {
            return Err(Fault::HeaderReserved);
        }
        Ok(FrameHeader {
            epoch: header.epoch.get(),
            first_seq: header.first_seq.get(),
            prev_chain: header.prev_frame_chain.get(),
            durable: header.durable_seq_at_write.get(),
            ts: header.ts.get(),
        })
    }

    /// Whether this is the header that has to come next.
    pub(crate) fn continues(&self, epoch: u32, next_seq: u64, chain: u64) -> Result<(), Fault> {
        if self.epoch != epoch {
            return Err(Fault::HeaderEpoch);
        }
        if self.first_seq != next_seq {
            return Err(Fault::HeaderSequence);
        }
        if self.prev_chain != chain {
            return Err(Fault::HeaderChain);
        }
        if self.first_seq <= self.durable {
            return Err(Fault::HeaderDurable);
        }
        Ok(())
    }
}

/// The 32 bytes in front of a payload, with their checksum, as four words.
///
/// Words, because the processor waits when it has to read back as one what was written in pieces:
/// put together field by field, an append takes half as long again.
///
/// # Panics
/// If the payload is longer than [`PAYLOAD_BYTES_MAX`]; the writer checks that first.
#[inline]
pub(crate) fn encode_record(
    meta: &RecordMeta,
    epoch: u32,
    len: usize,
    payload: &[&[u8]],
    salt: Salt,
) -> [[u8; 8]; 4] {
    assert!(len <= PAYLOAD_BYTES_MAX, "the payload of a record has a bound");
    let (kind, ver, flags) = (u64::from(meta.kind), u64::from(meta.ver), u64::from(meta.flags));
    let first = len as u64 | kind << 32 | ver << 48 | flags << 56;
    let words = [first, meta.seq, meta.ts as u64, u64::from(epoch)].map(u64::to_le_bytes);
    let mut crc = Digest::new(CrcAlgorithm::Crc32Iscsi);
    crc.update(&words.as_flattened()[..28]);
    for part in payload {
        crc.update(part);
    }
    let last = u64::from(epoch) | u64::from(low32(crc.finalize()) ^ salt.0) << 32;
    [words[0], words[1], words[2], last.to_le_bytes()]
}

/// Where the trailer of a frame lies whose records end at `records_end`, counted from its start.
pub(crate) fn trailer_offset(records_end: u64) -> u64 {
    (records_end + TRAILER_BYTES).next_multiple_of(PAGE) - TRAILER_BYTES
}

/// The trailer of a frame. `unsealed` is the frame from its header to where the trailer begins.
pub(crate) fn seal(unsealed: &[u8], n_records: u32, last_seq: u64, salt: Salt) -> Sealed {
    let frame_len = unsealed.len() as u64 + TRAILER_BYTES;
    assert!(frame_len.is_multiple_of(PAGE) && frame_len <= FRAME_BYTES_MAX, "frames fill pages");
    let mut trailer = TrailerBytes {
        magic: TRAILER_MAGIC.into(),
        n_records: n_records.into(),
        frame_len: (frame_len as u32).into(),
        crc: 0.into(),
        chain: 0.into(),
        last_seq: last_seq.into(),
    };
    trailer.chain = seal_chain(unsealed, &trailer).into();

    let mut crc = Digest::new(CrcAlgorithm::Crc32Iscsi);
    crc.update(unsealed);
    crc.update(&trailer.as_bytes()[..12]);
    crc.update(&trailer.as_bytes()[16..]);
    trailer.crc = (low32(crc.finalize()) ^ salt.0).into();
    Sealed { chain: trailer.chain.get(), trailer: zerocopy::transmute!(trailer) }
}

/// What sealing a frame gives.
pub(crate) struct Sealed {
    pub(crate) chain: u64,
    pub(crate) trailer: [u8; TRAILER_BYTES as usize],
}

/// Whether a trailer seems to lie here; only [`check_sealed`] knows.
pub(crate) fn looks_sealed(trailer: &[u8]) -> bool {
    TrailerBytes::ref_from_prefix(trailer).is_ok_and(|(t, _)| t.magic.get() == TRAILER_MAGIC)
}

/// Checks a whole frame whose records were walked to `walk`'s end, and returns its chain value.
/// The error says at which offset in the frame.
pub(crate) fn check_sealed(frame: &[u8], walk: &Walk, salt: Salt) -> Result<u64, (u64, Fault)> {
    let trailer_at = trailer_offset(walk.pos);
    let (body, trailer_bytes) = frame.split_at(trailer_at as usize);
    let Ok((trailer, _)) = TrailerBytes::ref_from_prefix(trailer_bytes) else {
        return Err((trailer_at, Fault::Unsealed));
    };
    let padding = &body[walk.pos as usize..];
    if let Some(at) = padding.iter().position(|byte| *byte != 0) {
        return Err((walk.pos + at as u64, Fault::FramePadding));
    }
    if trailer.as_bytes() == [0; TRAILER_BYTES as usize] {
        return Err((trailer_at, Fault::Unsealed));
    }
    let end = body.len() + TRAILER_BYTES as usize;
    let crc = salt.crc_of_two(&frame[..end - CRC_FROM_END], &frame[end - CRC_FROM_END + 4..end]);
    let expected = seal_chain(body, trailer);
    if trailer.magic.get() == TRAILER_MAGIC
        && trailer.n_records.get() == walk.n_records
        && u64::from(trailer.frame_len.get()) == end as u64
        && trailer.last_seq.get() == walk.next_seq - 1
        && trailer.crc.get() == crc
        && trailer.chain.get() == expected
    {
        Ok(expected)
    } else {
        Err((trailer_at, Fault::Trailer))
    }
}

fn seal_chain(body: &[u8], trailer: &TrailerBytes) -> u64 {
    let mut chain = Digest::new(CrcAlgorithm::Crc64Nvme);
    chain.update(body);
    chain.update(&trailer.as_bytes()[..12]);
    chain.update(trailer.last_seq.as_bytes());
    chain.finalize()
}

/// Whether the checksum of every record is compared, or left to the checksum of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordCheck {
    Crc,
    Structure,
}

/// Goes over the records of one frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    /// Offset in the frame of the next record.
    pub(crate) pos: u64,
    pub(crate) n_records: u32,
    pub(crate) next_seq: u64,
    pub(crate) last_ts: i64,
    epoch: u32,
    /// No record reaches beyond this offset in the frame: the trailer has to fit behind it.
    limit: u64,
}

/// What lies where a walk stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A record; the walk has gone past it. Its payload follows its header.
    Record {
        meta: RecordMeta,
        payload_len: usize,
    },
    /// No more records: zeros, or the trailer.
    End,
    /// The bytes given are too few: this many are needed.
    Short(usize),
    Fault(Fault),
}

impl Walk {
    /// `room` is how long the frame can be at most: what is left of its segment, or 4 MiB.
    pub(crate) fn new(header: &FrameHeader, room: u64) -> Walk {
        Walk {
            pos: FRAME_HEADER_BYTES,
            n_records: 0,
            next_seq: header.first_seq,
            last_ts: header.ts,
            epoch: header.epoch,
            limit: room.min(FRAME_BYTES_MAX).saturating_sub(TRAILER_BYTES),
        }
    }

    /// One step. `bytes` begins where the walk stands (`pos`).
    #[inline]
    pub(crate) fn step(&mut self, bytes: &[u8], check: RecordCheck, salt: Salt) -> Step {
        let Ok((header, rest)) = RecordHeaderBytes::ref_from_prefix(bytes) else {
            return Step::Short(RECORD_HEADER_BYTES as usize);
        };
        let len = header.len.get() as usize;
        if len == 0 && header.as_bytes()[..16] == [0; 16] {
            return Step::End;
        }
        if header.len.get() == TRAILER_MAGIC && trailer_offset(self.pos) == self.pos {
            return Step::End;
        }
        if PAYLOAD_BYTES_MAX < len || self.limit < self.pos + record_bytes(len) {
            return Step::Fault(Fault::RecordLength);
        }
        let padded = len.next_multiple_of(16);
        if rest.len() < padded {
            return Step::Short(RECORD_HEADER_BYTES as usize + padded);
        }
        let payload = &rest[..len];
        if check == RecordCheck::Crc
            && header.crc.get() != salt.crc_of_two(&header.as_bytes()[..28], payload)
        {
            return Step::Fault(Fault::RecordCrc);
        }
        if header.epoch.get() != self.epoch {
            return Step::Fault(Fault::RecordEpoch);
        }
        if header.seq.get() != self.next_seq {
            return Step::Fault(Fault::RecordSequence);
        }
        if rest[len..padded].iter().any(|byte| *byte != 0) {
            return Step::Fault(Fault::RecordPadding);
        }
        self.pos += record_bytes(len);
        self.n_records += 1;
        self.next_seq += 1;
        self.last_ts = header.ts.get();
        Step::Record {
            meta: RecordMeta {
                kind: header.kind.get(),
                ver: header.ver,
                flags: header.flags,
                seq: header.seq.get(),
                ts: header.ts.get(),
            },
            payload_len: len,
        }
    }
}

impl Walk {
    /// One step in a frame whose trailer was checked, so that nothing can be wrong: the record and
    /// the length of its payload, or none at the end.
    #[inline]
    pub(crate) fn step_checked(&mut self, bytes: &[u8]) -> Option<(RecordMeta, usize)> {
        match self.step(bytes, RecordCheck::Structure, Salt(0)) {
            Step::Record { meta, payload_len } => Some((meta, payload_len)),
            Step::End | Step::Short(_) | Step::Fault(_) => None,
        }
    }
}

/// Whether every byte is zero, at memory speed.
pub(crate) fn all_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; PAGE as usize] = [0; PAGE as usize];
    bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_frame_are_those_of_the_picture() {
        let uuid = *b"0123456789abcdef";
        let salt = Salt::of(&uuid);
        let header =
            FrameHeader { epoch: 7, first_seq: 42, prev_chain: 0x1122, durable: 41, ts: -5 };
        let bytes = header.encode(salt);
        assert_eq!(&bytes[..4], b"btrF");
        assert_eq!(bytes[4..8], 7u32.to_le_bytes());
        assert_eq!(bytes[8..16], 42u64.to_le_bytes());
        assert_eq!(bytes[16..24], 0x1122u64.to_le_bytes());
        assert_eq!(bytes[24..32], 41u64.to_le_bytes());
        assert_eq!(bytes[32..40], (-5i64).to_le_bytes());
        assert_eq!(bytes[40..60], [0; 20]);
        assert_eq!(FrameHeader::decode(&bytes, salt), Ok(header));

        let meta = RecordMeta { kind: 3, ver: 1, flags: 2, seq: 42, ts: -5 };
        let record = encode_record(&meta, 7, 7, &[b"bet", b"ring"], salt);
        let record = record.as_flattened();
        assert_eq!(record[..4], 7u32.to_le_bytes());
        assert_eq!(record[4..8], [3, 0, 1, 2]);
        assert_eq!(record[8..16], 42u64.to_le_bytes());
        assert_eq!(record[16..24], (-5i64).to_le_bytes());
        assert_eq!(record[24..28], 7u32.to_le_bytes());
        let crc = crc_fast::crc32_iscsi(&[&record[..28], b"betring"].concat());
        assert_eq!(record[28..], (crc ^ crc_fast::crc32_iscsi(&uuid)).to_le_bytes());

        let mut frame = [0; 4096];
        frame[..64].copy_from_slice(&bytes);
        frame[64..96].copy_from_slice(record);
        frame[96..103].copy_from_slice(b"betring");
        let sealed = seal(&frame[..4064], 1, 42, salt);
        frame[4064..].copy_from_slice(&sealed.trailer);
        assert_eq!(&frame[4064..4068], b"btrT");
        assert_eq!(frame[4068..4072], 1u32.to_le_bytes());
        assert_eq!(frame[4072..4076], 4096u32.to_le_bytes());
        assert_eq!(frame[4080..4088], sealed.chain.to_le_bytes());
        assert_eq!(frame[4088..4096], 42u64.to_le_bytes());

        let mut walk = Walk::new(&header, 8192);
        assert!(matches!(
            walk.step(&frame[64..], RecordCheck::Crc, salt),
            Step::Record { payload_len: 7, .. }
        ));
        assert!(matches!(
            walk.step(&frame[walk.pos as usize..], RecordCheck::Crc, salt),
            Step::End
        ));
        assert_eq!(check_sealed(&frame, &walk, salt), Ok(sealed.chain));
    }

    #[test]
    fn a_frame_whose_records_end_at_the_trailer_is_sealed_like_any_other() {
        let salt = Salt(1);
        let header = FrameHeader { epoch: 1, first_seq: 1, prev_chain: 0, durable: 0, ts: 0 };
        let payload = vec![9; 4096 - 64 - 32 - 32];
        let meta = RecordMeta { kind: 1, ver: 1, flags: 0, seq: 1, ts: 0 };
        let mut frame = vec![0; 4096];
        frame[..64].copy_from_slice(&header.encode(salt));
        let record = encode_record(&meta, 1, payload.len(), &[&payload], salt);
        frame[64..96].copy_from_slice(record.as_flattened());
        frame[96..4064].copy_from_slice(&payload);
        let sealed = seal(&frame[..4064], 1, 1, salt);
        frame[4064..].copy_from_slice(&sealed.trailer);
        let mut walk = Walk::new(&header, 4096);
        assert!(matches!(walk.step(&frame[64..], RecordCheck::Crc, salt), Step::Record { .. }));
        assert_eq!(walk.pos, 4064);
        assert!(matches!(walk.step(&frame[4064..], RecordCheck::Crc, salt), Step::End));
        assert_eq!(check_sealed(&frame, &walk, salt), Ok(sealed.chain));
    }

    #[test]
    fn a_frame_changed_and_checksummed_again_breaks_its_chain() {
        let salt = Salt(1);
        let header = FrameHeader { epoch: 1, first_seq: 1, prev_chain: 7, durable: 0, ts: 0 };
        let walk = Walk::new(&header, 4096);
        let mut frame = vec![0; 4096];
        frame[..64].copy_from_slice(&header.encode(salt));
        let sealed = seal(&frame[..4064], 0, 0, salt);
        frame[4064..].copy_from_slice(&sealed.trailer);
        assert_eq!(check_sealed(&frame, &walk, salt), Ok(sealed.chain));

        let forged = FrameHeader { ts: 1, ..header };
        frame[..64].copy_from_slice(&forged.encode(salt));
        let crc = salt.crc_of_two(&frame[..4076], &frame[4080..]);
        frame[4076..4080].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(check_sealed(&frame, &walk, salt), Err((4064, Fault::Trailer)));
    }
}
