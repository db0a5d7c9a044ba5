//! What a selection's price does when the house could lose too much with it, as the rules have it: bands of
//! the market's limit, each worth some ticks, and in the end a suspension.

use super::{Auditor, Market, Runner};
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::wire::WirePrice;
use betring_pricing::{Currency, Price};

/// The classic ladder: from which price on, and by how much it rises there.
const LADDER: [(u32, u32); 10] = [
    (10_100, 100),
    (20_000, 200),
    (30_000, 500),
    (40_000, 1_000),
    (60_000, 2_000),
    (100_000, 5_000),
    (200_000, 10_000),
    (300_000, 20_000),
    (500_000, 50_000),
    (1_000_000, 100_000),
];
const TOP: u32 = 10_000_000;

/// A price so many ticks shorter: the largest of the ladder that is no longer, then down; never below 1.01.
pub(super) fn shade(quoted: WirePrice, ticks: u32) -> WirePrice {
    if ticks == 0 || quoted.is_none() || quoted.e4 < LADDER[0].0 {
        return quoted;
    }
    let mut rungs = Vec::new();
    for (at, (from, step)) in LADDER.iter().enumerate() {
        let to = LADDER.get(at + 1).map_or(TOP + 1, |(to, _)| *to);
        rungs.extend((*from..to).step_by(*step as usize));
    }
    let not_longer = rungs.iter().filter(|rung| **rung <= quoted.e4).count();
    let at = (not_longer - 1).saturating_sub(ticks as usize);
    Price::from_e4(rungs[at]).map_or(quoted, WirePrice::decimal)
}

impl Auditor {
    /// By how many ticks the prices of a selection are shortened.
    pub(super) fn ticks_of(&self, market: &Market, runner: &Runner) -> u32 {
        u32::from(runner.steps) * u32::from(self.tier(market).ticks)
    }

    /// In which band a selection is from here on: into a higher one at once, out of it only half a band below.
    fn band_of(&self, id: u64, market: &Market, at: usize) -> u8 {
        let tier = self.tier(market);
        let (runner, mut up, mut down) = (&market.runners[at], 0, 0);
        for number in &self.currencies {
            if Currency::from_numeric(*number).is_none() {
                continue;
            }
            let most = i128::from(self.limits_for(market, *number).max_liability.0);
            let edge = most * i128::from(tier.band) / 100;
            if edge == 0 {
                continue;
            }
            let lost = self.lost_with(id, *number, at);
            up = up.max(lost.max(0) / edge);
            down = down.max((lost + edge / 2).max(0) / edge);
        }
        let now = i128::from(runner.band);
        let then = if now < up { up } else { now.min(down) };
        u8::try_from(then).unwrap_or(u8::MAX)
    }

    /// What the house would lose in a market and a currency if this selection won.
    pub(super) fn lost_with(&self, id: u64, currency: u16, at: usize) -> i128 {
        let out = self.markets.get(&id).is_none_or(|market| market.runners[at].out);
        let all = self.liability(id, currency);
        if out { 0 } else { all.returns[at] + all.reach[at] - all.staked }
    }

    /// A selection's liability is looked at: its prices are shortened, or it is suspended, or neither any more.
    pub(super) fn judges_liability(&mut self, id: u64, at: usize, next: u64) {
        let Some(market) = self.markets.get(&id) else { return };
        let (tier, runner) = (self.tier(market), &market.runners[at]);
        if tier.act == LiabilityAct::No as u8 && runner.band == 0 {
            return;
        }
        let band = self.band_of(id, market, at);
        let act = LiabilityAct::from_code(tier.act).unwrap_or(LiabilityAct::No);
        let (steps, suspends) = match act {
            LiabilityAct::No => (0, false),
            LiabilityAct::Step => (band.min(tier.steps), tier.steps < band),
            LiabilityAct::Suspend => (0, 1 <= band),
        };
        let ticks = u32::from(steps) * u32::from(tier.ticks);
        let feeds = [0, 1].map(|slot| self.feed_of_slot(market, slot));
        let (seq, engine) = (self.seq, Owner::Engine as u8);
        let held = runner.suspended.owners.contains(&engine);
        let Some(market) = self.markets.get_mut(&id) else { return };
        let runner = &mut market.runners[at];
        (runner.band, runner.steps) = (band, steps);
        let mut stepped = Vec::new();
        for (slot, quote) in runner.quotes.iter_mut().enumerate() {
            let price = shade(quote.quoted, ticks);
            if quote.price == price {
                continue;
            }
            (quote.price, quote.version) = (price, next);
            stepped.push(Event::PriceStepped(PriceStepped {
                market: MarketId::from_raw(id),
                price,
                version: PriceVersion(next),
                selection: SelectionIndex(at as u16),
                feed: FeedId(feeds[slot]),
                steps,
                zero: [0; 3],
            }));
        }
        if held != suspends {
            let of = (Level::Selection as u8, id, SelectionIndex(at as u16));
            stepped.push(runner.suspended.by(engine, suspends, seq, of));
        }
        if stepped.iter().any(|event| matches!(event, Event::PriceStepped(_))) {
            market.version = next;
        }
        self.told.extend(stepped);
    }

    /// A bet begins or ends to count: the selections of its legs are looked at, in their order. Where a result
    /// is in, nobody bets any more.
    pub(super) fn judges_legs(&mut self, id: u64) {
        let Some(bet) = self.bets.get(&id).filter(|bet| !bet.synthetic) else { return };
        let legs: Vec<(u64, usize)> = bet
            .legs
            .iter()
            .filter(|leg| !leg.gone)
            .map(|leg| (leg.market, leg.selection))
            .collect();
        for (id, selection) in legs {
            use MarketStatus::*;
            let Some(market) = self.markets.get(&id) else { continue };
            let next = market.version + 1;
            if matches!(market.status, Defined | Open | Closed) {
                self.judges_liability(id, selection, next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use betring_pricing::Ladder;

    #[test]
    fn the_ladder_written_down_here_is_the_classic_one() {
        let mut price = Price::from_e4(LADDER[0].0).expect("a price");
        let mut down = 0;
        while let Some(next) = Ladder::CLASSIC.step(price, 1) {
            assert_eq!(shade(WirePrice::decimal(next), 1), WirePrice::decimal(price));
            (price, down) = (next, down + 1);
        }
        assert_eq!(price.e4(), TOP);
        let lowest = WirePrice::decimal(Price::from_e4(10_100).expect("a price"));
        assert_eq!(shade(WirePrice::decimal(price), down), lowest);
        assert_eq!(shade(WirePrice::decimal(price), down + 9), lowest);
    }

    #[test]
    fn a_price_between_two_ticks_goes_down_from_the_shorter_one() {
        let of = |e4| WirePrice { e4, num: 0, den: 0 };
        assert_eq!(shade(of(20_100), 1), of(19_900));
        // As it was sent it keeps its fraction; below the ladder nothing is shortened.
        let fraction = WirePrice { e4: 19_090, num: 10, den: 11 };
        assert_eq!((shade(fraction, 0), shade(fraction, 1)), (fraction, of(18_900)));
        assert_eq!(shade(of(10_050), 3), of(10_050));
    }
}
