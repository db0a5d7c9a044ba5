//! What a live night has beside bets: groups whose feeds part, prices that traders pin or take, tiers, factors,
//! limits that customers set themselves, and wallets that answer late, twice, wrongly or not at all.

use super::{Crowd, FEED, Stage, TRADER, bytes_of, plain};
use crate::auditor::Auditor;
use betring_core::command::*;
use betring_core::event::FeedStatus;
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, WirePrice};
use betring_pricing::Price;

/// Answers of a wallet that may come a second time: the youngest.
const ANSWERS_MAX: usize = 24;

/// What a wallet knows of a stake that it was asked to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    bet: BetId,
    amount: Minor,
    reference: u64,
    /// It let go, or never held it.
    released: bool,
}

impl Crowd {
    /// A feed's message about itself, in the version that it is expected in, but for mistakes.
    pub(super) fn version_of(&mut self, auditor: &Auditor, feed: FeedId) -> u32 {
        let expected = auditor.feed(feed).map_or(0, |(_, _, schema)| schema);
        match self.rng.below(1_000) {
            0..=3 => 9,
            4..=5 => 0,
            _ => expected,
        }
    }

    /// The number of the request that a recovery answers: that of the last, of none, or of another.
    pub(super) fn request_of(&mut self, auditor: &Auditor, feed: FeedId) -> u64 {
        let (status, asked, _) = auditor.feed(feed).unwrap_or((FeedStatus::Down, 0, 0));
        match self.rng.below(10) {
            0 => 0,
            1 => asked + 1,
            _ if status == FeedStatus::Down => 0,
            _ => asked,
        }
    }

    /// A price near another: most prices move by a little.
    pub(super) fn near(&mut self, price: WirePrice) -> WirePrice {
        let permille = 970 + self.rng.below(61) as u32;
        let e4 = u64::from(price.e4) * u64::from(permille) / 1_000;
        let e4 = u32::try_from(e4).unwrap_or(u32::MAX);
        Price::from_e4(e4).map_or(price, WirePrice::decimal)
    }

    pub(super) fn define_group(&mut self, auditor: &Auditor, valid_until: Timestamp) -> Vec<u8> {
        let feeds = auditor.feeds().count() as u16;
        let primary = FeedId(1 + self.rng.below(feeds.max(1).into()) as u16);
        let backup = FeedId(1 + primary.0 % feeds.max(2));
        let name = self.rng.pick(&["league", "cup", "league"]);
        let body = DefineGroup { valid_until, primary, backup, ..DefineGroup::default() };
        let slots = build::define_group(self.control(), body, name);
        slots.map_or_else(|_| Vec::new(), |slots| bytes_of(&slots))
    }

    pub(super) fn set_tier(&mut self, header: Header, valid_until: Timestamp, tier: u8) -> Vec<u8> {
        // In which order bets settle, and so which of them moves a price, only records show: whoever is asked
        // one thing at a time shows none.
        let act = match self.weights.is_some() {
            true => LiabilityAct::No,
            false => self.rng.pick(LiabilityAct::ALL),
        };
        let none = act == LiabilityAct::No;
        let steps = act == LiabilityAct::Step;
        let drift_band = self.rng.pick(&[0, 0, 20_000, 100_000]);
        let millis = |rng: &mut crate::workload::Rng, of: &[i64]| Nanos::from_millis(rng.pick(of));
        let body = SetTier {
            valid_until,
            reason: self.rng.below(3) as u32,
            tier,
            act: act as u8,
            band: if none { 0 } else { self.rng.pick(&[2, 10, 40]) },
            ticks: if steps { self.rng.pick(&[1, 2, 5]) } else { 0 },
            steps: if steps { self.rng.pick(&[1, 2, 4]) } else { 0 },
            drift_band,
            age_bound: millis(&mut self.rng, &[0, 0, 400, 5_000]),
            cash_out_age: millis(&mut self.rng, &[0, 0, 50, 2_000]),
            drift_dwell: match drift_band {
                0 => Nanos::ZERO,
                _ => millis(&mut self.rng, &[0, 20, 500]),
            },
            price_band: self.rng.pick(&[0, 0, 40_000, 400_000]),
            ..SetTier::default()
        };
        plain(header, &body)
    }

    fn factor(&mut self, auditor: &Auditor, header: Header, valid_until: Timestamp) -> Vec<u8> {
        let market = self.market(auditor);
        let account = self.account(auditor);
        let fixture = auditor.fixtures().next().unwrap_or_default();
        let (scope, id) = match self.rng.below(7) {
            0 => (FactorScope::Engine, 0),
            1 => (FactorScope::Feed, self.rng.below(4)),
            2 => (FactorScope::Fixture, fixture.raw()),
            3 => (FactorScope::Market, market.raw()),
            4 => (FactorScope::Tier, self.rng.below(3)),
            _ => (FactorScope::Account, account.raw()),
        };
        let percent = self.rng.pick(&[100, 100, 100, 100, 50, 150, 1_000, 7, 0]);
        let scope = scope as u8;
        let body = SetStakeFactor { valid_until, scope, id, percent, ..SetStakeFactor::default() };
        plain(header, &body)
    }

    fn trader_price(
        &mut self,
        auditor: &Auditor,
        header: Header,
        valid_until: Timestamp,
    ) -> Vec<u8> {
        let market = self.market(auditor);
        let selections = 0..auditor.selections(market).max(1);
        let held = |at: &usize| {
            let feeds = auditor.feeds_of(market);
            feeds
                .iter()
                .any(|feed| auditor.quoted(market, *at, *feed).is_some_and(|(_, held)| held))
        };
        let pinned = selections.clone().find(|at| auditor.is_pinned(market, *at));
        let held = selections.clone().find(held);
        let any = self.rng.below(selections.end as u64) as usize;
        let (act, at) = match self.rng.below(10) {
            0..=3 => (TraderPriceAct::TakeHeld, held.unwrap_or(any)),
            4..=6 => (TraderPriceAct::Unpin, pinned.unwrap_or(any)),
            _ => (TraderPriceAct::Pin, any),
        };
        let near = auditor.price(market, at);
        let price = match (act, near) {
            (TraderPriceAct::Pin, Some(price)) if self.rng.permille(700) => self.near(price),
            (TraderPriceAct::Pin, _) => self.price(),
            _ => WirePrice::NONE,
        };
        let selection = SelectionIndex(at as u16);
        let act = act as u8;
        plain(
            header,
            &TraderPrice { valid_until, selection, act, market, price, ..Default::default() },
        )
    }

    fn period(&mut self) -> (u8, u8) {
        (self.rng.pick(LimitKind::ALL) as u8, self.rng.pick(Period::ALL) as u8)
    }

    /// A limit by a period: of a size that nights come to, or none.
    fn own_limit(&mut self) -> Minor {
        Minor(self.rng.pick(&[0, 0, 2_000, 20_000, 100_000]))
    }

    /// Not for so long that nobody bets any more.
    fn excluded_until(&mut self, now: Timestamp) -> Timestamp {
        now.plus(Nanos::from_millis(self.rng.pick(&[0, 50, 1_000, 15_000])))
    }

    /// What a trader does about feeds, tiers and limits.
    pub(super) fn steer(
        &mut self,
        stage: &impl Stage,
        header: Header,
        valid_until: Timestamp,
    ) -> Vec<u8> {
        let auditor = stage.auditor();
        match self.rng.below(100) {
            0..=9 => {
                // The first is the one that most markets are in: it stays as it is but for now and then.
                let tier = self.rng.pick(&[0, 1, 1, 2, 2, 2]);
                self.set_tier(header, valid_until, tier)
            }
            10..=15 => {
                let (market, tier) = (self.market(auditor), self.rng.pick(&[0, 0, 1, 2]));
                let body = AssignTier { valid_until, tier, market, ..AssignTier::default() };
                plain(header, &body)
            }
            16..=30 => {
                let groups: Vec<_> = auditor.groups().collect();
                let to = self.rng.pick(Drives::ALL);
                let (group, to) = match groups.is_empty() {
                    true => (GroupId(7), to),
                    false => {
                        let (group, _, drives) = self.rng.pick(&groups);
                        let other = if drives == Drives::Primary {
                            Drives::Backup
                        } else {
                            Drives::Primary
                        };
                        (group, if self.rng.permille(900) { other } else { to })
                    }
                };
                let body = SwitchFeed { valid_until, group, to: to as u8, ..SwitchFeed::default() };
                plain(header, &body)
            }
            31..=36 => self.define_group(auditor, valid_until),
            37..=42 => {
                let feed = FeedId(1 + self.rng.below(3) as u16);
                let schema = self.rng.pick(&[0, 0, 3, 4]);
                let body = SetFeedSchema { valid_until, feed, schema, ..SetFeedSchema::default() };
                plain(header, &body)
            }
            43..=69 => self.trader_price(auditor, header, valid_until),
            70..=84 => self.factor(auditor, header, valid_until),
            // An engine that sheds says so at its door: who is asked one thing at a time has no word for that.
            85 if self.weights.is_none() => {
                let modes = [0, 0, 0, Shed::Off as u8, Shed::Auto as u8, Shed::On as u8];
                let (mode, reason) = (self.rng.pick(&modes), self.rng.below(3) as u32);
                let body = SetShedding { valid_until, reason, mode, ..SetShedding::default() };
                plain(header, &body)
            }
            85..=94 => {
                let (kind, period) = self.period();
                let (account, amount) = (self.account(auditor), self.own_limit());
                let body = SetAccountLimit {
                    valid_until,
                    kind,
                    period,
                    account,
                    amount,
                    ..SetAccountLimit::default()
                };
                plain(header, &body)
            }
            _ => {
                let (account, until) = (self.account(auditor), self.excluded_until(stage.now()));
                let body = ExcludeAccount { valid_until, account, until, ..Default::default() };
                plain(header, &body)
            }
        }
    }

    /// What a customer does about limits of its own.
    pub(super) fn restrains_itself(
        &mut self,
        stage: &impl Stage,
        header: Header,
        valid_until: Timestamp,
    ) -> Vec<u8> {
        if self.rng.permille(150) {
            let until = self.excluded_until(stage.now());
            return plain(header, &ExcludeSelf { valid_until, until, ..ExcludeSelf::default() });
        }
        let (kind, period) = self.period();
        let amount = self.own_limit();
        plain(header, &SetOwnLimit { valid_until, kind, period, amount, ..SetOwnLimit::default() })
    }

    /// Who is asked to open an account: some have their money elsewhere, some are probes.
    pub(super) fn purse(&mut self) -> (Purse, bool) {
        let external = self.rng.permille(if self.wallets { 850 } else { 250 });
        let purse = if external { Purse::External } else { Purse::Own };
        (purse, self.rng.permille(100))
    }

    /// An external wallet answers what it was asked: soon, late, twice, for another bet, for another amount, or
    /// that it does not hold it; or it says something again.
    pub(super) fn wallet(&mut self, stage: &impl Stage) -> Option<(usize, Vec<u8>)> {
        let auditor = stage.auditor();
        let asked: Vec<_> = auditor.asked_holds().collect();
        let header = self.control();
        let valid_until = stage.now().plus(Nanos::from_secs(4));
        if !self.answers.is_empty() && self.rng.permille(250) {
            let at = self.rng.below(self.answers.len() as u64) as usize;
            let mut again = self.answers[at];
            match self.rng.below(8) {
                // What was let go is held after all, or the other way round.
                0 => again.released = !again.released,
                1 => again.reference += 1,
                2 => again.amount.0 += 1,
                _ => (),
            }
            return Some((TRADER, self.says(header, valid_until, again)));
        }
        if asked.is_empty() {
            return None;
        }
        let (bet, _, stake, _) = self.rng.pick(&asked);
        // While it thinks, the price moves: what binds when it answers is judged at another one.
        if self.rng.permille(200)
            && let Some(market) = auditor.market_of(bet)
        {
            return self.reprice(auditor, header, valid_until, market);
        }
        self.references += 1;
        let stake = i64::try_from(stake).unwrap_or(i64::MAX);
        let mut answer =
            Answered { bet, amount: Minor(stake), reference: self.references, released: false };
        match self.rng.below(100) {
            0..=11 => answer.released = true,
            // A part of it, or more than it.
            12..=17 => answer.amount = Minor((stake / 2).max(1)),
            18..=19 => answer.amount = Minor(stake + 1),
            20..=23 => {
                // Another bet: one that never asked, or none.
                let (other, _) = self.bet_in(auditor, betring_core::BetState::ALL);
                answer.bet = if self.rng.permille(100) { BetId::new(77, 1) } else { other };
            }
            _ => (),
        }
        self.answers.push_back(answer);
        while ANSWERS_MAX < self.answers.len() {
            self.answers.pop_front();
        }
        // Lost on its way: the wallet believes that it has said so.
        if self.rng.permille(120) {
            return None;
        }
        Some((TRADER, self.says(header, valid_until, answer)))
    }

    fn says(&self, header: Header, valid_until: Timestamp, answer: Answered) -> Vec<u8> {
        let Answered { bet, amount, reference, released } = answer;
        if released {
            return plain(header, &ReleaseHold { valid_until, bet, ..ReleaseHold::default() });
        }
        let body = ConfirmHold { valid_until, bet, amount, reference, ..ConfirmHold::default() };
        plain(header, &body)
    }

    /// The feeds of a market say the same again: what is too far apart comes together.
    pub(super) fn brings_together(
        &mut self,
        auditor: &Auditor,
        market: MarketId,
    ) -> Option<(usize, Vec<u8>)> {
        let driving = auditor.feed_of(market)?;
        let other = auditor.feeds_of(market).into_iter().find(|feed| *feed != driving)?;
        let entries: Vec<PriceEntry> = (0..auditor.selections(market))
            .filter_map(|at| {
                let (price, _) = auditor.quoted(market, at, driving)?;
                Some(PriceEntry::new(SelectionIndex(at as u16), price))
            })
            .collect();
        let header = Header { account: 1, ..Header::default() };
        let schema = auditor.feed(other).map_or(0, |(_, _, schema)| schema);
        let body = SetPrices { feed: other, market, schema, ..SetPrices::default() };
        let slots = build::set_prices(header, body, &entries).ok()?;
        Some((FEED, bytes_of(&slots)))
    }
}
