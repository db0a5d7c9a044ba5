//! Quotes: what feeds and traders say of a selection's price, which of it is in force, and how old it is.
//!
//! A quote that moves further at once than is plausible is held back, unless the other feed of the group
//! says the same; two feeds that are far apart are noticed here; a trader's pin outranks them both.

use crate::answer::Answer;
use crate::command::{
    Entries, PriceEntry, Reprice, RepriceEntry, SetPrices, TraderPrice, TraderPriceAct,
};
use crate::event::{DriftChanged, Events, MarketStatus, PricePinned, PriceSet};
use crate::feed::{Heard, Message};
use crate::id::{FeedId, PriceVersion, SelectionIndex};
use crate::market::{Market, MarketStep, Selection};
use crate::place::Quote;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::shorten::shortened;
use crate::state::State;
use crate::tier::stricter;
use crate::time::{Nanos, Timestamp};
use crate::wire::{Header, Minor, WirePrice};

type Decided = Result<Answer, Answer>;

/// What a message of a feed says of a selection.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent {
    /// None takes the price away.
    pub(crate) price: WirePrice,
    /// When the message was received.
    pub(crate) received: Timestamp,
    /// For a derived price: when its oldest input was received; else 0.
    pub(crate) as_of: Timestamp,
    /// How much longer it took than its feed's quickest message.
    pub(crate) delay: Nanos,
    /// The feed's generation then.
    pub(crate) generation: u32,
}

/// What one feed says of a selection.
#[derive(Clone, Copy, Default)]
pub(crate) struct FeedQuote {
    /// The last that was taken: a change of the price, or the same again.
    pub(crate) sent: Sent,
    /// Its price, shortened for liability.
    pub(crate) price: WirePrice,
    /// The market's version at the last change of that.
    pub(crate) version: PriceVersion,
    /// What the feed has sent since, and what is held back: it moved too far at once. Its price is none
    /// if nothing is.
    pub(crate) held: Sent,
}

impl FeedQuote {
    /// Whether a price of it is held back.
    pub(crate) fn is_held(&self) -> bool {
        !self.held.price.is_none()
    }
}

impl Selection {
    /// Whether a trader's price outranks its feeds.
    pub(crate) fn is_pinned(&self) -> bool {
        !self.pinned.is_none()
    }
}

/// How far a price is from another, in parts per million of that, rounded down.
fn apart(price: WirePrice, from: WirePrice) -> u32 {
    // Prices are below 2^30: the product is far below 2^63.
    let millionths = u64::from(price.e4.abs_diff(from.e4)) * 1_000_000;
    u32::try_from(millionths / u64::from(from.e4)).unwrap_or(u32::MAX)
}

/// Whether a price is within a band of another, in parts per million of that.
fn within(price: WirePrice, from: WirePrice, band: u32) -> bool {
    let millionths = u64::from(price.e4.abs_diff(from.e4)) * 1_000_000;
    millionths <= u64::from(band) * u64::from(from.e4)
}

impl<R: Rules> State<R> {
    pub(crate) fn set_prices(
        &mut self,
        header: &Header,
        body: &SetPrices,
        entries: Entries<'_, PriceEntry>,
        events: &mut Events,
    ) -> Decided {
        // A message that is refused was heard all the same: its number is not missing.
        let received = self.received(header);
        let manual = body.feed == FeedId::MANUAL;
        let (heard, mut delay) = match manual {
            true => (Heard::New, None),
            false => {
                let SetPrices { feed_seq, source, schema, .. } = *body;
                let message = Message { feed_seq, source, schema, received };
                self.hear(body.feed, &message, events)?
            }
        };
        let Some((index, market)) = self.find_market(body.market) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        if market.exchange {
            // Its prices are its customers'.
            return Err(self.no(Reject::InvalidMarketId));
        }
        let Some(slot) = self.slot_of(market, body.feed) else {
            return Err(self.no(Reject::FeedMismatch));
        };
        let (drives, selections) = (self.driving_slot(market) == slot, market.selections);
        if entries.iter().any(|entry| selections <= entry.selection.0) {
            return Err(self.no(Reject::SelectionUnknown));
        }
        if market.status.after(MarketStep::Close).is_none() {
            return Err(self.no(Reject::MarketClosed));
        }
        match heard {
            Heard::New | Heard::Gap => (),
            Heard::Late => return Ok(Answer::done(self.seq, body.market.raw())),
            Heard::Quarantined => return Err(self.no(Reject::FeedQuarantined)),
        }

        // From here on nothing can fail.
        let feed = &mut self.feeds[usize::from(body.feed.0)];
        if manual {
            delay = feed.delay(received, body.source);
        }
        // A price whose message said no time that can be believed is taken; its delay is not known.
        let delay = delay.unwrap_or(Nanos::ZERO);
        let generation = feed.generation;
        let as_of = body.as_of.min(received);
        let sent = Sent { price: WirePrice::NONE, received, as_of, delay, generation };
        let prices = entries.iter().map(|entry| (entry.selection, entry.price));
        self.take_prices(index, slot, drives, prices, sent, events);
        Ok(Answer {
            version: self.markets[index as usize].version,
            ..Answer::done(self.seq, body.market.raw())
        })
    }

    /// Prices of a market that one message brings are taken or held back, each by itself.
    fn take_prices(
        &mut self,
        index: u32,
        slot: usize,
        drives: bool,
        prices: impl Iterator<Item = (SelectionIndex, WirePrice)>,
        sent: Sent,
        events: &mut Events,
    ) {
        let next = PriceVersion(self.markets[index as usize].version.0 + 1);
        for (selection, price) in prices {
            let sent = Sent { price, ..sent };
            let to = Place { index, selection, slot };
            if self.is_implausible(&to, price) {
                self.quote_mut(&to).held = sent;
                self.tell_quote(&to, drives, events);
            } else {
                self.take_quote(&to, sent, next, events);
            }
        }
        self.look_at_autos(index);
    }

    /// All prices of a fixture at once. The answer's amount is how many were taken or held back: markets that take none
    /// any more are passed over, since a model may not know yet that they are closed or have left memory.
    pub(crate) fn reprice(
        &mut self,
        header: &Header,
        body: &Reprice,
        entries: Entries<'_, RepriceEntry>,
        events: &mut Events,
    ) -> Decided {
        let received = self.received(header);
        let Reprice { feed_seq, source, schema, .. } = *body;
        let message = Message { feed_seq, source, schema, received };
        let (heard, delay) = self.hear(body.feed, &message, events)?;
        if self.find_fixture(body.fixture).is_none() {
            return Err(self.no(Reject::FixtureUnknown));
        }
        for entry in entries.iter() {
            let Some((_, market)) = self.find_market(entry.market) else { continue };
            if market.exchange || market.fixture != body.fixture {
                return Err(self.no(Reject::InvalidMarketId));
            }
            if self.slot_of(market, body.feed).is_none() {
                return Err(self.no(Reject::FeedMismatch));
            }
            if market.selections <= entry.selection.0 {
                return Err(self.no(Reject::SelectionUnknown));
            }
        }
        match heard {
            Heard::New | Heard::Gap => (),
            Heard::Late => return Ok(Answer::done(self.seq, body.fixture.raw())),
            Heard::Quarantined => return Err(self.no(Reject::FeedQuarantined)),
        }

        // From here on nothing can fail.
        let delay = delay.unwrap_or(Nanos::ZERO);
        let generation = self.feeds[usize::from(body.feed.0)].generation;
        let as_of = body.as_of.min(received);
        let sent = Sent { price: WirePrice::NONE, received, as_of, delay, generation };
        let mut taken = 0;
        let mut rest = entries.iter().peekable();
        while let Some(id) = rest.peek().map(|entry| entry.market) {
            let mut of_market = std::iter::from_fn(|| rest.next_if(|entry| entry.market == id));
            let place = self.find_market(id).and_then(|(index, market)| {
                let open = market.status.after(MarketStep::Close).is_some();
                let slot = self.slot_of(market, body.feed).filter(|_| open)?;
                Some((index, slot, self.driving_slot(market) == slot))
            });
            match place {
                Some((index, slot, drives)) => {
                    let prices = of_market.map(|entry| (entry.selection, entry.price));
                    let prices = prices.inspect(|_| taken += 1);
                    self.take_prices(index, slot, drives, prices, sent, events);
                }
                None => while of_market.next().is_some() {},
            }
        }
        Ok(Answer { amount: Minor(taken), ..Answer::done(self.seq, body.fixture.raw()) })
    }

    /// A trader's word on a price.
    pub(crate) fn trader_price(&mut self, body: &TraderPrice, events: &mut Events) -> Decided {
        let Some((index, market)) = self.find_market(body.market) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        if market.selections <= body.selection.0 {
            return Err(self.no(Reject::SelectionUnknown));
        }
        if market.status.after(MarketStep::Close).is_none() {
            return Err(self.no(Reject::MarketClosed));
        }
        let slot = self.driving_slot(market);
        let to = Place { index, selection: body.selection, slot };
        let next = PriceVersion(market.version.0 + 1);
        let (now, seq) = (self.now, self.seq);
        let kept = self.selection_mut(&to);
        let act = TraderPriceAct::from_code(body.act).expect("checked when the command was read");
        let told = PricePinned {
            market: body.market,
            price: body.price,
            version: next,
            selection: body.selection,
            pinned: 1,
            zero: [0; 5],
        };
        match act {
            TraderPriceAct::Pin => {
                kept.pinned = body.price;
                (kept.pinned_version, kept.pinned_at, kept.pinned_seq) = (next, now, seq);
                self.markets[index as usize].version = next;
                events.push(&told);
            }
            TraderPriceAct::Unpin if kept.is_pinned() => {
                kept.pinned = WirePrice::NONE;
                let FeedQuote { price, version, .. } = kept.quotes[slot];
                events.push(&PricePinned { price, version, pinned: 0, ..told });
            }
            TraderPriceAct::TakeHeld if kept.quotes[slot].is_held() => {
                let held = kept.quotes[slot].held;
                self.take_quote(&to, held, next, events);
            }
            TraderPriceAct::Unpin | TraderPriceAct::TakeHeld => {
                return Err(self.no(Reject::NotAllowed));
            }
        }
        self.look_at_autos(index);
        Ok(Answer {
            version: self.markets[index as usize].version,
            ..Answer::done(self.seq, body.market.raw())
        })
    }

    /// A quote is taken: whatever was held back before it is not any more.
    fn take_quote(&mut self, to: &Place, sent: Sent, next: PriceVersion, events: &mut Events) {
        self.act_on_liability(to.index, to.selection, next, events);
        let price = shortened(sent.price, self.selection_mut(to).ticks);
        let quote = self.quote_mut(to);
        let changed = quote.price != price;
        let version = if changed { next } else { quote.version };
        *quote = FeedQuote { sent, price, version, held: Sent::default() };
        let market = &mut self.markets[to.index as usize];
        if changed {
            market.version = next;
        }
        let drives = self.driving_slot(&self.markets[to.index as usize]) == to.slot;
        self.tell_quote(to, drives, events);
        self.look_at_drift(to.index, to.selection, events);
    }

    fn tell_quote(&self, to: &Place, drives: bool, events: &mut Events) {
        let market = &self.markets[to.index as usize];
        let kept = &self.selections[market.first as usize + usize::from(to.selection.0)];
        let FeedQuote { sent, price, version, held } = kept.quotes[to.slot];
        let is_held = !held.price.is_none();
        events.push(&PriceSet {
            market: self.market_id(to.index),
            price,
            version,
            received: sent.received,
            as_of: sent.as_of,
            delay: sent.delay,
            selection: to.selection,
            feed: self.feed_in(market, to.slot),
            generation: sent.generation,
            quoted: if is_held { held.price } else { sent.price },
            drives: u8::from(drives),
            held: u8::from(is_held),
            steps: kept.steps,
            zero: [0; 5],
        });
    }

    /// Whether a feed's price is not to be believed without a second word for it: it moves further at
    /// once than the tier's band, while bets are taken and nothing was missed since the last one. A
    /// price after a suspension or a recovery may be anything.
    fn is_implausible(&self, to: &Place, new: WirePrice) -> bool {
        let market = &self.markets[to.index as usize];
        let band = self.tier_of(market).price_band;
        let feed = self.feed_in(market, to.slot);
        if band == 0 || new.is_none() || feed == FeedId::MANUAL {
            return false;
        }
        let quotes = &self.selections[market.first as usize + usize::from(to.selection.0)].quotes;
        let old = quotes[to.slot].sent;
        let whole = old.generation == self.feeds[usize::from(feed.0)].generation;
        if market.status != MarketStatus::Open || old.price.is_none() || !whole {
            return false;
        }
        if self.levels_for_bets(to.index, to.selection).iter().any(|level| level.holds()) {
            return false;
        }
        if within(new, old.price, band) {
            return false;
        }
        let (at, other) = (1 - to.slot, &quotes[1 - to.slot]);
        let reference = &self.feeds[usize::from(self.feed_in(market, at).0)];
        let vouches = reference.is_up(self.now)
            && other.sent.generation == reference.generation
            && !other.sent.price.is_none()
            && !other.is_held()
            && within(new, other.sent.price, band);
        !vouches
    }

    /// How far the feeds of a selection are apart, in parts per million of the backup's price; none if
    /// that cannot be said.
    pub(crate) fn drift_of(&self, market: &Market, kept: &Selection) -> Option<u32> {
        if self.tier_of(market).drift_band == 0 || kept.withdrawn {
            return None;
        }
        // The same step as closing: with a result there is nothing left to price.
        market.status.after(MarketStep::Close)?;
        self.find_group(market.group)?;
        for (slot, quote) in kept.quotes.iter().enumerate() {
            let feed = &self.feeds[usize::from(self.feed_in(market, slot).0)];
            let whole = quote.sent.generation == feed.generation;
            if quote.sent.price.is_none() || quote.is_held() || !whole {
                return None;
            }
        }
        let [primary, backup] = &kept.quotes;
        Some(apart(primary.sent.price, backup.sent.price))
    }

    /// Looks at all selections of a market, which is in another tier, or whose result is in or was taken
    /// back: no feed speaks of a market with a result any more, so its drift ends here, or begins again.
    pub(crate) fn look_at_all_drifts(&mut self, index: u32, events: &mut Events) {
        for selection in 0..self.markets[index as usize].selections {
            self.look_at_drift(index, SelectionIndex(selection), events);
        }
    }

    /// Notices whether the feeds of a selection are too far apart, after one of them spoke.
    pub(crate) fn look_at_drift(
        &mut self,
        index: u32,
        selection: SelectionIndex,
        events: &mut Events,
    ) {
        let market = &self.markets[index as usize];
        let place = market.first as usize + usize::from(selection.0);
        let drift = self.drift_of(market, &self.selections[place]);
        let over = drift.is_some_and(|drift| self.tier_of(market).drift_band < drift);
        if self.selections[place].drifted == over {
            return;
        }
        self.selections[place].drifted = over;
        let now = self.now;
        let market = &mut self.markets[index as usize];
        let before = market.drifted;
        market.drifted = if over { before + 1 } else { before - 1 };
        if before != 0 && market.drifted != 0 {
            return;
        }
        market.drift_since = if over { now } else { Timestamp(0) };
        let since = market.drift_since;
        events.push(&DriftChanged {
            market: self.market_id(index),
            since,
            ppm: drift.unwrap_or(0),
            selection,
            over: u8::from(over),
            zero: 0,
        });
    }

    /// Whether the feeds of a market have been too far apart for so long, and both are there to be
    /// compared.
    pub(crate) fn has_drifted(&self, market: &Market, dwell: Nanos) -> bool {
        let up = |slot| self.feeds[usize::from(self.feed_in(market, slot).0)].is_up(self.now);
        market.drifted != 0
            && self.tier_of(market).drift_band != 0
            && dwell <= self.now.since(market.drift_since)
            && up(0)
            && up(1)
    }

    /// The price of a selection that is in force, and its version: a trader's, else the driving feed's.
    pub(crate) fn price_in_force(
        &self,
        market: &Market,
        kept: &Selection,
    ) -> (WirePrice, PriceVersion) {
        if kept.is_pinned() {
            return (kept.pinned, kept.pinned_version);
        }
        let quote = &kept.quotes[self.driving_slot(market)];
        (quote.price, quote.version)
    }

    /// How old a price is: now minus the last confirmation of it, which is an update of it, or a
    /// heartbeat of its feed with nothing missed since. A derived price is as old as its oldest input,
    /// a trader's as old as the trader's word.
    pub(crate) fn price_age(&self, market: u32, selection: SelectionIndex) -> Nanos {
        let market = &self.markets[market as usize];
        let kept = &self.selections[market.first as usize + usize::from(selection.0)];
        if kept.is_pinned() {
            return self.now.since(kept.pinned_at).or_zero();
        }
        let slot = self.driving_slot(market);
        let sent = &kept.quotes[slot].sent;
        let feed = &self.feeds[usize::from(self.feed_in(market, slot).0)];
        let confirmed = if sent.as_of.0 != 0 {
            sent.as_of
        } else if sent.generation == feed.generation {
            sent.received.max(feed.heartbeat)
        } else {
            sent.received
        };
        self.now.since(confirmed).or_zero()
    }

    /// The quote that may be bet on now.
    pub(crate) fn quote_in_force(
        &self,
        market_index: u32,
        selection: SelectionIndex,
    ) -> Result<Quote, Answer> {
        let market = &self.markets[market_index as usize];
        let tier = self.tier_of(market);
        let kept = &self.selections[market.first as usize + usize::from(selection.0)];
        let (price, version) = self.price_in_force(market, kept);
        let Some(exact) = price.price() else { return Err(self.no(Reject::NoPrice)) };
        let age = self.price_age(market_index, selection);
        let stale = |bound| bound != Nanos::ZERO && bound < age;
        if kept.is_pinned() {
            if stale(tier.age_bound) {
                return Err(self.no(Reject::StalePrice).with_age(age));
            }
            return Ok(Quote { price, exact, version, age, feed: FeedId::MANUAL });
        }
        let slot = self.driving_slot(market);
        let (quote, feed) = (&kept.quotes[slot], self.feed_in(market, slot));
        if quote.is_held() {
            return Err(self.no(Reject::PriceHeld));
        }
        if stale(stricter(market.age_bound, tier.age_bound)) {
            return Err(self.no(Reject::StalePrice).with_age(age));
        }
        let bound = self.feeds[usize::from(feed.0)].delay_bound;
        if bound != Nanos::ZERO && bound < quote.sent.delay {
            return Err(self.no(Reject::PriceDelayed).with_age(quote.sent.delay));
        }
        Ok(Quote { price, exact, version, age, feed })
    }

    fn selection_mut(&mut self, to: &Place) -> &mut Selection {
        let first = self.markets[to.index as usize].first as usize;
        &mut self.selections[first + usize::from(to.selection.0)]
    }

    fn quote_mut(&mut self, to: &Place) -> &mut FeedQuote {
        &mut self.selection_mut(to).quotes[to.slot]
    }
}

/// Where a quote is kept.
struct Place {
    /// Of the market.
    index: u32,
    selection: SelectionIndex,
    slot: usize,
}
