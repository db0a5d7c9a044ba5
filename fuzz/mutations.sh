#!/usr/bin/env bash
# Takes one guard after the other out of a copy of the tree, and shows that the simulator or the auditor
# says so, or the test that is named. A line that says MISSED is a hole in the tests; one that says BROKE is a
# simulator that ended in another way than with a violation, which shows nothing.
#
#   fuzz/mutations.sh [NAME...]             all of them, or those named
#   MUTATIONS_RANDOM=N fuzz/mutations.sh    so many, drawn by chance and printed
#
# The copy and its build live in $MUTATIONS_DIR (a new directory under /tmp unless it is set, then it is kept
# and the next run builds faster). The working tree is never touched.
set -u
case ${1:-} in
-h | --help)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    echo "They are:"
    sed -nE 's/^(mutate|fails) ([a-z-]+) .*/  \2/p' "$0"
    exit
    ;;
esac
cd "$(dirname "$0")/.."
kept=${MUTATIONS_DIR:-}
dir=${kept:-$(mktemp -d)}
mkdir -p "$dir/tree"
[ -n "$kept" ] || trap 'rm -rf "$dir"' EXIT
export CARGO_TARGET_DIR=$dir/target CARGO_INCREMENTAL=1
export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=0

# What a run that was ended left in a kept copy is written over, with today's date: else nothing would be built anew.
copy() {
    tar c --exclude ./target --exclude ./.git --exclude fuzz/fuzz_targets/target . | tar xm -C "$dir/tree"
}

sim() {
    (cd "$dir/tree" && cargo build -q --release -p betring-fuzz --bin sim) > "$dir/build.log" 2>&1 || return 9
    # What a mutant does for ever, it does no longer than this: 124 is how `timeout` tells.
    timeout 900 "$CARGO_TARGET_DIR/release/sim" "$@" > "$dir/sim.log" 2>&1
}

missed=0
row() { printf '| %-34s | %-9s | %s |\n' "$1" "$2" "$3"; }

# wanted NAME: whether it is to be run.
wanted() { [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $1 "* ]]; }

# change NAME FILE PERL: changes the copy, if there is something to change.
change() {
    cp "$dir/tree/$2" "$dir/sound"
    perl -0pi -e "$3" "$dir/tree/$2"
    if cmp -s "$dir/tree/$2" "$dir/sound"; then
        row "$1" NOT-FOUND "the guard is not in $2 as it was: mend this script"
        missed=1
        return 1
    fi
}

# mutate NAME FILE PERL SIM-ARGUMENTS…: the simulator says VIOLATION, and which.
mutate() {
    local name=$1 file=$2
    wanted "$name" || return
    change "$name" "$file" "$3" || return
    shift 3
    sim 0x5eed --threads 2 --quick "$@"
    local status=$?
    local said=$(grep -A1 -m1 '^VIOLATION$' "$dir/sim.log" | tail -1 | cut -c1-110)
    if [ $status -eq 9 ]; then
        row "$name" NO-BUILD "$(grep -m1 '^error' "$dir/build.log")"
        missed=1
    elif [ $status -eq 0 ]; then
        row "$name" MISSED "$(grep -o '^[0-9]* nights: [0-9]* crashes' "$dir/sim.log")"
        missed=1
    elif [ $status -eq 1 ] && [ -n "$said" ]; then
        row "$name" caught "$said"
    else
        row "$name" BROKE "the simulator ended with $status: $(tail -1 "$dir/sim.log" | cut -c1-80)"
        missed=1
    fi
    cp "$dir/sound" "$dir/tree/$file"
}

# fails NAME FILE PERL PACKAGE TARGET TEST: for what the simulator does not come to, this test fails, by its
# own assertion, and passes without the change.
fails() {
    local name=$1 file=$2 package=$4 target=$5 test=$6
    wanted "$name" || return
    run_test() {
        (cd "$dir/tree" && timeout 900 cargo test -q --release -p "$package" --test "$target" -- "$test") > "$dir/test.log" 2>&1
    }
    if ! run_test || ! grep -q 'test result: ok\. [1-9]' "$dir/test.log"; then
        row "$name" BROKE "on the sound tree $test does not pass"
        missed=1
        return
    fi
    change "$name" "$file" "$3" || return
    if run_test; then
        row "$name" MISSED "$test passes"
        missed=1
    elif grep -q 'test result: FAILED' "$dir/test.log"; then
        row "$name" caught "$test: $(grep -A1 -m1 ' panicked at ' "$dir/test.log" | tail -1 | cut -c1-80)"
    else
        row "$name" NO-BUILD "$(grep -m1 '^error' "$dir/test.log")"
        missed=1
    fi
    cp "$dir/sound" "$dir/tree/$file"
}

only=("$@")
if [ "${MUTATIONS_RANDOM-1}" = 0 ]; then
    echo "MUTATIONS_RANDOM=0 draws none, which shows nothing"
    exit 2
fi
names=$(sed -nE 's/^(mutate|fails) ([a-z-]+) .*/\2/p' fuzz/mutations.sh)
for name in "${only[@]}"; do
    grep -qxF -- "$name" <<< "$names" || { echo "there is no mutation $name; there are:" $names; exit 2; }
done
if [ -n "${MUTATIONS_RANDOM:-}" ]; then
    mapfile -t only < <(shuf -n "$MUTATIONS_RANDOM" <<< "$names")
    echo "drawn: ${only[*]}"
fi
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
    's/store\.sync_dir\(\)\.map_err\(at\("sync the directory of"\)\)\?;//' --bare --runs 2000 --steps 600
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
mutate staleness core/logic/src/quote.rs \
    's/let stale = \|bound\| bound != Nanos::ZERO/let stale = |bound| false \&\& bound != Nanos::ZERO/' "${bare[@]}"
mutate one-side-of-a-posting core/logic/src/ledger.rs \
    's/let to = self\.post\(book, to, amount, currency\);/let to = self.post(book, to, 0 * amount, currency);/' "${bare[@]}"
mutate settlement-version core/logic/src/settlement.rs \
    's/self\.reverse\(index, cause, events\);/return;/' "${bare[@]}"
mutate cancelled-window core/logic/src/settlement.rs \
    's/if self\.windows\.covers\(market\.windows, bet\.placed_at\) \{/if false \&\& self.windows.covers(market.windows, bet.placed_at) {/' "${bare[@]}"
mutate cash-out-freeze core/logic/src/cashout.rs \
    's/if self\.freezes\(index\)\.iter\(\)\.any\(\|level\| level\.holds\(\)\) \{/if false \&\& self.freezes(index).iter().any(|level| level.holds()) {/' --bare --runs 2000 --steps 600
mutate non-runner-is-void core/logic/src/settlement.rs \
    's/if selection\.withdrawn \{/if selection.withdrawn \&\& false {/' --bare --runs 2000 --steps 600
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
mutate answer-of-another-key core/logic/src/state.rs \
    's/let reply = self\.reply\(at, header, token, entry\.answer\);/let before = RequestKey(header.key.0.wrapping_sub(1)); let other = self.keys.find(at, self.key_hash(header.account, before), header.account, before); let reply = self.reply(at, header, token, other.map_or(entry.answer, |other| other.answer));/' "${whole[@]}"
mutate snapshot-of-what-is-durable core/engine/src/engine.rs \
    's/self\.snapshots\.take\(Seq\(self\.shared\.durable\.get\(\)\)\)/self.snapshots.take(Seq(self.shared.decided.load(Ordering::Acquire)))/' "${whole[@]}"
fails bonus-in-the-bound core/logic/src/place.rs \
    's/most = most\.max\(sum\(returns, lone\)\?\);/let _ = (sum(returns, lone)?, \&mut most);/' betring-core it a_lucky_bet_of_pennies_rounded_by_the_line_settles
fails part-of-the-cap core/logic/src/cashout.rs \
    's/value\.minor\(\)\.min\(cap_of\(bet, take\.minor\(\)\)\)/value.minor().min(bet.cap)/' betring-core it parts_of_a_capped_bet_bring_no_more_than_the_cap
mutate void-already core/logic/src/place.rs \
    's/holds\(\)\) \|\| cancelled\(\) \{/holds()) || (false \&\& cancelled()) {/' "${bare[@]}"
fails autos-first core/logic/src/settlement.rs \
    's/\(self\.steps \+ turn\) % 3 \{/(2 + turn) % 3 {/' betring-core it bets_settle_while_prices_move_where_bets_sell_themselves
fails overdrawn core/logic/src/place.rs \
    's/if funds < stake\.minor\(\) \{/if false \&\& funds < stake.minor() {/' betring-core it a_bet_needs_its_whole_stake
fails exposure core/logic/src/settlement.rs \
    's/self\.risk\.count\(at_place\(&bet, &leg, place\), withdrawn, sign\);/let _ = (at_place(\&bet, \&leg, place), withdrawn);/' betring-core it a_market_may_lose_its_limit_and_not_a_penny_more
fails refusal-changes-nothing core/logic/src/place.rs \
    's/Err\(answer\) => Err\(answer\),(\s+\};\s+self\.scratch = scratch;)/Err(answer) => { let of = self.ledger.accounts[account as usize]; if 0 < of.balance { self.ledger.transfer(of.currency, Side::Customer(account), Side::House(HouseAccount::Escrow), of.balance, TransferWhy::Stake, BetId::NONE, events); } Err(answer) }$1/' betring-core it of_two_gates_that_fail_the_earlier_answers
fails account-room core/logic/src/place.rs \
    's/if !account\.has_room_for\(returns\) \{/if false \&\& !account.has_room_for(returns) {/' betring-core it no_bet_is_taken_whose_winnings_an_account_could_not_hold

# A live night: feeds that part, prices that jump, wallets that are late, limits of one's own, what may be lost.
many=(--bare --runs 2000 --steps 600)
wallets=(--bare --wallets --runs 600 --steps 600)
mutate drift-gate core/logic/src/place.rs \
    's/if self\.has_drifted\(market, self\.tier_of\(market\)\.drift_dwell\) \{/if false \&\& self.has_drifted(market, self.tier_of(market).drift_dwell) {/' "${many[@]}"
mutate band-hold core/logic/src/quote.rs \
    's/if self\.is_implausible\(&to, sent\.price\) \{/if false \&\& self.is_implausible(\&to, sent.price) {/' "${many[@]}"
mutate schema-quarantine core/logic/src/feed.rs \
    's/if self\.schema != 0 && schema != self\.schema \{/if false \&\& self.schema != 0 \&\& schema != self.schema {/' "${many[@]}"
mutate recovery-of-another-request core/logic/src/feed.rs \
    's/FeedStatus::Recovering \| FeedStatus::Down => self\.request == request,/FeedStatus::Recovering | FeedStatus::Down => true,/' "${many[@]}"
mutate owner-of-the-backup core/logic/src/group.rs \
    's/Some\(group\) => suspension\.without\(group\.unheard\(\)\),/Some(group) if group.unheard() == Owner::Feed => suspension.without(Owner::Feed), Some(_) => suspension,/' "${many[@]}"
mutate switch-suspends core/logic/src/group.rs \
    's/group\.suspension\.seq = seq;/let _ = seq;/' "${many[@]}"
mutate pin-outranks core/logic/src/place.rs \
    's/if kept\.is_pinned\(\) \{\s+return Ok\(index\);/if false \&\& kept.is_pinned() { return Ok(index);/' "${many[@]}"
mutate age-bound-of-the-tier core/logic/src/quote.rs \
    's/if stale\(stricter\(market\.age_bound, tier\.age_bound\)\) \{/if stale(stricter(market.age_bound, Nanos::ZERO)) {/' "${many[@]}"
mutate hold-amount core/logic/src/hold.rs \
    's/if body\.amount\.0 != bet\.stake \{/if false \&\& body.amount.0 != bet.stake {/' "${wallets[@]}"
mutate hold-confirmed-late core/logic/src/hold.rs \
    's/if bet\.until < self\.now \{\s+return Err\(self\.no\(Reject::HoldEnded\)\);/if false { return Err(self.no(Reject::HoldEnded));/' "${wallets[@]}"
mutate suspended-before-confirmed core/logic/src/hold.rs \
    's/if self\.suspended_since\(bet\) \{\s+return Err\(self\.no\(Reject::MarketSuspended\)\);/if false { return Err(self.no(Reject::MarketSuspended));/' "${wallets[@]}"
mutate gates-when-confirmed core/logic/src/hold.rs \
    's/Moment::Confirmed, scratch/Moment::Again, scratch/' "${wallets[@]}"
mutate wallet-sweep core/logic/src/purse.rs \
    's/if kept\.external && matches!\(to, Side::Customer\(_\)\) && 0 < kept\.balance \{/if false \&\& kept.external \&\& matches!(to, Side::Customer(_)) \&\& 0 < kept.balance {/' "${wallets[@]}"
mutate probes-out-of-risk core/logic/src/settlement.rs \
    's/if !bet\.synthetic \{(\s+if bet\.is_plain)/if true {$1/' "${many[@]}"
mutate own-limit-lowest core/logic/src/limits.rs \
    's/(for kind in kinds \{\s+for period in )Period::ALL \{/$1\&Period::ALL[..1] {/' "${many[@]}"
mutate raise-waits core/logic/src/limits.rs \
    's/let wait = if looser \{ COOLING_OFF \} else \{ Nanos::ZERO \};/let wait = if looser \&\& false { COOLING_OFF } else { Nanos::ZERO };/' "${many[@]}"
mutate exclusion-is-not-shortened core/logic/src/limits.rs \
    's/if until <= account\.excluded\.max\(self\.now\) \{/if until <= account.excluded.min(self.now) {/' "${many[@]}"
mutate factors-are-multiplied core/logic/src/factors.rs \
    's/(\n        )scaled\(most, factors\)\n/$1scaled(most, [factors[5], WHOLE, WHOLE, WHOLE, WHOLE, WHOLE])\n/' "${many[@]}"
mutate liability-of-a-customer core/logic/src/liability.rs \
    's/most: most\.unwrap_or\(0\) \}/most: most.unwrap_or(0).max(i64::MAX.into()) }/' "${many[@]}"
mutate liability-of-a-selection core/logic/src/liability.rs \
    's/let most = i128::from\(limits\.max_selection\.0\);/let most = i128::from(i64::MAX);/' "${many[@]}"
mutate liability-of-a-market core/logic/src/liability.rs \
    's/let most = i128::from\(limits\.max_liability\.0\);/let most = i128::from(i64::MAX);/' "${many[@]}"
mutate liability-of-an-event core/logic/src/liability.rs \
    's/let most = i128::from\(limits\.max_event\.0\);/let most = i128::from(i64::MAX);/' "${many[@]}"
mutate drift-ends-with-a-result core/logic/src/quote.rs \
    's/market\.status\.after\(MarketStep::Close\)\?;//' "${many[@]}"
fails stake-counts-in-its-window core/logic/src/limits.rs \
    's/if once\.is_some_and\(\|once\| window\(once, \*period\) != number\) \{/if false \&\& once.is_some_and(|once| window(once, *period) != number) {/' betring-core it a_void_that_flips_on_a_later_day_uses_up_nothing_of_that_day
fails payout-taken-back-in-its-window core/logic/src/limits.rs \
    's/TransferWhy::Reverse => of\.map\(\|\(\.\., paid\)\| paid\),/TransferWhy::Reverse => None,/' betring-core it a_payout_that_is_taken_back_on_another_day_is_no_loss_of_that_day
fails void-taken-back-counts-again core/logic/src/limits.rs \
    's/let again =\s+why == TransferWhy::Reverse && of/let again = false \&\& why == TransferWhy::Reverse \&\& of/' betring-core it a_void_that_flips_on_a_later_day_uses_up_nothing_of_that_day
mutate recovery-behind-a-hole core/logic/src/feed.rs \
    's/\(if gap \{ Heard::Gap \} else \{ Heard::New \}, delay\)/(if false \&\& gap { Heard::Gap } else { Heard::New }, delay)/' "${many[@]}"
mutate another-tier-is-compared core/logic/src/tier.rs \
    's/self\.look_at_all_drifts\(index, events\);//' "${many[@]}"
mutate time-ahead-is-doubted core/logic/src/feed.rs \
    's/if bound != Nanos::ZERO && way\.0 < least \{/if false \&\& bound != Nanos::ZERO \&\& way.0 < least {/' "${many[@]}"

# The doors go by what the journal says of shedding.
mutate shedding-reaches-the-doors core/engine/src/decide.rs \
    's/if header\.kind == Kind::SetShedding as u8 \{/if false \&\& header.kind == Kind::SetShedding as u8 {/' "${whole[@]}"
mutate shedding-outlives-the-run core/engine/src/engine.rs \
    's/admission\.go_by\(state\.shedding\(\)\);/let _ = state.shedding();/' "${whole[@]}"
fails lost-price-of-another-handle core/engine/src/feed.rs \
    's/if desk\.leave_out_lost\(self\.handle, prices\.as_ref\(\)\) \{/if prices.is_some() \&\& desk.leave_out_lost(self.handle, prices.as_ref()) {/' betring it a_price_that_one_handle_of_a_feed_lost_is_not_confirmed_by_another_ones_heartbeat
fails first-price-that-is-lost core/engine/src/feed.rs \
    's/if self\.last == 0 \{/if false {/' betring it the_first_price_of_a_run_leaves_its_hole_too
fails last-word-of-the-governor core/engine/src/governor/queue.rs \
    's/if !decided && is_last \{/if !decided {/' betring it after_a_stall_what_was_taken_back_meanwhile_is_not_done
fails waiting-word-gives-way core/engine/src/governor/word.rs \
    's/\(self\.holds, self\.base, self\.by_hand\) = \(seen, seen\.what, true\);/self.holds = seen;/' betring it at_work_shedding_that_waits_for_the_ring_gives_way_to_a_traders_word
fails own-word-on-its-way core/engine/src/governor/word.rs \
    's/if self\.dry \|\| on_its_way \|\| seen == self\.holds \{/if self.dry || seen == self.holds {/' betring it what_was_seen_before_a_cap_came_into_force_is_not_taken_for_a_traders

# Orders that meet on an exchange: what is at risk, who waits, what a market that turns leaves, and who is paid.
trades=(--bare --runs 1500 --steps 800)
mutate exposure-judged-before core/logic/src/exchange/place.rs \
    's/(self\.risk_wanted\(index, position, 1, stale\);)\s+(let worst = self\.exchange\.exposure\(position, market\.winners\);)/$2 $1/' "${trades[@]}"
mutate stand-of-the-maker core/logic/src/exchange/meet.rs \
    's/(self\.took\(index, maker, tick, stake\);)/let (place, at) = { let row = \&self.exchange.rows[maker as usize]; (row.position, row.selection) }; let kept = *self.exchange.stand(place, at); $1 *self.exchange.stand(place, at) = kept;/' "${trades[@]}"
mutate persistence-at-the-turn core/logic/src/exchange/starting.rs \
    's/\} else if row\.persistence != Persistence::Persist \{/} else if true {/' "${trades[@]}"
mutate version-that-is-not-yet core/logic/src/exchange/place.rs \
    's/if version < body\.market_version \{/if false \&\& version < body.market_version {/' "${trades[@]}"
mutate version-that-was core/logic/src/exchange/place.rs \
    's/let stale = \|row: &OrderRow\| row\.version/let stale = |row: \&OrderRow| false \&\& row.version/' "${trades[@]}"
mutate delay-not-decided-again core/logic/src/exchange/meet.rs \
    's/if stale \|\| suspended \|\| barred \{/if stale {/' "${trades[@]}"
mutate order-that-was-replaced-stays core/logic/src/exchange/cancel.rs \
    's/self\.cancel\(index, at, self\.exchange\.rows\[at as usize\]\.left, events\);/let _ = at;/' "${trades[@]}"
mutate begun-order-keeps-its-turn core/logic/src/exchange/meet.rs \
    's/row\.turn = self\.exchange\.turn;//' "${trades[@]}"
mutate commission-on-losses core/logic/src/book/settle.rs \
    's/i128::from\(net\.max\(0\)\)/i128::from(net.abs())/' "${trades[@]}"
mutate reversal-of-commission core/logic/src/exchange/clear.rs \
    's/self\.transfer\(account, fees, own, fee, TransferWhy::Commission, none, events\);/let _ = fees;/' "${trades[@]}"
mutate starting-price-of-one-side core/logic/src/exchange/starting.rs \
    's/let least = close\.open\[0\]\.min\(close\.open\[1\]\);/let least = close.open[0];/' "${trades[@]}"
mutate lays-on-without-a-runner core/logic/src/exchange/withdrawn.rs \
    's/if least <= factor && row\.side/if false \&\& least <= factor \&\& row.side/' "${trades[@]}"
mutate result-of-other-winners core/logic/src/results.rs \
    's/\(market\.exchange && outcomes_of/(false \&\& outcomes_of/' "${trades[@]}"
mutate orders-that-fit core/logic/src/state.rs \
    's/if keys_full \|\| bets_full \|\| orders_full \{/if keys_full || bets_full || false \&\& orders_full {/' "${trades[@]}"

fails list-of-a-market-that-leaves core/logic/src/exchange/jobs.rs \
    's/next => self\.exchange\.rows\[next as usize\]\.prev = prev,/_ => (),/' betring-core it orders_of_a_market_that_leaves_memory_step_by_step_are_in_nobodys_way
mutate price-cut-by-itself core/logic/src/exchange/parts.rs \
    's/let one_price = parts == NONE && whole\.is_at\(odds_e4\);/let one_price = parts == NONE;/' "${trades[@]}"
mutate barred-maker core/logic/src/exchange/meet.rs \
    's/let barred = \|account: u32\| !accounts\[account as usize\]\.may_bet\(now\);/let barred = |account: u32| false \&\& !accounts[account as usize].may_bet(now);/' "${trades[@]}"
fails held-on-another-day core/logic/src/limits.rs \
    's/if window\(kept\.counted_at, \*period\) != window\(self\.now, \*period\) \{/if false {/' betring-core it what_was_held_on_another_day_makes_no_room_today
fails limit-and-less-risk core/logic/src/exchange/place.rs \
    's/\.\.=0 => Ok\(\(\)\),/i64::MIN => Ok(()),/' betring-core it an_order_that_lowers_the_risk_passes_a_limit_that_is_used_up
mutate held-once-all-are-cut core/logic/src/exchange/jobs.rs \
    's/\(JobKind::NonRunner, Walk::Orders\) => self\.exchange\.untouch\(\),/(JobKind::NonRunner, Walk::Orders) => self.hold_exposures(events),/' "${trades[@]}"
mutate suspended-selection-in-the-delay core/logic/src/exchange/meet.rs \
    's/since\.max\(own\)/since/' "${trades[@]}"
mutate matched-at-a-better-line core/logic/src/exchange/meet.rs \
    's/self\.has_now\(index, at, line, odds, stake\);/let own = self.exchange.rows[at as usize].selection; self.has_now(index, at, own, odds, stake);/' "${trades[@]}"
mutate worst-between-lines core/logic/src/book/exposure.rs \
    's/worst = worse\.min\(worst\);/worst = worse.min(0);/' "${trades[@]}"
mutate lines-of-one-number core/logic/src/exchange/clear.rs \
    's/true => are_of_one_number\(outcomes\.clone\(\), whole\),/true => are_of_one_number(outcomes.clone(), whole) || true,/' "${trades[@]}"
mutate lines-are-suspended-together core/logic/src/level.rs \
    's/if level == Level::Selection && self\.has_lines/if false \&\& self.has_lines/' "${trades[@]}"
mutate no-average-of-lines core/logic/src/book.rs \
    's/spare\.checked_div\(each\)\.unwrap_or\(0\)/spare.checked_div(each).unwrap_or(i128::MAX)/' "${trades[@]}"

exit $missed
