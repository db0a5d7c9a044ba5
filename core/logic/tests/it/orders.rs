//! Orders of exchange markets: what a customer may ask for, what becomes of it, what is held for it.

use betring_core::HouseRules;
use betring_core::script::Runner;

/// Plays lines, one after the other.
struct Lines(Runner<HouseRules>);

impl Lines {
    fn new() -> Lines {
        Lines(Runner::new(HouseRules))
    }

    fn play(&mut self, lines: &str) {
        for line in lines.lines() {
            self.0.line(line).map(|_| ()).unwrap_or_else(|it| panic!("{it}"));
        }
    }
}

/// A race with room for more orders than one account may have waiting.
const MANY: &str = "house orders 2048
    market M1 Race A B exchange
    exchange M1 GBP
    open M1
    fund A1 100.00";

/// So many orders of a request that say the same.
fn batch(orders: usize, order: &str) -> String {
    vec![order; orders].join(" + ")
}

#[test]
fn a_thousand_orders_of_an_account_wait_in_a_market_and_no_more() {
    let mut lines = Lines::new();
    lines.play(MANY);
    let one = "back A 0.01 1000";
    for request in 1..=4 {
        lines.play(&format!("order R{request} A1 M1 {} -> order", batch(200, one)));
    }
    lines.play(&format!("order R5 A1 M1 {} -> order", batch(199, one)));
    lines.play(&format!("order R6 A1 M1 {} -> TooManyOrders", batch(2, one)));
    // What is killed waits for nothing.
    lines.play(
        "order R7 A1 M1 back A 0.01 1000 kill + back A 0.01 1000 -> order
        order R8 A1 M1 back A 0.01 1000 -> TooManyOrders
        held A1 M1 -> 10.00
        cancel-orders R9 A1 M1 all -> cancelled 10.00 of 1000
        held A1 M1 -> 0.00
        order R10 A1 M1 back A 0.01 1000 -> order",
    );
}

#[test]
fn orders_that_wait_for_the_delay_are_among_the_thousand_also_if_they_are_fill_or_kill() {
    let mut lines = Lines::new();
    lines.play(MANY);
    lines.play("in-play M1 5s");
    for request in 1..=5 {
        let orders = batch(200, "back A 0.01 1000 kill");
        lines.play(&format!("order R{request} A1 M1 {orders} -> order"));
    }
    lines.play("order R6 A1 M1 back A 0.01 1000 kill -> TooManyOrders");
}

#[test]
fn two_hundred_orders_that_meet_512_of_makers_in_debt_are_one_record() {
    let mut lines = Lines::new();
    lines.play(
        "house accounts 1024 orders 8192 positions 1024 stands 2048 keys 4096
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A601 100000.00
        fund A602 100000.00",
    );
    for maker in 1..=512 {
        // The back risks nothing more, and what is won by it pays a part of the debt.
        lines.play(&format!(
            "fund A{maker} 10.00
            order Q{maker} A{maker} M1 lay A 2.00 3.00
            order S{maker} A{maker} M1 back A 2.00 3.05"
        ));
    }
    lines.play("order R4 A602 M1 back A 1024.00 3.00 -> order O1025 matched 1024.00 at 3.00");
    for maker in 1..=512 {
        lines.play(&format!("adjust A{maker} -20.00"));
    }
    lines.play(&format!(
        "order R5 A601 M1 lay A 1024.00 3.05 + {} -> order O1026 and 199 more matched 1024.00",
        batch(199, "lay A 2.00 2.00 kill")
    ));
    // 6.00 of 10.00 were left when 20.00 were taken; 4.00 come back.
    lines.play("balance A1 -> -10.00");
}

#[test]
fn lays_that_cover_more_than_a_number_holds_leave_the_backs_to_decide() {
    let mut lines = Lines::new();
    lines.play(
        "house accounts 16 orders 2048 levels 16384
        market M1 Race A B exchange
        exchange M1 GBP starting-prices ladder 1.0001-1.0002@0.0001,1.0002-2.0002@1
        open M1
        fund A1 100000000000000.00
        fund A2 100000000000000.00
        fund A3 100.00",
    );
    // 10,000,000,000.00 cover 10^16 minor units each at 1.0001: 921 of them are as many as there are numbers.
    for request in 1..=10 {
        let account = 1 + request / 6;
        let orders = batch(100, "lay A 10000000000.00 1.0001 on-close");
        lines.play(&format!("order R{request} A{account} M1 {orders} -> order"));
    }
    lines.play(
        "order R11 A3 M1 back A 2.00 -> order O1001
        in-play M1 5s
        sizes O1001 -> ExecutionComplete 2.00: 2.00 matched at 1.0001",
    );
}

#[test]
fn an_account_with_as_much_as_there_can_be_goes_on_after_a_restart() {
    let mut lines = Lines::new();
    lines.play(
        "house orders 1024 levels 400000
        market M1 Race A B exchange
        exchange M1 GBP ladder 1.01-2@0.01,2-100000@2
        open M1
        fund A1 1000000000000000.00",
    );
    // Each may bring 10^17 minor units.
    let orders = batch(91, "back A 10000000000.00 4");
    lines.play(&format!("order R1 A1 M1 {orders} -> order"));
    lines.play(
        "order R2 A1 M1 back A 10000000000.00 4 -> BalanceLimit
        order R3 A1 M1 back A 2000000000.00 4 -> order
        cancel-orders R4 A1 M1 all -> cancelled
        restart
        balance A1 -> 1000000000000000.00",
    );
}

scripts! {
    orders_of_a_market_that_leaves_memory_step_by_step_are_in_nobodys_way: "
        house accounts 8 orders 4 budget 1
        market M1 One A B exchange
        exchange M1 GBP
        market M2 Two A B exchange
        exchange M2 GBP
        open M1
        open M2
        fund A1 100.00
        order R1 A1 M1 back A 2.00 3.00 + back A 2.00 3.00 + back A 2.00 3.00 + back A 2.00 3.00
        cancel-orders R2 A1 M1 all               -> cancelled 8.00 of 4
        result M1 A
        market M1                                -> Settled
        manual steps
        archive M1
        # One of the four has left; a new order of another market has its place, and then takes that of the next one.
        step
        order R3 A1 M2 back A 2.00 3.00
        order R4 A1 M2 back A 2.00 3.00
        order R5 A1 M2 back A 2.00 3.00
        order R6 A1 M2 back A 2.00 3.00
        auto steps
        held A1 M2                               -> 8.00
        market M1                                -> Archived
        cancel-orders R7 A1 M2 all               -> cancelled 8.00 of 4
        digest                                   -> same-as-replay
    ";

    a_reduction_makes_no_odds_longer_on_a_ladder_that_has_shorter_ones_than_1_01: "
        house levels 16384
        market M1 One A B C exchange
        exchange M1 GBP ladder 1.001-1.01@0.001,1.01-2@0.01
        open M1
        fund A1 100.00
        fund A2 1000.00
        order R1 A1 M1 lay A 1000.00 1.001
        order R2 A2 M1 back A 1000.00 1.001      -> order O2 matched 1000.00 at 1.001
        held A1 M1                               -> 1.00
        non-runner M1 C factor 10%
        held A1 M1                               -> 1.00
        sizes O1            -> ExecutionComplete 1000.00: 1000.00 matched at 1.001
    ";

    one_of_a_request_that_meets_another_of_it_is_matched_in_the_answer_as_well: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        order R1 A1 M1 back A 5.00 3.00 + lay A 3.00 3.00 self allow + back A 1.00 9.00 kill -> order O1 and 2 more matched 6.00 lapsed 1.00
        stands A1 M1                             -> 0.00/0.00 0.00/0.00
        held A1 M1                               -> 2.00
        stands A2 M1                             -> none
        sizes O9                                 -> none
    ";

    a_withdrawal_cuts_every_price_at_which_an_order_was_matched_by_itself: "
        market M1 Race A B C exchange
        exchange M1 GBP
        open M1
        fund A1 100000.00
        fund A2 10000.00
        fund A3 10000.00
        order R1 A2 M1 back A 10000.00 1.02
        order R2 A3 M1 back A 10000.00 5.00
        order R3 A1 M1 lay A 20000.00 5.00       -> order O3 matched 20000.00 at 3.01
        non-runner M1 C factor 30%
        # 1.02 less 30 % would be 0.714: it is 1.01 for both; 5.00 is 3.50 for both.
        sizes O1                                 -> ExecutionComplete 10000.00: 10000.00 matched at 1.01
        sizes O3                                 -> ExecutionComplete 20000.00: 20000.00 matched at 2.255
        restart
        non-runner M1 B factor 10%
        sizes O1                                 -> ExecutionComplete 10000.00: 10000.00 matched at 1.01
        sizes O3                                 -> ExecutionComplete 20000.00: 20000.00 matched at 2.08
        result M1 A
        cleared M1                               -> 0.00 and 0.00
        archive M1
        digest                                   -> same-as-replay
    ";

    what_is_held_after_a_withdrawal_follows_once_all_orders_are_cut: "
        house budget 1
        market M1 One A B C exchange
        exchange M1 GBP
        open M1
        fund A1 300.00
        fund A2 1000.00
        order R1 A2 M1 lay A 100.00 3.00
        order R2 A1 M1 back A 100.00 3.00
        order R3 A2 M1 back A 150.00 2.00
        order R4 A1 M1 lay A 150.00 2.00
        held A1 M1                               -> 0.00
        withdraw W1 A1 300.00
        manual steps
        non-runner M1 C factor 40%
        step
        step
        balance A1                               -> 0.00
        step
        balance A1                               -> 0.00
        auto steps
        balance A1                               -> 0.00
    ";

    orders_of_whoever_is_excluded_or_blocked_are_cancelled_when_they_are_met: "
        market M1 Race A B exchange
        exchange M1 GBP cross
        open M1
        fund A1 100.00
        fund A2 100.00
        fund A3 100.00
        order R1 A1 M1 lay A 10.00 2.50          -> order O1
        order R2 A2 M1 lay A 10.00 2.40          -> order O2
        order R3 A1 M1 back B 5.00 1.50          -> order O3
        exclude-self R4 A1 until @24h
        depth M1/A back                          -> 2.50x10.00 2.40x10.00
        order R5 A3 M1 back A 5.00 2.00          -> order O4 matched 5.00 at 2.40
        sizes O1                                 -> ExecutionComplete 10.00: 10.00 lapsed
        # So is its back of B, a leg of the better price of 3.00.
        sizes O3                                 -> ExecutionComplete 5.00: 5.00 lapsed
        held A1 M1                               -> 0.00
        order R6 A3 M1 back A 10.00 2.40         -> order O5 matched 5.00 at 2.40
        block A2
        sizes O2                                 -> ExecutionComplete 10.00: 10.00 matched at 2.40
    ";

    more_selections_than_can_be_crossed_are_refused_and_not_left_uncrossed: "
        house selections 256 levels 65536
        market M1 Race S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12 S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S25 S26 S27 S28 S29 S30 S31 S32 S33 S34 S35 S36 S37 S38 S39 S40 S41 S42 S43 S44 S45 S46 S47 S48 S49 S50 S51 S52 S53 S54 S55 S56 S57 S58 S59 S60 S61 S62 S63 S64 S65 exchange
        exchange M1 GBP cross                    -> NotAllowed
        exchange M1 GBP                          -> done
    ";

    an_order_that_lowers_the_risk_passes_a_limit_that_is_used_up: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        limit A1 loss day 50.00
        order R1 A1 M1 back A 30.00 3.00
        order R2 A2 M1 lay A 30.00 3.00
        order R3 A2 M1 back A 10.00 2.00
        limit A1 loss day 10.00
        order R4 A1 M1 back A 1.00 2.00          -> CustomerLimit Loss Day left 0.00
        order R5 A1 M1 lay A 10.00 2.00          -> order O4 matched 10.00 at 2.00
    ";

    what_was_held_on_another_day_makes_no_room_today: "
        market M1 Race A B C exchange
        exchange M1 GBP commission 5%
        open M1
        fund A1 1000.00
        fund A2 1000.00
        limit A1 loss day 50.00
        limit A1 stake day 500.00
        order R1 A1 M1 back A 50.00 3.00
        limit A1 loss day                        -> 0.00 left
        cancel-orders R2 A1 M1 all               -> cancelled 50.00 of 1
        limit A1 loss day                        -> 50.00 left
        order R3 A1 M1 back A 50.00 3.00
        @24h cancel-orders R4 A1 M1 all          -> cancelled 50.00 of 1
        limit A1 loss day                        -> 50.00 left
        order R5 A2 M1 lay B 100.00 2.00
        order R6 A1 M1 back B 100.00 2.00        -> CustomerLimit Loss Day left 50.00
        order R7 A1 M1 back B 50.00 2.00         -> order O4 matched 50.00 at 2.00
        limit A1 loss day                        -> 0.00 left
        # A day later it is lost: it counted when it was held.
        @48h result M1 C
        balance A1                               -> 950.00
        limit A1 loss day                        -> 50.00 left
        @49h rollback M1
        @50h result M1 B
        # 50.00 won, 2.50 of commission; held once more and back.
        limit A1 loss day                        -> 97.50 left
    ";

    what_was_held_before_there_was_a_limit_makes_no_room_under_it: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 1000.00
        order R1 A1 M1 back A 100.00 3.00
        limit A1 loss day 50.00
        cancel-orders R2 A1 M1 all               -> cancelled 100.00 of 1
        limit A1 loss day                        -> 50.00 left
    ";

    prices_of_the_house_are_not_for_an_exchange_market: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        prices M1 2.50 1.60                      -> InvalidMarketId
    ";

    a_back_and_a_lay_meet_at_the_price_of_who_was_there: "
        market M1 Race A B C exchange
        exchange M1 GBP commission 5% min 2.00 cross
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 lay A 10.00 3.00          -> order O1
        held A1 M1                               -> 20.00
        balance A1                               -> 80.00
        order R2 A2 M1 back A 4.00 2.50          -> order O2 matched 4.00 at 3.00
        sizes O1            -> Executable 10.00: 4.00 matched at 3.00, 6.00 remaining
        held A2 M1                               -> 4.00
        depth M1/A back                          -> 3.00x6.00
        traded M1/A                              -> 3.00x4.00
        cancel-orders R3 A1 M1 all               -> cancelled 6.00 of 1
        held A1 M1                               -> 8.00
        result M1 A                              -> started J1
        net A1 M1                                -> -8.00
        net A2 M1                                -> 8.00 less 0.40
        balance A2                               -> 107.60
        cleared M1                               -> 0.00 and 0.00
        rollback M1
        held A1 M1                               -> 8.00
        result M1 B
        balance A2                               -> 96.00
        balance A1                               -> 103.80
        archive M1
        digest                                   -> same-as-replay
    ";

    at_a_price_who_came_first_is_matched_first: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        fund A3 100.00
        order R1 A1 M1 back A 5.00 2.00          -> order O1
        order R2 A2 M1 back A 5.00 2.00          -> order O2
        # Smaller than it was, an order keeps its place.
        cancel-orders R3 A1 M1 O1:2.00           -> cancelled 2.00 of 1
        order R4 A3 M1 lay A 4.00 2.00           -> order O3 matched 4.00 at 2.00
        sizes O1            -> ExecutionComplete 5.00: 3.00 matched at 2.00, 2.00 cancelled
        sizes O2            -> Executable 5.00: 1.00 matched at 2.00, 4.00 remaining
    ";

    a_replaced_order_goes_to_the_end_of_its_new_price: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        fund A3 100.00
        order R1 A1 M1 back A 5.00 2.02          -> order O1
        order R2 A2 M1 back A 5.00 2.00          -> order O2
        replace-orders R3 A1 M1 O1:2.00          -> order O3
        sizes O1            -> ExecutionComplete 5.00: 5.00 cancelled
        order R4 A3 M1 lay A 6.00 2.00           -> order O4 matched 6.00 at 2.00
        sizes O2            -> ExecutionComplete 5.00: 5.00 matched at 2.00
        sizes O3            -> Executable 5.00: 1.00 matched at 2.00, 4.00 remaining
    ";

    what_was_cancelled_and_cannot_be_placed_again_stays_cancelled: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 10.00
        order R1 A1 M1 lay A 10.00 2.00          -> order O1
        held A1 M1                               -> 10.00
        # At 3.00 it would risk 20.00, and there are 10.00.
        replace-orders R2 A1 M1 O1:3.00          -> CancelledNotPlaced FundsInsufficient
        sizes O1            -> ExecutionComplete 10.00: 10.00 cancelled
        balance A1                               -> 10.00
        suspend M1
        replace-orders R3 A1 M1 O1:3.00          -> BetTakenOrLapsed
    ";

    an_order_of_a_batch_that_is_not_possible_lets_none_of_them_in: "
        market M1 Race A B exchange
        exchange M1 GBP min 2.00
        open M1
        fund A1 100.00
        order R1 A1 M1 back A 5.00 2.00 + back B 1.00 3.00   -> InvalidBetSize
        order R2 A1 M1 back A 5.00 2.00 + back B 2.00 3.01   -> InvalidOdds
        held A1 M1                               -> none
        order R3 A1 M1 back A 5.00 2.00 + back B 2.00 3.00   -> order O1 and 1 more
        held A1 M1                               -> 5.00
        # If A wins the back on B is lost, if B wins that on A, and both are not there together.
        balance A1                               -> 95.00
    ";

    what_lowers_the_risk_needs_no_money: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 10.00
        fund A2 100.00
        order R1 A1 M1 back A 10.00 3.00         -> order O1
        order R2 A2 M1 lay A 10.00 3.00          -> order O2 matched 10.00 at 3.00
        balance A1                               -> 0.00
        # Laid at 2.00 he cannot lose more than before, whoever wins.
        order R3 A1 M1 lay A 10.00 2.00          -> order O3
        held A1 M1                               -> 10.00
        order R4 A2 M1 back A 10.00 2.00         -> order O4 matched 10.00 at 2.00
        held A1 M1                               -> 0.00
        balance A1                               -> 10.00
        # If A wins he has 10.00 more: of 20.01 he would lose 0.01 that he has not.
        order R5 A1 M1 back B 20.01 2.00         -> FundsInsufficient
        order R6 A1 M1 back B 20.00 2.00         -> order O5
    ";

    three_lays_of_a_market_with_two_places_risk_two_of_them: "
        market M1 Race A B C D exchange winners 2
        exchange M1 GBP places
        open M1
        fund A1 100.00
        order R1 A1 M1 lay A 10.00 5.00 + lay B 10.00 5.00 + lay C 10.00 5.00 -> order O1 and 2 more
        held A1 M1                               -> 80.00
    ";

    fill_or_kill_is_bound_by_its_average: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 1000.00
        fund A2 1000.00
        order R1 A1 M1 lay A 2.00 5.60           -> order O1
        order R2 A1 M1 lay A 2.00 5.20           -> order O2
        order R3 A2 M1 back A 4.00 5.40 kill     -> order O3 matched 4.00 at 5.40
        order R4 A1 M1 lay A 2.00 5.60           -> order O4
        order R5 A2 M1 back A 4.00 5.40 kill     -> order O5
        sizes O5            -> Expired 4.00: 4.00 lapsed
        order R6 A2 M1 back A 4.00 5.40 kill least 2.00 -> order O6 matched 2.00 at 5.60
        sizes O6            -> ExecutionComplete 4.00: 2.00 matched at 5.60, 2.00 lapsed
        held A2 M1                               -> 6.00
        order R7 A2 M1 back A 4.00 5.40 kill least 4.01 -> InvalidMinFillSize
        order R8 A2 M1 back A 4.00 5.40 least 2.00      -> InvalidMinFillSize
        order R9 A2 M1 back A 4.00 5.40 kill persist    -> TimeInForceConflict
    ";

    a_better_price_than_the_limit_may_be_refused: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 lay A 10.00 3.00          -> order O1
        order R2 A2 M1 back A 4.00 2.50 not-better -> order O2
        sizes O2            -> ExecutionComplete 4.00: 4.00 lapsed
        order R3 A2 M1 back A 4.00 3.00 not-better -> order O3 matched 4.00 at 3.00
    ";

    nobody_meets_himself_unless_he_says_so: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 lay A 5.00 3.00           -> order O1
        order R2 A1 M1 back A 4.00 2.50          -> order O2
        sizes O2            -> ExecutionComplete 4.00: 4.00 lapsed
        order R3 A1 M1 back A 4.00 2.50 self cancel-both -> order O3
        sizes O1            -> ExecutionComplete 5.00: 5.00 lapsed
        sizes O3            -> ExecutionComplete 4.00: 4.00 lapsed
        held A1 M1                               -> 0.00
        order R4 A1 M1 lay A 5.00 3.00           -> order O4
        order R5 A2 M1 lay A 5.00 2.80           -> order O5
        order R6 A1 M1 back A 4.00 2.50 self cancel-maker -> order O6 matched 4.00 at 2.80
        sizes O4            -> ExecutionComplete 5.00: 5.00 lapsed
        order R7 A1 M1 lay A 5.00 3.00           -> order O7
        order R8 A1 M1 back A 5.00 3.00 self allow -> order O8 matched 5.00 at 3.00
        # What he has with himself is nothing.
        held A1 M1                               -> 4.00
    ";

    between_selections_the_house_stands_and_loses_nothing: "
        market M1 Race A B C exchange
        exchange M1 GBP cross
        open M1
        fund A1 1000.00
        fund A2 1000.00
        order R1 A1 M1 back B 60.00 3.00 + back C 60.00 3.00  -> order O1 and 1 more
        virtual M1/A back                        -> 3.00x60.00
        depth M1/A back                          -> none
        order R2 A2 M1 back A 30.00 2.90         -> order O3 matched 30.00 at 3.00
        sizes O1            -> Executable 60.00: 30.00 matched at 3.00, 30.00 remaining
        sizes O2            -> Executable 60.00: 30.00 matched at 3.00, 30.00 remaining
        held A2 M1                               -> 30.00
        cancel-orders R3 A1 M1 all
        # Backed on two of three, 30.00 each, he loses 60.00 if A wins.
        held A1 M1                               -> 60.00
        result M1 A
        net A2 M1                                -> 60.00
        net A1 M1                                -> -60.00
        cleared M1                               -> 0.00 and 0.00
        house Crossing GBP                       -> 0.00
    ";

    what_rounding_leaves_between_selections_is_the_houses: "
        market M1 Race A B C exchange
        exchange M1 GBP cross
        open M1
        fund A1 1000.00
        fund A2 1000.00
        order R1 A1 M1 back B 33.33 3.05 + back C 71.17 3.55  -> order O1 and 1 more
        order R2 A2 M1 back A 30.00 2.00         -> order O3 matched 30.00 at 2.56
        sizes O1            -> Executable 33.33: 25.18 matched at 3.05, 8.15 remaining
        sizes O2            -> Executable 71.17: 21.63 matched at 3.55, 49.54 remaining
        # 76.81 were staked; 76.80 are paid if A wins, 76.799 if B does, 76.7865 if C does.
        result M1 A
        net A1 M1                                -> -46.81
        cleared M1                               -> 0.01 and 0.00
        result M1 B
        net A1 M1                                -> 29.98
        cleared M1                               -> 0.01 and 0.01
        result M1 C
        net A1 M1                                -> 29.97
        cleared M1                               -> 0.02 and 0.01
        house Crossing GBP                       -> 0.02
        house Rounding GBP                       -> 0.01
    ";

    a_smaller_stake_will_do_where_it_pays_enough: "
        market M1 Race A B exchange
        exchange M1 GBP min 2.00 min-payout 10.00
        open M1
        fund A1 100.00
        order R1 A1 M1 back A 1.00 10            -> order O1
        order R2 A1 M1 back A 0.10 100           -> order O2
        order R3 A1 M1 back A 0.01 1000          -> order O3
        order R4 A1 M1 back A 0.99 10            -> InvalidBetSize
        order R5 A1 M1 back A 2.00 1.01          -> order O4
    ";

    a_profit_that_does_not_come_out_in_pennies_is_refused: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        order R1 A1 M1 back A 0.13 1.06          -> InvalidProfitRatio
        order R2 A1 M1 back A 2.00 1.06          -> order O1
        # What would be left is such an order, too.
        cancel-orders R3 A1 M1 O1:1.87           -> InvalidProfitRatio
        cancel-orders R4 A1 M1 O1:1.00           -> cancelled 1.00 of 1
        sizes O1            -> Executable 2.00: 1.00 remaining, 1.00 cancelled
    ";

    a_size_may_be_said_as_payout_or_profit: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        order R1 A1 M1 back A 25.00 2.50 payout  -> order O1
        sizes O1            -> Executable 10.00: 10.00 remaining
        order R2 A1 M1 lay B 15.00 2.50 profit   -> order O2
        sizes O2            -> Executable 10.00: 10.00 remaining
        # If B wins the back on A is lost, and the lay of B.
        held A1 M1                               -> 25.00
    ";

    the_market_says_what_it_takes: "
        fund A1 100.00
        fund A2 100.00 EUR
        market M1 Race A B exchange
        order R1 A1 M1 back A 2.00 2.00          -> InvalidMarketId
        open M1                                  -> InvalidMarketId
        exchange M1 GBP cross
        exchange M1 GBP                          -> NotAllowed
        order R2 A1 M1 back A 2.00 2.00          -> MarketNotOpen
        open M1
        order R3 A2 M1 back A 2.00 2.00          -> CurrencyUnknown
        order R4 A1 M1 back 3 2.00 2.00          -> SelectionUnknown
        order R5 A1 M1 back A 2.00 2.01          -> InvalidOdds
        order R6 A1 M1 back A 2.00               -> MarketNotOpenForBspBetting
        order R7 A1 M1 back A 2.00 2.00 at-start -> MarketNotOpenForBspBetting
        order R8 A1 M1 back A 100.01 2.00        -> FundsInsufficient
        order R9 A1 M9 back 1 2.00 2.00          -> MarketUnknown
        suspend M1
        order R10 A1 M1 back A 2.00 2.00         -> MarketSuspended
        release M1
        order R11 A1 M1 back A 2.00 2.00         -> order O1
        block A1
        order R12 A1 M1 back A 2.00 2.00         -> AccountBlocked
        # Who may not bet may take back what he asked for.
        cancel-orders R13 A1 M1 all              -> cancelled
        close M1
        order R14 A1 M1 back A 2.00 2.00         -> AccountBlocked
        unblock A1
        order R17 A1 M1 back A 2.00 2.00         -> MarketClosed
        # An exchange has no house to bet against, and the house no book.
        place R15 A2 M1/A 10.00 any              -> InvalidMarketId
        quote M2 2.00
        order R16 A1 M2 back 1 2.00 2.00         -> InvalidMarketId
        exchange M2 GBP                          -> InvalidMarketId
        market M3 Places A B C exchange winners 2
        exchange M3 GBP cross                    -> NotAllowed
        cancel M1                                -> NotAllowed
    ";

    external_wallets_and_probes_do_not_bet_on_exchanges: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        account A1 GBP wallet
        account A2 GBP probe
        order R1 A1 M1 back A 2.00 2.00          -> AccountKind
        order R2 A2 M1 back A 2.00 2.00 synthetic -> AccountKind
        fund A3 10.00
        order R3 A3 M1 back A 2.00 2.00 synthetic -> AccountKind
    ";

    an_order_of_a_version_that_is_over_lapses: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        version M1                               -> 2
        suspend M1
        release M1
        order R1 A1 M1 back A 2.00 2.00 version 2 -> order O1
        sizes O1            -> ExecutionComplete 2.00: 2.00 lapsed
        held A1 M1                               -> 0.00
        version M1                               -> 9
        order R2 A1 M1 back A 2.00 2.00 version 9 -> order O2
        sizes O2            -> Executable 2.00: 2.00 remaining
        order R3 A1 M1 back A 2.00 2.00 version 99 -> InvalidMarketVersion
        order R4 A1 M1 back A 2.00 2.00          -> order O3
        sizes O3            -> Executable 2.00: 2.00 remaining
    ";

    an_order_of_which_nothing_was_matched_makes_room_when_there_is_no_other: "
        house orders 4
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 back A 2.00 2.00          -> order O1
        order R2 A1 M1 back A 3.00 2.00          -> order O2
        order R3 A2 M1 lay A 2.00 2.00           -> order O3 matched 2.00 at 2.00
        order R4 A1 M1 back B 1.00 2.00          -> order O4
        # None of these may go: two were matched, two wait.
        order R5 A1 M1 back B 1.00 2.00          -> not sequenced: Overloaded
        cancel-orders R6 A1 M1 O4                -> cancelled 1.00 of 1
        sizes O4            -> ExecutionComplete 1.00: 1.00 cancelled
        order R7 A1 M1 back B 1.50 2.00          -> order O5
        sizes O4                                 -> Archived
        cancel-orders R8 A1 M1 O4                -> InvalidBetId
        replace-orders R9 A1 M1 O5:3.00          -> not sequenced: Overloaded
        cancel-orders R10 A1 M1 all              -> cancelled
        order R11 A1 M1 back B 1.00 1.01 kill + back B 1.00 3.00 -> order O6 and 1 more
        sizes O6            -> Expired 1.00: 1.00 lapsed
        restart
        open M1
        order R12 A2 M1 back A 1.00 2.00         -> order O8
        sizes O6                                 -> Archived
        result M1 A
        archive M1
        market M1                                -> Archived
    ";

    who_names_an_order_that_is_not_his_is_told_that_there_is_none: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 back A 2.00 2.00          -> order O1
        cancel-orders R2 A2 M1 O1                -> InvalidBetId
        cancel-orders R3 A1 M1 O9                -> InvalidBetId
        cancel-orders R4 A1 M1 O1 O1             -> DuplicateBetIds
        cancel-orders R5 A2 M1 all               -> NoActionRequired
        cancel-orders R6 A1 M1 O1                -> cancelled 2.00 of 1
        cancel-orders R7 A1 M1 O1                -> BetTakenOrLapsed
        cancel-orders R8 A1 M1 all               -> NoActionRequired
        replace-orders R9 A1 M1 O1:2.02          -> BetTakenOrLapsed
        update-orders R10 A1 M1 O1:persist       -> BetTakenOrLapsed
        order R11 A1 M1 back A 2.00 2.00         -> order O2
        replace-orders R12 A1 M1 O2:2.00         -> InvalidPriceEdit
        replace-orders R13 A1 M1 O2:2.01         -> InvalidOdds
        update-orders R14 A1 M1 O2:lapse         -> NoActionRequired
        update-orders R15 A1 M1 O2:persist       -> changed 1
        update-orders R16 A1 M1 O2:at-start      -> MarketNotOpenForBspBetting
        market M2 Race2 A B exchange
        exchange M2 GBP
        open M2
        cancel-orders R17 A1 M2 O2               -> InvalidMarketId
    ";

    one_of_several_cancels_that_is_not_possible_keeps_no_other_from_it: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        order R1 A1 M1 back A 2.00 2.00 + back B 3.00 2.00 -> order O1 and 1 more
        cancel-orders R2 A1 M1 O1 O9 O2:1.00     -> cancelled 3.00 of 2
        sizes O1            -> ExecutionComplete 2.00: 2.00 cancelled
        sizes O2            -> Executable 3.00: 2.00 remaining, 1.00 cancelled
    ";

    a_request_that_is_repeated_places_nothing_twice: "
        market M1 Race A B exchange
        exchange M1 GBP
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 back A 2.00 2.00          -> order O1
        order R1 A1 M1 back A 2.00 2.00          -> duplicate order O1, now Executable
        order R2 A2 M1 lay A 2.00 2.00           -> order O2 matched 2.00 at 2.00
        order R1 A1 M1 back A 2.00 2.00          -> duplicate order O1, now ExecutionComplete 2.00
        order R1 A1 M1 back A 3.00 2.00          -> not sequenced: RequestReused
        resolve A1 R1                            -> duplicate order O1, now ExecutionComplete 2.00
    ";
}
