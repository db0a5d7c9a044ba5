//! Selling a bet back: for its value at the prices in force, and not at all on any doubt.

scripts! {
    a_single_is_worth_its_stake_times_taken_over_now: "
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 100.00 any -> B1
        value B1                  -> 100.00
        @1s quote M1 2.00
        value B1                  -> 150.00
        cash-out R2 A7 B1 150.00  -> done
        bet B1                    -> CashedOut 150.00
        balance A7                -> 150.00
        house House GBP           -> -50.00
        # What is sold is sold: no result reaches it.
        result M1 1
        bet B1                    -> CashedOut 150.00
        rollback M1
        balance A7                -> 150.00
        cash-out R2 A7 B1 150.00  -> duplicate done
        cash-out R3 A7 B1 any     -> NotAllowed
    ";

    the_house_keeps_its_margin: "
        rules set margin 5%
        fund A7 100.00
        quote M1 4.00
        place R1 A7 M1 10.00 any  -> B1
        quote M1 8.00
        value B1                  -> 4.75
        cash-out R2 A7 B1 4.76 better -> CashOutMoved now 4.75
        cash-out R3 A7 B1 4.75 better -> done
        balance A7                -> 94.75
    ";

    won_legs_count_at_their_odds_and_open_ones_at_taken_over_now: "
        fund A7 100.00
        quote M1 4.00 1.50
        quote M2 3.50 1.50
        quote M3 5.00 1.50
        ticket R1 A7 treble 10.00 M1/1 M2/1 M3/1 any -> B1 returns 700.00
        result M1 1
        result M2 1
        quote M3 1.25
        value B1                  -> 560.00
        cash-out R2 A7 B1 500.00 better -> done
        bet B1                    -> CashedOut 560.00
    ";

    a_part_is_sold_and_the_rest_stays_open: "
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 30.00 any  -> B1
        quote M1 2.00
        value B1 take 10.00       -> 15.00
        cash-out R2 A7 B1 take 10.00 15.00 -> done
        bet B1                    -> Open
        stake B1                  -> 20.00
        balance A7                -> 85.00
        house Escrow GBP          -> 20.00
        exposure M1 GBP           -> 40.00
        cash-out R3 A7 B1 take 20.01 any -> StakeTooLarge max 20.00
        result M1 1
        bet B1                    -> Won 60.00
        balance A7                -> 145.00
        rollback M1
        balance A7                -> 85.00
        result M1 void all
        balance A7                -> 105.00
    ";

    it_fails_closed_on_any_doubt: "
        fund A7 100.00
        feed F1 silence 10s
        recovered F1
        fixture X1
        market M1 who Home Away feed F1 fixture X1
        open M1
        prices M1 3.00 1.50
        place R1 A7 M1 10.00 any  -> B1
        value B1                  -> 10.00
        suspend M1
        cash-out R2 A7 B1 any     -> CashOutFrozen
        release M1
        freeze M1
        cash-out R3 A7 B1 any     -> CashOutFrozen
        place R9 A7 M1 1.00 any   -> B2
        freeze M1 governor
        unfreeze M1
        cash-out R4 A7 B1 any     -> CashOutFrozen
        unfreeze M1 governor
        freeze X1
        cash-out R5 A7 B1 any     -> CashOutFrozen
        unfreeze X1
        freeze F1
        cash-out R6 A7 B1 any     -> CashOutFrozen
        unfreeze F1
        freeze all
        cash-out R7 A7 B1 any     -> CashOutFrozen
        unfreeze all
        freeze M9                 -> MarketUnknown
        # A price that bets may still take is too old to buy back at.
        @301ms cash-out R8 A7 B1 any -> CashOutFrozen
        place R10 A7 M1 1.00 any  -> B3
        heartbeat F1
        cash-out R11 A7 B1 any    -> done
        gap F1
        cash-out R12 A7 B3 any    -> CashOutFrozen
        recovered F1
        prices M1 3.00 1.50
        prices M1 - 1.50
        cash-out R13 A7 B3 any    -> CashOutFrozen
    ";

    while_news_are_settled_nothing_is_sold: "
        house budget 1
        fund A7 100.00
        quote M1 2.00 2.00
        quote M2 2.00 2.00
        ticket R1 A7 double 10.00 M1/1 M2/1 any -> B1
        place R2 A7 M1/1 1.00 any -> B2
        manual steps
        result M1 1
        step
        cash-out R3 A7 B1 any     -> CashOutFrozen
        auto steps
        cash-out R4 A7 B1 any     -> done
        bet B1                    -> CashedOut 20.00
    ";

    in_play_it_waits_and_happens_at_the_value_of_the_end: "
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 30.00 any  -> B1
        in-play M1 5s
        quote M1 2.00
        @1s cash-out R2 A7 B1 45.00 better -> pending B1 until @6s, CashOut
        bet B1                    -> CashingOut
        cash-out R3 A7 B1 any     -> NotAllowed
        @2s quote M1 1.80
        @6s bet B1                -> CashedOut 50.00
        cash-out R2 A7 B1 45.00 better -> duplicate pending B1 until @6s, CashOut, now CashedOut 50.00
    ";

    or_not_at_all: "
        fund A7 100.00
        quote M1 3.00
        place R1 A7 M1 30.00 any  -> B1
        place R2 A7 M1 30.00 any  -> B2
        place R3 A7 M1 30.00 any  -> B3
        in-play M1 5s
        @1s cash-out R4 A7 B1 30.00 better -> pending B1
        @2s quote M1 3.10
        @6s bet B1                -> Open
        @7s cash-out R5 A7 B2 any -> pending B2
        suspend M1
        release M1
        @12s bet B2               -> Open
        @13s cash-out R6 A7 B3 any -> pending B3
        result M1 1
        bet B3                    -> Won 90.00
        balance A7                -> 280.00
    ";

    a_customer_sets_the_value_at_which_it_sells_itself: "
        fund A7 100.00
        quote M1 4.00
        place R1 A7 M1 10.00 any  -> B1
        place R2 A7 M1 10.00 any  -> B2
        auto-cash-out R3 A7 B1 15.00
        auto-cash-out R4 A7 B2 16.00
        quote M1 3.00
        bet B1                    -> Open
        auto-cash-out R5 A7 B2 off
        quote M1 2.50
        bet B1                    -> CashedOut 16.00
        bet B2                    -> Open
        auto-cash-out R6 A7 B1 5.00 -> NotAllowed
        auto-cash-out R7 A7 B9 5.00 -> BetUnknown
        fund A8 1.00
        auto-cash-out R8 A8 B2 5.00 -> BetUnknown
        cash-out R9 A8 B2 any     -> BetUnknown
    ";

    a_leg_that_wins_may_be_what_it_waited_for: "
        fund A7 100.00
        quote M1 2.00 2.00
        quote M2 2.00 2.00
        ticket R1 A7 double 10.00 M1/1 M2/1 any -> B1
        auto-cash-out R2 A7 B1 19.00
        bet B1                    -> Open
        result M1 1
        bet B1                    -> CashedOut 20.00
    ";

    one_that_fails_at_the_end_of_the_delay_is_dropped: "
        fund A7 100.00
        quote M1 4.00
        place R1 A7 M1 10.00 any  -> B1
        in-play M1 5s
        auto-cash-out R2 A7 B1 15.00
        @1s quote M1 2.50
        bet B1                    -> CashingOut
        @2s quote M1 4.00
        @6s bet B1                -> Open
        @7s quote M1 2.50
        bet B1                    -> Open
    ";

    a_free_bet_is_not_bought_back: "
        fund A7 1.00
        grant A7 10.00
        quote M1 4.00
        ticket R1 A7 single 10.00 M1/1 bonus any -> B1
        cash-out R2 A7 B1 any     -> CashOutFrozen
        auto-cash-out R3 A7 B1 5.00 -> NotAllowed
        block A7
        cash-out R4 A7 B1 any     -> AccountBlocked
    ";

    values_may_be_accepted_within_a_margin: "
        fund A7 100.00
        quote M1 4.00
        place R1 A7 M1 10.00 any  -> B1
        place R2 A7 M1 10.00 any  -> B2
        quote M1 4.20
        cash-out R3 A7 B1 10.00   -> CashOutMoved now 9.52
        cash-out R4 A7 B1 10.00 within 4% -> CashOutMoved now 9.52
        cash-out R5 A7 B1 10.00 within 5% -> done
    ";
}
