//! What does an order cost on the exchange, at about 1,000 and about 100,000 orders that rest, and a cancel in a level of a
//! million? What `betring bench book` measures.
//!
//! `cargo bench -p betring-benches --bench book`. With `--test` the stream is short. Instructions:
//! `benches/book-instructions.sh`.

use betring_benches::book::{self, Plan};
use betring_benches::error::Error;
use betring_benches::machine::Machine;

fn main() -> Result<(), Error> {
    // One stream of so many for callgrind: which of the three, orders at first, orders that are measured.
    if let Ok(one) = std::env::var("BOOK_STREAM") {
        let mut words = one.split(' ');
        let which = words.next().unwrap_or_default().to_owned();
        let mut number = || words.next().and_then(|n| n.parse().ok()).expect("WHICH LIVE OPS");
        let (live, ops): (usize, usize) = (number(), number());
        println!("{which} {live} {ops}: {:?}", book::one(&which, live, ops));
        return Ok(());
    }
    let test = std::env::args().any(|arg| arg == "--test");
    let (ops, times) = if test { (5_000, 1) } else { (2_000_000, 5) };
    println!("{}", Machine::measure(&std::env::temp_dir()));
    println!("stream of {ops} orders: 53 % rest, 35 % cancels, 12 % meet others");
    for live in [1_000, 100_000] {
        let live = if test { live / 10 } else { live };
        println!("{live} orders at first");
        book::run(&Plan { live, ops, times }, &mut |row| {
            println!(
                "  {:<32} {:>6.1} to {:>6.1} ns an order (least and median of {} runs), {} {}, {} minor units matched, {} \
                 rest",
                row.what,
                row.least_ns,
                row.median_ns,
                row.runs,
                row.counted,
                row.counts,
                row.stake,
                row.rest
            );
        })?;
    }
    let sizes: [u32; 2] = if test { [100, 2_000] } else { [1_000, 1_000_000] };
    for orders in sizes {
        println!("a cancel in a level of {orders:>9}: {:?}", book::cancels_of_a_level(orders));
    }
    Ok(())
}
