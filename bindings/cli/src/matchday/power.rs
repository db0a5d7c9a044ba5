//! The power cut, on a disk in a file: of what a process wrote, only what reached the disk is there.
//!
//! ```text
//! the playing process ─▶ file system `inner` ─▶ loop device = the file `device` ─▶ file system `outer`
//! ```
//!
//! At a random moment `outer` is frozen: from then on nothing reaches the disk any more, and what did
//! stands still. The process is killed, the file copied as it is, the copy mounted and its journal
//! reopened. What only the system's page cache had is gone, as after a loss of power. What this cannot
//! show is a disk that forgets what it had promised to have; the simulator does.

use crate::error::CliError;
use crate::matchday::kill;
use crate::matchday::rounds::{RATE, SEGMENT_MIB, what_failed};
use crate::matchday::{self, wall};
use crate::out::Out;
use betring::Level;
use betring_benches::recorder::Count;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bytes of the disk, and of the file system that the disk's file is in: both take what is written.
const DEVICE_MIB: u64 = 768;
const OUTER_MIB: u64 = 1_024;
/// How long an interrupt may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring drill power-cut                       5 rounds at durable: nothing told is lost
  betring drill power-cut --level process       the page cache is no promise: it loses answers

It makes a disk in a file, with a file system on it, and lets a night be played there. At a
random moment nothing reaches that disk any more; the process is killed, the disk as it is then
is mounted as another one, and its journal is reopened and compared with every answer that
customers were told. It has to be run by root, on Linux with loop devices; where that is not so
it says what is missing.

Interrupted (SIGINT, SIGTERM, SIGHUP) it ends its round, unmounts and removes everything. After
a SIGKILL, which nobody can hear, do that by hand; some of it may not be there:
  fsfreeze --unfreeze DIR/round-*/outer
  umount DIR/round-*/inner; umount DIR/round-*/after DIR/round-*/outer
  rm -r DIR

Exit status: 0 nothing told was lost, 1 something was, 2 it is not possible here, or it was
interrupted.")]
pub(crate) struct Args {
    /// How many cuts.
    #[arg(long, value_name = "N", default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rounds: u64,
    /// How safe an answer has to be before customers see it: durable, process.
    #[arg(long, value_name = "L", default_value = "durable")]
    level: Level,
    /// Within so many seconds of the first answer comes the cut.
    #[arg(long, value_name = "S", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// What chance is drawn from: round n has the seed N + n [default: another every time, printed].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where the disks' files and mount points go [default: a fresh ./betring-power-SEED].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Cuts the power, `--rounds` times.
pub(crate) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if !rustix::process::geteuid().is_root() {
        return Err(missing("to be run by root: it mounts file systems"));
    }
    if args.level == Level::AppliedOnlyMayVanish {
        return Err(CliError::new(
            "at the level applied nothing is promised that a cut could break",
            "--level",
            "write durable, or process",
        ));
    }
    let mut out = Out::new();
    let seed = args.seed.unwrap_or_else(|| wall().0.unsigned_abs() / 1_000 % 1_000_000);
    let above =
        args.dir.clone().unwrap_or_else(|| PathBuf::from(format!("./betring-power-{seed}")));
    let (mut acknowledged, mut promised, mut lost, mut unknown, mut never) = (0, 0, 0, 0, 0);
    let mut wrong: Vec<String> = Vec::new();
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))
            .map_err(|e| CliError::io("cannot listen for signals", &above, &e))?;
    }
    if !args.json {
        out.line(format_args!(
            "betring drill power-cut · {} rounds at {}, seed {seed}, in {}",
            args.rounds,
            args.level,
            above.display()
        ))?;
        out.flush()?;
    }
    for round in 0..args.rounds {
        let mut night = matchday::Args::killed(seed.wrapping_add(round), RATE, args.seconds);
        night.level = Some(args.level);
        night.segment_mib = Some(SEGMENT_MIB);
        let survived = one(&night, &above, &interrupted);
        if interrupted.load(Ordering::Relaxed) {
            return Err(stopped(round + 1, &above));
        }
        let survived = survived?;
        acknowledged += survived.acknowledged;
        promised += survived.promised;
        lost += survived.lost;
        unknown += survived.unknown;
        never += survived.settled.never;
        if !survived.passed() {
            wrong.push(format!(
                "round {} (seed {}): {}",
                round + 1,
                night.seed(),
                what_failed(&survived)
            ));
        }
        if !args.json {
            out.line(format_args!(
                "cut {} of {}: {} told, {} promised, {} lost; {}",
                round + 1,
                args.rounds,
                Count(survived.acknowledged),
                Count(survived.promised),
                survived.lost,
                survived.recovered
            ))?;
            out.flush()?;
        }
    }
    // Somebody else's directory stays.
    let _ = std::fs::remove_dir(&above);
    let passed = wrong.is_empty();
    if args.json {
        out.line(json!({
            "passed": passed, "seed": seed, "rounds": args.rounds, "level": args.level.to_string(),
            "acknowledged": acknowledged, "promised": promised, "lost": lost, "unknown": unknown,
            "never_placed": never, "wrong": wrong,
        }))?;
    } else {
        for what in &wrong {
            out.line(format_args!("FAIL  {what}"))?;
        }
        out.line(format_args!(
            "{}  {} power cuts at {}, seed {seed}: {} acknowledged, {} promised, {lost} lost; unknown \
             {}, {} of them never placed",
            if passed { "PASS" } else { "FAIL" },
            args.rounds,
            args.level,
            Count(acknowledged),
            Count(promised),
            Count(unknown),
            Count(never)
        ))?;
    }
    out.flush()?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One round. Whatever was mounted is unmounted, and every file removed, when it ends.
fn one(
    night: &matchday::Args,
    above: &Path,
    interrupted: &AtomicBool,
) -> Result<kill::Survived, CliError> {
    let mut wait = |span: Duration| {
        let until = Instant::now() + span;
        while Instant::now() < until && !interrupted.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK_EVERY.min(until - Instant::now()));
        }
    };
    let place = Place::make(above)?;
    let (outer_image, copy) = (place.0.join("outer.img"), place.0.join("copy.img"));
    let acks = place.0.join("acks.jsonl");
    let outer = Mounted::fresh(&outer_image, OUTER_MIB, &place.0.join("outer"))?;
    let device = outer.0.join("device.img");
    let inner = Mounted::fresh(&device, DEVICE_MIB, &place.0.join("inner"))?;
    let journal = inner.0.join("journal");
    let struck = kill::strike_with(night, &journal, &acks, &mut wait, &mut |victim| {
        let frozen = Frozen::at(&outer.0)?;
        victim.signal()?;
        // Sparse, as it is: most of a new disk was never written.
        tool("cp", &["--sparse=always"], &[&device, &copy])?;
        drop(frozen);
        victim.gone()
    })?;
    drop(inner);
    drop(outer);
    let after = Mounted::of(&copy, &place.0.join("after"))?;
    kill::examine(night, &after.0.join("journal"), &acks, &struck, &mut |_| Ok(()))
}

fn stopped(round: u64, above: &Path) -> CliError {
    // Somebody else's directory stays.
    let _ = std::fs::remove_dir(above);
    CliError::new(
        format_args!("interrupted in round {round}: what it had mounted is unmounted again"),
        above.display(),
        "run it again; if the directory is still there, `betring drill power-cut --help` says how to \
         clear it",
    )
}

fn missing(what: &str) -> CliError {
    CliError::new(
        format_args!("not possible here: it needs {what}"),
        "betring drill power-cut",
        "run it on a machine where that is so; `betring drill kill` and the simulator need nothing",
    )
}

/// Runs one of the system's programs.
fn tool(name: &str, options: &[&str], paths: &[&Path]) -> Result<(), CliError> {
    let mut command = Command::new(name);
    command.args(options).args(paths).stdin(Stdio::null()).stdout(Stdio::null());
    // In a group of its own: an interrupt from the terminal is for us, who clean up with these.
    command.process_group(0);
    let ended = command
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| missing(&format!("the program {name} ({error})")))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let line: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    Err(missing(&format!("`{name} {}` to work, which said: {}", line.join(" "), said.trim())))
}

/// The directory of a round; it goes with everything in it.
struct Place(PathBuf);

impl Place {
    fn make(above: &Path) -> Result<Place, CliError> {
        let wrong = |e| CliError::write("cannot make the directory", above, &e);
        std::fs::create_dir_all(above).map_err(wrong)?;
        let path = above.join(format!("round-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(wrong)?;
        path.canonicalize().map(Place).map_err(wrong)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // If something could not be unmounted, its files stay, too.
        let still = ["outer", "inner", "after"].iter().any(|name| is_mounted(&self.0.join(name)));
        if !still {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn is_mounted(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| path.metadata().map(|found| found.dev()).ok();
    path.exists() && device(path) != path.parent().and_then(device)
}

/// A file system in a file; unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// A new one.
    fn fresh(image: &Path, mib: u64, at: &Path) -> Result<Mounted, CliError> {
        let made = std::fs::File::create_new(image).and_then(|file| file.set_len(mib << 20));
        made.map_err(|e| CliError::write("cannot make the file of a disk", image, &e))?;
        tool("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1"], &[image])?;
        Mounted::of(image, at)
    }

    /// One that is there.
    fn of(image: &Path, at: &Path) -> Result<Mounted, CliError> {
        std::fs::create_dir(at)
            .map_err(|e| CliError::write("cannot make the directory", at, &e))?;
        // Reading must not write either, or it would wait for a frozen disk.
        tool("mount", &["-o", "loop,noatime"], &[image, at])?;
        Ok(Mounted(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What is still busy goes when it is no more; its directory tells.
        if tool("umount", &[], &[&self.0]).is_err() {
            let _ = tool("umount", &["--lazy"], &[&self.0]);
        }
    }
}

/// A file system that nothing can write to; let go when dropped.
struct Frozen(PathBuf);

impl Frozen {
    fn at(path: &Path) -> Result<Frozen, CliError> {
        let frozen = Frozen(path.to_owned());
        tool("fsfreeze", &["--freeze"], &[path])?;
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // It fails if freezing did, and then there is nothing to let go.
        let _ = tool("fsfreeze", &["--unfreeze"], &[&self.0]);
    }
}
