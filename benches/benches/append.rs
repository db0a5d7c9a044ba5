//! How long does it take to write a record into the journal's mapped, prepared pages, its checksum
//! included? Without syncs: those are the device's, and `betring bench latency` shows them.

#[path = "../src/written.rs"]
mod written;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};
use written::Written;

/// A command of one slot with few events, and a bet with its answer, its bet and its transfer.
const PAYLOADS: [usize; 2] = [128, 480];
/// Records in a frame: the bench seals as the engine does, untimed.
const FRAME: u64 = 1_000;

fn append(c: &mut Criterion) {
    let above = tempfile::Builder::new()
        .prefix("betring-append-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a directory of the bench's own");
    let mut group = c.benchmark_group("append");
    for bytes in PAYLOADS {
        let payload: Vec<u8> = (0..bytes).map(|i| i as u8).collect();
        let dir = above.path().join(bytes.to_string());
        let mut bench = Written::open(&dir).expect("a fresh journal");
        let mut written = 0;
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("{bytes} bytes"), |b| {
            b.iter_custom(|iters| {
                let (mut took, mut left) = (Duration::ZERO, iters);
                while 0 < left {
                    let mut frame = 0;
                    let start = Instant::now();
                    while frame < left.min(FRAME) && bench.has_room(bytes) {
                        bench.append(black_box(&payload)).expect("there is room for it");
                        written += 1;
                        frame += 1;
                    }
                    took += start.elapsed();
                    bench.sync().expect("the device takes it");
                    left -= frame;
                }
                took
            });
        });
        let read = bench.read_back(&dir, &payload).expect("a sound journal");
        assert_eq!(read, written, "every record is there, as it was given");
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
