//! Several recordings as one sequence.

use betring_betfair::{Merged, Update};

use crate::{derby, mcm, recording};

#[test]
fn recordings_begin_together_and_go_on_in_the_order_of_time() {
    let first = [mcm(700_000, ""), mcm(702_500, "")].concat();
    let second = [mcm(5_000, ""), "x\n".to_owned(), mcm(6_200, "")].concat();
    let told: Vec<String> = Merged::new(vec![recording(first), recording(second)])
        .map(|update| match update {
            Ok(it) => format!("{} {} {}", it.since_start_ns, it.source, it.publish_time_ms),
            Err(error) => format!("line {}", error.line),
        })
        .collect();
    assert_eq!(
        told,
        [
            "0 0 700000",
            "0 1 5000",
            "line 2",
            "1000000000 0 701000",
            "1000000000 1 6000",
            "2000000000 0 702000",
        ]
    );
}

#[test]
fn a_recording_merged_with_itself_tells_everything_twice() {
    let text = derby::recording();
    let alone = Merged::new(vec![recording(&text)]).filter_map(Result::ok);
    let both = Merged::new(vec![recording(&text), recording(&text)]).filter_map(Result::ok);
    let alone: Vec<(u64, Update)> = alone.map(|it| (it.since_start_ns, it.update)).collect();
    let mut split: [Vec<(u64, Update)>; 2] = [Vec::new(), Vec::new()];
    let mut last_ns = 0;
    for it in both {
        assert!(last_ns <= it.since_start_ns, "time never falls");
        last_ns = it.since_start_ns;
        split[it.source].push((it.since_start_ns, it.update));
    }
    assert_eq!(last_ns, 88_000_000_000);
    assert_eq!(split, [alone.clone(), alone]);
}
