//! Feeds as the rules have them: asked, up, down, in quarantine; what is heard of them, and how late.

use super::{Auditor, Decided, Feed, and};
use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, WirePrice};
use std::collections::BTreeMap;

/// What a message of a feed says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Alive,
    /// Something is missing, or the whole connection.
    Gap {
        connection: bool,
    },
    /// It has sent everything that was asked for with this number.
    Recovered {
        request: u64,
    },
    /// It was asked to send everything, with this number.
    Recovering {
        request: u64,
    },
}

/// The parts that all messages of a feed have.
#[derive(Clone, Copy)]
pub(super) struct Message {
    pub(super) feed: FeedId,
    pub(super) number: u64,
    pub(super) source: Timestamp,
    pub(super) schema: u32,
}

/// Whether a message is news, and how long it was on its way.
#[derive(Clone, Copy)]
struct Heard {
    news: bool,
    /// Something before it is missing.
    hole: bool,
    /// None: it says a time that nobody believes.
    delay: Option<i64>,
}

impl Feed {
    pub(super) fn goes_down(&mut self, status: FeedStatus, seq: u64) {
        self.status = status;
        self.generation += 1;
        self.heartbeat = None;
        // What was asked for before lacks what is missing now.
        self.request = 0;
        // Its clock may have been set meanwhile.
        (self.quickest, self.odd) = (None, None);
        self.suspended.last = seq;
    }

    /// How much longer than the quickest ever; the two clocks are compared only with themselves. A message
    /// that would be quicker than that, or where nothing is known quicker than at once, by more than the
    /// bound, needs one like it just before: else nobody knows how long it was on its way.
    pub(super) fn delay(&mut self, received: i64, source: i64) -> Option<i64> {
        if source == 0 {
            return Some(0);
        }
        let way = received.saturating_sub(source);
        let before = self.odd.take();
        let ahead = i128::from(self.quickest.unwrap_or(0)) - i128::from(way);
        let is_odd = self.delay_bound != 0 && i128::from(self.delay_bound) < ahead;
        let alike =
            |one: i64| (i128::from(one) - i128::from(way)).abs() <= i128::from(self.delay_bound);
        let seen = match (is_odd, before) {
            (false, _) => [self.quickest, None],
            (true, Some(one)) if alike(one) => [self.quickest, Some(one)],
            (true, _) => {
                self.odd = Some(way);
                return None;
            }
        };
        let quickest = seen.into_iter().flatten().fold(way, i64::min);
        self.quickest = Some(quickest);
        Some(way.saturating_sub(quickest))
    }
}

impl Auditor {
    pub(super) fn received(&self, header: &Header) -> i64 {
        match header.received.0 {
            0 => self.now,
            received => received.min(self.now),
        }
    }

    pub(super) fn feed_is_up(&self, feed: u16) -> bool {
        let known = &self.feeds[usize::from(feed)];
        let silent = feed != 0
            && known.heard.is_none_or(|heard| {
                i128::from(known.silence_bound) < i128::from(self.now) - i128::from(heard)
            });
        known.status == FeedStatus::Up && !silent
    }

    /// Whether a message is news: numbers rise by one; one that was there before has no effect. What is
    /// missing is seen here, on every message, before anything that it says is looked at.
    fn hear(&mut self, message: &Message, received: i64) -> Heard {
        let (seq, id, number) = (self.seq, message.feed, message.number);
        let feed = &mut self.feeds[usize::from(id.0)];
        let numbered = number != 0 && feed.last_number != 0;
        if numbered && number <= feed.last_number {
            return Heard { news: false, hole: false, delay: None };
        }
        let silent = feed.heard.is_none_or(|heard| {
            i128::from(feed.silence_bound) < i128::from(received) - i128::from(heard)
        });
        let missing = numbered && feed.last_number + 1 < number;
        feed.heard = Some(feed.heard.map_or(received, |heard| heard.max(received)));
        if number != 0 {
            feed.last_number = number;
        }
        if feed.status == FeedStatus::Quarantined {
            return Heard { news: true, hole: missing, delay: None };
        }
        // A silence that ends, and a message that is missing, each take the feed down first.
        let why = if feed.status == FeedStatus::Up && silent {
            Some(FeedWhy::Silence)
        } else if missing {
            Some(FeedWhy::Gap)
        } else {
            None
        };
        if let Some(why) = why {
            feed.goes_down(FeedStatus::Down, seq);
            self.tell_feed(id, why);
        }
        let feed = &mut self.feeds[usize::from(id.0)];
        if feed.schema != 0 && feed.schema != message.schema {
            feed.goes_down(FeedStatus::Quarantined, seq);
            self.tell_feed(id, FeedWhy::Schema);
            return Heard { news: true, hole: missing, delay: None };
        }
        Heard { news: true, hole: missing, delay: self.is_late(message, received) }
    }

    pub(super) fn is_quarantined(&self, id: FeedId) -> bool {
        self.feeds[usize::from(id.0)].status == FeedStatus::Quarantined
    }

    /// How long a message was on its way; whether its feed is late from here on, or in time again. One that
    /// does not say when it was sent, or is not believed, says nothing of that.
    fn is_late(&mut self, message: &Message, received: i64) -> Option<i64> {
        let feed = &mut self.feeds[usize::from(message.feed.0)];
        let delay = feed.delay(received, message.source.0)?;
        let slow = feed.delay_bound != 0 && feed.delay_bound < delay;
        if feed.slow != slow && message.source.0 != 0 && feed.delay_bound != 0 {
            feed.slow = slow;
            self.tell_feed(message.feed, if slow { FeedWhy::Slow } else { FeedWhy::InTime });
        }
        Some(delay)
    }

    pub(super) fn tell_feed(&mut self, id: FeedId, why: FeedWhy) {
        let feed = &self.feeds[usize::from(id.0)];
        self.told.push(Event::FeedChanged(FeedChanged {
            heard: Timestamp(feed.heard.unwrap_or(i64::MIN)),
            feed_seq: feed.last_number,
            feed: id,
            status: feed.status as u8,
            why: why as u8,
            generation: feed.generation,
        }));
    }

    pub(super) fn feed_says(&mut self, header: &Header, message: &Message, says: Says) -> Decided {
        let id = message.feed;
        if self.feeds.len() <= usize::from(id.0) {
            return Err(self.no(Reject::FeedUnknown));
        }
        let received = self.received(header);
        let seq = self.seq;
        let done = self.done(u64::from(id.0));
        if let Says::Gap { connection } = says {
            // An adapter's word that something is missing is never late, and the feed's numbers may
            // begin anew from it.
            let feed = &mut self.feeds[usize::from(id.0)];
            feed.heard = Some(feed.heard.map_or(received, |heard| heard.max(received)));
            feed.last_number = message.number;
            if feed.status == FeedStatus::Quarantined {
                return Ok(done);
            }
            feed.goes_down(FeedStatus::Down, seq);
            self.tell_feed(id, if connection { FeedWhy::Connection } else { FeedWhy::Gap });
            return Ok(done);
        }
        let Heard { news, hole, delay } = self.hear(message, received);
        if !news || self.is_quarantined(id) {
            return Ok(done);
        }
        let feed = &mut self.feeds[usize::from(id.0)];
        let beats = |heartbeat: Option<i64>| heartbeat.map_or(received, |at| at.max(received));
        match says {
            Says::Alive => {
                // One that was long on its way says how things were then: it confirms no price. Nor does
                // one of which nobody knows how long it was.
                if feed.delay_bound == 0 || delay.is_some_and(|delay| delay <= feed.delay_bound) {
                    feed.heartbeat = Some(beats(feed.heartbeat));
                }
                let feed = &self.feeds[usize::from(id.0)];
                self.told.push(Event::FeedHeard(FeedHeard {
                    heard: Timestamp(feed.heartbeat.unwrap_or(i64::MIN)),
                    feed_seq: feed.last_number,
                    feed: id,
                    zero: 0,
                    generation: feed.generation,
                }));
            }
            // A gap was dealt with above.
            Says::Gap { .. } => (),
            Says::Recovered { request } => {
                // One that answers another request than the last says nothing of what is missing now, and
                // one that comes behind a hole does not know what fell into it.
                let counts = match feed.status {
                    FeedStatus::Up => true,
                    FeedStatus::Recovering | FeedStatus::Down => feed.request == request,
                    FeedStatus::Quarantined => false,
                };
                if counts && !hole {
                    feed.request = 0;
                    feed.status = FeedStatus::Up;
                    feed.heartbeat = Some(beats(feed.heartbeat));
                    self.tell_feed(id, FeedWhy::Recovered);
                }
            }
            Says::Recovering { request } => {
                if feed.status == FeedStatus::Up {
                    feed.goes_down(FeedStatus::Down, seq);
                }
                (feed.status, feed.request) = (FeedStatus::Recovering, request);
                self.tell_feed(id, FeedWhy::Asked);
            }
        }
        Ok(done)
    }

    pub(super) fn set_schema(&mut self, body: &SetFeedSchema) -> Decided {
        let id = body.feed;
        let unknown = self.no(Reject::FeedUnknown);
        let Some(feed) = self.feeds.get_mut(usize::from(id.0)) else { return Err(unknown) };
        feed.schema = body.schema;
        if feed.status == FeedStatus::Quarantined {
            feed.status = FeedStatus::Down;
        }
        self.tell_feed(id, FeedWhy::SchemaSet);
        Ok(self.done(u64::from(id.0)))
    }

    pub(super) fn set_prices(
        &mut self,
        header: &Header,
        body: &SetPrices,
        entries: Entries<'_, PriceEntry>,
    ) -> Decided {
        use MarketStatus::*;
        if self.feeds.len() <= usize::from(body.feed.0) {
            return Err(self.no(Reject::FeedUnknown));
        }
        // A message that is refused was heard all the same: its number is not missing.
        let received = self.received(header);
        let (feed, number, source) = (body.feed, body.feed_seq, body.source);
        let message = Message { feed, number, source, schema: body.schema };
        let by_hand = feed == FeedId::MANUAL;
        let heard = match by_hand {
            true => Heard { news: true, hole: false, delay: Some(0) },
            false => self.hear(&message, received),
        };
        let market = self.markets.get(&body.market.raw());
        let market = market.ok_or_else(|| self.no(Reject::MarketUnknown))?;
        if self.is_exchange(body.market) {
            return Err(self.no(Reject::InvalidMarketId));
        }
        let slot = self.slot_of(market, feed.0).ok_or_else(|| self.no(Reject::FeedMismatch))?;
        let runners = market.runners.len();
        if entries.iter().any(|entry| runners <= usize::from(entry.selection.0)) {
            return Err(self.no(Reject::SelectionUnknown));
        }
        if !matches!(market.status, Defined | Open | Closed) {
            return Err(self.no(Reject::MarketClosed));
        }
        if self.is_quarantined(feed) {
            return Err(self.no(Reject::FeedQuarantined));
        }
        if !heard.news {
            return Ok(self.done(body.market.raw()));
        }
        let own = self.feeds.first_mut().filter(|_| by_hand);
        let delay = own.map_or(heard.delay, |by_hand| by_hand.delay(received, source.0));
        let (as_of, delay) = (body.as_of.0.min(received), delay.unwrap_or(0));
        let prices = entries.iter().map(|entry| (entry.selection, entry.price));
        self.takes_prices(body.market, slot, prices, (received, as_of, delay));
        let version = self.markets.get(&body.market.raw()).map_or(0, |market| market.version);
        Ok(and(self.done(body.market.raw()), |done| done.version = PriceVersion(version)))
    }

    /// All prices of a fixture: what one message for each of its markets would do, but as one.
    pub(super) fn reprice(
        &mut self,
        header: &Header,
        body: &Reprice,
        entries: Entries<'_, RepriceEntry>,
    ) -> Decided {
        use MarketStatus::*;
        if self.feeds.len() <= usize::from(body.feed.0) {
            return Err(self.no(Reject::FeedUnknown));
        }
        let received = self.received(header);
        let (feed, number, source) = (body.feed, body.feed_seq, body.source);
        let heard = self.hear(&Message { feed, number, source, schema: body.schema }, received);
        if !self.fixtures().any(|fixture| fixture == body.fixture) {
            return Err(self.no(Reject::FixtureUnknown));
        }
        let mut of_market: BTreeMap<u64, Vec<(SelectionIndex, WirePrice)>> = BTreeMap::new();
        for entry in entries.iter() {
            // What has left memory is passed over.
            let Some(market) = self.markets.get(&entry.market.raw()) else { continue };
            if self.is_exchange(entry.market) || market.fixture != body.fixture.raw() {
                return Err(self.no(Reject::InvalidMarketId));
            }
            self.slot_of(market, feed.0).ok_or_else(|| self.no(Reject::FeedMismatch))?;
            if market.runners.len() <= usize::from(entry.selection.0) {
                return Err(self.no(Reject::SelectionUnknown));
            }
            let prices = of_market.entry(entry.market.raw()).or_default();
            prices.push((entry.selection, entry.price));
        }
        if self.is_quarantined(feed) {
            return Err(self.no(Reject::FeedQuarantined));
        }
        let done = self.done(body.fixture.raw());
        if !heard.news {
            return Ok(done);
        }
        let when = (received, body.as_of.0.min(received), heard.delay.unwrap_or(0));
        let mut taken = 0;
        for (id, prices) in of_market {
            let Some(market) = self.markets.get(&id) else { continue };
            let slot = self.slot_of(market, feed.0).filter(|_| {
                let status = market.status;
                matches!(status, Defined | Open | Closed)
            });
            let Some(slot) = slot else { continue };
            taken += prices.len() as i64;
            self.takes_prices(MarketId::from_raw(id), slot, prices.into_iter(), when);
        }
        Ok(and(done, |done| done.amount = Minor(taken)))
    }

    /// Which quote of a market a feed sets; none if it is neither of its feeds.
    pub(super) fn slot_of(&self, market: &super::Market, feed: u16) -> Option<usize> {
        let backup = self.group(market).map(|group| group.backup);
        if market.feed == feed { Some(0) } else { (backup == Some(feed)).then_some(1) }
    }
}

/// The answer of a price that took too long.
pub(super) fn delayed(no: Answer, delay: i64) -> Answer {
    no.with_age(Nanos(delay))
}
