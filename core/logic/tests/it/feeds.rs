//! How old a price is, and when a feed's prices do not count.

scripts! {
    all_prices_of_a_fixture_change_at_once: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        fixture X1
        market M1 Result Home Draw Away fixture X1 feed F1
        market M2 Goals Over Under fixture X1 feed F1
        market M3 Next Home Away fixture X1 feed F1
        open M1
        open M2
        reprice X1 feed F1 seq 1 model dixon-coles version 3 M1 2.10 3.40 3.60 + M2 1.95 1.85 + M3 1.90 1.90 -> done
        place R1 A7 M1/Draw 1.00 3.40   -> B1 at 3.40 returns 3.40
        place R2 A7 M2/Under 1.00 1.85  -> B2 at 1.85 returns 1.85
        # By name, and only what changed; what is taken away is not to be had.
        reprice X1 feed F1 seq 2 M2 Under 1.80 + M1 Home -
        place R3 A7 M2/Under 1.00 1.85 exact -> PriceMoved now 1.80
        place R4 A7 M1/Home 1.00 any    -> NoPrice
        place R5 A7 M1/Draw 1.00 3.40   -> B3 at 3.40 returns 3.40
        # A model may not know yet that a market is settled: the others are priced all the same.
        result M3 Home
        reprice X1 feed F1 seq 3 M1 Home 2.20 + M3 1.50 2.60
        place R6 A7 M1/Home 1.00 2.20   -> B4 at 2.20 returns 2.20
        # Nor that it has left memory.
        archive M3                      -> started J2
        reprice X1 feed F1 seq 4 M1 Home 2.30 + M3 1.50 2.60
        place R7 A7 M1/Home 1.00 2.30   -> B5 at 2.30 returns 2.30
    ";

    a_pinned_price_stands_whatever_a_model_says: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        fixture X1
        market M1 Result Home Away fixture X1 feed F1
        open M1
        reprice X1 feed F1 M1 2.10 1.80
        pin M1/Home 2.00
        reprice X1 feed F1 M1 2.40 1.60
        place R1 A7 M1/Home 1.00 2.00   -> B1 at 2.00 returns 2.00
        unpin M1/Home
        place R2 A7 M1/Home 1.00 2.40   -> B2 at 2.40 returns 2.40
    ";

    a_price_of_a_model_is_as_old_as_its_oldest_input: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        fixture X1
        market M1 Result Home Away fixture X1 feed F1 bound 1s
        open M1
        @1s reprice X1 feed F1 M1 2.10 1.80 as-of 400ms
        @1.4s place R1 A7 M1 1.00 any     -> B1 at 2.10 returns 2.10, 1s old
        @1.4s+1ns place R2 A7 M1 1.00 any -> StalePrice
    ";

    a_repricing_with_one_wrong_price_changes_none: "
        fund A7 100.00
        feed F1 silence 1m
        feed F2 silence 1m
        recovered F1
        recovered F2
        fixture X1
        fixture X2
        market M1 Result Home Away fixture X1 feed F1
        market M2 Result2 Home Away fixture X2 feed F1
        market M3 Result3 Home Away fixture X1 feed F2
        open M1
        reprice X1 feed F1 seq 1 M1 2.10 1.80
        reprice X9 feed F1 seq 2 M1 2.50 1.60            -> FixtureUnknown
        reprice X1 feed F1 seq 3 M1 2.50 1.60 + M2 2.00 2.00 -> InvalidMarketId
        reprice X1 feed F1 seq 4 M1 2.50 1.60 + M3 2.00 2.00 -> FeedMismatch
        reprice X1 feed F1 seq 5 M1 2.50 1.60 2.00       -> SelectionUnknown
        # They were heard all the same: nothing is missing, and the price is the first.
        heartbeat F1 seq 6
        place R1 A7 M1/Home 1.00 2.10   -> B1 at 2.10 returns 2.10
        # One that was there before changes nothing, one after a hole takes the feed down.
        reprice X1 feed F1 seq 4 M1 2.50 1.60 -> done
        place R2 A7 M1/Home 1.00 2.10   -> B2 at 2.10 returns 2.10
        reprice X1 feed F1 seq 8 M1 2.50 1.60
        place R3 A7 M1/Home 1.00 2.50   -> FeedDown
    ";

    a_price_is_good_up_to_its_bound: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        market M1 cup Home Away feed F1 bound 1.5s
        open M1
        prices M1 2.50 3.00
        @1.5s place R1 A7 M1 1.00 any     -> B1 at 2.50 returns 2.50, 1.5s old
        @1.5s+1ns place R2 A7 M1 1.00 any -> StalePrice 1.500000001s old
        # Each selection has its own age.
        prices M1 2.50
        place R3 A7 M1 1.00 any           -> B2 at 2.50 returns 2.50, 0ns old
        place R4 A7 M1/2 1.00 any         -> StalePrice
    ";

    a_market_without_a_bound_takes_the_houses: "
        house age 2s
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        market M1 cup Home Away feed F1
        open M1
        prices M1 2.50 3.00
        @2s place R1 A7 M1 1.00 any     -> B1
        @2s+1ns place R2 A7 M1 1.00 any -> StalePrice
    ";

    a_persons_price_does_not_age_unless_the_market_says_so: "
        fund A7 100.00
        quote M1 2.50
        market M2 cup Home Away bound 1s
        open M2
        prices M2 2.50
        @1s place R1 A7 M2 1.00 any     -> B1
        @1s+1ns place R2 A7 M2 1.00 any -> StalePrice
        @100h place R3 A7 M1 1.00 any   -> B2 at 2.50 returns 2.50, 360000s old
    ";

    a_heartbeat_confirms_a_price_that_does_not_move: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        prices M1 2.50
        @1s heartbeat F1
        @2s place R1 A7 M1 1.00 any     -> B1 at 2.50 returns 2.50, 1s old, v1
        @2s+1ns place R2 A7 M1 1.00 any -> StalePrice
        # A heartbeat that waited in our ring confirms what was, when it was received.
        @3s heartbeat F1 waited 400ms
        @3.6s place R3 A7 M1 1.00 any   -> B2 at 2.50 returns 2.50, 1s old
    ";

    a_heartbeat_confirms_no_price_from_before_the_last_recovery: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        @500ms prices M1 2.50 3.00
        @600ms gap F1
        @700ms place R1 A7 M1 1.00 any    -> FeedDown
        @800ms prices M1 Away 3.10
        @900ms recovered F1
        @1.5s heartbeat F1
        # Home was not sent again: it is as old as it is.
        place R2 A7 M1 1.00 any           -> B1 at 2.50 returns 2.50, 1s old
        @1.5s+1ns place R3 A7 M1 1.00 any -> StalePrice
        place R4 A7 M1/2 1.00 any         -> B2 at 3.10 returns 3.10, 1ns old
        prices M1 2.50
        @2s heartbeat F1
        @3s place R5 A7 M1 1.00 any       -> B3 at 2.50 returns 2.50, 1s old
    ";

    a_derived_price_is_as_old_as_its_oldest_input: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        @1s prices M1 2.50 as-of 400ms
        place R1 A7 M1 1.00 any           -> B1 at 2.50 returns 2.50, 600ms old
        # Computing it again refreshes nothing, nor does a heartbeat of the pricer.
        @1.2s prices M1 2.50 as-of 400ms
        @1.3s heartbeat F1
        @1.4s place R2 A7 M1 1.00 any     -> B2 at 2.50 returns 2.50, 1s old
        @1.4s+1ns place R3 A7 M1 1.00 any -> StalePrice
        prices M1 2.50 as-of 1.4s
        place R4 A7 M1 1.00 any           -> B3 at 2.50 returns 2.50, 1ns old
        # An input from the future is no younger than the message.
        @2s prices M1 2.50 as-of 1h
        place R5 A7 M1 1.00 any           -> B4 at 2.50 returns 2.50, 0ns old
        @3s place R6 A7 M1 1.00 any       -> B5 at 2.50 returns 2.50, 1s old
        @3s+1ns place R7 A7 M1 1.00 any   -> StalePrice
    ";

    a_feed_has_to_recover_before_its_markets_take_bets: "
        fund A7 100.00
        feed F1
        feed F2 named F1         -> NameTaken
        market M1 cup Home Away feed F1
        open M1
        prices M1 2.50
        feed F1                  -> Recovering
        place R1 A7 M1 1.00 any  -> FeedDown
        heartbeat F1
        place R2 A7 M1 1.00 any  -> FeedDown
        recovered F1
        feed F1                  -> Up
        place R3 A7 M1 1.00 any  -> B1 at 2.50
    ";

    a_silent_feed_is_down_without_any_timer: "
        manual steps
        fund A7 100.00
        feed F1 silence 10s
        recovered F1
        market M1 cup Home Away feed F1 bound 1h
        open M1
        prices M1 2.50
        @10s place R1 A7 M1 1.00 any     -> B1
        @10s+1ns place R2 A7 M1 1.00 any -> FeedDown
        # The message that ends the silence takes the feed down: something may have been missed.
        @11s heartbeat F1
        events                           -> FeedChanged FeedHeard
        feed F1                          -> Down
        place R3 A7 M1 1.00 any          -> FeedDown
        recovered F1
        place R4 A7 M1 1.00 any          -> B2
    ";

    a_price_that_ends_a_silence_takes_its_feed_down_too: "
        fund A7 100.00
        feed F1 silence 10s
        recovered F1
        market M1 cup Home Away feed F1 bound 1h
        open M1
        @11s prices M1 2.50
        events                  -> FeedChanged PriceSet
        place R1 A7 M1 1.00 any -> FeedDown
        recovered F1
        place R2 A7 M1 1.00 any -> B1 at 2.50
    ";

    a_silence_at_its_bound_is_none: "
        fund A7 100.00
        feed F1 silence 10s
        recovered F1
        market M1 cup Home Away feed F1 bound 1h
        open M1
        prices M1 2.50
        @10s heartbeat F1
        events                  -> FeedHeard
        feed F1                 -> Up
        place R1 A7 M1 1.00 any -> B1
    ";

    a_missing_message_takes_the_feed_down: "
        fund A7 100.00
        feed F1
        recovered F1 seq 7
        market M1 cup Home Away feed F1
        open M1
        prices M1 2.50 seq 8
        place R1 A7 M1 1.00 any -> B1
        heartbeat F1 seq 10
        feed F1                 -> Down
        place R2 A7 M1 1.00 any -> FeedDown
        # A message that comes again, or after its successor, has no effect.
        recovered F1 seq 9
        feed F1                 -> Down
        prices M1 9.00 seq 10
        events                  -> none
        recovered F1 seq 11
        place R3 A7 M1 1.00 any -> B2 at 2.50
    ";

    a_gap_while_recovering_begins_the_recovery_anew: "
        fund A7 100.00
        feed F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        prices M1 2.50 seq 1
        # Between 1 and 3 something is missing: what was sent before is not confirmed later.
        prices M1 Away 3.00 seq 3
        recovered F1 seq 4
        @1s heartbeat F1 seq 5
        @1s+1ns place R1 A7 M1 1.00 any -> StalePrice
        place R2 A7 M1/Away 1.00 any    -> B1 at 3.00
    ";

    an_adapter_reports_a_gap: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1
        open M1
        prices M1 2.50
        gap F1
        gap F1
        place R1 A7 M1 1.00 any -> FeedDown
        recovered F1
        place R2 A7 M1 1.00 any -> B1
    ";

    an_adapter_that_starts_again_says_so_with_a_gap: "
        fund A7 100.00
        feed F1
        recovered F1 seq 1000
        market M1 cup Home Away feed F1
        open M1
        # Its numbers begin anew, which alone looks like old messages.
        heartbeat F1 seq 1
        events                  -> none
        gap F1 seq 1
        prices M1 2.50 seq 2
        recovered F1 seq 3
        feed F1                 -> Up
        place R1 A7 M1 1.00 any -> B1
        # Without a number it may begin with any.
        gap F1
        prices M1 2.60 seq 50
        recovered F1 seq 51
        place R2 A7 M1 1.00 any -> B2 at 2.60
    ";

    another_feeds_trouble_is_not_this_ones: "
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        recovered F2
        market M1 cup Home Away feed F1
        market M2 tie Home Away feed F2
        open M1
        open M2
        prices M1 2.50
        prices M2 2.50
        gap F2
        place R1 A7 M1 1.00 any -> B1
        place R2 A7 M2 1.00 any -> FeedDown
    ";

    a_price_that_came_too_slowly_is_refused: "
        fund A7 100.00
        feed F1 delay 50ms
        recovered F1
        market M1 cup Home Away feed F1 bound 10s
        open M1
        # The two clocks differ by 9.9 s; only the difference between messages counts.
        @10s prices M1 2.50 source 100ms
        place R1 A7 M1 1.00 any -> B1
        @11s prices M1 2.50 source 1050ms
        place R2 A7 M1 1.00 any -> B2
        @12s prices M1 2.50 source 2050ms-1ns
        place R3 A7 M1 1.00 any -> PriceDelayed 50.000001ms late
        @13s prices M1 2.50 source 3100ms
        place R4 A7 M1 1.00 any -> B3
    ";

    a_heartbeat_that_came_too_slowly_confirms_nothing: "
        fund A7 100.00
        feed F1 delay 50ms silence 1m
        recovered F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        @10s prices M1 2.50 source 10s
        # It says how things were at 10.1 s, and now it is 11 s.
        @11s heartbeat F1 source 10.1s
        @11s+1ns place R1 A7 M1 1.00 any -> StalePrice 1.000000001s old
        @12s heartbeat F1 source 12s
        place R2 A7 M1 1.00 any          -> B1 at 2.50 returns 2.50, 0ns old
    ";

    one_message_from_the_future_makes_no_later_one_late: "
        fund A7 100.00
        feed F1 delay 50ms
        recovered F1
        market M1 cup Home Away feed F1 bound 1h
        open M1
        @1s prices M1 2.50 source 1h
        @2s prices M1 2.50 source 1h
        @3s prices M1 2.40 source 3s
        feed F1                 -> Up
        place R1 A7 M1 1.00 any -> B1 at 2.40
        # Nor once it is known how long messages take.
        @4s prices M1 2.30 source 1h
        place R2 A7 M1 1.00 any -> B2 at 2.30
        @5s prices M1 2.20 source 5s
        place R3 A7 M1 1.00 any -> B3 at 2.20
        @6s prices M1 2.10 source 5.9s
        place R4 A7 M1 1.00 any -> PriceDelayed 100ms late
        # It does not make a slow feed quick either.
        feed F1                 -> Up slow
        @7s prices M1 2.10 source 1h
        feed F1                 -> Up slow
    ";

    a_clock_that_was_set_is_believed_from_its_second_message_on: "
        fund A7 100.00
        feed F1 delay 50ms
        recovered F1
        market M1 cup Home Away feed F1 bound 1h
        open M1
        @1s prices M1 2.50 source 1s
        # An hour ahead from here on. How long the first took is not known: its price is taken as one that
        # does not say when it was sent.
        @2s prices M1 2.60 source 3602s
        place R1 A7 M1 1.00 any -> B1 at 2.60
        @3s prices M1 2.70 source 3603s
        place R2 A7 M1 1.00 any -> B2 at 2.70
        @4s prices M1 2.80 source 3603.9s
        place R3 A7 M1 1.00 any -> PriceDelayed 100ms late
    ";

    a_heartbeat_from_the_future_confirms_nothing: "
        fund A7 100.00
        feed F1 delay 50ms silence 1m
        recovered F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        @10s prices M1 2.50 source 10s
        @11s heartbeat F1 source 1h
        @11s+1ns place R1 A7 M1 1.00 any -> StalePrice 1.000000001s old
        @12s heartbeat F1 source 12s
        place R2 A7 M1 1.00 any          -> B1 at 2.50 returns 2.50, 0ns old
    ";

    a_market_takes_prices_from_its_own_feed_only: "
        feed F1
        feed F2
        market M1 cup Home Away feed F1
        prices M1 2.50 feed F2     -> FeedMismatch
        prices M1 2.50 feed manual -> FeedMismatch
        prices M1 2.50 feed F9     -> FeedUnknown
        prices M9 2.50 feed F1     -> MarketUnknown
        prices M1 2.50 3.00 4.00   -> SelectionUnknown
        prices M1 2.50
        market M2 tie Home Away
        prices M2 2.50 feed F1     -> FeedMismatch
        heartbeat F9               -> FeedUnknown
        gap F9                     -> FeedUnknown
        recovered F9               -> FeedUnknown
        market M3 x Home Away feed F9 -> FeedUnknown
    ";

    a_feeds_message_has_no_key_and_a_persons_has_one: "
        feed F1
        market M1 cup Home Away feed F1
        quote M2 2.50
        heartbeat F1 key K1   -> not sequenced: Malformed: the request key is missing
        prices M1 2.50 key K1 -> not sequenced: Malformed: the request key is missing
        prices M2 2.50 key none -> not sequenced: Malformed: the request key is missing
    ";

    nobody_may_speak_for_a_feed_but_an_actor: "
        feed F1
        heartbeat F1 by nobody -> ActorUnknown
        actor betfair
        heartbeat F1 by betfair
        # The same name is the same actor.
        actor betfair          -> done
    ";

    // ---- the live night: two producers, recoveries by request, versions, delay ----

    a_producer_that_is_silent_for_20_seconds_takes_down_its_own_markets_only: "
        fund A7 1000.00
        # What is live, and what is played ahead: two producers of one source.
        feed F1 silence 20s
        feed F2 silence 20s
        recovered F1
        recovered F2
        market M1 live Home Away feed F1 bound 1h
        market M2 ahead Home Away feed F2 bound 1h
        open M1
        open M2
        prices M1 2.50
        prices M2 3.00
        @10s heartbeat F2
        @19.9s heartbeat F2
        @19.9s place R1 A7 M1 1.00 any       -> B1
        @20s place R2 A7 M1 1.00 any         -> B2
        @20.1s place R3 A7 M1 1.00 any       -> FeedDown
        place R4 A7 M2 1.00 any              -> B3
        feed F1                              -> Silent
        # That it is alive again does not tell what was missed.
        @21s heartbeat F1
        feed F1                              -> Down
        prices M1 2.60
        place R5 A7 M1 1.00 any              -> FeedDown
        recovering F1 request 1
        feed F1                              -> Recovering
        prices M1 2.60
        place R6 A7 M1 1.00 any              -> FeedDown
        recovered F1 request 1
        feed F1                              -> Up
        place R7 A7 M1 1.00 any              -> B4 at 2.60
        place R8 A7 M2 1.00 any              -> B5 at 3.00
    ";

    the_end_of_another_recovery_is_not_the_end_of_this_one: "
        fund A7 100.00
        feed F1
        market M1 cup Home Away feed F1
        open M1
        prices M1 2.50
        recovering F1 request 7
        # Asked for by an adapter that died.
        recovered F1 request 6
        feed F1                 -> Recovering
        recovered F1
        feed F1                 -> Recovering
        place R1 A7 M1 1.00 any -> FeedDown
        # A second request replaces the first.
        recovering F1 request 8
        recovered F1 request 7
        feed F1                 -> Recovering
        recovered F1 request 8
        feed F1                 -> Up
        place R2 A7 M1 1.00 any -> B1
        # The end of a recovery that nobody asked for changes nothing while it is up.
        recovered F1 request 5
        feed F1                 -> Up
    ";

    a_gap_ends_the_recovery_that_was_asked_for: "
        fund A7 100.00
        feed F1
        recovered F1 seq 1
        market M1 cup Home Away feed F1
        open M1
        prices M1 2.50 seq 2
        recovering F1 request 7 seq 3
        prices M1 2.60 seq 5
        feed F1                 -> Down
        # Request 7 ends, and what it sent was not whole.
        recovered F1 request 7 seq 6
        feed F1                 -> Down
        place R1 A7 M1 1.00 any -> FeedDown
        recovering F1 request 8 seq 7
        recovered F1 request 8 seq 8
        feed F1                 -> Up
    ";

    after_a_start_the_end_of_an_earlier_recovery_brings_no_feed_up: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1 bound 1h
        open M1
        prices M1 2.50
        recovering F1 request 7
        restart
        # Asked for by the run before: what came since is not in it.
        recovered F1 request 7
        feed F1                 -> Recovering
        recovering F1 request 8
        recovered F1 request 7
        feed F1                 -> Recovering
        recovered F1 request 8
        feed F1                 -> Up
        # A feed without such numbers says it without one.
        restart
        recovered F1
        feed F1                 -> Up
        # Nor does a feed that was just defined know of a request.
        feed F2
        recovered F2 request 1
        feed F2                 -> Recovering
        recovered F2
        feed F2                 -> Up
    ";

    a_recovery_that_never_ends_is_never_up: "
        fund A7 100.00
        feed F1 silence 20s
        recovered F1
        market M1 cup Home Away feed F1 bound 1h
        open M1
        prices M1 2.50
        gap F1
        recovering F1 request 1
        @10s heartbeat F1
        @10m heartbeat F1
        prices M1 2.60
        @1h heartbeat F1
        feed F1                 -> Recovering
        place R1 A7 M1 1.00 any -> FeedDown
        # An adapter that has no numbers says it without one, once it has asked without one.
        recovering F1
        recovered F1 request 9
        feed F1                 -> Recovering
        recovered F1
        feed F1                 -> Up
    ";

    a_feed_that_is_up_and_asked_for_everything_is_down_meanwhile: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        prices M1 2.50 3.00
        recovering F1 request 1
        events                          -> FeedChanged
        place R1 A7 M1 1.00 any         -> FeedDown
        prices M1 Home 2.40
        recovered F1 request 1
        place R2 A7 M1 1.00 any         -> B1 at 2.40
        # Away was not sent again: no heartbeat confirms it.
        @1s heartbeat F1
        @1s+1ns place R3 A7 M1/Away 1.00 any -> StalePrice
        place R4 A7 M1 1.00 any         -> B2
    ";

    a_lost_connection_is_told_as_one: "
        fund A7 100.00
        feed F1
        recovered F1 seq 5
        market M1 cup Home Away feed F1
        open M1
        prices M1 2.50 seq 6
        gap F1 connection
        events                  -> FeedChanged
        feed F1                 -> Down
        place R1 A7 M1 1.00 any -> FeedDown
        recovering F1 request 1 seq 1
        recovered F1 request 1 seq 2
        place R2 A7 M1 1.00 any -> B1
    ";

    a_number_that_is_missing_is_noticed_on_every_kind_of_message: "
        feed F1
        recovered F1 seq 1
        heartbeat F1 seq 3
        feed F1                 -> Down
        recovered F1 seq 4
        market M1 cup Home Away feed F1
        # Also on prices that nobody keeps, and before anything is said of the market.
        prices M9 2.50 feed F1 seq 6 -> MarketUnknown
        feed F1                 -> Down
        recovered F1 seq 7
        prices M1 2.50 seq 9
        feed F1                 -> Down
        # Number 11 may have been a price of this recovery.
        recovering F1 seq 10
        recovered F1 seq 12
        feed F1                 -> Down
        recovered F1 seq 13
        feed F1                 -> Up
        # One after the other, whatever they say of the same selection.
        prices M1 2.50 seq 14
        prices M1 2.51 seq 15
        prices M1 2.52 seq 17
        events                  -> FeedChanged PriceSet
        feed F1                 -> Down
    ";

    another_version_of_its_messages_puts_a_feed_aside: "
        fund A7 100.00
        feed F1 schema 7
        recovered F1 schema 7
        market M1 cup Home Away feed F1 bound 1h
        open M1
        prices M1 2.50 schema 7
        place R1 A7 M1 1.00 any -> B1
        # A release of the source: `price` is now a string of cents. Nobody looks at it.
        prices M1 250.00 schema 8 -> FeedQuarantined
        events                  -> FeedChanged
        feed F1                 -> Quarantined
        price M1                -> 2.50
        place R2 A7 M1 1.00 any -> FeedQuarantined
        # Neither the old version nor a recovery lets it back, nor a gap, nor a start.
        prices M1 2.60 schema 7 -> FeedQuarantined
        events                  -> none
        heartbeat F1 schema 7
        recovered F1 schema 7
        recovering F1 schema 7 request 1
        gap F1
        feed F1                 -> Quarantined
        restart
        feed F1                 -> Quarantined
        recovered F1 schema 7
        place R3 A7 M1 1.00 any -> FeedQuarantined
        # Somebody looked at the parser, and says so.
        schema F1 8
        events                  -> FeedChanged Answered
        feed F1                 -> Down
        place R4 A7 M1 1.00 any -> FeedDown
        recovering F1 request 2 schema 8
        prices M1 2.70 schema 8
        recovered F1 request 2 schema 8
        place R5 A7 M1 1.00 any -> B2 at 2.70
    ";

    a_version_is_expected_of_every_message_but_a_gap: "
        feed F1 schema 7
        heartbeat F1
        feed F1                 -> Quarantined
        schema F1 7
        recovered F1 schema 8
        feed F1                 -> Quarantined
        schema F1 7
        recovering F1 schema 6
        feed F1                 -> Quarantined
        schema F1 7
        recovered F1 schema 7
        gap F1
        feed F1                 -> Down
        # Any will do from here on.
        schema F1 0
        recovered F1 schema 99
        feed F1                 -> Up
        # And this one from its next message.
        schema F1 7
        feed F1                 -> Up
        heartbeat F1 schema 99
        feed F1                 -> Quarantined
        schema F9 7             -> FeedUnknown
        recovering F9           -> FeedUnknown
    ";

    a_message_in_another_version_is_heard_all_the_same: "
        feed F1 schema 7
        recovered F1 schema 7 seq 1
        heartbeat F1 schema 8 seq 2
        schema F1 0
        # Number 2 was there: nothing is missing.
        recovered F1 seq 3
        feed F1                 -> Up
        heartbeat F1 seq 4
        feed F1                 -> Up
    ";

    a_feed_that_takes_too_long_is_told_apart_from_an_old_price: "
        fund A7 100.00
        feed F1 delay 200ms silence 1m
        recovered F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        @1s prices M1 2.50 source 1s
        feed F1                   -> Up
        # Its queue is behind by half a second: it is not the customer's network, and not a quiet market.
        @2s prices M1 2.60 source 1.5s
        events                    -> FeedChanged PriceSet
        feed F1                   -> Up slow
        place R1 A7 M1 1.00 any   -> PriceDelayed 500ms late
        # Told once, whatever the next ones take.
        @2.1s prices M1 2.60 source 1.6s
        events                    -> PriceSet
        # A message that does not say when it was sent says nothing of its way.
        heartbeat F1
        feed F1                   -> Up slow
        @2.2s heartbeat F1 source 2.2s
        events                    -> FeedChanged FeedHeard
        feed F1                   -> Up
        # The price itself still came too late; the next one did not.
        place R2 A7 M1 1.00 any   -> PriceDelayed
        @2.3s prices M1 2.60 source 2.3s
        place R3 A7 M1 1.00 any   -> B1
        # Both at once: that it is old is told first.
        @3s prices M1 2.60 source 2.3s as-of 1.5s
        place R4 A7 M1 1.00 any   -> StalePrice 1.5s old
    ";

    what_a_pricer_derives_is_no_younger_than_what_it_was_derived_from: "
        fund A7 100.00
        # F1 is the market that a pricer reads, F2 is the pricer. Its market hangs on the older of both.
        feed F1 silence 20s
        feed F2 silence 20s
        recovered F1
        recovered F2
        market M1 cup Home Away feed F2 bound 2s
        open M1
        @1s heartbeat F1
        prices M1 2.50 as-of 1s
        # The market is silent. The pricer is not: it sends the same again, and beats.
        @2s prices M1 2.50 as-of 1s
        heartbeat F2
        place R1 A7 M1 1.00 any   -> B1 at 2.50 returns 2.50, 1s old
        @3s prices M1 2.50 as-of 1s
        heartbeat F2
        place R2 A7 M1 1.00 any   -> B2 at 2.50 returns 2.50, 2s old
        @3s+1ns heartbeat F2
        place R3 A7 M1 1.00 any   -> StalePrice 2.000000001s old
    ";

    a_feed_that_is_back_undoes_nobodys_suspension: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1
        open M1
        prices M1 2.50
        suspend M1 trader
        suspend M1 governor
        suspend M1 feed
        gap F1
        recovering F1 request 1
        recovered F1 request 1
        release M1 feed
        place R1 A7 M1 1.00 any   -> MarketSuspended
        release M1 trader
        place R2 A7 M1 1.00 any   -> MarketSuspended
        release M1 governor
        place R3 A7 M1 1.00 any   -> B1
    ";
}
