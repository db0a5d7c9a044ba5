//! A process whose memory is locked, as operators of low latency do it, keeps its journal. In a process of its own, since
//! all of its memory is locked.

use betring_journal::{DirStore, EpochInfo, Journal, Options, ReadLevel, Reader, RecordMeta};
use rustix::mm::{MlockAllFlags, mlockall, munlockall};

#[test]
fn frames_of_many_pages_are_committed_in_locked_memory() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirStore::create(dir.path().join("book")).unwrap();
    if let Err(e) = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        println!("SKIPPED: memory may not be locked here: {e}");
        return;
    }
    let options = Options::small(1 << 20);
    let opened = Journal::open(store.clone(), options, 1, &mut |_| {}).unwrap();
    let epoch = opened.next_epoch();
    let info = EpochInfo { epoch, logic_version: 1, rules_id: 0, rules_version: 0 };
    let mut writer = opened.begin_epoch(info).unwrap();
    for seq in 1..=300 {
        writer.append(RecordMeta { kind: 1, ver: 1, flags: 0, seq, ts: 1 }, &[7; 400]).unwrap();
        if seq % 100 == 0 {
            assert!(2 * 4096 < writer.unsynced_bytes(), "a frame of many pages");
            assert_eq!(writer.seal_and_sync().unwrap(), seq);
        }
    }
    writer.close().unwrap();
    munlockall().unwrap();
    let mut reader = Reader::open(store, 1, ReadLevel::Complete).unwrap();
    let mut read = 0;
    while let Some(record) = reader.next().unwrap() {
        assert_eq!(record.payload, [7; 400]);
        read += 1;
    }
    assert_eq!(read, 300);
}
