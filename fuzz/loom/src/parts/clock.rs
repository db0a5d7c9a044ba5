// The line by which a counter becomes a time, replaced now and then.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

struct Wall {
    version: AtomicU64,
    base_raw: AtomicU64,
    base_ns: AtomicI64,
    slew_ppb: AtomicI64,
}

pub(crate) fn one_line(first: First) {
    let wall = Arc::new(Wall {
        version: AtomicU64::new(0),
        base_raw: AtomicU64::new(0),
        base_ns: AtomicI64::new(0),
        slew_ppb: AtomicI64::new(0),
    });
    let discipline = {
        let wall = wall.clone();
        move || wall.replace(1, 1, 1)
    };
    first.run(discipline, move || {
        let (raw, ns, slew) = wall.line();
        assert!(raw as i64 == ns && ns == slew, "half a line");
    });
}
