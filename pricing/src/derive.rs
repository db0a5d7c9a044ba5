//! Probabilities in, the prices of a whole event out.
//!
//! What a model says is computed in floats, and leaves as integers: prices rounded down, each
//! [`Price`](crate::Price) at an index that never changes its meaning.

pub mod football;
