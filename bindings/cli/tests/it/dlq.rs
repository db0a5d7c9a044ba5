//! Dead letters: listed, shown, asked again.

use crate::book::*;
use betring::{Currency, Engine, Reference, Slot, key, money};
use betring_core::command::{Deposit, build};
use betring_core::wire::Header;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;

/// How long a command may wait.
const TIME: betring::Nanos = betring::Nanos::from_secs(60);

/// A journal with an account, and two letters: a deposit of a version that nobody knows, which may wait for so
/// long, and rubbish.
fn with_letters(book: &Path, time: betring::Nanos) {
    let engine = Engine::open(small(book)).expect("it opens");
    let mut client = engine.client(16).expect("a seat");
    let account = client.open_account(Reference(7), Currency::GBP).expect("opened");
    let (until, amount) = (client.now().plus(time), money!(5.00).into());
    let body = Deposit { valid_until: until, amount, ..Deposit::default() };
    let mut deposit = build::plain(Header::customer(account, key(9)), &body);
    deposit.0[1] = 2;
    let rubbish = Slot([255; 128]);
    for slot in [deposit, rubbish] {
        let sent = client.submit_batch(&[slot]);
        assert!(sent.refused.is_some(), "it is no command");
    }
    engine.shutdown().expect("in order");
}

/// What an older program could not read and this one can: the letter as it was, of the version that is
/// known here.
fn understood(book: &Path) {
    let file = betring::dead_letters::file(book);
    let mut bytes = std::fs::read(&file).expect("letters");
    // The checksum goes over the bytes: this one is altered with it.
    bytes[32 + 1] = 1;
    let crc = crc32c(&bytes[32..160]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    let head = crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&head.to_le_bytes());
    std::fs::write(&file, bytes).expect("written");
}

fn show(book: &Path, letter: &str, more: &[&str]) -> Said {
    let args = [OsStr::new("dlq"), OsStr::new("show"), book.as_os_str(), OsStr::new(letter)];
    betring(args.into_iter().chain(more.iter().map(OsStr::new)))
}

#[test]
fn dead_letters_are_listed_shown_and_asked_again_once() {
    let above = tempfile::tempdir().expect("a directory");
    let book = above.path().join("book");
    with_letters(&book, TIME);
    let said = betring_on(&["dlq", "list"], &book);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.out);
    assert!(lines[0].starts_with("       0  20") && lines[0].contains("128 bytes"), "{}", lines[0]);
    assert!(lines[0].ends_with("(Deposit, version 2)"), "{}", lines[0]);
    assert!(lines[1].ends_with("(kind 255, version 255)"), "{}", lines[1]);
    assert_eq!(lines[2], "2 dead letters");

    // Neither can be read: nothing is asked, and nothing opened.
    let said = betring_on(&["dlq", "redrive"], &book);
    assert_eq!(said.code, Some(1));
    assert!(
        said.out.contains("2 letters looked at, 0 asked again, 2 cannot be read, 0 left alone"),
        "{}",
        said.out
    );

    understood(&book);
    let said = show(&book, "0", &["--json"]);
    let shown: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(shown["says"], "A1 deposits 5.00");
    let said = betring_on(&["dlq", "redrive", "--dry-run"], &book);
    assert!(said.out.contains("A1 deposits 5.00 → would be asked"), "{}", said.out);

    // Under its own key, by its own account, decided now.
    let said = betring_on(&["dlq", "redrive", "--renew"], &book);
    assert!(said.out.contains("A1 deposits 5.00 → done"), "{} {}", said.out, said.err);
    assert_eq!(said.code, Some(1), "the other one is still rubbish");
    let said = betring_on(&["journal", "tail", "--kind", "Deposit", "--from", "1"], &book);
    assert_eq!(said.out.matches("deposits 5.00").count(), 1, "{}", said.out);

    // It was noted, and is left alone; named, it has its first answer.
    let said = betring_on(&["dlq", "redrive"], &book);
    let line = "1 letter looked at, 0 asked again, 1 cannot be read, 1 left alone";
    assert!(said.out.contains(line), "{}", said.out);
    let said = betring_on(&["dlq", "list"], &book);
    assert!(said.out.contains("; asked again: done"), "{}", said.out);
}

#[test]
fn a_letter_whose_time_is_over_is_asked_again_with_another() {
    let above = tempfile::tempdir().expect("a directory");
    let book = above.path().join("book");
    with_letters(&book, betring::Nanos::from_secs(-1));
    understood(&book);
    let said = betring_on(&["dlq", "redrive", "--dry-run"], &book);
    assert!(
        said.out.contains("→ would be refused as Expired, its time was over at "),
        "{}",
        said.out
    );
    let said = betring_on(&["dlq", "redrive"], &book);
    assert!(said.out.contains("A1 deposits 5.00 → refused: Expired"), "{}", said.out);
    // It was not looked at, so it is no letter that was asked again.
    let said = betring_on(&["dlq", "redrive", "--renew"], &book);
    assert!(said.out.contains("A1 deposits 5.00 → done"), "{}", said.out);
}

#[test]
fn a_letter_that_is_not_there_is_said_to_be_so() {
    let above = tempfile::tempdir().expect("a directory");
    let book = above.path().join("book");
    with_letters(&book, TIME);
    let said = show(&book, "8", &[]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("no dead letter begins at 8"), "{}", said.err);
}
