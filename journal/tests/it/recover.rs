//! A crash at any moment loses nothing that was durable.

use std::io::ErrorKind;

use betring_journal::{Error, Fault, Journal, MemStore, Opened, Options, Store, Writer, verify};

use crate::support::*;

/// Segments of six pages, four of them for frames with records: rotations are frequent.
fn try_open_tiny<S: Store>(store: &S) -> Result<Opened<S>, Error> {
    Journal::open(store.clone(), Options::small(24 << 10), SCHEMA, &mut |_| {})
}

/// A day in the life of a journal: three epochs, rotations, covers. Stops at the first error.
/// Returns the last sequence that was appended and the last that was reported durable.
fn day<S: Store>(store: &S) -> (u64, u64, Result<(), Error>) {
    let (mut appended, mut durable) = (0, 0);
    let mut run = || -> Result<(), Error> {
        for epoch in 0..3 {
            let mut writer = begin(try_open_tiny(store)?)?;
            let commits = if epoch == 1 { 17 } else { 3 };
            for commit in 0..commits {
                for i in 0..=commit % 3 {
                    appended = append(&mut writer, 500 * (i + 1))?;
                }
                durable = commit_of(&mut writer)?;
                if commit % 5 == 4 {
                    writer.cover()?;
                }
            }
            appended = append(&mut writer, 5000)?;
            if epoch == 2 {
                drop(writer);
            } else {
                writer.close()?;
                durable = appended;
            }
        }
        Ok(())
    };
    let result = run();
    (appended, durable, result)
}

fn commit_of<S: Store>(writer: &mut Writer<S>) -> Result<u64, Error> {
    writer.seal_and_sync()
}

/// Opens what a crash left, and checks it: a prefix with everything durable, the second opening
/// finds nothing to repair, and the journal goes on.
fn check_recovered(store: &MemStore, durable: u64, appended: u64, what: &str) {
    let report = match verify(store, &mut |_| {}) {
        Ok(report) => Some(report),
        Err(Error::NotFound { .. }) => None,
        Err(e) => panic!("{what}: {e}"),
    };
    let mut opened = try_open_tiny(store).unwrap_or_else(|e| panic!("{what}: {e}"));
    if let Some(report) = report {
        assert!(report.is_sound(), "{what}: {report}");
        assert_eq!((report.torn, report.kept), (opened.torn, opened.kept), "{what}");
    }
    let read = read_all(&mut opened);
    assert!(durable <= read && read <= appended, "{what}: {durable} <= {read} <= {appended}");
    let mut writer = begin(opened).unwrap();
    assert_eq!(writer.next_seq(), read + 1);
    append(&mut writer, 100).unwrap();
    writer.close().unwrap();
    let mut again = open(store);
    assert_eq!((again.torn, again.kept), (None, None), "{what}");
    assert_eq!(read_all(&mut again), read + 1, "{what}");
}

/// How far the day was when this many operations were done: durable, appended.
fn known_at(ops: u64, marks: &[(u64, u64, u64)]) -> (u64, u64) {
    let before = marks.iter().rev().find(|mark| mark.0 <= ops);
    let after = marks.iter().find(|mark| ops < mark.0);
    (before.map_or(0, |mark| mark.1), after.or(marks.last()).map_or(0, |mark| mark.2))
}

/// The same day without errors, noting after every commit how many operations were done.
fn marks() -> (u64, Vec<(u64, u64, u64)>) {
    let store = MemStore::new();
    let mut marks = vec![(0, 0, 0)];
    for epoch in 0..3 {
        let mut writer = begin(try_open_tiny(&store).unwrap()).unwrap();
        let commits = if epoch == 1 { 17 } else { 3 };
        let mut appended = writer.next_seq() - 1;
        for commit in 0..commits {
            for i in 0..=commit % 3 {
                appended = append(&mut writer, 500 * (i + 1)).unwrap();
            }
            let durable = writer.seal_and_sync().unwrap();
            marks.push((store.ops(), durable, appended));
            if commit % 5 == 4 {
                writer.cover().unwrap();
            }
        }
        appended = append(&mut writer, 5000).unwrap();
        let durable = marks[marks.len() - 1].1;
        if epoch == 2 {
            marks.push((store.ops(), durable, appended));
        } else {
            writer.close().unwrap();
            marks.push((store.ops(), appended, appended));
        }
    }
    (store.ops(), marks)
}

#[test]
fn a_crash_at_every_operation_keeps_what_was_durable() {
    let (ops, marks) = marks();
    assert!(250 < ops, "{ops} moments");
    for at in 0..ops {
        let store = MemStore::new();
        store.take_image_at(at);
        let (.., result) = day(&store);
        result.unwrap();
        let image = store.image();
        let (durable, appended) = known_at(at, &marks);
        check_recovered(&image.kill(), durable, appended, &format!("process killed at {at}"));
        let names = image.pending_names();
        // Whether the changes of names had reached the device, and which sectors.
        let none = image.crash((at % 2) as usize * names, |_, _| false);
        check_recovered(&none, durable, appended, &format!("power cut at {at}"));
        let all = image.crash((at + 1) as usize % 2 * names, |_, _| true);
        check_recovered(&all, durable, appended, &format!("power cut at {at}, all written"));
        for kept in [0, names] {
            let mut random = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let some = image.crash(kept, |_, _| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random.is_multiple_of(2)
            });
            check_recovered(&some, durable, appended, &format!("power cut at {at}, some written"));
        }
    }
}

#[test]
fn a_crash_during_the_repair_is_repaired_too() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[2]);
    for _ in 0..8 {
        append(&mut writer, 1500).unwrap();
    }
    drop(writer);
    // The process is killed while its last record is half stored.
    let mut bytes = store.contents(FIRST_SEGMENT);
    let end = last_non_zero(&bytes);
    bytes[end - 700..].fill(0);
    store.set_contents(FIRST_SEGMENT, &bytes);
    let ops = {
        let copy = store.kill();
        let before = copy.ops();
        let opened = open(&copy);
        assert_eq!((opened.kept.unwrap().records, opened.torn.unwrap().last_kept_seq), (7, 9));
        copy.ops() - before
    };
    for at in 0..=ops {
        let copy = store.kill();
        copy.take_image_at(copy.ops() + at);
        drop(open(&copy));
        let image = copy.image();
        check_recovered(&image.kill(), 2, 9, &format!("killed at {at} of the repair"));
        for keep in [0, 1, 2, 3] {
            let cut = image.crash(9, |_, sector| keep & (1 << (sector % 2)) != 0);
            check_recovered(&cut, 2, 9, &format!("power cut at {at} of the repair, {keep}"));
        }
    }
}

#[test]
fn an_error_at_any_call_is_reported_and_loses_nothing() {
    let mut failed = 0;
    for k in 1.. {
        let store = MemStore::new();
        store.fail_at(k, if k % 2 == 0 { ErrorKind::Other } else { ErrorKind::StorageFull });
        let (appended, durable, result) = day(&store);
        if store.calls() < k {
            result.unwrap();
            break;
        }
        if result.is_err() {
            failed += 1;
        }
        check_recovered(&store.kill(), durable, appended, &format!("call {k} failed, killed"));
        let cut = store.crash(0, |_, _| false);
        check_recovered(&cut, durable, appended, &format!("call {k} failed, power cut"));
    }
    assert!(100 < failed, "{failed} calls were failed");
}

#[test]
fn a_killed_writer_loses_no_record_and_what_is_kept_is_durable_before_it_is_served() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[2]);
    for _ in 0..5 {
        append(&mut writer, 100).unwrap();
    }
    drop(writer);
    let left = store.kill();
    let opened = open(&left);
    let kept = opened.kept.unwrap();
    assert_eq!((kept.records, kept.first_seq, kept.last_seq), (5, 3, 7));
    assert_eq!(opened.torn, None, "nothing was cut");
    drop(opened);
    // Now the power fails, and nothing that was not synced survives.
    let mut opened = open(&left.crash(0, |_, _| false));
    assert_eq!((read_all(&mut opened), opened.kept, opened.torn), (7, None, None));
}

#[test]
fn a_sealed_frame_whose_sync_failed_is_what_the_device_has_of_it() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    append(&mut writer, 100).unwrap();
    store.fail_at(store.calls() + 1, ErrorKind::Other);
    assert!(writer.seal_and_sync().is_err());
    drop(writer);
    // The power fails: it is gone. The process is killed: the page cache still has it, and takes it
    // for written. No later sync would write it, so opening asks the device: it is gone as well.
    assert_eq!(open(&store.crash(0, |_, _| false)).last, None);
    assert_eq!(open(&store.kill()).last, None);
}

#[test]
fn a_torn_frame_is_cut_at_its_first_bad_record() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[1]);
    for _ in 0..6 {
        append(&mut writer, 2000).unwrap();
    }
    writer.seal_and_sync().unwrap();
    drop(writer);
    let good = store.contents(FIRST_SEGMENT);
    // The second frame begins on page 2; its records are 2032 bytes each.
    for bad in 0..6 {
        let mut bytes = good.clone();
        let record = 2 * 4096 + 64 + bad * 2032;
        bytes[record + 1000..record + 1100].fill(0);
        let torn = store.kill();
        torn.set_contents(FIRST_SEGMENT, &bytes);
        let mut opened = open(&torn);
        let cut = opened.torn.unwrap();
        assert_eq!(cut.offset, if bad == 0 { 2 * 4096 } else { record as u64 });
        assert_eq!((cut.last_kept_seq, cut.fault), (1 + bad as u64, Fault::RecordCrc));
        assert_eq!(opened.kept.map_or(0, |kept| kept.records), bad as u32);
        assert_eq!(read_all(&mut opened), 1 + bad as u64);
        drop(opened);
        check_recovered(&torn, 1 + bad as u64, 1 + bad as u64, "repaired");
    }
}

#[test]
fn opening_reports_its_progress() {
    let store = MemStore::new();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[9; 40]);
    writer.close().unwrap();
    let mut seen = Vec::new();
    let options = Options::small(SMALL);
    Journal::open(store, options, SCHEMA, &mut |p| seen.push(p)).unwrap();
    let last = seen.last().unwrap();
    assert_eq!((last.segment, last.segments, last.records), (3, 3, 360));
    assert_eq!((last.bytes_done, last.bytes_total), (3 * SMALL, 3 * SMALL));
    assert!(seen.windows(2).all(|pair| pair[0].bytes_done <= pair[1].bytes_done));
}
