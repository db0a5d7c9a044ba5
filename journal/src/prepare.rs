//! Segments made ready ahead of their use: zeros on the device, mapped, their pages present.
//!
//! Each step has its reason. Zeros are *written*, not allocated: a block that was allocated and
//! never written costs a transaction of the file system at its first sync, and a full disk shows
//! here, as an error, not later as a signal. They are written *a page at a time*: the system keeps
//! a large write as one large page, and a store of 128 bytes into it makes the device write a
//! megabyte. (Large writes, and dropping the page cache after them, cure the megabyte only: the
//! pages come back as large ones, read ahead, and far from the start of a segment a commit then
//! takes four times as long and a fault ten times; read one by one instead, a segment takes twelve
//! times as long to prepare. Small writes cost a tenth more than large ones.) They are *synced in
//! pieces*: a commit that comes meanwhile waits for one of them, not for the whole segment. They are
//! *mapped when they are synced*: whatever is mapped when it is synced the system takes away from
//! every core first, one page at a time. The pages are *made present*, so that an append does not
//! wait for the device; clean, so that a later sync of one page writes one page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::error::Error;
use crate::frame::PAGE;
use crate::segment::ready_name;
use crate::store::{Store, StoreFile};

/// Zeros are written in pieces of this size, so that the page cache keeps them in such pieces.
const WRITE_BYTES: u64 = PAGE;
/// So many are synced at a time: a commit that comes meanwhile waits for no more than these.
const SYNCED_EACH: u64 = 256 << 10;

/// The map of a file of this store.
pub(crate) type MapOf<S> = <<S as Store>::File as StoreFile>::Map;

/// A segment that only lacks its header and its name.
pub(crate) struct Ready<S: Store> {
    pub(crate) name: String,
    pub(crate) map: MapOf<S>,
}

fn prepare<S: Store>(store: &S, bytes: u64, n: u64, stop: &AtomicBool) -> Result<Ready<S>, Error> {
    let name = ready_name(n);
    // Asked first, so that somebody who tries again and again does not write a disk full each time.
    let free = store.free_bytes().map_err(Error::at(store, "", "ask for free space in", 0))?;
    if free < bytes {
        return Err(Error::NoSpace { place: store.place(&name), needed: bytes, free });
    }
    let made = write_and_map(store, &name, bytes, stop);
    match made {
        Ok(map) => Ok(Ready { name, map }),
        Err(e) => {
            // So that half a segment does not keep the space somebody needs. If even this fails,
            // the next open removes it.
            let _ = store.remove(&name);
            Err(match e {
                Error::NoSpace { place, needed, .. } => {
                    Error::NoSpace { place, needed, free: store.free_bytes().unwrap_or(0) }
                }
                e => e,
            })
        }
    }
}

fn write_and_map<S: Store>(
    store: &S,
    name: &str,
    bytes: u64,
    stop: &AtomicBool,
) -> Result<MapOf<S>, Error> {
    let at = |doing| Error::at(store, name, doing, bytes);
    let mut file = store.create_new(name).map_err(at("create"))?;
    let zeros = [0; WRITE_BYTES as usize];
    let mut done = 0;
    while done < bytes && !stop.load(Ordering::Relaxed) {
        let len = (bytes - done).min(WRITE_BYTES);
        file.write_at(done, &zeros[..len as usize]).map_err(at("write"))?;
        done += len;
        if done.is_multiple_of(SYNCED_EACH) || done == bytes {
            file.sync().map_err(at("sync"))?;
        }
    }
    file.map().map_err(at("map"))
}

/// Prepares segments: on a thread of its own, some ahead; or, without a thread, when asked.
pub(crate) struct Preparer<S: Store> {
    store: S,
    segment_bytes: u64,
    /// Names of ready files count up; all of an earlier process were removed at open.
    made: u64,
    helper: Option<Helper<S>>,
}

struct Helper<S: Store> {
    /// A request for one segment. With it goes the map that is no longer used: unmapping 64 MiB
    /// takes milliseconds, which are the helper's.
    requests: Option<SyncSender<Option<MapOf<S>>>>,
    results: Receiver<Result<Ready<S>, Error>>,
    /// Requests not answered, or answers not taken.
    outstanding: usize,
    ahead: usize,
    ready: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<S: Store> Preparer<S> {
    pub(crate) fn new(store: S, segment_bytes: u64) -> Preparer<S> {
        Preparer { store, segment_bytes, made: 0, helper: None }
    }

    /// From now on a thread keeps `ahead` segments ready.
    pub(crate) fn start_helper(&mut self, ahead: usize) -> Result<(), Error> {
        let (requests, todo) = sync_channel::<Option<MapOf<S>>>(ahead);
        let (done, results) = sync_channel(ahead);
        let ready = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (store, bytes, first) = (self.store.clone(), self.segment_bytes, self.made + 1);
            let (ready, stop) = (ready.clone(), stop.clone());
            std::thread::Builder::new()
                .name("journal-prepare".into())
                .spawn(move || {
                    for (n, retired) in (first..).zip(todo) {
                        drop(retired);
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let made = prepare(&store, bytes, n, &stop);
                        if made.is_ok() {
                            ready.fetch_add(1, Ordering::Relaxed);
                        }
                        if done.send(made).is_err() {
                            return;
                        }
                    }
                })
                .map_err(|e| Error::io("start the thread that prepares", self.store.place(""), e))?
        };
        let mut helper = Helper {
            requests: Some(requests),
            results,
            outstanding: 0,
            ahead,
            ready,
            stop,
            thread: Some(thread),
        };
        helper.request(None);
        self.helper = Some(helper);
        Ok(())
    }

    /// How many segments could be taken without waiting.
    pub(crate) fn ready(&self) -> usize {
        self.helper.as_ref().map_or(0, |helper| helper.ready.load(Ordering::Relaxed))
    }

    /// A segment, ready; waits for the helper if there is none.
    pub(crate) fn take(&mut self) -> Result<Ready<S>, Error> {
        match &mut self.helper {
            None => {
                self.made += 1;
                prepare(&self.store, self.segment_bytes, self.made, &AtomicBool::new(false))
            }
            Some(helper) => helper.take(&self.store),
        }
    }

    /// Unmaps a segment that is no longer used, on the helper's thread if there is one, and asks
    /// for more segments.
    pub(crate) fn retire(&mut self, map: MapOf<S>) {
        match &mut self.helper {
            None => drop(map),
            Some(helper) => helper.request(Some(map)),
        }
    }

    /// Stops the helper and removes what was prepared and not used.
    pub(crate) fn close(mut self) -> Result<(), Error> {
        let Some(helper) = &mut self.helper else { return Ok(()) };
        helper.stop();
        for ready in helper.results.try_iter().flatten() {
            self.store.remove(&ready.name).map_err(Error::at(
                &self.store,
                &ready.name,
                "remove",
                0,
            ))?;
        }
        Ok(())
    }
}

impl<S: Store> Helper<S> {
    fn request(&mut self, mut retired: Option<MapOf<S>>) {
        let Some(requests) = &self.requests else { return };
        while self.outstanding < self.ahead && requests.try_send(retired.take()).is_ok() {
            self.outstanding += 1;
        }
    }

    fn take(&mut self, store: &S) -> Result<Ready<S>, Error> {
        if self.outstanding == 0 {
            // After an error nothing was asked for, so that a full disk is not written in a loop.
            self.request(None);
        }
        let mut failed = None;
        while 0 < self.outstanding {
            let Ok(result) = self.results.recv() else { break };
            self.outstanding -= 1;
            match result {
                Ok(ready) => {
                    self.ready.fetch_sub(1, Ordering::Relaxed);
                    return Ok(ready);
                }
                Err(e) => failed = Some(e),
            }
        }
        Err(failed.unwrap_or_else(|| {
            let gone = std::io::Error::other("the thread that prepares segments has ended");
            Error::io("prepare a segment in", store.place(""), gone)
        }))
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A helper that panicked has already cost us its segments, which the caller saw.
            let _ = thread.join();
        }
    }
}

impl<S: Store> Drop for Helper<S> {
    // Before the directory's lock is released nobody may write in it any more.
    fn drop(&mut self) {
        self.stop();
    }
}
