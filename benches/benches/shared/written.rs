//! A journal in a directory, to append to; what was written is read back.

use betring_journal::{DirStore, EpochInfo, Journal, Options, RecordMeta, Writer};
use std::path::Path;

pub(super) struct Written {
    pub(super) writer: Writer<DirStore>,
    seq: u64,
}

impl Written {
    pub(super) fn open(dir: &Path) -> Written {
        let options = Options { segment_bytes: 16 << 20, ..Options::default() };
        let store = DirStore::create(dir).expect("a directory of the bench's own");
        let opened = Journal::open(store, options, 1, &mut |_| {}).expect("a fresh journal");
        let info = EpochInfo { epoch: 1, logic_version: 1, rules_id: 0, rules_version: 0 };
        Written { writer: opened.begin_epoch(info).expect("the first epoch"), seq: 0 }
    }

    pub(super) fn append(&mut self, payload: &[u8]) {
        self.seq += 1;
        let meta = RecordMeta { kind: 67, ver: 1, flags: 0, seq: self.seq, ts: self.seq as i64 };
        self.writer.append(meta, payload).expect("there is room for it");
    }

    /// What was fast is there: every record, in order, as it was given. How many they are.
    pub(super) fn read_back(self, dir: &Path, payload: &[u8]) -> u64 {
        let written = self.seq;
        self.writer.close().expect("closed");
        let store = DirStore::existing(dir).expect("the journal");
        let mut opened = Journal::open(store, Options::default(), 1, &mut |_| {}).expect("its end");
        let mut read = 0;
        while let Some(record) = opened.next_record().expect("whole") {
            read += 1;
            assert!(
                record.payload == payload && record.meta.seq == read,
                "record {read} is itself"
            );
        }
        assert_eq!(read, written, "every record is there");
        read
    }
}
