//! The rings out to clients: one reply for every attempt, by credit, never lost and never in the way.
//!
//! Every client sits on a seat: a ring of replies with one producer, the deciding thread, and one
//! consumer, the client. A client never has more attempts unanswered than its ring has places, so the
//! deciding thread never finds a ring full, and whoever stops reading stops only itself.
//!
//! A reply is put into the ring when it is decided. The *client's* end holds it back until the journal
//! has reached its sequence at the client's level: so the deciding thread keeps no list of waiting
//! replies, and a durable reply is seen as soon as the cursor moves, without another hop.
//!
//! All seats are made at open. A client that leaves gives its seat back with what is still owed to it;
//! nobody gets the seat before that has come.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use betring_core::answer::Reply;
use betring_core::command::decode;
use betring_core::id::{ClientId, RequestKey, Token};
use betring_core::reject::Malformed;
use betring_core::time::Timestamp;
use betring_core::wire::{SLOTS_MAX, Slot};
use crossbeam_utils::CachePadded;
use disruptor::{
    BusySpin, EventPoller, Producer, SingleConsumerBarrier, SingleProducer, SingleProducerBarrier,
    build_single_producer,
};
use zerocopy::IntoBytes;

use crate::admission::{Session, first_market};
use crate::config::Level;
use crate::dials::{Beats, Pulse};
use crate::engine::Driver;
use crate::error::{Error, NotTaken};
use crate::ingress::{Mark, Outlet, Ring, shape};
use crate::outcome::{Request, Submitted, Ticket};
use crate::shared::{Patience, Shared};

/// The deciding thread's end of a seat.
pub(crate) struct ReplyOutlet(SingleProducer<Reply, SingleConsumerBarrier>);

impl ReplyOutlet {
    /// Puts a reply into the ring.
    ///
    /// # Panics
    /// If the ring is full, which the client's credit rules out.
    #[inline]
    pub(crate) fn send(&mut self, reply: Reply) {
        let sent = self.0.try_publish(|place| *place = reply);
        assert!(sent.is_ok(), "no client has more unanswered attempts than places for replies");
    }
}

/// The client's end of a seat, and what is still owed to whoever sat on it.
pub(crate) struct Seat {
    id: ClientId,
    poller: EventPoller<Reply, SingleProducerBarrier>,
    owed: usize,
    next_token: u64,
    published: Arc<CachePadded<AtomicU64>>,
    waits: Arc<Waits>,
}

/// How long the bets of whoever sits on a seat took, as that client saw it. Told by one thread at a time.
#[derive(Debug)]
pub(crate) struct Waits {
    /// From published to stamped (t1 to t2).
    pub(crate) queued: Pulse,
    /// From stamped to seen (t2 to t6).
    pub(crate) decided: Pulse,
}

impl Seat {
    fn drain(&mut self) {
        while let Ok(mut guard) = self.poller.poll() {
            self.owed = self.owed.saturating_sub((&mut guard).count());
        }
    }
}

/// The seats that nobody sits on.
pub(crate) struct Seats {
    free: Mutex<VecDeque<Seat>>,
    all: usize,
    places: usize,
    /// How many slots each seat has seen its rings take, to tell the depth of the rings.
    published: Vec<Arc<CachePadded<AtomicU64>>>,
    waits: Vec<Arc<Waits>>,
    /// How many slots of the bet ring the loop has taken, and how many there are.
    bets: (Arc<CachePadded<AtomicU64>>, usize),
}

impl std::fmt::Debug for Seats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seats").field("all", &self.all).finish_non_exhaustive()
    }
}

/// Builds all seats, with `places` replies each.
pub(crate) fn seats(
    clients: u16,
    places: usize,
    bets: (Arc<CachePadded<AtomicU64>>, usize),
) -> (Vec<ReplyOutlet>, Seats) {
    let mut outlets = Vec::with_capacity(usize::from(clients));
    let mut free = VecDeque::with_capacity(usize::from(clients));
    let mut published = Vec::with_capacity(usize::from(clients));
    let mut waits = Vec::with_capacity(usize::from(clients));
    for id in 0..clients {
        let builder = build_single_producer(places, Reply::default, BusySpin);
        let (poller, builder) = builder.new_event_poller();
        outlets.push(ReplyOutlet(builder.build()));
        let seen = Arc::new(CachePadded::new(AtomicU64::new(0)));
        published.push(seen.clone());
        let told = Arc::new(Waits { queued: Pulse::new(), decided: Pulse::new() });
        waits.push(told.clone());
        free.push_back(Seat {
            id: ClientId(id),
            poller,
            owed: 0,
            next_token: 1,
            published: seen,
            waits: told,
        });
    }
    let all = usize::from(clients);
    (outlets, Seats { free: Mutex::new(free), all, places, published, waits, bets })
}

impl Seats {
    fn take(&self) -> Option<Seat> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..free.len() {
            let mut seat = free.pop_front()?;
            seat.drain();
            if seat.owed == 0 {
                return Some(seat);
            }
            free.push_back(seat);
        }
        None
    }

    fn give_back(&self, seat: Seat) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push_back(seat);
    }

    /// Seats in use, and all.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).len();
        (self.all - free, self.all)
    }

    /// Slots of the bet ring that wait, and all.
    pub(crate) fn bet_ring(&self) -> (u64, u64) {
        let (taken, slots) = &self.bets;
        let taken = taken.load(Ordering::Relaxed);
        (self.published(Ring::Bets).saturating_sub(taken), *slots as u64)
    }

    /// How long the bets of all seats took: from published to stamped, and from then to seen.
    pub(crate) fn waits(&self) -> (Beats, Beats) {
        self.waits.iter().fold((Beats::NONE, Beats::NONE), |(queued, decided), waits| {
            (queued.plus(&waits.queued.now()), decided.plus(&waits.decided.now()))
        })
    }

    /// How many slots the rings have seen, at least.
    pub(crate) fn published(&self, ring: Ring) -> u64 {
        let of = |both: u64| match ring {
            Ring::Control => both >> 63 == 1,
            Ring::Bets => both >> 63 == 0,
        };
        let seen = self.published.iter().map(|seen| seen.load(Ordering::Relaxed));
        seen.filter(|both| of(*both)).map(|both| both & !(1 << 63)).max().unwrap_or(0)
    }
}

#[derive(Clone, Copy)]
struct Asked {
    token: Token,
    request: Request,
    /// Nobody waits for it any more: its reply is dropped when it comes.
    abandoned: bool,
    /// The place of the first market that it bets on, and when it was asked for.
    market: u32,
    received: Timestamp,
}

/// Where commands come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raw {
    /// Built by this library: what is wrong with it is said by the answer.
    No,
    /// Slots of the caller's own.
    Yes,
}

impl Raw {
    /// Reads a command that came as raw slots: what is none goes no further.
    fn read(self, command: &[Slot]) -> Result<(), Malformed> {
        match self {
            Raw::No => Ok(()),
            Raw::Yes => decode(command.as_bytes()).map(|_| ()),
        }
    }

    /// Puts what is no command aside.
    #[cold]
    fn aside(
        self,
        shared: &Shared,
        now: Timestamp,
        client: ClientId,
        what: Malformed,
        slots: &[Slot],
    ) -> NotTaken {
        if self == Raw::Yes {
            shared.letters.put(now, client, what, slots);
        }
        NotTaken::Malformed(what)
    }
}

/// One connection: a way in, and a seat. Replies come in the order of attempts, because a connection
/// uses one ring.
pub(crate) struct Line {
    outlet: Outlet,
    seat: Option<Seat>,
    home: Arc<Seats>,
    pub(crate) shared: Arc<Shared>,
    driver: Option<Driver>,
    /// What a client has used of its rates; handles of the control ring have no door.
    session: Option<Session>,
    level: Level,
    credit: usize,
    /// Every attempt whose reply was not handed out yet, in order.
    asked: VecDeque<Asked>,
    /// Replies to the first of those, held back or not yet asked for.
    arrived: VecDeque<Reply>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("client", &self.id())
            .field("level", &self.level)
            .field("credit", &self.credit)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl Line {
    pub(crate) fn new(
        outlet: Outlet,
        home: Arc<Seats>,
        shared: Arc<Shared>,
        driver: Option<Driver>,
        level: Level,
        credit: usize,
    ) -> Result<Line, Error> {
        if credit == 0 || home.places < credit {
            return Err(Error::Credit { asked: credit, max: home.places });
        }
        let seat = home.take().ok_or(Error::NoSeat { seats: home.all })?;
        shared.set_level(seat.id, level);
        let bets = outlet.ring() == Ring::Bets;
        Ok(Line {
            session: bets.then(|| Session::new(shared.clone())),
            outlet,
            seat: Some(seat),
            home,
            shared,
            driver,
            level,
            credit,
            asked: VecDeque::with_capacity(credit),
            arrived: VecDeque::with_capacity(credit),
        })
    }

    pub(crate) fn id(&self) -> ClientId {
        self.seat.as_ref().map_or(ClientId(u16::MAX), |seat| seat.id)
    }

    pub(crate) fn level(&self) -> Level {
        self.level
    }

    pub(crate) fn credit(&self) -> usize {
        self.credit
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.asked.len()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Publishes as many whole commands from the front as can be taken. Of those that come as raw slots
    /// it is looked first whether they are commands; what is none is put aside.
    pub(crate) fn submit(&mut self, slots: &[Slot], raw: Raw) -> Submitted {
        let Some(seat) = &mut self.seat else { return Submitted::none(NotTaken::Closed) };
        let mut done =
            Submitted { first: Token(seat.next_token), commands: 0, slots: 0, refused: None };
        if let Err(poisoned) = self.shared.accepts() {
            done.refused = Some(if poisoned { NotTaken::Poisoned } else { NotTaken::Closed });
            return done;
        }
        // Commands of one claim; halved when the ring has no room for all of them.
        let mut claim_max = SLOTS_MAX;
        // How many slots of the rest the door has let in: a claim that did not fit asks it only once.
        let mut inside = 0;
        while done.slots < slots.len() {
            let now = self.shared.clock.now();
            let rest = &slots[done.slots..];
            let (mut len, mut commands) = (0, 0);
            let mut refused = None;
            while len < rest.len() && commands < claim_max {
                if self.credit <= self.asked.len() + commands {
                    refused = Some(NotTaken::TooManyInFlight { credit: self.credit });
                    break;
                }
                let needed = match shape(self.outlet.ring(), &rest[len..]) {
                    Ok(needed) if SLOTS_MAX < len + needed => break,
                    Ok(needed) => needed,
                    // Looked at again when it is the first, so that it is put aside once.
                    Err(_) if 0 < commands => break,
                    Err(what) => {
                        let cut = rest[0].slots().clamp(1, SLOTS_MAX).min(rest.len());
                        refused = Some(raw.aside(&self.shared, now, seat.id, what, &rest[..cut]));
                        break;
                    }
                };
                if inside < len + needed {
                    let command = &rest[len..len + needed];
                    if let Some(session) = &mut self.session
                        && let Err(busy) = session.pass(now, &command[0])
                    {
                        refused = Some(busy.into());
                        break;
                    }
                    if let Err(what) = raw.read(command) {
                        if commands == 0 {
                            refused = Some(raw.aside(&self.shared, now, seat.id, what, command));
                        }
                        break;
                    }
                    if self.session.is_some() {
                        let admission = &self.shared.admission;
                        admission.look(now, &self.shared, || self.home.bet_ring());
                        if let Err(busy) = admission.enter(now, command) {
                            refused = Some(busy.into());
                            break;
                        }
                    }
                    inside = len + needed;
                }
                len += needed;
                commands += 1;
            }
            if commands == 0 {
                done.refused = refused;
                break;
            }
            let mark = Mark { client: seat.id, received: now, token: Token(seat.next_token) };
            match self.outlet.try_publish(&rest[..len], mark) {
                Ok(seen) => {
                    let ring = u64::from(self.outlet.ring() == Ring::Control);
                    seat.published.store(seen | ring << 63, Ordering::Relaxed);
                }
                Err(_) if 1 < commands => {
                    claim_max = commands / 2;
                    continue;
                }
                Err(_) => {
                    done.refused = Some(self.shared.admission.ring_was_full().into());
                    break;
                }
            }
            let mut at = 0;
            while at < len {
                let token = Token(seat.next_token);
                seat.next_token += 1;
                let request = Request::of(&rest[at]);
                let market = first_market(&rest[at..]);
                self.asked.push_back(Asked {
                    token,
                    request,
                    abandoned: false,
                    market,
                    received: now,
                });
                at += rest[at].slots();
            }
            done.commands += commands;
            done.slots += len;
            inside -= len;
            if refused.is_some() {
                done.refused = refused;
                break;
            }
        }
        if self.session.is_some() {
            let mut left = &slots[done.slots..done.slots + inside];
            while let Some(first) = left.first() {
                let (command, after) = left.split_at(first.slots());
                self.shared.admission.back_out(command);
                left = after;
            }
        }
        if 0 < done.commands {
            self.shared.wake();
        }
        done
    }

    /// Publishes one command.
    pub(crate) fn try_submit(&mut self, slots: &[Slot], raw: Raw) -> Result<Ticket, NotTaken> {
        let Some(first) = slots.first() else { return Err(NotTaken::Malformed(Malformed::Slots)) };
        if first.slots() != slots.len() {
            let (now, client) = (self.now(), self.id());
            let cut = &slots[..slots.len().min(SLOTS_MAX)];
            return Err(raw.aside(&self.shared, now, client, Malformed::Slots, cut));
        }
        let done = self.submit(slots, raw);
        match done.refused {
            Some(refused) => Err(refused),
            None => Ok(Ticket { token: done.first, request: Request::of(first) }),
        }
    }

    /// Takes what has come out of the ring.
    fn collect(&mut self) {
        let Some(seat) = &mut self.seat else { return };
        while let Ok(mut guard) = seat.poller.poll() {
            for reply in &mut guard {
                let at = self.arrived.len();
                match self.asked.get(at) {
                    Some(asked) if asked.abandoned => drop(self.asked.remove(at)),
                    Some(asked) => {
                        debug_assert_eq!(asked.token, reply.token, "replies come in order");
                        self.arrived.push_back(*reply);
                    }
                    // Nothing was asked: no reply can come. It is dropped, and tests find it.
                    None => debug_assert!(false, "a reply to nothing: {reply:?}"),
                }
            }
        }
    }

    /// The replies that may be seen, in order, as many as fit.
    pub(crate) fn poll(&mut self, out: &mut [Reply]) -> usize {
        self.collect();
        let released = self.shared.released(self.level);
        let mut count = 0;
        let mut now = None;
        while count < out.len() && self.arrived.front().is_some_and(|r| r.as_of.0 <= released) {
            if let Some(reply) = self.arrived.pop_front() {
                if let Some(asked) = self.asked.pop_front() {
                    let now = *now.get_or_insert_with(|| self.shared.clock.now());
                    self.tell(&asked, &reply, now);
                }
                out[count] = reply;
                count += 1;
            }
        }
        count
    }

    /// Waits for the reply to one attempt. None: it did not come in time, or never will; if it comes
    /// later, it is dropped.
    pub(crate) fn wait(&mut self, ticket: Ticket, timeout: Duration) -> Option<Reply> {
        let mut patience = Patience::new(timeout);
        loop {
            // Read before the ring is: a reply that came before the end is still found.
            let ended = self.shared.has_ended();
            self.collect();
            let at = self.asked.binary_search_by_key(&ticket.token, |asked| asked.token).ok()?;
            if self.asked[at].request != ticket.request {
                // Another connection's ticket: its tokens are numbers of its own.
                return None;
            }
            if let Some(reply) = self.arrived.get(at)
                && reply.as_of.0 <= self.shared.released(self.level)
            {
                let asked = self.asked.remove(at);
                let reply = self.arrived.remove(at);
                if let (Some(asked), Some(reply)) = (asked, &reply) {
                    self.tell(&asked, reply, self.now());
                }
                return reply;
            }
            if ended || !self.wait_a_little(&mut patience) {
                if at < self.arrived.len() {
                    self.asked.remove(at);
                    self.arrived.remove(at);
                } else {
                    self.asked[at].abandoned = true;
                }
                return None;
            }
        }
    }

    /// Says how long a bet took.
    #[inline]
    fn tell(&self, asked: &Asked, reply: &Reply, now: Timestamp) {
        let is_bet = self.shared.dials.answered(asked.market, now.since(asked.received));
        if is_bet && let Some(seat) = &self.seat {
            seat.waits.queued.beat_alone(reply.stamped.since(asked.received));
            seat.waits.decided.beat_alone(now.since(reply.stamped));
        }
    }

    /// Waits until every attempt was answered; false if the time is over before.
    pub(crate) fn wait_all(&mut self, timeout: Duration, mut each: impl FnMut(&Reply)) -> bool {
        let mut patience = Patience::new(timeout);
        let mut replies = [Reply::default(); 16];
        loop {
            let ended = self.shared.has_ended();
            let count = self.poll(&mut replies);
            replies[..count].iter().for_each(&mut each);
            if self.asked.is_empty() {
                return true;
            }
            if count == 0 && (ended || !self.wait_a_little(&mut patience)) {
                return false;
            }
        }
    }

    /// One step of waiting: without threads of its own, the engine is turned here.
    fn wait_a_little(&self, patience: &mut Patience) -> bool {
        if let Some(driver) = &self.driver {
            // What went wrong there is seen in the status, by everybody who waits.
            let _ = driver.run_until_idle();
        }
        patience.wait()
    }

    /// The attempts that will never be answered, once the engine has ended; then they are forgotten.
    pub(crate) fn take_unknown(&mut self) -> Vec<Request> {
        if !self.shared.has_ended() {
            return Vec::new();
        }
        self.collect();
        let released = self.shared.released(self.level);
        let seen = self.arrived.iter().take_while(|r| r.as_of.0 <= released).count();
        self.arrived.truncate(seen);
        self.asked.drain(seen..).map(|asked| asked.request).collect()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(mut seat) = self.seat.take() {
            seat.owed = self.asked.len() - self.arrived.len();
            self.home.give_back(seat);
        }
    }
}

impl Request {
    /// What a command asks, by its first slot.
    pub(crate) fn of(slot: &Slot) -> Request {
        let header = slot.header();
        let valid_until = slot.0[64..72].try_into().map_or(0, i64::from_le_bytes);
        Request {
            account: header.account,
            key: RequestKey(header.key.0),
            valid_until: Timestamp(valid_until),
        }
    }
}
