//! Feeds, scripts, errors and the ends of output.

use crate::book::*;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn feed_check_equals_the_ground_truth_in_every_field() {
    let data = root().join("../shared/data/betfair");
    let Ok(truth) = std::fs::read(data.join("ground_truth.json")) else {
        println!("SKIPPED: there are no recordings beside this tree");
        return;
    };
    let truth: Value = serde_json::from_slice(&truth).expect("JSON");
    let files = std::fs::read_dir(&data).expect("the recordings' directory");
    let files = files.map(|entry| entry.expect("a file").path());
    let recordings = files.filter(|path| path.extension().is_some_and(|ending| ending == "bz2"));
    let args = ["feed", "check", "--json"].map(OsString::from);
    let said = betring(args.into_iter().chain(recordings.map(OsString::from)));
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_str(&said.out).expect("JSON");
    let files = report["files"].as_array().expect("files");
    let (mut markets, sources) = (0, truth.as_object().expect("sources").values());
    for (id, expected) in sources.filter_map(Value::as_object).flatten() {
        let found = files.iter().find_map(|file| file["markets"].get(id)).expect("the market");
        for (field, value) in expected.as_object().expect("fields") {
            assert_eq!(&found[field], value, "{id} {field}");
        }
        markets += 1;
    }
    assert!(0 < markets, "there is a truth to compare with");
}

#[test]
fn feed_check_names_what_it_cannot_read() {
    let book = Book::of("account A7");
    let line = concat!(
        r#"{"op":"mcm","pt":1000,"mc":[{"id":"1.5","marketDefinition":{"status":"OPEN","#,
        r#""runners":[{"id":7,"status":"ACTIVE"}]},"rc":[{"id":7,"atb":[[2.5,10]]}]}]}"#,
        "\n"
    );
    let file = book.file("cut.jsonl", &format!("{line}{}", &line[..60]));
    let said = betring_on(&["feed", "check"], &file);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("cut.jsonl: 2 lines, 1 messages, 1 lines left out"), "{}", said.out);
}

#[test]
fn feed_check_of_xml_says_in_one_line_who_reads_it() {
    let book = Book::of("account A7");
    let file = book.file("feed.xml", "<?xml version=\"1.0\"?>\n<odds_change/>\n");
    let said = betring_on(&["feed", "check"], &file).at(book.path(), "DIR");
    let line =
        "DIR/feed.xml: not a stream recording but XML, which the library betring-uof reads\n";
    assert_eq!((said.code, said.out.as_str()), (Some(1), line));
}

#[test]
fn a_script_that_holds_passes_and_one_that_does_not_names_its_line() {
    let book = Book::of("account A7");
    let good = book.file("good.script", NIGHT);
    let said = betring_on(&["script"], &good).at(book.path(), "DIR");
    assert_eq!((said.code, said.out.as_str()), (Some(0), "PASS  DIR/good.script (49 records)\n"));
    let empty = book.file("empty.script", "# nothing yet\n\n");
    let said = betring_on(&["script"], &empty).at(book.path(), "DIR");
    assert_eq!(said.code, Some(1));
    assert_eq!(said.out, "FAIL  DIR/empty.script: there is no line in it\n");
    let bad = book.file("bad.script", "fund A7 1.00\n@5ms balance A7 -> 2.00\n");
    let said = betring_on(&["script"], &bad).at(book.path(), "DIR");
    assert_eq!(said.code, Some(1));
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[..2], ["FAIL  DIR/bad.script:2", "  @5ms balance A7 -> 2.00"]);
    assert!(lines[2..].join("\n").contains("2.00") && said.out.contains("1.00"), "{}", said.out);
}

#[test]
fn the_script_that_comes_with_the_project_holds() {
    let said = betring_on(&["script"], &root().join("docs/derby.script"));
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    assert!(said.out.ends_with("derby.script (29 records)\n"), "{}", said.out);
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_day() {
    let book = Book::of("account A7");
    let (nowhere, night) = (book.path().join("nowhere/night.html"), book.path().join("night"));
    let args: [&std::ffi::OsStr; 6] = [
        "matchday".as_ref(),
        "--json".as_ref(),
        "--report".as_ref(),
        nowhere.as_ref(),
        "--dir".as_ref(),
        night.as_ref(),
    ];
    let said = betring(args).at(book.path(), "DIR");
    let text = "error: cannot write the report: the directory DIR/nowhere does not exist\n  where: \
                DIR/nowhere/night.html\n  what to do: create the directory, or name a file in another\n";
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(2), "", text));
    assert!(!night.exists(), "nothing was played");
}

#[test]
fn a_night_that_is_killed_keeps_what_it_promised_and_names_what_it_leaves() {
    let book = Book::of("account A7");
    let night = book.path().join("night");
    let said = {
        let all = ["matchday", "--kill", "--seconds", "1", "--rate", "200", "--dir"];
        let all = all.iter().map(OsString::from).chain([night.clone().into_os_string()]);
        betring(all.chain(["--seed", "7"].map(OsString::from))).at(book.path(), "DIR")
    };
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let has = |text: &str| said.out.lines().any(|line| line.contains(text));
    assert!(has("playing in a process of its own, to be killed within 1 s"), "{}", said.out);
    let promised = said.out.split_once("PASS  promised ").expect("what was promised").1;
    let (promised, rest) = promised.split_once(", found ").expect("what was found");
    assert!(rest.starts_with(&format!("{promised}, lost 0 (level durable)\n")), "{}", said.out);
    assert!(has(
        "DIR/night.acks.jsonl has the acknowledgements, DIR/night.acks.jsonl.sent what was"
    ));
    assert!(has("audit DIR/night --acks DIR/night.acks.jsonl "), "{}", said.out);
    assert!(has("rm -r DIR/night DIR/night.acks.jsonl DIR/night.acks.jsonl.sent "), "{}", said.out);
}

#[test]
fn what_is_no_recording_is_not_played() {
    let book = Book::of("account A7");
    let (text, night) = (book.file("night.txt", "a derby\n"), book.path().join("night"));
    let args: [&std::ffi::OsStr; 6] = [
        "matchday".as_ref(),
        "--json".as_ref(),
        "--feed".as_ref(),
        text.as_ref(),
        "--dir".as_ref(),
        night.as_ref(),
    ];
    let said = betring(args).at(book.path(), "DIR");
    let what = "error: DIR/night.txt: not a stream recording: no line of it is a market change \
                message\n  where: DIR/night.txt\n";
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.starts_with(what), "{}", said.err);
    assert!(!night.exists(), "nothing was played");
}

#[test]
fn every_error_says_what_where_and_what_to_do() {
    let book = Book::of(NIGHT);
    let journal = book.journal();
    let nowhere = book.path().join("nowhere");
    let acks = book.file("acks.jsonl", "{}\n");
    let (acks, file) = (acks.to_str().expect("ours"), "acks.jsonl");
    let cases: [(&[&str], &Path, String); 9] = [
        (
            &["feed", "check"],
            &nowhere,
            "error: cannot open the recording: No such file or directory (os error 2)\n  where: \
             DIR/nowhere\n  what to do: check the path: nothing has this name\n"
                .into(),
        ),
        (
            &["audit"],
            &nowhere,
            "error: there is no journal in DIR/nowhere: check the directory's name\n".into(),
        ),
        (
            &["journal", "tail"],
            book.path(),
            "error: there is no journal in DIR: check the directory's name\n".into(),
        ),
        (
            &["audit", "--bet", "B77"],
            &journal,
            "error: there is no bet B77 in this journal\n  where: DIR/book\n  what to do: see which \
             bets there are: betring journal tail DIR/book --kind Place --kind PlaceTicket\n"
                .into(),
        ),
        (
            &["journal", "inspect", "--seq", "50"],
            &journal,
            "error: no record of sequence 50: there are #1 to #49\n  where: DIR/book\n  what to do: see what there is: \
             betring journal inspect DIR/book\n"
                .into(),
        ),
        (
            &["journal", "inspect", "--bet", "B77"],
            &journal,
            "error: no record of bet B77\n  where: DIR/book\n  what to do: see what there is: \
             betring journal inspect DIR/book\n"
                .into(),
        ),
        (
            &["audit", "--acks", acks],
            &journal,
            format!(
                "error: this is not an acknowledgement: missing field `level` at line 1 column 2\n  \
                 where: DIR/{file}, line 1\n  what to do: name a file that `betring matchday --acks \
                 FILE` wrote\n"
            ),
        ),
        (
            &["audit", "--acks", "/nowhere/acks.jsonl"],
            &journal,
            "error: cannot open the acknowledgements: No such file or directory (os error 2)\n  \
             where: /nowhere/acks.jsonl\n  what to do: check the path: nothing has this name\n"
                .into(),
        ),
        (
            &["script"],
            &nowhere,
            "error: cannot read the script: No such file or directory (os error 2)\n  where: \
             DIR/nowhere\n  what to do: check the path: nothing has this name\n"
                .into(),
        ),
    ];
    for (args, path, text) in cases {
        // Commands to copy name the program as it was called.
        let said = betring_on(args, path).at(book.path(), "DIR");
        let said = said.at(Path::new(env!("CARGO_BIN_EXE_betring")), "betring");
        assert_eq!((said.code, said.out.as_str(), said.err), (Some(2), "", text), "{args:?}");
    }
}

#[test]
fn arguments_that_cannot_be_read_say_how_to_write_them() {
    let book = Book::of("account A7");
    let first = |args: &[&str]| {
        let said = betring_on(args, &book.journal());
        assert_eq!(said.code, Some(2), "{args:?}");
        said.err.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        first(&["audit", "--bet", "M1"]),
        "error: invalid value 'M1' for '--bet <ID>': `M1` is not a bet: write B7, or B7.2 for the \
         second use of its place"
    );
    assert_eq!(
        first(&["audit", "--key", "A1"]),
        "error: invalid value 'A1' for '--key <ACCOUNT:KEY>': `A1` is not a request: write A1:123, the \
         account and the key (0x7b is 123, too)"
    );
    let kind = first(&["journal", "tail", "--kind", "Bet"]);
    assert!(kind.contains("no command has this name; there are Genesis, EpochOpened"), "{kind}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let book = Book::of(NIGHT);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_betring"))
        .args(["journal", "tail", "--from", "1"])
        .arg(book.journal())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program was built");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        &["audit"][..],
        &["journal"],
        &["journal", "inspect"],
        &["journal", "tail"],
        &["journal", "verify"],
        &["journal", "replay"],
        &["journal", "snapshot"],
        &["journal", "archive"],
        &["drill"],
        &["drill", "kill"],
        &["drill", "power-cut"],
        &["drill", "restore"],
        &["feed"],
        &["feed", "check"],
        &["script"],
        &["matchday"],
        &[],
    ] {
        let said = betring(command.iter().copied().chain(["--help"]));
        assert_eq!(said.code, Some(0), "{command:?}");
        assert!(said.out.contains("betring ") && said.out.contains("xample"), "{command:?}");
        let widest = said.out.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(95), "{command:?} fits a terminal");
    }
}

#[test]
fn a_set_up_is_checked_against_what_will_come_and_says_what_to_change() {
    let book = Book::of("account A7");
    let example = betring(["config", "example"]);
    assert_eq!((example.code, example.err.as_str()), (Some(0), ""));
    let file = book.file("engine.toml", &example.out);
    let check = |more: &[&str]| {
        let args = ["config", "check"].iter().chain(more).map(OsString::from);
        betring(args.chain([file.clone().into_os_string()]))
    };
    let here = book.path().display().to_string();
    let said = check(&["--dir", &here]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);

    let said = check(&["--dir", &here, "--requests", "20000", "--memory", "64MiB", "--json"]);
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""));
    let told: Value = serde_json::from_str(&said.out).expect("JSON");
    let failed = told["checks"].as_array().expect("checks").iter();
    let failed: Vec<_> = failed.filter(|line| line["passed"] == false).collect();
    assert_eq!((&failed[0]["name"], &failed[1]["name"]), (&"keys".into(), &"memory".into()));
    assert_eq!(failed[0]["instead"], "give keys = 13000000, or a shorter window");

    let wrong = book.file("wrong.toml", "[capacities]\nmarket = 5\n");
    let said = betring_on(&["config", "check"], &wrong);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("unknown field `market`"), "{}", said.err);
}
