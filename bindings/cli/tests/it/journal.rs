//! Looking into journals.

use crate::book::*;
use betring_core::command::{Command, decode};
use betring_core::script;
use serde_json::Value;

#[test]
fn inspect_counts_what_there_is() {
    let book = Book::of(NIGHT);
    let said = betring_on(&["journal", "inspect"], &book.journal());
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    for line in [
        "49 records (sequences 1 to 49) in 51 frames in 2 segments, 2097152 bytes",
        "  e1  #1 to #40  2026-01-01T00:00:00.000000Z to 2026-01-01T00:00:07.000000Z",
        "  Place                        11     404 bytes each on average",
    ] {
        assert!(said.out.lines().any(|found| found == line), "{line}\n{}", said.out);
    }
    let said = betring_on(&["journal", "inspect", "--json", "--frames"], &book.journal());
    let report: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(report["kinds"]["Place"]["records"], 11);
    assert_eq!(report["runs"][1]["first_seq"], 41);
    assert_eq!(report["verify"]["sound"], true);
    assert_eq!(report["frames"].as_array().map(Vec::len), Some(51));
}

#[test]
fn inspect_shows_one_record_in_words() {
    let book = Book::of(NIGHT);
    let said = betring_on(&["journal", "inspect", "--seq", "20"], &book.journal());
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "#20  2026-01-01T00:00:00.220000Z  e1  Place");
    assert_eq!(
        lines[1],
        "  A2 asks for 7.77 on M1 s2 at any price → B3 at 3.90 (29/10) (v1, 90 ms old), returns 30.30"
    );
    assert_eq!(lines[3], "    Transfer         7.77 GBP from A2 to Escrow (stake for B3)");
    assert_eq!(lines.len(), 6);
    let said = betring_on(&["journal", "inspect", "--bet", "B3"], &book.journal());
    let heads: Vec<&str> = said.out.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(heads.len(), 2, "placed, settled: {heads:?}");

    // B1 and B2 are settled by the same step: of B1 only its own events are shown.
    let said = betring_on(&["journal", "inspect", "--bet", "1"], &book.journal());
    assert!(said.out.lines().any(|line| line == "  by the engine"), "{}", said.out);
    let events: Vec<&str> = said.out.lines().filter(|line| line.starts_with("    ")).collect();
    assert!(events.iter().any(|line| line.contains("B1")), "{}", said.out);
    assert!(!events.iter().any(|line| line.contains("B2")), "{}", said.out);
}

#[test]
fn tail_prints_a_sentence_a_record() {
    let book = Book::of(NIGHT);
    let said = betring_on(&["journal", "tail", "--from", "15", "--kind", "place"], &book.journal());
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "times count from 2026-01-01T00:00:00.120000Z");
    assert_eq!(
        lines[1],
        "#16 +0 ns  A1 asks for 10.00 on M1 s0 at 2.50 or better → B1 at 2.50 (v1, 20 ms old), \
         returns 25.00"
    );
    assert_eq!(
        lines[5],
        "#24 +200 ms  A2 asks for 1.00 on M1 s1 at any price → refused: MarketSuspended"
    );
    assert_eq!(lines.len(), 12);

    let said = betring_on(&["journal", "tail", "-n", "3"], &book.journal());
    let seqs: Vec<&str> =
        said.out.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(seqs, ["#47", "#48", "#49"]);

    // Of a kind, the last so many of that kind; from a sequence on, the first so many.
    let seqs = |args: &[&str]| {
        let args: Vec<&str> = ["journal", "tail", "--json"].iter().chain(args).copied().collect();
        let said = betring_on(&args, &book.journal());
        let seq = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["seq"].as_u64();
        said.out.lines().map(|line| seq(line).expect("a sequence")).collect::<Vec<u64>>()
    };
    let all = seqs(&["--from", "1", "--kind", "Place"]);
    assert_eq!(seqs(&["-n", "3", "--kind", "Place"]), all[all.len() - 3..]);
    assert_eq!(seqs(&["-n", "100", "--kind", "Place"]), all);
    assert_eq!(seqs(&["--kind", "OpenAccount"]), [11, 13], "there are no more than two");
    assert_eq!(seqs(&["-n", "0", "--kind", "Place"]), [0; 0]);
    assert_eq!(seqs(&["--from", "20", "-n", "3"]), [20, 21, 22]);
    assert_eq!(seqs(&["--from", "20", "-n", "2", "--kind", "Place"]), [20, 21]);

    let said = betring_on(&["journal", "tail", "-n", "1", "--json"], &book.journal());
    let record: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(record["kind"], "Resolve");
    assert_eq!(record["answer"], "never placed, and now it never will be");
}

#[test]
fn tail_follows_what_is_written() {
    use std::io::{BufRead, BufReader};
    let records = records(NIGHT);
    let book = Book::written(&records[..40]);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_betring"))
        .args(["journal", "tail", "--follow", "--json", "--from", "40"])
        .arg(book.journal())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str::<Value>(&line).expect("JSON")["seq"].as_u64()
    };
    assert_eq!(next(), Some(40));
    book.append(&records[40..]);
    assert_eq!(next(), Some(41));
    assert_eq!(next(), Some(42));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn verify_names_damage_by_segment_offset_and_sequence() {
    let book = Book::of(NIGHT);
    let segment = book.journal().join("seg-00000000000000000001.jnl");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    // Frames are of one record and 4096 bytes: the third is that of #3.
    let at = 4096 + 2 * 4096 + 200;
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).expect("it is ours");
    let said = betring_on(&["journal", "verify"], &book.journal()).at(&book.journal(), "BOOK");
    assert_eq!(said.code, Some(1));
    assert!(
        said.out.contains(
            "BOOK/seg-00000000000000000001.jnl is damaged at offset 12352, sequence 3 (segment 1): the \
             record's checksum does not match; these bytes were durable, so nothing was changed: put \
             this file back from a copy"
        ),
        "{}",
        said.out
    );
    assert!(said.out.lines().any(|line| line.starts_with("FAIL  BOOK (")));
    let said = betring_on(&["journal", "verify", "--json"], &book.journal());
    let report: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(report["sound"], false);
    assert_eq!(report["problems"][0]["seq"], 3);

    let said = betring_on(&["audit"], &book.journal());
    assert_eq!(said.code, Some(2), "what cannot be read cannot be proved");
    assert!(said.err.contains("is damaged at offset 12352, sequence 3"), "{}", said.err);
}

#[test]
fn tail_names_damage_and_shows_what_is_behind_it() {
    // One segment: what is in another is found without reading the damage.
    let book = Book::written(&records(NIGHT)[..40]);
    let segment = book.journal().join("seg-00000000000000000001.jnl");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes[4096 + 2 * 4096 + 200] ^= 1;
    std::fs::write(&segment, bytes).expect("it is ours");
    let tail = |args: &[&str]| {
        let all: Vec<&str> = ["journal", "tail", "--json"].iter().chain(args).copied().collect();
        let said = betring_on(&all, &book.journal());
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert_eq!(said.err.matches("damage: ").count(), 1, "{}", said.err);
        assert!(said.err.contains("is damaged at offset 12352, sequence 3"), "{}", said.err);
        let seq = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["seq"].as_u64();
        said.out.lines().filter_map(seq).collect::<Vec<u64>>()
    };
    assert_eq!(tail(&["-n", "1"]), [40]);
    assert_eq!(tail(&["--from", "20", "-n", "2"]), [20, 21]);
    let all: Vec<u64> = (1..=40).filter(|seq| *seq != 3).collect();
    assert_eq!(tail(&["--from", "1"]), all);
}

#[test]
fn replay_gives_the_digest_of_the_run() {
    let report = script::check(NIGHT);
    let book = Book::written(&report.records);
    let said = betring_on(&["journal", "replay"], &book.journal());
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("49 records to #49 replayed in "));
    assert_eq!(lines[1], format!("state digest  {}", report.digest));
    assert_eq!(lines[3], "PASS  every event was decided again, byte for byte");
    assert_eq!(said.code, Some(0));
}

/// A match of which a model prices a market, for somebody who bets on it and loses.
const MODELLED: &str = "
    house on-failure offer ttl 5s age 1.5s window 5m
    actor anna
    feed F1 silence 10s
    fixture X1
    market M1 1X2 England Draw Scotland feed F1 fixture X1 bound 1.5s
    @0ms recovered F1
    reprice X1 M1 2.50 3.40 2.90 model football version 1
    open M1
    fund A7 100.00
    @10ms reprice X1 M1 2.40 3.40 3.00 model elo version 3
    @20ms place R1 A7 M1/England 10.00 any           -> B1 at 2.40
    @1s result M1 Scotland
";

#[test]
fn a_repricing_names_its_model_what_it_was_given_and_how_old_that_was() {
    let mut records = records(MODELLED);
    // What a script does not say: the bits of the means and rho, the goals, and when they were received.
    let at = place_of(&records, |command| matches!(command, Command::Reprice(..)));
    let given = [1.62_f64, 1.04, 0.0, -0.085].map(f64::to_bits);
    let given = given.into_iter().chain([1, 0]).flat_map(u64::to_le_bytes);
    let received = match decode(&records[at].command) {
        Ok((header, _)) => header.received.0,
        Err(what) => panic!("{what}"),
    };
    let command = &mut records[at].command;
    command[144..192].copy_from_slice(&given.collect::<Vec<u8>>());
    command[112..120].copy_from_slice(&(received - 200_000).to_le_bytes());
    let book = Book::written(&records);
    let said = betring_on(&["journal", "tail", "--kind", "Reprice"], &book.journal());
    for words in [
        "reprices X1 by football 1, inputs 200 us old (means 1.62 and 1.04, rho -0.085, at 1-0): 3 prices",
        "reprices X1 by elo 3 (parameters 0 0 0 0 0 0): 3 prices",
    ] {
        assert!(said.out.contains(words), "{words}\n{}{}", said.out, said.err);
    }
    let said = betring_on(&["journal", "tail", "--kind", "Reprice", "--json"], &book.journal());
    let lines: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [known, other] = &lines[..] else { panic!("two repricings: {}", said.out) };
    assert_eq!((&known["model"], &known["model_version"]), (&"football".into(), &1.into()));
    assert_eq!(
        (&known["as_of_ns"], &known["input_age_ns"]),
        (&(received - 200_000).into(), &200_000.into())
    );
    assert_eq!(known["parameters"]["rho"], -0.085);
    assert_eq!((&other["model"], &other["as_of"]), (&"elo".into(), &Value::Null));
    assert_eq!(other["parameters"][5], "0000000000000000");
    let said = betring_on(&["audit", "--bet", "B1"], &book.journal());
    assert!(said.out.contains(" by elo 3 sets \"England\" in M1"), "{}{}", said.out, said.err);
    assert!(!said.out.contains("nothing places"), "{}", said.out);
}
