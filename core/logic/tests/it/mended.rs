//! What once was wrong: each test is the script that showed it.

use betring_core::script::{Runner, check};
use betring_core::{HouseRules, State};

scripts! {
    feeds_that_are_apart_when_the_result_comes_are_not_apart_any_more: "
        feed F1
        feed F2
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 2 drift 2%
        market M1 done Home Away group G1 tier 2 bound 1h
        open M1
        prices M1 Home 2.00 feed F1
        prices M1 Home 2.00 feed F2
        prices M1 Home 1.20 feed F1
        drift M1                         -> over @0ns
        # The home team has won: no feed speaks of this market again.
        result M1 Home
        events                           -> MarketChanged DriftChanged ResultRecorded JobStarted Answered
        drift M1                         -> within
        # Another result changes nothing of that, nor does the end of the settlement.
        result M1 Away
        events                           -> MarketChanged ResultRecorded JobStarted Answered
        tick
        drift M1                         -> within
    ";

    a_result_that_is_taken_back_compares_the_feeds_again_and_the_dwell_begins_anew: "
        fund A7 100.00
        feed F1 silence 1h
        feed F2 silence 1h
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 2 drift 2% dwell 60s
        market M1 cup Home Away group G1 tier 2 bound 1h
        market M2 low Home Away group G1 tier 2 bound 1h
        open M1
        open M2
        prices M1 2.00 3.00 feed F1
        prices M1 2.00 3.00 feed F2
        place R1 A7 M1/Away 1.00 any     -> B1
        prices M1 1.20 4.00 feed F1
        prices M2 1.20 3.00 feed F1
        prices M2 2.00 3.00 feed F2
        @10s result M1 Home
        result M2 Home
        tick
        drift M1                         -> within
        @20s rollback M1
        drift M1                         -> over @20s
        tick
        open M1
        value B1                         -> CashOutFrozen
        @79s place R2 A7 M1/Away 1.00 any -> B2
        @80s place R3 A7 M1/Away 1.00 any -> PriceDrifted
        prices M1 1.20 4.00 feed F2
        drift M1                         -> within
        place R4 A7 M1/Away 1.00 any     -> B3
        # What was sent before a recovery is not compared, after a rollback either.
        gap F1
        recovered F1
        rollback M2
        drift M2                         -> within
        prices M2 1.20 3.00 feed F1
        drift M2                         -> over @80s
    ";

    a_closed_market_drifts_until_its_feeds_agree: "
        feed F1 silence 1h
        feed F2 silence 1h
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 2 drift 2%
        market M1 cup Home Away group G1 tier 2 bound 1h
        open M1
        prices M1 1.20 4.00 feed F1
        prices M1 2.00 4.00 feed F2
        @5s close M1
        drift M1                         -> over @0ns
        open M1
        drift M1                         -> over @0ns
        close M1
        prices M1 2.00 4.00 feed F1
        drift M1                         -> within
    ";

    a_market_that_is_put_into_another_tier_is_compared_by_its_band_at_once: "
        fund A7 100.00
        feed F1 silence 1h
        feed F2 silence 1h
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 2 drift 20%
        tier 3 drift 2%
        market M1 cup Home Away group G1 tier 2 bound 1h
        open M1
        prices M1 2.00 4.00 feed F1
        prices M1 2.10 4.00 feed F2
        place R1 A7 M1/Home 1.00 any     -> B1 at 2.00
        # Nobody speaks of it again, and 2.00 is too far from 2.10 from here on.
        @5s assign M1 3
        drift M1                         -> over @5s
        place R2 A7 M1/Home 1.00 any     -> PriceDrifted
        # A tier that has no band takes the drift away.
        assign M1 4
        drift M1                         -> within
        place R3 A7 M1/Home 1.00 any     -> B2 at 2.00
    ";

    the_end_of_a_recovery_behind_a_hole_does_not_count: "
        fund A7 100.00
        feed F1 silence 1h
        market M1 cup Home Away feed F1 bound 1h
        open M1
        recovered F1 seq 1
        prices M1 2.50 seq 2
        @1s gap F1 seq 3
        recovering F1 seq 4
        # The price of number 5, which is 1.80, is lost on its way.
        @2s recovered F1 seq 6
        feed F1                          -> Down
        place R1 A7 M1/Home 10.00 any    -> FeedDown
        # Sent whole it counts.
        prices M1 1.80 seq 7
        recovered F1 seq 8
        place R2 A7 M1/Home 10.00 any    -> B1 at 1.80
        # Nor does it where the feed was up, or was silent before it.
        recovered F1 seq 10
        feed F1                          -> Down
        recovered F1 seq 11
        @2h recovered F1 seq 13
        feed F1                          -> Down
    ";

    who_asks_without_a_number_is_not_answered_under_one: "
        feed F1
        recovering F1 request 0
        recovered F1 request 7
        feed F1                          -> Recovering
        recovered F1
        feed F1                          -> Up
    ";

    nobody_wins_by_selling_a_bet_back_at_the_price_that_the_bet_itself_has_shortened: "
        rules usual margin 5%
        fund A7 100.00
        limits GBP liability 100.00
        feed F1 silence 1h
        recovered F1
        tier 1 liability step 10% 10 ticks 9 steps
        market M1 cup Home Draw feed F1 bound 1h tier 1
        open M1
        prices M1 2.50 3.30
        place R1 A7 M1/Home 30.00 any    -> B1 at 2.50
        value B1                         -> 28.50
        cash-out R2 A7 B1 any
        place R3 A7 M1/Home 30.00 any    -> B2 at 2.50
        cash-out R4 A7 B2 any
        balance A7                       -> 97.00
    ";

    a_stake_of_an_earlier_day_that_goes_back_makes_no_room_today: "
        fund A7 1000.00
        limit A7 stake day 10.00
        quote M1 2.00
        place R1 A7 M1 10.00 any         -> B1
        @86400s place R2 A7 M1 10.00 any -> B2
        place R3 A7 M1 10.00 any         -> CustomerLimit
        void B1
        place R4 A7 M1 10.00 any         -> CustomerLimit
        void B2
        place R5 A7 M1 10.00 any         -> B3
    ";

    a_delayed_bet_that_binds_to_a_feeds_price_does_not_outlive_that_feeds_suspension: "
        fund A7 100.00
        feed F1 silence 1h
        recovered F1
        market M1 cup Home Draw feed F1 bound 1h
        open M1
        in-play M1 5s
        prices M1 2.50 3.30
        pin M1/Home 2.50
        place R1 A7 M1/Home 10.00 any    -> pending
        @1s unpin M1/Home
        @2s suspend F1 feed
        @3s release F1 feed
        @6s tick
        bet B1                           -> Rejected
    ";

    a_hold_that_binds_to_a_feeds_price_does_not_outlive_that_feeds_gap: "
        account A7 wallet
        feed F1 silence 1h
        recovered F1
        market M1 cup Home Draw feed F1 bound 1h
        open M1
        prices M1 2.50 3.30
        pin M1/Home 2.50
        place R1 A7 M1/Home 10.00 any    -> pending
        @1s unpin M1/Home
        @2s gap F1
        @3s recovered F1
        prices M1 1.10 9.00
        @4s confirm B1 10.00             -> done
        bet B1                           -> Rejected
    ";

    nobody_else_suspends_a_selection_for_the_engine: "
        feed F1 silence 1h
        market M1 cup Home Draw feed F1 bound 1h
        suspend M1/Home engine           -> not sequenced: Malformed
        suspend M1/Home trader
    ";

    a_probe_moves_no_price: "
        limits GBP liability 1000.00
        fund A7 1000.00
        feed F1 silence 1h
        recovered F1
        tier 1 liability step 25% 2 ticks 3 steps
        market M1 cup Home Draw feed F1 bound 1h tier 1
        open M1
        prices M1 2.50 3.30
        place R1 A7 M1/Home 30.00 any    -> B1
        limits GBP liability 100.00
        price M1/Home                    -> 2.50
        account A9 probe
        fund A9 10.00
        place R2 A9 M1/Home 1.00 any synthetic -> B2
        price M1/Home                    -> 2.50
    ";

    a_message_that_is_refused_was_heard_so_its_feed_stays_up: "
        feed F1
        market M1 first a b feed F1
        market M2 second a b feed F1
        fund A7 100.00
        prices M1 2.00 2.00
        prices M2 2.00 2.00
        recovered F1
        open M1
        open M2
        result M1 a:win b:lose
        prices M1 2.10 2.10              -> MarketClosed
        prices M2 2.10 2.10              -> done
        place R1 A7 M2 10.00 any         -> B1 at 2.10 returns 21.00
    ";

    a_source_clock_that_was_wrong_twice_is_learnt_again_when_the_feed_recovers: "
        feed F1 delay 50ms
        market M1 first a b feed F1
        fund A7 100.00
        prices M1 2.00 2.00 source 0ms
        recovered F1
        open M1
        heartbeat F1 source 1h
        heartbeat F1 source 1h
        @1ms prices M1 2.10 2.10 source 1ms
        @1ms place R1 A7 M1 10.00 any    -> PriceDelayed
        gap F1
        @2ms prices M1 2.20 2.20 source 2ms
        recovered F1
        @2ms place R2 A7 M1 10.00 any    -> B1 at 2.20 returns 22.00
    ";

    a_fraction_asked_for_is_not_the_decimal_that_it_is_rounded_to: "
        fund A7 10000.00
        quote M1 1.909 2.00
        place R1 A7 M1 1100.00 10/11 exact    -> PriceMoved now 1.909
        place R2 A7 M1 1100.00 10/11 better   -> PriceMoved now 1.909
        quote M1 10/11 2.00
        place R3 A7 M1 1100.00 10/11 exact    -> B1 at 1.909 (10/11) returns 2100.00
        place R4 A7 M1 1100.00 1.909 better   -> B2 at 1.909 (10/11) returns 2100.00
    ";

    a_result_has_no_more_winners_than_its_market: "
        market M1 first a b c winners 1
        open M1
        result M1 a:win b:win c:lose     -> TooManyWinners
        result M1 a:win b:lose c:lose    -> started
    ";

    two_selections_of_a_market_do_not_have_one_name: "
        market M1 first England England -> Malformed
    ";

    an_archive_waits_its_turn_behind_two_cancels_and_takes_its_bets_along: "
        house budget 1
        fund A7 100.00
        quote M1 2.00 2.00
        place R1 A7 M1/1 1.00 any -> B1
        place R2 A7 M1/1 1.00 any -> B2
        place R3 A7 M1/1 1.00 any -> B3
        result M1 1
        market M1 -> Settled
        manual steps
        cancel M1 from @10s until @20s
        cancel M1 from @30s until @40s
        archive M1 -> NotAllowed
        auto steps
        archive M1
        market M1 -> Archived
        bet B1 -> Archived
    ";

    a_thaw_while_a_market_archives_looks_at_no_bet_that_has_left: "
        house budget 1
        fund A7 100.00
        quote M1 2.00 2.00
        place R1 A7 M1/1 1.00 any -> B1
        place R2 A7 M1/1 1.00 any -> B2
        place R3 A7 M1/1 1.00 any -> B3
        auto-cash-out R4 A7 B1 5.00
        auto-cash-out R5 A7 B2 5.00
        auto-cash-out R6 A7 B3 5.00
        result M1 1
        market M1 -> Settled
        manual steps
        archive M1
        step 1
        unfreeze M1
        auto steps
        market M1 -> Archived
    ";

    a_lucky_bet_of_pennies_rounded_by_the_line_settles: "
        rules set by-line lucky betfred
        fund A7 100.00
        quote M1 7.00 1.50
        quote M2 1.01 1.50
        quote M3 1.01 1.50
        quote M4 1.01 1.50
        ticket R1 A7 lucky15 0.02 total M1/1 M2/1 M3/1 M4/1 any -> B1
        result M1 1
        result M2 2
        result M3 2
        result M4 2
        bet B1 -> Partial 0.01
    ";

    the_rest_of_a_lucky_bet_that_was_sold_settles: "
        rules set by-line lucky betfred
        fund A7 100.00
        quote M1 7.00 1.50
        quote M2 1.01 1.50
        quote M3 1.01 1.50
        quote M4 1.01 1.50
        ticket R1 A7 lucky15 15.00 total M1/1 M2/1 M3/1 M4/1 any -> B1
        cash-out R2 A7 B1 take 14.98 any -> done
        result M1 1
        result M2 2
        result M3 2
        result M4 2
        bet B1 -> Partial 0.01
    ";

    bets_settle_while_prices_move_where_bets_sell_themselves: "
        house budget 2
        fund A7 100.00
        quote M1 2.00 2.00
        quote M2 2.00 2.00
        place R1 A7 M1/1 1.00 any -> B1
        place R2 A7 M1/1 1.00 any -> B2
        place R3 A7 M2/1 1.00 any -> B3
        auto-cash-out R4 A7 B1 50.00
        auto-cash-out R5 A7 B2 50.00
        manual steps
        result M2 1
        quote M1 2.01 2.00
        step
        quote M1 2.02 2.00
        step
        quote M1 2.03 2.00
        step
        quote M1 2.04 2.00
        step
        quote M1 2.05 2.00
        step
        bet B3 -> Won 2.00
    ";

    a_bet_that_a_deduction_is_due_from_is_not_bought_back_at_the_new_prices: "
        fund A7 100.00
        quote M1 3.00 1.10 50.00
        place R1 A7 M1/1 10.00 any -> B1
        place R2 A7 M1/1 10.00 any -> B2
        non-runner M1 2 deduct
        prices M1 1.20 - 5.00
        cash-out R3 A7 B2 any -> CashOutFrozen
        place R4 A7 M1/1 10.00 any -> B3
        cash-out R5 A7 B3 any -> done
        result M1 1:win 2:void 3:lose
        bet B1 -> Won 12.00
    ";

    parts_of_a_capped_bet_bring_no_more_than_the_cap: "
        rules set pay-the-cap
        limits GBP min 0.01 max 1000.00 payout 100.00 liability 100000.00
        fund A7 100.00
        quote M1 100.00
        place R1 A7 M1 10.00 any  -> B1 at 100.00 returns 100.00
        quote M1 2.00
        cash-out R2 A7 B1 take 2.00 any
        cash-out R3 A7 B1 take 2.00 any
        cash-out R4 A7 B1 take 2.00 any
        cash-out R5 A7 B1 take 2.00 any
        cash-out R6 A7 B1 any
        # 90.00 left of the deposit, and the cap.
        balance A7 -> 190.00
    ";

    a_bet_that_would_be_void_is_not_taken: "
        fund A7 100.00
        quote M1 2.00 2.00
        cancel M1 from @1s
        @2s quote M1 4.00 2.00
        place R1 A7 M1/1 10.00 any -> MarketSuspended
        uncancel M1 from @1s
        place R2 A7 M1/1 10.00 any -> B1
    ";

    a_capped_free_bet_that_wins_pays_its_winnings_up_to_the_cap: "
        rules set pay-the-cap
        limits GBP min 0.01 max 1000.00 payout 100.00 liability 100000.00
        fund A7 1.00
        grant A7 100.00
        quote M1 2.00
        ticket R1 A7 single 100.00 M1/1 bonus any -> B1
        result M1 1
        bet B1 -> Won 100.00
    ";

    a_free_bet_in_a_dead_heat_wins_its_share_of_the_winnings: "
        fund A7 1.00
        grant A7 20.00
        quote M1 3.00 3.00 1.50
        ticket R1 A7 single 10.00 M1/1 bonus any -> B1
        ticket R2 A7 single 10.00 M1/3 bonus any -> B2
        result M1 1:1/3 2:1/3 3:1/3
        bet B1 -> Won 6.66
        bet B2 -> Won 1.66
    ";

    a_deduction_without_a_price_to_go_by_is_refused: "
        fund A7 100.00
        quote M1 3.00 1.10 50.00
        place R1 A7 M1/1 10.00 any -> B1
        prices M1 3.00 - 50.00
        non-runner M1 2 deduct -> NoPrice
        non-runner M1 2 deduct price 1.10 -> done
        result M1 1:win 2:void 3:lose
        bet B1 -> Won 12.00
    ";

    a_liability_limit_counts_the_bonus_of_a_lucky_bet: "
        rules set lucky betfred
        limits GBP min 0.01 max 1000.00 payout 100000.00 liability 850.00
        fund A7 100.00
        quote M1 100.00 1.50
        quote M2 1.01 1.50
        quote M3 1.01 1.50
        quote M4 1.01 1.50
        ticket R1 A7 lucky15 1.00 M1/1 M2/1 M3/1 M4/1 any -> LiabilityLimit
    ";

    a_liability_limit_counts_what_every_line_is_rounded_up_by: "
        rules set by-line rounding up
        limits GBP min 0.01 max 1000.00 payout 100000.00 liability 1.00
        fund A7 100.00
        quote M1 1.01
        quote M2 1.01
        quote M3 1.01
        quote M4 1.01
        quote M5 1.01
        quote M6 1.01
        quote M7 1.01
        quote M8 1.01
        quote M9 1.01
        quote M10 1.01
        ticket R1 A7 1+2+3+4+5+6+7+8+9+10 0.01 M1/1 M2/1 M3/1 M4/1 M5/1 M6/1 M7/1 M8/1 M9/1 M10/1 any -> LiabilityLimit
    ";

    an_account_that_is_blocked_sells_nothing_by_itself: "
        fund A7 100.00
        quote M1 4.00
        place R1 A7 M1 10.00 any -> B1
        auto-cash-out R2 A7 B1 15.00
        block A7
        quote M1 2.00
        bet B1 -> Open
    ";
}

#[test]
fn customers_cannot_fill_the_table_of_keys_so_far_that_nobody_can_suspend_a_market() {
    let mut script = String::from("house keys 64\nfund A7 100.00\nquote M1 2.00\n");
    for request in 0..80 {
        script.push_str(&format!("place R{request} A7 M1 0.01 any -> anything\n"));
    }
    script.push_str("place R99 A7 M1 0.01 any -> Overloaded\n");
    script.push_str("suspend M1 -> done\nclose M1 -> done\n");
    check(&script);
}

#[test]
fn no_bet_is_taken_whose_winnings_an_account_could_not_hold() {
    let most = "1000000000000000.00";
    for (much, refused) in [(91, ""), (92, " -> BalanceLimit")] {
        let adjust = format!("adjust A7 {most}\n").repeat(much);
        check(&format!(
            "house max 10000000000.00 payout {most} liability {most}
             account A7
             {adjust}
             quote M1 100000 1.50
             place R1 A7 M1 10000000000.00 any{refused}"
        ));
    }
}

#[test]
fn a_bet_sold_in_slices_brings_no_more_than_sold_at_once() {
    let mut script = String::from(
        "rules set rounding half-up
         fund A7 100.00
         quote M1 3.00 1.50
         place R1 A7 M1/1 1.00 any -> B1
         quote M1 2.00 1.50
         value B1 -> 1.50\n",
    );
    for slice in 0..100 {
        script.push_str(&format!("cash-out C{slice} A7 B1 take 0.01 any\n"));
    }
    script.push_str("bet B1 -> CashedOut 1.00\n");
    check(&script);
}

/// A place that a bet has left is as little to be trusted as one that it has.
#[test]
fn no_byte_of_an_image_with_free_places_can_be_changed_into_a_panic() {
    let mut runner = Runner::new(HouseRules);
    let small = "house bets 4 legs 4 markets 2 selections 4 keys 32
        fund A7 10.00
        quote M1 2.00 2.00
        place R1 A7 M1/1 1.00 any
        result M1 1
        archive M1";
    for line in small.lines() {
        runner.line(line).unwrap();
    }
    let state = runner.state().unwrap().clone();
    let (image, digest) = (state.image().unwrap(), state.digest());
    for at in 0..image.len() {
        for change in [0x01, 0x80] {
            let mut damaged = image.to_vec();
            damaged[at] ^= change;
            let _ = State::from_image(HouseRules, &damaged, digest);
        }
    }
}

/// A plain winner whose return was capped below its stake was told as won: it lost part of its stake, as any
/// other bet that pays less.
#[test]
fn a_winner_that_pays_a_cap_below_its_stake_has_not_won_it_back() {
    check(
        "
        house max 100.00 payout 20.00
        rules set pay-the-cap
        fund A7 100.00
        quote M1 2.00 3.00
        place R1 A7 M1/1 30.00 any     -> B1
        result M1 1
        bet B1                          -> Partial 20.00
    ",
    );
}
