//! The exchange's book is the slow and obvious one, and its house never loses.

use betring_core::book::{
    Book, End, Improvement, Log, Order, OrderIndex, Orders, Placed, Prices, SelfMatch, Side, Stand,
    Step, Taker, exposure,
};
use betring_fuzz::naive_book::{Became, Did, NaiveBook};
use betring_fuzz::workload::Rng;
use betring_pricing::{Ladder, Tick};
use std::collections::BTreeMap;

const ROOM: u32 = 400;

/// Both books, and which place of the one is which number of the other.
struct Both {
    book: Book,
    orders: Orders,
    log: Log,
    naive: NaiveBook,
    numbers: BTreeMap<OrderIndex, u64>,
    selections: u16,
}

impl Both {
    fn new(ladder: &Ladder, selections: u16, crosses: bool) -> Both {
        Both {
            book: Book::new(Prices::of(ladder), selections, crosses),
            orders: Orders::with_capacity(ROOM),
            log: Log::new(),
            naive: NaiveBook::new(ladder, selections, crosses, ROOM as usize),
            numbers: BTreeMap::new(),
            selections,
        }
    }

    /// Places it in both; what it did.
    fn place(&mut self, taker: &Taker, say: &str) -> Vec<Step> {
        let was = self.book.place(&mut self.orders, taker, &mut self.log);
        let is = self.naive.place(taker);
        let steps = self.log.steps().to_vec();
        let (was, is) = match (was, is) {
            (Err(was), Err(is)) => {
                assert_eq!(was, is, "{say}");
                return Vec::new();
            }
            (Ok(was), Ok((is, did))) => {
                let mine: Vec<Did> = steps.iter().map(|step| self.did(taker, step)).collect();
                assert_eq!(mine, did, "{say}");
                (was, is)
            }
            (was, is) => panic!("{say}: {was:?}, {is:?}"),
        };
        for step in &steps {
            match step {
                Step::Fill { maker, left: 0, .. }
                | Step::Leg { maker, left: 0, .. }
                | Step::Cancelled { maker, .. } => drop(self.numbers.remove(maker)),
                _ => (),
            }
        }
        self.book.finish(&mut self.orders, &mut self.log);
        if let (End::Rests(index), Some(number)) = (was.end, is.waits) {
            self.numbers.insert(index, number);
        }
        let Placed { matched, returns_e4, left, end } = was;
        let lapse = match end {
            End::Lapsed(lapse) => Some(lapse),
            End::Matched | End::Rests(_) => None,
        };
        let waits = match end {
            End::Rests(index) => self.numbers.get(&index).copied(),
            End::Matched | End::Lapsed(_) => None,
        };
        assert_eq!(Became { matched, returns_e4, left, lapse, waits }, is, "{say}");
        assert_eq!(end == End::Matched, left == 0, "{say}");
        steps
    }

    fn did(&self, taker: &Taker, step: &Step) -> Did {
        match *step {
            Step::Fill { maker, tick, stake, left, .. } => {
                Did::Met(self.numbers[&maker], taker.selection, tick, stake, left)
            }
            Step::Leg { maker, selection, tick, stake, left, .. } => {
                Did::Met(self.numbers[&maker], selection, tick, stake, left)
            }
            Step::Cross { tick, stake, legs } => Did::Crossed(tick, stake, legs as usize),
            Step::Cancelled { maker, left } => Did::Cancelled(self.numbers[&maker], left),
        }
    }

    fn same_depth(&self, say: &str) {
        self.book.check(&self.orders).unwrap_or_else(|what| panic!("{say}: {what}"));
        assert_eq!(self.orders.len() as usize, self.naive.orders.len(), "{say}");
        for selection in 0..self.selections {
            for side in [Side::Back, Side::Lay] {
                let mine: Vec<(Tick, i64)> = self.book.depth(selection, side).collect();
                assert_eq!(mine, self.naive.depth(selection, side), "{say}");
            }
        }
    }

    fn any(&self, rng: &mut Rng) -> Option<(OrderIndex, u64)> {
        let at = rng.below(self.numbers.len() as u64) as usize;
        self.numbers.iter().nth(at).map(|(index, number)| (*index, *number))
    }
}

fn taker_of(rng: &mut Rng, selections: u16, ticks: u32, around: u32) -> Taker {
    let size = match rng.below(10) {
        0 => 1 + rng.below(3) as i64,
        1 => 1 + rng.below(1_000_000) as i64,
        _ => 1 + rng.below(5_000) as i64,
    };
    let spread = 1 + rng.below(30);
    let limit = (around + rng.below(spread) as u32).min(ticks - 1);
    let kill = rng.permille(80).then(|| 1 + rng.below(size as u64) as i64);
    let own =
        [SelfMatch::RefuseTaker, SelfMatch::CancelMaker, SelfMatch::CancelBoth, SelfMatch::Allow];
    Taker {
        account: rng.below(6) as u32,
        selection: rng.below(u64::from(selections)) as u16,
        side: rng.pick(&[Side::Back, Side::Lay]),
        limit: Tick::new(limit),
        size,
        kill,
        self_match: rng.pick(&own),
        improvement: if rng.permille(50) { Improvement::Refuse } else { Improvement::Take },
    }
}

/// Nights of one book: what orders do in both is the same. How many commands, fills and cross-matches.
fn differ(seeds: std::ops::Range<u64>, commands: u64) -> (u64, u64, u64) {
    let (mut done, mut fills, mut crosses) = (0, 0, 0);
    for seed in seeds {
        let mut rng = Rng::new(seed);
        let ladder = rng.pick(&[Ladder::CLASSIC, Ladder::CLASSIC, Ladder::BETDAQ]);
        let selections = 1 + rng.below(6) as u16;
        let mut both = Both::new(&ladder, selections, rng.permille(800));
        // Around a price at which the selections together come to about 1.
        let fair = (10_000 * u64::from(selections.max(2))).min(200_000);
        let around = ladder.prices().take_while(|p| u64::from(p.e4()) < fair).count() as u32;
        for command in 0..commands {
            let say = format!("seed {seed}, command {command}");
            match rng.below(100) {
                0..=24 => {
                    if let Some((index, number)) = both.any(&mut rng) {
                        let gone = both.book.cancel(&mut both.orders, index);
                        assert_eq!(gone, both.naive.cancel(number), "{say}");
                        both.numbers.remove(&index);
                    }
                }
                25..=31 => {
                    if let Some((index, number)) = both.any(&mut rng) {
                        let by = rng.below(3_000) as i64;
                        let less = both.book.reduce(&mut both.orders, index, by);
                        assert_eq!(less, both.naive.reduce(number, by), "{say}");
                        if both.orders.get(index).is_none() {
                            both.numbers.remove(&index);
                        }
                    }
                }
                _ => {
                    let low = around.saturating_sub(15 + rng.below(10) as u32);
                    let taker = taker_of(&mut rng, selections, ladder.len(), low);
                    let steps = both.place(&taker, &say);
                    fills += steps.iter().filter(|s| matches!(s, Step::Fill { .. })).count() as u64;
                    crosses +=
                        steps.iter().filter(|s| matches!(s, Step::Cross { .. })).count() as u64;
                }
            }
            done += 1;
            if command % 16 == 0 {
                both.same_depth(&say);
            }
        }
        both.same_depth(&format!("seed {seed}, at the end"));
    }
    (done, fills, crosses)
}

#[test]
fn a_dense_book_and_a_list_of_orders_do_the_same() {
    let (done, fills, crosses) = differ(0..80, 600);
    println!("{done} commands, {fills} fills, {crosses} cross-matches");
    assert!(10_000 < fills && 500 < crosses, "{fills} fills, {crosses} cross-matches");
}

#[test]
#[ignore = "minutes: cargo test --release -p betring-fuzz --test it -- --ignored ten_million"]
fn ten_million_commands_do_the_same_in_both_books() {
    let (done, fills, crosses) = differ(1_000..6_000, 2_000);
    println!("{done} commands, {fills} fills, {crosses} cross-matches");
    assert!(10_000_000 <= done && 1_000_000 < fills && 100_000 < crosses);
}

/// The house's profit in every outcome of one cross-match, in ten-thousandths of a minor unit.
fn house(taker: &Taker, steps: &[Step], ladder: &Ladder, selections: u16) -> Vec<i128> {
    let e4 = |tick: u32| i128::from(ladder.price(Tick::new(tick)).expect("on the ladder").e4());
    let mut profit = vec![0_i128; usize::from(selections)];
    let mut meets = |selection: u16, tick: u32, stake: i64| {
        for (outcome, profit) in profit.iter_mut().enumerate() {
            let won = outcome == usize::from(selection);
            let back = i128::from(stake) * if won { e4(tick) - 10_000 } else { -10_000 };
            // The taker and the makers bet the same way, and the house the other.
            *profit -= if taker.side == Side::Back { back } else { -back };
        }
    };
    for step in steps {
        match *step {
            Step::Cross { tick, stake, .. } => meets(taker.selection, tick, stake),
            Step::Leg { selection, tick, stake, .. } => meets(selection, tick, stake),
            Step::Fill { .. } | Step::Cancelled { .. } => (),
        }
    }
    profit
}

fn house_never_loses(books: u64, seed: u64) -> (u64, u64) {
    let ladder = Ladder::CLASSIC;
    let prices = Prices::of(&ladder);
    let mut rng = Rng::new(seed);
    let (mut crosses, mut worse) = (0, 0);
    for book in 0..books {
        let selections = 2 + rng.below(23) as u16;
        let mut dense = Book::new(prices.clone(), selections, true);
        let mut orders = Orders::with_capacity(2_000);
        let mut log = Log::new();
        // A fair chance for everybody, and orders about it.
        let weights: Vec<u64> = (0..selections).map(|_| 1 + rng.below(100)).collect();
        let sum: u64 = weights.iter().sum();
        // Mostly one side waits, at prices that together leave something for the house.
        let waits = rng.pick(&[Side::Back, Side::Lay]);
        for _ in 0..u64::from(selections) * 8 {
            let selection = rng.below(u64::from(selections)) as u16;
            let fair = 10_000 * sum / weights[usize::from(selection)];
            let side = if rng.permille(800) { waits } else { waits.other() };
            let asked = match side {
                Side::Back => fair * (97 + rng.below(21)) / 100,
                Side::Lay => fair * (83 + rng.below(21)) / 100,
            };
            let tick = ladder.prices().take_while(|p| u64::from(p.e4()) <= asked).count();
            let taker = Taker {
                account: rng.below(1_000) as u32,
                selection,
                side,
                limit: Tick::new((tick as u32).saturating_sub(1)),
                size: 1 + rng.below(200_000) as i64,
                kill: None,
                self_match: SelfMatch::Allow,
                improvement: Improvement::Take,
            };
            let say = format!("seed {seed}, book {book}, {taker:?}");
            let placed = dense.place(&mut orders, &taker, &mut log).expect("let in");
            let profit = house(&taker, log.steps(), &ladder, selections);
            assert!(profit.iter().all(|profit| 0 <= *profit), "{say}: {profit:?}");
            crosses +=
                log.steps().iter().filter(|s| matches!(s, Step::Cross { .. })).count() as u64;
            // No order that is left is better for the taker than any price that it got.
            let got = log.steps().iter().filter_map(|step| match step {
                Step::Fill { tick, .. } | Step::Cross { tick, .. } => Some(*tick),
                Step::Leg { .. } | Step::Cancelled { .. } => None,
            });
            let worst = got.reduce(|a, b| if taker.side.prefers(a, b) { b } else { a });
            let left = dense.best(selection, taker.side.other()).map(Tick::index);
            if let (Some(worst), Some(left)) = (worst, left)
                && !matches!(placed.end, End::Lapsed(_))
            {
                assert!(!taker.side.prefers(left, worst), "{say}: got {worst}, there is {left}");
            }
            worse += u64::from(matches!(placed.end, End::Rests(_)));
            dense.finish(&mut orders, &mut log);
        }
        dense.check(&orders).expect("sound");
    }
    (crosses, worse)
}

#[test]
fn between_selections_the_house_loses_in_no_outcome_and_no_better_order_is_passed_over() {
    let (crosses, rest) = house_never_loses(300, 77);
    println!("{crosses} cross-matches, {rest} orders that rest");
    assert!(200 < crosses && 1_000 < rest, "{crosses}, {rest}");
}

#[test]
#[ignore = "minutes: cargo test --release -p betring-fuzz --test it -- --ignored hundred_thousand"]
fn a_hundred_thousand_books_and_the_house_never_loses() {
    let (crosses, rest) = house_never_loses(100_000, 1);
    println!("{crosses} cross-matches, {rest} orders that rest");
    assert!(50_000 < crosses);
}

#[test]
fn the_orders_that_were_there_first_are_met_first_at_their_own_price() {
    let ladder = Ladder::CLASSIC;
    let mut book = Book::new(Prices::of(&ladder), 2, false);
    let (mut orders, mut log) = (Orders::with_capacity(8), Log::new());
    let tick = |text: &str| ladder.tick(text.parse().expect("a price")).expect("on the ladder");
    let mut place = |account, side, price: &str, size| {
        let taker = Taker {
            account,
            selection: 0,
            side,
            limit: tick(price),
            size,
            kill: None,
            self_match: SelfMatch::RefuseTaker,
            improvement: Improvement::Take,
        };
        let placed = book.place(&mut orders, &taker, &mut log).expect("let in");
        let met: Vec<(u32, u32, i64)> = log
            .steps()
            .iter()
            .map(|step| match *step {
                Step::Fill { account, tick, stake, .. } => (account, tick, stake),
                other => panic!("{other:?}"),
            })
            .collect();
        book.finish(&mut orders, &mut log);
        (placed, met)
    };
    // Anna lays at 2.50, Ben at 2.50 after her, Carl at 2.52.
    place(1, Side::Lay, "2.50", 1_000);
    place(2, Side::Lay, "2.50", 1_000);
    place(3, Side::Lay, "2.52", 300);
    // Dora backs 20.00 at 2.48 or better: first Carl, then Anna, then Ben.
    let (placed, met) = place(4, Side::Back, "2.48", 2_000);
    let (at_250, at_252) = (tick("2.50").index(), tick("2.52").index());
    assert_eq!(met, [(3, at_252, 300), (1, at_250, 1_000), (2, at_250, 700)]);
    assert_eq!((placed.matched, placed.left, placed.end), (2_000, 0, End::Matched));
    assert_eq!(placed.returns_e4, 300 * 25_200 + 1_700 * 25_000);
    let order: Option<&Order> = orders.get(OrderIndex(1));
    assert_eq!(
        order.map(|order| (order.account, order.remaining, order.matched)),
        Some((2, 300, 700))
    );
}

#[test]
fn fill_or_kill_looks_at_the_average_and_leaves_no_trace_when_it_is_killed() {
    let ladder = Ladder::CLASSIC;
    let mut book = Book::new(Prices::of(&ladder), 2, false);
    let (mut orders, mut log) = (Orders::with_capacity(8), Log::new());
    let tick = |text: &str| ladder.tick(text.parse().expect("a price")).expect("on the ladder");
    let taker = |account, side, price: &str, size, kill| Taker {
        account,
        selection: 0,
        side,
        limit: tick(price),
        size,
        kill,
        self_match: SelfMatch::RefuseTaker,
        improvement: Improvement::Take,
    };
    for (price, size) in [("5.0", 200), ("5.4", 200)] {
        let lay = taker(1, Side::Lay, price, size, None);
        book.place(&mut orders, &lay, &mut log).expect("let in");
        book.finish(&mut orders, &mut log);
    }
    // 2.00 at 5.4 and 2.00 at 5.0 are 5.2 on average: 5.3 is too much for all of it, 5.2 is not.
    let before: Vec<_> = book.depth(0, Side::Lay).collect();
    let all = taker(2, Side::Back, "5.3", 400, Some(400));
    let placed = book.place(&mut orders, &all, &mut log).expect("let in");
    assert_eq!((placed.matched, placed.end), (0, End::Lapsed(betring_core::book::Lapse::Killed)));
    assert_eq!(book.depth(0, Side::Lay).collect::<Vec<_>>(), before);
    book.check(&orders).expect("sound");
    let some = taker(2, Side::Back, "5.3", 400, Some(250));
    let placed = book.place(&mut orders, &some, &mut log).expect("let in");
    // (200 × 5.4 + 66 × 5.0) / 266 is 5.3007…, one more would be below 5.3.
    assert_eq!(placed.matched, 266);
    assert_eq!(placed.end, End::Lapsed(betring_core::book::Lapse::Filled));
}

/// What can be lost at worst, by playing every outcome: each order on its own, one that waits only where it would lose.
fn worst_of_all(orders: &[(u16, Side, bool, i64, u32)], selections: u16, winners: u32) -> i128 {
    let outcomes = (0_u32..1 << selections).filter(|won| won.count_ones() == winners);
    let worst = outcomes.map(|won| {
        let profit = |(selection, side, waits, stake, odds): &(u16, Side, bool, i64, u32)| {
            let back = match won >> selection & 1 {
                1 => i128::from(*stake) * i128::from(odds - 10_000),
                _ => -i128::from(*stake) * 10_000,
            };
            let profit = if *side == Side::Back { back } else { -back };
            if *waits { profit.min(0) } else { profit }
        };
        orders.iter().map(profit).sum::<i128>()
    });
    let loss = -worst.min().unwrap_or(0).min(0);
    (loss + 9_999) / 10_000
}

fn exposures(flows: u64, seed: u64) {
    let mut rng = Rng::new(seed);
    for flow in 0..flows {
        let selections = 1 + rng.below(7) as u16;
        let winners = (1 + rng.below(3) as u32).min(u32::from(selections));
        let mut stands = vec![Stand::default(); usize::from(selections)];
        let mut orders: Vec<(u16, Side, bool, i64, u32)> = Vec::new();
        for _ in 0..rng.below(24) {
            // Some that wait are matched in part or cancelled, as orders are.
            let at = rng.below(1 + orders.len() as u64) as usize;
            match orders.get(at).copied() {
                Some((selection, side, true, stake, odds)) if 0 < stake && rng.permille(600) => {
                    let part = 1 + rng.below(stake as u64) as i64;
                    let stand = &mut stands[usize::from(selection)];
                    stand.waits(side, -part, odds);
                    orders[at].3 -= part;
                    if rng.permille(700) {
                        stand.matched(side, part, odds);
                        orders.push((selection, side, false, part, odds));
                    }
                }
                _ => {
                    let selection = rng.below(u64::from(selections)) as u16;
                    let side = rng.pick(&[Side::Back, Side::Lay]);
                    let odds = 10_100 + rng.below(100_000) as u32;
                    let stake = 1 + rng.below(100_000) as i64;
                    stands[usize::from(selection)].waits(side, stake, odds);
                    orders.push((selection, side, true, stake, odds));
                }
            }
        }
        let worst = worst_of_all(&orders, selections, winners);
        let found = exposure(&stands, winners as usize);
        assert_eq!(found, worst, "seed {seed}, flow {flow}: {winners} winners, {orders:?}");
    }
}

#[test]
fn what_an_account_can_lose_is_the_worst_of_all_outcomes() {
    exposures(20_000, 5);
}

#[test]
fn a_million_flows_of_orders_and_the_worst_of_all_outcomes() {
    exposures(1_000_000, 6);
}
