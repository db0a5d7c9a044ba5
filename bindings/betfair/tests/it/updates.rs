//! What a recording tells a book, in order.

use betring_betfair::{Recording, Timed, Translator, Update};

use crate::truth::recordings;
use crate::{defined, mcm, recording};

/// The updates of these lines, one a row: time and what happened.
#[track_caller]
fn check(lines: &[String], expected: &str) {
    let told: Vec<String> = Translator::new(recording(lines.concat()))
        .map(|update| match update {
            Ok(timed) => format!("{} {}", timed.publish_time_ms, shown(&timed.update)),
            Err(error) => error.to_string(),
        })
        .collect();
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(told.join("\n"), expected.join("\n"));
}

fn shown(update: &Update) -> String {
    match update {
        Update::Heartbeat => "heartbeat".to_owned(),
        Update::Define(define) => {
            let named: Vec<String> =
                define.selections.iter().map(|it| format!("{}={}", it.key, it.name)).collect();
            let (market, id, name) = (define.market.index(), &define.id, &define.name);
            format!("define {market} {id} `{name}` {} {}", define.winners, named.join(" "))
        }
        Update::SelectionAdded { market, selection, named } => {
            format!("added {} {} {}={}", market.index(), selection.index(), named.key, named.name)
        }
        Update::Status { market, status, in_play, bet_delay_s } => {
            format!("status {} {status:?} {in_play} {bet_delay_s}", market.index())
        }
        Update::RunnerRemoved { market, selection, adjustment_factor } => {
            let factor = adjustment_factor.map_or("-".to_owned(), |it| it.to_string());
            format!("removed {} {} {factor}", market.index(), selection.index())
        }
        Update::Prices { market, image, prices } => {
            let prices: Vec<String> = prices
                .iter()
                .map(|(selection, price)| {
                    let price = price.map_or("-".to_owned(), |it| it.to_decimal());
                    format!("{}={price}", selection.index())
                })
                .collect();
            let image = if *image { "image" } else { "changed" };
            format!("prices {} {image} {}", market.index(), prices.join(" "))
        }
        Update::StartingPrice { market, selection, price } => {
            format!("starting {} {} {price}", market.index(), selection.index())
        }
        Update::Results { market, winners, outcomes } => {
            let outcomes: Vec<String> =
                outcomes.iter().map(|(at, it)| format!("{}={it:?}", at.index())).collect();
            format!("results {} of {winners} {}", market.index(), outcomes.join(" "))
        }
    }
}

fn market(rest: &str) -> String {
    format!("{{\"id\":\"1.1\",{rest}}}")
}

fn two(status: &str, first: &str, second: &str) -> String {
    let runners =
        format!("{{\"id\":7,\"status\":\"{first}\"}},{{\"id\":8,\"status\":\"{second}\"}}");
    defined(status, "", &runners)
}

#[test]
fn a_market_is_defined_then_priced_then_opened() {
    let open = two("OPEN", "ACTIVE", "ACTIVE");
    let prices = "\"rc\":[{\"id\":8,\"atb\":[[3,1],[2.9,1]]}]";
    check(
        &[mcm(1_000, &market(&format!("{open},{prices}")))],
        "1000 heartbeat
         1000 define 0 1.1 `1.1` 1 7=7 8=8
         1000 prices 0 changed 1=3.00
         1000 status 0 Open false 0",
    );
}

#[test]
fn only_the_best_prices_that_changed_are_told() {
    let open = two("OPEN", "ACTIVE", "ACTIVE");
    check(
        &[
            mcm(0, &market(&format!("\"rc\":[{{\"id\":7,\"atb\":[[2,5]]}}],{open}"))),
            mcm(100, &market("\"rc\":[{\"id\":7,\"atb\":[[2,9],[1.9,1]]}]")),
            mcm(200, &market("\"rc\":[{\"id\":7,\"atb\":[[2,0]]}]")),
            mcm(
                300,
                &market("\"rc\":[{\"id\":7,\"atb\":[[1.9,0]]},{\"id\":8,\"atb\":[[1.00001,2]]}]"),
            ),
            mcm(400, &market("\"img\":true,\"rc\":[{\"id\":8,\"atb\":[[4,2]]}]")),
            mcm(500, &market("\"img\":true,\"rc\":[{\"id\":8,\"atb\":[[4,2]]}]")),
        ],
        "0 heartbeat
         0 define 0 1.1 `1.1` 1 7=7 8=8
         0 prices 0 changed 0=2.00
         0 status 0 Open false 0
         200 prices 0 changed 0=1.90
         300 prices 0 changed 0=-
         400 prices 0 image 0=- 1=4.00
         500 prices 0 image 0=- 1=4.00",
    );
}

#[test]
fn a_suspension_comes_ahead_of_the_prices_in_its_message_and_an_opening_behind() {
    let open = two("OPEN", "ACTIVE", "ACTIVE");
    let suspended = two("SUSPENDED", "ACTIVE", "ACTIVE");
    let prices = |price: &str| format!("\"rc\":[{{\"id\":7,\"atb\":[{price}]}}]");
    check(
        &[
            mcm(0, &market(&format!("{open},{}", prices("[2,1]")))),
            mcm(1, &market(&format!("{suspended},{}", prices("[2,0]")))),
            mcm(2, &market(&format!("{suspended},{}", prices("[3,1]")))),
            mcm(3, &market(&format!("{open},{}", prices("[3.1,1]")))),
        ],
        "0 heartbeat
         0 define 0 1.1 `1.1` 1 7=7 8=8
         0 prices 0 changed 0=2.00
         0 status 0 Open false 0
         1 status 0 Suspended false 0
         1 prices 0 changed 0=-
         2 prices 0 changed 0=3.00
         3 prices 0 changed 0=3.10
         3 status 0 Open false 0",
    );
}

#[test]
fn a_removed_runner_is_void_and_has_no_more_prices() {
    let runners = |status: &str, eight: &str| {
        let more = ",\"numberOfWinners\":2,\"inPlay\":true,\"betDelay\":3";
        let seven = "{\"id\":7,\"status\":\"REMOVED\",\"adjustmentFactor\":26.678}";
        let eight = format!("{{\"id\":8,\"status\":\"{eight}\",\"bsp\":187.8050947177038}}");
        defined(status, more, &format!("{seven},{eight}"))
    };
    check(
        &[
            mcm(0, &market(&two("OPEN", "ACTIVE", "ACTIVE"))),
            mcm(
                1,
                &market(&format!(
                    "{},\"rc\":[{{\"id\":7,\"atb\":[[2,1]]}}]",
                    runners("OPEN", "ACTIVE")
                )),
            ),
            mcm(2, &market(&runners("CLOSED", "WINNER"))),
            mcm(3, &market("\"rc\":[{\"id\":8,\"atb\":[[5,1]]}]")),
            mcm(4, &market(&runners("CLOSED", "WINNER"))),
            mcm(5, &market(&runners("CLOSED", "LOSER"))),
        ],
        "0 heartbeat
         0 define 0 1.1 `1.1` 1 7=7 8=8
         0 status 0 Open false 0
         1 removed 0 0 26.678
         1 status 0 Open true 3
         1 starting 0 1 187.8050947177038
         2 status 0 Closed true 3
         2 results 0 of 2 0=Void 1=Win
         5 results 0 of 2 0=Void 1=Lose",
    );
}

#[test]
fn a_market_that_ends_without_a_result_for_everyone_has_no_results() {
    check(
        &[mcm(0, &market(&two("CLOSED", "WINNER", "ACTIVE")))],
        "0 heartbeat
         0 define 0 1.1 `1.1` 1 7=7 8=8
         0 status 0 Closed false 0",
    );
}

#[test]
fn a_selection_that_the_last_definition_leaves_out_has_no_result() {
    let one = defined("CLOSED", "", "{\"id\":7,\"status\":\"WINNER\"}");
    check(
        &[mcm(0, &market(&two("OPEN", "ACTIVE", "ACTIVE"))), mcm(1, &market(&one))],
        "0 heartbeat
         0 define 0 1.1 `1.1` 1 7=7 8=8
         0 status 0 Open false 0
         1 status 0 Closed false 0",
    );
}

#[test]
fn a_selection_that_comes_later_gets_the_next_number() {
    let third = ",{\"id\":9,\"status\":\"ACTIVE\",\"name\":\"Third\"}]";
    let three = two("OPEN", "ACTIVE", "ACTIVE").replace(']', third);
    check(
        &[
            mcm(0, &market("\"rc\":[{\"id\":9,\"atb\":[[6,1]]}]")),
            mcm(1, &market(&two("OPEN", "ACTIVE", "ACTIVE"))),
            mcm(2, &market(&three)),
        ],
        "0 heartbeat
         1 define 0 1.1 `1.1` 1 7=7 8=8
         1 status 0 Open false 0
         2 added 0 2 9=Third
         2 prices 0 changed 2=6.00",
    );
}

#[test]
fn points_of_a_line_market_are_not_prices() {
    let more = ",\"priceLadderDefinition\":{\"type\":\"LINE_RANGE\"},\"marketType\":\"TOTAL_RUNS\"";
    let line = defined("OPEN", more, "{\"id\":7,\"status\":\"ACTIVE\"}");
    check(
        &[mcm(0, &market(&format!("{line},\"rc\":[{{\"id\":7,\"atb\":[[250.5,1]]}}]")))],
        "0 heartbeat
         0 define 0 1.1 `TOTAL_RUNS` 1 7=7
         0 status 0 Open false 0",
    );
}

#[test]
fn there_is_one_heartbeat_a_second_through_a_gap_and_none_behind_the_end() {
    check(
        &[mcm(500, ""), mcm(1_499, ""), mcm(4_500, ""), mcm(4_600, "")],
        "500 heartbeat
         1500 heartbeat
         2500 heartbeat
         3500 heartbeat
         4500 heartbeat",
    );
}

#[test]
fn a_message_from_the_past_counts_as_of_the_newest_before() {
    let open = two("OPEN", "ACTIVE", "ACTIVE");
    check(
        &[mcm(5_000, ""), mcm(2_000, &market(&open)), mcm(6_000, "")],
        "5000 heartbeat
         5000 define 0 1.1 `1.1` 1 7=7 8=8
         5000 status 0 Open false 0
         6000 heartbeat",
    );
}

#[test]
fn an_unreadable_line_is_told_in_its_place_and_the_rest_goes_on() {
    check(
        &[mcm(0, ""), "x\n".to_owned(), mcm(1_000, "")],
        "0 heartbeat
         test.jsonl, line 2: not JSON: expected value at column 1; the line is left out
         1000 heartbeat",
    );
}

#[test]
fn every_real_recording_is_told_to_its_end() {
    let Ok(folder) = std::fs::read_dir(recordings()) else {
        println!("SKIPPED: no recordings");
        return;
    };
    let mut files = 0;
    for file in folder.map(|entry| entry.expect("an entry").path()) {
        if file.extension().is_none_or(|ending| ending != "bz2") {
            continue;
        }
        files += 1;
        let mut last_ms = i64::MIN;
        let (mut defined, mut ended, mut first, mut heartbeats) = (0, 0, None, 0);
        let recording = Recording::open(&file).expect("it can be opened");
        for update in Translator::new(recording) {
            let Timed { publish_time_ms, update } = update.expect("every line can be read");
            assert!(last_ms <= publish_time_ms, "time never falls");
            last_ms = publish_time_ms;
            first.get_or_insert(publish_time_ms);
            match update {
                Update::Heartbeat => heartbeats += 1,
                Update::Define(_) => defined += 1,
                Update::Results { winners, outcomes, .. } => {
                    ended += 1;
                    let won = |it: &&(_, _)| it.1 == betring_betfair::Outcome::Win;
                    let won = outcomes.iter().filter(won).count();
                    assert_eq!(won, usize::from(winners), "no dead heat is among them");
                }
                _ => (),
            }
        }
        assert_eq!(defined, ended, "every market has results: {}", file.display());
        let seconds = (last_ms - first.expect("a first update")) / 1_000;
        assert_eq!(heartbeats, seconds + 1, "one a second: {}", file.display());
    }
    assert_eq!(files, 7, "all recordings were read");
}
