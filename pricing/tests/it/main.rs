//! What holds for every number, and what the published and computed examples say.

mod overround;
mod football;
mod properties;
mod staking;
mod racing;
mod rating;
mod same_bits;
mod tennis;
mod tickets;
mod vectors;
