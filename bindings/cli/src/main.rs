//! The program `betring`.
fn main() {}
