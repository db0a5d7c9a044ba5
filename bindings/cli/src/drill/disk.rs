//! A disk that can be made slow: everything it is asked to make durable takes as long as somebody says.

use betring_journal::{DirStore, Store, StoreFile, StoreMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a good disk takes for a sync.
const EVEN: Duration = Duration::from_millis(2);
/// What a drill on such a disk says of it.
pub(crate) const EVEN_TOLD: &str =
    "the book is in memory, and every sync of it takes 2 ms: times are not the disk's";

/// How long a sync takes beyond what it takes. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drag(Arc<AtomicU64>);

impl Drag {
    /// Of a drill that is not about the disk and is judged by how long answers take: with a book in memory every
    /// sync takes this long. Of a real and shared one the 99th percentile alone went from 2 to 20 ms between two
    /// parts of a drill.
    pub(crate) fn even() -> Drag {
        let drag = Drag::default();
        drag.set(EVEN);
        drag
    }

    /// From here on every sync takes so much longer.
    pub(crate) fn set(&self, span: Duration) {
        let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(ns, Ordering::Relaxed);
    }

    fn wait(&self) {
        let ns = self.0.load(Ordering::Relaxed);
        if 0 < ns {
            std::thread::sleep(Duration::from_nanos(ns));
        }
    }
}

/// A directory on such a disk.
#[derive(Clone, Debug)]
pub(crate) struct SlowStore {
    pub(crate) inner: DirStore,
    pub(crate) drag: Drag,
}

/// A file on such a disk.
#[derive(Debug)]
pub(crate) struct Slow<T> {
    inner: T,
    drag: Drag,
}

impl SlowStore {
    fn slow<T>(&self, inner: T) -> Slow<T> {
        Slow { inner, drag: self.drag.clone() }
    }
}

impl Store for SlowStore {
    type File = Slow<<DirStore as Store>::File>;
    type Lock = <DirStore as Store>::Lock;

    fn place(&self, name: &str) -> String {
        self.inner.place(name)
    }

    fn lock(&self) -> io::Result<Self::Lock> {
        self.inner.lock()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn create_new(&self, name: &str) -> io::Result<Self::File> {
        self.inner.create_new(name).map(|file| self.slow(file))
    }

    fn open_read(&self, name: &str) -> io::Result<Self::File> {
        self.inner.open_read(name).map(|file| self.slow(file))
    }

    fn open_write(&self, name: &str) -> io::Result<Self::File> {
        self.inner.open_write(name).map(|file| self.slow(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.inner.sync_dir()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.inner.free_bytes()
    }

    fn new_uuid(&self) -> io::Result<[u8; 16]> {
        self.inner.new_uuid()
    }
}

impl<T: StoreFile> StoreFile for Slow<T> {
    type Map = Slow<T::Map>;

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buf)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.drag.wait();
        self.inner.sync()
    }

    fn forget_cached(&mut self) -> io::Result<()> {
        self.inner.forget_cached()
    }

    fn map(self) -> io::Result<Self::Map> {
        let Slow { inner, drag } = self;
        inner.map().map(|inner| Slow { inner, drag })
    }
}

impl<T: StoreMap> StoreMap for Slow<T> {
    fn bytes(&self) -> &[u8] {
        self.inner.bytes()
    }

    fn store(&mut self, offset: u64, bytes: &[u8]) {
        self.inner.store(offset, bytes);
    }

    fn sync_range(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.drag.wait();
        self.inner.sync_range(offset, len)
    }
}
