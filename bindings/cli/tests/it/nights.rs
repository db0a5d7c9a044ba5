//! Nights at random: whatever happened, the audit finds nothing wrong with what the logic decided.

use crate::book::*;
use betring_core::HouseRules;
use betring_core::answer::AnswerKind;
use betring_core::script::{Failure, Report, Runner};

/// Nights that every run of the tests plays.
const SEEDS: u64 = 12;
const LINES: usize = 250;

/// SplitMix64: a few lines, and the same night from the same seed for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// A night: two feeds, a trader, four markets, offers, suspensions, restarts, results.
fn night(seed: u64) -> Result<Report, Failure> {
    let mut dice = Dice(seed);
    let failure = dice.of(&["offer", "offer", "refuse"]);
    let rounding = dice.of(&["down", "up", "half-up", "half-even"]);
    let text = format!(
        "house on-failure {failure} rounding {rounding} ttl 2s age 1s window 30s budget 3
        actor anna
        feed F1 silence 3s
        feed F2 silence 2s delay 40ms
        fixture X1
        market M1 one England Draw Scotland feed F1 fixture X1
        market M2 two Red Blue Green feed F2 fixture X1 bound 700ms
        market M3 three Up Down
        market M4 four A B C D winners 2 feed F1
        fund A7 500.00
        fund A8 300.00
        fund A9 200.00 EUR
        recovered F1
        recovered F2
        prices M1 2.50 3.40 29/10
        prices M2 4/9 5.00 7.00 as-of 0ms
        prices M3 1.90 10/11
        prices M4 1.50 2.25 11/4 9.00
        open M1
        open M2
        open M3
        open M4
        "
    );
    let mut runner = Runner::new(HouseRules);
    for line in text.lines() {
        runner.line(line)?;
    }
    // Offers by whose they are and as which bet the script knows them.
    let (mut bets, mut offers) = (0, Vec::<(&str, u64)>::new());
    for line in 0..LINES {
        let market = dice.of(&["M1", "M2", "M3", "M4"]);
        let account = dice.of(&["A7", "A8", "A9"]);
        let feed = dice.of(&["F1", "F2"]);
        let level = dice.of(&["M1", "M2", "M3", "X1", "F1", "F2", "all"]);
        let owner = dice.of(&["feed", "trader", "governor"]);
        let selection = match market {
            "M1" => dice.of(&["England", "Draw", "Scotland"]),
            "M2" => dice.of(&["Red", "Blue", "Green"]),
            "M3" => dice.of(&["Up", "Down"]),
            _ => dice.of(&["A", "B", "C", "D"]),
        };
        let price = dice.of(&["1.90", "2.50", "5/2", "10/11", "7.00", "4/9", "29/10", "3.3333"]);
        let (customer, bet) = offers.pop().unwrap_or((account, 1));
        let wait = dice.of(&["0ms", "0ms", "0ms", "1ms", "1ms", "5ms", "17ms", "90ms", "300ms"]);
        let what = match dice.below(100) {
            0..40 => {
                let stake = format!("{}.{:02}", dice.below(9), 1 + dice.below(99));
                let policy = match dice.below(5) {
                    0 => "any".to_owned(),
                    1 => format!("{price} any"),
                    2 => format!("{price} exact"),
                    3 => format!("{price} within {}%", 1 + dice.below(60)),
                    _ => format!("{price} better"),
                };
                format!("place R{line} {account} {market}/{selection} {stake} {policy}")
            }
            40..52 => format!("prices {market} {selection} {price}"),
            52..66 => format!("heartbeat {feed}"),
            66..75 => format!("accept R{line} {customer} B{bet}"),
            75..77 => format!("decline R{line} {customer} B{bet}"),
            77 => format!("suspend {level} {owner} by anna"),
            78 => format!("release all {owner} by anna"),
            79..83 => format!("release {level} {owner} by anna"),
            83 => format!("gap {feed}"),
            84..88 => format!("recovered {feed}"),
            88 if dice.below(3) == 0 => format!("close {market}"),
            89..93 => format!("open {market}"),
            93 if dice.below(3) == 0 => format!("non-runner {market} {selection}"),
            94 => format!("runner {market} {selection}"),
            95 => format!("withdraw R{line} {account} 3.21"),
            96 => format!("resolve {account} R{}", dice.below(line as u64 + 1)),
            97 if dice.below(4) == 0 => "restart".to_owned(),
            98 if dice.below(9) == 0 => format!("result {market} {selection}"),
            _ => format!("deposit R{line} {account} 1.00"),
        };
        if !what.starts_with("accept") && !what.starts_with("decline") && bet != 1 {
            offers.push((customer, bet));
        }
        let expected = if what == "restart" { "" } else { " -> anything" };
        let reply = runner.line(&format!("@+{wait} {what}{expected}"))?;
        let kind = reply.filter(|reply| !reply.is_duplicate()).map(|reply| reply.answer.kind());
        if what.starts_with("place") {
            bets += u64::from(matches!(kind, Some(AnswerKind::Accepted | AnswerKind::Offered)));
            if kind == Some(AnswerKind::Offered) {
                offers.push((account, bets));
            }
        }
    }
    for (market, outcome) in [("M1", "Draw"), ("M2", "Red void Blue"), ("M4", "A B")] {
        runner.line(&format!("@+1s result {market} {outcome} -> anything"))?;
    }
    runner.finish()
}

#[test]
fn whatever_happened_the_audit_finds_nothing_wrong_with_it() {
    let (mut accepted, mut taken) = (0, 0);
    for seed in 0..SEEDS {
        let report = night(seed).unwrap_or_else(|failure| panic!("{seed}: {failure}"));
        let book = Book::written_at_once(&report.records);
        let said = betring_on(&["audit", "--json"], &book.journal());
        assert_eq!(said.code, Some(0), "seed {seed}: {}", said.out);
        let audit: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!(audit["replay"]["state_digest"], report.digest);
        accepted += audit["counts"]["accepted"].as_u64().unwrap_or(0);
        taken += audit["counts"]["from_offer"].as_u64().unwrap_or(0);
    }
    // The nights are about something: most of what can happen to a bet did.
    assert!(SEEDS * 10 < accepted && SEEDS < taken, "{accepted} accepted, {taken} offers taken");
}
