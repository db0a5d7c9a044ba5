//! How long is the longest turn of the loop while a million bets are settled, opened again, voided, or
//! lapse in another market, and do other markets notice? What `betring bench settle` measures.
//!
//! Times depend on the machine; the count of instructions does not: `benches/longest-turn.sh` runs
//! this under callgrind and prints the longest turn in instructions. `BIG_JOBS_BETS` sets how many bets.

use betring_benches::error::Error;
use betring_benches::recorder::Span;
use betring_benches::settle;

fn main() -> Result<(), Error> {
    let testing = std::env::args().any(|arg| arg == "--test");
    let asked = std::env::var("BIG_JOBS_BETS").ok().and_then(|n| n.parse::<u32>().ok());
    let bets = asked.unwrap_or(if testing { 5_000 } else { 1_000_000 });
    let dir = tempfile::tempdir().expect("a temporary directory");
    println!("{bets} bets in one market, and {bets} that wait in another ...");
    println!(
        "phase        seconds  Steps' worth   taken elsewhere  turn: p50         p99         max"
    );
    let run = settle::run(&dir.path().join("book"), bets, &mut |phase| {
        let [p50, p99, max] =
            [phase.turn.p50, phase.turn.p99, phase.turn.max].map(|ns| Span(ns).to_string());
        println!(
            "{:<9} {:>10.2} {:>13} {:>17} {p50:>15} {p99:>11} {max:>11}",
            phase.name,
            phase.took.as_secs_f64(),
            phase.turns,
            phase.others
        );
    })?;
    println!(
        "suspending the market whose {bets} bets waited took one command, {:.1?}",
        run.suspended
    );
    println!("money digest {}", run.money);
    Ok(())
}
