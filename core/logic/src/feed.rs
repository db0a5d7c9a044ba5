//! Feeds: alive or silent, whole or with a gap, and from when on their prices count.

use crate::event::{Events, FeedChanged, FeedHeard, FeedStatus, FeedWhy};
use crate::id::{FeedId, Seq};
use crate::market::Suspension;
use crate::time::{Nanos, Timestamp};

/// A source of prices.
#[derive(Clone, Copy)]
pub(crate) struct Feed {
    pub(crate) status: FeedStatus,
    /// Rises whenever the feed has to recover: prices of an earlier generation are not confirmed by
    /// its heartbeats, because something may have been missed since.
    pub(crate) generation: u32,
    /// Its number of the last message, 0 if none since the run began.
    pub(crate) seq: u64,
    /// When anything of it was last received.
    pub(crate) heard: Timestamp,
    /// When a heartbeat of this generation was last received.
    pub(crate) heartbeat: Timestamp,
    pub(crate) silence_bound: Nanos,
    pub(crate) delay_bound: Nanos,
    /// The smallest (received − source) seen: what the two clocks differ by, plus its quickest way.
    pub(crate) quickest: Option<Nanos>,
    pub(crate) suspension: Suspension,
    /// Who freezes the cash-outs of its markets.
    pub(crate) cash_out: Suspension,
}

/// What a message of a feed turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// News.
    New,
    /// A message that was there before, or comes after its successor: it has no effect.
    Late,
}

impl Feed {
    pub(crate) fn new(silence_bound: Nanos, delay_bound: Nanos) -> Feed {
        Feed {
            status: FeedStatus::Recovering,
            generation: 1,
            seq: 0,
            heard: Timestamp::MIN,
            heartbeat: Timestamp::MIN,
            silence_bound,
            delay_bound,
            quickest: None,
            suspension: Suspension::default(),
            cash_out: Suspension::default(),
        }
    }

    /// The feed of prices set by a person: always up, never silent.
    pub(crate) fn manual() -> Feed {
        Feed { status: FeedStatus::Up, ..Feed::new(Nanos(i64::MAX), Nanos::ZERO) }
    }

    /// Whether prices of this feed may be bet on at `now`.
    pub(crate) fn is_up(&self, now: Timestamp) -> bool {
        self.status == FeedStatus::Up && self.silent_for(now) <= self.silence_bound
    }

    fn silent_for(&self, now: Timestamp) -> Nanos {
        if self.silence_bound.0 == i64::MAX { Nanos::ZERO } else { now.since(self.heard).or_zero() }
    }

    /// The feed has to send everything again; offers made under it can no longer be taken.
    pub(crate) fn go_down(&mut self, seq: Seq) {
        self.status = FeedStatus::Recovering;
        self.generation += 1;
        self.heartbeat = Timestamp::MIN;
        // Its clock may have been set meanwhile: what was quickest is learnt again.
        self.quickest = None;
        self.suspension.seq = seq;
    }

    fn tell(&self, id: FeedId, why: FeedWhy, events: &mut Events) {
        events.push(&FeedChanged {
            heard: self.heard,
            feed_seq: self.seq,
            feed: id,
            status: self.status as u8,
            why: why as u8,
            generation: self.generation,
        });
    }

    /// A message was received. A silence beyond the bound that it ends, or a message missing before
    /// it, first takes the feed down.
    pub(crate) fn hear(
        &mut self,
        id: FeedId,
        seq: Seq,
        feed_seq: u64,
        received: Timestamp,
        events: &mut Events,
    ) -> Heard {
        if feed_seq != 0 && self.seq != 0 && feed_seq <= self.seq {
            return Heard::Late;
        }
        let silent = self.silent_for(received) > self.silence_bound;
        let gap = feed_seq != 0 && self.seq != 0 && self.seq.saturating_add(1) < feed_seq;
        self.heard = self.heard.max(received);
        if feed_seq != 0 {
            self.seq = feed_seq;
        }
        if self.status == FeedStatus::Up && silent {
            self.go_down(seq);
            self.tell(id, FeedWhy::Silence, events);
        } else if gap {
            // While it recovers, too: what it has sent so far may be incomplete.
            self.go_down(seq);
            self.tell(id, FeedWhy::Gap, events);
        }
        Heard::New
    }

    /// A heartbeat, already heard. One that took longer than the bound says how things were then,
    /// not now: it ends no silence falsely, but confirms no price either.
    pub(crate) fn beat(
        &mut self,
        id: FeedId,
        received: Timestamp,
        delay: Nanos,
        events: &mut Events,
    ) {
        if self.delay_bound == Nanos::ZERO || delay <= self.delay_bound {
            self.heartbeat = self.heartbeat.max(received);
        }
        events.push(&FeedHeard {
            heard: self.heartbeat,
            feed_seq: self.seq,
            feed: id,
            zero: 0,
            generation: self.generation,
        });
    }

    /// The adapter noticed a gap. That is never late, and the feed's numbers may begin anew from it:
    /// an adapter that starts again has no other way to say so.
    pub(crate) fn gap(
        &mut self,
        id: FeedId,
        seq: Seq,
        feed_seq: u64,
        received: Timestamp,
        events: &mut Events,
    ) {
        self.heard = self.heard.max(received);
        self.seq = feed_seq;
        self.go_down(seq);
        self.tell(id, FeedWhy::Gap, events);
    }

    /// Everything was sent again.
    pub(crate) fn recovered(&mut self, id: FeedId, received: Timestamp, events: &mut Events) {
        self.status = FeedStatus::Up;
        self.heartbeat = self.heartbeat.max(received);
        self.tell(id, FeedWhy::Recovered, events);
    }

    /// A new run: what was missed meanwhile is not known.
    pub(crate) fn restart(&mut self, seq: Seq) {
        if self.silence_bound.0 != i64::MAX {
            self.go_down(seq);
            self.seq = 0;
        }
    }

    /// How much longer a message took than the quickest ever; the two clocks are compared only with
    /// themselves.
    pub(crate) fn delay(&mut self, received: Timestamp, source: Timestamp) -> Nanos {
        if source.0 == 0 {
            return Nanos::ZERO;
        }
        let way = received.since(source);
        let quickest = self.quickest.map_or(way, |quickest| quickest.min(way));
        self.quickest = Some(quickest);
        Nanos(way.0.saturating_sub(quickest.0))
    }
}
