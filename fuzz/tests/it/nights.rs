//! Nights with crashes hold; a planted bug is found, told and shortened; the ten lines work.

use betring_core::answer::{Answer, AnswerKind, Reply};
use betring_core::command::Limits;
use betring_core::id::{AccountId, Seq};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::Minor;
use betring_core::{BetFacts, Rules, Ruling};
use betring_fuzz::auditor::Ring;
use betring_fuzz::{FromToml, System, UnderTest, money, night, sim};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn nights_of_crashes_on_a_lying_disk_hold() {
    let mut counts = sim::Counts::default();
    for seed in 0..40 {
        match sim::night_of(seed, 400, false) {
            Ok(night) => counts.add(&night),
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(100 < counts.crashes && 1_000 < counts.commands, "{counts}");
    assert!(0 < counts.cuts && 0 < counts.kept && 0 < counts.records_lost, "{counts}");
    assert!(50 < counts.snapshots_made && 0 < counts.snapshots_failed, "{counts}");
    assert!(50 < counts.snapshots_used && 50 < counts.archived, "{counts}");
    assert!(0 < counts.fell_back && 0 < counts.fell_through, "{counts}");
    assert!(0 < counts.rewound_refused, "{counts}");
}

#[test]
fn a_lost_write_may_bring_back_what_a_failed_sync_dropped() {
    if let Err(failure) = sim::night_of(0xb063, 589, false) {
        panic!("{failure}");
    }
}

#[test]
fn nights_with_the_whole_engine_hold() {
    let mut counts = sim::Counts::default();
    for seed in 0..24 {
        match sim::whole::night_of(seed, 300, false) {
            Ok(night) => counts.add(&night),
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{counts}");
    assert!(0 < counts.snapshots_made && 0 < counts.snapshots_used, "{counts}");
    assert!(counts.crashes == counts.crashes_whole && 0 < counts.wall_jumps, "{counts}");
    assert!(0 < counts.overloaded && 0 < counts.no_credit, "{counts}");
    assert!(0 < counts.heard && 0 < counts.heard_late, "{counts}");
}

#[test]
fn holds_that_wallets_answer_late_twice_or_never_take_no_stake_twice() {
    let mut counts = sim::Counts::default();
    for seed in 0..40 {
        match sim::night_of(seed, 600, true) {
            Ok(night) => counts.add(&night),
            Err(failure) => panic!("{failure}"),
        }
    }
    let holds = counts.holds;
    println!("{holds}");
    assert!(100 < holds.asked && 0 < holds.at_place && holds.at_place < holds.asked, "{holds}");
    assert!(50 < holds.opened && holds.opened <= holds.confirmed, "{holds}");
    assert!(0 < holds.refused && 0 < holds.released && 0 < holds.timed_out, "{holds}");
    assert!(0 < holds.doubled && 0 < holds.late && 0 < holds.of_another_amount, "{holds}");
}

#[test]
fn the_same_seed_is_the_same_night() {
    let told = |seed| sim::night_of(seed, 300, false).map(|counts| counts.to_string()).ok();
    assert_eq!(told(77), told(77));
    assert_ne!(told(77), told(78));
}

/// No bets after minute 85.
#[derive(Clone)]
struct NoBetsAfterMinute85;

const fn minutes(many: i64) -> Nanos {
    Nanos::from_secs(many * 60)
}

impl Rules for NoBetsAfterMinute85 {
    const ID: u64 = 85;
    const VERSION: u32 = 1;

    fn market(&self, bet: &BetFacts) -> Ruling {
        let over = bet.starts.0 != 0 && bet.starts.plus(minutes(85)) <= bet.at;
        if over { Ruling::Refuse(85) } else { Ruling::Pass }
    }
}

/// The same, as somebody wrote it who took minutes for seconds.
#[derive(Clone)]
struct NoBetsAfterSoManySeconds;

impl Rules for NoBetsAfterSoManySeconds {
    const ID: u64 = 86;
    const VERSION: u32 = 1;

    fn market(&self, bet: &BetFacts) -> Ruling {
        let over = bet.starts.0 != 0 && bet.starts.plus(minutes(85 * 60)) <= bet.at;
        if over { Ruling::Refuse(85) } else { Ruling::Pass }
    }
}

/// Whoever asks is refused.
#[derive(Clone)]
struct NobodyBets;

impl Rules for NobodyBets {
    const ID: u64 = 87;
    const VERSION: u32 = 1;

    fn account(&self, _: &BetFacts) -> Ruling {
        Ruling::Refuse(1)
    }
}

/// Half of what was asked for, from 50.00 on.
#[derive(Clone)]
struct Halved;

impl Rules for Halved {
    const ID: u64 = 50;
    const VERSION: u32 = 1;

    fn stake(&self, bet: &BetFacts) -> Ruling {
        let half = betring_pricing::Stake::from_minor(bet.stake.minor() / 2);
        match half {
            Some(half) if 5_000 < bet.stake.minor() => Ruling::Reduce(half),
            _ => Ruling::Pass,
        }
    }
}

#[test]
fn the_ten_lines_hold_as_they_are_written_whatever_the_seed() -> Result<(), String> {
    for seed in [0x5eed, 1_000, 7, 99, 12_345, 0xbeef] {
        let told = night()
            .rules(NoBetsAfterMinute85)
            .limits(Limits::from_toml(include_str!("limits.toml"))?)
            .weights(|w| w.retry(0.3).late_result(0.05).crash(0.01))
            .invariant("no stake above 5,000", |v| v.open_bets().all(|b| b.stake <= money!(5_000)))
            .against(System::inline())
            .require_all_transitions()
            .seed(seed)
            .run(10_000);
        println!("{told}");
        assert!(300 < told.bets && 20 < told.crashes, "{told}");
        assert!(told.hits.refusals.contains_key("Policy"), "the rule was asked: {told}");
    }
    Ok(())
}

#[test]
fn rules_that_reduce_stakes_hold_with_ours() {
    night().rules(Halved).run(1_500);
}

fn panic_of(run: impl FnOnce() -> betring_fuzz::Told) -> String {
    let broken = catch_unwind(AssertUnwindSafe(run));
    let panic = broken.expect_err("what is wrong is found");
    panic.downcast_ref::<String>().expect("a panic that speaks").clone()
}

#[test]
fn a_rule_that_takes_minutes_for_seconds_is_found_by_what_its_author_meant() {
    let text = panic_of(|| {
        night()
            .rules(NoBetsAfterSoManySeconds)
            .invariant("no bet after minute 85", |v| {
                v.open_bets().all(|b| b.starts.0 == 0 || b.placed_at < b.starts.plus(minutes(85)))
            })
            .run(10_000)
    });
    assert!(text.contains("\"no bet after minute 85\" does not hold"), "{text}");
    assert!(text.contains("fixture X") && text.contains("place k"), "{text}");
}

#[test]
fn a_rule_that_refuses_everything_is_no_rule_that_holds() {
    let text = panic_of(|| night().rules(NobodyBets).run(600));
    assert!(text.contains("no bet was placed in the night of seed 0x5eed"), "{text}");
    let text = panic_of(|| night().rules(NobodyBets).run(90));
    assert!(text.contains("no bet was placed"), "{text}");
}

#[test]
fn a_rule_that_does_not_do_what_its_author_meant_is_found_and_told_in_a_short_script() {
    // Meant: no stake above 50.00. Forgotten: a stake of 50.00 to 100.00, halved, is below it, but one of
    // 200.00, halved, is not.
    let broken = catch_unwind(AssertUnwindSafe(|| {
        night()
            .rules(Halved)
            .limits(Limits::from_toml(include_str!("limits.toml")).unwrap())
            .invariant("no stake above 50.00", |v| v.open_bets().all(|b| b.stake <= money!(50.00)))
            .run(20_000)
    }));
    let panic = broken.expect_err("the planted bug is found");
    let text = panic.downcast_ref::<String>().expect("a panic that speaks");
    assert!(text.contains("\"no stake above 50.00\" does not hold"), "{text}");
    assert!(text.contains("seed 0x") && text.contains("place k"), "{text}");
    let lines = text.lines().filter(|line| line.contains("place k")).count();
    assert!(lines <= 3, "the shortest script needs one bet:\n{text}");
}

#[test]
fn betring_with_threads_is_judged_by_the_same_rules() {
    let told = night().weights(|w| w.crash(0.02)).against(System::threaded()).run(600);
    println!("{told}");
    assert!(300 < told.commands && 0 < told.crashes, "{told}");
    assert!(told.commands / 2 < told.records, "its events were seen: {told}");
}

/// An engine that says yes to whatever it is asked.
struct SaysYes {
    handles: u32,
}

impl UnderTest for SaysYes {
    fn submit(&mut self, _: Ring, _: Timestamp, _: &[u8]) -> Result<Answer, String> {
        self.handles += 1;
        Ok(Answer::done(Seq(0), AccountId::new(self.handles, 1).raw()))
    }

    fn catch_up(&mut self, _: Timestamp) -> Result<(), String> {
        Ok(())
    }

    fn balances(&mut self) -> Result<Option<Vec<(AccountId, Minor)>>, String> {
        Ok(None)
    }

    fn crash(&mut self, _: bool, _: u64, _: Timestamp) -> Result<bool, String> {
        Ok(false)
    }
}

#[test]
fn an_engine_in_this_process_that_always_says_yes_is_found() {
    let system = System::custom(|_| Box::new(SaysYes { handles: 0 }));
    let text = panic_of(|| night().against(system).run(600));
    assert!(text.contains("was answered") && text.contains("and the rules say"), "{text}");
}

/// The script that a panic of a night ends with.
fn script_in(text: &str) -> &str {
    let (_, script) = text.split_once(":\n\n").expect("it ends with a script");
    script
}

#[test]
fn a_sentence_that_breaks_against_threads_is_the_one_that_is_told_when_it_is_short() {
    let text = panic_of(|| {
        night()
            .invariant("no stake above 3.00", |v| v.open_bets().all(|b| b.stake <= money!(3.00)))
            .against(System::threaded())
            .run(600)
    });
    assert!(text.starts_with("\"no stake above 3.00\" does not hold"), "{text}");
    let script = script_in(&text);
    assert!(script.contains("# \"no stake above 3.00\" does not hold"), "{text}");
    assert!(script.lines().filter(|line| line.contains("place k")).count() <= 2, "{text}");
    let report = betring_core::script::run(script).expect("what the engine answered, ours answers");
    assert!(report.replies.iter().any(|reply| reply.answer.kind() == AnswerKind::Accepted));
}

#[test]
fn a_script_of_a_rule_of_somebodys_own_breaks_where_the_house_says_otherwise() {
    let text = panic_of(|| {
        night()
            .rules(Halved)
            .invariant("no bet is open", |v| v.open_bets().next().is_none())
            .run(1_500)
    });
    assert!(script_in(&text).contains("# `betring script` runs this under"), "{text}");
    assert!(!script_in(&text).contains("-> anything"), "{text}");
}

#[test]
fn a_panic_of_an_invariant_is_told_with_its_seed_and_a_script() {
    let text = panic_of(|| {
        night()
            .invariant("there is a bet", |v| v.open_bets().next().is_none_or(|_| panic!("a slip")))
            .run(600)
    });
    assert!(text.starts_with("it panicked: a slip\nseed 0x"), "{text}");
    let script = script_in(&text);
    assert!(script.contains("place k") || script.contains("ticket k"), "{text}");
}

#[test]
fn limits_in_a_file_are_refused_with_what_is_wrong_with_them() {
    let good = include_str!("limits.toml");
    let wrong = |from: &str, to: &str| Limits::from_toml(&good.replace(from, to)).unwrap_err();
    assert!(wrong("max_stake", "max_steak").contains("max_steak is none of min_stake, "));
    assert!(wrong("max_stake = \"200.00\"\n", "").contains("max_stake is missing"));
    assert!(wrong("\"200.00\"", "200").contains("max_stake is not text but 200"));
    assert!(wrong("\"200.00\"", "\"0.05\"").contains("max_stake is below min_stake"));
}

#[test]
fn a_process_that_is_mute_is_told_within_seconds() {
    let text = panic_of(|| night().against(System::process("sleep 60")).run(50));
    assert!(text.contains("the process under test is mute"), "{text}");
}

#[test]
fn rules_of_somebodys_own_are_not_asked_of_a_process_that_was_not_said_to_have_them() {
    let text = panic_of(|| night().rules(Halved).against(System::process("cat")).run(50));
    assert!(text.contains("cannot be given rules of yours"), "{text}");
}

#[test]
fn every_step_of_both_life_cycles_is_taken() {
    let told = night().require_all_transitions().run(10_000);
    let settling = |step: &String| step.starts_with("market: Settling -> ");
    assert!(told.hits.never().iter().all(settling), "{told}");
}

#[test]
fn a_process_that_answers_nonsense_is_found_at_once() {
    // `cat` answers every question with the question.
    let broken = catch_unwind(AssertUnwindSafe(|| night().against(System::process("cat")).run(50)));
    let panic = broken.expect_err("it is no betting engine");
    let text = panic.downcast_ref::<String>().expect("a panic that speaks");
    assert!(text.contains("has no \"answer\""), "{text}");
}

#[test]
fn what_happened_in_a_night_can_be_written_as_a_script_that_holds() {
    let (mut held, mut accepted) = (0, 0);
    let mut parted = Vec::new();
    for seed in 0..40 {
        let inputs = sim::inputs_of(seed, 600);
        let quiet = |input: &sim::Input| !matches!(input, sim::Input::FailAfter(..));
        let inputs: Vec<sim::Input> = inputs.into_iter().filter(quiet).collect();
        let night = sim::Failure {
            seed,
            step: inputs.len(),
            what: String::new(),
            inputs,
            whole: false,
            wallets: false,
        };
        let script = betring_fuzz::minimize::script(&night);
        let report = match betring_core::script::run(&script) {
            Ok(report) => report,
            // The Steps of a script forget the key of its own trader too, so that in a house with room for six
            // bets one that was full may not be.
            // And how far the Steps have come with a market hangs on what else there is to do, that key among it: one
            // that could be archived may not be yet.
            Err(failure) => {
                let known = script.contains(" bets 6 ") || failure.text.contains("archive ");
                assert!(known, "seed {seed}: {failure}\n\n{script}");
                parted.push(format!("seed {seed}: {failure}"));
                continue;
            }
        };
        assert!(report.malformed.is_empty(), "seed {seed}: {:?}\n\n{script}", report.malformed);
        let taken = |reply: &&Reply| reply.answer.kind() == AnswerKind::Accepted;
        accepted += report.replies.iter().filter(taken).count();
        held += script.lines().count();
    }
    println!("{held} lines, {accepted} bets");
    // One night in ten.
    assert!(parted.len() <= 4, "{}", parted.join("\n\n"));
    assert!(500 < held && 0 < accepted, "{held} lines, {accepted} bets");
}

#[test]
fn a_process_that_speaks_json_lines_is_judged_as_betring_is() {
    let told = night().against(System::process(env!("CARGO_BIN_EXE_jsonl"))).run(1_200);
    assert!(500 < told.commands && 0 < told.crashes, "{told}");
}
