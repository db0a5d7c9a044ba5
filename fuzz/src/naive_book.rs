//! The exchange's book, a second time: one list of orders, searched from end to end, and fractions that are exact.
//!
//! It shares no code with [`betring_core::book`], and is as slow as it is obvious. Names of its own for orders are the
//! numbers in which they came.

use betring_core::book::{Improvement, Lapse, NotPlaced, SelfMatch, Side, Taker};
use betring_pricing::{Ladder, Tick};
use ruint::Uint;

/// Room for the product of 64 prices of 24 bits.
type Wide = Uint<2_048, 32>;

/// An order that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub number: u64,
    /// Whose it is.
    pub account: u32,
    /// The selection.
    pub selection: u16,
    /// Which way it bets.
    pub side: Side,
    /// Its price's place on the ladder.
    pub tick: u32,
    /// What it still wants.
    pub remaining: i64,
}

/// One thing that an order did, with the numbers of the orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// It met an order: that one's number, selection and price, the stake, and what it still wants.
    Met(u64, u16, u32, i64, i64),
    /// It met the house: the price, the stake, and how many legs follow.
    Crossed(u32, i64, usize),
    /// An order of the same account went.
    Cancelled(u64, i64),
}

/// What became of an order: matched, returns in ten-thousandths, left, and why that is gone, or its number if it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Became {
    /// Minor units matched.
    pub matched: i64,
    /// Σ stake × odds in ten-thousandths.
    pub returns_e4: i128,
    /// Minor units that were not.
    pub left: i64,
    /// Why those are gone.
    pub lapse: Option<Lapse>,
    /// The number under which they wait.
    pub waits: Option<u64>,
}

/// The orders of one market, in the order in which they came.
#[derive(Clone, Debug)]
pub struct NaiveBook {
    prices: Vec<u32>,
    runs: Vec<bool>,
    crosses: bool,
    room: usize,
    fills_max: usize,
    /// Fill or kill goes by the average.
    averages: bool,
    /// Those that wait, oldest first.
    pub orders: Vec<Waiting>,
    /// Accounts that may not bet any more: their orders are cancelled when they are met.
    pub barred: std::collections::BTreeSet<u32>,
    next: u64,
}

struct Now<'t> {
    taker: &'t Taker,
    matched: i64,
    returns_e4: i128,
    left: i64,
    did: Vec<Did>,
}

/// What is taken of each selection: its price, and the stake there.
type Legs = Vec<(u16, u32, i64)>;
/// A cross-match that comes out: the price, the taker's stake, and what is taken of the others.
type Crossing = (u32, i64, Legs);

impl NaiveBook {
    /// An empty one, with room for so many orders.
    pub fn new(ladder: &Ladder, selections: u16, crosses: bool, room: usize) -> NaiveBook {
        NaiveBook {
            prices: ladder.prices().map(|price| price.e4()).collect(),
            runs: vec![true; usize::from(selections)],
            crosses,
            room,
            fills_max: betring_core::book::FILLS_MAX,
            averages: true,
            orders: Vec::new(),
            barred: std::collections::BTreeSet::new(),
            next: 0,
        }
    }

    /// One of lines: a line is as good as a price that is as high, but for an average.
    pub fn of_lines(lines: u32) -> NaiveBook {
        let book = NaiveBook::new(&Ladder::EVEN, 1, false, usize::MAX);
        NaiveBook { prices: (0..lines).collect(), averages: false, ..book }
    }

    /// A selection does not run any more.
    pub fn withdraw(&mut self, selection: u16) {
        if let Some(runs) = self.runs.get_mut(usize::from(selection)) {
            *runs = false;
        }
    }

    /// From here on an order does at most so many things.
    pub fn allow(&mut self, most: usize) {
        self.fills_max = most.min(betring_core::book::FILLS_MAX);
    }

    /// Whether an order would meet anything if it came now.
    pub fn would_match(&self, taker: &Taker) -> bool {
        let now = Now { taker, matched: 0, returns_e4: 0, left: taker.size, did: Vec::new() };
        let direct = self.best(taker.selection, taker.side.other());
        direct.is_some_and(|tick| 0 < self.may(&now, tick))
            || (self.crosses && self.crossing(&now, None).is_some())
    }

    /// Takes an order out.
    pub fn cancel(&mut self, number: u64) -> Option<i64> {
        let at = self.orders.iter().position(|order| order.number == number)?;
        Some(self.orders.remove(at).remaining)
    }

    /// Makes an order smaller.
    pub fn reduce(&mut self, number: u64, by: i64) -> Option<i64> {
        let order = self.orders.iter_mut().find(|order| order.number == number)?;
        match by {
            by if by <= 0 => None,
            by if order.remaining <= by => self.cancel(number),
            by => {
                order.remaining -= by;
                Some(by)
            }
        }
    }

    /// Places an order.
    ///
    /// # Errors
    /// Why it was not let in.
    pub fn place(&mut self, taker: &Taker) -> Result<(Became, Vec<Did>), NotPlaced> {
        if self.prices.len() <= taker.limit.index() as usize {
            return Err(NotPlaced::OffLadder);
        }
        if self.runs.get(usize::from(taker.selection)) != Some(&true) {
            return Err(NotPlaced::NoSuchSelection);
        }
        if taker.size < 1 || taker.kill.is_some_and(|least| least < 1 || taker.size < least) {
            return Err(NotPlaced::Size);
        }
        if self.orders.len() == self.room {
            return Err(NotPlaced::Full);
        }
        let before = self.orders.clone();
        let mut now = Now { taker, matched: 0, returns_e4: 0, left: taker.size, did: Vec::new() };
        let mut lapse = self.matches(&mut now);
        let mut waits = None;
        match taker.kill {
            Some(least) if now.matched < least => {
                self.orders = before;
                let lapse = Some(Lapse::Killed);
                let left = taker.size;
                return Ok((Became { matched: 0, returns_e4: 0, left, lapse, waits }, Vec::new()));
            }
            Some(_) if 0 < now.left => lapse = lapse.or(Some(Lapse::Filled)),
            Some(_) => lapse = None,
            None if 0 < now.left && lapse.is_none() => {
                self.next += 1;
                waits = Some(self.next);
                self.orders.push(Waiting {
                    number: self.next,
                    account: taker.account,
                    selection: taker.selection,
                    side: taker.side,
                    tick: taker.limit.index(),
                    remaining: now.left,
                });
            }
            None => (),
        }
        let Now { matched, returns_e4, left, did, .. } = now;
        Ok((Became { matched, returns_e4, left, lapse, waits }, did))
    }

    /// The best price on a side, and the orders there, oldest first.
    pub fn best(&self, selection: u16, side: Side) -> Option<u32> {
        let ticks = self.orders.iter().filter(|o| (o.selection, o.side) == (selection, side));
        let ticks = ticks.map(|order| order.tick);
        match side {
            Side::Back => ticks.min(),
            Side::Lay => ticks.max(),
        }
    }

    fn at(&self, selection: u16, side: Side, tick: u32) -> Vec<Waiting> {
        let here = |o: &&Waiting| (o.selection, o.side, o.tick) == (selection, side, tick);
        self.orders.iter().filter(here).cloned().collect()
    }

    fn matches(&mut self, now: &mut Now<'_>) -> Option<Lapse> {
        let taker = now.taker;
        while 0 < now.left {
            let direct = self.best(taker.selection, taker.side.other());
            let direct = direct.filter(|tick| 0 < self.may(now, *tick));
            let crossing = if self.crosses { self.crossing(now, direct) } else { None };
            let best = crossing.as_ref().map(|(tick, ..)| *tick).or(direct)?;
            if taker.improvement == Improvement::Refuse
                && is_better(taker.side, best, taker.limit.index())
            {
                return Some(Lapse::Improvement);
            }
            let meets: Vec<(Waiting, i64)> = match &crossing {
                None => {
                    let first = self.at(taker.selection, taker.side.other(), best).remove(0);
                    let stake = first.remaining.min(self.may(now, best));
                    vec![(first, stake)]
                }
                Some((.., legs)) => {
                    let shares = |(selection, tick, stake): &(u16, u32, i64)| {
                        let mut left = *stake;
                        let all = self.at(*selection, taker.side, *tick).into_iter();
                        let parts = all.map(move |order| {
                            let part = order.remaining.min(left);
                            left -= part;
                            (order, part)
                        });
                        parts.filter(|(_, part)| 0 < *part).collect::<Vec<_>>()
                    };
                    legs.iter().flat_map(shares).collect()
                }
            };
            let head = usize::from(crossing.is_some());
            let mut gone = false;
            for (at, (order, _)) in meets.iter().enumerate() {
                if self.fills_max < now.did.len() + head + at + 1 {
                    return Some(Lapse::FillLimit);
                }
                if self.barred.contains(&order.account) {
                    self.cancel(order.number);
                    now.did.push(Did::Cancelled(order.number, order.remaining));
                    gone = true;
                    break;
                }
                if order.account == taker.account && taker.self_match != SelfMatch::Allow {
                    if taker.self_match != SelfMatch::RefuseTaker {
                        self.cancel(order.number);
                        now.did.push(Did::Cancelled(order.number, order.remaining));
                    }
                    if taker.self_match != SelfMatch::CancelMaker {
                        return Some(Lapse::SelfMatch);
                    }
                    gone = true;
                    break;
                }
            }
            if gone {
                continue;
            }
            let mut stake = 0;
            if let Some((tick, crossed, _)) = &crossing {
                now.did.push(Did::Crossed(*tick, *crossed, meets.len()));
                stake = *crossed;
            }
            for (order, part) in meets {
                let left = order.remaining - part;
                now.did.push(Did::Met(order.number, order.selection, order.tick, part, left));
                self.reduce(order.number, part);
                if crossing.is_none() {
                    stake = part;
                }
            }
            now.matched += stake;
            now.left -= stake;
            now.returns_e4 += i128::from(stake) * i128::from(self.prices[best as usize]);
        }
        None
    }

    /// How much may be taken at a price: the largest stake after which what was asked for still holds.
    fn may(&self, now: &Now<'_>, tick: u32) -> i64 {
        let limit = i128::from(self.prices[now.taker.limit.index() as usize]);
        let price = i128::from(self.prices[tick as usize]);
        let good = |stake: i64| {
            let (all, stake) = (i128::from(now.matched + stake), i128::from(stake));
            match (now.taker.kill.filter(|_| self.averages), now.taker.side) {
                (None, Side::Back) => limit <= price,
                (None, Side::Lay) => price <= limit,
                (Some(_), Side::Back) => limit * all <= now.returns_e4 + stake * price,
                (Some(_), Side::Lay) => now.returns_e4 + stake * price <= limit * all,
            }
        };
        // What is good for some is good for less: the average only moves away.
        let (mut yes, mut no) = (0, now.left + 1);
        while yes + 1 < no {
            let middle = yes + (no - yes) / 2;
            if good(middle) {
                yes = middle;
            } else {
                no = middle;
            }
        }
        yes
    }

    fn crossing(&self, now: &Now<'_>, direct: Option<u32>) -> Option<Crossing> {
        let taker = now.taker;
        let mut others = Vec::new();
        for selection in 0..self.runs.len() as u16 {
            if selection != taker.selection && self.runs[usize::from(selection)] {
                let tick = self.best(selection, taker.side)?;
                let size: i64 =
                    self.at(selection, taker.side, tick).iter().map(|o| o.remaining).sum();
                others.push((selection, tick, size));
            }
        }
        if others.is_empty() {
            return None;
        }
        let first = self.crossed_tick(taker.side, &others)?;
        let second = match taker.side {
            Side::Back => first.checked_sub(1),
            Side::Lay => Some(first + 1).filter(|tick| (*tick as usize) < self.prices.len()),
        };
        for tick in [Some(first), second].into_iter().flatten() {
            if direct.is_some_and(|direct| !is_better(taker.side, tick, direct)) {
                return None;
            }
            let may = self.may(now, tick);
            if may < 1 {
                continue;
            }
            if let Some((stake, legs)) = self.comes_out(taker.side, tick, may, &others) {
                return Some((tick, stake, legs));
            }
        }
        None
    }

    /// The best price at which the probabilities of all outcomes add up in the house's favour, exactly.
    fn crossed_tick(&self, side: Side, others: &[(u16, u32, i64)]) -> Option<u32> {
        let fair = |tick: &u32| {
            let mut all: Vec<u64> =
                others.iter().map(|(_, tick, _)| u64::from(self.prices[*tick as usize])).collect();
            all.push(u64::from(self.prices[*tick as usize]));
            let product = |skip: usize| {
                let kept = all.iter().enumerate().filter(|(at, _)| *at != skip);
                kept.fold(Wide::from(1), |product, (_, price)| product * Wide::from(*price))
            };
            let sum = (0..all.len()).fold(Wide::ZERO, |sum, at| sum + product(at));
            let (sum, one) = (sum * Wide::from(10_000), product(usize::MAX));
            match side {
                Side::Back => one <= sum,
                Side::Lay => sum <= one,
            }
        };
        let mut ticks = 0..self.prices.len() as u32;
        match side {
            Side::Back => ticks.rfind(fair),
            Side::Lay => ticks.find(fair),
        }
    }

    fn comes_out(
        &self,
        side: Side,
        tick: u32,
        may: i64,
        others: &[(u16, u32, i64)],
    ) -> Option<(i64, Legs)> {
        let e4 = |tick: u32| i128::from(self.prices[tick as usize]);
        // What the thinnest level bears, in whole units; and the taker's share of that.
        let bears =
            others.iter().map(|(_, at, size)| i128::from(*size) * e4(*at) / 10_000).min()?;
        let stake = i64::try_from((bears * 10_000 / e4(tick)).min(i128::from(may))).ok()?;
        if stake < 1 {
            return None;
        }
        let own = i128::from(stake) * e4(tick);
        for near in 0..=others.len() as i128 + 1 {
            let payout = match side {
                Side::Back => (own + 9_999) / 10_000 + near,
                Side::Lay => own / 10_000 - near,
            };
            let legs: Legs = others
                .iter()
                .map(|(selection, at, _)| {
                    let exact = payout * 10_000;
                    let stake = match side {
                        Side::Back => exact.div_euclid(e4(*at)),
                        Side::Lay => -(-exact).div_euclid(e4(*at)),
                    };
                    (*selection, *at, stake as i64)
                })
                .collect();
            let fits = legs.iter().zip(others).all(|(leg, other)| 1 <= leg.2 && leg.2 <= other.2);
            // The house in every outcome: what it has staked with, less what it has to pay; or the other way round.
            let staked = i128::from(stake) + legs.iter().map(|leg| i128::from(leg.2)).sum::<i128>();
            let mut outcomes = vec![own];
            outcomes.extend(legs.iter().map(|leg| i128::from(leg.2) * e4(leg.1)));
            let gains = outcomes.iter().all(|pays| match side {
                Side::Back => *pays <= staked * 10_000,
                Side::Lay => staked * 10_000 <= *pays,
            });
            if fits && gains {
                return Some((stake, legs));
            }
        }
        None
    }

    /// What waits on a side, best first, as prices and sizes.
    pub fn depth(&self, selection: u16, side: Side) -> Vec<(Tick, i64)> {
        let mut ticks: Vec<u32> = self
            .orders
            .iter()
            .filter(|order| (order.selection, order.side) == (selection, side))
            .map(|order| order.tick)
            .collect();
        ticks.sort_unstable();
        ticks.dedup();
        if side == Side::Lay {
            ticks.reverse();
        }
        let size = |tick: u32| self.at(selection, side, tick).iter().map(|o| o.remaining).sum();
        ticks.into_iter().map(|tick| (Tick::new(tick), size(tick))).collect()
    }
}

fn is_better(side: Side, one: u32, other: u32) -> bool {
    match side {
        Side::Back => one > other,
        Side::Lay => one < other,
    }
}
