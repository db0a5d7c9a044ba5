//! betring-pricing and the Rust crates that do some of the same: brumby with its companions for races
//! and football, and two that convert formats of odds.
//!
//! Without an argument it prints a table, with `--json` what pricing.py reads. It fails if a peer
//! comes to other numbers than ours by more than the tolerance that stands here.

use std::{hint::black_box, ops::RangeInclusive, process::ExitCode};

use betring_peers::{Peer, Report, Task, Way};
use betring_pricing::{
    Margin, Method, Side,
    derive::football::{Fair, Line, Outcome, Score, Winner},
    devig, kelly,
    model::football::{
        GoalModel, ScoreGrid,
        fit::{self, AtMost},
    },
    model::racing::{Discount, Race, RaceLeg, fit_race},
    price,
};
use brumby::{
    capture::Capture,
    harville::harville_summary,
    linear::matrix::Matrix,
    market::{Market, Overround, OverroundMethod},
    mc::{DilatedProbs, MonteCarloEngine},
    selection::{Rank, Runner},
};
use brumby_racing::model::{
    SINGLE_PRICE_BOUNDS,
    fit::{FitOptions, fit_place},
};
use brumby_soccer::{
    domain::{OutcomeType, Score as TheirScore, Side as TheirSide},
    scoregrid,
};
use implied::{AmericanOdds, DecimalOdds, odds::format::OddsFormat};
use serde_json::json;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--json"] => true,
        _ => {
            eprintln!("usage: pricing [--json]");
            return ExitCode::from(2);
        }
    };
    let notes = NOTES.map(str::to_owned).into_iter().chain([under_round()]).collect();
    let report = Report::of(tasks(), notes);
    if as_json {
        println!("{}", serde_json::to_string_pretty(&report).expect("numbers and texts"));
    } else {
        print!("{report}");
    }
    if report.agrees() {
        return ExitCode::SUCCESS;
    }
    eprintln!("a peer comes to other numbers than ours");
    ExitCode::FAILURE
}

/// Brumby's searches end where the square of what is left is below 1e-9, or a step below 1e-4.
const SEARCHED: f64 = 2e-4;

/// What is not alike, in what no single number shows.
const NOTES: [&str; 4] = [
    "brumby's interface takes a vector and returns two: a copy of the input and an allocation are in \
     its times. Ours writes into a slice.",
    "Overround on: ours holds the booksum where a price stops at a bound, so that every method is a \
     search; brumby's multiplicative divides and caps.",
    "The fit of a race: both know the win and place prices and begin without a discount. Ours seeks \
     one discount and who wins; brumby keeps who wins and seeks a weight of each runner for each \
     rank behind. So what is compared is each runner's place.",
    "The multiple within a race: brumby's numbers are drawn at random, ours is a sum over all orders; \
     five standard errors are let pass.",
];

fn tasks() -> Vec<Task> {
    let mut tasks = Vec::new();
    let methods = [
        (Method::Multiplicative, Some(OverroundMethod::Multiplicative), 1e-12),
        (Method::Power, Some(OverroundMethod::Power), SEARCHED),
        (Method::OddsRatio, Some(OverroundMethod::OddsRatio), SEARCHED),
        (Method::Shin, None, 0.0),
    ];
    for odds in books() {
        for (method, theirs, tolerance) in &methods {
            tasks.push(overround_off(*method, theirs.as_ref(), &odds, *tolerance));
        }
    }
    for odds in books() {
        for (method, theirs, tolerance) in &methods {
            if let Some(theirs) = theirs {
                tasks.push(overround_on(*method, theirs, &odds, *tolerance));
            }
        }
    }
    tasks.extend([(14, 3), (20, 3), (14, 4)].map(|(runners, places)| ranks(runners, places)));
    tasks.push(race_fit());
    tasks.push(race_multiple());
    tasks.push(football("Poisson", &GoalModel::poisson(1.8, 0.9).expect("a model"), |grid| {
        scoregrid::from_univariate_poisson(1.8, 0.9, grid);
    }));
    let bivariate = GoalModel::bivariate(1.6, 0.7, 0.2).expect("a model");
    tasks.push(football("bivariate Poisson", &bivariate, |grid| {
        scoregrid::from_bivariate_poisson(1.6, 0.7, 0.2, grid);
    }));
    tasks.push(dixon_coles());
    tasks.extend(means());
    tasks.extend(kellys());
    tasks.push(american());
    tasks
}

/// A match of three outcomes, and a race of twenty runners with 20 % on it.
fn books() -> [Vec<f64>; 2] {
    let weights = (1..=20).map(|runner| 1.0 / f64::from(runner));
    let sum: f64 = weights.clone().sum();
    [vec![2.3, 3.5, 3.0], weights.map(|weight| sum / (1.2 * weight)).collect()]
}

/// What is left of the odds when nobody wants to be clever.
fn in_proportion(odds: &[f64], target: f64) -> Vec<f64> {
    let mut p = vec![0.0; odds.len()];
    devig(Method::Multiplicative, odds, target, &mut p).expect("there is an overround");
    p
}

/// The first runners of the race of twenty, among themselves.
fn win(runners: usize) -> Vec<f64> {
    let [_, odds] = books();
    let win = &in_proportion(&odds, 1.0)[..runners];
    let sum: f64 = win.iter().sum();
    win.iter().map(|p| p / sum).collect()
}

fn sum_off(numbers: &[f64], target: f64) -> String {
    let off = numbers.iter().sum::<f64>() - target;
    format!("its sum is off by {off:.1e}")
}

fn overround_off(
    method: Method,
    theirs: Option<&OverroundMethod>,
    odds: &[f64],
    tolerance: f64,
) -> Task {
    let (name, input) = (format!("{method}, {} off", odds.len()), json!({ "odds": odds }));
    let peers = theirs.map(|theirs| {
        let (theirs, odds) = (theirs.clone(), odds.to_vec());
        let call = move || Market::fit(&theirs, black_box(&odds).clone(), 1.0);
        let numbers = call().probs;
        let remark = sum_off(&numbers, 1.0);
        Peer::new("brumby", Way::new(numbers, call), tolerance).remark(remark)
    });
    let (odds, mut p) = (odds.to_vec(), vec![0.0; odds.len()]);
    devig(method, &odds, 1.0, &mut p).expect("there is an overround");
    let numbers = p.clone();
    let ours = Way::new(numbers, move || devig(method, black_box(&odds), 1.0, black_box(&mut p)));
    Task { name, input, ours, peers: peers.into_iter().collect() }
}

/// Numbers are the inverses of the odds: what the sum is of.
fn overround_on(method: Method, theirs: &OverroundMethod, odds: &[f64], tolerance: f64) -> Task {
    const BOUNDS: RangeInclusive<f64> = 1.0001..=100_000.0;
    let booksum: f64 = odds.iter().map(|odds| 1.0 / odds).sum();
    let probabilities = in_proportion(odds, 1.0);
    let name = format!("{method}, {} on", odds.len());
    let input = json!({ "probabilities": probabilities, "booksum": booksum });

    let inverses = |odds: &[f64]| odds.iter().map(|odds| 1.0 / odds).collect::<Vec<_>>();
    let overround = Overround { method: theirs.clone(), value: booksum };
    let given = probabilities.clone();
    let call = move || Market::frame(&overround, black_box(&given).clone(), &BOUNDS);
    let numbers = inverses(&call().prices);
    let remark = sum_off(&numbers, booksum);
    let peer = Peer::new("brumby", Way::new(numbers, call), tolerance).remark(remark);

    let margin = Margin::new(method, booksum);
    let mut framed = vec![0.0; odds.len()];
    margin.frame(&probabilities, &mut framed).expect("a book");
    let numbers = inverses(&framed);
    let call = move || margin.frame(black_box(&probabilities), black_box(&mut framed));
    Task { name, input, ours: Way::new(numbers, call), peers: vec![peer] }
}

/// A race as ours and as theirs: their dilatives are one less our powers.
fn race(win: &[f64], places: usize) -> (Race, Matrix<f64>) {
    let race = Race::new(win, Discount::GAMMA).expect("a race");
    let dilatives: Vec<f64> =
        (1..=places).map(|rank| 1.0 - race.discount().of_rank(rank)).collect();
    let theirs = DilatedProbs::default()
        .with_win_probs(Capture::Owned(win.to_vec()))
        .with_dilatives(Capture::Owned(dilatives));
    (race, theirs.into())
}

fn ranks(runners: usize, places: usize) -> Task {
    let win = win(runners);
    let (race, matrix) = race(&win, places);
    let numbers = harville_summary(&matrix, places).flatten().to_vec();
    let call = move || harville_summary(black_box(&matrix), places);
    let remark = format!("goes through {runners}^{places} orders");
    let peer = Peer::new("brumby", Way::new(numbers, call), 1e-12).remark(remark);

    let ranks = race.ranks(places).expect("ranks");
    let numbers = (1..=places).flat_map(|rank| ranks.rank(rank).to_vec()).collect();
    Task {
        name: format!("first {places} of {runners}"),
        input: json!({ "win": win, "places": places }),
        ours: Way::new(numbers, move || black_box(&race).ranks(places)),
        peers: vec![peer],
    }
}

/// Win and place prices of nine runners, neither of the two models' own: they are written down.
fn race_fit() -> Task {
    const PLACES: usize = 3;
    let win_odds = [3.2, 4.4, 6.5, 8.0, 11.0, 15.0, 21.0, 29.0, 41.0];
    let place_odds = [1.5, 1.75, 2.2, 2.5, 3.1, 3.9, 5.0, 6.6, 9.0];
    let win = in_proportion(&win_odds, 1.0);
    let place = in_proportion(&place_odds, PLACES as f64);
    let input = json!({ "win": win, "place": place, "places": PLACES });
    let missed = |numbers: &[f64]| {
        let misses = numbers.iter().zip(&place).map(|(fitted, market)| (fitted - market).abs());
        misses.fold(0.0, f64::max)
    };

    let fit = fit_race(&win, &place, PLACES).expect("a fit");
    let ranks = fit.race.ranks(PLACES).expect("ranks");
    let numbers: Vec<f64> = (0..win.len()).map(|runner| ranks.top(PLACES, runner)).collect();
    let our_miss = missed(&numbers);

    let market = Market::fit(&OverroundMethod::Multiplicative, place_odds.to_vec(), PLACES as f64);
    let start = race_start(&win);
    let presets = [("fast preset", FitOptions::fast()), ("default", FitOptions::default())];
    let peers = presets.map(|(preset, options)| {
        let (market, start, trials) = (market.clone(), start.clone(), options.mc_trials);
        let call = move || {
            fit_place(&options, black_box(&start), &market, PLACES - 1, &SINGLE_PRICE_BOUNDS)
        };
        let fitted = call().expect("a fit").fitted_probs;
        let summary = harville_summary(&fitted, fitted.rows());
        let top = |runner| (0..PLACES).map(|rank| summary[(rank, runner)]).sum::<f64>();
        let numbers: Vec<f64> = (0..fitted.cols()).map(top).collect();
        let remark = format!(
            "{preset}, {trials} random races a step; it misses a place by {:.4} at most, ours by \
             {our_miss:.4}",
            missed(&numbers)
        );
        Peer::new("brumby-racing", Way::new(numbers, call), 0.05).remark(remark)
    });
    let call = move || fit_race(black_box(&win), black_box(&place), PLACES);
    Task {
        name: "win and place prices of 9".to_owned(),
        input,
        ours: Way::new(numbers, call),
        peers: peers.into(),
    }
}

/// Where brumby's fits begin that need no coefficients of past races: no discount at all.
fn race_start(win: &[f64]) -> Matrix<f64> {
    let start = DilatedProbs::default().with_win_probs(Capture::Borrowed(win));
    start.with_podium_places(brumby_racing::model::PODIUM).into()
}

fn race_multiple() -> Task {
    let win = win(14);
    let (race, matrix) = race(&win, 4);
    let top = [(0, 2), (1, 3), (4, 4)];
    let legs = top.map(|(runner, places)| RaceLeg::Top { runner, places });
    let exact = race.multiple(&legs).expect("a multiple");
    let peers = [1_000, 100_000].map(|trials: u64| {
        let legs = top.map(|(runner, places)| Runner::index(runner).top(Rank::number(places)));
        let mut engine = MonteCarloEngine::default()
            .with_trials(trials)
            .with_probs(Capture::Owned(matrix.clone()));
        let mut call = move || engine.simulate(black_box(&legs)).quotient();
        let error = (exact * (1.0 - exact) / trials as f64).sqrt();
        let relative = 100.0 * error / exact;
        let remark = format!("{trials} random races, standard error {relative:.1} % of the price");
        Peer::new("brumby", Way::new(vec![call()], call), 5.0 * error).remark(remark)
    });
    Task {
        name: "a multiple of 3 legs on 14".to_owned(),
        input: json!({ "win": win, "top": top }),
        ours: Way::new(vec![exact], move || race.multiple(black_box(&legs))),
        peers: peers.into(),
    }
}

/// The outcomes that both have: 1X2, totals, correct scores.
fn in_common() -> Vec<(Outcome, OutcomeType)> {
    let mut outcomes = vec![
        (Outcome::Result(Winner::Home), OutcomeType::Win(TheirSide::Home)),
        (Outcome::Result(Winner::Draw), OutcomeType::Draw),
        (Outcome::Result(Winner::Away), OutcomeType::Win(TheirSide::Away)),
    ];
    for goals in 0..=6 {
        let line = Line::from_quarters(4 * goals + 2);
        let goals = goals as u8;
        outcomes.push((Outcome::Total(Side::Over, line), OutcomeType::Over(goals)));
        outcomes.push((Outcome::Total(Side::Under, line), OutcomeType::Under(goals + 1)));
    }
    for home in 0..=Outcome::SCORE_MAX {
        for away in 0..=Outcome::SCORE_MAX {
            let theirs = TheirScore::new(home, away);
            outcomes.push((Outcome::Score(Score::new(home, away)), OutcomeType::Score(theirs)));
        }
    }
    outcomes
}

/// Our way to all probabilities of a match, the grid made anew.
fn match_way(model: &GoalModel) -> Way {
    let (model, mut grid) = (*model, ScoreGrid::new(model));
    let mut fair = Fair::of(&grid, Score::NIL_NIL);
    let numbers = fair.probabilities().to_vec();
    Way::new(numbers, move || {
        grid.remake(black_box(&model));
        fair.reprice(&grid, Score::NIL_NIL);
        fair.probabilities()[0]
    })
}

fn football(name: &str, model: &GoalModel, make: impl Fn(&mut Matrix<f64>) + 'static) -> Task {
    let (places, theirs): (Vec<usize>, Vec<OutcomeType>) = in_common()
        .into_iter()
        .map(|(ours, theirs)| (ours.index().expect("always priced"), theirs))
        .unzip();
    let mut grid = Matrix::allocate(16, 16);
    make(&mut grid);
    let numbers: Vec<f64> = theirs.iter().map(|outcome| outcome.gather(&grid)).collect();
    let mut p = numbers.clone();
    let call = move || {
        make(black_box(&mut grid));
        for (p, outcome) in p.iter_mut().zip(&theirs) {
            *p = outcome.gather(&grid);
        }
        p[0]
    };
    let remark = format!("{} probabilities, ours 236; the same grid of 16 by 16", places.len());
    let peer = Peer::new("brumby-soccer", Way::new(numbers, call), 1e-9).has(places).remark(remark);
    Task {
        name: format!("a match, {name}"),
        input: json!({ "home": model.home_mean(), "away": model.away_mean(), "rho": 0.0 }),
        ours: match_way(model),
        peers: vec![peer],
    }
}

fn dixon_coles() -> Task {
    let model = GoalModel::dixon_coles(1.8, 0.9, -0.13).expect("a model");
    Task {
        name: "a match, Dixon-Coles".to_owned(),
        input: json!({ "home": 1.8, "away": 0.9, "rho": -0.13 }),
        ours: match_way(&model),
        peers: Vec::new(),
    }
}

/// Without a solution near by to begin at, as the peers do.
fn means() -> [Task; 2] {
    let market = [0.45, 0.27, 0.28];
    let under = AtMost { goals: 2, probability: 0.55 };
    let result = move || fit::from_result(black_box(market), 0.0, None);
    let total = move || fit::from_result_and_total(black_box(market), under, None);
    let one = result().expect("a solution").model;
    let both = total().expect("a solution").model;
    [
        Task {
            name: "means of 1X2".to_owned(),
            input: json!({ "result": market }),
            ours: Way::new(vec![one.home_mean(), one.away_mean()], result),
            peers: Vec::new(),
        },
        Task {
            name: "means of 1X2 and a total".to_owned(),
            input: json!({ "result": market, "under": under.probability }),
            ours: Way::new(vec![both.home_mean(), both.away_mean(), both.rho()], total),
            peers: Vec::new(),
        },
    ]
}

fn kellys() -> [Task; 2] {
    let (odds, probability) = (2.1, 0.55);
    let single = move || kelly::single(black_box(odds), black_box(probability), 1.0);
    let bet = single().expect("a stake");
    let (book, belief) = ([2.5, 3.2, 2.8], [0.45, 0.30, 0.25]);
    let exclusive = move || {
        let mut stakes = [0.0; 3];
        kelly::exclusive(black_box(&book), black_box(&belief), 1.0, &mut stakes).map(|_| stakes)
    };
    let stakes = exclusive().expect("stakes");
    [
        Task {
            name: "Kelly, one bet".to_owned(),
            input: json!({ "odds": odds, "probability": probability }),
            ours: Way::new(vec![bet.stake, bet.edge, bet.growth], single),
            peers: Vec::new(),
        },
        Task {
            name: "Kelly, three outcomes".to_owned(),
            input: json!({ "odds": book, "probabilities": belief }),
            ours: Way::new(stakes.to_vec(), exclusive),
            peers: Vec::new(),
        },
    ]
}

fn american() -> Task {
    let price = price!(1.87);
    let decimal = 1.87;
    let converted = move || odds_converter::Odds::new_decimal(black_box(decimal)).to_american();
    let numbers = vec![f64::from(converted().expect("odds"))];
    let converter = Peer::new("odds_converter", Way::new(numbers, converted), 0.0);
    let call = move || DecimalOdds::new(black_box(decimal)).and_then(|odds| odds.to_american());
    // It lets nobody see the number, only compare.
    let is_same = call().expect("odds") == AmericanOdds::new(-115).expect("odds");
    let numbers = vec![if is_same { -115.0 } else { f64::NAN }];
    let implied = Peer::new("implied", Way::new(numbers, call), 0.0)
        .remark("its README names the removal of an overround; version 0.0.1 has none");
    let ours = f64::from(price.to_american().value());
    Task {
        name: "1.87 as American odds".to_owned(),
        input: json!({ "decimal": decimal }),
        ours: Way::new(vec![ours], move || black_box(price).to_american()),
        peers: vec![converter.remark("of a float, ours of an integer"), implied],
    }
}

/// What is said of a book that no bookmaker would offer.
fn under_round() -> String {
    let odds = [3.1, 3.1, 3.1];
    let ours = devig(Method::Power, &odds, 1.0, &mut [0.0; 3]).expect_err("it is under-round");
    let theirs = Market::fit(&OverroundMethod::Power, odds.to_vec(), 1.0);
    let sum: f64 = theirs.probs.iter().sum();
    format!(
        "Of {odds:?}, a book without overround, ours refuses: \"{ours}\"; brumby's power scales it up, to a sum of {sum:.4}."
    )
}
