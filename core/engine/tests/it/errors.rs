//! Every public error, word by word: an operator reads these at night.

use std::io;
use std::time::Duration;

use betring::*;

fn says(error: Error, text: &str) {
    assert_eq!(error.to_string(), text);
}

#[test]
fn configuration_that_cannot_work_says_what_to_write_instead() {
    let at = || Config::at("book");
    let bad = |config: Config, text: &str| {
        let error = Engine::open_on(journal::MemStore::new(), config, HouseRules, &mut |_| {});
        says(error.expect_err("it cannot work"), text);
    };
    bad(
        at().bet_ring(1000),
        "rings of 4096 and 1000 slots cannot work: give control_ring and bet_ring a power of two \
         from 256 to 4194304",
    );
    bad(at().clients(0, 64), "seats for 0 clients cannot work: give clients from 1 to 1024 seats");
    bad(
        at().clients(1, 100),
        "a credit of at most 100 cannot work: give clients a largest credit that is a power of two \
         from 64 to 65536",
    );
    bad(
        at().events(3),
        "an event ring of 3 places cannot work: give events a power of two from 64 to 16777216",
    );
    bad(
        at().outputs_level(Level::AppliedOnlyMayVanish),
        "outputs_level applied cannot work: events, prices and exposures are published from the \
         journal: use durable, or process if a power cut may take them back",
    );
    bad(
        at().segment_bytes(4096),
        "segments of 4096 bytes cannot work: give segment_bytes a multiple of 4096 from 1 MiB to 1 \
         GiB",
    );
    bad(at().segments_ahead(17), "17 segments ahead cannot work: keep at most 16 segments ready");
    bad(
        at().window(Nanos::from_secs(7_200)),
        "a window of 7200s cannot work: give window more than nothing and at most an hour",
    );
    bad(
        at().age_bound(Nanos(0)),
        "an age bound of 0ns cannot work: give age_bound more than nothing and at most a day",
    );
    bad(
        at().offer_ttl(Nanos(-1)),
        "offers that stand for -1ns cannot work: give offer_ttl more than nothing and at most a day",
    );
    bad(
        at().step_budget(65),
        "a step budget of 65 cannot work: give step_budget from 1 to 64 units",
    );
    bad(
        at().limits(Limits::default()),
        "limits that leave nothing, or more than can be counted cannot work: give limits from one \
         minor unit up, min_stake at most max_stake",
    );
    bad(
        at().capacities(Capacities::default()),
        "room for 0 accounts cannot work: give accounts from 1 to 1073741824",
    );
}

#[test]
fn capacities_for_which_there_is_no_memory_are_refused_before_anything_is_made() {
    let dir = crate::table::dir();
    let capacities = Capacities { bets: 1 << 30, keys: 1 << 30, ..crate::table::capacities() };
    let config = crate::table::small(&dir, Layout::Inline).capacities(capacities);
    let error = Engine::open(config).expect_err("too much").to_string();
    assert!(
        error.contains("ask for fewer keys") || error.contains("ask for fewer bets"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(dir.path().join("book")).expect("made").count(), 0);
}

#[test]
fn errors_of_the_world_say_what_where_and_what_to_do() {
    says(
        Error::NoSecret { source: io::Error::other("no entropy") },
        "the system gave no random bytes for the journal's secret: no entropy; give one with \
         Config::secret",
    );
    says(
        Error::Thread { name: "betring-loop", source: io::Error::other("too many") },
        "cannot start the thread betring-loop: too many; raise the limit on threads, or use \
         Layout::Inline",
    );
    says(
        Error::OtherLogic { epoch: Epoch(3), found: 2, expected: 1 },
        "epoch e3 of this journal was decided by version 2 of the logic, this program has version 1: \
         use the program that wrote it",
    );
    says(
        Error::OtherRules { epoch: Epoch(3), found: (7, 2), expected: (1, 1) },
        "epoch e3 of this journal was decided under rules 7 version 2, this program has rules 1 \
         version 1, and no snapshot stands for it: open it with the rules that it was written under, \
         make a snapshot, stop in order, and then change the rules",
    );
    says(
        Error::NotReproduced { seq: Seq(9), what: "it holds no command".into() },
        "sequence #9 cannot be reproduced: it holds no command; the journal was altered, or this \
         program decides otherwise than the one that wrote it; nothing was changed: run `betring \
         journal verify`, and use the program that wrote it",
    );
    says(
        Error::ReplayPanicked { seq: Seq(9), kind: "Step".into() },
        "replaying sequence #9, a Step, panicked: nothing was changed; use a program in which this \
         is repaired",
    );
    says(
        Error::PoisonPill { seq: Seq(9), kind: "Step".into(), file: "book/poison.cmd".into() },
        "an earlier run panicked in a Step which would have become sequence #9, and would again: use \
         a program in which this is repaired, then remove book/poison.cmd",
    );
    says(
        Error::PoisonFile { file: "book/poison.cmd".into(), what: "it is empty".into() },
        "book/poison.cmd should hold the command that stopped an earlier run, but it is empty: look \
         at it, then remove it",
    );
    says(
        Error::Poisoned { why: "the journal failed".into() },
        "the engine has stopped: the journal failed; what was not answered is unknown: open the \
         engine again and resolve it by its keys",
    );
    says(Error::Closed, "the engine is closed: open it again");
    says(
        Error::NoSeat { seats: 3 },
        "all 3 seats are taken: drop a client, or raise Config::clients",
    );
    says(
        Error::Credit { asked: 5_000, max: 4_096 },
        "a credit of 5000 cannot be given: ask for 1 to 4096, or raise Config::clients",
    );
    says(Error::NotInline, "this engine turns itself: only Layout::Inline is turned by its caller");
    says(
        Error::Behind { wanted: Seq(9), reached: Seq(7) },
        "the view has reached #7, not yet #9: give it more time, or see health() for why the journal \
         stands",
    );
    says(
        Error::PriceCount { market: "ENG-SCO 1X2 (M1)".into(), prices: 2, selections: 3 },
        "2 prices for the 3 selections of ENG-SCO 1X2 (M1): give one for each, or name the selections \
         with set_some",
    );
    says(
        Error::ResultCount { market: "ENG-SCO 1X2 (M1)".into(), results: 1, selections: 3 },
        "1 outcomes for the 3 selections of ENG-SCO 1X2 (M1): give one for each, those that lost too",
    );
    says(Error::ViewEnded { why: "damage".into() }, "the view has ended: damage");
    let request = Request { account: 1 << 32, key: key(5), valid_until: Timestamp(30_000_000_000) };
    says(
        Error::Unanswered { request, after: Duration::from_millis(250) },
        "no answer to request A1:k5, valid until 30.000000000s within 250ms: it may still be \
         decided; resolve it, or ask again with the same key and valid_until",
    );
    says(
        Error::NotTaken(NotTaken::Overloaded(Busy::RING_FULL)),
        "not taken: Overloaded: the ring is full; repeat with the same key after 5ms, with \
         jitter",
    );
    let answer = Answer::refused(Reject::MarketClosed, Seq(4));
    says(
        Error::Refused(Refusal { reject: Reject::MarketClosed, answer, duplicate: false }),
        "refused: MarketClosed: closed, settling or settled",
    );
    let place = String::from("book");
    says(
        Error::Journal(journal::Error::NotFound { place }),
        "there is no journal in book: check the directory's name",
    );
}

#[test]
fn what_was_not_taken_says_whether_to_try_again() {
    let says = |refused: NotTaken, reject, text| {
        assert_eq!(refused.to_string(), text);
        assert_eq!(refused.reject(), reject);
    };
    says(
        NotTaken::TooManyInFlight { credit: 64 },
        Some(Reject::TooManyInFlight),
        "TooManyInFlight: 64 attempts are unanswered, which is the client's credit; read its replies \
         before sending more",
    );
    says(
        NotTaken::Overloaded(Busy::RING_FULL),
        Some(Reject::Overloaded),
        "Overloaded: the ring is full; repeat with the same key after 5ms, with jitter",
    );
    let retry_after = Nanos::from_millis(20);
    says(
        NotTaken::Overloaded(Busy { why: BusyWhy::Shed, market: MarketId::new(6, 1), retry_after }),
        Some(Reject::Overloaded),
        "Overloaded: the engine is behind and this market is among the hottest (M7); repeat with the \
         same key after 20ms, with jitter",
    );
    says(
        NotTaken::RateLimited(Busy { why: BusyWhy::Session, market: MarketId::NONE, retry_after }),
        Some(Reject::RateLimited),
        "RateLimited: the session sends faster than it may; repeat with the same key after 20ms, with \
         jitter",
    );
    says(
        NotTaken::Malformed(Malformed::WrongRing),
        Some(Reject::Malformed),
        "Malformed: this command does not belong on this ring; asking again changes nothing",
    );
    says(
        NotTaken::Poisoned,
        None,
        "the engine has stopped because of a failure: see health(), then open it again",
    );
    says(NotTaken::Closed, None, "the engine is closed: open it again");
}

#[test]
fn a_reader_that_was_lapped_learns_where_the_journal_goes_on() {
    assert_eq!(
        Lapped { resume_after: Seq(5), ring_from: Seq(90) }.to_string(),
        "lapped: the events after #5 and before #90 are in the journal"
    );
}
