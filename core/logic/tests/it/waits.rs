//! Bets that wait: for the end of an in-play delay, for a trader, for the customer.

use betring_core::script;

scripts! {
    an_in_play_bet_waits_and_binds_the_price_at_the_end: "
        fund A7 100.00
        quote M1 2.50
        in-play M1 5s
        @1s place R1 A7 M1 10.00 2.50 better -> pending B1 until @6s, Delay
        balance A7                -> 90.00
        bet B1                    -> Delayed
        place R1 A7 M1 10.00 2.50 better -> duplicate pending B1 until @6s, Delay, now Waiting
        @2s quote M1 2.60
        @5s bet B1                -> Delayed
        @6s bet B1                -> Open
        place R1 A7 M1 10.00 2.50 better -> duplicate pending B1 until @6s, Delay, now Open
        exposure M1 GBP           -> 16.00
        result M1 1
        bet B1                    -> Won 26.00
    ";

    a_price_that_fell_meanwhile_ends_it: "
        fund A7 100.00
        quote M1 2.50
        in-play M1 5s
        place R1 A7 M1 10.00 2.50 -> pending B1
        @1s quote M1 2.40
        @5s bet B1                -> Rejected
        balance A7                -> 100.00
        place R1 A7 M1 10.00 2.50 -> duplicate pending B1, now Rejected
    ";

    or_becomes_an_offer_where_that_is_the_houses_way: "
        house on-failure offer ttl 3s
        fund A7 100.00
        quote M1 2.50
        in-play M1 5s
        place R1 A7 M1 10.00 2.50 -> pending B1
        @1s quote M1 2.40
        @5s bet B1                -> Offered
        @6s accept R2 A7 B1       -> B1 at 2.40 returns 24.00, 4s old, v2, Offer
        bet B1                    -> Open
    ";

    whatever_is_suspended_meanwhile_ends_it_even_if_it_opens_again: "
        fund A7 100.00
        fixture X1
        market M1 who Home Away fixture X1
        open M1
        prices M1 2.50 1.50
        quote M2 2.00
        in-play M1 5s
        ticket R1 A7 double 10.00 M1/Home M2/1 any -> pending B1
        @1s suspend X1
        @2s release X1
        @5s bet B1                -> Rejected
        balance A7                -> 100.00
    ";

    every_gate_is_asked_again: "
        fund A7 100.00
        quote M1 2.50
        in-play M1 5s
        place R1 A7 M1 10.00 any  -> pending B1
        @1s place R2 A7 M1 5.00 any -> pending B2
        limits GBP max 5.00
        @10s bet B1               -> Rejected
        bet B2                    -> Open
        block A7
        balance A7                -> 95.00
    ";

    a_market_that_settles_ends_what_waits_in_it: "
        fund A7 100.00
        quote M1 2.50
        in-play M1 5s
        place R1 A7 M1 10.00 any  -> pending B1
        @1s result M1 1
        bet B1                    -> Rejected
        balance A7                -> 100.00
    ";

    a_restart_in_the_middle_ends_it_too: "
        fund A7 100.00
        quote M1 2.50
        in-play M1 5s
        place R1 A7 M1 10.00 any  -> pending B1
        @1s restart
        @2s open M1
        @5s bet B1                -> Rejected
        balance A7                -> 100.00
    ";

    back_out_of_play_nothing_waits: "
        fund A7 100.00
        quote M1 2.50
        in-play M1 5s
        in-play M1 off
        place R1 A7 M1 10.00 any  -> B1
        in-play M9 5s             -> MarketUnknown
    ";

    a_stake_above_the_limit_goes_to_a_trader: "
        rules set refer 300% refer-ttl 10s
        fund A7 1000.00
        limits GBP max 100.00
        quote M1 2.50
        place R1 A7 M1 100.00 2.50 -> B1
        place R2 A7 M1 301.00 2.50 -> StakeTooLarge max 100.00
        @1s place R3 A7 M1 300.00 2.50 -> pending B2 until @11s, Referral
        balance A7                -> 600.00
        referral B2 accept
        bet B2                    -> Open
        place R3 A7 M1 300.00 2.50 -> duplicate pending B2, now Open
    ";

    a_liability_above_the_limit_too: "
        rules set refer 200%
        fund A7 1000.00
        limits GBP liability 100.00
        quote M1 2.00
        place R1 A7 M1 100.00 any -> B1
        place R2 A7 M1 100.00 any -> pending B2 until @30s, Referral
        place R3 A7 M1 101.00 any -> LiabilityLimit
        referral B2 accept
        bet B2                    -> Open
    ";

    a_trader_counters_with_another_stake_or_price: "
        rules set refer 300% ttl 4s
        fund A7 1000.00
        limits GBP max 100.00
        quote M1 2.50
        place R1 A7 M1 300.00 2.50 -> pending B1
        referral B1 counter stake 150.00 2.40
        bet B1                    -> Offered
        stake B1                  -> 150.00
        balance A7                -> 850.00
        @1s accept R2 A7 B1       -> B1 at 2.40 returns 360.00, 0ns old, v0, Trader
        result M1 1
        bet B1                    -> Won 360.00
        place R3 A7 M1 300.00 any -> MarketClosed
    ";

    a_traders_price_that_the_customer_takes_anyway_opens_at_once: "
        rules set refer 300%
        fund A7 1000.00
        limits GBP max 100.00
        quote M1 2.50
        place R1 A7 M1 200.00 2.50 better -> pending B1
        referral B1 accept 2.60
        bet B1                    -> Open
        place R2 A7 M1 200.00 2.50 better -> pending B2
        referral B2 accept 2.40
        bet B2                    -> Offered
        place R3 A7 M1 200.00 2.50 better -> pending B3
        quote M1 2.40
        # At the price in force it does not agree: the trader is told, and may counter.
        referral B3 accept        -> PriceMoved now 2.40
        bet B3                    -> Referred
        referral B3 counter stake 300.00 -> StakeTooLarge
        referral B3 counter 2.40 2.40 -> SelectionUnknown
        referral B3 decline reason 7
        bet B3                    -> Rejected
        referral B3 decline       -> NotAllowed
        referral B9 decline       -> BetUnknown
        balance A7                -> 600.00
    ";

    no_traders_answer_is_a_no: "
        rules set refer 300% refer-ttl 10s
        fund A7 1000.00
        limits GBP max 100.00
        quote M1 2.50
        place R1 A7 M1 200.00 any -> pending B1
        @10s referral B1 counter
        bet B1                    -> Offered
        decline R2 A7 B1
        place R3 A7 M1 200.00 any -> pending B2
        @20s bet B2               -> Referred
        @+1ns bet B2              -> Rejected
        balance A7                -> 1000.00
        place R4 A7 M1 200.00 any -> pending B3
        suspend M1
        release M1
        referral B3 accept        -> OfferWithdrawn
        manual steps
        @40s referral B3 accept   -> OfferExpired
    ";

    no_more_wait_than_there_is_room_for: "
        house bets 2 keys 512
        fund A7 1000.00
        quote M1 2.50
        in-play M1 5s
        place R1 A7 M1 1.00 any   -> pending B1
        place R2 A7 M1 1.00 any   -> pending B2
        place R3 A7 M1 1.00 any   -> not sequenced: Overloaded
    ";
}

/// A wait that ended early keeps its place until its time is over; beyond them all nothing new waits.
#[test]
fn as_many_wait_as_there_is_room_for() {
    let mut text = String::from(
        "house bets 2
         fund A7 100.00
         quote M1 2.00
         place R1 A7 M1 10.00 any -> B1
         in-play M1 1h\n",
    );
    for round in 0..66 {
        // The news of a window that holds no bet end the cash-out.
        let verb = if round % 2 == 0 { "cancel" } else { "uncancel" };
        text += &format!("cash-out C{round} A7 B1 any -> pending B1\n");
        text += &format!("{verb} M1 from @90m until @91m\nbet B1 -> Open\n");
    }
    text += "cash-out R2 A7 B1 any -> TooManyPending\nplace R3 A7 M1 1.00 any -> TooManyPending";
    script::check(&text);
}
