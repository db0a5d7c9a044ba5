//! What customers ask: singles, accumulators or orders, drawn from a fixed seed.

use crate::error::Error;
use betring::logic::id::OrderId;
use betring::{
    AccountId, AnswerKind, Cancel, CancelOrders, MarketId, Money, Order, Place, PlaceOrders, Price,
    PricePolicy, Reject, Reply, Selection, SelectionIndex, Slip, Slot, Timestamp, key, money,
    price,
};
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mix {
    /// Single bets.
    #[default]
    Singles,
    /// Accumulators of [`LEGS`] legs, or as many as there are markets.
    Accumulators,
    /// Orders of exchange markets: 53 of a hundred rest, 35 are cancels, 12 meet others.
    Orders,
    /// Single bets, and every second a burst of prices.
    Odds,
}

impl Mix {
    /// All of them.
    pub const ALL: [Mix; 4] = [Mix::Singles, Mix::Accumulators, Mix::Orders, Mix::Odds];
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mix::Singles => "singles",
            Mix::Accumulators => "accumulators",
            Mix::Orders => "orders",
            Mix::Odds => "odds",
        })
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Mix, String> {
        let named = Mix::ALL.into_iter().find(|mix| mix.to_string() == text);
        named.ok_or_else(|| {
            format!("`{text}` is no mix: write singles, accumulators, orders or odds")
        })
    }
}

/// Legs of an accumulator.
pub const LEGS: usize = 4;
/// Slots of the longest request.
pub(crate) const SLOTS: usize = 3;
/// Orders of one account that wait in one market, on average at most: the rest is cancelled. Far below the bound of
/// the state.
pub(crate) const WAITING: u64 = 100;
/// And of all.
const WAITING_ALL: u64 = 100_000;

/// What is known of a request until it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    Bet,
    /// One that stays.
    Rest,
    /// One that may be cancelled.
    Order(AccountId, MarketId),
    Cancel(AccountId, MarketId, OrderId),
}

/// Makes requests, one after the other.
pub(crate) struct Requests {
    mix: Mix,
    accounts: Arc<[AccountId]>,
    /// The markets that take bets now: others may take their places.
    markets: Arc<[AtomicU64]>,
    dice: u64,
    number: u128,
    /// Orders that wait, the oldest in front.
    resting: VecDeque<(AccountId, MarketId, OrderId)>,
    resting_max: usize,
}

impl Requests {
    /// Those of `who`: keys of two are never the same.
    pub(crate) fn new(
        mix: Mix,
        who: u32,
        accounts: Arc<[AccountId]>,
        markets: Arc<[AtomicU64]>,
    ) -> Requests {
        let places = accounts.len() as u64 * markets.len() as u64;
        let resting_max = (places * WAITING).min(WAITING_ALL) as usize;
        let (number, resting) = (u128::from(who) << 64, VecDeque::new());
        Requests { mix, accounts, markets, dice: 1, number, resting, resting_max }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(self.dice) * u128::from(bound)) >> 64) as u64
    }

    fn selection(&mut self, market: usize, of: u64) -> Selection {
        let market = MarketId::from_raw(self.markets[market].load(Ordering::Acquire));
        Selection { market, index: SelectionIndex(self.below(of) as u16) }
    }

    /// The next request, sent at `now`, behind the slots of others.
    pub(crate) fn push(&mut self, now: Timestamp, slots: &mut Vec<Slot>) -> Result<Asked, Error> {
        match self.mix {
            Mix::Singles | Mix::Odds | Mix::Accumulators => self.bet(now, slots),
            Mix::Orders => match self.below(100) {
                0..53 if self.resting.len() < self.resting_max => self.order(now, slots, false),
                53..65 => self.order(now, slots, true),
                _ => match self.resting.pop_front() {
                    Some((account, market, order)) => {
                        let cancel = CancelOrders::new(account, market, [Cancel::all_of(order)]);
                        let cancel = cancel.key(self.next_key());
                        slots.extend_from_slice(&cancel.slots(now)?);
                        Ok(Asked::Cancel(account, market, order))
                    }
                    None => self.order(now, slots, false),
                },
            },
        }
    }

    /// One that stays: a bet, or an order that rests.
    pub(crate) fn push_open(
        &mut self,
        now: Timestamp,
        slots: &mut Vec<Slot>,
    ) -> Result<Asked, Error> {
        match self.mix {
            Mix::Singles | Mix::Odds | Mix::Accumulators => self.bet(now, slots),
            Mix::Orders => self.order(now, slots, false).map(|_| Asked::Rest),
        }
    }

    fn next_key(&mut self) -> betring::RequestKey {
        self.number += 1;
        key(self.number)
    }

    fn account(&mut self) -> AccountId {
        let account = self.below(self.accounts.len() as u64) as usize;
        self.accounts[account]
    }

    fn bet(&mut self, now: Timestamp, slots: &mut Vec<Slot>) -> Result<Asked, Error> {
        let (account, markets) = (self.account(), self.markets.len());
        let first = self.below(markets as u64) as usize;
        let key = self.next_key();
        if self.mix == Mix::Accumulators {
            let places = (first..first + LEGS.min(markets)).map(|place| place % markets);
            let legs: Vec<_> =
                places.map(|market| self.selection(market, 3).seen_at(price!(2.10))).collect();
            let ticket = Place::ticket(account, Slip::acca(legs), money!(1.00));
            let ticket = ticket.policy(PricePolicy::Better).key(key);
            slots.extend_from_slice(&ticket.slots(now)?);
            return Ok(Asked::Bet);
        }
        let policy = if self.mix == Mix::Odds { PricePolicy::Any } else { PricePolicy::Better };
        let single = Place::single(account, self.selection(first, 3), money!(1.00))
            .seen_at(price!(2.10))
            .policy(policy)
            .key(key);
        slots.push(single.slot(now));
        Ok(Asked::Bet)
    }

    /// Backs rest above the middle of the ladder, lays below; one that meets others goes the other way.
    fn order(
        &mut self,
        now: Timestamp,
        slots: &mut Vec<Slot>,
        meets: bool,
    ) -> Result<Asked, Error> {
        let (account, market) = (self.account(), self.below(self.markets.len() as u64) as usize);
        let selection = self.selection(market, 2);
        let (is_back, far) = (self.below(2) == 0, self.below(2) == 0);
        let (stake, order): (_, fn(Selection, Money, Price) -> Order) =
            (money!(1.00), if is_back { Order::back } else { Order::lay });
        let limit = match (is_back, meets, far) {
            (true, false, false) => price!(3.10),
            (true, false, true) | (false, true, _) => price!(3.20),
            (false, false, false) => price!(2.90),
            (false, false, true) | (true, true, _) => price!(2.80),
        };
        let order = order(selection, stake, limit);
        let order = if meets { order.fill_or_kill() } else { order };
        let key = self.next_key();
        slots.extend_from_slice(&PlaceOrders::new(account, &[order]).key(key).slots(now)?);
        Ok(Asked::Order(account, selection.market))
    }

    /// A request that will never be decided. An order whose cancel it was still waits.
    pub(crate) fn not_taken(&mut self, asked: Asked) {
        if let Asked::Cancel(account, market, order) = asked {
            self.resting.push_front((account, market, order));
        }
    }

    /// What was answered, in the order of asking; whether it was done.
    pub(crate) fn answered(&mut self, asked: Asked, reply: &Reply) -> Result<bool, Error> {
        let wrong = || {
            Err(Error::Wrong(format!(
                "every request of this load is good, and this was answered: {reply}"
            )))
        };
        match (asked, reply.answer.kind(), reply.answer.reject()) {
            (Asked::Bet, AnswerKind::Accepted, _) | (Asked::Cancel(..), AnswerKind::Changed, _) => {
                Ok(true)
            }
            (Asked::Rest, AnswerKind::Ordered, _) => Ok(true),
            (Asked::Order(account, market), AnswerKind::Ordered, _) => {
                let order = OrderId::from_raw(reply.answer.id);
                if reply.answer.stake.0 == 0 && reply.answer.lapsed().0 == 0 {
                    self.resting.push_back((account, market, order));
                }
                Ok(true)
            }
            // Others were quicker: what is to be cancelled was matched meanwhile.
            (
                Asked::Cancel(..),
                AnswerKind::Refused,
                Some(Reject::BetTakenOrLapsed | Reject::InvalidBetId),
            ) => Ok(false),
            // Its market is over, and another has its place.
            (
                Asked::Bet,
                AnswerKind::Refused,
                Some(Reject::MarketClosed | Reject::MarketNotOpen | Reject::MarketUnknown),
            ) => Ok(false),
            _ => wrong(),
        }
    }
}
