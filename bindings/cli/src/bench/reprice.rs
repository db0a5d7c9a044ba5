//! From a feed's message about a match to all of the match's prices in force.

use super::sheet::{Part, Sheet, percentiles, quantiles_json};
use super::{Begun, Common, Failed, Steps, needed, remove, up_to};
use crate::error::CliError;
use betring::{Layout, Level};
use betring_benches::recorder::{Count, Span, Table};
use betring_benches::reprice::{InTime, Plan, Spent, in_time, on_one_core};
use betring_pricing::derive::football::OUTCOMES;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Bytes journaled for a match that is repriced: all its prices, with an event each.
const BYTES_A_MATCH: u64 = 64 << 10;
const BYTES_AT_LEAST: u64 = 512 << 20;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Messages a second, each reprices a match; several, with commas between, are measured one after the other.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "100,1_000,4_000",
        value_parser = |text: &str| up_to(text, 100_000))]
    rate: Vec<u64>,
    /// When prices are published: durable, process.
    #[arg(long, value_name = "L", value_delimiter = ',', default_value = "process,durable",
        value_parser = level)]
    level: Vec<Level>,
    /// Seconds of a row; the first tenth is not counted.
    #[arg(long, value_name = "S", default_value_t = 3,
        value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Matches of 236 prices each.
    #[arg(long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=1_000))]
    matches: u32,
    /// Repricings on one core, as fast as it goes.
    #[arg(long, value_name = "N", default_value = "50_000",
        value_parser = |text: &str| up_to(text, 1_000_000))]
    count: u64,
    #[command(flatten)]
    common: Common,
}

fn level(text: &str) -> Result<Level, String> {
    match text.parse() {
        Ok(Level::AppliedOnlyMayVanish) => {
            Err("prices are read from the journal: write durable or process".to_owned())
        }
        Ok(level) => Ok(level),
        Err(_) => Err(format!("`{text}` is no level: write durable or process")),
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let most = args.rate.iter().max().copied().unwrap_or(0) * args.seconds;
    let needs = most.max(args.count) * BYTES_A_MATCH + BYTES_AT_LEAST;
    let begun = Begun::new(&args.common, "reprice", needs)?;
    let measured = sheet(args, &begun);
    begun.end(measured)
}

fn sheet(args: &Args, begun: &Begun<'_>) -> Result<Sheet, Failed> {
    let mut steps = Steps::new(args.level.len() * args.rate.len() + 1, args.common.is_quiet());
    let headings = [
        "published at",
        "matches",
        "prices",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "p99.99",
        "max",
        "late",
        "overtaken",
    ];
    let mut table = Table::new(headings);
    let (mut rows, mut curves) = (Vec::new(), Vec::new());
    for outputs in &args.level {
        for rate in &args.rate {
            let name = format!("{outputs}, {} matches a second", Count(*rate));
            steps.next(&name);
            let plan = Plan {
                outputs: *outputs,
                layout: Layout::Auto,
                matches: args.matches,
                rate: *rate,
                duration: Duration::from_secs(args.seconds),
            };
            let dir = begun.dir("book");
            let measured = in_time(&dir, &plan)?;
            remove(&dir)?;
            let kept = measured.kept;
            let mut cells = vec![
                outputs.to_string(),
                format!("{}/s", Count(*rate)),
                Count(measured.prices).to_string(),
            ];
            cells.extend(percentiles(&measured.latency.quantiles()));
            cells.push(format!("{:.1} %", kept.late as f64 * 100.0 / kept.sent.max(1) as f64));
            cells.push(Count(measured.overwritten).to_string());
            table.row(cells);
            curves.push((name, measured.latency.tail()));
            rows.push(to_json(&plan, &measured));
        }
    }
    steps.next("one core, as fast as it goes");
    let dir = begun.dir("book");
    let count = u32::try_from(args.count).unwrap_or(u32::MAX);
    let spent = on_one_core(&dir, args.matches, count)?;
    remove(&dir)?;
    rows.push(json!({
        "one_core": true, "count": count, "ns": spent.ns, "program_ns": spent.program_ns,
        "prices": spent.prices, "journal_bytes": spent.bytes, "syncs": spent.syncs,
    }));
    let cores = needed(Layout::Auto, begun.machine.cores);
    Ok(Sheet {
        title: "betring bench reprice".to_owned(),
        doubts: begun.doubts(cores),
        parts: vec![
            Part::Table {
                heading: format!(
                    "From a feed's message to all prices of a match in force, {} matches of {OUTCOMES} prices, {} s a row, \
                     the first tenth not counted",
                    args.matches, args.seconds
                ),
                text: table.to_string(),
            },
            Part::Table {
                heading: "One core: pricer, loop and journal".to_owned(),
                text: one_core(u64::from(count), &spent),
            },
            Part::Percentiles { heading: "From the message to the last price in force", curves },
        ],
        rows: Value::Array(rows),
        checked: vec![
            "every price is its model's, none was refused, and each journal decided again gives the same state"
                .to_owned(),
        ],
    })
}

fn one_core(count: u64, spent: &Spent) -> String {
    let each = |n: u64| (spent.ns / n.max(1)).max(1);
    format!(
        "  {} matches a second ({} each, {} of it in the program), {} prices a second ({} each); {} bytes journaled of a \
         match, {} syncs",
        Count(1_000_000_000 / each(count)),
        Span(each(count)),
        Span(spent.program_ns / count.max(1)),
        Count(1_000_000_000 / each(spent.prices)),
        Span(each(spent.prices)),
        Count(spent.bytes / count.max(1)),
        Count(spent.syncs),
    )
}

fn to_json(plan: &Plan, measured: &InTime) -> Value {
    json!({
        "level": plan.outputs.to_string(), "rate": plan.rate, "matches": plan.matches,
        "seconds": plan.duration.as_secs_f64(), "sent": measured.kept.sent,
        "late": measured.kept.late, "prices": measured.prices, "overwritten": measured.overwritten,
        "latency": quantiles_json(&measured.latency.quantiles()),
    })
}
