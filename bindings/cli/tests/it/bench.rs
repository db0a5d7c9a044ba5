//! Benches at sizes of a test: what is measured holds, is told whole, and leaves nothing behind.

use crate::book::*;
use serde_json::Value;
use std::path::Path;

/// What a bench says that measures below this directory.
fn bench(dir: &Path, words: &str) -> Said {
    let dir = dir.to_str().expect("text");
    betring(["bench"].into_iter().chain(words.split(' ')).chain(["--dir", dir]))
}

fn json(said: &Said) -> Value {
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    serde_json::from_str(&said.out).expect("JSON")
}

/// The JSON of a bench whose page, written elsewhere, has a plot.
fn with_a_plot(dir: &Path, words: &str) -> Value {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let page = elsewhere.path().join("page.html");
    let said = json(&bench(dir, &format!("{words} --json --report {}", page.display())));
    assert_eq!(said["version"], env!("CARGO_PKG_VERSION"));
    assert!(said["measured_at"].as_str().is_some_and(|at| at.ends_with('Z') && !at.contains('.')));
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(page.contains("<svg") && !page.contains("Not measured in this run"), "{page}");
    said
}

fn left(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("the directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("a file").file_name();
    entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
}

#[test]
fn latency_has_a_row_for_every_mix_level_and_rate_and_each_names_what_it_is_of() {
    let dir = tempfile::tempdir().expect("a directory");
    let words = "latency --json --seconds 1 --rate 500 --level process,durable --mix odds,orders --accounts 20 \
                 --markets 5 --open-bets 100 --burst 50 --layout one";
    let said = json(&bench(dir.path(), words));
    let rows = said["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_eq!(row["sent"], 500);
        let (answered, refused) = (row["answered"].as_u64(), row["refused"].as_u64());
        assert_eq!(answered.zip(refused).map(|(a, r)| a + r), Some(500));
        let latency = &row["latency"];
        assert!(latency["p50_ns"].as_u64() <= latency["p9999_ns"].as_u64());
        assert!(0 < latency["max_ns"].as_u64().unwrap_or(0));
        assert_eq!(
            (&row["window_ns"], &row["accounts"]),
            (&300_000_000_000_u64.into(), &20.into())
        );
        assert!(100 < row["live_keys"].as_u64().unwrap_or(0));
        assert!(row["journal_bytes_per_bet"].is_u64() && row["scheduler"].is_string());
        assert_eq!(row["layout"], "one-thread");
        let is_odds = row["mix"] == "odds";
        assert_eq!(row["odds_to_effect"]["n"], if is_odds { 50.into() } else { Value::Null });
    }
    assert_eq!(said["checked"].as_array().map(Vec::len), Some(4));
    assert!(said["machine"]["control"]["n"].as_u64() == Some(30_000));
    assert_eq!(left(dir.path()), [""; 0], "what was measured in is removed");
}

#[test]
fn latency_tells_people_writes_percentiles_and_a_page() {
    let dir = tempfile::tempdir().expect("a directory");
    let (page, hgrm) = (dir.path().join("night.html"), dir.path().join("all"));
    let files = format!("--report {} --hgrm {}", page.display(), hgrm.display());
    let words =
        format!("latency --twice --seconds 1 --rate 500 --level applied --accounts 20 {files}");
    let said = bench(dir.path(), &words);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for text in [
        "p50 / round trip",
        "journaled/bet",
        "t5-t6",
        "age p50",
        "gaps again",
        "PASS  singles at applied, 500/s: ",
    ] {
        assert!(said.out.contains(text), "{text}: {}", said.out);
    }
    assert!(said.err.contains("1 of 1: singles at applied, 500/s"), "{}", said.err);
    let html = std::fs::read_to_string(&page).expect("written");
    assert!(html.contains("<svg") && html.contains("p50 / fdatasync"));
    let text = std::fs::read_to_string(hgrm.join("singles-applied-500.hgrm")).expect("written");
    assert!(text.contains("Total count    =          450"), "{text}");
}

#[test]
fn the_knee_is_looked_for_up_to_a_rate_and_every_try_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let words = "latency --find-knee --up-to 2_000 --bound 60_000_000 --json --seconds 1 --level process \
                 --accounts 20 --layout one";
    let said = json(&bench(dir.path(), words));
    let knee = &said["rows"][0];
    let tried: Vec<u64> = knee["tried"]
        .as_array()
        .expect("tries")
        .iter()
        .filter_map(|row| row["rate"].as_u64())
        .collect();
    assert!(tried.contains(&1_000) && tried.is_sorted(), "{tried:?}");
    let found = knee["knee"].as_u64();
    assert!(found.is_none_or(|rate| tried.contains(&rate) && rate <= 2_000), "{knee}");
}

#[test]
fn what_cannot_be_measured_is_told_before_with_a_remedy() {
    let dir = tempfile::tempdir().expect("a directory");
    let said = bench(dir.path(), "latency --rate 10_000_000 --seconds 600");
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(
        said.err.contains("more than the 1073741824 bets") && said.err.contains("ask for less")
    );
    let said = bench(dir.path(), "latency --mix orders --accounts 1 --markets 1 --open-bets 1000");
    assert!(said.err.contains("at most 100 orders that rest, not 1000"), "{}", said.err);
    for (wrong, why) in [
        ("latency --rate 0", "0 is too few"),
        ("latency --layout three", "write auto, one or two"),
        ("latency --mix bets", "write singles, accumulators, orders or odds"),
        ("latency --seconds 601", "601 is not in 1..=600"),
    ] {
        let said = bench(dir.path(), wrong);
        assert!(said.code == Some(2) && said.err.contains(why), "{wrong}: {}", said.err);
    }
    let nowhere = dir.path().join("not/there");
    let said = bench(&nowhere, "latency --rate 500");
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("cannot make a directory to measure in"), "{}", said.err);
    assert_eq!(left(dir.path()), [""; 0]);
}

#[test]
fn growth_tells_what_a_bet_takes_at_every_size_up_to_the_one_that_is_asked_for() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let page = dir.path().join("growth.html");
    let report = page.display();
    let told = json(&bench(
        dir.path(),
        &format!("growth --up-to 1_000 --bets 500 --json --report {report}"),
    ));
    let rows = told["rows"]["rows"].as_array().expect("rows");
    let of = |row: &Value| ["open_bets", "markets", "accounts"].map(|it| row[it].as_u64());
    let small = [Some(1_000), Some(10), Some(1_000)];
    let wide = [Some(1_000), Some(1_000), Some(1_000)];
    assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), [small, wide]);
    assert_eq!(rows[0]["to_first"], 1.0);
    assert!(rows.iter().all(|row| row["bet_p50_ns"].as_f64() > Some(0.0)), "{rows:?}");
    assert!(std::fs::read_to_string(&page).expect("the report").contains("<svg"));
    assert_eq!(left(dir.path()), ["growth.html"]);
}

#[test]
fn a_soak_has_percentiles_by_the_second_and_marks_and_settles_what_it_was_given() {
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("soak.html");
    let words = format!(
        "latency --soak 0.06 --rate 250 --settle 300 --level process --accounts 20 --markets 3 --layout one --json \
         --report {}",
        page.display()
    );
    let said = json(&bench(dir.path(), &words));
    let row = &said["rows"][0];
    assert_eq!(row["sent"], 900);
    let marks = row["marks"].as_array().expect("marks");
    let of = |what: &str| marks.iter().filter(|mark| mark["what"] == what).count();
    assert_eq!((of("settlement"), of("client stall"), of("snapshot")), (1, 1, 2), "{marks:?}");
    let seconds = row["by_second"].as_array().expect("seconds");
    let counted = seconds.iter().filter_map(|second| second["latency"]["n"].as_u64()).sum::<u64>();
    assert_eq!(Some(counted), row["answered"].as_u64(), "every reply is in its second");
    assert!(1 <= row["settled_markets"].as_u64().unwrap_or(0));
    let html = std::fs::read_to_string(&page).expect("written");
    assert!(html.contains("client stall") && html.matches("<svg").count() == 2);
}

#[test]
fn the_journal_is_measured_beside_bare_commits_and_read_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let said = with_a_plot(dir.path(), "journal --seconds 1 --records 8 --bytes 200");
    let row = &said["rows"][0];
    assert_eq!((&row["records_a_sync"], &row["bare_bytes"]), (&8.into(), &4_096.into()));
    assert!(0 < row["records"].as_u64().unwrap_or(0) && row["records"] == row["read_back"]);
    assert!(row["by_bare"].as_f64().is_some_and(|ratio| 0.0 < ratio));
    assert_eq!(left(dir.path()), [""; 0]);
}

#[test]
fn a_settlement_has_a_row_for_every_phase_and_takes_all_bets_of_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let said = with_a_plot(dir.path(), "settle --bets 200");
    let rows = said["rows"].as_array().expect("rows");
    let phases: Vec<&str> = rows.iter().filter_map(|row| row["phase"].as_str()).collect();
    assert_eq!(phases, ["before", "settle", "rollback", "cancel", "lapse", "after"]);
    for row in rows {
        assert_eq!(row["others"].as_u64(), row["turns"].as_u64().map(|turns| turns * 8));
        assert_eq!(row["turn"]["n"], row["turns"]);
    }
}

#[test]
fn a_journal_opens_to_the_same_state_with_and_without_its_snapshots() {
    let dir = tempfile::tempdir().expect("a directory");
    let said = with_a_plot(dir.path(), "recover --open-bets 500 --commands 3_000");
    let rows = said["rows"].as_array().expect("rows");
    let replayed: Vec<u64> = rows.iter().filter_map(|row| row["decided_again"].as_u64()).collect();
    assert!(replayed.len() == 3 && replayed.is_sorted(), "{replayed:?}");
    assert_eq!(rows[2]["decided_again"], rows[2]["commands"], "without a snapshot all of it");
    assert!(rows.iter().all(|row| 0 < row["peak_mib"].as_u64().unwrap_or(0)));
    assert_eq!(left(dir.path()), [""; 0]);
    let said = bench(dir.path(), "recover --open-bets 5_000 --commands 1_000");
    assert!(said.err.contains("5000 open bets take at least 9500 commands"), "{}", said.err);
}

#[test]
fn matches_are_repriced_in_time_and_on_one_core() {
    let dir = tempfile::tempdir().expect("a directory");
    let words = "reprice --json --rate 20 --level process --seconds 1 --matches 1 --count 3";
    let said = json(&bench(dir.path(), words));
    let rows = said["rows"].as_array().expect("rows");
    assert_eq!((rows.len(), &rows[0]["sent"], &rows[1]["count"]), (2, &20.into(), &3.into()));
    assert!(3 * 83 < rows[1]["prices"].as_u64().unwrap_or(0));
    let said = bench(dir.path(), "reprice --level applied");
    assert!(said.err.contains("prices are read from the journal"), "{}", said.err);
}

#[test]
fn an_order_is_measured_in_three_ways_that_come_to_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let said = with_a_plot(dir.path(), "book --live 100 --orders 1_000 --times 2 --level 50");
    let rows = said["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 4);
    for same in ["counted", "stake", "rest"] {
        assert_eq!(rows[0][same], rows[1][same]);
    }
    assert_eq!((&rows[2]["orders"], &rows[3]["level"]), (&100.into(), &50.into()));
}

#[test]
fn whoever_interrupts_a_bench_finds_nothing_of_it_left() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_betring"));
    let words =
        ["bench", "latency", "--rate", "500", "--seconds", "600", "--level", "process", "--dir"];
    let program = program.args(words).arg(dir.path()).stdout(std::process::Stdio::null());
    let mut running = program.stderr(std::process::Stdio::piped()).spawn().expect("it begins");
    let mut told = std::io::BufReader::new(running.stderr.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut told, &mut line).expect("what is measured is told");
    assert_eq!(left(dir.path()).len(), 1, "{line}");
    let id = rustix::process::Pid::from_child(&running);
    // Not SIGINT: whoever runs these tests in the background has it ignored, and then so has the program.
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    assert_eq!(running.wait().expect("it ends").code(), Some(143));
    assert_eq!(left(dir.path()), [""; 0]);
}

#[test]
fn sizes_that_nothing_can_be_measured_at_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    for (wrong, why) in
        [("--up-to 5", "write 1,000 to 10,000,000"), ("--bets 499", "write 500 to 10,000,000")]
    {
        let said = bench(dir.path(), &format!("growth {wrong}"));
        assert!(said.code == Some(2) && said.err.contains(why), "{wrong}: {}", said.err);
    }
}
