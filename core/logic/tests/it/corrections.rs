//! News that come late, twice, otherwise, or are taken back: reversed and posted anew, never edited.

use betring_core::script;

scripts! {
    a_result_that_is_taken_back_opens_the_bets_again: "
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 10.00 any  -> B1
        result M1 1               -> started J1
        bet B1                    -> Won 30.00
        rollback M1               -> started J2
        bet B1                    -> Open
        market M1                 -> Closed
        balance A7                -> 90.00
        house Escrow GBP          -> 10.00
        rollback M1               -> NotAllowed
        rollback M9               -> MarketUnknown
        result M1 1               -> started J3
        balance A7                -> 120.00
    ";

    what_was_paid_and_is_gone_is_owed: "
        fund A7 10.00
        quote M1 3.00
        place R1 A7 M1 10.00 any  -> B1
        result M1 1
        withdraw R2 A7 30.00
        result M1 2
        bet B1                    -> Lost
        balance A7                -> -30.00
        place R3 A7 M1 1.00 any   -> MarketClosed
        withdraw R4 A7 1.00       -> FundsInsufficient
        deposit R5 A7 20.00
        balance A7                -> -10.00
        result M1 1
        balance A7                -> 20.00
        house House GBP           -> -20.00
    ";

    a_window_of_bets_is_void_and_others_stand: "
        fund A7 100.00
        quote M1 3.00
        @1s place R1 A7 M1 10.00 any -> B1
        @2s place R2 A7 M1 10.00 any -> B2
        @3s place R3 A7 M1 10.00 any -> B3
        cancel M1 from @2s until @3s -> started J1
        bet B1                    -> Open
        bet B2                    -> Void 10.00
        bet B3                    -> Open
        market M1                 -> Open
        result M1 1
        bet B1                    -> Won 30.00
        bet B2                    -> Void 10.00
        uncancel M1 from @2s until @3s -> started J3
        bet B2                    -> Won 30.00
        uncancel M1 from @9s      -> NotAllowed
        cancel M9                 -> MarketUnknown
        # Only an end means before it, only a start from it on, none all.
        cancel M1 until @2s
        bet B1                    -> Void 10.00
        cancel M1 from @3s
        bet B3                    -> Void 10.00
        bet B2                    -> Won 30.00
        cancel M1
        bet B2                    -> Void 10.00
        uncancel M1
        uncancel M1 until @2s
        uncancel M1 from @3s
        balance A7                -> 160.00
    ";

    a_cancelled_leg_shrinks_its_accumulators: "
        fund A7 100.00
        quote M1 3.00 2.00
        quote M2 2.00 2.00
        ticket R1 A7 double 10.00 M1/1 M2/1 any -> B1
        cancel M1
        leg B1 1                  -> Void
        result M2 1
        bet B1                    -> Won 20.00
        result M1 2
        bet B1                    -> Won 20.00
        uncancel M1
        bet B1                    -> Lost
        rollback M1
        bet B1                    -> Open
        result M1 1
        bet B1                    -> Won 60.00
    ";

    one_bet_may_be_void_by_itself: "
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 10.00 any  -> B1
        void B1                   -> done
        bet B1                    -> Void 10.00
        void B1                   -> done
        result M1 1
        bet B1                    -> Void 10.00
        unvoid B1
        bet B1                    -> Won 30.00
        void B9                   -> BetUnknown
    ";

    a_palpable_error_settles_at_the_price_that_was_right: "
        fund A7 100.00
        quote M1 1.95
        place R1 A7 M1 100.00 any -> B1
        result M1 1
        bet B1                    -> Won 195.00
        correct B1 1.03
        bet B1                    -> Won 103.00
        balance A7                -> 103.00
        correct B1 -
        bet B1                    -> Won 195.00
        correct B1 1.03 leg 2     -> SelectionUnknown
        correct B9 1.03           -> BetUnknown
    ";

    an_open_ticket_is_corrected_before_it_settles: "
        fund A7 100.00
        quote M1 9.00 1.50
        quote M2 2.00 2.00
        ticket R1 A7 double 10.00 M1/1 M2/1 any -> B1
        reach M1/1 GBP            -> 170.00
        correct B1 leg 1 1.90
        reach M1/1 GBP            -> 28.00
        result M1 1
        result M2 1
        bet B1                    -> Won 38.00
    ";

    what_left_memory_is_adjusted_by_hand: "
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 10.00 any  -> B1
        result M1 1
        archive M1
        bet B1                    -> Archived
        adjust A7 -30.00 bet B1 reason 9
        balance A7                -> 90.00
        adjust A7 -100.00
        balance A7                -> -10.00
        adjust A7 12.00
        balance A7                -> 2.00
        adjust A9 1.00            -> AccountUnknown
        grant A9 1.00             -> AccountUnknown
        house House GBP           -> 98.00
        rollback M1               -> MarketUnknown
    ";

    only_confirmed_results_settle_where_the_rules_say_so: "
        rules sure certainty 2
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 10.00 any  -> B1
        result M1 1 certainty 1   -> done
        bet B1                    -> Open
        result M1 1 certainty 2   -> started
        bet B1                    -> Won 30.00
        result M1 2 certainty 1   -> done
        bet B1                    -> Won 30.00
    ";

    a_confirmed_correction_counts_though_what_was_unconfirmed_was_said_later: "
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 10.00 any               -> B1
        result M1 1 certainty 1 source 30s     -> started J1
        result M1 1 certainty 2 source 10s     -> done
        result M1 2 certainty 2 source 20s     -> started J2
        bet B1                                 -> Lost
    ";

    what_a_source_said_earlier_has_no_effect_any_more: "
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 10.00 any   -> B1
        result M1 1 source 20s     -> started J1
        result M1 2 source 10s     -> done
        bet B1                     -> Won 30.00
        rollback M1 source 15s     -> done
        bet B1                     -> Won 30.00
        rollback M1 source 30s     -> started J2
        result M1 2 source 25s     -> done
        bet B1                     -> Open
        result M1 2 source 35s     -> started J3
        bet B1                     -> Lost
        cancel M1 source 40s       -> started J4
        uncancel M1 source 39s     -> done
        bet B1                     -> Void 10.00
        uncancel M1 source 41s     -> started J5
        cancel M1 source 40s       -> done
        bet B1                     -> Lost
        # A rollback may arrive before what it takes back.
        quote M2 2.00
        rollback M2 source 50s     -> done
        result M2 1 source 45s     -> done
        market M2                  -> Open
        uncancel M2 source 60s     -> done
        cancel M2 source 59s       -> done
    ";

    news_behind_news_are_one_job: "
        house budget 1
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 10.00 any  -> B1
        place R2 A7 M1 10.00 any  -> B2
        manual steps
        result M1 1               -> started J1
        step
        bet B1                    -> Won 30.00
        result M1 2 key K2        -> started J2
        rollback M1               -> started J2
        result M1 void all        -> started J2
        retry trader K2           -> duplicate started J2, now JobRunning
        archive M1                -> NotAllowed
        auto steps
        tick
        bet B1                    -> Void 10.00
        bet B2                    -> Void 10.00
        retry trader K2           -> duplicate started J2, now JobEnded
        market M1                 -> Settled
        balance A7                -> 100.00
    ";

    the_names_of_all_news_are_told: "
        fund A7 100.00
        quote M1 3.00 2.00
        quote M2 2.00 2.00
        ticket R1 A7 double 10.00 M1/1 M2/1 any -> B1
        events                    -> Transfer TicketOpened LegBound LegBound Answered
        rollback M1               -> NotAllowed
        rules other
        events                    -> RulesPublished Answered
        in-play M1 1s
        events                    -> InPlayChanged Answered
        freeze M1
        events                    -> CashOutFrozen Answered
    ";
}

/// Settled, rolled back and settled again is settled once, to the last bit of money.
#[test]
fn a_detour_ends_in_the_same_money() {
    let set_up = "
        house budget 2
        fund A7 100.00
        fund A8 100.00 EUR
        quote M1 2.50 3.00
        quote M2 1.80 2.10
        quote M3 10/11 4.00
        place R1 A7 M1/1 7.77 any                      -> B1
        ticket R2 A7 patent 1.01 M1/1 M2/1 M3/1 any    -> B2
        ticket R3 A8 lucky15 0.07 M1/2 M2/2 M3/2 M4/1 any -> MarketUnknown
        ticket R4 A8 trixie 0.07 M1/2 M2/2 M3/2 any    -> B3
        place R5 A8 M3/1 5.01 any                      -> B4
        ";
    let direct = ["result M1 1", "result M2 void 2", "result M3 1:half-won 2:half-lost"];
    let detours = [
        vec!["result M1 2", "rollback M1", "result M1 1"],
        vec!["result M1 1", "result M1 1", "result M1 2", "result M1 1"],
        vec!["cancel M1", "result M1 1", "uncancel M1"],
        vec!["result M1 1", "cancel M1 until @1ns", "uncancel M1 until @1ns"],
        vec!["result M1 void all", "void B1", "unvoid B1", "result M1 1"],
    ];
    let money = |lines: &[&str]| {
        let text = format!("{set_up}\n{}", lines.join("\n"));
        let mut runner = script::Runner::new(betring_core::HouseRules);
        for line in text.lines() {
            runner.line(line).unwrap_or_else(|failure| panic!("{failure}"));
        }
        let state = runner.state().expect("a line needed it");
        let balances: Vec<_> = state.accounts().map(|account| account.balance).collect();
        (state.money_digest(), balances)
    };
    let expected = money(&direct);
    for detour in detours {
        for position in 0..3 {
            let mut lines: Vec<&str> = direct[1..].to_vec();
            lines.splice(position.min(2)..position.min(2), detour.iter().copied());
            assert_eq!(money(&lines), expected, "{lines:?}");
        }
    }
}
