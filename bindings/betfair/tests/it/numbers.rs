//! Numbers are exact, and print as they were written.

use betring_betfair::{Decimal, DecimalError};
use proptest::prelude::*;

fn number(text: &str) -> Decimal {
    Decimal::parse(text).unwrap_or_else(|why| panic!("{text} {why}"))
}

#[test]
fn a_number_prints_as_it_was_written() {
    for text in ["0", "2.0", "17", "187.8050947177038", "547.40", "-0.5", "0.00", "26.678"] {
        assert_eq!(number(text).to_string(), text);
    }
    assert_eq!(number("1.5e2").to_string(), "150", "an exponent is written out");
    assert_eq!(number("1.50E1").to_string(), "15.0");
    assert_eq!(number("5e-3").to_string(), "0.005");
    assert_eq!(number("-0").to_string(), "0");
}

#[test]
fn numbers_compare_by_value() {
    assert_eq!(number("2.0"), number("2"));
    assert!(number("1.99") < number("2.0"));
    assert!(number("-1.5") < number("-1.49"));
    assert!(number("-0.1") < Decimal::ZERO);
    let most = number("999999999999999999999999999999999999");
    assert!(number("999999.999999999999999999999999999999") < most, "no product overflows");
}

#[test]
fn a_sum_has_the_scale_of_its_widest_addend() {
    let sum = number("500").checked_add(number("47.40"));
    assert_eq!(sum.map(|it| it.to_string()), Some("547.40".to_owned()));
    let most = number("999999999999999999999999999999999999");
    assert_eq!(most.checked_add(Decimal::whole(1)), None, "37 digits are not kept");
    assert_eq!(number("1e35").checked_add(number("1e-30")), None, "nor are 66");
}

#[test]
fn what_json_does_not_call_a_number_is_none() {
    for text in ["", "-", "+1", ".5", "1.", "01", "1.2.3", "1e", "1e+", "NaN", "0x10", "1 ", "-.5"]
    {
        assert_eq!(Decimal::parse(text), Err(DecimalError::NotANumber), "{text}");
    }
}

#[test]
fn a_number_beyond_the_digits_kept_is_refused() {
    let long = "1".repeat(37);
    for text in [long.as_str(), "1e36", "1e-31", "1e99999", "0.0000000000000000000000000000001"] {
        assert_eq!(Decimal::parse(text), Err(DecimalError::OutOfBounds), "{text}");
    }
    assert_eq!(number("0e99").to_string(), "0", "nought needs no digits");
}

#[test]
fn ten_thousandths_are_exact_or_none() {
    assert_eq!(number("2.5").to_e4(), Some(25_000));
    assert_eq!(number("1.00010").to_e4(), Some(10_001));
    assert_eq!(number("1.00011").to_e4(), None, "it is no whole number of them");
    assert_eq!(number("-1").to_e4(), None);
    assert_eq!(number("429496.7296").to_e4(), None, "it does not fit");
}

proptest! {
    #[test]
    fn every_number_without_exponent_prints_as_it_was_written(
        negative in any::<bool>(), whole in 0_u64.., fraction in "[0-9]{0,16}"
    ) {
        let sign = if negative && (whole != 0 || fraction.bytes().any(|it| it != b'0')) { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        let text = format!("{sign}{whole}{point}{fraction}");
        prop_assert_eq!(number(&text).to_string(), text);
    }

    #[test]
    fn order_is_that_of_the_value(a in any::<i64>(), b in any::<i64>(), scale_a in 0..=18_usize, scale_b in 0..=18_usize) {
        // The same comparison at the widest scale, where plain integers do it.
        let widened = |number: i64, scale: usize| i128::from(number) * 10_i128.pow(18 - scale as u32);
        let written = |number: i64, scale: usize| number_at(number, scale);
        prop_assert_eq!(
            written(a, scale_a).cmp(&written(b, scale_b)),
            widened(a, scale_a).cmp(&widened(b, scale_b))
        );
    }
}

/// `number / 10^scale`, through its text.
fn number_at(value: i64, scale: usize) -> Decimal {
    number(&format!("{value}e-{scale}"))
}
