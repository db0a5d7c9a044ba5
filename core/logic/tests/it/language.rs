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
            "line 1: read `bett`, expected one of the verbs house, actor, feed, group, tier, \
             fixture, market, assign, open, close, archive, switch, schema, suspend, release, \
             non-runner, runner, result, limits, limit, factor, shedding, block, unblock, exclude, \
             confirm, release-hold, quarantine, lift, rules, in-play, referral, freeze, unfreeze, cancel, \
             uncancel, rollback, void, unvoid, correct, adjust, grant, prices, reprice, quote, pin, unpin, \
             take, heartbeat, gap, recovering, recovered, account, fund, deposit, withdraw, \
             place, ticket, accept, decline, own-limit, exclude-self, cash-out, auto-cash-out, \
             resolve, retry, restart, manual, auto, step, tick, balance, bonus, bet, stake, leg, \
             value, exposure, reach, liability, customer, price, drift, bands, events, digest, exchange, discount, lapse, order, cancel-orders, \
             replace-orders, update-orders, sizes, held, stands, net, depth, traded, virtual, starting, version, cleared",
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
        (
            "fund A7 1.00\nbalance A7",
            "line 2: a question needs an answer to compare with: `-> …`; `-> anything` takes any",
        ),
        ("manual steps -> done", "line 1: this line has no answer"),
        ("fund A7 1.00 ->", "line 1: read the end of the line, expected an answer after `->`"),
        ("-> done", "line 1: read `->`, expected a verb before it"),
        ("fund A7 1.00\nhouse window 1m", "line 2: a house is set up before everything else"),
        ("house bets 2000000", "line 1: read `2000000`, expected at most 1048576 bets"),
        ("house window", "line 1: read the end of the line, expected a value after `window`"),
        (
            "quote M1 2.50\nprices M1 2.60 + M2 2.70",
            "line 2: read `+`, expected the end of the line",
        ),
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
        (
            "suspend M1 nobody",
            "line 1: read `nobody`, expected feed, backup, trader, governor or engine",
        ),
        ("group G1 F1", "line 1: read the end of the line, expected the backup, a feed like F2"),
        ("switch G1 other", "line 1: read `other`, expected primary or backup"),
        ("shedding maybe", "line 1: read `maybe`, expected on, auto, off or none"),
        ("tier 2 liability stop 5%", "line 1: read `stop`, expected step or suspend"),
        ("tier 2 liability step 5% 2 steps", "line 1: expected `ticks`"),
        ("quote M1 2.50\nfreeze M1/1", "line 2: cash-outs are frozen by market, not by selection"),
        ("retry A7 R1", "line 1: nothing was sent by A7 under R1 yet"),
        ("market M1 \"one", "line 1: read `\"one`, expected a closing quotation mark"),
        (
            "market M1 one only",
            "line 1: the market cannot be written as a command: too few or too many entries, \
             or a selection or its name appears twice",
        ),
        ("restart keys many", "line 1: read `many`, expected a whole number in its range"),
        ("balance A9 -> 1.00", "line 1: there is no account A9"),
        ("cashout R1 A7 B1", "line 1: read `cashout`, expected `cash-out`"),
        ("bet B1 -> Open", "line 1: there is no bet B1: no line has made one yet"),
        (
            "fund A7 5.00\nquote M1 2.50\nplace R1 A7 M1 1.00 any\nstake B2 -> 1.00",
            "line 4: there is no bet B2: the last one so far is B1",
        ),
        ("ticket R1 A7 lucky15 1.00 M1 M2 any", "line 1: lucky15 needs 4 legs, 2 given"),
        ("ticket R1 A7 single 1.00 M1 M2 any", "line 1: single needs 1 leg, 2 given"),
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
fn every_form_of_an_answer_is_as_the_page_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/script.md");
    let page = std::fs::read_to_string(path).expect("docs/script.md is part of the project");
    let lines = [
        ("house on-failure offer min 0.10", ""),
        ("fund A7 1000.00", "done"),
        ("@0ms quote M1 2.50", "done"),
        ("@5ms quote M1 2.40", "done"),
        ("quote M2 3.00", "done"),
        ("@7ms place R1 A7 M1 10.00 any", "B1 at 2.40 returns 24.00, 2ms old, v2, InForce"),
        ("ticket R2 A7 double 1.00 M1 M2 any", "B2 returns 7.20, 2ms old, InForce"),
        ("place R3 A7 M1 10.00 2.50", "offer B3 at 2.40 until @5.007s, v2"),
        ("place R4 A7 M1 0.01 any", "StakeTooSmall min 0.10"),
        ("place R5 A7 M1 0.00 any", "Malformed: the stake is not between"),
        ("in-play M1 5s", "done"),
        ("place R6 A7 M1 1.00 any", "pending B4 until @5.007s, Delay"),
        ("account A7", "AccountExists A7"),
        ("market M3 M1 a b", "NameTaken M1"),
        ("resolve A7 R99", "NeverPlaced"),
        ("close M2", "done"),
        ("place R7 A7 M2 1.00 any", "MarketClosed"),
        ("result M1 1", "started J1"),
        ("place R1 A7 M1 10.00 any", "duplicate B1 at 2.40, now Won 24.00"),
        ("bet B1", "Won 24.00"),
        ("bet B2", "Open"),
        ("leg B2 1", "Won"),
    ];
    let mut script = String::new();
    for (line, answer) in lines {
        match answer {
            "" => script += &format!("{line}\n"),
            answer => script += &format!("{line} -> {answer}\n"),
        }
        assert!(page.contains(&format!("`{answer}")), "the page has no `{answer}`");
    }
    script::check(&script);
    // How a line begins is enough for a command, all of it is needed for a question.
    let set_up =
        "fund A7 9.00\nquote M1 2.50\nplace R1 A7 M1 1.00 any -> B1\nresult M1 1 -> started\n";
    script::check(&format!("{set_up}bet B1 -> Won 2.50"));
    assert!(script::run(&format!("{set_up}bet B1 -> Won")).is_err());
}

#[test]
fn a_plain_result_pays_no_places_and_positions_do() {
    let night = |result: &str| {
        format!(
            "fund A7 100.00
             market M1 race Arkle Denman Tiger Aldaniti Kauto each-way 2@1/4
             prices M1 3.00 5.00 6.00 7.00 8.00
             open M1
             ticket R1 A7 single 1.00 M1/Denman each-way any -> B1
             {result}"
        )
    };
    script::check(&night("result M1 Arkle\nbet B1 -> Lost"));
    script::check(&night(
        "result M1 Arkle:win Denman:placed Tiger:lose Aldaniti:lose Kauto:lose\nbet B1 -> Won 2.00",
    ));
    script::check(&night(
        "result M1 Arkle:1st Denman:2nd Tiger:3rd Aldaniti:4th Kauto:5th\nbet B1 -> Won 2.00",
    ));
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
