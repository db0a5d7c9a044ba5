//! Every price: who sent it, how it is shortened, why it is kept back; which feed drives, and how far
//! two feeds are apart.

use super::world::{self, Pin, Quote, ticks};
use super::{Fold, Rule};
use betring_core::command::{Command, Drives, TraderPriceAct};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::Timestamp;
use betring_core::wire::{Header, WirePrice};

impl Fold {
    /// A message of a feed is heard, whatever comes of it, unless it came before or comes too late. One
    /// that ends a silence, one behind a missing one and one of another version take the feed down.
    pub(super) fn heard(&mut self, header: &Header, command: &Command<'_>, events: &[Event]) {
        let Some(Said { feed: id, number, schema, gap }) = said_by(command) else { return };
        let received = self.received(header);
        let Some(feed) = self.feeds.get_mut(&id.0).filter(|_| id != FeedId::MANUAL) else { return };
        if gap {
            (feed.heard, feed.number) = (feed.heard.max(received), number);
            return;
        }
        let counted = number != 0 && feed.number != 0;
        if counted && number <= feed.number {
            return;
        }
        let (up, was) = (feed.status == FeedStatus::Up, feed.generation);
        let follows = up || feed.status == FeedStatus::Recovering;
        let bad = [
            ("was silent", up && feed.silence_bound < feed.silent(received)),
            ("misses a message", follows && counted && feed.number.saturating_add(1) < number),
            ("is of another version", follows && feed.schema != 0 && feed.schema != schema),
        ];
        feed.heard = feed.heard.max(received);
        feed.number = if number == 0 { feed.number } else { number };
        let falls = |event: &Event| matches!(event, Event::FeedChanged(e) if e.feed == id && e.generation != was);
        let falls = events.iter().any(falls);
        for (what, is) in bad {
            self.must(Rule::Feed, !is || falls, || format!("{id} {what}, and goes on as if not"));
        }
    }

    /// A feed changed: only what it was asked for brings it up, only its expected version.
    pub(super) fn feed_changed(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        change: &FeedChanged,
    ) {
        let (seq, received) = (self.seq, self.received(header));
        let id = change.feed;
        let Some(feed) = self.feeds.get_mut(&id.0) else {
            return self.broken(Rule::Feed, || format!("{id} changes and is unknown"));
        };
        let Some(status) = FeedStatus::from_code(change.status) else {
            return self.broken(Rule::Layout, || format!("{id} is in no known status"));
        };
        let (was, request, schema) = (feed.status, feed.request, feed.schema);
        feed.status = status;
        if feed.generation != change.generation {
            feed.goes_down(change.generation, seq);
        }
        match command {
            Command::FeedRecovering(body) if status == FeedStatus::Recovering => {
                feed.request = body.request;
            }
            Command::FeedRecovered(body) if change.why == FeedWhy::Recovered as u8 => {
                feed.heartbeat = feed.heartbeat.max(received);
                feed.request = 0;
                let answers = match was {
                    // An answer with a number has its request in the same run.
                    FeedStatus::Recovering | FeedStatus::Down => body.request == request,
                    FeedStatus::Up => true,
                    FeedStatus::Quarantined => false,
                };
                let expected = schema == 0 || body.schema == schema;
                return self.must(Rule::Feed, answers && expected && body.feed == id, || {
                    format!("{id} is up again by an answer to another request, or to none")
                });
            }
            _ => (),
        }
        let rises = status == FeedStatus::Up && was != FeedStatus::Up;
        self.must(Rule::Feed, !rises, || format!("{id} is up and did not say that it recovered"));
    }

    pub(super) fn feed_switched(&mut self, command: &Command<'_>, event: &FeedSwitched) {
        let (seq, id) = (self.seq, event.group);
        let asked = match command {
            Command::SwitchFeed(body) if body.group == id => Drives::from_code(body.to),
            _ => None,
        };
        let Some((group, to)) = self.groups.get_mut(&id.0).zip(asked) else {
            return self.broken(Rule::Feed, || format!("nobody switches the feed of {id}"));
        };
        let drives = match to {
            Drives::Primary => 0,
            Drives::Backup => 1,
        };
        // What was offered at the other feed's prices can no longer be taken.
        (group.drives, group.held.last) = (drives, seq);
        let same = (event.to, event.feed) == (to as u8, group.feeds[drives]);
        self.must(Rule::Feed, same, || format!("{id} is switched to another feed than asked"));
    }

    /// What a trader does to a price.
    pub(super) fn pinned(&mut self, command: &Command<'_>, event: &PricePinned) {
        let (market, selection) = (event.market, event.selection);
        let asked = match command {
            Command::TraderPrice(body) if (body.market, body.selection) == (market, selection) => {
                TraderPriceAct::from_code(body.act).map(|act| (act, body.price))
            }
            _ => None,
        };
        let right = match asked {
            Some((TraderPriceAct::Pin, price)) => event.pinned == 1 && event.price == price,
            Some((TraderPriceAct::Unpin, _)) => event.pinned == 0,
            Some((TraderPriceAct::TakeHeld, _)) | None => false,
        };
        let (seq, at) = (self.seq, self.at);
        let Some(of) = self.markets.get_mut(&market.raw()) else {
            return self.broken(Rule::Prices, || format!("{market} is pinned and is unknown"));
        };
        // A pinned price is news; without the pin the feed's has the version that it had.
        let version = (event.pinned == 1).then(|| of.next_version(seq));
        let Some(place) = of.selections.get_mut(usize::from(selection.0)) else {
            return self.broken(Rule::Prices, || format!("{market} {selection} is unknown"));
        };
        let (price, now) = (event.price, event.version);
        place.pin = (event.pinned == 1).then_some(Pin { price, version: now, at, seq });
        let in_force = self.in_force_now(market, selection);
        let same = version.is_none_or(|version| version == now)
            && in_force.is_some_and(|in_force| (in_force.price, in_force.version) == (price, now));
        self.must(Rule::Prices, right && same, || {
            format!("{market} {selection} is pinned, or not any more, otherwise than asked")
        });
    }

    pub(super) fn price_set(&mut self, header: &Header, command: &Command<'_>, set: &PriceSet) {
        self.counts.prices += 1;
        let name = || format!("{} {}", set.market, set.selection);
        let received = self.received(header);
        let Some(market) = self.markets.get(&set.market.raw()) else {
            return self.broken(Rule::Prices, || format!("{} has a price and is unknown", name()));
        };
        let (feeds, drives) = self.feeds_of(market);
        let Some(slot) = feeds.iter().position(|feed| *feed == set.feed) else {
            return self.broken(Rule::Prices, || format!("{} is not priced by this feed", name()));
        };
        let Some(before) = market.selections.get(usize::from(set.selection.0)).copied() else {
            return self.broken(Rule::Prices, || format!("{} has a price and is unknown", name()));
        };
        let old = before.quotes[slot];
        let tier = self.tier(market);
        let told = (set.price, set.version, set.received, set.as_of);
        // The price has to stand in the command, for this market and selection, from its feed; or it
        // was kept back, and a trader takes it.
        let said = match command {
            Command::SetPrices(body, entries) => {
                let entry = (set.selection, set.quoted);
                (body.market, body.feed) == (set.market, set.feed)
                    && entries.iter().any(|e| (e.selection, e.price) == entry)
                    && (set.held == 1
                        || (received, body.as_of.min(received)) == (set.received, set.as_of))
            }
            Command::Reprice(body, entries) => {
                let entry = (set.market, set.selection, set.quoted);
                body.feed == set.feed
                    && entries.iter().any(|e| (e.market, e.selection, e.price) == entry)
                    && (set.held == 1
                        || (received, body.as_of.min(received)) == (set.received, set.as_of))
            }
            Command::TraderPrice(body) => {
                (body.market, body.selection) == (set.market, set.selection)
                    && body.act == TraderPriceAct::TakeHeld as u8
                    && slot == drives
                    && set.held == 0
                    && old.kept_back == Some((set.quoted, set.received, set.as_of))
            }
            _ => false,
        };
        self.must(Rule::Prices, said, || format!("no command sets {} to {}", name(), set.quoted));
        let driving = set.drives == u8::from(feeds[drives] == set.feed);
        self.must(Rule::Prices, driving, || format!("{}: {} does not drive it", name(), set.feed));
        let sent = match command {
            Command::SetPrices(body, _) => Some((body.schema, body.as_of)),
            Command::Reprice(body, _) => Some((body.schema, body.as_of)),
            _ => None,
        };
        if let Some((schema, _)) = sent {
            let feed = self.feeds.get(&set.feed.0);
            let known = feed.is_some_and(|feed| {
                (feed.schema == 0 || schema == feed.schema)
                    && feed.status != FeedStatus::Quarantined
                    && (set.held == 1 || set.generation == feed.generation)
            });
            self.must(Rule::Prices, known, || {
                format!("{} is priced by {}, which may not", name(), set.feed)
            });
            let kept = self.is_kept_back(set.market, set.selection, set.feed, set.quoted);
            self.must(Rule::Band, kept == (set.held == 1), || {
                let what =
                    if kept { "leaps and is taken" } else { "is kept back and does not leap" };
                format!("{}: from {} to {} it {what}", name(), old.quoted, set.quoted)
            });
        }
        if set.held == 1 {
            let same = told == (old.price, old.version, old.received, old.as_of);
            self.must(Rule::Prices, same, || {
                format!("{} is kept back, and the price before it is another", name())
            });
            let as_of = sent.map_or(Timestamp(0), |(_, as_of)| as_of.min(received));
            if let Some(of) = self.selection(set.market, set.selection) {
                of.quotes[slot].kept_back = Some((set.quoted, received, as_of));
            }
            return;
        }
        let price = world::shortened(set.quoted, ticks(&tier, set.steps));
        self.must(Rule::Prices, set.price == price && set.steps <= tier.steps, || {
            let (steps, is) = (set.steps, set.price);
            format!(
                "{} at {} is {is} after {steps} steps, it should be {price}",
                name(),
                set.quoted
            )
        });
        let PriceSet { quoted, price, received, as_of, delay, generation, .. } = *set;
        let version = self.new_version(set.market, old, price, set.version);
        self.must(Rule::Prices, set.version == version, || {
            format!("{} is set as version {}, it is {version}", name(), set.version)
        });
        let quote =
            Quote { quoted, price, version, received, as_of, delay, generation, kept_back: None };
        let same_feed = feeds[0] == feeds[1];
        if let Some(of) = self.selection(set.market, set.selection) {
            of.quotes[slot] = quote;
            if same_feed {
                of.quotes[1] = Quote::default();
            }
        }
        self.compare(set.market, set.selection);
    }

    /// The version of a price: what changes in one record has its market's next, what does not keeps
    /// its own.
    fn new_version(
        &mut self,
        id: MarketId,
        old: Quote,
        price: WirePrice,
        told: PriceVersion,
    ) -> PriceVersion {
        let seq = self.seq;
        let Some(market) = self.markets.get_mut(&id.raw()) else { return told };
        if old.price == price { old.version } else { market.next_version(seq) }
    }

    /// A price got shorter or longer by the liability of its selection.
    pub(super) fn stepped(&mut self, step: &PriceStepped) {
        let name = || format!("{} {}", step.market, step.selection);
        let Some(market) = self.markets.get(&step.market.raw()) else {
            return self.broken(Rule::Prices, || format!("{} steps and is unknown", name()));
        };
        let (feeds, _) = self.feeds_of(market);
        let slot = feeds.iter().position(|feed| *feed == step.feed);
        let selection = market.selections.get(usize::from(step.selection.0));
        let Some((slot, selection)) = slot.zip(selection) else {
            return self.broken(Rule::Prices, || format!("{} has no such price", name()));
        };
        let (old, tier) = (selection.quotes[slot], self.tier(market));
        let (before, changed) = (market.version, market.changed == self.seq);
        let price = world::shortened(old.quoted, ticks(&tier, step.steps));
        // Several bets of one record may each step it.
        let again = changed && step.version == before;
        let version = if again { before } else { PriceVersion(before.0 + 1) };
        let seq = self.seq;
        if let Some(market) = self.markets.get_mut(&step.market.raw()) {
            (market.version, market.changed) = (version, seq);
        }
        let right = (step.price, step.version) == (price, version)
            && old.price != price
            && step.steps <= tier.steps;
        self.must(Rule::Prices, right, || {
            let (is, told, steps) = (step.price, step.version, step.steps);
            format!("{} is {is} ({told}) after {steps} steps, it should be {price}", name())
        });
        if let Some(of) = self.selection(step.market, step.selection) {
            (of.quotes[slot].price, of.quotes[slot].version) = (price, version);
        }
    }

    /// After a record: of a fixture's prices all came into force or were kept back, or none, but for markets that take
    /// none any more.
    pub(super) fn repriced(&mut self, command: &Command<'_>, events: &[Event]) {
        let Command::Reprice(body, entries) = command else { return };
        let set = |event: &Event| match event {
            Event::PriceSet(set) => Some((set.market, set.selection)),
            _ => None,
        };
        let told: Vec<_> = events.iter().filter_map(set).collect();
        if told.is_empty() {
            return;
        }
        let takes_prices = |market: MarketId| {
            self.markets.get(&market.raw()).is_some_and(|market| world::is_priced(market.status))
        };
        let asked = entries.iter().filter(|entry| takes_prices(entry.market));
        let whole = asked.map(|entry| (entry.market, entry.selection)).eq(told.iter().copied());
        let of_fixture = |(market, _): &(MarketId, SelectionIndex)| {
            self.markets.get(&market.raw()).is_some_and(|market| market.fixture == body.fixture)
        };
        let own = told.iter().all(of_fixture);
        self.must(Rule::Prices, whole, || format!("{} is repriced in part", body.fixture));
        self.must(Rule::Prices, own, || format!("{} reprices another fixture", body.fixture));
    }

    /// After a price was taken: whether this selection's two prices are too far apart.
    pub(super) fn compare(&mut self, id: MarketId, index: SelectionIndex) {
        let Some(market) = self.markets.get(&id.raw()) else { return };
        if market.group == GroupId::NONE {
            return;
        }
        let Some(selection) = market.selections.get(usize::from(index.0)) else { return };
        let (drift, band) = (self.drift(market, selection), self.tier(market).drift_band);
        let apart = band != 0 && drift.is_some_and(|ppm| band < ppm);
        let (now, seen) = (self.at, selection.apart);
        if apart == seen {
            return;
        }
        let Some(market) = self.markets.get_mut(&id.raw()) else { return };
        market.selections[usize::from(index.0)].apart = apart;
        let any = market.selections.iter().any(|of| of.apart);
        if any == market.apart_since.is_some() {
            return;
        }
        market.apart_since = any.then_some(now);
        let since = market.apart_since.unwrap_or(Timestamp(0));
        let (ppm, over) = (drift.unwrap_or(0), u8::from(any));
        self.drifted.push(DriftChanged { market: id, since, ppm, selection: index, over, zero: 0 });
    }

    pub(super) fn drift_changed(&mut self, event: &DriftChanged) {
        let told = |due: &DriftChanged| {
            let same = (due.market, due.since, due.selection, due.over)
                == (event.market, event.since, event.selection, event.over);
            // Where nothing can be compared any more there is no figure.
            same && (event.over == 0 || due.ppm == event.ppm)
        };
        match self.drifted.iter().position(told) {
            Some(at) => drop(self.drifted.remove(at)),
            None => self.broken(Rule::Drift, || {
                format!("the feeds of {} are not as far apart as it says", event.market)
            }),
        }
    }

    /// After a record: every change of what is too far apart was told.
    pub(super) fn drift_told(&mut self) {
        for due in std::mem::take(&mut self.drifted) {
            self.broken(Rule::Drift, || {
                format!(
                    "the feeds of {} are {} ppm apart, and no event tells it",
                    due.market, due.ppm
                )
            });
        }
    }
}

/// A message of a feed.
struct Said {
    feed: FeedId,
    number: u64,
    schema: u32,
    /// Its adapter's word that something is missing: that is never late.
    gap: bool,
}

fn said_by(command: &Command<'_>) -> Option<Said> {
    let said = |feed, number, schema| Some(Said { feed, number, schema, gap: false });
    match command {
        Command::SetPrices(body, _) => said(body.feed, body.feed_seq, body.schema),
        Command::Reprice(body, _) => said(body.feed, body.feed_seq, body.schema),
        Command::FeedHeartbeat(body) => said(body.feed, body.feed_seq, body.schema),
        Command::FeedRecovered(body) => said(body.feed, body.feed_seq, body.schema),
        Command::FeedRecovering(body) => said(body.feed, body.feed_seq, body.schema),
        Command::FeedGap(body) => {
            Some(Said { feed: body.feed, number: body.feed_seq, schema: 0, gap: true })
        }
        _ => None,
    }
}
