//! Making a failure small: leaving out whatever it does not need, and writing the rest down as a script
//! of the test language.

use crate::auditor::Violation;
use crate::sim::house::Setup;
use crate::sim::{Failure, Input, Machine, START, replay, whole};
use betring_core::answer::{Answer, AnswerKind};
use betring_core::book::{SelfMatch, Side};
use betring_core::command::*;
use betring_core::event::{Cut, Event, EventReader};
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, WirePrice};
use betring_pricing::RoundingMode;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Replays that a search may take: some seconds.
const REPLAYS_MAX: usize = 4_000;
/// Those of nights with the whole engine, which take longer.
const WHOLE_REPLAYS_MAX: usize = 300;
/// How long a search may take.
const SEARCH_MAX: Duration = Duration::from_secs(90);
/// How often a search says how far it has come.
const SAYS_EVERY: Duration = Duration::from_secs(10);

/// The same failure from as few inputs as are found: another sentence, or another command that is answered
/// otherwise, is another failure.
///
/// Leaves out halves, then quarters, down to single inputs, as long as it still breaks in the same way.
pub fn shorten(failure: &Failure) -> Failure {
    let seed = failure.seed;
    if failure.whole {
        return shorten_by(failure, WHOLE_REPLAYS_MAX, |inputs| whole::replay(seed, inputs));
    }
    shorten_by(failure, REPLAYS_MAX, |inputs| replay(Machine::new(seed), inputs))
}

fn shorten_by(
    failure: &Failure,
    replays_max: usize,
    replay: impl Fn(&[Input]) -> Result<(), (usize, Violation)>,
) -> Failure {
    let mut first = failure.clone();
    // What was done behind the input that broke was never done.
    first.inputs.truncate(failure.step + 1);
    let class = class_of(&failure.what);
    let Failure { seed, whole, wallets, .. } = *failure;
    let again = |fewer: &[Input]| {
        let (step, what) = replay(fewer).err()?;
        let mut inputs = fewer.to_vec();
        inputs.truncate(step + 1);
        (class_of(&what) == class).then_some(Failure { seed, step, what, inputs, whole, wallets })
    };
    // What was published at once may break one by one, and then all but one of it can be left out.
    let apart = |input: &Input| match input {
        Input::Burst { client, all } => {
            let one = |bytes: &Vec<u8>| Input::Publish { client: *client, bytes: bytes.clone() };
            all.iter().map(one).collect()
        }
        other => vec![other.clone()],
    };
    let apart: Vec<Input> = first.inputs.iter().flat_map(apart).collect();
    let first = again(&apart).unwrap_or(first);
    fewest(first, |failure| &failure.inputs, replays_max, again)
}

/// Leaves inputs out as long as what is left still fails.
pub(crate) fn fewest<B>(
    first: B,
    inputs: impl Fn(&B) -> &[Input],
    replays_max: usize,
    again: impl Fn(&[Input]) -> Option<B>,
) -> B {
    let began = Instant::now();
    let (mut best, mut replays, mut said) = (first, 0, SAYS_EVERY);
    let mut size = inputs(&best).len().div_ceil(2).max(1);
    let over = |replays| replays_max <= replays || SEARCH_MAX <= began.elapsed();
    loop {
        let mut from = 0;
        let mut shorter = false;
        while from < inputs(&best).len() && !over(replays) {
            let all = inputs(&best);
            let to = (from + size).min(all.len());
            let fewer = [&all[..from], &all[to..]].concat();
            replays += 1;
            match again(&fewer) {
                Some(broken) => {
                    best = broken;
                    shorter = true;
                }
                None => from = to,
            }
            if said <= began.elapsed() {
                eprintln!("shortening: {} inputs after {replays} replays", inputs(&best).len());
                said = began.elapsed() + SAYS_EVERY;
            }
        }
        if over(replays) || (size == 1 && !shorter) {
            return best;
        }
        size = (size / 2).max(1);
    }
}

/// What a sentence says without its figures and bodies: two failures with the same are taken for the same. Of
/// a command that is its kind, the answers, and the reasons of refusals.
pub(crate) fn class_of(what: &str) -> String {
    let mut depth = 0_usize;
    let mut class = Vec::new();
    for word in what.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let refusal = Reject::ALL.iter().any(|reject| reject.name() == bare);
        let opens = word.matches(['{', '(']).count();
        let figure = word.contains(|c: char| c.is_ascii_digit());
        if refusal || (depth == 0 && opens == 0 && !figure) {
            class.push(bare);
        }
        depth = (depth + opens).saturating_sub(word.matches(['}', ')']).count());
    }
    class.join(" ")
}

/// The failure as a script of the test language: everything that was asked, in the order in which it was
/// decided. Crashes are the script's `restart`; what the disk did stands beside it.
///
/// Of a night with the whole engine: what is in its journal, and the record that broke.
pub fn script(failure: &Failure) -> String {
    if failure.whole {
        return script_of_whole(failure);
    }
    script_by(failure, Machine::new(failure.seed))
}

fn answer_in(events: &[u8]) -> Option<Answer> {
    EventReader::new(events).find_map(|event| match event {
        Ok(Event::Answered(answered)) => Some(answered.answer),
        _ => None,
    })
}

fn script_of_whole(failure: &Failure) -> String {
    let left = whole::left_by(failure.seed, &failure.inputs);
    let mut out = Lines::of(&left.setup);
    for (at, command, events) in &left.records {
        out.record(*at, command, events);
    }
    if let Some((at, command)) = &left.broke_at {
        out.command(*at, command, left.expected);
    }
    out.broken(failure.seed, &failure.what)
}

fn script_by(failure: &Failure, mut machine: Machine) -> String {
    let mut out = Lines::of(machine.setup());
    let mut done: Vec<(Timestamp, Vec<u8>)> = Vec::new();
    // What breaks only when everything comes to its end breaks behind the last input.
    let inputs = failure.inputs.iter().map(Some).chain([None]);
    for input in inputs {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match input {
            Some(input) => machine.act(input),
            None => machine.settle(),
        }));
        // A crash may take records back, and the start behind it decide others in their place.
        let kept = machine
            .decided()
            .zip(&done)
            .take_while(|((at, command, _), (when, before))| at == when && command == before)
            .count();
        if kept < done.len() {
            let lost = done.len() - kept;
            out.note(&format!("a crash took back what was decided last, {lost} records"));
            out.cut(kept);
            done.truncate(kept);
        }
        for (at, command, events) in machine.decided().skip(kept) {
            out.record(at, command, events);
            done.push((at, command.to_vec()));
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
                out.command(at, &command, machine.auditor().expected());
            }
            break;
        }
    }
    out.broken(failure.seed, &failure.what)
}

/// What was done to an engine.
#[derive(Clone, Debug)]
pub(crate) enum Asking {
    /// It was given a command, and answered, unless that was the end.
    Command(Timestamp, Vec<u8>, Option<Answer>),
    /// It stopped and was started again.
    Crash,
}

/// What was asked of an engine, in order, as a script; the last line has the answer that the rules give, if
/// they are known to give another.
pub(crate) fn script_of(
    setup: &Setup,
    actors: &[String],
    asked: &[Asking],
    expected: Option<&str>,
) -> String {
    let mut out = Lines::of(setup);
    for (name, id) in actors.iter().zip(1..) {
        out.actors.insert(id, name.clone());
        out.lines.push(Written::of(0, format!("actor {name} key handle{id} -> done")));
    }
    out.head = out.head.replace("manual steps\n", "");
    for asking in asked {
        match asking {
            Asking::Command(at, bytes, answer) => {
                out.command(*at, bytes, *answer);
                out.guess_orders(*answer);
            }
            Asking::Crash => out.push("restart".to_owned()),
        }
    }
    if let Some(expected) = expected {
        out.expect(expected);
    }
    out.text()
}

/// A script as it grows.
struct Lines {
    head: String,
    lines: Vec<Written>,
    records: usize,
    actors: BTreeMap<u64, String>,
    /// How many selections the markets have that were defined, and the record with which they were.
    selections: BTreeMap<u64, (usize, u16)>,
    /// Handles of bets in the order in which they appeared, which is how scripts number them, and the record
    /// with which they did.
    bets: Vec<(usize, u64)>,
    /// The same of orders.
    orders: Vec<(usize, u64)>,
    /// Which version of a market this command names, if it names one.
    seen: Seen,
    /// The records that began a run.
    runs: Vec<usize>,
    /// When the key of the script's own trader can be forgotten, and the record before which a Step did that.
    forgets_after: Timestamp,
    forgot: Option<usize>,
}

/// Which version of a market its customer saw.
#[derive(Clone, Copy)]
enum Seen {
    Last,
    Earlier,
    NotYet,
}

/// One line of a script.
struct Written {
    /// Records up to this line.
    records: usize,
    /// When it happens; none for a comment.
    at: Option<Timestamp>,
    text: String,
}

impl Written {
    fn of(records: usize, text: String) -> Written {
        Written { records, at: None, text }
    }
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

/// Labels of scripts have no generations: the second use of a place is a label of its own, and a handle of
/// nothing, whose generation is 0, is a label that nothing has.
fn label(letter: char, raw: u64) -> String {
    let (index, generation) = (raw & 0xffff_ffff, raw >> 32);
    let times = generation.checked_sub(1).map_or(950, |times| times.min(900));
    format!("{letter}{}", (index + 1) % 1_000 + 1_000 * times)
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
             currencies {} legs {} groups {} limited {} orders {} positions {} stands {} levels {}\nmanual steps\n",
            room.accounts,
            room.markets,
            room.selections,
            room.bets,
            room.keys + 1,
            room.feeds,
            room.fixtures,
            // The script's own trader is the first.
            room.actors + 1,
            room.currencies,
            room.legs,
            room.groups,
            room.limited,
            room.orders,
            room.positions,
            room.stands,
            room.levels
        );
        Lines {
            head,
            lines: Vec::new(),
            records: 0,
            actors: BTreeMap::new(),
            selections: BTreeMap::new(),
            bets: Vec::new(),
            orders: Vec::new(),
            seen: Seen::Last,
            runs: Vec::new(),
            forgets_after: Timestamp(START).plus(Nanos(2 * genesis.window.0)),
            forgot: None,
        }
    }

    fn note(&mut self, text: &str) {
        self.push(format!("# {text}"));
    }

    fn push(&mut self, text: String) {
        self.lines.push(Written::of(self.records, text));
    }

    /// The last line is answered so; a bet or an offer, whose handle is not the script's, is only not refused.
    fn expect(&mut self, answer: &str) {
        let Some(line) = self.lines.iter_mut().rfind(|line| line.at.is_some()) else { return };
        let asked = line.text.split(" -> ").next().unwrap_or_default().to_owned();
        let answer = answer.strip_prefix("again ").unwrap_or(answer);
        let first = answer.split([' ', ':']).next().unwrap_or_default();
        let has_no_handle = ["done", "NeverPlaced"].contains(&first)
            || Reject::ALL.iter().any(|reject| reject.name() == first);
        line.text = match first {
            _ if has_no_handle => format!("{asked} -> {answer}"),
            "started" => format!("{asked} -> started"),
            _ => asked,
        };
    }

    /// Takes back what records behind this one did.
    fn cut(&mut self, kept: usize) {
        self.lines.retain(|line| line.records <= kept || line.at.is_none());
        self.bets.retain(|(record, _)| *record <= kept);
        self.orders.retain(|(record, _)| *record <= kept);
        self.selections.retain(|_, (record, _)| *record <= kept);
        self.runs.retain(|record| *record <= kept);
        self.forgot = self.forgot.filter(|record| *record <= kept);
        self.records = kept;
    }

    fn text(&self) -> String {
        let mut text = self.head.clone();
        for line in &self.lines {
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    /// The script of something that broke: it ends with what, and where that comes from.
    fn broken(&self, seed: u64, what: &str) -> String {
        self.text() + &epilogue(seed, what)
    }

    /// A command with what came of it.
    fn record(&mut self, at: Timestamp, command: &[u8], events: &[u8]) {
        let late = EventReader::new(events)
            .flatten()
            .any(|event| matches!(event, Event::OrderCut(cut) if cut.why == Cut::Version as u8));
        let answer = answer_in(events);
        let reject = answer.and_then(|answer| answer.reject());
        self.seen = match reject {
            Some(Reject::InvalidMarketVersion) => Seen::NotYet,
            _ if late => Seen::Earlier,
            _ => Seen::Last,
        };
        self.command(at, command, answer);
        for event in EventReader::new(events).flatten() {
            if let Event::OrderPlaced(placed) = event {
                self.orders.push((self.records, placed.order.raw()));
            }
        }
    }

    /// Without events: orders of one request follow each other, unless they got places that others had left.
    fn guess_orders(&mut self, answer: Option<Answer>) {
        let ordered = answer.filter(|answer| answer.kind() == AnswerKind::Ordered);
        let Some(Answer { id, amount, .. }) = ordered else { return };
        let count = u64::try_from(amount.0).unwrap_or(0);
        self.orders.extend((id..id.saturating_add(count)).map(|id| (self.records, id)));
    }

    fn command(&mut self, at: Timestamp, bytes: &[u8], answer: Option<Answer>) {
        self.records += 1;
        let malformed = answer
            .filter(|answer| answer.reject() == Some(Reject::Malformed))
            .and_then(|answer| answer.malformation());
        let read = match (decode(bytes), malformed) {
            (Ok(read), None) => read,
            (Err(what), _) | (Ok(_), Some(what)) => {
                self.note(&format!("what is no command was refused: {what}"));
                return;
            }
        };
        let (header, command) = read;
        let made = answer.map_or(u64::MAX, |answer| answer.id);
        let kind = answer.map(|answer| answer.kind());
        let taken =
            matches!(kind, Some(AnswerKind::Accepted | AnswerKind::Offered | AnswerKind::Pending));
        if taken && self.bets.iter().all(|(_, known)| *known != made) {
            self.bets.push((self.records, made));
        }
        let Some(mut line) = self.line(at, &header, &command, made) else { return };
        if kind == Some(AnswerKind::Done) {
            match &command {
                Command::RegisterActor(_, names) => {
                    self.actors.insert(made, names.first().to_owned());
                }
                Command::DefineMarket(_, names) => {
                    let many = names.iter().count() as u16 - 1;
                    self.selections.insert(made, (self.records, many));
                }
                _ => (),
            }
        }
        let of_the_engine =
            matches!(command, Command::EpochOpened(_) | Command::Step(_) | Command::Tick(_));
        if !of_the_engine {
            let said = answer.map_or("anything".to_owned(), |answer| self.said(&answer));
            line = format!("{line} -> {said}");
        }
        let before = self.lines.iter().rev().find_map(|line| line.at).unwrap_or(Timestamp(START));
        let by_hand = self.head.ends_with("manual steps\n");
        if by_hand && self.forgot.is_none() && self.forgets_after < at {
            // Its key is one more than the house had, which the Steps that follow must not find.
            self.forgot = Some(self.records);
            let text = format!("@{} step 1", span(at.max(before)));
            self.lines.push(Written { records: self.records, at: Some(at.max(before)), text });
        } else if before < at {
            line = format!("@{} {line}", span(at));
        }
        self.lines.push(Written { records: self.records, at: Some(before.max(at)), text: line });
    }

    fn bet(&self, id: u64) -> String {
        let at = self.bets.iter().position(|(_, known)| *known == id);
        format!("B{}", at.map_or(999, |at| at + 1))
    }

    /// A version is a sequence, and those of a script are others: whether it is the last one, one that was or one that is
    /// not yet is what came of it.
    fn version(&self, of: Seq) -> String {
        match self.seen {
            _ if of == Seq(0) => String::new(),
            Seen::Last => " version last".to_owned(),
            Seen::Earlier => " version 1".to_owned(),
            Seen::NotYet => " version 999999".to_owned(),
        }
    }

    fn order(&self, id: u64) -> String {
        let at = self.orders.iter().position(|(_, known)| *known == id);
        format!("O{}", at.map_or(999_999, |at| at + 1))
    }

    /// An answer as scripts expect it: with their labels, and without what they would name otherwise.
    fn said(&self, answer: &Answer) -> String {
        match (answer.kind(), answer.reject()) {
            (AnswerKind::Accepted, _) => {
                let (price, returns) = (answer.price, answer.amount);
                // A ticket of several legs has as many prices.
                let at = if price.is_none() { String::new() } else { format!(" at {price}") };
                format!("{}{at} returns {returns}", self.bet(answer.id))
            }
            (AnswerKind::Offered, _) => {
                format!("offer {} at {}", self.bet(answer.id), answer.price)
            }
            (AnswerKind::Pending, _) => format!("pending {}", self.bet(answer.id)),
            (AnswerKind::Started, _) => "started".to_owned(),
            (AnswerKind::Ordered, _) => "order".to_owned(),
            (_, Some(Reject::SelfExcluded)) => format!("SelfExcluded {}", until(answer.until())),
            (_, Some(reject @ (Reject::AccountExists | Reject::NameTaken))) => {
                reject.name().to_owned()
            }
            _ => answer.to_string(),
        }
    }

    /// A selection as a word that is no price: its name, or a number with a sign where nothing has a name.
    fn selection(&self, market: MarketId, selection: SelectionIndex) -> String {
        let known = self.selections.get(&market.raw());
        let sign = if known.is_some_and(|(_, many)| selection.0 < *many) { 's' } else { '+' };
        format!("{sign}{}", selection.0 + 1)
    }

    fn level(&self, level: u8, id: u64, selection: SelectionIndex, owner: u8) -> String {
        let what = match Level::from_code(level) {
            Some(Level::Engine) | None => "all".to_owned(),
            Some(Level::Feed) => format!("F{id}"),
            Some(Level::Fixture) => label('X', id),
            Some(Level::Market) => label('M', id),
            Some(Level::Group) => format!("G{id}"),
            Some(Level::Selection) => {
                let selection = self.selection(MarketId::from_raw(id), selection);
                format!("{}/{selection}", label('M', id))
            }
        };
        let owner = Owner::from_code(owner);
        format!("{what} {}", owner.map_or_else(String::new, |o| o.to_string().to_lowercase()))
    }

    /// What a source's own clock shows, as it is: before anything is known of it, it is measured by the house's.
    fn source(source: Timestamp) -> String {
        if source.0 == 0 { String::new() } else { format!(" source {}", span(source)) }
    }

    fn envelope(&self, at: Timestamp, header: &Header, valid_until: Timestamp) -> String {
        let mut words = String::new();
        if header.key != RequestKey::NONE {
            let _ = match valid_until.0 {
                0 => write!(words, " valid none"),
                _ => write!(words, " valid @{}", span(valid_until)),
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

    fn ticket(
        &self,
        body: &PlaceTicket,
        legs: Entries<'_, LegEntry>,
        key: &str,
        customer: &str,
    ) -> String {
        let list = |bits: u32, between: &str| {
            let numbers = (0..32).filter(|at| bits >> at & 1 == 1).map(|at| (at + 1).to_string());
            numbers.collect::<Vec<_>>().join(between)
        };
        let folds = list(body.folds, "+");
        let mut line = format!("ticket {key} {customer} {folds} {}", amount(body.stake));
        if body.stake_kind == StakeKind::Total as u8 {
            line.push_str(" total");
        }
        for leg in legs.iter() {
            let market = label('M', leg.market.raw());
            let selection = self.selection(leg.market, leg.selection);
            let _ = write!(line, " {market}/{selection}");
            if !leg.price.is_none() {
                let _ = write!(line, "@{}", price(leg.price));
            }
        }
        line.push_str(match EachWayKind::from_code(body.each_way) {
            Some(EachWayKind::WinToWin) => " each-way",
            Some(EachWayKind::EquallyDivided) => " each-way-divided",
            Some(EachWayKind::No) | None => "",
        });
        if body.bankers != 0 {
            let _ = write!(line, " bankers {}", list(body.bankers, ","));
        }
        if body.floor != 0 {
            let _ = write!(line, " floor {}.{:04}", body.floor / 10_000, body.floor % 10_000);
        }
        if body.bonus == 1 {
            line.push_str(" bonus");
        }
        line + &policy(body.policy, body.slippage)
    }

    fn by(&self, header: &Header, reason: u32) -> String {
        let name = self.actors.get(&header.account).cloned();
        let mut words = format!(" by {}", name.unwrap_or_else(|| "nobody".to_owned()));
        if header.key != RequestKey::NONE {
            let _ = write!(words, " key {}", key_name(header.key));
        }
        if reason != 0 {
            let _ = write!(words, " reason {reason}");
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
        let moved = match command {
            Command::SetPrices(SetPrices { source, .. }, _)
            | Command::Reprice(Reprice { source, .. }, _) => Self::source(*source),
            Command::MarketResult(MarketResult { source, .. }, _)
            | Command::CancelBets(CancelBets { source, .. })
            | Command::RollbackResult(RollbackResult { source, .. }) => Self::source(*source),
            Command::FeedHeartbeat(FeedHeartbeat { source, .. })
            | Command::FeedGap(FeedGap { source, .. })
            | Command::FeedRecovering(FeedRecovering { source, .. })
            | Command::FeedRecovered(FeedRecovered { source, .. }) => Self::source(*source),
            _ => String::new(),
        };
        let own = |valid_until| self.envelope(at, header, valid_until);
        let control =
            |valid_until, reason| self.by(header, reason) + &self.envelope(at, header, valid_until);
        let feed = |feed: FeedId| match feed {
            FeedId::MANUAL => "manual".to_owned(),
            FeedId(number) => format!("F{number}"),
        };
        let key = key_name(header.key);
        let customer = label('A', header.account);
        let market = |id: MarketId| label('M', id.raw());
        Some(match command {
            Command::Genesis(_) => return None,
            Command::EpochOpened(_) => {
                self.runs.push(self.records);
                match self.runs.len() {
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
                let reason = match body.reason {
                    0 => String::new(),
                    reason => format!(" reason {reason}"),
                };
                let own = own(body.valid_until);
                format!("actor {} key {key}{reason}{own}", names.first())
            }
            Command::DefineFeed(body, names) => format!(
                "feed F{} named \"{}\" silence {} delay {} schema {}{}",
                made.min(900_000),
                names.first(),
                body.silence_bound,
                body.delay_bound,
                body.schema,
                control(body.valid_until, body.reason)
            ),
            Command::DefineFixture(body, names) => format!(
                "fixture {} named \"{}\"{}{}",
                label('X', made),
                names.first(),
                match body.starts {
                    Timestamp(0) => String::new(),
                    starts => format!(" starts {}", span(starts)),
                },
                control(body.valid_until, body.reason)
            ),
            Command::DefineMarket(body, names) => {
                let mut line = format!("market {} \"{}\"", label('M', made), names.first());
                for number in 1..names.iter().count() {
                    let _ = write!(line, " s{number}");
                }
                // In a group the line would mean the primary.
                if body.feed != FeedId::MANUAL || body.group != GroupId::NONE {
                    let _ = write!(line, " feed {}", feed(body.feed));
                }
                if body.kind == MarketKind::Exchange as u8 {
                    line.push_str(" exchange");
                }
                if body.group != GroupId::NONE {
                    let _ = write!(line, " group G{}", body.group.0);
                }
                if body.tier != 0 {
                    let _ = write!(line, " tier {}", body.tier);
                }
                if body.canary == 1 {
                    line.push_str(" canary");
                }
                let (places, num, den) = (body.places, body.place_num, body.place_den);
                let _ = match EachWayOffer::from_code(body.each_way) {
                    Some(EachWayOffer::ByTable) => write!(line, " each-way table"),
                    Some(EachWayOffer::Handicap) => write!(line, " each-way handicap"),
                    Some(EachWayOffer::Own) => write!(line, " each-way {places}@{num}/{den}"),
                    Some(EachWayOffer::No) | None => Ok(()),
                };
                if body.fixture != FixtureId::NONE {
                    let _ = write!(line, " fixture {}", label('X', body.fixture.raw()));
                }
                if body.age_bound != Nanos::ZERO {
                    let _ = write!(line, " bound {}", body.age_bound);
                }
                let _ = write!(
                    line,
                    " winners {}{}",
                    body.winners,
                    control(body.valid_until, body.reason)
                );
                line
            }
            Command::OpenMarket(body) => {
                format!("open {}{}", market(body.market), control(body.valid_until, body.reason))
            }
            Command::CloseMarket(body) => {
                format!("close {}{}", market(body.market), control(body.valid_until, body.reason))
            }
            Command::ArchiveMarket(body) => {
                format!("archive {}{}", market(body.market), control(body.valid_until, body.reason))
            }
            Command::Suspend(body) => {
                let what = self.level(body.level, body.id, body.selection, body.owner);
                format!("suspend {what}{}", control(body.valid_until, body.reason))
            }
            Command::Release(body) => {
                let what = self.level(body.level, body.id, body.selection, body.owner);
                format!("release {what}{}", control(body.valid_until, body.reason))
            }
            Command::WithdrawSelection(body) => {
                let mut line = format!(
                    "{} {} {}",
                    if body.withdrawn == 1 { "non-runner" } else { "runner" },
                    market(body.market),
                    self.selection(body.market, body.selection),
                );
                if body.deduct == 1 {
                    line += " deduct";
                }
                if !body.price.is_none() {
                    let _ = write!(line, " price {}", price(body.price));
                }
                if body.factor != 0 {
                    let _ = write!(line, " factor {}bp", body.factor);
                }
                line + &control(body.valid_until, body.reason)
            }
            Command::MarketResult(body, entries) => {
                let mut line = format!("result {}", market(body.market));
                for entry in entries.iter() {
                    let outcome = outcome(&entry);
                    let selection = self.selection(body.market, entry.selection);
                    let _ = write!(line, " {selection}:{outcome}");
                }
                if body.certainty != 0 {
                    let _ = write!(line, " certainty {}", body.certainty);
                }
                line + &moved + &control(body.valid_until, body.reason)
            }
            Command::SetLimits(body) => {
                let of = if body.scope == LimitScope::Market as u8 {
                    format!("{} ", market(body.market))
                } else {
                    String::new()
                };
                let number = currency(body.currency);
                let words = limits(body.limits);
                format!("limits {of}{number}{words}{}", control(body.valid_until, body.reason))
            }
            Command::BlockAccount(body) => format!(
                "{} {}{}",
                if body.blocked == 1 { "block" } else { "unblock" },
                label('A', body.account.raw()),
                control(body.valid_until, body.reason)
            ),
            Command::LiftQuarantine(body) => format!(
                "lift {} {}{}",
                label('A', body.account),
                key_name(body.key),
                control(body.valid_until, body.reason)
            ),
            Command::SetPrices(body, entries) => {
                let mut line = format!("prices {}", market(body.market));
                for entry in entries.iter() {
                    let selection = self.selection(body.market, entry.selection);
                    let _ = write!(line, " {selection} {}", price(entry.price));
                }
                let _ = write!(line, " feed {} seq {}{moved}", feed(body.feed), body.feed_seq);
                if body.schema != 0 {
                    let _ = write!(line, " schema {}", body.schema);
                }
                if body.as_of.0 != 0 {
                    let _ = write!(line, " as-of {}", span(body.as_of));
                }
                line + &control(body.valid_until, body.reason)
            }
            Command::Reprice(body, entries) => {
                let mut line = format!(
                    "reprice {} feed {} seq {} model {} version {}",
                    label('X', body.fixture.raw()),
                    feed(body.feed),
                    body.feed_seq,
                    body.model_name(),
                    body.model_version
                );
                let mut last = None;
                for entry in entries.iter() {
                    if last != Some(entry.market) {
                        let plus = if last.is_some() { " +" } else { "" };
                        let _ = write!(line, "{plus} {}", market(entry.market));
                        last = Some(entry.market);
                    }
                    let selection = self.selection(entry.market, entry.selection);
                    let _ = write!(line, " {selection} {}", price(entry.price));
                }
                let _ = write!(line, "{moved}");
                if body.schema != 0 {
                    let _ = write!(line, " schema {}", body.schema);
                }
                if body.as_of.0 != 0 {
                    let _ = write!(line, " as-of {}", span(body.as_of));
                }
                line + &control(at, body.reason)
            }
            Command::FeedHeartbeat(body) => {
                let own = control(at, body.reason);
                let of = (body.feed_seq, 0, body.schema);
                format!("heartbeat {}{}{moved}{own}", feed(body.feed), of_message(of))
            }
            Command::FeedGap(body) => {
                let own = control(at, body.reason);
                let lost = if body.connection == 1 { " connection" } else { "" };
                let of = (body.feed_seq, 0, body.schema);
                format!("gap {}{lost}{}{moved}{own}", feed(body.feed), of_message(of))
            }
            Command::FeedRecovered(body) => {
                let own = control(at, body.reason);
                let of = (body.feed_seq, body.request, body.schema);
                format!("recovered {}{}{moved}{own}", feed(body.feed), of_message(of))
            }
            Command::OpenAccount(body) => {
                let wallet = if body.purse == Purse::External as u8 { " wallet" } else { "" };
                let probe = if body.synthetic == 1 { " probe" } else { "" };
                format!(
                    "account {} {} reference {}{wallet}{probe} key {key}{}",
                    label('A', made),
                    currency(body.currency),
                    body.reference,
                    own(body.valid_until)
                )
            }
            Command::Deposit(body) => {
                format!("deposit {key} {customer} {}{}", amount(body.amount), own(body.valid_until))
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
                    self.selection(body.market, body.selection),
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
                format!(
                    "accept {key} {customer} {}{}",
                    self.bet(body.bet.raw()),
                    own(body.valid_until)
                )
            }
            Command::DeclineOffer(body) => {
                format!(
                    "decline {key} {customer} {}{}",
                    self.bet(body.bet.raw()),
                    own(body.valid_until)
                )
            }
            Command::Resolve(body) => {
                format!("resolve {customer} {key}{}", own(body.valid_until))
            }
            Command::PlaceTicket(body, legs) => {
                self.ticket(body, *legs, &key, &customer) + &own(body.valid_until)
            }
            Command::CashOut(body) => {
                let mut line = format!("cash-out {key} {customer} {}", self.bet(body.bet.raw()));
                if body.take.0 != 0 {
                    let _ = write!(line, " take {}", amount(body.take));
                }
                if body.accept.0 != 0 {
                    let _ = write!(line, " {}", amount(body.accept));
                }
                line + &policy(body.policy, body.slippage) + &own(body.valid_until)
            }
            Command::SetAutoCashOut(body) => {
                let value = match body.value.0 {
                    0 => "off".to_owned(),
                    _ => amount(body.value),
                };
                let bet = self.bet(body.bet.raw());
                format!("auto-cash-out {key} {customer} {bet} {value}{}", own(body.valid_until))
            }
            Command::PublishRules(body, sets) => {
                let set = sets.iter().next()?;
                rules(&set)? + &control(body.valid_until, body.reason)
            }
            Command::SetInPlay(body) => {
                let (market, delay) = (market(body.market), body.delay);
                let delay = match body.in_play {
                    1 => delay.to_string(),
                    _ => format!("off {delay}"),
                };
                format!("in-play {market} {delay}{}", control(body.valid_until, body.reason))
            }
            Command::AnswerReferral(body, prices) => {
                let answer = ReferralAnswer::from_code(body.answer);
                let answer = answer.map_or_else(String::new, |a| a.to_string().to_lowercase());
                let mut line = format!("referral {} {answer}", self.bet(body.bet.raw()));
                if body.stake.0 != 0 {
                    let _ = write!(line, " stake {}", amount(body.stake));
                }
                for entry in prices.iter() {
                    let _ = match entry.price.is_none() {
                        true => write!(line, " -"),
                        false => write!(line, " {}", price(entry.price)),
                    };
                }
                line + &control(body.valid_until, body.reason)
            }
            Command::FreezeCashOut(body) => {
                let verb = if body.frozen == 1 { "freeze" } else { "unfreeze" };
                let what = self.level(body.level, body.id, SelectionIndex(0), body.owner);
                format!("{verb} {what}{}", control(body.valid_until, body.reason))
            }
            Command::CancelBets(body) => {
                let verb = if body.cancel == 1 { "cancel" } else { "uncancel" };
                let mut line = format!("{verb} {}", market(body.market));
                for (word, moment) in [("from", body.from), ("until", body.until)] {
                    if moment.0 != 0 {
                        let _ = write!(line, " {word} @{}", moment.since(Timestamp(START)));
                    }
                }
                line + &moved + &control(body.valid_until, body.reason)
            }
            Command::RollbackResult(body) => {
                let line = format!("rollback {}", market(body.market));
                line + &moved + &control(body.valid_until, body.reason)
            }
            Command::CancelBet(body) => {
                let verb = if body.cancel == 1 { "void" } else { "unvoid" };
                format!(
                    "{verb} {}{}",
                    self.bet(body.bet.raw()),
                    control(body.valid_until, body.reason)
                )
            }
            Command::CorrectPrice(body) => {
                let to = match body.price.is_none() {
                    true => "-".to_owned(),
                    false => price(body.price),
                };
                let (bet, leg) = (self.bet(body.bet.raw()), u32::from(body.leg) + 1);
                format!("correct {bet} {to} leg {leg}{}", control(body.valid_until, body.reason))
            }
            Command::DefineGroup(body, names) => format!(
                "group G{} named \"{}\" {} {}{}",
                made.min(900_000),
                names.first(),
                feed(body.primary),
                feed(body.backup),
                control(body.valid_until, body.reason)
            ),
            Command::SwitchFeed(body) => {
                let to = match Drives::from_code(body.to) {
                    Some(Drives::Backup) => "backup",
                    Some(Drives::Primary) | None => "primary",
                };
                let own = control(body.valid_until, body.reason);
                format!("switch G{} {to}{own}", body.group.0)
            }
            Command::SetTier(body) => tier(body) + &control(body.valid_until, body.reason),
            Command::AssignTier(body) => {
                let own = control(body.valid_until, body.reason);
                format!("assign {} {}{own}", market(body.market), body.tier)
            }
            Command::SetFeedSchema(body) => {
                let own = control(body.valid_until, body.reason);
                format!("schema {} {}{own}", feed(body.feed), body.schema)
            }
            Command::TraderPrice(body) => {
                let which = self.selection(body.market, body.selection);
                let target = format!("{}/{which}", market(body.market));
                let line = match TraderPriceAct::from_code(body.act) {
                    Some(TraderPriceAct::Pin) => format!("pin {target} {}", price(body.price)),
                    Some(TraderPriceAct::Unpin) => format!("unpin {target}"),
                    Some(TraderPriceAct::TakeHeld) | None => format!("take {target}"),
                };
                line + &control(body.valid_until, body.reason)
            }
            Command::SetStakeFactor(body) => {
                let of = match FactorScope::from_code(body.scope) {
                    Some(FactorScope::Engine) | None => "all".to_owned(),
                    Some(FactorScope::Feed) => {
                        u16::try_from(body.id).map_or("F900000".to_owned(), |id| feed(FeedId(id)))
                    }
                    Some(FactorScope::Fixture) => label('X', body.id),
                    Some(FactorScope::Market) => label('M', body.id),
                    Some(FactorScope::Tier) => format!("tier {}", body.id),
                    Some(FactorScope::Account) => label('A', body.id),
                };
                let own = control(body.valid_until, body.reason);
                format!("factor {of} {}%{own}", body.percent)
            }
            Command::SetShedding(body) => {
                let mode = Shed::from_code(body.mode).map_or("none".to_owned(), |m| m.to_string());
                format!(
                    "shedding {}{}",
                    mode.to_lowercase(),
                    control(body.valid_until, body.reason)
                )
            }
            Command::SetAccountLimit(body) => {
                let own = control(body.valid_until, body.reason);
                let limit = own_limit(body.kind, body.period, body.amount);
                format!("limit {} {limit}{own}", label('A', body.account.raw()))
            }
            Command::SetOwnLimit(body) => {
                let limit = own_limit(body.kind, body.period, body.amount);
                format!("own-limit {key} {customer} {limit}{}", own(body.valid_until))
            }
            Command::ExcludeAccount(body) => {
                let account = label('A', body.account.raw());
                let own = control(body.valid_until, body.reason);
                format!("exclude {account} {}{own}", until(body.until))
            }
            Command::ExcludeSelf(body) => {
                let own = own(body.valid_until);
                format!("exclude-self {key} {customer} {}{own}", until(body.until))
            }
            Command::SetExchange(body, bands) => {
                let bands: Vec<String> = bands
                    .iter()
                    .map(|b| format!("{}-{}@{}", odds(b.from_e4), odds(b.to_e4), odds(b.step_e4)))
                    .collect();
                let ladder = match LadderKind::from_code(body.ladder) {
                    Some(LadderKind::Finest) => "finest".to_owned(),
                    Some(LadderKind::Betdaq) => "betdaq".to_owned(),
                    Some(LadderKind::Own) => bands.join(","),
                    Some(LadderKind::Classic) | None => "classic".to_owned(),
                };
                let flags = [
                    (SetExchange::CROSSES, " cross"),
                    (SetExchange::STARTING_PRICES, " starting-prices"),
                    (SetExchange::PASSIVE_DELAY, " passive"),
                    (SetExchange::PLACES, " places"),
                    (SetExchange::LINES, " lines"),
                ];
                let flags = flags.iter().filter(|(flag, _)| body.flags & flag != 0);
                let flags: String = flags.map(|(_, word)| *word).collect();
                format!(
                    "exchange {} {} ladder {ladder} commission {}bp min {} min-payout {} min-liability {}{flags}{}",
                    market(body.market),
                    currency(body.currency),
                    body.commission,
                    amount(body.min_stake),
                    amount(body.min_payout),
                    amount(body.min_liability),
                    control(body.valid_until, body.reason)
                )
            }
            Command::SetDiscount(body) => {
                let account = label('A', body.account.raw());
                let own = control(body.valid_until, body.reason);
                format!("discount {account} {}bp{own}", body.discount)
            }
            Command::LapseOrders(body) => {
                let which = match LapseScope::from_code(body.scope) {
                    Some(LapseScope::NotPersistent) => "not-persistent",
                    _ => "all",
                };
                let own = control(body.valid_until, body.reason);
                format!("lapse {} {which}{own}", market(body.market))
            }
            Command::PlaceOrders(body, orders) => {
                let orders: Vec<String> = orders.iter().map(|order| order_words(&order)).collect();
                let (version, own) = (self.version(body.market_version), own(body.valid_until));
                let (market, orders) = (market(body.market), orders.join(" + "));
                format!("order {key} {customer} {market} {orders}{version}{own}")
            }
            Command::CancelOrders(body, orders) => {
                let one = |entry: CancelEntry| match entry.by {
                    Minor(0) => self.order(entry.order.raw()),
                    by => format!("{}:{}", self.order(entry.order.raw()), amount(by)),
                };
                let orders: Vec<String> = orders.iter().map(one).collect();
                let which = if orders.is_empty() { "all".to_owned() } else { orders.join(" ") };
                let own = own(body.valid_until);
                format!("cancel-orders {key} {customer} {} {which}{own}", market(body.market))
            }
            Command::ReplaceOrders(body, orders) => {
                let one = |entry: ReplaceEntry| {
                    format!("{}:{}", self.order(entry.order.raw()), odds(entry.limit_e4))
                };
                let orders: Vec<String> = orders.iter().map(one).collect();
                let (version, own) = (self.version(body.market_version), own(body.valid_until));
                let (market, orders) = (market(body.market), orders.join(" "));
                format!("replace-orders {key} {customer} {market} {orders}{version}{own}")
            }
            Command::UpdateOrders(body, orders) => {
                let one = |entry: UpdateEntry| {
                    let to = match Persistence::from_code(entry.persistence) {
                        Some(Persistence::Persist) => "persist",
                        Some(Persistence::MarketOnClose) => "at-start",
                        Some(Persistence::Lapse) | None => "lapse",
                    };
                    format!("{}:{to}", self.order(entry.order.raw()))
                };
                let orders: Vec<String> = orders.iter().map(one).collect();
                let own = own(body.valid_until);
                let (market, orders) = (market(body.market), orders.join(" "));
                format!("update-orders {key} {customer} {market} {orders}{own}")
            }
            Command::ConfirmHold(body) => {
                let (bet, own) = (self.bet(body.bet.raw()), control(body.valid_until, body.reason));
                let reference = body.reference;
                format!("confirm {bet} {} reference {reference}{own}", amount(body.amount))
            }
            Command::ReleaseHold(body) => {
                let bet = self.bet(body.bet.raw());
                format!("release-hold {bet}{}", control(body.valid_until, body.reason))
            }
            Command::FeedRecovering(body) => {
                let own = control(at, body.reason);
                let of = (body.feed_seq, body.request, body.schema);
                format!("recovering {}{}{moved}{own}", feed(body.feed), of_message(of))
            }
            Command::Adjust(body) => {
                let account = label('A', body.account.raw());
                let words = amount(body.amount);
                format!("adjust {account} {words}{}", control(body.valid_until, body.reason))
            }
            Command::GrantBonus(body) => {
                let account = label('A', body.account.raw());
                format!(
                    "grant {account} {}{}",
                    amount(body.amount),
                    control(body.valid_until, body.reason)
                )
            }
        })
    }
}

fn policy(policy: u8, slippage: u16) -> String {
    match PricePolicy::from_code(policy) {
        Some(PricePolicy::Better) => " better".to_owned(),
        Some(PricePolicy::Any) => " any".to_owned(),
        Some(PricePolicy::Within) => format!(" within {slippage}bp"),
        Some(PricePolicy::Exact) | None => String::new(),
    }
}

/// A set of rules, as far as the language has words for it.
fn rules(set: &Ruleset) -> Option<String> {
    let mut line = format!("rules {}", set.name.text().ok()?);
    let rounding = match rounding_mode(set.rounding)? {
        RoundingMode::Down => "down",
        RoundingMode::Up => "up",
        RoundingMode::HalfUp => "half-up",
        RoundingMode::HalfEven => "half-even",
    };
    let _ = write!(line, " rounding {rounding} certainty {}", set.certainty);
    for (is, word) in [
        (set.rounding_place == RoundingPlace::Line as u8, " by-line"),
        (set.payout_cap == PayoutCap::Pay as u8, " pay-the-cap"),
        (set.lucky != [[0; 2]; 3], " lucky betfred"),
    ] {
        line.push_str(if is { word } else { "" });
    }
    let offers = set.price_failure == PriceFailure::Offer as u8;
    let _ = write!(line, " on-failure {}", if offers { "offer" } else { "refuse" });
    let _ = write!(line, " lines {} legs {}", set.lines_max, set.legs_max);
    let _ = write!(line, " refer {}% refer-ttl {}", set.refer_percent, set.refer_ttl);
    let _ = write!(line, " ttl {} cash-out-age {}", set.offer_ttl, set.cash_out_age);
    let bind = if set.hold_bind == HoldBind::AtPlace as u8 { "place" } else { "confirm" };
    let _ = write!(line, " hold {bind} hold-ttl {}", set.hold_ttl);
    let terms = |[places, num, den]: [u8; 3]| match places {
        0 => "-".to_owned(),
        _ => format!("{places}@{num}/{den}"),
    };
    let bands = set.places.iter().filter(|row| row.from != 0);
    let bands: Vec<String> = bands
        .map(|row| format!("{}:{}|{}", row.from, terms(row.plain), terms(row.handicap)))
        .collect();
    let bands = if bands.is_empty() { "none".to_owned() } else { bands.join(",") };
    let _ = write!(line, " places {bands}");
    if set.cash_out_margin != 0 {
        let (whole, part) = (set.cash_out_margin / 10_000, set.cash_out_margin % 10_000);
        let _ = write!(line, " margin {whole}.{part:04}%");
    }
    Some(line)
}

/// The outcome of a selection, in a word where there is one.
fn outcome(entry: &ResultEntry) -> String {
    let deduction = match entry.rule4 {
        0 => String::new(),
        pence => format!("-{pence}p"),
    };
    let share = |[num, den]: [u16; 2]| format!("{num}/{den}");
    match entry.form() {
        ResultForm::Win => format!("win{deduction}"),
        ResultForm::Lose => "lose".to_owned(),
        ResultForm::Void => "void".to_owned(),
        ResultForm::Position => format!("{}st={}", entry.win[0], entry.win[1]),
        ResultForm::Shares => match (entry.void, entry.win, entry.place) {
            ([1, 2], [1, 1], _) => format!("half-won{deduction}"),
            ([1, 2], [0, 1], _) => "half-lost".to_owned(),
            (_, [0, 1], [1, 1]) => format!("placed{deduction}"),
            (_, [0, 1], place) if place[0] != 0 => format!("placed:{}{deduction}", share(place)),
            (_, win, _) => format!("{}{deduction}", share(win)),
        },
    }
}

/// What a message of a feed says beside what it is.
fn of_message((feed_seq, request, schema): (u64, u64, u32)) -> String {
    let mut words = format!(" seq {feed_seq}");
    for (word, number) in [("request", request), ("schema", schema.into())] {
        if number != 0 {
            let _ = write!(words, " {word} {number}");
        }
    }
    words
}

fn tier(body: &SetTier) -> String {
    let mut line = format!("tier {}", body.tier);
    for (word, span) in
        [("age", body.age_bound), ("cash-out-age", body.cash_out_age), ("dwell", body.drift_dwell)]
    {
        if span != Nanos::ZERO {
            let _ = write!(line, " {word} {span}");
        }
    }
    for (word, band) in [("drift", body.drift_band), ("band", body.price_band)] {
        if band != 0 {
            let _ = write!(line, " {word} {}.{:04}%", band / 10_000, band % 10_000);
        }
    }
    let SetTier { band, ticks, steps, .. } = body;
    let _ = match LiabilityAct::from_code(body.act) {
        Some(LiabilityAct::Step) => {
            write!(line, " liability step {band}% {ticks} ticks {steps} steps")
        }
        Some(LiabilityAct::Suspend) => write!(line, " liability suspend {band}%"),
        Some(LiabilityAct::No) | None => Ok(()),
    };
    line
}

fn own_limit(kind: u8, period: u8, most: Minor) -> String {
    let kind = LimitKind::from_code(kind).map_or_else(String::new, |kind| kind.to_string());
    let period = Period::from_code(period).map_or_else(String::new, |period| period.to_string());
    let most = if most.0 == 0 { "none".to_owned() } else { amount(most) };
    format!("{} {} {most}", kind.to_lowercase(), period.to_lowercase())
}

/// Odds in ten-thousandths, whatever they are.
fn odds(e4: u32) -> String {
    let none = e4 == 0;
    if none { "0".to_owned() } else { price(WirePrice { e4, num: 0, den: 0 }) }
}

/// An order to be, behind its selection's number.
fn order_words(order: &OrderEntry) -> String {
    let side = if order.side == Side::Lay as u8 { "lay" } else { "back" };
    let mut words = format!("{side} {} {}", order.selection.0 + 1, amount(order.size));
    if order.kind != OrderKind::MarketOnClose as u8 {
        words += &format!(" {}", odds(order.limit_e4));
    }
    if order.kind == OrderKind::LimitOnClose as u8 {
        words += " on-close";
    }
    words += match Persistence::from_code(order.persistence) {
        Some(Persistence::Persist) => " persist",
        Some(Persistence::MarketOnClose) => " at-start",
        Some(Persistence::Lapse) | None => "",
    };
    words += match SizeTarget::from_code(order.target) {
        Some(SizeTarget::Payout) => " payout",
        Some(SizeTarget::BackersProfit) => " profit",
        Some(SizeTarget::Stake) | None => "",
    };
    if order.flags & OrderEntry::FILL_OR_KILL != 0 {
        words += " kill";
    }
    if order.flags & OrderEntry::REFUSE_IMPROVEMENT != 0 {
        words += " not-better";
    }
    if order.min_fill.0 != 0 {
        words += &format!(" least {}", amount(order.min_fill));
    }
    words += match SelfMatch::from_code(order.self_match) {
        Some(SelfMatch::CancelMaker) => " self cancel-maker",
        Some(SelfMatch::CancelBoth) => " self cancel-both",
        Some(SelfMatch::Allow) => " self allow",
        Some(SelfMatch::RefuseTaker) | None => "",
    };
    if order.reference != 0 {
        words += &format!(" reference {}", order.reference);
    }
    words
}

fn until(at: Timestamp) -> String {
    if at == Timestamp::MAX { "forever".to_owned() } else { format!("until @{}", span(at)) }
}

fn limits(limits: Limits) -> String {
    format!(
        " min {} max {} payout {} liability {} customer {} selection {} event {}",
        amount(limits.min_stake),
        amount(limits.max_stake),
        amount(limits.max_payout),
        amount(limits.max_liability),
        amount(limits.max_customer),
        amount(limits.max_selection),
        amount(limits.max_event)
    )
}

/// A moment since the script's start, which may lie before it.
fn span(at: Timestamp) -> String {
    match at.since(Timestamp(START)) {
        Nanos(before) if before < 0 => format!("0s-{}", Nanos(-before)),
        since => since.to_string(),
    }
}

/// How a script of something that broke ends.
pub(crate) fn epilogue(seed: u64, what: &str) -> String {
    let mut text = format!("# seed {seed:#x}\n");
    for line in what.lines() {
        let _ = writeln!(text, "# {line}");
    }
    text + "# `betring script` runs this under the house's own rules, and knows no invariant of yours.\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auditor::{Auditor, OwnRules};
    use crate::sim::inputs_of;
    use betring_core::{BetFacts, Rules, Ruling};

    /// No bets of 5.00 and more.
    #[derive(Clone)]
    struct OnlySmallStakes;

    impl Rules for OnlySmallStakes {
        const ID: u64 = 1;
        const VERSION: u32 = 1;

        fn stake(&self, bet: &BetFacts) -> Ruling {
            if 500 <= bet.stake.minor() { Ruling::Refuse(5) } else { Ruling::Pass }
        }
    }

    #[test]
    fn a_failure_is_the_same_when_only_its_figures_differ() {
        let place = |figures: &str, said: &str| {
            format!(
                "Place of 0x1{figures} under 7: {figures} was answered {said}, and the rules say done"
            )
        };
        assert_eq!(class_of(&place("2", "Policy 5")), class_of(&place("3", "Policy 6")));
        assert_ne!(class_of(&place("2", "Policy 5")), class_of(&place("2", "StalePrice 3s old")));
        assert_ne!(class_of("\"no stake\" does not hold"), class_of("\"no bet\" does not hold"));
    }

    #[test]
    fn what_breaks_a_rule_becomes_a_short_script_that_breaks_it_too() {
        // The house takes any stake, and is held against rules that do not.
        let machine = |seed| {
            Machine::new(seed).audited_by(Auditor::new().with_rules(OwnRules::of(OnlySmallStakes)))
        };
        let broken = (0..100).find_map(|seed| {
            let inputs = inputs_of(seed, 600);
            let (step, what) = replay(machine(seed), &inputs).err()?;
            Some(Failure { seed, step, what, inputs, whole: false, wallets: false })
        });
        let failure = broken.expect("somebody stakes more than 5.00");
        let seed = failure.seed;
        let short = shorten_by(&failure, REPLAYS_MAX, |inputs| replay(machine(seed), inputs));
        assert!(short.inputs.len() < 40, "{} inputs are left: {short}", short.inputs.len());

        let script = script_by(&short, machine(seed));
        let places = script.lines().filter(|line| line.contains("place ")).count();
        assert_eq!(places, 1, "{script}");
        let broken = betring_core::script::run(&script).expect_err("the house has no such rule");
        assert!(broken.to_string().contains("Policy 5"), "{broken}\n\n{script}");
    }
}
