//! A match whose prices a model makes, on a thread of its own: markets, inputs, a bet, a goal.
//!
//! `cargo run -p betring --example pricer`

use betring::pricer::football::{Football, Match};
use betring::pricer::{Priced, Target};
use betring::pricing::Ladder;
use betring::pricing::derive::football::{Margins, Market as Bets, Outcome as Bet, Score};
use betring::pricing::model::football::{Clock, GoalModel};
use betring::*;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// What the trading floor tells the pricer's thread.
enum Order {
    /// At a goal the places of the next goal mean another one: other targets from here on.
    Targets(Vec<Target>),
    End,
}

const SECOND: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let book = std::env::temp_dir().join(format!("pricer-{}", std::process::id()));
    let engine = Engine::open(Config::at(&book))?;
    let prices = engine.prices();
    let mut trader = engine.control("trader:anna")?;

    // The model is a feed: it counts as silent when it says nothing for two seconds.
    let mut feed = engine.feed("model", Nanos::from_secs(2))?;
    feed.recovered(feed.now()).map(drop)?;
    let from = feed.id();
    let derby = trader.define_fixture("England-Scotland", engine.clock().now())?;

    // All 83 markets of a match, and one for the second goal. Each says its feed and its fixture.
    let mut define = |bets: Bets, name: &str, places: &std::ops::Range<usize>| {
        let names = Bet::ALL[places.clone()].iter().map(Bet::to_string);
        let terms = MarketTerms::new(name, names).feed(from).fixture(derby);
        let market = trader.define(terms.winners(bets.winners()))?;
        trader.open_market(&market)?;
        Ok::<Market, Error>(market)
    };
    let (mut markets, mut result, mut second) = (Vec::new(), None, None);
    for (bets, places) in Bets::all() {
        let market = define(bets, &bets.to_string(), &places)?;
        match bets {
            Bets::Result => result = Some(market.id()),
            Bets::NextGoal => second = Some(define(bets, "the second goal", &places)?.id()),
            _ => (),
        }
        markets.push((bets, market.id(), places));
    }
    let (result, second) = result.zip(second).ok_or("a match has a result and goals")?;
    let targets = |next: Option<MarketId>| -> Vec<Target> {
        let of = |(bets, market, places): &(Bets, MarketId, std::ops::Range<usize>)| {
            let market = next.filter(|_| *bets == Bets::NextGoal).unwrap_or(*market);
            Target::all(market, places.clone())
        };
        markets.iter().flat_map(of).collect()
    };

    let model = Football::new(Margins::uniform(0.05)?, Some(Ladder::CLASSIC));
    let mut pricer = Pricer::new(feed, model, 100);
    let first = pricer.add(derby, &targets(None))?;
    let inputs = pricer.inputs();
    let (orders, received) = channel();
    let (told, moved) = channel();
    let mut fixture = first;
    let thread = std::thread::spawn(move || {
        pricer.run(Duration::from_millis(200), |pricer| {
            let now = pricer.feed().now();
            // What the engine does not take now, the next beat says again.
            let _ = pricer.feed().heartbeat(now);
            obey(pricer, derby, &received, &mut fixture, &told)
        })
    });

    let whole = GoalModel::dixon_coles(1.62, 1.04, -0.085)?;
    let now = engine.clock().now();
    let home = Selection { market: result, index: SelectionIndex(0) };
    assert!(inputs.give(first, Match { to_come: whole, score: Score::NIL_NIL }, now));
    println!("home wins, before kick-off: {}", shown(&prices, home)?);

    let mut client = engine.client(16)?;
    let account = client.open_account(Reference(1), Currency::GBP)?;
    client.deposit(account, money!(100.00), key(1))?;
    let bet = Place::single(account, home, money!(10.00)).any_price().key(key(2));
    let ticket = client.try_submit(bet)?;
    if let betring::Outcome::Accepted(bet) = client.wait(ticket, SECOND) {
        println!("{} at {}, {} old", bet.id, bet.price, bet.price_age);
    }

    // A goal: the score changes, all prices at once, and the next goal is the second.
    orders.send(Order::Targets(targets(Some(second))))?;
    let after = moved.recv_timeout(SECOND)?;
    let to_come = whole.remaining(Clock::new(30 * 60, 90 * 60));
    let now = engine.clock().now();
    let before = shown(&prices, home)?;
    assert!(inputs.give(after, Match { to_come, score: Score::new(1, 0) }, now));
    while shown(&prices, home)? == before {
        std::thread::yield_now();
    }
    println!("and one up after half an hour: {}", shown(&prices, home)?);
    println!("{:?}", inputs.health().counts);

    orders.send(Order::End)?;
    let mut pricer = thread.join().map_err(|_| "the pricer's thread panicked")??;
    pricer.feed().settle(SECOND)?;
    assert_eq!(pricer.feed().refused(), (0, None));
    drop(pricer);
    println!("{}", engine.shutdown()?);
    std::fs::remove_dir_all(book)?;
    Ok(())
}

/// What the pricer's thread does for its owner between two turns.
fn obey(
    pricer: &mut Pricer<Football>,
    derby: FixtureId,
    orders: &Receiver<Order>,
    fixture: &mut Priced,
    told: &Sender<Priced>,
) -> ControlFlow<()> {
    for order in orders.try_iter() {
        match order {
            Order::Targets(targets) => {
                pricer.remove(*fixture);
                if let Ok(added) = pricer.add(derby, &targets) {
                    *fixture = added;
                    let _ = told.send(added);
                }
            }
            Order::End => return ControlFlow::Break(()),
        }
    }
    ControlFlow::Continue(())
}

/// A price, once it is there.
fn shown(prices: &Prices, of: Selection) -> Result<String, &'static str> {
    let until = Instant::now() + SECOND;
    while Instant::now() < until {
        if let Some(now) = prices.get(of.market, of.index) {
            return Ok(now.price.to_string());
        }
        std::thread::yield_now();
    }
    Err("no price within a second")
}
