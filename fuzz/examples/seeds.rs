//! Writes the seed corpus of the fuzz targets: `cargo run -p betring-fuzz --example seeds`.
//!
//! The seeds are made by code (`betring_fuzz::targets::seeds`), so that they follow a change of the
//! layouts; a test compares what is committed with what is made.

use std::io;
use std::path::Path;

use betring_fuzz::targets::{ALL, seeds};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, _) in ALL {
        let folder = corpus.join(target);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
    }
    let (mut files, mut bytes) = (0, 0);
    for seed in seeds() {
        std::fs::write(corpus.join(seed.target).join(seed.name), &seed.bytes)?;
        files += 1;
        bytes += seed.bytes.len();
    }
    println!("{files} seeds, {bytes} bytes, in {}", corpus.display());
    Ok(())
}
