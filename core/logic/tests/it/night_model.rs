//! Prices in force against a second, slow, obvious implementation: random nights of two feeds, a trader and
//! a tier, and after every line what a bet would be told.

use crate::house::Dice;
use betring_core::{HouseRules, script};

const SILENCE: i64 = 5_000;
const AGE: i64 = 3_000;
const DWELL: i64 = 1_000;
/// In percent, as the tier has them.
const BAND: i64 = 20;
const DRIFT: i64 = 5;

#[derive(Clone, Copy, PartialEq)]
enum Status {
    Recovering(u64),
    Up,
    Down,
}

#[derive(Clone, Copy)]
struct Feed {
    status: Status,
    heard: i64,
    beat: i64,
    generation: u32,
}

#[derive(Clone, Copy, Default)]
struct Quote {
    /// In hundredths; 0 is none.
    cents: i64,
    received: i64,
    generation: u32,
    held: i64,
}

/// The obvious implementation: one market, two selections, times in milliseconds.
struct Model {
    now: i64,
    feeds: [Feed; 2],
    drives: usize,
    quotes: [[Quote; 2]; 2],
    pinned: [Option<(i64, i64)>; 2],
    apart: [bool; 2],
    apart_since: i64,
    /// Who suspends what: the label and the owner, as a script writes them.
    suspended: Vec<(String, &'static str)>,
}

impl Model {
    fn down(&mut self, feed: usize, to: Status) {
        let feed = &mut self.feeds[feed];
        feed.status = to;
        feed.generation += 1;
        feed.beat = i64::MIN;
    }

    fn up(&self, feed: usize) -> bool {
        self.feeds[feed].status == Status::Up && self.now - self.feeds[feed].heard <= SILENCE
    }

    fn hear(&mut self, feed: usize) {
        if self.feeds[feed].status == Status::Up && !self.up(feed) {
            self.down(feed, Status::Down);
        }
        self.feeds[feed].heard = self.now;
    }

    fn recovered(&mut self, feed: usize, request: u64) {
        self.hear(feed);
        let counts = match self.feeds[feed].status {
            Status::Recovering(asked) => asked == request,
            Status::Up => true,
            Status::Down => request == 0,
        };
        if counts {
            self.feeds[feed].status = Status::Up;
            self.feeds[feed].beat = self.now;
        }
    }

    fn holds(&self, selection: usize) -> bool {
        let unheard = ["backup", "feed"][self.drives];
        let own = ["M1/1", "M1/2"][selection];
        let driving = ["F1", "F2"][self.drives];
        self.suspended.iter().any(|(level, owner)| match level.as_str() {
            "all" => true,
            "F1" | "F2" => level == driving && self.pinned[selection].is_none(),
            "M1" | "X1" | "G1" => *owner != unheard,
            selection => selection == own && *owner != unheard,
        })
    }

    fn price(&mut self, feed: usize, selection: usize, cents: i64) {
        self.hear(feed);
        let (old, other) = (self.quotes[feed][selection], self.quotes[1 - feed][selection]);
        let near = |a: i64, b: i64| (a - b).abs() * 100 <= BAND * b;
        let usable =
            |quote: Quote, of: &Feed| quote.cents != 0 && quote.generation == of.generation;
        let vouched = self.up(1 - feed)
            && usable(other, &self.feeds[1 - feed])
            && other.held == 0
            && near(cents, other.cents);
        let jumps = cents != 0 && usable(old, &self.feeds[feed]) && !near(cents, old.cents);
        if jumps && !self.holds(selection) && !vouched {
            self.quotes[feed][selection].held = cents;
            return;
        }
        let generation = self.feeds[feed].generation;
        let quote = Quote { cents, received: self.now, generation, held: 0 };
        self.quotes[feed][selection] = quote;
        self.compare(selection);
    }

    fn compare(&mut self, selection: usize) {
        let [a, b] = [self.quotes[0][selection], self.quotes[1][selection]];
        let usable = |quote: Quote, of: &Feed| {
            quote.cents != 0 && quote.generation == of.generation && quote.held == 0
        };
        let far = usable(a, &self.feeds[0])
            && usable(b, &self.feeds[1])
            && DRIFT * b.cents < (a.cents - b.cents).abs() * 100;
        if far && self.apart == [false; 2] {
            self.apart_since = self.now;
        }
        self.apart[selection] = far;
    }

    /// What a bet on a selection is told.
    fn told(&self, selection: usize) -> String {
        if self.holds(selection) {
            return "MarketSuspended".to_owned();
        }
        if let Some((cents, at)) = self.pinned[selection] {
            return self.aged(cents, self.now - at);
        }
        if !self.up(self.drives) {
            return "FeedDown".to_owned();
        }
        let drifted = self.apart != [false; 2] && DWELL <= self.now - self.apart_since;
        if drifted && self.up(0) && self.up(1) {
            return "PriceDrifted".to_owned();
        }
        let quote = self.quotes[self.drives][selection];
        if quote.cents == 0 {
            return "NoPrice".to_owned();
        }
        if quote.held != 0 {
            return "PriceHeld".to_owned();
        }
        let feed = &self.feeds[self.drives];
        let same = quote.generation == feed.generation;
        let confirmed = if same { quote.received.max(feed.beat) } else { quote.received };
        self.aged(quote.cents, self.now - confirmed)
    }

    fn aged(&self, cents: i64, age: i64) -> String {
        if AGE < age {
            return "StalePrice".to_owned();
        }
        format!("{}.{:02}", cents / 100, cents % 100)
    }
}

/// Says one line to both.
fn say(dice: &mut Dice, model: &mut Model) -> String {
    let feed = dice.roll(2) as usize;
    let selection = dice.roll(2) as usize;
    let cents = [200, 205, 210, 220, 230, 260, 300, 900][dice.roll(8) as usize];
    let label = format!("F{}", feed + 1);
    let (at, name) = (format!("M1/{}", selection + 1), ["a", "b"][selection]);
    match dice.roll(20) {
        0..=7 => {
            model.price(feed, selection, cents);
            format!("prices M1 {name} {}.{:02} feed {label}", cents / 100, cents % 100)
        }
        8 => {
            model.price(feed, selection, 0);
            format!("prices M1 {name} - feed {label}")
        }
        9 | 10 => {
            model.hear(feed);
            let known = &mut model.feeds[feed];
            known.beat = known.beat.max(model.now);
            format!("heartbeat {label}")
        }
        11 => {
            model.feeds[feed].heard = model.now;
            model.down(feed, Status::Down);
            format!("gap {label}")
        }
        12 => {
            let request = dice.roll(3);
            model.hear(feed);
            if model.feeds[feed].status == Status::Up {
                model.down(feed, Status::Down);
            }
            model.feeds[feed].status = Status::Recovering(request);
            format!("recovering {label} request {request}")
        }
        13 | 14 => {
            let request = dice.roll(3);
            model.recovered(feed, request);
            format!("recovered {label} request {request}")
        }
        15 => {
            let to = dice.roll(2) as usize;
            model.drives = to;
            format!("switch G1 {}", ["primary", "backup"][to])
        }
        16 | 17 => {
            let level =
                ["M1", "M1/1", "M1/2", "X1", "G1", "F1", "F2", "all"][dice.roll(8) as usize];
            let owner = ["feed", "backup", "trader"][dice.roll(3) as usize];
            model.suspended.retain(|held| *held != (level.to_owned(), owner));
            if dice.roll(3) == 0 {
                model.suspended.push((level.to_owned(), owner));
                return format!("suspend {level} {owner}");
            }
            format!("release {level} {owner}")
        }
        18 => {
            if dice.roll(2) == 0 {
                model.pinned[selection] = Some((cents, model.now));
                return format!("pin {at} {}.{:02}", cents / 100, cents % 100);
            }
            model.pinned[selection] = None;
            format!("unpin {at}")
        }
        _ => {
            let slot = model.drives;
            let quote = &mut model.quotes[slot][selection];
            if quote.held != 0 {
                // The desk's clock did not move since it was held, or it is as old as it was sent: the
                // model keeps no time of what is held, so the trader takes only what is of this moment.
                return String::new();
            }
            format!("take {at}")
        }
    }
}

#[test]
fn every_price_in_force_is_what_an_obvious_reader_would_say() {
    let mut told = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..u64::from(crate::cases(200)) {
        let mut dice = Dice(seed);
        let feed = Feed { status: Status::Up, heard: 0, beat: 0, generation: 1 };
        let mut model = Model {
            now: 0,
            feeds: [feed; 2],
            drives: 0,
            quotes: Default::default(),
            pinned: [None; 2],
            apart: [false; 2],
            apart_since: 0,
            suspended: Vec::new(),
        };
        let mut runner = script::Runner::new(HouseRules);
        let mut text = String::new();
        let mut line = |line: String| {
            text += &format!("{line}\n");
            runner.line(&line).unwrap_or_else(|f| panic!("seed {seed}\n{text}\n{f}"));
        };
        for set_up in [
            "house bets 4096 keys 16384".to_owned(),
            "fund A7 100000.00".to_owned(),
            "feed F1 silence 5s".to_owned(),
            "feed F2 silence 5s".to_owned(),
            "recovered F1".to_owned(),
            "recovered F2".to_owned(),
            "group G1 F1 F2".to_owned(),
            "fixture X1".to_owned(),
            format!("tier 1 age {AGE}ms band {BAND}% drift {DRIFT}% dwell {DWELL}ms"),
            "market M1 cup a b group G1 fixture X1 bound 1h tier 1".to_owned(),
            "open M1".to_owned(),
        ] {
            line(set_up);
        }
        for at in 0..150 {
            model.now += [0, 0, 0, 300, 1_000, 2_500][dice.roll(6) as usize];
            let said = say(&mut dice, &mut model);
            let now = model.now;
            if !said.is_empty() {
                line(format!("@{now}ms {said} -> anything"));
            }
            for selection in 0..2 {
                let due = model.told(selection);
                let price = due.starts_with(|c: char| c.is_ascii_digit());
                let name = if price { "a bet".to_owned() } else { due.clone() };
                *told.entry(name).or_default() += 1;
                let place = format!("@{now}ms place R{at}-{selection} A7 M1/{}", selection + 1);
                // Of a bet only the price matters: asked for exactly, it is refused at any other.
                match price {
                    true => line(format!("{place} 1.00 {due}")),
                    false => line(format!("{place} 1.00 any -> {due}")),
                }
            }
        }
    }
    let all = ["a bet", "FeedDown", "MarketSuspended", "NoPrice", "PriceDrifted", "PriceHeld"];
    for name in all.iter().chain(&["StalePrice"]) {
        assert!(told.get(*name).is_some_and(|times| 20 < *times), "{name} of {told:?}");
    }
}
