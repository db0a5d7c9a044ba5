//! What can go wrong with a command of the program: what, where, and what to do.

use std::path::Path;

/// A command that could not be carried out. Its text says what, where, and what to do.
#[derive(Debug)]
pub(crate) enum CliError {
    /// Standard output was closed by its reader.
    BrokenPipe,
    /// What happened, where, and what to do, as one text.
    Said(String),
}

impl CliError {
    /// What happened, where it did, and what to do about it.
    pub(crate) fn new(
        what: impl std::fmt::Display,
        place: impl std::fmt::Display,
        remedy: impl std::fmt::Display,
    ) -> CliError {
        CliError::Said(format!("{what}\n  where: {place}\n  what to do: {remedy}"))
    }

    /// A file or directory that the system refused.
    pub(crate) fn io(what: &str, path: &Path, error: &std::io::Error) -> CliError {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path: nothing has this name",
            std::io::ErrorKind::PermissionDenied => "run as a user who may read it",
            std::io::ErrorKind::StorageFull => "free some space, or name another directory",
            _ => "see the system's message above",
        };
        CliError::new(format_args!("{what}: {error}"), path.display(), remedy)
    }

    /// A file that is to be written and that the system refused.
    pub(crate) fn write(what: &str, path: &Path, error: &std::io::Error) -> CliError {
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        match above.filter(|above| !above.exists()) {
            Some(above) => CliError::new(
                format_args!("{what}: the directory {} does not exist", above.display()),
                path.display(),
                "create the directory, or name a file in another",
            ),
            None if error.kind() == std::io::ErrorKind::PermissionDenied => CliError::new(
                format_args!("{what}: {error}"),
                path.display(),
                "run as a user who may write it, or name another file",
            ),
            None => CliError::io(what, path, error),
        }
    }

    /// Whether only the reader of our output went away.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, CliError::BrokenPipe)
    }
}

/// This program as it was called, for commands to copy: `cargo run` leaves it off the path.
pub(crate) fn program() -> String {
    let called = std::env::args_os().next().filter(|name| !name.is_empty());
    called.map_or_else(|| "betring".to_owned(), |name| name.to_string_lossy().into_owned())
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CliError::BrokenPipe => f.write_str("the reader of the output went away"),
            CliError::Said(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for CliError {}

/// What the journal says has its place and its remedy already.
impl From<betring_journal::Error> for CliError {
    fn from(error: betring_journal::Error) -> CliError {
        CliError::Said(error.to_string())
    }
}
