//! Results, shares of them, and results taken back.

use betring_uof::{
    BetSettlement, Certainty, Factor, Message, OutcomeResult, RollbackBetSettlement,
    SettledOutcome, VoidReason,
};

use crate::{HEADER, header, line, message};

fn settlement(certainty: u8, market: &str, outcomes: &str) -> BetSettlement {
    let text = format!(
        "<bet_settlement {HEADER} certainty=\"{certainty}\">\
         <outcomes><market {market}>{outcomes}</market></outcomes></bet_settlement>"
    );
    match message(&text) {
        Message::BetSettlement(it) => it,
        other => panic!("a settlement, not {other:?}"),
    }
}

fn outcome(attributes: &str) -> SettledOutcome {
    let outcomes = format!("<outcome id=\"1\" {attributes}/>");
    settlement(1, "id=\"1\"", &outcomes).markets[0].outcomes[0].clone()
}

#[test]
fn a_settlement_says_how_sure_it_is() {
    let it = settlement(1, "id=\"1\" void_reason=\"12\"", "<outcome id=\"1\" result=\"1\"/>");
    assert_eq!(it.header, header());
    assert_eq!(it.certainty, Certainty::LiveScouted);
    assert_eq!(it.markets[0].void_reason, Some(VoidReason(12)));
    assert_eq!(settlement(2, "id=\"1\"", "").certainty, Certainty::Confirmed);
}

#[test]
fn a_result_is_a_share_refunded_and_a_share_of_the_rest_that_wins() {
    // The feed's words on the left, v and w on the right.
    let half = Factor::HALF;
    for (attributes, refunded, winning) in [
        ("result=\"1\"", Factor::ZERO, Some(Factor::ONE)),
        ("result=\"0\"", Factor::ZERO, Some(Factor::ZERO)),
        ("result=\"0\" void_factor=\"1\"", Factor::ONE, Some(Factor::ZERO)),
        ("result=\"0\" void_factor=\"0.5\"", half, Some(Factor::ZERO)),
        ("result=\"1\" void_factor=\"0.5\"", half, Some(Factor::ONE)),
        ("result=\"1\" void_factor=\"0\"", Factor::ZERO, Some(Factor::ONE)),
        ("result=\"1\" dead_heat_factor=\"0.5\"", Factor::ZERO, Some(half)),
        (
            "result=\"1\" void_factor=\"1.0\" dead_heat_factor=\"1.0\"",
            Factor::ONE,
            Some(Factor::ONE),
        ),
        ("result=\"-1\"", Factor::ZERO, None),
    ] {
        let outcome = outcome(attributes);
        assert_eq!((outcome.refunded(), outcome.winning()), (refunded, winning), "{attributes}");
    }
    assert_eq!(outcome("result=\"-1\"").result, OutcomeResult::Undecided);
}

#[test]
fn three_who_share_a_place_win_a_third_each() {
    let third = outcome("result=\"1\" dead_heat_factor=\"0.3333333333333333\"");
    assert_eq!(third.winning(), Factor::new(1, 3));
    let written_short = outcome("result=\"1\" dead_heat_factor=\"0.3333\"");
    assert_eq!(written_short.winning(), Factor::new(3333, 10_000));
}

#[test]
fn results_are_taken_back_by_market() {
    let text = format!(
        "<rollback_bet_settlement {HEADER}><market id=\"18\" specifiers=\"total=2.5\"/>\
         <market id=\"1\"/></rollback_bet_settlement>"
    );
    let expected = RollbackBetSettlement {
        header: header(),
        markets: vec![line(18, "total=2.5"), line(1, "")],
    };
    assert_eq!(message(&text), Message::RollbackBetSettlement(expected));
}
