//! The knee: the highest rate at which the schedule is kept and the p99 stays within a bound.

use super::{Args, Row, bytes, name, possible};
use crate::bench::sheet::{Part, Sheet};
use crate::bench::{Begun, Failed, Steps, needed, remove};
use crate::error::CliError;
use crate::report::Lines;
use betring::Level;
use betring_benches::latency::{Mix, Plan, Run, run as measure};
use betring_benches::recorder::{Count, Span, Table};
use serde_json::{Value, json};
use std::process::ExitCode;

/// The rate that is begun with.
const FIRST: u64 = 1_000;
/// How often the gap between a rate that goes and one that does not is halved.
const HALVINGS: usize = 4;

/// A level whose knee was looked for, with everything that was tried, by rate.
struct Knee {
    mix: Mix,
    level: Level,
    tried: Vec<Row>,
    /// The lowest rate that was not tried because the disk has no room for it.
    no_space: Option<u64>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let levels = args.levels();
    let plans = || args.mix.iter().flat_map(|mix| levels.iter().map(move |l| (*mix, *l)));
    for (mix, level) in plans() {
        possible(&args.plan(mix, level, args.up_to.max(FIRST)))?;
    }
    // The highest rate is not tried where a lower one does not go: only this is known to be needed.
    let needs = plans().map(|(mix, level)| bytes(&args.plan(mix, level, FIRST))).max();
    let begun = Begun::new(&args.common, "latency --find-knee", needs.unwrap_or(0))?;
    let measured = plans().map(|(mix, level)| find(args, &begun, mix, level));
    let measured: Result<Vec<Knee>, Failed> = measured.collect();
    let sheet = measured.map(|knees| sheet(args, &begun, &knees));
    begun.end(sheet)
}

/// Doubles the rate until it does not go, then halves the gap; what does not go is tried once more.
fn find(args: &Args, begun: &Begun<'_>, mix: Mix, level: Level) -> Result<Knee, Failed> {
    let mut knee = Knee { mix, level, tried: Vec::new(), no_space: None };
    let doublings = (args.up_to / FIRST).max(1).ilog2() as usize + 1;
    let mut steps = Steps::new(doublings + HALVINGS, begun.common.is_quiet());
    let mut no_space = None;
    let mut attempt = |rate: u64| -> Result<bool, Failed> {
        let plan = args.plan(mix, level, rate);
        // What a lower rate came to is not thrown away because a higher one has no room.
        let room = crate::matchday::space::check_bytes(&args.common.dir, bytes(&plan), "this rate");
        if let Err(error) = room {
            if knee.tried.is_empty() {
                return Err(error.into());
            }
            no_space = no_space.map_or(Some(rate), |before: u64| Some(before.min(rate)));
            return Ok(false);
        }
        steps.next(name(&plan));
        let mut run = once(begun, &plan)?;
        if !goes(&run, rate, args.bound_ns()) {
            // It may have been a neighbour.
            steps.again(name(&plan));
            run = once(begun, &plan)?;
        }
        let goes = goes(&run, rate, args.bound_ns());
        knee.tried.push(Row { plan, run, twice: None });
        Ok(goes)
    };
    let (mut good, mut bad) = (0, None);
    let mut rate = FIRST;
    while bad.is_none() && rate <= args.up_to.max(FIRST) {
        match attempt(rate)? {
            true => good = rate,
            false => bad = Some(rate),
        }
        rate *= 2;
    }
    if let Some(mut bad) = bad {
        for _ in 0..HALVINGS {
            let middle = good.midpoint(bad);
            match attempt(middle)? {
                true => good = middle,
                false => bad = middle,
            }
        }
    }
    knee.no_space = no_space;
    knee.tried.sort_by_key(|row| row.plan.rate);
    Ok(knee)
}

fn once(begun: &Begun<'_>, plan: &Plan) -> Result<Run, Failed> {
    let dir = begun.dir("book");
    let run = measure(&dir, plan)?;
    remove(&dir)?;
    Ok(run)
}

/// Whether a rate goes: the schedule was kept, and the p99 is within the bound.
fn goes(run: &Run, rate: u64, bound_ns: u64) -> bool {
    run.keeps_up(rate) && run.latency.at(0.99) <= bound_ns
}

impl Knee {
    fn name(&self) -> String {
        format!("{} at {}", self.mix, self.level)
    }

    /// The highest rate below all that do not go; none where the first does not.
    fn rate(&self, bound_ns: u64) -> Option<u64> {
        let all = self.tried.iter();
        let good = all.take_while(|row| goes(&row.run, row.plan.rate, bound_ns));
        good.last().map(|row| row.plan.rate)
    }

    fn sentence(&self, bound_ns: u64) -> String {
        let found = self.found(bound_ns);
        match self.no_space {
            None => found,
            Some(rate) => format!("{found}; the disk has no room for {}/s and more", Count(rate)),
        }
    }

    fn found(&self, bound_ns: u64) -> String {
        let bound = Span(bound_ns);
        match self.rate(bound_ns) {
            None => format!(
                "{}: not even {}/s goes with a p99 of at most {bound}",
                self.name(),
                Count(FIRST)
            ),
            // Everything that was tried goes.
            Some(rate) if self.tried.last().is_some_and(|row| row.plan.rate == rate) => {
                format!("{}: beyond {}/s, p99 at most {bound}", self.name(), Count(rate))
            }
            Some(rate) => {
                format!("{}: knee at {}/s, p99 at most {bound}", self.name(), Count(rate))
            }
        }
    }

    fn table(&self, bound_ns: u64) -> String {
        let mut table =
            Table::new(["rate", "p50", "p99", "p99.9", "max", "answered", "refused", ""]);
        for Row { plan, run, .. } in &self.tried {
            let q = run.latency.quantiles();
            let mut cells = vec![format!("{}/s", Count(plan.rate))];
            cells.extend([q.p50, q.p99, q.p999, q.max].map(|ns| Span(ns).to_string()));
            cells.push(format!("{}/s", Count(run.answered_per_s())));
            cells.push(Count(run.refused).to_string());
            cells.push(match goes(run, plan.rate, bound_ns) {
                true => "goes".to_owned(),
                false if run.keeps_up(plan.rate) => "p99 beyond the bound".to_owned(),
                false => "overloaded".to_owned(),
            });
            table.row(cells);
        }
        table.to_string()
    }

    fn to_json(&self, begun: &Begun<'_>, bound_ns: u64) -> Value {
        let tried: Value = self.tried.iter().map(|row| row.to_json(&begun.machine)).collect();
        json!({
            "mix": self.mix.to_string(), "level": self.level.to_string(), "bound_ns": bound_ns,
            "knee": self.rate(bound_ns), "no_space_for": self.no_space, "tried": tried,
        })
    }

    fn curves(&self) -> Vec<(String, Vec<(f64, u64)>)> {
        let curve = |name: &str, share: f64| {
            let point = |row: &Row| ((row.plan.rate as f64).log2(), row.run.latency.at(share));
            (format!("{} {name}", self.name()), self.tried.iter().map(point).collect())
        };
        vec![curve("p50", 0.5), curve("p99", 0.99)]
    }
}

fn sheet(args: &Args, begun: &Begun<'_>, knees: &[Knee]) -> Sheet {
    let bound_ns = args.bound_ns();
    let mut parts = Vec::new();
    for knee in knees {
        parts.push(Part::Table {
            heading: format!("{} ({} s a rate)", knee.sentence(bound_ns), args.seconds),
            text: knee.table(bound_ns),
        });
        parts.push(Part::Table {
            heading: format!("{}: by the machine's own, from the same run", knee.name()),
            text: super::ratio_table(&knee.tried, &begun.machine),
        });
        parts.push(Part::Table {
            heading: format!("{}: what was there, and what it took", knee.name()),
            text: super::state_table(&knee.tried, &begun.machine),
        });
    }
    let marks = knees.iter().filter_map(|knee| {
        let rate = knee.rate(bound_ns)?;
        Some((format!("knee, {}", knee.name()), vec![(rate as f64).log2()]))
    });
    parts.push(Part::Lines(Lines {
        heading: "Latency over the rate",
        text: "Where p99 leaves the level and rises, the queue is never empty any more.".to_owned(),
        lines: knees.iter().flat_map(Knee::curves).collect(),
        marks: marks.collect(),
        below: "requests a second, by doublings: 10 is 1,024, 17 is 131,072",
    }));
    let rows = knees.iter().flat_map(|knee| &knee.tried);
    let checked = |row: &Row| format!("{}: {}", name(&row.plan), row.run.checked);
    Sheet {
        title: "betring bench latency --find-knee".to_owned(),
        doubts: begun.doubts(needed(args.layout, begun.machine.cores)),
        parts,
        rows: knees.iter().map(|knee| knee.to_json(begun, bound_ns)).collect(),
        checked: rows.map(checked).collect(),
    }
}
