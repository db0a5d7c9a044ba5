//! The engine, told in sentences: what an embedder, a trader and an operator rely on.

mod disk;
mod race;
mod table;
mod tickets;

mod admission;
mod afternoons;
mod clients;
mod counters;
mod dead_letters;
mod embed;
mod errors;
mod full;
mod governor;

mod golden;
mod levels;
mod live;
mod market_data;
mod mended;
mod open;
mod orders;
mod outputs;
mod poison;
mod pricer;
mod restart;
mod rings;
mod snapshots;
mod stopped;
mod views;
