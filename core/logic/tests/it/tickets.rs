//! Tickets: doubles to 25-folds, systems, each way, bankers, free bets, bonuses; and what refuses them.

use betring_core::script;

scripts! {
    a_double_pays_the_product_of_its_prices: "
        fund A7 100.00
        quote M1 2.50 3.00
        quote M2 1.80 2.10
        ticket R1 A7 double 10.00 M1/1@2.50 M2/1@1.80 -> B1 returns 45.00
        balance A7                -> 90.00
        house Escrow GBP          -> 10.00
        result M1 1
        bet B1                    -> Open
        leg B1 1                  -> Won
        leg B1 2                  -> Open
        result M2 1
        bet B1                    -> Won 45.00
        balance A7                -> 135.00
        house House GBP           -> -35.00
    ";

    a_lost_leg_settles_an_accumulator_at_once: "
        fund A7 100.00
        quote M1 2.50 3.00
        quote M2 1.80 2.10
        quote M3 1.50 2.60
        ticket R1 A7 treble 10.00 M1/1 M2/1 M3/1 any -> B1
        result M1 2
        bet B1                    -> Lost
        house Escrow GBP          -> 0.00
        result M2 1
        result M3 1
        bet B1                    -> Lost
        balance A7                -> 90.00
    ";

    a_system_lives_as_long_as_one_of_its_lines_does: "
        fund A7 100.00
        quote M1 2.00 2.00
        quote M2 2.00 2.00
        quote M3 2.00 2.00
        ticket R1 A7 trixie 10.00 M1/1 M2/1 M3/1 any -> B1 returns 200.00
        stake B1                  -> 40.00
        result M1 2
        bet B1                    -> Open
        result M2 1
        bet B1                    -> Open
        result M3 1
        bet B1                    -> Won 40.00
        balance A7                -> 100.00
    ";

    a_lucky_fifteen_with_a_non_runner_goes_on_with_three: "
        fund A7 100.00
        quote M1 3/1 2.00
        quote M2 3/1 2.00
        quote M3 3/1 2.00
        quote M4 3/1 2.00
        ticket R1 A7 lucky15 0.30 M1/1 M2/1 M3/1 M4/1 any -> B1
        stake B1                  -> 4.50
        non-runner M4 1
        result M1 1
        result M2 1
        result M3 1
        result M4 2
        leg B1 4                  -> Void
        bet B1                    -> Won 74.70
    ";

    bankers_stand_in_every_line: "
        fund A7 100.00
        quote M1 2.00 2.00
        quote M2 3.00 2.00
        quote M3 4.00 2.00
        # The banker with each of the two others: 2·3 + 2·4.
        ticket R1 A7 2 1.00 M1/1 M2/1 M3/1 bankers 1 any -> B1 returns 14.00
        stake B1                  -> 2.00
        result M1 2
        bet B1                    -> Lost
    ";

    a_total_stake_is_shared_by_the_lines_to_the_last_fraction: "
        fund A7 100.00
        quote M1 2.00 2.00
        quote M2 2.00 2.00
        quote M3 2.00 2.00
        # 10.00 over four lines of 2.50: 4 + 4 + 4 + 8 times that.
        ticket R1 A7 trixie 10.00 total M1/1 M2/1 M3/1 any -> B1 returns 50.00
        # 10.00 over seven lines: 26 times 10/7 is 37.142…
        ticket R2 A7 patent 10.00 total M1/1 M2/1 M3/1 any -> B2 returns 37.14
        balance A7                -> 80.00
    ";

    each_way_is_a_bet_to_win_and_one_to_be_placed: "
        fund A7 100.00
        market M1 race Red Amber Green Blue Grey each-way 3@1/5
        open M1
        prices M1 10/1 6/1 4/1 3/1 2/1
        ticket R1 A7 single 1.00 M1/Red each-way any   -> B1 at 11.00 (10/1) returns 14.00
        ticket R2 A7 single 1.00 M1/Amber each-way any -> B2
        ticket R3 A7 single 1.00 M1/Blue each-way any  -> B3
        stake B1                  -> 2.00
        result M1 Red:1st Amber:2nd Green:3rd Blue:lose Grey:lose
        leg B1 1                  -> Won
        bet B1                    -> Won 14.00
        bet B2                    -> Won 2.20
        bet B3                    -> Lost
    ";

    two_who_share_the_last_place_share_its_stake: "
        fund A7 100.00
        market M1 race Red Amber Green Blue Grey each-way 3@1/4
        open M1
        prices M1 16/1 6/1 4/1 3/1 2/1
        ticket R1 A7 single 20.00 M1/Red each-way any -> B1
        result M1 Red:3rd=2 Amber:1st Green:2nd Blue:3rd=2 Grey:lose
        bet B1                    -> Won 50.00
    ";

    a_dead_heat_wins_its_share_of_the_stake: "
        fund A7 100.00
        quote M1 10/1 4/1 2/1
        place R1 A7 M1/1 10.00 any -> B1
        place R2 A7 M1/2 10.00 any -> B2
        result M1 1:1st=2 2:1st=2 3:lose
        bet B1                    -> Won 55.00
        bet B2                    -> Won 25.00
    ";

    the_terms_of_the_table_follow_the_number_of_runners: "
        fund A7 100.00
        market M1 race a b c d e each-way table
        open M1
        prices M1 5.00 5.00 5.00 5.00 5.00
        ticket R1 A7 single 1.00 M1/a each-way any   -> B1 at 5.00 returns 7.00
        non-runner M1 e
        # Four are left: win only.
        ticket R2 A7 single 1.00 M1/a each-way any   -> EachWayNotOffered
        result M1 a:2nd b:1st c:lose d:lose e:lose
        # Two places at 1/4 when it was struck, and the runner-up is one of them.
        bet B1                    -> Won 2.00
    ";

    a_quarter_line_is_half_won_or_half_lost: "
        fund A7 100.00
        quote M1 2.00 1.95
        place R1 A7 M1/1 10.00 any -> B1
        place R2 A7 M1/2 10.00 any -> B2
        result M1 1:half-lost 2:half-won
        bet B1                    -> Partial 5.00
        bet B2                    -> Won 14.75
    ";

    a_withdrawn_rival_takes_its_pence_from_winnings_struck_before: "
        fund A7 100.00
        market M1 race Red Amber Green
        open M1
        prices M1 8/1 5/4 3.00
        place R1 A7 M1/Red 10.00 any   -> B1
        non-runner M1 Amber deduct
        prices M1 Red 8/1
        place R2 A7 M1/Red 10.00 any   -> B2
        result M1 Red:win Amber:lose Green:lose
        # 5/4 is 2.25: 40 pence in the pound. 10 + 80 · 0.6.
        leg B1 1                  -> Won less 40p
        bet B1                    -> Won 58.00
        bet B2                    -> Won 90.00
    ";

    a_withdrawal_that_is_said_twice_happened_once: "
        fund A7 100.00
        market M1 race Red Amber Green
        open M1
        prices M1 8/1 5/4 3.00
        non-runner M1 Amber deduct
        place R1 A7 M1/Red 10.00 any   -> B1
        non-runner M1 Amber deduct
        result M1 Red:win Amber:lose Green:lose
        bet B1                    -> Won 90.00
    ";

    several_withdrawals_take_ninety_pence_at_most: "
        fund A7 100.00
        market M1 race Red Amber Green Blue
        open M1
        prices M1 10/1 8.00 3.00 3.00
        place R1 A7 M1/Red 10.00 any -> B1
        non-runner M1 Amber deduct price 8/13
        non-runner M1 Green deduct price 1/1
        result M1 Red:win Amber:lose Green:lose Blue:lose
        bet B1                    -> Won 20.00
    ";

    lucky_bonuses_are_paid_as_the_rules_say: "
        rules set lucky betfred
        fund A7 1000.00
        quote M1 4.00 2.00
        quote M2 2.00 2.00
        quote M3 2.00 2.00
        quote M4 2.00 2.00
        ticket R1 A7 lucky15 1.00 M1/1 M2/2 M3/2 M4/2 any -> B1
        ticket R2 A7 lucky15 1.00 M1/1 M2/1 M3/1 M4/1 any -> B2
        result M1 1
        result M2 1
        result M3 1
        result M4 1
        # The only winner at three times its odds: 1 + 3 · 3.
        bet B1                    -> Partial 10.00
        # All four: 5·3·3·3 − 1 = 134, and ten percent of the 119 won.
        bet B2                    -> Won 145.90
    ";

    a_free_bet_pays_what_it_wins_without_the_stake: "
        fund A7 5.00
        grant A7 30.00
        bonus A7                  -> 30.00
        quote M1 7.00 2.00
        ticket R1 A7 single 10.00 M1/1 bonus any -> B1
        ticket R2 A7 single 10.00 M1/2 bonus any -> B2
        ticket R3 A7 single 20.00 M1/2 bonus any -> FundsInsufficient
        bonus A7                  -> 10.00
        balance A7                -> 5.00
        result M1 1
        bet B1                    -> Won 60.00
        balance A7                -> 65.00
        house Promotions GBP      -> -30.00
        rollback M1
        bonus A7                  -> 10.00
        balance A7                -> 5.00
        result M1 void all
        bet B1                    -> Void 10.00
        bonus A7                  -> 30.00
        grant A7 -31.00           -> FundsInsufficient
        grant A7 -30.00
        house Promotions GBP      -> 0.00
        house House GBP           -> 0.00
    ";

    what_depends_on_each_other_is_not_combined: "
        fund A7 100.00
        fixture X1
        market M1 who Home Away fixture X1
        market M2 goals Over Under fixture X1
        quote M3 2.00 2.00
        open M1
        open M2
        prices M1 2.00 2.00
        prices M2 2.00 2.00
        ticket R1 A7 double 1.00 M1/Home M2/Over any   -> RelatedContingency
        ticket R2 A7 double 1.00 M3/1 M3/2 any         -> RelatedContingency
        ticket R3 A7 double 1.00 M1/Home M3/1 any      -> B1
    ";

    a_ticket_is_refused_for_what_stands_first_in_the_order_of_gates: "
        fund A7 100.00
        quote M1 2.00 2.00
        quote M2 2.00 2.00
        suspend M2
        # The second leg's suspension comes before the first one's price.
        ticket R1 A7 double 1.00 M1/1@2.10 M2/1@2.00   -> MarketSuspended
        release M2
        ticket R2 A7 double 1.00 M1/1@2.00 M2/1@2.10   -> PriceMoved now 2.00
        ticket R3 A7 double 1.00 M1/1 M2/1 any floor 4.01 -> PriceMoved
        ticket R4 A7 double 1.00 M1/1 M2/1 any floor 4.00 -> B1
        ticket R5 A7 single 1.00 M1/1 each-way any     -> EachWayNotOffered
        ticket R6 A7 patent 1.00 M1/1 M2/1 M9/1 any    -> MarketUnknown
        ticket R7 A7 double 50.01 M1/1 M2/1 any bonus  -> FundsInsufficient
        grant A7 10.00
        ticket R8 A7 1+2 1.00 M1/1 M2/1 any bonus      -> BonusTerms
    ";

    rules_bound_lines_and_legs: "
        rules set lines 3 legs 2
        fund A7 100.00
        quote M1 2.00 2.00
        quote M2 2.00 2.00
        quote M3 2.00 2.00
        ticket R1 A7 patent 1.00 M1/1 M2/1 M3/1 any -> TooManyLines 7
        ticket R2 A7 treble 1.00 M1/1 M2/1 M3/1 any -> TooManyLines 1
        ticket R3 A7 1+2 1.00 M1/1 M2/1 any         -> B1
    ";

    rounding_line_by_line_pays_less_than_rounding_the_sum: "
        fund A7 100.00
        quote M1 1.115 2.00
        quote M2 1.115 2.00
        quote M3 1.115 2.00
        # A line of 0.10 returns 0.1115 or 0.12432…: each loses its fraction.
        ticket R1 A7 patent 0.10 M1/1 M2/1 M3/1 any -> B1 returns 0.84
        rules set by-line
        ticket R2 A7 patent 0.10 M1/1 M2/1 M3/1 any -> B2 returns 0.82
        result M1 1
        result M2 1
        result M3 1
        bet B1                    -> Won 0.84
        bet B2                    -> Won 0.82
    ";

    a_return_above_the_cap_is_refused_or_cut_as_the_rules_say: "
        fund A7 1000.00
        limits GBP payout 500.00
        quote M1 10.00 2.00
        quote M2 10.00 2.00
        ticket R1 A7 double 10.00 M1/1 M2/1 any -> PayoutLimit max 5.00
        rules set pay-the-cap
        ticket R2 A7 double 10.00 M1/1 M2/1 any -> B1 returns 500.00
        place R3 A7 M1/1 60.00 any              -> B2 at 10.00 returns 500.00
        result M1 1
        result M2 1
        bet B1                    -> Won 500.00
        bet B2                    -> Won 500.00
    ";

    a_ticket_counts_in_every_market_it_is_in: "
        fund A7 1000.00
        limits GBP liability 100.00
        quote M1 2.00 2.00
        quote M2 5.00 2.00
        ticket R1 A7 double 10.00 M1/1 M2/1 any -> B1 returns 100.00
        reach M1/1 GBP            -> 90.00
        reach M2/1 GBP            -> 90.00
        exposure M1 GBP           -> 0.00
        place R2 A7 M1/1 10.01 any -> LiabilityLimit max 10.00
        place R3 A7 M1/1 10.00 any -> B2
        ticket R4 A7 double 2.00 M1/1 M2/1 any -> LiabilityLimit
        # In the other currency the market has lost nothing yet.
        fund A8 1000.00 EUR
        limits EUR liability 50.00
        ticket R4 A8 double 5.00 M1/1 M2/1 any -> B3
        result M1 2
        reach M2/1 GBP            -> 0.00
    ";

    a_bet_keeps_the_rules_it_was_placed_under: "
        fund A7 100.00
        quote M1 4.375 2.00
        place R1 A7 M1/1 1.01 any -> B1 at 4.375 returns 4.41
        rules set rounding up
        place R2 A7 M1/1 1.01 any -> B2 at 4.375 returns 4.42
        result M1 1
        bet B1                    -> Won 4.41
        bet B2                    -> Won 4.42
        rollback M1
        result M1 1
        bet B1                    -> Won 4.41
    ";

    a_bet_leaves_memory_with_the_last_of_its_markets: "
        fund A7 100.00
        quote M1 2.00 2.00
        quote M2 2.00 2.00
        ticket R1 A7 double 10.00 M1/1 M2/1 any -> B1
        result M1 1
        archive M1
        bet B1                    -> Open
        leg B1 1                  -> Won
        result M2 1
        bet B1                    -> Won 40.00
        restart
        archive M2
        bet B1                    -> Archived
        balance A7                -> 130.00
    ";
}

/// The example of each bet type that its name promises, all at 2.00 and all winning: 3^n − 1, less the
/// singles where there are none.
#[test]
fn every_full_cover_bet_has_its_lines() {
    let named = [
        ("double", 2, 1, "4.00"),
        ("treble", 3, 1, "8.00"),
        ("trixie", 3, 4, "20.00"),
        ("patent", 3, 7, "26.00"),
        ("yankee", 4, 11, "72.00"),
        ("lucky15", 4, 15, "80.00"),
        ("canadian", 5, 26, "232.00"),
        ("lucky31", 5, 31, "242.00"),
        ("heinz", 6, 57, "716.00"),
        ("lucky63", 6, 63, "728.00"),
        ("super-heinz", 7, 120, "2172.00"),
        ("goliath", 8, 247, "6544.00"),
    ];
    for (name, legs, lines, paid) in named {
        let numbers = 1..=legs;
        let quotes: String = numbers.clone().map(|m| format!("quote M{m} 2.00 2.00\n")).collect();
        let legs: String = numbers.clone().map(|m| format!(" M{m}/1")).collect();
        let results: String = numbers.map(|m| format!("result M{m} 1\n")).collect();
        script::check(&format!(
            "fund A7 1000.00\n{quotes}
             ticket R1 A7 {name} 1.00{legs} any -> B1 returns {paid}
             stake B1 -> {lines}.00
             {results}
             bet B1 -> Won {paid}"
        ));
    }
}
