//! The page of what operators ask for: every row is there, and what it names exists.

use crate::book::betring;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rows about the core, of the three parts.
const ROWS: &[std::ops::RangeInclusive<u32>] =
    &[1..=12, 14..=15, 17..=24, 26..=26, 28..=35, 37..=55, 57..=68, 70..=73];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The texts between backquotes.
fn quoted(row: &str) -> impl Iterator<Item = &str> {
    row.split('`').skip(1).step_by(2)
}

/// Every name of a test in the tree: functions, and scripts by their names.
fn tests_in(dir: &Path, names: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.map(|entry| entry.expect("listed")) {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                tests_in(&path, names);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            for line in text.lines().map(str::trim_start) {
                let function = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
                let script = line.strip_suffix(": \"");
                names.extend(function.or(script).map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_row_of_the_checklist_names_tests_and_commands_that_exist() {
    let page = std::fs::read_to_string(root().join("docs/checklist.md")).expect("the page");
    let mut tests = BTreeSet::new();
    for part in ["bindings", "core", "fuzz", "journal", "pricing", "benches"] {
        tests_in(&root().join(part), &mut tests);
    }
    let mut rows = Vec::new();
    let mut commands = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [number, asked, shown] = cells[..] else { panic!("three cells: {row}") };
        let Ok(number) = number.parse::<u32>() else { continue };
        assert!(!asked.is_empty() && !shown.is_empty(), "{row}");
        rows.push(number);
        for name in quoted(shown) {
            if let Some(command) = name.strip_prefix("betring ") {
                commands.insert(command.to_owned());
            } else if !name.starts_with("--") {
                assert!(tests.contains(name), "row {number} names no test: {name}");
            }
        }
        for path in shown.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(root().join("docs").join(path).exists(), "row {number} names no file: {path}");
        }
    }
    let expected: Vec<u32> = ROWS.iter().cloned().flatten().collect();
    assert_eq!(rows, expected, "each row once, in order");
    for command in commands {
        let said = betring(command.split(' ').chain(["--help"]));
        assert_eq!(said.code, Some(0), "there is no command betring {command}: {}", said.err);
    }
}
