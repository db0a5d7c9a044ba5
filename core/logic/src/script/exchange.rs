//! The verbs of exchange markets: terms, orders, what is asked of a book.

use super::words::{self, Unreadable, Words};
use super::{NOWHERE, Runner, Said, Stop, labelled, money};
use crate::book::{E4, SelfMatch, Side};
use crate::command::*;
use crate::event::{Event, EventReader};
use crate::id::*;
use crate::rules::Rules;
use crate::wire::Minor;
use betring_pricing::Price;

/// The words that set a flag of a market's terms.
const FLAGS: [(&str, u8); 5] = [
    ("cross", SetExchange::CROSSES),
    ("starting-prices", SetExchange::STARTING_PRICES),
    ("passive", SetExchange::PASSIVE_DELAY),
    ("places", SetExchange::PLACES),
    ("lines", SetExchange::LINES),
];

impl<R: Rules> Runner<R> {
    /// `exchange M1 GBP [ladder betdaq] [commission 5%] [min 2.00] [min-payout 10.00] [min-liability 10.00] [cross] …`
    pub(super) fn exchange(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let ladder = words.option("ladder")?;
        let commission = words
            .option("commission")?
            .map_or(Ok(0), |text| words::share(&text, "a commission like 5% or 250bp"))?;
        let mut amount = |name: &str, usual: i64| match words.option(name)? {
            Some(text) => words::amount(&text),
            None => Ok(Minor(usual)),
        };
        let min_stake = amount("min", 1)?;
        let min_payout = amount("min-payout", 0)?;
        let min_liability = amount("min-liability", 1)?;
        let mut flags = 0;
        for (word, flag) in FLAGS {
            flags |= if words.flag(word) { flag } else { 0 };
        }
        let market = self.market_of(&words.next("a market like M1")?)?;
        let currency = super::verbs::currency(&words.next("a currency like GBP")?)?.numeric();
        words.done()?;
        let (ladder, bands) = match ladder.as_deref() {
            None | Some("classic") => (LadderKind::Classic, Vec::new()),
            Some("finest") => (LadderKind::Finest, Vec::new()),
            Some("betdaq") => (LadderKind::Betdaq, Vec::new()),
            Some(own) => (LadderKind::Own, bands_of(own)?),
        };
        let body = SetExchange {
            valid_until,
            reason: envelope.reason,
            currency,
            ladder: ladder as u8,
            flags,
            market,
            commission,
            min_stake,
            min_payout,
            min_liability,
            ..SetExchange::default()
        };
        let slots = build::set_exchange(header, body, &bands).map_err(|what| what.to_string())?;
        self.send(&who, envelope.key.as_deref(), &slots).map(Said::Reply)
    }

    /// `discount A7 40%`.
    pub(super) fn discount(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let account = self.account_of(&words.next("an account like A7")?)?;
        let discount = words::share(&words.next("a share like 40%")?, "a share like 40%")?;
        words.done()?;
        let reason = envelope.reason;
        let body = SetDiscount { valid_until, reason, discount, account, ..SetDiscount::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `lapse M1 all|not-persistent`.
    pub(super) fn lapse(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        let scope = match words.next("all or not-persistent")?.as_str() {
            "all" => LapseScope::All,
            "not-persistent" => LapseScope::NotPersistent,
            other => return Err(Unreadable::new(other, "all or not-persistent").into()),
        };
        words.done()?;
        let (reason, scope) = (envelope.reason, scope as u8);
        let body = LapseOrders { valid_until, reason, scope, market, ..LapseOrders::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `order R1 A7 M1 back Draw 10.00 3.40 [persist] + lay 1 5.00 2.50 …`
    pub(super) fn order(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let version = words.option("version")?;
        let (key, who, account) = self.customer(words)?;
        let label = words.next("a market like M1")?;
        let market = self.market_of(&label)?;
        let market_version = self.version_of(version.as_deref(), market)?;
        let mut orders = vec![self.order_entry(&label, words)?];
        while words.take("+") {
            orders.push(self.order_entry(&label, words)?);
        }
        words.done()?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let body = PlaceOrders { valid_until, market, market_version, ..PlaceOrders::default() };
        let slots = build::place_orders(header, body, &orders).map_err(|what| what.to_string())?;
        self.send(&who, Some(&key), &slots).map(Said::Reply)
    }

    /// `version 12`, or `version last`: the market's at this moment.
    fn version_of(&mut self, version: Option<&str>, market: MarketId) -> Result<Seq, Stop> {
        match version {
            None => Ok(Seq(0)),
            Some("last") => Ok(self.desk()?.state().market_version(market).unwrap_or(Seq(0))),
            Some(number) => Ok(Seq(words::number(number)?)),
        }
    }

    /// `back Draw 10.00 [3.40] [words]`.
    fn order_entry(&mut self, market: &str, words: &mut Words) -> Result<OrderEntry, Stop> {
        let side = side_of(&words.next("back or lay")?)?;
        let selection = self.selection_of(market, &words.next("a selection")?)?;
        let size = words::amount(&words.next("a size like 10.00")?)?;
        let limited = words.peek().is_some_and(words::is_price);
        let limit_e4 = match limited {
            true => words::price(&words.next("a price like 3.40")?)?.e4,
            false => 0,
        };
        let mut entry =
            OrderEntry { limit_e4, selection, side: side as u8, size, ..OrderEntry::default() };
        if !limited {
            entry.kind = OrderKind::MarketOnClose as u8;
        }
        loop {
            if words.take("persist") {
                entry.persistence = Persistence::Persist as u8;
            } else if words.take("at-start") {
                entry.persistence = Persistence::MarketOnClose as u8;
            } else if words.take("on-close") {
                entry.kind = OrderKind::LimitOnClose as u8;
            } else if words.take("payout") {
                entry.target = SizeTarget::Payout as u8;
            } else if words.take("profit") {
                entry.target = SizeTarget::BackersProfit as u8;
            } else if words.take("not-better") {
                entry.flags |= OrderEntry::REFUSE_IMPROVEMENT;
            } else if words.take("kill") {
                entry.flags |= OrderEntry::FILL_OR_KILL;
            } else if words.take("least") {
                entry.min_fill = words::amount(&words.next("a size like 5.00")?)?;
            } else if words.take("self") {
                entry.self_match = self_match_of(&words.next("allow")?)? as u8;
            } else if words.take("reference") {
                entry.reference = words::number(&words.next("a number")?)?;
            } else {
                return Ok(entry);
            }
        }
    }

    /// `cancel-orders R2 A7 M1 all`, `cancel-orders R2 A7 M1 O1 O2:5.00`.
    pub(super) fn cancel_orders(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (key, who, account) = self.customer(words)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        let mut orders = Vec::new();
        if !words.take("all") {
            while let Some(word) = words.maybe() {
                let (order, by) = word.split_once(':').unwrap_or((&word, "0"));
                let (order, by) = (self.order_of(order)?, words::amount(by)?);
                orders.push(CancelEntry { order, by });
            }
            if orders.is_empty() {
                return Err(Unreadable::new("", "all, or orders like O1 or O1:5.00").into());
            }
        }
        words.done()?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let body = CancelOrders { valid_until, market, ..CancelOrders::default() };
        let slots = build::cancel_orders(header, body, &orders).map_err(|what| what.to_string())?;
        self.send(&who, Some(&key), &slots).map(Said::Reply)
    }

    /// `replace-orders R3 A7 M1 O1:3.50 O2:2.40`.
    pub(super) fn replace_orders(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let version = words.option("version")?;
        let (key, who, account) = self.customer(words)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        let market_version = self.version_of(version.as_deref(), market)?;
        let mut orders = Vec::new();
        while let Some(word) = words.maybe() {
            let wrong = || Unreadable::new(&word, "an order and its price, like O1:3.50");
            let (order, price) = word.split_once(':').ok_or_else(wrong)?;
            let (order, limit_e4) = (self.order_of(order)?, words::price(price)?.e4);
            orders.push(ReplaceEntry { order, limit_e4, zero: 0 });
        }
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let body =
            ReplaceOrders { valid_until, market, market_version, ..ReplaceOrders::default() };
        let slots =
            build::replace_orders(header, body, &orders).map_err(|what| what.to_string())?;
        self.send(&who, Some(&key), &slots).map(Said::Reply)
    }

    /// `update-orders R4 A7 M1 O1:persist O2:lapse O3:at-start`.
    pub(super) fn update_orders(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (key, who, account) = self.customer(words)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        let mut orders = Vec::new();
        while let Some(word) = words.maybe() {
            let wrong = || Unreadable::new(&word, "an order and lapse, persist or at-start");
            let (order, to) = word.split_once(':').ok_or_else(wrong)?;
            let persistence = match to {
                "lapse" => Persistence::Lapse,
                "persist" => Persistence::Persist,
                "at-start" => Persistence::MarketOnClose,
                _ => return Err(wrong().into()),
            };
            let (order, persistence) = (self.order_of(order)?, persistence as u8);
            orders.push(UpdateEntry { order, persistence, zero: [0; 7] });
        }
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let body = UpdateOrders { valid_until, market, ..UpdateOrders::default() };
        let slots = build::update_orders(header, body, &orders).map_err(|what| what.to_string())?;
        self.send(&who, Some(&key), &slots).map(Said::Reply)
    }

    fn order_of(&self, label: &str) -> Result<OrderId, Unreadable> {
        let number = labelled(label, 'O', "an order like O1")?;
        let at = (number as usize).checked_sub(1);
        let known = at.and_then(|at| self.orders.get(at)).copied();
        Ok(known.unwrap_or(OrderId::new(NOWHERE + number, 1)))
    }

    /// An order as the script calls it.
    pub(super) fn order_label(&self, id: OrderId) -> String {
        match self.orders.iter().position(|own| *own == id) {
            Some(at) => format!("O{}", at + 1),
            None => id.to_string(),
        }
    }

    /// Orders of the last record get their labels.
    pub(super) fn learn_orders(&mut self, events: &[u8]) {
        for event in EventReader::new(events).flatten() {
            if let Event::OrderPlaced(placed) = event {
                self.orders.push(placed.order);
            }
        }
    }

    /// `sizes O1 -> Executable 10.00: 4.00 matched at 2.54, 6.00 remaining`.
    pub(super) fn ask_sizes(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let id = self.order_of(&words.next("an order like O1")?)?;
        words.done()?;
        let known = self.orders.contains(&id);
        let Some(order) = self.desk()?.state().order(id) else {
            return Ok(Said::Text(if known { "Archived" } else { "none" }.to_owned()));
        };
        let sizes = order.sizes;
        let at = order.average.map_or_else(String::new, |price| format!(" at {price}"));
        let parts = [
            (sizes.matched, format!(" matched{at}")),
            (sizes.remaining, " remaining".to_owned()),
            (sizes.lapsed, " lapsed".to_owned()),
            (sizes.cancelled, " cancelled".to_owned()),
            (sizes.voided, " voided".to_owned()),
        ];
        let parts = parts.iter().filter(|(amount, _)| amount.0 != 0);
        let parts: Vec<String> = parts.map(|(amount, what)| format!("{amount}{what}")).collect();
        let state = format!("{:?}", order.state);
        Ok(Said::Text(format!("{state} {}: {}", sizes.size, parts.join(", "))))
    }

    /// `held A7 M1 -> 12.00`.
    pub(super) fn ask_held(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let account = self.account_of(&words.next("an account like A7")?)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let held = self.desk()?.state().position(account, market).map(|position| position.held);
        Ok(Said::Text(held.map_or_else(|| "none".to_owned(), |held| held.to_string())))
    }

    /// `stands A7 M1 -> -20.00/10.00 0.00/0.00`: by selection what is won of what was matched if it wins, and if not.
    pub(super) fn ask_stands(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let account = self.account_of(&words.next("an account like A7")?)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let Some(position) = self.desk()?.state().position(account, market) else {
            return Ok(Said::Text("none".to_owned()));
        };
        let whole = |e4: i128| money(e4.div_euclid(E4));
        let stands = position.stands.iter();
        let stands = stands.map(|one| format!("{}/{}", whole(one.win_e4), whole(one.lose_e4)));
        Ok(Said::Text(stands.collect::<Vec<_>>().join(" ")))
    }

    /// `net A7 M1 -> 19.00 less 0.95`, `none` until it is settled.
    pub(super) fn ask_net(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let account = self.account_of(&words.next("an account like A7")?)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let position = self.desk()?.state().position(account, market);
        Ok(Said::Text(match position.and_then(|position| position.settled) {
            None => "none".to_owned(),
            Some((net, Minor(0))) => net.to_string(),
            Some((net, commission)) => format!("{net} less {commission}"),
        }))
    }

    /// `depth M1/Draw back -> 2.50x10.00 2.52x5.00`: what a backer can get, best first.
    pub(super) fn ask_depth(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let (market, selection) = self.runner_of(words)?;
        let side = side_of(&words.next("back or lay")?)?;
        words.done()?;
        let state = self.desk()?.state();
        Ok(Said::Text(list(state.depth(market, selection, side.other()))))
    }

    /// `traded M1/Draw -> 2.50x10.00`.
    pub(super) fn ask_traded(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let (market, selection) = self.runner_of(words)?;
        words.done()?;
        Ok(Said::Text(list(self.desk()?.state().traded(market, selection))))
    }

    /// `virtual M1/Draw back -> 2.60x5.00`: what all other selections make of this one.
    pub(super) fn ask_virtual(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let (market, selection) = self.runner_of(words)?;
        let side = side_of(&words.next("back or lay")?)?;
        words.done()?;
        let found = self.desk()?.state().virtual_price(market, selection, side);
        Ok(Said::Text(list(found.into_iter())))
    }

    /// `starting M1/Draw -> 3.4512`; before it is made `far 4.00, near 3.80`.
    pub(super) fn ask_starting(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let (market, selection) = self.runner_of(words)?;
        words.done()?;
        let state = self.desk()?.state();
        let say = |price: Option<Price>| price.map_or("none".to_owned(), |p| p.to_string());
        let made = state.starting_price(market, selection);
        Ok(Said::Text(match (made, state.far_and_near(market, selection)) {
            (Some(price), _) => price.to_string(),
            (None, Some((far, near))) => format!("far {}, near {}", say(far), say(near)),
            (None, None) => "none".to_owned(),
        }))
    }

    /// `version M1 -> 12`.
    pub(super) fn ask_version(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let version = self.desk()?.state().market_version(market);
        Ok(Said::Text(version.map_or("none".to_owned(), |version| version.0.to_string())))
    }

    /// `cleared M1 -> 0.02 and 0.01`: what the house has by standing between selections, and what rounding left.
    pub(super) fn ask_cleared(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let cleared = self.desk()?.state().cleared(market);
        Ok(Said::Text(
            cleared.map_or("none".to_owned(), |(crossing, residue)| {
                format!("{crossing} and {residue}")
            }),
        ))
    }

    /// `M1/Draw`.
    fn runner_of(&mut self, words: &mut Words) -> Result<(MarketId, SelectionIndex), Stop> {
        let label = words.next("a selection like M1/Draw")?;
        let wrong = || Unreadable::new(&label, "a selection like M1/Draw");
        let (market, selection) = label.split_once('/').ok_or_else(wrong)?;
        Ok((self.market_of(market)?, self.selection_of(market, selection)?))
    }
}

fn list(prices: impl Iterator<Item = (Price, Minor)>) -> String {
    let all: Vec<String> =
        prices.map(|(price, size)| format!("{price}x{}", money(size.0.into()))).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(" ") }
}

fn side_of(text: &str) -> Result<Side, Unreadable> {
    match text {
        "back" => Ok(Side::Back),
        "lay" => Ok(Side::Lay),
        other => Err(Unreadable::new(other, "back or lay")),
    }
}

fn self_match_of(text: &str) -> Result<SelfMatch, Unreadable> {
    match text {
        "refuse" => Ok(SelfMatch::RefuseTaker),
        "cancel-maker" => Ok(SelfMatch::CancelMaker),
        "cancel-both" => Ok(SelfMatch::CancelBoth),
        "allow" => Ok(SelfMatch::Allow),
        other => Err(Unreadable::new(other, "refuse, cancel-maker, cancel-both or allow")),
    }
}

/// `1.01-2@0.01,2-3@0.02`.
fn bands_of(text: &str) -> Result<Vec<BandEntry>, Unreadable> {
    let wrong = || Unreadable::new(text, "classic, finest, betdaq, or bands like 1.01-2@0.01");
    let band = |band: &str| {
        let (ends, step) = band.split_once('@').ok_or_else(wrong)?;
        let (from, to) = ends.split_once('-').ok_or_else(wrong)?;
        let [from_e4, to_e4, step_e4] =
            [words::price(from)?.e4, words::price(to)?.e4, words::price(step)?.e4];
        Ok(BandEntry { from_e4, to_e4, step_e4 })
    };
    text.split(',').map(band).collect()
}
