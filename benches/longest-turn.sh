#!/usr/bin/env bash
# Prints the longest turn of the loop, in instructions, while BETS bets are settled, opened again,
# voided and lapse, and others are taken: callgrind counts every call of `measured_turn`, with and without the job.
# Usage: benches/longest-turn.sh [BETS]   (default 1,000,000; needs valgrind; minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
bets=${1:-1000000}
command -v valgrind >/dev/null || { echo "valgrind is needed: apt-get install valgrind" >&2; exit 1; }
bench=$(cargo bench -p betring-benches --bench big_jobs --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*big_jobs-[^"]*\)".*/\1/p' | tail -1)
[ -x "$bench" ] || { echo "the bench did not build: cargo bench -p betring-benches --bench big_jobs" >&2; exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
BIG_JOBS_BETS=$bets valgrind --tool=callgrind --callgrind-out-file="$out/turn" --collect-atstart=no \
    --toggle-collect='big_jobs::measured_turn' --dump-after='big_jobs::measured_turn' "$bench" 2>/dev/null
# Each dump holds what one turn cost.
for dump in "$out"/turn.*; do sed -n 's/^\(summary\|totals\): //p' "$dump" | head -1; done | sort -n |
    awk '{ t[NR] = $1 } END {
        printf "%d turns, instructions: p50 %d, p99 %d, longest %d\n", NR, t[int(NR/2)], t[int(NR*0.99)], t[NR] }'
