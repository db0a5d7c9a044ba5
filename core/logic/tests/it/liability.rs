//! What may be lost to one customer, by one selection, in one market and on one fixture; and the stake that
//! would have passed.

scripts! {
    a_customer_may_win_so_much_in_all_markets_together: "
        limits GBP customer 20.00
        fund A7 1000.00
        fund A8 1000.00
        quote M1 2.00 3.00
        quote M2 2.50 1.50
        place R1 A7 M1 8.00 any   -> B1
        customer A7               -> 8.00
        place R2 A7 M2 8.01 any   -> LiabilityLimit max 8.00, Customer
        place R3 A7 M2 8.00 any   -> B2
        customer A7               -> 20.00
        # Even on the other side: the customer would win.
        place R4 A7 M1/2 0.01 any -> LiabilityLimit max 0.00, Customer
        # Another customer has his own.
        place R1 A8 M1 20.00 any  -> B3
        result M1 2
        customer A7               -> 12.00
        rollback M1
        customer A7               -> 20.00
        result M1 2
        place R5 A7 M2 5.34 any   -> LiabilityLimit max 5.33, Customer
        place R6 A7 M2 5.33 any   -> B4
    ";

    a_selection_may_cost_so_much: "
        limits GBP selection 20.00
        fund A7 1000.00
        fund A8 1000.00
        market M1 race Red Amber Green winners 2
        open M1
        prices M1 2.00 3.00 5.00
        place R1 A7 M1/Red 20.00 any   -> B1
        liability M1/Red GBP           -> 20.00
        place R1 A8 M1/Red 0.01 any    -> LiabilityLimit max 0.00, Selection
        # What others stake is there to pay it with.
        place R2 A8 M1/Amber 10.01 any -> B2
        liability M1/Red GBP           -> 9.99
        liability M1/Amber GBP         -> 0.02
        place R3 A8 M1/Red 10.02 any   -> LiabilityLimit max 10.01, Selection
        place R4 A8 M1/Red 10.01 any   -> B3
        liability M1/Red GBP           -> 20.00
        # What is withdrawn costs nothing.
        non-runner M1 Red
        liability M1/Red GBP           -> 0.00
    ";

    a_market_may_cost_so_much_in_its_worst_outcome: "
        limits GBP liability 20.00
        fund A7 1000.00
        market M1 race Red Amber Green winners 2
        open M1
        prices M1 2.00 3.00 5.00
        place R1 A7 M1/Red 10.00 any   -> B1
        place R2 A7 M1/Amber 5.01 any  -> LiabilityLimit max 5.00, Market
        place R3 A7 M1/Amber 5.00 any  -> B2
        exposure M1 GBP                -> 20.00
    ";

    a_fixture_may_cost_so_much_over_all_its_markets: "
        limits GBP event 20.00
        fund A7 1000.00
        fixture X1
        market M1 winner Home Away fixture X1
        market M2 goals Over Under fixture X1
        open M1
        open M2
        prices M1 2.00 2.00
        prices M2 2.50 1.50
        quote M3 2.00
        place R1 A7 M1/Home 10.00 any  -> B1
        liability X1 GBP               -> 10.00
        # 6.67 at 2.50 wins 10.00 and a fraction that is dropped.
        place R2 A7 M2/Over 6.68 any   -> LiabilityLimit max 6.67, Event
        place R3 A7 M2/Over 6.67 any   -> B2
        liability X1 GBP               -> 20.00
        # The other side: it makes its market cheaper by its stake, then dearer.
        place R4 A7 M1/Away 20.01 any  -> LiabilityLimit max 20.00, Event
        place R5 A7 M1/Away 20.00 any  -> B3
        liability X1 GBP               -> 20.00
        # What has no fixture is in no sum of one.
        place R6 A7 M3 50.00 any       -> B4
        liability X1 GBP               -> 20.00
        result M1 Home
        liability X1 GBP               -> 10.00
        result M2 Under
        liability X1 GBP               -> 0.00
        rollback M2
        liability X1 GBP               -> 10.00
        result M2 Over
        archive M1
        archive M2
        liability X1 GBP               -> 0.00
    ";

    the_limits_are_told_in_their_order: "
        limits GBP customer 20.00 selection 20.00 liability 20.00 event 20.00
        fund A7 1000.00
        fund A8 1000.00
        fixture X1
        market M1 winner Home Away fixture X1
        open M1
        prices M1 2.00 2.00
        place R1 A7 M1/Home 30.00 any  -> LiabilityLimit max 20.00, Customer
        limits GBP selection 20.00 liability 20.00 event 20.00
        place R2 A7 M1/Home 30.00 any  -> LiabilityLimit max 20.00, Selection
        limits GBP liability 20.00 event 20.00
        place R3 A7 M1/Home 30.00 any  -> LiabilityLimit max 20.00, Market
        limits GBP event 20.00
        place R4 A7 M1/Home 30.00 any  -> LiabilityLimit max 20.00, Event
        # The stake that is told passes them all, whichever is told.
        limits GBP customer 20.00 selection 15.00 liability 12.00 event 7.00
        place R5 A7 M1/Home 30.00 any  -> LiabilityLimit max 7.00, Customer
        place R6 A7 M1/Home 7.01 any   -> LiabilityLimit max 7.00, Event
        place R7 A7 M1/Home 7.00 any   -> B1
    ";

    another_stake_is_told_only_if_it_could_be_placed: "
        limits GBP min 5.00 customer 20.00
        fund A7 1000.00
        quote M1 2.00
        quote M2 2.00
        place R1 A7 M1 16.00 any       -> B1
        # 4.00 would pass, and is less than the house takes.
        place R2 A7 M2 6.00 any        -> LiabilityLimit max 0.00, Customer
        place R3 A7 M2 5.00 any        -> LiabilityLimit max 0.00, Customer
        # 20.00 would pass, and is not there.
        account A8
        fund A8 19.99
        place R1 A8 M1 30.00 any       -> LiabilityLimit max 0.00, Customer
        deposit K1 A8 0.01
        place R2 A8 M1 30.00 any       -> LiabilityLimit max 20.00, Customer
    ";

    a_ticket_is_told_a_stake_that_passes: "
        limits GBP selection 50.00 event 50.00
        fund A7 1000.00
        fixture X1
        market M1 winner Home Away fixture X1
        open M1
        prices M1 2.00 2.00
        quote M2 3.00
        ticket R1 A7 double 20.00 M1 M2 any -> LiabilityLimit max 10.00, Selection
        ticket R2 A7 double 10.01 M1 M2 any -> LiabilityLimit max 10.00, Selection
        ticket R3 A7 double 10.00 M1 M2 any -> B1
        liability X1 GBP               -> 50.00
        liability M2/1 GBP             -> 50.00
        customer A7                    -> 50.00
        ticket R4 A7 double 0.01 M1 M2 any -> LiabilityLimit max 0.00, Selection
    ";

    what_makes_nothing_worse_passes_beyond_every_limit: "
        fund A7 1000.00
        fixture X1
        market M1 winner Home Away fixture X1
        open M1
        prices M1 2.00 2.00
        place R1 A7 M1/Home 50.00 any  -> B1
        limits GBP selection 10.00 liability 10.00 event 10.00
        place R2 A7 M1/Away 50.00 any  -> B2
        exposure M1 GBP                -> 0.00
    ";

    a_trader_may_stretch_every_limit: "
        rules set refer 200%
        limits GBP customer 10.00 selection 10.00 liability 10.00 event 10.00
        fund A7 1000.00
        fixture X1
        market M1 winner Home Away fixture X1
        open M1
        prices M1 2.00 2.00
        place R1 A7 M1/Home 20.01 any  -> LiabilityLimit max 10.00, Customer
        place R2 A7 M1/Home 20.00 any  -> pending B1 until @30s, Referral
        referral B1 accept
        bet B1                         -> Open
        liability X1 GBP               -> 20.00
        limits M1 GBP customer 10.00
        place R3 A7 M1/Home 0.01 any   -> LiabilityLimit max 0.00, Customer
    ";

    selling_and_cancelling_give_the_room_back: "
        limits GBP customer 20.00 event 20.00
        fund A7 1000.00
        fixture X1
        market M1 winner Home Away fixture X1
        open M1
        prices M1 2.00 2.00
        place R1 A7 M1/Home 20.00 any  -> B1
        cash-out R2 A7 B1 take 5.00 any -> done
        customer A7                    -> 15.00
        liability X1 GBP               -> 15.00
        void B1
        customer A7                    -> 0.00
        liability X1 GBP               -> 0.00
        unvoid B1
        customer A7                    -> 15.00
        correct B1 1.50
        customer A7                    -> 7.50
        liability X1 GBP               -> 7.50
        restart
        customer A7                    -> 7.50
        liability X1 GBP               -> 7.50
    ";

    a_withdrawn_selection_costs_its_event_nothing: "
        fund A7 1000.00
        fixture X1
        market M1 winner Home Away Draw fixture X1
        open M1
        prices M1 2.00 2.00 5.00
        place R1 A7 M1/Home 20.00 any  -> B1
        place R2 A7 M1/Draw 1.00 any   -> B2
        liability X1 GBP               -> 19.00
        non-runner M1 Home
        liability X1 GBP               -> 4.00
        runner M1 Home
        liability X1 GBP               -> 19.00
        restart
        liability X1 GBP               -> 19.00
    ";

    each_currency_has_its_own_sums: "
        limits EUR customer 10.00 event 10.00
        fund A7 1000.00
        fund A8 1000.00 EUR
        fixture X1
        market M1 winner Home Away fixture X1
        open M1
        prices M1 2.00 2.00
        place R1 A7 M1/Home 20.00 any  -> B1
        place R1 A8 M1/Home 10.01 any  -> LiabilityLimit max 10.00, Customer
        place R2 A8 M1/Home 10.00 any  -> B2
        liability X1 GBP               -> 20.00
        liability X1 EUR               -> 10.00
    ";
}
