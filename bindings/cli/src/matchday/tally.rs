//! What customers met with: counted and timed, by part of the day and over time.

use crate::matchday::acts::Part;
use betring_benches::recorder::{ByMarket, Recorder, Span};
use betring_core::answer::{AnswerKind, Reply};
use betring_core::reject::Reject;
use std::collections::BTreeMap;

/// Slices of the whole day in the plots: one a second or so.
pub(crate) const SLICES: usize = 120;
/// Markets that are told apart in latencies; more share the last place.
pub(crate) const MARKETS_TOLD: usize = 64;

/// What an attempt was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A bet, for the first time; its market's place.
    Bet { market: usize },
    /// A bet sent again, or its key used for another.
    Again,
    /// An offer taken or declined.
    Offer,
    /// A bet of several legs.
    Ticket,
    /// A bet whose stake a wallet has to hold first.
    Held,
    /// A bet sold back, or part of it.
    Sale,
    /// Money in or out.
    Money,
    /// A question.
    Question,
}

/// The moments of one attempt, in nanoseconds of the day; see DESIGN's t0 to t6.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    /// Intended.
    pub(crate) t0: i64,
    /// Published.
    pub(crate) t1: i64,
    /// Stamped by the loop.
    pub(crate) t2: i64,
    /// Seen decided, in the page cache, durable; none where that came later or was not seen.
    pub(crate) seen: [Option<i64>; 3],
    /// Reply visible to the client.
    pub(crate) t6: i64,
}

/// Names of the stages, in order.
pub(crate) const STAGES: [(&str, &str); 6] = [
    ("t0-t1", "waits for its sender: the generator was late"),
    ("t1-t2", "in the ring, until the loop stamps it"),
    ("t2-t3", "decided, and seen so by its client"),
    ("t3-t4", "recorded, in the page cache; 0 if both were seen in one look"),
    ("t4-t5", "synced"),
    ("t5-t6", "reply released and seen"),
];

/// One part of the day.
pub(crate) struct PhaseTally {
    pub(crate) name: String,
    /// Planned, or measured where nothing was planned.
    pub(crate) length_ns: u64,
    /// Attempts of any kind.
    pub(crate) asked: u64,
    /// Bets, each counted once.
    pub(crate) bets: u64,
    pub(crate) accepted: u64,
    pub(crate) offered: u64,
    pub(crate) refused: BTreeMap<Reject, u64>,
    /// All bets that were answered.
    pub(crate) latency: Recorder,
    /// Those accepted.
    pub(crate) accept: Recorder,
    pub(crate) price_age: Recorder,
}

impl PhaseTally {
    fn new(part: Part) -> PhaseTally {
        PhaseTally {
            name: part.name,
            length_ns: part.length_ns,
            asked: 0,
            bets: 0,
            accepted: 0,
            offered: 0,
            refused: BTreeMap::new(),
            latency: Recorder::new(),
            accept: Recorder::new(),
            price_age: Recorder::new(),
        }
    }

    pub(crate) fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Attempts that became neither a bet nor an offer nor a refusal: money, repeats, offers declined,
    /// questions, and what was never answered.
    pub(crate) fn other(&self) -> u64 {
        self.asked.saturating_sub(self.accepted + self.offered + self.refusals())
    }

    /// The most frequent refusals first.
    pub(crate) fn top_refusals(&self) -> Vec<(Reject, u64)> {
        let mut top: Vec<(Reject, u64)> = self.refused.iter().map(|(r, n)| (*r, *n)).collect();
        top.sort_by_key(|(reject, n)| (std::cmp::Reverse(*n), *reject));
        top
    }
}

/// A slice of time, for plots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) asked: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
}

/// Everything that customers met with.
pub(crate) struct Tally {
    pub(crate) phases: Vec<PhaseTally>,
    pub(crate) stages: [Recorder; STAGES.len()],
    pub(crate) by_market: ByMarket,
    pub(crate) slices: Vec<Slice>,
    pub(crate) slice_ns: u64,
    pub(crate) answered: u64,
    /// Attempts that were refused before they were taken, so that no reply comes.
    pub(crate) not_taken: u64,
    pub(crate) duplicates: u64,
    pub(crate) never_placed: u64,
    pub(crate) offers_taken: u64,
    /// Bets of several legs that were accepted, bets and sales that waited, and sales that were done.
    pub(crate) tickets: u64,
    pub(crate) waited: u64,
    /// Bets whose stake is held first.
    pub(crate) held: u64,
    pub(crate) sold: u64,
    /// Replies that belong to no attempt, or came out of order: has to stay 0.
    pub(crate) misplaced: u64,
    /// A bet that went all the way, for the story at the end: its account and key.
    pub(crate) story: Option<Story>,
}

/// A bet for the story at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Story {
    pub(crate) bet: betring_core::id::BetId,
    pub(crate) moments: Moments,
    /// Whether its price had moved between the slip and the bet.
    pub(crate) moved: bool,
}

impl Story {
    /// How its request travelled, a line for each moment.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Moments { t0, t1, t2, seen, t6 } = self.moments;
        let mut lines =
            vec![format!("  t0  {:>10.6} s of the day: it was to be sent", t0 as f64 / 1e9)];
        let what = [
            (Some(t1), "t1", "published: the engine's ring has it"),
            (Some(t2), "t2", "stamped: it has its place in the order and its time"),
            (seen[0], "t3", "decided, as its client saw it"),
            (seen[1], "t4", "in the page cache: survives the process"),
            (seen[2], "t5", "synced: survives the machine"),
            (Some(t6), "t6", "the reply is with its client"),
        ];
        // The client looks at one cursor after the other: it may see the page cache's before the
        // decision's, which was first all the same.
        let mut last = t1;
        for (at, name, text) in what {
            if let Some(at) = at {
                let at = at.max(last);
                last = at;
                let after = Span(u64::try_from(at - t0).unwrap_or(0));
                lines.push(format!("  {name}  {:>12}  {text}", format!("+{after}")));
            }
        }
        lines
    }
}

impl Tally {
    /// A day of these parts; slices are cut for `length_ns`, or a second each where it is not known.
    pub(crate) fn new(parts: Vec<Part>, length_ns: Option<u64>) -> Tally {
        const SECOND: u64 = 1_000_000_000;
        let slice_ns = length_ns.map_or(SECOND, |all| all.div_ceil(SLICES as u64).max(1));
        Tally {
            phases: parts.into_iter().map(PhaseTally::new).collect(),
            stages: std::array::from_fn(|_| Recorder::new()),
            by_market: ByMarket::new(MARKETS_TOLD),
            slices: Vec::new(),
            slice_ns,
            answered: 0,
            not_taken: 0,
            duplicates: 0,
            never_placed: 0,
            offers_taken: 0,
            tickets: 0,
            waited: 0,
            held: 0,
            sold: 0,
            misplaced: 0,
            story: None,
        }
    }

    /// The slice of a moment. A day longer than planned makes the slices twice as long, not more.
    fn slice(&mut self, at_ns: i64) -> &mut Slice {
        let at_ns = u64::try_from(at_ns).unwrap_or(0);
        while (2 * SLICES) as u64 <= at_ns / self.slice_ns {
            let halves = std::mem::take(&mut self.slices);
            let join = |pair: &[Slice]| Slice {
                asked: pair.iter().map(|s| s.asked).sum(),
                accepted: pair.iter().map(|s| s.accepted).sum(),
                refused: pair.iter().map(|s| s.refused).sum(),
            };
            self.slices = halves.chunks(2).map(join).collect();
            self.slice_ns *= 2;
        }
        let place = (at_ns / self.slice_ns) as usize;
        if self.slices.len() <= place {
            self.slices.resize(place + 1, Slice::default());
        }
        &mut self.slices[place]
    }

    /// An attempt is sent.
    pub(crate) fn asked(&mut self, phase: usize, purpose: Purpose, t0: i64) {
        self.slice(t0).asked += 1;
        let Some(phase) = self.phases.get_mut(phase) else { return };
        phase.asked += 1;
        phase.bets += u64::from(matches!(purpose, Purpose::Bet { .. }));
    }

    /// An attempt was not taken: the client was told at once.
    pub(crate) fn refused_at_once(&mut self, phase: usize, reject: Reject, t0: i64) {
        self.not_taken += 1;
        self.slice(t0).refused += 1;
        if let Some(phase) = self.phases.get_mut(phase) {
            *phase.refused.entry(reject).or_default() += 1;
        }
    }

    /// An attempt was answered.
    pub(crate) fn answered(
        &mut self,
        phase: usize,
        purpose: Purpose,
        reply: &Reply,
        moments: Moments,
        is_timed: bool,
    ) {
        self.answered += 1;
        if reply.is_duplicate() {
            self.duplicates += 1;
        }
        let answer = &reply.answer;
        let latency_ns = moments.t6 - moments.t0;
        let first = !reply.is_duplicate();
        let is_bet = matches!(purpose, Purpose::Bet { .. });
        match answer.kind() {
            AnswerKind::Accepted if first => self.slice(moments.t0).accepted += 1,
            AnswerKind::Refused if first => self.slice(moments.t0).refused += 1,
            AnswerKind::NeverPlaced if first => self.never_placed += 1,
            _ => (),
        }
        let Some(phase) = self.phases.get_mut(phase) else { return };
        if is_bet && is_timed {
            phase.latency.record(latency_ns);
        }
        match answer.kind() {
            // A repetition tells of something that was counted before.
            _ if !first => return,
            AnswerKind::Accepted => {
                phase.accepted += 1;
                if is_timed {
                    phase.accept.record(latency_ns);
                }
                if purpose == Purpose::Offer {
                    // The price is as old as it was when it was offered, and older by the offer.
                    self.offers_taken += 1;
                } else if purpose == Purpose::Ticket {
                    // Its oldest price is that of a race: set by hand, it does not age.
                    self.tickets += 1;
                } else {
                    phase.price_age.record(answer.age().0);
                }
            }
            AnswerKind::Offered => phase.offered += 1,
            AnswerKind::Refused => {
                if let Some(reject) = answer.reject() {
                    *phase.refused.entry(reject).or_default() += 1;
                }
            }
            AnswerKind::Pending if purpose == Purpose::Held => self.held += 1,
            AnswerKind::Pending => self.waited += 1,
            AnswerKind::Done => self.sold += u64::from(purpose == Purpose::Sale),
            AnswerKind::Started
            | AnswerKind::NeverPlaced
            | AnswerKind::Ordered
            | AnswerKind::Changed => {}
        }
        if let Purpose::Bet { market } = purpose
            && is_timed
        {
            self.by_market.record(market.min(MARKETS_TOLD - 1), latency_ns);
            self.stages_of(&moments);
        }
    }

    fn stages_of(&mut self, moments: &Moments) {
        let mut from = moments.t0;
        let to =
            [Some(moments.t1), Some(moments.t2), moments.seen[0], moments.seen[1], moments.seen[2]];
        for (stage, to) in self.stages.iter_mut().zip(to) {
            // What was only seen after the reply, a weaker level did not wait for.
            let Some(to) = to.filter(|to| *to <= moments.t6) else { continue };
            stage.record(to - from);
            from = from.max(to);
        }
        self.stages[STAGES.len() - 1].record(moments.t6 - from);
    }

    /// All phases in one.
    pub(crate) fn all(&self, of: impl Fn(&PhaseTally) -> &Recorder) -> Recorder {
        let mut all = Recorder::new();
        self.phases.iter().for_each(|phase| all.merge(of(phase)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use betring_core::answer::{Answer, Fate};
    use betring_core::id::Seq;
    use betring_core::time::Nanos;
    use betring_core::wire::Minor;

    fn tally() -> Tally {
        let part = |name: &str| Part { name: name.to_owned(), length_ns: 1_000 };
        Tally::new(vec![part("one"), part("two")], Some(1_000_000))
    }

    fn at(t0: i64, t6: i64) -> Moments {
        Moments { t0, t1: t0 + 1, t2: t0 + 2, seen: [Some(t0 + 3), Some(t0 + 4), None], t6 }
    }

    fn reply(answer: Answer) -> Reply {
        let mut reply = Reply::default();
        reply.answer = answer;
        reply
    }

    #[test]
    fn a_repeated_answer_counts_as_a_repetition_and_not_as_a_second_bet() {
        let mut tally = tally();
        let bet = Purpose::Bet { market: 0 };
        let accepted = Answer::of(AnswerKind::Accepted, Seq(5)).with_age(Nanos(70));
        tally.asked(0, bet, 0);
        tally.answered(0, bet, &reply(accepted), at(0, 100), true);
        tally.asked(0, Purpose::Again, 10);
        let again = reply(accepted).repeated(Fate::Open, Minor(0));
        tally.answered(0, Purpose::Again, &again, at(10, 50), true);
        let phase = &tally.phases[0];
        assert_eq!((phase.asked, phase.bets, phase.accepted, phase.other()), (2, 1, 1, 1));
        assert_eq!((tally.duplicates, tally.answered, phase.price_age.quantiles().max), (1, 2, 70));
        assert_eq!((phase.accept.count(), phase.price_age.count()), (1, 1));
    }

    #[test]
    fn latency_counts_from_the_intended_time_and_its_stages_add_up_to_it() {
        let mut tally = tally();
        let bet = Purpose::Bet { market: 3 };
        let refused = reply(Answer::refused(Reject::PriceMoved, Seq(5)));
        tally.answered(1, bet, &refused, at(1_000, 1_500), true);
        assert_eq!(tally.phases[1].latency.quantiles().max, 500);
        assert_eq!(tally.phases[1].top_refusals(), [(Reject::PriceMoved, 1)]);
        let sum: u64 = tally.stages.iter().map(|stage| stage.quantiles().max).sum();
        assert_eq!(sum, 500, "t0-t1 1, t1-t2 1, t2-t3 1, t3-t4 1, then to the reply");
        assert_eq!(tally.stages[4].count(), 0, "not seen durable before the reply");
        assert_eq!(tally.by_market.worst(0.5), Some((3, 500)));
    }

    #[test]
    fn a_story_never_goes_back_in_time() {
        let moments = Moments { seen: [Some(9), Some(4), None], ..at(0, 12) };
        let bet = betring_core::id::BetId::NONE;
        let lines = Story { bet, moments, moved: false }.lines();
        assert!(lines[3].contains("t3") && lines[3].contains("+9 ns"), "{lines:?}");
        assert!(lines[4].contains("t4") && lines[4].contains("+9 ns"), "{lines:?}");
        assert_eq!(lines.len(), 6, "t5 was not seen");
    }

    #[test]
    fn a_day_longer_than_planned_has_longer_slices_and_loses_nothing() {
        let mut tally = tally();
        for at_ns in (0..10_000_000).step_by(1_000) {
            tally.asked(0, Purpose::Money, at_ns);
        }
        assert!(tally.slices.len() <= 2 * SLICES);
        assert_eq!(tally.slices.iter().map(|slice| slice.asked).sum::<u64>(), 10_000);
    }
}
