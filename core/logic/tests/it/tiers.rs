//! Tiers: how old a price may be, how far it may move at once, how far two feeds may be apart.

scripts! {
    a_price_is_good_for_as_long_as_its_tier_says: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        tier 1 age 1.5s
        market M1 top Home Away feed F1 bound 10s tier 1
        market M2 low Home Away feed F1 bound 10s
        open M1
        open M2
        prices M1 2.50
        prices M2 2.50
        @1.5s place R1 A7 M1 1.00 any     -> B1 at 2.50 returns 2.50, 1.5s old
        @1.5s+1ns place R2 A7 M1 1.00 any -> StalePrice 1.500000001s old
        # The low tier is open.
        place R3 A7 M2 1.00 any           -> B2
        # Another setting holds at once, for all of the tier.
        tier 1 age 3s
        place R4 A7 M1 1.00 any           -> B3
        # A market goes from tier to tier.
        tier 2 age 1s
        assign M2 2
        place R5 A7 M2 1.00 any           -> StalePrice
        assign M2 0
        place R6 A7 M2 1.00 any           -> B4
        assign M9 2                       -> MarketUnknown
    ";

    the_stricter_of_the_markets_bound_and_its_tiers_holds: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        tier 1 age 5s
        market M1 cup Home Away feed F1 bound 1s tier 1
        open M1
        prices M1 2.50
        @1s+1ns place R1 A7 M1 1.00 any   -> StalePrice
    ";

    a_tier_bounds_prices_that_a_person_sets_too: "
        fund A7 100.00
        quote M1 2.50
        tier 1 age 1m
        @1h place R1 A7 M1 1.00 any       -> B1
        assign M1 1
        place R2 A7 M1 1.00 any           -> StalePrice 3600s old
        quote M1 2.50
        @+1m place R3 A7 M1 1.00 any      -> B2
        @+1ns place R4 A7 M1 1.00 any     -> StalePrice
    ";

    a_tier_says_how_old_a_price_may_be_that_buys_back: "
        rules usual cash-out-age 300ms
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        market M1 cup Home Away feed F1 bound 10s
        open M1
        prices M1 2.50
        quote M2 2.50
        place R1 A7 M1 10.00 any          -> B1
        place R2 A7 M2 10.00 any          -> B2
        tier 1 cash-out-age 100ms
        assign M1 1
        assign M2 1
        @100ms tick
        value B1                          -> 10.00
        value B2                          -> 10.00
        @100ms+1ns tick
        value B1                          -> CashOutFrozen
        value B2                          -> CashOutFrozen
        # A tier does not loosen what the bet's rules say.
        tier 1 cash-out-age 1s
        value B1                          -> 10.00
        @300ms+1ns tick
        value B1                          -> CashOutFrozen
        value B2                          -> 10.00
    ";

    feeds_that_are_apart_stop_bets_after_the_dwell: "
        fund A7 100.00
        feed F1 silence 5m
        feed F2 silence 5m
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 drift 2% dwell 60s
        market M1 cup Home Away group G1 bound 1h tier 1
        open M1
        prices M1 2.04
        prices M1 2.00 feed F2
        # Two percent is within two percent.
        drift M1                          -> within
        place R1 A7 M1 1.00 any           -> B1
        @10s prices M1 2.05
        events                            -> PriceSet DriftChanged
        drift M1                          -> over @10s
        # Which feed is wrong nobody knows yet: nothing is bought back, and bets go on for a minute.
        value B1                          -> CashOutFrozen
        @69s place R2 A7 M1 1.00 any      -> B2
        @70s-1ns place R3 A7 M1 1.00 any  -> B3
        @70s place R4 A7 M1 1.00 any      -> PriceDrifted
        @71s place R5 A7 M1 1.00 any      -> PriceDrifted
        place R6 A7 M1/Away 1.00 any      -> PriceDrifted
        # It is the market that is stopped: which of its prices are right nobody knows.
        prices M1 2.03
        events                            -> PriceSet DriftChanged
        drift M1                          -> within
        place R7 A7 M1 1.00 any           -> B4
        value B4                          -> 1.00
    ";

    a_drift_that_ends_within_the_dwell_stops_nothing: "
        fund A7 100.00
        feed F1 silence 5m
        feed F2 silence 5m
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 drift 2% dwell 60s
        market M1 cup Home Away group G1 bound 1h tier 1
        open M1
        prices M1 2.10 3.00
        prices M1 2.00 2.99 feed F2
        @59s place R1 A7 M1 1.00 any      -> B1
        prices M1 2.00
        prices M1 2.10
        # It begins anew.
        @61s place R2 A7 M1 1.00 any      -> B2
        @118s place R3 A7 M1 1.00 any     -> B3
        @119s place R4 A7 M1 1.00 any     -> PriceDrifted
    ";

    the_market_is_apart_while_any_of_its_selections_is: "
        feed F1 silence 5m
        feed F2 silence 5m
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 drift 2% dwell 60s
        market M1 cup Home Draw Away group G1 bound 1h tier 1
        open M1
        prices M1 2.10 3.00 4.00
        prices M1 2.00 3.00 4.00 feed F2
        drift M1                          -> over @0ns
        @5s prices M1 2.10 3.30 4.00
        # Since the first of them.
        drift M1                          -> over @0ns
        @6s prices M1 2.00 3.30 4.00
        drift M1                          -> over @0ns
        @7s prices M1 - - -
        events                            -> PriceSet PriceSet DriftChanged PriceSet
        drift M1                          -> within
    ";

    what_does_not_run_is_not_compared: "
        fund A7 100.00
        feed F1 silence 5m
        feed F2 silence 5m
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 drift 2%
        market M1 race Arkle Badsworth Cloister group G1 bound 1h tier 1
        open M1
        prices M1 2.00 3.00 4.00
        prices M1 2.00 3.00 6.00 feed F2
        place R1 A7 M1 1.00 any           -> PriceDrifted
        non-runner M1 Cloister
        events                            -> SelectionChanged DriftChanged Answered
        place R2 A7 M1 1.00 any           -> B1
        prices M1 Cloister 9.00
        drift M1                          -> within
        runner M1 Cloister
        drift M1                          -> over @0ns
    ";

    a_feed_that_is_not_there_is_not_compared_with: "
        fund A7 100.00
        feed F1 silence 5m
        feed F2 silence 10s
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 drift 2%
        market M1 cup Home Away group G1 bound 1h tier 1
        open M1
        prices M1 2.10
        prices M1 2.00 feed F2
        place R1 A7 M1 1.00 any           -> PriceDrifted
        # The backup is silent: what it said last proves nothing any more.
        @10s place R2 A7 M1 1.00 any      -> PriceDrifted
        @10s+1ns place R3 A7 M1 1.00 any  -> B1
        # Nor do prices from before a recovery.
        recovered F2
        drift M1                          -> over @0ns
        prices M1 2.10
        drift M1                          -> within
        prices M1 2.00 feed F2
        drift M1                          -> over @10.000000001s
        # A market that is not compared has no drift, and one without a group has no second feed.
        tier 1 age 1h
        place R4 A7 M1 1.00 any           -> B2
    ";

    switching_to_the_other_feed_does_not_end_a_drift_and_pinning_does_for_one_selection: "
        fund A7 100.00
        feed F1 silence 5m
        feed F2 silence 5m
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 drift 2% dwell 1s
        market M1 cup Home Away group G1 bound 1h tier 1
        open M1
        prices M1 2.10 3.00
        prices M1 2.00 3.00 feed F2
        @1s place R1 A7 M1 1.00 any       -> PriceDrifted
        switch G1 backup
        place R2 A7 M1 1.00 any           -> PriceDrifted
        pin M1/Home 2.02
        place R3 A7 M1 1.00 any           -> B1 at 2.02
        value B1                          -> 1.00
        place R4 A7 M1/Away 1.00 any      -> PriceDrifted
        # The primary comes round.
        prices M1 2.01 feed F1
        place R5 A7 M1/Away 1.00 any      -> B2 at 3.00
    ";
}
