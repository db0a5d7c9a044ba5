//! A journal's files in a directory of the file system.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;

use crate::error::Error;
use crate::mmap::Mapping;
use crate::store::{Store, StoreFile, StoreMap};

const LOCK: &str = "LOCK";
const ARCHIVE: &str = "archive";

/// A directory of the file system.
#[derive(Clone, Debug)]
pub struct DirStore {
    path: Arc<PathBuf>,
}

impl DirStore {
    /// The directory of a journal to be written; made, with mode 0700, if it is not there.
    ///
    /// # Errors
    /// [`Error::DirectoryOpen`] if others than its owner can write it, [`Error::Permission`],
    /// [`Error::NoSpace`] or [`Error::Io`] if it cannot be made or read.
    pub fn create(path: impl AsRef<Path>) -> Result<DirStore, Error> {
        let path = path.as_ref();
        let place = || path.display().to_string();
        make(path).map_err(|e| Error::io("create the directory", place(), e))?;
        let metadata =
            std::fs::metadata(path).map_err(|e| Error::io("read the directory", place(), e))?;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(Error::DirectoryOpen { place: place(), mode });
        }
        Ok(DirStore { path: Arc::new(path.to_path_buf()) })
    }

    /// The directory of a journal that is there, for reading only.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such directory.
    pub fn existing(path: impl AsRef<Path>) -> Result<DirStore, Error> {
        let path = path.as_ref();
        if path.is_dir() {
            Ok(DirStore { path: Arc::new(path.to_path_buf()) })
        } else {
            Err(Error::NotFound { place: path.display().to_string() })
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens what is there if it is a file: at a pipe one would wait for its other end.
    fn open_file(&self, name: &str, how: &mut OpenOptions) -> io::Result<DirFile> {
        let no_wait = rustix::fs::OFlags::NONBLOCK.bits();
        let file = how.custom_flags(no_wait as i32).open(self.path.join(name))?;
        if file.metadata()?.is_file() {
            return Ok(DirFile { file });
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file: move it away"))
    }

    fn has_archive(&self) -> bool {
        self.path.join(ARCHIVE).is_dir()
    }
}

/// Makes a directory and those above it, each name durable in the one above it.
fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    make(above)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if !path.is_dir() => return Err(e),
        _ => (),
    }
    File::open(above)?.sync_all()
}

/// Adds the names of a directory's files, with this before them.
fn list_into(names: &mut Vec<String>, path: &Path, before: &str) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        // A name which is not UTF-8 is none of ours.
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(format!("{before}{name}"));
        }
    }
    Ok(())
}

/// The lock file and the directory, locked. The system unlocks it when the process ends, however it ends.
#[derive(Debug)]
pub struct DirLock {
    locked: [File; 2],
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that another thread has just forked holds the same open
        // file until it becomes another program, and with it the lock. If unlocking fails, closing does.
        for file in &self.locked {
            let _ = rustix::fs::flock(file, FlockOperation::Unlock);
        }
    }
}

impl Store for DirStore {
    type File = DirFile;
    type Lock = DirLock;

    fn place(&self, name: &str) -> String {
        let path = if name.is_empty() { self.path.to_path_buf() } else { self.path.join(name) };
        path.display().to_string()
    }

    fn lock(&self) -> io::Result<DirLock> {
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false).mode(0o600);
        let DirFile { file } = self.open_file(LOCK, &mut how)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // Somebody may remove the file as a left-over; nobody removes the directory in passing.
        let directory = File::open(&*self.path)?;
        rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
        Ok(DirLock { locked: [file, directory] })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        // The archive last: a segment that is moved meanwhile is seen twice rather than not at all.
        list_into(&mut names, &self.path, "")?;
        names.retain(|name| name != ARCHIVE);
        if self.has_archive() {
            list_into(&mut names, &self.path.join(ARCHIVE), "archive/")?;
        }
        Ok(names)
    }

    fn create_new(&self, name: &str) -> io::Result<DirFile> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path.join(name))?;
        Ok(DirFile { file })
    }

    fn open_read(&self, name: &str) -> io::Result<DirFile> {
        self.open_file(name, OpenOptions::new().read(true))
    }

    fn open_write(&self, name: &str) -> io::Result<DirFile> {
        self.open_file(name, OpenOptions::new().read(true).write(true))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if to.starts_with("archive/") && !self.has_archive() {
            DirBuilder::new().mode(0o700).create(self.path.join(ARCHIVE))?;
            // So that what is moved there is not in a directory that a power cut takes back.
            File::open(&*self.path)?.sync_all()?;
        }
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        // The archive first: a file's new name is durable before its old one is gone.
        if self.has_archive() {
            File::open(self.path.join(ARCHIVE))?.sync_all()?;
        }
        File::open(&*self.path)?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&*self.path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn new_uuid(&self) -> io::Result<[u8; 16]> {
        let mut uuid = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut uuid)?;
        Ok(uuid)
    }
}

/// An open file.
#[derive(Debug)]
pub struct DirFile {
    file: File,
}

impl StoreFile for DirFile {
    type Map = DirMap;

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => (),
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn forget_cached(&mut self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed)?)
    }

    fn map(self) -> io::Result<DirMap> {
        Ok(DirMap { map: Mapping::new(&self.file)? })
    }
}

/// A mapped file.
#[derive(Debug)]
pub struct DirMap {
    map: Mapping,
}

impl StoreMap for DirMap {
    fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }

    #[inline]
    fn store(&mut self, offset: u64, bytes: &[u8]) {
        let offset = offset as usize;
        self.map.bytes_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn sync_range(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.map.sync_range(offset as usize, len as usize)
    }
}
