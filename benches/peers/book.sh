#!/usr/bin/env bash
# Prints one table, as Markdown, of our exchange book beside other order books, on one stream of orders: whether they
# trade the same, and how long a command takes. Fails if one does not that should.
# Usage: benches/peers/book.sh > table.md     (ten minutes the first time, four after that)
# Needs cargo, and for their rows Java 17 or later and Maven: apt-get install openjdk-17-jdk-headless maven. All that it makes is in
# target/peers, but for Maven's own store of packages.
set -euo pipefail
cd "$(dirname "$0")/../.."
peers=benches/peers
target=target/peers
fail() { echo "$1" >&2; exit 1; }

cargo fetch --quiet --locked --manifest-path "$peers/Cargo.toml" || fail "cargo could not get the crate that it names above"
cargo build --quiet --release --locked --manifest-path "$peers/Cargo.toml" --target-dir "$target" --features book --bin book ||
    fail "the program did not build"
book=$target/release/book

work=$(mktemp -d "$target/book.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

rows=()
missing=()
if command -v java > "$work/none" && command -v mvn > "$work/none"; then
    mvn -q -B -f "$peers/java/pom.xml" compile > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log" >&2; fail "the Java program did not build"; }
    mkdir "$work/streams"
    "$book" write "$work/streams"
    # All memory from the start, and a collector that asks little of the thread that is measured.
    java -Xms1g -Xmx1g -XX:+UseParallelGC -XX:+AlwaysPreTouch -cp "$target/java/classes:$target/java/dependency/*" \
        Books "$work"/streams/* > "$work/rows" || fail "exchange-core did not play the streams"
    rows=("$work/rows")
else
    missing+=("Java or Maven is not installed, so exchange-core is left out: apt-get install openjdk-17-jdk-headless maven")
fi

echo "$(git describe --always --dirty), $(rustc --version)"
"$book" "${rows[@]}"
for line in "${missing[@]}"; do echo "- **$line**"; done
