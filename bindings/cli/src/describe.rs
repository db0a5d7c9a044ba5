//! Records in plain words: one sentence a command, one an event, and the names behind the handles. What is said of
//! exchange markets stands in [`exchange`].

mod exchange;

use crate::fold::Entry;
use betring_benches::recorder::Count;
use betring_core::answer::{Answer, AnswerKind};
use betring_core::command::{
    Command, Drives, FactorScope, HoldBind, Kind, Level, LiabilityAct, LimitKind, LimitScope,
    Owner, Period, PlaceTicket, PricePolicy, Purse, ReferralAnswer, Reprice, ResultEntry,
    ResultForm, SetTier, Shed, StakeKind, TraderPriceAct, decode, rounding_mode,
};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, Slot, WirePrice};
use betring_pricing::{Currency, EachWay};
use serde_json::json;
use std::collections::HashMap;
use zerocopy::FromBytes;

/// A record that was read.
pub(crate) struct Told<'a> {
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
    token: Token,
    pub(crate) header: Header,
    pub(crate) command: Command<'a>,
    pub(crate) events: Vec<Event>,
}

impl<'a> Told<'a> {
    /// Reads a record; what is wrong with it, if it is none.
    pub(crate) fn read(entry: &Entry<'a>) -> Result<Told<'a>, String> {
        let (bytes, events) =
            entry.parts().ok_or("the record is shorter than its command".to_owned())?;
        let (header, command) = decode(bytes).map_err(|what| format!("not a command: {what}"))?;
        let kind = Kind::from_code(header.kind).ok_or("unknown kind of command".to_owned())?;
        let events = EventReader::new(events).collect::<Result<_, _>>();
        let events = events.map_err(|what: NotAnEvent| what.to_string())?;
        let token = Slot::read_from_prefix(bytes).map_or(Token(0), |(slot, _)| slot.token());
        Ok(Told { seq: entry.seq, at: entry.at, kind, token, header, command, events })
    }

    /// The client's number of the attempt.
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// The answer of the command's key, if it has one.
    pub(crate) fn answer(&self) -> Option<&Answer> {
        self.events.iter().find_map(|event| match event {
            Event::Answered(answered) => Some(&answered.answer),
            _ => None,
        })
    }

    /// Whether the record has to do with a bet.
    pub(crate) fn is_about(&self, bet: BetId) -> bool {
        self.events.iter().any(|event| bet_of(event) == Some(bet))
            || matches!(self.command, Command::AcceptOffer(body) if body.bet == bet)
            || matches!(self.command, Command::DeclineOffer(body) if body.bet == bet)
            || matches!(self.command, Command::CashOut(body) if body.bet == bet)
            || matches!(self.command, Command::AnswerReferral(body, _) if body.bet == bet)
            || matches!(self.command, Command::ConfirmHold(body) if body.bet == bet)
            || matches!(self.command, Command::ReleaseHold(body) if body.bet == bet)
    }

    /// Why: the number that whoever asks gave; 0 of none.
    pub(crate) fn reason(&self) -> u32 {
        match &self.command {
            Command::RegisterActor(body, _) => body.reason,
            Command::DefineFeed(body, _) => body.reason,
            Command::DefineFixture(body, _) => body.reason,
            Command::DefineMarket(body, _) => body.reason,
            Command::WithdrawSelection(body) => body.reason,
            Command::MarketResult(body, _) => body.reason,
            Command::SetLimits(body) => body.reason,
            Command::BlockAccount(body) => body.reason,
            Command::LiftQuarantine(body) => body.reason,
            Command::SetPrices(body, _) => body.reason,
            Command::Reprice(body, _) => body.reason,
            Command::PublishRules(body, _) => body.reason,
            Command::SetInPlay(body) => body.reason,
            Command::AnswerReferral(body, _) => body.reason,
            Command::FreezeCashOut(body) => body.reason,
            Command::DefineGroup(body, _) => body.reason,
            Command::SwitchFeed(body) => body.reason,
            Command::SetTier(body) => body.reason,
            Command::AssignTier(body) => body.reason,
            Command::SetFeedSchema(body) => body.reason,
            Command::TraderPrice(body) => body.reason,
            Command::SetStakeFactor(body) => body.reason,
            Command::SetShedding(body) => body.reason,
            Command::SetAccountLimit(body) => body.reason,
            Command::ExcludeAccount(body) => body.reason,
            Command::ConfirmHold(body) => body.reason,
            Command::ReleaseHold(body) => body.reason,
            Command::CancelBets(body) => body.reason,
            Command::RollbackResult(body) => body.reason,
            Command::CancelBet(body) => body.reason,
            Command::CorrectPrice(body) => body.reason,
            Command::Adjust(body) => body.reason,
            Command::GrantBonus(body) => body.reason,
            Command::OpenMarket(body) => body.reason,
            Command::CloseMarket(body) => body.reason,
            Command::ArchiveMarket(body) => body.reason,
            Command::Suspend(body) => body.reason,
            Command::Release(body) => body.reason,
            Command::Genesis(_)
            | Command::EpochOpened(_)
            | Command::Step(_)
            | Command::Tick(_)
            | Command::Quarantine(_)
            | Command::FeedHeartbeat(_)
            | Command::FeedGap(_)
            | Command::FeedRecovered(_)
            | Command::FeedRecovering(_)
            | Command::OpenAccount(_)
            | Command::Deposit(_)
            | Command::Withdraw(_)
            | Command::Place(_)
            | Command::PlaceTicket(..)
            | Command::AcceptOffer(_)
            | Command::DeclineOffer(_)
            | Command::Resolve(_)
            | Command::CashOut(_)
            | Command::SetAutoCashOut(_)
            | Command::SetOwnLimit(_)
            | Command::PlaceOrders(..)
            | Command::CancelOrders(..)
            | Command::ReplaceOrders(..)
            | Command::UpdateOrders(..)
            | Command::ExcludeSelf(_) => 0,
            Command::SetExchange(body, _) => body.reason,
            Command::SetDiscount(body) => body.reason,
            Command::LapseOrders(body) => body.reason,
        }
    }

    /// One sentence: who asks for what, why, and what came of it.
    pub(crate) fn sentence(&self) -> String {
        let asked = match self.reason() {
            0 => self.asked(),
            reason => format!("{}, reason {reason}", self.asked()),
        };
        match (self.came_of_it(), self.answer()) {
            (Some(came), _) => format!("{asked} → {came}"),
            (None, Some(answer)) => match answer.kind() {
                AnswerKind::Done => asked,
                _ => format!("{asked} → {}", outcome(answer)),
            },
            (None, None) => asked,
        }
    }

    fn asked(&self) -> String {
        let actor = ActorId(self.header.account);
        let account = AccountId::from_raw(self.header.account);
        match &self.command {
            Command::Genesis(genesis) => format!(
                "the journal begins: keys {} ahead, prices at most {} old, offers stand {}, rounding {}",
                span(genesis.window),
                span(genesis.age_bound),
                span(genesis.offer_ttl),
                rounding_mode(genesis.rounding).map_or("unknown".into(), |mode| mode.to_string()),
            ),
            Command::EpochOpened(run) => format!(
                "run {} begins after {}, logic {}, rules {} v{}{}",
                run.epoch,
                run.kept_seq,
                run.logic_version,
                run.rules_id,
                run.rules_version,
                match run.cut_bytes {
                    0 => String::new(),
                    bytes => format!(
                        "; {bytes} torn bytes were cut from segment {} at offset {}",
                        run.cut_segment, run.cut_offset
                    ),
                }
            ),
            Command::Step(step) => format!("a step of up to {} units of work", step.budget),
            Command::Tick(_) => "time passed".into(),
            Command::Quarantine(body) => {
                format!("request {} of {} is set aside", body.key, party(body.account))
            }
            Command::RegisterActor(_, names) => format!("\"{}\" registers as actor", names.first()),
            Command::DefineFeed(body, names) => {
                let schema = match body.schema {
                    0 => String::new(),
                    schema => format!(", its messages of version {schema}"),
                };
                format!(
                    "{actor} defines feed \"{}\", silent after {}{schema}",
                    names.first(),
                    span(body.silence_bound)
                )
            }
            Command::DefineGroup(body, names) => format!(
                "{actor} defines group \"{}\", priced by {}, {} stands by",
                names.first(),
                feed(body.primary),
                feed(body.backup)
            ),
            Command::SwitchFeed(body) => {
                let to = match Drives::from_code(body.to) {
                    Some(Drives::Backup) => "backup",
                    Some(Drives::Primary) | None => "primary",
                };
                format!("{actor} lets the {to} feed price {}", body.group)
            }
            Command::SetTier(body) => format!("{actor} sets tier {}{}", body.tier, tier(body)),
            Command::AssignTier(body) => {
                format!("{actor} puts {} into tier {}", body.market, body.tier)
            }
            Command::SetFeedSchema(body) => match body.schema {
                0 => format!("{actor} lets {} send any version", feed(body.feed)),
                schema => format!("{actor} expects version {schema} of {}", feed(body.feed)),
            },
            Command::TraderPrice(body) => {
                let of = format!("{} {}", body.market, body.selection);
                match TraderPriceAct::from_code(body.act) {
                    Some(TraderPriceAct::Pin) => format!("{actor} pins {of} at {}", body.price),
                    Some(TraderPriceAct::Unpin) => format!("{actor} gives {of} back to its feed"),
                    Some(TraderPriceAct::TakeHeld) | None => {
                        format!("{actor} takes the price of {of} that was held back")
                    }
                }
            }
            Command::SetStakeFactor(body) => format!(
                "{actor} scales the largest stake {} to {} %",
                scope(body.scope, body.id),
                body.percent
            ),
            Command::SetShedding(body) => format!("{actor} {}", shedding(body.mode)),
            Command::SetAccountLimit(body) => format!(
                "{actor} limits {}: {}",
                body.account,
                own_limit(body.kind, body.period, body.amount)
            ),
            Command::SetOwnLimit(body) => format!(
                "{account} sets its own limit: {}",
                own_limit(body.kind, body.period, body.amount)
            ),
            Command::ExcludeAccount(body) => {
                format!("{actor} excludes {} {}", body.account, until(body.until))
            }
            Command::ExcludeSelf(body) => {
                format!("{account} excludes itself {}", until(body.until))
            }
            Command::SetExchange(..)
            | Command::SetDiscount(_)
            | Command::LapseOrders(_)
            | Command::PlaceOrders(..)
            | Command::CancelOrders(..)
            | Command::ReplaceOrders(..)
            | Command::UpdateOrders(..) => exchange::asked(actor, account, &self.command),
            Command::ConfirmHold(body) => format!(
                "{actor} says that the wallet holds {} for {}, its number {}",
                body.amount, body.bet, body.reference
            ),
            Command::ReleaseHold(body) => {
                format!("{actor} says that the wallet does not hold the stake of {}", body.bet)
            }
            Command::DefineFixture(_, names) => {
                format!("{actor} defines fixture \"{}\"", names.first())
            }
            Command::DefineMarket(body, names) => format!(
                "{actor} defines market \"{}\" with {} selections, priced by {}{}",
                names.first(),
                body.selections,
                feed(body.feed),
                kept_in(body.group, body.tier, body.canary)
            ),
            Command::OpenMarket(body) => format!("{actor} opens {}", body.market),
            Command::CloseMarket(body) => format!("{actor} closes {}", body.market),
            Command::ArchiveMarket(body) => format!("{actor} archives {}", body.market),
            Command::Suspend(body) => format!(
                "{actor} suspends {} for the {}",
                level(body.level, body.id, body.selection),
                owner(body.owner)
            ),
            Command::Release(body) => format!(
                "{actor} releases {} for the {}",
                level(body.level, body.id, body.selection),
                owner(body.owner)
            ),
            Command::WithdrawSelection(body) => {
                let what = if body.withdrawn == 1 { "withdraws" } else { "brings back" };
                let deducts = match (body.deduct, body.price.is_none()) {
                    (0, _) => String::new(),
                    (_, true) => ", winnings are reduced by its price in force".into(),
                    (_, false) => format!(", winnings are reduced by its price {}", body.price),
                };
                let factor = exchange::factor(body.factor);
                format!("{actor} {what} {} {}{deducts}{factor}", body.market, body.selection)
            }
            Command::MarketResult(body, entries) => {
                let of = |form| entries.iter().filter(move |e| e.form() == form);
                let won: Vec<String> =
                    of(ResultForm::Win).map(|e| e.selection.to_string()).collect();
                let won = if won.is_empty() { "nobody".into() } else { won.join(" ") };
                let mut said = vec![format!("{won} won")];
                let void = of(ResultForm::Void).count();
                if void != 0 {
                    said.push(format!("{void} void"));
                }
                let special =
                    entries.iter().filter(|e| ResultForm::Void < e.form() || e.rule4 != 0);
                said.extend(special.map(|e| format!("{} {}", e.selection, result(&e))));
                let sure = if body.certainty == 1 { ", seen live" } else { "" };
                format!("{actor} gives the result of {}: {}{sure}", body.market, said.join(", "))
            }
            Command::SetLimits(body) => {
                let scope = match LimitScope::from_code(body.scope) {
                    Some(LimitScope::Market) => body.market.to_string(),
                    Some(LimitScope::Currency) | None => "every market".into(),
                };
                format!(
                    "{actor} limits {scope} in {}: stakes {} to {}, payout {}, liability {}, of a \
                     selection {}, of an event {}, to a customer {}",
                    currency(body.currency),
                    body.limits.min_stake,
                    body.limits.max_stake,
                    body.limits.max_payout,
                    body.limits.max_liability,
                    body.limits.max_selection,
                    body.limits.max_event,
                    body.limits.max_customer
                )
            }
            Command::BlockAccount(body) => {
                let what = if body.blocked == 1 { "blocks" } else { "lets in" };
                format!("{actor} {what} {}", body.account)
            }
            Command::LiftQuarantine(body) => {
                format!("{actor} lets request {} of {} in again", body.key, party(body.account))
            }
            Command::Reprice(body, entries) => {
                let (model, version) = (body.model_name(), body.model_version);
                let age = match input_age(body, &self.header) {
                    Some(age) => format!(", inputs {} old", span(age)),
                    None => String::new(),
                };
                let (who, given) = (feed(body.feed), parameters(body));
                let many = counted(entries.iter().len() as u64, "price");
                let fixture = body.fixture;
                format!("{who} reprices {fixture} by {model} {version}{age} ({given}): {many}")
            }
            Command::SetPrices(body, entries) => {
                const SHOWN: usize = 6;
                let prices = entries.iter().take(SHOWN);
                let prices: Vec<String> =
                    prices.map(|e| format!("{} {}", e.selection, e.price)).collect();
                let more = entries.iter().len().saturating_sub(SHOWN);
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                let who =
                    if body.feed == FeedId::MANUAL { actor.to_string() } else { feed(body.feed) };
                format!("{who} prices {}: {}{more}", body.market, prices.join(", "))
            }
            Command::FeedHeartbeat(body) => format!("{} is alive", feed(body.feed)),
            Command::FeedGap(body) => match body.connection {
                1 => format!("the connection of {} was lost", feed(body.feed)),
                _ => format!("{} has missed something", feed(body.feed)),
            },
            Command::FeedRecovered(body) => {
                format!("{} has sent everything again{}", feed(body.feed), request(body.request))
            }
            Command::FeedRecovering(body) => {
                let request = request(body.request);
                format!("{} was asked to send everything again{request}", feed(body.feed))
            }
            Command::OpenAccount(body) => {
                format!(
                    "customer {} opens an account in {}{}",
                    body.reference,
                    currency(body.currency),
                    purse(body.purse, body.synthetic)
                )
            }
            Command::Deposit(body) => format!("{account} deposits {}", body.amount),
            Command::Withdraw(body) => format!("{account} withdraws {}", body.amount),
            Command::Place(body) => format!(
                "{account} asks for {} on {} {} {}",
                body.stake,
                body.market,
                body.selection,
                wish(body.price, body.policy, body.slippage)
            ),
            Command::PlaceTicket(body, legs) => {
                let legs: Vec<String> = legs
                    .iter()
                    .map(|leg| {
                        let wish = wish(leg.price, body.policy, body.slippage);
                        format!("{} {} {wish}", leg.market, leg.selection)
                    })
                    .collect();
                let (kind, money) =
                    (lines(body), if body.bonus == 1 { " of bonus money" } else { "" });
                let each = if body.stake_kind == StakeKind::Unit as u8 { " a line" } else { "" };
                let floor = match body.floor {
                    0 => String::new(),
                    floor => format!(
                        ", together at least {}",
                        WirePrice { e4: u32::try_from(floor).unwrap_or(u32::MAX), num: 0, den: 0 }
                    ),
                };
                format!(
                    "{account} asks for {}{each}{money} on a {kind}: {}{floor}",
                    body.stake,
                    legs.join(", ")
                )
            }
            Command::CashOut(body) => {
                let part = match body.take {
                    Minor(0) => String::new(),
                    take => format!("{take} of "),
                };
                format!(
                    "{account} asks to sell {part}{} {}",
                    body.bet,
                    worth(body.accept, body.policy, body.slippage)
                )
            }
            Command::SetAutoCashOut(body) => match body.value {
                Minor(0) => format!("{account} does not sell {} by itself any more", body.bet),
                value => format!("{account} sells {} as soon as it is worth {value}", body.bet),
            },
            Command::PublishRules(_, sets) => {
                let named = sets.iter().next().map_or(String::new(), |set| {
                    set.name.text().map_or(String::new(), |name| format!(" \"{name}\""))
                });
                format!("{actor} publishes the rules{named}")
            }
            Command::SetInPlay(body) => match body.in_play {
                1 => {
                    format!("{actor} turns {} in-play: bets wait {}", body.market, span(body.delay))
                }
                _ => format!("{actor} turns {} back: bets wait {}", body.market, span(body.delay)),
            },
            Command::AnswerReferral(body, prices) => {
                let what = match ReferralAnswer::from_code(body.answer) {
                    Some(ReferralAnswer::Accept) => "accepts",
                    Some(ReferralAnswer::Counter) => "makes another offer for",
                    Some(ReferralAnswer::Decline) => "declines",
                    None => "answers",
                };
                let stake = match body.stake {
                    Minor(0) => String::new(),
                    stake => format!(", {stake}"),
                };
                let given = prices.iter().filter(|price| !price.price.is_none());
                let given: Vec<String> =
                    given.map(|e| format!(", leg {} at {}", 1 + e.selection.0, e.price)).collect();
                format!("{actor} {what} {}{stake}{}", body.bet, given.concat())
            }
            Command::FreezeCashOut(body) => {
                let what = if body.frozen == 1 { "freezes" } else { "allows" };
                format!(
                    "{actor} {what} cash-outs of {} for the {}",
                    level(body.level, body.id, SelectionIndex(0)),
                    owner(body.owner)
                )
            }
            Command::CancelBets(body) => {
                let what = if body.cancel == 1 { "voids" } else { "does not void any more" };
                let window = window(body.from, body.until);
                format!("{actor} {what} the bets of {}{window}", body.market)
            }
            Command::RollbackResult(body) => {
                format!("{actor} takes the result of {} back", body.market)
            }
            Command::CancelBet(body) => {
                let what = if body.cancel == 1 { "voids" } else { "does not void any more" };
                format!("{actor} {what} {}", body.bet)
            }
            Command::CorrectPrice(body) => match body.price.is_none() {
                true => format!("{actor} settles leg {} of {} as bound", 1 + body.leg, body.bet),
                false => format!(
                    "{actor} settles leg {} of {} at {}",
                    1 + body.leg,
                    body.bet,
                    body.price
                ),
            },
            Command::Adjust(body) => {
                let bet = if body.bet == BetId::NONE {
                    String::new()
                } else {
                    format!(" for {}", body.bet)
                };
                format!("{actor} adjusts {} by {}{bet}", body.account, body.amount)
            }
            Command::GrantBonus(body) => {
                format!("{actor} gives {} {} for free bets", body.account, body.amount)
            }
            Command::AcceptOffer(body) => format!("{account} takes the offer {}", body.bet),
            Command::DeclineOffer(body) => format!("{account} declines the offer {}", body.bet),
            Command::Resolve(_) => {
                format!(
                    "what became of request {} of {}?",
                    self.header.key,
                    party(self.header.account)
                )
            }
        }
    }

    /// What the events say beyond the answer, where that is the point of the record.
    fn came_of_it(&self) -> Option<String> {
        let refused = self.answer().is_some_and(|answer| answer.kind() == AnswerKind::Refused);
        if refused {
            return None;
        }
        let mut said = Vec::new();
        let (mut settled, mut paid, mut confirmed, mut orders) = (0_u64, 0_i64, 0_u64, 0_usize);
        for event in &self.events {
            match event {
                Event::BetOpened(bet) => said.push(format!(
                    "{} at {} ({}, {} old), returns {}",
                    bet.bet,
                    bet.price,
                    bet.version,
                    span(bet.price_age),
                    bet.returns
                )),
                Event::TicketOpened(bet) => {
                    said.push(format!("{} is open, returns at most {}", bet.bet, bet.returns));
                }
                Event::LegBound(leg) => said.push(format!(
                    "leg {} at {} ({}, {} old)",
                    1 + leg.leg,
                    leg.price,
                    leg.version,
                    span(leg.price_age)
                )),
                Event::BetOffered(bet) => said.push(format!(
                    "offered {} at {} ({}, {} old) until {}",
                    bet.bet,
                    bet.price,
                    bet.version,
                    span(bet.price_age),
                    utc(bet.until)
                )),
                Event::BetSettled(bet) => {
                    settled += 1;
                    paid = paid.saturating_add(bet.paid.0);
                    if settled <= 3 {
                        said.push(event_words(event));
                    }
                }
                _ if exchange::is_of_many(event) => {
                    orders += 1;
                    if orders <= exchange::SHOWN {
                        said.push(event_words(event));
                    }
                }
                Event::PriceSet(price) if price.held == 1 => said.push(event_words(event)),
                Event::PriceSet(price) => {
                    confirmed += 1;
                    if confirmed == 1 {
                        said.push(format!("version {}", price.version));
                    }
                }
                Event::Answered(_) | Event::Transfer(_) | Event::RunBegan(_) => (),
                Event::EventHash(_) | Event::FeedHeard(_) => (),
                Event::LevelSuspended(e) => said.push(format!("held by {}", owners(e.owners))),
                Event::LevelReleased(e) => said.push(format!("held by {}", owners(e.owners))),
                other => said.push(event_words(other)),
            }
        }
        if 3 < settled {
            said.truncate(3);
            said.push(format!("{settled} bets in all, {} paid", Minor(paid)));
        }
        if exchange::SHOWN < orders {
            said.push(format!("{} more of orders and positions", orders - exchange::SHOWN));
        }
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// What an answer says, in words.
pub(crate) fn outcome(answer: &Answer) -> String {
    match (answer.kind(), answer.reject()) {
        (AnswerKind::Refused, Some(Reject::StalePrice)) => {
            format!("refused: StalePrice, {} old", span(answer.age()))
        }
        (AnswerKind::Refused, _) => format!("refused: {answer}"),
        (AnswerKind::NeverPlaced, _) => "never placed, and now it never will be".into(),
        (AnswerKind::Started, _) => format!("job {} has begun", JobId(answer.id)),
        _ => answer.to_string(),
    }
}

/// The bet that an event is about.
pub(crate) fn bet_of(event: &Event) -> Option<BetId> {
    let bet = match event {
        Event::BetOpened(e) => e.bet,
        Event::BetOffered(e) => e.bet,
        Event::OfferEnded(e) => e.bet,
        Event::BetSettled(e) => e.bet,
        Event::Transfer(e) => e.bet,
        Event::TicketOpened(e) => e.bet,
        Event::LegBound(e) => e.bet,
        Event::BetPending(e) => e.bet,
        Event::BetRejected(e) => e.bet,
        Event::BetReversed(e) => e.bet,
        Event::LegDecided(e) => e.bet,
        Event::CashOutPending(e) => e.bet,
        Event::CashOutFailed(e) => e.bet,
        Event::BetCashedOut(e) => e.bet,
        Event::CashOutLeg(e) => e.bet,
        Event::AutoCashOutSet(e) => e.bet,
        Event::PriceCorrected(e) => e.bet,
        Event::BetCancelled(e) => e.bet,
        Event::HoldRequested(e) => e.bet,
        Event::HoldConfirmed(e) => e.bet,
        Event::HoldEnded(e) => e.bet,
        _ => return None,
    };
    (bet != BetId::NONE).then_some(bet)
}

/// An event, in words.
pub(crate) fn event_words(event: &Event) -> String {
    match event {
        Event::Answered(e) => {
            let sealed = if e.sealed == 1 { ", sealed" } else { "" };
            format!(
                "request {} of {} is answered{sealed}: {}",
                e.key,
                party(e.account),
                outcome(&e.answer)
            )
        }
        Event::BetOpened(e) => format!(
            "{} of {} is open: {} on {} {} at {} ({}, {} old, {}), returns {}; asked for {}",
            e.bet,
            e.account,
            e.stake,
            e.market,
            e.selection,
            e.price,
            e.version,
            span(e.price_age),
            basis(e.basis),
            e.returns,
            wish(e.requested, e.policy, e.slippage)
        ),
        Event::BetOffered(e) => format!(
            "{} of {} is offered: {} on {} {} at {} ({}, {} old) until {}; asked for {}",
            e.bet,
            e.account,
            e.stake,
            e.market,
            e.selection,
            e.price,
            e.version,
            span(e.price_age),
            utc(e.until),
            wish(e.requested, e.policy, e.slippage)
        ),
        Event::OfferEnded(e) => {
            let why = OfferEnd::from_code(e.why).map_or("ended".into(), |why| lower(&why));
            format!("the offer {} of {} is {why}", e.bet, e.account)
        }
        Event::BetSettled(e) => {
            let again = match e.version {
                0 | 1 => String::new(),
                version => format!(" (settlement {version})"),
            };
            format!("{} of {} {}, paid {}{again}", e.bet, e.account, came_out(e.outcome), e.paid)
        }
        Event::BetReversed(e) => format!(
            "settlement {} of {} is taken back: it was {}, {} paid",
            e.version,
            e.bet,
            came_out(e.outcome),
            e.paid
        ),
        Event::TicketOpened(e) => format!(
            "{} of {} is open: {} on {} legs in {} lines ({}), returns at most {}",
            e.bet,
            e.account,
            e.stake,
            e.legs,
            e.lines,
            basis(e.basis),
            e.returns
        ),
        Event::LegBound(e) => format!(
            "leg {} of {}: {} {} at {} ({}, {} old); asked for {}",
            1 + e.leg,
            e.bet,
            e.market,
            e.selection,
            e.price,
            e.version,
            span(e.price_age),
            e.requested
        ),
        Event::BetPending(e) => {
            let why = match PendingWhy::from_code(e.why) {
                Some(PendingWhy::Delay) => "the end of the delay",
                Some(PendingWhy::Referral) => "a trader",
                Some(PendingWhy::Wallet) => "its wallet",
                Some(PendingWhy::CashOut) | None => "its decision",
            };
            format!(
                "{} of {} waits for {why}, until {}: {}",
                e.bet,
                e.account,
                utc(e.until),
                e.stake
            )
        }
        Event::BetRejected(e) => format!(
            "{} of {} is refused after its wait: {}",
            e.bet,
            e.account,
            reject_named(e.reject)
        ),
        Event::LegDecided(e) => match e.decided {
            0 => format!("leg {} of {} is open again", 1 + e.leg, e.bet),
            _ => format!(
                "leg {} of {} is decided: {}",
                1 + e.leg,
                e.bet,
                shares(e.win, e.place, e.void, e.rule4)
            ),
        },
        Event::CashOutPending(e) => format!(
            "the sale of {} of {} waits until {}; now it is worth {}",
            e.take,
            e.bet,
            utc(e.until),
            e.value
        ),
        Event::CashOutFailed(e) => {
            format!("{} is not sold: {}", e.bet, reject_named(e.reject))
        }
        Event::BetCashedOut(e) => {
            let left = match e.left {
                Minor(0) => String::new(),
                left => format!(", {left} stays open"),
            };
            let auto = if e.auto == 1 { " by itself" } else { "" };
            format!("{} of {} is sold{auto} for {}{left}", e.stake, e.bet, e.paid)
        }
        Event::CashOutLeg(e) => format!(
            "leg {} of {} is bought back at {} ({}, {} old)",
            1 + e.leg,
            e.bet,
            e.price,
            e.version,
            span(e.price_age)
        ),
        Event::AutoCashOutSet(e) => match e.value {
            Minor(0) => format!("{} is not sold by itself", e.bet),
            value => format!("{} is sold by itself at {value}", e.bet),
        },
        Event::PriceCorrected(e) => {
            format!("leg {} of {} settles at {} instead of {}", 1 + e.leg, e.bet, e.to, e.from)
        }
        Event::BetCancelled(e) => {
            format!("{} is {}", e.bet, if e.cancelled == 1 { "void" } else { "not void any more" })
        }
        Event::WindowChanged(e) => {
            let what = if e.cancelled == 1 { "void" } else { "not void any more" };
            format!(
                "the bets of {}{} are {what} by job {}",
                e.market,
                window(e.from, e.until),
                e.job
            )
        }
        Event::ResultRolledBack(e) => {
            format!(
                "{} has no result any more, settlement {} by job {}",
                e.market, e.settlement, e.job
            )
        }
        Event::InPlayChanged(e) => {
            let what = if e.in_play == 1 { "in-play" } else { "not in-play" };
            format!("{} is {what}, bets wait {}", e.market, span(e.delay))
        }
        Event::CashOutFrozen(e) => {
            let what = if e.frozen == 1 { "frozen" } else { "allowed" };
            format!(
                "cash-outs of {} are {what} for the {}, frozen by {}",
                level(e.level, e.id, SelectionIndex(0)),
                owner(e.owner),
                owners(e.owners)
            )
        }
        Event::RulesPublished(e) => format!("rules {} apply from here on", e.ruleset),
        Event::DebtChanged(e) => {
            format!("{} owes {} {}", e.account, e.debt, currency(e.currency))
        }
        Event::ResultNoted(e) => format!("the result of {} is noted, not settled", e.market),
        Event::Transfer(e) => {
            let why = TransferWhy::from_code(e.why).map_or("moved".into(), |why| lower(&why));
            let bet = if e.bet == BetId::NONE { String::new() } else { format!(" for {}", e.bet) };
            let code = currency(e.currency);
            format!("{} {code} from {} to {} ({why}{bet})", e.amount, e.from, e.to)
        }
        Event::AccountOpened(e) => {
            let (code, purse) = (currency(e.currency), purse(e.purse, e.synthetic));
            format!("{} of customer {} is open in {code}{purse}", e.account, e.reference)
        }
        Event::AccountChanged(e) => {
            format!("{} is {}", e.account, if e.blocked == 1 { "blocked" } else { "let in" })
        }
        Event::MarketDefined(e) => {
            let kept = kept_in(e.group, e.tier, e.canary);
            format!("{} exists, {} selections, {}{kept}", e.market, e.selections, feed(e.feed))
        }
        Event::MarketChanged(e) => {
            let status = MarketStatus::from_code(e.status).map_or("changed".into(), |s| lower(&s));
            format!("{} is {status}", e.market)
        }
        Event::LevelSuspended(e) => format!(
            "{} is suspended for the {}, held by {}",
            level(e.level, e.id, e.selection),
            owner(e.owner),
            owners(e.owners)
        ),
        Event::LevelReleased(e) => format!(
            "{} is released for the {}, held by {}",
            level(e.level, e.id, e.selection),
            owner(e.owner),
            owners(e.owners)
        ),
        Event::PriceSet(e) => {
            let of = format!("{} {}", e.market, e.selection);
            let by = if e.drives == 1 { "" } else { ", which stands by" };
            let feed = feed(e.feed);
            match (e.held, e.steps) {
                (1, _) => format!("{of} at {} by {feed} is held back: not plausible", e.quoted),
                (_, 0) => format!("{of} is at {} ({}) by {feed}{by}", e.price, e.version),
                (_, steps) => format!(
                    "{of} is at {} ({}) by {feed}{by}, which sent {}: shortened by {} of liability",
                    e.price,
                    e.version,
                    e.quoted,
                    counted(steps.into(), "band")
                ),
            }
        }
        Event::FeedChanged(e) => {
            let status = FeedStatus::from_code(e.status).map_or("changed".into(), |s| lower(&s));
            format!("{} is {status}: it {}", feed(e.feed), feed_why(e.why))
        }
        Event::GroupDefined(e) => {
            format!("{} is priced by {}, {} stands by", e.group, feed(e.primary), feed(e.backup))
        }
        Event::FeedSwitched(e) => format!("{} is priced by {}", e.group, feed(e.feed)),
        Event::TierSet(e) => format!("tier {} is set", e.tier),
        Event::TierAssigned(e) => format!("{} is in tier {}", e.market, e.tier),
        Event::PricePinned(e) => {
            let what = if e.pinned == 1 { "pinned" } else { "its feed's again" };
            format!("{} {} is {what}, at {} ({})", e.market, e.selection, e.price, e.version)
        }
        Event::DriftChanged(e) => match e.over {
            1 => format!(
                "the feeds of {} are too far apart: {} by {} ppm",
                e.market,
                e.selection,
                Count(e.ppm.into())
            ),
            _ => format!("the feeds of {} are together again", e.market),
        },
        Event::PriceStepped(e) => match e.steps {
            0 => format!(
                "{} {} is at {} ({}) by {}, not shortened any more",
                e.market,
                e.selection,
                e.price,
                e.version,
                feed(e.feed)
            ),
            steps => format!(
                "{} {} is at {} ({}) by {}, shortened by {} of liability",
                e.market,
                e.selection,
                e.price,
                e.version,
                feed(e.feed),
                counted(steps.into(), "band")
            ),
        },
        Event::StakeFactorChanged(e) => {
            format!("the largest stake {} is scaled to {} %", scope(e.scope, e.id), e.percent)
        }
        Event::SheddingSet(e) => match Shed::from_code(e.mode) {
            Some(Shed::Off) => "no load is shed".into(),
            Some(Shed::Auto) => "load is shed while the engine is behind".into(),
            Some(Shed::On) => "load is shed".into(),
            None => "load is shed as the configuration says".into(),
        },
        Event::AccountLimitChanged(e) => format!(
            "{} has a limit from {} on: {}",
            e.account,
            utc(e.from),
            own_limit(e.kind, e.period, e.amount)
        ),
        Event::AccountExcluded(e) => format!("{} is excluded {}", e.account, until(e.until)),
        Event::HoldRequested(e) => {
            let bind = match HoldBind::from_code(e.bind) {
                Some(HoldBind::AtPlace) => "bound now",
                Some(HoldBind::AtConfirm) | None => "bound when it is confirmed",
            };
            let (code, until) = (currency(e.currency), utc(e.until));
            format!(
                "the wallet is asked to hold {} {code} for {} until {until}, {bind}",
                e.amount, e.bet
            )
        }
        Event::HoldConfirmed(e) => {
            format!("the wallet holds {} for {}, its number {}", e.amount, e.bet, e.reference)
        }
        Event::HoldEnded(e) => {
            let why = match HoldEnd::from_code(e.why) {
                Some(HoldEnd::TimedOut) => "the wallet did not answer in time",
                Some(HoldEnd::Released) => "the wallet does not hold it",
                Some(HoldEnd::Refused) => "the bet could not be taken any more",
                None => "it ended",
            };
            format!("the hold of {} for {} is over: {why}", e.amount, e.bet)
        }
        Event::FeedHeard(e) => format!("{} was heard", feed(e.feed)),
        Event::SelectionChanged(e) => {
            let what = if e.withdrawn == 1 { "withdrawn" } else { "back" };
            format!("{} {} is {what}", e.market, e.selection)
        }
        Event::ResultRecorded(e) => {
            format!("{} has a result, settlement {} by job {}", e.market, e.settlement, e.job)
        }
        Event::JobStarted(e) => format!("job {} on {} begins: {}", e.job, e.market, job(e.kind)),
        Event::JobEnded(e) => {
            let of = match JobKind::from_code(e.kind) {
                Some(JobKind::Turn | JobKind::Lapse | JobKind::NonRunner) => "orders",
                _ => "bets",
            };
            format!("job {} on {} ends: {} of {} {of}", e.job, e.market, job(e.kind), e.bets)
        }
        Event::Named(e) => match Kind::from_code(e.kind) {
            Some(Kind::DefineFeed) => format!("it is F{}", e.id),
            Some(Kind::DefineFixture) => format!("it is {}", FixtureId::from_raw(e.id)),
            Some(Kind::DefineGroup) => format!("it is {}", GroupId(e.id as u16)),
            _ => format!("it is {}", ActorId(e.id)),
        },
        Event::LimitsChanged(e) => format!("limits in {} apply", currency(e.currency)),
        Event::KeysForgotten(e) => format!("{} keys are forgotten", e.count),
        Event::QuarantineChanged(e) => {
            let what = if e.held == 1 { "set aside" } else { "let in" };
            format!("request {} of {} is {what}", e.key, party(e.account))
        }
        Event::EventHash(e) => format!("{} events so far hash to {:016x}", e.events, e.hash),
        Event::RunBegan(e) => format!("run {} has begun", e.epoch),
        Event::ExchangeSet(_)
        | Event::DiscountSet(_)
        | Event::OrderPlaced(_)
        | Event::OrderBegan(_)
        | Event::OrderMatched(_)
        | Event::OrderCut(_)
        | Event::OrderChanged(_)
        | Event::ExposureHeld(_)
        | Event::StartingPrice(_)
        | Event::OrderReduced(_)
        | Event::PositionSettled(_)
        | Event::PositionReversed(_)
        | Event::ExchangeCleared(_) => exchange::words(event),
    }
}

/// How a bet came out.
pub(crate) fn came_out(code: u8) -> String {
    match BetOutcome::from_code(code) {
        Some(BetOutcome::Partial) => "won in part".into(),
        Some(BetOutcome::CashedOut) => "sold".into(),
        Some(outcome) => lower(&outcome),
        None => "settled".into(),
    }
}

fn reject_named(code: u8) -> String {
    Reject::from_code(code).map_or(format!("refusal {code}"), |reject| reject.name().to_owned())
}

/// How old the oldest input of a model was when the engine got its prices; none if the command does not say.
fn input_age(body: &Reprice, header: &Header) -> Option<Nanos> {
    let known = body.as_of != Timestamp(0);
    known.then(|| header.received.since(body.as_of).or_zero())
}

/// What a model was given: in words for the model that we know, else as the record has it.
fn parameters(body: &Reprice) -> String {
    let all = body.parameters;
    match football(body) {
        Some(([home, away, shared, rho], [scored, conceded])) => {
            let shared = match shared {
                0.0 => String::new(),
                shared => format!(", {shared:.2} of both together"),
            };
            format!("means {home:.2} and {away:.2}{shared}, rho {rho:.3}, at {scored}-{conceded}")
        }
        None => {
            let hex: Vec<String> = all.iter().map(|one| format!("{one:x}")).collect();
            format!("parameters {}", hex.join(" "))
        }
    }
}

/// The means of home, away and both together and rho, and the goals, of the model of football. A record of another
/// version, or with what is no number, is not read so.
fn football(body: &Reprice) -> Option<([f64; 4], [u64; 2])> {
    let [home, away, shared, rho, scored, conceded] = body.parameters;
    let is_known = body.model_name() == "football" && body.model_version == 1;
    let floats = [home, away, shared, rho].map(f64::from_bits);
    let good = floats[0] > 0.0 && floats[1] > 0.0 && floats.iter().all(|one| one.is_finite());
    (is_known && good).then_some((floats, [scored, conceded]))
}

/// A repricing for machines: the model, its version, the moment of its oldest input, and what it was given.
pub(crate) fn repricing_json(told: &Told<'_>) -> Option<serde_json::Value> {
    let Command::Reprice(body, entries) = &told.command else { return None };
    let parameters = match football(body) {
        Some(([home, away, shared, rho], [scored, conceded])) => json!({
            "home_mean": home, "away_mean": away, "shared_mean": shared, "rho": rho,
            "home_goals": scored, "away_goals": conceded,
        }),
        None => {
            let hex = body.parameters.iter().map(|one| format!("{one:016x}"));
            json!(hex.collect::<Vec<String>>())
        }
    };
    Some(json!({
        "model": body.model_name(), "model_version": body.model_version,
        "as_of_ns": (body.as_of != Timestamp(0)).then_some(body.as_of.0),
        "as_of": (body.as_of != Timestamp(0)).then(|| utc(body.as_of)),
        "input_age_ns": input_age(body, &told.header).map(|age| age.0),
        "parameters": parameters, "prices": entries.iter().len(),
    }))
}

/// What became of a selection, as a result says it.
pub(crate) fn result(entry: &ResultEntry) -> String {
    let deducted = match entry.rule4 {
        0 => String::new(),
        pence => format!(", {pence} pence a pound deducted"),
    };
    match entry.form() {
        ResultForm::Shares => shares(entry.win, entry.place, entry.void, entry.rule4),
        ResultForm::Position => match entry.win {
            [position, 1] => format!("finished {position}{deducted}"),
            [position, tied] => {
                format!("finished {position}, with {tied} in a dead heat{deducted}")
            }
        },
        form => format!("{}{deducted}", lower(&form)),
    }
}

fn shares(win: [u16; 2], place: [u16; 2], void: [u16; 2], rule4: u8) -> String {
    let share = |[num, den]: [u16; 2]| match (num, den) {
        (0, _) => "nothing".into(),
        (num, den) if num == den => "all".into(),
        (num, den) => format!("{num}/{den}"),
    };
    let mut said = match (win, place, void) {
        ([0, _], [0, _], [0, _]) => "loses".to_owned(),
        _ => {
            let (win, place, void) = (share(win), share(place), share(void));
            format!("{win} wins, {place} places, {void} is void")
        }
    };
    if rule4 != 0 {
        said.push_str(&format!(", {rule4} pence a pound deducted"));
    }
    said
}

/// The lines of a ticket, by the name that people have for them.
pub(crate) fn lines(body: &PlaceTicket) -> String {
    let Some(shape) = body.shape() else { return "ticket".into() };
    let name = match shape.with_each_way(EachWay::No).name() {
        Some(name) => name.to_lowercase(),
        None => format!("system of {} legs", shape.legs()),
    };
    let ways = match shape.each_way() {
        EachWay::No => "",
        EachWay::WinToWin => ", each way",
        EachWay::EquallyDivided => ", each way, equally divided",
    };
    format!("{name} of {}{ways}", counted(shape.lines(), "line"))
}

/// What a customer asked for a bet that is sold back.
fn worth(accept: Minor, policy: u8, slippage: u16) -> String {
    match PricePolicy::from_code(policy) {
        Some(PricePolicy::Exact) => format!("for {accept} exactly"),
        Some(PricePolicy::Better) => format!("for {accept} or more"),
        Some(PricePolicy::Within) => {
            format!("for {accept} or at most {slippage} ten-thousandths less")
        }
        Some(PricePolicy::Any) | None => "for whatever it is worth".into(),
    }
}

fn window(from: Timestamp, until: Timestamp) -> String {
    let is_open = |at: Timestamp| at.0 == 0 || at == Timestamp::MIN || at == Timestamp::MAX;
    match (is_open(from), is_open(until)) {
        (true, true) => String::new(),
        (false, true) => format!(" placed from {} on", utc(from)),
        (true, false) => format!(" placed before {}", utc(until)),
        (false, false) => format!(" placed from {} to {}", utc(from), utc(until)),
    }
}

/// What a customer asked for.
pub(crate) fn wish(price: WirePrice, policy: u8, slippage: u16) -> String {
    match PricePolicy::from_code(policy) {
        Some(PricePolicy::Exact) => format!("at {price} exactly"),
        Some(PricePolicy::Better) => format!("at {price} or better"),
        Some(PricePolicy::Within) => {
            let (whole, part) = (slippage / 100, slippage % 100);
            let part = if part == 0 { String::new() } else { format!(".{part:02}") };
            format!("at {price} or at most {whole}{part} % lower")
        }
        Some(PricePolicy::Any) if price.is_none() => "at any price".into(),
        Some(PricePolicy::Any) => format!("at any price, {price} seen"),
        None => format!("at {price} by policy {policy}"),
    }
}

/// A span with one decimal, in the unit that keeps a whole part.
pub(crate) fn span(span: Nanos) -> String {
    let ns = span.0;
    let (unit, name) = match ns.unsigned_abs() {
        1_000_000_000.. => (1_000_000_000, "s"),
        1_000_000.. => (1_000_000, "ms"),
        1_000.. => (1_000, "us"),
        _ => return format!("{ns} ns"),
    };
    let (whole, tenth) = (ns / unit, (ns % unit * 10 / unit).unsigned_abs());
    if tenth == 0 { format!("{whole} {name}") } else { format!("{whole}.{tenth} {name}") }
}

/// So many of something: `1 run`, `1,234 runs`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", Count(count))
}

/// A bet as people name it: `B7`, or only its number.
pub(crate) fn bet_named(text: &str) -> Result<BetId, String> {
    let bare = text.starts_with(|c: char| c.is_ascii_digit());
    let named = if bare { format!("B{text}") } else { text.to_owned() };
    named.parse().map_err(|_| {
        format!("`{text}` is not a bet: write B7, or B7.2 for the second use of its place")
    })
}

/// An order by its name, the letter left out or not.
pub(crate) fn order_named(text: &str) -> Result<OrderId, String> {
    let bare = text.starts_with(|c: char| c.is_ascii_digit());
    let named = if bare { format!("O{text}") } else { text.to_owned() };
    named.parse().map_err(|_| {
        format!("`{text}` is not an order: write O7, or O7.2 for the second use of its place")
    })
}

/// A moment as a date, UTC, to the microsecond.
pub(crate) fn utc(at: Timestamp) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(at.0)) {
        Ok(moment) => format!("{moment:.6}"),
        Err(_) => at.to_string(),
    }
}

/// Whose request: a customer's account has a generation in its upper half, an actor's number does not.
pub(crate) fn party(account: u64) -> String {
    match account {
        0 => "nobody yet".into(),
        actor if actor >> 32 == 0 => ActorId(actor).to_string(),
        account => AccountId::from_raw(account).to_string(),
    }
}

/// Who holds a suspension: one bit an owner.
pub(crate) fn owners(held: u8) -> String {
    let names = Owner::ALL.iter().filter(|owner| held & 1 << **owner as u8 != 0);
    let names: Vec<String> = names.map(|owner| owner.to_string().to_lowercase()).collect();
    if names.is_empty() { "nobody".into() } else { names.join(" and ") }
}

/// A currency's code, or its number if we do not know it.
pub(crate) fn currency(number: u16) -> String {
    Currency::from_numeric(number).map_or(format!("currency {number}"), |c| c.to_string())
}

/// Which basis a bet has.
pub(crate) fn basis(code: u8) -> String {
    use betring_core::answer::Basis;
    match Basis::from_code(code) {
        Some(Basis::InForce) => "in force".into(),
        Some(Basis::Offer) => "as offered".into(),
        Some(Basis::Trader) => "given by a trader".into(),
        Some(Basis::Held) => "held for the wallet".into(),
        None => format!("basis {code}"),
    }
}

fn lower(name: &dyn std::fmt::Display) -> String {
    name.to_string().to_lowercase()
}

/// What somebody does to shedding.
pub(crate) fn shedding(code: u8) -> String {
    match Shed::from_code(code) {
        Some(mode) => format!("turns shedding {}", lower(&mode)),
        None => "gives shedding back to the configuration".into(),
    }
}

fn job(code: u8) -> &'static str {
    match JobKind::from_code(code) {
        Some(JobKind::Settle) => "settlement",
        Some(JobKind::Archive) => "archiving",
        Some(JobKind::Rollback) => "rollback",
        Some(JobKind::Cancel) => "cancel",
        Some(JobKind::Turn) => "turn in-play",
        Some(JobKind::Lapse) => "lapse",
        Some(JobKind::NonRunner) => "withdrawal",
        None => "unknown work",
    }
}

fn feed(feed: FeedId) -> String {
    if feed == FeedId::MANUAL { "a person".into() } else { feed.to_string() }
}

fn owner(code: u8) -> String {
    Owner::from_code(code).map_or(format!("owner {code}"), |owner| lower(&owner))
}

fn level(code: u8, id: u64, selection: SelectionIndex) -> String {
    match Level::from_code(code) {
        Some(Level::Engine) => "everything".into(),
        Some(Level::Feed) => format!("all markets of F{id}"),
        Some(Level::Fixture) => format!("all markets of {}", FixtureId::from_raw(id)),
        Some(Level::Market) => MarketId::from_raw(id).to_string(),
        Some(Level::Group) => format!("all markets of {}", GroupId(id as u16)),
        Some(Level::Selection) => format!("{} {selection}", MarketId::from_raw(id)),
        None => format!("level {code} of {id}"),
    }
}

/// What a feed did, or what befell it.
pub(crate) fn feed_why(code: u8) -> &'static str {
    match FeedWhy::from_code(code) {
        Some(FeedWhy::Start) => "has to send everything",
        Some(FeedWhy::Silence) => "was silent for too long",
        Some(FeedWhy::Gap) => "has missed something",
        Some(FeedWhy::Recovered) => "has sent everything again",
        Some(FeedWhy::Connection) => "has lost its connection",
        Some(FeedWhy::Schema) => "sends another version than expected",
        Some(FeedWhy::Asked) => "was asked to send everything again",
        Some(FeedWhy::Slow) => "takes too long with its messages",
        Some(FeedWhy::InTime) => "is in time again",
        Some(FeedWhy::SchemaSet) => "has a version that is expected from here on",
        None => "changed for no known reason",
    }
}

/// What a tier bounds, and what it does.
fn tier(body: &SetTier) -> String {
    let mut said = Vec::new();
    let percent = |ppm: u32| format!("{}.{:02} %", ppm / 10_000, ppm % 10_000 / 100);
    if body.age_bound != Nanos::ZERO {
        said.push(format!("prices at most {} old", span(body.age_bound)));
    }
    if body.cash_out_age != Nanos::ZERO {
        said.push(format!("{} for cash-outs", span(body.cash_out_age)));
    }
    if body.drift_band != 0 {
        let (band, dwell) = (percent(body.drift_band), span(body.drift_dwell));
        said.push(format!("feeds at most {band} apart for {dwell}"));
    }
    if body.price_band != 0 {
        said.push(format!("a price leaps by at most {}", percent(body.price_band)));
    }
    match LiabilityAct::from_code(body.act) {
        Some(LiabilityAct::Step) => said.push(format!(
            "every {} % of liability takes {}, suspended after {}",
            body.band,
            counted(body.ticks.into(), "tick"),
            body.steps
        )),
        Some(LiabilityAct::Suspend) => {
            said.push(format!("suspended at {} % of liability", body.band));
        }
        Some(LiabilityAct::No) | None => (),
    }
    if said.is_empty() { " to bound nothing".into() } else { format!(": {}", said.join(", ")) }
}

/// Where a market belongs, behind what it is.
fn kept_in(group: GroupId, tier: u8, canary: u8) -> String {
    let group = if group == GroupId::NONE { String::new() } else { format!(", in {group}") };
    let tier = if tier == 0 { String::new() } else { format!(", tier {tier}") };
    format!("{group}{tier}{}", if canary == 1 { ", a canary" } else { "" })
}

fn purse(purse: u8, synthetic: u8) -> String {
    let external = purse == Purse::External as u8;
    let kept = if external { ", its money in an external wallet" } else { "" };
    format!("{kept}{}", if synthetic == 1 { ", for probes" } else { "" })
}

fn request(request: u64) -> String {
    if request == 0 { String::new() } else { format!(", request {request}") }
}

fn until(at: Timestamp) -> String {
    if at == Timestamp::MAX { "for good".into() } else { format!("until {}", utc(at)) }
}

/// What a factor of the largest stake applies to.
fn scope(code: u8, id: u64) -> String {
    match FactorScope::from_code(code) {
        Some(FactorScope::Engine) => "of everything".into(),
        Some(FactorScope::Feed) => format!("on markets of F{id}"),
        Some(FactorScope::Fixture) => format!("on {}", FixtureId::from_raw(id)),
        Some(FactorScope::Market) => format!("on {}", MarketId::from_raw(id)),
        Some(FactorScope::Tier) => format!("on markets of tier {id}"),
        Some(FactorScope::Account) => format!("of {}", AccountId::from_raw(id)),
        None => format!("of scope {code}, {id}"),
    }
}

/// One of an account's own limits.
fn own_limit(kind: u8, period: u8, amount: Minor) -> String {
    let what = LimitKind::from_code(kind).map_or(format!("kind {kind}"), |kind| lower(&kind));
    let by = Period::from_code(period).map_or(format!("period {period}"), |p| lower(&p));
    match amount {
        Minor(0) => format!("no {what} limit by the {by}"),
        most => format!("a {what} of at most {most} by the {by}"),
    }
}

/// The names behind the handles, as far as the records so far have given them.
#[derive(Default)]
pub(crate) struct Names {
    actors: HashMap<u64, String>,
    feeds: HashMap<u64, String>,
    fixtures: HashMap<u64, String>,
    groups: HashMap<u64, String>,
    markets: HashMap<u64, Vec<String>>,
}

impl Names {
    /// Learns what a record names.
    pub(crate) fn learn(&mut self, told: &Told<'_>) {
        let names = match &told.command {
            Command::RegisterActor(_, names)
            | Command::DefineFeed(_, names)
            | Command::DefineFixture(_, names)
            | Command::DefineGroup(_, names)
            | Command::DefineMarket(_, names) => names,
            _ => return,
        };
        for event in &told.events {
            match event {
                Event::Named(named) => {
                    let table = match told.kind {
                        Kind::DefineFeed => &mut self.feeds,
                        Kind::DefineFixture => &mut self.fixtures,
                        Kind::DefineGroup => &mut self.groups,
                        _ => &mut self.actors,
                    };
                    table.insert(named.id, names.first().to_owned());
                }
                Event::MarketDefined(market) => {
                    let all = names.iter().map(str::to_owned).collect();
                    self.markets.insert(market.market.raw(), all);
                }
                _ => (),
            }
        }
    }

    /// The actor's name.
    pub(crate) fn actor(&self, id: u64) -> String {
        self.actors.get(&id).map_or_else(|| ActorId(id).to_string(), |name| format!("\"{name}\""))
    }

    /// The feed's name.
    pub(crate) fn feed(&self, id: FeedId) -> String {
        match self.feeds.get(&u64::from(id.0)) {
            Some(name) => format!("feed \"{name}\""),
            None if id == FeedId::MANUAL => "a person".into(),
            None => id.to_string(),
        }
    }

    /// The fixture's name.
    pub(crate) fn fixture(&self, id: FixtureId) -> String {
        let name = self.fixtures.get(&id.raw());
        name.map_or_else(|| id.to_string(), |name| format!("\"{name}\""))
    }

    /// The group's name.
    pub(crate) fn group(&self, id: GroupId) -> String {
        let name = self.groups.get(&u64::from(id.0));
        name.map_or_else(|| id.to_string(), |name| format!("group \"{name}\""))
    }

    /// The market's name with its handle.
    pub(crate) fn market(&self, id: MarketId) -> String {
        match self.markets.get(&id.raw()).and_then(|names| names.first()) {
            Some(name) => format!("{id} \"{name}\""),
            None => id.to_string(),
        }
    }

    /// The selection's name.
    pub(crate) fn selection(&self, market: MarketId, selection: SelectionIndex) -> String {
        let names = self.markets.get(&market.raw());
        match names.and_then(|names| names.get(1 + usize::from(selection.0))) {
            Some(name) => format!("\"{name}\""),
            None => selection.to_string(),
        }
    }
}
