//! From the bytes of one document to one message.

use crate::error::{Error, Reason, quoted, shown};
use crate::message::{
    Alive, BetCancel, BetSettlement, BetStop, CancelledMarket, CashoutStatus, Certainty,
    ChangeType, DescriptionKind, FixtureChange, Groups, Header, MarketStatus, Message, Odds,
    OddsChange, OddsMarket, OutcomeResult, PricedOutcome, Producer, ProductDown, RequestId,
    RollbackBetCancel, RollbackBetSettlement, SettledMarket, SettledOutcome, SnapshotComplete,
    Timestamp, VoidReason, Window,
};
use crate::name::{EventId, Line, MarketId, NameError, OutcomeId, Specifiers};
use crate::number::{self, Factor};
use crate::xml::{Attributes, Document, Place, Tag};

/// Bytes that a document may have. A market with its outcomes is about 300 bytes, so an event with
/// all markets there may be ([`MARKETS_MAX`]) needs 1.2 MiB; the list of all market descriptions is
/// about as long.
pub const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Markets that a message may name: a big football match has about 1,000, lines included.
pub const MARKETS_MAX: usize = 4_096;

/// Outcomes that a market may have: an outright of a wide field has about 200, a command of the
/// core takes 300.
pub const OUTCOMES_MAX: usize = 1_024;

/// The message that one document holds.
///
/// # Errors
/// [`Error`] when the document is not one whole message; nothing of it is to be applied then.
pub fn read(bytes: &[u8]) -> Result<Message, Error> {
    let place = Place { bytes, message: "" };
    if DOCUMENT_BYTES_MAX < bytes.len() {
        let reason = Reason::TooLong { bytes_max: DOCUMENT_BYTES_MAX };
        return Err(place.error(0, "", "", reason));
    }
    let front = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let text = match str::from_utf8(&bytes[front..]) {
        Ok(text) => text,
        Err(error) => {
            return Err(place.error(front + error.valid_up_to(), "", "", Reason::NotUtf8));
        }
    };
    let mut document = Document::new(bytes, text);
    let Some(root) = document.root()? else {
        return Err(place.error(bytes.len(), "", "", Reason::Empty));
    };
    let message = message(&mut document, &root)?;
    document.finish()?;
    Ok(message)
}

/// Elements that are known. At a place where they do not belong they are refused; any other
/// element is passed over, for example an event's state (`sport_event_status`), what odds were
/// made from (`odds_generation_properties`), and what a later schema brings.
const WITHIN: [&str; 4] = ["odds", "outcomes", "market", "outcome"];

/// The messages that are read to the end.
const MESSAGES: [&str; 10] = [
    "odds_change",
    "bet_stop",
    "bet_settlement",
    "rollback_bet_settlement",
    "bet_cancel",
    "rollback_bet_cancel",
    "fixture_change",
    "alive",
    "snapshot_complete",
    "product_down",
];

fn message(document: &mut Document<'_>, root: &Tag<'_>) -> Result<Message, Error> {
    if let Some(name) = MESSAGES.into_iter().find(|name| *name == root.name()) {
        document.place.message = name;
    }
    match root.name() {
        "odds_change" => odds_change(document, root).map(Message::OddsChange),
        "bet_stop" => bet_stop(document, root).map(Message::BetStop),
        "bet_settlement" => bet_settlement(document, root).map(Message::BetSettlement),
        "rollback_bet_settlement" => {
            rollback_bet_settlement(document, root).map(Message::RollbackBetSettlement)
        }
        "bet_cancel" => bet_cancel(document, root).map(Message::BetCancel),
        "rollback_bet_cancel" => {
            rollback_bet_cancel(document, root).map(Message::RollbackBetCancel)
        }
        "fixture_change" => fixture_change(document, root).map(Message::FixtureChange),
        "alive" => alive(document, root).map(Message::Alive),
        "snapshot_complete" => snapshot_complete(document, root).map(Message::SnapshotComplete),
        "product_down" => product_down(document, root).map(Message::ProductDown),
        name => match DescriptionKind::of(name) {
            Some(kind) => {
                document.place.message = kind.name();
                document.pass_over()?;
                Ok(Message::Description(kind))
            }
            None => {
                let reason = Reason::UnknownMessage { root: shown(name) };
                Err(document.refuse(root, "", reason))
            }
        },
    }
}

fn odds_change(document: &mut Document<'_>, root: &Tag<'_>) -> Result<OddsChange, Error> {
    let attributes = Attributes::of(document.place, root, "odds_change")?;
    let mut message = OddsChange {
        header: header(&attributes)?,
        reason: code(&attributes, "odds_change_reason")?,
        betting_status: None,
        betstop_reason: None,
        markets: Vec::new(),
    };
    let mut odds_seen = false;
    while let Some(tag) = document.child()? {
        if tag.name() != "odds" {
            unknown(document, &tag, "odds_change")?;
            continue;
        }
        let odds = Attributes::of(document.place, &tag, "odds")?;
        if odds_seen {
            return Err(odds.error("", Reason::ElementTwice { found: "odds" }));
        }
        odds_seen = true;
        message.betting_status = code(&odds, "betting_status")?;
        message.betstop_reason = code(&odds, "betstop_reason")?;
        while let Some(tag) = document.child()? {
            match tag.name() {
                "market" => {
                    let market = odds_market(document, &tag)?;
                    push(&odds, &mut message.markets, market)?;
                }
                _ => unknown(document, &tag, "odds")?,
            }
        }
    }
    each_once(&attributes, message.markets.iter().map(|market| &market.line))?;
    Ok(message)
}

fn odds_market(document: &mut Document<'_>, tag: &Tag<'_>) -> Result<OddsMarket, Error> {
    let attributes = Attributes::of(document.place, tag, "market")?;
    let market = OddsMarket {
        line: line(&attributes)?,
        status: market_status(&attributes, "status")?.unwrap_or(MarketStatus::Active),
        cashout: attributes.read("cashout_status", CashoutStatus::ALLOWED, |text| {
            number::whole(text).and_then(CashoutStatus::from_code)
        })?,
        outcomes: outcomes(document, &attributes, priced_outcome)?,
    };
    outcomes_once(&attributes, market.outcomes.iter().map(|outcome| &outcome.id))?;
    Ok(market)
}

fn priced_outcome(attributes: &Attributes<'_>) -> Result<PricedOutcome, Error> {
    Ok(PricedOutcome {
        id: outcome_id(attributes)?,
        odds: attributes
            .read("odds", "decimal odds like `2.50`", |text| number::odds(text).ok())?
            .unwrap_or(Odds::Absent),
        active: flag(attributes, "active")?.unwrap_or(true),
        probability: attributes.read("probabilities", "a probability between 0 and 1", |text| {
            number::probability(text).ok()
        })?,
    })
}

fn bet_stop(document: &mut Document<'_>, root: &Tag<'_>) -> Result<BetStop, Error> {
    let attributes = Attributes::of(document.place, root, "bet_stop")?;
    let groups = attributes.read("groups", "a list of market groups like `all`", Groups::new)?;
    let message = BetStop {
        header: header(&attributes)?,
        groups: attributes.required("groups", groups)?,
        status: market_status(&attributes, "market_status")?.unwrap_or(MarketStatus::Suspended),
    };
    leaf(document, "bet_stop")?;
    Ok(message)
}

fn bet_settlement(document: &mut Document<'_>, root: &Tag<'_>) -> Result<BetSettlement, Error> {
    let attributes = Attributes::of(document.place, root, "bet_settlement")?;
    let certainty = attributes.read("certainty", Certainty::ALLOWED, |text| {
        number::whole(text).and_then(Certainty::from_code)
    })?;
    let mut message = BetSettlement {
        header: header(&attributes)?,
        certainty: attributes.required("certainty", certainty)?,
        markets: Vec::new(),
    };
    let mut outcomes_seen = false;
    while let Some(tag) = document.child()? {
        if tag.name() != "outcomes" {
            unknown(document, &tag, "bet_settlement")?;
            continue;
        }
        let outcomes = Attributes::of(document.place, &tag, "outcomes")?;
        if outcomes_seen {
            return Err(outcomes.error("", Reason::ElementTwice { found: "outcomes" }));
        }
        outcomes_seen = true;
        while let Some(tag) = document.child()? {
            match tag.name() {
                "market" => {
                    let market = settled_market(document, &tag)?;
                    push(&outcomes, &mut message.markets, market)?;
                }
                _ => unknown(document, &tag, "outcomes")?,
            }
        }
    }
    some_each_once(&attributes, message.markets.iter().map(|market| &market.line))?;
    Ok(message)
}

fn settled_market(document: &mut Document<'_>, tag: &Tag<'_>) -> Result<SettledMarket, Error> {
    let attributes = Attributes::of(document.place, tag, "market")?;
    let market = SettledMarket {
        line: line(&attributes)?,
        void_reason: void_reason(&attributes)?,
        outcomes: outcomes(document, &attributes, settled_outcome)?,
    };
    outcomes_once(&attributes, market.outcomes.iter().map(|outcome| &outcome.id))?;
    Ok(market)
}

fn settled_outcome(attributes: &Attributes<'_>) -> Result<SettledOutcome, Error> {
    let result = attributes.read("result", OutcomeResult::ALLOWED, |text| {
        number::whole(text).and_then(OutcomeResult::from_code)
    })?;
    let void_factor = attributes.read("void_factor", "a void factor: 1, 0.5 or 0", |text| {
        let factor = Factor::parse(text).ok()?;
        [Factor::ZERO, Factor::HALF, Factor::ONE].contains(&factor).then_some(factor)
    })?;
    let dead_heat_factor = attributes.read(
        "dead_heat_factor",
        "a dead heat factor between 0 and 1, a fraction of 16-bit numbers like `0.3333`",
        |text| Factor::parse(text).ok(),
    )?;
    Ok(SettledOutcome {
        id: outcome_id(attributes)?,
        result: attributes.required("result", result)?,
        void_factor,
        dead_heat_factor,
    })
}

fn rollback_bet_settlement(
    document: &mut Document<'_>,
    root: &Tag<'_>,
) -> Result<RollbackBetSettlement, Error> {
    let attributes = Attributes::of(document.place, root, "rollback_bet_settlement")?;
    let header = header(&attributes)?;
    let markets = named_markets(document, &attributes, "rollback_bet_settlement")?;
    let markets = markets.into_iter().map(|market| market.line).collect();
    Ok(RollbackBetSettlement { header, markets })
}

fn bet_cancel(document: &mut Document<'_>, root: &Tag<'_>) -> Result<BetCancel, Error> {
    let attributes = Attributes::of(document.place, root, "bet_cancel")?;
    // The schema spells it so.
    let superseded_by = match attributes.text("superceded_by")? {
        Some(text) if !text.is_empty() => {
            let event = EventId::new(&text);
            Some(event.map_err(|why| attributes.wrong("superceded_by", &text, why.allowed()))?)
        }
        Some(_) | None => None,
    };
    Ok(BetCancel {
        header: header(&attributes)?,
        window: window(&attributes)?,
        superseded_by,
        markets: named_markets(document, &attributes, "bet_cancel")?,
    })
}

fn rollback_bet_cancel(
    document: &mut Document<'_>,
    root: &Tag<'_>,
) -> Result<RollbackBetCancel, Error> {
    let attributes = Attributes::of(document.place, root, "rollback_bet_cancel")?;
    let header = header(&attributes)?;
    let window = window(&attributes)?;
    let markets = named_markets(document, &attributes, "rollback_bet_cancel")?;
    let markets = markets.into_iter().map(|market| market.line).collect();
    Ok(RollbackBetCancel { header, window, markets })
}

fn fixture_change(document: &mut Document<'_>, root: &Tag<'_>) -> Result<FixtureChange, Error> {
    let attributes = Attributes::of(document.place, root, "fixture_change")?;
    let message = FixtureChange {
        header: header(&attributes)?,
        change: code(&attributes, "change_type")?.map(ChangeType::from_code),
        start: timestamp(&attributes, "start_time")?,
        next_live: timestamp(&attributes, "next_live_time")?,
    };
    leaf(document, "fixture_change")?;
    Ok(message)
}

fn alive(document: &mut Document<'_>, root: &Tag<'_>) -> Result<Alive, Error> {
    let attributes = Attributes::of(document.place, root, "alive")?;
    let subscribed = flag(&attributes, "subscribed")?;
    let message = Alive {
        producer: required_producer(&attributes)?,
        timestamp: required_timestamp(&attributes)?,
        subscribed: attributes.required("subscribed", subscribed)?,
    };
    leaf(document, "alive")?;
    Ok(message)
}

fn snapshot_complete(
    document: &mut Document<'_>,
    root: &Tag<'_>,
) -> Result<SnapshotComplete, Error> {
    let attributes = Attributes::of(document.place, root, "snapshot_complete")?;
    let request = request_id(&attributes)?;
    let message = SnapshotComplete {
        producer: required_producer(&attributes)?,
        timestamp: required_timestamp(&attributes)?,
        request: attributes.required("request_id", request)?,
    };
    leaf(document, "snapshot_complete")?;
    Ok(message)
}

fn product_down(document: &mut Document<'_>, root: &Tag<'_>) -> Result<ProductDown, Error> {
    let attributes = Attributes::of(document.place, root, "product_down")?;
    let message = ProductDown {
        producer: required_producer(&attributes)?,
        timestamp: required_timestamp(&attributes)?,
    };
    leaf(document, "product_down")?;
    Ok(message)
}

/// Passes over an element that a schema may have brought, and refuses one that is known.
fn unknown(document: &mut Document<'_>, tag: &Tag<'_>, parent: &'static str) -> Result<(), Error> {
    if WITHIN.contains(&tag.name()) || MESSAGES.contains(&tag.name()) {
        let reason = Reason::Misplaced { found: shown(tag.name()) };
        return Err(document.refuse(tag, parent, reason));
    }
    document.pass_over()
}

/// Reads to the end of an element that has no known elements within.
fn leaf(document: &mut Document<'_>, parent: &'static str) -> Result<(), Error> {
    while let Some(tag) = document.child()? {
        unknown(document, &tag, parent)?;
    }
    Ok(())
}

/// The outcomes of the market that is open, each of them as `read` reads its attributes.
fn outcomes<T>(
    document: &mut Document<'_>,
    market: &Attributes<'_>,
    read: impl Fn(&Attributes<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut outcomes = Vec::new();
    while let Some(tag) = document.child()? {
        if tag.name() != "outcome" {
            unknown(document, &tag, "market")?;
            continue;
        }
        if outcomes.len() == OUTCOMES_MAX {
            let what = "outcomes in one market";
            return Err(market.error("", Reason::TooMany { what, bound: OUTCOMES_MAX }));
        }
        outcomes.push(read(&Attributes::of(document.place, &tag, "outcome")?)?);
        leaf(document, "outcome")?;
    }
    Ok(outcomes)
}

/// The markets right within a message that names them, and says of none more than why it is void.
fn named_markets(
    document: &mut Document<'_>,
    message: &Attributes<'_>,
    parent: &'static str,
) -> Result<Vec<CancelledMarket>, Error> {
    let mut markets = Vec::new();
    while let Some(tag) = document.child()? {
        if tag.name() != "market" {
            unknown(document, &tag, parent)?;
            continue;
        }
        let attributes = Attributes::of(document.place, &tag, "market")?;
        let market =
            CancelledMarket { line: line(&attributes)?, void_reason: void_reason(&attributes)? };
        push(message, &mut markets, market)?;
        leaf(document, "market")?;
    }
    some_each_once(message, markets.iter().map(|market| &market.line))?;
    Ok(markets)
}

fn push<T>(parent: &Attributes<'_>, markets: &mut Vec<T>, market: T) -> Result<(), Error> {
    if markets.len() == MARKETS_MAX {
        let what = "markets in one message";
        return Err(parent.error("", Reason::TooMany { what, bound: MARKETS_MAX }));
    }
    markets.push(market);
    Ok(())
}

fn some_each_once<'m>(
    message: &Attributes<'_>,
    lines: impl Iterator<Item = &'m Line>,
) -> Result<(), Error> {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return Err(message.error("", Reason::NoMarkets));
    }
    each_once(message, lines)
}

fn each_once<'m>(
    message: &Attributes<'_>,
    lines: impl Iterator<Item = &'m Line>,
) -> Result<(), Error> {
    match twice(lines) {
        Some(line) => {
            let market = quoted(&line.to_string());
            Err(message.error("", Reason::MarketTwice { market }))
        }
        None => Ok(()),
    }
}

fn outcomes_once<'m>(
    market: &Attributes<'_>,
    outcomes: impl Iterator<Item = &'m OutcomeId>,
) -> Result<(), Error> {
    match twice(outcomes) {
        Some(outcome) => {
            let outcome = quoted(outcome.as_str());
            Err(market.error("", Reason::OutcomeTwice { outcome }))
        }
        None => Ok(()),
    }
}

/// The least of those that are there more than once.
fn twice<'m, T: Ord>(all: impl Iterator<Item = &'m T>) -> Option<&'m T> {
    let mut all: Vec<&T> = all.collect();
    all.sort_unstable();
    all.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

fn header(attributes: &Attributes<'_>) -> Result<Header, Error> {
    let event = match attributes.text("event_id")? {
        Some(text) => {
            EventId::new(&text).map_err(|why| attributes.wrong("event_id", &text, why.allowed()))?
        }
        None => return Err(attributes.error("event_id", Reason::Missing)),
    };
    Ok(Header {
        producer: producer(attributes)?,
        event,
        timestamp: required_timestamp(attributes)?,
        request: request_id(attributes)?,
    })
}

fn producer(attributes: &Attributes<'_>) -> Result<Option<Producer>, Error> {
    let allowed = "a producer's number";
    let read = |text: &str| number::whole(text).and_then(|number| u32::try_from(number).ok());
    Ok(attributes.read("product", allowed, read)?.map(Producer))
}

fn required_producer(attributes: &Attributes<'_>) -> Result<Producer, Error> {
    attributes.required("product", producer(attributes)?)
}

fn request_id(attributes: &Attributes<'_>) -> Result<Option<RequestId>, Error> {
    let allowed = "a recovery's number";
    Ok(attributes.read("request_id", allowed, number::whole)?.map(RequestId))
}

fn timestamp(attributes: &Attributes<'_>, name: &'static str) -> Result<Option<Timestamp>, Error> {
    attributes.read(name, "a moment in milliseconds since 1970", |text| {
        number::whole(text).and_then(Timestamp::from_ms)
    })
}

fn required_timestamp(attributes: &Attributes<'_>) -> Result<Timestamp, Error> {
    attributes.required("timestamp", timestamp(attributes, "timestamp")?)
}

fn window(attributes: &Attributes<'_>) -> Result<Window, Error> {
    let start = timestamp(attributes, "start_time")?;
    let end = timestamp(attributes, "end_time")?;
    Window::new(start, end).ok_or_else(|| attributes.error("end_time", Reason::Window))
}

fn line(attributes: &Attributes<'_>) -> Result<Line, Error> {
    let read = |text: &str| number::whole(text).and_then(|number| u32::try_from(number).ok());
    let market = attributes.read("id", "a market's number", read)?;
    let specifiers = match attributes.text("specifiers")? {
        Some(text) => Specifiers::new(&text)
            .map_err(|why| attributes.wrong("specifiers", &text, why.allowed()))?,
        None => Specifiers::default(),
    };
    Ok(Line { market: MarketId(attributes.required("id", market)?), specifiers })
}

fn outcome_id(attributes: &Attributes<'_>) -> Result<OutcomeId, Error> {
    let id = match attributes.text("id")? {
        Some(text) => {
            let wrong = |why: NameError| attributes.wrong("id", &text, why.allowed());
            Some(OutcomeId::new(&text).map_err(wrong)?)
        }
        None => None,
    };
    attributes.required("id", id)
}

fn market_status(
    attributes: &Attributes<'_>,
    name: &'static str,
) -> Result<Option<MarketStatus>, Error> {
    attributes.read(name, MarketStatus::ALLOWED, |text| {
        number::whole(text).and_then(MarketStatus::from_code)
    })
}

fn void_reason(attributes: &Attributes<'_>) -> Result<Option<VoidReason>, Error> {
    let allowed = "the number of a reason to void";
    let read = |text: &str| number::whole(text).and_then(|number| u32::try_from(number).ok());
    Ok(attributes.read("void_reason", allowed, read)?.map(VoidReason))
}

/// A number of one of the feed's published lists, which grow: any number is taken.
fn code(attributes: &Attributes<'_>, name: &'static str) -> Result<Option<i64>, Error> {
    attributes.read(name, "a whole number", number::whole)
}

fn flag(attributes: &Attributes<'_>, name: &'static str) -> Result<Option<bool>, Error> {
    attributes.read(name, "a flag: 1 yes, 0 no", |text| match number::whole(text) {
        Some(1) => Some(true),
        Some(0) => Some(false),
        Some(_) | None => None,
    })
}
