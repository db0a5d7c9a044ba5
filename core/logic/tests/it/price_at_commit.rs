//! A bet binds to the price in force when it is decided, never to the one the customer saw.

use betring_core::script;

scripts! {
    a_bet_binds_the_price_at_commit: "
        fund A7 100.00
        @0ms quote M1 2.50
        @5ms quote M1 2.40
        @6ms place R1 A7 M1 10.00 2.50   -> PriceMoved now 2.40
        @7ms place R2 A7 M1 10.00 any    -> B1 at 2.40 returns 24.00
        @8ms quote M1 9.00
        # A retry gets the first answer, not the new price, and pays once.
        @9ms place R2 A7 M1 10.00 any    -> duplicate B1 at 2.40 returns 24.00
        # The same key with another stake is a mistake, not a retry.
        @9ms place R2 A7 M1 99.00 any    -> RequestReused
        balance A7                       -> 90.00
        house Escrow GBP                 -> 10.00
    ";

    the_answer_names_age_version_and_basis: "
        fund A7 100.00
        quote M1 2.50
        @40ms quote M1 2.60
        @50ms place R1 A7 M1 10.00 2.60 seen 1 -> B1 at 2.60 returns 26.00, 10ms old, v2, InForce
        events -> Transfer BetOpened Answered
        @60ms quote M1 2.70
        @61ms place R2 A7 M1 10.00 2.60        -> PriceMoved now 2.70, v3
    ";

    waiting_in_our_own_ring_ages_a_price_too: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        @10ms prices M1 2.50 3.00 waited 4ms
        @10ms place R1 A7 M1 1.00 any -> B1 at 2.50 returns 2.50, 4ms old
        # It was received before its stamp, so the bound is reached that much earlier.
        @1006ms place R2 A7 M1 1.00 any        -> B2 at 2.50 returns 2.50, 1s old
        @1006ms+1ns place R3 A7 M1 1.00 any    -> StalePrice
    ";

    a_price_cannot_be_received_after_its_stamp: "
        fund A7 100.00
        market M1 cup Home Away bound 1s
        open M1
        prices M1 2.50 waited -500ms
        place R1 A7 M1 1.00 any         -> B1 at 2.50 returns 2.50, 0ns old
        @1s place R2 A7 M1 1.00 any     -> B2 at 2.50 returns 2.50, 1s old
        @1s+1ns place R3 A7 M1 1.00 any -> StalePrice
    ";

    the_same_price_again_is_the_same_version: "
        fund A7 100.00
        quote M1 2.50 4.00
        quote M1 2.50
        place R1 A7 M1 1.00 any   -> B1 at 2.50 returns 2.50, 0ns old, v1
        quote M1 2.50 5.00
        place R2 A7 M1 1.00 any   -> B2 at 2.50 returns 2.50, 0ns old, v1
        place R3 A7 M1/2 1.00 any -> B3 at 5.00 returns 5.00, 0ns old, v2
    ";

    a_fraction_is_kept_and_settled_exactly: "
        fund A7 100.00
        quote M1 10/11 5/2
        # The decimal price alone would pay 20.99.
        place R1 A7 M1 11.00 10/11    -> B1 at 1.909 (10/11) returns 21.00
        place R2 A7 M1/2 10.00 3.50   -> B2 at 3.50 (5/2) returns 35.00
        result M1 1
        bet B1     -> Won 21.00
        bet B2     -> Lost
        balance A7 -> 100.00
    ";

    a_price_may_be_taken_away: "
        fund A7 100.00
        quote M1 2.50 3.00
        prices M1 -
        place R1 A7 M1 1.00 any   -> NoPrice
        place R2 A7 M1/2 1.00 any -> B1 at 3.00
        prices M1 2.50
        place R3 A7 M1 1.00 any   -> B2 at 2.50
    ";

    a_customer_asks_for_a_fraction_and_the_price_in_force_is_a_decimal: "
        fund A7 100.00
        quote M1 3.50
        place R1 A7 M1 1.00 5/2 -> B1 at 3.50 returns 3.50
    ";
}

/// The specification, as the traders read it: requested 2.50, in force as the column says.
#[test]
fn every_policy_at_a_lower_an_equal_and_a_better_price() {
    let expected = "
policy         on-failure  2.40                2.50                2.60
2.50 exact     refuse      PriceMoved now 2.40  B1 at 2.50  PriceMoved now 2.60
2.50 better    refuse      PriceMoved now 2.40  B1 at 2.50  B1 at 2.60
2.50 within 4%  refuse      B1 at 2.40  B1 at 2.50  B1 at 2.60
2.50 within 3.99%  refuse      PriceMoved now 2.40  B1 at 2.50  B1 at 2.60
2.50 any       refuse      B1 at 2.40  B1 at 2.50  B1 at 2.60
any            refuse      B1 at 2.40  B1 at 2.50  B1 at 2.60
2.50 exact     offer      offer B1 at 2.40  B1 at 2.50  offer B1 at 2.60
2.50 better    offer      offer B1 at 2.40  B1 at 2.50  B1 at 2.60
2.50 within 4%  offer      B1 at 2.40  B1 at 2.50  B1 at 2.60
2.50 within 3.99%  offer      offer B1 at 2.40  B1 at 2.50  B1 at 2.60
2.50 any       offer      B1 at 2.40  B1 at 2.50  B1 at 2.60
any            offer      B1 at 2.40  B1 at 2.50  B1 at 2.60
";
    let mut rows = 0;
    for row in expected.trim().lines().skip(1) {
        let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
        let [policy, on_failure, answers @ ..] = cells.as_slice() else { panic!("{row}") };
        for (now, answer) in ["2.40", "2.50", "2.60"].into_iter().zip(answers) {
            script::check(&format!(
                "house on-failure {on_failure}
                 fund A7 100.00
                 quote M1 {now}
                 place R1 A7 M1 10.00 {policy} -> {answer}"
            ));
            rows += 1;
        }
    }
    assert_eq!(rows, 36, "twelve rows of three");
}
