//! On which cores the threads run, and how they wait: chosen from what this process may use.

use crate::config::{Cores, Layout, WaitStrategy};

/// What the threads will do, decided before any of them is built: a thread that is pinned hands its
/// one core down to every thread it starts, and hides the others from whoever asks for the mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) layout: Layout,
    pub(crate) wait: WaitStrategy,
    pub(crate) decide: Option<usize>,
    pub(crate) journal: Option<usize>,
    pub(crate) warnings: Vec<String>,
}

impl Plan {
    /// How many threads there will be.
    pub(crate) fn threads(&self) -> usize {
        threads(self.layout)
    }
}

fn threads(layout: Layout) -> usize {
    match layout {
        Layout::Inline => 0,
        Layout::OneThread | Layout::Auto => 1,
        Layout::TwoThread => 2,
    }
}

/// The cores that this thread may run on.
pub(crate) fn allowed() -> Vec<usize> {
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    ids.into_iter().map(|core| core.id).collect()
}

/// Fits what was asked for to the cores there are. What cannot be had is left out with a warning:
/// in a container, fewer cores are no reason not to take bets.
pub(crate) fn plan(layout: Layout, wait: WaitStrategy, cores: Cores, allowed: &[usize]) -> Plan {
    let free = if allowed.is_empty() { 1 } else { allowed.len() };
    let layout = match layout {
        Layout::Auto if 3 <= free => Layout::TwoThread,
        Layout::Auto => Layout::OneThread,
        given => given,
    };
    let threads = threads(layout);
    // One core is left for whoever sends.
    let wait = match wait {
        WaitStrategy::Auto if threads + 1 < free => WaitStrategy::Spin,
        WaitStrategy::Auto => WaitStrategy::SpinThenYield,
        given => given,
    };
    let mut warnings = Vec::new();
    if wait == WaitStrategy::Spin && free <= threads {
        warnings.push(format!(
            "{threads} threads spin on {free} cores: senders will wait for whole time slices; \
             use WaitStrategy::SpinThenYield"
        ));
    }
    let mut usable = |core: usize, who: &str| {
        if allowed.contains(&core) {
            return Some(core);
        }
        warnings.push(format!(
            "the {who} thread is not pinned: this process may not use core {core}, only {allowed:?}"
        ));
        None
    };
    let (decide, journal) = match cores {
        Cores::Unpinned => (None, None),
        Cores::Auto if threads == 0 || free < 3 => (None, None),
        // The last cores: the first ones serve the interrupts of most machines.
        Cores::Auto => (allowed.last().copied(), allowed.get(free - 2).copied()),
        Cores::Pinned { decide, journal } => {
            (usable(decide, "deciding"), usable(journal, "journal"))
        }
    };
    let decide = decide.filter(|_| 1 <= threads);
    let journal = journal.filter(|_| 2 <= threads);
    Plan { layout, wait, decide, journal, warnings }
}

/// Pins this thread, or says why it is not.
pub(crate) fn pin(core: Option<usize>) -> Result<Option<usize>, String> {
    let Some(id) = core else { return Ok(None) };
    // Only cores from the mask get here: an arbitrary number could be out of the system's range.
    if core_affinity::set_for_current(core_affinity::CoreId { id }) {
        Ok(Some(id))
    } else {
        Err(format!("the system did not pin a thread to core {id}; it runs unpinned"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_three_free_cores_one_thread_does_both_and_gives_way() {
        let plan = plan(Layout::Auto, WaitStrategy::Auto, Cores::Auto, &[0, 1]);
        assert_eq!(plan.layout, Layout::OneThread);
        assert_eq!(plan.wait, WaitStrategy::SpinThenYield);
        assert_eq!((plan.decide, plan.journal), (None, None));
    }

    #[test]
    fn with_four_cores_two_threads_spin_on_the_last_two() {
        let plan = plan(Layout::Auto, WaitStrategy::Auto, Cores::Auto, &[0, 1, 2, 3]);
        assert_eq!(plan.layout, Layout::TwoThread);
        assert_eq!(plan.wait, WaitStrategy::Spin);
        assert_eq!((plan.decide, plan.journal), (Some(3), Some(2)));
    }

    #[test]
    fn a_core_that_a_container_does_not_give_is_a_warning_and_no_panic() {
        let cores = Cores::Pinned { decide: 1, journal: 9_999_999 };
        let plan = plan(Layout::TwoThread, WaitStrategy::Park, cores, &[0, 1]);
        assert_eq!((plan.decide, plan.journal), (Some(1), None));
        assert_eq!(
            plan.warnings,
            [
                "the journal thread is not pinned: this process may not use core 9999999, only [0, 1]"
            ]
        );
        assert_eq!(pin(None), Ok(None));
    }

    #[test]
    fn spinning_threads_on_too_few_cores_are_a_warning() {
        let plan = plan(Layout::TwoThread, WaitStrategy::Spin, Cores::Unpinned, &[0, 1]);
        assert_eq!(plan.warnings.len(), 1);
        assert!(plan.warnings[0].starts_with("2 threads spin on 2 cores"), "{:?}", plan.warnings);
    }
}
