//! Making a failure small: leaving out whatever it does not need, and writing the rest down as a script
//! of the test language.

use crate::sim::house::Setup;
use crate::sim::{Failure, Input, Machine, START, replay};
use betring_core::answer::{Answer, AnswerKind};
use betring_core::command::*;
use betring_core::event::{Event, EventReader};
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, WirePrice};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Replays that a search may take: some seconds.
const REPLAYS_MAX: usize = 4_000;

/// The same failure, or another of the same house, from as few inputs as are found.
///
/// Leaves out halves, then quarters, down to single inputs, as long as something still breaks.
pub fn shorten(failure: &Failure) -> Failure {
    let mut best = failure.clone();
    // What was done behind the input that broke was never done.
    best.inputs.truncate(failure.step + 1);
    let mut replays = 0;
    let mut size = best.inputs.len().div_ceil(2).max(1);
    while replays < REPLAYS_MAX {
        let mut from = 0;
        let mut shorter = false;
        while from < best.inputs.len() && replays < REPLAYS_MAX {
            let to = (from + size).min(best.inputs.len());
            let mut fewer: Vec<Input> = best.inputs[..from].to_vec();
            fewer.extend_from_slice(&best.inputs[to..]);
            replays += 1;
            match replay(failure.seed, &fewer) {
                Err((step, what)) => {
                    fewer.truncate(step + 1);
                    best = Failure { seed: failure.seed, step, what, inputs: fewer, whole: false };
                    shorter = true;
                }
                Ok(()) => from = to,
            }
        }
        if size == 1 && !shorter {
            break;
        }
        if !shorter || 1 < size {
            size = (size / 2).max(1);
        }
    }
    best
}

/// The failure as a script of the test language: everything that was asked, in the order in which it was
/// decided. Crashes are the script's `restart`; what the disk did stands beside it.
pub fn script(failure: &Failure) -> String {
    let mut machine = Machine::new(failure.seed);
    let mut out = Lines::of(machine.setup());
    let mut done = 0;
    // What breaks only when everything comes to its end breaks behind the last input.
    let inputs = failure.inputs.iter().map(Some).chain([None]);
    for input in inputs {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match input {
            Some(input) => machine.act(input),
            None => machine.settle(),
        }));
        let kept = machine.decided().count();
        if kept < done {
            out.note(&format!("a crash took back what was decided last, {} records", done - kept));
            out.cut(kept);
            done = kept;
        }
        for (at, command, events) in machine.decided().skip(done) {
            let answer = EventReader::new(events).find_map(|event| match event {
                Ok(Event::Answered(answered)) => Some(answered.answer),
                _ => None,
            });
            out.command(at, command, answer);
            done += 1;
        }
        let of_the_disk = |input: &&Input| {
            matches!(
                input,
                Input::Crash { .. }
                    | Input::DieAfter(_)
                    | Input::FailAfter(..)
                    | Input::Lie { .. }
                    | Input::Snapshot { .. }
                    | Input::Stop { .. }
                    | Input::Spoil { .. }
            )
        };
        if let Some(input) = input.filter(of_the_disk) {
            out.note(&input.to_string());
        }
        if !matches!(result, Ok(Ok(()))) {
            if let Some((at, command)) = machine.undecided() {
                out.command(at, &command, None);
                out.expect(machine.auditor().expected());
            }
            break;
        }
    }
    for line in failure.what.lines() {
        out.note(line);
    }
    out.text()
}

/// What was done to an engine.
#[derive(Clone, Debug)]
pub(crate) enum Asking {
    /// It was given a command, and answered, unless that was the end.
    Command(Timestamp, Vec<u8>, Option<Answer>),
    /// It stopped and was started again.
    Crash,
}

/// What was asked of an engine, in order, as a script.
pub(crate) fn script_of(setup: &Setup, asked: &[Asking]) -> String {
    let mut out = Lines::of(setup);
    out.head = out.head.replace("manual steps\n", "");
    for asking in asked {
        match asking {
            Asking::Command(at, bytes, answer) => out.command(*at, bytes, *answer),
            Asking::Crash => out.lines.push((out.records, "restart".to_owned())),
        }
    }
    out.text()
}

/// A script as it grows.
struct Lines {
    head: String,
    lines: Vec<(usize, String)>,
    records: usize,
    at: Timestamp,
    actors: BTreeMap<u64, String>,
    /// Handles of bets in the order in which they appeared, which is how scripts number them.
    bets: Vec<u64>,
    runs: u32,
}

fn amount(minor: Minor) -> String {
    let sign = if minor.0 < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.0.unsigned_abs() / 100, minor.0.unsigned_abs() % 100)
}

fn price(price: WirePrice) -> String {
    if price.is_none() {
        return "-".to_owned();
    }
    match price.fraction() {
        Some(fraction) => fraction.to_string(),
        None => {
            let text = format!("{}.{:04}", price.e4 / 10_000, price.e4 % 10_000);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// Labels of scripts have no generations: the second use of a place is a label of its own.
fn label(letter: char, raw: u64) -> String {
    let (index, generation) = (raw & 0xffff_ffff, raw >> 32);
    format!("{letter}{}", (index + 1) % 1_000 + 1_000 * generation.saturating_sub(1).min(900))
}

/// Keys of scripts have at most 15 letters and digits; one that somebody's garbage made may have more.
fn key_name(key: RequestKey) -> String {
    const SHORT: u128 = 100_000_000_000_000;
    if key.0 < SHORT { key.to_string() } else { format!("x{:014x}", key.0 % (1 << 56)) }
}

fn currency(number: u16) -> String {
    betring_pricing::Currency::from_numeric(number).map_or("GBP".to_owned(), |c| c.to_string())
}

impl Lines {
    fn of(setup: &Setup) -> Lines {
        let (genesis, room) = (setup.genesis, setup.capacities);
        let mode = rounding_mode(genesis.rounding).unwrap_or_default();
        let offers = genesis.price_failure == PriceFailure::Offer as u8;
        let mut head = format!(
            "house window {} age {} ttl {} on-failure {} rounding {mode} budget {}",
            genesis.window,
            genesis.age_bound,
            genesis.offer_ttl,
            if offers { "offer" } else { "refuse" },
            genesis.step_budget
        );
        head.push_str(&limits(genesis.limits));
        let _ = write!(
            head,
            " accounts {} markets {} selections {} bets {} keys {} feeds {} fixtures {} actors {} \
             currencies {}\nmanual steps\n",
            room.accounts,
            room.markets,
            room.selections,
            room.bets,
            room.keys + 1,
            room.feeds,
            room.fixtures,
            // The script's own trader is the first.
            room.actors + 1,
            room.currencies
        );
        Lines {
            head,
            lines: Vec::new(),
            records: 0,
            at: Timestamp(START),
            actors: BTreeMap::new(),
            bets: Vec::new(),
            runs: 0,
        }
    }

    fn note(&mut self, text: &str) {
        self.lines.push((self.records, format!("# {text}")));
    }

    /// The last line has this answer, and not just any.
    fn expect(&mut self, answer: Option<Answer>) {
        if let (Some(answer), Some((_, line))) = (answer, self.lines.last_mut())
            && let Some(asked) = line.strip_suffix("anything")
        {
            *line = format!("{asked}{answer}");
        }
    }

    fn cut(&mut self, kept: usize) {
        self.lines.retain(|(records, line)| *records <= kept || line.starts_with('#'));
        self.records = kept;
    }

    fn text(&self) -> String {
        let mut text = self.head.clone();
        for (_, line) in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    fn command(&mut self, at: Timestamp, bytes: &[u8], answer: Option<Answer>) {
        self.records += 1;
        let made = answer.map_or(u64::MAX, |answer| answer.id);
        let Ok((header, command)) = decode(bytes) else {
            self.note("bytes that are no command");
            return;
        };
        let line = self.line(at, &header, &command, made);
        let bet = answer.map(|answer| answer.kind());
        if matches!(bet, Some(AnswerKind::Accepted | AnswerKind::Offered))
            && !self.bets.contains(&made)
        {
            self.bets.push(made);
        }
        let Some(line) = line else { return };
        let time = at.since(Timestamp(START));
        let line = if self.at < at { format!("@{time} {line}") } else { line };
        self.at = self.at.max(at);
        self.lines.push((self.records, line));
    }

    fn envelope(&self, at: Timestamp, header: &Header, valid_until: Timestamp) -> String {
        let mut words = String::new();
        if header.key != RequestKey::NONE {
            let until = valid_until.since(Timestamp(START));
            let _ = match valid_until.0 {
                0 => write!(words, " valid none"),
                _ => write!(words, " valid @{until}"),
            };
        }
        let waited = at.since(header.received);
        if header.received.0 != 0 && Nanos::ZERO < waited {
            let _ = write!(words, " waited {waited}");
        }
        if header.flags & Header::SYNTHETIC != 0 {
            words.push_str(" synthetic");
        }
        words
    }

    fn by(&self, header: &Header) -> String {
        let name = self.actors.get(&header.account).cloned();
        let mut words = format!(" by {}", name.unwrap_or_else(|| "nobody".to_owned()));
        if header.key != RequestKey::NONE {
            let _ = write!(words, " key {}", key_name(header.key));
        }
        words
    }

    fn line(
        &mut self,
        at: Timestamp,
        header: &Header,
        command: &Command<'_>,
        made: u64,
    ) -> Option<String> {
        let own = |valid_until| self.envelope(at, header, valid_until);
        let control = |valid_until| self.by(header) + &self.envelope(at, header, valid_until);
        let key = key_name(header.key);
        let customer = label('A', header.account);
        let market = |id: MarketId| label('M', id.raw());
        let bet = |id: BetId| {
            let at = self.bets.iter().position(|known| *known == id.raw());
            format!("B{}", at.map_or(999, |at| at + 1))
        };
        Some(
            match command {
                Command::Genesis(_) => return None,
                Command::EpochOpened(_) => {
                    self.runs += 1;
                    match self.runs {
                        1 => return None,
                        _ => "restart".to_owned(),
                    }
                }
                Command::Step(body) => format!("step {}", body.budget),
                Command::Tick(_) => "tick".to_owned(),
                Command::Quarantine(body) => {
                    format!("quarantine {} {}", label('A', body.account), key_name(body.key))
                }
                Command::RegisterActor(body, names) => {
                    let line =
                        format!("actor {} key {key}{}", names.first(), own(body.valid_until));
                    self.actors.insert(made, names.first().to_owned());
                    line
                }
                Command::DefineFeed(body, names) => format!(
                    "feed F{} named \"{}\" silence {} delay {}{}",
                    made.min(900_000),
                    names.first(),
                    body.silence_bound,
                    body.delay_bound,
                    control(body.valid_until)
                ),
                Command::DefineFixture(body, names) => format!(
                    "fixture {} named \"{}\"{}",
                    label('X', made),
                    names.first(),
                    control(body.valid_until)
                ),
                Command::DefineMarket(body, names) => {
                    let all: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                    let mut line = format!("market {} {}", label('M', made), all.join(" "));
                    if body.feed != FeedId::MANUAL {
                        let _ = write!(line, " feed {}", body.feed);
                    }
                    if body.fixture != FixtureId::NONE {
                        let _ = write!(line, " fixture {}", label('X', body.fixture.raw()));
                    }
                    if body.age_bound != Nanos::ZERO {
                        let _ = write!(line, " bound {}", body.age_bound);
                    }
                    let _ = write!(line, " winners {}{}", body.winners, control(body.valid_until));
                    line
                }
                Command::OpenMarket(body) => {
                    format!("open {}{}", market(body.market), control(body.valid_until))
                }
                Command::CloseMarket(body) => {
                    format!("close {}{}", market(body.market), control(body.valid_until))
                }
                Command::ArchiveMarket(body) => {
                    format!("archive {}{}", market(body.market), control(body.valid_until))
                }
                Command::Suspend(body) => {
                    let what = level(body.level, body.id, body.owner);
                    format!("suspend {what}{}", control(body.valid_until))
                }
                Command::Release(body) => {
                    let what = level(body.level, body.id, body.owner);
                    format!("release {what}{}", control(body.valid_until))
                }
                Command::WithdrawSelection(body) => format!(
                    "{} {} {}{}",
                    if body.withdrawn == 1 { "non-runner" } else { "runner" },
                    market(body.market),
                    body.selection.0 + 1,
                    control(body.valid_until)
                ),
                Command::MarketResult(body, entries) => {
                    let mut line = format!("result {}", market(body.market));
                    for entry in entries.iter() {
                        let outcome = match entry.outcome() {
                            SelectionOutcome::Win => "win",
                            SelectionOutcome::Lose => "lose",
                            SelectionOutcome::Void => "void",
                        };
                        let _ = write!(line, " {}:{outcome}", entry.selection.0 + 1);
                    }
                    line + &control(body.valid_until)
                }
                Command::SetLimits(body) => {
                    let of = if body.scope == LimitScope::Market as u8 {
                        format!("{} ", market(body.market))
                    } else {
                        String::new()
                    };
                    let number = currency(body.currency);
                    let words = limits(body.limits);
                    format!("limits {of}{number}{words}{}", control(body.valid_until))
                }
                Command::BlockAccount(body) => format!(
                    "{} {}{}",
                    if body.blocked == 1 { "block" } else { "unblock" },
                    label('A', body.account.raw()),
                    control(body.valid_until)
                ),
                Command::LiftQuarantine(body) => format!(
                    "lift {} {}{}",
                    label('A', body.account),
                    key_name(body.key),
                    control(body.valid_until)
                ),
                Command::SetPrices(body, entries) => {
                    let mut line = format!("prices {}", market(body.market));
                    for entry in entries.iter() {
                        let _ = write!(line, " {} {}", entry.selection.0 + 1, price(entry.price));
                    }
                    if body.feed != FeedId::MANUAL {
                        let _ = write!(line, " feed {} seq {}", body.feed, body.feed_seq);
                    }
                    line + &moments(body.source, body.as_of) + &control(body.valid_until)
                }
                Command::FeedHeartbeat(body) => {
                    let source = moments(body.source, Timestamp(0));
                    format!("heartbeat {} seq {}{source}{}", body.feed, body.feed_seq, control(at))
                }
                Command::FeedGap(body) => {
                    let source = moments(body.source, Timestamp(0));
                    format!("gap {} seq {}{source}{}", body.feed, body.feed_seq, control(at))
                }
                Command::FeedRecovered(body) => {
                    let source = moments(body.source, Timestamp(0));
                    format!("recovered {} seq {}{source}{}", body.feed, body.feed_seq, control(at))
                }
                Command::OpenAccount(body) => {
                    format!(
                        "account {} {} reference {} key {key}{}",
                        label('A', made),
                        currency(body.currency),
                        body.reference,
                        own(body.valid_until)
                    )
                }
                Command::Deposit(body) => {
                    format!(
                        "deposit {key} {customer} {}{}",
                        amount(body.amount),
                        own(body.valid_until)
                    )
                }
                Command::Withdraw(body) => {
                    format!(
                        "withdraw {key} {customer} {}{}",
                        amount(body.amount),
                        own(body.valid_until)
                    )
                }
                Command::Place(body) => {
                    let mut line = format!(
                        "place {key} {customer} {}/{} {}",
                        market(body.market),
                        body.selection.0 + 1,
                        amount(body.stake)
                    );
                    if !body.price.is_none() {
                        let _ = write!(line, " {}", price(body.price));
                    }
                    line.push_str(match PricePolicy::from_code(body.policy) {
                        Some(PricePolicy::Better) => " better",
                        Some(PricePolicy::Any) => " any",
                        _ => "",
                    });
                    if body.slippage != 0 {
                        let _ = write!(line, " within {}bp", body.slippage);
                    }
                    if body.version.0 != 0 {
                        let _ = write!(line, " seen {}", body.version.0);
                    }
                    line + &own(body.valid_until)
                }
                Command::AcceptOffer(body) => {
                    format!("accept {key} {customer} {}{}", bet(body.bet), own(body.valid_until))
                }
                Command::DeclineOffer(body) => {
                    format!("decline {key} {customer} {}{}", bet(body.bet), own(body.valid_until))
                }
                Command::Resolve(body) => {
                    format!("resolve {customer} {key}{}", own(body.valid_until))
                }
            } + " -> anything",
        )
        .map(|line| match line.strip_suffix(" -> anything") {
            // Whoever does these is the engine: they have no answer.
            Some(plain) if ["restart", "step", "tick"].iter().any(|v| plain.starts_with(v)) => {
                plain.to_owned()
            }
            _ => line,
        })
    }
}

fn level(level: u8, id: u64, owner: u8) -> String {
    let what = match Level::from_code(level) {
        Some(Level::Engine) | None => "all".to_owned(),
        Some(Level::Feed) => format!("F{id}"),
        Some(Level::Fixture) => label('X', id),
        Some(Level::Market) => label('M', id),
    };
    let owner = Owner::from_code(owner).map_or_else(String::new, |o| o.to_string().to_lowercase());
    format!("{what} {owner}")
}

fn limits(limits: Limits) -> String {
    format!(
        " min {} max {} payout {} liability {}",
        amount(limits.min_stake),
        amount(limits.max_stake),
        amount(limits.max_payout),
        amount(limits.max_liability)
    )
}

fn moments(source: Timestamp, as_of: Timestamp) -> String {
    let mut words = String::new();
    // The feed's own clock has any zero: a script's begins with the script.
    if source.0 != 0 {
        let _ = write!(words, " source {}", Nanos(source.0.rem_euclid(1_000_000_000_000)));
    }
    if as_of.0 != 0 {
        let since = as_of.since(Timestamp(START));
        if Nanos::ZERO <= since {
            let _ = write!(words, " as-of {since}");
        }
    }
    words
}
