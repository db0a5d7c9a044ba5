//! What can be put before the auditor: betring without threads, betring with threads, or any engine of an
//! operator's that speaks JSON lines.

use crate::auditor::Ring;
use crate::sim::house::{House, Said, Seat, Seen, Setup};
use crate::world::Disk;
use betring::{Client, Clock, Config, Control, Engine, Layout, WaitStrategy};
use betring_core::answer::{Answer, AnswerKind, Basis, Reply};
use betring_core::command::*;
use betring_core::id::*;
use betring_core::reject::{Malformed, Reject};
use betring_core::time::Timestamp;
use betring_core::wire::{Header, Minor, SLOT, Slot, WirePrice};
use betring_core::{Rules, State};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};
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

/// Which engine is put before the auditor.
#[derive(Clone, Debug)]
pub struct System(Which);

#[derive(Clone, Debug)]
enum Which {
    Inline,
    Threaded,
    Process(String),
}

impl System {
    /// betring's loop without threads, over a disk that lies.
    pub fn inline() -> System {
        System(Which::Inline)
    }

    /// betring with its threads and rings.
    pub fn threaded() -> System {
        System(Which::Threaded)
    }

    /// A program that reads a JSON object a line and answers each with one. [`process_help`] says which.
    pub fn process(command: &str) -> System {
        System(Which::Process(command.to_owned()))
    }

    pub(crate) fn start<R: Rules>(
        &self,
        rules: &R,
        setup: &Setup,
        seed: u64,
        at: Timestamp,
    ) -> Result<Box<dyn UnderTest>, String> {
        Ok(match &self.0 {
            Which::Inline => Box::new(Inline::start(rules.clone(), setup, seed, at)?),
            Which::Threaded => Box::new(Threaded::start(rules.clone(), setup, seed, at)?),
            Which::Process(command) => Box::new(Foreign::start(command, setup, at)?),
        })
    }
}

// ---- betring without threads ----

struct Inline<R: Rules> {
    rules: R,
    setup: Setup,
    disk: Disk,
    house: Option<House<R, Disk>>,
    records: Vec<(Timestamp, Vec<u8>, Vec<u8>)>,
}

impl<R: Rules> Inline<R> {
    fn start(rules: R, setup: &Setup, seed: u64, at: Timestamp) -> Result<Inline<R>, String> {
        let seat = |ring| Seat { ring, level: Seen::Durable, credit: 8 };
        let seats = vec![seat(Ring::Control), seat(Ring::Bets)];
        let setup = Setup { seats, ring_slots: 256, ..setup.clone() };
        let disk = Disk::new(seed);
        let mut inline = Inline { rules, setup, disk, house: None, records: Vec::new() };
        inline.open(at)?;
        Ok(inline)
    }

    fn open(&mut self, at: Timestamp) -> Result<(), String> {
        let (mut found, mut said) = (None, Vec::new());
        let (disk, rules) = (self.disk.clone(), self.rules.clone());
        let house = House::open(disk, rules, &self.setup, at, &mut found, &mut said);
        self.house = Some(house.map_err(|e| e.to_string())?);
        self.keep(said);
        Ok(())
    }

    fn keep(&mut self, said: Vec<Said>) {
        self.records.extend(said.into_iter().filter_map(|said| match said {
            Said::Record { at, command, events, .. } => Some((at, command, events)),
            Said::Reply { .. } => None,
        }));
    }
}

impl<R: Rules> UnderTest for Inline<R> {
    fn submit(&mut self, ring: Ring, at: Timestamp, command: &[u8]) -> Result<Answer, String> {
        let Some(house) = &mut self.house else { return Err("the house is closed".to_owned()) };
        house.set_now(at);
        let client = usize::from(ring == Ring::Bets);
        house.publish(client, command).map_err(|why| format!("not taken: {why:?}"))?;
        house.turn().and_then(|_| house.sync()).map_err(|e| e.to_string())?;
        let reply = house.poll(client, 1).pop();
        let said = house.take_said();
        self.keep(said);
        reply.map(|reply| reply.answer).ok_or_else(|| "there was no reply".to_owned())
    }

    fn catch_up(&mut self, at: Timestamp) -> Result<(), String> {
        let Some(house) = &mut self.house else { return Ok(()) };
        house.set_now(at);
        while !house.is_idle() {
            house.turn().map_err(|e| e.to_string())?;
        }
        house.sync().map_err(|e| e.to_string())?;
        house.state().check()?;
        let said = house.take_said();
        self.keep(said);
        Ok(())
    }

    fn events(&mut self) -> Vec<(Timestamp, Vec<u8>, Vec<u8>)> {
        std::mem::take(&mut self.records)
    }

    fn balances(&mut self) -> Result<Option<Vec<(AccountId, Minor)>>, String> {
        let accounts = |house: &House<R, Disk>| balances_of(house.state());
        Ok(self.house.as_ref().map(accounts))
    }

    fn crash(&mut self, power: bool, seed: u64, at: Timestamp) -> Result<bool, String> {
        self.disk.die();
        self.house = None;
        self.disk = if power { self.disk.power_cut(seed) } else { self.disk.kill(seed) };
        self.open(at)?;
        Ok(true)
    }
}

fn balances_of<R: Rules>(state: &State<R>) -> Vec<(AccountId, Minor)> {
    state.accounts().map(|account| (account.id, account.balance)).collect()
}

// ---- betring with threads ----

struct Threaded<R: Rules> {
    rules: R,
    setup: Setup,
    disk: Disk,
    clock: Clock,
    open: Option<(Client, Control, Engine)>,
}

impl<R: Rules> Threaded<R> {
    fn start(rules: R, setup: &Setup, seed: u64, at: Timestamp) -> Result<Threaded<R>, String> {
        let (clock, setup) = (Clock::manual(at), setup.clone());
        let disk = Disk::new(seed);
        let mut threaded = Threaded { rules, setup, disk, clock, open: None };
        threaded.open()?;
        Ok(threaded)
    }

    fn open(&mut self) -> Result<(), String> {
        let genesis = self.setup.genesis;
        let offers = genesis.price_failure == PriceFailure::Offer as u8;
        let config = Config::at("nowhere")
            .layout(Layout::TwoThread)
            .wait(WaitStrategy::Park)
            .clock(self.clock.clone())
            // The handle of the traders registers itself, under a key.
            .capacities(Capacities {
                actors: self.setup.capacities.actors + 1,
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
        let control = engine.control("anna").map_err(|e| e.to_string())?;
        self.open = Some((client, control, engine));
        Ok(())
    }
}

fn slots_of(bytes: &[u8]) -> Vec<Slot> {
    bytes.chunks_exact(SLOT).filter_map(|chunk| Slot::read_from_bytes(chunk).ok()).collect()
}

impl<R: Rules> UnderTest for Threaded<R> {
    fn submit(&mut self, ring: Ring, at: Timestamp, command: &[u8]) -> Result<Answer, String> {
        self.clock.set(at);
        let Some((client, control, _)) = &mut self.open else {
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
        if let Some(why) = client.submit_batch(&slots).refused {
            return refused(why);
        }
        let until = Instant::now() + PATIENCE;
        let mut replies = [Reply::default()];
        while client.poll(&mut replies) == 0 {
            if until < Instant::now() {
                return Err(format!("no reply within {PATIENCE:?}"));
            }
            std::thread::yield_now();
        }
        Ok(replies[0].answer)
    }

    fn catch_up(&mut self, at: Timestamp) -> Result<(), String> {
        self.clock.set(at);
        let Some((.., engine)) = &self.open else { return Ok(()) };
        // The loop takes what is due on its own: it is done when nothing was sequenced for a while.
        let until = Instant::now() + PATIENCE;
        let mut last = engine.digests().map_err(|e| e.to_string())?.0;
        loop {
            std::thread::sleep(Duration::from_millis(2));
            let now = engine.digests().map_err(|e| e.to_string())?.0;
            if now == last {
                return Ok(());
            }
            last = now;
            if until < Instant::now() {
                return Err(format!("there is still work after {PATIENCE:?}"));
            }
        }
    }

    fn balances(&mut self) -> Result<Option<Vec<(AccountId, Minor)>>, String> {
        // What the journal's transfers made of every account; an engine over simulated files has no view.
        let mut state = State::new(self.rules.clone());
        let mut events = betring_core::event::Events::new();
        let wrong = |e: betring_journal::Error| e.to_string();
        let level = betring_journal::ReadLevel::Complete;
        let mut reader =
            betring_journal::Reader::open(self.disk.aside(), 1, level).map_err(wrong)?;
        while let Some(record) = reader.next().map_err(wrong)? {
            let Some((command, _)) = crate::sim::house::split(record.payload) else { break };
            let stamp =
                betring_core::Stamp { seq: Seq(record.meta.seq), at: Timestamp(record.meta.ts) };
            state.replay(stamp, command, &mut events).map_err(|e| e.to_string())?;
        }
        Ok(Some(balances_of(&state)))
    }

    fn crash(&mut self, power: bool, seed: u64, _: Timestamp) -> Result<bool, String> {
        self.disk.die();
        self.open = None;
        self.disk = if power { self.disk.power_cut(seed) } else { self.disk.kill(seed) };
        self.open()?;
        Ok(true)
    }
}

// ---- any engine, as a process ----

/// What a process under test is told and has to answer, in words for its author.
pub fn process_help() -> &'static str {
    "One JSON object a line comes in, one goes out, in order. Amounts are minor units, moments nanoseconds, \
     prices ten-thousandths (2.50 is 25000), handles numbers of your choice other than 0.\n\
     {\"do\":\"begin\",\"at\":…,\"window\":…,\"offer_ttl\":…,\"age_bound\":…,\"on_failure\":\"Offer\",\
     \"rounding\":\"down\",\"limits\":{…},\"capacities\":{…}} -> {}\n\
     {\"do\":\"Place\",\"at\":…,\"key\":\"…\",\"account\":…,\"valid_until\":…,\"market\":…,…} -> an answer\n\
     {\"do\":\"catch_up\",\"at\":…} -> {} when every offer that is over has ended and every market is settled\n\
     {\"do\":\"balances\"} -> {\"balances\":{\"ACCOUNT\":amount,…}}\n\
     {\"do\":\"restart\",\"at\":…} -> {} (feeds recover, markets with manual prices wait), or {\"cannot\":true}\n\
     An answer: {\"answer\":\"Accepted\",\"id\":…,\"stake\":…,\"amount\":…,\"price\":…} or Offered, Done, \
     Started, NeverPlaced, or {\"answer\":\"Refused\",\"reject\":\"StalePrice\",…} with the names of the \
     glossary. A retry gets the first answer again."
}

struct Foreign {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
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
        let mut foreign = Foreign { child, to, from: BufReader::new(from) };
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
            },
        }))?;
        Ok(foreign)
    }

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        let gone = |e: std::io::Error| format!("the process under test has gone: {e}");
        writeln!(self.to, "{question}").and_then(|()| self.to.flush()).map_err(gone)?;
        let mut line = String::new();
        if self.from.read_line(&mut line).map_err(gone)? == 0 {
            return Err("the process under test ended without an answer".to_owned());
        }
        serde_json::from_str(&line).map_err(|e| format!("`{}` is no JSON: {e}", line.trim()))
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
                .map(|e| json!({"selection": e.selection.0, "outcome": e.outcome().to_string()}))
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
    }
    Some(out)
}

/// An answer as a process under test writes it. What it leaves out stays zero.
fn answer_of(value: &Value) -> Result<Answer, String> {
    let name = value["answer"].as_str().ok_or_else(|| format!("{value} has no \"answer\""))?;
    let number = |name: &str| value[name].as_i64().unwrap_or(0);
    if name == "Refused" {
        let reject = value["reject"].as_str().unwrap_or_default();
        let known = Reject::ALL.iter().find(|known| known.name() == reject);
        let known = known.ok_or_else(|| format!("{value} refuses for no known reason"))?;
        let mut answer = Answer::refused(*known, Seq(0));
        answer.amount = Minor(number("amount"));
        answer.id = value["id"].as_u64().unwrap_or(0);
        return Ok(answer);
    }
    let kind = AnswerKind::ALL.iter().find(|kind| kind.to_string() == name);
    let kind = kind.ok_or_else(|| format!("{value}: no answer is called {name}"))?;
    let mut answer = Answer::of(*kind, Seq(0));
    answer.id = value["id"].as_u64().unwrap_or(0);
    answer.stake = Minor(number("stake"));
    answer.amount = Minor(number("amount"));
    if let Some(e4) = value["price"].as_u64() {
        let price = WirePrice { e4: u32::try_from(e4).unwrap_or(0), num: 0, den: 0 };
        answer = answer.with_price(Basis::InForce, price, PriceVersion(0));
    }
    Ok(answer)
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
        let Some(all) = said["balances"].as_object() else { return Ok(None) };
        let one = |(account, amount): (&String, &Value)| {
            Some((AccountId::from_raw(account.parse().ok()?), Minor(amount.as_i64()?)))
        };
        Ok(Some(all.iter().filter_map(one).collect()))
    }

    fn crash(&mut self, _: bool, _: u64, at: Timestamp) -> Result<bool, String> {
        let said = self.ask(&json!({"do": "restart", "at": at.0}))?;
        Ok(said["cannot"].as_bool() != Some(true))
    }
}
