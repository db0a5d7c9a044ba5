//! One of four clients stops reading its answers: it alone is refused, and nobody waits for it.

use crate::drill::scene::{Became, Scene, Setup, became};
use crate::drill::timeline::{On, Phase, Story, quietest};
use crate::error::CliError;
use betring::{
    AccountId, Client, Nanos, NotTaken, Place, Reject, Reply, RequestKey, SelectionIndex, key,
    money,
};
use betring_benches::recorder::Recorder;
use std::collections::HashMap;
use std::time::Instant;

/// What a client may leave unanswered.
const CREDIT: usize = 64;
/// Bets of a client in a tick.
const EACH: usize = 4;
/// How long it is calm, and how long the client does not read.
const CALM: Nanos = Nanos::from_millis(500);
const STUCK: Nanos = Nanos::from_millis(700);
/// How often, on the wall's clock: the quietest of each count, for the machine is shared.
const ROUNDS: usize = 3;
/// How much slower the others may be in the middle: noise of two cores, not a wait.
const RATIO_MAX: f64 = 1.5;

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let mut scene = Scene::open(on, &Setup { even_disk: true, ..Setup::default() })?;
    let mut gateways = Vec::new();
    for number in 0..4 {
        gateways.push(Gateway::new(&scene, number)?);
    }
    let mut story = scene.story("slow-consumer", "one of four clients stops reading its answers");
    let (mut calms, mut laters) = (Vec::new(), Vec::new());
    let (mut waiting, mut read, mut recovered) = (0, 0, false);
    for number in 0..if on == On::Wall { ROUNDS } else { 1 } {
        let first = number == 0;
        let began = scene.now();
        while scene.now().since(began) < CALM {
            round(&mut scene, &mut gateways, 4)?;
        }
        calms.push(median(&mut gateways));
        if first {
            story.tell(scene.now(), "client", "four clients bet and read, none is refused");
            let what = "the fourth stops reading";
            story.phase(scene.now(), Phase::Fault, "client", what);
        }
        let (stuck, before) = (scene.now(), gateways[3].refused);
        let mut seen = !first;
        while scene.now().since(stuck) < STUCK {
            round(&mut scene, &mut gateways, 3)?;
            if !seen && gateways[3].refused != before {
                seen = true;
                let what = format!("{CREDIT} answers wait for it, which is its credit");
                story.phase(scene.now(), Phase::Detect, "engine", what);
                let what = format!("takes nothing more of it: {}", Reject::TooManyInFlight);
                story.phase(scene.now(), Phase::Act, "engine", what);
            }
        }
        laters.push(median(&mut gateways));
        waiting += gateways[3].client.in_flight();
        read += gateways[3].read();
        let accepted = gateways[3].accepted;
        round(&mut scene, &mut gateways, 4)?;
        if first {
            let what = format!("the fourth reads: {read} answers were kept for it, in order");
            story.tell(scene.now(), "client", what);
        }
        if first && accepted < gateways[3].accepted {
            recovered = true;
            story.phase(scene.now(), Phase::Recover, "client", "the fourth bets again");
        }
    }
    let others: Vec<u64> = gateways[..3].iter().map(|it| it.refused).collect();
    let alone = gateways[3].others == 0 && others.iter().all(|refused| *refused == 0);
    story.check(
        "it alone is refused",
        alone && 0 < gateways[3].refused,
        format!(
            "{} refusals of it, {} of the others",
            gateways[3].refused,
            others.iter().sum::<u64>()
        ),
    );
    story.check_time(
        "nobody waits for it: the others' median is at most 1.5 times what it was",
        || {
            let (ratio, lists) = quietest(&calms, &laters);
            (ratio <= RATIO_MAX, format!("{ratio:.2} times: {lists}"))
        },
    );
    story.check(
        "what it had asked was answered, in order, and waited for it",
        read == waiting && gateways[3].out_of_order == 0 && recovered,
        format!("{read} of {waiting}"),
    );
    for gateway in &mut gateways {
        scene.customers.know(gateway.asked.drain());
    }
    drop(gateways);
    scene.close(&mut story)?;
    Ok(story)
}

/// How long the three who read always have waited, the half of them; and counted anew.
fn median(gateways: &mut [Gateway]) -> u64 {
    let mut all = Recorder::new();
    gateways[..3].iter_mut().for_each(|gateway| all.merge(&gateway.take_times()));
    all.at(0.5)
}

/// A tick of everybody: all four ask, so many of them read.
fn round(scene: &mut Scene, gateways: &mut [Gateway], read: usize) -> Result<(), CliError> {
    scene.tick()?;
    for gateway in gateways.iter_mut() {
        gateway.ask(scene)?;
    }
    scene.turn()?;
    let until = Instant::now() + std::time::Duration::from_secs(1);
    let mut open = true;
    while open && Instant::now() < until {
        open = false;
        for gateway in &mut gateways[..read] {
            gateway.read();
            open |= gateway.client.in_flight() != 0;
        }
        std::thread::yield_now();
    }
    Ok(())
}

/// A client of a gateway, and what it was told.
struct Gateway {
    client: Client,
    account: AccountId,
    number: u128,
    sent: u128,
    asked: HashMap<RequestKey, Became>,
    sent_at: HashMap<RequestKey, Instant>,
    last: u64,
    out_of_order: u64,
    accepted: u64,
    /// Attempts that were not taken for want of credit, and those refused in any other way.
    refused: u64,
    others: u64,
    times: Recorder,
}

impl Gateway {
    fn new(scene: &Scene, number: u128) -> Result<Gateway, CliError> {
        Ok(Gateway {
            client: scene.engine.client_at(CREDIT, scene.customers.client.level())?,
            account: scene.customers.accounts[number as usize],
            number,
            sent: 0,
            asked: HashMap::new(),
            sent_at: HashMap::new(),
            last: 0,
            out_of_order: 0,
            accepted: 0,
            refused: 0,
            others: 0,
            times: Recorder::new(),
        })
    }

    fn ask(&mut self, scene: &Scene) -> Result<(), CliError> {
        for _ in 0..EACH {
            self.sent += 1;
            let market = &scene.markets[self.sent as usize % scene.markets.len()];
            let selection = market.at(SelectionIndex((self.sent % 3) as u16));
            let key = key(1 << 102 | self.number << 64 | self.sent);
            let bet = Place::single(self.account, selection, money!(1.00)).any_price().key(key);
            let became = match self.client.try_submit(bet) {
                Ok(_) => {
                    self.sent_at.insert(key, Instant::now());
                    Became::Sent
                }
                Err(NotTaken::TooManyInFlight { .. }) => {
                    self.refused += 1;
                    Became::NotTaken(Reject::TooManyInFlight)
                }
                Err(error) => return Err(betring::Error::from(error).into()),
            };
            self.asked.insert(key, became);
        }
        Ok(())
    }

    /// Reads what is there; how many that were.
    fn read(&mut self) -> usize {
        let mut replies = [Reply::default(); CREDIT];
        let count = self.client.poll(&mut replies);
        for reply in &replies[..count] {
            if let Some(sent) = self.sent_at.remove(&reply.key) {
                self.times.record(i64::try_from(sent.elapsed().as_nanos()).unwrap_or(i64::MAX));
            }
            let became = became(reply);
            self.asked.insert(reply.key, became);
            self.accepted += u64::from(matches!(became, Became::Accepted(_)));
            self.others += u64::from(matches!(became, Became::Refused(_)));
            self.out_of_order += u64::from(reply.answer.seq.0 <= self.last);
            self.last = reply.answer.seq.0;
        }
        count
    }

    fn take_times(&mut self) -> Recorder {
        std::mem::replace(&mut self.times, Recorder::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::scene::TICK;

    #[test]
    fn a_client_that_does_not_read_is_refused_alone_when_its_credit_is_used() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
        // Sixteen ticks of four bets are its credit; the seventeenth finds it used.
        assert_eq!(story.after_fault(Phase::Detect), Some(Nanos(17 * TICK.0)));
    }
}
