//! The fuzz targets on stable, without libFuzzer: every seed, and every input that once broke a rule.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use betring_fuzz::targets::{ALL, Target, seeds};

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target)
}

/// The files of a folder with their names, in order.
fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut inputs: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("the folder can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, fs::read(&path).expect("the file can be read"))
        })
        .filter(|(name, _)| name != "README.md")
        .collect();
    inputs.sort();
    inputs
}

fn replay(kind: &str) -> usize {
    let mut replayed = 0;
    for (name, target) in ALL {
        for (file, bytes) in inputs(&folder(kind, name)) {
            run(name, &file, target, &bytes);
            replayed += 1;
        }
    }
    replayed
}

fn run(name: &str, file: &str, target: Target, bytes: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| target(bytes)));
    assert!(outcome.is_ok(), "target {name} breaks on {file}; its rule is told above");
}

#[test]
fn every_seed_keeps_every_rule() {
    assert!(ALL.len() <= replay("corpus"), "there are seeds for every target");
}

#[test]
fn every_input_that_once_broke_a_rule_keeps_it_now() {
    replay("regressions");
}

#[test]
fn the_committed_seeds_are_those_that_the_code_makes() {
    let made = seeds();
    for (name, _) in ALL {
        let mut made: Vec<(String, Vec<u8>)> = made
            .iter()
            .filter(|seed| seed.target == name)
            .map(|seed| (seed.name.to_owned(), seed.bytes.clone()))
            .collect();
        made.sort();
        let same = inputs(&folder("corpus", name)) == made;
        assert!(same, "corpus/{name} is old: cargo run -p betring-fuzz --example seeds");
    }
}

/// Cut anywhere, every seed is an input like any other.
#[test]
fn every_seed_may_end_early() {
    for seed in seeds() {
        let Some((_, target)) = ALL.iter().find(|(name, _)| *name == seed.target) else {
            panic!("{} belongs to no target", seed.name);
        };
        let step = 1 + seed.bytes.len() / 16;
        for len in (0..seed.bytes.len()).step_by(step) {
            run(seed.target, seed.name, *target, &seed.bytes[..len]);
        }
    }
}
