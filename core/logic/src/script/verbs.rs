//! Every verb of the test language: what it reads from its line, and the command it gives.

use super::tickets;
use super::words::{self, Unreadable, Words};
use super::{Envelope, Runner, Said, Stop, TRADER, key_of, labelled, money};
use crate::answer::AnswerKind;
use crate::command::*;
use crate::event::HouseAccount;
use crate::id::*;
use crate::rules::Rules;
use crate::time::{Nanos, Timestamp};
use crate::wire::{self, Header, Minor, WirePrice};
use betring_pricing::{Currency, RoundingMode};
use zerocopy::IntoBytes;

/// Every verb, in the order of the language's table.
const VERBS: [&str; 103] = [
    "house",
    "actor",
    "feed",
    "group",
    "tier",
    "fixture",
    "market",
    "assign",
    "open",
    "close",
    "archive",
    "switch",
    "schema",
    "suspend",
    "release",
    "non-runner",
    "runner",
    "result",
    "limits",
    "limit",
    "factor",
    "shedding",
    "block",
    "unblock",
    "exclude",
    "confirm",
    "release-hold",
    "quarantine",
    "lift",
    "rules",
    "in-play",
    "referral",
    "freeze",
    "unfreeze",
    "cancel",
    "uncancel",
    "rollback",
    "void",
    "unvoid",
    "correct",
    "adjust",
    "grant",
    "prices",
    "reprice",
    "quote",
    "pin",
    "unpin",
    "take",
    "heartbeat",
    "gap",
    "recovering",
    "recovered",
    "account",
    "fund",
    "deposit",
    "withdraw",
    "place",
    "ticket",
    "accept",
    "decline",
    "own-limit",
    "exclude-self",
    "cash-out",
    "auto-cash-out",
    "resolve",
    "retry",
    "restart",
    "manual",
    "auto",
    "step",
    "tick",
    "balance",
    "bonus",
    "bet",
    "stake",
    "leg",
    "value",
    "exposure",
    "reach",
    "liability",
    "customer",
    "price",
    "drift",
    "bands",
    "events",
    "digest",
    "exchange",
    "discount",
    "lapse",
    "order",
    "cancel-orders",
    "replace-orders",
    "update-orders",
    "sizes",
    "held",
    "stands",
    "net",
    "depth",
    "traded",
    "virtual",
    "starting",
    "version",
    "cleared",
];

impl<R: Rules> Runner<R> {
    /// Reads one line behind its time and does what it says.
    pub(super) fn verb(&mut self, verb: &str, words: &mut Words) -> Result<Said, Stop> {
        match verb {
            "house" if words.peek().is_some_and(|w| house_account(w).is_some()) => {
                self.ask_house(words)
            }
            "house" => self.house(words),
            "restart" => self.restart(words),
            "manual" | "auto" => {
                self.auto = verb == "auto";
                if !words.take("steps") {
                    return Err(Unreadable::new(verb, "`manual steps` or `auto steps`").into());
                }
                nothing(words)
            }
            "step" => {
                let budget = words
                    .maybe()
                    .map_or(Ok(self.genesis.step_budget), |b| words::number::<u16>(&b))?;
                words.done()?;
                let now = self.now;
                self.desk()?.step(now, budget).map(|()| Said::Nothing)
            }
            "tick" => {
                words.done()?;
                let now = self.now;
                self.desk()?.tick(now).map(|()| Said::Nothing)
            }

            "actor" => self.actor(words),
            "feed" if self.is_question(words) => self.ask_feed(words),
            "feed" => self.define_feed(words),
            "group" if words.len() == 1 => self.ask_group(words),
            "group" => self.define_group(words),
            "tier" => self.tier(words),
            "assign" => self.assign(words),
            "switch" => self.switch(words),
            "schema" => self.schema(words),
            "fixture" => self.define_fixture(words),
            "market" if self.is_question(words) => self.ask_market(words),
            "market" => self.define_market(words),
            "open" => self.market_verb(words, |valid_until, reason, market| {
                Given::Open(OpenMarket { valid_until, reason, market, ..OpenMarket::default() })
            }),
            "close" => self.market_verb(words, |valid_until, reason, market| {
                Given::Close(CloseMarket { valid_until, reason, market, ..CloseMarket::default() })
            }),
            "archive" => self.market_verb(words, |valid_until, reason, market| {
                let body =
                    ArchiveMarket { valid_until, reason, market, ..ArchiveMarket::default() };
                Given::Archive(body)
            }),
            "suspend" | "release" => self.suspension(verb == "suspend", words),
            "non-runner" | "runner" => self.non_runner(verb == "non-runner", words),
            "result" => self.result(words),
            "limits" => self.limits_of(words),
            "block" | "unblock" => self.block(verb == "block", words),
            "limit" => self.limit(words),
            "factor" => self.factor(words),
            "shedding" => self.shedding(words),
            "exclude" => self.exclude(words),
            "confirm" => self.confirm(words),
            "release-hold" => self.release_hold(words),
            "quarantine" => self.quarantine(words),
            "lift" => self.lift(words),
            "rules" => self.rules(words),
            "in-play" => self.in_play(words),
            "referral" => self.referral(words),
            "freeze" | "unfreeze" => self.freeze(verb == "freeze", words),
            "cancel" | "uncancel" => self.cancel(verb == "cancel", words),
            "rollback" => self.rollback(words),
            "void" | "unvoid" => self.void(verb == "void", words),
            "correct" => self.correct(words),
            "adjust" => self.adjust(words),
            "grant" => self.grant(words),
            "prices" => self.prices(words),
            "reprice" => self.reprice(words),
            "quote" => self.quote(words),
            "pin" | "unpin" | "take" => self.trader_price(verb, words),
            "heartbeat" | "gap" | "recovering" | "recovered" => self.feed_message(verb, words),

            "exchange" => self.exchange(words),
            "discount" => self.discount(words),
            "lapse" => self.lapse(words),
            "order" => self.order(words),
            "cancel-orders" => self.cancel_orders(words),
            "replace-orders" => self.replace_orders(words),
            "update-orders" => self.update_orders(words),
            "sizes" => self.ask_sizes(words),
            "held" => self.ask_held(words),
            "stands" => self.ask_stands(words),
            "net" => self.ask_net(words),
            "depth" => self.ask_depth(words),
            "traded" => self.ask_traded(words),
            "virtual" => self.ask_virtual(words),
            "starting" => self.ask_starting(words),
            "version" => self.ask_version(words),
            "cleared" => self.ask_cleared(words),

            "account" => self.open_account(words),
            "fund" => self.fund(words),
            "deposit" | "withdraw" => self.cash(verb == "deposit", words),
            "place" => self.place(words),
            "ticket" => self.ticket(words),
            "cash-out" => self.cash_out(words),
            "auto-cash-out" => self.auto_cash_out(words),
            "accept" | "decline" => self.offer(verb == "accept", words),
            "own-limit" => self.own_limit(words),
            "exclude-self" => self.exclude_self(words),
            "resolve" => self.resolve(words),
            "retry" => self.retry(words),

            "balance" => self.ask_balance(words),
            "bonus" => self.ask_bonus(words),
            "bet" => self.ask_bet(words),
            "stake" => self.ask_stake(words),
            "leg" => self.ask_leg(words),
            "value" => self.ask_value(words),
            "reach" => self.ask_reach(words),
            "exposure" => self.ask_exposure(words),
            "liability" => self.ask_liability(words),
            "customer" => self.ask_customer(words),
            "price" => self.ask_price(words),
            "drift" => self.ask_drift(words),
            "bands" => self.ask_bands(words),
            "events" => {
                words.done()?;
                let told = self.desk()?.told().join(" ");
                Ok(Said::Text(if told.is_empty() { "none".to_owned() } else { told }))
            }
            "digest" => {
                words.done()?;
                self.desk()?.compare_replay()?;
                Ok(Said::Text("same-as-replay".to_owned()))
            }
            _ => {
                let plain = |verb: &str| verb.replace(['-', '_'], "").to_lowercase();
                let meant = VERBS.iter().find(|known| plain(known) == plain(verb));
                let all = || format!("one of the verbs {}", VERBS.join(", "));
                let expected = meant.map_or_else(all, |meant| format!("`{meant}`"));
                Err(Unreadable::new(verb, expected).into())
            }
        }
    }

    /// `market M1 -> …` and `feed F1 -> …` ask; with more words, or for a new label, they define.
    fn is_question(&self, words: &Words) -> bool {
        words.len() == 1
            && words.peek().is_some_and(|label| {
                self.markets.contains_key(label) || self.feeds.contains_key(label)
            })
    }

    // ---- the engine's own ----

    fn house(&mut self, words: &mut Words) -> Result<Said, Stop> {
        if self.desk.is_some() {
            return Err("a house is set up before everything else".to_owned());
        }
        if let Some(window) = words.option("window")? {
            self.genesis.window = words::span(&window)?;
        }
        if let Some(age) = words.option("age")? {
            self.genesis.age_bound = words::span(&age)?;
        }
        if let Some(ttl) = words.option("ttl")? {
            self.genesis.offer_ttl = words::span(&ttl)?;
        }
        if let Some(what) = words.option("on-failure")? {
            self.genesis.price_failure = match what.as_str() {
                "refuse" => PriceFailure::Refuse as u8,
                "offer" => PriceFailure::Offer as u8,
                _ => return Err(Unreadable::new(what, "refuse or offer").into()),
            };
        }
        if let Some(mode) = words.option("rounding")? {
            let mode: RoundingMode = mode
                .parse()
                .map_err(|_| Unreadable::new(mode, "down, up, half-up or half-even"))?;
            self.genesis.rounding = rounding_code(mode);
        }
        if let Some(budget) = words.option("budget")? {
            self.genesis.step_budget = words::number(&budget)?;
        }
        self.genesis.limits = limits(words, self.genesis.limits)?;
        self.capacities = capacities(words, self.capacities)?;
        nothing(words)?;
        self.desk().map(|_| Said::Nothing)
    }

    fn restart(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let capacities = capacities(words, self.capacities)?;
        words.done()?;
        let now = self.now;
        self.desk()?.restart(now, capacities)?;
        self.capacities = capacities;
        Ok(Said::Nothing)
    }

    fn quarantine(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let account = self.who(&words.next("an account like A7, or an actor")?)?;
        let key = key_of(&words.next("a key like R1")?)?;
        words.done()?;
        let body = Quarantine { account, key, ..Quarantine::default() };
        self.submit(wire::slot(Header::default(), &body).as_bytes().to_vec()).map(Said::Reply)
    }

    /// The number in a header that a label stands for.
    fn who(&self, label: &str) -> Result<u64, Unreadable> {
        match labelled(label, 'A', "an account") {
            Ok(_) => self.account_of(label).map(|id| id.raw()),
            Err(_) => Ok(self.actor_of(label).0),
        }
    }

    // ---- control ----

    fn actor(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        self.desk()?;
        let name = words.next("a name")?;
        words.done()?;
        let (header, valid_until) = self.keyed(0, envelope.key.as_deref(), &envelope)?;
        let body =
            RegisterActor { valid_until, reason: envelope.reason, ..RegisterActor::default() };
        let slots = build::register_actor(header, body, &name).map_err(|what| what.to_string())?;
        let reply = self.send("actor", envelope.key.as_deref(), &slots)?;
        if reply.answer.kind() == AnswerKind::Done {
            self.actors.insert(name, ActorId(reply.answer.id));
        }
        Ok(Said::Reply(reply))
    }

    fn define_feed(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let silence =
            words.option("silence")?.map_or(Ok(Nanos::from_secs(10)), |s| words::span(&s))?;
        let delay = words.option("delay")?.map_or(Ok(Nanos::ZERO), |s| words::span(&s))?;
        let schema = words.option("schema")?.map_or(Ok(0), |s| words::number(&s))?;
        let name = words.option("named")?;
        let label = words.next("a feed like F1")?;
        labelled(&label, 'F', "a feed like F1")?;
        words.done()?;
        let body = DefineFeed {
            valid_until,
            reason: envelope.reason,
            schema,
            silence_bound: silence,
            delay_bound: delay,
            ..DefineFeed::default()
        };
        let name = name.unwrap_or_else(|| label.clone());
        let slots = build::define_feed(header, body, &name).map_err(|what| what.to_string())?;
        let reply = self.send(&who, envelope.key.as_deref(), &slots)?;
        if reply.answer.kind() == AnswerKind::Done {
            let id = u16::try_from(reply.answer.id).map_err(|_| "a feed's number is 16 bits")?;
            self.feeds.insert(label, FeedId(id));
        }
        Ok(Said::Reply(reply))
    }

    fn define_fixture(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let starts = match words.option("starts")? {
            Some(text) => super::START.plus(words::span(&text)?),
            None => Timestamp(0),
        };
        let name = words.option("named")?;
        let label = words.next("a fixture like X1")?;
        labelled(&label, 'X', "a fixture like X1")?;
        words.done()?;
        let body = DefineFixture {
            valid_until,
            reason: envelope.reason,
            starts,
            ..DefineFixture::default()
        };
        let name = name.unwrap_or_else(|| label.clone());
        let slots = build::define_fixture(header, body, &name).map_err(|what| what.to_string())?;
        let reply = self.send(&who, envelope.key.as_deref(), &slots)?;
        if reply.answer.kind() == AnswerKind::Done {
            self.fixtures.insert(label, FixtureId::from_raw(reply.answer.id));
        }
        Ok(Said::Reply(reply))
    }

    fn define_market(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let feed = words.option("feed")?;
        let group = words.option("group")?.map_or(Ok(GroupId::NONE), |g| self.group_of(&g))?;
        // A market of a group is priced by its primary, unless the line says otherwise.
        let primary = self.desk()?.state().group(group).map_or(FeedId::MANUAL, |view| view.primary);
        let feed = feed.map_or(Ok(primary), |f| self.feed_of(&f))?;
        let tier = words.option("tier")?.map_or(Ok(0), |t| words::number(&t))?;
        let fixture = words.option("fixture")?;
        let fixture = fixture.map_or(Ok(FixtureId::NONE), |x| self.fixture_of(&x))?;
        let bound = words.option("bound")?.map_or(Ok(Nanos::ZERO), |b| words::span(&b))?;
        let winners = words.option("winners")?.map_or(Ok(1), |w| words::number(&w))?;
        let exchange = words.flag("exchange");
        let canary = words.flag("canary");
        let each_way = words.option("each-way")?;
        let each_way =
            each_way.map_or(Ok((EachWayOffer::No, 0, 0, 0)), |e| tickets::each_way(&e))?;
        let (each_way, places, place_num, place_den) = each_way;
        let label = words.next("a market like M1")?;
        labelled(&label, 'M', "a market like M1")?;
        let name = words.next("the market's name")?;
        let mut selections = Vec::new();
        while let Some(selection) = words.maybe() {
            selections.push(selection);
        }
        let body = DefineMarket {
            valid_until,
            reason: envelope.reason,
            feed,
            winners,
            fixture,
            age_bound: bound,
            kind: if exchange { MarketKind::Exchange } else { MarketKind::Fixed } as u8,
            each_way: each_way as u8,
            places,
            place_num,
            place_den,
            canary: u8::from(canary),
            tier,
            group,
            ..DefineMarket::default()
        };
        let names: Vec<&str> = selections.iter().map(String::as_str).collect();
        let slots = build::define_market(header, body, &name, &names)
            .map_err(|what| format!("the market cannot be written as a command: {what}"))?;
        let reply = self.send(&who, envelope.key.as_deref(), &slots)?;
        if reply.answer.kind() == AnswerKind::Done {
            self.markets.insert(label.clone(), MarketId::from_raw(reply.answer.id));
            self.shapes.insert(label, (feed, selections));
        }
        Ok(Said::Reply(reply))
    }

    fn market_verb(
        &mut self,
        words: &mut Words,
        give: impl Fn(Timestamp, u32, MarketId) -> Given,
    ) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let key = envelope.key.as_deref();
        match give(valid_until, envelope.reason, market) {
            Given::Open(body) => self.plain(&who, key, header, &body),
            Given::Close(body) => self.plain(&who, key, header, &body),
            Given::Archive(body) => self.plain(&who, key, header, &body),
        }
    }

    fn suspension(&mut self, suspend: bool, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let (level, id, selection, owner) = self.level_of(words)?;
        let (level, owner, reason) = (level as u8, owner as u8, envelope.reason);
        let key = envelope.key.as_deref();
        if suspend {
            let body =
                Suspend { valid_until, reason, level, owner, selection, id, ..Suspend::default() };
            self.plain(&who, key, header, &body)
        } else {
            let body =
                Release { valid_until, reason, level, owner, selection, id, ..Release::default() };
            self.plain(&who, key, header, &body)
        }
    }

    fn non_runner(&mut self, out: bool, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let deduct = out && words.flag("deduct");
        let price = words.option("price")?.map_or(Ok(WirePrice::NONE), |p| words::price(&p))?;
        let factor = words
            .option("factor")?
            .map_or(Ok(0), |text| words::share(&text, "a reduction factor like 16.2%"))?;
        let label = words.next("a market like M1")?;
        let market = self.market_of(&label)?;
        let selection = self.selection_of(&label, &words.next("a selection")?)?;
        words.done()?;
        let body = WithdrawSelection {
            valid_until,
            reason: envelope.reason,
            selection,
            withdrawn: u8::from(out),
            deduct: u8::from(deduct),
            market,
            price,
            factor,
            ..WithdrawSelection::default()
        };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    fn result(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let certainty = words.option("certainty")?.map_or(Ok(0), |c| words::number(&c))?;
        let source = moment(words, "source")?;
        let label = words.next("a market like M1")?;
        let market = self.market_of(&label)?;
        let mut entries: Vec<ResultEntry> = Vec::new();
        let mut named = Vec::new();
        let mut void = false;
        while let Some(word) = words.maybe() {
            if let Some((name, outcome)) = word.split_once(':') {
                let selection = self.selection_of(&label, name)?;
                entries.push(tickets::outcome(selection, outcome)?);
            } else if word == "void" {
                void = true;
            } else {
                let outcome = if void { SelectionOutcome::Void } else { SelectionOutcome::Win };
                named.push((word, outcome));
            }
        }
        if entries.is_empty() {
            let count = self.shapes.get(&label).map_or(2, |(_, names)| names.len());
            let mut outcomes = vec![SelectionOutcome::Lose; count];
            for (name, outcome) in named {
                if name == "all" {
                    outcomes.fill(outcome);
                    continue;
                }
                let at = usize::from(self.selection_of(&label, &name)?.0);
                let place = outcomes
                    .get_mut(at)
                    .ok_or_else(|| Unreadable::new(&name, format!("a selection of {label}")))?;
                *place = outcome;
            }
            let entry = |(at, o): (usize, &_)| ResultEntry::new(SelectionIndex(at as u16), *o);
            entries = outcomes.iter().enumerate().map(entry).collect();
        } else if let Some((name, _)) = named.first() {
            return Err(Unreadable::new(name, "every selection as NAME:win, :lose or :void").into());
        }
        let body = MarketResult {
            valid_until,
            reason: envelope.reason,
            certainty,
            market,
            source,
            ..MarketResult::default()
        };
        let slots = build::result(header, body, &entries)
            .map_err(|what| format!("the result cannot be written as a command: {what}"))?;
        self.send(&who, envelope.key.as_deref(), &slots).map(Said::Reply)
    }

    fn limits_of(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let limits = limits(words, self.genesis.limits)?;
        let first = words.next("a currency like GBP, or a market like M1")?;
        let (scope, market, currency) = match first.starts_with('M') && first.len() != 3 {
            true => {
                let code = words.next("a currency like GBP")?;
                (LimitScope::Market, self.market_of(&first)?, currency(&code)?)
            }
            false => (LimitScope::Currency, MarketId::NONE, currency(&first)?),
        };
        words.done()?;
        let body = SetLimits {
            valid_until,
            reason: envelope.reason,
            scope: scope as u8,
            currency: currency.numeric(),
            market,
            limits,
            ..SetLimits::default()
        };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    fn block(&mut self, blocked: bool, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let account = self.account_of(&words.next("an account like A7")?)?;
        words.done()?;
        let body = BlockAccount {
            valid_until,
            reason: envelope.reason,
            blocked: u8::from(blocked),
            account,
            ..BlockAccount::default()
        };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    fn lift(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let account = self.who(&words.next("an account like A7, or an actor")?)?;
        let key = key_of(&words.next("a key like R1")?)?;
        words.done()?;
        let body = LiftQuarantine {
            valid_until,
            reason: envelope.reason,
            account,
            key,
            ..LiftQuarantine::default()
        };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    // ---- prices ----

    fn prices(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let feed = words.option("feed")?;
        let feed_seq = words.option("seq")?.map_or(Ok(0), |s| words::number(&s))?;
        let source = moment(words, "source")?;
        let as_of = moment(words, "as-of")?;
        let schema = words.option("schema")?.map_or(Ok(0), |s| words::number(&s))?;
        let label = words.next("a market like M1")?;
        let market = self.market_of(&label)?;
        let feed = match feed {
            Some(feed) => self.feed_of(&feed)?,
            None => self.shapes.get(&label).map_or(FeedId::MANUAL, |(feed, _)| *feed),
        };
        let prices = self.selection_prices(&label, words)?;
        words.done()?;
        let entry = |(selection, price)| PriceEntry::new(selection, price);
        let entries: Vec<PriceEntry> = prices.into_iter().map(entry).collect();
        let (who, header, valid_until) = if feed == FeedId::MANUAL {
            self.control(&envelope)?
        } else {
            let (who, header) = self.feed_header(&envelope)?;
            (who, header, Timestamp(0))
        };
        let body = SetPrices {
            valid_until,
            reason: envelope.reason,
            feed,
            market,
            feed_seq,
            source,
            as_of,
            schema,
            ..SetPrices::default()
        };
        let slots = build::set_prices(header, body, &entries)
            .map_err(|what| format!("the prices cannot be written as a command: {what}"))?;
        self.send(&who, envelope.key.as_deref(), &slots).map(Said::Reply)
    }

    /// Up to the end or a plus: in order, or by name.
    fn selection_prices(
        &mut self,
        market: &str,
        words: &mut Words,
    ) -> Result<Vec<(SelectionIndex, WirePrice)>, Stop> {
        let mut prices = Vec::new();
        while words.peek().is_some_and(|word| word != "+")
            && let Some(word) = words.maybe()
        {
            let named = !words::is_price(&word);
            let (selection, price) = if named {
                let price = words.next("a price")?;
                (self.selection_of(market, &word)?, price)
            } else {
                (SelectionIndex(prices.len() as u16), word)
            };
            let price = if price == "-" { WirePrice::NONE } else { words::price(&price)? };
            prices.push((selection, price));
        }
        Ok(prices)
    }

    /// `reprice X1 feed F1 M1 2.10 3.40 3.60 + M2 Over 1.90 …`: all prices of a fixture that a model made.
    fn reprice(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let feed = words.option("feed")?.unwrap_or_else(|| "F1".to_owned());
        let feed = self.feed_of(&feed)?;
        let feed_seq = words.option("seq")?.map_or(Ok(0), |s| words::number(&s))?;
        let source = moment(words, "source")?;
        let as_of = moment(words, "as-of")?;
        let schema = words.option("schema")?.map_or(Ok(0), |s| words::number(&s))?;
        let model = words.option("model")?.unwrap_or_else(|| "model".to_owned());
        let model_version = words.option("version")?.map_or(Ok(0), |s| words::number(&s))?;
        let model = Reprice::named(&model).map_err(|what| what.to_string())?;
        let label = words.next("a fixture like X1")?;
        let fixture = self.fixture_of(&label)?;
        let mut entries = Vec::new();
        loop {
            let label = words.next("a market like M1")?;
            let market = self.market_of(&label)?;
            let prices = self.selection_prices(&label, words)?;
            let entry = |(selection, price)| RepriceEntry::new(market, selection, price);
            entries.extend(prices.into_iter().map(entry));
            if !words.take("+") {
                break;
            }
        }
        words.done()?;
        entries.sort_by_key(|entry| (entry.market.raw(), entry.selection));
        let (who, header) = self.feed_header(&envelope)?;
        let body = Reprice {
            reason: envelope.reason,
            feed,
            fixture,
            feed_seq,
            source,
            as_of,
            schema,
            model_version,
            model,
            ..Reprice::default()
        };
        let slots = build::reprice(header, body, &entries)
            .map_err(|what| format!("the prices cannot be written as a command: {what}"))?;
        self.send(&who, envelope.key.as_deref(), &slots).map(Said::Reply)
    }

    /// A message of a feed has no key and no time limit; the adapter that brings it is an actor.
    pub(super) fn feed_header(&mut self, envelope: &Envelope) -> Result<(String, Header), Stop> {
        self.desk()?;
        let who = envelope.by.clone().unwrap_or_else(|| TRADER.to_owned());
        let received = Timestamp(self.now.0.saturating_sub(envelope.waited.0));
        let key = envelope.key.as_deref().map_or(Ok(RequestKey::NONE), key_of)?;
        let account = self.actor_of(&who).0;
        Ok((who, Header { account, key, received, ..Header::default() }))
    }

    fn quote(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let label = words.peek().unwrap_or_default().to_owned();
        let known = self.markets.contains_key(&label);
        if !known && labelled(&label, 'M', "a market like M1").is_ok() {
            let prices = (words.len() - 1).max(2);
            let names: Vec<String> = (1..=prices).map(|n| n.to_string()).collect();
            let mut define = Words::of([vec![label.clone(), label.clone()], names].concat());
            self.must(|runner| runner.define_market(&mut define))?;
            let mut open = Words::of(vec![label]);
            self.must(|runner| runner.verb("open", &mut open))?;
        }
        self.prices(words)
    }

    /// Implicit set-up: it may not be refused.
    fn must(
        &mut self,
        step: impl FnOnce(&mut Runner<R>) -> Result<Said, Stop>,
    ) -> Result<(), Stop> {
        match step(self)? {
            Said::Reply(reply) if reply.answer.reject().is_some() => {
                Err(format!("the set-up of this line was refused: {}", self.say(&reply)))
            }
            _ => Ok(()),
        }
    }

    // ---- customers ----

    fn open_account(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        self.desk()?;
        let reference = words.option("reference")?;
        let (wallet, probe) = (words.flag("wallet"), words.flag("probe"));
        let label = words.next("an account like A7")?;
        let number = labelled(&label, 'A', "an account like A7")?;
        let currency = words.maybe().map_or(Ok(Currency::GBP), |c| currency(&c))?;
        words.done()?;
        let reference = reference.map_or(Ok(u64::from(number)), |r| words::number(&r))?;
        let (header, valid_until) = self.keyed(0, envelope.key.as_deref(), &envelope)?;
        let body = OpenAccount {
            valid_until,
            reference,
            currency: currency.numeric(),
            purse: if wallet { Purse::External } else { Purse::Own } as u8,
            synthetic: u8::from(probe),
            ..OpenAccount::default()
        };
        let said = self.plain("account", envelope.key.as_deref(), header, &body)?;
        if let Said::Reply(reply) = &said
            && reply.answer.kind() == AnswerKind::Done
        {
            self.accounts.insert(label, AccountId::from_raw(reply.answer.id));
        }
        Ok(said)
    }

    fn fund(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        self.desk()?;
        let label = words.next("an account like A7")?;
        let amount = words::amount(&words.next("an amount like 100.00")?)?;
        let code = words.maybe();
        words.done()?;
        if !self.accounts.contains_key(&label) {
            let mut open = vec![label.clone()];
            open.extend(code);
            self.must(|runner| runner.open_account(&mut Words::of(open)))?;
        }
        let account = self.account_of(&label)?;
        let (header, valid_until) = self.keyed(account.raw(), None, &envelope)?;
        let body = Deposit { valid_until, amount, ..Deposit::default() };
        self.plain(&label, None, header, &body)
    }

    fn cash(&mut self, into: bool, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (key, label, account) = self.customer(words)?;
        let amount = words::amount(&words.next("an amount like 10.00")?)?;
        words.done()?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        if into {
            let body = Deposit { valid_until, amount, ..Deposit::default() };
            self.plain(&label, Some(&key), header, &body)
        } else {
            let body = Withdraw { valid_until, amount, ..Withdraw::default() };
            self.plain(&label, Some(&key), header, &body)
        }
    }

    /// A customer's key and account.
    pub(super) fn customer(
        &mut self,
        words: &mut Words,
    ) -> Result<(String, String, AccountId), Stop> {
        self.desk()?;
        let key = words.next("a key like R1")?;
        key_of(&key)?;
        let label = words.next("an account like A7")?;
        let account = self.account_of(&label)?;
        Ok((key, label, account))
    }

    fn place(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let within = words.option("within")?;
        let seen = words.option("seen")?.map_or(Ok(0), |v| words::number(&v))?;
        let (key, who, account) = self.customer(words)?;
        let target = words.next("a market like M1, or a selection like M1/Draw")?;
        let (label, selection) = target.split_once('/').unwrap_or((&target, "1"));
        let market = self.market_of(label)?;
        let selection = self.selection_of(label, selection)?;
        let stake = words::amount(&words.next("a stake like 10.00")?)?;
        let price = match words.peek() {
            Some(word) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                words::price(&words.next("a price")?)?
            }
            _ => WirePrice::NONE,
        };
        let policy = tickets::policy_of(words, &within)?;
        words.done()?;
        let slippage = within.map_or(Ok(0), |text| words::share(&text, words::SLIPPAGE))?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let body = Place {
            valid_until,
            market,
            stake,
            version: PriceVersion(seen),
            price,
            selection,
            slippage,
            policy: policy as u8,
            ..Place::default()
        };
        self.plain(&who, Some(&key), header, &body)
    }

    fn offer(&mut self, accept: bool, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (key, who, account) = self.customer(words)?;
        let bet = self.bet_of(&words.next("a bet like B1")?)?;
        words.done()?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        if accept {
            let body = AcceptOffer { valid_until, bet, ..AcceptOffer::default() };
            self.plain(&who, Some(&key), header, &body)
        } else {
            let body = DeclineOffer { valid_until, bet, ..DeclineOffer::default() };
            self.plain(&who, Some(&key), header, &body)
        }
    }

    fn resolve(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        self.desk()?;
        let label = words.next("an account like A7, or an actor")?;
        let account = self.who(&label)?;
        let key = words.next("a key like R1")?;
        words.done()?;
        let (header, valid_until) = self.keyed(account, Some(&key), &envelope)?;
        let body = Resolve { valid_until, ..Resolve::default() };
        // It carries the key of another request: what `retry` sends again stays that request.
        self.plain(&label, None, header, &body)
    }

    fn retry(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let waited = words.option("waited")?.map_or(Ok(Nanos::ZERO), |w| words::signed_span(&w))?;
        let who = words.next("an account like A7, or an actor")?;
        let key = words.next("a key like R1")?;
        words.done()?;
        let Some(sent) = self.sent.get(&(who.clone(), key.clone())) else {
            return Err(format!("nothing was sent by {who} under {key} yet"));
        };
        let mut bytes = sent.clone();
        let flags = u16::from_le_bytes([bytes[2], bytes[3]]) | Header::RETRY;
        bytes[2..4].copy_from_slice(&flags.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.now.0.saturating_sub(waited.0).to_le_bytes());
        self.submit(bytes).map(Said::Reply)
    }

    // ---- questions ----

    fn ask_balance(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let label = words.next("an account like A7")?;
        words.done()?;
        let id = self.account_of(&label)?;
        let view = self.desk()?.state().account(id);
        let view = view.ok_or_else(|| format!("there is no account {label}"))?;
        Ok(Said::Text(money(i128::from(view.balance.0))))
    }

    fn ask_house(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let account =
            house_account(&words.next("World, Escrow, House, Rounding, Promotions or Probes")?)
                .ok_or("checked by the caller")?;
        let currency = currency(&words.next("a currency like GBP")?)?;
        words.done()?;
        let balance = self.desk()?.state().house(account, currency);
        Ok(Said::Text(money(balance)))
    }

    fn ask_exposure(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let market = self.market_of(&words.next("a market like M1")?)?;
        let currency = currency(&words.next("a currency like GBP")?)?;
        words.done()?;
        let exposure = self.desk()?.state().exposure(market, currency);
        Ok(Said::Text(exposure.map_or_else(|| "none".to_owned(), |e| money(e.worst))))
    }

    fn ask_market(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let state = self.desk()?.state();
        let status = state.market(market).map(|view| view.status.to_string());
        Ok(Said::Text(status.unwrap_or_else(|| "Archived".to_owned())))
    }

    fn ask_bet(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let bet = self.asked_bet(words)?;
        words.done()?;
        let state = self.desk()?.state();
        let view = state.bet(bet);
        let said = view.map_or_else(|| "Archived".to_owned(), |view| tickets::standing(&view));
        Ok(Said::Text(said))
    }
}

/// A command that names only a market.
enum Given {
    Open(OpenMarket),
    Close(CloseMarket),
    Archive(ArchiveMarket),
}

pub(super) fn nothing(words: &Words) -> Result<Said, Stop> {
    words.done()?;
    Ok(Said::Nothing)
}

fn house_account(name: &str) -> Option<HouseAccount> {
    HouseAccount::ALL.iter().copied().find(|h| h.to_string() == name)
}

pub(super) fn currency(code: &str) -> Result<Currency, Unreadable> {
    code.parse().map_err(|_| Unreadable::new(code, "a currency like GBP"))
}

/// A moment counted from the script's start, or none.
pub(super) fn moment(words: &mut Words, name: &str) -> Result<Timestamp, Unreadable> {
    match words.option(name)? {
        Some(text) => Ok(super::START.plus(words::span(&text)?)),
        None => Ok(Timestamp(0)),
    }
}

fn limits(words: &mut Words, mut limits: Limits) -> Result<Limits, Unreadable> {
    let fields: [(&str, &mut Minor); 7] = [
        ("min", &mut limits.min_stake),
        ("max", &mut limits.max_stake),
        ("payout", &mut limits.max_payout),
        ("liability", &mut limits.max_liability),
        ("customer", &mut limits.max_customer),
        ("selection", &mut limits.max_selection),
        ("event", &mut limits.max_event),
    ];
    for (name, field) in fields {
        if let Some(amount) = words.option(name)? {
            *field = words::amount(&amount)?;
        }
    }
    Ok(limits)
}

/// The largest capacity in a script: whoever runs one does not lose his memory to it.
const SCRIPT_CAPACITY_MAX: u32 = 1 << 20;

fn capacities(words: &mut Words, mut capacities: Capacities) -> Result<Capacities, Unreadable> {
    let fields: [(&str, &mut u32); 17] = [
        ("accounts", &mut capacities.accounts),
        ("markets", &mut capacities.markets),
        ("selections", &mut capacities.selections),
        ("bets", &mut capacities.bets),
        ("keys", &mut capacities.keys),
        ("feeds", &mut capacities.feeds),
        ("fixtures", &mut capacities.fixtures),
        ("actors", &mut capacities.actors),
        ("currencies", &mut capacities.currencies),
        ("quarantined", &mut capacities.quarantined),
        ("legs", &mut capacities.legs),
        ("limited", &mut capacities.limited),
        ("groups", &mut capacities.groups),
        ("orders", &mut capacities.orders),
        ("positions", &mut capacities.positions),
        ("stands", &mut capacities.stands),
        ("levels", &mut capacities.levels),
    ];
    for (name, field) in fields {
        if let Some(count) = words.option(name)? {
            *field = words::number(&count)?;
            if SCRIPT_CAPACITY_MAX < *field {
                let expected = format!("at most {SCRIPT_CAPACITY_MAX} {name}");
                return Err(Unreadable::new(count, expected));
            }
        }
    }
    Ok(capacities)
}
