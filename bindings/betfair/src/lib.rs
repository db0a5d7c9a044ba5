//! Reads Betfair exchange stream recordings into commands.
