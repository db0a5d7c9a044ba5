//! A minimal bet that is durable when it is answered: our core, PostgreSQL and Redis, on one disk.
//!
//! A bet debits an account that has enough, keeps the price that was in force, and is answered the same when its request
//! comes again. Connections ask and wait in a closed loop, so many bets in a request. Every answer, the bets that were placed
//! and the balances at the end are checked. Run `benches/peers/durable.sh`, which starts the servers.

mod bets;
mod core;
mod orders;
mod theirs;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Barrier,
    time::Instant,
};

use betring_benches::{
    machine::Machine,
    recorder::{Count, Quantiles, Recorder, Span},
};
use betring_peers::version;

use crate::{
    bets::{Bet, Fault, Script, Shape, Sums},
    core::{Ran, Server, Wire},
    theirs::{Postgres, Redis},
};

const SHAPES: [Shape; 5] = [
    Shape { connections: 1, batch: 1, requests: 1_024 },
    Shape { connections: 8, batch: 1, requests: 512 },
    Shape { connections: 32, batch: 1, requests: 256 },
    Shape { connections: 1, batch: 32, requests: 256 },
    Shape { connections: 8, batch: 32, requests: 128 },
];
/// How often each is measured, in turns; odd, so that there is a median.
const ROUNDS: usize = 3;

/// Something that places bets and remembers them.
enum System {
    InProcess { dir: PathBuf },
    Socket { dir: PathBuf, socket: PathBuf },
    Postgres { dir: PathBuf },
    Redis { socket: PathBuf },
}

/// A connection to one.
enum Connection {
    Socket(Wire),
    Postgres(Postgres),
    Redis(Redis),
}

impl Connection {
    fn place(&mut self, bets: &[Bet]) -> Result<Vec<bool>, Fault> {
        match self {
            Connection::Socket(wire) => wire.place(bets),
            Connection::Postgres(postgres) => postgres.place(bets),
            Connection::Redis(redis) => redis.place(bets),
        }
    }
}

impl System {
    fn name(&self) -> Result<String, Fault> {
        Ok(match self {
            System::InProcess { .. } => "ours, in process".to_owned(),
            System::Socket { .. } => "ours, behind a unix socket".to_owned(),
            System::Postgres { dir } => format!("PostgreSQL {}", Postgres::version(dir)?),
            System::Redis { socket } => format!("Redis {}", Redis::version(socket)?),
        })
    }

    fn connect(&self) -> Result<Connection, Fault> {
        Ok(match self {
            System::InProcess { .. } => return Err("it has no connections".into()),
            System::Socket { socket, .. } => Connection::Socket(Wire::connect(socket)?),
            System::Postgres { dir } => Connection::Postgres(Postgres::connect(dir)?),
            System::Redis { socket } => Connection::Redis(Redis::connect(socket)?),
        })
    }

    /// From an empty book to the checked end.
    fn run(&self, shape: Shape) -> Result<Ran, Fault> {
        match self {
            System::InProcess { dir } => {
                let ran = core::in_process(dir, shape)?;
                fs::remove_dir_all(dir)?;
                Ok(ran)
            }
            System::Socket { dir, socket } => {
                let server = Server::start(dir, socket, shape)?;
                let mut ran = self.ask(shape)?;
                let (balances, syncs) = server.stop()?;
                fs::remove_dir_all(dir)?;
                // What was accepted was checked answer by answer.
                ran.found = Sums { balances, ..ran.expected };
                ran.syncs = Some(syncs);
                Ok(ran)
            }
            System::Postgres { dir } => {
                Postgres::begin(dir, shape)?;
                let before = Postgres::syncs(dir)?;
                let mut ran = self.ask(shape)?;
                ran.syncs = Some(Postgres::syncs(dir)? - before);
                ran.found = Postgres::sums(dir)?;
                Ok(ran)
            }
            System::Redis { socket } => {
                Redis::begin(socket, shape)?;
                let mut ran = self.ask(shape)?;
                ran.found = Redis::sums(socket, shape)?;
                Ok(ran)
            }
        }
    }

    /// Every connection on a thread of its own.
    fn ask(&self, shape: Shape) -> Result<Ran, Fault> {
        let all_there = Barrier::new(shape.connections as usize + 1);
        let one = |connection: u32| -> Result<(Recorder, Sums), Fault> {
            let connected = self.connect();
            all_there.wait();
            let mut to = connected?;
            let (mut script, mut latency) = (Script::new(shape, connection), Recorder::new());
            loop {
                let start = Instant::now();
                let Some(bets) = script.next() else { break };
                let answers = to.place(bets)?;
                latency.record(start.elapsed().as_nanos() as i64);
                script.answered(&answers)?;
            }
            Ok((latency, script.sums()))
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..shape.connections).map(|n| scope.spawn(move || one(n))).collect();
            all_there.wait();
            let start = Instant::now();
            let (mut latency, mut expected) = (Recorder::new(), Sums::default());
            for thread in threads {
                let (own, sums) = thread.join().map_err(|_| "a connection's thread panicked")??;
                latency.merge(&own);
                expected = expected.add(sums);
            }
            let (took, found) = (start.elapsed(), Sums::default());
            Ok(Ran { took, latency, expected, found, syncs: None })
        })
    }
}

/// One round.
struct Round {
    bets_per_s: u64,
    latency: Quantiles,
    syncs: Option<u64>,
}

struct Row {
    name: String,
    shape: Shape,
    rounds: Vec<Round>,
    sums: Sums,
    alike: bool,
}

fn measured(systems: &[System]) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    for shape in SHAPES {
        let first = rows.len();
        for system in systems {
            let (rounds, sums) = (Vec::new(), Sums::default());
            rows.push(Row { name: system.name()?, shape, rounds, sums, alike: true });
        }
        for _ in 0..ROUNDS {
            for (row, system) in rows[first..].iter_mut().zip(systems) {
                let ran = system.run(shape)?;
                eprintln!("{} {shape:?}: {:.1?}", row.name, ran.took);
                let bets_per_s = (shape.bets() as f64 / ran.took.as_secs_f64()) as u64;
                let latency = ran.latency.quantiles();
                row.rounds.push(Round { bets_per_s, latency, syncs: ran.syncs });
                row.alike &= ran.found == ran.expected;
                row.sums = ran.found;
            }
        }
        for row in &mut rows[first..] {
            row.rounds.sort_by_key(|round| round.bets_per_s);
        }
    }
    Ok(rows)
}

/// The table; whether all came to the same.
fn show(rows: &[Row], dir: &Path) -> bool {
    println!("{}\n", Machine::measure(dir));
    println!(
        "| connections × bets a request | system | bets/s | of PostgreSQL | p50 | p99 | bets a sync | placed, balances |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for row in rows {
        let Shape { connections, batch, .. } = row.shape;
        let median = &row.rounds[ROUNDS / 2];
        let is_base = |other: &&Row| other.shape == row.shape && other.name.starts_with("Postgre");
        let base = rows.iter().find(is_base).map(|base| base.rounds[ROUNDS / 2].bets_per_s);
        let ratio = base.map(|base| format!("{:.1}", median.bets_per_s as f64 / base as f64));
        let syncs = median
            .syncs
            .map(|syncs| format!("{:.1}", row.shape.bets() as f64 / syncs.max(1) as f64));
        println!(
            "| {connections} × {batch} | {} | {} | {} | {} | {} | {} | {}, {}{} |",
            row.name,
            Count(median.bets_per_s),
            ratio.unwrap_or_else(|| "-".to_owned()),
            Span(median.latency.p50),
            Span(median.latency.p99),
            syncs.unwrap_or_else(|| "not counted".to_owned()),
            Count(row.sums.placed),
            row.sums.balances,
            if row.alike { "" } else { " **NOT AS ASKED**" },
        );
    }
    println!();
    let postgres = version("postgres");
    let redis = version("redis");
    println!(
        "- The median of {ROUNDS} rounds by bets/s, in turns. Latency is that of a request. Clients in Rust: postgres {postgres}, redis {redis}."
    );
    let same = |row: &Row| rows.iter().all(|o| o.shape != row.shape || o.sums == row.sums);
    rows.iter().all(|row| row.alike && same(row))
}

fn table(words: &[String]) -> Result<bool, Fault> {
    let [dir, peers @ ..] = words else { return Err("say `table DIR`".into()) };
    let dir = PathBuf::from(dir);
    let mut systems = vec![
        System::InProcess { dir: dir.join("in-process") },
        System::Socket { dir: dir.join("behind-socket"), socket: dir.join("ours.sock") },
    ];
    let mut orders = None;
    for pair in peers.chunks(2) {
        match pair {
            [which, at] if which == "--postgres" => {
                systems.push(System::Postgres { dir: at.into() })
            }
            [which, at] if which == "--redis" => systems.push(System::Redis { socket: at.into() }),
            [which, at] if which == "--orders" => orders = Some(at),
            other => {
                return Err(format!(
                    "{other:?} is none of --postgres DIR, --redis SOCKET, --orders ROWS"
                )
                .into());
            }
        }
    }
    let alike = show(&measured(&systems)?, &dir);
    let Some(rows) = orders else { return Ok(alike) };
    let text = fs::read_to_string(rows).map_err(|why| format!("{rows}: {why}"))?;
    let traded = orders::show(&text).map_err(|why| format!("{rows}: {why}"))?;
    Ok(alike && traded)
}

fn run(words: &[String]) -> Result<bool, Fault> {
    match words {
        [what, rest @ ..] if what == "table" => table(rest),
        [what, dir] if what == "streams" => Ok(orders::write(Path::new(dir)).map(|()| true)?),
        [what, dir, socket, connections, batch, requests] if what == "serve" => {
            let (connections, batch) = (connections.parse()?, batch.parse()?);
            let shape = Shape { connections, batch, requests: requests.parse()? };
            core::serve(Path::new(dir), Path::new(socket), shape).map(|()| true)
        }
        _ => Err(
            "say `table DIR [--postgres DIR] [--redis SOCKET] [--orders ROWS]` or `streams DIR`"
                .into(),
        ),
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            // PostgreSQL's reason is behind its error.
            match why.source() {
                Some(reason) => eprintln!("{why}: {reason}"),
                None => eprintln!("{why}"),
            }
            ExitCode::FAILURE
        }
    }
}
