//! The story of a drill: what happened when, who did it, and what it came to.

use betring::{Nanos, Timestamp};
use betring_benches::recorder::Span;
use serde_json::json;
use std::fmt;

/// A step of an incident that a drill has to show, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Something goes wrong, and nobody knows yet.
    Fault,
    /// The first sign that the house can see.
    Detect,
    /// What is done about it.
    Act,
    /// Bets are taken again, at prices that are right.
    Recover,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Fault => "fault",
            Phase::Detect => "detect",
            Phase::Act => "act",
            Phase::Recover => "recover",
        }
    }
}

/// By which clock a drill was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// A clock that only the drill moves: exact to the nanosecond, and the same every time.
    Journal,
    /// The wall's, with the engine on threads of its own.
    Wall,
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            On::Journal => "in journal time",
            On::Wall => "on the wall's clock",
        })
    }
}

struct Entry {
    at: Nanos,
    phase: Option<Phase>,
    actor: &'static str,
    what: String,
}

/// What was to hold, and whether it did.
struct Check {
    claim: &'static str,
    passed: bool,
    figure: String,
    /// Whether the machine has a part in it.
    timed: bool,
}

/// What is told of a drill while it goes on, and judged at its end.
pub(crate) struct Story {
    name: &'static str,
    about: &'static str,
    on: On,
    began: Timestamp,
    entries: Vec<Entry>,
    checks: Vec<Check>,
    /// What was to hold and could not be judged by this clock.
    unjudged: Vec<&'static str>,
}

impl Story {
    /// The story of the drill with this name, about this, that begins now.
    pub(crate) fn new(name: &'static str, about: &'static str, on: On, began: Timestamp) -> Story {
        let (entries, checks, unjudged) = (Vec::new(), Vec::new(), Vec::new());
        Story { name, about, on, began, entries, checks, unjudged }
    }

    /// Something happened.
    pub(crate) fn tell(&mut self, at: Timestamp, actor: &'static str, what: impl Into<String>) {
        self.add(at, None, actor, what.into());
    }

    /// A phase begins with it. Only the first of each counts for the times.
    pub(crate) fn phase(
        &mut self,
        at: Timestamp,
        phase: Phase,
        actor: &'static str,
        what: impl Into<String>,
    ) {
        self.add(at, Some(phase), actor, what.into());
    }

    fn add(&mut self, at: Timestamp, phase: Option<Phase>, actor: &'static str, what: String) {
        let entry = Entry { at: at.since(self.began), phase, actor, what };
        // Threads tell of what they saw when they have time to.
        let behind = self.entries.partition_point(|earlier| earlier.at <= entry.at);
        self.entries.insert(behind, entry);
    }

    /// Something was to hold.
    pub(crate) fn check(&mut self, claim: &'static str, passed: bool, figure: impl Into<String>) {
        self.checks.push(Check { claim, passed, figure: figure.into(), timed: false });
    }

    /// Something was to hold of how long things took. In journal time nothing takes any.
    pub(crate) fn check_time(
        &mut self,
        claim: &'static str,
        judge: impl FnOnce() -> (bool, String),
    ) {
        if self.on == On::Journal {
            return self.unjudged.push(claim);
        }
        let (passed, figure) = judge();
        self.checks.push(Check { claim, passed, figure, timed: true });
    }

    /// What to do about a drill that failed for nothing but the time that something took.
    fn advice(&self) -> Option<String> {
        let mut failed = self.checks.iter().filter(|check| !check.passed).peekable();
        let by_time = failed.peek().is_some() && failed.all(|check| check.timed);
        by_time.then(|| {
            format!(
                "     by time alone: where other programs use this machine that says nothing; play \
                 {} again when it is idle",
                self.name
            )
        })
    }

    /// When a phase began, since the drill did.
    pub(crate) fn at(&self, phase: Phase) -> Option<Nanos> {
        self.entries.iter().find(|entry| entry.phase == Some(phase)).map(|entry| entry.at)
    }

    /// How long after the fault a phase began.
    pub(crate) fn after_fault(&self, phase: Phase) -> Option<Nanos> {
        let fault = self.at(Phase::Fault)?;
        self.at(phase).map(|at| Nanos(at.0 - fault.0))
    }

    /// Whether all that was to hold did, and every phase was seen.
    pub(crate) fn passed(&self) -> bool {
        let phases = [Phase::Fault, Phase::Detect, Phase::Act, Phase::Recover];
        phases.into_iter().all(|phase| self.at(phase).is_some())
            && !self.checks.is_empty()
            && self.checks.iter().all(|check| check.passed)
    }

    /// What did not hold, in words: for tests.
    #[cfg(test)]
    pub(crate) fn failures(&self) -> Vec<String> {
        let phases = [Phase::Fault, Phase::Detect, Phase::Act, Phase::Recover];
        let missing = phases.into_iter().filter(|phase| self.at(*phase).is_none());
        let failed = self.checks.iter().filter(|check| !check.passed);
        missing
            .map(|phase| format!("no {}", phase.name()))
            .chain(failed.map(|check| format!("{}: {}", check.claim, check.figure)))
            .collect()
    }

    /// The one line that stands for all.
    pub(crate) fn summary(&self) -> String {
        let word = if self.passed() { "PASS" } else { "FAIL" };
        let span = |phase| match self.after_fault(phase) {
            Some(span) => seconds(span),
            None => "never".to_owned(),
        };
        let [detect, act, recover] = [Phase::Detect, Phase::Act, Phase::Recover].map(span);
        let name = self.name;
        let on = self.on;
        format!(
            "{word} {name:<14} after the fault: detected {detect}, acted {act}, recovered {recover}; \
             {on}"
        )
    }

    /// Everything, for programs.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let entry = |entry: &Entry| {
            json!({
                "at_ns": entry.at.0, "phase": entry.phase.map(Phase::name),
                "actor": entry.actor, "what": entry.what,
            })
        };
        let check = |check: &Check| {
            let Check { claim, passed, figure, timed } = check;
            json!({ "claim": claim, "passed": passed, "figure": figure, "timed": timed })
        };
        let span = |phase| self.after_fault(phase).map(|span| span.0);
        json!({
            "drill": self.name, "about": self.about, "passed": self.passed(),
            "clock": match self.on { On::Journal => "journal", On::Wall => "wall" },
            "detected_after_ns": span(Phase::Detect), "acted_after_ns": span(Phase::Act),
            "recovered_after_ns": span(Phase::Recover),
            "timeline": self.entries.iter().map(entry).collect::<Vec<_>>(),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "not_judged": self.unjudged,
        })
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} · {} · {}", self.name, self.about, self.on)?;
        for entry in &self.entries {
            let phase = entry.phase.map_or("", Phase::name);
            let at = seconds(entry.at);
            writeln!(f, "  {at:>10}  {phase:<7}  {:<9} {}", entry.actor, entry.what)?;
        }
        for check in &self.checks {
            let word = if check.passed { "ok  " } else { "FAIL" };
            writeln!(f, "  {word} {}: {}", check.claim, check.figure)?;
        }
        for claim in &self.unjudged {
            writeln!(f, "  --   {claim}: not judged in journal time")?;
        }
        f.write_str(&self.summary())?;
        match self.advice() {
            Some(advice) => write!(f, "\n{advice}"),
            None => Ok(()),
        }
    }
}

/// By how much something was slower in the trouble than in the calm, by the quietest round of each: whoever else
/// uses the machine disturbs some of them. And all of them, in words.
pub(crate) fn quietest(calms: &[u64], troubles: &[u64]) -> (f64, String) {
    let least = |all: &[u64]| all.iter().copied().min().unwrap_or(0).max(1);
    let ratio = least(troubles) as f64 / least(calms) as f64;
    let list = |all: &[u64]| {
        let all: Vec<String> = all.iter().map(|ns| Span(*ns).to_string()).collect();
        all.join(", ")
    };
    (ratio, format!("calm {}; in the trouble {}", list(calms), list(troubles)))
}

/// A span in seconds, to the millisecond; below that in the unit that it needs.
pub(crate) fn seconds(span: Nanos) -> String {
    match span.0.abs() {
        0 => "0 s".to_owned(),
        1..1_000_000 => format!("{:.1} µs", span.0 as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", span.0 as f64 / 1e6),
        _ => format!("{:.3} s", span.0 as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp(1_000 + ms * 1_000_000)
    }

    fn story() -> Story {
        let mut story = Story::new("a-drill", "something breaks", On::Journal, at(0));
        story.phase(at(100), Phase::Fault, "feed", "falls silent");
        story.phase(at(1_610), Phase::Detect, "governor", "sees it");
        story.phase(at(1_620), Phase::Act, "trader", "switches");
        story.phase(at(2_100), Phase::Recover, "customer", "bets again");
        story.check("it holds", true, "1 of 1");
        story
    }

    #[test]
    fn times_count_from_the_fault_and_the_last_line_says_it_all() {
        let line = "PASS a-drill        after the fault: detected 1.510 s, acted 1.520 s, recovered \
                    2.000 s; in journal time";
        assert_eq!(story().summary(), line);
        assert!(story().to_string().ends_with(line));
        assert_eq!(story().to_json()["detected_after_ns"], 1_510_000_000_i64);
    }

    #[test]
    fn a_drill_passes_only_with_every_phase_and_every_check() {
        assert!(story().passed());
        let mut failed = story();
        failed.check("and this", false, "2 of 3");
        assert!(!failed.passed() && failed.summary().starts_with("FAIL"));
        assert_eq!(failed.failures(), ["and this: 2 of 3"]);
        assert!(!failed.to_string().contains("by time alone"));
        let mut slow = Story::new("a-drill", "something breaks", On::Wall, at(0));
        slow.check_time("it is quick", || (false, "3 s".to_owned()));
        assert!(slow.to_string().ends_with("play a-drill again when it is idle"), "{slow}");
        slow.check("it holds", false, "0 of 1");
        assert!(!slow.to_string().contains("by time alone"));
        let mut unseen = Story::new("a-drill", "nothing", On::Wall, at(0));
        unseen.check("it holds", true, "1 of 1");
        assert!(!unseen.passed() && unseen.summary().contains("detected never"));
    }

    #[test]
    fn what_is_told_late_stands_at_its_moment() {
        let mut story = story();
        story.tell(at(110), "engine", "told afterwards");
        let text = story.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].contains("told afterwards"), "{text}");
        assert!(lines[2].trim_start().starts_with("110.0 ms"), "{text}");
    }

    #[test]
    fn a_span_has_the_unit_that_it_needs() {
        let of = |ns| seconds(Nanos(ns));
        assert_eq!([of(0), of(1_500), of(20_000_000)], ["0 s", "1.5 µs", "20.0 ms"]);
        assert_eq!(of(61_234_567_890), "61.235 s");
    }
}
