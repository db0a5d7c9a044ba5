//! Commands that cannot be read, put aside with everything that is known of them, to be looked at and
//! perhaps asked again.
//!
//! What comes as raw slots and is no command, or not one of a kind or version that is known here, is
//! refused on its caller's thread. There, not on the deciding thread, it is written to the file
//! `dead-letters/letters` in the journal's directory:
//!
//! ```text
//! letter   0 magic "BTDL"   4 version u8 (1)   5 what u8 (the logic's Malformed)   6 client u16
//!          8 at i64        16 bytes u32       20 crc u32 of the bytes
//!         24 zero u32      28 crc u32 of bytes 0..28
//!         32 the bytes as they came, then zeros up to a multiple of 8
//! ```
//!
//! The file is bounded: the oldest letters stay, because the first of a storm says what it is; further
//! ones are only counted. Nothing depends on them, so they are not synced: a power cut may take the last
//! ones. A letter that was cut short is dropped when the file is opened again, and told when it is
//! read; one that was damaged is passed over, and told. What a client sent may look like a letter itself:
//! nothing within the length that a letter's head claims is read as one, whatever became of its bytes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use betring_core::command::decode;
use betring_core::id::ClientId;
use betring_core::reject::Malformed;
use betring_core::time::Timestamp;
use betring_core::wire::{SLOT, SLOTS_MAX, Slot};
use zerocopy::{FromBytes, IntoBytes};

const DIRECTORY: &str = "dead-letters";
const FILE: &str = "letters";
const MAGIC: [u8; 4] = *b"BTDL";
const VERSION: u8 = 1;
const HEAD: usize = 32;
const BYTES_MAX: usize = SLOTS_MAX * SLOT;
/// The most that a file may hold: more than anybody will look at.
pub(crate) const FILE_MAX: u64 = 1 << 30;

/// Why a command was put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A kind of command that is not known here: of a newer program, or no command at all.
    UnknownKind,
    /// A version of its kind that is not known here.
    UnknownVersion,
    /// A command that is not well formed, or not one for the handle that sent it.
    Undecodable(Malformed),
}

impl From<Malformed> for Reason {
    fn from(what: Malformed) -> Reason {
        match what {
            Malformed::Kind => Reason::UnknownKind,
            Malformed::Version => Reason::UnknownVersion,
            what => Reason::Undecodable(what),
        }
    }
}

impl From<Reason> for Malformed {
    fn from(reason: Reason) -> Malformed {
        match reason {
            Reason::UnknownKind => Malformed::Kind,
            Reason::UnknownVersion => Malformed::Version,
            Reason::Undecodable(what) => what,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Malformed::from(*self).fmt(f)
    }
}

/// A command that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it begins in its file: its name for [`Letters::at`].
    pub offset: u64,
    /// When it came, on the engine's clock.
    pub at: Timestamp,
    /// Who sent it; the number of a connection of that run.
    pub client: ClientId,
    /// Why it was put aside.
    pub reason: Reason,
    /// The CRC-32C of its bytes.
    pub crc: u32,
    /// Its bytes, as they came.
    pub bytes: Vec<u8>,
}

impl DeadLetter {
    /// Tries again, as this program reads commands: the slots to submit, with the time limit that they
    /// have. What was put aside by an older program may be a command by now.
    ///
    /// # Errors
    /// What is wrong with it, still.
    pub fn redrive(&self) -> Result<Vec<Slot>, Malformed> {
        decode(&self.bytes)?;
        let slots = self.bytes.chunks_exact(SLOT).map(Slot::read_from_bytes);
        slots.collect::<Result<_, _>>().map_err(|_| Malformed::Slots)
    }

    fn head(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&MAGIC);
        head[4] = VERSION;
        head[5] = Malformed::from(self.reason) as u8;
        head[6..8].copy_from_slice(&self.client.0.to_le_bytes());
        head[8..16].copy_from_slice(&self.at.0.to_le_bytes());
        head[16..20].copy_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        head[20..24].copy_from_slice(&self.crc.to_le_bytes());
        let crc = crc(&head[..28]);
        head[28..].copy_from_slice(&crc.to_le_bytes());
        head
    }

    fn write(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(size(self.bytes.len()));
        all.extend_from_slice(&self.head());
        all.extend_from_slice(&self.bytes);
        all.resize(size(self.bytes.len()), 0);
        all
    }

    /// What begins here.
    fn read(bytes: &[u8], offset: u64) -> Begins {
        let Some((head, rest)) = bytes.split_at_checked(HEAD) else { return Begins::Nothing };
        let word = |at: usize| head[at..at + 4].try_into().map_or(0, u32::from_le_bytes);
        if head[..4] != MAGIC || head[4] != VERSION || word(28) != crc(&head[..28]) {
            return Begins::Nothing;
        }
        let Some(len) = usize::try_from(word(16)).ok().filter(|len| *len <= BYTES_MAX) else {
            return Begins::Nothing;
        };
        let Some(body) = rest.get(..size(len) - HEAD) else { return Begins::Torn };
        let (bytes, padding) = body.split_at(len);
        let is_whole = crc(bytes) == word(20) && padding.iter().all(|byte| *byte == 0);
        match Malformed::from_code(head[5]) {
            Some(what) if is_whole => Begins::Letter(DeadLetter {
                offset,
                at: Timestamp(head[8..16].try_into().map_or(0, i64::from_le_bytes)),
                client: ClientId(u16::from_le_bytes([head[6], head[7]])),
                reason: what.into(),
                crc: word(20),
                bytes: bytes.to_vec(),
            }),
            _ => Begins::Damaged(size(len)),
        }
    }
}

/// What is found at an offset of a file.
enum Begins {
    Letter(DeadLetter),
    /// A letter of this size, whose bytes are not those that its head speaks of.
    Damaged(usize),
    /// A letter that is longer than what is left of the file.
    Torn,
    /// No head of a letter: where the next one begins has to be looked for.
    Nothing,
}

impl std::fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DeadLetter { offset, at, client, reason, bytes, .. } = self;
        write!(f, "{offset}: {at} from {client}, {} bytes: {reason}", bytes.len())
    }
}

const fn size(bytes: usize) -> usize {
    (HEAD + bytes).next_multiple_of(8)
}

fn crc(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The letters of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// Those that are whole, the oldest first.
    pub letters: Vec<DeadLetter>,
    /// Bytes between them that are no letters: something was damaged.
    pub damaged: u64,
    /// Bytes at the end that are the beginning of a letter: the process stopped while it wrote it.
    pub torn: u64,
}

impl Letters {
    /// Reads a file of letters, whatever is in it.
    pub fn read(bytes: &[u8]) -> Letters {
        let mut all = Letters::default();
        // What is no letter is damage if one comes after it, else a torn end.
        let (mut at, mut lost) = (0, 0);
        while at < bytes.len() {
            let left = bytes.len() - at;
            // The bytes of a letter are a client's, and may be made to look like letters: where a head
            // says how long it is, they are never searched for one.
            let step = match DeadLetter::read(&bytes[at..], at as u64) {
                Begins::Letter(letter) => {
                    all.damaged += lost;
                    lost = 0;
                    at += size(letter.bytes.len());
                    all.letters.push(letter);
                    continue;
                }
                Begins::Damaged(size) => size,
                Begins::Torn => left,
                Begins::Nothing => 8.min(left),
            };
            lost += step as u64;
            at += step;
        }
        all.torn = lost;
        all
    }

    /// The letter that begins at this offset.
    pub fn at(&self, offset: u64) -> Option<&DeadLetter> {
        self.letters.iter().find(|letter| letter.offset == offset)
    }

    fn end(&self) -> u64 {
        self.letters.last().map_or(0, |last| last.offset + size(last.bytes.len()) as u64)
    }
}

impl std::fmt::Display for Letters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} dead letters", self.letters.len())?;
        if 0 < self.damaged {
            write!(f, ", {} bytes between them are damaged", self.damaged)?;
        }
        if 0 < self.torn {
            write!(f, ", the last {} bytes were cut short", self.torn)?;
        }
        Ok(())
    }
}

/// Where the letters of the journal in this directory are.
pub fn file(journal: impl AsRef<Path>) -> PathBuf {
    journal.as_ref().join(DIRECTORY).join(FILE)
}

/// Reads the letters of the journal in this directory; none if it never had any. The engine may be
/// writing meanwhile: what it has not finished then counts as torn.
///
/// # Errors
/// What the system says, and `FileTooLarge` for a file that no engine wrote.
pub fn open(journal: impl AsRef<Path>) -> io::Result<Letters> {
    match File::open(file(journal)) {
        Ok(mut file) => Ok(Letters::read(&read_all(&mut file)?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Letters::default()),
        Err(e) => Err(e),
    }
}

fn read_all(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= FILE_MAX {
        true => Ok(bytes),
        false => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

/// What has become of dead letters since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LettersHealth {
    /// Put aside.
    pub kept: u64,
    /// Only counted: the file is full, or there is none, or it cannot be written.
    pub dropped: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The most it may have.
    pub bytes_max: u64,
    /// Why the last one could not be written.
    pub failed: Option<String>,
}

impl std::fmt::Display for LettersHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LettersHealth { kept, dropped, bytes, bytes_max, .. } = self;
        write!(
            f,
            "dead letters: {kept} kept, {dropped} only counted, {bytes} of {bytes_max} bytes"
        )?;
        self.failed.as_ref().map_or(Ok(()), |why| write!(f, "; the last was not written: {why}"))
    }
}

#[derive(Debug, Default)]
struct Inside {
    file: Option<File>,
    bytes: u64,
    failed: Option<String>,
}

/// Where an engine puts letters aside.
#[derive(Debug, Default)]
pub(crate) struct LetterBox {
    path: Option<PathBuf>,
    bytes_max: u64,
    inner: Mutex<Inside>,
    /// No further letter fits: senders need not wait for each other to find that out.
    full: AtomicBool,
    kept: AtomicU64,
    dropped: AtomicU64,
}

impl LetterBox {
    /// Letters go to the journal in this directory; without one they are only counted.
    pub(crate) fn new(journal: Option<&Path>, bytes_max: u64) -> LetterBox {
        let path = journal.filter(|_| 0 < bytes_max).map(file);
        // What earlier runs left is only read when there is something to add.
        let found = path.as_ref().and_then(|path| std::fs::metadata(path).ok());
        let bytes = found.map_or(0, |file| file.len());
        let full = AtomicBool::new(path.is_none());
        let inner = Mutex::new(Inside { file: None, bytes, failed: None });
        LetterBox { path, bytes_max, inner, full, ..LetterBox::default() }
    }

    /// Puts a command aside. On its caller's thread.
    #[cold]
    pub(crate) fn put(&self, at: Timestamp, client: ClientId, what: Malformed, slots: &[Slot]) {
        if self.full.load(Ordering::Relaxed) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let bytes = slots.as_bytes();
        let (crc, bytes) = (crc(bytes), bytes.to_vec());
        let letter = DeadLetter { offset: 0, at, client, reason: what.into(), crc, bytes };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.append(&mut inner, &letter.write());
        let count = if matches!(done, Ok(true)) { &self.kept } else { &self.dropped };
        count.fetch_add(1, Ordering::Relaxed);
        if let Err(e) = done {
            // A part may have been written: the next one begins by cutting it off.
            (inner.file, inner.failed) = (None, Some(e.to_string()));
        }
    }

    fn append(&self, inner: &mut Inside, letter: &[u8]) -> io::Result<bool> {
        let Some(path) = &self.path else { return Ok(false) };
        if inner.file.is_none() {
            (inner.file, inner.bytes) = open_end(path).map(|(file, end)| (Some(file), end))?;
        }
        let bytes = inner.bytes + letter.len() as u64;
        if self.bytes_max < bytes {
            self.full.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        if let Some(file) = &mut inner.file {
            file.write_all(letter)?;
            inner.bytes = bytes;
        }
        Ok(true)
    }

    pub(crate) fn health(&self) -> LettersHealth {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        LettersHealth {
            kept: self.kept.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            bytes: inner.bytes,
            bytes_max: self.bytes_max,
            failed: inner.failed.clone(),
        }
    }
}

/// The file, to be written at the end of its last whole letter.
fn open_end(path: &Path) -> io::Result<(File, u64)> {
    if let Some(directory) = path.parent() {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => (),
        }
    }
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let end = Letters::read(&read_all(&mut file)?).end();
    file.set_len(end)?;
    Ok((file, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(bytes: &[u8]) -> DeadLetter {
        DeadLetter {
            offset: 0,
            at: Timestamp(42),
            client: ClientId(7),
            reason: Reason::UnknownKind,
            crc: crc(bytes),
            bytes: bytes.to_vec(),
        }
    }

    fn three() -> Vec<u8> {
        let mut all = Vec::new();
        for n in 1..=3_u8 {
            all.extend(letter(&vec![n; 128 * usize::from(n)]).write());
        }
        all
    }

    #[test]
    fn what_was_put_aside_is_read_as_it_came() {
        let all = Letters::read(&three());
        assert_eq!((all.letters.len(), all.damaged, all.torn), (3, 0, 0));
        let second = &all.letters[1];
        assert_eq!(second, &DeadLetter { offset: 160, ..letter(&[2; 256]) });
        assert_eq!(all.at(160), Some(second));
        assert_eq!(
            second.to_string(),
            format!("160: {} from c7, 256 bytes: unknown kind of command", Timestamp(42))
        );
    }

    #[test]
    fn a_file_cut_at_any_length_loses_only_the_letter_that_was_cut() {
        let bytes = three();
        for len in 0..bytes.len() {
            let all = Letters::read(&bytes[..len]);
            let whole = [160, 448, bytes.len()].iter().filter(|end| **end <= len).count();
            assert_eq!((all.letters.len(), all.damaged), (whole, 0), "cut at {len}");
            assert_eq!(all.end() + all.torn, len as u64);
        }
    }

    #[test]
    fn a_flipped_bit_loses_only_the_letter_it_is_in() {
        let bytes = three();
        for at in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[at / 8] ^= 1 << (at % 8);
            let all = Letters::read(&bad);
            assert_eq!(all.letters.len(), 2, "bit {at}");
            assert!(0 < all.damaged + all.torn);
        }
    }
}
