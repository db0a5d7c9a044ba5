//! A derby night from a seed: who bets on what and when, what feeds and traders do meanwhile.
//!
//! [`DerbyNight`] is the plan: fixtures, feeds, markets, accounts, and a timeline from a calm evening
//! through kick-off, a goal and a stalled feed to the results. [`Controls`] plays the side of feeds
//! and traders, a [`Crowd`] that of the customers. Customers see prices on a [`Board`], later than the
//! book does, as on a phone. There is no clock in here and no thread: the same seed gives the same
//! night, and times are nanoseconds since it began.

use betring_core::command::{Level, Owner, PricePolicy, SelectionOutcome};
use betring_pricing::{Ladder, Money, Price, Stake};
use std::collections::VecDeque;

/// Nanoseconds of a millisecond.
const MS: u64 = 1_000_000;
/// Nanoseconds of a second.
const SECOND: u64 = 1_000 * MS;
/// Prices of one selection that a board remembers: a slip may be older than all of them.
const PRICES_REMEMBERED: usize = 64;
/// Slips that may be sent again: the youngest of a crowd's.
const SLIPS_REMEMBERED: usize = 256;
/// The longest night: a test of patience, not of the core.
const SECONDS_MAX: u64 = 86_400;

/// Numbers that look random and follow from the seed (SplitMix64, public domain, S. Vigna).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A sequence of its own for every seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and is no sequence to walk")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of a product: a bias of bound in 2^64.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, chances: u64) -> bool {
        self.below(1_000) < chances
    }

    /// One of a list.
    ///
    /// # Panics
    /// If the list is empty.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Chooses among places by weight.
#[derive(Clone, Debug, Default)]
struct Weights {
    /// Sums of the weights up to and with each place.
    sums: Vec<u64>,
}

impl Weights {
    fn new(weights: impl Iterator<Item = u64>) -> Weights {
        let mut sum = 0u64;
        let add = |weight| {
            sum = sum.saturating_add(weight);
            sum
        };
        Weights { sums: weights.map(add).collect() }
    }

    /// A place; none where all weights are 0.
    fn pick(&self, rng: &mut Rng) -> Option<usize> {
        let sum = *self.sums.last()?;
        if sum == 0 {
            return None;
        }
        let point = rng.below(sum);
        Some(self.sums.partition_point(|to| *to <= point))
    }
}

/// A part of the night, for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The evening before.
    Calm,
    /// Everybody bets at once.
    KickOff,
    /// The match is on.
    Play,
    /// A goal: suspended, priced anew, released.
    Goal,
    /// One feed stands still and comes back.
    Stall,
    /// The whistle: closed, results, settlement.
    FullTime,
}

impl Phase {
    /// All parts in order.
    pub const ALL: [Phase; 6] =
        [Phase::Calm, Phase::KickOff, Phase::Play, Phase::Goal, Phase::Stall, Phase::FullTime];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Calm => "calm",
            Phase::KickOff => "kick-off",
            Phase::Play => "play",
            Phase::Goal => "goal",
            Phase::Stall => "feed stall",
            Phase::FullTime => "full time",
        }
    }

    /// When it begins, in thousandths of the night.
    const fn begins(self) -> u64 {
        match self {
            Phase::Calm => 0,
            Phase::KickOff => 250,
            Phase::Play => 450,
            Phase::Goal => 550,
            Phase::Stall => 670,
            Phase::FullTime => 820,
        }
    }
}

/// A source of prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPlan {
    /// Its name.
    pub name: String,
    /// Silent for longer than this, it counts as down, in nanoseconds.
    pub silence_ns: u64,
}

/// A market of the night.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketPlan {
    /// Its name.
    pub name: String,
    /// The fixture's place in the plan.
    pub fixture: usize,
    /// The feed's place in the plan.
    pub feed: usize,
    /// Names of its selections.
    pub selections: Vec<String>,
    /// Prices older than this are refused, in nanoseconds.
    pub age_bound_ns: u64,
    /// Its share of the bets, against the others' weights.
    pub weight: u64,
    /// The most it may lose, where it has a limit of its own.
    pub max_liability: Option<Money>,
    /// What becomes of its selections.
    pub outcomes: Vec<SelectionOutcome>,
    /// Time between two changes of its prices, in nanoseconds.
    every_ns: u64,
    /// Prices around which it moves, before and after the goal, in ticks of the classic ladder.
    base: Vec<[i32; 2]>,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPlan {
    /// The operator's number for the account.
    pub reference: u64,
    /// What is paid in before the night.
    pub deposit: Money,
}

/// Something and when it is to happen, in nanoseconds since the night began.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed<T> {
    /// When.
    pub at_ns: u64,
    /// What.
    pub action: T,
}

/// What feeds and traders do. Places are those of the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// A feed is alive.
    Heartbeat {
        /// The feed's place.
        feed: usize,
    },
    /// The adapter has noticed that messages are missing.
    Gap {
        /// The feed's place.
        feed: usize,
    },
    /// A feed has sent everything again.
    Recovered {
        /// The feed's place.
        feed: usize,
    },
    /// Prices of a market, of some or all selections.
    Prices {
        /// The market's place.
        market: usize,
        /// A selection and its price.
        prices: Vec<(u16, Price)>,
    },
    /// An owner suspends something.
    Suspend {
        /// [`Level::Fixture`] or [`Level::Market`].
        level: Level,
        /// The fixture's or market's place.
        place: usize,
        /// Who.
        owner: Owner,
    },
    /// An owner takes its suspension back.
    Release {
        /// [`Level::Fixture`] or [`Level::Market`].
        level: Level,
        /// The fixture's or market's place.
        place: usize,
        /// Who.
        owner: Owner,
    },
    /// A market takes bets.
    Open {
        /// The market's place.
        market: usize,
    },
    /// A market takes no more bets.
    Close {
        /// The market's place.
        market: usize,
    },
    /// A market's result; its outcomes stand in the plan. The second time is a repetition.
    Result {
        /// The market's place.
        market: usize,
    },
    /// A settled market is to leave memory.
    Archive {
        /// The market's place.
        market: usize,
    },
}

/// A bet as a customer filled it in. The same request, the same bytes, however often it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slip {
    /// The request's number, from 1.
    pub request: u64,
    /// The account's place.
    pub account: usize,
    /// The market's place.
    pub market: usize,
    /// The selection.
    pub selection: u16,
    /// The stake.
    pub stake: Stake,
    /// The price that the customer saw.
    pub price: Price,
    /// What the customer agrees to, should it have moved.
    pub policy: PricePolicy,
    /// With [`PricePolicy::Within`], by how many ten-thousandths it may be lower; else 0.
    pub slippage: u16,
    /// When it was filled in.
    pub made_ns: u64,
}

/// What a customer asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A bet, for the first time.
    Place(Slip),
    /// The same again, impatiently: one bet, never two.
    Retry(Slip),
    /// The key of an earlier bet for another stake: a mistake of the client's.
    Reused(Slip),
    /// Whether a bet was placed that the customer's phone never sent.
    Resolve(Slip),
    /// That bet, arriving after the question was closed.
    LateCopy(Slip),
    /// Money in.
    Deposit {
        /// The request's number.
        request: u64,
        /// The account's place.
        account: usize,
        /// How much.
        amount: Money,
        /// When it was asked.
        made_ns: u64,
    },
    /// Money out.
    Withdraw {
        /// The request's number.
        request: u64,
        /// The account's place.
        account: usize,
        /// How much.
        amount: Money,
        /// When it was asked.
        made_ns: u64,
    },
}

/// The plan of a night; see the module.
#[derive(Clone, Debug)]
pub struct DerbyNight {
    seed: u64,
    rate: u64,
    spike: u64,
    length_ns: u64,
    fixtures: Vec<String>,
    feeds: Vec<FeedPlan>,
    markets: Vec<MarketPlan>,
    accounts: Vec<AccountPlan>,
}

impl DerbyNight {
    /// A night of `seconds`, with `rate` bets a second while it is calm and `spike` times as many at
    /// kick-off. All three count as at least 1.
    pub fn from_seed(seed: u64, rate: u64, spike: u64, seconds: u64) -> DerbyNight {
        let (rate, spike) = (rate.max(1), spike.max(1));
        let length_ns = seconds.clamp(1, SECONDS_MAX) * SECOND;
        let silence_ns = (length_ns / 40).clamp(300 * MS, 500 * MS);
        let feed = |name: &str| FeedPlan { name: name.to_owned(), silence_ns };
        let mut night = DerbyNight {
            seed,
            rate,
            spike,
            length_ns,
            fixtures: ["England v Scotland", "France v Italy", "Spain v Portugal"]
                .map(str::to_owned)
                .to_vec(),
            feeds: vec![feed("stadium"), feed("continent")],
            markets: markets(seed),
            accounts: Vec::new(),
        };
        let bets = u64::try_from(night.expected_asks()).unwrap_or(u64::MAX);
        night.accounts = accounts(seed, bets, seconds);
        night
    }

    /// How long it is, in nanoseconds.
    pub fn length_ns(&self) -> u64 {
        self.length_ns
    }

    /// The fixtures' names.
    pub fn fixtures(&self) -> &[String] {
        &self.fixtures
    }

    /// The feeds.
    pub fn feeds(&self) -> &[FeedPlan] {
        &self.feeds
    }

    /// The markets.
    pub fn markets(&self) -> &[MarketPlan] {
        &self.markets
    }

    /// The accounts.
    pub fn accounts(&self) -> &[AccountPlan] {
        &self.accounts
    }

    /// The part of the night at a moment.
    pub fn phase_at(&self, at_ns: u64) -> Phase {
        let begun = |phase: &&Phase| self.moment(phase.begins()) <= at_ns;
        *Phase::ALL.iter().rev().find(begun).unwrap_or(&Phase::Calm)
    }

    /// How long a part is, in nanoseconds; customers are quiet for the last twentieth of the night.
    pub fn phase_length_ns(&self, phase: Phase) -> u64 {
        let next = Phase::ALL.iter().copied().find(|other| phase < *other);
        self.moment(next.map_or(950, Phase::begins)) - self.moment(phase.begins())
    }

    /// Requests per second: (nanoseconds since the start, rate), straight lines between.
    pub fn rates(&self) -> Vec<(u64, u64)> {
        let rise_ns = (self.length_ns / 20).min(SECOND);
        let at = |permille| self.moment(permille);
        let (calm, peak) = (self.rate, self.rate.saturating_mul(self.spike));
        let part = |fifteenths: u64| (peak.saturating_mul(fifteenths) / 15).max(calm);
        vec![
            (0, calm),
            (at(250), calm),
            (at(250) + rise_ns, peak),
            (at(400), peak),
            (at(450), part(3)),
            (at(550), part(3)),
            // A goal brings everybody back for a moment.
            (at(560), part(6)),
            (at(640), part(3)),
            (at(670), part(2)),
            (at(820), part(2)),
            (at(870), calm / 4),
            (at(950), 0),
        ]
    }

    /// About how many requests customers will send, for the size of tables and files.
    pub fn expected_asks(&self) -> u128 {
        let area = |pair: &[(u64, u64)]| {
            let [(from, low), (to, high)] = [pair[0], pair[1]];
            u128::from(to - from) * (u128::from(low) + u128::from(high)) / 2 / u128::from(SECOND)
        };
        self.rates().windows(2).map(area).sum()
    }

    /// What feeds and traders do.
    pub fn controls(&self) -> Controls {
        Controls::new(self)
    }

    /// The customers; they see the prices of `self.controls()`, each a little later.
    pub fn crowd(&self) -> NightCrowd {
        let weights: Vec<u64> = self.markets.iter().map(|market| market.weight).collect();
        let mut board = Board::default();
        for (market, weight) in self.markets.iter().zip(weights) {
            let place = board.add_market(weight);
            market.selections.iter().for_each(|_| board.add_selection(place));
        }
        let crowd = Crowd::new(self.seed, self.accounts.len());
        NightCrowd { crowd, board, controls: self.controls().peekable(), night: self.clone() }
    }

    fn moment(&self, permille: u64) -> u64 {
        self.length_ns / 1_000 * permille
    }
}

/// Customers, the busiest ones with the money for what they will stake, every 25th with too little.
fn accounts(seed: u64, bets: u64, seconds: u64) -> Vec<AccountPlan> {
    let count = seconds.saturating_mul(100).clamp(200, 2_000);
    let weights = activity(count);
    let all: u64 = weights.iter().sum();
    let mut rng = Rng::new(seed ^ 0xacc0);
    let account = |(place, weight): (u64, &u64)| {
        let own_bets = u128::from(bets) * u128::from(*weight) / u128::from(all);
        // Most stakes are small: 26.00 a bet leaves few without funds towards the end.
        let spends = i64::try_from(own_bets * 2_600).unwrap_or(i64::MAX / 2);
        let minor = match place % 25 {
            24 => 500,
            _ => 10_000 + spends + rng.below(10_000) as i64,
        };
        let deposit = Money::from_minor(minor).unwrap_or(Money::MAX);
        AccountPlan { reference: 1_000 + place, deposit }
    };
    (0..).zip(&weights).map(account).collect()
}

/// How busy each account is, by Zipf's law from the twentieth rank on: without its head, where one
/// customer would place a tenth of all bets.
fn activity(accounts: u64) -> Vec<u64> {
    (0..accounts).map(|rank| 1_000_000_000 / (20 + rank)).collect()
}

/// A price of the classic ladder by its tick.
fn classic(tick: i32) -> Option<Price> {
    let tick = u32::try_from(tick).ok()?;
    Ladder::CLASSIC.price(betring_pricing::Tick::new(tick))
}

/// The tick of a price in ten-thousandths, or the next lower one.
fn tick_of(e4: u32) -> i32 {
    let snapped = Price::from_e4(e4)
        .and_then(|price| Ladder::CLASSIC.snap(price, betring_pricing::Snap::Down))
        .and_then(|price| Ladder::CLASSIC.tick(price));
    snapped.map_or(0, |tick| i32::try_from(tick.index()).unwrap_or(0))
}

fn markets(seed: u64) -> Vec<MarketPlan> {
    const TOP: u64 = 1_500 * MS;
    let mut rng = Rng::new(seed ^ 0x3a7);
    let mut market = |name: &str, fixture: usize, weight: u64, prices: &[(&str, u32, u32)]| {
        let winner = rng.below(prices.len() as u64) as usize;
        let outcome = |place| match place == winner {
            true => SelectionOutcome::Win,
            false => SelectionOutcome::Lose,
        };
        MarketPlan {
            name: name.to_owned(),
            fixture,
            feed: usize::from(fixture != 0),
            selections: prices.iter().map(|(name, ..)| (*name).to_owned()).collect(),
            age_bound_ns: TOP,
            weight,
            max_liability: None,
            outcomes: (0..prices.len()).map(outcome).collect(),
            every_ns: if fixture == 0 { 50 * MS } else { 250 * MS },
            base: prices.iter().map(|(_, a, b)| [tick_of(*a), tick_of(*b)]).collect(),
        }
    };
    // Name, fixture, weight; selections with their prices before and after England's goal.
    let mut markets = vec![
        market(
            "ENG-SCO 1X2",
            0,
            1_000,
            &[("England", 21_000, 14_400), ("Draw", 34_000, 44_000), ("Scotland", 37_500, 85_000)],
        ),
        market(
            "ENG-SCO goals 2.5",
            0,
            180,
            &[("Over 2.5", 19_500, 16_000), ("Under 2.5", 18_700, 23_000)],
        ),
        market(
            "ENG-SCO next goal",
            0,
            220,
            &[("England", 18_000, 19_000), ("None", 90_000, 70_000), ("Scotland", 24_000, 23_000)],
        ),
        market("ENG-SCO both score", 0, 90, &[("Yes", 18_000, 17_000), ("No", 20_000, 21_000)]),
        market(
            "ENG-SCO correct score",
            0,
            60,
            &[
                ("1-0", 75_000, 60_000),
                ("2-0", 95_000, 70_000),
                ("2-1", 90_000, 75_000),
                ("0-0", 90_000, 1_000_000),
                ("1-1", 65_000, 70_000),
                ("0-1", 110_000, 1_000_000),
                ("0-2", 190_000, 1_000_000),
                ("1-2", 140_000, 170_000),
                ("Any other", 45_000, 38_000),
            ],
        ),
        market(
            "FRA-ITA 1X2",
            1,
            120,
            &[("France", 19_000, 19_000), ("Draw", 34_000, 34_000), ("Italy", 42_000, 42_000)],
        ),
        market(
            "FRA-ITA goals 2.5",
            1,
            50,
            &[("Over 2.5", 20_000, 20_000), ("Under 2.5", 18_200, 18_200)],
        ),
        market(
            "ESP-POR 1X2",
            2,
            100,
            &[("Spain", 20_000, 20_000), ("Draw", 33_000, 33_000), ("Portugal", 39_000, 39_000)],
        ),
        market(
            "ESP-POR goals 2.5",
            2,
            40,
            &[("Over 2.5", 18_800, 18_800), ("Under 2.5", 19_400, 19_400)],
        ),
    ];
    // Long prices on a small market: its own limit is met before the night is over.
    markets[4].max_liability = Money::from_minor(2_000_000);
    // Abandoned in the fog: every stake goes back.
    markets[8].outcomes = vec![SelectionOutcome::Void; 2];
    markets
}

/// What feeds and traders do, in order of time; see [`DerbyNight::controls`].
#[derive(Clone, Debug)]
pub struct Controls {
    queue: VecDeque<Timed<Control>>,
}

impl Controls {
    fn new(night: &DerbyNight) -> Controls {
        let mut all = Vec::new();
        night.feeds_play(&mut all);
        night.traders_play(&mut all);
        // By time; what was said first at one moment stays first.
        all.sort_by_key(|timed| timed.at_ns);
        Controls { queue: all.into() }
    }
}

impl Iterator for Controls {
    type Item = Timed<Control>;

    fn next(&mut self) -> Option<Timed<Control>> {
        self.queue.pop_front()
    }
}

/// When the one feed is silent.
struct Silence {
    feed: usize,
    from_ns: u64,
    to_ns: u64,
}

impl DerbyNight {
    fn silence(&self) -> Silence {
        let feed = self.feeds.len() - 1;
        let from_ns = self.moment(Phase::Stall.begins());
        let lasts_ns = (self.feeds[feed].silence_ns * 13 / 10).max(self.moment(75));
        Silence { feed, from_ns, to_ns: from_ns + lasts_ns }
    }

    /// When a market takes no more bets: one after another, behind the whistle.
    fn closes_ns(&self, market: usize) -> u64 {
        self.moment(870) + market as u64 * self.moment(5)
    }

    fn feeds_play(&self, all: &mut Vec<Timed<Control>>) {
        let silence = self.silence();
        let speaks = |feed: usize, at_ns: u64| {
            feed != silence.feed || at_ns < silence.from_ns || silence.to_ns < at_ns
        };
        let mut tell = |at_ns, action| all.push(Timed { at_ns, action });
        let mut walks: Vec<Walk> = self.markets.iter().map(Walk::new).collect();
        let mut rng = Rng::new(self.seed ^ 0xfeed);
        // Everything once, then the feeds are up.
        for (market, walk) in walks.iter().enumerate() {
            tell(0, Control::Prices { market, prices: walk.prices() });
        }
        for feed in 0..self.feeds.len() {
            tell(0, Control::Recovered { feed });
            let every_ns = self.feeds[feed].silence_ns / 5;
            let mut at_ns = every_ns;
            while at_ns < self.length_ns {
                if speaks(feed, at_ns) {
                    tell(at_ns, Control::Heartbeat { feed });
                }
                at_ns += every_ns;
            }
        }
        let goal_ns = self.moment(Phase::Goal.begins());
        let (stop_ns, back_ns) = (goal_ns, goal_ns + self.moment(30));
        for (market, plan) in self.markets.iter().enumerate() {
            let mut at_ns = plan.every_ns;
            while at_ns < self.closes_ns(market) {
                let scored = plan.fixture == 0 && goal_ns <= at_ns;
                let during = plan.fixture == 0 && (stop_ns..back_ns).contains(&at_ns);
                let moved = walks[market].step(scored, &mut rng);
                if speaks(plan.feed, at_ns) && !during && !moved.is_empty() {
                    tell(at_ns, Control::Prices { market, prices: moved });
                }
                // Up to a quarter later or earlier: feeds do not tick in step.
                let jitter_ns = rng.below(plan.every_ns / 2);
                at_ns += plan.every_ns * 3 / 4 + jitter_ns;
            }
            // After the goal all prices come at once, before anything is released.
            if plan.fixture == 0 {
                let scored = Walk::scored(plan).prices();
                tell(back_ns, Control::Prices { market, prices: scored });
            }
        }
        // The silent feed comes back; its adapter knows what is missing, and says everything again.
        let Silence { feed, to_ns, .. } = silence;
        tell(to_ns, Control::Heartbeat { feed });
        tell(to_ns, Control::Gap { feed });
        for (market, plan) in self.markets.iter().enumerate().filter(|(_, m)| m.feed == feed) {
            let prices = Walk::new(plan).prices();
            tell(to_ns, Control::Prices { market, prices });
        }
        tell(to_ns, Control::Recovered { feed });
    }

    fn traders_play(&self, all: &mut Vec<Timed<Control>>) {
        let mut tell = |at_ns, action| all.push(Timed { at_ns, action });
        for market in 0..self.markets.len() {
            tell(0, Control::Open { market });
        }
        // The goal: the feed stops the match at once, the trader the main market a moment later.
        let goal_ns = self.moment(Phase::Goal.begins());
        let (fixture, main) = ((Level::Fixture, 0), (Level::Market, 0));
        let suspend = |(level, place), owner| Control::Suspend { level, place, owner };
        let release = |(level, place), owner| Control::Release { level, place, owner };
        tell(goal_ns, suspend(fixture, Owner::Feed));
        tell(goal_ns + 20 * MS, suspend(main, Owner::Trader));
        tell(goal_ns + self.moment(40), release(fixture, Owner::Feed));
        tell(goal_ns + self.moment(60), release(main, Owner::Trader));
        // The whistle: closed first, then the results, one after another, the first one twice.
        for market in 0..self.markets.len() {
            let step_ns = market as u64 * self.moment(5);
            tell(self.closes_ns(market), Control::Close { market });
            tell(self.moment(920) + step_ns, Control::Result { market });
        }
        tell(self.moment(965), Control::Result { market: 0 });
        tell(self.length_ns, Control::Archive { market: self.markets.len() - 1 });
    }
}

/// Prices of a market that wander around where they belong.
#[derive(Clone, Debug)]
struct Walk {
    base: Vec<[i32; 2]>,
    ticks: Vec<i32>,
}

impl Walk {
    fn new(plan: &MarketPlan) -> Walk {
        Walk { base: plan.base.clone(), ticks: plan.base.iter().map(|[tick, _]| *tick).collect() }
    }

    fn scored(plan: &MarketPlan) -> Walk {
        Walk { base: plan.base.clone(), ticks: plan.base.iter().map(|[_, tick]| *tick).collect() }
    }

    /// All prices.
    fn prices(&self) -> Vec<(u16, Price)> {
        let price = |(place, tick): (u16, &i32)| Some((place, classic(*tick)?));
        (0..).zip(&self.ticks).filter_map(price).collect()
    }

    /// A step of every selection, and the prices that moved.
    fn step(&mut self, scored: bool, rng: &mut Rng) -> Vec<(u16, Price)> {
        let mut moved = Vec::new();
        for (place, (tick, base)) in (0..).zip(self.ticks.iter_mut().zip(&self.base)) {
            let base = base[usize::from(scored)];
            // Far from where it belongs, it jumps there; near to it, it wanders.
            let to = match (*tick - base).abs() {
                9.. => base,
                _ => {
                    let pull = (base - *tick).signum() * i32::from(rng.permille(300));
                    *tick + pull + rng.pick(&[-1, 0, 0, 0, 1])
                }
            };
            if to == *tick {
                continue;
            }
            if let Some(price) = classic(to) {
                *tick = to;
                moved.push((place, price));
            }
        }
        moved
    }
}

/// What customers see: markets, whether they take bets, and prices with when they were set.
#[derive(Clone, Debug, Default)]
pub struct Board {
    markets: Vec<Listing>,
}

/// Whether a market takes bets, as far as customers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// Not yet, or not any more: nobody bets on it.
    Hidden,
    /// Suspended: some still try.
    Suspended,
    /// Open.
    Open,
}

#[derive(Clone, Debug)]
struct Listing {
    weight: u64,
    showing: Showing,
    selections: Vec<VecDeque<(u64, Option<Price>)>>,
}

impl Board {
    /// A market without selections, hidden; `weight` is its share of the bets. Its place comes back.
    pub fn add_market(&mut self, weight: u64) -> usize {
        let listing = Listing { weight, showing: Showing::Hidden, selections: Vec::new() };
        self.markets.push(listing);
        self.markets.len() - 1
    }

    /// One more selection of a market; unknown markets are ignored, here and below.
    pub fn add_selection(&mut self, market: usize) {
        if let Some(market) = self.markets.get_mut(market) {
            market.selections.push(VecDeque::with_capacity(PRICES_REMEMBERED));
        }
    }

    /// Whether a market takes bets from now on.
    pub fn show(&mut self, market: usize, showing: Showing) {
        if let Some(market) = self.markets.get_mut(market) {
            market.showing = showing;
        }
    }

    /// A selection's price, or that it has none, from `at_ns` on.
    pub fn set_price(&mut self, at_ns: u64, market: usize, selection: u16, price: Option<Price>) {
        let place = usize::from(selection);
        let found = self.markets.get_mut(market).and_then(|m| m.selections.get_mut(place));
        let Some(history) = found else { return };
        if history.len() == PRICES_REMEMBERED {
            history.pop_front();
        }
        history.push_back((at_ns, price));
    }

    /// The price that was shown at `at_ns`; before all that are remembered, the oldest of them.
    pub fn seen(&self, market: usize, selection: u16, at_ns: u64) -> Option<Price> {
        let history = self.markets.get(market)?.selections.get(usize::from(selection))?;
        let before = history.partition_point(|(from_ns, _)| *from_ns <= at_ns);
        history.get(before.saturating_sub(1))?.1
    }

    /// A market that customers bet on: by weight, a suspended one at a quarter of it.
    fn pick(&self, rng: &mut Rng) -> Option<usize> {
        let weight = |market: &Listing| match market.showing {
            Showing::Hidden => 0,
            Showing::Suspended => market.weight / 4,
            Showing::Open => market.weight,
        };
        let all: u64 = self.markets.iter().map(weight).sum();
        let mut point = rng.below(all);
        for (place, market) in self.markets.iter().enumerate() {
            let weight = weight(market);
            if point < weight {
                return Some(place);
            }
            point -= weight;
        }
        None
    }
}

/// Customers, each with habits: busy ones and quiet ones, patient and impatient.
#[derive(Clone, Debug)]
pub struct Crowd {
    rng: Rng,
    busy: Weights,
    requests: u64,
    slips: VecDeque<Slip>,
    /// Slips that were never sent, asked about, and are still to arrive late.
    lost: VecDeque<Slip>,
}

impl Crowd {
    /// So many accounts, at least one.
    pub fn new(seed: u64, accounts: usize) -> Crowd {
        let accounts = u64::try_from(accounts).unwrap_or(u64::MAX).clamp(1, 1 << 24);
        Crowd {
            rng: Rng::new(seed ^ 0xc0de),
            busy: Weights::new(activity(accounts).into_iter()),
            requests: 0,
            slips: VecDeque::with_capacity(SLIPS_REMEMBERED),
            lost: VecDeque::new(),
        }
    }

    /// The next request, at `at_ns`. `hurry` is how many in a thousand are sent again by somebody who
    /// did not wait. None while there is nothing to bet on.
    pub fn ask(&mut self, at_ns: u64, hurry: u64, board: &Board) -> Option<Ask> {
        // Nobody sends an old slip again: its time is over.
        const PATIENCE: u64 = 20 * SECOND;
        while self.slips.front().is_some_and(|slip| slip.made_ns + PATIENCE < at_ns) {
            self.slips.pop_front();
        }
        let dice = self.rng.below(1_000);
        if dice < hurry && !self.slips.is_empty() {
            let again = self.rng.below(self.slips.len() as u64) as usize;
            let slip = self.slips[again];
            if self.rng.permille(10) {
                let other = Stake::from_minor(slip.stake.minor() + 1).unwrap_or(Stake::MIN);
                return Some(Ask::Reused(Slip { stake: other, ..slip }));
            }
            return Some(Ask::Retry(slip));
        }
        match self.rng.below(1_000) {
            0..15 => return Some(self.money(at_ns)),
            15..17 => {
                if let Some(slip) = self.lost.pop_front() {
                    return Some(Ask::LateCopy(slip));
                }
            }
            17..19 => {
                let slip = self.slip(at_ns, board)?;
                // At most as many as may be sent again.
                if self.lost.len() < SLIPS_REMEMBERED {
                    self.lost.push_back(slip);
                }
                return Some(Ask::Resolve(slip));
            }
            _ => (),
        }
        let slip = self.slip(at_ns, board)?;
        if self.slips.len() == SLIPS_REMEMBERED {
            self.slips.pop_front();
        }
        self.slips.push_back(slip);
        Some(Ask::Place(slip))
    }

    fn request(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    fn account(&mut self) -> usize {
        self.busy.pick(&mut self.rng).unwrap_or(0)
    }

    fn money(&mut self, made_ns: u64) -> Ask {
        let (request, account) = (self.request(), self.account());
        let minor = self.rng.pick(&[500, 1_000, 2_000, 5_000]);
        let amount = Money::from_minor(minor).unwrap_or(Money::MAX);
        match self.rng.permille(600) {
            true => Ask::Deposit { request, account, amount, made_ns },
            false => Ask::Withdraw { request, account, amount, made_ns },
        }
    }

    fn slip(&mut self, made_ns: u64, board: &Board) -> Option<Slip> {
        let market = board.pick(&mut self.rng)?;
        let selections = board.markets[market].selections.len() as u64;
        // The first selections are the favourites: half of the bets are on the better half.
        let (a, b) = (self.rng.below(selections), self.rng.below(selections));
        let selection = a.min(b) as u16;
        // Most slips are fresh, one in twenty has been lying on the screen.
        let seen_ns = match self.rng.permille(50) {
            true => self.rng.below(10 * SECOND),
            false => self.rng.below(400 * MS),
        };
        let price = board.seen(market, selection, made_ns.saturating_sub(seen_ns))?;
        let (policy, slippage) = match self.rng.below(100) {
            0..15 => (PricePolicy::Exact, 0),
            15..60 => (PricePolicy::Better, 0),
            60..85 => (PricePolicy::Within, self.rng.pick(&[50, 100, 200, 500])),
            _ => (PricePolicy::Any, 0),
        };
        let stake = match self.rng.below(1_000) {
            0..4 => 1,
            4..9 => 5_000_000,
            9..200 => 1 + self.rng.below(3_000) as i64 + 99,
            _ => self.rng.pick(&[200, 500, 500, 1_000, 1_000, 1_000, 2_000, 2_000, 5_000, 10_000]),
        };
        let stake = Stake::from_minor(stake).unwrap_or(Stake::MIN);
        let (request, account) = (self.request(), self.account());
        let slip =
            Slip { request, account, market, selection, stake, price, policy, slippage, made_ns };
        Some(slip)
    }
}

/// The customers of a derby night, with their own view of it.
#[derive(Clone, Debug)]
pub struct NightCrowd {
    crowd: Crowd,
    board: Board,
    controls: std::iter::Peekable<Controls>,
    night: DerbyNight,
}

impl NightCrowd {
    /// The next request, at `at_ns`; times must not fall. None while there is nothing to bet on.
    pub fn ask(&mut self, at_ns: u64) -> Option<Ask> {
        while let Some(timed) = self.controls.next_if(|timed| timed.at_ns <= at_ns) {
            self.see(timed);
        }
        let hurry = match self.night.phase_at(at_ns) {
            Phase::Calm | Phase::Play => 20,
            Phase::KickOff | Phase::Goal => 60,
            Phase::Stall | Phase::FullTime => 30,
        };
        self.crowd.ask(at_ns, hurry, &self.board)
    }

    fn see(&mut self, Timed { at_ns, action }: Timed<Control>) {
        match action {
            Control::Prices { market, prices } => {
                for (selection, price) in prices {
                    self.board.set_price(at_ns, market, selection, Some(price));
                }
            }
            Control::Open { market } => self.board.show(market, Showing::Open),
            // Some keep trying for a while after the close; the result ends it.
            Control::Close { market } => self.board.show(market, Showing::Suspended),
            Control::Result { market } => self.board.show(market, Showing::Hidden),
            Control::Suspend { level, place, .. } => self.show(level, place, Showing::Suspended),
            Control::Release { level, place, .. } => self.show(level, place, Showing::Open),
            Control::Heartbeat { .. }
            | Control::Gap { .. }
            | Control::Recovered { .. }
            | Control::Archive { .. } => (),
        }
    }

    fn show(&mut self, level: Level, place: usize, showing: Showing) {
        for (market, plan) in self.night.markets.iter().enumerate() {
            let covered = match level {
                // A selection is a part of its market, and nothing of this night has groups.
                Level::Market | Level::Selection => market == place,
                Level::Group => false,
                Level::Fixture => plan.fixture == place,
                Level::Feed => plan.feed == place,
                Level::Engine => true,
            };
            if covered {
                self.board.show(market, showing);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(seed: u64) -> Vec<Ask> {
        let night = DerbyNight::from_seed(seed, 1_000, 15, 2);
        let mut crowd = night.crowd();
        let times = (0..night.length_ns()).step_by(MS as usize);
        times.filter_map(|at_ns| crowd.ask(at_ns)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_night_and_another_seed_another() {
        let night = DerbyNight::from_seed(7, 1_000, 15, 2);
        let again = DerbyNight::from_seed(7, 1_000, 15, 2);
        assert!(night.controls().eq(again.controls()));
        assert_eq!(asks(7), asks(7));
        assert_ne!(asks(7), asks(8));
    }

    #[test]
    fn a_night_has_everything_that_can_go_wrong() {
        let night = DerbyNight::from_seed(1, 2_000, 15, 20);
        let mut crowd = night.crowd();
        let times = (0..night.length_ns()).step_by((MS / 5) as usize);
        let asks: Vec<Ask> = times.filter_map(|at_ns| crowd.ask(at_ns)).collect();
        let some = |what: &dyn Fn(&Ask) -> bool| asks.iter().filter(|ask| what(ask)).count();
        let bets = some(&|ask| matches!(ask, Ask::Place(_)));
        assert!(asks.len() * 9 / 10 < bets, "most are bets: {bets} of {}", asks.len());
        for policy in PricePolicy::ALL {
            let with = some(&|ask| matches!(ask, Ask::Place(slip) if slip.policy == *policy));
            assert!(bets / 20 < with, "{policy}: {with}");
        }
        assert!(bets / 2 < some(&|ask| matches!(ask, Ask::Place(slip) if slip.market == 0)));
        assert!(500 < some(&|ask| matches!(ask, Ask::Retry(_))));
        assert!(5 < some(&|ask| matches!(ask, Ask::Reused(_))));
        assert!(20 < some(&|ask| matches!(ask, Ask::Resolve(_))));
        assert!(20 < some(&|ask| matches!(ask, Ask::LateCopy(_))));
        assert!(200 < some(&|ask| matches!(ask, Ask::Deposit { .. })));
        assert!(200 < some(&|ask| matches!(ask, Ask::Withdraw { .. })));
    }

    #[test]
    fn a_retry_is_the_slip_it_repeats_and_every_first_request_has_its_own_number() {
        let mut placed = std::collections::BTreeMap::new();
        for ask in asks(3) {
            match ask {
                Ask::Place(slip) => assert_eq!(placed.insert(slip.request, slip), None),
                Ask::Retry(slip) => assert_eq!(placed.get(&slip.request), Some(&slip)),
                Ask::Reused(slip) => {
                    let first = placed.get(&slip.request).expect("placed before");
                    assert_eq!(Slip { stake: first.stake, ..slip }, *first);
                    assert_ne!(slip.stake, first.stake);
                }
                _ => (),
            }
        }
    }

    #[test]
    fn the_stalled_feed_says_nothing_for_longer_than_its_bound_and_then_everything() {
        for seconds in [2, 20, 60] {
            let night = DerbyNight::from_seed(1, 100, 15, seconds);
            let of_feed = |action: &Control| match action {
                Control::Heartbeat { feed } | Control::Recovered { feed } => *feed == 1,
                Control::Prices { market, .. } => night.markets()[*market].feed == 1,
                _ => false,
            };
            let mut last_ns = 0;
            let mut silent = Vec::new();
            for timed in night.controls().filter(|timed| of_feed(&timed.action)) {
                if night.feeds()[1].silence_ns < timed.at_ns - last_ns {
                    silent.push((last_ns, timed.at_ns));
                }
                last_ns = timed.at_ns;
            }
            assert_eq!(silent.len(), 1, "{seconds} s: silent at {silent:?}");
            let (_, back_ns) = silent[0];
            let then: Vec<Control> = night
                .controls()
                .filter(|timed| timed.at_ns == back_ns)
                .map(|timed| timed.action)
                .collect();
            assert!(then.contains(&Control::Gap { feed: 1 }), "{then:?}");
            let priced = |control: &&Control| matches!(control, Control::Prices { .. });
            assert!(4 <= then.iter().filter(priced).count(), "{then:?}");
            assert_eq!(then.last(), Some(&Control::Recovered { feed: 1 }));
        }
    }

    #[test]
    fn the_rate_rises_fifteenfold_within_a_second_and_the_night_sends_about_what_it_says() {
        let night = DerbyNight::from_seed(1, 2_000, 15, 20);
        let rates = night.rates();
        assert!(rates.windows(2).all(|pair| pair[0].0 < pair[1].0), "{rates:?}");
        assert_eq!((rates[1], rates[2]), ((5 * SECOND, 2_000), (6 * SECOND, 30_000)));
        assert_eq!(night.phase_at(0), Phase::Calm);
        assert_eq!(night.phase_at(5 * SECOND), Phase::KickOff);
        assert_eq!(night.phase_at(night.length_ns()), Phase::FullTime);
        assert!((100_000..250_000).contains(&night.expected_asks()), "{}", night.expected_asks());
    }

    #[test]
    fn prices_on_the_board_are_those_of_the_moment() {
        let mut board = Board::default();
        let market = board.add_market(1);
        board.add_selection(market);
        let price = |e4| Price::from_e4(e4);
        board.set_price(10, market, 0, price(20_000));
        board.set_price(20, market, 0, price(21_000));
        board.set_price(30, market, 0, None);
        let seen = |at_ns| board.seen(market, 0, at_ns);
        assert_eq!([seen(5), seen(10), seen(19)], [price(20_000); 3]);
        assert_eq!((seen(20), seen(31)), (price(21_000), None));
    }
}
