//! Who does what in a night: customers with retries and late copies, traders who repeat themselves, feeds
//! that stall and miss messages, an operator who starts the engine again, and the power company.

mod exchange;
mod live;

use super::house::Setup;
use super::snapshots::Spoil;
use super::{Input, START};
use crate::auditor::Auditor;
use crate::night::Weights;
use crate::workload::Rng;
use crate::world::{Failing, Lie};
use betring_core::BetState;
use betring_core::command::*;
use betring_core::event::{FeedStatus, MarketStatus};
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::ruleset::{PlaceRow, Ruleset};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Body, Header, Minor, Name, Slot, WirePrice};
use betring_pricing::{Fraction, LegNumbers, Pence, Price, RoundingMode, Share};
use std::collections::VecDeque;
use zerocopy::IntoBytes;

/// Attempts that may be sent again: the youngest.
const SENT_MAX: usize = 60;
const TRADER: usize = 0;
const FEED: usize = 1;
const CUSTOMERS: u64 = 4;
const GBP: u16 = 826;
const EUR: u16 = 978;

/// What everybody sees of the house that they play with.
pub(crate) trait Stage {
    /// Whether the engine serves.
    fn is_open(&self) -> bool;
    /// The engine's clock.
    fn now(&self) -> Timestamp;
    /// How it is set up.
    fn setup(&self) -> &Setup;
    /// What is there: accounts, markets, bets.
    fn auditor(&self) -> &Auditor;
    /// Requests whose fate their clients do not know.
    fn unknown(&mut self) -> &mut Vec<(usize, Vec<u8>)>;
}

/// Everybody, from one number.
pub(crate) struct Crowd {
    rng: Rng,
    keys: u128,
    names: u64,
    sent: VecDeque<(usize, Vec<u8>)>,
    /// Copies that the network has not delivered yet.
    late: Vec<(usize, Vec<u8>)>,
    /// Per feed, the number of its next message.
    numbers: [u64; 4],
    stalled: [bool; 4],
    /// What external wallets have said, to be said again; and the number of their next hold.
    answers: VecDeque<live::Answered>,
    references: u64,
    /// Whether it is about external wallets above all.
    wallets: bool,
    /// The tiers that have been set once, and whether rules were thought of.
    tiers: u8,
    ruled: bool,
    slow: usize,
    calm: bool,
    weights: Option<Weights>,
    /// Whether it asks for singles only, as engines of others are asked.
    singles: bool,
    /// Whether most markets are exchanges.
    trades: bool,
}

fn bytes_of(slots: &[Slot]) -> Vec<u8> {
    slots.as_bytes().to_vec()
}

impl Crowd {
    pub(crate) fn new(seed: u64) -> Crowd {
        let mut rng = Rng::new(seed);
        let calm = rng.permille(450);
        let slow = 2 + rng.below(CUSTOMERS) as usize;
        Crowd {
            rng,
            keys: 0,
            names: 0,
            sent: VecDeque::new(),
            late: Vec::new(),
            numbers: [1; 4],
            stalled: [false; 4],
            answers: VecDeque::new(),
            references: 0,
            wallets: false,
            tiers: 0,
            ruled: false,
            slow,
            calm,
            weights: None,
            singles: false,
            trades: Rng::new(seed ^ 0xb00c).permille(400),
        }
    }

    /// The same crowd with a user's weights; of an engine that is not ours it asks for singles only.
    pub(crate) fn weighted(self, weights: Weights, singles: bool) -> Crowd {
        Crowd { weights: Some(weights), singles, trades: false, ..self }
    }

    /// The same crowd with its money in external wallets.
    pub(crate) fn with_wallets(mut self, wallets: bool) -> Crowd {
        let trades = self.trades && !wallets;
        let calm = self.calm || ((wallets || trades) && self.rng.permille(700));
        Crowd { wallets, calm, trades, ..self }
    }

    /// What somebody does next, or time: for engines that are asked one thing at a time.
    pub(crate) fn act(&mut self, stage: &mut impl Stage) -> Input {
        let weights = self.weights.unwrap_or_default();
        let chance = |rng: &mut Rng, share: f64| rng.permille((share * 1_000.0) as u64);
        let seed = self.rng.next();
        if chance(&mut self.rng, weights.crash) {
            return Input::Crash { power: self.rng.permille(700), seed };
        }
        if self.rng.permille(150) {
            return Input::Advance(self.span());
        }
        if !self.sent.is_empty() && chance(&mut self.rng, weights.retry) {
            let at = self.rng.below(self.sent.len() as u64) as usize;
            let (client, bytes) = self.sent[at].clone();
            return self.send(client, retry_of(bytes));
        }
        if chance(&mut self.rng, weights.late_result)
            && let Some(market) = self.over(stage.auditor())
        {
            let (header, valid_until) = (self.control(), self.until(stage));
            let result = self.result(stage.auditor(), header, valid_until, market);
            return self.send(TRADER, result);
        }
        if self.rng.permille(400)
            && let Some(input) = self.answer_offer(stage)
        {
            return input;
        }
        if self.rng.permille(400)
            && let Some((client, bytes)) = self.answer_wait(stage)
        {
            return self.send(client, bytes);
        }
        if self.rng.permille(400)
            && let Some((client, bytes)) = self.wallet(stage)
        {
            return self.send(client, bytes);
        }
        if stage.auditor().accounts().next().is_some() && self.rng.permille(200) {
            let account = self.account(stage.auditor());
            let header = self.of_account(stage.auditor(), account);
            let client = 2 + self.rng.below(CUSTOMERS) as usize;
            let valid_until = stage.now().plus(Nanos::from_secs(4));
            let sells = !self.singles && self.rng.permille(250);
            let bytes = match sells {
                true => self.sell(stage.auditor(), header, valid_until),
                false => self.place(stage.auditor(), header, valid_until),
            };
            return self.send(client, bytes);
        }
        if self.rng.permille(350)
            && let Some((client, bytes)) = self.groom(stage)
        {
            return self.send(client, bytes);
        }
        self.publish(stage)
    }

    /// A market whose betting has ended, for a result that is late or repeated; now and then one that is open.
    fn over(&mut self, auditor: &Auditor) -> Option<MarketId> {
        let all = |wanted: &[MarketStatus]| -> Vec<MarketId> {
            let markets = auditor.markets().filter(|(_, status)| wanted.contains(status));
            markets.map(|(id, _)| id).collect()
        };
        let over = all(&[MarketStatus::Closed, MarketStatus::Settling, MarketStatus::Settled]);
        let open = all(&[MarketStatus::Open]);
        let from = if self.rng.permille(100) { open } else { over };
        (!from.is_empty()).then(|| self.rng.pick(&from))
    }

    /// What a customer does about an offer: takes it, declines it, or lets it end.
    fn answer_offer(&mut self, stage: &impl Stage) -> Option<Input> {
        let offers: Vec<(BetId, AccountId)> = stage.auditor().bets_in(BetState::Offered).collect();
        if offers.is_empty() {
            return None;
        }
        let (bet, owner) = self.rng.pick(&offers);
        let client = 2 + self.rng.below(CUSTOMERS) as usize;
        let header = Header::customer(owner, self.key());
        let valid_until = stage.now().plus(Nanos::from_secs(4));
        let bytes = match self.rng.below(10) {
            0..=4 => plain(header, &AcceptOffer { valid_until, bet, ..AcceptOffer::default() }),
            5..=7 => plain(header, &DeclineOffer { valid_until, bet, ..DeclineOffer::default() }),
            _ => return Some(Input::Advance(stage.setup().genesis.offer_ttl.0 + 1)),
        };
        Some(self.send(client, bytes))
    }

    /// What is done about a bet that waits: a trader answers, or prices move before its delay is over.
    fn answer_wait(&mut self, stage: &impl Stage) -> Option<(usize, Vec<u8>)> {
        let auditor = stage.auditor();
        let valid_until = stage.now().plus(Nanos::from_secs(4));
        let header = self.control();
        if auditor.bets_in(BetState::Referred).next().is_some() {
            if self.rng.permille(200) {
                return None;
            }
            return Some((TRADER, self.referral(auditor, header, valid_until)));
        }
        let (delayed, _) = auditor.bets_in(BetState::Delayed).next()?;
        let market = auditor.market_of(delayed)?;
        self.reprice(auditor, header, valid_until, market)
    }

    /// What somebody does so that there is betting at all, and an end to it: money for who has none, one of
    /// the things that a market lacks before it takes bets, the next step of one that had some.
    fn groom(&mut self, stage: &impl Stage) -> Option<(usize, Vec<u8>)> {
        let auditor = stage.auditor();
        let valid_until = stage.now().plus(Nanos::from_secs(4));
        let poor = auditor
            .accounts()
            .find(|id| !auditor.is_external_wallet(*id) && auditor.balance(*id) < Some(5_000));
        if let Some(account) = poor
            && self.rng.permille(300)
        {
            let body = Deposit { valid_until, amount: Minor(50_000), ..Deposit::default() };
            return Some((2, plain(Header::customer(account, self.key()), &body)));
        }
        let blocked = auditor.accounts().find(|id| auditor.is_blocked(*id));
        if let Some(account) = blocked
            && self.rng.permille(300)
        {
            let body = BlockAccount { valid_until, account, ..BlockAccount::default() };
            return Some((TRADER, plain(self.control(), &body)));
        }
        if !self.singles && self.rng.permille(60) {
            return Some((TRADER, self.publish_rules(valid_until)));
        }
        let voided = [BetState::Partial, BetState::Void];
        let settled = voided.into_iter().find_map(|state| auditor.bets_in(state).next());
        if let Some((bet, _)) = settled
            && !self.singles
            && self.rng.permille(500)
        {
            let market = auditor.market_of(bet)?;
            let body = RollbackResult { valid_until, market, ..RollbackResult::default() };
            return Some((TRADER, plain(self.control(), &body)));
        }
        let markets: Vec<(MarketId, MarketStatus)> = auditor.markets().collect();
        if markets.is_empty() {
            return None;
        }
        let (market, status) = self.rng.pick(&markets);
        let header = self.control();
        let unset = auditor.is_exchange(market) && auditor.exchange_prices(market).is_empty();
        if unset && status == MarketStatus::Defined && self.rng.permille(900) {
            return Some((TRADER, self.terms(header, valid_until, market)));
        }
        let open = OpenMarket { valid_until, market, ..OpenMarket::default() };
        let close = CloseMarket { valid_until, market, ..CloseMarket::default() };
        let often = self.rng.below(100);
        let bytes = match status {
            MarketStatus::Defined if often < 12 => plain(header, &close),
            MarketStatus::Defined if often < 20 => {
                self.result(auditor, header, valid_until, market)
            }
            MarketStatus::Defined => plain(header, &open),
            MarketStatus::Open if often < 8 => plain(header, &close),
            MarketStatus::Open if often < 11 && !self.singles => {
                let delay = Nanos::from_millis(self.rng.pick(&[20, 200]));
                plain(
                    header,
                    &SetInPlay { valid_until, in_play: 1, market, delay, ..SetInPlay::default() },
                )
            }
            MarketStatus::Open => return self.what_it_lacks(auditor, header, valid_until, market),
            MarketStatus::Closed if often < 20 => plain(header, &close),
            MarketStatus::Closed if often < 50 => plain(header, &open),
            MarketStatus::Settled if often < 50 => {
                plain(header, &ArchiveMarket { valid_until, market, ..ArchiveMarket::default() })
            }
            _ => return None,
        };
        Some((TRADER, bytes))
    }

    fn what_it_lacks(
        &mut self,
        auditor: &Auditor,
        header: Header,
        valid_until: Timestamp,
        market: MarketId,
    ) -> Option<(usize, Vec<u8>)> {
        let selections = auditor.selections(market);
        let mut all = 0..selections;
        let lacks = match auditor.is_exchange(market) {
            true => auditor.why_no_orders(market),
            false => all.find_map(|selection| auditor.why_no_bets(market, selection)),
        }?;
        let feed = auditor.feed_of(market)?;
        let of_a_feed = Header { account: header.account, ..Header::default() };
        match lacks {
            Reject::MarketNotOpen => {
                let body = OpenMarket { valid_until, market, ..OpenMarket::default() };
                Some((TRADER, plain(header, &body)))
            }
            Reject::MarketSuspended => {
                let (level, id, selection, owner) = auditor.suspensions(market).pop()?;
                let level = level as u8;
                let body =
                    Release { valid_until, level, owner, selection, id, ..Release::default() };
                Some((TRADER, plain(header, &body)))
            }
            Reject::FeedDown => {
                let (status, asked, schema) = auditor.feed(feed)?;
                let request = if status == FeedStatus::Recovering { asked } else { 0 };
                let body = FeedRecovered { feed, request, schema, ..FeedRecovered::default() };
                Some((FEED, plain(of_a_feed, &body)))
            }
            Reject::FeedQuarantined => {
                let body = SetFeedSchema { valid_until, feed, ..SetFeedSchema::default() };
                Some((TRADER, plain(header, &body)))
            }
            Reject::PriceDrifted => self.brings_together(auditor, market),
            Reject::PriceHeld => {
                let selection = (0..selections)
                    .find(|at| auditor.quoted(market, *at, feed).is_some_and(|(_, held)| held))?;
                let act = TraderPriceAct::TakeHeld as u8;
                let selection = SelectionIndex(selection as u16);
                let body =
                    TraderPrice { valid_until, selection, act, market, ..Default::default() };
                Some((TRADER, plain(header, &body)))
            }
            Reject::NoPrice | Reject::StalePrice | Reject::PriceDelayed => {
                self.reprice(auditor, header, valid_until, market)
            }
            _ => None,
        }
    }

    /// New prices of a whole market, from whom it has them.
    fn reprice(
        &mut self,
        auditor: &Auditor,
        header: Header,
        valid_until: Timestamp,
        market: MarketId,
    ) -> Option<(usize, Vec<u8>)> {
        let feed = auditor.feed_of(market)?;
        let by_hand = feed == FeedId::MANUAL;
        let of_a_feed = Header { account: header.account, ..Header::default() };
        let valid_until = if by_hand { valid_until } else { Timestamp(0) };
        let header = if by_hand { header } else { of_a_feed };
        let prices = (0..auditor.selections(market) as u16)
            .map(|selection| PriceEntry::new(SelectionIndex(selection), self.price()));
        let prices: Vec<PriceEntry> = prices.collect();
        let schema = auditor.feed(feed).map_or(0, |(_, _, schema)| schema);
        let body = SetPrices { valid_until, feed, market, schema, ..SetPrices::default() };
        let slots = build::set_prices(header, body, &prices).ok()?;
        Some((if by_hand { TRADER } else { FEED }, bytes_of(&slots)))
    }

    /// What happens next.
    pub(crate) fn next(&mut self, machine: &mut impl Stage) -> Input {
        if !machine.is_open() {
            let seed = self.rng.next();
            return match self.rng.below(100) {
                0..=9 => Input::Crash { power: true, seed },
                10..=12 => Input::Lie { lie: self.lie(), seed },
                13..=15 => self.spoil(seed),
                16..=30 => Input::Open { die_after: 1 + self.rng.below(90), seed },
                _ => Input::Open { die_after: 0, seed },
            };
        }
        let seed = self.rng.next();
        match self.rng.below(1_000) {
            0..=463 => self.publish(machine),
            464..=465 => self.burst(machine),
            466..=469 => Input::Listen,
            470..=677 => Input::Turn,
            678..=687 => {
                let (archive, die_after) = self.snapshot();
                Input::Snapshot { archive, die_after }
            }
            688..=689 => {
                let (archive, die_after) = self.snapshot();
                Input::Stop { archive, die_after }
            }
            690..=779 => Input::Sync,
            780..=789 => Input::Cover,
            790..=879 => {
                let client = self.rng.below(2 + CUSTOMERS) as usize;
                if client == self.slow && self.rng.permille(900) {
                    return Input::Turn;
                }
                Input::Poll { client, most: 1 + self.rng.below(12) as usize }
            }
            880..=939 => Input::Advance(self.span()),
            940..=944 => {
                let jump = self.rng.below(600_000_000_000) as i64 - 300_000_000_000;
                Input::WallJump(jump)
            }
            _ if self.calm && self.rng.permille(970) => self.publish(machine),
            945..=964 => Input::Crash { power: self.rng.permille(700), seed },
            965..=979 => Input::DieAfter(1 + self.rng.below(60)),
            980..=987 => {
                let how = self.rng.pick(&[Failing::Error, Failing::SyncDrops, Failing::NoSpace]);
                Input::FailAfter(1 + self.rng.below(40), how)
            }
            988..=994 => Input::Lie { lie: self.lie(), seed },
            _ => self.spoil(seed),
        }
    }

    /// Whether a snapshot archives, and after how many operations it is cut short.
    fn snapshot(&mut self) -> (bool, u64) {
        let archive = self.rng.permille(700);
        // Its file is written, synced and named in the first ten; then it is read back and the others are
        // checked, and segments are moved.
        let die_after = match self.rng.below(100) {
            0..=9 => 1 + self.rng.below(12),
            10..=19 => 1 + self.rng.below(70),
            _ => 0,
        };
        (archive, die_after)
    }

    fn spoil(&mut self, seed: u64) -> Input {
        let spoil = self.rng.pick(&Spoil::ALL);
        Input::Spoil { spoil, stays: self.rng.permille(300), seed }
    }

    fn lie(&mut self) -> Lie {
        self.rng.pick(&[Lie::Flip, Lie::Flip, Lie::Misdirected, Lie::Lost, Lie::Stale])
    }

    /// How long nothing happens: mostly moments, now and then longer than anything is remembered.
    fn span(&mut self) -> i64 {
        let most: i64 = match self.rng.below(100) {
            0..=69 => 20_000_000,
            70..=89 => 400_000_000,
            90..=96 => 3_000_000_000,
            97..=98 => 30_000_000_000,
            _ => 150_000_000_000,
        };
        self.rng.below(most as u64) as i64 + 1
    }

    fn key(&mut self) -> RequestKey {
        self.keys += 1;
        RequestKey(self.keys)
    }

    fn until(&mut self, machine: &impl Stage) -> Timestamp {
        let now = machine.now();
        let window = machine.setup().genesis.window.0;
        match self.rng.below(100) {
            0..=1 => Timestamp(0),
            2..=3 => now.plus(Nanos(window + 1 + self.rng.below(1_000) as i64)),
            4..=6 => Timestamp(now.0 - self.rng.below(1_000_000) as i64),
            7..=30 => now.plus(Nanos(1 + self.rng.below(50_000_000) as i64)),
            _ => now.plus(Nanos(1 + self.rng.below(window as u64) as i64)),
        }
    }

    fn publish(&mut self, machine: &mut impl Stage) -> Input {
        let customer = 2 + self.rng.below(CUSTOMERS) as usize;
        if let Some((client, bytes)) = self.opening(machine) {
            return self.send(client, bytes);
        }
        // Whoever does not know what became of a request asks again, or asks what became of it.
        if !machine.unknown().is_empty() && self.rng.permille(300) {
            let at = self.rng.below(machine.unknown().len() as u64) as usize;
            let (client, bytes) = machine.unknown().swap_remove(at);
            if self.rng.permille(500) {
                return self.send(client, retry_of(bytes));
            }
            if let Some(resolve) = resolve_of(&bytes) {
                if self.rng.permille(300) {
                    self.late.push((client, bytes));
                }
                return self.send(customer, resolve);
            }
        }
        if !self.late.is_empty() && self.rng.permille(150) {
            let at = self.rng.below(self.late.len() as u64) as usize;
            let (client, bytes) = self.late.swap_remove(at);
            return self.send(client, bytes);
        }
        if !self.sent.is_empty() && self.rng.permille(120) {
            let at = self.rng.below(self.sent.len() as u64) as usize;
            let (client, bytes) = self.sent[at].clone();
            let client = if client < 2 { client } else { customer };
            return match self.rng.below(10) {
                0 => self.send(client, self.altered(bytes)),
                1..=2 => match resolve_of(&bytes) {
                    Some(resolve) => self.send(customer, resolve),
                    None => self.send(client, bytes),
                },
                3..=5 => self.send(client, bytes),
                _ => self.send(client, retry_of(bytes)),
            };
        }
        if self.wallets && self.rng.permille(8) {
            let valid_until = self.until(machine);
            let rules = self.publish_rules(valid_until);
            return self.send(TRADER, rules);
        }
        let share = if self.wallets { 300 } else { 150 };
        if self.rng.permille(share)
            && let Some((client, bytes)) = self.wallet(machine)
        {
            return self.send(client, bytes);
        }
        if self.trades
            && self.rng.permille(750)
            && let Some((client, bytes)) = self.trade(machine)
        {
            return self.send(client, bytes);
        }
        // After every start nobody bets before somebody has seen to it.
        if self.rng.permille(330)
            && let Some((client, bytes)) = self.groom(machine)
        {
            return self.send(client, bytes);
        }
        let (client, bytes) = match self.rng.below(100) {
            0..=47 => (customer, self.customer(machine)),
            48..=72 => (FEED, self.feed(machine)),
            73..=97 => (TRADER, self.trader(machine)),
            _ => {
                let client = self.rng.below(2 + CUSTOMERS) as usize;
                let bytes = self.customer(machine);
                (client, self.garbage(bytes))
            }
        };
        if 2 <= client && self.rng.permille(60) {
            // It hangs in the network; whoever sent it gives up waiting and asks.
            if let Some(resolve) = resolve_of(&bytes) {
                self.late.push((client, bytes));
                return self.send(client, resolve);
            }
        }
        self.send(client, bytes)
    }

    /// More at once than somebody has credit for.
    fn burst(&mut self, machine: &impl Stage) -> Input {
        let client =
            if self.rng.permille(500) { 2 } else { 2 + self.rng.below(CUSTOMERS) as usize };
        let all = machine.setup().seats[client].credit as u64 + self.rng.below(8);
        let all = (0..all).map(|_| self.customer(machine)).collect();
        Input::Burst { client, all }
    }

    fn send(&mut self, client: usize, bytes: Vec<u8>) -> Input {
        self.sent.push_back((client, bytes.clone()));
        if SENT_MAX < self.sent.len() {
            self.sent.pop_front();
        }
        Input::Publish { client, bytes }
    }

    fn altered(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        // The stake, the amount or the reason: the same key asks for something else.
        bytes[80] ^= 1;
        bytes
    }

    fn garbage(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..1 + self.rng.below(3) {
            let at = self.rng.below(bytes.len() as u64) as usize;
            bytes[at] = self.rng.next() as u8;
        }
        // What the facade would never let in: a length that is not the command's.
        bytes[4..6].copy_from_slice(&1u16.to_le_bytes());
        bytes
    }

    /// What has to be there before anything else: an actor, feeds, accounts, markets that are open.
    fn opening(&mut self, machine: &impl Stage) -> Option<(usize, Vec<u8>)> {
        let auditor = machine.auditor();
        if auditor.actors() == 0 {
            let header = Header { key: self.key(), ..Header::default() };
            let valid_until = machine.now().plus(Nanos::from_secs(4));
            let body = RegisterActor { valid_until, ..RegisterActor::default() };
            let slots = build::register_actor(header, body, "anna").ok()?;
            return Some((TRADER, bytes_of(&slots)));
        }
        if self.rng.permille(200) {
            return None;
        }
        let valid_until = machine.now().plus(Nanos::from_secs(4));
        let feeds = if self.singles { 1 } else { 2 };
        if auditor.feeds().count() < feeds {
            return Some((TRADER, self.define_feed(valid_until)?));
        }
        if !self.singles && auditor.groups().next().is_none() {
            return Some((TRADER, self.define_group(auditor, valid_until)));
        }
        if !self.singles && !self.ruled {
            self.ruled = true;
            if self.rng.permille(700) {
                return Some((TRADER, self.publish_rules(valid_until)));
            }
        }
        if !self.singles && self.tiers < 2 {
            self.tiers += 1;
            let header = self.control();
            return Some((TRADER, self.set_tier(header, valid_until, self.tiers)));
        }
        if auditor.fixtures().next().is_none() {
            // Near its 85th minute: rules about time have something to decide.
            let left = if self.weights.is_some() { 3 + self.rng.below(120) as i64 } else { 3 };
            let starts = Timestamp(START).plus(Nanos::from_secs(-85 * 60 + left));
            let body = DefineFixture { valid_until, starts, ..DefineFixture::default() };
            let slots = build::define_fixture(self.control(), body, "derby").ok()?;
            return Some((TRADER, bytes_of(&slots)));
        }
        if auditor.accounts().count() < 3 {
            return Some((2, self.open_account(valid_until)));
        }
        let over = |status| status == MarketStatus::Settled || status == MarketStatus::Archiving;
        let alive = auditor.markets().filter(|(_, status)| !over(*status)).count();
        let wanted = if self.weights.is_none() { 3 } else { 2 };
        if wanted.min(machine.setup().capacities.markets as usize) <= alive {
            return None;
        }
        let settled = auditor.markets().find(|(_, status)| *status == MarketStatus::Settled);
        if let Some((market, _)) = settled
            && self.rng.permille(500)
        {
            let body = ArchiveMarket { valid_until, market, ..ArchiveMarket::default() };
            return Some((TRADER, plain(self.control(), &body)));
        }
        Some((TRADER, self.define_market(auditor, valid_until)?))
    }

    fn control(&mut self) -> Header {
        let actor = if self.rng.permille(5) { ActorId(77) } else { ActorId(1) };
        Header::control(actor, self.key())
    }

    /// A request of an account's: a probe says that it is one, and now and then somebody else does.
    fn of_account(&mut self, auditor: &Auditor, account: AccountId) -> Header {
        let mut header = Header::customer(account, self.key());
        let mistaken = !self.singles && self.rng.permille(15);
        if auditor.is_probe(account) != mistaken {
            header.flags = Header::SYNTHETIC;
        }
        header
    }

    fn define_feed(&mut self, valid_until: Timestamp) -> Option<Vec<u8>> {
        self.names += 1;
        let name = format!("feed {}", self.names % 3);
        let body = DefineFeed {
            valid_until,
            silence_bound: Nanos::from_millis(self.rng.pick(&[800, 10_000])),
            delay_bound: Nanos::from_millis(self.rng.pick(&[0, 0, 200])),
            schema: if self.singles { 0 } else { self.rng.pick(&[0, 3]) },
            ..DefineFeed::default()
        };
        build::define_feed(self.control(), body, &name).ok().map(|slots| bytes_of(&slots))
    }

    fn define_market(&mut self, auditor: &Auditor, valid_until: Timestamp) -> Option<Vec<u8>> {
        self.names += 1;
        // Now and then a name that is taken, or was.
        let number = if self.rng.permille(150) { self.names % 7 } else { self.names };
        let name = format!("market {number}");
        let selections = self.rng.pick(&["123", "12", "1234"]);
        let names: Vec<&str> = selections.split("").filter(|s| !s.is_empty()).collect();
        let feeds: Vec<FeedId> = auditor.feeds().map(|(id, _)| id).collect();
        let feed = if self.rng.permille(600) && !feeds.is_empty() {
            self.rng.pick(&feeds)
        } else {
            FeedId(if self.rng.permille(20) { 9 } else { 0 })
        };
        let some = self.rng.permille(20) || (self.trades && self.rng.permille(650));
        let exchange = some && !self.singles;
        let by_hand = exchange && self.rng.permille(700);
        let feed = if by_hand { FeedId::MANUAL } else { feed };
        let groups: Vec<_> = auditor.groups().collect();
        let grouped = !by_hand && !self.singles && !groups.is_empty() && self.rng.permille(500);
        let (group, feed) = match grouped {
            true => {
                let (group, [primary, _], _) = self.rng.pick(&groups);
                (group, if self.rng.permille(30) { feed } else { primary })
            }
            false => (if self.rng.permille(5) { GroupId(9) } else { GroupId::NONE }, feed),
        };
        let group = if self.singles { GroupId::NONE } else { group };
        // Whatever rules say of fixtures, there is something else to bet on.
        let share = if self.weights.is_some() { 350 } else { 250 };
        let offer = match self.rng.below(10) {
            _ if exchange && self.rng.permille(980) => EachWayOffer::No,
            0..=2 if !self.singles => EachWayOffer::Own,
            3..=4 if !self.singles => EachWayOffer::ByTable,
            5 if !self.singles => EachWayOffer::Handicap,
            _ => EachWayOffer::No,
        };
        let (places, place_num, place_den) =
            if offer == EachWayOffer::Own { (2, 1, 4) } else { (0, 0, 0) };
        let fixture = auditor.fixtures().next().filter(|_| self.rng.permille(share));
        let body = DefineMarket {
            valid_until,
            feed,
            winners: 1 + u16::from(names.len() == 4 && self.rng.permille(500)),
            fixture: fixture.unwrap_or_default(),
            age_bound: Nanos::from_millis(self.rng.pick(&[0, 0, 300])),
            kind: if exchange { MarketKind::Exchange } else { MarketKind::Fixed } as u8,
            each_way: offer as u8,
            places,
            place_num,
            place_den,
            tier: if self.singles { 0 } else { self.rng.pick(&[0, 0, 1, 2]) },
            group,
            canary: u8::from(!self.singles && self.rng.permille(if exchange { 5 } else { 40 })),
            ..DefineMarket::default()
        };
        build::define_market(self.control(), body, &name, &names).ok().map(|s| bytes_of(&s))
    }

    fn open_account(&mut self, valid_until: Timestamp) -> Vec<u8> {
        let (purse, synthetic) = if self.singles { (Purse::Own, false) } else { self.purse() };
        let body = OpenAccount {
            valid_until,
            reference: 1 + self.rng.below(6),
            currency: self.rng.pick(&[GBP, GBP, EUR]),
            purse: purse as u8,
            synthetic: u8::from(synthetic),
            ..OpenAccount::default()
        };
        plain(Header { key: self.key(), ..Header::default() }, &body)
    }

    fn account(&mut self, auditor: &Auditor) -> AccountId {
        let accounts: Vec<AccountId> = auditor.accounts().collect();
        if accounts.is_empty() || self.rng.permille(10) {
            return AccountId::new(99, 1);
        }
        self.rng.pick(&accounts)
    }

    fn market(&mut self, auditor: &Auditor) -> MarketId {
        let markets: Vec<(MarketId, MarketStatus)> = auditor.markets().collect();
        if markets.is_empty() || self.rng.permille(10) {
            return MarketId::new(self.rng.below(4) as u32, 1);
        }
        // Open ones, mostly.
        let open: Vec<MarketId> = markets
            .iter()
            .filter(|(_, status)| *status == MarketStatus::Open)
            .map(|(id, _)| *id)
            .collect();
        if open.is_empty() || self.rng.permille(250) {
            self.rng.pick(&markets).0
        } else {
            self.rng.pick(&open)
        }
    }

    /// A market and a selection of it to bet on: mostly one that takes bets.
    fn bettable(&mut self, auditor: &Auditor) -> (MarketId, u64) {
        if self.rng.permille(650) {
            let takes = |market: MarketId| {
                let all = 0..auditor.selections(market);
                let open = all.filter(move |at| auditor.why_no_bets(market, *at).is_none());
                open.map(move |at| (market, at as u64))
            };
            let open: Vec<_> = auditor.markets().flat_map(|(market, _)| takes(market)).collect();
            if !open.is_empty() {
                return self.rng.pick(&open);
            }
        }
        let market = self.market(auditor);
        let selections = auditor.selections(market).max(2) as u64;
        (market, self.rng.below(selections + u64::from(self.rng.clone().permille(20))))
    }

    fn price(&mut self) -> WirePrice {
        if self.rng.permille(200) {
            let (num, den) = self.rng.pick(&[(5, 2), (10, 11), (1, 3), (100, 30), (1, 1)]);
            if let Some(fraction) = Fraction::new(num, den) {
                return WirePrice::fractional(fraction);
            }
        }
        let e4 = 10_100 + self.rng.below(60) as u32 * self.rng.pick(&[50, 700, 1_333]);
        Price::from_e4(e4).map_or(WirePrice::NONE, WirePrice::decimal)
    }

    fn customer(&mut self, machine: &impl Stage) -> Vec<u8> {
        let auditor = machine.auditor();
        let account = self.account(auditor);
        let valid_until = self.until(machine);
        let header = self.of_account(auditor, account);
        if !self.singles && self.rng.permille(25) {
            return self.restrains_itself(machine, header, valid_until);
        }
        // Nobody pays in where the money is elsewhere, or only by mistake.
        let elsewhere = auditor.is_external_wallet(account) && self.rng.permille(900);
        // Nor do many speak of offers and bets that there are none of.
        let mistaken = self.rng.permille(150);
        let none = |state| !mistaken && auditor.bets_in(state).next().is_none();
        match self.rng.below(100) {
            0..=24 if elsewhere => self.place(auditor, header, valid_until),
            27..=39 if none(BetState::Offered) => self.place(auditor, header, valid_until),
            40..=45 if none(BetState::Open) => self.place(auditor, header, valid_until),
            0..=19 => {
                let amount = Minor(1 + self.rng.below(40_000) as i64);
                plain(header, &Deposit { valid_until, amount, ..Deposit::default() })
            }
            20..=24 => {
                let amount = Minor(1 + self.rng.below(8_000) as i64);
                plain(header, &Withdraw { valid_until, amount, ..Withdraw::default() })
            }
            25..=26 => self.open_account(valid_until),
            27..=39 => {
                let offers: Vec<(BetId, AccountId)> = auditor.bets_in(BetState::Offered).collect();
                let (bet, owner) = if offers.is_empty() || self.rng.permille(150) {
                    let any: Vec<(BetId, AccountId)> =
                        BetState::ALL.iter().flat_map(|state| auditor.bets_in(*state)).collect();
                    if any.is_empty() { (BetId::new(3, 1), account) } else { self.rng.pick(&any) }
                } else {
                    self.rng.pick(&offers)
                };
                let owner = if self.rng.permille(50) { account } else { owner };
                let header = Header { account: owner.raw(), ..header };
                if self.rng.permille(700) {
                    plain(header, &AcceptOffer { valid_until, bet, ..AcceptOffer::default() })
                } else {
                    plain(header, &DeclineOffer { valid_until, bet, ..DeclineOffer::default() })
                }
            }
            40..=45 if !self.singles => self.sell(auditor, header, valid_until),
            46..=70 if !self.singles => self.ticket(auditor, header, valid_until),
            _ => self.place(auditor, header, valid_until),
        }
    }

    /// A bet in one of these states, and whose it is; now and then somebody else's, or none.
    fn bet_in(&mut self, auditor: &Auditor, states: &[BetState]) -> (BetId, AccountId) {
        let any = self.rng.permille(60);
        let states = if any { BetState::ALL } else { states };
        let bets: Vec<(BetId, AccountId)> =
            states.iter().flat_map(|state| auditor.bets_in(*state)).collect();
        if bets.is_empty() {
            return (BetId::new(3, 1), self.account(auditor));
        }
        let (bet, owner) = self.rng.pick(&bets);
        (bet, if self.rng.permille(40) { self.account(auditor) } else { owner })
    }

    /// A bet is sold back, or is to sell itself.
    fn sell(&mut self, auditor: &Auditor, header: Header, valid_until: Timestamp) -> Vec<u8> {
        let (bet, owner) = self.bet_in(auditor, &[BetState::Open]);
        let header = Header { account: owner.raw(), ..header };
        let (stake, value) = auditor.worth(bet).unwrap_or((Minor(100), Minor(100)));
        let about = |rng: &mut Rng| {
            let percent = rng.pick(&[80, 95, 100, 100, 100, 105, 130]);
            Minor((value.0 * percent / 100).max(1))
        };
        // When a bet sold itself its events say, and whoever is asked one thing at a time shows none.
        if self.weights.is_none() && self.rng.permille(250) {
            let off = self.rng.permille(150);
            let value = if off { Minor(0) } else { about(&mut self.rng) };
            return plain(
                header,
                &SetAutoCashOut { valid_until, bet, value, ..SetAutoCashOut::default() },
            );
        }
        let policy = self.rng.pick(PricePolicy::ALL);
        let none = policy == PricePolicy::Any && self.rng.permille(500);
        let within = policy == PricePolicy::Within;
        let body = CashOut {
            valid_until,
            bet,
            take: match self.rng.below(10) {
                0..=5 => Minor(0),
                6 => Minor(stake.0 + 1),
                _ => Minor((1 + self.rng.below(stake.0.max(1) as u64) as i64).max(1)),
            },
            accept: if none { Minor(0) } else { about(&mut self.rng) },
            policy: policy as u8,
            slippage: if within { 1 + self.rng.below(3_000) as u16 } else { 0 },
            ..CashOut::default()
        };
        plain(header, &body)
    }

    /// A ticket on some of the markets.
    fn ticket(&mut self, auditor: &Auditor, header: Header, valid_until: Timestamp) -> Vec<u8> {
        let mut markets: Vec<MarketId> = auditor.markets().map(|(id, _)| id).collect();
        let mut legs = Vec::new();
        let policy = self.rng.pick(PricePolicy::ALL);
        let most = self.rng.pick(&[1, 2, 2, 3, 3, 4, 6]);
        while legs.len() < most && !markets.is_empty() {
            let market = markets.swap_remove(self.rng.below(markets.len() as u64) as usize);
            if self.rng.permille(20) {
                // Twice in one ticket: they depend on each other.
                markets.push(market);
            }
            let selections = auditor.selections(market).max(2) as u64;
            let selection = self.rng.below(selections);
            let price = match auditor.price(market, selection as usize) {
                Some(price) if self.rng.permille(850) => price,
                _ => self.price(),
            };
            let none = policy == PricePolicy::Any && self.rng.permille(300);
            legs.push(LegEntry::new(
                market,
                SelectionIndex(selection as u16),
                if none { WirePrice::NONE } else { price },
                PriceVersion(self.rng.below(4)),
            ));
        }
        if legs.is_empty() {
            return self.place(auditor, header, valid_until);
        }
        let count = legs.len() as u32;
        let all = (1u32 << count) - 1;
        let folds = match self.rng.below(6) {
            0..=2 => 1 << (count - 1),
            // Trixie, yankee; patent, lucky 15.
            3 => (all & !1).max(1),
            4 => all,
            _ => (self.rng.next() as u32 & all).max(1),
        };
        let bankers = if self.rng.permille(120) { 1 << self.rng.below(count.into()) } else { 0 };
        let by_line = self.rng.permille(500);
        let kind = if by_line { StakeKind::Unit } else { StakeKind::Total };
        let each_way = match self.rng.below(10) {
            0..=1 => EachWayKind::WinToWin,
            2 => EachWayKind::EquallyDivided,
            _ => EachWayKind::No,
        };
        let within = policy == PricePolicy::Within;
        let body = PlaceTicket {
            valid_until,
            stake: Minor(if by_line { 1 } else { 50 } + self.rng.below(400) as i64),
            floor: if self.rng.permille(60) { 10_000 + self.rng.below(300_000) } else { 0 },
            folds,
            bankers,
            stake_kind: kind as u8,
            each_way: each_way as u8,
            policy: policy as u8,
            slippage: if within { 1 + self.rng.below(2_000) as u16 } else { 0 },
            bonus: u8::from(self.rng.permille(120)),
            ..PlaceTicket::default()
        };
        build::place_ticket(header, body, &legs).map_or_else(|_| Vec::new(), |s| bytes_of(&s))
    }

    /// What a trader does about what was settled, or waits, or is to be sold.
    fn correction(&mut self, auditor: &Auditor, header: Header, valid_until: Timestamp) -> Vec<u8> {
        let market = match self.rng.permille(600) {
            true => self.over(auditor).unwrap_or_default(),
            false => self.market(auditor),
        };
        let reason = self.rng.below(5) as u32;
        let standing =
            [BetState::Open, BetState::Won, BetState::Lost, BetState::Void, BetState::Partial];
        match self.rng.below(100) {
            0..=16 => {
                let source = self.said_at();
                let body =
                    RollbackResult { valid_until, reason, market, source, ..Default::default() };
                plain(header, &body)
            }
            17..=34 => {
                let moment = |rng: &mut Rng| Timestamp(START + rng.below(4) as i64 * 3_000_000_000);
                let (from, until) = (moment(&mut self.rng), moment(&mut self.rng));
                let all = self.rng.permille(400);
                let body = CancelBets {
                    valid_until,
                    reason,
                    cancel: u8::from(self.rng.permille(550)),
                    market,
                    from: if all || until <= from { Timestamp(0) } else { from },
                    until: if all { Timestamp(0) } else { until },
                    source: self.said_at(),
                    ..CancelBets::default()
                };
                plain(header, &body)
            }
            35..=42 => {
                let (bet, _) = self.bet_in(auditor, &standing);
                let cancel = u8::from(self.rng.permille(500));
                plain(header, &CancelBet { valid_until, reason, bet, cancel, ..Default::default() })
            }
            43..=50 => {
                let (bet, _) = self.bet_in(auditor, &standing);
                let leg = self.rng.below(auditor.legs(bet) as u64 + 1) as u8;
                let back = self.rng.permille(300);
                let price = if back { WirePrice::NONE } else { self.price() };
                let body =
                    CorrectPrice { valid_until, reason, bet, leg, price, ..Default::default() };
                plain(header, &body)
            }
            51..=54 => {
                let amount = Minor(self.rng.pick(&[-20_000, -700, -1, 1, 300, 9_000]));
                let (bet, account) = self.bet_in(auditor, &standing);
                let body =
                    Adjust { valid_until, reason, account, amount, bet, ..Default::default() };
                plain(header, &body)
            }
            55..=61 => {
                let amount = Minor(self.rng.pick(&[-100, 100, 2_000, 2_000, 5_000]));
                let account = self.account(auditor);
                plain(
                    header,
                    &GrantBonus { valid_until, reason, account, amount, ..Default::default() },
                )
            }
            62..=69 => {
                let delay = Nanos::from_millis(self.rng.pick(&[0, 0, 20, 300, 2_000]));
                let in_play = u8::from(self.rng.permille(600));
                let market = self.market(auditor);
                let body =
                    SetInPlay { valid_until, reason, in_play, market, delay, ..Default::default() };
                plain(header, &body)
            }
            70..=76 => {
                let (level, id) = match self.rng.below(9) {
                    0 => (Level::Engine, 0),
                    3 => (Level::Group, 1 + self.rng.below(2)),
                    1 => (Level::Feed, 1 + self.rng.below(3)),
                    2 => (Level::Fixture, auditor.fixtures().next().unwrap_or_default().raw()),
                    _ => (Level::Market, market.raw()),
                };
                let owner = self.rng.pick(&[Owner::Trader, Owner::Governor, Owner::Backup]) as u8;
                let frozen = u8::from(self.rng.permille(300));
                let level = level as u8;
                let body = FreezeCashOut {
                    valid_until,
                    reason,
                    level,
                    owner,
                    frozen,
                    id,
                    ..Default::default()
                };
                plain(header, &body)
            }
            77..=95 => self.referral(auditor, header, valid_until),
            _ => self.publish_rules(valid_until),
        }
    }

    /// When a source says that it knew: not at all, or in no good order.
    fn said_at(&mut self) -> Timestamp {
        match self.rng.permille(500) {
            true => Timestamp(0),
            false => Timestamp(1 + self.rng.below(40) as i64),
        }
    }

    fn referral(&mut self, auditor: &Auditor, header: Header, valid_until: Timestamp) -> Vec<u8> {
        let (bet, _) = self.bet_in(auditor, &[BetState::Referred]);
        let answer = self.rng.pick(&[
            ReferralAnswer::Accept,
            ReferralAnswer::Accept,
            ReferralAnswer::Counter,
            ReferralAnswer::Counter,
            ReferralAnswer::Decline,
            ReferralAnswer::Decline,
        ]);
        let legs = match answer {
            ReferralAnswer::Decline => 0,
            _ if self.rng.permille(500) => 0,
            _ if self.rng.permille(50) => 2,
            _ => auditor.legs(bet) as u16,
        };
        let prices: Vec<PriceEntry> = (0..legs)
            .map(|leg| {
                let none = self.rng.permille(300);
                let price = if none { WirePrice::NONE } else { self.price() };
                PriceEntry::new(SelectionIndex(leg), price)
            })
            .collect();
        let lower = answer == ReferralAnswer::Counter && self.rng.permille(600);
        let body = AnswerReferral {
            valid_until,
            reason: self.rng.below(3) as u32,
            answer: answer as u8,
            bet,
            stake: if lower { Minor(100 + self.rng.below(3_000) as i64) } else { Minor(0) },
            ..AnswerReferral::default()
        };
        build::answer_referral(header, body, &prices).map_or_else(|_| Vec::new(), |s| bytes_of(&s))
    }

    fn publish_rules(&mut self, valid_until: Timestamp) -> Vec<u8> {
        let (header, set) = (self.control(), self.ruleset());
        let reason = self.rng.below(5) as u32;
        let body = PublishRules { valid_until, reason, ..PublishRules::default() };
        bytes_of(&build::publish_rules(header, body, &set))
    }

    /// An operator's policies, of those that there are.
    fn ruleset(&mut self) -> Ruleset {
        let name = Name::new(self.rng.pick(&["spring", "summer"])).expect("a name");
        let mut set = Ruleset::standard(name);
        set.rounding = rounding_code(self.rng.pick(&RoundingMode::ALL));
        if self.rng.permille(300) {
            set.rounding_place = RoundingPlace::Line as u8;
        }
        if self.rng.permille(500) {
            set.price_failure = PriceFailure::Offer as u8;
        }
        if self.rng.permille(300) {
            set.payout_cap = PayoutCap::Pay as u8;
        }
        if self.rng.permille(100) {
            set.certainty = 2;
        }
        if self.rng.permille(500) {
            set.lucky = [[3, 10], [4, 20], [5, 25]];
        }
        set.lines_max = self.rng.pick(&[4, 30, 1_000]);
        set.legs_max = self.rng.pick(&[3, 6, 25]);
        set.refer_percent = self.rng.pick(&[0, 200, 500]);
        set.offer_ttl = Nanos::from_millis(self.rng.pick(&[200, 2_000]));
        set.refer_ttl = Nanos::from_millis(self.rng.pick(&[500, 5_000]));
        set.cash_out_age = Nanos::from_millis(self.rng.pick(&[100, 1_000, 5_000]));
        set.cash_out_margin = self.rng.pick(&[0, 0, 50_000, 333_333]);
        set.hold_bind = self.rng.pick(HoldBind::ALL) as u8;
        set.hold_ttl = Nanos::from_millis(self.rng.pick(&[100, 1_000, 10_000]));
        // Fields of these nights are small.
        set.places[0] = PlaceRow { from: 3, plain: [1, 1, 4], handicap: [2, 1, 5] };
        set.places[1] = PlaceRow { from: 4, plain: [2, 1, 4], handicap: [3, 1, 4] };
        for row in &mut set.places[2..] {
            *row = PlaceRow { from: 0, plain: [0; 3], handicap: [0; 3] };
        }
        set
    }

    fn place(&mut self, auditor: &Auditor, header: Header, valid_until: Timestamp) -> Vec<u8> {
        let (market, selection) = self.bettable(auditor);
        let now = auditor.price(market, selection as usize);
        let price = match now {
            Some(price) if self.rng.permille(700) => price,
            _ => self.price(),
        };
        let policy = self.rng.pick(PricePolicy::ALL);
        let none = policy == PricePolicy::Any && self.rng.permille(300);
        let stake = match self.rng.below(10) {
            0..=1 => 1 + self.rng.below(30_000),
            2..=4 => 1 + self.rng.below(3_000),
            _ => 100 + self.rng.below(900),
        };
        let body = Place {
            valid_until,
            market,
            stake: Minor(stake as i64),
            version: PriceVersion(self.rng.below(4)),
            price: if none { WirePrice::NONE } else { price },
            selection: SelectionIndex(selection as u16),
            slippage: if policy == PricePolicy::Within {
                1 + self.rng.below(2_000) as u16
            } else {
                0
            },
            policy: policy as u8,
            ..Place::default()
        };
        plain(header, &body)
    }

    fn feed(&mut self, machine: &impl Stage) -> Vec<u8> {
        let auditor = machine.auditor();
        let feeds: Vec<(FeedId, u64)> = auditor.feeds().collect();
        if feeds.is_empty() {
            return self.customer(machine);
        }
        let (feed, last) = self.rng.pick(&feeds);
        let at = usize::from(feed.0).min(3);
        if self.rng.permille(15) {
            self.stalled[at] = !self.stalled[at];
        }
        if self.stalled[at] && self.rng.permille(900) {
            return self.trader(machine);
        }
        // Its own number: rising by one, unless something is lost, or comes twice, or late.
        let number = match self.rng.below(100) {
            0..=39 => 0,
            40..=43 => last.saturating_sub(self.rng.below(3)),
            44..=46 => last + 2 + self.rng.below(3),
            _ => last.max(self.numbers[at]) + 1,
        };
        self.numbers[at] = number.max(self.numbers[at]);
        let source = match self.rng.below(3) {
            0 => Timestamp(0),
            _ => Timestamp(
                machine.now().0 - START + 5_000_000_000 - self.rng.below(300_000_000) as i64,
            )
            .plus(Nanos(START / 2)),
        };
        let header = Header { account: 1, ..Header::default() };
        let schema = self.version_of(auditor, feed);
        match self.rng.below(100) {
            0..=54 => {
                let markets: Vec<MarketId> = auditor
                    .markets()
                    .map(|(id, _)| id)
                    .filter(|id| auditor.feeds_of(*id).contains(&feed))
                    .collect();
                if markets.is_empty() {
                    return plain(
                        header,
                        &FeedHeartbeat {
                            feed,
                            feed_seq: number,
                            source,
                            schema,
                            ..FeedHeartbeat::default()
                        },
                    );
                }
                let market = self.rng.pick(&markets);
                let as_of = match self.rng.below(12) {
                    0 => Timestamp(machine.now().0 - self.rng.below(2_000_000_000) as i64),
                    _ => Timestamp(0),
                };
                let body = SetPrices {
                    feed: if self.rng.permille(10) { FeedId(2) } else { feed },
                    market,
                    feed_seq: number,
                    source,
                    as_of,
                    schema,
                    ..SetPrices::default()
                };
                if !self.singles && self.rng.permille(200) {
                    return self.reprice_fixture(auditor, header, body, &markets);
                }
                self.prices(auditor, header, body)
            }
            55..=79 => plain(
                header,
                &FeedHeartbeat { feed, feed_seq: number, source, schema, ..Default::default() },
            ),
            80..=84 => {
                let connection = u8::from(!self.singles && self.rng.permille(300));
                let body =
                    FeedGap { feed, feed_seq: number, source, connection, ..FeedGap::default() };
                plain(header, &body)
            }
            85..=88 if !self.singles => {
                self.references += 1;
                let request = self.references;
                let body = FeedRecovering {
                    feed,
                    feed_seq: number,
                    source,
                    request,
                    schema,
                    ..FeedRecovering::default()
                };
                plain(header, &body)
            }
            _ => {
                let request = if self.singles { 0 } else { self.request_of(auditor, feed) };
                let body = FeedRecovered {
                    feed,
                    feed_seq: number,
                    source,
                    request,
                    schema,
                    ..FeedRecovered::default()
                };
                plain(header, &body)
            }
        }
    }

    /// All prices of the fixture of a message's market, as a model makes them; seldom with a market of another one.
    fn reprice_fixture(
        &mut self,
        auditor: &Auditor,
        header: Header,
        body: SetPrices,
        markets: &[MarketId],
    ) -> Vec<u8> {
        let SetPrices { feed, feed_seq, source, as_of, schema, .. } = body;
        let fixture = auditor.fixture_of(body.market);
        let mut entries = Vec::new();
        for market in markets {
            if auditor.fixture_of(*market) == fixture || self.rng.permille(20) {
                let prices = self.entries(auditor, *market);
                let entry = |e: PriceEntry| RepriceEntry::new(*market, e.selection, e.price);
                entries.extend(prices.into_iter().map(entry));
            }
        }
        entries.sort_by_key(|entry| (entry.market.raw(), entry.selection));
        entries.truncate(REPRICE_MAX);
        let model = Reprice::named("crowd").expect("it is a name");
        let parameters = [self.rng.below(1 << 40); 6];
        let model_version = self.rng.below(3) as u32;
        let body = Reprice {
            feed,
            fixture,
            feed_seq,
            source,
            as_of,
            schema,
            model,
            model_version,
            parameters,
            ..Reprice::default()
        };
        build::reprice(header, body, &entries).map_or_else(|_| Vec::new(), |s| bytes_of(&s))
    }

    fn prices(&mut self, auditor: &Auditor, header: Header, body: SetPrices) -> Vec<u8> {
        let entries = self.entries(auditor, body.market);
        build::set_prices(header, body, &entries).map_or_else(|_| Vec::new(), |s| bytes_of(&s))
    }

    fn entries(&mut self, auditor: &Auditor, market: MarketId) -> Vec<PriceEntry> {
        let selections = auditor.selections(market).max(1);
        let mut entries = Vec::new();
        for selection in 0..selections {
            if self.rng.permille(800) || entries.is_empty() {
                let same = auditor.price(market, selection);
                let price = match same {
                    Some(price) if self.rng.permille(400) => price,
                    _ if self.rng.permille(20) => WirePrice::NONE,
                    // Most prices move by a little, and the feeds of a group stay near each other.
                    Some(price) if !self.singles && self.rng.permille(650) => self.near(price),
                    _ => self.price(),
                };
                entries.push(PriceEntry::new(SelectionIndex(selection as u16), price));
            }
        }
        entries
    }

    fn trader(&mut self, machine: &impl Stage) -> Vec<u8> {
        let auditor = machine.auditor();
        let valid_until = self.until(machine);
        let header = self.control();
        let market = self.market(auditor);
        let reason = self.rng.below(5) as u32;
        if !self.singles && self.rng.permille(300) {
            return self.correction(auditor, header, valid_until);
        }
        if !self.singles && self.rng.permille(200) {
            return self.steer(machine, header, valid_until);
        }
        match self.rng.below(100) {
            0..=27 => {
                let waiting = |(_, status): &(MarketId, MarketStatus)| {
                    matches!(
                        status,
                        MarketStatus::Defined | MarketStatus::Open | MarketStatus::Closed
                    )
                };
                let markets: Vec<(MarketId, MarketStatus)> =
                    auditor.markets().filter(waiting).collect();
                let market = if markets.is_empty() { market } else { self.rng.pick(&markets).0 };
                plain(header, &OpenMarket { valid_until, reason, market, ..OpenMarket::default() })
            }
            28..=30 => plain(
                header,
                &CloseMarket { valid_until, reason, market, ..CloseMarket::default() },
            ),
            31..=49 => {
                // Prices by hand: under the key rules.
                let body = SetPrices { valid_until, reason, market, ..SetPrices::default() };
                self.prices(auditor, header, body)
            }
            50..=58 => self.suspension(auditor, header, valid_until, market),
            59..=64 => {
                let selection = SelectionIndex(self.rng.below(4) as u16);
                let withdrawn = u8::from(self.rng.permille(500));
                let deducts = !self.singles && withdrawn == 1 && self.rng.permille(400);
                let priced = deducts && self.rng.permille(500);
                let body = WithdrawSelection {
                    valid_until,
                    reason,
                    selection,
                    withdrawn,
                    deduct: u8::from(deducts),
                    price: if priced { self.price() } else { WirePrice::NONE },
                    market,
                    ..WithdrawSelection::default()
                };
                plain(header, &body)
            }
            65..=73 => self.result(auditor, header, valid_until, market),
            74..=81 => {
                let over: Vec<MarketId> = auditor
                    .markets()
                    .filter(|(_, status)| *status == MarketStatus::Settled)
                    .map(|(id, _)| id)
                    .collect();
                let market = if over.is_empty() { market } else { self.rng.pick(&over) };
                let body =
                    ArchiveMarket { valid_until, reason, market, ..ArchiveMarket::default() };
                plain(header, &body)
            }
            82..=85 => self.limits(header, valid_until, market),
            86..=88 => {
                let body = BlockAccount {
                    valid_until,
                    reason,
                    blocked: u8::from(self.rng.permille(300)),
                    account: self.account(auditor),
                    ..BlockAccount::default()
                };
                plain(header, &body)
            }
            89 => {
                let key = RequestKey(1 + u128::from(self.rng.below(20)));
                let body =
                    LiftQuarantine { valid_until, account: 1, key, ..LiftQuarantine::default() };
                plain(header, &body)
            }
            90..=91 => self.define_feed(valid_until).unwrap_or_default(),
            92..=93 => {
                let name = self.rng.pick(&["derby", "final", "third"]);
                let body = DefineFixture { valid_until, ..DefineFixture::default() };
                build::define_fixture(header, body, name)
                    .map_or_else(|_| Vec::new(), |s| bytes_of(&s))
            }
            94 => {
                let name = self.rng.pick(&["anna", "bert", "cleo", "dora"]);
                let header = Header { account: 0, ..header };
                let body = RegisterActor { valid_until, ..RegisterActor::default() };
                build::register_actor(header, body, name)
                    .map_or_else(|_| Vec::new(), |s| bytes_of(&s))
            }
            _ => self.define_market(auditor, valid_until).unwrap_or_default(),
        }
    }

    fn suspension(
        &mut self,
        auditor: &Auditor,
        header: Header,
        valid_until: Timestamp,
        market: MarketId,
    ) -> Vec<u8> {
        let (level, id) = match self.rng.below(13) {
            0 => (Level::Engine, 0),
            10 if !self.singles => (Level::Group, 1 + self.rng.below(2)),
            11..=12 if !self.singles => (Level::Selection, market.raw()),
            1..=2 => (Level::Feed, 1 + self.rng.below(3)),
            3..=4 => {
                let fixtures: Vec<FixtureId> = auditor.fixtures().collect();
                let fixture = if fixtures.is_empty() {
                    FixtureId::new(7, 1)
                } else {
                    self.rng.pick(&fixtures)
                };
                (Level::Fixture, fixture.raw())
            }
            _ => (Level::Market, market.raw()),
        };
        let backup = if self.singles { Owner::Feed } else { Owner::Backup };
        let owners = [Owner::Trader, Owner::Trader, Owner::Governor, Owner::Feed, backup];
        let owner = self.rng.pick(&owners) as u8;
        let of = level == Level::Selection;
        let selection = SelectionIndex(if of { self.rng.below(3) as u16 } else { 0 });
        let level = level as u8;
        // Rather let go than hold: a night without bets shows nothing.
        if self.rng.permille(300) {
            let body = Suspend { valid_until, level, owner, selection, id, ..Suspend::default() };
            plain(header, &body)
        } else {
            let body = Release { valid_until, level, owner, selection, id, ..Release::default() };
            plain(header, &body)
        }
    }

    fn result(
        &mut self,
        auditor: &Auditor,
        header: Header,
        valid_until: Timestamp,
        market: MarketId,
    ) -> Vec<u8> {
        if auditor.is_exchange(market) && self.rng.permille(900) {
            return self.placing(auditor, header, valid_until, market);
        }
        let selections = auditor.selections(market).max(2);
        let winner = self.rng.below(selections as u64) as usize;
        let all_void = self.rng.permille(80);
        let parts = if self.weights.is_some() { 450 } else { 250 };
        let entries: Vec<ResultEntry> = (0..selections)
            .map(|at| {
                let outcome = if all_void || self.rng.permille(80) {
                    SelectionOutcome::Void
                } else if at == winner || self.rng.permille(60) {
                    SelectionOutcome::Win
                } else {
                    SelectionOutcome::Lose
                };
                let selection = SelectionIndex(at as u16);
                if !self.singles && self.rng.permille(parts) {
                    return self.numbers(selection);
                }
                ResultEntry::new(selection, outcome)
            })
            .collect();
        let mut body = MarketResult { valid_until, market, ..MarketResult::default() };
        if !self.singles {
            body.source = self.said_at();
            body.certainty = self.rng.pick(&[0, 0, 1, 2]);
        }
        build::result(header, body, &entries).map_or_else(|_| Vec::new(), |s| bytes_of(&s))
    }

    /// A result in numbers: dead heats, half results, positions, deductions.
    fn numbers(&mut self, selection: SelectionIndex) -> ResultEntry {
        if self.rng.permille(400) {
            let position = 1 + self.rng.below(4) as u16;
            return ResultEntry::position(selection, position, 1 + self.rng.below(3) as u16);
        }
        let share = |rng: &mut Rng| {
            let (num, den) = rng.pick(&[(0, 1), (0, 1), (1, 1), (1, 2), (1, 3), (2, 3)]);
            Share::new(num, den).unwrap_or(Share::NONE)
        };
        let taken = Pence::new(self.rng.pick(&[0, 0, 0, 15, 90])).unwrap_or(Pence::ZERO);
        let numbers = LegNumbers {
            void: if self.rng.permille(700) { Share::NONE } else { share(&mut self.rng) },
            win: share(&mut self.rng),
            place: share(&mut self.rng),
            rule4: taken,
        };
        ResultEntry::shares(selection, numbers)
    }

    /// A limit of a customer's, a selection's or an event's losses: often none.
    fn one_of_the_new(&mut self) -> Minor {
        match self.rng.below(10) {
            _ if self.singles => Limits::UNLIMITED.max_liability,
            0..=4 => Limits::UNLIMITED.max_liability,
            5..=7 => Minor(1 + self.rng.below(3_000) as i64),
            _ => Minor(1 + self.rng.below(60_000) as i64),
        }
    }

    fn limits(&mut self, header: Header, valid_until: Timestamp, market: MarketId) -> Vec<u8> {
        let of_market = self.rng.permille(600);
        let scope = if of_market { LimitScope::Market } else { LimitScope::Currency };
        let market = match (of_market, self.rng.permille(100)) {
            (true, false) => market,
            _ => MarketId::NONE,
        };
        let min = 1 + self.rng.below(200) as i64;
        let body = SetLimits {
            valid_until,
            scope: scope as u8,
            currency: self.rng.pick(&[GBP, GBP, EUR]),
            market,
            limits: Limits {
                min_stake: Minor(min),
                max_stake: Minor(min + self.rng.below(20_000) as i64),
                max_payout: Minor(1_000 + self.rng.below(60_000) as i64),
                max_liability: Minor(1 + self.rng.below(60_000) as i64),
                max_customer: self.one_of_the_new(),
                max_selection: self.one_of_the_new(),
                max_event: self.one_of_the_new(),
            },
            ..SetLimits::default()
        };
        plain(header, &body)
    }
}

fn plain<B: Body>(header: Header, body: &B) -> Vec<u8> {
    bytes_of(&wire::slots(header, body, &[]))
}

fn retry_of(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[2] |= Header::RETRY as u8;
    bytes
}

/// The question what became of a request.
fn resolve_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let (header, _) = decode(bytes).ok()?;
    if header.key == RequestKey::NONE {
        return None;
    }
    let valid_until = bytes.get(64..72)?.try_into().ok().map(i64::from_le_bytes)?;
    let header = Header { account: header.account, key: header.key, ..Header::default() };
    let body = Resolve { valid_until: Timestamp(valid_until), ..Resolve::default() };
    Some(plain(header, &body))
}
