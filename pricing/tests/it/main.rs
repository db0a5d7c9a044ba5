//! What holds for every number, and what the published and computed examples say.

mod overround;
mod football;
mod properties;
mod staking;
mod racing;
mod tickets;
mod vectors;
