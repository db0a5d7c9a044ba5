//! Market data: what an exchange market is now, and what has changed since its reader was last told.
//!
//! A reader remembers what it last told of each market, and compares it with what a [`View`](crate::View) has now: on its
//! own thread, and only when it is asked. So one that asks rarely is told the newest values once, and nothing waits for it
//! anywhere: there is no queue that could be full. What it keeps is one image of each market that it watches.
//!
//! ```
//! # use betring::*;
//! # fn tell(_: &MarketData) {}
//! # fn publish(view: &View, race: &Market) {
//! let mut reader = MarketReader::new().depth(10);                 // the ten best prices of each side
//! reader.watch(race);
//! for data in reader.read(&view.now()) {                          // an image the first time, then what has changed
//!     tell(&data);
//! }
//! # }
//! # fn follow(image: &mut MarketImage, delta: &MarketDelta, reader: &mut MarketReader) {
//! if image.apply(delta).is_err() {                                // on the other side: one was missed
//!     reader.resend(image.market);                                // the next one is an image again
//! }
//! # }
//! ```

use std::cmp::Ordering;
use std::collections::BTreeMap;

use betring_core::book::Side;
use betring_core::event::MarketStatus;
use betring_core::id::{MarketId, SelectionIndex, Seq};
use betring_core::time::Nanos;
use betring_core::wire::Minor;
use betring_core::{Rules, State};
use betring_pricing::Price;

/// A price, and how much there is at it, in the backers' stakes. In a delta a size of 0 says that nothing is there any
/// more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceSize {
    /// The price.
    pub price: Price,
    /// How much.
    pub size: Minor,
}

impl std::fmt::Display for PriceSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.size, self.price)
    }
}

/// How prices of a list follow each other.
type Order = fn(&Price, &Price) -> Ordering;

/// Who backs wants long prices.
const LONGEST_FIRST: Order = |one, other| other.cmp(one);
const SHORTEST_FIRST: Order = Price::cmp;

/// What is another in `now` than it was, and what is gone with a size of 0.
fn changes(before: &[PriceSize], now: &[PriceSize], order: Order) -> Vec<PriceSize> {
    let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let first = match (before.peek(), now.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(was), Some(is)) => order(&was.price, &is.price),
        };
        let was = before.next_if(|_| first.is_le());
        let is = now.next_if(|_| first.is_ge());
        match (was, is) {
            (Some(was), None) => changes.push(PriceSize { size: Minor(0), ..*was }),
            (was, Some(is)) if was != Some(is) => changes.push(*is),
            _ => (),
        }
    }
}

fn apply(levels: &mut Vec<PriceSize>, changes: &[PriceSize], order: Order) {
    for change in changes {
        let at = levels.binary_search_by(|level| order(&level.price, &change.price));
        match (at, change.size) {
            (Ok(at), Minor(0)) => drop(levels.remove(at)),
            (Ok(at), _) => levels[at] = *change,
            (Err(_), Minor(0)) => (),
            (Err(at), _) => levels.insert(at, *change),
        }
    }
}

/// What holds for a market as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketNow {
    /// Where it is in its life.
    pub status: MarketStatus,
    /// Whether it, its feed, its group, its fixture or the engine is suspended.
    pub suspended: bool,
    /// Whether it is in-play.
    pub in_play: bool,
    /// How long orders wait in-play.
    pub delay: Nanos,
    /// When something material happened to it last: a request that names an earlier one lapses.
    pub version: Seq,
}

/// What holds for a selection beside its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectionNow {
    /// Whether it is suspended by itself: its market's suspension is told of that.
    pub suspended: bool,
    /// Whether it is out of the market.
    pub withdrawn: bool,
    /// At which price the orders on all other selections would meet one that backs this, and how much of it.
    pub virtual_to_back: Option<PriceSize>,
    /// At which price they would meet one that lays it.
    pub virtual_to_lay: Option<PriceSize>,
    /// The starting price, once there is one.
    pub starting_price: Option<Price>,
    /// What it would be now, of the bets at it alone.
    pub far: Option<Price>,
    /// The same with the orders that rest.
    pub near: Option<Price>,
}

/// A selection at one sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionImage {
    /// What holds for it beside its orders.
    pub now: SelectionNow,
    /// What may be backed, the longest price first: orders that lay it.
    pub to_back: Vec<PriceSize>,
    /// What may be laid, the shortest price first: orders that back it.
    pub to_lay: Vec<PriceSize>,
    /// What was matched at each price, from the shortest up.
    pub traded: Vec<PriceSize>,
}

impl SelectionImage {
    /// The best prices that may be backed as they are displayed: the virtual one among those of the orders that rest.
    pub fn best_to_back(&self, depth: usize) -> Vec<PriceSize> {
        displayed(&self.to_back, self.now.virtual_to_back, LONGEST_FIRST, depth)
    }

    /// The best prices that may be laid as they are displayed.
    pub fn best_to_lay(&self, depth: usize) -> Vec<PriceSize> {
        displayed(&self.to_lay, self.now.virtual_to_lay, SHORTEST_FIRST, depth)
    }

    /// What was matched on it at all prices together.
    pub fn volume(&self) -> Minor {
        Minor(self.traded.iter().map(|level| level.size.0).sum())
    }
}

/// Who is met by others has its own orders beside them: at one price both are there.
fn displayed(
    raw: &[PriceSize],
    made: Option<PriceSize>,
    order: Order,
    depth: usize,
) -> Vec<PriceSize> {
    let mut all = raw[..raw.len().min(depth)].to_vec();
    if let Some(made) = made {
        match all.binary_search_by(|level| order(&level.price, &made.price)) {
            Ok(at) => all[at].size = Minor(all[at].size.0.saturating_add(made.size.0)),
            Err(at) => all.insert(at, made),
        }
        all.truncate(depth);
    }
    all
}

/// An exchange market at one sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketImage {
    /// Which market.
    pub market: MarketId,
    /// The sequence at which it was so.
    pub as_of: Seq,
    /// What holds for it as a whole.
    pub now: MarketNow,
    /// Its selections, in order.
    pub selections: Vec<SelectionImage>,
}

impl MarketImage {
    /// A market as it is, with so many prices of each side at most; none if it is no exchange market, or has no terms
    /// yet.
    pub fn of<R: Rules>(state: &State<R>, market: MarketId, depth: usize) -> Option<MarketImage> {
        let version = state.market_version(market)?;
        let known = state.market(market)?;
        let level = |(price, size)| PriceSize { price, size };
        let selections = known.selections.iter().map(|selection| {
            let index = selection.index;
            let made = |side| state.virtual_price(market, index, side).map(level);
            let (far, near) = state.far_and_near(market, index).unwrap_or_default();
            let depth = |side| state.depth(market, index, side).map(level).take(depth).collect();
            SelectionImage {
                now: SelectionNow {
                    suspended: selection.suspended,
                    withdrawn: selection.withdrawn,
                    virtual_to_back: made(Side::Back),
                    virtual_to_lay: made(Side::Lay),
                    starting_price: state.starting_price(market, index),
                    far,
                    near,
                },
                to_back: depth(Side::Lay),
                to_lay: depth(Side::Back),
                traded: state.traded(market, index).map(level).collect(),
            }
        });
        Some(MarketImage {
            market,
            as_of: state.seq(),
            now: MarketNow {
                status: known.status,
                suspended: known.suspended,
                in_play: known.in_play,
                delay: known.delay,
                version,
            },
            selections: selections.collect(),
        })
    }

    /// What has changed since an earlier image of this market; none if nothing has.
    pub fn since(&self, before: &MarketImage) -> Option<MarketDelta> {
        let pairs = (0..=u16::MAX).zip(before.selections.iter().zip(&self.selections));
        let selections: Vec<_> = pairs
            .filter(|(_, (was, is))| was != is)
            .map(|(index, (was, is))| SelectionDelta {
                index: SelectionIndex(index),
                now: (was.now != is.now).then_some(is.now),
                to_back: changes(&was.to_back, &is.to_back, LONGEST_FIRST),
                to_lay: changes(&was.to_lay, &is.to_lay, SHORTEST_FIRST),
                traded: changes(&was.traded, &is.traded, SHORTEST_FIRST),
            })
            .collect();
        let now = (before.now != self.now).then_some(self.now);
        (now.is_some() || !selections.is_empty()).then_some(MarketDelta {
            market: self.market,
            since: before.as_of,
            as_of: self.as_of,
            now,
            selections,
        })
    }

    /// Becomes what the market is after a delta.
    ///
    /// # Errors
    /// [`Gap`] if the delta is not the next one after this image: nothing has changed.
    pub fn apply(&mut self, delta: &MarketDelta) -> Result<(), Gap> {
        let known = |of: &SelectionDelta| usize::from(of.index.0) < self.selections.len();
        let follows = self.market == delta.market && self.as_of == delta.since;
        if !follows || !delta.selections.iter().all(known) {
            return Err(Gap { has: self.as_of, since: delta.since });
        }
        self.as_of = delta.as_of;
        self.now = delta.now.unwrap_or(self.now);
        for change in &delta.selections {
            let selection = &mut self.selections[usize::from(change.index.0)];
            selection.now = change.now.unwrap_or(selection.now);
            apply(&mut selection.to_back, &change.to_back, LONGEST_FIRST);
            apply(&mut selection.to_lay, &change.to_lay, SHORTEST_FIRST);
            apply(&mut selection.traded, &change.traded, SHORTEST_FIRST);
        }
        Ok(())
    }
}

/// A delta is not the next one after an image: one between them was missed. A new image is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What the image is as of.
    pub has: Seq,
    /// What the delta continues.
    pub since: Seq,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the image is as of {}, and the delta continues {}", self.has, self.since)
    }
}

impl std::error::Error for Gap {}

/// What has changed of a selection: prices with their new sizes, 0 where nothing is there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionDelta {
    /// Which selection.
    pub index: SelectionIndex,
    /// What holds for it beside its orders, if that is something else.
    pub now: Option<SelectionNow>,
    /// Of what may be backed.
    pub to_back: Vec<PriceSize>,
    /// Of what may be laid.
    pub to_lay: Vec<PriceSize>,
    /// Of what was matched.
    pub traded: Vec<PriceSize>,
}

/// What has changed of a market from one sequence to another: the newest values, however often they changed between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketDelta {
    /// Which market.
    pub market: MarketId,
    /// The sequence of the image that it continues.
    pub since: Seq,
    /// The sequence at which it is so.
    pub as_of: Seq,
    /// What holds for it as a whole, if that is something else.
    pub now: Option<MarketNow>,
    /// Its selections that changed, in order.
    pub selections: Vec<SelectionDelta>,
}

/// What a reader tells of a market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarketData {
    /// All of it: what was told before does not count any more.
    Image(MarketImage),
    /// What has changed since what was told last.
    Delta(MarketDelta),
    /// It has left memory, and is not watched any more.
    Gone {
        /// Which market.
        market: MarketId,
        /// The sequence at which that was so.
        as_of: Seq,
    },
}

/// Tells of the markets that it watches what has changed since it was last asked.
#[derive(Clone, Debug)]
pub struct MarketReader {
    depth: usize,
    /// By market: what was told last, if anything was, and the sequence that was last looked at.
    watched: BTreeMap<MarketId, (Option<MarketImage>, Seq)>,
}

impl Default for MarketReader {
    fn default() -> MarketReader {
        MarketReader::new()
    }
}

impl MarketReader {
    /// One that watches nothing yet, and tells every price.
    pub fn new() -> MarketReader {
        MarketReader { depth: usize::MAX, watched: BTreeMap::new() }
    }

    /// Only so many of the best prices of each side. A price that is no longer among them is told as gone.
    pub fn depth(self, depth: usize) -> MarketReader {
        MarketReader { depth, ..self }
    }

    /// Watches an exchange market: what is told of it first is an image.
    pub fn watch(&mut self, market: impl Into<MarketId>) {
        self.watched.entry(market.into()).or_default();
    }

    /// Does not watch it any more.
    pub fn unwatch(&mut self, market: impl Into<MarketId>) {
        self.watched.remove(&market.into());
    }

    /// The markets that it watches, by handle.
    pub fn watched(&self) -> impl Iterator<Item = MarketId> {
        self.watched.keys().copied()
    }

    /// Whoever is told has missed something: what is told next of a market that is watched is an image again.
    pub fn resend(&mut self, market: impl Into<MarketId>) {
        if let Some(told) = self.watched.get_mut(&market.into()) {
            *told = Default::default();
        }
    }

    /// What has changed of the markets that it watches, by handle, all as of one sequence. A View stands still meanwhile:
    /// who watches many markets asks for one after the other with [`read_market`](MarketReader::read_market).
    pub fn read<R: Rules>(&mut self, state: &State<R>) -> Vec<MarketData> {
        let markets: Vec<MarketId> = self.watched().collect();
        markets.into_iter().filter_map(|market| self.read_market(state, market)).collect()
    }

    /// What has changed of one market; none if nothing has, if it has no terms yet, or is not watched.
    pub fn read_market<R: Rules>(
        &mut self,
        state: &State<R>,
        market: impl Into<MarketId>,
    ) -> Option<MarketData> {
        let market = market.into();
        let (told, looked) = self.watched.get_mut(&market)?;
        let as_of = state.seq();
        if *looked == as_of {
            return None;
        }
        *looked = as_of;
        let Some(image) = MarketImage::of(state, market, self.depth) else {
            if state.market(market).is_some() {
                return None;
            }
            self.watched.remove(&market);
            return Some(MarketData::Gone { market, as_of });
        };
        match told {
            Some(before) => {
                let delta = image.since(before)?;
                *before = image;
                Some(MarketData::Delta(delta))
            }
            None => {
                *told = Some(image.clone());
                Some(MarketData::Image(image))
            }
        }
    }
}
