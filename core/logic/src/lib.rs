//! What becomes of a bet: the pure, single-threaded decision logic of betring.
