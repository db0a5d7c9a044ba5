//! What happens on a matchday and when: the moves of feeds and traders and the asks of customers, in
//! one sequence, from a seed or from recordings.

use crate::error::CliError;
use betring_benches::load::{Knot, Profile, Times};
use betring_betfair::{
    MarketStatus, Merged, MergedUpdate, Outcome, Recording, SelectionIndex, Update,
};
use betring_core::command::{Drives, Level, Owner, SelectionOutcome};
use betring_core::time::Nanos;
use betring_fuzz::workload::{
    Ask, Board, Control, Controls, Crowd, DerbyNight, NightCrowd, Phase, Rng, Showing, Timed,
};
use betring_pricing::{Money, Price};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::path::PathBuf;

/// Nanoseconds of a second.
pub(crate) const SECOND_NS: u64 = 1_000_000_000;
/// Bets that one change of prices may draw, waiting for their moment: enough for any burst.
const WAITING_MAX: usize = 4_096;
/// A feed of a recording heartbeats every second; at three times that it counts as silent.
const RECORDED_SILENCE: Nanos = Nanos::from_secs(3);
/// The bound on the age of a recorded price, that of a top tier.
const RECORDED_AGE: Nanos = Nanos::from_millis(1_500);

/// Something that happens, and when, in nanoseconds since the beginning.
pub(crate) struct Act {
    pub(crate) at_ns: u64,
    /// The place of the part of the day, among [`Acts::phases`].
    pub(crate) phase: usize,
    pub(crate) what: What,
}

pub(crate) enum What {
    Move(Move),
    Ask(Ask),
}

/// A market to be defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) name: String,
    /// What people call it; empty where the name says it.
    pub(crate) title: String,
    pub(crate) feed: usize,
    /// The fixture's place, if it is about one.
    pub(crate) fixture: Option<usize>,
    pub(crate) winners: u16,
    pub(crate) age_bound: Nanos,
    pub(crate) selections: Vec<String>,
    pub(crate) max_liability: Option<Money>,
    /// Whether bets may be each way, as the table of the rules says.
    pub(crate) each_way: bool,
}

/// What feeds and traders do. Places count from 0 in the order of definition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Move {
    Heartbeat {
        feed: usize,
    },
    Gap {
        feed: usize,
    },
    Recovered {
        feed: usize,
    },
    Define {
        market: usize,
        terms: Terms,
    },
    Prices {
        feed: usize,
        market: usize,
        prices: Vec<(u16, Option<Price>)>,
    },
    /// `feed` is the one that says so, where its adapter is the owner.
    Suspend {
        level: Level,
        place: usize,
        owner: Owner,
        feed: usize,
    },
    Release {
        level: Level,
        place: usize,
        owner: Owner,
        feed: usize,
    },
    Open {
        market: usize,
    },
    Close {
        market: usize,
    },
    Withdraw {
        market: usize,
        selection: u16,
    },
    Result {
        market: usize,
        outcomes: Vec<SelectionOutcome>,
    },
    Archive {
        market: usize,
    },
    /// From here on bets wait so long.
    InPlay {
        market: usize,
        delay: Nanos,
    },
    /// The derby begins, for its exchange market and for what a model prices: orders and bets wait so long.
    DerbyBegins {
        delay: Nanos,
    },
    /// A goal in it.
    DerbyGoal,
    /// The backup of a feed drives its markets, or the feed itself again.
    Switch {
        feed: usize,
        to: Drives,
    },
    /// A feed sends another version of its messages.
    Skew {
        feed: usize,
    },
    /// The version that is expected, again; and everything else.
    Mend {
        feed: usize,
    },
    /// A trader pins a price.
    Pin {
        market: usize,
        selection: u16,
        price: Price,
    },
    Unpin {
        market: usize,
        selection: u16,
    },
    /// A customer excludes itself for so long.
    Exclude {
        account: usize,
        span: Nanos,
    },
}

/// A feed to be defined before anything happens.
pub(crate) struct FeedTerms {
    pub(crate) name: String,
    pub(crate) silence: Nanos,
}

/// What a recording held that no bet depends on, for the lines below the tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aside {
    pub(crate) starting_prices: u64,
    /// Lines that could not be read, the first few as text.
    pub(crate) unread: u64,
    pub(crate) unread_first: Vec<String>,
    /// Selections that came to a market after its definition: no bets are taken on them.
    pub(crate) late_selections: u64,
    /// Markets that no bets are taken on, and why.
    pub(crate) left_out: Vec<String>,
    pub(crate) removed: u64,
    pub(crate) updates: u64,
}

/// A part of the day, for tables.
pub(crate) struct Part {
    pub(crate) name: String,
    /// How long it is planned to be; 0 where only the recording knows.
    pub(crate) length_ns: u64,
}

/// The sequence of a day.
pub(crate) enum Acts {
    Night(Box<NightActs>),
    Recorded(Box<RecordedActs>),
}

impl Acts {
    pub(crate) fn night(night: &DerbyNight) -> Acts {
        let knots: Vec<Knot> =
            night.rates().into_iter().map(|(from_ns, rate)| Knot { from_ns, rate }).collect();
        Acts::Night(Box::new(NightActs {
            controls: night.controls().peekable(),
            times: Profile::new(&knots, night.length_ns()).times().peekable(),
            crowd: night.crowd(),
            beside: beside(night),
            night: night.clone(),
        }))
    }

    /// Recordings as the source of prices; `accounts` customers place about ten bets a change of
    /// prices, at most `rate` in a second of the recording.
    pub(crate) fn recorded(
        paths: &[PathBuf],
        seed: u64,
        accounts: usize,
        rate: u64,
    ) -> Result<Acts, CliError> {
        let mut recordings = Vec::new();
        for path in paths {
            let opened = Recording::open(path).map_err(|error| {
                CliError::new(error, path.display(), "name a recording that can be read")
            })?;
            recordings.push(opened);
        }
        let names: Vec<String> = recordings.iter().map(|it| feed_name(it.name())).collect();
        Ok(Acts::Recorded(Box::new(RecordedActs::new(
            Merged::new(recordings),
            names,
            seed,
            accounts,
            rate,
        ))))
    }

    pub(crate) fn feeds(&self) -> Vec<FeedTerms> {
        match self {
            Acts::Night(night) => {
                let terms = |feed: &betring_fuzz::workload::FeedPlan| FeedTerms {
                    name: feed.name.clone(),
                    silence: nanos(feed.silence_ns),
                };
                night.night.feeds().iter().map(terms).collect()
            }
            Acts::Recorded(recorded) => {
                let terms =
                    |name: &String| FeedTerms { name: name.clone(), silence: RECORDED_SILENCE };
                recorded.names.iter().map(terms).collect()
            }
        }
    }

    pub(crate) fn fixtures(&self) -> Vec<String> {
        match self {
            Acts::Night(night) => night.night.fixtures().to_vec(),
            Acts::Recorded(_) => Vec::new(),
        }
    }

    /// Markets that are known before anything happens.
    pub(crate) fn markets(&self) -> Vec<Terms> {
        let Acts::Night(night) = self else { return Vec::new() };
        let terms = |plan: &betring_fuzz::workload::MarketPlan| Terms {
            name: plan.name.clone(),
            title: String::new(),
            feed: plan.feed,
            fixture: Some(plan.fixture),
            winners: 1,
            age_bound: nanos(plan.age_bound_ns),
            selections: plan.selections.clone(),
            max_liability: plan.max_liability,
            each_way: false,
        };
        night.night.markets().iter().map(terms).collect()
    }

    pub(crate) fn phases(&self) -> Vec<Part> {
        match self {
            Acts::Night(night) => {
                let part = |phase: Phase| Part {
                    name: phase.name().to_owned(),
                    length_ns: night.night.phase_length_ns(phase),
                };
                Phase::ALL.map(part).into()
            }
            Acts::Recorded(_) => ["before the off", "in play"]
                .map(|name| Part { name: name.to_owned(), length_ns: 0 })
                .into(),
        }
    }

    /// How long it is; none where only the recordings know.
    pub(crate) fn length_ns(&self) -> Option<u64> {
        match self {
            Acts::Night(night) => Some(night.night.length_ns()),
            Acts::Recorded(_) => None,
        }
    }

    /// When the recordings begin, on their own clock.
    pub(crate) fn begins(&mut self) -> Option<betring_core::time::Timestamp> {
        match self {
            Acts::Night(_) => None,
            Acts::Recorded(recorded) => recorded.begins(),
        }
    }

    /// What has been said before the first customer comes; it is not said again.
    pub(crate) fn opening(&mut self) -> Vec<Move> {
        let mut opening = Vec::new();
        if let Acts::Night(night) = self {
            while let Some(timed) = night.controls.next_if(|timed| timed.at_ns == 0) {
                opening.push(night.translate(timed.action));
            }
        }
        opening
    }

    pub(crate) fn aside(&self) -> Aside {
        match self {
            Acts::Night(_) => Aside::default(),
            Acts::Recorded(recorded) => recorded.aside.clone(),
        }
    }
}

impl Iterator for Acts {
    type Item = Act;

    fn next(&mut self) -> Option<Act> {
        match self {
            Acts::Night(night) => night.next(),
            Acts::Recorded(recorded) => recorded.next(),
        }
    }
}

fn nanos(ns: u64) -> Nanos {
    Nanos(i64::try_from(ns).unwrap_or(i64::MAX))
}

/// The file's name without what it is packed in; a name in the journal has at most 64 bytes.
fn feed_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let bare = file.strip_suffix(".bz2").unwrap_or(file);
    name_within(bare, 48)
}

/// A text as a name: without control characters, not empty, at most `bytes` long.
fn name_within(text: &str, bytes: usize) -> String {
    let mut name = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if bytes < name.len() + c.len_utf8() {
            break;
        }
        name.push(c);
    }
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// A derby night's sequence.
pub(crate) struct NightActs {
    night: DerbyNight,
    controls: std::iter::Peekable<Controls>,
    times: std::iter::Peekable<Times>,
    crowd: NightCrowd,
    /// What happens beside the night's own, and when.
    beside: VecDeque<(u64, Move)>,
}

/// When the match is on, its goals market is bet on in-play, with a delay in keeping with the night. Then the
/// feed of the other matches sends another version of its messages for a while, and stalls later on: both
/// times its backup drives. A trader pins a price, and a customer has had enough.
fn beside(night: &DerbyNight) -> VecDeque<(u64, Move)> {
    const GOALS: usize = 1;
    const LONGEST_NS: u64 = 500_000_000;
    const CONTINENT: usize = 1;
    const FRANCE: (usize, u16) = (5, 0);
    const CUSTOMER: usize = 11;
    let starts = |phase: Phase| {
        let before = Phase::ALL.iter().take_while(|other| **other != phase);
        before.map(|phase| night.phase_length_ns(*phase)).sum::<u64>()
    };
    let permille = |part: u64| night.length_ns() / 1_000 * part;
    let (play, goal, stall) = (starts(Phase::Play), starts(Phase::Goal), starts(Phase::Stall));
    let over = starts(Phase::FullTime);
    let delay = nanos((night.length_ns() / 100).min(LONGEST_NS));
    let (market, selection) = FRANCE;
    let (backup, primary) = (Drives::Backup, Drives::Primary);
    let feed = CONTINENT;
    VecDeque::from([
        (
            starts(Phase::KickOff),
            Move::Pin { market, selection, price: betring_pricing::price!(1.90) },
        ),
        (play - permille(20), Move::Unpin { market, selection }),
        (play, Move::InPlay { market: GOALS, delay }),
        (play, Move::DerbyBegins { delay }),
        (play + permille(20), Move::Skew { feed }),
        (play + permille(35), Move::Switch { feed, to: backup }),
        (play + permille(70), Move::Mend { feed }),
        (play + permille(80), Move::Switch { feed, to: primary }),
        (goal, Move::DerbyGoal),
        (goal, Move::Exclude { account: CUSTOMER, span: nanos(permille(100)) }),
        (stall + permille(40), Move::Switch { feed, to: backup }),
        (over - permille(10), Move::Switch { feed, to: primary }),
    ])
}

impl NightActs {
    fn next(&mut self) -> Option<Act> {
        loop {
            let (control, ask) = (self.controls.peek().map(|timed| timed.at_ns), self.times.peek());
            let next = control.into_iter().chain(ask.copied()).min();
            if let Some((at_ns, _)) = self.beside.front()
                && next.is_some_and(|next| *at_ns <= next)
                && let Some((at_ns, it)) = self.beside.pop_front()
            {
                return Some(Act { at_ns, phase: self.phase(at_ns), what: What::Move(it) });
            }
            match (control, ask) {
                (Some(at_ns), ask) if ask.is_none_or(|ask_ns| at_ns <= *ask_ns) => {
                    let Timed { action, .. } = self.controls.next()?;
                    let what = What::Move(self.translate(action));
                    return Some(Act { at_ns, phase: self.phase(at_ns), what });
                }
                (_, Some(_)) => {
                    let at_ns = self.times.next()?;
                    if let Some(ask) = self.crowd.ask(at_ns) {
                        return Some(Act { at_ns, phase: self.phase(at_ns), what: What::Ask(ask) });
                    }
                }
                (_, None) => return None,
            }
        }
    }

    fn phase(&self, at_ns: u64) -> usize {
        let phase = self.night.phase_at(at_ns);
        Phase::ALL.iter().position(|other| *other == phase).unwrap_or(0)
    }

    /// The feed that prices what a suspension covers.
    fn feed_of(&self, level: Level, place: usize) -> usize {
        let mut markets = self.night.markets().iter();
        let market = match level {
            Level::Fixture => markets.find(|market| market.fixture == place),
            Level::Market => markets.nth(place),
            Level::Feed | Level::Engine | Level::Group | Level::Selection => None,
        };
        market.map_or(0, |market| market.feed)
    }

    fn translate(&self, control: Control) -> Move {
        match control {
            Control::Heartbeat { feed } => Move::Heartbeat { feed },
            Control::Gap { feed } => Move::Gap { feed },
            Control::Recovered { feed } => Move::Recovered { feed },
            Control::Prices { market, prices } => {
                let prices = prices.into_iter().map(|(place, price)| (place, Some(price)));
                let feed = self.night.markets()[market].feed;
                Move::Prices { feed, market, prices: prices.collect() }
            }
            Control::Suspend { level, place, owner } => {
                Move::Suspend { level, place, owner, feed: self.feed_of(level, place) }
            }
            Control::Release { level, place, owner } => {
                Move::Release { level, place, owner, feed: self.feed_of(level, place) }
            }
            Control::Open { market } => Move::Open { market },
            Control::Close { market } => Move::Close { market },
            Control::Result { market } => {
                Move::Result { market, outcomes: self.night.markets()[market].outcomes.clone() }
            }
            Control::Archive { market } => Move::Archive { market },
        }
    }
}

/// A day's sequence from recordings.
pub(crate) struct RecordedActs {
    merged: std::iter::Peekable<Merged>,
    names: Vec<String>,
    /// The place of each recording's markets, by the recording and the number there.
    places: BTreeMap<(usize, usize), usize>,
    markets: Vec<RecordedMarket>,
    /// Moves that follow from the update at hand.
    moves: VecDeque<(u64, Move)>,
    /// Moments at which customers bet, drawn by changes of prices before.
    waiting: BinaryHeap<Reverse<u64>>,
    this_second: (u64, u64),
    rate: u64,
    rng: Rng,
    crowd: Crowd,
    board: Board,
    in_play: usize,
    aside: Aside,
    begun: bool,
}

struct RecordedMarket {
    feed: usize,
    selections: usize,
    winners: u16,
    open: bool,
    suspended: bool,
    in_play: bool,
    is_over: bool,
    left_out: bool,
}

impl RecordedActs {
    fn new(merged: Merged, names: Vec<String>, seed: u64, accounts: usize, rate: u64) -> Self {
        RecordedActs {
            merged: merged.peekable(),
            names,
            places: BTreeMap::new(),
            markets: Vec::new(),
            moves: VecDeque::new(),
            waiting: BinaryHeap::new(),
            this_second: (0, 0),
            rate: rate.max(1),
            rng: Rng::new(seed ^ 0x0dd5),
            crowd: Crowd::new(seed, accounts),
            board: Board::default(),
            in_play: 0,
            aside: Aside::default(),
            begun: false,
        }
    }

    fn begins(&mut self) -> Option<betring_core::time::Timestamp> {
        self.skip_unread();
        match self.merged.peek()? {
            Ok(update) => {
                let at = update.publish_time_ms.saturating_mul(1_000_000);
                Some(betring_core::time::Timestamp(at))
            }
            Err(_) => None,
        }
    }

    /// Counts the lines that cannot be read; the recording goes on behind them.
    fn skip_unread(&mut self) {
        const SHOWN: usize = 3;
        while let Some(Err(error)) = self.merged.next_if(Result::is_err) {
            self.aside.unread += 1;
            if self.aside.unread_first.len() < SHOWN {
                self.aside.unread_first.push(error.to_string());
            }
        }
    }

    fn next(&mut self) -> Option<Act> {
        if !self.begun {
            // Nothing has been priced yet, so every feed has said everything there is.
            self.begun = true;
            let recovered = |feed| (0, Move::Recovered { feed });
            self.moves.extend((0..self.names.len()).map(recovered));
        }
        loop {
            if let Some((at_ns, next)) = self.moves.pop_front() {
                let phase = usize::from(0 < self.in_play);
                return Some(Act { at_ns, phase, what: What::Move(next) });
            }
            self.skip_unread();
            let update_ns = match self.merged.peek() {
                Some(Ok(update)) => Some(update.since_start_ns),
                Some(Err(_)) => continue,
                None => None,
            };
            let ask_ns = self.waiting.peek().map(|Reverse(at_ns)| *at_ns);
            match (update_ns, ask_ns) {
                (update_ns, Some(at_ns)) if update_ns.is_none_or(|it| at_ns < it) => {
                    self.waiting.pop();
                    const HURRY: u64 = 30;
                    if let Some(ask) = self.crowd.ask(at_ns, HURRY, &self.board) {
                        let phase = usize::from(0 < self.in_play);
                        return Some(Act { at_ns, phase, what: What::Ask(ask) });
                    }
                }
                (None, _) => return None,
                (Some(_), _) => {
                    if let Some(Ok(update)) = self.merged.next() {
                        self.aside.updates += 1;
                        self.take(update);
                    }
                }
            }
        }
    }

    fn take(&mut self, update: MergedUpdate) {
        let MergedUpdate { since_start_ns: at_ns, source, update, .. } = update;
        let place_of = |market: betring_betfair::MarketIndex| (source, market.index());
        let known = |market| self.places.get(&place_of(market)).copied();
        let mut moves = Vec::new();
        match update {
            Update::Heartbeat => moves.push(Move::Heartbeat { feed: source }),
            Update::Define(define) => {
                let market = self.markets.len();
                self.places.insert(place_of(define.market), market);
                let mut selections: Vec<String> = Vec::with_capacity(define.selections.len());
                for named in &define.selections {
                    selections.push(name_within(&named.name, 64));
                }
                let count = selections.len();
                let most = u16::try_from(count).unwrap_or(u16::MAX).saturating_sub(1).max(1);
                let why_not = match (count, define.market_type.as_str()) {
                    (0 | 1, _) => Some("it has fewer than two selections"),
                    (251.., _) => Some("it has more than 250 selections"),
                    (_, "EACH_WAY") => Some("each-way bets have two parts"),
                    _ => None,
                };
                let winners = define.winners.clamp(1, most);
                self.board.add_market(100);
                selections.iter().for_each(|_| self.board.add_selection(market));
                self.markets.push(RecordedMarket {
                    feed: source,
                    selections: count,
                    winners,
                    open: false,
                    suspended: false,
                    in_play: false,
                    is_over: false,
                    left_out: why_not.is_some(),
                });
                match why_not {
                    Some(why) => self.aside.left_out.push(format!("{}: {why}", define.id)),
                    None => {
                        let terms = Terms {
                            name: name_within(&define.id, 48),
                            title: define.name,
                            feed: source,
                            fixture: None,
                            winners,
                            age_bound: RECORDED_AGE,
                            selections,
                            max_liability: None,
                            each_way: false,
                        };
                        moves.push(Move::Define { market, terms });
                    }
                }
            }
            Update::SelectionAdded { .. } => self.aside.late_selections += 1,
            Update::Status { market, status, in_play, .. } => {
                if let Some(market) = known(market) {
                    self.status(market, status, in_play, &mut moves);
                }
            }
            Update::RunnerRemoved { market, selection, .. } => {
                self.aside.removed += 1;
                if let Some((market, selection)) =
                    known(market).and_then(|m| self.selection(m, selection))
                {
                    self.board.set_price(at_ns, market, selection, None);
                    moves.push(Move::Withdraw { market, selection });
                }
            }
            Update::Prices { market, prices, .. } => {
                if let Some(market) = known(market) {
                    let of_book = |(selection, price)| {
                        self.selection(market, selection).map(|(_, selection)| (selection, price))
                    };
                    let prices: Vec<(u16, Option<Price>)> =
                        prices.into_iter().filter_map(of_book).collect();
                    for (selection, price) in &prices {
                        self.board.set_price(at_ns, market, *selection, *price);
                    }
                    if !prices.is_empty() && !self.markets[market].left_out {
                        self.draw_bets(at_ns);
                        moves.push(Move::Prices { feed: source, market, prices });
                    }
                }
            }
            Update::StartingPrice { .. } => self.aside.starting_prices += 1,
            Update::Results { market, winners, outcomes } => {
                if let Some(market) = known(market) {
                    self.result(market, winners, &outcomes, &mut moves);
                }
            }
        }
        self.moves.extend(moves.into_iter().map(|it| (at_ns, it)));
    }

    /// The selection, if its market was defined with it.
    fn selection(&self, market: usize, selection: SelectionIndex) -> Option<(usize, u16)> {
        let place = selection.index();
        let there = self.markets.get(market).is_some_and(|market| place < market.selections);
        Some((market, u16::try_from(place).ok()?)).filter(|_| there)
    }

    fn status(
        &mut self,
        market: usize,
        status: MarketStatus,
        in_play: bool,
        moves: &mut Vec<Move>,
    ) {
        let of = &mut self.markets[market];
        if of.left_out || of.is_over {
            return;
        }
        if in_play != of.in_play {
            of.in_play = in_play;
            self.in_play = if in_play { self.in_play + 1 } else { self.in_play - 1 };
        }
        let (level, place, owner, feed) = (Level::Market, market, Owner::Feed, of.feed);
        let showing = match status {
            MarketStatus::Open => {
                if !of.open {
                    of.open = true;
                    moves.push(Move::Open { market });
                }
                if of.suspended {
                    of.suspended = false;
                    moves.push(Move::Release { level, place, owner, feed });
                }
                Showing::Open
            }
            MarketStatus::Suspended => {
                if !of.suspended {
                    of.suspended = true;
                    moves.push(Move::Suspend { level, place, owner, feed });
                }
                Showing::Suspended
            }
            MarketStatus::Closed => {
                if of.in_play {
                    of.in_play = false;
                    self.in_play -= 1;
                }
                of.is_over = true;
                if of.open {
                    moves.push(Move::Close { market });
                }
                Showing::Hidden
            }
            MarketStatus::Inactive => Showing::Hidden,
        };
        let showing = if of.open || showing == Showing::Open { showing } else { Showing::Hidden };
        self.board.show(market, showing);
    }

    fn result(
        &mut self,
        market: usize,
        winners: u16,
        outcomes: &[(SelectionIndex, Outcome)],
        moves: &mut Vec<Move>,
    ) {
        let of = &self.markets[market];
        if of.left_out || !of.open {
            return;
        }
        // Selections that the market was not defined with take no part in its settlement.
        let mut all = vec![SelectionOutcome::Void; of.selections];
        for (selection, outcome) in outcomes {
            let Some(place) = all.get_mut(selection.index()) else { continue };
            *place = match outcome {
                Outcome::Win | Outcome::Placed => SelectionOutcome::Win,
                Outcome::Lose => SelectionOutcome::Lose,
                Outcome::Void => SelectionOutcome::Void,
            };
        }
        if winners != of.winners {
            let (was, now) = (of.winners, winners);
            let text = format!(
                "market {}: defined with {was} winners, its result names {now}",
                market + 1
            );
            self.aside.left_out.push(text);
        }
        moves.push(Move::Result { market, outcomes: all });
    }

    /// About ten bets a change of prices, within the second after it, while its price is fresh.
    fn draw_bets(&mut self, at_ns: u64) {
        let second = at_ns / SECOND_NS;
        if self.this_second.0 != second {
            self.this_second = (second, 0);
        }
        let bets = self.rng.below(21);
        for _ in 0..bets {
            if self.rate <= self.this_second.1 || WAITING_MAX <= self.waiting.len() {
                return;
            }
            self.this_second.1 += 1;
            self.waiting.push(Reverse(at_ns + self.rng.below(SECOND_NS * 9 / 10)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derby() -> Vec<Act> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../betfair/recordings/derby.jsonl");
        let acts = Acts::recorded(&[PathBuf::from(path)], 1, 100, 200);
        acts.expect("the recording that is shipped").collect()
    }

    #[test]
    fn a_recording_is_played_in_order_and_bets_come_behind_the_prices_that_drew_them() {
        let acts = derby();
        assert!(acts.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns));
        let asks = acts.iter().filter(|act| matches!(act.what, What::Ask(_))).count();
        let prices = acts.iter().filter(|act| matches!(act.what, What::Move(Move::Prices { .. })));
        let prices = prices.count();
        assert!(5 * prices < asks && asks < 11 * prices, "{asks} asks, {prices} changes of prices");
    }

    #[test]
    fn a_recorded_market_is_defined_opened_closed_and_has_its_result() {
        let acts = derby();
        let of_market = |act: &Act| match &act.what {
            What::Move(Move::Define { terms, .. }) if terms.name == "1.900000003" => Some("define"),
            What::Move(Move::Open { market: 2 }) => Some("open"),
            What::Move(Move::Withdraw { market: 2, selection: 3 }) => Some("withdraw"),
            What::Move(Move::Close { market: 2 }) => Some("close"),
            What::Move(Move::Result { market: 2, .. }) => Some("result"),
            _ => None,
        };
        let life: Vec<&str> = acts.iter().filter_map(of_market).collect();
        assert_eq!(life, ["define", "open", "withdraw", "close", "result"]);
        let result = acts.iter().find_map(|act| match &act.what {
            What::Move(Move::Result { market: 2, outcomes }) => Some(outcomes.clone()),
            _ => None,
        });
        use SelectionOutcome::{Lose, Void, Win};
        assert_eq!(result, Some(vec![Win, Win, Lose, Void, Lose, Lose]), "PLACE pays two");
        let winners = acts.iter().find_map(|act| match &act.what {
            What::Move(Move::Define { terms, .. }) if terms.name == "1.900000003" => {
                Some(terms.winners)
            }
            _ => None,
        });
        assert_eq!(winners, Some(2));
    }

    #[test]
    fn a_night_has_its_moves_and_asks_in_one_order() {
        let night = DerbyNight::from_seed(1, 500, 15, 2);
        let mut acts = Acts::night(&night);
        let opening = acts.opening();
        let opens = opening.iter().filter(|it| matches!(it, Move::Open { .. })).count();
        assert_eq!(opens, night.markets().len(), "every market is open before anybody bets");
        let acts: Vec<Act> = acts.collect();
        assert!(acts.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns));
        let asks = acts.iter().filter(|act| matches!(act.what, What::Ask(_))).count();
        let about = usize::try_from(night.expected_asks()).unwrap();
        assert!(asks.abs_diff(about) < about / 10, "{asks} asks, about {about} expected");
        assert!(acts.iter().any(|act| act.phase == 5));
    }

    #[test]
    fn names_are_cut_to_what_the_journal_takes() {
        assert_eq!(feed_name("a/b/tennis-1.bz2"), "tennis-1");
        assert_eq!(name_within("éé", 3), "é");
        assert_eq!(name_within("\n", 3), "unnamed");
    }
}
