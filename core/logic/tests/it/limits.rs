//! The smallest and largest stake, the largest payout, and what a market may lose.

scripts! {
    a_stake_lies_between_the_smallest_and_the_largest: "
        house min 1.00 max 50.00
        fund A7 1000.00
        quote M1 2.50
        place R1 A7 M1 0.99 any  -> StakeTooSmall min 1.00
        place R2 A7 M1 1.00 any  -> B1
        place R3 A7 M1 50.00 any -> B2
        place R4 A7 M1 50.01 any -> StakeTooLarge max 50.00
    ";

    a_stake_that_could_not_be_money_is_malformed: "
        fund A7 1000.00
        quote M1 2.50
        place R1 A7 M1 0.00 any           -> not sequenced: Malformed: the stake is not between
        place R2 A7 M1 -1.00 any          -> not sequenced: Malformed: the stake is not between
        place R3 A7 M1 10000000000.01 any -> not sequenced: Malformed: the stake is not between
        place R4 A7 M1 10000000000.00 any -> StakeTooLarge
    ";

    a_price_that_could_not_be_one_is_malformed: "
        fund A7 1000.00
        quote M1 2.50
        place R1 A7 M1 1.00 1.00        -> not sequenced: Malformed: the price is not between
        place R2 A7 M1 1.00 100000.0001 -> not sequenced: Malformed: the price is not between
        place R3 A7 M1 1.00 exact       -> not sequenced: Malformed: there is no price
        place R4 A7 M1 1.00 1.00 any    -> not sequenced: Malformed: the price is not between
        place R5 A7 M1 1.00 1.0001      -> PriceMoved
        prices M1 1.00                  -> not sequenced: Malformed: the price is not between
        prices M1 100000.0001           -> not sequenced: Malformed: the price is not between
        prices M1 100000
        place R6 A7 M1 1.00 100000      -> B1 at 100000.00
        place R7 A7 M1 1.00 2.50 within 0% -> not sequenced: Malformed: slippage is from
        place R8 A7 M1 1.00 2.50 within 100.01% -> not sequenced: Malformed: slippage is from
    ";

    a_refused_payout_names_the_largest_stake_that_is_not: "
        house payout 100.00
        fund A7 1000.00
        quote M1 3.00 10/11 1.5001
        place R1 A7 M1 33.34 any   -> PayoutLimit max 33.33
        place R2 A7 M1 33.33 any   -> B1 at 3.00 returns 99.99
        place R3 A7 M1/2 52.39 any -> PayoutLimit max 52.38
        place R4 A7 M1/2 52.38 any -> B2
        place R5 A7 M1/3 67.00 any -> PayoutLimit max 66.66
        # Exactly the cap is not above it.
        prices M1 4.00
        place R7 A7 M1 25.00 any   -> B3 at 4.00 returns 100.00
        place R6 A7 M1/3 66.66 any -> B4 at 1.5001 returns 99.99
    ";

    a_market_may_lose_its_limit_and_not_a_penny_more: "
        house liability 150.00
        fund A7 1000.00
        quote M1 2.50 3.00
        place R1 A7 M1 100.01 any  -> LiabilityLimit max 100.00
        place R2 A7 M1 100.00 any  -> B1
        exposure M1 GBP            -> 150.00
        place R3 A7 M1 0.01 any    -> LiabilityLimit max 0.00
        # A bet on the other side makes room.
        place R4 A7 M1/2 50.00 any -> B2
        exposure M1 GBP            -> 100.00
        place R5 A7 M1 33.34 any   -> LiabilityLimit max 33.33
        place R6 A7 M1 33.33 any   -> B3
        exposure M1 GBP            -> 149.99
    ";

    a_bet_that_lowers_the_worst_outcome_passes_beyond_the_limit: "
        house liability 150.00
        fund A7 1000.00
        quote M1 2.50 3.00
        place R1 A7 M1 100.00 any -> B1
        limits M1 GBP liability 10.00
        place R2 A7 M1 1.00 any   -> LiabilityLimit max 0.00
        place R3 A7 M1/2 10.00 any -> B2
        exposure M1 GBP           -> 140.00
    ";

    a_market_with_two_winners_may_pay_two: "
        house liability 100.00
        fund A7 1000.00
        market M1 place Red Amber Green winners 2
        open M1
        prices M1 3.00 3.00 3.00
        place R1 A7 M1/Red 20.00 any   -> B1
        exposure M1 GBP                -> 40.00
        # Both may be placed: 60 + 60 paid, 40 staked.
        place R2 A7 M1/Amber 20.00 any -> B2
        exposure M1 GBP                -> 80.00
        # A third loses for sure if the other two are placed.
        place R3 A7 M1/Green 20.00 any -> B3
        exposure M1 GBP                -> 60.00
        place R4 A7 M1/Red 50.00 any   -> LiabilityLimit max 20.00
        place R5 A7 M1/Red 20.00 any   -> B4
        exposure M1 GBP                -> 100.00
        result M1 Red Amber
        house House GBP                -> -100.00
    ";

    a_markets_own_limits_go_before_the_currencys: "
        fund A7 1000.00
        fund A8 1000.00 EUR
        quote M1 2.50
        quote M2 2.50
        limits GBP max 50.00
        limits M1 GBP max 10.00
        place R1 A7 M1 10.01 any -> StakeTooLarge max 10.00
        place R2 A7 M2 10.01 any -> B1
        place R3 A7 M2 50.01 any -> StakeTooLarge max 50.00
        # Another currency has its own.
        place R1 A8 M1 60.00 any -> B2
        limits M9 GBP max 1.00   -> MarketUnknown
        limits GBP min 2.00 max 1.00 -> not sequenced: Malformed: a field is outside its range
        limits GBP payout 0.00   -> not sequenced: Malformed: a field is outside its range
        limits GBP max 1.00 by nobody -> ActorUnknown
    ";

    limits_survive_a_restart: "
        fund A7 1000.00
        quote M1 2.50
        limits GBP max 50.00
        limits M1 GBP max 10.00
        restart currencies 8 markets 64 selections 512
        open M1
        quote M2 2.50
        place R1 A7 M1 10.01 any -> StakeTooLarge max 10.00
        place R2 A7 M2 50.01 any -> StakeTooLarge max 50.00
    ";

    a_new_market_has_none_of_the_old_ones_limits: "
        house markets 1
        fund A7 1000.00
        quote M1 2.50
        limits M1 GBP max 10.00
        result M1 1
        archive M1
        quote M2 2.50
        place R1 A7 M2 60.00 any -> B1
    ";

    settling_gives_the_room_back: "
        house liability 15.00
        fund A7 1000.00
        quote M1 2.50
        quote M2 2.50
        place R1 A7 M1 10.00 any -> B1
        # Each market has its own.
        place R2 A7 M2 10.00 any -> B2
        result M1 2
        exposure M1 GBP          -> 0.00
        exposure M2 GBP          -> 15.00
    ";
}
