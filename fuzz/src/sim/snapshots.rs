//! Snapshots of nights: how the bare loop makes them, what is done to them, and what has to hold of them.
//!
//! The bare loop makes one as an engine does: a replica begins at the newest that can be used, decides on to
//! a durable sequence at which a frame ends, writes, and reads back. The whole engine makes its own. Of
//! both the same is checked: one that was promised is gone on from after any crash; one that can be read
//! was never pushed out by one that cannot; only segments behind the older of two are in the archive; and
//! whatever is damaged, the state that is recovered is the one that a replay of everything gives.

use crate::auditor::Violation;
use crate::sim::Counts;
use crate::sim::house::split;
use crate::workload::Rng;
use crate::world::{Disk, Hurt};
use betring_core::event::Events;
use betring_core::id::Seq;
use betring_core::time::Timestamp;
use betring_core::{Digest, IMAGE_VERSION, LOGIC_VERSION, Rules, Stamp, State};
use betring_journal::{
    EpochInfo, Journal, Manifest, Options, Position, ReadLevel, Reader, RecordMeta, SnapshotHeader,
    Store, StoreFile, snapshot_name,
};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is done to the snapshots of a journal at rest, or to the journal beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// A bit of the newest is another one.
    Flip,
    /// The newest is shorter than it was made.
    Truncate,
    /// The newest reads as the one before it.
    Stale,
    /// The newest is gone.
    Gone,
    /// A bit of the older is another one.
    Older,
    /// All of them are damaged.
    All,
    /// The newest holds another state, and every checksum is right. Only on a copy.
    Forged,
    /// The archive was carried away, and the newest is damaged. Only on a copy.
    NoArchive,
    /// The journal ends before the newest. Only on a copy.
    Rewound,
    /// The journal ended before the newest, and then went on with other records up to it. Only on a copy.
    Elsewhere,
}

impl Spoil {
    /// All of them.
    pub const ALL: [Spoil; 10] = [
        Spoil::Flip,
        Spoil::Truncate,
        Spoil::Stale,
        Spoil::Gone,
        Spoil::Older,
        Spoil::All,
        Spoil::Forged,
        Spoil::NoArchive,
        Spoil::Rewound,
        Spoil::Elsewhere,
    ];

    /// Whether the night may go on with it: everything is still there.
    fn may_stay(self) -> bool {
        !matches!(self, Spoil::Forged | Spoil::NoArchive) && !self.is_of_the_journal()
    }

    /// Whether the journal is no more the one that the snapshot was made of.
    fn is_of_the_journal(self) -> bool {
        matches!(self, Spoil::Rewound | Spoil::Elsewhere)
    }
}

/// A snapshot that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The last sequence in it.
    pub seq: u64,
    /// Whether it was not there already.
    pub is_new: bool,
    /// How many segments went to the archive.
    pub archived: u64,
}

/// What an opening came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Came {
    /// The snapshot that was gone on from.
    pub(crate) base: Option<u64>,
    /// The last sequence.
    pub(crate) last: u64,
    /// Of the state at it.
    pub(crate) digest: Digest,
}

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}

/// The state of a snapshot.
pub(crate) fn load<R: Rules>(
    rules: R,
    header: &SnapshotHeader,
    image: &[u8],
) -> Result<State<R>, String> {
    if header.image_version != IMAGE_VERSION {
        return Err(format!("its image is of version {}", header.image_version));
    }
    let digest = Digest(u128::from_le_bytes(header.digest));
    let state = State::from_image(rules, image, digest).map_err(text)?;
    let Position { seq, ts, epoch, .. } = header.position;
    if (state.seq().0, state.now().0, state.epoch().0) != (seq, ts, epoch) {
        return Err("the state in it is at another sequence than its header".into());
    }
    Ok(state)
}

/// Decides a record again, and compares what it tells.
pub(crate) fn again<R: Rules>(
    state: &mut State<R>,
    events: &mut Events,
    seq: u64,
    (at, command, told): (Timestamp, &[u8], &[u8]),
) -> Result<(), String> {
    state.replay(Stamp { seq: Seq(seq), at }, command, events).map_err(text)?;
    if events.as_bytes() == told {
        return Ok(());
    }
    Err(format!("#{seq} now tells other events than its record"))
}

/// Makes a snapshot by a replica, up to a sequence that is durable. The lock is held by the journal.
pub(crate) fn by_replica<R: Rules, S: Store>(
    store: &S,
    rules: &R,
    at: Seq,
    to_archive: bool,
) -> Result<Made, String> {
    let manifest = betring_journal::manifest(store).map_err(text)?;
    let mut from = None;
    let mut state = State::new(rules.clone());
    for seq in betring_journal::snapshots(store).map_err(text)? {
        let read = betring_journal::read_snapshot(store, &manifest, seq);
        let loaded =
            read.ok().and_then(|(header, image)| load(rules.clone(), &header, &image).ok());
        if let Some(loaded) = loaded {
            (from, state) = (Some(Seq(seq)), loaded);
            break;
        }
    }
    let first = state.seq().0 + 1;
    let mut reader = Reader::open(store.clone(), first, ReadLevel::Sealed).map_err(text)?;
    let mut events = Events::new();
    while state.seq() < at {
        let next = reader.next_at_most(at.0).map_err(text)?;
        let Some(record) = next else {
            return Err(format!("{at} is durable, and only {} can be read", state.seq()));
        };
        let (seq, ts) = (record.meta.seq, Timestamp(record.meta.ts));
        let (command, told) = split(record.payload).ok_or("a record holds no command")?;
        again(&mut state, &mut events, seq, (ts, command, told))?;
    }
    let seq = state.seq().0;
    let is_new = from != Some(state.seq());
    if is_new {
        let position = reader.position().filter(|position| position.seq == seq);
        let position = position.ok_or_else(|| format!("no frame ends with #{seq}"))?;
        write(store, &manifest, rules, &state, position)?;
    } else {
        // Whoever made it may not have come so far as to make its name durable.
        store.sync_dir().map_err(text)?;
    }
    let archived = tidy(store, &manifest, to_archive)?;
    Ok(Made { seq, is_new, archived })
}

/// Makes a snapshot of the state at which a journal was closed.
pub(crate) fn of_state<R: Rules, S: Store>(
    store: &S,
    rules: &R,
    state: &State<R>,
    to_archive: bool,
) -> Result<Made, String> {
    let _lock = store.lock().map_err(text)?;
    let manifest = betring_journal::manifest(store).map_err(text)?;
    let seq = state.seq().0;
    if betring_journal::verify_snapshot(store, &manifest, seq).is_ok() {
        // The engine makes none either where nothing came since the newest.
        store.sync_dir().map_err(text)?;
        let archived = tidy(store, &manifest, to_archive)?;
        return Ok(Made { seq, is_new: false, archived });
    }
    let mut reader = Reader::open(store.clone(), seq, ReadLevel::Sealed).map_err(text)?;
    let is_last = reader.next().map_err(text)?.is_some() && reader.next().map_err(text)?.is_none();
    let position = reader.position().filter(|position| is_last && position.seq == seq);
    let position = position.ok_or_else(|| format!("the journal does not end with #{seq}"))?;
    write(store, &manifest, rules, state, position)?;
    let archived = tidy(store, &manifest, to_archive)?;
    Ok(Made { seq, is_new: true, archived })
}

fn write<R: Rules, S: Store>(
    store: &S,
    manifest: &Manifest,
    rules: &R,
    state: &State<R>,
    position: Position,
) -> Result<(), String> {
    let image = state.image().map_err(text)?;
    let header = SnapshotHeader {
        position,
        payload_bytes: image.len() as u64,
        image_version: IMAGE_VERSION,
        logic_version: LOGIC_VERSION,
        rules_id: R::ID,
        rules_version: R::VERSION,
        digest: state.digest().0.to_le_bytes(),
    };
    betring_journal::write_snapshot(store, manifest, &header, &image).map_err(text)?;
    let read = betring_journal::read_snapshot(store, manifest, position.seq).map_err(text);
    let loaded = read.and_then(|(found, image)| load(rules.clone(), &found, &image));
    if let Err(what) = loaded {
        // It must not count as one of the two that segments are archived behind.
        let removed = store.remove(&snapshot_name(position.seq)).and_then(|()| store.sync_dir());
        let and = removed.err().map_or(String::new(), |e| format!(", nor be removed: {e}"));
        return Err(format!("the snapshot at #{} cannot be read back: {what}{and}", position.seq));
    }
    Ok(())
}

fn tidy<S: Store>(store: &S, manifest: &Manifest, to_archive: bool) -> Result<u64, String> {
    betring_journal::drop_old_snapshots(store, manifest).map_err(text)?;
    if !to_archive {
        return Ok(0);
    }
    let archived = betring_journal::archive(store, manifest, false).map_err(text)?;
    Ok(archived.segments.len() as u64)
}

/// What is known of the snapshots of a night's journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    /// Those that somebody damaged, as they were then: one that is written anew is sound again.
    spoiled: BTreeMap<u64, Vec<u8>>,
    /// Whether anything was ever damaged in this night.
    was_spoiled: bool,
    /// When it was last said that one was made, the newest two that can be used: both are durable.
    promised: Vec<u64>,
}

impl Shelf {
    /// The snapshots that have a name and that nobody damaged, newest first. A file with a snapshot's name
    /// was whole once.
    pub(crate) fn sound(&self, disk: &Disk) -> Vec<u64> {
        let mut named = betring_journal::snapshots(&disk.aside()).unwrap_or_default();
        named.retain(|seq| !self.is_spoiled(disk, *seq));
        named
    }

    fn is_spoiled(&self, disk: &Disk, seq: u64) -> bool {
        let damaged = self.spoiled.get(&seq);
        damaged.is_some_and(|damaged| disk.content(&snapshot_name(seq)).as_ref() == Some(damaged))
    }

    /// Somebody was told that a snapshot was made. `before`: what was there; `calm`: no call failed.
    pub(crate) fn made(
        &mut self,
        disk: &Disk,
        (before, made): (&[u64], Made),
        (to_archive, calm): (bool, bool),
        counts: &mut Counts,
    ) -> Result<(), Violation> {
        counts.snapshots_made += u64::from(made.is_new);
        counts.archived += made.archived;
        let seq = made.seq;
        let after = self.sound(disk);
        let named = betring_journal::snapshots(&disk.aside()).unwrap_or_default();
        if !named.contains(&seq) {
            return Err(format!("the snapshot at #{seq} was made, and there are {named:?}"));
        }
        let mut should: Vec<u64> = before.iter().copied().filter(|s| *s != seq).collect();
        should.push(seq);
        should.sort_unstable_by(|a, b| b.cmp(a));
        should.truncate(2);
        self.promised.clone_from(&should);
        if let Some(lost) = should.iter().find(|seq| !after.contains(seq)) {
            return Err(format!(
                "the snapshot at #{lost} is gone or damaged, and of two that can be used it was one: \
                 there are {named:?}, and {after:?} can be used"
            ));
        }
        // After damage it is not known which two there were when something was moved.
        let (Some(behind), true) = (after.get(1), to_archive && !self.was_spoiled) else {
            return Ok(());
        };
        let files = segments(disk);
        for (at, (first_seq, archived)) in files.iter().enumerate() {
            let next = files[at + 1..].iter().map(|(seq, _)| *seq).find(|seq| first_seq < seq);
            let is_behind = next.is_some_and(|next| next <= *behind);
            if *archived && !is_behind {
                return Err(format!(
                    "the segment at #{first_seq} is in the archive, and is needed with the snapshot at \
                     #{behind}, the older of {after:?}"
                ));
            }
            let twice = files.contains(&(*first_seq, true));
            if !archived && is_behind && calm && !twice {
                return Err(format!(
                    "the segment at #{first_seq} is behind the snapshot at #{behind}, and is not in the \
                     archive"
                ));
            }
        }
        Ok(())
    }

    /// A sound journal was opened.
    pub(crate) fn recovered(
        &self,
        disk: &Disk,
        (base, passed_over): (Option<u64>, &[u64]),
        counts: &mut Counts,
    ) -> Result<(), Violation> {
        counts.snapshots_used += u64::from(base.is_some());
        match base {
            Some(_) => counts.fell_back += u64::from(!passed_over.is_empty()),
            None => counts.fell_through += u64::from(!passed_over.is_empty()),
        }
        if let Some(seq) = passed_over.iter().find(|seq| !self.is_spoiled(disk, **seq)) {
            return Err(format!("the snapshot at #{seq} cannot be used, and nobody damaged it"));
        }
        let promised = self.promised.first().copied();
        if base < promised {
            return Err(format!(
                "it was said that {} was made, and opening went on from {}",
                named(promised),
                named(base)
            ));
        }
        Ok(())
    }

    /// Does this to a copy of the disk, and opens that; if it may stay, to the disk too.
    pub(crate) fn spoil(
        &mut self,
        disk: &Disk,
        (spoil, stays, seed): (Spoil, bool, u64),
        counts: &mut Counts,
        open: impl Fn(Disk) -> Result<Came, String>,
    ) -> Result<(), Violation> {
        let copy = disk.kill(seed);
        copy.heal();
        copy.write_back(0);
        let Ok(sound) = open(copy.kill(seed)) else { return Ok(()) };
        // Opening repairs the end of the journal: what is spoiled is a journal at rest.
        let whole = self.sound(&copy);
        let needs = match spoil {
            Spoil::Stale | Spoil::Older => 2,
            // After damage it is not known behind which two something was moved.
            Spoil::NoArchive if self.was_spoiled => return Ok(()),
            Spoil::NoArchive => 2,
            _ => 1,
        };
        if whole.len() < needs {
            return Ok(());
        }
        let Some(damaged) = hurt(&copy, spoil, &whole, seed) else { return Ok(()) };
        let told = format!("{spoil:?} of the snapshots at {whole:?}");
        if !matches!(spoil, Spoil::Gone | Spoil::Forged) && !spoil.is_of_the_journal() {
            let verified = betring_journal::verify(&copy.aside(), &mut |_| {}).map_err(text)?;
            let said = |seq: &u64| verified.bad_snapshots.iter().any(|bad| bad.seq == *seq);
            if let Some(silent) = damaged.iter().find(|seq| !said(seq)) {
                return Err(format!("{told}: verify says nothing of the one at #{silent}"));
            }
        }
        counts.spoiled += 1;
        let came = catch_unwind(AssertUnwindSafe(|| open(copy.clone())));
        let came = came.map_err(|_| format!("{told}: opening panicked"))?;
        if spoil.is_of_the_journal() {
            counts.rewound_refused += 1;
            return match came {
                Err(_) => Ok(()),
                Ok(came) => Err(format!(
                    "{told}: it is not the journal that the newest was made of, and was opened at #{}",
                    came.last
                )),
            };
        }
        let came = came.map_err(|why| format!("{told}: it does not open: {why}"))?;
        if (came.last, came.digest) != (sound.last, sound.digest) {
            return Err(format!(
                "{told}: recovery came to #{} with {}, and without the damage to #{} with {}",
                came.last, came.digest, sound.last, sound.digest
            ));
        }
        let expected = whole.iter().find(|seq| !damaged.contains(seq)).copied();
        let is_as_good = spoil == Spoil::Forged && came.base == whole.first().copied();
        if came.base != expected && !is_as_good {
            return Err(format!(
                "{told}: opening went on from {}, and {} is the newest that can be used",
                named(came.base),
                named(expected)
            ));
        }
        match came.base {
            Some(_) => counts.fell_back += 1,
            None => counts.fell_through += 1,
        }
        if stays && spoil.may_stay() {
            let damaged = hurt(disk, spoil, &whole, seed).unwrap_or_default();
            self.was_spoiled = true;
            // One may have been pushed out since, by a newer one that nobody was told of.
            self.promised.retain(|seq| whole.contains(seq) && !damaged.contains(seq));
            for seq in damaged {
                if let Some(bytes) = disk.content(&snapshot_name(seq)) {
                    self.spoiled.insert(seq, bytes);
                }
            }
        }
        Ok(())
    }
}

fn named(snapshot: Option<u64>) -> String {
    snapshot.map_or_else(|| "none".to_owned(), |seq| format!("the snapshot at #{seq}"))
}

/// The first sequences of all segments, in order, and whether they are in the archive.
fn segments(disk: &Disk) -> Vec<(u64, bool)> {
    let names = disk.aside().list().unwrap_or_default();
    let mut found: Vec<(u64, bool)> = names
        .iter()
        .filter_map(|name| {
            let (in_archive, plain) =
                name.strip_prefix("archive/").map_or((false, name.as_str()), |rest| (true, rest));
            let digits = plain.strip_prefix("seg-")?.strip_suffix(".jnl")?;
            Some((digits.parse().ok()?, in_archive))
        })
        .collect();
    found.sort_unstable();
    found
}

/// Damages snapshots of these, newest first, and says which; none if there was nothing to do it to.
fn hurt(disk: &Disk, spoil: Spoil, whole: &[u64], seed: u64) -> Option<Vec<u64>> {
    let mut rng = Rng::new(seed ^ 0x5b01);
    let content = |seq: u64| disk.content(&snapshot_name(seq));
    let flip = |seq: u64, rng: &mut Rng| {
        let len = content(seq).map_or(1, |bytes| bytes.len().max(1)) as u64;
        // Most of the header is zeros: what is behind it is damaged as often.
        let from = if rng.permille(500) { len.min(4_096) } else { 0 };
        let at = from + rng.below((len - from).max(1));
        disk.hurt(&snapshot_name(seq), &Hurt::Flip { at, bit: rng.below(8) as u8 });
    };
    let newest = *whole.first()?;
    let name = snapshot_name(newest);
    let mut damaged = vec![newest];
    match spoil {
        Spoil::Flip => flip(newest, &mut rng),
        Spoil::Truncate => {
            let len = content(newest)?.len() as u64;
            disk.hurt(&name, &Hurt::Truncate(rng.below(len)));
        }
        Spoil::Stale => disk.hurt(&name, &Hurt::Content(content(*whole.get(1)?)?)),
        Spoil::Gone => disk.hurt(&name, &Hurt::Gone),
        Spoil::Older => {
            damaged = vec![*whole.get(1)?];
            flip(damaged[0], &mut rng);
        }
        Spoil::All => {
            damaged = whole.to_vec();
            damaged.iter().for_each(|seq| flip(*seq, &mut rng));
        }
        Spoil::Forged => {
            let store = disk.aside();
            let manifest = betring_journal::manifest(&store).ok()?;
            let (header, mut image) =
                betring_journal::read_snapshot(&store, &manifest, newest).ok()?;
            let at = rng.below(image.len().max(1) as u64) as usize;
            *image.get_mut(at)? ^= 1 << rng.below(8);
            betring_journal::write_snapshot(&store, &manifest, &header, &image).ok()?;
        }
        Spoil::NoArchive => {
            flip(newest, &mut rng);
            for name in disk.aside().list().ok()?.iter().filter(|n| n.starts_with("archive/")) {
                disk.hurt(name, &Hurt::Gone);
            }
        }
        Spoil::Rewound => rewind(disk, newest, &mut rng)?,
        Spoil::Elsewhere => {
            rewind(disk, newest, &mut rng)?;
            let snapshot = content(newest)?;
            whole.iter().for_each(|seq| disk.hurt(&snapshot_name(*seq), &Hurt::Gone));
            go_on_to(disk, newest).ok()?;
            let store = disk.aside();
            store.create_new(&name).ok()?.write_at(0, &snapshot).ok()?;
        }
    }
    Some(damaged)
}

/// Goes on with a journal up to this sequence, with records of nothing.
fn go_on_to(disk: &Disk, seq: u64) -> Result<(), betring_journal::Error> {
    let store = disk.aside();
    let schema = betring_journal::manifest(&store)?.schema_hash;
    let opened = Journal::open(store, Options::small(64 << 10), schema, &mut |_| {})?;
    let (epoch, last_ts) = (opened.next_epoch(), opened.last.map_or(0, |last| last.ts));
    let info = EpochInfo { epoch, logic_version: LOGIC_VERSION, rules_id: 0, rules_version: 0 };
    let mut writer = opened.begin_epoch(info)?;
    for seq in writer.next_seq()..=seq {
        writer.append(RecordMeta { kind: 1, ver: 1, flags: 0, seq, ts: last_ts }, b"nothing")?;
        writer.seal_and_sync()?;
    }
    writer.close()
}

/// Ends the journal before some frame that the snapshot at this sequence holds.
fn rewind(disk: &Disk, newest: u64, rng: &mut Rng) -> Option<()> {
    let mut frames = Vec::new();
    betring_journal::inspect(&disk.aside(), &mut |_| {}, &mut |frame| {
        if 0 < frame.records && frame.first_seq <= newest {
            frames.push((frame.segment, frame.offset));
        }
    })
    .ok()?;
    if frames.is_empty() {
        return None;
    }
    // Nearer to the end more often: where a journal ends is where it is lost.
    let near = frames.len().min(4);
    let last = &frames[frames.len() - near..];
    let (segment, offset) = if rng.permille(700) { rng.pick(last) } else { rng.pick(&frames) };
    for (first_seq, archived) in segments(disk) {
        let before = if archived { "archive/" } else { "" };
        let name = format!("{before}seg-{first_seq:020}.jnl");
        if segment < first_seq {
            disk.hurt(&name, &Hurt::Gone);
        } else if segment == first_seq {
            disk.hurt(&name, &Hurt::Zero(offset));
        }
    }
    Some(())
}
