//! The examples that others published or computed, where they are about numbers.
//!
//! They are not part of this repository: `BETRING_VECTORS` names their directory, and by default it
//! is looked for beside the workspace. Everything is compared in integers, from the text of each
//! figure.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::PathBuf,
};

use betring_pricing::{
    American, Currency, Fraction, Ladder, Odds, Price, Probability, Quoted, RoundingMode, Snap,
    Stake, div_round, profit_ratio_ok, returns,
};
use serde_json::Value;

/// What was checked and what belongs to parts of the project that do not exist yet.
#[derive(Default)]
struct Tally {
    checked: BTreeMap<String, u32>,
    pending: BTreeMap<String, u32>,
}

impl Tally {
    fn add(&mut self, kind: String, checked: bool) {
        let count = if checked { &mut self.checked } else { &mut self.pending };
        *count.entry(kind).or_default() += 1;
    }

    fn print(&self, file: &str) {
        for (state, count) in [("checked", &self.checked), ("pending", &self.pending)] {
            for (kind, count) in count {
                println!("{file}: {state} {count:3} {kind}");
            }
        }
        let [checked, pending] =
            [&self.checked, &self.pending].map(|kinds| kinds.values().sum::<u32>());
        show(&format!("{file}: {checked} checked, {pending} pending (--nocapture names them)"));
    }
}

/// Prints a line that is seen even when the test passes.
fn show(line: &str) {
    writeln!(io::stderr(), "{line}").expect("the standard error of a test can be written");
}

/// A file of examples; `None` if nobody said where they are and they are not beside the workspace.
fn examples(file: &str) -> Option<Value> {
    let (directory, chosen) = match std::env::var_os("BETRING_VECTORS") {
        Some(directory) => (PathBuf::from(directory), true),
        None => (PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"), false),
    };
    let path = directory.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => Some(
            serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !chosen => {
            show(&format!("SKIPPED: no vectors ({file}); BETRING_VECTORS names their directory"));
            None
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is not a text in {value}"))
}

fn integer(value: &Value, field: &str) -> i64 {
    value[field].as_i64().unwrap_or_else(|| panic!("{field} is not an integer in {value}"))
}

/// A figure of the file as digits / 10^decimals, from its text.
fn figure(value: &Value) -> (i128, u32) {
    let text = value.to_string();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{decimals}").parse().unwrap_or_else(|_| panic!("{text}"));
    let places =
        decimals.len() as i32 - exponent.parse::<i32>().unwrap_or_else(|_| panic!("{text}"));
    if places < 0 {
        (digits * 10_i128.pow(places.unsigned_abs()), 0)
    } else {
        (digits, places as u32)
    }
}

/// Whether `num`/`den` lies within `tolerance` of the expected figure, all of it exactly.
fn is_near(num: i128, den: i128, expected: &Value, tolerance: &Value) -> bool {
    let (digits, places) = figure(expected);
    let (allowed, allowed_places) = figure(tolerance);
    let scale = 10_i128.pow(places);
    // |num/den - digits/scale| <= allowed/10^allowed_places, over the common denominator.
    let off = (num * scale - digits * den).abs();
    let bound = allowed * den * scale / 10_i128.pow(allowed_places);
    off <= bound
}

fn cents(value: &Value) -> Option<Price> {
    let cents = value.as_u64()?;
    Price::from_e4(u32::try_from(cents * 100).expect("a price of the ladder"))
}

fn price(value: &Value, field: &str) -> Price {
    text(value, field).parse().unwrap_or_else(|error| panic!("{field} of {value}: {error}"))
}

/// The exact fraction of a quote, and its decimal price one ten-thousandth below at most.
fn check_quote(quoted: Quoted, expected: &Value, tolerance: &Value, id: &str) {
    let fraction = quoted.fraction().unwrap_or_else(|| panic!("{id}: no fraction was kept"));
    let (num, den) = (i128::from(fraction.num()), i128::from(fraction.den()));
    assert!(is_near(num + den, den, expected, tolerance), "{id}: {quoted} is not {expected}");
    let below = (num + den) * 10_000 - i128::from(quoted.price().e4()) * den;
    assert!((0..den).contains(&below), "{id}: {} is not rounded down", quoted.price());
}

/// `false` if the example is about something else than numbers.
fn check_pricing(vector: &Value, tally: &mut Tally) -> bool {
    let (inputs, expected, tolerance) =
        (&vector["inputs"], &vector["expected"], &vector["tolerance"]);
    let id = text(vector, "id");
    match (text(vector, "category"), text(vector, "method")) {
        ("format", "fractional_to_decimal") => {
            let written = text(inputs, "fractional");
            let quoted = Odds::parse(written).unwrap_or_else(|error| panic!("{id}: {error}"));
            check_quote(quoted, expected, tolerance, id);
            assert_eq!(quoted.to_string(), written, "{id}: kept as written");
        }
        ("format", "american_to_decimal") => {
            let value = integer(inputs, "american");
            let quoted =
                Odds::parse(&format!("{value:+}")).unwrap_or_else(|error| panic!("{id}: {error}"));
            check_quote(quoted, expected, tolerance, id);
        }
        ("format", "decimal_to_hk_malay_indo_american_prob") => {
            let price = price(inputs, "decimal");
            let american = i128::from(price.to_american().value());
            assert!(is_near(american, 1, &expected["american"], tolerance), "{id}: {american}");
            let e4 = i128::from(price.e4());
            assert!(is_near(10_000, e4, &expected["implied_prob"], tolerance), "{id}: {price}");
            let ppb = i128::from(Probability::of_price(price).ppb());
            let half_a_part: Value = serde_json::from_str("5e-10").expect("a number");
            assert!(
                is_near(ppb, 1_000_000_000, &expected["implied_prob"], &half_a_part),
                "{id}: {ppb}"
            );
            for format in ["hongkong", "malay", "indonesian"] {
                tally.add(format!("format/{format}"), false);
            }
        }
        ("ladder", "count") => {
            let ladder = Ladder::CLASSIC;
            assert_eq!(i64::from(ladder.len()), integer(expected, "prices"), "{id}");
            assert_eq!(Some(ladder.first()), cents(&expected["first"]), "{id}");
            assert_eq!(Some(ladder.last()), cents(&expected["last"]), "{id}");
        }
        ("ladder", "add_ticks") => {
            let ticks = integer(inputs, "ticks") as i32;
            let there = Ladder::CLASSIC.step(price(inputs, "price"), ticks);
            assert_eq!(there, cents(&expected["price_cents"]), "{id}");
        }
        ("ladder", "snap") => {
            let raw = price(inputs, "raw");
            let snapped = |snap| Ladder::CLASSIC.snap(raw, snap);
            assert_eq!(snapped(Snap::Up), cents(&expected["up_cents"]), "{id}");
            assert_eq!(snapped(Snap::Down), cents(&expected["down_cents"]), "{id}");
        }
        ("ladder", "ticks_between") => {
            let apart = Ladder::CLASSIC.ticks_between(price(inputs, "from"), price(inputs, "to"));
            assert_eq!(apart.map(i64::from), Some(integer(expected, "ticks")), "{id}");
        }
        ("ladder", "invalid_profit_ratio") => {
            let stake = Stake::from_minor(integer(inputs, "size_minor")).expect("a stake");
            let odds = price(inputs, "odds");
            let refused = !profit_ratio_ok(stake, odds);
            assert_eq!(Some(refused), expected["reject"].as_bool(), "{id}");
            let exact_e4 = i128::from(stake.minor()) * (i128::from(odds.e4()) - 10_000);
            assert!(is_near(exact_e4, 10_000, &expected["exact_profit_minor"], tolerance), "{id}");
            let rounded = div_round(exact_e4, 10_000, RoundingMode::HalfUp);
            assert_eq!(rounded, i128::from(integer(expected, "rounded_minor")), "{id}");
        }
        _ => return false,
    }
    true
}

#[test]
fn formats_and_ladders_agree_with_the_pricing_examples() {
    let Some(file) = examples("pricing.json") else { return };
    let vectors = file["vectors"].as_array().expect("a list of vectors");
    let mut tally = Tally::default();
    for vector in vectors {
        let checked = check_pricing(vector, &mut tally);
        tally.add(format!("{}/{}", text(vector, "category"), text(vector, "method")), checked);
    }
    tally.print("pricing.json");
    for category in ["format/", "ladder/"] {
        assert!(
            tally.checked.keys().any(|kind| kind.starts_with(category)),
            "no {category} was checked"
        );
    }
}

/// Pounds of an example in minor units.
fn minor(amount: &str) -> i64 {
    Currency::GBP.parse_amount(amount).unwrap_or_else(|error| panic!("{amount}: {error}")).minor()
}

fn check_settlement(example: &Value) -> bool {
    let (inputs, expected) = (&example["inputs"], &example["expected"]);
    let id = text(example, "id");
    match text(example, "kind") {
        // The published total is the exact one, rounded as the source did.
        "bet" => {
            let modes: &[RoundingMode] = match text(example, "rounding") {
                "exact" => &RoundingMode::ALL,
                "floor" => &[RoundingMode::Down],
                "half_up" => &[RoundingMode::HalfUp],
                "floor_or_half_up" => &[RoundingMode::Down, RoundingMode::HalfUp],
                other => panic!("{id}: no such rounding: {other}"),
            };
            let (num, den) =
                text(expected, "exact_total_return").split_once('/').expect("a rational");
            let (num, den): (i128, i128) =
                (num.parse().expect("digits"), den.parse().expect("digits"));
            let total = minor(text(expected, "total_return"));
            for &mode in modes {
                assert_eq!(div_round(num * 100, den, mode), total.into(), "{id} {mode}");
            }
            check_plain_single(inputs, total, modes, id);
        }
        "profit_ratio" => {
            let stake = Stake::from_minor(minor(text(inputs, "size"))).expect("a stake");
            let accepted = profit_ratio_ok(stake, price(inputs, "price"));
            assert_eq!(Some(accepted), expected["accepted"].as_bool(), "{id}");
        }
        "tick_ladder" => {
            let ladder = Ladder::CLASSIC;
            assert_eq!(i64::from(ladder.len()), integer(expected, "number_of_prices"), "{id}");
            for valid in expected["valid"].as_array().expect("a list") {
                let price: Price = valid.as_str().expect("a text").parse().expect("a price");
                assert!(ladder.contains(price), "{id}: {price}");
            }
            for invalid in expected["invalid"].as_array().expect("a list") {
                // 1.00 is not even a price.
                let price: Option<Price> = invalid.as_str().expect("a text").parse().ok();
                assert!(price.is_none_or(|price| !ladder.contains(price)), "{id}: {invalid}");
            }
            for (from, to) in expected["next_tick"].as_object().expect("a table") {
                let to: Price = to.as_str().expect("a text").parse().expect("a price");
                assert_eq!(
                    ladder.step(from.parse().expect("a price"), 1),
                    Some(to),
                    "{id}: {from}"
                );
            }
        }
        _ => return false,
    }
    true
}

/// A single that won, without place terms, deductions or dead heats, is stake times price.
fn check_plain_single(inputs: &Value, total: i64, modes: &[RoundingMode], id: &str) {
    let legs = inputs["legs"].as_array().map_or(&[][..], Vec::as_slice);
    let [leg] = legs else { return };
    let plain = leg.as_object().is_some_and(|leg| leg.len() == 2) && inputs["each_way"].is_null();
    if !plain || leg["result"] != "won" {
        return;
    }
    let quoted = Odds::parse(text(leg, "odds")).unwrap_or_else(|error| panic!("{id}: {error}"));
    let stake = Stake::from_minor(minor(text(inputs, "unit_stake"))).expect("a stake");
    for &mode in modes {
        let paid = returns(stake, quoted.price(), quoted.fraction(), mode);
        assert_eq!(paid.minor(), total, "{id}");
    }
}

#[test]
fn roundings_and_ladders_agree_with_the_settlement_examples() {
    let Some(file) = examples("settlement.json") else { return };
    let mut tally = Tally::default();
    for example in file["examples"].as_array().expect("a list of examples") {
        tally.add(text(example, "kind").to_owned(), check_settlement(example));
    }
    tally.print("settlement.json");
    assert!(tally.checked.contains_key("bet"), "no rounding was checked");
}

#[test]
fn a_figure_is_compared_exactly() {
    let value = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
    assert!(is_near(21, 11, &value("1.9090909090909092"), &value("1e-12")));
    assert!(!is_near(21, 11, &value("1.9090909090919092"), &value("1e-12")));
    assert!(is_near(5, 1, &value("5"), &value("0")));
    assert!(!is_near(5, 1, &value("5.1"), &value("0")));
    let twenty_to_twenty_three = American::from_value(-115).and_then(American::fraction);
    assert_eq!(twenty_to_twenty_three, Fraction::new(100, 115));
}
