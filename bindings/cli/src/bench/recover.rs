//! Recovery: how long until an engine serves again, with and without a snapshot, and how much memory that takes.

use super::sheet::{Part, Sheet};
use super::{Begun, Common, Failed, say, up_to};
use crate::error::CliError;
use crate::out::Out;
use betring_benches::error::Error;
use betring_benches::recorder::{Count, Table};
use betring_benches::recover::{self, OPEN_MAX, Opened, Plan, Run};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Bytes journaled for a command, and of both snapshots for an open bet.
const BYTES_A_COMMAND: u64 = 700;
const BYTES_AN_OPEN_BET: u64 = 1_000;
const BYTES_AT_LEAST: u64 = 512 << 20;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Bets that are open when the engine stopped.
    #[arg(long, value_name = "N", default_value = "1_000_000",
        value_parser = |text: &str| up_to(text, OPEN_MAX))]
    open_bets: u64,
    /// Commands of the journal; those of the open bets come first [default: an eighth of them more than they take].
    #[arg(long, value_name = "N", value_parser = |text: &str| up_to(text, 100_000_000))]
    commands: Option<u64>,
    /// This is the process that opens it.
    #[arg(long, hide = true, value_name = "BOOK")]
    opens: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Args {
    fn plan(&self) -> Plan {
        let usual = Plan::least_commands(self.open_bets) + self.open_bets / 8;
        let commands = self.commands.unwrap_or(usual);
        Plan { commands, open_bets: self.open_bets }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let plan = args.plan();
    if let Some(book) = &args.opens {
        let opened = recover::open(book, &plan).map_err(|e| CliError::Said(e.to_string()))?;
        let mut out = Out::new();
        out.line(opened)?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let least = Plan::least_commands(plan.open_bets);
    if plan.commands < least {
        return Err(CliError::new(
            format_args!("{} open bets take at least {least} commands", plan.open_bets),
            "the options of this bench",
            "ask for more --commands, or for less --open-bets",
        ));
    }
    let needs = plan.commands * BYTES_A_COMMAND + plan.open_bets * BYTES_AN_OPEN_BET;
    let begun = Begun::new(&args.common, "recover", BYTES_AT_LEAST + needs)?;
    let is_quiet = args.common.is_quiet();
    let mut tell = |what: &str| {
        if !is_quiet {
            say(format_args!("{what} ..."));
        }
    };
    let mut open = |book: &Path| in_a_process(book, &plan);
    let ended = recover::run(begun.scratch.path(), &plan, &mut open, &mut tell);
    let measured = ended.map_err(Failed::from).map(|run| sheet(&begun, &run));
    begun.end(measured)
}

/// Opens the journal in a process of its own, so that the peak of memory is its own.
fn in_a_process(book: &Path, plan: &Plan) -> Result<Opened, Error> {
    let failed = |source| Error::File {
        what: "cannot run the program once more, to open the journal",
        path: book.to_owned(),
        source,
    };
    let output = std::env::current_exe().and_then(|program| {
        Command::new(program)
            .args(["bench", "recover", "--open-bets", &plan.open_bets.to_string()])
            .args(["--commands", &plan.commands.to_string(), "--opens"])
            .arg(book)
            .output()
    });
    let output = output.map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Error::Wrong(format!("the journal was not opened: {}", said.trim())));
    }
    String::from_utf8_lossy(&output.stdout).parse().map_err(Error::Wrong)
}

fn sheet(begun: &Begun<'_>, run: &Run) -> Sheet {
    let headings = [
        "opened",
        "serves after",
        "bytes checked",
        "processor",
        "decided again",
        "a second",
        "memory, peak",
    ];
    let mut table = Table::new(headings);
    for (how, opened) in &run.opened {
        let rate = match opened.replayed_per_s {
            rate if 0.0 < rate => Count(rate as u64).to_string(),
            _ => "too few to say".to_owned(),
        };
        table.row([
            (*how).to_owned(),
            format!("{:.2} s", opened.took.as_secs_f64()),
            format!("{:.2} s", opened.checked.as_secs_f64()),
            format!("{:.2} s", opened.processor_s),
            Count(opened.replayed).to_string(),
            rate,
            format!("{} MiB", Count(opened.peak_mib.1)),
        ]);
    }
    let journaled = &run.journaled;
    let made = format!(
        "  {} commands, {} bets of which {} stay open, {} keys live, {} MiB of records, written in {:.1} s\n  {}\n",
        Count(journaled.seq),
        Count(journaled.bets),
        Count(journaled.standing),
        Count(journaled.keys),
        Count(journaled.bytes >> 20),
        journaled.took.as_secs_f64(),
        journaled.snapshots.join("\n  ")
    );
    let row = |(how, opened): &(&str, Opened)| {
        json!({
            "opened": how, "serves_after_s": opened.took.as_secs_f64(),
            "checked_after_s": opened.checked.as_secs_f64(), "processor_s": opened.processor_s,
            "decided_again": opened.replayed, "decided_again_per_s": opened.replayed_per_s,
            "peak_mib": opened.peak_mib.1, "commands": journaled.seq, "bets": journaled.bets,
            "open_bets": journaled.standing, "live_keys": journaled.keys, "bytes": journaled.bytes,
        })
    };
    let bar = |(how, opened): &(&str, Opened)| {
        let seconds = opened.took.as_secs_f64();
        ((*how).to_owned(), seconds, format!("{seconds:.2} s"))
    };
    Sheet {
        title: "betring bench recover".to_owned(),
        doubts: begun.doubts(1),
        parts: vec![
            Part::Table { heading: "The journal".to_owned(), text: made },
            Part::Table {
                heading: "From the start of opening until the engine serves, each in a process of its own".to_owned(),
                text: table.to_string(),
            },
            Part::Bars {
                heading: "Until it serves",
                text: "From the start of opening, by what is there to begin with.",
                bars: run.opened.iter().map(bar).collect(),
            },
        ],
        rows: run.opened.iter().map(row).collect::<Value>(),
        checked: vec![format!(
            "each opening came to state {}, which is sound",
            journaled.digest
        )],
    }
}
