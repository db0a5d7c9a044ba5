//! The rings in: how commands get from any thread to the loop, whole, in order, or not at all.
//!
//! This file is the only one that touches the producing side of the multi-producer rings, and it closes
//! what the `disruptor` crate leaves open. Nothing here hands out a closure or a reference into a ring:
//! slots are copied in and copied out. Only `try_` calls are made, of at most [`SLOTS_MAX`] slots, with
//! a closure that cannot fail. Everything taken from a ring is copied before the ring is told, so no
//! command is lost by leaving a loop early.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use betring_core::command::{Kind, Lane};
use betring_core::id::{ClientId, Token};
use betring_core::reject::Malformed;
use betring_core::time::Timestamp;
use betring_core::wire::{SLOTS_MAX, Slot};
use crossbeam_utils::CachePadded;
use disruptor::{
    BusySpin, EventPoller, MultiProducer, MultiProducerBarrier, Producer, SingleConsumerBarrier,
    build_multi_producer,
};
use zerocopy::IntoBytes;

/// Slots taken from a ring at once.
const BATCH: usize = 64;

/// Which ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    /// What restricts or reports the world.
    Control,
    /// What customers ask.
    Bets,
}

impl Ring {
    /// Whether a command of this kind may take this ring.
    ///
    /// # Errors
    /// [`Malformed::EngineOnly`] and [`Malformed::WrongRing`].
    pub(crate) fn admits(self, kind: Kind) -> Result<(), Malformed> {
        match (kind.lane(), self) {
            (Lane::Engine, _) => Err(Malformed::EngineOnly),
            (Lane::Control | Lane::Feed, Ring::Control) | (Lane::Customer, Ring::Bets) => Ok(()),
            (Lane::Control | Lane::Feed, Ring::Bets) | (Lane::Customer, Ring::Control) => {
                Err(Malformed::WrongRing)
            }
        }
    }
}

/// The ring has no room for all of the slots: nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A place to publish from. One for each client; a clone is a place of its own.
#[derive(Clone)]
pub(crate) struct Outlet {
    ring: Ring,
    producer: MultiProducer<Slot, SingleConsumerBarrier>,
}

/// What the facade stamps on every command it publishes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) client: ClientId,
    pub(crate) received: Timestamp,
    /// Of the first command; the next ones count up.
    pub(crate) token: Token,
}

impl Outlet {
    pub(crate) fn ring(&self) -> Ring {
        self.ring
    }

    /// Publishes whole commands, all or none. Returns how many slots the ring has seen so far.
    ///
    /// `slots` has at most [`SLOTS_MAX`], and is cut at the borders of commands ([`shape`]).
    pub(crate) fn try_publish(&mut self, slots: &[Slot], mark: Mark) -> Result<u64, Full> {
        // The caller bounds it too; this is where no length that could wrap gets past.
        if slots.is_empty() || SLOTS_MAX < slots.len() {
            return Err(Full);
        }
        let mut token = mark.token;
        let mut left = 0;
        // Neither copies nor the three stores can fail: a panic here would block the ring for ever.
        let mut put = |to: &mut Slot, from: &Slot| {
            *to = *from;
            if left == 0 {
                left = from.slots();
                to.set_client(mark.client);
                to.set_received(mark.received);
                to.set_token(token);
                token = Token(token.0.wrapping_add(1));
            }
            left = left.saturating_sub(1);
        };
        let last = match slots {
            [one] => self.producer.try_publish(|to| put(to, one)).map_err(|_| Full)?,
            many => self
                .producer
                .try_batch_publish(many.len(), |ring| {
                    ring.zip(many).for_each(|(to, from)| put(to, from));
                })
                .map_err(|_| Full)?,
        };
        Ok(last as u64 + 1)
    }
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").field("ring", &self.ring).finish_non_exhaustive()
    }
}

/// How many slots the command takes that begins these, if it may be published on this ring.
///
/// # Errors
/// [`Malformed::Kind`], [`Malformed::EngineOnly`], [`Malformed::WrongRing`], and
/// [`Malformed::Slots`] if it is not all there.
pub(crate) fn shape(ring: Ring, slots: &[Slot]) -> Result<usize, Malformed> {
    let first = slots.first().ok_or(Malformed::Slots)?;
    ring.admits(Kind::from_code(first.0[0]).ok_or(Malformed::Kind)?)?;
    let needed = first.slots();
    if (1..=SLOTS_MAX).contains(&needed) && needed <= slots.len() {
        Ok(needed)
    } else {
        Err(Malformed::Slots)
    }
}

/// The loop's end of a ring.
pub(crate) struct Inlet {
    poller: EventPoller<Slot, MultiProducerBarrier>,
    /// Slots that are out of the ring and not yet looked at.
    batch: Box<[Slot; BATCH]>,
    at: usize,
    len: usize,
    /// A command of several slots, as far as it has come.
    gather: Box<[Slot; SLOTS_MAX]>,
    have: usize,
    need: usize,
    current: Current,
    taken: Arc<CachePadded<AtomicU64>>,
}

#[derive(Clone, Copy)]
enum Current {
    Batch(usize),
    Gather(usize),
}

impl Inlet {
    /// Whether slots are waiting in here; if not, [`Inlet::refill`] looks into the ring.
    #[inline]
    pub(crate) fn has_slots(&self) -> bool {
        self.at < self.len
    }

    /// Whether anything is waiting, here or in the ring.
    pub(crate) fn has_waiting(&self) -> bool {
        self.has_slots() || self.poller.has_available()
    }

    /// Takes what the ring has, up to a batch. Only when [`Inlet::has_slots`] is false.
    #[inline]
    pub(crate) fn refill(&mut self) -> bool {
        debug_assert!(!self.has_slots(), "everything taken before was looked at");
        let Ok(mut guard) = self.poller.take(BATCH as u64) else { return false };
        let mut len = 0;
        for (to, from) in self.batch.iter_mut().zip(&mut guard) {
            *to = *from;
            len += 1;
        }
        drop(guard);
        (self.at, self.len) = (0, len);
        // One writer: this thread.
        self.taken.store(self.taken.load(Ordering::Relaxed) + len as u64, Ordering::Relaxed);
        true
    }

    /// Goes on to the next whole command among the slots that are here; false if there is none.
    /// [`Inlet::current`] then has its bytes.
    #[inline]
    pub(crate) fn advance(&mut self) -> bool {
        while self.at < self.len {
            let slot = self.at;
            self.at += 1;
            if self.need == 0 {
                let needed = self.batch[slot].slots();
                // What does not say a possible length is looked at as one slot, and found malformed.
                if !(2..=SLOTS_MAX).contains(&needed) {
                    self.current = Current::Batch(slot);
                    return true;
                }
                (self.need, self.have) = (needed, 0);
            }
            self.gather[self.have] = self.batch[slot];
            self.have += 1;
            if self.have == self.need {
                self.need = 0;
                self.current = Current::Gather(self.have);
                return true;
            }
        }
        false
    }

    /// The bytes of the command that [`Inlet::advance`] found.
    #[inline]
    pub(crate) fn current(&self) -> &[u8] {
        match self.current {
            Current::Batch(slot) => &self.batch[slot].0,
            Current::Gather(slots) => self.gather[..slots].as_bytes(),
        }
    }
}

impl std::fmt::Debug for Inlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inlet").field("waiting", &(self.len - self.at)).finish_non_exhaustive()
    }
}

/// Builds a ring. The counter says how many slots the loop has taken.
pub(crate) fn ring(ring: Ring, slots: usize) -> (Outlet, Inlet, Arc<CachePadded<AtomicU64>>) {
    // The wait strategy is that of managed consumers, and there are none: we own our threads.
    let builder = build_multi_producer(slots, Slot::default, BusySpin);
    let (poller, builder) = builder.new_event_poller();
    let taken = Arc::new(CachePadded::new(AtomicU64::new(0)));
    let inlet = Inlet {
        poller,
        batch: Box::new([Slot::default(); BATCH]),
        at: 0,
        len: 0,
        gather: Box::new([Slot::default(); SLOTS_MAX]),
        have: 0,
        need: 0,
        current: Current::Gather(0),
        taken: taken.clone(),
    };
    (Outlet { ring, producer: builder.build() }, inlet, taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use betring_core::command::{Place, Step};
    use betring_core::wire::{self, Header};

    fn mark(token: u64) -> Mark {
        Mark { client: ClientId(7), received: Timestamp(42), token: Token(token) }
    }

    fn bet(account: u64) -> Slot {
        wire::slot(Header { account, ..Header::default() }, &Place::default())
    }

    fn long(account: u64, slots: usize) -> Vec<Slot> {
        let mut command = vec![bet(account); slots];
        command[0].0[4..6].copy_from_slice(&(slots as u16).to_le_bytes());
        for (n, slot) in command.iter_mut().enumerate().skip(1) {
            *slot = Slot([n as u8; 128]);
        }
        command
    }

    fn next(inlet: &mut Inlet) -> Option<Vec<u8>> {
        loop {
            if inlet.advance() {
                return Some(inlet.current().to_vec());
            }
            if !inlet.refill() {
                return None;
            }
        }
    }

    #[test]
    fn a_full_ring_refuses_at_once_and_takes_again_when_it_was_drained() {
        let (mut outlet, mut inlet, taken) = ring(Ring::Bets, 256);
        for n in 0..256 {
            assert_eq!(outlet.try_publish(&[bet(n)], mark(n)), Ok(n + 1));
        }
        assert_eq!(outlet.try_publish(&[bet(256)], mark(256)), Err(Full));
        assert_eq!(outlet.try_publish(&vec![bet(0); 128], mark(256)), Err(Full));
        for n in 0..256_u64 {
            let bytes = next(&mut inlet).expect("all that was published comes");
            assert_eq!(bytes[8..16], n.to_le_bytes(), "in order");
            assert_eq!(bytes[72..80], n.to_le_bytes(), "with the token of the facade");
            assert_eq!((bytes[6], bytes[56]), (7, 42), "with client and time of the facade");
        }
        assert_eq!(next(&mut inlet), None);
        assert_eq!(taken.load(Ordering::Relaxed), 256);
        assert_eq!(outlet.try_publish(&[bet(0)], mark(0)), Ok(257));
    }

    #[test]
    fn no_count_of_slots_reaches_the_ring_that_could_wrap_its_sequence() {
        let (mut outlet, mut inlet, _) = ring(Ring::Bets, 256);
        assert_eq!(outlet.try_publish(&[], mark(0)), Err(Full));
        assert_eq!(outlet.try_publish(&vec![bet(0); 129], mark(0)), Err(Full));
        assert_eq!(outlet.try_publish(&[bet(1)], mark(0)), Ok(1), "the sequence did not move");
        assert!(next(&mut inlet).is_some() && next(&mut inlet).is_none());
    }

    #[test]
    fn a_long_command_comes_whole_though_batches_cut_it() {
        let (mut outlet, mut inlet, _) = ring(Ring::Control, 512);
        let commands = [long(1, 50), long(2, 60), vec![bet(3)], long(4, 128), long(5, 2)];
        for (n, command) in commands.iter().enumerate() {
            outlet.try_publish(command, mark(n as u64)).expect("there is room");
        }
        for (n, command) in commands.iter().enumerate() {
            let bytes = next(&mut inlet).expect("whole");
            assert_eq!(bytes.len(), command.len() * 128);
            assert_eq!(bytes[8..16], (n as u64 + 1).to_le_bytes());
            assert!(bytes[128..].chunks(128).enumerate().all(|(i, s)| s == [i as u8 + 1; 128]));
        }
        assert_eq!(next(&mut inlet), None);
    }

    #[test]
    fn several_commands_in_one_claim_get_tokens_of_their_own() {
        let (mut outlet, mut inlet, _) = ring(Ring::Control, 256);
        let mut slots = long(1, 3);
        slots.push(bet(2));
        slots.extend(long(3, 2));
        outlet.try_publish(&slots, mark(9)).expect("there is room");
        for token in 9..12_u64 {
            let bytes = next(&mut inlet).expect("three commands");
            assert_eq!(bytes[72..80], token.to_le_bytes());
        }
        assert_eq!(next(&mut inlet), None);
    }

    #[test]
    fn leaving_a_loop_early_loses_nothing() {
        let (mut outlet, mut inlet, _) = ring(Ring::Bets, 256);
        for n in 0..100 {
            outlet.try_publish(&[bet(n)], mark(n)).expect("there is room");
        }
        // A turn ends after 3 of the 64 that were taken from the ring; the next one goes on.
        assert!(inlet.refill());
        for _ in 0..3 {
            assert!(inlet.advance());
        }
        let rest = std::iter::from_fn(|| next(&mut inlet)).count();
        assert_eq!(rest, 97);
    }

    #[test]
    fn a_command_takes_only_its_own_ring() {
        let bets = [bet(1)];
        assert_eq!(shape(Ring::Bets, &bets), Ok(1));
        assert_eq!(shape(Ring::Control, &bets), Err(Malformed::WrongRing));
        let step = [wire::slot(Header::default(), &Step::default())];
        assert_eq!(shape(Ring::Control, &step), Err(Malformed::EngineOnly));
        assert_eq!(shape(Ring::Bets, &step), Err(Malformed::EngineOnly));
        assert_eq!(shape(Ring::Bets, &[]), Err(Malformed::Slots));
        assert_eq!(shape(Ring::Bets, &[Slot::default()]), Err(Malformed::Kind));
        assert_eq!(shape(Ring::Bets, &long(1, 4)[..3]), Err(Malformed::Slots));
        let mut none = bets;
        none[0].0[4] = 0;
        assert_eq!(shape(Ring::Bets, &none), Err(Malformed::Slots));
    }

    #[test]
    fn four_threads_publish_and_every_slot_comes_once_and_in_its_threads_order() {
        let (outlet, mut inlet, _) = ring(Ring::Bets, 256);
        const EACH: u64 = 2_000;
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let mut outlet = outlet.clone();
                std::thread::spawn(move || {
                    for n in 0..EACH {
                        while outlet.try_publish(&[bet(thread * EACH + n)], mark(n)).is_err() {
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut seen = [0; 4];
        while seen.iter().sum::<u64>() < 4 * EACH {
            match next(&mut inlet) {
                Some(bytes) => {
                    let n = u64::from_le_bytes(bytes[8..16].try_into().expect("eight bytes"));
                    let thread = (n / EACH) as usize;
                    assert_eq!(n % EACH, seen[thread], "in its thread's order");
                    seen[thread] += 1;
                }
                None => std::thread::yield_now(),
            }
        }
        threads.into_iter().for_each(|t| t.join().expect("a sender does not panic"));
        assert_eq!(next(&mut inlet), None);
    }
}
