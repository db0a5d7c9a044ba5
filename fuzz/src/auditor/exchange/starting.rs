//! A market turns in-play: starting prices are found by trying odds, and what is for them is matched. And a runner is
//! withdrawn.

use super::super::Auditor;
use super::meet::{covered, is_content, liability_of};
use super::{Order, Trading, WHOLE};
use betring_core::OrderState;
use betring_core::book::Side;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::wire::Minor;
use std::collections::BTreeMap;

/// In ten-thousandths: below this nothing changes in a market of one winner, and from this on lays lapse there.
const FACTOR: u16 = 250;
/// From this on lays lapse in a market of places.
const FACTOR_OF_PLACES: u16 = 400;
/// The shortest odds to which a factor cuts.
const SHORTEST: i128 = 10_100;

/// Backers' stakes that are still to be matched at the starting price, by selection and side.
pub(super) type Shares = BTreeMap<(usize, u8), i128>;

/// What is matched at some odds, and what is left of the heavier side as a fraction.
struct Tried {
    odds: u32,
    matched: i128,
    left: (i128, i128),
}

impl Tried {
    /// More is matched, or as much and less is left.
    fn is_better_than(&self, other: &Tried) -> bool {
        let less = self.left.0 * other.left.1 < other.left.0 * self.left.1;
        other.matched < self.matched || (self.matched == other.matched && less)
    }
}

impl Auditor {
    /// What is to be matched at the starting price goes there, and what waits for its delay goes.
    pub(super) fn converts(&mut self, id: u64) {
        let order = self.order(id).clone();
        if order.state == OrderState::Pending {
            return self.ends(id, Cut::InPlay);
        }
        if order.state.waits() && self.may_bet(order.account).is_err() {
            return self.ends(id, Cut::Barred);
        }
        let moves = order.persistence == Persistence::MarketOnClose && !order.on_close();
        if order.state != OrderState::Executable || !moves {
            return;
        }
        let trading = &self.exchange.markets[&order.market];
        let left = match order.side {
            Side::Back => i128::from(order.left),
            Side::Lay => liability_of(order.left, order.limit),
        };
        let enough = order.side == Side::Back || i128::from(trading.terms.min_liability.0) <= left;
        if !enough || !trading.starts() {
            return self.ends(id, Cut::InPlay);
        }
        self.leaves_book(id);
        let changed = self.order_mut(id);
        changed.kind = OrderKind::MarketOnClose;
        changed.persistence = Persistence::Lapse;
        changed.limit = 0;
        changed.size += left as i64 - changed.left;
        changed.left = left as i64;
        self.touch(order.market, order.account);
        self.tell_change(id);
    }

    /// Finds the starting prices, and how much of each side takes part: as much as both have.
    pub(super) fn makes_starting_prices(&mut self, market: u64) -> Shares {
        let trading = &self.exchange.markets[&market];
        let mut shares = Shares::new();
        if !trading.starts() {
            return shares;
        }
        let prices: Vec<u32> =
            (0..trading.runs.len()).map(|at| self.starting_price(trading, at)).collect();
        self.trading(market).starting.clone_from(&prices);
        for (selection, odds) in prices.into_iter().enumerate() {
            let [backs, lays] = [Side::Back, Side::Lay].map(|side| {
                let orders = self.exchange.markets[&market].orders.iter().map(|id| self.order(*id));
                let own = orders.filter(|o| (o.selection, o.side) == (selection, side));
                own.map(|order| part_at(order, odds)).sum::<i128>()
            });
            let matched = backs.min(lays);
            shares.insert((selection, Side::Back as u8), matched);
            shares.insert((selection, Side::Lay as u8), matched);
            self.told.push(Event::StartingPrice(StartingPrice {
                market: MarketId::from_raw(market),
                matched: Minor(matched as i64),
                price_e4: odds,
                selection: SelectionIndex(selection as u16),
                zero: [0; 10],
            }));
        }
        shares
    }

    /// The odds at which the most is matched; of those the ones that leave less, and of those the ones nearest to where backs
    /// begin to be enough: below that the longest, else the shortest. 0: none.
    fn starting_price(&self, trading: &Trading, selection: usize) -> u32 {
        let orders = trading.orders.iter().map(|id| self.order(*id));
        let here = |o: &&Order| o.selection == selection && o.state == OrderState::Executable;
        let orders: Vec<&Order> = orders.filter(here).collect();
        if !trading.runs[selection] || !orders.iter().any(|order| order.on_close()) {
            return 0;
        }
        let mut best: Option<Tried> = None;
        for odds in odds_to_try(&trading.prices, &orders) {
            let tried = try_odds(&orders, odds);
            let below = !backs_are_enough(&orders, odds);
            let is_better = |best: &Tried| {
                tried.is_better_than(best) || (below && !best.is_better_than(&tried))
            };
            if best.as_ref().is_none_or(is_better) {
                best = Some(tried);
            }
        }
        best.filter(|best| 0 < best.matched).map_or(0, |best| best.odds)
    }

    /// An order is matched at the starting price as far as it takes part, those without a limit first.
    pub(super) fn closes(&mut self, id: u64, unlimited: bool, shares: &mut Shares) {
        let order = self.order(id).clone();
        let first = order.kind == OrderKind::MarketOnClose;
        if !order.state.waits() || (unlimited && !first) {
            return;
        }
        let trading = &self.exchange.markets[&order.market];
        let odds = if trading.started { 0 } else { trading.starting[order.selection] };
        let may = part_at(&order, odds);
        let share = shares.entry((order.selection, order.side as u8)).or_default();
        let stake = may.min(*share);
        *share -= stake;
        let (may, stake) = (may as i64, stake as i64);
        if order.on_close() && order.side == Side::Lay && 0 < may {
            // From here on it is counted by the stakes that it covers.
            let changed = self.order_mut(id);
            changed.size += may - changed.left;
            changed.left = may;
            self.touch(order.market, order.account);
            self.tell_change(id);
        }
        if 0 < stake {
            self.gets_smaller(id, stake);
            self.is_matched(id, 0, Match::Starting, (order.selection, odds), stake);
        }
        let left = self.order(id).left;
        if left == 0 {
            self.leaves_book(id);
            self.order_mut(id).state = OrderState::ExecutionComplete;
        } else if order.on_close() {
            self.ends(id, Cut::StartingPrice);
        } else if order.persistence != Persistence::Persist {
            self.ends(id, Cut::InPlay);
        }
    }

    /// A runner was withdrawn: what was matched on it is void, the odds of the others are cut.
    pub(super) fn is_without_runner(&mut self, id: u64) {
        let order = self.order(id).clone();
        let trading = &self.exchange.markets[&order.market];
        let ((runner, factor), places) = (trading.withdrawn, trading.has(SetExchange::PLACES));
        if order.selection == runner {
            self.ends(id, Cut::Withdrawn);
            if 0 < order.matched && !order.void {
                self.order_mut(id).void = true;
                self.tell_reduction(id, order.returns, 0);
            }
            return;
        }
        let least = if places { FACTOR_OF_PLACES } else { FACTOR };
        if least <= factor && order.side == Side::Lay && !order.on_close() {
            self.ends(id, Cut::NonRunner);
        }
        let small = factor < FACTOR && !places;
        if order.matched == 0 || order.void || small {
            return;
        }
        let mut prices = order.prices.clone();
        for (stake, returns) in &mut prices {
            *returns = cut_by(order.side, *stake, *returns, factor, places);
        }
        let after = prices.iter().map(|(_, returns)| *returns).sum::<i128>();
        self.order_mut(id).prices = prices;
        if after != order.returns {
            self.order_mut(id).returns = after;
            self.tell_reduction(id, order.returns, after);
        }
    }

    fn tell_reduction(&mut self, id: u64, before_e4: i128, after_e4: i128) {
        let account = AccountId::from_raw(self.order(id).account);
        let order = OrderId::from_raw(id);
        self.told.push(Event::OrderReduced(OrderReduced { order, account, before_e4, after_e4 }));
    }
}

/// What a stake at one price returns once a factor has cut its odds, or with places its winnings; to the backer's disadvantage where
/// it is not even, and to the layer's.
fn cut_by(side: Side, stake: i64, returns: i128, factor: u16, places: bool) -> i128 {
    let staked = i128::from(stake) * WHOLE;
    let (kept, cut) = if places { (staked, returns - staked) } else { (0, returns) };
    let parts = cut * (WHOLE - i128::from(factor));
    let rest = match side {
        Side::Back => parts.div_euclid(WHOLE),
        Side::Lay => (parts + WHOLE - 1).div_euclid(WHOLE),
    };
    // Odds that were shorter stay what they were.
    let shortest = i128::from(stake) * SHORTEST;
    let least = if places { 0 } else { shortest.min(returns) };
    kept + rest.max(least)
}

/// Backers' stakes of an order that take part at these odds.
fn part_at(order: &Order, odds: u32) -> i128 {
    let takes_part = odds != 0
        && order.state == OrderState::Executable
        && is_content(order.side, order.limit, odds);
    match takes_part {
        false => 0,
        true if order.on_close() && order.side == Side::Lay => covered(order.left, odds),
        true => i128::from(order.left),
    }
}

/// All odds of the ladder, and between two of them those beside which both sides have as much: shortest first. Between
/// two prices the same orders take part, the backs are the same at all odds and the lays cover less the longer they
/// are, so nothing else can be best.
fn odds_to_try(prices: &[u32], orders: &[&Order]) -> Vec<u32> {
    let mut all = prices.to_vec();
    for pair in prices.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let (mut less, mut enough) = (from + 1, to);
        while less < enough {
            let middle = less + (enough - less) / 2;
            if backs_are_enough(orders, middle) {
                enough = middle;
            } else {
                less = middle + 1;
            }
        }
        all.extend([enough - 1, enough].into_iter().filter(|odds| from < *odds && *odds < to));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Stakes that want these odds, stakes of lays in the book that do, and liabilities that do.
fn sums_at(orders: &[&Order], odds: u32) -> (i128, i128, i128) {
    let sum = |side: Side, liability: bool| {
        let own = orders.iter().filter(|o| o.side == side && is_content(side, o.limit, odds));
        let own = own.filter(|o| (side == Side::Lay && o.on_close()) == liability);
        own.map(|order| i128::from(order.left)).sum()
    };
    (sum(Side::Back, false), sum(Side::Lay, false), sum(Side::Lay, true))
}

/// Backs ≥ lays + liability / (odds − 1).
fn backs_are_enough(orders: &[&Order], odds: u32) -> bool {
    let (backs, lays, liability) = sums_at(orders, odds);
    liability * WHOLE <= (backs - lays) * (i128::from(odds) - WHOLE)
}

fn try_odds(orders: &[&Order], odds: u32) -> Tried {
    let (backs, lays, liability) = sums_at(orders, odds);
    let each = i128::from(odds) - WHOLE;
    let matched = backs.min(lays + liability * WHOLE / each);
    let left = ((backs - lays) * each - liability * WHOLE).abs();
    Tried { odds, matched, left: (left, each) }
}
