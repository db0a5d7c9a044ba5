//! What an engine counts, in one file that others may read: `betring top` does.
//!
//! A thread of the engine's, `betring-counters`, gathers its dials a few times a second and writes them over
//! the file `counters` in the journal's directory ([`crate::Config::counters_every`]). It is written like any
//! file and never synced, so it is memory that both sides share; [`read`] takes no lock and asks the engine
//! nothing. The deciding thread knows nothing of it.
//!
//! ```text
//! file     0 magic u64 "btrcount"   8 version u32 (1)   12 bytes u32, of the whole file
//!         16 number u64, of this writing; from 1
//!         24 crc u32 of the counters               28 zero u32
//!         32 the counters          bytes-8 number u64 again
//! counters, as offsets in the file
//!         32 pid u32        36 epoch u32      40 started moment  48 heartbeat moment
//!         56 every span     64 window span    72 program text 16 88 logic u32
//!         92 status u8 (0 serving, 1 stopping, 2 closed, 3 poisoned)
//!         93 layout u8 (1 one thread, 2 two)  94 ended u8        95 shed u8 (0 auto, 1 on, 2 off; 4 more: sheds)
//!         96 why text 224  320 decided u64   328 process u64    336 durable u64
//!        344 counts, 15 u64: turns, commands, sequenced, answered, malformed, steps, ticks, stalls, records,
//!            frames, syncs, bytes of frames, segments, no space, events
//!        464 busy span    472 turn span     480 longest turn    488 longest turn ever
//!        496 last sync    504 longest sync ever                 512 largest frame u64, bytes
//!        520 took, 6: queued, written, synced, decided to seen, answered, capped
//!        760 answered markets u64           768 median p99 span
//!        776 rings, 3     848 lags, 16     1360 top markets, 5 1920 slowest markets, 5
//!       2360 refused u64                   2368 turned away u64
//!       2376 dead letters u64              2384 resident bytes u64               2392 failures u64
//!       2400 feeds u32   2404 feeds up u32 2408 drifting u32   2412 warnings u32
//!       2416 seats taken u32               2420 seats u32
//! took     0 count u64      8 p50 span   16 p90 span   24 p99 span   32 longest span
//! ring     0 name text 8    8 depth u64  16 slots u64 (0: no ring)
//! lag      0 name text 16 (empty: none) 16 behind u64 24 most u64
//! top      0 market u64 (0: none)         8 name text 64              72 exposure i64, minor units
//!         80 price age span 88 rate u32  92 in flight u32             96 turned away u32
//!        100 stake factor u32, percent  104 currency u16 (ISO 4217)  106 feed u16   108 zero u32
//! slowest  0 market u64 (0: none)         8 name text 64 72 count u64 80 p99 span
//!
//! Numbers are little-endian. A span is an i64 of nanoseconds, a moment one of those since 1970, UTC; a text is
//! UTF-8, zero-padded.
//! ```
//!
//! A reading whose two numbers differ, or whose checksum is wrong, met a writing half done, and is made again.
//! A file that an earlier run left is replaced when the engine opens, by one that is whole. The first 24 bytes
//! are the same in every version.
//!
//! **Windows.** Percentiles and longest ones are of the last whole *window*, a second long, or as long as the
//! interval between two writings if that is longer. A percentile is told from above: buckets are a quarter of
//! an octave wide, from 1 µs to 1 s; 1.34 s stands for whatever took longer than 1.07 s. The longest sync and
//! turn are exact.
//!
//! **Markets are capped.** In [`Counters::capped`] a market counts as [`CAP`] bets at most: where one had more,
//! each of its buckets has its share of those. So the percentiles tell how the markets fare, and one hot market
//! hides none.
//!
//! **The top markets** are those of which the product of exposure, rate and staleness is the largest: what the
//! house would lose there at worst, in minor units of the currency with the most of them (nothing is converted;
//! at the level of the outputs), the bets a second that its door lately let in, and the age of its price in
//! milliseconds, an hour at most. Equal ones by exposure, then by rate.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use betring_core::command::Shed;
use betring_core::id::{Epoch, FeedId, MarketId, Seq};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Minor, NAME};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ask::nanos;
use crate::config::Layout;
use crate::health::{Counts, Status};

pub(crate) mod gauge;

const FILE: &str = "counters";
const MAGIC: u64 = u64::from_le_bytes(*b"btrcount");
/// The version of the layout that this program writes and reads.
pub const VERSION: u32 = 1;
/// What one market counts for among all, in a window, at most.
pub const CAP: u64 = 100;
/// Markets in a list of them.
pub const MARKETS: usize = 5;
/// Rings that there are at most.
const RINGS: usize = 3;
/// Consumers in the list of them.
pub const CONSUMERS: usize = 16;
/// A heartbeat is late when it is older than so many intervals, and than [`LATE`].
const BEATS_MISSED: i64 = 4;
const LATE: Nanos = Nanos::from_secs(3);
/// How often a reading that met a writing is made again, and how long it waits before.
const TRIES: u32 = 100;
const NAP: Duration = Duration::from_millis(1);

/// UTF-8 in a field, zero-padded.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    const NONE: Text<N> = Text([0; N]);

    /// As much of a text as fits, whole characters.
    fn of(text: &str) -> Text<N> {
        let mut end = text.len().min(N);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = [0; N];
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        Text(bytes)
    }

    /// The text; empty where the field is.
    pub fn text(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        match std::str::from_utf8(&self.0[..end]) {
            Ok(text) => text,
            // A name that was read while it was written.
            Err(e) => std::str::from_utf8(&self.0[..e.valid_up_to()]).unwrap_or(""),
        }
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text(), f)
    }
}

/// How long something took, in one window.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Took {
    /// How often it happened.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Nanos,
    /// Nine of ten.
    pub p90: Nanos,
    /// All but one in a hundred.
    pub p99: Nanos,
    /// None.
    pub longest: Nanos,
}

/// A ring and what waits in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RingDepth {
    /// `control`, `bets` or `records`.
    pub name: Text<8>,
    /// What waits, about: both ends move while it is read.
    pub depth: u64,
    /// What fits.
    pub slots: u64,
}

/// How far behind a consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Lag {
    /// `page cache`, `durable`, `outputs` (events, prices and exposures), `snapshot`; of readers that somebody has
    /// `view 1`, `events 2`, in the order in which they came.
    pub name: Text<16>,
    /// How many it has not reached that there are: sequences that were decided, of a reader of events those.
    pub behind: u64,
    /// How many it may be behind before something is overwritten: places of the event ring; else 0.
    pub most: u64,
}

/// A market that its house would lose on, that is bet on, and whose price is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TopMarket {
    /// Its handle, as a number ([`MarketId::from_raw`]); 0: no market.
    pub market: u64,
    /// Its name.
    pub name: Text<NAME>,
    /// What the house would lose on it at worst; below zero it wins in every outcome.
    pub exposure: Minor,
    /// When a price of it was set, or a heartbeat confirmed them all, so long ago; `i64::MAX`: not in this run.
    pub price_age: Nanos,
    /// Bets a second that were let in lately.
    pub rate: u32,
    /// Bets that are published and not decided, about.
    pub in_flight: u32,
    /// Bets that were turned away since the start.
    pub turned_away: u32,
    /// The factor of its largest stake, in percent.
    pub stake_factor: u32,
    /// The currency of its exposure, by its ISO 4217 number; 0: it has none.
    pub currency: u16,
    /// The feed that prices it.
    pub feed: FeedId,
    zero: u32,
}

impl TopMarket {
    /// Its handle.
    pub fn id(&self) -> MarketId {
        MarketId::from_raw(self.market)
    }

    /// What markets are ranked by.
    pub fn score(&self) -> u128 {
        let positive = |n: i64| u128::from(n.max(0).unsigned_abs());
        let age = self.price_age.min(AGE_MOST).0 / 1_000_000;
        positive(self.exposure.0) * u128::from(self.rate) * positive(age)
    }
}

/// The age of a price that counts, at most.
const AGE_MOST: Nanos = Nanos::from_secs(3_600);

/// How long the customers of one market waited, in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SlowMarket {
    /// Its handle, as a number ([`MarketId::from_raw`]); 0: no market.
    pub market: u64,
    /// Its name.
    pub name: Text<NAME>,
    /// How many of its bets were answered.
    pub count: u64,
    /// All but one in a hundred of them took no longer; of fewer than a hundred, the longest.
    pub p99: Nanos,
}

impl SlowMarket {
    /// Its handle.
    pub fn id(&self) -> MarketId {
        MarketId::from_raw(self.market)
    }
}

/// What an engine counts, as of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Counters {
    /// The process.
    pub pid: u32,
    /// The run.
    pub epoch: Epoch,
    /// When the engine was open, by the wall.
    pub started: Timestamp,
    /// When this was written, by the wall.
    pub heartbeat: Timestamp,
    /// How often it is written.
    pub every: Nanos,
    /// How long the last whole window was; 0: none is over yet.
    pub window: Nanos,
    /// The version of the program.
    pub program: Text<16>,
    /// The version of its logic.
    pub logic: u32,
    status: u8,
    layout: u8,
    ended: u8,
    /// 0 auto, 1 on, 2 off; 4 more while markets are shed.
    shed: u8,
    why: Text<224>,
    /// The last sequence decided.
    pub decided: Seq,
    /// The last sequence in the page cache.
    pub process: Seq,
    /// The last durable sequence.
    pub durable: Seq,
    /// What has been counted since the start.
    pub counts: Counts,
    /// For how long the deciding thread had something to do since the start; in the one-thread layout
    /// syncs are part of it.
    pub busy: Nanos,
    /// The turn that is being made is so old; 0: none is.
    pub turn: Nanos,
    /// The longest turn of the window, with what was done between it and the next.
    pub longest_turn: Nanos,
    /// The same since the start.
    pub longest_turn_ever: Nanos,
    /// The last sync of a frame.
    pub last_sync: Nanos,
    /// The longest sync since the start.
    pub longest_sync_ever: Nanos,
    /// Bytes of the largest frame of the window, before padding.
    pub largest_frame: u64,
    /// Bets: from published to stamped (t1 to t2).
    pub queued: Took,
    /// Frames: from the stamp of the first record until it was in the page cache (t2 to t4).
    pub written: Took,
    /// Frames: the sync (t4 to t5).
    pub synced: Took,
    /// Bets: from stamped until their client saw the reply (t2 to t6).
    pub decided_to_seen: Took,
    /// Bets: all of it (t1 to t6).
    pub answered: Took,
    /// The same, every market counting for [`CAP`] at most.
    pub capped: Took,
    /// Markets with answers in the window.
    pub answered_markets: u64,
    /// Of the 99th percentiles of those markets, the one in the middle.
    pub median_p99: Nanos,
    rings: [RingDepth; RINGS],
    lags: [Lag; CONSUMERS],
    top: [TopMarket; MARKETS],
    slowest: [SlowMarket; MARKETS],
    /// Decided refusals since the start.
    pub refused: u64,
    /// Attempts since the start that the door did not let in.
    pub turned_away: u64,
    /// Dead letters since the start, those too that were only counted.
    pub dead_letters: u64,
    /// Memory of the process that is there; 0 where the system does not say.
    pub resident_bytes: u64,
    /// Writings of this file that failed.
    pub failures: u64,
    /// Feeds that are defined, the manual one not counted.
    pub feeds: u32,
    /// Those whose prices may be bet on.
    pub feeds_up: u32,
    /// Open markets whose feeds are further apart than their band.
    pub drifting: u32,
    /// Warnings that `health()` has in words.
    pub warnings: u32,
    /// Seats that are taken.
    pub seats_taken: u32,
    /// All seats.
    pub seats: u32,
}

/// How a reader finds an engine by its heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It writes.
    Beats,
    /// It has ended, and said so.
    Ended,
    /// Nothing was written for so long, which should have been: the process is gone, or stands still.
    Silent(Nanos),
}

impl Counters {
    fn new() -> Counters {
        zerocopy::FromZeros::new_zeroed()
    }

    /// How it was.
    pub fn status(&self) -> Status {
        match self.status {
            0 => Status::Serving,
            1 => Status::Stopping,
            2 => Status::Closed,
            _ => Status::Poisoned { why: self.why.text().to_owned() },
        }
    }

    fn set_status(&mut self, status: &Status) {
        self.status = match status {
            Status::Serving => 0,
            Status::Stopping => 1,
            Status::Closed => 2,
            Status::Poisoned { .. } => 3,
        };
        self.why = match status {
            Status::Poisoned { why } => Text::of(why),
            _ => Text::NONE,
        };
    }

    /// Whether this was the last writing of its engine: it was closed, in order or after it was poisoned.
    pub fn has_ended(&self) -> bool {
        self.ended != 0
    }

    /// Which threads there are.
    pub fn layout(&self) -> Layout {
        match self.layout {
            1 => Layout::OneThread,
            2 => Layout::TwoThread,
            _ => Layout::Inline,
        }
    }

    fn set_layout(&mut self, layout: Layout) {
        self.layout = match layout {
            Layout::Auto | Layout::Inline => 0,
            Layout::OneThread => 1,
            Layout::TwoThread => 2,
        };
    }

    /// When markets are shed.
    pub fn shedding(&self) -> Shed {
        match self.shed & SHED_MODE {
            1 => Shed::On,
            2 => Shed::Off,
            _ => Shed::Auto,
        }
    }

    /// Whether they are now.
    pub fn sheds(&self) -> bool {
        self.shed & SHEDS != 0
    }

    fn set_shedding(&mut self, mode: Shed, sheds: bool) {
        let mode = match mode {
            Shed::Auto => 0,
            Shed::On => 1,
            Shed::Off => 2,
        };
        self.shed = mode | if sheds { SHEDS } else { 0 };
    }

    /// For how long it had been open when this was written.
    pub fn uptime(&self) -> Nanos {
        self.heartbeat.since(self.started).or_zero()
    }

    /// Whether its engine lives, seen at this moment of the wall's.
    pub fn life(&self, now: Timestamp) -> Life {
        let silent = now.since(self.heartbeat).or_zero();
        let late = LATE.max(Nanos(self.every.0.saturating_mul(BEATS_MISSED)));
        match self.has_ended() {
            true => Life::Ended,
            false if silent <= late => Life::Beats,
            false => Life::Silent(silent),
        }
    }

    /// The rings: `control`, `bets` and, in the two-thread layout, `records`.
    pub fn rings(&self) -> impl Iterator<Item = &RingDepth> {
        self.rings.iter().filter(|ring| ring.slots != 0)
    }

    /// How far behind consumers are; of those that somebody has, the ones that are furthest.
    pub fn lags(&self) -> impl Iterator<Item = &Lag> {
        self.lags.iter().filter(|lag| lag.name != Text::NONE)
    }

    /// The top markets by exposure × rate × staleness, those first that may hurt most.
    pub fn top(&self) -> impl Iterator<Item = &TopMarket> {
        self.top.iter().filter(|market| market.market != 0)
    }

    /// The markets with the largest 99th percentiles in the window, the worst first.
    pub fn slowest(&self) -> impl Iterator<Item = &SlowMarket> {
        self.slowest.iter().filter(|market| market.market != 0)
    }
}

const SHED_MODE: u8 = 3;
const SHEDS: u8 = 4;

/// The whole file.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Image {
    magic: u64,
    version: u32,
    bytes: u32,
    number: u64,
    crc: u32,
    zero: u32,
    counters: Counters,
    number_again: u64,
}

const BYTES: usize = size_of::<Image>();
const _: () = assert!(cfg!(target_endian = "little"), "the fields are little-endian");
// The picture above. Another one is another version.
const _: () = {
    use std::mem::offset_of;
    let at = offset_of!(Image, counters);
    assert!(BYTES == 2_432 && VERSION == 1 && at == 32);
    assert!(at + offset_of!(Counters, status) == 92);
    assert!(at + offset_of!(Counters, decided) == 320);
    assert!(at + offset_of!(Counters, busy) == 464);
    assert!(at + offset_of!(Counters, queued) == 520);
    assert!(at + offset_of!(Counters, answered_markets) == 760);
    assert!(at + offset_of!(Counters, rings) == 776);
    assert!(at + offset_of!(Counters, lags) == 848);
    assert!(at + offset_of!(Counters, top) == 1_360 && size_of::<TopMarket>() == 112);
    assert!(at + offset_of!(Counters, slowest) == 1_920 && size_of::<SlowMarket>() == 88);
    assert!(at + offset_of!(Counters, refused) == 2_360);
    assert!(at + offset_of!(Counters, feeds) == 2_400);
};

impl Image {
    fn new() -> Image {
        Image {
            magic: MAGIC,
            version: VERSION,
            bytes: BYTES as u32,
            number: 0,
            crc: 0,
            zero: 0,
            counters: Counters::new(),
            number_again: 0,
        }
    }

    /// To be written next.
    fn seal(&mut self) {
        self.number += 1;
        self.number_again = self.number;
        self.crc = crc_fast::crc32_iscsi(self.counters.as_bytes());
    }

    fn is_whole(&self) -> bool {
        self.number == self.number_again
            && self.crc == crc_fast::crc32_iscsi(self.counters.as_bytes())
            && self.zero == 0
            && self.bytes as usize == BYTES
    }
}

/// Where the counters of the journal in this directory are.
pub fn file(journal: impl AsRef<Path>) -> PathBuf {
    journal.as_ref().join(FILE)
}

/// The time of the wall: what heartbeats are compared with.
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(nanos(since).0)
}

/// Reads the counters of the engine whose journal is in this directory, as it wrote them last. It may be gone:
/// [`Counters::life`] tells. Takes no lock; waits for at most about 100 ms, if every reading meets a writing.
///
/// # Errors
/// [`CountersError`], each with the file and what to do.
pub fn read(journal: impl AsRef<Path>) -> Result<Counters, CountersError> {
    let file = file(journal);
    let wrong = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => CountersError::Missing { file: file.clone() },
        _ => CountersError::Io { file: file.clone(), source },
    };
    // Opened anew each time: an engine that starts puts another file in this place.
    read_from(&file, || {
        let mut bytes = [0; BYTES];
        // A pipe of this name would be waited for, and nobody writes to it.
        let is_file = std::fs::metadata(&file).map_err(wrong)?.is_file();
        let open = || match is_file {
            true => File::open(&file),
            false => Err(io::Error::other("it is no regular file")),
        };
        let len = open().and_then(|file| fill(&file, &mut bytes)).map_err(wrong)?;
        Ok((bytes, len))
    })
}

fn fill(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < bytes.len() {
        match file.read_at(&mut bytes[len..], len as u64) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => (),
            Err(e) => return Err(e),
        }
    }
    Ok(len)
}

fn read_from(
    file: &Path,
    mut look: impl FnMut() -> Result<([u8; BYTES], usize), CountersError>,
) -> Result<Counters, CountersError> {
    let mut seen = None;
    let mut moved = false;
    for tries in 0..TRIES {
        if 0 < tries {
            std::thread::sleep(NAP);
        }
        let (bytes, len) = look()?;
        let word = |at: usize| bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        if len < 24 || word(0) != MAGIC {
            return Err(CountersError::NotCounters { file: file.to_owned() });
        }
        let found = word(8) as u32;
        if found != VERSION {
            return Err(CountersError::OtherVersion { file: file.to_owned(), found });
        }
        if len == BYTES
            && let Ok(image) = Image::read_from_bytes(&bytes)
            && image.is_whole()
        {
            return Ok(image.counters);
        }
        moved |= seen.replace(word(16)).is_some_and(|before| before != word(16));
    }
    Err(match moved {
        true => CountersError::Torn { file: file.to_owned() },
        false => CountersError::Damaged { file: file.to_owned() },
    })
}

/// Why counters cannot be read.
#[derive(Debug)]
pub enum CountersError {
    /// There is no such file.
    Missing {
        /// Which.
        file: PathBuf,
    },
    /// The system refused it.
    Io {
        /// Which.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It does not begin as counters do.
    NotCounters {
        /// Which.
        file: PathBuf,
    },
    /// An engine of another version writes it.
    OtherVersion {
        /// Which.
        file: PathBuf,
        /// Its version of the layout.
        found: u32,
    },
    /// Every reading met a writing.
    Torn {
        /// Which.
        file: PathBuf,
    },
    /// It is not whole, and nobody is writing it.
    Damaged {
        /// Which.
        file: PathBuf,
    },
}

impl fmt::Display for CountersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut say = |what: &dyn fmt::Display, file: &Path, remedy: &str| {
            write!(f, "{what}\n  where: {}\n  what to do: {remedy}", file.display())
        };
        match self {
            CountersError::Missing { file } => say(
                &"there are no counters",
                file,
                "name the directory of a journal whose engine runs, with threads of its own and with \
                 Config::counters_every",
            ),
            CountersError::Io { file, source } => say(
                &format_args!("the counters cannot be read: {source}"),
                file,
                match source.kind() {
                    io::ErrorKind::PermissionDenied => "run as the user who runs the engine",
                    _ => "see the system's message above",
                },
            ),
            CountersError::NotCounters { file } => say(
                &"this file is none of an engine's counters",
                file,
                "name a journal's directory; if it is one, remove the file: its engine writes it anew",
            ),
            CountersError::OtherVersion { file, found } => say(
                &format_args!(
                    "these counters are of version {found}, this program reads version {VERSION}"
                ),
                file,
                "use the program of the version that runs the engine",
            ),
            CountersError::Torn { file } => {
                say(&"the counters were being written at every look", file, "try again")
            }
            CountersError::Damaged { file } => say(
                &"the counters are damaged, and nobody writes them",
                file,
                "see whether the engine runs; it writes them anew when it starts",
            ),
        }
    }
}

impl std::error::Error for CountersError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CountersError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(number: u64) -> [u8; BYTES] {
        let mut image = Image { number: number - 1, ..Image::new() };
        image.counters.pid = 4_711;
        image.counters.decided = Seq(number);
        image.seal();
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(image.as_bytes());
        bytes
    }

    fn read_all(looks: Vec<[u8; BYTES]>) -> Result<Counters, CountersError> {
        let mut looks = looks.into_iter();
        let mut last = None;
        read_from(Path::new("counters"), || {
            last = looks.next().or(last);
            Ok((last.expect("a look"), BYTES))
        })
    }

    /// The beginning of one writing with the end of another.
    fn torn(new: u64, old: u64, at: usize) -> [u8; BYTES] {
        let mut bytes = image(old);
        bytes[..at].copy_from_slice(&image(new)[..at]);
        bytes
    }

    #[test]
    fn a_reading_that_met_a_writing_is_made_again() {
        for at in (24..BYTES).step_by(8) {
            let read = read_all(vec![torn(8, 7, at), torn(9, 8, at), image(9)]);
            assert_eq!(read.expect("whole").decided, Seq(9), "torn at {at}");
        }
    }

    #[test]
    fn readings_that_all_met_a_writing_are_told_from_a_file_that_is_damaged() {
        let torn_ones = (2..200).map(|n| torn(n, n - 1, 100)).collect();
        assert!(matches!(read_all(torn_ones), Err(CountersError::Torn { .. })));
        assert!(matches!(read_all(vec![torn(8, 7, 100)]), Err(CountersError::Damaged { .. })));
    }

    #[test]
    fn no_flipped_bit_is_read_as_counters() {
        // Each byte in one of its bits: every reading of a damaged file waits.
        for at in (0..40).chain((40..BYTES - 8).step_by(601)).chain(BYTES - 8..BYTES) {
            let mut bytes = image(3);
            bytes[at] ^= 1 << (at % 8);
            assert!(read_all(vec![bytes]).is_err(), "byte {at}");
        }
    }

    #[test]
    fn counters_of_another_version_are_refused_with_that_version() {
        let mut bytes = image(3);
        bytes[8] = 2;
        let error = read_all(vec![bytes]).expect_err("another version");
        assert!(matches!(error, CountersError::OtherVersion { found: 2, .. }));
        assert_eq!(
            error.to_string(),
            "these counters are of version 2, this program reads version 1\n  where: counters\n  \
             what to do: use the program of the version that runs the engine"
        );
    }

    #[test]
    fn an_engine_lives_while_its_heartbeat_is_young_or_until_it_has_said_that_it_ended() {
        let mut counters = Counters::new();
        let second = |n: i64| Timestamp(n * 1_000_000_000);
        counters.heartbeat = second(100);
        counters.every = Nanos::from_millis(250);
        assert_eq!(counters.life(second(103)), Life::Beats);
        assert_eq!(counters.life(second(112)), Life::Silent(Nanos::from_secs(12)));
        assert_eq!(counters.life(second(1)), Life::Beats, "a wall that went back proves nothing");
        counters.every = Nanos::from_secs(10);
        assert_eq!(counters.life(second(140)), Life::Beats);
        assert_eq!(counters.life(second(141)), Life::Silent(Nanos::from_secs(41)));
        counters.ended = 1;
        assert_eq!(counters.life(second(141)), Life::Ended);
    }

    #[test]
    fn a_text_that_does_not_fit_is_cut_between_two_characters() {
        assert_eq!(Text::<8>::of("Übergroß").text(), "Übergro");
        assert_eq!(Text::<8>::of("").text(), "");
        assert_eq!(Text::<3>::of("ößa").text(), "ö");
    }
}
