//! A season of football as bookmakers priced it: which way to take an overround off says most of what came, and how
//! far a model of goals is from the market's totals and handicaps.

use super::Table;
use crate::error::CliError;
use betring_pricing::derive::football::{Fair, Line, Outcome, Score, Team};
use betring_pricing::model::football::{ScoreGrid, fit};
use betring_pricing::{Method, Side, devig, score};
use std::collections::HashMap;
use std::path::Path;

/// One match: the odds of each bookmaker who has all three, and what came.
struct Match {
    books: Vec<[f64; 3]>,
    /// 0 home, 1 draw, 2 away.
    outcome: usize,
    average: Option<[f64; 3]>,
    /// Over and under 2.5 goals, on average.
    totals: Option<[f64; 2]>,
    /// The home side's handicap in quarters of a goal, and the average odds of both sides.
    handicap: Option<(i8, [f64; 2])>,
}

/// The bookmakers and the matches of a file in the layout of football-data.co.uk.
fn read(file: &Path) -> Result<(Vec<String>, Vec<Match>), CliError> {
    let bad = |what: String| {
        let remedy =
            "a season as football-data.co.uk publishes it: a header with FTR and columns of odds";
        CliError::new(what, file.display(), remedy)
    };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(file)
        .map_err(|error| bad(format!("cannot read: {error}")))?;
    let header = reader.headers().map_err(|error| bad(error.to_string()))?.clone();
    let at: HashMap<String, usize> =
        header.iter().enumerate().map(|(at, name)| (name.trim().to_owned(), at)).collect();
    let result = *at.get("FTR").ok_or_else(|| {
        const SHOWN: usize = 12;
        let seen: Vec<&str> = header.iter().map(str::trim).take(SHOWN).collect();
        let more = if SHOWN < header.len() { " ..." } else { "" };
        bad(format!("there is no column FTR; there are {}{more}", seen.join(", ")))
    })?;
    // Whoever has a column for each of the three outcomes, but for scores and statistics of the match.
    let triple = |who: &str| {
        Some([
            *at.get(&format!("{who}H"))?,
            *at.get(&format!("{who}D"))?,
            *at.get(&format!("{who}A"))?,
        ])
    };
    let whos = header.iter().filter_map(|name| name.trim().strip_suffix('D'));
    // The best and the average of many are no bookmaker's, nor are closing prices: theirs is a column like B365CH.
    let of_many = |who: &str| ["Bb", "Max", "Avg"].iter().any(|begins| who.starts_with(begins));
    let closing = |who: &str| who.strip_suffix('C').is_some_and(|of| triple(of).is_some());
    let whos: Vec<&str> = whos
        .filter(|who| !who.is_empty() && !of_many(who) && !closing(who) && triple(who).is_some())
        .collect();
    let books: Vec<[usize; 3]> = whos.iter().filter_map(|who| triple(who)).collect();
    // The averages of one aggregator have other names than those of the other.
    let either = |names: &[[&str; 2]]| -> Vec<Option<usize>> {
        let found = |way: usize| -> Vec<Option<usize>> {
            names.iter().map(|name| at.get(name[way]).copied()).collect()
        };
        let first = found(0);
        if first.iter().all(Option::is_some) { first } else { found(1) }
    };
    let best = either(&[["BbAvH", "AvgH"], ["BbAvD", "AvgD"], ["BbAvA", "AvgA"]]);
    let totals = either(&[["BbAv>2.5", "Avg>2.5"], ["BbAv<2.5", "Avg<2.5"]]);
    let asian = either(&[["BbAHh", "AHh"], ["BbAvAHH", "AvgAHH"], ["BbAvAHA", "AvgAHA"]]);
    let mut matches = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| bad(error.to_string()))?;
        let number = |at: usize| row.get(at)?.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        let odds = |at: usize| number(at).filter(|odds| 1.0 < *odds);
        let outcome = match row.get(result).map(str::trim) {
            Some("H") => 0,
            Some("D") => 1,
            Some("A") => 2,
            // A match that was not played; the last lines of some files are empty.
            _ => continue,
        };
        let all = |[home, draw, away]: [usize; 3]| Some([odds(home)?, odds(draw)?, odds(away)?]);
        let handicap = || {
            let quarters = number(asian[0]?)? * 4.0;
            let whole = quarters.fract() == 0.0 && quarters.abs() <= 40.0;
            whole.then_some((quarters as i8, [odds(asian[1]?)?, odds(asian[2]?)?]))
        };
        matches.push(Match {
            books: books.iter().filter_map(|columns| all(*columns)).collect(),
            outcome,
            average: (|| all([best[0]?, best[1]?, best[2]?]))(),
            totals: (|| Some([odds(totals[0]?)?, odds(totals[1]?)?]))(),
            handicap: handicap(),
        });
    }
    match matches.iter().any(|one| !one.books.is_empty()) {
        true => Ok((whos.iter().map(|who| (*who).to_owned()).collect(), matches)),
        false => Err(bad("there is no match with the odds of a bookmaker".to_owned())),
    }
}

/// Means over a season.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    const NONE: Mean = Mean { sum: 0.0, count: 0 };

    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn get(&self) -> f64 {
        self.sum / f64::from(self.count.max(1))
    }
}

fn many(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// How good each method's forecasts were, over the books that all of them can take.
pub(super) fn methods(file: &Path) -> Result<Table, CliError> {
    let (whos, matches) = read(file)?;
    let books = matches.iter().flat_map(|one| one.books.iter().map(|odds| (odds, one.outcome)));
    let (mut means, mut refused) = ([const { (Mean::NONE, Mean::NONE) }; Method::ALL.len()], 0);
    for (odds, outcome) in books {
        let scored = |method: Method| {
            let mut p = [0.0; 3];
            devig(method, odds, 1.0, &mut p).ok()?;
            let bits = score::ignorance(&p, outcome).ok()?;
            let ranked = score::ranked_probability(&p, outcome).ok()?;
            Some((bits * std::f64::consts::LN_2, ranked))
        };
        let all: Option<Vec<(f64, f64)>> = Method::ALL.into_iter().map(scored).collect();
        let Some(all) = all else {
            refused += 1;
            continue;
        };
        for ((loss, ranked), (nats, rps)) in means.iter_mut().zip(all) {
            loss.add(nats);
            ranked.add(rps);
        }
    }
    let title = format!(
        "{}, {} of home, draw and away from {}; {refused} more have no overround",
        many(matches.len() as u64, "match", "matches"),
        many(means[0].0.count.into(), "book", "books"),
        whos.join(", ")
    );
    let mut table = Table::new(title, &["method", "log loss", "ranked probability"]);
    for (method, (loss, ranked)) in Method::ALL.into_iter().zip(&means) {
        let [nats, rps] = [loss, ranked].map(|mean| match mean.count {
            0 => "-".to_owned(),
            _ => format!("{:.6}", mean.get()),
        });
        table.row([method.to_string(), nats.clone(), rps]);
        table.bar(format!("{method}: log loss"), loss.get(), nats);
    }
    Ok(table)
}

/// How far a model of goals, fitted to the average odds, is from the market's other prices.
pub(super) fn fits(file: &Path) -> Result<Table, CliError> {
    let (_, matches) = read(file)?;
    let fair = |odds: &[f64]| {
        let mut p = vec![0.0; odds.len()];
        devig(Method::Shin, odds, 1.0, &mut p).ok().map(|_| p)
    };
    let line = Line::from_quarters(10);
    let (mut apart, mut beyond) = (Mean::default(), Mean::default());
    let (mut of_result, mut of_both) = (Mean::default(), Mean::default());
    let (mut rho, mut unfitted) = (Mean::default(), 0);
    for one in &matches {
        let (Some(average), Some(totals)) = (one.average, one.totals) else { continue };
        let (Some(result), Some(total)) = (fair(&average), fair(&totals)) else { continue };
        let result = [result[0], result[1], 1.0 - result[0] - result[1]];
        let under = fit::AtMost { goals: 2, probability: total[1] };
        let plain = fit::from_result(result, 0.0, None);
        let both = fit::from_result_and_total(result, under, None);
        let (Ok(plain), Ok(both)) = (plain, both) else {
            unfitted += 1;
            continue;
        };
        rho.add(both.model.rho());
        let grids = [&plain, &both].map(|fit| ScoreGrid::new(&fit.model));
        let over =
            Fair::of(&grids[0], Score::NIL_NIL).probability(Outcome::Total(Side::Over, line));
        if let Some(over) = over {
            apart.add((over - total[0]).abs());
            beyond.add(over - total[0]);
        }
        let Some((quarters, odds)) = one.handicap else { continue };
        let Some(market) = fair(&odds) else { continue };
        let asian = Outcome::Asian(Team::Home, Line::from_quarters(quarters));
        for (grid, mean) in grids.iter().zip([&mut of_result, &mut of_both]) {
            let split = betring_pricing::derive::football::Split::of(grid, Score::NIL_NIL, asian);
            if let Some(fair_odds) = split.and_then(|split| split.fair_odds()) {
                mean.add((1.0 / fair_odds - market[0]).abs());
            }
        }
    }
    let fitted = many(rho.count.into(), "match", "matches");
    let title = format!("goals fitted to average odds, {fitted}, {unfitted} without a fit");
    let mut table = Table::new(title, &["what", "mean", "matches"]);
    for (what, mean) in [
        ("over 2.5 from 1X2 alone, distance from the market's", &apart),
        ("the same with its sign", &beyond),
        ("handicap from 1X2 alone, distance from the market's", &of_result),
        ("handicap from 1X2 and the total, distance from the market's", &of_both),
        ("rho that explains 1X2 and the total", &rho),
    ] {
        let shown = match mean.count {
            0 => "-".to_owned(),
            _ => format!("{:+.4}", mean.get()),
        };
        table.row([what.to_owned(), shown, mean.count.to_string()]);
    }
    Ok(table)
}
