//! The low-latency betting core: one pinned loop between lock-free rings and a memory-mapped journal.
