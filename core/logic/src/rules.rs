//! The hook for an operator's own rules: one pure question per gate.
//!
//! A rule may refuse, have a trader look, or reduce the stake, and nothing else. So whatever the rules say, every
//! invariant of ledger and price stays true by construction. Rules see facts and answer; they may keep
//! no state and read no clock: a replay asks them again and has to hear the same.

use crate::command::PricePolicy;
use crate::id::{AccountId, FixtureId, MarketId, SelectionIndex};
use crate::time::Timestamp;
use crate::wire::Minor;
use betring_pricing::{Currency, Price, Stake};

/// What a rule may know of a bet that is being placed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BetFacts {
    /// Now, on the journal's clock.
    pub at: Timestamp,
    /// Whose bet.
    pub account: AccountId,
    /// The operator's own number of the account.
    pub reference: u64,
    /// Money available before the bet.
    pub balance: Minor,
    /// Its currency.
    pub currency: Currency,
    /// Which market; [`MarketId::NONE`] at the account's gate.
    pub market: MarketId,
    /// The market's fixture, if it has one.
    pub fixture: FixtureId,
    /// When the fixture starts; 0 if not known.
    pub starts: Timestamp,
    /// Which selection.
    pub selection: SelectionIndex,
    /// How many legs it has; the market's and the price's gates are asked for each.
    pub legs: u8,
    /// How many lines, place lines included.
    pub lines: u64,
    /// The stake of all lines together, as far as earlier rules have left it.
    pub stake: Stake,
    /// The price in force; none before the market's gate.
    pub price: Option<Price>,
    /// What the customer agreed to.
    pub policy: PricePolicy,
    /// A probe's bet.
    pub synthetic: bool,
    /// Whether an earlier rule wants a trader to look at it.
    pub refer: bool,
}

impl BetFacts {
    /// A bet of which no more is known than this; whoever asks a rule fills in what its gate knows.
    pub fn new(at: Timestamp, account: AccountId, currency: Currency, stake: Stake) -> BetFacts {
        BetFacts {
            at,
            account,
            reference: 0,
            balance: Minor(0),
            currency,
            market: MarketId::NONE,
            fixture: FixtureId::NONE,
            starts: Timestamp(0),
            selection: SelectionIndex(0),
            legs: 1,
            lines: 1,
            stake,
            price: None,
            policy: PricePolicy::Exact,
            synthetic: false,
            refer: false,
        }
    }
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ruling {
    /// Go on.
    Pass,
    /// No, for this reason of the operator's own.
    Refuse(u32),
    /// Only if a trader says so: the bet waits for one.
    Refer,
    /// Only up to this stake. More than the stake asked for changes nothing.
    Reduce(Stake),
}

/// An operator's own rules: all gates pass unless overridden.
pub trait Rules: Clone + Send + 'static {
    /// Which rules; stands in every epoch.
    const ID: u64;
    /// Their version; stands in every epoch. Another version may decide otherwise.
    const VERSION: u32;

    /// After the account was found and is not blocked.
    fn account(&self, _bet: &BetFacts) -> Ruling {
        Ruling::Pass
    }

    /// After market, selection and feed let the bet through.
    fn market(&self, _bet: &BetFacts) -> Ruling {
        Ruling::Pass
    }

    /// After the price policy.
    fn price(&self, _bet: &BetFacts) -> Ruling {
        Ruling::Pass
    }

    /// Before the limits on stake and payout.
    fn stake(&self, _bet: &BetFacts) -> Ruling {
        Ruling::Pass
    }

    /// Before the limit on liability.
    fn liability(&self, _bet: &BetFacts) -> Ruling {
        Ruling::Pass
    }
}

/// No rules but the house's limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct HouseRules;

impl Rules for HouseRules {
    const ID: u64 = 1;
    const VERSION: u32 = 1;
}
