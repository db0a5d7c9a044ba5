//! Does a client that stops reading disturb the others? Four clients share 100,000 bets a second;
//! the fourth stops reading for ten seconds.
//!
//! It alone is refused, with `TooManyInFlight`; no reply is lost; the others' median stays what it was.
//! Latency is t6 − t0: from the moment a bet was to be sent to the moment its reply is seen.

use betring::{
    AnswerKind, Capacities, Client, Config, Currency, Engine, Error, Level, Limits, Minor,
    NotTaken, Place, PricePolicy, Reference, Reply, Selection, key, money, price,
};
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const CLIENTS: usize = 4;
const SLOW: usize = CLIENTS - 1;

struct Seat {
    client: Client,
    account: betring::AccountId,
    next_key: u128,
    /// When each unanswered bet was to be sent, in order.
    due: VecDeque<Instant>,
    latency: Histogram<u64>,
    sent: u64,
    answered: u64,
    too_many: u64,
    overloaded: u64,
}

impl Seat {
    fn read(&mut self, replies: &mut [Reply]) {
        loop {
            let count = self.client.poll(replies);
            let now = Instant::now();
            for reply in &replies[..count] {
                assert_eq!(reply.answer.kind(), AnswerKind::Accepted, "{reply}");
                let due = self.due.pop_front().expect("a reply to each bet, in order");
                let _ = self.latency.record((now - due).as_nanos() as u64);
            }
            self.answered += count as u64;
            if count < replies.len() {
                return;
            }
        }
    }

    fn send(&mut self, selection: Selection, due: Instant) {
        self.next_key += 1;
        let place = Place::single(self.account, selection, money!(0.10))
            .policy(PricePolicy::Any)
            .key(key(self.next_key));
        match self.client.try_submit(place) {
            Ok(_) => {
                self.sent += 1;
                self.due.push_back(due);
            }
            Err(NotTaken::TooManyInFlight { .. }) => self.too_many += 1,
            Err(NotTaken::Overloaded(_)) => self.overloaded += 1,
            Err(other) => panic!("a bet was not taken: {other}"),
        }
    }
}

fn main() -> Result<(), Error> {
    let testing = std::env::args().any(|arg| arg == "--test");
    let (rate, span, credit) = if testing { (2_000, 0.5, 128) } else { (100_000, 10.0, 4_096) };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let bets = (rate as f64 * span * 3.0) as u32 + 10_000;
    let capacities = Capacities {
        accounts: 16,
        markets: 4,
        selections: 16,
        bets,
        keys: bets / 15 * 16 + 1_000,
        feeds: 1,
        fixtures: 1,
        actors: 4,
        currencies: 1,
        quarantined: 4,
        legs: bets,
        groups: 1,
        limited: 1,
        orders: 1,
        positions: 1,
        stands: 1,
        levels: 1,
    };
    let config = Config::at(dir.path().join("book")).capacities(capacities).clients(8, credit);
    let engine = Engine::open(config)?;
    let mut trader = engine.control("trader:bench")?;
    let most = Minor(100_000_000_000_000);
    let limits = Limits {
        min_stake: Minor(1),
        max_stake: Minor(1000),
        max_payout: most,
        max_liability: most,
        ..Limits::UNLIMITED
    };
    trader.set_limits(Currency::GBP, limits)?;
    let market = trader.define_market("1X2", ["home", "draw", "away"])?;
    trader.set_prices(&market, [price!(2.10), price!(3.40), price!(3.75)])?;
    trader.open_market(&market)?;

    let mut seats = Vec::new();
    for reference in 1..=CLIENTS as u64 {
        let mut client = engine.client_at(credit, Level::Durable)?;
        let account = client.open_account(Reference(reference), Currency::GBP)?;
        client.deposit(account, money!(10_000_000.00), key(1))?;
        seats.push(Seat {
            client,
            account,
            next_key: 1,
            due: VecDeque::with_capacity(credit),
            latency: Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds"),
            sent: 0,
            answered: 0,
            too_many: 0,
            overloaded: 0,
        });
    }
    let selection = market.selection("home");
    println!(
        "{} clients, {rate} bets/s together, {span} s each way, level durable, {}",
        CLIENTS,
        engine.health().layout
    );

    let all = phase(&mut seats, selection, rate, span, None);
    let stopped = phase(&mut seats, selection, rate, span, Some(SLOW));

    // It reads again: everything it asked is answered.
    let mut replies = vec![Reply::default(); 1024];
    let patience = Instant::now();
    while seats.iter().any(|seat| seat.answered < seat.sent) {
        assert!(patience.elapsed() < Duration::from_secs(30), "every attempt has its reply");
        seats.iter_mut().for_each(|seat| seat.read(&mut replies));
        std::thread::yield_now();
    }
    for (at, seat) in seats.iter().enumerate() {
        println!(
            "client {at}: {} taken, {} answered, {} refused TooManyInFlight, {} Overloaded",
            seat.sent, seat.answered, seat.too_many, seat.overloaded
        );
    }
    assert!(0 < seats[SLOW].too_many, "who does not read runs out of credit");
    let ratio = stopped.0 as f64 / all.0 as f64;
    println!(
        "others' p50 / p99: all read {} / {} us, one stopped {} / {} us, p50 ratio {ratio:.2}",
        all.0 / 1000,
        all.1 / 1000,
        stopped.0 / 1000,
        stopped.1 / 1000
    );
    let others = seats[..SLOW].iter().map(|seat| seat.too_many).sum::<u64>();
    println!("others refused TooManyInFlight: {others}");
    drop((seats, trader));
    println!("{}", engine.shutdown()?);
    Ok(())
}

/// Sends for `span` seconds at `rate`, round robin, and reads all but one; p50 and p99 of the first
/// three in nanoseconds.
fn phase(
    seats: &mut [Seat],
    selection: Selection,
    rate: u32,
    span: f64,
    stopped: Option<usize>,
) -> (u64, u64) {
    seats.iter_mut().for_each(|seat| seat.latency.reset());
    let mut replies = vec![Reply::default(); 1024];
    let start = Instant::now();
    let gap = Duration::from_secs(1) / rate;
    let bets = (f64::from(rate) * span) as u32;
    let mut next = 0;
    while next < bets {
        while next < bets && start + gap * next <= Instant::now() {
            seats[next as usize % CLIENTS].send(selection, start + gap * next);
            next += 1;
        }
        for (at, seat) in seats.iter_mut().enumerate() {
            if stopped != Some(at) {
                seat.read(&mut replies);
            }
        }
        std::thread::yield_now();
    }
    let mut together = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("bounds");
    seats[..SLOW].iter().for_each(|seat| together.add(&seat.latency).expect("same bounds"));
    (together.value_at_quantile(0.5), together.value_at_quantile(0.99))
}
