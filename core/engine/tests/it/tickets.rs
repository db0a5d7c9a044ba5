//! Tickets, delays, cash-outs and results that are taken back, from the handles of an embedder.

use crate::table::*;
use betring::*;
use std::time::{Duration, Instant};

/// Asks and waits: what came of it.
fn ask(table: &mut Table, ask: impl Ask) -> Outcome {
    let ticket = table.client.try_submit(ask).expect("taken");
    table.client.wait(ticket, SECOND)
}

/// The state as a view has it, once this holds of it.
fn until(table: &Table, what: &str, holds: impl Fn(&Book<'_>) -> bool) {
    let view = table.engine.view().expect("a view");
    let deadline = Instant::now() + SECOND;
    loop {
        if table.engine.health().layout == Layout::Inline {
            table.engine.run_until_idle().expect("turned");
        }
        let seq = table.engine.watch().decided();
        if holds(&view.at_least(seq, SECOND).expect("in time")) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn double(table: &Table, other: &Market) -> PlaceTicket {
    let legs = [
        table.market.selection("England").seen_at(price!(2.10)),
        other.selection("Draw").seen_at(price!(3.40)),
    ];
    Place::ticket(table.account, Slip::double(legs), money!(10.00)).key(key(2))
}

#[test]
fn a_double_wins_and_a_replay_gives_the_same_digest() {
    use SelectionOutcome::{Lose, Win};
    for layout in LAYOUTS {
        let dir = dir();
        let config = small(&dir, layout);
        let mut table = set(config.clone());
        let other = open_market(&mut table.trader, "FRA-ITA 1X2");
        let placed = double(&table, &other);
        let Outcome::Accepted(bet) = ask(&mut table, placed) else { panic!("{layout}: accepted") };
        assert_eq!(bet.to_string(), "B1: 10.00 returns up to 71.40", "{layout}");
        until(&table, "the view has both legs", |book| {
            book.legs(bet.id).map(|leg| leg.price.to_string()).eq(["2.10", "3.40"])
        });
        table.trader.result(&table.market, [Win, Lose, Lose]).expect("settling");
        table.trader.result(&other, [Lose, Win, Lose]).expect("settling");
        until(&table, "the double is paid", |book| {
            let state = book.bet(bet.id).map(|bet| bet.state);
            let balance = book.account(table.account).expect("known").balance;
            (state, balance) == (Some(BetState::Won), Minor(100_000 - 1_000 + 7_140))
        });
        // The same result again changes nothing.
        assert_eq!(table.trader.result(&other, [Lose, Win, Lose]).expect("known"), None);
        drop((table.client, table.trader));
        let closed = table.engine.shutdown().expect("in order");
        let again = Engine::open(config).expect("opened again");
        assert_eq!(again.recovered().digest, closed.digest, "{layout}");
    }
}

#[test]
fn a_bet_waits_for_the_delay_and_then_opens_by_an_event() {
    for layout in LAYOUTS {
        let dir = dir();
        let mut table = set(small(&dir, layout));
        table.trader.in_play(&table.market, Nanos::from_millis(20)).expect("in-play");
        let mut events = table.engine.events();
        let place = bet(table.account, &table.market, 2);
        let asked = table.client.now();
        let Outcome::Pending(wait) = ask(&mut table, place) else { panic!("{layout}: it waits") };
        assert_eq!((wait.why, wait.stake), (PendingWhy::Delay, Minor(100)), "{layout}");
        assert!(asked.plus(Nanos::from_millis(20)) <= wait.until, "{layout}");
        until(&table, "the bet opens", |book| {
            book.bet(wait.id).is_some_and(|bet| bet.state == BetState::Open)
        });
        let mut opened = 0;
        while let Some(occurrence) = events.next().expect("not lapped") {
            if let Event::BetOpened(e) = occurrence.event {
                assert_eq!((e.bet, e.from), (wait.id, BetState::Delayed as u8), "{layout}");
                opened += 1;
            }
        }
        assert_eq!(opened, 1, "{layout}");
    }
}

#[test]
fn a_cash_out_pays_what_was_shown_and_the_receipt_says_it() {
    for layout in LAYOUTS {
        let dir = dir();
        let mut table = set(small(&dir, layout));
        let england = table.market.selection("England");
        let place = Place::single(table.account, england, money!(10.00)).any_price().key(key(2));
        let Outcome::Accepted(bet) = ask(&mut table, place) else { panic!("{layout}: accepted") };
        let shorter = [price!(1.50), price!(4.00), price!(6.00)];
        let receipt = table.trader.set_prices(&table.market, shorter).expect("priced");
        let view = table.engine.view().expect("a view");
        let book = view.at_least(receipt.seq, SECOND).expect("in time");
        let shown = book.cash_out_value(bet.id, None).expect("a value");
        assert_eq!(shown, Minor(1_400), "{layout}: 10.00 at 2.10 over 1.50");
        drop(book);
        let shown = Money::from_minor(shown.0).expect("money");

        // Half of it first, then the rest; more than it is worth is refused, with the value.
        let half = CashOut::new(table.account, bet.id).part(money!(5.00)).any_value().key(key(3));
        let Outcome::Done(receipt) = ask(&mut table, half) else { panic!("{layout}: sold") };
        assert_eq!(receipt.amount, Minor(700), "{layout}");
        let all = CashOut::new(table.account, bet.id);
        let Outcome::Refused(no) = ask(&mut table, all.shown(shown).key(key(4))) else {
            panic!("{layout}: only half is left")
        };
        assert_eq!((no.reject, no.answer.amount), (Reject::CashOutMoved, Minor(700)), "{layout}");
        table.trader.freeze_cash_out(&table.market, Owner::Trader).expect("frozen");
        let Outcome::Refused(no) = ask(&mut table, all.any_value().key(key(5))) else {
            panic!("{layout}: frozen")
        };
        assert_eq!(no.reject, Reject::CashOutFrozen, "{layout}");
        table.trader.unfreeze_cash_out(&table.market, Owner::Trader).expect("not any more");
        let Outcome::Done(receipt) = ask(&mut table, all.shown(money!(7.00)).key(key(6))) else {
            panic!("{layout}: sold")
        };
        assert_eq!(receipt.amount, Minor(700), "{layout}");
        until(&table, "both halves are paid", |book| {
            book.account(table.account).expect("known").balance == Minor(100_000 - 1_000 + 1_400)
        });
    }
}

#[test]
fn a_bet_sells_itself_once_it_is_worth_enough() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let bet = table.place(2);
    let auto = SetAutoCashOut::new(table.account, bet.id, money!(1.40)).key(key(3));
    let Outcome::Done(_) = ask(&mut table, auto) else { panic!("set") };
    let shorter = [price!(1.50), price!(4.00), price!(6.00)];
    table.trader.set_prices(&table.market, shorter).expect("priced");
    until(&table, "it is sold", |book| {
        book.bet(bet.id).is_some_and(|bet| bet.state == BetState::CashedOut)
    });
}

#[test]
fn a_rollback_opens_a_bet_again_and_the_next_result_settles_it_otherwise() {
    use SelectionOutcome::{Lose, Win};
    for layout in LAYOUTS {
        let dir = dir();
        let config = small(&dir, layout);
        let mut table = set(config.clone());
        let bet = table.place(2);
        let balance = |table: &Table, what: &str, state: BetState, balance: i64| {
            until(table, what, |book| {
                let bet = book.bet(bet.id).expect("in memory");
                let account = book.account(table.account).expect("known");
                (bet.state, account.balance) == (state, Minor(balance))
            });
        };
        table.trader.result(&table.market, [Win, Lose, Lose]).expect("settling");
        balance(&table, "it is paid", BetState::Won, 100_000 - 100 + 210);
        table.trader.rollback_result(&table.market, None).expect("taken back");
        balance(&table, "it is open again", BetState::Open, 100_000 - 100);
        table.trader.result(&table.market, [Lose, Win, Lose]).expect("settling");
        balance(&table, "it lost", BetState::Lost, 100_000 - 100);
        // Without a rollback between them, the next result is the next version.
        table.trader.result(&table.market, [Win, Lose, Lose]).expect("settling");
        balance(&table, "it is paid once", BetState::Won, 100_000 - 100 + 210);
        table.trader.cancel_bets(&table.market, BetWindow::all()).expect("void");
        balance(&table, "it is void", BetState::Void, 100_000);
        table.trader.uncancel_bets(&table.market, BetWindow::all()).expect("not any more");
        balance(&table, "it is paid again", BetState::Won, 100_000 - 100 + 210);
        table.trader.correct_price(bet.id, 0, Some(price!(1.10))).expect("corrected");
        balance(&table, "it is paid less", BetState::Won, 100_000 - 100 + 110);
        table.trader.cancel_bet(bet.id, true).expect("void");
        balance(&table, "it is void by itself", BetState::Void, 100_000);
        drop((table.client, table.trader));
        let closed = table.engine.shutdown().expect("in order");
        let again = Engine::open(config).expect("opened again");
        assert_eq!(again.recovered().digest, closed.digest, "{layout}");
    }
}

#[test]
fn shares_and_positions_settle_in_part() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let bet = table.place(2);
    let tied = |position, tied| SelectionResult::Position { position, tied };
    // England and Scotland share the first place.
    let terms = ResultTerms::new(&table.market, [tied(1, 2), tied(3, 1), tied(1, 2)]);
    let source = table.trader.now();
    table
        .trader
        .give_result(terms.certainty(Certainty::Live).source(source))
        .expect("settling")
        .expect("a job");
    until(&table, "half of it won", |book| {
        let bet = book.bet(bet.id).expect("in memory");
        (bet.state, bet.paid) == (BetState::Won, Minor(105))
    });
    // What the source said before that has no effect.
    use SelectionOutcome::{Lose, Win};
    let late = ResultTerms::new(&table.market, [Lose, Win, Lose]).source(Timestamp(1));
    let late = late.certainty(Certainty::Live);
    assert_eq!(table.trader.give_result(late).expect("noted"), None);
}

#[test]
fn a_free_bet_and_an_adjustment_are_told_with_their_amounts() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let receipt = table.trader.grant_bonus(table.account, money!(5.00)).expect("given");
    assert_eq!(receipt.amount, Minor(500));
    let leg = table.market.selection("England");
    let slip = Slip::single([leg]);
    let free = Place::ticket(table.account, slip, money!(5.00)).any_price().free_bet().key(key(2));
    let Outcome::Accepted(bet) = ask(&mut table, free) else { panic!("accepted") };
    let owed = Money::from_minor(-150_000).expect("money");
    table.trader.adjust(table.account, owed, Some(bet.id)).expect("adjusted");
    until(&table, "the account owes, its bonus is staked", |book| {
        let account = book.account(table.account).expect("known");
        (account.balance, account.bonus) == (Minor(-50_000), Minor(0))
    });
}

#[test]
fn a_trader_answers_what_is_above_the_limits() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let mut rules = Ruleset::standard(Name::new("with referrals").expect("a name"));
    rules.refer_percent = 200;
    assert_eq!(table.trader.publish_rules(&rules).expect("published"), 1);
    let limits = Limits {
        min_stake: Minor(10),
        max_stake: Minor(1_000),
        max_payout: Minor(100_000),
        max_liability: Minor(10_000_000),
        ..Limits::UNLIMITED
    };
    table.trader.set_limits(Currency::GBP, limits).expect("limits");
    let england = table.market.selection("England");
    let place = Place::single(table.account, england, money!(15.00)).any_price();
    let Outcome::Pending(wait) = ask(&mut table, place.key(key(2))) else { panic!("referred") };
    assert_eq!(wait.why, PendingWhy::Referral);
    let counter = ReferralAnswer::Counter;
    table
        .trader
        .answer_referral(wait.id, counter, Some(money!(12.00)), &[Some(price!(2.00))])
        .expect("answered");
    let accept = AcceptOffer::new(table.account, wait.id).key(key(3));
    let Outcome::Accepted(bet) = ask(&mut table, accept) else { panic!("accepted") };
    assert_eq!(bet.to_string(), "B1 at 2.00: 12.00 returns 24.00");
    assert_eq!(bet.basis, Basis::Trader);
}

#[test]
fn every_named_ticket_has_the_lines_that_its_name_promises() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let legs: Vec<Leg> = (0..8)
        .map(|n| open_market(&mut table.trader, &format!("match {n}")).selection("Draw").into())
        .collect();
    fn first<const N: usize>(legs: &[Leg]) -> [Leg; N] {
        std::array::from_fn(|at| legs[at])
    }
    let slips = [
        (Slip::single(first(&legs)), 1),
        (Slip::double(first(&legs)), 1),
        (Slip::treble(first(&legs)), 1),
        (Slip::trixie(first(&legs)), 4),
        (Slip::patent(first(&legs)), 7),
        (Slip::yankee(first(&legs)), 11),
        (Slip::lucky15(first(&legs)), 15),
        (Slip::canadian(first(&legs)), 26),
        (Slip::lucky31(first(&legs)), 31),
        (Slip::heinz(first(&legs)), 57),
        (Slip::lucky63(first(&legs)), 63),
        (Slip::super_heinz(first(&legs)), 120),
        (Slip::goliath(first(&legs)), 247),
        (Slip::acca(legs.clone()), 1),
        (Slip::system(&[2, 3], legs[..4].to_vec()), 10),
        (Slip::system(&[2], legs[..4].to_vec()).banker(0), 3),
    ];
    for (n, (slip, lines)) in (2..).zip(slips) {
        let ticket = Place::ticket(table.account, slip, money!(0.10)).per_line().any_price();
        let outcome = ask(&mut table, ticket.key(key(n)));
        let Outcome::Accepted(bet) = outcome else { panic!("{lines} lines: {outcome}") };
        assert_eq!(bet.stake, Minor(10 * lines), "{outcome}");
    }
    let none = Place::ticket(table.account, Slip::acca([] as [Leg; 0]), money!(1.00)).key(key(99));
    let refused = table.client.try_submit(none).expect_err("no legs");
    assert_eq!(refused, NotTaken::Malformed(Malformed::Entries));
}
