//! One line of a script as words: names, spans of time, amounts and prices.
//!
//! Amounts and prices are read as they stand, in range or not: what is out of range is for the
//! State to refuse, and scripts ask for exactly that.

use crate::time::Nanos;
use crate::wire::{Minor, WirePrice};
use betring_pricing::Fraction;
use std::collections::VecDeque;

/// Why a line cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) read: String,
    pub(super) expected: String,
}

impl Unreadable {
    pub(super) fn new(read: impl Into<String>, expected: impl Into<String>) -> Unreadable {
        Unreadable { read: read.into(), expected: expected.into() }
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.read.as_str() {
            "" => write!(f, "read the end of the line, expected {}", self.expected),
            read => write!(f, "read `{read}`, expected {}", self.expected),
        }
    }
}

/// One word; a quoted one is never a keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: String,
    quoted: bool,
}

/// When a line happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// At the time of the line before.
    Now,
    /// So long after the script's start.
    At(Nanos),
    /// So long after the line before.
    Later(Nanos),
}

/// A line: when, the words, and what is expected of it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) when: When,
    pub(super) words: Words,
    pub(super) expected: Option<String>,
}

/// The words of a line that have not been read yet.
#[derive(Clone, Debug)]
pub(super) struct Words(VecDeque<Word>);

impl Line {
    /// Reads a line; none if nothing but a comment stands on it.
    pub(super) fn read(text: &str) -> Result<Option<Line>, Unreadable> {
        let mut words: VecDeque<Word> = VecDeque::new();
        let mut expected = None;
        let mut rest = without_comment(text).trim();
        while !rest.is_empty() {
            if let Some(answer) = rest.strip_prefix("->") {
                let answer = answer.trim();
                if answer.is_empty() {
                    return Err(Unreadable::new("", "an answer after `->`"));
                }
                expected = Some(answer.split_whitespace().collect::<Vec<_>>().join(" "));
                break;
            }
            let (word, after) = match rest.strip_prefix('"') {
                Some(quoted) => {
                    let (text, after) = quoted
                        .split_once('"')
                        .ok_or_else(|| Unreadable::new(rest, "a closing quotation mark"))?;
                    (Word { text: text.to_owned(), quoted: true }, after)
                }
                None => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    (Word { text: rest[..end].to_owned(), quoted: false }, &rest[end..])
                }
            };
            words.push_back(word);
            rest = after.trim_start();
        }
        let mut when = When::Now;
        if let Some(time) = words.front().and_then(|w| w.text.strip_prefix('@')) {
            when = match time.strip_prefix('+') {
                Some(later) => When::Later(span(later)?),
                None => When::At(span(time)?),
            };
            words.pop_front();
        }
        if words.is_empty() && when == When::Now && expected.is_none() {
            return Ok(None);
        }
        Ok(Some(Line { when, words: Words(words), expected }))
    }
}

fn without_comment(text: &str) -> &str {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &text[..at],
            _ => (),
        }
    }
    text
}

impl Words {
    /// Words that no line holds, of implicit set-up.
    pub(super) fn of(words: Vec<String>) -> Words {
        Words(words.into_iter().map(|text| Word { text, quoted: true }).collect())
    }

    /// How many words are left.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next word, or what was expected instead.
    pub(super) fn next(&mut self, expected: &str) -> Result<String, Unreadable> {
        self.0.pop_front().map(|w| w.text).ok_or_else(|| Unreadable::new("", expected))
    }

    /// The next word, if there is one.
    pub(super) fn maybe(&mut self) -> Option<String> {
        self.0.pop_front().map(|w| w.text)
    }

    /// The next word without taking it.
    pub(super) fn peek(&self) -> Option<&str> {
        self.0.front().map(|w| w.text.as_str())
    }

    /// Takes the next word if it is this one.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.0.front().is_some_and(|w| !w.quoted && w.text == word);
        if found {
            self.0.pop_front();
        }
        found
    }

    /// Takes `name value` out of the line, wherever it stands.
    pub(super) fn option(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        let Some(at) = self.0.iter().position(|w| !w.quoted && w.text == name) else {
            return Ok(None);
        };
        self.0.remove(at);
        match self.0.remove(at) {
            Some(value) => Ok(Some(value.text)),
            None => Err(Unreadable::new("", format!("a value after `{name}`"))),
        }
    }

    /// Takes a word out of the line, wherever it stands, and says whether it was there.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        let at = self.0.iter().position(|w| !w.quoted && w.text == name);
        at.and_then(|at| self.0.remove(at)).is_some()
    }

    /// Nothing may be left.
    pub(super) fn done(&self) -> Result<(), Unreadable> {
        match self.0.front() {
            None => Ok(()),
            Some(word) => Err(Unreadable::new(&word.text, "the end of the line")),
        }
    }

    /// Whether all words were read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A span of time: `5ms`, `1.5s`, `5m+1ns`, `10s-1ns`.
pub(super) fn span(text: &str) -> Result<Nanos, Unreadable> {
    let wrong = || Unreadable::new(text, "a time like 5ms, 1.5s or 5m-1ns");
    let mut total: i64 = 0;
    let mut rest = text;
    let mut sign = 1;
    loop {
        let end = rest.find(['+', '-']).unwrap_or(rest.len());
        let term = one_span(&rest[..end]).ok_or_else(wrong)?;
        total = total.checked_add(sign * term).ok_or_else(wrong)?;
        match rest.as_bytes().get(end) {
            None => return Ok(Nanos(total)),
            Some(b'+') => sign = 1,
            Some(_) => sign = -1,
        }
        rest = &rest[end + 1..];
    }
}

/// A span of time that may go back: `3ms`, `-1s`.
pub(super) fn signed_span(text: &str) -> Result<Nanos, Unreadable> {
    match text.strip_prefix('-') {
        Some(back) => span(back).map(|span| Nanos(-span.0)),
        None => span(text),
    }
}

fn one_span(text: &str) -> Option<i64> {
    let units = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, unit) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, parts) = number.split_once('.').unwrap_or((number, ""));
    let mut total = digits(whole)?.checked_mul(*unit)?;
    if number.contains('.') {
        let scale = 10_i64.checked_pow(u32::try_from(parts.len()).ok()?)?;
        let parts = digits(parts)?.checked_mul(*unit)?;
        if parts % scale != 0 {
            return None;
        }
        total = total.checked_add(parts / scale)?;
    }
    Some(total)
}

fn digits(text: &str) -> Option<i64> {
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if good { text.parse().ok() } else { None }
}

/// `[-]digits[.digits]` with at most `places` decimals, as a whole number of the smallest part.
fn decimal(text: &str, places: u32) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, parts) = text.split_once('.').unwrap_or((text, "0"));
    let missing = places.checked_sub(u32::try_from(parts.len()).ok()?)?;
    let parts = digits(parts)?.checked_mul(10_i64.checked_pow(missing)?)?;
    let whole = digits(whole)?.checked_mul(10_i64.checked_pow(places)?)?;
    whole.checked_add(parts).map(|n| sign * n)
}

/// An amount of money, in range or not: `10.00`, `-14.00`.
pub(super) fn amount(text: &str) -> Result<Minor, Unreadable> {
    decimal(text, 2)
        .map(Minor)
        .ok_or_else(|| Unreadable::new(text, "an amount with at most two decimals, like 10.00"))
}

/// A price, in range or not: `2.40`, `5/2`.
pub(super) fn price(text: &str) -> Result<WirePrice, Unreadable> {
    let wrong = || Unreadable::new(text, "a price like 2.40 or 5/2");
    if text.contains('/') {
        let fraction: Fraction = text.parse().map_err(|_| wrong())?;
        return Ok(WirePrice::fractional(fraction));
    }
    let e4 = decimal(text, 4).and_then(|e4| u32::try_from(e4).ok()).ok_or_else(wrong)?;
    Ok(WirePrice { e4, num: 0, den: 0 })
}

/// Whether a word reads as a price, or as the `-` that takes one away.
pub(super) fn is_price(text: &str) -> bool {
    text == "-" || price(text).is_ok()
}

/// What the bound of a moved price has to be.
pub(super) const SLIPPAGE: &str = "a slippage like 2% or 150bp";

/// A share in ten-thousandths: `2%`, `0.5%`, `150bp`.
pub(super) fn share(text: &str, expected: &str) -> Result<u16, Unreadable> {
    let points = match (text.strip_suffix('%'), text.strip_suffix("bp")) {
        (Some(percent), _) => decimal(percent, 2),
        (_, Some(points)) => digits(points),
        _ => None,
    };
    points.and_then(|p| u16::try_from(p).ok()).ok_or_else(|| Unreadable::new(text, expected))
}

/// A share in millionths: `2%`, `33.3333%`, `150bp`.
pub(super) fn millionths(text: &str) -> Result<u32, Unreadable> {
    let share = match (text.strip_suffix('%'), text.strip_suffix("bp")) {
        (Some(percent), _) => decimal(percent, 4),
        (_, Some(points)) => digits(points).and_then(|points| points.checked_mul(100)),
        _ => None,
    };
    share
        .and_then(|share| u32::try_from(share).ok())
        .ok_or_else(|| Unreadable::new(text, "a share like 2% or 150bp"))
}

/// A whole number.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|_| Unreadable::new(text, "a whole number in its range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_time_a_verb_its_words_and_an_answer() {
        let line = Line::read("@5ms place \"R 1\" A7  -> B1 at   2.40 # why").unwrap().unwrap();
        assert_eq!(line.when, When::At(Nanos::from_millis(5)));
        assert_eq!(line.expected.as_deref(), Some("B1 at 2.40"));
        let words: Vec<&str> = line.words.0.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(words, ["place", "R 1", "A7"]);
        assert!(Line::read("   # nothing").unwrap().is_none());
        assert_eq!(Line::read("@+2s").unwrap().unwrap().when, When::Later(Nanos::from_secs(2)));
    }

    #[test]
    fn times_may_be_sums() {
        let cases = [
            ("5ms", 5_000_000),
            ("1.5s", 1_500_000_000),
            ("5m-1ns", 299_999_999_999),
            ("2h", 7_200_000_000_000),
            ("10s+1ns", 10_000_000_001),
        ];
        for (text, ns) in cases {
            assert_eq!(span(text).unwrap(), Nanos(ns), "{text}");
        }
        assert_eq!(signed_span("-1s").unwrap(), Nanos::from_secs(-1));
        assert_eq!(signed_span("3ms").unwrap(), Nanos::from_millis(3));
        for text in ["", "5", "ms", "1.s", "1.5ns", "5ms+", "-5ms", "9999999999h", "5x"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_and_prices_are_read_as_they_stand() {
        assert_eq!(amount("10.5").unwrap(), Minor(1050));
        assert_eq!(amount("-14.00").unwrap(), Minor(-1400));
        assert!(amount("1.001").is_err() && amount("").is_err() && amount("1.").is_err());
        assert_eq!(price("2.40").unwrap().e4, 24_000);
        assert_eq!(price("0.5").unwrap().e4, 5_000);
        assert_eq!(price("5/2").unwrap().num, 5);
        assert!(price("England").is_err() && price("5/0").is_err());
        assert_eq!(share("2%", SLIPPAGE).unwrap(), 200);
        assert_eq!(share("150bp", SLIPPAGE).unwrap(), 150);
        assert!(share("2", SLIPPAGE).is_err());
    }

    #[test]
    fn what_cannot_be_read_says_what_was_expected() {
        let wrong = |text: &str| Line::read(text).unwrap_err().to_string();
        assert_eq!(wrong("place ->"), "read the end of the line, expected an answer after `->`");
        assert_eq!(wrong("x \"Man"), "read `\"Man`, expected a closing quotation mark");
        assert_eq!(wrong("@5 place"), "read `5`, expected a time like 5ms, 1.5s or 5m-1ns");
    }
}
