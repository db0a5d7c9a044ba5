//! The world that bets are made in: feeds and groups, who suspends what, and the price in force.

use super::Fold;
use betring_core::command::{DefineMarket, Level, LiabilityAct, Owner, ResultEntry, SetTier};
use betring_core::event::{FeedStatus, MarketStatus};
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::WirePrice;

/// A level that can be suspended: who holds it, and since when offers before it are dead.
#[derive(Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) owners: u8,
    pub(super) last: Seq,
    /// Its last record of a change, and who held it before that.
    before: (Seq, u8),
}

impl Held {
    pub(super) fn set(&mut self, owners: u8, at: Seq) {
        if self.before.0 != at {
            self.before = (at, self.owners);
        }
        self.owners = owners;
    }

    /// Who held it when this record began.
    fn at_start(&self, of: Seq) -> u8 {
        if self.before.0 == of { self.before.1 } else { self.owners }
    }
}

pub(super) struct Feed {
    pub(super) status: FeedStatus,
    pub(super) generation: u32,
    /// Its own number of its last message.
    pub(super) number: u64,
    pub(super) heard: Timestamp,
    pub(super) heartbeat: Timestamp,
    pub(super) silence_bound: Nanos,
    pub(super) delay_bound: Nanos,
    /// The version that its messages have to say; 0: any.
    pub(super) schema: u32,
    /// The number under which its adapter asked last, since the feed last was up or went down; 0: under none,
    /// or it did not ask.
    pub(super) request: u64,
    pub(super) held: Held,
}

impl Feed {
    pub(super) fn new(silence_bound: Nanos, delay_bound: Nanos, schema: u32) -> Feed {
        let never = Timestamp::MIN;
        Feed {
            status: FeedStatus::Recovering,
            generation: 1,
            number: 0,
            heard: never,
            heartbeat: never,
            silence_bound,
            delay_bound,
            schema,
            request: 0,
            held: Held::default(),
        }
    }

    /// Prices set by a person: always there.
    pub(super) fn manual() -> Feed {
        let feed = Feed::new(Nanos(i64::MAX), Nanos::ZERO, 0);
        Feed { status: FeedStatus::Up, ..feed }
    }

    pub(super) fn goes_down(&mut self, generation: u32, seq: Seq) {
        self.generation = generation;
        self.request = 0;
        self.heartbeat = Timestamp::MIN;
        self.held.last = seq;
    }

    pub(super) fn silent(&self, at: Timestamp) -> Nanos {
        if self.silence_bound == Nanos(i64::MAX) {
            return Nanos::ZERO;
        }
        at.since(self.heard).or_zero()
    }

    pub(super) fn is_up(&self, at: Timestamp) -> bool {
        self.status == FeedStatus::Up && self.silent(at) <= self.silence_bound
    }
}

pub(super) struct Group {
    pub(super) feeds: [FeedId; 2],
    /// Which of them prices its markets.
    pub(super) drives: usize,
    pub(super) held: Held,
}

/// What a feed last sent of a selection.
#[derive(Clone, Copy, Default)]
pub(super) struct Quote {
    /// As the feed sent it.
    pub(super) quoted: WirePrice,
    /// As bets get it.
    pub(super) price: WirePrice,
    pub(super) version: PriceVersion,
    pub(super) received: Timestamp,
    pub(super) as_of: Timestamp,
    pub(super) delay: Nanos,
    pub(super) generation: u32,
    /// What it sent after that and was not plausible: the price, when it came, its oldest input.
    pub(super) kept_back: Option<(WirePrice, Timestamp, Timestamp)>,
}

/// A trader's price.
#[derive(Clone, Copy)]
pub(super) struct Pin {
    pub(super) price: WirePrice,
    pub(super) version: PriceVersion,
    pub(super) at: Timestamp,
    pub(super) seq: Seq,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Selection {
    /// Of the feed, or of primary and backup.
    pub(super) quotes: [Quote; 2],
    pub(super) pin: Option<Pin>,
    pub(super) held: Held,
    /// Whether its two quotes are further apart than the band.
    pub(super) apart: bool,
    pub(super) withdrawn: bool,
    /// The record that withdrew it, or brought it back.
    pub(super) since: Seq,
    /// Of a withdrawal that reduces winnings: when it was, and by which price.
    pub(super) deducts: Option<(Seq, WirePrice)>,
    pub(super) result: Option<ResultEntry>,
}

pub(super) struct Market {
    /// The primary one, if it has a group.
    pub(super) feed: FeedId,
    pub(super) group: GroupId,
    pub(super) tier: u8,
    pub(super) canary: bool,
    pub(super) fixture: FixtureId,
    pub(super) age_bound: Nanos,
    /// Its each-way terms, as it was defined.
    pub(super) terms: DefineMarket,
    pub(super) status: MarketStatus,
    pub(super) opened_in: Epoch,
    pub(super) held: Held,
    pub(super) frozen: u8,
    /// How long its bets wait.
    pub(super) wait: Nanos,
    pub(super) version: PriceVersion,
    /// The record of its last change of version.
    pub(super) changed: Seq,
    pub(super) selections: Vec<Selection>,
    /// Since when some selection's two prices have been too far apart.
    pub(super) apart_since: Option<Timestamp>,
    /// Bets of these moments are void.
    pub(super) windows: Vec<(Timestamp, Timestamp)>,
    /// Its bets.
    pub(super) bets: Vec<BetId>,
    pub(super) settlement: u32,
    /// The job that is at work, and the last that was announced.
    pub(super) running: Option<JobId>,
    pub(super) announced: JobId,
}

impl Market {
    /// The version of what changes in this record: all of it has the market's next one.
    pub(super) fn next_version(&mut self, seq: Seq) -> PriceVersion {
        if self.changed != seq {
            (self.changed, self.version.0) = (seq, self.version.0 + 1);
        }
        self.version
    }
}

/// A price as a bet finds it.
#[derive(Clone, Copy)]
pub(super) struct InForce {
    pub(super) price: WirePrice,
    pub(super) version: PriceVersion,
    pub(super) age: Nanos,
    /// The feed that gave it; none's if a trader pinned it.
    pub(super) feed: FeedId,
    pub(super) pinned: bool,
    /// What a bet is bought back at: the price before it was shortened.
    pub(super) sent: WirePrice,
    /// How much later than usual it came.
    pub(super) delay: Nanos,
    /// Whether its feed sent another one since that is not plausible.
    pub(super) kept_back: bool,
}

impl Fold {
    pub(super) fn tier(&self, market: &Market) -> SetTier {
        self.tiers.get(&market.tier).copied().unwrap_or_default()
    }

    pub(super) fn selection(
        &mut self,
        market: MarketId,
        selection: SelectionIndex,
    ) -> Option<&mut Selection> {
        self.markets.get_mut(&market.raw())?.selections.get_mut(usize::from(selection.0))
    }

    /// The feeds of a market, and which of them is in force.
    pub(super) fn feeds_of(&self, market: &Market) -> ([FeedId; 2], usize) {
        match self.groups.get(&market.group.0) {
            Some(group) => (group.feeds, group.drives),
            None => ([market.feed; 2], 0),
        }
    }

    pub(super) fn driving(&self, market: &Market) -> FeedId {
        let (feeds, drives) = self.feeds_of(market);
        feeds[drives]
    }

    pub(super) fn in_force_now(&self, id: MarketId, selection: SelectionIndex) -> Option<InForce> {
        let market = self.markets.get(&id.raw())?;
        let selection = market.selections.get(usize::from(selection.0))?;
        if let Some(pin) = selection.pin {
            return Some(InForce {
                price: pin.price,
                version: pin.version,
                age: self.at.since(pin.at).or_zero(),
                feed: FeedId::MANUAL,
                pinned: true,
                sent: pin.price,
                delay: Nanos::ZERO,
                kept_back: false,
            });
        }
        let (feeds, drives) = self.feeds_of(market);
        let (feed_id, quote) = (feeds[drives], &selection.quotes[drives]);
        let feed = self.feeds.get(&feed_id.0)?;
        let confirmed = match quote.as_of {
            // A heartbeat confirms what its feed has sent since it last recovered.
            Timestamp(0) if quote.generation == feed.generation => {
                quote.received.max(feed.heartbeat)
            }
            Timestamp(0) => quote.received,
            // A derived price is as old as its oldest input, whatever was heard since.
            as_of => as_of,
        };
        Some(InForce {
            price: quote.price,
            version: quote.version,
            age: self.at.since(confirmed).or_zero(),
            feed: feed_id,
            pinned: false,
            sent: quote.quoted,
            delay: quote.delay,
            kept_back: quote.kept_back.is_some(),
        })
    }

    pub(super) fn level(
        &mut self,
        level: u8,
        id: u64,
        selection: SelectionIndex,
    ) -> Option<&mut Held> {
        match Level::from_code(level)? {
            Level::Engine => Some(&mut self.engine),
            Level::Feed => self.feeds.get_mut(&(id as u16)).map(|feed| &mut feed.held),
            Level::Fixture => Some(self.fixtures.entry(id).or_default()),
            Level::Market => self.markets.get_mut(&id).map(|market| &mut market.held),
            Level::Group => self.groups.get_mut(&(id as u16)).map(|group| &mut group.held),
            Level::Selection => {
                self.selection(MarketId::from_raw(id), selection).map(|of| &mut of.held)
            }
        }
    }

    /// Of a market with two feeds, what the one that does not drive says is not asked.
    pub(super) fn counted(&self, market: &Market, owners: u8) -> u8 {
        match self.groups.get(&market.group.0) {
            Some(group) if group.drives == 0 => owners & !(1 << Owner::Backup as u8),
            Some(_) => owners & !(1 << Owner::Feed as u8),
            None => owners,
        }
    }

    /// The levels of a market, and of a selection of it, as they hold for a bet.
    pub(super) fn levels(
        &self,
        id: MarketId,
        selection: SelectionIndex,
        pinned: bool,
    ) -> [(&'static str, Held); 6] {
        let none = Held::default();
        let Some(market) = self.markets.get(&id.raw()) else { return [("nothing", none); 6] };
        let counted = |held: Held| Held { owners: self.counted(market, held.owners), ..held };
        let driving = self.feeds.get(&self.driving(market).0);
        // A trader's price needs no feed.
        let feed = driving.filter(|_| !pinned).map_or(none, |feed| feed.held);
        let group = self.groups.get(&market.group.0).map_or(none, |group| group.held);
        let fixture = self.fixtures.get(&market.fixture.raw()).copied().unwrap_or(none);
        let own = market.selections.get(usize::from(selection.0)).map_or(none, |of| of.held);
        [
            ("the engine", self.engine),
            ("its feed", feed),
            ("its group", counted(group)),
            ("its fixture", counted(fixture)),
            ("the market", counted(market.held)),
            ("its selection", counted(own)),
        ]
    }

    /// Whether a price that a feed sends is to be kept back: further from its last one than the band,
    /// while bets are taken, and the other feed does not say so, too.
    pub(super) fn is_kept_back(
        &self,
        id: MarketId,
        index: SelectionIndex,
        feed: FeedId,
        new: WirePrice,
    ) -> bool {
        let Some(market) = self.markets.get(&id.raw()) else { return false };
        let Some(selection) = market.selections.get(usize::from(index.0)) else { return false };
        let band = self.tier(market).price_band;
        let (feeds, _) = self.feeds_of(market);
        let slot = usize::from(feeds[0] != feed);
        let of_now = |at: usize| {
            let quote = selection.quotes[at];
            let known = self.feeds.get(&feeds[at].0)?;
            let counts = quote.generation == known.generation && !quote.quoted.is_none();
            counts.then_some((quote, known))
        };
        let Some((old, _)) = of_now(slot) else { return false };
        // What this very message did to the selection counts for the next one.
        let own = self.counted(market, selection.held.at_start(self.seq));
        let levels = self.levels(id, index, selection.pin.is_some());
        let suspended = levels[..5].iter().fold(own, |all, (_, held)| all | held.owners);
        if band == 0
            || feed == FeedId::MANUAL
            || new.is_none()
            || market.status != MarketStatus::Open
            || suspended != 0
        {
            return false;
        }
        let leaps = |from: WirePrice| {
            let far = u64::from(new.e4.abs_diff(from.e4)) * 1_000_000;
            u64::from(band) * u64::from(from.e4) < far
        };
        let vouched = market.group != GroupId::NONE
            && of_now(1 - slot).is_some_and(|(other, feed)| {
                feed.is_up(self.at) && other.kept_back.is_none() && !leaps(other.quoted)
            });
        leaps(old.quoted) && !vouched
    }

    /// How far primary and backup are apart on a selection, in parts per million, if they can be
    /// compared.
    pub(super) fn drift(&self, market: &Market, selection: &Selection) -> Option<u32> {
        let runs = is_priced(market.status) && !selection.withdrawn;
        let group = self.groups.get(&market.group.0).filter(|_| runs)?;
        for (quote, feed) in selection.quotes.iter().zip(group.feeds) {
            let of_now = self.feeds.get(&feed.0)?.generation == quote.generation;
            if !of_now || quote.quoted.is_none() || quote.kept_back.is_some() {
                return None;
            }
        }
        let [primary, backup] = selection.quotes.map(|quote| quote.quoted.e4);
        let apart = u64::from(primary.abs_diff(backup)) * 1_000_000 / u64::from(backup);
        Some(u32::try_from(apart).unwrap_or(u32::MAX))
    }

    /// Whether a market's feeds are too far apart, and for how long.
    pub(super) fn apart(&self, market: &Market) -> Option<Nanos> {
        let both_up = self.groups.get(&market.group.0).is_some_and(|group| {
            let up = |id: &FeedId| self.feeds.get(&id.0).is_some_and(|feed| feed.is_up(self.at));
            group.feeds.iter().all(up)
        });
        let since = market.apart_since.filter(|_| both_up && self.tier(market).drift_band != 0)?;
        Some(self.at.since(since))
    }
}

/// By how many ticks a tier shortens a price.
pub(super) fn ticks(tier: &SetTier, steps: u8) -> u32 {
    match LiabilityAct::from_code(tier.act) {
        Some(LiabilityAct::Step) => u32::from(steps) * u32::from(tier.ticks),
        _ => 0,
    }
}

/// Whether a market in this status may have other prices: no result of it is in.
pub(super) fn is_priced(status: MarketStatus) -> bool {
    matches!(status, MarketStatus::Defined | MarketStatus::Open | MarketStatus::Closed)
}

/// The ladder that everybody trades on: up to this price, so far apart; in ten-thousandths.
const LADDER: [(u32, u32); 10] = [
    (20_000, 100),
    (30_000, 200),
    (40_000, 500),
    (60_000, 1_000),
    (100_000, 2_000),
    (200_000, 5_000),
    (300_000, 10_000),
    (500_000, 20_000),
    (1_000_000, 50_000),
    (10_000_000, 100_000),
];
const SHORTEST: u32 = 10_100;

/// A price that is shortened by so many ticks; by none it is as it was quoted.
pub(super) fn shortened(price: WirePrice, ticks: u32) -> WirePrice {
    if ticks == 0 || price.e4 < SHORTEST {
        return price;
    }
    let longest = LADDER[LADDER.len() - 1].0;
    let mut e4 = price.e4.min(longest);
    let mut from = 10_000;
    for (until, step) in LADDER {
        if e4 <= until {
            e4 = from + (e4 - from) / step * step;
            break;
        }
        from = until;
    }
    for _ in 0..ticks {
        let below = LADDER.iter().find(|(until, _)| e4 <= *until);
        let Some((_, step)) = below.filter(|_| SHORTEST < e4) else { break };
        e4 -= step;
    }
    WirePrice { e4, num: 0, den: 0 }
}
