//! What the journal promises, each promise in the file of its name.

mod append;
mod damage;
mod directory;
mod epochs;
mod errors;
mod exhaustive;
mod follow;
mod look;
mod model;
mod recover;
mod rotation;
mod snapshots;
mod support;
mod witness;
