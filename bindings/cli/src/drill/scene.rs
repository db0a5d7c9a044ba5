//! The stage of a drill: two leagues that take bets, one of them priced by a group of two feeds, customers
//! who never stop asking, and at the end the proof from the journal.

use crate::audit::{self, By};
use crate::drill::Scratch;
use crate::drill::disk::{Drag, EVEN_TOLD, SlowStore};
use crate::drill::timeline::{On, Story, seconds};
use crate::error::CliError;
use crate::source::Source;
use betring::governor::{Deed, Rules};
use betring::logic::event::{EventReader, HouseAccount};
use betring::{
    AccountId, Answer, AnswerKind, BetId, Capacities, CashOut, Client, Clock, Config, Control,
    Cores, Currency, Engine, Event, EventStream, Feed, GovernorTask, Group, HouseRules, Layout,
    Level, Market, MarketId, MarketTerms, Nanos, NotTaken, Occurrence, Place, Price, PriceEntry,
    Reference, Reject, Reply, RequestKey, SelectionIndex, Seq, Ticket, Timestamp, Token, View,
    WirePrice, key, money, price,
};
use betring_journal::DirStore;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// When a drill in journal time begins: any moment would do, this one is the same always.
const START: Timestamp = Timestamp(1_760_000_000 * 1_000_000_000);
/// How often everybody acts, unless the drill is long.
pub(crate) const TICK: Nanos = Nanos::from_millis(10);
/// How often a feed sends its prices.
const FEED_EVERY: Nanos = Nanos::from_millis(100);
/// How old a price may be.
pub(crate) const AGE_BOUND: Nanos = Nanos::from_millis(1_500);
/// Silent for longer, a feed is down. Longer than a price may be old, so that its age is met first.
pub(crate) const SILENCE: Nanos = Nanos::from_secs(5);
/// How much longer than its quickest a feed's message may take.
pub(crate) const DELAY_BOUND: Nanos = Nanos::from_secs(1);
/// How long the last answers may take.
const DRAIN: Duration = Duration::from_secs(10);
/// Open bets that are remembered of each market, to be sold.
const OPEN_MAX: usize = 4_096;

/// The feeds by their places among the voices.
pub(crate) const PRIMARY: usize = 0;
pub(crate) const BACKUP: usize = 1;
pub(crate) const FAR: usize = 2;
/// The markets of the group, and those of the league that no drill may touch.
pub(crate) const NEAR_MARKETS: Range<usize> = 0..4;
pub(crate) const FAR_MARKETS: Range<usize> = 4..6;

const NAMES: [&str; 6] = [
    "Arsenal-Chelsea 1X2",
    "Arsenal-Chelsea first goal",
    "Leeds-Everton 1X2",
    "Leeds-Everton first goal",
    "Celtic-Rangers 1X2",
    "Celtic-Rangers first goal",
];
const SELECTIONS: [&str; 3] = ["home", "draw", "away"];
/// What the feeds say of every market: near enough to each other, and not the same, so that a bet shows
/// whose price it has.
const PRICES: [[Price; 3]; 3] = [
    [price!(2.10), price!(3.40), price!(3.75)],
    [price!(2.08), price!(3.45), price!(3.80)],
    [price!(1.95), price!(3.60), price!(4.20)],
];

/// What a stage is built with, where it is not the usual.
pub(crate) struct Setup {
    pub(crate) tick: Nanos,
    pub(crate) bets: u32,
    pub(crate) events: usize,
    pub(crate) credit: usize,
    /// What a governor goes by, if there is one.
    pub(crate) rules: Option<Rules>,
    /// The disk of a drill on the wall's clock.
    pub(crate) drag: Option<Drag>,
    /// On the wall's clock the book is in memory, on a disk that takes as long every time: for what is judged by
    /// how long answers take, and is not about the disk.
    pub(crate) even_disk: bool,
    /// Anything else of the engine.
    pub(crate) config: fn(Config) -> Config,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            tick: TICK,
            bets: 1 << 14,
            events: 1 << 14,
            credit: 1_024,
            rules: None,
            drag: None,
            even_disk: false,
            config: |config| config,
        }
    }
}

/// A feed: its source, and the pricer that goes on whether the source speaks or not.
pub(crate) struct Voice {
    pub(crate) feed: Feed,
    /// Whether the source speaks.
    pub(crate) source: bool,
    /// Whether the pricer sends.
    pub(crate) sends: bool,
    /// When the source was last heard: as old as that is everything derived from it.
    pub(crate) input: Timestamp,
    pub(crate) prices: Vec<(MarketId, [Price; 3])>,
    /// How long its messages are on the way.
    pub(crate) delay: Nanos,
    /// Whether they still have prices in them.
    pub(crate) quotes: bool,
    /// Messages sent.
    pub(crate) sent: u64,
    next: Timestamp,
}

impl Voice {
    /// Sends what is due now.
    fn play(&mut self, now: Timestamp) -> Result<(), CliError> {
        if now < self.next {
            return Ok(());
        }
        self.next = now.plus(FEED_EVERY);
        if self.source {
            self.input = now;
        }
        if self.sends && self.quotes {
            self.say_prices(now)?;
        }
        if self.sends {
            let sent = Timestamp(now.0 - self.delay.0);
            told(self.feed.heartbeat(sent).map(drop))?;
            self.sent += 1;
        }
        Ok(())
    }

    /// Sends the price of every market.
    pub(crate) fn say_prices(&mut self, now: Timestamp) -> Result<(), CliError> {
        for (market, prices) in &self.prices {
            let entries: Vec<PriceEntry> = (0..)
                .zip(prices)
                .map(|(at, price)| PriceEntry::new(SelectionIndex(at), WirePrice::decimal(*price)))
                .collect();
            let sent = Timestamp(now.0 - self.delay.0);
            told(self.feed.derived_prices(*market, &entries, sent, self.input).map(drop))?;
            self.sent += 1;
        }
        Ok(())
    }

    /// Its adapter noticed that something is missing.
    pub(crate) fn gap(&mut self, now: Timestamp) -> Result<(), CliError> {
        told(self.feed.gap(now).map(drop))
    }

    /// Its adapter has asked for everything again.
    pub(crate) fn recovering(&mut self, request: u64, now: Timestamp) -> Result<(), CliError> {
        told(self.feed.recovering(request, now).map(drop))
    }

    /// Sends everything again, as the answer to a request.
    pub(crate) fn say_everything(&mut self, request: u64, now: Timestamp) -> Result<(), CliError> {
        if self.source {
            self.input = now;
        }
        self.say_prices(now)?;
        told(self.feed.recovered_for(request, now).map(drop))
    }
}

fn told(told: Result<(), NotTaken>) -> Result<(), CliError> {
    told.map_err(|error| CliError::from(betring::Error::from(error)))
}

/// What became of a request so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Became {
    /// It was sent.
    Sent,
    /// It was not taken: it will never execute.
    NotTaken(Reject),
    /// It was refused.
    Refused(Reject),
    /// It is a bet.
    Accepted(BetId),
    /// It waits for something.
    Waits(BetId),
    /// Something else was done.
    Done,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A bet.
    Bet,
    /// To sell this one.
    Sale(BetId),
}

/// An answer that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// When it was read.
    pub(crate) at: Timestamp,
    /// In which market, by its place.
    pub(crate) market: usize,
    pub(crate) wish: Wish,
    pub(crate) reply: Reply,
}

impl Said {
    /// Why not, of a bet that was refused.
    pub(crate) fn refusal(&self) -> Option<Reject> {
        self.reply.answer.reject()
    }

    pub(crate) fn is_accepted(&self) -> bool {
        self.reply.answer.kind() == AnswerKind::Accepted
    }
}

/// Everybody who bets.
pub(crate) struct Customers {
    pub(crate) client: Client,
    pub(crate) accounts: Vec<AccountId>,
    /// Markets that are bet on.
    pub(crate) bets_in: [bool; NAMES.len()],
    /// Markets whose bets are sold.
    pub(crate) sells_in: [bool; NAMES.len()],
    /// What became of every request, by its key.
    asked: HashMap<RequestKey, Became>,
    waiting: HashMap<Token, (usize, Wish)>,
    open: [VecDeque<(BetId, AccountId)>; NAMES.len()],
    /// In which market each bet is, by its place.
    places: HashMap<BetId, usize>,
    keys: u128,
    replies: Vec<Reply>,
}

impl Customers {
    pub(crate) fn next_key(&mut self) -> RequestKey {
        self.keys += 1;
        key(1 << 100 | self.keys)
    }

    /// In which market a bet is, by its place; none of a bet that is nobody's here.
    pub(crate) fn place_of(&self, bet: BetId) -> Option<usize> {
        self.places.get(&bet).copied()
    }

    /// What others asked, and what became of it, for the proof at the end.
    pub(crate) fn know(&mut self, asked: impl Iterator<Item = (RequestKey, Became)>) {
        self.asked.extend(asked);
    }

    /// One bet in each market, and one sale.
    fn ask(&mut self, markets: &[Market], said: &mut Vec<Said>, now: Timestamp) {
        for (place, market) in markets.iter().enumerate() {
            if self.bets_in[place] {
                let account = self.accounts[self.keys as usize % self.accounts.len()];
                let selection = market.at(SelectionIndex((self.keys % 3) as u16));
                let key = self.next_key();
                let bet = Place::single(account, selection, money!(1.00)).any_price().key(key);
                let sent = self.client.try_submit(bet);
                self.note(sent, key, (place, Wish::Bet), said, now);
            }
            if self.sells_in[place]
                && let Some((bet, account)) = self.open[place].pop_front()
            {
                let key = self.next_key();
                let sale = CashOut::new(account, bet).any_value().key(key);
                let sent = self.client.try_submit(sale);
                self.note(sent, key, (place, Wish::Sale(bet)), said, now);
            }
        }
    }

    fn note(
        &mut self,
        sent: Result<Ticket, NotTaken>,
        key: RequestKey,
        (market, wish): (usize, Wish),
        said: &mut Vec<Said>,
        at: Timestamp,
    ) {
        match sent {
            Ok(ticket) => {
                self.waiting.insert(ticket.token, (market, wish));
                self.asked.insert(key, Became::Sent);
            }
            Err(error) => {
                let reject = error.reject().unwrap_or(Reject::Overloaded);
                self.asked.insert(key, Became::NotTaken(reject));
                let mut reply = Reply::default();
                reply.answer = Answer::refused(reject, Seq(0));
                said.push(Said { at, market, wish, reply });
            }
        }
    }

    /// Reads the answers that are there.
    fn read(&mut self, said: &mut Vec<Said>, at: Timestamp) {
        loop {
            let count = self.client.poll(&mut self.replies);
            for reply in &self.replies[..count] {
                let Some((market, wish)) = self.waiting.remove(&reply.token) else { continue };
                self.asked.insert(reply.key, became(reply));
                let account = AccountId::from_raw(reply.account);
                if let Became::Accepted(bet) = became(reply) {
                    self.places.insert(bet, market);
                }
                match (reply.answer.kind(), wish) {
                    (AnswerKind::Accepted, Wish::Bet) if self.open[market].len() < OPEN_MAX => {
                        self.open[market].push_back((BetId::from_raw(reply.answer.id), account));
                    }
                    (AnswerKind::Refused, Wish::Sale(bet)) => {
                        self.open[market].push_back((bet, account));
                    }
                    _ => (),
                }
                said.push(Said { at, market, wish, reply: *reply });
            }
            if count < self.replies.len() {
                return;
            }
        }
    }
}

/// What a reply says of its request.
pub(crate) fn became(reply: &Reply) -> Became {
    let bet = BetId::from_raw(reply.answer.id);
    match (reply.answer.kind(), reply.answer.reject()) {
        (AnswerKind::Accepted, _) => Became::Accepted(bet),
        (AnswerKind::Offered | AnswerKind::Pending, _) => Became::Waits(bet),
        (AnswerKind::Refused, Some(reject)) => Became::Refused(reject),
        _ => Became::Done,
    }
}

/// What a tick of everybody brought.
pub(crate) struct Tick {
    pub(crate) at: Timestamp,
    pub(crate) said: Vec<Said>,
    pub(crate) events: Vec<Occurrence>,
    /// What the governor did.
    pub(crate) deeds: Vec<Deed>,
}

/// A governor at work: turned by the stage, or on a thread of its own.
enum Governing {
    Nobody,
    Turned(Box<GovernorTask>),
    Threaded { stop: Arc<AtomicBool>, deeds: Receiver<Deed>, thread: JoinHandle<()> },
}

impl Governing {
    fn new(engine: &Engine, on: On, rules: Option<Rules>) -> Result<Governing, CliError> {
        let Some(rules) = rules else { return Ok(Governing::Nobody) };
        let mut task = engine.governor(rules)?;
        if on == On::Journal {
            return Ok(Governing::Turned(Box::new(task)));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, deeds) = channel();
        let stopped = Arc::clone(&stop);
        let work = move || {
            // Whoever listened may have gone; an engine that failed says so to everybody else.
            let _ = task.run(&stopped, |deed| drop(tell.send(deed.clone())));
        };
        let thread = std::thread::Builder::new().name("governor".into()).spawn(work);
        let thread =
            thread.map_err(|e| CliError::io("cannot start a thread", Path::new("governor"), &e))?;
        Ok(Governing::Threaded { stop, deeds, thread })
    }

    fn turn(&mut self, now: Timestamp) -> Result<Vec<Deed>, CliError> {
        match self {
            Governing::Nobody => Ok(Vec::new()),
            Governing::Turned(task) => Ok(task.turn(now)?),
            Governing::Threaded { deeds, .. } => Ok(deeds.try_iter().collect()),
        }
    }

    fn end(self) {
        if let Governing::Threaded { stop, thread, .. } = self {
            stop.store(true, Ordering::Relaxed);
            // One that panicked has told standard error, and its deeds are missed.
            let _ = thread.join();
        }
    }
}

impl Tick {
    /// The first bet of these markets that was refused.
    pub(crate) fn refused(&self, markets: &Range<usize>) -> Option<(Reject, &Said)> {
        let bets = self.said.iter().filter(|said| said.wish == Wish::Bet);
        let mut bets = bets.filter(|said| markets.contains(&said.market));
        bets.find_map(|said| said.refusal().map(|reject| (reject, said)))
    }

    /// The first bet of these markets that was accepted.
    pub(crate) fn accepted(&self, markets: &Range<usize>) -> Option<&Said> {
        let bets = self.said.iter().filter(|said| said.wish == Wish::Bet);
        bets.filter(|said| markets.contains(&said.market)).find(|said| said.is_accepted())
    }
}

/// What customers were told in a market.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) accepted: u64,
    pub(crate) refused: BTreeMap<Reject, u64>,
}

/// The stage.
pub(crate) struct Scene {
    pub(crate) engine: Engine,
    pub(crate) on: On,
    pub(crate) trader: Control,
    pub(crate) group: Group,
    pub(crate) voices: Vec<Voice>,
    pub(crate) markets: Vec<Market>,
    pub(crate) customers: Customers,
    /// What customers were told, by market, since somebody last took it.
    pub(crate) told: [Told; NAMES.len()],
    /// The highest price that was accepted.
    pub(crate) highest: u32,
    /// How many bets of each market were accepted, and refused, since the beginning.
    accepted: [u64; NAMES.len()],
    refused: [u64; NAMES.len()],
    /// How many were sold since the beginning, and how many sales were refused.
    sales: [(u64, u64); NAMES.len()],
    events: EventStream,
    governor: Governing,
    next: Timestamp,
    tick: Nanos,
    even_disk: bool,
    book: PathBuf,
    // Behind the engine, so that it goes after it.
    _scratch: Scratch,
}

impl Scene {
    /// Opens the book, both leagues and their feeds, and the customers' accounts: everything takes bets.
    pub(crate) fn open(on: On, setup: &Setup) -> Result<Scene, CliError> {
        let even_disk = setup.even_disk && on == On::Wall;
        let scratch = scratch(even_disk || on == On::Journal)?;
        let book = scratch.0.join("book");
        let config = config(on, &book, setup);
        let drag = if even_disk { Some(Drag::even()) } else { setup.drag.clone() };
        let engine = match drag {
            None => Engine::open(config)?,
            Some(drag) => {
                let store = SlowStore { inner: DirStore::create(&book)?, drag };
                Engine::open_on(store, config, HouseRules, &mut |_| {})?
            }
        };
        let mut trader = engine.control("trader:anna")?;
        let mut feeds = Vec::new();
        for name in ["eng-primary", "eng-backup", "sco"] {
            feeds.push(engine.feed_with(name, SILENCE, DELAY_BOUND)?);
        }
        let group = trader.define_group("ENG-1", feeds[PRIMARY].id(), feeds[BACKUP].id())?;
        let mut fixtures = Vec::new();
        for name in ["Arsenal-Chelsea", "Leeds-Everton", "Celtic-Rangers"] {
            fixtures.push(trader.define_fixture(name, Timestamp(0))?);
        }
        let mut markets = Vec::new();
        for (place, name) in NAMES.iter().enumerate() {
            let terms = MarketTerms::new(*name, SELECTIONS)
                .fixture(fixtures[place / 2])
                .age_bound(AGE_BOUND);
            let terms = match NEAR_MARKETS.contains(&place) {
                true => terms.group(group),
                false => terms.feed(feeds[FAR].id()),
            };
            markets.push(trader.define(terms)?);
        }
        let now = engine.now();
        let ours = [NEAR_MARKETS, NEAR_MARKETS, FAR_MARKETS];
        let voice = |((feed, markets_of), prices): ((Feed, Range<usize>), [Price; 3])| Voice {
            feed,
            source: true,
            sends: true,
            input: now,
            prices: markets_of.map(|place| (markets[place].id(), prices)).collect(),
            delay: Nanos::ZERO,
            quotes: true,
            sent: 0,
            next: now,
        };
        let mut voices: Vec<Voice> = feeds.into_iter().zip(ours).zip(PRICES).map(voice).collect();
        for voice in &mut voices {
            voice.say_everything(0, now)?;
        }
        for market in &markets {
            trader.open_market(market)?;
        }
        let level = match on {
            On::Journal => Level::ProcessCrashOnly,
            On::Wall => Level::Durable,
        };
        let mut client = engine.client_at(setup.credit, level)?;
        let mut accounts = Vec::new();
        for reference in 1..=8 {
            let account = client.open_account(Reference(reference), Currency::GBP)?;
            client.deposit(account, money!(1_000_000.00), key(u128::from(reference)))?;
            accounts.push(account);
        }
        let governor = Governing::new(&engine, on, setup.rules.clone())?;
        let mut events = engine.events();
        events.skip();
        let next = engine.now();
        let customers = Customers {
            client,
            accounts,
            bets_in: [true; NAMES.len()],
            sells_in: [false; NAMES.len()],
            asked: HashMap::new(),
            waiting: HashMap::new(),
            open: Default::default(),
            places: HashMap::new(),
            keys: 0,
            replies: vec![Reply::default(); 256],
        };
        Ok(Scene {
            engine,
            on,
            trader,
            group,
            voices,
            markets,
            customers,
            told: Default::default(),
            highest: 0,
            accepted: [0; NAMES.len()],
            refused: [0; NAMES.len()],
            sales: [(0, 0); NAMES.len()],
            events,
            governor,
            next,
            tick: setup.tick,
            even_disk,
            book,
            _scratch: scratch,
        })
    }

    /// The time on the engine's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.engine.now()
    }

    /// Where its book is.
    pub(crate) fn book(&self) -> &Path {
        &self.book
    }

    /// A story that begins now.
    pub(crate) fn story(&self, name: &'static str, about: &'static str) -> Story {
        let mut story = Story::new(name, about, self.on, self.now());
        if self.even_disk {
            story.tell(self.now(), "disk", EVEN_TOLD);
        }
        story
    }

    /// Decides everything that was sent, where nobody else does.
    pub(crate) fn turn(&self) -> Result<(), CliError> {
        if self.on == On::Journal {
            while !self.engine.turn()?.is_idle() {}
        }
        Ok(())
    }

    /// The feeds say what is due.
    pub(crate) fn speak(&mut self) -> Result<(), CliError> {
        let now = self.now();
        self.voices.iter_mut().try_for_each(|voice| voice.play(now))
    }

    /// A tick later everybody has spoken and asked, and nothing was decided: the loop stands.
    pub(crate) fn stand(&mut self) -> Result<(), CliError> {
        self.next = self.next.plus(self.tick);
        self.engine.clock().set(self.next);
        self.speak()?;
        let mut said = Vec::new();
        self.customers.ask(&self.markets, &mut said, self.next);
        self.count(&said);
        Ok(())
    }

    /// A tick later everybody does what is theirs to do: feeds speak, customers ask, and read.
    pub(crate) fn tick(&mut self) -> Result<Tick, CliError> {
        self.next = self.next.plus(self.tick);
        match self.on {
            On::Journal => self.engine.clock().set(self.next),
            On::Wall => {
                let early = self.next.since(self.now()).or_zero();
                std::thread::sleep(Duration::from_nanos(early.0.unsigned_abs()));
            }
        }
        let at = self.now();
        self.speak()?;
        self.turn()?;
        let mut deeds = self.governor.turn(self.now())?;
        self.turn()?;
        let mut said = Vec::new();
        self.customers.ask(&self.markets, &mut said, at);
        self.turn()?;
        self.customers.read(&mut said, self.engine.now());
        let mut events = Vec::new();
        // What a reader this close behind would miss is in the journal, and read from there at the end.
        while let Ok(Some(event)) = self.events.next() {
            events.push(event);
        }
        if matches!(self.governor, Governing::Turned(_)) {
            // What it sent was decided before the customers came.
            deeds.extend(self.governor.turn(self.now())?);
        }
        self.count(&said);
        Ok(Tick { at, said, events, deeds })
    }

    fn count(&mut self, said: &[Said]) {
        for said in said {
            let told = &mut self.told[said.market];
            match (said.reply.answer.kind(), said.wish) {
                (AnswerKind::Accepted, _) => {
                    told.accepted += 1;
                    self.accepted[said.market] += 1;
                    self.highest = self.highest.max(said.reply.answer.price.e4);
                }
                (AnswerKind::Done, Wish::Sale(_)) => self.sales[said.market].0 += 1,
                (AnswerKind::Refused, Wish::Sale(_)) => self.sales[said.market].1 += 1,
                (AnswerKind::Refused, Wish::Bet) => {
                    let reject = said.reply.answer.reject().unwrap_or(Reject::Malformed);
                    *told.refused.entry(reject).or_default() += 1;
                    self.refused[said.market] += 1;
                }
                _ => (),
            }
        }
    }

    /// Everybody plays for so long, and nothing is looked at but the counts.
    pub(crate) fn play(&mut self, span: Nanos) -> Result<(), CliError> {
        let until = self.next.plus(span);
        while self.next < until {
            self.tick()?;
        }
        Ok(())
    }

    /// Everybody plays until `seen` has something to say, for at most so long.
    pub(crate) fn play_until<T>(
        &mut self,
        within: Nanos,
        mut seen: impl FnMut(&Tick) -> Option<T>,
    ) -> Result<Option<T>, CliError> {
        let until = self.next.plus(within);
        while self.next < until {
            let tick = self.tick()?;
            if let Some(found) = seen(&tick) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether no bet of these markets was ever refused.
    pub(crate) fn untouched(&self, markets: Range<usize>) -> bool {
        self.refused[markets].iter().all(|refused| *refused == 0)
    }

    /// How many bets of these markets were sold, and how many sales were refused, since the beginning.
    pub(crate) fn sales(&self, markets: Range<usize>) -> (u64, u64) {
        self.sales[markets].iter().fold((0, 0), |(a, b), (sold, refused)| (a + sold, b + refused))
    }

    /// From here on customers are told of what they ask from here on: all earlier answers are read.
    pub(crate) fn forget_told(&mut self) -> Result<(), CliError> {
        self.drain()?;
        self.told = Default::default();
        Ok(())
    }

    /// Reads the answers to everything that was asked, for a bounded time.
    fn drain(&mut self) -> Result<(), CliError> {
        let until = std::time::Instant::now() + DRAIN;
        let mut said = Vec::new();
        while !self.customers.waiting.is_empty() && std::time::Instant::now() < until {
            self.turn()?;
            self.customers.read(&mut said, self.engine.now());
            if self.on == On::Wall {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.count(&said);
        Ok(())
    }

    /// Takes what customers were told in these markets, all together.
    pub(crate) fn take_told(&mut self, markets: Range<usize>) -> Told {
        let mut all = Told::default();
        for told in &mut self.told[markets] {
            let told = std::mem::take(told);
            all.accepted += told.accepted;
            for (reject, count) in told.refused {
                *all.refused.entry(reject).or_default() += count;
            }
        }
        all
    }

    /// The end: the last answers are read, the engine is shut down, and the journal is asked for the proof.
    pub(crate) fn close(mut self, story: &mut Story) -> Result<(), CliError> {
        self.drain()?;
        let accepted: u64 = self.accepted[FAR_MARKETS].iter().sum();
        let refused: u64 = self.refused[FAR_MARKETS].iter().sum();
        story.check(
            "the other league was not touched",
            refused == 0 && 0 < accepted,
            format!("{accepted} bets accepted, {refused} refused"),
        );
        let Scene { engine, trader, voices, customers, events, governor, book, _scratch, .. } =
            self;
        governor.end();
        let Customers { client, asked, .. } = customers;
        drop((trader, voices, client, events));
        engine.shutdown()?;
        prove(&book, &asked, story)
    }
}

/// Checks of the journal that every drill has to stand.
pub(crate) fn prove(
    book: &Path,
    asked: &HashMap<RequestKey, Became>,
    story: &mut Story,
) -> Result<(), CliError> {
    let journaled = Journaled::read(book)?;
    story.check(
        "no bet was committed at a price older than its bound",
        journaled.oldest <= AGE_BOUND,
        format!("{} bets, the oldest price {}", journaled.bets, seconds(journaled.oldest)),
    );
    let opened = |key: &RequestKey| journaled.opened.get(key).copied().unwrap_or(0);
    let (mut refused, mut executed, mut accepted, mut lost, mut open) = (0_u64, 0, 0_u64, 0, 0);
    for (key, became) in asked {
        match became {
            Became::NotTaken(_) | Became::Refused(_) => {
                refused += 1;
                executed += u64::from(0 < opened(key));
            }
            Became::Accepted(_) => {
                accepted += 1;
                lost += u64::from(opened(key) != 1);
            }
            Became::Sent => open += 1,
            Became::Waits(_) | Became::Done => (),
        }
    }
    story.check(
        "nothing refused was executed",
        executed == 0,
        format!("{refused} refusals, {executed} of them bets"),
    );
    story.check(
        "nothing accepted is lost, and nothing is there twice",
        lost == 0 && open == 0,
        format!("{accepted} acceptances, {lost} not journaled once, {open} never answered"),
    );
    let audit = audit::audit(book, None, By::Both)?;
    let findings: u64 = audit.findings_count();
    story.check(
        "the audit finds no violation, by the fold and by deciding all again",
        audit.is_sound(),
        format!("{} records, {findings} findings", audit.counts().records),
    );
    let view = View::open(book, HouseRules)?;
    let state = view.now();
    let mut sum: i128 = state.accounts().map(|a| i128::from(a.balance.0 + a.bonus.0)).sum();
    sum += HouseAccount::ALL.iter().map(|it| state.house(*it, Currency::GBP)).sum::<i128>();
    let sound = state.check();
    story.check(
        "the ledger adds up to zero, and so does everything that is kept beside it",
        sum == 0 && sound.is_ok(),
        sound.err().unwrap_or_else(|| format!("{sum}")),
    );
    Ok(())
}

/// What the journal says of bets, read record by record.
struct Journaled {
    bets: u64,
    oldest: Nanos,
    /// How often the request with this key opened a bet.
    opened: HashMap<RequestKey, u64>,
}

impl Journaled {
    fn read(book: &Path) -> Result<Journaled, CliError> {
        let mut found = Journaled { bets: 0, oldest: Nanos::ZERO, opened: HashMap::new() };
        let mut source = Source::open(book, 1, "reading what was journaled")?;
        while let Some((_, entry)) = source.next()? {
            let Some((_, events)) = entry.parts() else { continue };
            for event in EventReader::new(events).map_while(Result::ok) {
                match event {
                    Event::BetOpened(bet) => {
                        found.bets += 1;
                        found.oldest = found.oldest.max(bet.price_age);
                        *found.opened.entry(bet.key).or_default() += 1;
                    }
                    Event::TicketOpened(bet) => {
                        found.bets += 1;
                        *found.opened.entry(bet.key).or_default() += 1;
                    }
                    Event::LegBound(leg) => found.oldest = found.oldest.max(leg.price_age),
                    _ => (),
                }
            }
        }
        Ok(found)
    }
}

/// A directory of this drill's own, beside others of the same process: in memory, or on the disk.
pub(crate) fn scratch(in_memory: bool) -> Result<Scratch, CliError> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let above = in_memory.then(memory).flatten().unwrap_or_else(std::env::temp_dir);
    Scratch::beside(&above.join(format!("betring-scene-{number}")))
}

/// A directory in memory, where there is one with room: no disk is waited for.
fn memory() -> Option<PathBuf> {
    const ROOM: u64 = 1 << 29;
    let path = Path::new("/dev/shm");
    let found = rustix::fs::statvfs(path).ok()?;
    let writable = rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let room = found.f_bavail.saturating_mul(found.f_frsize);
    (writable && ROOM <= room).then(|| path.to_owned())
}

fn config(on: On, book: &Path, setup: &Setup) -> Config {
    // On the wall's clock segments are as long as in production, and made by a thread of their own: else the loop
    // writes all of the zeros itself, and everybody waits.
    let (clock, layout, level, (segment, ahead)) = match on {
        On::Journal => {
            (Clock::manual(START), Layout::Inline, Level::ProcessCrashOnly, (8 << 20, 0))
        }
        On::Wall => (Clock::wall(), Layout::Auto, Level::Durable, (64 << 20, 1)),
    };
    let config = Config::at(book)
        .clock(clock)
        .layout(layout)
        .capacities(Capacities {
            accounts: 64,
            markets: 16,
            selections: 64,
            bets: setup.bets,
            keys: 2 * setup.bets,
            feeds: 8,
            fixtures: 8,
            actors: 32,
            currencies: 2,
            quarantined: 4,
            legs: setup.bets,
            groups: 4,
            limited: 16,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        })
        .secret([7; 16])
        .control_ring(1_024)
        .clients(32, setup.credit.next_power_of_two().max(64))
        .segment_bytes(segment)
        .segments_ahead(ahead)
        .snapshot_at_stop(0)
        .events(setup.events)
        .outputs_level(level);
    let config = if on == On::Journal { config.cores(Cores::Unpinned) } else { config };
    (setup.config)(config)
}
