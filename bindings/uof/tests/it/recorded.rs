//! The recorded messages, with what is known of them.

use std::path::{Path, PathBuf};

use betring_pricing::{Price, price};
use betring_uof::{
    Certainty, DescriptionKind, Factor, MarketStatus, Message, Odds, OutcomeResult, Producer,
    SettledMarket, VoidReason, Window, read,
};

use crate::{at, event, line};

/// Where the recorded messages lie: below `BETRING_DATA`, or beside the workspace.
fn folder() -> PathBuf {
    match std::env::var_os("BETRING_DATA") {
        Some(data) => PathBuf::from(data).join("uof/testdata"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/uof/testdata"),
    }
}

/// A recorded file's bytes; where there is none, that is said.
pub(crate) fn recorded(name: &str) -> Option<Vec<u8>> {
    let file = folder().join(name);
    match std::fs::read(&file) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            println!("SKIPPED: {}: {error}", file.display());
            None
        }
    }
}

/// All recorded files, by name.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder()) else {
        println!("SKIPPED: no recorded messages in {}", folder().display());
        return Vec::new();
    };
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "xml"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("a file that is listed can be read"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_recorded_file_is_read_as_what_it_is() {
    let files = all();
    for (name, bytes) in &files {
        let message = read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = match name.as_str() {
            "bet_cancel.xml" => "bet_cancel",
            "bet_settlement.xml" => "bet_settlement",
            "odds_change-0.xml" => "odds_change",
            "rollback_bet_cancel.xml" => "rollback_bet_cancel",
            _ if name.starts_with("fixture") => "fixtures",
            _ if name.starts_with("markets") => "markets",
            _ if name.starts_with("player") => "player",
            _ => panic!("{name} is new: say here what it is"),
        };
        assert_eq!(message.kind(), expected, "{name}");
    }
    assert!(files.is_empty() || files.len() == 13, "{} recorded files", files.len());
}

#[test]
fn descriptions_say_what_they_describe() {
    for (name, kind) in [
        ("fixture-0.xml", DescriptionKind::Fixtures),
        ("markets-1.xml", DescriptionKind::Markets),
        ("player_profile_f.xml", DescriptionKind::Player),
    ] {
        let Some(bytes) = recorded(name) else { return };
        assert_eq!(read(&bytes), Ok(Message::Description(kind)));
    }
}

/// Outcome, result, share refunded, share of the rest that wins.
fn settled(market: &SettledMarket) -> Vec<(&str, OutcomeResult, Factor, Option<Factor>)> {
    let outcomes = market.outcomes.iter();
    outcomes.map(|it| (it.id.as_str(), it.result, it.refunded(), it.winning())).collect()
}

#[test]
fn the_recorded_settlement_has_halves_refunds_and_a_dead_heat() {
    let Some(bytes) = recorded("bet_settlement.xml") else { return };
    let Message::BetSettlement(message) = read(&bytes).expect("it is read") else {
        panic!("a settlement")
    };
    assert_eq!(message.header.producer, Some(Producer(3)));
    assert_eq!(message.header.event, event("sr:match:16807109"));
    assert_eq!(message.header.timestamp, at(1_547_538_073_717));
    assert_eq!(message.header.request, None);
    assert_eq!(message.certainty, Certainty::Confirmed);

    let lines: Vec<String> = message.markets.iter().map(|it| it.line.to_string()).collect();
    let expected =
        ["193", "204/setnr=1|total=9.5", "201", "535/variant=pre:markettext:52751", "40/type=live"];
    assert_eq!(lines, expected);
    assert!(message.markets.iter().all(|it| it.void_reason.is_none()));

    use OutcomeResult::{Lost, Won};
    let (zero, half, one) = (Factor::ZERO, Factor::HALF, Factor::ONE);
    assert_eq!(
        settled(&message.markets[0]),
        [("74", Lost, zero, Some(zero)), ("76", Won, zero, Some(one))]
    );
    assert_eq!(
        settled(&message.markets[1]),
        [("12", Lost, zero, Some(zero)), ("13", Won, zero, Some(one))]
    );
    // Refunded; half lost; half won; lost.
    assert_eq!(
        settled(&message.markets[2]),
        [
            ("863", Lost, one, Some(zero)),
            ("864", Lost, half, Some(zero)),
            ("861", Won, half, Some(one)),
            ("862", Lost, zero, Some(zero)),
        ]
    );
    // Two share the first place, thirty have lost.
    let outright = settled(&message.markets[3]);
    assert_eq!(outright.len(), 32);
    assert_eq!(outright[0], ("pre:outcometext:6388892", Won, zero, Some(half)));
    assert_eq!(outright[1], ("pre:outcometext:6408970", Won, zero, Some(half)));
    assert!(outright[2..].iter().all(|it| (it.1, it.2, it.3) == (Lost, zero, Some(zero))));
    assert_eq!(message.markets[3].outcomes[2].dead_heat_factor, None);
    let players = settled(&message.markets[4]);
    assert_eq!(players.len(), 5);
    assert_eq!(players[4], ("sr:player:249437", Won, zero, Some(one)));
}

#[test]
fn the_recorded_cancel_voids_one_market_in_a_window() {
    let Some(bytes) = recorded("bet_cancel.xml") else { return };
    let Message::BetCancel(message) = read(&bytes).expect("it is read") else { panic!("a cancel") };
    assert_eq!(message.header.producer, Some(Producer(1)));
    assert_eq!(message.header.event, event("sr:match:18941600"));
    assert_eq!(message.header.timestamp, at(1_564_602_448_841));
    let window = Window::new(Some(at(1_564_597_838_000)), Some(at(1_564_598_513_000)));
    assert_eq!(Some(message.window), window);
    assert_eq!(message.superseded_by, None);
    assert_eq!(message.markets.len(), 1);
    assert_eq!(message.markets[0].line, line(62, "goalnr=1"));
    assert_eq!(message.markets[0].void_reason, Some(VoidReason(12)));
}

#[test]
fn the_recorded_rollback_of_a_cancel_names_no_producer_and_no_window() {
    let Some(bytes) = recorded("rollback_bet_cancel.xml") else { return };
    let Message::RollbackBetCancel(message) = read(&bytes).expect("it is read") else {
        panic!("a rollback")
    };
    assert_eq!(message.header.producer, None);
    assert_eq!(message.header.event, event("sr:match:4444"));
    assert_eq!(message.header.timestamp, at(1239));
    assert_eq!(message.window, Window::default());
    assert_eq!(message.markets, [line(48, "score=41.5")]);
}

#[test]
fn the_recorded_odds_change_has_every_market_state_and_price() {
    let Some(bytes) = recorded("odds_change-0.xml") else { return };
    let Message::OddsChange(message) = read(&bytes).expect("it is read") else {
        panic!("an odds change")
    };
    assert_eq!(message.header.producer, Some(Producer(2)));
    assert_eq!(message.header.event, event("sr:match:123"));
    assert_eq!(message.header.timestamp, at(1234));
    assert_eq!((message.betting_status, message.betstop_reason), (Some(1), Some(2)));
    assert_eq!(message.reason, None);

    let states: Vec<(String, MarketStatus, usize)> = message
        .markets
        .iter()
        .map(|it| (it.line.to_string(), it.status, it.outcomes.len()))
        .collect();
    let state = |line: &str, status, outcomes| (line.to_owned(), status, outcomes);
    assert_eq!(
        states,
        [
            state("47/score=41.5", MarketStatus::Active, 2),
            state("48/score=42.5", MarketStatus::Active, 2),
            state("49", MarketStatus::Inactive, 0),
            // Its extended specifiers do not belong to its name.
            state("123/game=3|point=1|set=2", MarketStatus::Suspended, 2),
            state("188", MarketStatus::Active, 5),
            state("899", MarketStatus::Active, 36),
            state("145/variant=sr:point_range:76+", MarketStatus::Cancelled, 5),
            state("888/player=sr:player:361790", MarketStatus::Active, 4),
            state("891/goalnr=1|player=sr:player:122702", MarketStatus::Active, 4),
        ]
    );
    assert!(message.markets.iter().all(|it| it.cashout.is_none()));

    // Outcome, price, taken.
    let priced = |market: usize| -> Vec<(&str, Option<Price>, bool)> {
        let outcomes = message.markets[market].outcomes.iter();
        let price = |odds| match odds {
            Odds::At(quoted) => Some(quoted.price()),
            Odds::Absent => None,
            Odds::OutOfRange => panic!("all prices are in range"),
        };
        outcomes.map(|it| (it.id.as_str(), price(it.odds), it.active)).collect()
    };
    let two = [("1", Some(price!(1.12)), true), ("2", Some(price!(1.92)), true)];
    assert_eq!(priced(0), two);
    assert_eq!(priced(1), two);
    assert_eq!(priced(3), [("1", Some(price!(1.30)), true), ("2", Some(price!(1.70)), true)]);
    assert_eq!(
        priced(4),
        [
            ("sr:player:1234", Some(price!(1.40)), true),
            ("sr:player:4322", Some(price!(1.50)), false),
            ("sr:player:71111", Some(price!(1.87)), true),
            ("sr:player:9919", Some(price!(1.90)), true),
            ("sr:player:1119", Some(price!(2.10)), false),
        ]
    );
    // In the big market a price is missing exactly where no bets are taken.
    let players = priced(5);
    assert!(players.iter().all(|(_, price, taken)| price.is_some() == *taken));
    assert_eq!(players.iter().filter(|(_, _, taken)| *taken).count(), 22);
    assert!(players.contains(&("sr:player:111505", Some(price!(135)), true)));
    assert_eq!(priced(8)[2], ("1896", Some(price!(100)), true));

    let probability = |market: usize, outcome: usize| {
        message.markets[market].outcomes[outcome].probability.map(|it| it.ppb())
    };
    // 8.97094E-4, 0.0032518534, 7.2E-9, and none.
    assert_eq!(probability(5, 0), Some(897_094));
    assert_eq!(probability(5, 1), Some(3_251_853));
    assert_eq!(probability(5, 6), Some(7));
    assert_eq!(probability(7, 3), None);
    assert_eq!(probability(0, 0), None);
}
