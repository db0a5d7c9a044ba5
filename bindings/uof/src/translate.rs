//! What a message asks of the book: commands for the core, each under a key of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::Hasher;

use betring_core::command::{
    CancelBets, CloseMarket, DefineFixture, DefineMarket, Drives, FeedGap, FeedHeartbeat,
    FeedRecovered, FeedRecovering, FreezeCashOut, Level, MarketKind, MarketResult, OpenMarket,
    Owner, PriceEntry, Release, ResultEntry, RollbackResult, SELECTIONS_MAX, SetPrices, Suspend,
    build,
};
use betring_core::id::{
    self as book, ActorId, FeedId, FixtureId, GroupId, RequestKey, SelectionIndex,
};
use betring_core::reject::Malformed;
use betring_core::time::{Nanos, Timestamp as Moment};
use betring_core::wire::{Body, Header as Head, Slot, WirePrice};
use betring_pricing::{LegNumbers, Pence, Share};
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::error::ErrorKind;
use crate::message::{
    BetSettlement, BetStop, CashoutStatus, Certainty, Header, MarketStatus, Message, Odds,
    OddsChange, OddsMarket, Producer, RequestId, SettledMarket, Timestamp, Window,
};
use crate::name::{EventId, Line, MarketId, MarketKey, OutcomeId, Specifiers};
use crate::number::Factor;

/// What becomes of news about a market that no odds change has defined and nobody adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undefined {
    /// They are an error: the book should have it.
    Refuse,
    /// They are passed over: nobody can have bet on it.
    PassOver,
    /// A result defines it first if the book can hold it; everything else is passed over.
    Define,
}

/// What a translator has to know beside the messages.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who gives the commands.
    pub actor: ActorId,
    /// How long after `now` a command may still be executed.
    pub validity: Nanos,
    /// How far ahead of `now` a message about an event may have been made: no two clocks agree. One
    /// from later is refused.
    pub ahead_bound: Nanos,
    /// The age bound of the markets that are defined; 0: the journal's.
    pub age_bound: Nanos,
    /// The version of the feed's messages that this reader was tested with, which every message of the
    /// feed says then; 0: none. The messages have no number of their own: raise it whenever the
    /// feed announces another version. Where the book expects another one, the feed is in quarantine.
    pub schema: u32,
    /// What becomes of news about other markets.
    pub undefined: Undefined,
    /// How many outcomes win, for kinds of markets where it is not one: a double chance (10) has two.
    pub winners: BTreeMap<MarketId, u16>,
    /// The groups of a kind of market, as the descriptions name them. A kind that is not listed
    /// stops with every group.
    pub groups: BTreeMap<MarketId, BTreeSet<String>>,
}

impl Config {
    /// Commands of that actor, valid for five seconds; messages may be a minute ahead; one winner a
    /// market, no groups, and news about other markets are refused.
    pub fn new(actor: ActorId) -> Config {
        Config {
            actor,
            validity: Nanos::from_secs(5),
            ahead_bound: Nanos::from_secs(60),
            age_bound: Nanos::ZERO,
            schema: 0,
            undefined: Undefined::Refuse,
            winners: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }
}

/// A command, and whose handle its reply brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The command, ready to be published.
    pub slots: Vec<Slot>,
    /// What the reply's id is to be reported for.
    pub expects: Expects,
}

/// Whose handle a reply brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expects {
    /// A market's.
    Market(MarketKey),
    /// A fixture's.
    Fixture(EventId),
    /// Nobody's.
    Nothing,
}

/// Whether a message has been translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// To its end.
    Done,
    /// Only its definitions: report their handles, then translate the same message again.
    Waits,
}

/// What was passed over so far, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Changes of a fixture: its description should be fetched again.
    pub fixture_changes: u64,
    /// Descriptions.
    pub descriptions: u64,
    /// Markets whose status was told later than a newer one.
    pub late: u64,
    /// Markets that no odds change has defined, in other messages.
    pub undefined: u64,
    /// Markets in an odds change that take no bets and never did.
    pub dormant: u64,
    /// Markets in an odds change or a result that the book does not have and cannot hold: with fewer
    /// outcomes than a market has, or more, or (in a result) with no more of them than winners.
    pub unfit: u64,
    /// Outcomes that the market did not have when it was defined: nobody can bet on them.
    pub outcomes: u64,
    /// Markets whose results are not decided yet.
    pub undecided: u64,
    /// Markets in a cancel whose window covers no moment.
    pub empty_windows: u64,
    /// Markets whose prices are set by a person.
    pub manual: u64,
    /// Signs of life of producers that no feed stands for.
    pub producers: u64,
    /// Ends of recoveries that were not the one that was asked for last, or asked for before a gap.
    pub recoveries: u64,
    /// Markets of a feed that stands by, in what only the other feed of their group may say: what opens,
    /// closes, settles and cancels.
    pub standby: u64,
}

/// Why a message was not translated: nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslateError {
    /// The kind of message; empty where none is at hand.
    pub message: &'static str,
    /// The market, where it concerns one.
    pub market: Option<MarketKey>,
    /// The outcome by its name in the book, where it concerns one.
    pub outcome: Option<String>,
    /// What is wrong.
    pub reason: TranslateReason,
}

/// What stands in the way of a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranslateReason {
    /// No odds change has defined the market, and nobody adopted it.
    MarketUndefined,
    /// A market is to be defined, and the message does not say by whose prices.
    NoProducer,
    /// No feed of the book stands for the producer.
    NoFeed(Producer),
    /// The market has prices of another feed.
    OtherFeed(Producer),
    /// A settled market does not bring an outcome that bets may be on.
    OutcomeMissing,
    /// A market cannot have so many selections.
    Outcomes(usize),
    /// Two selections of a market have one name.
    OutcomeTwice,
    /// So many winners are configured for a market that has no more outcomes.
    Winners(u16),
    /// A moment lies beyond the year 2262, where the book's clock ends.
    Moment(Timestamp),
    /// The message was made later than now, by more than is allowed.
    Ahead {
        /// By so much.
        ahead: Nanos,
        /// So much is allowed: [`Config::ahead_bound`].
        bound: Nanos,
    },
}

impl fmt::Display for TranslateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.message.is_empty() { "adoption" } else { self.message })?;
        if let Some(market) = &self.market {
            write!(f, ", market {market}")?;
        }
        if let Some(outcome) = &self.outcome {
            write!(f, ", outcome {outcome}")?;
        }
        write!(f, ": {}; {}", self.reason, self.reason.advice())
    }
}

impl std::error::Error for TranslateError {}

impl TranslateError {
    /// What is wrong, as one of a closed list: for counting, by feed and kind.
    pub const fn kind(&self) -> ErrorKind {
        self.reason.kind()
    }
}

impl fmt::Display for TranslateReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TranslateReason::MarketUndefined => f.write_str("the market was never defined"),
            TranslateReason::NoProducer => {
                f.write_str("the market is to be defined and the message names no producer")
            }
            TranslateReason::NoFeed(producer) => {
                write!(f, "no feed stands for producer {producer}")
            }
            TranslateReason::OtherFeed(producer) => {
                write!(f, "the market has prices of another feed than producer {producer}'s")
            }
            TranslateReason::OutcomeMissing => f.write_str("the outcome is not listed"),
            TranslateReason::Outcomes(count) => {
                write!(f, "{count} outcomes, and a market has 2 to {SELECTIONS_MAX}")
            }
            TranslateReason::OutcomeTwice => f.write_str("two selections have this name"),
            TranslateReason::Winners(winners) => {
                write!(f, "{winners} winners are configured, and there are no more outcomes")
            }
            TranslateReason::Moment(at) => {
                write!(f, "the moment {} ms lies beyond the year 2262", at.ms())
            }
            TranslateReason::Ahead { ahead, bound } => {
                write!(f, "it was made {ahead} ahead of now, and {bound} is the bound")
            }
        }
    }
}

impl TranslateReason {
    /// The kind that it is counted as.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            TranslateReason::MarketUndefined
            | TranslateReason::NoProducer
            | TranslateReason::NoFeed(_)
            | TranslateReason::OtherFeed(_)
            | TranslateReason::OutcomeMissing
            | TranslateReason::Outcomes(_)
            | TranslateReason::OutcomeTwice
            | TranslateReason::Winners(_) => ErrorKind::Book,
            TranslateReason::Moment(_) | TranslateReason::Ahead { .. } => ErrorKind::Moment,
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            TranslateReason::MarketUndefined => {
                "adopt the market if the book has it, else pass undefined markets over; then translate the message again"
            }
            TranslateReason::NoProducer | TranslateReason::Moment(_) => {
                "nothing of it is applied: suspend the event and ask for a recovery of it"
            }
            TranslateReason::Ahead { .. } => {
                "nothing of it is applied: suspend the event, set the clock that is wrong, here or at the producer, and ask for a recovery of the event"
            }
            TranslateReason::NoFeed(_) => {
                "report the producer's feed, then translate the message again"
            }
            TranslateReason::OtherFeed(_) => {
                "report one feed for all producers that hand markets over to each other"
            }
            TranslateReason::OutcomeMissing => {
                "its bets stay open: settle the market by hand, or adopt it with the selections that it has"
            }
            TranslateReason::Outcomes(_) | TranslateReason::OutcomeTwice => {
                "adopt the market with the selections that the book has, each by its name there"
            }
            TranslateReason::Winners(_) => "configure fewer winners for this kind of market",
        }
    }
}

/// Who sends prices, and what it said of itself.
#[derive(Clone, Copy, Debug)]
struct Source {
    feed: FeedId,
    /// It has sent everything.
    whole: bool,
    /// It has spoken since its feed's last heartbeat.
    alive: bool,
    asked: Recovery,
}

/// Which end of a recovery makes a producer whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recovery {
    /// Any: nothing was asked for and nothing missed since this translator began, so it is the core who
    /// decides what to believe: an end under a number only if its run was told of the request.
    Any,
    /// That of the one asked for last.
    Of(RequestId),
    /// None: what was asked for before the last gap lacks what was sent in it.
    Unasked,
}

impl Recovery {
    fn is_ended_by(self, request: RequestId) -> bool {
        match self {
            Recovery::Any => true,
            Recovery::Of(asked) => asked == request,
            Recovery::Unasked => false,
        }
    }
}

/// Something that was told, and when.
#[derive(Clone, Copy, Debug)]
struct Told<T> {
    what: T,
    /// When it was last told.
    at: Option<Timestamp>,
    /// Whether the messages of that moment made it another thing.
    news: bool,
    /// How often those behind the first of them did so.
    turns: u32,
}

impl<T: PartialEq> Told<T> {
    fn new(what: T) -> Told<T> {
        Told { what, at: None, news: false, turns: 0 }
    }

    /// Whether it is another thing, or was made so at the same moment: then the message that told it
    /// may be here again.
    fn news(&mut self, what: T, at: Timestamp) -> bool {
        let turned = self.what != what;
        let again = self.at == Some(at);
        *self = Told {
            what,
            at: Some(at),
            news: turned || (again && self.news),
            turns: if again { self.turns + u32::from(turned) } else { 0 },
        };
        self.news
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was told yet.
    Unknown,
    Active,
    Suspended,
    Closed,
}

/// A market that the book has.
#[derive(Clone, Debug)]
struct Market {
    id: book::MarketId,
    feed: FeedId,
    /// Whose word its messages are: the feed's, or the backup's.
    owner: Owner,
    /// The selections' names, in their order.
    selections: Vec<String>,
    phase: Told<Phase>,
    /// Whether the book has it open, as far as it is known here.
    open: Told<Option<bool>>,
    frozen: Told<Option<bool>>,
    /// The newest message that spoke of its status or result.
    newest: Timestamp,
}

impl Market {
    fn new(
        id: book::MarketId,
        feed: FeedId,
        owner: Owner,
        selections: Vec<String>,
        open: bool,
    ) -> Market {
        Market {
            id,
            feed,
            owner,
            selections,
            phase: Told::new(Phase::Unknown),
            open: Told::new(Some(open)),
            frozen: Told::new(None),
            newest: EPOCH,
        }
    }

    /// The places of a list of outcomes; `None` where the market has no such selection.
    fn places<'a, T>(
        &self,
        outcomes: &'a [T],
        id: impl Fn(&T) -> &OutcomeId,
    ) -> Vec<(Option<SelectionIndex>, &'a T)> {
        let places: BTreeMap<&str, u16> =
            (0..).zip(&self.selections).map(|(at, name)| (name.as_str(), at)).collect();
        let place = |it| places.get(id(it).name().as_str()).copied().map(SelectionIndex);
        outcomes.iter().map(|it| (place(it), it)).collect()
    }

    /// Brings the book to the status that a message tells.
    fn status(
        &mut self,
        origin: &Origin<'_>,
        key: &MarketKey,
        status: MarketStatus,
        out: &mut Vec<Given>,
    ) {
        let (at, market) = (origin.at, self.id);
        self.newest = self.newest.max(at);
        let (level, owner, id) = (Level::Market as u8, self.owner as u8, market.raw());
        let stands_by = self.owner == Owner::Backup;
        match status {
            MarketStatus::Active => {
                if !stands_by && self.open.news(Some(true), at) {
                    out.push(origin.turn(self.open.turns).plain(key, |valid_until| OpenMarket {
                        valid_until,
                        market,
                        ..OpenMarket::default()
                    }));
                }
                if self.phase.news(Phase::Active, at) {
                    out.push(origin.turn(self.phase.turns).plain(key, |valid_until| Release {
                        valid_until,
                        level,
                        owner,
                        id,
                        ..Release::default()
                    }));
                }
            }
            MarketStatus::Settled | MarketStatus::Cancelled if !stands_by => {
                self.phase.news(Phase::Closed, at);
                self.open.news(Some(false), at);
                out.push(origin.turn(self.open.turns).plain(key, |valid_until| CloseMarket {
                    valid_until,
                    market,
                    ..CloseMarket::default()
                }));
            }
            // What stands by closes nothing: once it prices the market, no bet is taken.
            MarketStatus::Suspended
            | MarketStatus::Inactive
            | MarketStatus::HandedOver
            | MarketStatus::Settled
            | MarketStatus::Cancelled => {
                // News or not: the command before may have been lost.
                self.phase.news(Phase::Suspended, at);
                out.push(origin.turn(self.phase.turns).plain(key, |valid_until| Suspend {
                    valid_until,
                    level,
                    owner,
                    id,
                    ..Suspend::default()
                }));
            }
        }
    }

    /// Sets the prices that bets may be taken at, and takes all others away.
    fn prices(
        &self,
        origin: &Origin<'_>,
        told: &OddsMarket,
        skipped: &mut Skipped,
    ) -> Option<Given> {
        if told.outcomes.is_empty() {
            return None;
        }
        if self.feed == FeedId::MANUAL {
            skipped.manual += 1;
            return None;
        }
        let mut prices = vec![WirePrice::NONE; self.selections.len()];
        for (place, outcome) in self.places(&told.outcomes, |it| &it.id) {
            let Some(place) = place else {
                skipped.outcomes += 1;
                continue;
            };
            prices[usize::from(place.0)] = match outcome.odds {
                Odds::At(quoted) if outcome.active => match quoted.fraction() {
                    Some(fraction) => WirePrice::fractional(fraction),
                    None => WirePrice::decimal(quoted.price()),
                },
                Odds::At(_) | Odds::Absent | Odds::OutOfRange => WirePrice::NONE,
            };
        }
        let entries: Vec<PriceEntry> = (0..)
            .zip(prices)
            .map(|(at, price)| PriceEntry::new(SelectionIndex(at), price))
            .collect();
        let body = SetPrices {
            feed: self.feed,
            market: self.id,
            source: origin.source,
            schema: origin.schema,
            ..SetPrices::default()
        };
        let slots = build::set_prices(origin.keyless(), body, &entries).expect(BOUNDED);
        Some(Given { slots, expects: Expects::Nothing })
    }

    /// One entry a selection; `None` where one is not decided.
    fn results(
        &self,
        told: &SettledMarket,
        wrong: impl Fn(TranslateReason, Option<&str>) -> TranslateError,
    ) -> Result<Option<Vec<ResultEntry>>, TranslateError> {
        let mut entries = vec![None; self.selections.len()];
        let mut decided = true;
        for (place, outcome) in self.places(&told.outcomes, |it| &it.id) {
            let Some(place) = place else { continue };
            let Some(winning) = outcome.winning() else {
                decided = false;
                continue;
            };
            let void = share(outcome.refunded());
            // Of nothing that is left, nothing wins: a refunded outcome takes no winner's place.
            let win = if void == Share::ALL { Share::NONE } else { share(winning) };
            let numbers = LegNumbers { void, win, place: win, rule4: Pence::ZERO };
            entries[usize::from(place.0)] = Some(ResultEntry::shares(place, numbers));
        }
        if !decided {
            return Ok(None);
        }
        let named = entries.into_iter().zip(&self.selections);
        let entries: Result<Vec<ResultEntry>, TranslateError> = named
            .map(|(entry, name)| {
                entry.ok_or_else(|| wrong(TranslateReason::OutcomeMissing, Some(name)))
            })
            .collect();
        entries.map(Some)
    }
}

/// Nothing is older.
const EPOCH: Timestamp = match Timestamp::from_ms(0) {
    Some(at) => at,
    None => panic!("1970 is a moment"),
};
const BOUNDED: &str = "names and counts of selections were checked when the market was taken in";

/// A recovery's number as the core has it; nought stands for any there.
fn number(request: RequestId) -> u64 {
    request.0.cast_unsigned()
}

fn share(factor: Factor) -> Share {
    Share::new(factor.num(), factor.den()).expect("a factor is at most one")
}

fn moment(at: Timestamp) -> Result<Moment, TranslateReason> {
    at.ms().checked_mul(1_000_000).map(Moment).ok_or(TranslateReason::Moment(at))
}

/// The keys' keys. A repeated message has to have the keys that it had in an earlier run: never
/// change them.
const KEY_KEYS: (u64, u64) = (0x6265_7472_696e_6700, 0x756f_6663_6f6d_6d64);

/// The message that commands come from.
#[derive(Clone, Copy)]
struct Origin<'a> {
    message: &'static str,
    producer: Option<Producer>,
    event: &'a EventId,
    at: Timestamp,
    source: Moment,
    actor: ActorId,
    schema: u32,
    until: Moment,
    /// How often what is asked about turned within the moment.
    turn: u32,
}

impl Origin<'_> {
    fn turn(self, turn: u32) -> Self {
        Origin { turn, ..self }
    }

    fn keyless(&self) -> Head {
        Head::control(self.actor, RequestKey::NONE)
    }

    fn wrong(&self, reason: TranslateReason, market: Option<&MarketKey>) -> TranslateError {
        TranslateError { message: self.message, market: market.cloned(), outcome: None, reason }
    }

    /// The key of a command: of the message and of what is asked.
    fn key(&self, market: Option<&MarketKey>, asked: &[Slot]) -> RequestKey {
        let mut hasher = SipHasher24::new_with_keys(KEY_KEYS.0, KEY_KEYS.1);
        let producer = self.producer.map_or(u64::MAX, |producer| u64::from(producer.0));
        hasher.write(&producer.to_le_bytes());
        hasher.write(&self.at.ms().to_le_bytes());
        let market = market.map(MarketKey::to_string).unwrap_or_default();
        for text in [self.message, self.event.as_str(), market.as_str()] {
            hasher.write(&(text.len() as u64).to_le_bytes());
            hasher.write(text.as_bytes());
        }
        for slot in asked {
            hasher.write(&slot.0);
        }
        // Without a turn a key is what it was before turns were counted.
        if self.turn != 0 {
            hasher.write(&self.turn.to_le_bytes());
        }
        let hash = hasher.finish128();
        // Nought is no key; it is as likely as any other hash.
        RequestKey((u128::from(hash.h1) << 64 | u128::from(hash.h2)).max(1))
    }

    /// A command under its key; `make` gets the time limit.
    fn keyed(
        &self,
        market: Option<&MarketKey>,
        expects: Expects,
        make: impl Fn(Head, Moment) -> Result<Vec<Slot>, Malformed>,
    ) -> Given {
        let limit = if expects == Expects::Nothing { Moment(0) } else { self.until };
        let asked = make(self.keyless(), limit).expect(BOUNDED);
        let head = Head::control(self.actor, self.key(market, &asked));
        Given { slots: make(head, self.until).expect(BOUNDED), expects }
    }

    /// A command of one slot about a market.
    fn plain<B: Body>(&self, market: &MarketKey, body: impl Fn(Moment) -> B) -> Given {
        self.keyed(Some(market), Expects::Nothing, |head, until| {
            Ok(vec![build::plain(head, &body(until))])
        })
    }
}

/// Turns the messages of a feed into commands.
///
/// It reads no clock and sends nothing. Who drives it sends every [`Given`] in order on
/// the control ring, tells it the handles that the replies bring, and, as long as it [waits](Progress::Waits)
/// for one, gives it the same message again before the next message of that event:
///
/// ```text
///  Message ─▶ translate ─▶ Given { slots, expects } ─▶ control ring
///                ▲                                        │
///                └─────────── made(expects, id) ◀─────── reply
/// ```
///
/// * **Keys.** A key is made of the message's kind, producer, event and timestamp, of the market and
///   of what is asked; not of the time limit. So a message that comes twice asks under the same keys,
///   and what was executed is not executed again. Where messages of one millisecond contradict each
///   other (suspended, active, suspended), the key also counts how often the market turned within
///   it: the last to come is in force. At another `now` the time limit differs, and the answer to the
///   repetition is `RequestReused`: nothing is to be done about it. Only the key of a definition
///   contains the time limit, because its answer is needed: the name makes it unique.
/// * **Names.** A definition answered with `NameTaken` (the book knew the market before this
///   translator did) carries the handle: [`adopt`](Translator::adopt) the market with the selections
///   that the book has. A fixture may simply be reported as made.
/// * **Order.** What changes a market's status has an effect only if it is not older than what did so
///   before. Results and cancels are given in any order: the core knows which is newest. A message
///   about an event from further ahead of `now` than [`ahead_bound`](Config::ahead_bound) is an
///   error, else all that follow it would be late.
/// * **Refusals that mean nothing.** To close or to open a market whose result is in is `NotAllowed`,
///   to price it `MarketClosed`.
/// * **Loss.** What could not be sent is given again when the same message is translated next. What
///   takes bets or cash-outs away is given with every message that says so, because the command
///   before may have been lost or have run out; what allows them only when it is news.
/// * **Interruptions.** Call [`interrupted`](Translator::interrupted) for a feed when the core reports
///   `FeedChanged` with `Silence`, `Gap`, `Connection` or `Schema`, when the connection was made anew,
///   and at a new epoch; always before the next message is translated. Then ask each producer of the
///   feed for a recovery, and say under which number: [`recovering`](Translator::recovering). The end of
///   another one counts neither here nor in the core.
/// * **Ages.** The moment of a message is when its prices were made, so a recording's are as old as it is.
///   Between odds changes only a producer's `alive`, every ten seconds or so, confirms its prices: set
///   [`age_bound`](Config::age_bound), the feed's bounds on silence and delay, and the rule set's
///   `cash_out_age` to more than that interval, else nearly every bet is refused as `StalePrice`.
///
/// `examples/feed.rs` of this crate drives one into an engine, and again after a restart.
#[derive(Clone, Debug)]
pub struct Translator {
    config: Config,
    sources: BTreeMap<Producer, Source>,
    /// The groups that feeds belong to, and as which of the two.
    members: BTreeMap<FeedId, (GroupId, Drives)>,
    /// The recovery of each feed that the book waits for.
    awaited: BTreeMap<FeedId, RequestId>,
    fixtures: BTreeMap<EventId, FixtureId>,
    markets: BTreeMap<MarketKey, Market>,
    /// Markets whose definition has been given, with the feed and the names of the selections.
    asked: BTreeMap<MarketKey, (FeedId, Vec<String>)>,
    skipped: Skipped,
}

impl Translator {
    /// Knows no producer, no event and no market.
    pub fn new(config: Config) -> Translator {
        Translator {
            config,
            sources: BTreeMap::new(),
            members: BTreeMap::new(),
            awaited: BTreeMap::new(),
            fixtures: BTreeMap::new(),
            markets: BTreeMap::new(),
            asked: BTreeMap::new(),
            skipped: Skipped::default(),
        }
    }

    /// A feed of the book stands for a producer. Producers that hand markets over to each other have
    /// to share one, because a market has prices of one feed: it is then whole when all of them
    /// are, and a heartbeat goes out when each of them has spoken since the last.
    pub fn feed(&mut self, producer: Producer, feed: FeedId) {
        self.sources
            .insert(producer, Source { feed, whole: false, alive: false, asked: Recovery::Any });
    }

    /// A feed is one of the two of a group. Markets that the primary one defines are the group's. The
    /// backup defines none, and opens, closes and settles none: [`adopt`](Translator::adopt) those
    /// that the primary has defined, with the backup as their feed. It sends its prices, and its
    /// suspensions and freezes are its own ([`Owner::Backup`]): they count while it drives.
    pub fn member(&mut self, feed: FeedId, group: GroupId, of: Drives) {
        self.members.insert(feed, (group, of));
        let owner = self.owner(feed);
        let its = self.markets.values_mut().filter(|market| market.feed == feed);
        its.for_each(|market| market.owner = owner);
    }

    fn owner(&self, feed: FeedId) -> Owner {
        match self.members.get(&feed) {
            Some((_, Drives::Backup)) => Owner::Backup,
            Some((_, Drives::Primary)) | None => Owner::Feed,
        }
    }

    /// A producer was asked for a recovery under this number: only its end counts from here on, not
    /// that of an earlier one, which may lack what came between. What it gives goes to the core at
    /// once, before anything that the recovery brings. Ask under numbers of your own that never come
    /// twice, and above nought: nought stands for any.
    pub fn recovering(&mut self, producer: Producer, request: RequestId) -> Option<Given> {
        let source = self.sources.get_mut(&producer)?;
        (source.whole, source.asked) = (false, Recovery::Of(request));
        let feed = source.feed;
        self.awaited.insert(feed, request);
        Some(self.signal(&FeedRecovering {
            feed,
            request: number(request),
            schema: self.config.schema,
            ..FeedRecovering::default()
        }))
    }

    /// The connection to a feed was lost: its markets take no bets until each of its producers has
    /// recovered. What it gives goes to the core.
    pub fn lost_connection(&mut self, feed: FeedId) -> Given {
        self.interrupted(feed);
        self.signal(&FeedGap { feed, connection: 1, ..FeedGap::default() })
    }

    /// Something of a feed may have been missed: each of its producers has to recover and to be heard
    /// again. To be called when the core reports `FeedChanged` with `Silence`, `Gap`, `Connection` or
    /// `Schema`, when the connection was made anew, and at a new epoch: the core then waits for
    /// everything, and a producer that was whole before must not speak for one that is not yet. Nor
    /// does the end of a recovery that was asked for before count: it may lack what was missed, so each
    /// producer has to be asked again, and said to be [`recovering`](Translator::recovering).
    pub fn interrupted(&mut self, feed: FeedId) {
        self.awaited.remove(&feed);
        self.of_feed(feed).for_each(|source| {
            (source.whole, source.alive, source.asked) = (false, false, Recovery::Unasked);
        });
    }

    /// The handle that the reply to a definition brought.
    pub fn made(&mut self, expects: &Expects, id: u64) {
        match expects {
            Expects::Fixture(event) => {
                self.fixtures.insert(event.clone(), FixtureId::from_raw(id));
            }
            Expects::Market(key) => {
                if let Some((feed, selections)) = self.asked.remove(key) {
                    let (id, owner) = (book::MarketId::from_raw(id), self.owner(feed));
                    let market = Market::new(id, feed, owner, selections, false);
                    self.markets.insert(key.clone(), market);
                }
            }
            Expects::Nothing => (),
        }
    }

    /// Takes in a market that the book has already: its feed (of a group the one that this translator
    /// speaks for, primary or backup), and its selections by the names that
    /// the book has for them ([`OutcomeId::name`]), in their order. Only the feed's word opens a market that the
    /// feed closed; one that is adopted counts as opened by who defined it.
    ///
    /// # Errors
    /// [`TranslateError`] when a market cannot have such selections.
    pub fn adopt<'a>(
        &mut self,
        key: MarketKey,
        market: book::MarketId,
        feed: FeedId,
        selections: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), TranslateError> {
        let names: Vec<String> = selections.into_iter().map(str::to_owned).collect();
        let wrong = |outcome: Option<&String>, reason| TranslateError {
            message: "",
            market: Some(key.clone()),
            outcome: outcome.cloned(),
            reason,
        };
        if !(2..=SELECTIONS_MAX).contains(&names.len()) {
            return Err(wrong(None, TranslateReason::Outcomes(names.len())));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(wrong(Some(twice), TranslateReason::OutcomeTwice));
        }
        self.asked.remove(&key);
        let owner = self.owner(feed);
        self.markets.insert(key, Market::new(market, feed, owner, names, true));
        Ok(())
    }

    /// Forgets an event and its markets, once they have left the book.
    pub fn forget(&mut self, event: &EventId) {
        self.fixtures.remove(event);
        self.markets.retain(|key, _| key.event != *event);
        self.asked.retain(|key, _| key.event != *event);
    }

    /// The handle of a market.
    pub fn market(&self, key: &MarketKey) -> Option<book::MarketId> {
        self.markets.get(key).map(|market| market.id)
    }

    /// What was passed over so far.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Appends to `given` what a message asks of the book. It is translated whole or not at all.
    ///
    /// # Errors
    /// [`TranslateError`] says what stands in the way, and what to do.
    pub fn translate(
        &mut self,
        message: &Message,
        now: Moment,
        given: &mut Vec<Given>,
    ) -> Result<Progress, TranslateError> {
        match message {
            Message::Alive(it) if it.subscribed => self.alive(message, it.producer, given)?,
            Message::Alive(it) => self.down(message, it.producer, 0, given)?,
            Message::ProductDown(it) => self.down(message, it.producer, 1, given)?,
            Message::SnapshotComplete(it) => {
                self.whole(message, it.producer, it.request, given)?;
            }
            Message::FixtureChange(_) => self.skipped.fixture_changes += 1,
            Message::Description(_) => self.skipped.descriptions += 1,
            Message::OddsChange(it) => {
                return self.odds_change(&self.origin(message, &it.header, now)?, it, given);
            }
            Message::BetStop(it) => {
                self.bet_stop(&self.origin(message, &it.header, now)?, it, given);
            }
            Message::BetSettlement(it) => {
                return self.settlement(&self.origin(message, &it.header, now)?, it, given);
            }
            Message::RollbackBetSettlement(it) => {
                self.rollback(&self.origin(message, &it.header, now)?, &it.markets, given)?;
            }
            Message::BetCancel(it) => {
                let lines = it.markets.iter().map(|market| &market.line);
                self.cancel(&self.origin(message, &it.header, now)?, it.window, 1, lines, given)?;
            }
            Message::RollbackBetCancel(it) => {
                let lines = it.markets.iter();
                self.cancel(&self.origin(message, &it.header, now)?, it.window, 0, lines, given)?;
            }
        }
        Ok(Progress::Done)
    }

    fn origin<'a>(
        &self,
        message: &Message,
        header: &'a Header,
        now: Moment,
    ) -> Result<Origin<'a>, TranslateError> {
        let message = message.kind();
        let wrong = |reason| TranslateError { message, market: None, outcome: None, reason };
        let source = moment(header.timestamp).map_err(wrong)?;
        let (ahead, bound) = (source.since(now), self.config.ahead_bound);
        if bound < ahead {
            return Err(wrong(TranslateReason::Ahead { ahead, bound }));
        }
        Ok(Origin {
            message,
            producer: header.producer,
            event: &header.event,
            at: header.timestamp,
            source,
            actor: self.config.actor,
            schema: self.config.schema,
            until: now.plus(self.config.validity),
            turn: 0,
        })
    }

    /// The market of a line; news of one that the book does not have are counted, or refused.
    fn known(
        &mut self,
        origin: &Origin<'_>,
        line: &Line,
    ) -> Result<Option<MarketKey>, TranslateError> {
        let key = line.of(origin.event);
        if self.markets.contains_key(&key) {
            return Ok(Some(key));
        }
        match self.config.undefined {
            Undefined::Refuse => Err(origin.wrong(TranslateReason::MarketUndefined, Some(&key))),
            Undefined::PassOver | Undefined::Define => Ok(None),
        }
    }
}

/// News of prices and statuses.
impl Translator {
    fn odds_change(
        &mut self,
        origin: &Origin<'_>,
        told: &OddsChange,
        given: &mut Vec<Given>,
    ) -> Result<Progress, TranslateError> {
        let mut new = Vec::new();
        for market in &told.markets {
            let key = market.line.of(origin.event);
            match self.markets.get(&key) {
                Some(known) => self.prices_are_its(origin, &key, known)?,
                None if self.stands_by(origin) => (),
                None if takes_bets(market) && fits(market.outcomes.len()) => {
                    new.push((key, market.outcomes.iter().map(|it| &it.id).collect()));
                }
                None => (),
            }
        }
        if !new.is_empty() {
            self.define(origin, new, given)?;
            return Ok(Progress::Waits);
        }

        // From here on nothing can fail.
        for market in &told.markets {
            let key = market.line.of(origin.event);
            let stands_by = self.stands_by(origin);
            let Some(known) = self.markets.get_mut(&key) else {
                let skipped = &mut self.skipped;
                *(match takes_bets(market) {
                    _ if stands_by => &mut skipped.undefined,
                    true => &mut skipped.unfit,
                    false => &mut skipped.dormant,
                }) += 1;
                continue;
            };
            if origin.at < known.newest {
                self.skipped.late += 1;
                continue;
            }
            // Bets stop before the prices change, and start behind them.
            match market.status {
                MarketStatus::Active => {
                    given.extend(known.prices(origin, market, &mut self.skipped));
                    known.status(origin, &key, market.status, given);
                }
                MarketStatus::Suspended | MarketStatus::Inactive => {
                    known.status(origin, &key, market.status, given);
                    given.extend(known.prices(origin, market, &mut self.skipped));
                }
                MarketStatus::HandedOver | MarketStatus::Settled | MarketStatus::Cancelled => {
                    known.status(origin, &key, market.status, given);
                }
            }
            let frozen = match market.cashout {
                Some(CashoutStatus::Available) => false,
                Some(CashoutStatus::Unavailable | CashoutStatus::Closed) => true,
                None => continue,
            };
            let news = known.frozen.news(Some(frozen), origin.at);
            if frozen || news {
                let (id, owner) = (known.id.raw(), known.owner as u8);
                given.push(origin.turn(known.frozen.turns).plain(&key, |valid_until| {
                    FreezeCashOut {
                        valid_until,
                        level: Level::Market as u8,
                        owner,
                        frozen: u8::from(frozen),
                        id,
                        ..FreezeCashOut::default()
                    }
                }));
            }
        }
        Ok(Progress::Done)
    }

    /// Whether a message comes from a feed that stands by.
    fn stands_by(&self, origin: &Origin<'_>) -> bool {
        let source = origin.producer.and_then(|producer| self.sources.get(&producer));
        source.is_some_and(|source| self.owner(source.feed) == Owner::Backup)
    }

    /// Whether the producer's prices are those of the market's feed.
    fn prices_are_its(
        &self,
        origin: &Origin<'_>,
        key: &MarketKey,
        market: &Market,
    ) -> Result<(), TranslateError> {
        let Some(producer) = origin.producer else { return Ok(()) };
        match self.sources.get(&producer) {
            _ if market.feed == FeedId::MANUAL => Ok(()),
            Some(source) if source.feed == market.feed => Ok(()),
            Some(_) => Err(origin.wrong(TranslateReason::OtherFeed(producer), Some(key))),
            None => Err(origin.wrong(TranslateReason::NoFeed(producer), Some(key))),
        }
    }

    /// Gives the definition of the event, or where it is known those of the markets, whose
    /// outcomes [`fits`] let pass.
    fn define(
        &mut self,
        origin: &Origin<'_>,
        new: Vec<(MarketKey, Vec<&OutcomeId>)>,
        given: &mut Vec<Given>,
    ) -> Result<(), TranslateError> {
        let producer =
            origin.producer.ok_or_else(|| origin.wrong(TranslateReason::NoProducer, None))?;
        let feed = match self.sources.get(&producer) {
            Some(source) => source.feed,
            None => return Err(origin.wrong(TranslateReason::NoFeed(producer), None)),
        };
        for (key, outcomes) in &new {
            if !self.leaves_losers(key, outcomes.len()) {
                let reason = TranslateReason::Winners(self.winners(key));
                return Err(origin.wrong(reason, Some(key)));
            }
        }
        let Some(fixture) = self.fixtures.get(origin.event).copied() else {
            let expects = Expects::Fixture(origin.event.clone());
            given.push(origin.keyed(None, expects, |head, valid_until| {
                let body = DefineFixture { valid_until, ..DefineFixture::default() };
                build::define_fixture(head, body, &origin.event.name())
            }));
            return Ok(());
        };
        for (key, mut outcomes) in new {
            outcomes.sort_unstable();
            let names: Vec<String> = outcomes.iter().map(|outcome| outcome.name()).collect();
            let texts: Vec<&str> = names.iter().map(String::as_str).collect();
            let body = DefineMarket {
                feed,
                winners: self.winners(&key),
                fixture,
                age_bound: self.config.age_bound,
                kind: MarketKind::Fixed as u8,
                group: self.members.get(&feed).map_or(GroupId::NONE, |(group, _)| *group),
                ..DefineMarket::default()
            };
            given.push(origin.keyed(
                Some(&key),
                Expects::Market(key.clone()),
                |head, valid_until| {
                    build::define_market(
                        head,
                        DefineMarket { valid_until, ..body },
                        &key.name(),
                        &texts,
                    )
                },
            ));
            self.asked.insert(key, (feed, names));
        }
        Ok(())
    }

    fn winners(&self, key: &MarketKey) -> u16 {
        self.config.winners.get(&key.market).copied().unwrap_or(1)
    }

    /// Whether of so many outcomes some win, and not all.
    fn leaves_losers(&self, key: &MarketKey, outcomes: usize) -> bool {
        (1..outcomes).contains(&usize::from(self.winners(key)))
    }

    fn bet_stop(&mut self, origin: &Origin<'_>, told: &BetStop, given: &mut Vec<Given>) {
        let first = MarketKey {
            event: origin.event.clone(),
            market: MarketId(0),
            specifiers: Specifiers::default(),
        };
        let stops = |key: &MarketKey| match self.config.groups.get(&key.market) {
            Some(groups) if !told.groups.is_all() => {
                told.groups.names().iter().any(|name| groups.contains(name))
            }
            Some(_) | None => true,
        };
        let markets =
            self.markets.range_mut(first..).take_while(|(key, _)| key.event == *origin.event);
        for (key, market) in markets.filter(|(key, _)| stops(key)) {
            if origin.at < market.newest {
                self.skipped.late += 1;
                continue;
            }
            let status = match (market.phase.what, told.status) {
                // A stop opens nothing, whatever it says: only an odds change does.
                (Phase::Unknown | Phase::Active, MarketStatus::Active) => MarketStatus::Suspended,
                // One of which nothing was told may be open: it was adopted.
                (Phase::Unknown | Phase::Active, status) => status,
                // What is not active stays what it is, and is told so again.
                (Phase::Suspended, _) => MarketStatus::Suspended,
                (Phase::Closed, _) => MarketStatus::Cancelled,
            };
            market.status(origin, key, status, given);
        }
    }
}

/// Whether bets may be placed on a market, now or after a suspension.
fn takes_bets(market: &OddsMarket) -> bool {
    let open = matches!(market.status, MarketStatus::Active | MarketStatus::Suspended);
    open && !market.outcomes.is_empty()
}

fn fits(outcomes: usize) -> bool {
    (2..=SELECTIONS_MAX).contains(&outcomes)
}

/// News of what became of bets.
impl Translator {
    fn settlement(
        &mut self,
        origin: &Origin<'_>,
        told: &BetSettlement,
        given: &mut Vec<Given>,
    ) -> Result<Progress, TranslateError> {
        if self.config.undefined == Undefined::Define && !self.stands_by(origin) {
            let new: Vec<(MarketKey, Vec<&OutcomeId>)> = told
                .markets
                .iter()
                .map(|it| (it.line.of(origin.event), it.outcomes.iter().map(|it| &it.id).collect()))
                .filter(|(key, outcomes): &(MarketKey, Vec<&OutcomeId>)| {
                    let holds = fits(outcomes.len()) && self.leaves_losers(key, outcomes.len());
                    holds && !self.markets.contains_key(key)
                })
                .collect();
            if !new.is_empty() {
                self.define(origin, new, given)?;
                return Ok(Progress::Waits);
            }
        }
        let mut settled = Vec::new();
        let mut skipped = self.skipped;
        for market in &told.markets {
            let Some(key) = self.known(origin, &market.line)? else {
                // What could be defined is defined by now.
                let unfit = self.config.undefined == Undefined::Define;
                *(if unfit { &mut skipped.unfit } else { &mut skipped.undefined }) += 1;
                continue;
            };
            let known = &self.markets[&key];
            if known.owner == Owner::Backup {
                skipped.standby += 1;
                continue;
            }
            let wrong = |reason, outcome: Option<&str>| TranslateError {
                outcome: outcome.map(str::to_owned),
                ..origin.wrong(reason, Some(&key))
            };
            match known.results(market, wrong)? {
                Some(entries) => {
                    skipped.outcomes += (market.outcomes.len() - entries.len()) as u64;
                    settled.push((key, entries));
                }
                None => skipped.undecided += 1,
            }
        }

        // From here on nothing can fail.
        self.skipped = skipped;
        for (key, entries) in settled {
            let Some(known) = self.markets.get_mut(&key) else { continue };
            let body = MarketResult {
                market: known.id,
                certainty: match told.certainty {
                    Certainty::LiveScouted => 1,
                    Certainty::Confirmed => 2,
                },
                source: origin.source,
                ..MarketResult::default()
            };
            // A result that is not sure enough is only noted, and the market stays open.
            known.open.what = None;
            known.newest = known.newest.max(origin.at);
            given.push(origin.keyed(Some(&key), Expects::Nothing, |head, valid_until| {
                build::result(head, MarketResult { valid_until, ..body }, &entries)
            }));
        }
        Ok(Progress::Done)
    }

    fn rollback(
        &mut self,
        origin: &Origin<'_>,
        lines: &[Line],
        given: &mut Vec<Given>,
    ) -> Result<(), TranslateError> {
        for key in self.all_known(origin, lines.iter())? {
            let Some(known) = self.markets.get_mut(&key) else { continue };
            known.open.what = None;
            known.newest = known.newest.max(origin.at);
            let market = known.id;
            given.push(origin.plain(&key, |valid_until| RollbackResult {
                valid_until,
                market,
                source: origin.source,
                ..RollbackResult::default()
            }));
        }
        Ok(())
    }

    fn cancel<'l>(
        &mut self,
        origin: &Origin<'_>,
        window: Window,
        cancel: u8,
        lines: impl Iterator<Item = &'l Line>,
        given: &mut Vec<Given>,
    ) -> Result<(), TranslateError> {
        let side = |at: Option<Timestamp>| at.map_or(Ok(Moment(0)), moment);
        let wrong = |reason| origin.wrong(reason, None);
        let from = side(window.start()).map_err(wrong)?;
        let until = side(window.end()).map_err(wrong)?;
        // The core's nought is "no end", and the feed's is 1970.
        let empty = window.end().is_some() && until <= from;
        for key in self.all_known(origin, lines)? {
            if empty {
                self.skipped.empty_windows += 1;
                continue;
            }
            let market = self.markets[&key].id;
            given.push(origin.plain(&key, |valid_until| CancelBets {
                valid_until,
                cancel,
                market,
                from,
                until,
                source: origin.source,
                ..CancelBets::default()
            }));
        }
        Ok(())
    }

    /// The markets of some lines that the book has; counts the others, or refuses all.
    fn all_known<'l>(
        &mut self,
        origin: &Origin<'_>,
        lines: impl Iterator<Item = &'l Line>,
    ) -> Result<Vec<MarketKey>, TranslateError> {
        let keys = lines.map(|line| self.known(origin, line));
        let keys = keys.collect::<Result<Vec<Option<MarketKey>>, TranslateError>>()?;
        let all = keys.len();
        let mut keys: Vec<MarketKey> = keys.into_iter().flatten().collect();
        self.skipped.undefined += (all - keys.len()) as u64;
        let known = keys.len();
        keys.retain(|key| self.markets[key].owner != Owner::Backup);
        self.skipped.standby += (known - keys.len()) as u64;
        Ok(keys)
    }
}

/// News of producers.
impl Translator {
    /// The feed of a producer, and the moment of a message about it.
    fn source(
        &mut self,
        message: &Message,
        producer: Producer,
    ) -> Result<Option<(FeedId, Moment)>, TranslateError> {
        let wrong = |reason| TranslateError {
            message: message.kind(),
            market: None,
            outcome: None,
            reason,
        };
        let at = message.timestamp().map_or(Ok(Moment(0)), moment).map_err(wrong)?;
        let source = self.sources.get(&producer);
        self.skipped.producers += u64::from(source.is_none());
        Ok(source.map(|source| (source.feed, at)))
    }

    fn of_feed(&mut self, feed: FeedId) -> impl Iterator<Item = &mut Source> {
        self.sources.values_mut().filter(move |source| source.feed == feed)
    }

    fn alive(
        &mut self,
        message: &Message,
        producer: Producer,
        given: &mut Vec<Given>,
    ) -> Result<(), TranslateError> {
        let Some((feed, source)) = self.source(message, producer)? else { return Ok(()) };
        if let Some(speaker) = self.sources.get_mut(&producer) {
            speaker.alive = true;
        }
        if self.of_feed(feed).all(|source| source.alive) {
            self.of_feed(feed).for_each(|source| source.alive = false);
            let schema = self.config.schema;
            let beat = FeedHeartbeat { feed, source, schema, ..FeedHeartbeat::default() };
            given.push(self.signal(&beat));
        }
        Ok(())
    }

    fn down(
        &mut self,
        message: &Message,
        producer: Producer,
        connection: u8,
        given: &mut Vec<Given>,
    ) -> Result<(), TranslateError> {
        let Some((feed, source)) = self.source(message, producer)? else { return Ok(()) };
        self.interrupted(feed);
        given.push(self.signal(&FeedGap { feed, connection, source, ..FeedGap::default() }));
        Ok(())
    }

    fn whole(
        &mut self,
        message: &Message,
        producer: Producer,
        request: RequestId,
        given: &mut Vec<Given>,
    ) -> Result<(), TranslateError> {
        let Some((feed, source)) = self.source(message, producer)? else { return Ok(()) };
        if let Some(speaker) = self.sources.get_mut(&producer) {
            if !speaker.asked.is_ended_by(request) {
                self.skipped.recoveries += 1;
                return Ok(());
            }
            speaker.whole = true;
        }
        if self.of_feed(feed).all(|source| source.whole) {
            // Of producers that share a feed, the last number that the core was told of.
            let awaited = self.awaited.get(&feed).copied().unwrap_or(request);
            given.push(self.signal(&FeedRecovered {
                feed,
                source,
                request: number(awaited),
                schema: self.config.schema,
                ..FeedRecovered::default()
            }));
        }
        Ok(())
    }

    /// A feed's own message: it has no key and no time limit.
    fn signal<B: Body>(&self, body: &B) -> Given {
        let head = Head::control(self.config.actor, RequestKey::NONE);
        Given { slots: vec![build::plain(head, body)], expects: Expects::Nothing }
    }
}
