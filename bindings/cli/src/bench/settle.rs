//! The loop's turns while very many bets are settled, opened again, cancelled and lapse.

use super::sheet::{Part, Sheet, quantiles_json};
use super::{Begun, Common, Failed, say, up_to};
use crate::error::CliError;
use betring_benches::recorder::{Count, Span, Table};
use betring_benches::settle::{Phase, Run, run as measure};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Bytes journaled for a bet through all of it, and for the bets of others between.
const BYTES_A_BET: u64 = 8_000;
const BYTES_AT_LEAST: u64 = 512 << 20;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Bets in a market that is settled, opened again and cancelled, and as many in one that wait and lapse.
    #[arg(long, value_name = "N", default_value = "1_000_000",
        value_parser = |text: &str| up_to(text, 10_000_000))]
    bets: u64,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let begun = Begun::new(&args.common, "settle", BYTES_AT_LEAST + args.bets * BYTES_A_BET)?;
    let measured = measured(args, &begun).map(|run| sheet(args, &begun, &run));
    begun.end(measured)
}

fn measured(args: &Args, begun: &Begun<'_>) -> Result<Run, Failed> {
    let is_quiet = args.common.is_quiet();
    if !is_quiet {
        say(format_args!("placing {} bets in each of two markets ...", Count(args.bets)));
    }
    let bets = u32::try_from(args.bets).unwrap_or(u32::MAX);
    let mut tell = |phase: &Phase| {
        if !is_quiet {
            say(format_args!("{}: {:.1} s", phase.name, phase.took.as_secs_f64()));
        }
    };
    Ok(measure(&begun.dir("book"), bets, &mut tell)?)
}

fn sheet(args: &Args, begun: &Begun<'_>, run: &Run) -> Sheet {
    let before = run.phases.first().map_or(1, |phase| phase.turn.p99.max(1));
    let headings = [
        "phase",
        "seconds",
        "turns",
        "others' bets",
        "turn p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "p99 / before",
    ];
    let mut table = Table::new(headings);
    for phase in &run.phases {
        let q = phase.turn;
        let mut cells = vec![
            phase.name.to_owned(),
            format!("{:.2}", phase.took.as_secs_f64()),
            Count(phase.turns).to_string(),
            Count(phase.others).to_string(),
        ];
        cells.extend([q.p50, q.p90, q.p99, q.p999, q.max].map(|ns| Span(ns).to_string()));
        cells.push(format!("{:.2}x", q.p99 as f64 / before as f64));
        table.row(cells);
    }
    let bar = |phase: &Phase| {
        let p99 = phase.turn.p99;
        (phase.name.to_owned(), p99 as f64, Span(p99).to_string())
    };
    let row = |phase: &Phase| {
        json!({
            "phase": phase.name, "seconds": phase.took.as_secs_f64(), "turns": phase.turns,
            "others": phase.others, "turn": quantiles_json(&phase.turn),
        })
    };
    Sheet {
        title: "betring bench settle".to_owned(),
        doubts: begun.doubts(1),
        parts: vec![
            Part::Table {
                heading: format!(
                    "Turns of the loop while {} bets are settled, opened again, cancelled, and as many lapse; each takes \
                     eight bets of others, which wait for it, and ends with a sync",
                    Count(args.bets)
                ),
                text: table.to_string(),
            },
            Part::Table {
                heading: "One command".to_owned(),
                text: format!(
                    "  suspending the market whose bets waited took {:.1?}",
                    run.suspended
                ),
            },
            Part::Bars {
                heading: "The p99 of a turn, by what goes on",
                text: "Everybody else waits as long as a turn takes.",
                bars: run.phases.iter().map(bar).collect(),
            },
        ],
        rows: run.phases.iter().map(row).collect::<Value>(),
        checked: vec![format!(
            "no bet of others was lost or refused, every bet is where it has to be, a second reader has the same money ({})",
            run.money
        )],
    }
}
