//! What the program says, asked as an operator would ask it.

mod audit;
mod bench;
mod book;
mod checklist;
mod diff;
mod dlq;
mod drill;
mod exchange;
mod journal;
mod nights;
mod price;
mod program;
mod top;
