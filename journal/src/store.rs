//! The files behind a trait, so that a test can break them.
//!
//! Everything the journal does to the world goes through these three traits: the stores into a
//! mapped segment too, so that a simulated disk sees each of them, and the journal's UUID, which is
//! the only random number.

use std::fmt::Debug;
use std::io;

/// A directory with the files of one journal.
///
/// Clones are the same directory: a helper thread prepares segments through one.
pub trait Store: Clone + Debug + Send + 'static {
    /// An open file.
    type File: StoreFile;
    /// Held as long as the journal is open for writing.
    type Lock: Debug + Send + 'static;

    /// How an operator finds this file: for messages. An empty name is the directory itself.
    fn place(&self, name: &str) -> String;

    /// Takes the exclusive lock of the directory, until the value is dropped.
    ///
    /// # Errors
    /// `WouldBlock` if somebody else holds it.
    fn lock(&self) -> io::Result<Self::Lock>;

    /// The names of all files, in any order; of those in the directory `archive`, if there is one,
    /// with `archive/` before them.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Creates a file that did not exist, readable and writable by its owner only.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system says.
    fn create_new(&self, name: &str) -> io::Result<Self::File>;

    /// Opens an existing file for reading.
    ///
    /// # Errors
    /// `NotFound`, or what the system says.
    fn open_read(&self, name: &str) -> io::Result<Self::File>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound`, or what the system says.
    fn open_write(&self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name, replacing what had it. Durable after [`Store::sync_dir`]. A name
    /// that begins with `archive/` moves it there; the directory is made if it is not there.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. The journal does this to temporary files, and to snapshots older than two
    /// that are valid.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names of files durable, those in `archive/` too.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self) -> io::Result<()>;

    /// Bytes that can still be written.
    ///
    /// # Errors
    /// What the system says.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Sixteen random bytes, for a new journal.
    ///
    /// # Errors
    /// What the system says.
    fn new_uuid(&self) -> io::Result<[u8; 16]>;
}

/// An open file of a [`Store`].
pub trait StoreFile: Debug + Send + 'static {
    /// The file, mapped.
    type Map: StoreMap;

    /// Length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// What the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads until the buffer is full or the file ends, and returns how many bytes.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes all of these bytes, growing the file if needed.
    ///
    /// # Errors
    /// What the system says.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written so far durable, the file's length too (fdatasync).
    ///
    /// # Errors
    /// What the system says. Never to be tried again: the pages may have been marked clean.
    fn sync(&mut self) -> io::Result<()>;

    /// Lets the system forget what it keeps of the file in memory, as far as it says that the device
    /// has it: what is read from then on is what the device has. A sync that failed once leaves
    /// pages which the system takes for written, and the device never got; a later sync does not
    /// write them.
    ///
    /// # Errors
    /// What the system says.
    fn forget_cached(&mut self) -> io::Result<()>;

    /// Maps the whole file, its pages present.
    ///
    /// # Errors
    /// What the system says.
    fn map(self) -> io::Result<Self::Map>;
}

/// A mapped file. Offsets and lengths are in bytes and inside the file.
pub trait StoreMap: Debug + Send + 'static {
    /// What the file contains, these stores included.
    fn bytes(&self) -> &[u8];

    /// Stores bytes. Readers of the file see them at once; they survive the process.
    ///
    /// # Panics
    /// If they do not fit.
    fn store(&mut self, offset: u64, bytes: &[u8]);

    /// Makes these bytes survive the machine.
    ///
    /// # Errors
    /// What the system says. Never to be tried again: the pages may have been marked clean.
    fn sync_range(&mut self, offset: u64, len: u64) -> io::Result<()>;
}
