//! Everything that tries to break betring: workloads, auditor, simulator.
