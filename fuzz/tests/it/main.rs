//! The simulator, the auditor and the nights, as tests.

mod found;
mod nights;
mod world;
