//! A night against an engine, in ten lines of anybody's test.
//!
//! ```
//! use betring_core::{BetFacts, Rules, Ruling};
//! use betring_core::time::Nanos;
//! use betring_fuzz::{System, money};
//!
//! #[derive(Clone)]
//! struct NoBetsAfterMinute85;
//!
//! impl Rules for NoBetsAfterMinute85 {
//!     const ID: u64 = 85;
//!     const VERSION: u32 = 1;
//!     fn market(&self, bet: &BetFacts) -> Ruling {
//!         let minute_85 = bet.starts.plus(Nanos::from_secs(85 * 60));
//!         if bet.starts.0 != 0 && minute_85 <= bet.at { Ruling::Refuse(85) } else { Ruling::Pass }
//!     }
//! }
//!
//! let told = betring_fuzz::night()
//!     .rules(NoBetsAfterMinute85)
//!     .weights(|w| w.retry(0.3).late_result(0.05).crash(0.01))
//!     .invariant("no stake above 5,000", |v| v.open_bets().all(|b| b.stake <= money!(5_000)))
//!     .against(System::inline())
//!     .run(600);
//! assert!(told.commands > 100);
//! ```
//!
//! A failure is a panic that says the seed, the sentence that broke, and the shortest script that
//! was found to break it.

use crate::auditor::{Auditor, Hits, OpenBet, Ring, Violation};
use crate::minimize::{self, Asking};
use crate::sim::crowd::{Crowd, Stage};
use crate::sim::house::Setup;
use crate::sim::{Input, START, setup_of};
use crate::system::{System, UnderTest};
use betring_core::command::{Capacities, Limits};
use betring_core::id::{AccountId, Seq};
use betring_core::time::Timestamp;
use betring_core::wire::Minor;
use betring_core::{HouseRules, Rules};
use std::sync::Arc;

/// Inputs of one night; a run of more takes several, each with a house of its own.
const NIGHT: usize = 600;
/// Nights that are played again to shorten one that broke.
const SHORTENINGS_MAX: usize = 600;

/// A night under the house's own rules, against betring without threads.
pub fn night() -> Night<HouseRules> {
    Night {
        rules: HouseRules,
        own_rules: false,
        limits: None,
        weights: Weights::default(),
        invariants: Vec::new(),
        system: System::inline(),
        seed: 0x5eed,
        all_transitions: false,
    }
}

/// How often what happens: shares of everything that is done, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    pub(crate) retry: f64,
    pub(crate) late_result: f64,
    pub(crate) crash: f64,
}

impl Default for Weights {
    fn default() -> Weights {
        Weights { retry: 0.1, late_result: 0.02, crash: 0.01 }
    }
}

impl Weights {
    /// Of all commands so many are sent again.
    pub fn retry(self, share: f64) -> Weights {
        Weights { retry: share.clamp(0.0, 1.0), ..self }
    }

    /// Of all commands so many are results, most of them late or repeated.
    pub fn late_result(self, share: f64) -> Weights {
        Weights { late_result: share.clamp(0.0, 1.0), ..self }
    }

    /// Before so many commands the engine crashes.
    pub fn crash(self, share: f64) -> Weights {
        Weights { crash: share.clamp(0.0, 1.0), ..self }
    }
}

/// What an invariant may look at: the book as the engine's answers have made it.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    auditor: &'a Auditor,
}

impl Look<'_> {
    /// Every open bet.
    pub fn open_bets(&self) -> impl Iterator<Item = OpenBet> + '_ {
        self.auditor.open_bets()
    }

    /// Every account with its balance.
    pub fn balances(&self) -> Vec<(AccountId, Minor)> {
        self.auditor.balances()
    }

    /// The moment.
    pub fn now(&self) -> Timestamp {
        self.auditor.now()
    }
}

type Invariant = (String, Arc<dyn Fn(&Look<'_>) -> bool>);

/// A night that is being set up. [`Night::run`] plays it.
pub struct Night<R: Rules> {
    rules: R,
    own_rules: bool,
    limits: Option<Limits>,
    weights: Weights,
    invariants: Vec<Invariant>,
    system: System,
    seed: u64,
    all_transitions: bool,
}

/// What a run that held has seen.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Commands that were answered.
    pub commands: u64,
    /// Crashes.
    pub crashes: u64,
    /// How often which step of a life cycle was taken: prints as the tables.
    pub hits: Hits,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} commands, {} crashes\n{}", self.commands, self.crashes, self.hits)
    }
}

impl<R: Rules> Night<R> {
    /// Under an operator's own rules: the engine has to run them too.
    pub fn rules<N: Rules>(self, rules: N) -> Night<N> {
        Night {
            rules,
            own_rules: true,
            limits: self.limits,
            weights: self.weights,
            invariants: self.invariants,
            system: self.system,
            seed: self.seed,
            all_transitions: self.all_transitions,
        }
    }

    /// With these limits from the start, instead of some that the seed chooses.
    pub fn limits(self, limits: Limits) -> Night<R> {
        Night { limits: Some(limits), ..self }
    }

    /// How often what happens.
    pub fn weights(self, change: impl FnOnce(Weights) -> Weights) -> Night<R> {
        Night { weights: change(self.weights), ..self }
    }

    /// What has to hold after every command, in one sentence.
    pub fn invariant(
        mut self,
        sentence: &str,
        holds: impl Fn(&Look<'_>) -> bool + 'static,
    ) -> Night<R> {
        self.invariants.push((sentence.to_owned(), Arc::new(holds)));
        self
    }

    /// Against this engine.
    pub fn against(self, system: System) -> Night<R> {
        Night { system, ..self }
    }

    /// Decides everything that happens. Without it: always the same.
    pub fn seed(self, seed: u64) -> Night<R> {
        Night { seed, ..self }
    }

    /// Every step of both life cycles has to be taken at least once.
    pub fn require_all_transitions(self) -> Night<R> {
        Night { all_transitions: true, ..self }
    }

    /// Plays until so much was done.
    ///
    /// # Panics
    /// If something does not hold: with the seed, the sentence, and the shortest script that was found.
    pub fn run(self, inputs: usize) -> Told {
        let mut told = Told::default();
        let mut left = inputs;
        let mut seed = self.seed;
        while 0 < left {
            let steps = left.min(NIGHT);
            match self.play(seed, None, steps) {
                Ok(night) => {
                    told.commands += night.commands;
                    told.crashes += night.crashes;
                    told.hits.add(&night.hits);
                }
                Err(broken) => self.fail(seed, broken),
            }
            left -= steps;
            seed = seed.wrapping_add(1);
        }
        let never = told.hits.never();
        if self.all_transitions && !never.is_empty() {
            panic!("{told}\nnever taken in {inputs} inputs: {}", never.join("; "));
        }
        told
    }

    fn setup(&self, seed: u64) -> Setup {
        let mut setup = setup_of(seed);
        if let Some(limits) = self.limits {
            setup.genesis.limits = limits;
        }
        // Room for everything: a night of anybody's rules is not about full tables.
        setup.capacities = Capacities {
            accounts: 16,
            markets: 16,
            selections: 64,
            bets: 256,
            keys: 4_096,
            currencies: 2,
            ..setup.capacities
        };
        setup
    }

    /// Plays one night: what the crowd does, or the inputs that are given.
    fn play(&self, seed: u64, given: Option<&[Input]>, steps: usize) -> Result<Told, Broken> {
        let mut scene = Scene {
            setup: self.setup(seed),
            auditor: Auditor::new(),
            at: Timestamp(START),
            unknown: Vec::new(),
            records: Auditor::new(),
            asked: Vec::new(),
            told: Told::default(),
        };
        if self.own_rules {
            scene.auditor = scene.auditor.with_own_rules();
            scene.records = scene.records.with_own_rules();
        }
        let mut inputs = Vec::new();
        let broken = |what, inputs: &[Input], scene: &Scene| Broken {
            what,
            inputs: inputs.to_vec(),
            script: minimize::script_of(&scene.setup, &scene.asked),
        };
        let (genesis, capacities) = (scene.setup.genesis, scene.setup.capacities);
        let begun = scene.auditor.begin(scene.at, genesis, capacities);
        let started =
            begun.and_then(|()| self.system.start(&self.rules, &scene.setup, seed, scene.at));
        let mut system = started.map_err(|what| broken(what, &inputs, &scene))?;
        let mut crowd = Crowd::new(seed).weighted(self.weights);
        for step in 0..steps {
            let input = match given {
                Some(given) => match given.get(step) {
                    Some(input) => input.clone(),
                    None => break,
                },
                None => crowd.act(&mut scene),
            };
            let result = self.one(&mut *system, &mut scene, &input);
            inputs.push(input);
            if let Err(what) = result {
                return Err(broken(what, &inputs, &scene));
            }
        }
        scene.told.hits = scene.auditor.hits().clone();
        Ok(scene.told)
    }

    fn one(
        &self,
        system: &mut dyn UnderTest,
        scene: &mut Scene,
        input: &Input,
    ) -> Result<(), Violation> {
        match input {
            Input::Publish { client, bytes } => {
                let ring = if *client < 2 { Ring::Control } else { Ring::Bets };
                let mut bytes = bytes.clone();
                // The facade of an engine says when it took a command.
                if let Some(received) = bytes.get_mut(56..64) {
                    received.copy_from_slice(&scene.at.0.to_le_bytes());
                }
                scene.asked.push(Asking::Command(scene.at, bytes.clone(), None));
                let said = system.submit(ring, scene.at, &bytes)?;
                scene.told.commands += 1;
                if let Some(Asking::Command(.., answer)) = scene.asked.last_mut() {
                    *answer = Some(said);
                }
                scene.auditor.judge(ring, scene.at, &bytes, &said)?;
            }
            Input::Advance(span) => {
                scene.at = Timestamp(scene.at.0 + span);
            }
            Input::Crash { power, seed } => {
                if system.crash(*power, *seed, scene.at)? {
                    scene.told.crashes += 1;
                    scene.asked.push(Asking::Crash);
                    let capacities = scene.setup.capacities;
                    scene.auditor.restarted(scene.at, capacities);
                }
            }
            _ => return Ok(()),
        }
        system.catch_up(scene.at)?;
        scene.auditor.catch_up(scene.at)?;
        for (at, command, events) in system.events() {
            let seq = Seq(scene.records.seq() + 1);
            scene.records.sequenced(seq, at, &command, &events)?;
        }
        if let Some(balances) = system.balances()? {
            let expected = scene.auditor.balances();
            if balances != expected {
                return Err(format!("balances are {balances:?}, and the rules say {expected:?}"));
            }
        }
        let look = Look { auditor: &scene.auditor };
        match self.invariants.iter().find(|(_, holds)| !holds(&look)) {
            None => Ok(()),
            Some((sentence, _)) => Err(format!("\"{sentence}\" does not hold")),
        }
    }

    /// Shortens what broke, and says it.
    fn fail(&self, seed: u64, first: Broken) -> ! {
        let mut best = first;
        let mut plays = 0;
        let mut size = best.inputs.len().div_ceil(2).max(1);
        loop {
            let mut from = 0;
            let mut shorter = false;
            while from < best.inputs.len() && plays < SHORTENINGS_MAX {
                let to = (from + size).min(best.inputs.len());
                let mut fewer = best.inputs[..from].to_vec();
                fewer.extend_from_slice(&best.inputs[to..]);
                plays += 1;
                match self.play(seed, Some(&fewer), fewer.len()) {
                    Err(broken) => {
                        best = broken;
                        shorter = true;
                    }
                    Ok(_) => from = to,
                }
            }
            if SHORTENINGS_MAX <= plays || (size == 1 && !shorter) {
                break;
            }
            size = (size / 2).max(1);
        }
        panic!(
            "{}\nseed {seed:#x}, {} inputs, as short as was found:\n\n{}",
            best.what,
            best.inputs.len(),
            best.script
        );
    }
}

struct Broken {
    what: Violation,
    inputs: Vec<Input>,
    script: String,
}

struct Scene {
    setup: Setup,
    auditor: Auditor,
    at: Timestamp,
    unknown: Vec<(usize, Vec<u8>)>,
    /// A second auditor, which reads the records of an engine that keeps a journal of ours.
    records: Auditor,
    /// What was done so far.
    asked: Vec<Asking>,
    told: Told,
}

impl Stage for Scene {
    fn is_open(&self) -> bool {
        true
    }

    fn now(&self) -> Timestamp {
        self.at
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn auditor(&self) -> &Auditor {
        &self.auditor
    }

    fn unknown(&mut self) -> &mut Vec<(usize, Vec<u8>)> {
        &mut self.unknown
    }
}

/// Limits from a file that a person writes.
pub trait FromToml: Sized {
    /// Reads `min_stake`, `max_stake`, `max_payout` and `max_liability`, amounts as text: `"5000.00"`.
    ///
    /// # Errors
    /// What is missing or not an amount.
    fn from_toml(text: &str) -> Result<Self, String>;
}

impl FromToml for Limits {
    fn from_toml(text: &str) -> Result<Limits, String> {
        let table: toml::Table = text.parse().map_err(|e| format!("limits: {e}"))?;
        let amount = |name: &str| {
            let text = table.get(name).and_then(toml::Value::as_str);
            let text = text.ok_or_else(|| format!("limits: {name} is missing, write \"10.00\""))?;
            let money: betring_pricing::Money =
                text.parse().map_err(|e| format!("limits: {name}: {e}"))?;
            Ok::<Minor, String>(money.into())
        };
        Ok(Limits {
            min_stake: amount("min_stake")?,
            max_stake: amount("max_stake")?,
            max_payout: amount("max_payout")?,
            max_liability: amount("max_liability")?,
        })
    }
}
