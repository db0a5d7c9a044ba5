//! Every opening for writing is an epoch, in a segment of its own.

use betring_journal::{MemStore, verify};

use crate::support::*;

#[test]
fn epochs_follow_each_other_and_the_chain_goes_through() {
    let store = MemStore::new();
    let mut total = 0;
    for epoch in 1..=5u32 {
        let mut opened = open(&store);
        assert_eq!(opened.next_epoch(), epoch);
        assert_eq!(opened.is_new, epoch == 1);
        assert_eq!(read_all(&mut opened), total);
        assert_eq!(opened.last.map(|last| last.epoch), (epoch != 1).then(|| epoch - 1));
        let mut writer = begin(opened).unwrap();
        assert_eq!((writer.epoch(), writer.next_seq()), (epoch, total + 1));
        write_frames(&mut writer, &[2, 1]);
        total += 3;
        writer.close().unwrap();
    }
    assert_eq!(segment_files(&store).len(), 5);
    let report = verify(&store, &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.records, report.first_seq, report.last_seq), (15, 1, 15));
}

#[test]
fn a_new_journal_is_durable_before_it_is_served() {
    let store = MemStore::new();
    let opened = open(&store);
    assert!(opened.is_new && store.pending_names() == 0, "the MANIFEST has its name for good");
    let uuid = opened.manifest().uuid;
    drop(opened);
    let after = store.crash(0, |_, _| false);
    assert_eq!(open(&after).manifest().uuid, uuid);
}

#[test]
fn an_epoch_without_a_record_leaves_its_place_to_the_next() {
    let store = MemStore::new();
    writer(&store).close().unwrap();
    drop(writer(&store));
    let mut opened = open(&store);
    assert!(opened.is_new, "no record was written");
    assert_eq!(opened.next_epoch(), 3);
    assert_eq!(read_all(&mut opened), 0);
    let mut writer = begin(opened).unwrap();
    write_frames(&mut writer, &[1]);
    writer.close().unwrap();
    assert_eq!(segment_files(&store), [FIRST_SEGMENT]);
    for epoch in 4..6 {
        let opened = open(&store);
        assert_eq!(opened.next_epoch(), epoch);
        begin(opened).unwrap().close().unwrap();
    }
    let opened = open(&store);
    assert_eq!(opened.last.unwrap().epoch, 3, "the epoch of the last record");
    assert_eq!(segment_files(&store).len(), 2);
}

#[test]
#[should_panic(expected = "an epoch is never used twice")]
fn an_epoch_is_never_used_twice() {
    let store = closed_journal(&[1]);
    let info =
        betring_journal::EpochInfo { epoch: 1, logic_version: 1, rules_id: 0, rules_version: 0 };
    let _ = open(&store).begin_epoch(info);
}

#[test]
fn a_missing_or_swapped_segment_is_found() {
    use betring_journal::Error;
    let store = MemStore::new();
    for _ in 0..4 {
        let mut writer = writer(&store);
        write_frames(&mut writer, &[2]);
        writer.close().unwrap();
    }
    let names = segment_files(&store);
    for (lost, name) in names.iter().enumerate().take(3) {
        let broken = store.kill();
        broken.lose(name);
        let error = try_open(&broken).unwrap_err();
        assert!(
            matches!(error, Error::SegmentMissing { seq, .. } if seq == lost as u64 * 2 + 1),
            "{error}"
        );
        let report = verify(&broken, &mut |_| {}).unwrap();
        assert_eq!(report.problems.len(), 1, "{report}");
    }
    let broken = store.kill();
    broken.set_contents(&names[1], &store.contents(&names[2]));
    assert!(matches!(try_open(&broken), Err(Error::Segment { .. })));
    // A segment of the same name from an opening that another took over.
    let fork = store.kill();
    fork.lose(&names[2]);
    fork.lose(&names[3]);
    fork.lose("WITNESS");
    let mut writer = writer(&fork);
    write_frames(&mut writer, &[1, 1]);
    writer.close().unwrap();
    let broken = store.kill();
    broken.set_contents(&names[2], &fork.contents(&names[2]));
    let error = try_open(&broken).unwrap_err();
    assert!(matches!(error, Error::Segment { segment: 7, .. }), "{error}");
}
