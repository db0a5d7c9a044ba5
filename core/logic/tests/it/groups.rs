//! Two feeds for a group of markets: which one is in force, whose suspension counts, and what a switch does.

use betring_core::event::{Event, EventReader};
use betring_core::script;

scripts! {
    a_market_of_a_group_is_priced_by_the_feed_that_drives: "
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        recovered F2
        group G1 F1 F2
        group G1 F2 F1                    -> NameTaken G1
        market M1 cup Home Away group G1 bound 1h
        open M1
        prices M1 2.50
        place R1 A7 M1 1.00 any           -> B1 at 2.50
        # The backup is kept beside it, and changes nothing in force.
        prices M1 2.40 3.20 feed F2
        price M1                          -> 2.50
        price M1 F2                       -> 2.40
        place R2 A7 M1 1.00 any           -> B2 at 2.50
        place R3 A7 M1/Away 1.00 any      -> NoPrice
        # The primary is gone: its markets wait, until somebody switches.
        gap F1
        place R4 A7 M1 1.00 any           -> FeedDown
        switch G1 backup
        group G1                          -> Backup
        place R5 A7 M1 1.00 any           -> B3 at 2.40
        place R6 A7 M1/Away 1.00 any      -> B4 at 3.20
        # It comes back: still the backup drives, until somebody switches.
        prices M1 2.60 3.10
        recovered F1
        place R7 A7 M1 1.00 any           -> B5 at 2.40
        switch G1 backup                  -> NotAllowed
        switch G1 primary
        place R8 A7 M1 1.00 any           -> B6 at 2.60
    ";

    only_groups_of_known_feeds_and_markets_of_their_primary: "
        feed F1
        feed F2
        group G1 F1 F9                    -> FeedUnknown
        group G1 F9 F2                    -> FeedUnknown
        group G1 F1 F2
        switch G9 backup                  -> GroupUnknown
        market M1 cup Home Away feed F1 group G9 -> GroupUnknown
        market M1 cup Home Away feed F2 group G1 -> FeedMismatch
        market M1 cup Home Away feed manual group G1 -> FeedMismatch
        market M1 cup Home Away group G1
        prices M1 2.50 feed manual        -> FeedMismatch
        feed F3
        prices M1 2.50 feed F3            -> FeedMismatch
        group G9                          -> unknown
    ";

    there_are_only_so_many_groups: "
        house groups 1
        feed F1
        feed F2
        group G1 F1 F2
        group G2 F1 F2                    -> Full
        restart groups 2
        group G2 F2 F1
        group G1                          -> Primary
    ";

    a_switch_withdraws_what_was_offered_and_what_waits: "
        house on-failure offer ttl 1m
        rules usual refer 1000% refer-ttl 1m on-failure offer ttl 1m
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        recovered F2
        group G1 F1 F2
        market M1 one Home Away group G1 bound 1h
        market M2 two Home Away group G1 bound 1h
        market M3 three Home Away feed F1 bound 1h
        open M1
        open M2
        open M3
        prices M1 2.50
        prices M1 2.50 feed F2
        prices M2 2.00
        prices M3 3.00
        limits M2 GBP max 0.50
        place R1 A7 M1 1.00 2.60          -> offer B1
        place R2 A7 M2 1.00 any           -> pending B2
        place R3 A7 M3 1.00 3.10          -> offer B3
        in-play M1 5s
        place R4 A7 M1 1.00 any           -> pending B4
        switch G1 backup
        # To the same price, even: the customer agreed to another feed's.
        accept R5 A7 B1                   -> OfferWithdrawn
        referral B2 accept                -> OfferWithdrawn
        # A market that has only the primary is none of the group's.
        accept R6 A7 B3                   -> B3
        @+5s
        bet B4                            -> Rejected
        @+1m
        bet B1                            -> OfferEnded
        bet B2                            -> Rejected
        balance A7                        -> 99.00
    ";

    a_switch_to_a_feed_that_is_down_stops_its_markets: "
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        group G1 F1 F2
        market M1 cup Home Away group G1 bound 1h
        open M1
        prices M1 2.50
        place R1 A7 M1 1.00 any           -> B1
        switch G1 backup
        place R2 A7 M1 1.00 any           -> FeedDown
        recovered F2
        place R3 A7 M1 1.00 any           -> NoPrice
        prices M1 2.40 feed F2
        place R4 A7 M1 1.00 any           -> B2 at 2.40
    ";

    a_market_listens_to_the_feed_that_drives_it_not_to_the_other: "
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        recovered F2
        group G1 F1 F2
        fixture X1
        market M1 cup Home Away group G1 fixture X1 bound 1h
        open M1
        prices M1 2.50
        prices M1 2.40 feed F2
        # The backup thinks that a goal was scored. It does not drive.
        suspend M1 backup
        suspend X1 backup
        suspend M1/Home backup
        suspend G1 backup
        place R1 A7 M1 1.00 any           -> B1
        # It drives: now it is listened to, and the primary is not.
        suspend M1 feed
        place R2 A7 M1 1.00 any           -> MarketSuspended
        switch G1 backup
        place R3 A7 M1 1.00 any           -> MarketSuspended
        release M1 backup
        place R4 A7 M1 1.00 any           -> MarketSuspended
        release X1 backup
        place R5 A7 M1 1.00 any           -> MarketSuspended
        release M1/Home backup
        place R6 A7 M1 1.00 any           -> MarketSuspended
        release G1 backup
        place R7 A7 M1 1.00 any           -> B2 at 2.40
        # What the primary said of a goal it has to take back itself.
        switch G1 primary
        place R8 A7 M1 1.00 any           -> MarketSuspended
        release M1 feed
        place R9 A7 M1 1.00 any           -> B3 at 2.50
    ";

    a_feed_that_reopens_undoes_neither_the_others_suspension_nor_a_persons: "
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        recovered F2
        group G1 F1 F2
        market M1 cup Home Away group G1 bound 1h
        open M1
        prices M1 2.50
        prices M1 2.50 feed F2
        # A goal: both feeds say so, and a trader.
        suspend M1 feed
        suspend M1 backup
        suspend M1 trader
        suspend M1/Home governor
        # The primary is the first to open again.
        release M1 feed
        place R1 A7 M1 1.00 any           -> MarketSuspended
        switch G1 backup
        release M1 trader
        release M1/Home governor
        # The backup still says that it is a goal.
        place R2 A7 M1 1.00 any           -> MarketSuspended
        release M1 backup
        place R3 A7 M1 1.00 any           -> B1
    ";

    without_a_group_both_owners_count: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1
        open M1
        prices M1 2.50
        suspend M1 backup
        place R1 A7 M1 1.00 any           -> MarketSuspended
        release M1 backup
        suspend F1 backup
        place R2 A7 M1 1.00 any           -> MarketSuspended
    ";

    the_level_of_a_feed_is_that_of_the_one_that_drives: "
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        recovered F2
        group G1 F1 F2
        market M1 cup Home Away group G1 bound 1h
        open M1
        prices M1 2.50
        prices M1 2.40 feed F2
        place R1 A7 M1 1.00 any           -> B1
        suspend F2 trader
        freeze F2 trader
        place R2 A7 M1 1.00 any           -> B2
        value B1                          -> 1.00
        switch G1 backup
        place R3 A7 M1 1.00 any           -> MarketSuspended
        release F2 trader
        value B1                          -> CashOutFrozen
        unfreeze F2 trader
        value B1                          -> 1.04
    ";

    a_groups_cash_outs_are_frozen_together: "
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        recovered F2
        group G1 F1 F2
        market M1 one Home Away group G1 bound 1h
        market M2 two Home Away feed F1 bound 1h
        open M1
        open M2
        prices M1 2.50
        prices M2 2.50
        place R1 A7 M1 1.00 any           -> B1
        place R2 A7 M2 1.00 any           -> B2
        freeze G1 backup
        value B1                          -> 1.00
        freeze G1
        value B1                          -> CashOutFrozen
        value B2                          -> 1.00
        place R3 A7 M1 1.00 any           -> B3
        unfreeze G1
        value B1                          -> 1.00
    ";

    the_age_of_a_price_is_that_of_the_driving_feeds_quote: "
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        recovered F2
        group G1 F1 F2
        market M1 cup Home Away group G1 bound 1s
        open M1
        prices M1 2.50
        @1s prices M1 2.40 feed F2
        @1.5s heartbeat F2
        place R1 A7 M1 1.00 any           -> StalePrice 1.5s old
        switch G1 backup
        place R2 A7 M1 1.00 any           -> B1 at 2.40 returns 2.40, 0ns old
        @2.5s heartbeat F1
        @2.5s+1ns place R3 A7 M1 1.00 any -> StalePrice
    ";

    a_group_goes_on_after_a_restart_as_it_was: "
        fund A7 100.00
        feed F1
        feed F2
        recovered F1
        recovered F2
        group G1 F1 F2
        market M1 cup Home Away group G1 bound 1h
        open M1
        prices M1 2.50
        prices M1 2.40 feed F2
        switch G1 backup
        suspend G1 governor
        restart
        group G1                          -> Backup
        recovered F2
        place R1 A7 M1 1.00 any           -> MarketSuspended
        release G1 governor
        place R2 A7 M1 1.00 any           -> B1 at 2.40
    ";
}

/// A switch of a group with many markets is one event: nothing is told of any of them.
#[test]
fn a_switch_is_told_once_however_many_markets_there_are() {
    let mut text =
        "feed F1\nfeed F2\nrecovered F1\nrecovered F2\ngroup G1 F1 F2\nfund A7 9.00\n".to_owned();
    for market in 1..=30 {
        text += &format!("market M{market} m{market} a b group G1\nopen M{market}\n");
        text += &format!("prices M{market} 2.00\nprices M{market} 3.00 feed F2\n");
    }
    text += "switch G1 backup\nevents -> FeedSwitched Answered\n";
    text += "place R1 A7 M1 1.00 any -> B1 at 3.00\nplace R2 A7 M30 1.00 any -> B2 at 3.00\n";
    script::check(&text);
}

/// The evidence of a bet names the feed that priced it.
#[test]
fn a_bet_is_bound_to_the_feed_that_drove() {
    let report = script::check(
        "fund A7 100.00
         feed F1
         feed F2
         recovered F1
         recovered F2
         group G1 F1 F2
         market M1 one Home Away group G1 bound 1h
         market M2 two Home Away group G1 bound 1h
         open M1
         open M2
         prices M1 2.50
         prices M2 2.50
         prices M1 2.40 feed F2
         prices M2 2.40 feed F2
         place R1 A7 M1 1.00 any -> B1 at 2.50
         switch G1 backup
         place R2 A7 M1 1.00 any -> B2 at 2.40
         ticket R3 A7 double 1.00 M1 M2 any -> B3
         pin M1/Home 2.45
         place R4 A7 M1 1.00 any -> B4 at 2.45",
    );
    let mut feeds = Vec::new();
    for record in &report.records {
        for event in EventReader::new(&record.events) {
            match event.unwrap() {
                Event::BetOpened(event) => feeds.push(event.feed.0),
                Event::LegBound(event) => feeds.push(event.feed.0),
                _ => (),
            }
        }
    }
    assert_eq!(feeds, [1, 2, 2, 2, 0], "the primary, the backup, both legs, a trader");
}
