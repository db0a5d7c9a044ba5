//! A command as the loop takes it: read from its bytes, looked up by its key, decided.

use betring_core::answer::Reply;
use betring_core::command::decode;
use betring_core::event::Events;
use betring_core::time::Timestamp;
use betring_core::{Admission, HouseRules, Stamp, State};

#[inline]
pub(super) fn decide(
    state: &mut State<HouseRules>,
    events: &mut Events,
    at: Timestamp,
    bytes: &[u8],
) -> Reply {
    let (header, command) = decode(bytes).expect("the bench's own command");
    match state.admit(at, &header, &command, bytes) {
        Admission::Answer(reply) => reply,
        Admission::Sequence(admitted) => {
            let stamp = Stamp { seq: state.seq().next(), at };
            state.apply(stamp, &header, &command, admitted, events)
        }
    }
}
