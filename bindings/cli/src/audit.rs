//! The proof, from the journal alone, that every accepted bet has its price and its basis.
//!
//! Two proofs that share no code: the journal decided again by the logic ([`crate::replay`]), and a
//! plain fold over what the records say ([`crate::fold`]).

use crate::acks::{self, AckSummary, Acks};
use crate::describe::{self, Told};
use crate::error::CliError;
use crate::fold::{Counts, FINDINGS_MAX, Finding, Fold, Rule};
use crate::life;
use crate::out::Out;
use crate::replay::{Replay, Replayed};
use crate::source::{Proved, Source};
use betring_benches::recorder::Count;
use betring_core::command::Kind;
use betring_core::event::Event;
use betring_core::id::{AccountId, BetId, OrderId, RequestKey};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  betring audit ./book                        the whole proof
  betring audit ./book --acks acks.jsonl      and that no acknowledged answer is lost
  betring audit ./book --bet B7               one bet's whole life in plain words
  betring audit ./book --order O7             one order's whole life
  betring audit ./book --key A1:123           what became of request 123 of account A1
  betring audit ./book --by fold              only the fold: for journals of other logic

A key of a file of acknowledgements (0x…) can be pasted behind its account's number and a
colon.

It takes no lock: it may run beside the engine. Exit status: 0 every rule holds and the journal
goes as far as its newest snapshot, 1 that is not so, or no record knows the key, 2 the journal
could not be read.")]
pub(crate) struct Args {
    /// The journal's directory.
    dir: PathBuf,
    /// Acknowledgements that a customer wrote down (`betring matchday --acks FILE`).
    #[arg(long, value_name = "FILE")]
    acks: Option<PathBuf>,
    /// Tell this bet's life, like B7.
    #[arg(long, value_name = "ID", conflicts_with = "key", value_parser = describe::bet_named)]
    bet: Option<BetId>,
    /// Tell this order's life, like O7.
    #[arg(long, value_name = "ID", conflicts_with_all = ["bet", "key"], value_parser = describe::order_named)]
    order: Option<OrderId>,
    /// Tell what became of a request: account or actor, a colon, the key.
    #[arg(long, value_name = "ACCOUNT:KEY", value_parser = request)]
    key: Option<(u64, RequestKey)>,
    /// Which proof.
    #[arg(long, value_enum, default_value_t = By::Both)]
    by: By,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which of the two proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum By {
    /// Both.
    Both,
    /// The plain fold over price, feed, market and money records.
    Fold,
    /// The logic itself, deciding every command again.
    Replay,
}

fn request(text: &str) -> Result<(u64, RequestKey), String> {
    let wrong = || {
        format!(
            "`{text}` is not a request: write A1:123, the account and the key (0x7b is 123, too)"
        )
    };
    let (account, key) = text.split_once(':').ok_or_else(wrong)?;
    let account = match account.parse::<AccountId>() {
        Ok(account) => account.raw(),
        Err(_) => number(account).and_then(|n| u64::try_from(n).ok()).ok_or_else(wrong)?,
    };
    let key = number(key.strip_prefix('k').unwrap_or(key)).ok_or_else(wrong)?;
    Ok((account, RequestKey(key)))
}

fn number(text: &str) -> Option<u128> {
    match text.strip_prefix("0x") {
        Some(hex) => u128::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// What an audit came to.
pub(crate) struct Audit {
    dir: PathBuf,
    by: By,
    counts: Counts,
    broken: [u64; Rule::ALL.len()],
    findings: Vec<Finding>,
    replayed: Option<Replayed>,
    /// What a snapshot proves to be missing at the end.
    cut: Option<String>,
    acks: Option<AckSummary>,
    acks_broken: u64,
    acks_findings: Vec<String>,
    runs: u64,
    took: Duration,
}

/// Audits a journal, with the acknowledgements of a customer if there are any.
pub(crate) fn audit(dir: &Path, acks: Option<&Path>, by: By) -> Result<Audit, CliError> {
    let began = Instant::now();
    let mut acks = acks.map(Acks::read).transpose()?;
    let proved = Proved::of(dir)?;
    let mut source = Source::open(dir, 1, "auditing")?;
    let mut fold = (by != By::Replay).then(Fold::new);
    let mut replay = (by != By::Fold).then(Replay::new);
    let (mut counts, mut last) = (Counts::default(), betring_core::id::Seq(0));
    while let Some((epoch, entry)) = source.next()? {
        last = entry.seq;
        counts.records += 1;
        counts.epochs += u64::from(entry.kind == Kind::EpochOpened as u16);
        if let Some(fold) = &mut fold {
            fold.take(entry);
        }
        if let Some(replay) = &mut replay {
            replay.take(&entry);
        }
        if let Some(acks) = &mut acks
            && let Ok(told) = Told::read(&entry)
        {
            acks.record(epoch, &told);
        }
    }
    drop(source);
    let (mut broken, mut findings) = ([0; Rule::ALL.len()], Vec::new());
    if let Some(mut fold) = fold {
        fold.finish();
        (counts, broken, findings) = (fold.counts, fold.broken, fold.findings);
    }
    let (mut acks_broken, mut acks_findings) = (0, Vec::new());
    let acks = acks.map(|acks| {
        acks.finish(last, &mut |text| {
            acks_broken += 1;
            if acks_findings.len() < FINDINGS_MAX {
                acks_findings.push(text);
            }
        })
    });
    Ok(Audit {
        dir: dir.to_owned(),
        by,
        runs: counts.epochs,
        counts,
        broken,
        findings,
        replayed: replay.map(Replay::finish),
        cut: proved.missing(last),
        acks,
        acks_broken,
        acks_findings,
        took: began.elapsed(),
    })
}

impl Audit {
    /// Whether everything that was to be proved is proved.
    pub(crate) fn is_sound(&self) -> bool {
        self.broken.iter().all(|broken| *broken == 0)
            && self.replayed.as_ref().is_none_or(Replayed::is_same)
            && self.cut.is_none()
            && self.acks_broken == 0
    }

    /// How often a rule does not hold.
    pub(crate) fn broken(&self, rule: Rule) -> u64 {
        self.broken[rule as usize]
    }

    /// Of the acknowledgements: promised answers, those that are lost, and those that the journal
    /// has otherwise.
    pub(crate) fn acks_counted(&self) -> (u64, u64, u64) {
        self.acks.as_ref().map_or((0, 0, 0), |a| (a.promised, a.lost, a.contradicted))
    }

    /// Answers told at Applied that the journal does not have.
    pub(crate) fn withdrawn(&self) -> u64 {
        self.acks.as_ref().map_or(0, |acks| acks.withdrawn)
    }

    /// What was counted on the way.
    /// How many findings there are.
    pub(crate) fn findings_count(&self) -> u64 {
        self.broken.iter().sum()
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The state's digest after the last record, if the journal was replayed.
    pub(crate) fn state_digest(&self) -> Option<&str> {
        self.replayed.as_ref().map(|replayed| replayed.state_digest.as_str())
    }

    /// The report as lines of text.
    pub(crate) fn lines(&self) -> Vec<String> {
        let c = &self.counts;
        let mut lines = vec![format!(
            "audit of {}: {} records in {}",
            self.dir.display(),
            Count(c.records),
            describe::counted(self.runs, "run"),
        )];
        lines.push(format!(
            "  {} accepted ({} in force, {} as offered), {} offered, {} settled, {} paid",
            describe::counted(c.accepted, "bet"),
            Count(c.in_force),
            Count(c.from_offer),
            Count(c.offered),
            Count(c.settled),
            Count(c.paid)
        ));
        if 0 < c.tickets + c.waited + c.by_trader + c.sold + c.reversed {
            lines.push(format!(
                "  {} of several legs, {} waited ({} refused then), {} at a trader's price, {} sold, \
                 {} taken back",
                describe::counted(c.tickets, "ticket"),
                Count(c.waited),
                Count(c.rejected),
                Count(c.by_trader),
                Count(c.sold),
                describe::counted(c.reversed, "settlement"),
            ));
        }
        if 0 < c.held {
            lines.push(format!(
                "  {} held by an external wallet",
                describe::counted(c.held, "stake")
            ));
        }
        if 0 < c.synthetic {
            lines.push(format!(
                "  {} of probes beside them, proved as well and in no number above",
                describe::counted(c.synthetic, "bet")
            ));
        }
        if 0 < c.orders {
            lines.push(format!(
                "  {} on exchanges, {} ({} between selections), {} cancelled or lapsed, {} settled",
                describe::counted(c.orders, "order"),
                format_args!("{} matched", describe::counted(c.matches, "time")),
                Count(c.crossed),
                describe::counted(c.cut, "time"),
                describe::counted(c.positions, "position"),
            ));
        }
        let mut row = |broken: u64, name: &str, sentence: &str| {
            let (word, times) =
                if broken == 0 { ("PASS", String::new()) } else { ("FAIL", format!("{broken}×")) };
            lines.push(format!("  {word}  {name:<11}{times:>6}  {sentence}"));
        };
        if self.by != By::Replay {
            for rule in Rule::ALL {
                row(self.broken[*rule as usize], rule.name(), rule.sentence());
            }
        }
        if let Some(replayed) = &self.replayed {
            row(replayed.differences, "Replay", REPLAY);
        }
        if let Some(acks) = &self.acks {
            row(self.acks_broken, "Acks", ACKS);
            lines.push(format!(
                "        {} acknowledgements: {} promised, {} repeated, {} refused before \
                 sequencing, {} withdrawn, {} cut off",
                acks.read,
                acks.promised,
                acks.duplicates,
                acks.refused_before,
                acks.withdrawn,
                acks.cut_lines
            ));
        }
        if let Some(what) = &self.cut {
            lines.push(format!("  FAIL  Snapshot         {what}"));
        }
        for finding in &self.findings {
            lines.push(format!("  {} {}: {}", finding.seq, finding.rule.name(), finding.text));
        }
        for (seq, what) in self.replayed.iter().flat_map(|replayed| &replayed.first) {
            lines.push(format!("  {seq} Replay: {what}"));
        }
        for what in &self.acks_findings {
            lines.push(format!("  Acks: {what}"));
        }
        if let Some(replayed) = &self.replayed {
            lines.push(format!("  state digest {}", replayed.state_digest));
        }
        let took = self.took.as_secs_f64();
        lines.push(match (self.is_sound(), self.by) {
            (true, By::Both) => {
                format!("PASS  every accepted bet is proved in two ways ({took:.2} s)")
            }
            (true, _) => format!("PASS  every accepted bet is proved in one way ({took:.2} s)"),
            (false, _) => format!("FAIL  not every rule holds ({took:.2} s)"),
        });
        lines
    }

    /// The report for machines.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let rules: serde_json::Map<_, _> = Rule::ALL
            .iter()
            .map(|rule| (rule.name().to_owned(), json!(self.broken[*rule as usize])))
            .collect();
        let findings: Vec<_> = self
            .findings
            .iter()
            .map(|f| json!({"seq": f.seq.0, "rule": f.rule.name(), "what": f.text}))
            .collect();
        let replayed = self.replayed.as_ref().map(|replayed| {
            let first: Vec<_> = replayed
                .first
                .iter()
                .map(|(seq, what)| json!({"seq": seq.0, "what": what}))
                .collect();
            json!({
                "same": replayed.is_same(), "records": replayed.records,
                "differences": replayed.differences, "first": first,
                "state_digest": replayed.state_digest, "money_digest": replayed.money_digest,
            })
        });
        json!({
            "sound": self.is_sound(), "dir": self.dir.display().to_string(),
            "counts": self.counts, "runs": self.runs,
            "fold": (self.by != By::Replay).then(|| json!({"broken": rules, "findings": findings})),
            "replay": replayed, "lost_behind_snapshot": self.cut,
            "acks": self.acks.as_ref().map(|acks| {
                json!({"broken": self.acks_broken, "counts": acks, "findings": self.acks_findings})
            }),
            "seconds": self.took.as_secs_f64(),
        })
    }
}

const REPLAY: &str = "every command decided again gives the same events, byte for byte";
const ACKS: &str = "every acknowledged answer is in the journal, every repeated one is the first";

/// Audits a journal, or tells the life of one bet or order.
pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    let mut out = Out::new();
    let audit = audit(&args.dir, args.acks.as_deref(), args.by)?;
    let (is_known, bet) = match (args.bet, args.key) {
        (Some(bet), _) => (true, Some(bet)),
        (None, Some((account, key))) => request_told(&args, account, key, &mut out)?,
        (None, None) => (true, None),
    };
    let told = args.bet.is_some() || args.order.is_some() || args.key.is_some();
    let life = match (bet, args.order) {
        (Some(bet), _) => Some(life::of(&args.dir, bet)?),
        (None, Some(order)) => Some(life::orders::of(&args.dir, order)?),
        (None, None) => None,
    };
    if let Some(life) = life {
        if args.json {
            out.line(json!({"life": life.to_json(), "audit": audit.to_json()}))?;
        } else {
            for line in life.lines() {
                out.line(line)?;
            }
        }
    } else if args.json && !told {
        out.line(audit.to_json())?;
    }
    if !args.json {
        let lines = audit.lines();
        // Beside a life the proof is one line, unless it failed.
        let skip = if told && audit.is_sound() { lines.len() - 1 } else { 0 };
        for line in &lines[skip..] {
            out.line(line)?;
        }
        if let Some((account, key)) = args.key.filter(|_| !is_known) {
            out.line(format_args!(
                "FAIL  no record knows request {key} of {}: a typing error, or it was never placed",
                describe::party(account)
            ))?;
        }
    }
    out.flush()?;
    Ok(if audit.is_sound() && is_known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What became of a request: whether any record knows it, and the bet that it made, if it made one.
fn request_told(
    args: &Args,
    account: u64,
    key: RequestKey,
    out: &mut Out,
) -> Result<(bool, Option<BetId>), CliError> {
    let mut source = Source::open(&args.dir, 1, "looking")?;
    let (mut bet, mut found) = (None, Vec::new());
    while let Some((_, entry)) = source.next()? {
        let Ok(told) = Told::read(&entry) else { continue };
        let answered = told.events.iter().any(
            |event| matches!(event, Event::Answered(a) if (a.account, a.key) == (account, key)),
        );
        if answered {
            found.push(format!("{} {}  {}", told.seq, describe::utc(told.at), told.sentence()));
            bet = bet.or_else(|| told.events.iter().find_map(describe::bet_of));
        }
    }
    let is_known = !found.is_empty();
    if args.json && bet.is_none() {
        out.line(json!({"account": account, "key": acks::hex(key), "records": found}))?;
    } else if !args.json {
        for line in found {
            out.line(line)?;
        }
    }
    Ok((is_known, bet))
}
