//! News that come late, twice and in any order: whoever has all of them has the same money.

use crate::house::{Dice, House};
use betring_core::command::*;
use betring_core::event::Events;
use betring_core::id::*;
use betring_core::time::Timestamp;
use betring_core::{Digest, State};
use betring_pricing::{EachWay, LegNumbers, Pence, Price, Shape};

/// What a source says of a market, with its own time.
#[derive(Clone, Copy, Debug)]
struct News {
    market: usize,
    source: i64,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Result(u64),
    Rollback,
    Cancel { window: u64, cancel: bool },
}

const MARKETS: usize = 4;

/// Bets of every kind over a few seconds, so that windows cut between them.
fn book() -> (House, Vec<MarketId>) {
    let mut house = House::open(3);
    let price = |e4| Price::from_e4(e4).unwrap();
    let markets: Vec<MarketId> = (0..MARKETS)
        .map(|at| {
            let prices = [("a", price(25_000)), ("b", price(31_234)), ("c", price(40_000))];
            house.market(&format!("m{at}"), FixtureId::NONE, 1, &prices)
        })
        .collect();
    let lucky = Shape::named("lucky15").unwrap();
    let treble = Shape::new(3, 0b100, 0, EachWay::No).unwrap();
    for round in 0..4_u16 {
        for (at, market) in markets.iter().enumerate() {
            house.single(at as u32 % 3, 777 + i64::from(round), *market, round % 3);
        }
        let legs: Vec<(MarketId, u16)> = markets.iter().map(|m| (*m, round % 3)).collect();
        house.ticket(0, 101, lucky, &legs);
        house.ticket(1, 333, treble, &legs[..3]);
        house.ticket(
            2,
            57,
            lucky,
            &legs.iter().map(|(m, s)| (*m, (s + 1) % 3)).collect::<Vec<_>>(),
        );
        house.now += 1_000_000_000;
    }
    (house, markets)
}

fn entries(choice: u64) -> Vec<ResultEntry> {
    let entry = |at: u16, numbers| ResultEntry::shares(SelectionIndex(at), numbers);
    let (won, lost) = (LegNumbers::WON, LegNumbers::LOST);
    match choice {
        0..=2 => (0..3_u16)
            .map(|at| entry(at, if u64::from(at) == choice { won } else { lost }))
            .collect(),
        3 => {
            let shared = LegNumbers::dead_heat(1, 2).unwrap();
            vec![entry(0, shared), entry(1, shared), entry(2, lost)]
        }
        4 => {
            let half = LegNumbers::HALF_WON.with_rule4(Pence::new(10).unwrap());
            vec![entry(0, half), entry(1, LegNumbers::HALF_LOST), entry(2, LegNumbers::VOID)]
        }
        _ => (0..3_u16).map(|at| entry(at, LegNumbers::VOID)).collect(),
    }
}

fn story(dice: &mut Dice) -> Vec<News> {
    let mut news = Vec::new();
    for market in 0..MARKETS {
        let count = 1 + dice.roll(5);
        let mut source = 10_000_000_000;
        for _ in 0..count {
            source += 1 + dice.roll(1_000) as i64;
            let what = match dice.roll(6) {
                0..=2 => What::Result(dice.roll(6)),
                3 => What::Rollback,
                _ => What::Cancel { window: dice.roll(3), cancel: dice.roll(3) != 0 },
            };
            news.push(News { market, source, what });
        }
    }
    news
}

/// Gives a piece of news under a key of its own; some are not allowed yet, and say so.
fn give(house: &mut House, markets: &[MarketId], news: News, at: u64) {
    let start = house.now - 4_000_000_000;
    let source = Timestamp(news.source);
    let market = markets[news.market];
    let header = house.control();
    let valid_until = house.until();
    match news.what {
        What::Result(choice) => {
            let body = MarketResult { valid_until, market, source, ..MarketResult::default() };
            house.ask(&build::result(header, body, &entries(choice)).unwrap());
        }
        What::Rollback => {
            let body = RollbackResult { valid_until, market, source, ..RollbackResult::default() };
            house.ask(&[build::plain(header, &body)]);
        }
        What::Cancel { window, cancel } => {
            let (from, until) =
                [(0, 0), (1_500_000_000, 2_500_000_000), (0, 900_000_000)][window as usize];
            let moment = |offset: i64| Timestamp(if offset == 0 { 0 } else { start + offset });
            let body = CancelBets {
                valid_until,
                cancel: u8::from(cancel),
                market,
                from: moment(from),
                until: moment(until),
                source,
                ..CancelBets::default()
            };
            house.ask(&[build::plain(header, &body)]);
        }
    }
    // Sometimes all of it reaches the bets before the next, sometimes only a little.
    match at % 3 {
        0 => house.work(),
        1 if house.state.has_work() => {
            let body = Step { budget: 1, ..Step::default() };
            house.give(&[build::plain(Default::default(), &body)]);
        }
        _ => (),
    }
}

fn ends_in(set_up: &State, now: i64, markets: &[MarketId], news: &[News], seed: u64) -> Digest {
    let mut house = House { state: set_up.clone(), events: Events::new(), now, key: 1 << 100 };
    let mut dice = Dice(seed);
    for piece in news {
        give(&mut house, markets, *piece, dice.roll(3));
    }
    house.work();
    house.state.check().unwrap_or_else(|what| panic!("{what}: {news:?}"));
    house.state.money_digest()
}

#[test]
fn permuted_late_and_doubled_news_end_in_the_same_money() {
    let (set_up, markets) = book();
    let seeds = u64::from(crate::cases(3_000));
    let mut different = std::collections::BTreeSet::new();
    for seed in 0..seeds {
        let mut dice = Dice(seed);
        let story = story(&mut dice);
        let mut in_order = story.clone();
        in_order.sort_by_key(|news| news.source);
        let expected = ends_in(&set_up.state, set_up.now, &markets, &in_order, seed);
        different.insert(expected.0);
        for round in 0..3_u64 {
            let mut shuffled = story.clone();
            // Some of it is said twice.
            for _ in 0..dice.roll(3) {
                let again = shuffled[dice.roll(shuffled.len() as u64) as usize];
                shuffled.push(again);
            }
            for at in (1..shuffled.len()).rev() {
                shuffled.swap(at, dice.roll(at as u64 + 1) as usize);
            }
            let found = ends_in(&set_up.state, set_up.now, &markets, &shuffled, seed ^ round);
            assert_eq!(found, expected, "seed {seed}: {in_order:?}\n{shuffled:?}");
        }
    }
    // The stories do differ: a test of one money would pass without a settlement.
    assert!(seeds / 2 < different.len() as u64, "{} ends of {seeds}", different.len());
}
