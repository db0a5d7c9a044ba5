//! Snapshots: made by a replica that decides the journal again, or at a clean stop, never while the
//! loop runs, and believed only after they were loaded.
//!
//! A replica begins with the newest snapshot that can be used, goes on to a durable sequence at which
//! a frame ends, and writes its state. Before an older snapshot is dropped, the new one is read back
//! from the file and gives the digest that was written. Nothing is ever read of a snapshot that
//! the journal does not have, too, or had: segments are moved to `archive/`, not deleted.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use betring_core::id::Seq;
use betring_core::{Digest, HouseRules, IMAGE_VERSION, LOGIC_VERSION, Rules, State};
use betring_journal::{
    Archived, DirStore, Journal, Manifest, Options, Position, ReadLevel, Reader, SnapshotHeader,
    Store,
};

use crate::engine::SCHEMA_HASH;
use crate::error::Error;
use crate::recover::{Progress, REPORT_EVERY, Replayer, Stage};
use crate::shared::Shared;

/// How long a replica waits for a record that is durable, and so is in the file: for a system that
/// shows it late.
const PATIENCE: Duration = Duration::from_secs(10);

/// A snapshot that was made, or was there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last sequence in it.
    pub seq: Seq,
    /// Of the state at that sequence.
    pub digest: Digest,
    /// Length of its file, in bytes.
    pub bytes: u64,
    /// The snapshot that the replica began with.
    pub from: Option<Seq>,
    /// How many records the replica decided; 0 if the snapshot was there already, or is of a state that
    /// an engine had come to itself.
    pub replayed: u64,
    /// How long all of it took.
    pub took: Duration,
    /// Segments that went to the archive, if that was asked for.
    pub archived: Option<Archived>,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot { seq, digest, bytes, from, replayed, took, archived } = self;
        let took = took.as_secs_f64();
        match (from, replayed) {
            (None, 0) => write!(f, "snapshot at {seq}")?,
            (Some(_), 0) => write!(f, "the snapshot at {seq} is the newest there can be")?,
            (Some(from), n) => write!(f, "snapshot at {seq}, {n} records after that at {from}")?,
            (None, n) => write!(f, "snapshot at {seq}, of all {n} records")?,
        }
        write!(f, ", {bytes} bytes, state {digest}, read back and the same, in {took:.3} s")?;
        archived.as_ref().map_or(Ok(()), |archived| write!(f, "; archive: {archived}"))
    }
}

/// The state of a snapshot, if this program can go on from it.
pub(crate) fn load<R: Rules>(
    rules: R,
    header: &SnapshotHeader,
    image: &[u8],
) -> Result<Replayer<R>, String> {
    if header.image_version != IMAGE_VERSION {
        return Err(format!(
            "its image is of version {}, this program reads version {IMAGE_VERSION}",
            header.image_version
        ));
    }
    let digest = Digest(u128::from_le_bytes(header.digest));
    let state = State::from_image(rules, image, digest).map_err(|e| e.to_string())?;
    let Position { seq, ts, epoch, .. } = header.position;
    if (state.seq().0, state.now().0, state.epoch().0) != (seq, ts, epoch) {
        return Err("the state in it is at another sequence than its header".into());
    }
    let rules = (header.rules_id, header.rules_version);
    Ok(Replayer::of(state, header.logic_version, rules))
}

/// A state that decides a journal again, on whatever thread, and where it began.
pub(crate) struct Replica<R: Rules> {
    replayer: Replayer<R>,
    from: Option<Seq>,
}

impl<R: Rules> Replica<R> {
    /// At the newest snapshot that can be used, or before the first record.
    pub(crate) fn newest<S: Store>(store: &S, rules: R) -> Result<Replica<R>, Error> {
        let manifest = betring_journal::manifest(store)?;
        for seq in betring_journal::snapshots(store)? {
            let read = betring_journal::read_snapshot(store, &manifest, seq);
            let Ok((header, image)) = read else { continue };
            if let Ok(replayer) = load(rules.clone(), &header, &image) {
                return Ok(Replica { replayer, from: Some(Seq(seq)) });
            }
        }
        Ok(Replica { replayer: Replayer::new(rules), from: None })
    }

    /// What it has come to, for a view to go on with.
    pub(crate) fn into_replayer(self) -> Replayer<R> {
        self.replayer
    }

    /// Decides on until this sequence, which is durable, and says where its frame ends.
    fn go_to<S: Store>(
        &mut self,
        store: &S,
        at: Seq,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Position>, Error> {
        let first = self.replayer.state.seq().0 + 1;
        let mut reader = Reader::open(store.clone(), first, ReadLevel::Sealed)?;
        let mut since = Instant::now();
        while self.replayer.state.seq() < at {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::NoSnapshot { what: "the engine is closing".into() });
            }
            let Some(record) = reader.next_at_most(at.0)? else {
                if PATIENCE < since.elapsed() {
                    let reached = self.replayer.state.seq();
                    return Err(Error::Behind { wanted: at, reached });
                }
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            let (stamp, ..) = self.replayer.apply(&record)?;
            if self.replayer.records.is_multiple_of(REPORT_EVERY) {
                since = Instant::now();
                progress(Progress {
                    stage: Stage::Replaying,
                    records: self.replayer.records,
                    bytes: 0,
                    total_bytes: 0,
                    seq: stamp.seq,
                });
            }
        }
        Ok(reader.position())
    }
}

/// What a snapshot is made of, and for what.
pub(crate) struct Order<'a> {
    /// The sequence: durable, and the last of its frame.
    pub(crate) at: Seq,
    /// Whether segments go to the archive after it.
    pub(crate) archive: bool,
    /// Gives up once this is set.
    pub(crate) stop: &'a AtomicBool,
}

/// Makes a snapshot. The directory's lock is held by the caller's process.
pub(crate) fn take<S: Store, R: Rules>(
    store: &S,
    rules: R,
    mut replica: Replica<R>,
    order: &Order<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Snapshot, Error> {
    let began = Instant::now();
    let manifest = betring_journal::manifest(store)?;
    let position = replica.go_to(store, order.at, order.stop, progress)?;
    let Replica { replayer, from } = replica;
    let (seq, digest, replayed) = (replayer.state.seq(), replayer.state.digest(), replayer.records);
    let bytes = if replayed == 0 && from == Some(seq) {
        let found = betring_journal::verify_snapshot(store, &manifest, seq.0);
        let found = found.map_err(|bad| Error::NoSnapshot { what: bad.to_string() })?;
        // Whoever made it may have failed before its name was durable.
        store.sync_dir().map_err(|e| Error::NoSnapshot {
            what: format!("{} cannot be synced: {e}", store.place("")),
        })?;
        found.file_bytes()
    } else {
        let Some(position) = position.filter(|position| position.seq == seq.0) else {
            return Err(Error::NoSnapshot { what: format!("no frame ends with {seq}") });
        };
        write(store, &manifest, replayer.state, position, rules)?
    };
    let archived = tidy(store, &manifest, order.archive)?;
    Ok(Snapshot { seq, digest, bytes, from, replayed, took: began.elapsed(), archived })
}

/// Drops snapshots older than two, and archives what the older of those makes needless.
fn tidy<S: Store>(
    store: &S,
    manifest: &Manifest,
    to_archive: bool,
) -> Result<Option<Archived>, Error> {
    betring_journal::drop_old_snapshots(store, manifest)?;
    Ok(match to_archive {
        true => Some(betring_journal::archive(store, manifest, false)?),
        false => None,
    })
}

/// Makes a snapshot of the state that an engine has come to, after its journal was closed.
fn of_state<S: Store, R: Rules>(
    store: &S,
    rules: R,
    state: State<R>,
    to_archive: bool,
) -> Result<Snapshot, Error> {
    let began = Instant::now();
    // The writer is gone, and the lock with it.
    let _lock = locked(store)?;
    let manifest = betring_journal::manifest(store)?;
    let (seq, digest) = (state.seq(), state.digest());
    let mut reader = Reader::open(store.clone(), seq.0, ReadLevel::Sealed)?;
    let is_there = reader.next()?.is_some() && reader.next()?.is_none();
    let Some(position) = reader.position().filter(|at| is_there && at.seq == seq.0) else {
        let what = format!("the journal does not end with {seq}, as the state does");
        return Err(Error::NoSnapshot { what });
    };
    drop(reader);
    let bytes = write(store, &manifest, state, position, rules)?;
    let archived = tidy(store, &manifest, to_archive)?;
    let took = began.elapsed();
    Ok(Snapshot { seq, digest, bytes, from: None, replayed: 0, took, archived })
}

/// What a clean stop does: a snapshot, if enough has come since the newest.
pub(crate) struct AtStop<R: Rules> {
    pub(crate) rules: R,
    /// So many records; 0 for never.
    pub(crate) records: u64,
    pub(crate) archive: bool,
    pub(crate) snapshots: Arc<Snapshots>,
}

impl<R: Rules> AtStop<R> {
    /// The snapshot of a state whose journal was closed, if it is due, or why there is none.
    pub(crate) fn make<S: Store>(
        self,
        store: &S,
        state: State<R>,
    ) -> Option<Result<Snapshot, String>> {
        if self.records == 0 || self.snapshots.behind(state.seq()) < self.records {
            return None;
        }
        Some(of_state(store, self.rules, state, self.archive).map_err(|e| e.to_string()))
    }
}

/// Writes a state, and reads it back: the length of the file.
fn write<S: Store, R: Rules>(
    store: &S,
    manifest: &Manifest,
    state: State<R>,
    position: Position,
    rules: R,
) -> Result<u64, Error> {
    let header = {
        let image = state.image().map_err(|e| Error::NoSnapshot { what: e.to_string() })?;
        let header = SnapshotHeader {
            position,
            payload_bytes: image.len() as u64,
            image_version: IMAGE_VERSION,
            logic_version: LOGIC_VERSION,
            rules_id: R::ID,
            rules_version: R::VERSION,
            digest: state.digest().0.to_le_bytes(),
        };
        drop(state);
        betring_journal::write_snapshot(store, manifest, &header, &image)?;
        header
    };
    let read = betring_journal::read_snapshot(store, manifest, position.seq);
    let loaded = match read {
        Ok((found, image)) => load(rules, &found, &image).map(|_| ()),
        Err(bad) => Err(bad.to_string()),
    };
    if let Err(what) = loaded {
        // It must not count as one of the two that segments are archived behind.
        let name = betring_journal::snapshot_name(position.seq);
        let place = store.place(&name);
        let removed = store.remove(&name).and_then(|()| store.sync_dir());
        let and =
            removed.err().map_or(String::new(), |e| format!(", nor could it be removed: {e}"));
        return Err(Error::NoSnapshot { what: format!("{place} does not load: {what}{and}") });
    }
    Ok(header.file_bytes())
}

/// Makes a snapshot of a journal that no engine has open, under the house's rules: of everything in
/// it, repaired as an opening would. With `to_archive` the segments behind the older of two
/// snapshots are moved to `archive/`.
///
/// # Errors
/// Those of reading the journal and of replaying it, [`Error::NoSnapshot`].
pub fn snapshot(
    path: &Path,
    to_archive: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Snapshot, Error> {
    snapshot_with(HouseRules, path, to_archive, progress)
}

/// The same under other rules.
///
/// # Errors
/// Those of [`snapshot`].
pub fn snapshot_with<R: Rules>(
    rules: R,
    path: &Path,
    to_archive: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Snapshot, Error> {
    let store = DirStore::existing(path)?;
    // Asked first, so that no journal is made where there is none.
    betring_journal::manifest(&store)?;
    let mut checking = |p: betring_journal::Progress| {
        progress(Progress {
            stage: Stage::Checking,
            records: p.records,
            bytes: p.bytes_done,
            total_bytes: p.bytes_total,
            seq: Seq(0),
        });
    };
    let mut replica = None;
    let opened = Journal::open_from(
        store.clone(),
        Options::default(),
        SCHEMA_HASH,
        &mut checking,
        &mut |header, image| {
            let (replayer, from) = (load(rules.clone(), header, &image)?, header.position.seq);
            replica = Some(Replica { replayer, from: Some(Seq(from)) });
            Ok(())
        },
    )?;
    let Some(last) = opened.last else {
        return Err(Error::NoSnapshot { what: "the journal has no record".into() });
    };
    let none = || Replica { replayer: Replayer::new(rules.clone()), from: None };
    let replica = replica.unwrap_or_else(none);
    let stop = AtomicBool::new(false);
    let order = Order { at: Seq(last.seq), archive: to_archive, stop: &stop };
    let made = take(&store, rules, replica, &order, progress);
    // It holds the lock until here.
    drop(opened);
    made
}

/// What an engine knows of its snapshots, for whoever looks after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotHealth {
    /// How many this run made.
    pub made: u64,
    /// How many it could not make.
    pub failed: u64,
    /// The newest that it knows.
    pub newest: Option<Seq>,
    /// Why the last one could not be made, if it could not.
    pub failure: Option<String>,
}

impl fmt::Display for SnapshotHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} snapshots made", self.made)?;
        if let Some(newest) = self.newest {
            write!(f, ", the newest at {newest}")?;
        }
        if let Some(why) = &self.failure {
            write!(f, ", {} could not be made: {why}", self.failed)?;
        }
        Ok(())
    }
}

/// Makes one at this sequence.
type Take = dyn Fn(Seq) -> Result<Snapshot, Error> + Send;

/// How often the snapshotter looks how far the journal is.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long the lock of a journal that was just closed is asked for: a child process that is being
/// started may still hold it.
const LOCK_WITHIN: Duration = Duration::from_secs(1);

/// Makes snapshots of a running engine's journal, one at a time, on whatever thread asks.
pub(crate) struct Snapshots {
    take: Mutex<Box<Take>>,
    health: Mutex<SnapshotHealth>,
    stop: Arc<AtomicBool>,
}

impl Snapshots {
    pub(crate) fn new<S: Store, R: Rules>(
        store: S,
        rules: R,
        archive: bool,
        newest: Option<Seq>,
    ) -> Snapshots {
        let stop = Arc::new(AtomicBool::new(false));
        let take = {
            let stop = stop.clone();
            move |at| {
                let order = Order { at, archive, stop: &stop };
                let replica = Replica::newest(&store, rules.clone())?;
                take(&store, rules.clone(), replica, &order, &mut |_| {})
            }
        };
        let health = SnapshotHealth { newest, ..SnapshotHealth::default() };
        Snapshots { take: Mutex::new(Box::new(take)), health: Mutex::new(health), stop }
    }

    /// A snapshot at this sequence, which is durable.
    pub(crate) fn take(&self, at: Seq) -> Result<Snapshot, Error> {
        let made = lock(&self.take)(at);
        let mut health = lock(&self.health);
        match &made {
            Ok(snapshot) => {
                health.made += u64::from(0 < snapshot.replayed);
                health.newest = health.newest.max(Some(snapshot.seq));
                health.failure = None;
            }
            Err(_) if self.stop.load(Ordering::Relaxed) => (),
            Err(e) => {
                health.failed += 1;
                health.failure = Some(e.to_string());
            }
        }
        made
    }

    /// Makes one whenever so many records have come since the newest, until it is stopped. One that
    /// could not be made is tried again when as many have come once more.
    pub(crate) fn run(&self, shared: &Shared, every: u64) {
        let mut tried = 0;
        while !self.stop.load(Ordering::Relaxed) && !shared.has_ended() && !shared.is_poisoned() {
            let durable = Seq(shared.durable.get());
            if every <= self.behind(durable).min(durable.0.saturating_sub(tried)) {
                tried = durable.0;
                // What went wrong is in its health, where an operator looks.
                let _ = self.take(durable);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Whoever makes one gives up, and nobody begins another before the journal is closed.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn health(&self) -> SnapshotHealth {
        lock(&self.health).clone()
    }

    /// How many records came after the newest.
    pub(crate) fn behind(&self, now: Seq) -> u64 {
        now.0.saturating_sub(lock(&self.health).newest.map_or(0, |newest| newest.0))
    }
}

/// The lock of a directory whose engine has ended.
fn locked<S: Store>(store: &S) -> Result<S::Lock, Error> {
    let began = Instant::now();
    loop {
        match store.lock() {
            Ok(lock) => return Ok(lock),
            Err(e) if LOCK_WITHIN < began.elapsed() => {
                let what = format!("{} could not be locked again: {e}", store.place(""));
                return Err(Error::NoSnapshot { what });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
