//! The examples that others published or computed, where they are about numbers.
//!
//! They are not part of this repository: `BETRING_VECTORS` names their directory, and by default it
//! is looked for beside the workspace. What is an integer is compared in integers, from the text of
//! each figure; what a model proposes within the tolerance of its example.

mod football;
mod overround;
mod racing;
mod staking;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::PathBuf,
};

use betring_pricing::{
    American, Bonus, BonusTable, Currency, EachWay, Factor, Fraction, Ladder, LegNumbers,
    LegOutcome, Money, Odds, Part, Pence, PlaceFraction, Price, Probability, Quoted, Rounding,
    RoundingMode, RoundingPoint, Rule4Table, Shape, Side, Snap, Stake, asian_handicap, asian_total,
    bonus, div_round, profit_ratio_ok, returns, ticket,
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
fn check_pricing(vector: &Value) -> bool {
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
            // Each format is exact on one side of evens, and on the other one over what is won,
            // rounded up in magnitude to the next ten-thousandth.
            let won = e4 - 10_000;
            let exact = [
                ("hongkong", (won, 10_000), i64::from(price.to_hong_kong().e4())),
                (
                    "malay",
                    if won <= 10_000 { (won, 10_000) } else { (-10_000, won) },
                    i64::from(price.to_malay().e4()),
                ),
                (
                    "indonesian",
                    if 10_000 <= won { (won, 10_000) } else { (-10_000, won) },
                    i64::from(price.to_indonesian().e4()),
                ),
            ];
            for (format, (num, den), found) in exact {
                assert!(is_near(num, den, &expected[format], tolerance), "{id}: {format}");
                let shown = div_round(num * 10_000, den, RoundingMode::Down);
                assert_eq!(i128::from(found), shown, "{id}: {format}");
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
        ("devig" | "frame", _) => return overround::check(vector),
        ("football" | "inplay" | "inverse", _) => return football::check(vector),
        ("rating", "rps" | "lmsr") => return staking::check_rating(vector),
        ("racing" | "tennis" | "rating", _) => return racing::check(vector),
        ("multiples" | "kelly" | "cashout", _) => return staking::check(vector),
        _ => return false,
    }
    true
}

/// A figure that a model is given.
fn float(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap_or_else(|_| panic!("{text}")),
        _ => value.as_f64().unwrap_or_else(|| panic!("{value} is no number")),
    }
}

/// Figures that a model is given.
fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list")).iter().map(float).collect()
}

/// A model's figure is within the tolerance of its example.
fn assert_close(found: f64, expected: &Value, vector: &Value) {
    let (expected, tolerance) = (float(expected), float(&vector["tolerance"]));
    let id = text(vector, "id");
    let off = (found - expected).abs();
    assert!(
        off <= tolerance,
        "{id}: {found} is {off:e} from {expected}, and {tolerance:e} is allowed"
    );
}

#[test]
fn every_pricing_example_agrees() {
    let Some(file) = examples("pricing.json") else { return };
    let vectors = file["vectors"].as_array().expect("a list of vectors");
    let mut tally = Tally::default();
    for vector in vectors {
        let checked = check_pricing(vector);
        tally.add(format!("{}/{}", text(vector, "category"), text(vector, "method")), checked);
    }
    tally.print("pricing.json");
    assert!(tally.pending.is_empty() && 300 < vectors.len(), "every example is checked");
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
            let way = if inputs["each_way"].is_null() { EachWay::No } else { EachWay::WinToWin };
            check_ticket(&Ticket::read(inputs, way), expected, (num * 100, den), id);
        }
        "each_way_equally_divided" => {
            let ticket = Ticket::read(inputs, EachWay::EquallyDivided);
            let total = minor(text(expected, "total_return"));
            for mode in RoundingMode::ALL {
                assert_eq!(ticket.returns(mode, RoundingPoint::Bet).minor(), total, "{id}");
            }
        }
        "asian_handicap" => {
            let margin = integer(inputs, "goal_margin") as i32;
            let numbers = asian_handicap(quarters(inputs), margin);
            check_asian(inputs, expected, numbers, id);
        }
        "asian_total" => {
            let side = match text(inputs, "side") {
                "over" => Side::Over,
                "under" => Side::Under,
                other => panic!("{id}: no such side: {other}"),
            };
            let goals = integer(inputs, "total_goals") as u32;
            check_asian(inputs, expected, asian_total(side, quarters(inputs), goals), id);
        }
        "bonus" => check_bonus(&Ticket::read(inputs, EachWay::No), inputs, expected, id),
        "rule4_lookup" => {
            // The source's table, whose operator waives the last band; 5.40 is inside ours.
            let all = Rule4Table::TATTERSALLS;
            let (last, waived) = all.bands().split_last().expect("a table of bands");
            let table = Rule4Table::new(waived, all.cap()).expect("a table with fewer bands");
            let prices = inputs["decimal_odds"].as_array().expect("a list");
            let taken = expected["pence_in_pound"].as_array().expect("a list");
            assert_eq!(prices.len(), taken.len(), "{id}");
            for (price, taken) in prices.iter().zip(taken) {
                let price: Price = price.as_str().expect("a text").parse().expect("a price");
                let pence = table.deduction(price);
                assert_eq!(Some(u64::from(pence.get())), taken.as_u64(), "{id}: {price}");
                let with_it = if pence == Pence::ZERO { last.pence } else { pence };
                assert_eq!(all.deduction(price), with_it, "{id}: {price}");
            }
        }
        "line_count" => {
            for (name, shape) in inputs.as_object().expect("a table") {
                let legs = integer(shape, "selections") as u8;
                let built = Shape::new(legs, folds(shape), 0, EachWay::No).expect("a shape");
                assert_eq!(Shape::named(&name.replace('_', "-")), Some(built), "{id}: {name}");
                assert_eq!(built.lines(), integer(expected, name) as u64, "{id}: {name}");
                assert_eq!(built.with_each_way(EachWay::WinToWin).lines(), 2 * built.lines());
            }
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

/// A ticket of an example.
struct Ticket {
    shape: Shape,
    stake: Stake,
    prices: Vec<Quoted>,
    numbers: Vec<LegNumbers>,
    win: Vec<Factor>,
    place: Vec<Factor>,
}

impl Ticket {
    fn read(inputs: &Value, each_way: EachWay) -> Ticket {
        let legs = inputs["legs"].as_array().expect("a list of legs");
        let prices: Vec<Quoted> =
            legs.iter().map(|leg| text(leg, "odds").parse().expect("odds")).collect();
        let numbers: Vec<LegNumbers> = legs.iter().map(numbers).collect();
        let shape = match inputs["type"].as_str() {
            Some("system" | "acca") => {
                Shape::new(legs.len() as u8, folds(inputs), 0, EachWay::No).expect("a shape")
            }
            Some(name) => Shape::named(&name.replace('_', "-")).expect("a name"),
            None => Shape::new(legs.len() as u8, 1 << (legs.len() - 1), 0, EachWay::No)
                .expect("one line of all legs"),
        }
        .with_each_way(each_way);
        let part = match inputs["each_way"].as_str().and_then(|text| text.split_once('/')) {
            Some((num, den)) => Part::Place(
                PlaceFraction::new(num.parse().expect("digits"), den.parse().expect("digits"))
                    .expect("a fraction of the odds"),
            ),
            None => Part::Win,
        };
        let factors = |part| {
            prices.iter().zip(&numbers).map(|(&price, &leg)| Factor::of(price, part, leg)).collect()
        };
        let stake = minor(text(inputs, "unit_stake")) * shape.lines() as i64;
        Ticket {
            shape,
            stake: Stake::from_minor(stake).expect("a stake"),
            win: factors(Part::Win),
            place: factors(part),
            prices,
            numbers,
        }
    }

    fn returns(&self, mode: RoundingMode, point: RoundingPoint) -> Money {
        let rounding = Rounding { mode, point };
        ticket::returns(self.shape, self.stake, &self.win, &self.place, 1_000_000, rounding)
            .expect("the return of an example")
    }
}

fn numbers(leg: &Value) -> LegNumbers {
    let tie = |field: &str| {
        let tie = leg[field].as_array()?;
        let [tied, places] = [0, 1].map(|at| tie[at].as_u64().expect("a number") as u16);
        Some((places, tied))
    };
    let numbers = match (text(leg, "result"), tie("dead_heat"), tie("place_dead_heat")) {
        ("won", None, None) => Some(LegNumbers::WON),
        ("won", Some((places, tied)), None) => LegNumbers::dead_heat(places, tied),
        ("placed", None, Some((places, tied))) => LegNumbers::placed_dead_heat(places, tied),
        ("placed", None, None) => Some(LegNumbers::PLACED),
        ("lost", None, None) => Some(LegNumbers::LOST),
        ("void" | "push", None, None) => Some(LegNumbers::VOID),
        ("half_won", None, None) => Some(LegNumbers::HALF_WON),
        ("half_lost", None, None) => Some(LegNumbers::HALF_LOST),
        _ => None,
    };
    // 60p and 45p are given as 105p: the table's cap is part of the example.
    let pence = leg["rule4_pence"].as_u64().unwrap_or(0);
    let pennies = (0..pence).map(|_| Pence::new(1).expect("a penny"));
    let rule4 = Rule4Table::TATTERSALLS.sum(pennies);
    numbers.unwrap_or_else(|| panic!("no such result: {leg}")).with_rule4(rule4)
}

fn folds(value: &Value) -> u32 {
    let folds = value["fold_sizes"].as_array().expect("a list of folds");
    folds.iter().map(|fold| 1 << (fold.as_u64().expect("a number") - 1)).sum()
}

/// The lines, the stake, and the exact return (in minor units) by every rounding.
fn check_ticket(ticket: &Ticket, expected: &Value, exact: (i128, i128), id: &str) {
    assert_eq!(ticket.shape.lines(), integer(expected, "lines") as u64, "{id}");
    assert_eq!(ticket.stake.minor(), minor(text(expected, "total_staked")), "{id}");
    for mode in RoundingMode::ALL {
        let paid = ticket.returns(mode, RoundingPoint::Bet);
        let (num, den) = exact;
        assert_eq!(i128::from(paid.minor()), div_round(num, den, mode), "{id} {mode}");
    }
    let by_line = ticket.returns(RoundingMode::Down, RoundingPoint::Line);
    assert!(by_line <= ticket.returns(RoundingMode::Down, RoundingPoint::Bet), "{id}");
}

/// The line of a handicap or a total in quarter goals.
fn quarters(inputs: &Value) -> i32 {
    let hundredths = minor(text(inputs, "line"));
    assert_eq!(hundredths % 25, 0, "a quarter line");
    (hundredths / 25) as i32
}

fn check_asian(inputs: &Value, expected: &Value, numbers: LegNumbers, id: &str) {
    let outcome = match text(expected, "leg_result") {
        "won" => LegOutcome::Won,
        "lost" => LegOutcome::Lost,
        "push" => LegOutcome::Void,
        "half_won" => LegOutcome::HalfWon,
        "half_lost" => LegOutcome::HalfLost,
        other => panic!("{id}: no such result: {other}"),
    };
    assert_eq!(numbers.outcome(), outcome, "{id}");
    let odds: Quoted = text(inputs, "odds").parse().expect("odds");
    let stake = Stake::from_minor(minor(text(inputs, "stake"))).expect("a stake");
    let factor = Factor::of(odds, Part::Win, numbers);
    let total = minor(text(expected, "total_return"));
    for mode in RoundingMode::ALL {
        let rounding = Rounding { mode, point: RoundingPoint::Bet };
        let paid = ticket::returns(Shape::single(), stake, &[factor], &[], 1_000_000, rounding);
        assert_eq!(paid.map(Money::minor), Ok(total), "{id}");
    }
}

/// Return and bonus together, by the bonus that the example names and by the published table.
fn check_bonus(ticket: &Ticket, inputs: &Value, expected: &Value, id: &str) {
    let named = Bonus {
        one_winner: integer(inputs, "one_winner_odds_multiplier") as u8,
        all_winners: integer(inputs, "all_winners_bonus_percent_on_winnings") as u8,
    };
    let same = BonusTable { lucky15: named, lucky31: named, lucky63: named };
    let total = Money::from_minor(minor(text(expected, "total_return")));
    for table in [same, BonusTable::BETFRED] {
        let more = bonus(
            ticket.shape,
            ticket.stake,
            &ticket.prices,
            &ticket.numbers,
            &table,
            RoundingMode::Down,
        );
        let paid = ticket.returns(RoundingMode::Down, RoundingPoint::Bet);
        assert_eq!(paid.checked_add(more.expect("a bonus")), total, "{id}");
    }
}

#[test]
fn numbers_and_tickets_agree_with_the_settlement_examples() {
    let Some(file) = examples("settlement.json") else { return };
    let mut tally = Tally::default();
    for example in file["examples"].as_array().expect("a list of examples") {
        tally.add(text(example, "kind").to_owned(), check_settlement(example));
    }
    tally.print("settlement.json");
    for kind in [
        "bet",
        "each_way_equally_divided",
        "asian_handicap",
        "asian_total",
        "bonus",
        "rule4_lookup",
        "line_count",
    ] {
        assert!(tally.checked.contains_key(kind), "no {kind} was checked");
    }
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
