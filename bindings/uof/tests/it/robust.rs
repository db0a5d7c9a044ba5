//! Whatever the bytes are, nothing panics, and a message that was cut is never taken for a whole one.

use betring_uof::{Message, read};
use proptest::prelude::*;

use crate::{HEADER, recorded};

/// A message of each kind, with a bit of everything in it.
fn messages() -> Vec<String> {
    vec![
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<odds_change {HEADER}>\n\
             <sport_event_status status=\"1\"><clock match_time=\"1:02\"/>text &amp; more\
             <![CDATA[x]]></sport_event_status><!-- no -->\n\
             <odds betting_status=\"1\"><market id=\"18\" specifiers=\"total=2.5|a=&#228;\" status=\"-1\">\
             <outcome id=\"1\" odds=\"1.85\" probabilities=\"8.9E-4\" active=\"1\"/>\
             <outcome id='2'></outcome></market ></odds></odds_change>\n<!-- end -->\n"
        ),
        format!("<bet_stop {HEADER} groups=\"all|score\" market_status=\"-1\"/>"),
        format!(
            "<bet_settlement {HEADER} certainty=\"2\"><outcomes><market id=\"1\" void_reason=\"1\">\
             <outcome id=\"1\" result=\"1\" dead_heat_factor=\"0.5\" void_factor=\"0.5\"/></market>\
             </outcomes></bet_settlement>\r\n"
        ),
        format!("<rollback_bet_settlement {HEADER}><market id=\"1\"/></rollback_bet_settlement>"),
        format!(
            "<bet_cancel {HEADER} start_time=\"1\" end_time=\"2\" superceded_by=\"sr:match:2\">\
             <market id=\"1\" void_reason=\"3\"/></bet_cancel>"
        ),
        format!(
            "<rollback_bet_cancel {HEADER} end_time=\"2\"><market id=\"1\"/></rollback_bet_cancel>"
        ),
        format!("<fixture_change {HEADER} change_type=\"2\" start_time=\"5\"/>"),
        "<alive product=\"1\" timestamp=\"2\" subscribed=\"1\"></alive>".to_owned(),
        "<snapshot_complete product=\"1\" timestamp=\"2\" request_id=\"3\"/> ".to_owned(),
        "<product_down product=\"1\" timestamp=\"2\"/>".to_owned(),
        "<producers><producer id=\"1\">ä</producer></producers>".to_owned(),
    ]
}

fn whole(bytes: &[u8]) -> Message {
    read(bytes).unwrap_or_else(|error| panic!("{error}"))
}

/// The bytes, cut at every place of `cuts`, are an error or the very message.
fn cut_is_never_another(bytes: &[u8], cuts: impl Iterator<Item = usize>) {
    let message = whole(bytes);
    for end in cuts {
        match read(&bytes[..end]) {
            Ok(cut) => {
                assert_eq!(cut, message, "cut at byte {end}");
                // Then nothing that matters was cut off.
                let rest = String::from_utf8_lossy(&bytes[end..]).into_owned();
                assert!(!rest.contains("</"), "{rest:?} was cut off unnoticed");
            }
            Err(error) => assert!(error.byte <= end, "{error}: cut at byte {end}"),
        }
    }
}

#[test]
fn a_message_cut_anywhere_is_an_error_or_the_same_message() {
    for text in messages() {
        cut_is_never_another(text.as_bytes(), 0..text.len());
    }
}

#[test]
fn a_recorded_message_cut_anywhere_is_an_error_or_the_same_message() {
    for (name, bytes) in recorded::all() {
        // The list of market descriptions is long: every 397th place of it.
        let step = if 10_000 < bytes.len() { 397 } else { 1 };
        println!("{name}");
        cut_is_never_another(&bytes, (0..bytes.len()).step_by(step));
    }
}

#[test]
fn a_document_as_large_as_may_be_is_read_in_reasonable_time() {
    // Many attributes, each compared with all before it, would take minutes without a bound.
    let attributes: String = (0..500_000).map(|at| format!(" a{at}=\"\"")).collect();
    assert!(read(format!("<alive{attributes}/>").as_bytes()).is_err());
    let elements = "<a/>".repeat(1_500_000);
    let producers = format!("<producers>{elements}</producers>");
    assert_eq!(whole(producers.as_bytes()).kind(), "producers");
    let nested = "<a>".repeat(2_000_000);
    assert!(read(nested.as_bytes()).is_err());
    let open = "<".repeat(6_000_000);
    assert!(read(open.as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn random_markup_never_panics(text in "[<>/!?='\"& a-z\\[\\]#;xé-]{0,120}") {
        if let Err(error) = read(text.as_bytes()) {
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }

    #[test]
    fn mutated_messages_never_panic_and_say_where(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let messages = messages();
        let mut bytes = messages[which.index(messages.len())].clone().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            // Markup now and then, so that the grammar often survives.
            bytes[at] = if byte < 200 { b"0123456789.-eE\"'<>/=&;! a|"[usize::from(byte) % 26] } else { byte };
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Err(error) = read(bytes) {
                prop_assert!(error.byte <= bytes.len());
                prop_assert!(1 <= error.line);
                prop_assert!(!error.to_string().chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn what_a_later_schema_adds_changes_nothing(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        element: bool,
    ) {
        let messages = messages();
        let text = &messages[which.index(messages.len())];
        // Behind the name of an element, or behind an element that begins.
        let places: Vec<usize> = text
            .match_indices('<')
            .filter(|(place, _)| text[place + 1..].starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|(place, _)| {
                if element {
                    let end = place + text[place..].find('>')?;
                    (!text[..end].ends_with('/')).then_some(end + 1)
                } else {
                    Some(place + text[place..].find([' ', '>', '/'])?)
                }
            })
            .collect();
        prop_assume!(!places.is_empty());
        let place = places[at.index(places.len())];
        let more = if element { "<novelty a=\"1\"><deeper/>x</novelty>" } else { " novelty=\"1\"" };
        let grown = format!("{}{more}{}", &text[..place], &text[place..]);
        prop_assert_eq!(read(grown.as_bytes()), read(text.as_bytes()), "{}", grown);
    }
}
