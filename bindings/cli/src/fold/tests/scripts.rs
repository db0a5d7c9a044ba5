//! What the logic's own tests let happen is sound by the fold, too: it reads every script of theirs.

use super::*;
use betring_core::script;
use std::path::Path;

/// The scripts of a source file, by their names: `name: "…";`.
fn scripts_in(text: &str) -> Vec<(String, String)> {
    let mut scripts = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.trim().strip_suffix(": \"") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "\";").collect();
        scripts.push((name.to_owned(), body.join("\n")));
    }
    scripts
}

#[test]
fn every_script_of_the_logic_s_tests_is_sound_by_the_fold() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../core/logic/tests/it");
    let (mut read, mut unsound) = (0, Vec::new());
    for entry in std::fs::read_dir(dir).expect("the logic's tests") {
        let path = entry.expect("listed").path();
        let text = std::fs::read_to_string(&path).expect("a source file");
        for (name, body) in scripts_in(&text) {
            // Some are there to break.
            let Ok(report) = script::run(&body) else { continue };
            read += 1;
            let mut fold = Fold::new();
            for (at, record) in (1..).zip(&report.records) {
                let payload = [&record.command[..], &record.events].concat();
                let kind = u16::from(record.command[0]);
                fold.take(Entry { seq: Seq(at), at: record.at, kind, payload: &payload });
            }
            fold.finish();
            for finding in &fold.findings {
                unsound
                    .push(format!("{name}: {} {:?}: {}", finding.seq, finding.rule, finding.text));
            }
        }
    }
    assert!(300 < read, "there are scripts to read: {read}");
    assert!(unsound.is_empty(), "{}", unsound.join("\n"));
}
