//! The journal alone: what it writes and syncs, against a bare group commit of equal bytes.

use super::sheet::{Part, Sheet, quantiles_json};
use super::{Begun, Common, Failed, Steps, remove, up_to};
use crate::error::CliError;
use crate::report::Lines;
use betring_benches::journal::{BARE_BYTES, Plan, Run, run as measure};
use betring_benches::recorder::{Count, Span, Table};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// No device takes more in a second.
const DEVICE_BYTES: u64 = 2 << 30;
const BYTES_AT_LEAST: u64 = 512 << 20;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Bytes of a record: a bet with its answer and its transfer has about 480.
    #[arg(long, value_name = "N", default_value_t = 480,
        value_parser = clap::value_parser!(u32).range(16..=65_536))]
    bytes: u32,
    /// Records of a sync; several, with commas between, are measured one after the other.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,16,256,4_096",
        value_parser = |text: &str| up_to(text, 100_000))]
    records: Vec<u64>,
    /// Seconds of a row, and the bare commits once more.
    #[arg(long, value_name = "S", default_value_t = 2,
        value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let most = args.records.iter().max().copied().unwrap_or(0);
    // With what frames a record, and what fills a page.
    if BARE_BYTES < most * (u64::from(args.bytes) + 64) {
        return Err(CliError::new(
            format_args!("{} records of {} bytes are more than a segment", Count(most), args.bytes),
            "--records, --bytes",
            "ask for commits of at most 64 MiB",
        ));
    }
    let needs = BYTES_AT_LEAST + args.seconds * DEVICE_BYTES;
    let begun = Begun::new(&args.common, "journal", needs)?;
    let measured = sheet(args, &begun);
    begun.end(measured)
}

fn sheet(args: &Args, begun: &Begun<'_>) -> Result<Sheet, Failed> {
    let mut steps = Steps::new(args.records.len(), args.common.is_quiet());
    let mut table = Table::new([
        "records a sync",
        "records",
        "bytes",
        "commit p50",
        "p99",
        "max",
        "bare p50",
        "p99",
        "max",
        "journal / bare",
    ]);
    let (mut rows, mut checked) = (Vec::new(), Vec::new());
    let [mut ours, mut theirs] = [Vec::new(), Vec::new()];
    for records in &args.records {
        steps.next(format_args!("{} records a sync", Count(*records)));
        let plan = Plan {
            record_bytes: args.bytes as usize,
            records: *records,
            duration: Duration::from_secs(args.seconds),
        };
        let dir = begun.dir("book");
        std::fs::create_dir(&dir).map_err(|e| CliError::io("cannot make a directory", &dir, &e))?;
        let run = measure(&dir, &plan)?;
        remove(&dir)?;
        let per_s = run.records_per_s();
        let mut cells = vec![
            Count(*records).to_string(),
            format!("{}/s", Count(per_s as u64)),
            format!("{:.1} MB/s", per_s * f64::from(args.bytes) / 1e6),
        ];
        let (commit, bare) = (run.commit, run.bare);
        let spans = [commit.p50, commit.p99, commit.max, bare.p50, bare.p99, bare.max];
        cells.extend(spans.map(|ns| Span(ns).to_string()));
        cells.push(format!("{:.2}", run.by_bare(&plan)));
        table.row(cells);
        checked.push(format!(
            "{} records a sync: {} records read back, each as it was written",
            Count(*records),
            Count(run.read_back)
        ));
        ours.push(((*records as f64).log2(), commit.p50));
        theirs.push(((*records as f64).log2(), bare.p50));
        rows.push(to_json(&plan, &run));
    }
    Ok(Sheet {
        title: "betring bench journal".to_owned(),
        doubts: begun.doubts(1),
        parts: vec![
            Part::Table {
                heading: format!(
                    "Records of {} bytes written, checksummed and synced, and bare commits of as many bytes in turn; {} s a row",
                    args.bytes, args.seconds
                ),
                text: table.to_string(),
            },
            Part::Lines(Lines {
                heading: "A commit, as its records become more",
                text: "The medians, of the journal's commits and of bare ones of equal bytes."
                    .to_owned(),
                lines: vec![("journal".to_owned(), ours), ("bare".to_owned(), theirs)],
                marks: Vec::new(),
                below: "records a sync, by doublings: 4 is 16, 12 is 4,096",
            }),
        ],
        rows: Value::Array(rows),
        checked,
    })
}

fn to_json(plan: &Plan, run: &Run) -> Value {
    json!({
        "record_bytes": plan.record_bytes, "records_a_sync": plan.records, "records": run.records,
        "seconds": run.took.as_secs_f64(), "records_per_s": run.records_per_s(),
        "commit": quantiles_json(&run.commit), "bare_bytes": run.bare_bytes,
        "bare_per_s": run.bare_per_s, "bare": quantiles_json(&run.bare),
        "by_bare": run.by_bare(plan), "read_back": run.read_back,
    })
}
