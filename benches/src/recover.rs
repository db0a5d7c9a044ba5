//! How long until an engine serves again: opening a journal with and without a snapshot, and how much memory that takes?
//!
//! The journal is written by the logic and the journal's writer, as an engine would write it: 40 markets that are priced,
//! bet on, settled and archived again and again, beside as many whose bets stay open. Two snapshots are made offline on
//! the way, the newer when 95 in 100 are written. Every opening is to run in a process of its own, so that its peak of
//! memory is its own.

use crate::error::Error;
use crate::warm::{WIDE, genesis};
use betring::journal::{DirStore, EpochInfo, Journal, Options, RecordMeta, Writer, record_bytes};
use betring::logic::command::{self, PricePolicy, ResultEntry, build, decode};
use betring::logic::event::Events;
use betring::logic::wire::{self, Header};
use betring::logic::{Admission, LOGIC_VERSION};
use betring::{
    AccountId, ActorId, AnswerKind, Capacities, Config, Cores, Currency, Engine, Epoch, FeedId,
    HouseRules, Layout, MarketId, Minor, Nanos, Price, PriceEntry, RequestKey, Rules, SCHEMA_HASH,
    SelectionIndex, SelectionOutcome, Slot, Stage, Stamp, State, Timestamp, WirePrice,
};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

const ACCOUNTS: u64 = 10_000;
const MARKETS: usize = 40;
const BETS_A_MARKET: u64 = 5_000;
/// Journal time between two commands: 100,000 a second.
const EVERY: Nanos = Nanos(10_000);
const WINDOW: Nanos = Nanos::from_secs(1);
const VALID: Nanos = Nanos::from_millis(500);
/// Records of a frame: what comes in during a sync at a million a second on a slow disk.
const A_FRAME: u64 = 4_096;

/// The most bets that may stay open.
pub const OPEN_MAX: u64 = 10_000_000;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Commands of the journal, those of the open bets included.
    pub commands: u64,
    /// Bets that are open at its end, up to [`OPEN_MAX`]; they take [`Plan::least_commands`].
    pub open_bets: u64,
}

impl Plan {
    /// How many commands a journal has at least in which so many bets stay open: accounts and markets are commands, too.
    pub fn least_commands(open_bets: u64) -> u64 {
        open_bets + (open_bets / 2).min(25_000) + 2_000
    }
}

/// The journal that was written.
#[derive(Clone, Debug)]
pub struct Journaled {
    /// Its last sequence.
    pub seq: u64,
    /// Bytes of its records.
    pub bytes: u64,
    /// Bets of all its time.
    pub bets: u64,
    /// Bets that are open at its end in the markets whose bets stay.
    pub standing: u64,
    /// Keys that are live at its end.
    pub keys: u64,
    /// The digest of the state at its end.
    pub digest: String,
    /// How long it took to write.
    pub took: Duration,
    /// Its snapshots, the newer one last, a sentence each.
    pub snapshots: Vec<String>,
}

/// What one opening took.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// Until the engine served.
    pub took: Duration,
    /// Of it, until every byte was checked.
    pub checked: Duration,
    /// What the process had of the processor, in seconds.
    pub processor_s: f64,
    /// Records that were decided again.
    pub replayed: u64,
    /// How many of those in a second; 0 where they were too few to say.
    pub replayed_per_s: f64,
    /// The most memory of the process before it opened, and in all, in MiB.
    pub peak_mib: (u64, u64),
    /// Of the state that was come to.
    pub digest: String,
}

impl fmt::Display for Opened {
    /// One line of words, which [`Opened::from_str`] reads: a process tells it to the one that started it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (took, checked) = (self.took.as_nanos(), self.checked.as_nanos());
        let (before, peak) = self.peak_mib;
        write!(
            f,
            "opened {took} {checked} {} {} {} {before} {peak} {}",
            self.processor_s, self.replayed, self.replayed_per_s, self.digest
        )
    }
}

impl FromStr for Opened {
    type Err = String;

    fn from_str(text: &str) -> Result<Opened, String> {
        let read = || {
            let mut words = text.trim().strip_prefix("opened ")?.split(' ');
            let span = |word: Option<&str>| Some(Duration::from_nanos(word?.parse().ok()?));
            Some(Opened {
                took: span(words.next())?,
                checked: span(words.next())?,
                processor_s: words.next()?.parse().ok()?,
                replayed: words.next()?.parse().ok()?,
                replayed_per_s: words.next()?.parse().ok()?,
                peak_mib: (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
                digest: words.next()?.to_owned(),
            })
        };
        read().ok_or_else(|| format!("this does not tell of an opening: {text}"))
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// The journal.
    pub journaled: Journaled,
    /// How it was opened: with the newest snapshot, with the older one, without one.
    pub opened: Vec<(&'static str, Opened)>,
}

/// Writes a journal in a directory that is made, and has it opened three times by `open`, which has to be [`open`] in a
/// process of its own. `tell` gets what is done next.
///
/// # Errors
/// [`Error::Wrong`] if an opening comes to another state, and those of the engine and its files.
pub fn run(
    dir: &Path,
    plan: &Plan,
    open: &mut dyn FnMut(&Path) -> Result<Opened, Error>,
    tell: &mut dyn FnMut(&str),
) -> Result<Run, Error> {
    let book = dir.join("book");
    tell("the journal is written");
    let began = Instant::now();
    let mut desk = Desk::new(&book, plan)?;
    let mut snapshots = Vec::new();
    for at in [plan.commands / 2, plan.commands / 100 * 95] {
        desk.go_on_until(at)?;
        desk.close()?;
        snapshots.push(betring::snapshot(&book, false, &mut |_| {})?);
        desk.open(&book, plan)?;
    }
    desk.go_on_until(plan.commands)?;
    desk.close()?;
    let (seq, digest) = (desk.state.seq(), desk.state.digest());
    desk.state.check().map_err(Error::Wrong)?;
    let stands = |bet: &betring::BetView| {
        bet.state == betring::BetState::Open && desk.standing.contains(&bet.market)
    };
    let standing = desk.state.bets().filter(stands).count() as u64;
    Error::unless(standing == plan.open_bets, || {
        format!("{standing} bets stay open, and {} were placed to", plan.open_bets)
    })?;
    let journaled = Journaled {
        standing,
        seq: seq.0,
        bytes: desk.bytes,
        bets: desk.bets,
        keys: u64::from(desk.state.keys_kept()),
        digest: digest.to_string(),
        took: began.elapsed(),
        snapshots: snapshots.iter().map(ToString::to_string).collect(),
    };
    drop(desk);

    // An opening begins a run, in a segment of its own, and says so in the witness: without either it was never opened.
    let segment = book.join(format!("seg-{:020}.jnl", seq.0 + 1));
    let witness = book.join("WITNESS");
    let before = std::fs::read(&witness).map_err(wrong("cannot read the witness", &witness))?;
    let mut opened = Vec::new();
    let lost = [None, snapshots.get(1), snapshots.first()];
    let how = ["with the newest snapshot", "with the older one, at half", "without a snapshot"];
    for (how, lost) in how.into_iter().zip(lost) {
        if let Some(snapshot) = lost {
            let name = betring::journal::snapshot_name(snapshot.seq.0);
            let path = book.join(&name);
            let moved = std::fs::rename(&path, dir.join(&name));
            moved.map_err(wrong("cannot move a snapshot away", &path))?;
        }
        tell(&format!("it is opened {how}"));
        let told = open(&book)?;
        Error::unless(told.digest == journaled.digest, || {
            format!("opened {how}, the state is {}, not {}", told.digest, journaled.digest)
        })?;
        opened.push((how, told));
        std::fs::remove_file(&segment).map_err(wrong("cannot remove a segment", &segment))?;
        std::fs::write(&witness, &before).map_err(wrong("cannot write the witness", &witness))?;
    }
    Ok(Run { journaled, opened })
}

fn wrong(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::File { what, path: path.to_owned(), source }
}

/// Opens the journal that was written by this plan, in this process.
///
/// # Errors
/// [`Error::Wrong`] if a snapshot was passed over, and those of opening an engine.
pub fn open(book: &Path, plan: &Plan) -> Result<Opened, Error> {
    let before = peak();
    let began = Instant::now();
    let config = Config::at(book)
        .layout(Layout::Inline)
        .cores(Cores::Unpinned)
        .capacities(capacities(plan))
        .clients(1, 64)
        .control_ring(256)
        .bet_ring(256)
        .segments_ahead(0)
        .snapshot_at_stop(0);
    let mut checked = began.elapsed();
    // The first and the last report of the replay: records, and when.
    let mut replay: Option<[(u64, Duration); 2]> = None;
    let engine = Engine::open_with(config, HouseRules, &mut |progress| match progress.stage {
        Stage::Checking => checked = began.elapsed(),
        Stage::Replaying => {
            let now = (progress.records, began.elapsed());
            replay = Some([replay.map_or(now, |[first, _]| first), now]);
        }
    })?;
    let took = began.elapsed();
    let recovered = engine.recovered();
    let replayed_per_s = match replay {
        Some([first, last]) if first.0 < last.0 => {
            (last.0 - first.0) as f64 / (last.1 - first.1).as_secs_f64()
        }
        _ => 0.0,
    };
    Error::unless(recovered.passed_over.is_empty(), || recovered.to_string())?;
    Ok(Opened {
        took,
        checked,
        processor_s: processor(),
        replayed: recovered.replayed,
        replayed_per_s,
        peak_mib: (before, peak()),
        digest: recovered.digest.to_string(),
    })
}

/// What this process had of the processor, in seconds: utime and stime of proc_pid_stat(5), in
/// hundredths. On a busy machine it says more than the clock.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, field 2, may hold spaces; it ends with the last parenthesis.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(14 - 3).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory that this process ever had, in MiB: VmHWM of proc_pid_status(5).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn capacities(plan: &Plan) -> Capacities {
    // Of those that do not stay, two hundred thousand are there at a time; open ones are ten million at most: see `Plan`.
    let size = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let bets = size(plan.commands.clamp(1 << 12, 1 << 19)) + size(plan.open_bets.min(OPEN_MAX));
    Capacities {
        accounts: 16_384,
        markets: 128,
        selections: 512,
        bets,
        keys: 1 << 18,
        feeds: 1,
        fixtures: 1,
        actors: 4,
        currencies: 1,
        quarantined: 1,
        legs: bets,
        groups: 1,
        limited: 1,
        orders: 1,
        positions: 1,
        stands: 1,
        levels: 1,
    }
}

/// Whoever writes the journal: all of the crowd in one.
struct Desk {
    state: State<HouseRules>,
    events: Events,
    writer: Option<Writer<DirStore>>,
    at: Timestamp,
    actor: ActorId,
    accounts: Vec<AccountId>,
    /// Each with how many bets it has had, and the number in its name.
    markets: Vec<(MarketId, u64)>,
    named: u64,
    requests: u128,
    dice: u64,
    bets: u64,
    bytes: u64,
    /// Markets whose bets stay, and how many are still to be placed there.
    standing: Vec<MarketId>,
    to_stand: u64,
}

impl Desk {
    fn new(book: &Path, plan: &Plan) -> Result<Desk, Error> {
        let mut desk = Desk {
            state: State::new(HouseRules),
            events: Events::new(),
            writer: None,
            at: Timestamp(1_760_000_000_000_000_000),
            actor: ActorId(0),
            accounts: Vec::new(),
            markets: Vec::new(),
            named: 0,
            requests: 0,
            dice: 1,
            bets: 0,
            bytes: 0,
            standing: Vec::new(),
            to_stand: plan.open_bets,
        };
        desk.open(book, plan)?;
        let body = command::RegisterActor { valid_until: desk.limit(), ..Default::default() };
        let header = Header { key: desk.key(), ..Header::default() };
        let slots = build::register_actor(header, body, "bench")?;
        desk.actor = ActorId(desk.sequence(&slots)?);
        for reference in 1..=ACCOUNTS.min(plan.commands / 10).max(1) {
            let body = command::OpenAccount {
                valid_until: desk.limit(),
                reference,
                currency: Currency::GBP.numeric(),
                ..Default::default()
            };
            let header = Header { key: desk.key(), ..Header::default() };
            let account = AccountId::from_raw(desk.sequence(&[wire::slot(header, &body)])?);
            let amount = Minor(100_000_000_000);
            let body = command::Deposit { valid_until: desk.limit(), amount, ..Default::default() };
            let header = Header::customer(account, desk.key());
            desk.sequence(&[wire::slot(header, &body)])?;
            desk.accounts.push(account);
        }
        for _ in 0..MARKETS {
            let market = desk.market()?;
            desk.markets.push((market, 0));
            if 0 < desk.to_stand {
                let market = desk.market()?;
                desk.standing.push(market);
            }
        }
        Ok(desk)
    }

    /// A run begins.
    fn open(&mut self, book: &Path, plan: &Plan) -> Result<(), Error> {
        let store = DirStore::create(book)?;
        // Everything written is checked by those who are measured, not here.
        let opened =
            Journal::open_from(store, Options::default(), SCHEMA_HASH, &mut |_| {}, &mut |_, _| {
                Ok(())
            });
        let opened = opened?;
        let epoch = opened.next_epoch();
        let info = EpochInfo {
            epoch,
            logic_version: LOGIC_VERSION,
            rules_id: HouseRules::ID,
            rules_version: HouseRules::VERSION,
        };
        self.writer = Some(opened.begin_epoch(info)?);
        if epoch == 1 {
            let genesis = genesis(WINDOW, WIDE);
            self.sequence(&wire::slots(Header::default(), &genesis, &[]))?;
        }
        let opened = command::EpochOpened {
            epoch: Epoch(epoch),
            logic_version: LOGIC_VERSION,
            rules_id: HouseRules::ID,
            rules_version: HouseRules::VERSION,
            kept_seq: self.state.seq(),
            capacities: capacities(plan),
            ..Default::default()
        };
        self.sequence(&wire::slots(Header::default(), &opened, &[]))?;
        let markets: Vec<MarketId> = self.markets.iter().map(|(market, _)| *market).collect();
        for market in markets.into_iter().chain(self.standing.clone()) {
            self.open_market(market)?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        if let Some(writer) = self.writer.take() {
            writer.close()?;
        }
        Ok(())
    }

    fn key(&mut self) -> RequestKey {
        self.requests += 1;
        RequestKey(self.requests)
    }

    fn limit(&self) -> Timestamp {
        self.at.plus(VALID)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(self.dice) * u128::from(bound)) >> 64) as u64
    }

    /// A trader's header.
    fn trader(&mut self) -> Header {
        let key = self.key();
        Header { received: self.at, ..Header::control(self.actor, key) }
    }

    /// A new market, priced and open.
    fn market(&mut self) -> Result<MarketId, Error> {
        self.named += 1;
        let body = command::DefineMarket {
            valid_until: self.limit(),
            feed: FeedId::MANUAL,
            winners: 1,
            kind: command::MarketKind::Fixed as u8,
            ..Default::default()
        };
        let (header, name) = (self.trader(), format!("M{}", self.named));
        let slots = build::define_market(header, body, &name, &["home", "draw", "away"]);
        let market = MarketId::from_raw(self.sequence(&slots?)?);
        self.price(market)?;
        self.open_market(market)?;
        Ok(market)
    }

    fn open_market(&mut self, market: MarketId) -> Result<(), Error> {
        let body = command::OpenMarket { valid_until: self.limit(), market, ..Default::default() };
        let header = self.trader();
        self.sequence(&[wire::slot(header, &body)]).map(drop)
    }

    fn price(&mut self, market: MarketId) -> Result<(), Error> {
        let body = command::SetPrices { valid_until: self.limit(), market, ..Default::default() };
        let price = 20_000 + 100 * self.below(50) as u32;
        let entry = |selection| {
            let price = Price::from_e4(price + u32::from(selection) * 1_000).expect("a price");
            PriceEntry::new(SelectionIndex(selection), WirePrice::decimal(price))
        };
        let entries: Vec<PriceEntry> = (0..3).map(entry).collect();
        let header = self.trader();
        let slots = build::set_prices(header, body, &entries)?;
        self.sequence(&slots).map(drop)
    }

    fn bet(&mut self, market: MarketId) -> Result<(), Error> {
        let account = self.below(self.accounts.len() as u64) as usize;
        let body = command::Place {
            valid_until: self.limit(),
            market,
            stake: Minor(100 + self.below(1_000) as i64),
            price: WirePrice::decimal(Price::from_e4(15_000).expect("a price")),
            selection: SelectionIndex(self.below(3) as u16),
            policy: PricePolicy::Better as u8,
            ..Default::default()
        };
        let header = Header::customer(self.accounts[account], self.key());
        self.sequence(&[wire::slot(header, &body)])?;
        self.bets += 1;
        Ok(())
    }

    /// A market has had its bets: result, archive, and another one in its place.
    fn turn_over(&mut self, place: usize) -> Result<(), Error> {
        let market = self.markets[place].0;
        let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
        let body =
            command::MarketResult { valid_until: self.limit(), market, ..Default::default() };
        let header = self.trader();
        let outcomes = [win, lose, lose].into_iter().enumerate();
        let entries: Vec<ResultEntry> = outcomes
            .map(|(at, outcome)| ResultEntry::new(SelectionIndex(at as u16), outcome))
            .collect();
        let slots = build::result(header, body, &entries);
        self.sequence(&slots?)?;
        self.work()?;
        let body =
            command::ArchiveMarket { valid_until: self.limit(), market, ..Default::default() };
        let header = self.trader();
        self.sequence(&[wire::slot(header, &body)])?;
        self.work()?;
        self.markets[place] = (self.market()?, 0);
        Ok(())
    }

    /// Everything that is due, as an engine sequences it.
    fn work(&mut self) -> Result<(), Error> {
        while self.state.has_work() {
            let step = command::Step { budget: self.state.step_budget(), ..Default::default() };
            self.sequence(&[wire::slot(Header::default(), &step)])?;
        }
        Ok(())
    }

    /// Bets, and a change of prices after every tenth, until this sequence; first those that stay.
    fn go_on_until(&mut self, last: u64) -> Result<(), Error> {
        while self.state.seq().0 < last {
            let place = self.below(MARKETS as u64) as usize;
            if 0 < self.to_stand {
                self.to_stand -= 1;
                self.bet(self.standing[place])?;
            } else {
                let (market, had) = self.markets[place];
                if BETS_A_MARKET <= had {
                    self.turn_over(place)?;
                    continue;
                }
                self.bet(market)?;
                self.markets[place].1 += 1;
                if self.bets.is_multiple_of(10) {
                    self.price(market)?;
                }
            }
            self.work()?;
        }
        Ok(())
    }

    /// Sequences one command and records it; the handle that it made.
    fn sequence(&mut self, slots: &[Slot]) -> Result<u64, Error> {
        self.at = self.at.plus(EVERY);
        let bytes = slots.as_bytes();
        let (header, command) = decode(bytes)?;
        let admitted = match self.state.admit(self.at, &header, &command, bytes) {
            Admission::Sequence(admitted) => admitted,
            Admission::Answer(reply) => {
                return Err(Error::Wrong(format!(
                    "nothing is asked twice, and this was answered: {reply}"
                )));
            }
        };
        self.events.clear();
        let stamp = Stamp { seq: self.state.seq().next(), at: self.at };
        let reply = self.state.apply(stamp, &header, &command, admitted, &mut self.events);
        let kind = reply.answer.kind();
        let good = matches!(kind, AnswerKind::Done | AnswerKind::Accepted | AnswerKind::Started);
        Error::unless(good, || {
            format!("every command of this journal is good, and this was answered: {reply}")
        })?;
        let writer =
            self.writer.as_mut().ok_or_else(|| Error::Wrong("no run has begun".to_owned()))?;
        let (seq, ts) = (stamp.seq.0, stamp.at.0);
        let meta = RecordMeta { kind: u16::from(bytes[0]), ver: 1, flags: 0, seq, ts };
        let payload = [bytes, self.events.as_bytes()];
        let needed = record_bytes(payload[0].len() + payload[1].len());
        if seq.is_multiple_of(A_FRAME) || writer.room() < needed {
            writer.seal_and_sync()?;
        }
        writer.append_parts(meta, &payload)?;
        self.bytes += (bytes.len() + self.events.as_bytes().len()) as u64;
        Ok(reply.answer.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_opens_to_the_same_state_whatever_it_begins_with_and_its_open_bets_are_there() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let plan = Plan { commands: 4_000, open_bets: 1_000 };
        let mut told = 0;
        let opener = &mut |book: &Path| open(book, &plan);
        let run = run(dir.path(), &plan, opener, &mut |_| told += 1).expect("it holds");
        assert_eq!((run.opened.len(), told), (3, 4));
        let replayed: Vec<u64> = run.opened.iter().map(|(_, opened)| opened.replayed).collect();
        assert!(replayed.is_sorted() && replayed[0] < 400, "{replayed:?}");
        assert_eq!(replayed[2], run.journaled.seq, "without a snapshot all of it");
        assert_eq!(run.journaled.standing, 1_000);
        assert!(1_000 < run.journaled.bets && plan.commands <= run.journaled.seq);
        for (_, opened) in &run.opened {
            assert_eq!(opened.to_string().parse().as_ref(), Ok(opened));
        }
        assert!("closed 1 2".parse::<Opened>().is_err());
    }
}
