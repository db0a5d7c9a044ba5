//! The plug pulled again and again: nights that are killed, reopened and audited, and what it sums up to.

use crate::audit::{self, By};
use crate::error::{CliError, program};
use crate::matchday::kill::{self, Survived};
use crate::matchday::{self, plan, space, wall};
use crate::out::Out;
use betring::Level;
use betring_benches::recorder::Count;
use betring_fuzz::workload::Rng;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Requests a second: enough that some are always under way.
pub(crate) const RATE: u64 = 2_000;
/// Small segments, so that kills meet their ends and the making of new ones.
pub(crate) const SEGMENT_MIB: u64 = 1;
/// What a book's directory has: the journal, what a round's customers were told, and those of all rounds.
const JOURNAL: &str = "journal";
const ACKS: &str = "acks.jsonl";
const ALL_ACKS: &str = "all-acks.jsonl";
/// How often at most a book is killed once more before it is examined.
const AGAIN_MAX: u64 = 3;
/// Within this time a process of ours has come to opening its book.
const STARTS: Duration = Duration::from_millis(30);
/// So that these kills are drawn apart from the night's.
const AGAIN: u64 = 0xa6a1;
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
  betring drill kill --same-book --rounds 50        one book, killed again and again, while it opens too

Every round plays a night in a process of its own, kills that with SIGKILL at a random moment
within --seconds of its first answer, reopens the book, asks what became of every request
without an answer, and audits all of it against what customers wrote down. At `durable` and
`process` it also asks once more for every answer that was told: `same again` counts those that
came back the same, byte for byte, `differing` the others. What is told at `applied` may vanish
with the process: it is not asked for once more (`-`), and what the journal has otherwise or
not at all is counted as withdrawn. A round that fails leaves its book where it is. The seed
fixes the night and when the kill is due; what the kill meets is up to the machine.

With --same-book every round goes on in the book of the round before. In every other one the
process is started again on what the kill left, and killed within the time that it takes to open
that, up to three times, before the book is examined. In the end everything that was told in any
round is audited once more, together. The first round that fails is the last; a book gets longer
with every round, and so does a round.

Exit status: 0 nothing promised was lost and nothing answered twice differently, 1 something
was, 2 no round could be played.")]
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
    /// Go on in one book, and kill it while it is opened, too.
    #[arg(long)]
    same_book: bool,
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
    /// Whether what was told is asked for once more.
    asks: bool,
    same: u64,
    differing: u64,
    unknown: u64,
    done: u64,
    refused: u64,
    never: u64,
    open: u64,
    /// Rounds in which a record was cut off in the middle.
    torn: u64,
    /// Kills of a process that was to open what the kill before had left.
    again: u64,
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
        self.asks |= other.asks;
        self.same += other.same;
        self.differing += other.differing;
        self.unknown += other.unknown;
        self.done += other.done;
        self.refused += other.refused;
        self.never += other.never;
        self.open += other.open;
        self.torn += other.torn;
        self.again += other.again;
        self.failed += other.failed;
    }

    /// Told answers that were the same when they were asked for once more; `-` where none was.
    fn asked_again(&self) -> String {
        if self.asks { Count(self.same).to_string() } else { "-".to_owned() }
    }

    fn row(&self, name: &str) -> String {
        format!(
            "{name:<10}{:>7}{:>14}{:>11}{:>6}{:>11}{:>13}{:>11}{:>9}{:>11}{:>8}",
            self.rounds,
            Count(self.acknowledged).to_string(),
            Count(self.promised).to_string(),
            self.lost,
            Count(self.withdrawn).to_string(),
            self.asked_again(),
            self.differing,
            Count(self.unknown).to_string(),
            self.open,
            self.failed,
        )
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "rounds": self.rounds, "acknowledged": self.acknowledged, "promised": self.promised,
            "lost": self.lost, "withdrawn": self.withdrawn, "same_once_more": self.asks.then_some(self.same),
            "answered_twice_differently": self.differing, "unknown": self.unknown,
            "done": self.done, "refused": self.refused, "never_placed": self.never,
            "unresolved": self.open, "torn": self.torn, "killed_again": self.again,
            "failed": self.failed,
        })
    }
}

const HEAD: &str = "level      rounds  acknowledged   promised  lost  withdrawn   same again  \
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
    let asks = |level: &Level| *level != Level::AppliedOnlyMayVanish;
    let mut sums: Vec<Sum> =
        levels.iter().map(|level| Sum { asks: asks(level), ..Sum::default() }).collect();
    let mut wrong: Vec<String> = Vec::new();
    let mut told = Instant::now();
    // How long the last opening took: a kill within that time meets it.
    let mut opening = Duration::from_millis(20);
    for round in 0..args.rounds {
        let turn = usize::try_from(round).unwrap_or(usize::MAX) % levels.len();
        let mut night = matchday::Args::killed(seed.wrapping_add(round), args.rate, args.seconds);
        night.level = Some(levels[turn]);
        night.segment_mib = Some(SEGMENT_MIB);
        let number = if args.same_book { 1 } else { round + 1 };
        let book = above.join(format!("book-{number}"));
        night.resume = args.same_book && round != 0;
        let mut rng = Rng::new(night.seed() ^ AGAIN);
        let times = if args.same_book && round % 2 == 1 { 1 + rng.below(AGAIN_MAX) } else { 0 };
        // Its process has to start, too.
        let within = opening.as_nanos() as u64 + STARTS.as_nanos() as u64;
        let again: Vec<Duration> =
            (0..times).map(|_| Duration::from_nanos(rng.below(within))).collect();
        let outcome = one(&night, &book, &again)?;
        let sum = &mut sums[turn];
        sum.rounds += 1;
        sum.again += times;
        let why = match outcome {
            Ok(survived) => {
                opening = survived.recovered.took;
                sum.add(&survived);
                (!survived.passed()).then(|| what_failed(&survived))
            }
            Err(error) => Some(format!("it could not be opened again: {error}")),
        };
        match why {
            None if args.same_book => {
                kill::append_diary(&book.join(ALL_ACKS), &book.join(ACKS))?;
            }
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
                if args.same_book {
                    break;
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
    let mut all = total(&sums);
    if args.same_book && all.failed == 0 {
        let book = above.join("book-1");
        let audit = audit::audit(&book.join(JOURNAL), Some(&book.join(ALL_ACKS)), By::Both)?;
        if audit.is_sound() {
            remove(&book)?;
        } else {
            all.failed += 1;
            all.lost = all.lost.max(audit.acks_counted().1);
            let failed = audit.lines().into_iter().filter(|line| line.contains("FAIL"));
            let failed = failed.collect::<Vec<_>>().join("\n      ");
            wrong
                .push(format!("all rounds together: {failed}\n      its book: {}", book.display()));
        }
    }
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
            "{}  {} kills, {} of what was to open what a kill had left, {} with a record torn off: \
             {} acknowledged, {} promised, {} lost, {} answered twice differently",
            if passed { "PASS" } else { "FAIL" },
            Count(all.rounds + all.again),
            all.again,
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
fn one(
    night: &matchday::Args,
    book: &Path,
    again: &[Duration],
) -> Result<Result<Survived, CliError>, CliError> {
    if !night.resume {
        std::fs::create_dir(book)
            .map_err(|e| CliError::write("cannot make the directory", book, &e))?;
    }
    let (journal, acks) = (book.join(JOURNAL), book.join(ACKS));
    space::check(&journal, plan(night)?.2)?;
    let struck = kill::strike_again(night, &journal, &acks, again)?;
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
