//! Exchange markets that turn in-play: what lapses, what stays, starting prices, delays, withdrawn runners.

scripts! {
    in_play_what_does_not_persist_lapses: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        order R1 A1 M1 back A 2.00 2.00          -> order O1
        order R2 A1 M1 back A 3.00 2.00 persist  -> order O2
        in-play M1 0s
        sizes O1            -> ExecutionComplete 2.00: 2.00 lapsed
        sizes O2            -> Executable 3.00: 3.00 remaining
        held A1 M1                               -> 3.00
        order R3 A1 M1 back A 2.00 2.00 at-start -> MarketNotOpenForBspBetting
        # Something material has happened: nothing of before is to be matched.
        lapse M1 not-persistent                  -> started
        sizes O2            -> Executable 3.00: 3.00 remaining
        lapse M1 all                             -> started
        sizes O2            -> ExecutionComplete 3.00: 3.00 lapsed
        held A1 M1                               -> 0.00
    ";

    while_a_market_turns_it_takes_no_orders: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        order R1 A1 M1 back A 2.00 2.00 persist  -> order O1
        manual steps
        in-play M1 0s
        order R2 A1 M1 back A 2.00 2.00          -> MarketSuspended
        cancel-orders R3 A1 M1 all               -> MarketSuspended
        update-orders R4 A1 M1 O1:lapse          -> MarketSuspended
        replace-orders R5 A1 M1 O1:2.02          -> MarketSuspended
        in-play M1 off                           -> NotAllowed
        lapse M1 all                             -> NotAllowed
        non-runner M1 B                          -> NotAllowed
        step
        order R6 A1 M1 back A 2.00 2.00          -> order O2
    ";

    the_starting_price_is_where_most_is_matched: "
        market M1 Race A B exchange
        exchange M1 GBP min 2.00 min-liability 10.00 starting-prices commission 5%
        open M1
        fund A1 1000.00
        fund A2 1000.00
        order R1 A1 M1 back A 20.00              -> order O1
        order R2 A2 M1 lay A 60.00               -> order O2
        held A1 M1                               -> 20.00
        held A2 M1                               -> 60.00
        starting M1/A                            -> far 4.00, near 4.00
        in-play M1 0s
        starting M1/A                            -> 4.00
        sizes O1            -> ExecutionComplete 20.00: 20.00 matched at 4.00
        sizes O2            -> ExecutionComplete 20.00: 20.00 matched at 4.00
        starting M1/B                            -> far none, near none
        result M1 A
        net A1 M1                                -> 60.00 less 3.00
        net A2 M1                                -> -60.00
    ";

    at_the_starting_price_orders_that_rest_take_part: "
        market M1 Race A B exchange
        exchange M1 GBP starting-prices
        open M1
        fund A1 1000.00
        fund A2 1000.00
        fund A3 1000.00
        order R1 A1 M1 back A 200.00             -> order O1
        order R2 A2 M1 lay A 300.00              -> order O2
        order R3 A3 M1 lay A 100.00 5.00 persist -> order O3
        starting M1/A                            -> far 2.50, near 4.00
        in-play M1 0s
        starting M1/A                            -> 4.00
        # A layer who would have given 5.00 gives 4.00.
        sizes O3            -> ExecutionComplete 100.00: 100.00 matched at 4.00
        sizes O1            -> ExecutionComplete 200.00: 200.00 matched at 4.00
        sizes O2            -> ExecutionComplete 100.00: 100.00 matched at 4.00
        held A3 M1                               -> 300.00
    ";

    who_has_a_limit_for_the_starting_price_is_matched_within_it: "
        market M1 Race A B exchange
        exchange M1 GBP starting-prices
        open M1
        fund A1 1000.00
        fund A2 1000.00
        order R1 A1 M1 back A 100.00             -> order O1
        order R2 A1 M1 back A 500.00 6.00 on-close -> order O2
        order R3 A2 M1 lay A 300.00              -> order O3
        held A1 M1                               -> 600.00
        in-play M1 0s
        starting M1/A                            -> 4.00
        sizes O1            -> ExecutionComplete 100.00: 100.00 matched at 4.00
        sizes O2            -> ExecutionComplete 500.00: 500.00 lapsed
        held A1 M1                               -> 100.00
    ";

    an_order_at_the_starting_price_has_no_persistence: "
        market M1 Race A B exchange
        exchange M1 GBP starting-prices
        open M1
        fund A1 100.00
        order R1 A1 M1 back A 2.00 persist       -> UnexpectedPersistenceType
        order R2 A1 M1 back A 2.00 3.00 on-close -> order O1
        update-orders R3 A1 M1 O1:persist        -> UnexpectedPersistenceType
        replace-orders R4 A1 M1 O1:4.00          -> order O2
        replace-orders R5 A1 M1 O2:4.00          -> InvalidPriceEdit
        order R6 A1 M1 back B 2.00               -> order O3
        replace-orders R7 A1 M1 O3:4.00          -> InvalidPriceEdit
        order R8 A1 M1 back B 2.00 kill          -> TimeInForceConflict
        order R9 A1 M1 lay B 2.00 3.00 payout on-close -> InvalidBetSize
        order R10 A1 M1 back B 2.00 payout       -> InvalidBetSize
        # In-play and back again: starting prices are made once.
        in-play M1 0s
        in-play M1 off
        order R11 A1 M1 back A 2.00              -> MarketNotOpenForBspBetting
        in-play M1 0s
        starting M1/A                            -> far none, near none
    ";

    with_one_side_only_nothing_is_matched_at_the_start: "
        market M1 Race A B exchange
        exchange M1 GBP starting-prices min-liability 10.00
        open M1
        fund A1 1000.00
        order R1 A1 M1 back A 20.00              -> order O1
        order R2 A1 M1 lay B 9.99                -> InvalidBetSize min 10.00
        in-play M1 0s
        starting M1/A                            -> far none, near none
        sizes O1            -> ExecutionComplete 20.00: 20.00 lapsed
        held A1 M1                               -> 0.00
        balance A1                               -> 1000.00
    ";

    an_order_that_goes_to_the_starting_price_keeps_its_stake_or_its_liability: "
        market M1 Race A B exchange
        exchange M1 GBP starting-prices min-liability 10.00
        open M1
        fund A1 1000.00
        fund A2 1000.00
        order R1 A1 M1 lay A 10.00 2.50 at-start -> order O1
        order R2 A1 M1 lay B 10.00 1.50 at-start -> order O2
        order R3 A2 M1 back A 5.00 4.00 at-start -> order O3
        held A1 M1                               -> 15.00
        in-play M1 0s
        # 15.00 against 5.00 stakes: 4.00. Of B the liability was 5.00, too little.
        starting M1/A                            -> 4.00
        sizes O1            -> ExecutionComplete 5.00: 5.00 matched at 4.00
        sizes O2            -> ExecutionComplete 10.00: 10.00 lapsed
        sizes O3            -> ExecutionComplete 5.00: 5.00 matched at 4.00
        held A1 M1                               -> 15.00
    ";

    a_lay_that_goes_to_a_short_starting_price_has_room_for_all_that_it_covers: "
        market M1 Race A B exchange
        exchange M1 GBP starting-prices
        open M1
        fund A1 100.00
        fund A2 2000.00
        order R1 A1 M1 lay A 10.00 2.50 at-start -> order O1
        order R2 A2 M1 back A 1500.00            -> order O2
        in-play M1 0s
        # 15.00 cover 1,500.00 at 1.01.
        starting M1/A                            -> 1.01
        sizes O1            -> ExecutionComplete 1500.00: 1500.00 matched at 1.01
        held A1 M1                               -> 15.00
        result M1 B
        balance A1                               -> 1600.00
    ";

    an_order_lapses_whose_selection_was_suspended_while_it_waited: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        in-play M1 5s
        fund A1 100.00
        @1s order R1 A1 M1 back A 10.00 2.00 + back B 10.00 2.00 -> order O1 and 1 more, until @6s
        @2s suspend M1/A
        @3s release M1/A
        @7s sizes O1        -> ExecutionComplete 10.00: 10.00 lapsed
        sizes O2            -> Executable 10.00: 10.00 remaining
    ";

    whoever_is_excluded_has_nothing_at_the_starting_price: "
        market M1 Race A B exchange
        exchange M1 GBP starting-prices
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 back A 10.00              -> order O1
        order R2 A2 M1 lay A 10.00               -> order O2
        block A1
        in-play M1 0s
        sizes O1            -> ExecutionComplete 10.00: 10.00 lapsed
        sizes O2            -> ExecutionComplete 10.00: 10.00 lapsed
    ";

    in_play_an_order_waits_and_is_decided_again: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 lay A 5.00 3.00 persist   -> order O1
        @1s in-play M1 5s
        order R2 A2 M1 back A 2.00 2.50          -> order O2, until @6s
        sizes O2            -> Pending 2.00: 2.00 remaining
        held A2 M1                               -> 2.00
        cancel-orders R3 A2 M1 O2                -> BetInProgress
        cancel-orders R4 A2 M1 all               -> NoActionRequired
        @5.999s
        sizes O2            -> Pending 2.00: 2.00 remaining
        @6s
        sizes O2            -> ExecutionComplete 2.00: 2.00 matched at 3.00
        order R5 A2 M1 back A 2.00 2.50          -> order O3, until @11s
        @7s suspend M1
        release M1
        # What was suspended meanwhile is another game.
        @11s
        sizes O3            -> ExecutionComplete 2.00: 2.00 lapsed
        held A2 M1                               -> 2.00
    ";

    with_a_passive_delay_only_what_would_be_matched_at_once_waits: "
        market M1 Race A B exchange
        exchange M1 GBP passive
        open M1
        fund A1 100.00
        fund A2 100.00
        in-play M1 5s
        order R1 A1 M1 lay A 5.00 3.00           -> order O1
        sizes O1            -> Executable 5.00: 5.00 remaining
        order R2 A2 M1 back A 2.00 3.05          -> order O2
        sizes O2            -> Executable 2.00: 2.00 remaining
        order R3 A2 M1 back A 2.00 3.00          -> order O3, until @5s
        # Who was there before it began to wait no longer has to be when it ends.
        @1s cancel-orders R4 A1 M1 O1            -> cancelled 5.00 of 1
        @5s
        sizes O3            -> Executable 2.00: 2.00 remaining
    ";

    an_order_whose_customer_was_blocked_meanwhile_is_not_matched: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 lay A 5.00 3.00 persist   -> order O1
        in-play M1 5s
        order R2 A2 M1 back A 2.00 2.50          -> order O2, until @5s
        @1s block A2
        @5s
        sizes O2            -> ExecutionComplete 2.00: 2.00 lapsed
    ";

    a_runner_that_is_withdrawn_takes_its_factor_from_the_others: "
        market M1 Race A B C exchange
        exchange M1 GBP cross
        open M1
        fund A1 1000.00
        fund A2 1000.00
        order R1 A1 M1 lay A 10.00 8.00          -> order O1
        order R2 A2 M1 back A 10.00 8.00         -> order O2 matched 10.00 at 8.00
        order R3 A1 M1 lay C 10.00 3.00          -> order O3
        order R4 A2 M1 back C 10.00 3.00         -> order O4 matched 10.00 at 3.00
        order R5 A1 M1 lay B 10.00 4.00          -> order O5
        order R6 A1 M1 back B 10.00 5.00         -> order O6
        order R7 A2 M1 back C 10.00 3.05         -> order O7
        # 8.0 less 25 % are 6.0; bets on C are off, lays that wait on the others, too.
        non-runner M1 C factor 25%               -> started
        sizes O2            -> ExecutionComplete 10.00: 10.00 matched at 6.00
        sizes O3            -> ExecutionComplete 10.00: 10.00 voided
        sizes O5            -> ExecutionComplete 10.00: 10.00 lapsed
        sizes O6            -> Executable 10.00: 10.00 remaining
        sizes O7            -> ExecutionComplete 10.00: 10.00 lapsed
        held A2 M1                               -> 10.00
        order R8 A1 M1 back C 10.00 3.00         -> SelectionWithdrawn
        runner M1 C                              -> NotAllowed
        result M1 A
        net A2 M1                                -> 50.00
        net A1 M1                                -> -50.00
    ";

    a_small_factor_changes_nothing_of_a_win_market: "
        market M1 Race A B C exchange
        exchange M1 GBP
        open M1
        fund A1 1000.00
        fund A2 1000.00
        order R1 A1 M1 lay A 20.00 8.00          -> order O1
        order R2 A2 M1 back A 10.00 8.00         -> order O2 matched 10.00 at 8.00
        non-runner M1 C factor 2.49%
        sizes O1            -> Executable 20.00: 10.00 matched at 8.00, 10.00 remaining
        non-runner M1 B factor 2.5%
        sizes O1            -> ExecutionComplete 20.00: 10.00 matched at 7.80, 10.00 lapsed
    ";

    of_places_the_winnings_are_cut_and_lays_lapse_from_four_percent: "
        market M1 Race A B C D exchange winners 2
        exchange M1 GBP places
        open M1
        fund A1 1000.00
        fund A2 1000.00
        order R1 A1 M1 lay A 20.00 8.00          -> order O1
        order R2 A2 M1 back A 10.00 8.00         -> order O2 matched 10.00 at 8.00
        # 1 + 7 less 25 %.
        non-runner M1 D factor 3.99%
        sizes O1            -> Executable 20.00: 10.00 matched at 7.7207, 10.00 remaining
        non-runner M1 C factor 4%                -> started
        sizes O1            -> ExecutionComplete 20.00: 10.00 matched at 7.4518, 10.00 lapsed
    ";

    a_result_with_a_deduction_or_a_winner_that_was_withdrawn_settles_no_exchange_market: "
        market M1 Race A B C exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 back A 2.00 2.28          -> order O1
        order R2 A2 M1 lay A 2.00 2.28           -> order O2 matched 2.00 at 2.28
        # Exchanges reduce prices; of what is taken from winnings they know nothing.
        result M1 A:win-15p B:lose C:lose        -> InvalidResult
        non-runner M1 C
        result M1 A:lose B:lose C:win            -> InvalidResult
        non-runner M1 B
        non-runner M1 A
        # Nobody ran: then nobody won.
        result M1 A:win B:lose C:lose            -> InvalidResult
        result M1 A:void B:lose C:lose
        balance A1                               -> 100.00
    ";

    a_dead_heat_pays_half_and_takes_half: "
        market M1 Race A B C exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 back A 2.00 2.28          -> order O1
        order R2 A2 M1 lay A 2.00 2.28           -> order O2 matched 2.00 at 2.28
        result M1 A:1/2 B:1/2 C:lose
        net A2 M1                                -> -0.28
        net A1 M1                                -> 0.28
        # Both win would be two winners of one.
        result M1 A:win B:win C:lose             -> TooManyWinners
        # And with none more is lost than was held.
        result M1 A:lose B:lose C:lose           -> InvalidResult
        result M1 A:void B:void C:void
        net A1 M1                                -> 0.00
        sizes O1            -> ExecutionComplete 2.00: 2.00 voided
        balance A1                               -> 100.00
    ";

    another_result_takes_back_what_was_paid_with_the_commission: "
        market M1 Race A B exchange
        exchange M1 GBP commission 10%
        open M1
        fund A1 100.00
        discount A1 40%
        fund A2 100.00
        order R1 A1 M1 back A 10.00 3.00         -> order O1
        order R2 A2 M1 lay A 10.00 3.00          -> order O2 matched 10.00 at 3.00
        result M1 A
        net A1 M1                                -> 20.00 less 1.20
        balance A1                               -> 118.80
        house Commission GBP                     -> 1.20
        withdraw W1 A1 118.80
        result M1 B
        # What he has not any more he owes.
        balance A1                               -> -28.80
        net A2 M1                                -> 10.00 less 1.00
        balance A2                               -> 109.00
        house Commission GBP                     -> 1.00
        house Clearing GBP                       -> 0.00
        rollback M1
        balance A1                               -> -28.80
        held A1 M1                               -> 10.00
        balance A2                               -> 80.00
        house Commission GBP                     -> 0.00
        result M1 A
        archive M1
        market M1                                -> Archived
        sizes O1                                 -> Archived
        house Escrow GBP                         -> 0.00
    ";

    a_loss_on_an_exchange_counts_for_the_customers_own_limit: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        limit A1 loss day 15.00
        order R1 A1 M1 back A 10.00 2.00         -> order O1
        limit A1 loss day                        -> 5.00 left
        order R2 A1 M1 back A 6.00 2.00          -> CustomerLimit Loss Day left 5.00
        cancel-orders R3 A1 M1 O1:4.00
        limit A1 loss day                        -> 9.00 left
        order R4 A2 M1 lay A 6.00 2.00           -> order O2 matched 6.00 at 2.00
        result M1 B
        limit A1 loss day                        -> 9.00 left
    ";

    a_restart_finds_every_order_in_its_turn: "
        market M1 Race A B C exchange
        exchange M1 GBP cross starting-prices commission 5%
        open M1
        fund A1 1000.00
        fund A2 1000.00
        fund A3 1000.00
        order R1 A1 M1 back A 5.00 2.00          -> order O1
        order R2 A2 M1 back A 5.00 2.00 persist  -> order O2
        order R3 A1 M1 back B 20.00              -> order O3
        order R4 A2 M1 lay B 30.00               -> order O4
        restart
        order R5 A3 M1 lay A 6.00 2.00           -> MarketNotOpen
        open M1
        order R6 A3 M1 lay A 6.00 2.00           -> order O5 matched 6.00 at 2.00
        sizes O2            -> Executable 5.00: 1.00 matched at 2.00, 4.00 remaining
        manual steps
        in-play M1 5s
        step 1
        restart
        step
        auto steps
        starting M1/B                            -> 2.50
        sizes O2            -> Executable 5.00: 1.00 matched at 2.00, 4.00 remaining
        open M1
        order R7 A3 M1 lay A 4.00 2.00           -> order O6
        restart
        @+5s
        # A start is a time in which nobody knows what happened.
        sizes O6            -> ExecutionComplete 4.00: 4.00 lapsed
        result M1 B
        digest                                   -> same-as-replay
    ";
}
