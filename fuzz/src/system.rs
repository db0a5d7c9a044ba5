//! What can be put before the auditor: betring without threads, betring with threads, an engine in the same
//! process, or any engine of an operator's that speaks JSON lines.

use crate::auditor::Ring;
use crate::sim::house::{Setup, split};
use crate::world::Disk;
use betring::{Client, Clock, Config, Control, Engine, Intake, Layout, WaitStrategy};
use betring_core::answer::{Answer, AnswerKind, Basis, Reply};
use betring_core::command::*;
use betring_core::event::Events;
use betring_core::id::*;
use betring_core::reject::{Malformed, Reject};
use betring_core::time::Timestamp;
use betring_core::wire::{Header, Minor, SLOT, Slot, WirePrice};
use betring_core::{Rules, Stamp, State};
use betring_journal::{ReadLevel, Reader};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use zerocopy::FromBytes;

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An engine under test: it is given commands one at a time, and answers.
pub trait UnderTest {
    /// Decides a command at a moment, which is not before the last one's. The answer is final: whatever may be
    /// lost in a crash is not said.
    ///
    /// # Errors
    /// That it did not answer.
    fn submit(&mut self, ring: Ring, at: Timestamp, command: &[u8]) -> Result<Answer, String>;

    /// Does whatever is due by now: offers end, markets settle.
    ///
    /// # Errors
    /// That it failed.
    fn catch_up(&mut self, at: Timestamp) -> Result<(), String>;

    /// The records since this was last asked, if it keeps a journal of ours: moment, command, events.
    fn events(&mut self) -> Vec<(Timestamp, Vec<u8>, Vec<u8>)> {
        Vec::new()
    }

    /// The names of those who are registered as actors when it has begun, in the order of their numbers.
    fn actors(&self) -> Vec<String> {
        Vec::new()
    }

    /// The balances of all accounts, if it says.
    ///
    /// # Errors
    /// That it failed.
    fn balances(&mut self) -> Result<Option<Vec<(AccountId, Minor)>>, String>;

    /// Stops without warning and starts again, by power cut or end of the process. False if it cannot.
    ///
    /// # Errors
    /// That it does not come back.
    fn crash(&mut self, power: bool, seed: u64, at: Timestamp) -> Result<bool, String>;
}

/// How an engine under test begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The house's terms: the window of requests, ages, offers, rounding, limits.
    pub genesis: Genesis,
    /// How much of everything there may be.
    pub capacities: Capacities,
    /// Of the night.
    pub seed: u64,
    /// The moment.
    pub at: Timestamp,
}

type Make = dyn Fn(&Start) -> Box<dyn UnderTest>;

/// Which engine is put before the auditor.
#[derive(Clone)]
pub struct System(Which);

#[derive(Clone)]
enum Which {
    Betring(Layout),
    Process { command: String, own_rules: bool },
    Custom(Arc<Make>),
}

impl System {
    /// betring without threads of its own, over a disk that lies.
    pub fn inline() -> System {
        System(Which::Betring(Layout::Inline))
    }

    /// betring with its threads and rings, over a disk that lies.
    pub fn threaded() -> System {
        System(Which::Betring(Layout::TwoThread))
    }

    /// A program that reads a JSON object a line and answers each with one. [`process_help`] says which.
    pub fn process(command: &str) -> System {
        System(Which::Process { command: command.to_owned(), own_rules: false })
    }

    /// The same, of a program that has the rules which [`crate::Night::rules`] is given written into it.
    pub fn process_with_rules(command: &str) -> System {
        System(Which::Process { command: command.to_owned(), own_rules: true })
    }

    /// An engine of anybody's in this process: begun anew for every night.
    pub fn custom(begin: impl Fn(&Start) -> Box<dyn UnderTest> + 'static) -> System {
        System(Which::Custom(Arc::new(begin)))
    }

    /// Whether it runs the rules of a night that are not the house's.
    pub(crate) fn runs_own_rules(&self) -> bool {
        !matches!(self.0, Which::Process { own_rules: false, .. })
    }

    /// Whether it is ours.
    pub(crate) fn is_betring(&self) -> bool {
        matches!(self.0, Which::Betring(_))
    }

    pub(crate) fn start<R: Rules>(
        &self,
        rules: &R,
        setup: &Setup,
        seed: u64,
        at: Timestamp,
    ) -> Result<Box<dyn UnderTest>, String> {
        Ok(match &self.0 {
            Which::Betring(layout) => {
                Box::new(Betring::start(rules.clone(), *layout, setup, seed, at)?)
            }
            Which::Process { command, .. } => Box::new(Foreign::start(command, setup, at)?),
            Which::Custom(begin) => {
                let Setup { genesis, capacities, .. } = *setup;
                begin(&Start { genesis, capacities, seed, at })
            }
        })
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Which::Betring(layout) => write!(f, "betring, {layout:?}"),
            Which::Process { command, .. } => write!(f, "the process `{command}`"),
            Which::Custom(_) => f.write_str("an engine in this process"),
        }
    }
}

// ---- betring ----

/// Of so many records one is a place to compare whole states.
const DIGEST_EVERY: u64 = 8;
/// Whose handle publishes what traders and feeds say.
const TRADER: &str = "anna";

/// The engine, as whoever embeds it has it.
struct Betring<R: Rules> {
    rules: R,
    layout: Layout,
    setup: Setup,
    disk: Disk,
    clock: Clock,
    open: Option<(Client, Control, Engine)>,
    /// What the journal says, as far as it was read, and the state that it makes.
    history: Vec<(Timestamp, Vec<u8>, Vec<u8>)>,
    state: State<R>,
    /// Where in the journal that is.
    reader: Option<Reader<Disk>>,
    /// Records that were told of.
    told: usize,
}

impl<R: Rules> Betring<R> {
    fn start(
        rules: R,
        layout: Layout,
        setup: &Setup,
        seed: u64,
        at: Timestamp,
    ) -> Result<Betring<R>, String> {
        let mut betring = Betring {
            layout,
            setup: setup.clone(),
            disk: Disk::new(seed),
            clock: Clock::manual(at),
            open: None,
            history: Vec::new(),
            state: State::new(rules.clone()),
            reader: None,
            told: 0,
            rules,
        };
        betring.open()?;
        Ok(betring)
    }

    fn open(&mut self) -> Result<(), String> {
        let genesis = self.setup.genesis;
        let offers = genesis.price_failure == PriceFailure::Offer as u8;
        let config = Config::at("nowhere")
            .layout(self.layout)
            .wait(WaitStrategy::Park)
            .intake(Intake::open())
            .clock(self.clock.clone())
            // The handle of the traders registers itself, under a key.
            .capacities(Capacities {
                keys: self.setup.capacities.keys + 64,
                ..self.setup.capacities
            })
            .window(genesis.window)
            .age_bound(genesis.age_bound)
            .offer_ttl(genesis.offer_ttl)
            .price_failure(if offers { PriceFailure::Offer } else { PriceFailure::Refuse })
            .rounding(rounding_mode(genesis.rounding).unwrap_or_default())
            .step_budget(genesis.step_budget)
            .limits(genesis.limits)
            .secret(genesis.secret)
            .control_ring(256)
            .bet_ring(256)
            .clients(4, 64)
            .segment_bytes(1 << 20)
            .segments_ahead(0)
            .events(64);
        let (disk, rules) = (self.disk.clone(), self.rules.clone());
        let engine =
            Engine::open_on(disk, config, rules, &mut |_| {}).map_err(|e| e.to_string())?;
        let client = engine.client(8).map_err(|e| e.to_string())?;
        let control = engine.control(TRADER).map_err(|e| e.to_string())?;
        self.open = Some((client, control, engine));
        Ok(())
    }

    /// Reads what the journal has got since the last time, and decides it again.
    fn read_on(&mut self) -> Result<(), String> {
        let wrong = |e: betring_journal::Error| format!("the journal cannot be read: {e}");
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => {
                let from = self.state.seq().0 + 1;
                let opened = Reader::open(self.disk.aside(), from, ReadLevel::Complete);
                none.insert(opened.map_err(wrong)?)
            }
        };
        let mut events = Events::new();
        while let Some(record) = reader.next().map_err(wrong)? {
            let seq = Seq(record.meta.seq);
            let Some((command, found)) = split(record.payload) else {
                return Err(format!("{seq} holds no command"));
            };
            let at = Timestamp(record.meta.ts);
            let stamp = Stamp { seq, at };
            self.state.replay(stamp, command, &mut events).map_err(|e| e.to_string())?;
            let record = (at, command.to_vec(), found.to_vec());
            match self.history.get(seq.0 as usize - 1) {
                // Read before a crash.
                Some(before) if *before == record => (),
                Some(_) => return Err(format!("{seq} is not what it was before the crash")),
                None => self.history.push(record),
            }
        }
        Ok(())
    }
}

fn slots_of(bytes: &[u8]) -> Vec<Slot> {
    bytes.chunks_exact(SLOT).filter_map(|chunk| Slot::read_from_bytes(chunk).ok()).collect()
}

impl<R: Rules> UnderTest for Betring<R> {
    fn submit(&mut self, ring: Ring, at: Timestamp, command: &[u8]) -> Result<Answer, String> {
        self.clock.set(at);
        let Some((client, control, engine)) = &mut self.open else {
            return Err("the engine is closed".to_owned());
        };
        let slots = slots_of(command);
        let refused = |why: betring::NotTaken| match why {
            betring::NotTaken::Malformed(what) => Ok(Answer::malformed(what)),
            other => Err(format!("not taken: {other}")),
        };
        if ring == Ring::Control {
            return match control.try_submit(&slots) {
                Ok(ticket) => {
                    let reply = control.wait(ticket, PATIENCE);
                    reply.map(|reply| reply.answer).map_err(|e| e.to_string())
                }
                Err(why) => refused(why),
            };
        }
        // A command that says it is shorter would be several of a batch, and the rest be answered next time.
        if slots.first().is_some_and(|slot| slot.slots() < slots.len()) {
            return Ok(Answer::malformed(Malformed::Slots));
        }
        if let Some(why) = client.submit_batch(&slots).refused {
            return refused(why);
        }
        let until = Instant::now() + PATIENCE;
        let mut replies = [Reply::default()];
        while client.poll(&mut replies) == 0 {
            if until < Instant::now() {
                return Err(format!("no reply within {PATIENCE:?}"));
            }
            match self.layout {
                Layout::Inline => engine.run_until_idle().map(|_| ()).map_err(|e| e.to_string())?,
                _ => std::thread::yield_now(),
            }
        }
        Ok(replies[0].answer)
    }

    fn catch_up(&mut self, at: Timestamp) -> Result<(), String> {
        self.clock.set(at);
        let until = Instant::now() + PATIENCE;
        loop {
            if let (Layout::Inline, Some((.., engine))) = (self.layout, &self.open) {
                engine.run_until_idle().map_err(|e| e.to_string())?;
            }
            self.read_on()?;
            let Some((.., engine)) = &self.open else { return Ok(()) };
            let due = self.state.next_due().is_some_and(|due| due <= at);
            if !self.state.has_work() && !due && self.state.seq() <= engine.durable_seq() {
                break;
            }
            if until < Instant::now() {
                return Err(format!("there is still work after {PATIENCE:?}"));
            }
            // The question wakes a loop that waits for something to do.
            engine.digests().map_err(|e| e.to_string())?;
        }
        self.state.check()
    }

    fn actors(&self) -> Vec<String> {
        vec![TRADER.to_owned()]
    }

    fn events(&mut self) -> Vec<(Timestamp, Vec<u8>, Vec<u8>)> {
        let new = self.history.get(self.told..).unwrap_or_default().to_vec();
        self.told = self.history.len();
        new
    }

    fn balances(&mut self) -> Result<Option<Vec<(AccountId, Minor)>>, String> {
        // What the journal's transfers made of every account; the engine has no view over simulated files.
        let Some((.., engine)) = &self.open else { return Ok(None) };
        let balances = self.state.accounts().map(|account| (account.id, account.balance)).collect();
        if !self.state.seq().0.is_multiple_of(DIGEST_EVERY) {
            return Ok(Some(balances));
        }
        let (seq, digest, _) = engine.digests().map_err(|e| e.to_string())?;
        let (expected, of_records) = (self.state.seq(), self.state.digest());
        if (seq, digest) != (expected, of_records) {
            return Err(format!(
                "the engine is at {seq} with digest {digest}, its records make {expected} with {of_records}"
            ));
        }
        Ok(Some(balances))
    }

    fn crash(&mut self, power: bool, seed: u64, _: Timestamp) -> Result<bool, String> {
        self.disk.die();
        self.open = None;
        self.disk = if power { self.disk.power_cut(seed) } else { self.disk.kill(seed) };
        self.open()?;
        (self.state, self.reader) = (State::new(self.rules.clone()), None);
        self.read_on()?;
        if self.state.seq().0 < self.history.len() as u64 {
            return Err(format!(
                "everything up to {} was durable, and the crash left {}",
                self.history.len(),
                self.state.seq()
            ));
        }
        Ok(true)
    }
}

// ---- any engine, as a process ----

/// What a process under test is told and has to answer, in words for its author.
pub fn process_help() -> &'static str {
    "One JSON object a line comes in, one goes out, in order. Amounts are minor units, moments nanoseconds, \
     prices ten-thousandths (2.50 is 25000).\n\
     A handle of an account, fixture, market or bet is generation<<32 | index, in one number: the generation is \
     1 or more, the index below 2^32, both are yours to choose, and no handle is given twice (the first account \
     may be 4294967296, the next 4294967297). An actor or a feed is its number, counted from 1.\n\
     {\"do\":\"begin\",\"at\":…,\"window\":…,\"offer_ttl\":…,\"age_bound\":…,\"on_failure\":\"Offer\",\
     \"rounding\":\"down\",\"limits\":{…},\"capacities\":{…}} -> {}\n\
     {\"do\":\"Place\",\"at\":…,\"key\":\"…\",\"account\":…,\"valid_until\":…,\"market\":…,…} -> an answer\n\
     {\"do\":\"catch_up\",\"at\":…} -> {} when every offer that is over has ended and every market is settled\n\
     {\"do\":\"balances\"} -> {\"balances\":{\"ACCOUNT\":amount,…}}\n\
     {\"do\":\"restart\",\"at\":…} -> {} (feeds recover, markets with manual prices wait), or {\"cannot\":true}\n\
     An answer: {\"answer\":\"Accepted\",\"id\":…,\"stake\":…,\"amount\":…,\"price\":…} or Offered, Done, \
     Started, NeverPlaced, or {\"answer\":\"Refused\",\"reject\":\"StalePrice\",…} with the names of the \
     glossary. A retry gets the first answer again. \"id\" is the handle of what was made or answered; \
     Accepted needs \"id\", \"stake\", \"amount\" (what it returns) and \"price\", none of them 0. A field may be \
     left out or null where it means nothing; one of another type is a failure, and so is an answer with \
     \"error\", or none within 10 seconds."
}

struct Foreign {
    child: Child,
    to: ChildStdin,
    lines: Receiver<std::io::Result<String>>,
}

impl Foreign {
    fn start(command: &str, setup: &Setup, at: Timestamp) -> Result<Foreign, String> {
        let mut words = command.split_whitespace();
        let program = words.next().ok_or("the command of the process is empty")?;
        let mut child = Process::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot start `{command}`: {e}"))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("`{command}` has no pipes"));
        };
        let (line, lines) = channel();
        // It ends with the process, or when nobody waits for its lines.
        std::thread::spawn(move || {
            BufReader::new(from).lines().try_for_each(|read| line.send(read))
        });
        let mut foreign = Foreign { child, to, lines };
        let (genesis, room) = (setup.genesis, setup.capacities);
        let offers = genesis.price_failure == PriceFailure::Offer as u8;
        let rounding = rounding_mode(genesis.rounding).unwrap_or_default();
        foreign.ask(&json!({
            "do": "begin",
            "at": at.0,
            "window": genesis.window.0,
            "offer_ttl": genesis.offer_ttl.0,
            "age_bound": genesis.age_bound.0,
            "on_failure": if offers { "Offer" } else { "Refuse" },
            "rounding": rounding.to_string(),
            "limits": limits_json(&genesis.limits),
            "capacities": {
                "accounts": room.accounts, "markets": room.markets, "selections": room.selections,
                "bets": room.bets, "keys": room.keys, "feeds": room.feeds,
                "fixtures": room.fixtures, "actors": room.actors, "currencies": room.currencies,
                "legs": room.legs,
            },
        }))?;
        Ok(foreign)
    }

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        let gone = |e: std::io::Error| format!("the process under test has gone: {e}");
        writeln!(self.to, "{question}").and_then(|()| self.to.flush()).map_err(gone)?;
        let line = match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line.map_err(gone)?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err("the process under test ended without an answer".to_owned());
            }
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("the process under test is mute: no answer in {PATIENCE:?}"));
            }
        };
        let said: Value =
            serde_json::from_str(&line).map_err(|e| format!("`{line}` is no JSON: {e}"))?;
        let Some(fields) = said.as_object() else { return Err(format!("{said} is no object")) };
        match fields.get("error") {
            Some(error) => Err(format!("the process under test says error: {error}")),
            None => Ok(said),
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended already; either way nobody waits for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn limits_json(limits: &Limits) -> Value {
    json!({
        "min_stake": limits.min_stake.0,
        "max_stake": limits.max_stake.0,
        "max_payout": limits.max_payout.0,
        "max_liability": limits.max_liability.0,
    })
}

fn price_json(price: WirePrice) -> Value {
    match price.fraction() {
        _ if price.is_none() => Value::Null,
        Some(fraction) => json!({"e4": price.e4, "fraction": fraction.to_string()}),
        None => json!(price.e4),
    }
}

/// A command as a process under test reads it. None for what it is never asked: the engine's own.
fn command_json(at: Timestamp, bytes: &[u8]) -> Option<Value> {
    let (header, command) = decode(bytes).ok()?;
    let kind = Kind::from_code(header.kind)?;
    let valid_until = bytes.get(64..72)?.try_into().ok().map(i64::from_le_bytes)?;
    let by_an_actor = matches!(kind.lane(), Lane::Control | Lane::Feed);
    let reason =
        if by_an_actor { bytes.get(80..84)?.try_into().ok().map(u32::from_le_bytes)? } else { 0 };
    let mut out = json!({
        "do": kind.name(),
        "at": at.0,
        "key": header.key.0.to_string(),
        "account": header.account,
        "valid_until": valid_until,
        // What else makes it the same request or another: who gives it a reason, a probe's mark.
        "reason": reason,
        "synthetic": header.flags & Header::SYNTHETIC != 0,
    });
    let mut put = |name: &str, value: Value| out[name] = value;
    match command {
        Command::RegisterActor(_, names) => put("name", json!(names.first())),
        Command::DefineFeed(body, names) => {
            put("name", json!(names.first()));
            put("silence_bound", json!(body.silence_bound.0));
            put("delay_bound", json!(body.delay_bound.0));
        }
        Command::DefineFixture(body, names) => {
            put("name", json!(names.first()));
            put("starts", json!(body.starts.0));
        }
        Command::DefineMarket(body, names) => {
            let all: Vec<&str> = names.iter().collect();
            put("name", json!(all[0]));
            put("selections", json!(all[1..]));
            put("feed", json!(body.feed.0));
            put("fixture", json!(body.fixture.raw()));
            put("winners", json!(body.winners));
            put("age_bound", json!(body.age_bound.0));
            put("exchange", json!(body.kind == MarketKind::Exchange as u8));
        }
        Command::OpenMarket(body) => put("market", json!(body.market.raw())),
        Command::CloseMarket(body) => put("market", json!(body.market.raw())),
        Command::ArchiveMarket(body) => put("market", json!(body.market.raw())),
        Command::Suspend(Suspend { level, owner, id, .. })
        | Command::Release(Release { level, owner, id, .. }) => {
            put("level", json!(Level::from_code(level)?.to_string()));
            put("owner", json!(Owner::from_code(owner)?.to_string()));
            put("id", json!(id));
        }
        Command::WithdrawSelection(body) => {
            put("market", json!(body.market.raw()));
            put("selection", json!(body.selection.0));
            put("withdrawn", json!(body.withdrawn == 1));
        }
        Command::MarketResult(body, entries) => {
            put("market", json!(body.market.raw()));
            let outcomes: Vec<Value> = entries
                .iter()
                .map(|e| json!({"selection": e.selection.0, "outcome": e.form().to_string()}))
                .collect();
            put("outcomes", json!(outcomes));
        }
        Command::SetLimits(body) => {
            put("currency", json!(body.currency));
            put("of_market", json!(body.scope == LimitScope::Market as u8));
            put("market", json!(body.market.raw()));
            put("limits", limits_json(&body.limits));
        }
        Command::BlockAccount(body) => {
            put("blocked", json!(body.blocked == 1));
            put("which", json!(body.account.raw()));
        }
        Command::LiftQuarantine(body) => {
            put("which", json!(body.account));
            put("which_key", json!(body.key.0.to_string()));
        }
        Command::SetPrices(body, entries) => {
            put("feed", json!(body.feed.0));
            put("feed_seq", json!(body.feed_seq));
            put("market", json!(body.market.raw()));
            put("source", json!(body.source.0));
            put("as_of", json!(body.as_of.0));
            let prices: Vec<Value> = entries
                .iter()
                .map(|e| json!({"selection": e.selection.0, "price": price_json(e.price)}))
                .collect();
            put("prices", json!(prices));
        }
        Command::FeedHeartbeat(FeedHeartbeat { feed, feed_seq, source, .. })
        | Command::FeedGap(FeedGap { feed, feed_seq, source, .. })
        | Command::FeedRecovered(FeedRecovered { feed, feed_seq, source, .. }) => {
            put("feed", json!(feed.0));
            put("feed_seq", json!(feed_seq));
            put("source", json!(source.0));
        }
        Command::OpenAccount(body) => {
            put("reference", json!(body.reference));
            put("currency", json!(body.currency));
        }
        Command::Deposit(Deposit { amount, .. }) | Command::Withdraw(Withdraw { amount, .. }) => {
            put("amount", json!(amount.0));
        }
        Command::Place(body) => {
            put("market", json!(body.market.raw()));
            put("selection", json!(body.selection.0));
            put("stake", json!(body.stake.0));
            put("price", price_json(body.price));
            put("policy", json!(PricePolicy::from_code(body.policy)?.to_string()));
            put("slippage", json!(body.slippage));
            put("version", json!(body.version.0));
        }
        Command::AcceptOffer(AcceptOffer { bet, .. })
        | Command::DeclineOffer(DeclineOffer { bet, .. }) => put("bet", json!(bet.raw())),
        Command::Resolve(_) => (),
        Command::Genesis(_)
        | Command::EpochOpened(_)
        | Command::Step(_)
        | Command::Tick(_)
        | Command::Quarantine(_) => return None,
        // Engines that speak lines take singles; nights ask them for nothing else.
        Command::PublishRules(..)
        | Command::SetInPlay(_)
        | Command::AnswerReferral(..)
        | Command::FreezeCashOut(_)
        | Command::CancelBets(_)
        | Command::RollbackResult(_)
        | Command::CancelBet(_)
        | Command::CorrectPrice(_)
        | Command::Adjust(_)
        | Command::GrantBonus(_)
        | Command::PlaceTicket(..)
        | Command::CashOut(_)
        | Command::SetAutoCashOut(_)
        | Command::DefineGroup(..)
        | Command::SwitchFeed(_)
        | Command::SetTier(_)
        | Command::AssignTier(_)
        | Command::SetFeedSchema(_)
        | Command::TraderPrice(_)
        | Command::SetStakeFactor(_)
        | Command::SetShedding(_)
        | Command::SetAccountLimit(_)
        | Command::ExcludeAccount(_)
        | Command::ConfirmHold(_)
        | Command::ReleaseHold(_)
        | Command::FeedRecovering(_)
        | Command::Reprice(..)
        | Command::SetOwnLimit(_)
        | Command::ExcludeSelf(_)
        | Command::SetExchange(..)
        | Command::SetDiscount(_)
        | Command::LapseOrders(_)
        | Command::PlaceOrders(..)
        | Command::CancelOrders(..)
        | Command::ReplaceOrders(..)
        | Command::UpdateOrders(..) => return None,
    }
    Some(out)
}

/// An answer as a process under test writes it. What it leaves out stays zero.
fn answer_of(value: &Value) -> Result<Answer, String> {
    let name = value["answer"].as_str().ok_or_else(|| format!("{value} has no \"answer\""))?;
    let wrong = |field: &str, wanted: &str| format!("{value}: \"{field}\" is not {wanted}");
    let whole = |field: &str| match &value[field] {
        Value::Null => Ok(0),
        given => given.as_u64().ok_or_else(|| wrong(field, "a whole number from 0 on")),
    };
    let amount = |field: &str| match &value[field] {
        Value::Null => Ok(Minor(0)),
        given => given.as_i64().map(Minor).ok_or_else(|| wrong(field, "a whole number")),
    };
    let short =
        |field: &str| u32::try_from(whole(field)?).map_err(|_| wrong(field, "a number below 2^32"));
    let mut answer = if name == "Refused" {
        let reject = value["reject"].as_str().unwrap_or_default();
        let known = Reject::ALL.iter().find(|known| known.name() == reject);
        let known = known.ok_or_else(|| format!("{value} refuses for no known reason"))?;
        Answer::refused(*known, Seq(0))
    } else {
        let kind = AnswerKind::ALL.iter().find(|kind| kind.to_string() == name);
        let kind = kind.ok_or_else(|| format!("{value}: no answer is called {name}"))?;
        Answer::of(*kind, Seq(0))
    };
    answer.id = whole("id")?;
    answer.stake = amount("stake")?;
    answer.amount = amount("amount")?;
    answer.policy_reason = short("reason")?;
    let e4 = short("price")?;
    if e4 != 0 {
        let price = WirePrice { e4, num: 0, den: 0 };
        answer = answer.with_price(Basis::InForce, price, PriceVersion(0));
    }
    let needed = ["id", "stake", "amount", "price"];
    let lacks = needed.iter().find(|field| value[**field].is_null() || value[**field] == 0);
    match lacks {
        Some(field) if answer.kind() == AnswerKind::Accepted => {
            Err(format!("{value} is accepted and has no \"{field}\""))
        }
        _ => Ok(answer),
    }
}

impl UnderTest for Foreign {
    fn submit(&mut self, ring: Ring, at: Timestamp, command: &[u8]) -> Result<Answer, String> {
        // Rings are ours: nobody else can be asked through the wrong one.
        let lane = command.first().and_then(|kind| Kind::from_code(*kind)).map(Kind::lane);
        let wrong = match lane {
            Some(Lane::Customer) => ring == Ring::Control,
            Some(Lane::Control | Lane::Feed) => ring == Ring::Bets,
            Some(Lane::Engine) | None => false,
        };
        if wrong && decode(command).is_ok() {
            return Ok(Answer::malformed(Malformed::WrongRing));
        }
        match command_json(at, command) {
            Some(question) => answer_of(&self.ask(&question)?),
            // Bytes that are no command never reach an engine that reads JSON.
            None => match decode(command) {
                Err(what) => Ok(Answer::malformed(what)),
                Ok(_) => Ok(Answer::malformed(Malformed::EngineOnly)),
            },
        }
    }

    fn catch_up(&mut self, at: Timestamp) -> Result<(), String> {
        self.ask(&json!({"do": "catch_up", "at": at.0})).map(|_| ())
    }

    fn balances(&mut self) -> Result<Option<Vec<(AccountId, Minor)>>, String> {
        let said = self.ask(&json!({"do": "balances"}))?;
        let all = match &said["balances"] {
            Value::Null => return Ok(None),
            all => all.as_object().ok_or_else(|| format!("{said}: balances are no object"))?,
        };
        let one = |(account, amount): (&String, &Value)| {
            let both = account.parse().ok().zip(amount.as_i64());
            let (account, amount) =
                both.ok_or_else(|| format!("{account}: {amount} is no balance of an account"))?;
            Ok((AccountId::from_raw(account), Minor(amount)))
        };
        let mut all = all.iter().map(one).collect::<Result<Vec<_>, String>>()?;
        // An object has no order, or that of text.
        all.sort_unstable_by_key(|(account, _)| account.raw());
        Ok(Some(all))
    }

    fn crash(&mut self, _: bool, _: u64, at: Timestamp) -> Result<bool, String> {
        let said = self.ask(&json!({"do": "restart", "at": at.0}))?;
        match &said["cannot"] {
            Value::Null => Ok(true),
            Value::Bool(cannot) => Ok(!cannot),
            _ => Err(format!("{said}: \"cannot\" is neither true nor false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_a_process_that_lacks_something_or_has_another_type_is_told() {
        let wrong = |value: Value| answer_of(&value).expect_err("it is no answer");
        let good = json!({"answer": "Accepted", "id": 1u64 << 32, "stake": 5, "amount": 10, "price": 20_000});
        assert_eq!(answer_of(&good).map(|answer| answer.amount), Ok(Minor(10)));
        for field in ["id", "stake", "amount", "price"] {
            let mut lacks = good.clone();
            lacks[field] = Value::Null;
            assert!(wrong(lacks).contains(&format!("has no \"{field}\"")), "{field}");
            let mut text = good.clone();
            text[field] = json!("5");
            assert!(wrong(text).contains(&format!("\"{field}\" is not")), "{field}");
        }
        assert!(wrong(json!({"answer": "Perhaps"})).contains("no answer is called Perhaps"));
        assert!(wrong(json!({"answer": "Refused"})).contains("for no known reason"));
    }
}
