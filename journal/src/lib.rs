//! How bytes survive: frames, segments, group commit and recovery; knows nothing of bets.
