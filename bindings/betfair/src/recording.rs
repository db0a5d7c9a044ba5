//! A recording as a file: plain or bz2, one message a line, read one line at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;

use crate::error::{Error, LineError, Reason};
use crate::message::{self, MarketChangeMessage};

/// Bytes that a line may have, its end not counted. A whole image of 40 runners, each with all 350
/// prices in three lists, is half a megabyte; the exchange splits larger images into segments.
pub const LINE_BYTES_MAX: usize = 4 << 20;

/// How far a publish time may lie ahead of the greatest before it: 366 days. Longer than any market
/// is open in a recording, and short enough that one damaged digit cannot cost billions of
/// heartbeats.
pub const LEAP_MS_MAX: i64 = 366 * 24 * 3_600_000;

/// Bytes read from the file at once.
const READ_BYTES: usize = 128 << 10;

/// How files begin that are often mistaken for recordings: where, with what, and their name.
const PACKINGS: [(usize, &[u8], &str); 4] = [
    (0, b"\x1f\x8b", "gzip"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (257, b"ustar", "tar"),
];

/// A stream recording, read from its beginning to its end, one message at a time.
pub struct Recording {
    name: String,
    source: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    lines: u64,
    newest_ms: Option<i64>,
    ended: bool,
}

impl Recording {
    /// Opens the file at `path`; whether it is bz2 is told by its first bytes, not by its name.
    ///
    /// # Errors
    /// [`Error`], when it cannot be opened, is empty, or is packed in another way.
    pub fn open(path: impl AsRef<Path>) -> Result<Recording, Error> {
        let path = path.as_ref();
        let at = |source| Error::Io { file: path.to_owned(), source };
        let mut file = BufReader::with_capacity(READ_BYTES, File::open(path).map_err(at)?);
        let head = file.fill_buf().map_err(at)?;
        if head.is_empty() {
            return Err(Error::Empty { file: path.to_owned() });
        }
        for (offset, mark, packing) in PACKINGS {
            if head.get(offset..).is_some_and(|rest| rest.starts_with(mark)) {
                return Err(Error::Packed { file: path.to_owned(), packing });
            }
        }
        let bz2 = head.starts_with(b"BZh");
        let name = path.display().to_string();
        Ok(if bz2 {
            let unpacked = BufReader::with_capacity(READ_BYTES, MultiBzDecoder::new(file));
            Recording::read(name, unpacked)
        } else {
            Recording::read(name, file)
        })
    }

    /// Reads unpacked lines from `source`; errors call it `name`.
    pub fn read(name: impl Into<String>, source: impl BufRead + Send + 'static) -> Recording {
        Recording {
            name: name.into(),
            source: Box::new(source),
            line: Vec::new(),
            lines: 0,
            newest_ms: None,
            ended: false,
        }
    }

    /// The file as it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many lines were read so far, those in error included.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The next message; `None` behind the last. Blank lines, and the stream's own `connection` and
    /// `status` messages, are passed over. After an error the reading goes on with the next line,
    /// unless [`Reason::ends_the_recording`].
    fn advance(&mut self) -> Option<Result<MarketChangeMessage, LineError>> {
        while !self.ended {
            match self.message() {
                Ok(Some(message)) => return Some(Ok(message)),
                Ok(None) => (),
                Err(reason) => {
                    self.ended |= reason.ends_the_recording();
                    return Some(Err(self.error(reason)));
                }
            }
        }
        None
    }

    /// What is wrong with the line that was read last.
    pub(crate) fn error(&self, reason: Reason) -> LineError {
        LineError { file: self.name.clone(), line: self.lines, reason }
    }

    /// What the next line says, when it says anything.
    fn message(&mut self) -> Result<Option<MarketChangeMessage>, Reason> {
        let whole = match self.read_line() {
            Ok(LineEnd::Newline) => true,
            Ok(LineEnd::EndOfFile) => false,
            Ok(LineEnd::Nothing) => {
                self.ended = true;
                return Ok(None);
            }
            Ok(LineEnd::TooLong) => return Err(Reason::TooLong { bytes_max: LINE_BYTES_MAX }),
            Err(error) => return Err(reading(&error)),
        };
        if self.line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        match message::parse(&self.line) {
            Ok(Some(message)) => self.in_time(message).map(Some),
            Ok(None) => Ok(None),
            // The grammar broke at the very end of a line that has no end: the rest is missing.
            Err(Reason::NotJson { column, .. }) if !whole && self.line.len() <= column => {
                Err(Reason::CutInsideLine { bytes: self.line.len() })
            }
            Err(reason) => Err(reason),
        }
    }

    /// Refuses a message from too far ahead. One from the past is taken as it is.
    fn in_time(&mut self, message: MarketChangeMessage) -> Result<MarketChangeMessage, Reason> {
        let to_ms = message.publish_time_ms;
        // Publish times are between 0 and the year 9999, so the difference cannot overflow.
        if let Some(from_ms) = self.newest_ms.filter(|newest| LEAP_MS_MAX < to_ms - newest) {
            return Err(Reason::TimeLeap { from_ms, to_ms });
        }
        self.newest_ms = self.newest_ms.max(Some(to_ms));
        Ok(message)
    }

    /// Reads one line into the buffer, never more than [`LINE_BYTES_MAX`] of it.
    fn read_line(&mut self) -> io::Result<LineEnd> {
        self.line.clear();
        self.lines += 1;
        // One byte more than a line may have: either its end, or the proof that it is too long.
        let bound = LINE_BYTES_MAX as u64 + 1;
        let read = (&mut self.source).take(bound).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            self.lines -= 1;
            return Ok(LineEnd::Nothing);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            return Ok(LineEnd::Newline);
        }
        if read <= LINE_BYTES_MAX {
            return Ok(LineEnd::EndOfFile);
        }
        self.skip_line()?;
        Ok(LineEnd::TooLong)
    }

    /// Passes over everything up to the line's end.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let piece = self.source.fill_buf()?;
            let (length, end) = match piece.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (piece.len(), piece.is_empty()),
            };
            self.source.consume(length);
            if end {
                return Ok(());
            }
        }
    }
}

impl Iterator for Recording {
    type Item = Result<MarketChangeMessage, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance()
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("name", &self.name).field("lines", &self.lines).finish()
    }
}

/// How a line came to its end.
enum LineEnd {
    Newline,
    EndOfFile,
    TooLong,
    /// There was no further line.
    Nothing,
}

/// Why reading broke off. The unpacker reports damage as invalid input or data, and a missing end
/// as an unexpected end of file; a plain file does neither.
fn reading(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Reason::CorruptBz2,
        io::ErrorKind::UnexpectedEof => Reason::CutBz2,
        _ => Reason::Io { what: error.to_string() },
    }
}
