//! The lives of bets and markets as whole tables, by the rule itself and through State.

use betring_core::event::MarketStatus;
use betring_core::script;
use betring_core::{BetState, BetStep, MarketStep};
use std::fmt::Debug;

/// A table of states and steps as a trader reads it; a dot is "not allowed".
fn table<S: Copy + Debug, T: Copy + Debug>(
    states: &[S],
    steps: &[T],
    after: impl Fn(S, T) -> Option<S>,
) -> String {
    let mut text = format!("{:<11}", "");
    for step in steps {
        text += &format!("{:<11}", format!("{step:?}"));
    }
    for state in states {
        text = format!("{}\n{:<11}", text.trim_end(), format!("{state:?}"));
        for step in steps {
            let cell = after(*state, *step).map_or(".".to_owned(), |s| format!("{s:?}"));
            text += &format!("{cell:<11}");
        }
    }
    text.trim_end().to_owned()
}

fn same(table: &str, expected: &str) {
    let lines: Vec<&str> = expected.trim_matches('\n').lines().collect();
    let expected: Vec<&str> =
        lines.iter().map(|l| l.strip_prefix("        ").unwrap_or(l)).collect();
    assert!(table == expected.join("\n").trim_end(), "the table is\n{table}");
}

#[test]
fn life_of_a_bet() {
    let expected = "
                   Accept     EndOffer   Win        Lose       Void       Archive
        Offered    Open       OfferEnded .          .          .          .
        Open       .          .          Won        Lost       Void       .
        OfferEnded .          .          .          .          .          Archived
        Won        .          .          .          .          .          Archived
        Lost       .          .          .          .          .          Archived
        Void       .          .          .          .          .          Archived
        Archived   .          .          .          .          .          .
    ";
    same(&table(BetState::ALL, BetStep::ALL, BetState::after), expected);
}

#[test]
fn life_of_a_market() {
    let expected = "
                   Open       Close      Result     SettleEnd  Archive    ArchiveEnd
        Defined    Open       Closed     Settling   .          .          .
        Open       Open       Closed     Settling   .          .          .
        Closed     Open       Closed     Settling   .          .          .
        Settling   .          .          .          Settled    .          .
        Settled    .          .          .          .          Archiving  .
        Archiving  .          .          .          .          .          Archived
        Archived   .          .          .          .          .          .
    ";
    same(&table(MarketStatus::ALL, MarketStep::ALL, MarketStatus::after), expected);
}

/// Every state of a market, reached through State, and every command in it.
#[test]
fn every_command_in_every_state_of_a_market() {
    let reach = [
        ("Defined", ""),
        ("Open", "open M1"),
        ("Closed", "open M1\nclose M1"),
        ("Settling", "open M1\nmanual steps\nresult M1 Home"),
        ("Settled", "open M1\nresult M1 Home"),
        ("Archiving", "open M1\nresult M1 Home\nmanual steps\narchive M1"),
        ("Archived", "open M1\nresult M1 Home\narchive M1"),
    ];
    let commands = [
        "open M1",
        "close M1",
        "result M1 Home",
        "archive M1",
        "prices M1 2.60",
        "non-runner M1 Away",
        "suspend M1",
        "limits M1 GBP max 5.00",
        "place R1 A7 M1 1.00 any",
    ];
    // What the command is answered, or where it leads if that is elsewhere.
    let expected = "
        Defined    Open Closed Settling NotAllowed done done done done MarketNotOpen
        Open       done Closed Settling NotAllowed done done done done B1
        Closed     Open done Settling NotAllowed done done done done MarketClosed
        Settling   NotAllowed NotAllowed NotAllowed NotAllowed MarketClosed NotAllowed done done MarketClosed
        Settled    NotAllowed NotAllowed NotAllowed Archiving MarketClosed NotAllowed done done MarketClosed
        Archiving  NotAllowed NotAllowed NotAllowed NotAllowed MarketClosed NotAllowed done done MarketClosed
        Archived   MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown
    ";
    let rows: Vec<Vec<&str>> =
        expected.trim().lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), reach.len());
    for ((state, lines), row) in reach.iter().zip(&rows) {
        assert_eq!(row[0], *state);
        assert_eq!(row.len(), commands.len() + 1);
        for (command, cell) in commands.iter().zip(&row[1..]) {
            let leads = MarketStatus::ALL.iter().any(|s| s.to_string() == *cell);
            let (answer, now) = match (leads, command.split(' ').next()) {
                (true, Some("result" | "archive")) => ("started", *cell),
                (true, _) => ("done", *cell),
                (false, _) => (*cell, *state),
            };
            script::check(&format!(
                "fund A7 10.00
                 market M1 cup Home Away
                 prices M1 2.50
                 {lines}
                 market M1 -> {state}
                 manual steps
                 {command} -> {answer}
                 market M1 -> {now}"
            ));
        }
    }
}

/// Every state of a bet, reached through State, and every step that somebody may try.
#[test]
fn every_step_in_every_state_of_a_bet() {
    let offered = "place R1 A7 M1 1.00 2.60 -> offer B1";
    let reach = [
        ("Offered", offered.to_owned()),
        ("Open", "place R1 A7 M1 1.00 any -> B1".to_owned()),
        ("OfferEnded", format!("{offered}\ndecline R2 A7 B1")),
        ("Won", "place R1 A7 M1 1.00 any -> B1\nresult M1 1".to_owned()),
        ("Lost", "place R1 A7 M1 1.00 any -> B1\nresult M1 2".to_owned()),
        ("Void", "place R1 A7 M1 1.00 any -> B1\nresult M1 void all".to_owned()),
        ("Archived", "place R1 A7 M1 1.00 any -> B1\nresult M1 2\narchive M1".to_owned()),
    ];
    let commands = [
        "accept R9 A7 B1",
        "decline R9 A7 B1",
        "result M1 1",
        "result M1 2",
        "result M1 void all",
        "archive M1",
    ];
    let expected = "
        Offered    Open OfferEnded OfferEnded OfferEnded OfferEnded NotAllowed
        Open       NotAllowed NotAllowed Won Lost Void NotAllowed
        OfferEnded OfferUnknown OfferUnknown OfferEnded OfferEnded OfferEnded NotAllowed
        Won        NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Archived
        Lost       NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Archived
        Void       NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Archived
        Archived   OfferUnknown OfferUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown
    ";
    let rows: Vec<Vec<&str>> =
        expected.trim().lines().map(|row| row.split_whitespace().collect()).collect();
    for ((state, lines), row) in reach.iter().zip(&rows) {
        assert_eq!((row[0], row.len()), (*state, commands.len() + 1));
        for (command, cell) in commands.iter().zip(&row[1..]) {
            let leads = BetState::ALL.iter().any(|s| s.to_string() == *cell);
            let answer = match (leads, command.split(' ').next()) {
                (true, Some("accept")) => "B1 at 2.50",
                (true, Some("decline")) => "done",
                (true, _) => "started",
                (false, _) => cell,
            };
            let paid = |state: &str| match state {
                "Won" => "Won 2.50".to_owned(),
                "Void" => "Void 1.00".to_owned(),
                other => other.to_owned(),
            };
            let (before, now) = (paid(state), paid(if leads { cell } else { state }));
            script::check(&format!(
                "house on-failure offer
                 fund A7 10.00
                 quote M1 2.50
                 {lines}
                 bet B1 -> {before}
                 {command} -> {answer}
                 bet B1 -> {now}"
            ));
        }
    }
}
