//! Everything that tries to break betring.
//!
//! [`workload`] is a night of betting from a seed, the same one for every run with that seed. [`world`] is a disk
//! that lies. [`auditor`] decides everything a second time, from the rules. [`sim`] plays nights of crashes with
//! the real core between the two, and [`minimize`] makes a failure short. [`night`](night()) is all of this
//! for anybody's own rules, against anybody's engine ([`System`]), in ten lines of a test. [`targets`] are
//! what libFuzzer plays with.
#![forbid(unsafe_code)]

pub mod auditor;
pub mod linear;
pub mod minimize;
pub mod naive_book;
pub mod night;
pub mod sim;
pub mod system;
pub mod targets;
pub mod workload;
pub mod world;

pub use betring_core::command::Limits;
pub use betring_pricing::{money, price};
pub use night::{FromToml, Look, Night, Told, Weights, night};
pub use system::{Start, System, UnderTest};
