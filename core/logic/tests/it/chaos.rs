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
    let account = format!("A{}", 1 + dice.roll(3));
    let bet = format!("B{}", 1 + dice.roll(bets + 1));
    let selection = 1 + dice.roll(3);
    let price = pick(dice, &["1.50", "2.00", "3.3333", "10/11", "7.50", "1.01", "100.00"]);
    let policy = pick(dice, &["any", "any", "any", "better"]);
    let m = market(dice);
    match dice.roll(30) {
        0..=2 => {
            let seen = if policy == "any" { "" } else { price };
            format!("place P{at} {account} {m}/{selection} {} {seen} {policy}", stake(dice))
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
            format!("ticket T{at} {account} {lines} {}{labels} {way} {banker} any", stake(dice))
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
    let ways = ["", "each-way table", "each-way 2@1/4", "", "each-way handicap"];
    for (at, way) in ways.iter().enumerate() {
        let m = at + 1;
        say(format!("market M{m} m{m} a b c d e {way}"), &mut runner);
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

#[test]
fn whatever_is_said_every_invariant_holds() {
    let seeds = u64::from(crate::cases(150));
    let bets: usize = (0..seeds).map(|seed| day(seed, 120)).sum();
    assert!(seeds as usize * 3 < bets, "{bets} bets in {seeds} days");
}
