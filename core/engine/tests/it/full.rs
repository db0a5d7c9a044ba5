//! A file system that is really full: a small one in memory, where the machine lets us mount it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use betring::*;

use crate::table::*;

/// A file system of its own, gone when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(path: &Path, mebibytes: u32) -> Option<Mounted> {
        std::fs::create_dir(path).expect("made");
        let size = format!("size={mebibytes}m,mode=0700");
        let args = ["-t", "tmpfs", "-o", &size, "betring-full"];
        let done = Command::new("mount").args(args).arg(path).output().ok()?;
        done.status.success().then(|| Mounted(path.to_path_buf()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A test that failed may still have files open there: then it goes with the last of them.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_file_system_stops_the_journal_and_nothing_else_and_space_lets_it_go_on() {
    for layout in [Layout::OneThread, Layout::TwoThread] {
        let dir = dir();
        let Some(mounted) = Mounted::new(&dir.path().join("small"), 6) else {
            println!("SKIPPED: this user may not mount a small file system");
            return;
        };
        let filler = mounted.0.join("filler");
        std::fs::write(&filler, vec![1; 3 << 20]).expect("room for it");
        let config = || {
            Config::at(mounted.0.join("book"))
                .layout(layout)
                .wait(WaitStrategy::SpinThenYield)
                .cores(Cores::Unpinned)
                .capacities(capacities())
                .clients(4, 64)
                .segment_bytes(1 << 20)
                .segments_ahead(1)
                .snapshot_at_stop(0)
        };
        let engine = Engine::open(config()).expect("opened");
        let mut client = engine.client(16).expect("a seat");
        let account = client.open_account(Reference(1), Currency::GBP).expect("opened");
        // A request that is waited for is a page of the journal.
        let mut told = 0;
        let hanging = loop {
            assert!(told < 3000, "{layout}: three MiB are never full");
            let ask = Deposit::new(account, money!(0.01)).key(key(told + 2));
            let ticket = client.try_submit(ask).expect("taken");
            match client.wait(ticket, Duration::from_millis(500)) {
                Outcome::Done(_) => told += 1,
                Outcome::Unknown(request) => break request,
                other => panic!("{layout}: {other}"),
            }
        };
        assert!(200 < told, "{layout}: {told}");
        let health = engine.health();
        assert_eq!(health.status, Status::Serving, "{health}");
        let full = format!("no space for {}", mounted.0.join("book").display());
        assert!(health.warnings.iter().any(|w| w.starts_with(&full)), "{health}");
        std::fs::remove_file(&filler).expect("there");
        let resolved = client.resolve(hanging).expect("it goes on");
        assert!(resolved.to_string().starts_with("done"), "{layout}: {resolved}");
        let closed = engine.shutdown().expect("in order");

        let engine = Engine::open(config()).expect("opened again");
        assert_eq!(engine.recovered().digest, closed.digest, "{layout}");
        let view = engine.view().expect("a view");
        let book = view.at_least(engine.durable_seq(), SECOND).expect("in time");
        let balance = book.account(account).expect("there").balance;
        assert_eq!(
            balance,
            Minor(told as i64 + 1),
            "{layout}: each told once, and the one that hung"
        );
    }
}
