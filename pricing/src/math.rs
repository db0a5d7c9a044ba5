//! What could have other bits elsewhere, from one place: the same on every machine.
//!
//! Those are the functions that are not correctly rounded everywhere, and the order of sums.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

pub(crate) use libm::{exp, log as ln, pow};
pub(crate) use libm::{expm1 as exp_m1, log1p as ln_1p};

/// The probability that a standard normal value is above `x`, to all digits in either tail.
pub(crate) fn normal_above(x: f64) -> f64 {
    0.5 * libm::erfc(x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The sum of four sums, as a processor that adds two at a time gets it. The order is part of the result.
pub(crate) fn sum_lanes([a, b, c, d]: [f64; 4]) -> f64 {
    (a + c) + (b + d)
}
