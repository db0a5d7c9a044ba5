//! Two readings of an engine's counters: what lies between them, and what is wrong.

use crate::describe::{counted, currency, span};
use betring::counters::{Counters, Life, Took, TopMarket};
use betring::{Nanos, Status, Timestamp};
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

/// A ring, or the way of a reader to being lapped, is red from here on, in percent.
const FULL_PERCENT: u64 = 75;
/// Turns, syncs and answers are red from here on.
const LONG: Nanos = Nanos::from_millis(250);

/// Whether so much of so much is to be seen in red.
fn is_full(some: u64, of: u64) -> bool {
    u128::from(of) * u128::from(FULL_PERCENT) <= u128::from(some) * 100
}

/// Something is wrong: what, and what to do.
pub(super) struct Trouble {
    pub(super) what: String,
    pub(super) remedy: &'static str,
}

/// What an engine says, and what has changed since it was read before.
pub(super) struct Reading<'a> {
    pub(super) now: &'a Counters,
    /// The reading before, of the same run.
    before: Option<&'a Counters>,
    pub(super) life: Life,
    pub(super) at: Timestamp,
}

impl<'a> Reading<'a> {
    pub(super) fn new(before: &'a Counters, now: &'a Counters, at: Timestamp) -> Reading<'a> {
        let same_run = (before.pid, before.started) == (now.pid, now.started);
        // Of an engine that has ended, or was read twice within one interval, everything since its start.
        let moved = before.heartbeat < now.heartbeat;
        let before = (same_run && moved).then_some(before);
        Reading { now, before, life: now.life(at), at }
    }

    /// Whether the engine runs: it gives signs of life, and is not poisoned.
    pub(super) fn runs(&self) -> bool {
        self.life == Life::Beats && !matches!(self.now.status(), Status::Poisoned { .. })
    }

    /// How long what rates are told of took: since the reading before, or since the start.
    pub(super) fn took(&self) -> Nanos {
        match self.before {
            Some(before) => self.now.heartbeat.since(before.heartbeat),
            None => self.now.uptime(),
        }
    }

    pub(super) fn is_since_start(&self) -> bool {
        self.before.is_none()
    }

    /// By how much a count has grown.
    pub(super) fn grown(&self, count: impl Fn(&Counters) -> u64) -> u64 {
        count(self.now).saturating_sub(self.before.map_or(0, &count))
    }

    /// How much a count grows in a second; none where no time has passed.
    pub(super) fn rate(&self, count: impl Fn(&Counters) -> u64) -> Option<u64> {
        let ns = u128::from(u64::try_from(self.took().0).ok().filter(|ns| 0 < *ns)?);
        let rate = (u128::from(self.grown(count)) * 1_000_000_000 + ns / 2) / ns;
        u64::try_from(rate).ok()
    }

    /// Of a thousand parts of the time, those in which the deciding thread had something to do.
    pub(super) fn busy_per_mille(&self) -> Option<u64> {
        let busy = self.rate(|of| u64::try_from(of.busy.0).unwrap_or(0))?;
        Some((busy / 1_000_000).min(1_000))
    }

    /// Bytes of a frame, padding included, between the two readings.
    pub(super) fn frame_bytes(&self) -> u64 {
        let frames = self.grown(|of| of.counts.frames);
        self.grown(|of| of.counts.journal_bytes).checked_div(frames).unwrap_or(0)
    }

    /// What is wrong, the worst first.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let now = self.now;
        let mut all = Vec::new();
        let mut add = |what: String, remedy| all.push(Trouble { what, remedy });
        let status = now.status();
        if let Life::Silent(silent) = self.life {
            let (pid, silent) = (now.pid, span(silent));
            match is_gone(pid) {
                true => add(
                    format!("no heartbeat for {silent}: process {pid} is gone"),
                    "start the engine again: it recovers from its journal; all below is as it was then",
                ),
                false => add(
                    format!("no heartbeat for {silent}: process {pid} stands still"),
                    "look what the process waits for, and whether its machine has time for it",
                ),
            }
        }
        match &status {
            Status::Poisoned { why } => add(
                format!("poisoned: {why}"),
                "stop the process and start it again; what was not answered is Unknown until then",
            ),
            _ if now.has_ended() => {
                add("the engine was closed in order".into(), "start it, if it should run");
            }
            Status::Stopping => add("the engine is stopping".into(), "wait for its end"),
            Status::Serving | Status::Closed => (),
        }
        // Since the start it may be long over.
        if 0 < self.grown(|of| of.counts.no_space) && !self.is_since_start() {
            add(
                "the disk is full".into(),
                "free some space: the engine goes on by itself, senders are refused meanwhile",
            );
        }
        if let Some(before) = self.before
            && now.durable < before.decided
            && before.durable == now.durable
            && LONG <= self.took()
        {
            add(
                format!("nothing became durable for {}", span(self.took())),
                "look at the disk: the journal waits for it",
            );
        }
        if LONG <= now.turn && self.runs() {
            add(
                format!("the deciding thread has been in one turn for {}", span(now.turn)),
                "see the sync below in the one-thread layout; else the thread does not get its core",
            );
        }
        if LONG <= now.synced.longest {
            add(
                format!("a sync took {}", span(now.synced.longest)),
                "look at the disk, and who else writes to it",
            );
        }
        let stalls = self.grown(|of| of.counts.stalls);
        if 0 < stalls && !self.is_since_start() {
            add(
                format!("the journal does not keep up: {stalls} turns ended early"),
                "look at the disk; shed load (Control::set_shedding)",
            );
        }
        for ring in now.rings().filter(|ring| is_full(ring.depth, ring.slots)) {
            add(
                format!("the ring {} is full: {} of {}", ring.name, ring.depth, ring.slots),
                "more comes than is decided: see busy, sync and the top markets; shed load",
            );
        }
        for lag in now.lags().filter(|lag| 0 < lag.most) {
            if is_full(lag.behind, lag.most) {
                add(
                    format!("{} is {} events behind", lag.name, lag.behind),
                    "its reader is too slow: at the ring's size it is lapped, and goes on from the journal",
                );
            }
        }
        if now.sheds() {
            add(
                "load is shed".into(),
                "see what is behind: the journal, the bet ring, or somebody's word (SetShedding)",
            );
        }
        if now.feeds_up < now.feeds {
            let down = u64::from(now.feeds - now.feeds_up);
            add(
                format!("{} of {} not up", counted(down, "feed"), now.feeds),
                "no bet is taken at their prices: see what customers are told in docs/operating.md",
            );
        }
        if 0 < now.drifting {
            add(
                format!("{} further apart than the band", counted(now.drifting.into(), "market")),
                "find out which feed is right, then switch the group or pin the price",
            );
        }
        if let Some(worst) = now.slowest().find(|worst| LONG <= worst.p99) {
            add(
                format!("answers of {} {} take {} at p99", worst.id(), worst.name, span(worst.p99)),
                "cap its stakes (Control::set_stake_factor) or suspend it; the stages say where it waits",
            );
        }
        let letters = self.grown(|of| of.dead_letters);
        if 0 < letters && !self.is_since_start() {
            add(
                format!("{} could not be read", counted(letters, "command")),
                "betring dlq list DIR says what they are",
            );
        }
        if 0 < now.warnings {
            add(
                counted(now.warnings.into(), "warning"),
                "Engine::health() has them in words; a log of it, too",
            );
        }
        all
    }

    /// One object, with the units in the names.
    pub(super) fn to_json(&self) -> Value {
        let now = self.now;
        let (alive, silent) = match self.life {
            Life::Beats => (true, Nanos::ZERO),
            Life::Ended => (false, Nanos::ZERO),
            Life::Silent(silent) => (false, silent),
        };
        let status = match now.status() {
            Status::Poisoned { .. } => "poisoned".to_owned(),
            status => status.to_string(),
        };
        let troubles: Vec<_> = self
            .troubles()
            .iter()
            .map(|trouble| json!({"what": trouble.what, "remedy": trouble.remedy}))
            .collect();
        let rings = now.rings().map(
            |ring| json!({"name": ring.name.text(), "depth": ring.depth, "slots": ring.slots}),
        );
        let lags = now.lags().map(|lag| {
            let most = (lag.most != 0).then_some(lag.most);
            json!({"name": lag.name.text(), "behind": lag.behind, "most": most})
        });
        let mut all = json!({
            "at_ns": self.at.0, "heartbeat_ns": now.heartbeat.0, "runs": self.runs(),
            "alive": alive, "silent_ns": silent.0, "status": status, "ended": now.has_ended(),
            "troubles": troubles, "warnings": now.warnings,
            "pid": now.pid, "epoch": now.epoch.0, "started_ns": now.started.0,
            "uptime_ns": now.uptime().0, "program": now.program.text(), "logic": now.logic,
            "layout": now.layout().to_string(), "every_ns": now.every.0,
            "resident_bytes": now.resident_bytes,
            "seats_taken": now.seats_taken, "seats": now.seats,
            "decided": now.decided.0, "process": now.process.0, "durable": now.durable.0,
            "feeds": now.feeds, "feeds_up": now.feeds_up, "drifting_markets": now.drifting,
            "shedding": now.shedding().to_string(), "sheds": now.sheds(),
            "rings": rings.collect::<Vec<_>>(), "behind": lags.collect::<Vec<_>>(),
            "top_markets": now.top().map(top).collect::<Vec<_>>(),
        });
        all["rates"] = self.rates();
        all["counts"] = self.counts();
        all["window"] = self.window();
        all
    }

    /// Between the two readings, or since the start.
    fn rates(&self) -> Value {
        json!({
            "span_ns": self.took().0, "since_start": self.is_since_start(),
            "commands_per_s": self.rate(|of| of.counts.commands),
            "sequenced_per_s": self.rate(|of| of.counts.sequenced),
            "answered_per_s": self.rate(|of| of.counts.answered),
            "refused_per_s": self.rate(|of| of.refused),
            "turned_away_per_s": self.rate(|of| of.turned_away),
            "turns_per_s": self.rate(|of| of.counts.turns),
            "stalls_per_s": self.rate(|of| of.counts.stalls),
            "records_per_s": self.rate(|of| of.counts.records),
            "frames_per_s": self.rate(|of| of.counts.frames),
            "syncs_per_s": self.rate(|of| of.counts.syncs),
            "journal_bytes_per_s": self.rate(|of| of.counts.journal_bytes),
            "events_per_s": self.rate(|of| of.counts.events),
            "busy_per_mille": self.busy_per_mille(), "frame_bytes": self.frame_bytes(),
        })
    }

    /// Since the start.
    fn counts(&self) -> Value {
        let (now, c) = (self.now, &self.now.counts);
        json!({
            "turns": c.turns, "commands": c.commands, "sequenced": c.sequenced,
            "answered": c.answered, "malformed": c.malformed, "steps": c.steps, "ticks": c.ticks,
            "stalls": c.stalls, "records": c.records, "frames": c.frames, "syncs": c.syncs,
            "journal_bytes": c.journal_bytes, "segments": c.segments, "no_space": c.no_space,
            "events": c.events, "refused": now.refused, "turned_away": now.turned_away,
            "dead_letters": now.dead_letters, "counters_failed": now.failures,
            "busy_ns": now.busy.0, "turn_ns": now.turn.0, "last_sync_ns": now.last_sync.0,
            "longest_turn_ns": now.longest_turn_ever.0, "longest_sync_ns": now.longest_sync_ever.0,
        })
    }

    /// In the last whole window.
    fn window(&self) -> Value {
        let now = self.now;
        let slowest = now.slowest().map(|slow| {
            json!({
                "market": slow.id().to_string(), "name": slow.name.text(), "answers": slow.count,
                "p99_ns": slow.p99.0,
            })
        });
        json!({
            "span_ns": now.window.0, "longest_turn_ns": now.longest_turn.0,
            "largest_frame_bytes": now.largest_frame,
            "queued": took(&now.queued), "written": took(&now.written),
            "synced": took(&now.synced), "decided_to_seen": took(&now.decided_to_seen),
            "answered": took(&now.answered), "answered_capped": took(&now.capped),
            "answered_markets": now.answered_markets, "median_market_p99_ns": now.median_p99.0,
            "slowest_markets": slowest.collect::<Vec<_>>(),
        })
    }
}

fn took(took: &Took) -> Value {
    json!({
        "count": took.count, "p50_ns": took.p50.0, "p90_ns": took.p90.0, "p99_ns": took.p99.0,
        "longest_ns": took.longest.0,
    })
}

fn top(market: &TopMarket) -> Value {
    let known = |age: Nanos| (age != Nanos(i64::MAX)).then_some(age.0);
    json!({
        "market": market.id().to_string(), "name": market.name.text(),
        "exposure_minor": market.exposure.0,
        "currency": (market.currency != 0).then(|| currency(market.currency)),
        "bets_per_s": market.rate, "price_age_ns": known(market.price_age),
        "in_flight": market.in_flight, "turned_away": market.turned_away,
        "stake_factor_percent": market.stake_factor, "feed": market.feed.to_string(),
    })
}

/// Whether no process has this number any more, as far as can be seen from here.
fn is_gone(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}
