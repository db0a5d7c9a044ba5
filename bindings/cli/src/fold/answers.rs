//! What customers are told: one answer a key, and the answer is what the record did.

use super::{Fold, Rule};
use crate::describe::party;
use betring_core::answer::{Answer, AnswerKind, Basis};
use betring_core::event::{Answered, Event};
use betring_core::time::Nanos;

impl Fold {
    /// Every key has one answer, and it says what the record did.
    pub(super) fn answers(&mut self, events: &[Event]) {
        let mut unanswered = 0_i32;
        for event in events {
            match event {
                Event::Answered(answered) => {
                    self.answered(answered);
                    let answer = &answered.answer;
                    if !matches!(answer.kind(), AnswerKind::Accepted | AnswerKind::Offered) {
                        continue;
                    }
                    unanswered -= 1;
                    let said = events.iter().any(|event| self.says(answer, event));
                    self.must(Rule::Answers, said, || {
                        format!("the answer `{answer}` is not the bet of its record")
                    });
                }
                Event::BetOpened(_) | Event::BetOffered(_) => unanswered += 1,
                _ => (),
            }
        }
        self.must(Rule::Answers, unanswered == 0, || {
            "not every bet of this record has its answer".into()
        });
    }

    /// Whether an answer tells the bet that an event made.
    fn says(&self, answer: &Answer, event: &Event) -> bool {
        let told = (answer.id, answer.stake, answer.price, answer.version);
        match event {
            Event::BetOpened(bet) => {
                answer.kind() == AnswerKind::Accepted
                    && told == (bet.bet.raw(), bet.stake, bet.price, bet.version)
                    && (answer.amount, answer.age()) == (bet.returns, bet.price_age)
                    && answer.basis() == Basis::from_code(bet.basis)
            }
            Event::BetOffered(bet) => {
                answer.kind() == AnswerKind::Offered
                    && told == (bet.bet.raw(), bet.stake, bet.price, bet.version)
                    && Some(i128::from(answer.amount.0)) == self.returns(bet.stake, bet.price)
                    && answer.until() == bet.until
            }
            _ => false,
        }
    }

    fn answered(&mut self, answered: &Answered) {
        self.counts.keys += 1;
        let Answered { account, key, valid_until, answer, .. } = *answered;
        let (seq, at) = (self.seq, self.at);
        let window = self.genesis.map_or(Nanos::ZERO, |genesis| genesis.window);
        let name = || format!("request {key} of {}", party(account));
        self.must(Rule::Answers, answer.is_valid() && answer.seq == seq, || {
            format!("{} is answered with the sequence {}", name(), answer.seq)
        });
        if let Some(before) = self.keys.insert((account, key.0), (seq, valid_until)) {
            // A key may be used again only once its command can no longer execute, and with another
            // time limit: it is another request then.
            let kept = at <= before.1.plus(window) || before.1 == valid_until;
            self.must(Rule::Answers, !kept, || {
                format!("{} was answered at {} already", name(), before.0)
            });
        }
        // A question may seal a key after its time; a command never executes after it.
        self.must(Rule::Answers, answered.sealed != 0 || at <= valid_until, || {
            format!("{} executed after its time limit {valid_until}", name())
        });
    }
}
