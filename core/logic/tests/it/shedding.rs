//! When load is shed: an actor's word, which is kept until somebody says something else, and decides nothing.

use crate::samples;
use betring_core::command::{self, Kind, Shed};
use betring_core::reject::Malformed;
use betring_core::script::Runner;
use betring_core::{HouseRules, State};
use std::collections::BTreeSet;

scripts! {
    what_was_said_last_of_shedding_holds_whoever_said_it: "
        actor anna
        shedding                            -> none
        shedding on by anna reason 7        -> done
        events                              -> SheddingSet Answered
        shedding                            -> On by anna
        shedding auto                       -> done
        shedding                            -> Auto by trader
        # Said again it is another's word.
        shedding auto by anna               -> done
        shedding                            -> Auto by anna
        shedding off by anna key K1         -> done
        shedding on
        shedding off by anna key K1         -> duplicate done
        shedding                            -> On by trader
        # As the configuration says, again.
        shedding none by anna               -> done
        shedding                            -> none by anna
        digest                              -> same-as-replay
    ";

    what_was_said_of_shedding_outlives_the_run: "
        shedding off
        restart
        shedding                            -> Off by trader
        @+3h restart
        shedding                            -> Off by trader
    ";

    who_is_no_actor_says_nothing_of_shedding: "
        actor anna
        shedding on by anna
        shedding off by nobody              -> ActorUnknown
        events                              -> Answered
        shedding                            -> On by anna
        shedding off by anna valid none     -> not sequenced: Malformed
        shedding                            -> On by anna
    ";

    what_is_sequenced_is_decided_as_if_nothing_were_shed: "
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any            -> B1
        shedding on
        place R2 A7 M1 10.00 any            -> B2
        value B1                            -> 10.00
        cash-out R3 A7 B1 any               -> done
        bet B1                              -> CashedOut 10.00
    ";
}

#[test]
fn a_mode_that_is_none_is_malformed() {
    let good = samples::of(Kind::SetShedding);
    let read = |mode: u8| {
        let mut bytes = good.clone();
        bytes[84] = mode;
        command::decode(&bytes).map(|_| ()).err()
    };
    for mode in 0..=u8::MAX {
        let is_one = mode == 0 || Shed::from_code(mode).is_some();
        assert_eq!(read(mode), (!is_one).then_some(Malformed::Choice), "{mode}");
    }
    assert_eq!((read(3), read(4)), (None, Some(Malformed::Choice)));
}

#[test]
fn a_state_from_a_snapshot_sheds_by_the_same_word_and_has_the_same_digest() {
    let mut digests = BTreeSet::new();
    for said in ["", "shedding on", "shedding on by anna", "shedding auto", "shedding none"] {
        let mut runner = Runner::new(HouseRules);
        for line in ["actor anna", said] {
            runner.line(line).unwrap();
        }
        let state = runner.state().unwrap().clone();
        let back = State::from_image(HouseRules, &state.image().unwrap(), state.digest()).unwrap();
        assert_eq!(back.shedding(), state.shedding(), "{said}");
        assert_eq!(back.digest(), state.digest(), "{said}");
        back.check().unwrap();
        // Each of them is another state, were it by nothing else.
        assert!(digests.insert(state.digest()), "{said}");
        runner.finish().unwrap();
    }
}
