//! The window of requests already answered: a key is found for as long as its command could execute.
//!
//! A command executes only until its `valid_until`, which is at most one window ahead. A key is kept
//! until one window after its `valid_until`. So a key can be forgotten only after its command can no
//! longer execute: exactly once, not once per window. A seal is kept as a key whose `valid_until` is
//! one window after the question, so that it outlives every copy made before. Whether a key is still kept is decided by
//! comparing with now; Steps only give its place back.

use crate::answer::{Answer, AnswerKind};
use crate::grid::reserve_touched;
use crate::id::{RequestKey, Seq};
use crate::table::Table;
use crate::time::{Nanos, Timestamp};

const BUCKETS: usize = 256;
const NONE: u32 = u32::MAX;

/// One request that was answered or sealed.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) key: RequestKey,
    pub(crate) account: u64,
    pub(crate) digest: u64,
    pub(crate) valid_until: Timestamp,
    pub(crate) answer: Answer,
    /// A question about it was answered NeverPlaced: it may never execute.
    pub(crate) sealed: bool,
    live: bool,
    hash: u32,
    next: u32,
}

impl Entry {
    fn filler() -> Entry {
        Entry {
            key: RequestKey::NONE,
            account: 0,
            digest: 0,
            valid_until: Timestamp(0),
            answer: Answer::of(AnswerKind::Done, Seq(0)),
            sealed: false,
            live: false,
            hash: 0,
            next: NONE,
        }
    }
}

/// The requests, found by account and key, forgotten by time.
#[derive(Clone)]
pub(crate) struct Keys {
    entries: Vec<Entry>,
    free: u32,
    len: u32,
    capacity: u32,
    table: Table,
    window: Nanos,
    /// Entries by the time at which they may be forgotten, coarsely: a ring of lists.
    buckets: Vec<Bucket>,
    width: i64,
    /// The end of the oldest bucket that holds anything, and which it is.
    oldest: (i64, usize),
}

#[derive(Clone, Copy)]
struct Bucket {
    /// The last moment (exclusive) of what it holds, by its newest entry.
    end: i64,
    head: u32,
}

impl Keys {
    pub(crate) fn new() -> Keys {
        Keys {
            entries: Vec::new(),
            free: NONE,
            len: 0,
            capacity: 0,
            table: Table::default(),
            window: Nanos::ZERO,
            buckets: vec![Bucket { end: 0, head: NONE }; BUCKETS],
            width: 1,
            oldest: (i64::MAX, 0),
        }
    }

    /// Sets the window; before any key.
    pub(crate) fn set_window(&mut self, window: Nanos) {
        self.window = window;
        // What is kept at any moment spans at most two windows: they fit the ring with room to spare.
        self.width = (2 * window.0) / (BUCKETS as i64 - 8) + 1;
    }

    /// Makes room for `capacity` requests.
    pub(crate) fn grow(&mut self, capacity: u32) {
        self.capacity = capacity;
        reserve_touched(&mut self.entries, capacity as usize, Entry::filler());
        self.table = Table::with_capacity(capacity);
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.live {
                self.table.insert(u64::from(entry.hash), index as u32);
            }
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Whether a customer's request finds no place. A sixteenth is kept for whoever restricts the
    /// world: however many requests customers make, a market can be suspended and closed.
    pub(crate) fn is_full_for_customers(&self) -> bool {
        self.capacity - self.capacity / 16 <= self.len
    }

    /// Whether nobody's request finds a place.
    pub(crate) fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    fn forgotten_after(&self, entry: &Entry) -> Timestamp {
        entry.valid_until.plus(self.window)
    }

    fn index(&self, hash: u64, account: u64, key: RequestKey) -> Option<u32> {
        self.table.find(hash, |index| {
            let entry = &self.entries[index as usize];
            entry.key == key && entry.account == account
        })
    }

    /// The request, if it is kept at `now`.
    pub(crate) fn find(
        &self,
        now: Timestamp,
        hash: u64,
        account: u64,
        key: RequestKey,
    ) -> Option<&Entry> {
        let entry = &self.entries[self.index(hash, account, key)? as usize];
        (now <= self.forgotten_after(entry)).then_some(entry)
    }

    /// Keeps a request.
    ///
    /// # Panics
    /// If the table is full or keeps the request already: both were ruled out when it was admitted.
    #[expect(clippy::too_many_arguments, reason = "the fields of one entry")]
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        account: u64,
        key: RequestKey,
        digest: u64,
        valid_until: Timestamp,
        answer: Answer,
        sealed: bool,
    ) {
        let entry = Entry {
            key,
            account,
            digest,
            valid_until,
            answer,
            sealed,
            live: true,
            hash: hash as u32,
            next: NONE,
        };
        // One that time has forgotten but no Step has removed gives its place; its bucket's Step
        // will find it alive and move it to where it now belongs.
        if let Some(index) = self.index(hash, account, key) {
            let old = self.entries[index as usize];
            self.entries[index as usize] = Entry { next: old.next, ..entry };
            return;
        }
        assert!(self.len < self.capacity, "a request is admitted only when there is room");
        let index = match self.free {
            NONE => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
            index => {
                self.free = self.entries[index as usize].next;
                self.entries[index as usize] = entry;
                index
            }
        };
        self.len += 1;
        self.table.insert(hash, index);
        self.link(index);
    }

    fn link(&mut self, index: u32) {
        let due = self.forgotten_after(&self.entries[index as usize]).0;
        let number = due.div_euclid(self.width);
        let at = number.rem_euclid(BUCKETS as i64) as usize;
        let end = number.saturating_add(1).saturating_mul(self.width);
        let bucket = &mut self.buckets[at];
        // Something of an earlier lap that no Step has reached yet waits for this one.
        bucket.end = if bucket.head == NONE { end } else { bucket.end.max(end) };
        self.entries[index as usize].next = bucket.head;
        bucket.head = index;
        let end = bucket.end;
        if end < self.oldest.0 {
            self.oldest = (end, at);
        } else if at == self.oldest.1 && end != self.oldest.0 {
            self.find_oldest();
        }
    }

    fn find_oldest(&mut self) {
        let ends = self.buckets.iter().enumerate().filter(|(_, b)| b.head != NONE);
        self.oldest = ends.map(|(at, b)| (b.end, at)).min().unwrap_or((i64::MAX, 0));
    }

    /// When the next keys may be forgotten.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        (self.oldest.0 != i64::MAX).then_some(Timestamp(self.oldest.0))
    }

    pub(crate) fn has_work(&self, now: Timestamp) -> bool {
        // The end of time stands for "nothing is kept", also when it has come.
        self.next_due().is_some_and(|due| due <= now)
    }

    /// Forgets up to `budget` requests; returns how many units of work it took and how many it forgot.
    pub(crate) fn forget(&mut self, now: Timestamp, budget: u32) -> (u32, u64) {
        let (mut units, mut forgotten) = (0, 0);
        while units < budget && self.has_work(now) {
            let at = self.oldest.1;
            let index = self.buckets[at].head;
            self.buckets[at].head = self.entries[index as usize].next;
            if self.buckets[at].head == NONE {
                self.find_oldest();
            }
            let entry = self.entries[index as usize];
            if now <= self.forgotten_after(&entry) {
                self.link(index);
            } else {
                self.table.remove(u64::from(entry.hash), index);
                self.entries[index as usize].live = false;
                self.entries[index as usize].next = self.free;
                self.free = index;
                self.len -= 1;
                forgotten += 1;
            }
            units += 1;
        }
        (units, forgotten)
    }

    /// Everything that is kept, bucket by bucket, in the order in which it will be forgotten.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = KeptBucket> {
        let full = self.buckets.iter().enumerate().filter(|(_, bucket)| bucket.head != NONE);
        full.map(|(at, bucket)| {
            let mut keys = Vec::new();
            let mut index = bucket.head;
            while index != NONE {
                let entry = &self.entries[index as usize];
                keys.push(Kept {
                    account: entry.account,
                    key: entry.key,
                    digest: entry.digest,
                    valid_until: entry.valid_until,
                    answer: entry.answer,
                    sealed: entry.sealed,
                });
                index = entry.next;
            }
            KeptBucket { bucket: at as u16, end: bucket.end, keys }
        })
    }

    /// Puts a bucket back as it was; `hashes` are those of its keys. False if it does not fit here.
    pub(crate) fn restore(&mut self, kept: KeptBucket, hashes: &[u64]) -> bool {
        let at = usize::from(kept.bucket);
        let room = kept.keys.len() <= (self.capacity - self.len) as usize;
        if BUCKETS <= at || self.buckets[at].head != NONE || !room || kept.keys.is_empty() {
            return false;
        }
        // From the back, so that every entry can name its successor.
        let mut next = NONE;
        for (key, hash) in kept.keys.iter().zip(hashes).rev() {
            if key.key == RequestKey::NONE || self.index(*hash, key.account, key.key).is_some() {
                return false;
            }
            self.entries.push(Entry {
                key: key.key,
                account: key.account,
                digest: key.digest,
                valid_until: key.valid_until,
                answer: key.answer,
                sealed: key.sealed,
                live: true,
                hash: *hash as u32,
                next,
            });
            next = self.entries.len() as u32 - 1;
            self.table.insert(*hash, next);
            self.len += 1;
        }
        self.buckets[at] = Bucket { end: kept.end, head: next };
        self.find_oldest();
        true
    }
}

/// A request as it leaves and enters memory.
pub(crate) struct Kept {
    pub(crate) account: u64,
    pub(crate) key: RequestKey,
    pub(crate) digest: u64,
    pub(crate) valid_until: Timestamp,
    pub(crate) answer: Answer,
    pub(crate) sealed: bool,
}

/// A bucket of the ring as it leaves and enters memory.
pub(crate) struct KeptBucket {
    pub(crate) bucket: u16,
    pub(crate) end: i64,
    pub(crate) keys: Vec<Kept>,
}
