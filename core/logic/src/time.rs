//! Moments and spans in nanoseconds. They arrive in commands; nothing here reads a clock.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A moment: nanoseconds since 1970-01-01 UTC, without leap seconds. 0 in a command means "not given".
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Timestamp(pub i64);

/// A span of time in nanoseconds, possibly negative.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Nanos(pub i64);

impl Timestamp {
    /// Before every other moment.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After every other moment.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// This moment moved by `span`, stopping at the ends of time.
    pub const fn plus(self, span: Nanos) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }

    /// How long after `earlier` this is; negative if before it.
    pub const fn since(self, earlier: Timestamp) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Nanos {
    /// No time at all.
    pub const ZERO: Nanos = Nanos(0);

    /// So many milliseconds.
    pub const fn from_millis(millis: i64) -> Nanos {
        Nanos(millis.saturating_mul(1_000_000))
    }

    /// So many seconds.
    pub const fn from_secs(secs: i64) -> Nanos {
        Nanos(secs.saturating_mul(1_000_000_000))
    }

    /// This span, or none if it is negative: the age of a price is never below zero.
    pub const fn or_zero(self) -> Nanos {
        if self.0 < 0 { Nanos(0) } else { self }
    }
}

impl std::fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for Timestamp {
    /// Seconds since 1970 with nine decimals: exact, and free of calendars.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}{}.{:09}s",
            if self.0 < 0 { "-" } else { "" },
            self.0.unsigned_abs() / 1_000_000_000,
            self.0.unsigned_abs() % 1_000_000_000
        )
    }
}

impl std::fmt::Debug for Nanos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for Nanos {
    /// In the largest unit that keeps a whole part: `1.5s`, `300ms`, `17us`, `42ns`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ns = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let (unit, name) = match ns {
            1_000_000_000.. => (1_000_000_000, "s"),
            1_000_000.. => (1_000_000, "ms"),
            1_000.. => (1_000, "us"),
            _ => (1, "ns"),
        };
        let (whole, rest) = (ns / unit, ns % unit);
        if rest == 0 {
            return write!(f, "{sign}{whole}{name}");
        }
        let digits = unit.ilog10() as usize;
        let rest = format!("{rest:0digits$}");
        write!(f, "{sign}{whole}.{}{name}", rest.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_print_in_the_largest_unit_that_keeps_a_whole_part() {
        let cases = [
            (0, "0ns"),
            (42, "42ns"),
            (17_000, "17us"),
            (1_500_000_000, "1.5s"),
            (300_000_000, "300ms"),
            (-1_050_000_000, "-1.05s"),
        ];
        for (ns, text) in cases {
            assert_eq!(Nanos(ns).to_string(), text);
        }
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        assert_eq!(Timestamp::MAX.plus(Nanos(1)), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Nanos(i64::MIN));
    }
}
