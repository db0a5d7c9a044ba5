//! Small journals, written as the engine would: records of a script, through the journal's writer.

use betring::{Capacities, Config, Layout};
use betring_core::answer::Reply;
use betring_core::command::{Command, Kind, decode};
use betring_core::event::EventBody;
use betring_core::script::{self, Record};
use betring_journal::{DirStore, EpochInfo, Error, Journal, Options, RecordMeta, Writer};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Output};
use std::time::Duration;
use tempfile::TempDir;
use zerocopy::IntoBytes;

/// A night with everything that an audit looks at: prices of a feed and of a person, a bet in force,
/// a refusal, an offer taken and one that ended, a suspension, a restart, results, a retry.
pub(crate) const NIGHT: &str = "
    house on-failure offer ttl 5s age 1.5s window 5m
    actor anna
    feed F1 silence 10s
    fixture X1
    market M1 1X2 England Draw Scotland feed F1 fixture X1 bound 1.5s
    @0ms recovered F1
    prices M1 2.50 3.40 29/10
    open M1
    fund A7 100.00
    fund A8 50.00
    @100ms heartbeat F1
    @120ms place R1 A7 M1/England 10.00 2.50 better  -> B1 at 2.50
    @130ms prices M1 2.40 3.40 29/10
    @140ms place R2 A7 M1/England 10.00 2.50 better  -> offer B2 at 2.40
    @200ms accept R3 A7 B2                           -> B2 at 2.40
    @210ms place R1 A7 M1/England 10.00 2.50 better  -> duplicate B1 at 2.50
    @220ms place R4 A8 M1/Scotland 7.77 any          -> B3
    @230ms place R5 A8 M1/England 5.00 2.50          -> offer B4
    @300ms suspend X1 trader by anna
    @310ms accept R6 A8 B4                           -> OfferWithdrawn
    @320ms place R7 A8 M1/Draw 1.00 any              -> MarketSuspended
    @400ms release X1 trader by anna
    @500ms heartbeat F1
    @510ms place R8 A8 M1/Draw 1.00 any              -> B5
    @6s heartbeat F1
    @6500ms market M2 derby Red Blue Green
    prices M2 4/9 5.00 7.00
    open M2
    place R9 A7 M2/Red 11.11 any                     -> B6
    place R10 A7 M2/Blue 1.23 any seen 1             -> B7
    place R11 A8 M2/Green 2.00 9.00 within 25%       -> B8
    @7s result M1 England
    @8s restart
    place R12 A7 M2/Red 1.00 any                     -> MarketNotOpen
    @9s recovered F1
    open M2
    place R13 A7 M2/Red 1.00 any                     -> B9
    withdraw K1 A7 20.00
    @10s result M2 Red void Blue
    @11s resolve A7 R99                              -> NeverPlaced
";

/// What an engine needs for a journal of a few commands.
pub(crate) fn small(book: &Path) -> Config {
    Config::at(book)
        .layout(Layout::Inline)
        .capacities(Capacities {
            accounts: 64,
            markets: 4,
            selections: 16,
            bets: 64,
            keys: 256,
            feeds: 2,
            fixtures: 2,
            actors: 8,
            currencies: 2,
            quarantined: 2,
            legs: 96,
            groups: 4,
            limited: 4,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        })
        .clients(2, 64)
        .segment_bytes(1 << 20)
        .segments_ahead(0)
}

/// The records of a script that holds.
pub(crate) fn records(text: &str) -> Vec<Record> {
    script::check(text).records
}

/// A journal in a directory of its own, gone when dropped.
pub(crate) struct Book {
    dir: TempDir,
}

impl Book {
    /// The journal of a script that holds.
    pub(crate) fn of(text: &str) -> Book {
        Book::written(&records(text))
    }

    /// A journal of any records, with every checksum right: each is appended by the journal itself.
    pub(crate) fn written(records: &[Record]) -> Book {
        let book = Book::empty();
        book.append(records);
        book
    }

    /// The same, synced once a run instead of once a record.
    pub(crate) fn written_at_once(records: &[Record]) -> Book {
        let book = Book::empty();
        book.append_and(records, |_| ());
        book
    }

    /// A journal that was begun and never written to.
    pub(crate) fn of_nothing() -> Book {
        let book = Book::empty();
        begin(&book.journal()).close().expect("the run ends");
        book
    }

    fn empty() -> Book {
        Book { dir: tempfile::tempdir().expect("a directory for a test") }
    }

    /// Goes on with these records, in a new run wherever they begin one; a frame for each.
    pub(crate) fn append(&self, records: &[Record]) {
        self.append_and(records, |writer| {
            writer.seal_and_sync().expect("the file system of a test works");
        });
    }

    fn append_and(&self, records: &[Record], after: impl Fn(&mut Writer<DirStore>)) {
        let mut writer: Option<Writer<DirStore>> = None;
        for record in records {
            let again = record.kind() == Some(Kind::EpochOpened)
                && writer.as_ref().is_some_and(|writer| 2 < writer.next_seq());
            if again && let Some(writer) = writer.take() {
                writer.close().expect("the run ends");
            }
            let writer = writer.get_or_insert_with(|| begin(&self.journal()));
            let meta = RecordMeta {
                kind: record.kind().map_or(0, |kind| kind as u16),
                ver: 1,
                flags: 0,
                // The journal numbers its records without gaps, whatever was dropped.
                seq: writer.next_seq(),
                ts: record.at.0,
            };
            writer.append_parts(meta, &[&record.command, &record.events]).expect("a record fits");
            after(writer);
        }
        if let Some(writer) = writer {
            writer.close().expect("the last run ends");
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The journal's directory.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path().join("book")
    }

    /// Another file beside it.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("the file system of a test works");
        path
    }
}

fn begin(path: &Path) -> Writer<DirStore> {
    let opened = loop {
        let store = DirStore::create(path).expect("a directory for a test");
        match Journal::open(store, Options::small(1 << 20), 1, &mut |_| ()) {
            // Another test is starting the program: until it does, its process holds every open
            // file of this one, the last run's lock too.
            Err(Error::Locked { .. }) => std::thread::sleep(Duration::from_millis(1)),
            opened => break opened.expect("it opens"),
        }
    };
    let epoch = opened.next_epoch();
    let info = EpochInfo { epoch, logic_version: 1, rules_id: 1, rules_version: 1 };
    opened.begin_epoch(info).expect("a run begins")
}

/// What the program said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The same with a directory's name replaced, so that whole texts can be compared.
    pub(crate) fn at(self, path: &Path, name: &str) -> Said {
        let replace = |text: String| text.replace(&path.display().to_string(), name);
        Said { code: self.code, out: replace(self.out), err: replace(self.err) }
    }
}

/// Runs `betring` with arguments, the last of which is a path.
pub(crate) fn betring_on(args: &[&str], path: &Path) -> Said {
    let args = args.iter().map(OsStr::new).chain([path.as_os_str()]);
    betring(args)
}

/// Runs `betring` with these arguments.
pub(crate) fn betring<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Said {
    let output: Output = Program::new(env!("CARGO_BIN_EXE_betring"))
        .args(args)
        .output()
        .expect("the program was built");
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Changes the first event of a kind in which `change` finds something to change, in place.
pub(crate) fn alter<E: EventBody>(
    records: &mut [Record],
    mut change: impl FnMut(&mut E) -> bool,
) -> u64 {
    for record in records {
        let mut at = 0;
        while at < record.events.len() {
            let (kind, bytes) = (record.events[at], header_bytes(&record.events[at..]));
            let body = &mut record.events[at + 8..at + bytes];
            if kind == E::KIND {
                let mut event = E::read_from_bytes(body).expect("an event of this kind");
                if change(&mut event) {
                    body.copy_from_slice(event.as_bytes());
                    return record.seq.0;
                }
            }
            at += bytes;
        }
    }
    panic!("no event to alter")
}

fn header_bytes(event: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([event[2], event[3]]))
}

/// Where the first record of a command stands.
pub(crate) fn place_of(records: &[Record], wanted: impl Fn(&Command<'_>) -> bool) -> usize {
    let found = records
        .iter()
        .position(|record| decode(&record.command).is_ok_and(|(_, command)| wanted(&command)));
    found.expect("the script has such a record")
}

/// The bytes of the events of a kind in a record, headers included.
pub(crate) fn event_bytes<E: EventBody>(record: &Record) -> Option<&[u8]> {
    let mut at = 0;
    while at < record.events.len() {
        let bytes = header_bytes(&record.events[at..]);
        if record.events[at] == E::KIND {
            return Some(&record.events[at..at + bytes]);
        }
        at += bytes;
    }
    None
}

/// The acknowledgement of a reply as a customer writes it down; the format is pinned here.
pub(crate) fn ack(reply: &Reply, level: &str) -> String {
    let answer: String = reply.answer.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        concat!(
            r#"{{"level":"{}","epoch":{},"seq":{},"account":{},"key":"{:#x}","token":{},"#,
            r#""client":{},"duplicate":{},"sequenced":{},"answer":"{}"}}"#,
            "\n"
        ),
        level,
        reply.epoch.0,
        reply.answer.seq.0,
        reply.account,
        reply.key.0,
        reply.token.0,
        reply.client.0,
        reply.is_duplicate(),
        reply.answer.seq.0 != 0,
        answer
    )
}

/// The checksum of the files, bit by bit.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}
