//! How long does a price take: an overround off, a whole football match, a race, a fit from the market's prices?
//! Nothing else is in it: no engine, no journal. Each begins with a check that the result is the known one.

#[path = "shared/priced.rs"]
mod priced;

use std::hint::black_box;

use betring_pricing::derive::football::{Line, Outcome, Score, Winner, multiple};
use betring_pricing::model::football::fit::{self, AtMost};
use betring_pricing::model::racing::{Discount, Race, RaceLeg, fit_race};
use betring_pricing::{Ladder, Method, Side, devig};
use criterion::{Criterion, criterion_group, criterion_main};
use priced::Priced;

/// A match of three outcomes, and a race of twenty runners with 20 % on it.
fn books() -> [Vec<f64>; 2] {
    let weights = (1..=20).map(|runner| 1.0 / f64::from(runner));
    let sum: f64 = weights.clone().sum();
    [vec![2.3, 3.5, 3.0], weights.map(|weight| sum / (1.2 * weight)).collect()]
}

fn overround(c: &mut Criterion) {
    for odds in books() {
        let mut group = c.benchmark_group(format!("devig of {}", odds.len()));
        for method in Method::ALL {
            let mut p = vec![0.0; odds.len()];
            devig(method, &odds, 1.0, &mut p).expect("there is an overround");
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{method}");
            group.bench_function(method.to_string(), |b| {
                b.iter(|| devig(method, black_box(&odds), 1.0, &mut p));
            });
        }
    }
}

fn football(c: &mut Criterion) {
    let mut priced = Priced::new();
    let model = priced.model;
    let mut group = c.benchmark_group("football, 236 prices");
    for (name, ladder) in [("ten-thousandths", None), ("classic ladder", Some(&Ladder::CLASSIC))] {
        group.bench_function(format!("new means, {name}"), |b| {
            b.iter(|| priced.new_means(black_box(&model), ladder));
        });
    }
    group.bench_function("a goal", |b| {
        b.iter(|| priced.scored(black_box(Score::new(1, 0))));
    });
    group.finish();

    let market = [0.45, 0.27, 0.28];
    let near = fit::from_result(market, 0.0, None).expect("a solution").model;
    assert_eq!(format!("{:.4} {:.4}", near.home_mean(), near.away_mean()), "1.3862 1.0327");
    let moved = [0.455, 0.268, 0.277];
    let under = AtMost { goals: 2, probability: 0.55 };
    let mut group = c.benchmark_group("football, means from prices");
    group.bench_function("1X2, warm", |b| {
        b.iter(|| fit::from_result(black_box(moved), 0.0, Some(&near)));
    });
    group.bench_function("1X2 and a total, warm", |b| {
        b.iter(|| fit::from_result_and_total(black_box(moved), under, Some(&near)));
    });
    group.finish();

    let legs = [Outcome::Result(Winner::Home), Outcome::Total(Side::Over, Line::from_quarters(10))];
    c.bench_function("football, a multiple of two legs", |b| {
        b.iter(|| multiple(&priced.grid, Score::NIL_NIL, black_box(&legs)));
    });
}

fn racing(c: &mut Criterion) {
    let [_, odds] = books();
    let mut win = vec![0.0; odds.len()];
    devig(Method::Multiplicative, &odds, 1.0, &mut win).expect("there is an overround");
    let race = |runners: usize| {
        let sum: f64 = win[..runners].iter().sum();
        let part: Vec<f64> = win[..runners].iter().map(|p| p / sum).collect();
        Race::new(&part, Discount::GAMMA).expect("a race")
    };
    let (nine, fourteen, twenty) = (race(9), race(14), race(20));
    let top: f64 = (0..20).map(|at| twenty.ranks(3).expect("ranks").top(3, at)).sum();
    assert!((top - 3.0).abs() < 1e-12, "three are placed");
    let mut group = c.benchmark_group("racing");
    group.bench_function("first three of 20", |b| b.iter(|| black_box(&twenty).ranks(3)));
    group.bench_function("first four of 14", |b| b.iter(|| black_box(&fourteen).ranks(4)));
    let legs = [0, 1, 2].map(|runner| RaceLeg::Top { runner, places: 3 });
    group.bench_function("a multiple of three legs on 14", |b| {
        b.iter(|| fourteen.multiple(black_box(&legs)));
    });
    let ranks = nine.ranks(3).expect("ranks");
    let place: Vec<f64> = (0..9).map(|at| ranks.top(3, at)).collect();
    group.bench_function("win and place prices of 9", |b| {
        b.iter(|| fit_race(black_box(nine.win()), black_box(&place), 3));
    });
}

criterion_group!(benches, overround, football, racing);
criterion_main!(benches);
