//! The handle of a feed's adapter: counts its messages, so that one that is lost is noticed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::{self, PriceEntry, RepriceEntry, build};
use betring_core::id::{ActorId, FeedId, MarketId, SelectionIndex};
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Body, Header, Slot};
use betring_pricing::Price;

use crate::control::entries;
use crate::egress::{Line, Raw};
use crate::error::{Error, NotTaken};
use crate::outcome::Ticket;

macro_rules! parse_errors {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Why an adapter could not read a message of its feed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ParseError { $($(#[$doc])* $name,)* }

        impl ParseError {
            /// Every one.
            pub const ALL: &'static [ParseError] = &[$(ParseError::$name,)*];

            /// The name, as counters have it.
            pub const fn name(self) -> &'static str {
                match self { $(ParseError::$name => $text,)* }
            }
        }

        impl std::fmt::Display for ParseError {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

parse_errors! {
    /// Not the language that it should be: broken JSON or XML, wrong bytes.
    Syntax = "syntax";
    /// A field that the parser does not know.
    UnknownField = "unknown-field";
    /// A message that the parser does not know.
    UnknownMessage = "unknown-message";
    /// A number that cannot be: a price below 1, an index beyond the end.
    OutOfRange = "out-of-range";
    /// A field that has to be there is not.
    MissingField = "missing-field";
    /// Another version of the feed's messages.
    Version = "version";
    /// Something else.
    Other = "other";
}

/// The window over which parse errors are looked at: so many parts of so many seconds.
const PARTS: usize = 6;
const PART: Nanos = Nanos::from_secs(10);

/// What all handles of one feed count together.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// The number of the feed's last message in this run.
    last: u64,
    /// How many handles were given out: the number of the last one.
    handles: u64,
    /// Prices that could not be taken just now, and the handle that said them.
    lost: Option<(u64, Vec<Slot>)>,
    messages: u64,
    errors: [u64; ParseError::ALL.len()],
    /// Number of the part since the start of time, messages in it, errors in it.
    window: [(i64, u32, u32); PARTS],
}

impl Desk {
    fn part(&mut self, now: Timestamp) -> &mut (i64, u32, u32) {
        let number = now.0.div_euclid(PART.0);
        let part = &mut self.window[number.rem_euclid(PARTS as i64) as usize];
        if part.0 != number {
            *part = (number, 0, 0);
        }
        part
    }

    /// A handle is about to send something. What was lost before it leaves its number out, unless it is the
    /// same handle that says the same prices again. Whether that hole is before the first number of the run,
    /// where nobody would see it.
    fn leave_out_lost(&mut self, handle: u64, prices: Option<&Vec<Slot>>) -> bool {
        let Some((of, lost)) = self.lost.take() else { return false };
        if of == handle && prices == Some(&lost) {
            return false;
        }
        if self.last == 0 {
            self.lost = Some((of, lost));
            return true;
        }
        self.last += 1;
        false
    }

    fn message(&mut self, now: Timestamp) {
        self.messages += 1;
        let part = self.part(now);
        part.1 = part.1.saturating_add(1);
    }

    fn error(&mut self, now: Timestamp, why: ParseError) {
        self.errors[why as usize] += 1;
        let part = self.part(now);
        part.2 = part.2.saturating_add(1);
    }

    pub(crate) fn counts(&self, now: Timestamp) -> FeedCounts {
        let first = now.0.div_euclid(PART.0) - PARTS as i64 + 1;
        let recent = self.window.iter().filter(|part| first <= part.0);
        let (messages, errors) =
            recent.fold((0, 0), |sum, part| (sum.0 + u64::from(part.1), sum.1 + u64::from(part.2)));
        FeedCounts {
            messages: self.messages,
            parse_errors: std::array::from_fn(|at| (ParseError::ALL[at], self.errors[at])),
            recent: messages + errors,
            recent_errors: errors,
        }
    }
}

/// What was counted of a feed's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedCounts {
    /// Messages sent on to the engine since the start.
    pub messages: u64,
    /// Messages that could not be read since the start, by reason.
    pub parse_errors: [(ParseError, u64); ParseError::ALL.len()],
    /// Messages of either kind within about a minute.
    pub recent: u64,
    /// Those of them that could not be read.
    pub recent_errors: u64,
}

impl FeedCounts {
    /// How many of the messages within about a minute could not be read, in parts per million.
    pub fn error_ppm(&self) -> u32 {
        let ppm = self.recent_errors * 1_000_000 / self.recent.max(1);
        u32::try_from(ppm).unwrap_or(u32::MAX)
    }
}

impl Default for FeedCounts {
    fn default() -> FeedCounts {
        Desk::default().counts(Timestamp(0))
    }
}

/// The handle of a feed's adapter. It never waits: whoever reads a feed has to go on reading.
///
/// Its messages are numbered, by all handles of a feed together. Prices that could not be taken leave a
/// hole in the numbers, unless the very next message of the feed is the same one again, of the same handle:
/// so the markets of a feed whose prices were lost take no bets until it has reported its recovery. That is
/// so even if the handle that lost them is gone.
#[derive(Debug)]
pub struct Feed {
    line: Line,
    actor: ActorId,
    id: FeedId,
    schema: u32,
    /// All handles of a feed count on.
    desk: Arc<Mutex<Desk>>,
    /// Which of them it is.
    handle: u64,
    refused: u64,
    last_refusal: Option<Reject>,
    /// Where repricings are written, again and again.
    slots: Vec<Slot>,
}

impl Feed {
    pub(crate) fn new(line: Line, actor: ActorId, id: FeedId, desk: Arc<Mutex<Desk>>) -> Feed {
        let handle = {
            let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
            desk.handles += 1;
            desk.handles
        };
        let (schema, refused, last_refusal) = (0, 0, None);
        Feed { line, actor, id, schema, desk, handle, refused, last_refusal, slots: Vec::new() }
    }

    /// The version of the feed's messages that this adapter reads; every message says it from here on.
    /// Another one than the engine was told to expect puts the feed in quarantine, so a parser that was
    /// deployed before its time does no harm. 0, the default: it has none.
    pub fn schema(mut self, version: u32) -> Feed {
        self.schema = version;
        self
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
        let (feed, schema) = (self.id, self.schema);
        self.plain(|feed_seq| command::FeedHeartbeat {
            feed,
            feed_seq,
            source,
            schema,
            ..command::FeedHeartbeat::default()
        })
    }

    /// The adapter noticed that something is missing.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn gap(&mut self, source: Timestamp) -> Result<Ticket, NotTaken> {
        self.down(source, 0)
    }

    /// The adapter has lost its connection to the feed.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn lost_connection(&mut self, source: Timestamp) -> Result<Ticket, NotTaken> {
        self.down(source, 1)
    }

    fn down(&mut self, source: Timestamp, connection: u8) -> Result<Ticket, NotTaken> {
        let (feed, schema) = (self.id, self.schema);
        self.plain(|feed_seq| command::FeedGap {
            feed,
            connection,
            feed_seq,
            source,
            schema,
            ..command::FeedGap::default()
        })
    }

    /// The adapter has asked the feed to send everything again, under this number of its own; only
    /// [`recovered_for`](Feed::recovered_for) with the same number ends it. 0 if requests have none.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn recovering(&mut self, request: u64, source: Timestamp) -> Result<Ticket, NotTaken> {
        let (feed, schema) = (self.id, self.schema);
        self.plain(|feed_seq| command::FeedRecovering {
            feed,
            feed_seq,
            source,
            request,
            schema,
            ..command::FeedRecovering::default()
        })
    }

    /// Everything was sent again: its prices count from here on.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn recovered(&mut self, source: Timestamp) -> Result<Ticket, NotTaken> {
        self.recovered_for(0, source)
    }

    /// Everything that was asked for under this number was sent again. The end of another request, one
    /// that was given up, has no effect.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn recovered_for(&mut self, request: u64, source: Timestamp) -> Result<Ticket, NotTaken> {
        let (feed, schema) = (self.id, self.schema);
        self.plain(|feed_seq| command::FeedRecovered {
            feed,
            feed_seq,
            source,
            request,
            schema,
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
        self.derived_prices(market, prices, source, Timestamp(0))
    }

    /// The same of prices that were derived from others: `as_of` is when the oldest of those was received,
    /// on the engine's clock. They are as old as that, however often they are said again and whatever
    /// heartbeats come: a pricer that goes on while its own feed is silent makes no price younger.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn derived_prices(
        &mut self,
        market: impl Into<MarketId>,
        prices: &[PriceEntry],
        source: Timestamp,
        as_of: Timestamp,
    ) -> Result<Ticket, NotTaken> {
        let header = self.header();
        let body = command::SetPrices {
            feed: self.id,
            market: market.into(),
            source,
            as_of,
            schema: self.schema,
            ..command::SetPrices::default()
        };
        let numbered = |feed_seq| {
            let body = command::SetPrices { feed_seq, ..body };
            build::set_prices(header, body, prices).map_err(NotTaken::Malformed)
        };
        self.send(Some(numbered(0)?), numbered)
    }

    /// All prices of a fixture that a model has made, at once: no bet is decided between two of them. The body's
    /// feed, number, schema and count are set here; the prices are in order of market and selection. `as_of` of the
    /// body is when the oldest input that the model needed was received.
    ///
    /// One that could not be taken leaves no hole: whoever prices says what is in force by then.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was said.
    pub fn reprice(
        &mut self,
        body: command::Reprice,
        prices: &[RepriceEntry],
    ) -> Result<Ticket, NotTaken> {
        let (header, feed, schema) = (self.header(), self.id, self.schema);
        let mut slots = std::mem::take(&mut self.slots);
        let room = &mut slots;
        let sent = self.send(None, move |feed_seq| {
            let body = command::Reprice { feed, feed_seq, schema, ..body };
            build::reprice_into(room, header, body, prices).map_err(NotTaken::Malformed)?;
            Ok(&*room)
        });
        self.slots = slots;
        sent
    }

    fn header(&self) -> Header {
        Header { account: self.actor.0, ..Header::default() }
    }

    /// Numbers a message and publishes it, as one: another handle of the feed waits meanwhile, so that
    /// numbers arrive in order and none is used twice. One that was lost, and is not this one again,
    /// leaves its number out.
    fn send<S: AsRef<[Slot]>>(
        &mut self,
        prices: Option<Vec<Slot>>,
        numbered: impl FnOnce(u64) -> Result<S, NotTaken>,
    ) -> Result<Ticket, NotTaken> {
        self.take_replies();
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if desk.leave_out_lost(self.handle, prices.as_ref()) {
            // The engine knows no number yet that another could be too far from: this is the first, and
            // what was lost the second.
            let body = command::FeedGap {
                feed: self.id,
                feed_seq: 1,
                schema: self.schema,
                ..command::FeedGap::default()
            };
            let hole = build::plain(self.header(), &body);
            self.line.try_submit(&[hole], Raw::No).map(drop)?;
            (desk.last, desk.lost) = (2, None);
        }
        let sent = self.line.try_submit(numbered(desk.last + 1)?.as_ref(), Raw::No);
        match sent {
            Ok(_) => {
                desk.last += 1;
                desk.message(self.line.now());
            }
            Err(_) => desk.lost = prices.map(|prices| (self.handle, prices)),
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

    /// A message of the feed could not be read. It is counted, and the governor looks at how many there
    /// are: a parser that does not know what it reads should not price markets.
    pub fn parse_error(&mut self, why: ParseError) {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.error(self.line.now(), why);
    }

    /// What was counted of its messages, by all of its handles.
    pub fn counts(&self) -> FeedCounts {
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.counts(self.line.now())
    }

    /// How many messages were refused, and why the last one.
    pub fn refused(&mut self) -> (u64, Option<Reject>) {
        self.take_replies();
        (self.refused, self.last_refusal)
    }

    pub(crate) fn last_refusal(&self) -> Option<Reject> {
        self.last_refusal
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
