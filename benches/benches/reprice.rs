//! How long is it from a feed's message about a match to all of the match's prices in force, and how many matches a
//! second does one core reprice? What `betring bench reprice` measures.
//!
//! `cargo bench -p betring-benches --bench reprice -- [--seconds S] [--rate N]`

use betring::pricing::derive::football::OUTCOMES;
use betring::{Layout, Level};
use betring_benches::machine::Machine;
use betring_benches::recorder::{Count, Span, Table};
use betring_benches::reprice::{self, Plan};
use std::error::Error;
use std::time::Duration;

struct Options {
    rates: Vec<u64>,
    duration_ns: u64,
    matches: u32,
    /// Repricings on one core.
    count: u32,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        rates: vec![100, 1_000, 4_000],
        duration_ns: 3_000_000_000,
        matches: 50,
        count: 50_000,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = |most: u64| words.next()?.parse().ok().filter(|n| (1..=most).contains(n));
        match word.as_str() {
            // What cargo says to every bench.
            "--bench" => (),
            "--test" => {
                options =
                    Options { rates: vec![200], duration_ns: 200_000_000, matches: 2, count: 4 }
            }
            "--seconds" => {
                let seconds = number(60).ok_or("--seconds takes 1 to 60")?;
                options.duration_ns = seconds * 1_000_000_000;
            }
            "--rate" => {
                options.rates = vec![number(100_000).ok_or("--rate takes 1 to 100000 a second")?];
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let above = tempfile::Builder::new()
        .prefix("betring-reprice-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{}", Machine::measure(above.path()));
    let dir = above.path().join("book");
    let mut table = Table::new([
        "outputs",
        "matches",
        "prices",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "late",
        "overwritten",
    ]);
    for level in [Level::ProcessCrashOnly, Level::Durable] {
        for rate in &options.rates {
            let plan = Plan {
                outputs: level,
                layout: Layout::Auto,
                matches: options.matches,
                rate: *rate,
                duration: Duration::from_nanos(options.duration_ns),
            };
            let measured = reprice::in_time(&dir, &plan)?;
            std::fs::remove_dir_all(&dir)?;
            let (q, kept) = (measured.latency.quantiles(), measured.kept);
            let mut cells = vec![
                level.to_string(),
                format!("{}/s", Count(*rate)),
                Count(measured.prices).to_string(),
            ];
            cells.extend([q.p50, q.p90, q.p99, q.p999, q.max].map(|ns| Span(ns).to_string()));
            cells.push(format!("{:.1} %", kept.late as f64 * 100.0 / kept.sent.max(1) as f64));
            cells.push(Count(measured.overwritten).to_string());
            table.row(cells);
        }
    }
    let layout = Layout::Auto;
    let seconds = options.duration_ns as f64 / 1e9;
    println!(
        "from a feed's message to all prices of a match, layout {layout}, {} matches of {OUTCOMES} prices, {seconds} \
         s a row, the first tenth not counted",
        options.matches
    );
    print!("{table}");

    let spent = reprice::on_one_core(&dir, options.matches, options.count)?;
    let (count, each) = (u64::from(options.count), |n: u64| spent.ns / n.max(1));
    println!(
        "one core, pricer, loop and journal: {} matches a second ({} each, {} of it in the program), {} prices a second ({} \
         each); {} journaled of a match, {} syncs",
        Count(1_000_000_000 / each(count).max(1)),
        Span(each(count)),
        Span(spent.program_ns / count.max(1)),
        Count(1_000_000_000 / each(spent.prices).max(1)),
        Span(each(spent.prices)),
        Count(spent.bytes / count.max(1)),
        Count(spent.syncs),
    );
    Ok(())
}
