//! Models of games and races: parameters in, probabilities out.
//!
//! Pure functions of floats. What they say enters the engine as integers, in one command with all the
//! prices of an event; so a replay never runs a model.

pub mod football;
pub mod racing;
pub mod rating;
pub mod tennis;
