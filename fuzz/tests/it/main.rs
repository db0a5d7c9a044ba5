//! The simulator, the auditor and the nights, as tests.

mod corrections;
mod found;
mod linear;
mod nights;
mod world;
