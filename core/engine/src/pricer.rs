//! The pricer: parameters of a model in, one command with all prices of a fixture out.
//!
//! It stands before the loop, on a thread of its own ([`Pricer::run`]) or on its caller's ([`Pricer::turn`]). The loop
//! sees integers only, all of a fixture in one command, and a replay runs no model. What traders have pinned the loop
//! keeps, whatever is said here. `examples/pricer.rs` shows all of it, from the feed's definition to the goal.
//!
//! **Newest wins.** A fixture has one place for its parameters, for whoever gives them ([`Inputs`]). Until they are priced
//! they are overwritten there, and what is priced next is what is known by then: no repricing ever waits behind another of
//! its fixture.
//!
//! **Only what changed is said**, and what has not changed once in a while ([`Pricer::refresh`]), so that it does not
//! grow older than it is: a price is as old as the oldest input that its model needed. Once a command is refused,
//! everything is said again at the next turn, but not more often than four times a second: what is refused every time does
//! not make all others be said all the time. What a market passed over because it was settled is said again with the next
//! refresh.
//!
//! **All or nothing.** One target that the engine does not take refuses all prices of its fixture: every market has to be
//! defined with [`feed`](crate::MarketTerms::feed) naming the pricer's feed and [`fixture`](crate::MarketTerms::fixture)
//! the fixture that it is added with. [`PricerCounts::refused`] counts what was refused.
//!
//! **The feed is its owner's.** It counts as down until it [has recovered](Feed::recovered), and as silent when it says
//! nothing for as long as its bound: [`run`](Pricer::run) calls its owner between two turns, who lets it speak.
//!
//! **It fails closed.** Parameters that the model cannot price take all prices of the fixture away.

pub mod football;

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use betring_core::command::{REPRICE_MAX, Reprice, RepriceEntry, SELECTIONS_MAX};
use betring_core::id::{FixtureId, MarketId, SelectionIndex};
use betring_core::reject::Reject;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::WirePrice;
use betring_pricing::{Price, PricingError};

use crate::error::NotTaken;
use crate::feed::Feed;

/// What makes prices: a pure function of its input, with nothing allocated.
pub trait Model {
    /// What it is given for one fixture.
    type Input: Copy + Send;

    /// Its name as the journal has it: 1 to 16 printable ASCII characters without spaces.
    const NAME: &'static str;

    /// Its version: another one for everything that may change a price.
    const VERSION: u32;

    /// How many prices it makes of a fixture.
    const OUTCOMES: usize;

    /// All prices of a fixture, each in its place; none where an outcome has none.
    ///
    /// # Errors
    /// What it cannot price. All prices of the fixture are then taken away.
    fn price(
        &mut self,
        input: &Self::Input,
        prices: &mut [Option<Price>],
    ) -> Result<(), PricingError>;

    /// The input as the journal keeps it, for who asks later why a price was what it was.
    fn parameters(&self, input: &Self::Input) -> [u64; 6];
}

/// Where a model's price goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its place among the model's prices.
    pub at: usize,
    /// The market.
    pub market: MarketId,
    /// The selection.
    pub selection: SelectionIndex,
}

impl Target {
    /// All selections of a market, in their order: those that the model makes at these places.
    ///
    /// ```
    /// use betring::pricer::Target;
    /// use betring::pricing::derive::football::Market;
    /// use betring::{MarketId, SelectionIndex};
    ///
    /// let (market, places) = Market::all().nth(1).expect("double chance");
    /// assert_eq!((market, &places), (Market::DoubleChance, &(3..6)));
    /// let id = MarketId::new(7, 1);
    /// let targets: Vec<Target> = Target::all(id, places).collect();
    /// assert_eq!(targets[2], Target { at: 5, market: id, selection: SelectionIndex(2) });
    /// ```
    pub fn all(market: MarketId, places: Range<usize>) -> impl Iterator<Item = Target> {
        let selections = (0..=u16::MAX).map(SelectionIndex);
        places.zip(selections).map(move |(at, selection)| Target { at, market, selection })
    }
}

/// A fixture that is priced here, until it is [removed](Pricer::remove).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priced {
    place: usize,
    /// No other fixture of any pricer has or had it.
    number: u64,
}

/// The number of the next fixture that is added to whatever pricer.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// How long everything is not said again after it was because of a refusal.
const AGAIN: Nanos = Nanos::from_millis(250);

/// Why a fixture cannot be priced here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPriced {
    /// No more fixtures have room.
    Full,
    /// None, or more than one command carries.
    Targets,
    /// A price that the model does not make, or a selection that is named twice or that no market has.
    Target(Target),
}

impl std::fmt::Display for NotPriced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotPriced::Full => f.write_str("the pricer has no room for another fixture"),
            NotPriced::Targets => write!(f, "a fixture has 1 to {REPRICE_MAX} priced outcomes"),
            NotPriced::Target(Target { at, market, selection }) => write!(
                f,
                "price {at} for {selection} of {market}: the model makes no such price, no market has the selection, or it has \
                 a price"
            ),
        }
    }
}

impl std::error::Error for NotPriced {}

/// What was last said of a target.
#[derive(Clone, Copy)]
struct Said {
    target: Target,
    price: WirePrice,
    as_of: Timestamp,
}

struct Fixture<I> {
    id: FixtureId,
    /// Its own: what still comes for who had its place before is not for it.
    number: u64,
    /// In order of market and selection; none once it is removed.
    said: Box<[Said]>,
    input: Option<(I, Timestamp)>,
    waits: bool,
}

/// What a pricer has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PricerCounts {
    /// Inputs that were taken.
    pub inputs: u64,
    /// Inputs that were overwritten before they were priced.
    pub overwritten: u64,
    /// Inputs that came for a fixture that is not priced any more.
    pub removed: u64,
    /// Times that the model was asked.
    pub priced: u64,
    /// Those that it could not price.
    pub failed: u64,
    /// Commands that were sent.
    pub published: u64,
    /// Prices in them.
    pub prices: u64,
    /// Messages of the pricer's handle of the feed that the engine has refused: of a refused command no price counts.
    pub refused: u64,
}

/// How a pricer is, for who does not turn it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PricerHealth {
    /// What it has done.
    pub counts: PricerCounts,
    /// Fixtures whose input has not been priced, because the engine is behind.
    pub waiting: usize,
    /// Why its model could not price what it was last unable to.
    pub last_failure: Option<PricingError>,
    /// Why a message was refused last.
    pub last_refusal: Option<Reject>,
    /// It is gone: what is given now is never priced.
    pub is_over: bool,
}

/// Where inputs wait for their pricer: one place for each fixture.
struct Board<I> {
    waiting: Mutex<Waiting<I>>,
    given: Condvar,
}

struct Waiting<I> {
    /// By the fixture's place.
    inputs: Box<[Option<(Priced, I, Timestamp)>]>,
    /// Places with an input, in the order in which they got it.
    order: VecDeque<usize>,
    overwritten: u64,
    health: PricerHealth,
}

impl<I> Board<I> {
    fn lock(&self) -> MutexGuard<'_, Waiting<I>> {
        // Nothing in it is ever half done.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fixture, if it is still priced.
fn known<I>(fixtures: &mut [Fixture<I>], it: Priced) -> Option<&mut Fixture<I>> {
    fixtures.get_mut(it.place).filter(|kept| kept.number == it.number && !kept.said.is_empty())
}

/// Prices fixtures: see the [module](self).
pub struct Pricer<M: Model> {
    feed: Feed,
    model: M,
    name: [u8; 16],
    fixtures: Vec<Fixture<M::Input>>,
    most: usize,
    /// Places of fixtures that were removed.
    free: Vec<usize>,
    /// Fixtures whose input has not been priced, in the order in which they got it.
    queue: VecDeque<usize>,
    prices: Box<[Option<Price>]>,
    entries: Vec<RepriceEntry>,
    refresh: Nanos,
    counts: PricerCounts,
    /// How many messages the engine had refused when everything was last said again, and when that was.
    refused: u64,
    said_again: Option<Timestamp>,
    last_failure: Option<PricingError>,
    board: Arc<Board<M::Input>>,
}

impl<M: Model> Pricer<M> {
    /// A pricer that speaks for a feed, with room for so many fixtures. No price counts before the feed
    /// [has recovered](Feed::recovered).
    ///
    /// # Panics
    /// If the model's name may not be one.
    pub fn new(feed: Feed, model: M, fixtures: usize) -> Pricer<M> {
        Pricer {
            feed,
            model,
            name: Reprice::named(M::NAME).expect("a model has a short name without spaces"),
            fixtures: Vec::with_capacity(fixtures),
            most: fixtures,
            free: Vec::with_capacity(fixtures),
            queue: VecDeque::with_capacity(fixtures),
            prices: vec![None; M::OUTCOMES].into(),
            entries: Vec::with_capacity(REPRICE_MAX),
            refresh: Nanos::from_millis(250),
            counts: PricerCounts::default(),
            refused: 0,
            said_again: None,
            last_failure: None,
            board: Arc::new(Board {
                waiting: Mutex::new(Waiting {
                    inputs: (0..fixtures).map(|_| None).collect(),
                    order: VecDeque::with_capacity(fixtures),
                    overwritten: 0,
                    health: PricerHealth::default(),
                }),
                given: Condvar::new(),
            }),
        }
    }

    /// How much younger an input has to be before prices that it does not change are said again; 250 ms. A good
    /// value is a fraction of the shortest age bound of the markets.
    pub fn refresh(mut self, refresh: Nanos) -> Pricer<M> {
        self.refresh = refresh;
        self
    }

    /// Prices a fixture from here on, once it has an input. Where a place of the model comes to mean something else, as
    /// the next goal does after every goal, [remove](Pricer::remove) the fixture and add it with other targets.
    ///
    /// # Errors
    /// [`NotPriced`].
    pub fn add(&mut self, id: FixtureId, targets: &[Target]) -> Result<Priced, NotPriced> {
        if self.fixtures.len() == self.most && self.free.is_empty() {
            return Err(NotPriced::Full);
        }
        if !(1..=REPRICE_MAX).contains(&targets.len()) {
            return Err(NotPriced::Targets);
        }
        let (price, as_of) = (WirePrice::NONE, Timestamp::MIN);
        let mut said: Box<[Said]> =
            targets.iter().map(|target| Said { target: *target, price, as_of }).collect();
        let place = |said: &Said| (said.target.market.raw(), said.target.selection);
        said.sort_by_key(place);
        let twice = said.windows(2).find(|two| place(&two[0]) == place(&two[1]));
        let beyond = said.iter().find(|said| {
            let Target { at, selection, .. } = said.target;
            M::OUTCOMES <= at || SELECTIONS_MAX <= usize::from(selection.0)
        });
        if let Some(wrong) = twice.map(|two| &two[1]).or(beyond) {
            return Err(NotPriced::Target(wrong.target));
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let fixture = Fixture { id, number, said, input: None, waits: false };
        let Some(place) = self.free.pop() else {
            self.fixtures.push(fixture);
            return Ok(Priced { place: self.fixtures.len() - 1, number });
        };
        self.fixtures[place] = fixture;
        Ok(Priced { place, number })
    }

    /// Prices a fixture no more: it is over, or others price it from here on. Its prices stay in force as they are,
    /// until they are too old or somebody says otherwise; an input that still comes for it is passed over.
    pub fn remove(&mut self, fixture: Priced) {
        let Some(kept) = known(&mut self.fixtures, fixture) else { return };
        (kept.said, kept.input, kept.waits) = (Box::default(), None, false);
        self.queue.retain(|place| *place != fixture.place);
        self.free.push(fixture.place);
    }

    /// What is known of a fixture now. `as_of` is when the oldest part of it was received, on the
    /// [engine's clock](Feed::now); zero or less makes prices older than any bound. What comes for a fixture that was
    /// [removed](Pricer::remove), or is another pricer's, is counted and passed over.
    pub fn input(&mut self, fixture: Priced, input: M::Input, as_of: Timestamp) {
        let Some(kept) = known(&mut self.fixtures, fixture) else {
            self.counts.removed += 1;
            return;
        };
        // In a command zero would say that the prices are as young as it is.
        kept.input = Some((input, as_of.max(Timestamp(1))));
        self.counts.inputs += 1;
        self.counts.overwritten += u64::from(kept.waits);
        self.wait(fixture.place);
    }

    fn wait(&mut self, at: usize) {
        let kept = &mut self.fixtures[at];
        if kept.input.is_some() && !std::mem::replace(&mut kept.waits, true) {
            self.queue.push_back(at);
        }
    }

    /// Everything is said again at the next turn: the feed has recovered, and no price from before counts.
    pub fn say_all(&mut self) {
        for at in 0..self.fixtures.len() {
            for said in &mut self.fixtures[at].said {
                said.as_of = Timestamp::MIN;
            }
            self.wait(at);
        }
    }

    /// Prices what has a new input and publishes what changed. How many fixtures are left, because the engine is
    /// behind: they are priced at a later turn, by what is known then.
    ///
    /// # Errors
    /// [`NotTaken`] for another reason than that the engine is behind.
    pub fn turn(&mut self) -> Result<usize, NotTaken> {
        self.take_given();
        let (refused, _) = self.feed.refused();
        self.counts.refused = refused;
        if self.refused != refused {
            // Something that was said is not in force.
            let now = self.feed.now();
            if self.said_again.is_none_or(|last| AGAIN.0 <= now.since(last).0) {
                (self.refused, self.said_again) = (refused, Some(now));
                self.say_all();
            }
        }
        while let Some(at) = self.queue.front().copied() {
            match self.publish(at) {
                Ok(()) => {
                    self.queue.pop_front();
                    self.fixtures[at].waits = false;
                }
                Err(
                    NotTaken::Overloaded(_)
                    | NotTaken::RateLimited(_)
                    | NotTaken::TooManyInFlight { .. },
                ) => break,
                Err(why) => return Err(why),
            }
        }
        self.board.lock().health = self.health();
        Ok(self.queue.len())
    }

    /// What others have given.
    fn take_given(&mut self) {
        let board = Arc::clone(&self.board);
        let mut waiting = board.lock();
        self.counts.overwritten += std::mem::take(&mut waiting.overwritten);
        while let Some(place) = waiting.order.pop_front() {
            if let Some((fixture, input, as_of)) = waiting.inputs[place].take() {
                self.input(fixture, input, as_of);
            }
        }
    }

    fn publish(&mut self, at: usize) -> Result<(), NotTaken> {
        let Fixture { id, said, input, .. } = &mut self.fixtures[at];
        let Some((input, as_of)) = *input else { return Ok(()) };
        self.counts.priced += 1;
        // What a model leaves out is not what another fixture had there.
        self.prices.fill(None);
        let priced = self.model.price(&input, &mut self.prices);
        if let Err(why) = priced {
            self.counts.failed += 1;
            self.last_failure = Some(why);
            self.prices.fill(None);
        }
        self.entries.clear();
        let wire = |price: Option<Price>| price.map_or(WirePrice::NONE, WirePrice::decimal);
        for Said { target, price, as_of: before } in said.iter() {
            let now = wire(self.prices[target.at]);
            // An older input than before makes the price older, at once.
            let aged = as_of < *before || before.0.saturating_add(self.refresh.0) <= as_of.0;
            if now != *price || aged {
                self.entries.push(RepriceEntry::new(target.market, target.selection, now));
            }
        }
        if self.entries.is_empty() {
            return Ok(());
        }
        let body = Reprice {
            fixture: *id,
            as_of,
            model: self.name,
            model_version: M::VERSION,
            parameters: self.model.parameters(&input),
            ..Reprice::default()
        };
        self.feed.reprice(body, &self.entries).map(drop)?;
        let mut entries = self.entries.iter().peekable();
        for Said { target, price, as_of: before } in said.iter_mut() {
            let own = (target.market, target.selection);
            if let Some(entry) = entries.next_if(|e| (e.market, e.selection) == own) {
                (*price, *before) = (entry.price, as_of);
            }
        }
        self.counts.published += 1;
        self.counts.prices += self.entries.len() as u64;
        Ok(())
    }

    /// What it has done.
    pub fn counts(&self) -> PricerCounts {
        self.counts
    }

    /// Why a model could not price what it was last unable to.
    pub fn last_failure(&self) -> Option<PricingError> {
        self.last_failure
    }

    /// How it is.
    pub fn health(&self) -> PricerHealth {
        PricerHealth {
            counts: self.counts,
            waiting: self.queue.len(),
            last_failure: self.last_failure,
            last_refusal: self.feed.last_refusal(),
            is_over: false,
        }
    }

    /// The feed that it speaks for: its heartbeats, its gaps, its recovery are its owner's to say.
    pub fn feed(&mut self) -> &mut Feed {
        &mut self.feed
    }

    /// Where other threads give inputs. Clones give to the same pricer.
    pub fn inputs(&self) -> Inputs<M> {
        Inputs { board: Arc::clone(&self.board) }
    }

    /// Prices what is given until its owner says that it is enough; on a thread of its own.
    ///
    /// It turns when an input comes, and every `beat` in any case. After each turn `owner` is called: to let the
    /// feed speak, to [add](Pricer::add) and [remove](Pricer::remove) fixtures, to look at the counts, to end it. A
    /// good beat is a fraction of the feed's silence bound.
    ///
    /// # Errors
    /// [`NotTaken`] for another reason than that the engine is behind: it has stopped, or a command is wrong. What is
    /// given after that nobody prices, and [`Inputs::give`] says so.
    pub fn run(
        mut self,
        beat: Duration,
        mut owner: impl FnMut(&mut Pricer<M>) -> ControlFlow<()>,
    ) -> Result<Pricer<M>, NotTaken> {
        const BEHIND: Duration = Duration::from_micros(50);
        loop {
            let left = self.turn()?;
            if owner(&mut self).is_break() {
                return Ok(self);
            }
            let at_most = if left == 0 { beat } else { BEHIND.min(beat) };
            let waiting = self.board.lock();
            // What is given while the engine is behind changes nothing until it is not.
            let nothing = |waiting: &mut Waiting<M::Input>| waiting.order.is_empty() || left != 0;
            drop(self.board.given.wait_timeout_while(waiting, at_most, nothing));
        }
    }
}

impl<M: Model> Drop for Pricer<M> {
    fn drop(&mut self) {
        self.board.lock().health.is_over = true;
    }
}

impl<M: Model> std::fmt::Debug for Pricer<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, counts, feed) = (M::NAME, &self.counts, &self.feed);
        let waiting = self.queue.len();
        f.debug_struct("Pricer")
            .field("model", &name)
            .field("feed", feed)
            .field("fixtures", &(self.fixtures.len() - self.free.len()))
            .field("waiting", &waiting)
            .field("counts", counts)
            .finish_non_exhaustive()
    }
}

/// Where other threads give inputs to a [`Pricer`], and see how it is.
pub struct Inputs<M: Model> {
    board: Arc<Board<M::Input>>,
}

impl<M: Model> Clone for Inputs<M> {
    fn clone(&self) -> Inputs<M> {
        Inputs { board: Arc::clone(&self.board) }
    }
}

impl<M: Model> std::fmt::Debug for Inputs<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inputs").field("health", &self.health()).finish()
    }
}

impl<M: Model> Inputs<M> {
    /// Gives what is known of a fixture now; see [`Pricer::input`]. It takes the place of what was given before and is not
    /// priced yet, so it never waits for room. Of two threads that give at once, who comes last has the word.
    ///
    /// `false` if the pricer is gone, or has no such fixture: nobody prices it.
    #[must_use = "a pricer that is gone prices nothing"]
    pub fn give(&self, fixture: Priced, input: M::Input, as_of: Timestamp) -> bool {
        let mut waiting = self.board.lock();
        if waiting.health.is_over {
            return false;
        }
        let Some(place) = waiting.inputs.get_mut(fixture.place) else { return false };
        if place.replace((fixture, input, as_of)).is_some() {
            waiting.overwritten += 1;
        } else {
            waiting.order.push_back(fixture.place);
        }
        drop(waiting);
        self.board.given.notify_one();
        true
    }

    /// How the pricer was after its last turn.
    pub fn health(&self) -> PricerHealth {
        self.board.lock().health
    }
}
