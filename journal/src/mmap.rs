//! A whole file, mapped shared and writable. The only unsafe code of the crate.

use std::fs::File;
use std::io;

use memmap2::{Advice, MmapMut, MmapOptions, UncheckedAdvice};

/// Fewer bytes, a single page, are synced as they are: one more call would cost as much as it saves.
const UNMAPPED_FROM: usize = 8 << 10;

/// A mapping of a whole file. Stores go to the page cache and survive this process; `sync_range`
/// makes them survive the machine.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: MmapMut,
}

impl Mapping {
    /// Maps a file and makes its pages present, so that a store does not wait for the device.
    ///
    /// # Errors
    /// What the system says to `mmap` or to `MADV_RANDOM`; an empty file cannot be mapped.
    #[allow(unsafe_code)]
    pub(crate) fn new(file: &File) -> io::Result<Mapping> {
        // SAFETY: a mapping is sound as long as nobody truncates the file or writes it behind the
        // mapping. This is called by `DirFile::map` only, which takes the file by value, for files
        // which this process created in a directory that it holds the exclusive lock of
        // (`Journal::open` takes it first), with mode 0600 in a directory which others cannot
        // write (checked by `DirStore::create`). Nothing in this crate truncates a file; readers
        // of the same file use `pread`. The file's blocks were written and synced before
        // (`prepare`), so no store can meet a full file system.
        let map = unsafe { MmapOptions::new().map_mut(file)? };
        // No reading ahead, which would bring pages back as large ones (`prepare` says why).
        map.advise(Advice::Random)?;
        // Not writable: that would make them dirty, and whoever cleans them takes each away from every
        // core by itself. Where this is not known (kernels before 5.14, some file systems) the first
        // store to each page does a little more, and nothing less right.
        let _ = map.advise(Advice::PopulateRead);
        Ok(Mapping { map })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }

    /// msync(MS_SYNC) of these bytes, with a flush of the device. They are not mapped afterwards until
    /// somebody looks at them.
    #[allow(unsafe_code)]
    pub(crate) fn sync_range(&self, offset: usize, len: usize) -> io::Result<()> {
        // The system takes a page that it is about to write away from every core, one page at a time, and
        // waits for each of them: of a large frame that takes longer than the device. What is not mapped
        // has not to be taken away, and all at once is one wait.
        if UNMAPPED_FROM <= len {
            // It is advice: where it is not taken (memory that is locked), the sync does all of it.
            // SAFETY: dropping pages of a *shared mapping of a file* loses nothing: the page cache keeps
            // them, dirty ones as dirty, and the next access maps the same bytes, so a reference into it
            // sees what it saw before. `new` makes only such mappings (`map_mut`; of a private copy the
            // stores would be gone).
            let _ =
                unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, len) };
        }
        self.map.flush_range(offset, len)
    }
}
