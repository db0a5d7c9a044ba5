//! What an operation of the exchange's book costs: a fixed stream of 2,000,000 orders, 53 % that rest, 35 % that are
//! cancelled, 12 % that meet others, at about 1,000 and about 100,000 orders that rest; and how long a cancel takes in a
//! level of a million.
//!
//! `cargo bench -p betring-benches --bench book`. With `--test` the stream is short.

use betring_core::book::{
    Book, End, Improvement, Log, OrderIndex, Orders, Prices, SelfMatch, Side, Taker,
};
use betring_pricing::{Ladder, Tick};
use std::time::{Duration, Instant};

/// The middle of the ladder, where backs and lays meet.
const MIDDLE: u32 = 175;

/// Numbers that look random and follow from the seed (xorshift64*, S. Vigna, public domain).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(mixed) * u128::from(bound)) >> 64) as u64
    }
}

#[derive(Clone, Copy)]
enum Op {
    Place(Taker),
    /// The order at this place of those that rest.
    Cancel(u64),
}

fn taker(random: &mut Random, crosses: bool) -> Taker {
    let side = if random.below(2) == 0 { Side::Back } else { Side::Lay };
    let away = 1 + random.below(30) as u32;
    // Backs rest above the middle, lays below; one that crosses goes the other way.
    let up = (side == Side::Back) != crosses;
    let limit = if up { MIDDLE + away } else { MIDDLE - away };
    Taker {
        account: random.below(1_000) as u32,
        selection: 0,
        side,
        limit: Tick::new(limit),
        size: 1 + random.below(if crosses { 160 } else { 100 }) as i64,
        kill: None,
        self_match: SelfMatch::Allow,
        improvement: Improvement::Take,
    }
}

struct Played {
    took: Duration,
    fills: u64,
    stake: u64,
    rest: u32,
}

/// Plays a stream over a book in which about `live` orders rest.
fn play(live: usize, ops: usize) -> Played {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut book = Book::new(Prices::of(&Ladder::CLASSIC), 1, false);
    let mut orders = Orders::with_capacity(1 << 22);
    let mut log = Log::new();
    let mut resting: Vec<OrderIndex> = Vec::with_capacity(1 << 22);
    for _ in 0..live {
        let placed = book.place(&mut orders, &taker(&mut random, false), &mut log).expect("let in");
        if let End::Rests(index) = placed.end {
            resting.push(index);
        }
        book.finish(&mut orders, &mut log);
    }
    let stream: Vec<Op> = (0..ops)
        .map(|_| match random.below(100) {
            0..=52 => Op::Place(taker(&mut random, false)),
            53..=87 => Op::Cancel(random.below(u64::MAX)),
            _ => Op::Place(taker(&mut random, true)),
        })
        .collect();
    let mut played = Played { took: Duration::ZERO, fills: 0, stake: 0, rest: 0 };
    let began = Instant::now();
    for op in &stream {
        match op {
            Op::Place(taker) => {
                let placed = book.place(&mut orders, taker, &mut log).expect("let in");
                played.fills += log.steps().len() as u64;
                played.stake += placed.matched as u64;
                if let End::Rests(index) = placed.end {
                    resting.push(index);
                }
                book.finish(&mut orders, &mut log);
            }
            // Those that were matched meanwhile are passed over.
            Op::Cancel(at) => {
                while !resting.is_empty() {
                    let index = resting.swap_remove((at % resting.len() as u64) as usize);
                    if book.cancel(&mut orders, index).is_some() {
                        break;
                    }
                }
            }
        }
    }
    played.took = began.elapsed();
    played.rest = orders.len();
    book.check(&orders).expect("sound");
    played
}

/// How long cancels take from the middle of a level of so many.
fn cancels_of_a_level(orders_of: u32) -> Duration {
    let mut book = Book::new(Prices::of(&Ladder::CLASSIC), 1, false);
    let mut orders = Orders::with_capacity(orders_of);
    let mut log = Log::new();
    let mut random = Random(7);
    let one = Taker { limit: Tick::new(MIDDLE), side: Side::Back, ..taker(&mut random, false) };
    let mut resting = Vec::new();
    for _ in 0..orders_of {
        if let End::Rests(index) = book.place(&mut orders, &one, &mut log).expect("let in").end {
            resting.push(index);
        }
        book.finish(&mut orders, &mut log);
    }
    let middle = resting.len() / 2;
    let cancels = &resting[middle..(middle + 1_000).min(resting.len())];
    let began = Instant::now();
    for index in cancels {
        book.cancel(&mut orders, *index).expect("it rests");
    }
    began.elapsed() / cancels.len().max(1) as u32
}

fn main() {
    let test = std::env::args().any(|arg| arg == "--test");
    let ops = if test { 20_000 } else { 2_000_000 };
    println!("{}", betring_benches::machine::Machine::measure(&std::env::temp_dir()));
    println!("stream of {ops} orders: 53 % rest, 35 % cancels, 12 % meet others");
    for live in [1_000, 100_000] {
        let mut runs: Vec<Played> =
            (0..if test { 1 } else { 5 }).map(|_| play(live, ops)).collect();
        runs.sort_by_key(|played| played.took);
        let of = |played: &Played| played.took.as_nanos() as f64 / ops as f64;
        let (least, median) = (of(&runs[0]), of(&runs[runs.len() / 2]));
        let Played { fills, stake, rest, .. } = runs[0];
        println!(
            "{live:>7} at first, {rest:>7} at the end: {least:.1} to {median:.1} ns an order (least and median of \
             {} runs), {fills} fills of {stake} minor units",
            runs.len()
        );
        assert!(runs.iter().all(|played| (played.fills, played.stake) == (fills, stake)));
        assert!(0 < fills && 0 < rest);
    }
    let sizes: [u32; 2] = if test { [100, 2_000] } else { [1_000, 1_000_000] };
    for orders in sizes {
        println!("a cancel in a level of {orders:>9}: {:?}", cancels_of_a_level(orders));
    }
}
