//! Files that somebody names: what is read has a bound, and what is written is never a book's.

use crate::error::CliError;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// The longest text that is read whole: rules and scripts are written by hand, or by a minimizer.
pub(crate) const TEXT_MAX: u64 = 64 << 20;
/// The longest line of a file that is read line by line.
pub(crate) const LINE_MAX: u64 = 1 << 16;

fn too_long(what: &str, path: &Path, max: u64) -> CliError {
    let what = format_args!("{what}: it is longer than {max} bytes").to_string();
    CliError::new(what, path.display(), "check the path: this is another kind of file")
}

/// Reads a text, if it is no longer than [`TEXT_MAX`].
pub(crate) fn text(what: &str, path: &Path) -> Result<String, CliError> {
    let wrong = |e| CliError::io(what, path, &e);
    let file = std::fs::File::open(path).map_err(wrong)?;
    let mut text = String::new();
    file.take(TEXT_MAX + 1).read_to_string(&mut text).map_err(wrong)?;
    if TEXT_MAX < text.len() as u64 { Err(too_long(what, path, TEXT_MAX)) } else { Ok(text) }
}

/// Reads the next line with its end, if it is no longer than [`LINE_MAX`]; nothing at the end.
pub(crate) fn line(
    what: &str,
    path: &Path,
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
) -> Result<usize, CliError> {
    line.clear();
    let mut reader = reader.take(LINE_MAX + 1);
    let read = reader.read_until(b'\n', line).map_err(|e| CliError::io(what, path, &e))?;
    if LINE_MAX < read as u64 { Err(too_long(what, path, LINE_MAX)) } else { Ok(read) }
}

/// A path without links and dots, also of what is not there yet.
fn plain(path: &Path) -> PathBuf {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    match (path.canonicalize(), path.file_name()) {
        (Ok(path), _) => path,
        (Err(_), Some(name)) if above != path => plain(above).join(name),
        (Err(_), _) => path.to_path_buf(),
    }
}

/// Refuses a file to be written that lies in the directory of the book, or that is there and does not
/// begin as such a file does.
pub(crate) fn may_be_written(
    option: &str,
    path: &Path,
    book: &Path,
    beginning: &str,
) -> Result<(), CliError> {
    if plain(path).starts_with(plain(book)) {
        return Err(CliError::new(
            format_args!("{option} would write into the book"),
            path.display(),
            "name a file in another directory",
        ));
    }
    let mut begins = Vec::new();
    let read = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => std::fs::File::open(path)
            .and_then(|file| file.take(beginning.len() as u64).read_to_end(&mut begins)),
        // A terminal, a pipe; or nothing yet.
        Ok(_) | Err(_) => Ok(0),
    };
    let what = "cannot read what is to be written over";
    read.map_err(|e| CliError::io(what, path, &e))?;
    // A kill may have left only a part of it, or nothing.
    if beginning.as_bytes().starts_with(&begins) {
        return Ok(());
    }
    Err(CliError::new(
        format_args!("this file is there, and {option} wrote no such file"),
        path.display(),
        "name another file, or remove this one",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_into_a_book_or_over_a_file_of_another_kind() {
        let above = tempfile::tempdir().expect("a directory for the test");
        let book = above.path().join("book");
        std::fs::create_dir(&book).expect("made");
        let said = |path: &Path| {
            may_be_written("--report", path, &book, "<html>").err().map(|e| e.to_string())
        };
        let within = "--report would write into the book";
        for path in ["MANIFEST", "archive/x", "../book/x"] {
            assert!(said(&book.join(path)).expect("refused").starts_with(within), "{path}");
        }
        std::os::unix::fs::symlink(&book, above.path().join("link")).expect("linked");
        assert!(said(&above.path().join("link/x")).expect("refused").starts_with(within));
        let page = above.path().join("page.html");
        assert_eq!(said(&page), None, "not there yet");
        for (text, refused) in [("", false), ("<html>old", false), ("my notes", true)] {
            std::fs::write(&page, text).expect("written");
            assert_eq!(said(&page).is_some(), refused, "{text}");
        }
    }

    #[test]
    fn what_never_ends_is_not_read_for_ever() {
        let path = Path::new("/dev/zero");
        let error = text("cannot read the rules", path).expect_err("it never ends").to_string();
        assert!(error.contains("it is longer than 67108864 bytes"), "{error}");
        let mut reader = std::io::BufReader::new(std::fs::File::open(path).expect("there"));
        let error = line("cannot read the lines", path, &mut reader, &mut Vec::new());
        assert!(error.expect_err("no end").to_string().contains("longer than 65536 bytes"));
    }
}
