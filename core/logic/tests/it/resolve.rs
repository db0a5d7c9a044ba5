//! The question what became of a request, and how it is closed for good.

scripts! {
    a_request_that_was_never_seen_is_sealed: "
        fund A7 100.00
        quote M1 2.50
        resolve A7 R1            -> NeverPlaced
        # The copy that was on its way comes too late.
        place R1 A7 M1 10.00 any -> not sequenced: Sealed
        resolve A7 R1            -> not sequenced: duplicate NeverPlaced
        restart
        open M1
        place R1 A7 M1 10.00 any -> not sequenced: Sealed
        resolve A7 R1            -> duplicate NeverPlaced
        balance A7               -> 100.00
    ";

    a_request_that_was_decided_answers_again: "
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> B1 at 2.50
        place R2 A7 M1 10.00 2.60 -> PriceMoved
        resolve A7 R1             -> not sequenced: duplicate B1 at 2.50 returns 25.00, now Open
        resolve A7 R2             -> not sequenced: duplicate PriceMoved now 2.50
        result M1 1
        resolve A7 R1             -> duplicate B1 at 2.50 returns 25.00, now Won 25.00
        archive M1
        resolve A7 R1             -> duplicate B1 at 2.50, now Archived
    ";

    a_seal_outlives_every_copy: "
        house window 5m
        fund A7 100.00
        quote M1 2.50
        @0s resolve A7 R1 valid 5m            -> NeverPlaced
        @5m place R1 A7 M1 10.00 any          -> Sealed
        @5m+1ns place R1 A7 M1 10.00 any      -> Sealed
        @10m place R1 A7 M1 10.00 any         -> Sealed
        @10m+1ns place R1 A7 M1 10.00 any     -> Expired
        @50m place R1 A7 M1 10.00 any         -> Expired
        balance A7                            -> 100.00
    ";

    a_seal_closes_copies_with_a_later_time_limit_than_the_question_named: "
        house window 5m
        fund A1 100.00
        quote M1 2.50
        @10m quote M1 2.50
        # The question's own time limit is nearly a window in the past.
        resolve A1 R1 valid @5m+1s              -> NeverPlaced
        @10m+2s place R1 A1 M1 1.00 any valid @14m -> not sequenced: Sealed
        @15m place R1 A1 M1 1.00 any valid @15m    -> not sequenced: Sealed
        resolve A1 R1 valid @10m                -> not sequenced: duplicate NeverPlaced
        @15m+1ns place R1 A1 M1 1.00 any valid @15m -> not sequenced: Sealed
        @20m+1ns place R1 A1 M1 1.00 any valid @15m -> not sequenced: Expired
        balance A1                              -> 100.00
    ";

    a_question_may_come_a_window_late_and_not_later: "
        house window 5m
        fund A7 100.00
        quote M1 2.50
        @0s place R1 A7 M1 10.00 any valid 10s -> B1
        @5m+10s resolve A7 R1                   -> duplicate B1
        # Past its time limit, but still to be answered: nobody saw it.
        @5m+10s resolve A7 R2 valid @10s        -> NeverPlaced
        @5m+10s+1ns resolve A7 R1               -> not sequenced: TooOld
        @5m+10s+1ns resolve A7 R2               -> not sequenced: duplicate NeverPlaced
        @5m+10s+1ns resolve A7 R3 valid @10s    -> not sequenced: TooOld
        # Never NeverPlaced: the bet is there.
        bet B1                                 -> Open
        balance A7                             -> 90.00
    ";

    a_question_about_another_customers_key_is_about_nothing: "
        fund A7 100.00
        fund A8 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any -> B1
        resolve A8 R1            -> NeverPlaced
        resolve A7 R1            -> duplicate B1
    ";

    a_question_needs_the_time_limit_of_what_it_asks_about: "
        house window 5m
        fund A7 100.00
        resolve A7 R1 valid none      -> not sequenced: Malformed: valid_until is missing
        resolve A7 R1 valid 5m+1ns    -> not sequenced: Malformed: valid_until is missing
        resolve A7 R1 valid 5m        -> NeverPlaced
    ";

    a_question_is_answered_for_a_request_in_quarantine: "
        fund A7 100.00
        quote M1 2.50
        quarantine A7 R1         -> done
        resolve A7 R1            -> NeverPlaced
        lift A7 R1
        place R1 A7 M1 10.00 any -> Sealed
    ";
}
