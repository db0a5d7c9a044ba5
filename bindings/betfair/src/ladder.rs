//! Which prices a market's ladder has, and which of a recording's numbers are prices at all.

use betring_pricing::{Ladder, Price};

use crate::decimal::Decimal;
use crate::message::LadderKind;

/// Whether `price` is one that the ladder has. A line market's points are not odds: any will do.
pub(crate) fn is_on_ladder(ladder: LadderKind, price: Decimal) -> bool {
    let on = |ladder: &Ladder| to_price(price).is_some_and(|price| ladder.contains(price));
    match ladder {
        LadderKind::Classic => on(&Ladder::CLASSIC),
        LadderKind::Finest => on(&Ladder::FINEST),
        LadderKind::LineRange => true,
    }
}

/// The exact price, when the number is one: a whole number of ten-thousandths within its bounds.
pub(crate) fn to_price(number: Decimal) -> Option<Price> {
    number.to_e4().and_then(Price::from_e4)
}
