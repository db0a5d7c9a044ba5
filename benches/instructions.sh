#!/usr/bin/env bash
# Counts the instructions of every row of benches/instructions under callgrind and compares them with
# benches/instructions.budget: fails if one is more than 5 % above, or if rows and budget are not the same.
# Usage: benches/instructions.sh [--update]   (--update writes the budget; needs valgrind; a quarter of a minute once built)
set -euo pipefail
cd "$(dirname "$0")/.."
budget=$PWD/benches/instructions.budget
update=${1:-}
case $update in '' | --update) ;; *) echo "usage: benches/instructions.sh [--update]" >&2; exit 1 ;; esac
command -v valgrind >/dev/null || { echo "valgrind is needed: apt-get install valgrind" >&2; exit 1; }

# The same code everywhere: as .ci/run builds the release programs, whose libraries these are, and for any processor.
unset RUSTFLAGS
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=2 CARGO_PROFILE_RELEASE_DEBUG=0
program=$(cargo build --release --workspace --bin instructions --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
[ -x "$program" ] || { echo "it did not build: cargo build --release --workspace --bin instructions" >&2; exit 1; }

# The same run everywhere: the stack begins where no variable and no path moves it, and the C library copies bytes as on
# a processor without AVX2.
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
plain='glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM'
(cd "$(dirname "$program")" && env -i PATH="$PATH" GLIBC_TUNABLES="$plain" valgrind --tool=callgrind \
    --callgrind-out-file="$out/dump" --collect-atstart=no --toggle-collect='instructions::measured' \
    --dump-after='instructions::measured' ./instructions) > "$out/rows" 2> "$out/log" ||
    { cat "$out/log" >&2; echo "FAILED: $program under callgrind" >&2; exit 1; }

# A dump has what one call cost, in the order of the calls; of every call the program printed how many things it did of
# which row. Nothing to round in awk: its numbers are exact to 2^53.
calls=$(wc -l < "$out/rows")
seq -f "$out/dump.%.0f" 1 "$calls" | xargs grep -hm1 -E '^(summary|totals): ' | awk '{ print $2 }' > "$out/costs"
[ "$(wc -l < "$out/costs")" -eq "$calls" ] || { echo "FAILED: callgrind did not count every row" >&2; exit 1; }
paste -d ' ' "$out/costs" "$out/rows" | awk '
    { name = $0; sub(/^[0-9]+ [0-9]+ /, "", name)
      if (!(name in cost)) order[++rows] = name
      cost[name] += $1; times[name] += $2 }
    END { for (i = 1; i <= rows; i++) printf "%9.0f  %s\n", cost[order[i]] / times[order[i]], order[i] }' > "$out/table"

built="$(rustc --version | cut -d ' ' -f 1,2), $(valgrind --version)"
if [ "$update" = --update ]; then
    { echo "# Instructions each, as benches/instructions.sh --update counts them. $built"; cat "$out/table"; } > "$budget"
    cat "$budget"
    exit
fi
[ -e "$budget" ] || { echo "there is no $budget: benches/instructions.sh --update" >&2; exit 1; }
awk -v built="$built" '
    { number = $1; name = $0; sub(/^ *[0-9]+  /, "", name) }
    FNR == NR && /^#/ { made = $0; sub(/^.*counts them\. /, "", made); next }
    FNR == NR { budget[name] = number; next }
    FNR == 1 { printf "%9s %9s %8s  row\n", "each", "budget", "" }
    !(name in budget) { printf "%9d %9s %8s  %s\n", number, "none", "", name
                        wrong = wrong "  " name ": it has no budget\n"; next }
    { by = 100 * (number - budget[name]) / budget[name]
      printf "%9d %9d %+7.1f%%  %s\n", number, budget[name], by, name
      said = sprintf("  %s: %d instructions, the budget is %d, %+.1f %%\n", name, number, budget[name], by)
      if (105 * budget[name] < 100 * number) wrong = wrong said
      if (100 * number < 90 * budget[name]) below = below said
      seen[name] }
    END {
        for (name in budget) if (!(name in seen)) wrong = wrong "  " name ": it has a budget and is not measured\n"
        if (below) printf "well below: lower the budget with benches/instructions.sh --update\n%s", below
        if (!wrong) exit
        printf "FAILED: above the budget by more than 5 %%, or not in it\n%s", wrong
        if (made != built) printf "The budget was counted with %s, this is %s: that alone may be the reason.\n", made, built
        print "If it is not meant, look where it goes: callgrind_annotate on what valgrind --tool=callgrind writes of\n" \
            "target/release/instructions. If it is: benches/instructions.sh --update, and say why in the commit."
        exit 1
    }' "$budget" "$out/table" > "$out/compared" && good=1 || good=
cat "$out/compared"
[ "$good" ]
