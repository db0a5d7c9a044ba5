//! Bets of a window of time are void, or are so no longer.

use betring_uof::{BetCancel, CancelledMarket, Message, RollbackBetCancel, VoidReason, Window};

use crate::{HEADER, at, event, header, line, message};

fn cancel(attributes: &str) -> BetCancel {
    let text = format!("<bet_cancel {HEADER} {attributes}><market id=\"1\"/></bet_cancel>");
    match message(&text) {
        Message::BetCancel(it) => it,
        other => panic!("a cancel, not {other:?}"),
    }
}

#[test]
fn a_cancel_covers_what_was_placed_from_its_start_on_and_before_its_end() {
    let cases = [
        ("", [true, true, true, true]),
        ("end_time=\"20\"", [true, true, false, false]),
        ("start_time=\"10\"", [false, true, true, true]),
        ("start_time=\"10\" end_time=\"20\"", [false, true, false, false]),
        // A window without length covers nothing.
        ("start_time=\"10\" end_time=\"10\"", [false, false, false, false]),
    ];
    for (attributes, covered) in cases {
        let window = cancel(attributes).window;
        assert_eq!([9, 10, 20, 21].map(|ms| window.covers(at(ms))), covered, "{attributes}");
    }
    assert_eq!(Window::new(Some(at(2)), Some(at(1))), None);
}

#[test]
fn a_cancel_may_name_the_event_that_takes_the_place() {
    assert_eq!(cancel("superceded_by=\"sr:match:8\"").superseded_by, Some(event("sr:match:8")));
    assert_eq!(cancel("superceded_by=\"\"").superseded_by, None);
    assert_eq!(cancel("").superseded_by, None);
}

#[test]
fn a_cancel_says_why_each_market_is_void() {
    let text = format!(
        "<bet_cancel {HEADER}><market id=\"1\" void_reason=\"16\"/>\
         <market specifiers=\"total=2.5\" id=\"18\"></market></bet_cancel>"
    );
    let expected = BetCancel {
        header: header(),
        window: Window::default(),
        superseded_by: None,
        markets: vec![
            CancelledMarket { line: line(1, ""), void_reason: Some(VoidReason(16)) },
            CancelledMarket { line: line(18, "total=2.5"), void_reason: None },
        ],
    };
    assert_eq!(message(&text), Message::BetCancel(expected));
}

#[test]
fn a_cancel_is_taken_back_with_its_window() {
    let text = format!(
        "<rollback_bet_cancel {HEADER} start_time=\"10\" end_time=\"20\"><market id=\"1\"/>\
         </rollback_bet_cancel>"
    );
    let expected = RollbackBetCancel {
        header: header(),
        window: Window::new(Some(at(10)), Some(at(20))).expect("a window"),
        markets: vec![line(1, "")],
    };
    assert_eq!(message(&text), Message::RollbackBetCancel(expected));
}
