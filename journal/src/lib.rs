//! How bytes survive: frames, segments, group commit and recovery; knows nothing of bets.
//!
//! ```text
//!  append ─▶ open frame ─▶ mapped segment ─▶ seal, sync ─▶ durable_seq
//!              (writer)        (mmap)          (writer)       (sync)
//!                                 ▲
//!            prepared ahead: zeros, synced, mapped, present (prepare)
//! ```
//!
//! A journal is a directory ([`segment`] draws its files byte by byte) of segments, a segment a
//! sequence of frames, a frame a sequence of records ([`frame`] draws both). A record is bytes
//! with a sequence and a time.
//!
//! ```
//! use betring_journal::{EpochInfo, Journal, MemStore, Options, RecordMeta};
//!
//! let store = MemStore::new();
//! let opened = Journal::open(store.clone(), Options::small(64 << 10), 7, &mut |_| {})?;
//! let epoch = opened.next_epoch();
//! let info = EpochInfo { epoch, logic_version: 1, rules_id: 0, rules_version: 0 };
//! let mut writer = opened.begin_epoch(info)?;
//! writer.append(RecordMeta { kind: 1, ver: 1, flags: 0, seq: 1, ts: 0 }, b"a bet")?;
//! assert_eq!(writer.seal_and_sync()?, 1);
//! writer.close()?;
//!
//! let mut opened = Journal::open(store, Options::small(64 << 10), 7, &mut |_| {})?;
//! assert_eq!(opened.next_record()?.map(|record| record.payload.to_vec()), Some(b"a bet".to_vec()));
//! # Ok::<(), betring_journal::Error>(())
//! ```
//!
//! **Promises.** Process crash: nothing appended is lost. Crash of the system or power: nothing
//! that [`Writer::seal_and_sync`] returned for is lost, provided the device honours a flush. Damage
//! of the medium: detected, never silently skipped. Loss of the machine: not covered. And one
//! limit: if the very last frame is damaged and nothing was written behind it, one copy alone
//! cannot tell this from a write that never finished; an idle or closed writer covers it.

#![deny(unsafe_code)]

mod archive;
mod dir_store;
mod dump;
mod error;
pub mod frame;
mod mem_store;
#[allow(unsafe_code)]
mod mmap;
mod prepare;
mod reader;
mod recovery;
mod scan;
pub mod segment;
pub mod snapshot_file;
mod store;
mod sync;
mod witness;
mod writer;

pub use archive::{Archived, archive};
pub use dir_store::{DirFile, DirLock, DirMap, DirStore};
pub use dump::{FrameInfo, Inspection, Problem, SegmentInfo, VerifyReport, inspect, verify};
pub use error::Error;
pub use frame::{
    FRAME_BYTES_MAX, Fault, PAGE, PAYLOAD_BYTES_MAX, Record, RecordMeta, record_bytes,
};
pub use mem_store::{MemFile, MemLock, MemMap, MemStore};
pub use reader::{ReadLevel, Reader, manifest};
pub use recovery::{Accept, EpochInfo, Journal, Kept, Opened, Options, Position, Progress, Torn};
pub use segment::{FORMAT_VERSION, Manifest, SegmentHeader};
pub use snapshot_file::{
    BadSnapshot, SnapshotHeader, drop_old_snapshots, read_snapshot, snapshot_name, snapshots,
    verify_snapshot, write_snapshot,
};
pub use store::{Store, StoreFile, StoreMap};
pub use sync::Cursor;
pub use writer::{FrameSink, Stats, Writer};
