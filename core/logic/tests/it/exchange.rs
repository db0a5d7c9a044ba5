//! The published examples of exchange betting, and a month of real races backed and laid at starting price: both as
//! orders of a market, which is turned in-play and settled.
//!
//! Examples and recordings are not part of this repository: see `vectors` and `seasons`.

use crate::seasons::{recording, rows, show};
use crate::vectors::{cents, examples, text};
use betring_core::HouseRules;
use betring_core::book::Stand;
use betring_core::command::OrderKind;
use betring_core::event::HouseAccount;
use betring_core::id::{AccountId, MarketId};
use betring_core::script::Runner;
use betring_core::wire::Minor;
use betring_core::{OrderView, State};
use betring_pricing::{Currency, Price};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;

/// A market of an exchange, and lines that are given one after the other. Anna (A1) does what an example says, and
/// Ben (A2) is whom she meets.
struct Floor {
    runner: Runner,
    requests: u32,
    names: Vec<String>,
}

impl Floor {
    fn open(names: &[String], winners: u64, terms: &str) -> Floor {
        let runner = Runner::new(HouseRules);
        let mut floor = Floor { runner, requests: 0, names: names.to_vec() };
        // A name may be a word of the language.
        let selections: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let selections = selections.join(" ");
        floor.line("house accounts 8 orders 1024 levels 16384");
        floor.line(&format!("market M1 Race {selections} exchange winners {winners}"));
        floor.line(&format!("exchange M1 GBP {terms}"));
        floor.line("open M1");
        floor.line("fund A1 1000000.00");
        floor.line("fund A2 1000000.00");
        floor
    }

    fn line(&mut self, line: &str) {
        if let Err(failure) = self.runner.line(line) {
            panic!("{failure}");
        }
    }

    fn at(&self, selection: &str) -> usize {
        self.names.iter().position(|name| name == selection).expect("a selection") + 1
    }

    /// An order of an account, and how the answer begins.
    fn order(&mut self, account: &str, order: &str, answer: &str) {
        self.requests += 1;
        let request = self.requests;
        self.line(&format!("order R{request} {account} M1 {order} -> {answer}"));
    }

    /// Anna's bet, whole: Ben is there before her.
    fn bet(&mut self, side: &str, selection: &str, size: &str, price: &str) {
        let (at, other) = (self.at(selection), if side == "back" { "lay" } else { "back" });
        self.order("A2", &format!("{other} {at} {size} {price}"), "order");
        self.order("A1", &format!("{side} {at} {size} {price}"), "order");
    }

    fn result(&mut self, outcomes: &[String]) {
        let all = outcomes.iter().enumerate();
        let all: Vec<String> = all.map(|(at, outcome)| format!("{}:{outcome}", at + 1)).collect();
        self.line(&format!("result M1 {} -> anything", all.join(" ")));
    }

    fn state(&self) -> &State {
        self.runner.state().expect("begun")
    }

    /// What Anna won, and what was taken of it.
    fn net(&self) -> (i64, i64) {
        let (anna, market) = (AccountId::new(0, 1), MarketId::new(0, 1));
        let position = self.state().position(anna, market).expect("she has orders");
        let (net, fee) = position.settled.expect("it is settled");
        (net.0, fee.0)
    }

    fn held(&self) -> i64 {
        let (anna, market) = (AccountId::new(0, 1), MarketId::new(0, 1));
        self.state().position(anna, market).expect("she has orders").held.0
    }

    fn stand(&self) -> Stand {
        let (anna, market) = (AccountId::new(0, 1), MarketId::new(0, 1));
        self.state().position(anna, market).expect("she has orders").stands[0]
    }

    /// Her last order.
    fn last(&self) -> OrderView {
        let hers = self.state().orders().filter(|order| order.account == AccountId::new(0, 1));
        hers.last().expect("an order")
    }

    fn house(&self, account: HouseAccount) -> Minor {
        let pounds: Currency = "GBP".parse().expect("a currency");
        Minor(i64::try_from(self.state().house(account, pounds)).expect("it fits"))
    }

    fn done(self) {
        self.runner.finish().expect("it replays to the same");
    }
}

fn percent(rate: &str) -> String {
    let parts = parts_of_10_000(rate);
    format!("{}.{:02}%", parts / 100, parts % 100)
}

fn parts_of_10_000(text: &str) -> u32 {
    let (whole, parts) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{parts:0<4}").parse().expect("a rate of at most four digits")
}

fn two(names: [&str; 2]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn position(id: &str, inputs: &Value, expected: &Value) {
    let outcomes = inputs["outcomes"].as_array().expect("outcomes");
    let winners = inputs["number_of_winners"].as_u64().expect("winners");
    let names = |outcome: &Value| -> Vec<String> {
        let names = outcome.as_array().expect("names");
        names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
    };
    let mut selections: Vec<String> = outcomes.iter().flat_map(names).collect();
    selections.sort();
    selections.dedup();
    let rate = inputs["commission_rate"].as_str().map_or("0%".to_owned(), percent);
    let mut floor = Floor::open(&selections, winners, &format!("commission {rate}"));
    for bet in inputs["bets"].as_array().expect("bets") {
        let [side, selection, size, price] =
            ["side", "selection", "size", "price"].map(|field| text(bet, field));
        floor.bet(side, selection, size, price);
    }
    assert_eq!(floor.held(), cents(text(expected, "exposure")), "{id}");
    for outcome in outcomes {
        let mut won = names(outcome);
        let result: Vec<String> = selections
            .iter()
            .map(|name| if won.contains(name) { "win" } else { "lose" }.to_owned())
            .collect();
        won.sort();
        let label = won.join("+");
        let by_outcome = expected["by_outcome"].as_object().expect("outcomes");
        let same = |name: &&String| {
            let mut parts: Vec<&str> = name.split('+').collect();
            parts.sort_unstable();
            parts.join("+") == label
        };
        let figures = &by_outcome[by_outcome.keys().find(same).expect("an outcome of this name")];
        // Each outcome corrects the one before.
        floor.result(&result);
        let (net, fee) = floor.net();
        assert_eq!(net, cents(text(figures, "net_profit")), "{id}, {label}");
        if let Some(due) = figures["commission"].as_str() {
            assert_eq!(fee, cents(due), "{id}, {label}");
        }
    }
    floor.done();
}

/// What one selection brings if it wins and if it does not: of bets that were matched, or of orders that wait.
fn wins_and_loses(id: &str, inputs: &Value, expected: &Value, waits: bool) {
    let mut floor = Floor::open(&two(["it", "other"]), 1, "");
    if waits {
        // Both would meet each other but for their delay.
        floor.line("in-play M1 5s");
    }
    let fields = match waits {
        true => [("unmatched_backs", "back"), ("unmatched_lays", "lay")],
        false => [("matched_backs", "back"), ("matched_lays", "lay")],
    };
    for (field, side) in fields {
        for bet in inputs[field].as_array().expect("bets") {
            let (price, size) = (bet[0].to_string(), bet[1].to_string());
            match waits {
                true => floor.order("A1", &format!("{side} 1 {size} {price}"), "order"),
                false => floor.bet(side, "it", &size, &price),
            }
        }
    }
    let Stand { win_e4, lose_e4, backs_e4, lays_e4 } = floor.stand();
    let found = [(win_e4 - lays_e4) / 10_000, (lose_e4 - backs_e4) / 10_000];
    let due = ["if_win", "if_lose"].map(|field| i128::from(cents(text(expected, field))));
    assert_eq!(found, due, "{id}");
    floor.done();
}

fn fok_vwap(id: &str, inputs: &Value, expected: &Value) {
    let mut floor = Floor::open(&two(["it", "other"]), 1, "");
    let side = text(inputs, "side");
    let other = if side == "back" { "lay" } else { "back" };
    for level in inputs["available"].as_array().expect("levels") {
        let (size, price) = (text(level, "size"), text(level, "price"));
        floor.order("A2", &format!("{other} 1 {size} {price}"), "order");
    }
    let (size, limit) = (text(inputs, "size"), text(inputs, "limit_price"));
    floor.order("A1", &format!("{side} 1 {size} {limit} kill"), "order");
    let order = floor.last();
    assert_eq!(order.sizes.matched.0, cents(text(expected, "filled")), "{id}");
    let average: Price = text(expected, "vwap").parse().expect("a price");
    assert_eq!(order.average, Some(average), "{id}");
    floor.done();
}

fn far_price(id: &str, inputs: &Value, expected: &Value) {
    let mut floor = Floor::open(&two(["it", "other"]), 1, "starting-prices");
    floor.order("A1", &format!("back 1 {}", text(inputs, "sp_back_stakes")), "order");
    floor.order("A2", &format!("lay 1 {}", text(inputs, "sp_lay_liability")), "order");
    floor.line("in-play M1 0s");
    // Ours is a whole number of ten-thousandths.
    let (whole, parts) = text(expected, "far_price").split_once('.').expect("a fraction");
    let printed: Price = format!("{whole}.{parts:0<4.4}").parse().expect("a price");
    let order = floor.last();
    assert_eq!(order.average, Some(printed), "{id}");
    let staked = cents(text(inputs, "sp_back_stakes"));
    assert!((staked - 100..=staked).contains(&order.sizes.matched.0), "{id}: {order:?}");
    floor.done();
}

fn reduction(id: &str, inputs: &Value, expected: &Value) {
    let mut floor = Floor::open(&["it", "other", "gone"].map(str::to_owned), 1, "");
    floor.bet("back", "it", "10", text(inputs, "matched_price"));
    let factor = text(inputs, "reduction_factor_percent");
    floor.line(&format!("non-runner M1 gone factor {factor}%"));
    let average = floor.last().average.expect("it was matched");
    // Printed in hundredths.
    let hundredths = i64::from(average.e4() + 50) / 100;
    assert_eq!(hundredths, cents(text(expected, "new_price_2dp")), "{id}");
    floor.done();
}

fn dead_heat(id: &str, inputs: &Value, expected: &Value) {
    let mut floor = Floor::open(&["it", "other", "third"].map(str::to_owned), 1, "");
    floor.bet(text(inputs, "side"), "it", text(inputs, "size"), text(inputs, "price"));
    assert_eq!((&inputs["expected_winners"], &inputs["actual_winners"]), (&1.into(), &2.into()));
    floor.result(&["1/2", "1/2", "lose"].map(str::to_owned));
    assert_eq!(floor.net().0, cents(text(expected, "layer_net")), "{id}");
    floor.done();
}

fn conversion(id: &str, inputs: &Value, expected: &Value) {
    let least = text(inputs, "min_bsp_liability");
    let terms = format!("starting-prices min-liability {least}");
    let mut floor = Floor::open(&two(["it", "other"]), 1, &terms);
    let [side, size, price, matched] =
        ["side", "size", "price", "matched"].map(|field| text(inputs, field));
    let other = if side == "back" { "lay" } else { "back" };
    floor.order("A2", &format!("{other} 1 {matched} {price}"), "order");
    floor.order("A1", &format!("{side} 1 {size} {price} at-start"), "order");
    let before = floor.last();
    floor.line("in-play M1 0s");
    let order = floor.last();
    let converted = order.kind == OrderKind::MarketOnClose;
    assert_eq!(Some(converted), expected["converted"].as_bool(), "{id}");
    assert_eq!(order.sizes.lapsed.0, cents(text(expected, "lapsed")), "{id}");
    let odds = i64::from(before.limit.expect("it has one").e4());
    let liability = before.sizes.remaining.0 * (odds - 10_000) / 10_000;
    assert_eq!(liability, cents(text(expected, "remainder_liability")), "{id}");
    floor.done();
}

#[test]
fn every_published_example_of_an_exchange_comes_out() {
    let Some(examples) = examples() else { return };
    let mut seen = BTreeMap::new();
    for example in &examples {
        let (id, kind) = (text(example, "id"), text(example, "kind"));
        let (inputs, expected) = (&example["inputs"], &example["expected"]);
        match kind {
            "exchange_position" => position(id, inputs, expected),
            "matched_exposure" => wins_and_loses(id, inputs, expected, false),
            "unmatched_exposure" => wins_and_loses(id, inputs, expected, true),
            "commission" => {
                let [rate, discount] =
                    ["market_base_rate", "discount_rate"].map(|field| percent(text(inputs, field)));
                let terms = format!("commission {rate}");
                let mut floor = Floor::open(&two(["it", "other"]), 1, &terms);
                floor.line(&format!("discount A1 {discount}"));
                floor.bet("back", "it", text(inputs, "net_winnings"), "2.0");
                floor.result(&["win", "lose"].map(str::to_owned));
                let due = [text(inputs, "net_winnings"), text(expected, "commission")].map(cents);
                assert_eq!(floor.net(), (due[0], due[1]), "{id}");
                floor.done();
            }
            "reduction_factor" => reduction(id, inputs, expected),
            "bsp_far_price" => far_price(id, inputs, expected),
            "profit_ratio" => {
                let mut floor = Floor::open(&two(["it", "other"]), 1, "");
                let [side, size, price] = ["side", "size", "price"].map(|f| text(inputs, f));
                let accepted = expected["accepted"].as_bool().expect("yes or no");
                let answer = if accepted { "order" } else { "InvalidProfitRatio" };
                floor.order("A1", &format!("{side} 1 {size} {price}"), answer);
                floor.done();
            }
            "fok_vwap" => fok_vwap(id, inputs, expected),
            "exchange_dead_heat" => dead_heat(id, inputs, expected),
            "bsp_conversion" => conversion(id, inputs, expected),
            _ => continue,
        }
        *seen.entry(kind.to_owned()).or_insert(0) += 1;
    }
    show(&format!("published examples of an exchange, as orders of a market: {seen:?}"));
    assert_eq!(seen.len(), 10, "{seen:?}");
}

/// A runner of the file.
struct Horse {
    won: bool,
    starts_at_e4: Option<u32>,
}

#[test]
fn a_month_of_races_at_starting_price_is_settled_to_the_penny_dead_heats_included() {
    let Some(bytes) = recording("racing/anz-thoroughbreds-2025-12.csv.bz2") else { return };
    let mut csv = Vec::new();
    bzip2::read::BzDecoder::new(&bytes[..]).read_to_end(&mut csv).expect("compressed");
    let mut races: BTreeMap<String, BTreeMap<String, Horse>> = BTreeMap::new();
    for row in rows(&csv) {
        let starts_at_e4 = row["WIN_BSP"].parse::<Price>().ok().map(Price::e4);
        let horse = Horse { won: row["WIN_RESULT"] == "WINNER", starts_at_e4 };
        // One market of the file has its rows twice.
        races
            .entry(row["WIN_MARKET_ID"].clone())
            .or_default()
            .insert(row["SELECTION_ID"].clone(), horse);
    }
    let (mut heats, mut bets, mut residue, mut earned) = (0, 0, 0_i64, 0_i64);
    for race in races.values() {
        let winners = race.values().filter(|horse| horse.won).count();
        if winners == 0 || race.len() < 2 {
            continue;
        }
        heats += u32::from(1 < winners);
        let names: Vec<String> = race.keys().cloned().collect();
        let mut floor = Floor::open(&names, 1, "starting-prices commission 5%");
        // Anna backs every runner with 10.00 and Ben lays it for what that may win at its starting price: then that
        // is the price at which the most is matched.
        for (at, horse) in (1..).zip(race.values()) {
            let Some(odds) = horse.starts_at_e4.filter(|odds| (10_100..=10_000_000).contains(odds))
            else {
                continue;
            };
            let liability = Minor(1_000 * i64::from(odds - 10_000) / 10_000);
            floor.order("A1", &format!("back {at} 10.00"), "order");
            floor.order("A2", &format!("lay {at} {liability}"), "order");
            bets += 1;
        }
        floor.line("in-play M1 0s");
        for order in floor.state().orders() {
            let horse = &race[&names[usize::from(order.selection.0)]];
            let (due, found) = (horse.starts_at_e4.expect("it was bet on"), order.average);
            // What is rounded off the liability is less than a unit in a thousand.
            let found = found.expect("it was matched").e4();
            assert!(due - 10 <= found && found <= due, "{found} for {due}");
            assert!(999 <= order.sizes.matched.0, "{order:?}");
        }
        let share = if winners == 1 { "win".to_owned() } else { format!("1/{winners}") };
        let result: Vec<String> = race
            .values()
            .map(|horse| if horse.won { share.clone() } else { "lose".to_owned() })
            .collect();
        floor.result(&result);
        // What both get and what the house keeps of it come to nought; so does the ledger, which every line checks.
        let [crossing, clearing] =
            [HouseAccount::Crossing, HouseAccount::Clearing].map(|account| floor.house(account));
        assert_eq!((crossing, clearing), (Minor(0), Minor(0)));
        let left = floor.house(HouseAccount::Rounding).0;
        assert!((0..=1).contains(&left), "{left}");
        residue += left;
        earned += floor.house(HouseAccount::Commission).0;
        floor.done();
    }
    show(&format!(
        "{} races with {heats} dead heats, {bets} runners backed and laid: commission {earned}, residue {residue}",
        races.len()
    ));
    assert_eq!(heats, 4);
    assert!(15_000 < bets);
}
