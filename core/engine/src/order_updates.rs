//! Order updates: what has become of orders since their reader was last told.
//!
//! Events say which orders have changed, and a [`View`] what they are now. The reader keeps the handles of those that
//! have, and what it last told of each that is in memory: asked rarely, it tells the newest sizes once. When it was too
//! slow for the event ring, or would have to keep too many handles, it looks at every order instead.
//!
//! The sizes of an order always come to what was asked for: matched + remaining + lapsed + cancelled + void.
//!
//! ```
//! # use betring::*;
//! # use std::time::Duration;
//! # fn tell(engine: &Engine, view: &View, account: AccountId) -> Result<(), Error> {
//! let mut reader = engine.order_updates(Some(account));
//! for update in reader.read(view, Duration::from_secs(1))? {      // every order of it the first time, then what changed
//!     match update.order {
//!         Some(order) => println!("{} as of {}: {:?}", update.id, update.as_of, order.sizes),
//!         None => println!("{} has left memory with its market", update.id),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use betring_core::event::Event;
use betring_core::id::{AccountId, MarketId, OrderId, Seq};
use betring_core::{OrderView, Rules, State};

use crate::error::Error;
use crate::output::EventStream;
use crate::view::View;

/// Handles that are kept between two readings; with more, every order is looked at.
const TOUCHED_MAX: usize = 1 << 16;
/// Events that one reading takes at most: what comes faster than it is read is for the next.
const EVENTS_MAX: usize = 1 << 20;
/// So many orders are kept in any case, whether they are in memory or not.
const TOLD_LEAST: usize = 1 << 12;

/// An order that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderUpdate {
    /// The sequence at which it is so.
    pub as_of: Seq,
    /// The order.
    pub id: OrderId,
    /// What it is; none if it has left memory, with its market or to make room for another.
    pub order: Option<OrderView>,
}

/// What has changed of orders, of one account or of all.
#[derive(Debug)]
struct Changes {
    of: Option<AccountId>,
    told: BTreeMap<OrderId, OrderView>,
    /// When so many have been told, those that have left memory are looked for: no event tells of an order that made
    /// room for another.
    most: usize,
    touched: BTreeSet<OrderId>,
    /// Markets of which all orders may have changed.
    markets: BTreeSet<MarketId>,
    /// Every order may have changed.
    all: bool,
    /// What a state has to have reached to be looked at.
    noted: Seq,
}

impl Changes {
    fn new(of: Option<AccountId>) -> Changes {
        Changes {
            of,
            told: BTreeMap::new(),
            most: TOLD_LEAST,
            touched: BTreeSet::new(),
            markets: BTreeSet::new(),
            all: true,
            noted: Seq(0),
        }
    }

    fn look_at_all(&mut self) {
        self.all = true;
        self.touched.clear();
        self.markets.clear();
    }

    fn touch(&mut self, order: OrderId, account: AccountId) {
        if !self.all && self.of.is_none_or(|of| of == account) {
            self.touched.insert(order);
        }
    }

    fn touch_market(&mut self, market: MarketId) {
        if !self.all {
            self.markets.insert(market);
        }
    }

    fn note(&mut self, seq: Seq, event: &Event) {
        self.noted = self.noted.max(seq);
        match event {
            Event::OrderPlaced(e) => self.touch(e.order, e.account),
            Event::OrderBegan(e) => self.touch(e.order, e.account),
            Event::OrderMatched(e) => {
                self.touch(e.order, e.account);
                // Whose the other one is was told when it was placed.
                let known = self.of.is_none() || self.told.contains_key(&e.taker);
                if known && e.taker != OrderId::NONE && !self.all {
                    self.touched.insert(e.taker);
                }
            }
            Event::OrderCut(e) => self.touch(e.order, e.account),
            Event::OrderChanged(e) => self.touch(e.order, e.account),
            Event::OrderReduced(e) => self.touch(e.order, e.account),
            // What is void, of all that was matched on a selection, is told with the result.
            Event::ResultRecorded(e) => self.touch_market(e.market),
            Event::ResultRolledBack(e) => self.touch_market(e.market),
            // A market that is archived takes its orders with it.
            Event::JobEnded(e) => self.touch_market(e.market),
            _ => (),
        }
        if TOUCHED_MAX < self.touched.len() + self.markets.len() {
            self.look_at_all();
        }
    }

    /// What is another than it was told; nothing before the state has reached what was noted.
    fn read<R: Rules>(&mut self, state: &State<R>) -> Vec<OrderUpdate> {
        let as_of = state.seq();
        if as_of < self.noted {
            return Vec::new();
        }
        let mut changed = std::mem::take(&mut self.touched);
        let markets = std::mem::take(&mut self.markets);
        if std::mem::take(&mut self.all) {
            let of = self.of;
            let own = state.orders().filter(|order| of.is_none_or(|of| of == order.account));
            changed.extend(own.map(|order| order.id).chain(self.told.keys().copied()));
        } else if !markets.is_empty() {
            let of_them = self.told.iter().filter(|(_, order)| markets.contains(&order.market));
            changed.extend(of_them.map(|(id, _)| *id));
        }
        if self.most < self.told.len() {
            let known = self.told.len();
            let gone = self.told.keys().filter(|id| state.order(**id).is_none());
            let gone: Vec<OrderId> = gone.copied().collect();
            self.most = 2 * (known - gone.len()) + TOLD_LEAST;
            changed.extend(gone);
        }
        changed.into_iter().filter_map(|id| self.update(state, id, as_of)).collect()
    }

    fn update<R: Rules>(
        &mut self,
        state: &State<R>,
        id: OrderId,
        as_of: Seq,
    ) -> Option<OrderUpdate> {
        let order = state.order(id);
        let before = match order {
            Some(order) => self.told.insert(id, order),
            None => self.told.remove(&id),
        };
        (before != order).then_some(OrderUpdate { as_of, id, order })
    }
}

/// Tells of orders, of one account or of all, what has changed since it was last asked.
#[derive(Debug)]
pub struct OrderReader {
    events: EventStream,
    changes: Changes,
}

impl OrderReader {
    pub(crate) fn new(events: EventStream, of: Option<AccountId>) -> OrderReader {
        OrderReader { events, changes: Changes::new(of) }
    }

    /// The orders that have changed, each once, as of one sequence: at first all that are in memory, then those of which
    /// something is another than was told. It waits until the view has reached what the events have told.
    ///
    /// # Errors
    /// [`Error::Behind`] if that takes longer, [`Error::ViewEnded`] if it never will; nothing is lost by that.
    pub fn read<R: Rules>(
        &mut self,
        view: &View<R>,
        timeout: Duration,
    ) -> Result<Vec<OrderUpdate>, Error> {
        for _ in 0..EVENTS_MAX {
            match self.events.next() {
                Ok(Some(seen)) => self.changes.note(seen.seq, &seen.event),
                Ok(None) => break,
                Err(_) => self.changes.look_at_all(),
            }
        }
        self.changes.noted = self.changes.noted.max(self.events.seq());
        let book = view.at_least(self.changes.noted, timeout)?;
        Ok(self.changes.read(&book))
    }

    /// Tells every order again when it is asked next: whoever is told has missed something.
    pub fn resend(&mut self) {
        self.changes.told.clear();
        self.changes.look_at_all();
    }
}
