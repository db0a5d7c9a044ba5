//! Looking at a journal: `verify` and `inspect`.

use betring_journal::{MemStore, inspect, verify};

use crate::support::*;

#[test]
fn a_sound_journal_is_described() {
    let store = MemStore::new();
    for _ in 0..2 {
        let mut writer = writer(&store);
        write_frames(&mut writer, &[2, 1]);
        writer.close().unwrap();
    }
    let mut frames = Vec::new();
    let seen = inspect(&store, &mut |_| {}, &mut |frame| frames.push(frame.to_string())).unwrap();
    assert!(seen.report.is_sound());
    let uuid = seen.manifest.uuid.map(|byte| format!("{byte:02x}")).concat();
    assert_eq!(
        seen.to_string(),
        format!(
            "journal {uuid}  schema 0000000000005eed\n\
             seg-00000000000000000001.jnl  no 1  epoch 1  3 records in 3 frames, sequences 1..=3, \
             16384 of 65536 bytes used, logic 1, rules 0000000000000002 v3\n\
             seg-00000000000000000004.jnl  no 2  epoch 2  3 records in 3 frames, sequences 4..=6, \
             16384 of 65536 bytes used, logic 1, rules 0000000000000002 v3\n\
             6 records (sequences 1 to 6) in 6 frames in 2 segments, 131072 bytes\n\
             every byte is right"
        )
    );
    assert_eq!(frames.len(), 6);
    assert!(
        frames[0].starts_with("frame at       4096      4096 bytes  2 records, 1..=2  epoch 1"),
        "{}",
        frames[0]
    );
    assert!(frames[2].contains("empty, covers 3"), "{}", frames[2]);
}

#[test]
fn a_record_prints_itself() {
    let store = closed_journal(&[1]);
    let mut opened = open(&store);
    assert_eq!(
        opened.next_record().unwrap().unwrap().to_string(),
        "seq 1  ts 1000  epoch 1  kind 1 v1 flags 0x00  40 bytes  at 1:4160"
    );
}

#[test]
fn verify_finds_all_damage_not_only_the_first() {
    let store = MemStore::new();
    for _ in 0..3 {
        let mut writer = writer(&store);
        write_frames(&mut writer, &[2, 2, 2, 2]);
        writer.close().unwrap();
    }
    let names = segment_files(&store);
    for (name, places) in [(&names[0], [1, 3]), (&names[1], [2, 5])] {
        let mut bytes = store.contents(name);
        for page in places {
            bytes[page * 4096 + 100] ^= 1;
        }
        store.set_contents(name, &bytes);
    }
    let report = verify(&store, &mut |_| {}).unwrap();
    let places: Vec<_> = report.problems.iter().map(|p| (p.segment, p.offset, p.seq)).collect();
    assert_eq!(places, [(1, 4160, 1), (1, 12352, 5), (9, 8256, 11), (9, 20580, 17)]);
    assert_eq!(report.records, 24 - 6, "the frames that are right are still counted");
    assert_eq!(report.last_seq, 24);
    assert!(report.to_string().ends_with("4 problems"), "the last line says how many: {report}");
    assert!(report.problems[0].to_string().contains("offset 4160, sequence 1"));
}

#[test]
fn a_living_journal_may_be_looked_at() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[2]);
    append(&mut writer, 100).unwrap();
    let before = store.contents(FIRST_SEGMENT);
    let report = verify(&store, &mut |_| {}).unwrap();
    assert!(report.is_sound());
    assert_eq!((report.records, report.torn, report.kept.unwrap().records), (2, None, 1));
    assert_eq!(
        report.to_string(),
        "2 records (sequences 1 to 2) in 1 frames in 1 segments, 65536 bytes\n\
         kept 1 records of the unsealed frame in seg-00000000000000000001.jnl at offset 8192: \
         sequences 3 to 3\n\
         every byte is right"
    );
    assert_eq!(store.contents(FIRST_SEGMENT), before, "looking changes nothing");
    writer.close().unwrap();
}

#[test]
fn a_byte_in_space_never_written_is_reported() {
    let store = closed_journal(&[1]);
    let mut bytes = store.contents(FIRST_SEGMENT);
    bytes[30_000] = 1;
    store.set_contents(FIRST_SEGMENT, &bytes);
    let report = verify(&store, &mut |_| {}).unwrap();
    assert_eq!(
        report.torn.unwrap().to_string(),
        "torn tail in seg-00000000000000000001.jnl at offset 12288, 17713 bytes, after sequence 1: \
         there are bytes where nothing was ever written"
    );
    let mut writer = writer(&store);
    write_frames(&mut writer, &[1]);
    writer.close().unwrap();
    assert!(verify(&store, &mut |_| {}).unwrap().torn.is_none(), "opening zeroed it");
    // In a segment that another one follows nothing can be torn.
    store.set_contents(FIRST_SEGMENT, &bytes);
    let report = verify(&store, &mut |_| {}).unwrap();
    assert_eq!((report.problems[0].offset, report.problems[0].seq), (30_000, 2));
}
