//! Dead letters: commands that could not be read when they came, put aside by the engine. Looked at, and
//! asked again once this program can read them.

use crate::describe::{self, Told, utc};
use crate::drill::recovering;
use crate::error::{CliError, program};
use crate::fold::Entry;
use crate::out::Out;
use betring::dead_letters::{self, DeadLetter, Letters};
use betring::{Client, Control, Engine, Nanos, Reject, Reply, Slot, Timestamp};
use betring_core::command::{Kind, Lane};
use betring_core::id::Seq;
use serde_json::json;
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use zerocopy::IntoBytes;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a command that gets a new time limit may still be decided.
const RENEWED: Nanos = Nanos::from_secs(5);
/// Where in its first slot a command has its time limit.
const TIME_LIMIT: Range<usize> = 64..72;
/// The file beside the letters that says which were asked again: a line each.
const NOTES: &str = "redriven";

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring dlq list ./book                  what was put aside, and why
  betring dlq show ./book 160              one of them: its bytes, and what they say here
  betring dlq redrive ./book --dry-run     which of them this program can read
  betring dlq redrive ./book 160           ask it again, and tell the answer

list and show take no lock: they may run beside the engine. redrive opens the journal, which
has to be at rest.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(clap::Subcommand)]
enum Cmd {
    /// List what was put aside, a line each.
    List(ListArgs),
    /// Show one letter: its bytes, and what they say to this program.
    Show(ShowArgs),
    /// Ask again what this program can read, and tell every answer.
    Redrive(RedriveArgs),
}

#[derive(clap::Args)]
#[command(after_help = "\
Example: betring dlq list ./book --json

The number in front is the letter's name for show and redrive. Exit status: 0 every letter is
whole, 1 some bytes are damaged.")]
struct ListArgs {
    /// The journal's directory.
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "Example: betring dlq show ./book 160")]
struct ShowArgs {
    /// The journal's directory.
    dir: PathBuf,
    /// The letter, by the number that list gives it.
    letter: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring dlq redrive ./book --dry-run     which of them this program can read
  betring dlq redrive ./book               all that was not asked again before
  betring dlq redrive ./book 160 --renew   this one, with a new time limit

Each goes the way it would have gone: under its own key, by its own account or actor, decided
by everything that holds now. So a bet is refused while feeds recover, and what came twice is
told its first answer. A time limit that is over stays over, and the command is refused as
Expired, unless --renew gives it five seconds from now: ask the customer first.

What was asked again is noted beside the letters, and not asked a third time unless it is
named; what was refused as Expired is not noted, and can be asked with --renew. Exit status: 0 everything that was to be asked was answered, 1 something cannot be
read or was refused.")]
struct RedriveArgs {
    /// The journal's directory.
    dir: PathBuf,
    /// Only these letters, by the numbers that list gives them.
    letters: Vec<u64>,
    /// Say what would be asked, and ask nothing. Takes no lock.
    #[arg(long)]
    dry_run: bool,
    /// Give each a new time limit.
    #[arg(long)]
    renew: bool,
    /// Print JSON, an object a line.
    #[arg(long)]
    json: bool,
}

/// Looks at dead letters.
pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Cmd::List(args) => list(&args),
        Cmd::Show(args) => show(&args),
        Cmd::Redrive(args) => redrive(&args),
    }
}

fn read(dir: &Path) -> Result<Letters, CliError> {
    if !dir.is_dir() {
        return Err(CliError::new(
            "there is no journal here",
            dir.display(),
            "name the journal's directory",
        ));
    }
    let file = dead_letters::file(dir);
    dead_letters::open(dir).map_err(|e| CliError::io("cannot read the dead letters", &file, &e))
}

/// What a letter says to this program: a sentence, or what is wrong with it, and what it begins with.
fn says(letter: &DeadLetter) -> Result<String, String> {
    letter.redrive().map_err(|what| format!("{what} ({})", begins(letter)))?;
    let kind = letter.bytes.first().copied().map_or(0, u16::from);
    let entry = Entry { seq: Seq(0), at: letter.at, kind, payload: &letter.bytes };
    Told::read(&entry).map(|told| told.sentence())
}

/// Which command its first two bytes say that it is, in which version.
fn begins(letter: &DeadLetter) -> String {
    let byte = |at: usize| letter.bytes.get(at).copied().unwrap_or(0);
    let version = byte(1);
    match Kind::from_code(byte(0)) {
        Some(kind) => format!("{kind}, version {version}"),
        None => format!("kind {}, version {version}", byte(0)),
    }
}

/// When its time limit was over, if it has one and that is so.
fn expired(letter: &DeadLetter) -> Option<Timestamp> {
    let bytes = letter.bytes.get(TIME_LIMIT)?.try_into().ok()?;
    let until = Timestamp(i64::from_le_bytes(bytes));
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
    (until.0 != 0 && until.0 < now).then_some(until)
}

/// The letters that were asked again, and what was answered, by offset and checksum.
struct Notes(HashMap<(u64, u32), String>);

impl Notes {
    fn path(dir: &Path) -> PathBuf {
        dead_letters::file(dir).with_file_name(NOTES)
    }

    fn read(dir: &Path) -> Result<Notes, CliError> {
        let path = Notes::path(dir);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(CliError::io("cannot read what was asked again", &path, &e)),
        };
        let note = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            let crc = u32::try_from(value["crc"].as_u64()?).ok()?;
            Some(((value["offset"].as_u64()?, crc), value["answer"].as_str()?.to_owned()))
        };
        // A line that was cut is as if it had not been written: its letter can be asked again.
        Ok(Notes(text.lines().filter_map(note).collect()))
    }

    fn of(&self, letter: &DeadLetter) -> Option<&str> {
        self.0.get(&(letter.offset, letter.crc)).map(String::as_str)
    }

    fn add(dir: &Path, letter: &DeadLetter, answer: &str) -> Result<(), CliError> {
        let path = Notes::path(dir);
        let line = json!({"offset": letter.offset, "crc": letter.crc, "answer": answer});
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        file.and_then(|mut file| writeln!(file, "{line}"))
            .map_err(|e| CliError::write("cannot note what was asked again", &path, &e))
    }
}

fn list(args: &ListArgs) -> Result<ExitCode, CliError> {
    let (all, notes) = (read(&args.dir)?, Notes::read(&args.dir)?);
    let mut out = Out::new();
    if args.json {
        let letters: Vec<_> = all.letters.iter().map(|letter| to_json(letter, &notes)).collect();
        out.line(json!({"letters": letters, "damaged": all.damaged, "torn": all.torn}))?;
    } else {
        for letter in &all.letters {
            let asked = match notes.of(letter) {
                Some(answer) => format!("; asked again: {answer}"),
                None if letter.redrive().is_ok() => "; this program can read it".to_owned(),
                None => String::new(),
            };
            out.line(format_args!(
                "{:>8}  {}  {}  {} bytes  {}{asked}",
                letter.offset,
                utc(letter.at),
                letter.client,
                letter.bytes.len(),
                format_args!("{} ({})", letter.reason, begins(letter)),
            ))?;
        }
        out.line(&all)?;
    }
    out.flush()?;
    Ok(if all.damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn to_json(letter: &DeadLetter, notes: &Notes) -> serde_json::Value {
    let said = says(letter);
    json!({
        "offset": letter.offset, "at_ns": letter.at.0, "at": utc(letter.at),
        "client": letter.client.0, "bytes": letter.bytes.len(), "crc": letter.crc,
        "reason": letter.reason.to_string(), "says": said.as_ref().ok(),
        "wrong": said.as_ref().err(), "asked_again": notes.of(letter),
    })
}

fn find<'a>(all: &'a Letters, dir: &Path, offset: u64) -> Result<&'a DeadLetter, CliError> {
    all.at(offset).ok_or_else(|| {
        CliError::new(
            format_args!("no dead letter begins at {offset}"),
            dead_letters::file(dir).display(),
            format_args!("see which there are: {} dlq list {}", program(), dir.display()),
        )
    })
}

fn show(args: &ShowArgs) -> Result<ExitCode, CliError> {
    const ROW: usize = 16;
    let (all, notes) = (read(&args.dir)?, Notes::read(&args.dir)?);
    let letter = find(&all, &args.dir, args.letter)?;
    let mut out = Out::new();
    if args.json {
        let mut value = to_json(letter, &notes);
        let hex: String = letter.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        value["hex"] = json!(hex);
        out.line(value)?;
    } else {
        let (at, client, bytes) = (utc(letter.at), letter.client, letter.bytes.len());
        let (offset, reason) = (letter.offset, letter.reason);
        out.line(format_args!("{offset}: {at} from {client}, {bytes} bytes: {reason}"))?;
        match says(letter) {
            Ok(sentence) => out.line(format_args!("  this program reads it: {sentence}"))?,
            Err(what) => out.line(format_args!("  this program cannot read it: {what}"))?,
        }
        if let Some(answer) = notes.of(letter) {
            out.line(format_args!("  asked again: {answer}"))?;
        }
        for (at, row) in letter.bytes.chunks(ROW).enumerate() {
            let hex: String = row.iter().map(|byte| format!(" {byte:02x}")).collect();
            out.line(format_args!("  {:>6} {hex}", at * ROW))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn redrive(args: &RedriveArgs) -> Result<ExitCode, CliError> {
    let (all, notes) = (read(&args.dir)?, Notes::read(&args.dir)?);
    let mut chosen = Vec::new();
    for offset in &args.letters {
        chosen.push(find(&all, &args.dir, *offset)?);
    }
    if args.letters.is_empty() {
        chosen = all.letters.iter().filter(|letter| notes.of(letter).is_none()).collect();
    }
    let mut out = Out::new();
    let readable = chosen.iter().any(|letter| letter.redrive().is_ok());
    let mut desk = match !args.dry_run && readable {
        true => Some(Desk::open(&args.dir)?),
        false => None,
    };
    let (mut clean, mut asked, mut unread) = (true, 0_u64, 0_u64);
    for letter in &chosen {
        let (sentence, answer) = match (says(letter), &mut desk) {
            (Err(what), _) => {
                clean = false;
                unread += 1;
                (None, format!("cannot be read: {what}"))
            }
            (Ok(sentence), None) => {
                let would = match expired(letter).filter(|_| !args.renew) {
                    None => "would be asked".to_owned(),
                    Some(until) => format!(
                        "would be refused as {}, its time was over at {}: --renew gives it another",
                        Reject::Expired,
                        utc(until)
                    ),
                };
                (Some(sentence), would)
            }
            (Ok(sentence), Some(desk)) => {
                let (taken, answer) = desk.ask(letter, args.renew)?;
                asked += 1;
                clean &= taken == Asked::Taken;
                // Whose time was over was never looked at: it is asked again with another.
                if taken != Asked::Expired {
                    Notes::add(&args.dir, letter, &answer)?;
                }
                (Some(sentence), answer)
            }
        };
        if args.json {
            let offset = letter.offset;
            out.line(json!({"offset": offset, "says": sentence, "answer": answer}))?;
        } else {
            let sentence = sentence.map_or(String::new(), |sentence| format!("{sentence} → "));
            out.line(format_args!("{:>8}  {sentence}{answer}", letter.offset))?;
        }
        // What was answered is seen, whatever comes of the next one.
        out.flush()?;
    }
    if let Some(desk) = desk {
        desk.close()?;
    }
    if !args.json {
        let (letters, asked) = (describe::counted(chosen.len() as u64, "letter"), asked);
        let left = all.letters.len() - chosen.len();
        let unread = match unread {
            0 => String::new(),
            unread => format!(", {unread} cannot be read"),
        };
        out.line(format_args!(
            "{letters} looked at, {asked} asked again{unread}, {left} left alone"
        ))?;
        if 0 < all.damaged {
            out.line(&all)?;
        }
    }
    out.flush()?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of a letter that was asked again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Taken,
    Refused,
    /// Its time was over before it was looked at.
    Expired,
}

/// The engine with everybody who may ask it.
struct Desk {
    engine: Engine,
    control: Control,
    client: Client,
}

impl Desk {
    fn open(dir: &Path) -> Result<Desk, CliError> {
        let engine = Engine::open(recovering(dir))?;
        let control = engine.control("operator:dlq")?;
        let client = engine.client(64)?;
        Ok(Desk { engine, control, client })
    }

    /// Asks again; what came of it, and in words.
    fn ask(&mut self, letter: &DeadLetter, renew: bool) -> Result<(Asked, String), CliError> {
        let no = |text: String| Ok((Asked::Refused, text));
        let Ok(mut slots) = letter.redrive() else { return no("cannot be read".into()) };
        if renew {
            let until = self.client.now().plus(RENEWED);
            renewed(&mut slots, until.0);
        }
        let kind = slots.first().and_then(|slot| Kind::from_code(slot.header().kind));
        let reply = match kind.map(Kind::lane) {
            Some(Lane::Control | Lane::Feed) => match self.control.try_submit(&slots) {
                Ok(ticket) => {
                    self.engine.run_until_idle()?;
                    self.control.wait(ticket, PATIENCE)?
                }
                Err(why) => return no(format!("not taken: {why}")),
            },
            Some(Lane::Customer) => {
                if let Some(why) = self.client.submit_batch(&slots).refused {
                    return no(format!("not taken: {why}"));
                }
                self.engine.run_until_idle()?;
                let mut replies = [Reply::default(); 1];
                match self.client.poll(&mut replies) {
                    0 => return no("not answered".into()),
                    _ => replies[0],
                }
            }
            Some(Lane::Engine) | None => {
                return no("not taken: only the engine itself gives this command".into());
            }
        };
        let twice = if reply.is_duplicate() { "answered before: " } else { "" };
        let taken = match reply.answer.reject() {
            None => Asked::Taken,
            Some(Reject::Expired) => Asked::Expired,
            Some(_) => Asked::Refused,
        };
        Ok((taken, format!("{twice}{}", describe::outcome(&reply.answer))))
    }

    fn close(self) -> Result<(), CliError> {
        let Desk { engine, control, client } = self;
        drop((control, client));
        engine.shutdown()?;
        Ok(())
    }
}

/// Another time limit, in the first slot; a feed's own messages have none.
fn renewed(slots: &mut [Slot], until: i64) {
    if let Some(first) = slots.first_mut() {
        let field = &mut first.as_mut_bytes()[TIME_LIMIT];
        if field.iter().any(|byte| *byte != 0) {
            field.copy_from_slice(&until.to_le_bytes());
        }
    }
}
