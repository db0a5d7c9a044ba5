//! How markets pay.

use betring_core::script;

scripts! {
    winners_are_paid_losers_are_not_and_void_stakes_go_back: "
        fund A7 100.00
        quote M1 2.50 3.00 4.00
        place R1 A7 M1/1 10.00 any -> B1 at 2.50
        place R2 A7 M1/2 10.00 any -> B2 at 3.00
        place R3 A7 M1/3 10.00 any -> B3 at 4.00
        balance A7                 -> 70.00
        result M1 1 void 3         -> started J1
        bet B1                     -> Won 25.00
        bet B2                     -> Lost
        bet B3                     -> Void 10.00
        market M1                  -> Settled
        balance A7                 -> 105.00
        house Escrow GBP           -> 0.00
        house House GBP            -> -5.00
        house Rounding GBP         -> 0.00
    ";

    an_abandoned_market_gives_every_stake_back: "
        fund A7 100.00
        quote M1 2.50 3.00
        place R1 A7 M1/1 10.00 any -> B1
        place R2 A7 M1/2 20.00 any -> B2
        result M1 void all
        bet B1                     -> Void 10.00
        bet B2                     -> Void 20.00
        balance A7                 -> 100.00
        house House GBP            -> 0.00
    ";

    a_place_market_pays_as_many_as_it_names: "
        fund A7 100.00
        market M1 place Red Amber Green winners 2
        open M1
        prices M1 1.50 2.00 3.00
        place R1 A7 M1/Red 10.00 any   -> B1
        place R2 A7 M1/Amber 10.00 any -> B2
        place R3 A7 M1/Green 10.00 any -> B3
        result M1 Red Green
        bet B1                         -> Won 15.00
        bet B2                         -> Lost
        bet B3                         -> Won 30.00
        balance A7                     -> 115.00
    ";

    a_bet_is_paid_once_for_each_version_of_the_result: "
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any -> B1
        result M1 1              -> started J1
        bet B1                   -> Won 25.00
        result M1 1              -> done
        balance A7               -> 115.00
        result M1 2              -> started J2
        bet B1                   -> Lost
        balance A7               -> 90.00
        result M1 1              -> started J3
        bet B1                   -> Won 25.00
        balance A7               -> 115.00
        house House GBP          -> -15.00
        open M1                  -> NotAllowed
        close M1                 -> NotAllowed
        quote M1 2.60            -> MarketClosed
        place R2 A7 M1 10.00 any -> MarketClosed
    ";

    a_result_names_every_selection: "
        market M1 m England Draw Scotland
        open M1
        result M1 England:win Draw:lose               -> SelectionUnknown
        result M1 England:win Draw:lose 4:lose        -> SelectionUnknown
        result M9 1                                   -> MarketUnknown
        result M1 England by nobody                   -> ActorUnknown
        market M1                                     -> Open
        result M1 Scotland:lose England:win Draw:void -> started
        market M1                                     -> Settled
    ";

    a_market_may_be_settled_before_it_opens_or_after_it_closes: "
        fund A7 100.00
        market M1 never Home Away
        result M1 Home
        market M1                -> Settled
        quote M2 2.50
        place R1 A7 M2 10.00 any -> B1
        close M2
        result M2 1
        bet B1                   -> Won 25.00
    ";

    /// Nothing waits for a settlement but the market that settles.
    other_markets_take_bets_while_one_settles: "
        house budget 2
        fund A7 100.00
        fund A8 100.00
        quote M1 2.50
        quote M2 2.00
        place R1 A7 M1 1.00 any -> B1
        place R2 A7 M1 1.00 any -> B2
        place R3 A7 M1 1.00 any -> B3
        place R4 A7 M1 1.00 any -> B4
        place R5 A7 M1 1.00 any -> B5
        manual steps
        result M1 1             -> started J1
        place R1 A8 M2 5.00 any -> B6 at 2.00
        step
        bet B1                  -> Won 2.50
        bet B2                  -> Won 2.50
        bet B3                  -> Open
        market M1               -> Settling
        place R2 A8 M2 5.00 any -> B7
        place R3 A8 M1 5.00 any -> MarketClosed
        quote M2 2.10
        step
        bet B4                  -> Won 2.50
        bet B5                  -> Open
        place R4 A8 M2 5.00 any -> B8 at 2.10
        step
        bet B5                  -> Won 2.50
        market M1               -> Settled
        balance A7              -> 107.50
        balance A8              -> 85.00
    ";

    markets_settle_in_turn: "
        house budget 1
        fund A7 100.00
        quote M1 2.00
        quote M2 2.00
        place R1 A7 M1 1.00 any -> B1
        place R2 A7 M1 1.00 any -> B2
        place R3 A7 M2 1.00 any -> B3
        place R4 A7 M2 1.00 any -> B4
        manual steps
        result M1 1             -> started J1
        result M2 1             -> started J2
        step
        bet B1                  -> Won 2.00
        bet B3                  -> Open
        step
        bet B2                  -> Open
        bet B3                  -> Won 2.00
        auto steps
        bet B2                  -> Won 2.00
        bet B4                  -> Won 2.00
    ";

    a_settlement_goes_on_after_a_restart: "
        house budget 1
        fund A7 100.00
        quote M1 2.00
        place R1 A7 M1 1.00 any -> B1
        place R2 A7 M1 1.00 any -> B2
        manual steps
        result M1 1 key K1      -> started J1
        step
        restart
        bet B1                  -> Won 2.00
        bet B2                  -> Open
        retry trader K1         -> duplicate started J1, now JobRunning
        auto steps
        tick
        bet B2                  -> Won 2.00
        retry trader K1         -> duplicate started J1, now JobEnded
        balance A7              -> 102.00
    ";

    the_events_of_a_settlement_tell_all_of_it: "
        fund A7 100.00
        quote M1 2.00
        place R1 A7 M1 1.00 any -> B1
        result M1 1             -> started J1
        events                  -> MarketChanged ResultRecorded JobStarted Answered
    ";

    a_price_quoted_as_a_fraction_pays_that_fraction: "
        fund A7 100.00
        quote M1 10/11 1/3 2/9
        place R1 A7 M1/1 11.00 any -> B1 at 1.909 (10/11) returns 21.00
        place R2 A7 M1/2 3.00 any  -> B2 at 1.3333 (1/3) returns 4.00
        place R3 A7 M1/3 9.00 any  -> B3 at 1.2222 (2/9) returns 11.00
        result M1 void 1 2 3
        balance A7                 -> 100.00
    ";
}

/// The penny's fraction goes where the house's rule says, once, when the bet is placed.
#[test]
fn every_rounding_mode_keeps_its_word() {
    //                stake  price   down    up      half-up half-even
    let rows = "
                  0.35   2.50    0.87    0.88    0.88    0.88
                  0.33   2.50    0.82    0.83    0.83    0.82
                  3.33   2.3333  7.76    7.77    7.77    7.77
                  0.01   1.0001  0.01    0.02    0.01    0.01
                  1.00   10/11   1.90    1.91    1.91    1.91
                  2.00   1/8     2.25    2.25    2.25    2.25
    ";
    let modes = ["down", "up", "half-up", "half-even"];
    let mut rounded = 0;
    for row in rows.trim().lines() {
        let cells: Vec<&str> = row.split_whitespace().collect();
        let [stake, price, returns @ ..] = cells.as_slice() else { panic!("{row}") };
        for (mode, returns) in modes.into_iter().zip(returns) {
            let report = script::check(&format!(
                "house rounding {mode}
                 fund A7 100.00
                 quote M1 {price}
                 place R1 A7 M1 {stake} any -> B1
                 result M1 1
                 bet B1                     -> Won {returns}"
            ));
            assert!(report.transcript.contains(&format!("returns {returns},")));
            rounded += 1;
        }
    }
    assert_eq!(rounded, 24);
}

/// The order in which independent markets settle changes no balance.
#[test]
fn independent_markets_settle_to_the_same_money_in_any_order() {
    let set_up = "
        house budget 3
        fund A7 100.00
        fund A8 100.00 EUR
        quote M1 2.50 3.00
        quote M2 1.80 2.10
        quote M3 10/11 4.00
        place R1 A7 M1/1 7.77 any -> B1
        place R2 A7 M2/2 3.33 any -> B2
        place R3 A7 M3/1 5.01 any -> B3
        place R1 A8 M1/2 7.77 any -> B4
        place R2 A8 M2/1 3.33 any -> B5
        place R3 A8 M3/1 5.01 any -> B6
        ";
    let results = ["result M1 1", "result M2 void 2", "result M3 1"];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let lines: Vec<&str> = order.iter().map(|at| results[*at]).collect();
        for mode in ["", "manual steps"] {
            script::check(&format!(
                "{set_up}\n{mode}\n{}\nauto steps\ntick
                 balance A7      -> 116.20
                 balance A8      -> 93.45
                 house House GBP -> -16.20
                 house House EUR -> 6.55",
                lines.join("\n")
            ));
        }
    }
}

/// The examples of a single leg that operators print: win, lose, void, at decimal and fractional prices.
#[test]
fn the_printed_examples_of_single_bets_come_out() {
    let examples = "
        # stake price  result  total return
        10.00  1/2     win     15.00
        10.00  11/4    win     37.50
        100.00 11/4    win     375.00
        10.00  4/6     win     16.66
        10.00  10/11   win     19.09
        5.00   evens   win     10.00
        10.00  2.00    lose    -
        10.00  33/1    void    10.00
        0.01   999/1   win     10.00
        25.00  1.0001  win     25.00
        10.00  100000  win     1000000.00
    ";
    for row in examples.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let cells: Vec<&str> = row.split_whitespace().collect();
        let [stake, price, result, paid] = cells.as_slice() else { panic!("{row}") };
        let price = if *price == "evens" { "1/1" } else { price };
        let said = match *result {
            "win" => format!("Won {paid}"),
            "void" => format!("Void {paid}"),
            _ => "Lost".to_owned(),
        };
        script::check(&format!(
            "house liability 100000000.00 payout 100000000.00
             fund A7 1000.00
             quote M1 {price}
             place R1 A7 M1 {stake} any -> B1
             result M1 1:{result} 2:lose
             bet B1                     -> {said}"
        ));
    }
}
