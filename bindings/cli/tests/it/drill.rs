//! Snapshots, the archive, and the drill, on journals that an engine wrote.

use crate::book::*;
use betring::{Currency, Engine, Reference, key, money};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Goes on with a journal for one run of two commands, and says where it ended and in which state.
fn run(book: &Path, reference: u64) -> (u64, String) {
    let engine = Engine::open(small(book)).expect("it opens");
    let mut client = engine.client(16).expect("a seat");
    let account = client.open_account(Reference(reference), Currency::GBP).expect("opened");
    client.deposit(account, money!(5.00), key(1)).expect("paid in");
    let closed = engine.shutdown().expect("in order");
    (closed.last_seq.0, closed.digest.to_string())
}

fn archived(book: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(book.join("archive")) else { return Vec::new() };
    entries.map(|entry| entry.expect("listed").path()).collect()
}

#[test]
fn a_journal_gets_snapshots_and_its_first_segments_go_to_the_archive() {
    let dir = tempfile::tempdir().expect("a directory for a test");
    let book = dir.path().join("book");
    let (seq, digest) = run(&book, 1);
    let said = betring_on(&["journal", "snapshot", "--json"], &book);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let made: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((made["seq"].as_u64(), made["digest"].as_str()), (Some(seq), Some(&digest[..])));
    assert_eq!(made["from_seq"], Value::Null);

    let said = betring_on(&["journal", "archive"], &book);
    let none = "nothing can go to the archive: there are fewer than two snapshots that are right in \
                every byte\n";
    assert_eq!((said.code, said.out.as_str()), (Some(0), none));

    run(&book, 2);
    let said = betring_on(&["journal", "snapshot"], &book);
    assert!(said.out.starts_with("snapshot at #7, 3 records after that at #4, "), "{}", said.out);
    let (_, last) = run(&book, 3);
    let said = betring_on(&["journal", "snapshot"], &book);
    assert!(said.out.starts_with("snapshot at #10, 3 records after that at #7, "), "{}", said.out);
    let said = betring_on(&["journal", "archive", "--dry-run"], &book).at(&book, "BOOK");
    let moves = "moved to BOOK/archive: seg-00000000000000000001.jnl, 1048576 bytes, before the \
                 snapshot at sequence 7\n";
    assert_eq!(said.out, format!("would be {moves}"));
    assert_eq!(archived(&book), Vec::<PathBuf>::new());
    let said = betring_on(&["journal", "archive"], &book).at(&book, "BOOK");
    assert_eq!((said.code, said.out.as_str()), (Some(0), moves));
    assert_eq!(archived(&book).len(), 1);

    // Everybody still reads all of it.
    let said = betring_on(&["journal", "replay"], &book);
    assert!(said.out.starts_with("10 records to #10 replayed in "), "{}", said.out);
    assert!(said.out.contains(&format!("state digest  {last}\n")), "{}", said.out);
    let said = betring_on(&["audit"], &book);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    let said = betring_on(&["journal", "tail", "--from", "1", "--json"], &book);
    assert_eq!(said.out.lines().count(), 10);
    let said = betring_on(&["journal", "inspect"], &book);
    for line in
        ["archive/seg-00000000000000000001.jnl  no 1", "snap-00000000000000000010.snp  epoch 3"]
    {
        assert!(said.out.lines().any(|found| found.starts_with(line)), "{line}\n{}", said.out);
    }
    assert!(!said.out.contains("also here: archive"), "{}", said.out);

    let snapshot = book.join("snap-00000000000000000010.snp");
    let mut bytes = std::fs::read(&snapshot).expect("there");
    bytes[5000] ^= 1;
    std::fs::write(&snapshot, bytes).expect("it is ours");
    let said = betring_on(&["journal", "verify"], &book).at(&book, "BOOK");
    assert_eq!(said.code, Some(1), "a damaged snapshot is damage");
    let line = "BOOK/snap-00000000000000000010.snp cannot be used: the checksum of chunk 0 does not \
                match, at offset 4096; nothing is lost by it";
    assert!(said.out.lines().any(|found| found == line), "{}", said.out);
}

#[test]
fn a_snapshot_of_no_journal_and_of_a_running_one_is_refused() {
    let dir = tempfile::tempdir().expect("a directory for a test");
    let said = betring_on(&["journal", "snapshot"], &dir.path().join("nothing"));
    assert_eq!(said.code, Some(2));
    assert!(said.err.starts_with("error: there is no journal in "), "{}", said.err);
    let book = dir.path().join("book");
    run(&book, 1);
    let store = betring_journal::DirStore::existing(&book).expect("there");
    let lock = betring_journal::Store::lock(&store).expect("nobody has it");
    for args in [&["journal", "snapshot"][..], &["journal", "archive"], &["drill", "restore"]] {
        let said = betring_on(args, &book).at(&book, "BOOK");
        let text = "error: BOOK/LOCK is locked: another process has this journal open; stop it, or \
                    use another directory\n";
        assert_eq!((said.code, said.err.as_str()), (Some(2), text), "{args:?}");
    }
    drop(lock);
}

#[test]
fn a_drill_restores_a_journal_of_its_own_to_the_same_state() {
    let said = betring(["drill", "restore"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    let starts = ["journal", "replay", "backup", "verify", "wipe", "restore", "recover", "PASS"];
    let words: Vec<&str> = said.out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words, starts, "{}", said.out);
    assert!(said.out.contains("\nwipe      the journal is gone\n"), "{}", said.out);
    assert!(said.out.contains(" replayed after the snapshot at #"), "{}", said.out);
}

#[test]
fn a_drill_on_somebodys_journal_never_changes_it() {
    let dir = tempfile::tempdir().expect("a directory for a test");
    let book = dir.path().join("book");
    run(&book, 1);
    let (seq, digest) = run(&book, 2);
    let files = || {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&book).expect("there") {
            let path = entry.expect("listed").path();
            all.push((path.clone(), std::fs::read(path).expect("a file")));
        }
        all.sort();
        all
    };
    let before = files();
    let said = betring_on(&["drill", "restore", "--json"], &book);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    let told: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((told["last_seq"].as_u64(), told["same"].as_bool()), (Some(seq), Some(true)));
    assert_eq!(told["restored_digest"], digest);
    assert!(files() == before, "the journal is as it was");
    let left = std::fs::read_dir(dir.path()).expect("there").count();
    assert_eq!(left, 1, "the copies are gone");
}

#[test]
fn a_drill_that_kills_at_every_level_loses_nothing_it_told_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a directory for a test");
    let above = dir.path().join("rounds");
    let args =
        ["drill", "kill", "--rounds", "3", "--seed", "11", "--rate", "300", "--json", "--dir"];
    let said = betring_on(&args, &above);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    let told: Value = serde_json::from_str(&said.out).expect("JSON");
    let all = &told["all"];
    assert_eq!((told["passed"].as_bool(), all["rounds"].as_u64()), (Some(true), Some(3)));
    assert_eq!(
        (all["lost"].as_u64(), all["answered_twice_differently"].as_u64()),
        (Some(0), Some(0))
    );
    assert_eq!((all["unresolved"].as_u64(), all["failed"].as_u64()), (Some(0), Some(0)));
    for level in ["durable", "process", "applied"] {
        let sum = &told["levels"][level];
        assert_eq!(sum["rounds"], 1, "{level}");
        assert!(0 < sum["acknowledged"].as_u64().unwrap_or(0), "{level}: {sum}");
        // What is told at applied is promised to nobody.
        let promised = sum["promised"].as_u64().unwrap_or(0);
        assert_eq!(0 < promised, level != "applied", "{level}: {sum}");
    }
    assert!(!above.exists(), "every book is removed, and the directory that was made for them");

    let said = betring(["drill", "kill", "--rounds", "1", "--level", "safe"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("write durable, process or applied"), "{}", said.err);
}

#[test]
fn a_book_that_is_killed_again_and_again_while_it_plays_and_while_it_opens_keeps_all_it_told() {
    let dir = tempfile::tempdir().expect("a directory for a test");
    let above = dir.path().join("rounds");
    let args = [
        "drill",
        "kill",
        "--same-book",
        "--rounds",
        "4",
        "--seed",
        "23",
        "--rate",
        "300",
        "--json",
        "--dir",
    ];
    let said = betring_on(&args, &above);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    let told: Value = serde_json::from_str(&said.out).expect("JSON");
    let all = &told["all"];
    assert_eq!((told["passed"].as_bool(), all["rounds"].as_u64()), (Some(true), Some(4)));
    assert_eq!(
        (all["lost"].as_u64(), all["answered_twice_differently"].as_u64()),
        (Some(0), Some(0))
    );
    let again = all["killed_again"].as_u64().unwrap_or(0);
    assert!((2..=6).contains(&again), "in two of four rounds, one to three times: {all}");
    assert!(!above.exists(), "the book is removed, and the directory that was made for it");
}

#[test]
fn a_power_cut_loses_what_only_the_page_cache_had_and_nothing_that_was_durable() {
    // It mounts file systems, as root: nobody expects that of a test who did not ask for it.
    if std::env::var_os("BETRING_POWER_CUT").is_none() {
        println!(
            "SKIPPED: set BETRING_POWER_CUT=1 and run as root to cut the power of a disk in a file"
        );
        return;
    }
    let dir = tempfile::tempdir().expect("a directory for a test");
    let above = dir.path().join("power");
    let args = ["drill", "power-cut", "--rounds", "1", "--seed", "5", "--json", "--dir"];
    let said = betring_on(&args, &above);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    let told: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((told["passed"].as_bool(), told["lost"].as_u64()), (Some(true), Some(0)));
    assert!(0 < told["promised"].as_u64().unwrap_or(0), "{told}");
    assert!(!above.exists(), "everything is unmounted and removed");
}

#[test]
fn a_journal_that_ends_before_its_snapshot_passes_no_proof() {
    let dir = tempfile::tempdir().expect("a directory for a test");
    let book = dir.path().join("book");
    run(&book, 1);
    let said = betring_on(&["journal", "snapshot"], &book);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(betring_on(&["audit"], &book).code, Some(0));

    // All but the first frame are gone, as if they had never been.
    let segment = book.join("seg-00000000000000000001.jnl");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("it holds frames");
    let pages = end / 4096;
    let is_frame = |page: &usize| bytes[page * 4096..page * 4096 + 4] == bytes[4096..4100];
    let second = (2..=pages).find(is_frame).expect("a frame");
    bytes[second * 4096..].fill(0);
    std::fs::write(&segment, bytes).expect("it is ours");

    assert_eq!(betring_on(&["journal", "verify"], &book).code, Some(1));
    let lost = "but a snapshot was made at #4, which was durable then: records are lost";
    for proof in [&["audit"][..], &["audit", "--by", "fold"], &["journal", "replay"]] {
        let said = betring_on(proof, &book);
        assert_eq!(said.code, Some(1), "{proof:?}: {}{}", said.out, said.err);
        assert!(said.out.contains(lost), "{proof:?}: {}", said.out);
    }
}
