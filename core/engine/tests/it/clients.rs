//! Clients: exactly one reply an attempt, credit, and a slow one that stops only itself.

use std::time::{Duration, Instant};

use crate::table::*;
use betring::*;

#[test]
fn every_attempt_of_four_threads_gets_exactly_one_reply_in_order() {
    for layout in [Layout::OneThread, Layout::TwoThread] {
        let dir = dir();
        let table = set(small(&dir, layout));
        const EACH: u64 = 1_000;
        let threads: Vec<_> = (0..4_u64)
            .map(|thread| {
                let mut client =
                    table.engine.client_at(128, Level::ProcessCrashOnly).expect("seat");
                let (account, market) = (table.account, table.market.clone());
                std::thread::spawn(move || {
                    let mut replies = [Reply::default(); 32];
                    let (mut sent, mut seen) = (0, 0);
                    let deadline = Instant::now() + Duration::from_secs(60);
                    while seen < EACH {
                        assert!(Instant::now() < deadline, "{seen} of {sent} answered");
                        if sent < EACH {
                            let n = u128::from(thread * EACH + sent) + 100;
                            // Every tenth is a retry of the one before it.
                            let n = if sent % 10 == 9 { n - 1 } else { n };
                            let until = Timestamp(client.now().0 / 1_000_000_000 * 1_000_000_000)
                                .plus(Nanos::from_secs(60));
                            let ask = bet(account, &market, n).valid_until(until);
                            match client.try_submit(ask) {
                                Ok(ticket) => {
                                    assert_eq!(ticket.token, Token(sent + 1));
                                    sent += 1;
                                }
                                Err(NotTaken::TooManyInFlight { .. } | NotTaken::Overloaded(_)) => {
                                }
                                Err(other) => panic!("{other}"),
                            }
                        }
                        let count = client.poll(&mut replies);
                        for reply in &replies[..count] {
                            seen += 1;
                            assert_eq!(reply.token, Token(seen), "in the order of attempts");
                            assert_eq!(reply.client, client.id());
                        }
                        if count == 0 {
                            std::thread::yield_now();
                        }
                    }
                    assert_eq!(client.in_flight(), 0);
                    std::thread::sleep(Duration::from_millis(5));
                    assert_eq!(client.poll(&mut replies), 0, "no attempt is answered twice");
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().expect("a client does not panic"));
        let counts = table.engine.health().counts;
        assert!(4 * EACH <= counts.commands, "{layout}: {counts:?}");
    }
}

#[test]
fn a_client_that_stops_reading_is_the_only_one_refused_and_loses_nothing() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let mut slow = table.engine.client(64).expect("a seat");
    let mut taken = 0;
    let refused = loop {
        match slow.try_submit(bet(table.account, &table.market, 1_000 + taken)) {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!((taken, refused), (64, NotTaken::TooManyInFlight { credit: 64 }));
    assert_eq!(
        refused.to_string(),
        "TooManyInFlight: 64 attempts are unanswered, which is the client's credit; read its replies \
         before sending more"
    );
    // The others go on as if it were not there.
    for n in 0..300 {
        table.place(10 + n);
    }
    assert!(slow.try_submit(bet(table.account, &table.market, 5_000)).is_err());
    // When it reads again, all its replies are there, and its credit is back.
    let mut replies = [Reply::default(); 100];
    assert_eq!(slow.poll(&mut replies), 64);
    assert!(replies[..64].iter().all(|r| r.answer.kind() == AnswerKind::Accepted));
    assert!(slow.try_submit(bet(table.account, &table.market, 6_000)).is_ok());
}

#[test]
fn a_full_ring_says_overloaded_and_the_attempt_never_executes() {
    let dir = dir();
    // Nobody turns the loop: the ring of 1,024 fills.
    let mut table = set(small(&dir, Layout::Inline).intake(Intake::open()));
    let mut other = table.engine.client(1024).expect("a seat");
    let fill: Vec<_> = (0..1024_u128)
        .map(|n| bet(table.account, &table.market, 100 + n).slot(table.engine.now()))
        .collect();
    let done = other.submit_batch(&fill);
    assert_eq!((done.commands, done.refused), (1024, None));
    let refused = table.client.try_submit(bet(table.account, &table.market, 5_000));
    let full = NotTaken::Overloaded(Busy::RING_FULL);
    assert_eq!(refused, Err(full));
    assert_eq!(
        (full.reject(), full.retry_after()),
        (Some(Reject::Overloaded), Some(Nanos::from_millis(5)))
    );
    assert_eq!(table.engine.run_until_idle().expect("turns"), 1024);
    let view = table.engine.view().expect("a view");
    let book = view.at_least(table.engine.durable_seq(), SECOND).expect("in time");
    assert_eq!(book.request(table.account.raw(), key(5_000)), None);
}

#[test]
fn a_batch_is_taken_from_the_front_as_far_as_it_goes() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let now = table.engine.now();
    let mut slots: Vec<_> =
        (0..300_u128).map(|n| bet(table.account, &table.market, 100 + n).slot(now)).collect();
    let done = table.client.submit_batch(&slots);
    assert_eq!((done.commands, done.slots), (256, 256), "its credit");
    assert_eq!(done.refused, Some(NotTaken::TooManyInFlight { credit: 256 }));
    table.engine.run_until_idle().expect("turns");
    let mut replies = [Reply::default(); 300];
    assert_eq!(table.client.poll(&mut replies), 256);
    for (n, reply) in replies[..256].iter().enumerate() {
        assert_eq!(reply.token.0, done.first.0 + n as u64, "tokens count up");
    }
    // A command that cannot be is where the batch ends.
    slots[3].0[0] = 99;
    let done = table.client.submit_batch(&slots);
    assert_eq!(done.commands, 3);
    assert_eq!(
        done.to_string(),
        "3 commands taken, then Malformed: unknown kind of command; \
        asking again changes nothing"
    );
}

#[test]
fn an_answer_that_comes_too_late_is_unknown_and_a_question_settles_it() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let ask = bet(table.account, &table.market, 77);
    let ticket = table.client.try_submit(ask).expect("taken");
    let outcome = table.client.wait(ticket, Duration::ZERO);
    if let Outcome::Unknown(request) = outcome {
        assert_eq!(request, ticket.request);
        let resolved = table.client.resolve(request).expect("answered");
        assert!(resolved.to_string().ends_with(", open"), "{resolved}");
    }
    assert_eq!(table.client.in_flight(), 0, "the late reply takes no credit for ever");
    // A request that nobody ever sent is closed, and its late copy is refused.
    let request = Request {
        account: table.account.raw(),
        key: key(78),
        valid_until: table.client.now().plus(Nanos::from_secs(20)),
    };
    let resolved = table.client.resolve(request).expect("answered");
    assert_eq!(resolved, Resolved::NeverPlaced(request));
    assert_eq!(resolved.to_string(), "never placed, and it never will be");
    let late = bet(table.account, &table.market, 78).valid_until(request.valid_until);
    let ticket = table.client.try_submit(late).expect("taken");
    assert_eq!(
        table.client.wait(ticket, SECOND).to_string(),
        "This request was already closed as never placed."
    );
}

#[test]
fn a_client_that_leaves_gives_its_seat_back_and_what_it_left_unread_reaches_nobody() {
    let dir = dir();
    let engine = Engine::open(small(&dir, Layout::Inline).clients(3, 64)).expect("opened");
    let mut trader = engine.control("trader:anna").expect("registered");
    let market = open_market(&mut trader, "ENG-SCO 1X2");
    let mut client = engine.client(64).expect("a seat");
    let account = funded(&mut client, 1001);
    assert_eq!(
        engine.client(65).expect_err("more than a seat has places").to_string(),
        "a credit of 65 cannot be given: ask for 1 to 64, or raise Config::clients"
    );
    let mut leaver = engine.client(64).expect("the third seat");
    let id = leaver.id();
    assert_eq!(
        engine.client(1).expect_err("no seat is left").to_string(),
        "all 3 seats are taken: drop a client, or raise Config::clients"
    );
    for n in 0..10 {
        let _ticket = leaver.try_submit(bet(account, &market, 100 + n)).expect("taken");
    }
    drop(leaver);
    // What it is owed has not come yet, so nobody gets the seat.
    assert!(matches!(engine.client(1), Err(Error::NoSeat { seats: 3 })));
    engine.run_until_idle().expect("turns");
    let mut next = engine.client(64).expect("the seat is free now");
    assert_eq!(next.id(), id);
    let mut replies = [Reply::default(); 16];
    assert_eq!(next.poll(&mut replies), 0, "it sees none of them");
    let ticket = next.try_submit(bet(account, &market, 500)).expect("taken");
    assert_eq!(ticket.token, Token(11), "and no token is used twice on a seat");
    let Outcome::Accepted(_) = next.wait(ticket, SECOND) else { panic!("its own reply") };
}

#[test]
fn waiting_for_some_replies_leaves_the_others_to_be_polled() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::Inline));
    let tickets: Vec<_> = (0..10_u128)
        .map(|n| table.client.try_submit(bet(table.account, &table.market, 50 + n)).expect("taken"))
        .collect();
    let Outcome::Accepted(_) = table.client.wait(tickets[4], SECOND) else { panic!("accepted") };
    let Outcome::Accepted(_) = table.client.wait(tickets[9], SECOND) else { panic!("accepted") };
    let mut replies = [Reply::default(); 16];
    assert_eq!(table.client.poll(&mut replies), 8);
    let tokens: Vec<_> = replies[..8].iter().map(|r| r.token).collect();
    let expected: Vec<_> = (0..9).filter(|n| *n != 4).map(|n| tickets[n].token).collect();
    assert_eq!(tokens, expected);
    // One that was read already is not known any more.
    assert_eq!(table.client.wait(tickets[4], SECOND), Outcome::Unknown(tickets[4].request));
}

#[test]
fn money_that_is_repeated_with_its_first_time_limit_moves_once() {
    let dir = dir();
    let mut table = set(small(&dir, Layout::OneThread));
    let Table { client, account, .. } = &mut table;
    // The answer to the first attempt was never read.
    let deposit = Deposit::new(*account, money!(25.00)).key(key(40));
    let first = client.try_submit(deposit).expect("taken").request;
    let again = client.deposit_again(first, money!(25.00)).expect("the first answer");
    assert!(again.duplicate, "{again}");
    // The first attempt never got there.
    let valid_until = client.now().plus(Nanos::from_secs(20));
    let lost = Request { key: key(41), valid_until, ..first };
    let paid = client.withdraw_again(lost, money!(5.00)).expect("paid out");
    assert!(!paid.duplicate, "{paid}");
    let again = client.withdraw_again(lost, money!(5.00)).expect("the first answer");
    assert_eq!((again.seq, again.duplicate), (paid.seq, true));
    // With a time limit of its own it is another request, and a new key would pay twice.
    let refused = client.deposit(*account, money!(25.00), key(40)).expect_err("it was reused");
    let Error::Refused(refusal) = &refused else { panic!("{refused}") };
    assert_eq!(refusal.reject, Reject::RequestReused);
    assert!(
        refused.to_string().ends_with("with the first one, do not take a new key"),
        "{refused}"
    );
    let view = table.engine.view().expect("a view");
    let book = view.at_least(table.engine.durable_seq(), SECOND).expect("in time");
    let balance = book.account(table.account).expect("it is there").balance;
    assert_eq!(balance, money!(1020.00).into());
}
