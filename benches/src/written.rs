//! A journal in a directory, to append to; what was written is read back.

use betring_journal::{
    DirStore, EpochInfo, Error, Journal, Options, RecordMeta, Writer, record_bytes,
};
use std::path::Path;

pub(super) struct Written {
    writer: Writer<DirStore>,
    seq: u64,
}

impl Written {
    pub(super) fn open(dir: &Path) -> Result<Written, Error> {
        let options = Options { segment_bytes: 16 << 20, ..Options::default() };
        let opened = Journal::open(DirStore::create(dir)?, options, 1, &mut |_| {})?;
        let info = EpochInfo { epoch: 1, logic_version: 1, rules_id: 0, rules_version: 0 };
        Ok(Written { writer: opened.begin_epoch(info)?, seq: 0 })
    }

    pub(super) fn append(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.seq += 1;
        let meta = RecordMeta { kind: 67, ver: 1, flags: 0, seq: self.seq, ts: self.seq as i64 };
        self.writer.append(meta, payload)
    }

    /// As the engine asks before every record: near the end of a segment a frame is smaller.
    #[allow(dead_code)] // not everybody who shares this file fills segments
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        !self.writer.has_open_frame() || record_bytes(bytes) <= self.writer.room()
    }

    /// Ends the frame; the device has it.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.writer.seal_and_sync().map(drop)
    }

    /// What was fast is there: how many records, in order and as they were given, until one is not.
    pub(super) fn read_back(self, dir: &Path, payload: &[u8]) -> Result<u64, Error> {
        self.writer.close()?;
        let store = DirStore::existing(dir)?;
        let mut opened = Journal::open(store, Options::default(), 1, &mut |_| {})?;
        let mut read = 0;
        while let Some(record) = opened.next_record()?
            && record.payload == payload
            && record.meta.seq == read + 1
        {
            read += 1;
        }
        Ok(read)
    }
}
