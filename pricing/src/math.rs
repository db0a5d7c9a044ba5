//! The functions that are not correctly rounded everywhere, from one place: the same bits on every machine.

#![allow(clippy::float_arithmetic, reason = "what proposes prices computes in floats")]

pub(crate) use libm::{exp, log as ln, pow};
pub(crate) use libm::{expm1 as exp_m1, log1p as ln_1p};
