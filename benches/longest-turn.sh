#!/usr/bin/env bash
# Prints the longest turn of the loop, in instructions, while BETS bets are settled, opened again,
# voided and lapse, and others are taken: callgrind counts every call of `measured_turn`, phase by phase.
# Usage: benches/longest-turn.sh [BETS]   (default 1,000,000; needs valgrind; half an hour)
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
    --toggle-collect='*settle::measured_turn' --dump-after='*settle::measured_turn' "$bench" 2>/dev/null |
    tee "$out/table"
# Each dump holds what one turn cost, in the order of the turns; the table says how many each phase has.
turns=$(find "$out" -name 'turn.*' | wc -l)
seq -f "$out/turn.%.0f" 1 "$turns" | xargs grep -hm1 -E '^(summary|totals): ' | awk '
    FILENAME != "-" { if ($3 ~ /^[0-9]+$/ && $2 ~ /^[0-9.]+$/) { name[++phases] = $1; left[phases] = $3 } next }
    FNR == 1 { at = 1 }
    { while (left[at] == 0 && at < phases) at++; left[at]--; print name[at], $2 }' "$out/table" - |
    sort -k1,1 -k2,2n | awk '
    function tell() { printf "%-9s %6d turns, instructions: p50 %7d, p99 %7d, longest %7d\n", phase, n, t[int((n+1)/2)], t[int(n*0.99)], t[n] }
    $1 != phase { if (n) tell(); phase = $1; n = 0 }
    { t[++n] = $2 }
    END { tell() }'
