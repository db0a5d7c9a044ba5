//! Tiers of markets: how strictly their prices are taken. A market looks its tier up when a bet asks,
//! so that another setting holds for all of them at once.

use crate::answer::Answer;
use crate::command::{AssignTier, LiabilityAct, SetTier};
use crate::event::{Events, TierAssigned, TierSet};
use crate::market::Market;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::time::Nanos;

type Decided = Result<Answer, Answer>;

/// How many tiers there are: a tier's number is a byte. All exist from the start.
pub(crate) const TIERS: usize = 256;

/// What holds for the markets of a tier; until it is set, nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tier {
    pub(crate) age_bound: Nanos,
    pub(crate) cash_out_age: Nanos,
    /// How far the feeds may be apart, and for how long, in parts per million.
    pub(crate) drift_band: u32,
    pub(crate) drift_dwell: Nanos,
    /// How far a price may move at once, in parts per million.
    pub(crate) price_band: u32,
    pub(crate) act: LiabilityAct,
    /// The width of a band of liability, in percent of the market's limit.
    pub(crate) band: u8,
    /// By how many ticks a band shortens the price, and after how many bands it is enough.
    pub(crate) ticks: u8,
    pub(crate) steps: u8,
}

impl Tier {
    /// A tier that was never set.
    pub(crate) const UNSET: Tier = Tier {
        age_bound: Nanos::ZERO,
        cash_out_age: Nanos::ZERO,
        drift_band: 0,
        drift_dwell: Nanos::ZERO,
        price_band: 0,
        act: LiabilityAct::No,
        band: 0,
        ticks: 0,
        steps: 0,
    };

    /// What a command says.
    pub(crate) fn of(body: &SetTier) -> Tier {
        Tier {
            age_bound: body.age_bound,
            cash_out_age: body.cash_out_age,
            drift_band: body.drift_band,
            drift_dwell: body.drift_dwell,
            price_band: body.price_band,
            act: LiabilityAct::from_code(body.act).expect("checked when the command was read"),
            band: body.band,
            ticks: body.ticks,
            steps: body.steps,
        }
    }
}

/// The stricter of two bounds on an age, of which 0 is none.
pub(crate) fn stricter(one: Nanos, other: Nanos) -> Nanos {
    match (one, other) {
        (Nanos::ZERO, bound) | (bound, Nanos::ZERO) => bound,
        (one, other) => one.min(other),
    }
}

impl<R: Rules> State<R> {
    pub(crate) fn set_tier(&mut self, body: &SetTier, events: &mut Events) -> Decided {
        self.tiers[usize::from(body.tier)] = Tier::of(body);
        events.push(&TierSet { tier: body.tier, zero: [0; 7] });
        Ok(Answer::done(self.seq, u64::from(body.tier)))
    }

    pub(crate) fn assign_tier(&mut self, body: &AssignTier, events: &mut Events) -> Decided {
        let Some((index, _)) = self.find_market(body.market) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        self.markets[index as usize].tier = body.tier;
        events.push(&TierAssigned { market: body.market, tier: body.tier, zero: [0; 7] });
        self.look_at_all_drifts(index, events);
        Ok(Answer::done(self.seq, body.market.raw()))
    }

    pub(crate) fn tier_of(&self, market: &Market) -> &Tier {
        &self.tiers[usize::from(market.tier)]
    }
}
