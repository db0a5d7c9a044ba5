//! What customers ask of exchange markets: orders, and what is to become of those that wait.
//!
//! ```
//! # use betring::*;
//! # fn orders(client: &mut Client, account: AccountId, race: &Market) -> Result<(), Error> {
//! let placed = client.place_orders(account, key(2), &[
//!     Order::back(race.selection("Desert Orchid"), money!(10.00), price!(3.40)).persist(),
//!     Order::lay(race.selection("Golden Miller"), money!(25.00), price!(2.10)).fill_or_kill(),
//! ])?;
//! println!("{placed}");                                           // its number, and what was matched
//! println!("{}", client.cancel_all(account, key(3), race)?);      // what waits in this market is gone
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

use betring_core::book::{SelfMatch, Side};
use betring_core::command::{
    self, CancelEntry, OrderEntry, OrderKind, Persistence, ReplaceEntry, SizeTarget, UpdateEntry,
    build,
};
use betring_core::id::{AccountId, MarketId, OrderId, RequestKey, Seq};
use betring_core::reject::Malformed;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, Slot};
use betring_pricing::{Money, Price};

use crate::ask::{Ask, Selection, Terms, VALID_FOR, terms};
use crate::client::Client;
use crate::error::Error;
use crate::outcome::{Changed, Ordered};

/// One order to be: on which selection, which way, how much, and at which price or better.
///
/// It rests until it is matched or cancelled, and lapses when its market turns in-play, if nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    market: MarketId,
    entry: OrderEntry,
}

impl Order {
    fn of(selection: Selection, side: Side, size: Money, limit_e4: u32) -> Order {
        let entry = OrderEntry {
            limit_e4,
            selection: selection.index,
            side: side as u8,
            size: Minor::from(size),
            ..OrderEntry::default()
        };
        Order { market: selection.market, entry }
    }

    /// That the selection wins: this stake, at this price or a longer one.
    pub fn back(selection: Selection, stake: Money, price: Price) -> Order {
        Order::of(selection, Side::Back, stake, price.e4())
    }

    /// That the selection does not win: against a backer's stake of so much, at this price or a shorter one.
    pub fn lay(selection: Selection, stake: Money, price: Price) -> Order {
        Order::of(selection, Side::Lay, stake, price.e4())
    }

    /// That the selection wins: this stake, at the starting price.
    pub fn back_on_close(selection: Selection, stake: Money) -> Order {
        Order::of(selection, Side::Back, stake, 0).kind(OrderKind::MarketOnClose)
    }

    /// That the selection does not win: so much may be lost, at the starting price.
    pub fn lay_on_close(selection: Selection, liability: Money) -> Order {
        Order::of(selection, Side::Lay, liability, 0).kind(OrderKind::MarketOnClose)
    }

    fn kind(mut self, kind: OrderKind) -> Order {
        self.entry.kind = kind as u8;
        self
    }

    /// At the starting price, if that is as good as the order's own. The size of a lay is what it may lose.
    pub fn on_close(self) -> Order {
        self.kind(OrderKind::LimitOnClose)
    }

    fn persistence(mut self, persistence: Persistence) -> Order {
        self.entry.persistence = persistence as u8;
        self
    }

    /// What waits of it stays when the market turns in-play.
    pub fn persist(self) -> Order {
        self.persistence(Persistence::Persist)
    }

    /// What waits of it when the market turns in-play is matched at the starting price.
    pub fn at_start(self) -> Order {
        self.persistence(Persistence::MarketOnClose)
    }

    fn flag(mut self, flag: u8) -> Order {
        self.entry.flags |= flag;
        self
    }

    /// All of it at once, at an average as good as its price, or nothing.
    pub fn fill_or_kill(self) -> Order {
        self.flag(OrderEntry::FILL_OR_KILL)
    }

    /// At least so much of it at once, at an average as good as its price, or nothing. What is left then lapses.
    pub fn at_least(mut self, stake: Money) -> Order {
        self.entry.min_fill = Minor::from(stake);
        self.fill_or_kill()
    }

    /// It lapses where a better price than its own is there.
    pub fn refuse_improvement(self) -> Order {
        self.flag(OrderEntry::REFUSE_IMPROVEMENT)
    }

    fn target(mut self, target: SizeTarget) -> Order {
        self.entry.target = target as u8;
        self
    }

    /// Its size is what the backer gets if the selection wins at its price, stake included.
    pub fn payout(self) -> Order {
        self.target(SizeTarget::Payout)
    }

    /// Its size is what the backer wins at its price beside the stake.
    pub fn backers_profit(self) -> Order {
        self.target(SizeTarget::BackersProfit)
    }

    /// What happens where it would meet another one of the same account. Without: what is left of it lapses.
    pub fn self_match(mut self, what: SelfMatch) -> Order {
        self.entry.self_match = what as u8;
        self
    }

    /// The customer's own number of it: carried and never looked at.
    pub fn reference(mut self, reference: u128) -> Order {
        self.entry.reference = reference;
        self
    }
}

/// Places orders on a market: all of them or none.
#[derive(Clone, Debug)]
pub struct PlaceOrders {
    account: AccountId,
    body: command::PlaceOrders,
    /// Whether all are of one market.
    one_market: bool,
    orders: Vec<OrderEntry>,
    terms: Terms,
}

terms!(PlaceOrders);

impl PlaceOrders {
    /// From 1 to 200 orders on selections of one market. It needs a key.
    pub fn new(account: AccountId, orders: &[Order]) -> PlaceOrders {
        let market = orders.first().map_or(MarketId::NONE, |order| order.market);
        PlaceOrders {
            account,
            body: command::PlaceOrders { market, ..command::PlaceOrders::default() },
            one_market: orders.iter().all(|order| order.market == market),
            orders: orders.iter().map(|order| order.entry).collect(),
            terms: Terms::default(),
        }
    }

    /// The version of the market that the customer saw: where it is another by now, the orders lapse.
    pub fn seen_market(mut self, version: Seq) -> PlaceOrders {
        self.body.market_version = version;
        self
    }

    /// The slots of this request, sent at `now`: for batches.
    ///
    /// # Errors
    /// [`Malformed::Entries`] for no order, more than 200, or orders of several markets.
    pub fn slots(&self, now: Timestamp) -> Result<Vec<Slot>, Malformed> {
        self.slots_at(now, VALID_FOR)
    }
}

impl Ask for PlaceOrders {
    type Slots = Vec<Slot>;

    fn slots_at(&self, now: Timestamp, default_for: Nanos) -> Result<Vec<Slot>, Malformed> {
        if !self.one_market {
            return Err(Malformed::Entries);
        }
        let body =
            command::PlaceOrders { valid_until: self.terms.until(now, default_for), ..self.body };
        build::place_orders(self.terms.header(self.account.raw()), body, &self.orders)
    }
}

/// An order to be cancelled, or made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancel {
    entry: CancelEntry,
}

impl Cancel {
    /// All that waits of it.
    pub fn all_of(order: OrderId) -> Cancel {
        Cancel { entry: CancelEntry { order, by: Minor(0) } }
    }

    /// So much of it; all that waits if that is less.
    pub fn part(order: OrderId, by: Money) -> Cancel {
        Cancel { entry: CancelEntry { order, by: Minor::from(by) } }
    }
}

impl From<OrderId> for Cancel {
    fn from(order: OrderId) -> Cancel {
        Cancel::all_of(order)
    }
}

macro_rules! of_orders {
    ($(#[$doc:meta])* $name:ident, $entry:ident, $build:ident, $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            account: AccountId,
            body: command::$name,
            /// So many orders at least.
            least: usize,
            orders: Vec<$entry>,
            terms: Terms,
        }

        terms!($name);

        impl $name {
            fn of(
                account: AccountId,
                market: impl Into<MarketId>,
                least: usize,
                orders: impl Iterator<Item = $entry>,
            ) -> $name {
                let body = command::$name { market: market.into(), ..command::$name::default() };
                // One more than there may be is enough to tell that there are too many.
                let orders = orders.take($most + 1).collect();
                $name { account, body, least, orders, terms: Terms::default() }
            }

            /// The slots of this request, sent at `now`: for batches.
            ///
            /// # Errors
            #[doc = concat!("[`Malformed::Entries`] for more than ", $most, " orders, or too few.")]
            pub fn slots(&self, now: Timestamp) -> Result<Vec<Slot>, Malformed> {
                self.slots_at(now, VALID_FOR)
            }
        }

        impl Ask for $name {
            type Slots = Vec<Slot>;

            fn slots_at(&self, now: Timestamp, default_for: Nanos) -> Result<Vec<Slot>, Malformed> {
                if self.orders.len() < self.least {
                    return Err(Malformed::Entries);
                }
                let valid_until = self.terms.until(now, default_for);
                let body = command::$name { valid_until, ..self.body };
                build::$build(self.terms.header(self.account.raw()), body, &self.orders)
            }
        }
    };
}

of_orders!(
    /// Cancels orders of a market, or makes them smaller: each for itself.
    CancelOrders, CancelEntry, cancel_orders, 200
);
of_orders!(
    /// Cancels orders of a market and places what waited of them again at other prices. A cancel is not taken
    /// back, whatever becomes of the new orders.
    ReplaceOrders, ReplaceEntry, replace_orders, 60
);
of_orders!(
    /// Changes what becomes of orders when their market turns in-play: of all of them or none.
    UpdateOrders, UpdateEntry, update_orders, 200
);

impl CancelOrders {
    /// From 1 to 200 orders. It needs a key.
    pub fn new(
        account: AccountId,
        market: impl Into<MarketId>,
        orders: impl IntoIterator<Item = impl Into<Cancel>>,
    ) -> CancelOrders {
        CancelOrders::of(account, market, 1, orders.into_iter().map(|order| order.into().entry))
    }

    /// All of the account's that wait in the market; those that wait for their delay do not count. It needs a key.
    pub fn all(account: AccountId, market: impl Into<MarketId>) -> CancelOrders {
        CancelOrders::of(account, market, 0, std::iter::empty())
    }
}

impl ReplaceOrders {
    /// From 1 to 60 orders with the prices of the new ones. It needs a key.
    pub fn new(
        account: AccountId,
        market: impl Into<MarketId>,
        orders: impl IntoIterator<Item = (OrderId, Price)>,
    ) -> ReplaceOrders {
        let entry = |(order, price): (OrderId, Price)| ReplaceEntry {
            order,
            limit_e4: price.e4(),
            zero: 0,
        };
        ReplaceOrders::of(account, market, 1, orders.into_iter().map(entry))
    }

    /// The version of the market that the customer saw: where it is another by now, the new orders lapse.
    pub fn seen_market(mut self, version: Seq) -> ReplaceOrders {
        self.body.market_version = version;
        self
    }
}

impl UpdateOrders {
    /// From 1 to 200 orders with what is to become of them. It needs a key.
    pub fn new(
        account: AccountId,
        market: impl Into<MarketId>,
        orders: impl IntoIterator<Item = (OrderId, Persistence)>,
    ) -> UpdateOrders {
        let entry = |(order, persistence)| UpdateEntry {
            order,
            persistence: persistence as u8,
            zero: [0; 7],
        };
        UpdateOrders::of(account, market, 1, orders.into_iter().map(entry))
    }
}

impl Client {
    /// Places orders on a market, all of them or none, and waits for it. What waits then, or waits for the end of
    /// the bet delay, is told by events.
    ///
    /// # Errors
    /// [`Error::Refused`] (the answer's detail is which of the orders it was, from 0), and those of a call that
    /// waits: [`Error::NotTaken`], [`Error::Unanswered`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn place_orders(
        &mut self,
        account: AccountId,
        key: RequestKey,
        orders: &[Order],
    ) -> Result<Ordered, Error> {
        self.ask(&PlaceOrders::new(account, orders).key(key)).map(|reply| Ordered::of(&reply))
    }

    /// Cancels orders of a market or makes them smaller, each for itself, and waits for it. All of a market
    /// are cancelled by [`cancel_all`](Client::cancel_all).
    ///
    /// # Errors
    /// [`Error::Refused`] if none could be, for the first one's reason, and those of a call that waits.
    pub fn cancel_orders(
        &mut self,
        account: AccountId,
        key: RequestKey,
        market: impl Into<MarketId>,
        orders: impl IntoIterator<Item = impl Into<Cancel>>,
    ) -> Result<Changed, Error> {
        let ask = CancelOrders::new(account, market, orders).key(key);
        self.ask(&ask).map(|reply| Changed::of(&reply))
    }

    /// Cancels all orders of an account that wait in a market, and waits for it.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NoActionRequired` if none waits), and those of a call that waits.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        key: RequestKey,
        market: impl Into<MarketId>,
    ) -> Result<Changed, Error> {
        self.ask(&CancelOrders::all(account, market).key(key)).map(|reply| Changed::of(&reply))
    }

    /// Cancels orders and places what waited of them again at other prices, and waits for it. What was cancelled
    /// stays so if the new orders cannot be placed: [`Ordered::not_placed`] says why.
    ///
    /// # Errors
    /// [`Error::Refused`] if none could be cancelled, and those of a call that waits.
    pub fn replace_orders(
        &mut self,
        account: AccountId,
        key: RequestKey,
        market: impl Into<MarketId>,
        orders: impl IntoIterator<Item = (OrderId, Price)>,
    ) -> Result<Ordered, Error> {
        let ask = ReplaceOrders::new(account, market, orders).key(key);
        self.ask(&ask).map(|reply| Ordered::of(&reply))
    }

    /// Changes what becomes of orders when their market turns in-play, of all of them or none, and waits for it.
    ///
    /// # Errors
    /// [`Error::Refused`] (`NoActionRequired` if it is as they say already), and those of a call that waits.
    pub fn update_orders(
        &mut self,
        account: AccountId,
        key: RequestKey,
        market: impl Into<MarketId>,
        orders: impl IntoIterator<Item = (OrderId, Persistence)>,
    ) -> Result<Changed, Error> {
        let ask = UpdateOrders::new(account, market, orders).key(key);
        self.ask(&ask).map(|reply| Changed::of(&reply))
    }
}
