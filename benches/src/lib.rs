//! Claims, measured: load generator, latency recorder, criterion benches.
