//! Prices as the rules have them: what each feed sends, what is held back, what a trader pins, what is in force
//! and how old that is, and when two feeds are too far apart.

use super::feeds::delayed;
use super::{Auditor, Decided, Feed, Market, Runner, and};
use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::WirePrice;

/// What one feed says of a selection.
#[derive(Clone, Debug, Default)]
pub(super) struct Quote {
    /// As the feed sent it.
    pub(super) quoted: WirePrice,
    /// Shortened for liability.
    pub(super) price: WirePrice,
    pub(super) version: u64,
    pub(super) received: i64,
    pub(super) as_of: i64,
    pub(super) delay: i64,
    pub(super) generation: u32,
    pub(super) held: Option<Held>,
}

/// A price that is not plausible, and what came with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) quoted: WirePrice,
    received: i64,
    as_of: i64,
    delay: i64,
}

/// A trader's price.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pin {
    pub(super) price: WirePrice,
    pub(super) version: u64,
    at: i64,
    pub(super) seq: u64,
}

/// What a bet binds to.
#[derive(Clone, Copy, Debug)]
pub(super) struct InForce {
    pub(super) price: WirePrice,
    pub(super) version: u64,
    pub(super) age: i64,
    /// Whose price it is.
    pub(super) feed: u16,
    /// What a bet is bought back at: the price before it was shortened.
    pub(super) sent: WirePrice,
}

/// The stricter of two bounds, of which 0 is none.
pub(super) fn stricter(one: i64, other: i64) -> i64 {
    match (one, other) {
        (0, bound) | (bound, 0) => bound,
        (one, other) => one.min(other),
    }
}

/// Whether two prices are further apart than so many millionths of the second.
fn are_apart(one: WirePrice, from: WirePrice, band: u32) -> bool {
    let apart = i128::from(one.e4) - i128::from(from.e4);
    i128::from(band) * i128::from(from.e4) < apart.abs() * 1_000_000
}

impl Quote {
    /// Whether it is of the feed's present recovery.
    fn is_present(&self, feed: &Feed) -> bool {
        !self.quoted.is_none() && self.generation == feed.generation
    }
}

impl Auditor {
    /// What would be bet on if everything took bets: a trader's price, or that of the feed that drives.
    pub(super) fn on_show(&self, market: &Market, runner: &Runner) -> InForce {
        match runner.pin {
            Some(pin) => {
                let age = self.now.saturating_sub(pin.at).max(0);
                InForce { price: pin.price, version: pin.version, age, feed: 0, sent: pin.price }
            }
            None => {
                let slot = self.driving_slot(market);
                let quote = &runner.quotes[slot];
                let feed = self.feed_of_slot(market, slot);
                let age = self.age(feed, quote);
                let (price, version) = (quote.price, quote.version);
                InForce { price, version, age, feed, sent: quote.quoted }
            }
        }
    }

    /// Now minus the last confirmation: an update, or a heartbeat of the feed with nothing missed since.
    fn age(&self, feed: u16, quote: &Quote) -> i64 {
        let feed = &self.feeds[usize::from(feed)];
        let confirmed = if quote.as_of != 0 {
            // A derived price is as old as its oldest input; nothing refreshes that.
            quote.as_of
        } else {
            let nothing_missed = quote.generation == feed.generation;
            let heartbeat = feed.heartbeat.filter(|_| nothing_missed).unwrap_or(quote.received);
            quote.received.max(heartbeat)
        };
        self.now.saturating_sub(confirmed).max(0)
    }

    /// The price in force and its age, if it may be bet on.
    pub(super) fn in_force(&self, market: &Market, selection: usize) -> Result<InForce, Answer> {
        let runner = &market.runners[selection];
        let shown = self.on_show(market, runner);
        if shown.price.is_none() {
            return Err(self.no(Reject::NoPrice));
        }
        let pinned = runner.pin.is_some();
        let quote = &runner.quotes[self.driving_slot(market)];
        if !pinned && quote.held.is_some() {
            return Err(self.no(Reject::PriceHeld));
        }
        let own = if pinned { 0 } else { market.age_bound };
        let bound = stricter(own, self.tier(market).age_bound.0);
        if bound != 0 && bound < shown.age {
            return Err(self.no(Reject::StalePrice).with_age(Nanos(shown.age)));
        }
        let bound = self.feeds[usize::from(shown.feed)].delay_bound;
        if !pinned && bound != 0 && bound < quote.delay {
            return Err(delayed(self.no(Reject::PriceDelayed), quote.delay));
        }
        Ok(shown)
    }

    /// Whether the two feeds of a market are, and have been for so long, further apart than its tier allows.
    pub(super) fn has_drifted(&self, market: &Market, dwell: i64) -> bool {
        let Some(group) = self.group(market) else { return false };
        let over = market.runners.iter().any(|runner| runner.over);
        self.tier(market).drift_band != 0
            && over
            && dwell <= self.now.saturating_sub(market.drift_since)
            && self.feed_is_up(group.primary)
            && self.feed_is_up(group.backup)
    }

    /// A feed's prices, entry by entry.
    pub(super) fn takes_prices(
        &mut self,
        id: MarketId,
        slot: usize,
        prices: impl Iterator<Item = (SelectionIndex, WirePrice)>,
        (received, as_of, delay): (i64, i64, i64),
    ) {
        let Some(market) = self.markets.get(&id.raw()) else { return };
        let next = market.version + 1;
        for (selection, quoted) in prices {
            let at = usize::from(selection.0);
            let held = Held { quoted, received, as_of, delay };
            if self.is_implausible(id, slot, at, quoted) {
                self.change(id, at, |runner| runner.quotes[slot].held = Some(held));
                self.tells_price(id, slot, at, Some(held));
                continue;
            }
            self.judges_liability(id.raw(), at, next);
            self.takes(id, slot, at, held, next);
            self.tells_price(id, slot, at, None);
            self.compares_feeds(id, at);
        }
    }

    fn change(&mut self, id: MarketId, at: usize, what: impl FnOnce(&mut Runner)) {
        let market = self.markets.get_mut(&id.raw());
        if let Some(runner) = market.and_then(|market| market.runners.get_mut(at)) {
            what(runner);
        }
    }

    /// A price is in force from here on, or would be if its feed drove.
    fn takes(&mut self, id: MarketId, slot: usize, at: usize, new: Held, next: u64) {
        let Some(market) = self.markets.get(&id.raw()) else { return };
        let feed = self.feed_of_slot(market, slot);
        let generation = self.feeds[usize::from(feed)].generation;
        let ticks = self.ticks_of(market, &market.runners[at]);
        let price = super::bands::shade(new.quoted, ticks);
        let Some(market) = self.markets.get_mut(&id.raw()) else { return };
        let quote = &mut market.runners[at].quotes[slot];
        if quote.price != price {
            quote.version = next;
            market.version = next;
        }
        let Held { quoted, received, as_of, delay } = new;
        let version = quote.version;
        *quote = Quote { quoted, price, version, received, as_of, delay, generation, held: None };
    }

    fn tells_price(&mut self, id: MarketId, slot: usize, at: usize, held: Option<Held>) {
        let Some(market) = self.markets.get(&id.raw()) else { return };
        let (runner, feed) = (&market.runners[at], self.feed_of_slot(market, slot));
        let quote = &runner.quotes[slot];
        let drives = feed == 0 || slot == self.driving_slot(market);
        self.told.push(Event::PriceSet(PriceSet {
            market: id,
            price: quote.price,
            version: PriceVersion(quote.version),
            received: Timestamp(quote.received),
            as_of: Timestamp(quote.as_of),
            delay: Nanos(quote.delay),
            selection: SelectionIndex(at as u16),
            feed: FeedId(feed),
            generation: quote.generation,
            quoted: held.map_or(quote.quoted, |held| held.quoted),
            drives: u8::from(drives),
            held: u8::from(held.is_some()),
            steps: runner.steps,
            zero: [0; 5],
        }));
    }

    /// Whether a price moved further than is plausible while bets are taken, and the other feed says nothing
    /// like it.
    fn is_implausible(&self, id: MarketId, slot: usize, at: usize, new: WirePrice) -> bool {
        let Some(market) = self.markets.get(&id.raw()) else { return false };
        let (band, feed) = (self.tier(market).price_band, self.feed_of_slot(market, slot));
        let runner = &market.runners[at];
        let old = &runner.quotes[slot];
        let moves = band != 0
            && feed != 0
            && !new.is_none()
            && old.is_present(&self.feeds[usize::from(feed)])
            && market.status == MarketStatus::Open
            && !self.is_suspended(market, Some(at))
            && are_apart(new, old.quoted, band);
        if !moves {
            return false;
        }
        if self.group(market).is_none() {
            return true;
        }
        let other = self.feed_of_slot(market, 1 - slot);
        let quote = &runner.quotes[1 - slot];
        let vouches = self.feed_is_up(other)
            && quote.is_present(&self.feeds[usize::from(other)])
            && quote.held.is_none()
            && !are_apart(new, quote.quoted, band);
        !vouches
    }

    /// Whether the feeds are further apart on a selection than its tier allows, and whether that makes a
    /// difference to the market.
    pub(super) fn compares_feeds(&mut self, id: MarketId, at: usize) {
        let Some(market) = self.markets.get(&id.raw()) else { return };
        let band = self.tier(market).drift_band;
        let Some(group) = self.group(market) else { return };
        let runner = &market.runners[at];
        let [primary, backup] = &runner.quotes;
        let good = |quote: &Quote, feed: u16| {
            quote.held.is_none() && quote.is_present(&self.feeds[usize::from(feed)])
        };
        let compared = band != 0 && !runner.out;
        let comparable = compared && good(primary, group.primary) && good(backup, group.backup);
        let ppm = if comparable {
            let apart = i128::from(primary.quoted.e4) - i128::from(backup.quoted.e4);
            let ppm = apart.abs() * 1_000_000 / i128::from(backup.quoted.e4);
            u32::try_from(ppm).unwrap_or(u32::MAX)
        } else {
            0
        };
        let over = comparable && band < ppm;
        let now = self.now;
        let Some(market) = self.markets.get_mut(&id.raw()) else { return };
        let before = market.runners.iter().any(|runner| runner.over);
        market.runners[at].over = over;
        let after = market.runners.iter().any(|runner| runner.over);
        if before == after {
            return;
        }
        market.drift_since = if after { now } else { 0 };
        self.told.push(Event::DriftChanged(DriftChanged {
            market: id,
            since: Timestamp(market.drift_since),
            ppm,
            selection: SelectionIndex(at as u16),
            over: u8::from(after),
            zero: 0,
        }));
    }

    /// A market has a result: it has no prices that could be apart. The last runner that was is named.
    pub(super) fn ends_drift(&mut self, id: MarketId) {
        let Some(market) = self.markets.get_mut(&id.raw()) else { return };
        let Some(last) = market.runners.iter().rposition(|runner| runner.over) else { return };
        market.runners.iter_mut().for_each(|runner| runner.over = false);
        market.drift_since = 0;
        self.told.push(Event::DriftChanged(DriftChanged {
            market: id,
            since: Timestamp(0),
            ppm: 0,
            selection: SelectionIndex(last as u16),
            over: 0,
            zero: 0,
        }));
    }

    /// A trader's word on a price.
    pub(super) fn trader_price(&mut self, body: &TraderPrice) -> Decided {
        use MarketStatus::*;
        let (id, at) = (body.market, usize::from(body.selection.0));
        let Some(market) = self.markets.get(&id.raw()) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let Some(runner) = market.runners.get(at) else {
            return Err(self.no(Reject::SelectionUnknown));
        };
        if !matches!(market.status, Defined | Open | Closed) {
            return Err(self.no(Reject::MarketClosed));
        }
        let (next, slot) = (market.version + 1, self.driving_slot(market));
        match TraderPriceAct::from_code(body.act) {
            Some(TraderPriceAct::Pin) => {
                let pin = Pin { price: body.price, version: next, at: self.now, seq: self.seq };
                self.change(id, at, |runner| runner.pin = Some(pin));
                self.markets.entry(id.raw()).and_modify(|market| market.version = next);
                self.tells_pin(id, at, 1, pin.price, pin.version);
            }
            Some(TraderPriceAct::Unpin) => {
                if runner.pin.is_none() {
                    return Err(self.no(Reject::NotAllowed));
                }
                let quote = &runner.quotes[slot];
                let (price, version) = (quote.price, quote.version);
                self.change(id, at, |runner| runner.pin = None);
                self.tells_pin(id, at, 0, price, version);
            }
            Some(TraderPriceAct::TakeHeld) | None => {
                let held = runner.quotes[slot].held;
                let held = held.ok_or_else(|| self.no(Reject::NotAllowed))?;
                let generation = runner.quotes[slot].generation;
                self.judges_liability(id.raw(), at, next);
                self.takes(id, slot, at, held, next);
                // It came in the recovery in which it was held back.
                self.change(id, at, |runner| runner.quotes[slot].generation = generation);
                self.tells_price(id, slot, at, None);
                self.compares_feeds(id, at);
            }
        }
        let version = self.markets.get(&id.raw()).map_or(0, |market| market.version);
        Ok(and(self.done(id.raw()), |done| done.version = PriceVersion(version)))
    }

    fn tells_pin(&mut self, id: MarketId, at: usize, pinned: u8, price: WirePrice, version: u64) {
        self.told.push(Event::PricePinned(PricePinned {
            market: id,
            price,
            version: PriceVersion(version),
            selection: SelectionIndex(at as u16),
            pinned,
            zero: [0; 5],
        }));
    }
}
