#!/usr/bin/env bash
# Usage: fuzz/run-targets.sh [SECONDS]
# Runs every fuzz target under libFuzzer with AddressSanitizer; all share the given seconds (240), the
# build not counted. Prints cov and ft of each; fails on any crash, hang, leak or too much memory.
# Brings cargo-fuzz itself, into cargo's home. New inputs are kept between runs in the build folder; one
# that breaks a rule is shown with the command that repeats it, and belongs into fuzz/regressions/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-240}
version=0.13.2
targets=(commands state journal keys recordings)
project=fuzz/fuzz_targets
kept=$project/target/kept
found=$project/artifacts
# An input is a few hundred bytes; what it needs is a few megabytes.
bounds=(-timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=256 -max_len=4096 -len_control=10)

if [ "$(cargo fuzz --version 2>/dev/null | awk '{print $2}')" != "$version" ]; then
    if ! cargo install --locked --quiet cargo-fuzz --version "$version"; then
        echo "SKIPPED: cargo-fuzz $version cannot be had here, so libFuzzer did not run; the inputs" \
            "known so far run in: cargo test -p betring-fuzz --test targets" >&2
        exit 0
    fi
fi

# AddressSanitizer and coverage are options of the compiler that a stable one hides; only here, because
# build scripts would take it for a nightly one. Optimised a little: that builds in half the time, and the targets are
# as quick but for `state`, which tries about a third fewer inputs.
RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 cargo fuzz build --fuzz-dir "$project"
host=$(rustc -vV | sed -n 's/^host: //p')

# As cargo-fuzz runs them: the same symbol in two libraries is no finding.
export ASAN_OPTIONS="detect_odr_violation=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

each=$((seconds / ${#targets[@]}))
[ "$each" -gt 0 ] || each=1
failed=()
for target in "${targets[@]}"; do
    mkdir -p "$kept/$target" "$found/$target"
    inputs=("$kept/$target" "fuzz/corpus/$target")
    [ -d "fuzz/regressions/$target" ] && inputs+=("fuzz/regressions/$target")
    [ -f "$project/$target.dict" ] && inputs=("-dict=$project/$target.dict" "${inputs[@]}")
    log=$kept/$target.log
    if "$project/target/$host/release/$target" "-artifact_prefix=$found/$target/" \
        "-max_total_time=$each" "${bounds[@]}" "${inputs[@]}" >"$log" 2>&1; then
        outcome=clean
    else
        outcome=BROKEN
        failed+=("$target")
    fi
    line=$(grep -a 'cov:' "$log" | tail -1 || true)
    figure() { sed -n "s/.*$1: *\([0-9]*\).*/\1/p" <<<"$line"; }
    printf '%-11s %s  cov %s  ft %s  inputs tried %s  in %s s\n' "$target" "$outcome" \
        "$(figure cov)" "$(figure ft)" "$(sed -n 's/^#\([0-9]*\).*/\1/p' <<<"$line")" "$each"
    if [ "$outcome" = BROKEN ]; then
        grep -a -m1 -A3 -e panicked -e 'ERROR: ' "$log" >&2 || tail -5 "$log" >&2
        echo "repeat: $project/target/$host/release/$target $(sed -n 's/.*Test unit written to //p' "$log" | tail -1)" >&2
    fi
done

if [ "${#failed[@]}" -gt 0 ]; then
    echo "FAILED: ${failed[*]}" >&2
    exit 1
fi
