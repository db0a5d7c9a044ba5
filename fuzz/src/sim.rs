//! The simulator: the real state and the real journal on a virtual clock and a disk that
//! lies, with the auditor at their shoulder.
//!
//! A night is a list of [`Input`]s. One number decides all of them ([`night_of`]), and the same list
//! always does the same, so a failure is repeated by its number and shortened by leaving inputs out.
//!
//! Most nights turn a second loop ([`house`]) around the real state and journal: a crash costs it
//! microseconds. Every eighth night of `cargo sim` has the engine that operators embed ([`whole`]): its own
//! loop, rings, handles and outputs.
//!
//! What has to hold is checked by [`Machine`] after every input: the record of every command and every reply
//! against the auditor's own decision; the whole state against the auditor's books; that no attempt which
//! was refused before sequencing ever has a record; one answer a key, for ever; credit; and after a crash that
//! what was recovered is what was decided up to some sequence, not before anything that was
//! promised at its level.

pub(crate) mod crowd;
pub mod house;
pub mod snapshots;
pub mod wallets;
pub mod whole;

use crate::auditor::{Auditor, Hits, Ring, Violation};
use crate::workload::Rng;
use crate::world::{Disk, DiskCounts, Failing, Lie};
use betring_core::HouseRules;
use betring_core::answer::{Answer, Reply};
use betring_core::command::{Capacities, Genesis, Kind, Limits, PriceFailure, rounding_code};
use betring_core::id::{RequestKey, Seq, Token};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Minor, Slot};
use betring_pricing::RoundingMode;
use house::{Found, House, Kept, NotTaken, Said, Seat, Seen, Setup};
use snapshots::{Made, Shelf, Spoil};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wallets::HoldCounts;
use zerocopy::FromBytes;

/// When every night starts: 2026-01-01 00:00 UTC.
pub const START: i64 = 1_767_225_600_000_000_000;
/// Records between two copies of the auditor that are kept to go back to.
const COPY_EVERY: u64 = 24;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A client publishes a command.
    Publish {
        /// Its seat.
        client: usize,
        /// The command; the facade sets client, token and moment.
        bytes: Vec<u8>,
    },
    /// The loop does a turn.
    Turn,
    /// Group commit.
    Sync,
    /// The last frame is covered.
    Cover,
    /// A client publishes all of this at once.
    Burst {
        /// Its seat.
        client: usize,
        /// The commands.
        all: Vec<Vec<u8>>,
    },
    /// Somebody who reads events now and then does so.
    Listen,
    /// A client reads replies, at most so many.
    Poll {
        /// Its seat.
        client: usize,
        /// How many.
        most: usize,
    },
    /// Time passes, in nanoseconds.
    Advance(i64),
    /// The wall clock jumps, in nanoseconds.
    WallJump(i64),
    /// The machine will stop so many operations of the disk from now.
    DieAfter(u64),
    /// A call will fail so many operations of the disk from now.
    FailAfter(u64, Failing),
    /// The machine or the process stops.
    Crash {
        /// The machine: what no sync covered may be gone. Otherwise the process.
        power: bool,
        /// Decides what is left.
        seed: u64,
    },
    /// The engine is started.
    Open {
        /// The machine stops at this operation of the disk; 0: it does not.
        die_after: u64,
        /// Decides what is left if it does.
        seed: u64,
    },
    /// Somebody damages a copy of the journal, and it is opened: damage is noticed.
    Lie {
        /// How.
        lie: Lie,
        /// Where.
        seed: u64,
    },
    /// A snapshot is made beside the loop.
    Snapshot {
        /// Whether segments behind the older of two go to the archive.
        archive: bool,
        /// The machine stops so many operations after its file was begun; 0: it does not.
        die_after: u64,
    },
    /// A clean stop, with a snapshot of the state as it is.
    Stop {
        /// Whether segments behind the older of two go to the archive.
        archive: bool,
        /// The machine stops so many operations after its file was begun; 0: it does not.
        die_after: u64,
    },
    /// Somebody damages snapshots of a copy of the journal, or the journal beside them, and that is opened.
    Spoil {
        /// How.
        spoil: Spoil,
        /// Whether the night goes on with damaged snapshots.
        stays: bool,
        /// Where.
        seed: u64,
    },
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Input::Publish { client, bytes } => {
                write!(f, "client {client} publishes {}", crate::auditor::describe(bytes))
            }
            Input::Burst { client, all } => {
                write!(f, "client {client} publishes {} commands at once", all.len())
            }
            other => write!(f, "{other:?}"),
        }
    }
}

/// What happened in nights.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Nights.
    pub nights: u64,
    /// Inputs.
    pub inputs: u64,
    /// Attempts that were published.
    pub attempts: u64,
    /// Attempts that were not taken: credit, full rings.
    pub not_taken: u64,
    /// Attempts that the facade did not take for the client's credit.
    pub no_credit: u64,
    /// Attempts that found the ring full.
    pub overloaded: u64,
    /// Jumps of the wall clock.
    pub wall_jumps: u64,
    /// Events that a reader saw as they happened, and those that it read from the journal after it was lapped.
    pub heard: u64,
    /// Those of the journal.
    pub heard_late: u64,
    /// Commands that were sequenced, the engine's own too.
    pub commands: u64,
    /// Replies that clients saw.
    pub replies: u64,
    /// Replies without a record.
    pub unsequenced: u64,
    /// Crashes: power cuts and ends of the process.
    pub crashes: u64,
    /// Those of them in nights with the whole engine.
    pub crashes_whole: u64,
    /// Openings that succeeded on a journal with records.
    pub recoveries: u64,
    /// Openings in which a torn tail was cut.
    pub cuts: u64,
    /// Openings in which records of an unsealed frame were kept.
    pub kept: u64,
    /// Records that crashes took back.
    pub records_lost: u64,
    /// Errors of the journal after which the engine was started again.
    pub poisoned: u64,
    /// Damage that was refused to be opened.
    pub damage_refused: u64,
    /// Damage after which nothing was missing.
    pub damage_harmless: u64,
    /// Damage to the very last frame, which one copy cannot tell from a torn tail.
    pub damage_torn: u64,
    /// Snapshots that were made.
    pub snapshots_made: u64,
    /// Those of them that were made at a clean stop.
    pub snapshots_at_stop: u64,
    /// Snapshots that an error or a crash kept from being made.
    pub snapshots_failed: u64,
    /// Openings that went on from a snapshot.
    pub snapshots_used: u64,
    /// Openings, of copies too, that went on from an older snapshot because a newer one was damaged.
    pub fell_back: u64,
    /// Openings, of copies too, that decided everything again because no snapshot could be used.
    pub fell_through: u64,
    /// Segments that went to the archive.
    pub archived: u64,
    /// Times that snapshots were damaged, or the journal beside them.
    pub spoiled: u64,
    /// Journals that ended before a snapshot of theirs, or went on otherwise, and were refused.
    pub rewound_refused: u64,
    /// What was done to the disks.
    pub disk: DiskCounts,
    /// What became of stakes that external wallets were asked to hold, in what is left of each night.
    pub holds: HoldCounts,
    /// How often which step of a life cycle was taken.
    pub hits: Hits,
}

impl Counts {
    /// Adds another count.
    pub fn add(&mut self, other: &Counts) {
        let Counts {
            nights,
            inputs,
            attempts,
            not_taken,
            no_credit,
            overloaded,
            wall_jumps,
            heard,
            heard_late,
            commands,
            replies,
            unsequenced,
            crashes,
            crashes_whole,
            recoveries,
            cuts,
            kept,
            records_lost,
            poisoned,
            damage_refused,
            damage_harmless,
            damage_torn,
            snapshots_made,
            snapshots_at_stop,
            snapshots_failed,
            snapshots_used,
            fell_back,
            fell_through,
            archived,
            spoiled,
            rewound_refused,
            disk,
            holds,
            hits,
        } = other;
        self.nights += nights;
        self.inputs += inputs;
        self.attempts += attempts;
        self.not_taken += not_taken;
        self.no_credit += no_credit;
        self.commands += commands;
        self.replies += replies;
        self.unsequenced += unsequenced;
        self.overloaded += overloaded;
        self.wall_jumps += wall_jumps;
        self.heard += heard;
        self.heard_late += heard_late;
        self.crashes += crashes;
        self.crashes_whole += crashes_whole;
        self.recoveries += recoveries;
        self.cuts += cuts;
        self.kept += kept;
        self.records_lost += records_lost;
        self.poisoned += poisoned;
        self.damage_refused += damage_refused;
        self.damage_harmless += damage_harmless;
        self.damage_torn += damage_torn;
        self.snapshots_made += snapshots_made;
        self.snapshots_at_stop += snapshots_at_stop;
        self.snapshots_failed += snapshots_failed;
        self.snapshots_used += snapshots_used;
        self.fell_back += fell_back;
        self.fell_through += fell_through;
        self.archived += archived;
        self.spoiled += spoiled;
        self.rewound_refused += rewound_refused;
        self.disk.add(disk);
        self.holds.add(holds);
        self.hits.add(hits);
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let disk = &self.disk;
        let lies = disk.flips + disk.misdirected + disk.stale_reads;
        writeln!(
            f,
            "{} nights: {} crashes ({} of the bare loop, {} of the whole engine; {} power cuts, {} ends of \
             the process), {} recoveries ({} torn tails cut, {} open frames kept, {} records taken back)",
            self.nights,
            self.crashes,
            self.crashes - self.crashes_whole,
            self.crashes_whole,
            disk.power_cuts,
            disk.kills,
            self.recoveries,
            self.cuts,
            self.kept,
            self.records_lost
        )?;
        writeln!(
            f,
            "{} commands decided of {} attempts ({} more not taken: {} for credit, {} for full rings), {} \
             replies seen, {} replies without a record, {} stops after an error; the wall jumped {} times; {} \
             events heard, {} of them from the journal after a lap",
            self.commands,
            self.attempts,
            self.not_taken,
            self.no_credit,
            self.overloaded,
            self.replies,
            self.unsequenced,
            self.poisoned,
            self.wall_jumps,
            self.heard,
            self.heard_late
        )?;
        writeln!(
            f,
            "{} faults of the disk in {} operations: {} sectors lost, {} torn, {} kept unasked, {} names \
             lost, {} lengths lost, {} written back early, {} calls failed, {} syncs dropped what they had",
            disk.faults(),
            disk.ops,
            disk.sectors_lost,
            disk.sectors_torn,
            disk.sectors_kept,
            disk.names_lost,
            disk.lengths_lost,
            disk.written_back,
            disk.failed_calls,
            disk.dropped_syncs
        )?;
        writeln!(
            f,
            "{} snapshots made ({} at a clean stop), {} not made for a crash or an error, {} segments \
             archived; {} recoveries went on from a snapshot; snapshots damaged {} times: {} fell back to \
             an older one, {} to everything, {} journals that are not those of their snapshots refused",
            self.snapshots_made,
            self.snapshots_at_stop,
            self.snapshots_failed,
            self.archived,
            self.snapshots_used,
            self.spoiled,
            self.fell_back,
            self.fell_through,
            self.rewound_refused
        )?;
        writeln!(f, "{}", self.holds)?;
        write!(
            f,
            "{} lies ({} flips, {} misdirected or lost, {} stale reads): {} refused, {} harmless, {} in the \
             very last frame, {} silent",
            lies,
            disk.flips,
            disk.misdirected,
            disk.stale_reads,
            self.damage_refused,
            self.damage_harmless,
            self.damage_torn,
            lies.saturating_sub(self.damage_refused + self.damage_harmless + self.damage_torn)
        )
    }
}

/// One decided command.
#[derive(Clone, Debug)]
struct Entry {
    at: Timestamp,
    command: Vec<u8>,
    events: Vec<u8>,
}

impl Entry {
    fn is(&self, (at, command, events): &Kept) -> bool {
        (*at, command, events) == (self.at, &self.command, &self.events)
    }

    fn borrowed(&self) -> (Timestamp, &[u8], &[u8]) {
        (self.at, &self.command, &self.events)
    }
}

fn borrowed((at, command, events): &Kept) -> (Timestamp, &[u8], &[u8]) {
    (*at, command, events)
}

/// One night: the house, its disk, its clients, and whoever checks them.
pub struct Machine {
    setup: Setup,
    disk: Disk,
    house: Option<House<HouseRules, Disk>>,
    auditor: Auditor,
    /// As it was before the first record.
    first: Auditor,
    copies: Vec<Auditor>,
    history: Vec<Entry>,
    /// True time, and what the wall shows beyond it.
    time: i64,
    wall: i64,
    opened_at: (i64, i64),
    /// The highest sequence that a client saw something as of, at its level.
    promised_durable: u64,
    promised_process: u64,
    /// A sync failed since the last start: what is only in the page cache is promised no more.
    sync_failed: bool,
    /// The machine or the process has stopped, and the disk shows what is left.
    crashed: bool,
    may_fail: bool,
    /// Attempts that were published and are not answered, by seat.
    unanswered: Vec<VecDeque<(Token, Vec<u8>)>>,
    /// Attempts that were refused without a record: they never get one.
    refused: BTreeSet<(u32, u16, u64)>,
    /// What durable clients were told of each key.
    told: BTreeMap<(u64, u128), Answer>,
    /// Requests whose fate their clients do not know.
    unknown: Vec<(usize, Vec<u8>)>,
    shelf: Shelf,
    counts: Counts,
    broke_at: Option<(Timestamp, Vec<u8>)>,
}

impl Machine {
    /// The machine of a night, switched off.
    pub fn new(seed: u64) -> Machine {
        Machine::with(setup_of(seed), seed)
    }

    /// The same with another setup.
    pub fn with(setup: Setup, seed: u64) -> Machine {
        let disk = Disk::new(seed ^ 0xd15c);
        disk.write_back(Rng::new(seed ^ 0xbac4).pick(&[0, 5, 50, 200]));
        let seats = setup.seats.len();
        Machine {
            setup,
            disk,
            house: None,
            auditor: Auditor::new(),
            first: Auditor::new(),
            copies: Vec::new(),
            history: Vec::new(),
            time: START,
            wall: 0,
            opened_at: (START, START),
            promised_durable: 0,
            promised_process: 0,
            sync_failed: false,
            crashed: true,
            may_fail: false,
            unanswered: vec![VecDeque::new(); seats],
            refused: BTreeSet::new(),
            told: BTreeMap::new(),
            unknown: Vec::new(),
            shelf: Shelf::default(),
            counts: Counts { nights: 1, ..Counts::default() },
            broke_at: None,
        }
    }

    /// The same, checked by another auditor.
    pub fn audited_by(self, auditor: Auditor) -> Machine {
        Machine { auditor: auditor.clone(), first: auditor, ..self }
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        // The lies were told on copies of the disk.
        counts.disk.add(&self.disk.counts());
        counts.hits = self.auditor.hits().clone();
        counts
    }

    /// The second implementation.
    pub fn auditor(&self) -> &Auditor {
        &self.auditor
    }

    /// Whether the engine serves.
    pub fn is_open(&self) -> bool {
        self.house.is_some()
    }

    /// How it is set up.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The engine's clock, or what it would begin with.
    pub fn now(&self) -> Timestamp {
        self.house.as_ref().map_or(Timestamp(self.time + self.wall), House::now)
    }

    /// Every record that is kept: when, the command, its events.
    pub fn decided(&self) -> impl Iterator<Item = (Timestamp, &[u8], &[u8])> {
        self.history.iter().map(|e| (e.at, e.command.as_slice(), e.events.as_slice()))
    }

    /// The command at which it broke.
    pub fn undecided(&self) -> Option<(Timestamp, Vec<u8>)> {
        let doing = || self.house.as_ref().and_then(House::doing);
        self.broke_at.clone().or_else(doing)
    }

    /// The records so far, as sentences: from this sequence on.
    pub fn records(&self, from: u64) -> impl Iterator<Item = String> + '_ {
        self.history.iter().enumerate().skip(from as usize).map(|(at, entry)| {
            let events: Vec<String> = betring_core::event::EventReader::new(&entry.events)
                .map(|event| event.map_or_else(|e| e.to_string(), |e| format!("{e:?}")))
                .collect();
            let command = crate::auditor::describe(&entry.command);
            format!("#{} at {}: {command}\n    {}", at + 1, entry.at, events.join("\n    "))
        })
    }

    /// Does one thing, and checks everything.
    ///
    /// # Errors
    /// What does not hold. The machine is of no use afterwards.
    pub fn act(&mut self, input: &Input) -> Result<(), Violation> {
        self.counts.inputs += 1;
        match input {
            Input::Publish { client, bytes } => self.publish(*client, bytes),
            Input::Burst { client, all } => {
                all.iter().try_for_each(|bytes| self.publish(*client, bytes))
            }
            // The bare loop has no events to read but its records.
            Input::Listen => Ok(()),
            Input::Turn => self.run(|house| house.turn().map(|_| ())),
            Input::Sync => self.run(House::sync),
            Input::Cover => self.run(House::cover),
            Input::Poll { client, most } => self.poll(*client, *most),
            Input::Advance(span) => {
                self.time += span;
                let now = self.opened_at.1 + (self.time - self.opened_at.0);
                if let Some(house) = &mut self.house {
                    house.set_now(Timestamp(now));
                }
                Ok(())
            }
            Input::WallJump(span) => {
                self.wall += span;
                self.counts.wall_jumps += 1;
                Ok(())
            }
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
            Input::Open { die_after, seed } => self.open(*die_after, *seed),
            Input::Lie { lie, seed } => self.lie(*lie, *seed),
            Input::Snapshot { archive, die_after } => self.snapshot(*archive, *die_after),
            Input::Stop { archive, die_after } => self.stop(*archive, *die_after),
            Input::Spoil { spoil, stays, seed } => {
                let segment_bytes = self.setup.segment_bytes;
                let open = |disk: Disk| {
                    house::recover(disk, &HouseRules, segment_bytes).map_err(|e| e.to_string())
                };
                let how = (*spoil, *stays, *seed);
                self.shelf.spoil(&self.disk, how, &mut self.counts, open)
            }
        }
    }

    fn publish(&mut self, client: usize, bytes: &[u8]) -> Result<(), Violation> {
        let Some(house) = &mut self.house else { return Ok(()) };
        let Some(unanswered) = self.unanswered.get_mut(client) else { return Ok(()) };
        match house.publish(client, bytes) {
            Ok(token) => {
                self.counts.attempts += 1;
                unanswered.push_back((token, bytes.to_vec()));
                let credit = self.setup.seats[client].credit;
                if credit < unanswered.len() {
                    let flying = unanswered.len();
                    return Err(format!(
                        "client {client} has {flying} attempts in flight, and its credit is {credit}"
                    ));
                }
            }
            Err(why) => {
                self.counts.not_taken += 1;
                self.counts.no_credit += u64::from(why == NotTaken::TooManyInFlight);
                self.counts.overloaded += u64::from(why == NotTaken::Overloaded);
                let credit = self.setup.seats[client].credit;
                if why == NotTaken::TooManyInFlight && unanswered.len() < credit {
                    return Err(format!(
                        "client {client} has {} attempts in flight of {credit}, and was refused for it",
                        unanswered.len()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Lets the house do something. If the journal fails, the house is gone, as a process that exits.
    fn run(
        &mut self,
        what: impl FnOnce(&mut House<HouseRules, Disk>) -> Result<(), betring_journal::Error>,
    ) -> Result<(), Violation> {
        let Some(house) = &mut self.house else { return Ok(()) };
        let result = what(house);
        let said = house.take_said();
        self.hear(said)?;
        if self.disk.is_dead() {
            // It stopped in the middle of this: whatever else seems to have been done was not.
            self.house = None;
            self.forget_clients();
            return Ok(());
        }
        if result.is_ok() {
            let Some(house) = &self.house else { return Ok(()) };
            self.auditor.compare(house.state())?;
            return house.state().check();
        }
        self.stopped(&result.err().map_or_else(String::new, |e| e.to_string()))
    }

    fn stopped(&mut self, why: &str) -> Result<(), Violation> {
        self.house = None;
        self.forget_clients();
        if !self.may_fail {
            return Err(format!("the journal failed on a sound disk: {why}"));
        }
        self.sync_failed = true;
        self.counts.poisoned += 1;
        Ok(())
    }

    /// Nobody will answer what is in flight: its clients do not know what became of it.
    fn forget_clients(&mut self) {
        for (client, unanswered) in self.unanswered.iter_mut().enumerate() {
            self.unknown.extend(unanswered.drain(..).map(|(_, bytes)| (client, bytes)));
        }
    }

    /// Checks what the house did.
    fn hear(&mut self, said: Vec<Said>) -> Result<(), Violation> {
        let mut answer: Option<(Seq, Answer)> = None;
        for said in said {
            match said {
                Said::Record { seq, at, command, events } => {
                    self.counts.commands += 1;
                    self.broke_at = Some((at, command.clone()));
                    let given = self.auditor.sequenced(seq, at, &command, &events)?;
                    self.broke_at = None;
                    answer = Some((seq, given));
                    self.recorded(&command)?;
                    if self.auditor.seq().is_multiple_of(COPY_EVERY) {
                        self.copies.push(self.auditor.clone());
                    }
                    self.history.push(Entry { at, command, events });
                }
                Said::Reply { ring, command, reply } => {
                    let sequenced = answer.take();
                    self.replied(ring, &command, &reply, sequenced)?;
                }
            }
        }
        Ok(())
    }

    /// No attempt that was refused without a record may have one.
    fn recorded(&self, command: &[u8]) -> Result<(), Violation> {
        let Some(slot) = Slot::read_from_prefix(command).ok().map(|(slot, _)| slot) else {
            return Ok(());
        };
        let of_a_client = Kind::from_code(command[0]).is_some_and(|kind| 5 < kind as u8);
        let attempt = (self.epoch(), slot.header().client.0, slot.token().0);
        if of_a_client && self.refused.contains(&attempt) {
            return Err(format!(
                "attempt {attempt:?} was refused without a record, and has one at #{}",
                self.auditor.seq()
            ));
        }
        Ok(())
    }

    fn epoch(&self) -> u32 {
        self.house.as_ref().map_or(0, |house| house.state().epoch().0)
    }

    fn replied(
        &mut self,
        ring: Ring,
        command: &[u8],
        reply: &Reply,
        sequenced: Option<(Seq, Answer)>,
    ) -> Result<(), Violation> {
        let first = Slot::read_from_prefix(command).ok().map(|(slot, _)| slot).unwrap_or_default();
        let header = first.header();
        let envelope = (reply.client, reply.token, reply.account, reply.key);
        if envelope != (header.client, first.token(), header.account, header.key) {
            return Err(format!("the reply {reply:?} answers another attempt than it was given"));
        }
        match sequenced {
            Some((seq, answer)) => {
                let good = reply.answer == answer && reply.as_of == seq && !reply.is_duplicate();
                if !good {
                    return Err(format!(
                        "{} was answered {reply:?} as of {}, and the rules say {answer:?} at {seq}",
                        crate::auditor::describe(command),
                        reply.as_of
                    ));
                }
            }
            None => {
                self.counts.unsequenced += 1;
                self.auditor.unsequenced(ring, command, reply)?;
                if !reply.is_duplicate() {
                    self.refused.insert((self.epoch(), reply.client.0, reply.token.0));
                }
            }
        }
        Ok(())
    }

    fn poll(&mut self, client: usize, most: usize) -> Result<(), Violation> {
        let Some(house) = &mut self.house else { return Ok(()) };
        let level = self.setup.seats[client].level;
        for reply in house.poll(client, most) {
            self.counts.replies += 1;
            let Some((token, _)) = self.unanswered[client].pop_front() else {
                return Err(format!("client {client} got a reply to nothing: {reply:?}"));
            };
            if token != reply.token {
                return Err(format!(
                    "client {client} waits for {token} and got the reply to {}: {reply:?}",
                    reply.token
                ));
            }
            match level {
                Seen::Durable => {
                    self.promised_durable = self.promised_durable.max(reply.as_of.0);
                    one_answer(&mut self.told, &reply)?;
                }
                Seen::Process => {
                    self.promised_process = self.promised_process.max(reply.as_of.0);
                }
                Seen::Applied => (),
            }
        }
        Ok(())
    }

    fn crash(&mut self, power: bool, seed: u64) {
        self.counts.crashes += 1;
        // Whatever the house still wants to write on its way out is not written.
        self.disk.die();
        self.house = None;
        self.forget_clients();
        self.disk = if power { self.disk.power_cut(seed) } else { self.disk.kill(seed) };
        self.crashed = true;
        if power {
            self.promised_process = self.promised_durable;
        }
        self.may_fail = false;
        self.disk.heal();
    }

    fn snapshot(&mut self, archive: bool, die_after: u64) -> Result<(), Violation> {
        let Some(house) = &self.house else { return Ok(()) };
        if house.durable() == Seq(0) {
            return Ok(());
        }
        let before = self.shelf.sound(&self.disk);
        self.disk.die_in_snapshot(die_after);
        let made = house.snapshot(archive);
        self.made(&before, made, archive).map(|_| ())
    }

    /// Whether somebody was told that it was made.
    fn made(
        &mut self,
        before: &[u64],
        made: Result<Made, String>,
        archive: bool,
    ) -> Result<bool, Violation> {
        self.disk.die_in_snapshot(0);
        if self.disk.is_dead() {
            self.counts.snapshots_failed += 1;
            self.house = None;
            self.forget_clients();
            return Ok(false);
        }
        match made {
            Ok(made) => {
                let how = (archive, !self.may_fail);
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

    fn stop(&mut self, archive: bool, die_after: u64) -> Result<(), Violation> {
        let Some(house) = self.house.take() else { return Ok(()) };
        self.forget_clients();
        let before = self.shelf.sound(&self.disk);
        self.disk.die_in_snapshot(die_after);
        match house.stop(archive) {
            Ok(made) => {
                // What was closed in order is durable, whatever became of the snapshot.
                if !self.disk.is_dead() {
                    self.promised_durable = self.history.len() as u64;
                }
                let was_made = self.made(&before, made, archive)?;
                self.counts.snapshots_at_stop += u64::from(was_made);
                Ok(())
            }
            Err(_) if self.disk.is_dead() => Ok(()),
            Err(why) => self.stopped(&why.to_string()),
        }
    }

    fn open(&mut self, die_after: u64, seed: u64) -> Result<(), Violation> {
        if self.house.is_some() {
            return Ok(());
        }
        if self.disk.is_dead() {
            // The machine stopped on its own: the power was cut.
            self.crash(true, seed);
        } else if !self.crashed {
            self.crash(false, seed);
        }
        if self.sync_failed {
            // A process that exits after a failed sync may lose what only the page cache had.
            self.promised_process = self.promised_durable;
        }
        self.may_fail = false;
        self.disk.heal();
        if die_after != 0 {
            self.disk.die_after(die_after);
        }
        let (mut found, mut said) = (None, Vec::new());
        let wall = Timestamp(self.time + self.wall);
        let opened =
            House::open(self.disk.clone(), HouseRules, &self.setup, wall, &mut found, &mut said);
        if let Some(found) = found {
            self.recovered(&found)?;
            if opened.is_ok() {
                self.counts.recoveries += u64::from(found.last != 0);
                self.counts.cuts += u64::from(found.cut);
                self.counts.kept += u64::from(found.kept);
            }
        }
        // What the new run appended may survive, though it was not opened.
        match opened {
            Ok(house) => {
                self.opened_at = (self.time, house.now().0);
                self.house = Some(house);
                self.sync_failed = false;
                self.crashed = false;
                self.hear(said)?;
                let Some(house) = &self.house else { return Ok(()) };
                self.auditor.compare(house.state())?;
                self.auditor.compare_requests(house.state())
            }
            Err(why) => {
                self.hear(said)?;
                if self.disk.is_dead() {
                    return Ok(());
                }
                Err(format!("the journal of a sound disk does not open: {why}"))
            }
        }
    }

    /// What was recovered has to be what was decided, up to some sequence that nobody was promised more
    /// than.
    fn recovered(&mut self, found: &Found) -> Result<(), Violation> {
        let kept = found.last as usize;
        if self.history.len() < kept {
            return Err(format!(
                "{kept} records were recovered, and only {} were ever decided",
                self.history.len()
            ));
        }
        let records = house::read(self.disk.aside(), found.last)
            .map_err(|e| format!("what was recovered cannot be read: {e}"))?;
        for (at, (record, entry)) in records.iter().zip(&self.history).enumerate() {
            if !entry.is(record) {
                return Err(format!("record #{} is not what was decided", at + 1));
            }
        }
        let opened = (found.base, found.passed_over.as_slice());
        self.shelf.recovered(&self.disk, opened, &mut self.counts)?;
        if let (Some(base), Some(digest)) = (found.base, found.digest) {
            let replayed = house::digest_of(HouseRules, records.iter().map(borrowed))?;
            if replayed != digest {
                return Err(format!(
                    "the snapshot at #{base} and the journal make {digest} at #{kept}, and all records \
                     {replayed}"
                ));
            }
        }
        let promised = self.promised_process.max(self.promised_durable);
        if (kept as u64) < promised {
            return Err(format!(
                "everything up to #{kept} was recovered, and clients were told of #{promised} (durable #{}, \
                 process #{})",
                self.promised_durable, self.promised_process
            ));
        }
        self.counts.records_lost += (self.history.len() - kept) as u64;
        self.promised_process = self.promised_durable;
        if kept as u64 == self.auditor.seq() {
            return Ok(());
        }
        self.history.truncate(kept);
        self.copies.retain(|copy| copy.seq() <= kept as u64);
        self.auditor = self.copies.last().unwrap_or(&self.first).clone();
        for (at, entry) in self.history.iter().enumerate().skip(self.auditor.seq() as usize) {
            let seq = Seq(at as u64 + 1);
            self.auditor.sequenced(seq, entry.at, &entry.command, &entry.events)?;
        }
        Ok(())
    }

    /// Damages a copy of the disk as it would be found now, and opens that.
    fn lie(&mut self, lie: Lie, seed: u64) -> Result<(), Violation> {
        let copy = self.disk.kill(seed);
        copy.heal();
        copy.write_back(0);
        // A sound copy says what there is, and which frame is the last.
        let sound = copy.kill(seed);
        let Ok(found) = house::look(sound, self.setup.segment_bytes) else { return Ok(()) };
        let all = found.len() as u64;
        let last_frame = last_frame(&copy);
        // One is read from its first record on, the other from its newest snapshot.
        let other = copy.kill(seed);
        let before = copy.counts();
        let Some(lied) = copy.lie(lie, seed) else { return Ok(()) };
        let after = copy.counts();
        self.counts.disk.flips += after.flips - before.flips;
        self.counts.disk.misdirected += after.misdirected - before.misdirected;
        self.counts.disk.stale_reads += after.stale_reads - before.stale_reads;
        // A write that takes the very last frame away, or lands on it, and damages the one before it with its
        // other end leaves nothing of the one that could prove the other.
        let ends = [Some(lied.offset), lied.to];
        let took_the_last = lied.to.is_some()
            && ends.into_iter().flatten().any(|offset| {
                last_frame.as_ref().is_some_and(|last| last.holds(&lied.file, offset))
            });
        let may_be_torn = |kept: u64| {
            took_the_last || last_frame.as_ref().is_none_or(|last| last.first_seq <= kept + 1)
        };
        if other.lie(lie, seed).is_some() {
            let recovered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                house::recover(other.clone(), &HouseRules, self.setup.segment_bytes)
            }));
            let Ok(recovered) = recovered else {
                return Err(format!("{lied}: recovery panicked"));
            };
            if let Ok(came) = recovered {
                let decided = self.history.len() as u64;
                if decided < came.last || (came.last < all && !may_be_torn(came.last)) {
                    return Err(format!(
                        "{lied}: recovery came to #{} of #{all} without a word",
                        came.last
                    ));
                }
                // A sector that a failed sync dropped may be there again with what it held before: then more is
                // found than on the sound copy, and that has to be what was decided.
                let records = found.iter().map(borrowed);
                let behind = self.history.iter().skip(found.len()).map(Entry::borrowed);
                let records = records.chain(behind).take(came.last as usize);
                if house::digest_of(HouseRules, records)? != came.digest {
                    return Err(format!("{lied}: recovery at #{} made another state", came.last));
                }
            }
        }
        let damaged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            house::look(copy.clone(), self.setup.segment_bytes)
        }));
        let Ok(damaged) = damaged else {
            return Err(format!("{lied}: opening panicked"));
        };
        let Ok(damaged) = damaged else {
            self.counts.damage_refused += 1;
            return Ok(());
        };
        for (at, (record, sound)) in damaged.iter().zip(&found).enumerate() {
            if record != sound {
                return Err(format!("{lied}: record #{} was read with other content", at + 1));
            }
        }
        let kept = damaged.len() as u64;
        let behind = damaged.iter().skip(found.len());
        let mut decided = self.history.iter().skip(found.len());
        if !behind.into_iter().all(|record| decided.next().is_some_and(|entry| entry.is(record))) {
            return Err(format!("{lied}: {kept} records were read of {all}, and not as decided"));
        }
        if all <= kept {
            self.counts.damage_harmless += 1;
            return Ok(());
        }
        if may_be_torn(kept) {
            self.counts.damage_torn += 1;
            return Ok(());
        }
        Err(format!(
            "{lied}: only #{kept} of #{all} were kept without a word; the last frame is {last_frame:?}"
        ))
    }

    /// Lets everything come to its end: replies are read, work is done, and nothing may be left.
    ///
    /// # Errors
    /// What does not hold.
    pub fn settle(&mut self) -> Result<(), Violation> {
        self.may_fail = false;
        self.disk.heal();
        if self.house.is_none() || self.disk.is_dead() {
            self.act(&Input::Crash { power: true, seed: 1 })?;
            self.act(&Input::Open { die_after: 0, seed: 2 })?;
        }
        for _ in 0..10_000 {
            let idle = self.house.as_ref().is_none_or(House::is_idle);
            self.act(&Input::Turn)?;
            if idle {
                break;
            }
        }
        self.act(&Input::Sync)?;
        for client in 0..self.setup.seats.len() {
            self.poll(client, usize::MAX)?;
            if !self.unanswered[client].is_empty() {
                return Err(format!(
                    "client {client} waits for ever for {:?}",
                    self.unanswered[client].iter().map(|(token, _)| *token).collect::<Vec<_>>()
                ));
            }
        }
        self.auditor.nothing_is_left()?;
        let records = self.history.iter();
        let records = records.map(|e| (e.command.as_slice(), e.events.as_slice()));
        self.counts.holds = wallets::check(records)?;
        let Some(house) = &self.house else { return Ok(()) };
        self.auditor.compare_requests(house.state())?;
        let (digest, last) = (house.state().digest(), house.state().seq().0);
        self.act(&Input::Stop { archive: true, die_after: 0 })?;
        // What was closed in order is all there, whatever the power does, and nothing is decided again.
        self.crash(true, 3);
        let disk = self.disk.kill(4);
        let came = house::recover(disk, &HouseRules, self.setup.segment_bytes)
            .map_err(|e| format!("what was closed in order does not open: {e}"))?;
        if (came.last, came.digest) != (last, digest) {
            return Err(format!(
                "it was closed at #{last} with {digest}, and opened at #{} with {}",
                came.last, came.digest
            ));
        }
        self.open(0, 4)
    }
}

impl crowd::Stage for Machine {
    fn is_open(&self) -> bool {
        self.house.is_some()
    }

    fn now(&self) -> Timestamp {
        Machine::now(self)
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

/// The last frame that has no frame behind it.
#[derive(Debug)]
struct LastFrame {
    first_seq: u64,
    file: String,
    offset: u64,
}

impl LastFrame {
    fn holds(&self, file: &str, offset: u64) -> bool {
        self.file == file && self.offset <= offset
    }
}

fn last_frame(disk: &Disk) -> Option<LastFrame> {
    let mut last = None;
    let looked = betring_journal::inspect(&disk.aside(), &mut |_| {}, &mut |frame| {
        last = Some(LastFrame {
            // An empty frame covers the one before it: then no record is in doubt.
            first_seq: if frame.records == 0 { frame.last_seq + 1 } else { frame.first_seq },
            file: format!("seg-{:020}.jnl", frame.segment),
            offset: frame.offset,
        });
    });
    looked.ok()?;
    last
}

/// A key has one answer, whoever asks and however often.
fn one_answer(told: &mut BTreeMap<(u64, u128), Answer>, reply: &Reply) -> Result<(), Violation> {
    let only_this_attempt = reply.answer.reject().is_some_and(|reject| !reject.is_decided());
    if reply.key == RequestKey::NONE || only_this_attempt {
        return Ok(());
    }
    let request = (reply.account, reply.key.0);
    match told.get(&request) {
        Some(first) if *first != reply.answer => Err(format!(
            "request {}:{} was answered {first:?} (at {}) and now {:?} (at {})",
            reply.account, reply.key, first.seq, reply.answer, reply.answer.seq
        )),
        Some(_) => Ok(()),
        None => {
            told.insert(request, reply.answer);
            Ok(())
        }
    }
}

/// How a night is set up.
pub fn setup_of(seed: u64) -> Setup {
    let mut rng = Rng::new(seed ^ 0x5e70);
    let tight = rng.permille(300);
    let customer = |level, credit| Seat { ring: Ring::Bets, level, credit };
    let unlimited = Limits::UNLIMITED.max_liability;
    let of_limit = |rng: &mut Rng| rng.pick(&[unlimited, unlimited, Minor(25_000)]);
    Setup {
        genesis: Genesis {
            window: Nanos::from_secs(rng.pick(&[5, 20, 60])),
            secret: std::array::from_fn(|_| rng.next() as u8),
            age_bound: Nanos::from_millis(1_500),
            offer_ttl: Nanos::from_millis(rng.pick(&[200, 2_000])),
            price_failure: rng.pick(&[PriceFailure::Refuse, PriceFailure::Offer]) as u8,
            rounding: rounding_code(rng.pick(&RoundingMode::ALL)),
            step_budget: rng.pick(&[1, 2, 3, 8]),
            limits: Limits {
                min_stake: Minor(rng.pick(&[1, 100])),
                max_stake: Minor(rng.pick(&[3_000, 20_000])),
                max_payout: Minor(rng.pick(&[20_000, 100_000])),
                max_liability: Minor(rng.pick(&[10_000, 60_000])),
                max_customer: of_limit(&mut rng),
                max_selection: of_limit(&mut rng),
                max_event: of_limit(&mut rng),
            },
            ..Genesis::default()
        },
        capacities: Capacities {
            accounts: if tight { 3 } else { 8 },
            markets: if tight { 2 } else { 6 },
            selections: if tight { 8 } else { 48 },
            bets: if tight { 6 } else { 64 },
            keys: if tight { 40 } else { 512 },
            feeds: 3,
            fixtures: 2,
            actors: 3,
            currencies: if tight { 1 } else { 2 },
            quarantined: 2,
            legs: if tight { 12 } else { 160 },
            groups: 2,
            limited: 3,
            orders: 512,
            positions: 48,
            stands: 256,
            levels: 1 << 14,
        },
        segment_bytes: rng.pick(&[16 << 10, 20 << 10, 32 << 10, 64 << 10]),
        ring_slots: rng.pick(&[16, 64]),
        seats: vec![
            Seat { ring: Ring::Control, level: Seen::Durable, credit: 16 },
            Seat { ring: Ring::Control, level: Seen::Durable, credit: 8 },
            customer(Seen::Durable, 12),
            customer(Seen::Durable, 3),
            customer(Seen::Process, 6),
            customer(Seen::Applied, 6),
        ],
    }
}

/// What broke, where, and how to see it again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The night.
    pub seed: u64,
    /// The number of the input at which it broke.
    pub step: usize,
    /// What does not hold.
    pub what: Violation,
    /// Everything that happened up to there.
    pub inputs: Vec<Input>,
    /// Whether it was played with the whole engine.
    pub whole: bool,
    /// Whether its customers' money was in external wallets.
    pub wallets: bool,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {:#x}, step {}: {}", self.seed, self.step, self.what)?;
        let with = match (self.whole, self.wallets) {
            (true, false) => "--engine",
            (true, true) => "--engine --wallets",
            (false, false) => "--bare",
            (false, true) => "--bare --wallets",
        };
        write!(f, "again: cargo sim {:#x} --runs 1 --steps {} {with}", self.seed, self.step.max(1))
    }
}

/// Plays the night of a seed for so many inputs, then lets everything come to its end. With `wallets` most
/// money is in external wallets, whose answers are slow, lost, doubled and late.
///
/// # Errors
/// The first thing that does not hold.
pub fn night_of(seed: u64, steps: usize, wallets: bool) -> Result<Counts, Box<Failure>> {
    let mut machine = Machine::new(seed);
    let mut crowd = crowd::Crowd::new(seed).with_wallets(wallets);
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
        broken = guarded(|| machine.settle()).err();
    }
    match broken {
        None => Ok(machine.counts()),
        Some(what) => {
            Err(Box::new(Failure { seed, step: inputs.len(), what, inputs, whole: false, wallets }))
        }
    }
}

/// What happens in the night of a seed.
pub fn inputs_of(seed: u64, steps: usize) -> Vec<Input> {
    let mut machine = Machine::new(seed);
    let mut crowd = crowd::Crowd::new(seed);
    let mut inputs = Vec::with_capacity(steps);
    for _ in 0..steps {
        let input = crowd.next(&mut machine);
        let broken = guarded(|| machine.act(&input)).is_err();
        inputs.push(input);
        if broken {
            break;
        }
    }
    inputs
}

/// Plays a list of inputs again.
///
/// # Errors
/// Where it breaks, and what does not hold.
pub fn replay(mut machine: Machine, inputs: &[Input]) -> Result<(), (usize, Violation)> {
    for (at, input) in inputs.iter().enumerate() {
        guarded(|| machine.act(input)).map_err(|what| (at, what))?;
    }
    guarded(|| machine.settle()).map_err(|what| (inputs.len(), what))
}

/// An assertion of the core that breaks is a violation as any other.
pub(crate) fn guarded(what: impl FnOnce() -> Result<(), Violation>) -> Result<(), Violation> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("it panicked: {}", text.unwrap_or_default()))
        }
    }
}
