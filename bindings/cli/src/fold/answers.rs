//! What customers are told: one answer a key, and the answer is what the record did.

use super::{Fold, Rule};
use crate::describe::party;
use betring_core::answer::{Answer, AnswerKind, Basis};
use betring_core::command::Command;
use betring_core::event::{Answered, Event, PendingWhy};
use betring_core::id::PriceVersion;
use betring_core::time::Nanos;
use betring_core::wire::WirePrice;

impl Fold {
    /// Every key has one answer, and it says what the record did.
    pub(super) fn answers(&mut self, command: &Command<'_>, events: &[Event]) {
        // What opens or is offered in a step, or by a trader, is told by its event alone.
        let is_told = matches!(
            command,
            Command::Place(_) | Command::PlaceTicket(..) | Command::AcceptOffer(_)
        );
        let mut unanswered = 0_i32;
        for event in events {
            match event {
                Event::Answered(answered) => {
                    self.answered(answered);
                    let answer = &answered.answer;
                    let sale = matches!(command, Command::CashOut(_));
                    match answer.kind() {
                        AnswerKind::Accepted | AnswerKind::Offered => unanswered -= 1,
                        AnswerKind::Pending => unanswered -= 1,
                        AnswerKind::Done if sale => unanswered -= 1,
                        _ => continue,
                    }
                    let said = events.iter().any(|event| says(answer, event, events));
                    self.must(Rule::Answers, said, || {
                        format!("the answer `{answer}` is not the bet of its record")
                    });
                }
                Event::BetOpened(_) | Event::TicketOpened(_) if is_told => unanswered += 1,
                Event::BetOffered(bet) if is_told && bet.leg == 0 => unanswered += 1,
                Event::BetPending(_) if is_told => unanswered += 1,
                Event::CashOutPending(_) if matches!(command, Command::CashOut(_)) => {
                    unanswered += 1;
                }
                Event::BetCashedOut(_) if matches!(command, Command::CashOut(_)) => unanswered += 1,
                _ => (),
            }
        }
        self.must(Rule::Answers, unanswered == 0, || {
            "not every bet of this record has its answer".into()
        });
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

/// Whether an answer tells the bet, the wait or the sale that an event made.
fn says(answer: &Answer, event: &Event, events: &[Event]) -> bool {
    let told = (answer.id, answer.stake, answer.price, answer.version);
    match event {
        Event::BetOpened(bet) => {
            answer.kind() == AnswerKind::Accepted
                && told == (bet.bet.raw(), bet.stake, bet.price, bet.version)
                && (answer.amount, answer.age()) == (bet.returns, bet.price_age)
                && answer.basis() == Basis::from_code(bet.basis)
        }
        Event::TicketOpened(bet) => {
            // One leg has one price; of several legs the oldest price counts.
            let legs = events.iter().filter_map(|event| match event {
                Event::LegBound(leg) if leg.bet == bet.bet => Some(leg),
                _ => None,
            });
            let age = legs.clone().map(|leg| leg.price_age).max();
            let (price, version) = match (bet.legs, legs.clone().next()) {
                (1, Some(leg)) => (leg.price, leg.version),
                _ => (WirePrice::NONE, PriceVersion(0)),
            };
            answer.kind() == AnswerKind::Accepted
                && told == (bet.bet.raw(), bet.stake, price, version)
                && (answer.amount, Some(answer.age())) == (bet.returns, age)
                && answer.basis() == Basis::from_code(bet.basis)
        }
        Event::BetOffered(bet) => {
            answer.kind() == AnswerKind::Offered
                && bet.leg == 0
                && told == (bet.bet.raw(), bet.stake, bet.price, bet.version)
                && (answer.amount, answer.until()) == (bet.returns, bet.until)
        }
        Event::BetPending(bet) => {
            answer.kind() == AnswerKind::Pending
                && (answer.id, answer.stake) == (bet.bet.raw(), bet.stake)
                && (answer.amount, answer.until()) == (bet.returns, bet.until)
                && answer.pending_why() == PendingWhy::from_code(bet.why)
        }
        Event::CashOutPending(sale) => {
            answer.kind() == AnswerKind::Pending
                && (answer.id, answer.stake) == (sale.bet.raw(), sale.take)
                && (answer.amount, answer.until()) == (sale.value, sale.until)
        }
        Event::BetCashedOut(sale) => {
            answer.kind() == AnswerKind::Done
                && (answer.id, answer.stake) == (sale.bet.raw(), sale.stake)
                && answer.amount == sale.paid
        }
        _ => false,
    }
}
