//! The bytes of a snapshot's file, and how it is written, read, checked and forgotten.
//!
//! A snapshot is what somebody made of all records up to one sequence: bytes that we do not look
//! into. With one, opening begins behind that sequence. All numbers are little-endian; every byte
//! not named is zero, and checked to be zero.
//!
//! ```text
//! snap-<seq:020>.snp: header, the payload in chunks, trailer; nothing behind it
//!
//! header                       4096 bytes
//!   0   u64     magic          "btrsnap1"
//!   8   u32     version        of this file's format: 1
//!   12  u32     epoch          of the record at seq
//!   16  u8×16   uuid           the journal's
//!   32  u64     schema_hash    the journal's
//!   40  u64     seq            the last record that is in the payload, and the file's name
//!   48  i64     ts             of that record
//!   56  u64     chain          of the frame that ends with that record
//!   64  u64     payload_bytes  without what is between the chunks
//!   72  u32     chunk_bytes    of every chunk but the last: 1 MiB
//!   76  u32     image_version  of the payload's layout, as the caller gave it
//!   80  u32     logic_version  of the program that made it
//!   84  u32     rules_version  of the operator's rules,
//!   88  u64     rules_id       and which
//!   96  u8×16   digest         of what the payload holds, as the caller gave it
//!   112 …       zero
//!   4092 u32    crc            CRC-32C of bytes 0..4092, salted like those of frames
//!
//! chunk                        up to 1 MiB of the payload, and 8 bytes
//!   0   …       payload
//!   …   u32     index          0, 1, 2, …
//!   …   u32     crc            CRC-32C of seq, of these bytes and of the index, salted
//!
//! trailer                      32 bytes
//!   0   u64     magic          "btrsnapZ"
//!   8   u64     payload_bytes  again
//!   16  u64     payload_crc    CRC-64/NVME of the whole payload
//!   24  u32     chunks         how many
//!   28  u32     crc            CRC-32C of the header's crc and of bytes 0..28, salted
//! ```
//!
//! It is written under another name, synced, named and the name synced: a file with a snapshot's
//! name was whole once. The header says which frame it was made at, so that a journal which does
//! not have that frame any more is told.

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};
use zerocopy::little_endian::{I64, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::Error;
use crate::frame::all_zero;
use crate::recovery::{Position, list};
use crate::segment::{Manifest, SEQ_MAX};
use crate::store::{Store, StoreFile};

/// The version of a snapshot's file which this program writes and reads.
pub const SNAPSHOT_VERSION: u32 = 1;

/// Snapshots that are kept: the newest, and one for when that is damaged.
pub const SNAPSHOTS_KEPT: usize = 2;

/// The longest payload, 64 GiB: more than the memory of the machines this is for.
pub const SNAPSHOT_BYTES_MAX: u64 = 64 << 30;

/// Of more files than this only the newest are looked at: there are two, and what damage left.
const LOOKED_AT_MAX: usize = 16;

const HEADER_BYTES: u64 = 4096;
const CHUNK_BYTES: u64 = 1 << 20;
const CHUNK_END_BYTES: u64 = 8;
const TRAILER_BYTES: u64 = 32;

const MAGIC: u64 = u64::from_le_bytes(*b"btrsnap1");
const TRAILER_MAGIC: u64 = u64::from_le_bytes(*b"btrsnapZ");

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct HeaderBytes {
    magic: U64,
    version: U32,
    epoch: U32,
    uuid: [u8; 16],
    schema_hash: U64,
    seq: U64,
    ts: I64,
    chain: U64,
    payload_bytes: U64,
    chunk_bytes: U32,
    image_version: U32,
    logic_version: U32,
    rules_version: U32,
    rules_id: U64,
    digest: [u8; 16],
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct TrailerBytes {
    magic: U64,
    payload_bytes: U64,
    payload_crc: U64,
    chunks: U32,
    crc: U32,
}

const _: () = assert!(size_of::<HeaderBytes>() == 112);
const _: () = assert!(size_of::<TrailerBytes>() as u64 == TRAILER_BYTES);

/// What the header of a snapshot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// The last record that is in it, at which a frame ended.
    pub position: Position,
    /// Length of the payload.
    pub payload_bytes: u64,
    /// Version of the payload's layout: not our business.
    pub image_version: u32,
    /// Version of the logic that made it.
    pub logic_version: u32,
    /// The operator's rules,
    pub rules_id: u64,
    /// and their version.
    pub rules_version: u32,
    /// Of what the payload holds: not our business.
    pub digest: [u8; 16],
}

impl SnapshotHeader {
    /// Length of the file.
    pub fn file_bytes(&self) -> u64 {
        let ends = self.chunks() * CHUNK_END_BYTES;
        HEADER_BYTES + self.payload_bytes + ends + TRAILER_BYTES
    }

    fn chunks(&self) -> u64 {
        self.payload_bytes.div_ceil(CHUNK_BYTES)
    }

    fn encode(&self, manifest: &Manifest) -> Box<[u8; HEADER_BYTES as usize]> {
        let fields = HeaderBytes {
            magic: MAGIC.into(),
            version: SNAPSHOT_VERSION.into(),
            epoch: self.position.epoch.into(),
            uuid: manifest.uuid,
            schema_hash: manifest.schema_hash.into(),
            seq: self.position.seq.into(),
            ts: self.position.ts.into(),
            chain: self.position.chain.into(),
            payload_bytes: self.payload_bytes.into(),
            chunk_bytes: (CHUNK_BYTES as u32).into(),
            image_version: self.image_version.into(),
            logic_version: self.logic_version.into(),
            rules_version: self.rules_version.into(),
            rules_id: self.rules_id.into(),
            digest: self.digest,
        };
        let mut page = Box::new([0; HEADER_BYTES as usize]);
        page[..size_of::<HeaderBytes>()].copy_from_slice(fields.as_bytes());
        let crc = manifest.salt().crc(&page[..4092]);
        page[4092..].copy_from_slice(&crc.to_le_bytes());
        page
    }

    fn decode(page: &[u8], seq: u64, manifest: &Manifest) -> Result<SnapshotHeader, String> {
        let wrong = |what: &str| Err(what.to_owned());
        let Ok((header, rest)) = HeaderBytes::ref_from_prefix(page) else {
            return wrong("it is too short for a snapshot");
        };
        if page.len() as u64 != HEADER_BYTES {
            return wrong("it is too short for a snapshot");
        }
        if header.magic.get() != MAGIC {
            return wrong("this is not a snapshot of a journal");
        }
        if header.version.get() != SNAPSHOT_VERSION {
            let found = header.version.get();
            return Err(format!(
                "it is of format version {found}, this program reads version {SNAPSHOT_VERSION}"
            ));
        }
        if header.uuid != manifest.uuid {
            return wrong("it belongs to another journal");
        }
        if page[4092..] != manifest.salt().crc(&page[..4092]).to_le_bytes() {
            return wrong("the header's checksum does not match");
        }
        if header.schema_hash.get() != manifest.schema_hash {
            return wrong("it was made with other record layouts");
        }
        if !all_zero(&rest[..4092 - size_of::<HeaderBytes>()]) {
            return wrong("reserved bytes of the header are not zero");
        }
        if header.seq.get() != seq {
            return wrong("its name does not say where it was made");
        }
        let in_range = 0 < seq
            && seq < SEQ_MAX
            && header.payload_bytes.get() <= SNAPSHOT_BYTES_MAX
            && u64::from(header.chunk_bytes.get()) == CHUNK_BYTES;
        if !in_range {
            return wrong("a number of its header is out of range");
        }
        Ok(SnapshotHeader {
            position: Position {
                seq,
                ts: header.ts.get(),
                epoch: header.epoch.get(),
                chain: header.chain.get(),
            },
            payload_bytes: header.payload_bytes.get(),
            image_version: header.image_version.get(),
            logic_version: header.logic_version.get(),
            rules_id: header.rules_id.get(),
            rules_version: header.rules_version.get(),
            digest: header.digest,
        })
    }
}

impl fmt::Display for SnapshotHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  epoch {}  sequence {}, {} bytes, image version {}, logic {}, rules {:016x} v{}, \
             digest {:032x}",
            snapshot_name(self.position.seq),
            self.position.epoch,
            self.position.seq,
            self.file_bytes(),
            self.image_version,
            self.logic_version,
            self.rules_id,
            self.rules_version,
            u128::from_le_bytes(self.digest)
        )
    }
}

/// A snapshot that cannot be used: opening falls back to an older one, or to none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSnapshot {
    /// The file.
    pub place: String,
    /// The sequence in its name.
    pub seq: u64,
    /// Where in it, in bytes; 0 if it is no place.
    pub offset: u64,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for BadSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadSnapshot { place, offset, what, .. } = self;
        write!(f, "{place} cannot be used: {what}, at offset {offset}; nothing is lost by it")
    }
}

/// The file name of the snapshot at this sequence.
pub fn snapshot_name(seq: u64) -> String {
    format!("snap-{seq:020}.snp")
}

/// The sequence in a snapshot's name, if it is one.
pub(crate) fn parse_snapshot_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("snap-")?.strip_suffix(".snp")?;
    if digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse().ok()
    } else {
        None
    }
}

fn tmp_name(seq: u64) -> String {
    format!("snap-{seq:020}.tmp")
}

/// The sequences of the snapshots among these names, newest first.
pub(crate) fn snapshots_of(names: &[String]) -> Vec<u64> {
    let mut seqs: Vec<u64> = names.iter().filter_map(|name| parse_snapshot_name(name)).collect();
    seqs.sort_unstable_by(|a, b| b.cmp(a));
    seqs.truncate(LOOKED_AT_MAX);
    seqs
}

fn chunk_crc(manifest: &Manifest, seq: u64, index: u32, chunk: &[u8]) -> u32 {
    manifest.salt().crc_of_parts(&[&seq.to_le_bytes(), chunk, &index.to_le_bytes()])
}

fn trailer(manifest: &Manifest, header: &SnapshotHeader, page: &[u8], crc64: u64) -> TrailerBytes {
    let mut trailer = TrailerBytes {
        magic: TRAILER_MAGIC.into(),
        payload_bytes: header.payload_bytes.into(),
        payload_crc: crc64.into(),
        chunks: (header.chunks() as u32).into(),
        crc: 0.into(),
    };
    let crc = manifest.salt().crc_of_parts(&[&page[4092..], &trailer.as_bytes()[..28]]);
    trailer.crc = crc.into();
    trailer
}

/// Writes a snapshot and makes it durable. When it returns, it has its name; before that nothing has.
/// Only whoever holds the journal's lock, by an open journal or by [`Store::lock`], may call this.
///
/// # Errors
/// [`Error::NoSpace`], [`Error::Permission`] and [`Error::Io`]; what was written is removed again.
///
/// # Panics
/// If the header does not give the payload's length, or that is beyond [`SNAPSHOT_BYTES_MAX`].
pub fn write_snapshot<S: Store>(
    store: &S,
    manifest: &Manifest,
    header: &SnapshotHeader,
    payload: &[u8],
) -> Result<(), Error> {
    assert!(header.payload_bytes == payload.len() as u64, "a header is that of its payload");
    assert!(header.payload_bytes <= SNAPSHOT_BYTES_MAX, "a snapshot has a bound");
    let seq = header.position.seq;
    let (tmp, name) = (tmp_name(seq), snapshot_name(seq));
    let needed = header.file_bytes();
    // Asked first, so that somebody who tries again and again does not write a disk full each time.
    let free = store.free_bytes().map_err(Error::at(store, "", "ask for free space in", 0))?;
    if free < needed {
        return Err(Error::NoSpace { place: store.place(&name), needed, free });
    }
    let written = write_file(store, &tmp, manifest, header, payload).and_then(|()| {
        store.rename(&tmp, &name).map_err(Error::at(store, &tmp, "rename", 0))?;
        store.sync_dir().map_err(Error::at(store, &name, "sync the directory of", 0))
    });
    if written.is_err() {
        // So that it does not keep the space somebody needs. If even this fails, or it has its name
        // already, the next open sees to it.
        let _ = store.remove(&tmp);
    }
    written
}

fn write_file<S: Store>(
    store: &S,
    tmp: &str,
    manifest: &Manifest,
    header: &SnapshotHeader,
    payload: &[u8],
) -> Result<(), Error> {
    let at = |doing| Error::at(store, tmp, doing, header.file_bytes());
    if let Err(e) = store.remove(tmp)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(at("remove")(e));
    }
    let mut file = store.create_new(tmp).map_err(at("create"))?;
    let page = header.encode(manifest);
    file.write_at(0, &page[..]).map_err(at("write"))?;
    let mut offset = HEADER_BYTES;
    let mut crc64 = Digest::new(CrcAlgorithm::Crc64Nvme);
    for (index, chunk) in payload.chunks(CHUNK_BYTES as usize).enumerate() {
        crc64.update(chunk);
        file.write_at(offset, chunk).map_err(at("write"))?;
        offset += chunk.len() as u64;
        let crc = chunk_crc(manifest, header.position.seq, index as u32, chunk);
        let end = [(index as u32).to_le_bytes(), crc.to_le_bytes()];
        file.write_at(offset, end.as_flattened()).map_err(at("write"))?;
        offset += CHUNK_END_BYTES;
    }
    let trailer = trailer(manifest, header, &page[..], crc64.finalize());
    file.write_at(offset, trailer.as_bytes()).map_err(at("write"))?;
    file.sync().map_err(at("sync"))
}

/// Takes the chunks of a payload, one behind the other.
type Take<'a> = dyn FnMut(&SnapshotHeader, &[u8]) -> Result<(), BadSnapshot> + 'a;

/// A file of a snapshot that is being read.
struct Reading<'a, S: Store> {
    store: &'a S,
    manifest: &'a Manifest,
    seq: u64,
}

impl<S: Store> Reading<'_, S> {
    fn bad(&self, offset: u64, what: impl Into<String>) -> BadSnapshot {
        let place = self.store.place(&snapshot_name(self.seq));
        BadSnapshot { place, seq: self.seq, offset, what: what.into() }
    }

    fn fill(&self, file: &S::File, offset: u64, buf: &mut [u8]) -> Result<(), BadSnapshot> {
        match file.read_at(offset, buf) {
            Ok(len) if len == buf.len() => Ok(()),
            Ok(_) => Err(self.bad(offset, "it is shorter than it was made")),
            Err(e) => Err(self.bad(offset, format!("the system cannot read it: {e}"))),
        }
    }

    /// The header, and the file with the length that the header says.
    #[allow(clippy::type_complexity)] // the three parts of one file, taken apart at once
    fn header(
        &self,
    ) -> Result<(S::File, Box<[u8; HEADER_BYTES as usize]>, SnapshotHeader), BadSnapshot> {
        let io = |e| self.bad(0, format!("the system cannot read it: {e}"));
        let file = self.store.open_read(&snapshot_name(self.seq)).map_err(io)?;
        let mut page = Box::new([0; HEADER_BYTES as usize]);
        let len = file.read_at(0, &mut page[..]).map_err(io)?;
        let header = SnapshotHeader::decode(&page[..len], self.seq, self.manifest)
            .map_err(|what| self.bad(0, what))?;
        let (len, made) = (file.len().map_err(io)?, header.file_bytes());
        if len != made {
            let how = if len < made { "shorter" } else { "longer" };
            return Err(self.bad(len.min(made), format!("it is {how} than it was made")));
        }
        Ok((file, page, header))
    }

    /// Everything, every byte of it checked. Each chunk goes to `take`, with the header.
    fn read(&self, take: &mut Take<'_>) -> Result<SnapshotHeader, BadSnapshot> {
        let (file, page, header) = self.header()?;
        let mut chunk = vec![0; header.payload_bytes.min(CHUNK_BYTES) as usize];
        let (mut offset, mut done) = (HEADER_BYTES, 0);
        let mut crc64 = Digest::new(CrcAlgorithm::Crc64Nvme);
        for index in 0..header.chunks() as u32 {
            let len = (header.payload_bytes - done).min(CHUNK_BYTES);
            let chunk = &mut chunk[..len as usize];
            self.fill(&file, offset, chunk)?;
            let mut end = [0; CHUNK_END_BYTES as usize];
            self.fill(&file, offset + len, &mut end)?;
            let crc = chunk_crc(self.manifest, self.seq, index, chunk);
            if end[..4] != index.to_le_bytes() || end[4..] != crc.to_le_bytes() {
                let what = format!("the checksum of chunk {index} does not match");
                return Err(self.bad(offset, what));
            }
            crc64.update(chunk);
            take(&header, chunk)?;
            done += len;
            offset += len + CHUNK_END_BYTES;
        }
        let mut bytes = [0; TRAILER_BYTES as usize];
        self.fill(&file, offset, &mut bytes)?;
        let expected = trailer(self.manifest, &header, &page[..], crc64.finalize());
        if bytes != expected.as_bytes() {
            return Err(self.bad(offset, "its trailer does not match"));
        }
        Ok(header)
    }
}

/// The header of the snapshot at this sequence; the rest of it may be damaged.
pub(crate) fn read_snapshot_header<S: Store>(
    store: &S,
    manifest: &Manifest,
    seq: u64,
) -> Result<SnapshotHeader, BadSnapshot> {
    Reading { store, manifest, seq }.header().map(|(_, _, header)| header)
}

/// The snapshot at this sequence with its payload, every byte checked.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read_snapshot<S: Store>(
    store: &S,
    manifest: &Manifest,
    seq: u64,
) -> Result<(SnapshotHeader, Vec<u8>), BadSnapshot> {
    let reading = Reading { store, manifest, seq };
    let mut payload = Vec::new();
    let header = reading.read(&mut |header, chunk| {
        if payload.is_empty() && payload.try_reserve_exact(header.payload_bytes as usize).is_err() {
            return Err(reading.bad(0, "there is no memory for it"));
        }
        payload.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok((header, payload))
}

/// Checks every byte of the snapshot at this sequence, and keeps none.
///
/// # Errors
/// What is wrong with it, and where.
pub fn verify_snapshot<S: Store>(
    store: &S,
    manifest: &Manifest,
    seq: u64,
) -> Result<SnapshotHeader, BadSnapshot> {
    Reading { store, manifest, seq }.read(&mut |_, _| Ok(()))
}

/// The sequences of a journal's snapshots, newest first, damaged ones too.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Permission`] and [`Error::Io`] if the directory cannot be listed.
pub fn snapshots<S: Store>(store: &S) -> Result<Vec<u64>, Error> {
    Ok(snapshots_of(&list(store)?))
}

/// The newest snapshots that can be used, at most two: every byte of them is right, and the same program
/// and rules made them as the newest.
pub(crate) fn newest_usable<S: Store>(
    store: &S,
    manifest: &Manifest,
) -> Result<Vec<SnapshotHeader>, Error> {
    let by = |h: &SnapshotHeader| (h.image_version, h.logic_version, h.rules_id, h.rules_version);
    let mut usable: Vec<SnapshotHeader> = Vec::new();
    for seq in snapshots(store)? {
        if let Ok(header) = verify_snapshot(store, manifest, seq)
            && usable.first().is_none_or(|newest| by(newest) == by(&header))
        {
            usable.push(header);
            if usable.len() == SNAPSHOTS_KEPT {
                break;
            }
        }
    }
    Ok(usable)
}

/// Removes the snapshots that are older than the newest two which can be used: every byte of them is
/// right, and the same program and rules made them as the newest. Returns their sequences. Only whoever holds the journal's lock may call this.
///
/// # Errors
/// [`Error::Permission`] and [`Error::Io`].
pub fn drop_old_snapshots<S: Store>(store: &S, manifest: &Manifest) -> Result<Vec<u64>, Error> {
    let usable = newest_usable(store, manifest)?;
    let (mut valid, mut dropped) = (0, Vec::new());
    for seq in snapshots(store)? {
        if valid == SNAPSHOTS_KEPT {
            let name = snapshot_name(seq);
            store.remove(&name).map_err(Error::at(store, &name, "remove", 0))?;
            dropped.push(seq);
        } else if usable.iter().any(|header| header.position.seq == seq) {
            valid += 1;
        }
    }
    if !dropped.is_empty() {
        store.sync_dir().map_err(Error::at(store, "", "sync the directory", 0))?;
    }
    Ok(dropped)
}
