//! Claims, measured: the open-loop load generator, the latency recorder, the facts of the machine.
//!
//! In the order of a measurement: [`load`] says when every request is to be sent and never waits for
//! an answer, [`recorder`] keeps what the answers took, counted from those intended times, and
//! [`machine`] says what it was measured on. A figure without the third is not a figure. [`latency`],
//! [`book`], [`growth`], [`journal`], [`reprice`], [`settle`], [`recover`] and [`twice`] are what the program
//! `betring bench` measures, the benches of these names with it.
#![forbid(unsafe_code)]

pub mod book;
pub mod error;
pub mod growth;
pub mod journal;
pub mod latency;
pub mod load;
pub mod machine;
pub mod recorder;
pub mod recover;
pub mod reprice;
pub mod settle;
pub mod twice;
pub mod warm;

mod decide;
mod written;
