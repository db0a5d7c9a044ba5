//! How much memory there is: of the machine, and of the group of processes that this one is in.

/// What this process may have at most, in bytes.
pub(crate) fn here() -> u64 {
    let system = rustix::system::sysinfo();
    let all = (system.totalram as u64).saturating_mul(u64::from(system.mem_unit));
    all.min(of_the_group("memory.max").unwrap_or(u64::MAX))
}

/// What nobody has taken yet, in bytes; what the system does not say is no limit.
pub(crate) fn available() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|text| text.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    let of_all = kib.map_or(u64::MAX, |kib| kib.saturating_mul(1_024));
    let of_group = of_the_group("memory.max").map(|limit| {
        let taken = of_the_group("memory.current").unwrap_or(0);
        limit.saturating_sub(taken.saturating_sub(cached_for_the_group()))
    });
    of_all.min(of_group.unwrap_or(u64::MAX))
}

/// What the group has of files in memory, which the system takes back when somebody needs it.
fn cached_for_the_group() -> u64 {
    let stat = std::fs::read_to_string("/sys/fs/cgroup/memory.stat").unwrap_or_default();
    let of = |name: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    of("inactive_file").saturating_add(of("active_file"))
}

/// A figure of the group's that a container shows as its own; none without a limit.
fn of_the_group(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
    text.trim().parse().ok()
}
