//! The published examples of exchange betting, and a month of real races backed and laid at starting price.
//!
//! Examples and recordings are not part of this repository: see `vectors` and `seasons`.

use crate::seasons::{recording, rows, show};
use crate::vectors::{cents, examples, text};
use betring_core::book::{
    Book, Improvement, Log, Orders, Outcome, Prices, SelfMatch, Side, Stand, Starting, Taker,
    commission, exact, exposure, lay_at_starting_price, net, profit_is_fair, reduced,
};
use betring_pricing::{Ladder, Price};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;

fn e4(text: &str) -> u32 {
    text.parse::<Price>().expect("a price").e4()
}

fn parts_of_10_000(text: &str) -> u32 {
    let (whole, parts) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{parts:0<4}").parse().expect("a rate of at most four digits")
}

fn side_of(text: &str) -> Side {
    if text == "back" { Side::Back } else { Side::Lay }
}

/// Profit of one selection if it wins and if it does not, in minor units.
fn wins_and_loses(inputs: &Value, fields: [&str; 2], waits: bool) -> [i128; 2] {
    let mut stand = Stand::default();
    for (field, side) in fields.into_iter().zip([Side::Back, Side::Lay]) {
        for bet in inputs[field].as_array().expect("bets") {
            let (price, size) = (bet[0].to_string(), bet[1].to_string());
            if waits {
                stand.waits(side, cents(&size), e4(&price));
            } else {
                stand.matched(side, cents(&size), e4(&price));
            }
        }
    }
    let Stand { win_e4, lose_e4, backs_e4, lays_e4 } = stand;
    [(win_e4 - lays_e4) / 10_000, (lose_e4 - backs_e4) / 10_000]
}

fn position(id: &str, inputs: &Value, expected: &Value) {
    let outcomes = inputs["outcomes"].as_array().expect("outcomes");
    let winners = inputs["number_of_winners"].as_u64().expect("winners") as usize;
    let names = |outcome: &Value| -> Vec<String> {
        let names = outcome.as_array().expect("names");
        names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
    };
    let mut selections: Vec<String> = outcomes.iter().flat_map(names).collect();
    selections.sort();
    selections.dedup();
    let mut stands = vec![Stand::default(); selections.len()];
    for bet in inputs["bets"].as_array().expect("bets") {
        let at = selections.iter().position(|name| *name == text(bet, "selection"));
        let (size, odds) = (cents(text(bet, "size")), e4(text(bet, "price")));
        stands[at.expect("a selection")].matched(side_of(text(bet, "side")), size, odds);
    }
    assert_eq!(exposure(&stands, winners), i128::from(cents(text(expected, "exposure"))), "{id}");
    let rate = inputs["commission_rate"].as_str().map_or(0, parts_of_10_000);
    for outcome in outcomes {
        let mut won = names(outcome);
        let result: Vec<Outcome> =
            selections.iter().map(|name| Outcome::Won(u32::from(won.contains(name)))).collect();
        won.sort();
        let label = won.join("+");
        let by_outcome = expected["by_outcome"].as_object().expect("outcomes");
        let same = |name: &&String| {
            let mut parts: Vec<&str> = name.split('+').collect();
            parts.sort_unstable();
            parts.join("+") == label
        };
        let figures = &by_outcome[by_outcome.keys().find(same).expect("an outcome of this name")];
        let found = net(&stands, &result, 1);
        assert_eq!(found, cents(text(figures, "net_profit")), "{id}, {label}");
        if let Some(due) = figures["commission"].as_str() {
            assert_eq!(commission(found, rate, 0), cents(due), "{id}, {label}");
        }
    }
}

fn fok_vwap(id: &str, inputs: &Value, expected: &Value) {
    let ladder = Ladder::CLASSIC;
    let tick = |text: &str| ladder.tick(text.parse().expect("a price")).expect("on the ladder");
    let mut book = Book::new(Prices::of(&ladder), 2, false);
    let (mut orders, mut log) = (Orders::with_capacity(16), Log::new());
    let order = |account, side, size: &str, price: &str, kill| Taker {
        account,
        selection: 0,
        side,
        limit: tick(price),
        size: cents(size),
        kill,
        self_match: SelfMatch::RefuseTaker,
        improvement: Improvement::Take,
    };
    let side = side_of(text(inputs, "side"));
    for level in inputs["available"].as_array().expect("levels") {
        let one = order(1, side.other(), text(level, "size"), text(level, "price"), None);
        book.place(&mut orders, &one, &mut log).expect("let in");
        book.finish(&mut orders, &mut log);
    }
    let all = cents(text(inputs, "size"));
    let taker = order(2, side, text(inputs, "size"), text(inputs, "limit_price"), Some(all));
    let placed = book.place(&mut orders, &taker, &mut log).expect("let in");
    assert_eq!(placed.matched, cents(text(expected, "filled")), "{id}");
    let average = i128::from(e4(text(expected, "vwap")));
    assert_eq!(placed.returns_e4, average * i128::from(placed.matched), "{id}");
}

fn far_price(id: &str, inputs: &Value, expected: &Value) {
    let prices = Prices::of(&Ladder::CLASSIC);
    let mut starting = Starting::new(&prices);
    starting.add(Side::Back, None, cents(text(inputs, "sp_back_stakes")));
    starting.add(Side::Lay, None, cents(text(inputs, "sp_lay_liability")));
    let found = starting.reconcile(&prices, None).expect("both sides").odds_e4;
    // Ours is a whole number of ten-thousandths.
    let (whole, parts) = text(expected, "far_price").split_once('.').expect("a fraction");
    let printed: u32 = format!("{whole}{:0<4.4}", parts).parse().expect("digits");
    assert_eq!(found, printed, "{id}");
}

#[test]
fn every_published_example_of_an_exchange_comes_out() {
    let Some(examples) = examples() else { return };
    let mut seen = BTreeMap::new();
    for example in &examples {
        let (id, kind) = (text(example, "id"), text(example, "kind"));
        let (inputs, expected) = (&example["inputs"], &example["expected"]);
        let figure = |of: &Value, field: &str| i128::from(cents(text(of, field)));
        match kind {
            "exchange_position" => position(id, inputs, expected),
            "matched_exposure" | "unmatched_exposure" => {
                let waits = kind == "unmatched_exposure";
                let of = if waits {
                    ["unmatched_backs", "unmatched_lays"]
                } else {
                    ["matched_backs", "matched_lays"]
                };
                let due = ["if_win", "if_lose"].map(|field| figure(expected, field));
                assert_eq!(wins_and_loses(inputs, of, waits), due, "{id}");
            }
            "commission" => {
                let rates = ["market_base_rate", "discount_rate"];
                let [rate, discount] = rates.map(|field| parts_of_10_000(text(inputs, field)));
                let won = cents(text(inputs, "net_winnings"));
                let due = cents(text(expected, "commission"));
                assert_eq!(commission(won, rate, discount), due, "{id}");
            }
            "reduction_factor" => {
                let odds = i128::from(e4(text(inputs, "matched_price")));
                let factor = parts_of_10_000(text(inputs, "reduction_factor_percent")) / 100;
                let cut = reduced(Side::Back, 1, odds, factor);
                // Printed in hundredths.
                assert_eq!((cut + 50) / 100, figure(expected, "new_price_2dp"), "{id}");
            }
            "bsp_far_price" => far_price(id, inputs, expected),
            "profit_ratio" => {
                let fair = profit_is_fair(cents(text(inputs, "size")), e4(text(inputs, "price")));
                assert_eq!(Some(fair), expected["accepted"].as_bool(), "{id}");
            }
            "fok_vwap" => fok_vwap(id, inputs, expected),
            "exchange_dead_heat" => {
                let mut stands = [Stand::default(); 3];
                let (size, odds) = (cents(text(inputs, "size")), e4(text(inputs, "price")));
                stands[0].matched(side_of(text(inputs, "side")), size, odds);
                let whole = inputs["actual_winners"].as_u64().expect("winners") as u32;
                assert_eq!(inputs["expected_winners"], 1, "{id}");
                let result = [Outcome::Won(1), Outcome::Won(1), Outcome::Won(0)];
                assert_eq!(
                    net(&stands, &result, whole),
                    cents(text(expected, "layer_net")),
                    "{id}"
                );
            }
            "bsp_conversion" => {
                let of = |field| cents(text(inputs, field));
                let left = of("size") - of("matched");
                let odds = e4(text(inputs, "price"));
                let kept = lay_at_starting_price(left, odds, of("min_bsp_liability"));
                assert_eq!(Some(kept.is_some()), expected["converted"].as_bool(), "{id}");
                let liability = lay_at_starting_price(left, odds, 0).expect("a liability");
                assert_eq!(liability, cents(text(expected, "remainder_liability")), "{id}");
            }
            _ => continue,
        }
        *seen.entry(kind.to_owned()).or_insert(0) += 1;
    }
    show(&format!("published examples of an exchange: {seen:?}"));
    assert_eq!(seen.len(), 10, "{seen:?}");
}

/// A runner of the file.
struct Runner {
    won: bool,
    starts_at_e4: Option<u32>,
}

#[test]
fn a_month_of_races_at_starting_price_is_settled_to_the_penny_dead_heats_included() {
    let Some(bytes) = recording("racing/anz-thoroughbreds-2025-12.csv.bz2") else { return };
    let mut csv = Vec::new();
    bzip2::read::BzDecoder::new(&bytes[..]).read_to_end(&mut csv).expect("compressed");
    let mut races: BTreeMap<String, BTreeMap<String, Runner>> = BTreeMap::new();
    for row in rows(&csv) {
        let starts_at_e4 = row["WIN_BSP"].parse::<Price>().ok().map(Price::e4);
        let runner = Runner { won: row["WIN_RESULT"] == "WINNER", starts_at_e4 };
        // One market of the file has its rows twice.
        races
            .entry(row["WIN_MARKET_ID"].clone())
            .or_default()
            .insert(row["SELECTION_ID"].clone(), runner);
    }
    let prices = Prices::of(&Ladder::CLASSIC);
    let (mut heats, mut bets, mut residue, mut earned) = (0, 0, 0_i64, 0_i64);
    for race in races.values() {
        let winners = race.values().filter(|runner| runner.won).count() as u32;
        let runners: Vec<&Runner> = race.values().collect();
        if winners == 0 {
            continue;
        }
        heats += u32::from(1 < winners);
        // Anna backs every runner with 10.00 and Ben lays it for what that may win at its starting price: then that
        // is the price at which the most is matched.
        let mut stands =
            [vec![Stand::default(); runners.len()], vec![Stand::default(); runners.len()]];
        for (at, runner) in runners.iter().enumerate() {
            let Some(odds) =
                runner.starts_at_e4.filter(|odds| (10_100..=10_000_000).contains(odds))
            else {
                continue;
            };
            let stake = 1_000;
            let liability = stake * i64::from(odds - 10_000) / 10_000;
            let mut starting = Starting::new(&prices);
            starting.add(Side::Back, None, stake);
            starting.add(Side::Lay, None, liability);
            let found = starting.reconcile(&prices, None).expect("both sides");
            // What is rounded off the liability is less than a unit in a thousand.
            assert!(odds - 10 <= found.odds_e4 && found.odds_e4 <= odds, "{found:?} for {odds}");
            let matched = i64::try_from(found.matched()).expect("it is small");
            assert!(stake - 1 <= matched, "{found:?}");
            stands[0][at].matched(Side::Back, matched, found.odds_e4);
            stands[1][at].matched(Side::Lay, matched, found.odds_e4);
            bets += 1;
        }
        let result: Vec<Outcome> =
            runners.iter().map(|runner| Outcome::Won(u32::from(runner.won))).collect();
        let sum: i128 = stands.iter().map(|stands| exact(stands, &result, winners)).sum();
        assert_eq!(sum, 0);
        // What both get and what the house keeps of it come to nought.
        let nets = stands.each_ref().map(|stands| net(stands, &result, winners));
        let kept = -(nets[0] + nets[1]);
        assert!((0..=1).contains(&kept), "{nets:?}");
        residue += kept;
        earned += nets.map(|net| commission(net, 500, 0)).iter().sum::<i64>();
        for (stands, net) in stands.iter().zip(nets) {
            assert!(-exposure(stands, 1) <= i128::from(net), "{net}");
        }
    }
    show(&format!(
        "{} races with {heats} dead heats, {bets} runners backed and laid: commission {earned}, residue {residue}",
        races.len()
    ));
    assert_eq!(heats, 4);
    assert!(15_000 < bets);
}
