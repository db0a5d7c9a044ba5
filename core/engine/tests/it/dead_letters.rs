//! What is no command is put aside, whole, and can be looked at and asked again.

use crate::table::*;
use betring::dead_letters::{self, Reason};
use betring::*;

fn letters(dir: &tempfile::TempDir) -> dead_letters::Letters {
    dead_letters::open(dir.path().join("book")).expect("readable")
}

#[test]
fn raw_slots_that_are_no_command_are_refused_and_put_aside_as_they_came() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let before = table.engine.watch().decided();
    let now = table.client.now();
    let good = bet(table.account, &table.market, 5).slot(now);
    let spoiled = |at: usize, byte: u8| {
        let mut slot = good;
        slot.0[at] = byte;
        slot
    };
    for (slot, what) in [
        (spoiled(0, 99), Malformed::Kind),
        (spoiled(1, 2), Malformed::Version),
        (spoiled(2, 128), Malformed::Flags),
        (spoiled(116, 9), Malformed::PricePolicy),
        (spoiled(120, 1), Malformed::NotZero),
        (spoiled(0, 22), Malformed::WrongRing),
        (spoiled(4, 3), Malformed::Slots),
    ] {
        let refused = table.client.submit_batch(&[slot]).refused;
        assert_eq!(refused, Some(NotTaken::Malformed(what)));
    }
    let suspend =
        logic::wire::slot(logic::wire::Header::default(), &logic::command::Suspend::default());
    assert!(table.trader.try_submit(&[suspend]).is_err());
    assert!(table.trader.try_submit(&[good]).is_err(), "the other ring's");
    assert_eq!(table.engine.watch().decided(), before, "nothing of it was sequenced");

    let all = letters(&dir);
    assert_eq!((all.letters.len(), all.damaged, all.torn), (9, 0, 0));
    let first = &all.letters[0];
    assert_eq!(first.bytes, spoiled(0, 99).0, "as it came, without client and token of the facade");
    assert_eq!((first.reason, first.client), (Reason::UnknownKind, table.client.id()));
    assert!(now <= first.at && first.at <= table.client.now());
    assert_eq!(all.letters[1].reason, Reason::UnknownVersion);
    assert_eq!(all.letters[3].reason, Reason::Undecodable(Malformed::PricePolicy));
    let health = table.engine.health().dead_letters;
    assert_eq!((health.kept, health.dropped), (9, 0));
    // What is built here is answered, and is no dead letter.
    let none = Place::single(table.account, table.market.selection("England"), money!(1.00));
    let ticket = table.client.try_submit(none).expect("taken");
    assert!(matches!(table.client.wait(ticket, SECOND), Outcome::Refused(_)));
    assert_eq!(letters(&dir).letters.len(), 9);
}

#[test]
fn a_batch_ends_at_what_is_no_command_and_that_is_put_aside_once() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline).bet_ring(256).intake(Intake::open()));
    let mut client = table.engine.client(1024).expect("a seat");
    let now = client.now();
    let mut slots: Vec<_> =
        (0..300_u128).map(|n| bet(table.account, &table.market, 100 + n).slot(now)).collect();
    slots[290].0[116] = 9;
    // The ring has room for 56 of 90: what comes behind those is not looked at yet.
    assert_eq!(table.client.submit_batch(&slots[..200]).commands, 200);
    let done = client.submit_batch(&slots[200..]);
    assert_eq!(done.commands, 56);
    assert_eq!(done.refused, Some(NotTaken::Overloaded(Busy::RING_FULL)));
    assert_eq!(letters(&dir).letters.len(), 0);
    table.engine.run_until_idle().expect("turns");
    let done = client.submit_batch(&slots[256..]);
    assert_eq!(done.commands, 34);
    assert_eq!(done.refused, Some(NotTaken::Malformed(Malformed::PricePolicy)));
    assert_eq!(letters(&dir).letters.len(), 1);
    table.engine.run_until_idle().expect("turns");
    let market = table.engine.market_health(table.market.id()).expect("it is there");
    assert_eq!(market.door.in_flight, 0, "whoever was let in and did not fit has left again");
}

#[test]
fn a_letter_that_this_program_can_read_is_asked_again() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let good = bet(table.account, &table.market, 7).slot(table.client.now());
    // Sent to the wrong handle: it is a command, only not there.
    assert!(table.trader.try_submit(&[good]).is_err());
    let mut bad = good;
    bad.0[116] = 9;
    assert_eq!(table.client.submit_batch(&[bad]).commands, 0);
    let all = letters(&dir);
    assert_eq!(all.letters[1].redrive(), Err(Malformed::PricePolicy), "still no command");
    let slots = all.letters[0].redrive().expect("a command");
    let done = table.client.submit_batch(&slots);
    assert_eq!((done.commands, done.refused), (1, None));
    let mut replies = [Reply::default()];
    while table.client.poll(&mut replies) == 0 {
        std::thread::yield_now();
    }
    assert!(matches!(Outcome::of(&replies[0]), Outcome::Accepted(_)));
}

#[test]
fn the_oldest_letters_stay_and_further_ones_are_counted() {
    let dir = dir();
    let config = || small(&dir, Layout::Inline).dead_letters(500);
    let engine = Engine::open(config()).expect("opened");
    let mut client = engine.client(64).expect("a seat");
    let bad = |n: u8| {
        let mut slot = Slot([n; 128]);
        slot.0[0] = 200;
        slot
    };
    for n in 0..9 {
        assert_eq!(client.submit_batch(&[bad(n)]).commands, 0);
    }
    // A letter of one slot takes 160 bytes.
    let health = engine.health().dead_letters;
    assert_eq!((health.kept, health.dropped, health.bytes), (3, 6, 480));
    drop((client, engine));
    let all = letters(&dir);
    assert_eq!(all.letters.iter().map(|letter| letter.bytes[9]).collect::<Vec<_>>(), [0, 1, 2]);

    // The process had stopped while it wrote the last one; a later run goes on behind the one before.
    let path = dead_letters::file(dir.path().join("book"));
    let bytes = std::fs::read(&path).expect("it is there");
    std::fs::write(&path, &bytes[..400]).expect("written");
    assert_eq!(letters(&dir).torn, 80);
    let engine = Engine::open(config()).expect("opened, whatever became of the letters");
    let mut client = engine.client(64).expect("a seat");
    assert_eq!(client.submit_batch(&[bad(50)]).commands, 0);
    let all = letters(&dir);
    assert_eq!((all.letters.len(), all.torn, all.damaged), (3, 0, 0));
    assert_eq!(all.letters[2].bytes[9], 50);
    assert_eq!(all.to_string(), "3 dead letters");
}

#[test]
fn letters_that_cannot_be_written_are_counted_and_the_engine_goes_on() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    std::fs::write(dir.path().join("book/dead-letters"), "in the way").expect("written");
    let mut bad = bet(table.account, &table.market, 5).slot(table.client.now());
    bad.0[1] = 7;
    assert_eq!(
        table.client.submit_batch(&[bad]).refused,
        Some(NotTaken::Malformed(Malformed::Version))
    );
    let health = table.engine.health().dead_letters;
    assert_eq!((health.kept, health.dropped), (0, 1));
    assert!(health.failed.is_some(), "{health}");
    table.place(6);
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ (0x82F6_3B78 & (crc & 1).wrapping_neg())
        })
    })
}

/// As `dead_letters.rs` draws it.
fn letter(client: u16, bytes: &[u8]) -> Vec<u8> {
    let mut all = b"BTDL\x01\x01".to_vec();
    all.extend(client.to_le_bytes());
    all.extend(42_i64.to_le_bytes());
    all.extend((bytes.len() as u32).to_le_bytes());
    all.extend(crc32c(bytes).to_le_bytes());
    all.extend([0; 4]);
    all.extend(crc32c(&all).to_le_bytes());
    all.extend(bytes);
    all.resize(all.len().next_multiple_of(8), 0);
    all
}

/// A client's bytes are put aside as they came, whatever is in them. If their letter is cut short, what
/// is in them is no letter of somebody else's.
#[test]
fn a_letter_inside_of_a_letter_that_was_cut_short_is_none() {
    let mut forged = letter(9, &[1; 128]);
    forged.resize(512, 0);
    let whole = letter(7, &forged);
    let all = dead_letters::Letters::read(&whole);
    assert_eq!((all.letters.len(), all.letters[0].client), (1, ClientId(7)));
    let cut = dead_letters::Letters::read(&whole[..whole.len() - 8]);
    assert_eq!(cut.letters, [], "client 9 never sent anything");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Any bytes are read: letters, damage and a torn end account for all of them.
    #[test]
    fn whatever_is_in_the_file_is_read(
        noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2_000),
        at in 0_usize..500,
    ) {
        let dir = dir();
        let path = dead_letters::file(dir.path());
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        let mut bytes = b"BTDL\x01".to_vec();
        bytes.extend(&noise);
        let at = at.min(bytes.len());
        bytes.splice(at..at, *b"BTDL\x01\x01\0\0");
        std::fs::write(&path, &bytes).expect("written");
        let all = dead_letters::open(dir.path()).expect("readable");
        let whole: usize =
            all.letters.iter().map(|l| (32 + l.bytes.len()).next_multiple_of(8)).sum();
        proptest::prop_assert_eq!(whole as u64 + all.damaged + all.torn, bytes.len() as u64);
        for letter in &all.letters {
            let _ = letter.redrive();
        }
    }
}
