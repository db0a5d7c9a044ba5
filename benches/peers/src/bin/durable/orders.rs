//! Orders that all of exchange-core answers, with its journal and without: a table of their own, because an order is no bet.
//!
//! `java/src/Orders.java` plays streams from files and prints a line for each round; here the streams are written and the lines
//! read, and what was traded is compared with our book.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use betring_benches::recorder::{Count, Span};
use betring_peers::stream::{Fills, Ours, Stream};

/// How many commands may wait at once, and how many are measured: as many as there are bets.
const STREAMS: [(usize, usize); 4] = [(1, 1_024), (8, 4_096), (32, 8_192), (256, 32_768)];
/// Orders that rest at first.
const LIVE: usize = 1_000;
/// What the lines say of the journal, and how the table does.
const JOURNALS: [(&str, &str); 2] = [("off", "none"), ("on", "on disk")];

/// Writes every stream into a file called by how many may wait at once.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn write(dir: &Path) -> io::Result<()> {
    for (at_once, commands) in STREAMS {
        let mut file = BufWriter::new(File::create(dir.join(at_once.to_string()))?);
        Stream::new(LIVE, commands).write(&mut file)?;
        file.flush()?;
    }
    Ok(())
}

/// What a line says behind its names: what was traded, and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Round {
    fills: Fills,
    took: u64,
    p50: u64,
    p99: u64,
}

fn round<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Round> {
    let count = words.next()?.parse().ok()?;
    let size = words.next()?.parse().ok()?;
    let digest = u64::from_str_radix(words.next()?, 16).ok()?;
    let took = words.next()?.parse().ok().filter(|&took| 0 < took)?;
    let (p50, p99) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let fills = Fills { count, size, digest };
    words.next().is_none().then_some(Round { fills, took, p50, p99 })
}

/// The rounds by journal and stream.
///
/// # Errors
/// If a line cannot be read.
fn rounds(text: &str) -> Result<BTreeMap<String, Vec<Round>>, String> {
    let mut all: BTreeMap<String, Vec<Round>> = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let mut words = line.split(' ');
        let names = words.next().zip(words.next()).map(|(on, stream)| format!("{on} {stream}"));
        let (names, round) = names.zip(round(words)).ok_or_else(|| {
            let line_number = at + 1;
            format!(
                "line {line_number} is not `off|on stream trades size digest ns p50 p99`: {line}"
            )
        })?;
        all.entry(names).or_default().push(round);
    }
    Ok(all)
}

/// What our book makes of a stream.
fn traded(stream: &Stream) -> Fills {
    let (mut ours, mut fills) = (Ours::new(stream.len()), Fills::default());
    stream.all().for_each(|command| ours.play(command, &mut fills));
    fills
}

/// Prints the table; whether all traded as our book does.
///
/// # Errors
/// If a line cannot be read, or is missing.
pub(crate) fn show(text: &str) -> Result<bool, String> {
    let rounds = rounds(text)?;
    println!("\n| commands at once | journal | orders/s | p50 | p99 | trades as our book |");
    println!("|---|---|---|---|---|---|");
    let mut all_alike = true;
    for (at_once, commands) in STREAMS {
        let fills = traded(&Stream::new(LIVE, commands));
        for (on, journal) in JOURNALS {
            let found = rounds.get(&format!("{on} {at_once}"));
            let mut found =
                found.ok_or_else(|| format!("no line has {on} {at_once}: run it again"))?.clone();
            found.sort_by_key(|round| round.took);
            let median = found[found.len() / 2];
            let alike = found.iter().all(|round| round.fills == fills);
            println!(
                "| {at_once} | {journal} | {} | {} | {} | {} |",
                Count((commands as f64 * 1e9 / median.took as f64) as u64),
                Span(median.p50),
                Span(median.p99),
                if alike { "yes" } else { "**NO**" },
            );
            all_alike &= alike;
        }
    }
    println!();
    Ok(all_alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line for each, all with what our book trades.
    fn lines() -> String {
        let mut lines = String::new();
        for (at_once, commands) in STREAMS {
            let Fills { count, size, digest } = traded(&Stream::new(LIVE, commands));
            for (on, _) in JOURNALS {
                lines += &format!("{on} {at_once} {count} {size} {digest:016x} 1000 10 20\n");
            }
        }
        lines
    }

    #[test]
    fn the_same_trades_are_alike_and_one_more_in_any_round_is_not() {
        let lines = lines();
        assert_eq!(show(&lines), Ok(true));
        let mut words: Vec<&str> = lines.lines().next().expect("a line").split(' ').collect();
        words[2] = "1";
        assert_eq!(show(&format!("{lines}{}\n", words.join(" "))), Ok(false));
    }

    #[test]
    fn a_line_that_is_cut_or_missing_is_said() {
        let lines = lines();
        let last = lines.lines().last().expect("a line");
        let error = show(lines.trim_end_matches(" 20\n")).expect_err("cut");
        assert!(error.starts_with("line 8 is not"), "{error}");
        let error = show(&lines.replace(last, "")).expect_err("an empty line");
        assert!(error.starts_with("line 8 is not"), "{error}");
        let error = show(&lines.replace(&format!("{last}\n"), "")).expect_err("missing");
        assert_eq!(error, "no line has on 256: run it again");
    }
}
