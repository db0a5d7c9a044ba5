//! What a recording tells a book of its own: markets, prices, statuses and results, in updates.

use std::collections::{BTreeMap, VecDeque};

use betring_pricing::Price;

use crate::book::{Book, RUNNERS_MAX};
use crate::check::MARKETS_MAX;
use crate::decimal::Decimal;
use crate::error::{LineError, Reason};
use crate::ladder::to_price;
use crate::message::{
    LadderKind, MarketChange, MarketChangeMessage, MarketDefinition, MarketStatus, RunnerStatus,
    SelectionKey,
};
use crate::recording::Recording;

/// Time between two heartbeats, in milliseconds of recording time.
pub const HEARTBEAT_MS: i64 = 1_000;

/// A market's number within its recording: 0 for the first that was defined, then 1, 2, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketIndex(u32);

impl MarketIndex {
    /// The number, for looking the market up in a list; below [`MARKETS_MAX`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A selection's number within its market: 0 for the first in the definition, then 1, 2, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SelectionIndex(u16);

impl SelectionIndex {
    /// The number, for looking the selection up in a list; below [`RUNNERS_MAX`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Something that a book has to know, and when it was published.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// Milliseconds since 1970. Never falls: a message from the past counts as of the newest before.
    pub publish_time_ms: i64,
    /// What happened.
    pub update: Update,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// The feed is alive: at the first message and every [`HEARTBEAT_MS`] from there, to the last.
    Heartbeat,
    /// A market is seen for the first time. All else about a market comes behind this.
    Define(Define),
    /// A selection has come to a market that was defined before.
    SelectionAdded {
        /// The market.
        market: MarketIndex,
        /// The number it gets: that of the last before it, plus one.
        selection: SelectionIndex,
        /// The exchange's id and the name of it.
        named: Named,
    },
    /// The market's status is another one, or it went in play, or its delay changed. The first one
    /// follows the definition.
    Status {
        /// The market.
        market: MarketIndex,
        /// Whether it takes bets.
        status: MarketStatus,
        /// The event has begun and bets are taken during it.
        in_play: bool,
        /// Seconds that a bet waits.
        bet_delay_s: u16,
    },
    /// A selection does not take part any more. No price of it comes behind this.
    RunnerRemoved {
        /// The market.
        market: MarketIndex,
        /// The selection.
        selection: SelectionIndex,
        /// By how many per cent the other prices are reduced, when the recording says so.
        adjustment_factor: Option<Decimal>,
    },
    /// The best prices available to back that changed; `None` where there is none any more. Whether
    /// the size behind a price changed is not told.
    Prices {
        /// The market.
        market: MarketIndex,
        /// These are the prices of all selections that take part, changed or not.
        image: bool,
        /// The prices, in the order of the selections.
        prices: Vec<(SelectionIndex, Option<Price>)>,
    },
    /// A selection's starting price. It is recorded, no bet is bound to it.
    StartingPrice {
        /// The market.
        market: MarketIndex,
        /// The selection.
        selection: SelectionIndex,
        /// The price, in as many digits as the exchange gave.
        price: Decimal,
    },
    /// What has become of every selection. Comes when a market has closed with a result for each,
    /// and again should the exchange correct one; never for a market that ends without.
    Results {
        /// The market.
        market: MarketIndex,
        /// How many winners the recording names: more selections with a win are a dead heat.
        winners: u16,
        /// One outcome a selection, in their order.
        outcomes: Vec<(SelectionIndex, Outcome)>,
    },
}

/// A market, as it was defined first.
#[derive(Clone, Debug, PartialEq)]
pub struct Define {
    /// Its number from here on.
    pub market: MarketIndex,
    /// The exchange's name of it, such as `1.185781277`.
    pub id: String,
    /// What people call it: event and market, as far as the recording names them.
    pub name: String,
    /// What is bet on, such as `WIN`; empty where the recording does not say.
    pub market_type: String,
    /// How many selections win; 1 where the recording does not say.
    pub winners: u16,
    /// The selections, those already removed included, in the order of their numbers.
    pub selections: Vec<Named>,
}

/// A selection's id and name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The exchange's id of it.
    pub key: SelectionKey,
    /// Its name; the id as a text where the recording names none.
    pub name: String,
}

/// What becomes of bets on a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It won, or was placed in a market on places.
    Win,
    /// It was placed, in an each-way market.
    Placed,
    /// It lost.
    Lose,
    /// It did not take part: stakes go back.
    Void,
}

/// Reads a recording and says what happened in it, one [`Update`] at a time and in order.
///
/// Within one message: a definition, removals, then status and prices, starting prices, results. A
/// market opens behind its new prices and is suspended ahead of them, so at no update does it take
/// bets at a price that its message had already replaced.
#[derive(Debug)]
pub struct Translator {
    recording: Recording,
    markets: BTreeMap<String, Followed>,
    defined: u32,
    queue: VecDeque<Update>,
    message: Option<MarketChangeMessage>,
    now_ms: i64,
    next_heartbeat_ms: Option<i64>,
}

impl Translator {
    /// Follows `recording` from where it stands.
    pub fn new(recording: Recording) -> Translator {
        Translator {
            recording,
            markets: BTreeMap::new(),
            defined: 0,
            queue: VecDeque::new(),
            message: None,
            now_ms: 0,
            next_heartbeat_ms: None,
        }
    }

    /// The recording, for its name and how far it is read.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The heartbeat that is due before the message at hand, if one is.
    fn heartbeat(&mut self, message_ms: i64) -> Option<Timed> {
        let due_ms = self.next_heartbeat_ms.unwrap_or(message_ms);
        if message_ms < due_ms {
            return None;
        }
        self.now_ms = due_ms;
        // Publish times end with the year 9999, so the sum cannot overflow.
        self.next_heartbeat_ms = Some(due_ms + HEARTBEAT_MS);
        Some(Timed { publish_time_ms: due_ms, update: Update::Heartbeat })
    }

    fn follow(&mut self, message: &MarketChangeMessage) -> Result<(), Reason> {
        for change in &message.changes {
            if !self.markets.contains_key(&change.market_id) {
                if self.markets.len() == MARKETS_MAX {
                    let what = "markets in a recording";
                    return Err(Reason::TooMany { what, bound: MARKETS_MAX });
                }
                self.markets.insert(change.market_id.clone(), Followed::default());
            }
            if let Some(market) = self.markets.get_mut(&change.market_id) {
                market.follow(change, &mut self.defined, &mut self.queue)?;
            }
        }
        Ok(())
    }
}

impl Iterator for Translator {
    type Item = Result<Timed, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(update) = self.queue.pop_front() {
                return Some(Ok(Timed { publish_time_ms: self.now_ms, update }));
            }
            let Some(message) = self.message.take() else {
                match self.recording.next()? {
                    Ok(message) => self.message = Some(message),
                    Err(error) => return Some(Err(error)),
                }
                continue;
            };
            if let Some(heartbeat) = self.heartbeat(message.publish_time_ms) {
                self.message = Some(message);
                return Some(Ok(heartbeat));
            }
            self.now_ms = self.now_ms.max(message.publish_time_ms);
            if let Err(reason) = self.follow(&message) {
                return Some(Err(self.recording.error(reason)));
            }
        }
    }
}

/// One market, and what was told of it.
#[derive(Debug, Default)]
struct Followed {
    book: Book,
    index: Option<MarketIndex>,
    selections: Vec<Told>,
    numbers: BTreeMap<SelectionKey, SelectionIndex>,
    status: Option<(MarketStatus, bool, u16)>,
    outcomes: Vec<(SelectionIndex, Outcome)>,
}

/// What was told of a selection.
#[derive(Debug)]
struct Told {
    key: SelectionKey,
    price: Option<Price>,
    removed: bool,
    starting_price: Option<Decimal>,
}

impl Followed {
    fn follow(
        &mut self,
        change: &MarketChange,
        defined: &mut u32,
        queue: &mut VecDeque<Update>,
    ) -> Result<(), Reason> {
        self.check_room(change)?;
        self.book.apply(change)?;

        // From here on nothing can fail.
        let Some(definition) = self.book.shared_definition() else {
            // Prices of a market that is not defined yet are told once it is.
            return Ok(());
        };
        let market = match self.index {
            Some(market) => market,
            None => {
                let market = MarketIndex(*defined);
                *defined += 1;
                self.index = Some(market);
                queue.push_back(self.define(market, &change.market_id, &definition));
                market
            }
        };
        if change.definition.is_some() {
            self.tell_runners(market, &definition, queue);
        }
        let status = self.new_status(market, &definition);
        let prices = self.new_prices(market, change, &definition);
        if definition.status == MarketStatus::Suspended {
            queue.extend(status);
            queue.extend(prices);
        } else {
            queue.extend(prices);
            queue.extend(status);
        }
        if change.definition.is_some() {
            self.tell_starting_prices(market, &definition, queue);
            queue.extend(self.new_results(market, &definition));
        }
        Ok(())
    }

    /// Whether the selections that `change` adds can have numbers.
    fn check_room(&self, change: &MarketChange) -> Result<(), Reason> {
        let defined = change.definition.iter().flat_map(|it| &it.runners);
        let unseen = defined.filter(|it| !self.numbers.contains_key(&it.key())).count();
        if RUNNERS_MAX < self.selections.len() + unseen {
            return Err(Reason::TooMany { what: "selections in a market", bound: RUNNERS_MAX });
        }
        Ok(())
    }

    /// Gives a selection the next number, when it has none yet. The caller has checked the room.
    fn number(&mut self, key: SelectionKey) -> Option<SelectionIndex> {
        if self.numbers.contains_key(&key) {
            return None;
        }
        let number = SelectionIndex(self.selections.len() as u16);
        self.numbers.insert(key, number);
        self.selections.push(Told { key, price: None, removed: false, starting_price: None });
        Some(number)
    }

    fn define(&mut self, market: MarketIndex, id: &str, definition: &MarketDefinition) -> Update {
        let mut selections = Vec::with_capacity(definition.runners.len());
        for runner in &definition.runners {
            if self.number(runner.key()).is_some() {
                selections.push(named(runner.key(), runner.name.as_deref()));
            }
        }
        Update::Define(Define {
            market,
            id: id.to_owned(),
            name: market_name(id, definition),
            market_type: definition.market_type.clone().unwrap_or_default(),
            winners: definition.number_of_winners.unwrap_or(1),
            selections,
        })
    }

    fn tell_runners(
        &mut self,
        market: MarketIndex,
        definition: &MarketDefinition,
        queue: &mut VecDeque<Update>,
    ) {
        for runner in &definition.runners {
            if let Some(selection) = self.number(runner.key()) {
                let named = named(runner.key(), runner.name.as_deref());
                queue.push_back(Update::SelectionAdded { market, selection, named });
            }
            let Some(selection) = self.numbers.get(&runner.key()).copied() else { continue };
            let Some(told) = self.selections.get_mut(selection.index()) else { continue };
            if runner.status.is_removed() && !told.removed {
                told.removed = true;
                let adjustment_factor = runner.adjustment_factor;
                queue.push_back(Update::RunnerRemoved { market, selection, adjustment_factor });
            }
        }
    }

    fn new_status(&mut self, market: MarketIndex, definition: &MarketDefinition) -> Option<Update> {
        let status = (definition.status, definition.in_play, definition.bet_delay);
        if self.status == Some(status) {
            return None;
        }
        self.status = Some(status);
        let (status, in_play, bet_delay_s) = status;
        Some(Update::Status { market, status, in_play, bet_delay_s })
    }

    /// The prices that changed. Of a market that had closed before, none is told: the lists being
    /// emptied behind the close is no news.
    fn new_prices(
        &mut self,
        market: MarketIndex,
        change: &MarketChange,
        definition: &MarketDefinition,
    ) -> Option<Update> {
        let is_over = definition.status == MarketStatus::Closed;
        // A line market's prices are points, not odds.
        if is_over || definition.ladder == LadderKind::LineRange {
            return None;
        }
        let mut prices = Vec::new();
        for (number, told) in self.selections.iter_mut().enumerate() {
            if told.removed {
                continue;
            }
            let best = self.book.best_back(told.key).and_then(|best| to_price(best.price));
            if change.image || best != told.price {
                told.price = best;
                prices.push((SelectionIndex(number as u16), best));
            }
        }
        let image = change.image;
        (!prices.is_empty()).then_some(Update::Prices { market, image, prices })
    }

    fn tell_starting_prices(
        &mut self,
        market: MarketIndex,
        definition: &MarketDefinition,
        queue: &mut VecDeque<Update>,
    ) {
        for runner in &definition.runners {
            let Some(price) = runner.bsp else { continue };
            let Some(selection) = self.numbers.get(&runner.key()).copied() else { continue };
            let Some(told) = self.selections.get_mut(selection.index()) else { continue };
            if told.starting_price != Some(price) {
                told.starting_price = Some(price);
                queue.push_back(Update::StartingPrice { market, selection, price });
            }
        }
    }

    fn new_results(
        &mut self,
        market: MarketIndex,
        definition: &MarketDefinition,
    ) -> Option<Update> {
        if definition.status != MarketStatus::Closed {
            return None;
        }
        let mut outcomes = BTreeMap::new();
        for runner in &definition.runners {
            let outcome = match runner.status {
                RunnerStatus::Winner => Outcome::Win,
                RunnerStatus::Placed => Outcome::Placed,
                RunnerStatus::Loser => Outcome::Lose,
                RunnerStatus::Removed | RunnerStatus::RemovedVacant => Outcome::Void,
                RunnerStatus::Active | RunnerStatus::Hidden => return None,
            };
            outcomes.insert(*self.numbers.get(&runner.key())?, outcome);
        }
        if outcomes.len() != self.selections.len() {
            // A selection that the last definition does not name any more has no result.
            return None;
        }
        let outcomes: Vec<(SelectionIndex, Outcome)> = outcomes.into_iter().collect();
        if outcomes == self.outcomes {
            return None;
        }
        self.outcomes.clone_from(&outcomes);
        let winners = definition.number_of_winners.unwrap_or(1);
        Some(Update::Results { market, winners, outcomes })
    }
}

fn named(key: SelectionKey, name: Option<&str>) -> Named {
    Named { key, name: name.map_or_else(|| key.to_string(), str::to_owned) }
}

/// Event and market as far as they are named: `P Lorenzi v S Kirchheimer, Set Betting`, else
/// `Sheffield, PLACE`, else the id.
fn market_name(id: &str, definition: &MarketDefinition) -> String {
    let place = definition.event_name.as_deref().or(definition.venue.as_deref());
    let market = definition.name.as_deref().or(definition.market_type.as_deref());
    match (place, market) {
        (Some(place), Some(market)) => format!("{place}, {market}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => id.to_owned(),
    }
}
