//! The time of the day that is played: the engine's clock, from where the day began.

use betring::{Clock, Timestamp};
use std::time::Instant;

/// Nanoseconds since the day began, and how they relate to the engine's clock and to ours.
#[derive(Clone)]
pub(crate) struct DayTime {
    base: Timestamp,
    clock: Clock,
    pace: Pace,
}

#[derive(Clone)]
enum Pace {
    /// The engine's clock is the wall's.
    Wall,
    /// The engine's clock is ours, so many times as fast; whoever looks at the time moves it.
    Scaled { began: Instant, speed: f64 },
    /// The engine's clock stands still between two acts.
    Stepped,
}

impl DayTime {
    /// A day on the wall's clock that begins at `base`.
    pub(crate) fn wall(clock: Clock, base: Timestamp) -> DayTime {
        DayTime { base, clock, pace: Pace::Wall }
    }

    /// A day that begins now, on a manual clock that runs `speed` times as fast as the wall's.
    pub(crate) fn scaled(clock: Clock, base: Timestamp, speed: f64) -> DayTime {
        DayTime { base, clock, pace: Pace::Scaled { began: Instant::now(), speed } }
    }

    /// A day on a manual clock that is set from act to act.
    pub(crate) fn stepped(clock: Clock, base: Timestamp) -> DayTime {
        DayTime { base, clock, pace: Pace::Stepped }
    }

    /// Nanoseconds of the day, negative before it begins.
    pub(crate) fn now_ns(&self) -> i64 {
        if let Pace::Scaled { began, speed } = &self.pace {
            let ns = (began.elapsed().as_nanos() as f64 * speed) as i64;
            // Two threads may do this at once: the clock never goes back.
            self.clock.set(Timestamp(self.base.0.saturating_add(ns)));
            return ns;
        }
        self.since(self.clock.now())
    }

    /// Goes on to a moment of the day, where nothing else moves the clock.
    pub(crate) fn step_to(&self, at_ns: u64) {
        if let Pace::Stepped = self.pace {
            self.clock.set(self.at(i64::try_from(at_ns).unwrap_or(i64::MAX)));
        }
    }

    /// A moment of the engine's clock as one of the day.
    pub(crate) fn since(&self, at: Timestamp) -> i64 {
        at.since(self.base).0
    }

    /// A moment of the day on the engine's clock.
    pub(crate) fn at(&self, ns: i64) -> Timestamp {
        Timestamp(self.base.0.saturating_add(ns))
    }

    pub(crate) fn base(&self) -> Timestamp {
        self.base
    }

    /// How many times as fast as ours the day's clock runs.
    pub(crate) fn speed(&self) -> f64 {
        match self.pace {
            Pace::Wall | Pace::Stepped => 1.0,
            Pace::Scaled { speed, .. } => speed,
        }
    }

    /// Whether spans of this clock are spans of real time, however scaled.
    pub(crate) fn is_timed(&self) -> bool {
        !matches!(self.pace, Pace::Stepped)
    }
}
