//! The command that stopped the engine: written aside, so that it cannot do so again and again.
//!
//! A file `poison-<sequence>.cmd` in the journal's directory holds the bytes of the command that
//! panicked, as they would have stood in the record of that sequence, which does not exist. The next
//! start sequences a Quarantine for its key, makes it durable, and renames the file to `.done`.

use betring_core::command::{Kind, Lane};
use betring_core::id::{AccountId, RequestKey, Seq};
use betring_core::wire::{Header, SLOT, SLOTS_MAX};
use betring_journal::{Store, StoreFile};
use zerocopy::FromBytes;

use crate::error::Error;

const BEFORE: &str = "poison-";
const AFTER: &str = ".cmd";

fn name(seq: Seq) -> String {
    format!("{BEFORE}{:020}{AFTER}", seq.0)
}

/// Writes the command aside, whole or not at all. What could not be done is told, with the request that
/// an operator then has to keep away.
pub(crate) fn write_aside<S: Store>(store: &S, seq: Seq, bytes: &[u8]) -> Result<String, String> {
    let name = name(seq);
    let place = store.place(&name);
    let tmp = format!("{name}.tmp");
    let write = || {
        // One left by an earlier run in which the same sequence panicked says the same, or less.
        let _ = store.remove(&tmp);
        let mut file = store.create_new(&tmp)?;
        file.write_at(0, bytes)?;
        file.sync()?;
        store.rename(&tmp, &name)?;
        store.sync_dir()
    };
    match write() {
        Ok(()) => Ok(place),
        Err(e) => {
            let _ = store.remove(&tmp);
            let asked = match Header::read_from_prefix(bytes) {
                Ok((header, _)) if header.key != RequestKey::NONE => {
                    let account = AccountId::from_raw(header.account);
                    format!("; keep request {account}:{} from being sent again", header.key)
                }
                _ => String::new(),
            };
            Err(format!("cannot write {place}: {e}{asked}"))
        }
    }
}

/// A command that an earlier run was stopped by.
#[derive(Debug)]
pub(crate) struct Pill {
    name: String,
    pub(crate) account: u64,
    pub(crate) key: RequestKey,
}

impl Pill {
    /// A start has found no place for it: it must not be taken for done.
    pub(crate) fn not_held<S: Store>(&self, store: &S) -> Error {
        let what = "its request could not be put in quarantine".into();
        Error::PoisonFile { file: store.place(&self.name), what }
    }
}

/// Those that are not in quarantine yet.
///
/// # Errors
/// [`Error::PoisonPill`] for what has no key to be refused by, [`Error::PoisonFile`].
pub(crate) fn find<S: Store>(store: &S) -> Result<Vec<Pill>, Error> {
    let read = |name: &str, e: std::io::Error| Error::PoisonFile {
        file: store.place(name),
        what: format!("it cannot be read: {e}"),
    };
    let mut names = match store.list() {
        Ok(names) => names,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(read("", e)),
    };
    names.sort();
    let mut pills = Vec::new();
    for name in names {
        let middle = name.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER));
        let Some(seq) = middle.and_then(|digits| digits.parse().ok()).map(Seq) else { continue };
        let mut bytes = vec![0; SLOTS_MAX * SLOT + 1];
        let file = store.open_read(&name).map_err(|e| read(&name, e))?;
        let len = file.read_at(0, &mut bytes).map_err(|e| read(&name, e))?;
        let header = Header::read_from_prefix(&bytes[..len]).ok();
        let kind = header.and_then(|(header, _)| Kind::from_code(header.kind));
        let (Some((header, _)), Some(kind)) = (header, kind) else {
            let what = "it does not begin with a command's header".into();
            return Err(Error::PoisonFile { file: store.place(&name), what });
        };
        if kind.lane() == Lane::Engine || header.key == RequestKey::NONE {
            let file = store.place(&name);
            return Err(Error::PoisonPill { seq, kind: kind.to_string(), file });
        }
        pills.push(Pill { name, account: header.account, key: header.key });
    }
    Ok(pills)
}

/// The quarantine is durable: the files have done their work, and are kept for whoever looks into it.
pub(crate) fn done<S: Store>(store: &S, pills: &[Pill]) -> Result<(), Error> {
    for pill in pills {
        let kept = format!("{}.done", pill.name);
        store.rename(&pill.name, &kept).map_err(|e| Error::PoisonFile {
            file: store.place(&pill.name),
            what: format!("it cannot be renamed: {e}"),
        })?;
    }
    if pills.is_empty() {
        return Ok(());
    }
    store.sync_dir().map_err(|e| Error::PoisonFile {
        file: store.place(""),
        what: format!("the directory cannot be synced: {e}"),
    })
}
