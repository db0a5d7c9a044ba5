#!/usr/bin/env bash
# Prints one table, as Markdown, of betring-pricing beside open-source peers in Rust and Python: whether they come to
# the same numbers, and how long each takes. Fails if one does not that should.
# Usage: benches/peers/pricing.sh > table.md     (five minutes the first time, one after that)
# Needs cargo, a C compiler, pkg-config and OpenSSL's headers (a dependency of brumby's downloads races), and Python 3.11
# or later with venv: PYTHON=python3.11 names another than python3. All that it makes is in target/peers.
set -euo pipefail
cd "$(dirname "$0")/../.."
peers=benches/peers
target=target/peers
fail() { echo "$1" >&2; exit 1; }

[ -d "$target/venv" ] || "${PYTHON:-python3}" -m venv "$target/venv" || fail "Python made no venv: is python3-venv there?"
grep -v '^#' "$peers/requirements.txt" | while read -r package; do
    "$target/venv/bin/pip" install --quiet --disable-pip-version-check "$package" >&2 ||
        fail "pip could not get $package"
done
cargo fetch --quiet --locked --manifest-path "$peers/Cargo.toml" || fail "cargo could not get the crate that it names above"
cargo build --quiet --release --locked --manifest-path "$peers/Cargo.toml" --target-dir "$target" --features pricing --bin pricing ||
    fail "the program did not build"
"$target/venv/bin/python" "$peers/pricing.py" "$target/release/pricing"
