//! The program `betring`: plays a matchday, audits and shows journals, watches an engine, measures, checks feeds, runs
//! scripts.
#![forbid(unsafe_code)]

mod acks;
mod audit;
mod bench;
mod config;
mod describe;
mod diff;
mod dlq;
mod drill;
mod error;
mod exchange;
mod feed;
mod file;
mod fold;
mod journal;
mod life;
mod matchday;
mod memory;
mod out;
mod price;
mod replay;
mod report;
mod rules;
mod script;
mod source;
mod top;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The low-latency core of a bookmaker: play a matchday, then prove what was journaled.
#[derive(Parser)]
#[command(name = "betring", version, arg_required_else_help = true, after_help = EXAMPLES,
    max_term_width = 95)]
struct Cli {
    #[command(subcommand)]
    command: Cmd,
}

const EXAMPLES: &str = "\
Examples:
  betring matchday                            a derby night: 20 seconds, opening, the audit
  betring audit ./betring-run-1               prove every accepted bet, price and basis
  betring audit ./betring-run-1 --bet B7      one bet's whole life in plain words
  betring journal tail ./betring-run-1 -f     what is being decided, a line each
  betring dlq list ./betring-run-1            commands that could not be read
  betring config check engine.toml            does a set-up hold what will come, and fit?
  betring top ./betring-run-1                 a running engine, each second
  betring drill all                           bad moments of a live night, PASS or FAIL each
  betring drill kill                          kill -9, over and over: nothing told is lost
  betring drill restore                       backup, wipe, restore: the same state as before
  betring bench latency                       what the library does on this machine
  betring feed check recording.bz2            what a stream recording holds
  betring exchange replay recording.bz2       its books rebuilt from orders
  betring price football --prices 2,3.5,4     a whole match
  betring script night.script                 run a script of the test language

Exit status: 0 all is well, 1 a check failed, 2 the command could not be carried out.";

#[derive(Subcommand)]
enum Cmd {
    /// Play a matchday from a seed or from recordings, measure it, and audit it.
    Matchday(Box<matchday::Args>),
    /// Prove from a journal that every accepted bet has its price and its basis, in two ways.
    Audit(audit::Args),
    /// Look into a journal and look after it: inspect, tail, verify, replay, snapshot, archive.
    Journal(journal::Args),
    /// Look at commands that could not be read and were put aside, and ask them again.
    Dlq(dlq::Args),
    /// Check a set-up before an engine opens with it: keys, memory, disk, the longest wait.
    Config(config::Args),
    /// Watch a running engine: what it does, how long that takes, what is wrong.
    Top(top::Args),
    /// Practise what has to work on a bad day.
    Drill(drill::Args),
    /// Measure what the library does on this machine, beside what the machine does by itself.
    Bench(bench::Args),
    /// Read feed recordings.
    Feed(feed::Args),
    /// Rebuild an exchange's books from recordings, and let orders meet them.
    Exchange(exchange::Args),
    /// Price a football match, a race, a tennis match; take an overround off.
    Price(price::Args),
    /// Run scripts of the test language.
    Script(script::Args),
}

fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Cmd::Matchday(args) => matchday::run(*args),
        Cmd::Audit(args) => audit::run(args),
        Cmd::Journal(args) => journal::run(args),
        Cmd::Dlq(args) => dlq::run(args),
        Cmd::Config(args) => config::run(args),
        Cmd::Top(args) => top::run(args),
        Cmd::Drill(args) => drill::run(args),
        Cmd::Bench(args) => bench::run(args),
        Cmd::Feed(args) => feed::run(args),
        Cmd::Exchange(args) => exchange::run(args),
        Cmd::Price(args) => price::run(args),
        Cmd::Script(args) => script::run(args),
    };
    ended.unwrap_or_else(|error| {
        if error.is_broken_pipe() {
            // Whoever read us has seen enough: `betring journal tail DIR | head` is no failure.
            return ExitCode::SUCCESS;
        }
        // Nothing is left to tell if standard error is gone too.
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("error: {error}\n"));
        ExitCode::from(2)
    })
}
