//! Feeds: alive or silent, whole or with a gap, and from when on their prices count.
//!
//! A feed is down after a silence, a missing message or a lost connection; its adapter then asks it to
//! send everything again, and only the end of that, not of another request or of another run's, lets its
//! prices count. One that sends another version of its messages than expected is in quarantine until an operator has
//! looked. Everything is found here, message by message, before anything is conflated.

use crate::answer::Answer;
use crate::command::{FeedGap, FeedHeartbeat, FeedRecovered, FeedRecovering, SetFeedSchema};
use crate::event::{Events, FeedChanged, FeedHeard, FeedStatus, FeedWhy};
use crate::id::{FeedId, Seq};
use crate::market::Suspension;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::time::{Nanos, Timestamp};
use crate::wire::Header;

type Decided = Result<Answer, Answer>;

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
    /// Whether its last message that said when it was sent took longer than that.
    pub(crate) slow: bool,
    /// The version that its messages have to say; 0 any.
    pub(crate) schema: u32,
    /// While it recovers: the adapter's number of its request, 0 where it has none or nobody has asked in
    /// this run. The end of another request says nothing about this one.
    pub(crate) request: u64,
    /// The smallest (received − source) that was believed: what the two clocks differ by, plus its
    /// quickest way.
    pub(crate) quickest: Option<Nanos>,
    /// The same of its last message that said when it was sent, if that was not believed.
    pub(crate) doubted: Option<Nanos>,
    pub(crate) suspension: Suspension,
    /// Who freezes the cash-outs of its markets.
    pub(crate) cash_out: Suspension,
}

/// What every message of a feed says of itself.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    pub(crate) feed_seq: u64,
    pub(crate) source: Timestamp,
    pub(crate) schema: u32,
    pub(crate) received: Timestamp,
}

/// What a message of a feed turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// News.
    New,
    /// News, and something before it is missing: the feed is down.
    Gap,
    /// A message that was there before, or comes after its successor: it has no effect.
    Late,
    /// Something in a version that is not understood, or of a feed that sent such: it has no effect.
    Quarantined,
}

impl Feed {
    pub(crate) fn new(silence_bound: Nanos, delay_bound: Nanos, schema: u32) -> Feed {
        Feed {
            status: FeedStatus::Recovering,
            generation: 1,
            seq: 0,
            heard: Timestamp::MIN,
            heartbeat: Timestamp::MIN,
            silence_bound,
            delay_bound,
            slow: false,
            schema,
            request: 0,
            quickest: None,
            doubted: None,
            suspension: Suspension::default(),
            cash_out: Suspension::default(),
        }
    }

    /// The feed of prices set by a person: always up, never silent.
    pub(crate) fn manual() -> Feed {
        Feed { status: FeedStatus::Up, ..Feed::new(Nanos(i64::MAX), Nanos::ZERO, 0) }
    }

    /// Whether prices of this feed may be bet on at `now`.
    pub(crate) fn is_up(&self, now: Timestamp) -> bool {
        self.status == FeedStatus::Up && self.silent_for(now) <= self.silence_bound
    }

    fn silent_for(&self, now: Timestamp) -> Nanos {
        if self.silence_bound.0 == i64::MAX { Nanos::ZERO } else { now.since(self.heard).or_zero() }
    }

    /// Its prices do not count any more; offers made under them can no longer be taken.
    fn go_down(&mut self, to: FeedStatus, seq: Seq) {
        self.status = to;
        self.request = 0;
        self.generation += 1;
        self.heartbeat = Timestamp::MIN;
        // Its clock may have been set meanwhile: what was quickest is learnt again.
        (self.quickest, self.doubted) = (None, None);
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
    /// it, first takes the feed down; a version that is not expected sets it aside. How much longer than
    /// the quickest it took, too, unless its own time is not to be believed.
    fn hear(
        &mut self,
        id: FeedId,
        seq: Seq,
        message: &Message,
        events: &mut Events,
    ) -> (Heard, Option<Nanos>) {
        let Message { feed_seq, source, schema, received } = *message;
        let aside = self.status == FeedStatus::Quarantined;
        if feed_seq != 0 && self.seq != 0 && feed_seq <= self.seq {
            return (if aside { Heard::Quarantined } else { Heard::Late }, None);
        }
        let silent = self.silent_for(received) > self.silence_bound;
        let gap = feed_seq != 0 && self.seq != 0 && self.seq.saturating_add(1) < feed_seq;
        self.heard = self.heard.max(received);
        if feed_seq != 0 {
            self.seq = feed_seq;
        }
        if aside {
            return (Heard::Quarantined, None);
        }
        if self.status == FeedStatus::Up && silent {
            self.go_down(FeedStatus::Down, seq);
            self.tell(id, FeedWhy::Silence, events);
        } else if gap {
            // While it recovers, too: what it has sent so far may be incomplete.
            self.go_down(FeedStatus::Down, seq);
            self.tell(id, FeedWhy::Gap, events);
        }
        if self.schema != 0 && schema != self.schema {
            self.go_down(FeedStatus::Quarantined, seq);
            self.tell(id, FeedWhy::Schema, events);
            return (Heard::Quarantined, None);
        }
        let delay = self.delay(received, source);
        // A message that does not say when it was sent, or is not believed, says nothing of its way.
        let slow = delay.map(|delay| self.delay_bound < delay);
        if let Some(slow) = slow.filter(|slow| *slow != self.slow)
            && source.0 != 0
            && self.delay_bound != Nanos::ZERO
        {
            self.slow = slow;
            self.tell(id, if slow { FeedWhy::Slow } else { FeedWhy::InTime }, events);
        }
        (if gap { Heard::Gap } else { Heard::New }, delay)
    }

    /// A heartbeat, already heard. One that took longer than the bound says how things were then,
    /// not now: it ends no silence falsely, but confirms no price either. Nor does one whose time is not
    /// to be believed.
    pub(crate) fn beat(
        &mut self,
        id: FeedId,
        received: Timestamp,
        delay: Option<Nanos>,
        events: &mut Events,
    ) {
        if self.delay_bound == Nanos::ZERO || delay.is_some_and(|delay| delay <= self.delay_bound) {
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

    /// The adapter noticed a gap, or lost the connection. That is never late, and the feed's numbers may
    /// begin anew from it: an adapter that starts again has no other way to say so.
    fn gap(
        &mut self,
        id: FeedId,
        seq: Seq,
        body: &FeedGap,
        received: Timestamp,
        events: &mut Events,
    ) {
        self.heard = self.heard.max(received);
        self.seq = body.feed_seq;
        if self.status == FeedStatus::Quarantined {
            return;
        }
        self.go_down(FeedStatus::Down, seq);
        let lost = body.connection == 1;
        self.tell(id, if lost { FeedWhy::Connection } else { FeedWhy::Gap }, events);
    }

    /// Everything was asked for again: what is sent from here on up to the end of this request counts.
    fn recovering(&mut self, id: FeedId, seq: Seq, request: u64, events: &mut Events) {
        if self.status == FeedStatus::Up {
            self.go_down(FeedStatus::Recovering, seq);
        }
        self.status = FeedStatus::Recovering;
        self.request = request;
        self.tell(id, FeedWhy::Asked, events);
    }

    /// Everything was sent again, if it was asked for by this request. Without a number it is the end of
    /// what was asked for without one, or of what nobody asked for in this run; with one, of that alone.
    fn recovered(&mut self, id: FeedId, request: u64, received: Timestamp, events: &mut Events) {
        let counts = match self.status {
            FeedStatus::Recovering | FeedStatus::Down => self.request == request,
            FeedStatus::Up => true,
            FeedStatus::Quarantined => false,
        };
        if counts {
            self.status = FeedStatus::Up;
            self.request = 0;
            self.heartbeat = self.heartbeat.max(received);
            self.tell(id, FeedWhy::Recovered, events);
        }
    }

    /// An operator says which version it is to send. What it sent in quarantine was not understood: it
    /// has to recover.
    fn set_schema(&mut self, id: FeedId, schema: u32, events: &mut Events) {
        self.schema = schema;
        if self.status == FeedStatus::Quarantined {
            self.status = FeedStatus::Down;
        }
        self.tell(id, FeedWhy::SchemaSet, events);
    }

    /// A new run: what was missed meanwhile is not known. A start looks into no quarantine.
    pub(crate) fn restart(&mut self, seq: Seq) {
        if self.silence_bound.0 != i64::MAX {
            let aside = self.status == FeedStatus::Quarantined;
            self.go_down(if aside { self.status } else { FeedStatus::Recovering }, seq);
            self.seq = 0;
        }
    }

    /// How much longer a message took than the quickest ever; the two clocks are compared only with
    /// themselves. Nothing if its time is not to be believed.
    ///
    /// One wrong time that is ahead would make every message after it seem late. So a way that is shorter
    /// than the quickest by more than the bound is believed only if the message before said the same
    /// within the bound: 3.00 s, 3.01 s, −3597 s, 3.00 s is one wrong time; 3.00 s, −3597.00 s, −3597.01 s
    /// is a clock that was set. Before anything is known, the quickest is taken to be nought.
    pub(crate) fn delay(&mut self, received: Timestamp, source: Timestamp) -> Option<Nanos> {
        if source.0 == 0 {
            return Some(Nanos::ZERO);
        }
        let (way, bound) = (received.since(source), self.delay_bound);
        let doubted = self.doubted.take();
        let least = self.quickest.unwrap_or(Nanos::ZERO).0.saturating_sub(bound.0);
        let mut quickest = self.quickest.map_or(way, |quickest| quickest.min(way));
        if bound != Nanos::ZERO && way.0 < least {
            match doubted.filter(|before| way.0.abs_diff(before.0) <= bound.0.unsigned_abs()) {
                Some(before) => quickest = before.min(way),
                None => {
                    self.doubted = Some(way);
                    return None;
                }
            }
        }
        self.quickest = Some(quickest);
        Some(Nanos(way.0.saturating_sub(quickest.0)))
    }
}

impl<R: Rules> State<R> {
    /// Whatever a feed sends is heard first.
    pub(crate) fn hear(
        &mut self,
        id: FeedId,
        message: &Message,
        events: &mut Events,
    ) -> Result<(Heard, Option<Nanos>), Answer> {
        let seq = self.seq;
        match self.feeds.get_mut(usize::from(id.0)) {
            Some(feed) => Ok(feed.hear(id, seq, message, events)),
            None => Err(self.no(Reject::FeedUnknown)),
        }
    }

    /// When the facade took a command: never after its stamp.
    pub(crate) fn received(&self, header: &Header) -> Timestamp {
        if header.received.0 == 0 { self.now } else { header.received.min(self.now) }
    }

    pub(crate) fn feed_heartbeat(
        &mut self,
        header: &Header,
        body: &FeedHeartbeat,
        events: &mut Events,
    ) -> Decided {
        let FeedHeartbeat { feed, feed_seq, source, schema, .. } = *body;
        let received = self.received(header);
        let message = Message { feed_seq, source, schema, received };
        if let (Heard::New | Heard::Gap, delay) = self.hear(feed, &message, events)? {
            self.feeds[usize::from(feed.0)].beat(feed, received, delay, events);
        }
        Ok(Answer::done(self.seq, u64::from(feed.0)))
    }

    pub(crate) fn feed_recovered(
        &mut self,
        header: &Header,
        body: &FeedRecovered,
        events: &mut Events,
    ) -> Decided {
        let FeedRecovered { feed, feed_seq, source, schema, request, .. } = *body;
        let received = self.received(header);
        let message = Message { feed_seq, source, schema, received };
        // What is missing before the end of a recovery was missing in it.
        if let (Heard::New, _) = self.hear(feed, &message, events)? {
            self.feeds[usize::from(feed.0)].recovered(feed, request, received, events);
        }
        Ok(Answer::done(self.seq, u64::from(feed.0)))
    }

    pub(crate) fn feed_recovering(
        &mut self,
        header: &Header,
        body: &FeedRecovering,
        events: &mut Events,
    ) -> Decided {
        let FeedRecovering { feed, feed_seq, source, schema, request, .. } = *body;
        let message = Message { feed_seq, source, schema, received: self.received(header) };
        if let (Heard::New | Heard::Gap, _) = self.hear(feed, &message, events)? {
            let seq = self.seq;
            self.feeds[usize::from(feed.0)].recovering(feed, seq, request, events);
        }
        Ok(Answer::done(self.seq, u64::from(feed.0)))
    }

    pub(crate) fn feed_gap(
        &mut self,
        header: &Header,
        body: &FeedGap,
        events: &mut Events,
    ) -> Decided {
        let (seq, received) = (self.seq, self.received(header));
        let Some(feed) = self.feeds.get_mut(usize::from(body.feed.0)) else {
            return Err(self.no(Reject::FeedUnknown));
        };
        feed.gap(body.feed, seq, body, received, events);
        Ok(Answer::done(self.seq, u64::from(body.feed.0)))
    }

    pub(crate) fn set_feed_schema(&mut self, body: &SetFeedSchema, events: &mut Events) -> Decided {
        let Some(feed) = self.feeds.get_mut(usize::from(body.feed.0)) else {
            return Err(self.no(Reject::FeedUnknown));
        };
        feed.set_schema(body.feed, body.schema, events);
        Ok(Answer::done(self.seq, u64::from(body.feed.0)))
    }
}
