//! Every error is a sentence that says what is wrong, where, and what to do.

use betring_uof::{ATTRIBUTES_MAX, DEPTH_MAX, DOCUMENT_BYTES_MAX, MARKETS_MAX, OUTCOMES_MAX, read};

use crate::{HEADER, refused};

const AGAIN: &str =
    "nothing of the message is applied: suspend its markets and ask the producer for a recovery";
const WHOLE: &str =
    "hand over one whole message at a time; if it came like this, ask the producer for a recovery";
const PARTS: &str = "nothing of it is applied: suspend the producer's markets and ask for a recovery event by event";

/// The document is refused with this sentence, up to the advice, and with that advice.
#[track_caller]
fn check(text: &str, sentence: &str, advice: &str) {
    assert_eq!(refused(text), format!("{sentence}; {advice}"), "{text}");
}

fn odds(inside: &str) -> String {
    format!("<odds_change {HEADER}>\n<odds>\n{inside}</odds></odds_change>")
}

fn outcome(attributes: &str) -> String {
    odds(&format!("<market id=\"1\"><outcome {attributes}/></market>"))
}

fn settled(attributes: &str) -> String {
    format!(
        "<bet_settlement {HEADER} certainty=\"2\"><outcomes>\n<market id=\"1\">\n\
         <outcome {attributes}/></market></outcomes></bet_settlement>"
    )
}

#[test]
fn a_document_without_an_element_is_empty() {
    for text in ["", " \n", "<?xml version=\"1.0\"?>", "<!-- a comment -->", "\u{FEFF}"] {
        let sentence = refused(text);
        assert!(sentence.ends_with(&format!("there is no element in it; {WHOLE}")), "{sentence}");
    }
    check("\n", "document, line 2, byte 1: there is no element in it", WHOLE);
}

#[test]
fn a_document_that_is_too_long_is_not_looked_at() {
    let text = " ".repeat(DOCUMENT_BYTES_MAX + 1);
    check(&text, "document, line 1, byte 0: it is longer than 8388608 bytes", PARTS);
}

#[test]
fn a_document_in_another_encoding_is_refused() {
    let error = read(b"<alive\n product=\"\xE4\"/>").expect_err("not UTF-8");
    let advice = "convert it to UTF-8 before it is read";
    assert_eq!(
        error.to_string(),
        format!("document, line 2, byte 17: the byte here does not belong to UTF-8; {advice}")
    );
    check(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><alive/>",
        "document, line 1, byte 0: it is declared as `ISO-8859-1`, and only UTF-8 is read",
        advice,
    );
    let utf16: Vec<u8> = "\u{FEFF}<alive/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read(&utf16).is_err());
}

#[test]
fn a_document_that_was_cut_is_refused() {
    let sentence = "odds_change, line 2, byte 90: it was cut: it ends inside an element";
    check(&format!("<odds_change {HEADER}>\n<odds"), sentence, WHOLE);
    check(
        &format!("<odds_change {HEADER}>\n<odds>"),
        "odds_change, line 2, byte 96: it was cut: it ends inside an element",
        WHOLE,
    );
}

#[test]
fn wrong_nesting_is_refused() {
    check(
        &format!("<odds_change {HEADER}>\n<odds></odds_change>"),
        "odds_change, line 2, byte 96: not XML: </odds_change> stands for </odds>",
        AGAIN,
    );
    check(
        &odds("<market id=\"1\"><market id=\"2\"/></market>"),
        "odds_change, line 3, byte 112, <market>: <market> does not belong here",
        AGAIN,
    );
    check(
        &format!("<bet_cancel {HEADER}><outcomes><market id=\"1\"/></outcomes></bet_cancel>"),
        "bet_cancel, line 1, byte 88, <bet_cancel>: <outcomes> does not belong here",
        AGAIN,
    );
    check(
        &format!("<bet_stop {HEADER} groups=\"all\"><alive/></bet_stop>"),
        "bet_stop, line 1, byte 99, <bet_stop>: <alive> does not belong here",
        AGAIN,
    );
    check(
        &format!("<odds_change {HEADER}>\n<odds/><odds/></odds_change>"),
        "odds_change, line 2, byte 97, <odds>: <odds> comes twice",
        AGAIN,
    );
    check(
        &format!(
            "<bet_settlement {HEADER} certainty=\"1\"><outcomes/><outcomes/></bet_settlement>"
        ),
        "bet_settlement, line 1, byte 117, <outcomes>: <outcomes> comes twice",
        AGAIN,
    );
}

#[test]
fn what_is_not_xml_is_refused() {
    for (text, sentence) in [
        ("<>", "document, line 1, byte 0: not XML: an element has no name"),
        ("<!foo>", "document, line 1, byte 0: not XML: `<!` begins nothing that is known"),
        (
            "\n<?xml version=\"1.0\"?><alive/>",
            "document, line 2, byte 1: not XML: a declaration stands behind the beginning",
        ),
        ("<alive product/>", "alive, line 1, byte 14, <alive>: not XML: an attribute has no `=`"),
        (
            "<alive product=1/>",
            "alive, line 1, byte 15, <alive>: not XML: an attribute's value is not in quotes",
        ),
    ] {
        check(text, sentence, AGAIN);
    }
    let sentence = refused("<!-- a -- b --><alive/>");
    assert!(sentence.contains("not XML: ill-formed document"), "{sentence}");
    let sentence = refused("<?xml encoding=\"utf-8\"?><alive/>");
    assert!(sentence.contains("not XML: "), "{sentence}");
}

#[test]
fn a_document_type_is_refused_before_its_entities_can_grow() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><alive product=\"&c;\"/>";
    check(
        bomb,
        "document, line 1, byte 0: it brings a document type (DTD), which is refused",
        "no feed message has one: find out who sent it",
    );
    let sentence = refused(&outcome("id=\"&c;\""));
    assert!(
        sentence.starts_with(
            "odds_change, line 3, byte 112, <outcome> id: the text cannot be resolved: "
        ),
        "{sentence}"
    );
}

#[test]
fn an_unknown_message_is_refused_by_name() {
    let advice = "it is left out; if the feed has a new kind of message, this reader must learn it";
    check(
        "<odds_changed a=\"1\"/>",
        "document, line 1, byte 0: <odds_changed> is no message that is known",
        advice,
    );
    // A long name is not repeated in full, and brings no control character into a log.
    let sentence = refused(&format!("<a\u{7}{}/>", "b".repeat(500)));
    assert!(sentence.len() < 300 && !sentence.contains('\u{7}'), "{sentence}");
}

#[test]
fn text_and_more_elements_do_not_belong_to_a_message() {
    check(
        &format!("<bet_stop {HEADER} groups=\"all\">now</bet_stop>"),
        "bet_stop, line 1, byte 99: text stands where only elements belong",
        AGAIN,
    );
    let alive = "<alive product=\"1\" timestamp=\"1\" subscribed=\"1\"/>";
    for behind in ["<alive/>", "text", "&amp;", "<![CDATA[x]]>"] {
        check(
            &format!("{alive}{behind}"),
            "alive, line 1, byte 49: something follows behind the message's end",
            WHOLE,
        );
    }
    check(
        &format!("x{alive}"),
        "document, line 1, byte 0: text stands where only elements belong",
        AGAIN,
    );
    assert!(read(format!("{alive}\n<!-- so long -->\n").as_bytes()).is_ok());
}

#[test]
fn there_are_bounds() {
    let deep = format!("<producers>{}", "<a>".repeat(DEPTH_MAX));
    check(&deep, "producers, line 1, byte 104: elements are nested more than 32 deep", PARTS);

    let attributes: String = (0..=ATTRIBUTES_MAX).map(|at| format!(" a{at}=\"\"")).collect();
    check(
        &format!("<alive{attributes}/>"),
        "alive, line 1, byte 0, <alive>: more than 64 attributes in one element",
        PARTS,
    );

    let outcomes = |count: usize| -> String {
        let outcomes: String = (0..count).map(|at| format!("<outcome id=\"{at}\"/>")).collect();
        odds(&format!("<market id=\"1\">{outcomes}</market>"))
    };
    assert!(read(outcomes(OUTCOMES_MAX).as_bytes()).is_ok());
    check(
        &outcomes(OUTCOMES_MAX + 1),
        "odds_change, line 3, byte 97, <market>: more than 1024 outcomes in one market",
        PARTS,
    );

    let markets = |count: usize| -> String {
        (0..count).map(|at| format!("<market id=\"{at}\"/>")).collect()
    };
    assert!(read(odds(&markets(MARKETS_MAX)).as_bytes()).is_ok());
    check(
        &odds(&markets(MARKETS_MAX + 1)),
        "odds_change, line 2, byte 90, <odds>: more than 4096 markets in one message",
        PARTS,
    );
    let cancel = format!("<bet_cancel {HEADER}>{}</bet_cancel>", markets(MARKETS_MAX + 1));
    assert!(refused(&cancel).contains("more than 4096 markets in one message"));
    let settlement = format!(
        "<bet_settlement {HEADER} certainty=\"1\"><outcomes>{}</outcomes></bet_settlement>",
        markets(MARKETS_MAX + 1)
    );
    assert!(refused(&settlement).contains("more than 4096 markets in one message"));
}

#[test]
fn an_attribute_comes_once() {
    check(
        "<alive product=\"1\" timestamp=\"1\" product=\"2\"/>",
        "alive, line 1, byte 33, <alive>: the attribute product comes twice",
        AGAIN,
    );
    check(
        &outcome("id=\"1\" new=\"\" new=\"\""),
        "odds_change, line 3, byte 135, <outcome>: the attribute new comes twice",
        AGAIN,
    );
}

#[test]
fn what_must_be_there_is_missed() {
    for (text, place) in [
        ("<alive timestamp=\"1\" subscribed=\"1\"/>", "alive, line 1, byte 0, <alive> product"),
        ("<alive product=\"1\" subscribed=\"1\"/>", "alive, line 1, byte 0, <alive> timestamp"),
        ("<alive product=\"1\" timestamp=\"1\"/>", "alive, line 1, byte 0, <alive> subscribed"),
        (
            "<snapshot_complete product=\"1\" timestamp=\"1\"/>",
            "snapshot_complete, line 1, byte 0, <snapshot_complete> request_id",
        ),
        ("<product_down timestamp=\"1\"/>", "product_down, line 1, byte 0, <product_down> product"),
        ("<odds_change timestamp=\"1\"/>", "odds_change, line 1, byte 0, <odds_change> event_id"),
        (
            "<fixture_change event_id=\"sr:match:1\"/>",
            "fixture_change, line 1, byte 0, <fixture_change> timestamp",
        ),
        (&format!("<bet_stop {HEADER}/>"), "bet_stop, line 1, byte 0, <bet_stop> groups"),
        (
            &format!("<bet_settlement {HEADER}/>"),
            "bet_settlement, line 1, byte 0, <bet_settlement> certainty",
        ),
        (&odds("<market/>"), "odds_change, line 3, byte 97, <market> id"),
        (&outcome(""), "odds_change, line 3, byte 112, <outcome> id"),
        (&settled("id=\"1\""), "bet_settlement, line 3, byte 133, <outcome> result"),
    ] {
        check(text, &format!("{place}: the attribute is missing"), AGAIN);
    }
}

#[test]
fn a_message_about_markets_names_some() {
    for text in [
        format!("<bet_cancel {HEADER}/>"),
        format!("<rollback_bet_cancel {HEADER}></rollback_bet_cancel>"),
        format!("<rollback_bet_settlement {HEADER}/>"),
        format!("<bet_settlement {HEADER} certainty=\"1\"/>"),
        format!("<bet_settlement {HEADER} certainty=\"1\"><outcomes/></bet_settlement>"),
    ] {
        let sentence = refused(&text);
        assert!(sentence.ends_with(&format!(": it names no market; {AGAIN}")), "{sentence}");
    }
}

#[test]
fn a_market_and_an_outcome_are_named_once() {
    check(
        &odds("<market id=\"1\" specifiers=\"a=1|b=2\"/><market id=\"1\" specifiers=\"b=2|a=1\"/>"),
        "odds_change, line 1, byte 0, <odds_change>: market `1/a=1|b=2` is named twice",
        AGAIN,
    );
    check(
        &odds(
            "<market id=\"1\"><outcome id=\"7\"/><outcome id=\"8\"/><outcome id=\"7\"/></market>",
        ),
        "odds_change, line 3, byte 97, <market>: outcome `7` is named twice",
        AGAIN,
    );
    for kind in ["bet_cancel", "rollback_bet_cancel", "rollback_bet_settlement"] {
        let text = format!("<{kind} {HEADER}><market id=\"1\"/><market id=\"1\"/></{kind}>");
        let sentence = refused(&text);
        assert!(sentence.contains("market `1` is named twice"), "{sentence}");
    }
}

#[test]
fn a_value_that_cannot_be_understood_is_repeated_with_what_it_may_be() {
    let status = "a market's status: 1 active, 0 inactive, -1 suspended, -2 handed over, -3 settled, -4 cancelled";
    let moment = "a moment in milliseconds since 1970";
    for (text, sentence) in [
        (
            odds("<market id=\"1\" status=\"2\"/>"),
            format!("odds_change, line 3, byte 97, <market> status: `2` is not {status}"),
        ),
        (
            odds("<market id=\"1\" cashout_status=\"0\"/>"),
            "odds_change, line 3, byte 97, <market> cashout_status: `0` is not a cash-out status: 1 available, -1 unavailable, -2 closed".to_owned(),
        ),
        (
            odds("<market id=\"-1\"/>"),
            "odds_change, line 3, byte 97, <market> id: `-1` is not a market's number".to_owned(),
        ),
        (
            odds("<market id=\"1\" specifiers=\"total\"/>"),
            "odds_change, line 3, byte 97, <market> specifiers: `total` is not a list of specifiers like `setnr=1|total=9.5`".to_owned(),
        ),
        (
            outcome("id=\"\""),
            "odds_change, line 3, byte 112, <outcome> id: `` is not a name, there is no text".to_owned(),
        ),
        (
            outcome("id=\"1\" odds=\"NaN\""),
            "odds_change, line 3, byte 112, <outcome> odds: `NaN` is not decimal odds like `2.50`".to_owned(),
        ),
        (
            outcome("id=\"1\" active=\"true\""),
            "odds_change, line 3, byte 112, <outcome> active: `true` is not a flag: 1 yes, 0 no".to_owned(),
        ),
        (
            outcome("id=\"1\" probabilities=\"1.5\""),
            "odds_change, line 3, byte 112, <outcome> probabilities: `1.5` is not a probability between 0 and 1".to_owned(),
        ),
        (
            settled("id=\"1\" result=\"2\""),
            "bet_settlement, line 3, byte 133, <outcome> result: `2` is not a result: 1 won, 0 lost, -1 undecided".to_owned(),
        ),
        (
            settled("id=\"1\" result=\"1\" void_factor=\"0.25\""),
            "bet_settlement, line 3, byte 133, <outcome> void_factor: `0.25` is not a void factor: 1, 0.5 or 0".to_owned(),
        ),
        (
            settled("id=\"1\" result=\"1\" dead_heat_factor=\"1.5\""),
            "bet_settlement, line 3, byte 133, <outcome> dead_heat_factor: `1.5` is not a dead heat factor between 0 and 1, a fraction of 16-bit numbers like `0.3333`".to_owned(),
        ),
        (
            format!("<bet_settlement {HEADER} certainty=\"3\"/>"),
            "bet_settlement, line 1, byte 0, <bet_settlement> certainty: `3` is not a certainty: 1 live scouted, 2 confirmed".to_owned(),
        ),
        (
            format!("<bet_stop {HEADER} groups=\"|\"/>"),
            "bet_stop, line 1, byte 0, <bet_stop> groups: `|` is not a list of market groups like `all`".to_owned(),
        ),
        (
            format!("<bet_stop {HEADER} groups=\"all\" market_status=\"x\"/>"),
            format!("bet_stop, line 1, byte 0, <bet_stop> market_status: `x` is not {status}"),
        ),
        (
            format!("<fixture_change {HEADER} change_type=\"x\"/>"),
            "fixture_change, line 1, byte 0, <fixture_change> change_type: `x` is not a whole number".to_owned(),
        ),
        (
            format!("<bet_cancel {HEADER} start_time=\"-1\"/>"),
            format!("bet_cancel, line 1, byte 0, <bet_cancel> start_time: `-1` is not {moment}"),
        ),
        (
            format!("<bet_cancel {HEADER} superceded_by=\"a b\"/>"),
            "bet_cancel, line 1, byte 0, <bet_cancel> superceded_by: `a b` is not a name: control characters, and in an event's id spaces and slashes, are refused".to_owned(),
        ),
        (
            format!("<bet_cancel {HEADER}><market id=\"1\" void_reason=\"-1\"/></bet_cancel>"),
            "bet_cancel, line 1, byte 88, <market> void_reason: `-1` is not the number of a reason to void".to_owned(),
        ),
        (
            "<alive product=\"x\" timestamp=\"1\" subscribed=\"1\"/>".to_owned(),
            "alive, line 1, byte 0, <alive> product: `x` is not a producer's number".to_owned(),
        ),
        (
            "<alive product=\"1\" timestamp=\"253402300800000\" subscribed=\"1\"/>".to_owned(),
            format!("alive, line 1, byte 0, <alive> timestamp: `253402300800000` is not {moment}"),
        ),
        (
            "<snapshot_complete product=\"1\" timestamp=\"1\" request_id=\"9223372036854775808\"/>".to_owned(),
            "snapshot_complete, line 1, byte 0, <snapshot_complete> request_id: `9223372036854775808` is not a recovery's number".to_owned(),
        ),
        (
            "<odds_change event_id=\"a/b\" timestamp=\"1\"/>".to_owned(),
            "odds_change, line 1, byte 0, <odds_change> event_id: `a/b` is not a name: control characters, and in an event's id spaces and slashes, are refused".to_owned(),
        ),
    ] {
        check(&text, &sentence, AGAIN);
    }
}

#[test]
fn a_window_does_not_end_before_it_starts() {
    check(
        &format!(
            "<bet_cancel {HEADER} start_time=\"2\" end_time=\"1\"><market id=\"1\"/></bet_cancel>"
        ),
        "bet_cancel, line 1, byte 0, <bet_cancel> end_time: the window ends before it starts",
        AGAIN,
    );
}

#[test]
fn the_place_of_an_error_counts_a_byte_order_mark() {
    check(
        "\u{FEFF}\n<odds_changed/>",
        "document, line 2, byte 4: <odds_changed> is no message that is known",
        "it is left out; if the feed has a new kind of message, this reader must learn it",
    );
}
