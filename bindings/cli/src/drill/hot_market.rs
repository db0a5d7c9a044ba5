//! Fifteen times the bets within a moment, nine in ten of them on one market: the door lets in what the
//! market may have, and nobody in any other market notices.

use crate::drill::scene::{Became, Scene, Setup, TICK, became};
use crate::drill::timeline::{On, Phase, Story, quietest, seconds};
use crate::error::CliError;
use betring::{
    AccountId, BusyWhy, Client, Config, Intake, MarketId, Nanos, NotTaken, Place, Rate, Reject,
    Reply, RequestKey, SelectionIndex, Timestamp, Token, key, money,
};
use betring_benches::load::{Knot, OpenLoop, Profile};
use betring_benches::recorder::{Recorder, Span};
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

/// Bets a second while it is calm, over all six markets: what two cores that other programs use, too,
/// carry with room.
const CALM: u64 = 600;
/// How many times as many in the spike, and how many of ten of those on one market.
const SPIKE: u64 = 15;
const HOT_OF_TEN: u64 = 9;
const HOT: usize = 0;
/// What one market may have a second, and at once.
const MARKET: Rate = Rate::new(600, 60);
const IN_FLIGHT: u32 = 200;
/// How long each part lasts.
const PART_NS: u64 = 2_000_000_000;
/// How much slower the others may be than while it was calm.
const RATIO_MAX: f64 = 1.5;
/// How long after a spike somebody may still be turned away.
const RECOVERED_MAX: Nanos = Nanos::from_millis(100);
/// How long a refusal may take, at its 99th percentile.
const REFUSED_NS_MAX: u64 = 1_000_000;
/// How often it is played on the wall's clock: the quietest of each count, for the machine is shared.
const ROUNDS: usize = 3;

fn config(config: Config) -> Config {
    config.intake(Intake::new().market(MARKET).market_in_flight(IN_FLIGHT))
}

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let setup = Setup { bets: 1 << 16, credit: 8_192, even_disk: true, config, ..Setup::default() };
    let mut scene = Scene::open(on, &setup)?;
    let about = "fifteen times the bets, nine in ten of them on one market";
    let mut story = scene.story("hot-market", about);
    // The steady customers are those of the load.
    scene.customers.bets_in = [false; 6];
    let mut crowd = Crowd::new(&scene)?;
    let rounds = if on == On::Wall { ROUNDS } else { 1 };
    let (mut calms, mut spikes, mut spiked_ns) = (Vec::new(), Vec::new(), 0);
    let mut slowest = Nanos::ZERO;
    for round in 0..=rounds {
        let calm = crowd.play(&mut scene, CALM, false)?;
        if 0 < round {
            // Its share is used up at first, and comes back within a moment.
            let open = calm.last_refusal.unwrap_or(calm.began);
            slowest = slowest.max(open.since(calm.began));
            let what = "the hot market is as the others again, nobody is turned away";
            story.phase(open, Phase::Recover, "door", what);
        }
        if round == rounds {
            break;
        }
        let what =
            format!("{CALM} bets a second in six markets: {} of the five others", calm.told(on));
        story.tell(scene.now(), "customer", what);
        let spike_at = scene.now();
        let first = round == 0;
        if first {
            let (total, hot) = (CALM * SPIKE, CALM * SPIKE * HOT_OF_TEN / 10);
            let what = format!("{total} a second, {hot} of them on {}", scene.markets[HOT].name());
            story.phase(spike_at, Phase::Fault, "customer", what);
        }
        let spike = crowd.play(&mut scene, CALM * SPIKE, true)?;
        if let (true, Some(at)) = (first, spike.first_refusal) {
            let what = format!("{} is let in {MARKET}", scene.markets[HOT].name());
            story.phase(at, Phase::Detect, "door", what);
            let what =
                "turns the rest away before it is in anybody's way, and says when to come back";
            story.phase(at, Phase::Act, "door", what);
        }
        let what = format!("the others meanwhile: {}", spike.told(on));
        story.tell(scene.now(), "customer", what);
        calms.push(calm.p99());
        spikes.push(spike.p99());
        spiked_ns += scene.now().since(spike_at).0.unsigned_abs();
    }
    story.check_time("the others' p99 in the spike is at most 1.5 times that of the calm", || {
        let (ratio, lists) = quietest(&calms, &spikes);
        (ratio <= RATIO_MAX, format!("{ratio:.2} times: {lists}"))
    });
    story.check_time("a refusal takes less than a millisecond", || {
        let p99 = crowd.refusals.at(0.99);
        (p99 < REFUSED_NS_MAX, format!("p99 {}, of {}", Span(p99), crowd.refusals.count()))
    });
    story.check(
        "after each spike the hot market is open again within 100 ms",
        slowest < RECOVERED_MAX,
        format!("at most {}", seconds(slowest)),
    );
    story.check(
        "none of the others is turned away or refused",
        crowd.others_refused == 0,
        format!("{} of {}", crowd.others_refused, crowd.others),
    );
    let doors = [BusyWhy::Market, BusyWhy::InFlight, BusyWhy::Shed];
    let known: u64 = doors.iter().filter_map(|door| crowd.busy.get(door)).sum();
    story.check(
        "every refusal says which door, which market, why, and when to come back",
        0 < known && known == crowd.turned_away() && crowd.elsewhere == 0,
        format!("{} of {} asked in the hot market: {}", known, crowd.hot, crowd.told()),
    );
    let a_second = u64::from(MARKET.per_second);
    let most = a_second * spiked_ns.div_ceil(1_000_000_000)
        + rounds as u64 * (u64::from(MARKET.burst) + 1);
    story.check(
        "the hot market gets what it may have, and no more",
        0 < crowd.hot_in_spike && crowd.hot_in_spike <= most,
        format!("{} let in, at most {most} were to be", crowd.hot_in_spike),
    );
    scene.customers.know(crowd.asked.drain());
    // Who bets in the other league is part of the crowd.
    scene.customers.bets_in = [true; 6];
    drop(crowd);
    scene.play(Nanos::from_millis(200))?;
    scene.close(&mut story)?;
    Ok(story)
}

/// A part of the night, as everybody but the hot market's customers saw it.
struct Part {
    began: Timestamp,
    others: Recorder,
    first_refusal: Option<Timestamp>,
    last_refusal: Option<Timestamp>,
}

impl Part {
    fn p99(&self) -> u64 {
        self.others.at(0.99)
    }

    fn told(&self, on: On) -> String {
        let count = self.others.count();
        match on {
            On::Journal => format!("{count} answers, each within its turn"),
            On::Wall => {
                let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| Span(self.others.at(share)));
                format!("{count} answers, p50 {p50}, p99 {p99}, max {max}")
            }
        }
    }
}

/// All customers, on one connection.
struct Crowd {
    client: Client,
    accounts: Vec<AccountId>,
    number: u64,
    asked: HashMap<RequestKey, Became>,
    waiting: HashMap<Token, (usize, u64)>,
    busy: BTreeMap<BusyWhy, u64>,
    refusals: Recorder,
    /// Refusals at the door that name another market.
    elsewhere: u64,
    others: u64,
    others_refused: u64,
    hot: u64,
    hot_in_spike: u64,
}

impl Crowd {
    fn new(scene: &Scene) -> Result<Crowd, CliError> {
        Ok(Crowd {
            client: scene.engine.client_at(8_192, scene.customers.client.level())?,
            accounts: scene.customers.accounts.clone(),
            number: 0,
            asked: HashMap::new(),
            waiting: HashMap::new(),
            busy: BTreeMap::new(),
            refusals: Recorder::new(),
            elsewhere: 0,
            others: 0,
            others_refused: 0,
            hot: 0,
            hot_in_spike: 0,
        })
    }

    fn told(&self) -> String {
        let door = |(why, count): (&BusyWhy, &u64)| format!("{count} by {why:?}");
        self.busy.iter().map(door).collect::<Vec<_>>().join(", ")
    }

    fn turned_away(&self) -> u64 {
        self.busy.values().sum()
    }

    /// Bets at this rate for a part, each at its intended time; in a spike nine in ten on one market.
    fn play(&mut self, scene: &mut Scene, rate: u64, spike: bool) -> Result<Part, CliError> {
        let knots = [Knot { from_ns: 0, rate }];
        let times = Profile::new(&knots, PART_NS).times().zip(0_u64..);
        let mut load = OpenLoop::new(times);
        let began = scene.now();
        let mut part =
            Part { began, others: Recorder::new(), first_refusal: None, last_refusal: None };
        while load.next_ns().is_some() || !self.waiting.is_empty() {
            if scene.on == On::Journal {
                scene.engine.clock().advance(Nanos(TICK.0 / 10));
            }
            let now = scene.now();
            let now_ns = now.since(began).0.unsigned_abs();
            scene.speak()?;
            let mut did = 0;
            while let Some((at_ns, number)) = load.due(now_ns) {
                did += 1;
                let is_hot = spike && number % 10 < HOT_OF_TEN;
                // In a spike the rest goes to the other markets; in the calm all six have the same.
                let place = match (is_hot, spike) {
                    (true, _) => HOT,
                    (false, true) => 1 + (number / 10 % 5) as usize,
                    (false, false) => (number % 6) as usize,
                };
                if let Some(at) = self.ask(scene, place, at_ns, spike) {
                    part.first_refusal.get_or_insert(at);
                    part.last_refusal = Some(at);
                }
            }
            scene.turn()?;
            did += self.read(scene.now().since(began).0.unsigned_abs(), &mut part);
            if did == 0 && scene.on == On::Wall {
                std::thread::yield_now();
            }
        }
        Ok(part)
    }

    /// When it was turned away, if it was.
    fn ask(&mut self, scene: &Scene, place: usize, at_ns: u64, spike: bool) -> Option<Timestamp> {
        self.number += 1;
        let account = self.accounts[self.number as usize % self.accounts.len()];
        let key = key(1 << 105 | u128::from(self.number));
        let selection = scene.markets[place].at(SelectionIndex((self.number % 3) as u16));
        let bet = Place::single(account, selection, money!(1.00)).any_price().key(key);
        let is_hot = place == HOT;
        self.hot += u64::from(is_hot);
        self.others += u64::from(!is_hot);
        let began = Instant::now();
        match self.client.try_submit(bet) {
            Ok(ticket) => {
                self.waiting.insert(ticket.token, (place, at_ns));
                self.asked.insert(key, Became::Sent);
                self.hot_in_spike += u64::from(is_hot && spike);
                None
            }
            Err(error) => {
                let took = i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX);
                self.refusals.record(took);
                let reject = error.reject().unwrap_or(Reject::Overloaded);
                self.asked.insert(key, Became::NotTaken(reject));
                self.others_refused += u64::from(!is_hot);
                if let NotTaken::Overloaded(busy) = error {
                    *self.busy.entry(busy.why).or_default() += 1;
                    let named: MarketId = scene.markets[HOT].id();
                    self.elsewhere += u64::from(busy.market != named || busy.retry_after.0 <= 0);
                } else {
                    self.elsewhere += 1;
                }
                Some(scene.now())
            }
        }
    }

    fn read(&mut self, now_ns: u64, part: &mut Part) -> u64 {
        let mut replies = [Reply::default(); 256];
        let mut read = 0;
        loop {
            let count = self.client.poll(&mut replies);
            read += count as u64;
            for reply in &replies[..count] {
                let became = became(reply);
                self.asked.insert(reply.key, became);
                let Some((place, at_ns)) = self.waiting.remove(&reply.token) else { continue };
                if place != HOT {
                    let took = now_ns.saturating_sub(at_ns);
                    part.others.record(i64::try_from(took).unwrap_or(i64::MAX));
                    self.others_refused += u64::from(!matches!(became, Became::Accepted(_)));
                }
            }
            if count < replies.len() {
                return read;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_market_that_everybody_wants_gets_what_it_may_and_the_others_all_they_ask() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
    }
}
