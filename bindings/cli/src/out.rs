//! Standard output that a reader may close: a broken pipe is an answer, not a panic.

use crate::error::CliError;
use std::io::Write;

/// Standard output, buffered; flush it with [`Out::flush`].
pub(crate) struct Out(std::io::BufWriter<std::io::Stdout>);

impl Out {
    pub(crate) fn new() -> Out {
        Out(std::io::BufWriter::new(std::io::stdout()))
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> Result<(), CliError> {
        writeln!(self.0, "{line}").map_err(written)
    }

    /// Writes a text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CliError> {
        self.0.write_all(text.as_bytes()).map_err(written)
    }

    /// Lets the reader see everything written so far.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.0.flush().map_err(written)
    }
}

fn written(error: std::io::Error) -> CliError {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return CliError::BrokenPipe;
    }
    CliError::new(
        format_args!("cannot write the output: {error}"),
        "standard output",
        "check where the output goes: a full disk, a closed terminal",
    )
}
