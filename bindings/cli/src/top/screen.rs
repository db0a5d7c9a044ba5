//! A reading as text: drawn over the one before on a terminal, below it elsewhere.

use super::reading::Reading;
use crate::describe::{currency, utc};
use crate::error::CliError;
use crate::out::Out;
use betring::counters::Took;
use betring::{Currency, Minor, Money, Nanos, Status};
use betring_benches::recorder::{Count, Span, Table};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// How a line is shown where there are colours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Heading,
    Trouble,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Heading => "\x1b[1m",
            Style::Trouble => "\x1b[31m",
        }
    }
}

type Lines = Vec<(Style, String)>;

/// Where readings are shown.
pub(super) struct Screen {
    dir: PathBuf,
    terminal: bool,
    colours: bool,
    drawn: bool,
}

impl Screen {
    pub(super) fn new(dir: &Path) -> Screen {
        let terminal = std::io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        Screen { dir: dir.to_owned(), terminal, colours: terminal && !plain, drawn: false }
    }

    pub(super) fn show(&mut self, out: &mut Out, reading: &Reading<'_>) -> Result<(), CliError> {
        self.draw(out, lines(&self.dir, reading))
    }

    /// Shows that there is nothing to be shown.
    pub(super) fn say(&mut self, out: &mut Out, what: &str) -> Result<(), CliError> {
        let lines = what.lines().map(|line| (Style::Trouble, line.to_owned())).collect();
        self.draw(out, lines)
    }

    fn draw(&mut self, out: &mut Out, mut lines: Lines) -> Result<(), CliError> {
        if !self.terminal {
            if self.drawn {
                out.line("")?;
            }
            self.drawn = true;
            return lines.iter().try_for_each(|(_, text)| out.line(text));
        }
        // What does not fit is left out: else the first lines, which say what is wrong, would be lost.
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
        let size = size.filter(|size| size.ws_row != 0 && size.ws_col != 0);
        let (rows, columns) = size.map_or((usize::MAX, usize::MAX), |size| {
            (usize::from(size.ws_row), usize::from(size.ws_col))
        });
        lines.truncate(rows.saturating_sub(1).max(1));
        let mut text = String::from(if self.drawn { "\x1b[H" } else { "\x1b[2J\x1b[H" });
        self.drawn = true;
        for (style, line) in &lines {
            let cut: String = line.chars().take(columns).collect();
            match style {
                Style::Plain => text += &cut,
                _ if self.colours => text += &format!("{}{cut}\x1b[0m", style.code()),
                _ => text += &cut,
            }
            text += "\x1b[K\n";
        }
        out.text(&(text + "\x1b[J"))
    }
}

/// How much a second, or nothing where that is not known.
fn per_s(rate: Option<u64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{}/s", Count(rate)))
}

fn time(span: Nanos) -> String {
    Span(u64::try_from(span.0).unwrap_or(0)).to_string()
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{} B", Count(bytes)),
        10_240..10_485_760 => format!("{} KiB", Count(bytes >> 10)),
        _ => format!("{} MiB", Count(bytes >> 20)),
    }
}

/// A time as long as an engine is up: `3 d 04:05:06`.
fn long(span: Nanos) -> String {
    let s = span.0.max(0) / 1_000_000_000;
    let (days, clock) =
        (s / 86_400, format!("{:02}:{:02}:{:02}", s / 3_600 % 24, s / 60 % 60, s % 60));
    if days == 0 { clock } else { format!("{days} d {clock}") }
}

fn money(amount: Minor, number: u16) -> String {
    match Currency::from_numeric(number) {
        Some(of) => match Money::from_minor(amount.0) {
            Some(money) => of.format(money).to_string(),
            None => format!("{} {of}", amount.0),
        },
        None if number == 0 => "-".to_owned(),
        None => format!("{} {}", amount.0, currency(number)),
    }
}

fn lines(dir: &Path, reading: &Reading<'_>) -> Lines {
    let now = reading.now;
    let mut all: Lines = Vec::new();
    let status = match now.status() {
        Status::Poisoned { .. } => "poisoned".to_owned(),
        status => status.to_string(),
    };
    let style = if reading.runs() { Style::Heading } else { Style::Trouble };
    all.push((
        style,
        format!(
            "{}: {status}, {} layout, process {}, epoch {}, up {}, {}",
            dir.display(),
            now.layout(),
            now.pid,
            now.epoch,
            long(now.uptime()),
            utc(now.heartbeat),
        ),
    ));
    for trouble in reading.troubles() {
        all.push((Style::Trouble, format!("! {} → {}", trouble.what, trouble.remedy)));
    }
    let mut plain = |text: String| all.push((Style::Plain, text));
    let rates = match reading.is_since_start() {
        true => format!("since the start, {}", long(reading.took())),
        false => format!("in {}", time(reading.took())),
    };
    let rate = |count: fn(&betring::counters::Counters) -> u64| per_s(reading.rate(count));
    plain(format!(
        "commands   {} ({} refused, {} answered without a sequence), {} turned away; {} sequenced with the engine's own; {rates}",
        rate(|of| of.counts.commands),
        rate(|of| of.refused),
        rate(|of| of.counts.answered),
        rate(|of| of.turned_away),
        rate(|of| of.counts.sequenced),
    ));
    let busy = reading.busy_per_mille();
    let busy = busy.map_or("-".to_owned(), |n| format!("{}.{} %", n / 10, n % 10));
    plain(format!(
        "deciding   busy {busy}, {} turns, longest {}, ever {}; {} stalls",
        rate(|of| of.counts.turns),
        time(now.longest_turn),
        time(now.longest_turn_ever),
        rate(|of| of.counts.stalls),
    ));
    let journaled = reading.rate(|of| of.counts.journal_bytes);
    let journaled = journaled.map_or("-".to_owned(), |rate| format!("{}/s", bytes(rate)));
    plain(format!(
        "journal    {journaled}, {} syncs, last {}, longest ever {}; a frame {}, largest {}",
        rate(|of| of.counts.syncs),
        time(now.last_sync),
        time(now.longest_sync_ever),
        bytes(reading.frame_bytes()),
        bytes(now.largest_frame),
    ));
    let rings = now.rings().map(|ring| {
        let percent = ring.depth.saturating_mul(100).checked_div(ring.slots).unwrap_or(0);
        format!("{} {} of {} ({percent} %)", ring.name, Count(ring.depth), Count(ring.slots))
    });
    plain(format!("rings      {}", rings.collect::<Vec<_>>().join(", ")));
    let lags = now.lags().map(|lag| format!("{} {}", lag.name, Count(lag.behind)));
    plain(format!("behind     {}", lags.collect::<Vec<_>>().join(", ")));
    let clients = format!("{} of {} seats", now.seats_taken, now.seats);
    let shed = if now.sheds() { ", and sheds" } else { "" };
    plain(format!(
        "around     {} of {} feeds up, {} markets drift, shedding {}{shed}, {clients}, memory {}",
        now.feeds_up,
        now.feeds,
        now.drifting,
        now.shedding(),
        bytes(now.resident_bytes),
    ));
    plain(String::new());
    let mut table = |table: Table| {
        let text = table.to_string();
        let mut rows = text.lines().map(str::to_owned);
        all.extend(rows.next().map(|heading| (Style::Heading, heading)));
        all.extend(rows.map(|row| (Style::Plain, row)));
        all.push((Style::Plain, String::new()));
    };
    table(stages(reading));
    table(top_markets(reading));
    table(slowest(reading));
    all.pop();
    all
}

fn stages(reading: &Reading<'_>) -> Table {
    let now = reading.now;
    let heading = format!("stages, last {}", time(now.window));
    let mut table =
        Table::new([heading.as_str(), "p50", "p90", "p99", "longest", "count"].map(String::from));
    let stages: [(&str, &Took); 6] = [
        ("t1-t2 bets wait in the ring", &now.queued),
        ("t2-t4 to the page cache (frames)", &now.written),
        ("t4-t5 synced (frames)", &now.synced),
        ("t2-t6 stamped to seen", &now.decided_to_seen),
        ("t1-t6 published to seen", &now.answered),
        ("t1-t6 the same, markets capped", &now.capped),
    ];
    for (name, took) in stages {
        let mut cells = vec![name.to_owned()];
        let told = |span: Nanos| if took.count == 0 { "-".to_owned() } else { time(span) };
        cells.extend([took.p50, took.p90, took.p99, took.longest].map(told));
        cells.push(Count(took.count).to_string());
        table.row(cells);
    }
    table
}

fn top_markets(reading: &Reading<'_>) -> Table {
    let mut table = Table::new([
        "exposure × rate × staleness",
        "exposure",
        "bets/s",
        "price age",
        "in flight",
        "turned away",
        "stakes",
        "feed",
    ]);
    for market in reading.now.top() {
        let age = match market.price_age {
            Nanos(i64::MAX) => "no price yet".to_owned(),
            age => time(age),
        };
        table.row([
            format!("{} {}", market.id(), market.name),
            money(market.exposure, market.currency),
            Count(market.rate.into()).to_string(),
            age,
            Count(market.in_flight.into()).to_string(),
            Count(market.turned_away.into()).to_string(),
            format!("{} %", market.stake_factor),
            market.feed.to_string(),
        ]);
    }
    table
}

fn slowest(reading: &Reading<'_>) -> Table {
    let now = reading.now;
    let heading =
        format!("slowest of {} markets, median p99 {}", now.answered_markets, time(now.median_p99));
    let mut table = Table::new([heading.as_str(), "p99", "answers"].map(String::from));
    for market in now.slowest() {
        table.row([
            format!("{} {}", market.id(), market.name),
            time(market.p99),
            Count(market.count).to_string(),
        ]);
    }
    table
}
