//! Ours and its peers on the same input: do they agree, and how long does each take?
//!
//! A [`Task`] has our way to do something and those of the peers. [`Report::of`] checks that all come
//! to the same numbers and takes the time of each in turns, so that what disturbs the machine
//! disturbs all alike: processor time, in which a neighbour's turn on the core is not. A report is a
//! table for people, or JSON for a program that has more peers.

pub mod stream;

use std::{collections::BTreeMap, fmt, fs, hint::black_box};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde_json::Value;

/// How often each way is measured; odd, so that there is a median.
const ROUNDS: usize = 21;

/// A measurement has as many calls as take this long, in nanoseconds: a thousand times what reading
/// the clock takes.
const BATCH_NS: f64 = 2e6;

/// One way to do a task.
pub struct Way {
    numbers: Vec<f64>,
    /// Makes so many calls, and says how many nanoseconds they took.
    batch: Box<dyn FnMut(u32) -> f64>,
}

impl Way {
    /// What it comes to, and a call that does it.
    pub fn new<T>(numbers: Vec<f64>, mut call: impl FnMut() -> T + 'static) -> Way {
        let batch = move |calls| {
            let start = processor_ns();
            for _ in 0..calls {
                black_box(call());
            }
            processor_ns() - start
        };
        Way { numbers, batch: Box::new(batch) }
    }
}

/// What this thread has had of a processor, in nanoseconds.
pub fn processor_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The way of a peer.
pub struct Peer {
    package: &'static str,
    way: Way,
    /// Which of our numbers it has; all if none are named.
    has: Option<Vec<usize>>,
    tolerance: f64,
    remark: String,
}

impl Peer {
    /// A package of Cargo.lock, and how far its numbers may be from ours.
    pub fn new(package: &'static str, way: Way, tolerance: f64) -> Peer {
        Peer { package, way, has: None, tolerance, remark: String::new() }
    }

    /// It has only some of our numbers: those at these places.
    pub fn has(self, places: Vec<usize>) -> Peer {
        Peer { has: Some(places), ..self }
    }

    /// What is not alike.
    pub fn remark(self, remark: impl Into<String>) -> Peer {
        Peer { remark: remark.into(), ..self }
    }

    /// The greatest difference of its numbers from ours.
    fn difference(&self, ours: &[f64]) -> f64 {
        let ours: Vec<f64> = match &self.has {
            Some(places) => places.iter().map(|&place| ours[place]).collect(),
            None => ours.to_vec(),
        };
        assert_eq!(ours.len(), self.way.numbers.len(), "as many numbers as ours");
        let apart = |(one, other): (&f64, &f64)| (one - other).abs();
        // Farther than anything is what is no number.
        let farther = |most: f64, apart: f64| {
            if most.is_nan() || apart <= most { most } else { apart }
        };
        ours.iter().zip(&self.way.numbers).map(apart).fold(0.0, farther)
    }
}

/// Something that ours does, and the peers that do it, too.
pub struct Task {
    /// What is done.
    pub name: String,
    /// Of what: for peers of other languages.
    pub input: Value,
    /// Our way.
    pub ours: Way,
    /// Theirs; none if they are all of other languages.
    pub peers: Vec<Peer>,
}

/// Nanoseconds of one call.
#[derive(Clone, Copy, Serialize)]
struct Ns {
    min: f64,
    median: f64,
}

#[derive(Serialize)]
struct AgainstPeer {
    peer: String,
    ns: Ns,
    difference: f64,
    tolerance: f64,
    remark: String,
}

#[derive(Serialize)]
struct Measured {
    task: String,
    input: Value,
    numbers: Vec<f64>,
    ns: Ns,
    peers: Vec<AgainstPeer>,
}

impl Measured {
    fn of(task: Task) -> Measured {
        let Task { name, input, ours, mut peers } = task;
        let difference: Vec<f64> =
            peers.iter().map(|peer| peer.difference(&ours.numbers)).collect();
        let Way { numbers, batch } = ours;
        let mut batches = vec![batch];
        for peer in &mut peers {
            batches.push(std::mem::replace(&mut peer.way.batch, Box::new(|_| 0.0)));
        }
        let mut ns = in_turns(&mut batches).into_iter();
        let ours = ns.next().expect("ours is the first");
        let peers = peers.into_iter().zip(ns).zip(difference).map(|((peer, ns), difference)| {
            let Peer { package, tolerance, remark, .. } = peer;
            let peer = format!("{package} {}", version(package));
            AgainstPeer { peer, ns, difference, tolerance, remark }
        });
        Measured { task: name, input, numbers, ns: ours, peers: peers.collect() }
    }
}

/// Measures one batch of each in every round.
fn in_turns(batches: &mut [Box<dyn FnMut(u32) -> f64>]) -> Vec<Ns> {
    let calls: Vec<u32> = batches.iter_mut().map(|batch| calls_of(batch)).collect();
    let mut spans = vec![Vec::with_capacity(ROUNDS); batches.len()];
    for _ in 0..ROUNDS {
        for ((batch, &calls), spans) in batches.iter_mut().zip(&calls).zip(&mut spans) {
            spans.push(batch(calls) / f64::from(calls));
        }
    }
    let ns = |mut spans: Vec<f64>| {
        spans.sort_by(f64::total_cmp);
        Ns { min: spans[0], median: spans[ROUNDS / 2] }
    };
    spans.into_iter().map(ns).collect()
}

/// How many calls make a batch.
fn calls_of(batch: &mut dyn FnMut(u32) -> f64) -> u32 {
    let mut calls = 1;
    while batch(calls) < BATCH_NS {
        calls *= 2;
    }
    calls
}

/// All tasks, measured on one machine.
#[derive(Serialize)]
pub struct Report {
    machine: String,
    versions: BTreeMap<&'static str, String>,
    tasks: Vec<Measured>,
    notes: Vec<String>,
}

impl Report {
    /// Measures them; `notes` are what there is to say about none of them alone.
    pub fn of(tasks: Vec<Task>, notes: Vec<String>) -> Report {
        let packages = tasks.iter().flat_map(|task| task.peers.iter().map(|peer| peer.package));
        let ours = std::iter::once("betring-pricing");
        let versions = ours.chain(packages).map(|package| (package, version(package))).collect();
        let tasks = tasks.into_iter().map(Measured::of).collect();
        Report { machine: machine(), versions, tasks, notes }
    }

    /// That every peer came to our numbers, within its tolerance.
    pub fn agrees(&self) -> bool {
        let mut peers = self.tasks.iter().flat_map(|task| &task.peers);
        peers.all(|peer| peer.difference <= peer.tolerance)
    }
}

impl fmt::Display for Report {
    /// As Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        writeln!(
            f,
            "| task | ours: min, median | peer | min, median | of minima | apart ≤ tolerance | remark |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for task in &self.tasks {
            for peer in &task.peers {
                let AgainstPeer { peer, ns, difference, tolerance, remark } = peer;
                let Measured { task, ns: ours, .. } = task;
                let ratio = ns.min / ours.min;
                let than = if difference <= tolerance { "≤" } else { "**ABOVE**" };
                writeln!(
                    f,
                    "| {task} | {ours} | {peer} | {ns} | {ratio:.1} | {difference:.1e} {than} \
                     {tolerance:.0e} | {remark} |"
                )?;
            }
        }
        writeln!(f)?;
        self.notes.iter().try_for_each(|note| writeln!(f, "- {note}"))
    }
}

impl fmt::Display for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |ns: f64| match ns {
            ..1e3 => format!("{ns:.1} ns"),
            ..1e6 => format!("{:.1} µs", ns / 1e3),
            _ => format!("{:.1} ms", ns / 1e6),
        };
        write!(f, "{}, {}", span(self.min), span(self.median))
    }
}

/// The version of a package that this was built with.
///
/// # Panics
/// If `package` is not in Cargo.lock.
pub fn version(package: &str) -> String {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let (_, from) = lock.split_once(&name).expect("a package of Cargo.lock");
    let (version, _) = from.split_once('"').expect("a version ends");
    version.to_owned()
}

/// The processor, its cores and the kernel.
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = name.map_or(std::env::consts::ARCH, |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let release = read("/proc/sys/kernel/osrelease");
    let release = release.trim().split('-').next().unwrap_or_default();
    format!("{cpu}, {cores} cores, Linux {release}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(numbers: &[f64]) -> Peer {
        Peer::new("brumby", Way::new(numbers.to_vec(), || ()), 0.1)
    }

    #[test]
    fn the_greatest_difference_counts_and_what_is_no_number_is_one() {
        assert_eq!(peer(&[1.0, 2.5]).difference(&[1.0, 2.0]), 0.5);
        assert_eq!(peer(&[2.0]).has(vec![1]).difference(&[1.0, 2.0]), 0.0);
        assert!(peer(&[f64::NAN, 2.0]).difference(&[1.0, 2.0]).is_nan());
    }

    #[test]
    fn a_peer_that_differs_is_no_agreement() {
        let of = |numbers: &[f64]| {
            let ours = Way::new(vec![1.0], || ());
            let peers = vec![peer(numbers)];
            Report::of(vec![Task { name: String::new(), input: Value::Null, ours, peers }], vec![])
        };
        assert!(of(&[1.05]).agrees());
        assert!(!of(&[1.2]).agrees());
        assert!(!of(&[f64::NAN]).agrees());
    }
}
