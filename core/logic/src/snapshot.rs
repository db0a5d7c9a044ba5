//! The whole state as bytes and back: what a snapshot holds, without a header of its own.
//!
//! The layout is rkyv's (little-endian, 64-bit offsets, both pinned) of the `Image` below. Whoever
//! stores it puts a header before it that names format, version, sequence, digest and checksum: rkyv
//! checks bytes, not meaning. What can be recomputed (hash tables, exposure) is not stored; what
//! cannot (the order of lists, generations, free places) is, so that a state from a snapshot decides
//! exactly as the one it was taken of.

use crate::answer::Answer;
use crate::bet::{Ask, Bet, BetState, Hold, Leg, NONE};
use crate::command::{
    Capacities, Drives, EachWayKind, EachWayOffer, FactorScope, Genesis, HoldBind, Limits,
    ResultEntry, SetTier,
};
use crate::digest::{Digest, Digester, Running};
use crate::event::{FeedStatus, HouseAccount, JobKind, MarketStatus};
use crate::exchange::ExchangeImage;
use crate::feed::Feed;
use crate::group::Group;
use crate::id::*;
use crate::idempotency::{Kept, KeptBucket};
use crate::ledger::{Account, Book};
use crate::limits::{Limited, OwnLimit};
use crate::market::{Job, Market, Selection, Suspension};
use crate::quote::{FeedQuote, Sent};
use crate::results::{WINDOWS_OF_A_MARKET, Window};
use crate::rules::Rules;
use crate::ruleset::RULESETS_MAX;
use crate::shed::Shedding;
use crate::shorten::shortened;
use crate::state::{Fixture, State};
use crate::tier::Tier;
use crate::time::{Nanos, Timestamp};
use crate::wire::{Body, Name, WirePrice};
use betring_pricing::{Currency, LegNumbers, Pence, PlaceFraction, Shape, Share};
use rkyv::{Archive, Deserialize, Serialize, rancor};
use std::cmp::Reverse;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The version of the layout of what [`State::image`] writes.
pub const IMAGE_VERSION: u32 = 3;

/// What the bytes of an image are aligned to, in memory.
const ALIGNMENT: usize = 16;

#[derive(Archive, Serialize, Deserialize)]
struct Image {
    genesis: Vec<u8>,
    rulesets: Vec<u8>,
    capacities: Vec<u8>,
    /// Of the capacities alone: room is made for them before the whole digest can be computed, and a
    /// single wrong bit of one could ask for all memory there is.
    capacities_digest: u128,
    rules: (u64, u32),
    seq: u64,
    now: i64,
    epoch: u32,
    steps: u64,
    running: (u64, u64),
    suspension: Owners,
    cash_out: Owners,
    /// The mode, 0 none, and who said so.
    shedding: (u8, u64),
    quarantined: Vec<(u64, u128)>,
    actors: Vec<u8>,
    feed_names: Vec<u8>,
    feeds: Vec<FeedRow>,
    group_names: Vec<u8>,
    groups: Vec<GroupRow>,
    /// Those that were ever set.
    tiers: Vec<TierRow>,
    fixture_names: Vec<u8>,
    fixtures: Vec<(i64, Owners, Owners)>,
    accounts: Vec<AccountRow>,
    limited: Vec<LimitedRow>,
    /// Scope, number or place, percent: those that are not the whole.
    factors: Vec<(u8, u32, u32)>,
    books: Vec<BookRow>,
    currency_limits: Vec<u8>,
    markets: Vec<MarketRow>,
    market_names: Vec<u8>,
    own_limits: Vec<(u8, u32, Vec<u8>)>,
    free_markets: Vec<u32>,
    selections: Vec<SelectionRow>,
    selection_names: Vec<u8>,
    free_blocks: Vec<Vec<u32>>,
    bets: Vec<BetRow>,
    free_bet: u32,
    legs: Vec<LegRow>,
    free_leg: u32,
    windows: Vec<(i64, i64, i64, bool, u32)>,
    free_window: u32,
    timers: Vec<(i64, u64, u64)>,
    working: Vec<u32>,
    auto_queue: Vec<u32>,
    keys: Vec<BucketRow>,
    exchange: ExchangeImage,
}

/// Which owners suspend a level, and since when offers are off.
type Owners = (u8, u64);

#[derive(Archive, Serialize, Deserialize)]
struct FeedRow {
    status: u8,
    generation: u32,
    seq: u64,
    heard: i64,
    heartbeat: i64,
    silence_bound: i64,
    delay_bound: i64,
    slow: bool,
    schema: u32,
    /// None: nobody asked in this run.
    request: u64,
    quickest: Option<i64>,
    doubted: Option<i64>,
    suspension: Owners,
    cash_out: Owners,
}

#[derive(Archive, Serialize, Deserialize)]
struct GroupRow {
    primary: u16,
    backup: u16,
    drives: u8,
    suspension: Owners,
    cash_out: Owners,
}

#[derive(Archive, Serialize, Deserialize)]
struct TierRow {
    tier: u8,
    age_bound: i64,
    cash_out_age: i64,
    drift_band: u32,
    drift_dwell: i64,
    price_band: u32,
    /// What it does, band, ticks, steps.
    act: (u8, u8, u8, u8),
}

#[derive(Archive, Serialize, Deserialize)]
struct AccountRow {
    balance: i64,
    bonus: i64,
    reference: u64,
    currency: u8,
    blocked: bool,
    external: bool,
    synthetic: bool,
    percent: u32,
    excluded: i64,
    limited: u32,
    discount: u16,
}

#[derive(Archive, Serialize, Deserialize)]
struct LimitedRow {
    account: u32,
    /// Amount, next, from: by kind and period.
    limits: [[(i64, i64, i64); 3]; 3],
    windows: [i64; 3],
    used: [[i128; 3]; 3],
}

#[derive(Archive, Serialize, Deserialize)]
struct BookRow {
    currency: u16,
    house: [i128; 9],
}

#[derive(Archive, Serialize, Deserialize)]
struct MarketRow {
    generation: u32,
    status: u8,
    feed: u16,
    group: u16,
    tier: u8,
    winners: u16,
    fixture: u64,
    suspension: Owners,
    opened_in: u32,
    age_bound: i64,
    version: u64,
    first: u32,
    selections: u16,
    head: u32,
    tail: u32,
    open_bets: u32,
    settlement: u32,
    job: Option<(u64, u8, u32, u64, u64)>,
    queued: Option<(u64, u8)>,
    in_play: bool,
    delay: i64,
    cash_out: Owners,
    each_way: u8,
    /// Places, and the part of the odds.
    terms: (u8, u8, u8),
    deducts: bool,
    windows: u32,
    certainty: u8,
    result_source: i64,
    rolled_back: i64,
    /// The heads of both lists, queued, again.
    autos: (u32, u32, bool, bool),
    drifted: u16,
    drift_since: i64,
    canary: bool,
    exchange: bool,
}

/// Price, received, as of, delay, generation.
type SentRow = ((u32, u16, u16), i64, i64, i64, u32);

#[derive(Archive, Serialize, Deserialize)]
struct QuoteRow {
    sent: SentRow,
    version: u64,
    held: SentRow,
}

#[derive(Archive, Serialize, Deserialize)]
struct SelectionRow {
    quotes: (QuoteRow, QuoteRow),
    /// Price, version, at, seq.
    pinned: ((u32, u16, u16), u64, i64, u64),
    suspension: Owners,
    bands: u8,
    steps: u8,
    ticks: u16,
    drifted: bool,
    withdrawn: bool,
    deducts: bool,
    withdrawn_seq: u64,
    withdrawn_at: (u32, u16, u16),
    result: Option<[u8; 16]>,
}

#[derive(Archive, Serialize, Deserialize)]
struct BetRow {
    stake: i64,
    returns: i64,
    cap: i64,
    paid: i64,
    cashed: i64,
    generation: u32,
    account: u32,
    first: u32,
    folds: u32,
    bankers: u32,
    legs: u8,
    each_way: u8,
    undecided: u8,
    present: u8,
    state: u8,
    book: u8,
    policy: u8,
    basis: u8,
    synthetic: bool,
    bonus: bool,
    cancelled: bool,
    single: bool,
    slippage: u16,
    ruleset: u16,
    settlements: u32,
    placed_seq: u64,
    placed_at: i64,
    staked_at: i64,
    paid_at: i64,
    until: i64,
    floor: u64,
    key: u128,
    unit: i64,
    /// Take, accept, seq, policy, slippage, auto.
    ask: (i64, i64, u64, u8, u16, bool),
    auto: i64,
    /// Bind (0 none), what was confirmed, the wallet's number.
    hold: (u8, i64, u64),
}

#[derive(Archive, Serialize, Deserialize)]
struct LegRow {
    bet: u32,
    market: u32,
    generation: u32,
    sibling: u32,
    next: u32,
    auto_next: u32,
    auto_listed: bool,
    present: bool,
    counted: bool,
    /// Places, and the part of the odds; zeros without each-way.
    terms: (u8, u8, u8),
    selection: u16,
    feed: u16,
    requested: (u32, u16, u16),
    requested_version: u64,
    price: (u32, u16, u16),
    version: u64,
    price_age: i64,
    settles_at: (u32, u16, u16),
    reach: i64,
    numbers: Option<NumbersRow>,
}

/// Void, win and place shares, and the deduction.
type NumbersRow = ((u16, u16), (u16, u16), (u16, u16), u8);

#[derive(Archive, Serialize, Deserialize)]
struct BucketRow {
    bucket: u16,
    end: i64,
    keys: Vec<KeyRow>,
}

#[derive(Archive, Serialize, Deserialize)]
struct KeyRow {
    account: u64,
    key: u128,
    digest: u64,
    valid_until: i64,
    answer: [u8; 64],
    sealed: bool,
}

const _: () = assert!(HouseAccount::ALL.len() == 9 && size_of::<Answer>() == 64);

/// Why bytes are not a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// They are not the layout of an image.
    Layout(String),
    /// A field holds what no state holds.
    Content(&'static str),
    /// The state that they hold is not the one that was stored.
    Digest {
        /// Of the state that was read.
        found: Digest,
        /// As stored beside the image.
        expected: Digest,
    },
}

impl std::fmt::Display for ImageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ImageError::Layout(what) => write!(f, "the bytes are not an image of a state: {what}"),
            ImageError::Content(what) => {
                write!(f, "the image holds what no state holds: {what}")
            }
            ImageError::Digest { found, expected } => {
                write!(f, "the image holds state {found}, but {expected} was stored")
            }
        }
    }
}

impl std::error::Error for ImageError {}

pub(crate) type Read<T> = Result<T, ImageError>;

pub(crate) fn content<T>(value: Option<T>, what: &'static str) -> Read<T> {
    value.ok_or(ImageError::Content(what))
}

pub(crate) fn holds(good: bool, what: &'static str) -> Read<()> {
    content(good.then_some(()), what)
}

fn rows<T: IntoBytes + Immutable>(values: &[T]) -> Vec<u8> {
    values.as_bytes().to_vec()
}

fn read_rows<T: FromBytes>(bytes: &[u8], what: &'static str) -> Read<Vec<T>> {
    holds(bytes.len().is_multiple_of(size_of::<T>()), what)?;
    let read = |row| T::read_from_bytes(row).ok();
    content(bytes.chunks_exact(size_of::<T>()).map(read).collect(), what)
}

fn names(bytes: &[u8], what: &'static str) -> Read<Vec<Name>> {
    let names: Vec<Name> = read_rows(bytes, what)?;
    let valid = names.iter().all(|n| *n == Name::filler() || n.text().is_ok());
    holds(valid, what)?;
    Ok(names)
}

fn capacities_digest(capacities: &Capacities) -> u128 {
    Digester::new("capacities").bytes(capacities.as_bytes()).finish().0
}

fn owners(suspension: Suspension) -> Owners {
    (suspension.owners, suspension.seq.0)
}

fn suspension((owners, seq): Owners) -> Suspension {
    Suspension { owners, seq: Seq(seq) }
}

fn price(price: WirePrice) -> (u32, u16, u16) {
    (price.e4, price.num, price.den)
}

fn wire_price((e4, num, den): (u32, u16, u16)) -> Read<WirePrice> {
    let price = WirePrice { e4, num, den };
    holds(price.is_none() || price.is_price(), "a price")?;
    Ok(price)
}

impl<R: Rules> State<R> {
    /// The whole state as bytes.
    ///
    /// # Errors
    /// Only if memory for them cannot be had.
    pub fn image(&self) -> Result<rkyv::util::AlignedVec, ImageError> {
        let layout = |e: rancor::Error| ImageError::Layout(e.to_string());
        rkyv::to_bytes::<rancor::Error>(&self.to_image()).map_err(layout)
    }

    /// The state of an image, if it is the one whose digest was stored beside it, to go on from under
    /// these rules, whichever it was made under.
    ///
    /// # Errors
    /// If the bytes are not an image, hold what no state holds, or give another digest. Nothing panics
    /// on them.
    pub fn from_image(rules: R, bytes: &[u8], expected: Digest) -> Read<State<R>> {
        let layout = |e: rancor::Error| ImageError::Layout(e.to_string());
        // Most large pieces of memory are aligned; one that is not is copied to where it is.
        let image = if bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            rkyv::from_bytes::<Image, rancor::Error>(bytes)
        } else {
            let mut aligned = rkyv::util::AlignedVec::<ALIGNMENT>::with_capacity(bytes.len());
            aligned.extend_from_slice(bytes);
            rkyv::from_bytes::<Image, rancor::Error>(&aligned)
        };
        let image = image.map_err(layout)?;
        let made_under = image.rules;
        let state = Self::of_image(rules, image)?;
        let found = state.digest_under(made_under);
        if found != expected {
            return Err(ImageError::Digest { found, expected });
        }
        Ok(state)
    }

    fn to_image(&self) -> Image {
        let markets_by_book = (0..self.ledger.books.len() as u8)
            .flat_map(|book| (0..self.markets.len() as u32).map(move |market| (book, market)));
        let own_limits = markets_by_book.filter_map(|(book, market)| {
            self.own_limits.at(book, market).map(|l| (book, market, l.as_bytes().to_vec()))
        });
        let mut timers: Vec<_> =
            self.timers.iter().map(|Reverse((due, seq, bet))| (due.0, seq.0, bet.raw())).collect();
        timers.sort_unstable();
        Image {
            genesis: self.genesis.as_bytes().to_vec(),
            rulesets: rows(&self.rulesets),
            capacities: self.capacities.as_bytes().to_vec(),
            capacities_digest: capacities_digest(&self.capacities),
            rules: (R::ID, R::VERSION),
            seq: self.seq.0,
            now: self.now.0,
            epoch: self.epoch.0,
            steps: self.steps,
            running: (self.running.hash, self.running.events),
            suspension: owners(self.suspension),
            cash_out: owners(self.cash_out),
            shedding: (self.shedding.code(), self.shedding.by.0),
            quarantined: self.quarantined.iter().map(|(a, k)| (*a, k.0)).collect(),
            actors: rows(&self.actors.names),
            feed_names: rows(&self.feed_names.names),
            feeds: self.feeds.iter().map(feed_row).collect(),
            group_names: rows(&self.group_names.names),
            groups: self.groups.iter().map(group_row).collect(),
            tiers: (0..=u8::MAX).filter_map(|n| tier_row(n, &self.tiers[usize::from(n)])).collect(),
            fixture_names: rows(&self.fixture_names.names),
            fixtures: self
                .fixtures
                .iter()
                .map(|f| (f.starts.0, owners(f.suspension), owners(f.cash_out)))
                .collect(),
            accounts: self.ledger.accounts.iter().map(account_row).collect(),
            limited: self.limited.iter().map(limited_row).collect(),
            factors: self
                .factors
                .changed()
                .map(|(s, at, percent)| (s as u8, at, percent))
                .collect(),
            books: self.ledger.books.iter().map(book_row).collect(),
            currency_limits: rows(&self.currency_limits),
            markets: self.markets.iter().map(market_row).collect(),
            market_names: rows(&self.market_names),
            own_limits: own_limits.collect(),
            free_markets: self.free_markets.clone(),
            selections: self.selections.iter().map(selection_row).collect(),
            selection_names: rows(&self.selection_names),
            free_blocks: self.free_blocks.to_vec(),
            bets: self.bets.iter().map(bet_row).collect(),
            free_bet: self.free_bet,
            legs: self.legs.iter().map(leg_row).collect(),
            free_leg: self.free_leg,
            windows: self.windows.places.iter().map(window_row).collect(),
            free_window: self.windows.free,
            timers,
            working: self.working.iter().copied().collect(),
            auto_queue: self.auto_queue.iter().copied().collect(),
            keys: self.keys.buckets().map(bucket_row).collect(),
            exchange: self.exchange.image(),
        }
    }

    fn of_image(rules: R, image: Image) -> Read<State<R>> {
        let genesis = Genesis::read_from_bytes(&image.genesis).ok();
        let genesis = content(genesis.filter(|g| g.check().is_ok()), "genesis")?;
        let capacities = Capacities::read_from_bytes(&image.capacities).ok();
        // Between Genesis and the first run there are none yet: a crash may end a journal there.
        let none = |c: &Capacities| *c == Capacities::default() && image.epoch == 0;
        let capacities = capacities.filter(|c| c.are_valid() || none(c));
        let capacities = content(capacities, "capacities")?;
        let own = capacities_digest(&capacities) == image.capacities_digest;
        holds(own, "capacities that are not those it was stored with")?;

        let mut state = State::new(rules);
        state.genesis = genesis;
        state.rulesets = read_rows(&image.rulesets, "rules")?;
        // Before Genesis there are none: nobody takes an image of that.
        let sets = state.rulesets.len();
        holds((1..=RULESETS_MAX).contains(&sets), "rules")?;
        for set in &state.rulesets {
            let house = set.check().ok().and_then(|()| set.rules());
            state.houses.push(content(house, "rules")?);
        }
        state.keys.set_window(genesis.window);
        state.seq = Seq(image.seq);
        state.now = Timestamp(image.now);
        state.epoch = Epoch(image.epoch);
        state.steps = image.steps;
        state.running = Running { hash: image.running.0, events: image.running.1 };
        state.suspension = suspension(image.suspension);
        state.cash_out = suspension(image.cash_out);
        let (mode, by) = image.shedding;
        state.shedding = content(Shedding::from_code(mode, ActorId(by)), "when load is shed")?;

        state.quarantined = image.quarantined.iter().map(|(a, k)| (*a, RequestKey(*k))).collect();
        state.actors.names = names(&image.actors, "an actor's name")?;
        state.feed_names.names = names(&image.feed_names, "a feed's name")?;
        state.group_names.names = names(&image.group_names, "a group's name")?;
        state.groups = image.groups.iter().map(group).collect::<Read<_>>()?;
        for row in &image.tiers {
            state.tiers[usize::from(row.tier)] = tier(row)?;
        }
        state.fixture_names.names = names(&image.fixture_names, "a fixture's name")?;
        state.feeds = image.feeds.iter().map(feed).collect::<Read<_>>()?;
        let fixture = |(starts, by, frozen): &(i64, Owners, Owners)| Fixture {
            starts: Timestamp(*starts),
            suspension: suspension(*by),
            cash_out: suspension(*frozen),
        };
        state.fixtures = image.fixtures.iter().map(fixture).collect();
        state.ledger.books = image.books.iter().map(book).collect::<Read<_>>()?;
        state.ledger.accounts = image.accounts.iter().map(account).collect();
        state.limited = image.limited.iter().map(limited).collect();
        state.currency_limits = read_rows(&image.currency_limits, "limits")?;
        // Those of currencies that nobody uses yet are in no digest: they are still the journal's.
        let mut unused = state.currency_limits.iter().skip(state.ledger.books.len());
        holds(unused.all(|limits| *limits == genesis.limits), "limits of no currency")?;
        state.markets = image.markets.iter().map(market).collect::<Read<_>>()?;
        state.market_names = names(&image.market_names, "a market's name")?;
        state.selections = image.selections.iter().map(selection).collect::<Read<_>>()?;
        state.selection_names = names(&image.selection_names, "a selection's name")?;
        state.bets = image.bets.iter().map(bet).collect::<Read<_>>()?;
        state.free_bet = image.free_bet;
        state.legs = image.legs.iter().map(leg).collect::<Read<_>>()?;
        state.free_leg = image.free_leg;
        state.windows.places = image.windows.iter().map(window).collect();
        state.windows.free = image.free_window;
        state.auto_queue = image.auto_queue.iter().copied().collect();
        state.free_markets = image.free_markets.clone();
        state.working = image.working.iter().copied().collect();
        let timer = |(due, seq, bet): &(i64, u64, u64)| {
            Reverse((Timestamp(*due), Seq(*seq), BetId::from_raw(*bet)))
        };
        state.timers = image.timers.iter().map(timer).collect();
        let kept_blocks = image.free_blocks.len() == state.free_blocks.len();
        holds(kept_blocks, "lists of free blocks")?;
        for (blocks, kept) in state.free_blocks.iter_mut().zip(&image.free_blocks) {
            blocks.clone_from(kept);
        }
        state.check_bounds(&capacities)?;
        state.put_exchange_back(&image.exchange, &capacities)?;
        let live = state.bets.iter().filter(|bet| bet.state != BetState::Archived);
        state.live_bets = live.clone().count() as u32;
        state.live_legs = live.map(|bet| u32::from(bet.legs)).sum();

        // Tables and grids are built for the capacities; then what was left out is recomputed.
        state.grow(capacities);
        state.rebuild_books()?;
        for (book, index, limits) in &image.own_limits {
            let known = usize::from(*book) < state.ledger.books.len()
                && (*index as usize) < state.markets.len();
            holds(known, "limits of a market")?;
            let limits = content(Limits::read_from_bytes(limits).ok(), "limits of a market")?;
            *state.own_limits.at_mut(*book, *index) = Some(limits);
        }
        for (scope, at, percent) in &image.factors {
            let scope = FactorScope::from_code(*scope);
            let factor = scope.and_then(|scope| state.factors.at_mut(scope, *at));
            *content(factor, "a factor")? = *percent;
        }
        for bet in state.bets.iter().filter(|bet| bet.state != BetState::Archived) {
            let account = &mut state.ledger.accounts[bet.account as usize];
            if bet.counts() && !bet.synthetic {
                account.may_win += bet.may_win();
            }
            if bet.is_bound() {
                account.held += i128::from(bet.stake);
            }
            if !bet.state.is_refused() && bet.state != BetState::CashedOut {
                holds(0 <= bet.returns, "what a bet may win")?;
                let account = &mut state.ledger.accounts[bet.account as usize];
                let pending = account.pending.checked_add(bet.returns);
                account.pending = content(pending, "what an account may win")?;
                holds(account.has_room_for(0), "what an account may win")?;
            }
        }
        for leg in state.legs.iter().filter(|leg| leg.counted) {
            holds(leg.bet != NONE, "a leg that counts")?;
            let bet = &state.bets[leg.bet as usize];
            let market = &state.markets[leg.market as usize];
            let place = market.first + u32::from(leg.selection.0);
            holds(0 < bet.stake && 0 <= bet.returns, "what a bet may win")?;
            if bet.synthetic {
                continue;
            }
            if bet.is_plain() {
                state.risk.count(crate::settlement::at_place(bet, leg, place), false, 1);
            } else {
                holds(0 <= leg.reach, "what a ticket may win")?;
                state.risk.count_reach(bet.book, place, i128::from(leg.reach));
            }
        }
        for index in 0..state.markets.len() as u32 {
            let market = state.markets[index as usize];
            if market.status == MarketStatus::Archived {
                continue;
            }
            for place in market.first..market.first + u32::from(market.selections) {
                if state.selections[place as usize].withdrawn {
                    state.risk.withdraw(index, place, true);
                }
            }
            for book in 0..state.ledger.books.len() as u8 {
                state.weigh(book, index);
            }
        }
        for bucket in &image.keys {
            let kept = KeptBucket {
                bucket: bucket.bucket,
                end: bucket.end,
                keys: bucket.keys.iter().map(key).collect::<Read<_>>()?,
            };
            let hash = |kept: &Kept| state.key_hash(kept.account, kept.key);
            let hashes: Vec<u64> = kept.keys.iter().map(hash).collect();
            holds(state.keys.restore(kept, &hashes), "a key")?;
        }
        Ok(state)
    }

    /// Everything that is used as an index, within what it indexes.
    fn check_bounds(&self, capacities: &Capacities) -> Read<()> {
        let within = |len: usize, capacity: u32| len <= capacity as usize;
        holds(within(self.ledger.accounts.len(), capacities.accounts), "accounts")?;
        holds(within(self.limited.len(), capacities.limited), "accounts with limits")?;
        holds(within(self.markets.len(), capacities.markets), "markets")?;
        holds(within(self.selections.len(), capacities.selections), "selections")?;
        holds(within(self.bets.len(), capacities.bets), "bets")?;
        holds(within(self.ledger.books.len(), capacities.currencies), "currencies")?;
        holds(within(self.currency_limits.len(), capacities.currencies), "limits")?;
        holds(within(self.quarantined.len(), capacities.quarantined), "quarantine")?;
        holds(within(self.actors.names.len(), capacities.actors), "actors")?;
        holds(within(self.feed_names.names.len(), capacities.feeds), "feeds")?;
        holds(within(self.group_names.names.len(), capacities.groups), "groups")?;
        holds(within(self.fixture_names.names.len(), capacities.fixtures), "fixtures")?;
        holds(within(self.timers.len(), crate::state::waiting_max(capacities)), "timers")?;
        holds(within(self.legs.len(), capacities.legs), "legs")?;
        let windows = capacities.markets.saturating_add(WINDOWS_OF_A_MARKET);
        holds(within(self.windows.places.len(), windows), "cancelled windows")?;
        holds(within(self.auto_queue.len(), capacities.markets), "markets to be looked at")?;
        holds(within(self.working.len(), capacities.markets), "jobs")?;
        holds(within(self.free_markets.len(), capacities.markets), "free markets")?;
        holds(self.feeds.len() == self.feed_names.names.len() + 1, "feeds")?;
        holds(self.groups.len() == self.group_names.names.len(), "groups")?;
        let known = |feed: FeedId| feed != FeedId::MANUAL && usize::from(feed.0) < self.feeds.len();
        let fed = self.groups.iter().all(|group| known(group.primary) && known(group.backup));
        holds(fed, "a group's feeds")?;
        holds(self.fixtures.len() == self.fixture_names.names.len(), "fixtures")?;
        holds(self.markets.len() == self.market_names.len(), "markets")?;
        holds(self.selections.len() == self.selection_names.len(), "selections")?;

        let bet = |at: u32| at == NONE || (at as usize) < self.bets.len();
        let leg = |at: u32| at == NONE || (at as usize) < self.legs.len();
        let window = |at: u32| at == NONE || (at as usize) < self.windows.places.len();
        let market = |at: &u32| (*at as usize) < self.markets.len();
        let currency = |book: u8| usize::from(book) < self.ledger.books.len();
        let accounts = self.ledger.accounts.iter();
        holds(accounts.clone().all(|a| currency(a.currency)), "an account's currency")?;
        let own = |at: u32| at == NONE || (at as usize) < self.limited.len();
        holds(accounts.clone().all(|a| own(a.limited)), "an account's limits")?;
        holds(self.working.iter().all(market), "a job's market")?;
        let works = |at: &u32| self.markets[*at as usize].job.is_some();
        holds(self.working.iter().all(works), "a market in turn without a job")?;
        holds(self.auto_queue.iter().all(market), "a market to be looked at")?;
        holds(self.free_markets.iter().all(market), "a free market")?;
        holds(bet(self.free_bet), "a free bet")?;
        holds(leg(self.free_leg), "a free leg")?;
        holds(window(self.windows.free), "a free window")?;
        let windows = self.windows.places.iter();
        holds(windows.clone().all(|w| window(w.next)), "a window's successor")?;
        for kept in self.markets.iter().filter(|m| m.status != MarketStatus::Archived) {
            let block = kept.first as usize + kept.block() as usize;
            holds(0 < kept.selections && block <= self.selections.len(), "a market's selections")?;
            holds(usize::from(kept.feed.0) < self.feeds.len(), "a market's feed")?;
            let group = self.find_group(kept.group);
            let grouped = group.map_or(kept.group == GroupId::NONE, |g| g.primary == kept.feed);
            holds(grouped, "a market's group")?;
            // Of an exchange market it is a place of something else, which is looked at with its orders.
            let cursor = kept.exchange || kept.job.is_none_or(|job| leg(job.cursor));
            holds(leg(kept.head) && leg(kept.tail) && cursor, "a market's bets")?;
            let autos = leg(kept.auto_head) && leg(kept.auto_kept);
            holds(autos && window(kept.windows), "a market's lists")?;
            let settling = kept.status == MarketStatus::Settling;
            let block = &self.selections[kept.first as usize..][..usize::from(kept.selections)];
            let decided = block.iter().all(|selection| selection.result.is_some());
            holds(!settling || decided, "a settling market's result")?;
            let drifted = block.iter().filter(|selection| selection.drifted).count();
            holds(drifted == usize::from(kept.drifted), "selections whose feeds are apart")?;
        }
        for kept in &self.bets {
            holds(kept.state != BetState::Archived || bet(kept.first), "a free bet's successor")?;
            if kept.state == BetState::Archived {
                continue;
            }
            let known = (kept.account as usize) < self.ledger.accounts.len()
                && currency(kept.book)
                && usize::from(kept.ruleset) < self.rulesets.len();
            holds(known, "a bet's account, currency or rules")?;
            let shape = Shape::new(kept.legs, kept.folds, kept.bankers, kept.each_way);
            holds(shape.is_ok(), "a bet's lines")?;
            let staked = kept.state.in_escrow() || kept.state == BetState::Held;
            holds(!staked || 0 < kept.stake, "a bet's stake")?;
            let held = kept.state != BetState::Held || kept.hold.bind.is_some();
            holds(held, "a bet that waits for its wallet")?;
            // Its legs, in their list: as many as it has.
            let (mut at, mut legs) = (kept.first, 0);
            while at != NONE {
                holds(leg(at) && legs < kept.legs, "a bet's legs")?;
                legs += 1;
                at = self.legs[at as usize].sibling;
            }
            holds(legs == kept.legs, "a bet's legs")?;
        }
        for kept in &self.legs {
            holds(leg(kept.sibling) && leg(kept.next) && leg(kept.auto_next), "a leg's lists")?;
            if kept.bet == NONE {
                continue;
            }
            let known = (kept.bet as usize) < self.bets.len() && market(&kept.market);
            holds(known, "a leg's bet or market")?;
            holds(kept.price.is_price() && kept.settles_at.is_price(), "a leg's price")?;
            holds(!kept.counted || kept.present, "a leg that counts")?;
            if kept.present {
                let of = &self.markets[kept.market as usize];
                holds(of.status != MarketStatus::Archived, "a leg's market")?;
                holds(kept.selection.0 < of.selections, "a leg's selection")?;
            }
        }
        for (power, blocks) in self.free_blocks.iter().enumerate() {
            let fits = |first: &u32| *first as usize + (1 << power) <= self.selections.len();
            holds(blocks.iter().all(fits), "a free block")?;
        }
        Ok(())
    }
}

fn feed_row(feed: &Feed) -> FeedRow {
    FeedRow {
        status: feed.status as u8,
        generation: feed.generation,
        seq: feed.seq,
        heard: feed.heard.0,
        heartbeat: feed.heartbeat.0,
        silence_bound: feed.silence_bound.0,
        delay_bound: feed.delay_bound.0,
        slow: feed.slow,
        schema: feed.schema,
        request: feed.request,
        quickest: feed.quickest.map(|q| q.0),
        doubted: feed.doubted.map(|way| way.0),
        suspension: owners(feed.suspension),
        cash_out: owners(feed.cash_out),
    }
}

fn feed(row: &FeedRow) -> Read<Feed> {
    Ok(Feed {
        status: content(FeedStatus::from_code(row.status), "a feed's status")?,
        generation: row.generation,
        seq: row.seq,
        heard: Timestamp(row.heard),
        heartbeat: Timestamp(row.heartbeat),
        silence_bound: Nanos(row.silence_bound),
        delay_bound: Nanos(row.delay_bound),
        slow: row.slow,
        schema: row.schema,
        request: row.request,
        quickest: row.quickest.map(Nanos),
        doubted: row.doubted.map(Nanos),
        suspension: suspension(row.suspension),
        cash_out: suspension(row.cash_out),
    })
}

fn group_row(group: &Group) -> GroupRow {
    GroupRow {
        primary: group.primary.0,
        backup: group.backup.0,
        drives: group.drives as u8,
        suspension: owners(group.suspension),
        cash_out: owners(group.cash_out),
    }
}

fn group(row: &GroupRow) -> Read<Group> {
    Ok(Group {
        primary: FeedId(row.primary),
        backup: FeedId(row.backup),
        drives: content(Drives::from_code(row.drives), "the feed that drives a group")?,
        suspension: suspension(row.suspension),
        cash_out: suspension(row.cash_out),
    })
}

fn tier_row(number: u8, tier: &Tier) -> Option<TierRow> {
    let row = TierRow {
        tier: number,
        age_bound: tier.age_bound.0,
        cash_out_age: tier.cash_out_age.0,
        drift_band: tier.drift_band,
        drift_dwell: tier.drift_dwell.0,
        price_band: tier.price_band,
        act: (tier.act as u8, tier.band, tier.ticks, tier.steps),
    };
    (*tier != Tier::UNSET).then_some(row)
}

fn tier(row: &TierRow) -> Read<Tier> {
    let (act, band, ticks, steps) = row.act;
    let body = SetTier {
        tier: row.tier,
        act,
        band,
        ticks,
        steps,
        drift_band: row.drift_band,
        age_bound: Nanos(row.age_bound),
        cash_out_age: Nanos(row.cash_out_age),
        drift_dwell: Nanos(row.drift_dwell),
        price_band: row.price_band,
        ..SetTier::default()
    };
    holds(body.check().is_ok(), "a tier")?;
    Ok(Tier::of(&body))
}

fn account_row(account: &Account) -> AccountRow {
    AccountRow {
        balance: account.balance,
        bonus: account.bonus,
        reference: account.reference,
        currency: account.currency,
        blocked: account.blocked,
        external: account.external,
        synthetic: account.synthetic,
        percent: account.percent,
        excluded: account.excluded.0,
        limited: account.limited,
        discount: account.discount,
    }
}

fn account(row: &AccountRow) -> Account {
    Account {
        balance: row.balance,
        bonus: row.bonus,
        blocked: row.blocked,
        external: row.external,
        synthetic: row.synthetic,
        percent: row.percent,
        excluded: Timestamp(row.excluded),
        limited: row.limited,
        discount: row.discount,
        ..Account::new(row.reference, row.currency)
    }
}

fn limited_row(limited: &Limited) -> LimitedRow {
    let limit = |limit: OwnLimit| (limit.amount, limit.next, limit.from.0);
    LimitedRow {
        account: limited.account,
        limits: limited.limits.map(|kind| kind.map(limit)),
        windows: limited.windows,
        used: limited.used,
    }
}

fn limited(row: &LimitedRow) -> Limited {
    let limit = |(amount, next, from)| OwnLimit { amount, next, from: Timestamp(from) };
    Limited {
        account: row.account,
        limits: row.limits.map(|kind| kind.map(limit)),
        windows: row.windows,
        used: row.used,
    }
}

fn book_row(book: &Book) -> BookRow {
    BookRow { currency: book.currency.numeric(), house: book.house }
}

fn book(row: &BookRow) -> Read<Book> {
    let currency = content(Currency::from_numeric(row.currency), "a currency")?;
    Ok(Book { currency, house: row.house })
}

fn market_row(market: &Market) -> MarketRow {
    let job = |job: Job| (job.id.0, job.kind as u8, job.cursor, job.bets, job.steps);
    MarketRow {
        generation: market.generation,
        status: market.status as u8,
        feed: market.feed.0,
        group: market.group.0,
        tier: market.tier,
        winners: market.winners,
        fixture: market.fixture.raw(),
        suspension: owners(market.suspension),
        opened_in: market.opened_in.0,
        age_bound: market.age_bound.0,
        version: market.version.0,
        first: market.first,
        selections: market.selections,
        head: market.head,
        tail: market.tail,
        open_bets: market.open_bets,
        settlement: market.settlement,
        job: market.job.map(job),
        queued: market.queued.map(|(id, kind)| (id.0, kind as u8)),
        in_play: market.in_play,
        delay: market.delay.0,
        cash_out: owners(market.cash_out),
        each_way: market.each_way as u8,
        terms: terms(market.places, market.fraction),
        deducts: market.deducts,
        windows: market.windows,
        certainty: market.certainty,
        result_source: market.result_source.0,
        rolled_back: market.rolled_back.0,
        autos: (market.auto_head, market.auto_kept, market.auto_queued, market.auto_again),
        drifted: market.drifted,
        drift_since: market.drift_since.0,
        canary: market.canary,
        exchange: market.exchange,
    }
}

fn market(row: &MarketRow) -> Read<Market> {
    let job = match row.job {
        None => None,
        Some((id, kind, cursor, bets, steps)) => Some(Job {
            id: JobId(id),
            kind: content(JobKind::from_code(kind), "a job")?,
            cursor,
            bets,
            steps,
        }),
    };
    let queued = match row.queued {
        None => None,
        Some((id, kind)) => Some((JobId(id), content(JobKind::from_code(kind), "a job")?)),
    };
    Ok(Market {
        generation: row.generation,
        status: content(MarketStatus::from_code(row.status), "a market's status")?,
        feed: FeedId(row.feed),
        group: GroupId(row.group),
        tier: row.tier,
        winners: row.winners,
        fixture: FixtureId::from_raw(row.fixture),
        suspension: suspension(row.suspension),
        opened_in: Epoch(row.opened_in),
        age_bound: Nanos(row.age_bound),
        version: PriceVersion(row.version),
        first: row.first,
        selections: row.selections,
        head: row.head,
        tail: row.tail,
        open_bets: row.open_bets,
        settlement: row.settlement,
        job,
        queued,
        in_play: row.in_play,
        delay: Nanos(row.delay),
        cash_out: suspension(row.cash_out),
        each_way: content(EachWayOffer::from_code(row.each_way), "each-way terms")?,
        places: row.terms.0,
        fraction: fraction(row.terms)?,
        deducts: row.deducts,
        windows: row.windows,
        certainty: row.certainty,
        result_source: Timestamp(row.result_source),
        rolled_back: Timestamp(row.rolled_back),
        auto_head: row.autos.0,
        auto_kept: row.autos.1,
        auto_queued: row.autos.2,
        auto_again: row.autos.3,
        drifted: row.drifted,
        drift_since: Timestamp(row.drift_since),
        canary: row.canary,
        exchange: row.exchange,
    })
}

fn sent_row(sent: &Sent) -> SentRow {
    (price(sent.price), sent.received.0, sent.as_of.0, sent.delay.0, sent.generation)
}

fn sent(row: &SentRow) -> Read<Sent> {
    let (price, received, as_of, delay, generation) = *row;
    Ok(Sent {
        price: wire_price(price)?,
        received: Timestamp(received),
        as_of: Timestamp(as_of),
        delay: Nanos(delay),
        generation,
    })
}

fn quote_row(quote: &FeedQuote) -> QuoteRow {
    let (sent, held) = (sent_row(&quote.sent), sent_row(&quote.held));
    QuoteRow { sent, version: quote.version.0, held }
}

fn quote(row: &QuoteRow, ticks: u16) -> Read<FeedQuote> {
    let (sent, held) = (sent(&row.sent)?, sent(&row.held)?);
    let price = shortened(sent.price, ticks);
    Ok(FeedQuote { sent, price, version: PriceVersion(row.version), held })
}

fn selection_row(selection: &Selection) -> SelectionRow {
    let [primary, backup] = &selection.quotes;
    SelectionRow {
        quotes: (quote_row(primary), quote_row(backup)),
        pinned: (
            price(selection.pinned),
            selection.pinned_version.0,
            selection.pinned_at.0,
            selection.pinned_seq.0,
        ),
        suspension: owners(selection.suspension),
        bands: selection.bands,
        steps: selection.steps,
        ticks: selection.ticks,
        drifted: selection.drifted,
        withdrawn: selection.withdrawn,
        deducts: selection.deducts,
        withdrawn_seq: selection.withdrawn_seq.0,
        withdrawn_at: price(selection.withdrawn_at),
        result: selection.result.map(|entry| zerocopy::transmute!(entry)),
    }
}

fn selection(row: &SelectionRow) -> Read<Selection> {
    let result: Option<ResultEntry> = row.result.map(|bytes| zerocopy::transmute!(bytes));
    holds(result.is_none_or(|entry| entry.check().is_ok()), "a result")?;
    let (pinned, version, at, seq) = row.pinned;
    Ok(Selection {
        quotes: [quote(&row.quotes.0, row.ticks)?, quote(&row.quotes.1, row.ticks)?],
        pinned: wire_price(pinned)?,
        pinned_version: PriceVersion(version),
        pinned_at: Timestamp(at),
        pinned_seq: Seq(seq),
        suspension: suspension(row.suspension),
        bands: row.bands,
        steps: row.steps,
        ticks: row.ticks,
        drifted: row.drifted,
        withdrawn: row.withdrawn,
        deducts: row.deducts,
        withdrawn_seq: Seq(row.withdrawn_seq),
        withdrawn_at: wire_price(row.withdrawn_at)?,
        result,
    })
}

/// Each-way terms in a row.
fn terms(places: u8, fraction: Option<PlaceFraction>) -> (u8, u8, u8) {
    fraction.map_or((places, 0, 0), |f| (places, f.num(), f.den()))
}

fn fraction((_, num, den): (u8, u8, u8)) -> Read<Option<PlaceFraction>> {
    match (num, den) {
        (0, 0) => Ok(None),
        (num, den) => Ok(Some(content(PlaceFraction::new(num, den), "each-way terms")?)),
    }
}

fn window_row(window: &Window) -> (i64, i64, i64, bool, u32) {
    (window.from.0, window.until.0, window.source.0, window.active, window.next)
}

fn window((from, until, source, active, next): &(i64, i64, i64, bool, u32)) -> Window {
    Window {
        from: Timestamp(*from),
        until: Timestamp(*until),
        source: Timestamp(*source),
        active: *active,
        next: *next,
    }
}

fn bet_row(bet: &Bet) -> BetRow {
    let ask = bet.ask;
    BetRow {
        stake: bet.stake,
        returns: bet.returns,
        cap: bet.cap,
        paid: bet.paid,
        cashed: bet.cashed,
        generation: bet.generation,
        account: bet.account,
        first: bet.first,
        folds: bet.folds,
        bankers: bet.bankers,
        legs: bet.legs,
        each_way: EachWayKind::from(bet.each_way) as u8,
        undecided: bet.undecided,
        present: bet.present,
        state: bet.state as u8,
        book: bet.book,
        policy: bet.policy,
        basis: bet.basis,
        synthetic: bet.synthetic,
        bonus: bet.bonus,
        cancelled: bet.cancelled,
        single: bet.single,
        slippage: bet.slippage,
        ruleset: bet.ruleset,
        settlements: bet.settlements,
        placed_seq: bet.placed_seq.0,
        placed_at: bet.placed_at.0,
        staked_at: bet.staked_at.0,
        paid_at: bet.paid_at.0,
        until: bet.until.0,
        floor: bet.floor,
        key: bet.key.0,
        unit: bet.unit,
        ask: (ask.take, ask.accept, ask.seq.0, ask.policy, ask.slippage, ask.auto),
        auto: bet.auto,
        hold: (bet.hold.bind.map_or(0, |bind| bind as u8), bet.hold.confirmed, bet.hold.reference),
    }
}

fn bet(row: &BetRow) -> Read<Bet> {
    let (take, accept, seq, policy, slippage, auto) = row.ask;
    let (bind, confirmed, reference) = row.hold;
    let bind = match bind {
        0 => None,
        bind => Some(content(HoldBind::from_code(bind), "a hold")?),
    };
    Ok(Bet {
        stake: row.stake,
        returns: row.returns,
        cap: row.cap,
        paid: row.paid,
        cashed: row.cashed,
        generation: row.generation,
        account: row.account,
        first: row.first,
        folds: row.folds,
        bankers: row.bankers,
        legs: row.legs,
        each_way: content(EachWayKind::from_code(row.each_way), "a bet's lines")?.into(),
        undecided: row.undecided,
        present: row.present,
        state: content(BetState::from_code(row.state), "a bet's state")?,
        book: row.book,
        policy: row.policy,
        basis: row.basis,
        synthetic: row.synthetic,
        bonus: row.bonus,
        cancelled: row.cancelled,
        single: row.single,
        slippage: row.slippage,
        ruleset: row.ruleset,
        settlements: row.settlements,
        placed_seq: Seq(row.placed_seq),
        placed_at: Timestamp(row.placed_at),
        staked_at: Timestamp(row.staked_at),
        paid_at: Timestamp(row.paid_at),
        until: Timestamp(row.until),
        floor: row.floor,
        key: RequestKey(row.key),
        unit: row.unit,
        ask: Ask { take, accept, seq: Seq(seq), policy, slippage, auto },
        auto: row.auto,
        hold: Hold { bind, confirmed, reference },
    })
}

fn leg_row(leg: &Leg) -> LegRow {
    let share = |share: Share| (share.num(), share.den());
    let numbers = |n: LegNumbers| (share(n.void), share(n.win), share(n.place), n.rule4.get());
    LegRow {
        bet: leg.bet,
        market: leg.market,
        generation: leg.generation,
        sibling: leg.sibling,
        next: leg.next,
        auto_next: leg.auto_next,
        auto_listed: leg.auto_listed,
        present: leg.present,
        counted: leg.counted,
        terms: terms(leg.places, leg.fraction),
        selection: leg.selection.0,
        feed: leg.feed.0,
        requested: price(leg.requested),
        requested_version: leg.requested_version.0,
        price: price(leg.price),
        version: leg.version.0,
        price_age: leg.price_age.0,
        settles_at: price(leg.settles_at),
        reach: leg.reach,
        numbers: leg.numbers.map(numbers),
    }
}

fn leg(row: &LegRow) -> Read<Leg> {
    let share = |(num, den): (u16, u16)| content(Share::new(num, den), "a leg's numbers");
    let numbers = match row.numbers {
        None => None,
        Some((void, win, place, rule4)) => Some(LegNumbers {
            void: share(void)?,
            win: share(win)?,
            place: share(place)?,
            rule4: content(Pence::new(rule4), "a leg's numbers")?,
        }),
    };
    Ok(Leg {
        bet: row.bet,
        market: row.market,
        generation: row.generation,
        sibling: row.sibling,
        next: row.next,
        auto_next: row.auto_next,
        auto_listed: row.auto_listed,
        present: row.present,
        counted: row.counted,
        places: row.terms.0,
        fraction: fraction(row.terms)?,
        selection: SelectionIndex(row.selection),
        feed: FeedId(row.feed),
        requested: wire_price(row.requested)?,
        requested_version: PriceVersion(row.requested_version),
        price: wire_price(row.price)?,
        version: PriceVersion(row.version),
        price_age: Nanos(row.price_age),
        settles_at: wire_price(row.settles_at)?,
        reach: row.reach,
        numbers,
    })
}

fn bucket_row(bucket: KeptBucket) -> BucketRow {
    let row = |kept: &Kept| KeyRow {
        account: kept.account,
        key: kept.key.0,
        digest: kept.digest,
        valid_until: kept.valid_until.0,
        answer: zerocopy::transmute!(kept.answer),
        sealed: kept.sealed,
    };
    BucketRow {
        bucket: bucket.bucket,
        end: bucket.end,
        keys: bucket.keys.iter().map(row).collect(),
    }
}

fn key(row: &KeyRow) -> Read<Kept> {
    let answer: Answer = zerocopy::transmute!(row.answer);
    holds(answer.is_valid(), "an answer")?;
    Ok(Kept {
        account: row.account,
        key: RequestKey(row.key),
        digest: row.digest,
        valid_until: Timestamp(row.valid_until),
        answer,
        sealed: row.sealed,
    })
}
