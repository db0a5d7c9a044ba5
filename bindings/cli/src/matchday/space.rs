//! Whether the disk has room for a day or a bench, before it begins, and what one has taken.

use crate::error::CliError;
use std::path::{Path, PathBuf};

/// Bytes journaled for a request with everything it causes, settlement included.
pub(crate) const BYTES_A_REQUEST: u64 = 1_200;
/// What a book needs before its first bet: prepared segments.
const BYTES_AT_LEAST: u64 = 512 << 20;

/// Refuses a directory on a file system without room for `requests` of a day. What comes back is a directory
/// on the same file system that exists: it, or the nearest above it.
pub(crate) fn check(dir: &Path, requests: u64) -> Result<PathBuf, CliError> {
    check_bytes(dir, needed(requests), "this day")
}

/// The same for so many bytes of something else.
pub(crate) fn check_bytes(dir: &Path, bytes: u64, what: &str) -> Result<PathBuf, CliError> {
    let (there, free) = free(dir)?;
    enough(dir, free, bytes, what)?;
    Ok(there)
}

/// The bytes that are free where a directory is or will be, and the nearest one that is there.
pub(crate) fn free(dir: &Path) -> Result<(PathBuf, u64), CliError> {
    let absolute = std::path::absolute(dir)
        .map_err(|e| CliError::io("cannot tell where this directory is", dir, &e))?;
    let there = absolute.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(there).map_err(|error| {
        CliError::io("cannot tell how much space is free", there, &std::io::Error::from(error))
    })?;
    Ok((there.to_owned(), stat.f_bavail.saturating_mul(stat.f_frsize)))
}

/// What lies in a directory and below it, in words; what cannot be looked at counts as nothing.
pub(crate) fn taken(dir: &Path) -> String {
    format!("{} MiB", bytes(dir, 4).div_ceil(1 << 20))
}

/// A journal's directory has one below it; a few more do no harm.
fn bytes(dir: &Path, depth: u32) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() && 0 < depth => bytes(&entry.path(), depth - 1),
        Ok(found) if found.is_file() => found.len(),
        _ => 0,
    };
    entries.flatten().map(size).sum()
}

fn needed(requests: u64) -> u64 {
    requests.saturating_mul(BYTES_A_REQUEST).saturating_add(BYTES_AT_LEAST)
}

fn enough(dir: &Path, free: u64, needed: u64, what: &str) -> Result<(), CliError> {
    if needed <= free {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(CliError::new(
        format_args!("{what} needs {} MiB of space, {} MiB are free", mib(needed), free >> 20),
        dir.display(),
        "free some space, name a directory elsewhere with --dir, or ask for less: --rate, --seconds",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_does_not_fit_is_refused_before_it_begins() {
        let dir = Path::new("./book");
        let error = enough(dir, 100 << 20, needed(1_000_000), "this day").expect_err("too little");
        assert_eq!(
            error.to_string(),
            "this day needs 1657 MiB of space, 100 MiB are free\n  where: ./book\n  what to do: \
             free some space, name a directory elsewhere with --dir, or ask for less: --rate, --seconds"
        );
        assert!(enough(dir, needed(1_000_000), needed(1_000_000), "this day").is_ok());
    }

    #[test]
    fn what_a_book_takes_counts_its_archive() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        std::fs::create_dir(dir.path().join("archive")).expect("made");
        std::fs::write(dir.path().join("one"), vec![0; 1 << 20]).expect("written");
        std::fs::write(dir.path().join("archive/two"), vec![0; 1 << 20]).expect("written");
        assert_eq!(taken(dir.path()), "2 MiB");
        assert_eq!(taken(&dir.path().join("nothing")), "0 MiB");
    }

    #[test]
    fn the_space_of_a_directory_that_is_not_there_yet_is_that_of_the_one_above() {
        let above = tempfile::tempdir().expect("a directory for the test");
        let found = check(&above.path().join("not/yet"), 1).expect("there is space for a test");
        assert_eq!(found, above.path());
    }
}
