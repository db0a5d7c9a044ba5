//! The soak: percentiles second by second through everything that interrupts.

use super::{Args, Row, bytes, name};
use crate::bench::sheet::{Part, Sheet, quantiles_json};
use crate::bench::{Begun, Failed, needed};
use crate::error::CliError;
use crate::report::Lines;
use betring::Level;
use betring_benches::latency::{Mark, Plan, Second, Soak, Soaked, What, soak};
use betring_benches::recorder::{Count, Span, Table};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Requests a second where nobody says how many.
const RATE: u64 = 10_000;
/// Bytes journaled for a bet that is settled on the way.
const BYTES_A_SETTLED: u64 = 2_400;
/// How much longer the p99 of a marked second may be.
const WORSE_MAX: f64 = 2.0;
/// How much memory may grow.
const GROWTH_MAX: f64 = 1.05;
/// How often it is told how it stands, in seconds.
const TOLD_EVERY: u64 = 10;

pub(super) fn run(args: &Args, length: Duration) -> Result<ExitCode, CliError> {
    let (mix, level) = (args.mix[0], args.level.first().copied().unwrap_or(Level::Durable));
    let rate = args.rate.first().copied().unwrap_or(RATE);
    let plan = Plan { duration: length, ..args.plan(mix, level, rate) };
    let settle = u32::try_from(args.settle).unwrap_or(u32::MAX);
    let needs = bytes(&plan) + args.settle * BYTES_A_SETTLED;
    let asked = Soak { plan, settle };
    if let Some(why) = asked.impossible() {
        let remedy = "ask for less: --rate, --settle";
        return Err(CliError::new(why, "the options of this bench", remedy));
    }
    let begun = Begun::new(&args.common, "latency --soak", needs)?;
    let measured = measured(&begun, &asked).map(|soaked| sheet(&begun, asked, &soaked));
    begun.end(measured)
}

fn measured(begun: &Begun<'_>, asked: &Soak) -> Result<Soaked, Failed> {
    let is_quiet = begun.common.is_quiet();
    let all = asked.plan.duration.as_secs();
    let mut tell = |second: Second| {
        if !is_quiet && (second.at + 1).is_multiple_of(TOLD_EVERY) {
            let [p50, p99] = [second.latency.p50, second.latency.p99].map(Span);
            eprintln!("  second {} of {all}: p50 {p50}, p99 {p99}", second.at + 1);
        }
    };
    if !is_quiet {
        eprintln!(
            "  placing {} bets that are settled on the way ...",
            Count(u64::from(asked.settle))
        );
    }
    Ok(soak(&begun.dir("book"), asked, &mut tell)?)
}

fn sheet(begun: &Begun<'_>, asked: Soak, soaked: &Soaked) -> Sheet {
    let (settle, plan) = (asked.settle, asked.plan);
    let row = Row { plan, run: soaked.run.clone(), twice: None };
    let rows = std::slice::from_ref(&row);
    let mut doubts = begun.doubts(needed(row.plan.layout, begun.machine.cores));
    doubts.extend(super::row_doubts(rows));
    let seconds = row.plan.duration.as_secs();
    let at = |mark: &Mark| mark.from.as_secs_f64();
    let of = |what: What| soaked.marks.iter().filter(move |mark| mark.what == what);
    let parts = vec![
        Part::Table {
            heading: format!("t6 - t0 over {seconds} s, the first tenth not counted"),
            text: super::latency_table(rows),
        },
        Part::Table {
            heading: format!(
                "Seconds with a mark against those without, by the median of their p99s; up to {WORSE_MAX} times is well"
            ),
            text: mark_table(soaked),
        },
        Part::Table { heading: "What interrupted".to_owned(), text: happened(soaked, settle) },
        Part::Table { heading: "Memory".to_owned(), text: memory(soaked) },
        Part::Table {
            heading: "What was there, and what it took".to_owned(),
            text: super::state_table(rows, &begun.machine),
        },
        Part::Lines(Lines {
            heading: "Percentiles of every second",
            text: "Upright lines stand where something began that may interrupt.".to_owned(),
            lines: vec![
                curve(soaked, "p50", |second| second.latency.p50),
                curve(soaked, "p99", |second| second.latency.p99),
                curve(soaked, "max", |second| second.latency.max),
            ],
            marks: What::ALL
                .into_iter()
                .map(|what| (what.to_string(), of(what).map(at).collect::<Vec<f64>>()))
                .filter(|(_, places)| !places.is_empty())
                .collect(),
            below: "seconds",
        }),
        Part::Percentiles {
            heading: "From the intended send time to the visible reply",
            curves: vec![(name(&row.plan), row.run.latency.tail())],
        },
    ];
    Sheet {
        title: "betring bench latency --soak".to_owned(),
        doubts,
        parts,
        rows: Value::Array(vec![to_json(&row, soaked, begun)]),
        checked: vec![format!(
            "{}: {}; {} markets settled and gone from memory",
            name(&row.plan),
            row.run.checked,
            Count(soaked.settled)
        )],
    }
}

fn curve(soaked: &Soaked, name: &str, of: impl Fn(&Second) -> u64) -> (String, Vec<(f64, u64)>) {
    let point = |second: &Second| (second.at as f64, of(second));
    (name.to_owned(), soaked.seconds.iter().map(point).collect())
}

/// By kind, the kind's seconds and their p99 by that of the unmarked ones.
fn worse(soaked: &Soaked, what: Option<What>) -> Option<f64> {
    let (marked, unmarked) = (soaked.marked_p99(what)?, soaked.unmarked_p99()?);
    Some(marked as f64 / unmarked.max(1) as f64)
}

fn mark_table(soaked: &Soaked) -> String {
    let mut table = Table::new(["seconds with", "marks", "p99", "ratio", ""]);
    let span = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| Span(ns).to_string());
    table.row(["no mark".to_owned(), String::new(), span(soaked.unmarked_p99())]);
    for what in What::ALL.map(Some).into_iter().chain([None]) {
        let marks = soaked.marks.iter().filter(|mark| what.is_none_or(|what| mark.what == what));
        let ratio = worse(soaked, what);
        table.row([
            what.map_or_else(|| "any".to_owned(), |what| what.to_string()),
            Count(marks.count() as u64).to_string(),
            span(soaked.marked_p99(what)),
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x")),
            match ratio {
                Some(ratio) if ratio <= WORSE_MAX => "well".to_owned(),
                Some(_) => "worse".to_owned(),
                None => "no second to compare".to_owned(),
            },
        ]);
    }
    table.to_string()
}

fn happened(soaked: &Soaked, settle: u32) -> String {
    /// Of each kind so many are told.
    const TOLD: usize = 20;
    let mut table = Table::new(["from", "for", ""]);
    for what in What::ALL {
        let marks: Vec<&Mark> = soaked.marks.iter().filter(|mark| mark.what == what).collect();
        for mark in marks.iter().take(TOLD) {
            let took = mark.until.saturating_sub(mark.from);
            let text = match what {
                What::Settlement => format!("{what} of {} bets", Count(u64::from(settle))),
                What::Segment | What::Snapshot | What::Stall => what.to_string(),
            };
            let seconds = |span: Duration| format!("{:.1} s", span.as_secs_f64());
            table.row([seconds(mark.from), seconds(took), text]);
        }
        if let Some(more) = marks.len().checked_sub(TOLD).filter(|more| 0 < *more) {
            table.row([String::new(), String::new(), format!("{more} more: {what}")]);
        }
    }
    table.to_string()
}

fn memory(soaked: &Soaked) -> String {
    let mib = |kib: Option<&u64>| format!("{} MiB", Count(kib.copied().unwrap_or(0) / 1_024));
    let (first, last) = (soaked.resident_kib.first(), soaked.resident_kib.last());
    match soaked.growth() {
        None => format!("  {} at first, {} at the end: too short to judge", mib(first), mib(last)),
        Some(growth) => {
            let word = if growth <= GROWTH_MAX { "flat" } else { "it grows" };
            format!(
                "  {} at first, {} at the end, {growth:.3} times that after a tenth of the time: {word}",
                mib(first),
                mib(last)
            )
        }
    }
}

fn to_json(row: &Row, soaked: &Soaked, begun: &Begun<'_>) -> Value {
    let mut json = row.to_json(&begun.machine);
    let seconds = soaked
        .seconds
        .iter()
        .map(|second| json!({ "second": second.at, "latency": quantiles_json(&second.latency) }));
    let marks = soaked.marks.iter().map(|mark| {
        let seconds = |span: Duration| span.as_secs_f64();
        json!({ "what": mark.what.to_string(), "from_s": seconds(mark.from), "until_s": seconds(mark.until) })
    });
    json["by_second"] = seconds.collect();
    json["marks"] = marks.collect();
    json["marked_by_unmarked"] = json!(worse(soaked, None));
    json["growth"] = json!(soaked.growth());
    json["resident_kib_by_second"] = json!(soaked.resident_kib);
    json["settled_markets"] = json!(soaked.settled);
    json
}
