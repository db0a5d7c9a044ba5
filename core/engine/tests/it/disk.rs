//! A disk in memory that fails when it is told to.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use betring::journal::{MemStore, Store, StoreFile, StoreMap};

/// Counts down the syncs that still work, and says whether there is space.
#[derive(Debug)]
struct Faults {
    syncs_left: AtomicI64,
    full: AtomicBool,
    held: AtomicBool,
}

impl Faults {
    fn sync(&self) -> io::Result<()> {
        let start = std::time::Instant::now();
        while self.held.load(Ordering::SeqCst) {
            // A test that fails while it holds a sync would otherwise never end.
            if 30 < start.elapsed().as_secs() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        match self.syncs_left.fetch_sub(1, Ordering::SeqCst) {
            ..=0 => Err(io::Error::other("the device has gone")),
            _ => Ok(()),
        }
    }

    fn space(&self) -> io::Result<()> {
        match self.full.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Failing {
    disk: MemStore,
    faults: Arc<Faults>,
}

impl Failing {
    pub(crate) fn new() -> Failing {
        let faults = Faults {
            syncs_left: AtomicI64::new(i64::MAX),
            full: AtomicBool::new(false),
            held: AtomicBool::new(false),
        };
        Failing { disk: MemStore::new(), faults: Arc::new(faults) }
    }

    /// The n-th sync from now on fails, and all after it.
    pub(crate) fn sync_fails_from(&self, n: i64) {
        self.faults.syncs_left.store(n - 1, Ordering::SeqCst);
    }

    pub(crate) fn works_again(&self) {
        self.faults.syncs_left.store(i64::MAX, Ordering::SeqCst);
    }

    /// Syncs do not return until this is taken back.
    pub(crate) fn is_held(&self, held: bool) {
        self.faults.held.store(held, Ordering::SeqCst);
    }

    /// No file can be made or grow.
    pub(crate) fn is_full(&self, full: bool) {
        self.faults.full.store(full, Ordering::SeqCst);
    }
}

#[derive(Debug)]
pub(crate) struct FailingFile(<MemStore as Store>::File, Arc<Faults>);

#[derive(Debug)]
pub(crate) struct FailingMap(<<MemStore as Store>::File as StoreFile>::Map, Arc<Faults>);

impl Store for Failing {
    type File = FailingFile;
    type Lock = <MemStore as Store>::Lock;
    fn place(&self, name: &str) -> String {
        self.disk.place(name)
    }
    fn lock(&self) -> io::Result<Self::Lock> {
        self.disk.lock()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn create_new(&self, name: &str) -> io::Result<FailingFile> {
        self.faults.space()?;
        Ok(FailingFile(self.disk.create_new(name)?, self.faults.clone()))
    }
    fn open_read(&self, name: &str) -> io::Result<FailingFile> {
        Ok(FailingFile(self.disk.open_read(name)?, self.faults.clone()))
    }
    fn open_write(&self, name: &str) -> io::Result<FailingFile> {
        Ok(FailingFile(self.disk.open_write(name)?, self.faults.clone()))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
    fn new_uuid(&self) -> io::Result<[u8; 16]> {
        self.disk.new_uuid()
    }
}

impl StoreFile for FailingFile {
    type Map = FailingMap;
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buf)
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.1.sync()?;
        self.0.sync()
    }
    fn forget_cached(&mut self) -> io::Result<()> {
        self.0.forget_cached()
    }
    fn map(self) -> io::Result<FailingMap> {
        Ok(FailingMap(self.0.map()?, self.1))
    }
}

impl StoreMap for FailingMap {
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }
    fn store(&mut self, offset: u64, bytes: &[u8]) {
        self.0.store(offset, bytes);
    }
    fn sync_range(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.1.sync()?;
        self.0.sync_range(offset, len)
    }
}
