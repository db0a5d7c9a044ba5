//! Every example of fixed-odds betting that others published or computed, driven through State: markets
//! defined, bets placed, results given, the ledger read.
//!
//! The examples are not part of this repository: `BETRING_VECTORS` names their directory, and by default
//! it is looked for beside the workspace. `fixtures` are our own, so that the same code runs without them.

use betring_core::id::{AccountId, BetId};
use betring_core::wire::Minor;
use betring_core::{BetView, HouseRules, script};
use betring_pricing::{
    LegNumbers, LegOutcome, Pence, Price, Rule4Table, Shape, Side, asian_handicap, asian_total,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

type Runner = script::Runner<HouseRules>;

/// Prints a line that is seen even when the test passes.
fn show(line: &str) {
    writeln!(io::stderr(), "{line}").expect("the standard error of a test can be written");
}

pub(crate) fn examples() -> Option<Vec<Value>> {
    let (directory, chosen) = match std::env::var_os("BETRING_VECTORS") {
        Some(directory) => (PathBuf::from(directory), true),
        None => (PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), false),
    };
    let path = directory.join("settlement.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let file: Value = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Some(file["examples"].as_array().expect("a list of examples").clone())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !chosen => {
            show("SKIPPED: no vectors (settlement.json); BETRING_VECTORS names their directory");
            None
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is not a text in {value}"))
}

/// A figure as it is printed, in hundredths.
pub(crate) fn cents(text: &str) -> i64 {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, parts) = text.split_once('.').unwrap_or((text, "00"));
    assert!(parts.len() <= 2, "{text} has more than two decimals");
    let parts: i64 = format!("{parts:0<2}").parse().unwrap();
    sign * (whole.parse::<i64>().unwrap() * 100 + parts)
}

/// The rounding modes that have to give the figure of an example.
fn modes(rounding: &Value) -> &'static [&'static str] {
    match rounding.as_str() {
        Some("exact") => &["down", "up", "half-up", "half-even"],
        Some("floor") => &["down"],
        Some("half_up") => &["half-up"],
        Some("floor_or_half_up") => &["down", "half-up"],
        // At the printed digits.
        None | Some("as printed") => &["down"],
        Some(other) => panic!("{other} is no rounding that DATA.md names"),
    }
}

/// A book where only what an example is about can refuse anything.
fn book(mode: &str) -> Runner {
    let mut runner = script::Runner::new(HouseRules);
    line(
        &mut runner,
        &format!(
            "house rounding {mode} max 5000000000.00 payout 900000000000000.00 \
             liability 900000000000000.00"
        ),
    );
    line(&mut runner, "fund A7 10000000.00");
    runner
}

fn line(runner: &mut Runner, text: &str) {
    if let Err(failure) = runner.line(text) {
        panic!("{failure}");
    }
}

fn bet(runner: &Runner) -> BetView {
    runner.state().unwrap().bet(BetId::new(0, 1)).expect("the bet of the example")
}

fn balance(runner: &Runner) -> Minor {
    runner.state().unwrap().account(AccountId::new(0, 1)).expect("A7").balance
}

fn price(odds: &str) -> String {
    if odds == "evens" { "1/1".to_owned() } else { odds.to_owned() }
}

/// The price of a withdrawn runner that takes so many pence.
fn price_taking(pence: u64) -> Price {
    let pence = Pence::new(u8::try_from(pence).unwrap()).unwrap();
    let table = Rule4Table::TATTERSALLS;
    let band = table.bands().iter().find(|band| band.pence == pence);
    band.unwrap_or_else(|| panic!("no band takes {pence:?}")).longest
}

/// What became of a leg, as the test language writes it.
fn outcome(leg: &Value) -> String {
    let pair = |field: &str| {
        leg[field].as_array().map(|pair| (pair[1].as_u64().unwrap(), pair[0].as_u64().unwrap()))
    };
    match text(leg, "result") {
        "won" => match pair("dead_heat") {
            Some((places, tied)) => format!("{places}/{tied}"),
            None => "win".to_owned(),
        },
        "placed" => match pair("place_dead_heat") {
            Some((places, tied)) => format!("placed:{places}/{tied}"),
            None => "placed".to_owned(),
        },
        "lost" => "lose".to_owned(),
        "void" | "push" => "void".to_owned(),
        "half_won" => "half-won".to_owned(),
        "half_lost" => "half-lost".to_owned(),
        other => panic!("{other} is no result that is known"),
    }
}

/// Defines the markets of a ticket, one a leg, each with two rivals that may be withdrawn.
fn markets(runner: &mut Runner, legs: &[Value], each_way: Option<&str>) -> String {
    let mut labels = String::new();
    for (at, leg) in legs.iter().enumerate() {
        let m = at + 1;
        let terms = each_way.map_or_else(String::new, |f| format!(" each-way 3@{f}"));
        line(runner, &format!("market M{m} m{m} pick rival other spare last{terms}"));
        line(runner, &format!("open M{m}"));
        let odds = price(text(leg, "odds"));
        line(runner, &format!("prices M{m} {odds} 3.00 3.00 3.00 3.00"));
        labels += &format!(" M{m}/pick");
    }
    labels
}

/// Withdraws what an example's deductions say, and gives the results.
fn results(runner: &mut Runner, legs: &[Value]) {
    for (at, leg) in legs.iter().enumerate() {
        let m = at + 1;
        match leg["rule4_pence"].as_u64() {
            None => (),
            // Two withdrawals that come to more than the table takes at most.
            Some(105) => {
                line(runner, &format!("non-runner M{m} rival deduct price {}", price_taking(60)));
                line(runner, &format!("non-runner M{m} other deduct price {}", price_taking(45)));
            }
            Some(pence) => {
                line(
                    runner,
                    &format!("non-runner M{m} rival deduct price {}", price_taking(pence)),
                );
            }
        }
        let pick = outcome(leg);
        line(
            runner,
            &format!("result M{m} pick:{pick} rival:lose other:lose spare:lose last:lose"),
        );
    }
}

fn lines_of(inputs: &Value) -> String {
    let folds = inputs["fold_sizes"].as_array().map(|folds| {
        folds.iter().map(|k| k.as_u64().unwrap().to_string()).collect::<Vec<_>>().join("+")
    });
    match text(inputs, "type") {
        "acca" => "acca".to_owned(),
        "system" => folds.expect("a system has fold sizes"),
        name => name.replace('_', "-"),
    }
}

fn ticket(example: &Value, mode: &str, divided: bool) {
    let inputs = &example["inputs"];
    let legs = inputs["legs"].as_array().unwrap();
    let mut runner = book(mode);
    if let Some(one_winner) = inputs["one_winner_odds_multiplier"].as_u64() {
        let all = inputs["all_winners_bonus_percent_on_winnings"].as_u64().unwrap();
        let known = matches!((one_winner, all), (3, 10) | (4, 20) | (5, 25));
        assert!(known, "these are Betfred's figures");
        line(&mut runner, &format!("rules set rounding {mode} lucky betfred"));
    }
    let each_way = inputs["each_way"].as_str();
    let labels = markets(&mut runner, legs, each_way);
    let lines = if divided { "acca".to_owned() } else { lines_of(inputs) };
    let way = match (each_way, divided) {
        (Some(_), true) => " each-way-divided",
        (Some(_), false) => " each-way",
        (None, _) => "",
    };
    let stake = text(inputs, "unit_stake");
    let before = balance(&runner);
    line(&mut runner, &format!("ticket R1 A7 {lines} {stake}{labels}{way} any -> B1"));
    let placed = bet(&runner);
    assert_eq!(balance(&runner).0, before.0 - placed.stake.0);
    let expected = &example["expected"];
    if let Some(lines) = expected["lines"].as_u64() {
        assert_eq!(placed.lines, lines, "lines");
        assert_eq!(placed.stake.0, cents(text(expected, "total_staked")), "staked");
    }
    results(&mut runner, legs);
    let after = bet(&runner);
    assert_eq!(after.paid.0, cents(text(expected, "total_return")), "{mode}");
    assert_eq!(balance(&runner).0, before.0 - placed.stake.0 + after.paid.0);
}

/// One leg with its numbers, as half results give them.
fn half_result(example: &Value, numbers: LegNumbers, mode: &str) {
    let word = match numbers.outcome() {
        LegOutcome::Won => "win",
        LegOutcome::Lost => "lose",
        LegOutcome::Void => "void",
        LegOutcome::HalfWon => "half-won",
        LegOutcome::HalfLost => "half-lost",
        other => panic!("no Asian line is {other:?}"),
    };
    let named = match numbers.outcome() {
        LegOutcome::Void => "push".to_owned(),
        LegOutcome::HalfWon => "half_won".to_owned(),
        LegOutcome::HalfLost => "half_lost".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    assert_eq!(named, text(&example["expected"], "leg_result"));
    let inputs = &example["inputs"];
    let mut runner = book(mode);
    line(&mut runner, &format!("quote M1 {} 2.00", text(inputs, "odds")));
    line(&mut runner, &format!("place R1 A7 M1/1 {} any -> B1", text(inputs, "stake")));
    line(&mut runner, &format!("result M1 1:{word} 2:lose"));
    assert_eq!(bet(&runner).paid.0, cents(text(&example["expected"], "total_return")));
}

fn quarters(text: &str) -> i32 {
    let quarters = cents(text) / 25;
    assert_eq!(quarters * 25, cents(text), "a line is in quarters");
    i32::try_from(quarters).unwrap()
}

fn cash_out(example: &Value, mode: &str) {
    let (inputs, expected) = (&example["inputs"], &example["expected"]);
    let mut runner = book(mode);
    let margin = inputs["margin"].as_str().map_or(0, cents);
    line(&mut runner, &format!("rules set rounding {mode} margin {margin}%"));
    let single;
    let legs: &[Value] = match inputs["legs"].as_array() {
        Some(legs) => legs,
        None => {
            single = [inputs.clone()];
            &single
        }
    };
    let mut labels = String::new();
    for (at, leg) in legs.iter().enumerate() {
        line(&mut runner, &format!("quote M{} {} 2.00", at + 1, text(leg, "odds_taken")));
        labels += &format!(" M{}/1", at + 1);
    }
    let stake = text(inputs, "stake");
    line(&mut runner, &format!("ticket R1 A7 acca {stake}{labels} any -> B1"));
    for (at, leg) in legs.iter().enumerate() {
        match leg["odds_now"].as_str() {
            Some(now) => line(&mut runner, &format!("quote M{} {now} 2.00", at + 1)),
            None => line(&mut runner, &format!("result M{} 1", at + 1)),
        }
    }
    let fair = expected["fair_cash_out"].as_str();
    let due = fair.unwrap_or_else(|| text(expected, "cash_out_credit"));
    line(&mut runner, &format!("value B1 -> {due}"));
    let before = balance(&runner);
    line(&mut runner, &format!("cash-out R2 A7 B1 {due} -> done"));
    assert_eq!(balance(&runner).0 - before.0, cents(due));
    let after = bet(&runner);
    assert_eq!((after.stake, after.returns), (Minor(0), Minor(0)));
    if let Some(profit) = expected["profit"].as_str() {
        assert_eq!(cents(due) - cents(stake), cents(profit));
    }
}

/// Bets that come out first one way and then another: what was credited each time.
fn resettled(example: &Value, mode: &str) {
    let (inputs, expected) = (&example["inputs"], &example["expected"]);
    let mut runner = book(mode);
    line(&mut runner, &format!("quote M1 {} 2.00", text(inputs, "odds")));
    line(&mut runner, &format!("place R1 A7 M1/1 {} any -> B1", text(inputs, "stake")));
    let placed = balance(&runner);
    let word = |field: &str| match text(inputs, field) {
        "won" => "win",
        "lost" => "lose",
        other => other,
    };
    let credits: Vec<i64> = expected["credits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| cents(c.as_str().unwrap()))
        .collect();
    line(&mut runner, &format!("result M1 1:{} 2:lose", word("first")));
    let first = balance(&runner);
    assert_eq!(first.0 - placed.0, credits[0]);
    line(&mut runner, &format!("result M1 1:{} 2:lose", word("second")));
    let second = balance(&runner);
    assert_eq!(second.0 - first.0, credits[1] + credits[2]);
    assert_eq!(second.0 - first.0, cents(text(expected, "net_adjustment")));
    // The ledger has all three: paid, taken back, paid anew.
    assert_eq!(bet(&runner).settlements, 2);
}

/// Drives an example; whether it is one of fixed odds.
fn drive(example: &Value) -> bool {
    let (inputs, expected) = (&example["inputs"], &example["expected"]);
    for mode in modes(&example["rounding"]) {
        match text(example, "kind") {
            "bet" | "bonus" => ticket(example, mode, false),
            "each_way_equally_divided" => ticket(example, mode, true),
            "asian_handicap" => {
                let margin = i32::try_from(inputs["goal_margin"].as_i64().unwrap()).unwrap();
                let numbers = asian_handicap(quarters(text(inputs, "line")), margin);
                half_result(example, numbers, mode);
            }
            "asian_total" => {
                let side = if text(inputs, "side") == "over" { Side::Over } else { Side::Under };
                let goals = u32::try_from(inputs["total_goals"].as_u64().unwrap()).unwrap();
                let numbers = asian_total(side, quarters(text(inputs, "line")), goals);
                half_result(example, numbers, mode);
            }
            "uof_settlement" => {
                let leg =
                    match (inputs["void_factor"].as_str(), inputs["dead_heat_factor"].as_str()) {
                        (Some("1"), _) => "void",
                        (None, Some("0.5")) => "1/2",
                        (None, None) if inputs["result"] == 1 => "win",
                        (None, None) => "lose",
                        other => panic!("{other:?} is not read here"),
                    };
                let mut runner = book(mode);
                line(&mut runner, &format!("quote M1 {} 2.00", text(inputs, "odds")));
                line(&mut runner, &format!("place R1 A7 M1/1 {} any -> B1", text(inputs, "stake")));
                line(&mut runner, &format!("result M1 1:{leg} 2:lose"));
                assert_eq!(bet(&runner).paid.0, cents(text(expected, "total_return")));
            }
            "free_bet" => {
                let mut runner = book(mode);
                let stake = text(inputs, "free_stake");
                line(&mut runner, &format!("grant A7 {stake}"));
                line(&mut runner, &format!("quote M1 {} 2.00", price(text(inputs, "odds"))));
                let before = balance(&runner);
                line(&mut runner, &format!("ticket R1 A7 single {stake} M1/1 bonus any -> B1"));
                line(&mut runner, "result M1 1");
                let credited = balance(&runner).0 - before.0;
                assert_eq!(credited, cents(text(expected, "credited")));
            }
            "cash_out" => cash_out(example, mode),
            "max_payout" => {
                let mut runner = book(mode);
                let cap = text(inputs, "max_payout");
                line(
                    &mut runner,
                    &format!(
                        "limits GBP max 5000000000.00 payout {cap}.00 liability 900000000000000.00"
                    ),
                );
                line(&mut runner, "rules set pay-the-cap");
                line(&mut runner, "quote M1 10.00 2.00");
                let stake = cents(text(inputs, "computed_return")) / 10;
                line(&mut runner, &format!("place R1 A7 M1/1 {}.00 any -> B1", stake / 100));
                line(&mut runner, "result M1 1");
                assert_eq!(bet(&runner).paid.0, cents(text(expected, "total_return")));
            }
            "palpable_error" => {
                let mut runner = book(mode);
                line(&mut runner, &format!("quote M1 {} 2.00", text(inputs, "odds_taken")));
                line(&mut runner, &format!("place R1 A7 M1/1 {} any -> B1", text(inputs, "stake")));
                line(&mut runner, "result M1 1");
                let first = balance(&runner);
                assert_eq!(bet(&runner).paid.0, cents(text(expected, "first_settlement")));
                line(&mut runner, &format!("correct B1 {}", text(inputs, "corrected_odds")));
                assert_eq!(bet(&runner).paid.0, cents(text(expected, "resettled")));
                let adjustment = balance(&runner).0 - first.0;
                assert_eq!(adjustment, cents(text(expected, "adjustment")));
            }
            "resettlement" => resettled(example, mode),
            // A table, which may be asked directly.
            "rule4_lookup" => {
                // This operator waives the band of five pence.
                let bands = Rule4Table::TATTERSALLS.bands().to_vec();
                let kept: Vec<_> = bands.into_iter().filter(|b| b.pence.get() != 5).collect();
                let table = Rule4Table::new(&kept, Pence::MAX).unwrap();
                let odds = inputs["decimal_odds"].as_array().unwrap();
                let pence = expected["pence_in_pound"].as_array().unwrap();
                for (odds, pence) in odds.iter().zip(pence) {
                    let price: Price = odds.as_str().unwrap().parse().unwrap();
                    let deduction = u64::from(table.deduction(price).get());
                    assert_eq!(Some(deduction), pence.as_u64(), "{odds}");
                }
            }
            "line_count" => {
                for (name, counts) in inputs.as_object().unwrap() {
                    let shape = Shape::named(&name.replace('_', "-")).unwrap();
                    assert_eq!(Some(shape.lines()), expected[name].as_u64(), "{name}");
                    assert_eq!(Some(u64::from(shape.legs())), counts["selections"].as_u64());
                }
            }
            _ => return false,
        }
    }
    true
}

/// Our own examples, so that the code above runs where nobody has the others.
fn fixtures() -> Vec<Value> {
    let bet = |lines: &str, stake: &str, legs: Value, expected: Value| {
        json!({"id": "own", "kind": "bet", "rounding": "exact",
            "inputs": {"type": lines, "unit_stake": stake, "legs": legs}, "expected": expected})
    };
    vec![
        bet(
            "trixie",
            "2",
            json!([{"odds": "2.00", "result": "won"}, {"odds": "3/1", "result": "won"},
                {"odds": "5.00", "result": "void"}]),
            // Two doubles with a void leg, one of both, and the treble that is a double.
            json!({"total_return": "44.00", "lines": 4, "total_staked": "8.00"}),
        ),
        json!({"id": "own", "kind": "bet", "rounding": "exact",
            "inputs": {"type": "single", "unit_stake": "10", "each_way": "1/5",
                "legs": [{"odds": "10/1", "result": "placed", "place_dead_heat": [2, 1]}]},
            "expected": {"total_return": "15.00", "lines": 2, "total_staked": "20.00"}}),
        json!({"id": "own", "kind": "each_way_equally_divided", "rounding": "exact",
            "inputs": {"unit_stake": "1", "each_way": "1/4",
                "legs": [{"odds": "4/1", "result": "won"}, {"odds": "8/1", "result": "placed"}]},
            // Seven pounds from the first, half of it at three.
            "expected": {"total_return": "10.50"}}),
        json!({"id": "own", "kind": "bet", "rounding": "floor",
            "inputs": {"type": "double", "unit_stake": "1",
                "legs": [{"odds": "7/4", "result": "won", "rule4_pence": 15},
                    {"odds": "1.333", "result": "half_won"}]},
            // (1 + 1.75 · 0.85) · (0.5 + 0.5 · 1.333) = 2.4875 · 1.1665
            "expected": {"total_return": "2.90", "lines": 1, "total_staked": "1.00"}}),
        json!({"id": "own", "kind": "asian_total", "rounding": "exact",
            "inputs": {"stake": "8", "odds": "1.75", "side": "under", "line": "2.25",
                "total_goals": 2},
            "expected": {"leg_result": "half_won", "total_return": "11.00"}}),
        json!({"id": "own", "kind": "cash_out", "rounding": "floor",
            "inputs": {"stake": "10", "margin": "0.10",
                "legs": [{"odds_taken": "3.00", "state": "won"},
                    {"odds_taken": "4.00", "odds_now": "2.00"}]},
            "expected": {"cash_out_credit": "54.00"}}),
        json!({"id": "own", "kind": "resettlement", "rounding": null,
            "inputs": {"stake": "4", "odds": "2.5", "first": "void", "second": "lost"},
            "expected": {"credits": ["4.00", "-4.00", "0.00"], "net_adjustment": "-4.00"}}),
    ]
}

fn drive_all(examples: &[Value]) -> (BTreeMap<String, u32>, BTreeMap<String, u32>) {
    let (mut passed, mut pending) = (BTreeMap::new(), BTreeMap::new());
    for example in examples {
        let id = text(example, "id").to_owned();
        let driven = std::panic::catch_unwind(|| drive(example));
        let count = match driven {
            Ok(true) => &mut passed,
            Ok(false) => &mut pending,
            Err(_) => panic!("example {id} does not hold: {example}"),
        };
        *count.entry(text(example, "kind").to_owned()).or_default() += 1;
    }
    (passed, pending)
}

#[test]
fn vectors_of_our_own_come_out_through_state() {
    let (passed, pending) = drive_all(&fixtures());
    assert_eq!((passed.values().sum::<u32>(), pending.len()), (7, 0));
}

#[test]
fn vectors_that_others_published_come_out_through_state() {
    let Some(examples) = examples() else { return };
    let (passed, pending) = drive_all(&examples);
    for (kind, count) in &passed {
        println!("settlement.json: passed  {count:3} {kind}");
    }
    for (kind, count) in &pending {
        println!("settlement.json: pending {count:3} {kind}");
    }
    let sum = |counts: &BTreeMap<String, u32>| counts.values().sum::<u32>();
    show(&format!(
        "settlement.json: {} passed through State, {} pending (--nocapture names them)",
        sum(&passed),
        sum(&pending)
    ));
    assert_eq!(sum(&passed) as usize + sum(&pending) as usize, examples.len());
}
