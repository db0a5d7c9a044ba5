//! The simulator, the auditor and the nights, as tests.

mod book;
mod corrections;
mod found;
mod linear;
mod nights;
mod world;
