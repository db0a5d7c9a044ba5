//! Shows a governor the engine, and gives its commands: from any thread but the deciding one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::Level;
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};

use super::queue::{Answered, Queue};
use super::{Action, FeedSeen, Governor, GroupSeen, MarketSeen, Observation, Rules, ShedSeen};
use crate::control::Control;
use crate::dials::{Beats, RefusedFor};
use crate::egress::Seats;
use crate::engine::Desks;
use crate::error::Error;
use crate::health::{FeedHealth, MarketHealth};
use crate::shared::Shared;

/// How often the governor looks: a group's cash-outs are to be closed within 50 ms of whatever is wrong.
pub const TURN: Duration = Duration::from_millis(5);
/// How often it looks at markets, of which there are many.
const BEAT: Nanos = Nanos::from_secs(1);

/// What became of something that a governor wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was sent.
    Sent,
    /// It was done.
    Done,
    /// It was refused: it is so already, or not possible.
    Refused(Reject),
    /// It would have been sent, if the governor did more than to look.
    Dry,
    /// It was not done: before that could be, something else was wanted of the same thing.
    Superseded,
    /// It was not sent: before that could be, no rule wanted it any more, or somebody else has spoken of
    /// the same thing.
    Withdrawn,
    /// It was not done in its time, and waits to be sent again.
    Waits,
}

/// What a governor did, or would have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// When, on the engine's clock.
    pub at: Timestamp,
    /// What it wanted.
    pub action: Action,
    /// What became of it.
    pub what: What,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deed { at, action, what } = self;
        match what {
            What::Sent => write!(f, "{at} governor {action}"),
            What::Done => write!(f, "{at} done: governor {action}"),
            What::Refused(reject) => write!(f, "{at} {reject}: governor {action}"),
            What::Dry => write!(f, "{at} would have been done: governor {action}"),
            What::Superseded => write!(f, "{at} not done any more: governor {action}"),
            What::Withdrawn => write!(f, "{at} not wanted any more: governor {action}"),
            What::Waits => write!(f, "{at} not done in time, waits: governor {action}"),
        }
    }
}

/// What the task reads of an engine.
#[derive(Debug)]
pub(crate) struct Instruments {
    pub(crate) shared: Arc<Shared>,
    pub(crate) seats: Arc<Seats>,
    pub(crate) desks: Arc<Desks>,
}

/// A governor at work. Whoever has it turns it: [`GovernorTask::run`] on a thread of its own, or
/// [`GovernorTask::turn`] wherever else.
#[derive(Debug)]
pub struct GovernorTask {
    governor: Governor,
    instruments: Instruments,
    control: Control,
    dry: bool,
    queue: Queue,
    seen: Observation,
    beats: Vec<Beats>,
    refused: Vec<[u32; RefusedFor::ALL.len()]>,
    beat_at: Option<Timestamp>,
}

impl GovernorTask {
    pub(crate) fn new(rules: Rules, instruments: Instruments, control: Control) -> GovernorTask {
        let markets = instruments.shared.admission.markets() as usize;
        GovernorTask {
            governor: Governor::new(rules),
            instruments,
            control,
            dry: false,
            queue: Queue::default(),
            seen: Observation::default(),
            beats: vec![Beats::NONE; markets],
            refused: vec![[0; RefusedFor::ALL.len()]; markets],
            beat_at: None,
        }
    }

    /// It only says what it would do.
    pub fn dry_run(self) -> GovernorTask {
        GovernorTask { dry: true, ..self }
    }

    /// The governor.
    pub fn governor(&self) -> &Governor {
        &self.governor
    }

    /// What it saw at its last turn.
    pub fn seen(&self) -> &Observation {
        &self.seen
    }

    /// Looks once, sends what is to be done, and reads the answers to what was sent before. It never
    /// waits: what the ring has no room for is sent at the next turn, if it is still wanted then.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`]: there is nothing left to govern.
    pub fn turn(&mut self, now: Timestamp) -> Result<Vec<Deed>, Error> {
        let shared = &self.instruments.shared;
        if let Err(poisoned) = shared.accepts() {
            return Err(match poisoned {
                true => Error::Poisoned { why: shared.why() },
                false => Error::Closed,
            });
        }
        let mut deeds = Vec::new();
        self.answers(now, &mut deeds);
        self.look(now);
        for action in self.governor.observe(now, &self.seen) {
            if self.dry {
                self.governor.told(action.act, What::Dry);
                deeds.push(Deed { at: now, action, what: What::Dry });
                continue;
            }
            if let Some(action) = self.queue.push(action) {
                deeds.push(Deed { at: now, action, what: What::Superseded });
            }
        }
        self.send(now, &mut deeds);
        Ok(deeds)
    }

    /// Turns every [`TURN`] until it is told to stop, or the engine ends. Everything that it does is
    /// told to `tell`.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if the engine stopped because of a failure.
    pub fn run(&mut self, stop: &AtomicBool, mut tell: impl FnMut(&Deed)) -> Result<(), Error> {
        while !stop.load(Ordering::Relaxed) {
            match self.turn(self.control.now()) {
                Ok(deeds) => deeds.iter().for_each(&mut tell),
                Err(Error::Closed) => return Ok(()),
                Err(e) => return Err(e),
            }
            std::thread::sleep(TURN);
        }
        Ok(())
    }

    fn send(&mut self, now: Timestamp, deeds: &mut Vec<Deed>) {
        while let Some(action) = self.queue.first() {
            if !self.governor.wants(action.act) {
                let withdrawn = self.queue.withdraw();
                deeds.extend(withdrawn.map(|action| Deed {
                    at: now,
                    action,
                    what: What::Withdrawn,
                }));
                continue;
            }
            let slot = self.control.slot_of(action);
            // No room, or no credit: the rest stays in its order.
            let Ok(ticket) = self.control.send(&slot) else { return };
            let Some(action) = self.queue.sent(ticket.token) else { return };
            self.governor.told(action.act, What::Sent);
            deeds.push(Deed { at: now, action, what: What::Sent });
        }
    }

    /// Reads the answers. What never executed, for its time was over before there was room, is asked
    /// for again, unless something else is wanted since; what was decided is that.
    fn answers(&mut self, now: Timestamp, deeds: &mut Vec<Deed>) {
        let mut replies = [Reply::default(); 64];
        let count = self.control.replies(&mut replies);
        for reply in &replies[..count] {
            let what = match (reply.answer.kind(), reply.answer.reject()) {
                (AnswerKind::Refused, reject) => What::Refused(reject.unwrap_or(Reject::Malformed)),
                _ => What::Done,
            };
            let never = matches!(what, What::Refused(Reject::Expired | Reject::Overloaded));
            let (action, what) = match self.queue.answered(reply.token, !never) {
                Answered::Decided(action) => (action, what),
                Answered::Superseded(action) => (action, What::Superseded),
                Answered::Again(action) => (action, What::Waits),
                Answered::Unknown => continue,
            };
            self.governor.told(action.act, what);
            deeds.push(Deed { at: now, action, what });
        }
    }

    fn look(&mut self, now: Timestamp) {
        let Instruments { shared, seats, desks } = &self.instruments;
        let durable = shared.durable.get();
        let (waiting, slots) = seats.bet_ring();
        self.seen.lag = shared.decided.load(Ordering::Acquire).saturating_sub(durable);
        self.seen.ring_percent = (waiting * 100 / slots.max(1)).min(100) as u8;
        let dials = &shared.dials;
        self.seen.stake_factor = dials.factor();
        self.seen.frozen = dials.governor_freezes(Level::Engine, 0);
        let (said, mode) = (shared.admission.said(), shared.admission.mode());
        let actor = self.control.actor();
        let by_governor = said.by == actor;
        self.seen.shed = ShedSeen { mode, said: said.mode, by_governor };
        self.seen.feeds.clear();
        let feeds = FeedHealth::all(shared, desks, now);
        self.seen.feeds.extend(feeds.into_iter().map(|feed| FeedSeen {
            id: feed.id,
            status: feed.status,
            is_up: feed.is_up,
            slow: feed.slow,
            silent_for: feed.silent_for,
            recent: feed.counts.recent,
            error_ppm: feed.counts.error_ppm(),
            stake_factor: feed.stake_factor,
            frozen: dials.governor_freezes(Level::Feed, feed.id.0.into()),
        }));
        self.seen.groups.clear();
        self.seen.groups.extend(dials.groups().map(|group| GroupSeen {
            id: group.id,
            primary: group.primary,
            backup: group.backup,
            drives: group.drives,
            by_governor: group.switched_by == Some(actor),
            drifting: group.drifting,
            frozen: dials.governor_freezes(Level::Group, group.id.0.into()),
        }));
        let span = self.beat_at.map(|at| now.since(at));
        if span.is_none_or(|span| BEAT <= span) {
            self.look_at_markets(now, span);
            self.beat_at = Some(now);
        } else {
            // What was answered is to be seen, too.
            self.seen.markets.retain_mut(|seen| {
                let market = dials.market(seen.id.index()).filter(|market| market.id == seen.id);
                seen.stake_factor = market.map_or(seen.stake_factor, |market| market.factor);
                market.is_some()
            });
        }
    }

    fn look_at_markets(&mut self, now: Timestamp, span: Option<Nanos>) {
        let shared = &self.instruments.shared;
        self.seen.markets.clear();
        for (index, (beats, refused)) in self.beats.iter_mut().zip(&mut self.refused).enumerate() {
            let Some(market) = MarketHealth::of(shared, index as u32, now) else { continue };
            let counts = market.refused.map(|(_, count)| count);
            let pulse = shared.dials.beats(index as u32);
            if let Some(span) = span {
                let (samples, accept_p99) = pulse.since(beats);
                let a_second = |now: u32, before: u32| {
                    let count = i128::from(now.wrapping_sub(before)) * i128::from(BEAT.0);
                    u32::try_from(count / i128::from(span.0.max(1))).unwrap_or(u32::MAX)
                };
                self.seen.markets.push(MarketSeen {
                    id: market.id,
                    rate: market.door.rate,
                    accept_p99,
                    samples,
                    price_age: market.price_age,
                    refused: std::array::from_fn(|at| a_second(counts[at], refused[at])),
                    stake_factor: market.stake_factor,
                    frozen: shared.dials.governor_freezes(Level::Market, market.id.raw()),
                });
            }
            (*beats, *refused) = (pulse, counts);
        }
    }
}

impl fmt::Display for GovernorTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.governor.rules().iter().len();
        write!(f, "governor of {rules} rules")?;
        f.write_str(if self.dry { ", dry" } else { "" })
    }
}
