//! What a figure was measured on: processor, scheduler, file system, and what they cost by themselves.
//!
//! Everything is measured within about a second and a half, and nothing that cannot be read is an error: it is
//! left out of the line. Latencies of an engine are to be read beside these, from the same run: a
//! durable bet cannot be quicker than a bare sync, nor a hop between threads than one between cores.

use crate::load::{OpenLoop, Profile};
use crate::recorder::{Quantiles, Recorder, Span};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A page: what a sync of one small frame writes.
const PAGE: usize = 4_096;
/// Pages of the file that syncs are measured on: enough that none is written twice in a row.
const PAGES: usize = 64;
/// Syncs at most; two hundred make a p99.
const SYNCS_MAX: u64 = 200;
/// Requests a second of the control that does nothing.
const CONTROL_RATE: u64 = 100_000;
/// No part of the measuring takes longer than this, give or take one sync.
const PART_MAX: Duration = Duration::from_millis(300);

/// The facts of a machine, and how its parts behave without an engine.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Which, as the kernel writes them: `0-1`. Empty where it does not say.
    pub affinity: String,
    /// Of those, how many were idle for the most part just before measuring.
    pub free_cores: usize,
    /// Of all cores those that the kernel gives nothing to by itself, as it writes them; empty for none.
    pub isolated: String,
    /// Whether a hypervisor runs below: then it may hold the cores whenever it likes.
    pub is_virtual: bool,
    /// The frequency governor; containers and virtual machines often do not say.
    pub governor: Option<String>,
    /// The kernel's name and release.
    pub kernel: String,
    /// The scheduling policy of the measuring thread: `shared` is the ordinary one.
    pub scheduler: String,
    /// The type of the file system below the directory, and what it stands on: `ext4 on /dev/vda`.
    pub filesystem: Option<String>,
    /// Reading the clock once, in nanoseconds.
    pub clock_ns: u64,
    /// One write and fdatasync of a 4 KiB page that was written before.
    pub sync: Option<Quantiles>,
    /// A cache line from one core to another: half of a round trip, the median; none where fewer
    /// than two cores are free, because then it would measure the scheduler.
    pub hop_ns: Option<u64>,
    /// A cache line from one core to another and back, the median; none where there is no [`Machine::hop_ns`].
    pub round_trip_ns: Option<u64>,
    /// Gaps that a thread sees which does nothing but read the clock.
    pub hiccup: Hiccup,
    /// The control: how late a thread, pinned where the system permits it, sees the moments of an open schedule
    /// of 100,000 a second when it has nothing else to do.
    pub control: Quantiles,
}

/// How a thread that only reads the clock is held up: what no engine can be blamed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hiccup {
    /// 999 of a thousand gaps longer than a microsecond are not longer than this, in nanoseconds.
    pub p999: u64,
    /// The longest gap, in nanoseconds.
    pub max: u64,
    /// Of a million nanoseconds, so many went into gaps longer than ten microseconds.
    pub lost_ppm: u64,
}

impl Machine {
    /// Measures the machine, and the file system of `dir`, in which a file of 256 KiB is made and
    /// removed again. Takes about a second and a half.
    pub fn measure(dir: &Path) -> Machine {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let free_cores = free_cores(cores);
        let round_trip_ns = if 2 <= free_cores { round_trip_ns() } else { None };
        Machine {
            cpu: cpu_name(),
            cores,
            affinity: status_of_self("Cpus_allowed_list").unwrap_or_default(),
            free_cores,
            isolated: read("/sys/devices/system/cpu/isolated").unwrap_or_default(),
            is_virtual: is_virtual(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            kernel: read("/proc/sys/kernel/osrelease").map_or_else(
                || std::env::consts::OS.to_owned(),
                |release| format!("Linux {release}"),
            ),
            scheduler: scheduler(),
            filesystem: filesystem(dir),
            clock_ns: clock_ns(),
            sync: sync(dir).ok(),
            hop_ns: round_trip_ns.map(|trip| trip / 2),
            round_trip_ns,
            hiccup: hiccup(),
            control: control(PART_MAX),
        }
    }
}

/// How long the hypervisor had the cores of this machine to itself, so far, in nanoseconds; 0 where it does not
/// say. By proc_stat(5), in hundredths of a second over all cores.
pub fn stolen_ns() -> u64 {
    let stat = read("/proc/stat").unwrap_or_default();
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "));
    let ticks = all.and_then(|rest| rest.split_whitespace().nth(7)?.parse::<u64>().ok());
    ticks.unwrap_or(0) * 10_000_000
}

/// Bytes that this process has had written to devices so far; none where the kernel does not count them.
/// By proc_pid_io(5): pages of a mapped file count when they become dirty.
pub fn device_bytes() -> Option<u64> {
    let io = read("/proc/self/io")?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes:")?.trim().parse().ok())
}

/// Memory of this process now, in KiB; 0 where the kernel does not say.
pub fn resident_kib() -> u64 {
    let resident = status_of_self("VmRSS");
    let kib = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0)
}

/// The control for so long: how late an idle loop, pinned where the system permits it, sees the moments of an
/// open schedule of 100,000 a second.
pub fn control(span: Duration) -> Quantiles {
    let span_ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let times = Profile::steady(CONTROL_RATE, span_ns).times().map(|at_ns| (at_ns, ()));
    let mut load = OpenLoop::new(times);
    let mut late = Recorder::new();
    std::thread::scope(|scope| {
        // A thread of its own: whoever measures next is not to stay on this core.
        scope.spawn(|| {
            pin(0);
            let start = Instant::now();
            while load.next_ns().is_some() {
                let now = start.elapsed();
                while let Some((at_ns, ())) = load.due(u64::try_from(now.as_nanos()).unwrap_or(0)) {
                    late.record(nanos(now).saturating_sub_unsigned(at_ns));
                }
            }
        });
    });
    late.quantiles()
}

/// Pins this thread to one of the cores that it may use, counted from the last; the first ones serve the
/// interrupts of most machines. Where there is none of this number, or the system refuses, it stays free.
fn pin(from_last: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(core) = cores.iter().rev().nth(from_last) {
        core_affinity::set_for_current(*core);
    }
}

impl fmt::Display for Machine {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.cores == 1 { "" } else { "s" };
        write!(f, "{}, {} core{plural}", self.cpu, self.cores)?;
        match self.affinity.as_str() {
            "" => write!(f, " ({} free)", self.free_cores)?,
            these => write!(f, " ({these}; {} free)", self.free_cores)?,
        }
        if !self.isolated.is_empty() {
            write!(f, ", {} isolated", self.isolated)?;
        }
        if self.is_virtual {
            write!(f, ", virtual")?;
        }
        if let Some(governor) = &self.governor {
            write!(f, ", governor {governor}")?;
        }
        write!(f, " · {} · scheduler {}", self.kernel, self.scheduler)?;
        if let Some(filesystem) = &self.filesystem {
            write!(f, " · {filesystem}")?;
        }
        match &self.sync {
            Some(sync) => {
                write!(f, " · bare 4 KiB fdatasync p50 {} p99 {}", Span(sync.p50), Span(sync.p99))?
            }
            None => write!(f, " · bare fdatasync not measured")?,
        }
        match self.hop_ns {
            Some(hop) => write!(f, " · hop between cores {}", Span(hop))?,
            None => write!(f, " · hop between cores meaningless: fewer than 2 free cores")?,
        }
        write!(
            f,
            " · clock {} · idle pinned loop p50 {} p99.9 {} max {} · idle hiccup p99.9 {} max {}, {}.{:02} % of \
             time lost",
            Span(self.clock_ns),
            Span(self.control.p50),
            Span(self.control.p999),
            Span(self.control.max),
            Span(self.hiccup.p999),
            Span(self.hiccup.max),
            self.hiccup.lost_ppm / 10_000,
            self.hiccup.lost_ppm / 100 % 100,
        )
    }
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

/// A field of `/proc/self/status`.
fn status_of_self(field: &str) -> Option<String> {
    let status = read("/proc/self/status")?;
    let of_field =
        |line: &str| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_owned());
    status.lines().find_map(of_field)
}

fn cpu_name() -> String {
    let info = read("/proc/cpuinfo").unwrap_or_default();
    let named = |line: &str| {
        let (field, value) = line.split_once(':')?;
        (field.trim() == "model name").then(|| value.trim().to_owned())
    };
    info.lines().find_map(named).unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// Whether the processor says that a hypervisor runs below.
fn is_virtual() -> bool {
    let info = read("/proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == "hypervisor")
}

/// The policy of this thread: the 41st field of its line in /proc, proc_pid_stat(5).
fn scheduler() -> String {
    let policy = || {
        let stat = read("/proc/thread-self/stat")?;
        // The name, field 2, may hold spaces; it ends with the last parenthesis.
        let behind_name = stat.get(stat.rfind(')')? + 1..)?;
        behind_name.split_whitespace().nth(41 - 3)?.parse::<u32>().ok()
    };
    match policy() {
        Some(0) => "shared",
        Some(1) => "FIFO",
        Some(2) => "round robin",
        Some(3) => "batch",
        Some(5) => "idle",
        Some(6) => "deadline",
        Some(_) | None => "unknown",
    }
    .to_owned()
}

/// The mount that `dir` lies on, by the longest mount point that is a beginning of its path.
fn filesystem(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = read("/proc/self/mountinfo")?;
    let mount = |line: &str| {
        // proc_pid_mountinfo(5): the mount point is the fifth field, the type follows " - ".
        let (before, behind) = line.split_once(" - ")?;
        let point = PathBuf::from(before.split_whitespace().nth(4)?.replace("\\040", " "));
        let mut behind = behind.split_whitespace();
        let text = format!("{} on {}", behind.next()?, behind.next()?);
        dir.starts_with(&point).then_some((point.components().count(), text))
    };
    // Of two mounts on one point the later one is on top.
    let (_, text) = mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth)?;
    Some(text)
}

/// Cores of ours that did nothing for most of a short while; all where the kernel does not say.
fn free_cores(cores: usize) -> usize {
    let before = idle_ticks();
    std::thread::sleep(Duration::from_millis(60));
    let after = idle_ticks();
    let mostly_idle = |(before, after): (&(u64, u64), &(u64, u64))| {
        let (idle, all) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
        // Counted in hundredths of a second: six of them, so one is forgiven.
        all == 0 || all <= idle * 2
    };
    if before.is_empty() || before.len() != after.len() {
        return cores;
    }
    before.iter().zip(&after).filter(|pair| mostly_idle(*pair)).count().min(cores)
}

/// Idle and all ticks of every core, by proc_stat(5): user, nice, system, idle, iowait, ...
fn idle_ticks() -> Vec<(u64, u64)> {
    let stat = read("/proc/stat").unwrap_or_default();
    let of_core = |line: &str| {
        let rest = line.strip_prefix("cpu").filter(|rest| !rest.starts_with(' '))?;
        let ticks: Vec<u64> =
            rest.split_whitespace().skip(1).take(8).map_while(|n| n.parse().ok()).collect();
        Some((ticks.get(3)? + ticks.get(4)?, ticks.iter().sum()))
    };
    stat.lines().filter_map(of_core).collect()
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

fn clock_ns() -> u64 {
    const READS: u32 = 20_000;
    let start = Instant::now();
    for _ in 0..READS {
        std::hint::black_box(Instant::now());
    }
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX) / u64::from(READS)
}

/// A write and fdatasync at a time, over pages that hold data already: an append to a prepared
/// segment, and nothing else.
fn sync(dir: &Path) -> io::Result<Quantiles> {
    let path = dir.join(format!(".betring-sync-{}", std::process::id()));
    let measured = sync_on(&path);
    let removed = fs::remove_file(&path);
    let quantiles = measured?;
    removed?;
    Ok(quantiles)
}

fn sync_on(path: &Path) -> io::Result<Quantiles> {
    let file = File::options().write(true).create_new(true).open(path)?;
    for page in 0..PAGES {
        file.write_all_at(&[0; PAGE], (page * PAGE) as u64)?;
    }
    file.sync_all()?;
    let mut recorder = Recorder::new();
    let start = Instant::now();
    for n in 0..SYNCS_MAX {
        if PART_MAX <= start.elapsed() {
            break;
        }
        let before = Instant::now();
        file.write_all_at(&[n as u8; PAGE], (n % PAGES as u64) * PAGE as u64)?;
        file.sync_data()?;
        recorder.record(nanos(before.elapsed()));
    }
    Ok(recorder.quantiles())
}

/// The median round trip of a number between two threads on two cores.
fn round_trip_ns() -> Option<u64> {
    #[repr(align(128))]
    struct Line(AtomicU64);
    const TRIPS: u64 = 20_000;
    const STOP: u64 = u64::MAX;
    let (there, back) = (Line(AtomicU64::new(0)), Line(AtomicU64::new(0)));
    let mut recorder = Recorder::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(0);
            let mut seen = 0;
            while seen != STOP {
                let now = there.0.load(Ordering::Acquire);
                if now != seen {
                    back.0.store(now, Ordering::Release);
                    seen = now;
                }
                std::hint::spin_loop();
            }
        });
        scope.spawn(|| {
            pin(1);
            let start = Instant::now();
            for trip in 1..=TRIPS {
                let before = Instant::now();
                there.0.store(trip, Ordering::Release);
                while back.0.load(Ordering::Acquire) != trip {
                    std::hint::spin_loop();
                }
                recorder.record(nanos(before.elapsed()));
                if PART_MAX <= start.elapsed() {
                    break;
                }
            }
            there.0.store(STOP, Ordering::Release);
        });
    });
    // The clock was read twice within each trip, and one reading lies inside of the span.
    let trip = recorder.at(0.5).saturating_sub(clock_ns());
    (0 < recorder.count()).then_some(trip)
}

fn hiccup() -> Hiccup {
    const LONG: Duration = Duration::from_micros(1);
    const LOST: Duration = Duration::from_micros(10);
    let mut gaps = Recorder::new();
    let (start, mut lost) = (Instant::now(), Duration::ZERO);
    let mut last = start;
    while last.duration_since(start) < PART_MAX {
        let now = Instant::now();
        let gap = now.duration_since(last);
        if LONG < gap {
            gaps.record(nanos(gap));
        }
        if LOST < gap {
            lost += gap;
        }
        last = now;
    }
    let (lost, all) = (lost.as_nanos(), last.duration_since(start).as_nanos().max(1));
    let q = gaps.quantiles();
    let lost_ppm = u64::try_from(lost * 1_000_000 / all).unwrap_or(u64::MAX);
    Hiccup { p999: q.p999, max: q.max, lost_ppm }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_itself_in_one_line_within_two_seconds_of_quiet() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let machine = Machine::measure(dir.path());
        let line = machine.to_string();
        assert!(!line.contains('\n') && line.contains("fdatasync"), "{line}");
        assert!(1 <= machine.cores && 0 < machine.clock_ns, "{line}");
        assert_eq!(machine.control.count, 30_000, "the control saw every moment of its schedule");
        assert!(0 < resident_kib());
        assert!(machine.sync.is_some_and(|sync| 0 < sync.count && sync.p50 <= sync.p99));
        let left = fs::read_dir(dir.path()).expect("it is still there").count();
        assert_eq!(left, 0, "the file that was measured on is removed");
    }

    #[test]
    fn a_directory_that_is_not_there_leaves_the_sync_out() {
        let machine = Machine { sync: sync(Path::new("/no/such/dir")).ok(), ..Machine::default() };
        assert!(machine.to_string().contains("bare fdatasync not measured"));
        assert!(machine.to_string().contains("meaningless: fewer than 2 free cores"));
    }
}
