//! What once was wrong: each test is the script that showed it.

use betring_core::script::check;

scripts! {
    a_message_that_is_refused_was_heard_so_its_feed_stays_up: "
        feed F1
        market M1 first a b feed F1
        market M2 second a b feed F1
        fund A7 100.00
        prices M1 2.00 2.00
        prices M2 2.00 2.00
        recovered F1
        open M1
        open M2
        result M1 a:win b:lose
        prices M1 2.10 2.10              -> MarketClosed
        prices M2 2.10 2.10              -> done
        place R1 A7 M2 10.00 any         -> B1 at 2.10 returns 21.00
    ";

    a_source_clock_that_was_wrong_once_is_learnt_again_when_the_feed_recovers: "
        feed F1 delay 50ms
        market M1 first a b feed F1
        fund A7 100.00
        prices M1 2.00 2.00 source 0ms
        recovered F1
        open M1
        heartbeat F1 source 1h
        @1ms prices M1 2.10 2.10 source 1ms
        @1ms place R1 A7 M1 10.00 any    -> StalePrice
        gap F1
        @2ms prices M1 2.20 2.20 source 2ms
        recovered F1
        @2ms place R2 A7 M1 10.00 any    -> B1 at 2.20 returns 22.00
    ";

    a_fraction_asked_for_is_not_the_decimal_that_it_is_rounded_to: "
        fund A7 10000.00
        quote M1 1.909 2.00
        place R1 A7 M1 1100.00 10/11 exact    -> PriceMoved now 1.909
        place R2 A7 M1 1100.00 10/11 better   -> PriceMoved now 1.909
        quote M1 10/11 2.00
        place R3 A7 M1 1100.00 10/11 exact    -> B1 at 1.909 (10/11) returns 2100.00
        place R4 A7 M1 1100.00 1.909 better   -> B2 at 1.909 (10/11) returns 2100.00
    ";

    a_result_has_no_more_winners_than_its_market: "
        market M1 first a b c winners 1
        open M1
        result M1 a:win b:win c:lose     -> TooManyWinners
        result M1 a:win b:lose c:lose    -> started
    ";

    two_selections_of_a_market_do_not_have_one_name: "
        market M1 first England England -> Malformed
    ";
}

#[test]
fn customers_cannot_fill_the_table_of_keys_so_far_that_nobody_can_suspend_a_market() {
    let mut script = String::from("house keys 64\nfund A7 100.00\nquote M1 2.00\n");
    for request in 0..80 {
        script.push_str(&format!("place R{request} A7 M1 0.01 any -> anything\n"));
    }
    script.push_str("place R99 A7 M1 0.01 any -> Overloaded\n");
    script.push_str("suspend M1 -> done\nclose M1 -> done\n");
    check(&script);
}

#[test]
fn no_bet_is_taken_whose_winnings_an_account_could_not_hold() {
    let mut script = String::from(
        "house max 10000000000.00 payout 1000000000000000.00 liability 1000000000000000.00 markets 128 selections 512\naccount A7\n",
    );
    for fund in 0..100 {
        script.push_str(&format!("deposit D{fund} A7 10000000000.00\n"));
    }
    for market in 1..=94 {
        script.push_str(&format!("quote M{market} 100000 1.50\n"));
        let refused = if market < 93 { "" } else { " -> BalanceLimit" };
        script.push_str(&format!("place R{market} A7 M{market} 10000000000.00 any{refused}\n"));
    }
    check(&script);
}
