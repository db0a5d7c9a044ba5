//! A disk that lies: what a journal's files look like after whatever may happen to them.
//!
//! Every file is a row of 512-byte sectors, and of each the disk knows what a program sees (the page
//! cache), what is on the device, and whether the two may differ. From a seed it then does what
//! disks do, in two kinds that are kept apart:
//!
//! *What a journal has to survive.* A power cut keeps any subset of the sectors that no sync has
//! covered, in any order, leaves one of them as garbage, keeps the old or the new length of a file,
//! and of the changes of names since the last sync of the directory some or none. The system writes
//! back any dirty sector at any moment. A call fails with EIO or ENOSPC. A sync fails once, and what it
//! should have written is dropped: the next sync succeeds without it. The machine stops at any operation,
//! between two stores into a map too.
//!
//! *What a journal has to notice.* A bit is another one; a sector was written to another place, or
//! never; a read returns what a sector held before; a file is shorter, other or gone.

use crate::workload::Rng;
use betring_journal::{Store, StoreFile, StoreMap};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a device writes as a whole, at least.
pub const SECTOR: usize = 512;

/// Earlier contents of sectors that a stale read could return; the oldest is forgotten first.
const OLDER_MAX: usize = 512;

/// How often what happened to files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounts {
    /// Calls and stores into maps.
    pub ops: u64,
    /// Syncs of files, maps and the directory that succeeded.
    pub syncs: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Ends of the process alone.
    pub kills: u64,
    /// Sectors that a power cut took back.
    pub sectors_lost: u64,
    /// Sectors that no sync covered and a power cut kept all the same.
    pub sectors_kept: u64,
    /// Sectors that a power cut left as garbage.
    pub sectors_torn: u64,
    /// Changes of names that a power cut took back.
    pub names_lost: u64,
    /// Files whose length a power cut took back.
    pub lengths_lost: u64,
    /// Sectors written back before any sync asked for it.
    pub written_back: u64,
    /// Calls that failed because they were told to.
    pub failed_calls: u64,
    /// Syncs that failed and dropped what they should have written.
    pub dropped_syncs: u64,
    /// Bits that were flipped.
    pub flips: u64,
    /// Sectors that went to another place, or nowhere.
    pub misdirected: u64,
    /// Reads that returned what a sector held before.
    pub stale_reads: u64,
    /// Files that were changed behind everybody's back.
    pub hurt: u64,
}

impl DiskCounts {
    /// Adds another disk's counts.
    pub fn add(&mut self, other: &DiskCounts) {
        let DiskCounts {
            ops,
            syncs,
            power_cuts,
            kills,
            sectors_lost,
            sectors_kept,
            sectors_torn,
            names_lost,
            lengths_lost,
            written_back,
            failed_calls,
            dropped_syncs,
            flips,
            misdirected,
            stale_reads,
            hurt,
        } = other;
        self.ops += ops;
        self.syncs += syncs;
        self.power_cuts += power_cuts;
        self.kills += kills;
        self.sectors_lost += sectors_lost;
        self.sectors_kept += sectors_kept;
        self.sectors_torn += sectors_torn;
        self.names_lost += names_lost;
        self.lengths_lost += lengths_lost;
        self.written_back += written_back;
        self.failed_calls += failed_calls;
        self.dropped_syncs += dropped_syncs;
        self.flips += flips;
        self.misdirected += misdirected;
        self.stale_reads += stale_reads;
        self.hurt += hurt;
    }

    /// Everything that was done to files against their will.
    pub fn faults(&self) -> u64 {
        self.sectors_lost
            + self.sectors_torn
            + self.names_lost
            + self.lengths_lost
            + self.written_back
            + self.failed_calls
            + self.dropped_syncs
            + self.flips
            + self.misdirected
            + self.stale_reads
            + self.hurt
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// With an error and nothing done (EIO). A sync that fails so keeps what it should have written.
    Error,
    /// The next sync fails once, and drops what it should have written: it will never be on the device, and
    /// the next sync says that all is well.
    SyncDrops,
    /// There is no space (ENOSPC), for whatever needs some, from there on until there is again.
    NoSpace,
}

/// What is done to a disk at rest that nobody may overlook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// One bit is another one.
    Flip,
    /// A sector's content went to another sector; in its own place is what was there before.
    Misdirected,
    /// A sector was never written, though the device said so: in its place is what was there before.
    Lost,
    /// Reads of a sector return what was there before; the sector itself is sound.
    Stale,
}

/// Where a lie is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lied {
    /// Which.
    pub lie: Lie,
    /// The file.
    pub file: String,
    /// Where in it, in bytes.
    pub offset: u64,
    /// Where a misdirected sector went, in bytes.
    pub to: Option<u64>,
}

impl std::fmt::Display for Lied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {} of {}", self.lie, self.offset, self.file)?;
        self.to.map_or(Ok(()), |to| write!(f, ", to {to}"))
    }
}

/// What is done to one file at rest, in the page cache and on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hurt {
    /// A bit of a byte is another one.
    Flip {
        /// Which byte, from the start of the file.
        at: u64,
        /// Which of its bits, from 0 to 7.
        bit: u8,
    },
    /// It ends here, in bytes.
    Truncate(u64),
    /// It is zero from this byte on.
    Zero(u64),
    /// It holds something else.
    Content(Vec<u8>),
    /// It has no name any more.
    Gone,
}

/// A directory on a disk that lies. Clones are the same directory.
#[derive(Clone, Debug)]
pub struct Disk {
    world: Arc<Mutex<World>>,
    /// Whoever looks on without being there: no operation is counted, none fails.
    aside: bool,
}

#[derive(Clone, Debug)]
struct World {
    files: Vec<Bytes>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the directory, in order.
    pending_names: Vec<NameChange>,
    locked: bool,
    rng: Rng,
    /// How many operations in a thousand are followed by the write-back of some dirty sector.
    write_back: u64,
    die_at: Option<u64>,
    /// The machine stops so many operations after a snapshot began to be written.
    die_in_snapshot: Option<u64>,
    dead: bool,
    fail: Option<(u64, Failing)>,
    full: bool,
    journals: u8,
    /// What sectors held before, for reads that are stale: file, sector, content.
    older: VecDeque<(usize, usize, [u8; SECTOR])>,
    stale: Option<(usize, usize, [u8; SECTOR])>,
    counts: DiskCounts,
}

#[derive(Clone, Debug, Default)]
struct Bytes {
    live: Vec<u8>,
    durable: Vec<u8>,
    dirty: Dirty,
}

/// Which sectors may differ between page cache and device: a bit each.
#[derive(Clone, Debug, Default)]
struct Dirty(Vec<u64>);

impl Dirty {
    fn insert(&mut self, sector: usize) {
        if self.0.len() <= sector / 64 {
            self.0.resize(sector / 64 + 1, 0);
        }
        self.0[sector / 64] |= 1 << (sector % 64);
    }

    fn remove(&mut self, sector: usize) {
        if let Some(word) = self.0.get_mut(sector / 64) {
            *word &= !(1 << (sector % 64));
        }
    }

    fn list(&self, from: usize, to: usize) -> Vec<usize> {
        let mut list = Vec::new();
        for (at, word) in self.0.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                let sector = at * 64 + word.trailing_zeros() as usize;
                word &= word - 1;
                if (from..to).contains(&sector) {
                    list.push(sector);
                }
            }
        }
        list
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(String, usize),
    Remove(String),
    /// One change: a crash keeps both halves of it or none.
    Rename(String, String, usize),
}

fn sector_of(bytes: &[u8], sector: usize) -> [u8; SECTOR] {
    let mut content = [0; SECTOR];
    let from = (sector * SECTOR).min(bytes.len());
    let to = (from + SECTOR).min(bytes.len());
    content[..to - from].copy_from_slice(&bytes[from..to]);
    content
}

impl Bytes {
    fn store(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        self.live[offset..end].copy_from_slice(bytes);
        if !bytes.is_empty() {
            (offset / SECTOR..=(end - 1) / SECTOR).for_each(|sector| self.dirty.insert(sector));
        }
    }

    fn put(bytes: &mut Vec<u8>, sector: usize, content: &[u8; SECTOR], len: usize) {
        let from = sector * SECTOR;
        let to = (from + SECTOR).min(len);
        if to <= from {
            return;
        }
        if bytes.len() < to {
            bytes.resize(to, 0);
        }
        bytes[from..to].copy_from_slice(&content[..to - from]);
    }
}

impl World {
    /// Counts an operation of a call, and fails if it is its turn.
    fn call(&mut self, aside: bool, sync: bool, needs_space: bool) -> io::Result<()> {
        if aside {
            return Ok(());
        }
        self.op();
        if self.dead {
            return Err(io::Error::other("the machine has stopped"));
        }
        match self.fail {
            Some((at, Failing::Error)) if at <= self.counts.ops => {
                self.fail = None;
                self.counts.failed_calls += 1;
                Err(io::Error::other("EIO, as it was told to"))
            }
            Some((at, Failing::NoSpace)) if at <= self.counts.ops => {
                self.fail = None;
                self.full = true;
                self.space(needs_space)
            }
            Some((at, Failing::SyncDrops)) if sync && at <= self.counts.ops => {
                self.fail = None;
                self.counts.dropped_syncs += 1;
                Err(io::Error::other("EIO, and what was dirty is gone"))
            }
            _ => self.space(needs_space),
        }
    }

    fn space(&mut self, needs_space: bool) -> io::Result<()> {
        if self.full && needs_space {
            self.counts.failed_calls += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn op(&mut self) {
        self.counts.ops += 1;
        if self.die_at.is_some_and(|at| at <= self.counts.ops) {
            self.dead = true;
        }
        if !self.dead && self.write_back != 0 && self.rng.permille(self.write_back) {
            self.write_some_back();
        }
    }

    fn write_some_back(&mut self) {
        let dirty: Vec<usize> =
            (0..self.files.len()).filter(|at| !self.files[*at].dirty.is_empty()).collect();
        if dirty.is_empty() {
            return;
        }
        let file = self.rng.pick(&dirty);
        let sectors = self.files[file].dirty.list(0, usize::MAX);
        let sector = self.rng.pick(&sectors);
        self.persist(file, &[sector]);
        self.counts.written_back += 1;
    }

    /// The device has these sectors now.
    fn persist(&mut self, file: usize, sectors: &[usize]) {
        for &sector in sectors {
            let bytes = &mut self.files[file];
            let content = sector_of(&bytes.live, sector);
            let before = sector_of(&bytes.durable, sector);
            let len = bytes.live.len();
            Bytes::put(&mut bytes.durable, sector, &content, len);
            bytes.dirty.remove(sector);
            if before != content {
                self.older.push_back((file, sector, before));
                if OLDER_MAX < self.older.len() {
                    self.older.pop_front();
                }
            }
        }
    }

    fn id(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn apply(names: &mut BTreeMap<String, usize>, change: NameChange) {
        match change {
            NameChange::Set(name, id) => {
                names.insert(name, id);
            }
            NameChange::Remove(name) => {
                names.remove(&name);
            }
            NameChange::Rename(from, to, id) => {
                names.remove(&from);
                names.insert(to, id);
            }
        }
    }

    /// Files without a name are gone once nobody has them open.
    fn forget_unnamed(&mut self) {
        for (id, file) in self.files.iter_mut().enumerate() {
            if !self.names.values().any(|named| *named == id) {
                *file = Bytes::default();
            }
        }
    }

    fn power_cut(&mut self, rng: &mut Rng) {
        self.counts.power_cuts += 1;
        let pending = std::mem::take(&mut self.pending_names);
        // Nearly every file system keeps a prefix; nothing promises it.
        let prefix =
            if rng.permille(800) { Some(rng.below(pending.len() as u64 + 1)) } else { None };
        for (at, change) in pending.into_iter().enumerate() {
            let kept = prefix.map_or_else(|| rng.permille(500), |prefix| (at as u64) < prefix);
            if kept {
                let change = match change {
                    // From one directory to another: the new one may be written, and the old one not.
                    NameChange::Rename(_, to, id) if to.contains('/') && rng.permille(200) => {
                        self.counts.names_lost += 1;
                        NameChange::Set(to, id)
                    }
                    change => change,
                };
                World::apply(&mut self.durable_names, change);
            } else {
                self.counts.names_lost += 1;
            }
        }
        self.names = self.durable_names.clone();
        // How many in a thousand of what no sync covered reached the device.
        let share = rng.pick(&[0, 0, 100, 500, 500, 900, 1_000]);
        let mut torn = rng.permille(300);
        for file in 0..self.files.len() {
            let mut sectors = self.files[file].dirty.list(0, usize::MAX);
            let (durable, live) =
                (self.files[file].durable.len() as u64, self.files[file].live.len() as u64);
            if durable < live && rng.permille(500) {
                // The length was not on the device: what was written behind it is not there.
                let len = durable + rng.below(live - durable + 1);
                self.files[file].live.truncate(len as usize);
                self.counts.lengths_lost += 1;
            }
            if rng.permille(500) {
                sectors.reverse();
            }
            for sector in sectors {
                if rng.permille(share) {
                    self.persist(file, &[sector]);
                    self.counts.sectors_kept += 1;
                } else if torn && rng.permille(300) {
                    torn = false;
                    self.counts.sectors_torn += 1;
                    let content = std::array::from_fn(|_| rng.next() as u8);
                    let bytes = &mut self.files[file];
                    let len = bytes.live.len();
                    Bytes::put(&mut bytes.durable, sector, &content, len);
                } else {
                    self.counts.sectors_lost += 1;
                }
            }
            let bytes = &mut self.files[file];
            let len = bytes.live.len().max(bytes.durable.len());
            bytes.durable.resize(len, 0);
            bytes.live = bytes.durable.clone();
            bytes.dirty = Dirty::default();
        }
    }

    fn kill(&mut self, rng: &mut Rng) {
        self.counts.kills += 1;
        // Pages that a failed sync left clean may be read from the device again, or not.
        for bytes in &mut self.files {
            let sectors = bytes.live.len().div_ceil(SECTOR);
            let clean = |dirty: &Dirty, sector| dirty.list(sector, sector + 1).is_empty();
            if bytes.live == bytes.durable {
                continue;
            }
            for sector in 0..sectors {
                let content = sector_of(&bytes.durable, sector);
                let differs = content != sector_of(&bytes.live, sector);
                if differs && clean(&bytes.dirty, sector) && rng.permille(500) {
                    let len = bytes.live.len();
                    Bytes::put(&mut bytes.live, sector, &content, len);
                }
            }
        }
    }
}

impl Disk {
    /// An empty directory. `seed` decides which dirty sectors are written back, and when.
    pub fn new(seed: u64) -> Disk {
        Disk::of(World {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            locked: false,
            rng: Rng::new(seed),
            write_back: 0,
            die_at: None,
            die_in_snapshot: None,
            dead: false,
            fail: None,
            full: false,
            journals: 0,
            older: VecDeque::new(),
            stale: None,
            counts: DiskCounts::default(),
        })
    }

    fn of(world: World) -> Disk {
        Disk { world: Arc::new(Mutex::new(world)), aside: false }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // Whoever panicked while holding it has already failed.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same directory for somebody who only looks: no operation is counted and none fails.
    pub fn aside(&self) -> Disk {
        Disk { world: self.world.clone(), aside: true }
    }

    /// From now on so many operations in a thousand are followed by the write-back of some dirty sector.
    pub fn write_back(&self, permille: u64) {
        self.world().write_back = permille;
    }

    /// The machine stops at the operation that is so many from now, counted from 1: what is stored after
    /// it is nowhere, and every call fails.
    pub fn die_after(&self, ops: u64) {
        let mut world = self.world();
        world.die_at = Some(world.counts.ops + ops);
    }

    /// The machine stops so many operations behind the one that creates the next snapshot's file; 0: it does
    /// not.
    pub fn die_in_snapshot(&self, ops: u64) {
        self.world().die_in_snapshot = (ops != 0).then_some(ops);
    }

    /// The machine stops now.
    pub fn die(&self) {
        self.world().dead = true;
    }

    /// Whether the machine has stopped.
    pub fn is_dead(&self) -> bool {
        self.world().dead
    }

    /// The call that is so many operations from now (or the next sync after it) fails.
    pub fn fail_after(&self, ops: u64, how: Failing) {
        let mut world = self.world();
        world.fail = Some((world.counts.ops + ops, how));
    }

    /// There is space again, nothing is to fail, and the machine will not stop by itself.
    pub fn heal(&self) {
        let mut world = self.world();
        world.die_at = None;
        world.die_in_snapshot = None;
        world.full = false;
        world.fail = None;
    }

    /// What was done so far, before crashes too.
    pub fn counts(&self) -> DiskCounts {
        self.world().counts
    }

    fn after(&self, crash: impl FnOnce(&mut World)) -> Disk {
        let mut world = self.world().clone();
        crash(&mut world);
        let world = World {
            locked: false,
            die_at: None,
            die_in_snapshot: None,
            dead: false,
            stale: None,
            ..world
        };
        Disk::of(world)
    }

    /// What a power cut leaves: everything that was synced, and of the rest what `seed` says.
    pub fn power_cut(&self, seed: u64) -> Disk {
        self.after(|world| {
            world.power_cut(&mut Rng::new(seed));
            world.forget_unnamed();
        })
    }

    /// What the end of the process leaves: every store, though not yet on the device.
    pub fn kill(&self, seed: u64) -> Disk {
        self.after(|world| world.kill(&mut Rng::new(seed)))
    }

    /// Does something to the disk that nobody may overlook, and says where; none if there is nothing to
    /// do it to. The disk is to be at rest: no journal is open.
    pub fn lie(&self, lie: Lie, seed: u64) -> Option<Lied> {
        let mut rng = Rng::new(seed);
        let mut world = self.world();
        let names: Vec<(String, usize)> =
            world.names.iter().map(|(name, id)| (name.clone(), *id)).collect();
        let used = |bytes: &[u8]| bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        let (name, file) = {
            let some: Vec<&(String, usize)> =
                names.iter().filter(|(_, id)| used(&world.files[*id].live) != 0).collect();
            if some.is_empty() {
                return None;
            }
            rng.pick(&some).clone()
        };
        let used = used(&world.files[file].live);
        if lie == Lie::Flip {
            let at = rng.below(used as u64) as usize;
            let bit = 1 << rng.below(8);
            let bytes = &mut world.files[file];
            bytes.live[at] ^= bit;
            // What was never synced has no byte on the device yet.
            if let Some(byte) = bytes.durable.get_mut(at) {
                *byte ^= bit;
            }
            world.counts.flips += 1;
            return Some(Lied { lie, file: name, offset: at as u64, to: None });
        }
        // The others need a sector that held something else before.
        let older: Vec<(usize, usize, [u8; SECTOR])> = world
            .older
            .iter()
            .filter(|(id, sector, before)| {
                let named = names.iter().any(|(_, named)| named == id);
                named && sector_of(&world.files[*id].live, *sector) != *before
            })
            .copied()
            .collect();
        if older.is_empty() {
            return None;
        }
        let (file, sector, before) = rng.pick(&older);
        let name = names.iter().find(|(_, id)| *id == file).map(|(n, _)| n.clone())?;
        let mut lied = Lied { lie, file: name, offset: (sector * SECTOR) as u64, to: None };
        match lie {
            Lie::Stale => {
                world.stale = Some((file, sector, before));
                world.counts.stale_reads += 1;
            }
            Lie::Misdirected | Lie::Lost | Lie::Flip => {
                let bytes = &mut world.files[file];
                let content = sector_of(&bytes.live, sector);
                let len = bytes.live.len();
                let sectors = (len / SECTOR) as u64;
                Bytes::put(&mut bytes.live, sector, &before, len);
                if lie == Lie::Misdirected && 1 < sectors {
                    let mut to = rng.below(sectors) as usize;
                    if to == sector {
                        to = (to + 1) % sectors as usize;
                    }
                    Bytes::put(&mut bytes.live, to, &content, len);
                    lied.to = Some((to * SECTOR) as u64);
                }
                bytes.durable = bytes.live.clone();
                world.counts.misdirected += 1;
            }
        }
        Some(lied)
    }

    /// Does this to a file, wherever its bytes are; nothing if it is not there.
    pub fn hurt(&self, name: &str, how: &Hurt) {
        let mut world = self.world();
        let Ok(id) = world.id(name) else { return };
        world.counts.hurt += 1;
        if *how == Hurt::Gone {
            world.names.remove(name);
            world.durable_names.remove(name);
            return;
        }
        let Bytes { live, durable, .. } = &mut world.files[id];
        for bytes in [live, durable] {
            match how {
                Hurt::Flip { at, bit } => {
                    if let Some(byte) = bytes.get_mut(*at as usize) {
                        *byte ^= 1 << (bit % 8);
                    }
                }
                Hurt::Truncate(len) => bytes.truncate(*len as usize),
                Hurt::Zero(from) => bytes.iter_mut().skip(*from as usize).for_each(|b| *b = 0),
                Hurt::Content(content) => bytes.clone_from(content),
                Hurt::Gone => (),
            }
        }
    }

    /// What a file holds, as a program sees it.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let world = self.world();
        world.id(name).ok().map(|id| world.files[id].live.clone())
    }

    /// Names and contents, as a program sees them.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let world = self.world();
        let file = |(name, id): (&String, &usize)| (name.clone(), world.files[*id].live.clone());
        world.names.iter().map(file).collect()
    }
}

/// The lock of a [`Disk`].
#[derive(Debug)]
pub struct DiskLock(Disk);

impl Drop for DiskLock {
    fn drop(&mut self) {
        self.0.world().locked = false;
    }
}

impl Store for Disk {
    type File = DiskFile;
    type Lock = DiskLock;

    fn place(&self, name: &str) -> String {
        if name.is_empty() { "the disk".into() } else { format!("disk/{name}") }
    }

    fn lock(&self) -> io::Result<DiskLock> {
        let mut world = self.world();
        world.call(self.aside, false, false)?;
        if world.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        world.locked = true;
        Ok(DiskLock(self.clone()))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut world = self.world();
        world.call(self.aside, false, false)?;
        Ok(world.names.keys().cloned().collect())
    }

    fn create_new(&self, name: &str) -> io::Result<DiskFile> {
        let mut world = self.world();
        world.call(self.aside, false, true)?;
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if name.starts_with("snap-")
            && let Some(ops) = world.die_in_snapshot.take()
        {
            world.die_at = Some(world.counts.ops + ops);
        }
        let id = world.files.len();
        world.files.push(Bytes::default());
        world.names.insert(name.into(), id);
        world.pending_names.push(NameChange::Set(name.into(), id));
        Ok(DiskFile { disk: self.clone(), id })
    }

    fn open_read(&self, name: &str) -> io::Result<DiskFile> {
        let mut world = self.world();
        world.call(self.aside, false, false)?;
        let id = world.id(name)?;
        Ok(DiskFile { disk: self.clone(), id })
    }

    fn open_write(&self, name: &str) -> io::Result<DiskFile> {
        self.open_read(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        world.call(self.aside, false, false)?;
        let id = world.id(from)?;
        if world.names.get(to) == Some(&id) {
            // Two names of one file: nothing is done, and both stay.
            return Ok(());
        }
        let change = NameChange::Rename(from.into(), to.into(), id);
        World::apply(&mut world.names, change.clone());
        world.pending_names.push(change);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.call(self.aside, false, false)?;
        world.id(name)?;
        world.names.remove(name);
        world.pending_names.push(NameChange::Remove(name.into()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.world();
        world.call(self.aside, false, false)?;
        world.counts.syncs += 1;
        world.durable_names = world.names.clone();
        world.pending_names.clear();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(if self.world().full { 0 } else { u64::MAX })
    }

    fn new_uuid(&self) -> io::Result<[u8; 16]> {
        let mut world = self.world();
        world.call(self.aside, false, false)?;
        // Every journal on this disk gets another one, and every run the same.
        world.journals += 1;
        Ok([world.journals; 16])
    }
}

/// A file of a [`Disk`].
#[derive(Debug)]
pub struct DiskFile {
    disk: Disk,
    id: usize,
}

/// A sync of some sectors: all are durable, or it fails; then they are as dirty as before, or dropped.
fn sync(world: &mut World, aside: bool, id: usize, from: usize, to: usize) -> io::Result<()> {
    let before = world.counts.dropped_syncs;
    let called = world.call(aside, true, false);
    let sectors = world.files[id].dirty.list(from, to);
    if let Err(e) = called {
        if before != world.counts.dropped_syncs {
            for sector in sectors {
                world.files[id].dirty.remove(sector);
            }
        }
        return Err(e);
    }
    world.counts.syncs += 1;
    world.persist(id, &sectors);
    Ok(())
}

impl StoreFile for DiskFile {
    type Map = DiskMap;

    fn len(&self) -> io::Result<u64> {
        let mut world = self.disk.world();
        world.call(self.disk.aside, false, false)?;
        Ok(world.files[self.id].live.len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut world = self.disk.world();
        world.call(self.disk.aside, false, false)?;
        let live = &world.files[self.id].live;
        let from = live.len().min(offset as usize);
        let len = buf.len().min(live.len() - from);
        buf[..len].copy_from_slice(&live[from..from + len]);
        if let Some((file, sector, content)) = &world.stale
            && *file == self.id
        {
            let start = sector * SECTOR;
            for (at, byte) in buf[..len].iter_mut().enumerate() {
                if (start..start + SECTOR).contains(&(from + at)) {
                    *byte = content[from + at - start];
                }
            }
        }
        Ok(len)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.disk.world();
        let grows = (world.files[self.id].live.len() as u64) < offset + bytes.len() as u64;
        world.call(self.disk.aside, false, grows)?;
        world.files[self.id].store(offset as usize, bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.disk.world();
        sync(&mut world, self.disk.aside, self.id, 0, usize::MAX)?;
        let bytes = &mut world.files[self.id];
        let len = bytes.live.len();
        bytes.durable.resize(len, 0);
        Ok(())
    }

    fn forget_cached(&mut self) -> io::Result<()> {
        let mut world = self.disk.world();
        world.call(self.disk.aside, false, false)?;
        let bytes = &mut world.files[self.id];
        let dirty = bytes.dirty.list(0, usize::MAX);
        let kept: Vec<(usize, [u8; SECTOR])> =
            dirty.iter().map(|sector| (*sector, sector_of(&bytes.live, *sector))).collect();
        let len = bytes.live.len();
        bytes.live.fill(0);
        let have = len.min(bytes.durable.len());
        bytes.live[..have].copy_from_slice(&bytes.durable[..have]);
        for (sector, content) in kept {
            Bytes::put(&mut bytes.live, sector, &content, len);
        }
        Ok(())
    }

    fn map(self) -> io::Result<DiskMap> {
        let view = {
            let mut world = self.disk.world();
            world.call(self.disk.aside, false, false)?;
            world.files[self.id].live.clone()
        };
        Ok(DiskMap { file: self, view })
    }
}

/// A mapped file of a [`Disk`].
#[derive(Debug)]
pub struct DiskMap {
    file: DiskFile,
    view: Vec<u8>,
}

impl StoreMap for DiskMap {
    fn bytes(&self) -> &[u8] {
        &self.view
    }

    fn store(&mut self, offset: u64, bytes: &[u8]) {
        let offset = offset as usize;
        self.view[offset..offset + bytes.len()].copy_from_slice(bytes);
        let mut world = self.file.disk.world();
        if world.dead {
            return;
        }
        // A store of several words is not one: the machine may stop in its middle.
        world.op();
        let stored = if world.dead {
            let part = world.rng.below(bytes.len() as u64 + 1) as usize;
            &bytes[..part]
        } else {
            bytes
        };
        world.files[self.file.id].store(offset, stored);
    }

    fn sync_range(&mut self, offset: u64, len: u64) -> io::Result<()> {
        let mut world = self.file.disk.world();
        let (from, to) =
            (offset as usize / SECTOR, (offset + len).div_ceil(SECTOR as u64) as usize);
        sync(&mut world, self.file.disk.aside, self.file.id, from, to)
    }
}
