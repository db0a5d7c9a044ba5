//! A loop of its own around the state and the journal, without rings and threads: take, stamp, admit, apply,
//! append, sync, release by level.
//!
//! It is not the engine's own loop but a second one, written to do what a turn of the engine does, over any
//! store: what it shows, it shows of the state and the journal. Its segments are far smaller than an engine
//! would take, so that a crash and the recovery after it cost microseconds. What it leaves out (the engine's
//! own loop, the rings, the handles in front of them, the outputs behind it) the nights of [`super::whole`]
//! bring.

use super::snapshots::{self, Came, Made};
use crate::auditor::Ring;
use betring_core::answer::Reply;
use betring_core::command::{Capacities, EpochOpened, Genesis, Kind, Lane, Step, Tick, decode};
use betring_core::event::Events;
use betring_core::id::{ClientId, Epoch, Seq, Token};
use betring_core::reject::Malformed;
use betring_core::time::Timestamp;
use betring_core::wire::{self, Body, Header, SLOT, Slot};
use betring_core::{Admission, Digest, LOGIC_VERSION, Rules, Stamp, State};
use betring_journal::{
    EpochInfo, Error, Journal, Options, ReadLevel, Reader, RecordMeta, SnapshotHeader, Store,
    Writer, record_bytes,
};
use std::collections::VecDeque;
use zerocopy::{FromBytes, IntoBytes};

/// Control commands and bets of a turn: fewer than an engine takes, so that a night has more turns.
const CONTROL_MAX: usize = 4;
const BETS_MAX: usize = 8;

/// What has to be true of a reply before a client may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// The device has it.
    Durable,
    /// The page cache has it.
    Process,
    /// It was decided.
    Applied,
}

/// A client's place: its ring, its level, its credit.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// The ring that it publishes into.
    pub ring: Ring,
    /// What it may see.
    pub level: Seen,
    /// How many attempts may be unanswered.
    pub credit: usize,
}

/// Why an attempt was not taken at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The ring is full.
    Overloaded,
    /// The credit is used up.
    TooManyInFlight,
    /// The facade saw that it can never be a command of this ring.
    Malformed,
    /// The engine has stopped.
    Stopped,
}

/// What the loop did.
#[derive(Clone, Debug)]
pub enum Said {
    /// A command was sequenced and recorded.
    Record {
        /// Its place.
        seq: Seq,
        /// Its moment.
        at: Timestamp,
        /// Its bytes.
        command: Vec<u8>,
        /// The bytes of its events.
        events: Vec<u8>,
    },
    /// An attempt was answered, by a record or without.
    Reply {
        /// The ring that brought it.
        ring: Ring,
        /// The attempt.
        command: Vec<u8>,
        /// What was said.
        reply: Reply,
    },
}

/// How a house is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the journal is born with.
    pub genesis: Genesis,
    /// What may be kept.
    pub capacities: Capacities,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Slots of each ring.
    pub ring_slots: usize,
    /// The clients' places.
    pub seats: Vec<Seat>,
}

struct Place {
    seat: Seat,
    token: u64,
    owed: usize,
    replies: VecDeque<Reply>,
}

/// The loop over a store.
pub struct House<R: Rules, S: Store> {
    setup: Setup,
    store: S,
    rules: R,
    state: State<R>,
    events: Events,
    writer: Writer<S>,
    control: VecDeque<Vec<u8>>,
    bets: VecDeque<Vec<u8>>,
    places: Vec<Place>,
    now: Timestamp,
    said: Vec<Said>,
    /// The command that is being decided.
    doing: Option<(Timestamp, Vec<u8>)>,
    step: [u8; SLOT],
    tick: [u8; SLOT],
}

/// A record: its moment, its command, its events.
pub type Kept = (Timestamp, Vec<u8>, Vec<u8>);

/// What opening found, before it changed anything that is served.
#[derive(Debug)]
pub struct Found {
    /// The snapshot that was gone on from.
    pub base: Option<u64>,
    /// The snapshots that could not be used.
    pub passed_over: Vec<u64>,
    /// The last sequence that was kept.
    pub last: u64,
    /// The state at it, if it could be decided again.
    pub digest: Option<Digest>,
    /// Whether a tail was cut.
    pub cut: bool,
    /// Whether records of an unsealed frame were kept.
    pub kept: bool,
}

/// Why a house is not open.
#[derive(Debug)]
pub enum NotOpen {
    /// The journal says so.
    Journal(Error),
    /// What the journal says cannot be decided again.
    NotReproduced(String),
}

impl std::fmt::Display for NotOpen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotOpen::Journal(e) => e.fmt(f),
            NotOpen::NotReproduced(what) => {
                write!(f, "the journal cannot be decided again: {what}")
            }
        }
    }
}

impl From<Error> for NotOpen {
    fn from(e: Error) -> NotOpen {
        NotOpen::Journal(e)
    }
}

/// Layouts of the payloads of these journals.
pub const SCHEMA: u64 = 0x6265_7472_696e_6773;

/// Splits a payload into the command and its events.
pub(crate) fn split(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let slots = u16::from_le_bytes([*payload.get(4)?, *payload.get(5)?]);
    payload.split_at_checked(usize::from(slots) * SLOT)
}

/// Opens the journal, checks every byte of it, and returns every record in it.
///
/// # Errors
/// What the journal says.
pub fn look<S: Store>(store: S, segment_bytes: u64) -> Result<Vec<Kept>, NotOpen> {
    let mut opened = Journal::open(store, Options::small(segment_bytes), SCHEMA, &mut |_| {})?;
    let mut records = Vec::new();
    while let Some(record) = opened.next_record()? {
        records.push(kept(&record)?);
    }
    Ok(records)
}

/// The first so many records, read beside whoever has the journal open, those in the archive too.
///
/// # Errors
/// What the journal says, and if there are fewer.
pub fn read<S: Store>(store: S, many: u64) -> Result<Vec<Kept>, NotOpen> {
    let mut records = Vec::new();
    if many == 0 {
        return Ok(records);
    }
    let mut reader = Reader::open(store, 1, ReadLevel::Complete)?;
    while (records.len() as u64) < many {
        let Some(record) = reader.next()? else {
            let what = format!("only {} of {many} records can be read", records.len());
            return Err(NotOpen::NotReproduced(what));
        };
        records.push(kept(&record)?);
    }
    Ok(records)
}

fn kept(record: &betring_journal::Record<'_>) -> Result<Kept, NotOpen> {
    let Some((command, events)) = split(record.payload) else {
        return Err(NotOpen::NotReproduced(format!("#{} holds no command", record.meta.seq)));
    };
    Ok((Timestamp(record.meta.ts), command.to_vec(), events.to_vec()))
}

/// The digest of the state that these records make.
///
/// # Errors
/// If they cannot be decided again.
pub fn digest_of<'a, R: Rules>(
    rules: R,
    records: impl Iterator<Item = (Timestamp, &'a [u8], &'a [u8])>,
) -> Result<Digest, String> {
    let (mut state, mut events) = (State::new(rules), Events::new());
    for (record, seq) in records.zip(1..) {
        snapshots::again(&mut state, &mut events, seq, record)?;
    }
    Ok(state.digest())
}

type Recovered<R, S> = (betring_journal::Opened<S>, State<R>, Found, Option<String>);

/// Opens the journal from its newest snapshot and decides the rest again, and says what is wrong with that.
fn recovered<R: Rules, S: Store>(
    store: S,
    rules: &R,
    segment_bytes: u64,
) -> Result<Recovered<R, S>, NotOpen> {
    let mut base = None;
    let mut accept = |header: &SnapshotHeader, image: Vec<u8>| {
        base = Some(snapshots::load(rules.clone(), header, &image)?);
        Ok(())
    };
    let options = Options::small(segment_bytes);
    let mut opened = Journal::open_from(store, options, SCHEMA, &mut |_| {}, &mut accept)?;
    let mut state = base.unwrap_or_else(|| State::new(rules.clone()));
    let (mut events, mut wrong) = (Events::new(), None);
    let mut last = state.seq().0;
    while let Some(record) = opened.next_record()? {
        last = record.meta.seq;
        if wrong.is_none() {
            let (at, command, told) = kept(&record)?;
            let record = (at, command.as_slice(), told.as_slice());
            wrong = snapshots::again(&mut state, &mut events, last, record).err();
        }
    }
    let found = Found {
        base: opened.base.map(|base| base.position.seq),
        passed_over: opened.passed_over.iter().map(|bad| bad.seq).collect(),
        last,
        digest: wrong.is_none().then(|| state.digest()),
        cut: opened.torn.is_some(),
        kept: opened.kept.is_some(),
    };
    Ok((opened, state, found, wrong))
}

/// Recovers a journal as an opening does, and begins nothing.
///
/// # Errors
/// What the journal says, and if it cannot be decided again.
pub(crate) fn recover<R: Rules, S: Store>(
    store: S,
    rules: &R,
    segment_bytes: u64,
) -> Result<Came, NotOpen> {
    let (_, _, found, wrong) = recovered(store, rules, segment_bytes)?;
    match (found.digest, wrong) {
        (Some(digest), None) => Ok(Came { base: found.base, last: found.last, digest }),
        (_, wrong) => Err(NotOpen::NotReproduced(wrong.unwrap_or_default())),
    }
}

impl<R: Rules, S: Store> House<R, S> {
    /// Opens the journal of a store and begins a run: everything that was found is told to `found` first,
    /// then what this run appends goes to `said`, so that both are known though opening may fail later.
    ///
    /// # Errors
    /// [`NotOpen`]. What was appended before is in `said`.
    pub fn open(
        store: S,
        rules: R,
        setup: &Setup,
        wall: Timestamp,
        found: &mut Option<Found>,
        said: &mut Vec<Said>,
    ) -> Result<House<R, S>, NotOpen> {
        let (opened, state, what, wrong) = recovered(store.clone(), &rules, setup.segment_bytes)?;
        let torn = opened.torn;
        *found = Some(what);
        if let Some(what) = wrong {
            return Err(NotOpen::NotReproduced(what));
        }
        let kept_seq = state.seq();
        let epoch = opened.next_epoch();
        let writer = opened.begin_epoch(EpochInfo {
            epoch,
            logic_version: LOGIC_VERSION,
            rules_id: R::ID,
            rules_version: R::VERSION,
        })?;
        let step = Step { budget: setup.genesis.step_budget, ..Step::default() };
        let mut house = House {
            now: wall.max(state.now()),
            store,
            rules,
            state,
            events: Events::new(),
            writer,
            control: VecDeque::new(),
            bets: VecDeque::new(),
            places: setup
                .seats
                .iter()
                .map(|seat| Place { seat: *seat, token: 0, owed: 0, replies: VecDeque::new() })
                .collect(),
            said: Vec::new(),
            doing: None,
            step: wire::slot(Header::default(), &step).0,
            tick: wire::slot(Header::default(), &Tick::default()).0,
            setup: setup.clone(),
        };
        let begun = house.begin_run(epoch, kept_seq, torn);
        said.append(&mut house.said);
        begun?;
        Ok(house)
    }

    fn begin_run(
        &mut self,
        epoch: u32,
        kept_seq: Seq,
        torn: Option<betring_journal::Torn>,
    ) -> Result<(), NotOpen> {
        if kept_seq == Seq(0) {
            let genesis = self.setup.genesis;
            self.own(wire::slots(Header::default(), &genesis, &[]).as_bytes())?;
        }
        let body = EpochOpened {
            epoch: Epoch(epoch),
            logic_version: LOGIC_VERSION,
            rules_id: R::ID,
            rules_version: R::VERSION,
            capacities: self.setup.capacities,
            kept_seq,
            cut_segment: Seq(torn.map_or(0, |torn| torn.segment)),
            cut_offset: torn.map_or(0, |torn| torn.offset),
            cut_bytes: torn.map_or(0, |torn| torn.bytes),
            ..EpochOpened::default()
        };
        assert!(EpochOpened::KIND == Kind::EpochOpened, "the body of the kind");
        self.own(wire::slots(Header::default(), &body, &[]).as_bytes())?;
        // Before anything is served the run itself is durable.
        self.sync()?;
        Ok(())
    }

    /// Moves its clock: never back.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Its clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The state.
    pub fn state(&self) -> &State<R> {
        &self.state
    }

    /// What was done since this was last asked.
    pub fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// The command that is being decided: after a panic, the one that did it.
    pub fn doing(&self) -> Option<(Timestamp, Vec<u8>)> {
        self.doing.clone()
    }

    /// Publishes an attempt. The facade gives it its client, its moment and its token.
    ///
    /// # Errors
    /// Why it was not taken; then it never happened.
    pub fn publish(&mut self, client: usize, bytes: &[u8]) -> Result<Token, NotTaken> {
        let now = self.now;
        let Some(place) = self.places.get_mut(client) else { return Err(NotTaken::Stopped) };
        if place.seat.credit <= place.owed {
            return Err(NotTaken::TooManyInFlight);
        }
        let queue = match place.seat.ring {
            Ring::Control => &mut self.control,
            Ring::Bets => &mut self.bets,
        };
        let used: usize = queue.iter().map(|waiting| waiting.len() / SLOT).sum();
        if self.setup.ring_slots < used + bytes.len() / SLOT {
            return Err(NotTaken::Overloaded);
        }
        place.token += 1;
        place.owed += 1;
        let token = Token(place.token);
        let mut bytes = bytes.to_vec();
        if let Some(first) = bytes.first_chunk_mut::<SLOT>() {
            let mut slot = Slot(*first);
            slot.set_client(ClientId(client as u16));
            slot.set_received(now);
            slot.set_token(token);
            *first = slot.0;
        }
        queue.push_back(bytes);
        Ok(token)
    }

    /// One turn: some control commands, some bets, a Step or a Tick. Whether there was nothing to do.
    ///
    /// # Errors
    /// What the journal says: then the house has stopped.
    pub fn turn(&mut self) -> Result<bool, Error> {
        let mut taken = 0;
        for (ring, most) in [(Ring::Control, CONTROL_MAX), (Ring::Bets, BETS_MAX)] {
            for _ in 0..most {
                let queue = match ring {
                    Ring::Control => &mut self.control,
                    Ring::Bets => &mut self.bets,
                };
                let Some(bytes) = queue.pop_front() else { break };
                taken += 1;
                self.command(ring, &bytes)?;
            }
        }
        if self.state.has_work() {
            let step = self.step;
            self.own(&step)?;
            return Ok(false);
        }
        if taken == 0 && self.state.next_due().is_some_and(|due| due <= self.now) {
            let tick = self.tick;
            self.own(&tick)?;
            return Ok(false);
        }
        Ok(taken == 0)
    }

    fn command(&mut self, ring: Ring, bytes: &[u8]) -> Result<(), Error> {
        self.doing = Some((self.now, bytes.to_vec()));
        let read = decode(bytes).and_then(|(header, command)| {
            let kind = Kind::from_code(header.kind).ok_or(Malformed::Kind)?;
            match (kind.lane(), ring) {
                (Lane::Engine, _) => Err(Malformed::EngineOnly),
                (Lane::Customer, Ring::Bets) | (Lane::Control | Lane::Feed, Ring::Control) => {
                    Ok((header, command))
                }
                _ => Err(Malformed::WrongRing),
            }
        });
        let reply = match read {
            Err(what) => {
                let first = Slot::read_from_prefix(bytes).ok().map(|(slot, _)| slot);
                self.state.malformed(self.now, first.as_ref(), what)
            }
            Ok((header, command)) => match self.state.admit(self.now, &header, &command, bytes) {
                Admission::Answer(reply) => reply,
                Admission::Sequence(admitted) => {
                    let stamp = Stamp { seq: self.state.seq().next(), at: self.now };
                    let reply =
                        self.state.apply(stamp, &header, &command, admitted, &mut self.events);
                    self.record(stamp, bytes)?;
                    reply
                }
            },
        };
        self.doing = None;
        self.said.push(Said::Reply { ring, command: bytes.to_vec(), reply });
        if let Some(place) = self.places.get_mut(usize::from(reply.client.0)) {
            place.replies.push_back(reply);
        }
        Ok(())
    }

    fn own(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.doing = Some((self.now, bytes.to_vec()));
        let stamp = Stamp { seq: self.state.seq().next(), at: self.now };
        let done = self.state.replay(stamp, bytes, &mut self.events);
        assert!(done.is_ok(), "the engine's own commands are always sequenced: {done:?}");
        self.doing = None;
        self.record(stamp, bytes)
    }

    fn record(&mut self, stamp: Stamp, bytes: &[u8]) -> Result<(), Error> {
        let needed = record_bytes(bytes.len() + self.events.as_bytes().len());
        // What is appended may survive though the call that appends it does not return.
        self.said.push(Said::Record {
            seq: stamp.seq,
            at: stamp.at,
            command: bytes.to_vec(),
            events: self.events.as_bytes().to_vec(),
        });
        if self.writer.has_open_frame() && self.writer.room() < needed {
            self.sync()?;
        }
        let meta = RecordMeta {
            kind: u16::from(bytes[0]),
            ver: 1,
            flags: 0,
            seq: stamp.seq.0,
            ts: stamp.at.0,
        };
        self.writer.append_parts(meta, &[bytes, self.events.as_bytes()])
    }

    /// Group commit.
    ///
    /// # Errors
    /// What the journal says: then the house has stopped.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.writer.seal_and_sync().map(|_| ())
    }

    /// Covers the last frame, as an idle engine does.
    ///
    /// # Errors
    /// What the journal says: then the house has stopped.
    pub fn cover(&mut self) -> Result<(), Error> {
        self.sync()?;
        self.writer.cover()
    }

    /// The replies that a client may see, in order, at most so many.
    pub fn poll(&mut self, client: usize, most: usize) -> Vec<Reply> {
        let (durable, process) = (self.writer.durable_seq().get(), self.writer.process_seq().get());
        let Some(place) = self.places.get_mut(client) else { return Vec::new() };
        let released = match place.seat.level {
            Seen::Durable => durable,
            Seen::Process => process,
            Seen::Applied => u64::MAX,
        };
        let mut seen = Vec::new();
        while seen.len() < most && place.replies.front().is_some_and(|r| r.as_of.0 <= released) {
            seen.extend(place.replies.pop_front());
            place.owed -= 1;
        }
        seen
    }

    /// Whether anything is left to do.
    pub fn is_idle(&self) -> bool {
        let due = self.state.next_due().is_some_and(|due| due <= self.now);
        self.control.is_empty() && self.bets.is_empty() && !self.state.has_work() && !due
    }

    /// The last sequence that is durable.
    pub fn durable(&self) -> Seq {
        Seq(self.writer.durable_seq().get())
    }

    /// Makes a snapshot of everything that is durable, beside the loop.
    ///
    /// # Errors
    /// Why there is none; the house goes on.
    pub fn snapshot(&self, to_archive: bool) -> Result<Made, String> {
        snapshots::by_replica(&self.store, &self.rules, self.durable(), to_archive)
    }

    /// Closes the journal in order, and makes a snapshot of the state as it is then.
    ///
    /// # Errors
    /// What the journal says. Why there is no snapshot stands in what is returned.
    pub fn stop(mut self, to_archive: bool) -> Result<Result<Made, String>, Error> {
        self.sync()?;
        self.writer.close()?;
        Ok(snapshots::of_state(&self.store, &self.rules, &self.state, to_archive))
    }
}
