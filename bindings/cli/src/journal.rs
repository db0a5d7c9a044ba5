//! Looking into a journal: what it holds, what is being written, whether every byte is right, and
//! whether it gives the same state again. And looking after it: snapshots, and what they make
//! needless for opening.

use crate::acks;
use crate::describe::{self, Told, bet_of, event_words, span, utc};
use crate::diff;
use crate::error::{CliError, program};
use crate::fold::Entry;
use crate::out::Out;
use crate::replay::{LastRun, Replay};
use crate::source::{self, Proved, Source};
use betring_core::command::Kind;
use betring_core::event::Event;
use betring_core::id::{BetId, Epoch, Seq};
use betring_core::time::Timestamp;
use betring_journal::{DirStore, FrameInfo, Inspection, Progress};
use clap::Subcommand;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long `tail --follow` waits before it looks again.
const FOLLOW_EVERY: Duration = Duration::from_millis(20);
/// How many records `tail` begins with if nobody says.
const TAIL: u64 = 10;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring journal inspect ./book             segments, runs, how many records of each kind
  betring journal inspect ./book --seq 17    one record: the command and every event it caused
  betring journal inspect ./book --bet B7    every record that has to do with a bet
  betring journal tail ./book --follow       a line for every record as it is written
  betring journal verify ./book              check every byte; damage is named by place
  betring journal replay ./book              decide everything again and compare
  betring journal replay ./book --rules new.toml --diff    what other rules would have decided
  betring journal snapshot ./book            so that the next opening begins here
  betring journal archive ./book --dry-run   what opening no longer needs

Those that look take no lock: they may run beside the engine. snapshot and archive take it.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(Subcommand)]
enum Cmd {
    /// Show what is in a journal: manifest, segments, frames, runs, records of each kind.
    Inspect(InspectArgs),
    /// Print records as they were written, a sentence each.
    Tail(TailArgs),
    /// Check every byte, and name what is damaged by segment, offset and sequence.
    Verify(VerifyArgs),
    /// Decide every command again and compare each event byte for byte.
    Replay(ReplayArgs),
    /// Write the state of a journal at rest, so that opening begins there.
    Snapshot(SnapshotArgs),
    /// Move the segments behind the older of two snapshots to the directory archive.
    Archive(ArchiveArgs),
}

#[derive(clap::Args)]
#[command(after_help = "Example: betring journal inspect ./book --seq 17")]
struct InspectArgs {
    /// The journal's directory.
    dir: PathBuf,
    /// Show this record: the command and its events in words.
    #[arg(long, value_name = "N", conflicts_with = "bet")]
    seq: Option<u64>,
    /// Show every record that has to do with this bet, like B7.
    #[arg(long, value_name = "ID", value_parser = describe::bet_named)]
    bet: Option<BetId>,
    /// List every frame.
    #[arg(long)]
    frames: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring journal tail ./book                        the last ten records
  betring journal tail ./book -n 3 --kind Place      the last three bets asked for
  betring journal tail ./book --from 4000 -n 5       five records from #4000 on
  betring journal tail ./book --from 1 --kind Place --kind PlaceTicket
                                                     every bet and ticket asked for
  betring journal tail ./book --follow --json        as it is written, for another program

Damage is named on standard error, and the records behind it are shown. Exit status: 0 all
could be read, 1 damage was passed over, 2 nothing could be read behind it.")]
struct TailArgs {
    /// The journal's directory.
    dir: PathBuf,
    /// Go on when the end is reached, until interrupted.
    #[arg(short, long)]
    follow: bool,
    /// Begin with this sequence instead of the last records.
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// How many records: the last so many, or the first from --from on [default: 10; with --from all].
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<u64>,
    /// Only this kind of command, like Place or SetPrices; may be repeated.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<Kind>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "Example: betring journal verify ./book --json")]
struct VerifyArgs {
    /// The journal's directory.
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring journal replay ./book                            decide everything again and compare
  betring journal replay ./book --rules new.toml --diff    what other rules would have decided
  betring journal replay ./book --logic 1 --diff           another version of the logic

The state digest stands for everything that decides, the money digest for balances and bets
only. Both are the same on every machine and in every build.

--diff lists every command that is answered otherwise, and what it does to the money. A file
for --rules has any of these lines; they refuse or reduce bets and cannot let in what was
refused:
  currency = \"GBP\"             only bets in this currency; left out: all
  max_stake = \"500.00\"         a larger stake is refused
  reduce = true                with max_stake: not refused, but reduced to it
  max_payout = \"20000.00\"      a bet that would return more is refused
  shortest_price = \"1.05\"      at a shorter price nothing is taken
  longest_price = \"51.00\"      at a longer price nothing is taken
  no_bets_after_minute = 85    of the fixture, from when it starts; 0: nothing in-play

Answers depend on the state: after the first difference the other side goes its own way. A bet
that is refused there leaves its stake with the customer and its liability to the next bet, so
later bets may be accepted that were refused, too. And customers are not asked again: what they
would have done had they been told otherwise, no journal knows. Requests that never got a
sequence are not in it.

Exit status: 0 all is the same, 1 something differs or the journal ends before its newest
snapshot, 2 it could not be compared.")]
struct ReplayArgs {
    /// The journal's directory.
    dir: PathBuf,
    /// With --diff: decide under the rules of this file, too.
    #[arg(long, value_name = "FILE.toml", requires = "diff")]
    rules: Option<PathBuf>,
    /// With --diff: decide by this version of the logic, too.
    #[arg(long, value_name = "V", requires = "diff")]
    logic: Option<u32>,
    /// List what would be decided otherwise.
    #[arg(long)]
    diff: bool,
    /// With --diff: show so many of the commands; all are counted.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    lines: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
Example: betring journal snapshot ./book

The journal must be at rest; a running engine makes its own (Config::snapshot_every). The state
is read back from the file and compared before an older snapshot is dropped. Two are kept.")]
struct SnapshotArgs {
    /// The journal's directory.
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
Example: betring journal archive ./book --dry-run

Nothing is deleted. audit, replay, tail, inspect and verify read the archive, too; opening does
not, and goes on without it. To put a segment back, move it to the directory above.")]
struct ArchiveArgs {
    /// The journal's directory.
    dir: PathBuf,
    /// Say what would be moved, and move nothing. Takes no lock.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.iter().find(|kind| kind.name().eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| {
        let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        format!("no command has this name; there are {}", all.join(", "))
    })
}

/// Looks into a journal.
pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Cmd::Inspect(args) => match (args.seq, args.bet) {
            (None, None) => inspect(&args),
            (Some(seq), _) => show(&args, seq, &|entry, _| entry.seq.0 == seq),
            (None, Some(bet)) => show(&args, 1, &|_, told| told.is_about(bet)),
        },
        Cmd::Tail(args) => tail(&args),
        Cmd::Verify(args) => verify(&args),
        Cmd::Replay(args) => replay(&args),
        Cmd::Snapshot(args) => snapshot(&args),
        Cmd::Archive(args) => archive(&args),
    }
}

/// Walks every byte of a journal, with a bar.
fn look(dir: &Path, on_frame: &mut dyn FnMut(&FrameInfo)) -> Result<Inspection, CliError> {
    let store = DirStore::existing(dir)?;
    let bar = source::bar(0, "checking");
    let mut progress = |progress: Progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
    };
    let looked = betring_journal::inspect(&store, &mut progress, on_frame);
    bar.finish_and_clear();
    Ok(looked?)
}

/// A run as the journal has it.
struct Run {
    epoch: Epoch,
    first: u64,
    last: u64,
    began: Timestamp,
    ended: Timestamp,
}

fn inspect(args: &InspectArgs) -> Result<ExitCode, CliError> {
    let mut frames = Vec::new();
    let inspection = look(&args.dir, &mut |frame| {
        if args.frames {
            frames.push(*frame);
        }
    })?;
    let mut kinds = BTreeMap::<Kind, (u64, u64)>::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut unread = 0_u64;
    if inspection.report.is_sound() {
        let mut source = Source::open(&args.dir, 1, "counting")?;
        while let Some((epoch, entry)) = source.next()? {
            match u8::try_from(entry.kind).ok().and_then(Kind::from_code) {
                Some(kind) => {
                    let (records, bytes) = kinds.entry(kind).or_default();
                    *records += 1;
                    *bytes += entry.payload.len() as u64;
                }
                None => unread += 1,
            }
            match runs.last_mut() {
                Some(run) if run.epoch == epoch => {
                    (run.last, run.ended) = (entry.seq.0, entry.at);
                }
                _ => runs.push(Run {
                    epoch,
                    first: entry.seq.0,
                    last: entry.seq.0,
                    began: entry.at,
                    ended: entry.at,
                }),
            }
        }
    }

    let mut out = Out::new();
    if args.json {
        let kinds: BTreeMap<&str, _> = kinds
            .iter()
            .map(|(kind, (records, bytes))| {
                (kind.name(), json!({"records": records, "bytes": bytes}))
            })
            .collect();
        let runs: Vec<_> = runs
            .iter()
            .map(|run| {
                json!({
                    "epoch": run.epoch.0, "first_seq": run.first, "last_seq": run.last,
                    "began_ns": run.began.0, "ended_ns": run.ended.0,
                })
            })
            .collect();
        let segments: Vec<_> = inspection
            .segments
            .iter()
            .map(|segment| {
                json!({
                    "file": segment.name, "first_seq": segment.header.first_seq,
                    "last_seq": segment.last_seq, "epoch": segment.header.epoch,
                    "frames": segment.frames, "records": segment.records,
                    "bytes_used": segment.bytes_used, "bytes": segment.header.segment_bytes,
                    "logic_version": segment.header.logic_version,
                })
            })
            .collect();
        let frames: Vec<_> = frames
            .iter()
            .map(|frame| {
                json!({
                    "segment": frame.segment, "offset": frame.offset, "bytes": frame.len,
                    "first_seq": frame.first_seq, "last_seq": frame.last_seq,
                    "records": frame.records, "epoch": frame.epoch,
                })
            })
            .collect();
        out.line(json!({
            "uuid": hex(&inspection.manifest.uuid),
            "schema": format!("{:016x}", inspection.manifest.schema_hash),
            "segments": segments, "runs": runs, "kinds": kinds, "unknown_kinds": unread,
            "frames": if args.frames { json!(frames) } else { json!(inspection.report.frames) },
            "verify": verified(&inspection),
        }))?;
    } else {
        out.line(&inspection)?;
        for frame in &frames {
            out.line(format_args!("  {frame}"))?;
        }
        if !runs.is_empty() {
            out.line("runs")?;
        }
        for run in &runs {
            out.line(format_args!(
                "  {}  #{} to #{}  {} to {}",
                run.epoch,
                run.first,
                run.last,
                utc(run.began),
                utc(run.ended)
            ))?;
        }
        if !kinds.is_empty() {
            out.line("records by kind")?;
        }
        for (kind, (records, bytes)) in &kinds {
            let each = bytes / records;
            out.line(format_args!(
                "  {:<18} {records:>12}  {each:>6} bytes each on average",
                kind.name()
            ))?;
        }
        if 0 < unread {
            out.line(format_args!("  of unknown kind    {unread:>12}"))?;
        }
    }
    out.flush()?;
    Ok(if inspection.report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the records that are wanted, in full.
fn show(
    args: &InspectArgs,
    from: u64,
    wanted: &dyn Fn(&Entry<'_>, &Told<'_>) -> bool,
) -> Result<ExitCode, CliError> {
    let mut out = Out::new();
    let mut source = Source::open(&args.dir, from, "looking")?;
    let mut found = 0_u64;
    while let Some((epoch, entry)) = source.next()? {
        let told = match Told::read(&entry) {
            Ok(told) => told,
            Err(what) if args.seq == Some(entry.seq.0) => {
                return Err(unreadable(&args.dir, &entry, &what));
            }
            Err(_) => continue,
        };
        if wanted(&entry, &told) {
            found += 1;
            if args.json {
                out.line(record_json(epoch, &told, args.bet))?;
            } else {
                out.line(format_args!("{}  {}  {}  {}", told.seq, utc(told.at), epoch, told.kind))?;
                out.line(format_args!("  {}", told.sentence()))?;
                let header = &told.header;
                if header.received == Timestamp(0) {
                    out.line("  by the engine")?;
                } else {
                    out.line(format_args!(
                        "  by {}, {}, {}, client {}, received {} before it was stamped",
                        describe::party(header.account),
                        header.key,
                        told.token(),
                        header.client,
                        span(told.at.since(header.received).or_zero())
                    ))?;
                }
                for event in events_of(&told, args.bet) {
                    out.line(format_args!("    {:<16} {}", event.name(), event_words(event)))?;
                }
            }
        }
        if args.seq.is_some_and(|seq| seq <= entry.seq.0) {
            break;
        }
    }
    if found == 0 {
        let what = match (args.seq, args.bet) {
            (Some(seq), _) => {
                format!("no record of sequence {seq}: there are {}", range(&args.dir)?)
            }
            (None, bet) => format!("no record of bet {}", bet.unwrap_or(BetId::NONE)),
        };
        return Err(CliError::new(
            what,
            args.dir.display(),
            format_args!("see what there is: {} journal inspect {}", program(), args.dir.display()),
        ));
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The sequences that there are: `#1 to #49`.
fn range(dir: &Path) -> Result<String, CliError> {
    let mut range = None;
    Source::open(dir, 1, "looking")?.each(&mut |entry| {
        let (first, _) = range.unwrap_or((entry.seq, entry.seq));
        range = Some((first, entry.seq));
        true
    })?;
    Ok(range.map_or_else(|| "none".to_owned(), |(first, last)| format!("{first} to {last}")))
}

fn unreadable(dir: &Path, entry: &Entry<'_>, what: &str) -> CliError {
    CliError::new(
        format_args!("the record at {} cannot be read: {what}", entry.seq),
        dir.display(),
        "use the version of betring that wrote this journal",
    )
}

/// The events of a record; of one bet only those that are not about another: a step settles many.
fn events_of<'a>(told: &'a Told<'_>, bet: Option<BetId>) -> impl Iterator<Item = &'a Event> {
    let is_wanted =
        move |event: &Event| bet.is_none() || bet_of(event).is_none_or(|of| Some(of) == bet);
    told.events.iter().filter(move |event| is_wanted(event))
}

fn record_json(epoch: Epoch, told: &Told<'_>, bet: Option<BetId>) -> serde_json::Value {
    let events: Vec<_> = events_of(told, bet)
        .map(|event| {
            let mut value = json!({"event": event.name(), "says": event_words(event)});
            if let Some(bet) = bet_of(event) {
                value["bet"] = json!(bet.to_string());
            }
            value
        })
        .collect();
    let mut record = json!({
        "seq": told.seq.0, "at_ns": told.at.0, "at": utc(told.at), "epoch": epoch.0,
        "kind": told.kind.name(), "account": told.header.account,
        "key": acks::hex(told.header.key), "client": told.header.client.0,
        "reason": told.reason(), "says": told.sentence(), "answer": told.answer().map(describe::outcome), "events": events,
    });
    if let Some(serde_json::Value::Object(repricing)) = describe::repricing_json(told) {
        for (name, value) in repricing {
            record[name] = value;
        }
    }
    record
}

fn tail(args: &TailArgs) -> Result<ExitCode, CliError> {
    let from = match args.from {
        Some(from) => from,
        None => tail_from(args, args.lines.unwrap_or(TAIL))?,
    };
    // Behind --from there may be more than were asked for; before the end there are no more than that.
    let most = args.lines.filter(|_| args.from.is_some()).unwrap_or(u64::MAX);
    let mut out = Out::new();
    let mut source = Source::open(&args.dir, from.max(1), "reading")?;
    let (mut zero, mut printed, mut damaged) = (None, 0, false);
    loop {
        loop {
            let (epoch, entry) = match source.next() {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(damage) => {
                    out.flush()?;
                    if !source.pass_damage()? {
                        return Err(damage);
                    }
                    damaged = true;
                    eprintln!("damage: {damage}\n  what is behind it:");
                    continue;
                }
            };
            let told = match Told::read(&entry) {
                Ok(told) => told,
                Err(what) => return Err(unreadable(&args.dir, &entry, &what)),
            };
            if !args.kind.is_empty() && !args.kind.contains(&told.kind) {
                continue;
            }
            if most <= printed && !args.follow {
                break;
            }
            printed += 1;
            if args.json {
                out.line(record_json(epoch, &told, None))?;
                continue;
            }
            let zero = match zero {
                Some(zero) => zero,
                None => {
                    out.line(format_args!("times count from {}", utc(told.at)))?;
                    *zero.insert(told.at)
                }
            };
            out.line(format_args!(
                "{} +{}  {}",
                told.seq,
                span(told.at.since(zero)),
                told.sentence()
            ))?;
        }
        out.flush()?;
        if !args.follow {
            let chosen = args.from.is_some() || !args.kind.is_empty();
            if printed == 0 && most != 0 && chosen {
                let kinds: Vec<String> = args.kind.iter().map(Kind::to_string).collect();
                let what = match kinds.as_slice() {
                    [] => "no such record".to_owned(),
                    kinds => format!("no record of {}", kinds.join(" or ")),
                };
                eprintln!("{what}: there are {}", range(&args.dir)?);
            }
            return Ok(if damaged { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        std::thread::sleep(FOLLOW_EVERY);
    }
}

/// Where the last so many records of the wanted kinds begin; behind the last record for none.
fn tail_from(args: &TailArgs, lines: u64) -> Result<u64, CliError> {
    let last = last_seq(&args.dir)?;
    if args.kind.is_empty() || lines == 0 {
        return Ok((last + 1).saturating_sub(lines));
    }
    // Segment by segment from the end: the last of a kind are seldom far.
    let mut from = last + 1;
    let mut wanted = lines;
    for (first, _) in source::segments(&args.dir)?.iter().rev() {
        let mut source = Source::open(&args.dir, *first, "looking")?;
        let mut found = VecDeque::new();
        source.each(&mut |entry| {
            if from <= entry.seq.0 {
                return false;
            }
            let kind = u8::try_from(entry.kind).ok().and_then(Kind::from_code);
            if kind.is_some_and(|kind| args.kind.contains(&kind)) {
                found.push_back(entry.seq.0);
                if wanted < found.len() as u64 {
                    found.pop_front();
                }
            }
            true
        })?;
        wanted -= found.len() as u64;
        from = *first;
        if wanted == 0 {
            return Ok(found.front().copied().unwrap_or(from));
        }
    }
    Ok(from)
}

/// The last sequence of a journal; 0 if it has none.
fn last_seq(dir: &Path) -> Result<u64, CliError> {
    DirStore::existing(dir)?;
    // Only the last segment has to be read; if it is still empty, the one before it.
    for (first, _) in source::segments(dir)?.iter().rev() {
        let mut source = Source::open(dir, *first, "reading")?;
        let mut last = 0;
        source.each(&mut |entry| {
            last = entry.seq.0;
            true
        })?;
        if last != 0 {
            return Ok(last);
        }
    }
    Ok(0)
}

fn verified(inspection: &Inspection) -> serde_json::Value {
    let report = &inspection.report;
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(|problem| {
            json!({
                "segment": problem.segment, "offset": problem.offset, "seq": problem.seq,
                "what": problem.what,
            })
        })
        .collect();
    let bad_snapshots: Vec<_> = report
        .bad_snapshots
        .iter()
        .map(|bad| json!({"seq": bad.seq, "offset": bad.offset, "what": bad.to_string()}))
        .collect();
    let torn = report.torn.as_ref();
    let torn = torn.map(|torn| {
        json!({
            "segment": torn.segment, "offset": torn.offset, "bytes": torn.bytes,
            "last_kept_seq": torn.last_kept_seq, "what": torn.to_string(),
        })
    });
    let kept = report.kept.as_ref();
    let kept = kept.map(|kept| {
        json!({
            "segment": kept.segment, "offset": kept.offset, "records": kept.records,
            "first_seq": kept.first_seq, "last_seq": kept.last_seq,
        })
    });
    json!({
        "sound": report.is_sound(), "segments": report.segments, "frames": report.frames,
        "records": report.records, "first_seq": report.first_seq, "last_seq": report.last_seq,
        "bytes": report.bytes, "torn": torn, "unsealed": kept, "problems": problems,
        "snapshots": report.snapshots, "bad_snapshots": bad_snapshots,
    })
}

fn verify(args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let began = Instant::now();
    let inspection = look(&args.dir, &mut |_| ())?;
    let report = &inspection.report;
    // The journal opens without a snapshot, but a medium that damages one is no good medium.
    let right = report.is_sound() && report.bad_snapshots.is_empty();
    let mut out = Out::new();
    if args.json {
        out.line(verified(&inspection))?;
    } else {
        out.line(report)?;
        let word = if right { "PASS" } else { "FAIL" };
        let took = began.elapsed().as_secs_f64();
        out.line(format_args!("{word}  {} ({took:.2} s)", args.dir.display()))?;
    }
    out.flush()?;
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn replay(args: &ReplayArgs) -> Result<ExitCode, CliError> {
    if args.diff {
        if args.rules.is_none() && args.logic.is_none() {
            return Err(CliError::new(
                "there is nothing to compare with",
                "--diff",
                "add --rules FILE.toml, or --logic V",
            ));
        }
        let (rules, logic) = (args.rules.as_deref(), args.logic);
        let ReplayArgs { dir, lines, json, .. } = args;
        return diff::run(&diff::Ask { dir, rules, logic, lines: *lines, json: *json });
    }
    let began = Instant::now();
    let proved = Proved::of(&args.dir)?;
    let mut source = Source::open(&args.dir, 1, "replaying")?;
    let mut replay = Replay::new();
    let mut last = Seq(0);
    while let Some((_, entry)) = source.next()? {
        last = entry.seq;
        replay.take(&entry);
    }
    drop(source);
    let took = began.elapsed();
    let ended = replay.finish();
    let cut = proved.missing(last);
    let passed = ended.is_same() && cut.is_none();
    let rate = ended.records as f64 / took.as_secs_f64().max(1e-9);
    let LastRun { epoch, logic_version, rules_id, rules_version } = ended.last_run;
    let mut out = Out::new();
    if args.json {
        out.line(json!({
            "records": ended.records, "last_seq": ended.last_seq.0, "epoch": epoch.0,
            "logic_version": logic_version, "rules_id": rules_id, "rules_version": rules_version,
            "same": ended.is_same(), "lost_behind_snapshot": cut, "state_digest": ended.state_digest,
            "money_digest": ended.money_digest, "differences": ended.differences,
            "first": ended.first.iter().map(|(seq, what)| json!({"seq": seq.0, "what": what}))
                .collect::<Vec<_>>(),
            "seconds": took.as_secs_f64(), "records_per_second": rate,
        }))?;
    } else {
        out.line(format_args!(
            "{} records to {} replayed in {:.2} s, {rate:.0} a second",
            ended.records,
            ended.last_seq,
            took.as_secs_f64()
        ))?;
        out.line(format_args!("state digest  {}", ended.state_digest))?;
        out.line(format_args!("money digest  {}", ended.money_digest))?;
        for (seq, what) in &ended.first {
            out.line(format_args!("  {seq}: {what}"))?;
        }
        if let Some(what) = &cut {
            out.line(format_args!("FAIL  {what}"))?;
        }
        out.line(match (ended.is_same(), &cut) {
            (true, None) => "PASS  every event was decided again, byte for byte".to_owned(),
            (true, Some(_)) => "      what is left was decided again, byte for byte".to_owned(),
            (false, _) => format!("FAIL  {} differences", ended.differences),
        })?;
    }
    out.flush()?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn snapshot(args: &SnapshotArgs) -> Result<ExitCode, CliError> {
    let bar = source::bar(0, "checking");
    let made = betring::snapshot(&args.dir, false, &mut |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.bytes);
    });
    bar.finish_and_clear();
    let made = made?;
    let mut out = Out::new();
    if args.json {
        out.line(json!({
            "seq": made.seq.0, "digest": made.digest.to_string(), "bytes": made.bytes,
            "from_seq": made.from.map(|seq| seq.0), "replayed": made.replayed,
            "seconds": made.took.as_secs_f64(),
        }))?;
    } else {
        out.line(&made)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn archive(args: &ArchiveArgs) -> Result<ExitCode, CliError> {
    let store = DirStore::existing(&args.dir)?;
    let manifest = betring_journal::manifest(&store)?;
    let lock = match args.dry_run {
        true => None,
        false => Some(source::lock(&store, &args.dir)?),
    };
    let archived = betring_journal::archive(&store, &manifest, args.dry_run)?;
    drop(lock);
    let mut out = Out::new();
    if args.json {
        out.line(json!({
            "behind_seq": archived.behind.map(|snapshot| snapshot.position.seq),
            "segments": archived.segments, "bytes": archived.bytes, "moved": !args.dry_run,
        }))?;
    } else if archived.segments.is_empty() {
        out.line(&archived)?;
    } else {
        let word = if args.dry_run { "would be moved" } else { "moved" };
        out.line(format_args!("{word} to {}: {archived}", args.dir.join("archive").display()))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
