//! A journal in a directory of the file system: who may touch it, and what a commit costs it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use betring_journal::{DirStore, Error, Journal, Options, Store, StoreFile, StoreMap};

use crate::support::*;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn the_directory_and_its_files_belong_to_their_owner_alone() {
    let (dir, store) = temp_dir();
    let book = dir.path().join("book");
    let mut writer = writer(&store);
    write_frames(&mut writer, &[1]);
    assert_eq!(mode(&book), 0o700);
    let names = store.list().unwrap();
    assert_eq!(names.len(), 4, "{names:?}");
    for name in names {
        assert_eq!(mode(&book.join(&name)), 0o600, "{name}");
    }
    writer.close().unwrap();
    assert_eq!(read_all(&mut open(&store)), 1);
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let (dir, _) = temp_dir();
    let book = dir.path().join("book");
    for (bad, refused) in [(0o770, true), (0o702, true), (0o755, false), (0o700, false)] {
        std::fs::set_permissions(&book, std::fs::Permissions::from_mode(bad)).unwrap();
        match DirStore::create(&book) {
            Err(e @ Error::DirectoryOpen { .. }) => {
                assert!(refused);
                let book = book.display();
                assert_eq!(
                    e.to_string(),
                    format!(
                        "{book} can be written by others than its owner (mode {bad:04o}): chmod \
                         0700 {book}"
                    )
                );
            }
            Ok(_) => assert!(!refused),
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn a_second_writer_is_refused_until_the_first_has_gone() {
    let (_dir, store) = temp_dir();
    let first = writer(&store);
    assert!(matches!(try_open(&store), Err(Error::Locked { .. })));
    drop(first);
    assert!(try_open(&store).is_ok());
    let opened = open(&store);
    assert!(matches!(try_open(&store), Err(Error::Locked { .. })), "from opening on");
    drop(opened);
}

#[test]
fn what_is_in_the_files_is_what_was_appended() {
    let (dir, store) = temp_dir();
    let options = Options { ready_segments: 1, ..Options::small(SMALL) };
    for round in 0..3u64 {
        let opened = Journal::open(store.clone(), options.clone(), SCHEMA, &mut |_| {});
        let mut opened = opened.unwrap();
        assert_eq!(read_all(&mut opened), round * 40);
        let mut writer = begin(opened).unwrap();
        for _ in 0..20 {
            append(&mut writer, 2500).unwrap();
            append(&mut writer, 200).unwrap();
            writer.seal_and_sync().unwrap();
        }
        if round == 1 {
            drop(writer);
        } else {
            writer.close().unwrap();
        }
    }
    let other = DirStore::existing(dir.path().join("book")).unwrap();
    let report = betring_journal::verify(&other, &mut |_| {}).unwrap();
    assert!(report.is_sound() && report.records == 120, "{report}");
}

/// Bytes written so far to the device that a file lies on, if the system tells.
fn device_bytes(path: &Path) -> Option<u64> {
    let dev = std::fs::metadata(path).ok()?.dev();
    let (major, minor) = (dev >> 8 & 0xfff, dev & 0xff | dev >> 12 & 0xfff00);
    let stat = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    Some(stat.split_whitespace().nth(6)?.parse::<u64>().ok()? * 512)
}

#[test]
fn a_commit_of_one_page_writes_about_one_page_to_the_device() {
    // In the target directory, not in a temporary one, which may be in memory. A segment filled by
    // large writes would cost a megabyte a commit.
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = tempfile::tempdir_in(place).unwrap();
    if device_bytes(dir.path()).is_none() {
        println!("SKIPPED: no write counter in /sys/dev/block for {}", place.display());
        return;
    }
    const COMMITS: u64 = 20;
    let store = DirStore::create(dir.path().join("book")).unwrap();
    let options = Options::small(8 << 20);
    let mut writer =
        begin(Journal::open(store.clone(), options, SCHEMA, &mut |_| {}).unwrap()).unwrap();
    // Others write to the device too: the quietest of many short moments counts.
    let mut per_commit = u64::MAX;
    for _ in 0..90 {
        let before = device_bytes(dir.path()).unwrap();
        for _ in 0..COMMITS {
            append(&mut writer, 128).unwrap();
            writer.seal_and_sync().unwrap();
        }
        per_commit = per_commit.min((device_bytes(dir.path()).unwrap() - before) / COMMITS);
    }
    println!("{per_commit} bytes written to the device per commit of one page");
    assert!(4096 <= per_commit, "a commit reaches the device: {per_commit} bytes");
    assert!(per_commit <= 2 * 4096, "{per_commit} bytes per commit: the pages are too large");
}

#[test]
fn a_mapped_store_is_seen_by_readers_of_the_file_at_once() {
    let (_dir, store) = temp_dir();
    let mut file = store.create_new("x").unwrap();
    file.write_at(0, &[0; 8192]).unwrap();
    file.sync().unwrap();
    let mut map = file.map().unwrap();
    map.store(5000, b"here");
    let reader = store.open_read("x").unwrap();
    let mut bytes = [0; 4];
    assert_eq!(reader.read_at(5000, &mut bytes).unwrap(), 4);
    assert_eq!((&bytes, &map.bytes()[5000..5004]), (b"here", &b"here"[..]));
    map.sync_range(4096, 4096).unwrap();
    assert_eq!(reader.read_at(8190, &mut bytes).unwrap(), 2, "the file ends there");
    assert!(store.create_new("x").is_err());
}

#[test]
fn a_synced_range_has_what_was_stored_and_takes_more_whatever_its_size() {
    const PAGES: u64 = 16;
    let (_dir, store) = temp_dir();
    let mut file = store.create_new("x").unwrap();
    (0..PAGES).for_each(|page| file.write_at(page * 4096, &[0; 4096]).unwrap());
    file.sync().unwrap();
    let mut map = file.map().unwrap();
    let reader = store.open_read("x").unwrap();
    let mut expected = vec![0; PAGES as usize * 4096];
    // One page stays mapped, more are taken out of the mapping before they are synced.
    for (round, (first, pages)) in
        [(0, 1), (1, 2), (0, 4), (3, 13), (0, 16)].into_iter().enumerate()
    {
        for page in first..first + pages {
            let at = page * 4096 + 100 * round as u64;
            let bytes = payload(page + 1, 100);
            map.store(at, &bytes);
            expected[at as usize..at as usize + 100].copy_from_slice(&bytes);
        }
        map.sync_range(first * 4096, pages * 4096).unwrap();
        assert!(map.bytes() == expected, "the mapping, {pages} pages from {first}");
        let mut read = vec![0; expected.len()];
        assert_eq!(reader.read_at(0, &mut read).unwrap(), read.len());
        assert!(read == expected, "the file, {pages} pages from {first}");
    }
}

#[test]
fn what_is_no_file_is_told_and_keeps_nobody_waiting() {
    let (dir, store) = temp_dir();
    let mut writer = writer(&store);
    write_frames(&mut writer, &[1]);
    writer.close().unwrap();
    let pipe = |name: &str| {
        let place = dir.path().join("book").join(name);
        // Whoever has no such program has no such pipes.
        let made = std::process::Command::new("mkfifo").arg(place).status();
        made.is_ok_and(|status| status.success())
    };
    // A pipe with the name of a snapshot is one that cannot be used.
    if pipe("snap-00000000000000000001.snp") {
        let opened = open(&store);
        let why = opened.passed_over[0].to_string();
        assert!(why.contains("it is no file: move it away"), "{why}");
    }
    std::fs::create_dir(dir.path().join("book/seg-00000000000000000002.jnl")).unwrap();
    let error = try_open(&store).unwrap_err().to_string();
    assert!(error.contains("seg-00000000000000000002.jnl"), "{error}");
}
