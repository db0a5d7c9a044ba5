//! Whatever the bytes are, nothing panics, and every line is either read or reported.

use betring_betfair::{FeedCheck, FileCheck, Merged, Recording};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::{derby, recording};

/// Reads the bytes in every way there is.
fn read(bytes: &[u8]) {
    let messages = recording(bytes).filter(Result::is_ok).count() as u64;
    let check = FileCheck::read(recording(bytes));
    assert_eq!(check.messages, messages, "the check sees what the reader gives");
    assert!(check.unread_lines <= check.lines, "a line is left out once");
    let json = FeedCheck { files: vec![check] }.to_json();
    assert!(json.starts_with('{'), "there is always a report");
    for update in Merged::new(vec![recording(bytes)]).take(10_000) {
        drop(update);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
    }

    #[test]
    fn mutated_lines_never_panic(
        from in 0..300_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = derby::recording();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        // The first line defines the markets; without it nothing is told of them.
        let mut bytes = [lines[0], &lines[from..from + 12].concat()].concat().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            // A printable one now and then, so that the grammar often survives.
            bytes[at] = if byte < 128 { b"0123456789.,-eE[]{}\":"[usize::from(byte) % 21] } else { byte };
        }
        read(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        read(&bytes);
    }

    #[test]
    fn a_damaged_bz2_file_never_panics(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        use std::io::Write;
        let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        let text = derby::recording();
        let beginning = &text[..text.len().min(20_000)];
        packer.write_all(beginning.as_bytes()).expect("packing into memory");
        let mut bytes = packer.finish().expect("packing into memory");
        // The mark in front stays, otherwise it is plain text, which another test reads.
        let at = 4 + at.index(bytes.len() - 4);
        bytes[at] = byte;
        bytes.truncate(4 + cut.index(bytes.len() - 4));
        let folder = TempDir::new().expect("a folder can be made");
        let path = folder.path().join("damaged.bz2");
        std::fs::write(&path, &bytes).expect("a file can be written");
        let read = Recording::open(&path).expect("the mark is there");
        // Damage is noticed at a block's end, so lines of nonsense may come before.
        let last = read.last().expect("at least the damage is told");
        let reason = last.expect_err("it is the last that is told").reason;
        prop_assert!(reason.ends_the_recording(), "{}", reason);
    }
}
