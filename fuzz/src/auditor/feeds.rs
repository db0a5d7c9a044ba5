//! Feeds as the rules have them: alive, silent, with a gap; and the prices they send.

use super::{Auditor, Decided, Feed, and};
use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::Header;

/// What a message of a feed says.
#[derive(Clone, Copy)]
pub(super) enum Says {
    Alive,
    Gap,
    Recovered,
}

impl Feed {
    pub(super) fn goes_down(&mut self, seq: u64) {
        self.up = false;
        self.generation += 1;
        self.heartbeat = None;
        // Its clock may have been set meanwhile.
        self.quickest = None;
        self.suspended.last = seq;
    }

    /// How much longer than the quickest ever; the two clocks are compared only with themselves.
    pub(super) fn delay(&mut self, received: i64, source: i64) -> i64 {
        if source == 0 {
            return 0;
        }
        let way = received - source;
        let quickest = self.quickest.map_or(way, |quickest| quickest.min(way));
        self.quickest = Some(quickest);
        way - quickest
    }
}

impl Auditor {
    pub(super) fn received(&self, header: &Header) -> i64 {
        match header.received.0 {
            0 => self.now,
            received => received.min(self.now),
        }
    }

    /// Whether a message is news: numbers rise by one; one that was there before has no effect.
    pub(super) fn hear(&mut self, id: FeedId, number: u64, received: i64) -> bool {
        let seq = self.seq;
        let feed = &mut self.feeds[usize::from(id.0)];
        let numbered = number != 0 && feed.last_number != 0;
        if numbered && number <= feed.last_number {
            return false;
        }
        let silent = feed.heard.is_none_or(|heard| {
            i128::from(feed.silence_bound) < i128::from(received) - i128::from(heard)
        });
        let missing = numbered && feed.last_number + 1 < number;
        feed.heard = Some(feed.heard.map_or(received, |heard| heard.max(received)));
        if number != 0 {
            feed.last_number = number;
        }
        // A silence that ends, and a message that is missing, each take the feed down first.
        let why = if feed.up && silent {
            Some(FeedWhy::Silence)
        } else if missing {
            Some(FeedWhy::Gap)
        } else {
            None
        };
        if let Some(why) = why {
            feed.goes_down(seq);
            self.tell_feed(id, why);
        }
        true
    }

    pub(super) fn tell_feed(&mut self, id: FeedId, why: FeedWhy) {
        let feed = &self.feeds[usize::from(id.0)];
        let status = if feed.up { FeedStatus::Up } else { FeedStatus::Recovering };
        self.told.push(Event::FeedChanged(FeedChanged {
            heard: Timestamp(feed.heard.unwrap_or(i64::MIN)),
            feed_seq: feed.last_number,
            feed: id,
            status: status as u8,
            why: why as u8,
            generation: feed.generation,
        }));
    }

    pub(super) fn feed_says(
        &mut self,
        header: &Header,
        id: FeedId,
        number: u64,
        source: Timestamp,
        says: Says,
    ) -> Decided {
        if self.feeds.len() <= usize::from(id.0) {
            return Err(self.no(Reject::FeedUnknown));
        }
        let received = self.received(header);
        let seq = self.seq;
        if let Says::Gap = says {
            // An adapter's word that something is missing is never late, and the feed's numbers may
            // begin anew from it.
            let feed = &mut self.feeds[usize::from(id.0)];
            feed.heard = Some(feed.heard.map_or(received, |heard| heard.max(received)));
            feed.last_number = number;
            feed.goes_down(seq);
            self.tell_feed(id, FeedWhy::Gap);
            return Ok(self.done(u64::from(id.0)));
        }
        if !self.hear(id, number, received) {
            return Ok(self.done(u64::from(id.0)));
        }
        let feed = &mut self.feeds[usize::from(id.0)];
        let delay = feed.delay(received, source.0);
        let beats = |heartbeat: Option<i64>| heartbeat.map_or(received, |at| at.max(received));
        match says {
            Says::Alive => {
                // One that was long on its way says how things were then: it confirms no price.
                if feed.delay_bound == 0 || delay <= feed.delay_bound {
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
            Says::Gap | Says::Recovered => {
                feed.up = true;
                feed.heartbeat = Some(beats(feed.heartbeat));
                self.tell_feed(id, FeedWhy::Recovered);
            }
        }
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
        let news = body.feed == FeedId::MANUAL || self.hear(body.feed, body.feed_seq, received);
        let Some(market) = self.markets.get(&body.market.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        if market.feed != body.feed.0 {
            return Err(self.no(Reject::FeedMismatch));
        }
        let runners = market.runners.len();
        if entries.iter().any(|entry| runners <= usize::from(entry.selection.0)) {
            return Err(self.no(Reject::SelectionUnknown));
        }
        if !matches!(market.status, Defined | Open | Closed) {
            return Err(self.no(Reject::MarketClosed));
        }
        if !news {
            return Ok(self.done(body.market.raw()));
        }
        let feed = &mut self.feeds[usize::from(body.feed.0)];
        let delay = feed.delay(received, body.source.0);
        let generation = feed.generation;
        let as_of = body.as_of.0.min(received);
        let Some(market) = self.markets.get_mut(&body.market.raw()) else {
            return Err(Answer::refused(Reject::MarketUnknown, Seq(self.seq)));
        };
        let differs = |entry: &PriceEntry| {
            market.runners[usize::from(entry.selection.0)].price != entry.price
        };
        let next = market.version + 1;
        let changes = entries.iter().filter(differs).count() != 0;
        for entry in entries.iter() {
            let runner = &mut market.runners[usize::from(entry.selection.0)];
            if runner.price != entry.price {
                runner.price = entry.price;
                runner.version = next;
            }
            runner.received = received;
            runner.as_of = as_of;
            runner.delay = delay;
            runner.generation = generation;
            self.told.push(Event::PriceSet(PriceSet {
                market: body.market,
                price: runner.price,
                version: PriceVersion(runner.version),
                received: Timestamp(received),
                as_of: Timestamp(as_of),
                delay: Nanos(delay),
                selection: entry.selection,
                feed: body.feed,
                generation,
            }));
        }
        if changes {
            market.version = next;
        }
        let version = PriceVersion(market.version);
        Ok(and(self.done(body.market.raw()), |done| done.version = version))
    }
}
