//! Our exchange book and its peers on one stream of orders: do they trade the same, and how long does a command take?
//!
//! Run `benches/peers/book.sh`. By itself, `book write DIR` writes the streams as files, for peers of other languages, and
//! `book [ROWS]` prints the table, with what those came to in the file ROWS.

mod java;
mod ours;
mod peers;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
    process::ExitCode,
};

use crate::{
    ours::Risked,
    peers::{Lobster, Matchcore, OrderbookRs, RustOb},
};
use betring_peers::{
    machine, processor_ns,
    stream::{Fills, Ours, Stream},
    version,
};

/// Orders that rest at first.
const LIVE: [usize; 2] = [1_000, 100_000];
/// Commands that are measured.
const COMMANDS: usize = 500_000;
/// How often a stream is played; odd, so that there is a median.
const ROUNDS: usize = 5;
/// The file of the stream in which a limit leaves something to rest; those of the others are called by their live orders.
const LIMITED: &str = "limited";

/// A book that plays a stream.
trait Plays: Sized + 'static {
    /// A command in its own words.
    type Command;

    /// The whole stream, before the clock runs.
    fn commands(stream: &Stream) -> Vec<Self::Command>;

    /// An empty book for a stream of so many commands.
    fn new(commands: usize) -> Self;

    /// Plays a command and reads what was traded.
    fn play(&mut self, command: &Self::Command, fills: &mut Fills);
}

/// One way to play a stream: how many nanoseconds the measured part took, and what was traded.
type Play = Box<dyn FnMut() -> (f64, Fills)>;

fn play<P: Plays>(stream: &Stream) -> Play {
    let (commands, first) = (P::commands(stream), stream.first.len());
    Box::new(move || {
        let (mut book, mut fills) = (P::new(commands.len()), Fills::default());
        let (first, then) = commands.split_at(first);
        first.iter().for_each(|command| book.play(command, &mut fills));
        let start = processor_ns();
        then.iter().for_each(|command| book.play(command, &mut fills));
        (processor_ns() - start, fills)
    })
}

/// A row of the table.
#[derive(Debug)]
struct Row {
    name: String,
    remark: String,
    /// What it did where a limit leaves something to rest.
    limited: Fills,
    /// By how many rest at first.
    played: BTreeMap<usize, Played>,
}

/// Nanoseconds of a command in every round, ascending, and what was traded.
#[derive(Debug)]
struct Played {
    spans: Vec<f64>,
    fills: Fills,
}

/// All, ours first, each with what it makes of this stream.
fn ways(stream: &Stream) -> Vec<(&'static str, &'static str, Play)> {
    vec![
        ("ours", "the book alone", play::<Ours>(stream)),
        (
            "ours, with risk",
            "the book, each account's exposure in the market before and after, and the bytes of every event",
            play::<Risked>(stream),
        ),
        (
            "matchcore",
            "takes an order's id from its command's sequence number; a map by id; a report of each command. An order that crosses takes any price: no such order of the stream wants more than its limit has",
            play::<Matchcore>(stream),
        ),
        (
            "lobster",
            "no replace: a cancel and an add; a cancel looks through its level",
            play::<Lobster>(stream),
        ),
        (
            "rust_ob",
            "decimals, which are made beforehand; no replace: a cancel and an add; both sides' cost in its matches",
            play::<RustOb>(stream),
        ),
        (
            "orderbook-rs",
            "for many threads at once, here one; its clock stands still; fees, ids of trades and a sequence are in",
            play::<OrderbookRs>(stream),
        ),
    ]
}

fn measured() -> Vec<Row> {
    let rows = ways(&Stream::limited()).into_iter().map(|(name, remark, mut play)| {
        let name = match name.starts_with("ours") {
            true => name.to_owned(),
            false => format!("{name} {}", version(name)),
        };
        let (_, limited) = play();
        let (remark, played) = (remark.to_owned(), BTreeMap::new());
        Row { name, remark, limited, played }
    });
    let mut rows: Vec<Row> = rows.collect();
    for live in LIVE {
        let stream = Stream::new(live, COMMANDS);
        let mut ways = ways(&stream);
        let mut spans = vec![Vec::with_capacity(ROUNDS); ways.len()];
        let mut fills = vec![Fills::default(); ways.len()];
        for _ in 0..ROUNDS {
            for (at, (.., play)) in ways.iter_mut().enumerate() {
                let (took, traded) = play();
                spans[at].push(took / COMMANDS as f64);
                fills[at] = traded;
            }
        }
        for ((row, mut spans), fills) in rows.iter_mut().zip(spans).zip(fills) {
            spans.sort_by(f64::total_cmp);
            row.played.insert(live, Played { spans, fills });
        }
    }
    rows
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "**NO**" }
}

/// Writes every stream into a file of its own.
fn write(dir: &Path) -> io::Result<()> {
    let streams = LIVE.map(|live| (live.to_string(), Stream::new(live, COMMANDS)));
    for (name, stream) in streams.into_iter().chain([(LIMITED.to_owned(), Stream::limited())]) {
        let mut file = BufWriter::new(File::create(dir.join(name))?);
        stream.write(&mut file)?;
        file.flush()?;
    }
    Ok(())
}

/// The table; whether all traded the same.
fn show(rows: &[Row]) -> bool {
    println!("{}\n", machine());
    print!("| book |");
    LIVE.iter().for_each(|live| print!(" {live} live: min, median | of ours |"));
    println!(" trades as ours | holds a limit | what is not alike |");
    println!("|---|---|---|---|---|---|---|---|");
    let ours = &rows[0].played;
    let mut all_alike = true;
    for row in rows {
        print!("| {} |", row.name);
        let mut alike = true;
        for live in LIVE {
            let played = &row.played[&live];
            let (min, median) = (played.spans[0], played.spans[played.spans.len() / 2]);
            print!(" {min:.1} ns, {median:.1} ns | {:.1} |", min / ours[&live].spans[0]);
            alike &= played.fills == ours[&live].fills;
        }
        let limit = row.limited == rows[0].limited;
        println!(" {} | {} | {} |", yes(alike), yes(limit), row.remark);
        all_alike &= alike;
    }
    println!();
    for (live, Played { fills, .. }) in ours {
        println!(
            "- {COMMANDS} commands over {live} orders: {} trades of {} in all, digest {:016x} of who met whom, how much, \
             at what price, in what order.",
            fills.count, fills.size, fills.digest
        );
    }
    all_alike
}

fn run(args: &[String]) -> Result<bool, String> {
    match args {
        [] => Ok(show(&measured())),
        [rows] => {
            let text = fs::read_to_string(rows).map_err(|error| format!("{rows}: {error}"))?;
            let java = java::rows(&text).map_err(|error| format!("{rows}: {error}"))?;
            let mut all = measured();
            all.extend(java);
            Ok(show(&all))
        }
        [verb, dir] if verb == "write" => {
            write(Path::new(dir)).map_err(|error| format!("{dir}: {error}"))?;
            Ok(true)
        }
        _ => Err("say `write DIR`, ROWS or nothing: see benches/peers/book.sh".to_owned()),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("book: {error}");
            ExitCode::FAILURE
        }
    }
}
