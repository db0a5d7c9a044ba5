//! The verbs of tickets and of what becomes of bets after they are placed.

use super::verbs::{currency, moment, nothing};
use super::words::{self, Unreadable, Words};
use super::{Runner, START, Said, Stop, money};
use crate::BetState;
use crate::command::*;
use crate::id::*;
use crate::reject::Malformed;
use crate::rules::Rules;
use crate::ruleset::{PlaceRow, Ruleset};
use crate::time::{Nanos, Timestamp};
use crate::wire::{Minor, Name, WirePrice};
use betring_pricing::{
    BonusTable, EachWay, LegNumbers, PLACE_BANDS_MAX, Pence, PlaceFraction, PlaceTermsTable,
    RoundingMode, Rule4Table, Shape, Share,
};

impl<R: Rules> Runner<R> {
    pub(super) fn ticket(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let within = words.option("within")?;
        let floor = words.option("floor")?.map_or(Ok(0), |f| price_product(&f))?;
        let bankers = words.option("bankers")?;
        let divided = words.flag("each-way-divided");
        let each_way = match (words.flag("each-way"), divided) {
            (_, true) => EachWay::EquallyDivided,
            (true, false) => EachWay::WinToWin,
            (false, false) => EachWay::No,
        };
        let bonus = words.flag("bonus");
        let total = words.flag("total");
        let (key, who, account) = self.customer(words)?;
        let lines = words.next("lines like double, lucky15, acca or 2+3")?;
        let stake = words::amount(&words.next("a stake like 1.00, of each line or `total`")?)?;
        let mut legs = Vec::new();
        while words.peek().is_some_and(|word| word.starts_with('M')) {
            let word = words.next("a leg")?;
            let (target, price) = match word.split_once('@') {
                Some((target, price)) => (target.to_owned(), words::price(price)?),
                None => (word.clone(), WirePrice::NONE),
            };
            let (label, selection) = target.split_once('/').unwrap_or((&target, "1"));
            let market = self.market_of(label)?;
            let selection = self.selection_of(label, selection)?;
            legs.push(LegEntry::new(market, selection, price, PriceVersion(0)));
        }
        let policy = policy_of(words, &within)?;
        words.done()?;
        let count = legs.len() as u8;
        let bankers = bankers.map_or(Ok(0), |b| mask(&b))?;
        let folds = match Shape::named(&lines) {
            Some(shape) if shape.legs() != count => {
                let needed = shape.legs();
                let legs = if needed == 1 { "leg" } else { "legs" };
                return Err(format!("{lines} needs {needed} {legs}, {count} given"));
            }
            Some(shape) => shape.folds(),
            None if lines == "acca" => 1 << count.saturating_sub(1),
            None => mask(&lines.replace('+', ","))?,
        };
        let slippage = within.map_or(Ok(0), |text| words::share(&text, words::SLIPPAGE))?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let body = PlaceTicket {
            valid_until,
            stake,
            floor,
            folds,
            bankers,
            stake_kind: if total { StakeKind::Total } else { StakeKind::Unit } as u8,
            each_way: EachWayKind::from(each_way) as u8,
            policy: policy as u8,
            slippage,
            bonus: u8::from(bonus),
            ..PlaceTicket::default()
        };
        let slots = build::place_ticket(header, body, &legs)
            .map_err(|what| format!("the ticket cannot be written as a command: {what}"))?;
        self.send(&who, Some(&key), &slots).map(Said::Reply)
    }

    pub(super) fn cash_out(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let within = words.option("within")?;
        let take = words.option("take")?.map_or(Ok(Minor(0)), |t| words::amount(&t))?;
        let (key, who, account) = self.customer(words)?;
        let bet = self.bet_of(&words.next("a bet like B1")?)?;
        let accept = match words.peek() {
            Some(word) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                words::amount(&words.next("a value")?)?
            }
            _ => Minor(0),
        };
        let policy = policy_of(words, &within)?;
        words.done()?;
        let slippage = within.map_or(Ok(0), |text| words::share(&text, words::SLIPPAGE))?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let body = CashOut {
            valid_until,
            bet,
            take,
            accept,
            policy: policy as u8,
            slippage,
            ..CashOut::default()
        };
        self.plain(&who, Some(&key), header, &body)
    }

    pub(super) fn auto_cash_out(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (key, who, account) = self.customer(words)?;
        let bet = self.bet_of(&words.next("a bet like B1")?)?;
        let value = match words.next("a value like 15.00, or off")?.as_str() {
            "off" => Minor(0),
            value => words::amount(value)?,
        };
        words.done()?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let body = SetAutoCashOut { valid_until, bet, value, ..SetAutoCashOut::default() };
        self.plain(&who, Some(&key), header, &body)
    }

    /// `in-play M1 5s`, `in-play M1`, `in-play M1 off`, `in-play M1 off 5s`.
    pub(super) fn in_play(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        let (in_play, delay) = match words.maybe().as_deref() {
            None => (1, Nanos::ZERO),
            Some("off") => {
                let delay = words.maybe();
                (0, delay.map_or(Ok(Nanos::ZERO), |delay| words::span(&delay))?)
            }
            Some(delay) => (1, words::span(delay)?),
        };
        words.done()?;
        let reason = envelope.reason;
        let body =
            SetInPlay { valid_until, reason, in_play, market, delay, ..SetInPlay::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `referral B1 accept [2.40 …]`, `referral B1 counter [stake 5.00] [2.40 …]`, `referral B1 decline`.
    pub(super) fn referral(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let stake = words.option("stake")?.map_or(Ok(Minor(0)), |s| words::amount(&s))?;
        let bet = self.bet_of(&words.next("a bet like B1")?)?;
        let answer = match words.next("accept, counter or decline")?.as_str() {
            "accept" => ReferralAnswer::Accept,
            "counter" => ReferralAnswer::Counter,
            "decline" => ReferralAnswer::Decline,
            other => return Err(Unreadable::new(other, "accept, counter or decline").into()),
        };
        let mut prices = Vec::new();
        while let Some(word) = words.maybe() {
            let price = if word == "-" { WirePrice::NONE } else { words::price(&word)? };
            prices.push(PriceEntry::new(SelectionIndex(prices.len() as u16), price));
        }
        let body = AnswerReferral {
            valid_until,
            reason: envelope.reason,
            answer: answer as u8,
            bet,
            stake,
            ..AnswerReferral::default()
        };
        let slots = build::answer_referral(header, body, &prices)
            .map_err(|what| format!("the answer cannot be written as a command: {what}"))?;
        self.send(&who, envelope.key.as_deref(), &slots).map(Said::Reply)
    }

    pub(super) fn freeze(&mut self, frozen: bool, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let (level, id, _, owner) = self.level_of(words)?;
        if level == Level::Selection {
            return Err("cash-outs are frozen by market, not by selection".to_owned());
        }
        let body = FreezeCashOut {
            valid_until,
            reason: envelope.reason,
            level: level as u8,
            owner: owner as u8,
            frozen: u8::from(frozen),
            id,
            ..FreezeCashOut::default()
        };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `cancel M1 [from @1s] [until @2s] [source @3s]`, and `uncancel`.
    pub(super) fn cancel(&mut self, cancel: bool, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let from = at(words, "from")?;
        let until = at(words, "until")?;
        let source = moment(words, "source")?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let body = CancelBets {
            valid_until,
            reason: envelope.reason,
            cancel: u8::from(cancel),
            market,
            from,
            until,
            source,
            ..CancelBets::default()
        };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    pub(super) fn rollback(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let source = moment(words, "source")?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let reason = envelope.reason;
        let body =
            RollbackResult { valid_until, reason, market, source, ..RollbackResult::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    pub(super) fn void(&mut self, cancel: bool, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let bet = self.bet_of(&words.next("a bet like B1")?)?;
        words.done()?;
        let (reason, cancel) = (envelope.reason, u8::from(cancel));
        let body = CancelBet { valid_until, reason, cancel, bet, ..CancelBet::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `correct B1 1.03 [leg 2]`, `correct B1 -`.
    pub(super) fn correct(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let leg: u8 = words.option("leg")?.map_or(Ok(1), |leg| words::number(&leg))?;
        let bet = self.bet_of(&words.next("a bet like B1")?)?;
        let price = match words.next("a price, or - for the one it was bound to")?.as_str() {
            "-" => WirePrice::NONE,
            price => words::price(price)?,
        };
        words.done()?;
        let body = CorrectPrice {
            valid_until,
            reason: envelope.reason,
            leg: leg.saturating_sub(1),
            bet,
            price,
            ..CorrectPrice::default()
        };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    pub(super) fn adjust(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let bet = words.option("bet")?.map_or(Ok(BetId::NONE), |b| self.bet_of(&b))?;
        let account = self.account_of(&words.next("an account like A7")?)?;
        let amount = words::amount(&words.next("an amount like -5.00")?)?;
        words.done()?;
        let reason = envelope.reason;
        let body = Adjust { valid_until, reason, account, amount, bet, ..Adjust::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    pub(super) fn grant(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let account = self.account_of(&words.next("an account like A7")?)?;
        let amount = words::amount(&words.next("an amount like 10.00")?)?;
        words.done()?;
        let reason = envelope.reason;
        let body = GrantBonus { valid_until, reason, account, amount, ..GrantBonus::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `rules NAME [rounding half-up] [by-line] …`: a set of rules.
    pub(super) fn rules(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let mut set = Ruleset::standard(Name::new("rules").expect("a name"));
        set.rounding = self.genesis.rounding;
        set.price_failure = self.genesis.price_failure;
        set.offer_ttl = self.genesis.offer_ttl;
        self.change(&mut set, words)?;
        let name = words.next("a name")?;
        set.name = Name::new(&name).map_err(|what: Malformed| what.to_string())?;
        words.done()?;
        let body = PublishRules { valid_until, reason: envelope.reason, ..PublishRules::default() };
        let slots = build::publish_rules(header, body, &set);
        self.send(&who, envelope.key.as_deref(), &slots).map(Said::Reply)
    }

    fn change(&self, set: &mut Ruleset, words: &mut Words) -> Result<(), Stop> {
        if let Some(mode) = words.option("rounding")? {
            let mode: RoundingMode = mode
                .parse()
                .map_err(|_| Unreadable::new(mode, "down, up, half-up or half-even"))?;
            set.rounding = rounding_code(mode);
        }
        if words.flag("by-line") {
            set.rounding_place = RoundingPlace::Line as u8;
        }
        if words.flag("pay-the-cap") {
            set.payout_cap = PayoutCap::Pay as u8;
        }
        if let Some(what) = words.option("on-failure")? {
            set.price_failure = match what.as_str() {
                "refuse" => PriceFailure::Refuse as u8,
                "offer" => PriceFailure::Offer as u8,
                _ => return Err(Unreadable::new(what, "refuse or offer").into()),
            };
        }
        if let Some(what) = words.option("hold")? {
            set.hold_bind = match what.as_str() {
                "place" => HoldBind::AtPlace as u8,
                "confirm" => HoldBind::AtConfirm as u8,
                _ => return Err(Unreadable::new(what, "place or confirm").into()),
            };
        }
        if let Some(certainty) = words.option("certainty")? {
            set.certainty = words::number(&certainty)?;
        }
        if let Some(lines) = words.option("lines")? {
            set.lines_max = words::number(&lines)?;
        }
        if let Some(legs) = words.option("legs")? {
            set.legs_max = words::number(&legs)?;
        }
        if let Some(percent) = words.option("refer")? {
            let number = percent.strip_suffix('%').unwrap_or(&percent);
            set.refer_percent = words::number(number)?;
        }
        for (name, span) in [
            ("ttl", &mut set.offer_ttl),
            ("refer-ttl", &mut set.refer_ttl),
            ("cash-out-age", &mut set.cash_out_age),
            ("hold-ttl", &mut set.hold_ttl),
        ] {
            if let Some(text) = words.option(name)? {
                *span = words::span(&text)?;
            }
        }
        if let Some(margin) = words.option("margin")? {
            set.cash_out_margin = words::millionths(&margin)?;
        }
        match words.option("rule4")?.as_deref() {
            None | Some("tattersalls") => (),
            Some("none") => set.set_rule4(&Rule4Table::NONE),
            Some(cap) => {
                let pence: u8 = words::number(cap.strip_suffix('p').unwrap_or(cap))?;
                set.rule4_cap = Pence::new(pence)
                    .ok_or_else(|| Unreadable::new(cap, "none, or a cap like 75p"))?
                    .get();
            }
        }
        match words.option("places")?.as_deref() {
            None | Some("standard") => (),
            Some("none") => set.set_places(&PlaceTermsTable::NONE),
            Some(bands) => set.places = place_rows(bands)?,
        }
        match words.option("lucky")?.as_deref() {
            None => (),
            Some("betfred") => {
                let table = BonusTable::BETFRED;
                let row = |b: betring_pricing::Bonus| [b.one_winner, b.all_winners];
                set.lucky = [row(table.lucky15), row(table.lucky31), row(table.lucky63)];
            }
            Some(other) => return Err(Unreadable::new(other, "betfred").into()),
        }
        Ok(())
    }

    // ---- questions ----

    /// `value B1 -> 4.75`: what it would be bought back for; `value B1 take 5.00`.
    pub(super) fn ask_value(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let take =
            words.option("take")?.map_or(Ok(None), |t| words::amount(&t).map(|m| m.stake()))?;
        let bet = self.asked_bet(words)?;
        words.done()?;
        let said = match self.desk()?.state().cash_out_value(bet, take) {
            Ok(value) => value.to_string(),
            Err(answer) => answer.to_string(),
        };
        Ok(Said::Text(said))
    }

    /// `leg B1 2 -> HalfWon`.
    pub(super) fn ask_leg(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let bet = self.asked_bet(words)?;
        let number: usize = words::number(&words.next("the number of a leg, from 1")?)?;
        words.done()?;
        let state = self.desk()?.state();
        let leg = number.checked_sub(1).and_then(|at| state.legs(bet).nth(at));
        let said = match leg {
            None => "none".to_owned(),
            Some(leg) => leg.numbers.map_or("Open".to_owned(), |n| {
                let rule4 = match n.rule4 {
                    Pence::ZERO => String::new(),
                    pence => format!(" less {}p", pence.get()),
                };
                format!("{:?}{rule4}", n.outcome())
            }),
        };
        Ok(Said::Text(said))
    }

    /// `bonus A7 -> 10.00`.
    pub(super) fn ask_bonus(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let label = words.next("an account like A7")?;
        words.done()?;
        let id = self.account_of(&label)?;
        let view = self.desk()?.state().account(id);
        let view = view.ok_or_else(|| format!("there is no account {label}"))?;
        Ok(Said::Text(view.bonus.to_string()))
    }

    /// `reach M1/Home GBP -> 90.00`.
    pub(super) fn ask_reach(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let target = words.next("a selection like M1/Home")?;
        let (label, selection) = target.split_once('/').unwrap_or((&target, "1"));
        let market = self.market_of(label)?;
        let selection = self.selection_of(label, selection)?;
        let currency = currency(&words.next("a currency like GBP")?)?;
        words.done()?;
        let exposure = self.desk()?.state().exposure(market, currency);
        let reach = exposure.and_then(|e| e.reach.get(usize::from(selection.0)).copied());
        Ok(Said::Text(reach.map_or_else(|| "none".to_owned(), money)))
    }

    /// `stake B1 -> 5.00`: what it still risks.
    pub(super) fn ask_stake(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let bet = self.asked_bet(words)?;
        words.done()?;
        let stake = self.desk()?.state().bet(bet).map(|view| view.stake.to_string());
        Ok(Said::Text(stake.unwrap_or_else(|| "Archived".to_owned())))
    }

    // ---- parts ----

    /// What, and for which owner: of suspensions and freezes.
    pub(super) fn level_of(
        &mut self,
        words: &mut Words,
    ) -> Result<(Level, u64, SelectionIndex, Owner), Stop> {
        let label = words.next("what: M1, M1/Draw, X1, G1, F1 or all")?;
        let mut selection = SelectionIndex(0);
        let (level, id) = match label.as_bytes().first() {
            _ if label == "all" => (Level::Engine, 0),
            Some(b'M') => match label.split_once('/') {
                Some((market, name)) => {
                    selection = self.selection_of(market, name)?;
                    (Level::Selection, self.market_of(market)?.raw())
                }
                None => (Level::Market, self.market_of(&label)?.raw()),
            },
            Some(b'X') => (Level::Fixture, self.fixture_of(&label)?.raw()),
            Some(b'G') => (Level::Group, u64::from(self.group_of(&label)?.0)),
            _ => (Level::Feed, u64::from(self.feed_of(&label)?.0)),
        };
        let owner = match words.maybe().as_deref() {
            None | Some("trader") => Owner::Trader,
            Some("feed") => Owner::Feed,
            Some("backup") => Owner::Backup,
            Some("governor") => Owner::Governor,
            Some("engine") => Owner::Engine,
            Some(other) => {
                let owners = "feed, backup, trader, governor or engine";
                return Err(Unreadable::new(other, owners).into());
            }
        };
        nothing(words)?;
        Ok((level, id, selection, owner))
    }
}

/// How a bet stands, as scripts write it.
pub(super) fn standing(view: &crate::BetView) -> String {
    match view.state {
        settled @ (BetState::Won | BetState::Void | BetState::Partial) => {
            format!("{settled} {}", view.paid)
        }
        BetState::CashedOut => format!("CashedOut {}", view.cashed),
        other => other.to_string(),
    }
}

/// The outcome of a selection: a word, a dead heat `1/2`, a position `1st`, `2nd=2` (two share it).
pub(super) fn outcome(selection: SelectionIndex, text: &str) -> Result<ResultEntry, Unreadable> {
    let wrong = || {
        Unreadable::new(
            text,
            "win, lose, void, half-won, half-lost, placed, a dead heat like 1/2, a place shared like \
             placed:1/2, or a position like 1st or 3rd=2",
        )
    };
    let (text, rule4) = match text.split_once("-") {
        Some((rest, pence)) if pence.ends_with('p') => {
            let pence: u8 = words::number(pence.trim_end_matches('p'))?;
            (rest, Pence::new(pence).ok_or_else(wrong)?)
        }
        _ => (text, Pence::ZERO),
    };
    let share = |text: &str| {
        let (num, den) = text.split_once('/').ok_or_else(wrong)?;
        Share::new(words::number(num)?, words::number(den)?).ok_or_else(wrong)
    };
    let numbers = match text {
        "win" if rule4 == Pence::ZERO => {
            return Ok(ResultEntry::new(selection, SelectionOutcome::Win));
        }
        "win" => LegNumbers::WON,
        "lose" if rule4 == Pence::ZERO => {
            return Ok(ResultEntry::new(selection, SelectionOutcome::Lose));
        }
        "lose" => LegNumbers::LOST,
        "void" => return Ok(ResultEntry::new(selection, SelectionOutcome::Void)),
        "half-won" => LegNumbers::HALF_WON,
        "half-lost" => LegNumbers::HALF_LOST,
        "placed" => LegNumbers::PLACED,
        _ => match text.strip_prefix("placed:") {
            Some(text) => LegNumbers { place: share(text)?, ..LegNumbers::PLACED },
            None if text.contains('/') => LegNumbers { win: share(text)?, ..LegNumbers::WON },
            None => {
                let (position, tied) = text.split_once('=').unwrap_or((text, "1"));
                let digits = position.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                if digits.len() == position.len() {
                    return Err(wrong());
                }
                let (position, tied) = (words::number(digits)?, words::number(tied)?);
                return Ok(ResultEntry::position(selection, position, tied));
            }
        },
    };
    Ok(ResultEntry::shares(selection, numbers.with_rule4(rule4)))
}

/// Each-way terms by runners: `3:1@1/4|2@1/5,8:-|2@1/4`, from how many runners on, what is paid in races that
/// are no handicaps and in those that are; `-` is win only.
fn place_rows(text: &str) -> Result<[PlaceRow; PLACE_BANDS_MAX], Unreadable> {
    let wrong = || Unreadable::new(text, "standard, none, or bands like 3:1@1/4|2@1/5,8:-|2@1/4");
    let terms = |text: &str| -> Result<[u8; 3], Unreadable> {
        if text == "-" {
            return Ok([0; 3]);
        }
        let (places, part) = text.split_once('@').ok_or_else(wrong)?;
        let (num, den) = part.split_once('/').ok_or_else(wrong)?;
        Ok([words::number(places)?, words::number(num)?, words::number(den)?])
    };
    let mut rows = [PlaceRow { from: 0, plain: [0; 3], handicap: [0; 3] }; PLACE_BANDS_MAX];
    for (at, band) in text.split(',').enumerate() {
        let row = rows.get_mut(at).ok_or_else(wrong)?;
        let (from, both) = band.split_once(':').ok_or_else(wrong)?;
        let (plain, handicap) = both.split_once('|').ok_or_else(wrong)?;
        *row = PlaceRow {
            from: words::number(from)?,
            plain: terms(plain)?,
            handicap: terms(handicap)?,
        };
    }
    Ok(rows)
}

/// Each-way terms of a market: `table`, `handicap`, or its own like `3@1/5`.
pub(super) fn each_way(text: &str) -> Result<(EachWayOffer, u8, u8, u8), Unreadable> {
    let wrong = || Unreadable::new(text, "table, handicap, or terms like 3@1/5");
    match text {
        "table" => Ok((EachWayOffer::ByTable, 0, 0, 0)),
        "handicap" => Ok((EachWayOffer::Handicap, 0, 0, 0)),
        _ => {
            let (places, fraction) = text.split_once('@').ok_or_else(wrong)?;
            let (num, den) = fraction.split_once('/').ok_or_else(wrong)?;
            let (num, den) = (words::number(num)?, words::number(den)?);
            PlaceFraction::new(num, den).ok_or_else(wrong)?;
            Ok((EachWayOffer::Own, words::number(places)?, num, den))
        }
    }
}

pub(super) fn policy_of(
    words: &mut Words,
    within: &Option<String>,
) -> Result<PricePolicy, Unreadable> {
    match (words.maybe().as_deref(), within) {
        (None, Some(_)) => Ok(PricePolicy::Within),
        (None | Some("exact"), None) => Ok(PricePolicy::Exact),
        (Some("better"), None) => Ok(PricePolicy::Better),
        (Some("any"), None) => Ok(PricePolicy::Any),
        (Some(other), _) => Err(Unreadable::new(other, "exact, better, within 2% or any")),
    }
}

/// `1,3` as bits.
fn mask(text: &str) -> Result<u32, Unreadable> {
    let wrong = || Unreadable::new(text, "numbers from 1 to 25, like 2+3 or 1,3");
    text.split(',').try_fold(0, |mask, number| {
        let number: u32 = words::number(number)?;
        if (1..=25).contains(&number) { Ok(mask | 1 << (number - 1)) } else { Err(wrong()) }
    })
}

/// A product of prices in ten-thousandths; it may be far longer than a price.
fn price_product(text: &str) -> Result<u64, Unreadable> {
    let wrong = || Unreadable::new(text, "a product of prices like 12.50");
    let (whole, parts) = text.split_once('.').unwrap_or((text, "0"));
    let missing = 4_usize.checked_sub(parts.len()).ok_or_else(wrong)?;
    let digits = format!("{whole}{parts}{}", "0".repeat(missing));
    digits.parse().map_err(|_| wrong())
}

/// `from @1s`: a moment counted from the script's start, or none.
fn at(words: &mut Words, name: &str) -> Result<Timestamp, Unreadable> {
    match words.option(name)? {
        Some(text) => Ok(START.plus(words::span(text.strip_prefix('@').unwrap_or(&text))?)),
        None => Ok(Timestamp(0)),
    }
}
