//! The check against what is known of real recordings.

use std::path::{Path, PathBuf};

use betring_betfair::FeedCheck;
use serde_json::Value;

pub(crate) fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/betfair")
}

#[test]
fn the_check_equals_the_ground_truth_in_every_field_of_every_market() {
    let folder = recordings();
    let Ok(truth) = std::fs::read_to_string(folder.join("ground_truth.json")) else {
        println!("SKIPPED: no recordings");
        return;
    };
    let truth: Value = serde_json::from_str(&truth).expect("the ground truth is JSON");
    let entries = std::fs::read_dir(&folder).expect("the folder can be listed");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "bz2"));
    files.sort();

    let check = FeedCheck::of(&files);
    assert!(check.is_clean(), "every line can be read\n{check}");
    let check: Value = serde_json::from_str(&check.to_json()).expect("the check is JSON");

    let mut compared = 0;
    for market in truth.as_object().expect("sources").values() {
        for (id, expected) in market.as_object().expect("markets") {
            let files = check["files"].as_array().expect("files");
            let found: Vec<&Value> =
                files.iter().map(|file| &file["markets"][id]).filter(|it| !it.is_null()).collect();
            assert_eq!(found.len(), 1, "market {id} is in one file");
            for (field, expected) in expected.as_object().expect("fields") {
                assert_eq!(&found[0][field], expected, "market {id}, {field}");
            }
            assert_eq!(found[0], expected, "market {id} has no field beyond the known ones");
            compared += 1;
        }
    }
    assert_eq!(compared, 10, "all known markets were compared");
}
