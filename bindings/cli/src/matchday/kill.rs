//! Pulling the plug: a process that plays is killed, its book reopened, every open question settled.

use crate::acks::{Ack, AckLevel, key_of};
use crate::audit::{self, Audit, By};
use crate::error::{CliError, program};
use crate::fold::Rule;
use crate::matchday::acts::SECOND_NS;
use crate::matchday::gateway::sent_path;
use crate::matchday::{Args, Speed, ask_all, config, open, plan, space};
use crate::out::Out;
use betring::{
    AnswerKind, Client, Engine, Level, Recovered, Reject, Reply, Request, RequestKey, Resolve,
    Slot, Timestamp,
};
use betring_benches::recorder::Count;
use betring_fuzz::workload::Rng;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Within this time the first acknowledgement has to be there; a process that ends is noticed at once, so
/// there is patience for a busy machine.
const FIRST_ACK: Duration = Duration::from_secs(120);
/// Questions asked at once.
const QUESTIONS: usize = 4_096;

/// What became of the questions that the kill left open.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) never: u64,
    /// Neither placed nor never placed: has to stay 0.
    pub(crate) open: u64,
    pub(crate) first_open: Option<String>,
}

/// Where a process was killed, and what it had told until then.
pub(crate) struct Struck {
    /// How long after its first answer.
    pub(crate) after: Duration,
    told: Told,
    unknown: Vec<Request>,
}

/// What a reopened journal made of a kill.
pub(crate) struct Survived {
    /// Answers that customers were told before the kill.
    pub(crate) acknowledged: u64,
    /// Those that the level promises to keep.
    pub(crate) promised: u64,
    /// Of these, the ones that the journal does not have.
    pub(crate) lost: u64,
    /// Requests that have one answer in one place and another in the other: told, journaled, or told
    /// again when they were asked once more.
    pub(crate) differing: u64,
    /// The first of them, if there is one.
    pub(crate) first_differing: Option<String>,
    /// Told answers that were asked for once more and were the same, byte for byte.
    pub(crate) same: u64,
    /// Requests that were sent and not answered.
    pub(crate) unknown: u64,
    pub(crate) settled: Settled,
    /// Whether every question, asked again, had the same answer.
    pub(crate) stays: bool,
    /// Whether a replay gives the state that the engine closed with.
    pub(crate) replays: bool,
    pub(crate) recovered: Recovered,
    pub(crate) audit: Audit,
    pub(crate) digest: String,
}

impl Survived {
    /// Whether everything that was promised is there, once, and nothing is open.
    pub(crate) fn passed(&self) -> bool {
        self.audit.is_sound()
            && self.lost == 0
            && self.differing == 0
            && self.settled.open == 0
            && self.stays
            && self.replays
    }
}

/// Plays in a process of its own and kills that at a random moment.
pub(crate) fn strike(args: &Args, dir: &Path, acks: &Path) -> Result<Struck, CliError> {
    strike_with(args, dir, acks, &mut std::thread::sleep, &mut Victim::kill)
}

/// The same with another way to wait and another end; after it the process has to be gone.
pub(crate) fn strike_with(
    args: &Args,
    dir: &Path,
    acks: &Path,
    wait: &mut dyn FnMut(Duration),
    end: &mut dyn FnMut(&mut Victim) -> Result<(), CliError>,
) -> Result<Struck, CliError> {
    let mut victim = Victim::start(args, dir, acks, args.resume)?;
    victim.await_first(acks)?;
    let all_ns = args.seconds() * SECOND_NS;
    let after = Duration::from_nanos(Rng::new(args.seed()).below(all_ns * 9 / 10));
    wait(after);
    end(&mut victim)?;
    let (told, unknown) = compare(acks)?;
    Ok(Struck { after, told, unknown })
}

/// Plays in a process of its own and kills that, then kills as many more that go on with what the first
/// left, so long after each was started. What one of them told customers before its end is told, too.
pub(crate) fn strike_again(
    args: &Args,
    dir: &Path,
    acks: &Path,
    again: &[Duration],
) -> Result<Struck, CliError> {
    let mut struck = strike(args, dir, acks)?;
    for after in again {
        let mut more = acks.as_os_str().to_owned();
        more.push(".again");
        let more = PathBuf::from(more);
        let mut victim = Victim::start(args, dir, &more, true)?;
        std::thread::sleep(*after);
        victim.kill()?;
        append_diary(acks, &more)?;
    }
    (struck.told, struck.unknown) = compare(acks)?;
    Ok(struck)
}

/// Puts what one diary says behind what another says, whole lines only, and removes the one.
pub(crate) fn append_diary(to: &Path, from: &Path) -> Result<(), CliError> {
    for (to, from) in [(to.to_owned(), from.to_owned()), (sent_path(to), sent_path(from))] {
        // A process that was killed before it had opened its book has not begun a diary.
        if !from.exists() {
            continue;
        }
        let mut lines = if to.exists() { whole_lines(&to)? } else { Vec::new() };
        lines.append(&mut whole_lines(&from)?);
        lines.push(String::new());
        std::fs::write(&to, lines.join("\n"))
            .map_err(|e| CliError::write("cannot write what was told", &to, &e))?;
        std::fs::remove_file(&from)
            .map_err(|e| CliError::io("cannot remove what was told", &from, &e))?;
    }
    Ok(())
}

/// Reopens what a kill left, asks for everything that was told and for everything that was not, and
/// audits it. `opened` is called with what recovery found.
pub(crate) fn examine(
    args: &Args,
    dir: &Path,
    acks: &Path,
    struck: &Struck,
    opened: &mut dyn FnMut(&Recovered) -> Result<(), CliError>,
) -> Result<Survived, CliError> {
    let (mut acts, _, asks) = plan(args)?;
    let engine = open(config(args, dir, &mut acts, asks), true)?;
    let recovered = engine.recovered().clone();
    opened(&recovered)?;
    let mut client = engine.client_at(QUESTIONS, Level::Durable)?;
    let Struck { told, unknown, .. } = struck;
    let settled = settle(&engine, &mut client, unknown)?;
    // The same questions again: a question that was closed stays closed, as it was.
    let again = settle(&engine, &mut client, unknown)?;
    let stays = again.done == settled.done
        && again.refused == settled.refused
        && again.never == settled.never;
    // What is told at Applied may be withdrawn: there is nothing to compare.
    let (same, mut differing, mut first_differing) = match args.level() {
        Level::AppliedOnlyMayVanish => (0, 0, None),
        Level::Durable | Level::ProcessCrashOnly => ask_once_more(&engine, &mut client, told)?,
    };
    drop(client);
    let closed = engine.shutdown()?;

    let audit = audit::audit(dir, Some(acks), By::Both)?;
    let (promised, lost, contradicted) = audit.acks_counted();
    // Asked for and audited, the same request may be found twice: it is one.
    differing = differing.max(contradicted) + told.twice_differently + audit.broken(Rule::Answers);
    if contradicted + told.twice_differently != 0 {
        first_differing = first_differing.or_else(|| told.first_twice.clone());
    }
    let replays = audit.state_digest() == Some(closed.digest.to_string().as_str());
    Ok(Survived {
        acknowledged: told.count,
        promised,
        lost,
        differing,
        first_differing,
        same,
        unknown: unknown.len() as u64,
        settled,
        stays,
        replays,
        recovered,
        audit,
        digest: closed.digest.to_string(),
    })
}

pub(crate) fn run(args: &Args, dir: &Path, out: &mut Out) -> Result<ExitCode, CliError> {
    if !args.feed.is_empty() || args.speed.is_some_and(|speed| speed == Speed::Max) {
        return Err(CliError::new(
            "only a night on the wall's clock can be killed",
            "--kill",
            "leave --feed and --speed max out",
        ));
    }
    if dir.exists() {
        return Err(CliError::new("this directory exists", dir.display(), "name a fresh one"));
    }
    space::check(dir, plan(args)?.2)?;
    let acks = args.acks.clone().unwrap_or_else(|| beside(dir));
    if acks.exists() {
        return Err(CliError::new(
            "this file exists",
            acks.display(),
            "name a fresh one for --acks",
        ));
    }
    let seed = args.seed();
    if !args.json {
        out.line(format_args!(
            "playing in a process of its own, to be killed within {} s of its first answer …",
            args.seconds()
        ))?;
        out.flush()?;
    }
    let struck = strike(args, dir, &acks)?;
    let after = struck.after;
    if !args.json {
        out.line(format_args!(
            "killed {:.3} s after the first answer (seed {seed})",
            after.as_secs_f64()
        ))?;
        out.flush()?;
    }
    let survived = examine(args, dir, &acks, &struck, &mut |recovered| {
        if !args.json {
            out.line(recovered)?;
            out.flush()?;
        }
        Ok(())
    })?;
    let Survived { promised, lost, differing, settled, .. } = &survived;
    if args.json {
        out.line(json!({
            "passed": survived.passed(), "seed": seed, "dir": dir.display().to_string(),
            "acks": acks.display().to_string(), "killed_after_ns": after.as_nanos() as u64,
            "acknowledged": survived.acknowledged, "promised": promised, "lost": lost,
            "same_once_more": survived.same, "differing": differing,
            "recovered": survived.recovered.to_string(), "unknown": survived.unknown,
            "done": settled.done, "refused": settled.refused, "never_placed": settled.never,
            "unresolved": settled.open, "same_again": survived.stays,
            "replays": survived.replays, "audit": survived.audit.to_json(),
        }))?;
    } else {
        out.line("")?;
        for line in survived.audit.lines() {
            out.line(line)?;
        }
        let word = |good: bool| if good { "PASS" } else { "FAIL" };
        out.line("")?;
        out.line(format_args!(
            "{}  promised {}, found {}, lost {lost} (level {})",
            word(*lost == 0),
            Count(*promised),
            Count(promised.saturating_sub(*lost)),
            args.level(),
        ))?;
        let same = match args.level() {
            Level::AppliedOnlyMayVanish => "told answers are not asked for once more".to_owned(),
            Level::Durable | Level::ProcessCrashOnly => {
                format!("{} told answers are the same, asked for once more", Count(survived.same))
            }
        };
        out.line(format_args!(
            "{}  {same}; {differing} differ, told or journaled",
            word(*differing == 0),
        ))?;
        if let Some(first) = &survived.first_differing {
            out.line(format_args!("      the first that differs: {first}"))?;
        }
        out.line(format_args!(
            "{}  unknown {}, resolved: {} done, {} refused, {} never placed; {} unresolved",
            word(settled.open == 0),
            Count(survived.unknown),
            Count(settled.done),
            Count(settled.refused),
            Count(settled.never),
            settled.open,
        ))?;
        if let Some(first) = &settled.first_open {
            out.line(format_args!("      the first that is open: {first}"))?;
        }
        out.line(format_args!(
            "{}  asked again, every question has the same answer",
            word(survived.stays)
        ))?;
        out.line(format_args!(
            "{}  a replay gives the state digest {}",
            word(survived.replays),
            survived.digest
        ))?;
        let (me, dir_is) = (program(), dir.display());
        let (acks_is, sent) = (acks.display(), sent_path(&acks));
        out.line(format_args!(
            "\n  {acks_is} has the acknowledgements, {} what was sent",
            sent.display()
        ))?;
        let next = [
            (
                format!("{me} audit {dir_is} --acks {acks_is}"),
                "check every promise again".to_owned(),
            ),
            (format!("{me} matchday --dir {dir_is} --resume"), "go on in this book".to_owned()),
            (
                format!("rm -r {dir_is} {acks_is} {}", sent.display()),
                format!("when you have seen enough: {}", space::taken(dir)),
            ),
        ];
        let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        out.line("\nWhat to try next")?;
        for (command, what) in next {
            out.line(format_args!("  {command:<width$}  {what}"))?;
        }
    }
    out.flush()?;
    Ok(if survived.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn beside(dir: &Path) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".acks.jsonl");
    PathBuf::from(name)
}

/// The process that is going to be killed. Dropped, it is.
pub(crate) struct Victim(Child);

impl Victim {
    fn start(args: &Args, dir: &Path, acks: &Path, resumes: bool) -> Result<Victim, CliError> {
        let itself = std::env::current_exe()
            .map_err(|e| CliError::io("cannot find this program", Path::new("betring"), &e))?;
        let mut command = Command::new(&itself);
        command.args(["matchday", "--victim", "--dir"]).arg(dir).arg("--acks").arg(acks);
        let numbers = [
            ("--seed", args.seed()),
            ("--rate", args.rate()),
            ("--spike", args.spike),
            ("--seconds", args.seconds()),
        ];
        if resumes {
            command.arg("--resume");
        }
        if let Some(mib) = args.segment_mib {
            command.arg("--segment-mib").arg(mib.to_string());
        }
        for (name, number) in numbers {
            command.arg(name).arg(number.to_string());
        }
        command.arg("--level").arg(args.level().to_string()).arg("--json");
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        child.map(Victim).map_err(|e| CliError::io("cannot start this program again", &itself, &e))
    }

    /// Waits for the first acknowledgement: before it nothing is promised.
    fn await_first(&mut self, acks: &Path) -> Result<(), CliError> {
        let until = Instant::now() + FIRST_ACK;
        while !acks.metadata().is_ok_and(|file| 0 < file.len()) {
            let ended = self.0.try_wait().ok().flatten();
            if ended.is_some() || until <= Instant::now() {
                let mut said = String::new();
                let _ = self.0.kill();
                if let Some(stderr) = &mut self.0.stderr {
                    let _ = stderr.take(4_096).read_to_string(&mut said);
                }
                return Err(CliError::new(
                    format_args!(
                        "the process that was to be killed came to nothing: {}",
                        said.trim()
                    ),
                    acks.display(),
                    "play without --kill first",
                ));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Kills it at once (SIGKILL), and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<(), CliError> {
        self.signal()?;
        self.gone()
    }

    /// Kills it (SIGKILL); one that waits for the disk is gone only when the disk answers.
    pub(crate) fn signal(&mut self) -> Result<(), CliError> {
        self.0.kill().map_err(not_killed)
    }

    /// Waits until it is gone.
    pub(crate) fn gone(&mut self) -> Result<(), CliError> {
        self.0.wait().map(|_| ()).map_err(not_killed)
    }
}

fn not_killed(error: std::io::Error) -> CliError {
    CliError::io("cannot kill the playing process", Path::new("--kill"), &error)
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Gone already, as it should be, or gone now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a line of acknowledgements says of its request.
#[derive(Deserialize)]
struct Acknowledged {
    account: u64,
    key: String,
    sequenced: bool,
    answer: String,
}

/// What was told before a kill.
#[derive(Debug, Default)]
struct Told {
    /// All answers, repeated ones and those that were refused before sequencing included.
    count: u64,
    /// The requests that were answered by a sequenced command, each with its first answer as it
    /// stands in the file.
    answered: Vec<(Request, String)>,
    /// Requests that were told two answers already before the kill.
    twice_differently: u64,
    first_twice: Option<String>,
}

/// What was acknowledged, and the requests that were sent and have no answer.
fn compare(acks: &Path) -> Result<(Told, Vec<Request>), CliError> {
    let wrong = |what: &str, path: &Path| {
        CliError::new(what, path.display(), "this file was written by this program: report it")
    };
    let mut told = Told::default();
    // None: only attempts that were refused before they were sequenced.
    let mut answers: HashMap<(u64, RequestKey), Option<String>> = HashMap::new();
    for line in whole_lines(acks)? {
        let ack: Acknowledged = serde_json::from_str(&line)
            .map_err(|_| wrong("a line is not an acknowledgement", acks))?;
        let key =
            key_of(&ack.key).ok_or_else(|| wrong("a key is not a hexadecimal number", acks))?;
        told.count += 1;
        let first = answers.entry((ack.account, key)).or_default();
        match first {
            _ if !ack.sequenced => (),
            None => *first = Some(ack.answer),
            Some(first) if *first != ack.answer => {
                told.twice_differently += 1;
                told.first_twice.get_or_insert_with(|| format!("before the kill: {line}"));
            }
            Some(_) => (),
        }
    }
    let path = sent_path(acks);
    let mut unknown: HashMap<(u64, RequestKey), Request> = HashMap::new();
    for line in whole_lines(&path)? {
        let request = sent(&line).ok_or_else(|| wrong("a line is not a request", &path))?;
        match answers.get_mut(&(request.account, request.key)) {
            None => {
                unknown.insert((request.account, request.key), request);
            }
            Some(answer) => {
                if let Some(answer) = answer.take() {
                    told.answered.push((request, answer));
                }
            }
        }
    }
    let mut unknown: Vec<Request> = unknown.into_values().collect();
    unknown.sort_by_key(|request| (request.valid_until, request.account, request.key));
    Ok((told, unknown))
}

/// Asks once more for every answer that was told: how many are the same, how many are not, and the
/// first that is not. What nobody has seen is lost: the audit counts that.
fn ask_once_more(
    engine: &Engine,
    client: &mut Client,
    told: &Told,
) -> Result<(u64, u64, Option<String>), CliError> {
    let (mut same, mut differing, mut first) = (0, 0, None);
    for chunk in told.answered.chunks(QUESTIONS) {
        let slots: Vec<Slot> =
            chunk.iter().map(|(request, _)| Resolve::of(*request).slot()).collect();
        for (reply, (request, answer)) in ask_all(engine, client, &slots)?.iter().zip(chunk) {
            if Ack::of(reply, AckLevel::Durable).answer == *answer {
                same += 1;
            } else if reply.answer.kind() != AnswerKind::NeverPlaced {
                differing += 1;
                first.get_or_insert_with(|| format!("{request:?}: told {answer}, now {reply}"));
            }
        }
    }
    Ok((same, differing, first))
}

fn sent(line: &str) -> Option<Request> {
    let mut parts = line.split(' ');
    let account = parts.next()?.parse().ok()?;
    let key = RequestKey(u128::from_str_radix(parts.next()?, 16).ok()?);
    let valid_until = Timestamp(parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(Request { account, key, valid_until })
}

/// The lines of a file; a last one without its end was cut by the kill.
fn whole_lines(path: &Path) -> Result<Vec<String>, CliError> {
    let wrong = |e| CliError::io("cannot read what was written before the kill", path, &e);
    let mut reader = BufReader::new(std::fs::File::open(path).map_err(wrong)?);
    let (mut lines, mut line) = (Vec::new(), String::new());
    while 0 < reader.read_line(&mut line).map_err(wrong)? {
        if line.ends_with('\n') {
            line.pop();
            lines.push(std::mem::take(&mut line));
        }
    }
    Ok(lines)
}

/// Asks what became of every request, and closes the question.
fn settle(engine: &Engine, client: &mut Client, unknown: &[Request]) -> Result<Settled, CliError> {
    let mut settled = Settled::default();
    for chunk in unknown.chunks(QUESTIONS) {
        let slots: Vec<Slot> = chunk.iter().map(|request| Resolve::of(*request).slot()).collect();
        for (reply, request) in ask_all(engine, client, &slots)?.iter().zip(chunk) {
            settled.count(reply, request);
        }
    }
    Ok(settled)
}

impl Settled {
    fn count(&mut self, reply: &Reply, request: &Request) {
        match (reply.answer.kind(), reply.answer.reject()) {
            (AnswerKind::NeverPlaced, _) => self.never += 1,
            (AnswerKind::Refused, why) if why.is_some_and(Reject::is_decided) => self.refused += 1,
            (AnswerKind::Refused, _) => {
                self.open += 1;
                let what = || format!("{request:?}: {reply}");
                self.first_open.get_or_insert_with(what);
            }
            _ => self.done += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(account: u64, key: &str, sequenced: bool, answer: &str) -> String {
        format!(
            "{{\"account\":{account},\"key\":\"{key}\",\"sequenced\":{sequenced},\
             \"answer\":\"{answer}\"}}\n"
        )
    }

    fn request(account: u64, key: u128, valid_until: i64) -> Request {
        Request { account, key: RequestKey(key), valid_until: Timestamp(valid_until) }
    }

    fn compared(acks: &[String], sent: &str) -> (Told, Vec<Request>) {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let path = dir.path().join("acks");
        std::fs::write(&path, acks.concat()).expect("written");
        std::fs::write(sent_path(&path), sent).expect("written");
        compare(&path).expect("both can be read")
    }

    #[test]
    fn a_request_is_unknown_when_it_was_sent_and_not_acknowledged() {
        let acks = [ack(7, "a", true, "01"), ack(7, "b", false, "02"), "{\"account\":7,\"k".into()];
        let (told, unknown) = compared(&acks, "7 a 100\n7 b 100\n7 c 200\n8 a 150\n8 b 1");
        assert_eq!((told.count, told.twice_differently), (2, 0));
        assert_eq!(told.answered, [(request(7, 0xa, 100), "01".to_owned())]);
        // The line that the kill cut was never submitted: it is written before.
        assert_eq!(unknown, [request(8, 0xa, 150), request(7, 0xc, 200)]);
    }

    #[test]
    fn a_diary_goes_on_with_the_whole_lines_of_another() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        let write = |path: &Path, text: &str| std::fs::write(path, text).expect("written");
        write(&first, "one\ntwo\nthr");
        write(&sent_path(&first), "1\n2\n");
        append_diary(&first, &second).expect("a process that came to nothing has no diary");
        write(&second, "four\nfi");
        write(&sent_path(&second), "4");
        append_diary(&first, &second).expect("both can be read");
        let read = |path: &Path| std::fs::read_to_string(path).expect("there");
        assert_eq!(read(&first), "one\ntwo\nfour\n");
        assert_eq!(read(&sent_path(&first)), "1\n2\n");
        assert!(!second.exists() && !sent_path(&second).exists());
    }

    #[test]
    fn a_request_that_was_told_two_answers_is_found_and_a_refused_attempt_is_none() {
        let acks = [
            ack(7, "a", false, "99"),
            ack(7, "a", true, "01"),
            ack(7, "a", true, "01"),
            ack(8, "a", true, "01"),
            ack(8, "a", true, "02"),
        ];
        let (told, unknown) = compared(&acks, "7 a 100\n8 a 100\n7 a 100\n");
        assert_eq!((told.count, told.twice_differently), (5, 1));
        let first = told.first_twice.expect("it is shown");
        assert!(first.starts_with("before the kill: {\"account\":8,"), "{first}");
        assert_eq!(told.answered.len(), 2, "a retry is the same request");
        assert_eq!(unknown, []);
    }
}
