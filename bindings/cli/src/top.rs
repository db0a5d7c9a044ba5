//! How a running engine is, from the counters that it writes: a screen for a person on the worst night.

mod reading;
mod screen;

use crate::error::CliError;
use crate::out::Out;
use betring::counters::{self, CountersError};
use reading::Reading;
use screen::Screen;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring top ./book                    a screen, drawn anew each second, until Ctrl-C
  betring top ./book --once             two readings a second apart, and what lies between them
  betring top ./book --json --every 5   an object every 5 s, units in the names, for another program

What is wrong stands under the first line, in red on a terminal, with what to do; below, what the engine does:
rates are from one reading to the next, percentiles are of its last whole second, 'ever' is since it started.
What each line means is in docs/operating.md. It takes no lock and asks the engine nothing.
Exit status: 0 the engine ran at the last reading, 1 it had ended or gave no sign of life, 2 its counters cannot be
read. Ctrl-C ends it as any program.")]
pub(crate) struct Args {
    /// The journal's directory.
    dir: PathBuf,
    /// Show what two readings tell, and end.
    #[arg(long)]
    once: bool,
    /// Print JSON, an object a line.
    #[arg(long)]
    json: bool,
    /// Seconds from one reading to the next, 0.1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    every: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.1..=3_600.0).contains(seconds));
    let seconds = seconds.ok_or("give seconds from 0.1 to 3600, like 0.5")?;
    Ok(Duration::from_secs_f64(seconds))
}

impl From<CountersError> for CliError {
    fn from(error: CountersError) -> CliError {
        CliError::Said(error.to_string())
    }
}

/// Shows how an engine is, once or until somebody has seen enough.
pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    if !args.dir.is_dir() {
        return Err(CliError::new(
            "there is no journal here",
            args.dir.display(),
            "name the journal's directory",
        ));
    }
    let mut last = counters::read(&args.dir)?;
    let mut screen = Screen::new(&args.dir);
    let mut out = Out::new();
    let mut next = Instant::now();
    loop {
        // Of an engine that has ended nothing more comes to wait for.
        if !(args.once && last.has_ended()) {
            next = (next + args.every).max(Instant::now());
            std::thread::sleep(next.duration_since(Instant::now()));
        }
        match counters::read(&args.dir) {
            Ok(now) => {
                let reading = Reading::new(&last, &now, counters::wall());
                match args.json {
                    true => out.line(reading.to_json())?,
                    false => screen.show(&mut out, &reading)?,
                }
                out.flush()?;
                if args.once {
                    let runs = reading.runs();
                    return Ok(if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE });
                }
                last = now;
            }
            // An engine may be on its way back: whoever watches is told.
            Err(error) if !args.once && !args.json => {
                screen.say(&mut out, &error.to_string())?;
                out.flush()?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
