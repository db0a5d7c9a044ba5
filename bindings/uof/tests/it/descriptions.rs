//! What describes events: changes of them, and documents that are passed over.

use betring_uof::{ChangeType, DescriptionKind, FixtureChange, Message};

use crate::{HEADER, at, header, message};

fn change(attributes: &str) -> FixtureChange {
    match message(&format!("<fixture_change {HEADER} {attributes}/>")) {
        Message::FixtureChange(it) => it,
        other => panic!("a fixture change, not {other:?}"),
    }
}

#[test]
fn a_fixture_change_says_what_changed() {
    for (code, expected) in [
        (1, ChangeType::New),
        (2, ChangeType::DateTime),
        (3, ChangeType::Cancelled),
        (4, ChangeType::Format),
        (5, ChangeType::Coverage),
        (6, ChangeType::Pitcher),
        (106, ChangeType::Other(106)),
    ] {
        let it = change(&format!("change_type=\"{code}\" start_time=\"5\""));
        let expected = FixtureChange {
            header: header(),
            change: Some(expected),
            start: Some(at(5)),
            next_live: None,
        };
        assert_eq!(it, expected);
    }
    let it = change("start_time=\"5\" next_live_time=\"6\"");
    assert_eq!((it.change, it.next_live), (None, Some(at(6))));
}

#[test]
fn descriptions_are_recognised_and_passed_over() {
    for (root, kind) in [
        ("fixture_changes", DescriptionKind::Fixtures),
        ("variant_descriptions", DescriptionKind::Markets),
        ("player_profile", DescriptionKind::Player),
        ("competitor_profile", DescriptionKind::Competitor),
        ("match_summary", DescriptionKind::Summary),
        ("schedule", DescriptionKind::Schedule),
        ("tournament_info", DescriptionKind::Tournaments),
        ("venue_summary", DescriptionKind::Venue),
        ("void_reasons_descriptions", DescriptionKind::Codes),
        ("producers", DescriptionKind::Producers),
    ] {
        let text =
            format!("<{root} xmlns=\"urn:x\"><market id=\"x\">text &amp; more</market></{root}>");
        let message = message(&text);
        assert_eq!(message, Message::Description(kind));
        assert_eq!(message.kind(), kind.name());
        assert_eq!((message.header(), message.producer(), message.timestamp()), (None, None, None));
    }
}
