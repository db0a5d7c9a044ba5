//! How long until an engine serves again: opening a journal of ten million commands with and without a snapshot, and how
//! much memory that takes? What `betring bench recover` measures. `RECOVER_COMMANDS` sets how many.

use betring_benches::error::Error;
use betring_benches::machine::Machine;
use betring_benches::recover::{self, Opened, Plan};
use std::path::Path;
use std::process::Command;

/// Tells a process of this program which directory it is to open.
const OPEN: &str = "RECOVER_OPEN";

fn main() -> Result<(), Error> {
    // As a test it is small; cargo says when it is to measure.
    let testing = !std::env::args().any(|arg| arg == "--bench");
    let asked = std::env::var("RECOVER_COMMANDS").ok().and_then(|n| n.parse::<u64>().ok());
    let commands = asked.unwrap_or(if testing { 30_000 } else { 10_000_000 });
    let plan = Plan { commands, open_bets: 0 };
    if let Some(dir) = std::env::var_os(OPEN) {
        println!("{}", recover::open(Path::new(&dir), &plan)?);
        return Ok(());
    }
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    println!("{}", Machine::measure(scratch.path()));
    let run = recover::run(scratch.path(), &plan, &mut opened, &mut |_| {})?;
    let journaled = &run.journaled;
    println!(
        "journal of {} in {:.1} s, {} bytes of records, {} bets, {} keys live, state {}",
        journaled.seq,
        journaled.took.as_secs_f64(),
        journaled.bytes,
        journaled.bets,
        journaled.keys,
        journaled.digest
    );
    for snapshot in &journaled.snapshots {
        println!("made: {snapshot}");
    }
    for (how, opened) in &run.opened {
        println!(
            "{how}: {:.2} s ({:.2} s of a processor), of which {:.2} s until every byte was checked; {} records decided \
             again, {:.0} a second; peak of memory {} MiB ({} before)",
            opened.took.as_secs_f64(),
            opened.processor_s,
            opened.checked.as_secs_f64(),
            opened.replayed,
            opened.replayed_per_s,
            opened.peak_mib.1,
            opened.peak_mib.0
        );
    }
    Ok(())
}

/// Opens the journal in a process of its own, and what that tells.
fn opened(book: &Path) -> Result<Opened, Error> {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args(std::env::args().skip(1)).env(OPEN, book).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "it opens: {said}");
    String::from_utf8_lossy(&output.stdout).parse().map_err(Error::Wrong)
}
