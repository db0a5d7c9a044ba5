//! When load is shed, and by whose word. It decides no command: the doors in front of the rings go by it.

use crate::answer::Answer;
use crate::command::{SetShedding, Shed};
use crate::event::{Events, SheddingSet};
use crate::id::ActorId;
use crate::rules::Rules;
use crate::state::State;
use crate::wire::Header;

type Decided = Result<Answer, Answer>;

/// When load is shed, as it was said last. It outlives the run in which it was said: whoever wanted load
/// to be shed, or not, does not want something else because the engine started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shedding {
    /// By this word; none: as the configuration says.
    pub mode: Option<Shed>,
    /// Who said so; 0 if nobody ever said anything.
    pub by: ActorId,
}

impl Shedding {
    /// The mode as commands, events and images write it.
    pub const fn code(self) -> u8 {
        match self.mode {
            None => 0,
            Some(mode) => mode as u8,
        }
    }

    /// What was written so; none of what is no mode.
    pub const fn from_code(code: u8, by: ActorId) -> Option<Shedding> {
        match (code, Shed::from_code(code)) {
            (0, _) => Some(Shedding { mode: None, by }),
            (_, None) => None,
            (_, mode) => Some(Shedding { mode, by }),
        }
    }
}

impl<R: Rules> State<R> {
    /// Said again it is done again: whose word it is counts, too.
    pub(crate) fn set_shedding(
        &mut self,
        header: &Header,
        body: &SetShedding,
        events: &mut Events,
    ) -> Decided {
        let said = Shedding::from_code(body.mode, ActorId(header.account));
        self.shedding = said.expect("checked when the command was read");
        events.push(&SheddingSet { mode: body.mode, zero: [0; 7] });
        Ok(Answer::done(self.seq, u64::from(body.mode)))
    }

    /// When load is shed, and who said so.
    pub fn shedding(&self) -> Shedding {
        self.shedding
    }
}
