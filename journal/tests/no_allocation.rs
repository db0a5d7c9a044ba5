//! The journal's thread allocates nothing while it appends and commits.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use betring_journal::{DirStore, EpochInfo, Journal, Options, RecordMeta};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting by thread.
struct Counting;

// SAFETY: every call goes to the system's allocator with the arguments it came with; the counter is
// a constant-initialised thread local of a type without a destructor, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn appending_and_committing_allocate_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirStore::create(dir.path().join("book")).unwrap();
    let opened = Journal::open(store, Options::small(4 << 20), 1, &mut |_| {}).unwrap();
    let epoch = opened.next_epoch();
    let info = EpochInfo { epoch, logic_version: 1, rules_id: 0, rules_version: 0 };
    let mut writer = opened.begin_epoch(info).unwrap();
    let payload = [7; 400];
    assert!(0 < allocations(), "the counter counts");

    let before = allocations();
    for seq in 1..=5000 {
        let meta = RecordMeta { kind: 1, ver: 1, flags: 0, seq, ts: 0 };
        writer.append_parts(meta, &[&payload[..128], &payload]).unwrap();
        if seq % 50 == 0 {
            writer.seal_and_sync().unwrap();
        }
        if seq % 1000 == 0 {
            writer.cover().unwrap();
        }
    }
    assert_eq!(allocations() - before, 0, "in 5000 appends and 105 commits");
    assert_eq!(writer.stats().rotations, 0);
    writer.close().unwrap();
}
