//! What holds for every number, and what the published and computed examples say.

mod football;
mod overround;
mod properties;
mod racing;
mod rating;
mod same_bits;
mod staking;
mod tennis;
mod tickets;
mod vectors;
