//! Margins taken off and put on.

use betring_pricing::{Margin, Method, PricingError, devig};
use serde_json::Value;

use super::{assert_close, float, floats, text};

/// `false` if the example is not checked.
pub(super) fn check(vector: &Value) -> bool {
    match text(vector, "category") {
        "devig" => check_devig(vector),
        "frame" => check_frame(vector),
        _ => return false,
    }
    true
}

fn method(vector: &Value) -> Method {
    let name = text(vector, "method").replace('_', "-");
    name.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn check_devig(vector: &Value) {
    let (inputs, expected, id) = (&vector["inputs"], &vector["expected"], text(vector, "id"));
    let odds = floats(&inputs["odds"]);
    let target = inputs.get("target_sum").map_or(1.0, float);
    let mut probabilities = vec![0.0; odds.len()];
    if let Some(error) = expected["error"].as_str() {
        let methods =
            if vector["method"] == "any" { Method::ALL.to_vec() } else { vec![method(vector)] };
        for method in methods {
            let refused = devig(method, &odds, target, &mut probabilities);
            assert_eq!(refused.map_err(PricingError::name), Err(error), "{id} {method}");
            assert!(probabilities.iter().all(|&p| p == 0.0), "{id} {method}");
        }
        return;
    }
    let devigged = devig(method(vector), &odds, target, &mut probabilities);
    if let Some(fair) = expected["fair_odds"].as_array() {
        devigged.unwrap_or_else(|error| panic!("{id}: {error}"));
        for (p, fair) in probabilities.iter().zip(fair) {
            assert_close(1.0 / p / float(fair), &Value::from(1.0), vector);
        }
        return;
    }
    let listed = expected["probs"].as_array().expect("a list");
    // Where the method leaves an outcome nothing, it is named.
    if let Some(index) = listed.iter().position(|p| float(p) <= 0.0) {
        assert_eq!(devigged, Err(PricingError::NegativeProbability { index }), "{id}");
        return;
    }
    let devigged = devigged.unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(listed.len(), probabilities.len(), "{id}");
    for (p, expected) in probabilities.iter().zip(listed) {
        assert_close(*p, expected, vector);
    }
    for name in ["k", "c", "z", "distance"] {
        if let Some(parameter) = expected.get(name) {
            assert_close(devigged.parameter, parameter, vector);
        }
    }
    if let Some(margin) = expected.get("margin") {
        assert_close(devigged.booksum - 1.0, margin, vector);
    }
}

fn check_frame(vector: &Value) {
    let (inputs, expected, id) = (&vector["inputs"], &vector["expected"], text(vector, "id"));
    let probabilities = floats(&inputs["probs"]);
    let booksum = float(&inputs["booksum"]);
    let mut odds = vec![0.0; probabilities.len()];
    let framed = Margin::new(method(vector), booksum).frame(&probabilities, &mut odds);
    let framed = framed.unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(framed.bounded, 0, "{id}");
    let relative = vector["note"].as_str().is_some_and(|note| note.contains("relative"));
    let listed = expected["odds"].as_array().expect("a list");
    assert_eq!(listed.len(), odds.len(), "{id}");
    for (odds, expected) in odds.iter().zip(listed) {
        if relative {
            assert_close(odds / float(expected), &Value::from(1.0), vector);
        } else {
            assert_close(*odds, expected, vector);
        }
    }
}
