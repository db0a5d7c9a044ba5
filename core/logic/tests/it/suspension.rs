//! Who may stop bets, at which level, and who has to let them in again.

use betring_core::script;

const SET_UP: &str = "
    feed F1
    feed F2
    recovered F1
    group G1 F1 F2
    fixture X1 starts 1h
    market M1 cup Home Away group G1 fixture X1
    open M1
    fund A7 100.00
    prices M1 2.50 3.00
    ";

/// Those that a market priced by its primary listens to.
const OWNERS: [&str; 4] = ["feed", "trader", "governor", "engine"];
const LEVELS: [&str; 6] = ["M1/Home", "M1", "X1", "G1", "F1", "all"];

/// A market opens when every owner has released it, at every level.
#[test]
fn every_owner_at_every_level_has_to_release() {
    for level in LEVELS {
        // A selection is the engine's own to suspend: nobody does it in its name.
        let owners =
            OWNERS.into_iter().filter(|owner| !(level.contains('/') && *owner == "engine"));
        for first in owners.clone() {
            for second in owners.clone().filter(|second| *second != first) {
                script::check(&format!(
                    "{SET_UP}
                     suspend {level} {first}
                     suspend {level} {second}
                     place R1 A7 M1 1.00 any -> MarketSuspended
                     release {level} {first}
                     place R2 A7 M1 1.00 any -> MarketSuspended
                     release {level} {second}
                     place R3 A7 M1 1.00 any -> B1 at 2.50"
                ));
            }
        }
    }
}

/// The strictest level wins, whoever holds it.
#[test]
fn every_level_has_to_be_released() {
    for one in LEVELS {
        for other in LEVELS.into_iter().filter(|other| *other != one) {
            script::check(&format!(
                "{SET_UP}
                 suspend {one}
                 suspend {other} feed
                 release {one}
                 place R1 A7 M1 1.00 any -> MarketSuspended
                 # It is not held there by this owner.
                 release {one} feed
                 release {other} trader
                 place R2 A7 M1 1.00 any -> MarketSuspended
                 release {other} feed
                 place R3 A7 M1 1.00 any -> B1"
            ));
        }
    }
}

scripts! {
    a_suspension_is_held_once_by_an_owner: "
        fund A7 100.00
        quote M1 2.50
        suspend M1
        suspend M1
        release M1
        place R1 A7 M1 1.00 any -> B1
        # To release what is not held is nothing.
        release M1 governor     -> done
    ";

    a_suspension_does_not_close_and_an_open_does_not_release: "
        fund A7 100.00
        quote M1 2.50
        suspend M1
        market M1               -> Open
        open M1
        place R1 A7 M1 1.00 any -> MarketSuspended
        quote M1 2.40
        release M1
        place R2 A7 M1 1.00 any -> B1 at 2.40
    ";

    prices_move_while_a_market_is_suspended: "
        fund A7 100.00
        quote M1 2.50
        suspend M1
        quote M1 2.00
        release M1
        place R1 A7 M1 1.00 2.50 -> PriceMoved now 2.00
    ";

    a_suspension_survives_a_restart: "
        fund A7 100.00
        quote M1 2.50
        suspend M1 governor
        restart
        open M1
        place R1 A7 M1 1.00 any -> MarketSuspended
        release M1 governor
        place R2 A7 M1 1.00 any -> B1
    ";

    only_what_exists_can_be_suspended: "
        suspend M9 -> MarketUnknown
        suspend X9 -> FixtureUnknown
        suspend F9 -> FeedUnknown
        release M9 -> MarketUnknown
        release X9 -> FixtureUnknown
        release F9 -> FeedUnknown
        suspend G9 -> GroupUnknown
        release G9 -> GroupUnknown
        suspend M9/1 -> MarketUnknown
        quote M1 2.50
        suspend M1/9 -> SelectionUnknown
        freeze G9  -> GroupUnknown
        # Prices set by a person have no feed that could be suspended.
        suspend manual -> FeedUnknown
        suspend M9 by nobody -> ActorUnknown
    ";

    a_fixture_carries_all_its_markets: "
        fund A7 100.00
        fixture X1
        fixture X1 -> NameTaken
        fixture X2
        market M1 one Home Away fixture X1
        market M2 two Home Away fixture X1
        market M3 three Home Away fixture X2
        market M4 four Home Away fixture X9 -> FixtureUnknown
        open M1
        open M2
        open M3
        prices M1 2.00
        prices M2 2.00
        prices M3 2.00
        suspend X1
        place R1 A7 M1 1.00 any -> MarketSuspended
        place R2 A7 M2 1.00 any -> MarketSuspended
        place R3 A7 M3 1.00 any -> B1
    ";

    a_non_runner_takes_no_bets_until_it_runs_again: "
        fund A7 100.00
        quote M1 2.50 3.00 4.00
        non-runner M1 2
        place R1 A7 M1/2 1.00 any -> SelectionWithdrawn
        place R2 A7 M1/1 1.00 any -> B1
        runner M1 2
        place R3 A7 M1/2 1.00 any -> B2
        non-runner M1 4           -> SelectionUnknown
        non-runner M9 1           -> MarketUnknown
        result M1 1
        non-runner M1 2           -> NotAllowed
    ";

    a_non_runners_bets_are_out_of_the_exposure: "
        fund A7 100.00
        quote M1 2.50 3.00 4.00
        place R1 A7 M1/1 10.00 any -> B1
        place R2 A7 M1/2 10.00 any -> B2
        exposure M1 GBP            -> 10.00
        # Its stake goes back whatever happens, so it no longer pays for the other.
        non-runner M1 2
        exposure M1 GBP            -> 15.00
        runner M1 2
        exposure M1 GBP            -> 10.00
        non-runner M1 1
        exposure M1 GBP            -> 20.00
        non-runner M1 1
        exposure M1 GBP            -> 20.00
        result M1 2 void 1
        house House GBP            -> -20.00
        bet B1                     -> Void 10.00
        exposure M1 GBP            -> 0.00
    ";

    a_suspended_market_settles_all_the_same: "
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any -> B1
        suspend M1
        suspend all engine
        result M1 1
        bet B1                   -> Won 25.00
    ";

    a_selection_is_suspended_alone: "
        fund A7 100.00
        quote M1 2.50 3.00
        quote M2 2.00
        place R1 A7 M1/2 1.00 any         -> B1
        suspend M1/2
        place R2 A7 M1/2 1.00 any         -> MarketSuspended
        place R3 A7 M1/1 1.00 any         -> B2
        ticket R4 A7 double 1.00 M1/2 M2 any -> MarketSuspended
        # Nothing is bought back at a price that nobody may bet at.
        value B1                          -> CashOutFrozen
        value B2                          -> 1.00
        release M1/2
        place R5 A7 M1/2 1.00 any         -> B3
    ";

    a_suspended_selection_ends_the_offers_on_it: "
        house on-failure offer
        fund A7 100.00
        quote M1 2.50 3.00
        place R1 A7 M1/1 1.00 2.60        -> offer B1
        place R2 A7 M1/2 1.00 3.10        -> offer B2
        suspend M1/2
        release M1/2
        accept R3 A7 B2                   -> OfferWithdrawn
        accept R4 A7 B1                   -> B1
    ";

    a_new_market_has_no_suspended_selection: "
        house selections 2 markets 1
        fund A7 100.00
        quote M1 2.50
        suspend M1/1
        suspend M1/2 governor
        result M1 1
        archive M1
        market M2 next a b
        open M2
        prices M2 2.00
        place R1 A7 M2 1.00 any           -> B1
    ";
}
