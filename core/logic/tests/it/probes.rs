//! Probes and canaries: bets that test the way a bet goes, and are in no sum of money.

scripts! {
    a_probes_bet_goes_through_every_gate_and_is_in_no_risk: "
        house max 50.00 payout 500.00
        account A7 probe
        fund A7 100.00
        quote M1 2.50 1.50
        place R1 A7 M1 10.00 2.60 synthetic -> PriceMoved now 2.50
        place R2 A7 M1 50.01 any synthetic  -> StakeTooLarge max 50.00
        place R3 A7 M1 10.00 2.50 synthetic -> B1 at 2.50 returns 25.00
        place R4 A7 M1 91.00 any synthetic  -> StakeTooLarge
        balance A7                -> 90.00
        exposure M1 GBP           -> 0.00
        liability M1/1 GBP        -> 0.00
        customer A7               -> 0.00
        house Escrow GBP          -> 0.00
        house World GBP           -> 0.00
        house Probes GBP          -> -90.00
        result M1 1
        bet B1                    -> Won 25.00
        balance A7                -> 115.00
        house House GBP           -> 0.00
        house Probes GBP          -> -115.00
        withdraw K2 A7 115.00     -> done
        house Probes GBP          -> 0.00
    ";

    /// The stake goes from escrow to the house within one account: nothing moves, and nothing is told.
    a_lost_probe_costs_nobody_anything: "
        account A7 probe
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any synthetic -> B1
        events                    -> Transfer BetOpened Answered
        manual steps
        result M1 2
        step
        auto steps
        bet B1                    -> Lost
        balance A7                -> 90.00
        house Probes GBP          -> -90.00
        rollback M1
        bet B1                    -> Open
        result M1 void all
        balance A7                -> 100.00
        house House GBP           -> 0.00
    ";

    a_probe_is_not_judged_on_liability: "
        house liability 15.00 customer 10.00 selection 10.00 event 10.00
        account A7 probe
        fund A7 100.00
        fund A8 100.00
        fixture X1
        market M1 cup Home Away fixture X1
        open M1
        prices M1 2.50 3.00
        place R1 A7 M1 40.00 any synthetic -> B1
        ticket R2 A7 single 10.00 M1 any synthetic -> B2
        # And takes nothing of what customers may win.
        liability X1 GBP          -> 0.00
        place R1 A8 M1 6.66 any   -> B3
        place R2 A8 M1 0.02 any   -> LiabilityLimit max 0.01, Customer
    ";

    a_bet_and_its_account_are_both_probes_or_neither: "
        account A7 probe
        fund A7 100.00
        fund A8 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any           -> AccountKind
        place R1 A8 M1 10.00 any synthetic -> AccountKind
        # Before all that a market could say.
        place R2 A8 M9 10.00 any synthetic -> AccountKind
        block A8
        place R3 A8 M1 10.00 any synthetic -> AccountBlocked
    ";

    a_canary_takes_only_probes: "
        account A7 probe
        fund A7 100.00
        fund A8 100.00
        market M1 canary Up Down canary
        open M1
        prices M1 2.00 2.00
        quote M2 2.00
        place R1 A8 M1 10.00 any           -> AccountKind
        place R1 A7 M1 10.00 any synthetic -> B1
        # Of several legs the reason that comes first is told: before a market that nobody knows.
        ticket R2 A8 double 1.00 M9 M1 any  -> AccountKind
        ticket R3 A8 double 1.00 M9 M2 any  -> MarketUnknown
        # And before that it is closed.
        close M1
        place R4 A8 M1 10.00 any           -> AccountKind
        place R2 A7 M1 10.00 any synthetic -> MarketClosed
    ";

    money_by_hand_and_free_bets_of_a_probe_are_apart_too: "
        account A7 probe
        adjust A7 5.00
        adjust A7 -7.00
        grant A7 10.00
        balance A7                -> -2.00
        bonus A7                  -> 10.00
        house House GBP           -> 0.00
        house Promotions GBP      -> 0.00
        house Probes GBP          -> -8.00
        quote M1 3.00
        ticket R1 A7 single 10.00 M1 bonus any synthetic -> B1
        house Probes GBP          -> 2.00
        result M1 1
        balance A7                -> 18.00
        house Probes GBP          -> -18.00
    ";

    a_probe_is_delayed_referred_offered_and_sold_as_a_bet_is: "
        rules set on-failure offer refer 300%
        limits GBP max 20.00
        account A7 probe
        fund A7 100.00
        quote M1 2.00
        in-play M1 5s
        place R1 A7 M1 10.00 any synthetic -> pending B1 until @5s, Delay
        @5s bet B1                         -> Open
        in-play M1 off
        place R2 A7 M1 10.00 2.10 synthetic -> offer B2
        accept R3 A7 B2                    -> B2
        place R4 A7 M1 30.00 any synthetic -> pending B3 until @35s, Referral
        referral B3 decline
        balance A7                         -> 80.00
        cash-out R5 A7 B1 take 4.00 any    -> done
        balance A7                         -> 84.00
        house Escrow GBP                   -> 0.00
        exposure M1 GBP                    -> 0.00
        restart
        balance A7                         -> 84.00
    ";
}
