//! A part of a history as lines that a person can read: who, when, which place in the journal, what.

use super::{History, Operation, Said};
use betring_core::command::Kind;
use betring_core::id::{AccountId, ActorId, RequestKey, Seq};
use betring_core::wire::{SLOT, Slot};
use std::fmt::Write;
use zerocopy::FromBytes;

/// Characters of the bars.
const WIDTH: u64 = 32;

/// A line for each of these attempts, under a line that says what stands where.
pub(super) fn of(history: &History, chosen: &[usize], decided: &[Option<Seq>]) -> String {
    let mut chosen = chosen.to_vec();
    chosen.sort_unstable();
    chosen.dedup();
    let of = |at: &usize| history.operations.get(*at).map(|operation| (*at, operation));
    let shown: Vec<(usize, &Operation)> = chosen.iter().filter_map(of).collect();
    let first = shown.iter().map(|(_, operation)| operation.called).min().unwrap_or(0);
    let ends = |operation: &Operation| operation.returned().unwrap_or(operation.called);
    let last = shown.iter().map(|(_, operation)| ends(operation)).max().unwrap_or(first);
    let span = (last - first).max(1);
    let column =
        |at: u64| (u128::from(at - first) * u128::from(WIDTH - 1) / u128::from(span)) as usize;
    let mut out = format!(
        "{:<12} {:>11} {:>11} {:>9}  {:<width$}  asked -> told\n",
        "who",
        "called µs",
        "returned",
        "sequence",
        "",
        width = WIDTH as usize
    );
    for (at, operation) in shown {
        let who = history.lines.get(operation.line).map_or("?", |line| &line.who);
        let (from, to) = (column(operation.called), column(ends(operation)));
        let mut bar = vec![b' '; WIDTH as usize];
        bar[from..=to].fill(b'-');
        bar[to] = if operation.returned().is_some() { b']' } else { b'?' };
        bar[from] = if from == to { b'|' } else { b'[' };
        let returned = operation.returned().map_or("never".to_owned(), micros);
        // What has no record stands behind the sequence that it was looked up at.
        let place = match (decided.get(at).copied().flatten(), operation.reply()) {
            (Some(seq), _) => seq.to_string(),
            (None, Some(reply)) => format!("after {}", reply.as_of),
            (None, None) => "-".to_owned(),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "{who:<12} {:>11} {returned:>11} {place:>9}  {}  {} -> {}",
            micros(operation.called),
            String::from_utf8_lossy(&bar),
            asked(&operation.bytes),
            told(operation)
        );
    }
    out
}

fn micros(nanos: u64) -> String {
    format!("{}.{}", nanos / 1_000, nanos % 1_000 / 100)
}

/// A command in few words.
fn asked(bytes: &[u8]) -> String {
    let Ok((first, _)) = Slot::read_from_prefix(bytes) else {
        return format!("{} of {SLOT} bytes", bytes.len());
    };
    let header = first.header();
    let kind = Kind::from_code(header.kind).map_or("?", Kind::name);
    // Accounts are handles, which have a generation; actors count from 1.
    let who = match header.account >> 32 {
        0 => ActorId(header.account).to_string(),
        _ => AccountId::from_raw(header.account).to_string(),
    };
    match header.key {
        RequestKey::NONE => format!("{kind} of {who}"),
        key => format!("{kind} of {who} under {key}"),
    }
}

fn told(operation: &Operation) -> String {
    match &operation.said {
        Said::NotTaken { why, .. } => format!("not taken: {why}"),
        Said::Replied { reply, token, .. } => format!("{reply} ({token})"),
        Said::Nothing { token } => format!("nothing ({token})"),
    }
}
