// Words under a sequence lock.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};

pub(crate) fn one_value(first: First) {
    let cell = Arc::new(Cell::<2>::new());
    let writer = {
        let cell = cell.clone();
        move || {
            cell.write_next(&[1, 1]);
            cell.write_next(&[2, 2]);
        }
    };
    let reader = {
        let cell = cell.clone();
        move || {
            if let Some(([one, other], version)) = cell.try_read() {
                assert_eq!((one, other), (version / 2, version / 2), "a mixture");
            }
        }
    };
    first.run(writer, reader);
    assert_eq!(cell.read(), ([2, 2], 4));
}
