//! Line markets: every order is at 2.00, and what is traded is where the result will be. Who backs a line sells: he wins if
//! the result is below it; who lays it buys.

use betring_core::HouseRules;
use betring_core::book::Side;
use betring_core::id::{AccountId, MarketId, SelectionIndex};
use betring_core::script::Runner;
use proptest::prelude::*;

scripts! {
    a_buyer_and_a_seller_meet_at_the_line_of_who_was_there: "
        market M1 Goals U0.5 U1.5 U2.5 U3.5 exchange
        exchange M1 GBP lines
        open M1
        fund A1 100.00
        fund A2 100.00
        # Sells at 1.5 or higher, buys at 2.5 or lower.
        order R1 A1 M1 back U1.5 10.00 2.00 -> order O1
        depth M1/2 lay                             -> 2.00x10.00
        held A1 M1                                 -> 10.00
        order R2 A2 M1 lay U2.5 4.00 2.00   -> order O2 matched 4.00 at 2.00
        sizes O1               -> Executable 10.00: 4.00 matched at 2.00, 6.00 remaining
        # The buyer has the line that is better for him.
        stands A2 M1                               -> 0.00/0.00 -4.00/4.00 0.00/0.00 0.00/0.00
        stands A1 M1                               -> 0.00/0.00 4.00/-4.00 0.00/0.00 0.00/0.00
        traded M1/2                                -> 2.00x4.00
        traded M1/3                                -> none
        depth M1/2 lay                             -> 2.00x6.00
        depth M1/3 lay                             -> none
        held A1 M1                                 -> 10.00
        held A2 M1                                 -> 4.00
    ";

    who_sells_meets_the_highest_line_first_and_the_oldest_there: "
        market M1 Goals U0.5 U1.5 U2.5 U3.5 exchange
        exchange M1 GBP lines
        open M1
        fund A1 100.00
        fund A2 100.00
        fund A3 100.00
        order R1 A1 M1 lay 2 5.00 2.00             -> order O1
        order R2 A2 M1 lay 4 3.00 2.00             -> order O2
        order R3 A1 M1 lay 4 2.00 2.00             -> order O3
        order R4 A2 M1 lay 3 1.00 2.00             -> order O4
        # Too high a line for the last of them.
        order R5 A3 M1 back 3 12.00 2.00           -> order O5 matched 6.00 at 2.00
        sizes O2               -> ExecutionComplete 3.00: 3.00 matched at 2.00
        sizes O3               -> ExecutionComplete 2.00: 2.00 matched at 2.00
        sizes O4               -> ExecutionComplete 1.00: 1.00 matched at 2.00
        sizes O5               -> Executable 12.00: 6.00 matched at 2.00, 6.00 remaining
        stands A3 M1                               -> 0.00/0.00 0.00/0.00 1.00/-1.00 5.00/-5.00
        # Below 2.5 he wins all that was matched and nothing is at risk; above, what waits may be lost as well.
        held A3 M1                                 -> 12.00
        order R6 A1 M1 lay 3 1.00 2.00             -> order O6 matched 1.00 at 2.00
        stands A3 M1                               -> 0.00/0.00 0.00/0.00 2.00/-2.00 5.00/-5.00
        cancel-orders R7 A3 M1 O5                  -> cancelled 5.00 of 1
        held A3 M1                                 -> 7.00
        sizes O5               -> ExecutionComplete 12.00: 7.00 matched at 2.00, 5.00 cancelled
    ";

    a_buy_at_2_5_and_a_sell_at_4_5_cannot_both_lose: "
        market M1 Goals U2.5 U3.5 U4.5 exchange
        exchange M1 GBP lines
        open M1
        fund A1 12.00
        fund A2 100.00
        order R1 A1 M1 lay U2.5 10.00 2.00   -> order O1
        order R2 A2 M1 back U2.5 10.00 2.00  -> order O2 matched 10.00 at 2.00
        held A1 M1                                  -> 10.00
        # It waits: if it is matched, one of both wins wherever it ends.
        order R3 A1 M1 back U4.5 12.00 2.00  -> order O3
        held A1 M1                                  -> 10.00
        order R4 A2 M1 lay U4.5 12.00 2.00   -> order O4 matched 12.00 at 2.00
        # Above both the buy wins less than the sell loses.
        held A1 M1                                  -> 2.00
        held A2 M1                                  -> 22.00
        # Between them he wins both.
        result M1 U2.5:lose U3.5:win U4.5:win
        net A1 M1                                   -> 22.00
        net A2 M1                                   -> -22.00
        # Above both.
        result M1 U2.5:lose U3.5:lose U4.5:lose
        net A1 M1                                   -> -2.00
        balance A1                                  -> 10.00
    ";

    a_sell_at_2_5_and_a_buy_at_4_5_lose_both_between_them: "
        market M1 Goals U2.5 U3.5 U4.5 exchange
        exchange M1 GBP lines
        open M1
        fund A1 21.99
        fund A2 100.00
        order R1 A1 M1 back 1 10.00 2.00   -> order O1
        order R2 A1 M1 lay 3 12.00 2.00    -> FundsInsufficient
        fund A1 0.01
        # The sell is there, and would be met by his own buy.
        order R3 A1 M1 lay 3 12.00 2.00    -> order O2 lapsed 12.00
        order R4 A2 M1 lay 1 10.00 2.00    -> order O3 matched 10.00 at 2.00
        order R5 A1 M1 lay 3 12.00 2.00    -> order O4
        held A1 M1                         -> 22.00
        order R6 A2 M1 back 3 12.00 2.00   -> order O5 matched 12.00 at 2.00
        held A1 M1                         -> 22.00
        held A2 M1                         -> 2.00
        result M1 1:lose 2:lose 3:win
        net A1 M1                          -> -22.00
        net A2 M1                          -> 22.00
    ";

    exactly_on_a_line_its_bets_are_off: "
        market M1 Runs U9 U10 U11 exchange
        exchange M1 GBP lines
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 back U10 10.00 2.00 -> order O1
        order R2 A1 M1 back U11 5.00 2.00  -> order O2
        # Of one order some is matched at a line, and some at another.
        order R3 A2 M1 lay U11 15.00 2.00  -> order O3 matched 15.00 at 2.00
        result M1 U9:lose U10:void U11:win
        sizes O3                -> ExecutionComplete 15.00: 5.00 matched at 2.00, 10.00 voided
        sizes O1                -> ExecutionComplete 10.00: 10.00 voided
        net A1 M1                                 -> 5.00
        net A2 M1                                 -> -5.00
        # It was nine after all.
        result M1 U9:void U10:win U11:win
        sizes O3                -> ExecutionComplete 15.00: 15.00 matched at 2.00
        net A1 M1                                 -> 15.00
        # Or nothing counts.
        result M1 U9:void U10:void U11:void
        net A1 M1                                 -> 0.00
        balance A1                                -> 100.00
    ";

    lines_win_from_one_upwards_and_no_other_way: "
        market M1 Goals U1 U2 U3 exchange
        exchange M1 GBP lines
        open M1
        result M1 1:win 2:lose 3:lose  -> InvalidResult
        result M1 1:lose 2:win 3:lose  -> InvalidResult
        result M1 1:void 2:lose 3:lose -> InvalidResult
        result M1 1:win 2:win 3:void   -> InvalidResult
        result M1 1:lose 2:void 3:void -> InvalidResult
        result M1 1:void 2:void 3:win  -> InvalidResult
        result M1 1:lose 2:1/2 3:win   -> InvalidResult
        result M1 1:lose 2:1/2 3:1/2   -> InvalidResult
        result M1 1:win 2:win 3:win
        result M1 1:lose 2:lose 3:lose
        result M1 1:void 2:win 3:win
        result M1 1:lose 2:lose 3:void
        result M1 1:lose 2:lose 3:win
        result M1 1:void 2:void 3:void
    ";

    a_line_market_has_no_runners_no_starting_prices_and_nothing_between_its_lines: "
        market M1 Goals U1 U2 U3 exchange
        exchange M1 GBP lines cross           -> not sequenced: Malformed: a flag is set that has no meaning
        exchange M1 GBP lines starting-prices -> not sequenced: Malformed: a flag is set that has no meaning
        exchange M1 GBP lines places          -> not sequenced: Malformed: a flag is set that has no meaning
        exchange M1 GBP lines ladder betdaq   -> not sequenced: Malformed: a flag is set that has no meaning
        market M2 Others U1 U2 U3 exchange winners 2
        exchange M2 GBP lines                 -> NotAllowed
        suspend M1/2
        exchange M1 GBP lines                 -> NotAllowed
        release M1/2
        exchange M1 GBP lines passive
        open M1
        fund A1 100.00
        # Lines are suspended together: who bets on one may be matched at another.
        suspend M1/2                -> NotAllowed
        suspend M1
        order R1 A1 M1 back 1 2.00 2.00       -> MarketSuspended
        release M1
        non-runner M1 1                       -> NotAllowed
        non-runner M1 2 factor 10%            -> NotAllowed
        order R2 A1 M1 back 1 2.00 2.02       -> InvalidOdds
        order R3 A1 M1 back 1 2.00 1.99       -> InvalidOdds
        order R4 A1 M1 back 4 2.00 2.00       -> SelectionUnknown
        order R5 A1 M1 back 1 2.00            -> MarketNotOpenForBspBetting
        order R6 A1 M1 back 1 2.00 2.00 on-close -> MarketNotOpenForBspBetting
        order R7 A1 M1 back 1 2.00 2.00 at-start -> MarketNotOpenForBspBetting
        order R8 A1 M1 back 1 2.00 2.00       -> order O1
        update-orders R9 A1 M1 O1:at-start    -> MarketNotOpenForBspBetting
        # Another line is another order.
        replace-orders R10 A1 M1 O1:2.00      -> InvalidPriceEdit
        replace-orders R11 A1 M1 O1:2.02      -> InvalidOdds
        cancel-orders R12 A1 M1 O1            -> cancelled 2.00 of 1
        order R13 A1 M1 back 2 2.00 2.00      -> order O2
        starting M1/1                         -> none
        virtual M1/1 back                     -> none
    ";

    at_even_money_a_payout_is_twice_a_profit: "
        market M1 Goals U1 U2 exchange
        exchange M1 GBP lines min 2.00 min-payout 3.00
        open M1
        fund A1 100.00
        order R1 A1 M1 back 1 20.00 2.00 payout -> order O1
        sizes O1                     -> Executable 10.00: 10.00 remaining
        order R2 A1 M1 back 2 20.00 2.00 profit -> order O2
        sizes O2                     -> Executable 20.00: 20.00 remaining
        order R3 A1 M1 back 1 1.49 2.00         -> InvalidBetSize
        order R4 A1 M1 back 1 1.50 2.00         -> order O3
        held A1 M1                              -> 31.50
    ";

    what_is_to_be_filled_at_once_is_at_its_line_or_better: "
        market M1 Goals U1 U2 U3 exchange
        exchange M1 GBP lines
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 back 1 5.00 2.00           -> order O1
        order R2 A1 M1 back 3 5.00 2.00           -> order O2
        # No better line makes a worse one good: all are at one price.
        order R3 A2 M1 lay 2 8.00 2.00 kill       -> order O3 lapsed 8.00
        order R4 A2 M1 lay 2 8.00 2.00 kill least 5.00 -> order O4 matched 5.00 at 2.00 lapsed 3.00
        order R5 A2 M1 lay 3 2.00 2.00 not-better -> order O5 matched 2.00 at 2.00
        order R6 A1 M1 back 2 2.00 2.00           -> order O6
        order R7 A2 M1 lay 3 2.00 2.00 not-better -> order O7 lapsed 2.00
        order R8 A1 M1 lay 3 2.00 2.00            -> order O8 lapsed 2.00
        order R9 A1 M1 lay 3 2.00 2.00 self cancel-maker -> order O9
        sizes O6                -> ExecutionComplete 2.00: 2.00 lapsed
        sizes O2                -> ExecutionComplete 5.00: 2.00 matched at 2.00, 3.00 lapsed
    ";

    a_line_market_in_play_delays_and_lapses_as_any_other: "
        market M1 Goals U1 U2 U3 exchange
        exchange M1 GBP lines passive
        open M1
        fund A1 100.00
        fund A2 100.00
        order R1 A1 M1 back 2 5.00 2.00           -> order O1
        order R2 A1 M1 back 2 5.00 2.00 persist   -> order O2
        in-play M1 5s
        sizes O1                -> ExecutionComplete 5.00: 5.00 lapsed
        # It meets nobody, and waits for nobody.
        order R3 A2 M1 lay 1 5.00 2.00            -> order O3
        order R4 A2 M1 lay 3 5.00 2.00            -> order O4, until @5s
        held A2 M1                                -> 10.00
        @5s
        sizes O4                -> ExecutionComplete 5.00: 5.00 matched at 2.00
        stands A2 M1                              -> 0.00/0.00 -5.00/5.00 0.00/0.00
    ";

    a_settled_line_market_leaves_nothing_but_commission: "
        market M1 Goals U1 U2 U3 exchange
        exchange M1 GBP lines commission 5%
        open M1
        fund A1 100.00
        fund A2 100.00
        fund A3 100.00
        order R1 A1 M1 back 1 7.00 2.00 + back 2 7.00 2.00 + back 3 7.00 2.00 -> order
        order R2 A2 M1 lay 3 17.00 2.00           -> order O4 matched 17.00 at 2.00
        order R3 A3 M1 lay 3 9.00 2.00            -> order O5 matched 4.00 at 2.00
        order R4 A2 M1 back 1 5.00 2.00           -> order O6 matched 5.00 at 2.00
        result M1 1:lose 2:win 3:win
        net A1 M1                                 -> 7.00 less 0.35
        # Won at 1, lost at 2 and 3; and what he sold at 3 won.
        net A2 M1                                 -> 2.00 less 0.10
        net A3 M1                                 -> -9.00
        cleared M1                                -> 0.00 and 0.00
        house Commission GBP                      -> 0.45
        house Clearing GBP                        -> 0.00
        rollback M1
        house Commission GBP                      -> 0.00
        net A1 M1                                 -> none
        held A3 M1                                -> 9.00
        result M1 1:win 2:win 3:win
        net A3 M1                                 -> -9.00
        archive M1
    ";
}

/// An order that waits, or a bet: whose, on which line, which way, how much.
#[derive(Clone, Copy)]
struct Bet {
    account: usize,
    line: usize,
    side: Side,
    stake: i64,
}

impl Bet {
    /// What it brings if the result is so: the lines from `first` up have won, those below have lost, but for one on which
    /// it may be exactly.
    fn brings(&self, first: usize, push: bool) -> i64 {
        let below = match self.line.cmp(&first) {
            std::cmp::Ordering::Equal if push => return 0,
            std::cmp::Ordering::Less => false,
            _ => true,
        };
        if below == (self.side == Side::Back) { self.stake } else { -self.stake }
    }
}

/// A line market as somebody would keep it on paper.
#[derive(Default)]
struct Paper {
    /// Oldest first.
    waiting: Vec<Bet>,
    matched: Vec<Bet>,
}

impl Paper {
    fn order(&mut self, mut order: Bet) {
        while 0 < order.stake {
            let good = |other: &Bet| match order.side {
                Side::Back => order.line <= other.line,
                Side::Lay => other.line <= order.line,
            };
            let meets = self.waiting.iter().enumerate();
            let meets = meets.filter(|(_, other)| other.side != order.side && good(other));
            // The first of the best ones.
            let best = match order.side {
                Side::Back => meets.rev().max_by_key(|(_, other)| other.line),
                Side::Lay => meets.min_by_key(|(_, other)| other.line),
            };
            let Some((at, &maker)) = best else { return self.waiting.push(order) };
            if maker.account == order.account {
                return;
            }
            let stake = order.stake.min(maker.stake);
            self.matched.push(Bet { stake, ..maker });
            self.matched.push(Bet { stake, line: maker.line, ..order });
            order.stake -= stake;
            self.waiting[at].stake -= stake;
            self.waiting.retain(|waits| waits.stake != 0);
        }
    }

    /// The worst of all results for an account, of what was matched and of what waits if it is lost.
    fn worst(&self, account: usize, lines: usize) -> i64 {
        let own = |bet: &&Bet| bet.account == account;
        let of = |first: usize, push: bool| {
            let has: i64 = self.matched.iter().filter(own).map(|bet| bet.brings(first, push)).sum();
            let may = self.waiting.iter().filter(own).map(|bet| bet.brings(first, push).min(0));
            has + may.sum::<i64>()
        };
        let between = (0..=lines).map(|first| of(first, false));
        let on_one = (0..lines).map(|line| of(line, true));
        -between.chain(on_one).min().unwrap_or(0).min(0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(64)))]

    #[test]
    fn what_is_held_is_the_worst_of_all_results_and_what_is_paid_is_the_one(
        lines in 2_usize..=6,
        orders in prop::collection::vec((0_usize..3, 0_usize..6, any::<bool>(), 1_i64..2_000), 1..60),
        first in 0_usize..=6,
        push in any::<bool>(),
    ) {
        let mut runner = Runner::new(HouseRules);
        let line = |runner: &mut Runner<HouseRules>, text: String| {
            runner.line(&text).map(|_| ()).unwrap_or_else(|failure| panic!("{failure}"));
        };
        let names: Vec<String> = (0..lines).map(|at| format!("U{at}.5")).collect();
        line(&mut runner, format!("market M1 Goals {} exchange", names.join(" ")));
        line(&mut runner, "exchange M1 GBP lines commission 2%".to_owned());
        line(&mut runner, "open M1".to_owned());
        for account in 1..=3 {
            line(&mut runner, format!("fund A{account} 10000.00"));
        }
        let market = MarketId::new(0, 1);
        let mut paper = Paper::default();
        for (number, (account, at, backs, stake)) in orders.into_iter().enumerate() {
            let (at, side) = (at % lines, if backs { Side::Back } else { Side::Lay });
            let word = if backs { "back" } else { "lay" };
            let size = format!("{}.{:02}", stake / 100, stake % 100);
            let order = format!("order R{number} A{} M1 {word} {} {size} 2.00", account + 1, at + 1);
            line(&mut runner, format!("{order} -> order"));
            paper.order(Bet { account, line: at, side, stake });
            for account in 0..3 {
                let position = runner.state().expect("begun").position(AccountId::new(account as u32, 1), market);
                let held = position.map_or(0, |position| position.held.0);
                prop_assert_eq!(held, paper.worst(account, lines), "A{}", account + 1);
            }
        }
        let state = runner.state().expect("begun");
        for at in 0..lines {
            let sold = paper.matched.iter().filter(|bet| bet.line == at && bet.side == Side::Back);
            let volume: i64 = state.traded(market, SelectionIndex(at as u16)).map(|(_, sum)| sum.0).sum();
            prop_assert_eq!(volume, sold.map(|bet| bet.stake).sum::<i64>());
        }
        let (first, push) = (first.min(lines), push && first < lines);
        let became = |at: usize| match at.cmp(&first) {
            std::cmp::Ordering::Less => "lose",
            std::cmp::Ordering::Equal if push => "void",
            _ => "win",
        };
        let result: Vec<String> = (0..lines).map(|at| format!("{}:{}", at + 1, became(at))).collect();
        line(&mut runner, format!("result M1 {}", result.join(" ")));
        for account in 0..3 {
            let position = runner.state().expect("begun").position(AccountId::new(account as u32, 1), market);
            let net = position.and_then(|position| position.settled).map_or(0, |(net, _)| net.0);
            let own = paper.matched.iter().filter(|bet| bet.account == account);
            prop_assert_eq!(net, own.map(|bet| bet.brings(first, push)).sum::<i64>());
        }
        // It goes through a snapshot and is replayed to the same.
        runner.finish().expect("it replays to the same");
    }
}
