//! Prices of models, as tables: an overround taken off, a football match, a race, a tennis match.

mod season;

use crate::error::CliError;
use crate::out::Out;
use crate::report;
use betring_pricing::derive::football::{Fair, Margins, Outcome, Prices, Score};
use betring_pricing::model::football::{Clock, GoalModel, ScoreGrid, fit};
use betring_pricing::model::racing::{Discount, Race};
use betring_pricing::model::tennis::{self, Format, LastSet, Player, Tennis};
use betring_pricing::{Ladder, Method, Price, PricingError, devig};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Bars of a plot: more of them cannot be told apart.
const BARS_MAX: usize = 40;

/// What rho is in most leagues, where only a result is known and no total.
const RHO_OF_LEAGUES: f64 = -0.1;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring price devig 2.30 3.50 3.00                        what the odds say without their margin, by every method
  betring price football --home 1.45 --away 1.15 --rho -0.08
  betring price football --prices 2.10,3.40,3.75 --margin 4 --classic
  betring price racing 3.5 4 5.5 7 11 15 --places 3
  betring price tennis 0.65 0.60 --best-of 5 --report match.html
  betring price season E0.csv                               which method forecasts best, how far models are off")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(clap::Subcommand)]
enum Cmd {
    /// Take the overround off odds, by every method or one.
    Devig(DevigArgs),
    /// Price a whole football match.
    Football(FootballArgs),
    /// Price the places of a race and its forecasts.
    Racing(RacingArgs),
    /// Price a tennis match, its sets and games.
    Tennis(TennisArgs),
    /// Score every method on a season of bookmakers' odds, and a model of goals against other markets.
    Season(SeasonArgs),
}

/// How any of them is shown.
#[derive(clap::Args)]
struct Shown {
    /// Print JSON: `title`, `columns`, `rows`; of a race and of a season a list of such.
    #[arg(long)]
    json: bool,
    /// Write the table and a plot of it to a page that needs nothing else.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

#[derive(clap::Args)]
struct DevigArgs {
    /// Odds of all outcomes, decimal or like 5/2, with spaces or commas between.
    #[arg(required = true, num_args = 1.., value_delimiter = ',', value_parser = odds_given, allow_negative_numbers = true, value_name = "ODDS")]
    odds: Vec<f64>,
    /// Only this method: multiplicative, additive (wpo), power, odds-ratio (logarithmic), shin, balanced-book, goto or
    /// jensen-shannon.
    #[arg(long, value_parser = method)]
    method: Option<Method>,
    /// How many of them win.
    #[arg(long, default_value_t = 1.0, value_name = "K")]
    winners: f64,
    #[command(flatten)]
    shown: Shown,
}

#[derive(clap::Args)]
struct FootballArgs {
    /// Goals that the home side scores on average, over the whole match.
    #[arg(
        long,
        required_unless_present = "prices",
        conflicts_with = "prices",
        value_name = "MEAN"
    )]
    home: Option<f64>,
    /// Goals that the away side scores on average.
    #[arg(
        long,
        required_unless_present = "prices",
        conflicts_with = "prices",
        value_name = "MEAN"
    )]
    away: Option<f64>,
    /// Find the means from prices of home, draw and away before kick-off; their overround is taken off by Shin's method.
    #[arg(long, value_parser = three, value_name = "HOME,DRAW,AWAY")]
    prices: Option<[f64; 3]>,
    /// Prices of over and under so many goals: with --prices, means and rho are found that explain these, too.
    #[arg(long, value_parser = total, requires = "prices", conflicts_with = "rho", value_name = "LINE=OVER,UNDER")]
    total: Option<(u8, [f64; 2])>,
    /// How low scores hang together (Dixon and Coles); leagues show about -0.1 [default: 0, with --prices -0.1].
    #[arg(long, allow_negative_numbers = true)]
    rho: Option<f64>,
    /// The score now. Means and prices are those before kick-off.
    #[arg(long, default_value = "0-0", value_parser = score, value_name = "HOME-AWAY")]
    score: Score,
    /// The minute that is being played, 0 to 90. Means and prices are those before kick-off.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=90))]
    minute: u32,
    /// Margin on every market, in per cent.
    #[arg(long, default_value_t = 5.0, value_name = "PERCENT")]
    margin: f64,
    /// Round prices down to the classic ladder of exchanges; else to a ten-thousandth.
    #[arg(long)]
    classic: bool,
    #[command(flatten)]
    shown: Shown,
}

#[derive(clap::Args)]
struct RacingArgs {
    /// Decimal odds to win of all runners; their overround is taken off by Shin's method.
    #[arg(required = true, num_args = 2..=40, value_name = "ODDS")]
    odds: Vec<f64>,
    /// How many places are paid.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=4))]
    places: u8,
    /// Ranks behind the first as Harville has them, without a discount.
    #[arg(long)]
    harville: bool,
    #[command(flatten)]
    shown: Shown,
}

#[derive(clap::Args)]
struct TennisArgs {
    /// The chance that the first player wins a point that it serves.
    #[arg(value_name = "SERVE_A")]
    a: f64,
    /// The same of the second player.
    #[arg(value_name = "SERVE_B")]
    b: f64,
    /// Sets of the match at most.
    #[arg(long, default_value = "3", value_parser = ["1", "3", "5"], value_name = "SETS")]
    best_of: String,
    #[command(flatten)]
    shown: Shown,
}

#[derive(clap::Args)]
#[command(after_help = "\
The file is a season in the layout of football-data.co.uk: a header, FTR for the result, and for each bookmaker a
column for home, draw and away (B365H, B365D, B365A), but not for closing prices (B365CH). The averages of an aggregator (BbAvH ..., BbAv>2.5, BbAHh; or AvgH ..., Avg>2.5,
AHh) are what models are fitted to and compared with.")]
struct SeasonArgs {
    /// The season.
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

/// Decimal odds, or a fraction of what is won for the stake: 5/2 is 3.5.
fn odds_given(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let odds = match text.split_once('/') {
        None => number(text),
        Some((won, stake)) => number(won).zip(number(stake)).map(|(won, stake)| 1.0 + won / stake),
    };
    odds.ok_or_else(|| "write odds above 1 like 3.5, or like 5/2".to_owned())
}

fn method(text: &str) -> Result<Method, String> {
    text.to_lowercase().parse().map_err(|_| "there is no such method; --help names all".to_owned())
}

fn score(text: &str) -> Result<Score, String> {
    let read = |goals: &str| goals.parse::<u8>().ok();
    let both = text.split_once('-').and_then(|(home, away)| Some((read(home)?, read(away)?)));
    let (home, away) = both.ok_or_else(|| "write it like 2-1".to_owned())?;
    Ok(Score::new(home, away))
}

fn total(text: &str) -> Result<(u8, [f64; 2]), String> {
    let read = || {
        let (line, prices) = text.split_once('=')?;
        let goals = line.trim().strip_suffix(".5")?.parse().ok().filter(|goals| *goals <= 14)?;
        let (over, under) = prices.split_once(',')?;
        Some((goals, [over.trim().parse().ok()?, under.trim().parse().ok()?]))
    };
    read().ok_or_else(|| {
        "write a line of 0.5 to 14.5 and the odds of over and under, like 2.5=1.90,1.95".to_owned()
    })
}

fn three(text: &str) -> Result<[f64; 3], String> {
    let odds: Option<Vec<f64>> = text.split(',').map(|odds| odds.trim().parse().ok()).collect();
    let odds = odds.and_then(|odds| <[f64; 3]>::try_from(odds).ok());
    odds.ok_or_else(|| "write three decimal odds like 2.10,3.40,3.75".to_owned())
}

/// What is printed. The names are those of the JSON.
#[derive(Serialize)]
struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// What a plot shows: names, how long each bar is, and what stands behind it.
    #[serde(skip)]
    bars: Vec<(String, f64, String)>,
}

impl Table {
    fn new(title: String, columns: &[&'static str]) -> Table {
        Table { title, columns: columns.to_vec(), rows: Vec::new(), bars: Vec::new() }
    }

    fn row(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }

    fn bar(&mut self, name: impl Into<String>, value: f64, figure: String) {
        if self.bars.len() < BARS_MAX {
            self.bars.push((name.into(), value, figure));
        }
    }

    fn chance(&mut self, name: impl Into<String>, probability: f64) {
        self.bar(name, probability, format!("{:.1} %", 100.0 * probability));
    }

    /// The first column to the left, the others to the right.
    fn lines(&self) -> Vec<String> {
        let header = self.columns.iter().map(|name| (*name).to_owned()).collect();
        let rows: Vec<&Vec<String>> = std::iter::once(&header).chain(&self.rows).collect();
        let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |row: &&Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate();
            let cells = cells.map(|(at, (cell, width))| match at {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<String>>().join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect()
    }
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    let (tables, shown) = match args.command {
        Cmd::Devig(args) => (vec![devigged(&args)?], args.shown),
        Cmd::Football(args) => (vec![football(&args)?], args.shown),
        Cmd::Racing(args) => (racing(&args)?, args.shown),
        Cmd::Tennis(args) => (vec![tennis_match(&args)?], args.shown),
        Cmd::Season(args) => {
            (vec![season::methods(&args.file)?, season::fits(&args.file)?], args.shown)
        }
    };
    let mut out = Out::new();
    if shown.json {
        let json = match tables.as_slice() {
            [one] => serde_json::to_string_pretty(one),
            all => serde_json::to_string_pretty(all),
        };
        out.line(json.expect("a table of texts is JSON"))?;
    } else {
        for (at, table) in tables.iter().enumerate() {
            if 0 < at {
                out.line("")?;
            }
            out.line(&table.title)?;
            out.line("")?;
            for line in table.lines() {
                out.line(line)?;
            }
        }
    }
    if let Some(file) = &shown.report {
        let parts = tables
            .iter()
            .map(|table| report::table_part(&table.title, &table.lines().join("\n"), &table.bars));
        let page = report::table_page(&tables[0].title, &parts.collect::<String>());
        std::fs::write(file, page)
            .map_err(|e| CliError::write("cannot write the report", file, &e))?;
        if !shown.json {
            out.line("")?;
            out.line(format_args!("report: {}", file.display()))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// What cannot be priced, and which of the words that were given says so.
fn cannot(what: &str, error: PricingError) -> CliError {
    CliError::new(
        format_args!("{error} ({})", error.name()),
        what,
        "correct what was given: numbers are counted from 0; --help says what may be given",
    )
}

fn percent(probability: f64) -> String {
    format!("{:.2} %", 100.0 * probability)
}

fn odds(probability: f64) -> String {
    const SHOWN_MAX: f64 = 100_000.0;
    let fair = 1.0 / probability;
    match probability {
        p if p <= 0.0 => "-".to_owned(),
        _ if SHOWN_MAX < fair => ">100,000".to_owned(),
        _ => format!("{fair:.3}"),
    }
}

fn shown_price(price: Option<Price>) -> String {
    price.map_or_else(|| "-".to_owned(), |price| price.to_string())
}

fn devigged(args: &DevigArgs) -> Result<Table, CliError> {
    let methods = args.method.map_or_else(|| Method::ALL.to_vec(), |method| vec![method]);
    let booksum: f64 = args.odds.iter().map(|odds| 1.0 / odds).sum();
    let title =
        format!("{} outcomes, booksum {booksum:.4}, {} to win", args.odds.len(), args.winners);
    let mut table = Table::new(title, &["method", "outcome", "odds", "probability", "fair odds"]);
    let mut refused = None;
    for method in methods {
        let mut probabilities = vec![0.0; args.odds.len()];
        match devig(method, &args.odds, args.winners, &mut probabilities) {
            Ok(_) => {
                for (at, (given, p)) in args.odds.iter().zip(&probabilities).enumerate() {
                    let (name, number) = (method.to_string(), (at + 1).to_string());
                    table.row([name, number, given.to_string(), percent(*p), odds(*p)]);
                    table.chance(format!("{method} {}", at + 1), *p);
                }
            }
            // A method that cannot take this book is told in its place, unless it is the only one.
            Err(why) => {
                let none = || "-".to_owned();
                table.row([method.to_string(), why.name().to_owned(), none(), none(), none()]);
                refused = Some(why);
            }
        }
    }
    match refused {
        Some(why) if table.bars.is_empty() => Err(cannot("the odds", why)),
        _ => Ok(table),
    }
}

fn football(args: &FootballArgs) -> Result<Table, CliError> {
    let (rho, mut from) = (args.rho.unwrap_or(0.0), String::new());
    let model = match (&args.prices, args.home, args.away) {
        (Some(prices), _, _) => {
            let over = |taken: f64| 100.0 * (taken - 1.0);
            let mut fair = [0.0; 3];
            let taken =
                devig(Method::Shin, prices, 1.0, &mut fair).map_err(|e| cannot("--prices", e))?;
            let [home, draw, away] = prices;
            from = format!(" from {home}, {draw}, {away} (overround {:.2} %)", over(taken.booksum));
            let found = match args.total {
                None => fit::from_result(fair, args.rho.unwrap_or(RHO_OF_LEAGUES), None)
                    .map_err(|e| cannot("--prices and --rho", e))?,
                Some((goals, prices)) => {
                    let mut fair_total = [0.0; 2];
                    let taken = devig(Method::Shin, &prices, 1.0, &mut fair_total)
                        .map_err(|e| cannot("--total", e))?;
                    from.push_str(&format!(
                        " and {goals}.5 at {}, {} (overround {:.2} %)",
                        prices[0],
                        prices[1],
                        over(taken.booksum)
                    ));
                    let under = fit::AtMost { goals, probability: fair_total[1] };
                    fit::from_result_and_total(fair, under, None)
                        .map_err(|e| cannot("--prices and --total", e))?
                }
            };
            found.model
        }
        (None, home, away) => {
            let (home, away) = (home.unwrap_or_default(), away.unwrap_or_default());
            GoalModel::dixon_coles(home, away, rho)
                .map_err(|e| cannot("--home, --away and --rho", e))?
        }
    };
    let margins = Margins::uniform(args.margin / 100.0).map_err(|e| cannot("--margin", e))?;
    let left = model.remaining(Clock::new(args.minute * 60, Clock::FULL_TIME_S));
    let grid = ScoreGrid::new(&left);
    let fair = Fair::of(&grid, args.score);
    let prices = match args.classic {
        true => Prices::on_ladder(&fair, &margins, &Ladder::CLASSIC),
        false => Prices::of(&fair, &margins),
    };
    let title = format!(
        "football: means {:.4} and {:.4}, rho {}{from}, {}-{} in minute {}, margin {} %, {} prices",
        model.home_mean(),
        model.away_mean(),
        (model.rho() * 1e4).round() / 1e4,
        args.score.home,
        args.score.away,
        args.minute,
        args.margin,
        Outcome::ALL.len()
    );
    let mut table = Table::new(title, &["outcome", "probability", "fair odds", "price"]);
    for (outcome, price) in prices.iter() {
        let p = fair.probability(outcome).unwrap_or_default();
        table.row([outcome.to_string(), percent(p), odds(p), shown_price(price)]);
        if matches!(outcome, Outcome::Result(_) | Outcome::Score(_)) {
            table.chance(outcome.to_string(), p);
        }
    }
    Ok(table)
}

fn racing(args: &RacingArgs) -> Result<Vec<Table>, CliError> {
    let mut win = vec![0.0; args.odds.len()];
    devig(Method::Shin, &args.odds, 1.0, &mut win).map_err(|e| cannot("the odds", e))?;
    let discount = if args.harville { Discount::HARVILLE } else { Discount::GAMMA };
    let race = Race::new(&win, discount).map_err(|e| cannot("the odds", e))?;
    let places = usize::from(args.places).min(args.odds.len() - 1);
    let ranks = race.ranks(places).map_err(|e| cannot("--places", e))?;
    let how = if args.harville { "Harville" } else { "with discounted ranks" };
    let title = format!("a race of {} runners, {how}, {places} places", args.odds.len());
    let columns = ["runner", "odds", "win", "fair odds", "place", "fair place odds"];
    let mut table = Table::new(title, &columns);
    for (at, (given, p)) in args.odds.iter().zip(&win).enumerate() {
        let place = ranks.top(places, at);
        let number = (at + 1).to_string();
        table.row([number, given.to_string(), percent(*p), odds(*p), percent(place), odds(place)]);
        table.chance(format!("{} wins", at + 1), *p);
        table.chance(format!("{} placed", at + 1), place);
    }
    let mut tables = vec![table];
    let all = || 0..args.odds.len();
    let pairs = all().flat_map(|a| all().map(move |b| vec![a, b]));
    tables.push(likeliest(&race, "exactas", pairs)?);
    if 2 < args.odds.len() {
        let threes = all().flat_map(|a| all().flat_map(move |b| all().map(move |c| vec![a, b, c])));
        tables.push(likeliest(&race, "trifectas", threes)?);
    }
    Ok(tables)
}

/// The likeliest of these orders of the first runners.
fn likeliest(
    race: &Race,
    what: &str,
    orders: impl Iterator<Item = Vec<usize>>,
) -> Result<Table, CliError> {
    const SHOWN: usize = 10;
    let differ = |order: &Vec<usize>| (1..order.len()).all(|at| !order[..at].contains(&order[at]));
    let mut priced = Vec::new();
    for order in orders.filter(differ) {
        let p = match order[..] {
            [first, second] => race.exacta(first, second),
            [first, second, third] => race.trifecta(first, second, third),
            _ => continue,
        };
        priced.push((p.map_err(|e| cannot("the odds", e))?, order));
    }
    priced.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let shown = SHOWN.min(priced.len());
    let title = format!("the likeliest {what}, {shown} of {}", priced.len());
    let mut table = Table::new(title, &["order", "probability", "fair odds"]);
    for (p, order) in priced.into_iter().take(SHOWN) {
        let order: Vec<String> = order.iter().map(|at| (at + 1).to_string()).collect();
        table.row([order.join("-"), percent(p), odds(p)]);
        table.chance(order.join("-"), p);
    }
    Ok(table)
}

fn tennis_match(args: &TennisArgs) -> Result<Table, CliError> {
    let last = LastSet::TieBreak;
    let (format, sets_to_win) = match args.best_of.as_str() {
        "1" => (Format::one_set(last), 1),
        "5" => (Format::best_of_5(last), 3),
        _ => (Format::best_of_3(last), 2),
    };
    let serve = [args.a, args.b];
    let where_from = "the chances on serve";
    let model = Tennis::new(serve, format).map_err(|e| cannot(where_from, e))?;
    let start = tennis::Score::start(format, Player::A);
    let priced = |p: Result<f64, PricingError>| p.map_err(|e| cannot(where_from, e));
    let title = format!(
        "tennis, best of {}: {} and {} on serve, the first player serves first",
        args.best_of, args.a, args.b
    );
    let mut table = Table::new(title, &["outcome", "probability", "fair odds"]);
    let wins = priced(model.wins(&start))?;
    let set = priced(model.wins_set(&start))?;
    let mut rows = vec![
        ("A wins".to_owned(), wins),
        ("B wins".to_owned(), 1.0 - wins),
        ("A wins the first set".to_owned(), set),
        ("B wins the first set".to_owned(), 1.0 - set),
        ("A holds serve".to_owned(), priced(tennis::game(args.a))?),
        ("B holds serve".to_owned(), priced(tennis::game(args.b))?),
    ];
    let scores = model.set_scores(&start).map_err(|e| cannot(where_from, e))?;
    for lost in 0..sets_to_win {
        rows.push((format!("{sets_to_win}-{lost} in sets"), scores.at(sets_to_win, lost)));
    }
    for lost in (0..sets_to_win).rev() {
        rows.push((format!("{lost}-{sets_to_win} in sets"), scores.at(lost, sets_to_win)));
    }
    let games = model.games(&start).map_err(|e| cannot(where_from, e))?;
    let least = 12 * sets_to_win as i32;
    for halves in (least + 1..=least + 21).step_by(4) {
        let over = games.total_over(halves);
        let line = f64::from(halves) / 2.0;
        rows.push((format!("over {line} games"), over.win));
    }
    for (name, p) in rows {
        table.row([name.clone(), percent(p), odds(p)]);
        table.chance(name, p);
    }
    Ok(table)
}
