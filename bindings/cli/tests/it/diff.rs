//! What other rules would have decided.

use crate::book::*;
use serde_json::Value;

/// Bets that hang on each other: a large one, one that the money of the first no longer allows, one
/// that its liability does not, and offers that shift places when a bet before them is refused.
const EVENING: &str = "
    house on-failure offer ttl 5s age 60s window 5m
    actor anna
    feed F1 silence 60s
    fixture X1
    market M1 1X2 England Draw Scotland feed F1 fixture X1
    @0ms recovered F1
    prices M1 2.50 3.40 8.00
    open M1
    fund A7 100.00
    fund A8 50.00
    @100ms place R1 A7 M1/England 90.00 any            -> B1 at 2.50
    @110ms place R2 A7 M1/Draw 20.00 any               -> FundsInsufficient
    @120ms place R3 A8 M1/Scotland 10.00 any           -> B2 at 8.00
    @130ms prices M1 2.40 3.30 7.50
    @140ms place R4 A8 M1/England 5.00 2.50 better     -> offer B3 at 2.40
    @150ms place R5 A8 M1/Draw 5.00 3.40 better        -> offer B4 at 3.30
    @200ms accept R6 A8 B4                             -> B4 at 3.30
    @210ms decline R7 A8 B3                            -> done
    @300ms place R8 A8 M1/Draw 3.00 3.40 better        -> offer B5 at 3.30
    @10s place R9 A8 M1/Draw 4.00 any                  -> anything
    @20s result M1 Draw
    @30s withdraw R10 A8 1.00                          -> done
";

fn diff(book: &Book, rules: &str, more: &[&str]) -> Said {
    let file = book.file("new.toml", rules);
    let mut args = vec!["journal", "replay", "--diff", "--rules"];
    let file = file.to_str().expect("a plain path");
    args.push(file);
    args.extend(more);
    betring_on(&args, &book.journal()).at(book.path(), "DIR")
}

fn compared(book: &Book, rules: &str) -> Value {
    serde_json::from_str(&diff(book, rules, &["--json"]).out).expect("JSON")
}

#[test]
fn a_stake_that_is_refused_leaves_money_for_the_next_bet_and_every_offer_is_still_the_customer_s() {
    let book = Book::of(EVENING);
    let said = diff(&book, "max_stake = \"50.00\"\n", &[]);
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""), "{}", said.out);
    let rows: Vec<&str> = said.out.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(rows.len(), 2, "{}", said.out);
    let (first, second) = (rows[0], rows[1]);
    assert!(first.contains("A1 asks for 90.00 on M1 s0 at any price"), "{first}");
    assert!(first.contains("accepted, 90.00 at 2.50 returns 225.00"), "{first}");
    assert!(first.ends_with("→ refused: its stake is above 50.00"), "{first}");
    assert!(second.contains("refused: FundsInsufficient"), "{second}");
    assert!(second.ends_with("→ accepted, 20.00 at 3.40 returns 68.00"), "{second}");

    // A1 loses 90.00 as it is; otherwise its 20.00 win 68.00.
    let told = compared(&book, "max_stake = \"50.00\"\n");
    let accounts = told["accounts"].as_array().expect("accounts");
    assert_eq!(accounts.len(), 1, "the offers of A2 were taken and declined on both sides");
    assert_eq!(accounts[0]["account"], "A1");
    assert_eq!(accounts[0]["recorded"]["balance_minor"], 1_000);
    assert_eq!(accounts[0]["other"]["balance_minor"], 14_800);
    let money = &told["money"][0];
    assert_eq!(
        (money["recorded"]["bets"].as_u64(), money["other"]["bets"].as_u64()),
        (Some(4), Some(4))
    );
    assert_eq!(money["recorded"]["at_stake_minor"], 0, "everything is settled");
    assert_eq!(money["other"]["at_stake_minor"], 0, "on both sides");
    let house = |side: &str| money[side]["house_minor"].as_i64().expect("a number");
    assert_eq!(house("other") - house("recorded"), -13_800);
    assert!(said.out.contains("  the house has won"), "{}", said.out);
    assert!(said.out.contains("1 account ends otherwise"), "{}", said.out);
    assert!(said.out.contains("2 of 21 answers differ; after the first, at #"), "{}", said.out);
}

#[test]
fn a_stake_can_be_reduced_and_the_settlement_follows() {
    let book = Book::of(EVENING);
    let rules = "max_stake = \"3.00\"\nreduce = true\n";
    let said = diff(&book, rules, &["-n", "1"]);
    let rows: Vec<&str> = said.out.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(rows.len(), 1, "{}", said.out);
    assert!(rows[0].ends_with("→ accepted, 3.00 at 2.50 returns 7.50"), "{}", rows[0]);
    assert!(said.out.contains("more (-n N shows N of them)"), "{}", said.out);
    let told = compared(&book, rules);
    let of = |account: usize, side: &str| told["accounts"][account][side]["balance_minor"].clone();
    // A1: 100.00 - 3.00 + 3.00 on the draw at 3.40, which won: 10.20 back.
    assert_eq!(of(0, "other"), 10_000 - 300 - 300 + 1_020);
    // A2: all but the draws are lost; 3.00 and 3.00 at 3.30; 1.00 is withdrawn.
    assert_eq!(of(1, "other"), 5_000 - 300 - 300 - 300 + 2 * 990 - 100);
}

#[test]
fn an_offer_that_only_the_other_rules_made_ends_on_time() {
    let book = Book::of(
        "
        house on-failure offer ttl 5s age 60s window 5m
        actor anna
        market M1 1X2 England Draw Scotland
        @0ms prices M1 2.50 3.40 8.00
        open M1
        fund A7 100.00
        place R1 A7 M1/England 90.00 any              -> B1 at 2.50
        place R2 A7 M1/Draw 60.00 4.00 better         -> FundsInsufficient
        @20s withdraw R3 A7 50.00                     -> FundsInsufficient
    ",
    );
    let told = compared(&book, "max_stake = \"80.00\"");
    let other: Vec<&str> = told["differences"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["other"].as_str().expect("text"))
        .collect();
    // The 60.00 are back in time to be withdrawn with what is left of the 100.00.
    assert_eq!(other, ["refused: its stake is above 80.00", "offered, 60.00 at 3.40", "done"]);
    assert!(0 < told["extra_steps"].as_u64().unwrap_or(0));
    let money = &told["money"][0]["other"];
    assert_eq!(
        (money["balances_minor"].as_i64(), money["at_stake_minor"].as_i64()),
        (Some(5_000), Some(0))
    );
    assert_eq!(
        (money["paid_in_minor"].as_i64(), money["house_minor"].as_i64()),
        (Some(5_000), Some(0))
    );
}

#[test]
fn a_market_that_takes_another_place_there_is_still_the_same_market() {
    // M1 has the more bets, so M2 leaves first, and M3 is defined in the place of M1. Where the bets
    // on M1 are refused, M1 leaves first, and M3 takes the place of M2.
    let book = Book::of(
        "
        house age 60s window 5m budget 1
        actor anna
        market M1 one England Scotland
        market M2 two Red Blue
        @0ms prices M1 2.50 3.40
        prices M2 2.50 3.40
        open M1
        open M2
        fund A7 100.00
        place R1 A7 M1/England 9.00 any               -> B1
        place R2 A7 M1/England 9.00 any               -> B2
        place R3 A7 M1/England 9.00 any               -> B3
        place R4 A7 M2/Red 1.00 any                   -> B4
        @1s result M1 England
        @2s result M2 Red
        @10s manual steps
        @10s archive M1
        archive M2
        auto steps
        @20s market M3 three Up Down
        prices M3 1.50 2.00
        open M3
        market M4 four Left Right
        prices M4 5.00 1.10
        open M4
        place R5 A7 M3/Up 2.00 any                    -> anything
        place R6 A7 M4/Left 2.00 any                  -> anything
        @21s suspend M4 trader by anna
        place R7 A7 M3/Up 2.00 any                    -> anything
        @22s result M3 Up
        close M4
    ",
    );
    let told = compared(&book, "max_stake = \"5.00\"");
    let rows = told["differences"].as_array().expect("rows");
    assert_eq!(rows.len(), 3, "only the three large stakes: {rows:#?}");
    let account = &told["accounts"][0];
    assert_eq!(account["recorded"]["at_stake_minor"], account["other"]["at_stake_minor"]);
    let balance = |side: &str| account[side]["balance_minor"].as_i64().expect("a number");
    assert_eq!(balance("recorded") - balance("other"), 3 * (2_250 - 900));
}

#[test]
fn payout_price_currency_and_minute_are_rules_too() {
    let book = Book::of(EVENING);
    let first = |rules: &str| {
        let told = compared(&book, rules);
        told["differences"][0]["other"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(first("max_payout = \"224.99\""), "refused: it would return more than 224.99");
    assert_eq!(first("max_payout = \"225.00\""), "");
    assert_eq!(first("longest_price = \"7.90\""), "refused: its price is longer than 7.90");
    assert_eq!(first("shortest_price = \"2.45\""), "refused: its price is shorter than 2.45");
    assert_eq!(first("max_stake = \"1.00\"\ncurrency = \"EUR\""), "");
    // The fixture's start is not known: no minute is after it.
    assert_eq!(first("no_bets_after_minute = 0"), "");
    let said = diff(&book, "no_bets_after_minute = 0", &[]);
    assert!(said.err.starts_with("warning: no fixture in this book says when it starts"));
    let started = EVENING.replace("\n    fixture X1\n", "\n    fixture starts 120ms X1\n");
    let book = Book::of(&started);
    let told = compared(&book, "no_bets_after_minute = 0");
    let first = &told["differences"][0];
    assert_eq!(
        first["what"], "A2 asks for 10.00 on M1 s2 at any price",
        "the first after the start"
    );
    assert_eq!(first["other"], "refused: it is after minute 0");
    assert_eq!(compared(&book, "no_bets_after_minute = 1")["differing"], 0);
    assert_eq!(diff(&book, "no_bets_after_minute = 0", &[]).err, "");
}

#[test]
fn the_logic_that_is_built_in_decides_alike_and_others_are_named() {
    for night in [NIGHT, EVENING] {
        let book = Book::of(night);
        let args = ["journal", "replay", "--diff", "--logic", "1"];
        let said = betring_on(&args, &book.journal());
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
        assert!(said.out.contains("\nPASS  all "), "{}", said.out);
        let replayed = betring_on(&["journal", "replay", "--json"], &book.journal());
        let replayed: Value = serde_json::from_str(&replayed.out).expect("JSON");
        let digest = replayed["state_digest"].as_str().expect("a digest");
        assert!(said.out.contains(digest), "{}", said.out);
    }
    let book = Book::of("account A7");
    let said = betring_on(&["journal", "replay", "--diff", "--logic", "2"], &book.journal());
    assert_eq!(said.code, Some(2));
    let text = "error: this program has no logic 2: it has logic 1 only\n  where: --logic\n  what to \
                do: write --logic 1; or replay with the betring that has the other, and compare the \
                digests\n";
    assert_eq!(said.err, text);
}

#[test]
fn rules_that_refuse_nothing_come_to_the_same_state() {
    let book = Book::of(NIGHT);
    let told = compared(&book, "max_stake = \"1000.00\"");
    assert_eq!((told["same"].as_bool(), told["differing"].as_u64()), (Some(true), Some(0)));
    assert_eq!((told["extra_steps"].as_u64(), told["last_seq"].as_u64()), (Some(0), Some(49)));
    assert_eq!(told["money_digest"], told["other_money_digest"]);
}

#[test]
fn what_cannot_be_compared_says_why() {
    let book = Book::of("account A7");
    let said = betring_on(&["journal", "replay", "--diff"], &book.journal());
    assert_eq!(said.code, Some(2));
    assert!(said.err.starts_with("error: there is nothing to compare with\n"), "{}", said.err);
    let said = diff(&book, "max_steak = \"5.00\"\n", &[]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("unknown field `max_steak`"), "{}", said.err);
    assert!(
        said.err.contains("  longest_price = \"51.00\""),
        "it says what to write: {}",
        said.err
    );
    let said = betring_on(&["journal", "replay", "--logic", "1"], &book.journal());
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("--diff"), "{}", said.err);
}
