//! What an order costs: the book alone, with exposure and events, as a command of the whole state.

use super::sheet::{Part, Sheet};
use super::{Begun, Common, Failed, Steps, up_to};
use crate::error::CliError;
use betring_benches::book::{Plan, Row, cancels_of_a_level, run as measure};
use betring_benches::recorder::{Count, Table};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Orders that rest at first; several, with commas between, are measured one after the other.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1_000,100_000",
        value_parser = |text: &str| up_to(text, 1_000_000))]
    live: Vec<u64>,
    /// Orders of the stream: 53 of a hundred rest, 35 are cancels, 12 meet others.
    #[arg(long, value_name = "N", default_value = "2_000_000",
        value_parser = |text: &str| up_to(text, 10_000_000))]
    orders: u64,
    /// How often it is played.
    #[arg(long, value_name = "N", default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
    /// Orders of the one level in which cancels are measured.
    #[arg(long, value_name = "N", default_value = "1_000_000",
        value_parser = |text: &str| up_to(text, 10_000_000))]
    level: u64,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    // Nothing is written but what the machine is measured with.
    let begun = Begun::new(&args.common, "book", 1 << 20)?;
    let measured = sheet(args, &begun);
    begun.end(measured)
}

fn sheet(args: &Args, begun: &Begun<'_>) -> Result<Sheet, Failed> {
    let mut steps = Steps::new(args.live.len() + 1, args.common.is_quiet());
    let headings = ["", "at first", "orders", "least", "median", "runs", "what came out"];
    let mut table = Table::new(headings);
    let (mut rows, mut bars) = (Vec::new(), Vec::new());
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    for live in &args.live {
        steps.next(format_args!("{} orders at first", Count(*live)));
        let plan = Plan { live: size(*live), ops: size(args.orders), times: args.times as usize };
        for row in measure(&plan, &mut |_| {})? {
            table.row([
                row.what.to_owned(),
                Count(*live).to_string(),
                Count(row.ops as u64).to_string(),
                format!("{:.1} ns", row.least_ns),
                format!("{:.1} ns", row.median_ns),
                row.runs.to_string(),
                format!(
                    "{} {}, {} matched, {} rest",
                    Count(row.counted),
                    row.counts,
                    Count(row.stake),
                    Count(u64::from(row.rest))
                ),
            ]);
            bars.push((
                format!("{}, {} at first", row.what, Count(*live)),
                row.median_ns,
                format!("{:.1} ns", row.median_ns),
            ));
            rows.push(to_json(*live, &row));
        }
    }
    let level = u32::try_from(args.level).unwrap_or(u32::MAX);
    steps.next(format_args!("cancels in a level of {}", Count(args.level)));
    let cancel = cancels_of_a_level(level);
    rows.push(json!({ "level": level, "cancel_ns": cancel.as_nanos() as u64 }));
    Ok(Sheet {
        title: "betring bench book".to_owned(),
        doubts: begun.doubts(1),
        parts: vec![
            Part::Table { heading: "An order of the stream".to_owned(), text: table.to_string() },
            Part::Table {
                heading: "A cancel".to_owned(),
                text: format!("  in the middle of a level of {}: {cancel:?}", Count(args.level)),
            },
            Part::Bars { heading: "What an order takes", text: "The median of its runs.", bars },
        ],
        rows: Value::Array(rows),
        checked: vec![
            "every run of a stream came to the same, alone and with exposure; the book is sound"
                .to_owned(),
        ],
    })
}

fn to_json(live: u64, row: &Row) -> Value {
    json!({
        "what": row.what, "live": live, "orders": row.ops, "least_ns": row.least_ns,
        "median_ns": row.median_ns, "runs": row.runs, "counted": row.counted, "counts": row.counts,
        "stake": row.stake, "rest": row.rest,
    })
}
