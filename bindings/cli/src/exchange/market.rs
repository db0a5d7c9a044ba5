//! One market of a recording, as orders in a book.

use crate::exchange::seeded::{OURS, Ours, Seeded};
use betring_betfair::{
    Book as Recorded, Decimal, LadderKind, MarketChange, MarketDefinition, MarketStatus, PriceSize,
    SelectionKey,
};
use betring_core::book::{
    Book, End, Improvement, Log, OrderIndex, Orders, Prices, SelfMatch, Side, Step, Taker,
};
use betring_pricing::{Ladder, Price, Tick};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Whose the recording's orders are.
const RECORDED: u32 = 0;
/// Less than this at a price is not displayed there, but with the next one: so it is in the recordings. Minor units.
const SHOWN_MIN: i64 = 100;
/// Differences that are shown word by word.
const EXAMPLES_MAX: usize = 5;
const SIDES: [Side; 2] = [Side::Back, Side::Lay];

/// What came of one market. The names are those of the JSON.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    /// Changes of the market.
    pub(super) messages: u64,
    pub(super) runners: usize,
    pub(super) winners: u16,
    /// Orders placed, made smaller, and cancelled, to have what the recording has.
    pub(super) placed: u64,
    pub(super) reduced: u64,
    pub(super) cancelled: u64,
    /// Prices at which something was traded, and orders that it met.
    pub(super) trades: u64,
    pub(super) fills: u64,
    /// Messages after which the depth was the recording's, price by price, and after which it was not.
    pub(super) depth_same: u64,
    pub(super) depth_differs: u64,
    /// Orders of the recording that met others of it where no trade was told.
    pub(super) crossed: u64,
    /// Prices of orders that the ladder does not have.
    pub(super) off_ladder: u64,
    /// Displayed best prices that were compared; how many of them are ours, also in their size, and how many are
    /// the best of the orders alone.
    pub(super) shown_prices: u64,
    pub(super) shown_price_is_ours: u64,
    pub(super) shown_size_is_ours: u64,
    pub(super) shown_price_is_raw: u64,
    pub(super) ours: Ours,
    /// The first differences, in words.
    pub(super) examples: Vec<String>,
}

impl Report {
    pub(super) fn is_clean(&self) -> bool {
        self.depth_differs == 0 && self.crossed == 0 && self.off_ladder == 0
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text());
        }
    }
}

/// Sizes by price, in minor units.
type Depth = BTreeMap<u32, i64>;

/// A market: what the recording says, and our orders that say the same.
pub(super) struct Market {
    recorded: Recorded,
    rebuilt: Option<Rebuilt>,
    seeded: Option<Seeded>,
    report: Report,
}

struct Rebuilt {
    ladder: Ladder,
    book: Book,
    places: BTreeMap<SelectionKey, u16>,
    /// The recording's orders of each price, oldest first.
    queues: BTreeMap<(u16, usize, u32), VecDeque<OrderIndex>>,
    open: bool,
    crosses: bool,
}

impl Market {
    pub(super) fn new(seeded: Option<Seeded>) -> Market {
        Market { recorded: Recorded::default(), rebuilt: None, seeded, report: Report::default() }
    }

    pub(super) fn report(mut self, orders: &Orders) -> Report {
        if let Some(rebuilt) = &self.rebuilt {
            let keys: Vec<SelectionKey> = rebuilt.places.keys().copied().collect();
            let mut end = Report::default();
            rebuilt.compare(&keys, &self.recorded, orders, &mut end);
            self.report.depth_differs += end.depth_differs;
            end.examples.into_iter().for_each(|text| self.report.example(|| text));
        }
        if let (Some(seeded), Some(rebuilt), Some(definition)) =
            (&mut self.seeded, &self.rebuilt, self.recorded.definition())
            && definition.status == MarketStatus::Closed
        {
            seeded.settle(definition, &rebuilt.places);
        }
        if let Some(seeded) = self.seeded {
            self.report.ours = seeded.told;
        }
        self.report
    }

    /// Takes in a change. What cannot be, in words; the change is left out then.
    pub(super) fn take(
        &mut self,
        change: &MarketChange,
        orders: &mut Orders,
        log: &mut Log,
    ) -> Result<(), String> {
        let traded = self.traded(change);
        self.recorded.apply(change).map_err(|reason| reason.to_string())?;
        self.report.messages += 1;
        if let Some(definition) = &change.definition {
            self.define(definition, orders)?;
        }
        let Some(rebuilt) = &mut self.rebuilt else {
            return Err("prices before the market's definition".to_owned());
        };
        let mut told = Told { report: &mut self.report, seeded: &mut self.seeded };
        for (key, price, volume) in traded {
            rebuilt.trade(key, price, volume, orders, log, &mut told)?;
        }
        if change.image {
            rebuilt.sync_all(&self.recorded, orders, log, &mut told)?;
        }
        for runner in &change.runners {
            rebuilt.sync(runner.key(), &self.recorded, orders, log, &mut told)?;
        }
        // What did not change is looked at with everything now and then, and at the end.
        let all = change.image || change.definition.is_some();
        let changed: Vec<SelectionKey> = match all {
            true => rebuilt.places.keys().copied().collect(),
            false => change.runners.iter().map(|runner| runner.key()).collect(),
        };
        rebuilt.compare(&changed, &self.recorded, orders, told.report);
        for runner in &change.runners {
            rebuilt.compare_shown(runner.key(), &self.recorded, told.report);
        }
        rebuilt.meet(&self.recorded, orders, log, &mut told)
    }

    /// What was traded by a change: by runner and price so much more than before, half of it, for both sides count.
    /// The best price for the taker comes first; who that is, is found out later.
    fn traded(&self, change: &MarketChange) -> Vec<(SelectionKey, Decimal, i64)> {
        let mut traded = Vec::new();
        for runner in &change.runners {
            let before = self.recorded.runner(runner.key()).filter(|_| !change.image);
            for PriceSize { price, size } in &runner.trd {
                let before = before.and_then(|it| it.traded().levels().find(|l| l.price == *price));
                let before = before.and_then(|level| minor(level.size)).unwrap_or(0);
                let more = minor(*size).unwrap_or(0) - before;
                // An image says what was traded before anybody listened.
                if !change.image && 0 < more / 2 {
                    traded.push((runner.key(), *price, more / 2));
                }
            }
        }
        traded.sort_by_key(|(key, price, _)| (*key, *price));
        traded
    }

    /// A market's definition: the first makes its book, any takes runners out and suspends.
    fn define(&mut self, definition: &MarketDefinition, orders: &mut Orders) -> Result<(), String> {
        if self.rebuilt.is_none() {
            self.rebuilt = Some(Rebuilt::of(definition)?);
        }
        let Some(rebuilt) = &mut self.rebuilt else { return Ok(()) };
        for runner in &definition.runners {
            let Some(place) = rebuilt.places.get(&runner.key()).copied() else {
                return Err(format!("runner {} was not in the first definition", runner.key()));
            };
            if runner.status.is_removed() {
                rebuilt.book.withdraw(place);
            }
        }
        self.report.runners = rebuilt.places.len();
        self.report.winners = definition.number_of_winners.unwrap_or(1);
        rebuilt.crosses = self.report.winners == 1;
        rebuilt.open = definition.status == MarketStatus::Open;
        if !rebuilt.open
            && let Some(seeded) = &mut self.seeded
        {
            for order in std::mem::take(&mut seeded.resting) {
                seeded.told.lapsed += rebuilt.book.cancel(orders, order).unwrap_or(0);
            }
        }
        Ok(())
    }
}

/// Where it is told what happens.
struct Told<'a> {
    report: &'a mut Report,
    seeded: &'a mut Option<Seeded>,
}

impl Rebuilt {
    fn of(definition: &MarketDefinition) -> Result<Rebuilt, String> {
        let ladder = match definition.ladder {
            LadderKind::Classic => Ladder::CLASSIC,
            LadderKind::Finest => Ladder::FINEST,
            LadderKind::LineRange => {
                return Err("a line market: its numbers are points, and not odds".to_owned());
            }
        };
        let keys = definition.runners.iter().map(|runner| runner.key());
        let places: BTreeMap<SelectionKey, u16> = keys.zip(0..).collect();
        let book = Book::new(Prices::of(&ladder), places.len() as u16, false);
        let queues = BTreeMap::new();
        Ok(Rebuilt { ladder, book, places, queues, open: false, crosses: false })
    }

    fn place_of(&self, key: SelectionKey) -> Result<u16, String> {
        let place = self.places.get(&key).copied();
        place.ok_or_else(|| format!("runner {key} is in no definition"))
    }

    fn tick(&self, price: Decimal) -> Option<Tick> {
        self.ladder.tick(Price::from_e4(price.to_e4()?)?)
    }

    /// Somebody took so much at a price: whoever rests there, or would have been taken before.
    fn trade(
        &mut self,
        key: SelectionKey,
        price: Decimal,
        volume: i64,
        orders: &mut Orders,
        log: &mut Log,
        told: &mut Told<'_>,
    ) -> Result<(), String> {
        let selection = self.place_of(key)?;
        // What was matched at the starting price is on no ladder, and met nobody who waited.
        let Some(limit) = self.tick(price) else { return Ok(()) };
        let rests = |side: Side| {
            self.book
                .best(selection, side)
                .filter(|best| !side.prefers(limit.index(), best.index()))
        };
        let side = SIDES.into_iter().find(|side| rests(*side).is_some());
        let Some(side) = side else { return Ok(()) };
        told.report.trades += 1;
        let (matched, _) =
            self.place(selection, side.other(), limit, volume, orders, log, told, true)?;
        told.report.fills += matched;
        Ok(())
    }

    /// The recording's order goes in; how many it met, and where it rests. One that `takes` does not rest.
    #[expect(
        clippy::too_many_arguments,
        reason = "an order, and the three places where it leaves its marks"
    )]
    fn place(
        &mut self,
        selection: u16,
        side: Side,
        limit: Tick,
        size: i64,
        orders: &mut Orders,
        log: &mut Log,
        told: &mut Told<'_>,
        takes: bool,
    ) -> Result<(u64, i64), String> {
        let taker = Taker {
            account: RECORDED,
            selection,
            side,
            limit,
            size,
            kill: None,
            self_match: SelfMatch::Allow,
            improvement: Improvement::Take,
        };
        let placed = self.book.place(orders, &taker, log);
        let placed = placed.map_err(|error| format!("an order of the recording: {error:?}"))?;
        let met = self.heed(&taker, log, told);
        self.book.finish(orders, log);
        if let End::Rests(index) = placed.end {
            if takes {
                self.book.cancel(orders, index);
            } else {
                let queue = self.queues.entry((selection, side as usize, limit.index()));
                queue.or_default().push_back(index);
            }
        }
        Ok((met, placed.matched))
    }

    /// What an order met leaves the queues, or is told of ours. How many of the recording's it met.
    fn heed(&mut self, taker: &Taker, log: &Log, told: &mut Told<'_>) -> u64 {
        let mut met = 0;
        for step in log.steps() {
            let (selection, maker, account, tick, stake, left) = match *step {
                Step::Fill { maker, account, tick, stake, left } => {
                    (taker.selection, maker, account, tick, stake, left)
                }
                Step::Leg { maker, account, selection, tick, stake, left } => {
                    (selection, maker, account, tick, stake, left)
                }
                Step::Cross { .. } | Step::Cancelled { .. } => continue,
            };
            // A leg bets the same way as the taker.
            let between = matches!(step, Step::Leg { .. });
            let side = if between { taker.side } else { taker.side.other() };
            if account == OURS {
                let Some(seeded) = told.seeded else { continue };
                seeded.told.matched_at_rest += stake;
                seeded.fills(selection, side, stake, odds_at(&self.ladder, tick));
                if left == 0 {
                    seeded.resting.remove(&maker);
                }
                continue;
            }
            met += 1;
            let key = (selection, side as usize, tick);
            if left == 0
                && let Some(queue) = self.queues.get_mut(&key)
            {
                queue.retain(|index| *index != maker);
            }
        }
        met
    }

    /// What a runner's depth is in the recording: backs are available to lay, and lays to back.
    fn recorded_depth(
        &self,
        key: SelectionKey,
        recorded: &Recorded,
        report: &mut Report,
    ) -> [Depth; 2] {
        let Some(runner) = recorded.runner(key) else { return Default::default() };
        [runner.available_to_lay(), runner.available_to_back()].map(|sizes| {
            let mut depth = Depth::new();
            for level in sizes.levels() {
                match (self.tick(level.price), minor(level.size)) {
                    (Some(tick), Some(size)) => drop(depth.insert(tick.index(), size)),
                    (None, _) | (_, None) => report.off_ladder += 1,
                }
            }
            depth
        })
    }

    fn sync_all(
        &mut self,
        recorded: &Recorded,
        orders: &mut Orders,
        log: &mut Log,
        told: &mut Told<'_>,
    ) -> Result<(), String> {
        let keys: Vec<SelectionKey> = self.places.keys().copied().collect();
        keys.into_iter().try_for_each(|key| self.sync(key, recorded, orders, log, told))
    }

    /// Places, makes smaller and cancels until the recording's orders of a runner come to what it says.
    fn sync(
        &mut self,
        key: SelectionKey,
        recorded: &Recorded,
        orders: &mut Orders,
        log: &mut Log,
        told: &mut Told<'_>,
    ) -> Result<(), String> {
        let selection = self.place_of(key)?;
        let wanted = self.recorded_depth(key, recorded, told.report);
        // First everything that is too much, so that nothing new meets what is gone.
        for side in SIDES {
            let range = (selection, side as usize, 0)..=(selection, side as usize, u32::MAX);
            let ticks: Vec<u32> = self.queues.range(range).map(|((_, _, tick), _)| *tick).collect();
            for tick in ticks {
                let target = wanted[side as usize - 1].get(&tick).copied().unwrap_or(0);
                self.shrink((selection, side as usize, tick), target, orders, told);
            }
        }
        for side in SIDES {
            for (tick, target) in &wanted[side as usize - 1] {
                let key = (selection, side as usize, *tick);
                let mut more = target - self.size_of(&key, orders);
                while 0 < more {
                    told.report.placed += 1;
                    let limit = Tick::new(*tick);
                    let (met, matched) =
                        self.place(selection, side, limit, more, orders, log, told, false)?;
                    told.report.crossed += met;
                    if 0 < met {
                        let at = odds_at(&self.ladder, *tick);
                        told.report.example(|| {
                            format!("{side:?} of {selection} at {at}: it met {met} others")
                        });
                        break;
                    }
                    // What met ours is there once more: the recording knows nothing of ours.
                    more = matched;
                }
            }
        }
        Ok(())
    }

    fn size_of(&self, key: &(u16, usize, u32), orders: &Orders) -> i64 {
        let queue = self.queues.get(key).into_iter().flatten();
        queue.filter_map(|index| orders.get(*index)).map(|order| order.remaining).sum()
    }

    /// Takes from the youngest until no more than the target is left.
    fn shrink(
        &mut self,
        key: (u16, usize, u32),
        target: i64,
        orders: &mut Orders,
        told: &mut Told<'_>,
    ) {
        let mut over = self.size_of(&key, orders) - target;
        let Some(queue) = self.queues.get_mut(&key) else { return };
        while 0 < over
            && let Some(youngest) = queue.back().copied()
        {
            let gone = self.book.reduce(orders, youngest, over).unwrap_or(0);
            over -= gone;
            if orders.get(youngest).is_none() {
                queue.pop_back();
                told.report.cancelled += 1;
            } else {
                told.report.reduced += 1;
            }
        }
        if queue.is_empty() {
            self.queues.remove(&key);
        }
    }

    /// Whether the depth of the book, without ours, is the recording's on these runners.
    fn compare(
        &self,
        keys: &[SelectionKey],
        recorded: &Recorded,
        orders: &Orders,
        report: &mut Report,
    ) {
        let mut same = true;
        for (key, selection) in keys.iter().filter_map(|key| self.places.get_key_value(key)) {
            let wanted = self.recorded_depth(*key, recorded, &mut Report::default());
            for side in SIDES {
                let mut found = Depth::new();
                for (tick, size) in self.book.depth(*selection, side) {
                    let ours = self.ours_at(*selection, side, tick, orders);
                    if ours < size {
                        found.insert(tick.index(), size - ours);
                    }
                }
                if found != wanted[side as usize - 1] {
                    same = false;
                    report.example(|| format!("{side:?} of {key}: {found:?}, not {wanted:?}"));
                }
            }
        }
        if same {
            report.depth_same += 1;
        } else {
            report.depth_differs += 1;
        }
    }

    /// What is not the recording's at a price.
    fn ours_at(&self, selection: u16, side: Side, tick: Tick, orders: &Orders) -> i64 {
        let key = (selection, side as usize, tick.index());
        self.book.size(selection, side, tick) - self.size_of(&key, orders)
    }

    /// Compares the best displayed prices with ours: the better of the orders and of what the house would match
    /// between selections.
    fn compare_shown(&mut self, key: SelectionKey, recorded: &Recorded, report: &mut Report) {
        let (Some(runner), Ok(selection)) = (recorded.runner(key), self.place_of(key)) else {
            return;
        };
        if !self.crosses || !self.open {
            return;
        }
        self.book.set_crosses(true);
        for (side, shown) in [(Side::Lay, runner.shown_back()), (Side::Back, runner.shown_lay())] {
            let Some(shown) = shown else { continue };
            let crossed = self.book.virtual_price(selection, side.other());
            let raw = self.book.depth(selection, side);
            let raw = shown_first(side, raw.map(|(tick, size)| (tick.index(), size)), None);
            let all = self.book.depth(selection, side).map(|(tick, size)| (tick.index(), size));
            let ours = shown_first(side, all, crossed.map(|(tick, size)| (tick.index(), size)));
            report.shown_prices += 1;
            let tick = self.tick(shown.price).map(Tick::index);
            report.shown_price_is_raw += u64::from(raw.map(|it| it.0) == tick);
            let is_ours = ours.map(|it| it.0) == tick;
            report.shown_price_is_ours += u64::from(is_ours);
            report.shown_size_is_ours +=
                u64::from(is_ours && ours.map(|it| it.1) == minor(shown.size));
        }
        self.book.set_crosses(false);
    }

    /// An order of ours comes, if it is time for one, and what it took is there again.
    fn meet(
        &mut self,
        recorded: &Recorded,
        orders: &mut Orders,
        log: &mut Log,
        told: &mut Told<'_>,
    ) -> Result<(), String> {
        let Some(seeded) = told.seeded.as_mut().filter(|_| self.open) else { return Ok(()) };
        let Some(taker) = seeded.draw(&self.book, &self.ladder, self.places.len() as u16) else {
            return Ok(());
        };
        self.book.set_crosses(self.crosses);
        let placed = self.book.place(orders, &taker, log);
        self.book.set_crosses(false);
        // A runner that was taken out takes no orders.
        let Ok(placed) = placed else { return Ok(()) };
        seeded.told.matched_at_once += placed.matched;
        for step in log.steps() {
            match *step {
                Step::Fill { tick, stake, .. } => {
                    seeded.fills(taker.selection, taker.side, stake, odds_at(&self.ladder, tick));
                }
                Step::Cross { tick, stake, .. } => {
                    seeded.told.matched_between_selections += stake;
                    seeded.fills(taker.selection, taker.side, stake, odds_at(&self.ladder, tick));
                }
                Step::Leg { .. } | Step::Cancelled { .. } => (),
            }
        }
        if let End::Rests(index) = placed.end {
            seeded.resting.insert(index);
        }
        self.heed(&taker, log, told);
        self.book.finish(orders, log);
        if 0 < placed.matched {
            self.sync_all(recorded, orders, log, told)?;
        }
        Ok(())
    }
}

/// The first price that is displayed, and its size: what is too small goes with the next.
fn shown_first(
    side: Side,
    depth: impl Iterator<Item = (u32, i64)>,
    crossed: Option<(u32, i64)>,
) -> Option<(u32, i64)> {
    let mut levels: Vec<(u32, i64)> = depth.chain(crossed).collect();
    // Best for the taker first.
    levels.sort_by_key(|(tick, _)| *tick);
    if side == Side::Lay {
        levels.reverse();
    }
    let mut size = 0;
    for at in 0..levels.len() {
        size += levels[at].1;
        let more_here = levels.get(at + 1).is_some_and(|next| next.0 == levels[at].0);
        if SHOWN_MIN <= size && !more_here {
            return Some((levels[at].0, size));
        }
    }
    None
}

fn odds_at(ladder: &Ladder, tick: u32) -> u32 {
    ladder.price(Tick::new(tick)).map_or(0, Price::e4)
}

/// Minor units of two digits, if it is a whole number of them.
fn minor(size: Decimal) -> Option<i64> {
    let (mantissa, scale) = (size.mantissa(), u32::from(size.scale()));
    let whole = match scale {
        0..=2 => mantissa.checked_mul(10_i128.pow(2 - scale))?,
        _ => {
            let parts = 10_i128.checked_pow(scale - 2)?;
            if mantissa % parts != 0 {
                return None;
            }
            mantissa / parts
        }
    };
    i64::try_from(whole).ok()
}
