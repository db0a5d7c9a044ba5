//! Accounts and their money.

scripts! {
    money_in_and_out: "
        account A7
        balance A7           -> 0.00
        deposit D1 A7 100.00 -> done
        withdraw W1 A7 30.00 -> done
        balance A7           -> 70.00
        house World GBP      -> -70.00
        withdraw W2 A7 70.01 -> FundsInsufficient
        withdraw W3 A7 70.00 -> done
        balance A7           -> 0.00
        house World GBP      -> 0.00
        withdraw W4 A7 0.01  -> FundsInsufficient
    ";

    a_bet_needs_its_whole_stake: "
        fund A7 10.00
        quote M1 2.50
        place R1 A7 M1 10.01 any -> FundsInsufficient
        place R2 A7 M1 10.00 any -> B1
        place R3 A7 M1 0.01 any  -> FundsInsufficient
        withdraw W1 A7 0.01      -> FundsInsufficient
        balance A7               -> 0.00
    ";

    an_amount_is_from_one_penny_up: "
        account A7
        deposit D1 A7 0.00     -> not sequenced: Malformed: the amount is not between
        deposit D2 A7 -5.00    -> not sequenced: Malformed: the amount is not between
        withdraw W1 A7 0.00    -> not sequenced: Malformed: the amount is not between
        deposit D3 A7 0.01     -> done
        deposit D4 A7 1000000000000000.01 -> not sequenced: Malformed: the amount is not between
    ";

    a_balance_has_a_largest_amount: "
        fund A7 1000000000000000.00
        deposit D1 A7 0.01          -> BalanceLimit
        withdraw W1 A7 0.01         -> done
        deposit D2 A7 0.01          -> done
        # Another account has its own.
        fund A8 1000000000000000.00
    ";

    an_account_is_opened_once: "
        account A7
        account A7               -> AccountExists A7
        account A8 reference 7   -> AccountExists A7
        account A8               -> done
        account A9 reference 0   -> not sequenced: Malformed: a field is outside its range
    ";

    an_account_nobody_opened_is_unknown: "
        quote M1 2.50
        deposit D1 A9 1.00       -> AccountUnknown
        withdraw W1 A9 1.00      -> AccountUnknown
        place R1 A9 M1 1.00 any  -> AccountUnknown
        block A9                 -> AccountUnknown
    ";

    a_blocked_account_stands_still_and_its_bets_stand: "
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any -> B1
        block A7
        place R2 A7 M1 10.00 any -> AccountBlocked
        deposit D1 A7 1.00       -> AccountBlocked
        withdraw W1 A7 1.00      -> AccountBlocked
        # Asking again for what was done is not doing it.
        retry A7 R1              -> duplicate B1 at 2.50
        result M1 1
        balance A7               -> 115.00
        unblock A7
        withdraw W2 A7 115.00    -> done
    ";

    two_currencies_never_meet: "
        fund A7 100.00
        fund A8 100.00 EUR
        fund A9 5000.00 JPY
        quote M1 2.50 3.00
        place R1 A7 M1 10.00 any   -> B1
        place R1 A8 M1/2 20.00 any -> B2
        place R1 A9 M1 30.00 any   -> B3
        house Escrow GBP           -> 10.00
        house Escrow EUR           -> 20.00
        house Escrow JPY           -> 30.00
        exposure M1 GBP            -> 15.00
        exposure M1 EUR            -> 40.00
        result M1 1
        balance A7                 -> 115.00
        balance A8                 -> 80.00
        balance A9                 -> 5045.00
        house House GBP            -> -15.00
        house House EUR            -> 20.00
        house House JPY            -> -45.00
        house World GBP            -> -100.00
        house World EUR            -> -100.00
    ";

    a_currency_without_room_is_unknown: "
        house currencies 2
        account A1 GBP
        account A2 EUR
        account A3 USD  -> CurrencyUnknown
        account A3 EUR  -> done
        limits USD      -> CurrencyUnknown
        restart currencies 3
        account A4 USD  -> done
    ";
}
