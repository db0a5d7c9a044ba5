//! The audit passes what is right and names what is not.

use crate::book::*;
use betring_core::answer::{Answer, AnswerKind};
use betring_core::command::{Command, Kind};
use betring_core::event::{
    Answered, BetOpened, BetSettled, EventBody, ExposureHeld, OrderMatched, PositionSettled,
    PriceSet, Transfer, TransferWhy,
};
use betring_core::id::{BetId, Seq};
use betring_core::reject::Reject;
use betring_core::script::{self, Record};
use betring_core::wire::{Minor, WirePrice};
use serde_json::Value;
use zerocopy::{FromBytes, IntoBytes};

const HEADER: usize = 8;

/// The audit's report for machines, and its exit status.
fn audited(book: &Book, args: &[&str]) -> (Option<i32>, Value) {
    let all: Vec<&str> = ["audit", "--json"].iter().chain(args).copied().collect();
    let said = betring_on(&all, &book.journal());
    assert_eq!(said.err, "");
    (said.code, serde_json::from_str(&said.out).expect("JSON"))
}

/// The rules that the fold alone finds broken, and whether a replay alone finds a difference.
fn proofs(records: &[Record]) -> (Vec<String>, bool) {
    let book = Book::written(records);
    let (code, report) = audited(&book, &["--by", "fold"]);
    assert!(report["replay"].is_null(), "the fold proves by itself");
    let broken = report["fold"]["broken"].as_object().expect("rules");
    let broken: Vec<String> = broken
        .iter()
        .filter(|(_, times)| times.as_u64() != Some(0))
        .map(|(rule, _)| rule.clone())
        .collect();
    assert_eq!(code, Some(if broken.is_empty() { 0 } else { 1 }));

    let (code, report) = audited(&book, &["--by", "replay"]);
    assert!(report["fold"].is_null(), "the replay proves by itself");
    let same = report["replay"]["same"].as_bool().expect("a verdict");
    assert_eq!(code, Some(if same { 0 } else { 1 }));
    let (code, report) = audited(&book, &[]);
    assert_eq!(report["sound"], Value::Bool(broken.is_empty() && same));
    assert_eq!(code, Some(if broken.is_empty() && same { 0 } else { 1 }));
    (broken, !same)
}

/// The answer of a record is changed along with its bet.
fn answer_of(record: &mut Record, change: impl Fn(&mut Answered)) {
    alter::<Answered>(std::slice::from_mut(record), |answered| {
        change(answered);
        true
    });
}

#[test]
fn a_night_as_it_happened_is_proved_in_two_ways() {
    let book = Book::of(NIGHT);
    let said = betring_on(&["audit"], &book.journal()).at(&book.journal(), "BOOK");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "audit of BOOK: 49 records in 2 runs");
    assert_eq!(
        lines[1],
        "  8 bets accepted (7 in force, 1 as offered), 2 offered, 8 settled, 5 paid"
    );
    assert_eq!(
        lines[7],
        "  PASS  Price              every bet has the price and the version in force"
    );
    assert!(lines[2..32].iter().all(|line| line.starts_with("  PASS  ")), "{}", said.out);
    let digest = script::check(NIGHT).digest;
    assert_eq!(lines[32], format!("  state digest {digest}"));
    assert!(lines[33].starts_with("PASS  every accepted bet is proved in two ways ("));
    assert_eq!((said.code, said.err.as_str(), lines.len()), (Some(0), "", 34));
    assert_eq!(proofs(&records(NIGHT)), (vec![], false));
}

#[test]
fn a_committed_price_altered_in_a_rechecksummed_journal_is_caught_by_the_fold_alone() {
    // B3 lost, so no money tells: price, return and answer are altered to agree with each other.
    let mut records = records(NIGHT);
    let altered = WirePrice { e4: 41_000, num: 31, den: 10 };
    let seq = alter::<BetOpened>(&mut records, |bet| {
        let found = bet.bet == BetId::new(2, 1);
        if found {
            (bet.price, bet.returns) = (altered, Minor(3_185));
        }
        found
    });
    answer_of(&mut records[seq as usize - 1], |answered| {
        (answered.answer.price, answered.answer.amount) = (altered, Minor(3_185));
    });

    let book = Book::written(&records);
    let verified = betring_on(&["journal", "verify"], &book.journal());
    assert_eq!(verified.code, Some(0), "every checksum is right: {}", verified.out);
    let said = betring_on(&["audit", "--by", "fold"], &book.journal());
    let found = "  #20 Price: B3 has 4.10 (31/10), in force on M1 s2 was 3.90 (29/10)";
    assert!(said.out.lines().any(|line| line == found), "{}", said.out);
    let said = betring_on(&["audit", "--by", "replay"], &book.journal());
    assert!(said.out.contains("#20 Replay: recorded is `B3 of A2 is open: 7.77 on M1 s2 at 4.10"));
    assert_eq!(proofs(&records), (vec!["Price".to_owned()], true));
}

#[test]
fn a_price_altered_where_it_was_set_is_caught_too() {
    let mut records = records(NIGHT);
    alter::<PriceSet>(&mut records, |set| {
        set.price.e4 += 100;
        set.price.num == 0
    });
    let (broken, differs) = proofs(&records);
    assert_eq!((broken, differs), (vec!["Price".to_owned(), "Prices".to_owned()], true));
}

#[test]
fn altered_money_is_caught() {
    let mut records = records(NIGHT);
    alter::<Transfer>(&mut records, |transfer| {
        transfer.amount = Minor(transfer.amount.0 * 10);
        true
    });
    assert_eq!(proofs(&records), (vec!["Ledger".to_owned()], true), "a deposit ten times as large");

    let mut records = crate::book::records(NIGHT);
    alter::<BetSettled>(&mut records, |bet| {
        bet.paid.0 += 1;
        bet.paid.0 != 1
    });
    assert_eq!(proofs(&records), (vec!["Settlement".to_owned()], true), "a penny too much");
}

/// A race on an exchange: matched directly and between selections, won by who backed Red.
const RACE: &str = "
    fund A1 100.00
    fund A2 100.00
    market M1 exchange race Red Green
    exchange M1 GBP commission 5% cross
    open M1
    order R1 A1 M1 back Green 10.00 3.00
    order R2 A2 M1 back Red 12.00 1.50  -> order O2 matched 12.00 at 1.50
    order R3 A1 M1 lay Red 5.00 1.60
    order R4 A2 M1 back Red 4.00 1.55   -> order O4 matched 4.00 at 1.60
    result M1 Red
    net A2 M1                           -> 8.40 less 0.42
";

#[test]
fn an_exchange_s_race_is_proved_in_two_ways_and_what_is_altered_in_it_is_caught() {
    let book = Book::of(RACE);
    let said = betring_on(&["audit"], &book.journal());
    let counted = "  4 orders on exchanges, 3 times matched (1 between selections), 2 times cancelled or \
                   lapsed, 2 positions settled";
    assert!(said.out.lines().any(|line| line == counted), "{}", said.out);
    assert_eq!(proofs(&records(RACE)), (vec![], false));

    // The price, and nothing else: what the two of them may lose and win is another amount then.
    let mut altered = records(RACE);
    alter::<OrderMatched>(&mut altered, |matched| {
        let direct = matched.price_e4 == 16_000;
        matched.price_e4 -= 100 * u32::from(direct);
        direct
    });
    let (broken, differs) = proofs(&altered);
    assert_eq!(
        (broken, differs),
        (["Exposure", "Orders", "Positions"].map(str::to_owned).to_vec(), true)
    );

    // Commission, and the money of it.
    let mut altered = records(RACE);
    alter::<PositionSettled>(&mut altered, |settled| {
        let paid = settled.commission != Minor(0);
        settled.commission.0 -= i64::from(paid);
        paid
    });
    alter::<Transfer>(&mut altered, |transfer| {
        let fee = transfer.why == TransferWhy::Commission as u8;
        transfer.amount.0 -= i64::from(fee);
        fee
    });
    assert_eq!(proofs(&altered), (vec!["Positions".to_owned()], true), "a penny too little");

    // What is held, and the money of it.
    let mut altered = records(RACE);
    alter::<ExposureHeld>(&mut altered, |held| {
        held.held.0 += 1;
        true
    });
    let (broken, differs) = proofs(&altered);
    assert!(differs && broken.contains(&"Exposure".to_owned()), "{broken:?}");
}

#[test]
fn a_dropped_record_is_caught() {
    // A heartbeat: the ages after it no longer fit, nor the sequences in the answers.
    let mut records = records(NIGHT);
    let heartbeat = place_of(&records, |c| matches!(c, Command::FeedHeartbeat(_)));
    records.remove(heartbeat);
    let (broken, differs) = proofs(&records);
    assert!(
        differs && broken.contains(&"Age".to_owned()) && broken.contains(&"Answers".to_owned())
    );

    // A deposit.
    let mut records = crate::book::records(NIGHT);
    let deposit = place_of(&records, |c| matches!(c, Command::Deposit(_)));
    records.remove(deposit);
    let (broken, differs) = proofs(&records);
    assert!(differs && broken.contains(&"Balance".to_owned()), "{broken:?}");
}

#[test]
fn a_duplicated_answer_is_caught() {
    let mut records = records(NIGHT);
    let place = place_of(&records, |c| matches!(c, Command::Place(_)));
    let mut again = event_bytes::<Answered>(&records[place]).expect("an answer").to_vec();
    let step = place_of(&records, |c| matches!(c, Command::Step(_)));
    let mut answered = Answered::read_from_bytes(&again[HEADER..]).expect("an answer");
    answered.answer = Answer::done(records[step].seq, 0);
    again[HEADER..].copy_from_slice(answered.as_bytes());
    assert_eq!(again[0], Answered::KIND);
    records[step].events.extend(again);
    assert_eq!(proofs(&records), (vec!["Answers".to_owned()], true));
}

#[test]
fn a_command_that_the_logic_never_takes_here_is_named() {
    // Byte 80 of EpochOpened is the number of its run, which has to be above the one before it.
    let mut records = records(NIGHT);
    let second = records.iter().rposition(|record| record.kind() == Some(Kind::EpochOpened));
    let second = second.expect("the night has a restart");
    records[second].command[80] = 1;
    let book = Book::written(&records);
    let said = betring_on(&["audit", "--by", "replay"], &book.journal());
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""));
    let text = "  #41 Replay: the record at #41 cannot be applied: it would be answered without a \
                sequence: Malformed: only the engine itself gives this command; nothing after it \
                could be replayed";
    assert!(said.out.lines().any(|line| line == text), "{}", said.out);
}

#[test]
fn a_journal_of_another_logic_is_proved_by_the_fold_only() {
    let mut records = records(NIGHT);
    // Byte 84 of EpochOpened is its logic version.
    records[1].command[84] = 2;
    let (broken, differs) = proofs(&records);
    assert_eq!((broken, differs), (vec![], true));
    let said = betring_on(&["audit", "--by", "replay"], &Book::written(&records).journal());
    let text = "  #2 Replay: run e1 was decided by logic 2 and rules 1 v1, this program has logic 1 \
                and rules 1 v1: replay it with the program that wrote it; nothing after it could be \
                replayed";
    assert!(said.out.lines().any(|line| line == text), "{}", said.out);
}

/// The night with every reply written down.
fn acknowledged() -> (Vec<Record>, Vec<String>) {
    let report = script::check(NIGHT);
    let acks = report.replies.iter().map(|reply| ack(reply, "durable")).collect();
    (report.records, acks)
}

fn with_acks(records: &[Record], acks: &str) -> (Option<i32>, Vec<String>, Value) {
    let book = Book::written(records);
    let file = book.file("acks.jsonl", acks);
    let file = file.to_str().expect("a name of ours");
    let (code, report) = audited(&book, &["--acks", file, "--by", "fold"]);
    let found = report["acks"]["findings"].as_array().expect("findings");
    let found = found.iter().map(|what| what.as_str().expect("a sentence").to_owned()).collect();
    (code, found, report["acks"]["counts"].clone())
}

#[test]
fn every_acknowledged_answer_is_in_the_journal() {
    let (records, acks) = acknowledged();
    let (code, found, counts) = with_acks(&records, &acks.concat());
    assert_eq!((code, found), (Some(0), vec![]));
    assert_eq!(counts["duplicates"], 1);
    assert_eq!(counts["read"], acks.len());

    // The run that a kill ended: the last acknowledgement is cut, and promised nothing.
    let mut cut = acks.concat();
    cut.truncate(cut.len() - 20);
    let (code, found, counts) = with_acks(&records, &cut);
    assert_eq!((code, found), (Some(0), vec![]));
    assert_eq!(counts["cut_lines"], 1);
}

#[test]
fn an_acknowledged_answer_that_is_lost_or_another_is_named() {
    let (records, acks) = acknowledged();
    let kept = place_of(&records, |c| matches!(c, Command::Resolve(_)));
    let (code, found, _) = with_acks(&records[..kept], &acks.concat());
    assert_eq!(code, Some(1));
    assert_eq!(
        found,
        [
            "request k5388601 of A1: the answer told was `NeverPlaced` at #49, the journal has none: an \
          acknowledged answer is lost"
        ]
    );
    // At Applied the same is what was agreed.
    let weak: String = acks.concat().replace("durable", "applied");
    let (code, found, counts) = with_acks(&records[..kept], &weak);
    assert_eq!((code, found), (Some(0), vec![]));
    assert_eq!(counts["withdrawn"], 1);

    // The journal is whole, but the retry was told another return.
    let mut told = script::check(NIGHT).replies;
    let again = told.iter_mut().find(|reply| reply.is_duplicate()).expect("a retry of B1");
    again.answer.amount = Minor(9_900);
    let acks: String = told.iter().map(|reply| ack(reply, "process")).collect();
    let (code, found, _) = with_acks(&records, &acks);
    assert_eq!(code, Some(1));
    assert_eq!(
        found,
        [
            "request k21041 of A1: the repeated answer told was `B1 at 2.50 returns 99.00` at #16, the \
          journal has `B1 at 2.50 returns 25.00` at #16"
        ]
    );
}

#[test]
fn a_bet_from_an_attempt_that_was_told_it_was_refused_is_named() {
    let report = script::check(NIGHT);
    let mut told = report.replies;
    let first = told.iter_mut().find(|reply| reply.answer.kind() == AnswerKind::Accepted);
    let first = first.expect("B1");
    first.answer = Answer::refused(Reject::Overloaded, Seq(0));
    let acks = ack(first, "durable");
    let (code, found, counts) = with_acks(&report.records, &acks);
    assert_eq!(code, Some(1));
    assert_eq!(counts["refused_before"], 1);
    assert_eq!(
        found,
        [
            "request k21041 of A1 was told `Overloaded` before sequencing, yet #16 made a bet from that \
          attempt"
        ]
    );
}

#[test]
fn a_bet_s_life_is_told_in_plain_words() {
    let book = Book::of(NIGHT);
    let said = betring_on(&["audit", "--bet", "B2"], &book.journal());
    let life = "\
B2: A1 (customer 7) on \"England\" in M1 \"1X2\"
  #7 2026-01-01T00:00:00.000000Z -140 ms               M1 \"1X2\" on \"X1\" is defined: priced by feed \"F1\", no price older than 1.5 s
  #8 2026-01-01T00:00:00.000000Z -140 ms               feed \"F1\" has sent everything again, its prices count
  #9 2026-01-01T00:00:00.000000Z -140 ms               feed \"F1\" sets \"England\" in M1 \"1X2\" to 2.50 (v1)
  #10 2026-01-01T00:00:00.000000Z -140 ms              M1 \"1X2\" is open
  #17 2026-01-01T00:00:00.130000Z -10 ms               feed \"F1\" sets \"England\" in M1 \"1X2\" to 2.40 (v2)
  #18 2026-01-01T00:00:00.140000Z +0 ns                A1 asks for 10.00 GBP on \"England\" in M1 \"1X2\" at 2.50 or better
                                                       the price in force is 2.40 (v2), 10 ms old: it is offered until 2026-01-01T00:00:05.140000Z
                                                       10.00 GBP go from A1 to escrow
  #19 2026-01-01T00:00:00.200000Z +60 ms               A1 takes the offer
                                                       accepted at 2.40 (v2), as offered at #18; returns 24.00 GBP if it wins
  #22 2026-01-01T00:00:00.300000Z +160 ms              \"anna\" suspends all markets on \"X1\" for the trader; held by trader
  #25 2026-01-01T00:00:00.400000Z +260 ms              \"anna\" releases all markets on \"X1\" for the trader; held by nobody
  #39 2026-01-01T00:00:07.000000Z +6.8 s               M1 \"1X2\" is settling
                                                       \"trader\" gives the result: \"England\" in M1 \"1X2\": win
  #40 2026-01-01T00:00:07.000000Z +6.8 s               won: 24.00 GBP are due (settlement 1, job J39)
                                                       10.00 GBP go from escrow to the house
                                                       24.00 GBP go from the house to A1
  left out, further away: 1 change of prices or levels
";
    let (told, verdict) = said.out.split_at(life.len().min(said.out.len()));
    assert_eq!(told, life);
    assert!(verdict.starts_with("PASS  every accepted bet is proved in two ways ("));
    assert_eq!(said.code, Some(0));
}

#[test]
fn an_order_s_life_is_told_in_plain_words() {
    let book = Book::of(RACE);
    let said = betring_on(&["audit", "--order", "O3"], &book.journal());
    let told: Vec<&str> = said.out.lines().collect();
    assert_eq!(told[0], "O3: A1 on \"Red\" in M1 \"race\"");
    let happened = [
        "O3 of A1 is placed in M1: lay 5.00 s0 at 1.60",
        "O3 of A1 is matched with O4: lay 4.00 s0 at 1.60, 1.00 left",
        "1.00 of O3 of A1 lapses: the result is in",
    ];
    for what in happened {
        assert!(told.iter().any(|line| line.ends_with(what)), "{what}: {}", said.out);
    }
    assert!(said.out.contains("A1 loses"), "{}", said.out);
    assert_eq!(said.code, Some(0));
    // By its number, too; what is none is said to be none.
    let [named, bare] = ["O3", "3"].map(|order| {
        let said = betring_on(&["audit", "--order", order, "--json"], &book.journal());
        let text = serde_json::from_str::<serde_json::Value>(&said.out).expect("JSON");
        text["life"].clone()
    });
    assert_eq!((&named, named["order"].as_str()), (&bare, Some("O3")));
    let none = betring_on(&["audit", "--order", "O99"], &book.journal());
    assert!(none.err.starts_with("error: there is no order O99 in this journal"), "{}", none.err);
    assert_eq!(none.code, Some(2));
}

#[test]
fn a_request_is_found_by_its_key() {
    let book = Book::of(NIGHT);
    let said = betring_on(&["audit", "--key", "A1:0x5231"], &book.journal());
    let first = "#16 2026-01-01T00:00:00.120000Z  A1 asks for 10.00 on M1 s0 at 2.50 or better → B1 at \
                 2.50 (v1, 20 ms old), returns 25.00";
    assert_eq!(said.out.lines().next(), Some(first));
    assert!(
        said.out.contains("accepted at 2.50 (v1), in force since #9, last confirmed 20 ms before")
    );

    let said = betring_on(&["audit", "--key", "A1:999"], &book.journal());
    let text = "FAIL  no record knows request k999 of A1: a typing error, or it was never placed\n";
    assert!(said.out.ends_with(text), "{}", said.out);
    assert_eq!(said.code, Some(1));

    // A bet is found by its number, too.
    let named = betring_on(&["audit", "--bet", "B1", "--json"], &book.journal());
    let bare = betring_on(&["audit", "--bet", "1", "--json"], &book.journal());
    let life = |said: &Said| {
        serde_json::from_str::<serde_json::Value>(&said.out).expect("JSON")["life"].clone()
    };
    assert_eq!((bare.code, life(&bare)), (Some(0), life(&named)));
}

#[test]
fn a_journal_without_a_record_has_nothing_that_is_wrong() {
    let book = Book::of_nothing();
    let said = betring_on(&["journal", "tail", "--from", "7"], &book.journal());
    assert_eq!((said.code, said.err.as_str()), (Some(0), "no such record: there are none\n"));
    for args in
        [&["audit"][..], &["journal", "replay"], &["journal", "verify"], &["journal", "tail"]]
    {
        let said = betring_on(args, &book.journal());
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{args:?} {}", said.out);
    }
}

#[test]
fn a_life_names_the_trader_who_made_another_offer() {
    let book = Book::of(
        "rules usual refer 1000% on-failure offer
         actor anna
         fund A7 10.00
         quote M1 2.50
         limits M1 GBP max 0.50
         place R1 A7 M1 1.00 any -> pending B1
         referral B1 counter 2.40 by anna
         accept R2 A7 B1",
    );
    let said = betring_on(&["audit", "--bet", "B1"], &book.journal());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("\"anna\" gives 2.40: 1.00 is offered until "), "{}", said.out);
}

/// While load is shed nobody sells, and no record tells who was refused: the life says who wanted that.
#[test]
fn a_life_names_who_turned_shedding_on_and_who_gave_it_back() {
    let book = Book::of(
        "actor anna
         fund A7 10.00
         quote M1 2.50
         place R1 A7 M1 1.00 any
         shedding on by anna
         shedding none",
    );
    let said = betring_on(&["audit", "--bet", "B1"], &book.journal());
    assert_eq!(said.code, Some(0), "{}", said.err);
    for sentence in
        ["\"anna\" turns shedding on", "\"trader\" gives shedding back to the configuration"]
    {
        assert!(said.out.contains(sentence), "{}", said.out);
    }
    let tail = ["journal", "tail", "--kind", "SetShedding"];
    let said = betring_on(&tail, &book.journal());
    let told: Vec<&str> =
        said.out.lines().filter_map(|line| line.split_once("actor:")).map(|l| l.1).collect();
    assert_eq!(
        told,
        [
            "2 turns shedding on → load is shed",
            "1 gives shedding back to the configuration → load is shed as the configuration says",
        ],
        "{}",
        said.out
    );
}
