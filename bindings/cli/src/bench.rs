//! What the library does on this machine: measured, beside what the machine does by itself.

mod book;
mod growth;
mod journal;
mod latency;
mod recover;
mod reprice;
mod settle;
mod sheet;

use crate::error::{CliError, program};
use crate::matchday::space;
use crate::out::Out;
use betring::Layout;
use betring_benches::error::Error;
use betring_benches::machine::Machine;
use betring_benches::recorder::Count;
use sheet::{Sheet, Shown};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring bench latency                             three levels at three rates, a minute
  betring bench latency --level durable --rate 100_000 --seconds 10
  betring bench latency --mix orders --rate 10_000 --open-bets 100_000
  betring bench latency --find-knee --level durable the highest rate with a p99 of 10 ms
  betring bench latency --soak 10 --rate 20_000     ten minutes with all that interrupts
  betring bench latency --report latency.html --hgrm ./percentiles
  betring bench book                                what an order costs
  betring bench journal                             against a bare group commit
  betring bench settle --bets 1_000_000             the longest turn of the loop
  betring bench reprice                             whole matches, from a model to prices
  betring bench recover --open-bets 1_000_000       how long a start takes
  sudo chrt -f 50 betring bench latency             under a real-time scheduler, so that figures count

Everything is measured in a directory of its own below --dir, which is removed at the end. The machine is
measured first: what an engine takes is to be read beside what the machine takes without one. Where the machine
makes a figure meaningless, that is said.

Exit status: 0 measured, and the result holds; 1 the result does not hold; 2 it could not be measured; 128 and the
signal's number, interrupted.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(clap::Subcommand)]
enum Cmd {
    /// How long from the moment a request was to be sent to the moment its reply is seen, at fixed rates.
    Latency(Box<latency::Args>),
    /// What a bet takes with a thousand open bets, markets and accounts, and with ten million.
    Growth(growth::Args),
    /// What an order costs on the exchange's book, alone and as a command of the whole state.
    Book(book::Args),
    /// How much the journal writes and syncs in a second, against a bare group commit of equal bytes.
    Journal(journal::Args),
    /// How long the loop's turns are while very many bets are settled, opened again, cancelled and lapse.
    Settle(settle::Args),
    /// How long from a feed's message to all prices of its match in force.
    Reprice(reprice::Args),
    /// How long until an engine serves again, with and without a snapshot, and how much memory that takes.
    Recover(recover::Args),
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    let ended = match args.command {
        Cmd::Latency(args) => latency::run(&args),
        Cmd::Growth(args) => growth::run(&args),
        Cmd::Book(args) => book::run(&args),
        Cmd::Journal(args) => journal::run(&args),
        Cmd::Settle(args) => settle::run(&args),
        Cmd::Reprice(args) => reprice::run(&args),
        Cmd::Recover(args) => recover::run(&args),
    };
    // Whoever interrupts takes the directory away under what is measured in it, and then ends this process.
    while INTERRUPTED.load(Ordering::Acquire) {
        std::thread::park();
    }
    ended
}

/// Somebody has interrupted.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Where it is measured, and how it is shown: options of every bench.
#[derive(clap::Args)]
struct Common {
    /// Measure in a directory made below this one: on the file system that the journal is to be on.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print JSON: the machine, what is doubtful, and a row for each measurement. Times are in nanoseconds.
    #[arg(long)]
    json: bool,
    /// Write a report with plots: one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

/// A whole number of at least 1 as people write it: `100_000`.
fn number(text: &str) -> Result<u64, String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    let number = digits.parse::<u64>().map_err(|_| format!("`{text}` is not a whole number"))?;
    if number == 0 { Err("0 is too few".to_owned()) } else { Ok(number) }
}

/// The same up to so many.
fn up_to(text: &str, most: u64) -> Result<u64, String> {
    let number = number(text)?;
    if number <= most { Ok(number) } else { Err(format!("write 1 to {}", Count(most))) }
}

/// A bench that has begun: its directory, and the machine it is on.
struct Begun<'a> {
    common: &'a Common,
    scratch: tempfile::TempDir,
    machine: Machine,
    out: Out,
    shown: Shown<'a>,
}

impl<'a> Begun<'a> {
    /// Looks whether there is room for so many bytes, makes the directory, and measures the machine. Says it at once:
    /// whoever waits for figures reads it meanwhile.
    fn new(common: &'a Common, title: &str, bytes: u64) -> Result<Begun<'a>, CliError> {
        space::check_bytes(&common.dir, bytes, "this bench")?;
        let wrong = |e| CliError::write("cannot make a directory to measure in", &common.dir, &e);
        let scratch = tempfile::Builder::new().prefix("betring-bench-").tempdir_in(&common.dir);
        let scratch = scratch.map_err(wrong)?;
        remove_if_interrupted(scratch.path())?;
        // What cannot be written is known before the measuring, not after it.
        let shown = Shown::open(common.json, common.report.as_deref(), scratch.path())?;
        let mut out = Out::new();
        if !common.json {
            out.line(format_args!("betring bench {title} · in {}", scratch.path().display()))?;
            out.line(sheet::made_by())?;
            out.flush()?;
        }
        let machine = Machine::measure(scratch.path());
        if !common.json {
            for line in sheet::machine_lines(&machine) {
                out.line(line)?;
            }
            out.flush()?;
        }
        Ok(Begun { common, scratch, machine, out, shown })
    }

    /// A directory of this name that is not there yet.
    fn dir(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// What of this machine is doubtful is said before the figures; of a result that does not hold there are none.
    fn end(mut self, measured: Result<Sheet, Failed>) -> Result<ExitCode, CliError> {
        let sheet = match measured {
            Ok(sheet) => sheet,
            Err(Failed::Wrong(rule)) => {
                self.out.line(format_args!("FAIL  {rule}"))?;
                self.out.flush()?;
                return Ok(ExitCode::FAILURE);
            }
            Err(Failed::Cannot(error)) => return Err(error),
        };
        let removed = self.scratch.path().to_owned();
        self.shown.show(&sheet, &self.machine, &mut self.out)?;
        self.scratch
            .close()
            .map_err(|e| CliError::io("cannot remove what was measured in", &removed, &e))?;
        Ok(ExitCode::SUCCESS)
    }

    /// What makes figures of this machine meaningless, a sentence each; `cores` are needed for all threads.
    fn doubts(&self, cores: usize) -> Vec<String> {
        doubts(&self.machine, cores)
    }
}

/// Why there is no sheet.
enum Failed {
    /// The result does not hold.
    Wrong(String),
    Cannot(CliError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        match error {
            Error::Wrong(rule) => Failed::Wrong(rule),
            Error::Engine(_) | Error::Journal(_) | Error::File { .. } => {
                Failed::Cannot(CliError::Said(error.to_string()))
            }
        }
    }
}

impl From<CliError> for Failed {
    fn from(error: CliError) -> Failed {
        Failed::Cannot(error)
    }
}

/// Removes a measured book, so that the next one has its space.
fn remove(dir: &Path) -> Result<(), CliError> {
    std::fs::remove_dir_all(dir)
        .map_err(|e| CliError::io("cannot remove what was measured", dir, &e))
}

/// Cores that a layout needs with its sender, on a machine of so many.
fn needed(layout: Layout, cores: usize) -> usize {
    match layout {
        Layout::Inline => 1,
        Layout::OneThread => 2,
        Layout::TwoThread => 3,
        Layout::Auto if 3 <= cores => 3,
        Layout::Auto => 2,
    }
}

fn doubts(machine: &Machine, cores: usize) -> Vec<String> {
    /// One per cent of the time lost is more than a quiet machine loses.
    const LOST_PPM: u64 = 10_000;
    let mut doubts = Vec::new();
    if !matches!(machine.scheduler.as_str(), "FIFO" | "round robin") {
        let words: Vec<String> =
            std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        doubts.push(format!(
            "the scheduler is the ordinary one: only ratios count; for figures: sudo chrt -f 50 {} {}",
            program(),
            words.join(" ")
        ));
    }
    if machine.free_cores < cores {
        doubts.push(format!(
            "{} cores are free, and the engine's threads with their sender need {cores}: they wait for each other, \
             and absolute figures are meaningless",
            machine.free_cores
        ));
    }
    if LOST_PPM < machine.hiccup.lost_ppm {
        doubts.push(format!(
            "an idle thread lost {}.{:02} % of its time to others: percentiles from p99 on are theirs",
            machine.hiccup.lost_ppm / 10_000,
            machine.hiccup.lost_ppm / 100 % 100
        ));
    }
    if let Some(governor) = machine.governor.as_ref().filter(|name| *name != "performance") {
        doubts.push(format!(
            "the frequency governor is {governor}, not performance: slow rates are measured at a low clock"
        ));
    }
    if machine.is_virtual {
        doubts.push("this is a virtual machine: its cores can be taken at any moment".to_owned());
    }
    let filesystem = machine.filesystem.as_deref().unwrap_or_default();
    if filesystem.starts_with("tmpfs") || filesystem.starts_with("ramfs") {
        doubts.push(format!(
            "the file system is {filesystem}: it has no device, so durable figures are meaningless; name another with --dir"
        ));
    }
    if machine.sync.is_none() {
        doubts.push("a bare sync could not be measured: durable figures stand alone".to_owned());
    }
    doubts
}

/// Says on standard error what is being done; nobody has to be there to read it.
fn say(what: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "  {what}");
}

/// Removes what was measured in when somebody interrupts: it may be gigabytes.
fn remove_if_interrupted(dir: &Path) -> Result<(), CliError> {
    // What somebody told us to ignore (nohup) stays ignored.
    let ignored = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|n| ignored & 1 << (n - 1) == 0);
    let mut signals =
        Signals::new(heard).map_err(|e| CliError::io("cannot listen for signals", dir, &e))?;
    let dir = dir.to_owned();
    std::thread::spawn(move || {
        let Some(signal) = signals.forever().next() else { return };
        INTERRUPTED.store(true, Ordering::Release);
        // What is still running may make a file while it is being removed, or the directory again just after: it is
        // gone when it has stayed away.
        let gone = (0..100).any(|_| {
            let _ = std::fs::remove_dir_all(&dir);
            std::thread::sleep(Duration::from_millis(20));
            !dir.exists()
        });
        let removed = if gone { "removed" } else { "could not be removed" };
        say(format_args!("interrupted: {} {removed}", dir.display()));
        std::process::exit(128 + signal);
    });
    Ok(())
}

/// What is being measured, told on standard error: a line for each step.
struct Steps {
    done: u64,
    all: u64,
    is_quiet: bool,
}

impl Steps {
    fn new(all: usize, is_quiet: bool) -> Steps {
        Steps { done: 0, all: all as u64, is_quiet }
    }

    /// The next one begins.
    fn next(&mut self, what: impl std::fmt::Display) {
        self.done += 1;
        if !self.is_quiet {
            say(format_args!("{} of {}: {what}", self.done, self.all));
        }
    }

    /// The same once more.
    fn again(&self, what: impl std::fmt::Display) {
        if !self.is_quiet {
            say(format_args!("once more: {what}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them_and_have_bounds() {
        assert_eq!(number("100_000"), Ok(100_000));
        assert_eq!(number("0"), Err("0 is too few".to_owned()));
        assert_eq!(number("ten"), Err("`ten` is not a whole number".to_owned()));
        assert_eq!(up_to("61", 60), Err("write 1 to 60".to_owned()));
    }

    #[test]
    fn a_machine_says_what_makes_its_figures_meaningless() {
        let quiet = Machine {
            scheduler: "FIFO".to_owned(),
            free_cores: 3,
            governor: Some("performance".to_owned()),
            filesystem: Some("ext4 on /dev/sda".to_owned()),
            sync: Some(betring_benches::recorder::Quantiles::default()),
            ..Machine::default()
        };
        assert_eq!(doubts(&quiet, 3), [""; 0]);
        let mut busy = Machine {
            scheduler: "shared".to_owned(),
            free_cores: 2,
            is_virtual: true,
            governor: Some("powersave".to_owned()),
            filesystem: Some("tmpfs on tmpfs".to_owned()),
            sync: None,
            ..quiet
        };
        busy.hiccup.lost_ppm = 23_400;
        let said = doubts(&busy, 3);
        for (at, what) in [
            "only ratios count; for figures: sudo chrt -f 50 ",
            "2 cores are free, and the engine's threads with their sender need 3",
            "lost 2.34 % of its time",
            "the frequency governor is powersave",
            "a virtual machine",
            "durable figures are meaningless",
            "a bare sync could not be measured",
        ]
        .into_iter()
        .enumerate()
        {
            assert!(said[at].contains(what), "{said:?}");
        }
    }

    #[test]
    fn a_layout_needs_a_core_for_each_thread_and_one_for_the_sender() {
        assert_eq!(needed(Layout::Auto, 2), 2);
        assert_eq!(needed(Layout::Auto, 8), 3);
        assert_eq!(needed(Layout::TwoThread, 2), 3);
    }
}
