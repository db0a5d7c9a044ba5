//! What the reader of recordings promises, one file a subject.

mod book;
#[path = "../../examples/derby.rs"]
#[allow(dead_code, reason = "the example's own main is not called here")]
mod derby;
mod files;
mod lines;
mod merged;
mod numbers;
mod robust;
mod shipped;
mod truth;
mod updates;

use std::io::Cursor;

use betring_betfair::Recording;

/// A recording of these bytes, called `test.jsonl`.
fn recording(bytes: impl AsRef<[u8]>) -> Recording {
    Recording::read("test.jsonl", Cursor::new(bytes.as_ref().to_vec()))
}

/// One line: a message at `pt` milliseconds with these `mc` entries.
fn mcm(pt: i64, changes: &str) -> String {
    format!("{{\"op\":\"mcm\",\"clk\":\"c\",\"pt\":{pt},\"mc\":[{changes}]}}\n")
}

/// A definition of these status and runners.
fn defined(status: &str, more: &str, runners: &str) -> String {
    format!("\"marketDefinition\":{{\"status\":\"{status}\"{more},\"runners\":[{runners}]}}")
}
