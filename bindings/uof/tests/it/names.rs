//! What markets and outcomes are called in a book.

use std::collections::BTreeMap;

use betring_uof::{
    EventId, MarketId, MarketKey, NAME_BYTES_MAX, NameError, OutcomeId, SPECIFIERS_MAX, Specifiers,
    TEXT_BYTES_MAX,
};
use proptest::prelude::*;

use crate::{event, line};

fn name(event_id: &str, market: u32, specifiers: &str) -> String {
    line(market, specifiers).of(&event(event_id)).name()
}

#[test]
fn a_short_key_is_its_own_name() {
    assert_eq!(name("sr:match:1", 204, "total=9.5|setnr=1"), "sr:match:1/204/setnr=1|total=9.5");
    assert_eq!(name("sr:match:1", 193, ""), "sr:match:1/193");
    assert_eq!(OutcomeId::new("sr:player:10077").expect("an id").name(), "sr:player:10077");
}

#[test]
fn a_long_key_is_its_beginning_and_a_hash_and_stays_so_forever() {
    // These names are in journals: a change of the hash would rename markets.
    assert_eq!(
        name("sr:match:16807109", 535, "variant=pre:markettext:52751|total=100.5|goalnr=1"),
        "sr:match:16807109/535/goalnr=1|total=100.5|vari~6358e26043da64e3"
    );
    let outcome = OutcomeId::new(&"ä".repeat(40)).expect("an id");
    assert_eq!(outcome.name(), format!("{}~~9e52be5da277720d", "ä".repeat(23)));
}

#[test]
fn the_border_between_whole_and_cut_lies_at_64_bytes() {
    let id = |bytes: usize| OutcomeId::new(&"x".repeat(bytes)).expect("an id");
    assert_eq!(id(63).name(), "x".repeat(63));
    assert_eq!(id(64).name().len(), 64);
    assert_ne!(id(64).name(), "x".repeat(64));
    // A name that looks like one that was cut is cut itself, since it is as long.
    let cut = id(80).name();
    assert_ne!(OutcomeId::new(&cut).expect("an id").name(), cut);
}

#[test]
fn specifiers_are_found_by_key() {
    let specifiers = Specifiers::new("variant=sr:a=b|goalnr=1|empty=").expect("specifiers");
    let pairs: Vec<_> = specifiers.iter().collect();
    assert_eq!(pairs, [("empty", ""), ("goalnr", "1"), ("variant", "sr:a=b")]);
    assert_eq!(specifiers.get("goalnr"), Some("1"));
    assert_eq!(specifiers.get("goal"), None);
    assert!(Specifiers::default().is_empty());
    assert_eq!(Specifiers::default().iter().count(), 0);
}

#[test]
fn what_cannot_be_a_name_is_refused() {
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    for (text, why) in [
        ("", NameError::Empty),
        (long.as_str(), NameError::TooLong),
        ("a/b", NameError::Character),
        ("a b", NameError::Character),
        ("a\u{7}", NameError::Character),
    ] {
        assert_eq!(EventId::new(text), Err(why));
    }
    assert_eq!(OutcomeId::new(""), Err(NameError::Empty));
    assert_eq!(OutcomeId::new(&long), Err(NameError::TooLong));
    assert_eq!(OutcomeId::new("\u{85}"), Err(NameError::Character));
    assert!(OutcomeId::new("a/b c").is_ok());
    let many: Vec<String> = (0..=SPECIFIERS_MAX).map(|key| format!("k{key}=1")).collect();
    for (text, why) in [
        ("total", NameError::NotASpecifier),
        ("=1", NameError::NotASpecifier),
        ("a=1|", NameError::NotASpecifier),
        ("a=1|b=2|a=1", NameError::KeyTwice),
        (many.join("|").as_str(), NameError::TooMany),
        ("a=\u{1}", NameError::Character),
        (long.as_str(), NameError::TooLong),
    ] {
        assert_eq!(Specifiers::new(text), Err(why), "{text}");
    }
}

#[test]
fn every_error_of_a_name_is_a_sentence() {
    let character =
        "a name: control characters, and in an event's id spaces and slashes, are refused";
    let long = format!("short enough for a name of at most {TEXT_BYTES_MAX} bytes");
    let many = format!("a list of at most {SPECIFIERS_MAX} specifiers");
    for (error, end) in [
        (NameError::Empty, "a name, there is no text"),
        (NameError::TooLong, long.as_str()),
        (NameError::Character, character),
        (NameError::NotASpecifier, "a list of specifiers like `setnr=1|total=9.5`"),
        (NameError::KeyTwice, "a list of specifiers, each key once"),
        (NameError::TooMany, many.as_str()),
    ] {
        assert_eq!(error.to_string(), format!("the text is not {end}"));
    }
}

/// Keys that are easily taken for each other: few letters, the signs between the parts, and long
/// ones.
fn key() -> impl Strategy<Value = MarketKey> {
    let event = prop_oneof!["[a1:|=~]{1,4}", "[a1:|=~é]{20,60}"];
    let value = prop_oneof!["[a1/=~ ]{0,3}", "[a1/=~é]{20,40}"];
    let specifiers = proptest::collection::btree_map("[a1/]{1,2}", value, 0..4);
    (event, 0..20_u32, specifiers).prop_map(|(event, market, specifiers)| {
        let texts: Vec<String> =
            specifiers.iter().map(|(key, value)| format!("{key}={value}")).collect();
        MarketKey {
            event: EventId::new(&event).expect("an event's id"),
            market: MarketId(market),
            specifiers: Specifiers::new(&texts.join("|")).expect("specifiers"),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn different_markets_have_different_names(keys in proptest::collection::vec(key(), 1..200)) {
        let mut known: BTreeMap<String, &MarketKey> = BTreeMap::new();
        for key in &keys {
            let name = key.name();
            prop_assert!((1..=NAME_BYTES_MAX).contains(&name.len()));
            prop_assert!(!name.chars().any(char::is_control));
            prop_assert_eq!(key.name(), name.clone(), "a market keeps its name");
            if let Some(other) = known.insert(name, key) {
                prop_assert_eq!(other, key, "two markets have one name");
            }
        }
    }

    #[test]
    fn different_outcomes_have_different_names(
        ids in proptest::collection::vec(prop_oneof!["[a~]{1,3}", "a{45,50}[a~é]{0,60}"], 1..200),
    ) {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for id in ids {
            let name = OutcomeId::new(&id).expect("an id").name();
            prop_assert!((1..=NAME_BYTES_MAX).contains(&name.len()));
            if let Some(other) = known.insert(name, id.clone()) {
                prop_assert_eq!(other, id, "two outcomes have one name");
            }
        }
    }

    #[test]
    fn specifiers_in_any_order_are_the_same(
        pairs in proptest::collection::btree_map("[a-z]{1,3}", "[a-z0-9:.]{0,5}", 0..6),
        order in any::<prop::sample::Index>(),
    ) {
        let mut texts: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let sorted = Specifiers::new(&texts.join("|")).expect("specifiers");
        if !texts.is_empty() {
            let at = order.index(texts.len());
            texts.rotate_left(at);
            texts.reverse();
        }
        prop_assert_eq!(&Specifiers::new(&texts.join("|")).expect("specifiers"), &sorted);
        prop_assert_eq!(&Specifiers::new(sorted.as_str()).expect("canonical"), &sorted);
        prop_assert_eq!(sorted.iter().count(), pairs.len());
    }
}
