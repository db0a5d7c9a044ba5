//! Recordings as files: plain, packed, damaged, and things that are no recordings.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use betring_betfair::{FileCheck, Recording};
use bzip2::Compression;
use bzip2::write::BzEncoder;
use tempfile::TempDir;

use crate::derby;

/// A folder of its own for one test.
fn folder() -> TempDir {
    TempDir::new().expect("a folder can be made")
}

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("a file can be written");
    path
}

fn packed(text: &str) -> Vec<u8> {
    let mut packer = BzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text.as_bytes()).expect("packing into memory");
    packer.finish().expect("packing into memory")
}

/// Why the file cannot be opened, its folder left out.
#[track_caller]
fn refused(path: &Path) -> String {
    let error = Recording::open(path).map(|_| ()).expect_err("it is refused");
    error.to_string().replace(&format!("{}/", path.parent().expect("a folder").display()), "")
}

#[test]
fn a_bz2_recording_is_known_by_its_bytes_not_by_its_name() {
    let folder = folder();
    let text = derby::recording();
    let plain = FileCheck::of(file(&folder, "plain.bz2", text.as_bytes()));
    let packed = FileCheck::of(file(&folder, "packed.jsonl", &packed(&text)));
    assert!(plain.is_clean(), "{plain}");
    assert!(packed.is_clean(), "{packed}");
    assert_eq!(plain.markets, packed.markets);
    assert_eq!(plain.markets.len(), 3);
}

#[test]
fn bz2_files_set_one_behind_the_other_are_one_recording() {
    let folder = folder();
    let text = derby::recording();
    let twice = [packed(&text), packed(&text)].concat();
    let check = FileCheck::of(file(&folder, "twice.bz2", &twice));
    assert!(check.is_clean(), "{check}");
    assert_eq!(check.lines, 2 * text.lines().count() as u64);
}

#[test]
fn a_corrupt_bz2_recording_is_reported_where_it_breaks() {
    let folder = folder();
    let text = derby::recording();
    let mut bytes = packed(&text);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    let check = FileCheck::of(file(&folder, "broken.bz2", &bytes));
    let path = folder.path().join("broken.bz2").display().to_string();
    assert_eq!(
        check.errors[0],
        format!(
            "{path}, line {}: the bz2 data is corrupt here; all lines before it are read, fetch the \
             file again",
            check.lines
        )
    );
    assert_eq!(check.unread_by_reason.get("corrupt bz2"), Some(&1));
    assert_eq!(check.unread_lines, 1);
}

#[test]
fn a_cut_bz2_recording_is_reported_and_its_beginning_is_read() {
    let folder = folder();
    // Two packed files, so that the first is whole when the second is cut.
    let text = derby::recording();
    let mut bytes = [packed(&text), packed(&text)].concat();
    bytes.truncate(bytes.len() - 20);
    let check = FileCheck::of(file(&folder, "cut.bz2", &bytes));
    let path = folder.path().join("cut.bz2").display().to_string();
    let lines = text.lines().count();
    assert_eq!(check.messages, lines as u64);
    assert_eq!(
        check.errors,
        [format!(
            "{path}, line {}: the bz2 file was cut here; all lines before it are read, fetch the \
             file again",
            lines + 1
        )]
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    assert_eq!(
        refused(&folder().path().join("none.bz2")),
        "none.bz2: cannot be read: No such file or directory (os error 2); name a stream recording, \
         plain or .bz2"
    );
}

#[test]
fn a_folder_is_no_recording() {
    let folder = folder();
    fs::create_dir(folder.path().join("inner")).expect("a folder can be made");
    assert_eq!(
        refused(&folder.path().join("inner")),
        "inner: cannot be read: Is a directory (os error 21); name a stream recording, plain or .bz2"
    );
}

#[test]
fn an_empty_file_is_no_recording() {
    let folder = folder();
    assert_eq!(
        refused(&file(&folder, "empty.jsonl", b"")),
        "empty.jsonl: the file is empty; a stream recording has one message a line"
    );
    let check = FileCheck::of(folder.path().join("empty.jsonl"));
    assert!(!check.is_clean(), "the check says it too");
}

#[test]
fn other_packings_are_named() {
    let folder = folder();
    let mut tar = vec![b'a'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    let cases: [(&str, &[u8]); 4] = [
        ("gzip", b"\x1f\x8b\x08\x00"),
        ("zip", b"PK\x03\x04\x14"),
        ("zstd", b"\x28\xb5\x2f\xfd\x00"),
        ("tar", &tar),
    ];
    for (packing, bytes) in cases {
        assert_eq!(
            refused(&file(&folder, "odd", bytes)),
            format!("odd: this is a {packing} file; unpack it first, only plain and .bz2 are read")
        );
    }
}
