//! A journal's files in memory, which remember what was synced: for tests.
//!
//! It is an honest disk: what was synced is durable, and of what was not, a crash keeps whatever
//! the test chooses, sector by sector. It counts operations and can fail at any of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{Store, StoreFile, StoreMap};

/// What a device writes as a whole, at least.
const SECTOR: usize = 512;

/// A directory in memory. Clones are the same directory.
#[derive(Clone, Debug)]
pub struct MemStore {
    world: Arc<Mutex<World>>,
}

#[derive(Clone, Debug, Default)]
struct World {
    files: Vec<MemBytes>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the directory, in order.
    pending_names: Vec<NameChange>,
    locked: bool,
    capacity: Option<u64>,
    ops: u64,
    calls: u64,
    syncs: u64,
    fail: Option<(u64, io::ErrorKind)>,
    image_at: Option<u64>,
    image: Option<Box<World>>,
    journals: u8,
}

#[derive(Clone, Debug, Default)]
struct MemBytes {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors stored since the last sync.
    dirty: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(String, usize),
    Remove(String),
    /// One change: a crash keeps both halves of it or none.
    Rename(String, String, usize),
}

impl World {
    /// Counts an operation, and fails if it is its turn.
    fn op(&mut self) -> io::Result<()> {
        self.count();
        self.calls += 1;
        match self.fail {
            Some((at, kind)) if at == self.calls => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn count(&mut self) {
        if self.image_at == Some(self.ops) {
            self.image = Some(Box::new(World { image: None, image_at: None, ..self.clone() }));
        }
        self.ops += 1;
    }

    fn id(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn set_name(&mut self, name: &str, id: usize) {
        self.names.insert(name.into(), id);
        self.pending_names.push(NameChange::Set(name.into(), id));
    }

    fn remove_name(&mut self, name: &str) {
        self.names.remove(name);
        self.pending_names.push(NameChange::Remove(name.into()));
    }

    fn used(&self) -> u64 {
        self.names.values().map(|id| self.files[*id].live.len() as u64).sum()
    }
}

impl MemBytes {
    fn store(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        self.live[offset..end].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.extend(offset / SECTOR..=(end - 1) / SECTOR);
        }
    }

    /// Makes these sectors durable.
    fn persist(&mut self, sectors: impl Iterator<Item = usize>) {
        for sector in sectors {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(self.live.len());
            if self.durable.len() < to {
                self.durable.resize(to, 0);
            }
            self.durable[from..to].copy_from_slice(&self.live[from..to]);
        }
    }
}

impl Default for MemStore {
    fn default() -> MemStore {
        MemStore::new()
    }
}

impl MemStore {
    /// An empty directory.
    pub fn new() -> MemStore {
        MemStore::of(World::default())
    }

    fn of(world: World) -> MemStore {
        MemStore { world: Arc::new(Mutex::new(world)) }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A test that panicked in another thread has already failed.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a crash of the machine leaves: everything that was synced, of the changes of names
    /// since then the first `names_kept`, and of the sectors those for which `keep(file, sector)`
    /// says so, where `file` counts files in the order in which they were made.
    pub fn crash(&self, names_kept: usize, mut keep: impl FnMut(usize, usize) -> bool) -> MemStore {
        let mut world = self.world().clone();
        for change in world.pending_names.drain(..).take(names_kept) {
            let names = &mut world.durable_names;
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
        world.names = world.durable_names.clone();
        for (id, file) in world.files.iter_mut().enumerate() {
            let dirty = std::mem::take(&mut file.dirty);
            file.persist(dirty.into_iter().filter(|&sector| keep(id, sector)));
            file.live = file.durable.clone();
        }
        MemStore::of(World { locked: false, fail: None, image: None, image_at: None, ..world })
    }

    /// What a crash of the process leaves: every store.
    pub fn kill(&self) -> MemStore {
        let world = self.world().clone();
        MemStore::of(World { locked: false, fail: None, image: None, image_at: None, ..world })
    }

    /// How many operations there were: calls that can fail, and stores into maps.
    pub fn ops(&self) -> u64 {
        self.world().ops
    }

    /// How many calls there were that can fail.
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// How many syncs there were, of files, maps and the directory.
    pub fn syncs(&self) -> u64 {
        self.world().syncs
    }

    /// The call with this number, counted from 1 as [`MemStore::calls`] does, fails. A sync that
    /// fails never writes what it should have, and the next one succeeds without it, as systems do.
    pub fn fail_at(&self, call: u64, kind: io::ErrorKind) {
        self.world().fail = Some((call, kind));
    }

    /// The state of everything after this many operations is kept; see [`MemStore::image`].
    pub fn take_image_at(&self, op: u64) {
        self.world().image_at = Some(op);
    }

    /// The state that [`MemStore::take_image_at`] asked for, if it came so far; otherwise the
    /// present one.
    pub fn image(&self) -> MemStore {
        let world = self.world();
        MemStore::of(world.image.as_deref().unwrap_or(&world).clone())
    }

    /// All files together may have this many bytes; more is `StorageFull`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world().capacity = bytes;
    }

    /// The bytes of a file.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn contents(&self, name: &str) -> Vec<u8> {
        let world = self.world();
        world.files[world.names[name]].live.clone()
    }

    /// Replaces a file, or makes one, durably: for tests that damage it.
    pub fn set_contents(&self, name: &str, bytes: &[u8]) {
        let mut world = self.world();
        let durable = bytes.to_vec();
        let file = MemBytes { live: durable.clone(), durable, ..MemBytes::default() };
        match world.id(name) {
            Ok(id) => world.files[id] = file,
            Err(_) => {
                let id = world.files.len();
                world.files.push(file);
                world.names.insert(name.into(), id);
                world.durable_names.insert(name.into(), id);
            }
        }
    }

    /// Removes a file, durably: for tests that damage the journal.
    pub fn lose(&self, name: &str) {
        let mut world = self.world();
        world.names.remove(name);
        world.durable_names.remove(name);
    }

    /// How many changes of names a crash could keep or lose.
    pub fn pending_names(&self) -> usize {
        self.world().pending_names.len()
    }
}

/// The lock of a [`MemStore`].
#[derive(Debug)]
pub struct MemLock {
    store: MemStore,
}

impl Drop for MemLock {
    fn drop(&mut self) {
        self.store.world().locked = false;
    }
}

impl Store for MemStore {
    type File = MemFile;
    type Lock = MemLock;

    fn place(&self, name: &str) -> String {
        if name.is_empty() { "memory".into() } else { format!("memory/{name}") }
    }

    fn lock(&self) -> io::Result<MemLock> {
        let mut world = self.world();
        world.op()?;
        if world.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        world.locked = true;
        Ok(MemLock { store: self.clone() })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut world = self.world();
        world.op()?;
        Ok(world.names.keys().cloned().collect())
    }

    fn create_new(&self, name: &str) -> io::Result<MemFile> {
        let mut world = self.world();
        world.op()?;
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = world.files.len();
        world.files.push(MemBytes::default());
        world.set_name(name, id);
        Ok(MemFile { store: self.clone(), id })
    }

    fn open_read(&self, name: &str) -> io::Result<MemFile> {
        let mut world = self.world();
        world.op()?;
        let id = world.id(name)?;
        Ok(MemFile { store: self.clone(), id })
    }

    fn open_write(&self, name: &str) -> io::Result<MemFile> {
        self.open_read(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        world.op()?;
        let id = world.id(from)?;
        world.names.remove(from);
        world.names.insert(to.into(), id);
        world.pending_names.push(NameChange::Rename(from.into(), to.into(), id));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.op()?;
        world.id(name)?;
        world.remove_name(name);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.world();
        world.op()?;
        world.syncs += 1;
        world.durable_names = world.names.clone();
        world.pending_names.clear();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let world = self.world();
        Ok(world.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(world.used())))
    }

    fn new_uuid(&self) -> io::Result<[u8; 16]> {
        let mut world = self.world();
        world.op()?;
        // Every journal in this memory gets another one, and every run the same.
        world.journals += 1;
        Ok([world.journals; 16])
    }
}

/// A file of a [`MemStore`].
#[derive(Debug)]
pub struct MemFile {
    store: MemStore,
    id: usize,
}

impl StoreFile for MemFile {
    type Map = MemMap;

    fn len(&self) -> io::Result<u64> {
        let mut world = self.store.world();
        world.op()?;
        Ok(world.files[self.id].live.len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut world = self.store.world();
        world.op()?;
        let live = &world.files[self.id].live;
        let from = live.len().min(offset as usize);
        let len = buf.len().min(live.len() - from);
        buf[..len].copy_from_slice(&live[from..from + len]);
        Ok(len)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.store.world();
        world.op()?;
        let end = offset + bytes.len() as u64;
        let grows = end.saturating_sub(world.files[self.id].live.len() as u64);
        if world.capacity.is_some_and(|capacity| capacity < world.used() + grows) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        world.files[self.id].store(offset as usize, bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.store.world();
        let failed = world.op();
        world.syncs += 1;
        let file = &mut world.files[self.id];
        let dirty = std::mem::take(&mut file.dirty);
        failed?;
        file.persist(dirty.into_iter());
        Ok(())
    }

    fn forget_cached(&mut self) -> io::Result<()> {
        let mut world = self.store.world();
        world.op()?;
        let file = &mut world.files[self.id];
        for sector in 0..file.live.len().div_ceil(SECTOR) {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(file.live.len()).min(file.durable.len());
            if from < to && !file.dirty.contains(&sector) {
                file.live[from..to].copy_from_slice(&file.durable[from..to]);
            }
        }
        Ok(())
    }

    fn map(self) -> io::Result<MemMap> {
        let view = {
            let mut world = self.store.world();
            world.op()?;
            world.files[self.id].live.clone()
        };
        Ok(MemMap { file: self, view })
    }
}

/// A mapped file of a [`MemStore`].
#[derive(Debug)]
pub struct MemMap {
    file: MemFile,
    view: Vec<u8>,
}

impl StoreMap for MemMap {
    fn bytes(&self) -> &[u8] {
        &self.view
    }

    fn store(&mut self, offset: u64, bytes: &[u8]) {
        let offset = offset as usize;
        self.view[offset..offset + bytes.len()].copy_from_slice(bytes);
        let mut world = self.file.store.world();
        world.count();
        world.files[self.file.id].store(offset, bytes);
    }

    fn sync_range(&mut self, offset: u64, len: u64) -> io::Result<()> {
        let mut world = self.file.store.world();
        let failed = world.op();
        world.syncs += 1;
        let file = &mut world.files[self.file.id];
        let (from, to) = (offset as usize / SECTOR, (offset + len) as usize / SECTOR);
        let range: Vec<usize> = file.dirty.range(from..to).copied().collect();
        for sector in &range {
            file.dirty.remove(sector);
        }
        failed?;
        file.persist(range.into_iter());
        Ok(())
    }
}
