//! What is over leaves memory, and nothing that was said of it is said of anything else.

scripts! {
    only_a_settled_market_is_archived: "
        fund A7 100.00
        market M1 m Home Away
        archive M1               -> NotAllowed
        open M1
        archive M1               -> NotAllowed
        prices M1 2.50
        place R1 A7 M1 10.00 any -> B1
        close M1
        archive M1               -> NotAllowed
        result M1 Home
        archive M1 key K1        -> started
        market M1                -> Archived
        bet B1                   -> Archived
        retry trader K1          -> duplicate started J2, now JobEnded
        balance A7               -> 115.00
    ";

    an_archived_market_is_unknown: "
        fund A7 100.00
        quote M1 2.50
        result M1 1
        archive M1
        place R1 A7 M1 1.00 any  -> MarketUnknown
        prices M1 2.50           -> MarketUnknown
        open M1                  -> MarketUnknown
        close M1                 -> MarketUnknown
        archive M1               -> MarketUnknown
        result M1 1              -> MarketUnknown
        suspend M1               -> MarketUnknown
        release M1               -> MarketUnknown
        non-runner M1 1          -> MarketUnknown
        limits M1 GBP max 1.00   -> MarketUnknown
    ";

    a_handle_of_an_archived_market_never_means_the_next_one: "
        house markets 1 selections 2 bets 1
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any -> B1
        result M1 1
        archive M1
        # The same place, another generation; the name is free again.
        market M2 M1 Home Away   -> done
        open M2
        prices M2 3.00
        place R2 A7 M1 10.00 any -> MarketUnknown
        place R3 A7 M2 10.00 any -> B2 at 3.00
        bet B1                   -> Archived
        bet B2                   -> Open
        retry A7 R1              -> duplicate B1 at 2.50, now Archived
        retry A7 R3              -> duplicate B2 at 3.00, now Open
        result M2 Home
        archive M2
        quote M3 2.00
        place R4 A7 M3 1.00 any  -> B3
        retry A7 R3              -> duplicate B2 at 3.00, now Archived
        digest                   -> same-as-replay
    ";

    a_name_is_taken_until_its_market_is_archived: "
        market M1 cup Home Away
        market M2 cup Home Away  -> NameTaken M1
        result M1 Home
        market M2 cup Home Away  -> NameTaken M1
        archive M1
        market M2 cup Home Away  -> done
    ";

    an_archive_works_in_steps_too: "
        house budget 2
        fund A7 100.00
        quote M1 2.50
        quote M2 2.50
        place R1 A7 M1 1.00 any -> B1
        place R2 A7 M1 1.00 any -> B2
        place R3 A7 M1 1.00 any -> B3
        result M1 1
        manual steps
        archive M1              -> started
        market M1               -> Archiving
        place R9 A7 M1 1.00 any -> MarketClosed
        step
        bet B1                  -> Archived
        bet B3                  -> Won 2.50
        place R4 A7 M2 1.00 any -> B4
        restart
        open M2
        retry A7 R3             -> duplicate B3 at 2.50, now Won 2.50
        step
        step
        market M1               -> Archived
        bet B3                  -> Archived
        bet B4                  -> Open
    ";

    offers_that_ended_are_archived_with_their_market: "
        house on-failure offer bets 2
        fund A7 100.00
        quote M1 2.40
        place R1 A7 M1 1.00 2.50 -> offer B1
        decline R2 A7 B1
        place R3 A7 M1 1.00 2.50 -> offer B2
        place R4 A7 M1 1.00 2.50 -> not sequenced: Overloaded
        result M1 1
        archive M1
        accept R5 A7 B2          -> OfferUnknown
        quote M2 2.40
        # The old offers' timers find other bets in their places, and leave them alone.
        @4s place R6 A7 M2 1.00 2.50 -> offer B3
        place R7 A7 M2 1.00 any  -> B4
        @6s bet B3               -> Offered
        bet B4                   -> Open
        retry A7 R1              -> duplicate offer B1 at 2.40, now Archived
    ";
}
