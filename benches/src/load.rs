//! When to send: a schedule that never waits for an answer.
//!
//! A generator that waits for an answer before it sends the next request measures a system that is
//! never overloaded. Here the times are fixed beforehand; what is sent late is late from its
//! *intended* time, so a stall of the system shows in every request that it delayed.

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;

/// One piece of a [`Profile`]: from `from_ns` on, the rate goes from `rate` on a straight line to the
/// next piece's rate, or stays, where both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knot {
    /// Nanoseconds since the start.
    pub from_ns: u64,
    /// Requests per second, at that moment.
    pub rate: u64,
}

/// How many requests a second, over time: straight lines between knots, the last rate to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    knots: Vec<Knot>,
    end_ns: u64,
}

impl Profile {
    /// The rate goes through `knots` in order of time until `end_ns`. Knots out of order, and those
    /// behind the end, are left out; before the first one the rate is that of the first.
    pub fn new(knots: &[Knot], end_ns: u64) -> Profile {
        let mut kept: Vec<Knot> = Vec::with_capacity(knots.len());
        for knot in knots {
            let rises = kept.last().is_none_or(|last| last.from_ns <= knot.from_ns);
            if rises && knot.from_ns < end_ns {
                kept.push(*knot);
            }
        }
        Profile { knots: kept, end_ns }
    }

    /// One rate for `duration_ns`.
    pub fn steady(rate: u64, duration_ns: u64) -> Profile {
        Profile::new(&[Knot { from_ns: 0, rate }], duration_ns)
    }

    /// When it ends, in nanoseconds since the start.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Requests per second at a moment; 0 at the end and without knots.
    pub fn rate_at(&self, at_ns: u64) -> u64 {
        if self.end_ns <= at_ns {
            return 0;
        }
        let behind = self.knots.partition_point(|knot| knot.from_ns <= at_ns);
        let next = self.knots.get(behind);
        let Some(last) = behind.checked_sub(1).map(|i| self.knots[i]) else {
            return next.map_or(0, |knot| knot.rate);
        };
        let Some(next) = next else { return last.rate };
        let (span, passed) = (next.from_ns - last.from_ns, at_ns - last.from_ns);
        let between = |from: u64, to: u64| {
            u64::try_from(u128::from(to - from) * u128::from(passed) / u128::from(span))
                .expect("a part of a u64")
        };
        if last.rate <= next.rate {
            last.rate + between(last.rate, next.rate)
        } else {
            last.rate - between(next.rate, last.rate)
        }
    }

    /// The intended times of all requests.
    pub fn times(&self) -> Times {
        Times { profile: self.clone(), next_ns: 0, short: 0 }
    }
}

/// Intended times in nanoseconds since the start, one for each request.
#[derive(Clone, Debug)]
pub struct Times {
    profile: Profile,
    next_ns: u64,
    /// What the last gap was too short by, in parts of a nanosecond of which there are as many as the rate.
    short: u64,
}

impl Iterator for Times {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        // While nothing is to be sent, time goes on in steps short enough to meet the next rise.
        const REST_NS: u64 = 1_000_000;
        loop {
            let at_ns = self.next_ns;
            if self.profile.end_ns <= at_ns {
                return None;
            }
            let rate = self.profile.rate_at(at_ns);
            if rate == 0 {
                self.next_ns = at_ns + REST_NS;
                continue;
            }
            let parts = SECOND_NS + self.short.min(rate - 1);
            self.next_ns = at_ns + (parts / rate).max(1);
            self.short = parts % rate;
            return Some(at_ns);
        }
    }
}

/// Hands out what is due, and keeps how late it was handed out.
pub struct OpenLoop<I: Iterator> {
    source: std::iter::Peekable<I>,
    late: u64,
    late_ns_max: u64,
    sent: u64,
}

impl<T, I: Iterator<Item = (u64, T)>> OpenLoop<I> {
    /// Later than this, a request counts as sent late: the generator, not the system, fell behind.
    pub const LATE_NS: u64 = 1_000_000;

    /// Follows a source of (intended nanoseconds since the start, request), in order of time.
    pub fn new(source: I) -> OpenLoop<I> {
        OpenLoop { source: source.peekable(), late: 0, late_ns_max: 0, sent: 0 }
    }

    /// The next request, if it is due at `now_ns`, with its intended time.
    pub fn due(&mut self, now_ns: u64) -> Option<(u64, T)> {
        let (at_ns, request) = self.source.next_if(|(at_ns, _)| *at_ns <= now_ns)?;
        let late_ns = now_ns - at_ns;
        self.sent += 1;
        self.late += u64::from(Self::LATE_NS < late_ns);
        self.late_ns_max = self.late_ns_max.max(late_ns);
        Some((at_ns, request))
    }

    /// When the next request is to be sent; none when all were.
    pub fn next_ns(&mut self) -> Option<u64> {
        self.source.peek().map(|(at_ns, _)| *at_ns)
    }

    /// How well the schedule was kept so far.
    pub fn lateness(&self) -> Lateness {
        Lateness { sent: self.sent, late: self.late, late_ns_max: self.late_ns_max }
    }
}

/// How well a schedule was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// Requests sent.
    pub sent: u64,
    /// Of those, how many later than [`OpenLoop::LATE_NS`] after their intended time.
    pub late: u64,
    /// The longest delay.
    pub late_ns_max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_of_fifteen_times_the_rate_within_a_second_sends_what_lies_under_the_line() {
        let knots = [
            Knot { from_ns: 0, rate: 1_000 },
            Knot { from_ns: SECOND_NS, rate: 1_000 },
            Knot { from_ns: 2 * SECOND_NS, rate: 15_000 },
        ];
        let profile = Profile::new(&knots, 3 * SECOND_NS);
        let mut counts = [0u32; 3];
        for at_ns in profile.times() {
            counts[(at_ns / SECOND_NS) as usize] += 1;
        }
        assert_eq!(counts[0], 1_000);
        assert!((7_900..8_100).contains(&counts[1]), "{counts:?}");
        assert!((14_990..15_100).contains(&counts[2]), "{counts:?}");
        assert_eq!(profile.rate_at(SECOND_NS + SECOND_NS / 2), 8_000);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_is_kept_all_the_same() {
        for rate in [3, 7_777, 6_666_667] {
            assert_eq!(Profile::steady(rate, SECOND_NS).times().count() as u64, rate);
        }
    }

    #[test]
    fn a_stall_shows_in_every_request_that_it_delayed() {
        let source = Profile::steady(1_000, SECOND_NS).times().map(|at_ns| (at_ns, ()));
        let mut load = OpenLoop::new(source);
        assert_eq!(load.due(0), Some((0, ())));
        assert_eq!(load.due(500_000), None, "the second is due at 1 ms");
        // Half a second of silence: all 500 of it are handed out, at their intended times.
        let mut behind = Vec::new();
        while let Some((at_ns, ())) = load.due(SECOND_NS / 2) {
            behind.push(SECOND_NS / 2 - at_ns);
        }
        assert_eq!((behind.len(), behind[0], behind[499]), (500, 499_000_000, 0));
        assert_eq!(load.lateness(), Lateness { sent: 501, late: 498, late_ns_max: 499_000_000 });
    }

    #[test]
    fn without_a_rate_nothing_is_sent_and_the_schedule_ends() {
        assert_eq!(Profile::steady(0, SECOND_NS).times().count(), 0);
        assert_eq!(Profile::new(&[], SECOND_NS).times().count(), 0);
    }
}
