//! What a price is: money, odds, stakes, ladders and every rounding, in integers.
