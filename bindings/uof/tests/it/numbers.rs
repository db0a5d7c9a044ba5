//! Numbers are read digit by digit.

use betring_pricing::{Price, price};
use betring_uof::{Factor, Message, NumberError, Odds, TIED_MAX, read};
use proptest::prelude::*;

use crate::HEADER;

/// What the reader makes of an outcome's odds and probability.
fn outcome(odds: &str, probability: &str) -> Option<(Odds, u32)> {
    let text = format!(
        "<odds_change {HEADER}><odds><market id=\"1\"><outcome id=\"1\" odds=\"{odds}\" \
         probabilities=\"{probability}\"/></market></odds></odds_change>"
    );
    match read(text.as_bytes()) {
        Ok(Message::OddsChange(it)) => {
            let outcome = &it.markets[0].outcomes[0];
            Some((outcome.odds, outcome.probability.map(|it| it.ppb())?))
        }
        _ => None,
    }
}

fn odds(text: &str) -> Option<Price> {
    match outcome(text, "0")?.0 {
        Odds::At(quoted) => Some(quoted.price()),
        Odds::Absent | Odds::OutOfRange => None,
    }
}

#[test]
fn odds_never_promise_more_than_was_quoted() {
    assert_eq!(odds("1.9090909"), Some(price!(1.9090)));
    assert_eq!(odds("2"), Some(price!(2)));
    assert_eq!(odds("200.0"), Some(price!(200)));
    assert_eq!(odds("1.2E1"), Some(price!(12)));
    assert_eq!(odds("125e-1"), Some(price!(12.5)));
    assert_eq!(odds(" 2.5 "), Some(price!(2.5)));
    assert_eq!(odds("1.00019"), Some(price!(1.0001)));
    // Rounded down it returns no more than the stake.
    assert_eq!(odds("1.00009"), None);
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "",
        " ",
        ".",
        "-",
        "+2.5",
        "-2.5",
        "2,5",
        "2.5.0",
        "2..5",
        "0x10",
        "NaN",
        "INF",
        "1e",
        "1e+",
        "e5",
        "2_000",
        "1E1000",
        "½",
        "2.50000000000000000000000000000001",
    ] {
        assert_eq!(outcome(text, "0"), None, "{text}");
        assert_eq!(outcome("2", text), None, "{text}");
    }
}

#[test]
fn probabilities_are_rounded_to_the_nearest_part_per_billion() {
    let ppb = |text: &str| outcome("2", text).map(|it| it.1);
    assert_eq!(ppb("0.5"), Some(500_000_000));
    assert_eq!(ppb("9.9E-9"), Some(10));
    assert_eq!(ppb("5E-10"), Some(1));
    assert_eq!(ppb("4.9999E-10"), Some(0));
    assert_eq!(ppb("1e-999"), Some(0));
    assert_eq!(ppb("-0.0"), Some(0));
    assert_eq!(ppb("1"), Some(1_000_000_000));
    assert_eq!(ppb("1.0000000002"), Some(1_000_000_000));
    assert_eq!(ppb("1.000000001"), None);
    assert_eq!(ppb("-0.1"), None);
    assert_eq!(ppb("1E300"), None);
}

#[test]
fn factors_are_exact_fractions() {
    let parsed = |text: &str| Factor::parse(text).map(|it| it.to_string());
    let fraction = |text: &str| Ok(text.to_owned());
    assert_eq!(parsed("0.5"), fraction("1/2"));
    assert_eq!(parsed("0.50000"), fraction("1/2"));
    assert_eq!(parsed("1"), fraction("1/1"));
    assert_eq!(parsed("0"), fraction("0/1"));
    assert_eq!(parsed("-0"), fraction("0/1"));
    assert_eq!(parsed("0.3333"), fraction("3333/10000"));
    assert_eq!(parsed("0.125"), fraction("1/8"));
    assert_eq!(parsed("2.5E-1"), fraction("1/4"));
    // Written from a float of 32 and of 64 bits, and cut or rounded by hand.
    assert_eq!(parsed("0.33333334"), fraction("1/3"));
    assert_eq!(parsed("0.6666666666666666"), fraction("2/3"));
    assert_eq!(parsed("0.6666666666666667"), fraction("2/3"));
    assert_eq!(parsed("0.142857"), fraction("1/7"));
    assert_eq!(parsed("0.33333"), fraction("1/3"));

    assert_eq!(parsed("1.0001"), Err(NumberError::OutOfRange));
    assert_eq!(parsed("-0.5"), Err(NumberError::OutOfRange));
    assert_eq!(parsed("1E40"), Err(NumberError::OutOfRange));
    assert_eq!(parsed("0.9999999"), Err(NumberError::NoFraction));
    assert_eq!(parsed("half"), Err(NumberError::NotANumber));
    assert_eq!(parsed(&"0".repeat(33)), Err(NumberError::TooLong));
}

#[test]
fn every_error_of_a_number_is_a_sentence() {
    for (error, sentence) in [
        (NumberError::NotANumber, "not a decimal number"),
        (NumberError::TooLong, "longer than the 32 bytes of a number"),
        (NumberError::OutOfRange, "outside the range of the number"),
        (
            NumberError::NoFraction,
            "not a fraction of 16-bit numbers, nor the decimal of one with at most 255 parts",
        ),
    ] {
        assert_eq!(error.to_string(), sentence);
    }
}

/// `num / den` as a decimal with that many places, cut or rounded.
fn decimal(num: u16, den: u16, places: u32, rounded: bool) -> String {
    let scaled = u128::from(num) * 10_u128.pow(places);
    let den = u128::from(den);
    let digits = if rounded { (scaled + den / 2) / den } else { scaled / den };
    let unit = 10_u128.pow(places);
    format!("{}.{:0width$}", digits / unit, digits % unit, width = places as usize)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_factor_of_up_to_four_decimals_is_itself(e4 in 0..=10_000_u16) {
        let text = format!("{}.{:04}", e4 / 10_000, e4 % 10_000);
        prop_assert_eq!(Factor::parse(&text).ok(), Factor::new(e4, 10_000));
    }

    #[test]
    fn a_dead_heat_printed_by_a_float_is_the_dead_heat(
        (num, den) in (1..=TIED_MAX).prop_flat_map(|den| (1..=den, Just(den))),
        places in 8..=17_u32,
        rounded: bool,
    ) {
        let text = decimal(num, den, places, rounded);
        prop_assert_eq!(Factor::parse(&text).ok(), Factor::new(num, den), "{}", text);
    }

    #[test]
    fn odds_with_few_decimals_are_themselves(e4 in 10_001..=1_000_000_000_u32, more in "[0-9]{0,8}") {
        let text = format!("{}.{:04}{more}", e4 / 10_000, e4 % 10_000);
        prop_assert_eq!(odds(&text), Price::from_e4(e4));
    }

    #[test]
    fn any_text_is_a_number_or_an_error(text in "\\PC{0,40}") {
        if let Ok(factor) = Factor::parse(&text) {
            prop_assert!(factor.num() <= factor.den());
        }
    }
}
