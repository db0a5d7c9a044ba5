// What the journal's thread promises whoever watches its cursor.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};

pub(crate) fn what_was_written_is_seen(first: First) {
    let cursor = Arc::new(Cursor::new(0));
    let written: Arc<[AtomicU64; 2]> = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let journal = {
        let (cursor, written) = (cursor.clone(), written.clone());
        move || {
            for seq in 1..=2u64 {
                written[seq as usize - 1].store(seq, Ordering::Relaxed);
                cursor.advance(seq);
            }
        }
    };
    first.run(journal, move || {
        for seen in 1..=cursor.get() {
            assert_eq!(written[seen as usize - 1].load(Ordering::Relaxed), seen);
        }
    });
}

pub(crate) fn it_never_goes_back(first: First) {
    let cursor = Arc::new(Cursor::new(0));
    let journal = {
        let cursor = cursor.clone();
        move || (1..=2).for_each(|seq| cursor.advance(seq))
    };
    first.run(journal, move || {
        let (earlier, later) = (cursor.get(), cursor.get());
        assert!(earlier <= later);
    });
}
