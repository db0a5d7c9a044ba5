//! Multiples, Kelly and cash-outs.

use serde_json::Value;

/// `false` if the example is not checked.
pub(super) fn check(_: &Value) -> bool {
    false
}
