//! Whether a history is linearizable: the journal's order as the witness, sentence by sentence.

use super::picture;
use super::{Broken, Checked, History, Operation, Said, Sentence};
use crate::auditor::{Auditor, Ring, Violation};
use betring::{Level, NotTaken};
use betring_core::answer::{Answer, AnswerKind, Reply};
use betring_core::command::{Command, Kind, Lane, decode};
use betring_core::id::{RequestKey, Seq};
use betring_core::wire::{SLOT, Slot};
use std::collections::BTreeMap;
use zerocopy::FromBytes;

/// How far the engine's clock may be apart on two cores.
const CORES_APART: i64 = 1_000_000;
/// Points between call and return at which a wrong answer is tried, to say whether it was right anywhere.
const POINTS_MAX: u64 = 512;
/// Attempts in a picture.
const SHOWN_MAX: usize = 8;

/// Where an attempt stands: behind which sequence, whether beside the record, and when.
type Place = (u64, bool, i64);

struct Check<'a> {
    history: &'a History,
    /// Of each attempt, the place of its record in [`History::records`].
    record_of: Vec<Option<usize>>,
    /// Of each record, the attempt.
    attempt_of: Vec<Option<usize>>,
    checked: Checked,
}

type Holds<T = ()> = Result<T, Box<Broken>>;

/// See [`History::check`].
pub(super) fn check(history: &History) -> Holds<Checked> {
    let mut check = Check {
        history,
        record_of: vec![None; history.operations.len()],
        attempt_of: vec![None; history.records.len()],
        checked: Checked {
            attempts: history.operations.len() as u64,
            records: history.records.len() as u64,
            crashes: history.crashes.len() as u64,
            ..Checked::default()
        },
    };
    check.match_records()?;
    check.in_real_time()?;
    check.in_each_lines_order()?;
    check.in_time_and_at_its_level()?;
    check.there_after_crashes()?;
    check.by_the_rules()?;
    check.credits()?;
    check.rings()?;
    check.count();
    Ok(check.checked)
}

/// A command without what the facade writes into it: the connection, when it was received, the token.
fn unmarked(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for marks in [6..8, 56..64, 72..80] {
        if let Some(marks) = bytes.get_mut(marks) {
            marks.fill(0);
        }
    }
    bytes
}

/// Whose request a command is, and its key.
fn request(bytes: &[u8]) -> Option<(u64, u128)> {
    let header = Slot::read_from_prefix(bytes).ok()?.0.header();
    (header.key != RequestKey::NONE).then_some((header.account, header.key.0))
}

fn kind(bytes: &[u8]) -> Option<Kind> {
    bytes.first().copied().and_then(Kind::from_code)
}

/// The market that a command names.
fn market(bytes: &[u8]) -> Option<u64> {
    Some(match decode(bytes).ok()?.1 {
        Command::Place(body) => body.market.raw(),
        Command::SetPrices(body, _) => body.market.raw(),
        Command::OpenMarket(body) => body.market.raw(),
        Command::CloseMarket(body) => body.market.raw(),
        Command::ArchiveMarket(body) => body.market.raw(),
        Command::WithdrawSelection(body) => body.market.raw(),
        Command::MarketResult(body, _) => body.market.raw(),
        Command::Suspend(body) => body.id,
        Command::Release(body) => body.id,
        _ => return None,
    })
}

impl Check<'_> {
    fn broken(&self, sentence: Sentence, operations: &[usize], what: Violation) -> Box<Broken> {
        let mut operations = operations.to_vec();
        operations.sort_unstable();
        operations.dedup();
        let decided: Vec<Option<Seq>> =
            (0..self.record_of.len()).map(|at| self.seq_of(at)).collect();
        let picture = picture::of(self.history, &operations, &decided);
        Box::new(Broken { seed: self.history.seed, sentence, what, operations, picture })
    }

    fn operation(&self, at: usize) -> &Operation {
        &self.history.operations[at]
    }

    fn seq_of(&self, at: usize) -> Option<Seq> {
        self.record_of[at].map(|record| self.history.records[record].seq)
    }

    fn ring_of(&self, at: usize) -> Ring {
        self.history.lines[self.operation(at).line].ring
    }

    /// Where an attempt stands in the one order, if anything says so.
    fn place(&self, at: usize) -> Option<Place> {
        match (self.record_of[at], self.operation(at).reply()) {
            (Some(record), _) => {
                let record = &self.history.records[record];
                Some((record.seq.0, false, record.at.0))
            }
            (None, Some(reply)) => Some((reply.as_of.0, true, reply.stamped.0)),
            (None, None) => None,
        }
    }

    // ---- which record is whose ----

    fn match_records(&mut self) -> Holds {
        let history = self.history;
        let no_line = |operation: &Operation| history.lines.len() <= operation.line;
        if let Some(at) = history.operations.iter().position(no_line) {
            let what = "an attempt on a connection that nobody has".to_owned();
            let (seed, sentence) = (history.seed, Sentence::OnceOrNever);
            let (operations, picture) = (vec![at], String::new());
            return Err(Box::new(Broken { seed, sentence, what, operations, picture }));
        }
        let mut taken: BTreeMap<(u16, u64), usize> = BTreeMap::new();
        for (at, operation) in history.operations.iter().enumerate() {
            let Some(token) = operation.token() else { continue };
            let client = history.lines[operation.line].client;
            if let Some(other) = taken.insert((client.0, token.0), at) {
                let what = format!("{token} of {client} was given to two attempts");
                return Err(self.broken(Sentence::OnceOrNever, &[other, at], what));
            }
        }
        for (n, record) in history.records.iter().enumerate() {
            if record.seq <= history.begun
                || kind(&record.command).map(Kind::lane) == Some(Lane::Engine)
            {
                continue;
            }
            let Ok((first, _)) = Slot::read_from_prefix(&record.command) else {
                let what = format!("{} holds no command", record.seq);
                return Err(self.broken(Sentence::OnceOrNever, &[], what));
            };
            let (client, token) = (first.header().client, first.token());
            let what = crate::auditor::describe(&record.command);
            let Some(at) = taken.get(&(client.0, token.0)).copied() else {
                let same = self.asked_the_same(&record.command);
                let what =
                    format!("{} decides {what}, and no attempt that was taken is that", record.seq);
                return Err(self.broken(Sentence::OnceOrNever, &same, what));
            };
            if unmarked(&record.command) != unmarked(&self.operation(at).bytes) {
                let mut shown = self.asked_the_same(&record.command);
                shown.push(at);
                let what = format!(
                    "{} decides {what}, and {token} of {client} asked something else",
                    record.seq
                );
                return Err(self.broken(Sentence::OnceOrNever, &shown, what));
            }
            if let Some(earlier) = self.seq_of(at) {
                let what = format!("{earlier} and {} decide the same attempt", record.seq);
                return Err(self.broken(Sentence::OnceOrNever, &[at], what));
            }
            self.record_of[at] = Some(n);
            self.attempt_of[n] = Some(at);
        }
        Ok(())
    }

    /// Attempts with these bytes.
    fn asked_the_same(&self, bytes: &[u8]) -> Vec<usize> {
        let wanted = unmarked(bytes);
        let all = self.history.operations.iter().enumerate();
        all.filter(|(_, operation)| unmarked(&operation.bytes) == wanted)
            .map(|(at, _)| at)
            .take(SHOWN_MAX)
            .collect()
    }

    // ---- the witness ----

    /// If A returned before B was called, A stands before B.
    fn in_real_time(&mut self) -> Holds {
        let mut placed: Vec<(Place, usize)> = (0..self.history.operations.len())
            .filter_map(|at| Some((self.place(at)?, at)))
            .collect();
        placed.sort_unstable();
        for pair in placed.windows(2) {
            let (before, after) = (self.operation(pair[0].1), self.operation(pair[1].1));
            let forced = before.returned().is_some_and(|returned| returned < after.called);
            self.checked.ordered += u64::from(forced);
        }
        // From the end: whatever stands further back must not have returned before this was called.
        let mut first_return: Option<(u64, usize)> = None;
        let mut at = placed.len();
        while 0 < at {
            let place = placed[at - 1].0;
            let from = placed[..at].partition_point(|(other, _)| *other < place);
            for (_, late) in &placed[from..at] {
                let called = self.operation(*late).called;
                if let Some((returned, early)) = first_return
                    && returned < called
                {
                    let what = format!(
                        "the attempt that returned {} ns before the other was called stands behind it: {} \
                         and {}",
                        called - returned,
                        self.stands(early),
                        self.stands(*late)
                    );
                    return Err(self.broken(Sentence::RealTime, &[early, *late], what));
                }
            }
            for (_, operation) in &placed[from..at] {
                if let Some(returned) = self.operation(*operation).returned()
                    && first_return.is_none_or(|(first, _)| returned < first)
                {
                    first_return = Some((returned, *operation));
                }
            }
            at = from;
        }
        Ok(())
    }

    fn stands(&self, at: usize) -> String {
        match (self.seq_of(at), self.place(at)) {
            (Some(seq), _) => format!("at {seq}"),
            (None, Some((seq, _, moment))) => format!("after {} at {moment} ns", Seq(seq)),
            (None, None) => "nowhere".to_owned(),
        }
    }

    fn in_each_lines_order(&self) -> Holds {
        let mut last: Vec<Option<(Place, usize)>> = vec![None; self.history.lines.len()];
        for at in 0..self.history.operations.len() {
            let Some(place) = self.place(at) else { continue };
            let line = self.operation(at).line;
            if let Some((before, earlier)) = last[line]
                && place < before
            {
                let what = format!(
                    "the connection's earlier attempt stands {}, its later one {}",
                    self.stands(earlier),
                    self.stands(at)
                );
                return Err(self.broken(Sentence::LineOrder, &[earlier, at], what));
            }
            last[line] = Some((place, at));
        }
        Ok(())
    }

    fn in_time_and_at_its_level(&self) -> Holds {
        for (at, operation) in self.history.operations.iter().enumerate() {
            let asked_at = operation.asked_at;
            if let Some((_, _, moment)) = self.place(at)
                && moment < asked_at.0 - CORES_APART
            {
                let what = format!(
                    "it was decided {} ns before it was called, on the engine's clock",
                    asked_at.0 - moment
                );
                return Err(self.broken(Sentence::Moment, &[at], what));
            }
            let Said::Replied { told_at, reply, durable, process, .. } = &operation.said else {
                continue;
            };
            if told_at.0 + CORES_APART < reply.stamped.0 {
                let what = format!(
                    "it was decided {} ns after it returned, on the engine's clock",
                    reply.stamped.0 - told_at.0
                );
                return Err(self.broken(Sentence::Moment, &[at], what));
            }
            let level = self.history.lines[operation.line].level;
            let reached = match level {
                Level::Durable => *durable,
                Level::ProcessCrashOnly => *process,
                Level::AppliedOnlyMayVanish => continue,
            };
            if reached < reply.as_of {
                let what = format!(
                    "the reply is as of {}, its level is {level}, and that had reached {reached}",
                    reply.as_of
                );
                return Err(self.broken(Sentence::Level, &[at], what));
            }
        }
        Ok(())
    }

    /// Whatever somebody was told before a crash is in what it leaves, at the level of whoever was told.
    fn there_after_crashes(&self) -> Holds {
        for crash in &self.history.crashes {
            for (at, operation) in self.history.operations.iter().enumerate() {
                let Said::Replied { returned, reply, .. } = &operation.said else { continue };
                let promised = match self.history.lines[operation.line].level {
                    Level::Durable => true,
                    Level::ProcessCrashOnly => !crash.power,
                    Level::AppliedOnlyMayVanish => false,
                };
                if promised && *returned < crash.called && crash.kept < reply.as_of {
                    let what = format!(
                        "{} at {} ns would have left the journal up to {}, and this caller had been told as \
                         of {}",
                        if crash.power { "a power cut" } else { "the end of the process" },
                        crash.called,
                        crash.kept,
                        reply.as_of
                    );
                    return Err(self.broken(Sentence::Level, &[at], what));
                }
            }
        }
        Ok(())
    }

    // ---- the auditor ----

    fn auditor(&self) -> Auditor {
        match &self.history.own_rules {
            Some(rules) => Auditor::new().with_rules(rules.clone()),
            None => Auditor::new(),
        }
    }

    fn by_the_rules(&mut self) -> Holds {
        let mut auditor = self.auditor();
        // Answers without a record, by the sequence that they were looked up at.
        let mut beside: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (at, operation) in self.history.operations.iter().enumerate() {
            if let (Some(reply), None) = (operation.reply(), self.record_of[at]) {
                beside.entry(reply.as_of.0).or_default().push(at);
            }
        }
        for (n, record) in self.history.records.iter().enumerate() {
            let decided = auditor.sequenced(record.seq, record.at, &record.command, &record.events);
            let attempt = self.attempt_of[n];
            let answer = match decided {
                Ok(answer) => answer,
                Err(what) => {
                    let shown = match attempt {
                        Some(at) => self.around(at),
                        None => self.before(record.seq),
                    };
                    return Err(self.broken(Sentence::Rules, &shown, what));
                }
            };
            if let Some(at) = attempt {
                self.saw(at, record.at.0, answer)?;
            }
            for at in beside.remove(&record.seq.0).unwrap_or_default() {
                self.without_a_record(&auditor, at)?;
            }
        }
        if let Some((seq, attempts)) = beside.into_iter().next() {
            let what = format!("an answer is as of {}, which no record has", Seq(seq));
            return Err(self.broken(Sentence::Between, &attempts[..1], what));
        }
        for (at, operation) in self.history.operations.iter().enumerate() {
            let Said::NotTaken { why: NotTaken::Malformed(what), .. } = operation.said else {
                continue;
            };
            // What the facade looks at are the bytes alone: they are as malformed at the end as ever.
            let mut reply = Reply::default();
            reply.answer = Answer::malformed(what);
            (reply.as_of, reply.stamped) = (Seq(auditor.seq()), operation.asked_at);
            if let Err(what) = auditor.unsequenced(self.ring_of(at), &operation.bytes, &reply) {
                return Err(self.broken(Sentence::NotTaken, &[at], what));
            }
        }
        self.checked.hits = auditor.hits().clone();
        Ok(())
    }

    /// The caller of a decided attempt saw the answer that the rules give.
    fn saw(&self, at: usize, moment: i64, answer: Answer) -> Holds {
        let operation = self.operation(at);
        let Some(reply) = operation.reply() else { return Ok(()) };
        self.echoes(at, reply)?;
        let seq = self.seq_of(at).unwrap_or_default();
        let as_decided = reply.answer == answer
            && !reply.is_duplicate()
            && reply.as_of == seq
            && reply.stamped.0 == moment;
        if as_decided {
            return Ok(());
        }
        let what = format!(
            "the attempt was decided at {seq}; its caller saw {reply:?} (seq {}, as of {}, at {}), and the \
             rules say {answer:?} (seq {}) at {moment}",
            reply.answer.seq, reply.as_of, reply.stamped.0, answer.seq
        );
        Err(self.broken(Sentence::Reply, &self.around(at), what))
    }

    /// A reply says which attempt of which connection it is for.
    fn echoes(&self, at: usize, reply: &Reply) -> Holds {
        let operation = self.operation(at);
        let header = Slot::read_from_prefix(&operation.bytes).map(|(slot, _)| slot.header());
        let (account, key) = header.map(|h| (h.account, h.key)).unwrap_or_default();
        let line = &self.history.lines[operation.line];
        let right = Some(reply.token) == operation.token()
            && reply.client == line.client
            && (reply.account, reply.key) == (account, key);
        if right {
            return Ok(());
        }
        let what = format!(
            "{} on {} got the reply to {} on {}, to {} under {}",
            operation.token().unwrap_or_default(),
            line.client,
            reply.token,
            reply.client,
            reply.account,
            reply.key
        );
        Err(self.broken(Sentence::Reply, &[at], what))
    }

    fn without_a_record(&self, auditor: &Auditor, at: usize) -> Holds {
        let operation = self.operation(at);
        let Some(reply) = operation.reply() else { return Ok(()) };
        self.echoes(at, reply)?;
        let judged = auditor.unsequenced(self.ring_of(at), &operation.bytes, reply);
        let Err(what) = judged else { return Ok(()) };
        let elsewhere = self.elsewhere(at, reply);
        let what = format!("{what}\n{elsewhere}");
        Err(self.broken(Sentence::Between, &self.around(at), what))
    }

    /// Whether an answer that is wrong at its own place is right at another one between call and return.
    fn elsewhere(&self, at: usize, reply: &Reply) -> String {
        let operation = self.operation(at);
        let (mut from, mut to) = (0, self.history.records.last().map_or(0, |record| record.seq.0));
        for (other, operation_other) in self.history.operations.iter().enumerate() {
            let Some((seq, ..)) = self.place(other) else { continue };
            if other == at {
                continue;
            }
            if operation_other.returned().is_some_and(|returned| returned < operation.called) {
                from = from.max(seq);
            }
            if operation.returned().is_some_and(|returned| returned < operation_other.called) {
                to = to.min(seq);
            }
        }
        let end = to.min(from.saturating_add(POINTS_MAX));
        let mut auditor = self.auditor();
        for record in &self.history.records {
            let seq = record.seq;
            if end < seq.0
                || auditor.sequenced(seq, record.at, &record.command, &record.events).is_err()
            {
                break;
            }
            let mut moved = *reply;
            moved.as_of = seq;
            let right = from <= seq.0
                && auditor.unsequenced(self.ring_of(at), &operation.bytes, &moved).is_ok();
            if right {
                return format!(
                    "it would have been right after {seq}, but the reply says that it is as of {}",
                    reply.as_of
                );
            }
        }
        let searched = if end < to { " (no further was searched)" } else { "" };
        format!("nor is it right after any other of {} to {}{searched}", Seq(from), Seq(end))
    }

    /// What is shown of an attempt that was answered wrongly: the others of its request, or else what
    /// was last decided on its account and market.
    fn around(&self, at: usize) -> Vec<usize> {
        let operation = self.operation(at);
        let mut shown = vec![at];
        if let Some(wanted) = request(&operation.bytes) {
            let all = self.history.operations.iter().enumerate();
            let same = all.filter(|(other, operation)| {
                *other != at && request(&operation.bytes) == Some(wanted)
            });
            shown.extend(same.map(|(other, _)| other).take(SHOWN_MAX - 1));
        }
        if 1 < shown.len() {
            return shown;
        }
        let (account, market) =
            (request(&operation.bytes).map(|(account, _)| account), market(&operation.bytes));
        let place = self.place(at).unwrap_or((u64::MAX, true, i64::MAX));
        let touches = |bytes: &[u8]| {
            let of_account = request(bytes).map(|(account, _)| account) == account;
            let of_market = market.is_some() && self::market(bytes) == market;
            (account.is_some() && of_account) || of_market
        };
        let mut earlier: Vec<(Place, usize)> = (0..self.history.operations.len())
            .filter(|other| *other != at && self.record_of[*other].is_some())
            .filter(|other| touches(&self.operation(*other).bytes))
            .filter_map(|other| Some((self.place(other)?, other)))
            .filter(|(other, _)| *other < place)
            .collect();
        earlier.sort_unstable();
        shown.extend(earlier.iter().rev().take(SHOWN_MAX - 1).map(|(_, other)| *other));
        shown
    }

    /// What is shown of a record that nobody asked for: the last attempts before it.
    fn before(&self, seq: Seq) -> Vec<usize> {
        let attempts = self.history.records.iter().zip(&self.attempt_of).rev();
        attempts
            .filter(|(record, _)| record.seq < seq)
            .filter_map(|(_, attempt)| *attempt)
            .take(SHOWN_MAX / 2)
            .collect()
    }

    // ---- what the facade refuses ----

    /// Whoever is refused has as many attempts unanswered as it has credit, whoever is not has fewer.
    /// A connection is one thread's, so its own order says how many those are.
    fn credits(&self) -> Holds {
        let mut unanswered: Vec<Vec<u64>> = vec![Vec::new(); self.history.lines.len()];
        for (at, operation) in self.history.operations.iter().enumerate() {
            let line = &self.history.lines[operation.line];
            let waiting = &mut unanswered[operation.line];
            waiting.retain(|returned| operation.called < *returned);
            let used_up = line.credit <= waiting.len();
            let right = match operation.said {
                Said::NotTaken { why: NotTaken::TooManyInFlight { credit }, .. } => {
                    used_up && credit == line.credit
                }
                Said::NotTaken { .. } => true,
                Said::Replied { .. } | Said::Nothing { .. } => !used_up,
            };
            if !right {
                let what = format!(
                    "{} of {} were unanswered, and the attempt was {}",
                    waiting.len(),
                    line.credit,
                    if used_up { "taken" } else { "refused for want of credit" }
                );
                return Err(self.broken(Sentence::NotTaken, &[at], what));
            }
            if operation.token().is_some() {
                waiting.push(operation.returned().unwrap_or(u64::MAX));
            }
        }
        Ok(())
    }

    /// At some moment of the call the ring can have been so full that the attempt did not fit. What has
    /// surely left the ring by the call, or came surely after the return, was not in it.
    fn rings(&self) -> Holds {
        let slots = |at: usize| self.operation(at).bytes.len() / SLOT;
        for (at, operation) in self.history.operations.iter().enumerate() {
            let Said::NotTaken { why: NotTaken::Overloaded(_), returned } = operation.said else {
                continue;
            };
            let ring = self.ring_of(at);
            let all = || self.history.operations.iter().enumerate();
            let seen = all()
                .filter(|(_, other)| other.returned().is_some_and(|r| r < operation.called))
                .filter_map(|(other, _)| self.place(other))
                .map(|(seq, ..)| seq)
                .max()
                .unwrap_or(0);
            let in_ring: usize = all()
                .filter(|(other, _)| self.ring_of(*other) == ring)
                .filter(|(_, other)| other.token().is_some() && other.called < returned)
                .filter(|(_, other)| other.returned().is_none_or(|r| operation.called <= r))
                // Decided before the call, though nobody waited for it.
                .filter(|(other, _)| self.seq_of(*other).is_none_or(|seq| seen < seq.0))
                .map(|(other, _)| slots(other))
                .sum();
            let room = match ring {
                Ring::Bets => self.history.bet_slots,
                Ring::Control => self.history.control_slots,
            };
            if in_ring + slots(at) <= room {
                let what = format!(
                    "the ring has {room} slots, at most {in_ring} of them can have been taken during the \
                     call, and an attempt of {} was refused as Overloaded",
                    slots(at)
                );
                return Err(self.broken(Sentence::NotTaken, &[at], what));
            }
        }
        Ok(())
    }

    // ---- what was seen ----

    fn count(&mut self) {
        let mut decided_on: BTreeMap<(u64, u128), usize> = BTreeMap::new();
        for (at, operation) in self.history.operations.iter().enumerate() {
            if let (Some(request), true) = (request(&operation.bytes), self.record_of[at].is_some())
            {
                decided_on.insert(request, operation.line);
            }
        }
        let counts = &mut self.checked;
        for (at, operation) in self.history.operations.iter().enumerate() {
            let decided = self.record_of[at].is_some();
            match &operation.said {
                Said::NotTaken { why: NotTaken::Overloaded(_), .. } => counts.overloaded += 1,
                Said::NotTaken { why: NotTaken::TooManyInFlight { .. }, .. } => {
                    counts.no_credit += 1
                }
                Said::NotTaken { .. } => counts.malformed += 1,
                Said::Nothing { .. } => {
                    counts.unknown += 1;
                    counts.unknown_decided += u64::from(decided);
                }
                Said::Replied { reply, .. } if decided => {
                    counts.decided += 1;
                    let never = reply.answer.kind() == AnswerKind::NeverPlaced;
                    counts.never_placed += u64::from(never);
                }
                Said::Replied { reply, .. } if reply.is_duplicate() => {
                    counts.repeated += 1;
                    let first = request(&operation.bytes).and_then(|r| decided_on.get(&r));
                    let other = first.is_some_and(|line| *line != operation.line);
                    counts.elsewhere += u64::from(other);
                }
                Said::Replied { .. } => counts.refused += 1,
            }
        }
        // Attempts are in the order of their calls: one overlaps an earlier one of another connection if
        // any of those has not returned.
        let lines = self.history.lines.len();
        let mut last_return = vec![0_u64; lines];
        for operation in &self.history.operations {
            let others = last_return.iter().enumerate().filter(|(line, _)| *line != operation.line);
            counts.overlapping +=
                u64::from(others.map(|(_, r)| *r).max() >= Some(operation.called));
            let returned = operation.returned().unwrap_or(operation.called);
            last_return[operation.line] = last_return[operation.line].max(returned);
        }
    }
}
