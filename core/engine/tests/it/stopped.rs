//! A process that stands still for seconds, as under a debugger or a frozen machine, and is then killed.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use betring::*;
use rustix::process::{Pid, Signal, kill_process};

use crate::table::*;

/// Tells the child's side of the test where its book is.
const BOOK: &str = "BETRING_TEST_STOPPED";
const STOPPED: Duration = Duration::from_secs(2);

/// The other process: pays in for ever, and says which payment was answered at which sequence.
#[test]
fn the_process_that_is_stopped() {
    let Some(book) = std::env::var_os(BOOK).map(PathBuf::from) else { return };
    let config = Config::at(book)
        .layout(Layout::OneThread)
        .wait(WaitStrategy::SpinThenYield)
        .cores(Cores::Unpinned)
        .capacities(capacities())
        .clients(4, 64)
        .segment_bytes(1 << 20);
    let engine = Engine::open(config).expect("opened");
    let mut client = engine.client(16).expect("a seat");
    let account = client.open_account(Reference(1), Currency::GBP).expect("opened");
    let mut out = std::io::stderr();
    for n in 0u32.. {
        let paid = client.deposit(account, money!(0.01), key(u128::from(n) + 2)).expect("paid in");
        // Whoever reads has gone: so does this.
        if writeln!(out, "paid {n} {}", paid.seq.0).is_err() {
            return;
        }
    }
}

/// The child, killed if a test fails before it has done so itself.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_that_stood_still_goes_on_and_one_that_is_killed_after_it_has_all_it_told() {
    let dir = dir();
    let book = dir.path().join("book");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "stopped::the_process_that_is_stopped", "--nocapture"])
        .env(BOOK, &book)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut other = Other(child);
    let pid = Pid::from_child(&other.0);
    let mut lines = BufReader::new(other.0.stderr.take().expect("piped")).lines();
    let mut told = Vec::new();
    let mut until = |count: usize| {
        while told.len() < count {
            let line = lines.next().expect("it goes on").expect("text");
            let Some(rest) = line.strip_prefix("paid ") else { continue };
            let (n, seq) = rest.split_once(' ').expect("two numbers");
            assert_eq!(n.parse::<usize>().expect("a number"), told.len());
            told.push(seq.parse::<u64>().expect("a sequence"));
        }
        told.len()
    };
    until(20);
    kill_process(pid, Signal::STOP).expect("it is ours");
    let began = Instant::now();
    while began.elapsed() < STOPPED {
        // Nobody takes its place: it still has the lock.
        let error = Engine::open(Config::at(&book)).expect_err("it is in use").to_string();
        assert!(error.ends_with("stop it, or use another directory"), "{error}");
        std::thread::sleep(Duration::from_millis(200));
    }
    kill_process(pid, Signal::CONT).expect("it is ours");
    // Far more than was told before it stood still.
    let count = until(600);
    kill_process(pid, Signal::KILL).expect("it is ours");
    other.0.wait().expect("it ends");

    let engine = Engine::open(Config::at(&book).layout(Layout::Inline)).expect("opened again");
    assert!(told[count - 1] <= engine.recovered().kept_seq.0, "{}", engine.recovered());
    let view = engine.view().expect("a view");
    view.wait_for(engine.durable_seq(), SECOND).expect("in time");
    let account = view.account_by_reference(1).expect("there");
    let balance = view.account(account).expect("there").balance;
    assert!(Minor(count as i64) <= balance, "{count} payments were told, {balance:?} is there");
    for (n, seq) in told.iter().enumerate() {
        let (answer, ..) = view.request(account.raw(), key(n as u128 + 2)).expect("remembered");
        assert_eq!(answer.seq, Seq(*seq), "payment {n} has the answer that was told");
    }
}
