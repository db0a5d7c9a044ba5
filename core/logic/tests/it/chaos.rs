//! Whatever is said, in any order: every invariant holds after every command, and a replay is the same.

use crate::house::Dice;
use betring_core::{HouseRules, script};

const MARKETS: u64 = 5;

fn pick<'a>(dice: &mut Dice, of: &[&'a str]) -> &'a str {
    of[dice.roll(of.len() as u64) as usize]
}

fn market(dice: &mut Dice) -> String {
    format!("M{}", 1 + dice.roll(MARKETS))
}

fn stake(dice: &mut Dice) -> String {
    format!("{}.{:02}", dice.roll(12), 1 + dice.roll(99))
}

/// One line that somebody might say.
fn line(dice: &mut Dice, at: usize, bets: u64) -> String {
    // A4 has an external wallet, A5 is a probe's.
    let account = format!("A{}", 1 + dice.roll(5));
    let probe = if account == "A5" { "synthetic" } else { "" };
    let bet = format!("B{}", 1 + dice.roll(bets + 1));
    let selection = 1 + dice.roll(3);
    let price = pick(dice, &["1.50", "2.00", "3.3333", "10/11", "7.50", "1.01", "100.00"]);
    let policy = pick(dice, &["any", "any", "any", "better"]);
    let m = market(dice);
    match dice.roll(36) {
        0..=2 => {
            let seen = if policy == "any" { "" } else { price };
            format!("place P{at} {account} {m}/{selection} {} {seen} {policy} {probe}", stake(dice))
        }
        3..=6 => {
            let lines = pick(
                dice,
                &["single", "double", "treble", "trixie", "patent", "acca", "1+2", "2", "lucky15"],
            );
            let way = pick(dice, &["", "", "each-way", "each-way-divided", "total", "bonus"]);
            let legs = match lines {
                "single" => 1,
                "double" | "1+2" | "2" => 2,
                "lucky15" => 4,
                _ => 3,
            };
            let mut labels = String::new();
            for leg in 0..legs {
                let m = if dice.roll(8) == 0 { dice.roll(MARKETS) } else { leg };
                labels += &format!(" M{}/{}", 1 + m, 1 + dice.roll(3));
            }
            let banker = if legs == 3 && dice.roll(4) == 0 { "bankers 1" } else { "" };
            format!(
                "ticket T{at} {account} {lines} {}{labels} {way} {banker} any {probe}",
                stake(dice)
            )
        }
        7..=9 => format!("prices {m} {selection} {price}"),
        10 => format!("prices {m} {selection} -"),
        11 => format!("in-play {m} {}", pick(dice, &["2s", "5s", "off"])),
        12 => format!("{} {m}", pick(dice, &["suspend", "release", "release"])),
        13 => format!("{} {m}", pick(dice, &["freeze", "unfreeze", "unfreeze"])),
        14 | 15 => {
            let word = |dice: &mut Dice| {
                pick(
                    dice,
                    &[
                        "win",
                        "lose",
                        "void",
                        "half-won",
                        "half-lost",
                        "1/2",
                        "2nd",
                        "1st=2",
                        "placed",
                        "win-25p",
                    ],
                )
            };
            let (a, b, c) = (word(dice), word(dice), pick(dice, &["lose", "void", "3rd"]));
            let source = pick(dice, &["", "", "source 5s", "source 9s", "certainty 1"]);
            format!("result {m} 1:{a} 2:{b} 3:{c} {source}")
        }
        16 => format!("rollback {m} {}", pick(dice, &["", "source 7s"])),
        17 => {
            let window = pick(dice, &["", "from @3s", "until @4s", "from @2s until @6s"]);
            format!("{} {m} {window}", pick(dice, &["cancel", "uncancel"]))
        }
        18 => format!("{} {bet}", pick(dice, &["void", "unvoid"])),
        19 => format!("correct {bet} {} leg {}", pick(dice, &[price, "-"]), 1 + dice.roll(3)),
        20 | 21 => {
            let take =
                if dice.roll(2) == 0 { format!("take {}", stake(dice)) } else { String::new() };
            format!("cash-out C{at} {account} {bet} {take} any")
        }
        22 => format!("auto-cash-out U{at} {account} {bet} {}", stake(dice)),
        23 => {
            let answer = pick(dice, &["accept", "decline", "counter", "counter stake 1.00"]);
            format!("referral {bet} {answer} {}", if dice.roll(3) == 0 { price } else { "" })
        }
        24 => format!("{} O{at} {account} {bet}", pick(dice, &["accept", "decline"])),
        25 => {
            let deduct = pick(dice, &["", "deduct", "deduct price 5/4"]);
            if dice.roll(3) == 0 {
                format!("runner {m} {selection}")
            } else {
                format!("non-runner {m} {selection} {deduct}")
            }
        }
        26 => {
            let set = pick(
                dice,
                &[
                    "refer 300%",
                    "by-line",
                    "pay-the-cap",
                    "lucky betfred rounding half-up",
                    "on-failure offer ttl 3s",
                    "margin 5% certainty 2",
                    "hold place hold-ttl 3s refer 300%",
                    "hold place on-failure offer",
                ],
            );
            format!("rules set {set}")
        }
        27 => match dice.roll(4) {
            0 => format!("grant {account} {}", stake(dice)),
            1 => format!("adjust {account} -{}", stake(dice)),
            2 => format!("withdraw W{at} {account} {}", stake(dice)),
            _ => format!("deposit D{at} {account} {}", stake(dice)),
        },
        28 => match dice.roll(5) {
            0 => format!("archive {m}"),
            1 => format!("close {m}"),
            2 => "limits GBP max 6.00 payout 90.00".to_owned(),
            3 => "limits GBP liability 60.00".to_owned(),
            _ => "restart".to_owned(),
        },
        29..=31 => {
            let amount = if dice.roll(4) == 0 { stake(dice) } else { String::new() };
            format!("confirm {bet} {amount}")
        }
        32 => format!("release-hold {bet}"),
        33 => {
            let kind = pick(dice, &["stake", "loss", "deposit"]);
            let period = pick(dice, &["day", "week", "month"]);
            let amount = if dice.roll(2) == 0 { stake(dice) } else { "none".to_owned() };
            match dice.roll(2) {
                0 => format!("limit {account} {kind} {period} {amount}"),
                _ => format!("own-limit L{at} {account} {kind} {period} {amount}"),
            }
        }
        34 => match dice.roll(3) {
            0 => format!("factor {} {}%", pick(dice, &["all", "X1", "tier 0"]), dice.roll(300)),
            1 => "limits GBP customer 40.00 selection 30.00 liability 60.00 event 90.00".to_owned(),
            _ => format!("exclude {account} until @{}s", dice.roll(60)),
        },
        _ => match dice.roll(4) {
            0 => "manual steps".to_owned(),
            1 => "auto steps".to_owned(),
            2 => "step 1".to_owned(),
            _ => format!("open {m}"),
        },
    }
}

/// Plays one day; how many bets there were.
fn day(seed: u64, lines: usize) -> usize {
    let mut dice = Dice(seed);
    let mut runner = script::Runner::new(HouseRules);
    let mut said = Vec::new();
    let mut bets = 0;
    let mut say = |text: String, runner: &mut script::Runner| {
        said.push(text.clone());
        match runner.line(&text) {
            Ok(reply) => reply,
            Err(failure) => panic!("seed {seed}\n{}\n{failure}", said.join("\n")),
        }
    };
    say("house budget 3".to_owned(), &mut runner);
    for account in 1..=3 {
        say(format!("fund A{account} 60.00"), &mut runner);
    }
    say("account A4 wallet".to_owned(), &mut runner);
    say("account A5 probe".to_owned(), &mut runner);
    say("fund A5 60.00".to_owned(), &mut runner);
    say("fixture X1".to_owned(), &mut runner);
    let ways = ["", "each-way table", "each-way 2@1/4", "", "each-way handicap"];
    for (at, way) in ways.iter().enumerate() {
        let m = at + 1;
        let fixture = if at == 0 || at == 4 { "fixture X1" } else { "" };
        say(format!("market M{m} m{m} a b c d e {way} {fixture}"), &mut runner);
        say(format!("open M{m}"), &mut runner);
        say(format!("prices M{m} 2.00 3.00 4.50 6.00 11.00"), &mut runner);
    }
    for at in 0..lines {
        if dice.roll(3) == 0 {
            say(format!("@+{}ms", 1 + dice.roll(1_500)), &mut runner);
        }
        let text = line(&mut dice, at, bets);
        let question = ["manual ", "auto ", "step ", "restart"].iter().any(|v| text.starts_with(v));
        let text = if question { text } else { format!("{text} -> anything") };
        // Five selections: the others of a result lose.
        let text = match text.split_once(" 3:") {
            Some((before, rest)) => format!("{before} 4:lose 5:lose 3:{rest}"),
            None => text,
        };
        // Mostly what a wallet would say: the stake of the bet.
        let text = match text.strip_prefix("confirm B").and_then(|rest| rest.split_once("  -> ")) {
            None => text,
            Some((number, _)) => {
                let at: usize = number.parse().expect("a bet's number");
                let stake = runner.state().and_then(|state| state.bets().nth(at - 1));
                let stake = stake.map_or("1.00".to_owned(), |bet| bet.stake.to_string());
                format!("confirm B{at} {stake} -> anything")
            }
        };
        let reply = say(text, &mut runner);
        if let Some(reply) = reply
            && !reply.is_duplicate()
            && matches!(
                reply.answer.kind(),
                betring_core::answer::AnswerKind::Accepted
                    | betring_core::answer::AnswerKind::Offered
                    | betring_core::answer::AnswerKind::Pending
            )
        {
            bets += 1;
        }
    }
    say("auto steps".to_owned(), &mut runner);
    say("@+40s".to_owned(), &mut runner);
    if let Err(failure) = runner.finish() {
        panic!("seed {seed}\n{}\n{failure}", said.join("\n"));
    }
    bets as usize
}

/// One line of a night with two feeds.
fn night_line(dice: &mut Dice, at: usize) -> String {
    let account = format!("A{}", 1 + dice.roll(3));
    let m = format!("M{}", 1 + dice.roll(4));
    let selection = pick(dice, &["a", "b", "c"]);
    let feed = format!("F{}", 1 + dice.roll(2));
    let price = pick(dice, &["1.50", "2.00", "2.04", "2.10", "3.00", "10/11", "9.00", "1.005"]);
    match dice.roll(20) {
        0..=3 => format!("place P{at} {account} {m}/{selection} {} any", stake(dice)),
        4 => format!("ticket T{at} {account} double {} M1/{selection} M2/a any", stake(dice)),
        5..=8 => {
            let schema = pick(dice, &["", "", "", "", "schema 7"]);
            format!("prices {m} {selection} {price} feed {feed} {schema}")
        }
        9 => format!("prices {m} {price} 2.00 {price} feed {feed}"),
        10 => format!("prices {m} {selection} - feed {feed}"),
        11 => format!("{} {feed}", pick(dice, &["heartbeat", "heartbeat", "gap", "recovered"])),
        12 => {
            let request = pick(dice, &["", "request 1", "request 2"]);
            format!("{} {feed} {request}", pick(dice, &["recovering", "recovered", "recovered"]))
        }
        13 => format!("switch G1 {}", pick(dice, &["primary", "backup"])),
        14 => {
            let level = pick(dice, &["M1", "M2/a", "X1", "G1", "F1", "F2", "M1/b"]);
            let owner = pick(dice, &["feed", "backup", "trader", "engine"]);
            format!("{} {level} {owner}", pick(dice, &["suspend", "release", "release"]))
        }
        15 => {
            let set = pick(
                dice,
                &[
                    "",
                    "drift 2% dwell 1s",
                    "band 20%",
                    "age 1s cash-out-age 200ms",
                    "liability suspend 50%",
                    "liability step 10% 2 ticks 3 steps",
                    "liability step 5% 1 ticks 200 steps drift 1% band 5%",
                ],
            );
            format!("tier {} {set}", dice.roll(2))
        }
        16 => match dice.roll(3) {
            0 => format!("pin {m}/{selection} {price}"),
            1 => format!("unpin {m}/{selection}"),
            _ => format!("take {m}/{selection}"),
        },
        17 => match dice.roll(6) {
            0 => format!("schema {feed} {}", pick(dice, &["0", "7"])),
            1 => format!("assign {m} {}", dice.roll(2)),
            2 => format!("limits {m} GBP liability {}", pick(dice, &["5.00", "50.00", "0.10"])),
            3 => "restart".to_owned(),
            4 => format!("{} {m} {selection}", pick(dice, &["non-runner", "runner", "runner"])),
            _ => format!("{} B{}", pick(dice, &["void", "unvoid"]), 1 + dice.roll(9)),
        },
        18 => match dice.roll(4) {
            0 => format!("result {m} {selection}"),
            1 => format!("rollback {m}"),
            2 => format!("auto-cash-out U{at} {account} B{} {}", 1 + dice.roll(9), stake(dice)),
            _ => format!("cash-out C{at} {account} B{} any", 1 + dice.roll(9)),
        },
        _ => format!("open {m}"),
    }
}

#[test]
fn whatever_feeds_and_traders_say_every_invariant_holds() {
    let mut bets = 0;
    for seed in 0..u64::from(crate::cases(120)) {
        let mut dice = Dice(seed);
        let mut runner = script::Runner::new(HouseRules);
        let mut said = String::new();
        let mut say = |text: String, runner: &mut script::Runner| {
            said += &format!("{text}\n");
            runner.line(&text).unwrap_or_else(|failure| panic!("seed {seed}\n{said}\n{failure}"))
        };
        for set_up in [
            "house liability 50.00 budget 3 age 10s",
            "feed F1 silence 5s",
            "feed F2 silence 5s delay 50ms",
            "group G1 F1 F2",
            "fixture X1",
            "recovered F1",
            "recovered F2",
            "tier 1 drift 2% dwell 1s band 20% liability step 10% 2 ticks 3 steps",
        ] {
            say(set_up.to_owned(), &mut runner);
        }
        for account in 1..=3 {
            say(format!("fund A{account} 90.00"), &mut runner);
        }
        for m in 1..=4 {
            let fed = ["group G1 fixture X1", "group G1", "feed F1", "feed manual"][m - 1];
            say(format!("market M{m} m{m} a b c {fed} tier 1"), &mut runner);
            say(format!("open M{m}"), &mut runner);
        }
        for at in 0..150 {
            if dice.roll(4) == 0 {
                say(format!("@+{}ms", 1 + dice.roll(1_500)), &mut runner);
            }
            let text = night_line(&mut dice, at);
            let text = if text == "restart" { text } else { format!("{text} -> anything") };
            let reply = say(text, &mut runner);
            let opened = |reply: &betring_core::answer::Reply| {
                reply.answer.kind() == betring_core::answer::AnswerKind::Accepted
            };
            bets += usize::from(reply.as_ref().is_some_and(opened));
        }
        runner.finish().unwrap_or_else(|failure| panic!("seed {seed}\n{said}\n{failure}"));
    }
    assert!(120 < bets, "{bets} bets");
}

#[test]
fn whatever_is_said_every_invariant_holds() {
    let seeds = u64::from(crate::cases(150));
    let bets: usize = (0..seeds).map(|seed| day(seed, 120)).sum();
    assert!(seeds as usize * 3 < bets, "{bets} bets in {seeds} days");
}
