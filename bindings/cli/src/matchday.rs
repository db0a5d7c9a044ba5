//! A matchday: played from a seed or from recordings, measured, and proved from its journal.

mod acts;
mod beside;
mod floor;
mod gateway;
mod kill;
mod ladder;
mod modelled;
mod play;
pub(crate) mod power;
mod results;
pub(crate) mod rounds;
mod scan;
pub(crate) mod space;
mod tally;
mod time;

use crate::audit::{self, By};
use crate::error::{CliError, program};
use crate::out::Out;
use crate::{acks, file, life, report};
use acts::{Acts, SECOND_NS};
use betring::logic::command::OpenAccount;
use betring::logic::id::OrderId;
use betring::logic::wire::{self, Header};
use betring::{
    AccountId, AnswerKind, Capacities, Client, Clock, Config, Currency, Engine, HouseRules, Layout,
    Level, Nanos, PriceFailure, Reject, Reply, RequestKey, Slot, Timestamp,
};
use betring_benches::machine::Machine;
use betring_benches::recorder::Count;
use betring_betfair::{FileCheck, Merged, MergedUpdate, Recording, Update};
use betring_fuzz::workload::{AccountPlan, DerbyNight};
use betring_pricing::Money;
use floor::Floor;
use gateway::{Day, Diary, Gateway, Keys, Live, Names};
use play::{Progress, Stage};
use results::Results;
use scan::{Range, Scan};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tally::Tally;
use time::DayTime;

/// What the engine says has its place and its remedy already.
impl From<betring::Error> for CliError {
    fn from(error: betring::Error) -> CliError {
        CliError::Said(error.to_string())
    }
}

/// The seed of a night that nobody chose one for.
const SEED: u64 = 1;
/// Bets a second in a calm night, and the most in a second of a recording.
const RATE: u64 = 2_000;
const RECORDED_RATE: u64 = 50;
/// How many times the rate at kick-off.
const SPIKE: u64 = 15;
/// Seconds of a night, and of one that is killed on the way.
const SECONDS: u64 = 20;
const SECONDS_KILLED: u64 = 8;
/// Unanswered requests of all customers together: a second of a great rush.
const CREDIT: usize = 16_384;
/// Customers of a recording, and what each has to spend.
const RECORDED_ACCOUNTS: u64 = 500;
const RECORDED_DEPOSIT: i64 = 1_000_000;
/// Markets of a day with room for all recordings one can name in a line.
const MARKETS_MAX: usize = 4_096;
/// When a night without a clock of its own begins: any moment would do, this one is the same always.
const VIRTUAL_START: Timestamp = Timestamp(1_760_000_000 * 1_000_000_000);

#[derive(clap::Args, Clone)]
#[command(after_help = "\
Examples:
  betring matchday                                  a derby night in about 20 seconds, plus
                                                    opening and the audit
  betring matchday --report night.html              and its plots, in one file
  betring matchday --feed recording.bz2             a recording as the source of odds
  betring matchday --kill                           killed on the way: nothing told is lost
  betring matchday --dir ./book --resume            another night in the same book

The budgets of time (accept p99, odds p95) only warn where the machine is busy with other
things.

Exit status: 0 every check passed, 1 one failed, 2 the day could not be played.")]
pub(crate) struct Args {
    /// Stream recordings as the source of odds, plain or .bz2; several begin together.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    feed: Vec<PathBuf>,
    /// What chance is drawn from: the same seed, the same day [default: 1; with --kill another every
    /// time, and printed].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Requests a second while it is calm; with --feed the most in one of its seconds [default: 2000;
    /// with --feed 50].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: Option<u64>,
    /// How many times as many at kick-off.
    #[arg(long, value_name = "X", default_value_t = SPIKE,
        value_parser = clap::value_parser!(u64).range(1..=1_000), conflicts_with = "feed")]
    spike: u64,
    /// How long the night is; with --feed how many of the recording's own seconds are played, at any
    /// speed [default: 20; with --kill 8; with --feed all].
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// How many times as fast as the day's own clock, or `max`: no waiting, no threads, a clock that
    /// stands still between two acts [default: 1; with --feed max].
    #[arg(long, value_name = "X|max")]
    speed: Option<Speed>,
    /// The journal's directory [default: a fresh ./betring-run-TIME].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Go on in a directory that has a journal.
    #[arg(long, requires = "dir", conflicts_with = "kill")]
    resume: bool,
    /// How safe an answer has to be before customers see it: durable, process, applied [default:
    /// durable; with --speed max process: nothing else goes on while the disk is waited for].
    #[arg(long, value_name = "L")]
    level: Option<Level>,
    /// Write every acknowledgement to this file, so that it survives a kill.
    #[arg(long, value_name = "FILE")]
    acks: Option<PathBuf>,
    /// Kill the playing process at a random moment, reopen, and settle every open question.
    #[arg(long, conflicts_with = "report")]
    kill: bool,
    /// Write a report with plots: one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// This is the process that is going to be killed.
    #[arg(long, hide = true)]
    victim: bool,
    /// How large a segment is, for drills that want many ends of them.
    #[arg(long, hide = true, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1024))]
    segment_mib: Option<u64>,
}

/// How fast a day is played.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Speed {
    /// So many times as fast as its own clock.
    Times(f64),
    /// As fast as it goes, on a virtual clock.
    Max,
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        match text.parse::<f64>() {
            Ok(times) if (0.01..=10_000.0).contains(&times) => Ok(Speed::Times(times)),
            _ => Err(format!("`{text}` is not a speed: write a number from 0.01 to 10000, or max")),
        }
    }
}

impl Args {
    /// A night without recordings that is going to be killed.
    fn killed(seed: u64, rate: u64, seconds: u64) -> Args {
        Args {
            feed: Vec::new(),
            seed: Some(seed),
            rate: Some(rate),
            spike: SPIKE,
            seconds: Some(seconds),
            speed: None,
            dir: None,
            resume: false,
            level: None,
            acks: None,
            kill: true,
            report: None,
            json: true,
            victim: false,
            segment_mib: None,
        }
    }

    fn seed(&self) -> u64 {
        self.seed.unwrap_or(SEED)
    }

    fn speed(&self) -> Speed {
        self.speed.unwrap_or(if self.feed.is_empty() { Speed::Times(1.0) } else { Speed::Max })
    }

    fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(if self.kill || self.victim { SECONDS_KILLED } else { SECONDS })
    }

    fn level(&self) -> Level {
        let usual = match self.speed() {
            Speed::Max => Level::ProcessCrashOnly,
            Speed::Times(_) => Level::Durable,
        };
        self.level.unwrap_or(usual)
    }

    fn rate(&self) -> u64 {
        self.rate.unwrap_or(if self.feed.is_empty() { RATE } else { RECORDED_RATE })
    }

    fn dir(&self) -> PathBuf {
        let unused = || {
            let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
            let named = |n: u32| match n {
                1 => PathBuf::from(format!("./betring-run-{now}")),
                _ => PathBuf::from(format!("./betring-run-{now}-{n}")),
            };
            (1..).map(named).find(|dir| !dir.exists()).unwrap_or_default()
        };
        self.dir.clone().unwrap_or_else(unused)
    }

    fn title(&self) -> String {
        let seed = self.seed();
        if self.feed.is_empty() {
            let (rate, seconds) = (Count(self.rate()), self.seconds());
            let spike = self.spike;
            return format!(
                "derby night, seed {seed}: {rate} requests/s, {spike} times as many at kick-off, \
                 {seconds} s"
            );
        }
        let (count, plural) = (self.feed.len(), if self.feed.len() == 1 { "" } else { "s" });
        format!("{count} recording{plural} as the source of odds, customers from seed {seed}")
    }
}

pub(crate) fn run(mut args: Args) -> Result<ExitCode, CliError> {
    let mut out = Out::new();
    if args.kill && args.seed.is_none() {
        // Every kill comes at another moment; its seed is printed, to have it again.
        args.seed = Some(wall().0.unsigned_abs() / 1_000 % 1_000_000);
    }
    let dir = args.dir();
    let begins = if args.resume { "goes on in" } else { "in" };
    if !args.json {
        out.line(format_args!("betring matchday · {} · {begins} {}", args.title(), dir.display()))?;
        out.flush()?;
    }
    for (option, path, beginning) in
        [("--report", &args.report, report::BEGINNING), ("--acks", &args.acks, acks::BEGINNING)]
    {
        if let Some(path) = path {
            file::may_be_written(option, path, &dir, beginning)?;
        }
    }
    if args.kill {
        return kill::run(&args, &dir, &mut out);
    }
    // A report that cannot be written is known before the day, not after it.
    let report = args.report.as_ref().map(|path| report::Page::open(path)).transpose()?;
    let Some(results) = play(&args, &dir, &mut out)? else { return Ok(ExitCode::SUCCESS) };
    if args.json {
        out.line(results.to_json())?;
    } else {
        for line in results.lines() {
            out.line(line)?;
        }
        what_next(&args, &results, &mut out)?;
    }
    out.flush()?;
    if let Some(report) = report {
        report.write(&results.report().to_html())?;
    }
    Ok(if results.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn what_next(args: &Args, results: &Results, out: &mut Out) -> Result<(), CliError> {
    let (me, dir) = (program(), results.dir.display());
    let files: String = args.feed.iter().map(|file| format!(" {}", file.display())).collect();
    let again = if files.is_empty() { files } else { format!(" --feed{files}") };
    let size = format!("when you have seen enough: {}", space::taken(&results.dir));
    let mut next: Vec<(String, &str)> = vec![
        (
            format!("{me} journal tail {dir} --kind Place --kind PlaceTicket"),
            "the last bets and tickets asked for, a line each",
        ),
        (format!("{me} matchday --dir {dir} --resume{again}"), "another day in this book"),
        (format!("{me} matchday --kill"), "pull the plug on the way"),
        (format!("rm -r {dir}"), &size),
    ];
    if 0 < results.scan.modelled.repricings {
        let tail = format!("{me} journal tail {dir} --kind Reprice");
        next.insert(1, (tail, "what the model was given, and when"));
    }
    if 0 < results.scan.ladder.orders {
        let first = OrderId::new(0, 1);
        next.insert(0, (format!("{me} audit {dir} --order {first}"), "an order's life"));
    }
    if let Some(bet) = results.tally.story.map(|story| story.bet) {
        next.insert(0, (format!("{me} audit {dir} --bet {bet}"), "a bet's life"));
    }
    if let Some(report) = &args.report {
        next.insert(0, (format!("open {}", report.display()), "the plots"));
    }
    let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    out.line("\nWhat to try next")?;
    for (command, what) in next {
        out.line(format_args!("  {command:<width$}  {what}"))?;
    }
    Ok(())
}

/// The engine of a day: sized for it, on its clock.
pub(crate) fn config(args: &Args, dir: &Path, acts: &mut Acts, asks: u64) -> Config {
    let (clock, layout) = match (args.speed(), args.feed.is_empty()) {
        (Speed::Times(1.0), true) => (Clock::wall(), Layout::Auto),
        (Speed::Times(_), true) => (Clock::manual(wall()), Layout::Auto),
        (Speed::Max, true) => (Clock::manual(VIRTUAL_START), Layout::Inline),
        (speed, false) => {
            let layout = if speed == Speed::Max { Layout::Inline } else { Layout::Auto };
            (Clock::manual(acts.begins().unwrap_or(VIRTUAL_START)), layout)
        }
    };
    // A book that goes on has the bets of its earlier days, too: there is room for several.
    let bets = u32::try_from(asks.max(100_000).next_power_of_two() * 2).unwrap_or(u32::MAX);
    let bets = bets.min(Capacities::MAX);
    let capacities = Capacities {
        accounts: 16_384,
        markets: 4_096,
        selections: 65_536,
        bets,
        // A sixteenth is never a customer's.
        keys: bets + bets / 15,
        feeds: 256,
        fixtures: 1_024,
        actors: 512,
        currencies: 4,
        quarantined: 64,
        legs: bets.saturating_add(bets / 2).min(Capacities::MAX),
        groups: 64,
        limited: 16_384,
        orders: 1 << 18,
        positions: 1 << 14,
        stands: 1 << 17,
        levels: 1 << 16,
    };
    // Events, prices and exposure come from the journal: they cannot be at Applied.
    let outputs = match args.level() {
        Level::Durable => Level::Durable,
        Level::ProcessCrashOnly | Level::AppliedOnlyMayVanish => Level::ProcessCrashOnly,
    };
    let mut secret = [0; 16];
    secret[..8].copy_from_slice(&args.seed().to_le_bytes());
    let config = Config::at(dir)
        .clock(clock)
        .layout(layout)
        .capacities(capacities)
        .price_failure(PriceFailure::Offer)
        .offer_ttl(Nanos::from_secs(2))
        .outputs_level(outputs)
        .clients(1_024, CREDIT);
    let config = match args.segment_mib {
        Some(mib) => config.segment_bytes(mib << 20),
        None => config,
    };
    // Of a virtual day nothing is left to chance: the same seed, the same journal.
    if args.speed() == Speed::Max { config.secret(secret) } else { config }
}

fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The sequence of the day, its customers, and about how many requests there will be.
pub(crate) fn plan(args: &Args) -> Result<(Acts, Vec<AccountPlan>, u64), CliError> {
    if args.feed.is_empty() {
        let night = DerbyNight::from_seed(args.seed(), args.rate(), args.spike, args.seconds());
        let asks = u64::try_from(night.expected_asks()).unwrap_or(u64::MAX);
        return Ok((Acts::night(&night), night.accounts().to_vec(), asks));
    }
    let deposit = Money::from_minor(RECORDED_DEPOSIT).unwrap_or(Money::MAX);
    let account = |place| AccountPlan { reference: 1_000 + place, deposit };
    let accounts: Vec<AccountPlan> = (0..RECORDED_ACCOUNTS).map(account).collect();
    args.feed.iter().try_for_each(|path| has_a_market(path))?;
    let acts = Acts::recorded(&args.feed, args.seed(), accounts.len(), args.rate())?;
    // A recording's lines are some hundred bytes each, packed to a tenth: a bet for each is plenty.
    let bytes: u64 =
        args.feed.iter().filter_map(|path| path.metadata().ok()).map(|m| m.len()).sum();
    Ok((acts, accounts, bytes / 20))
}

/// Refuses a file that is no recording, with the words of `betring feed check`. A recording begins with
/// its markets, so only what is none is read to its end.
fn has_a_market(path: &Path) -> Result<(), CliError> {
    if let Ok(recording) = Recording::open(path)
        && Merged::new(vec![recording])
            .any(|it| matches!(it, Ok(MergedUpdate { update: Update::Define(_), .. })))
    {
        return Ok(());
    }
    let check = FileCheck::of(path);
    // The last error speaks of the file as a whole.
    let what = check.errors.last().cloned();
    let what = what.unwrap_or_else(|| format!("{}: no market is defined in it", check.file));
    Err(CliError::new(
        what,
        path.display(),
        format_args!("name a stream recording; see what is in it: {} feed check FILE", program()),
    ))
}

/// Opens the engine of a day; tells how far the recovery is if it takes long.
pub(crate) fn open(config: Config, is_quiet: bool) -> Result<Engine, CliError> {
    let mut told = Instant::now();
    let engine = Engine::open_with(config, HouseRules, &mut |progress| {
        if !is_quiet && Duration::from_secs(1) < told.elapsed() {
            told = Instant::now();
            let percent = progress.bytes * 100 / progress.total_bytes.max(1);
            eprintln!("  recovering: {} records, {percent} %", Count(progress.records));
        }
    })?;
    Ok(engine)
}

/// Plays the day and proves it. None for a victim that was not killed in time.
fn play(args: &Args, dir: &Path, out: &mut Out) -> Result<Option<Results>, CliError> {
    let (mut acts, plans, asks) = plan(args)?;
    let exists = dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    match (exists, args.resume) {
        (true, false) => {
            return Err(CliError::new(
                "this directory is not empty",
                dir.display(),
                "add --resume to go on with the book in it, or name another directory",
            ));
        }
        (false, true) => {
            return Err(CliError::new(
                "there is no book to go on with",
                dir.display(),
                "leave --resume out to begin one",
            ));
        }
        _ => (),
    }
    if let Some(acks) = &args.acks
        && acks.exists()
        && !args.resume
    {
        return Err(CliError::new(
            "this file has acknowledgements of another book",
            acks.display(),
            "name a fresh one for --acks",
        ));
    }
    let beside = space::check(dir, asks)?;
    let machine = if args.victim { Machine::default() } else { Machine::measure(&beside) };
    if !args.json && !args.victim {
        for line in results::machine_lines(&machine) {
            out.line(line)?;
        }
        out.flush()?;
    }

    let engine = open(config(args, dir, &mut acts, asks), args.json)?;
    let after = engine.recovered().kept_seq;
    let health = engine.health();
    if !args.json && !args.victim {
        if args.resume {
            out.line(engine.recovered())?;
        }
        out.line(format_args!("layout {}, replies at {}", health.layout, args.level()))?;
        out.flush()?;
    }
    let keys = Keys::of_epoch(health.epoch);
    let mut client = engine.client_at(CREDIT, args.level())?;
    let accounts = open_accounts(&engine, &mut client, keys, &plans)?;
    let names = Arc::new(Names::new(accounts, MARKETS_MAX));
    let first = DayTime::wall(engine.clock(), engine.now());
    let mut floor = Floor::prepare(&engine, &acts, Arc::clone(&names), first, keys, args.resume)?;

    for said in acts.opening() {
        floor.make(0, &said)?;
    }
    if args.feed.is_empty() {
        floor.open_races()?;
    }
    // Everybody is there: the day begins in a moment.
    let begins = engine.now().plus(Nanos::from_millis(20));
    let time = match args.speed() {
        Speed::Max => DayTime::stepped(engine.clock(), begins),
        Speed::Times(1.0) if args.feed.is_empty() => DayTime::wall(engine.clock(), begins),
        Speed::Times(speed) => DayTime::scaled(engine.clock(), begins, speed),
    };
    floor.begin(time.clone());
    let day = Day { time: time.clone(), names, live: Arc::new(Live::default()), keys };
    let diary = args.acks.as_ref().map(|path| Diary::open(path, args.level())).transpose()?;
    let length_ns = acts.length_ns();
    let tally = Tally::new(acts.phases(), length_ns);
    let gateway = Gateway::new(client, engine.watch(), day.clone(), diary, tally);
    // A night's seconds are its length already; of a recording no act behind its own is played.
    let until_ns = match args.seconds {
        Some(seconds) if !args.feed.is_empty() => seconds * SECOND_NS,
        _ => u64::MAX,
    };
    let mut progress = Progress::new(length_ns, args.json || args.victim);
    let stage = Stage::new(&mut acts, &mut floor, &day, until_ns, &mut progress);
    let mut gateway = match args.speed() {
        Speed::Max => stage.stepped(&engine, gateway)?,
        Speed::Times(_) => stage.threaded(gateway)?,
    };
    let played = progress.done();
    if gateway.stopped.is_none() {
        floor.settle()?;
        if args.feed.is_empty() {
            floor.correct()?;
        }
        gateway.read()?;
    }
    let length_ns = length_ns.unwrap_or_else(|| u64::try_from(time.now_ns()).unwrap_or(0));
    let unanswered = gateway.unanswered() as u64;
    let (tally, stopped, late) = gateway.end();
    let health = engine.health();
    let closed = engine.shutdown()?;
    if args.victim {
        return Ok(None);
    }

    let range = Range { after, base: time.base(), length_ns, speed: time.speed() };
    let scan = Scan::read(dir, &range)?;
    let audit = audit::audit(dir, args.acks.as_deref(), By::Both)?;
    let life = match tally.story {
        Some(story) => {
            let mut lines = life::of(dir, story.bet)?.lines();
            if time.is_timed() {
                lines.push("How its request travelled:".to_owned());
                lines.extend(story.lines());
            }
            lines
        }
        None => Vec::new(),
    };
    Ok(Some(Results {
        title: args.title(),
        dir: dir.to_owned(),
        seed: args.seed(),
        level: args.level().to_string(),
        machine,
        layout: health.layout.to_string(),
        warnings: health.warnings,
        is_timed: time.is_timed(),
        tally,
        beside: floor.beside(),
        floor: floor.tally,
        aside: acts.aside(),
        late,
        unanswered,
        stopped,
        scan,
        audit,
        last_digest: closed.digest.to_string(),
        commands: closed.commands,
        played,
        life,
    }))
}

/// Opens the customers' accounts, or finds them by their numbers, and pays their money in.
fn open_accounts(
    engine: &Engine,
    client: &mut Client,
    keys: Keys,
    plans: &[AccountPlan],
) -> Result<Vec<AccountId>, CliError> {
    let valid_until = engine.now().plus(Nanos::from_secs(60));
    let open = |plan: &AccountPlan| {
        let key = keys.key(Keys::ACCOUNT, plan.reference);
        let currency = Currency::GBP.numeric();
        let body =
            OpenAccount { valid_until, reference: plan.reference, currency, ..Default::default() };
        wire::slot(Header { key, ..Header::default() }, &body)
    };
    let slots: Vec<Slot> = plans.iter().map(open).collect();
    let replies = ask_all(engine, client, &slots)?;
    let account = |reply: &Reply| match (reply.answer.kind(), reply.answer.reject()) {
        (AnswerKind::Done, _) | (_, Some(Reject::AccountExists)) => {
            Ok(AccountId::from_raw(reply.answer.id))
        }
        _ => Err(not_prepared("an account", reply)),
    };
    let accounts: Vec<AccountId> = replies.iter().map(account).collect::<Result<_, _>>()?;
    let deposit = |(plan, account): (&AccountPlan, &AccountId)| {
        let key: RequestKey = keys.key(Keys::DEPOSIT, plan.reference);
        betring::Deposit::new(*account, plan.deposit)
            .key(key)
            .valid_until(valid_until)
            .slot(engine.now())
    };
    let slots: Vec<Slot> = plans.iter().zip(&accounts).map(deposit).collect();
    for reply in ask_all(engine, client, &slots)? {
        if reply.answer.kind() != AnswerKind::Done {
            return Err(not_prepared("a deposit", &reply));
        }
    }
    Ok(accounts)
}

fn not_prepared(what: &str, reply: &Reply) -> CliError {
    CliError::new(
        format_args!("{what} was refused before the day began: {reply}"),
        "the engine's answer",
        "begin a fresh book: leave --resume and --dir out",
    )
}

/// Submits all and waits for all replies, in their order.
pub(crate) fn ask_all(
    engine: &Engine,
    client: &mut Client,
    slots: &[Slot],
) -> Result<Vec<Reply>, CliError> {
    const WITHIN: Duration = Duration::from_secs(60);
    let until = Instant::now() + WITHIN;
    let mut replies = vec![Reply::default(); slots.len()];
    let (mut sent, mut read) = (0, 0);
    while read < slots.len() {
        let submitted = client.submit_batch(&slots[sent..]);
        sent += submitted.commands;
        if sent < slots.len() && submitted.refused.is_some_and(|refused| refused.reject().is_none())
        {
            let why = submitted.refused.map(|refused| refused.to_string()).unwrap_or_default();
            return Err(CliError::new(why, "the running engine", "start again"));
        }
        if engine.health().layout == Layout::Inline {
            engine.run_until_idle()?;
        }
        let got = client.poll(&mut replies[read..]);
        read += got;
        if got == 0 {
            if until <= Instant::now() {
                return Err(CliError::new(
                    format_args!(
                        "{} of {} requests were answered within a minute",
                        read,
                        slots.len()
                    ),
                    "the running engine",
                    "see whether the disk and the processor keep up",
                ));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    Ok(replies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        args: Args,
    }

    fn played(words: &[&str], dir: &Path) -> Results {
        let words = ["matchday"].iter().chain(words);
        let Only { args } = Only::try_parse_from(words).expect("good arguments");
        let results = play(&args, dir, &mut Out::new()).expect("the day is played");
        results.expect("nobody killed it")
    }

    fn failed(results: &Results) -> Vec<String> {
        // How long things take depends on who else uses the machine: that is for people to judge.
        let timed = ["accept p99", "odds p95"];
        let checks = results.checks().into_iter().filter(|check| !timed.contains(&check.name));
        checks
            .filter(|check| check.passed == Some(false))
            .map(|c| format!("{}: {}", c.name, c.figure))
            .collect()
    }

    #[test]
    fn a_derby_night_without_waiting_has_all_its_trouble_and_is_the_same_every_time() {
        let above = tempfile::tempdir().expect("a directory for the test");
        let words = ["--seconds", "2", "--rate", "300", "--json", "--speed", "max"];
        let play = |name: &str| played(&words, &above.path().join(name));
        let (results, again) = (play("one"), play("two"));
        assert_eq!(results.last_digest, again.last_digest);
        assert_eq!(failed(&results), [""; 0]);
        let sum = |of: &dyn Fn(&tally::PhaseTally) -> u64| {
            results.tally.phases.iter().map(of).sum::<u64>()
        };
        assert!(300 < sum(&|phase| phase.accepted), "bets are accepted");
        assert!(0 < sum(&|phase| phase.offered), "and offered");
        let refused = |all: &[Reject]| {
            let one = |phase: &tally::PhaseTally, reject| phase.refused.get(reject).copied();
            sum(&|phase| all.iter().filter_map(|reject| one(phase, reject)).sum())
        };
        assert!(0 < refused(&[Reject::StakeTooLarge]), "some ask for too much");
        let closed = [Reject::MarketSuspended, Reject::FeedDown, Reject::FeedQuarantined];
        assert!(0 < refused(&closed), "and some while a market is closed to them");
        assert!(0 < results.tally.duplicates && 0 < results.tally.offers_taken);
        assert_eq!((results.floor.results, results.floor.repeated_results), (12, 1));
        let beside = &results.scan.beside;
        assert_eq!((beside.quarantines, beside.cured, beside.switches, beside.pins), (1, 1, 4, 2));
        let modelled = &results.scan.modelled;
        assert!(
            0 < modelled.bets && modelled.repricings < modelled.prices,
            "whole matches are repriced"
        );
        let line = results.checks().into_iter().find(|check| check.name == "a model's prices");
        let figure = line.expect("there is such a line").figure;
        let begins = "derby in the next town, 84 markets: ";
        assert!(figure.starts_with(begins) && figure.contains(" each decided as one"), "{figure}");
        assert!(0 < beside.held && 0 < beside.confirmed && 0 < beside.let_go, "{beside:?}");
        assert!(
            0 < beside.synthetic && 0 < beside.by_backup && 0 < beside.own_limits,
            "{beside:?}"
        );
        let over = results.scan.settled + results.scan.sold;
        assert_eq!(over, results.scan.bets, "every bet is settled or sold");
        assert_eq!((results.floor.rollbacks, results.floor.resettled), (1, 1));
        assert!(0 < results.scan.reversed, "and what was settled otherwise is taken back");
        let counts = results.audit.counts();
        assert!(0 < counts.tickets && 0 < counts.waited && 0 < counts.sold, "{counts:?}");
        assert!(0 < results.scan.each_way_accepted, "the races take each-way bets");
        assert!(results.life.len() > 5, "a bet's life is told: {:?}", results.life);
    }

    #[test]
    fn a_derby_night_of_two_seconds_passes_every_check_and_another_goes_on_in_its_book() {
        let above = tempfile::tempdir().expect("a directory for the test");
        let dir = above.path().join("book");
        let acks = above.path().join("acks");
        let acks = acks.to_str().expect("a plain path");
        let words = ["--seconds", "2", "--rate", "300", "--json", "--acks", acks];
        let results = played(&words, &dir);
        assert_eq!(failed(&results), [""; 0]);
        // Who meets which trouble is up to the machine: what happens in any case is counted here, the rest where
        // nothing is left to chance.
        let accepted = results.tally.phases.iter().map(|phase| phase.accepted).sum::<u64>();
        assert!(300 < accepted, "bets are accepted: {accepted}");
        let over = results.scan.settled + results.scan.sold;
        assert_eq!(over, results.scan.bets, "every bet is settled or sold");
        assert_eq!((results.floor.results, results.floor.repeated_results), (12, 1));
        assert_eq!((results.floor.rollbacks, results.floor.resettled), (1, 1));
        let beside = &results.scan.beside;
        assert_eq!((beside.quarantines, beside.cured, beside.switches, beside.pins), (1, 1, 4, 2));
        let json = results.to_json();
        assert_eq!(json["audit"]["acks"]["broken"], 0);
        assert!(0 < json["accept"]["p99_ns"].as_u64().unwrap_or(0), "times name their unit");
        assert!(json["audit"]["acks"]["counts"]["promised"].as_u64() > Some(300));
        let html = results.report().to_html();
        assert_eq!(html.matches("<svg").count(), 3);

        // Another day in the same book: the same accounts, new markets of the same names.
        let again = ["--seconds", "1", "--rate", "100", "--json", "--dir", "unused", "--resume"];
        let results = played(&again, &dir);
        assert_eq!(failed(&results), [""; 0]);
        assert!(results.scan.markets.iter().any(|market| market.name == "ENG-SCO 1X2 (2)"));
    }

    #[test]
    fn a_recording_is_played_with_its_removals_and_places_and_twice_gives_the_same_state() {
        let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/../betfair/recordings/derby.jsonl");
        let above = tempfile::tempdir().expect("a directory for the test");
        let words = ["--feed", recording, "--json"];
        let play = |name: &str| played(&words, &above.path().join(name));
        let (one, two) = (play("one"), play("two"));
        assert_eq!(failed(&one), [""; 0]);
        assert!(100 < one.scan.bets && one.scan.settled == one.scan.bets, "every bet is settled");
        assert_eq!((one.floor.markets, one.floor.results), (3, 3));
        assert_eq!((one.aside.removed, one.aside.starting_prices), (2, 10));
        assert_eq!(one.last_digest, two.last_digest, "a virtual day is the same day every time");
    }

    #[test]
    fn a_recording_in_real_time_has_the_same_day_and_customers_take_its_offers() {
        let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/../betfair/recordings/derby.jsonl");
        let above = tempfile::tempdir().expect("a directory for the test");
        let play = |speed: &str| {
            let words = ["--feed", recording, "--json", "--seconds", "60", "--speed", speed];
            played(&words, &above.path().join(speed))
        };
        let (scaled, stepped) = (play("40"), play("max"));
        assert_eq!(scaled.aside.updates, stepped.aside.updates, "60 s of the recording in both");
        assert!(0 < scaled.tally.offers_taken, "offers are taken before they end");
        let unknown =
            |phase: &tally::PhaseTally| phase.refused.contains_key(&Reject::MarketUnknown);
        assert!(!scaled.tally.phases.iter().any(unknown), "nobody bets on what is not defined");
    }

    #[test]
    fn a_day_on_which_nobody_bet_does_not_pass_and_no_bet_is_named() {
        let above = tempfile::tempdir().expect("a directory for the test");
        let recording = above.path().join("unpriced.jsonl");
        let line = concat!(
            r#"{"op":"mcm","pt":1000,"mc":[{"id":"1.5","marketDefinition":{"status":"OPEN","#,
            r#""runners":[{"id":7,"status":"ACTIVE"},{"id":8,"status":"ACTIVE"}]}}]}"#,
        );
        std::fs::write(&recording, line).expect("written");
        let words = ["--feed", recording.to_str().expect("a plain path"), "--json"];
        let results = played(&words, &above.path().join("book"));
        assert!(results.tally.story.is_none(), "there is no bet to tell of");
        assert_eq!(failed(&results), ["bets: 0 asked for, 0 accepted"]);
    }

    #[test]
    fn a_night_at_applied_passes_every_check() {
        let above = tempfile::tempdir().expect("a directory for the test");
        let words = ["--seconds", "1", "--rate", "100", "--json", "--level", "applied"];
        assert_eq!(failed(&played(&words, &above.path().join("book"))), [""; 0]);
    }

    #[test]
    fn a_book_is_neither_overwritten_nor_taken_up_where_none_is() {
        let above = tempfile::tempdir().expect("a directory for the test");
        std::fs::write(above.path().join("something"), "here").expect("written");
        let text = |words: &[&str], dir: &Path| {
            let words = ["matchday"].iter().chain(words);
            let Only { args } = Only::try_parse_from(words).expect("good arguments");
            match play(&args, dir, &mut Out::new()) {
                Ok(_) => "it was played".to_owned(),
                Err(error) => error.to_string(),
            }
        };
        let dir = above.path().display();
        assert_eq!(
            text(&["--json"], above.path()),
            format!(
                "this directory is not empty\n  where: {dir}\n  what to do: add --resume to go on \
                 with the book in it, or name another directory"
            )
        );
        let none = above.path().join("none");
        assert_eq!(
            text(&["--json", "--dir", "unused", "--resume"], &none),
            format!(
                "there is no book to go on with\n  where: {}\n  what to do: leave --resume out to \
                 begin one",
                none.display()
            )
        );
    }

    #[test]
    fn speeds_are_numbers_or_max() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("2.5".parse(), Ok(Speed::Times(2.5)));
        for wrong in ["0", "-1", "fast", "nan"] {
            let text =
                format!("`{wrong}` is not a speed: write a number from 0.01 to 10000, or max");
            assert_eq!(wrong.parse::<Speed>(), Err(text));
        }
    }
}
