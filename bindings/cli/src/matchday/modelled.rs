//! A match whose prices a model makes: all markets of another derby beside the night's own, in play, through one goal
//! to its end.

use crate::error::CliError;
use crate::matchday::gateway::Keys;
use betring::logic::command::{self, Command, Kind, ResultEntry, build, decode};
use betring::logic::wire::Header;
use betring::pricer::football::{Football, Match};
use betring::pricer::{Priced, Target};
use betring::pricing::derive::football::{Margins, Market as Bets, Outcome, Score, Team};
use betring::pricing::model::football::{Clock, GoalModel};
use betring::{
    AccountId, Client, Control, Currency, Engine, Error, Event, FeedId, FixtureId, LegNumbers,
    MarketId, MarketTerms, Nanos, NotTaken, Place, Pricer, Reference, Reject, RequestKey,
    Selection, SelectionIndex, Slot, Timestamp, money, price,
};
use betring_benches::recorder::Recorder;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::scan::real;
use crate::fold::Entry;

/// Who bets on it, and how many bets at a time.
const CUSTOMERS: u64 = 4;
const ASKS: u64 = 4;
/// Numbers of accounts that are no customer's of the plan.
const REFERENCE: u64 = 970_000;
/// What both sides are expected to score, and how low scores are joined; the margin of every market.
const MEANS: [f64; 2] = [1.62, 1.04];
const RHO: f64 = -0.085;
const MARGIN: f64 = 0.06;
/// So many beats of the derby's feed make one of the model's inputs.
const BEATS: u64 = 4;
/// A match in seconds, and the share of the night's length that it takes.
const MATCH_S: u32 = 5_400;
const SHARE: f64 = 0.6;
const AGE_BOUND: Nanos = Nanos::from_millis(1_500);
/// The price that a trader pins until the goal.
const PINNED: betring::Price = price!(2.05);
const VALID: Nanos = Nanos::from_secs(60);
const ANSWER: Duration = Duration::from_secs(10);

/// What is bet on: a market, and the places of its outcomes among the model's.
type Offered = (Bets, MarketId, std::ops::Range<usize>);

/// The match.
pub(crate) struct Modelled {
    pricer: Pricer<Football>,
    id: FixtureId,
    fixture: Priced,
    markets: Vec<Offered>,
    /// The market of the second goal: the first has the other.
    second: Offered,
    client: Client,
    accounts: Vec<AccountId>,
    keys: Keys,
    asked: u64,
    beats: u64,
    chance: u64,
    /// When it began, and how long it takes, on the night's clock.
    began: Option<Timestamp>,
    length: Nanos,
    score: Score,
    /// Its feed has to say everything again.
    is_silent: bool,
}

impl Modelled {
    /// Defines the fixture with all markets of a match, in a book that goes on with other names, and opens accounts.
    pub(crate) fn prepare(
        engine: &Engine,
        control: &mut Control,
        keys: Keys,
        starts: Timestamp,
        night: Nanos,
        silence: Nanos,
    ) -> Result<Modelled, CliError> {
        let mut client = engine.client(256)?;
        let mut accounts = Vec::new();
        for number in 0..CUSTOMERS {
            let opened = client.open_account(Reference(REFERENCE + number), Currency::GBP);
            let account = match opened {
                Err(Error::Refused(refusal)) if refusal.reject == Reject::AccountExists => {
                    AccountId::from_raw(refusal.answer.id)
                }
                opened => opened?,
            };
            client.deposit(account, money!(20_000.00), keys.key(Keys::MODELLED, number))?;
            accounts.push(account);
        }
        let feed = engine.feed("model", silence)?;
        let (name, id) = named(control, starts)?;
        let mut define = |bets: Bets, which: &str, places: std::ops::Range<usize>| {
            let selections = Outcome::ALL[places.clone()].iter().map(Outcome::to_string);
            let terms = MarketTerms::new(format!("{name} {bets}{which}"), selections)
                .feed(feed.id())
                .fixture(id)
                .winners(bets.winners())
                .age_bound(AGE_BOUND);
            let market = control.define(terms)?.id();
            control.open_market(market)?;
            Ok::<Offered, CliError>((bets, market, places))
        };
        let mut markets = Vec::new();
        for (bets, places) in Bets::all() {
            markets.push(define(bets, "", places)?);
        }
        let next = markets.iter().find(|(bets, ..)| *bets == Bets::NextGoal);
        let (bets, _, places) = next.cloned().ok_or_else(|| not_priced("the next goal"))?;
        let second = define(bets, " (the second)", places)?;
        let margins = Margins::uniform(MARGIN).map_err(not_priced)?;
        let mut pricer = Pricer::new(feed, Football::new(margins, None), 1);
        let fixture = pricer.add(id, &targets(&markets)).map_err(not_priced)?;
        Ok(Modelled {
            pricer,
            id,
            fixture,
            markets,
            second,
            client,
            accounts,
            keys,
            asked: CUSTOMERS,
            beats: 0,
            chance: 7,
            began: None,
            length: Nanos((night.0 as f64 * SHARE) as i64),
            score: Score::NIL_NIL,
            is_silent: true,
        })
    }

    fn key(&mut self) -> RequestKey {
        self.asked += 1;
        self.keys.key(Keys::MODELLED, self.asked)
    }

    fn below(&mut self, most: usize) -> usize {
        let mixed = self.chance.wrapping_mul(6_364_136_223_846_793_005);
        self.chance = mixed.wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) as usize % most
    }

    /// A feed counts as silent: if it is the model's, it says everything again.
    pub(crate) fn silent(&mut self, feed: FeedId) {
        self.is_silent |= self.pricer.feed().id() == feed;
    }

    /// Something may have been missed: so may that it counts as silent.
    pub(crate) fn may_be_silent(&mut self) {
        self.is_silent = true;
    }

    /// Time goes on, the model is asked again now and then, and some customers bet.
    ///
    /// # Errors
    /// Only when the engine is gone: what it does not take now is said by the next beat.
    pub(crate) fn beat(&mut self, source: Timestamp) -> Result<(), NotTaken> {
        self.beats += 1;
        if self.is_silent {
            self.pricer.feed().gap(source).map(drop)?;
            self.pricer.say_all();
            self.reprice(source)?;
            self.pricer.feed().recovered(source).map(drop)?;
            self.is_silent = false;
        } else if self.beats.is_multiple_of(BEATS) {
            self.reprice(source)?;
        } else {
            self.pricer.turn()?;
            self.pricer.feed().heartbeat(source).map(drop)?;
        }
        self.bet();
        Ok(())
    }

    fn reprice(&mut self, source: Timestamp) -> Result<(), NotTaken> {
        let played = self.began.map_or(0.0, |began| {
            (source.since(began).0 as f64 / self.length.0.max(1) as f64).clamp(0.0, 1.0)
        });
        // The last minute never ends before the whistle: something may still happen in it.
        let played = (played * f64::from(MATCH_S)) as u32;
        let clock = Clock::new(played.min(MATCH_S - 60), MATCH_S);
        let model = GoalModel::dixon_coles(MEANS[0], MEANS[1], RHO);
        let model = model.expect("means and rho are within the range of models");
        let input = Match { to_come: model.remaining(clock), score: self.score };
        self.pricer.input(self.fixture, input, source);
        self.pricer.turn().map(drop)
    }

    fn bet(&mut self) {
        let mut replies = [betring::Reply::default(); 64];
        while self.client.poll(&mut replies) != 0 {}
        for _ in 0..ASKS {
            let customer = self.below(self.accounts.len());
            let account = self.accounts[customer];
            let place = self.below(self.markets.len());
            let (_, market, places) = self.markets[place].clone();
            let index = SelectionIndex(self.below(places.len()) as u16);
            let bet = Place::single(account, Selection { market, index }, money!(2.50));
            let bet = bet.any_price().key(self.key());
            // A full ring is the night's to have; this is only some of its traffic.
            let _ = self.client.try_submit(bet);
        }
    }

    /// The match begins. A trader does not believe the model's price of the home side, and pins his own.
    pub(crate) fn begins(
        &mut self,
        control: &mut Control,
        source: Timestamp,
        delay: Nanos,
    ) -> Result<(), Error> {
        self.began = Some(source);
        for (_, market, _) in &self.markets {
            control.in_play(*market, delay)?;
        }
        control.in_play(self.second.1, delay)?;
        control.pin_price(self.home(), PINNED).map(drop)
    }

    fn home(&self) -> Selection {
        Selection { market: self.markets[0].1, index: SelectionIndex(0) }
    }

    /// The home side scores. The market of the first goal is over, that of the second takes its place; and the
    /// trader believes the model again.
    pub(crate) fn goal(&mut self, control: &mut Control) -> Result<(), CliError> {
        self.score = Score::new(1, 0);
        control.unpin_price(self.home())?;
        let next = self.markets.iter_mut().find(|(bets, ..)| *bets == Bets::NextGoal);
        if let Some(first) = next {
            std::mem::swap(first, &mut self.second);
            control.close_market(self.second.1)?;
            self.pricer.remove(self.fixture);
            self.fixture = self.pricer.add(self.id, &targets(&self.markets)).map_err(not_priced)?;
        }
        Ok(())
    }

    /// The night is over: everything that was asked is answered. The results of all markets, to be given.
    pub(crate) fn finish(&mut self, control: &Control) -> Result<Vec<Vec<Slot>>, CliError> {
        let mut replies = [betring::Reply::default(); 64];
        let until = Instant::now() + ANSWER;
        while self.client.in_flight() != 0 && Instant::now() < until {
            if self.client.poll(&mut replies) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.pricer.feed().settle(ANSWER)?;
        let mut results = Vec::new();
        for at in 0..=self.markets.len() {
            // The first goal was the home side's, the second nobody's.
            let ((_, market, places), scorer) = match self.markets.get(at) {
                Some(of) => (of.clone(), None),
                None => (self.second.clone(), Some(Team::Home)),
            };
            let entries: Vec<ResultEntry> = (0..)
                .map(SelectionIndex)
                .zip(&Outcome::ALL[places])
                .map(|(index, outcome)| ResultEntry::shares(index, self.came(*outcome, scorer)))
                .collect();
            let valid_until = control.now().plus(VALID);
            let body = command::MarketResult { valid_until, market, ..Default::default() };
            let header = Header::control(control.actor(), self.key());
            results.push(build::result(header, body, &entries).map_err(not_priced)?);
        }
        Ok(results)
    }

    /// What became of an outcome; the score does not tell who scored next.
    fn came(&self, outcome: Outcome, scorer: Option<Team>) -> LegNumbers {
        match outcome {
            Outcome::NextGoal(next) if next == scorer => LegNumbers::WON,
            Outcome::NextGoal(_) => LegNumbers::LOST,
            of_score => {
                let settled = of_score.settle(self.score).and_then(|came| came.numbers());
                settled.expect("the score settles all but the next goal")
            }
        }
    }
}

/// Where all their prices go.
fn targets(markets: &[Offered]) -> Vec<Target> {
    markets.iter().flat_map(|(_, market, places)| Target::all(*market, places.clone())).collect()
}

/// The match's name in this book, and its fixture: a name that none of an earlier night has.
fn named(control: &mut Control, starts: Timestamp) -> Result<(String, FixtureId), CliError> {
    const NAMESAKES: u32 = 1_000;
    for number in 1..=NAMESAKES {
        let name = match number {
            1 => "derby in the next town".to_owned(),
            _ => format!("derby in the next town ({number})"),
        };
        match control.define_fixture(&name, starts) {
            Ok(id) => return Ok((name, id)),
            Err(Error::Refused(refusal)) if refusal.reject == Reject::NameTaken => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(CliError::new(
        format_args!("{NAMESAKES} nights were played in this book"),
        "the journal's directory",
        "start a fresh book: leave --resume and --dir out",
    ))
}

/// Something of ours that cannot be priced or written down: that is our mistake, and is said as it is.
fn not_priced(what: impl std::fmt::Display) -> CliError {
    CliError::Said(format!("the night's model cannot price its match: {what}"))
}

/// What the journal says of it.
pub(crate) struct ModelledScan {
    feed: Option<FeedId>,
    /// The markets that were priced.
    pub(crate) markets: BTreeSet<u64>,
    pub(crate) repricings: u64,
    /// Prices that came into force or were kept back.
    pub(crate) prices: u64,
    /// Bets at a model's price.
    pub(crate) bets: u64,
    /// From when an input was to be there to the record with all its prices.
    pub(crate) took: Recorder,
}

impl ModelledScan {
    pub(crate) fn new() -> ModelledScan {
        let (markets, took) = (BTreeSet::new(), Recorder::new());
        ModelledScan { feed: None, markets, repricings: 0, prices: 0, bets: 0, took }
    }

    /// What a command of this run says.
    pub(crate) fn take_command(&mut self, entry: &Entry<'_>, command: &[u8], speed: f64) {
        if entry.kind != Kind::Reprice as u16 {
            return;
        }
        if let Ok((_, Command::Reprice(body, entries))) = decode(command) {
            self.feed = Some(body.feed);
            self.markets.extend(entries.iter().map(|entry| entry.market.raw()));
            self.repricings += 1;
            self.took.record(real(entry.at.since(body.as_of).0, speed));
        }
    }

    /// What an event of this run says.
    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::PriceSet(set) => self.prices += u64::from(self.feed == Some(set.feed)),
            Event::BetOpened(bet) => self.bets += u64::from(self.feed == Some(bet.feed)),
            _ => (),
        }
    }
}
