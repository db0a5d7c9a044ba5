//! Latency at fixed rates: a row for every mix, level and rate.

mod knee;
mod soak;

use super::sheet::{Part, Sheet, percentiles, quantiles_json, ratio};
use super::{Begun, Common, Failed, Steps, needed, remove, up_to};
use crate::error::CliError;
use betring::{Layout, Level};
use betring_benches::latency::{Mix, Plan, Run, STAGED, STAGES, run as measure};
use betring_benches::machine::Machine;
use betring_benches::recorder::{Count, Span, Table};
use betring_benches::twice::{GAP, Twice, twice};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What is measured if nobody says what.
const RATES: [u64; 3] = [10_000, 100_000, 1_000_000];
const LEVELS: [Level; 3] = [Level::AppliedOnlyMayVanish, Level::ProcessCrashOnly, Level::Durable];
/// Bytes journaled for a request: of the longest mix, what a settlement writes included.
const BYTES_A_REQUEST: u64 = 1_200;
/// Frames of a second at most: each takes a page.
const FRAMES_A_SECOND: u64 = 20_000;
const PAGE: u64 = 4_096;
/// Prepared segments.
const BYTES_AT_LEAST: u64 = 512 << 20;
/// Later than a millisecond, so many requests of a million may be sent before it is said.
const LATE_PPM: u64 = 10_000;
/// And so much of the time the hypervisor may take.
const STOLEN_PPM: u64 = 1_000;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Requests a second; several, with commas between, are measured one after the other [default:
    /// 10_000,100_000,1_000_000; with --soak 10_000].
    #[arg(long, value_name = "N", value_delimiter = ',',
        value_parser = |text: &str| up_to(text, 10_000_000))]
    rate: Vec<u64>,
    /// How safe an answer has to be before its client sees it: durable, process, applied [default: all of them; with
    /// --soak durable].
    #[arg(long, value_name = "L", value_delimiter = ',')]
    level: Vec<Level>,
    /// What is asked: singles, accumulators, orders (of an exchange), odds (singles and bursts of prices).
    #[arg(long, value_name = "MIX", value_delimiter = ',', default_value = "singles")]
    mix: Vec<Mix>,
    /// Threads of the engine: auto, one, two.
    #[arg(long, value_name = "THREADS", default_value = "auto", value_parser = layout)]
    layout: Layout,
    /// Seconds of a row; the first tenth is not counted.
    #[arg(long, value_name = "S", default_value_t = 2,
        value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Accounts that ask.
    #[arg(long, value_name = "N", default_value = "1_000",
        value_parser = |text: &str| up_to(text, 1_000_000))]
    accounts: u64,
    /// Markets that are asked for.
    #[arg(long, value_name = "N", default_value = "10",
        value_parser = |text: &str| up_to(text, 4_096))]
    markets: u64,
    /// Bets, or orders that rest, that are there before the measuring.
    #[arg(long, value_name = "N", value_parser = |text: &str| up_to(text, 100_000_000))]
    open_bets: Option<u64>,
    /// Updates of prices in the burst of every second, with --mix odds.
    #[arg(long, value_name = "N", default_value = "11_500",
        value_parser = |text: &str| up_to(text, 1_000_000))]
    burst: u64,
    /// Let the engine write no file of counters (betring top): what that costs is the difference.
    #[arg(long)]
    no_counters: bool,
    /// Find the highest rate that goes, instead of measuring given ones: doubles it from 1,000/s until the p99 is beyond
    /// --bound or the schedule is not kept, then halves the gap four times. A rate that does not go is tried once more.
    #[arg(long, conflicts_with_all = ["rate", "hgrm"])]
    find_knee: bool,
    /// The highest rate that --find-knee tries.
    #[arg(long, value_name = "N", default_value = "8_000_000", requires = "find_knee",
        value_parser = |text: &str| up_to(text, 10_000_000))]
    up_to: u64,
    /// The p99 that --find-knee permits, in microseconds.
    #[arg(long, value_name = "MICROSECONDS", default_value = "10_000", requires = "find_knee",
        value_parser = |text: &str| up_to(text, 60_000_000))]
    bound: u64,
    /// Decide the journal of each row twice, and list commands that took longer than 10 us both times.
    #[arg(long, conflicts_with_all = ["find_knee", "soak"])]
    twice: bool,
    /// One long run at one rate, instead of short ones: percentiles by the second, with marks where a segment ends, a
    /// snapshot is made, --settle bets are settled, a client stops reading. Markets are settled and replaced all the time.
    #[arg(long, value_name = "MINUTES", value_parser = minutes,
        conflicts_with_all = ["find_knee", "hgrm", "seconds", "open_bets", "mix"])]
    soak: Option<Duration>,
    /// Bets of one market that is settled during --soak.
    #[arg(long, value_name = "N", default_value = "1_000_000", requires = "soak",
        value_parser = |text: &str| up_to(text, 10_000_000))]
    settle: u64,
    /// Write all percentiles of each row to a file of this directory, in the format of HdrHistogram.
    #[arg(long, value_name = "DIR")]
    hgrm: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Minutes, or parts of one, up to a day.
fn minutes(text: &str) -> Result<Duration, String> {
    let minutes = text.parse::<f64>().ok().filter(|minutes| (0.05..=1_440.0).contains(minutes));
    let minutes = minutes.ok_or_else(|| "write minutes from 0.05 to 1440".to_owned())?;
    Ok(Duration::from_secs_f64(minutes * 60.0))
}

fn layout(text: &str) -> Result<Layout, String> {
    match text {
        "auto" => Ok(Layout::Auto),
        "one" => Ok(Layout::OneThread),
        "two" => Ok(Layout::TwoThread),
        _ => Err(format!("`{text}` is no layout: write auto, one or two")),
    }
}

/// What is found in a row: a plan, and what came of it.
struct Row {
    plan: Plan,
    run: Run,
    /// Its journal, decided twice.
    twice: Option<Twice>,
}

impl Args {
    fn plan(&self, mix: Mix, level: Level, rate: u64) -> Plan {
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Plan {
            mix,
            layout: self.layout,
            accounts: count(self.accounts),
            markets: count(self.markets),
            open_bets: count(self.open_bets.unwrap_or(0)),
            burst: count(self.burst),
            counters: !self.no_counters,
            ..Plan::new(level, rate, Duration::from_secs(self.seconds))
        }
    }

    fn bound_ns(&self) -> u64 {
        self.bound * 1_000
    }

    fn levels(&self) -> Vec<Level> {
        match self.level.as_slice() {
            [] => LEVELS.to_vec(),
            given => given.to_vec(),
        }
    }

    fn plans(&self) -> Vec<Plan> {
        let rates = if self.rate.is_empty() { RATES.as_slice() } else { &self.rate };
        let mut plans = Vec::new();
        for mix in &self.mix {
            for level in self.levels() {
                plans.extend(rates.iter().map(|rate| self.plan(*mix, level, *rate)));
            }
        }
        plans
    }
}

/// Bytes that a plan needs on the disk.
fn bytes(plan: &Plan) -> u64 {
    let frames = plan.requests().min(FRAMES_A_SECOND * plan.duration.as_secs().max(1));
    plan.requests() * BYTES_A_REQUEST + frames * PAGE + BYTES_AT_LEAST
}

fn possible(plan: &Plan) -> Result<(), CliError> {
    match plan.impossible() {
        None => Ok(()),
        Some(why) => Err(CliError::new(
            why,
            "the options of this bench",
            "ask for less: --rate, --seconds, --open-bets; or for more --accounts",
        )),
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if let Some(length) = args.soak {
        return soak::run(args, length);
    }
    if args.find_knee {
        return knee::run(args);
    }
    let plans = args.plans();
    plans.iter().try_for_each(possible)?;
    let needs = plans.iter().map(bytes).max().unwrap_or(0);
    if let Some(dir) = &args.hgrm {
        std::fs::create_dir_all(dir)
            .map_err(|e| CliError::write("cannot make the directory of percentiles", dir, &e))?;
    }
    let begun = Begun::new(&args.common, "latency", needs)?;
    let measured = rows(args, &begun, plans);
    begun.end(measured)
}

fn rows(args: &Args, begun: &Begun<'_>, plans: Vec<Plan>) -> Result<Sheet, Failed> {
    let mut steps = Steps::new(plans.len(), begun.common.is_quiet());
    let mut rows = Vec::new();
    for plan in plans {
        steps.next(format_args!("{}", name(&plan)));
        let dir = begun.dir("book");
        let run = measure(&dir, &plan)?;
        let twice = if args.twice { Some(twice(&dir)?) } else { None };
        remove(&dir)?;
        if let Some(to) = &args.hgrm {
            write_hgrm(to, &plan, &run)?;
        }
        rows.push(Row { plan, run, twice });
    }
    Ok(sheet(args, begun, &rows))
}

fn name(plan: &Plan) -> String {
    format!("{} at {}, {}/s", plan.mix, plan.level, Count(plan.rate))
}

fn write_hgrm(dir: &Path, plan: &Plan, run: &Run) -> Result<(), CliError> {
    let path = dir.join(format!("{}-{}-{}.hgrm", plan.mix, plan.level, plan.rate));
    std::fs::write(&path, run.latency.to_hgrm())
        .map_err(|e| CliError::write("cannot write the percentiles", &path, &e))
}

fn sheet(args: &Args, begun: &Begun<'_>, rows: &[Row]) -> Sheet {
    let machine = &begun.machine;
    let mut doubts = begun.doubts(needed(args.layout, machine.cores));
    doubts.extend(row_doubts(rows));
    let mut parts = vec![
        Part::Table {
            heading: format!(
                "t6 - t0: from the moment a request was to be sent to the moment its reply is seen, {} s a row, the \
                 first tenth not counted",
                args.seconds
            ),
            text: latency_table(rows),
        },
        Part::Table {
            heading: "Beside the machine, of the same run: p50 by a round trip between cores, by a bare fdatasync; \
                      p99.9 beyond that of an idle pinned loop"
                .to_owned(),
            text: ratio_table(rows, machine),
        },
        Part::Table {
            heading: "What was there, and what it took".to_owned(),
            text: state_table(rows, machine),
        },
        Part::Table {
            heading: format!("Stages of one request in {STAGED}, p50 / p99: {}", stage_names()),
            text: stage_table(rows),
        },
        Part::Table {
            heading: "Age of the price that bets were bound to, and an update's way to its place in the order"
                .to_owned(),
            text: price_table(rows),
        },
        Part::Percentiles {
            heading: "From the intended send time to the visible reply",
            curves: rows.iter().map(|row| (name(&row.plan), row.run.latency.tail())).collect(),
        },
    ];
    if args.twice {
        parts.push(Part::Table {
            heading: format!(
                "The same journal decided twice: gaps beyond {GAP:?} at the same sequence"
            ),
            text: twice_table(rows),
        });
    }
    Sheet {
        title: "betring bench latency".to_owned(),
        doubts,
        parts,
        rows: rows.iter().map(|row| row.to_json(machine)).collect(),
        checked: rows
            .iter()
            .map(|row| format!("{}: {}", name(&row.plan), row.run.checked))
            .collect(),
    }
}

/// What makes rows meaningless, a sentence for each reason.
fn row_doubts(rows: &[Row]) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut say = |of: &dyn Fn(&Row) -> bool, what: &str| {
        let names: Vec<String> =
            rows.iter().filter(|row| of(row)).map(|row| name(&row.plan)).collect();
        if !names.is_empty() {
            doubts.push(format!("{what} ({})", names.join("; ")));
        }
    };
    let keeps_up = |row: &Row| row.run.keeps_up(row.plan.rate);
    say(&|row| !keeps_up(row), "overloaded: the latency is that of a full queue");
    say(
        &|row| keeps_up(row) && LATE_PPM < row.late_ppm(),
        "the generator was late for more than 1 % of the requests, which counts in their latency",
    );
    say(
        &|row| STOLEN_PPM < row.run.stolen_ppm,
        "the hypervisor took more than 0.1 % of the time: absolute figures are meaningless",
    );
    let mut warnings: Vec<&String> = rows.iter().flat_map(|row| &row.run.warnings).collect();
    warnings.sort_unstable();
    warnings.dedup();
    doubts.extend(warnings.into_iter().cloned());
    doubts
}

fn stage_names() -> String {
    let names = STAGES.map(|(name, what)| format!("{name} {what}"));
    names.join("; ")
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let Plan { mix, level, rate, .. } = &self.plan;
        vec![mix.to_string(), level.to_string(), format!("{}/s", Count(*rate))]
    }

    fn late_ppm(&self) -> u64 {
        self.run.kept.late * 1_000_000 / self.run.kept.sent.max(1)
    }

    /// p50 by a round trip, p50 by a sync, p99.9 beyond the control's.
    fn ratios(&self, machine: &Machine) -> (Option<f64>, Option<f64>, u64) {
        let q = self.run.latency.quantiles();
        let by = |other: Option<u64>| other.filter(|n| 0 < *n).map(|n| q.p50 as f64 / n as f64);
        let sync = machine.sync.map(|sync| sync.p50);
        (by(machine.round_trip_ns), by(sync), q.p999.saturating_sub(machine.control.p999))
    }

    fn per_answer(&self, all: u64) -> u64 {
        all / self.run.answered.max(1)
    }

    fn to_json(&self, machine: &Machine) -> Value {
        let Row { plan, run, .. } = self;
        let (by_round_trip, by_sync, beyond_control) = self.ratios(machine);
        let stages = STAGES.iter().zip(&run.stages);
        let stages: Value = stages
            .map(|((name, _), stage)| ((*name).to_owned(), quantiles_json(&stage.quantiles())))
            .collect::<serde_json::Map<String, Value>>()
            .into();
        json!({
            "mix": plan.mix.to_string(), "level": plan.level.to_string(), "rate": plan.rate,
            "layout": run.layout.to_string(), "scheduler": machine.scheduler,
            "seconds": plan.duration.as_secs_f64(), "latency": quantiles_json(&run.latency.quantiles()),
            "stages": stages, "price_age": quantiles_json(&run.price_age.quantiles()),
            "odds_to_effect": run.odds_to_effect.as_ref().map(|r| quantiles_json(&r.quantiles())),
            "p50_by_round_trip": by_round_trip, "p50_by_sync": by_sync,
            "p999_beyond_control_ns": beyond_control,
            "sent": run.kept.sent, "late": run.kept.late, "late_max_ns": run.kept.late_ns_max,
            "refused": run.refused, "answered": run.answered, "declined": run.declined,
            "answered_per_s": run.answered_per_s(), "window_ns": run.window.0,
            "live_keys": run.live_keys, "open": run.open, "open_before": plan.open_bets,
            "accounts": plan.accounts, "markets": plan.markets,
            "journal_bytes_per_bet": self.per_answer(run.journal_bytes),
            "device_bytes_per_bet": run.device_bytes.map(|bytes| self.per_answer(bytes)),
            "twice": self.twice.as_ref().map(twice_json), "syncs": run.syncs, "resident_kib": run.resident_kib, "stolen_ppm": run.stolen_ppm,
        })
    }
}

const FIRST: [&str; 3] = ["mix", "level", "rate"];

fn table<const N: usize>(headings: [&str; N]) -> Table {
    Table::new(FIRST.into_iter().chain(headings))
}

fn latency_table(rows: &[Row]) -> String {
    let headings = [
        "p50", "p90", "p99", "p99.9", "p99.99", "max", "answered", "declined", "refused", "late",
        "layout",
    ];
    let mut table = table(headings);
    for row in rows {
        let run = &row.run;
        let mut cells = row.cells();
        cells.extend(percentiles(&run.latency.quantiles()));
        cells.push(format!("{}/s", Count(run.answered_per_s())));
        cells.push(Count(run.declined).to_string());
        cells.push(Count(run.refused).to_string());
        cells.push(format!("{:.1} %", row.late_ppm() as f64 / 1e4));
        cells.push(run.layout.to_string());
        table.row(cells);
    }
    table.to_string()
}

fn ratio_table(rows: &[Row], machine: &Machine) -> String {
    let mut table = table(["p50 / round trip", "p50 / fdatasync", "p99.9 - control"]);
    for row in rows {
        let p50 = row.run.latency.at(0.5);
        let mut cells = row.cells();
        cells.push(ratio(p50, machine.round_trip_ns));
        cells.push(ratio(p50, machine.sync.map(|sync| sync.p50)));
        cells.push(Span(row.ratios(machine).2).to_string());
        table.row(cells);
    }
    table.to_string()
}

fn state_table(rows: &[Row], machine: &Machine) -> String {
    let mut table = table([
        "seconds",
        "window",
        "live keys",
        "open bets",
        "accounts",
        "markets",
        "journaled/bet",
        "device/bet",
        "syncs",
        "memory",
        "scheduler",
    ]);
    for row in rows {
        let (plan, run) = (&row.plan, &row.run);
        let mut cells = row.cells();
        cells.push(plan.duration.as_secs().to_string());
        cells.push(format!("{} s", run.window.0 / 1_000_000_000));
        cells.push(Count(run.live_keys).to_string());
        cells.push(Count(run.open).to_string());
        cells.push(Count(u64::from(plan.accounts)).to_string());
        cells.push(Count(u64::from(plan.markets)).to_string());
        let device = |bytes| format!("{} B", Count(row.per_answer(bytes)));
        cells.push(device(run.journal_bytes));
        cells.push(run.device_bytes.map_or_else(|| "-".to_owned(), device));
        cells.push(Count(run.syncs).to_string());
        cells.push(format!("{} MiB", Count(run.resident_kib / 1024)));
        cells.push(machine.scheduler.clone());
        table.row(cells);
    }
    table.to_string()
}

fn stage_table(rows: &[Row]) -> String {
    let mut table = table(STAGES.map(|(name, _)| name));
    for row in rows {
        let mut cells = row.cells();
        cells.extend(row.run.stages.iter().map(|stage| match stage.count() {
            0 => "-".to_owned(),
            _ => format!("{} / {}", Span(stage.at(0.5)), Span(stage.at(0.99))),
        }));
        table.row(cells);
    }
    table.to_string()
}

fn twice_table(rows: &[Row]) -> String {
    /// Of each row so many are told: the longest.
    const TOLD: usize = 10;
    let mut table = table(["records", "gaps", "gaps again", "repeated", "the longest of those"]);
    for row in rows {
        let Some(twice) = &row.twice else { continue };
        let mut longest = twice.repeated.clone();
        longest.sort_by_key(|gap| std::cmp::Reverse(gap.took.into_iter().min()));
        let told: Vec<String> = longest
            .iter()
            .take(TOLD)
            .map(|gap| {
                format!("#{} {} ({:.1?}, {:.1?})", gap.seq, gap.kind, gap.took[0], gap.took[1])
            })
            .collect();
        let mut cells = row.cells();
        let counts = [twice.records, twice.gaps[0], twice.gaps[1], twice.repeated.len() as u64];
        cells.extend(counts.map(|count| Count(count).to_string()));
        cells.push(if told.is_empty() { "none".to_owned() } else { told.join(", ") });
        table.row(cells);
    }
    table.to_string()
}

fn twice_json(twice: &Twice) -> Value {
    /// So many are listed.
    const LISTED: usize = 1_000;
    let gaps =
        twice.repeated.iter().take(LISTED).map(
            |gap| json!({ "seq": gap.seq, "command": gap.kind, "ns": gap.took.map(|took| took.as_nanos() as u64) }),
        );
    json!({
        "records": twice.records, "gaps": twice.gaps, "repeated": twice.repeated.len(),
        "listed": gaps.collect::<Value>(),
    })
}

fn price_table(rows: &[Row]) -> String {
    let headings =
        ["age p50", "age p99", "age max", "updates", "to effect p50", "p99", "p99.9", "max"];
    let mut table = table(headings);
    for row in rows {
        let (mut cells, age) = (row.cells(), row.run.price_age.quantiles());
        let none = || "-".to_owned();
        match age.count {
            0 => cells.extend([none(), none(), none()]),
            _ => cells.extend([age.p50, age.p99, age.max].map(|ns| Span(ns).to_string())),
        }
        if let Some(effect) = row.run.odds_to_effect.as_ref().map(|effect| effect.quantiles()) {
            cells.push(Count(effect.count).to_string());
            let spans = [effect.p50, effect.p99, effect.p999, effect.max];
            cells.extend(spans.map(|ns| Span(ns).to_string()));
        }
        table.row(cells);
    }
    table.to_string()
}
