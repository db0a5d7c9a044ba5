//! How many instructions does a command of each kind take, a record of the journal, an order of a book, a price?
//!
//! Every row is one function call or several that callgrind counts: `benches/instructions.sh` runs this program under it and
//! compares what comes out with `benches/instructions.budget`. Nothing here depends on a clock, a thread or chance, and each
//! row ends with a check of what came out. Without callgrind it only checks; with `--test` it repeats less.

#[path = "../../src/decide.rs"]
mod decide;
mod night;
#[path = "../../src/book/orders.rs"]
mod orders;
#[path = "../../benches/shared/priced.rs"]
mod priced;
#[path = "../../src/written.rs"]
mod written;

use betring_pricing::derive::football::Score;
use betring_pricing::model::football::GoalModel;
use betring_pricing::model::football::fit;
use betring_pricing::{Ladder, Method, devig};
use orders::{Bare, Op};
use priced::Priced;
use std::hint::black_box;
use written::Written;

fn main() {
    let test = std::env::args().any(|arg| arg == "--test");
    let times = if test { 8 } else { 32 };
    night::play(times);
    journal(times);
    book(if test { 100 } else { 1_000 });
    pricing(times);
}

/// What callgrind counts: it writes down every call by itself.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

/// Measures what does something so many times. What a row is called more than once for is added up.
fn row(name: &str, times: u32, mut work: impl FnMut()) {
    measured(&mut work);
    println!("{times} {name}");
}

/// A bet with its answer, its bet and its transfer is as long.
const PAYLOAD: usize = 480;

fn journal(times: u32) {
    let above = tempfile::tempdir().expect("a directory of its own");
    let dir = above.path().join("journal");
    let payload: Vec<u8> = (0..PAYLOAD).map(|i| i as u8).collect();
    let mut journal = Written::open(&dir).expect("a fresh journal");
    // The first record of a frame opens it, and the first frame is cold.
    journal.append(&payload).expect("there is room for it");
    row("journal: a record appended", times, || {
        for _ in 0..times {
            journal.append(black_box(&payload)).expect("there is room for it");
        }
    });
    row("journal: a record sealed and synced", times + 1, || {
        journal.sync().expect("the device takes it");
    });
    let read = journal.read_back(&dir, &payload).expect("a sound journal");
    assert_eq!(read, u64::from(times) + 1, "every record is there, as it was given");
}

fn book(times: u32) {
    let live = times as usize;
    let stream = orders::stream(live, live);
    let mut bare = Bare::new(2 * live);
    for op in &stream.first {
        bare.play(op);
    }
    row("book: an order of the stream", times, || {
        for op in &stream.ops {
            bare.play(black_box(op));
        }
    });
    let (fills, stake, rest) = bare.figures();
    assert!(0 < fills && 0 < stake && 0 < rest, "some met others, some rest");

    let mut random = orders::Random(7);
    let mut bare = Bare::new(2 * live);
    for op in &stream.first {
        bare.play(op);
    }
    let meet = times / 8;
    let takers: Vec<Op> = (0..meet).map(|_| Op::Place(orders::taker(&mut random, true))).collect();
    row("book: an order that meets others", meet, || {
        for op in &takers {
            bare.play(black_box(op));
        }
    });
    let (fills, _, rest) = bare.figures();
    assert!(u64::from(meet) <= fills && (rest as usize) < live, "they met others");
}

fn pricing(times: u32) {
    let odds = [2.3, 3.5, 3.0];
    let mut p = [0.0; 3];
    row("pricing: Shin of 3", times, || {
        for _ in 0..times {
            devig(Method::Shin, black_box(&odds), 1.0, black_box(&mut p)).expect("an overround");
        }
    });
    assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12, "it is off");

    let mut priced = Priced::new();
    let home = priced.model.home_mean();
    let means = |at: u32| GoalModel::dixon_coles(home - 0.01 * f64::from(at), 0.9, -0.13);
    let models: Vec<GoalModel> = (0..times).map(|at| means(at).expect("a model")).collect();
    let ladders = [("ten-thousandths", None), ("classic ladder", Some(&Ladder::CLASSIC))];
    for (on, ladder) in ladders {
        let (mut last, mut changed) = (None, 0);
        row(&format!("pricing: 236 of a match, new means, {on}"), times, || {
            for model in &models {
                let home = priced.new_means(black_box(model), ladder);
                changed += u32::from(home != last);
                last = home;
            }
        });
        assert!(times / 2 < changed, "the home side's price moves with the means");
    }
    row("pricing: 236 of a match, a goal", times, || {
        for at in 0..times {
            black_box(priced.scored(black_box(Score::new(1 + (at % 2) as u8, 0))));
        }
    });
    let scored = priced.scored(Score::new(2, 0));
    assert!(scored < priced.scored(Score::new(1, 0)), "two goals ahead is nearer to won");

    let near = fit::from_result([0.45, 0.27, 0.28], 0.0, None).expect("a solution").model;
    let mut mean = 0.0;
    row("pricing: means of a match from three prices", times, || {
        for at in 0..times {
            let moved = 0.001 * f64::from(at % 8);
            let market = [0.455 - moved, 0.268 + moved, 0.277];
            let solution = fit::from_result(black_box(market), 0.0, Some(&near));
            mean = solution.expect("a solution").model.home_mean();
        }
    });
    assert!(0.9 < mean && mean < 1.9, "near the one before");
}
