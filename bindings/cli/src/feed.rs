//! What feed recordings hold, market by market, before anything is built on them.

use crate::error::CliError;
use crate::out::Out;
use betring_betfair::{FeedCheck, FileCheck};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(after_help = "Example: betring feed check horse-win.bz2 tennis.jsonl --json")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(clap::Subcommand)]
enum Cmd {
    /// Read stream recordings (JSON lines, plain or .bz2) to their end and count what is in them.
    Check(CheckArgs),
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring feed check recording.bz2           a line for every market
  betring feed check a.bz2 b.jsonl --json    every field, for another program

A line that cannot be read is left out, counted, and named with its file, number and reason;
then the exit status is 1; it is 2 where a file cannot be opened.")]
struct CheckArgs {
    /// The recordings.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print JSON: `files`, each with its `markets` by id.
    #[arg(long)]
    json: bool,
}

/// Reads feed recordings.
pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    let Cmd::Check(args) = args.command;
    for file in &args.files {
        std::fs::File::open(file)
            .map_err(|e| CliError::io("cannot open the recording", file, &e))?;
    }
    let mut out = Out::new();
    let mut check = FeedCheck::default();
    let mut clean = true;
    for file in &args.files {
        let one = FileCheck::of(file);
        clean &= one.is_clean();
        if args.json {
            check.files.push(one);
        } else {
            // File by file: the first answer is there before the last file is read.
            out.line(one.to_string().trim_end())?;
            out.flush()?;
        }
    }
    if args.json {
        out.line(check.to_json())?;
    }
    out.flush()?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
