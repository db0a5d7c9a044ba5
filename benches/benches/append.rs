//! How long does it take to write a record into the journal's mapped, prepared pages, its checksum
//! included? Without syncs: those are the device's, and `matchday` and `price_at_commit` show them.

use betring_journal::{DirStore, EpochInfo, Journal, Options, RecordMeta, Writer, record_bytes};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// A command of one slot with few events, and a bet with its answer, its bet and its transfer.
const PAYLOADS: [usize; 2] = [128, 480];
/// Records in a frame: the bench seals as the engine does, untimed.
const FRAME: u64 = 1_000;

struct Bench {
    writer: Writer<DirStore>,
    seq: u64,
}

impl Bench {
    fn open(dir: &Path) -> Bench {
        let options = Options { segment_bytes: 16 << 20, ..Options::default() };
        let store = DirStore::create(dir).expect("a directory of the bench's own");
        let opened = Journal::open(store, options, 1, &mut |_| {}).expect("a fresh journal");
        let info = EpochInfo { epoch: 1, logic_version: 1, rules_id: 0, rules_version: 0 };
        Bench { writer: opened.begin_epoch(info).expect("the first epoch"), seq: 0 }
    }

    /// As the engine asks before every record: near the end of a segment a frame is smaller.
    fn has_room(&self, bytes: usize) -> bool {
        !self.writer.has_open_frame() || record_bytes(bytes) <= self.writer.room()
    }

    fn append(&mut self, payload: &[u8]) {
        self.seq += 1;
        let meta = RecordMeta { kind: 67, ver: 1, flags: 0, seq: self.seq, ts: self.seq as i64 };
        self.writer.append(meta, payload).expect("there is room for it");
    }
}

fn append(c: &mut Criterion) {
    let above = tempfile::Builder::new()
        .prefix("betring-append-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a directory of the bench's own");
    let mut group = c.benchmark_group("append");
    for bytes in PAYLOADS {
        let payload: Vec<u8> = (0..bytes).map(|i| i as u8).collect();
        let dir = above.path().join(bytes.to_string());
        let mut bench = Bench::open(&dir);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("{bytes} bytes"), |b| {
            b.iter_custom(|iters| {
                let (mut took, mut left) = (Duration::ZERO, iters);
                while 0 < left {
                    let mut frame = 0;
                    let start = Instant::now();
                    while frame < left.min(FRAME) && bench.has_room(bytes) {
                        bench.append(black_box(&payload));
                        frame += 1;
                    }
                    took += start.elapsed();
                    bench.writer.seal_and_sync().expect("the device takes it");
                    left -= frame;
                }
                took
            });
        });
        let written = bench.seq;
        bench.writer.close().expect("closed");
        // What was fast is there: every record, in order, as it was given.
        let store = DirStore::existing(&dir).expect("the journal");
        let mut opened = Journal::open(store, Options::default(), 1, &mut |_| {}).expect("its end");
        let mut read = 0;
        while let Some(record) = opened.next_record().expect("whole") {
            read += 1;
            assert!(
                record.payload == payload && record.meta.seq == read,
                "record {read} is itself"
            );
        }
        assert_eq!(read, written, "every record is there");
        println!("append: {read} records of {bytes} bytes read back");
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2));
    targets = append
}
criterion_main!(benches);
