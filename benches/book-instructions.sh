#!/usr/bin/env bash
# Prints how many instructions an order takes on the exchange: the book alone, with exposure and events, and as a command
# of the whole state. callgrind counts the measured part of the stream of `cargo bench --bench book`.
# Usage: benches/book-instructions.sh [ORDERS]   (default 200,000; needs valgrind; some minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
orders=${1:-200000}
command -v valgrind >/dev/null || { echo "valgrind is needed: apt-get install valgrind" >&2; exit 1; }
bench=$(cargo bench -p betring-benches --bench book --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*book-[^"]*\)".*/\1/p' | tail -1)
[ -x "$bench" ] || { echo "the bench did not build: cargo bench -p betring-benches --bench book" >&2; exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for live in 1000 100000; do
    for which in book risk state; do
        BOOK_STREAM="$which $live $orders" valgrind --tool=callgrind --callgrind-out-file="$out/$which.$live" \
            --collect-atstart=no --toggle-collect='*book::measured*' "$bench" >/dev/null 2>&1
        total=$(grep -hm1 -E '^(summary|totals): ' "$out/$which.$live" | awk '{ print $2 }')
        printf '%-6s %7d orders at first: %5d instructions an order\n' "$which" "$live" $((total / orders))
    done
done
