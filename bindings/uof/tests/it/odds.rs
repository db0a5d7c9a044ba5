//! Prices, states of markets, and what is passed over on the way.

use betring_pricing::{Quoted, price};
use betring_uof::{
    CashoutStatus, MarketStatus, Message, Odds, OddsChange, OddsMarket, OutcomeId, PricedOutcome,
};

use crate::{HEADER, header, line, message};

fn odds_change(inside: &str) -> OddsChange {
    let text = format!("<odds_change {HEADER}>{inside}</odds_change>");
    match message(&text) {
        Message::OddsChange(it) => it,
        other => panic!("an odds change, not {other:?}"),
    }
}

fn market(attributes: &str) -> OddsMarket {
    let mut message = odds_change(&format!("<odds><market id=\"1\" {attributes}/></odds>"));
    message.markets.pop().expect("a market")
}

fn outcome(attributes: &str) -> PricedOutcome {
    let text = format!("<odds><market id=\"1\"><outcome id=\"1\" {attributes}/></market></odds>");
    odds_change(&text).markets[0].outcomes[0].clone()
}

#[test]
fn an_odds_change_is_read_whole() {
    let text = format!(
        r#"<odds_change {HEADER} odds_change_reason="1">
            <odds betting_status="3" betstop_reason="90">
                <market id="18" specifiers="total=2.5" status="-1" cashout_status="-2">
                    <outcome id="12" odds="1.85" probabilities="0.5" active="1"/>
                    <outcome id="13" active="0"/>
                </market>
            </odds>
        </odds_change>"#
    );
    let priced = PricedOutcome {
        id: OutcomeId::new("12").expect("an id"),
        odds: Odds::At(Quoted::decimal(price!(1.85))),
        active: true,
        probability: Some("0.5".parse().expect("a probability")),
    };
    let inactive = PricedOutcome {
        id: OutcomeId::new("13").expect("an id"),
        odds: Odds::Absent,
        active: false,
        probability: None,
    };
    let expected = OddsChange {
        header: header(),
        reason: Some(1),
        betting_status: Some(3),
        betstop_reason: Some(90),
        markets: vec![OddsMarket {
            line: line(18, "total=2.5"),
            status: MarketStatus::Suspended,
            cashout: Some(CashoutStatus::Closed),
            outcomes: vec![priced, inactive],
        }],
    };
    assert_eq!(message(&text), Message::OddsChange(expected));
}

#[test]
fn a_market_without_a_status_is_active() {
    assert_eq!(market("").status, MarketStatus::Active);
    for (code, status) in [
        (1, MarketStatus::Active),
        (0, MarketStatus::Inactive),
        (-1, MarketStatus::Suspended),
        (-2, MarketStatus::HandedOver),
        (-3, MarketStatus::Settled),
        (-4, MarketStatus::Cancelled),
    ] {
        assert_eq!(market(&format!("status=\"{code}\"")).status, status);
    }
}

#[test]
fn a_market_without_a_cashout_status_says_nothing_of_it() {
    assert_eq!(market("").cashout, None);
    for (code, status) in [
        (1, CashoutStatus::Available),
        (-1, CashoutStatus::Unavailable),
        (-2, CashoutStatus::Closed),
    ] {
        assert_eq!(market(&format!("cashout_status=\"{code}\"")).cashout, Some(status));
    }
}

#[test]
fn an_outcome_is_active_where_nothing_is_said() {
    assert!(outcome("").active);
    assert!(outcome("active=\"1\"").active);
    assert!(!outcome("active=\"0\"").active);
}

#[test]
fn odds_that_are_no_price_do_not_spoil_the_message() {
    assert_eq!(outcome("odds=\"1.0\"").odds, Odds::OutOfRange);
    assert_eq!(outcome("odds=\"0\"").odds, Odds::OutOfRange);
    assert_eq!(outcome("odds=\"100000.1\"").odds, Odds::OutOfRange);
    assert_eq!(outcome("odds=\"1E400\"").odds, Odds::OutOfRange);
    assert_eq!(outcome("odds=\"100000\"").odds, Odds::At(Quoted::decimal(price!(100000))));
    assert_eq!(outcome("").odds, Odds::Absent);
}

#[test]
fn the_state_of_the_event_and_what_is_new_is_passed_over() {
    let change = odds_change(
        r#"<sport_event_status status="1" match_status="7">
             <clock match_time="75:02"/>
             <results><result match_status_code="6" home_score="1" away_score="0"/></results>
             <novelty>a text &amp; more<![CDATA[<market id="9">]]></novelty>
           </sport_event_status>
           <odds_generation_properties expected_totals="2.5"/>
           <odds new="1">
             <market id="1" favourite="1" extended_specifiers="pero=2" new="1">
               <market_metadata next_betstop="12345"/>
               <outcome id="1" odds="1.5" team="1" win_probabilities="x" new="1"><new/></outcome>
               <new/>
             </market>
             <new><deeper/></new>
           </odds>
           <!-- a comment --><?pi?>
        "#,
    );
    assert_eq!(change.markets.len(), 1);
    assert_eq!(change.markets[0].line, line(1, ""));
    assert_eq!(change.markets[0].outcomes.len(), 1);
}

#[test]
fn an_odds_change_may_say_nothing_of_odds() {
    assert!(odds_change("").markets.is_empty());
    assert!(odds_change("<odds/>").markets.is_empty());
    assert!(odds_change("<sport_event_status status=\"0\"/>").markets.is_empty());
}

#[test]
fn entities_and_characters_by_number_are_resolved() {
    let change = odds_change(
        r#"<odds><market id="1" specifiers='name=&quot;a&#x26;b&quot;'>
             <outcome id="&lt;&#49;&gt;" odds="&#50;.5"/></market></odds>"#,
    );
    assert_eq!(change.markets[0].line.specifiers.get("name"), Some("\"a&b\""));
    assert_eq!(change.markets[0].outcomes[0].id.as_str(), "<1>");
    assert_eq!(change.markets[0].outcomes[0].odds, Odds::At(Quoted::decimal(price!(2.50))));
}

#[test]
fn a_byte_order_mark_and_a_declaration_may_come_first() {
    let text = format!("\u{FEFF}<?xml version=\"1.0\" encoding='utf-8'?>\n<odds_change {HEADER}/>");
    assert_eq!(message(&text).header(), Some(&header()));
}

#[test]
fn the_order_of_specifiers_says_nothing() {
    let one = market("specifiers=\"set=2|game=3|point=1\"");
    let other = market("specifiers=\"point=1|set=2|game=3\"");
    assert_eq!(one, other);
    assert_eq!(one.line.to_string(), "1/game=3|point=1|set=2");
    assert_eq!(market("specifiers=\"\""), market(""));
}
