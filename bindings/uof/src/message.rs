//! What a message says, in the feed's own terms.

use std::fmt;

use betring_pricing::{Probability, Quoted};

use crate::name::{EventId, Line, OutcomeId, TEXT_BYTES_MAX};
use crate::number::Factor;

/// The last millisecond of the year 9999: no timestamp lies behind it.
pub const TIMESTAMP_MS_MAX: i64 = 253_402_300_799_999;

/// A moment, in milliseconds since 1970: from nought to [`TIMESTAMP_MS_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment; `None` before 1970 and behind [`TIMESTAMP_MS_MAX`].
    pub const fn from_ms(ms: i64) -> Option<Timestamp> {
        if 0 <= ms && ms <= TIMESTAMP_MS_MAX { Some(Timestamp(ms)) } else { None }
    }

    /// Milliseconds since 1970.
    pub const fn ms(self) -> i64 {
        self.0
    }
}

/// The number of the producer that a message comes from ("product" in the feed): 1 is live odds, 3
/// is pre-match odds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Producer(pub u32);

impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number under which a recovery was asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub i64);

/// A number of the feed's published list of reasons to void; 0 is "other".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VoidReason(pub u32);

/// One message of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Prices or states of some markets of an event changed.
    OddsChange(OddsChange),
    /// No more bets on a group of an event's markets.
    BetStop(BetStop),
    /// Results.
    BetSettlement(BetSettlement),
    /// Results taken back.
    RollbackBetSettlement(RollbackBetSettlement),
    /// Bets of a window of time are void.
    BetCancel(BetCancel),
    /// They are not.
    RollbackBetCancel(RollbackBetCancel),
    /// Something about the event itself changed.
    FixtureChange(FixtureChange),
    /// A producer says that it lives.
    Alive(Alive),
    /// Everything that a recovery was asked for has been sent.
    SnapshotComplete(SnapshotComplete),
    /// A producer is down. Only old feeds send it; newer ones go silent.
    ProductDown(ProductDown),
    /// A document of the feed's programming interface, which describes and changes nothing. It was
    /// recognised and passed over.
    Description(DescriptionKind),
}

impl Message {
    /// The outermost element's name, or for a description what it describes.
    pub const fn kind(&self) -> &'static str {
        match self {
            Message::OddsChange(_) => "odds_change",
            Message::BetStop(_) => "bet_stop",
            Message::BetSettlement(_) => "bet_settlement",
            Message::RollbackBetSettlement(_) => "rollback_bet_settlement",
            Message::BetCancel(_) => "bet_cancel",
            Message::RollbackBetCancel(_) => "rollback_bet_cancel",
            Message::FixtureChange(_) => "fixture_change",
            Message::Alive(_) => "alive",
            Message::SnapshotComplete(_) => "snapshot_complete",
            Message::ProductDown(_) => "product_down",
            Message::Description(kind) => kind.name(),
        }
    }

    /// What every message about an event begins with; `None` for the others.
    pub const fn header(&self) -> Option<&Header> {
        match self {
            Message::OddsChange(it) => Some(&it.header),
            Message::BetStop(it) => Some(&it.header),
            Message::BetSettlement(it) => Some(&it.header),
            Message::RollbackBetSettlement(it) => Some(&it.header),
            Message::BetCancel(it) => Some(&it.header),
            Message::RollbackBetCancel(it) => Some(&it.header),
            Message::FixtureChange(it) => Some(&it.header),
            Message::Alive(_)
            | Message::SnapshotComplete(_)
            | Message::ProductDown(_)
            | Message::Description(_) => None,
        }
    }

    /// Who sent it, where it says so.
    pub const fn producer(&self) -> Option<Producer> {
        match self {
            Message::Alive(it) => Some(it.producer),
            Message::SnapshotComplete(it) => Some(it.producer),
            Message::ProductDown(it) => Some(it.producer),
            Message::Description(_) => None,
            _ => match self.header() {
                Some(header) => header.producer,
                None => None,
            },
        }
    }

    /// When it was made, where it says so.
    pub const fn timestamp(&self) -> Option<Timestamp> {
        match self {
            Message::Alive(it) => Some(it.timestamp),
            Message::SnapshotComplete(it) => Some(it.timestamp),
            Message::ProductDown(it) => Some(it.timestamp),
            Message::Description(_) => None,
            _ => match self.header() {
                Some(header) => Some(header.timestamp),
                None => None,
            },
        }
    }
}

/// What every message about an event begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who sent it. The schema requires it, and recorded messages lack it now and then.
    pub producer: Option<Producer>,
    /// What it is about.
    pub event: EventId,
    /// When it was made.
    pub timestamp: Timestamp,
    /// The recovery that it belongs to, if it does.
    pub request: Option<RequestId>,
}

/// Prices or states of some markets of an event changed. A market that is not listed is as it was;
/// one that is listed brings all its outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddsChange {
    /// What it is about.
    pub header: Header,
    /// Why it was sent: 1 is an adjustment of risk. Kept as the number it is.
    pub reason: Option<i64>,
    /// A number of the feed's published list of betting statuses.
    pub betting_status: Option<i64>,
    /// A number of the feed's published list of reasons to stop betting.
    pub betstop_reason: Option<i64>,
    /// The markets, in the message's order; each is named once.
    pub markets: Vec<OddsMarket>,
}

/// The state of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarketStatus {
    /// Bets are taken (1, and what a market is where nothing is said).
    Active,
    /// No bets; it may come back (0).
    Inactive,
    /// No bets for a moment, prices go on (-1).
    Suspended,
    /// Another producer goes on with it (-2): no bets until that one's prices have come.
    HandedOver,
    /// Results are there (-3).
    Settled,
    /// It is cancelled (-4).
    Cancelled,
}

impl MarketStatus {
    pub(crate) const ALLOWED: &'static str = "a market's status: 1 active, 0 inactive, -1 suspended, -2 handed over, -3 settled, -4 cancelled";

    pub(crate) const fn from_code(code: i64) -> Option<MarketStatus> {
        match code {
            1 => Some(MarketStatus::Active),
            0 => Some(MarketStatus::Inactive),
            -1 => Some(MarketStatus::Suspended),
            -2 => Some(MarketStatus::HandedOver),
            -3 => Some(MarketStatus::Settled),
            -4 => Some(MarketStatus::Cancelled),
            _ => None,
        }
    }
}

/// Whether bets on a market can be cashed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CashoutStatus {
    /// They can (1).
    Available,
    /// Not now (-1).
    Unavailable,
    /// Never again (-2).
    Closed,
}

impl CashoutStatus {
    pub(crate) const ALLOWED: &'static str =
        "a cash-out status: 1 available, -1 unavailable, -2 closed";

    pub(crate) const fn from_code(code: i64) -> Option<CashoutStatus> {
        match code {
            1 => Some(CashoutStatus::Available),
            -1 => Some(CashoutStatus::Unavailable),
            -2 => Some(CashoutStatus::Closed),
            _ => None,
        }
    }
}

/// A market with its prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddsMarket {
    /// Which market of the event.
    pub line: Line,
    /// Its state.
    pub status: MarketStatus,
    /// Whether cash-out is possible, where it is said.
    pub cashout: Option<CashoutStatus>,
    /// Its outcomes, in the message's order; each is named once. There may be none where only the
    /// state is told.
    pub outcomes: Vec<PricedOutcome>,
}

/// An outcome with its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedOutcome {
    /// Which outcome of the market.
    pub id: OutcomeId,
    /// Its price.
    pub odds: Odds,
    /// Whether bets on it are taken; they are where nothing is said.
    pub active: bool,
    /// How probable the feed holds it to be, where it is said.
    pub probability: Option<Probability>,
}

/// The price of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odds {
    /// None is told. The feed sends none for an outcome that is not active.
    Absent,
    /// A price; a digit behind the fourth decimal was dropped.
    At(Quoted),
    /// A number that is no price: at or below 1.0, or above 100,000. Nobody can bet at it, whatever
    /// `active` says; the rest of the message is not worse for it.
    OutOfRange,
}

/// No more bets on a group of an event's markets. Only markets that are active change their state;
/// only an odds change opens them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BetStop {
    /// What it is about.
    pub header: Header,
    /// Which of the event's markets.
    pub groups: Groups,
    /// The state that they get; suspended where nothing is said.
    pub status: MarketStatus,
}

/// Groups of markets, by the names that the market descriptions give: `all`, or `score|regular_play`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups(Vec<String>);

impl Groups {
    /// The groups of a text `name|name`; `None` when there is none in it, when it is longer than
    /// [`TEXT_BYTES_MAX`], or when it has a control character.
    pub(crate) fn new(text: &str) -> Option<Groups> {
        if TEXT_BYTES_MAX < text.len() || text.chars().any(char::is_control) {
            return None;
        }
        let names = text.split('|').map(str::trim).filter(|name| !name.is_empty());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { None } else { Some(Groups(names)) }
    }

    /// Whether it means every market of the event.
    pub fn is_all(&self) -> bool {
        self.0.iter().any(|name| name == "all")
    }

    /// The names, in alphabetical order; there is at least one.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// Results of some markets of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BetSettlement {
    /// What it is about.
    pub header: Header,
    /// How sure they are.
    pub certainty: Certainty,
    /// The markets, in the message's order; each is named once, there is at least one.
    pub markets: Vec<SettledMarket>,
}

/// How sure results are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// A scout at the event saw it (1).
    LiveScouted,
    /// It was confirmed (2).
    Confirmed,
}

impl Certainty {
    pub(crate) const ALLOWED: &'static str = "a certainty: 1 live scouted, 2 confirmed";

    pub(crate) const fn from_code(code: i64) -> Option<Certainty> {
        match code {
            1 => Some(Certainty::LiveScouted),
            2 => Some(Certainty::Confirmed),
            _ => None,
        }
    }
}

/// A market with its results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledMarket {
    /// Which market of the event.
    pub line: Line,
    /// Why outcomes of it are void, where it is said.
    pub void_reason: Option<VoidReason>,
    /// Its outcomes, in the message's order; each is named once.
    pub outcomes: Vec<SettledOutcome>,
}

/// Whether an outcome won.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeResult {
    /// It won (1).
    Won,
    /// It lost (0).
    Lost,
    /// It is not decided (-1).
    Undecided,
}

impl OutcomeResult {
    pub(crate) const ALLOWED: &'static str = "a result: 1 won, 0 lost, -1 undecided";

    pub(crate) const fn from_code(code: i64) -> Option<OutcomeResult> {
        match code {
            1 => Some(OutcomeResult::Won),
            0 => Some(OutcomeResult::Lost),
            -1 => Some(OutcomeResult::Undecided),
            _ => None,
        }
    }
}

/// An outcome with its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledOutcome {
    /// Which outcome of the market.
    pub id: OutcomeId,
    /// Whether it won.
    pub result: OutcomeResult,
    /// The share of the stake that is refunded: nought, a half or one, where it is said.
    pub void_factor: Option<Factor>,
    /// What is left of a win that others share, where it is said.
    pub dead_heat_factor: Option<Factor>,
}

impl SettledOutcome {
    /// The share of the stake that is refunded, `v`: nought where nothing is said.
    pub fn refunded(&self) -> Factor {
        self.void_factor.unwrap_or(Factor::ZERO)
    }

    /// The share of the rest that wins, `w`; `None` where it is not decided. A leg at odds `O` is
    /// then worth `v + (1 - v) * w * O`.
    pub fn winning(&self) -> Option<Factor> {
        match self.result {
            OutcomeResult::Won => Some(self.dead_heat_factor.unwrap_or(Factor::ONE)),
            OutcomeResult::Lost => Some(Factor::ZERO),
            OutcomeResult::Undecided => None,
        }
    }
}

/// Results are taken back: the bets on these markets are open again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackBetSettlement {
    /// What it is about.
    pub header: Header,
    /// The markets, in the message's order; each is named once, there is at least one.
    pub markets: Vec<Line>,
}

/// Bets that were placed in a window of time are void. The markets keep their state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BetCancel {
    /// What it is about.
    pub header: Header,
    /// When the void bets were placed.
    pub window: Window,
    /// The event that takes this one's place, where there is one.
    pub superseded_by: Option<EventId>,
    /// The markets, in the message's order; each is named once, there is at least one.
    pub markets: Vec<CancelledMarket>,
}

/// A market whose bets are void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelledMarket {
    /// Which market of the event.
    pub line: Line,
    /// Why, where it is said.
    pub void_reason: Option<VoidReason>,
}

/// A cancel of the same window is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackBetCancel {
    /// What it is about.
    pub header: Header,
    /// The window of the cancel.
    pub window: Window,
    /// The markets, in the message's order; each is named once, there is at least one.
    pub markets: Vec<Line>,
}

/// When bets were placed: from `start` on and before `end`. Without a start it is everything before
/// the end, without an end everything from the start on, without both everything. The start never
/// lies behind the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Window {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Window {
    /// From `start` on and before `end`; `None` if it would end before it starts.
    pub fn new(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<Window> {
        match (start, end) {
            (Some(start), Some(end)) if end < start => None,
            _ => Some(Window { start, end }),
        }
    }

    /// The first moment in it, if it has one.
    pub const fn start(self) -> Option<Timestamp> {
        self.start
    }

    /// The first moment behind it, if it has one.
    pub const fn end(self) -> Option<Timestamp> {
        self.end
    }

    /// Whether a bet that was placed at that moment is in it.
    pub fn covers(self, placed: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= placed) && self.end.is_none_or(|end| placed < end)
    }
}

/// Something about the event itself changed: its description should be fetched again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixtureChange {
    /// What it is about.
    pub header: Header,
    /// What changed, where it is said.
    pub change: Option<ChangeType>,
    /// When the event starts. The schema requires it; nothing here depends on it.
    pub start: Option<Timestamp>,
    /// When the event is next covered live, where it is said.
    pub next_live: Option<Timestamp>,
}

/// What changed about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeType {
    /// It is new (1).
    New,
    /// It starts at another time (2).
    DateTime,
    /// It does not take place (3).
    Cancelled,
    /// It is played by other rules (4).
    Format,
    /// It is covered in another way (5).
    Coverage,
    /// Another pitcher (6).
    Pitcher,
    /// Something that this reader does not know by name.
    Other(i64),
}

impl ChangeType {
    pub(crate) const fn from_code(code: i64) -> ChangeType {
        match code {
            1 => ChangeType::New,
            2 => ChangeType::DateTime,
            3 => ChangeType::Cancelled,
            4 => ChangeType::Format,
            5 => ChangeType::Coverage,
            6 => ChangeType::Pitcher,
            other => ChangeType::Other(other),
        }
    }
}

/// A producer says that it lives; it does so every ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alive {
    /// Who lives.
    pub producer: Producer,
    /// When it said so.
    pub timestamp: Timestamp,
    /// Whether it has sent everything so far. Where not, it was started anew or this consumer was
    /// cut off: a recovery must be asked for.
    pub subscribed: bool,
}

/// Everything that a recovery was asked for has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotComplete {
    /// Who sent it.
    pub producer: Producer,
    /// When.
    pub timestamp: Timestamp,
    /// The recovery that is complete.
    pub request: RequestId,
}

/// A producer is down: its markets must be suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductDown {
    /// Who is down.
    pub producer: Producer,
    /// Since when.
    pub timestamp: Timestamp,
}

/// What a document of the feed's programming interface describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DescriptionKind {
    /// Events and when they take place.
    Fixtures,
    /// Kinds of markets, their outcomes and groups.
    Markets,
    /// A player.
    Player,
    /// A competitor.
    Competitor,
    /// The state or course of an event.
    Summary,
    /// Events of a day or a tournament.
    Schedule,
    /// Tournaments, seasons, sports and their categories.
    Tournaments,
    /// A place.
    Venue,
    /// Lists of codes, such as the reasons to void.
    Codes,
    /// Producers.
    Producers,
}

impl DescriptionKind {
    /// The kind of a document with that outermost element; the names are those of the schemas in
    /// the SDK's folder `ext/bsa/v1/endpoints/unified`.
    pub(crate) fn of(root: &str) -> Option<DescriptionKind> {
        Some(match root {
            "fixtures_fixture" | "fixture_changes" => DescriptionKind::Fixtures,
            "market_descriptions" | "variant_descriptions" => DescriptionKind::Markets,
            "player_profile" => DescriptionKind::Player,
            "competitor_profile" | "simpleteam_profile" => DescriptionKind::Competitor,
            "match_summary" | "match_timeline" | "period_summary" | "race_summary"
            | "stage_summary" | "result_changes" => DescriptionKind::Summary,
            "schedule" | "race_schedule" | "tournament_schedule" => DescriptionKind::Schedule,
            "sports" | "sport_categories" | "sport_tournaments" | "tournaments"
            | "tournament_info" | "tournament_seasons" => DescriptionKind::Tournaments,
            "venue_summary" => DescriptionKind::Venue,
            "void_reasons_descriptions"
            | "betstop_reasons_descriptions"
            | "betting_status_descriptions"
            | "match_status_descriptions" => DescriptionKind::Codes,
            "producers" => DescriptionKind::Producers,
            _ => return None,
        })
    }

    /// What is described, in one word.
    pub const fn name(self) -> &'static str {
        match self {
            DescriptionKind::Fixtures => "fixtures",
            DescriptionKind::Markets => "markets",
            DescriptionKind::Player => "player",
            DescriptionKind::Competitor => "competitor",
            DescriptionKind::Summary => "summary",
            DescriptionKind::Schedule => "schedule",
            DescriptionKind::Tournaments => "tournaments",
            DescriptionKind::Venue => "venue",
            DescriptionKind::Codes => "codes",
            DescriptionKind::Producers => "producers",
        }
    }
}
