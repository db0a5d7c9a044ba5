//! What the house stands to lose, as the rules have it, from all bets that count: by customer, by selection, by
//! market, by fixture; and how much of a stake it takes.

use super::place::Wanted;
use super::{Auditor, Bet, Market, and, money};
use betring_core::BetState;
use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::{Event, StakeFactorChanged};
use betring_core::reject::Reject;
use zerocopy::IntoBytes;

/// What a market's bets stand to cost in a currency.
pub(super) struct Liability {
    pub(super) staked: i128,
    /// By selection: what plain singles return.
    pub(super) returns: Vec<i128>,
    /// By selection: what tickets could win more with it.
    pub(super) reach: Vec<i128>,
}

impl Liability {
    pub(super) fn largest_reach(&self) -> i128 {
        self.reach.iter().copied().max().unwrap_or(0)
    }
}

/// A limit as far as a trader may stretch it.
pub(super) fn stretched(limit: i128, percent: u32) -> i128 {
    limit * i128::from(percent.max(100)) / 100
}

/// What is judged, and how far a trader may go.
pub(super) struct Judged<'a> {
    pub(super) account: u64,
    pub(super) currency: u16,
    pub(super) lines: super::Lines,
    pub(super) wanted: &'a [Wanted],
    pub(super) percent: u32,
}

/// What of it counts: its stake, what it returns, what each leg could win.
#[derive(Clone)]
pub(super) struct Weight {
    pub(super) stake: i128,
    pub(super) returns: i128,
    pub(super) reach: Vec<i128>,
}

/// One level: what is lost before, what with the bet, and the limit.
struct LevelOf {
    detail: u8,
    before: i128,
    after: i128,
    limit: i128,
}

impl Bet {
    /// Whether the house may lose by it: it stands, or was bound when it was placed and waits for its wallet.
    pub(super) fn counts(&self) -> bool {
        !self.synthetic && (self.state.stands() || self.is_bound())
    }

    /// Whether it was bound when it was placed, and waits for its wallet.
    pub(super) fn is_bound(&self) -> bool {
        self.state == BetState::Held && self.hold.is_some_and(|hold| hold.at_place())
    }
}

impl Auditor {
    /// From all bets of a market that count, in a currency: what is staked, what each selection returns, and what
    /// tickets could win with it. Singles on what is out are void: their stakes go back whatever happens.
    pub(super) fn liability(&self, id: u64, currency: u16) -> Liability {
        let runners = self.markets.get(&id).map_or(&[][..], |market| &market.runners);
        let mut all =
            Liability { staked: 0, returns: vec![0; runners.len()], reach: vec![0; runners.len()] };
        for bet in self.bets.values().filter(|b| b.currency == currency && b.counts()) {
            for leg in bet.legs.iter().filter(|leg| leg.market == id && !leg.gone) {
                if !bet.lines.is_plain() {
                    all.reach[leg.selection] += leg.reach;
                } else if !runners[leg.selection].out {
                    all.staked += bet.stake;
                    all.returns[leg.selection] += bet.returns;
                }
            }
        }
        all
    }

    /// What is lost when the dearest selections win, as many as can.
    pub(super) fn worst(&self, market: &Market, staked: i128, returns: &[i128]) -> i128 {
        let mut dearest = returns.to_vec();
        dearest.sort_unstable();
        let paid: i128 = dearest.iter().rev().take(market.winners).sum();
        paid - staked
    }

    /// What all of a customer's bets could win beyond their stakes.
    fn could_win(&self, account: u64) -> i128 {
        let own = self.bets.values().filter(|bet| bet.account == account && bet.counts());
        own.map(|bet| bet.returns - bet.stake).sum()
    }

    /// What the markets of a fixture lose together, each in its worst outcome; what has left memory counts no
    /// more.
    fn event_loses(&self, fixture: u64, currency: u16) -> i128 {
        let of = self.markets.iter().filter(|(_, market)| market.fixture == fixture);
        let loses = |(id, market): (&u64, &Market)| {
            let all = self.liability(*id, currency);
            (self.worst(market, all.staked, &all.returns) + all.largest_reach()).max(0)
        };
        of.map(loses).sum()
    }

    /// The four levels in their order, and of several legs each in its order.
    fn levels_of(&self, of: &Judged<'_>, weight: &Weight) -> Vec<LevelOf> {
        let plain = of.lines.is_plain();
        let mut levels: [Vec<LevelOf>; 4] = Default::default();
        let mut tightest = i128::MAX;
        for (at, wanted) in of.wanted.iter().enumerate() {
            let id = wanted.market.raw();
            let Some(market) = self.markets.get(&id) else { continue };
            let limits = self.limits_for(market, of.currency);
            tightest = tightest.min(i128::from(limits.max_customer.0));
            let all = self.liability(id, of.currency);
            let own = all.reach[wanted.selection];
            let (worst, reach) =
                (self.worst(market, all.staked, &all.returns), all.largest_reach());
            let mut with = all.returns.clone();
            with[wanted.selection] += weight.returns;
            let (with_it, lost_with_it) = match plain {
                true => (
                    self.worst(market, all.staked + weight.stake, &with) + reach,
                    with[wanted.selection] + own - all.staked - weight.stake,
                ),
                false => {
                    let own = own + weight.reach[at];
                    (worst + reach.max(own), all.returns[wanted.selection] + own - all.staked)
                }
            };
            let lost = all.returns[wanted.selection] + own - all.staked;
            levels[1].push(LevelOf {
                detail: 2,
                before: lost,
                after: lost_with_it,
                limit: i128::from(limits.max_selection.0),
            });
            levels[2].push(LevelOf {
                detail: 3,
                before: worst + reach,
                after: with_it,
                limit: i128::from(limits.max_liability.0),
            });
            if market.fixture != 0 {
                let before = self.event_loses(market.fixture, of.currency);
                levels[3].push(LevelOf {
                    detail: 4,
                    before,
                    after: before - (worst + reach).max(0) + with_it.max(0),
                    limit: i128::from(limits.max_event.0),
                });
            }
        }
        let before = self.could_win(of.account);
        levels[0].push(LevelOf {
            detail: 1,
            before,
            after: before + weight.returns - weight.stake,
            limit: tightest,
        });
        levels.into_iter().flatten().collect()
    }

    /// Whether what a bet adds is within every limit: whether a trader has to look, or which it passes. A bet is
    /// judged on what it changes: one that makes nothing worse passes.
    pub(super) fn within_liability(&self, of: &Judged<'_>, weight: &Weight) -> Result<bool, u8> {
        let mut refer = false;
        for LevelOf { detail, before, after, limit } in self.levels_of(of, weight) {
            if after <= before.max(limit) {
                continue;
            }
            if before.max(stretched(limit, of.percent)) < after {
                return Err(detail);
            }
            refer = true;
        }
        Ok(refer)
    }

    fn passes_all(&self, of: &Judged<'_>, weight: &Weight) -> bool {
        let levels = self.levels_of(of, weight);
        levels.iter().all(|level| level.after <= level.before.max(level.limit))
    }

    /// The largest stake that would pass, as the answer says it: nothing if that is too small or too dear.
    ///
    /// Of a ticket it may be a little less: then what the answer says has to pass, and to be about as much.
    pub(super) fn too_much(
        &self,
        of: &Judged<'_>,
        detail: u8,
        stake: i128,
        weigh: impl Fn(i128) -> Option<Weight>,
        (least, funds): (i128, i128),
    ) -> Answer {
        let fits = |stake: i128| weigh(stake).is_some_and(|weight| self.passes_all(of, &weight));
        let (mut fit, mut not) = (0, stake);
        while fit + 1 < not {
            let middle = (fit + not) / 2;
            if fits(middle) { fit = middle } else { not = middle }
        }
        let may_be = |stake: i128| least <= stake && stake <= funds;
        let said = self.said.map_or(0, |said| i128::from(said.0));
        if !of.lines.is_plain() {
            let about = fit - fit / 8 - 8 <= said && said <= fit;
            let nearly = said == 0 && (fit < least + fit / 8 + 8 || !may_be(fit));
            if nearly || (said != 0 && about && may_be(said) && fits(said)) {
                return self.over_limit(detail, said);
            }
        }
        self.over_limit(detail, if may_be(fit) { fit } else { 0 })
    }

    fn over_limit(&self, detail: u8, amount: i128) -> Answer {
        let mut no = and(self.no(Reject::LiabilityLimit), |no| no.amount = money(amount));
        no.as_mut_bytes()[3] = detail;
        no
    }

    /// The largest stake that a market, or a customer, may have: all the factors that apply to it.
    pub(super) fn largest_stake(&self, market: &Market, account: u64, limit: i128) -> i128 {
        let feed = self.driving(market);
        let of = |scope: FactorScope, id: u64| {
            i128::from(self.factors.get(&(scope as u8, id)).copied().unwrap_or(100))
        };
        let id = self.markets.iter().find(|(_, known)| std::ptr::eq(*known, market));
        let all = [
            of(FactorScope::Engine, 0),
            of(FactorScope::Feed, u64::from(feed)),
            of(FactorScope::Fixture, market.fixture),
            of(FactorScope::Market, id.map_or(0, |(id, _)| *id)),
            of(FactorScope::Tier, u64::from(market.tier)),
            of(FactorScope::Account, account),
        ];
        all.iter().fold(limit, |most, percent| most * percent) / 100_i128.pow(all.len() as u32)
    }

    pub(super) fn set_factor(&mut self, body: &SetStakeFactor) -> super::Decided {
        let id = body.id;
        let unknown = match FactorScope::from_code(body.scope) {
            Some(FactorScope::Engine | FactorScope::Tier) | None => None,
            Some(FactorScope::Feed) => {
                let known = id < self.feeds.len() as u64;
                (!known).then_some(Reject::FeedUnknown)
            }
            Some(FactorScope::Fixture) => {
                (!self.fixtures.contains_key(&id)).then_some(Reject::FixtureUnknown)
            }
            Some(FactorScope::Market) => {
                (!self.markets.contains_key(&id)).then_some(Reject::MarketUnknown)
            }
            Some(FactorScope::Account) => {
                (!self.accounts.contains_key(&id)).then_some(Reject::AccountUnknown)
            }
        };
        if let Some(reject) = unknown {
            return Err(self.no(reject));
        }
        self.factors.insert((body.scope, id), body.percent);
        let (percent, scope) = (body.percent, body.scope);
        let told = StakeFactorChanged { id, percent, scope, zero: [0; 3] };
        self.told.push(Event::StakeFactorChanged(told));
        Ok(self.done(id))
    }
}
