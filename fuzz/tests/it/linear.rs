//! Histories of concurrent callers are linearizable; one that is altered is not, and the sentence is told.

use betring::{Busy, Layout, Level, NotTaken};
use betring_core::answer::{AnswerKind, Reply};
use betring_core::command::Kind;
use betring_core::id::{Seq, Token};
use betring_core::reject::Malformed;
use betring_core::time::{Nanos, Timestamp};
use betring_core::{BetFacts, Rules, Ruling};
use betring_fuzz::linear::{Broken, Checked, Crash, History, Said, Sentence, race};
use std::sync::OnceLock;

/// One history that everybody here alters in their own way.
fn recorded() -> History {
    static RECORDED: OnceLock<History> = OnceLock::new();
    let history = RECORDED.get_or_init(|| race().seed(7).record(1_200).expect("a race"));
    history.clone()
}

fn breaks(history: &History, sentence: Sentence) -> Box<Broken> {
    let broken = history.check().expect_err("the altered history does not hold");
    assert_eq!(broken.sentence, sentence, "{broken}");
    assert!(broken.to_string().contains("seed 0x7: it does not hold that "), "{broken}");
    broken
}

#[test]
fn customers_and_a_trader_who_ask_at_once_see_one_order_that_the_rules_give() {
    let mut all = Checked::default();
    // Whether a burst finds the ring full is a matter of who gets a core: as many more as that takes.
    for seed in 0..60 {
        if 6 <= seed && 0 < all.overloaded {
            break;
        }
        all.add(&race().seed(seed).customers(2 + seed as usize % 3).run(1_200));
    }
    println!("{all}");
    assert!(6_000 < all.attempts && 100 < all.overlapping && 50 < all.ordered, "{all}");
    assert!(100 < all.decided && 100 < all.repeated && 20 < all.elsewhere, "{all}");
    assert!(0 < all.never_placed && 0 < all.refused && 0 < all.unknown, "{all}");
    assert!(0 < all.no_credit && 0 < all.malformed && 0 < all.crashes, "{all}");
    assert!(0 < all.overloaded, "bursts of everybody fill the ring: {all}");
}

/// The place of an attempt that this holds of.
fn find(history: &History, wanted: impl Fn(usize) -> bool) -> usize {
    (0..history.operations.len()).find(|at| wanted(*at)).expect("a race has one of these")
}

fn kind_of(history: &History, at: usize) -> u8 {
    history.operations[at].bytes[0]
}

/// The sequence at which an attempt was decided, if its reply says that it was.
fn decided(history: &History, at: usize) -> Option<Seq> {
    let reply = history.operations[at].reply()?;
    (reply.answer.seq.0 != 0 && !reply.is_duplicate()).then_some(reply.answer.seq)
}

fn change_reply(history: &mut History, at: usize, change: impl FnOnce(&mut Reply)) {
    match &mut history.operations[at].said {
        Said::Replied { reply, .. } => change(reply),
        other => panic!("{other:?} is no reply"),
    }
}

#[test]
fn the_recorded_history_holds_before_anybody_alters_it() {
    if let Err(broken) = recorded().check() {
        panic!("{broken}");
    }
}

#[test]
fn an_order_that_the_callers_could_not_have_seen_is_found() {
    // Two attempts of two connections; now the one that is later in the journal returned before the other one
    // was called.
    let mut history = recorded();
    let last = (0..history.operations.len()).rev().find(|at| decided(&history, *at).is_some());
    let second = last.expect("something was decided");
    let (line, seq) = (history.operations[second].line, decided(&history, second));
    let first = find(&history, |at| {
        let other = decided(&history, at);
        other.is_some() && other < seq && history.operations[at].line != line
    });
    let returned = history.operations[second].returned().expect("it was answered");
    history.operations[first].called = returned + 1_000;
    if let Said::Replied { returned: late, .. } = &mut history.operations[first].said {
        *late = returned + 2_000;
    }
    let broken = breaks(&history, Sentence::RealTime);
    assert!(broken.operations.len() == 2 && broken.picture.lines().count() == 3, "{broken}");
}

#[test]
fn two_records_that_change_places_against_real_time_are_found() {
    let mut history = recorded();
    // The first deposit, and one that was called when the first had long returned.
    let deposit = |at: &usize| {
        kind_of(&history, *at) == Kind::Deposit as u8 && decided(&history, *at).is_some()
    };
    let deposits: Vec<usize> = (0..history.operations.len()).filter(deposit).collect();
    let (first, last) = (deposits[0], deposits[deposits.len() - 1]);
    let place = |at| {
        let seq = decided(&history, at);
        history.records.iter().position(|r| Some(r.seq) == seq).expect("it has a record")
    };
    let (a, b) = (place(first), place(last));
    let (seq_a, seq_b) = (history.records[a].seq, history.records[b].seq);
    history.records.swap(a, b);
    (history.records[a].seq, history.records[b].seq) = (seq_a, seq_b);
    let broken = breaks(&history, Sentence::RealTime);
    assert!(broken.operations.contains(&first) || broken.operations.contains(&last), "{broken}");
}

#[test]
fn a_connection_whose_later_attempt_overtook_the_earlier_one_is_found() {
    let mut history = recorded();
    // Two that were sent in one call and answered in one change their tokens and answers.
    let (a, b) = (1..history.operations.len())
        .find_map(|b| {
            let line = history.operations[b].line;
            let a = (0..b).rev().find(|a| history.operations[*a].line == line)?;
            let (a_is, b_is) = (&history.operations[a], &history.operations[b]);
            let times = a_is.called == b_is.called && a_is.returned()? == b_is.returned()?;
            let both = decided(&history, a)? < decided(&history, b)?;
            let same = kind_of(&history, a) == kind_of(&history, b);
            (times && both && same).then_some((a, b))
        })
        .expect("there are bursts");
    let (bytes_a, bytes_b) =
        (history.operations[a].bytes.clone(), history.operations[b].bytes.clone());
    let (said_a, said_b) = (history.operations[a].said, history.operations[b].said);
    (history.operations[a].bytes, history.operations[b].bytes) = (bytes_b, bytes_a);
    (history.operations[a].said, history.operations[b].said) = (said_b, said_a);
    breaks(&history, Sentence::LineOrder);
}

#[test]
fn a_reply_that_is_not_what_the_rules_give_is_found() {
    let mut history = recorded();
    let at = find(&history, |at| {
        decided(&history, at).is_some()
            && history.operations[at].reply().map(|r| r.answer.kind()) == Some(AnswerKind::Accepted)
    });
    change_reply(&mut history, at, |reply| reply.answer.amount.0 += 1);
    let broken = breaks(&history, Sentence::Reply);
    assert!(broken.operations.contains(&at), "{broken}");

    // One that is given to another attempt of the same connection.
    let mut history = recorded();
    change_reply(&mut history, at, |reply| reply.token = Token(reply.token.0 + 1));
    breaks(&history, Sentence::Reply);
}

#[test]
fn a_repeated_answer_that_is_not_the_first_is_found_and_is_right_nowhere() {
    let mut history = recorded();
    let repeats = |at: usize| history.operations[at].reply().is_some_and(Reply::is_duplicate);
    let at = find(&history, repeats);
    change_reply(&mut history, at, |reply| reply.answer.id ^= 1);
    let broken = breaks(&history, Sentence::Between);
    assert!(broken.operations.contains(&at) && broken.what.contains("nor is it right"), "{broken}");
    // As of a sequence at which nobody knew the request.
    let mut history = recorded();
    let begun = history.begun;
    change_reply(&mut history, at, |reply| reply.as_of = begun);
    let broken = history.check().expect_err("it was looked up before it was asked");
    assert!(matches!(
        broken.sentence,
        Sentence::RealTime | Sentence::LineOrder | Sentence::Between
    ));
}

#[test]
fn a_second_execution_of_a_key_is_found() {
    // A retry that was answered with the first answer: now it has a record of its own, where the journal ends.
    let mut history = recorded();
    let at = find(&history, |at| {
        history.operations[at].reply().is_some_and(|reply| {
            reply.is_duplicate() && kind_of(&history, at) == Kind::Deposit as u8
        })
    });
    let retry = history.operations[at].clone();
    let reply = *retry.reply().expect("it was found so");
    let first = history.records.iter().find(|r| r.seq == reply.answer.seq).expect("the first one");
    let mut again = first.clone();
    again.command[6..8].copy_from_slice(&reply.client.0.to_le_bytes());
    again.command[72..80].copy_from_slice(&reply.token.0.to_le_bytes());
    again.command[2..4].copy_from_slice(&retry.bytes[2..4]);
    (again.seq, again.at) = (Seq(reply.as_of.0 + 1), reply.stamped);
    history.records.retain(|record| record.seq <= reply.as_of);
    history.records.push(again);
    history.operations.retain(|other| {
        let later_there = other.line == retry.line && retry.token() < other.token();
        let later = |r: &Reply| (reply.as_of, reply.stamped) < (r.as_of, r.stamped);
        !later_there && !other.reply().is_some_and(later)
    });
    let broken = breaks(&history, Sentence::Rules);
    assert!(broken.what.contains("has a record, and the rules say that it repeats"), "{broken}");
    assert!(2 <= broken.operations.len(), "both attempts are shown: {broken}");
}

#[test]
fn an_attempt_that_was_refused_as_overloaded_and_executed_is_found() {
    let mut history = recorded();
    let at = find(&history, |at| decided(&history, at).is_some() && 20 < at);
    let returned = history.operations[at].returned().expect("it was answered");
    history.operations[at].said =
        Said::NotTaken { returned, why: NotTaken::Overloaded(Busy::RING_FULL) };
    // Retries of it are shown, too, if there were any: callers race each other, so it is not known here.
    let broken = breaks(&history, Sentence::OnceOrNever);
    assert_eq!(broken.operations.first(), Some(&at), "{broken}");
    assert!(broken.picture.contains("not taken: Overloaded"), "{broken}");
}

#[test]
fn a_record_of_something_else_than_was_asked_is_found() {
    let mut history = recorded();
    let at = find(&history, |at| {
        decided(&history, at).is_some() && kind_of(&history, at) == Kind::Deposit as u8
    });
    // What the caller asked for was less.
    history.operations[at].bytes[80] ^= 1;
    let broken = breaks(&history, Sentence::OnceOrNever);
    assert!(broken.operations.contains(&at), "{broken}");
}

#[test]
fn a_refusal_that_the_facade_had_no_reason_for_is_found() {
    for why in [NotTaken::Overloaded(Busy::RING_FULL), NotTaken::TooManyInFlight { credit: 4 }] {
        let mut history = recorded();
        // Long before anybody else.
        let mut refused = history.operations[0].clone();
        refused.called = 0;
        refused.said = Said::NotTaken { returned: 1, why };
        history.operations.insert(0, refused);
        let broken = breaks(&history, Sentence::NotTaken);
        assert_eq!(broken.operations, [0], "{broken}");
    }
    // A good command on its own ring.
    let mut history = recorded();
    let at = find(&history, |at| decided(&history, at).is_some());
    let mut refused = history.operations[at].clone();
    let why = NotTaken::Malformed(Malformed::WrongRing);
    refused.said = Said::NotTaken { returned: refused.called, why };
    history.operations.insert(0, refused);
    breaks(&history, Sentence::NotTaken);
}

#[test]
fn a_reply_seen_before_its_level_is_found() {
    let mut history = recorded();
    let at = find(&history, |at| {
        history.lines[history.operations[at].line].level == Level::Durable
            && decided(&history, at).is_some()
    });
    let seq = decided(&history, at).expect("it was found so");
    if let Said::Replied { durable, .. } = &mut history.operations[at].said {
        *durable = Seq(seq.0 - 1);
    }
    let broken = breaks(&history, Sentence::Level);
    assert_eq!(broken.operations, [at], "{broken}");
    // It was, and a power cut right after it would have left one record less.
    let mut history = recorded();
    let called = history.operations[at].returned().expect("it was answered") + 1;
    history.crashes = vec![Crash { called, power: true, kept: Seq(seq.0 - 1) }];
    let broken = breaks(&history, Sentence::Level);
    assert!(broken.what.starts_with("a power cut at "), "{broken}");
}

#[test]
fn a_time_that_is_not_between_call_and_return_is_found() {
    let mut history = recorded();
    let at = find(&history, |at| decided(&history, at).is_some());
    let asked_at = history.operations[at].asked_at;
    history.operations[at].asked_at = asked_at.plus(Nanos::from_secs(60));
    breaks(&history, Sentence::Moment);
    let mut history = recorded();
    if let Said::Replied { told_at, .. } = &mut history.operations[at].said {
        *told_at = Timestamp(told_at.0 - 60_000_000_000);
    }
    breaks(&history, Sentence::Moment);
}

/// Odd stakes are refused.
#[derive(Clone)]
struct EvenStakes;

impl Rules for EvenStakes {
    const ID: u64 = 2;
    const VERSION: u32 = 1;

    fn stake(&self, bet: &BetFacts) -> Ruling {
        if bet.stake.minor() % 2 == 0 { Ruling::Pass } else { Ruling::Refuse(2) }
    }
}

#[test]
fn an_operators_own_rules_race_too() {
    for layout in [Layout::OneThread, Layout::TwoThread] {
        let checked = race().rules(EvenStakes).layout(layout).customers(2).seed(11).run(800);
        assert!(checked.hits.refusals.contains_key("Policy"), "the rule was asked: {checked}");
    }
}
