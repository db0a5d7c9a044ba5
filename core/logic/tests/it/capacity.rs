//! Every table has an end, and says so instead of growing.

scripts! {
    no_more_accounts_than_there_is_room_for: "
        house accounts 2
        account A1
        account A2
        account A3        -> Full
        account A1        -> AccountExists A1
        restart accounts 3
        account A3        -> done
        account A4        -> Full
    ";

    no_more_markets_than_there_is_room_for: "
        house markets 2
        market M1 one Home Away
        market M2 two Home Away
        market M3 three Home Away -> Full
        result M1 Home
        archive M1
        market M3 three Home Away -> done
        market M4 four Home Away  -> Full
        restart markets 3
        market M4 four Home Away  -> done
    ";

    no_more_selections_than_there_is_room_for: "
        # Each market takes a power of two: 4 and 2 of them are 6.
        house selections 6
        market M1 one a b c
        market M2 two a b
        market M3 three a b   -> Full
        result M1 a
        archive M1
        # Its four places are free; two would not fit them, three do.
        market M3 three a b c -> done
        market M4 four a b    -> Full
        restart selections 8
        market M4 four a b    -> done
    ";

    no_more_bets_than_there_is_room_for: "
        house bets 2
        fund A7 100.00
        quote M1 2.50
        quote M2 2.50
        place R1 A7 M1 1.00 any -> B1
        place R2 A7 M1 1.00 any -> B2
        # Nothing is used up: the same key may be asked again.
        place R3 A7 M2 1.00 any -> not sequenced: Overloaded
        place R2 A7 M1 1.00 any -> duplicate B2
        withdraw W1 A7 1.00     -> done
        result M1 1
        place R3 A7 M2 1.00 any -> not sequenced: Overloaded
        archive M1
        place R3 A7 M2 1.00 any -> B3
        restart bets 3
        open M2
        place R4 A7 M2 1.00 any -> B4
        place R5 A7 M2 1.00 any -> B5
        place R6 A7 M2 1.00 any -> Overloaded
    ";

    no_more_keys_than_there_is_room_for: "
        # The trader's registration, the account's opening and its deposit hold three.
        house keys 5 window 10s
        fund A7 100.00
        @1s deposit D1 A7 1.00  -> done
        deposit D2 A7 1.00      -> done
        deposit D3 A7 1.00      -> not sequenced: Overloaded
        resolve A7 D9           -> not sequenced: Overloaded
        market M1 cup Home Away -> not sequenced: Overloaded
        # What is kept is still answered: never early eviction.
        retry A7 D1             -> duplicate done
        # The first three are forgotten a window after their time limits, 20 s from the start.
        @19s deposit D3 A7 1.00 valid 5s -> Overloaded
        @22s deposit D3 A7 1.00 valid 5s -> done
        balance A7              -> 103.00
    ";

    a_key_used_again_loses_nobody_elses_place: "
        house keys 8 window 1m
        manual steps
        fund A7 100.00
        deposit D1 A7 1.00 valid 10s
        deposit D2 A7 1.00 valid 10s
        deposit D3 A7 1.00 valid 10s
        # Forgotten by time, and no Step has been there yet: the key may name another request.
        @71s deposit D2 A7 2.00 valid @81s -> done
        auto steps
        # In the end all eight places are free again.
        @10m deposit E1 A7 1.00
        deposit E2 A7 1.00
        deposit E3 A7 1.00
        deposit E4 A7 1.00
        deposit E5 A7 1.00
        deposit E6 A7 1.00
        deposit E7 A7 1.00
        deposit E8 A7 1.00
        deposit E9 A7 1.00 -> Overloaded
        balance A7         -> 113.00
    ";

    more_keys_fit_after_a_restart_with_more_room: "
        house keys 4
        fund A7 100.00
        deposit D1 A7 1.00 -> done
        deposit D2 A7 1.00 -> Overloaded
        restart keys 6
        retry A7 D1        -> duplicate done
        deposit D2 A7 1.00 -> done
        deposit D3 A7 1.00 -> done
        deposit D4 A7 1.00 -> Overloaded
        # Capacities never shrink.
        restart keys 1
        retry A7 D3        -> duplicate done
        retry A7 D4        -> Overloaded
    ";

    no_more_requests_in_quarantine_than_there_is_room_for: "
        house quarantined 1
        account A7
        quarantine A7 R1      -> done
        quarantine A7 R2      -> Full
        # The same again needs no room.
        quarantine A7 R1      -> done
        deposit R2 A7 1.00    -> done
        lift A7 R1
        quarantine A7 R3      -> done
        quarantine trader K1  -> Full
        restart quarantined 2
        quarantine trader K1  -> done
        open M9 key K1        -> Quarantined
    ";

    no_more_feeds_fixtures_and_actors_than_there_is_room_for: "
        house feeds 1 fixtures 1 actors 2
        feed F1
        feed F2    -> Full
        fixture X1
        fixture X2 -> Full
        actor anna
        actor bob  -> Full
        actor anna -> done
        restart feeds 2 fixtures 2 actors 3
        feed F2
        fixture X2
        actor bob
        open M9 by bob -> MarketUnknown
    ";
}
