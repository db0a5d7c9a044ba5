//! The story of a drill: what happened when, who did it, and what it came to.

use betring::{Nanos, Timestamp};
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
}

/// What is told of a drill while it goes on, and judged at its end.
pub(crate) struct Story {
    name: &'static str,
    about: &'static str,
    on: On,
    began: Timestamp,
    entries: Vec<Entry>,
    checks: Vec<Check>,
}

impl Story {
    /// The story of the drill with this name, about this, that begins now.
    pub(crate) fn new(name: &'static str, about: &'static str, on: On, began: Timestamp) -> Story {
        Story { name, about, on, began, entries: Vec::new(), checks: Vec::new() }
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
        self.checks.push(Check { claim, passed, figure: figure.into() });
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
        let check = |check: &Check| json!({ "claim": check.claim, "passed": check.passed, "figure": check.figure });
        let span = |phase| self.after_fault(phase).map(|span| span.0);
        json!({
            "drill": self.name, "about": self.about, "passed": self.passed(),
            "clock": match self.on { On::Journal => "journal", On::Wall => "wall" },
            "detected_after_ns": span(Phase::Detect), "acted_after_ns": span(Phase::Act),
            "recovered_after_ns": span(Phase::Recover),
            "timeline": self.entries.iter().map(entry).collect::<Vec<_>>(),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
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
        f.write_str(&self.summary())
    }
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
