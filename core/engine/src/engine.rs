//! The engine: opened over a directory, it serves until it is shut down or stops because of a failure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use betring_core::command::{self, Capacities, EpochOpened, Genesis, Shed, rounding_code};
use betring_core::event::{Event, Events};
use betring_core::id::{AccountId, Epoch, FeedId, MarketId, Seq};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Body, Header};
use betring_core::{Digest, HouseRules, LOGIC_VERSION, Rules, Stamp, State};
use betring_journal::{DirStore, EpochInfo, Journal, Options, SnapshotHeader, Store, Writer};
use zerocopy::IntoBytes;

use crate::admission::Admission;
use crate::client::{Client, Keys};
use crate::clock::Clock;
use crate::config::{Config, Level};
use crate::control::Control;
use crate::counters::gauge::{Gauge, Sources};
use crate::dead_letters::LetterBox;
use crate::decide::{Closed, Core, Drive, Inline, Questions, Records, Turn, meta};
use crate::dials::Dials;
use crate::egress::{Line, seats};
use crate::error::Error;
use crate::feed::{Desk, Feed};
use crate::governor::{self, GovernorTask, Instruments};
use crate::health::{
    BUSIEST, Counts, FeedHealth, GroupHealth, Health, IntakeHealth, MarketHealth, Rings,
};
use crate::ingress::{Inlet, Outlet, Ring, ring};
use crate::order_updates::OrderReader;
use crate::output::{EventStream, Exposures, Outputs, Prices, Readers};
use crate::pin::{self, Plan};
use crate::poison::{self, Pill};
use crate::record::{self, Journaler};
use crate::recover::{Cut, Progress, REPORT_EVERY, Recovered, Replayer, Stage};
use crate::shared::{Idle, Shared, Watch};
use crate::snapshot::{self, AtStop, Snapshot, SnapshotHealth, Snapshots};
use crate::view::View;

/// Credit of a control handle, which waits for every answer, and of a feed's.
const CONTROL_CREDIT: usize = 64;
const FEED_CREDIT: usize = 4096;

/// Whoever turns a loop that has no thread.
pub(crate) type Driver = Arc<dyn Drive>;

/// What is counted of each feed that has, or had, a handle.
pub(crate) type Desks = Mutex<BTreeMap<FeedId, Arc<Mutex<Desk>>>>;

/// Stands for the layouts of commands and events: a journal with others is refused.
pub const SCHEMA_HASH: u64 = schema_hash();

/// FNV-1a over the names, numbers and sizes of all events, and of the command's slot.
const fn schema_hash() -> u64 {
    const fn byte(hash: u64, byte: u8) -> u64 {
        (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
    }
    let mut hash = byte(0xcbf2_9ce4_8422_2325, wire::SLOT as u8);
    let mut at = 0;
    while at < Event::LAYOUTS.len() {
        let (name, kind, bytes) = Event::LAYOUTS[at];
        let mut letter = 0;
        while letter < name.len() {
            hash = byte(hash, name.as_bytes()[letter]);
            letter += 1;
        }
        hash = byte(byte(byte(hash, kind), bytes as u8), (bytes >> 8) as u8);
        at += 1;
    }
    hash
}

/// The engine. It serves from when it is open; dropped, it shuts down.
pub struct Engine {
    shared: Arc<Shared>,
    control: Mutex<Outlet>,
    bets: Mutex<Outlet>,
    rings: Rings,
    readers: Readers,
    driver: Option<Driver>,
    thread: Option<JoinHandle<Option<Closed>>>,
    questions: Arc<Questions>,
    recovered: Recovered,
    plan: Plan,
    pinned: Arc<Mutex<(Option<usize>, Option<usize>)>>,
    path: Option<PathBuf>,
    handles: AtomicU32,
    desks: Arc<Desks>,
    credit_max: usize,
    within: Duration,
    snapshots: Arc<Snapshots>,
    snapshotter: Option<JoinHandle<()>>,
    counters: Option<Teller>,
}

/// The thread that writes the counters.
struct Teller {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("status", &self.shared.status())
            .field("epoch", &self.recovered.epoch)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "engine {}, {}", self.shared.status(), Watch(self.shared.clone()))
    }
}

impl Engine {
    /// Opens an engine under the house's rules: recovers what the journal holds, makes a new run
    /// durable, and serves.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Journal`] for a directory that another process has open, that is
    /// damaged, full or not permitted; [`Error::NotReproduced`] and its like if deciding the journal
    /// again gives something else; [`Error::PoisonPill`]; [`Error::Thread`].
    pub fn open(config: Config) -> Result<Engine, Error> {
        Engine::open_with(config, HouseRules, &mut |_| {})
    }

    /// The same under an operator's own rules, telling how far it is.
    ///
    /// # Errors
    /// Those of [`Engine::open`].
    pub fn open_with<R: Rules>(
        config: Config,
        rules: R,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Engine, Error> {
        config.check()?;
        let store = DirStore::create(&config.path)?;
        let path = config.path.clone();
        Engine::open_at(store, Some(path), config, rules, progress)
    }

    /// The same over files of another kind: a simulated disk. The directory of `config` is not used,
    /// and there are no views.
    ///
    /// # Errors
    /// Those of [`Engine::open`].
    pub fn open_on<S: Store, R: Rules>(
        store: S,
        config: Config,
        rules: R,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Engine, Error> {
        config.check()?;
        Engine::open_at(store, None, config, rules, progress)
    }

    fn open_at<S: Store, R: Rules>(
        store: S,
        path: Option<PathBuf>,
        config: Config,
        rules: R,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Engine, Error> {
        has_memory(&config.capacities)?;
        let began = Instant::now();
        // The mask is read before anything is pinned, and nothing is built on a pinned thread.
        let plan = pin::plan(config.layout, config.wait, config.cores, &pin::allowed());
        let options = Options {
            segment_bytes: config.segment_bytes,
            ready_segments: config.segments_ahead,
            ..Options::default()
        };
        let mut checking = |p: betring_journal::Progress| {
            progress(Progress {
                stage: Stage::Checking,
                records: p.records,
                bytes: p.bytes_done,
                total_bytes: p.bytes_total,
                seq: Seq(0),
            });
        };
        let mut base = None;
        let mut accept = |header: &SnapshotHeader, image: Vec<u8>| {
            base = Some(snapshot::load(rules.clone(), header, &image)?);
            Ok(())
        };
        let (schema, accept) = (SCHEMA_HASH, &mut accept);
        let mut opened = Journal::open_from(store.clone(), options, schema, &mut checking, accept)?;
        let pills = poison::find(&store)?;

        let from = opened.base.map(|base| Seq(base.position.seq));
        let passed_over = opened.passed_over.iter().map(ToString::to_string).collect();
        let mut replayer = base.unwrap_or_else(|| Replayer::new(rules.clone()));
        while let Some(record) = opened.next_record()? {
            let (stamp, ..) = replayer.apply(&record)?;
            if replayer.records.is_multiple_of(REPORT_EVERY) {
                progress(Progress {
                    stage: Stage::Replaying,
                    records: replayer.records,
                    bytes: 0,
                    total_bytes: 0,
                    seq: stamp.seq,
                });
            }
        }
        let mut state = replayer.state;
        let kept_seq = state.seq();
        let (digest, money_digest) = (state.digest(), state.money_digest());
        let cut = opened.torn.map(|torn| Cut {
            segment: Seq(torn.segment),
            offset: torn.offset,
            bytes: torn.bytes,
        });
        let epoch = Epoch(opened.next_epoch());
        let secret = match (kept_seq, config.secret) {
            (Seq(0), None) => store.new_uuid().map_err(|source| Error::NoSecret { source })?,
            (_, given) => given.unwrap_or_default(),
        };

        config.clock.not_before(state.now());
        let mut writer = opened.begin_epoch(EpochInfo {
            epoch: epoch.0,
            logic_version: LOGIC_VERSION,
            rules_id: R::ID,
            rules_version: R::VERSION,
        })?;
        begin_run(&store, &mut state, &mut writer, &config, epoch, secret, cut, &pills)?;
        writer.seal_and_sync()?;
        poison::done(&store, &pills)?;
        let recovered = Recovered {
            created: kept_seq == Seq(0),
            kept_seq,
            cut,
            snapshot: from,
            passed_over,
            replayed: replayer.records,
            took: began.elapsed(),
            digest,
            money_digest,
            epoch,
            quarantined: pills.iter().map(|pill| (pill.account, pill.key)).collect(),
        };
        let archive = config.archive;
        let snapshots = Arc::new(Snapshots::new(store.clone(), rules.clone(), archive, from));
        let at_stop = AtStop { rules, records: config.snapshot_at_stop, archive, snapshots };
        let of = (store, path.as_deref());
        let mut engine = Engine::start(of, &config, plan, state, writer, recovered, at_stop)?;
        engine.path = path;
        if 0 < config.snapshot_every && engine.driver.is_none() {
            let (snapshots, shared) = (engine.snapshots.clone(), engine.shared.clone());
            let every = config.snapshot_every;
            let body = move || snapshots.run(&shared, every);
            engine.snapshotter = Some(spawn("betring-snapshot", body)?);
        }
        if let Some(path) = &engine.path
            && Nanos::ZERO < config.counters_every
            && engine.driver.is_none()
        {
            let mut gauge = Gauge::new(engine.sources(), path, config.counters_every);
            // Whoever looks as soon as it is open finds the file.
            gauge.tell();
            let stop = Arc::new(AtomicBool::new(false));
            let stopped = stop.clone();
            let thread = spawn("betring-counters", move || gauge.run(&stopped))?;
            engine.counters = Some(Teller { stop, thread });
        }
        Ok(engine)
    }

    /// Builds rings, outputs and threads around a state that may serve.
    fn start<S: Store, R: Rules>(
        (store, path): (S, Option<&Path>),
        config: &Config,
        plan: Plan,
        state: State<R>,
        writer: Writer<S>,
        recovered: Recovered,
        at_stop: AtStop<R>,
    ) -> Result<Engine, Error> {
        let mut outputs =
            Outputs::new(config.events, config.outputs_level, &state.capacities(), recovered.epoch);
        outputs.prime(&state);
        let readers = outputs.readers();
        let capacities = state.capacities();
        let dials = Dials::new(&capacities);
        dials.prime(&state);
        let opened = config.clock.now();
        let admission = Admission::new(config.intake, opened, capacities.markets, config.bet_ring);
        // What was said of shedding outlives the run in which it was said.
        admission.go_by(state.shedding());
        let letters = LetterBox::new(path, config.dead_letters);
        let shared = Arc::new(Shared::new(
            config.clock.clone(),
            state.window(),
            writer.process_seq(),
            writer.durable_seq(),
            config.clients,
            plan.wait,
            (admission, dials, letters),
        ));
        for warning in &plan.warnings {
            shared.warn(warning.clone());
        }
        let (control, control_in, control_taken) = ring(Ring::Control, config.control_ring);
        let (bets, bets_in, bets_taken) = ring(Ring::Bets, config.bet_ring);
        let of_bets = (bets_taken.clone(), config.bet_ring);
        let (reply_outlets, seats) = seats(config.clients, config.credit_max, of_bets);
        let questions: Arc<Questions> = Arc::default();
        let patient = plan.threads() != 0;
        let journaler = Journaler::new(writer, outputs, shared.clone(), patient);
        let pinned = Arc::new(Mutex::new((None, None)));

        let mut depth_of_records = None;
        let records = if plan.threads() == 2 {
            let (outlet, inlet, depth) = record::record_ring();
            depth_of_records = Some(depth);
            let (shared, pinned) = (shared.clone(), pinned.clone());
            let (core, idle) = (plan.journal, Idle::new(plan.wait));
            let thread = spawn("betring-journal", move || {
                settle_down(&shared, core, |core| lock(&pinned).1 = core);
                let id = rustix::thread::gettid().as_raw_nonzero().get();
                shared.threads.journal.store(id, Ordering::Relaxed);
                record::run(inlet, journaler, &shared, idle);
            })?;
            Records::There(outlet, thread)
        } else {
            Records::Here(Box::new(journaler))
        };
        let inlets: (Inlet, Inlet) = (control_in, bets_in);
        let snapshots = at_stop.snapshots.clone();
        let core = Core::new(
            (state, at_stop),
            inlets,
            reply_outlets,
            records,
            shared.clone(),
            store,
            questions.clone(),
        );
        let (mut driver, mut thread) = (None, None);
        if plan.threads() == 0 {
            driver = Some(Arc::new(Inline::new(core)) as Driver);
        } else {
            let (shared, pinned) = (shared.clone(), pinned.clone());
            let (on, idle) = (plan.decide, Idle::new(plan.wait));
            thread = Some(spawn("betring-loop", move || {
                settle_down(&shared, on, |core| lock(&pinned).0 = core);
                let id = rustix::thread::gettid().as_raw_nonzero().get();
                shared.threads.decide.store(id, Ordering::Relaxed);
                core.run(idle)
            })?);
        }
        Ok(Engine {
            shared,
            control: Mutex::new(control),
            bets: Mutex::new(bets),
            rings: Rings {
                seats: Arc::new(seats),
                taken: [control_taken, bets_taken],
                slots: [config.control_ring, config.bet_ring],
                records: depth_of_records,
            },
            readers,
            driver,
            thread,
            questions,
            recovered,
            plan,
            pinned,
            path: None,
            handles: AtomicU32::new(1),
            desks: Arc::default(),
            credit_max: config.credit_max,
            within: config.answer_within,
            snapshots,
            snapshotter: None,
            counters: None,
        })
    }

    /// What its counters are read off.
    fn sources(&self) -> Sources {
        Sources {
            shared: self.shared.clone(),
            rings: self.rings.clone(),
            readers: self.readers.clone(),
            snapshots: self.snapshots.clone(),
            epoch: self.recovered.epoch,
            layout: self.plan.layout,
        }
    }

    /// What was found when it was opened.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// The journal's directory; none over files of another kind.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The time on its clock.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Its clock.
    pub fn clock(&self) -> Clock {
        self.shared.clock.clone()
    }

    /// How far ahead the time limit of a request may be.
    pub fn window(&self) -> Nanos {
        self.shared.window
    }

    /// How far it is, for any thread to watch.
    pub fn watch(&self) -> Watch {
        Watch(self.shared.clone())
    }

    /// The last sequence in the page cache.
    pub fn process_seq(&self) -> Seq {
        self.watch().process()
    }

    /// The last durable sequence.
    pub fn durable_seq(&self) -> Seq {
        self.watch().durable()
    }

    fn line(&self, ring: Ring, level: Level, credit: usize) -> Result<Line, Error> {
        if let Err(poisoned) = self.shared.accepts() {
            return Err(if poisoned {
                Error::Poisoned { why: self.shared.why() }
            } else {
                Error::Closed
            });
        }
        let outlet = match ring {
            Ring::Control => lock(&self.control).clone(),
            Ring::Bets => lock(&self.bets).clone(),
        };
        let (seats, shared) = (self.rings.seats.clone(), self.shared.clone());
        Line::new(outlet, seats, shared, self.driver.clone(), level, credit)
    }

    fn keys(&self) -> Keys {
        Keys::new(self.recovered.epoch.0, self.handles.fetch_add(1, Ordering::Relaxed))
    }

    /// A customer's connection whose replies are durable; so many attempts may be unanswered.
    ///
    /// # Errors
    /// [`Error::NoSeat`], [`Error::Credit`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn client(&self, credit: usize) -> Result<Client, Error> {
        self.client_at(credit, Level::Durable)
    }

    /// The same at another level: what it is told may then be taken back, as the level's name says.
    ///
    /// # Errors
    /// Those of [`Engine::client`].
    pub fn client_at(&self, credit: usize, level: Level) -> Result<Client, Error> {
        Ok(Client::new(self.line(Ring::Bets, level, credit)?, self.keys(), self.within))
    }

    /// The handle of an actor, registered by this name: a person, a governor.
    ///
    /// # Errors
    /// Those of [`Engine::client`], [`Error::Refused`], and those of a call that waits.
    pub fn control(&self, actor: &str) -> Result<Control, Error> {
        let line = self.line(Ring::Control, Level::Durable, CONTROL_CREDIT.min(self.credit_max))?;
        Control::register(line, self.keys(), actor, self.within)
    }

    /// The handle of a feed's adapter. The feed is defined if it is not; its actor is `feed:` and the
    /// name. Silent for longer than `silence_bound`, its prices are not bet on.
    ///
    /// # Errors
    /// Those of [`Engine::control`].
    pub fn feed(&self, name: &str, silence_bound: Nanos) -> Result<Feed, Error> {
        self.feed_with(name, silence_bound, Nanos::ZERO)
    }

    /// The same with a bound on how much longer than the feed's quickest a message may take.
    ///
    /// # Errors
    /// Those of [`Engine::control`].
    pub fn feed_with(
        &self,
        name: &str,
        silence_bound: Nanos,
        delay_bound: Nanos,
    ) -> Result<Feed, Error> {
        let mut control = self.control(&format!("feed:{name}"))?;
        let id = match control.define_feed(name, silence_bound, delay_bound) {
            Ok(id) => id,
            Err(Error::Refused(refusal))
                if refusal.reject == betring_core::reject::Reject::NameTaken =>
            {
                FeedId(refusal.answer.id as u16)
            }
            Err(e) => return Err(e),
        };
        let actor = control.actor();
        drop(control.into_line());
        // An adapter does nothing with its answers: that they are in the page cache is enough.
        let credit = FEED_CREDIT.min(self.credit_max);
        let line = self.line(Ring::Control, Level::ProcessCrashOnly, credit)?;
        let desk = lock(&self.desks).entry(id).or_default().clone();
        Ok(Feed::new(line, actor, id, desk))
    }

    /// A governor at work by these rules, as the actor `governor`. It does nothing by itself: whoever
    /// has it turns it, on a thread of its own. One at a time; a second one would undo what the first
    /// does.
    ///
    /// # Errors
    /// Those of [`Engine::control`].
    pub fn governor(&self, rules: governor::Rules) -> Result<GovernorTask, Error> {
        let control = self.control("governor")?;
        let (shared, seats) = (self.shared.clone(), self.rings.seats.clone());
        let instruments = Instruments { shared, seats, desks: self.desks.clone() };
        Ok(GovernorTask::new(rules, instruments, control))
    }

    /// A second state that follows the journal on its own thread, as far as it is durable.
    ///
    /// # Errors
    /// Those of reading the journal, [`Error::Thread`].
    pub fn view(&self) -> Result<View, Error> {
        self.view_with(HouseRules, Level::Durable)
    }

    /// The same at another level.
    ///
    /// # Errors
    /// Those of [`Engine::view`].
    pub fn view_at(&self, level: Level) -> Result<View, Error> {
        self.view_with(HouseRules, level)
    }

    /// The same under the rules that the engine was opened with.
    ///
    /// # Errors
    /// Those of [`Engine::view`].
    pub fn view_with<R: Rules>(&self, rules: R, level: Level) -> Result<View<R>, Error> {
        let place = String::from("memory: only the journal of a directory is followed");
        let path = self.path.as_ref().ok_or(betring_journal::Error::NotFound { place })?;
        View::follow(path, rules, level, self.shared.clone())
    }

    /// Makes a snapshot of everything that is durable now, so that the next opening begins there. A
    /// replica does it, on this thread, which never touches the loop; it takes as long as deciding
    /// again what came since the newest snapshot, and needs the memory of a second state. (With
    /// `Layout::Inline` the loop is this thread's, and stands meanwhile.)
    ///
    /// # Errors
    /// [`Error::NoSnapshot`], [`Error::Poisoned`], [`Error::Closed`], and those of reading, replaying
    /// and writing; the engine goes on.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        if let Err(poisoned) = self.shared.accepts() {
            return Err(if poisoned {
                Error::Poisoned { why: self.shared.why() }
            } else {
                Error::Closed
            });
        }
        self.snapshots.take(Seq(self.shared.durable.get()))
    }

    /// What became of its snapshots.
    pub fn snapshots(&self) -> SnapshotHealth {
        self.snapshots.health()
    }

    /// Events, from now on.
    pub fn events(&self) -> EventStream {
        self.readers.events(&self.shared)
    }

    /// What becomes of orders of exchange markets, of one account or of all.
    pub fn order_updates(&self, of: Option<AccountId>) -> OrderReader {
        OrderReader::new(self.events(), of)
    }

    /// Prices in force, as far as they have reached the level of the [outputs](Config::outputs_level): what a bet is bound to
    /// may be newer. Take a reader once, before prices are set: while nobody reads what is durable, the journal is synced
    /// every 100 ms only, and the first look of a new reader may be as old.
    pub fn prices(&self) -> Prices {
        self.readers.prices(&self.shared)
    }

    /// What markets stand to lose.
    pub fn exposures(&self) -> Exposures {
        self.readers.exposures(&self.shared)
    }

    /// One turn of the loop, and a commit if it is time. Only with `Layout::Inline`.
    ///
    /// # Errors
    /// [`Error::NotInline`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn turn(&self) -> Result<Turn, Error> {
        self.driver.as_ref().ok_or(Error::NotInline)?.turn()
    }

    /// Turns until nothing is left to do and everything is durable; how many commands were taken.
    /// Only with `Layout::Inline`.
    ///
    /// # Errors
    /// [`Error::NotInline`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn run_until_idle(&self) -> Result<u64, Error> {
        self.driver.as_ref().ok_or(Error::NotInline)?.run_until_idle()
    }

    /// The last sequence and the digests of state and money, between two turns. It stops the loop for
    /// as long as that takes: for tests and checks.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`].
    pub fn digests(&self) -> Result<(Seq, Digest, Digest), Error> {
        let ask = || {
            let (to, from) = sync_channel(1);
            *self.questions.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
            self.shared.asked.store(true, Ordering::Release);
            self.shared.wake();
            from
        };
        let mut from = ask();
        loop {
            if let Some(driver) = &self.driver {
                driver.turn()?;
            }
            match from.recv_timeout(Duration::from_millis(1)) {
                Ok(digests) => return Ok(digests),
                Err(_) if self.shared.is_poisoned() => {
                    return Err(Error::Poisoned { why: self.shared.why() });
                }
                Err(_) if self.shared.has_ended() => return Err(Error::Closed),
                // Another thread's question took the place of this one.
                Err(RecvTimeoutError::Disconnected) => from = ask(),
                Err(RecvTimeoutError::Timeout) => (),
            }
        }
    }

    /// The digest of the whole state: see [`Engine::digests`].
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`].
    pub fn digest(&self) -> Result<Digest, Error> {
        self.digests().map(|(_, digest, _)| digest)
    }

    /// When markets are shed: as [`Control::set_shedding`] has said last, in this run or an earlier one, or
    /// else as the configuration says.
    pub fn shedding(&self) -> Shed {
        self.shared.admission.mode()
    }

    /// A market, as its instruments show it; none if it is not there.
    pub fn market_health(&self, market: MarketId) -> Option<MarketHealth> {
        let found = MarketHealth::of(&self.shared, market.index(), self.now())?;
        (found.id == market).then_some(found)
    }

    /// How it is.
    pub fn health(&self) -> Health {
        let shared = &self.shared;
        let now = self.now();
        let (decided, durable) = (shared.decided.load(Ordering::Acquire), shared.durable.get());
        let (decide_core, journal_core) = *lock(&self.pinned);
        let clock = shared.clock.health();
        let mut warnings = shared.warnings();
        warnings.extend(clock.warning());
        Health {
            status: shared.status(),
            epoch: self.recovered.epoch,
            seq: Seq(decided),
            process_seq: Seq(shared.process.get()),
            durable_seq: Seq(durable),
            lag: decided.saturating_sub(durable),
            rings: self.rings.health().collect(),
            seats: self.rings.seats.usage(),
            layout: self.plan.layout,
            wait: self.plan.wait,
            decide_core,
            journal_core,
            decide_thread: shared.threads.decide.load(Ordering::Relaxed),
            journal_thread: shared.threads.journal.load(Ordering::Relaxed),
            warnings,
            clock,
            counts: Counts::of(shared),
            intake: IntakeHealth::of(shared, now),
            feeds: FeedHealth::all(shared, &self.desks, now),
            groups: shared.dials.groups().map(GroupHealth::from).collect(),
            busiest: MarketHealth::busiest(shared, BUSIEST, now),
            refused: shared.dials.refusals().collect(),
            dead_letters: shared.letters.health(),
        }
    }

    /// Takes no more commands, decides those that were taken, makes everything durable, and ends.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if it could not end in order.
    pub fn shutdown(mut self) -> Result<Closed, Error> {
        self.close()
    }

    fn close(&mut self) -> Result<Closed, Error> {
        // While a snapshot is made the journal's lock must be held.
        self.snapshots.stop();
        if let Some(thread) = self.snapshotter.take() {
            // One that panicked has made no snapshot, and that is all.
            let _ = thread.join();
        }
        self.shared.stop();
        let closed = match (&self.driver, self.thread.take()) {
            (Some(driver), _) => driver.close(),
            (None, Some(thread)) => thread.join().unwrap_or_else(|_| {
                // Everything that can panic there is caught; this is for what cannot.
                self.shared.poison("the loop's thread panicked".into());
                self.shared.end();
                None
            }),
            (None, None) => None,
        };
        if let Some(counters) = self.counters.take() {
            // The last thing that it writes is how this ended.
            counters.stop.store(true, Ordering::Release);
            counters.thread.thread().unpark();
            // One that panicked has written no more, which shows.
            let _ = counters.thread.join();
        }
        match closed {
            Some(closed) => Ok(closed),
            None if self.shared.is_poisoned() => Err(Error::Poisoned { why: self.shared.why() }),
            None => Err(Error::Closed),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Already closed, or closed now; whoever wants to know uses `shutdown`.
        let _ = self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is memory for these capacities: where there is none, making room would end the process.
fn has_memory(capacities: &Capacities) -> Result<(), Error> {
    let system = rustix::system::sysinfo();
    let unit = u64::from(system.mem_unit);
    let all = (system.totalram as u64).saturating_mul(unit);
    let all = all.saturating_add((system.totalswap as u64).saturating_mul(unit));
    let bytes = capacities.bytes();
    let needed = bytes.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let (largest, of_it) = bytes.into_iter().max_by_key(|(_, bytes)| *bytes).unwrap_or_default();
    // Asked for as one piece, too: the process may have a limit of its own.
    let given = Vec::<u8>::new().try_reserve_exact(usize::try_from(needed).unwrap_or(usize::MAX));
    if needed <= all && given.is_ok() {
        return Ok(());
    }
    Err(Error::Config {
        what: format!("capacities that take {needed} bytes where there are {all}"),
        instead: format!("ask for fewer {largest}, which take {of_it} bytes"),
    })
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(body)
        .map_err(|source| Error::Thread { name, source })
}

/// A new thread goes where it was planned, or says why not.
fn settle_down(shared: &Shared, core: Option<usize>, tell: impl FnOnce(Option<usize>)) {
    match pin::pin(core) {
        Ok(core) => tell(core),
        Err(warning) => shared.warn(warning),
    }
}

/// The first records of a run: in a new journal its Genesis; what was kept and cut; and requests that
/// have to be set aside.
#[expect(clippy::too_many_arguments, reason = "what a run begins with, once")]
fn begin_run<S: Store, R: Rules>(
    store: &S,
    state: &mut State<R>,
    writer: &mut Writer<S>,
    config: &Config,
    epoch: Epoch,
    secret: [u8; 16],
    cut: Option<Cut>,
    pills: &[Pill],
) -> Result<(), Error> {
    let mut events = Events::new();
    let kept_seq = state.seq();
    let at = config.clock.now().max(state.now());
    if kept_seq == Seq(0) {
        let genesis = Genesis {
            window: config.window,
            secret,
            age_bound: config.age_bound,
            offer_ttl: config.offer_ttl,
            price_failure: config.price_failure as u8,
            rounding: rounding_code(config.rounding),
            step_budget: config.step_budget,
            limits: config.limits,
            ..Genesis::default()
        };
        sequence(state, writer, at, &genesis, &mut events)?;
    }
    // Whatever stopped an earlier run has to find a place, or it would stop this one, too.
    let is_held =
        |state: &State<R>, pill: &Pill| state.quarantined().contains(&(pill.account, pill.key));
    let to_hold = pills.iter().filter(|pill| !is_held(state, pill)).count();
    let quarantined = state.quarantined().len().saturating_add(to_hold);
    let quarantined = u32::try_from(quarantined).unwrap_or(u32::MAX);
    let mut capacities = config.capacities;
    capacities.quarantined = capacities.quarantined.max(quarantined);
    let opened = EpochOpened {
        epoch,
        logic_version: LOGIC_VERSION,
        rules_id: R::ID,
        rules_version: R::VERSION,
        capacities,
        kept_seq,
        cut_segment: cut.map_or(Seq(0), |cut| cut.segment),
        cut_offset: cut.map_or(0, |cut| cut.offset),
        cut_bytes: cut.map_or(0, |cut| cut.bytes),
        ..EpochOpened::default()
    };
    // Runs follow each other without a gap. One that was killed after its number stood in a segment and
    // before its first record is told here: it began, and nothing happened in it.
    for number in state.epoch().0.saturating_add(1)..=epoch.0 {
        let opened = EpochOpened { epoch: Epoch(number), ..opened };
        sequence(state, writer, at, &opened, &mut events)?;
    }
    for pill in pills {
        let (account, key) = (pill.account, pill.key);
        let quarantine = command::Quarantine { account, key, ..command::Quarantine::default() };
        sequence(state, writer, at, &quarantine, &mut events)?;
        if !is_held(state, pill) {
            return Err(pill.not_held(store));
        }
    }
    Ok(())
}

fn sequence<S: Store, R: Rules, B: Body>(
    state: &mut State<R>,
    writer: &mut Writer<S>,
    at: Timestamp,
    body: &B,
    events: &mut Events,
) -> Result<(), Error> {
    let slots = wire::slots(Header::default(), body, &[]);
    let bytes = slots.as_slice().as_bytes();
    let stamp = Stamp { seq: state.seq().next(), at };
    state
        .replay(stamp, bytes, events)
        .map_err(|e| Error::NotReproduced { seq: stamp.seq, what: e.to_string() })?;
    writer.append_parts(meta(stamp, bytes[0]), &[bytes, events.as_bytes()])?;
    Ok(())
}
