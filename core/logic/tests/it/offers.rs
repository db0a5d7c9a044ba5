//! An offer of the price in force: taken in time and unsuspended it is a bet, otherwise never.

use betring_core::script;

scripts! {
    an_offer_holds_the_stake_and_becomes_a_bet: "
        house on-failure offer ttl 5s
        fund A7 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> offer B1 at 2.40 until @5s, v1
        balance A7                -> 90.00
        house Escrow GBP          -> 10.00
        bet B1                    -> Offered
        retry A7 R1               -> duplicate offer B1 at 2.40, now Offered
        # The price moves on; the offer stands.
        @2s quote M1 2.10
        @3s accept R2 A7 B1       -> B1 at 2.40 returns 24.00
        bet B1                    -> Open
        retry A7 R1               -> duplicate offer B1 at 2.40, now Open
        retry A7 R2               -> duplicate B1 at 2.40, now Open
        result M1 1
        balance A7                -> 114.00
    ";

    an_accepted_offer_says_so: "
        house on-failure offer
        fund A7 100.00
        quote M1 2.40
        @10ms place R1 A7 M1 10.00 2.50 -> offer B1 at 2.40
        @20ms accept R2 A7 B1           -> B1 at 2.40 returns 24.00, 10ms old, v1, Offer
    ";

    an_offer_is_taken_once: "
        house on-failure offer
        fund A7 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> offer B1
        accept R2 A7 B1           -> B1 at 2.40
        accept R3 A7 B1           -> NotAllowed
        decline R4 A7 B1          -> NotAllowed
        balance A7                -> 90.00
    ";

    a_declined_offer_gives_the_stake_back: "
        house on-failure offer
        fund A7 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> offer B1
        decline R2 A7 B1          -> done
        bet B1                    -> OfferEnded
        balance A7                -> 100.00
        house Escrow GBP          -> 0.00
        accept R3 A7 B1           -> OfferUnknown
        retry A7 R1               -> duplicate offer B1, now OfferEnded
    ";

    an_offer_is_its_customers_own: "
        house on-failure offer
        fund A7 100.00
        fund A8 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> offer B1
        accept R1 A8 B1           -> OfferUnknown
        decline R2 A8 B1          -> OfferUnknown
        accept R9 A7 B9           -> OfferUnknown
        accept R2 A7 B1           -> B1 at 2.40
    ";

    an_offer_may_be_taken_at_its_last_moment: "
        house on-failure offer ttl 5s
        fund A7 100.00
        quote M1 2.40
        @1s place R1 A7 M1 10.00 2.50 -> offer B1 at 2.40 until @6s
        @6s accept R2 A7 B1           -> B1 at 2.40
    ";

    an_offer_ends_after_its_last_moment: "
        house on-failure offer ttl 5s
        manual steps
        fund A7 100.00
        quote M1 2.40
        @1s place R1 A7 M1 10.00 2.50 -> offer B1 at 2.40 until @6s
        # No timer has fired, and none needs to.
        @6s+1ns accept R2 A7 B1       -> OfferExpired
        balance A7                    -> 90.00
        auto steps
        @6s+2ns balance A7            -> 100.00
        bet B1                        -> OfferEnded
    ";

    an_expired_offer_gives_the_stake_back_by_itself: "
        house on-failure offer ttl 5s
        fund A7 100.00
        quote M1 2.40
        @1s place R1 A7 M1 10.00 2.50 -> offer B1 at 2.40
        @7s balance A7                -> 100.00
        bet B1                        -> OfferEnded
        house Escrow GBP              -> 0.00
    ";

    a_blocked_customer_takes_no_offer_and_may_decline_it: "
        house on-failure offer
        fund A7 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> offer B1
        block A7
        accept R2 A7 B1           -> AccountBlocked
        decline R3 A7 B1          -> done
        balance A7                -> 100.00
    ";

    an_offer_is_made_only_if_all_else_is_well: "
        house on-failure offer max 50.00 payout 100.00 liability 60.00
        fund A7 30.00
        quote M1 2.40
        place R1 A7 M1 50.01 2.50 -> StakeTooLarge max 50.00
        place R2 A7 M1 42.00 2.50 -> PayoutLimit max 41.66
        place R3 A7 M1 31.00 2.50 -> FundsInsufficient
        place R4 A7 M1 30.00 2.50 -> offer B1 at 2.40
    ";

    /// An offer costs the house nothing until it is taken, so the limit is asked again then.
    an_offer_is_judged_on_liability_when_it_is_taken: "
        house on-failure offer liability 14.00
        fund A7 100.00
        fund A8 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> offer B1 at 2.40
        exposure M1 GBP           -> 0.00
        place R1 A8 M1 1.00 any   -> B2 at 2.40
        accept R2 A7 B1           -> LiabilityLimit max 9.00
        limits M1 GBP liability 15.40
        accept R3 A7 B1           -> B1 at 2.40
        exposure M1 GBP           -> 15.40
    ";

    an_offer_is_taken_only_while_the_market_takes_bets: "
        house on-failure offer ttl 1m
        feed F1 silence 10s
        recovered F1
        market M1 cup Home Away feed F1 bound 2s
        open M1
        fund A7 100.00
        prices M1 2.40 3.00
        place R1 A7 M1 10.00 2.50        -> offer B1 at 2.40
        # Its price is too old, then its feed is silent; neither ends the offer for good.
        @2s+1ns accept R2 A7 B1          -> StalePrice
        @10s+1ns accept R3 A7 B1         -> FeedDown
        # But the message that ends the silence does.
        @11s heartbeat F1
        recovered F1
        accept R4 A7 B1                  -> OfferWithdrawn
    ";

    closing_a_market_ends_its_offers: "
        house on-failure offer
        fund A7 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> offer B1
        close M1
        open M1
        accept R2 A7 B1           -> OfferWithdrawn
        # The stake goes back at the offer's own end, or at once if the customer declines.
        balance A7                -> 90.00
        decline R3 A7 B1          -> done
        balance A7                -> 100.00
    ";

    a_result_ends_offers_and_their_stakes_go_back: "
        house on-failure offer
        fund A7 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> offer B1
        result M1 1
        bet B1                    -> OfferEnded
        balance A7                -> 100.00
        accept R2 A7 B1           -> OfferUnknown
        market M1                 -> Settled
    ";

    a_restart_ends_offers: "
        house on-failure offer ttl 1m
        fund A7 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> offer B1
        restart
        open M1
        accept R2 A7 B1           -> OfferWithdrawn
        @+1m+1ns balance A7       -> 100.00
    ";

    a_non_runner_takes_the_offers_of_its_market_with_it: "
        house on-failure offer
        fund A7 100.00
        quote M1 2.40 3.00
        place R1 A7 M1 10.00 2.50   -> offer B1
        place R2 A7 M1/2 10.00 2.50 -> offer B2
        non-runner M1 2
        accept R3 A7 B1             -> OfferWithdrawn
        accept R4 A7 B2             -> OfferWithdrawn
        @+6s balance A7             -> 100.00
    ";
}

/// A suspension at any level, however short, by anyone, ends the offers made before it.
#[test]
fn an_offer_ends_with_a_suspension_at_every_level() {
    for level in ["M1", "X1", "F1", "all"] {
        for owner in ["feed", "trader", "governor", "engine"] {
            for released in [true, false] {
                let release =
                    if released { format!("release {level} {owner}") } else { String::new() };
                script::check(&format!(
                    "house on-failure offer
                     feed F1
                     recovered F1
                     fixture X1
                     market M1 cup Home Away feed F1 fixture X1
                     open M1
                     fund A7 100.00
                     prices M1 2.40 3.00
                     place R1 A7 M1 10.00 2.50 -> offer B1 at 2.40
                     suspend {level} {owner}
                     {release}
                     accept R2 A7 B1           -> OfferWithdrawn
                     release {level} {owner}
                     place R3 A7 M1 10.00 2.50 -> offer B2 at 2.40
                     accept R4 A7 B2           -> B2 at 2.40
                     @6s balance A7            -> 90.00"
                ));
            }
        }
    }
}

/// What is suspended elsewhere, or was suspended before, ends nothing.
#[test]
fn an_offer_survives_what_does_not_concern_it() {
    for level in ["M2", "X2", "F2"] {
        script::check(&format!(
            "house on-failure offer
             feed F1
             feed F2
             recovered F1
             recovered F2
             fixture X1
             fixture X2
             market M1 cup Home Away feed F1 fixture X1
             market M2 tie Home Away feed F2 fixture X2
             open M1
             open M2
             fund A7 100.00
             prices M1 2.40 3.00
             suspend M1
             release M1
             place R1 A7 M1 10.00 2.50 -> offer B1 at 2.40
             suspend {level}
             accept R2 A7 B1           -> B1 at 2.40"
        ));
    }
}

/// A feed that was silent, missed a message, or recovers: offers made before can no longer be taken.
#[test]
fn an_offer_ends_when_its_feed_goes_down() {
    let ways = [
        ("gap F1\nrecovered F1", "@1s"),
        ("heartbeat F1 seq 9\nrecovered F1", "@1s"),
        ("@13s heartbeat F1\nrecovered F1", "@13s"),
    ];
    for (down, at) in ways {
        script::check(&format!(
            "house on-failure offer ttl 1m
             feed F1 silence 10s
             recovered F1
             heartbeat F1 seq 5
             market M1 cup Home Away feed F1 bound 1m
             open M1
             fund A7 100.00
             @1s prices M1 2.40 3.00
             place R1 A7 M1 10.00 2.50 -> offer B1 at 2.40
             {down}
             {at} accept R2 A7 B1      -> OfferWithdrawn
             @2m balance A7            -> 100.00"
        ));
    }
}

/// A late timer may delay, and changes no answer.
#[test]
fn late_steps_change_no_answer_about_an_offer() {
    for (name, text) in ALL {
        if text.contains("result") || text.contains("steps") || text.contains("by_itself") {
            continue;
        }
        let answers_only: String = text
            .lines()
            .filter(|line| !line.contains("balance") && !line.contains("bet B1"))
            .filter(|line| !line.contains("Escrow"))
            .map(|line| format!("{line}\n"))
            .collect();
        let late = answers_only.replacen("fund", "manual steps\nfund", 1);
        script::run(&late).unwrap_or_else(|failure| panic!("{name} with late steps\n{failure}"));
    }
}
