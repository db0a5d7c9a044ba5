//! What a governor wants done and has no answer to yet: the last word on each thing, in the order said.
//!
//! A word on something takes the place of what was said of it before and has not been sent. What was
//! sent and never executed is sent again at its old place, unless something was said of it since. What
//! is not wanted any more when its turn comes is not sent. So never more waits than there are things to
//! speak of, and the last word on each is the last to be done.

use std::collections::BTreeMap;

use betring_core::id::{GroupId, Token};

use super::{Act, Action, Subject};
use crate::control::StakeScope;

/// What an action is about: of two about the same, only the later one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    CashOuts(Subject),
    Drives(GroupId),
    Stakes(StakeScope),
    Shedding,
}

fn thing(act: Act) -> Thing {
    match act {
        Act::FreezeCashOut { at, .. } => Thing::CashOuts(at),
        Act::SwitchFeed { group, .. } => Thing::Drives(group),
        Act::SetStakeFactor { scope, .. } => Thing::Stakes(scope),
        Act::Shed(_) => Thing::Shedding,
    }
}

#[derive(Debug)]
struct Sent {
    token: Token,
    /// Its place in the order.
    place: u64,
    action: Action,
}

/// What an answer means for the action that it answers.
#[derive(Debug)]
pub(super) enum Answered {
    /// It was decided.
    Decided(Action),
    /// It never executed, and something was said of the same thing since.
    Superseded(Action),
    /// It never executed, and waits to be sent again.
    Again(Action),
    /// It answers nothing that was sent.
    Unknown,
}

/// What waits to be sent, and what was sent.
#[derive(Debug, Default)]
pub(super) struct Queue {
    places: u64,
    /// The place of the last word on a thing, while that has no answer.
    last: BTreeMap<Thing, u64>,
    waiting: BTreeMap<u64, Action>,
    /// At most as many as the seat has credit for.
    sent: Vec<Sent>,
}

impl Queue {
    /// Takes an action in, and gives back the one that waited and is not needed any more.
    pub(super) fn push(&mut self, action: Action) -> Option<Action> {
        self.places += 1;
        let before = self.last.insert(thing(action.act), self.places);
        let superseded = before.and_then(|place| self.waiting.remove(&place));
        self.waiting.insert(self.places, action);
        superseded
    }

    /// What is to be sent next.
    pub(super) fn first(&self) -> Option<&Action> {
        self.waiting.values().next()
    }

    /// What was to be sent next is not wanted any more.
    pub(super) fn withdraw(&mut self) -> Option<Action> {
        let (place, action) = self.waiting.pop_first()?;
        let thing = thing(action.act);
        if self.last.get(&thing) == Some(&place) {
            self.last.remove(&thing);
        }
        Some(action)
    }

    /// What was to be sent next is sent.
    pub(super) fn sent(&mut self, token: Token) -> Option<Action> {
        let (place, action) = self.waiting.pop_first()?;
        self.sent.push(Sent { token, place, action: action.clone() });
        Some(action)
    }

    /// Takes in the answer to what was sent with this token, and whether that was decided at all.
    pub(super) fn answered(&mut self, token: Token, decided: bool) -> Answered {
        let Some(at) = self.sent.iter().position(|sent| sent.token == token) else {
            return Answered::Unknown;
        };
        let Sent { place, action, .. } = self.sent.remove(at);
        let thing = thing(action.act);
        let is_last = self.last.get(&thing) == Some(&place);
        if !decided && is_last {
            self.waiting.insert(place, action.clone());
            return Answered::Again(action);
        }
        if is_last {
            self.last.remove(&thing);
        }
        if decided { Answered::Decided(action) } else { Answered::Superseded(action) }
    }
}
