//! Commands and events of exchange markets, in plain words.

use super::{counted, currency, lower, utc};
use betring_core::book::Side;
use betring_core::command::{
    CancelEntry, Command, LadderKind, LapseScope, OrderEntry, OrderKind, Persistence, ReplaceEntry,
    SetExchange, SizeTarget, UpdateEntry,
};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::wire::Minor;
use betring_pricing::Price;

/// Who asks for what.
pub(super) fn asked(actor: ActorId, account: AccountId, command: &Command<'_>) -> String {
    match command {
        Command::SetExchange(body, _) => format!(
            "{actor} makes {} an exchange market in {}: {}",
            body.market,
            currency(body.currency),
            terms(body)
        ),
        Command::SetDiscount(body) => format!(
            "{actor} takes {} off the commission of {}",
            percent(body.discount),
            body.account
        ),
        Command::LapseOrders(body) => {
            let which = match LapseScope::from_code(body.scope) {
                Some(LapseScope::NotPersistent) => "the orders that do not persist",
                _ => "all orders",
            };
            format!("{actor} lets {which} of {} lapse", body.market)
        }
        Command::PlaceOrders(body, orders) => {
            let version = seen(body.market_version);
            format!(
                "{account} orders in {}{version}: {}",
                body.market,
                listed(orders.iter(), order_of)
            )
        }
        Command::CancelOrders(body, orders) => match body.count {
            0 => format!("{account} cancels all its orders in {}", body.market),
            _ => {
                format!("{account} cancels {} in {}", listed(orders.iter(), cancel_of), body.market)
            }
        },
        Command::ReplaceOrders(body, orders) => {
            let one = |entry: ReplaceEntry| format!("{} at {}", entry.order, odds(entry.limit_e4));
            let version = seen(body.market_version);
            format!(
                "{account} places again in {}{version}: {}",
                body.market,
                listed(orders.iter(), one)
            )
        }
        Command::UpdateOrders(body, orders) => {
            let one =
                |entry: UpdateEntry| format!("{} {}", entry.order, in_play(entry.persistence));
            format!("{account} changes in {}: {}", body.market, listed(orders.iter(), one))
        }
        _ => "it asks for something else".into(),
    }
}

/// An event, in words.
pub(super) fn words(event: &Event) -> String {
    match event {
        Event::ExchangeSet(e) => format!(
            "{} is an exchange market in {}, {} on its ladder, {} commission",
            e.market,
            currency(e.currency),
            counted(e.levels.into(), "price"),
            percent(e.commission)
        ),
        Event::DiscountSet(e) => {
            format!("{} pays {} less commission", e.account, percent(e.discount))
        }
        Event::OrderPlaced(e) => {
            let waits = match e.until.0 {
                0 => String::new(),
                _ => format!(", it waits until {}", utc(e.until)),
            };
            let least = match (e.flags & OrderEntry::FILL_OR_KILL, e.min_fill) {
                (0, _) => String::new(),
                (_, all) if all == e.size => ", filled at once or not at all".into(),
                (_, least) => format!(", at least {least} at once or nothing"),
            };
            format!(
                "{} of {} is placed in {}: {}{least}{waits}",
                e.order,
                e.account,
                e.market,
                wanted(e.side, e.selection, e.size, e.kind, e.limit_e4)
            )
        }
        Event::OrderBegan(e) => format!("the delay of {} of {} is over", e.order, e.account),
        Event::OrderMatched(e) => {
            let with = match Match::from_code(e.how) {
                Some(Match::Direct) => format!("with {}", e.taker),
                Some(Match::Crossed) => "between selections".into(),
                Some(Match::Leg) => format!("between selections for {}", e.taker),
                Some(Match::Starting) => "at the starting price".into(),
                None => "with nobody known".into(),
            };
            let left = match e.left {
                Minor(0) => "nothing left".into(),
                left => format!("{left} left"),
            };
            let (side, at) = (side(e.side), odds(e.price_e4));
            format!(
                "{} of {} is matched {with}: {side} {} {} at {at}, {left}",
                e.order, e.account, e.stake, e.selection
            )
        }
        Event::OrderCut(e) => {
            format!("{} of {} of {} {}", e.by, e.order, e.account, cut(e.why))
        }
        Event::OrderChanged(e) => {
            let kind = OrderKind::from_code(e.kind);
            let becomes = match kind {
                Some(OrderKind::Limit) | None => in_play(e.persistence),
                Some(_) => "is for the starting price".into(),
            };
            format!("{} of {} {becomes}, {} of it waits", e.order, e.account, e.left)
        }
        Event::ExposureHeld(e) => {
            format!("{} is held for what {} may lose in {}", e.held, e.account, e.market)
        }
        Event::StartingPrice(e) => match e.price_e4 {
            0 => format!("{} {} has no starting price", e.market, e.selection),
            price => format!(
                "the starting price of {} {} is {}, {} is matched at it",
                e.market,
                e.selection,
                odds(price),
                e.matched
            ),
        },
        Event::OrderReduced(e) => match e.after_e4 {
            0 => format!("what was matched of {} of {} is void", e.order, e.account),
            after => format!(
                "{} of {} returns {} instead of {} if it wins",
                e.order,
                e.account,
                whole(after),
                whole(e.before_e4)
            ),
        },
        Event::PositionSettled(e) => {
            let again = match e.version {
                0 | 1 => String::new(),
                version => format!(" (settlement {version})"),
            };
            format!("{} {}{again}", e.account, came_to(e.market, e.net, e.commission))
        }
        Event::PositionReversed(e) => format!(
            "settlement {} of {} is taken back: it {}",
            e.version,
            e.account,
            came_to(e.market, e.net, e.commission)
        ),
        Event::ExchangeCleared(e) => format!(
            "{} is cleared: {} {} from standing between selections, {} from rounding",
            e.market,
            e.crossing,
            currency(e.currency),
            e.residue
        ),
        _ => event.name().into(),
    }
}

/// Of what is said of many orders in one record so much is said word by word.
pub(super) const SHOWN: usize = 6;

/// Whether an event is one of many in a record: of an order, or of a position.
pub(super) fn is_of_many(event: &Event) -> bool {
    matches!(
        event,
        Event::OrderPlaced(_)
            | Event::OrderBegan(_)
            | Event::OrderMatched(_)
            | Event::OrderCut(_)
            | Event::OrderChanged(_)
            | Event::ExposureHeld(_)
            | Event::OrderReduced(_)
            | Event::PositionSettled(_)
            | Event::PositionReversed(_)
    )
}

/// By how much odds are cut when a runner is withdrawn.
pub(super) fn factor(factor: u16) -> String {
    match factor {
        0 => String::new(),
        factor => format!(", matched odds are cut by {}", percent(factor)),
    }
}

fn listed<T>(entries: impl Iterator<Item = T>, one: impl Fn(T) -> String) -> String {
    let (mut said, mut more) = (Vec::new(), 0_u64);
    for entry in entries {
        if said.len() < SHOWN {
            said.push(one(entry));
        } else {
            more += 1;
        }
    }
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", said.join(", "))
}

fn terms(body: &SetExchange) -> String {
    let ladder = LadderKind::from_code(body.ladder).map_or("unknown".into(), |kind| lower(&kind));
    let lines = body.flags & SetExchange::LINES != 0;
    let mut said = vec![
        if lines { "lines, all at 2.00".to_owned() } else { format!("{ladder} ladder") },
        format!("{} commission", percent(body.commission)),
        format!("stakes from {}", body.min_stake),
    ];
    let flags = [
        (SetExchange::CROSSES, "matched between selections, too"),
        (SetExchange::STARTING_PRICES, "with starting prices"),
        (SetExchange::PASSIVE_DELAY, "only what meets an order waits in-play"),
        (SetExchange::PLACES, "a market of places"),
    ];
    let set = flags.iter().filter(|(flag, _)| body.flags & flag != 0);
    said.extend(set.map(|(_, what)| (*what).to_owned()));
    said.join(", ")
}

fn seen(version: Seq) -> String {
    if version == Seq(0) { String::new() } else { format!(", as it was at {version}") }
}

/// An order to be.
fn order_of(order: OrderEntry) -> String {
    let target = match SizeTarget::from_code(order.target) {
        Some(SizeTarget::Payout) => " to be paid",
        Some(SizeTarget::BackersProfit) => " to be won",
        Some(SizeTarget::Stake) | None => "",
    };
    let wanted = wanted(order.side, order.selection, order.size, order.kind, order.limit_e4);
    format!("{wanted}{target}")
}

fn cancel_of(entry: CancelEntry) -> String {
    match entry.by {
        Minor(0) => entry.order.to_string(),
        by => format!("{by} of {}", entry.order),
    }
}

fn wanted(
    side_code: u8,
    selection: SelectionIndex,
    size: Minor,
    kind: u8,
    limit_e4: u32,
) -> String {
    let at = match OrderKind::from_code(kind) {
        Some(OrderKind::Limit) => format!("at {}", odds(limit_e4)),
        Some(OrderKind::LimitOnClose) => {
            format!("at the starting price, {} or better", odds(limit_e4))
        }
        Some(OrderKind::MarketOnClose) | None => "at the starting price".into(),
    };
    format!("{} {size} {selection} {at}", side(side_code))
}

fn side(code: u8) -> &'static str {
    match Side::from_code(code) {
        Some(Side::Back) => "back",
        Some(Side::Lay) => "lay",
        None => "bet",
    }
}

/// What becomes of an order when its market turns in-play.
fn in_play(code: u8) -> String {
    match Persistence::from_code(code) {
        Some(Persistence::Lapse) => "lapses in-play".into(),
        Some(Persistence::Persist) => "persists in-play".into(),
        Some(Persistence::MarketOnClose) => "goes to the starting price".into(),
        None => format!("has persistence {code}"),
    }
}

/// Why less of an order waits.
fn cut(code: u8) -> &'static str {
    match Cut::from_code(code) {
        Some(Cut::Cancelled) => "is cancelled",
        Some(Cut::SelfMatch) => "lapses: it met an order of its own account",
        Some(Cut::FillLimit) => "lapses: it would have had too many fills",
        Some(Cut::Improvement) => "lapses: a better price was there, which it did not want",
        Some(Cut::Killed) => "lapses: it was not to be had at once",
        Some(Cut::Version) => "lapses: its market is not as its customer saw it",
        Some(Cut::Suspended) => "lapses: its market was suspended while it waited",
        Some(Cut::InPlay) => "lapses: its market turned in-play",
        Some(Cut::Swept) => "lapses: the market's orders were made to",
        Some(Cut::StartingPrice) => "lapses: nobody met it at the starting price",
        Some(Cut::NonRunner) => "lapses: a runner was withdrawn",
        Some(Cut::Withdrawn) => "lapses: its selection was withdrawn",
        Some(Cut::Result) => "lapses: the result is in",
        Some(Cut::Barred) => "lapses: its account may not bet any more",
        None => "lapses",
    }
}

fn came_to(market: MarketId, net: Minor, commission: Minor) -> String {
    let less = match commission {
        Minor(0) => String::new(),
        commission => format!(", less {commission} commission"),
    };
    match net {
        Minor(0) => format!("comes out even in {market}{less}"),
        Minor(lost @ ..0) => format!("loses {} in {market}{less}", Minor(lost.saturating_neg())),
        won => format!("wins {won} in {market}{less}"),
    }
}

/// Ten-thousandths of a minor unit as money, what is below a minor unit left away.
fn whole(e4: i128) -> Minor {
    Minor(i64::try_from(e4.div_euclid(10_000)).unwrap_or(i64::MAX))
}

/// A share in ten-thousandths.
fn percent(share: u16) -> String {
    let (whole, parts) = (share / 100, share % 100);
    if parts == 0 { format!("{whole} %") } else { format!("{whole}.{parts:02} %") }
}

/// Odds in ten-thousandths.
fn odds(e4: u32) -> String {
    Price::from_e4(e4).map_or_else(|| "no price".to_owned(), |price| price.to_string())
}

#[cfg(test)]
mod tests {
    use crate::describe::Told;
    use crate::fold::Entry;
    use betring_core::id::Seq;
    use betring_core::script;

    /// What the records of a script say, a sentence each, from the first of an exchange market on.
    fn told(text: &str) -> Vec<String> {
        let report = script::check(text);
        let sentence = |(seq, record): (u64, &script::Record)| {
            let payload = [&record.command[..], &record.events].concat();
            let kind = u16::from(record.command[0]);
            let entry = Entry { seq: Seq(seq), at: record.at, kind, payload: &payload };
            Told::read(&entry).expect("a record").sentence()
        };
        let all = (1..).zip(&report.records).map(sentence);
        all.skip_while(|sentence| !sentence.contains("exchange market")).collect()
    }

    #[test]
    fn a_market_is_told_from_its_terms_to_its_settlement() {
        let told = told(
            "
            fund A1 100.00
            fund A2 100.00
            market M1 exchange race Red Green
            exchange M1 GBP commission 2.5% min 2.00 cross
            open M1
            order R1 A1 M1 lay Red 10.00 3.00 persist
            order R2 A2 M1 back Red 4.00 2.50
            cancel-orders R3 A1 M1 O1:1.00
            replace-orders R4 A1 M1 O1:2.80
            lapse M1 all
            result M1 Green
            ",
        );
        let expected = [
            "actor:1 makes M1 an exchange market in GBP: classic ladder, 2.50 % commission, stakes from \
             2.00, matched between selections, too → M1 is an exchange market in GBP, 350 prices on its \
             ladder, 2.50 % commission",
            "A1 orders in M1: lay 10.00 s0 at 3.00 → O1 of A1 is placed in M1: lay 10.00 s0 at 3.00; \
             20.00 is held for what A1 may lose in M1",
            "O1 of A1 is matched with O2: lay 4.00 s0 at 3.00, 6.00 left",
            "A1 cancels 1.00 of O1 in M1 → 1.00 of O1 of A1 is cancelled; 18.00 is held for what A1 may \
             lose in M1",
            "A1 places again in M1: O1 at 2.80 → 5.00 of O1 of A1 is cancelled; O3 of A1 is placed in M1: \
             lay 5.00 s0 at 2.80; 17.00 is held for what A1 may lose in M1",
            "5.00 of O3 of A1 lapses: the market's orders were made to",
            "A1 wins 4.00 in M1, less 0.10 commission",
            "A2 loses 4.00 in M1",
        ];
        for expected in expected {
            let is_told = told.iter().any(|sentence| sentence.contains(expected));
            assert!(is_told, "{expected}\n  is not in\n{}", told.join("\n"));
        }
    }
}
