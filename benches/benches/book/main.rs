//! What an order costs on the exchange: a fixed stream, 53 % that rest, 35 % that are cancelled, 12 % that meet others,
//! at about 1,000 and about 100,000 orders that rest. Three times: the book alone; with what both sides risk, each
//! account's exposure and an event for everything that happened; and as commands of the whole state, with keys, money and
//! journal events. And how long a cancel takes in a level of a million.
//!
//! `cargo bench -p betring-benches --bench book`. With `--test` the stream is short. Instructions:
//! `benches/book-instructions.sh`.

#[path = "../shared/decide.rs"]
mod decide;
#[path = "../shared/orders.rs"]
mod orders;
mod state;

use betring_core::book::{Book, End, Log, Orders, Prices, Side, Stand, Step, Taker, exposure};
use betring_pricing::{Ladder, Tick};
use orders::{ACCOUNTS, Bare, MIDDLE, Op, Random, Stream, stream, taker};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Something that plays a stream.
trait Plays {
    /// What is counted first.
    const COUNTS: &str = "fills";

    fn play(&mut self, op: &Op);
    /// So many of these, what was matched, orders that rest.
    fn figures(&self) -> (u64, u64, u32);
}

impl Plays for Bare {
    fn play(&mut self, op: &Op) {
        Bare::play(self, op);
    }

    fn figures(&self) -> (u64, u64, u32) {
        Bare::figures(self)
    }
}

/// The same with what accounts risk, and an event for everything.
struct Risked {
    bare: Bare,
    prices: Arc<Prices>,
    /// By account: on the selection, and on another that has no bets.
    stands: Vec<[Stand; 2]>,
    held: Vec<i64>,
    events: Vec<u8>,
}

impl Risked {
    fn new(orders: usize) -> Risked {
        Risked {
            bare: Bare::new(orders),
            prices: Prices::of(&Ladder::CLASSIC),
            stands: vec![[Stand::default(); 2]; ACCOUNTS],
            held: vec![0; ACCOUNTS],
            events: Vec::with_capacity(1 << 16),
        }
    }

    /// As many bytes as the state's events of an order, a match, a cut have.
    fn tell<const BYTES: usize>(&mut self, first: u64, second: i64) {
        let mut event = [0; BYTES];
        event[..8].copy_from_slice(&first.to_le_bytes());
        event[8..16].copy_from_slice(&second.to_le_bytes());
        self.events.extend_from_slice(&event);
    }

    fn hold(&mut self, account: u32) {
        let worst = exposure(&self.stands[account as usize], 1) as i64;
        if self.held[account as usize] != worst {
            self.held[account as usize] = worst;
            self.tell::<32>(u64::from(account), worst);
        }
    }
}

impl Plays for Risked {
    fn play(&mut self, op: &Op) {
        self.events.clear();
        match op {
            Op::Place(taker) => {
                let limit = self.prices.odds_e4(taker.limit);
                self.stands[taker.account as usize][0].waits(taker.side, taker.size, limit);
                self.hold(taker.account);
                let bare = &mut self.bare;
                let number = bare.places.len() as u32;
                let placed =
                    bare.book.place(&mut bare.orders, taker, &mut bare.log).expect("let in");
                bare.fills += bare.log.steps().len() as u64;
                bare.stake += placed.matched as u64;
                self.tell::<88>(u64::from(number), taker.size);
                for at in 0..self.bare.log.steps().len() {
                    let Step::Fill { account, tick, stake, .. } = self.bare.log.steps()[at] else {
                        continue;
                    };
                    let odds = self.prices.odds_e4(Tick::new(tick));
                    let maker = &mut self.stands[account as usize][0];
                    maker.waits(taker.side.other(), -stake, odds);
                    maker.matched(taker.side.other(), stake, odds);
                    let own = &mut self.stands[taker.account as usize][0];
                    own.waits(taker.side, -stake, limit);
                    own.matched(taker.side, stake, odds);
                    self.tell::<64>(u64::from(number), stake);
                    self.hold(account);
                }
                self.hold(taker.account);
                let bare = &mut self.bare;
                bare.book.finish(&mut bare.orders, &mut bare.log);
                bare.places.push(match placed.end {
                    End::Rests(place) => {
                        bare.orders.set_number(place, number);
                        Some(place)
                    }
                    End::Matched | End::Lapsed(_) => None,
                });
            }
            Op::Cancel(number) => {
                let place = self.bare.places[*number as usize].expect("it rests");
                let order = *self.bare.orders.get(place).expect("it rests");
                self.bare.book.cancel(&mut self.bare.orders, place).expect("it rests");
                let odds = self.prices.odds_e4(Tick::new(order.tick));
                let stand = &mut self.stands[order.account as usize][0];
                stand.waits(order.side, -order.remaining, odds);
                self.tell::<40>(u64::from(*number), order.remaining);
                self.hold(order.account);
            }
        }
        black_box(&self.events);
    }

    fn figures(&self) -> (u64, u64, u32) {
        self.bare.figures()
    }
}

/// What callgrind counts.
#[inline(never)]
fn measured(plays: &mut impl Plays, ops: &[Op]) {
    for op in ops {
        plays.play(op);
    }
}

struct Played {
    took: Duration,
    counts: &'static str,
    figures: (u64, u64, u32),
}

fn run<P: Plays>(mut plays: P, stream: &Stream) -> Played {
    for op in &stream.first {
        plays.play(op);
    }
    let began = Instant::now();
    measured(&mut plays, &stream.ops);
    Played { took: began.elapsed(), counts: P::COUNTS, figures: plays.figures() }
}

fn show(what: &str, ops: usize, mut runs: Vec<Played>) {
    runs.sort_by_key(|played| played.took);
    let of = |played: &Played| played.took.as_nanos() as f64 / ops as f64;
    let (least, median) = (of(&runs[0]), of(&runs[runs.len() / 2]));
    let (counted, stake, rest) = runs[0].figures;
    println!(
        "  {what:<32} {least:>6.1} to {median:>6.1} ns an order (least and median of {} runs), {counted} {}, {stake} minor \
         units matched, {rest} rest",
        runs.len(),
        runs[0].counts
    );
    assert!(runs.iter().all(|played| played.figures == (counted, stake, rest)));
    assert!(0 < counted && 0 < rest);
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
    // One stream of so many for callgrind: which of the three, orders at first, orders that are measured.
    if let Ok(one) = std::env::var("BOOK_STREAM") {
        let mut words = one.split(' ');
        let which = words.next().unwrap_or_default().to_owned();
        let mut number = || words.next().and_then(|n| n.parse().ok()).expect("WHICH LIVE OPS");
        let (live, ops): (usize, usize) = (number(), number());
        let stream = stream(live, ops);
        let played = match which.as_str() {
            "book" => run(Bare::new(live + ops), &stream),
            "risk" => run(Risked::new(live + ops), &stream),
            _ => run(state::Whole::new(live + ops, &stream), &stream),
        };
        println!("{which} {live} {ops}: {:?}", played.figures);
        return;
    }
    let test = std::env::args().any(|arg| arg == "--test");
    let ops = if test { 5_000 } else { 2_000_000 };
    let times = if test { 1 } else { 5 };
    println!("{}", betring_benches::machine::Machine::measure(&std::env::temp_dir()));
    println!("stream of {ops} orders: 53 % rest, 35 % cancels, 12 % meet others");
    for live in [1_000, 100_000] {
        let live = if test { live / 10 } else { live };
        println!("{live} orders at first");
        let all = stream(live, ops);
        let of = |plays: fn(usize) -> Bare| -> Vec<Played> {
            (0..times).map(|_| run(plays(live + ops), &all)).collect()
        };
        show("the book alone", ops, of(Bare::new));
        let risked = (0..times).map(|_| run(Risked::new(live + ops), &all)).collect();
        show("with exposure and events", ops, risked);
        let few = ops / 10;
        let short = stream(live, few);
        let whole =
            (0..times.min(3)).map(|_| run(state::Whole::new(live + few, &short), &short)).collect();
        show("as commands of the whole state", few, whole);
    }
    let sizes: [u32; 2] = if test { [100, 2_000] } else { [1_000, 1_000_000] };
    for orders in sizes {
        println!("a cancel in a level of {orders:>9}: {:?}", cancels_of_a_level(orders));
    }
}
