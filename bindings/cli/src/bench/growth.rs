//! What a bet takes as the state grows, beside what waiting for memory takes.

use super::sheet::{Part, Sheet};
use super::{Begun, Common, Failed, Steps, up_to};
use crate::error::CliError;
use crate::memory;
use crate::report::Lines;
use betring_benches::growth::{Grown, SIZES, measure, walk_ns};
use betring_benches::recorder::{Bytes, Count, Table};
use betring_benches::warm::{AT_A_TIME, Size};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Memory that is walked through: about a first, a second and a third cache.
const WALKS: [u64; 3] = [16 << 10, 256 << 10, 16 << 20];
/// And as much as the largest state takes, up to this.
const WALK_MAX: u64 = 1 << 30;
/// What an open bet takes in memory, about.
const BYTES_A_BET: u64 = 350;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring bench growth                         up to 10,000,000 bets and accounts: minutes, and 8 GiB
  betring bench growth --up-to 100_000         without the largest
  betring bench growth --report growth.html    and its plot

A bet with all gates is decided, without rings, threads and journal: a batch of 250 at a time, the median
of the batches. `misses` says how many waits for memory, one after the other, the difference to the first
row is: how long one takes is measured by a walk through as much memory, in an order by chance. A size for which there
is no memory is left out, and that is said.

Exit status: 0 measured, and the states hold; 1 one does not; 2 it could not be measured.")]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Bets that are measured at each size.
    #[arg(long, value_name = "N", default_value = "20_000", value_parser = bets)]
    bets: u64,
    /// Leave out sizes of more bets, markets or accounts than this.
    #[arg(long, value_name = "N", default_value = "10_000_000", value_parser = sizes)]
    up_to: u64,
}

/// At least the smallest size.
fn sizes(text: &str) -> Result<u64, String> {
    let up_to = up_to(text, 10_000_000)?;
    let least = largest(&SIZES[0]);
    if up_to < least { Err(format!("write {} to 10,000,000", Count(least))) } else { Ok(up_to) }
}

/// At least two batches.
fn bets(text: &str) -> Result<u64, String> {
    let bets = up_to(text, 10_000_000)?;
    if bets < 2 * AT_A_TIME {
        Err(format!("write {} to 10,000,000", 2 * AT_A_TIME))
    } else {
        Ok(bets)
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let begun = Begun::new(&args.common, "growth", 0)?;
    let sheet = sheet(args, &begun);
    begun.end(sheet)
}

fn sheet(args: &Args, begun: &Begun<'_>) -> Result<Sheet, Failed> {
    let wanted = SIZES.iter().filter(|size| largest(size) <= args.up_to);
    let there = memory::available();
    let (sizes, without): (Vec<&Size>, Vec<&Size>) =
        wanted.partition(|size| needed(size, args.bets) <= there);
    let mut doubts = begun.doubts(1);
    doubts.extend(without.iter().map(|size| {
        format!(
            "left out, there is no memory for it: {}, {} needed",
            name(size),
            Bytes(needed(size, args.bets))
        )
    }));
    if sizes.is_empty() {
        return Err(Failed::Cannot(CliError::new(
            "there is no memory for a state of any size",
            format_args!("{} are needed for the smallest", Bytes(needed(&SIZES[0], args.bets))),
            "end something else that takes memory",
        )));
    }
    let mut steps = Steps::new(sizes.len() + 1, begun.common.is_quiet());
    steps.next("walks through memory");
    let most =
        sizes.iter().map(|size| state(size)).max().unwrap_or(0).clamp(WALKS[2] * 2, WALK_MAX);
    let walks = WALKS.into_iter().chain([most]);
    let walks: Vec<(u64, f64)> = walks.map(|bytes| (bytes, walk_ns(bytes as usize))).collect();
    let wait = walks.last().map_or(1.0, |(_, ns)| *ns);
    let mut grown = Vec::new();
    for size in sizes {
        steps.next(name(size));
        grown.push(measure(*size, args.bets, &mut |_| ())?);
    }
    let walked = walks.iter().map(|(bytes, ns)| format!("{} {ns:.1} ns", Bytes(*bytes)));
    let walked = walked.collect::<Vec<_>>();
    let text = format!(
        "{}  a wait for memory, by how much is walked through: {}\n",
        table(&grown, wait),
        walked.join(" · ")
    );
    Ok(Sheet {
        title: "What a bet takes as the state grows".to_owned(),
        doubts,
        rows: json!({
            "rows": grown.iter().map(|row| row_json(row, &grown[0], wait)).collect::<Value>(),
            "walks": walks.iter().map(|(bytes, ns)| json!({ "bytes": bytes, "ns": ns })).collect::<Value>(),
        }),
        parts: vec![
            Part::Table { heading: "a bet with all gates, decided in memory".to_owned(), text },
            Part::Lines(lines(&grown)),
        ],
        checked: vec![format!(
            "every bet was taken at each of {} sizes, and every rule of the states that are not too large to look at holds",
            grown.len()
        )],
    })
}

fn largest(size: &Size) -> u64 {
    u64::from(size.open_bets.max(size.markets).max(size.accounts))
}

/// About what what grows of a state takes, in bytes.
fn state(size: &Size) -> u64 {
    let of = |count: u32, each: u64| u64::from(count) * each;
    of(size.open_bets, BYTES_A_BET) + of(size.accounts, 130) + of(size.markets, 3_000)
}

/// What there has to be of memory: for keys, for the bets that are measured, for what is made anew, and for others.
fn needed(size: &Size, bets: u64) -> u64 {
    // Of a small state so many are measured, and then it is made anew.
    let more = bets.min(u64::from(size.open_bets / 2).max(2 * AT_A_TIME));
    (state(size) + more * BYTES_A_BET + (200 << 20)) * 3 / 2
}

fn name(size: &Size) -> String {
    let Size { accounts, markets, open_bets } = size;
    let [accounts, markets, bets] = [accounts, markets, open_bets].map(|n| Count((*n).into()));
    format!("{bets} open bets, {markets} markets, {accounts} accounts")
}

/// How many waits for memory, one after the other, a bet takes more than in the first row.
fn misses(row: &Grown, first: &Grown, walk: f64) -> f64 {
    ((row.bet_ns - first.bet_ns) / walk).max(0.0)
}

fn table(grown: &[Grown], walk: f64) -> String {
    let headings = [
        "open bets",
        "markets",
        "accounts",
        "live keys",
        "bets",
        "p50 a bet",
        "p99",
        "to first",
        "misses",
        "state",
        "resident",
    ];
    let mut table = Table::new(headings);
    for row in grown {
        let count = |n: u32| Count(n.into()).to_string();
        table.row([
            count(row.size.open_bets),
            count(row.size.markets),
            count(row.size.accounts),
            count(row.keys),
            Count(row.bets).to_string(),
            format!("{:.0} ns", row.bet_ns),
            format!("{:.0} ns", row.bet_p99_ns),
            format!("{:.2}x", row.bet_ns / grown[0].bet_ns),
            format!("{:.1}", misses(row, &grown[0], walk)),
            Bytes(row.bytes).to_string(),
            Bytes(row.resident).to_string(),
        ]);
    }
    table.to_string()
}

fn row_json(row: &Grown, first: &Grown, walk: f64) -> Value {
    json!({
        "open_bets": row.size.open_bets, "markets": row.size.markets, "accounts": row.size.accounts,
        "live_keys": row.keys, "bets": row.bets, "bet_p50_ns": row.bet_ns, "bet_p99_ns": row.bet_p99_ns,
        "to_first": row.bet_ns / first.bet_ns, "misses": misses(row, first, walk), "state_bytes": row.bytes,
        "resident_bytes": row.resident, "digest": row.digest.to_string(),
    })
}

/// One line for each thing that grows by itself.
fn lines(grown: &[Grown]) -> Lines {
    let first = grown[0].size;
    let line = |name: &str, of: fn(&Size) -> u32, others: fn(&Size) -> [u32; 2]| {
        let alone = grown.iter().filter(|row| others(&row.size) == others(&first));
        let at = |row: &Grown| (f64::from(of(&row.size)).log10(), row.bet_ns.round() as u64);
        let mut points: Vec<(f64, u64)> = alone.map(at).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        (name.to_owned(), points)
    };
    Lines {
        heading: "A bet, as one thing grows",
        text: "The other two stay as in the first row of the table.".to_owned(),
        lines: vec![
            line("open bets", |size| size.open_bets, |size| [size.markets, size.accounts]),
            line("markets", |size| size.markets, |size| [size.open_bets, size.accounts]),
            line("accounts", |size| size.accounts, |size| [size.open_bets, size.markets]),
        ],
        marks: Vec::new(),
        below: "how many, as a power of ten",
    }
}
