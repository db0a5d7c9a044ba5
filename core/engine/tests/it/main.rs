//! The engine, told in sentences: what an embedder, a trader and an operator rely on.

mod disk;
mod table;
mod tickets;

mod clients;
mod embed;
mod errors;
mod full;
mod golden;
mod levels;
mod mended;
mod open;
mod outputs;
mod poison;
mod restart;
mod rings;
mod snapshots;
mod stopped;
mod views;
