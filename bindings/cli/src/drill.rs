//! What has to work on a bad day, practised: feeds, customers and disks that misbehave, a backup restored, a
//! process killed over and over, the power cut.

mod broker_slow;
mod derby_night;
mod disk;
mod drift;
mod feed_gap;
mod freeze_cash_out;
mod hot_market;
mod late_event;
mod night;
mod retry_storm;
mod scene;
mod slow_consumer;
mod stale_feed;
mod timeline;
mod version_skew;
mod wallet_slow;

use crate::error::CliError;
use crate::matchday::{power, rounds};
use crate::out::Out;
use crate::source;
use betring::{
    AccountId, Capacities, Config, Cores, Currency, Engine, Layout, Outcome, Place, Recovered,
    Reference, Replayed, SelectionOutcome, key, money, price,
};
use betring_journal::{DirStore, verify};
use clap::Subcommand;
use serde_json::json;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring drill all                bad moments of a live night, PASS or FAIL each
  betring drill derby-night        the whole story of one, with its timeline
  betring drill stale-feed --exact the same every time, on a clock of its own
  betring drill restore ./book     the way back from a backup
  betring drill kill --rounds 500  kill -9, over and over: nothing told is lost
  betring drill power-cut          what reached the disk, and nothing else, is there after it")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(Subcommand)]
enum Cmd {
    /// Back up, wipe, restore and recover a journal, and compare the digests.
    Restore(RestoreArgs),
    /// Kill a playing process over and over, reopen its book, and check every promise.
    Kill(rounds::Args),
    /// Cut the power of a disk in a file under a playing process, and check every promise. For root.
    PowerCut(power::Args),
    #[command(flatten)]
    Night(night::Drill),
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring drill restore            on a small journal of its own, in a temporary directory
  betring drill restore ./book     on copies of this journal; it is read and never changed

With DIR the journal must be at rest. Its copies are made beside it and removed at the end, so
there has to be room for two of them. Exit status: 0 the restored state is the same, 1 it is
not.")]
struct RestoreArgs {
    /// The journal's directory.
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs a drill.
pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Cmd::Restore(args) => restore(&args),
        Cmd::Kill(args) => rounds::run(&args),
        Cmd::PowerCut(args) => power::run(&args),
        Cmd::Night(drill) => night::run(drill),
    }
}

/// A directory that goes when it is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    fn beside(path: &Path) -> Result<Scratch, CliError> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".drill-{}", std::process::id()));
        let path = path.with_file_name(name);
        make_dir(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If it stays, its name says whose it is.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn make_dir(path: &Path) -> Result<(), CliError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|e| CliError::io("cannot make the directory", path, &e))
}

/// What a copy took.
#[derive(Clone, Copy, Default)]
struct Copied {
    files: u64,
    bytes: u64,
    took: Duration,
}

impl std::fmt::Display for Copied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Copied { files, bytes, took } = self;
        write!(f, "{files} files, {bytes} bytes, copied and synced in {:.3} s", took.as_secs_f64())
    }
}

/// Copies a journal: everything but its lock, an engine's counters and what was never part of it, made durable.
fn copy(from: &Path, to: &Path) -> Result<Copied, CliError> {
    let began = Instant::now();
    let mut copied = Copied::default();
    make_dir(to)?;
    copy_files(from, to, &mut copied)?;
    copied.took = began.elapsed();
    Ok(copied)
}

fn copy_files(from: &Path, to: &Path, copied: &mut Copied) -> Result<(), CliError> {
    let at = |what: &'static str, path: &Path| {
        let path = path.to_owned();
        move |e: io::Error| CliError::io(what, &path, &e)
    };
    for entry in std::fs::read_dir(from).map_err(at("cannot read the directory", from))? {
        let entry = entry.map_err(at("cannot read the directory", from))?;
        let (path, name) = (entry.path(), entry.file_name());
        let target = to.join(&name);
        if entry.file_type().map_err(at("cannot read", &path))?.is_dir() {
            if name == "archive" {
                make_dir(&target)?;
                copy_files(&path, &target, copied)?;
            }
            continue;
        }
        if name == "LOCK"
            || name == "counters"
            || path.extension().is_some_and(|ending| ending == "tmp")
        {
            continue;
        }
        copied.bytes += std::fs::copy(&path, &target).map_err(at("cannot copy", &path))?;
        copied.files += 1;
        let file = File::open(&target).map_err(at("cannot open", &target))?;
        file.sync_all().map_err(at("cannot sync", &target))?;
    }
    File::open(to).and_then(|dir| dir.sync_all()).map_err(at("cannot sync", to))
}

/// An engine that only recovers: small rings, small segments, no threads.
pub(crate) fn recovering(path: &Path) -> Config {
    Config::at(path)
        .layout(Layout::Inline)
        .cores(Cores::Unpinned)
        .capacities(Capacities {
            accounts: 64,
            markets: 16,
            selections: 64,
            bets: 1 << 12,
            keys: 1 << 13,
            feeds: 4,
            fixtures: 4,
            actors: 8,
            currencies: 2,
            quarantined: 4,
            legs: 3 << 11,
            groups: 4,
            limited: 4,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        })
        .control_ring(256)
        .bet_ring(1024)
        .clients(4, 1024)
        .segment_bytes(1 << 20)
        .segments_ahead(0)
        .snapshot_at_stop(0)
}

fn restore(args: &RestoreArgs) -> Result<ExitCode, CliError> {
    match &args.dir {
        Some(dir) => {
            let store = DirStore::existing(dir)?;
            let scratch = Scratch::beside(
                &dir.canonicalize()
                    .map_err(|e| CliError::io("cannot find the journal's directory", dir, &e))?,
            )?;
            let lock = source::lock(&store, dir)?;
            let drilled = Drill::run(dir, &scratch.0.join("backup"), &scratch.0.join("restored"))?;
            drop(lock);
            drilled.tell(args.json)
        }
        None => {
            let own = std::env::temp_dir().join("betring-book");
            let scratch = Scratch::beside(&own)?;
            let book = scratch.0.join("book");
            play(&book)?;
            Drill::run(&book, &scratch.0.join("backup"), &book)?.tell(args.json)
        }
    }
}

/// A small journal with everything that a drill is about: two snapshots, segments in the archive, and
/// records behind both.
fn play(book: &Path) -> Result<(), CliError> {
    let mut number = 1;
    for round in 0..4 {
        // A run each, and so a segment each.
        let engine = Engine::open(recovering(book).archive(true))?;
        let mut trader = engine.control("trader:drill")?;
        let mut client = engine.client(1024)?;
        let mut accounts: Vec<AccountId> = Vec::new();
        for reference in 1..=4 {
            let account = client.open_account(Reference(10 * round + reference), Currency::GBP)?;
            client.deposit(account, money!(1_000.00), key(1))?;
            accounts.push(account);
        }
        let names = ["home", "draw", "away"];
        let market = trader.define_market(&format!("drill {round}"), names)?;
        trader.set_prices(&market, [price!(2.10), price!(3.40), price!(3.75)])?;
        trader.open_market(&market)?;
        let mut tickets = Vec::new();
        for n in 0..300 {
            number += 1;
            let account = accounts[n % accounts.len()];
            let place = Place::single(account, market.selection(names[n % 3]), money!(1.00))
                .any_price()
                .key(key(number));
            tickets.push(client.try_submit(place).map_err(betring::Error::from)?);
        }
        for ticket in tickets {
            let outcome = client.wait(ticket, Duration::from_secs(10));
            if !matches!(outcome, Outcome::Accepted(_)) {
                return Err(CliError::new(
                    format_args!("a bet of the drill was not accepted: {outcome}"),
                    book.display(),
                    "run it again; if it happens again, this program is at fault",
                ));
            }
        }
        let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
        trader.result(&market, [win, lose, lose])?;
        if round == 1 || round == 2 {
            engine.run_until_idle()?;
            engine.snapshot()?;
        }
        drop((trader, client));
        engine.shutdown()?;
    }
    Ok(())
}

/// What a drill came to.
struct Drill {
    journal: PathBuf,
    before: Replayed,
    replayed_in: Duration,
    backup: Copied,
    backup_sound: bool,
    wiped: bool,
    restore: Copied,
    recovered: Recovered,
}

impl Drill {
    /// Backs `journal` up, restores it to `restored`, which may be its own place, and recovers it there.
    fn run(journal: &Path, backup: &Path, restored: &Path) -> Result<Drill, CliError> {
        let began = Instant::now();
        let before = betring::replay(journal, &mut |_| {})?;
        let replayed_in = began.elapsed();
        let copied = copy(journal, backup)?;
        let report = verify(&DirStore::existing(backup)?, &mut |_| {})?;
        let backup_sound = report.is_sound() && report.bad_snapshots.is_empty();
        let wiped = journal == restored;
        if wiped {
            let wipe = std::fs::remove_dir_all(journal);
            wipe.map_err(|e| CliError::io("cannot remove the journal", journal, &e))?;
        }
        let restore = copy(backup, restored)?;
        let engine = Engine::open(recovering(restored))?;
        let recovered = engine.recovered().clone();
        engine.shutdown()?;
        Ok(Drill {
            journal: journal.to_owned(),
            before,
            replayed_in,
            backup: copied,
            backup_sound,
            wiped,
            restore,
            recovered,
        })
    }

    fn is_same(&self) -> bool {
        self.backup_sound
            && self.recovered.kept_seq == self.before.last_seq
            && self.recovered.digest == self.before.digest
            && self.recovered.money_digest == self.before.money_digest
    }

    fn tell(&self, json: bool) -> Result<ExitCode, CliError> {
        let (before, after) = (&self.before, &self.recovered);
        let back = self.restore.took + after.took;
        let mut out = Out::new();
        if json {
            out.line(json!({
                "records": before.records, "last_seq": before.last_seq.0,
                "replay_seconds": self.replayed_in.as_secs_f64(),
                "bytes": self.backup.bytes, "files": self.backup.files,
                "backup_seconds": self.backup.took.as_secs_f64(),
                "restore_seconds": self.restore.took.as_secs_f64(),
                "recover_seconds": after.took.as_secs_f64(),
                "snapshot_seq": after.snapshot.map(|seq| seq.0), "replayed": after.replayed,
                "backup_sound": self.backup_sound, "same": self.is_same(),
                "state_digest": before.digest.to_string(),
                "restored_digest": after.digest.to_string(),
            }))?;
        } else {
            out.line(format_args!("journal   {}", self.journal.display()))?;
            let took = self.replayed_in.as_secs_f64();
            out.line(format_args!("replay    {before}, in {took:.3} s"))?;
            out.line(format_args!("backup    {}", self.backup))?;
            out.line(match self.backup_sound {
                true => "verify    every byte of the backup is right",
                false => "verify    the backup is damaged: betring journal verify names where",
            })?;
            out.line(match self.wiped {
                true => "wipe      the journal is gone",
                false => "wipe      left out: the journal stays, and is restored beside it",
            })?;
            out.line(format_args!("restore   {}", self.restore))?;
            out.line(format_args!("recover   {after}"))?;
            let back = back.as_secs_f64();
            out.line(match self.is_same() {
                true => format!("PASS  back in {back:.3} s, and the same: {}", before.digest),
                false => format!(
                    "FAIL  it was {} at {}, restored it is {} at {}",
                    before.digest, before.last_seq, after.digest, after.kept_seq
                ),
            })?;
        }
        out.flush()?;
        Ok(if self.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
