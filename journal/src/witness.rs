//! WITNESS: which segment was the last to be begun, so that a journal whose end is gone is not taken
//! for a shorter one, or for none.
//!
//! It is written anew whenever a segment has its name and that is durable: so it is never ahead of
//! what is durable, and after a crash at most one segment behind. Decision 17.
//!
//! ```text
//! WITNESS                      64 bytes; a new one replaces the old one whole
//!   0   u64     magic          "btrwitn1"
//!   8   u32     version        1
//!   12  u32     epoch          of the segment
//!   16  u8×16   uuid           the journal's
//!   32  u64     segment_no     its number
//!   40  u64     first_seq      its first sequence: everything before it was durable
//!   48  u8×12   zero
//!   60  u32     crc            CRC-32C of bytes 0..60
//! ```

use std::io;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::Error;
use crate::segment::{FORMAT_VERSION, Manifest, SegmentHeader, segment_name};
use crate::store::{Store, StoreFile};

pub(crate) const WITNESS: &str = "WITNESS";
pub(crate) const WITNESS_TMP: &str = "WITNESS.tmp";
const BYTES: usize = 64;
const MAGIC: u64 = u64::from_le_bytes(*b"btrwitn1");

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WitnessBytes {
    magic: U64,
    version: U32,
    epoch: U32,
    uuid: [u8; 16],
    segment_no: U64,
    first_seq: U64,
    zero: [u8; 12],
    crc: U32,
}

const _: () = assert!(size_of::<WitnessBytes>() == BYTES);

/// The last segment that was begun, as far as WITNESS knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Witness {
    epoch: u32,
    segment_no: u64,
    pub(crate) first_seq: u64,
}

impl Witness {
    fn of(header: &SegmentHeader) -> Witness {
        let SegmentHeader { epoch, segment_no, first_seq, .. } = *header;
        Witness { epoch, segment_no, first_seq }
    }

    fn encode(&self, manifest: &Manifest) -> WitnessBytes {
        let mut bytes = WitnessBytes {
            magic: MAGIC.into(),
            version: FORMAT_VERSION.into(),
            epoch: self.epoch.into(),
            uuid: manifest.uuid,
            segment_no: self.segment_no.into(),
            first_seq: self.first_seq.into(),
            zero: [0; 12],
            crc: 0.into(),
        };
        bytes.crc = crc_fast::crc32_iscsi(&bytes.as_bytes()[..60]).into();
        bytes
    }

    fn decode(bytes: &[u8], manifest: &Manifest) -> Result<Witness, &'static str> {
        let Ok(read) = WitnessBytes::read_from_bytes(bytes) else {
            return Err("it does not have 64 bytes");
        };
        let (epoch, segment_no) = (read.epoch.get(), read.segment_no.get());
        let witness = Witness { epoch, segment_no, first_seq: read.first_seq.get() };
        if read.uuid != manifest.uuid {
            Err("it belongs to another journal, or it is damaged")
        } else if bytes != witness.encode(manifest).as_bytes() {
            Err("it is damaged")
        } else {
            Ok(witness)
        }
    }

    /// Reads it; none if there is none: the journal is from before there were any, or has not begun.
    pub(crate) fn read<S: Store>(store: &S, manifest: &Manifest) -> Result<Option<Witness>, Error> {
        let at = |doing| Error::at(store, WITNESS, doing, 0);
        let file = match store.open_read(WITNESS) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(at("open")(e)),
        };
        // One byte more than it should have, to see that it ends.
        let mut bytes = [0; BYTES + 1];
        let len = file.read_at(0, &mut bytes).map_err(at("read"))?;
        match Witness::decode(&bytes[..len], manifest) {
            Ok(witness) => Ok(Some(witness)),
            Err(what) => Err(Error::Witness { place: store.place(WITNESS), what }),
        }
    }

    /// Whether a journal whose last segment has this header can be the one that was witnessed.
    pub(crate) fn check<S: Store>(
        &self,
        store: &S,
        last: Option<&SegmentHeader>,
    ) -> Result<(), Error> {
        // A segment without a record is replaced by one of the same number and a later epoch.
        let reached = |last: &SegmentHeader| match last.segment_no.cmp(&self.segment_no) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                last.first_seq == self.first_seq && self.epoch <= last.epoch
            }
            std::cmp::Ordering::Greater => true,
        };
        if last.is_some_and(reached) {
            return Ok(());
        }
        let (place, segment) = (store.place(""), segment_name(self.first_seq));
        Err(Error::WitnessAhead { place, segment, seq: self.first_seq })
    }
}

/// Notes that this segment was begun. Its name is durable.
///
/// A full disk is no error: what is noted then is less than what there is, and the next segment
/// brings it up to date.
pub(crate) fn note<S: Store>(
    store: &S,
    manifest: &Manifest,
    header: &SegmentHeader,
) -> Result<(), Error> {
    match write(store, Witness::of(header).encode(manifest).as_bytes()) {
        Err(Error::NoSpace { .. }) => {
            // If it cannot be removed either, the next opening does that.
            let _ = store.remove(WITNESS_TMP);
            Ok(())
        }
        written => written,
    }
}

fn write<S: Store>(store: &S, bytes: &[u8]) -> Result<(), Error> {
    let at = |doing| Error::at(store, WITNESS_TMP, doing, BYTES as u64);
    match store.remove(WITNESS_TMP) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at("remove")(e)),
        _ => (),
    }
    let mut file = store.create_new(WITNESS_TMP).map_err(at("create"))?;
    file.write_at(0, bytes).map_err(at("write"))?;
    file.sync().map_err(at("sync"))?;
    store.rename(WITNESS_TMP, WITNESS).map_err(at("rename"))?;
    store.sync_dir().map_err(Error::at(store, WITNESS, "sync the directory of", 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_reads_back_and_every_bit_of_it_counts() {
        let manifest = Manifest { uuid: [7; 16], schema_hash: 99 };
        let witness = Witness { epoch: 3, segment_no: 2, first_seq: 1000 };
        let mut bytes = witness.encode(&manifest).as_bytes().to_vec();
        assert_eq!(Witness::decode(&bytes, &manifest), Ok(witness));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Witness::decode(&bytes, &manifest).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
