//! No pricing call allocates, once what it writes to is there.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use betring_pricing::derive::football::{Fair, Margins, Outcome, Prices, Score, Team, Winner};
use betring_pricing::derive::football::{Line, multiple};
use betring_pricing::model::football::fit::{self, AtMost};
use betring_pricing::model::football::{Clock, GoalModel, ScoreGrid};
use betring_pricing::model::racing::{Discount, Race, RaceLeg, fit_race, normal};
use betring_pricing::model::tennis::{self, Format, LastSet, Player, Tennis};
use betring_pricing::{Ladder, Margin, Method, Probability, Side, Snap, devig, kelly, price};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting by thread.
struct Counting;

// SAFETY: every call goes to the system's allocator with the arguments it came with; the counter is
// a constant-initialised thread local of a type without a destructor, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a call gives, and that it allocated nothing on the way.
#[track_caller]
fn without<T>(call: impl FnOnce() -> T) -> T {
    let before = ALLOCATIONS.with(Cell::get);
    let result = black_box(call());
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "allocations");
    result
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.with(Cell::get);
    black_box(vec![1]);
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 1);
}

#[test]
fn an_overround_goes_off_and_on_without_allocating() {
    let weights = (1..=20).map(|runner| 1.0 / f64::from(runner));
    let sum: f64 = weights.clone().sum();
    let race: Vec<f64> = weights.map(|weight| sum / (1.2 * weight)).collect();
    for odds in [&[2.3, 3.5, 3.0][..], &race] {
        let (mut p, mut back) = (vec![0.0; odds.len()], vec![0.0; odds.len()]);
        let mut prices = vec![price!(2.00); odds.len()];
        for method in Method::ALL {
            // An error is a result, too: a longshot may have no chance at all by some methods.
            let off = without(|| devig(method, odds, 1.0, &mut p));
            if off.is_ok() {
                let _ = without(|| Margin::new(method, 1.1).frame(&p, &mut back));
            }
        }
        let off = without(|| devig(Method::Multiplicative, odds, 1.0, &mut p));
        off.expect("there is an overround");
        let mut parts = vec![Probability::ZERO; odds.len()];
        let weights: Vec<u64> = p.iter().map(|p| (p * 1e15) as u64).collect();
        without(|| Probability::share_out(&weights, &mut parts)).expect("weights");
        let margin = Margin::new(Method::Power, 1.1);
        without(|| margin.quote(&parts, &Ladder::CLASSIC, Snap::Down, &mut prices))
            .expect("prices of the ladder");
        let mut stakes = vec![0.0; odds.len()];
        without(|| kelly::exclusive(odds, &p, 1.0, &mut stakes)).expect("stakes");
    }
}

#[test]
fn a_match_is_priced_and_fitted_without_allocating() {
    let model = GoalModel::dixon_coles(1.8, 0.9, -0.13).expect("a model");
    let margins = Margins::uniform(0.05).expect("a margin");
    let mut grid = without(|| ScoreGrid::new(&model));
    let mut fair = without(|| Fair::of(&grid, Score::NIL_NIL));
    let mut prices = without(|| Prices::of(&fair, &margins));
    for ladder in [None, Some(&Ladder::CLASSIC)] {
        without(|| {
            grid.remake(&model.remaining(Clock::new(3_000, 5_400)));
            fair.reprice(&grid, Score::new(1, 0));
            prices.requote(&fair, &margins, ladder);
        });
    }
    let legs = [Outcome::Result(Winner::Home), Outcome::Total(Side::Over, Line::from_quarters(10))];
    without(|| multiple(&grid, Score::NIL_NIL, &legs)).expect("a chance");
    let market = [0.45, 0.27, 0.28];
    let first = without(|| fit::from_result(market, 0.0, None)).expect("a model").model;
    let under = AtMost { goals: 2, probability: 0.55 };
    without(|| fit::from_result_and_total(market, under, Some(&first))).expect("a model");
    assert!(prices.get(Outcome::ToNil(Team::Home, true)).is_some());
}

#[test]
fn a_race_is_priced_and_fitted_without_allocating() {
    let win: Vec<f64> = (1..=14).map(|runner| f64::from(runner) / 105.0).collect();
    let race = without(|| Race::new(&win, Discount::GAMMA)).expect("a race");
    let ranks = without(|| race.ranks(4)).expect("ranks");
    without(|| race.trifecta(13, 12, 11)).expect("a chance");
    let legs = [2, 3, 4].map(|places| RaceLeg::Top { runner: 9 + places, places });
    without(|| race.multiple(&legs)).expect("a chance");
    let place: Vec<f64> = (0..14).map(|at| ranks.top(3, at)).collect();
    without(|| fit_race(&win, &place, 3)).expect("a race");
    let (mut abilities, mut back) = (vec![0.0; 14], vec![0.0; 14]);
    without(|| normal::abilities(&win, &mut abilities)).expect("abilities");
    without(|| normal::win(&abilities, &mut back)).expect("chances");
}

#[test]
fn a_tennis_match_is_priced_from_any_score_without_allocating() {
    let format = Format::best_of_3(LastSet::TieBreak);
    let tennis = without(|| Tennis::new([0.65, 0.6], format)).expect("a match");
    let start = tennis::Score::start(format, Player::A);
    without(|| tennis.wins(&start)).expect("a chance");
    without(|| tennis.set_scores(&start)).expect("chances");
    without(|| tennis.games(&start)).expect("chances");
}
