//! The test language itself: what it says of lines that are wrong, and that it notices what is not true.

use betring_core::script::{self, Runner};

fn what(text: &str) -> String {
    let failure = script::run(text).expect_err(text);
    format!("line {}: {}", failure.line, failure.what)
}

#[test]
fn a_wrong_line_says_what_was_read_and_what_was_expected() {
    let cases = [
        (
            "bett A7",
            "line 1: read `bett`, expected one of the verbs house, actor, feed, fixture, market, open, \
             close, archive, suspend, release, non-runner, runner, result, limits, block, unblock, \
             quarantine, lift, rules, in-play, referral, freeze, unfreeze, cancel, uncancel, \
             rollback, void, unvoid, correct, adjust, grant, prices, quote, heartbeat, gap, \
             recovered, account, fund, deposit, withdraw, place, ticket, accept, decline, cash-out, \
             auto-cash-out, resolve, retry, restart, manual, auto, step, tick, balance, bonus, bet, \
             stake, leg, value, exposure, reach, events, digest",
        ),
        ("\n\nfund A7", "line 3: read the end of the line, expected an amount like 100.00"),
        ("fund X7 1.00", "line 1: read `X7`, expected an account like A7"),
        (
            "fund A7 ten",
            "line 1: read `ten`, expected an amount with at most two decimals, like 10.00",
        ),
        ("fund A7 1.00 GBQ", "line 1: read `GBQ`, expected a currency like GBP"),
        ("fund A7 1.00 GBP x", "line 1: read `x`, expected the end of the line"),
        ("@5 fund A7 1.00", "line 1: read `5`, expected a time like 5ms, 1.5s or 5m-1ns"),
        (
            "@5ms fund A7 1.00\n@4ms fund A7 1.00",
            "line 2: time runs forward: the line before was at @5ms",
        ),
        ("fund A7 1.00\nbalance A7", "line 2: a question needs an answer to compare with: `-> …`"),
        ("manual steps -> done", "line 1: this line has no answer"),
        ("fund A7 1.00 ->", "line 1: read the end of the line, expected an answer after `->`"),
        ("-> done", "line 1: read `->`, expected a verb before it"),
        ("fund A7 1.00\nhouse window 1m", "line 2: a house is set up before everything else"),
        ("house bets 2000000", "line 1: read `2000000`, expected at most 1048576 bets"),
        ("house window", "line 1: read the end of the line, expected a value after `window`"),
        ("manual transmission", "line 1: read `manual`, expected `manual steps` or `auto steps`"),
        (
            "quote M1 2.50\nplace R1 A7 M1/Draw 1.00 any",
            "line 2: read `Draw`, expected a selection of M1 by name, or its number from 1",
        ),
        (
            "place R1 A7 M1 1.00 maybe",
            "line 1: read `maybe`, expected exact, better, within 2% or any",
        ),
        (
            "place R1 A7 M1 1.00 2.50 within lots",
            "line 1: read `lots`, expected a slippage like 2% or 150bp",
        ),
        ("suspend M1 nobody", "line 1: read `nobody`, expected feed, trader, governor or engine"),
        ("retry A7 R1", "line 1: nothing was sent by A7 under R1 yet"),
        ("market M1 \"one", "line 1: read `\"one`, expected a closing quotation mark"),
        (
            "market M1 one only",
            "line 1: the market cannot be written as a command: too few or too many entries, \
             or a selection or its name appears twice",
        ),
        ("restart keys many", "line 1: read `many`, expected a whole number in its range"),
        ("balance A9 -> 1.00", "line 1: there is no account A9"),
    ];
    for (text, sentence) in cases {
        assert_eq!(what(text), sentence, "{text}");
    }
}

#[test]
fn every_verb_that_is_named_is_read_and_stands_in_the_table() {
    const KNOWN: &str = "expected one of the verbs ";
    let named = what("bett");
    let verbs = named.split_once(KNOWN).expect("the verbs are named").1;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/script.md");
    let page = std::fs::read_to_string(path).expect("docs/script.md is part of the project");
    for verb in verbs.split(", ") {
        let read = script::run(verb).err().is_none_or(|failure| !failure.what.contains(KNOWN));
        assert!(read, "{verb} is a verb");
        assert!(
            page.contains(&format!("`{verb} ")) || page.contains(&format!("`{verb}`")),
            "{verb}"
        );
    }
}

#[test]
fn a_line_that_does_not_hold_is_shown_with_everything_before_it() {
    let failure = script::run(
        "fund A7 100.00
         @1s quote M1 2.50
         @2s place R1 A7 M1 10.00 any -> B1 at 2.40
         balance A7 -> 90.00",
    )
    .unwrap_err();
    assert_eq!(
        failure.to_string(),
        "\
fund A7 100.00                               -> done
@1s quote M1 2.50                            -> done
@2s place R1 A7 M1 10.00 any                 -> B1 at 2.50 returns 25.00, 1s old, v1, InForce
line 3: @2s place R1 A7 M1 10.00 any -> B1 at 2.40
  expected  B1 at 2.40
  answered  B1 at 2.50 returns 25.00, 1s old, v1, InForce"
    );
}

#[test]
fn what_is_not_true_is_noticed() {
    let set_up = "fund A7 100.00\nquote M1 2.50\nplace R1 A7 M1 10.00 any -> B1\n";
    let wrong = [
        "balance A7 -> 90.01",
        "bet B1 -> Won 25.00",
        "market M1 -> Closed",
        "house Escrow GBP -> 9.99",
        "exposure M1 GBP -> 14.99",
        "events -> BetOpened",
        // A duplicate is no new bet, and a new bet no duplicate.
        "place R2 A7 M1 10.00 any -> duplicate B2",
        "retry A7 R1 -> B2",
        "retry A7 R1 -> duplicate B1 at 2.50, now Won 25.00",
        "place R2 A7 M1 10.00 any -> not sequenced: B2",
        // Whole words: 2.5 is not how 2.50 begins.
        "place R2 A7 M1 10.00 any -> B2 at 2.5",
        // A refusal that nobody expects.
        "place R2 A7 M1 99999.00 any",
    ];
    for line in wrong {
        assert!(script::run(&format!("{set_up}{line}")).is_err(), "{line}");
    }
    script::check(&format!("{set_up}place R2 A7 M1 99999.00 any -> anything"));
}

#[test]
fn a_report_shows_the_transcript_and_the_digest() {
    let text = "fund A7 100.00\nquote M1 2.50";
    let (one, two) = (script::check(text), script::check(text));
    assert_eq!(one.digest, two.digest);
    assert_eq!(one.records, two.records);
    let shown = one.to_string();
    // Genesis, run, actor, account, deposit, market, its opening, its prices.
    let last = format!("held: 8 records, replayed to the same digest {}\n", one.digest);
    assert!(shown.ends_with(&last), "{shown}");
    let other = script::check("fund A7 100.01\nquote M1 2.50");
    assert_ne!(other.digest, one.digest);
}

#[test]
fn a_runner_takes_line_after_line() {
    let mut runner = Runner::new(betring_core::HouseRules);
    assert!(runner.state().is_none());
    assert!(runner.line("# nothing").unwrap().is_none());
    let reply = runner.line("fund A7 100.00").unwrap().unwrap();
    assert_eq!(reply.to_string(), "done");
    assert_eq!(runner.state().unwrap().accounts().count(), 1);
    assert_eq!(runner.finish().unwrap().records.len(), 5);
}
