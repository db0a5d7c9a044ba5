#!/usr/bin/env bash
# Takes one guard after the other out of a copy of the tree, and shows that the simulator or the auditor
# notices each. A line that says MISSED is a hole in the tests.
#
#   fuzz/mutations.sh [NAME...]       all of them, or those named
#
# The copy and its build live in $MUTATIONS_DIR (a new directory under /tmp unless it is set, then it is kept
# and the next run builds faster). The working tree is never touched.
set -u
cd "$(dirname "$0")/.."
kept=${MUTATIONS_DIR:-}
dir=${kept:-$(mktemp -d)}
mkdir -p "$dir/tree"
[ -n "$kept" ] || trap 'rm -rf "$dir"' EXIT
export CARGO_TARGET_DIR=$dir/target CARGO_INCREMENTAL=1
export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=0

copy() {
    tar c --exclude ./target --exclude ./.git --exclude fuzz/fuzz_targets/target . | tar x -C "$dir/tree"
}

sim() {
    (cd "$dir/tree" && cargo build -q --release -p betring-fuzz --bin sim) > "$dir/build.log" 2>&1 || return 9
    "$CARGO_TARGET_DIR/release/sim" "$@" > "$dir/sim.log" 2>&1
}

missed=0
row() { printf '| %-34s | %-9s | %s |\n' "$1" "$2" "$3"; }

# mutate NAME FILE PERL SIM-ARGUMENTS…
mutate() {
    local name=$1 file=$2 change=$3
    shift 3
    if [ ${#only[@]} -gt 0 ] && [[ ! " ${only[*]} " == *" $name "* ]]; then return; fi
    cp "$dir/tree/$file" "$dir/sound"
    perl -0pi -e "$change" "$dir/tree/$file"
    if cmp -s "$dir/tree/$file" "$dir/sound"; then
        row "$name" NOT-FOUND "the guard is not in $file as it was: mend this script"
        missed=1
        return
    fi
    sim 0x5eed --threads 2 --quick "$@"
    case $? in
    0) row "$name" MISSED "$(grep -o '^[0-9]* nights: [0-9]* crashes' "$dir/sim.log")"; missed=1 ;;
    9) row "$name" NO-BUILD "$(grep -m1 '^error' "$dir/build.log")"; missed=1 ;;
    *) row "$name" caught "$(grep -A1 -m1 VIOLATION "$dir/sim.log" | tail -1 | cut -c1-110)" ;;
    esac
    cp "$dir/sound" "$dir/tree/$file"
}

only=("$@")
bare=(--bare --runs 400 --steps 600)
whole=(--engine --runs 400 --steps 300)
copy
if ! sim 0x5eed "${bare[@]}" --quick; then
    echo "the sound tree does not pass:"
    tail -20 "$dir/build.log" "$dir/sim.log"
    exit 1
fi
row 'what was taken out' outcome 'what was said'
row '---' '---' '---'

mutate sync journal/src/writer.rs \
    's/if let Err\(e\) = self\.map\.sync_range\(start, len\)/if let Err(e) = Ok::<(), std::io::Error>(())/' "${bare[@]}"
mutate record-crc journal/src/frame.rs \
    's/if check == RecordCheck::Crc\s+&& header\.crc/if false \&\& check == RecordCheck::Crc \&\& header.crc/' "${bare[@]}"
mutate directory-sync journal/src/writer.rs \
    's/store\.sync_dir\(\)\.map_err\(at\("sync the directory of"\)\)\?;//' "${bare[@]}"
mutate one-frame-in-flight journal/src/writer.rs \
    's/if let Err\(e\) = self\.map\.sync_range\(start, len\) \{\s+return Err\(self\.poison\("sync", e\)\);\s+\}/let late = self.stats.frames % 2 == 0; if !late { if let Err(e) = self.map.sync_range(0, start + len) { return Err(self.poison("sync", e)); } }/; s/self\.durable\.advance\(last_seq\);/if !late { self.durable.advance(last_seq); }/' "${bare[@]}"
mutate failed-sync-is-forgotten journal/src/recovery.rs \
    's/trust_the_device\(&store, last\)\?;/let _ = last;/; s/fn trust_the_device/#[allow(dead_code)] fn trust_the_device/' "${bare[@]}"
mutate key-lookup core/logic/src/state.rs \
    's/(if let Some\(entry\) = self\.keys\.find\(at, hash, header\.account, header\.key\)) \{/$1.filter(|_| false) {/' "${bare[@]}"
mutate valid-until core/logic/src/state.rs \
    's/\} else if valid_until < at \{/} else if false {/' "${bare[@]}"
mutate seal-of-resolve core/logic/src/state.rs \
    's/if header\.key != RequestKey::NONE \{\s+let sealed/if header.key != RequestKey::NONE \&\& !matches!(command, Command::Resolve(_)) { let sealed/' "${bare[@]}"
mutate staleness core/logic/src/place.rs \
    's/if too_old \|\| too_slow \{/if false \&\& (too_old || too_slow) {/' "${bare[@]}"
mutate one-side-of-a-posting core/logic/src/ledger.rs \
    's/let to = self\.post\(book, to, amount, currency\);/let to = self.post(book, to, 0 * amount, currency);/' "${bare[@]}"
mutate market-settles-once core/logic/src/market.rs \
    's/\(Defined \| Open \| Closed, MarketStep::Result\)/(Defined | Open | Closed | Settled, MarketStep::Result)/' "${bare[@]}"
mutate non-runner-is-void core/logic/src/settlement.rs \
    's/match selection\.withdrawn \{/match selection.withdrawn \&\& false {/' --bare --runs 2000 --steps 600
mutate run-without-a-first-record core/logic/src/state.rs \
    's/self\.seq != Seq\(0\) && self\.epoch < body\.epoch,/self.seq != Seq(0) \&\& body.epoch.0 == self.epoch.0 + 1,/' "${bare[@]}"
mutate snapshot-checksums journal/src/snapshot_file.rs \
    's/if end\[\.\.4\] != index\.to_le_bytes\(\) \|\| end\[4\.\.\] != crc\.to_le_bytes\(\) \{/if false \&\& end[4..] != crc.to_le_bytes() {/; s/if bytes != expected\.as_bytes\(\) \{/if false \&\& bytes != expected.as_bytes() {/' "${bare[@]}"
mutate snapshot-digest core/logic/src/snapshot.rs \
    's/if found != expected \{/if false \&\& found != expected {/' "${bare[@]}"
mutate snapshot-sync journal/src/snapshot_file.rs \
    's/file\.sync\(\)\.map_err\(at\("sync"\)\)\n\}/Ok(())\n}/' "${bare[@]}"
mutate snapshot-directory-sync journal/src/snapshot_file.rs \
    's/store\.sync_dir\(\)\.map_err\(Error::at\(store, &name, "sync the directory of", 0\)\)/Ok(())/' "${bare[@]}"
mutate two-snapshots-are-kept journal/src/snapshot_file.rs \
    's/if valid == SNAPSHOTS_KEPT \{/if valid == 1 {/' "${bare[@]}"
mutate snapshot-ahead journal/src/recovery.rs \
    's/if self\.left == 0 \{/if true {/' "${bare[@]}"
mutate snapshot-elsewhere journal/src/recovery.rs \
    's/if in_frame && anchor\.position/if false \&\& in_frame \&\& anchor.position/' "${bare[@]}"
mutate archive-behind-the-older journal/src/archive.rs \
    's/kept\.get\(SNAPSHOTS_KEPT - 1\)/kept.first()/' "${bare[@]}"
mutate archive-without-the-record journal/src/archive.rs \
    's/&here\[\.\.with_record\]/\&here[..=with_record]/' "${bare[@]}"
mutate level-gate core/engine/src/egress.rs \
    's/\.is_some_and\(\|r\| r\.as_of\.0 <= released\)/.is_some_and(|r| r.as_of.0 <= released || true)/' "${whole[@]}"
mutate credit core/engine/src/egress.rs \
    's/if self\.credit <= self\.asked\.len\(\) \+ commands \{/if false \&\& self.credit <= self.asked.len() + commands {/' "${whole[@]}"
mutate snapshot-of-what-is-durable core/engine/src/engine.rs \
    's/self\.snapshots\.take\(Seq\(self\.shared\.durable\.get\(\)\)\)/self.snapshots.take(Seq(self.shared.decided.load(Ordering::Acquire)))/' "${whole[@]}"

exit $missed
