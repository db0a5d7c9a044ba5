//! The house's side: defines what is bet on, and makes the moves of feeds and traders.

use crate::error::CliError;
use crate::matchday::acts::{Acts, FeedTerms, Move, Terms};
use crate::matchday::beside::{Beside, BesideTally, SCHEMA, SMALL_TIER, TIER};
use crate::matchday::gateway::{Keys, Names};
use crate::matchday::ladder::Ladder;
use crate::matchday::modelled::Modelled;
use crate::matchday::time::DayTime;
use betring::logic::command::{self, Level as SuspendLevel, ResultEntry, build};
use betring::logic::event::FeedWhy;
use betring::logic::wire::{Header, Minor};
use betring::{
    AnswerKind, Control, Currency, Engine, Error, Event, EventStream, Fate, Feed, FixtureId,
    Limits, MarketId, Money, Nanos, NotTaken, Owner, Price, Reject, Reply, ResultTerms, Scope,
    Selection, SelectionIndex, SelectionOutcome, SelectionResult, Slot, Timestamp, price,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The trader of all days.
const TRADER: &str = "trader:anna";
/// How long a control command may take to be answered.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the settlement of all markets may take, after the last result.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// The bounds that the house sets for its currency, in minor units.
const LIMITS: [i64; 4] = [10, 50_000, 2_500_000, 100_000_000_000];

/// What became of the moves.
#[derive(Clone, Debug, Default)]
pub(crate) struct FloorTally {
    pub(crate) prices: u64,
    pub(crate) heartbeats: u64,
    /// How often a feed came too late on this machine and said everything again.
    pub(crate) recoveries: u64,
    pub(crate) suspensions: u64,
    pub(crate) releases: u64,
    pub(crate) results: u64,
    pub(crate) void_selections: u64,
    pub(crate) markets: u64,
    /// Results that were given again and started nothing.
    pub(crate) repeated_results: u64,
    /// Results that were taken back, and results that another one followed.
    pub(crate) rollbacks: u64,
    pub(crate) resettled: u64,
    /// Moves of feeds that found their ring full: said again by the next.
    pub(crate) not_taken: u64,
    pub(crate) refused: BTreeMap<Reject, u64>,
    /// Markets whose settlement did not end in time: has to stay 0.
    pub(crate) unsettled: u64,
    /// What people call the markets, by their names, where a recording says so.
    pub(crate) titles: BTreeMap<String, String>,
}

/// Prices of a market's selections; none takes one away.
type Quotes = Vec<(SelectionIndex, Option<Price>)>;

/// Feeds and traders.
pub(crate) struct Floor {
    control: Control,
    feeds: Vec<Feed>,
    /// What a feed's adapter orders in its own name: suspensions.
    adapters: Vec<Control>,
    fixtures: Vec<FixtureId>,
    names: Arc<Names>,
    time: DayTime,
    keys: Keys,
    results: BTreeMap<usize, Vec<Slot>>,
    /// What they say.
    outcomes: BTreeMap<usize, Vec<SelectionOutcome>>,
    races: Vec<MarketId>,
    /// Markets of earlier days by their names; none where one is over.
    earlier: BTreeMap<String, Option<MarketId>>,
    /// What happens, for adapters to hear that their feed counts as silent.
    events: EventStream,
    /// Feeds that have to say everything again with their next message.
    silent: Vec<bool>,
    /// The last price of every selection of a market that is not closed, and its feed.
    quoted: BTreeMap<usize, (usize, BTreeMap<u16, Option<Price>>)>,
    /// What the house does beside a night's own markets; none of a recording.
    beside: Option<Beside>,
    /// Its exchange market.
    ladder: Option<Ladder>,
    /// Its match that a model prices.
    modelled: Option<Modelled>,
    /// Numbers of what feeds were asked for.
    requests: u64,
    pub(crate) tally: FloorTally,
}

impl Floor {
    /// Defines feeds, fixtures, limits and the markets that are known beforehand.
    pub(crate) fn prepare(
        engine: &Engine,
        acts: &Acts,
        names: Arc<Names>,
        time: DayTime,
        keys: Keys,
        resumes: bool,
    ) -> Result<Floor, CliError> {
        let control = engine.control(TRADER)?;
        let (mut feeds, mut adapters) = (Vec::new(), Vec::new());
        let is_night = matches!(acts, Acts::Night(_));
        let mut terms = Vec::new();
        for FeedTerms { name, silence } in acts.feeds() {
            let feed = engine.feed(&name, silence)?;
            feeds.push(if is_night { feed.schema(SCHEMA) } else { feed });
            adapters.push(engine.control(&format!("feed:{name}"))?);
            terms.push(FeedTerms { name, silence });
        }
        let terms: Vec<_> = terms.into_iter().zip(feeds.iter().map(Feed::id)).collect();
        let mut floor = Floor {
            control,
            feeds,
            adapters,
            earlier: if resumes { earlier(engine)? } else { BTreeMap::new() },
            fixtures: Vec::new(),
            names,
            time,
            keys,
            results: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            races: Vec::new(),
            events: engine.events(),
            silent: Vec::new(),
            quoted: BTreeMap::new(),
            beside: None,
            ladder: None,
            modelled: None,
            requests: 0,
            tally: FloorTally::default(),
        };
        if is_night {
            let customers = floor.names.accounts.clone();
            let beside = Beside::prepare(engine, &mut floor.control, &terms, keys, &customers)?;
            floor.names.set_wallets(beside.wallets().to_vec());
            floor.beside = Some(beside);
        }
        let kick_off_ns = acts.phases().first().map_or(0, |calm| calm.length_ns);
        let starts = floor.time.at(i64::try_from(kick_off_ns).unwrap_or(i64::MAX));
        for name in acts.fixtures() {
            let defined = floor.control.define_fixture(&name, starts);
            let fixture = match found(defined)? {
                Ok(fixture) => fixture,
                Err(raw) => FixtureId::from_raw(raw),
            };
            floor.fixtures.push(fixture);
        }
        if is_night {
            let derby = floor.fixtures.first().copied().unwrap_or(FixtureId::NONE);
            floor.ladder = Some(Ladder::prepare(engine, &mut floor.control, keys, derby)?);
            let length = Nanos(i64::try_from(acts.length_ns().unwrap_or(0)).unwrap_or(i64::MAX));
            let silence = terms.first().map_or(Nanos::ZERO, |(feed, _)| feed.silence);
            let control = &mut floor.control;
            let modelled = Modelled::prepare(engine, control, keys, starts, length, silence)?;
            floor.modelled = Some(modelled);
        }
        let [min_stake, max_stake, max_payout, max_liability] = LIMITS.map(Minor);
        let limits =
            Limits { min_stake, max_stake, max_payout, max_liability, ..Limits::UNLIMITED };
        floor.control.set_limits(Currency::GBP, limits)?;
        for (place, terms) in acts.markets().into_iter().enumerate() {
            let market = floor.define(&terms)?;
            floor.names.set_market(place, market);
        }
        Ok(floor)
    }

    /// Opens the races that customers combine with their bets: priced by hand, each way.
    pub(crate) fn open_races(&mut self) -> Result<(), CliError> {
        const RACES: usize = 3;
        const RUNNERS: [&str; 6] =
            ["Red Rum", "Arkle", "Kauto Star", "Denman", "Tiger", "Aldaniti"];
        let prices =
            [price!(2.75), price!(4.00), price!(6.00), price!(8.50), price!(13.00), price!(26.00)];
        let prices: Vec<_> = (0..).map(SelectionIndex).zip(prices.map(Some)).collect();
        for race in 1..=RACES {
            let terms = Terms {
                name: format!("race {race}"),
                title: String::new(),
                feed: usize::MAX,
                fixture: None,
                winners: 1,
                age_bound: Nanos::ZERO,
                selections: RUNNERS.map(str::to_owned).to_vec(),
                max_liability: None,
                each_way: true,
            };
            let market = self.define(&terms)?;
            self.control.set_some(market, &prices)?;
            self.control.open_market(market)?;
            self.races.push(market);
        }
        self.names.set_races(self.races.clone());
        Ok(())
    }

    /// What was done beside a night's own markets.
    pub(crate) fn beside(&self) -> Option<BesideTally> {
        self.beside.as_ref().map(|beside| beside.tally)
    }

    /// The races have their results.
    fn finish_races(&mut self) -> Result<(), CliError> {
        for (number, market) in (0..).zip(std::mem::take(&mut self.races)) {
            let finish =
                |at: u16| SelectionResult::Position { position: 1 + (at + number) % 6, tied: 1 };
            let result = ResultTerms::new(market, (0..6).map(finish));
            let job = self.control.give_result(result)?;
            self.tally.results += u64::from(job.is_some());
        }
        Ok(())
    }

    /// After the day: one market's result is taken back and given again, another's is followed by a
    /// different one.
    pub(crate) fn correct(&mut self) -> Result<(), CliError> {
        self.finish_races()?;
        if let Some(beside) = &mut self.beside {
            beside.finish(&mut self.control)?;
        }
        if let Some(ladder) = &mut self.ladder {
            let result = ladder.finish(&self.control)?;
            self.await_job(&result)?;
        }
        if let Some(modelled) = &mut self.modelled {
            for result in modelled.finish(&self.control)? {
                self.await_job(&result)?;
            }
        }
        let settled: Vec<usize> = self.outcomes.keys().copied().take(2).collect();
        let [first, second] = settled[..] else { return Ok(()) };
        let now = self.time.at(self.time.now_ns());
        let valid_until = now.plus(Nanos::from_secs(60));
        let key = self.keys.key(Keys::CORRECTION, 0);
        let market = self.names.market(first);
        let body = command::RollbackResult { valid_until, market, ..Default::default() };
        let header = Header::control(self.control.actor(), key);
        let reply = self.await_job(&[build::plain(header, &body)])?;
        self.tally.rollbacks += u64::from(reply.answer.kind() == AnswerKind::Started);
        let outcomes = self.outcomes[&first].clone();
        let slots = self.result_slots(first, &outcomes, Keys::CORRECTION, 1)?;
        self.await_job(&slots)?;
        let mut outcomes = self.outcomes[&second].clone();
        outcomes.rotate_right(1);
        let slots = self.result_slots(second, &outcomes, Keys::CORRECTION, 2)?;
        let reply = self.await_job(&slots)?;
        self.tally.resettled += u64::from(reply.answer.kind() == AnswerKind::Started);
        Ok(())
    }

    /// The day begins: from here on moves have their moments in it.
    pub(crate) fn begin(&mut self, time: DayTime) {
        self.time = time;
        self.silent = vec![false; self.feeds.len()];
        self.events.skip();
    }

    /// Hears which feeds count as silent: on a busy machine one that speaks may come too late.
    pub(crate) fn listen(&mut self) -> Result<(), CliError> {
        // As many as the ring has places for: what comes meanwhile is heard next time.
        const AT_A_TIME: usize = 16_384;
        for _ in 0..AT_A_TIME {
            match self.events.next() {
                Ok(None) => break,
                Ok(Some(heard)) => {
                    if let (Event::HoldRequested(hold), Some(beside)) =
                        (heard.event, &mut self.beside)
                    {
                        beside.hold(&hold)?;
                    }
                    if let (Event::FeedChanged(feed), Some(beside)) =
                        (heard.event, &mut self.beside)
                        && feed.why == FeedWhy::Silence as u8
                    {
                        beside.silent(feed.feed);
                    }
                    if let (Event::FeedChanged(feed), Some(modelled)) =
                        (heard.event, &mut self.modelled)
                        && feed.why == FeedWhy::Silence as u8
                    {
                        modelled.silent(feed.feed);
                    }
                    if let Event::FeedChanged(feed) = heard.event
                        && feed.why == FeedWhy::Silence as u8
                        && let Some(place) = self.feeds.iter().position(|f| f.id() == feed.feed)
                        && let Some(silent) = self.silent.get_mut(place)
                    {
                        *silent = true;
                    }
                }
                // What was missed may have been just that: saying everything again is always right.
                Err(_) => {
                    self.silent.fill(true);
                    if let Some(beside) = &mut self.beside {
                        beside.all_silent();
                    }
                    if let Some(modelled) = &mut self.modelled {
                        modelled.may_be_silent();
                    }
                }
            }
        }
        self.stand_by()
    }

    /// The backups say that they are there, and everything again where they have to.
    fn stand_by(&mut self) -> Result<(), CliError> {
        let source = self.time.at(self.time.now_ns());
        let due = self.beside.as_mut().map(|beside| beside.due(source)).unwrap_or_default();
        for (place, everything) in due {
            if everything {
                self.tally.recoveries += 1;
                let told = self.backup(place).map(|feed| feed.gap(source).map(drop));
                self.told(told)?;
                for (market, prices) in self.quotes(place) {
                    let told = self
                        .backup(place)
                        .map(|feed| feed.prices(market, &prices, source).map(drop));
                    self.told(told)?;
                }
                let told = self.backup(place).map(|feed| feed.recovered(source).map(drop));
                self.told(told)?;
            }
            let told = self.backup(place).map(|feed| feed.heartbeat(source).map(drop));
            self.told(told)?;
        }
        Ok(())
    }

    /// The feed that stands by for another.
    fn backup(&mut self, place: usize) -> Option<&mut Feed> {
        self.beside.as_mut().and_then(|beside| beside.backup(place))
    }

    /// The handle that a feed's messages go through.
    fn feed(&mut self, place: usize) -> Option<&mut Feed> {
        let feed = self.feeds.get_mut(place)?;
        Some(match &mut self.beside {
            Some(beside) => beside.through(place, feed),
            None => feed,
        })
    }

    /// The last prices of a feed's markets.
    fn quotes(&self, place: usize) -> Vec<(MarketId, Quotes)> {
        let of_feed = self.quoted.iter().filter(|(_, (feed, _))| *feed == place);
        let named = |prices: &BTreeMap<u16, Option<Price>>| {
            prices.iter().map(|(place, price)| (SelectionIndex(*place), *price)).collect()
        };
        of_feed.map(|(market, (_, prices))| (self.names.market(*market), named(prices))).collect()
    }

    /// A feed says everything again, as the answer to a request; so does its backup the first time.
    fn say_everything(&mut self, place: usize, source: Timestamp) -> Result<(), CliError> {
        self.requests += 1;
        let request = self.requests;
        let told = self.feed(place).map(|feed| feed.recovering(request, source).map(drop));
        self.told(told)?;
        for (market, prices) in self.quotes(place) {
            let told = self.feed(place).map(|feed| feed.prices(market, &prices, source).map(drop));
            self.told(told)?;
        }
        let told = self.feed(place).map(|feed| feed.recovered_for(request, source).map(drop));
        self.told(told)
    }

    /// A feed that counts as silent says everything again before it says anything new.
    fn speak(&mut self, place: usize) -> Result<(), CliError> {
        let Some(silent) = self.silent.get_mut(place).filter(|silent| **silent) else {
            return Ok(());
        };
        *silent = false;
        self.tally.recoveries += 1;
        let source = self.time.at(self.time.now_ns());
        let told = self.feed(place).map(|feed| feed.gap(source).map(drop));
        self.told(told)?;
        self.say_everything(place, source)
    }

    /// Defines a market. In a book that goes on, one of the same name that still lives is used, and
    /// one that is over is followed by another of its name, numbered.
    fn define(&mut self, terms: &Terms) -> Result<MarketId, CliError> {
        const NAMESAKES: u32 = 1_000;
        if !terms.title.is_empty() {
            self.tally.titles.insert(terms.name.clone(), terms.title.clone());
        }
        for number in 1..=NAMESAKES {
            let name = match number {
                1 => terms.name.clone(),
                _ => format!("{} ({number})", terms.name),
            };
            match self.earlier.remove(&name) {
                Some(Some(market)) => return Ok(market),
                Some(None) => continue,
                None => (),
            }
            let mut wanted = betring::MarketTerms::new(&name, &terms.selections)
                .winners(terms.winners)
                .age_bound(terms.age_bound);
            if let Some(feed) = self.feeds.get(terms.feed) {
                wanted = wanted.feed(feed.id());
                if let Some(group) = self.beside.as_ref().and_then(|it| it.group(terms.feed)) {
                    // A market with a limit of its own is a small one.
                    let small = terms.max_liability.is_some();
                    wanted = wanted.group(group).tier(if small { SMALL_TIER } else { TIER });
                }
            }
            if let Some(fixture) = terms.fixture.and_then(|place| self.fixtures.get(place)) {
                wanted = wanted.fixture(*fixture);
            }
            if terms.each_way {
                wanted = wanted.each_way();
            }
            if let Ok(market) = found(self.control.define(wanted))? {
                self.tally.markets += 1;
                if let Some(most) = terms.max_liability {
                    self.limit(market.id(), most)?;
                }
                return Ok(market.id());
            }
        }
        Err(CliError::new(
            format_args!("the market {} was played {NAMESAKES} times in this book", terms.name),
            "the journal's directory",
            "start a fresh book: leave --resume and --dir out",
        ))
    }

    fn limit(&mut self, market: MarketId, most: Money) -> Result<(), CliError> {
        let [min_stake, max_stake, max_payout, _] = LIMITS.map(Minor);
        let max_liability = most.into();
        let limits =
            Limits { min_stake, max_stake, max_payout, max_liability, ..Limits::UNLIMITED };
        self.control.set_market_limits(market, Currency::GBP, limits)?;
        Ok(())
    }

    /// Makes a move that was to be made at `at_ns` of the day.
    ///
    /// # Errors
    /// Only when the engine is gone: what it refuses is counted.
    pub(crate) fn make(&mut self, at_ns: u64, next: &Move) -> Result<(), CliError> {
        let source = self.time.at(i64::try_from(at_ns).unwrap_or(i64::MAX));
        if let Move::Heartbeat { feed } | Move::Prices { feed, .. } = next {
            self.speak(*feed)?;
        }
        match next {
            Move::Heartbeat { feed } => {
                self.tally.heartbeats += 1;
                if *feed == 0
                    && let Some(beside) = &mut self.beside
                {
                    beside.probe();
                    if let Some(ladder) = &mut self.ladder {
                        ladder.ask(source)?;
                    }
                    let told = self.modelled.as_mut().map(|modelled| modelled.beat(source));
                    self.told(told)?;
                }
                let told = self.feed(*feed).map(|feed| feed.heartbeat(source).map(drop));
                self.told(told)
            }
            Move::Gap { feed } => {
                let told = self.feed(*feed).map(|feed| feed.gap(source).map(drop));
                self.told(told)
            }
            Move::Recovered { feed } => {
                let told = self.feed(*feed).map(|feed| feed.recovered(source).map(drop));
                self.told(told)?;
                // The first time its backup has said everything, too; later that has no effect.
                let told = self.backup(*feed).map(|feed| feed.recovered(source).map(drop));
                self.told(told)
            }
            Move::Prices { feed, market, prices } => {
                self.tally.prices += 1;
                let (_, last) = self.quoted.entry(*market).or_insert((*feed, BTreeMap::new()));
                last.extend(prices.iter().copied());
                let market = self.names.market(*market);
                let prices: Vec<_> =
                    prices.iter().map(|(place, price)| (SelectionIndex(*place), *price)).collect();
                let told =
                    self.feed(*feed).map(|feed| feed.prices(market, &prices, source).map(drop));
                self.told(told)?;
                let told =
                    self.backup(*feed).map(|feed| feed.prices(market, &prices, source).map(drop));
                self.told(told)
            }
            Move::Define { market, terms } => {
                let handle = self.define(terms)?;
                self.names.set_market(*market, handle);
                Ok(())
            }
            Move::Suspend { level, place, owner, feed } => {
                self.tally.suspensions += 1;
                let Some(scope) = self.scope(*level, *place) else { return Ok(()) };
                let done = self.orders(*owner, *feed).suspend(scope, *owner).map(drop);
                self.done(done)
            }
            Move::Release { level, place, owner, feed } => {
                self.tally.releases += 1;
                let Some(scope) = self.scope(*level, *place) else { return Ok(()) };
                let done = self.orders(*owner, *feed).release(scope, *owner).map(drop);
                self.done(done)
            }
            Move::Open { market } => {
                let done = self.control.open_market(self.names.market(*market)).map(drop);
                self.done(done)
            }
            Move::Close { market } => {
                self.quoted.remove(market);
                let done = self.control.close_market(self.names.market(*market)).map(drop);
                self.done(done)
            }
            Move::Withdraw { market, selection } => {
                let market = self.names.market(*market);
                let selection = SelectionIndex(*selection);
                let done = self.control.withdraw_selection(market, selection, true).map(drop);
                self.done(done)
            }
            Move::Result { market, outcomes } => self.result(*market, outcomes),
            Move::InPlay { market, delay } => {
                let done = self.control.in_play(self.names.market(*market), *delay).map(drop);
                self.done(done)
            }
            Move::DerbyBegins { delay } => {
                if let Some(ladder) = &mut self.ladder {
                    let done = ladder.begins(&mut self.control, *delay);
                    self.done(done)?;
                }
                let Some(modelled) = &mut self.modelled else { return Ok(()) };
                let done = modelled.begins(&mut self.control, source, *delay);
                self.done(done)
            }
            Move::DerbyGoal => {
                if let Some(ladder) = &mut self.ladder {
                    ladder.goal(&mut self.control)?;
                }
                match &mut self.modelled {
                    Some(modelled) => modelled.goal(&mut self.control),
                    None => Ok(()),
                }
            }
            Move::Switch { feed, to } => {
                let Some(beside) = &self.beside else { return Ok(()) };
                let done = beside.switch(&mut self.control, *feed, *to);
                self.done(done)
            }
            Move::Skew { feed } => {
                if let Some(beside) = &mut self.beside {
                    beside.set_next(*feed, true);
                }
                Ok(())
            }
            Move::Mend { feed } => {
                if let Some(beside) = &mut self.beside {
                    beside.set_next(*feed, false);
                }
                let Some(id) = self.feeds.get(*feed).map(Feed::id) else { return Ok(()) };
                let done = self.control.set_feed_schema(id, SCHEMA).map(drop);
                self.done(done)?;
                self.say_everything(*feed, source)
            }
            Move::Pin { market, selection, price } => {
                let (market, index) = (self.names.market(*market), SelectionIndex(*selection));
                let done = self.control.pin_price(Selection { market, index }, *price).map(drop);
                self.done(done)
            }
            Move::Unpin { market, selection } => {
                let (market, index) = (self.names.market(*market), SelectionIndex(*selection));
                let done = self.control.unpin_price(Selection { market, index }).map(drop);
                self.done(done)
            }
            Move::Exclude { account, span } => {
                let Some(account) = self.names.accounts.get(*account).copied() else {
                    return Ok(());
                };
                let until = self.control.now().plus(*span);
                let done = self.control.exclude_account(account, until).map(drop);
                self.done(done)
            }
            Move::Archive { market } => {
                // A bet of several legs leaves memory once all of them are over.
                self.finish_races()?;
                self.await_settlement(*market)?;
                let done = self.control.archive(self.names.market(*market)).map(drop);
                self.done(done)
            }
        }
    }

    /// Whose name an order is given in: the adapter's, or the trader's.
    fn orders(&mut self, owner: Owner, feed: usize) -> &mut Control {
        match self.adapters.get_mut(feed) {
            Some(adapter) if owner == Owner::Feed => adapter,
            _ => &mut self.control,
        }
    }

    fn scope(&self, level: SuspendLevel, place: usize) -> Option<Scope> {
        match level {
            SuspendLevel::Engine => Some(Scope::Engine),
            SuspendLevel::Feed => self.feeds.get(place).map(|feed| Scope::Feed(feed.id())),
            SuspendLevel::Fixture => self.fixtures.get(place).copied().map(Scope::Fixture),
            SuspendLevel::Market => Some(Scope::Market(self.names.market(place))),
            // Nights suspend neither: their markets are in no group, and a goal takes a market whole.
            SuspendLevel::Group | SuspendLevel::Selection => None,
        }
    }

    /// A feed never waits: what its ring does not take now, its next message says again.
    fn told(&mut self, told: Option<Result<(), NotTaken>>) -> Result<(), CliError> {
        match told {
            None | Some(Ok(())) => Ok(()),
            Some(Err(error @ (NotTaken::Poisoned | NotTaken::Closed))) => Err(stopped(&error)),
            Some(Err(_)) => {
                self.tally.not_taken += 1;
                Ok(())
            }
        }
    }

    fn done(&mut self, done: Result<(), Error>) -> Result<(), CliError> {
        match done {
            Err(Error::Refused(refusal)) => {
                *self.tally.refused.entry(refusal.reject).or_default() += 1;
                Ok(())
            }
            done => Ok(done?),
        }
    }

    /// Gives a result, under one key a market: the same result again starts no second job.
    fn result(&mut self, market: usize, outcomes: &[SelectionOutcome]) -> Result<(), CliError> {
        let is_known = self.results.get(&market);
        let slots = match is_known {
            Some(slots) => slots.clone(),
            None => self.result_slots(market, outcomes, Keys::RESULT, market as u64)?,
        };
        let reply = self.ask(&slots)?;
        self.tally.repeated_results += u64::from(reply.is_duplicate());
        match reply.answer.kind() {
            AnswerKind::Started if !reply.is_duplicate() => {
                let void = outcomes.iter().filter(|it| **it == SelectionOutcome::Void).count();
                self.tally.void_selections += void as u64;
                self.tally.results += 1;
                self.results.insert(market, slots);
                self.outcomes.insert(market, outcomes.to_vec());
            }
            AnswerKind::Refused => {
                if let Some(reject) = reply.answer.reject() {
                    *self.tally.refused.entry(reject).or_default() += 1;
                }
            }
            _ => (),
        }
        Ok(())
    }

    fn result_slots(
        &self,
        market: usize,
        outcomes: &[SelectionOutcome],
        purpose: u128,
        number: u64,
    ) -> Result<Vec<Slot>, CliError> {
        let key = self.keys.key(purpose, number);
        let now = self.time.at(self.time.now_ns());
        let body = command::MarketResult {
            valid_until: now.plus(Nanos::from_secs(60)),
            market: self.names.market(market),
            ..Default::default()
        };
        let entries: Vec<ResultEntry> = (0..)
            .zip(outcomes)
            .map(|(place, outcome)| ResultEntry::new(SelectionIndex(place), *outcome))
            .collect();
        build::result(Header::control(self.control.actor(), key), body, &entries).map_err(|wrong| {
            CliError::new(
                wrong,
                format_args!("the result of market {}", market + 1),
                "see the recording",
            )
        })
    }

    fn ask(&mut self, slots: &[Slot]) -> Result<Reply, CliError> {
        let ticket = self.control.try_submit(slots).map_err(|error| stopped(&error))?;
        Ok(self.control.wait(ticket, ANSWER)?)
    }

    /// Asks for the result's job under its own key, until it has ended.
    fn await_settlement(&mut self, market: usize) -> Result<(), CliError> {
        let Some(slots) = self.results.get(&market).cloned() else { return Ok(()) };
        self.await_job(&slots).map(drop)
    }

    /// Asks for something under its own key until the job that it started has ended; the first answer.
    fn await_job(&mut self, slots: &[Slot]) -> Result<Reply, CliError> {
        let until = Instant::now() + SETTLED_WITHIN;
        let first = self.ask(slots)?;
        loop {
            let reply = self.ask(slots)?;
            if reply.fate() != Fate::JobRunning {
                return Ok(first);
            }
            if until <= Instant::now() {
                self.tally.unsettled += 1;
                return Ok(first);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until every market with a result is settled.
    pub(crate) fn settle(&mut self) -> Result<(), CliError> {
        let markets: Vec<usize> = self.results.keys().copied().collect();
        for market in markets {
            self.await_settlement(market)?;
        }
        for feed in &mut self.feeds {
            feed.settle(ANSWER)?;
            let (count, last) = feed.refused();
            if let Some(reject) = last {
                *self.tally.refused.entry(reject).or_default() += count;
            }
        }
        Ok(())
    }
}

/// The markets of earlier days by their names, with their handles where they still take bets.
fn earlier(engine: &Engine) -> Result<BTreeMap<String, Option<MarketId>>, CliError> {
    use betring::logic::event::MarketStatus::{Defined, Open};
    let view = engine.view()?;
    let book = view.at_least(engine.durable_seq(), ANSWER)?;
    let lives = |status| matches!(status, Defined | Open);
    let named = book.markets().map(|m| (m.name.to_owned(), lives(m.status).then_some(m.id)));
    Ok(named.collect())
}

/// What was made, or the handle of what has the name already.
fn found<T>(made: Result<T, Error>) -> Result<Result<T, u64>, CliError> {
    match made {
        Ok(made) => Ok(Ok(made)),
        Err(Error::Refused(refusal)) if refusal.reject == Reject::NameTaken => {
            Ok(Err(refusal.answer.id))
        }
        Err(error) => Err(error.into()),
    }
}

fn stopped(error: &NotTaken) -> CliError {
    CliError::new(
        format_args!("the engine takes nothing any more: {error}"),
        "the running engine",
        "see its health above; start again with --resume",
    )
}
