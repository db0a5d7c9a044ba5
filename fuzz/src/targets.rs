//! The bodies of the fuzz targets: what must hold for any bytes at all.
//!
//! Each takes bytes and panics when a rule is broken. libFuzzer calls them from the binaries in
//! `fuzz/fuzz_targets`; a plain `cargo test` calls them with every file of `fuzz/corpus` (small
//! seeds, made by `cargo run -p betring-fuzz --example seeds`) and of `fuzz/regressions` (inputs that
//! once broke a rule). A target knows nothing of libFuzzer, so both see the same rules.
//!
//! ```text
//! commands     bytes read as a command, an answer, a reply, events; what is read writes the same
//! state        any sequence of commands: every invariant after every one, and replay
//! journal      a directory of damaged or forged files: opened, verified, read, written to
//! keys         requests and their copies at any moments: one execution, one answer
//! recordings   lines of a stream recording: read, translated, checked
//! ```

mod commands;
mod desk;
mod journal;
mod keys;
mod recordings;
mod state;
mod tape;

pub use commands::commands;
pub use journal::journal;
pub use keys::keys;
pub use recordings::recordings;
pub use state::state;

/// What is called with any bytes: it panics when a rule is broken.
pub type Target = fn(&[u8]);

/// Every target by its name: that of its binary, and of its folders in `corpus` and `regressions`.
pub const ALL: [(&str, Target); 5] = [
    ("commands", commands),
    ("state", state),
    ("journal", journal),
    ("keys", keys),
    ("recordings", recordings),
];

/// A small input that leads a target to somewhere that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The target.
    pub target: &'static str,
    /// Where it leads.
    pub name: &'static str,
    /// The input.
    pub bytes: Vec<u8>,
}

/// Every seed, always the same: the committed corpus is made of them.
pub fn seeds() -> Vec<Seed> {
    let of = |target, seeds: Vec<(&'static str, Vec<u8>)>| {
        seeds.into_iter().map(move |(name, bytes)| Seed { target, name, bytes })
    };
    of("commands", commands::seeds())
        .chain(of("state", state::seeds()))
        .chain(of("journal", journal::seeds()))
        .chain(of("keys", keys::seeds()))
        .chain(of("recordings", recordings::seeds()))
        .collect()
}
