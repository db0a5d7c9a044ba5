//! Cuts the protocols out of the engine's and the journal's sources and puts loom's atomics under them.
//!
//! So what is checked is what runs, not a copy that could fall behind. Each mutant is the same text with
//! one ordering weakened; `src/lib.rs` shows that loom notices. When a cut is not found, the source
//! was changed and the model has to follow: the build says which.

use std::fs;
use std::path::{Path, PathBuf};

struct Source {
    path: &'static str,
    text: String,
}

fn source(path: &'static str) -> Source {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    println!("cargo::rerun-if-changed={}", at.display());
    let text = fs::read_to_string(&at).unwrap_or_else(|e| panic!("cannot read {path}: {e}"));
    Source { path, text }
}

impl Source {
    /// The item whose first line begins, after spaces, with `head`: up to the brace that closes it.
    fn item(&self, head: &str) -> String {
        let begins = |line: &str| {
            let line = line.trim_start();
            let bare =
                line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
            bare.starts_with(head)
        };
        let mut at = 0;
        for line in self.text.split_inclusive('\n') {
            if begins(line) {
                return self.braced(at);
            }
            at += line.len();
        }
        panic!("{} has no `{head}` any more: the loom model has to follow it", self.path);
    }

    fn braced(&self, from: usize) -> String {
        let mut depth = 0;
        for (at, char) in self.text[from..].char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                // A tuple struct.
                ';' if depth == 0 => return self.text[from..=from + at].to_owned(),
                _ => (),
            }
            if char == '}' && depth == 0 {
                return self.text[from..=from + at].to_owned();
            }
        }
        panic!("{}: no closing brace", self.path)
    }

    /// Lines that a model repeats by hand have to be there, as they are.
    fn says(&self, lines: &[&str]) {
        let mut rest: &str = &self.text;
        for line in lines {
            let Some(at) = rest.find(line) else {
                panic!("{} has no `{line}` there any more: the loom model repeats it", self.path)
            };
            rest = &rest[at + line.len()..];
        }
    }
}

/// Loom's atomics are made at run time, so arrays of them are, too.
fn under_loom(text: &str) -> String {
    text.replace("[const { AtomicU64::new(0) }; N]", "core::array::from_fn(|_| AtomicU64::new(0))")
        .replace("std::hint::", "loom::hint::")
        .replace(
            "std::thread::park_timeout(Duration::from_millis(1))",
            "return self.sleeps.store(true, Ordering::Relaxed)",
        )
}

struct Out(PathBuf);

impl Out {
    fn write(&self, name: &str, items: &[String]) {
        let text = under_loom(&items.join("\n\n"));
        fs::write(self.0.join(format!("{name}.rs")), text).expect("the output folder is writable");
    }

    /// The same with one place changed.
    fn mutant(&self, name: &str, items: &[String], from: &str, to: &str) {
        let text = items.join("\n\n");
        let times = text.matches(from).count();
        assert!(times == 1, "mutant {name}: `{from}` is there {times} times, not once");
        self.write(name, &[text.replace(from, to)]);
    }
}

fn methods(of: &str, methods: &[String]) -> String {
    let space = if of.starts_with('<') { "" } else { " " };
    format!("impl{space}{of} {{\n{}\n}}", methods.join("\n\n"))
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = Out(PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")));
    let sync = source("journal/src/sync.rs");
    let shared = source("core/engine/src/shared.rs");
    let output = source("core/engine/src/output.rs");
    let clock = source("core/engine/src/clock.rs");
    let record = source("core/engine/src/record.rs");
    let decide = source("core/engine/src/decide.rs");
    let engine = source("core/engine/src/engine.rs");
    let egress = source("core/engine/src/egress.rs");
    let admission = source("core/engine/src/admission.rs");

    let cursor = [sync.item("struct Cursor("), sync.item("impl Cursor")];
    out.write("cursor", &cursor);
    let (release, acquire) = ("store(seq, Ordering::Release)", "load(Ordering::Acquire)");
    out.mutant("cursor_store_relaxed", &cursor, release, "store(seq, Ordering::Relaxed)");
    out.mutant("cursor_load_relaxed", &cursor, acquire, "load(Ordering::Relaxed)");

    let status = [methods(
        "Shared",
        &[
            "why",
            "accepts",
            "is_poisoned",
            "stop",
            "poison",
            "closed",
            "end",
            "has_ended",
            "wake",
            "park",
        ]
        .map(|name| shared.item(&format!("fn {name}("))),
    )];
    out.write("status", &status);
    let stored = "self.status.store(POISONED, Ordering::Release);";
    out.mutant(
        "poison_relaxed",
        &status,
        stored,
        "self.status.store(POISONED, Ordering::Relaxed);",
    );
    let late = replaced(&status[0], "let _ = self.why.set(why);", "");
    out.mutant(
        "poison_before_why",
        &[late],
        stored,
        &format!("{stored} let _ = self.why.set(why);"),
    );
    let ended = "self.ended.store(true, Ordering::Release)";
    out.mutant("end_relaxed", &status, ended, "self.ended.store(true, Ordering::Relaxed)");
    // Loom gives stores of different threads no order, not even between a change and what it read; a
    // swap has one. In the language's model a store that is not part of a change cannot come between
    // the two either, so for the last value it is the same.
    let swapped = "self.status.swap(POISONED, Ordering::Release);";
    let status = [replaced(&status[0], stored, swapped)];
    out.write("status_swapped", &status);
    let closed = shared.item("fn closed(");
    let careless = "fn closed(&self) { self.status.store(CLOSED, Ordering::Release); }";
    out.mutant("closed_over_poison", &status, &closed, &format!("pub(crate) {careless}"));
    for (name, method) in [("wake_unfenced", "fn wake("), ("park_unfenced", "fn park(")] {
        let fenced = shared.item(method);
        let unfenced = replaced(&fenced, "fence(Ordering::SeqCst);", "");
        out.mutant(name, &status, &fenced, &unfenced);
    }
    shared.says(&["let _ = self.sleeper.set(std::thread::current());"]);

    let stop = [
        methods(
            "Shared",
            &["is_poisoned", "is_stopping", "stop"].map(|name| shared.item(&format!("fn {name}("))),
        ),
        methods("Core", &[decide.item("fn run(mut self")]),
    ];
    out.write("stop", &stop);
    let (from, to) = (
        "self.status.load(Ordering::Acquire) == STOPPING",
        "self.status.load(Ordering::Relaxed) == STOPPING",
    );
    out.mutant("stop_read_relaxed", &stop, from, to);
    out.mutant("stop_stored_relaxed", &stop, "Ordering::AcqRel,", "Ordering::Relaxed,");
    let [status_of, run] = stop.clone();
    let run = replaced(&run, "let stopping = shared.is_stopping();", "");
    let late = [status_of, run];
    out.mutant("stop_read_late", &late, "if stopping &&", "if shared.is_stopping() &&");
    out.mutant("stop_while_stalled", &stop, " && !turn.stalled", "");
    engine.says(&["self.shared.stop();"]);

    let wanted = [
        methods("Shared", &["want", "sync_wanted"].map(|name| shared.item(&format!("fn {name}(")))),
        methods("Logic", &[decide.item("fn send(")]),
        methods(
            "<S: Store> Journaler<S>",
            &["commit", "idle"].map(|name| record.item(&format!("fn {name}("))),
        ),
        record.item("fn work<S: Store>("),
    ];
    out.write("wanted", &wanted);
    let (from, to) = (
        "self.replies_want.load(Ordering::Relaxed).max(self.others_want.load(Ordering::Relaxed))",
        "self.others_want.load(Ordering::Relaxed)",
    );
    out.mutant("wanted_without_replies", &wanted, from, to);
    let readers = " || 0 < self.durable_readers.load(Ordering::Relaxed)";
    out.mutant("wanted_without_readers", &wanted, readers, "");
    let (from, to) = (
        "self.others_want.fetch_max(seq.0, Ordering::AcqRel)",
        "self.others_want.store(seq.0, Ordering::Release)",
    );
    out.mutant("wanted_by_the_last", &wanted, from, to);
    out.mutant("wanted_asked_once", &wanted, "self.commit()?;", "");
    decide.says(&[
        "records.push(meta(stamp, header.kind), bytes, self.events.as_bytes())?;",
        "self.send(reply);",
    ]);
    record.says(&[
        "self.since = Some(Instant::now());",
        "self.writer.seal_and_sync()?;",
        "self.since = None;",
    ]);
    output.says(&[
        "shared.durable_readers.fetch_add(1, Ordering::Relaxed);",
        "self.shared.durable_readers.fetch_sub(1, Ordering::Relaxed);",
    ]);

    let cell =
        [output.item("struct Cell<const N: usize>"), output.item("impl<const N: usize> Cell<N>")];
    out.write("cell", &cell);
    out.mutant("cell_writer_unfenced", &cell, "fence(Ordering::Release);", "");
    out.mutant("cell_reader_unfenced", &cell, "fence(Ordering::Acquire);", "");
    let (from, to) = (
        "self.version.store(version, Ordering::Release)",
        "self.version.store(version, Ordering::Relaxed)",
    );
    out.mutant("cell_store_relaxed", &cell, from, to);
    let (from, to) =
        ("self.version.load(Ordering::Acquire)", "self.version.load(Ordering::Relaxed)");
    out.mutant("cell_load_relaxed", &cell, from, to);

    let [cell_struct, cell_impl] = cell.clone();
    let ring = [
        cell_struct.clone(),
        cell_impl.clone(),
        output.item("struct EventRing"),
        output.item("impl EventRing"),
        // It waits for the writer here; loom has to be told so.
        replaced(
            &methods(
                "EventStream",
                &["next", "lapped", "go_on"].map(|name| output.item(&format!("fn {name}("))),
            ),
            "_ => break,",
            "_ => { loom::thread::yield_now(); break }",
        ),
    ];
    out.write("ring", &ring);
    out.mutant("ring_without_laps", &ring, "2 * (position / size + 1)", "2");
    output.says(&[
        "let (place, version) = self.ring.place(head);",
        "place.write(version, &words);",
        "head += 1;",
        "self.ring.head.store(head, Ordering::Release);",
        "self.ring.complete.store(seq.0, Ordering::Release);",
    ]);

    let prices = [
        cell_struct,
        cell_impl,
        output.item("struct PriceTable"),
        methods("Prices", &[output.item("fn get(")]),
    ];
    out.write("prices", &prices);
    let again = "place.version.load(Ordering::Acquire) == version";
    out.mutant(
        "prices_unchecked",
        &prices,
        again,
        "true | (place.version.load(Ordering::Acquire) == version)",
    );
    output.says(&[
        "cell.write_next(&[0, 0, 0]);",
        "self.runs.give_back(place);",
        "cell.write_next(&[0, 0, 0]);",
        "let Some(base) = self.runs.take(place, selections) else { return };",
        "price.write_next(&[0; 4]);",
        "cell.write_next(&[market.raw(), u64::from(base), u64::from(selections)]);",
        "cell.write_next(&[price, version.0, received.0 as u64, seq.0]);",
    ]);

    let line =
        [methods("Wall", &["line", "replace"].map(|name| clock.item(&format!("fn {name}("))))];
    out.write("clock", &line);
    out.mutant("clock_unfenced", &line, "fence(Ordering::Release);", "");

    let room = [methods("RecordOutlet", &[record.item("fn has_room(")])];
    out.write("record_ring", &room);
    let (from, to) = ("self.taken.load(Ordering::Acquire)", "self.taken.load(Ordering::Relaxed)");
    out.mutant("record_ring_relaxed", &room, from, to);
    record.says(&["drop(guard);", "self.taken.fetch_add(count, Ordering::Release);"]);

    let question = [methods("Core", &[decide.item("fn answer_questions(")])];
    out.write("question", &question);
    let clear = "shared.asked.store(false, Ordering::Relaxed);";
    let late = replaced(&decide.item("fn answer_questions("), clear, "");
    let late = format!("{}{clear}\n}}", late.trim_end_matches('}'));
    out.write("question_cleared_late", &[methods("Core", &[late])]);
    engine.says(&[
        "*self.questions.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);",
        "self.shared.asked.store(true, Ordering::Release);",
    ]);

    let doors = [
        methods("Door", &["enter", "back_out"].map(|name| admission.item(&format!("fn {name}(")))),
        admission.item("fn leave("),
        admission.item("struct Bucket"),
        methods("Bucket", &["pass", "take"].map(|name| admission.item(&format!("fn {name}(")))),
    ];
    out.write("doors", &doors);
    let counted = "let before = self.entered.fetch_add(1, Ordering::Relaxed);";
    let looked = replaced(&doors[0], counted, "let before = self.entered.load(Ordering::Relaxed);");
    let [_, leave, bucket, of_bucket] = doors.clone();
    let looked = [looked, leave, bucket, of_bucket];
    let (from, to) = (
        "if !fits {\n            self.back_out();",
        "if fits {\n            self.entered.fetch_add(1, Ordering::Relaxed);",
    );
    out.mutant("door_looked_at_first", &looked, from, to);
    let exchange =
        "word.compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed)";
    let stored = "Ok::<u64, u64>(word.swap(after, Ordering::Relaxed))";
    out.mutant("bucket_without_exchange", &doors, exchange, stored);
    decide.says(&[
        "let reply = self.state.apply(stamp, &header, &command, admitted, &mut self.events);",
        "self.left(ring, bytes, reply.answer.reject());",
    ]);

    egress.says(&[
        "assert!(sent.is_ok(), \"no client has more unanswered attempts than places for replies\");",
        "if self.credit <= self.asked.len() + commands {",
        "while let Ok(mut guard) = seat.poller.poll() {",
        "self.arrived.push_back(*reply);",
    ]);
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.matches(from).count() == 1, "`{from}` is not there once");
    text.replace(from, to)
}
