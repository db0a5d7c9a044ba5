//! The bytes of a journal's directory: MANIFEST, the names of segments, the segment header.
//!
//! All numbers are little-endian; every byte not named is zero, and checked to be zero.
//!
//! ```text
//! MANIFEST                     64 bytes, written once
//! WITNESS                      the last segment begun; `witness` draws it
//! LOCK                         empty; locked (flock) by the process that writes
//! seg-<first_seq:020>.jnl      a segment: 4 KiB header, frames, zeros
//! snap-<seq:020>.snp           a snapshot; `snapshot_file` draws it
//! archive/seg-….jnl            segments that a snapshot made needless for opening, moved here
//! ready-<n:08>.tmp             a segment prepared ahead, or being prepared; removed at every open
//! snap-<seq:020>.tmp           a snapshot being written; removed at every open
//! MANIFEST.tmp, WITNESS.tmp    one being written; removed at every open
//!
//! MANIFEST
//!   0   u64     magic          "btrjrnl1"
//!   8   u32     version        of the format of MANIFEST, segments, frames and records: 1
//!   12  u32     zero
//!   16  u8×16   uuid           of this journal, random
//!   32  u64     schema_hash    of the payload's layouts, as the caller gave it
//!   40  u8×20   zero
//!   60  u32     crc            CRC-32C of bytes 0..60
//!
//! segment header               4096 bytes, written and synced before the file gets its name
//!   0   u64     magic          "btrsegm1"
//!   8   u32     version        1
//!   12  u32     epoch          one more than before, at every opening of the journal for writing
//!   16  u8×16   uuid           the journal's
//!   32  u64     segment_no     1, 2, 3, …
//!   40  u64     first_seq      the file's name; everything before it was durable
//!   48  u64     prev_chain     chain value of the last frame of the segment before it
//!   56  u64     schema_hash    the journal's
//!   64  u64     segment_bytes  length of this file, header included
//!   72  u32     align          frames begin and end at multiples of it: 4096
//!   76  u32     logic_version  of the program that decided what is written here
//!   80  u64     rules_id       the operator's rules,
//!   88  u32     rules_version  and their version
//!   92  u32     zero
//!   96  u8×32   zero           reserved for a keyed hash
//!   128 …       zero
//!   4092 u32    crc            CRC-32C of bytes 0..4092, salted like those of frames
//! ```

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::frame::{PAGE, Salt, all_zero};
use crate::witness::WITNESS_TMP;

/// The version of the format which this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;

pub(crate) const MANIFEST: &str = "MANIFEST";
pub(crate) const MANIFEST_TMP: &str = "MANIFEST.tmp";
pub(crate) const MANIFEST_BYTES: usize = 64;
/// The header of a segment, in bytes: one page.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = PAGE;

const MANIFEST_MAGIC: u64 = u64::from_le_bytes(*b"btrjrnl1");
const SEGMENT_MAGIC: u64 = u64::from_le_bytes(*b"btrsegm1");

/// The largest sequence, and the largest number of a segment. Far enough from the end of u64 that no addition overflows.
pub(crate) const SEQ_MAX: u64 = u64::MAX >> 1;

/// Where segments go that are no longer needed for opening.
const ARCHIVE: &str = "archive/";

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ManifestBytes {
    magic: U64,
    version: U32,
    zero_1: U32,
    uuid: [u8; 16],
    schema_hash: U64,
    zero_2: [u8; 20],
    crc: U32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SegmentHeaderBytes {
    magic: U64,
    version: U32,
    epoch: U32,
    uuid: [u8; 16],
    segment_no: U64,
    first_seq: U64,
    prev_chain: U64,
    schema_hash: U64,
    segment_bytes: U64,
    align: U32,
    logic_version: U32,
    rules_id: U64,
    rules_version: U32,
    zero: U32,
    keyed_hash: [u8; 32],
}

const _: () = assert!(size_of::<ManifestBytes>() == MANIFEST_BYTES);
const _: () = assert!(size_of::<SegmentHeaderBytes>() == 128);

/// What MANIFEST says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Random, and under every checksum of the journal.
    pub uuid: [u8; 16],
    /// Of the payload's layouts, as the caller gave it when the journal was made.
    pub schema_hash: u64,
}

/// Why bytes are not the header they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Version(u32),
    Schema(u64),
    What(&'static str),
}

impl Manifest {
    pub(crate) fn encode(&self) -> [u8; MANIFEST_BYTES] {
        let mut bytes = ManifestBytes {
            magic: MANIFEST_MAGIC.into(),
            version: FORMAT_VERSION.into(),
            zero_1: 0.into(),
            uuid: self.uuid,
            schema_hash: self.schema_hash.into(),
            zero_2: [0; 20],
            crc: 0.into(),
        };
        bytes.crc = crc_fast::crc32_iscsi(&bytes.as_bytes()[..60]).into();
        zerocopy::transmute!(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Manifest, Unreadable> {
        let Ok(manifest) = ManifestBytes::ref_from_bytes(bytes) else {
            return Err(Unreadable::What("it does not have 64 bytes"));
        };
        if manifest.magic.get() != MANIFEST_MAGIC {
            return Err(Unreadable::What("this is not a journal's MANIFEST"));
        }
        // The version comes before the checksum: another version may have another checksum.
        if manifest.version.get() != FORMAT_VERSION {
            return Err(Unreadable::Version(manifest.version.get()));
        }
        if manifest.crc.get() != crc_fast::crc32_iscsi(&manifest.as_bytes()[..60]) {
            return Err(Unreadable::What("its checksum does not match"));
        }
        if manifest.zero_1.get() != 0 || manifest.zero_2 != [0; 20] {
            return Err(Unreadable::What("its reserved bytes are not zero"));
        }
        Ok(Manifest { uuid: manifest.uuid, schema_hash: manifest.schema_hash.get() })
    }

    pub(crate) fn salt(&self) -> Salt {
        Salt::of(&self.uuid)
    }
}

/// What the header of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// One more than before, at every opening of the journal for writing.
    pub epoch: u32,
    /// 1, 2, 3, …
    pub segment_no: u64,
    /// The sequence of the segment's first record, and its name.
    pub first_seq: u64,
    /// Chain value of the last frame before this segment.
    pub prev_chain: u64,
    /// The journal's.
    pub schema_hash: u64,
    /// Length of the file, header included.
    pub segment_bytes: u64,
    /// Version of the logic that decided what is written here.
    pub logic_version: u32,
    /// The operator's rules,
    pub rules_id: u64,
    /// and their version.
    pub rules_version: u32,
}

impl SegmentHeader {
    pub(crate) fn encode(&self, manifest: &Manifest) -> Box<[u8; SEGMENT_HEADER_BYTES as usize]> {
        let fields = SegmentHeaderBytes {
            magic: SEGMENT_MAGIC.into(),
            version: FORMAT_VERSION.into(),
            epoch: self.epoch.into(),
            uuid: manifest.uuid,
            segment_no: self.segment_no.into(),
            first_seq: self.first_seq.into(),
            prev_chain: self.prev_chain.into(),
            schema_hash: self.schema_hash.into(),
            segment_bytes: self.segment_bytes.into(),
            align: (PAGE as u32).into(),
            logic_version: self.logic_version.into(),
            rules_id: self.rules_id.into(),
            rules_version: self.rules_version.into(),
            zero: 0.into(),
            keyed_hash: [0; 32],
        };
        let mut page = Box::new([0; SEGMENT_HEADER_BYTES as usize]);
        page[..128].copy_from_slice(fields.as_bytes());
        let crc = manifest.salt().crc(&page[..4092]);
        page[4092..].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// Reads the first page of a segment of the journal with this MANIFEST.
    pub(crate) fn decode(page: &[u8], manifest: &Manifest) -> Result<SegmentHeader, Unreadable> {
        let Ok((header, rest)) = SegmentHeaderBytes::ref_from_prefix(page) else {
            return Err(Unreadable::What("it is too short for a segment"));
        };
        if page.len() != SEGMENT_HEADER_BYTES as usize {
            return Err(Unreadable::What("it is too short for a segment"));
        }
        if header.magic.get() != SEGMENT_MAGIC {
            return Err(Unreadable::What("this is not a segment of a journal"));
        }
        if header.version.get() != FORMAT_VERSION {
            return Err(Unreadable::Version(header.version.get()));
        }
        if header.uuid != manifest.uuid {
            return Err(Unreadable::What("it belongs to another journal"));
        }
        if page[4092..] != manifest.salt().crc(&page[..4092]).to_le_bytes() {
            return Err(Unreadable::What("the segment header's checksum does not match"));
        }
        if header.schema_hash.get() != manifest.schema_hash {
            return Err(Unreadable::Schema(header.schema_hash.get()));
        }
        let reserved_zero =
            header.zero.get() == 0 && header.keyed_hash == [0; 32] && all_zero(&rest[..4092 - 128]);
        if !reserved_zero {
            return Err(Unreadable::What("reserved bytes of the segment header are not zero"));
        }
        if u64::from(header.align.get()) != PAGE {
            return Err(Unreadable::What("frames are aligned to something else than 4096 bytes"));
        }
        let header = SegmentHeader {
            epoch: header.epoch.get(),
            segment_no: header.segment_no.get(),
            first_seq: header.first_seq.get(),
            prev_chain: header.prev_chain.get(),
            schema_hash: header.schema_hash.get(),
            segment_bytes: header.segment_bytes.get(),
            logic_version: header.logic_version.get(),
            rules_id: header.rules_id.get(),
            rules_version: header.rules_version.get(),
        };
        header.out_of_range().map_or(Ok(header), |what| Err(Unreadable::What(what)))
    }

    /// What is wrong with its numbers, if anything. Asked before a header is written, too: a segment
    /// that no opening would accept must never get its name.
    pub(crate) fn out_of_range(&self) -> Option<&'static str> {
        if self.first_seq == 0 || SEQ_MAX < self.first_seq {
            return Some("its first sequence is out of range");
        }
        if !self.segment_bytes.is_multiple_of(PAGE) {
            return Some("its length is not a multiple of 4096 bytes");
        }
        if self.epoch == 0 || self.epoch == u32::MAX {
            return Some("its epoch is out of range");
        }
        if self.segment_no == 0 || SEQ_MAX < self.segment_no {
            return Some("its number is out of range");
        }
        None
    }
}

/// The file name of the segment that begins with this sequence.
pub(crate) fn segment_name(first_seq: u64) -> String {
    format!("seg-{first_seq:020}.jnl")
}

/// The first sequence in a segment's name, if it is one.
pub(crate) fn parse_segment_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("seg-")?.strip_suffix(".jnl")?;
    if digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse().ok()
    } else {
        None
    }
}

/// The file name of a segment that was moved to the archive.
pub(crate) fn archived_name(first_seq: u64) -> String {
    format!("{ARCHIVE}{}", segment_name(first_seq))
}

/// The first sequence in the name of a segment in the archive, if it is one.
pub(crate) fn parse_archived_name(name: &str) -> Option<u64> {
    parse_segment_name(name.strip_prefix(ARCHIVE)?)
}

/// The name under which a segment is prepared.
pub(crate) fn ready_name(n: u64) -> String {
    format!("ready-{n:08}.tmp")
}

/// Whether a file may be removed at open: nothing in it was ever part of the journal.
pub(crate) fn is_temporary(name: &str) -> bool {
    let prepared = name.starts_with("ready-") || name.starts_with("snap-");
    name == MANIFEST_TMP || name == WITNESS_TMP || (prepared && name.ends_with(".tmp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_and_a_segment_header_read_back_and_every_bit_of_them_counts() {
        let manifest = Manifest { uuid: [7; 16], schema_hash: 99 };
        let mut bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Ok(manifest));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }

        let header = SegmentHeader {
            epoch: 3,
            segment_no: 2,
            first_seq: 1000,
            prev_chain: 5,
            schema_hash: 99,
            segment_bytes: 65536,
            logic_version: 1,
            rules_id: 77,
            rules_version: 4,
        };
        let mut page = header.encode(&manifest);
        assert_eq!(SegmentHeader::decode(&page[..], &manifest), Ok(header));
        for bit in 0..page.len() * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&page[..], &manifest).is_err(), "bit {bit}");
            page[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_segments_name_is_its_first_sequence() {
        assert_eq!(segment_name(42), "seg-00000000000000000042.jnl");
        assert_eq!(parse_segment_name("seg-00000000000000000042.jnl"), Some(42));
        assert_eq!(parse_segment_name("seg-42.jnl"), None);
        assert_eq!(parse_segment_name("seg-99999999999999999999.jnl"), None);
        assert!(is_temporary(&ready_name(1)));
        assert!(!is_temporary("seg-00000000000000000042.jnl"));
        assert_eq!(archived_name(42), "archive/seg-00000000000000000042.jnl");
        assert_eq!(parse_archived_name(&archived_name(42)), Some(42));
        assert_eq!(parse_archived_name(&segment_name(42)), None);
        assert_eq!(parse_segment_name(&archived_name(42)), None);
    }
}
