//! Everything that tries to break betring.
//!
//! [`workload`] is a night of betting from a seed, the same one for every run with that seed. [`world`] is a disk
//! that lies. [`auditor`] decides everything a second time, from the rules. [`sim`] plays nights of crashes with
//! the real core between the two, and [`minimize`] makes a failure short. [`night`](night()) is all of this
//! for anybody's own rules, against anybody's engine ([`System`]), in ten lines of a test. [`targets`] are
//! what libFuzzer plays with: without the feature `nights` there is nothing else.
#![forbid(unsafe_code)]

#[cfg(feature = "nights")]
pub mod auditor;
#[cfg(feature = "nights")]
pub mod linear;
#[cfg(feature = "nights")]
pub mod minimize;
#[cfg(feature = "nights")]
pub mod naive_book;
#[cfg(feature = "nights")]
pub mod night;
#[cfg(feature = "nights")]
pub mod sim;
#[cfg(feature = "nights")]
pub mod system;
pub mod targets;
#[cfg(feature = "nights")]
pub mod workload;
#[cfg(feature = "nights")]
pub mod world;

#[cfg(feature = "nights")]
pub use betring_core::command::Limits;
#[cfg(feature = "nights")]
pub use betring_pricing::{money, price};
#[cfg(feature = "nights")]
pub use night::{FromToml, Look, Night, Told, Weights, night};
#[cfg(feature = "nights")]
pub use system::{Start, System, UnderTest};
