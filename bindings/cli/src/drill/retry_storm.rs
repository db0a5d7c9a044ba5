//! Gateways lose answers and send again: three of ten requests come three times, and every key is one bet.

use crate::drill::scene::{Became, Scene, Setup, became};
use crate::drill::timeline::{On, Phase, Story, seconds};
use crate::error::CliError;
use betring::{BetId, Nanos, Place, Reply, RequestKey, SelectionIndex, Timestamp, money};
use std::collections::{HashMap, VecDeque};

/// Requests in a tick.
const EACH: u64 = 20;
/// How long a gateway waits for an answer before it sends again.
const PATIENCE: Nanos = Nanos::from_millis(50);
/// Of so many requests so many are sent twice at once, and a third time after a while.
const EVERY: u64 = 10;
const REPEATED: u64 = 3;
/// How long it storms.
const STORM: Nanos = Nanos::from_secs(2);

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let mut scene = Scene::open(on, &Setup::default())?;
    scene.play(Nanos::from_millis(500))?;
    let about = "gateways lose answers and send three of ten requests again";
    let mut story = scene.story("retry-storm", about);
    let mut storm = Storm::new(&scene)?;

    let began = scene.now();
    let what = format!(
        "answers get lost: {REPEATED} of {EVERY} requests come twice at once, and again after {}",
        seconds(PATIENCE)
    );
    story.phase(began, Phase::Fault, "gateway", what);
    while scene.now().since(began) < STORM {
        scene.tick()?;
        storm.send(&scene)?;
        scene.turn()?;
        storm.read(scene.now());
    }
    if let Some((at, bet)) = storm.first_repeat {
        let what = format!("knows the key: this is {bet} already");
        story.phase(at, Phase::Detect, "engine", what);
        let what = "gives the first answer again; nothing is decided twice";
        story.phase(at, Phase::Act, "engine", what);
    }
    let over = scene.now();
    while !storm.is_over() && scene.now().since(over) < Nanos::from_secs(10) {
        scene.tick()?;
        storm.retry(scene.now())?;
        scene.turn()?;
        storm.read(scene.now());
    }
    story.phase(scene.now(), Phase::Recover, "gateway", "every request has its answer");

    let attempts = storm.attempts;
    let (keys, bets) = (storm.asked.len(), storm.bets());
    story.check(
        "as many bets as keys, however often each was sent",
        bets == keys && keys < attempts as usize,
        format!("{attempts} attempts, {keys} keys, {bets} bets"),
    );
    story.check(
        "every attempt of a key has the same answer",
        storm.different == 0 && 0 < storm.repeated,
        format!("{} repeated answers, {} of them different", storm.repeated, storm.different),
    );
    scene.customers.know(storm.asked.drain());
    drop(storm);
    scene.close(&mut story)?;
    Ok(story)
}

/// A gateway whose answers get lost.
struct Storm {
    client: betring::Client,
    number: u128,
    attempts: u64,
    asked: HashMap<RequestKey, Became>,
    /// What is sent again, when.
    again: VecDeque<(Timestamp, Place)>,
    waiting: u64,
    repeated: u64,
    different: u64,
    first_repeat: Option<(Timestamp, BetId)>,
    accounts: Vec<betring::AccountId>,
}

impl Storm {
    fn new(scene: &Scene) -> Result<Storm, CliError> {
        Ok(Storm {
            client: scene.engine.client_at(1_024, scene.customers.client.level())?,
            number: 0,
            attempts: 0,
            asked: HashMap::new(),
            again: VecDeque::new(),
            waiting: 0,
            repeated: 0,
            different: 0,
            first_repeat: None,
            accounts: scene.customers.accounts.clone(),
        })
    }

    fn send(&mut self, scene: &Scene) -> Result<(), CliError> {
        for _ in 0..EACH {
            self.number += 1;
            let number = self.number as u64;
            let market = &scene.markets[self.number as usize % scene.markets.len()];
            let account = self.accounts[self.number as usize % self.accounts.len()];
            let key = betring::key(1 << 101 | self.number);
            let selection = market.at(SelectionIndex((number % 3) as u16));
            // The time limit of the first attempt, or the next would be another request.
            let until = self.client.now().plus(Nanos::from_secs(30));
            let bet = Place::single(account, selection, money!(1.00)).any_price();
            let bet = bet.key(key).valid_until(until);
            self.asked.insert(key, Became::Sent);
            self.submit(bet)?;
            if number % EVERY < REPEATED {
                self.submit(bet.retry())?;
                self.again.push_back((self.client.now().plus(PATIENCE), bet.retry()));
            }
        }
        self.retry(scene.now())
    }

    /// Sends what was not answered in time, as far as the gateway knows.
    fn retry(&mut self, now: Timestamp) -> Result<(), CliError> {
        while let Some((at, bet)) = self.again.front().copied()
            && at <= now
        {
            self.again.pop_front();
            self.submit(bet)?;
        }
        Ok(())
    }

    fn submit(&mut self, bet: Place) -> Result<(), CliError> {
        // Its answer is read with all others.
        let _ = self.client.try_submit(bet).map_err(betring::Error::from)?;
        self.attempts += 1;
        self.waiting += 1;
        Ok(())
    }

    fn read(&mut self, now: Timestamp) {
        let mut replies = [Reply::default(); 64];
        loop {
            let count = self.client.poll(&mut replies);
            for reply in &replies[..count] {
                self.waiting -= 1;
                let told = became(reply);
                let known = self.asked.insert(reply.key, told).filter(|it| *it != Became::Sent);
                if reply.is_duplicate() {
                    self.repeated += 1;
                    let bet = BetId::from_raw(reply.answer.id);
                    self.first_repeat.get_or_insert((now, bet));
                }
                self.different += u64::from(known.is_some_and(|known| known != told));
            }
            if count < replies.len() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.waiting == 0 && self.again.is_empty()
    }

    fn bets(&self) -> usize {
        self.asked.values().filter(|became| matches!(became, Became::Accepted(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_of_ten_requests_sent_three_times_are_as_many_bets_as_keys() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
    }
}
