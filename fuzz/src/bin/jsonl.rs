//! An engine behind JSON lines: what `System::process` speaks with, and an example for whoever puts an
//! engine of their own before the auditor. This one is betring's State, without a journal.

use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::Events;
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Body, Header, Minor, Slot, WirePrice};
use betring_core::{Admission, HouseRules, LOGIC_VERSION, Rules, Stamp, State};
use betring_fuzz::system::process_help;
use betring_pricing::{Fraction, RoundingMode};
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use zerocopy::IntoBytes;

fn main() {
    if std::env::args().len() > 1 {
        println!("{}", process_help());
        return;
    }
    let mut house: Option<House> = None;
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let answer = match serde_json::from_str::<Value>(&line) {
            Ok(asked) => answer(&mut house, &asked).unwrap_or_else(|what| json!({"error": what})),
            Err(e) => json!({"error": e.to_string()}),
        };
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
}

struct House {
    state: State<HouseRules>,
    capacities: Capacities,
    events: Events,
    at: Timestamp,
}

impl House {
    fn give(&mut self, bytes: &[u8]) -> Result<Answer, String> {
        let (header, command) = decode(bytes).map_err(|e| e.to_string())?;
        match self.state.admit(self.at, &header, &command, bytes) {
            Admission::Answer(reply) => Ok(reply.answer),
            Admission::Sequence(admitted) => {
                let stamp = Stamp { seq: self.state.seq().next(), at: self.at };
                let (state, events) = (&mut self.state, &mut self.events);
                Ok(state.apply(stamp, &header, &command, admitted, events).answer)
            }
        }
    }

    fn run_begins(&mut self) -> Result<Answer, String> {
        let body = EpochOpened {
            epoch: Epoch(self.state.epoch().0 + 1),
            logic_version: LOGIC_VERSION,
            rules_id: HouseRules::ID,
            rules_version: HouseRules::VERSION,
            capacities: self.capacities,
            ..EpochOpened::default()
        };
        self.give(wire::slots(Header::default(), &body, &[]).as_bytes())
    }

    fn catch_up(&mut self) -> Result<(), String> {
        let step = Step { budget: self.state.step_budget(), ..Step::default() };
        let step = wire::slot(Header::default(), &step);
        let tick = wire::slot(Header::default(), &Tick::default());
        loop {
            if self.state.has_work() {
                self.give(&step.0)?;
            } else if self.state.next_due().is_some_and(|due| due <= self.at) {
                self.give(&tick.0)?;
            } else {
                return Ok(());
            }
        }
    }
}

fn answer(house: &mut Option<House>, asked: &Value) -> Result<Value, String> {
    let what = asked["do"].as_str().ok_or("there is no \"do\"")?;
    let at = Timestamp(asked["at"].as_i64().unwrap_or(0));
    if what == "begin" {
        *house = Some(begin(asked, at)?);
        return Ok(json!({}));
    }
    let house = house.as_mut().ok_or("it has not begun")?;
    house.at = house.at.max(at);
    match what {
        "catch_up" => house.catch_up().map(|()| json!({})),
        "restart" => house.run_begins().map(|_| json!({})),
        "balances" => {
            let one = |account: betring_core::AccountView| {
                (account.id.raw().to_string(), json!(account.balance.0))
            };
            let all: serde_json::Map<String, Value> = house.state.accounts().map(one).collect();
            Ok(json!({ "balances": all }))
        }
        _ => {
            let slots = command(what, asked)?;
            let answer = house.give(slots.as_bytes())?;
            Ok(json!({
                "answer": answer.kind().to_string(),
                "reject": answer.reject().map(|reject| reject.name()),
                "id": answer.id,
                "stake": answer.stake.0,
                "amount": answer.amount.0,
                "price": answer.price.e4,
            }))
        }
    }
}

fn begin(asked: &Value, at: Timestamp) -> Result<House, String> {
    let nanos = |name: &str| Nanos(asked[name].as_i64().unwrap_or(0));
    let room = |name: &str| asked["capacities"][name].as_u64().unwrap_or(1) as u32;
    let rounding: RoundingMode =
        asked["rounding"].as_str().unwrap_or("down").parse().map_err(|_| "unknown rounding")?;
    let offers = asked["on_failure"] == "Offer";
    let genesis = Genesis {
        window: nanos("window"),
        age_bound: nanos("age_bound"),
        offer_ttl: nanos("offer_ttl"),
        price_failure: if offers { PriceFailure::Offer } else { PriceFailure::Refuse } as u8,
        rounding: rounding_code(rounding),
        step_budget: 64,
        limits: limits(&asked["limits"]),
        ..Genesis::default()
    };
    let capacities = Capacities {
        accounts: room("accounts"),
        markets: room("markets"),
        selections: room("selections"),
        bets: room("bets"),
        keys: room("keys"),
        feeds: room("feeds"),
        fixtures: room("fixtures"),
        actors: room("actors"),
        currencies: room("currencies"),
        quarantined: 1,
        // A house that names none takes singles: a leg each.
        legs: if asked["capacities"]["legs"].is_null() { room("bets") } else { room("legs") },
        groups: 1,
        limited: 1,
        orders: 1,
        positions: 1,
        stands: 1,
        levels: 1,
    };
    let state = State::new(HouseRules);
    let mut house = House { state, capacities, events: Events::new(), at };
    house.give(wire::slots(Header::default(), &genesis, &[]).as_bytes())?;
    house.run_begins()?;
    Ok(house)
}

fn limits(of: &Value) -> Limits {
    let minor = |name: &str| Minor(of[name].as_i64().unwrap_or(0));
    Limits {
        min_stake: minor("min_stake"),
        max_stake: minor("max_stake"),
        max_payout: minor("max_payout"),
        max_liability: minor("max_liability"),
        ..Limits::UNLIMITED
    }
}

fn price(of: &Value) -> WirePrice {
    let e4 = of.as_u64().or(of["e4"].as_u64()).unwrap_or(0) as u32;
    match of["fraction"].as_str().and_then(|text| text.parse::<Fraction>().ok()) {
        Some(fraction) => WirePrice::fractional(fraction),
        None => WirePrice { e4, num: 0, den: 0 },
    }
}

fn one<T: Copy + std::fmt::Display>(all: &[T], of: &Value) -> Result<T, String> {
    let name = of.as_str().unwrap_or_default();
    let found = all.iter().find(|known| known.to_string() == name).copied();
    found.ok_or_else(|| format!("`{name}` is none of the names known here"))
}

fn command(what: &str, asked: &Value) -> Result<Vec<Slot>, String> {
    let number = |name: &str| asked[name].as_u64().unwrap_or(0);
    let short = |name: &str| asked[name].as_u64().unwrap_or(0) as u16;
    let signed = |name: &str| asked[name].as_i64().unwrap_or(0);
    let list = |name: &str| asked[name].as_array().cloned().unwrap_or_default();
    let name = asked["name"].as_str().unwrap_or_default();
    let key = asked["key"].as_str().and_then(|key| key.parse().ok()).unwrap_or(0);
    let flags = if asked["synthetic"] == true { Header::SYNTHETIC } else { 0 };
    let (account, key) = (number("account"), RequestKey(key));
    let header = Header { account, key, flags, ..Header::default() };
    let reason = number("reason") as u32;
    let valid_until = Timestamp(signed("valid_until"));
    let market = MarketId::from_raw(number("market"));
    let (feed, feed_seq) = (FeedId(short("feed")), number("feed_seq"));
    let (source, as_of) = (Timestamp(signed("source")), Timestamp(signed("as_of")));
    let selection = SelectionIndex(short("selection"));
    let (bet, amount) = (BetId::from_raw(number("bet")), Minor(signed("amount")));
    fn plain<B: Body>(header: Header, body: B) -> Result<Vec<Slot>, String> {
        Ok(wire::slots(header, &body, &[]))
    }
    let built = match what {
        "RegisterActor" => {
            let body = RegisterActor { valid_until, reason, ..RegisterActor::default() };
            build::register_actor(header, body, name)
        }
        "DefineFeed" => {
            let body = DefineFeed {
                valid_until,
                reason,
                silence_bound: Nanos(signed("silence_bound")),
                delay_bound: Nanos(signed("delay_bound")),
                ..DefineFeed::default()
            };
            build::define_feed(header, body, name)
        }
        "DefineFixture" => {
            let starts = Timestamp(signed("starts"));
            let body = DefineFixture { valid_until, reason, starts, ..DefineFixture::default() };
            build::define_fixture(header, body, name)
        }
        "DefineMarket" => {
            let exchange = asked["exchange"] == true;
            let body = DefineMarket {
                valid_until,
                reason,
                feed,
                winners: short("winners"),
                fixture: FixtureId::from_raw(number("fixture")),
                age_bound: Nanos(signed("age_bound")),
                kind: if exchange { MarketKind::Exchange } else { MarketKind::Fixed } as u8,
                ..DefineMarket::default()
            };
            let selections = list("selections");
            let names: Vec<&str> = selections.iter().filter_map(Value::as_str).collect();
            build::define_market(header, body, name, &names)
        }
        "OpenMarket" => {
            return plain(
                header,
                OpenMarket { valid_until, reason, market, ..OpenMarket::default() },
            );
        }
        "CloseMarket" => {
            return plain(
                header,
                CloseMarket { valid_until, reason, market, ..CloseMarket::default() },
            );
        }
        "ArchiveMarket" => {
            return plain(
                header,
                ArchiveMarket { valid_until, reason, market, ..Default::default() },
            );
        }
        "Suspend" | "Release" => {
            let level = one(Level::ALL, &asked["level"])? as u8;
            let owner = one(Owner::ALL, &asked["owner"])? as u8;
            let id = number("id");
            return if what == "Suspend" {
                plain(
                    header,
                    Suspend { valid_until, reason, level, owner, id, ..Suspend::default() },
                )
            } else {
                plain(
                    header,
                    Release { valid_until, reason, level, owner, id, ..Release::default() },
                )
            };
        }
        "WithdrawSelection" => {
            let withdrawn = u8::from(asked["withdrawn"] == true);
            let body = WithdrawSelection {
                valid_until,
                reason,
                market,
                selection,
                withdrawn,
                ..WithdrawSelection::default()
            };
            return plain(header, body);
        }
        "MarketResult" => {
            let mut entries = Vec::new();
            for entry in list("outcomes") {
                let at = SelectionIndex(entry["selection"].as_u64().unwrap_or(0) as u16);
                entries.push(ResultEntry::new(at, one(SelectionOutcome::ALL, &entry["outcome"])?));
            }
            let body = MarketResult { valid_until, reason, market, ..MarketResult::default() };
            build::result(header, body, &entries)
        }
        "SetLimits" => {
            let of_market = asked["of_market"] == true;
            let scope = if of_market { LimitScope::Market } else { LimitScope::Currency } as u8;
            let (currency, limits) = (short("currency"), limits(&asked["limits"]));
            let body = SetLimits {
                valid_until,
                reason,
                scope,
                currency,
                market,
                limits,
                ..Default::default()
            };
            return plain(header, body);
        }
        "BlockAccount" => {
            let account = AccountId::from_raw(number("which"));
            let blocked = u8::from(asked["blocked"] == true);
            let body =
                BlockAccount { valid_until, reason, blocked, account, ..BlockAccount::default() };
            return plain(header, body);
        }
        "LiftQuarantine" => {
            let which = asked["which_key"].as_str().and_then(|key| key.parse().ok()).unwrap_or(0);
            let (account, key) = (number("which"), RequestKey(which));
            let body =
                LiftQuarantine { valid_until, reason, account, key, ..LiftQuarantine::default() };
            return plain(header, body);
        }
        "SetPrices" => {
            let body = SetPrices {
                valid_until,
                reason,
                feed,
                market,
                feed_seq,
                source,
                as_of,
                ..SetPrices::default()
            };
            let entry = |entry: &Value| {
                let at = SelectionIndex(entry["selection"].as_u64().unwrap_or(0) as u16);
                PriceEntry::new(at, price(&entry["price"]))
            };
            let entries: Vec<PriceEntry> = list("prices").iter().map(entry).collect();
            build::set_prices(header, body, &entries)
        }
        "FeedHeartbeat" => {
            return plain(
                header,
                FeedHeartbeat { valid_until, reason, feed, feed_seq, source, ..Default::default() },
            );
        }
        "FeedGap" => {
            return plain(
                header,
                FeedGap { valid_until, reason, feed, feed_seq, source, ..Default::default() },
            );
        }
        "FeedRecovered" => {
            return plain(
                header,
                FeedRecovered { valid_until, reason, feed, feed_seq, source, ..Default::default() },
            );
        }
        "OpenAccount" => {
            let (reference, currency) = (number("reference"), short("currency"));
            let body = OpenAccount { valid_until, reference, currency, ..OpenAccount::default() };
            return plain(header, body);
        }
        "Deposit" => return plain(header, Deposit { valid_until, amount, ..Deposit::default() }),
        "Withdraw" => {
            return plain(header, Withdraw { valid_until, amount, ..Withdraw::default() });
        }
        "Place" => {
            let body = Place {
                valid_until,
                market,
                stake: Minor(signed("stake")),
                price: price(&asked["price"]),
                selection,
                slippage: short("slippage"),
                policy: one(PricePolicy::ALL, &asked["policy"])? as u8,
                version: PriceVersion(number("version")),
                ..Place::default()
            };
            return plain(header, body);
        }
        "AcceptOffer" => {
            return plain(header, AcceptOffer { valid_until, bet, ..AcceptOffer::default() });
        }
        "DeclineOffer" => {
            return plain(header, DeclineOffer { valid_until, bet, ..DeclineOffer::default() });
        }
        "Resolve" => return plain(header, Resolve { valid_until, ..Resolve::default() }),
        other => return Err(format!("`{other}` is nothing that can be done here")),
    };
    built.map_err(|what| what.to_string())
}
