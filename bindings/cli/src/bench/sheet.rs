//! What a bench shows: on the terminal, as JSON, and as a page with plots.

use super::Common;
use crate::error::CliError;
use crate::out::Out;
use crate::report::{self, Page};
use betring_benches::machine::Machine;
use betring_benches::recorder::{Quantiles, Span};
use serde_json::{Value, json};
use std::path::Path;

/// Everything that was measured.
pub(super) struct Sheet {
    pub(super) title: String,
    /// What makes it meaningless, a sentence each.
    pub(super) doubts: Vec<String>,
    pub(super) parts: Vec<Part>,
    /// The same for programs.
    pub(super) rows: Value,
    /// What of the result was checked, a sentence each.
    pub(super) checked: Vec<String>,
}

/// A part of it, with its heading.
pub(super) enum Part {
    Table {
        heading: String,
        text: String,
    },
    /// Only on the page: (share that took longer, nanoseconds).
    Percentiles {
        heading: &'static str,
        curves: Vec<(String, Vec<(f64, u64)>)>,
    },
    /// Only on the page.
    Lines(report::Lines),
    /// Only on the page: name, length, and what stands behind it.
    Bars {
        heading: &'static str,
        text: &'static str,
        bars: Vec<(String, f64, String)>,
    },
}

/// How it is shown, and where.
pub(super) struct Shown<'a> {
    json: bool,
    page: Option<Page<'a>>,
}

impl<'a> Shown<'a> {
    pub(super) fn open(
        json: bool,
        report: Option<&'a Path>,
        scratch: &Path,
    ) -> Result<Shown<'a>, CliError> {
        let page = match report {
            Some(path) => {
                crate::file::may_be_written("--report", path, scratch, report::BEGINNING)?;
                Some(Page::open(path)?)
            }
            None => None,
        };
        Ok(Shown { json, page })
    }

    pub(super) fn show(
        self,
        sheet: &Sheet,
        machine: &Machine,
        out: &mut Out,
    ) -> Result<(), CliError> {
        if self.json {
            let json = json!({
                "title": sheet.title, "version": env!("CARGO_PKG_VERSION"), "debug": cfg!(debug_assertions),
                "measured_at": now(), "machine": machine_json(machine), "doubts": sheet.doubts,
                "rows": sheet.rows, "checked": sheet.checked,
            });
            out.line(json)?;
        } else {
            for doubt in &sheet.doubts {
                out.line(format_args!("  → {doubt}"))?;
            }
            for part in &sheet.parts {
                if let Part::Table { heading, text } = part {
                    out.line(format_args!("\n{heading}"))?;
                    out.line(text.trim_end())?;
                }
            }
            out.line("")?;
            for checked in &sheet.checked {
                out.line(format_args!("PASS  {checked}"))?;
            }
        }
        if let Some(page) = self.page {
            let path = page.path().display().to_string();
            page.write(&html(sheet, machine))?;
            if !self.json {
                out.line(format_args!("report: {path}"))?;
            }
        }
        out.flush()
    }
}

impl Common {
    /// Whether nothing is to be told while it is measured.
    pub(super) fn is_quiet(&self) -> bool {
        self.json
    }
}

fn html(sheet: &Sheet, machine: &Machine) -> String {
    let mut facts = vec![made_by()];
    facts.extend(machine_lines(machine));
    facts.extend(sheet.doubts.iter().map(|doubt| format!("→ {doubt}")));
    facts.extend(sheet.checked.iter().map(|checked| format!("PASS  {checked}")));
    let mut parts = report::facts_part(&sheet.title, &facts);
    for part in &sheet.parts {
        parts += &match part {
            Part::Table { heading, text } => report::text_part(heading, text),
            Part::Percentiles { heading, curves } => report::percentiles_part(
                heading,
                "To the right are the slowest: at 99 %, one in a hundred took longer.",
                curves,
            ),
            Part::Lines(lines) => report::lines_part(lines),
            Part::Bars { heading, text, bars } => report::bars_part(heading, text, bars),
        };
    }
    report::table_page(&sheet.title, &parts)
}

/// What the machine is, and what it takes by itself.
pub(super) fn machine_lines(machine: &Machine) -> Vec<String> {
    let all = machine.to_string();
    match all.split_once(" · bare ") {
        Some((what, how)) => vec![what.to_owned(), format!("  by itself: bare {how}")],
        None => vec![all],
    }
}

/// Which program, built how, measured when.
pub(super) fn made_by() -> String {
    let built = if cfg!(debug_assertions) { ", a debug build" } else { "" };
    format!("betring {}{built}, {}", env!("CARGO_PKG_VERSION"), now())
}

/// To the second, in UTC.
fn now() -> String {
    format!("{:.0}", jiff::Timestamp::now())
}

fn machine_json(machine: &Machine) -> Value {
    json!({
        "cpu": machine.cpu, "cores": machine.cores, "affinity": machine.affinity,
        "free_cores": machine.free_cores, "isolated": machine.isolated, "virtual": machine.is_virtual,
        "governor": machine.governor, "kernel": machine.kernel, "scheduler": machine.scheduler,
        "filesystem": machine.filesystem, "clock_ns": machine.clock_ns,
        "sync": machine.sync.as_ref().map(quantiles_json), "hop_ns": machine.hop_ns,
        "round_trip_ns": machine.round_trip_ns, "control": quantiles_json(&machine.control),
        "hiccup": { "p999_ns": machine.hiccup.p999, "max_ns": machine.hiccup.max,
            "lost_ppm": machine.hiccup.lost_ppm },
    })
}

pub(super) fn quantiles_json(q: &Quantiles) -> Value {
    json!({
        "n": q.count, "p50_ns": q.p50, "p90_ns": q.p90, "p99_ns": q.p99, "p999_ns": q.p999,
        "p9999_ns": q.p9999, "max_ns": q.max,
    })
}

pub(super) fn percentiles(q: &Quantiles) -> [String; 6] {
    [q.p50, q.p90, q.p99, q.p999, q.p9999, q.max].map(|ns| Span(ns).to_string())
}

/// One figure by another: `2.35x`; a dash where there is no other.
pub(super) fn ratio(figure: u64, by: Option<u64>) -> String {
    match by.filter(|by| 0 < *by) {
        Some(by) => format!("{:.2}x", figure as f64 / by as f64),
        None => "-".to_owned(),
    }
}
