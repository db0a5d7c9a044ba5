//! Real results, bet on and settled: a season of football, a month of racing. What the house won is what
//! its customers lost, to the penny, and every return is what a second computation says.
//!
//! The recordings are not part of this repository: `BETRING_DATA` names their directory, and by default it
//! is looked for beside the workspace.

use crate::house::{Dice, House};
use betring_core::BetState;
use betring_core::answer::AnswerKind;
use betring_core::command::{ResultEntry, SelectionOutcome};
use betring_core::event::HouseAccount;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_pricing::{EachWay, LegNumbers, Price, Shape, Side, asian_handicap, asian_total};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

pub(crate) fn show(line: &str) {
    writeln!(io::stderr(), "{line}").expect("the standard error of a test can be written");
}

/// A recording; none where nobody has it.
pub(crate) fn recording(name: &str) -> Option<Vec<u8>> {
    let (directory, chosen) = match std::env::var_os("BETRING_DATA") {
        Some(directory) => (PathBuf::from(directory), true),
        None => (PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), false),
    };
    let path = directory.join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !chosen => {
            show(&format!("SKIPPED: no {name}; BETRING_DATA names the directory of recordings"));
            None
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

pub(crate) fn rows(bytes: &[u8]) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(bytes);
    reader.deserialize().map(|row| row.expect("a row of the recording")).collect()
}

/// The digits of a price, as far as prices go; the rest is dropped.
fn price(text: &str) -> Price {
    let (whole, parts) = text.split_once('.').unwrap_or((text, ""));
    let parts: String = format!("{parts:0<4}").chars().take(4).collect();
    let e4: u32 = format!("{whole}{parts}").parse().expect("a number");
    Price::from_e4(e4.max(Price::MIN.e4())).expect("a price")
}

fn quarters(text: &str) -> i32 {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, parts) = text.split_once('.').unwrap_or((text, "0"));
    let hundredths: i32 = format!("{parts:0<2}").parse().expect("hundredths");
    sign * (whole.parse::<i32>().expect("a whole number") * 4 + hundredths / 25)
}

/// What a leg is worth, computed apart: (void + (1 − void) · win · odds), as a fraction of 40,000.
fn factor(numbers: LegNumbers, price: Price) -> i128 {
    let halves = |share: betring_pricing::Share| {
        assert!(2 % share.den() == 0, "football has halves at most");
        i128::from(share.num() * (2 / share.den()))
    };
    let (void, win) = (halves(numbers.void), halves(numbers.win));
    // In quarters of ten-thousandths.
    2 * void * 10_000 + (2 - void) * win * i128::from(price.e4())
}

#[test]
fn a_season_of_football_is_zero_sum_to_the_penny() {
    let Some(bytes) = recording("football/E0-1415.csv") else { return };
    let matches = rows(&bytes);
    assert_eq!(matches.len(), 337);
    let customers = 12;
    let mut house = House::open(customers);
    let funds = house.customers();
    let mut dice = Dice(1_415);
    // What every customer should have gained, computed apart.
    let mut gained = vec![0_i128; customers as usize];
    let (mut bets, mut folds) = (0, 0);

    for (round, played) in matches.chunks(4).enumerate() {
        let mut markets = Vec::new();
        for (at, game) in played.iter().enumerate() {
            let name = format!("{round}-{at}");
            let fixture = house.fixture(&name);
            let (home, away): (i32, i32) =
                (game["FTHG"].parse().unwrap(), game["FTAG"].parse().unwrap());
            let three = [
                ("home", price(&game["B365H"])),
                ("draw", price(&game["B365D"])),
                ("away", price(&game["B365A"])),
            ];
            let outcome = |won: bool| if won { LegNumbers::WON } else { LegNumbers::LOST };
            let who = [outcome(away < home), outcome(home == away), outcome(home < away)];
            markets.push((
                house.market(&format!("{name} 1x2"), fixture, 1, &three),
                three.to_vec(),
                who.to_vec(),
            ));

            let two = [("over", price(&game["BbAv>2.5"])), ("under", price(&game["BbAv<2.5"]))];
            let goals = u32::try_from(home + away).unwrap();
            let totals = [asian_total(Side::Over, 10, goals), asian_total(Side::Under, 10, goals)];
            markets.push((
                house.market(&format!("{name} 2.5"), fixture, 1, &two),
                two.to_vec(),
                totals.to_vec(),
            ));

            let line = quarters(&game["BbAHh"]);
            let two = [("home", price(&game["BbAvAHH"])), ("away", price(&game["BbAvAHA"]))];
            let handicap = [asian_handicap(line, home - away), asian_handicap(-line, away - home)];
            markets.push((
                house.market(&format!("{name} ah"), fixture, 1, &two),
                two.to_vec(),
                handicap.to_vec(),
            ));
        }
        // Singles on everything, and multiples of one market from each match.
        let mut placed: Vec<(BetId, u32, i128)> = Vec::new();
        for (market, prices, numbers) in &markets {
            for customer in 0..customers {
                let at = dice.roll(prices.len() as u64) as usize;
                let stake = 1 + dice.roll(99_999) as i64;
                let bet = house.single(customer, stake, *market, at as u16);
                let returns = i128::from(stake) * factor(numbers[at], prices[at].1) / 40_000;
                placed.push((bet, customer, returns - i128::from(stake)));
                bets += 1;
            }
        }
        if played.len() == 4 {
            for customer in 0..customers {
                let stake = 1 + dice.roll(9_999) as i64;
                let legs: Vec<usize> = (0..4).map(|m| m * 3 + dice.roll(3) as usize).collect();
                let picks: Vec<usize> =
                    legs.iter().map(|m| dice.roll(markets[*m].1.len() as u64) as usize).collect();
                let shape = if customer % 2 == 0 {
                    Shape::named("lucky15").unwrap()
                } else {
                    Shape::new(4, 0b1000, 0, EachWay::No).unwrap()
                };
                let wanted: Vec<(MarketId, u16)> =
                    legs.iter().zip(&picks).map(|(m, p)| (markets[*m].0, *p as u16)).collect();
                let bet = house.ticket(customer, stake, shape, &wanted);
                let factors: Vec<i128> = legs
                    .iter()
                    .zip(&picks)
                    .map(|(m, p)| factor(markets[*m].2[*p], markets[*m].1[*p].1))
                    .collect();
                // Every line for itself, over a common denominator.
                let (mut sum, mut lines) = (0_i128, 0);
                for line in 1_u32..16 {
                    let size = line.count_ones();
                    if shape.folds() & (1 << (size - 1)) == 0 {
                        continue;
                    }
                    lines += 1;
                    let mut product = 1_i128;
                    for (leg, factor) in factors.iter().enumerate() {
                        product *= if line & (1 << leg) == 0 { 40_000 } else { *factor };
                    }
                    sum += product;
                }
                let total = i128::from(stake) * lines;
                let returns = i128::from(stake) * sum / 40_000_i128.pow(4);
                placed.push((bet, customer, returns - total));
                folds += 1;
            }
        }
        for (market, _, numbers) in &markets {
            let entries: Vec<ResultEntry> = numbers
                .iter()
                .enumerate()
                .map(|(at, n)| ResultEntry::shares(SelectionIndex(at as u16), *n))
                .collect();
            let reply = house.result(*market, &entries);
            assert_eq!(reply.answer.kind(), AnswerKind::Started, "{reply}");
        }
        for (bet, customer, profit) in placed {
            let view = house.bet(bet);
            assert!(view.state != BetState::Open, "{bet}");
            assert_eq!(i128::from(view.paid.0) - i128::from(view.stake.0), profit, "{view:?}");
            gained[customer as usize] += profit;
        }
        for (market, ..) in markets {
            house.archive(market);
        }
    }
    assert_eq!(house.state.bets().count(), 0);
    house.state.check().unwrap();
    let lost = funds - house.customers();
    assert_eq!(house.won_by(HouseAccount::House), lost, "house profit = −Σ customers");
    assert_eq!(gained.iter().sum::<i128>(), -lost);
    for (customer, gained) in gained.iter().enumerate() {
        let account = house.state.account(AccountId::new(customer as u32, 1)).unwrap();
        assert_eq!(i128::from(account.balance.0), 100_000_000_000 + gained, "A{}", customer + 1);
    }
    println!(
        "337 matches, {bets} singles and {folds} multiples: the house won {}.{:02}",
        lost / 100,
        lost % 100
    );
}

#[test]
fn a_month_of_racing_pays_its_dead_heats() {
    let Some(bytes) = recording("racing/anz-thoroughbreds-2025-12.csv.bz2") else { return };
    let mut text = Vec::new();
    let mut packed = bzip2::read::MultiBzDecoder::new(bytes.as_slice());
    io::Read::read_to_end(&mut packed, &mut text).unwrap();
    let runners = rows(&text);
    assert_eq!(runners.len(), 16_269);
    let mut races: BTreeMap<String, Vec<BTreeMap<String, String>>> = BTreeMap::new();
    for runner in runners {
        races.entry(runner["WIN_MARKET_ID"].clone()).or_default().push(runner);
    }
    assert_eq!(races.len(), 1_673);
    let mut house = House::open(1);
    let funds = house.customers();
    let mut due = 0_i128;
    let (mut backed, mut dead_heats, mut doubled, mut unpriced) = (0, 0, Vec::new(), 0);
    for (id, mut field) in races {
        // A runner that stands there twice is one runner.
        let before = field.len();
        field.sort_by(|a, b| a["SELECTION_ID"].cmp(&b["SELECTION_ID"]));
        field.dedup_by(|a, b| a["SELECTION_ID"] == b["SELECTION_ID"]);
        if field.len() != before {
            doubled.push(id.clone());
        }
        let stake = 1_000;
        let markets = [("win", "WIN_RESULT", "WIN_BSP"), ("place", "PLACE_RESULT", "PLACE_BSP")];
        for (kind, result, odds) in markets {
            let priced: Vec<_> = field.iter().filter(|r| !r[odds].is_empty()).collect();
            let priced: Vec<_> = priced.into_iter().filter(|r| !r[result].is_empty()).collect();
            unpriced += field.len() - priced.len();
            let won = priced.iter().filter(|r| r[result] == "WINNER").count();
            if won == 0 || priced.len() < 2 || won == priced.len() {
                continue;
            }
            // A race has one winner; who shares that place shares the stake.
            let winners = if kind == "win" { 1 } else { won };
            let tied = if kind == "win" { won } else { 1 };
            dead_heats += usize::from(1 < tied);
            let names: Vec<(&str, Price)> =
                priced.iter().map(|r| (r["SELECTION_ID"].as_str(), price(&r[odds]))).collect();
            let market =
                house.market(&format!("{id} {kind}"), FixtureId::NONE, winners as u16, &names);
            let mut bets = Vec::new();
            for (at, (_, price)) in names.iter().enumerate() {
                let bet = house.single(0, stake, market, at as u16);
                let returns = match priced[at][result].as_str() {
                    "WINNER" => {
                        i128::from(stake) * i128::from(price.e4()) / (10_000 * tied as i128)
                    }
                    _ => 0,
                };
                due += returns - i128::from(stake);
                bets.push((bet, returns));
                backed += 1;
            }
            let entries: Vec<ResultEntry> = priced
                .iter()
                .enumerate()
                .map(|(at, runner)| {
                    let at = SelectionIndex(at as u16);
                    match (runner[result].as_str(), tied) {
                        ("WINNER", 1) => ResultEntry::new(at, SelectionOutcome::Win),
                        ("WINNER", tied) => ResultEntry::position(at, 1, tied as u16),
                        _ => ResultEntry::new(at, SelectionOutcome::Lose),
                    }
                })
                .collect();
            if 1 < tied {
                // As if nobody had shared: more winners than the market has.
                let both: Vec<ResultEntry> = priced
                    .iter()
                    .enumerate()
                    .map(|(at, runner)| {
                        let won = runner[result] == "WINNER";
                        let outcome =
                            if won { SelectionOutcome::Win } else { SelectionOutcome::Lose };
                        ResultEntry::new(SelectionIndex(at as u16), outcome)
                    })
                    .collect();
                let reply = house.result(market, &both);
                assert_eq!(reply.answer.reject(), Some(Reject::TooManyWinners));
            }
            let reply = house.result(market, &entries);
            assert_eq!(reply.answer.kind(), AnswerKind::Started, "{reply}");
            for (bet, returns) in bets {
                assert_eq!(i128::from(house.bet(bet).paid.0), returns, "{id} {kind}");
            }
            house.archive(market);
        }
    }
    house.state.check().unwrap();
    assert_eq!(doubled, ["251784874"], "the market that stands there twice");
    assert_eq!(dead_heats, 4, "four dead heats for first");
    let lost = funds - house.customers();
    assert_eq!(-lost, due);
    assert_eq!(house.won_by(HouseAccount::House), lost, "house profit = −Σ customers");
    println!(
        "1,673 races, {backed} runners backed to win and to be placed, {dead_heats} dead heats, \
         {unpriced} without a price: the house won {}.{:02}",
        lost / 100,
        (lost % 100).abs()
    );
}
