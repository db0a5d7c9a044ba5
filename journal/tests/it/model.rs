//! Any sequence of appends, commits, covers, rotations, kills and power cuts, against a plain list.

use betring_journal::{MemStore, Writer};
use proptest::prelude::*;

use crate::support::*;

#[derive(Clone, Debug)]
enum Action {
    Append(usize),
    Commit,
    Cover,
    Close,
    Kill,
    /// The power fails: of what was on its way this survives.
    PowerCut(u64),
    Seal,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => (0usize..3000).prop_map(Action::Append),
        1 => (20_000usize..57_000).prop_map(Action::Append),
        5 => Just(Action::Commit),
        1 => Just(Action::Cover),
        1 => Just(Action::Close),
        1 => Just(Action::Kill),
        2 => any::<u64>().prop_map(Action::PowerCut),
        1 => Just(Action::Seal),
    ]
}

/// Opens what is there and compares it with the model: a prefix of it that includes everything
/// durable. What was not recovered leaves the model.
fn reopen(store: &MemStore, model: &mut Vec<usize>, durable: &mut usize) -> Writer<MemStore> {
    let mut opened = open(store);
    let mut recovered = 0;
    while let Some(record) = opened.next_record().unwrap() {
        let seq = recovered as u64 + 1;
        assert_eq!(record.meta, meta(seq));
        assert_eq!(record.payload, payload(seq, model[recovered]), "a prefix of what was appended");
        recovered += 1;
    }
    assert!(*durable <= recovered, "nothing durable is lost: {durable} <= {recovered}");
    model.truncate(recovered);
    *durable = recovered;
    begin(opened).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_recovered_is_a_prefix_with_everything_durable(
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let mut store = MemStore::new();
        let (mut model, mut durable) = (Vec::new(), 0);
        let mut writer = writer(&store);
        for action in actions {
            match action {
                Action::Append(len) => {
                    if writer.room() < betring_journal::record_bytes(len) {
                        durable = writer.seal_and_sync().unwrap() as usize;
                    }
                    append(&mut writer, len).unwrap();
                    model.push(len);
                }
                Action::Commit => durable = writer.seal_and_sync().unwrap() as usize,
                Action::Cover => {
                    writer.cover().unwrap();
                    durable = model.len();
                }
                Action::Close => {
                    writer.close().unwrap();
                    durable = model.len();
                    writer = reopen(&store, &mut model, &mut durable);
                }
                Action::Kill => {
                    drop(writer);
                    store = store.kill();
                    durable = model.len();
                    writer = reopen(&store, &mut model, &mut durable);
                }
                Action::PowerCut(seed) => {
                    drop(writer);
                    let mut random = seed | 1;
                    let names = (seed % 3) as usize;
                    store = store.crash(names, |_, _| {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        random.is_multiple_of(3)
                    });
                    writer = reopen(&store, &mut model, &mut durable);
                }
                Action::Seal => {
                    // Sealed, and its sync fails: it may survive or not.
                    store.fail_at(store.calls() + 1, std::io::ErrorKind::Other);
                    let failed = writer.seal_and_sync();
                    prop_assert_eq!(failed.is_err(), writer.is_poisoned());
                    drop(writer);
                    store = store.crash(0, |_, _| true);
                    writer = reopen(&store, &mut model, &mut durable);
                }
            }
            prop_assert_eq!(writer.next_seq() as usize, model.len() + 1);
        }
        writer.close().unwrap();
        durable = model.len();
        drop(reopen(&store, &mut model, &mut durable));
    }
}
