//! What holds for every number, and what the published and computed examples say.

mod properties;
mod tickets;
mod vectors;
