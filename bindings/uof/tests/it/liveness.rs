//! Whether producers live, and whether what they sent is complete.

use betring_uof::{Alive, Message, Producer, ProductDown, RequestId, SnapshotComplete};

use crate::{at, message};

#[test]
fn a_producer_lives_and_may_ask_for_a_recovery() {
    for (subscribed, code) in [(true, 1), (false, 0)] {
        let text = format!("<alive product=\"3\" timestamp=\"1234579\" subscribed=\"{code}\"/>");
        let alive = Alive { producer: Producer(3), timestamp: at(1_234_579), subscribed };
        let message = message(&text);
        assert_eq!(message, Message::Alive(alive));
        assert_eq!(message.header(), None);
        assert_eq!(message.producer(), Some(Producer(3)));
        assert_eq!(message.timestamp(), Some(at(1_234_579)));
    }
}

#[test]
fn a_recovery_is_complete_by_its_number() {
    let text = "<snapshot_complete request_id=\"1234\" timestamp=\"1234578\" product=\"3\"/>";
    let expected = SnapshotComplete {
        producer: Producer(3),
        timestamp: at(1_234_578),
        request: RequestId(1234),
    };
    assert_eq!(message(text), Message::SnapshotComplete(expected));
}

#[test]
fn a_producer_may_say_that_it_is_down() {
    let text = "<product_down product=\"1\" timestamp=\"1234578\"/>";
    let expected = ProductDown { producer: Producer(1), timestamp: at(1_234_578) };
    assert_eq!(message(text), Message::ProductDown(expected));
}
