//! The handle of a feed's adapter: counts its messages, so that one that is lost is noticed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::{self, PriceEntry, build};
use betring_core::id::{ActorId, FeedId, MarketId, SelectionIndex};
use betring_core::reject::Reject;
use betring_core::time::Timestamp;
use betring_core::wire::{Body, Header, Slot};
use betring_pricing::Price;

use crate::control::entries;
use crate::egress::Line;
use crate::error::{Error, NotTaken};
use crate::outcome::Ticket;

/// The handle of a feed's adapter. It never waits: whoever reads a feed has to go on reading.
///
/// Its messages are numbered. Prices that could not be taken leave a hole in the numbers, unless the
/// very next message is the same one again: so the markets of a feed whose prices were lost take no
/// bets until it has reported its recovery.
#[derive(Debug)]
pub struct Feed {
    line: Line,
    actor: ActorId,
    id: FeedId,
    /// The number of the feed's last message in this run; all handles of a feed count on.
    last: Arc<Mutex<u64>>,
    lost: Option<Vec<Slot>>,
    refused: u64,
    last_refusal: Option<Reject>,
}

impl Feed {
    pub(crate) fn new(line: Line, actor: ActorId, id: FeedId, last: Arc<Mutex<u64>>) -> Feed {
        Feed { line, actor, id, last, lost: None, refused: 0, last_refusal: None }
    }

    /// Its number.
    pub fn id(&self) -> FeedId {
        self.id
    }

    /// Who speaks for it.
    pub fn actor(&self) -> ActorId {
        self.actor
    }

    /// The time on the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.line.now()
    }

    /// The feed is alive: confirms every price it has sent since it last recovered. `source` is its
    /// own time of the message, 0 if it has none.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn heartbeat(&mut self, source: Timestamp) -> Result<Ticket, NotTaken> {
        let feed = self.id;
        self.plain(|feed_seq| command::FeedHeartbeat {
            feed,
            feed_seq,
            source,
            ..command::FeedHeartbeat::default()
        })
    }

    /// The adapter noticed that something is missing.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn gap(&mut self, source: Timestamp) -> Result<Ticket, NotTaken> {
        let feed = self.id;
        self.plain(|feed_seq| command::FeedGap {
            feed,
            feed_seq,
            source,
            ..command::FeedGap::default()
        })
    }

    /// Everything was sent again: its prices count from here on.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn recovered(&mut self, source: Timestamp) -> Result<Ticket, NotTaken> {
        let feed = self.id;
        self.plain(|feed_seq| command::FeedRecovered {
            feed,
            feed_seq,
            source,
            ..command::FeedRecovered::default()
        })
    }

    fn plain<B: Body>(&mut self, body: impl Fn(u64) -> B) -> Result<Ticket, NotTaken> {
        let header = self.header();
        self.send(None, |number| Ok(vec![build::plain(header, &body(number))]))
    }

    /// Prices of one market, all at once; none takes a price away.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said. Said again at once, nothing is lost; otherwise the next
    /// message shows a gap.
    pub fn prices(
        &mut self,
        market: impl Into<MarketId>,
        prices: &[(SelectionIndex, Option<Price>)],
        source: Timestamp,
    ) -> Result<Ticket, NotTaken> {
        self.prices_wire(market, &entries(prices), source)
    }

    /// The same with prices as they travel: with exact fractions.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn prices_wire(
        &mut self,
        market: impl Into<MarketId>,
        prices: &[PriceEntry],
        source: Timestamp,
    ) -> Result<Ticket, NotTaken> {
        let header = self.header();
        let body = command::SetPrices {
            feed: self.id,
            market: market.into(),
            source,
            ..command::SetPrices::default()
        };
        let numbered = |feed_seq| {
            let body = command::SetPrices { feed_seq, ..body };
            build::set_prices(header, body, prices).map_err(NotTaken::Malformed)
        };
        self.send(Some(numbered(0)?), numbered)
    }

    fn header(&self) -> Header {
        Header { account: self.actor.0, ..Header::default() }
    }

    /// Numbers a message and publishes it, as one: another handle of the feed waits meanwhile, so that
    /// numbers arrive in order and none is used twice. One that was lost, and is not this one again,
    /// leaves its number out.
    fn send(
        &mut self,
        prices: Option<Vec<Slot>>,
        numbered: impl FnOnce(u64) -> Result<Vec<Slot>, NotTaken>,
    ) -> Result<Ticket, NotTaken> {
        self.take_replies();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lost) = self.lost.take()
            && prices.as_ref() != Some(&lost)
        {
            *last += 1;
        }
        let sent = self.line.try_submit(&numbered(*last + 1)?);
        match sent {
            Ok(_) => *last += 1,
            Err(_) => self.lost = prices,
        }
        sent
    }

    /// Reads the answers to what was sent: an adapter has nothing to do with them but to count.
    fn take_replies(&mut self) {
        let mut replies = [Reply::default(); 16];
        loop {
            let count = self.line.poll(&mut replies);
            for reply in &replies[..count] {
                note(&mut self.refused, &mut self.last_refusal, reply);
            }
            if count < replies.len() {
                return;
            }
        }
    }

    /// How many messages were refused, and why the last one.
    pub fn refused(&mut self) -> (u64, Option<Reject>) {
        self.take_replies();
        (self.refused, self.last_refusal)
    }

    /// Waits until everything that was sent is answered: for tests, and before a shutdown.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Unanswered`].
    pub fn settle(&mut self, timeout: Duration) -> Result<(), Error> {
        let (refused, last) = (&mut self.refused, &mut self.last_refusal);
        if self.line.wait_all(timeout, |reply| note(refused, last, reply)) {
            return Ok(());
        }
        if self.line.shared.is_poisoned() {
            return Err(Error::Poisoned { why: self.line.shared.why() });
        }
        let request = crate::outcome::Request { account: self.actor.0, ..Default::default() };
        Err(Error::Unanswered { request, after: timeout })
    }
}

fn note(refused: &mut u64, last: &mut Option<Reject>, reply: &Reply) {
    if reply.answer.kind() == AnswerKind::Refused {
        *refused += 1;
        *last = reply.answer.reject();
    }
}

impl std::fmt::Display for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "feed {} ({})", self.id, self.actor)
    }
}
