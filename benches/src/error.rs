//! Why there is no figure.

use std::fmt;
use std::path::PathBuf;

/// Why a measurement came to nothing.
#[derive(Debug)]
pub enum Error {
    /// The engine says so, with its remedy.
    Engine(betring::Error),
    /// The journal says so, with its remedy.
    Journal(betring_journal::Error),
    /// A file that the system refused.
    File {
        /// What was to be done.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A check of the result failed: the figures would be of something that works otherwise.
    Wrong(String),
}

impl Error {
    /// An error if a rule of the result does not hold, said as a sentence.
    pub(crate) fn unless(holds: bool, rule: impl FnOnce() -> String) -> Result<(), Error> {
        if holds { Ok(()) } else { Err(Error::Wrong(rule())) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Engine(error) => error.fmt(f),
            Error::Journal(error) => error.fmt(f),
            Error::File { what, path, source } => {
                write!(f, "{what}: {source}\n  where: {}\n  what to do: ", path.display())?;
                f.write_str("free some space, or name a directory elsewhere")
            }
            Error::Wrong(rule) => f.write_str(rule),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Engine(error) => Some(error),
            Error::Journal(error) => Some(error),
            Error::File { source, .. } => Some(source),
            Error::Wrong(_) => None,
        }
    }
}

impl From<betring::Error> for Error {
    fn from(error: betring::Error) -> Error {
        Error::Engine(error)
    }
}

impl From<betring::NotTaken> for Error {
    fn from(why: betring::NotTaken) -> Error {
        Error::Engine(why.into())
    }
}

impl From<betring_journal::Error> for Error {
    fn from(error: betring_journal::Error) -> Error {
        Error::Journal(error)
    }
}

/// A request that the load itself built wrongly.
impl From<betring::Malformed> for Error {
    fn from(what: betring::Malformed) -> Error {
        Error::Wrong(format!("a request of the load is malformed: {what}"))
    }
}
