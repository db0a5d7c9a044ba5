//! The engine's clock: UTC nanoseconds that never go back, from the processor's counter, slewed to the wall.
//!
//! The clock starts at the later of the wall and the last journaled time. From then on it follows the
//! processor's own counter, made faster or slower by at most 500 ppm so that it stays near the wall. A
//! wall that jumps is not followed: the jump is counted, reported, and from then on left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};
use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use betring_core::time::{Nanos, Timestamp};

/// How much faster or slower than its counter the clock may run: 500 ppm, as NTP does.
const SLEW_MAX_PPB: i64 = 500_000;
/// A wall further away than this has jumped: in a second, a counter does not drift so far.
const STEP_NS: i64 = 50_000_000;
/// How often the wall is looked at.
const EVERY_NS: i64 = 1_000_000_000;

/// A clock. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Wall(Arc<Wall>),
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The time of the world.
    pub fn wall() -> Clock {
        Clock(Kind::Wall(Arc::new(Wall::new())))
    }

    /// A clock that only its owner moves: for tests and recordings played at their own time.
    pub fn manual(start: Timestamp) -> Clock {
        Clock(Kind::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    /// The time.
    #[inline]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::Wall(wall) => Timestamp(wall.now()),
            Kind::Manual(now) => Timestamp(now.load(Ordering::Acquire)),
        }
    }

    /// Moves a manual clock to this moment, if that is later than now. Does nothing to the wall's.
    pub fn set(&self, to: Timestamp) {
        if let Kind::Manual(now) = &self.0 {
            now.fetch_max(to.0, Ordering::AcqRel);
        }
    }

    /// Moves a manual clock forward. Does nothing to the wall's, or for a negative span.
    pub fn advance(&self, by: Nanos) {
        if let Kind::Manual(now) = &self.0 {
            let forward = |at: i64| Some(at.saturating_add(by.or_zero().0));
            let _ = now.fetch_update(Ordering::AcqRel, Ordering::Acquire, forward);
        }
    }

    /// Whether only its owner moves it.
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Kind::Manual(_))
    }

    /// From here on the clock is not before this moment: the last journaled one.
    pub(crate) fn not_before(&self, at: Timestamp) {
        match &self.0 {
            Kind::Wall(wall) => wall.not_before(at.0),
            Kind::Manual(_) => self.set(at),
        }
    }

    /// Looks at the wall, if a second has passed since the last look.
    pub(crate) fn discipline(&self) {
        if let Kind::Wall(wall) = &self.0 {
            wall.discipline();
        }
    }

    /// How the clock stands to the wall.
    pub fn health(&self) -> ClockHealth {
        match &self.0 {
            Kind::Wall(wall) => wall.health(),
            Kind::Manual(_) => ClockHealth { manual: true, ..ClockHealth::default() },
        }
    }
}

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.is_manual() { "manual" } else { "wall" };
        write!(f, "{kind} clock at {}", self.now())
    }
}

/// How the clock stands to the wall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockHealth {
    /// Only its owner moves it; the rest is zero.
    pub manual: bool,
    /// How often the wall jumped and was not followed.
    pub wall_steps: u64,
    /// The sum of those jumps.
    pub ignored: Nanos,
    /// The wall minus this clock and the jumps, at the last look.
    pub behind: Nanos,
    /// How much faster than its counter the clock runs, in parts per billion.
    pub slew_ppb: i64,
}

/// A clock further from the wall than this is told of: bets and prices are stamped by it.
const FAR_NS: i64 = 1_000_000_000;

impl ClockHealth {
    /// How far from the wall it is, and on which side.
    fn apart(&self) -> (Nanos, &'static str) {
        let side = if self.behind.0 < 0 { "ahead of" } else { "behind" };
        (Nanos(self.behind.0.saturating_abs()), side)
    }

    /// What an operator should know of it, if it is far from the wall.
    pub(crate) fn warning(&self) -> Option<String> {
        let (Nanos(far), side) = self.apart();
        // At 500 ppm a second takes 2,000.
        let days = far / SLEW_MAX_PPB / 86_400 + 1;
        (FAR_NS < far).then(|| {
            format!(
                "the engine's clock is {} {side} the wall clock, as its journal was: it is led back \
                 by at most 500 ppm, which takes {days} days; see to it that the wall is right",
                Nanos(far)
            )
        })
    }
}

impl std::fmt::Display for ClockHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.manual {
            return f.write_str("manual");
        }
        let (far, side) = self.apart();
        write!(f, "{far} {side} the wall, slewed {} ppb", self.slew_ppb)?;
        match self.wall_steps {
            0 => Ok(()),
            steps => write!(f, ", {steps} steps of the wall not followed ({})", self.ignored),
        }
    }
}

/// The counter and its rate: measured once in a process, which takes a moment.
fn counter() -> &'static quanta::Clock {
    static COUNTER: OnceLock<quanta::Clock> = OnceLock::new();
    COUNTER.get_or_init(quanta::Clock::new)
}

fn wall_now() -> i64 {
    // Before 1970 and after 2262 the engine has no time; it would rather stand still than panic.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// One line `time = base + counter × (1 + slew)`, replaced as a whole under a sequence lock.
#[derive(Debug)]
struct Wall {
    version: AtomicU64,
    base_raw: AtomicU64,
    base_ns: AtomicI64,
    slew_ppb: AtomicI64,
    discipline: Mutex<Discipline>,
    behind: AtomicI64,
    ignored: AtomicI64,
    steps: AtomicU64,
}

impl Wall {
    fn new() -> Wall {
        Wall {
            version: AtomicU64::new(0),
            base_raw: AtomicU64::new(counter().raw()),
            base_ns: AtomicI64::new(wall_now()),
            slew_ppb: AtomicI64::new(0),
            discipline: Mutex::new(Discipline::default()),
            behind: AtomicI64::new(0),
            ignored: AtomicI64::new(0),
            steps: AtomicU64::new(0),
        }
    }

    #[inline]
    fn line(&self) -> (u64, i64, i64) {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let line = (
                self.base_raw.load(Ordering::Relaxed),
                self.base_ns.load(Ordering::Relaxed),
                self.slew_ppb.load(Ordering::Relaxed),
            );
            fence(Ordering::Acquire);
            if version & 1 == 0 && version == self.version.load(Ordering::Relaxed) {
                return line;
            }
            std::hint::spin_loop();
        }
    }

    #[inline]
    fn now(&self) -> i64 {
        let line = self.line();
        on(line, counter().raw())
    }

    /// Replaces the line; only under the lock of `discipline`.
    fn replace(&self, raw: u64, ns: i64, slew_ppb: i64) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.base_raw.store(raw, Ordering::Relaxed);
        self.base_ns.store(ns, Ordering::Relaxed);
        self.slew_ppb.store(slew_ppb, Ordering::Relaxed);
        self.version.store(version + 2, Ordering::Release);
    }

    fn not_before(&self, at: i64) {
        let Ok(mut discipline) = self.discipline.lock() else { return };
        let raw = counter().raw();
        let now = on(self.line(), raw).max(at);
        self.replace(raw, now, 0);
        discipline.begin(wall_now(), now);
        self.behind.store(discipline.behind, Ordering::Relaxed);
    }

    fn discipline(&self) {
        self.look(counter().raw(), wall_now);
    }

    fn look(&self, raw: u64, wall: impl FnOnce() -> i64) {
        let Ok(mut discipline) = self.discipline.try_lock() else { return };
        let now = on(self.line(), raw);
        if now.saturating_sub(discipline.looked) < EVERY_NS {
            return;
        }
        let slew = discipline.look(wall(), now);
        self.replace(raw, now, slew);
        self.behind.store(discipline.behind, Ordering::Relaxed);
        self.ignored.store(discipline.ignored, Ordering::Relaxed);
        self.steps.store(discipline.steps, Ordering::Relaxed);
    }

    fn health(&self) -> ClockHealth {
        ClockHealth {
            manual: false,
            wall_steps: self.steps.load(Ordering::Relaxed),
            ignored: Nanos(self.ignored.load(Ordering::Relaxed)),
            behind: Nanos(self.behind.load(Ordering::Relaxed)),
            slew_ppb: self.line().2,
        }
    }
}

#[inline]
fn on((base_raw, base_ns, slew_ppb): (u64, i64, i64), raw: u64) -> i64 {
    // A counter read on another core may be a little behind the base: then no time has passed.
    let passed = counter().delta_as_nanos(base_raw, raw.max(base_raw));
    let passed = i64::try_from(passed).unwrap_or(i64::MAX);
    let slewed = i128::from(passed) * i128::from(slew_ppb) / 1_000_000_000;
    base_ns.saturating_add(passed).saturating_add(slewed as i64)
}

/// Decides, once a second, how fast the clock is to run until the next look.
#[derive(Debug, Default)]
struct Discipline {
    looked: i64,
    behind: i64,
    ignored: i64,
    steps: u64,
}

impl Discipline {
    /// The clock was set to a moment of its journal: what lies between it and the wall is no jump, but
    /// what it has to be led back by.
    fn begin(&mut self, wall: i64, now: i64) {
        self.behind = wall.saturating_sub(self.ignored).saturating_sub(now);
    }

    /// The slew in parts per billion that would catch up within a second, bounded.
    fn look(&mut self, wall: i64, now: i64) -> i64 {
        self.looked = now;
        let behind = wall.saturating_sub(self.ignored).saturating_sub(now);
        // What was not caught up since the last look is no jump.
        let jump = behind.saturating_sub(self.behind);
        let jumped = STEP_NS < jump.saturating_abs();
        self.steps += u64::from(jumped);
        // One towards this clock is as good as having come closer to it.
        if jumped && self.behind.saturating_abs() <= behind.saturating_abs() {
            self.ignored = self.ignored.saturating_add(jump);
        } else {
            self.behind = behind;
        }
        self.behind.clamp(-SLEW_MAX_PPB, SLEW_MAX_PPB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_clock_never_goes_back_while_it_is_slewed() {
        let wall = Wall::new();
        let mut last = wall.now();
        for slew in [-SLEW_MAX_PPB, SLEW_MAX_PPB, 0] {
            for _ in 0..1000 {
                let raw = counter().raw();
                let now = on(wall.line(), raw);
                wall.replace(raw, now, slew);
                let now = wall.now();
                assert!(last <= now, "{last} then {now}");
                last = now;
            }
        }
    }

    #[test]
    fn a_wall_that_jumps_about_never_takes_the_clock_back_and_each_jump_is_counted() {
        let clock = Wall::new();
        let a_while = counter().delta_as_nanos(0, 1 << 30);
        let second = ((1_u128 << 30) * SECOND as u128 / u128::from(a_while)) as u64;
        let (mut raw, mut wall, _) = clock.line();
        let (start, mut last, mut jumps, mut ignored) = (wall, wall, 0, 0);
        for n in 1..=600 {
            raw += second;
            // The counter is 100 ppm slow.
            wall += SECOND + 100_000;
            if n % 7 == 0 {
                let jump = [300, -300, 7_200, -1, 86_400][n / 7 % 5] * SECOND;
                wall += jump;
                ignored += jump;
                jumps += 1;
            }
            clock.look(raw, || wall);
            let now = on(clock.line(), raw);
            let passed = now - last;
            assert!((passed - SECOND).abs() <= SLEW_MAX_PPB + 1_000, "{passed} ns in second {n}");
            last = now;
        }
        let health = clock.health();
        assert_eq!(health.wall_steps, jumps);
        assert!((health.ignored.0 - ignored).abs() < STEP_NS, "{health:?}, {ignored}");
        // It kept up with the seconds of the wall, and not with its jumps.
        let passed = wall - ignored - start;
        assert!((last - start - passed).abs() < STEP_NS, "{last} from {start}, {passed} passed");
    }

    #[test]
    fn a_start_is_never_before_the_last_journaled_moment() {
        let clock = Clock::wall();
        let ahead = clock.now().plus(Nanos::from_secs(3600));
        clock.not_before(ahead);
        assert!(ahead <= clock.now());
        assert!(clock.now() < ahead.plus(Nanos::from_secs(60)), "and it goes on from there");
    }

    #[test]
    fn a_small_drift_is_slewed_by_at_most_500_ppm() {
        let mut discipline = Discipline::default();
        assert_eq!(discipline.look(SECOND + 20_000, SECOND), 20_000);
        assert_eq!(discipline.look(2 * SECOND + 10_000_000, 2 * SECOND), SLEW_MAX_PPB);
        assert_eq!(discipline.look(3 * SECOND - 10_000_000, 3 * SECOND), -SLEW_MAX_PPB);
        assert_eq!(discipline.steps, 0);
    }

    #[test]
    fn a_step_of_the_wall_is_counted_and_never_followed() {
        let mut discipline = Discipline::default();
        assert_eq!(discipline.look(SECOND, SECOND), 0);
        assert_eq!(discipline.look(2 * SECOND + 3600 * SECOND, 2 * SECOND), 0);
        assert_eq!((discipline.steps, discipline.ignored), (1, 3600 * SECOND));
        // The stepped wall goes on at its pace: nothing more to report, small drifts still count.
        assert_eq!(discipline.look(3 * SECOND + 3600 * SECOND + 500, 3 * SECOND), 500);
        assert_eq!(discipline.steps, 1);
    }

    #[test]
    fn a_clock_that_starts_ahead_of_the_wall_is_led_back_to_it() {
        let clock = Wall::new();
        clock.not_before(wall_now() + 600 * SECOND);
        assert!(clock.health().behind < Nanos::from_secs(-599));
        let warning = clock.health().warning().expect("ten minutes");
        assert!(warning.contains("ahead of the wall clock"), "{warning}");

        let mut discipline = Discipline::default();
        discipline.begin(0, 600 * SECOND);
        assert_eq!(discipline.look(SECOND, 601 * SECOND), -SLEW_MAX_PPB);
        assert_eq!((discipline.steps, discipline.ignored), (0, 0));
        // A wall that was wrong at the start and is put right is not held against the clock.
        assert_eq!(discipline.look(602 * SECOND, 602 * SECOND), 0);
        assert_eq!((discipline.steps, discipline.ignored), (1, 0));
        assert_eq!(Wall::new().health().warning(), None);
    }

    #[test]
    fn a_manual_clock_goes_only_forward() {
        let clock = Clock::manual(Timestamp(100));
        clock.set(Timestamp(50));
        clock.advance(Nanos(-10));
        assert_eq!(clock.now(), Timestamp(100));
        clock.advance(Nanos(5));
        assert_eq!(clock.clone().now(), Timestamp(105));
        clock.set(Timestamp(200));
        assert_eq!(clock.now(), Timestamp(200));
        clock.advance(Nanos(i64::MAX));
        assert_eq!(clock.now(), Timestamp(i64::MAX), "not before the beginning of time");
    }
}
