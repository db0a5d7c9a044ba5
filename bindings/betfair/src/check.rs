//! What a recording holds, counted market by market: the numbers behind `betring feed check`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use crate::book::Book;
use crate::error::{Error, LineError, Reason};
use crate::ladder::is_on_ladder;
use crate::message::{MarketChange, MarketChangeMessage, MarketStatus};
use crate::recording::Recording;

/// Markets that one recording may hold; the exchange lets a subscription have 200.
pub const MARKETS_MAX: usize = 10_000;

/// Versions of one market that are told apart. The busiest known market has a few dozen.
pub const VERSIONS_MAX: usize = 100_000;

/// Prices beyond the ladder that a report shows.
pub const EXAMPLES_MAX: usize = 10;

/// Errors that a report shows word by word; the others are counted only.
pub const ERRORS_SHOWN_MAX: usize = 20;

/// The check of several recordings.
#[derive(Debug, Default, Serialize)]
pub struct FeedCheck {
    /// One report a file, in the order given.
    pub files: Vec<FileCheck>,
}

impl FeedCheck {
    /// Reads every file to its end.
    pub fn of<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> FeedCheck {
        FeedCheck { files: files.into_iter().map(FileCheck::of).collect() }
    }

    /// Whether every file and every line could be read.
    pub fn is_clean(&self) -> bool {
        self.files.iter().all(FileCheck::is_clean)
    }

    /// The check as one JSON object: `files`, each with its `markets` by id.
    pub fn to_json(&self) -> String {
        // Only texts, numbers, lists and maps with text keys are in it, and writing to memory
        // cannot fail, so there is always a text.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The check of one recording.
#[derive(Debug, Serialize)]
pub struct FileCheck {
    /// The file, as it was named.
    pub file: String,
    /// Lines read, those in error included.
    pub lines: u64,
    /// Market change messages read.
    pub messages: u64,
    /// Lines left out.
    pub unread_lines: u64,
    /// Lines left out, by reason.
    pub unread_by_reason: BTreeMap<&'static str, u64>,
    /// What could not be read, in words: the file itself, or its first [`ERRORS_SHOWN_MAX`] lines.
    pub errors: Vec<String>,
    /// The markets by their id.
    pub markets: BTreeMap<String, MarketReport>,
    #[serde(skip)]
    checks: BTreeMap<String, MarketCheck>,
}

impl FileCheck {
    /// Opens `file` and reads it to its end.
    pub fn of(file: impl AsRef<Path>) -> FileCheck {
        let name = file.as_ref().display().to_string();
        if is_xml(file.as_ref()) {
            let mut check = FileCheck::new(name);
            check.errors.push(format!(
                "{}: not a stream recording but XML, which the library betring-uof reads",
                check.file
            ));
            return check;
        }
        match Recording::open(file) {
            Ok(recording) => FileCheck::read(recording),
            Err(error) => FileCheck::unreadable(name, &error),
        }
    }

    /// Reads `recording` to its end.
    pub fn read(mut recording: Recording) -> FileCheck {
        let mut check = FileCheck::new(recording.name().to_owned());
        while let Some(message) = recording.next() {
            match message {
                Ok(message) => {
                    check.messages += 1;
                    if let Err(reason) = check.take(message) {
                        check.leave_out(&recording.error(reason));
                    }
                }
                Err(error) => check.leave_out(&error),
            }
        }
        check.lines = recording.lines();
        for (id, market) in std::mem::take(&mut check.checks) {
            check.markets.insert(id, market.report());
        }
        if check.messages == 0 {
            check.errors.push(format!(
                "{}: not a stream recording: no line of it is a market change message",
                check.file
            ));
        }
        check
    }

    /// Whether the file and every line of it could be read.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    fn new(file: String) -> FileCheck {
        FileCheck {
            file,
            lines: 0,
            messages: 0,
            unread_lines: 0,
            unread_by_reason: BTreeMap::new(),
            errors: Vec::new(),
            markets: BTreeMap::new(),
            checks: BTreeMap::new(),
        }
    }

    fn unreadable(file: String, error: &Error) -> FileCheck {
        let mut check = FileCheck::new(file);
        check.errors.push(error.to_string());
        check
    }

    fn leave_out(&mut self, error: &LineError) {
        self.unread_lines += 1;
        *self.unread_by_reason.entry(error.kind().words()).or_default() += 1;
        if self.errors.len() < ERRORS_SHOWN_MAX {
            self.errors.push(error.to_string());
        }
    }

    /// Takes in one message. Where a change has no room, the changes behind it are left out too.
    fn take(&mut self, message: MarketChangeMessage) -> Result<(), Reason> {
        for change in &message.changes {
            if !self.checks.contains_key(&change.market_id) {
                if self.checks.len() == MARKETS_MAX {
                    return Err(Reason::TooMany {
                        what: "markets in a recording",
                        bound: MARKETS_MAX,
                    });
                }
                self.checks.insert(change.market_id.clone(), MarketCheck::default());
            }
            if let Some(market) = self.checks.get_mut(&change.market_id) {
                market.take(message.publish_time_ms, change)?;
            }
        }
        Ok(())
    }
}

/// What a recording holds of one market. The names are those of the JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MarketReport {
    /// Changes of the market (`mc` entries, not lines).
    pub messages: u64,
    /// How many of them carried a definition.
    pub market_definitions: u64,
    /// Changes of runners (`rc` entries).
    pub runner_changes: u64,
    /// Prices in `atb` and `atl`.
    pub ladder_level_updates: u64,
    /// Prices in `trd`.
    pub traded_level_updates: u64,
    /// Changes that were images.
    pub images: u64,
    /// Prices in `atb` and `atl` that the market's ladder does not have.
    pub off_ladder_prices: u64,
    /// The first [`EXAMPLES_MAX`] different ones of them, as they were written.
    pub off_ladder_examples: Vec<String>,
    /// Runners whose best price to back reached the best to lay, counted after every change.
    pub crossed_book_observations: u64,
    /// How often the market became suspended.
    pub suspensions: u64,
    /// Publish time of the first change, in milliseconds since 1970.
    pub first_pt: i64,
    /// Publish time of the last change.
    pub last_pt: i64,
    /// Publish time of the first definition that was in play.
    pub inplay_pt: Option<i64>,
    /// Status in the last definition.
    pub final_status: Option<&'static str>,
    /// Different versions, the first included.
    pub version_changes: usize,
    /// How bets are struck.
    pub betting_type: Option<String>,
    /// What has become of each selection that has a result, in the last definition.
    pub results: BTreeMap<String, &'static str>,
    /// Adjustment factor and date of each selection removed.
    pub removed: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Starting prices, as they were written.
    pub bsp: BTreeMap<String, String>,
    /// Last traded prices, as they were written.
    pub final_ltp: BTreeMap<String, String>,
    /// Sum of the sizes left in `trd`.
    pub traded_volume_by_runner: BTreeMap<String, String>,
    /// Highest price left in `trd`, as it was written.
    pub max_matched_price_by_runner: BTreeMap<String, String>,
}

/// The counting of one market, while its recording is read.
#[derive(Debug, Default)]
struct MarketCheck {
    report: MarketReport,
    book: Book,
    status: Option<MarketStatus>,
    versions: BTreeSet<i64>,
}

impl MarketCheck {
    fn take(&mut self, publish_time_ms: i64, change: &MarketChange) -> Result<(), Reason> {
        let version = change.definition.as_ref().and_then(|it| it.version);
        let unseen = version.filter(|version| !self.versions.contains(version));
        if unseen.is_some() && self.versions.len() == VERSIONS_MAX {
            return Err(Reason::TooMany { what: "versions of a market", bound: VERSIONS_MAX });
        }
        self.book.apply(change)?;

        // From here on nothing can fail: the change is counted.
        self.versions.extend(unseen);
        self.count(publish_time_ms, change);
        let crossed = self.book.runners().filter(|(_, runner)| runner.is_crossed()).count();
        self.report.crossed_book_observations += crossed as u64;
        Ok(())
    }

    /// Counts what the change holds, once it is in the book.
    fn count(&mut self, publish_time_ms: i64, change: &MarketChange) {
        let report = &mut self.report;
        if report.messages == 0 {
            report.first_pt = publish_time_ms;
        }
        report.last_pt = publish_time_ms;
        report.messages += 1;
        report.images += u64::from(change.image);
        if let Some(definition) = &change.definition {
            report.market_definitions += 1;
            let was_suspended = self.status == Some(MarketStatus::Suspended);
            if definition.status == MarketStatus::Suspended && !was_suspended {
                report.suspensions += 1;
            }
            self.status = Some(definition.status);
            if definition.in_play && report.inplay_pt.is_none() {
                report.inplay_pt = Some(publish_time_ms);
            }
        }
        let ladder = self.book.definition().map(|it| it.ladder).unwrap_or_default();
        for runner in &change.runners {
            report.runner_changes += 1;
            report.ladder_level_updates += (runner.atb.len() + runner.atl.len()) as u64;
            report.traded_level_updates += runner.trd.len() as u64;
            // Not `trd`: it also holds what was matched at starting prices, which are on no ladder.
            for level in runner.atb.iter().chain(&runner.atl) {
                if is_on_ladder(ladder, level.price) {
                    continue;
                }
                report.off_ladder_prices += 1;
                let price = level.price.to_string();
                let examples = &mut report.off_ladder_examples;
                if examples.len() < EXAMPLES_MAX && !examples.contains(&price) {
                    examples.push(price);
                }
            }
        }
    }

    fn report(self) -> MarketReport {
        let mut report = self.report;
        report.version_changes = self.versions.len();
        if let Some(definition) = self.book.definition() {
            report.final_status = Some(definition.status.as_str());
            report.betting_type.clone_from(&definition.betting_type);
            for runner in &definition.runners {
                let key = runner.key().to_string();
                if runner.status.is_removed() {
                    let factor = runner.adjustment_factor.map(|it| it.to_string());
                    report.removed.insert(key.clone(), (factor, runner.removal_date.clone()));
                }
                if let Some(bsp) = runner.bsp {
                    report.bsp.insert(key.clone(), bsp.to_string());
                }
                if runner.status.is_result() {
                    report.results.insert(key, runner.status.as_str());
                }
            }
        }
        for (key, runner) in self.book.runners() {
            let key = key.to_string();
            if let Some(price) = runner.last_traded_price() {
                report.final_ltp.insert(key.clone(), price.to_string());
            }
            if let Some(volume) = runner.traded().total() {
                report.traded_volume_by_runner.insert(key.clone(), volume.to_string());
            }
            if let Some(highest) = runner.traded().highest() {
                report.max_matched_price_by_runner.insert(key, highest.price.to_string());
            }
        }
        report
    }
}

impl fmt::Display for FeedCheck {
    /// A table for people: a line a market, the errors below each file's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            write!(f, "{file}")?;
        }
        Ok(())
    }
}

/// Whether a file begins as XML does. What cannot be opened does not: that is told elsewhere.
fn is_xml(file: &Path) -> bool {
    // A mark of the byte order and some white space may come first.
    let mut head = [0; 64];
    let read = File::open(file).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let text = head[..read].strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head[..read]);
    text.trim_ascii_start().starts_with(b"<")
}

impl fmt::Display for FileCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of a file of which nothing was read there is nothing to count.
        if let (0, [error]) = (self.lines, &self.errors[..]) {
            return writeln!(f, "{error}");
        }
        writeln!(
            f,
            "{}: {} lines, {} messages, {} lines left out",
            self.file, self.lines, self.messages, self.unread_lines
        )?;
        if !self.markets.is_empty() {
            writeln!(
                f,
                "  {:<14} {:>9} {:>9} {:>9} {:>9} {:>5} {:>7} {:>10} {:>8}  {:<9} winners",
                "market",
                "changes",
                "runners",
                "prices",
                "traded",
                "off",
                "crossed",
                "suspended",
                "removed",
                "status"
            )?;
        }
        for (id, market) in &self.markets {
            let winners = market.results.iter().filter(|(_, result)| **result == "WINNER");
            let winners: Vec<&str> = winners.map(|(key, _)| key.as_str()).collect();
            writeln!(
                f,
                "  {:<14} {:>9} {:>9} {:>9} {:>9} {:>5} {:>7} {:>10} {:>8}  {:<9} {}",
                id,
                market.messages,
                market.runner_changes,
                market.ladder_level_updates,
                market.traded_level_updates,
                market.off_ladder_prices,
                market.crossed_book_observations,
                market.suspensions,
                market.removed.len(),
                market.final_status.unwrap_or("-"),
                if winners.is_empty() { "-".to_owned() } else { winners.join(" ") },
            )?;
        }
        for error in &self.errors {
            writeln!(f, "  {error}")?;
        }
        let shown = self.errors.len() as u64;
        if ERRORS_SHOWN_MAX as u64 <= shown && shown < self.unread_lines {
            writeln!(f, "  and {} lines more", self.unread_lines - shown)?;
        }
        for (reason, lines) in &self.unread_by_reason {
            writeln!(f, "  left out, {reason}: {lines}")?;
        }
        Ok(())
    }
}
