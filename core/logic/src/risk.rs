//! What a market can cost: its profit or loss by outcome, kept to the penny as bets open and settle.
//!
//! With exactly `k` winners the house keeps every stake and pays the returns of the winners, so its
//! worst outcome is that the `k` selections with the largest returns win.

use crate::command::Limits;
use crate::grid::Grid;
use crate::wire::WirePrice;
use betring_pricing::{RoundingMode, Stake, div_round, rounding};

/// What a stake at a price returns if it wins, stake included, in minor units.
pub(crate) fn returns(stake: Stake, price: WirePrice, mode: RoundingMode) -> i64 {
    let exact = price.price().expect("a price in force is a price");
    rounding::returns(stake, exact, price.fraction(), mode).minor()
}

/// Stakes and returns of the open bets, by market, selection and currency.
///
/// Bets on a withdrawn selection will be void: their stakes go back whatever happens, so they are
/// parked where neither the market's stakes nor its returns count them.
#[derive(Clone)]
pub(crate) struct Risk {
    staked: Grid<i128>,
    stakes: Grid<i128>,
    returns: Grid<i128>,
    parked: Grid<i128>,
    /// What the tickets that hold a selection could win more if it wins: an upper bound.
    reach: Grid<i128>,
    /// What a market may cost its event: its worst outcome with the largest reach, if that is a loss.
    parts: Grid<i128>,
    /// The sum of these, by fixture.
    events: Grid<i128>,
    /// What follows from all that by market, so that no bet looks at every selection again.
    worst: Grid<Worst>,
    currencies: u8,
}

/// What a market pays in its worst outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Worst {
    /// The returns of as many selections as win, those with the largest.
    returns: i128,
    /// The largest reach of a ticket's legs beside them.
    reach: i128,
}

impl Worst {
    const NOTHING: Worst = Worst { returns: 0, reach: 0 };
}

/// What one bet stakes and would return, and where.
#[derive(Clone, Copy)]
pub(crate) struct BetAt {
    pub(crate) book: u8,
    pub(crate) market: u32,
    /// Place of its selection in the dense array.
    pub(crate) place: u32,
    pub(crate) stake: i64,
    pub(crate) returns: i64,
}

impl Risk {
    pub(crate) fn new() -> Risk {
        Risk {
            staked: Grid::new(),
            stakes: Grid::new(),
            returns: Grid::new(),
            parked: Grid::new(),
            reach: Grid::new(),
            parts: Grid::new(),
            events: Grid::new(),
            worst: Grid::new(),
            currencies: 0,
        }
    }

    pub(crate) fn grow(&mut self, markets: u32, selections: u32, fixtures: u32, currencies: u32) {
        self.staked.grow(currencies, markets, 0);
        self.parts.grow(currencies, markets, 0);
        self.worst.grow(currencies, markets, Worst::NOTHING);
        self.events.grow(currencies, fixtures, 0);
        for grid in [&mut self.stakes, &mut self.returns, &mut self.parked, &mut self.reach] {
            grid.grow(currencies, selections, 0);
        }
        self.currencies = currencies as u8;
    }

    /// A plain single counts (`sign` 1), or does not count any more (−1).
    pub(crate) fn count(&mut self, bet: BetAt, withdrawn: bool, sign: i128) {
        let (stake, returns) = (sign * i128::from(bet.stake), sign * i128::from(bet.returns));
        *self.stakes.at_mut(bet.book, bet.place) += stake;
        let kept = if withdrawn { &mut self.parked } else { &mut self.returns };
        let kept = kept.at_mut(bet.book, bet.place);
        *kept += returns;
        assert!(0 <= *kept, "no more is taken out than was put in");
        if !withdrawn {
            let staked = self.staked.at_mut(bet.book, bet.market);
            *staked += stake;
            assert!(0 <= *staked, "no more is taken out than was put in");
        }
    }

    /// A leg of a ticket counts by what its ticket could win more with it; below zero: not any more.
    pub(crate) fn count_reach(&mut self, book: u8, place: u32, reach: i128) {
        let kept = self.reach.at_mut(book, place);
        *kept += reach;
        assert!(0 <= *kept, "no more is taken out than was put in");
    }

    /// A selection is withdrawn, or comes back.
    pub(crate) fn withdraw(&mut self, market: u32, place: u32, withdrawn: bool) {
        for book in 0..self.currencies {
            let stakes = *self.stakes.at(book, place);
            let returns = *self.returns.at(book, place);
            *self.returns.at_mut(book, place) = *self.parked.at(book, place);
            *self.parked.at_mut(book, place) = returns;
            *self.staked.at_mut(book, market) += if withdrawn { -stakes } else { stakes };
        }
    }

    /// What tickets could win more with one selection of a market.
    pub(crate) fn reach(&self, view: MarketBets, selection: usize) -> i128 {
        self.reaches(view)[selection]
    }

    /// The same of every selection.
    pub(crate) fn reaches(&self, view: MarketBets) -> &[i128] {
        self.reach.range(view.book, view.first, view.selections)
    }

    /// The largest of these.
    pub(crate) fn largest_reach(&self, view: MarketBets) -> i128 {
        self.worst.at(view.book, view.market).reach
    }

    /// Bets of a market count, or count no more: what it pays in its worst outcome is found anew.
    pub(crate) fn weigh(&mut self, view: MarketBets) {
        *self.worst.at_mut(view.book, view.market) = self.found_worst(view);
    }

    fn found_worst(&self, view: MarketBets) -> Worst {
        let returns = self.returns(view.book, view.first, view.selections);
        Worst {
            returns: largest_sum(returns.iter().copied(), view.winners),
            reach: self.reaches(view).iter().copied().max().unwrap_or(0),
        }
    }

    /// Whether what is kept of a market's worst outcome is what its selections say.
    pub(crate) fn is_weighed(&self, view: MarketBets) -> bool {
        *self.worst.at(view.book, view.market) == self.found_worst(view)
    }

    /// What a market may cost has changed: so does what its event may.
    pub(crate) fn weigh_event(&mut self, view: MarketBets, fixture: u32) {
        let cost = (self.worst(view) + self.largest_reach(view)).max(0);
        let before = std::mem::replace(self.parts.at_mut(view.book, view.market), cost);
        let event = self.events.at_mut(view.book, fixture);
        *event += cost - before;
        assert!(0 <= *event, "no more is taken out than was put in");
    }

    /// What a market costs its event in that event's sum.
    pub(crate) fn part(&self, book: u8, market: u32) -> i128 {
        *self.parts.at(book, market)
    }

    /// What the markets of a fixture may cost together.
    pub(crate) fn event(&self, book: u8, fixture: u32) -> i128 {
        *self.events.at(book, fixture)
    }

    pub(crate) fn staked(&self, book: u8, market: u32) -> i128 {
        *self.staked.at(book, market)
    }

    /// The returns of the selections of a market, which begin at `first`.
    pub(crate) fn returns(&self, book: u8, first: u32, selections: u16) -> &[i128] {
        self.returns.range(book, first, selections)
    }

    /// What the market loses in its worst outcome if `selection` returned `more` and stakes were
    /// `stake` higher; below zero it wins in every outcome.
    pub(crate) fn worst_with(
        &self,
        view: MarketBets,
        selection: usize,
        stake: i64,
        more: i64,
    ) -> i128 {
        let returns = self.returns(view.book, view.first, view.selections);
        let own = returns[selection] + i128::from(more);
        let staked = self.staked(view.book, view.market) + i128::from(stake);
        // More on one selection: either that is the worst outcome now, or what was it still is.
        if view.winners == 1 && 0 <= more {
            return own.max(self.worst.at(view.book, view.market).returns) - staked;
        }
        let others = returns.iter().enumerate().filter(|(s, _)| *s != selection).map(|(_, r)| *r);
        let largest = largest_sum(others.chain([own]), view.winners);
        largest - staked
    }

    /// What the market loses in its worst outcome; below zero it wins in every outcome.
    pub(crate) fn worst(&self, view: MarketBets) -> i128 {
        self.worst.at(view.book, view.market).returns - self.staked(view.book, view.market)
    }
}

/// Where the bets of a market are counted.
#[derive(Clone, Copy)]
pub(crate) struct MarketBets {
    pub(crate) book: u8,
    pub(crate) market: u32,
    pub(crate) first: u32,
    pub(crate) selections: u16,
    pub(crate) winners: u16,
}

/// The sum of the `k` largest. With one winner, the common case, a plain maximum.
fn largest_sum(values: impl Iterator<Item = i128>, k: u16) -> i128 {
    if k == 1 {
        return values.max().unwrap_or(0);
    }
    let mut sorted = [0; crate::command::SELECTIONS_MAX];
    let mut len = 0;
    for value in values {
        sorted[len] = value;
        len += 1;
    }
    let sorted = &mut sorted[..len];
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.iter().take(usize::from(k)).sum()
}

/// The largest stake that at this price pays at most the cap; 0 if there is none.
pub(crate) fn stake_for_payout(price: WirePrice, limits: &Limits) -> i64 {
    let cap = i128::from(limits.max_payout.0);
    let (num, den) = match price.fraction() {
        Some(fraction) => {
            (i128::from(fraction.num()) + i128::from(fraction.den()), i128::from(fraction.den()))
        }
        None => (i128::from(price.e4), 10_000),
    };
    // Down: what this stake returns exactly is at most the cap, so in every rounding mode it is.
    let stake = div_round(cap * den, num, RoundingMode::Down);
    i64::try_from(stake).unwrap_or(i64::MAX).min(Stake::MAX.money().minor())
}
