//! The loop: take, stamp, decide, record, release. The same for every layout.
//!
//! A turn takes up to 16 control commands, then up to 64 bets, then one Step while there is long work;
//! when there was nothing to do, a Tick once something is due. The bounds are on a turn, they are no
//! shares: whatever restricts the world waits for 64 bets at most.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use betring_core::answer::Reply;
use betring_core::command::{self, Kind, decode};
use betring_core::event::Events;
use betring_core::id::Seq;
use betring_core::reject::{Malformed, Reject};
use betring_core::time::Timestamp;
use betring_core::wire::{self, Header, SLOT, Slot};
use betring_core::{Admission, Digest, Rules, Stamp, State};
use betring_journal::{RecordMeta, Store};
use std::sync::atomic::Ordering;
use zerocopy::FromBytes;

use crate::admission;
use crate::egress::ReplyOutlet;
use crate::error::Error;
use crate::ingress::{Inlet, Ring};
use crate::poison;
use crate::record::{Journaler, RecordOutlet};
use crate::shared::{Idle, LoopCounts, Shared};
use crate::snapshot::{AtStop, Snapshot};

/// Control commands of a turn.
pub(crate) const CONTROL_MAX: u32 = 16;
/// Bets of a turn.
pub(crate) const BETS_MAX: u32 = 64;
/// Turns that are made before what they decided is committed, however much comes.
const TURNS_MAX: u32 = 64;

/// Where records go.
pub(crate) enum Records<S: Store> {
    /// This thread appends and syncs them.
    Here(Box<Journaler<S>>),
    /// Another thread does.
    There(RecordOutlet, JoinHandle<()>),
}

impl<S: Store> Records<S> {
    #[inline]
    fn has_room(&mut self) -> bool {
        match self {
            Records::Here(_) => true,
            Records::There(outlet, _) => outlet.has_room(),
        }
    }

    #[inline]
    fn push(
        &mut self,
        meta: RecordMeta,
        command: &[u8],
        events: &[u8],
    ) -> Result<(), betring_journal::Error> {
        match self {
            Records::Here(journaler) => journaler.append(meta, command, events),
            Records::There(outlet, _) => {
                outlet.push(meta, command, events);
                Ok(())
            }
        }
    }
}

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Commands taken from the rings.
    pub commands: u32,
    /// Whether it did a step of long work.
    pub stepped: bool,
    /// Whether it told the state that something is due.
    pub ticked: bool,
    /// Whether it stopped early because the journal has to catch up.
    pub stalled: bool,
}

impl Turn {
    /// Whether there was nothing to do.
    pub fn is_idle(&self) -> bool {
        self.commands == 0 && !self.stepped && !self.ticked
    }
}

impl std::fmt::Display for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} commands", self.commands)?;
        f.write_str(if self.stepped { ", a step" } else { "" })?;
        f.write_str(if self.ticked { ", a tick" } else { "" })?;
        f.write_str(if self.stalled { ", stalled" } else { "" })
    }
}

/// How an engine ended in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The last sequence of the journal.
    pub last_seq: Seq,
    /// Of the whole state.
    pub digest: Digest,
    /// Of balances and bets.
    pub money_digest: Digest,
    /// Commands that this run took.
    pub commands: u64,
    /// The snapshot that was made at the end, if one was due, or why it could not be made.
    pub snapshot: Option<Result<Snapshot, String>>,
}

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "closed at {}, state {}, money {}, {} commands in this run",
            self.last_seq, self.digest, self.money_digest, self.commands
        )?;
        match &self.snapshot {
            None => Ok(()),
            Some(Ok(snapshot)) => write!(f, "; {snapshot}"),
            Some(Err(why)) => write!(f, "; {why}"),
        }
    }
}

/// What is being done, for whoever has to say what panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    Command(Ring),
    Step,
    Tick,
}

/// Questions to the deciding thread, answered between two turns.
pub(crate) type Questions = Mutex<Option<SyncSender<(Seq, Digest, Digest)>>>;

/// State, and what decides with it.
struct Logic<R: Rules> {
    state: State<R>,
    events: Events,
    seats: Vec<ReplyOutlet>,
    shared: Arc<Shared>,
    now: Timestamp,
    replies_want: u64,
    doing: Doing,
    sequencing: Seq,
}

impl<R: Rules> Logic<R> {
    /// Reads the clock once for what follows: never back, never before the last stamp.
    #[inline]
    fn stamp(&mut self) {
        self.now = self.now.max(self.shared.clock.now());
    }

    /// One command from a ring: exactly one reply.
    #[inline]
    fn command<S: Store>(
        &mut self,
        ring: Ring,
        bytes: &[u8],
        records: &mut Records<S>,
    ) -> Result<(), betring_journal::Error> {
        let counts = &self.shared.loop_counts;
        counts.commands.add(1);
        self.sequencing = self.state.seq().next();
        self.doing = Doing::Command(ring);
        let read = decode(bytes).and_then(|(header, command)| {
            let kind = Kind::from_code(header.kind).ok_or(Malformed::Kind)?;
            ring.admits(kind).map(|()| (header, command))
        });
        let (header, command) = match read {
            Ok(read) => read,
            Err(what) => {
                self.left(ring, bytes, None);
                let first = Slot::read_from_prefix(bytes).ok().map(|(slot, _)| slot);
                let reply = self.state.malformed(self.now, first.as_ref(), what);
                self.doing = Doing::Nothing;
                counts.malformed.add(1);
                self.send(reply);
                return Ok(());
            }
        };
        match self.state.admit(self.now, &header, &command, bytes) {
            Admission::Answer(reply) => {
                self.doing = Doing::Nothing;
                counts.answered.add(1);
                self.left(ring, bytes, None);
                self.send(reply);
            }
            Admission::Sequence(admitted) => {
                let stamp = Stamp { seq: self.sequencing, at: self.now };
                let reply = self.state.apply(stamp, &header, &command, admitted, &mut self.events);
                self.doing = Doing::Nothing;
                counts.sequenced.add(1);
                self.left(ring, bytes, reply.answer.reject());
                if header.kind == Kind::SetShedding as u8 {
                    // Before anybody has the answer: whoever comes after that meets doors that know.
                    self.shared.admission.go_by(self.state.shedding());
                }
                records.push(meta(stamp, header.kind), bytes, self.events.as_bytes())?;
                self.send(reply);
            }
        }
        Ok(())
    }

    /// A command was decided: its markets have one less in flight, and perhaps one more refused.
    #[inline]
    fn left(&self, ring: Ring, bytes: &[u8], refused: Option<Reject>) {
        if ring == Ring::Bets {
            self.shared.admission.decided(bytes);
            if let Some(reject) = refused {
                self.shared.dials.refused(reject, admission::bets(bytes));
            }
        }
    }

    /// One command of the engine itself.
    fn own<S: Store>(
        &mut self,
        slots: &[u8],
        doing: Doing,
        records: &mut Records<S>,
    ) -> Result<(), betring_journal::Error> {
        self.sequencing = self.state.seq().next();
        self.doing = doing;
        let stamp = Stamp { seq: self.sequencing, at: self.now };
        let done = self.state.replay(stamp, slots, &mut self.events);
        self.doing = Doing::Nothing;
        assert!(done.is_ok(), "the engine's own commands are always sequenced: {done:?}");
        self.shared.loop_counts.sequenced.add(1);
        records.push(meta(stamp, slots[0]), slots, self.events.as_bytes())
    }

    #[inline]
    fn send(&mut self, reply: Reply) {
        if self.shared.is_durable(reply.client) && self.replies_want < reply.as_of.0 {
            self.replies_want = reply.as_of.0;
            self.shared.replies_want.store(self.replies_want, Ordering::Relaxed);
        }
        // The facade stamps the client on every command it publishes, so the seat is there.
        if let Some(seat) = self.seats.get_mut(usize::from(reply.client.0)) {
            seat.send(reply);
        }
    }
}

pub(crate) fn meta(stamp: Stamp, kind: u8) -> RecordMeta {
    RecordMeta { kind: u16::from(kind), ver: 1, flags: 0, seq: stamp.seq.0, ts: stamp.at.0 }
}

/// How long there is something to do: told by stamps that are taken anyway, and by one look at the clock
/// when there is nothing more.
#[derive(Default)]
struct Busy {
    since: Timestamp,
    turned: Timestamp,
}

impl Busy {
    /// A turn did something, and was stamped last at this moment. What lies between two of these is the length of
    /// a turn, with what was done between them.
    #[inline]
    fn turned(&mut self, now: Timestamp, counts: &LoopCounts) {
        if self.since == Timestamp(0) {
            self.since = now;
            counts.busy_since.store(now.0, Ordering::Relaxed);
        } else {
            counts.took(now.since(self.turned));
        }
        self.turned = now;
        counts.turned.store(now.0, Ordering::Relaxed);
    }

    /// There is nothing to do, as of this moment.
    fn rests(&mut self, now: Timestamp, counts: &LoopCounts) {
        counts.took(now.since(self.turned));
        counts.busy.add(now.since(self.since).or_zero().0.unsigned_abs());
        self.since = Timestamp(0);
        counts.busy_since.store(0, Ordering::Relaxed);
    }
}

/// The loop of one engine.
pub(crate) struct Core<R: Rules, S: Store> {
    logic: Logic<R>,
    busy: Busy,
    control: Inlet,
    bets: Inlet,
    records: Option<Records<S>>,
    store: S,
    step: [u8; SLOT],
    tick: [u8; SLOT],
    questions: Arc<Questions>,
    at_stop: AtStop<R>,
}

impl<R: Rules, S: Store> Core<R, S> {
    pub(crate) fn new(
        (state, at_stop): (State<R>, AtStop<R>),
        (control, bets): (Inlet, Inlet),
        seats: Vec<ReplyOutlet>,
        records: Records<S>,
        shared: Arc<Shared>,
        store: S,
        questions: Arc<Questions>,
    ) -> Core<R, S> {
        let budget = state.step_budget();
        let step = command::Step { budget, ..command::Step::default() };
        Core {
            step: wire::slot(Header::default(), &step).0,
            tick: wire::slot(Header::default(), &command::Tick::default()).0,
            logic: Logic {
                now: state.now(),
                state,
                events: Events::new(),
                seats,
                shared,
                replies_want: 0,
                doing: Doing::Nothing,
                sequencing: Seq(0),
            },
            busy: Busy::default(),
            control,
            bets,
            records: Some(records),
            store,
            questions,
            at_stop,
        }
    }

    fn turn(&mut self) -> Result<Turn, betring_journal::Error> {
        let mut turn = Turn::default();
        let Some(records) = &mut self.records else { return Ok(turn) };
        let logic = &mut self.logic;
        let mut take = |inlet: &mut Inlet, ring, limit, turn: &mut Turn| {
            let mut taken = 0;
            while taken < limit {
                if !records.has_room() {
                    turn.stalled = true;
                    break;
                }
                if !inlet.has_slots() {
                    if !inlet.refill() {
                        break;
                    }
                    // After what is taken was received, so that no age is negative.
                    logic.stamp();
                } else if taken == 0 {
                    logic.stamp();
                }
                if inlet.advance() {
                    logic.command(ring, inlet.current(), records)?;
                    taken += 1;
                }
            }
            turn.commands += taken;
            Ok::<_, betring_journal::Error>(())
        };
        take(&mut self.control, Ring::Control, CONTROL_MAX, &mut turn)?;
        take(&mut self.bets, Ring::Bets, BETS_MAX, &mut turn)?;

        if turn.stalled || !records.has_room() {
            turn.stalled = true;
            logic.shared.loop_counts.stalls.add(1);
        } else if logic.state.has_work() {
            logic.stamp();
            logic.own(&self.step, Doing::Step, records)?;
            logic.shared.loop_counts.steps.add(1);
            turn.stepped = true;
        } else if turn.commands == 0
            && let Some(due) = logic.state.next_due()
        {
            logic.stamp();
            if due <= logic.now {
                logic.own(&self.tick, Doing::Tick, records)?;
                logic.shared.loop_counts.ticks.add(1);
                turn.ticked = true;
            }
        }
        if !turn.is_idle() {
            logic.shared.loop_counts.turns.add(1);
            logic.shared.decided.store(logic.state.seq().0, Ordering::Release);
            self.busy.turned(logic.now, &logic.shared.loop_counts);
        }
        Ok(turn)
    }

    /// Turns until there is nothing to do, or for so long; then commits. Whether it was idle.
    fn cycle(&mut self) -> Result<Turn, betring_journal::Error> {
        let mut sum = Turn::default();
        for _ in 0..TURNS_MAX {
            let turn = self.turn()?;
            sum.commands += turn.commands;
            sum.stepped |= turn.stepped;
            sum.ticked |= turn.ticked;
            sum.stalled = turn.stalled;
            if turn.is_idle() || turn.stalled {
                break;
            }
        }
        if let Some(Records::Here(journaler)) = &mut self.records {
            if sum.is_idle() { journaler.idle()? } else { journaler.commit()? }
        }
        if sum.is_idle() && self.busy.since != Timestamp(0) {
            self.logic.stamp();
            self.busy.rests(self.logic.now, &self.logic.shared.loop_counts);
        }
        self.answer_questions();
        Ok(sum)
    }

    fn answer_questions(&self) {
        let shared = &self.logic.shared;
        if !shared.asked.load(Ordering::Relaxed) {
            return;
        }
        shared.asked.store(false, Ordering::Relaxed);
        let asked = self.questions.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(to) = asked {
            let state = &self.logic.state;
            // Whoever asked may have gone.
            let _ = to.try_send((state.seq(), state.digest(), state.money_digest()));
        }
    }

    /// The life of the deciding thread.
    pub(crate) fn run(mut self, mut idle: Idle) -> Option<Closed> {
        let shared = self.logic.shared.clone();
        shared.sleeps_here();
        loop {
            // Read before the rings are: whatever was published before the stop is found by this turn.
            let stopping = shared.is_stopping();
            let Some(turn) = self.guarded(Core::cycle) else { break };
            if shared.is_poisoned() {
                break;
            }
            if stopping && turn.commands == 0 && !turn.stalled {
                break;
            }
            if turn.is_idle() && turn.stalled {
                // The rings are not empty, and who makes room in the journal wakes nobody.
                idle.nap();
            } else if turn.is_idle() {
                let (control, bets) = (&self.control, &self.bets);
                idle.wait(&shared, || !control.has_waiting() && !bets.has_waiting());
            } else {
                idle.reset();
            }
        }
        self.finish()
    }

    /// Runs a part of the loop; whatever goes wrong in it poisons the engine.
    fn guarded<T>(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<T, betring_journal::Error>,
    ) -> Option<T> {
        // After a panic nothing of the state is used again: see `Core::finish`.
        let result = catch_unwind(AssertUnwindSafe(|| part(self)));
        let why = match result {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(e)) => format!("the journal failed: {e}"),
            Err(panic) => self.panicked(&message(&*panic)),
        };
        self.logic.shared.poison(why);
        None
    }

    /// Writes aside what panicked, and says what happened.
    fn panicked(&self, message: &str) -> String {
        let seq = self.logic.sequencing;
        let (what, bytes) = match self.logic.doing {
            Doing::Nothing => return format!("the loop panicked: {message}"),
            Doing::Command(Ring::Control) => ("a control command", self.control.current()),
            Doing::Command(Ring::Bets) => ("a customer's command", self.bets.current()),
            Doing::Step => ("a Step", &self.step[..]),
            Doing::Tick => ("a Tick", &self.tick[..]),
        };
        // The lock of the directory is held by the journal, so nobody else writes here.
        match poison::write_aside(&self.store, seq, bytes) {
            Ok(place) => {
                format!("deciding {what} for {seq} panicked: {message}; it was written to {place}")
            }
            Err(e) => format!("deciding {what} for {seq} panicked: {message}; {e}"),
        }
    }

    /// Closes the journal, if the engine is not poisoned; then nothing more will be said.
    fn finish(mut self) -> Option<Closed> {
        let shared = self.logic.shared.clone();
        match self.records.take() {
            Some(Records::Here(journaler)) if !shared.is_poisoned() => {
                if let Err(e) = journaler.close() {
                    shared.poison(format!("the journal could not be closed: {e}"));
                }
            }
            Some(Records::There(outlet, thread)) => {
                // Without a producer the journal thread ends when it has appended everything.
                drop(outlet);
                if thread.join().is_err() {
                    shared.poison("the journal thread panicked".into());
                }
            }
            Some(Records::Here(_)) | None => (),
        }
        shared.closed();
        let closed = (!shared.is_poisoned()).then(|| {
            let Core { logic: Logic { state, .. }, store, at_stop, .. } = self;
            Closed {
                last_seq: state.seq(),
                digest: state.digest(),
                money_digest: state.money_digest(),
                commands: shared.loop_counts.commands.get(),
                snapshot: at_stop.make(&store, state),
            }
        });
        shared.end();
        closed
    }
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// A loop that its caller turns.
pub(crate) trait Drive: Send + Sync {
    /// One turn, and a commit if it is time.
    fn turn(&self) -> Result<Turn, Error>;
    /// Turns until nothing is left to do and everything is durable; how many commands were taken.
    fn run_until_idle(&self) -> Result<u64, Error>;
    /// Ends it.
    fn close(&self) -> Option<Closed>;
}

pub(crate) struct Inline<R: Rules, S: Store> {
    core: Mutex<Option<Core<R, S>>>,
    shared: Arc<Shared>,
}

impl<R: Rules, S: Store> Inline<R, S> {
    pub(crate) fn new(core: Core<R, S>) -> Inline<R, S> {
        Inline { shared: core.logic.shared.clone(), core: Mutex::new(Some(core)) }
    }

    fn with<T>(
        &self,
        part: impl FnOnce(&mut Core<R, S>) -> Result<T, betring_journal::Error>,
    ) -> Result<T, Error> {
        let mut guard = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(core) = guard.as_mut() else {
            return Err(match self.shared.is_poisoned() {
                true => Error::Poisoned { why: self.shared.why() },
                false => Error::Closed,
            });
        };
        match core.guarded(part) {
            Some(done) => Ok(done),
            None => {
                if let Some(core) = guard.take() {
                    core.finish();
                }
                Err(Error::Poisoned { why: self.shared.why() })
            }
        }
    }
}

impl<R: Rules, S: Store> Drive for Inline<R, S>
where
    Core<R, S>: Send,
{
    fn turn(&self) -> Result<Turn, Error> {
        self.with(|core| {
            let turn = core.turn()?;
            if let Some(Records::Here(journaler)) = &mut core.records {
                if turn.is_idle() { journaler.idle()? } else { journaler.commit()? }
            }
            core.answer_questions();
            Ok(turn)
        })
    }

    fn run_until_idle(&self) -> Result<u64, Error> {
        self.with(|core| {
            let mut commands = 0;
            loop {
                let turn = core.cycle()?;
                commands += u64::from(turn.commands);
                if turn.is_idle() {
                    if let Some(Records::Here(journaler)) = &mut core.records {
                        journaler.sync()?;
                    }
                    return Ok(commands);
                }
            }
        })
    }

    fn close(&self) -> Option<Closed> {
        // What was published before the end is decided, as with threads.
        let _ = self.run_until_idle();
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner).take();
        core.and_then(Core::finish)
    }
}
