//! Prices of a live night: what a trader pins, what is held back as not plausible, what liability shortens.

use betring_core::event::{Event, EventReader};
use betring_core::script;

scripts! {
    a_pinned_price_outranks_every_feed: "
        fund A7 100.00
        feed F1 silence 20s
        feed F2 silence 20s
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 drift 2%
        market M1 cup Home Draw Away group G1 bound 1s tier 1
        open M1
        prices M1 2.50 3.30 3.00
        prices M1 2.50 3.30 3.00 feed F2
        pin M1/Draw 3.40
        events                            -> PricePinned Answered
        price M1/Draw                     -> 3.40 pinned
        # It does not move, does not drift, is not stale, and hangs on no feed.
        prices M1 Draw 9.00
        price M1/Draw                     -> 3.40 pinned
        place R1 A7 M1/Draw 1.00 any      -> B1 at 3.40 returns 3.40, 0ns old, v3
        place R2 A7 M1/Home 1.00 any      -> PriceDrifted
        gap F1
        @1m place R3 A7 M1/Draw 1.00 any  -> B2 at 3.40 returns 3.40, 60s old
        value B2                          -> 1.00
        suspend F1 feed
        place R4 A7 M1/Draw 1.00 any      -> B3
        # A goal is a goal, though: the other levels count.
        suspend M1 feed
        place R5 A7 M1/Draw 1.00 any      -> MarketSuspended
        release M1 feed
        release F1 feed
        # The quotes were kept: what the feed said last is in force again.
        unpin M1/Draw
        events                            -> PricePinned Answered
        place R6 A7 M1/Draw 1.00 any      -> FeedDown
        recovered F1
        prices M1 2.50 9.10 3.00
        prices M1 2.50 9.10 3.00 feed F2
        recovered F2
        place R7 A7 M1/Draw 1.00 any      -> B4 at 9.10
        unpin M1/Draw                     -> NotAllowed
    ";

    a_pinned_price_has_its_own_age: "
        fund A7 100.00
        feed F1 silence 1h
        recovered F1
        tier 1 age 10s cash-out-age 5s
        market M1 cup Home Away feed F1 bound 1s tier 1
        open M1
        prices M1 2.50
        pin M1/Home 2.60
        place R1 A7 M1 10.00 any          -> B1 at 2.60
        @5s tick
        value B1                          -> 10.00
        @5s+1ns tick
        value B1                          -> CashOutFrozen
        @10s place R2 A7 M1 1.00 any      -> B2
        @10s+1ns place R3 A7 M1 1.00 any  -> StalePrice 10.000000001s old
        # Said again, it is as old as that.
        pin M1/Home 2.60
        place R4 A7 M1 1.00 any           -> B3 at 2.60 returns 2.60, 0ns old, v3
    ";

    after_a_start_a_pinned_price_waits_for_an_open: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1 bound 1h
        open M1
        prices M1 2.50 3.00
        pin M1/Home 2.60
        place R1 A7 M1 1.00 any           -> B1
        restart
        recovered F1
        place R2 A7 M1/Home 1.00 any      -> MarketNotOpen
        value B1                          -> CashOutFrozen
        # What the feed prices goes on.
        place R3 A7 M1/Away 1.00 any      -> B2
        open M1
        place R4 A7 M1/Home 1.00 any      -> B3 at 2.60
    ";

    a_trader_prices_what_exists_and_is_not_over: "
        quote M1 2.50
        pin M9/1 2.00                     -> MarketUnknown
        pin M1/9 2.00                     -> SelectionUnknown
        take M1/1                         -> NotAllowed
        close M1
        pin M1/1 2.00
        result M1 1
        pin M1/1 2.00                     -> MarketClosed
        unpin M1/1                        -> MarketClosed
        take M1/1                         -> MarketClosed
    ";

    an_offer_at_a_feeds_price_ends_with_the_feed_though_a_price_is_pinned: "
        house on-failure offer ttl 1m
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1 bound 1h
        open M1
        prices M1 2.50
        place R1 A7 M1 1.00 2.60          -> offer B1 at 2.50
        gap F1
        pin M1/Home 2.00
        accept R2 A7 B1                   -> OfferWithdrawn
        # An offer at the trader's price does not hang on the feed.
        place R3 A7 M1 1.00 2.10          -> offer B2 at 2.00
        gap F1
        accept R4 A7 B2                   -> B2 at 2.00
    ";

    a_price_that_moves_too_far_at_once_is_held_back: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        tier 1 band 50%
        market M1 cup Home Draw Away feed F1 bound 1h tier 1
        open M1
        prices M1 2.00 3.00 4.00
        place R1 A7 M1/Home 10.00 any     -> B1
        # Half as much again is plausible.
        prices M1 3.00 3.00 4.00
        place R2 A7 M1/Home 1.00 any      -> B2 at 3.00
        # Ten times as much: a decimal point is gone.
        prices M1 30.00 3.10 4.00
        events                            -> PriceSet PriceSet PriceSet
        price M1/Home                     -> 3.00 held 30.00
        price M1/Draw                     -> 3.10
        place R3 A7 M1/Home 1.00 any      -> PriceHeld
        place R4 A7 M1/Draw 1.00 any      -> B3
        value B1                          -> CashOutFrozen
        # The next that is plausible is taken, and the other is forgotten.
        prices M1 3.20
        price M1/Home                     -> 3.20
        place R5 A7 M1/Home 1.00 any      -> B4 at 3.20
        take M1/Home                      -> NotAllowed
        # Down as well.
        prices M1 1.50
        place R6 A7 M1/Home 1.00 any      -> PriceHeld
        # Without a price there is nothing to be held.
        prices M1 -
        place R7 A7 M1/Home 1.00 any      -> NoPrice
        prices M1 1.50
        place R8 A7 M1/Home 1.00 any      -> B5 at 1.50
    ";

    a_trader_takes_what_was_held_back: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        tier 1 band 50%
        market M1 cup Home Away feed F1 bound 2s tier 1
        open M1
        prices M1 2.00
        @1s prices M1 9.00
        place R1 A7 M1 1.00 any           -> PriceHeld
        @2s take M1/Home
        events                            -> PriceSet Answered
        # It is as old as the message that brought it.
        place R2 A7 M1 1.00 any           -> B1 at 9.00 returns 9.00, 1s old, v2
        take M1/Home                      -> NotAllowed
        # From there on the band is counted.
        prices M1 10.00
        place R3 A7 M1 1.00 any           -> B2 at 10.00
    ";

    the_reference_vouches_for_a_price: "
        fund A7 100.00
        feed F1 silence 1m
        feed F2 silence 10s
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 band 50%
        market M1 cup Home Away group G1 bound 1h tier 1
        open M1
        prices M1 2.00
        prices M1 2.00 feed F2
        # A red card: the backup was first, and is held back as nobody says the same.
        prices M1 5.00 feed F2
        price M1 F2                       -> 2.00 held 5.00
        # What is held at the feed that does not drive stops nothing.
        place R1 A7 M1 1.00 any           -> B1 at 2.00
        # Nor does what is held vouch for anything.
        prices M1 5.10
        place R2 A7 M1 1.00 any           -> PriceHeld
        # A trader believes the one; that vouches for the other.
        take M1/Home
        price M1                          -> 5.10
        prices M1 5.00 feed F2
        price M1 F2                       -> 5.00
        # And with the reference there no trader is needed.
        prices M1 1.60
        price M1                          -> 5.10 held 1.60
        prices M1 5.20
        switch G1 backup
        prices M1 4.00 feed F2
        prices M1 1.60 feed F1
        price M1 F1                       -> 5.20 held 1.60
        prices M1 2.10 feed F1
        price M1 F1                       -> 2.10
    ";

    a_silent_reference_vouches_for_nothing: "
        feed F1 silence 1m
        feed F2 silence 10s
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 band 50%
        market M1 cup Home Away group G1 bound 1h tier 1
        open M1
        prices M1 2.00 2.00
        prices M1 5.00 5.00 feed F2
        @10s prices M1 4.00
        price M1/Home                     -> 4.00
        @10s+1ns prices M1 Away 4.00
        price M1/Away                     -> 2.00 held 4.00
    ";

    after_a_suspension_or_a_recovery_a_price_may_be_anything: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        tier 1 band 10%
        market M1 cup Home Away feed F1 bound 1h tier 1
        # Before it opens, too.
        prices M1 2.00
        prices M1 5.00
        open M1
        place R1 A7 M1 1.00 any           -> B1 at 5.00
        suspend M1 feed
        prices M1 1.50
        release M1 feed
        place R2 A7 M1 1.00 any           -> B2 at 1.50
        suspend M1/Home
        prices M1 3.00
        release M1/Home
        place R3 A7 M1 1.00 any           -> B3 at 3.00
        gap F1
        prices M1 9.00
        recovered F1
        place R4 A7 M1 1.00 any           -> B4 at 9.00
    ";

    a_person_may_say_what_he_likes: "
        fund A7 100.00
        tier 1 band 10%
        quote M1 2.00
        assign M1 1
        quote M1 200.00
        place R1 A7 M1 0.10 any           -> B1 at 200.00
    ";

    a_pinned_price_is_not_stopped_by_one_that_is_held: "
        fund A7 100.00
        feed F1 silence 1m
        recovered F1
        tier 1 band 10%
        market M1 cup Home Away feed F1 bound 1h tier 1
        open M1
        prices M1 2.00
        prices M1 9.00
        place R1 A7 M1 1.00 any           -> PriceHeld
        pin M1/Home 2.10
        place R2 A7 M1 1.00 any           -> B1 at 2.10
        unpin M1/Home
        place R3 A7 M1 1.00 any           -> PriceHeld
    ";

    a_price_gets_shorter_with_every_band_and_longer_again_with_half_a_band_to_spare: "
        house liability 1000.00
        fund A7 10000.00
        fund A8 10000.00
        tier 1 liability step 10% 2 ticks 3 steps
        quote M1 3.00 3.00
        assign M1 1
        # A band is 100.00. 40.00 at 3.00 lose 80.00: none is filled.
        place R1 A7 M1/1 40.00 any        -> B1 at 3.00
        bands M1/1                        -> 0
        # 120.00: one is, and the next bet is at two ticks less.
        place R2 A7 M1/1 20.00 any        -> B2 at 3.00
        events                            -> Transfer BetOpened PriceStepped Answered
        bands M1/1                        -> 1 steps 1
        price M1/1                        -> 2.96
        # A bet on the other selection pays for it: 100.00, that is one band still; 80.00, too.
        place R3 A8 M1/2 20.00 any        -> B3 at 3.00
        quote M1 3.00 3.00
        bands M1/1                        -> 1 steps 1
        place R4 A8 M1/2 20.00 any        -> B4 at 3.00
        quote M1 3.00 3.00
        price M1/1                        -> 2.96
        # 45.00: more than half a band below it.
        place R5 A8 M1/2 35.00 any        -> B5 at 3.00
        quote M1 3.00 3.00
        events                            -> PriceStepped PriceSet PriceSet Answered
        price M1/1                        -> 3.00
        bands M1/1                        -> 0
    ";

    past_the_last_step_a_selection_is_suspended_and_reopens_by_itself: "
        house liability 1000.00
        fund A7 10000.00
        tier 1 liability step 10% 1 ticks 2 steps
        quote M1 3.00 3.00
        assign M1 1
        place R1 A7 M1/1 50.00 any        -> B1
        price M1/1                        -> 2.98
        place R2 A7 M1/1 51.00 any        -> B2 at 2.98
        price M1/1                        -> 2.96
        bands M1/1                        -> 2 steps 2
        place R3 A7 M1/1 51.00 any        -> B3 at 2.96
        events                            -> Transfer BetOpened LevelSuspended Answered
        bands M1/1                        -> 3 steps 2 suspended
        place R4 A7 M1/1 1.00 any         -> MarketSuspended
        place R5 A7 M1/2 1.00 any         -> B4
        # A bet is void: two bands again, and it opens.
        void B3
        bands M1/1                        -> 2 steps 2
        place R6 A7 M1/1 1.00 any         -> B5 at 2.96
        # A trader's suspension of it stays.
        suspend M1/1 trader
        void B2
        void B5
        place R7 A7 M1/1 1.00 any         -> MarketSuspended
        release M1/1 trader
        price M1/1                        -> 2.98
        place R8 A7 M1/1 1.00 any         -> B6
    ";

    a_tier_may_suspend_at_once: "
        house liability 1000.00
        fund A7 10000.00
        tier 1 liability suspend 25%
        quote M1 2.00 2.00
        quote M2 2.00 2.00
        assign M1 1
        place R1 A7 M1/1 250.00 any       -> B1 at 2.00
        events                            -> Transfer BetOpened LevelSuspended Answered
        place R2 A7 M1/1 1.00 any         -> MarketSuspended
        bands M1/1                        -> 1 suspended
        # Nothing is done any more: the next price of it says so.
        tier 1
        place R3 A7 M1/1 1.00 any         -> MarketSuspended
        quote M1 2.00 2.00
        events                            -> LevelReleased PriceSet PriceSet Answered
        bands M1/1                        -> 0
        place R4 A7 M1/1 1.00 any         -> B2
        # A ticket counts by what it could win with each of its selections.
        tier 1 liability suspend 25%
        quote M1 2.00 2.00
        bands M1/1                        -> 1 suspended
        tier 2 liability suspend 10%
        assign M2 2
        ticket R5 A7 double 60.00 M1/2 M2/2 any -> B3
        bands M2/2                        -> 1 suspended
    ";

    the_currency_in_which_most_bands_are_filled_decides: "
        house liability 1000.00
        fund A7 10000.00
        fund A8 10000.00 EUR
        limits EUR liability 100.00
        tier 1 liability step 10% 1 ticks 9 steps
        quote M1 2.00 2.00
        assign M1 1
        place R1 A7 M1/1 140.00 any       -> B1
        bands M1/1                        -> 1 steps 1
        # In euro a band is 10.00, and this fills three of them.
        place R2 A8 M1/1 31.00 any        -> B2 at 1.99
        bands M1/1                        -> 3 steps 3
        price M1/1                        -> 1.97
        void B2
        bands M1/1                        -> 1 steps 1
        void B1
        bands M1/1                        -> 0
        price M1/1                        -> 2.00
    ";

    both_feeds_of_a_selection_get_shorter: "
        house liability 1000.00
        fund A7 10000.00
        feed F1 silence 1h
        feed F2 silence 1h
        recovered F1
        recovered F2
        group G1 F1 F2
        tier 1 liability step 10% 1 ticks 5 steps drift 3%
        market M1 cup Home Away group G1 bound 1h tier 1
        open M1
        prices M1 3.00
        prices M1 3.05 feed F2
        place R1 A7 M1 60.00 any          -> B1 at 3.00
        events                            -> Transfer BetOpened PriceStepped PriceStepped Answered
        price M1                          -> 2.98
        # 3.05 is not a step of the ladder: the one below it is 3.05, and one below that 3.00.
        price M1 F2                       -> 3.00
        # They are compared as they are sent.
        drift M1                          -> within
        switch G1 backup
        place R2 A7 M1 1.00 any           -> B2 at 3.00
        # The odds of a fraction are those of the ladder once they are shorter.
        prices M1 21/10 feed F2
        price M1                          -> 3.05
        # A trader's price is not shortened.
        pin M1/Home 4.00
        price M1                          -> 4.00 pinned
    ";

    a_probe_moves_no_price_and_a_stake_that_is_held_does: "
        house liability 1000.00
        account A6 probe
        fund A6 10000.00
        account A8 wallet
        rules usual hold place
        tier 1 liability step 10% 1 ticks 5 steps
        quote M1 3.00 3.00
        assign M1 1
        place R1 A6 M1/1 90.00 any synthetic -> B1
        events                            -> Transfer BetOpened Answered
        place R2 A8 M1/1 90.00 any        -> pending B2
        bands M1/1                        -> 1 steps 1
        price M1/1                        -> 2.98
        confirm B2 90.00
        bands M1/1                        -> 1 steps 1
        place R3 A8 M1/1 90.00 any        -> pending B3
        bands M1/1                        -> 3 steps 3
        release-hold B3
        bands M1/1                        -> 2 steps 2
    ";

    what_is_as_short_as_can_be_stays: "
        house liability 100.00
        fund A7 10000.00
        tier 1 liability step 1% 5 ticks 9 steps
        quote M1 1.02 1.005
        assign M1 1
        place R1 A7 M1/1 100.00 any       -> B1
        bands M1/1                        -> 2 steps 2
        price M1/1                        -> 1.01
        place R2 A7 M1/2 900.00 any       -> B2
        price M1/2                        -> 1.005
    ";

    settling_a_market_moves_no_price_of_it: "
        house liability 1000.00
        fund A7 10000.00
        tier 1 liability step 10% 1 ticks 5 steps
        quote M1 3.00 3.00
        quote M2 2.00 2.00
        assign M1 1
        assign M2 1
        place R1 A7 M1/1 60.00 any        -> B1
        ticket R2 A7 double 60.00 M1/2 M2/1 any -> B2
        bands M2/1                        -> 3 steps 3
        price M2/1                        -> 1.97
        # The double is lost: what it could win in the other market is gone there.
        result M1 1
        bet B2                            -> Lost
        bands M1/1                        -> 1 steps 1
        bands M2/1                        -> 0
        price M2/1                        -> 2.00
    ";
}

/// What is told of a price that is held, of one that is shortened, and of a second quote.
#[test]
fn an_event_of_a_price_says_what_was_sent_and_what_is_in_force() {
    let report = script::check(
        "house liability 1000.00
         fund A7 1000.00
         feed F1 silence 1m
         feed F2 silence 1m
         recovered F1
         recovered F2
         group G1 F1 F2
         tier 1 band 50% liability step 10% 1 ticks 5 steps
         market M1 cup Home Away group G1 bound 1h tier 1
         open M1
         prices M1 2.00
         prices M1 2.00 feed F2
         place R1 A7 M1 100.00 any -> B1
         prices M1 9.00
         prices M1 2.10",
    );
    let mut told = Vec::new();
    for record in &report.records {
        for event in EventReader::new(&record.events) {
            if let Event::PriceSet(event) = event.unwrap() {
                let (quoted, price) = (event.quoted.to_string(), event.price.to_string());
                told.push((quoted, price, event.version.0, event.drives, event.held, event.steps));
            }
        }
    }
    let expected = [
        ("2.00", "2.00", 1, 1, 0, 0),
        ("2.00", "2.00", 2, 0, 0, 0),
        ("9.00", "1.99", 3, 1, 1, 1),
        ("2.10", "2.08", 4, 1, 0, 1),
    ];
    let expected = expected.map(|(q, p, v, d, h, s)| (q.to_owned(), p.to_owned(), v, d, h, s));
    assert_eq!(told, expected);
}

/// A switch, a new tier and a pin are each one command and one event; a price of 250 selections that are
/// all shortened and drift still fits its record.
#[test]
fn the_most_that_one_message_of_prices_can_cause_fits_its_record() {
    let names: Vec<String> = (1..=250).map(|n| format!("s{n}")).collect();
    let prices = |price: &str| vec![price; 250].join(" ");
    let mut text = format!(
        "house selections 256 bets 1024 liability 100.00 keys 8192
         fund A7 100000.00
         feed F1 silence 1h
         feed F2 silence 1h
         recovered F1
         recovered F2
         group G1 F1 F2
         tier 1 drift 1%
         market M1 cup {} group G1 bound 1h tier 1 winners 249
         open M1
         prices M1 {}
         prices M1 {} feed F2
         limits GBP liability 100000000.00\n",
        names.join(" "),
        prices("3.00"),
        prices("3.00"),
    );
    for n in 1..=250 {
        text += &format!("place R{n} A7 M1/s{n} 100.00 any\n");
    }
    // Everything at once: both quotes step, the selection is suspended, the price moves, the feeds part.
    text += &format!(
        "limits GBP liability 1.00
         tier 1 drift 1% liability step 1% 1 ticks 1 steps
         prices M1 {}\n",
        prices("4.00")
    );
    script::check(&text);
}
