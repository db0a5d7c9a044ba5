//! What an order costs on the exchange: a fixed stream, 53 % that rest, 35 % that are cancelled, 12 % that meet others, over
//! a book in which so many rest. Three times: the book alone; with what both sides risk, each account's exposure and an
//! event for everything that happened; and as commands of the whole state, with keys, money and journal events.

mod orders;
mod state;

use crate::error::Error;
use betring_core::book::{Book, End, Log, Orders, Prices, Side, Stand, Step, Taker, exposure};
use betring_pricing::{Ladder, Tick};
use orders::{ACCOUNTS, Bare, MIDDLE, Op, Random, Stream, stream, taker};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Orders that rest at first, at least 1.
    pub live: usize,
    /// Orders of the stream; as commands of the whole state a tenth of them.
    pub ops: usize,
    /// How often each is played.
    pub times: usize,
}

/// What one of the three came to.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which.
    pub what: &'static str,
    /// Orders of the stream.
    pub ops: usize,
    /// Of the quickest run, nanoseconds an order.
    pub least_ns: f64,
    /// Of the middle one.
    pub median_ns: f64,
    /// How many runs there were, all with the same result.
    pub runs: usize,
    /// So many fills, or events: as [`Row::counts`] says.
    pub counted: u64,
    /// What is counted.
    pub counts: &'static str,
    /// Minor units that were matched.
    pub stake: u64,
    /// Orders that rest at the end.
    pub rest: u32,
}

/// Plays the stream in all three ways. `tell` gets each when it is over.
///
/// # Errors
/// [`Error::Wrong`] if two runs come to different results, or two ways match different stakes.
pub fn run(plan: &Plan, tell: &mut dyn FnMut(&Row)) -> Result<Vec<Row>, Error> {
    let Plan { live, ops, times } = *plan;
    let times = times.max(1);
    let mut rows = Vec::new();
    let mut done = |row: Row| {
        tell(&row);
        rows.push(row);
    };
    let all = stream(live, ops);
    let alone = (0..times).map(|_| played(Bare::new(live + ops), &all)).collect();
    done(row("the book alone", ops, alone)?);
    let risked = (0..times).map(|_| played(Risked::new(live + ops), &all)).collect();
    done(row("with exposure and events", ops, risked)?);
    let few = (ops / 10).max(1);
    let short = stream(live, few);
    let whole = (0..times.min(3)).map(|_| played(state::Whole::new(live + few, &short), &short));
    done(row("as commands of the whole state", few, whole.collect())?);
    let (alone, risked) = (&rows[0], &rows[1]);
    Error::unless(
        (alone.counted, alone.stake, alone.rest) == (risked.counted, risked.stake, risked.rest),
        || {
            format!(
                "the same stream matched {} alone and {} with exposure",
                alone.stake, risked.stake
            )
        },
    )?;
    Ok(rows)
}

/// One stream for callgrind, which counts what of it is measured: `book`, `risk` or the whole state; its figures.
pub fn one(which: &str, live: usize, ops: usize) -> (u64, u64, u32) {
    let stream = stream(live, ops);
    let played = match which {
        "book" => played(Bare::new(live + ops), &stream),
        "risk" => played(Risked::new(live + ops), &stream),
        _ => played(state::Whole::new(live + ops, &stream), &stream),
    };
    played.figures
}

fn row(what: &'static str, ops: usize, mut runs: Vec<Played>) -> Result<Row, Error> {
    runs.sort_by_key(|played| played.took);
    let of = |played: &Played| played.took.as_nanos() as f64 / ops as f64;
    let (counted, stake, rest) = runs[0].figures;
    Error::unless(runs.iter().all(|played| played.figures == (counted, stake, rest)), || {
        format!("{what}: the same stream gave two results")
    })?;
    Ok(Row {
        what,
        ops,
        least_ns: of(&runs[0]),
        median_ns: of(&runs[runs.len() / 2]),
        runs: runs.len(),
        counted,
        counts: runs[0].counts,
        stake,
        rest,
    })
}

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

fn played<P: Plays>(mut plays: P, stream: &Stream) -> Played {
    for op in &stream.first {
        plays.play(op);
    }
    let began = Instant::now();
    measured(&mut plays, &stream.ops);
    Played { took: began.elapsed(), counts: P::COUNTS, figures: plays.figures() }
}

/// How long a cancel takes in the middle of a level of so many orders, at least 2: the mean of up to a thousand.
pub fn cancels_of_a_level(orders_of: u32) -> Duration {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_stream_matches_the_same_whoever_looks_on() {
        let plan = Plan { live: 200, ops: 2_000, times: 2 };
        let rows = run(&plan, &mut |_| {}).expect("it holds");
        let of = |row: &Row| (row.counted, row.stake, row.rest);
        assert_eq!(of(&rows[0]), of(&rows[1]));
        assert!(rows.iter().all(|row| 0 < row.counted && 0 < row.stake && 0 < row.rest));
        assert_eq!((rows[0].runs, rows[2].ops, rows[2].counts), (2, 200, "events"));
        assert_eq!(one("risk", 200, 2_000), of(&rows[0]));
        assert!(Duration::ZERO < cancels_of_a_level(100));
    }
}
