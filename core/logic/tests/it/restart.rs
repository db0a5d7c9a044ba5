//! What a start changes: nobody knows what was missed meanwhile, so nothing is taken for granted.

use betring_core::id::{Epoch, Seq};
use betring_core::reject::{Malformed, Reject};
use betring_core::time::Timestamp;
use betring_core::{Admission, HouseRules, State};

scripts! {
    after_a_restart_markets_with_manual_prices_wait_for_an_open: "
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 1.00 any -> B1
        restart
        market M1               -> Open
        place R2 A7 M1 1.00 any -> MarketNotOpen
        quote M1 2.40
        place R3 A7 M1 1.00 any -> MarketNotOpen
        open M1
        place R4 A7 M1 1.00 any -> B2 at 2.40
    ";

    after_a_restart_every_feed_recovers: "
        fund A7 100.00
        feed F1
        recovered F1
        market M1 cup Home Away feed F1 bound 1s
        open M1
        @1s prices M1 2.50 3.00 seq 7
        restart
        feed F1                           -> Recovering
        place R1 A7 M1 1.00 any           -> FeedDown
        # Its numbers may begin anew.
        prices M1 Away 3.00 seq 1
        recovered F1 seq 2
        @2s heartbeat F1 seq 3
        # What it did not send again is not confirmed.
        @2s+1ns place R2 A7 M1 1.00 any   -> StalePrice
        place R3 A7 M1/Away 1.00 any      -> B1 at 3.00
    ";

    a_restart_changes_no_money_and_no_bet: "
        fund A7 100.00
        fund A8 50.00 EUR
        quote M1 2.50 3.00
        place R1 A7 M1 10.00 any   -> B1
        place R1 A8 M1/2 10.00 any -> B2
        restart
        restart
        bet B1                     -> Open
        bet B2                     -> Open
        balance A7                 -> 90.00
        exposure M1 GBP            -> 15.00
        exposure M1 EUR            -> 20.00
        result M1 1
        balance A7                 -> 115.00
        balance A8                 -> 40.00
    ";

    names_and_handles_outlive_a_restart: "
        actor anna
        feed F1
        fixture X1
        market M1 cup Home Away fixture X1
        account A7
        restart
        actor anna              -> done
        feed F1                 -> Recovering
        feed F2 named F1        -> NameTaken F1
        fixture X2 named X1     -> NameTaken X1
        market M2 cup Home Away -> NameTaken M1
        account A8 reference 7  -> AccountExists A7
        open M1 by anna
    ";
}

/// The journal's first two commands, for those who do not go through a desk.
pub(crate) fn first_two() -> [Vec<u8>; 2] {
    use crate::samples;
    use betring_core::command::Kind;
    // The samples have time limits so that golden files show them; the engine's own have none.
    [Kind::Genesis, Kind::EpochOpened].map(|kind| {
        let mut bytes = samples::of(kind);
        bytes[64..72].fill(0);
        if kind == Kind::EpochOpened {
            bytes[80..84].copy_from_slice(&1u32.to_le_bytes());
        }
        bytes
    })
}

/// What a state says to bytes without sequencing them, or that it would sequence them.
pub(crate) fn admitted(state: &State, at: i64, bytes: &[u8]) -> Result<(), (Reject, Malformed)> {
    let (header, command) = betring_core::command::decode(bytes).unwrap();
    match state.admit(Timestamp(at), &header, &command, bytes) {
        Admission::Sequence(_) => Ok(()),
        Admission::Answer(reply) => Err((
            reply.answer.reject().unwrap(),
            // Only `Malformed` has a detail: any other refusal shows the first kind here.
            reply.answer.malformation().unwrap_or(Malformed::Kind),
        )),
    }
}

/// Applies the first commands of a journal.
pub(crate) fn begun(commands: &[Vec<u8>]) -> State {
    let mut state = State::new(HouseRules);
    let mut events = betring_core::event::Events::new();
    for (at, bytes) in (1..).zip(commands) {
        let stamp = betring_core::Stamp { seq: Seq(at), at: Timestamp(at as i64) };
        state.replay(stamp, bytes, &mut events).unwrap();
    }
    state
}

#[test]
fn a_journal_begins_once_and_its_runs_follow_each_other() {
    let [genesis, run] = first_two();
    let out_of_order = Err((Reject::Malformed, Malformed::EngineOnly));
    let numbered = |number: u32| {
        let mut bytes = run.clone();
        bytes[80..84].copy_from_slice(&number.to_le_bytes());
        bytes
    };

    let state = begun(&[]);
    assert_eq!(admitted(&state, 1, &genesis), Ok(()));
    assert_eq!(admitted(&state, 1, &run), out_of_order);

    let state = begun(std::slice::from_ref(&genesis));
    assert_eq!(admitted(&state, 2, &genesis), out_of_order);
    assert_eq!(admitted(&state, 2, &run), Ok(()));

    let state = begun(&[genesis.clone(), run.clone()]);
    assert_eq!(state.epoch(), Epoch(1));
    assert_eq!(admitted(&state, 3, &genesis), out_of_order);
    assert_eq!(admitted(&state, 3, &run), out_of_order);
    assert_eq!(admitted(&state, 3, &numbered(2)), Ok(()));
    // A run that left nothing durable behind has used its number up.
    assert_eq!(admitted(&state, 3, &numbered(3)), Ok(()));
}

#[test]
fn before_the_first_run_everybody_is_asked_to_try_again() {
    use crate::samples;
    use betring_core::command::Lane;
    let [genesis, _] = first_two();
    for state in [begun(&[]), begun(&[genesis])] {
        for (kind, bytes) in samples::all() {
            let expected = match kind.lane() {
                Lane::Engine => continue,
                Lane::Control | Lane::Feed | Lane::Customer => Reject::Recovering,
            };
            assert_eq!(admitted(&state, 5, &bytes).unwrap_err().0, expected, "{kind}");
        }
    }
}

#[test]
fn a_journal_that_does_not_belong_to_a_state_is_an_error_with_its_sequence() {
    use betring_core::Stamp;
    let [genesis, run] = first_two();
    let mut events = betring_core::event::Events::new();
    let mut said = |state: &mut State, seq, at, bytes: &[u8]| {
        let stamp = Stamp { seq: Seq(seq), at: Timestamp(at) };
        let before = state.digest();
        let error = state.replay(stamp, bytes, &mut events).unwrap_err();
        assert_eq!(state.digest(), before, "what cannot be applied changes nothing");
        error.to_string()
    };
    let mut state = begun(&[genesis.clone(), run]);
    assert_eq!(
        said(&mut state, 4, 9, &genesis),
        "the record at #4 cannot be applied: #3 comes next"
    );
    assert_eq!(
        said(&mut state, 3, 1, &genesis),
        "the record at #3 cannot be applied: it is stamped before its predecessor"
    );
    assert_eq!(
        said(&mut state, 3, 9, &genesis),
        "the record at #3 cannot be applied: it would be answered without a sequence: \
         Malformed: only the engine itself gives this command"
    );
    assert_eq!(
        said(&mut state, 3, 9, &[0; 128]),
        "the record at #3 cannot be applied: unknown kind of command"
    );
}
