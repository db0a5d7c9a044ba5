//! The recording that the project ships.

use betring_betfair::{FeedCheck, LineError, Recording, Timed, Translator, Update};

use crate::derby;

const RECORDING: &str = include_str!("../../recordings/derby.jsonl");
const CHECK: &str = include_str!("../../recordings/derby.check.json");

#[test]
fn the_shipped_recording_is_what_its_generator_writes() {
    assert!(derby::recording() == RECORDING, "renew it as examples/derby.rs says");
}

#[test]
fn the_check_of_the_shipped_recording_is_the_golden_one() {
    assert_eq!(format!("{}\n", derby::check(RECORDING).to_json()), CHECK);
}

#[test]
fn the_shipped_recording_is_read_from_its_file_too() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/derby.jsonl");
    let check = FeedCheck::of([path]);
    assert!(check.is_clean(), "{check}");
    assert_eq!(check.files[0].markets, derby::check(RECORDING).files[0].markets);
}

#[test]
fn the_shipped_recording_tells_a_match_and_a_race() {
    let updates: Result<Vec<Timed>, LineError> =
        Translator::new(Recording::read("derby.jsonl", RECORDING.as_bytes())).collect();
    let updates = updates.expect("every line can be read");
    let told: Vec<String> = updates
        .iter()
        .filter_map(|timed| {
            let second = (timed.publish_time_ms - 1_760_000_000_000) / 1_000;
            story(&timed.update).map(|what| format!("{second:>2}s {what}"))
        })
        .collect();
    let expected = "
 0s market 0 is England v Scotland, Match Odds (MATCH_ODDS, 1 winner): England, The Draw, Scotland
 0s market 0 Open, bets wait 0s
 0s market 1 is Ringfield 14:05, 6f Hcap (WIN, 1 winner): Copper Kettle, Night Ferry, Slow Thunder, Paper Lantern, Old Harbour, Quick Sixpence
 0s market 1 Open, bets wait 0s
 0s market 2 is Ringfield 14:05, To Be Placed (PLACE, 2 winner): Copper Kettle, Night Ferry, Slow Thunder, Paper Lantern, Old Harbour, Quick Sixpence
 0s market 2 Open, bets wait 0s
12s market 1 Suspended, bets wait 0s
12s market 2 Suspended, bets wait 0s
13s market 1 selection 3 removed, 8.350
13s market 2 selection 3 removed, 8.350
15s market 1 Open, bets wait 0s
15s market 2 Open, bets wait 0s
30s market 0 Suspended, bets wait 0s
31s market 0 Open in play, bets wait 5s
40s market 1 Suspended, bets wait 0s
40s market 2 Suspended, bets wait 0s
41s market 1 Open in play, bets wait 1s
50s market 0 Suspended in play, bets wait 5s
54s market 0 Open in play, bets wait 5s
58s market 1 Suspended in play, bets wait 1s
64s market 1 Closed in play, bets wait 1s
64s market 1 of 1 winner: Lose Win Lose Void Lose Lose
64s market 2 Closed, bets wait 0s
64s market 2 of 2 winner: Win Win Lose Void Lose Lose
80s market 0 Suspended in play, bets wait 5s
88s market 0 Closed in play, bets wait 5s
88s market 0 of 1 winner: Win Lose Lose
";
    assert_eq!(told.join("\n"), expected.trim_matches('\n'));

    let heartbeats = updates.iter().filter(|it| it.update == Update::Heartbeat).count();
    assert_eq!(heartbeats, 89, "one at the beginning and one a second for 88 seconds");
    let starting = |it: &&Timed| matches!(it.update, Update::StartingPrice { .. });
    assert_eq!(updates.iter().filter(starting).count(), 10, "five runners in two markets");
}

/// What a reader of the result book would write down; prices and heartbeats are too many for it.
fn story(update: &Update) -> Option<String> {
    match update {
        Update::Define(define) => {
            let names: Vec<&str> = define.selections.iter().map(|it| it.name.as_str()).collect();
            Some(format!(
                "market {} is {} ({}, {} winner): {}",
                define.market.index(),
                define.name,
                define.market_type,
                define.winners,
                names.join(", ")
            ))
        }
        Update::Status { market, status, in_play, bet_delay_s } => {
            let in_play = if *in_play { " in play" } else { "" };
            Some(format!("market {} {status:?}{in_play}, bets wait {bet_delay_s}s", market.index()))
        }
        Update::RunnerRemoved { market, selection, adjustment_factor } => {
            let factor = adjustment_factor.map_or("-".to_owned(), |it| it.to_string());
            let (market, selection) = (market.index(), selection.index());
            Some(format!("market {market} selection {selection} removed, {factor}"))
        }
        Update::Results { market, winners, outcomes } => {
            let outcomes: Vec<String> = outcomes.iter().map(|(_, it)| format!("{it:?}")).collect();
            let market = market.index();
            Some(format!("market {market} of {winners} winner: {}", outcomes.join(" ")))
        }
        Update::SelectionAdded { market, .. } => Some(format!("market {} grew", market.index())),
        Update::Heartbeat | Update::Prices { .. } | Update::StartingPrice { .. } => None,
    }
}
