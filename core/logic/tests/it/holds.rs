//! Bets of an external wallet: its stake is held there before they are bets here.

use betring_core::answer::Basis;
use betring_core::command::HoldBind;
use betring_core::event::{Event, EventReader};
use betring_core::script::{self, Runner};
use betring_core::{BetFacts, BetState, HouseRules, Rules, Ruling};
use betring_pricing::Stake;
use proptest::prelude::*;

scripts! {
    a_wallets_bet_opens_when_its_stake_is_held_and_what_it_wins_goes_there: "
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 2.50 -> pending B1 until @5s, Wallet
        events                    -> BetPending HoldRequested Answered
        bet B1                    -> Held
        house Escrow GBP          -> 0.00
        retry A7 R1               -> duplicate pending B1 until @5s, Wallet, now Held
        @1s confirm B1 10.00 reference 7 -> done
        events                    -> HoldConfirmed Transfer Transfer BetOpened Answered
        bet B1                    -> Open
        retry A7 R1               -> duplicate pending B1, now Open
        balance A7                -> 0.00
        house Escrow GBP          -> 10.00
        house World GBP           -> -10.00
        exposure M1 GBP           -> 15.00
        result M1 1
        bet B1                    -> Won 25.00
        balance A7                -> 0.00
        house World GBP           -> 15.00
        house House GBP           -> -15.00
    ";

    a_confirmation_counts_up_to_the_last_moment_and_not_after_it: "
        manual steps
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1 until @5s, Wallet
        place R2 A7 M1 10.00 any  -> pending B2 until @5s, Wallet
        @5s confirm B1 10.00      -> done
        bet B1                    -> Open
        # No timer has fired, and none needs to.
        @5s+1ns confirm B2 10.00  -> HoldEnded
        bet B2                    -> Held
        auto steps
        bet B2                    -> Rejected
        confirm B2 10.00          -> HoldEnded
        house World GBP           -> -10.00
        retry A7 R2               -> duplicate pending B2, now Rejected
    ";

    a_wallet_that_does_not_answer_in_time_has_no_bet: "
        rules set hold-ttl 2s hold place
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1 until @2s, Wallet
        exposure M1 GBP           -> 15.00
        @2s bet B1                -> Held
        @2s+1ns bet B1            -> Rejected
        exposure M1 GBP           -> 0.00
        customer A7               -> 0.00
        house World GBP           -> 0.00
    ";

    a_hold_is_confirmed_whole_and_once: "
        account A7 wallet
        fund A8 10.00
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1
        confirm B1 9.99           -> HoldAmount 10.00
        confirm B1 10.01          -> HoldAmount 10.00
        bet B1                    -> Held
        confirm B1 10.00 reference 7 by nobody -> ActorUnknown
        confirm B1 10.00 reference 7 -> done
        confirm B1 10.00 reference 7 -> done
        events                    -> Answered
        confirm B1 10.00 reference 8 -> HoldEnded
        confirm B1 9.99 reference 7  -> HoldEnded
        release-hold B1           -> NotAllowed
        house Escrow GBP          -> 10.00
        # It is the same confirmation after the bet is over, too.
        result M1 2
        confirm B1 10.00 reference 7 -> done
        archive M1
        confirm B1 10.00 reference 7 -> HoldUnknown
    ";

    a_hold_of_a_stranger_is_none: "
        fund A8 10.00
        quote M1 2.50
        place R1 A8 M1 10.00 any  -> B1
        confirm B1 10.00          -> HoldUnknown
        confirm B9 10.00          -> HoldUnknown
        release-hold B1           -> HoldUnknown
        release-hold B9           -> HoldUnknown
    ";

    what_a_wallet_lets_go_of_is_no_bet_and_stays_none: "
        rules set hold place
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1
        customer A7               -> 15.00
        release-hold B1           -> done
        events                    -> BetRejected HoldEnded Answered
        bet B1                    -> Rejected
        customer A7               -> 0.00
        exposure M1 GBP           -> 0.00
        release-hold B1           -> done
        events                    -> Answered
        confirm B1 10.00          -> HoldEnded
        house World GBP           -> 0.00
    ";

    a_bet_bound_when_placed_opens_whatever_happened_since: "
        rules set hold place hold-ttl 1m
        feed F1 silence 10s
        recovered F1
        market M1 cup Home Away feed F1 bound 2s
        open M1
        prices M1 2.50 1.50
        account A7 wallet
        place R1 A7 M1 10.00 2.50 -> pending B1 until @60s, Wallet
        place R2 A7 M1 20.00 2.50 -> pending B2
        exposure M1 GBP           -> 45.00
        @1s prices M1 1.20 4.00
        suspend M1
        factor M1 0%
        block A7
        @20s confirm B1 10.00     -> done
        bet B1                    -> Open
        # Counted once.
        exposure M1 GBP           -> 45.00
        customer A7               -> 45.00
        close M1
        restart
        @59s confirm B2 20.00     -> done
        bet B2                    -> Open
        exposure M1 GBP           -> 45.00
        result M1 Home
        bet B1                    -> Won 25.00
        house House GBP           -> -45.00
    ";

    a_bet_bound_when_confirmed_takes_the_price_of_then: "
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 2.40 better -> pending B1
        exposure M1 GBP           -> 0.00
        customer A7               -> 0.00
        @1s quote M1 2.60
        @2s confirm B1 10.00
        exposure M1 GBP           -> 16.00
        place R2 A7 M1 10.00 2.60 -> pending B2
        @3s quote M1 2.55
        # It moved, and the customer did not agree to that.
        @4s confirm B2 10.00      -> done
        events                    -> HoldConfirmed Transfer Transfer BetRejected HoldEnded Answered
        bet B2                    -> Rejected
        house World GBP           -> -10.00
        balance A7                -> 0.00
        # The wallet was told to let go of it: told again, it is the same confirmation.
        confirm B2 10.00          -> done
        release-hold B2           -> done
    ";

    a_bet_bound_when_confirmed_does_not_outlive_a_suspension: "
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1
        suspend M1
        release M1
        confirm B1 10.00          -> done
        bet B1                    -> Rejected
        place R2 A7 M1 10.00 any  -> pending B2
        restart
        open M1
        confirm B2 10.00          -> done
        bet B2                    -> Rejected
        house World GBP           -> 0.00
    ";

    all_gates_are_run_again_when_it_is_confirmed: "
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1
        place R2 A7 M1 10.00 any  -> pending B2
        limits GBP customer 15.00
        confirm B1 10.00
        bet B1                    -> Open
        confirm B2 10.00
        bet B2                    -> Rejected
        limits GBP max 5.00
        place R3 A7 M1 5.00 any   -> pending B3
        block A7
        confirm B3 5.00
        bet B3                    -> Rejected
        unblock A7
        place R4 A7 M1 5.00 any   -> pending B4
        exclude A7 until @1h
        confirm B4 5.00
        bet B4                    -> Rejected
        house World GBP           -> -10.00
    ";

    an_excluded_customers_bet_that_is_bound_stands: "
        rules set hold place
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1
        exclude-self R2 A7 until @1h
        confirm B1 10.00          -> done
        bet B1                    -> Open
        place R3 A7 M1 10.00 any  -> SelfExcluded
    ";

    an_in_play_delay_runs_from_when_it_was_asked_for: "
        rules set hold place
        account A7 wallet
        quote M1 2.50
        in-play M1 3s
        place R1 A7 M1 10.00 2.50 better -> pending B1 until @5s, Wallet
        place R2 A7 M1 10.00 2.50 better -> pending B2 until @5s, Wallet
        place R3 A7 M1 10.00 2.50 better -> pending B3 until @5s, Wallet
        # What has to wait anyway binds when it is confirmed.
        exposure M1 GBP           -> 0.00
        @1s confirm B1 10.00      -> done
        bet B1                    -> Delayed
        house Escrow GBP          -> 10.00
        @2s quote M1 2.60
        @3s bet B1                -> Open
        confirm B2 10.00          -> done
        bet B2                    -> Open
        exposure M1 GBP           -> 32.00
        @4s quote M1 2.40
        confirm B3 10.00          -> done
        bet B3                    -> Rejected
        house World GBP           -> -20.00
    ";

    a_delay_that_ends_badly_gives_the_stake_back_to_the_wallet: "
        account A7 wallet
        quote M1 2.50
        in-play M1 3s
        place R1 A7 M1 10.00 any  -> pending B1
        @1s confirm B1 10.00
        @2s suspend M1
        @3s bet B1                -> Rejected
        house Escrow GBP          -> 0.00
        house World GBP           -> 0.00
        balance A7                -> 0.00
        release-hold B1           -> done
    ";

    a_trader_is_asked_when_the_stake_is_there: "
        rules set refer 300% hold place
        limits GBP max 20.00
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 30.00 any  -> pending B1 until @5s, Wallet
        place R2 A7 M1 40.00 any  -> pending B2 until @5s, Wallet
        referral B1 accept        -> NotAllowed
        @1s confirm B1 30.00
        confirm B2 40.00
        bet B1                    -> Referred
        referral B1 accept
        bet B1                    -> Open
        referral B2 counter stake 25.00
        bet B2                    -> Offered
        house World GBP           -> -55.00
        accept R3 A7 B2           -> B2
        house Escrow GBP          -> 55.00
    ";

    an_offer_is_made_with_the_stake_held: "
        rules set on-failure offer ttl 3s hold place
        account A7 wallet
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> pending B1
        place R2 A7 M1 10.00 2.40 -> pending B2
        place R3 A7 M1 10.00 2.50 -> pending B3
        # Only the one at its price is bound.
        exposure M1 GBP           -> 14.00
        accept R4 A7 B1           -> NotAllowed
        @1s confirm B1 10.00
        bet B1                    -> Offered
        accept R5 A7 B1           -> B1 at 2.40 returns 24.00
        confirm B3 10.00
        decline R6 A7 B3          -> done
        bet B3                    -> OfferEnded
        balance A7                -> 0.00
        house World GBP           -> -10.00
    ";

    a_result_refuses_what_still_waits_for_its_wallet: "
        rules set hold place
        account A7 wallet
        quote M1 2.50
        quote M2 2.50
        place R1 A7 M1 10.00 any  -> pending B1
        ticket R2 A7 double 1.00 M1 M2 any -> pending B2
        rules set hold confirm
        place R3 A7 M1 10.00 any  -> pending B3
        result M1 1
        bet B1                    -> Rejected
        bet B2                    -> Rejected
        bet B3                    -> Rejected
        confirm B1 10.00          -> HoldEnded
        house World GBP           -> 0.00
        exposure M2 GBP           -> 0.00
        reach M2/1 GBP            -> 0.00
        archive M1
        market M1                 -> Archived
    ";

    /// Who knows the result does not choose any more, however slow the settlement is.
    a_bound_bet_is_not_opened_when_the_result_is_known: "
        rules set hold place
        manual steps
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1
        result M1 1
        bet B1                    -> Held
        confirm B1 10.00          -> done
        bet B1                    -> Rejected
        house World GBP           -> 0.00
        auto steps
        bet B1                    -> Rejected
    ";

    a_cancelled_window_refuses_the_holds_that_it_covers: "
        rules set hold place hold-ttl 1m
        account A7 wallet
        quote M1 2.50
        @1s place R1 A7 M1 10.00 any -> pending B1
        @3s place R2 A7 M1 10.00 any -> pending B2
        @5s cancel M1 from @2s until @4s
        bet B1                    -> Held
        bet B2                    -> Rejected
        confirm B1 10.00
        bet B1                    -> Open
    ";

    what_a_settlement_takes_back_is_owed_and_netted_with_what_comes: "
        account A7 wallet
        quote M1 2.50
        quote M2 2.00
        quote M3 2.00
        place R1 A7 M1 10.00 any  -> pending B1
        confirm B1 10.00
        result M1 1
        house World GBP           -> 15.00
        rollback M1
        balance A7                -> -25.00
        result M1 2
        bet B1                    -> Lost
        balance A7                -> -25.00
        # The next stake is not taken for the debt.
        place R2 A7 M2 10.00 any  -> pending B2
        confirm B2 10.00
        events                    -> HoldConfirmed Transfer Transfer BetOpened Answered
        bet B2                    -> Open
        balance A7                -> -25.00
        house Escrow GBP          -> 10.00
        result M2 1
        balance A7                -> -5.00
        house World GBP           -> 5.00
        place R3 A7 M3 20.00 any  -> pending B3
        confirm B3 20.00
        cash-out R4 A7 B3 any     -> done
        balance A7                -> 0.00
        house World GBP           -> 0.00
    ";

    a_void_and_a_part_that_is_sold_go_to_the_wallet: "
        account A7 wallet
        quote M1 2.00
        place R1 A7 M1 10.00 any  -> pending B1
        confirm B1 10.00
        cash-out R2 A7 B1 take 4.00 any -> done
        balance A7                -> 0.00
        house World GBP           -> -6.00
        result M1 void all
        bet B1                    -> Void 6.00
        house World GBP           -> 0.00
        rollback M1
        balance A7                -> -6.00
        result M1 1
        balance A7                -> 0.00
        house World GBP           -> 6.00
    ";

    money_by_hand_goes_to_the_wallet_and_free_bets_need_no_hold: "
        account A7 wallet
        quote M1 3.00
        deposit K1 A7 10.00       -> AccountKind
        withdraw K2 A7 10.00      -> AccountKind
        adjust A7 -4.00
        balance A7                -> -4.00
        adjust A7 10.00
        balance A7                -> 0.00
        house World GBP           -> 6.00
        grant A7 5.00
        ticket R1 A7 single 5.00 M1 bonus any -> B1 at 3.00
        bonus A7                  -> 0.00
        result M1 1
        balance A7                -> 0.00
        house World GBP           -> 16.00
    ";

    /// Every hold that is bound would be a bet without another look: they are counted as if they were.
    no_stake_is_counted_twice: "
        rules set hold place
        limits GBP liability 30.00
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1
        place R2 A7 M1 10.01 any  -> LiabilityLimit max 10.00, Market
        place R3 A7 M1 10.00 any  -> pending B2
        exposure M1 GBP           -> 30.00
        confirm B1 10.00
        confirm B2 10.00
        exposure M1 GBP           -> 30.00
        limit A7 stake day 25.00
        limits GBP
        place R4 A7 M1 10.00 any  -> pending B3
        limit A7 stake day        -> 15.00 left
        place R5 A7 M1 15.01 any  -> CustomerLimit Stake Day left 15.00
        confirm B3 10.00
        limit A7 stake day        -> 15.00 left
        place R6 A7 M1 15.00 any  -> pending B4
        release-hold B4
        limit A7 stake day        -> 15.00 left
    ";

    a_probe_may_have_a_wallet_too: "
        rules set hold place
        account A7 wallet probe
        quote M1 2.50
        place R1 A7 M1 10.00 any synthetic -> pending B1
        exposure M1 GBP           -> 0.00
        confirm B1 10.00
        bet B1                    -> Open
        house Probes GBP          -> 0.00
        result M1 1
        balance A7                -> 0.00
        house Probes GBP          -> 0.00
        house World GBP           -> 0.00
    ";

    holds_survive_a_restart: "
        rules set hold place hold-ttl 1m
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any  -> pending B1
        ticket R2 A7 single 5.00 M1 any each-way -> EachWayNotOffered
        ticket R3 A7 single 5.00 M1 any -> pending B2
        restart
        bet B1                    -> Held
        customer A7               -> 22.50
        exposure M1 GBP           -> 22.50
        confirm B1 10.00 reference 7
        restart
        confirm B1 10.00 reference 7 -> done
        @61s bet B2               -> Rejected
        customer A7               -> 15.00
    ";
}

/// What stands in the record of a bet says what it was bound by.
#[test]
fn a_held_bet_opens_on_the_basis_of_its_hold() {
    for (bind, price) in [("place", 25_000), ("confirm", 26_000)] {
        let report = script::check(&format!(
            "rules set hold {bind}
             account A7 wallet
             quote M1 2.50
             place R1 A7 M1 10.00 any -> pending B1
             @1s quote M1 2.60
             confirm B1 10.00"
        ));
        let events = report.records.iter().flat_map(|record| EventReader::new(&record.events));
        let opened = events.filter_map(|event| match event.unwrap() {
            Event::BetOpened(opened) => Some((opened.basis, opened.from, opened.price.e4)),
            _ => None,
        });
        let expected = (Basis::Held as u8, BetState::Held as u8, price);
        assert_eq!(opened.collect::<Vec<_>>(), [expected], "bound at {bind}");
    }
}

/// At short prices the house takes less.
#[derive(Clone)]
struct LessWhenShort;

impl Rules for LessWhenShort {
    const ID: u64 = 78;
    const VERSION: u32 = 1;

    fn stake(&self, bet: &BetFacts) -> Ruling {
        match (bet.price.is_some_and(|price| price.e4() < 20_000), Stake::from_minor(400)) {
            (true, Some(stake)) => Ruling::Reduce(stake),
            _ => Ruling::Pass,
        }
    }
}

#[test]
fn what_is_taken_less_of_when_it_is_confirmed_goes_back_to_the_wallet() {
    let text = "
        account A7 wallet
        quote M1 2.50
        place R1 A7 M1 10.00 any -> pending B1
        @1s quote M1 1.50
        confirm B1 10.00
        stake B1                 -> 4.00
        house Escrow GBP         -> 4.00
        house World GBP          -> -4.00
        balance A7               -> 0.00
        confirm B1 10.00         -> done
        confirm B1 4.00          -> HoldEnded
    ";
    script::run_with(LessWhenShort, text).unwrap_or_else(|failure| panic!("{failure}"));
}

#[derive(Clone, Debug)]
enum Op {
    Place { market: usize, exact: bool, pennies: i64 },
    Confirm { bet: usize, more: i64, reference: u64 },
    Release { bet: usize },
    Quote { market: usize, cents: i64 },
    Suspend { market: usize },
    Bind { at_place: bool },
    Result { market: usize, wins: bool },
    Wait { ms: i64 },
}

fn op() -> impl Strategy<Value = Op> {
    let market = || 0..2usize;
    let bet = || 0..6usize;
    prop_oneof![
        6 => (market(), any::<bool>(), prop::sample::select(vec![100i64, 999, 1_000]))
            .prop_map(|(market, exact, pennies)| Op::Place { market, exact, pennies }),
        8 => (bet(), prop::sample::select(vec![0i64, 0, 0, 0, 1, -1]), 7..9u64)
            .prop_map(|(bet, more, reference)| Op::Confirm { bet, more, reference }),
        2 => bet().prop_map(|bet| Op::Release { bet }),
        3 => (market(), prop::sample::select(vec![150i64, 200, 333]))
            .prop_map(|(market, cents)| Op::Quote { market, cents }),
        1 => market().prop_map(|market| Op::Suspend { market }),
        1 => any::<bool>().prop_map(|at_place| Op::Bind { at_place }),
        1 => (market(), any::<bool>()).prop_map(|(market, wins)| Op::Result { market, wins }),
        3 => prop::sample::select(vec![1i64, 1_000, 2_999, 3_000, 3_001])
            .prop_map(|ms| Op::Wait { ms }),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Held,
    Open,
    Refused,
    Settled,
}

#[derive(Debug)]
struct Bet {
    life: Life,
    at_place: bool,
    market: usize,
    exact: bool,
    pennies: i64,
    cents: i64,
    until: i64,
    suspended: bool,
    confirmed: Option<u64>,
}

#[derive(Default)]
struct Market {
    cents: i64,
    decided: bool,
}

/// The life of a hold, as slow and as plain as can be.
struct Model {
    now: i64,
    at_place: bool,
    markets: [Market; 2],
    bets: Vec<Bet>,
    /// What the wallets have paid in less what they got.
    world: i64,
}

const TTL_MS: i64 = 3_000;

fn money(pennies: i64) -> String {
    let sign = if pennies < 0 { "-" } else { "" };
    let pennies = pennies.abs();
    format!("{sign}{}.{:02}", pennies / 100, pennies % 100)
}

impl Bet {
    fn returns(&self) -> i64 {
        self.pennies * self.cents / 100
    }
}

impl Model {
    /// The line for an operation, and what it has to be answered.
    fn say(&mut self, key: usize, op: &Op) -> (String, String) {
        let done = |line: String| (line, "done".to_owned());
        match *op {
            Op::Place { market, exact, pennies } => {
                let of = &self.markets[market];
                let price = if exact { money(of.cents) } else { "any".to_owned() };
                let line = format!("place P{key} A7 M{} {} {price}", market + 1, money(pennies));
                if of.decided {
                    return (line, "MarketClosed".to_owned());
                }
                let until = self.now + TTL_MS;
                self.bets.push(Bet {
                    life: Life::Held,
                    at_place: self.at_place,
                    market,
                    exact,
                    pennies,
                    cents: of.cents,
                    until,
                    suspended: false,
                    confirmed: None,
                });
                (line, format!("pending B{}", self.bets.len()))
            }
            Op::Confirm { bet: at, more, reference } => {
                let Some(bet) = self.bets.get_mut(at) else {
                    let line = format!("confirm B{} 1.00 reference {reference}", at + 1);
                    return (line, "HoldUnknown".to_owned());
                };
                let amount = money(bet.pennies + more);
                let line = format!("confirm B{} {amount} reference {reference}", at + 1);
                if bet.life != Life::Held {
                    let same = more == 0 && bet.confirmed == Some(reference);
                    return (line, if same { "done" } else { "HoldEnded" }.to_owned());
                }
                if more != 0 {
                    return (line, format!("HoldAmount {}", money(bet.pennies)));
                }
                bet.confirmed = Some(reference);
                let cents = self.markets[bet.market].cents;
                let refused = !bet.at_place && (bet.suspended || bet.exact && cents != bet.cents);
                if !bet.at_place {
                    bet.cents = cents;
                }
                bet.life = if refused { Life::Refused } else { Life::Open };
                if !refused {
                    self.world -= bet.pennies;
                }
                done(line)
            }
            Op::Release { bet: at } => {
                let line = format!("release-hold B{}", at + 1);
                let answer = match self.bets.get_mut(at) {
                    None => "HoldUnknown",
                    Some(bet) if matches!(bet.life, Life::Held | Life::Refused) => {
                        bet.life = Life::Refused;
                        "done"
                    }
                    Some(_) => "NotAllowed",
                };
                (line, answer.to_owned())
            }
            Op::Quote { market, cents } => {
                let line = format!("quote M{} {}", market + 1, money(cents));
                let of = &mut self.markets[market];
                if of.decided {
                    return (line, "MarketClosed".to_owned());
                }
                of.cents = cents;
                done(line)
            }
            Op::Suspend { market } => {
                for bet in self.bets.iter_mut().filter(|bet| bet.market == market) {
                    bet.suspended = true;
                }
                // However short it is.
                done(format!("suspend M{0}\nrelease M{0}", market + 1))
            }
            Op::Bind { at_place } => {
                self.at_place = at_place;
                let bind = if at_place { "place" } else { "confirm" };
                done(format!("rules set hold {bind} hold-ttl 3s"))
            }
            Op::Result { market, .. } if self.markets[market].decided => {
                ("@+0ms".to_owned(), String::new())
            }
            Op::Result { market, wins } => {
                self.markets[market].decided = true;
                for bet in self.bets.iter_mut().filter(|bet| bet.market == market) {
                    match bet.life {
                        Life::Held => bet.life = Life::Refused,
                        Life::Open => {
                            bet.life = Life::Settled;
                            self.world += if wins { bet.returns() } else { 0 };
                        }
                        Life::Refused | Life::Settled => (),
                    }
                }
                let winner = if wins { 1 } else { 2 };
                (format!("result M{} {winner}", market + 1), "anything".to_owned())
            }
            Op::Wait { ms } => {
                self.now += ms;
                for bet in self.bets.iter_mut().filter(|bet| bet.until < self.now) {
                    if bet.life == Life::Held {
                        bet.life = Life::Refused;
                    }
                }
                (format!("@+{ms}ms"), String::new())
            }
        }
    }

    /// What counts in a market: what its first selection would win of the bets that are bound, once each.
    fn exposure(&self, market: usize) -> i64 {
        let own = self.bets.iter().filter(|bet| bet.market == market);
        let bound = own.filter(|bet| match bet.life {
            Life::Held => bet.at_place,
            Life::Open => true,
            Life::Refused | Life::Settled => false,
        });
        bound.map(|bet| bet.returns() - bet.pennies).sum()
    }

    fn agrees(&self, runner: &Runner) -> Result<(), String> {
        let state = runner.state().expect("a journal was begun");
        for (at, (bet, view)) in self.bets.iter().zip(state.bets()).enumerate() {
            let life = match view.state {
                BetState::Held => Life::Held,
                BetState::Open => Life::Open,
                BetState::Rejected => Life::Refused,
                _ => Life::Settled,
            };
            if life != bet.life {
                return Err(format!("B{} is {life:?}, not {:?}", at + 1, bet.life));
            }
            let bind = if bet.at_place { HoldBind::AtPlace } else { HoldBind::AtConfirm };
            let price = i64::from(view.price.e4) == bet.cents * 100;
            let bound = matches!(life, Life::Open | Life::Settled);
            if view.hold != Some(bind) || bound && !price {
                return Err(format!("B{} is bound at {}, not {bet:?}", at + 1, view.price));
            }
        }
        Ok(())
    }
}

fn play(ops: &[Op]) -> Result<(), String> {
    let mut runner = Runner::new(HouseRules);
    let mut said = String::new();
    let mut line = |runner: &mut Runner, text: &str| {
        said.push_str(text);
        said.push('\n');
        runner.line(text).map(|_| ()).map_err(|failure| format!("{said}\n{failure}"))
    };
    for text in ["rules set hold-ttl 3s", "account A7 wallet", "quote M1 2.00", "quote M2 2.00"] {
        line(&mut runner, text)?;
    }
    let market = || Market { cents: 200, decided: false };
    let markets = [market(), market()];
    let mut model = Model { now: 0, at_place: false, markets, bets: Vec::new(), world: 0 };
    for (key, op) in ops.iter().enumerate() {
        let (text, answer) = model.say(key, op);
        for text in text.lines() {
            let answer = if answer.is_empty() { String::new() } else { format!(" -> {answer}") };
            line(&mut runner, &format!("{text}{answer}"))?;
        }
        model.agrees(&runner)?;
        line(&mut runner, &format!("house World GBP -> {}", money(model.world)))?;
        for market in 0..2 {
            let cost = money(model.exposure(market));
            line(&mut runner, &format!("liability M{}/1 GBP -> {cost}", market + 1))?;
        }
    }
    runner.finish().map(|_| ()).map_err(|failure| failure.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(200)))]

    #[test]
    fn whatever_a_wallet_answers_a_bet_opens_once_at_a_price_it_may(
        ops in prop::collection::vec(op(), 1..40)
    ) {
        if let Err(what) = play(&ops) {
            prop_assert!(false, "{what}");
        }
    }
}
