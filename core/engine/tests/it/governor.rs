//! The governor: what it does by its rules when it is shown something, and at work on an engine.

use std::time::{Duration, Instant};

use crate::table::{self, *};
use betring::governor::{
    Act, FeedSeen, GroupSeen, MarketSeen, Observation, Rule, Rules, ShedSeen, Subject, Then, What,
    When,
};
use betring::*;

const PRIMARY: FeedId = FeedId(1);
const BACKUP: FeedId = FeedId(2);
const GROUP: GroupId = GroupId(1);

fn ms(millis: i64) -> Timestamp {
    Timestamp(millis * 1_000_000)
}

fn feed(id: FeedId) -> FeedSeen {
    FeedSeen {
        id,
        status: FeedStatus::Up,
        is_up: true,
        slow: false,
        silent_for: Nanos::ZERO,
        recent: 1_000,
        error_ppm: 0,
        stake_factor: 100,
        frozen: false,
    }
}

/// A quiet night: two feeds in a group, and one market.
fn quiet() -> Observation {
    Observation {
        feeds: vec![feed(PRIMARY), feed(BACKUP)],
        groups: vec![GroupSeen {
            id: GROUP,
            primary: PRIMARY,
            backup: BACKUP,
            drives: Drives::Primary,
            by_governor: false,
            drifting: 0,
            frozen: false,
        }],
        markets: vec![MarketSeen {
            id: MarketId::new(0, 1),
            rate: 100,
            accept_p99: Nanos::from_millis(2),
            samples: 100,
            price_age: Nanos::from_millis(100),
            refused: [0; 7],
            stake_factor: 100,
            frozen: false,
        }],
        lag: 10,
        ring_percent: 1,
        stake_factor: 100,
        frozen: false,
        shed: ShedSeen::default(),
    }
}

/// What a governor does at a moment, in its own words. It is sent and decided before the next one.
fn at(governor: &mut Governor, millis: i64, seen: &Observation) -> Vec<String> {
    let actions = governor.observe(ms(millis), seen).map(|action| {
        decided(governor, action.act);
        action.to_string()
    });
    actions.collect()
}

fn decided(governor: &mut Governor, act: Act) {
    governor.told(act, What::Sent);
    governor.told(act, What::Done);
}

/// What a governor asks for at a moment. Nothing becomes of it yet.
fn asks(governor: &mut Governor, millis: i64, seen: &Observation) -> Vec<Act> {
    governor.observe(ms(millis), seen).map(|action| action.act).collect()
}

/// One that has looked at a quiet night.
fn settled() -> Governor {
    let mut governor = Governor::new(Rules::default());
    assert_eq!(at(&mut governor, 0, &quiet()), [""; 0]);
    governor
}

#[test]
fn cash_outs_of_a_group_stop_at_once_when_its_feed_is_in_doubt() {
    type Doubt = fn(&mut Observation);
    let doubts: [Doubt; 5] = [
        |seen| seen.feeds[0].is_up = false,
        |seen| seen.feeds[0].slow = true,
        |seen| seen.feeds[0].error_ppm = 5_001,
        |seen| seen.groups[0].drifting = 1,
        |seen| seen.feeds.retain(|feed| feed.id != PRIMARY),
    ];
    for doubt in doubts {
        let mut governor = settled();
        let mut seen = quiet();
        doubt(&mut seen);
        assert_eq!(at(&mut governor, 10, &seen), ["freezes cash-outs of G1 (doubt, reason 9001)"]);
        assert_eq!(at(&mut governor, 15, &seen), [""; 0], "once");
        // Well again for less than two seconds, and in doubt again: it stays frozen.
        assert_eq!(at(&mut governor, 1_000, &quiet()), [""; 0]);
        assert_eq!(at(&mut governor, 2_900, &seen), [""; 0]);
        assert_eq!(at(&mut governor, 3_000, &quiet()), [""; 0]);
        assert_eq!(at(&mut governor, 4_999, &quiet()), [""; 0]);
        assert_eq!(
            at(&mut governor, 5_000, &quiet()),
            ["unfreezes cash-outs of G1 (doubt, reason 9001)"]
        );
    }
    // The backup stands by: what is wrong with it alone freezes nothing.
    let mut governor = settled();
    let mut seen = quiet();
    seen.feeds[1].is_up = false;
    assert_eq!(at(&mut governor, 10, &seen), [""; 0]);
    // Nor do prices that it sent last, and that nothing can be compared with.
    seen.groups[0].drifting = 1;
    assert_eq!(at(&mut governor, 15, &seen), [""; 0]);
    // One of three messages is no rate.
    seen = quiet();
    (seen.feeds[0].error_ppm, seen.feeds[0].recent) = (333_333, 3);
    assert_eq!(at(&mut governor, 20, &seen), [""; 0]);
}

#[test]
fn the_backup_drives_after_two_seconds_and_the_primary_again_after_a_minute() {
    let mut governor = settled();
    let mut seen = quiet();
    seen.feeds[0].is_up = false;
    assert_eq!(at(&mut governor, 100, &seen).len(), 1, "the freeze");
    assert_eq!(at(&mut governor, 2_099, &seen), [""; 0]);
    assert_eq!(
        at(&mut governor, 2_100, &seen),
        ["switches G1 to its Backup (backup, reason 9002)"]
    );
    // With the backup the cash-outs come back.
    (seen.groups[0].drives, seen.groups[0].by_governor) = (Drives::Backup, true);
    assert_eq!(at(&mut governor, 2_200, &seen), [""; 0]);
    assert_eq!(at(&mut governor, 4_200, &seen).len(), 1);
    // The primary is up, for 59 s; down for a moment; then up for a minute.
    let mut up = seen.clone();
    up.feeds[0].is_up = true;
    assert_eq!(at(&mut governor, 10_000, &up), [""; 0]);
    assert_eq!(at(&mut governor, 69_000, &seen), [""; 0]);
    assert_eq!(at(&mut governor, 70_000, &up), [""; 0]);
    assert_eq!(at(&mut governor, 129_999, &up), [""; 0]);
    assert_eq!(
        at(&mut governor, 130_000, &up),
        ["switches G1 to its Primary (backup, reason 9002)"]
    );
}

#[test]
fn it_switches_to_no_feed_that_is_down_and_back_sooner_from_one_that_is() {
    let mut governor = settled();
    let mut seen = quiet();
    (seen.feeds[0].is_up, seen.feeds[1].is_up) = (false, false);
    at(&mut governor, 100, &seen);
    assert_eq!(at(&mut governor, 60_000, &seen), [""; 0], "both are down");
    // The backup is up, and has to be so for two seconds.
    seen.feeds[1].is_up = true;
    assert_eq!(at(&mut governor, 60_100, &seen), [""; 0]);
    assert_eq!(at(&mut governor, 62_099, &seen), [""; 0]);
    assert_eq!(at(&mut governor, 62_100, &seen).len(), 1);
    // Now the backup fails and the primary is up: nobody waits a minute for that.
    (seen.groups[0].drives, seen.groups[0].by_governor) = (Drives::Backup, true);
    (seen.feeds[0].is_up, seen.feeds[1].is_up) = (true, false);
    at(&mut governor, 62_200, &seen);
    assert_eq!(at(&mut governor, 64_199, &seen), [""; 0]);
    assert_eq!(
        at(&mut governor, 64_200, &seen),
        ["switches G1 to its Primary (backup, reason 9002)"]
    );
}

#[test]
fn a_feed_that_a_trader_switched_is_not_switched_back() {
    let mut governor = settled();
    let mut seen = quiet();
    seen.groups[0].drives = Drives::Backup;
    assert_eq!(at(&mut governor, 100, &seen), [""; 0]);
    assert_eq!(at(&mut governor, 100_000, &seen), [""; 0]);
    // And one that it switched itself, and a trader has switched back, is left alone.
    seen.groups[0].drives = Drives::Primary;
    seen.feeds[0].is_up = false;
    at(&mut governor, 100_100, &seen);
    assert_eq!(at(&mut governor, 102_100, &seen).len(), 1, "switched");
    let by_hand = seen.clone();
    at(&mut governor, 102_200, &by_hand);
    let well = at(&mut governor, 103_000, &quiet());
    assert_eq!(well, [""; 0]);
    let well = at(&mut governor, 163_000, &quiet());
    assert_eq!(well, ["unfreezes cash-outs of G1 (doubt, reason 9001)"]);
}

/// A quiet night with this feed driving the group, and whether the governor has switched it last.
fn driven(drives: Drives, by_governor: bool) -> Observation {
    let mut seen = quiet();
    (seen.groups[0].drives, seen.groups[0].by_governor) = (drives, by_governor);
    seen
}

/// The same with the primary down.
fn primary_down(drives: Drives, by_governor: bool) -> Observation {
    let mut seen = driven(drives, by_governor);
    seen.feeds[0].is_up = false;
    seen
}

/// A governor of the rule for the backup only.
fn switcher() -> Governor {
    let rules = Rules::default();
    let backup = rules.iter().filter(|rule| rule.then == Then::SwitchFeed).cloned();
    Governor::new(Rules::new(backup).expect("good"))
}

#[test]
fn a_feed_that_a_trader_switched_there_and_back_again_is_not_switched_back() {
    let mut governor = switcher();
    at(&mut governor, 0, &primary_down(Drives::Primary, false));
    let switched = says(&mut governor, 2_000, &primary_down(Drives::Primary, false));
    assert_eq!(switched, ["switches G1 to its Backup"]);
    assert_eq!(says(&mut governor, 2_005, &primary_down(Drives::Backup, true)), [""; 0]);
    // The trader wants the primary, down as it is; then the backup. Now it is the trader's.
    assert_eq!(says(&mut governor, 2_100, &primary_down(Drives::Primary, false)), [""; 0]);
    assert_eq!(says(&mut governor, 2_200, &primary_down(Drives::Backup, false)), [""; 0]);
    for now in [3_000, 63_000, 200_000] {
        assert_eq!(says(&mut governor, now, &driven(Drives::Backup, false)), [""; 0]);
    }
    // The trader takes it back, and the primary fails again: that is another time.
    says(&mut governor, 300_000, &primary_down(Drives::Primary, false));
    let again = says(&mut governor, 302_000, &primary_down(Drives::Primary, false));
    assert_eq!(again, ["switches G1 to its Backup"]);
}

#[test]
fn a_trader_who_switches_just_before_the_governor_is_not_undone() {
    let mut governor = switcher();
    at(&mut governor, 0, &primary_down(Drives::Primary, false));
    let switched = says(&mut governor, 2_000, &primary_down(Drives::Primary, false));
    // The trader's command was first in the order; the governor's is refused, for it is so already.
    assert_eq!(switched, ["switches G1 to its Backup"]);
    assert_eq!(says(&mut governor, 2_005, &primary_down(Drives::Backup, false)), [""; 0]);
    for now in [3_000, 63_000, 200_000] {
        assert_eq!(says(&mut governor, now, &driven(Drives::Backup, false)), [""; 0]);
    }
}

#[test]
fn a_switch_that_was_sent_and_whose_reason_is_gone_is_followed_by_its_taking_back() {
    let mut governor = switcher();
    let there = Act::SwitchFeed { group: GROUP, to: Drives::Backup };
    let back = Act::SwitchFeed { group: GROUP, to: Drives::Primary };
    asks(&mut governor, 0, &primary_down(Drives::Primary, false));
    assert_eq!(asks(&mut governor, 2_000, &primary_down(Drives::Primary, false)), [there]);
    governor.told(there, What::Sent);
    // Nothing is decided for more than a minute, in which the primary is up again.
    assert_eq!(asks(&mut governor, 3_000, &driven(Drives::Primary, false)), []);
    assert_eq!(asks(&mut governor, 63_000, &driven(Drives::Primary, false)), [back]);
    governor.told(back, What::Sent);
    assert_eq!(asks(&mut governor, 63_005, &driven(Drives::Backup, true)), [], "once");
    governor.told(there, What::Done);
    governor.told(back, What::Done);
    assert_eq!(asks(&mut governor, 63_010, &driven(Drives::Primary, true)), []);
}

#[test]
fn a_switch_whose_reason_is_gone_before_it_is_sent_is_not_sent() {
    let mut governor = switcher();
    let there = Act::SwitchFeed { group: GROUP, to: Drives::Backup };
    asks(&mut governor, 0, &primary_down(Drives::Primary, false));
    assert_eq!(asks(&mut governor, 2_000, &primary_down(Drives::Primary, false)), [there]);
    assert!(governor.wants(there));
    asks(&mut governor, 3_000, &driven(Drives::Primary, false));
    assert!(governor.wants(there), "the primary has to be up for a minute");
    assert_eq!(asks(&mut governor, 63_000, &driven(Drives::Primary, false)), []);
    assert!(!governor.wants(there));
    // The same of what was sent and never executed.
    asks(&mut governor, 70_000, &primary_down(Drives::Primary, false));
    assert_eq!(asks(&mut governor, 72_000, &primary_down(Drives::Primary, false)), [there]);
    governor.told(there, What::Sent);
    governor.told(there, What::Waits);
    assert_eq!(asks(&mut governor, 73_000, &driven(Drives::Primary, false)), []);
    assert!(governor.wants(there));
    assert_eq!(asks(&mut governor, 133_000, &driven(Drives::Primary, false)), []);
    assert!(!governor.wants(there));
}

#[test]
fn a_switch_that_was_refused_is_asked_again_while_the_primary_is_down() {
    let mut governor = switcher();
    let there = Act::SwitchFeed { group: GROUP, to: Drives::Backup };
    let seen = primary_down(Drives::Primary, false);
    asks(&mut governor, 0, &seen);
    assert_eq!(asks(&mut governor, 2_000, &seen), [there]);
    governor.told(there, What::Sent);
    assert_eq!(asks(&mut governor, 2_005, &seen), []);
    // A trader has switched there and back between two looks, and the governor's word came in between.
    governor.told(there, What::Refused(Reject::NotAllowed));
    assert_eq!(asks(&mut governor, 2_010, &seen), [there]);
    decided(&mut governor, there);
    assert_eq!(asks(&mut governor, 2_015, &primary_down(Drives::Backup, true)), []);
    assert_eq!(asks(&mut governor, 3_000, &driven(Drives::Backup, true)), []);
    let back = Act::SwitchFeed { group: GROUP, to: Drives::Primary };
    assert_eq!(asks(&mut governor, 63_000, &driven(Drives::Backup, true)), [back]);
}

/// A trader goes to the backup and back to the primary, and the governor sees both, while its own switch
/// waits; or sees that while its switch is on its way, and that comes last.
#[test]
fn a_switch_gives_way_to_a_trader_who_has_seen_both_feeds() {
    let there = Act::SwitchFeed { group: GROUP, to: Drives::Backup };
    let back = Act::SwitchFeed { group: GROUP, to: Drives::Primary };
    for sent in [false, true] {
        let mut governor = switcher();
        asks(&mut governor, 0, &primary_down(Drives::Primary, false));
        assert_eq!(asks(&mut governor, 2_000, &primary_down(Drives::Primary, false)), [there]);
        if sent {
            governor.told(there, What::Sent);
        }
        assert_eq!(asks(&mut governor, 2_005, &primary_down(Drives::Backup, false)), []);
        assert_eq!(asks(&mut governor, 2_010, &primary_down(Drives::Primary, false)), []);
        assert!(!governor.wants(there));
        let mut drives = driven(Drives::Primary, false);
        if sent {
            governor.told(there, What::Done);
            assert_eq!(asks(&mut governor, 2_015, &primary_down(Drives::Backup, true)), [back]);
            decided(&mut governor, back);
            drives = driven(Drives::Primary, true);
        }
        for now in [3_000, 63_000, 200_000] {
            assert_eq!(asks(&mut governor, now, &drives), []);
        }
    }
}

#[test]
fn bets_on_a_market_with_slow_answers_are_capped_to_a_fifth_of_what_they_were() {
    let mut governor = settled();
    let mut slow = quiet();
    slow.markets[0].accept_p99 = Nanos::from_millis(251);
    slow.markets[0].stake_factor = 50;
    assert_eq!(at(&mut governor, 1_000, &slow), [""; 0]);
    // Too few to say.
    let mut few = slow.clone();
    few.markets[0].samples = 19;
    assert_eq!(at(&mut governor, 4_000, &few), [""; 0]);
    assert_eq!(at(&mut governor, 5_000, &slow), [""; 0]);
    assert_eq!(at(&mut governor, 9_999, &slow), [""; 0]);
    assert_eq!(
        at(&mut governor, 10_000, &slow),
        ["sets the stakes of M1 to 10 % (slow answers, reason 9003)"]
    );
    let mut capped = quiet();
    capped.markets[0].stake_factor = 10;
    assert_eq!(at(&mut governor, 11_000, &capped), [""; 0]);
    assert_eq!(at(&mut governor, 20_999, &capped), [""; 0]);
    assert_eq!(
        at(&mut governor, 21_000, &capped),
        ["sets the stakes of M1 to 50 % (slow answers, reason 9003)"]
    );
    // One that somebody has set meanwhile stays.
    at(&mut governor, 30_000, &slow);
    assert_eq!(at(&mut governor, 35_000, &slow).len(), 1);
    let mut by_hand = quiet();
    by_hand.markets[0].stake_factor = 5;
    at(&mut governor, 36_000, &by_hand);
    assert_eq!(at(&mut governor, 46_000, &by_hand), [""; 0]);
    // A market that is not there any more is not capped for ever.
    at(&mut governor, 50_000, &slow);
    at(&mut governor, 55_000, &slow);
    let gone = Observation { markets: Vec::new(), ..quiet() };
    at(&mut governor, 56_000, &gone);
    assert_eq!(at(&mut governor, 66_000, &gone).len(), 1);
    assert!(!governor.holds("slow answers"));
}

#[test]
fn load_is_shed_while_the_journal_is_behind() {
    let mut governor = settled();
    let behind = Observation { lag: (1 << 18) + 1, ..quiet() };
    assert_eq!(at(&mut governor, 10, &behind), ["turns shedding On (behind, reason 9004)"]);
    assert!(governor.holds("behind"));
    let on = shed(false, Shed::On, Some(Shed::On), true);
    assert_eq!(at(&mut governor, 100, &on), [""; 0]);
    assert_eq!(
        at(&mut governor, 1_100, &on),
        ["gives shedding back to the configuration (behind, reason 9004)"]
    );
}

/// How shedding is seen, on a quiet night or while the journal is behind.
fn shed(behind: bool, mode: Shed, said: Option<Shed>, by_governor: bool) -> Observation {
    let lag = if behind { (1 << 18) + 1 } else { 10 };
    Observation { lag, shed: ShedSeen { mode, said, by_governor }, ..quiet() }
}

const ON: &str = "turns shedding On";

#[test]
fn shedding_is_given_back_as_it_was_said_before() {
    let mut governor = settled();
    let (on, off) = (Some(Shed::On), Some(Shed::Off));
    let (say_on, say_off) = (Act::Shed(on), Act::Shed(off));
    let all_well = shed(false, Shed::On, on, true);
    // A trader never wants it; while the journal is behind the governor does.
    assert_eq!(asks(&mut governor, 10, &shed(true, Shed::Off, off, false)), [say_on]);
    governor.told(say_on, What::Sent);
    // Not decided yet; then decided.
    assert_eq!(asks(&mut governor, 15, &shed(true, Shed::Off, off, false)), []);
    assert_eq!(asks(&mut governor, 20, &shed(true, Shed::On, on, true)), []);
    governor.told(say_on, What::Done);
    assert_eq!(asks(&mut governor, 25, &all_well), []);
    assert_eq!(asks(&mut governor, 1_025, &all_well), [say_off]);
    governor.told(say_off, What::Sent);
    // Behind again before that is decided: on again, and what was there before is still the trader's.
    assert_eq!(asks(&mut governor, 1_030, &shed(true, Shed::On, on, true)), [say_on]);
    governor.told(say_on, What::Sent);
    assert_eq!(asks(&mut governor, 1_035, &shed(false, Shed::Off, off, true)), []);
    governor.told(say_off, What::Done);
    governor.told(say_on, What::Done);
    assert_eq!(asks(&mut governor, 1_040, &all_well), []);
    assert_eq!(asks(&mut governor, 2_035, &all_well), [say_off]);
    decided(&mut governor, say_off);
    assert_eq!(asks(&mut governor, 2_040, &shed(false, Shed::Off, off, true)), []);
    // The next time that is what was said before, though the governor said it last.
    assert_eq!(says(&mut governor, 2_050, &shed(true, Shed::Off, off, true)), [ON]);
    assert_eq!(says(&mut governor, 2_055, &all_well), [""; 0]);
    assert_eq!(says(&mut governor, 3_055, &all_well), ["turns shedding Off"]);
}

/// The first time and the second, with the governor's word still waiting, and with it on its way.
#[test]
fn the_governors_word_of_shedding_gives_way_to_a_traders() {
    let on = Act::Shed(Some(Shed::On));
    let by_governor = |behind| shed(behind, Shed::On, Some(Shed::On), true);
    let words = [Some(Shed::Off), Some(Shed::Auto), Some(Shed::On), None];
    let all = [false, true].into_iter().flat_map(|again| words.map(|said| (again, said)));
    // The configuration's, as it is the first time, is no news.
    for (again, said) in all.filter(|(again, said)| *again || said.is_some()) {
        let first = |governor: &mut Governor| {
            if again {
                says(governor, 10, &shed(true, Shed::Auto, None, false));
                says(governor, 15, &by_governor(false));
                assert_eq!(says(governor, 1_015, &by_governor(false)).len(), 1, "given back");
            }
            let before = shed(true, Shed::Auto, None, again);
            assert_eq!(asks(governor, 2_000, &before), [on]);
        };
        let mode = said.unwrap_or(Shed::Auto);
        // It waits: it is not sent any more, whether a rule still wants it or not.
        for behind in [true, false] {
            let mut governor = settled();
            first(&mut governor);
            assert_eq!(asks(&mut governor, 2_005, &shed(behind, mode, said, false)), []);
            assert!(!governor.wants(on));
            assert_eq!(asks(&mut governor, 9_000, &shed(false, mode, said, false)), []);
        }
        // It was decided before the trader's.
        let mut governor = settled();
        first(&mut governor);
        governor.told(on, What::Sent);
        assert_eq!(asks(&mut governor, 2_005, &shed(true, mode, said, false)), []);
        governor.told(on, What::Done);
        for now in [2_010, 9_000, 20_000] {
            assert_eq!(asks(&mut governor, now, &shed(false, mode, said, false)), []);
        }
        // It was decided after the trader's, which is said again, and stays.
        let mut governor = settled();
        first(&mut governor);
        governor.told(on, What::Sent);
        assert_eq!(asks(&mut governor, 2_005, &shed(true, mode, said, false)), []);
        assert_eq!(asks(&mut governor, 2_010, &by_governor(true)), [], "no answer yet");
        governor.told(on, What::Done);
        let restored = asks(&mut governor, 2_015, &by_governor(true));
        // On it is anyway.
        let expected = if said == Some(Shed::On) { vec![] } else { vec![Act::Shed(said)] };
        assert_eq!(restored, expected);
        restored.iter().for_each(|act| decided(&mut governor, *act));
        for now in [2_020, 9_000, 20_000] {
            assert_eq!(asks(&mut governor, now, &shed(false, mode, said, true)), []);
        }
    }
}

#[test]
fn what_a_trader_says_of_shedding_meanwhile_stays() {
    for said in [Some(Shed::Off), Some(Shed::Auto), Some(Shed::On), None] {
        let mut governor = settled();
        let mode = said.unwrap_or(Shed::Auto);
        assert_eq!(says(&mut governor, 10, &shed(true, Shed::Auto, None, false)), [ON]);
        assert_eq!(says(&mut governor, 15, &shed(true, Shed::On, Some(Shed::On), true)), [""; 0]);
        for (now, behind) in [(20, true), (25, false), (5_000, false)] {
            assert_eq!(says(&mut governor, now, &shed(behind, mode, said, false)), [""; 0]);
        }
        // The next time is another one, unless it is on already.
        let again = says(&mut governor, 6_000, &shed(true, mode, said, false));
        assert_eq!(again, if mode == Shed::On { &[][..] } else { &[ON] });
    }
    // On already, whoever wants that: nothing is done, and nothing undone.
    for said in [Some(Shed::On), None] {
        let mut governor = settled();
        for (now, behind) in [(10, true), (20, false), (2_000, false)] {
            assert_eq!(says(&mut governor, now, &shed(behind, Shed::On, said, false)), [""; 0]);
        }
    }
    // Nor if that is what a governor has given it back to.
    let mut governor = settled();
    for (now, behind) in [(10, true), (20, false), (2_000, false)] {
        assert_eq!(says(&mut governor, now, &shed(behind, Shed::On, None, true)), [""; 0]);
    }
}

#[test]
fn shedding_of_an_earlier_run_is_given_back_once_no_rule_wants_it() {
    let on = |behind| shed(behind, Shed::On, Some(Shed::On), true);
    for rules in [Rules::default(), Rules::none()] {
        let mut governor = Governor::new(rules);
        let first = at(&mut governor, 0, &on(false));
        let given_back = "gives shedding back to the configuration (of an earlier run)";
        assert!(first.contains(&given_back.to_owned()), "{first:?}");
        let off = shed(false, Shed::Auto, None, true);
        assert_eq!(at(&mut governor, 5, &off), [""; 0], "once");
    }
    // Still behind: what the earlier run has done goes on, and is this one's to undo.
    let mut governor = Governor::new(Rules::default());
    let first = at(&mut governor, 0, &on(true));
    assert_eq!(first, [""; 0]);
    assert_eq!(at(&mut governor, 100, &on(false)), [""; 0]);
    let given_back = "gives shedding back to the configuration (behind, reason 9004)";
    assert_eq!(at(&mut governor, 1_100, &on(false)), [given_back]);
    // What a trader wants is no earlier run's.
    let mut governor = Governor::new(Rules::default());
    let first = at(&mut governor, 0, &shed(false, Shed::On, Some(Shed::On), false));
    assert_eq!(first, [""; 0]);
}

#[test]
fn of_two_rules_for_one_thing_the_stricter_holds_and_the_last_one_releases() {
    let rule = |name: &str, above: i64, percent| Rule {
        name: name.to_owned(),
        when: When::AcceptP99 { above: Nanos::from_millis(above), samples: 1 },
        after: Nanos::ZERO,
        until: Nanos::ZERO,
        then: Then::Cap { percent },
        reason: above as u32,
    };
    let rules = Rules::new([rule("slow", 100, 50), rule("slower", 1_000, 10)]).expect("good");
    let mut governor = Governor::new(rules);
    let mut acts = |now, wait_ms, factor| says(&mut governor, now, &one_market(wait_ms, factor));
    assert_eq!(acts(1, 200, 100), ["sets the stakes of M1 to 50 %"]);
    assert_eq!(acts(2, 2_000, 50), ["sets the stakes of M1 to 10 %"]);
    assert_eq!(acts(3, 200, 10), ["sets the stakes of M1 to 50 %"]);
    assert_eq!(acts(4, 1, 50), ["sets the stakes of M1 to 100 %"]);
}

/// One market: how long its customers wait, and its stake factor.
fn one_market(wait_ms: i64, stake_factor: u32) -> Observation {
    Observation {
        markets: vec![MarketSeen {
            id: MarketId::new(0, 1),
            rate: 100,
            accept_p99: Nanos::from_millis(wait_ms),
            samples: 100,
            price_age: Nanos::from_millis(100),
            refused: [0; 7],
            stake_factor,
            frozen: false,
        }],
        stake_factor: 100,
        ..Observation::default()
    }
}

fn set(percent: u32) -> Act {
    Act::SetStakeFactor { scope: StakeScope::Market(MarketId::new(0, 1)), percent }
}

fn slow(name: &str, above: i64, then: Then) -> Rule {
    Rule {
        name: name.to_owned(),
        when: When::AcceptP99 { above: Nanos::from_millis(above), samples: 1 },
        after: Nanos::ZERO,
        until: Nanos::ZERO,
        then,
        reason: above as u32,
    }
}

fn says(governor: &mut Governor, now: i64, seen: &Observation) -> Vec<String> {
    let actions = governor.observe(ms(now), seen).map(|action| {
        decided(governor, action.act);
        action.act.to_string()
    });
    actions.collect()
}

/// A trader stops bets on a market that is capped. When its answers get slower still, the governor may
/// take that lower, not open it.
#[test]
fn a_stake_factor_that_a_trader_set_while_it_was_capped_is_not_raised_by_another_rule() {
    let cap = |percent| Then::Cap { percent };
    let rules = [slow("slow", 100, cap(50)), slow("slower", 1_000, cap(10))];
    let mut governor = Governor::new(Rules::new(rules).expect("good"));
    assert_eq!(says(&mut governor, 1, &one_market(200, 100)), ["sets the stakes of M1 to 50 %"]);
    // By hand: nobody bets on it.
    assert_eq!(says(&mut governor, 2, &one_market(200, 0)), [""; 0]);
    let all =
        [says(&mut governor, 3, &one_market(2_000, 0)), says(&mut governor, 4, &one_market(1, 0))];
    assert_eq!(all.concat(), [""; 0], "the trader's 0 % stays");
}

/// What a governor of an earlier run has capped stands in the journal, as what it has frozen does.
#[test]
fn a_cap_of_an_earlier_run_is_not_what_the_market_was_before() {
    let rules = || Rules::new([slow("slow", 100, Then::Cap { percent: 20 })]).expect("good");
    let mut first = Governor::new(rules());
    assert_eq!(says(&mut first, 1, &one_market(200, 100)), ["sets the stakes of M1 to 20 %"]);
    // The engine starts again; the market is still slow, then well.
    let mut second = Governor::new(rules());
    let again = says(&mut second, 2, &one_market(200, 20));
    assert!(!again.contains(&"sets the stakes of M1 to 4 %".to_owned()), "a fifth of a fifth");
    let well = says(&mut second, 3, &one_market(1, 20));
    assert_eq!(well, ["sets the stakes of M1 to 100 %"]);
}

/// Markets are frozen by rules as groups, feeds and the engine are, and nobody else releases them.
#[test]
fn a_market_that_a_governor_of_an_earlier_run_has_frozen_is_released() {
    let rules = Rules::new([slow("slow", 100, Then::FreezeCashOut)]).expect("good");
    let mut frozen = one_market(1, 100);
    frozen.markets[0].frozen = true;
    let mut governor = Governor::new(rules.clone());
    assert_eq!(says(&mut governor, 1, &frozen), ["unfreezes cash-outs of M1"]);
    assert_eq!(says(&mut governor, 2, &frozen), [""; 0], "once");
    // Where nothing is frozen, nothing is said.
    let mut governor = Governor::new(rules.clone());
    assert_eq!(says(&mut governor, 1, &one_market(1, 100)), [""; 0]);
    // Where a rule wants it, it stays until that has left.
    let mut governor = Governor::new(rules);
    frozen.markets[0].accept_p99 = Nanos::from_millis(200);
    assert_eq!(says(&mut governor, 1, &frozen), ["freezes cash-outs of M1"]);
    frozen.markets[0].accept_p99 = Nanos::ZERO;
    assert_eq!(says(&mut governor, 2, &frozen), ["unfreezes cash-outs of M1"]);
}

#[test]
fn freezes_of_an_earlier_run_are_released_whatever_the_rules_are_now() {
    let markets = Rules::new([slow("slow", 100, Then::FreezeCashOut)]).expect("good");
    for rules in [Rules::none(), markets, Rules::default()] {
        let mut governor = Governor::new(rules);
        let mut seen = quiet();
        seen.groups[0].frozen = true;
        seen.feeds[1].frozen = true;
        seen.markets[0].frozen = true;
        seen.frozen = true;
        assert_eq!(
            says(&mut governor, 0, &seen),
            [
                "unfreezes cash-outs of G1",
                "unfreezes cash-outs of F2",
                "unfreezes cash-outs of M1",
                "unfreezes cash-outs of the engine",
            ]
        );
        assert_eq!(says(&mut governor, 5, &seen), [""; 0], "once");
    }
}

/// An observation may be older than the last command: what the market was before that is not by hand.
#[test]
fn what_was_seen_before_a_cap_came_into_force_is_not_taken_for_a_traders() {
    let rules = Rules::new([slow("slow", 100, Then::Cap { percent: 50 })]).expect("good");
    let mut governor = Governor::new(rules);
    let (half, whole) = (set(40), set(80));
    assert_eq!(asks(&mut governor, 1, &one_market(200, 80)), [half]);
    governor.told(half, What::Sent);
    assert_eq!(asks(&mut governor, 2, &one_market(200, 80)), []);
    assert_eq!(asks(&mut governor, 3, &one_market(200, 40)), []);
    governor.told(half, What::Done);
    assert_eq!(asks(&mut governor, 4, &one_market(1, 40)), [whole]);
    governor.told(whole, What::Sent);
    // Slow again before that is decided: half of 80, not of 40.
    assert_eq!(asks(&mut governor, 5, &one_market(200, 40)), [half]);
    governor.told(half, What::Sent);
    assert_eq!(asks(&mut governor, 6, &one_market(200, 80)), []);
    governor.told(whole, What::Done);
    governor.told(half, What::Done);
    assert_eq!(asks(&mut governor, 7, &one_market(1, 40)), [whole]);
}

/// A cap is asked for, taken back and wanted again before any of that is decided.
#[test]
fn a_cap_that_comes_again_is_not_of_what_the_last_one_left() {
    let rules = Rules::new([slow("slow", 100, Then::Cap { percent: 20 })]).expect("good");
    let mut governor = Governor::new(rules);
    let (fifth, whole) = (set(20), set(100));
    assert_eq!(asks(&mut governor, 1, &one_market(200, 100)), [fifth]);
    governor.told(fifth, What::Sent);
    assert_eq!(asks(&mut governor, 2, &one_market(1, 100)), [whole]);
    governor.told(whole, What::Sent);
    assert_eq!(asks(&mut governor, 3, &one_market(1, 100)), []);
    // The first is decided, the second not yet, and the market is slow again.
    governor.told(fifth, What::Done);
    assert_eq!(asks(&mut governor, 4, &one_market(200, 20)), [fifth], "of 100, not of 20");
    governor.told(fifth, What::Sent);
    governor.told(whole, What::Done);
    governor.told(fifth, What::Done);
    assert_eq!(says(&mut governor, 5, &one_market(1, 20)), ["sets the stakes of M1 to 100 %"]);
}

/// With the governor's cap still waiting, with it decided before the trader's word, and after.
#[test]
fn a_cap_gives_way_to_what_a_trader_sets_meanwhile() {
    let rules = || Rules::new([slow("slow", 100, Then::Cap { percent: 20 })]).expect("good");
    let (fifth, half) = (set(20), set(50));
    for wait_ms in [1, 200] {
        let mut governor = Governor::new(rules());
        assert_eq!(asks(&mut governor, 1, &one_market(200, 100)), [fifth]);
        assert_eq!(asks(&mut governor, 2, &one_market(wait_ms, 50)), []);
        assert!(!governor.wants(fifth));
        assert_eq!(asks(&mut governor, 3, &one_market(1, 50)), []);
        // The next time is another one.
        assert_eq!(asks(&mut governor, 4, &one_market(200, 50)), [set(10)]);
    }
    for before in [true, false] {
        let mut governor = Governor::new(rules());
        assert_eq!(asks(&mut governor, 1, &one_market(200, 100)), [fifth]);
        governor.told(fifth, What::Sent);
        assert_eq!(asks(&mut governor, 2, &one_market(200, 50)), []);
        governor.told(fifth, What::Done);
        if before {
            assert_eq!(asks(&mut governor, 3, &one_market(200, 50)), []);
        } else {
            assert_eq!(asks(&mut governor, 3, &one_market(200, 20)), [half]);
            decided(&mut governor, half);
        }
        assert_eq!(asks(&mut governor, 4, &one_market(200, 50)), []);
        assert_eq!(asks(&mut governor, 5, &one_market(1, 50)), []);
    }
}

#[test]
fn a_cap_of_a_market_that_is_not_there_any_more_is_not_asked_for_again() {
    let until = Nanos::from_secs(10);
    let rule = Rule { until, ..slow("slow", 100, Then::Cap { percent: 20 }) };
    let mut governor = Governor::new(Rules::new([rule]).expect("good"));
    assert_eq!(asks(&mut governor, 1, &one_market(200, 100)), [set(20)]);
    governor.told(set(20), What::Sent);
    governor.told(set(20), What::Refused(Reject::MarketUnknown));
    let gone = Observation { markets: Vec::new(), ..one_market(1, 100) };
    for now in [2, 1_000, 20_000] {
        assert_eq!(asks(&mut governor, now, &gone), []);
    }
}

/// Who set a factor under a cap is overruled by a stricter one only, and gets his own back.
#[test]
fn a_stricter_cap_goes_below_what_a_trader_set_and_back_to_it() {
    let cap = |percent| Then::Cap { percent };
    let rules = [slow("slow", 100, cap(50)), slow("slower", 1_000, cap(10))];
    let mut governor = Governor::new(Rules::new(rules).expect("good"));
    assert_eq!(says(&mut governor, 1, &one_market(200, 100)), ["sets the stakes of M1 to 50 %"]);
    assert_eq!(says(&mut governor, 2, &one_market(200, 30)), [""; 0]);
    assert_eq!(says(&mut governor, 3, &one_market(2_000, 30)), ["sets the stakes of M1 to 10 %"]);
    assert_eq!(says(&mut governor, 4, &one_market(200, 10)), ["sets the stakes of M1 to 30 %"]);
    assert_eq!(says(&mut governor, 5, &one_market(1, 30)), [""; 0]);
}

/// A place that one market leaves is taken by the next, all season long.
#[test]
fn a_governor_keeps_of_a_season_of_markets_no_more_than_of_its_last_night() {
    let rules =
        [slow("cap", 100, Then::Cap { percent: 20 }), slow("freeze", 100, Then::FreezeCashOut)];
    let mut governor = Governor::new(Rules::new(rules).expect("good"));
    let mut kept = Vec::new();
    for generation in 100..400 {
        let mut night = one_market(1, 100);
        (night.markets[0].id, night.markets[0].frozen) = (MarketId::new(0, generation), true);
        let first = says(&mut governor, i64::from(generation) * 10, &night);
        assert_eq!(first.len(), 1, "what an earlier run has frozen is tidied up: {first:?}");
        assert_eq!(says(&mut governor, i64::from(generation) * 10 + 5, &night), [""; 0]);
        kept.push(format!("{governor:?}").len());
    }
    assert_eq!(kept[0], kept[299]);
}

#[test]
fn rules_are_read_from_a_file_and_a_wrong_one_says_what_to_write() {
    let rules = Rules::from_toml(
        r#"
        [[rule]]
        name = "slow answers"
        when = "accept-p99"
        above = 250
        samples = 20
        after_ms = 5000
        until_ms = 10000
        then = "cap"
        percent = 20
        reason = 9003

        [[rule]]
        name = "nobody can bet"
        when = "refused"
        kind = "price"
        above = 50
        then = "freeze-cash-out"
        reason = 7
        "#,
    )
    .expect("good rules");
    let rules: Vec<&Rule> = rules.iter().collect();
    assert_eq!(Some(rules[0]), Rules::default().iter().find(|rule| rule.reason == 9_003));
    assert_eq!(rules[1].when, When::Refused { kind: RefusedFor::Price, above: 50 });
    assert_eq!(Rules::from_toml("").expect("none"), Rules::none());

    let wrong = |fields: &str, text: &str| {
        let file = format!("[[rule]]\nname = \"x\"\nreason = 1\n{fields}");
        let e = Rules::from_toml(&file).expect_err("it cannot be gone by").to_string();
        assert!(e.contains(text), "{e}");
    };
    wrong("when = 'lag'\nthen = 'shed'", "rule `x`: when = \"lag\" needs a number: above");
    wrong("when = 'lags'\nabove = 1\nthen = 'shed'", "write primary-down, trouble, feed-down");
    wrong("when = 'feed-down'\nthen = 'cap'", "needs percent");
    wrong("when = 'feed-down'\nabove = 3\nthen = 'freeze-cash-out'", "above says nothing here");
    wrong("when = 'feed-down'\nthen = 'switch-feed'", "when = \"primary-down\"");
    wrong("when = 'feed-down'\nthen = 'cap'\npercent = 100", "caps nothing");
    wrong("when = 'trouble'\nabove = 1\nthen = 'cap'\npercent = 5", "cap them by feed or market");
    wrong("when = 'bet-rate'\nabove = 1\nthen = 'shed'", "shed with lag or ring");
    wrong("when = 'refused'\nkind = 'x'\nabove = 1\nthen = 'shed'", "write one of price, feed");
    wrong("when = 'ring'\nabove = 101\nthen = 'shed'", "at most 100");
    wrong("when = 'ring'\nabove = 1\nafter_ms = 3600001\nthen = 'shed'", "at most an hour");
    wrong("when = 'ring'\nabowe = 1\nthen = 'shed'", "unknown field `abowe`");
}

/// An engine with a group of two feeds that are up, one market of it, and a bet that could be sold.
struct Night {
    table: Table,
    primary: Feed,
    backup: Feed,
    group: Group,
    market: Market,
    bet: BetId,
}

const BOUND: Nanos = Nanos::from_millis(400);

impl Night {
    fn open(config: Config) -> Night {
        let mut table = table::set(config);
        let now = table.engine.now();
        let up = |name: &str| {
            let mut feed = table.engine.feed(name, BOUND).expect("defined");
            feed.recovered(now).map(drop).expect("taken");
            feed.settle(SECOND).expect("answered");
            feed
        };
        let (mut primary, mut backup) = (up("primary"), up("backup"));
        let group = table.trader.define_group("ENG", primary.id(), backup.id()).expect("defined");
        let terms = MarketTerms::new("WAL-IRL", ["Wales", "Ireland"]).group(group);
        let market = table.trader.define(terms).expect("defined");
        let prices =
            [(SelectionIndex(0), Some(price!(2.00))), (SelectionIndex(1), Some(price!(2.00)))];
        for feed in [&mut primary, &mut backup] {
            feed.prices(&market, &prices, now).map(drop).expect("taken");
            feed.settle(SECOND).expect("answered");
            assert_eq!(feed.refused(), (0, None));
        }
        table.trader.open_market(&market).expect("open");
        let place = Place::single(table.account, market.selection("Wales"), money!(500.00));
        let ticket = table.client.try_submit(place.any_price().key(key(50))).expect("taken");
        let Outcome::Accepted(bet) = table.client.wait(ticket, SECOND) else { panic!("accepted") };
        Night { table, primary, backup, group, market, bet: bet.id }
    }

    fn cash_out(&mut self, n: u128) -> Outcome {
        let ask = CashOut::new(self.table.account, self.bet).part(money!(0.10)).any_value();
        let ticket = self.table.client.try_submit(ask.key(key(n))).expect("taken");
        self.table.client.wait(ticket, SECOND)
    }
}

fn acts(deeds: &[governor::Deed]) -> Vec<(What, Act)> {
    deeds.iter().map(|deed| (deed.what, deed.action.act)).collect()
}

#[test]
fn at_work_it_freezes_switches_and_releases_by_sequenced_commands_with_reasons() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let mut night = Night::open(small(&dir, Layout::Inline).clock(clock.clone()));
    let mut governor = night.table.engine.governor(Rules::default()).expect("registered");
    let mut events = night.table.engine.events();
    // Time goes by in steps; the primary is silent from a moment on, the backup never.
    let mut all: Vec<(i64, What, Act)> = Vec::new();
    let start = clock.now();
    let mut play = |night: &mut Night, all: &mut Vec<_>, from: i64, to: i64, primary: bool| {
        for step in (from..to).step_by(50) {
            clock.set(start.plus(Nanos::from_millis(step)));
            if primary {
                night.primary.heartbeat(clock.now()).map(drop).expect("taken");
            }
            night.backup.heartbeat(clock.now()).map(drop).expect("taken");
            night.table.engine.run_until_idle().expect("turns");
            for (what, act) in acts(&governor.turn(clock.now()).expect("open")) {
                all.push((step, what, act));
            }
            night.table.engine.run_until_idle().expect("turns");
        }
    };
    play(&mut night, &mut all, 0, 1_000, true);
    let group = Subject::Group(night.group.id);
    let freeze = |frozen| Act::FreezeCashOut { at: group, frozen };
    assert_eq!(all, [], "all is well");
    assert!(matches!(night.cash_out(60), Outcome::Done(_)));
    play(&mut night, &mut all, 1_000, 6_000, false);
    let to = Act::SwitchFeed { group: night.group.id, to: Drives::Backup };
    let sent: Vec<_> = all.iter().filter(|(_, what, _)| *what == What::Sent).collect();
    // Silent for longer than its 400 ms since 950; two seconds later the backup drives.
    assert_eq!(
        sent,
        [
            &(1_400, What::Sent, freeze(true)),
            &(3_400, What::Sent, to),
            &(5_450, What::Sent, freeze(false)),
        ],
    );
    assert!(all.iter().all(|(_, what, _)| matches!(what, What::Sent | What::Done)), "{all:?}");
    let groups = night.table.engine.health().groups;
    assert_eq!(groups[0].drives, Drives::Backup);
    assert_eq!(groups[0].to_string(), "group G1: F1 with F2 behind it, driven by its Backup");
    let mut told = Vec::new();
    while let Ok(Some(occurrence)) = events.next() {
        match occurrence.event {
            Event::CashOutFrozen(e) => told.push(("frozen", e.owner, e.frozen)),
            Event::FeedSwitched(e) => told.push(("switched", 0, e.to)),
            _ => (),
        }
    }
    let owner = Owner::Governor as u8;
    assert_eq!(
        told[told.len() - 3..],
        [("frozen", owner, 1), ("switched", 0, Drives::Backup as u8), ("frozen", owner, 0)]
    );
    let _ = &night.market;
}

/// Rules that shed while more sequences than none wait for the disk.
fn sheds_at_once() -> Rules {
    let (when, then) = (When::Lag { above: 0 }, Then::Shed);
    let (after, until) = (Nanos::ZERO, Nanos::ZERO);
    let name = "behind".to_owned();
    Rules::new([Rule { name, when, after, until, then, reason: 77 }]).expect("good")
}

/// Every word of shedding in a journal: who said it, why, and what.
fn words_of_shedding(path: &std::path::Path) -> Vec<(String, u32, Option<Shed>)> {
    use betring::logic::command::{Command, decode};
    let mut words = Vec::new();
    let mut each = |_: Stamp, command: &[u8], events: &[u8], state: &State| {
        if let Ok((header, Command::SetShedding(body))) = decode(command) {
            let who = state.actor_name(ActorId(header.account)).expect("an actor").to_owned();
            words.push((who, body.reason, state.shedding().mode));
            assert!(!events.is_empty() && state.shedding().by == ActorId(header.account));
        }
    };
    replay_with(HouseRules, path, &mut |_| {}, &mut each).expect("the same again");
    words
}

#[test]
fn a_governor_sheds_by_a_record_of_its_own_and_the_doors_go_by_it() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let mut night = Night::open(small(&dir, Layout::Inline).clock(clock.clone()));
    let mut governor = night.table.engine.governor(sheds_at_once()).expect("registered");
    night.table.engine.run_until_idle().expect("turns");
    governor.turn(clock.now()).expect("open");
    assert!(matches!(night.cash_out(60), Outcome::Done(_)));
    // A turn decides, and nothing is durable yet.
    let mut fast = night.table.engine.client_at(4, Level::AppliedOnlyMayVanish).expect("a seat");
    fast.try_submit(bet(night.table.account, &night.market, 61)).map(drop).expect("taken");
    night.table.engine.turn().expect("a turn");
    assert!(0 < night.table.engine.health().lag);
    let on = Act::Shed(Some(Shed::On));
    assert_eq!(acts(&governor.turn(clock.now()).expect("open")), [(What::Sent, on)]);
    assert_eq!(night.table.engine.shedding(), Shed::Auto, "it is only asked for");
    night.table.engine.run_until_idle().expect("turns");
    assert_eq!(night.table.engine.shedding(), Shed::On);
    let ask = CashOut::new(night.table.account, night.bet).part(money!(0.10)).any_value();
    let refused = night.table.client.try_submit(ask.key(key(62))).map(drop);
    assert!(matches!(refused, Err(NotTaken::Overloaded(busy)) if busy.why == BusyWhy::CashOut));
    // All is durable: the governor gives it back, and who was refused is let in.
    let back = Act::Shed(None);
    let deeds = acts(&governor.turn(clock.now()).expect("open"));
    assert_eq!(deeds, [(What::Done, on), (What::Sent, back)]);
    night.table.engine.run_until_idle().expect("turns");
    assert_eq!(night.table.engine.shedding(), Shed::Auto);
    assert_eq!(acts(&governor.turn(clock.now()).expect("open")), [(What::Done, back)]);
    clock.advance(Nanos::from_millis(20));
    assert!(matches!(night.cash_out(62), Outcome::Done(_)), "under the same key");

    let path = night.table.engine.path().expect("a directory").to_owned();
    drop((governor, night, fast));
    let governor = || "governor".to_owned();
    assert_eq!(
        words_of_shedding(&path),
        [(governor(), 77, Some(Shed::On)), (governor(), 77, None)],
    );
}

#[test]
fn what_was_said_of_shedding_outlives_a_restart_and_a_governor_undoes_only_its_own() {
    let dir = dir();
    let config = || small(&dir, Layout::OneThread);
    let mut table = table::set(config());
    table.trader.set_shedding(Shed::On).expect("said");
    assert_eq!(table.engine.shedding(), Shed::On);
    drop(table);

    // The configuration of the next run says otherwise, and is not asked.
    let never = Intake::new().shed(Shed::Off);
    let engine = Engine::open(config().intake(never)).expect("opened");
    assert_eq!(engine.shedding(), Shed::On);
    let mut client = engine.client(4).expect("a seat");
    let sold = CashOut::new(AccountId::new(0, 1), BetId::new(0, 1)).any_value().key(key(90));
    let refused = client.try_submit(sold).map(drop);
    assert!(matches!(refused, Err(NotTaken::Overloaded(busy)) if busy.why == BusyWhy::CashOut));
    // It is a trader's word: no governor undoes it.
    let mut governor = engine.governor(Rules::default()).expect("registered");
    let deeds = governor.turn(engine.now()).expect("open");
    assert!(deeds.iter().all(|deed| !matches!(deed.action.act, Act::Shed(_))), "{deeds:?}");
    // A governor's own word, which its end leaves behind.
    let mut own = engine.control("governor").expect("registered");
    own.set_shedding(Shed::On).expect("said");
    drop((governor, own, client));
    engine.snapshot().expect("made");
    engine.shutdown().expect("in order");

    let engine = Engine::open(config().intake(never)).expect("opened");
    assert!(engine.recovered().snapshot.is_some());
    assert_eq!(engine.shedding(), Shed::On);
    let mut governor = engine.governor(Rules::default()).expect("registered");
    let (mut done, back) = (Vec::new(), (What::Done, Act::Shed(None)));
    let deadline = Instant::now() + SECOND;
    while !done.contains(&back) {
        done.extend(acts(&governor.turn(engine.now()).expect("open")));
        assert!(Instant::now() < deadline, "{done:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(engine.shedding(), Shed::Off, "as the configuration says, again");
    engine.shutdown().expect("in order");
    let engine = Engine::open(config()).expect("opened");
    assert_eq!(engine.shedding(), Shed::Auto, "of another configuration, too");
}

/// So often, 390 ms apart, both feeds are heard and the governor looks; what it did.
fn goes_on(
    night: &mut Night,
    clock: &Clock,
    task: &mut GovernorTask,
    times: usize,
) -> Vec<(What, Act)> {
    let mut all = Vec::new();
    for _ in 0..times {
        for feed in [&mut night.primary, &mut night.backup] {
            feed.heartbeat(clock.now()).map(drop).expect("taken");
        }
        night.table.engine.run_until_idle().expect("turns");
        all.extend(acts(&task.turn(clock.now()).expect("open")));
        night.table.engine.run_until_idle().expect("turns");
        all.extend(acts(&task.turn(clock.now()).expect("open")));
        clock.advance(Nanos::from_millis(390));
    }
    all.retain(|(what, _)| *what != What::Sent);
    all
}

#[test]
fn a_market_that_drifted_and_is_over_does_not_hold_up_the_cash_outs_of_its_group() {
    for closed in [false, true] {
        let dir = dir();
        let clock = Clock::manual(Timestamp(1_000_000_000_000));
        let mut night = Night::open(small(&dir, Layout::Inline).clock(clock.clone()));
        let mut task = night.table.engine.governor(Rules::default()).expect("registered");
        let at = Subject::Group(night.group.id);
        let freeze = |frozen| (What::Done, Act::FreezeCashOut { at, frozen });
        assert_eq!(goes_on(&mut night, &clock, &mut task, 2), [], "all is well");
        let tier = TierTerms::new().drift(20_000, Nanos::from_secs(60));
        night.table.trader.set_tier(1, tier).expect("set");
        night.table.trader.assign_tier(&night.market, 1).expect("assigned");
        let price = [(SelectionIndex(0), Some(price!(1.20)))];
        night.primary.prices(&night.market, &price, clock.now()).map(drop).expect("taken");
        assert_eq!(goes_on(&mut night, &clock, &mut task, 2), [freeze(true)]);
        assert_eq!(night.table.engine.health().groups[0].drifting, 1);
        assert_eq!(goes_on(&mut night, &clock, &mut task, 20), [], "for as long as it lasts");
        // No feed speaks of this market any more.
        if closed {
            night.table.trader.close_market(&night.market).expect("closed");
        } else {
            let results = [SelectionOutcome::Win, SelectionOutcome::Lose];
            night.table.trader.result(&night.market, results).expect("settling");
        }
        assert_eq!(night.table.engine.health().groups[0].drifting, 0);
        assert_eq!(
            goes_on(&mut night, &clock, &mut task, 10),
            [freeze(false)],
            "two seconds later"
        );
        if !closed {
            // The result is taken back: it drifts again, and counts once it is open.
            night.table.trader.rollback_result(&night.market, None).expect("taken back");
            assert_eq!(night.table.engine.health().groups[0].drifting, 0);
        }
        night.table.trader.open_market(&night.market).expect("open");
        assert_eq!(goes_on(&mut night, &clock, &mut task, 2), [freeze(true)]);
    }
}

#[test]
fn a_later_run_counts_the_open_markets_that_drift() {
    let dir = dir();
    let config = || small(&dir, Layout::OneThread);
    let mut night = Night::open(config());
    let tier = TierTerms::new().drift(20_000, Nanos::from_secs(60));
    night.table.trader.set_tier(1, tier).expect("set");
    night.table.trader.assign_tier(&night.market, 1).expect("assigned");
    let price = [(SelectionIndex(0), Some(price!(1.20)))];
    night.primary.prices(&night.market, &price, Timestamp(0)).map(drop).expect("taken");
    night.primary.settle(SECOND).expect("answered");
    let Night { mut table, market, .. } = night;
    let drifting = |engine: &Engine| engine.health().groups[0].drifting;
    assert_eq!(drifting(&table.engine), 1);
    // Whether its cash-outs are frozen is another matter.
    table.trader.freeze_cash_out(&market, Owner::Governor).expect("frozen");
    assert_eq!(drifting(&table.engine), 1);
    let Table { engine, .. } = table;
    engine.shutdown().expect("in order");
    let engine = Engine::open(config()).expect("opened");
    assert_eq!(drifting(&engine), 1);
    engine.control("trader:anna").expect("a seat").close_market(&market).expect("closed");
    assert_eq!(drifting(&engine), 0);
    engine.shutdown().expect("in order");
    assert_eq!(drifting(&Engine::open(config()).expect("opened")), 0);
}

#[test]
fn at_work_it_switches_back_what_it_switched_and_not_what_a_trader_has_switched_since() {
    // A trader switches there and back, seen or not by the governor in between.
    for trader in [None, Some(true), Some(false)] {
        let dir = dir();
        let clock = Clock::manual(Timestamp(1_000_000_000_000));
        let mut night = Night::open(small(&dir, Layout::Inline).clock(clock.clone()));
        let when = When::PrimaryDown;
        let (after, until, name) = (Nanos::ZERO, Nanos::ZERO, "backup".to_owned());
        let rule = Rule { name, when, after, until, then: Then::SwitchFeed, reason: 9_002 };
        let rules = Rules::new([rule]).expect("good");
        let mut task = night.table.engine.governor(rules).expect("registered");
        let switch = |to| Act::SwitchFeed { group: night.group.id, to };
        let (there, back) = (switch(Drives::Backup), switch(Drives::Primary));
        clock.advance(Nanos::from_millis(300));
        night.backup.heartbeat(clock.now()).map(drop).expect("taken");
        night.table.engine.run_until_idle().expect("turns");
        // The primary is silent for longer than its 400 ms.
        clock.advance(Nanos::from_millis(200));
        assert_eq!(acts(&task.turn(clock.now()).expect("open")), [(What::Sent, there)]);
        night.table.engine.run_until_idle().expect("turns");
        assert_eq!(acts(&task.turn(clock.now()).expect("open")), [(What::Done, there)]);
        if let Some(seen) = trader {
            for to in [Drives::Primary, Drives::Backup] {
                night.table.trader.switch_feed(night.group, to).expect("switched");
                if seen {
                    assert_eq!(acts(&task.turn(clock.now()).expect("open")), []);
                }
            }
        }
        night.primary.heartbeat(clock.now()).map(drop).expect("taken");
        night.primary.recovered(clock.now()).map(drop).expect("taken");
        let all = goes_on(&mut night, &clock, &mut task, 4);
        let (done, drives) = match trader {
            None => (vec![(What::Done, back)], Drives::Primary),
            Some(_) => (vec![], Drives::Backup),
        };
        assert_eq!(all, done);
        assert_eq!(night.table.engine.health().groups[0].drives, drives);
    }
}

/// One bet on the table's market whose customer waits for 300 ms.
fn bets_slowly(table: &mut Table, clock: &Clock, n: u128) {
    let place = bet(table.account, &table.market, n);
    let ticket = table.client.try_submit(place).expect("taken");
    clock.advance(Nanos::from_millis(300));
    table.engine.run_until_idle().expect("turns");
    let answer = table.client.wait(ticket, SECOND);
    assert!(matches!(answer, Outcome::Accepted(_)), "{answer}");
}

/// A cap and a freeze are asked for, and taken back; nothing of it is decided before its time is over.
#[test]
fn after_a_stall_what_was_taken_back_meanwhile_is_not_done() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let mut table = table::set(small(&dir, Layout::Inline).clock(clock.clone()));
    let rules =
        [slow("cap", 250, Then::Cap { percent: 20 }), slow("freeze", 250, Then::FreezeCashOut)];
    let rules = Rules::new(rules).expect("good");
    let mut task = table.engine.governor(rules).expect("registered");
    let mut turn = |clock: &Clock| acts(&task.turn(clock.now()).expect("open"));
    turn(&clock);
    bets_slowly(&mut table, &clock, 50);
    let market = table.market.id();
    let set = |percent| Act::SetStakeFactor { scope: StakeScope::Market(market), percent };
    let freeze = |frozen| Act::FreezeCashOut { at: Subject::Market(market), frozen };
    clock.advance(Nanos::from_secs(1));
    assert_eq!(turn(&clock), [(What::Sent, freeze(true)), (What::Sent, set(20))]);
    clock.advance(Nanos::from_secs(1));
    assert_eq!(turn(&clock), [(What::Sent, set(100)), (What::Sent, freeze(false))]);
    clock.advance(Nanos::from_secs(3_600));
    table.engine.run_until_idle().expect("turns");
    assert_eq!(
        turn(&clock),
        [
            (What::Superseded, freeze(true)),
            (What::Superseded, set(20)),
            (What::Waits, set(100)),
            (What::Waits, freeze(false)),
            (What::Withdrawn, set(100)),
            (What::Sent, freeze(false)),
        ]
    );
    table.engine.run_until_idle().expect("turns");
    assert_eq!(turn(&clock), [(What::Done, freeze(false))]);
    assert_eq!(table.engine.market_health(market).expect("there").stake_factor, 100);
    let ask = CashOut::new(table.account, BetId::new(0, 1)).any_value();
    let ticket = table.client.try_submit(ask.key(key(60))).expect("taken");
    let sold = table.client.wait(ticket, SECOND);
    assert!(matches!(sold, Outcome::Done(_)), "{sold}");
}

/// What is still wanted after a stall is asked for again, first what closes something.
#[test]
fn after_a_stall_what_is_still_wanted_is_done_in_its_order() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let mut table = table::set(small(&dir, Layout::Inline).clock(clock.clone()));
    let until = Nanos::from_secs(3_600);
    let rules = [Then::Cap { percent: 20 }, Then::FreezeCashOut]
        .map(|then| Rule { until, ..slow("slow", 250, then) });
    let rules = Rules::new(rules).expect("good");
    let mut task = table.engine.governor(rules).expect("registered");
    let mut turn = |clock: &Clock| acts(&task.turn(clock.now()).expect("open"));
    turn(&clock);
    bets_slowly(&mut table, &clock, 50);
    let market = table.market.id();
    let set = Act::SetStakeFactor { scope: StakeScope::Market(market), percent: 20 };
    let freeze = Act::FreezeCashOut { at: Subject::Market(market), frozen: true };
    clock.advance(Nanos::from_secs(1));
    assert_eq!(turn(&clock), [(What::Sent, freeze), (What::Sent, set)]);
    clock.advance(Nanos::from_secs(600));
    table.engine.run_until_idle().expect("turns");
    let again = [What::Waits, What::Sent].map(|what| [(what, freeze), (what, set)]);
    assert_eq!(turn(&clock), again.concat());
    table.engine.run_until_idle().expect("turns");
    assert_eq!(turn(&clock), [(What::Done, freeze), (What::Done, set)]);
}

/// An inline engine with small rings, a feed that can fill the control ring, and a governor of one rule
/// that holds while the bet ring is fuller than a tenth.
struct Rush {
    table: Table,
    feed: Feed,
    task: GovernorTask,
    keys: u128,
}

impl Rush {
    fn begin(dir: &tempfile::TempDir, then: Then) -> Rush {
        let table = table::set(small(dir, Layout::Inline).bet_ring(256));
        let feed = table.engine.feed("y", Nanos::from_secs(100)).expect("defined");
        let rule = Rule { when: When::Ring { above: 10 }, ..slow("ring", 0, then) };
        let rules = Rules::new([rule]).expect("good");
        let mut task = table.engine.governor(rules).expect("registered");
        task.turn(table.engine.now()).expect("open");
        Rush { table, feed, task, keys: 100 }
    }

    fn turn(&mut self) -> Vec<(What, Act)> {
        acts(&self.task.turn(self.table.engine.now()).expect("open"))
    }

    /// Forty bets wait.
    fn fills_the_bet_ring(&mut self) {
        for _ in 0..40 {
            self.keys += 1;
            let place = bet(self.table.account, &self.table.market, self.keys);
            self.table.client.try_submit(place).map(drop).expect("taken");
        }
    }

    fn fills_the_control_ring(&mut self) {
        while self.feed.heartbeat(Timestamp(0)).is_ok() {}
    }

    /// Everything that waits is decided.
    fn decides(&mut self) {
        self.table.engine.run_until_idle().expect("turns");
        let mut replies = [Reply::default(); 64];
        while self.table.client.poll(&mut replies) != 0 {}
        self.feed.settle(SECOND).expect("answered");
    }

    /// So often it looks, and whatever it wants is decided; what it did.
    fn goes_on(&mut self, times: usize) -> Vec<(What, Act)> {
        let mut all = Vec::new();
        for _ in 0..times {
            all.extend(self.turn());
            self.decides();
        }
        all
    }
}

#[test]
fn at_work_shedding_that_waits_for_the_ring_gives_way_to_a_traders_word() {
    let (on, back) = (Act::Shed(Some(Shed::On)), Act::Shed(None));
    for still_behind in [false, true] {
        let dir = dir();
        let mut rush = Rush::begin(&dir, Then::Shed);
        // Once there and back.
        rush.fills_the_bet_ring();
        assert_eq!(rush.goes_on(1), [(What::Sent, on)]);
        let all = [(What::Done, on), (What::Sent, back), (What::Done, back)];
        assert_eq!(rush.goes_on(3), all);
        // Again, and there is no room for its word before a trader's.
        rush.fills_the_bet_ring();
        rush.fills_the_control_ring();
        assert_eq!(rush.turn(), []);
        rush.decides();
        rush.table.trader.set_shedding(Shed::Off).expect("said");
        if still_behind {
            rush.fills_the_bet_ring();
        }
        assert_eq!(rush.turn(), [(What::Withdrawn, on)]);
        assert_eq!(rush.goes_on(20), []);
        assert_eq!(rush.table.engine.shedding(), Shed::Off);
    }
}

#[test]
fn at_work_a_cap_that_waits_for_the_ring_gives_way_to_a_traders_word() {
    let dir = dir();
    let mut rush = Rush::begin(&dir, Then::Cap { percent: 20 });
    let cap = |percent| Act::SetStakeFactor { scope: StakeScope::Engine, percent };
    rush.fills_the_bet_ring();
    rush.fills_the_control_ring();
    assert_eq!(rush.turn(), []);
    rush.decides();
    rush.table.trader.set_stake_factor(StakeScope::Engine, 50).expect("set");
    assert_eq!(rush.turn(), [(What::Withdrawn, cap(20))]);
    assert_eq!(rush.goes_on(20), []);
    assert_eq!(rush.task.seen().stake_factor, 50);
    // And one whose rule has left before there was room is not sent.
    rush.fills_the_bet_ring();
    rush.fills_the_control_ring();
    assert_eq!(rush.turn(), []);
    rush.decides();
    assert_eq!(rush.goes_on(3), [(What::Withdrawn, cap(10))]);
    assert_eq!(rush.task.seen().stake_factor, 50);
}

/// A market's instruments are read once a second, its stake factor with every answer.
#[test]
fn at_work_a_cap_that_was_decided_is_not_taken_for_somebody_elses() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let mut table = table::set(small(&dir, Layout::Inline).clock(clock.clone()));
    let rules = Rules::new([slow("cap", 250, Then::Cap { percent: 20 })]).expect("good");
    let mut task = table.engine.governor(rules).expect("registered");
    task.turn(clock.now()).expect("open");
    bets_slowly(&mut table, &clock, 50);
    let market = table.market.id();
    let mut all = Vec::new();
    for _ in 0..1_000 {
        all.extend(acts(&task.turn(clock.now()).expect("open")));
        table.engine.run_until_idle().expect("turns");
        clock.advance(Nanos::from_millis(5));
    }
    let set = |percent| Act::SetStakeFactor { scope: StakeScope::Market(market), percent };
    let done = |percent| [(What::Sent, set(percent)), (What::Done, set(percent))];
    assert_eq!(all, [done(20), done(100)].concat());
}

/// One run freezes, in the next the rules freeze something else, or nothing.
#[test]
fn at_work_what_an_earlier_run_has_frozen_is_released_and_nothing_else_is_asked_for() {
    let dir = dir();
    let config = || small(&dir, Layout::OneThread);
    let night = Night::open(config());
    let Night { mut table, group, market, primary, backup, .. } = night;
    let others = table.trader.define_market("other", ["Home", "Away"]).expect("defined");
    let scopes = [
        Scope::Engine,
        Scope::Group(group.id),
        Scope::Feed(primary.id()),
        Scope::Market(market.id()),
    ];
    for scope in scopes {
        table.trader.freeze_cash_out(scope, Owner::Governor).expect("frozen");
    }
    // A trader's freeze is nobody else's to release.
    table.trader.freeze_cash_out(Scope::Market(others.id()), Owner::Trader).expect("frozen");
    let group = Subject::Group(group.id);
    let all = [group, Subject::Feed(primary.id()), Subject::Market(market.id()), Subject::Engine];
    let released = |engine: &Engine, dry: bool| {
        let task = engine.governor(Rules::none()).expect("registered");
        let mut task = if dry { task.dry_run() } else { task };
        let (mut released, start) = (std::collections::BTreeSet::new(), engine.now());
        // Markets are shown from the second beat on.
        for turn in 0..300 {
            for deed in task.turn(start.plus(Nanos::from_millis(turn * 5))).expect("open") {
                let Act::FreezeCashOut { at, frozen: false } = deed.action.act else {
                    panic!("{deed}");
                };
                released.insert(at);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        released
    };
    let none = std::collections::BTreeSet::new();
    assert_eq!(released(&table.engine, true), all.into(), "another governor of the same run");
    let Table { engine, trader, client, .. } = table;
    drop((trader, client, primary, backup));
    engine.shutdown().expect("in order");
    let engine = Engine::open(config()).expect("opened");
    assert_eq!(released(&engine, true), all.into());
    assert_eq!(released(&engine, false), all.into());
    assert_eq!(released(&engine, false), none);
    engine.shutdown().expect("in order");
    assert_eq!(released(&Engine::open(config()).expect("opened"), false), none);
}

/// Late heartbeats, and such as say a time that nobody believes, confirm no price. But the feed is not silent.
#[test]
fn a_feed_whose_heartbeats_are_late_is_as_much_up_in_health_as_it_is_for_a_bet() {
    let ahead = Nanos::from_secs(3_600);
    for late in [true, false] {
        let dir = dir();
        let clock = Clock::manual(Timestamp(1_000_000_000_000));
        let mut table = table::set(small(&dir, Layout::Inline).clock(clock.clone()));
        let (silence, delay) = (Nanos::from_millis(300), Nanos::from_millis(50));
        let mut feed = table.engine.feed_with("x", silence, delay).expect("defined");
        let terms = MarketTerms::new("cup", ["England", "Draw"]).feed(feed.id());
        let terms = terms.age_bound(Nanos::from_secs(3_600));
        let market = table.trader.define(terms).expect("defined");
        table.trader.open_market(&market).expect("open");
        feed.recovered(clock.now()).map(drop).expect("taken");
        let prices = [(SelectionIndex(0), Some(price!(2.50)))];
        feed.prices(&market, &prices, clock.now()).map(drop).expect("taken");
        feed.settle(SECOND).expect("answered");
        for n in 0..16 {
            clock.advance(Nanos::from_millis(50));
            let now = clock.now();
            let said = match late {
                true => Timestamp(now.0 - Nanos::from_secs(1).0),
                // No two of them agree.
                false => now.plus(Nanos(ahead.0 * (n + 1))),
            };
            feed.heartbeat(said).map(drop).expect("taken");
            feed.settle(SECOND).expect("answered");
        }
        let health = table.engine.health();
        let seen = health.feeds.iter().find(|seen| seen.id == feed.id()).expect("it is defined");
        assert!(seen.is_up, "{seen}");
        assert_eq!(seen.silent_for, Nanos::ZERO);
        let place = Place::single(table.account, market.selection("England"), money!(1.00));
        let ticket = table.client.try_submit(place.any_price().key(key(60))).expect("taken");
        let answer = table.client.wait(ticket, SECOND);
        assert!(
            !matches!(&answer, Outcome::Refused(no) if no.reject == Reject::FeedDown),
            "{answer}"
        );
        // Silence ends both.
        clock.advance(Nanos::from_millis(301));
        let health = table.engine.health();
        let seen = health.feeds.iter().find(|seen| seen.id == feed.id()).expect("it is defined");
        assert!(!seen.is_up, "{seen}");
        let place = Place::single(table.account, market.selection("England"), money!(1.00));
        let ticket = table.client.try_submit(place.any_price().key(key(61))).expect("taken");
        let answer = table.client.wait(ticket, SECOND);
        assert!(
            matches!(&answer, Outcome::Refused(no) if no.reject == Reject::FeedDown),
            "{answer}"
        );
    }
}

/// More markets than a ring has slots, and all of them at once: none is forgotten.
#[test]
fn what_a_governor_wants_of_thousands_of_markets_is_done_in_all_of_them() {
    let dir = dir();
    let clock = Clock::manual(Timestamp(1_000_000_000_000));
    let many = Capacities { markets: 1 << 13, selections: 1 << 14, ..capacities() };
    let config = small(&dir, Layout::Inline).clock(clock.clone()).capacities(many);
    let mut table = table::set(config);
    for n in 1..4_200 {
        table.trader.define_market(&format!("m{n}"), ["Home", "Away"]).expect("defined");
    }
    // All but the table's own were never priced.
    let when = When::PriceAge { above: Nanos::from_secs(500) };
    let rule = Rule { when, ..slow("old", 0, Then::FreezeCashOut) };
    let mut task = table.engine.governor(Rules::new([rule]).expect("good")).expect("registered");
    task.turn(clock.now()).expect("open");
    clock.advance(Nanos::from_secs(1));
    let (mut all, mut idle) = (Vec::new(), 0);
    while idle < 3 {
        let deeds = acts(&task.turn(clock.now()).expect("open"));
        table.engine.run_until_idle().expect("turns");
        idle = if deeds.is_empty() { idle + 1 } else { 0 };
        all.extend(deeds);
    }
    let done = all.iter().filter(|(what, _)| *what == What::Done).count();
    assert_eq!((done, all.len()), (4_199, 8_398), "each is sent and done");
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let dir = dir();
    let mut night = Night::open(small(&dir, Layout::OneThread));
    let rules = Rules::default();
    let mut governor = night.table.engine.governor(rules).expect("registered").dry_run();
    assert_eq!(governor.to_string(), "governor of 4 rules, dry");
    governor.turn(night.table.engine.now()).expect("open");
    night.primary.lost_connection(Timestamp(0)).map(drop).expect("taken");
    night.primary.settle(SECOND).expect("answered");
    let before = night.table.engine.watch().decided();
    let deeds = governor.turn(night.table.engine.now()).expect("open");
    let group = Subject::Group(night.group.id);
    assert_eq!(acts(&deeds), [(What::Dry, Act::FreezeCashOut { at: group, frozen: true })]);
    assert!(
        deeds[0].to_string().contains("would have been done: governor freezes cash-outs of G1")
    );
    assert_eq!(night.table.engine.watch().decided(), before);

    let mut governor = night.table.engine.governor(Rules::none()).expect("registered").dry_run();
    night
        .table
        .engine
        .control("governor")
        .expect("registered")
        .set_shedding(Shed::On)
        .expect("said");
    let before = night.table.engine.watch().decided();
    let deeds = governor.turn(night.table.engine.now()).expect("open");
    assert_eq!(acts(&deeds), [(What::Dry, Act::Shed(None))]);
    assert_eq!(night.table.engine.watch().decided(), before);
    assert_eq!(night.table.engine.shedding(), Shed::On);
}

/// From the message that says that something is wrong until cash-outs of the group are refused for the
/// governor's sake: at most 50 ms, of which a turn of the governor's is 5.
#[test]
fn cash_outs_are_closed_within_50_ms_of_whatever_is_wrong() {
    let dir = dir();
    let mut night = Night::open(small(&dir, Layout::OneThread));
    let mut governor = night.table.engine.governor(Rules::default()).expect("registered");
    governor.turn(night.table.engine.now()).expect("open");
    // Too many of its messages cannot be read: the engine itself sees nothing wrong with that.
    for _ in 0..300 {
        night.primary.heartbeat(Timestamp(0)).map(drop).expect("taken");
        night.primary.settle(SECOND).expect("answered");
    }
    assert!(matches!(night.cash_out(60), Outcome::Done(_)));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let took = std::thread::scope(|scope| {
        let run = scope.spawn(|| governor.run(&stop, |_| ()));
        let start = Instant::now();
        for _ in 0..30 {
            night.primary.parse_error(ParseError::UnknownField);
        }
        let mut n = 70;
        let took = loop {
            match night.cash_out(n) {
                Outcome::Refused(no) if no.reject == Reject::CashOutFrozen => {
                    break start.elapsed();
                }
                Outcome::Done(_) => n += 1,
                other => panic!("{other} after {:?}", start.elapsed()),
            }
            assert!(start.elapsed() < Duration::from_secs(20), "it is never closed");
        };
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        run.join().expect("no panic").expect("in order");
        took
    });
    println!("cash-outs were closed {took:?} after the parser failed");
    // The bound is for a machine that is not shared; here it is loose.
    assert!(took < Duration::from_secs(5), "{took:?}");
    let health = night.table.engine.health();
    let primary = health.feeds.iter().find(|feed| feed.id == night.primary.id());
    let counts = primary.expect("it is defined").counts;
    assert_eq!(counts.parse_errors[ParseError::UnknownField as usize].1, 30);
    assert!(5_000 < counts.error_ppm());
}
