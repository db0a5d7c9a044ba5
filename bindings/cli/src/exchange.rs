//! An exchange's recording rebuilt as orders that rest in a book, and other orders that meet them.

mod market;
mod seeded;

use crate::error::CliError;
use crate::exchange::market::{Market, Report};
use crate::exchange::seeded::Seeded;
use crate::out::Out;
use betring_betfair::Recording;
use betring_core::book::{Log, Orders};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Orders of a recording that may rest at a time, over all of its markets.
const ORDERS_MAX: u32 = 1 << 20;
/// Markets of a recording.
const MARKETS_MAX: usize = 1_000;
/// Errors that are shown word by word.
const ERRORS_SHOWN_MAX: usize = 20;

#[derive(clap::Args)]
#[command(after_help = "Example: betring exchange replay horse-win.bz2 --every 20")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(clap::Subcommand)]
enum Cmd {
    /// Rebuild a recording's books from orders, message by message, and let other orders meet them.
    Replay(ReplayArgs),
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring exchange replay horse-win.bz2             is the depth of our orders that of the recording?
  betring exchange replay horse-win.bz2 --every 20  an order of ours after each 20th message
  betring exchange replay a.bz2 b.bz2 --json        the same for another program

Of each market every price's size becomes resting orders, which are placed, made smaller, cancelled and
matched one by one. After every message the depth that these orders make is compared with the recording's,
price by price: the book is built from that depth, so this shows that the book does what it is asked, not
that it knows better. Independent are the displayed prices, where the recording has them (bdatb, bdatl): they
are compared with ours, which count what the house would match between selections.

How our orders meet the recorded ones: what was recorded at a price when ours came is ahead of it, and what
comes later behind; what was traded takes from the front (half of the recorded volume, which counts both
sides); what vanishes without a trade takes from the back, so that ours does not move up for it. What ours
takes is there again at once: the recording knows nothing of it.

Exit status: 0 the depth was the same after every message, 1 it was not or a line could not be read,
2 a file could not be opened.")]
struct ReplayArgs {
    /// The recordings.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Place an order of ours after each N-th message of an open market.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    /// Where our orders' prices, sides and sizes are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON: `files`, each with its `markets` by id.
    #[arg(long)]
    json: bool,
}

/// What came of one recording. The names are those of the JSON.
#[derive(Serialize)]
struct FileReport {
    file: String,
    lines: u64,
    unread_lines: u64,
    errors: Vec<String>,
    markets: BTreeMap<String, Report>,
}

impl FileReport {
    fn is_clean(&self) -> bool {
        self.unread_lines == 0 && self.markets.values().all(Report::is_clean)
    }

    fn error(&mut self, error: String) {
        self.unread_lines += 1;
        if self.errors.len() < ERRORS_SHOWN_MAX {
            self.errors.push(error);
        }
    }
}

/// Rebuilds books from recordings.
pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    let Cmd::Replay(args) = args.command;
    for file in &args.files {
        std::fs::File::open(file)
            .map_err(|e| CliError::io("cannot open the recording", file, &e))?;
    }
    let mut out = Out::new();
    let mut reports = Vec::new();
    for file in &args.files {
        let report = replay(file, &args)?;
        if !args.json {
            tell(&report, args.every.is_some(), &mut out)?;
            out.flush()?;
        }
        reports.push(report);
    }
    let clean = reports.iter().all(FileReport::is_clean);
    if args.json {
        let text = serde_json::json!({ "files": reports });
        out.line(format_args!("{text:#}"))?;
    }
    out.flush()?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn replay(file: &std::path::Path, args: &ReplayArgs) -> Result<FileReport, CliError> {
    let recording = Recording::open(file).map_err(|error| CliError::Said(error.to_string()))?;
    let mut report = FileReport {
        file: file.display().to_string(),
        lines: 0,
        unread_lines: 0,
        errors: Vec::new(),
        markets: BTreeMap::new(),
    };
    let mut orders = Orders::with_capacity(ORDERS_MAX);
    let mut log = Log::new();
    let mut markets: BTreeMap<String, Market> = BTreeMap::new();
    let mut recording = recording;
    while let Some(message) = recording.next() {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                report.error(error.to_string());
                continue;
            }
        };
        for change in &message.changes {
            let place = format!("line {}, market {}", recording.lines(), change.market_id);
            if !markets.contains_key(&change.market_id) {
                if markets.len() == MARKETS_MAX {
                    report.error(format!("{place}: more than {MARKETS_MAX} markets"));
                    continue;
                }
                let seeded = args.every.map(|every| Seeded::new(every, args.seed));
                markets.insert(change.market_id.clone(), Market::new(seeded));
            }
            let Some(market) = markets.get_mut(&change.market_id) else { continue };
            if let Err(what) = market.take(change, &mut orders, &mut log) {
                report.error(format!("{place}: {what}"));
            }
        }
    }
    report.lines = recording.lines();
    report.markets = markets.into_iter().map(|(id, market)| (id, market.report(&orders))).collect();
    Ok(report)
}

fn tell(report: &FileReport, ours: bool, out: &mut Out) -> Result<(), CliError> {
    let FileReport { file, lines, unread_lines, .. } = report;
    out.line(format_args!("{file}: {lines} lines, {unread_lines} left out"))?;
    for (id, market) in &report.markets {
        let Report { messages, runners, winners, .. } = market;
        out.line(format_args!("  {id}: {messages} messages, {runners} runners, {winners} to win"))?;
        let Report { placed, reduced, cancelled, trades, fills, .. } = market;
        out.line(format_args!(
            "    orders     {placed} placed, {reduced} made smaller, {cancelled} cancelled; {trades} \
             trades met {fills} of them"
        ))?;
        let Report { depth_same, depth_differs, crossed, off_ladder, .. } = market;
        out.line(format_args!(
            "    depth      the same after {depth_same} messages, another after {depth_differs}; {crossed} \
             crossed, {off_ladder} off the ladder"
        ))?;
        let shown = market.shown_prices;
        if 0 < shown {
            let share = |part: u64| 100.0 * part as f64 / shown as f64;
            out.line(format_args!(
                "    displayed  {shown} best prices: {:.2} % are ours, {:.2} % with their size; without what \
                 is matched between selections {:.2} % would be",
                share(market.shown_price_is_ours),
                share(market.shown_size_is_ours),
                share(market.shown_price_is_raw),
            ))?;
        }
        if ours {
            out.line(format_args!("    ours       {}", market.ours))?;
        }
        for example in &market.examples {
            out.line(format_args!("    {example}"))?;
        }
    }
    for error in &report.errors {
        out.line(format_args!("  {error}"))?;
    }
    let shown = report.errors.len() as u64;
    if shown < report.unread_lines {
        out.line(format_args!("  and {} more", report.unread_lines - shown))?;
    }
    Ok(())
}
