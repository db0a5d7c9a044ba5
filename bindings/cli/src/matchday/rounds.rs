//! The plug pulled again and again: nights that are killed, reopened and audited, and what it sums up to.

use crate::error::{CliError, program};
use crate::matchday::kill::{self, Survived};
use crate::matchday::{self, plan, space, wall};
use crate::out::Out;
use betring::Level;
use betring_benches::recorder::Count;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Requests a second: enough that some are always under way.
pub(crate) const RATE: u64 = 2_000;
/// Small segments, so that kills meet their ends and the making of new ones.
pub(crate) const SEGMENT_MIB: u64 = 1;
/// A line this often.
const TELL: Duration = Duration::from_secs(10);
/// What went wrong, told at most this often.
const WRONG_MAX: usize = 20;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring drill kill                                20 rounds, all levels in turn
  betring drill kill --rounds 500                   about a quarter of an hour
  betring drill kill --rounds 50 --level durable    the level for money alone
  betring drill kill --seed 7 --dir /srv/test       on the disk that it is about

Every round plays a night in a process of its own, kills that with SIGKILL at a random moment within
--seconds of its first answer, reopens the book, asks once more for every answer that was told and for
every request without one, and audits all of it against what customers wrote down. What is told at
`applied` may vanish with the process: it is counted as withdrawn, and has to be answered once, too.
A round that fails leaves its book where it is. The seed fixes the night and when the kill is due; what
the kill meets is up to the machine.

Exit status: 0 nothing promised was lost and nothing answered twice differently, 1 something was,
2 no round could be played.")]
pub(crate) struct Args {
    /// How many kills.
    #[arg(long, value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rounds: u64,
    /// How safe an answer has to be before customers see it: durable, process, applied; several take
    /// turns [default: all three].
    #[arg(long, value_name = "L", num_args = 1..)]
    level: Vec<Level>,
    /// Within so many seconds of the first answer comes the kill.
    #[arg(long, value_name = "S", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Requests a second while it is calm.
    #[arg(long, value_name = "N", default_value_t = RATE,
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
    /// What chance is drawn from: round n has the seed N + n [default: another every time, printed].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where the books of the rounds go; one at a time, removed when it passed [default: a fresh
    /// ./betring-kill-SEED].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What the rounds at one level came to.
#[derive(Clone, Default)]
struct Sum {
    rounds: u64,
    acknowledged: u64,
    promised: u64,
    lost: u64,
    withdrawn: u64,
    same: u64,
    differing: u64,
    unknown: u64,
    done: u64,
    refused: u64,
    never: u64,
    open: u64,
    /// Rounds in which a record was cut off in the middle.
    torn: u64,
    failed: u64,
}

impl Sum {
    fn add(&mut self, survived: &Survived) {
        let settled = &survived.settled;
        self.acknowledged += survived.acknowledged;
        self.promised += survived.promised;
        self.lost += survived.lost;
        self.withdrawn += survived.audit.withdrawn();
        self.same += survived.same;
        self.differing += survived.differing;
        self.unknown += survived.unknown;
        self.done += settled.done;
        self.refused += settled.refused;
        self.never += settled.never;
        self.open += settled.open;
        self.torn += u64::from(survived.recovered.cut.is_some());
    }

    fn merge(&mut self, other: &Sum) {
        self.rounds += other.rounds;
        self.acknowledged += other.acknowledged;
        self.promised += other.promised;
        self.lost += other.lost;
        self.withdrawn += other.withdrawn;
        self.same += other.same;
        self.differing += other.differing;
        self.unknown += other.unknown;
        self.done += other.done;
        self.refused += other.refused;
        self.never += other.never;
        self.open += other.open;
        self.torn += other.torn;
        self.failed += other.failed;
    }

    fn row(&self, name: &str) -> String {
        format!(
            "{name:<10}{:>7}{:>14}{:>11}{:>6}{:>11}{:>13}{:>11}{:>9}{:>11}{:>8}",
            self.rounds,
            Count(self.acknowledged).to_string(),
            Count(self.promised).to_string(),
            self.lost,
            Count(self.withdrawn).to_string(),
            Count(self.same).to_string(),
            self.differing,
            Count(self.unknown).to_string(),
            self.open,
            self.failed,
        )
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "rounds": self.rounds, "acknowledged": self.acknowledged, "promised": self.promised,
            "lost": self.lost, "withdrawn": self.withdrawn, "asked_once_more": self.same,
            "answered_twice_differently": self.differing, "unknown": self.unknown,
            "done": self.done, "refused": self.refused, "never_placed": self.never,
            "unresolved": self.open, "torn": self.torn, "failed": self.failed,
        })
    }
}

const HEAD: &str = "level      rounds  acknowledged   promised  lost  withdrawn  asked again  \
                    differing  unknown  unresolved  failed";

/// Plays and kills, `--rounds` times.
pub(crate) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let mut out = Out::new();
    let began = Instant::now();
    let seed = args.seed.unwrap_or_else(|| wall().0.unsigned_abs() / 1_000 % 1_000_000);
    let above = args.dir.clone().unwrap_or_else(|| PathBuf::from(format!("./betring-kill-{seed}")));
    let mut levels = args.level.clone();
    if levels.is_empty() {
        levels = vec![Level::Durable, Level::ProcessCrashOnly, Level::AppliedOnlyMayVanish];
    }
    std::fs::create_dir_all(&above)
        .map_err(|e| CliError::write("cannot make the directory", &above, &e))?;
    if !args.json {
        let names: Vec<String> = levels.iter().map(Level::to_string).collect();
        out.line(format_args!(
            "betring drill kill · {} rounds at {} in turn, seed {seed}, in {}",
            Count(args.rounds),
            names.join(", "),
            above.display()
        ))?;
        out.flush()?;
    }
    let mut sums = vec![Sum::default(); levels.len()];
    let mut wrong: Vec<String> = Vec::new();
    let mut told = Instant::now();
    for round in 0..args.rounds {
        let turn = usize::try_from(round).unwrap_or(usize::MAX) % levels.len();
        let mut night = matchday::Args::killed(seed.wrapping_add(round), args.rate, args.seconds);
        night.level = Some(levels[turn]);
        night.segment_mib = Some(SEGMENT_MIB);
        let book = above.join(format!("book-{}", round + 1));
        let outcome = one(&night, &book)?;
        let sum = &mut sums[turn];
        sum.rounds += 1;
        let why = match outcome {
            Ok(survived) => {
                sum.add(&survived);
                (!survived.passed()).then(|| what_failed(&survived))
            }
            Err(error) => Some(format!("it could not be opened again: {error}")),
        };
        match why {
            None => remove(&book)?,
            Some(why) => {
                sum.failed += 1;
                if wrong.len() < WRONG_MAX {
                    wrong.push(format!(
                        "round {} (level {}, seed {}): {why}\n      its book: {}",
                        round + 1,
                        levels[turn],
                        night.seed(),
                        book.display()
                    ));
                }
            }
        }
        if !args.json && TELL <= told.elapsed() {
            told = Instant::now();
            let left = began.elapsed().as_secs() * (args.rounds - round - 1) / (round + 1);
            let all = total(&sums);
            eprintln!(
                "  {} of {} rounds: {} acknowledged, {} lost, {} answered twice differently; \
                 about {} min {} s left",
                round + 1,
                args.rounds,
                Count(all.acknowledged),
                all.lost,
                all.differing,
                left / 60,
                left % 60
            );
        }
    }
    let all = total(&sums);
    // Somebody else's directory, or one with a book to look at, stays.
    let _ = std::fs::remove_dir(&above);
    let passed = all.failed == 0;
    if args.json {
        let by_level: serde_json::Map<_, _> = levels
            .iter()
            .zip(&sums)
            .map(|(level, sum)| (level.to_string(), sum.to_json()))
            .collect();
        out.line(json!({
            "passed": passed, "seed": seed, "all": all.to_json(), "levels": by_level,
            "wrong": wrong, "seconds": began.elapsed().as_secs_f64(),
        }))?;
    } else {
        out.line("")?;
        out.line(HEAD)?;
        for (level, sum) in levels.iter().zip(&sums) {
            out.line(sum.row(&level.to_string()))?;
        }
        out.line(all.row("all"))?;
        out.line("")?;
        for what in &wrong {
            out.line(format_args!("FAIL  {what}"))?;
        }
        out.line(format_args!(
            "{}  {} kills, {} with a record torn off: {} acknowledged, {} promised, {} lost, {} \
             answered twice differently",
            if passed { "PASS" } else { "FAIL" },
            Count(all.rounds),
            all.torn,
            Count(all.acknowledged),
            Count(all.promised),
            all.lost,
            all.differing
        ))?;
        let took = began.elapsed();
        out.line(format_args!(
            "      unknown {}, resolved: {} done, {} refused, {} never placed; {} unresolved; \
             {:.1} s, {:.2} s a round",
            Count(all.unknown),
            Count(all.done),
            Count(all.refused),
            Count(all.never),
            all.open,
            took.as_secs_f64(),
            took.as_secs_f64() / all.rounds as f64
        ))?;
        if !passed {
            let me = program();
            out.line(format_args!(
                "      look into a book: {me} audit BOOK/journal --acks BOOK/acks.jsonl"
            ))?;
        }
    }
    out.flush()?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn total(sums: &[Sum]) -> Sum {
    let mut all = Sum::default();
    sums.iter().for_each(|sum| all.merge(sum));
    all
}

/// One round. What fails before the kill is no finding, but the end; what fails after it is one.
fn one(night: &matchday::Args, book: &Path) -> Result<Result<Survived, CliError>, CliError> {
    std::fs::create_dir(book)
        .map_err(|e| CliError::write("cannot make the directory", book, &e))?;
    let (journal, acks) = (book.join("journal"), book.join("acks.jsonl"));
    space::check(&journal, plan(night)?.2)?;
    let struck = kill::strike(night, &journal, &acks)?;
    Ok(kill::examine(night, &journal, &acks, &struck, &mut |_| Ok(())))
}

fn remove(book: &Path) -> Result<(), CliError> {
    std::fs::remove_dir_all(book).map_err(|e| CliError::io("cannot remove the book", book, &e))
}

/// The first thing that failed, the gravest first.
pub(crate) fn what_failed(survived: &Survived) -> String {
    let settled = &survived.settled;
    if survived.lost != 0 {
        return format!("{} promised answers are lost", survived.lost);
    }
    if survived.differing != 0 {
        let first = survived.first_differing.clone().unwrap_or_default();
        return format!("{} requests answered twice differently: {first}", survived.differing);
    }
    if settled.open != 0 {
        let first = settled.first_open.clone().unwrap_or_default();
        return format!("{} requests stay open: {first}", settled.open);
    }
    if !survived.stays {
        return "the same questions, asked twice, had two answers".to_owned();
    }
    if !survived.replays {
        return format!("a replay does not give the state {}", survived.digest);
    }
    survived.audit.lines().into_iter().filter(|line| line.contains("FAIL")).collect()
}
