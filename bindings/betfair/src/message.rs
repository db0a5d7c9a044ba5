//! What one line of a recording says: a market change message, in the exchange's own terms.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::decimal::{Decimal, shown};
use crate::error::Reason;

/// Entries that one list of a message may have. The largest list known is a ladder: CLASSIC has 350
/// prices. Of markets in a message the exchange sends at most 200, of runners a market has about 300.
pub const ENTRIES_MAX: usize = 4_096;

/// Bytes that a name, an id or a date may have; the longest seen is about 60.
pub const TEXT_BYTES_MAX: usize = 256;

/// The last millisecond of the year 9999: no publish time lies behind it.
pub const PUBLISH_TIME_MS_MAX: i64 = 253_402_300_799_999;

/// One message: what changed in some markets at one publish time. Without changes it is a heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketChangeMessage {
    /// When the exchange generated the changes, in milliseconds since 1970; 0 to
    /// [`PUBLISH_TIME_MS_MAX`].
    pub publish_time_ms: i64,
    /// The token with which a subscription would go on behind this message.
    pub clk: Option<String>,
    /// The exchange said that its stream lags behind (status 503).
    pub lagging: bool,
    /// The changes, in the order in which they apply.
    pub changes: Vec<MarketChange>,
}

/// What changed in one market.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(expecting = "a change of a market")]
pub struct MarketChange {
    /// The exchange's name of the market, such as `1.185781277`; never empty.
    #[serde(rename = "id", deserialize_with = "name")]
    pub market_id: String,
    /// This is an image: it replaces what was known of prices and volumes.
    #[serde(rename = "img", default, deserialize_with = "flag")]
    pub image: bool,
    /// Everything matched in the market, in the currency's major unit.
    #[serde(rename = "tv", default, deserialize_with = "amount_or_none")]
    pub traded_volume: Option<Decimal>,
    /// The market's definition, complete, when any of it changed.
    #[serde(rename = "marketDefinition", default)]
    pub definition: Option<MarketDefinition>,
    /// The runners that changed; one runner may come more than once.
    #[serde(rename = "rc", default, deserialize_with = "list")]
    pub runners: Vec<RunnerChange>,
}

/// What changed for one runner.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(expecting = "a change of a runner")]
pub struct RunnerChange {
    id: i64,
    #[serde(default, deserialize_with = "or_default")]
    hc: Decimal,
    /// Last traded price.
    #[serde(default, deserialize_with = "amount_or_none")]
    pub ltp: Option<Decimal>,
    /// Everything matched on the runner.
    #[serde(default, deserialize_with = "amount_or_none")]
    pub tv: Option<Decimal>,
    /// What the starting price would be, exchange bets taken into account.
    #[serde(default, deserialize_with = "amount_or_none")]
    pub spn: Option<Decimal>,
    /// What the starting price would be, from starting price bets alone.
    #[serde(default, deserialize_with = "amount_or_none")]
    pub spf: Option<Decimal>,
    /// Available to back, by price.
    #[serde(default, deserialize_with = "list")]
    pub atb: Vec<PriceSize>,
    /// Available to lay, by price.
    #[serde(default, deserialize_with = "list")]
    pub atl: Vec<PriceSize>,
    /// Traded, by price.
    #[serde(default, deserialize_with = "list")]
    pub trd: Vec<PriceSize>,
    /// Starting price bets to back, by limit.
    #[serde(default, deserialize_with = "list")]
    pub spb: Vec<PriceSize>,
    /// Starting price bets to lay, by limit.
    #[serde(default, deserialize_with = "list")]
    pub spl: Vec<PriceSize>,
    /// Best available to back, by depth.
    #[serde(default, deserialize_with = "list")]
    pub batb: Vec<DepthPriceSize>,
    /// Best available to lay, by depth.
    #[serde(default, deserialize_with = "list")]
    pub batl: Vec<DepthPriceSize>,
    /// Best displayed to back, virtual bets included, by depth.
    #[serde(default, deserialize_with = "list")]
    pub bdatb: Vec<DepthPriceSize>,
    /// Best displayed to lay, virtual bets included, by depth.
    #[serde(default, deserialize_with = "list")]
    pub bdatl: Vec<DepthPriceSize>,
}

impl RunnerChange {
    /// Which selection of the market it is about.
    pub fn key(&self) -> SelectionKey {
        SelectionKey { id: self.id, handicap: self.hc }
    }
}

/// A selection within its market: the same id may come with several handicaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SelectionKey {
    /// The exchange's number of the selection.
    pub id: i64,
    /// The handicap; nought where there is none.
    pub handicap: Decimal,
}

impl fmt::Display for SelectionKey {
    /// `44331354`, or `44331354@-0.5` with a handicap.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.handicap.is_zero() {
            write!(f, "{}", self.id)
        } else {
            write!(f, "{}@{}", self.id, self.handicap)
        }
    }
}

/// The size at a price; a size of nought takes the price away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "(Decimal, Decimal)")]
pub struct PriceSize {
    /// The price, nought or more.
    pub price: Decimal,
    /// The size in the currency's major unit, nought or more.
    pub size: Decimal,
}

impl TryFrom<(Decimal, Decimal)> for PriceSize {
    type Error = String;

    fn try_from((price, size): (Decimal, Decimal)) -> Result<PriceSize, String> {
        if price.is_negative() {
            return Err(format!("price {price} is negative"));
        }
        if size.is_negative() {
            return Err(format!("size {size} is negative"));
        }
        Ok(PriceSize { price, size })
    }
}

/// Price and size at a depth of the book, 0 being the best; a size of nought takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "(u8, Decimal, Decimal)")]
pub struct DepthPriceSize {
    /// Places behind the best.
    pub depth: u8,
    /// What is there.
    pub level: PriceSize,
}

impl TryFrom<(u8, Decimal, Decimal)> for DepthPriceSize {
    type Error = String;

    fn try_from((depth, price, size): (u8, Decimal, Decimal)) -> Result<Self, String> {
        Ok(DepthPriceSize { depth, level: PriceSize::try_from((price, size))? })
    }
}

/// A market's definition: everything about it that is not a price or a volume.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a market's definition")]
pub struct MarketDefinition {
    /// Whether it takes bets.
    pub status: MarketStatus,
    /// The event has begun and bets are taken during it.
    #[serde(default, deserialize_with = "flag")]
    pub in_play: bool,
    /// Seconds that a bet waits before it is matched.
    #[serde(default, deserialize_with = "or_default")]
    pub bet_delay: u16,
    /// Rises with every material change.
    #[serde(default)]
    pub version: Option<i64>,
    /// How bets are struck, such as `ODDS`.
    #[serde(default, deserialize_with = "text_or_none")]
    pub betting_type: Option<String>,
    /// What is bet on, such as `WIN` or `MATCH_ODDS`.
    #[serde(default, deserialize_with = "text_or_none")]
    pub market_type: Option<String>,
    /// How many selections win.
    #[serde(default)]
    pub number_of_winners: Option<u16>,
    /// The market's name.
    #[serde(default, deserialize_with = "text_or_none")]
    pub name: Option<String>,
    /// The event's name.
    #[serde(default, deserialize_with = "text_or_none")]
    pub event_name: Option<String>,
    /// The exchange's number of the event.
    #[serde(default, deserialize_with = "text_or_none")]
    pub event_id: Option<String>,
    /// Where a race is run.
    #[serde(default, deserialize_with = "text_or_none")]
    pub venue: Option<String>,
    /// When the event was to begin.
    #[serde(default, deserialize_with = "text_or_none")]
    pub market_time: Option<String>,
    /// The prices that bets may have; CLASSIC where nothing is said.
    #[serde(rename = "priceLadderDefinition", default, deserialize_with = "ladder")]
    pub ladder: LadderKind,
    /// The selections.
    #[serde(deserialize_with = "list")]
    pub runners: Vec<RunnerDefinition>,
}

/// A selection as the market's definition has it.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a runner's definition")]
pub struct RunnerDefinition {
    id: i64,
    #[serde(default, deserialize_with = "or_default")]
    hc: Decimal,
    /// What has become of it.
    pub status: RunnerStatus,
    /// Its name.
    #[serde(default, deserialize_with = "text_or_none")]
    pub name: Option<String>,
    /// By how many per cent the others' prices are reduced when it is removed.
    #[serde(default, deserialize_with = "amount_or_none")]
    pub adjustment_factor: Option<Decimal>,
    /// When it was removed.
    #[serde(default, deserialize_with = "text_or_none")]
    pub removal_date: Option<String>,
    /// Its starting price.
    #[serde(default, deserialize_with = "amount_or_none")]
    pub bsp: Option<Decimal>,
}

impl RunnerDefinition {
    /// Which selection of the market it is.
    pub fn key(&self) -> SelectionKey {
        SelectionKey { id: self.id, handicap: self.hc }
    }
}

/// Whether a market takes bets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MarketStatus {
    /// Not offered yet, or no longer.
    Inactive,
    /// It takes bets.
    Open,
    /// It takes none at present.
    Suspended,
    /// It is over.
    Closed,
}

impl MarketStatus {
    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            MarketStatus::Inactive => "INACTIVE",
            MarketStatus::Open => "OPEN",
            MarketStatus::Suspended => "SUSPENDED",
            MarketStatus::Closed => "CLOSED",
        }
    }
}

/// What has become of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunnerStatus {
    /// It takes part.
    Active,
    /// It won (or was placed, in a market on places).
    Winner,
    /// It lost.
    Loser,
    /// It was placed, in an each-way market.
    Placed,
    /// It does not take part.
    Removed,
    /// It does not take part, and nobody ever did in its place (an empty trap).
    RemovedVacant,
    /// It is not shown.
    Hidden,
}

impl RunnerStatus {
    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            RunnerStatus::Active => "ACTIVE",
            RunnerStatus::Winner => "WINNER",
            RunnerStatus::Loser => "LOSER",
            RunnerStatus::Placed => "PLACED",
            RunnerStatus::Removed => "REMOVED",
            RunnerStatus::RemovedVacant => "REMOVED_VACANT",
            RunnerStatus::Hidden => "HIDDEN",
        }
    }

    /// Whether the selection does not take part.
    pub const fn is_removed(self) -> bool {
        matches!(self, RunnerStatus::Removed | RunnerStatus::RemovedVacant)
    }

    /// Whether it is settled what becomes of bets on it.
    pub const fn is_result(self) -> bool {
        match self {
            RunnerStatus::Winner
            | RunnerStatus::Loser
            | RunnerStatus::Placed
            | RunnerStatus::Removed
            | RunnerStatus::RemovedVacant => true,
            RunnerStatus::Active | RunnerStatus::Hidden => false,
        }
    }
}

/// The prices that bets in a market may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LadderKind {
    /// The usual 350 prices from 1.01 to 1000.
    #[default]
    Classic,
    /// Every hundredth from 1.01 to 1000 (Asian handicaps).
    Finest,
    /// Points or runs instead of odds, at even money.
    LineRange,
}

/// A line as it stands in the file, before it is known to be a market change.
#[derive(serde::Deserialize)]
#[serde(expecting = "a message")]
struct Line<'a> {
    #[serde(deserialize_with = "text_or_none")]
    op: Option<String>,
    #[serde(default)]
    pt: Option<i64>,
    #[serde(default, deserialize_with = "text_or_none")]
    clk: Option<String>,
    // A number in a market change, a word in the answer to a login.
    #[serde(default, borrow)]
    status: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "list")]
    mc: Vec<MarketChange>,
}

/// What one line says: `None` for the stream's own `connection` and `status` messages, which are
/// not about markets.
///
/// # Errors
/// [`Reason`], when the line is no market change message.
pub(crate) fn parse(line: &[u8]) -> Result<Option<MarketChangeMessage>, Reason> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(reason)?;
    match line.op.as_deref() {
        Some("mcm") => (),
        Some("connection" | "status") => return Ok(None),
        Some(op) => return Err(Reason::UnknownOp { op: shown(op) }),
        None => return Err(Reason::WrongShape { what: "op is null".into(), column: 0 }),
    }
    let Some(publish_time_ms) = line.pt else {
        return Err(Reason::WrongShape { what: "missing field `pt`".into(), column: 0 });
    };
    if !(0..=PUBLISH_TIME_MS_MAX).contains(&publish_time_ms) {
        let what = format!("publish time {publish_time_ms} is not within the years 1970 to 9999");
        return Err(Reason::WrongShape { what, column: 0 });
    }
    let lagging = line.status.is_some_and(|status| status.get() == "503");
    Ok(Some(MarketChangeMessage { publish_time_ms, clk: line.clk, lagging, changes: line.mc }))
}

/// Bytes of what the JSON reader says that an error repeats: it quotes the line's own texts in full.
const SAID_BYTES_MAX: usize = 200;

/// What the JSON reader says of a line, in our words: a line has a column, but only one line.
fn reason(error: serde_json::Error) -> Reason {
    let column = error.column();
    let text = error.to_string();
    let position = format!(" at line {} column {column}", error.line());
    let mut what = text.strip_suffix(position.as_str()).unwrap_or(&text).to_owned();
    if SAID_BYTES_MAX < what.len() {
        let end = (0..=SAID_BYTES_MAX).rev().find(|at| what.is_char_boundary(*at)).unwrap_or(0);
        what.truncate(end);
        what.push_str("...");
    }
    match error.classify() {
        Category::Data => Reason::WrongShape { what, column },
        Category::Syntax | Category::Eof | Category::Io => Reason::NotJson { what, column },
    }
}

/// A list, or null for an empty one; at most [`ENTRIES_MAX`] entries.
fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct List<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(entry) = entries.next_element()? {
                if list.len() == ENTRIES_MAX {
                    let bound = format_args!("a list has more than {ENTRIES_MAX} entries");
                    return Err(de::Error::custom(bound));
                }
                list.push(entry);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(List(PhantomData))
}

/// A text of at most [`TEXT_BYTES_MAX`] bytes, or null.
fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_unit<E>(self) -> Result<Option<String>, E> {
            Ok(None)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<String>, E> {
            if TEXT_BYTES_MAX < text.len() {
                let bound = format_args!("a text is longer than {TEXT_BYTES_MAX} bytes");
                return Err(de::Error::custom(bound));
            }
            Ok(Some(text.to_owned()))
        }
    }

    deserializer.deserialize_any(Text)
}

/// A text that must be there and not be empty.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match text_or_none(deserializer)? {
        Some(name) if !name.is_empty() => Ok(name),
        Some(_) | None => Err(de::Error::custom("a market has no id")),
    }
}

/// The value, or its default for null.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    or_default(deserializer)
}

/// A price, a volume or a percentage: nought or more, or null. The exchange writes a starting price
/// that does not exist as the text `NaN` or `Infinity`; that is none, too.
fn amount_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    match raw.get() {
        "null" | "\"NaN\"" | "\"Infinity\"" | "\"-Infinity\"" => return Ok(None),
        _ => (),
    }
    match Decimal::parse(raw.get()) {
        Ok(amount) if amount.is_negative() => {
            Err(de::Error::custom(format_args!("{} is negative", shown(raw.get()))))
        }
        Ok(amount) => Ok(Some(amount)),
        Err(why) => Err(de::Error::custom(format_args!("{} {why}", shown(raw.get())))),
    }
}

fn ladder<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LadderKind, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(expecting = "a price ladder")]
    struct Ladder {
        #[serde(rename = "type", default, deserialize_with = "or_default")]
        kind: LadderKind,
    }
    Ok(Option::<Ladder>::deserialize(deserializer)?.map_or(LadderKind::Classic, |it| it.kind))
}
