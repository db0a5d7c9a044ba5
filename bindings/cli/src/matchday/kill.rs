//! Pulling the plug: a process that plays is killed, its book reopened, every open question settled.

use crate::audit::{self, By};
use crate::error::{CliError, program};
use crate::matchday::acts::SECOND_NS;
use crate::matchday::gateway::sent_path;
use crate::matchday::{Args, Speed, ask_all, config, open, plan, space};
use crate::out::Out;
use betring::{
    AnswerKind, Client, Engine, Level, Reject, Reply, Request, RequestKey, Resolve, Slot, Timestamp,
};
use betring_benches::recorder::Count;
use betring_fuzz::workload::Rng;
use serde::Deserialize;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Within this time the first acknowledgement has to be there.
const FIRST_ACK: Duration = Duration::from_secs(30);
/// Questions asked at once.
const QUESTIONS: usize = 4_096;

/// What became of the questions that the kill left open.
#[derive(Debug, Default)]
struct Settled {
    done: u64,
    refused: u64,
    never: u64,
    /// Neither placed nor never placed: has to stay 0.
    open: u64,
    first_open: Option<String>,
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
    let (mut acts, _, asks) = plan(args)?;
    space::check(dir, asks)?;
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
    let mut victim = Victim::start(args, dir, &acks)?;
    victim.await_first(&acks)?;
    let all_ns = args.seconds() * SECOND_NS;
    let after = Duration::from_nanos(Rng::new(seed).below(all_ns * 9 / 10));
    std::thread::sleep(after);
    victim.kill()?;
    if !args.json {
        out.line(format_args!(
            "killed {:.3} s after the first answer (seed {seed})",
            after.as_secs_f64()
        ))?;
        out.flush()?;
    }

    let (acknowledged, unknown) = compare(&acks)?;
    let engine = open(config(args, dir, &mut acts, asks), args.json)?;
    let recovered = engine.recovered().to_string();
    if !args.json {
        out.line(&recovered)?;
        out.flush()?;
    }
    let mut client = engine.client_at(QUESTIONS, Level::Durable)?;
    let settled = settle(&engine, &mut client, &unknown)?;
    // The same questions again: a question that was closed stays closed, as it was.
    let again = settle(&engine, &mut client, &unknown)?;
    let stays = again.done == settled.done
        && again.refused == settled.refused
        && again.never == settled.never;
    drop(client);
    let closed = engine.shutdown()?;

    let audit = audit::audit(dir, Some(&acks), By::Both)?;
    let acks_told = &audit.to_json()["acks"];
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
    let (lost, promised) = (number(&acks_told["broken"]), number(&acks_told["counts"]["promised"]));
    let replays = audit.state_digest() == Some(closed.digest.to_string().as_str());
    let passed = audit.is_sound() && settled.open == 0 && stays && replays;
    if args.json {
        out.line(json!({
            "passed": passed, "seed": seed, "dir": dir.display().to_string(),
            "acks": acks.display().to_string(), "killed_after_ns": after.as_nanos() as u64,
            "acknowledged": acknowledged, "promised": promised, "lost": lost, "recovered": recovered,
            "unknown": unknown.len(), "done": settled.done, "refused": settled.refused,
            "never_placed": settled.never, "unresolved": settled.open, "same_again": stays,
            "replays": replays, "audit": audit.to_json(),
        }))?;
    } else {
        out.line("")?;
        for line in audit.lines() {
            out.line(line)?;
        }
        let word = |good: bool| if good { "PASS" } else { "FAIL" };
        out.line("")?;
        out.line(format_args!(
            "{}  promised {}, found {}, lost {lost} (level {})",
            word(lost == 0),
            Count(promised),
            Count(promised.saturating_sub(lost)),
            args.level(),
        ))?;
        out.line(format_args!(
            "{}  unknown {}, resolved: {} done, {} refused, {} never placed; {} unresolved",
            word(settled.open == 0),
            Count(unknown.len() as u64),
            Count(settled.done),
            Count(settled.refused),
            Count(settled.never),
            settled.open,
        ))?;
        if let Some(first) = &settled.first_open {
            out.line(format_args!("      the first that is open: {first}"))?;
        }
        out.line(format_args!("{}  asked again, every question has the same answer", word(stays)))?;
        out.line(format_args!(
            "{}  a replay gives the state digest {}",
            word(replays),
            closed.digest
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
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn beside(dir: &Path) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".acks.jsonl");
    PathBuf::from(name)
}

/// The process that is going to be killed. Dropped, it is.
struct Victim(Child);

impl Victim {
    fn start(args: &Args, dir: &Path, acks: &Path) -> Result<Victim, CliError> {
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
    fn kill(mut self) -> Result<(), CliError> {
        let gone = |e| CliError::io("cannot kill the playing process", Path::new("--kill"), &e);
        self.0.kill().map_err(gone)?;
        self.0.wait().map_err(gone)?;
        Ok(())
    }
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
}

/// How many acknowledgements there are, and the requests that were sent and have none.
fn compare(acks: &Path) -> Result<(u64, Vec<Request>), CliError> {
    let wrong = |what: &str, path: &Path| {
        CliError::new(what, path.display(), "this file was written by this program: report it")
    };
    let mut told: HashSet<(u64, RequestKey)> = HashSet::new();
    let mut count = 0;
    for line in whole_lines(acks)? {
        let ack: Acknowledged = serde_json::from_str(&line)
            .map_err(|_| wrong("a line is not an acknowledgement", acks))?;
        let key = u128::from_str_radix(&ack.key, 16)
            .map_err(|_| wrong("a key is not a hexadecimal number", acks))?;
        told.insert((ack.account, RequestKey(key)));
        count += 1;
    }
    let path = sent_path(acks);
    let mut unknown: HashMap<(u64, RequestKey), Request> = HashMap::new();
    for line in whole_lines(&path)? {
        let request = sent(&line).ok_or_else(|| wrong("a line is not a request", &path))?;
        if !told.contains(&(request.account, request.key)) {
            unknown.insert((request.account, request.key), request);
        }
    }
    let mut unknown: Vec<Request> = unknown.into_values().collect();
    unknown.sort_by_key(|request| (request.valid_until, request.account, request.key));
    Ok((count, unknown))
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

    #[test]
    fn a_request_is_unknown_when_it_was_sent_and_not_acknowledged() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let acks = dir.path().join("acks");
        let ack =
            |account: u64, key: &str| format!("{{\"account\":{account},\"key\":\"{key}\"}}\n");
        std::fs::write(&acks, ack(7, "a") + &ack(7, "b") + "{\"account\":7,\"ke").expect("written");
        std::fs::write(sent_path(&acks), "7 a 100\n7 b 100\n7 c 200\n8 a 150\n8 b 1")
            .expect("written");
        let (count, unknown) = compare(&acks).expect("both can be read");
        assert_eq!(count, 2);
        let request = |account, key, valid_until| Request {
            account,
            key: RequestKey(key),
            valid_until: Timestamp(valid_until),
        };
        // The line that the kill cut was never submitted: it is written before.
        assert_eq!(unknown, [request(8, 0xa, 150), request(7, 0xc, 200)]);
    }
}
