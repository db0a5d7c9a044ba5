//! An account's own limits by day, week and month, and its exclusion.

scripts! {
    a_payout_that_is_taken_back_on_another_day_is_no_loss_of_that_day: "
        fund A7 1000.00
        quote M1 2.00
        limit A7 loss day 100.00
        place R1 A7 M1 100.00 any    -> B1
        result M1 1
        tick
        limit A7 loss day            -> 200.00 left
        # The bet is void the day after: its stake and its winnings were of yesterday.
        @24h void B1
        bet B1                       -> Void 100.00
        limit A7 loss day            -> 100.00 left
        quote M2 2.00
        place R2 A7 M2 100.00 any    -> B2
        result M2 1
        tick
        limit A7 loss day            -> 200.00 left
        # On the same day it is a loss of that day.
        result M2 2
        tick
        limit A7 loss day            -> 0.00 left
    ";

    a_days_stakes_end_at_the_limit_and_begin_anew_at_midnight: "
        fund A7 1000.00
        quote M1 2.00
        limit A7 stake day        -> none
        limit A7 stake day 100.00 -> done
        limit A7 stake day        -> 100.00 left
        place R1 A7 M1 60.00 any  -> B1
        limit A7 stake day        -> 40.00 left
        place R2 A7 M1 40.01 any  -> CustomerLimit Stake Day left 40.00
        place R3 A7 M1 40.00 any  -> B2
        place R4 A7 M1 0.01 any   -> CustomerLimit Stake Day left 0.00
        @24h-1ns place R5 A7 M1 0.01 any -> CustomerLimit Stake Day left 0.00
        @24h place R6 A7 M1 100.00 any   -> B3
        limit A7 stake day        -> 0.00 left
    ";

    /// The scripts begin on a Thursday, 2026-01-01.
    a_week_begins_on_monday: "
        fund A7 1000.00
        quote M1 2.00
        limit A7 stake week 10.00
        place R1 A7 M1 10.00 any          -> B1
        @96h-1ns place R2 A7 M1 0.01 any  -> CustomerLimit Stake Week left 0.00
        @96h place R3 A7 M1 10.00 any     -> B2
        @264h-1ns place R4 A7 M1 0.01 any -> CustomerLimit Stake Week left 0.00
        @264h place R5 A7 M1 10.00 any    -> B3
    ";

    a_month_is_as_long_as_it_is: "
        fund A7 1000.00
        quote M1 2.00
        limit A7 stake month 10.00
        place R1 A7 M1 10.00 any           -> B1
        @744h-1ns place R2 A7 M1 0.01 any  -> CustomerLimit Stake Month left 0.00
        @744h place R3 A7 M1 10.00 any     -> B2
        # 2026 is no leap year: February has 28 days.
        @1416h-1ns place R4 A7 M1 0.01 any -> CustomerLimit Stake Month left 0.00
        @1416h place R5 A7 M1 10.00 any    -> B3
    ";

    the_lowest_applies_and_the_first_in_turn_is_told: "
        fund A7 1000.00
        quote M1 2.00
        limit A7 stake day 50.00
        limit A7 stake week 30.00
        limit A7 loss month 20.00
        place R1 A7 M1 60.00 any  -> CustomerLimit Stake Day left 50.00
        place R2 A7 M1 40.00 any  -> CustomerLimit Stake Week left 30.00
        place R3 A7 M1 25.00 any  -> CustomerLimit Loss Month left 20.00
        place R4 A7 M1 20.00 any  -> B1
        place R5 A7 M1 1.00 any   -> CustomerLimit Loss Month left 0.00
        limit A7 stake week       -> 10.00 left
    ";

    a_loss_is_what_was_staked_less_whatever_came_back: "
        fund A7 1000.00
        quote M1 2.00
        quote M2 2.00
        quote M3 2.00
        limit A7 loss week 20.00
        place R1 A7 M1 20.00 any  -> B1
        limit A7 loss week        -> 0.00 left
        result M1 1
        # Won 20.00: as much more may be lost now.
        limit A7 loss week        -> 40.00 left
        place R2 A7 M2 40.00 any  -> B2
        cash-out R3 A7 B2 take 10.00 any
        limit A7 loss week        -> 10.00 left
        # What was paid is taken back.
        rollback M1
        limit A7 loss week        -> 0.00 left
        void B1
        void B2
        limit A7 loss week        -> 20.00 left
        unvoid B1
        limit A7 loss week        -> 0.00 left
    ";

    a_stake_that_goes_back_makes_room: "
        house on-failure offer
        fund A7 1000.00
        quote M1 2.00
        own-limit R1 A7 stake day 20.00
        place R2 A7 M1 20.00 2.10 -> offer B1
        place R3 A7 M1 0.01 any   -> CustomerLimit Stake Day left 0.00
        decline R4 A7 B1
        limit A7 stake day        -> 20.00 left
        place R5 A7 M1 15.00 any  -> B2
        void B2
        limit A7 stake day        -> 20.00 left
        place R6 A7 M1 20.00 any  -> B3
        # Tomorrow it makes no room beyond that day's limit.
        @24h void B3
        limit A7 stake day        -> 20.00 left
    ";

    a_void_that_flips_on_a_later_day_uses_up_nothing_of_that_day: "
        fund A7 1000.00
        quote M1 2.00
        limit A7 loss day 100.00
        limit A7 loss week 100.00
        place R1 A7 M1 40.00 any  -> B1
        @24h void B1
        limit A7 loss day         -> 100.00 left
        # Of the week it was a loss, and is not.
        limit A7 loss week        -> 100.00 left
        unvoid B1
        limit A7 loss day         -> 100.00 left
        limit A7 loss week        -> 60.00 left
        void B1
        unvoid B1
        limit A7 loss day         -> 100.00 left
        limit A7 loss week        -> 60.00 left
        place R2 A7 M1 60.00 any  -> B2
        place R3 A7 M1 0.01 any   -> CustomerLimit Loss Week left 0.00
    ";

    a_bet_that_is_voided_twice_makes_room_once: "
        fund A7 1000.00
        quote M1 2.00
        limit A7 stake day 100.00
        limit A7 loss week 100.00
        place R1 A7 M1 20.00 any  -> B1
        place R2 A7 M1 80.00 any  -> B2
        void B1
        limit A7 stake day        -> 20.00 left
        unvoid B1
        limit A7 stake day        -> 0.00 left
        limit A7 loss week        -> 0.00 left
        void B1
        limit A7 stake day        -> 20.00 left
        limit A7 loss week        -> 20.00 left
    ";

    a_stake_that_a_wallet_confirms_after_midnight_makes_room_on_the_day_it_was_staked: "
        account A7 wallet
        quote M1 2.00
        rules night hold place hold-ttl 10s
        limit A7 stake day 20.00
        @24h-2s place R1 A7 M1 20.00 any -> pending B1
        limit A7 stake day        -> 0.00 left
        @24h+2s confirm B1 20.00
        limit A7 stake day        -> 0.00 left
        void B1
        limit A7 stake day        -> 20.00 left
    ";

    a_stake_from_before_the_first_limit_makes_no_room_when_it_goes_back: "
        fund A7 1000.00
        quote M1 2.00
        place R1 A7 M1 50.00 any  -> B1
        limit A7 loss day 20.00
        void B1
        limit A7 loss day         -> 20.00 left
        unvoid B1
        limit A7 loss day         -> 20.00 left
        place R2 A7 M1 20.00 any  -> B2
        limit A7 loss day         -> 0.00 left
    ";

    what_comes_before_the_first_limit_is_not_counted: "
        fund A7 1000.00
        quote M1 2.00
        place R1 A7 M1 50.00 any  -> B1
        own-limit R2 A7 stake day 20.00
        own-limit R3 A7 deposit day 20.00
        limit A7 stake day        -> 20.00 left
        limit A7 deposit day      -> 20.00 left
        limit A7 loss day         -> none
        # From here on all of it is, by every period.
        place R4 A7 M1 5.00 any   -> B2
        own-limit R5 A7 loss month 20.00
        limit A7 loss month       -> 15.00 left
    ";

    deposits_have_their_own_limit: "
        account A7
        own-limit R1 A7 deposit day 50.00
        deposit K1 A7 50.01       -> CustomerLimit Deposit Day left 50.00
        deposit K2 A7 50.00
        withdraw K3 A7 50.00
        # What is withdrawn was deposited all the same.
        deposit K4 A7 0.01        -> CustomerLimit Deposit Day left 0.00
        adjust A7 100.00
        quote M1 2.00
        place R2 A7 M1 100.00 any -> B1
        @24h deposit K5 A7 50.00  -> done
    ";

    free_bets_are_not_the_customers_money: "
        fund A7 1000.00
        grant A7 10.00
        quote M1 2.00
        own-limit R1 A7 stake day 1.00
        ticket R2 A7 single 10.00 M1 bonus any -> B1
        limit A7 stake day        -> 1.00 left
    ";

    less_applies_at_once_and_more_after_a_day_to_the_nanosecond: "
        fund A7 1000.00
        quote M1 2.00
        own-limit R1 A7 stake day 50.00
        limit A7 stake day        -> 50.00 left
        own-limit R2 A7 stake day 20.00
        limit A7 stake day        -> 20.00 left
        @1h own-limit R3 A7 stake day 100.00
        limit A7 stake day        -> 20.00 left, 100.00 from @90000s
        @25h-1ns place R4 A7 M1 20.01 any -> CustomerLimit Stake Day left 20.00
        @25h tick
        limit A7 stake day        -> 100.00 left
        place R5 A7 M1 100.00 any -> B1
        # None at all is more than any.
        own-limit R6 A7 stake day none
        limit A7 stake day        -> 0.00 left, none from @176400s
        @49h-1ns place R7 A7 M1 100.01 any -> CustomerLimit Stake Day left 100.00
        @49h place R8 A7 M1 300.00 any -> B2
        limit A7 stake day        -> none
    ";

    a_raise_that_waits_is_replaced_by_the_next: "
        fund A7 1000.00
        quote M1 2.00
        own-limit R1 A7 stake day 20.00
        own-limit R2 A7 stake day 100.00
        @2h own-limit R3 A7 stake day none
        limit A7 stake day        -> 20.00 left, none from @93600s
        @3h own-limit R4 A7 stake day 30.00
        # The first would have applied from here on.
        @24h place R5 A7 M1 20.01 any -> CustomerLimit Stake Day left 20.00
        @27h-1ns place R6 A7 M1 20.01 any -> CustomerLimit Stake Day left 20.00
        @27h place R7 A7 M1 30.00 any -> B1
        limit A7 stake day        -> 0.00 left
    ";

    the_same_again_and_a_stricter_one_drop_what_waits: "
        account A7
        own-limit R1 A7 stake day 20.00
        events                    -> AccountLimitChanged Answered
        own-limit R2 A7 stake day 50.00
        own-limit R3 A7 stake day 20.00
        events                    -> AccountLimitChanged Answered
        limit A7 stake day        -> 20.00 left
        own-limit R4 A7 stake day 20.00
        events                    -> Answered
        own-limit R5 A7 stake day 50.00
        own-limit R6 A7 stake day 10.00
        @48h limit A7 stake day   -> 10.00 left
        # Nothing is taken away where nothing is.
        own-limit R7 A7 loss day none
        events                    -> Answered
    ";

    an_operator_sets_a_limit_at_once_and_drops_what_waits: "
        account A7
        own-limit R1 A7 stake day 20.00
        own-limit R2 A7 stake day 50.00
        @1h limit A7 stake day 80.00
        limit A7 stake day        -> 80.00 left
        @48h limit A7 stake day   -> 80.00 left
        limit A7 stake day none
        limit A7 stake day        -> none
        limit A7 stake day 5.00 by nobody -> ActorUnknown
        limit A9 stake day 5.00   -> AccountUnknown
        own-limit R1 A9 stake day 5.00 -> AccountUnknown
        limit A7 stake day -5.00  -> not sequenced: Malformed
    ";

    limits_and_what_counted_survive_a_restart: "
        house limited 1
        fund A7 1000.00
        fund A8 1000.00
        quote M1 2.00
        own-limit R1 A7 stake day 20.00
        own-limit R2 A7 stake day 50.00
        place R3 A7 M1 5.00 any   -> B1
        # As many accounts may have limits as the house keeps.
        own-limit R1 A8 stake day 20.00 -> Full
        own-limit R2 A8 stake day none  -> done
        restart limited 2
        limit A7 stake day        -> 15.00 left, 50.00 from @86400s
        own-limit R3 A8 stake day 20.00 -> done
    ";

    an_excluded_customer_neither_bets_nor_pays_in_and_keeps_what_is_his: "
        house on-failure offer ttl 1h
        fund A7 100.00
        quote M1 2.00
        place R1 A7 M1 10.00 any  -> B1
        place R2 A7 M1 10.00 2.10 -> offer B2
        place R3 A7 M1 10.00 2.10 -> offer B3
        exclude-self R4 A7 until @24h -> done
        events                    -> AccountExcluded Answered
        place R5 A7 M1 10.00 any  -> SelfExcluded until @86400s
        ticket R6 A7 single 1.00 M1 any -> SelfExcluded
        deposit K1 A7 10.00       -> SelfExcluded until @86400s
        accept R7 A7 B2           -> SelfExcluded until @86400s
        decline R8 A7 B3          -> done
        cash-out R9 A7 B1 any     -> done
        withdraw K2 A7 50.00      -> done
        own-limit R10 A7 stake day 5.00 -> done
        block A7
        place R11 A7 M1 10.00 any -> AccountBlocked
    ";

    an_exclusion_is_made_longer_and_never_shorter: "
        fund A7 100.00
        quote M1 2.00
        exclude A7 until @24h     -> done
        exclude-self R1 A7 until @23h -> NotAllowed
        exclude A7 until @24h     -> NotAllowed
        exclude-self R2 A7 until @25h -> done
        @25h-1ns place R3 A7 M1 10.00 any -> SelfExcluded until @90000s
        @25h place R4 A7 M1 10.00 any     -> B1
        # One that would be over already is none.
        exclude A7 until @25h     -> NotAllowed
        exclude A7 forever        -> done
        exclude A7 forever        -> NotAllowed
        exclude-self R5 A7 until @26h -> NotAllowed
        restart
        open M1
        @50000h place R6 A7 M1 10.00 any  -> SelfExcluded until forever
        exclude A9 forever        -> AccountUnknown
        exclude-self R1 A9 forever -> AccountUnknown
    ";

    who_excludes_himself_while_a_bet_waits_does_not_get_it: "
        fund A7 100.00
        quote M1 2.00
        in-play M1 5s
        place R1 A7 M1 10.00 any  -> pending B1
        @1s exclude-self R2 A7 until @24h
        @5s bet B1                -> Rejected
        balance A7                -> 100.00
    ";

    an_accounts_own_gate_comes_before_every_other: "
        fund A7 100.00
        account A8 wallet
        own-limit R1 A7 stake day 5.00
        own-limit R1 A8 stake day 5.00
        place R2 A7 M9 10.00 any  -> CustomerLimit Stake Day left 5.00
        place R3 A7 M9 5.00 any   -> MarketUnknown
        place R2 A8 M9 10.00 any synthetic -> AccountKind
        exclude A8 until @1h
        place R3 A8 M9 10.00 any synthetic -> SelfExcluded
        deposit K1 A8 1.00        -> SelfExcluded
        withdraw K2 A8 1.00       -> AccountKind
    ";
}
