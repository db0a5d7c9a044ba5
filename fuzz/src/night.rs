//! A night against an engine, in ten lines of anybody's test.
//!
//! ```no_run
//! use betring_core::time::Nanos;
//! use betring_core::{BetFacts, Rules, Ruling};
//! use betring_fuzz::{FromToml, Limits, System, money};
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
//! betring_fuzz::night()
//!     .rules(NoBetsAfterMinute85)
//!     .limits(Limits::from_toml(include_str!("../tests/it/limits.toml"))?)
//!     .weights(|w| w.retry(0.3).late_result(0.05).crash(0.01))
//!     .invariant("no stake above 5,000", |v| v.open_bets().all(|b| b.stake <= money!(5_000)))
//!     .against(System::inline())
//!     .require_all_transitions()
//!     .run(10_000);
//! # Ok::<(), String>(())
//! ```
//!
//! A failure is a panic that says the seed, the sentence that broke, and the shortest script that
//! was found to break it. A night in which no bet was placed is a failure too: it shows nothing of any rule.

use crate::auditor::{Auditor, Hits, OpenBet, OwnRules, Ring, Violation};
use crate::minimize::{self, Asking};
use crate::sim::crowd::{Crowd, Stage};
use crate::sim::house::Setup;
use crate::sim::{Input, START, guarded, setup_of};
use crate::system::{System, UnderTest};
use betring_core::command::{Capacities, Limits};
use betring_core::id::{AccountId, Seq};
use betring_core::time::Timestamp;
use betring_core::wire::Minor;
use betring_core::{HouseRules, Rules};
use std::cell::Cell;
use std::sync::{Arc, Once};

/// Inputs of one night; a run of more takes several, each with a house of its own.
const NIGHT: usize = 600;
/// How many times as many inputs more a run gets for steps that were not taken yet.
const MORE: usize = 3;
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
    /// Records of the engine's journal that were read beside its answers: 0 for one that keeps none of ours.
    pub records: u64,
    /// Bets that were placed, and those that were offered at another price.
    pub bets: u64,
    /// How often which step of a life cycle was taken: prints as the tables.
    pub hits: Hits,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Told { commands, crashes, records, bets, hits } = self;
        write!(f, "{commands} commands, {records} records, {bets} bets, {crashes} crashes\n{hits}")
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

    /// Every step of both life cycles that can be taken by an engine that is asked one thing at a time has to be
    /// taken at least once; by an engine that is not ours, every step of a single. Steps that are rare get up to
    /// three times as many inputs more.
    pub fn require_all_transitions(self) -> Night<R> {
        Night { all_transitions: true, ..self }
    }

    /// Plays until so much was done.
    ///
    /// # Panics
    /// If something does not hold: with the seed, the sentence, and the shortest script that was found. And if
    /// no bet was placed.
    pub fn run(self, inputs: usize) -> Told {
        if self.own_rules && !self.system.runs_own_rules() {
            panic!(
                "{:?} cannot be given rules of yours: write them into it, and say so with \
                 `System::process_with_rules`",
                self.system
            );
        }
        let never = |told: &Told| told.hits.never_in_turn(!self.system.is_betring());
        let mut told = Told::default();
        let mut left = inputs;
        let mut seed = self.seed;
        let mut more = if self.all_transitions { inputs.saturating_mul(MORE) } else { 0 };
        loop {
            if left == 0 && 0 < more && !never(&told).is_empty() {
                left = more.min(NIGHT);
                more -= left;
            }
            if left == 0 {
                break;
            }
            let steps = left.min(NIGHT);
            match self.play(seed, None, steps) {
                Ok(night) => {
                    told.commands += night.commands;
                    told.crashes += night.crashes;
                    told.records += night.records;
                    told.bets += night.bets;
                    told.hits.add(&night.hits);
                    let is_long = steps == NIGHT || told.bets == 0 && left == steps;
                    if night.bets == 0 && is_long {
                        panic!(
                            "no bet was placed in the night of seed {seed:#x}, in {steps} inputs: rules or \
                             limits that refuse everything show nothing\n{night}"
                        );
                    }
                }
                Err(broken) => self.fail(seed, broken),
            }
            left -= steps;
            seed = seed.wrapping_add(1);
        }
        let never = never(&told);
        if self.all_transitions && !never.is_empty() {
            let all = inputs.saturating_mul(1 + MORE);
            panic!("{told}\nnever taken in {all} inputs: {}", never.join("; "));
        }
        told
    }

    fn setup(&self, seed: u64) -> Setup {
        let mut setup = setup_of(seed);
        if let Some(limits) = self.limits {
            setup.genesis.limits = limits;
        }
        if !self.system.is_betring() {
            // Engines that speak lines are told of four limits, and are judged by those.
            let Limits { max_customer, max_selection, max_event, .. } = Limits::UNLIMITED;
            let limits = &mut setup.genesis.limits;
            (limits.max_customer, limits.max_selection) = (max_customer, max_selection);
            limits.max_event = max_event;
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
            actors: Vec::new(),
            told: Told::default(),
        };
        if self.own_rules {
            let rules = OwnRules::of(self.rules.clone());
            scene.auditor = scene.auditor.with_rules(rules.clone());
            scene.records = scene.records.with_rules(rules);
        }
        let mut inputs = Vec::new();
        let broken = |what: Violation, inputs: &[Input], scene: &Scene| {
            // Of an engine that is not ours the script has what it said: ours says otherwise.
            let expected = what.split_once(", and the rules say ").map(|(_, expected)| expected);
            let expected = expected.filter(|_| self.system.is_betring());
            let (setup, actors, asked) = (&scene.setup, &scene.actors, &scene.asked);
            let mut script = minimize::script_of(setup, actors, asked, expected);
            script.push_str(&minimize::epilogue(seed, &what));
            Broken { class: minimize::class_of(&what), what, inputs: inputs.to_vec(), script }
        };
        let (genesis, capacities) = (scene.setup.genesis, scene.setup.capacities);
        let begun = scene.auditor.begin(scene.at, genesis, capacities);
        let started =
            begun.and_then(|()| self.system.start(&self.rules, &scene.setup, seed, scene.at));
        let mut system = started.map_err(|what| broken(what, &inputs, &scene))?;
        for name in system.actors() {
            scene.auditor.registered(&name);
            scene.actors.push(name);
        }
        let mut crowd = Crowd::new(seed).weighted(self.weights, !self.system.is_betring());
        for step in 0..steps {
            let input = match given {
                Some(given) => match given.get(step) {
                    Some(input) => input.clone(),
                    None => break,
                },
                None => crowd.act(&mut scene),
            };
            // Rules and invariants of anybody's may panic.
            let result = guarded(|| self.one(&mut *system, &mut scene, &input));
            inputs.push(input);
            if let Err(what) = result {
                return Err(broken(what, &inputs, &scene));
            }
        }
        scene.told.hits = scene.auditor.hits().clone();
        scene.told.bets = scene.told.hits.placed();
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
            scene.told.records += 1;
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

    /// Says what broke, shortens it, and says that.
    fn fail(&self, seed: u64, first: Broken) -> ! {
        let (what, class) = (first.what.clone(), first.class.clone());
        eprintln!("seed {seed:#x}, {} inputs: {what}", first.inputs.len());
        let again = |fewer: &[Input]| {
            let broken = quietly(|| self.play(seed, Some(fewer), fewer.len())).err()?;
            (broken.class == class).then_some(broken)
        };
        let best = minimize::fewest(first, |broken| &broken.inputs, SHORTENINGS_MAX, again);
        panic!(
            "{what}\nseed {seed:#x}, {} inputs, as short as was found:\n\n{}",
            best.inputs.len(),
            best.script
        );
    }
}

std::thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// A panic that was told of is not told of again, by this thread.
fn quietly<T>(what: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                before(panic);
            }
        }));
    });
    QUIET.set(true);
    let done = what();
    QUIET.set(false);
    done
}

struct Broken {
    what: Violation,
    class: String,
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
    /// Actors that the engine began with.
    actors: Vec<String>,
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
    /// Reads `min_stake`, `max_stake`, `max_payout` and `max_liability`, amounts as text: `"5000.00"`; and
    /// `max_customer`, `max_selection` and `max_event`, where there are any.
    ///
    /// # Errors
    /// What is missing, not known, not an amount, or below what it has to be above.
    fn from_toml(text: &str) -> Result<Self, String>;
}

impl FromToml for Limits {
    fn from_toml(text: &str) -> Result<Limits, String> {
        let table: toml::Table = text.parse().map_err(|e| format!("limits: {e}"))?;
        let names = ["min_stake", "max_stake", "max_payout", "max_liability"];
        let others = ["max_customer", "max_selection", "max_event"];
        let known = [&names[..], &others].concat();
        if let Some(other) = table.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!("limits: {other} is none of {}", known.join(", ")));
        }
        let amount = |name: &str| {
            let value = table.get(name);
            let value =
                value.ok_or_else(|| format!("limits: {name} is missing, write \"10.00\""))?;
            let text = value.as_str();
            let text = text.ok_or_else(|| {
                format!("limits: {name} is not text but {value}, write \"10.00\"")
            })?;
            let money: betring_pricing::Money =
                text.parse().map_err(|e| format!("limits: {name}: {e}"))?;
            Ok::<Minor, String>(money.into())
        };
        let or_none = |name: &str| match table.contains_key(name) {
            true => amount(name),
            false => Ok(Limits::UNLIMITED.max_liability),
        };
        let limits = Limits {
            min_stake: amount("min_stake")?,
            max_stake: amount("max_stake")?,
            max_payout: amount("max_payout")?,
            max_liability: amount("max_liability")?,
            max_customer: or_none("max_customer")?,
            max_selection: or_none("max_selection")?,
            max_event: or_none("max_event")?,
        };
        let rising = [
            ("min_stake", limits.min_stake, "max_stake", limits.max_stake),
            ("max_stake", limits.max_stake, "max_payout", limits.max_payout),
        ];
        match rising.iter().find(|(_, less, _, more)| more.0 < less.0) {
            Some((less, _, more, _)) => Err(format!("limits: {more} is below {less}")),
            None if limits.min_stake.0 <= 0 || limits.max_liability.0 <= 0 => {
                Err("limits: min_stake and max_liability are above 0".to_owned())
            }
            None if [limits.max_customer, limits.max_selection, limits.max_event]
                .iter()
                .any(|most| most.0 <= 0) =>
            {
                Err(format!("limits: {} are above 0", others.join(", ")))
            }
            None => Ok(limits),
        }
    }
}
