//! When betting stops.

use betring_uof::{BetStop, MarketStatus, Message, TEXT_BYTES_MAX};

use crate::{HEADER, header, message, refused};

fn stop(attributes: &str) -> BetStop {
    match message(&format!("<bet_stop {HEADER} {attributes}/>")) {
        Message::BetStop(it) => it,
        other => panic!("a stop, not {other:?}"),
    }
}

#[test]
fn a_stop_suspends_where_nothing_else_is_said() {
    let it = stop("groups=\"all\"");
    assert_eq!(it.header, header());
    assert!(it.groups.is_all());
    assert_eq!(it.status, MarketStatus::Suspended);
    assert_eq!(stop("groups=\"all\" market_status=\"0\"").status, MarketStatus::Inactive);
}

#[test]
fn a_stop_may_mean_some_groups_only() {
    let it = stop("groups=\"score|regular_play|score\"");
    assert!(!it.groups.is_all());
    assert_eq!(it.groups.names(), ["regular_play", "score"]);
    assert!(stop("groups=\"score|all\"").groups.is_all());
}

#[test]
fn groups_that_cannot_be_names_are_refused() {
    for groups in ["", " | ", "a&#7;b", &"a|".repeat(TEXT_BYTES_MAX)] {
        let sentence = refused(&format!("<bet_stop {HEADER} groups=\"{groups}\"/>"));
        assert!(sentence.contains("is not a list of market groups like `all`"), "{sentence}");
    }
}
