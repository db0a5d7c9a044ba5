//! What the logic promises, in sentences that a trader or an operator could check.

/// Scripts that hold, each a test; `ALL` lists them for those who look at all scripts together.
macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident: $text:literal;)*) => {
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $text),)*];
        $($(#[$doc])* #[test] fn $name() { betring_core::script::check($text); })*
    };
}

/// How many random cases a property tries: PROPTEST_CASES if it is set, else so many.
fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

mod afternoons;
mod archive;
mod capacity;
mod cash_outs;
mod chaos;
mod corrections;
mod coverage;
mod digests;
mod exchange;
mod factors;
mod feeds;
mod funds;
mod gates;
mod groups;
mod holds;
mod house;
mod images;
mod in_play;
mod keys;
mod language;
mod liability;
mod limits;
mod lines;
mod malformed;
mod mended;
mod model;
mod night_model;
mod night_prices;
mod offers;
mod orders;
mod own_limits;
mod permuted;
mod price_at_commit;
mod probes;
mod resolve;
mod restart;
mod rules;
mod samples;
mod seasons;
mod settlement;
mod shedding;
mod snapshot;
mod suspension;
mod tables;
mod tickets;
mod tiers;
mod vectors;
mod waits;
mod wire;
