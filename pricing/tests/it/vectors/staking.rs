//! Multiples, Kelly and cash-outs; of ratings, the scores of forecasts and the market maker.

use betring_pricing::{
    EachWay, Factor, LegNumbers, Lmsr, Money, Part, Pence, PlaceFraction, Price, Probability,
    Quoted, Rounding, RoundingMode, RoundingPoint, Shape, Stake, accumulator, cashout, commission,
    kelly, liability_up, profit, reduced, score, system_return, ticket,
};
use serde_json::Value;

use super::{assert_close, figure, float, floats, integer, is_near, price, text};

/// `false` if the example is not checked.
pub(super) fn check(vector: &Value) -> bool {
    let (inputs, expected, id) = (&vector["inputs"], &vector["expected"], text(vector, "id"));
    match (text(vector, "category"), text(vector, "method")) {
        ("multiples", "system_bet_count") => {
            let shape = shape(inputs);
            assert_eq!(i64::from(shape.legs()), integer(expected, "selections"), "{id}");
            assert_eq!(shape.lines() as i64, integer(expected, "lines"), "{id}");
        }
        ("multiples", "system_bet_return") => check_system(vector),
        ("multiples", "accumulator_odds") => check_accumulator(vector),
        ("multiples", "each_way_single") => {
            let (taken, part) = (quoted(inputs, "fractional"), place(inputs));
            let numbers = match text(inputs, "result") {
                "won" => LegNumbers::WON,
                "placed" => LegNumbers::PLACED,
                other => panic!("{id}: no such result: {other}"),
            };
            let shape = Shape::single().with_each_way(EachWay::WinToWin);
            let staked = integer(inputs, "unit_stake_minor") * 2;
            assert_eq!(staked, integer(expected, "total_stake_minor"), "{id}");
            let factors = [Part::Win, part].map(|part| Factor::of(taken, part, numbers));
            let paid = paid(shape, staked, &factors[..1], &factors[1..], RoundingPoint::Bet);
            assert_minor(paid, &expected["return_minor"], vector);
        }
        ("multiples", "dead_heat_win") => {
            check_dead_heat(vector, integer(inputs, "places"), integer(inputs, "winners_tied"));
        }
        ("multiples", "dead_heat_place") => {
            let places = integer(inputs, "places_remaining");
            check_dead_heat(vector, places, integer(inputs, "tied_for_last_place"));
        }
        ("multiples", "rule4") => {
            let pence = Pence::new(integer(inputs, "pence_in_pound") as u8).expect("pence");
            check_single(vector, LegNumbers::WON.with_rule4(pence));
        }
        ("multiples", "exchange_reduction_factor") => {
            let e4 = |field| figure_e4(text(inputs, field));
            let (odds, factor) = (e4("decimal_odds"), e4("rf_percent") / 100);
            let odds = reduced(1, odds.into(), factor as u32, RoundingMode::Down);
            assert!(is_near(odds, 10_000, &expected["new_odds"], &vector["tolerance"]), "{id}");
        }
        ("cashout", "commission") => {
            let e4 = |field| figure_e4(text(inputs, field)) as u32;
            let net = integer(inputs, "net_winnings_minor");
            let found = commission(net, e4("base_rate"), e4("discount"));
            assert_eq!(found, integer(expected, "commission_minor"), "{id}");
        }
        ("kelly", "single") => {
            let [odds, p, fraction] = ["odds", "prob", "fraction"].map(|name| float(&inputs[name]));
            let bet = kelly::single(odds, p, fraction).unwrap_or_else(|e| panic!("{id}: {e}"));
            assert_close(bet.stake, &expected["stake_fraction"], vector);
            assert_close(bet.edge, &expected["edge"], vector);
            assert_close(bet.growth, &expected["expected_log_growth"], vector);
        }
        ("kelly", "mutually_exclusive") => {
            let (odds, p) = (floats(&inputs["odds"]), floats(&inputs["probs"]));
            let mut stakes = vec![0.0; odds.len()];
            let bets = kelly::exclusive(&odds, &p, 1.0, &mut stakes);
            let bets = bets.unwrap_or_else(|error| panic!("{id}: {error}"));
            assert_close(bets.reserve, &expected["reserve_rate"], vector);
            let listed = expected["stakes"].as_array().expect("a list");
            assert_eq!(listed.len(), stakes.len(), "{id}");
            for (stake, expected) in stakes.iter().zip(listed) {
                assert_close(*stake, expected, vector);
            }
        }
        ("cashout", "fair_from_current_odds") => {
            let (taken, now) = (quoted(inputs, "odds"), quoted(inputs, "current_fair_odds"));
            let leg = Factor::taken_over_now(taken, now, Part::Win);
            check_value(vector, Shape::single(), &[leg], 0);
        }
        ("cashout", "prob_with_margin") => {
            let chance = probability(text(inputs, "p_now"));
            let leg = Factor::taken_by_chance(quoted(inputs, "odds"), chance, Part::Win);
            check_value(vector, Shape::single(), &[leg], ppm(inputs, "margin"));
        }
        ("cashout", "accumulator") => {
            let odds = inputs["odds"].as_array().expect("a list");
            let mut chances = inputs["open_leg_p"].as_array().expect("a list").iter();
            let legs: Vec<Factor> = odds
                .iter()
                .zip(inputs["won"].as_array().expect("a list"))
                .map(|(odds, won)| {
                    let taken = odds.as_str().expect("a text").parse().expect("odds");
                    if won.as_bool().expect("a flag") {
                        return Factor::of(taken, Part::Win, LegNumbers::WON);
                    }
                    let chance = chances.next().and_then(Value::as_str).expect("a probability");
                    Factor::taken_by_chance(taken, probability(chance), Part::Win)
                })
                .collect();
            let all = Shape::new(legs.len() as u8, 1 << (legs.len() - 1), 0, EachWay::No);
            check_value(vector, all.expect("one line"), &legs, ppm(inputs, "margin"));
        }
        ("cashout", "exchange_green_up") => {
            let back = stake(integer(inputs, "back_stake_minor"));
            let (taken, lay_at) = (price(inputs, "back_odds"), price(inputs, "lay_odds"));
            let green = cashout::green_up(back, taken, lay_at).expect("a lay");
            assert_minor(green.lay.money(), &expected["lay_stake_exact"], vector);
            assert_minor(green.if_wins, &expected["equal_profit_exact"], vector);
            assert_minor(green.if_loses, &expected["equal_profit_exact"], vector);
            let unhedged = profit(back, taken, None, RoundingMode::Down);
            assert_minor(unhedged, &expected["if_win_unhedged"], vector);
            let whole = liability_up(back, lay_at, None);
            assert_minor(whole, &expected["lay_liability_full"], vector);
        }
        _ => return false,
    }
    true
}

/// A decimal of at most four places, in ten-thousandths.
fn figure_e4(decimal: &str) -> i64 {
    let (whole, places) = decimal.split_once('.').unwrap_or((decimal, ""));
    format!("{whole}{places:0<4}").parse().unwrap_or_else(|_| panic!("{decimal}"))
}

/// `false` if the example is about other ratings.
pub(super) fn check_rating(vector: &Value) -> bool {
    let (inputs, expected, id) = (&vector["inputs"], &vector["expected"], text(vector, "id"));
    match text(vector, "method") {
        "rps" => {
            let p = floats(&inputs["probs"]);
            let outcome = integer(inputs, "outcome") as usize;
            for (name, score) in [
                ("rps", score::ranked_probability(&p, outcome)),
                ("brier", score::brier(&p, outcome)),
                ("ignorance_bits", score::ignorance(&p, outcome)),
            ] {
                let score = score.unwrap_or_else(|error| panic!("{id}: {error}"));
                assert_close(score, &expected[name], vector);
            }
        }
        "lmsr" => {
            let maker = Lmsr::new(float(&inputs["b"])).expect("a liquidity");
            let sold = floats(&inputs["q"]);
            let outcome = integer(inputs, "buy_outcome") as usize;
            let before = maker.price(&sold, outcome).expect("a price");
            assert_close(before, &expected["price_before"], vector);
            let cost = maker.cost(&sold, outcome, float(&inputs["shares"])).expect("a cost");
            assert_close(cost, &expected["cost"], vector);
        }
        _ => return false,
    }
    true
}

fn stake(minor: i64) -> Stake {
    Stake::from_minor(minor).expect("a stake")
}

fn quoted(inputs: &Value, field: &str) -> Quoted {
    text(inputs, field).parse().unwrap_or_else(|error| panic!("{field} of {inputs}: {error}"))
}

fn probability(text: &str) -> Probability {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A share in parts per million.
fn ppm(inputs: &Value, field: &str) -> u32 {
    probability(text(inputs, field)).ppb() / 1_000
}

fn shape(inputs: &Value) -> Shape {
    Shape::named(&text(inputs, "type").replace('_', "-")).expect("a name")
}

fn place(inputs: &Value) -> Part {
    let (num, den) = text(inputs, "place_terms").split_once('/').expect("a fraction");
    let fraction = PlaceFraction::new(num.parse().expect("digits"), den.parse().expect("digits"));
    Part::Place(fraction.expect("a fraction of the odds"))
}

/// What a ticket pays, rounded down.
fn paid(
    shape: Shape,
    staked: i64,
    win: &[Factor],
    place: &[Factor],
    point: RoundingPoint,
) -> Money {
    let down = Rounding { mode: RoundingMode::Down, point };
    ticket::returns(shape, stake(staked), win, place, 1_000_000, down).expect("a return")
}

/// An amount is that figure, exactly or within the tolerance.
fn assert_minor(amount: Money, expected: &Value, vector: &Value) {
    let near = is_near(amount.minor().into(), 1, expected, &vector["tolerance"]);
    assert!(near, "{}: {amount} is not {expected}", text(vector, "id"));
}

/// A single that won all or a part pays what it should.
fn check_single(vector: &Value, numbers: LegNumbers) {
    let inputs = &vector["inputs"];
    let factor = Factor::of(quoted(inputs, "decimal_odds"), Part::Win, numbers);
    let staked = integer(inputs, "stake_minor");
    let paid = paid(Shape::single(), staked, &[factor], &[], RoundingPoint::Bet);
    assert_minor(paid, &vector["expected"]["return_minor"], vector);
}

fn check_dead_heat(vector: &Value, places: i64, tied: i64) {
    let numbers = LegNumbers::dead_heat(places as u16, tied as u16).expect("a dead heat");
    check_single(vector, numbers);
}

/// A system pays what it should by either rounding, and the polynomial says the same.
fn check_system(vector: &Value) {
    let (inputs, expected, id) = (&vector["inputs"], &vector["expected"], text(vector, "id"));
    let shape = shape(inputs);
    let odds = inputs["decimal_odds"].as_array().expect("a list");
    let won: Vec<bool> = text(inputs, "results").chars().map(|result| result == 'W').collect();
    assert_eq!(odds.len(), won.len(), "{id}");
    let legs: Vec<Factor> = odds
        .iter()
        .zip(&won)
        .map(|(odds, &won)| {
            let taken = odds.as_str().expect("a text").parse().expect("odds");
            let numbers = if won { LegNumbers::WON } else { LegNumbers::LOST };
            Factor::of(taken, Part::Win, numbers)
        })
        .collect();
    let staked = integer(inputs, "unit_stake_minor") * shape.lines() as i64;
    for (name, point) in [
        ("return_minor", RoundingPoint::Bet),
        ("return_minor_floor_total", RoundingPoint::Bet),
        ("return_minor_floor_per_line", RoundingPoint::Line),
    ] {
        if let Some(minor) = expected.get(name) {
            let paid = paid(shape, staked, &legs, &[], point);
            assert_eq!(Some(paid.minor()), minor.as_i64(), "{id}: {name}");
        }
    }
    if let Some(multiplier) = expected.get("gross_multiplier") {
        let values: Vec<f64> =
            odds.iter().zip(&won).map(|(odds, &won)| if won { float(odds) } else { 0.0 }).collect();
        let mean = system_return(shape, &values).expect("a return");
        assert_close(mean * shape.lines() as f64, multiplier, vector);
    }
}

/// The odds of an accumulator: the figure rounded down, and what 10^12 minor units return in full.
fn check_accumulator(vector: &Value) {
    let (expected, id) = (&vector["expected"]["odds"], text(vector, "id"));
    let legs: Vec<Quoted> = vector["inputs"]["decimal_odds"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|odds| odds.as_str().expect("a text").parse().expect("odds"))
        .collect();
    let (digits, places) = figure(expected);
    let e4 = digits * 10_000 / 10_i128.pow(places);
    assert_eq!(accumulator(&legs), Price::from_e4(e4 as u32), "{id}");
    let all = Shape::new(legs.len() as u8, 1 << (legs.len() - 1), 0, EachWay::No);
    let factors: Vec<Factor> = legs.iter().map(|&leg| Factor::open(leg, Part::Win)).collect();
    let staked = Stake::MAX.minor();
    let paid = paid(all.expect("one line"), staked, &factors, &[], RoundingPoint::Bet);
    let near = is_near(paid.minor().into(), staked.into(), expected, &vector["tolerance"]);
    assert!(near, "{id}: {paid}");
}

/// The value of a bet, rounded down; exactly, the next minor unit is beyond it.
fn check_value(vector: &Value, shape: Shape, legs: &[Factor], margin_ppm: u32) {
    let (inputs, expected, id) = (&vector["inputs"], &vector["expected"], text(vector, "id"));
    let minor = integer(inputs, "stake_minor");
    let value = cashout::value(shape, stake(minor), legs, &[], margin_ppm);
    let value = value.unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(value.minor(), integer(expected, "value_minor_floor"), "{id}");
    if let Some(exact) = expected.get("value_minor_exact") {
        let [leg] = legs else { panic!("{id}: not a single") };
        let num = i128::from(minor) * leg.num() as i128 * i128::from(1_000_000 - margin_ppm);
        let den = leg.den() as i128 * 1_000_000;
        assert!(is_near(num, den, exact, &vector["tolerance"]), "{id}: {num}/{den}");
        assert_eq!(i128::from(value.minor()), num / den, "{id}");
    }
}
