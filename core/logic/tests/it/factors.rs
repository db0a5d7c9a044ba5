//! What scales the largest stake.

scripts! {
    factors_of_every_level_are_multiplied: "
        house max 100.00
        feed F1 silence 1m
        recovered F1
        fixture X1
        market M1 cup Home Away feed F1 fixture X1 bound 1m
        open M1
        prices M1 2.00 2.00
        fund A7 1000.00
        factor all 50%
        place R1 A7 M1 50.01 any  -> StakeTooLarge max 50.00
        factor F1 50%
        place R2 A7 M1 25.01 any  -> StakeTooLarge max 25.00
        factor X1 200%
        place R3 A7 M1 50.01 any  -> StakeTooLarge max 50.00
        factor M1 10%
        place R4 A7 M1 5.01 any   -> StakeTooLarge max 5.00
        factor tier 0 300%
        place R5 A7 M1 15.01 any  -> StakeTooLarge max 15.00
        factor A7 3%
        # 100.00 × 0.5 × 0.5 × 2 × 0.1 × 3 × 0.03 is 0.45.
        place R6 A7 M1 0.46 any   -> StakeTooLarge max 0.45
        place R7 A7 M1 0.45 any   -> B1
        # Another account has its own.
        fund A8 100.00
        place R1 A8 M1 15.00 any  -> B2
    ";

    a_factor_is_of_what_it_names_and_nothing_else: "
        house max 100.00
        feed F1 silence 1m
        recovered F1
        fixture X1
        market M1 cup Home Away feed F1 fixture X1 bound 1m
        open M1
        prices M1 2.00 2.00
        quote M2 2.00
        fund A7 1000.00
        factor F1 50%
        factor X1 50%
        factor M1 50%
        factor tier 7 1%
        place R1 A7 M2 100.00 any -> B1
        # Prices that a person sets are a feed as well.
        factor manual 10%
        place R2 A7 M2 10.01 any  -> StakeTooLarge max 10.00
        place R3 A7 M1 12.51 any  -> StakeTooLarge max 12.50
    ";

    nothing_is_taken_at_nought: "
        fund A7 100.00
        quote M1 2.00
        factor A7 0%
        place R1 A7 M1 0.01 any   -> StakeTooLarge max 0.00
        factor A7 100%
        place R2 A7 M1 0.01 any   -> B1
    ";

    the_tightest_leg_bounds_a_ticket: "
        house max 100.00
        fund A7 1000.00
        quote M1 2.00
        quote M2 2.00
        quote M3 2.00
        factor M2 20%
        limits M3 GBP max 30.00
        ticket R1 A7 treble 20.01 M1 M2 M3 any -> StakeTooLarge max 20.00
        ticket R2 A7 double 30.01 M1 M3 any    -> StakeTooLarge max 30.00
        ticket R3 A7 treble 20.00 M1 M2 M3 any -> B1
    ";

    a_trader_may_stretch_what_the_factors_leave: "
        rules set refer 300%
        limits GBP max 100.00
        fund A7 1000.00
        quote M1 2.00
        factor A7 10%
        place R1 A7 M1 10.00 any  -> B1
        place R2 A7 M1 30.00 any  -> pending B2 until @30s, Referral
        place R3 A7 M1 30.01 any  -> StakeTooLarge max 10.00
    ";

    a_factor_applies_when_a_delay_is_over: "
        house max 100.00
        fund A7 1000.00
        quote M1 2.00
        in-play M1 5s
        place R1 A7 M1 50.00 any  -> pending B1
        factor M1 10%
        @5s bet B1                -> Rejected
        balance A7                -> 1000.00
    ";

    factors_of_nothing_are_refused_and_a_new_market_has_none: "
        house markets 1
        factor F7 50%             -> FeedUnknown
        factor X7 50%             -> FixtureUnknown
        factor M7 50%             -> MarketUnknown
        factor A7 50%             -> AccountUnknown
        factor tier 256 50%       -> not sequenced: Malformed: a field is outside its range
        factor all 10001%         -> not sequenced: Malformed: a field is outside its range
        factor all 50% by nobody  -> ActorUnknown
        fund A7 1000.00
        limits GBP max 100.00
        quote M1 2.00
        factor M1 10%
        factor M1 10%             -> done
        restart markets 1
        open M1
        place R1 A7 M1 10.01 any  -> StakeTooLarge max 10.00
        result M1 1
        archive M1
        quote M2 2.00
        place R2 A7 M2 100.00 any -> B1
    ";
}
