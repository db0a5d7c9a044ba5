#!/usr/bin/env bash
# Prints one table, as Markdown, of our exchange book beside other order books, on one stream of orders: whether they
# trade the same, and how long a command takes. Fails if one does not that should.
# Usage: benches/peers/book.sh > table.md     (ten minutes the first time, three after that)
# Needs cargo. All that it makes is in target/peers.
set -euo pipefail
cd "$(dirname "$0")/../.."
peers=benches/peers
target=target/peers
fail() { echo "$1" >&2; exit 1; }

cargo fetch --quiet --locked --manifest-path "$peers/Cargo.toml" || fail "cargo could not get the crate that it names above"
cargo build --quiet --release --locked --manifest-path "$peers/Cargo.toml" --target-dir "$target" --features book --bin book ||
    fail "the program did not build"
echo "$(git describe --always --dirty), $(rustc --version)"
"$target/release/book"
