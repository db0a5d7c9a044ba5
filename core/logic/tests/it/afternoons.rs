//! Random afternoons of an exchange market. After every line the whole state is recomputed from its orders, what may be
//! lost is in escrow, the house loses nothing, and the ledger is nought; at the end all of it is replayed.

use crate::cases;
use betring_core::HouseRules;
use betring_core::event::EventReader;
use betring_core::script::Runner;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use std::collections::BTreeSet;

const PRICES: [&str; 9] = ["1.01", "1.50", "1.98", "2.00", "2.02", "2.50", "3.00", "4.10", "1000"];
const SIZES: [&str; 7] = ["0.02", "0.33", "1.00", "2.00", "7.77", "20.00", "150.00"];
const WORDS: [&str; 10] = [
    "",
    "persist",
    "at-start",
    "on-close",
    "kill",
    "kill least 0.50",
    "self allow",
    "self cancel-maker",
    "self cancel-both",
    "payout",
];

/// What one line may be: numbers choose.
fn line(at: usize, what: u8, who: u8, one: u8, other: u8) -> String {
    let pick = |of: &[&'static str], by: u8| of[usize::from(by) % of.len()];
    let (account, selection) = (1 + who % 3, 1 + one % 4);
    let order = |one: u8, other: u8| {
        let side = if one.is_multiple_of(2) { "back" } else { "lay" };
        let price = if other.is_multiple_of(11) { "" } else { pick(&PRICES, one / 2) };
        let words = if price.is_empty() { "" } else { pick(&WORDS, other / 3) };
        format!("{side} {} {} {price} {words}", 1 + (one / 3) % 4, pick(&SIZES, other))
    };
    match what % 23 {
        0..=9 => format!("order R{at} A{account} M1 {}", order(one, other)),
        10 => format!("order R{at} A{account} M1 {} + {}", order(one, other), order(other, one)),
        11 => format!("cancel-orders R{at} A{account} M1 all"),
        12 => {
            format!("cancel-orders R{at} A{account} M1 O{} O{}:0.50", 1 + one % 20, 21 + other % 20)
        }
        13 => {
            format!("replace-orders R{at} A{account} M1 O{}:{}", 1 + one % 30, pick(&PRICES, other))
        }
        14 => format!("update-orders R{at} A{account} M1 O{}:persist", 1 + one % 30),
        15 => ["suspend M1", "release M1", "close M1", "open M1"][usize::from(one % 4)].to_owned(),
        16 => match one % 8 {
            0 => "in-play M1 5s".to_owned(),
            1 => "in-play M1 0s".to_owned(),
            2 => "in-play M1 off".to_owned(),
            _ => "open M1".to_owned(),
        },
        17 => match one % 6 {
            0 => format!("lapse M1 {}", if other < 128 { "all" } else { "not-persistent" }),
            1 => format!("non-runner M1 {selection} factor {}%", other % 40),
            _ => format!("discount A{account} {}%", other % 100),
        },
        18 if one < 40 => match other % 6 {
            0 => "result M1 1:win 2:lose 3:lose 4:lose".to_owned(),
            1 => "result M1 1:lose 2:win 3:lose 4:lose".to_owned(),
            2 => "result M1 1:1/2 2:1/2 3:lose 4:lose".to_owned(),
            3 => "result M1 1:1/3 2:1/3 3:lose 4:1/3".to_owned(),
            4 => "result M1 1:void 2:void 3:void 4:void".to_owned(),
            _ => "result M1 1:lose 2:lose 3:lose 4:win".to_owned(),
        },
        19 => "rollback M1".to_owned(),
        20 if one < 60 => "restart".to_owned(),
        21 => format!("@+{}s withdraw R{at} A{account} {}.00", one % 7, other),
        22 if one < 20 => "archive M1".to_owned(),
        _ => format!("order R{at} A{account} M1 {}", order(other, one)),
    }
}

/// What an afternoon is: its lines, whether it crosses, is passive, winners, the budget of a Step, room for orders.
type Afternoon = (Vec<(u8, u8, u8, u8)>, bool, bool, u8, u16, u16);

/// Plays one; the kinds of events that it told.
fn play((lines, crosses, passive, winners, budget, orders): Afternoon) -> BTreeSet<&'static str> {
    let mut runner = Runner::new(HouseRules);
    let flags =
        [(crosses && winners == 1, " cross"), (passive, " passive"), (winners == 2, " places")];
    let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    let first = [
        // In a small book those that are spent make room.
        format!("house budget {budget} orders {orders}"),
        format!("market M1 Race A B C D exchange winners {winners}"),
        format!("exchange M1 GBP commission 5% min 0.02 min-liability 1.00 starting-prices{flags}"),
        "open M1".to_owned(),
        "fund A1 200.00".to_owned(),
        "fund A2 200.00".to_owned(),
        "fund A3 2000.00".to_owned(),
    ];
    let all = lines.iter().enumerate().map(|(at, (what, who, one, other))| {
        format!("{} -> anything", line(at, *what, *who, *one, *other))
    });
    for line in first.into_iter().chain(all) {
        let line = if line.starts_with("restart") { "restart" } else { &line };
        runner.line(line).unwrap_or_else(|failure| panic!("{failure}"));
    }
    let report = runner.finish().unwrap_or_else(|failure| panic!("{failure}"));
    let records = report.records.iter();
    records.flat_map(|r| EventReader::new(&r.events)).map(|e| e.expect("readable").name()).collect()
}

#[test]
fn whatever_an_afternoon_brings_orders_money_and_house_agree() {
    let afternoons = (
        prop::collection::vec(any::<(u8, u8, u8, u8)>(), 10..90),
        any::<bool>(),
        any::<bool>(),
        1_u8..=2,
        prop::sample::select(vec![1_u16, 3, 64]),
        prop::sample::select(vec![12_u16, 24, 512]),
    );
    let told = RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases(200)));
    let played = runner.run(&afternoons, |afternoon| {
        told.borrow_mut().extend(play(afternoon));
        Ok(())
    });
    played.unwrap_or_else(|failure| panic!("{failure}"));
    // An afternoon without trade would hold whatever the rules are.
    let kinds = [
        "OrderMatched",
        "OrderBegan",
        "OrderCut",
        "OrderChanged",
        "OrderReduced",
        "ExposureHeld",
        "StartingPrice",
        "PositionSettled",
        "PositionReversed",
    ];
    for name in kinds {
        assert!(told.borrow().contains(name), "no afternoon told {name}: {told:?}");
    }
}
