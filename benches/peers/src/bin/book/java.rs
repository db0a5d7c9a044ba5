//! The books of `java/src/Books.java`, which played the streams before: rows of the table from the lines that it printed.

use std::collections::BTreeMap;

use betring_peers::stream::Fills;

use crate::{LIMITED, LIVE, Played, Row};

/// What it calls its books, and what is not alike.
const BOOKS: [(&str, &str); 2] = [
    (
        "direct",
        "Java: warm, not in turns with ours; its compiler's and collector's threads are not counted. An event of each trade and cancel; a radix tree by id",
    ),
    ("naive", "Java, as above; a hash map by id, a tree of prices"),
];

/// The version that the Maven project names.
fn version() -> &'static str {
    let pom = include_str!("../../../java/pom.xml");
    let named = pom.split_once("<artifactId>exchange-core</artifactId>");
    let of = named.and_then(|(_, rest)| rest.split_once("<version>")?.1.split_once("</version>"));
    of.expect("pom.xml names its version").0
}

/// Nanoseconds of a command in every round, ascending, and what was traded, of a line behind its names.
fn played<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Played> {
    let count = words.next()?.parse().ok()?;
    let size = words.next()?.parse().ok()?;
    let digest = u64::from_str_radix(words.next()?, 16).ok()?;
    let spans: Option<Vec<f64>> = words.map(|word| word.parse().ok()).collect();
    let mut spans = spans?;
    spans.sort_by(f64::total_cmp);
    let sound =
        spans.first().is_some_and(|least| 0.0 <= *least) && spans.iter().all(|s| s.is_finite());
    sound.then_some(Played { spans, fills: Fills { count, size, digest } })
}

/// A row for each book.
///
/// # Errors
/// If a line cannot be read, or one is missing.
pub(crate) fn rows(text: &str) -> Result<Vec<Row>, String> {
    let mut all = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let mut words = line.split(' ');
        let names = words.next().zip(words.next()).map(|(book, stream)| format!("{book} {stream}"));
        let read = names.zip(played(words)).ok_or_else(|| {
            format!("line {} is not `book stream trades size digest ns...`: {line}", at + 1)
        });
        let (names, played) = read?;
        all.insert(names, played);
    }
    let row = |(book, remark): (&'static str, &str)| {
        let mut take = |stream: &str| {
            let missing = || format!("no line has {book} on {stream}: run it again");
            all.remove(&format!("{book} {stream}")).ok_or_else(missing)
        };
        let limited = take(LIMITED)?.fills;
        let played = LIVE.map(|live| Ok((live, take(&live.to_string())?)));
        let played = played.into_iter().collect::<Result<_, String>>()?;
        let name = format!("exchange-core {}, {book}", version());
        Ok(Row { name, remark: remark.to_owned(), limited, played })
    };
    BOOKS.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
direct 1000 3 300 00000000000000ff 9.5 7.5 8.5
direct 100000 4 400 0a 1.5
direct limited 1 100 0b 2.5
naive 1000 3 300 00000000000000ff 9.5
naive 100000 4 400 0a 1.5
naive limited 1 100 0b 2.5
";

    #[test]
    fn a_row_has_the_fills_of_its_streams_and_its_spans_in_order() {
        let rows = rows(LINES).expect("complete");
        assert_eq!(rows.len(), 2);
        assert!(rows[0].name.ends_with(", direct") && rows[1].name.ends_with(", naive"));
        let small = &rows[0].played[&1_000];
        assert_eq!(small.spans, [7.5, 8.5, 9.5]);
        assert_eq!(small.fills, Fills { count: 3, size: 300, digest: 255 });
        assert_eq!(rows[0].limited, Fills { count: 1, size: 100, digest: 11 });
    }

    #[test]
    fn a_line_that_is_missing_or_cut_is_said() {
        let without = LINES.replace("naive limited 1 100 0b 2.5\n", "");
        assert_eq!(
            rows(&without).expect_err("missing"),
            "no line has naive on limited: run it again"
        );
        for cut in ["naive limited 1 100 0b", "naive limited 1 100 0b NaN", "naive limited 1 100"] {
            let error = rows(&LINES.replace("naive limited 1 100 0b 2.5", cut)).expect_err(cut);
            assert!(error.starts_with("line 6 is not "), "{error}");
        }
    }
}
