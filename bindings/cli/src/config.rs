//! How an engine is to be set up, checked before it opens: what it may keep against what will come, the memory and the
//! disk that takes, and how long a bet waits at worst.

use crate::error::CliError;
use crate::file;
use crate::matchday::space::{self, BYTES_A_REQUEST};
use crate::out::Out;
use betring::{Capacities, Config, Layout, Nanos, WaitStrategy};
use betring_benches::recorder::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring config example > engine.toml          every line there is, with its default
  betring config check engine.toml              does it hold what will come, and fit here?
  betring config check --requests 20000         the defaults, at 20,000 requests a second")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(clap::Subcommand)]
enum Cmd {
    /// Check a set-up: what it may keep against what will come, its memory, its disk, the longest wait.
    Check(CheckArgs),
    /// Print a set-up with every line there is and its default.
    Example,
}

#[derive(clap::Args)]
#[command(after_help = "\
Example: betring config check engine.toml --memory 64GiB

A line that fails says what to change. Exit status: 0 it holds and fits, 1 it does not, 2 the
file could not be read.")]
struct CheckArgs {
    /// The set-up; left out, the defaults. `betring config example` prints one.
    file: Option<PathBuf>,
    /// Requests of customers a second in the worst minute, retries not counted [default: the file's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    requests: Option<u32>,
    /// Check against so much memory instead of this machine's, as 64GiB or 512MiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// The directory whose disk the journal will be on.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A set-up as it is written; what is left out has its default.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    load: Load,
    engine: Engine,
    capacities: Room,
}

/// What will come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Load {
    requests_per_second: u32,
    requests_a_day: u64,
    /// 0: by the rate.
    bytes_a_request: u32,
    decided_per_second: u32,
}

impl Load {
    /// What a request journals with all that it causes, its settlement too, and at Durable its part of a page for each
    /// commit, over the whole day. A disk that syncs within 200 us makes 5,000 commits a second, if so many requests come.
    fn bytes(&self) -> u64 {
        const COMMITS: u64 = 5_000;
        const PAGE: u64 = 4_096;
        let on_average = self.requests_a_day / 86_400;
        match self.bytes_a_request {
            0 => BYTES_A_REQUEST + PAGE * COMMITS / on_average.max(COMMITS),
            bytes => bytes.into(),
        }
    }
}

impl Default for Load {
    fn default() -> Load {
        Load {
            requests_per_second: 400,
            requests_a_day: 0,
            bytes_a_request: 0,
            decided_per_second: 200_000,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Engine {
    layout: Option<LayoutName>,
    wait: Option<WaitName>,
    window: Option<String>,
    age_bound: Option<String>,
    offer_ttl: Option<String>,
    step_budget: Option<u16>,
    control_ring: Option<usize>,
    bet_ring: Option<usize>,
    clients: Option<u16>,
    credit_max: Option<usize>,
    events: Option<usize>,
    segment_bytes: Option<u64>,
    segments_ahead: Option<usize>,
    snapshot_every: Option<u64>,
    snapshot_at_stop: Option<u64>,
    archive: Option<bool>,
    counters_every: Option<String>,
    dead_letters: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LayoutName {
    Auto,
    Inline,
    OneThread,
    TwoThread,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WaitName {
    Auto,
    Spin,
    SpinThenYield,
    Park,
}

macro_rules! room {
    ($($name:ident)*) => {
        /// How much may be kept.
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Room { $($name: Option<u32>,)* }

        impl Room {
            fn over(&self, defaults: Capacities) -> Capacities {
                Capacities { $($name: self.$name.unwrap_or(defaults.$name),)* }
            }
        }

        /// The lines of an example.
        fn lines_of(capacities: &Capacities) -> Vec<(&'static str, u32)> {
            vec![$((stringify!($name), capacities.$name)),*]
        }
    };
}

room!(accounts markets selections bets keys feeds fixtures actors currencies quarantined legs groups limited orders
    positions stands levels);

/// The example: every line there is.
fn example() -> String {
    let defaults = Config::at("book");
    let Load { requests_per_second, bytes_a_request, decided_per_second, .. } = Load::default();
    let mut text = format!(
        "\
# A set-up of an engine, every line with its default. Check it: betring config check engine.toml

[load]
requests_per_second = {requests_per_second}   # of customers in the worst minute, retries not counted
requests_a_day = 0          # for the disk; 0: not known
bytes_a_request = {bytes_a_request}         # journaled with all that it causes; 0: by the rate, at durable (docs/operating.md)
decided_per_second = {decided_per_second} # what the machine decides: betring bench growth

[engine]
layout = \"auto\"             # inline, one-thread, two-thread
wait = \"auto\"               # spin, spin-then-yield, park
window = \"5m\"               # of keys, at most an hour: fixed with the journal
age_bound = \"1.5s\"          # of prices, where a market does not say
offer_ttl = \"5s\"
step_budget = 32            # units of long work in a turn, 1 to 64
control_ring = 4096         # slots, a power of two
bet_ring = 16384
clients = 32                # seats, 1 to 1024
credit_max = 4096           # of one seat, a power of two
events = 16384              # places of the event ring, a power of two
segment_bytes = 67108864    # a multiple of 4096, 1 MiB to 1 GiB
segments_ahead = 2
snapshot_every = 0          # records; 0: at a clean stop only
snapshot_at_stop = 100000
archive = false
counters_every = \"250ms\"    # for betring top; 0s: none
dead_letters = 16777216     # bytes

[capacities]
"
    );
    for (name, count) in lines_of(defaults.room()) {
        text.push_str(&format!("{name} = {count}\n"));
    }
    text
}

/// A length of time as people write it.
fn time(name: &str, text: &str) -> Result<Nanos, String> {
    let wrong = |what: &dyn std::fmt::Display| {
        format!("{name} = \"{text}\": {what}; write 5m, 30s or 1.5s")
    };
    let time: jiff::SignedDuration = text.parse().map_err(|e: jiff::Error| wrong(&e))?;
    let nanos = i64::try_from(time.as_nanos()).map_err(|_| wrong(&"that is too long"))?;
    Ok(Nanos(nanos))
}

/// So many bytes, with or without a binary prefix.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || "write a number of bytes, as 64GiB, 512MiB or 1073741824".to_owned();
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| 0 < *bytes).ok_or_else(wrong)
}

fn parse(text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|e| e.to_string().trim().to_owned())
}

impl File {
    fn config(&self, dir: &Path) -> Result<Config, String> {
        if self.load.requests_per_second == 0 || self.load.decided_per_second == 0 {
            return Err("requests_per_second and decided_per_second are at least 1".to_owned());
        }
        let mut config = Config::at(dir);
        let engine = &self.engine;
        if let Some(layout) = engine.layout {
            config = config.layout(match layout {
                LayoutName::Auto => Layout::Auto,
                LayoutName::Inline => Layout::Inline,
                LayoutName::OneThread => Layout::OneThread,
                LayoutName::TwoThread => Layout::TwoThread,
            });
        }
        if let Some(wait) = engine.wait {
            config = config.wait(match wait {
                WaitName::Auto => WaitStrategy::Auto,
                WaitName::Spin => WaitStrategy::Spin,
                WaitName::SpinThenYield => WaitStrategy::SpinThenYield,
                WaitName::Park => WaitStrategy::Park,
            });
        }
        let asked = |name: &str, text: &Option<String>| {
            text.as_deref().map(|text| time(name, text)).transpose()
        };
        if let Some(window) = asked("window", &engine.window)? {
            config = config.window(window);
        }
        if let Some(bound) = asked("age_bound", &engine.age_bound)? {
            config = config.age_bound(bound);
        }
        if let Some(ttl) = asked("offer_ttl", &engine.offer_ttl)? {
            config = config.offer_ttl(ttl);
        }
        if let Some(every) = asked("counters_every", &engine.counters_every)? {
            config = config.counters_every(every);
        }
        macro_rules! set {
            ($($name:ident)*) => {$(
                if let Some(value) = engine.$name {
                    config = config.$name(value);
                }
            )*};
        }
        set!(step_budget control_ring bet_ring events segment_bytes segments_ahead snapshot_every snapshot_at_stop
            archive dead_letters);
        if engine.clients.is_some() || engine.credit_max.is_some() {
            config =
                config.clients(engine.clients.unwrap_or(32), engine.credit_max.unwrap_or(4_096));
        }
        let room = self.capacities.over(*config.room());
        Ok(config.capacities(room))
    }
}

/// One line of the check.
struct Line {
    name: &'static str,
    /// Nothing: nobody asked.
    passed: Option<bool>,
    says: String,
    /// What to do where it failed.
    instead: String,
}

/// The check of one set-up.
struct Checked {
    lines: Vec<Line>,
    memory: Vec<(&'static str, u64)>,
    figures: Value,
}

/// What it is checked against.
struct Here {
    memory: u64,
    space: u64,
    /// Whether the memory is this machine's.
    measured: bool,
}

fn examine(config: &Config, load: &Load, here: &Here) -> Checked {
    let mut lines = Vec::new();
    let mut line = |name, passed, says: String, instead: String| {
        lines.push(Line { name, passed, says, instead });
    };
    match config.check() {
        Ok(()) => line("set-up", Some(true), "every value is in its range".into(), String::new()),
        Err(betring::Error::Config { what, instead }) => line("set-up", Some(false), what, instead),
        Err(other) => line("set-up", Some(false), other.to_string(), String::new()),
    }

    let (requests, room) = (load.requests_per_second, config.room().keys);
    let keys = config.keys_for(requests);
    // By halves: the rate may be a hundred million.
    let (mut fits, mut more) = (0, requests.saturating_add(1));
    while fits + 1 < more {
        let middle = fits + (more - fits) / 2;
        if config.keys_for(middle) <= room.into() { fits = middle } else { more = middle }
    }
    let instead = match u32::try_from(keys) {
        Ok(keys) if keys <= Capacities::MAX => format!("give keys = {keys}, or a shorter window"),
        _ => format!("no table holds so many: a shorter window ({} are the most)", Capacities::MAX),
    };
    line(
        "keys",
        Some(keys <= room.into()),
        format!(
            "{requests} requests a second need {keys} in two windows, a sixteenth kept from customers; there is room \
             for {room}: {fits} a second"
        ),
        instead,
    );

    let memory = config.memory();
    let all = memory.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let of_its_own = memory.iter().copied().filter(|(name, _)| *name != "snapshot");
    let (most, of_it) = of_its_own.max_by_key(|(_, bytes)| *bytes).unwrap_or_default();
    line(
        "memory",
        Some(all <= here.memory),
        format!(
            "{} are needed, {} {}",
            Bytes(all),
            Bytes(here.memory),
            if here.measured { "are here" } else { "are given" }
        ),
        format!("ask for fewer {most}, which take {}", Bytes(of_it)),
    );

    let wait = config.worst_sojourn(load.decided_per_second);
    line(
        "longest wait",
        None,
        format!("{wait} in a full bet ring, at {} decided a second", load.decided_per_second),
        String::new(),
    );

    let a_day = load.requests_a_day.saturating_mul(load.bytes());
    line(
        "disk",
        (a_day != 0).then_some(a_day <= here.space),
        match a_day {
            0 => format!("{} are free; requests_a_day is not said", Bytes(here.space)),
            _ => format!(
                "{} a day, {} are free: {:.1} days",
                Bytes(a_day),
                Bytes(here.space),
                here.space as f64 / a_day as f64
            ),
        },
        "a larger disk, or move archived segments away more often than daily".into(),
    );
    let figures = json!({
        "keys_needed": keys, "keys_room": room, "memory_bytes": all, "memory_there_bytes": here.memory,
        "longest_wait_ns": wait.0, "journal_bytes_a_day": a_day, "space_bytes": here.space,
    });
    Checked { lines, memory, figures }
}

fn check(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let mut file = match &args.file {
        None => File::default(),
        Some(path) => {
            let text = file::text("cannot read the set-up", path)?;
            parse(&text).map_err(|what| not_a_set_up(&what, path))?
        }
    };
    if let Some(requests) = args.requests {
        file.load.requests_per_second = requests;
    }
    let named = args.file.as_deref().unwrap_or(Path::new("the defaults"));
    let config = file.config(&args.dir).map_err(|what| not_a_set_up(&what, named))?;
    let (_, space) = space::free(&args.dir)?;
    let here = Here {
        memory: args.memory.unwrap_or_else(crate::memory::here),
        space,
        measured: args.memory.is_none(),
    };
    let checked = examine(&config, &file.load, &here);
    let passed = checked.lines.iter().all(|line| line.passed != Some(false));
    let mut out = Out::new();
    if args.json {
        let lines = checked.lines.iter().map(|line| {
            json!({ "name": line.name, "passed": line.passed, "says": line.says, "instead": line.instead })
        });
        let memory =
            checked.memory.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes }));
        let mut all = checked.figures;
        all["passed"] = json!(passed);
        all["checks"] = lines.collect();
        all["memory"] = memory.collect();
        out.line(format_args!("{all:#}"))?;
    } else {
        tell(&checked, &config, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::from(u8::from(!passed)))
}

fn tell(checked: &Checked, config: &Config, out: &mut Out) -> Result<(), CliError> {
    for line in &checked.lines {
        let mark = match line.passed {
            Some(true) => "PASS",
            Some(false) => "FAIL",
            None => "    ",
        };
        out.line(format_args!("{mark}  {:<13} {}", line.name, line.says))?;
        if line.passed == Some(false) && !line.instead.is_empty() {
            out.line(format_args!("      what to do:   {}", line.instead))?;
        }
    }
    out.line("")?;
    out.line(format_args!(
        "{:<13} {:>13} {:>12} {:>10}",
        "memory", "room for", "bytes each", "together"
    ))?;
    let rooms = lines_of(config.room());
    for (name, bytes) in &checked.memory {
        match rooms.iter().find(|(room, _)| room == name) {
            Some((_, count)) => {
                let each = bytes / u64::from((*count).max(1));
                out.line(format_args!("{name:<13} {count:>13} {each:>12} {:>10}", Bytes(*bytes)))?;
            }
            None => {
                out.line(format_args!("{name:<13} {:>13} {:>12} {:>10}", "", "", Bytes(*bytes)))?
            }
        }
    }
    Ok(())
}

fn not_a_set_up(what: &str, path: &Path) -> CliError {
    CliError::new(
        format_args!("this is no set-up: {what}"),
        path.display(),
        "write lines as `betring config example` prints them",
    )
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Cmd::Check(args) => check(&args),
        Cmd::Example => {
            let mut out = Out::new();
            out.line(example().trim_end())?;
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(memory: u64) -> Here {
        Here { memory, space: 1 << 40, measured: false }
    }

    fn failed(text: &str, memory: u64) -> Vec<(&'static str, String)> {
        let file = parse(text).expect("a set-up");
        let config = file.config(Path::new("book")).expect("good times");
        let lines = examine(&config, &file.load, &here(memory)).lines;
        let failed = lines.into_iter().filter(|line| line.passed == Some(false));
        failed.map(|line| (line.name, line.instead)).collect()
    }

    #[test]
    fn the_example_is_the_defaults_and_every_line_of_it_is_known() {
        let file = parse(&example()).expect("its own example");
        let config = file.config(Path::new("book")).expect("good times");
        // All but the clock, which is another one every time.
        let said = |config: &Config| {
            let text = format!("{config:?}");
            let (before, behind) = text.split_once(", clock: ").expect("there is a clock");
            let (_, behind) = behind.split_once(", capacities: ").expect("and capacities");
            (before.to_owned(), behind.to_owned())
        };
        assert_eq!(said(&config), said(&Config::at("book")));
        assert_eq!(failed(&example(), 64 << 30), []);
    }

    #[test]
    fn a_rate_whose_keys_outlive_their_room_is_refused_with_the_room_that_it_needs() {
        let text =
            "[load]\nrequests_per_second = 1000\n[engine]\nwindow = \"1m\"\n[capacities]\nkeys = ";
        // A thousand a second, kept for two minutes and a sixty-fourth of it, and a sixteenth of all that beside.
        let told = [("keys", "give keys = 130000, or a shorter window".to_owned())];
        assert_eq!(failed(&format!("{text}129999"), 64 << 30), told);
        assert_eq!(failed(&format!("{text}130000"), 64 << 30), []);
    }

    #[test]
    fn what_does_not_fit_the_memory_is_refused_and_its_largest_part_named() {
        let told = failed("[capacities]\nbets = 100000000\nlegs = 100000000", 1 << 30);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "memory");
        assert!(told[0].1.starts_with("ask for fewer bets, which take "), "{told:?}");
    }

    #[test]
    fn snapshots_while_it_runs_need_the_state_once_more() {
        let config = Config::at("book");
        let sum = |config: &Config| config.memory().iter().map(|(_, bytes)| bytes).sum::<u64>();
        let kept: u64 = config.room().bytes().iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum(&config.clone().snapshot_every(1_000)), sum(&config) + kept);
        let told =
            failed("[engine]\nsnapshot_every = 1000", sum(&config).next_multiple_of(1 << 20));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].0 == "memory" && !told[0].1.contains("snapshot"), "{told:?}");
    }

    #[test]
    fn a_disk_that_is_full_within_a_day_is_refused() {
        let text = "[load]\nrequests_a_day = 4000000000\nbytes_a_request = 500";
        assert_eq!(failed(text, 64 << 30)[0].0, "disk");
        // 2,400 a second, and each has a commit of its own: 5,296 bytes, and 207.6 million of them fill a TiB.
        assert_eq!(failed("[load]\nrequests_a_day = 208000000", 64 << 30)[0].0, "disk");
        assert_eq!(failed("[load]\nrequests_a_day = 207000000", 64 << 30), []);
    }

    #[test]
    fn an_unknown_line_and_a_wrong_time_are_named() {
        let error = parse("[engine]\nwindwo = \"5m\"").err().expect("no such line");
        assert!(error.contains("windwo"), "{error}");
        let file = parse("[load]\ndecided_per_second = 0").expect("a number");
        assert!(file.config(Path::new("book")).is_err(), "nothing is ever decided");
        let file = parse("[engine]\nwindow = \"five\"").expect("a text");
        let error = file.config(Path::new("book")).expect_err("no time");
        assert!(error.starts_with("window = \"five\": "), "{error}");
        assert!(error.ends_with("write 5m, 30s or 1.5s"), "{error}");
    }

    #[test]
    fn sizes_are_bytes_with_a_binary_prefix() {
        assert_eq!(size("64GiB"), Ok(64 << 30));
        assert_eq!(size("512"), Ok(512));
        for wrong in ["", "GiB", "64GB", "0MiB", "99999999999TiB", "-1"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
