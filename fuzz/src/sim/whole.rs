//! Nights with the whole engine: its own rings, seats, handles and levels, turned inline over a disk that
//! lies. Fewer and slower than the nights of the bare loop, because an engine takes segments of a megabyte.
//!
//! The auditor reads the journal itself, through a reader, and clients poll through their handles. After an
//! error of the disk clients poll once more, as the threads of a process do that is about to end.
//!
//! What is asked comes from the seed alone. The engine waits in real time, so how many operations of the disk
//! a night takes may differ from play to play, and with it where a crash falls that counts operations.

use super::crowd::{Crowd, Stage};
use super::house::{Kept, Seen, Setup, digest_of, split};
use super::snapshots::{Came, Made, Shelf};
use super::{Counts, Failure, Input, guarded, one_answer, setup_of, wallets};
use crate::auditor::{Auditor, Ring, Violation};
use crate::workload::Rng;
use crate::world::Disk;
use betring::{
    Busy, BusyWhy, Client, Clock, Config, Control, Engine, EventStream, Intake, Lapped, Layout,
    Level, NotTaken, Recovered, Snapshot, WaitStrategy,
};
use betring_core::answer::{Answer, Reply};
use betring_core::command::{Capacities, Kind, PriceFailure, Shed, rounding_mode};
use betring_core::event::{EventReader, Events};
use betring_core::id::{RequestKey, Seq, Token};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{SLOT, Slot};
use betring_core::{HouseRules, Stamp, State};
use betring_journal::{ReadLevel, Reader};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use zerocopy::FromBytes;

/// Control handles wait for every answer; in a simulated disk's time that is at once.
const PATIENCE: Duration = Duration::from_millis(200);
/// Slots of the ring of bets: the fewest there can be.
const BET_SLOTS: usize = 256;

struct Open {
    // Before the engine, so that their seats are given back before it ends.
    clients: Vec<(usize, Client)>,
    control: Control,
    events: Option<EventStream>,
    engine: Engine,
}

struct Whole {
    setup: Setup,
    disk: Disk,
    clock: Clock,
    open: Option<Open>,
    /// True time, and what the wall shows beyond it.
    time: i64,
    wall: i64,
    auditor: Auditor,
    history: Vec<Kept>,
    /// The record that the auditor did not agree with.
    broke_at: Option<(Timestamp, Vec<u8>)>,
    /// Whether somebody reads events, rarely; and the sequence and index of the next one.
    listens: bool,
    next_event: (u64, usize),
    /// By client and token: what the record of an attempt said, in this run.
    decided: BTreeMap<(u16, u64), (Seq, Answer)>,
    /// Attempts of this run that were refused without a record: they never get one.
    refused: BTreeSet<(u16, u64)>,
    /// By account and key: every answer that was ever decided, and where.
    answers: BTreeMap<(u64, u128), Vec<(Seq, Answer)>>,
    unanswered: Vec<VecDeque<(Token, Vec<u8>)>>,
    unknown: Vec<(usize, Vec<u8>)>,
    told: BTreeMap<(u64, u128), Answer>,
    promised_durable: u64,
    promised_process: u64,
    may_fail: bool,
    sync_failed: bool,
    crashed: bool,
    /// Whether segments behind the older of two snapshots go to the archive.
    archive: bool,
    shelf: Shelf,
    counts: Counts,
}

impl Stage for Whole {
    fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn auditor(&self) -> &Auditor {
        &self.auditor
    }

    fn unknown(&mut self) -> &mut Vec<(usize, Vec<u8>)> {
        &mut self.unknown
    }
}

fn slots_of(bytes: &[u8]) -> Vec<Slot> {
    bytes.chunks_exact(SLOT).filter_map(|chunk| Slot::read_from_bytes(chunk).ok()).collect()
}

fn is_shed(busy: Busy) -> bool {
    matches!(busy.why, BusyWhy::CashOut | BusyWhy::Shed)
}

/// The doors go by what was said last of shedding, as the journal has it, in this run or an earlier one; the
/// configuration of these nights sheds nothing.
fn doors_keep_the_word(
    engine: &Engine,
    auditor: &Auditor,
    taken: &[&Vec<u8>],
    refused: Option<NotTaken>,
) -> Result<(), Violation> {
    let (mode, said) = (engine.shedding(), auditor.sheds().unwrap_or(Shed::Off));
    // What is decided and not written yet, nobody here has read.
    if engine.watch().decided().0 == auditor.seq() && mode != said {
        return Err(format!("the doors shed by {mode}, and what was said last is {said}"));
    }
    let sells = |bytes: &&Vec<u8>| bytes.first() == Some(&(Kind::CashOut as u8));
    if mode == Shed::On && taken.iter().any(sells) {
        return Err("a cash-out was let in while load is shed".to_owned());
    }
    match refused {
        Some(NotTaken::Overloaded(busy)) if is_shed(busy) && mode == Shed::Off => {
            Err(format!("no load is to be shed, and one was refused: {busy}"))
        }
        _ => Ok(()),
    }
}

impl Whole {
    fn new(seed: u64) -> Whole {
        let mut rng = Rng::new(seed ^ 0x3a01e);
        let mut setup = setup_of(seed);
        if rng.permille(500) {
            // More than there are slots in the ring: a burst fills it.
            setup.seats[2].credit = BET_SLOTS + 40;
        }
        let disk = Disk::new(seed ^ 0xd15c);
        disk.write_back(Rng::new(seed ^ 0xbac4).pick(&[0, 20, 100]));
        let seats = setup.seats.len();
        Whole {
            clock: Clock::manual(Timestamp(super::START)),
            setup,
            disk,
            open: None,
            time: super::START,
            wall: 0,
            auditor: Auditor::new(),
            history: Vec::new(),
            broke_at: None,
            listens: rng.permille(600),
            next_event: (1, 0),
            decided: BTreeMap::new(),
            refused: BTreeSet::new(),
            answers: BTreeMap::new(),
            unanswered: vec![VecDeque::new(); seats],
            unknown: Vec::new(),
            told: BTreeMap::new(),
            promised_durable: 0,
            promised_process: 0,
            may_fail: false,
            sync_failed: false,
            crashed: true,
            archive: Rng::new(seed ^ 0xa3c4).permille(700),
            shelf: Shelf::default(),
            counts: Counts { nights: 1, ..Counts::default() },
        }
    }

    fn config(&self) -> Config {
        let genesis = self.setup.genesis;
        let offers = genesis.price_failure == PriceFailure::Offer as u8;
        Config::at("nowhere")
            .layout(Layout::Inline)
            .wait(WaitStrategy::Park)
            .intake(Intake::open())
            .clock(self.clock.clone())
            .capacities(Capacities { keys: 2_048, ..self.setup.capacities })
            .window(genesis.window)
            .age_bound(genesis.age_bound)
            .offer_ttl(genesis.offer_ttl)
            .price_failure(if offers { PriceFailure::Offer } else { PriceFailure::Refuse })
            .rounding(rounding_mode(genesis.rounding).unwrap_or_default())
            .step_budget(genesis.step_budget)
            .limits(genesis.limits)
            .secret(genesis.secret)
            .control_ring(256)
            .bet_ring(BET_SLOTS)
            .clients(8, 512)
            .segment_bytes(1 << 20)
            .segments_ahead(0)
            .events(64)
            .answer_within(PATIENCE)
            .snapshot_at_stop(1)
            .archive(self.archive)
    }

    fn act(&mut self, input: &Input) -> Result<(), Violation> {
        self.counts.inputs += 1;
        match input {
            Input::Publish { client, bytes } => self.publish(*client, bytes),
            Input::Burst { client, all } => self.publish_all(*client, all),
            Input::Listen => self.listen(),
            Input::Turn | Input::Cover => self.run(|open| open.engine.turn().map(|_| ())),
            Input::Sync => self.run(|open| open.engine.run_until_idle().map(|_| ())),
            Input::Poll { client, most } => self.poll(*client, *most),
            Input::Advance(span) => {
                self.time += span;
                self.clock.advance(Nanos(*span));
                Ok(())
            }
            Input::WallJump(span) => {
                // A running engine does not follow; the next one that is started begins with it.
                self.wall += span;
                self.counts.wall_jumps += 1;
                Ok(())
            }
            // Damage shows when a journal is opened, and the nights of the bare loop open many more.
            Input::Lie { .. } => Ok(()),
            Input::DieAfter(ops) => {
                self.disk.die_after((*ops).max(1));
                Ok(())
            }
            Input::FailAfter(ops, how) => {
                self.may_fail = true;
                self.disk.fail_after(*ops, *how);
                Ok(())
            }
            Input::Crash { power, seed } => {
                self.crash(*power, *seed);
                Ok(())
            }
            Input::Open { die_after, seed } => self.start(*die_after, *seed),
            Input::Snapshot { die_after, .. } => self.snapshot(*die_after),
            Input::Stop { die_after, .. } => self.shutdown(*die_after),
            Input::Spoil { spoil, stays, seed } => {
                let config = self.config().snapshot_at_stop(0);
                let open = |disk: Disk| {
                    let engine = Engine::open_on(disk, config.clone(), HouseRules, &mut |_| {});
                    let engine = engine.map_err(|e| e.to_string())?;
                    let found = engine.recovered();
                    let (base, last) = (found.snapshot.map(|seq| seq.0), found.kept_seq.0);
                    Ok(Came { base, last, digest: found.digest })
                };
                let how = (*spoil, *stays, *seed);
                self.shelf.spoil(&self.disk, how, &mut self.counts, open)
            }
        }
    }

    fn snapshot(&mut self, die_after: u64) -> Result<(), Violation> {
        let Some(open) = &self.open else { return Ok(()) };
        let before = self.shelf.sound(&self.disk);
        self.disk.die_in_snapshot(die_after);
        let made = open.engine.snapshot();
        self.disk.die_in_snapshot(0);
        if self.disk.is_dead() {
            self.counts.snapshots_failed += 1;
            self.stop();
            return Ok(());
        }
        self.made(&before, made.map_err(|e| e.to_string())).map(|_| ())
    }

    /// Whether somebody was told that it was made.
    fn made(&mut self, before: &[u64], made: Result<Snapshot, String>) -> Result<bool, Violation> {
        match made {
            Ok(made) => {
                let archived = made.archived.as_ref().map_or(0, |a| a.segments.len() as u64);
                let is_new = made.from != Some(made.seq);
                let made = Made { seq: made.seq.0, is_new, archived };
                let how = (self.archive, !self.may_fail);
                self.shelf.made(&self.disk, (before, made), how, &mut self.counts)?;
                Ok(true)
            }
            Err(_) if self.may_fail => {
                self.counts.snapshots_failed += 1;
                Ok(false)
            }
            Err(why) => Err(format!("no snapshot could be made on a sound disk: {why}")),
        }
    }

    /// A clean stop: what was asked is decided, everything is durable, and a snapshot is made.
    fn shutdown(&mut self, die_after: u64) -> Result<(), Violation> {
        let Some(Open { clients, control, events, engine }) = self.open.take() else {
            return Ok(());
        };
        drop((clients, control, events));
        let before = self.shelf.sound(&self.disk);
        self.disk.die_in_snapshot(die_after);
        let closed = engine.shutdown();
        self.disk.die_in_snapshot(0);
        self.stop();
        if self.disk.is_dead() {
            self.counts.snapshots_failed += 1;
            return Ok(());
        }
        self.read_records()?;
        self.forget_attempts();
        match closed {
            Ok(closed) => {
                // What was closed in order is durable, whatever became of the snapshot.
                self.promised_durable = closed.last_seq.0;
                let was_made = match closed.snapshot {
                    Some(made) => self.made(&before, made)?,
                    None => false,
                };
                self.counts.snapshots_at_stop += u64::from(was_made);
                Ok(())
            }
            Err(_) if self.may_fail => {
                self.sync_failed = true;
                self.counts.poisoned += 1;
                Ok(())
            }
            Err(why) => Err(format!("the engine did not stop in order on a sound disk: {why}")),
        }
    }

    fn publish(&mut self, client: usize, bytes: &[u8]) -> Result<(), Violation> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let slots = slots_of(bytes);
        if slots.is_empty() {
            return Ok(());
        }
        if self.setup.seats[client].ring == Ring::Control {
            // A handle that waits: its reply is durable when it comes.
            let Ok(ticket) = open.control.try_submit(&slots) else { return Ok(()) };
            self.counts.attempts += 1;
            let answered = open.control.wait(ticket, PATIENCE);
            // What its record breaks is said first: the reply only follows it.
            self.after(Ok(()))?;
            if let Ok(reply) = answered
                && self.open.is_some()
            {
                self.counts.replies += 1;
                self.promised_durable = self.promised_durable.max(reply.as_of.0);
                self.check_reply(Ring::Control, &reply, bytes)?;
            }
            return Ok(());
        }
        self.publish_all(client, &[bytes.to_vec()])
    }

    /// Customers' commands in one batch.
    fn publish_all(&mut self, client: usize, all: &[Vec<u8>]) -> Result<(), Violation> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let Some((_, handle)) = open.clients.iter_mut().find(|(seat, _)| *seat == client) else {
            return Ok(());
        };
        // A command that says that it is shorter or longer than it is would not be itself in a batch, but
        // several, or one with its neighbour.
        let is_itself = |bytes: &&Vec<u8>| {
            let slots = slots_of(bytes);
            slots.first().is_some_and(|first| first.slots() == slots.len())
        };
        let all: Vec<&Vec<u8>> = all.iter().filter(is_itself).collect();
        let slots: Vec<Slot> = all.iter().flat_map(|bytes| slots_of(bytes)).collect();
        let credit = self.setup.seats[client].credit;
        let submitted = handle.submit_batch(&slots);
        for (at, bytes) in all.iter().take(submitted.commands).enumerate() {
            let token = Token(submitted.first.0 + at as u64);
            self.unanswered[client].push_back((token, bytes.to_vec()));
            self.counts.attempts += 1;
        }
        // It was refused with so many in flight, those of this batch too.
        let flying = self.unanswered[client].len();
        if credit < self.unanswered[client].len() {
            return Err(format!(
                "client {client} has {} attempts in flight, and its credit is {credit}",
                self.unanswered[client].len()
            ));
        }
        if let Some(NotTaken::TooManyInFlight { .. }) = submitted.refused {
            self.counts.no_credit += 1;
            if flying < credit {
                return Err(format!("client {client} has {flying} of {credit} in flight, refused"));
            }
        }
        let (taken, refused) = (&all[..submitted.commands], submitted.refused);
        doors_keep_the_word(&open.engine, &self.auditor, taken, refused)?;
        if let Some(NotTaken::Overloaded(busy)) = submitted.refused
            && !is_shed(busy)
        {
            self.counts.overloaded += 1;
            let rings = open.engine.health().rings;
            let depth = rings.iter().find(|ring| ring.name == "bets").map_or(0, |ring| ring.depth);
            // A ticket takes several slots, all of them or none.
            let refused = all.get(submitted.commands);
            let needed = refused.map_or(1, |bytes| slots_of(bytes).len()) as u64;
            if depth + needed <= BET_SLOTS as u64 {
                return Err(format!(
                    "{depth} of {BET_SLOTS} slots are taken, and there is no room for {needed}"
                ));
            }
        }
        self.counts.not_taken += u64::from(submitted.refused.is_some());
        Ok(())
    }

    fn run(
        &mut self,
        what: impl FnOnce(&Open) -> Result<(), betring::Error>,
    ) -> Result<(), Violation> {
        let Some(open) = &self.open else { return Ok(()) };
        let result = what(open);
        self.after(result)
    }

    /// After the engine did something: what it recorded is checked; and if it stopped, it is gone.
    fn after(&mut self, result: Result<(), betring::Error>) -> Result<(), Violation> {
        let Some(open) = &self.open else { return Ok(()) };
        let stopped = result.is_err() || !open.clients.iter().all(|(_, client)| client.is_open());
        if self.disk.is_dead() {
            self.stop();
            return Ok(());
        }
        self.read_records()?;
        if !stopped {
            return Ok(());
        }
        if !self.may_fail {
            let why = result.err().map_or_else(|| "it is poisoned".to_owned(), |e| e.to_string());
            return Err(format!("the engine stopped on a sound disk: {why}"));
        }
        for client in 2..self.setup.seats.len() {
            self.poll(client, 64)?;
        }
        self.sync_failed = true;
        self.counts.poisoned += 1;
        // Nothing that it may do on its way out reaches the files any more.
        self.disk.die();
        self.stop();
        Ok(())
    }

    fn stop(&mut self) {
        self.open = None;
        for (client, unanswered) in self.unanswered.iter_mut().enumerate() {
            self.unknown.extend(unanswered.drain(..).map(|(_, bytes)| (client, bytes)));
        }
        self.forget_attempts();
    }

    /// Attempts of another run have the same numbers.
    fn forget_attempts(&mut self) {
        self.decided.clear();
        self.refused.clear();
    }

    /// Reads what the engine has appended, from the journal.
    fn read_records(&mut self) -> Result<(), Violation> {
        let from = self.auditor.seq() + 1;
        let disk = self.disk.aside();
        let wrong = |e: betring_journal::Error| format!("the journal cannot be read: {e}");
        let mut reader = Reader::open(disk, from, ReadLevel::Complete).map_err(wrong)?;
        while let Some(record) = reader.next().map_err(wrong)? {
            let Some((command, events)) = split(record.payload) else {
                return Err(format!("#{} holds no command", record.meta.seq));
            };
            let (seq, at) = (Seq(record.meta.seq), Timestamp(record.meta.ts));
            self.broke_at = Some((at, command.to_vec()));
            let answer = self.auditor.sequenced(seq, at, command, events)?;
            self.broke_at = None;
            self.counts.commands += 1;
            if let Ok((first, _)) = Slot::read_from_prefix(command) {
                let header = first.header();
                let attempt = (header.client.0, first.token().0);
                if self.refused.contains(&attempt) {
                    return Err(format!(
                        "attempt {attempt:?} was refused without a record, and has one at {seq}"
                    ));
                }
                self.decided.insert(attempt, (seq, answer));
                if header.key != RequestKey::NONE {
                    let request = (header.account, header.key.0);
                    self.answers.entry(request).or_default().push((seq, answer));
                }
            }
            self.history.push((at, command.to_vec(), events.to_vec()));
        }
        Ok(())
    }

    /// Reads events: each once, in order, as the journal has them; or the reader is told that it was lapped,
    /// and what it missed is in the journal.
    fn listen(&mut self) -> Result<(), Violation> {
        let Some(Open { events: Some(events), .. }) = &mut self.open else { return Ok(()) };
        loop {
            let (seq, index) = self.next_event;
            match events.next() {
                Ok(None) => return Ok(()),
                Ok(Some(told)) => {
                    let found = (seq..).zip(self.history.iter().skip(seq as usize - 1)).find_map(
                        |(at_seq, (at, _, bytes))| {
                            let index = if at_seq == seq { index } else { 0 };
                            let event = EventReader::new(bytes).nth(index)?.ok()?;
                            Some((at_seq, *at, index, event))
                        },
                    );
                    let said = (told.seq.0, told.at, told.index as usize, told.event);
                    if found != Some(said) {
                        return Err(format!(
                            "a reader of events was told {said:?}, and the journal's next is {found:?}"
                        ));
                    }
                    self.counts.heard += 1;
                    self.next_event = (said.0, said.2 + 1);
                }
                Err(Lapped { resume_after, ring_from }) => {
                    let read = resume_after.0 < seq + 1 && seq <= resume_after.0 + 1;
                    let in_journal = ring_from.0 <= self.history.len() as u64 + 1;
                    if !read || !in_journal || ring_from <= resume_after {
                        return Err(format!(
                            "a reader that had come to #{seq} was lapped after {resume_after} and goes on at \
                             {ring_from}; the journal has {}",
                            self.history.len()
                        ));
                    }
                    let missed = self.history.iter().take(ring_from.0 as usize - 1);
                    let missed = missed.skip(resume_after.0 as usize);
                    let missed: usize =
                        missed.map(|(.., bytes)| EventReader::new(bytes).count()).sum();
                    self.counts.heard += missed as u64;
                    self.counts.heard_late += missed as u64;
                    self.next_event = (ring_from.0, 0);
                }
            }
        }
    }

    fn poll(&mut self, client: usize, most: usize) -> Result<(), Violation> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let Some((_, handle)) = open.clients.iter_mut().find(|(seat, _)| *seat == client) else {
            return Ok(());
        };
        let mut replies = vec![Reply::default(); most.min(64)];
        let count = handle.poll(&mut replies);
        for reply in &replies[..count] {
            self.counts.replies += 1;
            let Some((token, bytes)) = self.unanswered[client].pop_front() else {
                return Err(format!("client {client} got a reply to nothing: {reply:?}"));
            };
            if token != reply.token {
                return Err(format!("client {client} waits for {token} and got {reply:?}"));
            }
            match self.setup.seats[client].level {
                Seen::Durable => {
                    self.promised_durable = self.promised_durable.max(reply.as_of.0);
                    one_answer(&mut self.told, reply)?;
                }
                Seen::Process => {
                    self.promised_process = self.promised_process.max(reply.as_of.0);
                }
                Seen::Applied => (),
            }
            self.check_reply(Ring::Bets, reply, &bytes)?;
        }
        Ok(())
    }

    fn check_reply(&mut self, ring: Ring, reply: &Reply, asked: &[u8]) -> Result<(), Violation> {
        let first = Slot::read_from_prefix(asked).map(|(slot, _)| slot).unwrap_or_default();
        let header = first.header();
        if (reply.account, reply.key) != (header.account, header.key) {
            return Err(format!("{reply:?} answers another request"));
        }
        let attempt = (reply.client.0, reply.token.0);
        match self.decided.get(&attempt) {
            Some((seq, answer)) if reply.answer == *answer && reply.as_of == *seq => Ok(()),
            Some((seq, answer)) => Err(format!(
                "attempt {} of {} was answered {reply:?}, and its record says {answer:?} at {seq}",
                reply.token, reply.client
            )),
            None => {
                self.counts.unsequenced += 1;
                self.without_a_record(ring, reply, asked)
            }
        }
    }

    /// A reply without a record repeats what its key was answered, or refuses this attempt for good.
    fn without_a_record(
        &mut self,
        ring: Ring,
        reply: &Reply,
        asked: &[u8],
    ) -> Result<(), Violation> {
        if reply.as_of.0 == self.auditor.seq() {
            // Nothing was decided since it was looked up: the rules can be asked exactly.
            self.auditor.unsequenced(ring, asked, reply)?;
        }
        if !reply.is_duplicate() {
            self.refused.insert((reply.client.0, reply.token.0));
            return if reply.answer.seq == Seq(0) {
                Ok(())
            } else {
                Err(format!("{reply:?} is no repetition, and the attempt has no record"))
            };
        }
        let decided = self.answers.get(&(reply.account, reply.key.0));
        let first = decided.and_then(|all| all.iter().rev().find(|(seq, _)| *seq <= reply.as_of));
        match first {
            Some((_, answer)) if *answer == reply.answer => Ok(()),
            Some((seq, answer)) => Err(format!(
                "request {}:{} was decided as {answer:?} at {seq}, and a retry was told {reply:?}",
                reply.account, reply.key
            )),
            None => Err(format!("{reply:?} repeats an answer that was never given")),
        }
    }

    fn crash(&mut self, power: bool, seed: u64) {
        self.counts.crashes += 1;
        self.counts.crashes_whole += 1;
        self.disk.die();
        self.stop();
        self.disk = if power { self.disk.power_cut(seed) } else { self.disk.kill(seed) };
        self.crashed = true;
        if power {
            self.promised_process = self.promised_durable;
        }
        self.may_fail = false;
        self.disk.heal();
    }

    fn start(&mut self, die_after: u64, seed: u64) -> Result<(), Violation> {
        if self.open.is_some() {
            return Ok(());
        }
        if !self.crashed {
            // A process that ended on its own leaves its stores, a machine does not.
            let ended = self.sync_failed;
            self.crash(!ended, seed);
        }
        if self.sync_failed {
            self.promised_process = self.promised_durable;
        }
        if die_after != 0 {
            // An engine's segments take more operations to make.
            self.disk.die_after(die_after * 4);
        }
        // The wall of the machine as it starts: the engine is not before its last record all the same.
        self.clock = Clock::manual(Timestamp(self.time + self.wall));
        let engine =
            match Engine::open_on(self.disk.clone(), self.config(), HouseRules, &mut |_| {}) {
                Ok(engine) => engine,
                Err(_) if self.disk.is_dead() => {
                    self.crashed = false;
                    return self.look_back();
                }
                Err(e) => return Err(format!("the engine does not open over a sound disk: {e}")),
            };
        self.look_back()?;
        self.same_as_everything(engine.recovered())?;
        let last = self.history.last().map_or(Timestamp(0), |(at, ..)| *at);
        if engine.now() < last {
            return Err(format!("the engine starts at {}, after a record of {last}", engine.now()));
        }
        let events = self.listens.then(|| engine.events());
        self.next_event = (self.history.len() as u64 + 1, 0);
        self.forget_attempts();
        self.counts.recoveries += u64::from(!engine.recovered().created);
        self.counts.cuts += u64::from(engine.recovered().cut.is_some());
        let mut clients = Vec::new();
        for (seat, place) in self.setup.seats.iter().enumerate().skip(2) {
            let level = match place.level {
                Seen::Durable => Level::Durable,
                Seen::Process => Level::ProcessCrashOnly,
                Seen::Applied => Level::AppliedOnlyMayVanish,
            };
            match engine.client_at(place.credit, level) {
                Ok(client) => clients.push((seat, client)),
                Err(e) => return Err(format!("no seat for client {seat}: {e}")),
            }
        }
        let control = match engine.control("anna") {
            Ok(control) => control,
            Err(_) if self.disk.is_dead() => {
                self.crashed = false;
                return Ok(());
            }
            Err(e) => return Err(format!("no control of an engine that opened: {e}")),
        };
        self.crashed = false;
        self.sync_failed = false;
        self.open = Some(Open { clients, control, events, engine });
        self.after(Ok(()))
    }

    /// What the journal holds now has to be what was decided, up to some sequence that nobody was
    /// promised more than; what follows is new.
    fn look_back(&mut self) -> Result<(), Violation> {
        let disk = self.disk.aside();
        let Ok(mut reader) = Reader::open(disk, 1, ReadLevel::Complete) else {
            return if self.history.is_empty() {
                Ok(())
            } else {
                Err("the journal is gone".to_owned())
            };
        };
        let mut kept = 0;
        while let Ok(Some(record)) = reader.next() {
            let Some((at, command, events)) = self.history.get(kept) else { break };
            let Some(found) = split(record.payload) else { break };
            if (record.meta.ts, found) != (at.0, (command.as_slice(), events.as_slice())) {
                break;
            }
            kept += 1;
        }
        let promised = self.promised_durable.max(self.promised_process);
        if (kept as u64) < promised {
            return Err(format!(
                "what was decided is kept up to #{kept}, and clients were told of #{promised} (durable \
                 #{}, process #{})",
                self.promised_durable, self.promised_process
            ));
        }
        self.promised_process = self.promised_durable;
        self.counts.records_lost += (self.history.len() - kept) as u64;
        if kept < self.history.len() {
            self.history.truncate(kept);
            for decided in self.answers.values_mut() {
                decided.retain(|(seq, _)| seq.0 <= kept as u64);
            }
            self.auditor = Auditor::new();
            for (at, (moment, command, events)) in self.history.iter().enumerate() {
                self.auditor.sequenced(Seq(at as u64 + 1), *moment, command, events)?;
            }
        }
        self.read_records()
    }

    /// What was recovered from a snapshot and what came after it is what all records make.
    fn same_as_everything(&mut self, found: &Recovered) -> Result<(), Violation> {
        let all = betring_journal::snapshots(&self.disk.aside()).unwrap_or_default();
        let told = |seq: &u64| {
            let name = betring_journal::snapshot_name(*seq);
            found.passed_over.iter().any(|why| why.contains(&name))
        };
        let passed_over: Vec<u64> = all.into_iter().filter(told).collect();
        let base = found.snapshot.map(|seq| seq.0);
        self.shelf.recovered(&self.disk, (base, &passed_over), &mut self.counts)?;
        let Some(base) = base else { return Ok(()) };
        let kept = found.kept_seq.0 as usize;
        let records = self
            .history
            .iter()
            .take(kept)
            .map(|(at, command, events)| (*at, command.as_slice(), events.as_slice()));
        let replayed = digest_of(HouseRules, records)?;
        if replayed != found.digest {
            return Err(format!(
                "the snapshot at #{base} and the journal make {} at #{kept}, and all records {replayed}",
                found.digest
            ));
        }
        Ok(())
    }

    /// The state that the engine has is the state that its records make, and what the rules say.
    fn compare(&mut self) -> Result<(), Violation> {
        self.act(&Input::Sync)?;
        self.listen()?;
        if let Some(Open { events: Some(_), .. }) = &self.open {
            let (seq, index) = self.next_event;
            let unheard = self.history.iter().skip(seq as usize - 1);
            let unheard: usize = unheard.map(|(.., all)| EventReader::new(all).count()).sum();
            if unheard != index {
                return Err(format!("{unheard} events from #{seq} on, {index} of them heard"));
            }
        }
        let Some(open) = &self.open else { return Ok(()) };
        let Ok((seq, digest, _)) = open.engine.digests() else { return Ok(()) };
        let mut state = State::new(HouseRules);
        let mut events = Events::new();
        for (at, (moment, command, _)) in self.history.iter().enumerate() {
            let stamp = Stamp { seq: Seq(at as u64 + 1), at: *moment };
            state.replay(stamp, command, &mut events).map_err(|e| e.to_string())?;
        }
        if (state.seq(), state.digest()) != (seq, digest) {
            return Err(format!(
                "the engine is at {seq} with digest {digest}, its records make {} with {}",
                state.seq(),
                state.digest()
            ));
        }
        self.auditor.compare(&state)?;
        self.auditor.compare_requests(&state)?;
        let records = self.history.iter();
        let records = records.map(|(_, command, events)| (command.as_slice(), events.as_slice()));
        self.counts.holds = wallets::check(records)?;
        Ok(())
    }
}

/// Plays the night of a seed with the whole engine.
///
/// # Errors
/// The first thing that does not hold.
pub fn night_of(seed: u64, steps: usize, wallets: bool) -> Result<Counts, Box<Failure>> {
    let mut machine = Whole::new(seed);
    let mut crowd = Crowd::new(seed).with_wallets(wallets);
    let mut inputs = Vec::with_capacity(steps);
    let mut broken = None;
    for _ in 0..steps {
        let input = crowd.next(&mut machine);
        inputs.push(input);
        let Some(input) = inputs.last() else { continue };
        if let Err(what) = guarded(|| machine.act(input)) {
            broken = Some(what);
            break;
        }
    }
    if broken.is_none() {
        broken = guarded(|| machine.compare()).err();
    }
    let mut counts = machine.counts.clone();
    counts.disk.add(&machine.disk.counts());
    counts.hits = machine.auditor.hits().clone();
    match broken {
        None => Ok(counts),
        Some(what) => {
            Err(Box::new(Failure { seed, step: inputs.len(), what, inputs, whole: true, wallets }))
        }
    }
}

/// Plays a list of inputs again with the whole engine.
///
/// # Errors
/// Where it breaks, and what does not hold.
pub(crate) fn replay(seed: u64, inputs: &[Input]) -> Result<(), (usize, Violation)> {
    play(&mut Whole::new(seed), inputs)
}

fn play(machine: &mut Whole, inputs: &[Input]) -> Result<(), (usize, Violation)> {
    for (at, input) in inputs.iter().enumerate() {
        guarded(|| machine.act(input)).map_err(|what| (at, what))?;
    }
    guarded(|| machine.compare()).map_err(|what| (inputs.len(), what))
}

/// What is left of a night that broke.
pub(crate) struct Left {
    pub(crate) setup: Setup,
    /// What the journal has, as far as the auditor agrees.
    pub(crate) records: Vec<Kept>,
    /// The record that it does not agree with, and what the rules say.
    pub(crate) broke_at: Option<(Timestamp, Vec<u8>)>,
    pub(crate) expected: Option<Answer>,
}

/// What a list of inputs leaves.
pub(crate) fn left_by(seed: u64, inputs: &[Input]) -> Left {
    let mut machine = Whole::new(seed);
    // Where it breaks was told before.
    let _ = play(&mut machine, inputs);
    let expected = machine.auditor.expected();
    let Whole { setup, history: records, broke_at, .. } = machine;
    Left { setup, records, broke_at, expected }
}
