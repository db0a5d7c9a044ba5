//! How long is the longest turn of the loop while a million bets of one market settle, and do other
//! markets notice? The real loop and journal, inline, on this thread; the sync is part of a turn.
//!
//! Times depend on the machine; the count of instructions does not: `benches/longest-turn.sh` runs
//! this under callgrind and prints the longest turn in instructions. `SETTLE_BETS` sets how many bets.

use betring::{
    AnswerKind, Capacities, Config, Cores, Currency, Engine, Error, Layout, Limits, Minor, Place,
    PricePolicy, Reference, Reply, SelectionOutcome, Slot, key, money, price,
};
use std::time::{Duration, Instant};

/// Bets in other markets offered before each turn while the job runs.
const OTHERS: usize = 16;
const ACCOUNTS: u64 = 64;

/// One turn of the loop: a function of its own, so that callgrind can count each call.
#[inline(never)]
fn measured_turn(engine: &Engine) -> Result<betring::Turn, Error> {
    engine.turn()
}

fn main() -> Result<(), Error> {
    let testing = std::env::args().any(|arg| arg == "--test");
    let asked = std::env::var("SETTLE_BETS").ok().and_then(|n| n.parse::<u32>().ok());
    let bets = asked.unwrap_or(if testing { 5_000 } else { 1_000_000 });
    let dir = tempfile::tempdir().expect("a temporary directory");
    let others = 2 * (bets / 64 * OTHERS as u32) + 100_000;
    let config = Config::at(dir.path().join("book"))
        .layout(Layout::Inline)
        .cores(Cores::Unpinned)
        .capacities(Capacities {
            accounts: 128,
            markets: 16,
            selections: 64,
            bets: bets + others,
            keys: (bets + others) / 15 * 16 + 1_000,
            feeds: 1,
            fixtures: 1,
            actors: 8,
            currencies: 1,
            quarantined: 1,
            legs: bets + others,
        })
        .bet_ring(1 << 12)
        .clients(4, 4096);
    let engine = Engine::open(config)?;
    let mut trader = engine.control("trader:bench")?;
    let no_limit = Minor(100_000_000_000_000);
    let limits = Limits {
        min_stake: Minor(1),
        max_stake: Minor(100_000),
        max_payout: no_limit,
        max_liability: no_limit,
    };
    trader.set_limits(Currency::GBP, limits)?;
    let mut markets = Vec::new();
    for name in ["settled", "other 1", "other 2", "other 3"] {
        let market = trader.define_market(name, ["home", "draw", "away"])?;
        trader.set_prices(&market, [price!(2.10), price!(3.40), price!(3.75)])?;
        trader.open_market(&market)?;
        markets.push(market);
    }
    let mut client = engine.client(4096)?;
    let mut accounts = Vec::new();
    for reference in 1..=ACCOUNTS {
        let account = client.open_account(Reference(reference), Currency::GBP)?;
        client.deposit(account, money!(10_000_000.00), key(1))?;
        accounts.push(account);
    }

    let mut next_key = 1u128;
    let mut slot = |market: &betring::Market, name: &str| -> Slot {
        next_key += 1;
        let account = accounts[next_key as usize % accounts.len()];
        Place::single(account, market.selection(name), money!(1.00))
            .policy(PricePolicy::Any)
            .key(key(next_key))
            .slot(engine.now())
    };
    let mut replies = vec![Reply::default(); 4096];
    let mut accepted = 0u64;
    let mut collect = |client: &mut betring::Client| -> u64 {
        let count = client.poll(&mut replies);
        let good = replies[..count].iter().filter(|r| r.answer.kind() == AnswerKind::Accepted);
        good.count() as u64
    };

    println!("placing {bets} bets in one market ...");
    let names = ["home", "draw", "away"];
    let mut placed = 0;
    while placed < bets {
        let count = (bets - placed).min(2048);
        let batch: Vec<Slot> =
            (0..count).map(|i| slot(&markets[0], names[(placed + i) as usize % 3])).collect();
        let taken = client.submit_batch(&batch);
        placed += taken.commands as u32;
        engine.run_until_idle()?;
        accepted += collect(&mut client);
    }
    assert_eq!(accepted, u64::from(bets), "every bet was accepted");

    // Calm: the same load in other markets without a job.
    let calm = turns(&engine, &mut client, bets / 64, |client, turn| {
        offer(client, &mut slot, &markets[1 + turn % 3]);
        accepted += collect(client);
    })?;
    let placed_calm = accepted;

    trader.close_market(&markets[0])?;
    let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
    let job = trader.result(&markets[0], [win, lose, lose])?.expect("a first result starts a job");
    let view = engine.events();
    let started = Instant::now();
    let busy = turns(&engine, &mut client, bets / 64, |client, turn| {
        offer(client, &mut slot, &markets[1 + turn % 3]);
        accepted += collect(client);
    })?;
    engine.run_until_idle()?;
    let took = started.elapsed();
    accepted += collect(&mut client);
    drop(view);

    let (_, _, before) = engine.digests()?;
    let state = engine.view_at(betring::Level::Durable)?;
    let book = state.at_least(engine.durable_seq(), Duration::from_secs(120))?;
    let settled = book.market(markets[0].id()).expect("it has not left memory");
    assert_eq!(settled.open_bets, 0, "every bet of the market is settled");
    assert_eq!(book.money_digest(), before, "the follower's money is the loop's");
    let paid = book.bets().filter(|b| b.market == markets[0].id() && 0 < b.paid.0).count();
    assert_eq!(paid as u32, bets.div_ceil(3), "one in three won");
    println!(
        "{job}: {bets} bets settled in {:.2} s, {} bets taken in other markets meanwhile",
        took.as_secs_f64(),
        accepted - placed_calm
    );
    println!("turn            p50         p99         max   (a sync included where one was due)");
    for (name, mut times) in [("calm", calm), ("settling", busy)] {
        times.sort_unstable();
        let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
        println!("{name:<9} {:>9.1?} {:>11.1?} {:>11.1?}", at(0.5), at(0.99), at(1.0));
    }
    println!("money digest {before}");
    Ok(())
}

fn offer(
    client: &mut betring::Client,
    slot: &mut impl FnMut(&betring::Market, &str) -> Slot,
    market: &betring::Market,
) {
    let batch: [Slot; OTHERS] = std::array::from_fn(|_| slot(market, "draw"));
    let taken = client.submit_batch(&batch);
    assert_eq!(taken.commands, OTHERS, "the bet ring takes them");
}

fn turns(
    engine: &Engine,
    client: &mut betring::Client,
    count: u32,
    mut before: impl FnMut(&mut betring::Client, usize),
) -> Result<Vec<Duration>, Error> {
    let mut times = Vec::with_capacity(count as usize);
    for turn in 0..count as usize {
        before(client, turn);
        let start = Instant::now();
        measured_turn(engine)?;
        times.push(start.elapsed());
    }
    Ok(times)
}
