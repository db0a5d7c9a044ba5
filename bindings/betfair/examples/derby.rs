//! The recording that the project ships: an invented football match and an invented race.
//!
//! Nothing in it was ever published by an exchange; ids, names and numbers are made up, from a seed,
//! so that it is the same on every machine. Renewed by:
//!
//! ```text
//! cargo run -p betring-betfair --example derby > bindings/betfair/recordings/derby.jsonl
//! cargo run -p betring-betfair --example derby -- check > bindings/betfair/recordings/derby.check.json
//! ```

use std::collections::BTreeMap;

use betring_betfair::{FeedCheck, FileCheck, Recording};

/// When the recording begins, in milliseconds since 1970.
const START_MS: u64 = 1_760_000_000_000;

/// Milliseconds between two messages, except where something happens.
const STEP_MS: u64 = 250;

/// Milliseconds that the recording is long.
const LENGTH_MS: u64 = 88_000;

/// The name of the recording within the check.
const NAME: &str = "derby.jsonl";

fn main() {
    if std::env::args().nth(1).as_deref() == Some("check") {
        println!("{}", check(&recording()).to_json());
    } else {
        print!("{}", recording());
    }
}

/// The check of the recording, under a name that is the same on every machine.
pub(crate) fn check(recording: &str) -> FeedCheck {
    let bytes = std::io::Cursor::new(recording.as_bytes().to_vec());
    FeedCheck { files: vec![FileCheck::read(Recording::read(NAME, bytes))] }
}

/// The recording, line by line.
pub(crate) fn recording() -> String {
    let mut derby = Derby::new();
    let all = [MATCH, WIN, PLACE];
    derby.open(0, &all, true);
    for now in (STEP_MS..=LENGTH_MS).step_by(STEP_MS as usize) {
        match now {
            // A horse is taken out before the race.
            12_000 => derby.suspend(now, &[WIN, PLACE]),
            13_000 => derby.remove(now, &[WIN, PLACE], 3, 8_350, "2025-10-09T08:53:33.000Z"),
            15_000 => derby.open(now, &[WIN, PLACE], false),
            // Kick-off: the match turns in play.
            30_000 => derby.suspend(now, &[MATCH]),
            31_000 => derby.turn_in_play(now, MATCH, 5),
            // The off: starting prices are made; the win market turns in play, the other ends.
            40_000 => derby.off(now, &[WIN, PLACE]),
            41_000 => derby.turn_in_play(now, WIN, 1),
            // England score.
            50_000 => derby.suspend(now, &[MATCH]),
            54_000 => {
                derby.markets[MATCH].reprice(&[145, 430, 880]);
                derby.open(now, &[MATCH], false);
            }
            // The horses are past the post.
            58_000 => derby.suspend(now, &[WIN]),
            64_000 => {
                derby.close(now, WIN, &[1]);
                derby.close(now, PLACE, &[1, 0]);
            }
            70_000 => derby.heartbeat(now),
            // Full time.
            80_000 => derby.suspend(now, &[MATCH]),
            LENGTH_MS => derby.close(now, MATCH, &[0]),
            _ => derby.trade(now),
        }
    }
    derby.lines
}

const MATCH: usize = 0;
const WIN: usize = 1;
const PLACE: usize = 2;

/// What the recording has come to.
struct Derby {
    lines: String,
    clk: u64,
    seed: u64,
    markets: [Market; 3],
}

struct Market {
    id: &'static str,
    event: &'static str,
    name: &'static str,
    kind: &'static str,
    winners: u16,
    bsp: bool,
    status: &'static str,
    in_play: bool,
    bet_delay: u16,
    version: u64,
    runners: Vec<Runner>,
}

struct Runner {
    id: u64,
    name: &'static str,
    status: &'static str,
    /// In thousandths of a per cent, with the date.
    removal: Option<(u64, &'static str)>,
    bsp: Option<String>,
    /// The best price to back, as a place on the ladder.
    tick: usize,
    to_back: BTreeMap<usize, u64>,
    to_lay: BTreeMap<usize, u64>,
    traded: BTreeMap<usize, u64>,
}

impl Derby {
    fn new() -> Derby {
        let horses = [
            "Copper Kettle",
            "Night Ferry",
            "Slow Thunder",
            "Paper Lantern",
            "Old Harbour",
            "Quick Sixpence",
        ];
        let horses = |prices: [u32; 6]| {
            let named = horses.iter().zip(prices).zip(101..);
            named.map(|((name, price), id)| Runner::new(id, name, price)).collect()
        };
        let race = "Ringfield 14:05";
        let teams = vec![
            Runner::new(11, "England", 210),
            Runner::new(12, "The Draw", 340),
            Runner::new(13, "Scotland", 375),
        ];
        Derby {
            lines: String::new(),
            clk: 0,
            seed: 0x5eed,
            markets: [
                Market::new(
                    "1.900000001",
                    "England v Scotland",
                    "Match Odds",
                    "MATCH_ODDS",
                    1,
                    teams,
                ),
                Market::new(
                    "1.900000002",
                    race,
                    "6f Hcap",
                    "WIN",
                    1,
                    horses([320, 450, 600, 860, 1300, 2100]),
                ),
                Market::new(
                    "1.900000003",
                    race,
                    "To Be Placed",
                    "PLACE",
                    2,
                    horses([150, 190, 232, 300, 420, 640]),
                ),
            ],
        }
    }

    /// A number below `bound`, the next of the seed's (splitmix64).
    fn random(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn message(&mut self, now: u64, changes: &[String]) {
        self.clk += 1;
        let (pt, clk, changes) = (START_MS + now, self.clk, changes.join(","));
        let line =
            format!("{{\"op\":\"mcm\",\"clk\":\"D{clk}\",\"pt\":{pt},\"mc\":[{changes}]}}\n");
        self.lines.push_str(&line);
    }

    fn heartbeat(&mut self, now: u64) {
        self.clk += 1;
        let (pt, clk) = (START_MS + now, self.clk);
        let line =
            format!("{{\"op\":\"mcm\",\"ct\":\"HEARTBEAT\",\"clk\":\"D{clk}\",\"pt\":{pt}}}\n");
        self.lines.push_str(&line);
    }

    /// Opens markets with fresh books.
    fn open(&mut self, now: u64, markets: &[usize], image: bool) {
        let mut changes = Vec::new();
        for at in markets.iter().copied() {
            self.markets[at].turn("OPEN");
            let runners = self.refresh(at, true);
            changes.push(self.markets[at].change(&runners, true, image));
        }
        self.message(now, &changes);
    }

    fn turn_in_play(&mut self, now: u64, market: usize, bet_delay: u16) {
        self.markets[market].in_play = true;
        self.markets[market].bet_delay = bet_delay;
        self.open(now, &[market], false);
    }

    /// Suspends markets and empties their books.
    fn suspend(&mut self, now: u64, markets: &[usize]) {
        let mut changes = Vec::new();
        for at in markets.iter().copied() {
            self.markets[at].turn("SUSPENDED");
            let runners: Vec<String> =
                self.markets[at].runners.iter_mut().filter_map(Runner::emptied).collect();
            changes.push(self.markets[at].change(&runners, true, false));
        }
        self.message(now, &changes);
    }

    fn remove(
        &mut self,
        now: u64,
        markets: &[usize],
        runner: usize,
        factor: u64,
        date: &'static str,
    ) {
        let mut changes = Vec::new();
        for at in markets.iter().copied() {
            self.markets[at].turn("SUSPENDED");
            self.markets[at].runners[runner].status = "REMOVED";
            self.markets[at].runners[runner].removal = Some((factor, date));
            changes.push(self.markets[at].change(&[], true, false));
        }
        self.message(now, &changes);
    }

    /// Suspends markets with every runner's starting price made: near the last price, in more digits
    /// than a ladder has.
    fn off(&mut self, now: u64, markets: &[usize]) {
        for at in markets.iter().copied() {
            for runner in 0..self.markets[at].runners.len() {
                let digits = self.random(1_000_000_000);
                let runner = &mut self.markets[at].runners[runner];
                if runner.status == "ACTIVE" {
                    let whole = ladder()[runner.tick];
                    let text = format!("{}.{:02}{digits:09}", whole / 100, whole % 100);
                    let price = if digits.is_multiple_of(2) { price(runner.tick) } else { text };
                    runner.bsp = Some(price);
                }
            }
        }
        self.suspend(now, markets);
    }

    /// Closes a market: these runners win, the others lose.
    fn close(&mut self, now: u64, market: usize, winners: &[usize]) {
        self.markets[market].turn("CLOSED");
        for (at, runner) in self.markets[market].runners.iter_mut().enumerate() {
            if runner.status == "ACTIVE" {
                runner.status = if winners.contains(&at) { "WINNER" } else { "LOSER" };
            }
        }
        let change = self.markets[market].change(&[], true, false);
        self.message(now, &[change]);
    }

    /// Moves prices of a market that is open, and lets something be matched.
    fn trade(&mut self, now: u64) {
        let open: Vec<usize> =
            (0..self.markets.len()).filter(|at| self.markets[*at].status == "OPEN").collect();
        if open.is_empty() {
            return self.heartbeat(now);
        }
        let market = open[self.random(open.len() as u64) as usize];
        let runners = self.refresh(market, false);
        let change = self.markets[market].change(&runners, false, false);
        self.message(now, &[change]);
    }

    /// The changes of all runners of a market, or of about every third, each moved by a tick at most.
    fn refresh(&mut self, market: usize, all: bool) -> Vec<String> {
        let mut changes = Vec::new();
        for at in 0..self.markets[market].runners.len() {
            if self.markets[market].runners[at].status != "ACTIVE" {
                continue;
            }
            if !all && self.random(3) != 0 {
                continue;
            }
            let step = self.random(3) as usize;
            let sizes: Vec<u64> = (0..6).map(|_| 200 + self.random(20_000)).collect();
            let matched = if self.random(3) == 0 { 100 + self.random(5_000) } else { 0 };
            let runner = &mut self.markets[market].runners[at];
            // Five prices stay free on either side, for the book's depth.
            runner.tick = (runner.tick + step).saturating_sub(1).clamp(5, 344);
            changes.push(runner.moved(&sizes, matched));
        }
        changes
    }
}

impl Market {
    fn new(
        id: &'static str,
        event: &'static str,
        name: &'static str,
        kind: &'static str,
        winners: u16,
        runners: Vec<Runner>,
    ) -> Market {
        Market {
            id,
            event,
            name,
            kind,
            winners,
            bsp: kind != "MATCH_ODDS",
            status: "INACTIVE",
            in_play: false,
            bet_delay: 0,
            version: 5_000,
            runners,
        }
    }

    fn turn(&mut self, status: &'static str) {
        self.status = status;
        self.version += 1;
    }

    /// Sets the best prices to back, in hundredths.
    fn reprice(&mut self, prices: &[u32]) {
        for (runner, price) in self.runners.iter_mut().zip(prices) {
            runner.tick = tick(*price);
        }
    }

    /// One `mc` entry.
    fn change(&self, runners: &[String], defined: bool, image: bool) -> String {
        let mut fields = vec![format!("\"id\":\"{}\"", self.id)];
        if defined {
            fields.push(format!("\"marketDefinition\":{}", self.definition()));
        }
        if !runners.is_empty() {
            fields.push(format!("\"rc\":[{}]", runners.join(",")));
        }
        if image {
            fields.push("\"img\":true".to_owned());
        }
        format!("{{{}}}", fields.join(","))
    }

    fn definition(&self) -> String {
        let runners: Vec<String> =
            (1..).zip(&self.runners).map(|(place, runner)| runner.definition(place)).collect();
        let active = self.runners.iter().filter(|runner| runner.status == "ACTIVE").count();
        let reconciled = self.runners.iter().any(|runner| runner.bsp.is_some());
        format!(
            "{{\"bspMarket\":{},\"turnInPlayEnabled\":{},\"eventId\":\"90000001\",\"numberOfWinners\":{},\
             \"bettingType\":\"ODDS\",\"marketType\":\"{}\",\"marketTime\":\"2025-10-09T08:53:50.000Z\",\
             \"bspReconciled\":{reconciled},\"complete\":true,\"inPlay\":{},\"numberOfActiveRunners\":{active},\
             \"betDelay\":{},\"status\":\"{}\",\"runners\":[{}],\"version\":{},\
             \"priceLadderDefinition\":{{\"type\":\"CLASSIC\"}},\"name\":\"{}\",\"eventName\":\"{}\"}}",
            self.bsp,
            self.kind != "PLACE",
            self.winners,
            self.kind,
            self.in_play,
            self.bet_delay,
            self.status,
            runners.join(","),
            self.version,
            self.name,
            self.event,
        )
    }
}

impl Runner {
    fn new(id: u64, name: &'static str, price: u32) -> Runner {
        Runner {
            id,
            name,
            status: "ACTIVE",
            removal: None,
            bsp: None,
            tick: tick(price),
            to_back: BTreeMap::new(),
            to_lay: BTreeMap::new(),
            traded: BTreeMap::new(),
        }
    }

    fn definition(&self, place: u32) -> String {
        let mut fields = format!("\"status\":\"{}\",\"sortPriority\":{place}", self.status);
        if let Some((factor, date)) = self.removal {
            let (whole, part) = (factor / 1_000, factor % 1_000);
            fields +=
                &format!(",\"removalDate\":\"{date}\",\"adjustmentFactor\":{whole}.{part:03}");
        }
        if let Some(bsp) = &self.bsp {
            fields += &format!(",\"bsp\":{bsp}");
        }
        format!("{{{fields},\"id\":{},\"name\":\"{}\"}}", self.id, self.name)
    }

    /// One `rc` entry: three prices to back up to the best, three to lay behind it, and what was
    /// matched at the best.
    fn moved(&mut self, sizes: &[u64], matched: u64) -> String {
        let best = self.tick;
        let to_back = (0..3).map(|depth| (best - depth, sizes[depth])).collect();
        let to_lay = (0..3).map(|depth| (best + 1 + depth, sizes[3 + depth])).collect();
        let mut fields = Vec::new();
        fields.push(format!("\"atb\":[{}]", replaced(&mut self.to_back, to_back)));
        fields.push(format!("\"atl\":[{}]", replaced(&mut self.to_lay, to_lay)));
        if matched != 0 {
            let size = self.traded.entry(best).or_default();
            *size += matched;
            fields.push(format!("\"trd\":[[{},{}]]", price(best), hundredths(*size)));
            fields.push(format!("\"ltp\":{}", price(best)));
            fields.push(format!("\"tv\":{}", hundredths(self.traded.values().sum())));
        }
        format!("{{{},\"id\":{}}}", fields.join(","), self.id)
    }

    /// The `rc` entry that takes every price away, if there are any.
    fn emptied(&mut self) -> Option<String> {
        if self.to_back.is_empty() {
            return None;
        }
        let to_back = replaced(&mut self.to_back, BTreeMap::new());
        let to_lay = replaced(&mut self.to_lay, BTreeMap::new());
        Some(format!("{{\"atb\":[{to_back}],\"atl\":[{to_lay}],\"id\":{}}}", self.id))
    }
}

/// Replaces a list of sizes by tick and tells the difference, in the exchange's way.
fn replaced(list: &mut BTreeMap<usize, u64>, by: BTreeMap<usize, u64>) -> String {
    let gone = list.keys().filter(|tick| !by.contains_key(tick)).map(|tick| (*tick, 0));
    let new = by.iter().filter(|(tick, size)| list.get(tick) != Some(size));
    let levels: Vec<String> = gone
        .chain(new.map(|(tick, size)| (*tick, *size)))
        .map(|(tick, size)| format!("[{},{}]", price(tick), hundredths(size)))
        .collect();
    *list = by;
    levels.join(",")
}

/// The CLASSIC ladder in hundredths, from 1.01 to 1000.
fn ladder() -> Vec<u64> {
    let bands = [
        (200, 1),
        (300, 2),
        (400, 5),
        (600, 10),
        (1_000, 20),
        (2_000, 50),
        (3_000, 100),
        (5_000, 200),
        (10_000, 500),
        (100_000, 1_000),
    ];
    let mut prices = vec![101];
    let mut price = 101;
    for (to, step) in bands {
        while price < to {
            price += step;
            prices.push(price);
        }
    }
    prices
}

/// The place of a price, in hundredths, or of the next higher one.
fn tick(price: u32) -> usize {
    ladder().partition_point(|rung| *rung < u64::from(price))
}

fn price(tick: usize) -> String {
    hundredths(ladder()[tick])
}

/// `250` as the exchange writes it: `2.5`.
fn hundredths(number: u64) -> String {
    match (number / 100, number % 100) {
        (whole, 0) => whole.to_string(),
        (whole, part) if part % 10 == 0 => format!("{whole}.{}", part / 10),
        (whole, part) => format!("{whole}.{part:02}"),
    }
}
