//! How long does the decision take, of a single bet with all gates and of a change of prices, at
//! 10,000 accounts, 100 markets and 100,000 live keys? Without rings, threads and journal.
//!
//! `place` includes reading the command's bytes, the look-up of its key, every gate, the ledger's
//! transfers and the events; forgetting old keys (Steps) is measured apart, as `forget 64 keys`.

use betring_benches::warm::{AT_A_TIME, Book, Size};
use betring_core::answer::AnswerKind;
use betring_core::command;
use betring_core::wire::{self, Header, Slot};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

const SIZE: Size = Size { accounts: 10_000, markets: 100, open_bets: 100_000 };
/// Bets between two copies of the warm book: it must not fill up.
const ROUND: u32 = 200_000;

fn apply(c: &mut Criterion) {
    let warm = Book::warm(SIZE, ROUND, &mut |_| ());
    let digest = warm.state().digest();
    println!("apply: {} keys live, state digest {digest}", warm.state().keys_kept());

    c.bench_function("apply/place", |b| {
        b.iter_custom(|iters| {
            timed(&warm, iters, |book, count| {
                let slots: Vec<Slot> = (0..count).map(|_| book.bet()).collect();
                let start = Instant::now();
                for slot in &slots {
                    let reply = book.decide(black_box(slot.as_bytes()));
                    assert!(reply.answer.kind() == AnswerKind::Accepted, "{reply}");
                }
                let took = start.elapsed();
                book.beat();
                book.work();
                took
            })
        });
    });
    c.bench_function("apply/set 3 prices", |b| {
        b.iter_custom(|iters| {
            timed(&warm, iters, |book, count| {
                let any = |book: &mut Book| {
                    let market = book.below(SIZE.markets.into()) as usize;
                    book.prices(market)
                };
                let updates: Vec<Vec<Slot>> = (0..count).map(|_| any(book)).collect();
                let start = Instant::now();
                for slots in &updates {
                    black_box(book.decide(black_box(slots.as_bytes())));
                }
                start.elapsed()
            })
        });
    });
    c.bench_function("apply/forget 64 keys", |b| {
        b.iter_custom(|iters| {
            timed(&warm, iters, |book, count| {
                let mut took = Duration::ZERO;
                let body = command::Step { budget: 64, ..Default::default() };
                let step = wire::slot(Header::default(), &body);
                for _ in 0..count {
                    for _ in 0..64 {
                        let slot = book.bet();
                        book.sequence(&[slot]);
                    }
                    book.beat();
                    let start = Instant::now();
                    black_box(book.decide(black_box(step.as_bytes())));
                    took += start.elapsed();
                }
                took
            })
        });
    });

    // A claim about speed is one about correct decisions: two runs agree, and the whole state holds.
    let run = |mut book: Book| {
        for _ in 0..1_000 {
            let slot = book.bet();
            book.sequence(&[slot]);
            book.beat();
            book.work();
        }
        book.checked().expect("the whole state holds")
    };
    let (one, two) = (run(warm.clone()), run(warm.clone()));
    assert!(one == two && one != digest, "two runs decide the same");
    println!("apply: state digest after 1,000 more bets {one}");
}

/// The sum of what `each` measured for so many of its kind at a time; begins again with a copy of the
/// warm book before it could fill up.
fn timed(warm: &Book, iters: u64, mut each: impl FnMut(&mut Book, u64) -> Duration) -> Duration {
    let (mut took, mut left) = (Duration::ZERO, iters);
    while 0 < left {
        let mut book = warm.started();
        let mut round = left.min(u64::from(ROUND) / 64);
        left -= round;
        while 0 < round {
            let count = round.min(AT_A_TIME);
            took += each(&mut book, count);
            round -= count;
        }
    }
    took
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = apply
}
criterion_main!(benches);
