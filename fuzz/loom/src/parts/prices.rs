// The table of prices: a market's directory entry, and a run of prices that markets use in turn.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};

#[derive(Clone, Copy)]
struct MarketId(u64);

impl MarketId {
    fn index(self) -> u32 {
        0
    }

    fn raw(self) -> u64 {
        self.0
    }
}

struct SelectionIndex(u16);
struct PriceVersion(#[allow(dead_code, reason = "the engine's reader fills it")] u64);
struct Timestamp(#[allow(dead_code, reason = "the engine's reader fills it")] i64);
struct Seq(u64);

struct WirePrice {
    e4: u32,
    num: u16,
    den: u16,
}

impl WirePrice {
    fn is_none(&self) -> bool {
        self.e4 == 0 && self.num == 0 && self.den == 0
    }
}

struct PriceNow {
    price: WirePrice,
    #[allow(dead_code, reason = "the engine's reader fills it")]
    version: PriceVersion,
    #[allow(dead_code, reason = "the engine's reader fills it")]
    received: Timestamp,
    seq: Seq,
}

struct Prices {
    table: Arc<PriceTable>,
}

/// One place of a market and one run of one price: an old market has both, then a new one.
pub(crate) fn own_price(first: First, of_new: bool, forgets_first: bool) {
    let (old, new) = (MarketId(1 << 32), MarketId(2 << 32));
    let table = Arc::new(PriceTable {
        markets: (0..1).map(|_| Cell::new()).collect(),
        prices: (0..1).map(|_| Cell::new()).collect(),
    });
    table.markets[0].write_next(&[old.raw(), 0, 1]);
    table.prices[0].write_next(&[11, 0, 0, 1]);
    let writer = {
        let table = table.clone();
        move || {
            // As `Outputs::remember` at Archived, then `define` and `price`.
            if forgets_first {
                table.markets[0].write_next(&[0, 0, 0]);
            }
            table.prices[0].write_next(&[22, 0, 0, 2]);
            table.markets[0].write_next(&[new.raw(), 0, 1]);
        }
    };
    let prices = Prices { table };
    first.run(writer, move || {
        let (market, e4) = if of_new { (new, 22) } else { (old, 11) };
        if let Some(now) = prices.get(market, SelectionIndex(0)) {
            assert_eq!(now.price.e4, e4, "another market's price");
            assert_eq!(now.seq.0, u64::from(e4 / 11), "one value");
        }
    });
}
