//! What can be wrong with a recording: the whole file, or one line of it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a recording cannot be read at all.
#[derive(Debug)]
pub enum Error {
    /// The file could not be opened or read.
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no byte.
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// The file is packed in a way that is not read here.
    Packed {
        /// The file.
        file: PathBuf,
        /// The name of the packing.
        packing: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { file, source } => write!(
                f,
                "{}: cannot be read: {source}; name a stream recording, plain or .bz2",
                file.display()
            ),
            Error::Empty { file } => write!(
                f,
                "{}: the file is empty; a stream recording has one message a line",
                file.display()
            ),
            Error::Packed { file, packing } => write!(
                f,
                "{}: this is a {packing} file; unpack it first, only plain and .bz2 are read",
                file.display()
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Empty { .. } | Error::Packed { .. } => None,
        }
    }
}

/// A line that was left out, and why. Everything before it and behind it is read all the same,
/// unless the reason says that the file could not be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The recording's name, as it was opened.
    pub file: String,
    /// Number of the line in the unpacked file; the first is 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.file, self.line, self.reason)
    }
}

impl std::error::Error for LineError {}

/// Why one line was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The line does not follow JSON's grammar.
    NotJson {
        /// What the grammar would have wanted.
        what: String,
        /// The byte where it went wrong, the first is 1.
        column: usize,
    },
    /// The file's last line has no end: the recording was cut there.
    CutInsideLine {
        /// Bytes of the line that are there.
        bytes: usize,
    },
    /// JSON, but not what a market change message looks like.
    WrongShape {
        /// What was found and what belongs there.
        what: String,
        /// The byte where it was noticed, the first is 1; 0 where it concerns the whole line.
        column: usize,
    },
    /// A message of a kind that a market recording does not hold.
    UnknownOp {
        /// The `op` it names.
        op: String,
    },
    /// The line is longer than any line may be.
    TooLong {
        /// The bound, in bytes.
        bytes_max: usize,
    },
    /// The market data would need more room than is given to it.
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        bound: usize,
    },
    /// The publish time lies further ahead of the line before than any recording is long.
    TimeLeap {
        /// The publish time of the message before it, in milliseconds since 1970.
        from_ms: i64,
        /// The publish time of this line, in milliseconds since 1970.
        to_ms: i64,
    },
    /// The compressed data is damaged; nothing behind this point can be read.
    CorruptBz2,
    /// The compressed file ends before its end mark; nothing behind this point is there.
    CutBz2,
    /// The system could not read on.
    Io {
        /// What the system said.
        what: String,
    },
}

/// What can be wrong with a line, as far as it is counted: by feed and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ErrorKind {
    /// It does not follow JSON's grammar.
    NotJson = 1,
    /// The recording was cut inside it.
    CutInsideLine = 2,
    /// JSON of another shape.
    WrongShape = 3,
    /// A message of a kind that a recording does not hold.
    UnknownOp = 4,
    /// Longer than any line.
    TooLong = 5,
    /// More than there is room for.
    TooMany = 6,
    /// A publish time far ahead.
    TimeLeap = 7,
    /// Compressed data that is damaged.
    CorruptBz2 = 8,
    /// Compressed data without its end.
    CutBz2 = 9,
    /// The system could not read on.
    Io = 10,
}

impl ErrorKind {
    /// Every one.
    pub const ALL: &'static [ErrorKind] = &[
        ErrorKind::NotJson,
        ErrorKind::CutInsideLine,
        ErrorKind::WrongShape,
        ErrorKind::UnknownOp,
        ErrorKind::TooLong,
        ErrorKind::TooMany,
        ErrorKind::TimeLeap,
        ErrorKind::CorruptBz2,
        ErrorKind::CutBz2,
        ErrorKind::Io,
    ];

    /// The name that counters have: lower case, with underscores.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorKind::NotJson => "not_json",
            ErrorKind::CutInsideLine => "cut_inside_line",
            ErrorKind::WrongShape => "wrong_shape",
            ErrorKind::UnknownOp => "unknown_op",
            ErrorKind::TooLong => "too_long",
            ErrorKind::TooMany => "too_many",
            ErrorKind::TimeLeap => "time_leap",
            ErrorKind::CorruptBz2 => "corrupt_bz2",
            ErrorKind::CutBz2 => "cut_bz2",
            ErrorKind::Io => "io",
        }
    }

    /// The same in two or three words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            ErrorKind::NotJson => "not JSON",
            ErrorKind::CutInsideLine => "cut inside a line",
            ErrorKind::WrongShape => "wrong shape",
            ErrorKind::UnknownOp => "unknown op",
            ErrorKind::TooLong => "line too long",
            ErrorKind::TooMany => "too many entries",
            ErrorKind::TimeLeap => "leap in time",
            ErrorKind::CorruptBz2 => "corrupt bz2",
            ErrorKind::CutBz2 => "cut bz2",
            ErrorKind::Io => "cannot be read",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl LineError {
    /// What is wrong, as one of a closed list: for counting, by feed and kind.
    pub const fn kind(&self) -> ErrorKind {
        self.reason.kind()
    }
}

impl Reason {
    /// The kind that it is counted as.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Reason::NotJson { .. } => ErrorKind::NotJson,
            Reason::CutInsideLine { .. } => ErrorKind::CutInsideLine,
            Reason::WrongShape { .. } => ErrorKind::WrongShape,
            Reason::UnknownOp { .. } => ErrorKind::UnknownOp,
            Reason::TooLong { .. } => ErrorKind::TooLong,
            Reason::TooMany { .. } => ErrorKind::TooMany,
            Reason::TimeLeap { .. } => ErrorKind::TimeLeap,
            Reason::CorruptBz2 => ErrorKind::CorruptBz2,
            Reason::CutBz2 => ErrorKind::CutBz2,
            Reason::Io { .. } => ErrorKind::Io,
        }
    }

    /// Whether nothing behind this line can be read.
    pub const fn ends_the_recording(&self) -> bool {
        match self {
            Reason::CutInsideLine { .. }
            | Reason::CorruptBz2
            | Reason::CutBz2
            | Reason::Io { .. } => true,
            Reason::NotJson { .. }
            | Reason::WrongShape { .. }
            | Reason::UnknownOp { .. }
            | Reason::TooLong { .. }
            | Reason::TooMany { .. }
            | Reason::TimeLeap { .. } => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotJson { what, column } => {
                write!(f, "not JSON: {what} at column {column}; the line is left out")
            }
            Reason::CutInsideLine { bytes } => write!(
                f,
                "the recording was cut inside this line, after {bytes} bytes; all lines before it are read"
            ),
            Reason::WrongShape { what, column: 0 } => {
                write!(f, "not a market change message: {what}; the line is left out")
            }
            Reason::WrongShape { what, column } => write!(
                f,
                "not a market change message: {what} at column {column}; the line is left out"
            ),
            Reason::UnknownOp { op } => write!(
                f,
                "op {op} is not a market change (mcm); the line is left out, record a market subscription"
            ),
            Reason::TooLong { bytes_max } => {
                write!(f, "longer than {bytes_max} bytes; the line is left out")
            }
            Reason::TooMany { what, bound } => {
                write!(f, "more than {bound} {what}; the line is left out")
            }
            Reason::TimeLeap { from_ms, to_ms } => write!(
                f,
                "the publish time leaps from {from_ms} to {to_ms}, more than a year; the line is left out"
            ),
            Reason::CorruptBz2 => f.write_str(
                "the bz2 data is corrupt here; all lines before it are read, fetch the file again",
            ),
            Reason::CutBz2 => f.write_str(
                "the bz2 file was cut here; all lines before it are read, fetch the file again",
            ),
            Reason::Io { what } => {
                write!(f, "cannot be read on: {what}; all lines before it are read")
            }
        }
    }
}
