//! What a bet takes as the state grows: at a thousand open bets and at ten million, in ten markets and in a hundred
//! thousand, of a thousand accounts and of ten million.
//!
//! Whatever grows lies in dense arrays, so a bet executes as many instructions at any size; what changes is how many of
//! the lines that it touches are in a cache. How much that can be is measured in the same run, by a walk over as much
//! memory in an order that nothing can foresee ([`walk_ns`]).

use crate::error::Error;
use crate::machine::resident_kib;
use crate::warm::{AT_A_TIME, Book, Size};
use betring_core::Digest;
use betring_core::answer::AnswerKind;
use std::hint::black_box;
use std::time::Instant;
use zerocopy::IntoBytes;

/// The sizes: one thing grows at a time, then everything.
pub const SIZES: [Size; 9] = {
    const fn size(open_bets: u32, markets: u32, accounts: u32) -> Size {
        Size { accounts, markets, open_bets }
    }
    [
        size(1_000, 10, 1_000),
        size(100_000, 10, 1_000),
        size(10_000_000, 10, 1_000),
        size(1_000, 1_000, 1_000),
        size(1_000, 100_000, 1_000),
        size(1_000, 10, 100_000),
        size(1_000, 10, 10_000_000),
        size(100_000, 1_000, 100_000),
        size(10_000_000, 100_000, 10_000_000),
    ]
};

/// What one size came to.
#[derive(Clone, Debug)]
pub struct Grown {
    /// How large the state was.
    pub size: Size,
    /// A bet with all gates, in nanoseconds: the median over batches of 250.
    pub bet_ns: f64,
    /// Of a hundred batches one took longer than this for each of its bets.
    pub bet_p99_ns: f64,
    /// Bets that were decided.
    pub bets: u64,
    /// Keys that were live.
    pub keys: u32,
    /// What the capacities take by themselves, in bytes.
    pub bytes: u64,
    /// What the process had in memory, in bytes.
    pub resident: u64,
    /// Of the state after the last bet.
    pub digest: Digest,
}

/// Makes a state of this size, decides so many bets in it, and looks whether everything in it holds. A state of few bets
/// is begun again before it has half as many more.
///
/// `told` is called now and then with how many of its markets, accounts and bets are there.
///
/// # Errors
/// [`Error::Wrong`] if a bet is not taken or the state does not hold.
pub fn measure(size: Size, bets: u64, told: &mut dyn FnMut(u64)) -> Result<Grown, Error> {
    let most = u64::from(size.open_bets / 2).max(2 * AT_A_TIME);
    let more = u32::try_from(most.min(bets)).unwrap_or(u32::MAX);
    let mut book = Book::warm(size, more, told);
    let (bytes, keys) = (book.capacities().bytes(), book.state().keys_kept());
    let again = (most < bets).then(|| book.started());
    let mut batches = Vec::new();
    let (mut left, mut in_this) = (bets, 0);
    while 0 < left {
        let count = left.min(AT_A_TIME);
        if let Some(again) = &again
            && most < in_this + count
        {
            (book, in_this) = (again.started(), 0);
        }
        let slots: Vec<_> = (0..count).map(|_| book.bet()).collect();
        let mut taken = 0;
        let start = Instant::now();
        for slot in &slots {
            let reply = book.decide(black_box(slot.as_bytes()));
            taken += u64::from(reply.answer.kind() == AnswerKind::Accepted);
        }
        batches.push(start.elapsed().as_nanos() as f64 / count as f64);
        Error::unless(taken == count, || format!("every bet is taken: {taken} of {count} were"))?;
        book.beat();
        book.work();
        (left, in_this) = (left - count, in_this + count);
    }
    batches.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| batches[((batches.len() - 1) as f64 * share).ceil() as usize];
    let resident = resident_kib() * 1_024;
    // To look at every rule of ten million bets takes minutes: what a small state proves is not proved again.
    let digest = match size.open_bets {
        0..=100_000 if size.markets <= 1_000 => book.checked().map_err(Error::Wrong)?,
        _ => book.state().digest(),
    };
    let bytes = bytes.iter().map(|(_, bytes)| bytes).sum();
    Ok(Grown { size, bet_ns: at(0.5), bet_p99_ns: at(0.99), bets, keys, bytes, resident, digest })
}

/// How long one step takes, in nanoseconds, that has to wait for memory: a walk from place to place over so many bytes,
/// each a cache line of its own and in an order by chance, so that neither a processor nor its caches can foresee the next.
pub fn walk_ns(bytes: usize) -> f64 {
    const STEPS: usize = 1 << 20;
    let places = (bytes / size_of::<Line>()).clamp(2, u32::MAX as usize);
    let next = cycle(places);
    let mut at = 0;
    let mut walk = |steps: usize| {
        for _ in 0..steps {
            at = next[at][0] as usize;
        }
        black_box(at);
    };
    walk(places.min(STEPS));
    let start = Instant::now();
    walk(STEPS);
    start.elapsed().as_nanos() as f64 / STEPS as f64
}

/// A cache line that names the next.
type Line = [u32; 16];

/// One cycle over so many places, by chance: Sattolo's algorithm.
fn cycle(places: usize) -> Vec<Line> {
    let mut next: Vec<Line> = (0..places).map(|at| [at as u32; 16]).collect();
    let mut dice = 1_u64;
    for at in (1..places).rev() {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let with = ((u128::from(dice) * at as u128) >> 64) as usize;
        next.swap(at, with);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_every_small_size_takes_its_bets_and_the_same_ones_every_time() {
        let size = Size { accounts: 50, markets: 3, open_bets: 600 };
        let grown = measure(size, 1_000, &mut |_| ()).expect("it holds");
        assert_eq!((grown.size, grown.bets), (size, 1_000));
        assert!(0.0 < grown.bet_ns && grown.bet_ns <= grown.bet_p99_ns, "{grown:?}");
        assert!(90_000 < grown.keys, "as many keys are live whatever the size: {}", grown.keys);
        let again = measure(size, 1_000, &mut |_| ()).expect("it holds");
        assert_eq!(grown.digest, again.digest);
    }

    #[test]
    fn to_make_more_accounts_and_markets_than_keys_can_live_takes_its_time() {
        let size = Size { accounts: 60_000, markets: 55_000, open_bets: 10 };
        let grown = measure(size, 500, &mut |_| ()).expect("it holds");
        assert!(grown.keys < 110_000, "{}", grown.keys);
    }

    #[test]
    fn a_walk_comes_by_every_place_before_it_comes_back() {
        let next = cycle(1_000);
        let mut seen = vec![false; next.len()];
        let mut at = 0;
        for _ in 0..next.len() {
            assert!(!std::mem::replace(&mut seen[at], true), "{at} a second time");
            at = next[at][0] as usize;
        }
        assert_eq!(at, 0);
        assert!(0.0 < walk_ns(1 << 16) && 0.0 < walk_ns(0));
    }
}
