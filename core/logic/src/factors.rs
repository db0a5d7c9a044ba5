//! What scales the largest stake: factors of everything, a feed, a fixture, a market, a tier, an account.

use crate::answer::Answer;
use crate::command::{FactorScope, SetStakeFactor};
use crate::event::{Events, StakeFactorChanged};
use crate::id::{AccountId, FeedId, FixtureId, MarketId};
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::wire::Minor;
use betring_pricing::{self as pricing, RoundingMode, Stake};

type Decided = Result<Answer, Answer>;

/// As it is, in percent.
pub(crate) const WHOLE: u32 = 100;
/// How many factors apply to a leg.
const FACTORS: u32 = 6;

/// All factors in percent; an account's stands with its account.
#[derive(Clone)]
pub(crate) struct Factors {
    pub(crate) engine: u32,
    /// By number; 0 is that of prices set by a person.
    pub(crate) feeds: Vec<u32>,
    pub(crate) fixtures: Vec<u32>,
    /// By place: a new market there begins with the whole.
    pub(crate) markets: Vec<u32>,
    pub(crate) tiers: Vec<u32>,
}

impl Factors {
    pub(crate) fn new() -> Factors {
        let tiers = vec![WHOLE; 1 + usize::from(u8::MAX)];
        Factors {
            engine: WHOLE,
            feeds: Vec::new(),
            fixtures: Vec::new(),
            markets: Vec::new(),
            tiers,
        }
    }

    pub(crate) fn grow(&mut self, feeds: u32, fixtures: u32, markets: u32) {
        self.feeds.resize(1 + feeds as usize, WHOLE);
        self.fixtures.resize(fixtures as usize, WHOLE);
        self.markets.resize(markets as usize, WHOLE);
    }

    /// The factors that are not the whole: scope, number or place, percent.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (FactorScope, u32, u32)> {
        let engine = std::slice::from_ref(&self.engine);
        let lists = [
            (FactorScope::Engine, engine),
            (FactorScope::Feed, &self.feeds),
            (FactorScope::Fixture, &self.fixtures),
            (FactorScope::Market, &self.markets),
            (FactorScope::Tier, &self.tiers),
        ];
        lists.into_iter().flat_map(|(scope, list)| {
            let places = list.iter().enumerate().filter(|(_, percent)| **percent != WHOLE);
            places.map(move |(at, percent)| (scope, at as u32, *percent))
        })
    }

    /// The place of a factor, if there is one.
    pub(crate) fn at_mut(&mut self, scope: FactorScope, at: u32) -> Option<&mut u32> {
        let at = at as usize;
        match scope {
            FactorScope::Engine => (at == 0).then_some(&mut self.engine),
            FactorScope::Feed => self.feeds.get_mut(at),
            FactorScope::Fixture => self.fixtures.get_mut(at),
            FactorScope::Market => self.markets.get_mut(at),
            FactorScope::Tier => self.tiers.get_mut(at),
            FactorScope::Account => None,
        }
    }
}

impl<R: Rules> State<R> {
    pub(crate) fn set_stake_factor(
        &mut self,
        body: &SetStakeFactor,
        events: &mut Events,
    ) -> Decided {
        let scope = FactorScope::from_code(body.scope).expect("checked when it was read");
        let factor = self.factor_mut(scope, body.id)?;
        *factor = body.percent;
        let (id, percent, scope) = (body.id, body.percent, body.scope);
        events.push(&StakeFactorChanged { id, percent, scope, zero: [0; 3] });
        Ok(Answer::done(self.seq, id))
    }

    fn factor_mut(&mut self, scope: FactorScope, id: u64) -> Result<&mut u32, Answer> {
        let (unknown, at) = match scope {
            FactorScope::Engine => return Ok(&mut self.factors.engine),
            FactorScope::Feed => {
                let known = id < self.feeds.len() as u64;
                (Reject::FeedUnknown, known.then_some(id as u32))
            }
            FactorScope::Fixture => {
                let id = FixtureId::from_raw(id);
                let known = self.find_fixture(id).is_some();
                (Reject::FixtureUnknown, known.then_some(id.index()))
            }
            FactorScope::Market => {
                let found = self.find_market(MarketId::from_raw(id));
                (Reject::MarketUnknown, found.map(|(index, _)| index))
            }
            // All tiers are there; a number that is none was refused when the command was read.
            FactorScope::Tier => (Reject::NotAllowed, u8::try_from(id).ok().map(u32::from)),
            FactorScope::Account => {
                return match self.ledger.find(AccountId::from_raw(id)) {
                    Some((index, _)) => Ok(&mut self.ledger.accounts[index as usize].percent),
                    None => Err(self.no(Reject::AccountUnknown)),
                };
            }
        };
        let no = self.no(unknown);
        at.and_then(|at| self.factors.at_mut(scope, at)).ok_or(no)
    }

    /// The factor of a scope, in percent; none if there is no such feed, fixture, market or account.
    pub fn stake_factor(&self, scope: FactorScope, id: u64) -> Option<u32> {
        let factors = &self.factors;
        match scope {
            FactorScope::Engine => Some(factors.engine),
            FactorScope::Feed => {
                let feed = FeedId(u16::try_from(id).ok()?);
                self.feed(feed).map(|_| factors.feeds[usize::from(feed.0)])
            }
            FactorScope::Fixture => {
                let fixture = FixtureId::from_raw(id);
                self.find_fixture(fixture).map(|_| factors.fixtures[fixture.index() as usize])
            }
            FactorScope::Market => {
                let found = self.find_market(MarketId::from_raw(id));
                found.map(|(index, _)| factors.markets[index as usize])
            }
            FactorScope::Tier => factors.tiers.get(usize::try_from(id).ok()?).copied(),
            FactorScope::Account => {
                self.ledger.find(AccountId::from_raw(id)).map(|(_, account)| account.percent)
            }
        }
    }

    /// The largest stake of an account on a market: every factor multiplied, the fraction dropped once.
    pub(crate) fn largest_allowed(&self, account: u32, market: u32, most: Minor) -> Minor {
        let of = &self.markets[market as usize];
        let fixture = self.find_fixture(of.fixture).map(|_| of.fixture.index() as usize);
        let factors = [
            self.factors.engine,
            self.factors.feeds[usize::from(self.driving_feed(of).0)],
            fixture.map_or(WHOLE, |at| self.factors.fixtures[at]),
            self.factors.markets[market as usize],
            self.factors.tiers[usize::from(of.tier)],
            self.ledger.accounts[account as usize].percent,
        ];
        scaled(most, factors)
    }
}

/// A stake times all factors, at most what may be a stake.
fn scaled(most: Minor, factors: [u32; FACTORS as usize]) -> Minor {
    // Nearly every stake is scaled by nothing.
    if factors == [WHOLE; FACTORS as usize] {
        return most.min(Stake::MAX.into());
    }
    let product = factors.iter().fold(i128::from(most.0), |product, f| product * i128::from(*f));
    let whole = i128::from(WHOLE).pow(FACTORS);
    let stake = pricing::div_round(product, whole, RoundingMode::Down);
    Minor(i64::try_from(stake).unwrap_or(i64::MAX).min(Stake::MAX.money().minor()))
}

// The largest stake at the largest factors is a number.
const _: () = assert!(10_000_u128.pow(FACTORS) * (Stake::MAX.money().minor() as u128) < 1 << 127);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_multiplied_and_the_fraction_is_dropped_once() {
        // 99 × 0.5 × 0.5 is 24.75; dropped twice it would be 24 as well, of 0.07 it would not:
        // 7 × 50 % × 300 % is 10.5, and 3 × 300 % only 9.
        assert_eq!(scaled(Minor(99), [50, 50, 100, 100, 100, 100]), Minor(24));
        assert_eq!(scaled(Minor(7), [50, 300, 100, 100, 100, 100]), Minor(10));
        assert_eq!(scaled(Minor(1_000), [100, 100, 0, 100, 100, 10_000]), Minor(0));
        let most = Stake::MAX.money().minor();
        assert_eq!(scaled(Minor(most), [10_000; 6]), Minor(most));
        assert_eq!(scaled(Minor(1), [1; 6]), Minor(0));
        assert_eq!(scaled(Minor(99), [100; 6]), Minor(99));
        assert_eq!(scaled(Minor(i64::MAX), [100; 6]), Minor(most));
    }
}
