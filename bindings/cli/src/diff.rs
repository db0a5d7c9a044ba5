//! What other rules would have decided, as a table: `journal replay --rules FILE --diff`.

use crate::describe::{self, Told, currency, utc};
use crate::error::CliError;
use crate::fold::Entry;
use crate::out::Out;
use crate::rules::FileRules;
use crate::source::Source;
use betring::{
    Answer, AnswerKind, Compared, Difference, HouseRules, Minor, Reject, Rules, Sums, diff,
};
use betring_benches::recorder::Count;
use betring_core::LOGIC_VERSION;
use betring_core::command::{Command, decode};
use betring_core::time::Timestamp;
use indicatif::ProgressBar;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Accounts shown; the rest is counted.
const ACCOUNTS_MAX: usize = 20;

/// What is to be compared.
pub(crate) struct Ask<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) rules: Option<&'a Path>,
    pub(crate) logic: Option<u32>,
    pub(crate) lines: usize,
    pub(crate) json: bool,
}

/// One command that is decided otherwise.
struct Row {
    seq: u64,
    at: String,
    asked: String,
    recorded: String,
    other: String,
}

/// Compares, and tells.
pub(crate) fn run(ask: &Ask<'_>) -> Result<ExitCode, CliError> {
    if let Some(version) = ask.logic
        && version != LOGIC_VERSION
    {
        return Err(CliError::new(
            format_args!("this program has no logic {version}: it has logic {LOGIC_VERSION} only"),
            "--logic",
            format_args!(
                "write --logic {LOGIC_VERSION}; or replay with the betring that has the other, and \
                 compare the digests"
            ),
        ));
    }
    let rules = ask.rules.map(FileRules::read).transpose()?;
    if rules.as_ref().is_some_and(FileRules::counts_minutes) && !has_a_start(ask.dir)? {
        eprintln!(
            "warning: no fixture in this book says when it starts, so no_bets_after_minute refuses nothing"
        );
    }
    match rules {
        Some(rules) => tell(ask, rules, &|code| rules.reason(code)),
        None => tell(ask, HouseRules, &|code| format!("reason {code}")),
    }
}

/// Whether any fixture says when it starts.
fn has_a_start(dir: &Path) -> Result<bool, CliError> {
    let mut source = Source::open(dir, 1, "looking for fixtures")?;
    while let Some((_, entry)) = source.next()? {
        if let Some((command, _)) = entry.parts()
            && let Ok((_, Command::DefineFixture(fixture, _))) = decode(command)
            && fixture.starts != Timestamp(0)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn tell<R: Rules>(
    ask: &Ask<'_>,
    rules: R,
    reason: &dyn Fn(u32) -> String,
) -> Result<ExitCode, CliError> {
    let began = Instant::now();
    let mut rows = Vec::new();
    let bar = ProgressBar::new_spinner();
    let compared = diff(
        HouseRules,
        rules,
        ask.dir,
        &mut |progress| {
            bar.set_message(progress.to_string());
            bar.tick();
        },
        &mut |difference| {
            if rows.len() < ask.lines {
                rows.push(Row::of(difference, reason));
            }
        },
    );
    bar.finish_and_clear();
    let (compared, took) = (compared?, began.elapsed());
    let mut out = Out::new();
    if ask.json {
        out.line(to_json(ask, &rows, &compared, took))?;
    } else {
        for line in lines(ask, &rows, &compared, took) {
            out.line(line)?;
        }
    }
    out.flush()?;
    Ok(if compared.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Row {
    fn of(difference: &Difference<'_>, reason: &dyn Fn(u32) -> String) -> Row {
        let Difference { stamp, kind, command, .. } = difference;
        let entry = Entry { seq: stamp.seq, at: stamp.at, kind: *kind as u16, payload: command };
        let asked = match Told::read(&entry) {
            Ok(told) => told.sentence(),
            Err(_) => format!("{} {}", describe::party(difference.account), kind.name()),
        };
        Row {
            seq: stamp.seq.0,
            at: utc(stamp.at),
            asked,
            recorded: told(&difference.recorded, &|code| format!("reason {code}")),
            other: told(&difference.other, reason),
        }
    }
}

/// An answer without ids: those of the other side are its own.
fn told(answer: &Answer, reason: &dyn Fn(u32) -> String) -> String {
    match (answer.kind(), answer.reject()) {
        (AnswerKind::Accepted, _) => {
            format!("accepted, {} at {} returns {}", answer.stake, answer.price, answer.amount)
        }
        (AnswerKind::Offered, _) => format!("offered, {} at {}", answer.stake, answer.price),
        (AnswerKind::Refused, Some(Reject::Policy)) => {
            format!("refused: {}", reason(answer.policy_reason))
        }
        _ => describe::outcome(answer),
    }
}

/// An amount that may be a sum of many.
fn money(minor: i128) -> String {
    let (sign, minor) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

/// The same with its sign, if it is not zero.
fn change(minor: i128) -> String {
    let plus = if 0 < minor { "+" } else { "" };
    format!("{plus}{}", money(minor))
}

/// Both sides of a currency, a row for each figure: its name, both values, and their difference.
fn figures(journal: &Sums, other: &Sums) -> Vec<(&'static str, i128, i128)> {
    vec![
        ("stakes accepted", journal.stakes, other.stakes),
        ("paid in less paid out", journal.paid_in, other.paid_in),
        ("customers' balances", journal.balances, other.balances),
        ("at stake", journal.at_stake, other.at_stake),
        ("the house has won", journal.house(), other.house()),
    ]
}

fn lines(ask: &Ask<'_>, rows: &[Row], compared: &Compared, took: Duration) -> Vec<String> {
    let other = match (ask.rules, ask.logic) {
        (Some(path), _) => path.display().to_string(),
        (None, _) => format!("logic {LOGIC_VERSION}"),
    };
    let mut lines = vec![format!(
        "{} records to {} decided again as they are written, and under {other}, in {:.2} s",
        Count(compared.records),
        compared.last_seq,
        took.as_secs_f64()
    )];
    if !rows.is_empty() {
        lines.push(String::new());
    }
    let width = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let asked = width(&|row| row.asked.chars().count());
    let recorded = width(&|row| row.recorded.chars().count());
    for row in rows {
        lines.push(format!(
            "{:<9} {}  {:<asked$}  {:<recorded$}  → {}",
            format!("#{}", row.seq),
            row.at,
            row.asked,
            row.recorded,
            row.other
        ));
    }
    let more = compared.differences.saturating_sub(rows.len() as u64);
    if 0 < more && !rows.is_empty() {
        lines.push(format!("… and {more} more (-n N shows N of them)"));
    }
    if compared.is_same() {
        lines.push(format!(
            "PASS  all {} answers are the same, and so are all balances and bets at the end",
            Count(compared.answers)
        ));
        lines.push(format!("state digest  {}", compared.digests.0));
        lines.push(format!("money digest  {}", compared.money_digests.0));
        return lines;
    }
    for (currency, a, b) in &compared.sums {
        lines.push(String::new());
        lines.push(format!(
            "{:<24}{:>16}{:>16}{:>16}",
            currency.to_string(),
            "as journaled",
            "otherwise",
            "difference"
        ));
        let bets = i128::from(b.bets) - i128::from(a.bets);
        lines.push(format!("  {:<22}{:>16}{:>16}{bets:>+16}", "bets accepted", a.bets, b.bets));
        for (name, a, b) in figures(a, b) {
            let (a, b, c) = (money(a), money(b), change(b - a));
            lines.push(format!("  {name:<22}{a:>16}{b:>16}{c:>16}"));
        }
    }
    if !compared.accounts.is_empty() {
        lines.push(String::new());
        lines.push(format!(
            "{} otherwise, the largest differences first:",
            match compared.accounts.len() as u64 {
                1 => "1 account ends".to_owned(),
                n => format!("{} accounts end", Count(n)),
            }
        ));
    }
    for (account, change_of) in by_size(compared).into_iter().take(ACCOUNTS_MAX) {
        let whole = |(balance, stake): (Minor, Minor)| i128::from(balance.0) + i128::from(stake.0);
        lines.push(format!(
            "  {:<8} number {:<12} {} {:>14} → {:>14}  {:>12}",
            account.account.to_string(),
            account.reference,
            account.currency,
            money(whole(account.recorded)),
            money(whole(account.other)),
            change(change_of)
        ));
    }
    if ACCOUNTS_MAX < compared.accounts.len() {
        lines.push(format!("  … and {} more", compared.accounts.len() - ACCOUNTS_MAX));
    }
    lines.push(String::new());
    lines.push(format!(
        "{} of {} answers differ{}",
        Count(compared.differences),
        Count(compared.answers),
        match compared.first {
            Some(first) => format!("; after the first, at {first}, the states are different ones"),
            None => ", but balances or bets at the end do".to_owned(),
        }
    ));
    lines
}

/// The accounts by how much more or less they have, stakes in open bets included.
fn by_size(compared: &Compared) -> Vec<(&betring::AccountDifference, i128)> {
    let whole = |(balance, stake): (Minor, Minor)| i128::from(balance.0) + i128::from(stake.0);
    let mut sized: Vec<_> = compared
        .accounts
        .iter()
        .map(|account| (account, whole(account.other) - whole(account.recorded)))
        .collect();
    sized.sort_by_key(|(account, change)| (std::cmp::Reverse(change.abs()), account.account));
    sized
}

fn to_json(ask: &Ask<'_>, rows: &[Row], compared: &Compared, took: Duration) -> serde_json::Value {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "seq": row.seq, "at": row.at, "what": row.asked, "recorded": row.recorded,
                "other": row.other,
            })
        })
        .collect();
    // No JSON reader takes more; all money there is, in minor units, is less.
    let number = |minor: i128| i64::try_from(minor).unwrap_or(i64::MAX);
    let sums = |sums: &Sums| {
        json!({
            "bets": sums.bets, "stakes_minor": number(sums.stakes),
            "paid_in_minor": number(sums.paid_in), "balances_minor": number(sums.balances),
            "at_stake_minor": number(sums.at_stake), "house_minor": number(sums.house()),
        })
    };
    let money: Vec<_> = compared
        .sums
        .iter()
        .map(|(code, a, b)| {
            json!({"currency": currency(code.numeric()), "recorded": sums(a), "other": sums(b)})
        })
        .collect();
    let accounts: Vec<_> = compared
        .accounts
        .iter()
        .map(|account| {
            let side = |(balance, stake): (Minor, Minor)| {
                json!({"balance_minor": balance.0, "at_stake_minor": stake.0})
            };
            json!({
                "account": account.account.to_string(), "reference": account.reference,
                "currency": account.currency.to_string(), "recorded": side(account.recorded),
                "other": side(account.other),
            })
        })
        .collect();
    json!({
        "same": compared.is_same(), "records": compared.records, "last_seq": compared.last_seq.0,
        "rules": ask.rules.map(|path| path.display().to_string()), "logic_version": LOGIC_VERSION,
        "answers": compared.answers, "differing": compared.differences,
        "first_differing_seq": compared.first.map(|seq| seq.0), "differences": rows,
        "extra_steps": compared.extra_steps, "money": money, "accounts": accounts,
        "state_digest": compared.digests.0.to_string(),
        "other_state_digest": compared.digests.1.to_string(),
        "money_digest": compared.money_digests.0.to_string(),
        "other_money_digest": compared.money_digests.1.to_string(), "seconds": took.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_its_sign_and_two_decimals() {
        assert_eq!([money(0), money(-5), money(123_456)], ["0.00", "-0.05", "1234.56"]);
        assert_eq!([change(0), change(-5), change(10)], ["0.00", "-0.05", "+0.10"]);
    }
}
